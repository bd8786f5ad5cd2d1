#include "mem/slot_pool.h"

#include <sys/mman.h>

#include <new>

#include "base/check.h"

namespace seawall {

std::unique_ptr<SlotPool> SlotPool::create(std::size_t slot_bytes) {
  SW_CHECK(slot_bytes % 16 == 0 && slot_bytes >= 16 && slot_bytes <= kSlabBytes / 8, "a size that fits a slab");
  void* const base =
      ::mmap(nullptr, kRangeBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) return nullptr;
  // A huge page would keep the memory of several slabs for the sake of one.
  ::madvise(base, kRangeBytes, MADV_NOHUGEPAGE);
  return std::unique_ptr<SlotPool>(new SlotPool(slot_bytes, static_cast<char*>(base)));
}

SlotPool::~SlotPool() {
  ::munmap(base_, kRangeBytes);
}

SlotPool::Slab* SlotPool::usable_slab() {
  if (Slab* const slab = partial_.front()) return slab;
  Slab* slab = empty_.pop_front();
  if (slab == nullptr) {
    if ((slabs_.size() + 1) * kSlabBytes > kRangeBytes) return nullptr;
    slab = &slabs_.emplace_back();
    slab->memory = base_ + (slabs_.size() - 1) * kSlabBytes;
  }
  partial_.push_front(*slab);
  resident_ += kSlabBytes;
  return slab;
}

void* SlotPool::take() {
  const MutexLock lock(mutex_);
  Slab* const slab = usable_slab();
  if (slab == nullptr) return nullptr;
  if (slab == spare_) spare_ = nullptr;
  void* slot = slab->free;
  if (slab->free != nullptr) {
    slab->free = slab->free->next;
  } else {
    slot = slab->memory + slab->fresh++ * slot_bytes_;
  }
  ++slab->live;
  if (slab->live == slots_per_slab()) slab->node.unlink();
  return slot;
}

void SlotPool::give(void* slot) {
  const MutexLock lock(mutex_);
  const auto offset = static_cast<std::size_t>(static_cast<char*>(slot) - base_);
  Slab& slab = slabs_[offset / kSlabBytes];
  SW_DASSERT(offset % kSlabBytes % slot_bytes_ == 0 && slab.live > 0, "a slot that was taken");
  slab.free = new (slot) Free{slab.free};
  --slab.live;
  if (!slab.node.is_linked()) partial_.push_front(slab);
  if (slab.live > 0) return;
  if (spare_ == nullptr) {
    spare_ = &slab;
    partial_.push_back(slab);  // others first
    return;
  }
  ::madvise(slab.memory, kSlabBytes, MADV_DONTNEED);
  slab.free = nullptr;
  slab.fresh = 0;
  resident_ -= kSlabBytes;
  empty_.push_back(slab);
}

std::size_t SlotPool::resident_bytes() const {
  const MutexLock lock(mutex_);
  return resident_;
}

}  // namespace seawall
