// A stored body that is read from disk. Thread: the executor's of its reader.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "cache/body_source.h"
#include "disk/tier.h"
#include "mem/slice.h"

namespace seawall::cache {

class BodyCursor final : public BodySource {
 public:
  // Fails when the disk does, or is too slow.
  BodyCursor(std::unique_ptr<disk::BodyReader> reader, std::function<void()> on_progress)
      : reader_(std::move(reader)), on_progress_(std::move(on_progress)) {}

  std::uint64_t body_bytes() const { return reader_->body_bytes(); }
  // Not while there is nothing yet.
  void select(http::ByteRange range) override { offset_ = range.first, end_ = range.last + 1; }
  Outcome read(std::size_t most, SliceChain& out) override;

 private:
  void arrive(disk::ReadStatus status, SliceChain bytes);

  std::unique_ptr<disk::BodyReader> reader_;
  std::function<void()> on_progress_;
  std::uint64_t offset_ = 0;
  std::uint64_t end_ = 0;
  SliceChain ready_;  // from offset_ on
  bool is_waiting_ = false;
  bool has_failed_ = false;
};

}  // namespace seawall::cache
