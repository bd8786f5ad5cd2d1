// When a route is spared, why, and when it is over.
#include "proxy/storm.h"

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdint>
#include <ostream>
#include <string_view>
#include <thread>
#include <vector>

namespace seawall::proxy {

std::ostream& operator<<(std::ostream& out, StormGuard::Cause cause) {
  return out << to_string(cause);
}

std::ostream& operator<<(std::ostream& out, StormGuard::Change change) {
  return out << (change == StormGuard::Change::kBegan   ? "began"
                 : change == StormGuard::Change::kEnded ? "ended"
                                                        : "none");
}

namespace {

using namespace std::chrono_literals;
using Cause = StormGuard::Cause;
using Change = StormGuard::Change;
using Signals = StormGuard::Signals;

constexpr MonoTime kStart{5'000'020'000};
constexpr Signals kQuiet{};
constexpr Signals kBreakerOpen{.breaker_open = true};
constexpr Signals kQueueFull{.fill_queue_full = true};

// So many misses, so far from each other, the first one `from`; the number of the one that began a storm, 0: none did.
int misses(StormGuard& guard, MonoTime from, int count, std::chrono::microseconds apart) {
  int began = 0;
  for (int i = 0; i < count; ++i) {
    if (guard.on_miss(kQuiet, from + i * apart) == Change::kBegan) began = i + 1;
  }
  return began;
}

BOOST_AUTO_TEST_SUITE(proxy_storm)

BOOST_AUTO_TEST_CASE(signals_begin_it) {
  struct Row {
    const char* name;
    Signals signals;
    Cause cause;
  };
  const std::vector<Row> rows = {
      {"nothing", kQuiet, Cause::kNone},
      {"breaker", kBreakerOpen, Cause::kBreaker},
      {"queue", kQueueFull, Cause::kFillQueue},
      {"both", {.breaker_open = true, .fill_queue_full = true}, Cause::kBreaker},
  };
  for (const Row& row : rows) {
    for (const bool by_tick : {false, true}) {
      BOOST_TEST_CONTEXT(row.name << (by_tick ? ", tick" : ", miss")) {
        StormGuard guard({});
        const auto look = [&](MonoTime now) {
          return by_tick ? guard.tick(row.signals, now) : guard.on_miss(row.signals, now);
        };
        const bool begins = row.cause != Cause::kNone;
        BOOST_TEST(look(kStart) == (begins ? Change::kBegan : Change::kNone));
        BOOST_TEST(look(kStart + 1s) == Change::kNone);
        BOOST_TEST(guard.is_active() == begins);
        BOOST_TEST(guard.cause() == row.cause);
        BOOST_TEST((guard.since() == (begins ? kStart : MonoTime{})));
        BOOST_TEST(guard.begun_total() == (begins ? 1U : 0U));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(it_is_over_after_calm) {
  StormGuard guard({.calm = 10s});
  BOOST_TEST(guard.tick(kBreakerOpen, kStart) == Change::kBegan);
  BOOST_TEST(guard.tick(kBreakerOpen, kStart + 20s) == Change::kNone);
  BOOST_TEST(guard.tick(kQuiet, kStart + 25s) == Change::kNone);
  // Something else of it counts as well, and does not change why it began.
  BOOST_TEST(guard.on_miss(kQueueFull, kStart + 29s) == Change::kNone);
  BOOST_TEST(guard.cause() == Cause::kBreaker);
  BOOST_TEST(guard.on_miss(kQuiet, kStart + 38'999ms) == Change::kNone);
  BOOST_TEST(guard.is_active());
  BOOST_TEST(guard.tick(kQuiet, kStart + 39s) == Change::kEnded);
  BOOST_TEST(!guard.is_active());
  BOOST_TEST(guard.cause() == Cause::kNone);
  BOOST_TEST(guard.tick(kQuiet, kStart + 40s) == Change::kNone);
  BOOST_TEST(guard.on_miss(kQueueFull, kStart + 41s) == Change::kBegan);
  BOOST_TEST((guard.since() == kStart + 41s));
  BOOST_TEST(guard.on_miss(kQuiet, kStart + 51s) == Change::kEnded);
  BOOST_TEST(guard.begun_total() == 2U);
}

BOOST_AUTO_TEST_CASE(misses_begin_it_once_a_second_has_too_many) {
  struct Row {
    const char* name;
    int count;
    std::chrono::microseconds apart;
    int began;
  };
  const std::vector<Row> rows = {
      {"a burst", 150, 0us, 100},
      {"a burst that stays below", 99, 0us, 0},
      {"spread over a second", 100, 10'000us, 100},
      {"twice as fast", 200, 5'000us, 100},
      {"a steady rate well below", 5000, 11'000us, 0},
  };
  for (const Row& row : rows) {
    // Wherever the buckets begin.
    for (const auto offset : {0us, 7'000us, 29'999us, 49'999us}) {
      BOOST_TEST_CONTEXT(row.name << ", offset " << offset.count()) {
        StormGuard guard({.misses_per_second = 100});
        BOOST_TEST(misses(guard, kStart + offset, row.count, row.apart) == row.began);
        BOOST_TEST(guard.cause() == (row.began != 0 ? Cause::kMissRate : Cause::kNone));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(misses_of_long_ago_do_not_count) {
  StormGuard guard({.misses_per_second = 100});
  MonoTime now = kStart;
  BOOST_TEST(misses(guard, now, 99, 0us) == 0);
  // Just more than a second, what the ring holds, and more than it holds.
  for (const auto pause : {1'050'000us, 4'950'000us, 5'000'000us, 5'050'000us, 60'000'000us}) {
    now = now + pause;
    BOOST_TEST_CONTEXT(pause.count()) {
      BOOST_TEST(misses(guard, now, 99, 0us) == 0);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_miss_rate_is_calm_below_eighty_percent) {
  StormGuard guard({.misses_per_second = 100, .calm = 2s});
  BOOST_TEST(misses(guard, kStart, 100, 0us) == 100);
  // Ten seconds at 85 a second, which would not have begun it; then at 70.
  MonoTime now = kStart;
  for (int second = 0; second < 10; ++second, now = now + 1s) {
    misses(guard, now, 85, 11'764us);
    BOOST_TEST(guard.tick(kQuiet, now + 1s) == Change::kNone);
  }
  BOOST_TEST(guard.is_active());
  int ended = -1;
  for (int second = 0; second < 5 && ended < 0; ++second, now = now + 1s) {
    misses(guard, now, 70, 14'285us);
    if (!guard.is_active()) ended = second;
  }
  BOOST_TEST((ended == 2 || ended == 3));
}

BOOST_AUTO_TEST_CASE(without_a_limit_misses_do_not_count) {
  StormGuard guard({.misses_per_second = 0});
  BOOST_TEST(misses(guard, kStart, 100'000, 1us) == 0);
}

BOOST_AUTO_TEST_CASE(switched_off) {
  StormGuard guard({.is_on = false, .misses_per_second = 1});
  BOOST_TEST(guard.on_miss(kBreakerOpen, kStart) == Change::kNone);
  BOOST_TEST(guard.tick(kQueueFull, kStart) == Change::kNone);
  guard.set_options({});
  BOOST_TEST(guard.on_miss(kBreakerOpen, kStart + 1s) == Change::kBegan);
  guard.set_options({.is_on = false});
  BOOST_TEST(guard.is_active());
  BOOST_TEST(guard.tick(kBreakerOpen, kStart + 2s) == Change::kEnded);
  BOOST_TEST(!guard.is_active());
  BOOST_TEST(guard.tick(kBreakerOpen, kStart + 3s) == Change::kNone);
}

BOOST_AUTO_TEST_CASE(the_rate_is_that_of_five_seconds) {
  StormGuard guard({});
  BOOST_TEST(guard.misses_per_second(kStart) == 0.0);
  misses(guard, kStart, 50, 0us);
  BOOST_TEST(guard.misses_per_second(kStart) == 10.0);
  BOOST_TEST(guard.misses_per_second(kStart + 4'900ms) == 10.0);
  BOOST_TEST(guard.misses_per_second(kStart + 5'050ms) == 0.0);
  misses(guard, kStart + 10s, 5000, 2'000us);
  BOOST_TEST(guard.misses_per_second(kStart + 19'998ms) == 500.0, boost::test_tools::tolerance(0.02));
  BOOST_TEST(guard.misses_per_second(kStart + 1h) == 0.0);
}

BOOST_AUTO_TEST_CASE(a_clock_that_lags_does_no_harm) {
  StormGuard guard({.misses_per_second = 3, .calm = 1s});
  BOOST_TEST(guard.on_miss(kQuiet, kStart) == Change::kNone);
  BOOST_TEST(guard.on_miss(kQuiet, kStart + Millis{-300}) == Change::kNone);
  BOOST_TEST(guard.on_miss(kQuiet, kStart + Millis{-100}) == Change::kBegan);
  BOOST_TEST(guard.tick(kQuiet, kStart + Millis{-200}) == Change::kNone);
  StormGuard at_boot({.misses_per_second = 2});
  BOOST_TEST(at_boot.on_miss(kQuiet, MonoTime{0}) == Change::kNone);
  BOOST_TEST(at_boot.on_miss(kQuiet, MonoTime{1}) == Change::kBegan);
}

BOOST_AUTO_TEST_CASE(many_threads_begin_it_once) {
  StormGuard guard({.misses_per_second = 500});
  std::vector<int> began(4);
  {
    std::vector<std::jthread> threads;
    for (int& mine : began) {
      threads.emplace_back([&guard, &mine] {
        for (int i = 0; i < 1000; ++i) {
          if (guard.on_miss(kQuiet, kStart + Millis{i / 10}) == Change::kBegan) ++mine;
          if (guard.is_active() && guard.begun_total() != 1) mine += 100;
        }
      });
    }
  }
  BOOST_TEST(began[0] + began[1] + began[2] + began[3] == 1);
  BOOST_TEST(guard.misses_per_second(kStart + 100ms) == 800.0);
}

BOOST_AUTO_TEST_CASE(names_of_the_causes) {
  BOOST_TEST(to_string(Cause::kNone) == "none");
  BOOST_TEST(to_string(Cause::kBreaker) == "breaker-open");
  BOOST_TEST(to_string(Cause::kFillQueue) == "fill-queue-full");
  BOOST_TEST(to_string(Cause::kMissRate) == "miss-rate");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::proxy
