// A limit in front of a simulated server: it opens up for a steady one, settles near the capacity of a real one, finds
// back when the server changes, and shrinks at once when calls are dropped.
#include "origin/adaptive_limit.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <functional>
#include <queue>
#include <vector>

#include "base/rng.h"

namespace seawall::origin {
namespace {

using std::chrono::microseconds;

constexpr std::uint32_t kUnlimited = 1'000'000;

// A closed loop: as many calls as the limit and the demand allow are always in flight. A call's latency is the base up
// to the capacity and grows with those in flight past it.
class Simulation {
 public:
  Simulation(AdaptiveLimit& limit, std::uint64_t seed) : limit_(limit), rng_(seed) {}

  double base_us = 20'000;
  double capacity = kUnlimited;
  double noise = 0;       // latencies are uniform within so much of their mean
  double stragglers = 0;  // share of calls that take fifty times as long
  std::uint32_t demand = kUnlimited;

  void run(int samples) {
    for (int i = 0; i < samples; ++i) {
      while (calls_.size() < std::min(limit_.limit(), demand)) begin();
      const Call call = calls_.top();
      calls_.pop();
      now_us_ = call.end_us;
      limit_.on_sample(microseconds{static_cast<std::int64_t>(call.latency_us)}, call.in_flight, false);
      lowest = std::min(lowest, limit_.limit());
      highest = std::max(highest, limit_.limit());
    }
  }
  // The extremes of the next runs only.
  void forget() {
    lowest = limit_.limit();
    highest = limit_.limit();
  }

  std::uint32_t lowest = kUnlimited;
  std::uint32_t highest = 0;

 private:
  struct Call {
    double end_us;
    double latency_us;
    std::uint32_t in_flight;
    bool operator>(const Call& other) const { return end_us > other.end_us; }
  };

  void begin() {
    const auto in_flight = static_cast<std::uint32_t>(calls_.size()) + 1;
    double latency_us = base_us * std::max(1.0, in_flight / capacity);
    latency_us *= 1 + noise * (2 * rng_.unit() - 1);
    if (rng_.unit() < stragglers) latency_us *= 50;
    calls_.push({.end_us = now_us_ + latency_us, .latency_us = latency_us, .in_flight = in_flight});
  }

  AdaptiveLimit& limit_;
  Rng rng_;
  double now_us_ = 0;
  std::priority_queue<Call, std::vector<Call>, std::greater<>> calls_;
};

BOOST_AUTO_TEST_SUITE(origin_adaptive_limit)

BOOST_AUTO_TEST_CASE(starts_at_a_quarter_within_its_bounds) {
  struct Row {
    std::uint32_t min;
    std::uint32_t max;
    std::uint32_t want;
  };
  for (const auto& row : std::vector<Row>{
           {8, 256, 64}, {8, 80, 20}, {8, 40, 20}, {8, 12, 12}, {100, 256, 100}, {1, 1, 1}, {0, 0, 1}, {10, 5, 10}}) {
    BOOST_TEST_CONTEXT(row.min << " to " << row.max) {
      BOOST_TEST(AdaptiveLimit(row.min, row.max).limit() == row.want);
    }
  }
}

BOOST_AUTO_TEST_CASE(new_bounds_hold_at_once) {
  AdaptiveLimit limit(8, 256);
  limit.set_bounds(8, 30);
  BOOST_TEST(limit.limit() == 30U);
  limit.set_bounds(50, 100);
  BOOST_TEST(limit.limit() == 50U);
  limit.set_bounds(8, 20);
  limit.on_sample(microseconds{1}, 1, true);
  BOOST_TEST(limit.limit() == 18U);
}

BOOST_AUTO_TEST_CASE(steady_latency_lets_it_grow_to_the_most) {
  struct Row {
    const char* name;
    double noise = 0;
    double stragglers = 0;
  };
  const std::vector<Row> rows = {
      {.name = "constant"},
      {.name = "within 30 percent", .noise = 0.3},
      {.name = "within 90 percent", .noise = 0.9},
      {.name = "one in a hundred fifty times as long", .noise = 0.3, .stragglers = 0.01},
  };
  for (const auto& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      AdaptiveLimit limit(8, 256);
      Simulation simulation(limit, 1);
      simulation.noise = row.noise;
      simulation.stragglers = row.stragglers;
      simulation.run(40'000);
      BOOST_TEST(limit.limit() == 256U);
    }
  }
}

// 300 000 samples under demand without end: a baseline that followed its own queue would have run away long before.
BOOST_AUTO_TEST_CASE(settles_near_the_capacity_and_stays_there) {
  struct Row {
    const char* name;
    double capacity;
    std::uint32_t max = 1'000;
    double noise = 0;
    double stragglers = 0;
  };
  const std::vector<Row> rows = {
      {.name = "small", .capacity = 10},
      {.name = "below where it starts", .capacity = 30},
      {.name = "middling", .capacity = 60},
      {.name = "above where it starts", .capacity = 300},
      {.name = "large", .capacity = 300, .max = 10'000},
      {.name = "small, noisy", .capacity = 10, .noise = 0.3},
      {.name = "noisy", .capacity = 60, .noise = 0.3},
      {.name = "very noisy", .capacity = 60, .noise = 0.9},
      {.name = "with stragglers", .capacity = 60, .noise = 0.3, .stragglers = 0.01},
      {.name = "large, noisy", .capacity = 300, .noise = 0.9},
  };
  for (const auto& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      AdaptiveLimit limit(4, row.max);
      Simulation simulation(limit, 2);
      simulation.capacity = row.capacity;
      simulation.noise = row.noise;
      simulation.stragglers = row.stragglers;
      simulation.run(100'000);
      simulation.forget();
      simulation.run(200'000);
      BOOST_TEST(simulation.lowest >= 0.5 * row.capacity);
      BOOST_TEST(simulation.highest <= 3 * row.capacity);
    }
  }
}

BOOST_AUTO_TEST_CASE(follows_a_server_that_loses_and_regains_capacity) {
  AdaptiveLimit limit(4, 1'000);
  Simulation simulation(limit, 3);
  simulation.noise = 0.3;
  for (const double capacity : {200.0, 50.0, 200.0}) {
    BOOST_TEST_CONTEXT("capacity " << capacity) {
      simulation.capacity = capacity;
      simulation.run(100'000);
      simulation.forget();
      simulation.run(20'000);
      BOOST_TEST(simulation.lowest >= 0.5 * capacity);
      BOOST_TEST(simulation.highest <= 3 * capacity);
    }
  }
}

BOOST_AUTO_TEST_CASE(accepts_a_server_that_is_slower_or_faster_from_now_on) {
  for (const double factor : {1.4, 3.0, 20.0, 0.05}) {
    BOOST_TEST_CONTEXT("times " << factor) {
      AdaptiveLimit limit(8, 256);
      Simulation simulation(limit, 4);
      simulation.noise = 0.2;
      simulation.run(40'000);
      simulation.base_us *= factor;
      simulation.run(20'000);
      BOOST_TEST(limit.limit() == 256U);
      // What it compares with has changed too: load that doubles the latency is seen.
      simulation.capacity = 60;
      simulation.run(60'000);
      BOOST_TEST(simulation.lowest >= 8U);
      BOOST_TEST(limit.limit() <= 180U);
    }
  }
}

BOOST_AUTO_TEST_CASE(calls_below_half_of_the_limit_do_not_raise_it) {
  AdaptiveLimit limit(8, 256);
  Simulation simulation(limit, 5);
  simulation.demand = 31;
  simulation.run(20'000);
  BOOST_TEST(limit.limit() == 64U);
  simulation.demand = 40;
  simulation.run(20'000);
  BOOST_TEST(limit.limit() > 64U);
  BOOST_TEST(limit.limit() <= 84U);
}

BOOST_AUTO_TEST_CASE(latency_that_rises_shrinks_it_within_a_few_round_trips) {
  AdaptiveLimit limit(8, 256);
  for (int i = 0; i < 50; ++i) limit.on_sample(Millis{10}, 64, false);
  const std::uint32_t before = limit.limit();
  for (std::uint32_t i = 0; i < 3 * before; ++i) limit.on_sample(Millis{30}, before, false);
  BOOST_TEST(limit.limit() < before * 85 / 100);
}

BOOST_AUTO_TEST_CASE(a_dip_ends_even_if_nobody_keeps_to_it) {
  AdaptiveLimit limit(8, 256);
  for (int i = 0; i < 50; ++i) limit.on_sample(Millis{10}, 1'000, false);
  for (int i = 0; i < 1'000; ++i) limit.on_sample(Millis{30}, 1'000, false);
  BOOST_TEST(limit.limit() < 20U);
  for (int i = 0; i < 30'000; ++i) limit.on_sample(Millis{10}, 1'000, false);
  BOOST_TEST(limit.limit() == 256U);
}

BOOST_AUTO_TEST_CASE(one_straggler_changes_nothing) {
  AdaptiveLimit limit(8, 256);
  for (int i = 0; i < 50; ++i) limit.on_sample(Millis{10}, 64, false);
  std::uint32_t before = limit.limit();
  for (int i = 0; i < 2'000; ++i) {
    limit.on_sample(i % 100 == 50 ? Millis{10'000} : Millis{10}, limit.limit(), false);
    BOOST_TEST_REQUIRE(limit.limit() >= before);
    before = limit.limit();
  }
  BOOST_TEST(limit.limit() > 64U);
}

BOOST_AUTO_TEST_CASE(a_dropped_call_shrinks_it_at_once) {
  AdaptiveLimit limit(8, 400);
  limit.on_sample(Millis{10'000}, 100, true);
  BOOST_TEST(limit.limit() == 90U);
  limit.on_sample(Millis{10'000}, 100, true);
  BOOST_TEST(limit.limit() == 81U);
}

BOOST_AUTO_TEST_CASE(calls_that_are_dropped_together_halve_it_and_no_more) {
  AdaptiveLimit limit(8, 400);
  for (int i = 0; i < 50; ++i) limit.on_sample(Millis{10}, 1, false);
  BOOST_TEST(limit.limit() == 100U);
  for (int i = 0; i < 40; ++i) limit.on_sample(Millis{10'000}, 100, true);
  BOOST_TEST(limit.limit() == 50U);
}

BOOST_AUTO_TEST_CASE(never_below_the_least_however_many_are_dropped) {
  AdaptiveLimit limit(8, 400);
  for (int i = 0; i < 10'000; ++i) {
    limit.on_sample(Millis{10'000}, 100, true);
    BOOST_TEST_REQUIRE(limit.limit() >= 8U);
  }
  BOOST_TEST(limit.limit() == 8U);
  Simulation simulation(limit, 6);
  simulation.run(60'000);
  BOOST_TEST(limit.limit() == 400U);
}

BOOST_AUTO_TEST_CASE(any_samples_leave_it_within_its_bounds) {
  Rng rng(7);
  AdaptiveLimit limit(8, 256);
  for (int i = 0; i < 200'000; ++i) {
    const auto exponent = rng.below(30);
    const auto latency = static_cast<std::int64_t>(rng.below(std::uint64_t{1} << exponent)) - 10;
    limit.on_sample(microseconds{latency}, static_cast<std::uint32_t>(rng.below(300)), rng.below(200) == 0);
    BOOST_TEST_REQUIRE(limit.limit() >= 8U);
    BOOST_TEST_REQUIRE(limit.limit() <= 256U);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::origin
