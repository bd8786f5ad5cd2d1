#include "disk/read_pool.h"

#include <algorithm>
#include <utility>

namespace seawall::disk {

namespace {

// A ring that is awake is about to take as many, and to wake another costs more than they do.
constexpr std::size_t kSoonTaken = 8;

}  // namespace

void ReadPool::use(std::vector<std::unique_ptr<ReadRing>> rings) {
  rings_.reserve(rings.size());
  for (auto& ring : rings) rings_.push_back({.ring = std::move(ring)});
}

void ReadPool::submit(std::shared_ptr<ReadJob> job) {
  ReadStatus refused = ReadStatus::kBusy;
  {
    std::unique_lock lock(mutex_);
    if (closed_) {
      refused = ReadStatus::kClosed;
    } else if (queue_.size() < max_waiting_) {
      queue_.push_back({.job = std::move(job), .since = clock_.mono_now(), .started = {}});
      wake_.notify_one();
      Ring* const sleeper = ring_to_wake();
      lock.unlock();
      if (sleeper) sleeper->ring->wake();
      return;
    }
  }
  job->fail(refused);
}

// The lock is held. Null: those that are awake are enough for what waits, or there is no other.
ReadPool::Ring* ReadPool::ring_to_wake() {
  const auto taking = static_cast<std::size_t>(std::ranges::count(rings_, RingState::kTaking, &Ring::state));
  if (queue_.size() <= taking * kSoonTaken) return nullptr;
  const auto sleeper = std::ranges::find(rings_, RingState::kAsleep, &Ring::state);
  if (sleeper == rings_.end()) return nullptr;
  sleeper->state = RingState::kTaking;
  return std::to_address(sleeper);
}

// The lock is held.
std::shared_ptr<ReadJob> ReadPool::take_next() {
  Item item = std::move(queue_.front());
  queue_.pop_front();
  item.started = clock_.mono_now();
  std::shared_ptr<ReadJob> job = item.job;
  running_.push_back(std::move(item));
  return job;
}

void ReadPool::run() {
  std::unique_lock lock(mutex_);
  if (const auto ring = std::ranges::find(rings_, false, &Ring::has_thread); ring != rings_.end()) {
    ring->has_thread = true;
    lock.unlock();
    return run(*ring);
  }
  for (;;) {
    wake_.wait(lock, [this] { return closed_ || !queue_.empty(); });
    if (queue_.empty()) return;
    const std::shared_ptr<ReadJob> job = take_next();
    lock.unlock();
    job->work(nullptr).take();
    lock.lock();
    std::erase_if(running_, [&](const Item& i) { return i.job == job; });
  }
}

void ReadPool::run(Ring& own) {
  ReadRing& ring = *own.ring;
  std::vector<Reading> reading;
  for (;;) {
    std::shared_ptr<ReadJob> job;
    Ring* helper = nullptr;
    {
      const std::scoped_lock lock(mutex_);
      if (!queue_.empty() && !ring.is_full()) {
        job = take_next();
      } else if (closed_ && reading.empty()) {
        break;
      } else {
        own.state = ring.is_full() ? RingState::kFull : RingState::kAsleep;
        // submit() may have counted on this ring, which is full now.
        helper = ring_to_wake();
      }
    }
    if (helper) helper->ring->wake();
    if (job) {
      Async<void> work = job->work(&ring);
      reading.push_back({.job = std::move(job), .work = std::move(work)});
    } else {
      ring.wait();
      {
        // While those that were waiting go on, another ring shall be woken rather than this one.
        const std::scoped_lock lock(mutex_);
        own.state = RingState::kTaking;
      }
      ring.resume();
    }
    forget_done(reading);
  }
  ring.close();
}

void ReadPool::forget_done(std::vector<Reading>& reading) {
  std::erase_if(reading, [this](const Reading& r) {
    if (!r.work.is_done()) return false;
    const std::scoped_lock lock(mutex_);
    std::erase_if(running_, [&](const Item& i) { return i.job == r.job; });
    return true;
  });
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
  for (const Ring& ring : rings_) ring.ring->wake();
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
