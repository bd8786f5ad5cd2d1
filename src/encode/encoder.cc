#include "encode/encoder.h"

#include <utility>

namespace seawall::encode {

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
    : Encoder(workers),
      clock_(clock),
      threads_({.threads = options.threads, .max_tasks = options.max_jobs, .max_bytes = options.max_body_bytes}) {}

bool Pool::submit(Job job) {
  const std::uint64_t bytes = job.body_bytes;
  return threads_.submit(bytes, [this, job = std::move(job)]() mutable { work(std::move(job)); });
}

Stats Pool::stats() const {
  Stats stats = Encoder::stats();
  stats.waiting = threads_.waiting();
  return stats;
}

void Pool::work(Job job) {
  const MonoTime begun = clock_.mono_now();
  auto encoded =
      encode(job.body, job.coding, job.level, most_output_bytes(job.body_bytes), job.budget, threads_.is_stopped());
  counters().count_time(job.coding, clock_.mono_now() - begun);
  job.executor->post(
      [done = std::move(job.done), encoded = std::move(encoded)]() mutable { done(std::move(encoded)); });
}

}  // namespace seawall::encode
