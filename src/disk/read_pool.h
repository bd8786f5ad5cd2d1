// The threads that read one volume: a bounded queue, and a deadline that holds even when the disk does not answer.
// Thread: any for submit(); run() is a reader thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/clock.h"
#include "disk/tier.h"

namespace seawall::disk {

// One thing to read. Whoever is first answers: the thread that did it, or the deadline. Another backend than threads
// would take these as they are.
class ReadJob {
 public:
  virtual ~ReadJob() = default;
  // On a reader thread.
  virtual void work() = 0;
  // Without having worked.
  virtual void fail(ReadStatus status) = 0;

 protected:
  // True for the first who asks; he alone may complete.
  bool take_answer() { return !answered_.exchange(true); }

 private:
  std::atomic<bool> answered_{false};
};

class ReadPool {
 public:
  ReadPool(const Clock& clock, std::size_t max_waiting, Millis deadline)
      : clock_(clock), max_waiting_(max_waiting), deadline_(deadline) {}

  // Answers kBusy or kClosed itself.
  void submit(std::shared_ptr<ReadJob> job);
  // Until close().
  void run();
  // Those past their deadline get kTimeout. Returns how long the oldest has been worked at.
  std::chrono::microseconds expire();
  // What waits is kClosed, and so is what comes; run() returns after what is being worked at.
  void close();
  // Answers for what waits and for what is being worked at.
  void fail_all(ReadStatus status);
  std::size_t waiting() const;

 private:
  struct Item {
    std::shared_ptr<ReadJob> job;
    MonoTime since;
    MonoTime started;
  };
  const Clock& clock_;
  const std::size_t max_waiting_;
  const Millis deadline_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Item> queue_;
  std::vector<Item> running_;
  bool closed_ = false;
};

}  // namespace seawall::disk
