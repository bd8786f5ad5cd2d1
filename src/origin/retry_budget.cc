#include "origin/retry_budget.h"

#include <algorithm>

namespace seawall::origin {
namespace {

std::int64_t second_of(MonoTime now) {
  return now.us / 1'000'000;
}

}  // namespace

void RetryBudget::on_request(MonoTime now) {
  ++bucket(now).requests;
}

bool RetryBudget::try_retry(MonoTime now) {
  const std::uint64_t share = std::uint64_t{requests(now)} * options_.budget_percent / 100;
  if (retries(now) >= std::max<std::uint64_t>(share, options_.budget_min)) return false;
  ++bucket(now).retries;
  return true;
}

std::uint32_t RetryBudget::requests(MonoTime now) const {
  return sum(&Bucket::requests, now);
}

std::uint32_t RetryBudget::retries(MonoTime now) const {
  return sum(&Bucket::retries, now);
}

RetryBudget::Bucket& RetryBudget::bucket(MonoTime now) {
  const std::int64_t second = second_of(now);
  Bucket& bucket = buckets_[static_cast<std::size_t>(second % kBuckets)];
  // Workers' clocks differ by a loop turn: what is late counts in the bucket that has taken its place.
  if (bucket.second < second) bucket = {.second = second};
  return bucket;
}

std::uint32_t RetryBudget::sum(std::uint32_t Bucket::* counter, MonoTime now) const {
  std::uint32_t total = 0;
  for (const Bucket& bucket : buckets_) {
    if (bucket.second > second_of(now) - kBuckets) total += bucket.*counter;
  }
  return total;
}

}  // namespace seawall::origin
