// Order, pace, cold start and bounds, on invented time; then everything at once against a model that looks at every
// entry on every step.
#include "fill/fill_schedule.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <map>
#include <optional>
#include <vector>

#include "base/rng.h"

namespace seawall::fill {
namespace {

using namespace std::chrono_literals;
using Ticket = FillSchedule::Ticket;
using Order = FillSchedule::Order;

constexpr MonoTime kStart{5'000'000'000};

// No bound but those that a test sets.
constexpr FillScheduleOptions kOpen{.concurrent = 100'000, .queue = 100'000, .deadline = 1h, .cold_start = 0ms};

FillScheduleOptions with(FillScheduleOptions options, auto change) {
  change(options);
  return options;
}

std::vector<Ticket> drain(FillSchedule& schedule, MonoTime now) {
  std::vector<Ticket> tickets;
  while (const Ticket ticket = schedule.next(now)) tickets.push_back(ticket);
  return tickets;
}

struct Started {
  Ticket ticket;
  MonoTime at;
};

// Runs a schedule as its owner does: it looks at it when a fill ends and when next_wake() says so, never else.
class Owner {
 public:
  explicit Owner(const FillScheduleOptions& options) : schedule(options) {}

  // Until nothing waits or runs; `takes` says how long a fill takes, `bytes` how much it brings.
  void run(auto takes, auto bytes) {
    while (schedule.waiting() > 0 || !ends_.empty()) {
      start_what_may(takes);
      const auto wake = schedule.next_wake(now);
      BOOST_REQUIRE((wake || !ends_.empty()));
      const bool wakes_first = wake && (ends_.empty() || *wake < ends_.begin()->first);
      now = wakes_first ? *wake : ends_.begin()->first;
      const auto expired = schedule.expire(now);
      BOOST_TEST_REQUIRE((!wakes_first || !expired.empty() || start_what_may(takes) > 0), "woken for nothing");
      for (; !ends_.empty() && ends_.begin()->first <= now; ends_.erase(ends_.begin())) {
        schedule.done(ends_.begin()->second, bytes(ends_.begin()->second), now);
      }
    }
  }

  // The most starts in a window of that length, wherever it begins.
  std::size_t most_within(std::chrono::microseconds length) const {
    std::size_t most = 0;
    for (std::size_t first = 0, end = 0; first < started.size(); ++first) {
      while (end < started.size() && started[end].at - started[first].at < length) ++end;
      most = std::max(most, end - first);
    }
    return most;
  }

  FillSchedule schedule;
  MonoTime now = kStart;
  std::vector<Started> started;
  std::uint32_t most_running = 0;

 private:
  std::size_t start_what_may(auto takes) {
    std::size_t count = 0;
    while (const Ticket ticket = schedule.next(now)) {
      started.push_back({ticket, now});
      ends_.emplace(now + takes(ticket), ticket);
      most_running = std::max(most_running, schedule.running());
      BOOST_REQUIRE(schedule.running() <= schedule.allowed(now));
      ++count;
    }
    return count;
  }

  std::multimap<MonoTime, Ticket> ends_;
};

BOOST_AUTO_TEST_SUITE(fill_schedule)

BOOST_AUTO_TEST_CASE(ten_thousand_at_once_begin_evenly_at_the_rate) {
  Owner owner(with(kOpen, [](auto& o) {
    o.concurrent = 20;
    o.per_second = 100;
  }));
  for (int i = 0; i < 10'000; ++i) BOOST_REQUIRE(owner.schedule.push({}, kStart).ticket != 0);
  Rng rng(1);
  owner.run([&](Ticket) { return Millis{10 + static_cast<std::int64_t>(rng.below(190))}; }, [](Ticket) { return 0U; });

  BOOST_TEST(owner.started.size() == 10'000U);
  BOOST_TEST(owner.most_running <= 20U);
  BOOST_TEST(owner.most_within(1s) <= 110U);
  // A tenth of a second's worth is there at the start, a hundred come every second.
  const auto whole = owner.started.back().at - kStart;
  BOOST_TEST((whole >= 99'900ms && whole <= 100'100ms));
  for (std::int64_t tenth = 1; tenth < 999; ++tenth) {
    const auto count =
        std::ranges::count_if(owner.started, [&](const Started& s) { return (s.at - kStart) / 100ms == tenth; });
    BOOST_TEST_CONTEXT("tenth " << tenth) {
      BOOST_TEST((count >= 5 && count <= 15));
    }
  }
}

BOOST_AUTO_TEST_CASE(concurrency_holds_back_what_the_rate_would_let_go) {
  Owner owner(with(kOpen, [](auto& o) {
    o.concurrent = 7;
    o.per_second = 1000;
  }));
  for (int i = 0; i < 700; ++i) owner.schedule.push({}, kStart);
  owner.run([](Ticket) { return 100ms; }, [](Ticket) { return 0U; });
  BOOST_TEST(owner.most_running == 7U);
  BOOST_TEST((owner.started.back().at - kStart == 9'900ms));
}

BOOST_AUTO_TEST_CASE(an_idle_time_saves_a_tenth_of_a_second) {
  struct Row {
    std::uint32_t per_second;
    std::size_t at_once;
  };
  for (const Row row : {Row{1, 1}, Row{5, 1}, Row{10, 1}, Row{19, 1}, Row{20, 2}, Row{1000, 100}}) {
    BOOST_TEST_CONTEXT(row.per_second) {
      FillSchedule schedule(with(kOpen, [&](auto& o) { o.per_second = row.per_second; }));
      for (int i = 0; i < 300; ++i) schedule.push({}, kStart);
      BOOST_TEST(drain(schedule, kStart).size() == row.at_once);
      BOOST_TEST(drain(schedule, kStart).empty());
      BOOST_TEST(drain(schedule, kStart + 10min).size() == row.at_once);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_clock_that_lags_gives_nothing_twice) {
  FillSchedule schedule(with(kOpen, [](auto& o) { o.per_second = 20; }));
  for (int i = 0; i < 10; ++i) schedule.push({}, kStart);
  // Two are saved, one more comes every 50 ms.
  BOOST_TEST(schedule.next(kStart + 200ms) != 0U);
  BOOST_TEST(drain(schedule, kStart + 100ms).size() == 1U);
  BOOST_TEST(drain(schedule, kStart + 200ms).empty());
  BOOST_TEST(drain(schedule, kStart + 250ms).size() == 1U);
  BOOST_TEST(drain(schedule, kStart + 200ms).empty());
  BOOST_TEST(drain(schedule, kStart + 300ms).size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_lower_class_only_when_no_higher_one_waits) {
  FillSchedule schedule(kOpen);
  std::vector<Ticket> want(5);
  const auto push = [&](FillClass klass, std::uint32_t heat) {
    return schedule.push({.klass = klass, .heat = heat}, kStart).ticket;
  };
  want[4] = push(FillClass::kPrefetch, 1000);
  want[3] = push(FillClass::kRefresh, 100);
  want[2] = push(FillClass::kRevalidate, 10);
  want[0] = push(FillClass::kMiss, 1);
  want[1] = push(FillClass::kMiss, 0);
  BOOST_TEST(schedule.waiting() == 5U);
  BOOST_TEST(schedule.waiting(FillClass::kMiss) == 2U);
  BOOST_TEST(schedule.waiting(FillClass::kPrefetch) == 1U);
  BOOST_TEST(drain(schedule, kStart) == want, boost::test_tools::per_element());
  BOOST_TEST(schedule.running() == 5U);
  BOOST_TEST(schedule.waiting(FillClass::kMiss) == 0U);
}

BOOST_AUTO_TEST_CASE(in_a_route_the_hottest_then_the_oldest) {
  FillSchedule schedule(kOpen);
  std::vector<Ticket> tickets;
  for (const std::uint32_t heat : {2U, 1U, 3U, 2U, 3U}) tickets.push_back(schedule.push({.heat = heat}, kStart).ticket);
  const std::vector<Ticket> want = {tickets[2], tickets[4], tickets[0], tickets[3], tickets[1]};
  BOOST_TEST(drain(schedule, kStart) == want, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(routes_take_turns_however_much_one_has_queued) {
  FillSchedule schedule(kOpen);
  for (int i = 0; i < 1000; ++i) schedule.push({.route = 4, .heat = 50}, kStart);
  std::vector<Ticket> few;
  for (int i = 0; i < 3; ++i) few.push_back(schedule.push({.route = 9}, kStart).ticket);
  const std::vector<Ticket> order = drain(schedule, kStart);
  BOOST_REQUIRE(order.size() == 1003U);
  for (std::size_t i = 0; i < few.size(); ++i) BOOST_TEST(order[2 * i + 1] == few[i]);
}

BOOST_AUTO_TEST_CASE(a_route_that_comes_back_waits_for_its_turn) {
  FillSchedule schedule(with(kOpen, [](auto& o) { o.concurrent = 1; }));
  const auto push = [&](std::uint32_t route) { return schedule.push({.route = route}, kStart).ticket; };
  const auto next = [&] {
    const Ticket ticket = schedule.next(kStart);
    if (ticket != 0) schedule.done(ticket, 0, kStart);
    return ticket;
  };
  const Ticket a1 = push(1);
  const Ticket b1 = push(2);
  const Ticket c1 = push(3);
  BOOST_TEST(next() == a1);
  const Ticket a2 = push(1);
  BOOST_TEST(next() == b1);
  const Ticket b2 = push(2);
  BOOST_TEST(next() == c1);
  BOOST_TEST(next() == a2);
  BOOST_TEST(next() == b2);
  BOOST_TEST(next() == 0U);
}

BOOST_AUTO_TEST_CASE(bump_moves_a_cold_key_ahead) {
  FillSchedule schedule(kOpen);
  const Ticket warm = schedule.push({.heat = 2}, kStart).ticket;
  const Ticket cold = schedule.push({.heat = 1}, kStart).ticket;
  const Ticket hottest = schedule.push({.heat = std::numeric_limits<std::uint32_t>::max()}, kStart).ticket;
  schedule.bump(hottest);
  schedule.bump(cold);
  schedule.bump(cold);
  schedule.bump(12345);
  const std::vector<Ticket> want = {hottest, cold, warm};
  BOOST_TEST(drain(schedule, kStart) == want, boost::test_tools::per_element());
  schedule.bump(cold);
  BOOST_TEST(schedule.waiting() == 0U);
}

BOOST_AUTO_TEST_CASE(cancelled_is_gone) {
  FillSchedule schedule(kOpen);
  const Ticket a = schedule.push({}, kStart).ticket;
  const Ticket b = schedule.push({}, kStart).ticket;
  BOOST_TEST(schedule.cancel(a));
  BOOST_TEST(!schedule.cancel(a));
  BOOST_TEST(schedule.waiting() == 1U);
  BOOST_TEST(schedule.next(kStart) == b);
  BOOST_TEST(!schedule.cancel(b), "it runs");
  BOOST_TEST(schedule.running() == 1U);
  schedule.done(b, 0, kStart);
  BOOST_TEST(schedule.running() == 0U);
}

BOOST_AUTO_TEST_CASE(full_makes_room_for_what_comes_before) {
  constexpr int kRefused = -1;
  struct Row {
    const char* name;
    std::vector<Order> held;
    Order fresh;
    int evicted;  // index into held
  };
  const auto miss = FillClass::kMiss;
  const auto refresh = FillClass::kRefresh;
  const std::vector<Row> rows = {
      {"equals: the older stay", {{miss, 1, 1}, {miss, 1, 1}}, {miss, 1, 1}, kRefused},
      {"colder", {{miss, 1, 3}, {miss, 1, 4}}, {miss, 1, 2}, kRefused},
      {"hotter than the coldest", {{miss, 1, 3}, {miss, 1, 4}}, {miss, 1, 4}, 0},
      {"of the coldest the newest", {{miss, 1, 3}, {miss, 1, 3}, {miss, 1, 9}}, {miss, 1, 4}, 1},
      {"a lower class, however hot", {{miss, 1, 1}, {refresh, 1, 90}}, {miss, 1, 1}, 1},
      {"the lowest of the lower", {{FillClass::kPrefetch, 1, 90}, {refresh, 1, 1}}, {miss, 1, 1}, 0},
      {"never a higher class", {{miss, 1, 1}, {miss, 1, 1}}, {refresh, 1, 90}, kRefused},
      {"its own class below a higher one", {{miss, 1, 1}, {refresh, 1, 1}}, {refresh, 1, 2}, 1},
      {"of the longest route", {{miss, 1, 5}, {miss, 1, 6}, {miss, 2, 1}}, {miss, 1, 7}, 0},
      {"a route with fewer, as cold", {{miss, 1, 1}, {miss, 1, 1}}, {miss, 2, 1}, 1},
      {"a route with fewer that would have as many",
       {{miss, 1, 1}, {miss, 1, 1}, {miss, 2, 1}},
       {miss, 2, 1},
       kRefused},
      {"one that would have as many, hotter", {{miss, 1, 1}, {miss, 1, 1}, {miss, 2, 1}}, {miss, 2, 2}, 1},
      {"of equally long ones the colder", {{miss, 1, 1}, {miss, 2, 2}}, {miss, 2, 2}, 0},
      {"no place at all", {}, {miss, 1, 1}, kRefused},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const auto queue = static_cast<std::uint32_t>(row.held.size());
      FillSchedule schedule(with(kOpen, [&](auto& o) { o.queue = queue; }));
      std::vector<Ticket> held;
      for (const Order& order : row.held) held.push_back(schedule.push(order, kStart).ticket);
      BOOST_TEST(schedule.is_full());
      const auto pushed = schedule.push(row.fresh, kStart);
      BOOST_TEST(schedule.waiting() == queue);
      BOOST_TEST((pushed.ticket == 0) == (row.evicted == kRefused));
      const Ticket want = row.evicted == kRefused ? 0 : held[static_cast<std::size_t>(row.evicted)];
      BOOST_TEST(pushed.evicted == want);
      BOOST_TEST((want == 0 || !schedule.cancel(want)));
    }
  }
}

BOOST_AUTO_TEST_CASE(two_routes_do_not_take_each_others_places_in_turns) {
  FillSchedule schedule(with(kOpen, [](auto& o) { o.queue = 100; }));
  for (int i = 0; i < 100; ++i) schedule.push({.route = 1}, kStart);
  std::size_t taken = 0;
  for (int i = 0; i < 200; ++i) taken += schedule.push({.route = 2}, kStart).evicted != 0 ? 1U : 0U;
  // Half of the places, give or take the last one.
  BOOST_TEST((taken == 49U || taken == 50U));
  for (int i = 0; i < 200; ++i) {
    BOOST_TEST(schedule.push({.route = 1 + static_cast<std::uint32_t>(i % 2)}, kStart).ticket == 0U);
  }
}

BOOST_AUTO_TEST_CASE(what_has_waited_too_long_is_taken_out) {
  FillSchedule schedule(with(kOpen, [](auto& o) {
    o.concurrent = 1;
    o.deadline = 30s;
  }));
  const Ticket a = schedule.push({.klass = FillClass::kPrefetch}, kStart).ticket;
  const Ticket b = schedule.push({.route = 7}, kStart + 1ms).ticket;
  const Ticket c = schedule.push({.heat = 9}, kStart + 10s).ticket;
  BOOST_TEST(schedule.expire(kStart + 29'999ms).empty());
  BOOST_TEST(schedule.expire(kStart + 30'001ms) == (std::vector{a, b}), boost::test_tools::per_element());
  BOOST_TEST(schedule.waiting() == 1U);
  BOOST_TEST(schedule.next(kStart + 31s) == c);
  BOOST_TEST(schedule.expire(kStart + 1h).empty(), "what runs has its own limits");
}

BOOST_AUTO_TEST_CASE(bytes_beyond_the_rate_are_waited_off) {
  FillSchedule schedule(with(kOpen, [](auto& o) { o.bytes_per_second = 1000; }));
  for (int i = 0; i < 10; ++i) schedule.push({}, kStart);
  const Ticket a = schedule.next(kStart);
  schedule.done(a, 1000, kStart);  // a second's worth is saved
  const Ticket b = schedule.next(kStart);
  BOOST_REQUIRE(b != 0U);
  schedule.done(b, 2500, kStart);
  BOOST_TEST(schedule.next(kStart) == 0U);
  BOOST_TEST((schedule.next_wake(kStart) == kStart + 2500ms));
  BOOST_TEST(schedule.next(kStart + 2499ms) == 0U);
  const Ticket c = schedule.next(kStart + 2500ms);
  BOOST_REQUIRE(c != 0U);
  // However long nothing ran, no more than a second's worth.
  schedule.done(c, 0, kStart + 2500ms);
  const Ticket d = schedule.next(kStart + 10min);
  schedule.done(d, 3000, kStart + 10min);
  BOOST_TEST((schedule.next_wake(kStart + 10min) == kStart + 10min + 2s));
}

BOOST_AUTO_TEST_CASE(a_long_fill_pays_only_for_what_it_took_beyond_the_rate) {
  FillSchedule schedule(with(kOpen, [](auto& o) {
    o.concurrent = 1;
    o.bytes_per_second = 1000;
  }));
  for (int i = 0; i < 3; ++i) schedule.push({}, kStart);
  const Ticket slow = schedule.next(kStart);
  schedule.done(slow, 20'000, kStart + 20s);
  const Ticket fast = schedule.next(kStart + 20s);
  BOOST_REQUIRE(fast != 0U);
  schedule.done(fast, 25'000, kStart + 40s);
  // 1000 saved, 20'000 given meanwhile.
  BOOST_TEST((schedule.next_wake(kStart + 40s) == kStart + 44s));
}

BOOST_AUTO_TEST_CASE(bytes_flow_at_the_rate_whatever_the_sizes) {
  Owner owner(with(kOpen, [](auto& o) {
    o.concurrent = 8;
    o.bytes_per_second = 1'000'000;
  }));
  Rng rng(2);
  std::map<Ticket, std::uint64_t> sizes;
  std::uint64_t total = 0;
  for (int i = 0; i < 3000; ++i) total += sizes[owner.schedule.push({}, kStart).ticket] = rng.below(100'000);
  owner.run([&](Ticket) { return Millis{1 + static_cast<std::int64_t>(rng.below(50))}; },
            [&](Ticket ticket) { return sizes.at(ticket); });
  const double seconds = std::chrono::duration<double>(owner.started.back().at - kStart).count();
  const double whole = static_cast<double>(total) / 1'000'000;
  // A second's worth is saved, and as much as eight fills bring is not yet known.
  BOOST_TEST(seconds >= whole - 2);
  BOOST_TEST(seconds <= whole + 1);
}

BOOST_AUTO_TEST_CASE(a_cold_start_grows_from_a_tenth_to_all) {
  FillSchedule schedule(with(kOpen, [](auto& o) {
    o.concurrent = 100;
    o.cold_start = 30s;
  }));
  BOOST_TEST(schedule.allowed(kStart) == 100U);
  schedule.begin_cold_start(kStart);
  struct Row {
    std::chrono::milliseconds at;
    std::uint32_t allowed;
  };
  for (const Row row :
       {Row{0s, 10}, Row{10'100ms, 40}, Row{20'100ms, 70}, Row{29'900ms, 99}, Row{30s, 100}, Row{1h, 100}}) {
    BOOST_TEST_CONTEXT(row.at.count()) {
      BOOST_TEST(schedule.allowed(kStart + row.at) == row.allowed);
    }
  }
  schedule.set_options(with(kOpen, [](auto& o) {
    o.concurrent = 3;
    o.cold_start = 30s;
  }));
  BOOST_TEST(schedule.allowed(kStart) == 1U, "one at least");
  schedule.set_options(with(kOpen, [](auto& o) { o.concurrent = 100; }));
  BOOST_TEST(schedule.allowed(kStart) == 100U, "switched off");
}

BOOST_AUTO_TEST_CASE(a_cold_start_slows_both_rates) {
  const auto starts_by = [](const Owner& owner, std::chrono::seconds at) {
    return std::ranges::count_if(owner.started, [&](const Started& s) { return s.at - kStart < at; });
  };
  {
    Owner owner(with(kOpen, [](auto& o) {
      o.per_second = 100;
      o.cold_start = 30s;
    }));
    owner.schedule.begin_cold_start(kStart);
    for (int i = 0; i < 3000; ++i) owner.schedule.push({}, kStart);
    owner.run([](Ticket) { return 1ms; }, [](Ticket) { return 0U; });
    // The rate is 10 at first, 55 after 15 s, 100 after 30 s; what has come by then is the area below.
    BOOST_TEST(std::abs(starts_by(owner, 1s) - 11) <= 2);
    BOOST_TEST(std::abs(starts_by(owner, 15s) - 487) <= 2);
    BOOST_TEST(std::abs(starts_by(owner, 30s) - 1650) <= 2);
    BOOST_TEST(std::abs(starts_by(owner, 40s) - 2650) <= 2);
  }
  {
    Owner owner(with(kOpen, [](auto& o) {
      o.concurrent = 10;
      o.bytes_per_second = 100'000;
      o.cold_start = 30s;
    }));
    owner.schedule.begin_cold_start(kStart);
    for (int i = 0; i < 3000; ++i) owner.schedule.push({}, kStart);
    owner.run([](Ticket) { return 1ms; }, [](Ticket) { return 1000U; });
    // A second's worth at the rate of then is saved, which is a tenth.
    BOOST_TEST(std::abs(starts_by(owner, 1s) - 21) <= 4);
    BOOST_TEST(std::abs(starts_by(owner, 30s) - 1660) <= 4);
    BOOST_TEST(std::abs(starts_by(owner, 40s) - 2660) <= 4);
  }
}

BOOST_AUTO_TEST_CASE(next_wake_knows_what_holds_things_back) {
  const auto none = std::optional<MonoTime>();
  {
    FillSchedule schedule(with(kOpen, [](auto& o) {
      o.concurrent = 1;
      o.deadline = 30s;
    }));
    BOOST_TEST((schedule.next_wake(kStart) == none), "nothing waits");
    schedule.push({}, kStart);
    BOOST_TEST((schedule.next_wake(kStart) == kStart), "it may start");
    const Ticket running = schedule.next(kStart);
    BOOST_TEST((schedule.next_wake(kStart) == none), "nothing waits any more");
    schedule.push({}, kStart + 2s);
    schedule.push({}, kStart + 3s);
    BOOST_TEST((schedule.next_wake(kStart + 3s) == kStart + 32s), "only the deadline");
    BOOST_TEST((schedule.next_wake(kStart + 40s) == kStart + 40s), "which is over");
    schedule.done(running, 0, kStart + 4s);
    BOOST_TEST((schedule.next_wake(kStart + 4s) == kStart + 4s));
  }
  {
    FillSchedule schedule(with(kOpen, [](auto& o) {
      o.per_second = 4;
      o.deadline = 100ms;
    }));
    for (int i = 0; i < 2; ++i) schedule.push({}, kStart);
    BOOST_REQUIRE(schedule.next(kStart) != 0U);
    BOOST_TEST((schedule.next_wake(kStart) == kStart + 100ms), "the deadline comes before the next start");
    BOOST_TEST(schedule.expire(kStart + 100ms).size() == 1U);
    schedule.push({}, kStart + 200ms);
    BOOST_TEST((schedule.next_wake(kStart + 200ms) == kStart + 250ms), "the next start");
  }
  {
    FillSchedule schedule(with(kOpen, [](auto& o) {
      o.concurrent = 10;
      o.cold_start = 90s;
    }));
    schedule.begin_cold_start(kStart);
    for (int i = 0; i < 20; ++i) schedule.push({}, kStart);
    BOOST_REQUIRE(schedule.next(kStart) != 0U);
    // One place more every ten seconds, and none after the tenth.
    for (int step = 1; step <= 9; ++step) {
      BOOST_TEST_CONTEXT("step " << step) {
        const MonoTime due = kStart + step * 10s;
        const auto wake = schedule.next_wake(due + Millis{-5'000});
        BOOST_REQUIRE(wake.has_value());
        BOOST_TEST(((*wake - due) <= 1us && (due - *wake) <= 1us));
        BOOST_TEST(drain(schedule, MonoTime{wake->us - 1}).empty());
        BOOST_TEST(drain(schedule, *wake).size() == 1U);
      }
    }
    BOOST_TEST((schedule.next_wake(kStart + 91s) == kStart + 1h));
  }
}

BOOST_AUTO_TEST_CASE(options_change_under_what_waits_and_runs) {
  FillSchedule schedule(with(kOpen, [](auto& o) { o.concurrent = 2; }));
  std::vector<Ticket> tickets;
  for (int i = 0; i < 6; ++i) tickets.push_back(schedule.push({}, kStart).ticket);
  BOOST_TEST(drain(schedule, kStart).size() == 2U);
  const auto smaller = with(kOpen, [](auto& o) {
    o.concurrent = 1;
    o.queue = 2;
    o.deadline = 1s;
  });
  schedule.set_options(smaller);
  BOOST_TEST((schedule.options() == smaller));
  BOOST_TEST(schedule.waiting() == 4U, "nothing is lost by it");
  BOOST_TEST(schedule.is_full());
  BOOST_TEST(schedule.push({}, kStart).ticket == 0U);
  schedule.done(tickets[0], 0, kStart);
  BOOST_TEST(schedule.next(kStart) == 0U);
  schedule.done(tickets[1], 0, kStart);
  BOOST_TEST(schedule.next(kStart) == tickets[2]);
  BOOST_TEST((schedule.next_wake(kStart) == kStart + 1s));
  schedule.set_options(kOpen);
  BOOST_TEST(drain(schedule, kStart).size() == 3U);
}

BOOST_AUTO_TEST_CASE(waits_are_those_of_the_last_256) {
  FillSchedule schedule(kOpen);
  BOOST_TEST(schedule.wait_percentile(50).count() == 0);
  const auto wait = [&](Millis time) {
    schedule.push({}, kStart);
    BOOST_REQUIRE(schedule.next(kStart + time) != 0U);
  };
  for (int i = 0; i < 300; ++i) wait(1h);
  for (int i = 1; i <= 256; ++i) wait(Millis{i});
  struct Row {
    double p;
    std::int64_t want;
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const Row row : {Row{0, 1}, Row{50, 128}, Row{99, 254}, Row{100, 256}, Row{-5, 1}, Row{500, 256}, Row{nan, 1}}) {
    BOOST_TEST_CONTEXT(row.p) {
      BOOST_TEST(schedule.wait_percentile(row.p).count() == row.want);
    }
  }
}

// The contract read word by word, over a plain list.
class Model {
 public:
  Model(std::uint64_t seed, const FillScheduleOptions& options) : rng_(seed), options_(options), schedule_(options) {}

  void step() {
    switch (rng_.below(10)) {
      case 0:
      case 1:
      case 2:
      case 3: push(); break;
      case 4: bump(); break;
      case 5: cancel(); break;
      case 6:
      case 7: next(); break;
      case 8: end_one(); break;
      default: now_ = now_ + Millis{static_cast<std::int64_t>(rng_.below(2000))}; expire();
    }
    BOOST_REQUIRE(schedule_.waiting() == held_.size());
    BOOST_REQUIRE(schedule_.running() == running_.size());
    BOOST_REQUIRE(schedule_.is_full() == (held_.size() >= options_.queue));
    for (std::size_t klass = 0; klass < kFillClasses; ++klass) {
      const auto count = std::ranges::count_if(held_, [&](const Held& h) { return class_of(h) == klass; });
      BOOST_REQUIRE(schedule_.waiting(static_cast<FillClass>(klass)) == static_cast<std::uint32_t>(count));
    }
  }

 private:
  struct Held {
    Ticket ticket;
    Order order;
    MonoTime since;
  };

  static std::size_t class_of(const Held& held) { return static_cast<std::size_t>(held.order.klass); }
  std::size_t length_of(FillClass klass, std::uint32_t route) const {
    return static_cast<std::size_t>(
        std::ranges::count_if(held_, [&](const Held& h) { return h.order.klass == klass && h.order.route == route; }));
  }
  // A known ticket mostly, else any.
  Ticket some_ticket() {
    return held_.empty() || rng_.below(5) == 0 ? rng_.below(50) : held_[rng_.below(held_.size())].ticket;
  }

  // Index into held_ of what has to go; nullopt: nothing comes after `order`.
  std::optional<std::size_t> victim_for(const Order& order) const {
    const auto is_later = [this](const Held& a, const Held& b) {
      if (a.order.klass != b.order.klass) return a.order.klass > b.order.klass;
      const std::size_t length_a = length_of(a.order.klass, a.order.route);
      const std::size_t length_b = length_of(b.order.klass, b.order.route);
      if (length_a != length_b) return length_a > length_b;
      return a.order.heat != b.order.heat ? a.order.heat < b.order.heat : a.ticket > b.ticket;
    };
    std::size_t last = 0;
    for (std::size_t i = 1; i < held_.size(); ++i) {
      if (is_later(held_[i], held_[last])) last = i;
    }
    const Order& worst = held_[last].order;
    if (worst.klass != order.klass) return worst.klass > order.klass ? std::optional(last) : std::nullopt;
    const bool stays_shorter = length_of(order.klass, order.route) + 1 < length_of(worst.klass, worst.route);
    return order.heat > worst.heat || stays_shorter ? std::optional(last) : std::nullopt;
  }

  void push() {
    const Order order{.klass = static_cast<FillClass>(rng_.below(kFillClasses)),
                      .route = static_cast<std::uint32_t>(rng_.below(4)),
                      .heat = static_cast<std::uint32_t>(rng_.below(4))};
    const bool is_full = held_.size() >= options_.queue;
    const auto victim = is_full ? victim_for(order) : std::nullopt;
    const auto pushed = schedule_.push(order, now_);
    BOOST_REQUIRE((pushed.ticket != 0) == (!is_full || victim));
    BOOST_REQUIRE(pushed.evicted == (victim ? held_[*victim].ticket : 0));
    if (victim) held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(*victim));
    if (pushed.ticket != 0) held_.push_back({pushed.ticket, order, now_});
  }

  void bump() {
    const Ticket ticket = some_ticket();
    schedule_.bump(ticket);
    const auto at = std::ranges::find(held_, ticket, &Held::ticket);
    if (at != held_.end()) ++at->order.heat;
  }

  void cancel() {
    const Ticket ticket = some_ticket();
    BOOST_REQUIRE(schedule_.cancel(ticket) ==
                  (std::erase_if(held_, [&](const Held& h) { return h.ticket == ticket; }) > 0));
  }

  void next() {
    const Ticket got = schedule_.next(now_);
    if (held_.empty() || running_.size() >= options_.concurrent) {
      BOOST_REQUIRE(got == 0U);
      return;
    }
    const FillClass klass = std::ranges::min_element(held_, {}, class_of)->order.klass;
    std::uint32_t& turn = turns_[klass];
    const auto comes_first = [&](const Held& a, const Held& b) {
      // Those whose turn it is, the others after them.
      const std::uint32_t distance_a = (a.order.route - turn - 1) % 4;
      const std::uint32_t distance_b = (b.order.route - turn - 1) % 4;
      if (distance_a != distance_b) return distance_a < distance_b;
      return a.order.heat != b.order.heat ? a.order.heat > b.order.heat : a.ticket < b.ticket;
    };
    const Held* want = nullptr;
    for (const Held& held : held_) {
      if (held.order.klass == klass && (!want || comes_first(held, *want))) want = &held;
    }
    BOOST_REQUIRE(got == want->ticket);
    turn = want->order.route;
    running_.push_back(got);
    std::erase_if(held_, [&](const Held& h) { return h.ticket == got; });
  }

  void end_one() {
    if (running_.empty()) return;
    const std::size_t i = rng_.below(running_.size());
    schedule_.done(running_[i], 0, now_);
    running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i));
  }

  void expire() {
    std::vector<Ticket> want;
    for (const Held& held : held_) {
      if (held.since + options_.deadline <= now_) want.push_back(held.ticket);
    }
    const auto got = schedule_.expire(now_);
    BOOST_TEST_REQUIRE(got == want, boost::test_tools::per_element());
    std::erase_if(held_, [&](const Held& h) { return std::ranges::find(want, h.ticket) != want.end(); });
  }

  Rng rng_;
  FillScheduleOptions options_;
  FillSchedule schedule_;
  MonoTime now_ = kStart;
  std::vector<Held> held_;
  std::vector<Ticket> running_;
  std::map<FillClass, std::uint32_t> turns_{
      {FillClass::kMiss, 3}, {FillClass::kRevalidate, 3}, {FillClass::kRefresh, 3}, {FillClass::kPrefetch, 3}};
};

BOOST_AUTO_TEST_CASE(as_the_model_has_it) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    BOOST_TEST_CONTEXT("seed " << seed) {
      Model model(seed, with(kOpen, [&](auto& o) {
                    o.concurrent = 1 + static_cast<std::uint32_t>(seed % 5);
                    o.queue = 5 + static_cast<std::uint32_t>(seed % 20);
                    o.deadline = 5s;
                  }));
      for (int i = 0; i < 500; ++i) model.step();
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::fill
