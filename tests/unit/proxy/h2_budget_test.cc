// Budgets of one HTTP/2 connection: what ordinary clients do passes for ever, floods do not.
#include "proxy/h2_budget.h"

#include <boost/test/unit_test.hpp>
#include <set>
#include <string>

namespace seawall::proxy {
namespace {

constexpr MonoTime kStart{5'000'000};

// How many of a kind pass at once.
std::uint32_t burst_of(H2Budget& budget, H2Abuse kind, MonoTime now) {
  std::uint32_t passed = 0;
  while (passed < 100'000 && budget.spend(kind, now)) ++passed;
  return passed;
}

BOOST_AUTO_TEST_SUITE(proxy_h2_budget)

BOOST_AUTO_TEST_CASE(every_kind_has_an_end_and_a_name) {
  std::set<std::string> names;
  for (std::size_t i = 0; i < kH2Abuses; ++i) {
    const auto kind = static_cast<H2Abuse>(i);
    H2Budget budget(kStart);
    const std::uint32_t burst = burst_of(budget, kind, kStart);
    BOOST_TEST(burst < 10'000U, to_string(kind));
    BOOST_TEST(!budget.spend(kind, kStart));
    names.emplace(to_string(kind));
  }
  BOOST_TEST(names.size() == kH2Abuses);
  BOOST_TEST(!names.contains(""));
}

BOOST_AUTO_TEST_CASE(kinds_do_not_share) {
  H2Budget budget(kStart);
  burst_of(budget, H2Abuse::kPing, kStart);
  BOOST_TEST(budget.spend(H2Abuse::kSettings, kStart));
  BOOST_TEST(budget.spend(H2Abuse::kReset, kStart, 400));
}

BOOST_AUTO_TEST_CASE(time_fills_up_to_the_burst) {
  H2Budget budget(kStart);
  const std::uint32_t full = burst_of(budget, H2Abuse::kReset, kStart);
  BOOST_TEST(full == 400U);
  const MonoTime later = kStart + Millis{500};
  BOOST_TEST(burst_of(budget, H2Abuse::kReset, later) == 25U);
  // Fractions are not lost.
  MonoTime now = later;
  std::uint32_t passed = 0;
  for (int i = 0; i < 1000; ++i) {
    now = now + Millis{1};
    passed += budget.spend(H2Abuse::kReset, now) ? 1U : 0U;
  }
  BOOST_TEST(passed <= 50U);
  BOOST_TEST(burst_of(budget, H2Abuse::kReset, now + Seconds{100'000}) == full);
}

BOOST_AUTO_TEST_CASE(a_clock_that_stands_still_gives_nothing) {
  H2Budget budget(kStart);
  burst_of(budget, H2Abuse::kPing, kStart);
  BOOST_TEST(!budget.spend(H2Abuse::kPing, kStart));
  BOOST_TEST(!budget.spend(H2Abuse::kPing, MonoTime{0}));
}

// Chrome leaves a page of a hundred images again and again.
BOOST_AUTO_TEST_CASE(a_browser_may_leave_pages) {
  H2Budget budget(kStart);
  MonoTime now = kStart;
  for (int page = 0; page < 100; ++page) {
    for (int i = 0; i < 100; ++i) {
      budget.earn_request();
      if (i % 2 == 0) {
        budget.earn_answer();
      } else {
        BOOST_REQUIRE(budget.spend(H2Abuse::kReset, now));
      }
    }
    now = now + Seconds{1};
  }
}

// 50,000 requests in the same instant, each with two updates of windows and one of priority.
BOOST_AUTO_TEST_CASE(load_generators_pass) {
  H2Budget budget(kStart);
  for (int i = 0; i < 50'000; ++i) {
    budget.earn_request();
    BOOST_REQUIRE(budget.spend(H2Abuse::kWindowUpdate, kStart));
    BOOST_REQUIRE(budget.spend(H2Abuse::kPriority, kStart));
    budget.earn_data();
    BOOST_REQUIRE(budget.spend(H2Abuse::kWindowUpdate, kStart));
    BOOST_REQUIRE(budget.spend(H2Abuse::kPing, kStart));
    budget.earn_answer();
  }
}

// A big download to a client that gives back each frame on both windows, with a crumb at the end of each window.
BOOST_AUTO_TEST_CASE(downloads_pass) {
  H2Budget budget(kStart);
  for (int i = 0; i < 100'000; ++i) {
    budget.earn_data();
    BOOST_REQUIRE(budget.spend(H2Abuse::kWindowUpdate, kStart, 2));
    if (i % 4 == 0) BOOST_REQUIRE(budget.spend(H2Abuse::kTinyWindow, kStart));
  }
}

BOOST_AUTO_TEST_CASE(rapid_reset_does_not_pass) {
  H2Budget budget(kStart);
  MonoTime now = kStart;
  int passed = 0;
  while (passed < 100'000) {
    budget.earn_request();
    if (!budget.spend(H2Abuse::kReset, now)) break;
    ++passed;
    now = now + Millis{1};
  }
  BOOST_TEST(passed < 500);
}

BOOST_AUTO_TEST_CASE(counters) {
  H2Counters counters;
  H2Counters::count(counters.streams);
  counters.count(H2Abuse::kPing);
  counters.count(H2Abuse::kPing);
  BOOST_TEST(counters.streams.load() == 1U);
  BOOST_TEST(counters.abuse[static_cast<std::size_t>(H2Abuse::kPing)].load() == 2U);
  BOOST_TEST(counters.abuse[static_cast<std::size_t>(H2Abuse::kReset)].load() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::proxy
