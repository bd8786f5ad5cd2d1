// Memory for many objects of one size, without the rounding of a general allocator: slots of that size in slabs, in a
// range of addresses of its own, by which a pointer tells whose it is. A slab that has emptied goes back to the kernel,
// but for one. Thread: any; one lock, held for a few instructions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>

#include "base/list.h"
#include "base/mutex.h"

namespace seawall {

class SlotPool {
 public:
  // `slot_bytes`: a multiple of 16, at most 16 KiB. Null when the kernel has no such range of addresses to give.
  static std::unique_ptr<SlotPool> create(std::size_t slot_bytes);
  ~SlotPool();
  SlotPool(const SlotPool&) = delete;
  SlotPool& operator=(const SlotPool&) = delete;

  std::size_t slot_bytes() const { return slot_bytes_; }
  bool owns(const void* p) const {
    return reinterpret_cast<std::uintptr_t>(p) - reinterpret_cast<std::uintptr_t>(base_) < kRangeBytes;
  }
  // Where its slots lie.
  std::span<const char> range() const { return {base_, kRangeBytes}; }
  // Aligned to 16; null when the range is used up.
  void* take();
  void give(void* slot);
  // Bytes of slabs that hold memory.
  std::size_t resident_bytes() const;

 private:
  static constexpr std::size_t kRangeBytes = std::size_t{8} << 30;
  static constexpr std::size_t kSlabBytes = std::size_t{320} * 1024;

  struct Free {
    Free* next;
  };
  struct Slab {
    ListNode node;  // in partial_ or empty_; in neither when it is full
    char* memory = nullptr;
    std::size_t live = 0;
    std::size_t fresh = 0;  // slots from here on have never been taken
    Free* free = nullptr;
  };

  SlotPool(std::size_t slot_bytes, char* base) : slot_bytes_(slot_bytes), base_(base) {}
  Slab* usable_slab() SW_REQUIRES(mutex_);
  std::size_t slots_per_slab() const { return kSlabBytes / slot_bytes_; }

  const std::size_t slot_bytes_;
  char* const base_;
  mutable Mutex mutex_;
  std::deque<Slab> slabs_ SW_GUARDED_BY(mutex_);  // in the order of their addresses
  List<Slab, &Slab::node> partial_ SW_GUARDED_BY(mutex_);
  List<Slab, &Slab::node> empty_ SW_GUARDED_BY(mutex_);
  Slab* spare_ SW_GUARDED_BY(mutex_) = nullptr;  // empty, and keeps its memory; in partial_
  std::size_t resident_ SW_GUARDED_BY(mutex_) = 0;
};

}  // namespace seawall
