// A body under lz4 in memory, in the blocks that the disk tier has too, for what is too seldom asked for to lie there
// as it is sent. Immutable, and charged to the budget. Thread: any.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/ref.h"
#include "disk/format.h"
#include "http/header_map.h"
#include "mem/budget.h"
#include "mem/slice.h"

namespace seawall::cache {

// Not what is encoded already, or of a type that does not gain from lz4.
bool may_compress(const http::HeaderMap& headers);

class PackedBody final : public RefCounted<PackedBody> {
 public:
  // Null when that would not take an eighth less than the body's own bytes, or once `stop` is set.
  static Ref<const PackedBody> pack(const SliceChain& body, MemoryBudget& budget, const std::atomic<bool>& stop);

  std::uint64_t raw_bytes() const { return raw_bytes_; }
  // All that it takes.
  std::size_t charged_bytes() const { return charged_bytes_; }

  // All blocks but the last are of this size.
  static constexpr std::size_t kBlockBytes = disk::kBlockBytes;
  std::size_t blocks() const { return blocks_.size(); }
  // In a segment of its own; nullopt when what is held is not what was packed.
  std::optional<Slice> unpack(std::size_t block, MemoryBudget& budget) const;
  std::optional<SliceChain> unpack_all(MemoryBudget& budget) const;

 private:
  friend class RefCounted<PackedBody>;

  struct Stored {
    disk::Block block;
    Slice bytes;
  };

  PackedBody(std::vector<Stored> blocks, std::uint64_t raw_bytes, MemoryBudget& budget);
  ~PackedBody() = default;

  std::vector<Stored> blocks_;
  std::uint64_t raw_bytes_;
  BudgetCharge charge_;  // what is not in segments
  std::size_t charged_bytes_;
};

}  // namespace seawall::cache
