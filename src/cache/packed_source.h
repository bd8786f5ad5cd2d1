// Reads a packed body block by block. Thread: that of whoever answers.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include "base/clock.h"
#include "base/ref.h"
#include "cache/body_source.h"
#include "cache/packed_body.h"
#include "mem/budget.h"
#include "mem/slice.h"

namespace seawall::cache {

class PackedSource final : public BodySource {
 public:
  // `spent_ns` is what unpacking takes, added up.
  PackedSource(Ref<const PackedBody> body, MemoryBudget& budget, const Clock& clock,
               std::atomic<std::uint64_t>& spent_ns)
      : body_(std::move(body)), budget_(budget), clock_(clock), spent_ns_(spent_ns) {}

  void select(http::ByteRange range) override;
  Outcome read(std::size_t most, SliceChain& out) override;

 private:
  bool unpack(std::size_t block);

  Ref<const PackedBody> body_;
  MemoryBudget& budget_;
  const Clock& clock_;
  std::atomic<std::uint64_t>& spent_ns_;
  std::uint64_t at_ = 0;
  std::uint64_t end_ = 0;
  std::size_t block_ = 0;  // which `raw_` is; it is empty before the first
  Slice raw_;
};

}  // namespace seawall::cache
