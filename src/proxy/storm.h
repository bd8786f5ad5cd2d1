// Whether a route has to be spared: from collapse to async when its origin's breaker opens, its fill queue is full, or
// it misses too often; back after `calm` without any of these. Once it has begun, the miss rate counts as calm only
// below 80 % of its limit. Off: it ends what was on. Thread: any; is_active() is one relaxed load, the rest a short
// lock.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/clock.h"
#include "base/mutex.h"
#include "proxy/options.h"

namespace seawall::proxy {

class StormGuard {
 public:
  enum class Cause : std::uint8_t { kNone, kBreaker, kFillQueue, kMissRate };

  explicit StormGuard(const StormOptions& options);
  // Takes effect, and is reported, with the next miss or tick.
  void set_options(const StormOptions& options);

  bool is_active() const { return is_active_.load(std::memory_order_relaxed); }
  // Why it began; kNone unless it is active.
  Cause cause() const;
  // When it began; of the last one when it is over.
  MonoTime since() const;

  struct Signals {
    bool breaker_open = false;
    bool fill_queue_full = false;
  };
  enum class Change : std::uint8_t { kNone, kBegan, kEnded };
  // A request that the store could not answer. Returns the change it made.
  Change on_miss(const Signals& signals, MonoTime now);
  // About once a second.
  Change tick(const Signals& signals, MonoTime now);

  // Over the last five seconds, for people.
  double misses_per_second(MonoTime now) const;
  std::uint64_t begun_total() const;

 private:
  // The second that is held against the limit is up to one bucket longer: it may trip 5 % early, never late.
  static constexpr std::int64_t kBucketUs = 50'000;
  static constexpr std::int64_t kBucketsPerSecond = 1'000'000 / kBucketUs;
  static constexpr std::int64_t kBuckets = 5 * kBucketsPerSecond;

  static std::size_t slot_of(std::int64_t bucket) { return static_cast<std::size_t>(bucket % kBuckets); }
  void count_miss(MonoTime now) SW_REQUIRES(mutex_);
  std::uint64_t misses_since(std::int64_t bucket) const SW_REQUIRES(mutex_);
  Cause trouble(const Signals& signals, MonoTime now) const SW_REQUIRES(mutex_);
  Change update(const Signals& signals, MonoTime now) SW_REQUIRES(mutex_);

  mutable Mutex mutex_;
  StormOptions options_ SW_GUARDED_BY(mutex_);
  std::array<std::uint32_t, kBuckets> misses_ SW_GUARDED_BY(mutex_){};
  std::int64_t newest_bucket_ SW_GUARDED_BY(mutex_) = 0;
  Cause cause_ SW_GUARDED_BY(mutex_) = Cause::kNone;
  MonoTime since_ SW_GUARDED_BY(mutex_);
  MonoTime last_trouble_ SW_GUARDED_BY(mutex_);
  std::uint64_t begun_ SW_GUARDED_BY(mutex_) = 0;
  std::atomic<bool> is_active_{false};  // written under the lock
};

// "none", "breaker-open", "fill-queue-full", "miss-rate".
std::string_view to_string(StormGuard::Cause cause);

}  // namespace seawall::proxy
