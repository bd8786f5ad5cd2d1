#include "encode/encoder.h"

#include <sys/resource.h>
#include <unistd.h>

#include <utility>

namespace seawall::encode {
namespace {

// Not SCHED_IDLE: a thread may hold a lock of the allocator, and must get to the end of that.
constexpr int kNiceness = 19;

}  // namespace

Stats Counters::sums() const {
  Stats stats;
  for (std::size_t i = 0; i < stats.codings.size(); ++i) {
    Stats::OfCoding& sums = stats.codings[i];
    sums.made = made_[i].load(std::memory_order_relaxed);
    sums.bytes_in = bytes_in_[i].load(std::memory_order_relaxed);
    sums.bytes_out = bytes_out_[i].load(std::memory_order_relaxed);
    sums.time_us = time_us_[i].load(std::memory_order_relaxed);
    for (const Answers& worker : answers_) sums.answers += worker.by_coding[i].load(std::memory_order_relaxed);
  }
  stats.no_gain = no_gain_.load(std::memory_order_relaxed);
  stats.queue_full = queue_full_.load(std::memory_order_relaxed);
  stats.no_room = no_room_.load(std::memory_order_relaxed);
  stats.outdated = outdated_.load(std::memory_order_relaxed);
  return stats;
}

Pool::Pool(const Clock& clock, const PoolOptions& options, std::uint32_t workers)
    : Encoder(workers), clock_(clock), options_(options) {
  for (unsigned i = 0; i < options_.threads; ++i) threads_.emplace_back([this] { run(); });
}

bool Pool::submit(Job job) {
  const std::scoped_lock lock(mutex_);
  const bool has_room = queue_.empty() || (queue_.size() < options_.max_jobs &&
                                           waiting_bytes_ + job.body_bytes <= options_.max_body_bytes);
  if (is_stopped_ || !has_room) {
    is_full_ = true;
    return false;
  }
  waiting_bytes_ += job.body_bytes;
  queue_.push_back(std::move(job));
  wake_.notify_one();
  return true;
}

Stats Pool::stats() const {
  Stats stats = Encoder::stats();
  const std::scoped_lock lock(mutex_);
  stats.waiting = queue_.size();
  return stats;
}

void Pool::stop() {
  std::deque<Job> given_up;
  {
    const std::scoped_lock lock(mutex_);
    is_stopped_ = true;
    given_up.swap(queue_);
    wake_.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void Pool::run() {
  // Of this thread alone. Without, it is only less polite.
  static_cast<void>(::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNiceness));
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return is_stopped_ || !queue_.empty(); });
    if (is_stopped_) return;
    Job job = std::move(queue_.front());
    queue_.pop_front();
    waiting_bytes_ -= job.body_bytes;
    is_full_ = false;
    lock.unlock();
    work(std::move(job));
    lock.lock();
  }
}

void Pool::work(Job job) {
  const MonoTime begun = clock_.mono_now();
  auto encoded = encode(job.body, job.coding, job.level, most_output_bytes(job.body_bytes), job.budget, is_stopped_);
  counters().count_time(job.coding, clock_.mono_now() - begun);
  job.executor->post(
      [done = std::move(job.done), encoded = std::move(encoded)]() mutable { done(std::move(encoded)); });
}

}  // namespace seawall::encode
