// A pure hierarchical timer wheel: it never reads a clock and never sleeps. The loop advances it to `now`
// and asks when to wake next. Resolution is 10 ms; a timer never fires early. Thread: one owner.
//
// Deadlines may be pushed back lazily: connections store the new deadline in the Timer with `defer_to()`,
// which costs a store, and the wheel re-files the timer when the old slot comes up.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>

#include "base/clock.h"
#include "base/list.h"

namespace seawall {

class TimerWheel;

// Cancels itself when destroyed. The callback may destroy the timer, re-arm it, or cancel others.
class Timer {
 public:
  explicit Timer(std::move_only_function<void()> on_fire) : on_fire_(std::move(on_fire)) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { cancel(); }

  bool is_armed() const { return node_.is_linked(); }
  void cancel() { node_.unlink(); }
  // Only later than what is armed is cheap; earlier needs TimerWheel::arm. No effect unless armed.
  void defer_to(MonoTime deadline) { deadline_ = deadline; }
  MonoTime deadline() const { return deadline_; }

 private:
  friend class TimerWheel;
  ListNode node_;
  MonoTime deadline_;
  std::move_only_function<void()> on_fire_;
};

class TimerWheel {
 public:
  explicit TimerWheel(MonoTime now);
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  // Arms or re-arms; a deadline in the past fires at the next advance().
  void arm(Timer& timer, MonoTime deadline);
  // Fires everything due, in slot order. Callbacks may arm and cancel any timer.
  void advance(MonoTime now);
  // When advance() should next be called; nullopt when nothing is armed.
  std::optional<MonoTime> next_deadline() const;
  // Grows with every timer filed: as long as it stays, next_deadline() has not come nearer.
  std::uint64_t filings() const { return filings_; }

 private:
  static constexpr int kLevels = 4;
  static constexpr int kSlotBits = 6;
  static constexpr int kSlots = 1 << kSlotBits;
  static constexpr std::int64_t kTickUs = 10'000;
  using Slot = List<Timer, &Timer::node_>;

  void file(Timer& timer);
  void cascade(int level);

  std::int64_t tick_;  // the last tick that has been run
  std::uint64_t filings_ = 0;
  std::array<std::array<Slot, kSlots>, kLevels> slots_;
};

}  // namespace seawall
