// Work that nobody waits for: threads of low priority behind a bounded queue, never a worker.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <mutex>
#include <thread>
#include <vector>

#include "base/executor.h"

namespace seawall {

class Background {
 public:
  virtual ~Background() = default;

  // `bytes` is what the task holds on to. False when the queue is full, or it is stopped: then it never runs.
  virtual bool submit(std::uint64_t bytes, Task task) = 0;
  // Whether submit() has refused, and nothing has left the queue since. No lock.
  virtual bool is_full() const = 0;
  // Tasks in the queue.
  virtual std::size_t waiting() const = 0;
  // Set at the end: a task may look at it to give up early.
  virtual const std::atomic<bool>& is_stopped() const = 0;
};

struct BackgroundOptions {
  unsigned threads = 1;
  std::size_t max_tasks = 256;                                          // that wait
  std::uint64_t max_bytes = std::numeric_limits<std::uint64_t>::max();  // of these
};

class BackgroundPool final : public Background {
 public:
  explicit BackgroundPool(const BackgroundOptions& options);
  ~BackgroundPool() override { stop(); }
  BackgroundPool(const BackgroundPool&) = delete;
  BackgroundPool& operator=(const BackgroundPool&) = delete;

  bool submit(std::uint64_t bytes, Task task) override;
  bool is_full() const override { return is_full_.load(std::memory_order_relaxed); }
  std::size_t waiting() const override;
  const std::atomic<bool>& is_stopped() const override { return is_stopped_; }
  // What waits is given up, what is being worked at is waited for.
  void stop();

 private:
  struct Waiting {
    std::uint64_t bytes;
    Task task;
  };

  void run();

  const BackgroundOptions options_;
  std::atomic<bool> is_stopped_{false};
  std::atomic<bool> is_full_{false};
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Waiting> queue_;
  std::uint64_t waiting_bytes_ = 0;
  std::vector<std::thread> threads_;
};

}  // namespace seawall
