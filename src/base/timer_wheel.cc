#include "base/timer_wheel.h"

#include <algorithm>

namespace seawall {

TimerWheel::TimerWheel(MonoTime now) : tick_(now.us / kTickUs) {}

void TimerWheel::arm(Timer& timer, MonoTime deadline) {
  timer.cancel();
  timer.deadline_ = deadline;
  file(timer);
}

void TimerWheel::file(Timer& timer) {
  ++filings_;
  // Round up, so that a timer is never early; at least one tick ahead, so that advance() always ends.
  const std::int64_t due = std::max((timer.deadline_.us + kTickUs - 1) / kTickUs, tick_ + 1);
  const std::int64_t ahead = due - tick_;
  for (int level = 0; level < kLevels; ++level) {
    const int shift = level * kSlotBits;
    if (ahead < (std::int64_t{1} << (shift + kSlotBits)) || level == kLevels - 1) {
      // Past the last level's horizon the timer waits in its farthest slot and is filed again from there.
      const std::int64_t reach = (std::int64_t{1} << (shift + kSlotBits)) - (std::int64_t{1} << shift);
      const std::int64_t at = tick_ + std::min(ahead, reach);
      slots_[static_cast<std::size_t>(level)][static_cast<std::size_t>((at >> shift) & (kSlots - 1))].push_back(timer);
      return;
    }
  }
}

void TimerWheel::cascade(int level) {
  Slot& slot =
      slots_[static_cast<std::size_t>(level)][static_cast<std::size_t>((tick_ >> (level * kSlotBits)) & (kSlots - 1))];
  Slot moved;
  while (Timer* t = slot.pop_front()) moved.push_back(*t);
  while (Timer* t = moved.pop_front()) {
    if (level > 0 && (t->deadline_.us + kTickUs - 1) / kTickUs <= tick_) {
      slots_[0][static_cast<std::size_t>(tick_ & (kSlots - 1))].push_back(*t);
    } else {
      file(*t);
    }
  }
}

void TimerWheel::advance(MonoTime now) {
  const std::int64_t target = now.us / kTickUs;
  while (tick_ < target) {
    const auto next = next_deadline();
    if (!next || next->us / kTickUs > target) {
      tick_ = target;
      return;
    }
    tick_ = std::max(tick_ + 1, std::min(next->us / kTickUs, target));
    for (int level = kLevels - 1; level > 0; --level) {
      if ((tick_ & ((std::int64_t{1} << (level * kSlotBits)) - 1)) == 0) cascade(level);
    }
    Slot& slot = slots_[0][static_cast<std::size_t>(tick_ & (kSlots - 1))];
    Slot due;
    while (Timer* t = slot.pop_front()) due.push_back(*t);
    while (Timer* t = due.pop_front()) {
      if (t->deadline_.us > tick_ * kTickUs) {
        file(*t);  // deferred meanwhile
      } else {
        t->on_fire_();
      }
    }
  }
}

std::optional<MonoTime> TimerWheel::next_deadline() const {
  std::optional<std::int64_t> best;
  for (int level = 0; level < kLevels; ++level) {
    const int shift = level * kSlotBits;
    const std::int64_t base = tick_ >> shift;
    for (std::int64_t step = 1; step <= kSlots; ++step) {
      if (!slots_[static_cast<std::size_t>(level)][static_cast<std::size_t>((base + step) & (kSlots - 1))].empty()) {
        const std::int64_t at = (base + step) << shift;
        if (!best || at < *best) best = at;
        break;
      }
    }
  }
  if (!best) return std::nullopt;
  return MonoTime{*best * kTickUs};
}

}  // namespace seawall
