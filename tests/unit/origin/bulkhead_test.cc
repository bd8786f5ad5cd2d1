// The cases one by one, then the bulkhead against a model that looks at every entry on every step, from fixed seeds.
#include "origin/bulkhead.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdint>
#include <set>
#include <vector>

#include "base/rng.h"

namespace seawall::origin {
namespace {

using namespace std::chrono_literals;
using Ticket = Bulkhead::Ticket;
using Entry = Bulkhead::Entry;
using Tickets = std::vector<Ticket>;

constexpr MonoTime kNow{1'000'000};
constexpr Bulkhead::Request kForeground{};
constexpr Bulkhead::Request kBackground{.is_background = true};

LimitOptions limits(std::uint32_t in_flight, std::uint32_t queue) {
  LimitOptions options;
  options.in_flight = in_flight;
  options.queue = queue;
  return options;
}

Tickets enter_many(Bulkhead& bulkhead, std::size_t count, const Bulkhead::Request& request, Entry want) {
  Tickets tickets;
  for (std::size_t i = 0; i < count; ++i) {
    const auto entered = bulkhead.enter(request, kNow);
    BOOST_TEST_REQUIRE((entered.entry == want));
    tickets.push_back(entered.ticket);
  }
  return tickets;
}

// Everybody whom next() names, in its order.
Tickets drain(Bulkhead& bulkhead) {
  Tickets tickets;
  while (const Ticket ticket = bulkhead.next(kNow)) tickets.push_back(ticket);
  return tickets;
}

// The order in which those who wait get the one place there is.
Tickets order_of_waiting(Bulkhead& bulkhead, Ticket holder) {
  Tickets tickets;
  bulkhead.leave(holder);
  while (const Ticket ticket = bulkhead.next(kNow)) {
    tickets.push_back(ticket);
    bulkhead.leave(ticket);
  }
  return tickets;
}

BOOST_AUTO_TEST_SUITE(origin_bulkhead)

BOOST_AUTO_TEST_CASE(places_then_queue_then_full) {
  Bulkhead bulkhead(limits(2, 4), 1);
  const auto holders = enter_many(bulkhead, 2, kForeground, Entry::kGranted);
  const auto waiting = enter_many(bulkhead, 4, kForeground, Entry::kQueued);
  const auto refused = bulkhead.enter(kForeground, kNow);
  BOOST_TEST((refused.entry == Entry::kFull));
  BOOST_TEST(refused.ticket == 0U);
  BOOST_TEST(bulkhead.in_flight() == 2U);
  BOOST_TEST(bulkhead.queued() == 4U);

  std::set<Ticket> all(holders.begin(), holders.end());
  all.insert(waiting.begin(), waiting.end());
  BOOST_TEST(all.size() == 6U);
  BOOST_TEST(!all.contains(0));
}

BOOST_AUTO_TEST_CASE(a_place_given_back_goes_to_one_who_waits) {
  Bulkhead bulkhead(limits(1, 4), 1);
  const auto holder = enter_many(bulkhead, 1, kForeground, Entry::kGranted);
  const auto waiting = enter_many(bulkhead, 1, kForeground, Entry::kQueued);
  BOOST_TEST(bulkhead.next(kNow) == 0U);
  bulkhead.leave(holder[0]);
  BOOST_TEST(bulkhead.in_flight() == 0U);
  BOOST_TEST(bulkhead.next(kNow) == waiting[0]);
  BOOST_TEST(bulkhead.in_flight() == 1U);
  BOOST_TEST(bulkhead.queued() == 0U);
  bulkhead.leave(waiting[0]);
  BOOST_TEST(bulkhead.next(kNow) == 0U);
  BOOST_TEST(bulkhead.in_flight() == 0U);
}

BOOST_AUTO_TEST_CASE(without_a_queue_nobody_waits) {
  Bulkhead bulkhead(limits(1, 0), 1);
  enter_many(bulkhead, 1, kForeground, Entry::kGranted);
  enter_many(bulkhead, 1, kForeground, Entry::kFull);
  enter_many(bulkhead, 1, kBackground, Entry::kFull);
  BOOST_TEST(bulkhead.queued() == 0U);
  BOOST_TEST(bulkhead.next(kNow) == 0U);
}

BOOST_AUTO_TEST_CASE(no_places_are_one) {
  Bulkhead bulkhead(limits(0, 1), 2);
  BOOST_TEST(bulkhead.limit() == 1U);
  enter_many(bulkhead, 1, kBackground, Entry::kGranted);
  enter_many(bulkhead, 1, kForeground, Entry::kQueued);
}

BOOST_AUTO_TEST_CASE(oldest_first_while_the_queue_is_half_full) {
  Bulkhead bulkhead(limits(1, 8), 1);
  const auto holder = enter_many(bulkhead, 1, kForeground, Entry::kGranted);
  const auto w = enter_many(bulkhead, 4, kForeground, Entry::kQueued);
  BOOST_TEST(order_of_waiting(bulkhead, holder[0]) == w, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(newest_first_past_half_until_half_is_left) {
  Bulkhead bulkhead(limits(1, 8), 1);
  const auto holder = enter_many(bulkhead, 1, kForeground, Entry::kGranted);
  const auto w = enter_many(bulkhead, 7, kForeground, Entry::kQueued);
  const Tickets want = {w[6], w[5], w[4], w[0], w[1], w[2], w[3]};
  BOOST_TEST(order_of_waiting(bulkhead, holder[0]) == want, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(foreground_before_background_in_both_orders) {
  auto options = limits(1, 8);
  options.background_percent = 50;
  Bulkhead bulkhead(options, 1);
  const auto holder = enter_many(bulkhead, 1, kForeground, Entry::kGranted);
  const auto bg = enter_many(bulkhead, 3, kBackground, Entry::kQueued);
  const auto fg = enter_many(bulkhead, 3, kForeground, Entry::kQueued);
  const Tickets want = {fg[2], fg[1], fg[0], bg[0], bg[1], bg[2]};
  BOOST_TEST(order_of_waiting(bulkhead, holder[0]) == want, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(background_has_a_share_of_the_places) {
  struct Row {
    const char* name;
    std::uint32_t in_flight;
    std::uint32_t percent;
    std::uint32_t want;
  };
  const std::vector<Row> rows = {
      {.name = "a quarter", .in_flight = 8, .percent = 25, .want = 2},
      {.name = "rounded down", .in_flight = 11, .percent = 25, .want = 2},
      {.name = "at least one", .in_flight = 3, .percent = 25, .want = 1},
      {.name = "none is one", .in_flight = 8, .percent = 0, .want = 1},
      {.name = "all", .in_flight = 8, .percent = 100, .want = 8},
      {.name = "more than all", .in_flight = 8, .percent = 300, .want = 8},
  };
  for (const auto& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      auto options = limits(row.in_flight, 16);
      options.background_percent = row.percent;
      Bulkhead bulkhead(options, 1);
      const auto holders = enter_many(bulkhead, row.want, kBackground, Entry::kGranted);
      const auto waiting = enter_many(bulkhead, 1, kBackground, Entry::kQueued);
      BOOST_TEST(bulkhead.background() == row.want);
      enter_many(bulkhead, row.in_flight - row.want, kForeground, Entry::kGranted);
      bulkhead.leave(holders[0]);
      BOOST_TEST(bulkhead.background() == row.want - 1);
      BOOST_TEST(drain(bulkhead) == waiting, boost::test_tools::per_element());
    }
  }
}

BOOST_AUTO_TEST_CASE(background_has_a_share_of_the_queue) {
  Bulkhead bulkhead(limits(1, 8), 1);
  enter_many(bulkhead, 1, kForeground, Entry::kGranted);
  const auto bg = enter_many(bulkhead, 2, kBackground, Entry::kQueued);
  enter_many(bulkhead, 1, kBackground, Entry::kFull);
  enter_many(bulkhead, 6, kForeground, Entry::kQueued);
  BOOST_TEST(bulkhead.cancel(bg[0]));
  enter_many(bulkhead, 1, kBackground, Entry::kQueued);
  // A share is at least a place.
  Bulkhead small(limits(1, 2), 1);
  enter_many(small, 1, kForeground, Entry::kGranted);
  enter_many(small, 1, kBackground, Entry::kQueued);
  enter_many(small, 1, kBackground, Entry::kFull);
}

BOOST_AUTO_TEST_CASE(a_route_has_a_share_where_several_share_the_origin) {
  struct Row {
    const char* name;
    std::uint32_t in_flight;
    std::uint32_t routes;
    std::uint32_t percent;
    std::uint32_t want;
  };
  const std::vector<Row> rows = {
      {.name = "half", .in_flight = 8, .routes = 2, .percent = 50, .want = 4},
      {.name = "half of an odd number", .in_flight = 5, .routes = 9, .percent = 50, .want = 2},
      {.name = "at least one", .in_flight = 8, .routes = 2, .percent = 1, .want = 1},
      {.name = "one route has all", .in_flight = 8, .routes = 1, .percent = 50, .want = 8},
      {.name = "no route has all too", .in_flight = 8, .routes = 0, .percent = 50, .want = 8},
  };
  for (const auto& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      auto options = limits(row.in_flight, 4);
      options.route_percent = row.percent;
      Bulkhead bulkhead(options, row.routes);
      enter_many(bulkhead, row.want, {.route = 4'000'000'000}, Entry::kGranted);
      enter_many(bulkhead, 1, {.route = 4'000'000'000}, Entry::kQueued);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_route_at_its_share_does_not_block_others) {
  Bulkhead bulkhead(limits(4, 16), 2);
  const auto slow = enter_many(bulkhead, 2, {.route = 1}, Entry::kGranted);
  const auto quick = enter_many(bulkhead, 2, {.route = 2}, Entry::kGranted);
  const auto slow_waiting = enter_many(bulkhead, 3, {.route = 1}, Entry::kQueued);
  const auto quick_waiting = enter_many(bulkhead, 2, {.route = 2}, Entry::kQueued);
  bulkhead.leave(quick[0]);
  BOOST_TEST(drain(bulkhead) == Tickets{quick_waiting[0]}, boost::test_tools::per_element());
  bulkhead.leave(slow[0]);
  BOOST_TEST(drain(bulkhead) == Tickets{slow_waiting[0]}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_free_place_is_nobodys_whose_share_is_full) {
  Bulkhead bulkhead(limits(4, 16), 2);
  enter_many(bulkhead, 2, {.route = 1}, Entry::kGranted);
  enter_many(bulkhead, 1, {.route = 1}, Entry::kQueued);
  BOOST_TEST(bulkhead.next(kNow) == 0U);
  // One that waits for its own route is no reason to wait for the others.
  enter_many(bulkhead, 1, {.route = 2}, Entry::kGranted);
}

BOOST_AUTO_TEST_CASE(nobody_overtakes_between_leave_and_next) {
  Bulkhead bulkhead(limits(1, 4), 1);
  auto holder = enter_many(bulkhead, 1, kForeground, Entry::kGranted);
  const auto first = enter_many(bulkhead, 1, kForeground, Entry::kQueued);
  bulkhead.leave(holder[0]);
  const auto second = enter_many(bulkhead, 1, kForeground, Entry::kQueued);
  BOOST_TEST(drain(bulkhead) == first, boost::test_tools::per_element());
  bulkhead.leave(first[0]);
  enter_many(bulkhead, 1, kBackground, Entry::kQueued);
  BOOST_TEST(drain(bulkhead) == second, boost::test_tools::per_element());
  // Foreground comes before the background that waits.
  bulkhead.leave(second[0]);
  enter_many(bulkhead, 1, kForeground, Entry::kGranted);
}

BOOST_AUTO_TEST_CASE(the_newest_overtakes_a_long_queue) {
  Bulkhead bulkhead(limits(1, 4), 1);
  const auto holder = enter_many(bulkhead, 1, kForeground, Entry::kGranted);
  enter_many(bulkhead, 4, kForeground, Entry::kQueued);
  bulkhead.leave(holder[0]);
  enter_many(bulkhead, 1, kForeground, Entry::kGranted);
}

BOOST_AUTO_TEST_CASE(cancel_takes_out_of_the_queue_only) {
  Bulkhead bulkhead(limits(1, 8), 1);
  const auto holder = enter_many(bulkhead, 1, kForeground, Entry::kGranted);
  const auto w = enter_many(bulkhead, 3, kForeground, Entry::kQueued);
  BOOST_TEST(bulkhead.cancel(w[1]));
  BOOST_TEST(!bulkhead.cancel(w[1]));
  BOOST_TEST(!bulkhead.cancel(holder[0]));
  BOOST_TEST(!bulkhead.cancel(0));
  BOOST_TEST(!bulkhead.cancel(1'000));
  BOOST_TEST(bulkhead.queued() == 2U);
  BOOST_TEST(bulkhead.in_flight() == 1U);
  bulkhead.leave(holder[0]);
  BOOST_TEST(bulkhead.next(kNow) == w[0]);
  BOOST_TEST(!bulkhead.cancel(w[0]));
  bulkhead.leave(w[0]);
  BOOST_TEST(bulkhead.next(kNow) == w[2]);
}

BOOST_AUTO_TEST_CASE(tickets_do_not_come_again) {
  Bulkhead bulkhead(limits(1, 1), 1);
  std::set<Ticket> seen;
  for (int i = 0; i < 100; ++i) {
    const Ticket granted = bulkhead.enter(kForeground, kNow).ticket;
    const Ticket queued = bulkhead.enter(kForeground, kNow).ticket;
    BOOST_TEST(seen.insert(granted).second);
    BOOST_TEST(seen.insert(queued).second);
    bulkhead.cancel(queued);
    bulkhead.leave(granted);
  }
}

BOOST_AUTO_TEST_CASE(a_lower_limit_holds_until_enough_have_left) {
  Bulkhead bulkhead(limits(8, 8), 2);
  const auto a = enter_many(bulkhead, 4, {.route = 1}, Entry::kGranted);
  const auto b = enter_many(bulkhead, 2, {.route = 2}, Entry::kGranted);
  bulkhead.set_limit(4);
  BOOST_TEST(bulkhead.limit() == 4U);
  const auto waiting = enter_many(bulkhead, 1, {.route = 2}, Entry::kQueued);
  bulkhead.leave(a[0]);
  bulkhead.leave(a[1]);
  BOOST_TEST(bulkhead.next(kNow) == 0U);
  bulkhead.leave(a[2]);
  // A place is free, but the shares go by the limit in force: two are all that a route has of four.
  BOOST_TEST(bulkhead.in_flight() == 3U);
  BOOST_TEST(bulkhead.next(kNow) == 0U);
  bulkhead.leave(b[0]);
  BOOST_TEST(drain(bulkhead) == waiting, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(limit_in_force) {
  auto options = limits(10, 8);
  options.is_adaptive = true;
  Bulkhead bulkhead(options, 1);
  BOOST_TEST(bulkhead.limit() == 10U);
  bulkhead.set_limit(20);
  BOOST_TEST(bulkhead.limit() == 10U);
  bulkhead.set_limit(0);
  BOOST_TEST(bulkhead.limit() == 1U);
  bulkhead.set_limit(4);
  options.in_flight = 30;
  bulkhead.set_options(options, 1);
  BOOST_TEST(bulkhead.limit() == 4U);
  options.is_adaptive = false;
  bulkhead.set_options(options, 1);
  BOOST_TEST(bulkhead.limit() == 30U);
}

BOOST_AUTO_TEST_CASE(new_options_keep_those_inside) {
  Bulkhead bulkhead(limits(1, 4), 1);
  enter_many(bulkhead, 1, kForeground, Entry::kGranted);
  const auto w = enter_many(bulkhead, 4, kForeground, Entry::kQueued);
  bulkhead.set_options(limits(3, 1), 1);
  BOOST_TEST(bulkhead.queued() == 4U);
  // Far more than half of the new queue is taken.
  const Tickets want = {w[3], w[2]};
  BOOST_TEST(drain(bulkhead) == want, boost::test_tools::per_element());
  enter_many(bulkhead, 1, kForeground, Entry::kFull);
  bulkhead.set_options(limits(4, 8), 2);
  BOOST_TEST(bulkhead.next(kNow) == 0U);
  bulkhead.set_options(limits(4, 8), 1);
  BOOST_TEST(bulkhead.next(kNow) == w[0]);
}

BOOST_AUTO_TEST_CASE(saturation_is_of_places_and_queue) {
  Bulkhead bulkhead(limits(2, 2), 1);
  BOOST_TEST(bulkhead.saturation() == 0.0);
  enter_many(bulkhead, 2, kForeground, Entry::kGranted);
  BOOST_TEST(bulkhead.saturation() == 0.5);
  enter_many(bulkhead, 2, kForeground, Entry::kQueued);
  BOOST_TEST(bulkhead.saturation() == 1.0);
  bulkhead.set_limit(1);
  BOOST_TEST(bulkhead.saturation() == 1.0);
}

BOOST_AUTO_TEST_CASE(percentiles_of_the_last_256_waits) {
  Bulkhead bulkhead(limits(1, 4), 1);
  BOOST_TEST(bulkhead.wait_percentile(50).count() == 0);
  // One who waits for `wait`; its holder's place was had at once and counts as no wait.
  const auto wait_once = [&](Millis wait) {
    const Ticket holder = bulkhead.enter(kForeground, kNow).ticket;
    bulkhead.enter(kForeground, kNow);
    bulkhead.leave(holder);
    bulkhead.leave(bulkhead.next(kNow + wait));
  };
  for (int ms = 1; ms <= 100; ++ms) wait_once(Millis{ms});
  struct Row {
    double p;
    std::int64_t want_ms;
  };
  for (const auto& row :
       std::vector<Row>{{0, 0}, {50, 0}, {50.5, 1}, {75, 50}, {99, 98}, {100, 100}, {-1, 0}, {200, 100}}) {
    BOOST_TEST_CONTEXT(row.p) {
      BOOST_TEST(bulkhead.wait_percentile(row.p).count() == row.want_ms);
    }
  }
  for (int i = 0; i < 127; ++i) wait_once(7ms);
  BOOST_TEST(bulkhead.wait_percentile(100).count() == 100);
  wait_once(7ms);
  BOOST_TEST(bulkhead.wait_percentile(100).count() == 7);
}

BOOST_AUTO_TEST_CASE(a_clock_behind_makes_no_negative_wait) {
  Bulkhead bulkhead(limits(1, 4), 1);
  const Ticket holder = bulkhead.enter(kForeground, kNow).ticket;
  bulkhead.enter(kForeground, kNow + 5s);
  bulkhead.leave(holder);
  bulkhead.next(kNow);
  BOOST_TEST(bulkhead.wait_percentile(0).count() == 0);
}

struct ModelEntry {
  Ticket ticket;
  Bulkhead::Request request;
};

// The rules as sentences over plain lists, which are in order of arrival.
class Model {
 public:
  explicit Model(const LimitOptions& options) : options_(options) {}

  void set_limit(std::uint32_t in_flight) { limit_ = std::min(in_flight, options_.in_flight); }
  std::uint32_t limit() const { return limit_; }

  bool may_go(const Bulkhead::Request& r) const {
    const auto of_route = std::ranges::count(inside, r.route, [](const ModelEntry& e) { return e.request.route; });
    return inside.size() < limit_ && share(limit_, options_.route_percent) > of_route &&
           (!r.is_background || share(limit_, options_.background_percent) > background_of(inside));
  }
  bool may_wait(const Bulkhead::Request& r) const {
    return waiting.size() < options_.queue &&
           (!r.is_background || share(options_.queue, options_.background_percent) > background_of(waiting));
  }
  // Index of the one that goes next, or waiting.size().
  std::size_t next() const {
    const bool is_newest_first = waiting.size() * 2 > options_.queue;
    for (const bool is_background : {false, true}) {
      for (std::size_t n = 0; n < waiting.size(); ++n) {
        const std::size_t i = is_newest_first ? waiting.size() - 1 - n : n;
        if (waiting[i].request.is_background == is_background && may_go(waiting[i].request)) return i;
      }
    }
    return waiting.size();
  }

  std::vector<ModelEntry> inside;
  std::vector<ModelEntry> waiting;

  static std::int64_t background_of(const std::vector<ModelEntry>& entries) {
    return std::ranges::count_if(entries, [](const ModelEntry& e) { return e.request.is_background; });
  }

 private:
  static std::int64_t share(std::uint32_t of, std::uint32_t percent) {
    return std::max(std::int64_t{of} * percent / 100, std::int64_t{1});
  }

  LimitOptions options_;
  std::uint32_t limit_ = options_.in_flight;
};

void take_out(std::vector<ModelEntry>& entries, std::size_t i) {
  entries.erase(entries.begin() + static_cast<std::ptrdiff_t>(i));
}

void let_in(Bulkhead& bulkhead, Model& model) {
  for (;;) {
    const std::size_t i = model.next();
    const Ticket got = bulkhead.next(kNow);
    BOOST_TEST_REQUIRE(got == (i == model.waiting.size() ? 0 : model.waiting[i].ticket));
    if (got == 0) return;
    model.inside.push_back(model.waiting[i]);
    take_out(model.waiting, i);
  }
}

void enter_one(Bulkhead& bulkhead, Model& model, Rng& rng) {
  const Bulkhead::Request request{.route = static_cast<std::uint32_t>(rng.below(4)),
                                  .is_background = rng.below(3) == 0};
  const auto entered = bulkhead.enter(request, kNow);
  const Entry want = model.may_go(request) ? Entry::kGranted : model.may_wait(request) ? Entry::kQueued : Entry::kFull;
  BOOST_TEST_REQUIRE((entered.entry == want));
  if (want != Entry::kFull) {
    (want == Entry::kGranted ? model.inside : model.waiting).push_back({entered.ticket, request});
  }
}

BOOST_AUTO_TEST_CASE(as_the_model) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    BOOST_TEST_CONTEXT("seed " << seed) {
      Rng rng(seed);
      const auto options =
          limits(static_cast<std::uint32_t>(4 + rng.below(12)), static_cast<std::uint32_t>(rng.below(24)));
      Bulkhead bulkhead(options, 4);
      Model model(options);
      for (int step = 0; step < 2000; ++step) {
        const std::uint64_t what = rng.below(10);
        if (what < 6) {
          enter_one(bulkhead, model, rng);
        } else if (what < 8 && !model.inside.empty()) {
          const std::size_t i = rng.below(model.inside.size());
          bulkhead.leave(model.inside[i].ticket);
          take_out(model.inside, i);
        } else if (what == 8 && !model.waiting.empty()) {
          const std::size_t i = rng.below(model.waiting.size());
          BOOST_TEST_REQUIRE(bulkhead.cancel(model.waiting[i].ticket));
          take_out(model.waiting, i);
        } else if (what == 9) {
          const auto limit = static_cast<std::uint32_t>(1 + rng.below(options.in_flight));
          bulkhead.set_limit(limit);
          model.set_limit(limit);
        }
        // A change of the order, too, may leave nobody but those whom next() names.
        let_in(bulkhead, model);
        BOOST_TEST_REQUIRE(bulkhead.in_flight() == model.inside.size());
        BOOST_TEST_REQUIRE(bulkhead.queued() == model.waiting.size());
        BOOST_TEST_REQUIRE(bulkhead.background() == static_cast<std::uint32_t>(Model::background_of(model.inside)));
        BOOST_TEST_REQUIRE(bulkhead.limit() == model.limit());
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::origin
