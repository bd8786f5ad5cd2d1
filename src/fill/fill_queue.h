// The fills of one origin that no client waits for, begun in the order and at the pace of its schedule. What is queued
// is in the FillTable already, so that requests for the same key find it there. It lives as long as the origin's name,
// over reloads. Thread: any, but start() and stop().
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>

#include "base/clock.h"
#include "base/executor.h"
#include "base/mutex.h"
#include "base/ref.h"
#include "base/timer_wheel.h"
#include "fill/fill.h"
#include "fill/fill_schedule.h"

namespace seawall::fill {

class FillQueue {
 public:
  // How long the origin takes no background work, as it stands; nullopt: it does.
  using Blocked = std::function<std::optional<Millis>(MonoTime now)>;

  // Whether it is to be tried with one fill after the other: few would be let in, and the others lost.
  using Careful = std::function<bool()>;

  FillQueue(const FillScheduleOptions& options, Blocked blocked, Careful careful);
  ~FillQueue();
  FillQueue(const FillQueue&) = delete;
  FillQueue& operator=(const FillQueue&) = delete;

  void set_options(const FillScheduleOptions& options);

  // The home worker begins what is due, from start() until stop(); both on its thread. `is_cold`: the cache is empty,
  // so that the pace grows by and by. What waits at stop() is given up, and what comes after it is refused.
  void start(Executor& home, bool is_cold);
  void stop();

  // Takes a fill that the FillTable has registered and nobody has started. False when the queue is full: the fill has
  // been given up with kQueueFull. Thread: the fill's worker.
  bool push(const Ref<Fill>& fill, Upstream& upstream, RunningFills& running, const FillSchedule::Order& order);
  // One more request wants it.
  void bump(const Fill& fill);
  // A client waits for it now: it begins at once, as a client's request. No effect unless it waits here.
  void begin_now(const Fill& fill);

  bool is_full() const { return is_full_.load(std::memory_order_relaxed); }

  struct Stats {
    std::array<std::uint32_t, kFillClasses> waiting{};
    std::uint32_t running = 0;
    std::uint32_t allowed = 0;     // at once, as of now
    std::uint32_t limit = 0;       // of the queue
    std::array<Millis, 3> wait{};  // percentiles 50, 90, 99
    std::uint64_t begun = 0;
    std::uint64_t ended = 0;
    std::uint64_t failed = 0;
    std::uint64_t refused = 0;  // queue full
    std::uint64_t expired = 0;  // waited past the deadline
  };
  Stats stats(MonoTime now) const;

 private:
  struct Entry {
    Ref<Fill> fill;
    std::size_t bytes = 0;  // of its requests
    Upstream* upstream = nullptr;
    RunningFills* running = nullptr;
  };

  void pump();
  void post_pump();
  void begin(FillSchedule::Ticket ticket, Entry entry, http::Traffic traffic);
  void on_ended(FillSchedule::Ticket ticket, std::uint64_t bytes, bool has_failed, MonoTime now);
  Entry remove(FillSchedule::Ticket ticket) SW_REQUIRES(mutex_);
  std::optional<std::pair<FillSchedule::Ticket, Entry>> take(const Fill& fill) SW_REQUIRES(mutex_);

  struct Life;  // outlives the queue in the hands of fills that are still running
  const Blocked blocked_;
  const Careful careful_;
  std::atomic<bool> is_full_{false};
  std::atomic<bool> pump_pending_{false};
  std::shared_ptr<Life> life_;
  std::optional<Timer> timer_;  // home's

  mutable Mutex mutex_;
  Executor* home_ SW_GUARDED_BY(mutex_) = nullptr;
  bool is_stopped_ SW_GUARDED_BY(mutex_) = false;  // and not merely not started yet
  FillSchedule schedule_ SW_GUARDED_BY(mutex_);
  std::unordered_map<FillSchedule::Ticket, Entry> waiting_ SW_GUARDED_BY(mutex_);
  std::unordered_map<const Fill*, FillSchedule::Ticket> tickets_ SW_GUARDED_BY(mutex_);
  std::size_t waiting_bytes_ SW_GUARDED_BY(mutex_) = 0;
  Stats stats_ SW_GUARDED_BY(mutex_);
};

}  // namespace seawall::fill
