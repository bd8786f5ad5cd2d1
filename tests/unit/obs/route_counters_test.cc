#include "obs/route_counters.h"

#include <boost/test/unit_test.hpp>
#include <limits>
#include <numeric>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace seawall::obs {
namespace {

std::uint64_t all_requests(const RouteSums& sums) {
  std::uint64_t total = 0;
  for (const auto& by_result : sums.requests) total = std::accumulate(by_result.begin(), by_result.end(), total);
  return total;
}

std::uint64_t all_latencies(const RouteSums& sums) {
  return std::accumulate(sums.latency.begin(), sums.latency.end(), std::uint64_t{0});
}

BOOST_AUTO_TEST_SUITE(obs_route_counters)

BOOST_AUTO_TEST_CASE(it_begins_at_nothing) {
  const RouteSums sums = RouteCounters(3).sum();
  BOOST_TEST(all_requests(sums) == 0U);
  BOOST_TEST(all_latencies(sums) == 0U);
  BOOST_TEST(sums.latency_us == 0U);
  BOOST_TEST(sums.body_bytes == 0U);
}

BOOST_AUTO_TEST_CASE(every_result_has_a_name_of_its_own) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kCacheResults; ++i) names.insert(to_string(static_cast<CacheResult>(i)));
  BOOST_TEST(names.size() == kCacheResults);
  BOOST_TEST(names.count("") == 0U);
  BOOST_TEST(to_string(CacheResult::kHit) == "hit");
  BOOST_TEST(to_string(CacheResult::kAsync) == "async");
  BOOST_TEST(to_string(CacheResult::kNone) == "none");
}

BOOST_AUTO_TEST_CASE(requests_by_class_and_result) {
  struct Row {
    std::uint16_t status;
    std::size_t want;
  };
  const Row rows[] = {{0, 0}, {100, 1}, {199, 1}, {200, 2}, {304, 3}, {404, 4}, {499, 4}, {500, 5}, {599, 5}, {999, 5}};
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.status) {
      for (std::size_t result = 0; result < kCacheResults; ++result) {
        RouteCounters counters(1);
        counters.count(0, static_cast<CacheResult>(result), row.status, 1, 2);
        const RouteSums sums = counters.sum();
        BOOST_TEST(sums.requests[row.want][result] == 1U);
        BOOST_TEST(all_requests(sums) == 1U);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(latencies_by_bucket) {
  struct Row {
    std::int64_t us;
    std::size_t want;
  };
  // A bound belongs to its bucket, as `le` says.
  const Row rows[] = {{-1, 0},          {0, 0},           {500, 0},
                      {501, 1},         {1000, 1},        {2500, 2},
                      {2501, 3},        {1'000'000, 9},   {5'000'000, 10},
                      {30'000'000, 11}, {30'000'001, 12}, {std::numeric_limits<std::int64_t>::max(), 12}};
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.us) {
      RouteCounters counters(1);
      counters.count(0, CacheResult::kMiss, 200, row.us, 0);
      const RouteSums sums = counters.sum();
      BOOST_TEST(sums.latency[row.want] == 1U);
      BOOST_TEST(all_latencies(sums) == 1U);
      BOOST_TEST(sums.latency_us == static_cast<std::uint64_t>(std::max<std::int64_t>(row.us, 0)));
    }
  }
}

BOOST_AUTO_TEST_CASE(what_got_no_answer_has_no_latency) {
  RouteCounters counters(1);
  counters.count(0, CacheResult::kNone, 0, 700, 10);
  const RouteSums sums = counters.sum();
  BOOST_TEST(all_requests(sums) == 1U);
  BOOST_TEST(all_latencies(sums) == 0U);
  BOOST_TEST(sums.latency_us == 0U);
  BOOST_TEST(sums.body_bytes == 10U);
}

BOOST_AUTO_TEST_CASE(workers_count_at_once_and_nothing_is_lost) {
  constexpr std::uint32_t kWorkers = 4;
  constexpr std::uint64_t kEach = 20'000;
  RouteCounters counters(kWorkers);
  std::vector<std::thread> threads;
  for (std::uint32_t worker = 0; worker < kWorkers; ++worker) {
    threads.emplace_back([&, worker] {
      for (std::uint64_t i = 0; i < kEach; ++i) counters.count(worker, CacheResult::kHit, 200, 100, 3);
    });
  }
  // A reader in between sees no number go back.
  std::uint64_t last = 0;
  for (int i = 0; i < 100; ++i) {
    const std::uint64_t now = counters.sum().requests[2][static_cast<std::size_t>(CacheResult::kHit)];
    BOOST_TEST(now >= last);
    last = now;
  }
  for (std::thread& thread : threads) thread.join();
  const RouteSums sums = counters.sum();
  BOOST_TEST(sums.requests[2][static_cast<std::size_t>(CacheResult::kHit)] == kWorkers * kEach);
  BOOST_TEST(sums.latency[0] == kWorkers * kEach);
  BOOST_TEST(sums.latency_us == kWorkers * kEach * 100);
  BOOST_TEST(sums.body_bytes == kWorkers * kEach * 3);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::obs
