// A worker without a loop: tasks lie in a queue until the test runs them, so that a test interleaves several workers as
// it likes on one thread. Thread: one.
#pragma once

#include <deque>
#include <utility>

#include "base/executor.h"
#include "support/manual_clock.h"

namespace seawall::test {

class PumpExecutor final : public Executor {
 public:
  PumpExecutor(std::uint32_t worker_id, const ManualClock& clock)
      : worker_id_(worker_id), clock_(clock), timers_(clock.mono_now()) {}

  std::uint32_t worker_id() const override { return worker_id_; }
  void post(Task task) override { tasks_.push_back(std::move(task)); }
  MonoTime mono_now() const override { return clock_.mono_now(); }
  WallTime wall_now() const override { return clock_.wall_now(); }
  TimerWheel& timers() override { return timers_; }

  bool has_work() const { return !tasks_.empty(); }
  // Runs the oldest task, if any.
  bool run_one() {
    if (tasks_.empty()) return false;
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    task();
    return true;
  }
  // Fires what has become due.
  void run_timers() { timers_.advance(clock_.mono_now()); }

 private:
  std::uint32_t worker_id_;
  const ManualClock& clock_;
  TimerWheel timers_;
  std::deque<Task> tasks_;
};

}  // namespace seawall::test
