#include "support/behave/wait.h"

#include <thread>

namespace seawall::behave {

bool until(const std::function<bool()>& condition, Millis limit) {
  const auto end = SteadyClock::now() + limit;
  while (!condition()) {
    if (SteadyClock::now() >= end) return false;
    std::this_thread::sleep_for(Millis{1});
  }
  return true;
}

void Gate::open() {
  const std::lock_guard lock(mutex_);
  open_ = true;
  changed_.notify_all();
}

bool Gate::is_open() const {
  const std::lock_guard lock(mutex_);
  return open_;
}

bool Gate::wait(Millis limit) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, limit, [this] { return open_; });
}

}  // namespace seawall::behave
