// One shard of the index: an open-addressing table (linear probing) from hash and key to the key's VariantSet. The
// table owns one reference to each set.
//
// Two locks. `mutex_` guards the table against readers; it is held for a probe and a reference, or for the store of a
// pointer, never for more: a table grows aside and is swapped in. `write_mutex()` makes a writer's read, build and
// exchange one step; readers never take it, and memory is allocated and freed under it alone. Thread: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/ref.h"
#include "cache/variant_set.h"
#include "mem/budget.h"

namespace seawall::cache {

// What the index spends on an object, about: its set and its share of the table.
inline constexpr std::size_t kIndexNodeBytes = 80;

class alignas(64) IndexShard {
 public:
  explicit IndexShard(MemoryBudget& budget) : budget_(budget) {}
  ~IndexShard();
  IndexShard(const IndexShard&) = delete;
  IndexShard& operator=(const IndexShard&) = delete;

  // Null when there is none.
  Ref<const VariantSet> find(std::string_view key, std::uint64_t hash) const SW_EXCLUDES(mutex_);

  // The table and the sets in it.
  std::size_t charged_bytes() const SW_EXCLUDES(mutex_);

  // Appends the sets of bucket `cursor` to `out` and returns the bucket that comes after it; 0: there is none. From 0
  // round to 0 every set is met that is in the table all that time, whatever comes and goes between the calls: buckets
  // come in the order of their bits read backwards, in which a bucket's halves in a table twice as large are
  // neighbours.
  std::uint64_t scan(std::uint64_t cursor, std::vector<Ref<const VariantSet>>& out) const SW_REQUIRES(write_mutex_);

  Mutex& write_mutex() SW_TSA(lock_returned(write_mutex_)) { return write_mutex_; }
  // Puts `set` in place of the key's present one, either may be null; returns what was there.
  Ref<const VariantSet> exchange(std::string_view key, std::uint64_t hash, Ref<const VariantSet> set)
      SW_REQUIRES(write_mutex_) SW_EXCLUDES(mutex_);

 private:
  struct Slot {
    std::uint64_t hash = 0;
    const VariantSet* set = nullptr;
  };
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  static constexpr std::size_t kMinSlots = 16;

  // The table changes only under both locks, so either is enough to read it: writers use the first group without
  // mutex_.
  std::size_t home(std::uint64_t hash) const;
  std::size_t find_slot(std::string_view key, std::uint64_t hash) const;
  std::size_t slots_for(std::size_t sets) const;
  void resize(std::size_t slots) SW_EXCLUDES(mutex_);
  void put(const Slot& slot) SW_REQUIRES(mutex_);
  void close_gap(std::size_t gap) SW_REQUIRES(mutex_);

  mutable Mutex mutex_;
  std::vector<Slot> slots_;  // none, or a power of two
  std::size_t used_ = 0;
  std::size_t sets_bytes_ = 0;
  Mutex write_mutex_;
  MemoryBudget& budget_;
  BudgetCharge charge_;
};

}  // namespace seawall::cache
