#include "proxy/storm.h"

#include <algorithm>

namespace seawall::proxy {
namespace {

// Of the limit, below which the miss rate of an active storm is calm.
constexpr std::uint64_t kCalmPercent = 80;

}  // namespace

StormGuard::StormGuard(const StormOptions& options) : options_(options) {}

void StormGuard::set_options(const StormOptions& options) {
  MutexLock lock(mutex_);
  options_ = options;
}

StormGuard::Cause StormGuard::cause() const {
  MutexLock lock(mutex_);
  return cause_;
}

MonoTime StormGuard::since() const {
  MutexLock lock(mutex_);
  return since_;
}

StormGuard::Change StormGuard::on_miss(const Signals& signals, MonoTime now) {
  MutexLock lock(mutex_);
  count_miss(now);
  return update(signals, now);
}

StormGuard::Change StormGuard::tick(const Signals& signals, MonoTime now) {
  MutexLock lock(mutex_);
  return update(signals, now);
}

double StormGuard::misses_per_second(MonoTime now) const {
  const std::int64_t oldest = now.us / kBucketUs - kBuckets + 1;
  MutexLock lock(mutex_);
  return static_cast<double>(misses_since(oldest) * kBucketsPerSecond) / kBuckets;
}

std::uint64_t StormGuard::begun_total() const {
  MutexLock lock(mutex_);
  return begun_;
}

void StormGuard::count_miss(MonoTime now) {
  // Workers read the clock at different times: one's now may lie before another's.
  const std::int64_t bucket = std::max(now.us / kBucketUs, newest_bucket_);
  for (std::int64_t skipped = std::max(newest_bucket_, bucket - kBuckets) + 1; skipped <= bucket; ++skipped) {
    misses_[slot_of(skipped)] = 0;
  }
  newest_bucket_ = bucket;
  ++misses_[slot_of(bucket)];
}

std::uint64_t StormGuard::misses_since(std::int64_t bucket) const {
  std::uint64_t sum = 0;
  for (std::int64_t b = std::max({bucket, newest_bucket_ - kBuckets + 1, std::int64_t{0}}); b <= newest_bucket_; ++b) {
    sum += misses_[slot_of(b)];
  }
  return sum;
}

StormGuard::Cause StormGuard::trouble(const Signals& signals, MonoTime now) const {
  if (!options_.is_on) return Cause::kNone;
  if (signals.breaker_open) return Cause::kBreaker;
  if (signals.fill_queue_full) return Cause::kFillQueue;
  if (options_.misses_per_second == 0) return Cause::kNone;
  const std::uint64_t percent = cause_ == Cause::kNone ? 100 : kCalmPercent;
  const std::uint64_t misses = misses_since(now.us / kBucketUs - kBucketsPerSecond);
  return misses * 100 >= options_.misses_per_second * percent ? Cause::kMissRate : Cause::kNone;
}

StormGuard::Change StormGuard::update(const Signals& signals, MonoTime now) {
  const Cause found = trouble(signals, now);
  const bool was_active = cause_ != Cause::kNone;
  if (found != Cause::kNone) {
    last_trouble_ = std::max(last_trouble_, now);
    if (was_active) return Change::kNone;
    cause_ = found;
    since_ = now;
    ++begun_;
    is_active_.store(true, std::memory_order_relaxed);
    return Change::kBegan;
  }
  if (!was_active || (options_.is_on && now - last_trouble_ < options_.calm)) return Change::kNone;
  cause_ = Cause::kNone;
  is_active_.store(false, std::memory_order_relaxed);
  return Change::kEnded;
}

std::string_view to_string(StormGuard::Cause cause) {
  switch (cause) {
    case StormGuard::Cause::kNone: return "none";
    case StormGuard::Cause::kBreaker: return "breaker-open";
    case StormGuard::Cause::kFillQueue: return "fill-queue-full";
    case StormGuard::Cause::kMissRate: return "miss-rate";
  }
  return "none";
}

}  // namespace seawall::proxy
