// A worker's event loop: libevent for readiness, one timer for the wheel, a mailbox with an eventfd, deferred deletion.
// One turn: wait for readiness, its callbacks, due timers, posted tasks, deferred deletions.
// Time is sampled at most once per turn, when first asked for. Thread: its own, but for post() and stop().
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "base/executor.h"
#include "base/fd.h"
#include "base/mutex.h"

struct event;
struct event_base;

namespace seawall::net {

class Loop final : public Executor {
 public:
  Loop(std::uint32_t worker_id, const Clock& clock);
  // Every FdWatcher and Timer of this loop must be gone, or be owned by a task or a deferred deletion.
  ~Loop() override;
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Until stop(). Tasks posted before stop() are run or destroyed, never leaked.
  void run();
  void stop();  // any thread
  // One turn, for those who pump a loop by hand. kPoll does not wait.
  enum class Wait { kBlock, kPoll };
  void turn(Wait wait);

  std::uint32_t worker_id() const override { return worker_id_; }
  void post(Task task) override;  // any thread; wakes the loop only when its mailbox was empty
  MonoTime mono_now() const override {
    if (time_is_stale_) sample_time();
    return mono_now_;
  }
  WallTime wall_now() const override {
    if (time_is_stale_) sample_time();
    return wall_now_;
  }
  TimerWheel& timers() override { return timers_; }

  // Destroys it after the current callback stack has unwound: nothing is freed inside its own event.
  template <typename T>
  void defer_delete(std::unique_ptr<T> object) {
    graveyard_.push_back(Corpse(object.release(), [](void* p) { delete static_cast<T*>(p); }));
  }

  // Where sockets are read into. Its contents last until the callback that filled it returns.
  std::span<char> read_buffer() { return {read_buffer_.get(), kReadBufferBytes}; }

  event_base* base() const { return base_; }

 private:
  static constexpr std::size_t kReadBufferBytes = std::size_t{64} * 1024;
  using Corpse = std::unique_ptr<void, void (*)(void*)>;
  struct Events;

  void sample_time() const;
  void rearm_wheel();
  void take_mailbox();
  void run_tasks();
  void sweep();
  void wake();
  bool is_own_thread() const { return owner_.load(std::memory_order_relaxed) == std::this_thread::get_id(); }

  std::uint32_t worker_id_;
  const Clock& clock_;
  event_base* base_;
  std::unique_ptr<Events> events_;
  std::unique_ptr<char[]> read_buffer_;
  std::atomic<std::thread::id> owner_{};  // who is inside run() or turn()
  std::atomic<bool> stop_requested_{false};

  bool in_turn_ = false;
  mutable bool time_is_stale_ = true;
  mutable MonoTime mono_now_;
  mutable WallTime wall_now_;
  TimerWheel timers_;
  std::optional<MonoTime> wheel_wake_;  // what the wheel's event is armed for
  std::uint64_t seen_filings_ = 0;

  std::vector<Task> tasks_;    // posted by this thread, or taken from the mailbox
  std::vector<Task> running_;  // kept for its capacity
  std::vector<Corpse> graveyard_;
  std::vector<Corpse> sweeping_;
  Mutex mailbox_mutex_;
  std::vector<Task> mailbox_ SW_GUARDED_BY(mailbox_mutex_);
  Fd wake_fd_;
};

// Level-triggered readiness of one descriptor. Deregisters in its destructor.
class FdHandler {
 public:
  virtual ~FdHandler() = default;
  // May destroy the watcher and the handler. Both kinds of readiness in one turn may come as two calls.
  virtual void on_fd_ready(bool readable, bool writable) = 0;
};

class FdWatcher {
 public:
  // Watches nothing until asked. Does not own the descriptor: destroy the watcher before closing it.
  FdWatcher(Loop& loop, int fd, FdHandler& handler);
  ~FdWatcher();
  FdWatcher(const FdWatcher&) = delete;
  FdWatcher& operator=(const FdWatcher&) = delete;

  // No system call when nothing changes.
  void watch(bool read, bool write);
  bool watches_read() const;
  bool watches_write() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace seawall::net
