// The memory of groups of objects (routes): the most that a group may take, and what is guaranteed to it.
//
// The store lists and unlists. When an insert takes a group past its maximum, its own oldest go. As long as a group has
// no more than its guarantee, what is to go to make room for others is not taken from it: it is spared. It is spared up
// to an eighth more, so that no object of that size takes it below. What leaves the store otherwise leaves the group
// too. Thread: the bounds and the sums any; the rest as it says.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "base/list.h"
#include "base/ref.h"
#include "cache/eviction.h"

namespace seawall::cache {

struct ShareBounds {
  std::uint64_t guaranteed_bytes = 0;
  std::uint64_t max_bytes = 0;  // 0: no maximum

  friend bool operator==(const ShareBounds&, const ShareBounds&) = default;
};

class ShareGroup final : public RefCounted<ShareGroup> {
 public:
  explicit ShareGroup(ShareBounds bounds = {}, std::uint32_t disk_label = 0)
      : disk_label_(disk_label), guaranteed_(bounds.guaranteed_bytes), max_(bounds.max_bytes) {}

  // By which its records on disk are known: see cache::disk_label(); 0: by none.
  std::uint32_t disk_label() const { return disk_label_; }

  std::uint64_t guaranteed_bytes() const { return guaranteed_.load(std::memory_order_relaxed); }
  std::uint64_t max_bytes() const { return max_.load(std::memory_order_relaxed); }
  // Object::charged_bytes() of what is listed.
  std::uint64_t used_bytes() const { return used_.load(std::memory_order_relaxed); }
  // Whether an object of that size can be had at all.
  bool admits(std::uint64_t bytes) const { return max_bytes() == 0 || bytes <= max_bytes(); }
  bool is_over_max() const { return !admits(used_bytes()); }

  // Under the store's policy lock, all of these.
  bool is_spared() const { return used_bytes() <= spared_limit(); }
  EvictionEntry* oldest() const { return listed_.front(); }

 private:
  friend class RefCounted<ShareGroup>;
  friend class ShareGroups;
  ~ShareGroup() = default;

  std::uint64_t spared_limit() const { return guaranteed_bytes() + guaranteed_bytes() / 8; }
  std::uint64_t spared_bytes() const { return std::min(used_bytes(), spared_limit()); }

  const std::uint32_t disk_label_;
  std::atomic<std::uint64_t> guaranteed_;
  std::atomic<std::uint64_t> max_;
  std::atomic<std::uint64_t> used_{0};  // written under the store's policy lock
  List<EvictionEntry, &EvictionEntry::share_node> listed_;
  ListNode giving_node_;
};

// All groups of a store that have something listed. Invariants: `giving_` holds those that are not spared, and so none
// that is empty; `spared_bytes_` is the sum of what is spared of each. Thread: the store's policy lock.
class ShareGroups {
 public:
  void add(ShareGroup& group, EvictionEntry& entry) {
    group.listed_.push_back(entry);
    change(group, group.used_bytes() + entry.size_bytes);
  }
  void remove(ShareGroup& group, EvictionEntry& entry) {
    entry.share_node.unlink();
    change(group, group.used_bytes() - entry.size_bytes);
  }
  // A maximum is in force with the next insert.
  void set_bounds(ShareGroup& group, ShareBounds bounds);

  // What may not be taken for that group.
  std::uint64_t spared_from(const ShareGroup& other) const { return spared_bytes_ - other.spared_bytes(); }
  bool has_giving() const { return !giving_.empty(); }
  // Of the next few groups that are not spared, the one that is furthest above its guarantee; null: there is none.
  ShareGroup* next_giving();

 private:
  void change(ShareGroup& group, std::uint64_t used_bytes) {
    spared_bytes_ -= group.spared_bytes();
    group.used_.store(used_bytes, std::memory_order_relaxed);
    settle(group);
  }
  void settle(ShareGroup& group) {
    spared_bytes_ += group.spared_bytes();
    const bool gives = !group.is_spared();
    if (gives == group.giving_node_.is_linked()) return;
    if (gives) {
      giving_.push_back(group);
    } else {
      group.giving_node_.unlink();
    }
  }

  std::uint64_t spared_bytes_ = 0;
  List<ShareGroup, &ShareGroup::giving_node_> giving_;
};

}  // namespace seawall::cache
