#include "disk/read_pool.h"

#include <algorithm>
#include <utility>

namespace seawall::disk {

void ReadPool::submit(std::shared_ptr<ReadJob> job) {
  ReadStatus refused = ReadStatus::kBusy;
  {
    const std::scoped_lock lock(mutex_);
    if (closed_) {
      refused = ReadStatus::kClosed;
    } else if (queue_.size() < max_waiting_) {
      queue_.push_back({.job = std::move(job), .since = clock_.mono_now(), .started = {}});
      wake_.notify_one();
      return;
    }
  }
  job->fail(refused);
}

void ReadPool::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return closed_ || !queue_.empty(); });
    if (queue_.empty()) return;
    Item item = std::move(queue_.front());
    queue_.pop_front();
    item.started = clock_.mono_now();
    const std::shared_ptr<ReadJob> job = item.job;
    running_.push_back(std::move(item));
    lock.unlock();
    job->work();
    lock.lock();
    std::erase_if(running_, [&](const Item& i) { return i.job == job; });
  }
}

std::chrono::microseconds ReadPool::expire() {
  std::vector<std::shared_ptr<ReadJob>> late;
  std::chrono::microseconds longest{0};
  {
    const std::scoped_lock lock(mutex_);
    if (queue_.empty() && running_.empty()) return longest;
    const MonoTime now = clock_.mono_now();
    while (!queue_.empty() && now - queue_.front().since > deadline_) {
      late.push_back(std::move(queue_.front().job));
      queue_.pop_front();
    }
    for (const Item& item : running_) {
      longest = std::max(longest, now - item.started);
      if (now - item.since > deadline_) late.push_back(item.job);
    }
  }
  for (const auto& job : late) job->fail(ReadStatus::kTimeout);
  return longest;
}

void ReadPool::close() {
  std::deque<Item> queue;
  {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
    queue.swap(queue_);
    wake_.notify_all();
  }
  for (const Item& item : queue) item.job->fail(ReadStatus::kClosed);
}

void ReadPool::fail_all(ReadStatus status) {
  std::vector<std::shared_ptr<ReadJob>> jobs;
  {
    const std::scoped_lock lock(mutex_);
    for (Item& item : queue_) jobs.push_back(std::move(item.job));
    queue_.clear();
    for (const Item& item : running_) jobs.push_back(item.job);
  }
  for (const auto& job : jobs) job->fail(status);
}

std::size_t ReadPool::waiting() const {
  const std::scoped_lock lock(mutex_);
  return queue_.size() + running_.size();
}

}  // namespace seawall::disk
