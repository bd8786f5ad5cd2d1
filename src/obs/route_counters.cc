#include "obs/route_counters.h"

#include <algorithm>

#include "base/check.h"

namespace seawall::obs {
namespace {

constexpr std::size_t kClasses = 6;
constexpr std::size_t kBuckets = kLatencyBounds.size() + 1;

constexpr std::array<std::int64_t, kLatencyBounds.size()> kBoundsUs = [] {
  std::array<std::int64_t, kLatencyBounds.size()> out{};
  // A microsecond above a bound is past it, a rounding error is not.
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::int64_t>(kLatencyBounds[i] * 1e6 + 0.1);
  return out;
}();

using Counter = std::atomic<std::uint64_t>;

// One thread writes each: no read-modify-write is needed.
void add(Counter& counter, std::uint64_t n) {
  counter.store(counter.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
}

std::uint64_t read(const Counter& counter) {
  return counter.load(std::memory_order_relaxed);
}

// A status past 599 is nobody's class; it counts as the last.
std::size_t class_of(std::uint16_t status) {
  return std::min<std::size_t>(status / 100, kClasses - 1);
}

}  // namespace

// As wide as two cache lines: processors fetch them in pairs.
struct alignas(128) RouteCounters::Cell {
  std::array<std::array<Counter, kCacheResults>, kClasses> requests{};
  std::array<Counter, kBuckets> latency{};
  Counter latency_us{0};
  Counter body_bytes{0};
};

std::string_view to_string(CacheResult result) {
  switch (result) {
    case CacheResult::kHit: return "hit";
    case CacheResult::kStale: return "stale";
    case CacheResult::kMiss: return "miss";
    case CacheResult::kRevalidated: return "revalidated";
    case CacheResult::kCollapsed: return "collapsed";
    case CacheResult::kPass: return "pass";
    case CacheResult::kAsync: return "async";
    case CacheResult::kError: return "error";
    case CacheResult::kNone: return "none";
  }
  return "";
}

RouteCounters::RouteCounters(std::uint32_t workers) : workers_(workers), cells_(std::make_unique<Cell[]>(workers)) {}

RouteCounters::~RouteCounters() = default;

void RouteCounters::count(std::uint32_t worker, CacheResult result, std::uint16_t status, std::int64_t first_byte_us,
                          std::uint64_t body_bytes) {
  SW_CHECK(worker < workers_, "a worker's cell");
  Cell& cell = cells_[worker];
  const std::size_t status_class = class_of(status);
  add(cell.requests[status_class][static_cast<std::size_t>(result)], 1);
  add(cell.body_bytes, body_bytes);
  // What got no answer has no time until it began.
  if (status_class == 0) return;
  const std::int64_t us = std::max<std::int64_t>(first_byte_us, 0);
  const auto bucket = std::ranges::lower_bound(kBoundsUs, us) - kBoundsUs.begin();
  add(cell.latency[static_cast<std::size_t>(bucket)], 1);
  add(cell.latency_us, static_cast<std::uint64_t>(us));
}

RouteSums RouteCounters::sum() const {
  RouteSums sums;
  for (std::uint32_t worker = 0; worker < workers_; ++worker) {
    const Cell& cell = cells_[worker];
    for (std::size_t c = 0; c < kClasses; ++c) {
      for (std::size_t r = 0; r < kCacheResults; ++r) sums.requests[c][r] += read(cell.requests[c][r]);
    }
    for (std::size_t b = 0; b < kBuckets; ++b) sums.latency[b] += read(cell.latency[b]);
    sums.latency_us += read(cell.latency_us);
    sums.body_bytes += read(cell.body_bytes);
  }
  return sums;
}

}  // namespace seawall::obs
