// The most of the memory that a group of objects (a route) may take: what is listed of it, the oldest first, and how
// much that is. The store lists and unlists, and evicts the oldest when an insert takes the group past its limit; what
// leaves the store otherwise leaves the group too. Thread: the limit and the sums any; the rest as it says.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/list.h"
#include "base/ref.h"
#include "cache/eviction.h"

namespace seawall::cache {

class ShareGroup final : public RefCounted<ShareGroup> {
 public:
  // 0: no limit.
  explicit ShareGroup(std::uint64_t limit_bytes) : limit_(limit_bytes) {}

  std::uint64_t limit_bytes() const { return limit_.load(std::memory_order_relaxed); }
  // In force with the next insert.
  void set_limit_bytes(std::uint64_t bytes) { limit_.store(bytes, std::memory_order_relaxed); }
  // Object::charged_bytes() of what is listed.
  std::uint64_t used_bytes() const { return used_.load(std::memory_order_relaxed); }
  // Whether an object of that size can be had at all.
  bool admits(std::uint64_t bytes) const { return limit_bytes() == 0 || bytes <= limit_bytes(); }

  // Under the store's policy lock, all of these.
  void add(EvictionEntry& entry) {
    listed_.push_back(entry);
    used_.fetch_add(entry.size_bytes, std::memory_order_relaxed);
  }
  void remove(EvictionEntry& entry) {
    entry.share_node.unlink();
    used_.fetch_sub(entry.size_bytes, std::memory_order_relaxed);
  }
  bool is_over() const { return !admits(used_bytes()); }
  EvictionEntry* oldest() const { return listed_.front(); }

 private:
  friend class RefCounted<ShareGroup>;
  ~ShareGroup() = default;

  std::atomic<std::uint64_t> limit_;
  std::atomic<std::uint64_t> used_{0};
  List<EvictionEntry, &EvictionEntry::share_node> listed_;
};

}  // namespace seawall::cache
