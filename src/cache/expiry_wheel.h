// Entries by when they are of no use any more, so that those go before the policy has to choose: four wheels of 64
// slots, of 1 s, 64 s, 68 min and 73 h. A bounded number of steps in a call; what that leaves is done in the next one.
// Thread: the caller's lock.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/list.h"
#include "cache/eviction.h"

namespace seawall::cache {

class ExpiryWheel {
 public:
  static constexpr int kMaxSteps = 64;

  // Nothing happens when the entry never expires.
  void add(EvictionEntry& entry) {
    if (entry.expires_s == 0) return;
    if (entry.expires_s <= now_s_) return expired_.push_back(entry);
    const std::uint32_t left = entry.expires_s - now_s_;
    const auto level =
        std::min<std::size_t>((static_cast<std::size_t>(std::bit_width(left)) - 1) / kSlotBits, kLevels - 1);
    // So many slots ahead that it is looked at again in time; what is beyond the last wheel is as often as need be.
    const std::uint32_t ahead = std::min(left >> (kSlotBits * level), kSlots - 1);
    slots_[level][((now_s_ >> (kSlotBits * level)) + ahead) % kSlots].push_back(entry);
  }
  // No effect when it is not in.
  void remove(EvictionEntry& entry) { entry.expiry_node.unlink(); }

  // To be called before the first add(). Time that goes back is as if it stood still.
  void advance(std::uint32_t now_s) {
    if (now_s_ == 0) now_s_ = now_s;
    for (int steps = 0; steps < kMaxSteps; ++steps) {
      if (drain()) continue;
      if (now_s_ >= now_s) return;
      ++now_s_;
      for (std::size_t level = 0; level < kLevels; ++level) {
        is_due_[level] = now_s_ % (std::uint32_t{1} << (kSlotBits * level)) == 0;
      }
    }
  }
  // The one that has been known to have expired for longest, or null.
  EvictionEntry* expired() const { return expired_.front(); }

 private:
  static constexpr std::size_t kLevels = 4;
  static constexpr std::size_t kSlotBits = 6;
  static constexpr std::uint32_t kSlots = 1U << kSlotBits;
  using Slot = List<EvictionEntry, &EvictionEntry::expiry_node>;

  // Puts one entry of the slots that are due where it belongs now.
  bool drain() {
    for (std::size_t level = 0; level < kLevels; ++level) {
      if (!is_due_[level]) continue;
      Slot& slot = slots_[level][(now_s_ >> (kSlotBits * level)) % kSlots];
      if (EvictionEntry* entry = slot.pop_front()) {
        add(*entry);
        return true;
      }
      is_due_[level] = false;
    }
    return false;
  }

  std::uint32_t now_s_ = 0;
  std::array<bool, kLevels> is_due_{};
  std::array<std::array<Slot, kSlots>, kLevels> slots_;
  Slot expired_;
};

}  // namespace seawall::cache
