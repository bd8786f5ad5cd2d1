#include "base/background.h"

#include <sys/resource.h>
#include <unistd.h>

#include <utility>

namespace seawall {
namespace {

// Not SCHED_IDLE: a thread may hold a lock of the allocator, and must get to the end of that.
constexpr int kNiceness = 19;

}  // namespace

BackgroundPool::BackgroundPool(const BackgroundOptions& options) : options_(options) {
  threads_.reserve(options_.threads);
  for (unsigned i = 0; i < options_.threads; ++i) threads_.emplace_back([this] { run(); });
}

bool BackgroundPool::submit(std::uint64_t bytes, Task task) {
  const std::scoped_lock lock(mutex_);
  const bool has_room =
      queue_.empty() || (queue_.size() < options_.max_tasks && waiting_bytes_ + bytes <= options_.max_bytes);
  if (is_stopped_ || !has_room) {
    is_full_ = true;
    return false;
  }
  waiting_bytes_ += bytes;
  queue_.push_back({bytes, std::move(task)});
  wake_.notify_one();
  return true;
}

std::size_t BackgroundPool::waiting() const {
  const std::scoped_lock lock(mutex_);
  return queue_.size();
}

void BackgroundPool::stop() {
  std::deque<Waiting> given_up;
  {
    const std::scoped_lock lock(mutex_);
    is_stopped_ = true;
    given_up.swap(queue_);
    wake_.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void BackgroundPool::run() {
  // Of this thread alone. Without, it is only less polite.
  static_cast<void>(::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNiceness));
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return is_stopped_ || !queue_.empty(); });
    if (is_stopped_) return;
    Waiting next = std::move(queue_.front());
    queue_.pop_front();
    waiting_bytes_ -= next.bytes;
    is_full_ = false;
    lock.unlock();
    next.task();
    next.task = nullptr;  // what it holds is not let go under the lock
    lock.lock();
  }
}

}  // namespace seawall
