// The wheel against a model that looks at every timer on every step, from fixed seeds; then the cases that a
// model does not ask: callbacks that arm, cancel and destroy.
#include "base/timer_wheel.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/rng.h"

namespace seawall {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kTickUs = 10'000;
constexpr std::int64_t kHorizonTicks = std::int64_t{1} << 24;

std::int64_t ticks_up(MonoTime t) {
  return (t.us + kTickUs - 1) / kTickUs;
}

// What the wheel promises: a timer fires at the first whole tick at or after its deadline, but after the tick
// in which it was armed; deferring moves it later, never earlier.
class Model {
 public:
  Model(std::uint64_t seed, MonoTime start, std::size_t timers) : rng_(seed), now_(start), wheel_(start) {
    for (std::size_t i = 0; i < timers; ++i) {
      fire_tick_.emplace_back();
      timers_.push_back(std::make_unique<Timer>([this, i] { fired_.push_back(i); }));
    }
  }

  void step() {
    const std::size_t i = rng_.below(timers_.size());
    switch (rng_.below(8)) {
      case 0:
      case 1:
      case 2: arm(i, now_ + random_delay()); break;
      case 3: arm(i, MonoTime{now_.us - static_cast<std::int64_t>(rng_.below(50'000))}); break;
      case 4: cancel(i); break;
      case 5: defer(i, random_delay()); break;
      default: advance(); break;
    }
    check_next_deadline();
  }

 private:
  // Every magnitude is as likely as any other, up to past the horizon of the last level.
  std::chrono::microseconds random_delay() {
    const std::uint64_t bits = rng_.below(39);
    return std::chrono::microseconds{static_cast<std::int64_t>(rng_.below(std::uint64_t{1} << bits))};
  }
  std::int64_t current_tick() const { return now_.us / kTickUs; }

  void arm(std::size_t i, MonoTime deadline) {
    wheel_.arm(*timers_[i], deadline);
    fire_tick_[i] = std::max(ticks_up(deadline), current_tick() + 1);
  }
  void cancel(std::size_t i) {
    timers_[i]->cancel();
    fire_tick_[i].reset();
  }
  void defer(std::size_t i, std::chrono::microseconds by) {
    if (!fire_tick_[i]) return;
    const MonoTime deadline = timers_[i]->deadline() + by;
    timers_[i]->defer_to(deadline);
    fire_tick_[i] = std::max(ticks_up(deadline), *fire_tick_[i]);
  }

  void advance() {
    // Half of the steps lead to just before, at, or just after the next event; the others anywhere.
    const auto next = wheel_.next_deadline();
    if (next && rng_.below(2) == 0) {
      now_ = std::max(now_, *next + std::chrono::microseconds{static_cast<std::int64_t>(rng_.below(3)) - 1});
    } else {
      now_ = now_ + random_delay();
    }
    std::vector<std::pair<std::int64_t, std::size_t>> due;
    for (std::size_t i = 0; i < fire_tick_.size(); ++i) {
      if (fire_tick_[i] && *fire_tick_[i] <= current_tick()) due.emplace_back(*fire_tick_[i], i);
    }
    fired_.clear();
    wheel_.advance(now_);

    BOOST_REQUIRE_EQUAL(fired_.size(), due.size());
    for (std::size_t k = 1; k < fired_.size(); ++k) {
      BOOST_REQUIRE_LE(*fire_tick_[fired_[k - 1]], *fire_tick_[fired_[k]]);
    }
    std::vector<std::size_t> sorted = fired_;
    std::ranges::sort(sorted);
    for (std::size_t k = 0; k < due.size(); ++k) BOOST_REQUIRE_EQUAL(sorted[k], due[k].second);
    for (const std::size_t i : fired_) fire_tick_[i].reset();
  }

  // To wake at next_deadline() is never too late, and always ahead of now.
  void check_next_deadline() {
    std::optional<std::int64_t> earliest;
    for (std::size_t i = 0; i < fire_tick_.size(); ++i) {
      BOOST_REQUIRE_EQUAL(timers_[i]->is_armed(), fire_tick_[i].has_value());
      if (fire_tick_[i] && (!earliest || *fire_tick_[i] < *earliest)) earliest = fire_tick_[i];
    }
    const auto next = wheel_.next_deadline();
    BOOST_REQUIRE_EQUAL(next.has_value(), earliest.has_value());
    if (!next) return;
    BOOST_REQUIRE_LE(next->us, *earliest * kTickUs);
    BOOST_REQUIRE_GT(next->us, current_tick() * kTickUs);
  }

  Rng rng_;
  MonoTime now_;
  TimerWheel wheel_;
  std::vector<std::optional<std::int64_t>> fire_tick_;
  std::vector<std::unique_ptr<Timer>> timers_;
  std::vector<std::size_t> fired_;
};

BOOST_AUTO_TEST_SUITE(base_timer_wheel)

BOOST_AUTO_TEST_CASE(agrees_with_a_naive_model) {
  struct Row {
    const char* name;
    std::uint64_t seed;
    std::int64_t start_us;
    std::size_t timers;
    int steps;
  };
  const Row rows[] = {
      {.name = "from zero", .seed = 1, .start_us = 0, .timers = 1, .steps = 20'000},
      {.name = "a few", .seed = 2, .start_us = 0, .timers = 5, .steps = 20'000},
      {.name = "in mid-tick", .seed = 3, .start_us = 123'456'789, .timers = 20, .steps = 20'000},
      {.name = "many", .seed = 4, .start_us = 77, .timers = 200, .steps = 20'000},
      {.name = "just before the wheel turns over",
       .seed = 5,
       .start_us = (kHorizonTicks - 1) * kTickUs,
       .timers = 30,
       .steps = 20'000},
      {.name = "after a year", .seed = 6, .start_us = 31'536'000'000'000, .timers = 30, .steps = 20'000},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name << ", seed " << row.seed) {
      Model model(row.seed, MonoTime{row.start_us}, row.timers);
      for (int i = 0; i < row.steps; ++i) model.step();
    }
  }
}

// Every delay around the borders of the levels, from starts around the borders of the slots.
BOOST_AUTO_TEST_CASE(is_exact_at_the_borders_of_its_levels) {
  for (const std::int64_t start : {0, 1, 62, 63, 64, 65, 4095, 4096, 4097, 262'143, 262'144}) {
    for (const std::int64_t border : {std::int64_t{1}, std::int64_t{64}, std::int64_t{4096}, std::int64_t{262'144},
                                      kHorizonTicks, 2 * kHorizonTicks}) {
      for (std::int64_t delta = -2; delta <= 2; ++delta) {
        const std::int64_t due = start + border + delta;
        if (due <= start) continue;
        BOOST_TEST_CONTEXT("start " << start << ", due " << due) {
          TimerWheel wheel(MonoTime{start * kTickUs});
          int fired = 0;
          Timer timer([&fired] { ++fired; });
          wheel.arm(timer, MonoTime{due * kTickUs});
          wheel.advance(MonoTime{due * kTickUs - 1});
          BOOST_TEST(fired == 0);
          wheel.advance(MonoTime{due * kTickUs});
          BOOST_TEST(fired == 1);
          BOOST_TEST(!timer.is_armed());
          BOOST_TEST(!wheel.next_deadline().has_value());
        }
      }
    }
  }
}

// As the loop does: it wakes when the wheel says, and no more often than the levels need.
BOOST_AUTO_TEST_CASE(waking_at_its_word_reaches_a_far_timer_in_few_turns) {
  TimerWheel wheel(MonoTime{0});
  std::optional<MonoTime> fired_at;
  MonoTime now{0};
  Timer timer([&] { fired_at = now; });
  const MonoTime deadline = MonoTime{0} + 24h + 5ms;
  wheel.arm(timer, deadline);
  int turns = 0;
  while (const auto next = wheel.next_deadline()) {
    BOOST_REQUIRE_LT(++turns, 10);
    now = *next;
    wheel.advance(now);
  }
  BOOST_REQUIRE(fired_at.has_value());
  BOOST_TEST((*fired_at - deadline).count() == 5000);
}

BOOST_AUTO_TEST_CASE(a_callback_may_arm_its_own_timer_again) {
  TimerWheel wheel(MonoTime{0});
  int fired = 0;
  std::unique_ptr<Timer> timer;
  MonoTime next{0};
  timer = std::make_unique<Timer>([&] {
    if (++fired < 5) wheel.arm(*timer, next = next + 100ms);
  });
  wheel.arm(*timer, next = MonoTime{0} + 100ms);
  wheel.advance(MonoTime{0} + 10s);
  BOOST_TEST(fired == 5);
  BOOST_TEST(!timer->is_armed());
}

// A deadline in the past fires in a later tick: a callback that arms for "now" cannot hold the loop.
BOOST_AUTO_TEST_CASE(a_callback_that_arms_in_the_past_does_not_hold_advance) {
  TimerWheel wheel(MonoTime{0});
  int fired = 0;
  std::unique_ptr<Timer> timer;
  timer = std::make_unique<Timer>([&] {
    ++fired;
    wheel.arm(*timer, MonoTime{0});
  });
  wheel.arm(*timer, MonoTime{0});
  wheel.advance(MonoTime{5 * kTickUs});
  BOOST_TEST(fired == 5);
}

BOOST_AUTO_TEST_CASE(a_callback_may_cancel_another_that_is_due_in_the_same_tick) {
  TimerWheel wheel(MonoTime{0});
  int second_fired = 0;
  Timer second([&] { ++second_fired; });
  Timer first([&] { second.cancel(); });
  wheel.arm(first, MonoTime{0} + 50ms);
  wheel.arm(second, MonoTime{0} + 50ms);
  wheel.advance(MonoTime{0} + 1s);
  BOOST_TEST(second_fired == 0);
  BOOST_TEST(!second.is_armed());
}

BOOST_AUTO_TEST_CASE(a_callback_may_destroy_its_own_timer_and_others) {
  TimerWheel wheel(MonoTime{0});
  int fired = 0;
  std::unique_ptr<Timer> victim = std::make_unique<Timer>([&] { ++fired; });
  std::unique_ptr<Timer> timer;
  timer = std::make_unique<Timer>([&fired, &victim, &timer] {
    ++fired;
    victim.reset();
    timer.reset();  // last: the captures go with it
  });
  wheel.arm(*timer, MonoTime{0} + 50ms);
  wheel.arm(*victim, MonoTime{0} + 50ms);
  wheel.advance(MonoTime{0} + 1s);
  BOOST_TEST(fired == 1);
  BOOST_TEST(!wheel.next_deadline().has_value());
}

BOOST_AUTO_TEST_CASE(deferring_costs_no_turn_of_the_wheel) {
  TimerWheel wheel(MonoTime{0});
  int fired = 0;
  Timer timer([&fired] { ++fired; });
  wheel.arm(timer, MonoTime{0} + 1s);
  for (int i = 1; i <= 50; ++i) {
    timer.defer_to(MonoTime{0} + i * 100ms + 1s);
    wheel.advance(MonoTime{0} + i * 100ms);
    BOOST_REQUIRE_EQUAL(fired, 0);
  }
  wheel.advance(MonoTime{0} + 5990ms);
  BOOST_TEST(fired == 0);
  wheel.advance(MonoTime{0} + 6s);
  BOOST_TEST(fired == 1);
}

BOOST_AUTO_TEST_CASE(a_destroyed_timer_is_forgotten) {
  TimerWheel wheel(MonoTime{0});
  {
    Timer timer([] { BOOST_ERROR("fired after its end"); });
    wheel.arm(timer, MonoTime{0} + 50ms);
  }
  BOOST_TEST(!wheel.next_deadline().has_value());
  wheel.advance(MonoTime{0} + 1s);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall
