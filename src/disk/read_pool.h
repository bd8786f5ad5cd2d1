// The threads that read one volume: a bounded queue, and a deadline that holds even when the disk does not answer.
// A thread does one read after another, or has a ring and many on their way in it.
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

#include "base/async.h"
#include "base/clock.h"
#include "disk/read_ring.h"
#include "disk/tier.h"

namespace seawall::disk {

// One thing to read. Whoever is first answers: the thread that did it, or the deadline.
class ReadJob {
 public:
  virtual ~ReadJob() = default;
  // On a reader thread; without a ring it is done when it is called.
  virtual Async<void> work(ReadRing* ring) = 0;
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

  // Each for one call of run(). Before any of them.
  void use(std::vector<std::unique_ptr<ReadRing>> rings);
  bool has_rings() const { return !rings_.empty(); }
  // How many calls of run() there are to be: one for each ring, if there are any.
  std::size_t threads(std::size_t without_rings) const { return has_rings() ? rings_.size() : without_rings; }

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
  enum class RingState : std::uint8_t {
    kTaking,  // is awake
    kAsleep,  // takes more, when it is woken
    kFull,    // waits for what it has
  };
  struct Ring {
    std::unique_ptr<ReadRing> ring;
    bool has_thread = false;
    RingState state = RingState::kTaking;
  };
  struct Reading {
    std::shared_ptr<ReadJob> job;
    Async<void> work;
  };

  void run(Ring& ring);
  std::shared_ptr<ReadJob> take_next();
  Ring* ring_to_wake();
  void forget_done(std::vector<Reading>& reading);

  const Clock& clock_;
  const std::size_t max_waiting_;
  const Millis deadline_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Item> queue_;
  std::vector<Item> running_;
  std::vector<Ring> rings_;  // as many as use() was given
  bool closed_ = false;
};

}  // namespace seawall::disk
