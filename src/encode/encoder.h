// Who makes encoded forms: threads of low priority behind a bounded queue, never a worker.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <vector>

#include "base/background.h"
#include "base/clock.h"
#include "base/executor.h"
#include "encode/coder.h"
#include "http/coding.h"
#include "mem/budget.h"
#include "mem/slice.h"

namespace seawall::encode {

struct Job {
  SliceChain body;
  std::uint64_t body_bytes = 0;
  http::Coding coding = http::Coding::kGzip;
  int level = 0;
  MemoryBudget* budget = nullptr;  // of what comes out
  Executor* executor = nullptr;    // whose `done` is
  std::move_only_function<void(std::expected<SliceChain, Failure>)> done;
};

// What gains less is not worth a form of its own: at most that much may come out.
constexpr std::uint64_t most_output_bytes(std::uint64_t body_bytes) {
  return body_bytes - body_bytes / 10;
}

struct Stats {
  struct OfCoding {
    std::uint64_t made = 0;
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
    std::uint64_t time_us = 0;
    std::uint64_t answers = 0;
  };
  std::array<OfCoding, http::kCodings.size()> codings{};
  std::uint64_t no_gain = 0;
  std::uint64_t queue_full = 0;
  std::uint64_t no_room = 0;
  std::uint64_t outdated = 0;
  std::uint64_t waiting = 0;
};

// Counted by those who use an encoder. Thread: any; answers are each worker's own.
class Counters {
 public:
  explicit Counters(std::uint32_t workers) : answers_(workers) {}

  void count_answer(std::uint32_t worker, http::Coding coding) { add(answers_[worker].by_coding, coding, 1); }
  void count_made(http::Coding coding, std::uint64_t bytes_in, std::uint64_t bytes_out) {
    add(made_, coding, 1);
    add(bytes_in_, coding, bytes_in);
    add(bytes_out_, coding, bytes_out);
  }
  void count_time(http::Coding coding, std::chrono::microseconds time) {
    add(time_us_, coding, static_cast<std::uint64_t>(time.count()));
  }
  void count_no_gain() { no_gain_.fetch_add(1, std::memory_order_relaxed); }
  void count_queue_full() { queue_full_.fetch_add(1, std::memory_order_relaxed); }
  void count_no_room() { no_room_.fetch_add(1, std::memory_order_relaxed); }
  void count_outdated() { outdated_.fetch_add(1, std::memory_order_relaxed); }
  Stats sums() const;

 private:
  using ByCoding = std::array<std::atomic<std::uint64_t>, http::kCodings.size()>;
  struct alignas(64) Answers {
    ByCoding by_coding{};
  };
  static void add(ByCoding& cells, http::Coding coding, std::uint64_t n) {
    cells[static_cast<std::size_t>(coding)].fetch_add(n, std::memory_order_relaxed);
  }

  std::vector<Answers> answers_;
  ByCoding made_{};
  ByCoding bytes_in_{};
  ByCoding bytes_out_{};
  ByCoding time_us_{};
  std::atomic<std::uint64_t> no_gain_{0};
  std::atomic<std::uint64_t> queue_full_{0};
  std::atomic<std::uint64_t> no_room_{0};
  std::atomic<std::uint64_t> outdated_{0};
};

class Encoder {
 public:
  explicit Encoder(std::uint32_t workers) : counters_(workers) {}
  virtual ~Encoder() = default;
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;

  // `done` runs in a turn of its own on the job's executor. False when the queue is full: then it never does.
  virtual bool submit(Job job) = 0;
  // Whether submit() has refused, and nothing has left the queue since. No lock.
  virtual bool is_full() const { return false; }
  virtual Stats stats() const { return counters_.sums(); }
  Counters& counters() { return counters_; }

 private:
  Counters counters_;
};

struct PoolOptions {
  unsigned threads = 1;
  std::size_t max_jobs = 256;                                  // that wait
  std::uint64_t max_body_bytes = std::uint64_t{64} * 1048576;  // of these
};

class Pool final : public Encoder {
 public:
  Pool(const Clock& clock, const PoolOptions& options, std::uint32_t workers);

  bool submit(Job job) override;
  bool is_full() const override { return threads_.is_full(); }
  Stats stats() const override;
  // What waits and what is being worked at is given up. Before the executors go.
  void stop() { threads_.stop(); }

 private:
  void work(Job job);

  const Clock& clock_;
  BackgroundPool threads_;
};

}  // namespace seawall::encode
