// Who passes, and how long nobody does after a failure.
#include "cache/refresh_gate.h"

#include <array>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <thread>
#include <vector>

namespace {

using namespace seawall;
using cache::RefreshGate;

constexpr MonoTime kNow{5'000'000};
constexpr Millis kHold{10'000};

}  // namespace

BOOST_AUTO_TEST_SUITE(cache_refresh_gate)

BOOST_AUTO_TEST_CASE(one_passes_until_the_hold_is_over) {
  RefreshGate gate;
  BOOST_TEST(!gate.is_backing_off(kNow));
  BOOST_TEST(gate.try_pass(kNow, kHold));
  BOOST_TEST(!gate.try_pass(kNow, kHold));
  BOOST_TEST(!gate.try_pass(kNow + Millis(9'999), kHold));
  BOOST_TEST(!gate.is_backing_off(kNow));
  BOOST_TEST((gate.not_before() == kNow + kHold));
  BOOST_TEST(gate.try_pass(kNow + kHold, kHold));
  BOOST_TEST(gate.failures() == 0U);
}

BOOST_AUTO_TEST_CASE(a_failure_ends_the_hold_and_begins_the_back_off) {
  RefreshGate gate;
  BOOST_TEST(gate.try_pass(kNow, kHold));
  gate.on_failure(kNow + Millis(100), 0.5);
  BOOST_TEST((gate.not_before() == kNow + Millis(1'100)));
  BOOST_TEST(gate.is_backing_off(kNow + Millis(1'099)));
  BOOST_TEST(!gate.try_pass(kNow + Millis(1'099), kHold));
  BOOST_TEST(!gate.is_backing_off(kNow + Millis(1'100)));
  BOOST_TEST(gate.try_pass(kNow + Millis(1'100), kHold));
  // The next attempt is under way: it is not time for another.
  BOOST_TEST(gate.is_backing_off(kNow + Millis(1'100)));
}

BOOST_AUTO_TEST_CASE(the_back_off_doubles_up_to_a_minute) {
  for (const double jitter : {0.0, 0.5, 0.75}) {
    BOOST_TEST_CONTEXT("jitter " << jitter) {
      RefreshGate gate;
      std::uint32_t count = 0;
      for (const int seconds : {1, 2, 4, 8, 16, 32, 60, 60, 60}) {
        gate.on_failure(kNow, jitter);
        const auto want = static_cast<std::int64_t>(1e6 * seconds * (0.5 + jitter));
        BOOST_TEST((gate.not_before() - kNow).count() == want);
        BOOST_TEST(gate.failures() == ++count);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(of_two_at_once_one_passes) {
  constexpr std::size_t kGates = 20'000;
  constexpr int kMaxTurns = 500;  // so that a thread that is not running is not waited for
  std::vector<RefreshGate> gates(kGates);
  std::array<std::atomic<std::size_t>, 2> arrived = {};
  std::atomic<std::size_t> passed = 0;
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < 2; ++t) {
      threads.emplace_back([&, t] {
        for (std::size_t i = 0; i < kGates; ++i) {
          arrived[t] = i + 1;
          for (int turn = 0; turn < kMaxTurns && arrived[1 - t] < i + 1; ++turn) {
          }
          passed += gates[i].try_pass(kNow, kHold) ? 1U : 0U;
        }
      });
    }
  }
  BOOST_TEST(passed == kGates);
}

BOOST_AUTO_TEST_SUITE_END()
