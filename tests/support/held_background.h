// Background threads that work when the test says so. Thread: one.
#pragma once

#include <deque>
#include <utility>

#include "base/background.h"

namespace seawall::test {

class HeldBackground final : public Background {
 public:
  bool submit(std::uint64_t /*bytes*/, Task task) override {
    if (refuses) return false;
    tasks_.push_back(std::move(task));
    return true;
  }
  bool is_full() const override { return refuses; }
  std::size_t waiting() const override { return tasks_.size(); }
  const std::atomic<bool>& is_stopped() const override { return is_stopped_; }

  // All that waits.
  void work() {
    for (Task& task : std::exchange(tasks_, {})) task();
  }

  bool refuses = false;

 private:
  std::atomic<bool> is_stopped_{false};
  std::deque<Task> tasks_;
};

}  // namespace seawall::test
