#include "cache/index.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace seawall::cache {
namespace {

std::uint64_t reverse_bits(std::uint64_t v) {
  v = (v >> 1 & 0x5555555555555555U) | (v & 0x5555555555555555U) << 1;
  v = (v >> 2 & 0x3333333333333333U) | (v & 0x3333333333333333U) << 2;
  v = (v >> 4 & 0x0f0f0f0f0f0f0f0fU) | (v & 0x0f0f0f0f0f0f0f0fU) << 4;
  return std::byteswap(v);
}

}  // namespace

IndexShard::~IndexShard() {
  for (const Slot& slot : slots_) {
    if (slot.set) slot.set->release_ref();
  }
}

Ref<const VariantSet> IndexShard::find(std::string_view key, std::uint64_t hash) const {
  MutexLock lock(mutex_);
  const std::size_t at = find_slot(key, hash);
  return at == kNone ? Ref<const VariantSet>() : Ref<const VariantSet>(slots_[at].set);
}

Ref<const VariantSet> IndexShard::exchange(std::string_view key, std::uint64_t hash, Ref<const VariantSet> set) {
  const std::size_t at = find_slot(key, hash);
  if (at != kNone) {
    const VariantSet* old;
    {
      MutexLock lock(mutex_);
      sets_bytes_ -= slots_[at].set->charged_bytes();
      if (set) {
        sets_bytes_ += set->charged_bytes();
        old = std::exchange(slots_[at].set, set.detach());
      } else {
        old = slots_[at].set;
        close_gap(at);
        --used_;
      }
    }
    if (slots_for(used_) * 4 <= slots_.size()) resize(slots_for(used_));
    return Ref<const VariantSet>::adopt(old);
  }
  if (!set) return {};
  if (slots_for(used_ + 1) > slots_.size()) resize(slots_for(used_ + 1));
  MutexLock lock(mutex_);
  sets_bytes_ += set->charged_bytes();
  put(Slot{.hash = hash, .set = set.detach()});
  ++used_;
  return {};
}

std::size_t IndexShard::charged_bytes() const {
  MutexLock lock(mutex_);
  return slots_.size() * sizeof(Slot) + sets_bytes_;
}

// A bucket is all that has the same home. It lies between that and the next free slot.
std::uint64_t IndexShard::scan(std::uint64_t cursor, std::vector<Ref<const VariantSet>>& out) const {
  if (slots_.empty()) return 0;
  const std::size_t mask = slots_.size() - 1;
  const std::size_t bucket = home(cursor);
  for (std::size_t i = bucket; slots_[i].set; i = (i + 1) & mask) {
    if (home(slots_[i].hash) == bucket) out.emplace_back(slots_[i].set);
  }
  // Counts in the mirror: the bits above the mask are set, so that the carry goes past them.
  return reverse_bits(reverse_bits(cursor | ~mask) + 1);
}

// The lowest bits; the shard is chosen by the highest.
std::size_t IndexShard::home(std::uint64_t hash) const {
  return hash & (slots_.size() - 1);
}

std::size_t IndexShard::find_slot(std::string_view key, std::uint64_t hash) const {
  if (slots_.empty()) return kNone;
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t i = home(hash); slots_[i].set; i = (i + 1) & mask) {
    if (slots_[i].hash == hash && slots_[i].set->key() == key) return i;
  }
  return kNone;
}

// At most three quarters full, so that a probe always ends.
std::size_t IndexShard::slots_for(std::size_t sets) const {
  if (sets == 0) return 0;
  return std::max(kMinSlots, std::bit_ceil(sets + sets / 3 + 1));
}

void IndexShard::resize(std::size_t slots) {
  std::vector<Slot> next(slots);
  for (const Slot& slot : slots_) {
    if (!slot.set) continue;
    std::size_t i = slot.hash & (slots - 1);
    while (next[i].set) i = (i + 1) & (slots - 1);
    next[i] = slot;
  }
  // Charged before the old table is let go: for a moment there are two.
  BudgetCharge charge(budget_, slots * sizeof(Slot));
  {
    MutexLock lock(mutex_);
    slots_.swap(next);
  }
  charge_ = std::move(charge);
}

void IndexShard::put(const Slot& slot) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t i = home(slot.hash);
  while (slots_[i].set) i = (i + 1) & mask;
  slots_[i] = slot;
}

// Moves up what would no longer be reached across the gap.
void IndexShard::close_gap(std::size_t gap) {
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t i = (gap + 1) & mask; slots_[i].set; i = (i + 1) & mask) {
    if (((i - home(slots_[i].hash)) & mask) >= ((i - gap) & mask)) {
      slots_[gap] = slots_[i];
      gap = i;
    }
  }
  slots_[gap] = Slot{};
}

}  // namespace seawall::cache
