// Retries as a share of the requests of the last ten seconds.
#include "origin/retry_budget.h"

#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <vector>

namespace seawall::origin {
namespace {

constexpr MonoTime kStart{1'000'000'000};

std::uint32_t spend_all(RetryBudget& budget, MonoTime now) {
  std::uint32_t taken = 0;
  while (taken < 1'000'000 && budget.try_retry(now)) ++taken;
  return taken;
}

BOOST_AUTO_TEST_SUITE(origin_retry_budget)

BOOST_AUTO_TEST_CASE(a_share_of_the_requests_and_a_few_in_any_case) {
  struct Row {
    const char* name;
    std::uint32_t requests;
    std::uint32_t percent = 10;
    std::uint32_t min = 3;
    std::uint32_t want;
  };
  const std::vector<Row> rows = {
      {.name = "no requests", .requests = 0, .want = 3},
      {.name = "few requests", .requests = 39, .want = 3},
      {.name = "the share overtakes the least", .requests = 40, .want = 4},
      {.name = "part of a retry is none", .requests = 49, .want = 4},
      {.name = "many requests", .requests = 1000, .want = 100},
      {.name = "no least, few requests", .requests = 9, .min = 0, .want = 0},
      {.name = "no share", .requests = 1000, .percent = 0, .want = 3},
      {.name = "nothing at all", .requests = 1000, .percent = 0, .min = 0, .want = 0},
      {.name = "more retries than requests", .requests = 50, .percent = 200, .want = 100},
  };
  for (const auto& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      RetryBudget budget({.budget_percent = row.percent, .budget_min = row.min});
      for (std::uint32_t i = 0; i < row.requests; ++i) budget.on_request(kStart);
      BOOST_TEST(spend_all(budget, kStart) == row.want);
      BOOST_TEST(budget.requests(kStart) == row.requests);
      BOOST_TEST(budget.retries(kStart) == row.want);
    }
  }
}

BOOST_AUTO_TEST_CASE(what_is_older_than_ten_seconds_is_forgotten) {
  RetryBudget budget({});
  for (int i = 0; i < 100; ++i) budget.on_request(kStart);
  BOOST_TEST(spend_all(budget, kStart) == 10U);
  const MonoTime before = kStart + Millis{9'999};
  BOOST_TEST(budget.requests(before) == 100U);
  BOOST_TEST(spend_all(budget, before) == 0U);
  const MonoTime after = kStart + Millis{10'000};
  BOOST_TEST(budget.requests(after) == 0U);
  BOOST_TEST(budget.retries(after) == 0U);
  BOOST_TEST(spend_all(budget, after) == 3U);
}

BOOST_AUTO_TEST_CASE(over_time_retries_stay_the_share_of_a_failing_origins_requests) {
  RetryBudget budget({});
  std::uint32_t retries = 0;
  constexpr int kRequests = 100'000;
  for (int i = 0; i < kRequests; ++i) {
    const MonoTime now = kStart + Millis{i};
    budget.on_request(now);
    retries += budget.try_retry(now) ? 1U : 0U;
  }
  BOOST_TEST(retries > 9'500U);
  BOOST_TEST(retries < 10'500U);
}

BOOST_AUTO_TEST_CASE(a_long_silence_leaves_nothing) {
  RetryBudget budget({});
  for (int i = 0; i < 1000; ++i) budget.on_request(kStart + Millis{i * 10});
  BOOST_TEST(budget.requests(kStart + Seconds{9}) == 1000U);
  BOOST_TEST(budget.requests(kStart + Seconds{3600}) == 0U);
}

BOOST_AUTO_TEST_CASE(a_time_a_little_in_the_past_loses_nothing) {
  RetryBudget budget({});
  budget.on_request(kStart + Seconds{10});
  budget.on_request(kStart + Seconds{9});
  budget.on_request(kStart);
  BOOST_TEST(budget.requests(kStart + Seconds{10}) == 3U);
}

BOOST_AUTO_TEST_CASE(new_options_keep_the_counts) {
  RetryBudget budget({});
  for (int i = 0; i < 100; ++i) budget.on_request(kStart);
  BOOST_TEST(spend_all(budget, kStart) == 10U);
  budget.set_options({.budget_percent = 15});
  BOOST_TEST(spend_all(budget, kStart) == 5U);
  budget.set_options({.budget_percent = 5});
  BOOST_TEST(!budget.try_retry(kStart));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::origin
