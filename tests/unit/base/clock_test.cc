// The two time types: conversions, and that they only mix with durations.
#include "base/clock.h"

#include <boost/test/unit_test.hpp>
#include <concepts>
#include <cstdint>

namespace seawall {
namespace {

template <typename A, typename B>
concept Subtractable = requires(A a, B b) { a - b; };

static_assert(!Subtractable<WallTime, MonoTime>);
static_assert(!std::convertible_to<WallTime, MonoTime>);
static_assert(!std::convertible_to<MonoTime, WallTime>);

BOOST_AUTO_TEST_SUITE(base_clock)

BOOST_AUTO_TEST_CASE(unix_seconds_round_down_on_both_sides_of_the_epoch) {
  struct Row {
    const char* name;
    std::int64_t unix_ms;
    std::int64_t want;
  };
  const Row rows[] = {
      {.name = "epoch", .unix_ms = 0, .want = 0},
      {.name = "just before a second", .unix_ms = 999, .want = 0},
      {.name = "a second", .unix_ms = 1000, .want = 1},
      {.name = "today", .unix_ms = 1'748'000'000'123, .want = 1'748'000'000},
      {.name = "just before the epoch", .unix_ms = -1, .want = -1},
      {.name = "a second before the epoch", .unix_ms = -1000, .want = -1},
      {.name = "more than a second before", .unix_ms = -1001, .want = -2},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      BOOST_TEST(WallTime{row.unix_ms}.unix_seconds() == row.want);
    }
  }
}

BOOST_AUTO_TEST_CASE(seconds_survive_the_way_there_and_back) {
  for (const std::int64_t s : {std::int64_t{-86400}, std::int64_t{-1}, std::int64_t{0}, std::int64_t{253402300799}}) {
    BOOST_TEST(WallTime::from_unix_seconds(s).unix_seconds() == s);
  }
}

BOOST_AUTO_TEST_CASE(arithmetic_keeps_units) {
  const WallTime w = WallTime::from_unix_seconds(100);
  BOOST_TEST((w + Seconds{5}).unix_ms == 105'000);
  BOOST_TEST((w - Millis{1}).unix_ms == 99'999);
  BOOST_TEST(((w + Seconds{5}) - w).count() == 5000);
  BOOST_TEST((w < w + Millis{1}));

  const MonoTime m{1'000'000};
  BOOST_TEST((m + Millis{10}).us == 1'010'000);
  BOOST_TEST(((m + Seconds{1}) - m).count() == 1'000'000);
  BOOST_TEST((m < m + Millis{1}));
}

BOOST_AUTO_TEST_CASE(the_system_clock_does_not_go_back) {
  const SystemClock clock;
  const MonoTime first = clock.mono_now();
  BOOST_TEST((clock.mono_now() >= first));
  // After 2020, so neither seconds nor microseconds were taken for milliseconds, and before 2200.
  BOOST_TEST(clock.wall_now().unix_seconds() > 1'577'836'800);
  BOOST_TEST(clock.wall_now().unix_seconds() < 7'258'118'400);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall
