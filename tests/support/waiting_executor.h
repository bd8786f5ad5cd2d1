// A worker that other threads post to: the test runs what comes until something has happened. Thread: one runs, any
// posts.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <stdexcept>
#include <utility>

#include "base/executor.h"

namespace seawall::test {

// Moves only when told, and may be read by any thread meanwhile.
class SharedClock : public Clock {
 public:
  WallTime wall_now() const override { return WallTime{wall_ms_.load()}; }
  MonoTime mono_now() const override { return MonoTime{mono_us_.load()}; }
  void advance(Millis by) {
    wall_ms_ += by.count();
    mono_us_ += by.count() * 1000;
  }
  void set_wall(WallTime t) { wall_ms_ = t.unix_ms; }

 private:
  std::atomic<std::int64_t> wall_ms_{1'700'000'000'000};
  std::atomic<std::int64_t> mono_us_{1'000'000};
};

class WaitingExecutor final : public Executor {
 public:
  explicit WaitingExecutor(const Clock& clock) : clock_(clock), timers_(clock.mono_now()) {}

  std::uint32_t worker_id() const override { return 0; }
  void post(Task task) override {
    const std::scoped_lock lock(mutex_);
    tasks_.push_back(std::move(task));
    wake_.notify_one();
  }
  MonoTime mono_now() const override { return clock_.mono_now(); }
  WallTime wall_now() const override { return clock_.wall_now(); }
  TimerWheel& timers() override { return timers_; }

  // Throws when it does not come about within some seconds.
  template <typename Condition>
  void run_until(Condition condition) {
    while (!condition()) {
      Task task;
      {
        std::unique_lock lock(mutex_);
        // What is waited for may be a state rather than a task.
        for (int tries = 0; tasks_.empty() && !condition(); ++tries) {
          if (tries == 5000) throw std::runtime_error("nothing has happened for too long");
          wake_.wait_for(lock, std::chrono::milliseconds(1));
        }
        if (tasks_.empty()) return;
        task = std::move(tasks_.front());
        tasks_.pop_front();
      }
      task();
    }
  }
  // What is posted within a moment, for a test that has to do something meanwhile.
  void run_some() {
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, std::chrono::milliseconds(1), [this] { return !tasks_.empty(); });
    }
    run_ready();
  }
  // Whatever has been posted.
  void run_ready() {
    for (;;) {
      Task task;
      {
        const std::scoped_lock lock(mutex_);
        if (tasks_.empty()) return;
        task = std::move(tasks_.front());
        tasks_.pop_front();
      }
      task();
    }
  }

 private:
  const Clock& clock_;
  TimerWheel timers_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Task> tasks_;
};

}  // namespace seawall::test
