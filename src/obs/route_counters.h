// What is counted of a route's requests, in a cell for each worker, so that counting is a store into a line of one's
// own. It lives as long as the route's name, over reloads. Thread: count() the worker's of that cell; sum() any.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace seawall::obs {

// How a request was answered; the label `cache`.
enum class CacheResult : std::uint8_t { kHit, kStale, kMiss, kRevalidated, kCollapsed, kPass, kAsync, kError, kNone };
inline constexpr std::size_t kCacheResults = 9;
std::string_view to_string(CacheResult result);  // "hit", "stale", ...

// Seconds until the answer began; the last bucket is what is past all.
inline constexpr std::array<double, 12> kLatencyBounds = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                                          0.05,   0.1,   0.25,   1.0,   5.0,  30.0};

struct RouteSums {
  // By status class: [0] no answer (the client had gone), [1]..[5].
  std::array<std::array<std::uint64_t, kCacheResults>, 6> requests{};
  // Of what was answered.
  std::array<std::uint64_t, kLatencyBounds.size() + 1> latency{};
  std::uint64_t latency_us = 0;
  std::uint64_t body_bytes = 0;
};

class RouteCounters {
 public:
  explicit RouteCounters(std::uint32_t workers);
  ~RouteCounters();

  void count(std::uint32_t worker, CacheResult result, std::uint16_t status, std::int64_t first_byte_us,
             std::uint64_t body_bytes);
  RouteSums sum() const;

 private:
  struct Cell;
  std::uint32_t workers_;
  std::unique_ptr<Cell[]> cells_;
};

}  // namespace seawall::obs
