// Retries as a share of requests, over the last ten seconds, so that a failing origin is not asked twice by everybody.
// Pure. Thread: one owner, or a lock.
#pragma once

#include <array>
#include <cstdint>
#include <limits>

#include "base/clock.h"
#include "origin/origin_options.h"

namespace seawall::origin {

class RetryBudget {
 public:
  explicit RetryBudget(const RetryOptions& options) : options_(options) {}
  void set_options(const RetryOptions& options) { options_ = options; }

  void on_request(MonoTime now);
  // Takes one if there is one left.
  bool try_retry(MonoTime now);
  // For people: retries and requests of the last ten seconds.
  std::uint32_t requests(MonoTime now) const;
  std::uint32_t retries(MonoTime now) const;

 private:
  static constexpr std::int64_t kBuckets = 10;  // of a second each
  struct Bucket {
    std::int64_t second = std::numeric_limits<std::int64_t>::min();
    std::uint32_t requests = 0;
    std::uint32_t retries = 0;
  };

  Bucket& bucket(MonoTime now);
  std::uint32_t sum(std::uint32_t Bucket::* counter, MonoTime now) const;

  RetryOptions options_;
  std::array<Bucket, kBuckets> buckets_;
};

}  // namespace seawall::origin
