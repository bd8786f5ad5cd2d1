// When a breaker opens, what it lets through meanwhile, and how it closes again.
#include "origin/breaker.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace seawall::origin {
namespace {

using Admission = Breaker::Admission;
using State = Breaker::State;

constexpr MonoTime kStart{1'000'000'000};

std::string_view to_string(State state) {
  switch (state) {
    case State::kClosed: return "closed";
    case State::kOpen: return "open";
    case State::kHalfOpen: return "half-open";
  }
  return "?";
}

std::string_view to_string(Admission admission) {
  switch (admission) {
    case Admission::kCall: return "call";
    case Admission::kProbe: return "probe";
    case Admission::kRefused: return "refused";
  }
  return "?";
}

// A breaker, a time that only the test moves, and a fresh URL for each call that names none.
struct Bench {
  explicit Bench(const BreakerOptions& options = {}, std::uint64_t seed = 1) : breaker(options), rng(seed) {}

  std::string_view admit(Caller caller = Caller::kBackground) { return to_string(breaker.admit(now, caller)); }
  bool record(Admission admission, Outcome outcome) { return record(admission, outcome, ++next_url); }
  bool record(Admission admission, Outcome outcome, std::uint64_t url) {
    return breaker.record(now, admission, outcome, url, rng);
  }
  bool call(Outcome outcome) { return record(breaker.admit(now, Caller::kClient), outcome); }
  void calls(int n, Outcome outcome) {
    for (int i = 0; i < n; ++i) call(outcome);
  }
  std::string_view state() const { return to_string(breaker.state(now)); }
  Millis retry_after() const { return breaker.retry_after(now); }
  void pass(Millis time) { now = now + time; }

  void open() {
    calls(5, Outcome::kConnectFailure);
    BOOST_TEST_REQUIRE(state() == "open");
  }
  void half_open() {
    pass(retry_after());
    BOOST_TEST_REQUIRE(state() == "half-open");
  }
  bool probe(Outcome outcome) {
    BOOST_TEST_REQUIRE(admit() == "probe");
    return record(Admission::kProbe, outcome);
  }

  Breaker breaker;
  Rng rng;
  MonoTime now = kStart;
  std::uint64_t next_url = 1'000'000;
};

BOOST_AUTO_TEST_SUITE(origin_breaker)

BOOST_AUTO_TEST_CASE(what_opens_it) {
  struct Row {
    const char* name;
    int good = 0;
    Outcome outcome = Outcome::kGatewayError;
    int bad = 0;
    std::uint64_t urls = 1'000;  // the bad ones go round so many
    double ratio = 0.5;
    const char* want = "closed";
  };
  const std::vector<Row> rows = {
      {.name = "half of the calls", .good = 10, .bad = 10, .want = "open"},
      {.name = "less than half", .good = 11, .bad = 10},
      {.name = "all, but too few calls", .bad = 19},
      {.name = "all of just enough", .bad = 20, .want = "open"},
      {.name = "another ratio", .good = 45, .bad = 5, .ratio = 0.1, .want = "open"},
      {.name = "less than another ratio", .good = 46, .bad = 5, .ratio = 0.1},
      {.name = "broken responses", .good = 10, .outcome = Outcome::kBroken, .bad = 10, .want = "open"},
      {.name = "slow responses", .good = 10, .outcome = Outcome::kSlow, .bad = 10, .want = "open"},
      {.name = "neutral ones", .outcome = Outcome::kNeutral, .bad = 1'000},
      {.name = "500 counts half", .good = 10, .outcome = Outcome::kServerError, .bad = 100},
      {.name = "nothing but 500", .outcome = Outcome::kServerError, .bad = 20, .want = "open"},
      {.name = "500 within a lower ratio",
       .good = 10,
       .outcome = Outcome::kServerError,
       .bad = 10,
       .ratio = 0.25,
       .want = "open"},
      {.name = "500 just below it", .good = 11, .outcome = Outcome::kServerError, .bad = 10, .ratio = 0.25},
      {.name = "500 of two URLs", .good = 18, .outcome = Outcome::kServerError, .bad = 2, .ratio = 0.05},
      {.name = "500 of three URLs",
       .good = 18,
       .outcome = Outcome::kServerError,
       .bad = 3,
       .ratio = 0.05,
       .want = "open"},
      {.name = "500 of two URLs, many times", .outcome = Outcome::kServerError, .bad = 1'000, .urls = 2, .ratio = 0.01},
      {.name = "one poisonous URL", .good = 10, .bad = 1'000, .urls = 1},
      {.name = "one poisonous URL that times out", .good = 10, .outcome = Outcome::kBroken, .bad = 1'000, .urls = 1},
      {.name = "one slow URL", .good = 10, .outcome = Outcome::kSlow, .bad = 1'000, .urls = 1},
      {.name = "nine poisonous URLs", .good = 10, .bad = 1'000, .urls = 9},
      {.name = "connect failures in a row",
       .good = 1'000,
       .outcome = Outcome::kConnectFailure,
       .bad = 5,
       .want = "open"},
      {.name = "connect failures of one URL", .outcome = Outcome::kConnectFailure, .bad = 5, .urls = 1, .want = "open"},
      {.name = "too few connect failures", .outcome = Outcome::kConnectFailure, .bad = 4},
  };
  for (const auto& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      Bench bench({.failure_ratio = row.ratio});
      bench.calls(row.good, Outcome::kSuccess);
      bool has_changed = false;
      for (int i = 0; i < row.bad; ++i) {
        has_changed |= bench.record(Admission::kCall, row.outcome, static_cast<std::uint64_t>(i) % row.urls);
      }
      BOOST_TEST(bench.state() == row.want);
      BOOST_TEST(has_changed == (bench.breaker.opened_total() == 1));
    }
  }
}

BOOST_AUTO_TEST_CASE(only_a_success_ends_a_row_of_connect_failures) {
  struct Row {
    Outcome between;
    const char* want;
  };
  for (const auto& row : std::vector<Row>{{Outcome::kSuccess, "closed"},
                                          {Outcome::kNeutral, "open"},
                                          {Outcome::kGatewayError, "open"},
                                          {Outcome::kConnectFailure, "open"}}) {
    BOOST_TEST_CONTEXT(static_cast<int>(row.between)) {
      Bench bench;
      bench.calls(4, Outcome::kConnectFailure);
      bench.call(row.between);
      bench.call(Outcome::kConnectFailure);
      BOOST_TEST(bench.state() == row.want);
    }
  }
}

BOOST_AUTO_TEST_CASE(connect_failures_count_in_the_ratio_too) {
  Bench bench;
  for (int i = 0; i < 9; ++i) {
    bench.calls(1, Outcome::kSuccess);
    bench.record(Admission::kCall, Outcome::kConnectFailure, 7);
  }
  bench.call(Outcome::kSuccess);
  BOOST_TEST(bench.breaker.window(bench.now).failures == 9.0);
  BOOST_TEST(bench.state() == "closed");
  BOOST_TEST(bench.record(Admission::kCall, Outcome::kConnectFailure, 7));
  BOOST_TEST(bench.state() == "open");
}

BOOST_AUTO_TEST_CASE(a_success_does_not_open_it) {
  Bench bench;
  bench.calls(19, Outcome::kGatewayError);
  BOOST_TEST(!bench.call(Outcome::kSuccess));
  BOOST_TEST(bench.state() == "closed");
  BOOST_TEST(bench.call(Outcome::kGatewayError));
}

BOOST_AUTO_TEST_CASE(what_is_older_than_the_window_drops_out) {
  Bench bench;
  bench.calls(19, Outcome::kGatewayError);
  bench.pass(Millis{9'999});
  BOOST_TEST(bench.breaker.window(bench.now).calls == 19U);
  bench.pass(Millis{1});
  BOOST_TEST(bench.breaker.window(bench.now).calls == 0U);
  BOOST_TEST(bench.breaker.window(bench.now).failures == 0.0);
  bench.calls(19, Outcome::kGatewayError);
  BOOST_TEST(bench.state() == "closed");
  bench.call(Outcome::kGatewayError);
  BOOST_TEST(bench.state() == "open");
}

BOOST_AUTO_TEST_CASE(the_window_slides_by_tenths) {
  Bench bench({.window = Millis{1'000}, .min_requests = 1'000});
  for (std::uint32_t i = 0; i < 50; ++i) {
    bench.calls(2, Outcome::kSuccess);
    bench.call(Outcome::kGatewayError);
    const Breaker::Window window = bench.breaker.window(bench.now);
    BOOST_TEST(window.calls == 3 * std::min(i + 1, 10U));
    BOOST_TEST(window.failures == std::min(i + 1, 10U));
    bench.pass(Millis{100});
  }
}

BOOST_AUTO_TEST_CASE(a_url_counts_again_in_the_next_window) {
  Bench bench;
  for (const double want : {1.0, 1.0}) {
    for (int i = 0; i < 3; ++i) bench.record(Admission::kCall, Outcome::kGatewayError, 7);
    BOOST_TEST(bench.breaker.window(bench.now).failures == want);
    BOOST_TEST(bench.breaker.window(bench.now).calls == 3U);
    bench.pass(Millis{10'000});
  }
  bench.record(Admission::kCall, Outcome::kBroken, 7);
  bench.pass(Millis{9'999});
  bench.record(Admission::kCall, Outcome::kBroken, 7);
  BOOST_TEST(bench.breaker.window(bench.now).failures == 1.0);
}

BOOST_AUTO_TEST_CASE(urls_past_those_it_remembers_count_as_new) {
  Bench bench({.min_requests = 10'000});
  for (std::uint64_t url = 0; url < 128; ++url) bench.record(Admission::kCall, Outcome::kGatewayError, url);
  for (std::uint64_t url = 0; url < 128; ++url) bench.record(Admission::kCall, Outcome::kGatewayError, url);
  BOOST_TEST(bench.breaker.window(bench.now).failures == 128.0);
  for (int i = 0; i < 10; ++i) bench.record(Admission::kCall, Outcome::kGatewayError, 500);
  BOOST_TEST(bench.breaker.window(bench.now).failures == 138.0);
  bench.pass(Millis{10'000});
  for (int i = 0; i < 10; ++i) bench.record(Admission::kCall, Outcome::kGatewayError, 500);
  BOOST_TEST(bench.breaker.window(bench.now).failures == 1.0);
}

BOOST_AUTO_TEST_CASE(an_answer_500_counts_once_three_urls_have_given_one) {
  Bench bench;
  bench.calls(2, Outcome::kServerError);
  BOOST_TEST(bench.breaker.window(bench.now).failures == 0.0);
  bench.call(Outcome::kServerError);
  BOOST_TEST(bench.breaker.window(bench.now).failures == 1.5);
  bench.pass(Millis{10'000});
  bench.calls(2, Outcome::kServerError);
  BOOST_TEST(bench.breaker.window(bench.now).failures == 0.0);
}

BOOST_AUTO_TEST_CASE(while_open_everybody_is_refused) {
  Bench bench;
  bench.open();
  for (const Caller caller : {Caller::kHealthCheck, Caller::kBackground, Caller::kClient}) {
    BOOST_TEST(bench.admit(caller) == "refused");
  }
  const Millis left = bench.retry_after();
  BOOST_TEST(left.count() > 0);
  bench.pass(left - Millis{1});
  BOOST_TEST(bench.state() == "open");
  BOOST_TEST(bench.retry_after().count() == 1);
  BOOST_TEST(bench.admit() == "refused");
  bench.pass(Millis{1});
  BOOST_TEST(bench.state() == "half-open");
  BOOST_TEST(bench.retry_after().count() == 0);
  BOOST_TEST(bench.admit() == "probe");
}

BOOST_AUTO_TEST_CASE(the_interval_doubles_up_to_its_most_with_jitter) {
  const std::vector<double> base = {1, 2, 4, 8, 16, 32, 60, 60};  // seconds
  std::vector<double> least(base.size(), 1e9);
  std::vector<double> most(base.size(), 0);
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Bench bench({}, seed);
    bench.open();
    for (std::size_t i = 0; i < base.size(); ++i) {
      const double seconds = static_cast<double>(bench.retry_after().count()) / 1000;
      least[i] = std::min(least[i], seconds);
      most[i] = std::max(most[i], seconds);
      BOOST_TEST(bench.breaker.trips() == i + 1);
      BOOST_TEST(bench.breaker.opened_total() == i + 1);
      bench.half_open();
      BOOST_TEST(bench.probe(Outcome::kBroken));
    }
  }
  for (std::size_t i = 0; i < base.size(); ++i) {
    BOOST_TEST_CONTEXT("interval " << i) {
      BOOST_TEST(least[i] >= 0.8 * base[i]);
      BOOST_TEST(least[i] < 0.84 * base[i]);
      BOOST_TEST(most[i] <= std::min(1.2 * base[i] + 0.001, 60.0));
      BOOST_TEST(most[i] > std::min(1.16 * base[i], 59.9));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_few_probes_at_once) {
  Bench bench({.probes = 2});
  bench.open();
  bench.half_open();
  BOOST_TEST(bench.admit(Caller::kHealthCheck) == "probe");
  BOOST_TEST(bench.admit(Caller::kBackground) == "probe");
  BOOST_TEST(bench.admit(Caller::kHealthCheck) == "refused");
  BOOST_TEST(!bench.record(Admission::kProbe, Outcome::kSuccess));
  BOOST_TEST(bench.admit(Caller::kClient) == "probe");
  BOOST_TEST(bench.admit(Caller::kClient) == "refused");
}

BOOST_AUTO_TEST_CASE(clients_are_probes_only_after_their_delay) {
  Bench bench;
  bench.breaker.set_client_delay(Millis{500});
  bench.open();
  bench.half_open();
  bench.pass(Millis{499});
  BOOST_TEST(bench.admit(Caller::kClient) == "refused");
  BOOST_TEST(bench.admit(Caller::kBackground) == "probe");
  BOOST_TEST(bench.admit(Caller::kHealthCheck) == "probe");
  bench.pass(Millis{1});
  BOOST_TEST(bench.admit(Caller::kClient) == "probe");
}

BOOST_AUTO_TEST_CASE(good_probes_close_it_and_all_is_forgotten) {
  Bench bench;
  bench.open();
  bench.half_open();
  bench.probe(Outcome::kBroken);
  bench.half_open();
  BOOST_TEST(!bench.probe(Outcome::kSuccess));
  BOOST_TEST(!bench.probe(Outcome::kSuccess));
  BOOST_TEST(bench.state() == "half-open");
  BOOST_TEST(bench.probe(Outcome::kSuccess));
  BOOST_TEST(bench.state() == "closed");
  BOOST_TEST(bench.breaker.trips() == 0U);
  BOOST_TEST(bench.breaker.opened_total() == 2U);
  BOOST_TEST(bench.breaker.window(bench.now).calls == 0U);
  bench.calls(4, Outcome::kConnectFailure);
  BOOST_TEST(bench.state() == "closed");
  bench.call(Outcome::kConnectFailure);
  BOOST_TEST(bench.retry_after().count() <= 1'200);
}

BOOST_AUTO_TEST_CASE(a_url_that_failed_before_it_closed_counts_again) {
  Bench bench({.close_after = 1});
  bench.record(Admission::kCall, Outcome::kGatewayError, 7);
  bench.open();
  bench.half_open();
  bench.probe(Outcome::kSuccess);
  bench.record(Admission::kCall, Outcome::kGatewayError, 7);
  BOOST_TEST(bench.breaker.window(bench.now).failures == 1.0);
}

BOOST_AUTO_TEST_CASE(probes_still_out_when_it_closed_take_no_place_the_next_time) {
  Bench bench({.close_after = 1});
  bench.open();
  bench.half_open();
  for (int i = 0; i < 3; ++i) BOOST_TEST(bench.admit() == "probe");
  BOOST_TEST(bench.record(Admission::kProbe, Outcome::kSuccess));
  bench.open();
  bench.half_open();
  for (int i = 0; i < 3; ++i) BOOST_TEST(bench.admit() == "probe");
}

BOOST_AUTO_TEST_CASE(good_probes_before_a_bad_one_do_not_help_the_next_round) {
  Bench bench;
  bench.open();
  bench.half_open();
  bench.probe(Outcome::kSuccess);
  bench.probe(Outcome::kSuccess);
  BOOST_TEST(bench.probe(Outcome::kGatewayError));
  BOOST_TEST(bench.state() == "open");
  bench.half_open();
  bench.probe(Outcome::kSuccess);
  BOOST_TEST(bench.state() == "half-open");
}

BOOST_AUTO_TEST_CASE(what_a_probe_says) {
  struct Row {
    Outcome outcome;
    const char* want;
  };
  for (const auto& row : std::vector<Row>{{Outcome::kSuccess, "closed"},
                                          {Outcome::kSlow, "open"},
                                          {Outcome::kServerError, "half-open"},  // one URL's; see below
                                          {Outcome::kGatewayError, "open"},
                                          {Outcome::kConnectFailure, "open"},
                                          {Outcome::kBroken, "open"},
                                          {Outcome::kNeutral, "half-open"}}) {
    BOOST_TEST_CONTEXT(static_cast<int>(row.outcome)) {
      Bench bench({.close_after = 1});
      bench.open();
      bench.half_open();
      bench.probe(row.outcome);
      BOOST_TEST(bench.state() == row.want);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_url_that_failed_already_still_fails_a_probe) {
  Bench bench;
  bench.record(Admission::kCall, Outcome::kGatewayError, 7);
  bench.open();
  bench.half_open();
  BOOST_TEST(bench.admit() == "probe");
  BOOST_TEST(bench.record(Admission::kProbe, Outcome::kGatewayError, 7));
  BOOST_TEST(bench.state() == "open");
}

BOOST_AUTO_TEST_CASE(a_third_url_that_answers_a_probe_with_500_opens_it) {
  Bench bench;
  bench.open();
  bench.half_open();
  for (int i = 0; i < 10; ++i) {
    BOOST_TEST(bench.admit() == "probe");
    BOOST_TEST(!bench.record(Admission::kProbe, Outcome::kServerError, 7));
  }
  BOOST_TEST(!bench.probe(Outcome::kServerError));
  BOOST_TEST(bench.probe(Outcome::kServerError));
  BOOST_TEST(bench.state() == "open");
}

BOOST_AUTO_TEST_CASE(neutral_probes_give_their_place_back) {
  Bench bench;
  bench.open();
  bench.half_open();
  for (int i = 0; i < 100; ++i) BOOST_TEST(!bench.probe(Outcome::kNeutral));
  BOOST_TEST(bench.state() == "half-open");
  for (int i = 0; i < 3; ++i) BOOST_TEST(bench.admit() == "probe");
  BOOST_TEST(bench.admit() == "refused");
}

BOOST_AUTO_TEST_CASE(calls_from_before_it_opened_change_nothing) {
  Bench bench;
  bench.open();
  const Millis left = bench.retry_after();
  const auto window = bench.breaker.window(bench.now);
  for (const Outcome outcome : {Outcome::kSuccess, Outcome::kGatewayError, Outcome::kConnectFailure}) {
    for (int i = 0; i < 30; ++i) BOOST_TEST(!bench.record(Admission::kCall, outcome));
  }
  BOOST_TEST(bench.retry_after() == left);
  BOOST_TEST(bench.breaker.window(bench.now).calls == window.calls);
  bench.half_open();
  for (const Outcome outcome : {Outcome::kSuccess, Outcome::kGatewayError, Outcome::kConnectFailure}) {
    for (int i = 0; i < 30; ++i) BOOST_TEST(!bench.record(Admission::kCall, outcome));
  }
  BOOST_TEST(bench.state() == "half-open");
  BOOST_TEST(bench.breaker.trips() == 1U);
}

BOOST_AUTO_TEST_CASE(one_round_of_probes_opens_it_once) {
  Bench bench;
  bench.open();
  bench.half_open();
  for (int i = 0; i < 3; ++i) BOOST_TEST(bench.admit() == "probe");
  BOOST_TEST(bench.record(Admission::kProbe, Outcome::kBroken));
  BOOST_TEST(!bench.record(Admission::kProbe, Outcome::kBroken));
  BOOST_TEST(!bench.record(Admission::kProbe, Outcome::kSuccess));
  BOOST_TEST(bench.breaker.trips() == 2U);
  bench.half_open();
  for (int i = 0; i < 3; ++i) BOOST_TEST(bench.admit() == "probe");
}

BOOST_AUTO_TEST_CASE(a_probe_that_reports_after_it_closed_is_a_call) {
  Bench bench({.close_after = 1});
  bench.open();
  bench.half_open();
  for (int i = 0; i < 2; ++i) BOOST_TEST(bench.admit() == "probe");
  BOOST_TEST(bench.record(Admission::kProbe, Outcome::kSuccess));
  BOOST_TEST(!bench.record(Admission::kProbe, Outcome::kBroken));
  BOOST_TEST(bench.state() == "closed");
  BOOST_TEST(bench.breaker.window(bench.now).failures == 1.0);
}

BOOST_AUTO_TEST_CASE(probes_that_never_report_lose_their_places) {
  Bench bench({.open_max = Millis{10'000}});
  bench.open();
  bench.half_open();
  for (int i = 0; i < 3; ++i) {
    BOOST_TEST(bench.admit() == "probe");
    bench.pass(Millis{1'000});
  }
  bench.pass(Millis{6'999});
  BOOST_TEST(bench.admit() == "refused");
  bench.pass(Millis{1});
  BOOST_TEST(bench.admit() == "probe");
  BOOST_TEST(bench.admit() == "refused");
  bench.pass(Millis{10'000});
  for (int i = 0; i < 3; ++i) BOOST_TEST(bench.admit() == "probe");
  BOOST_TEST(bench.admit() == "refused");
  bench.record(Admission::kProbe, Outcome::kNeutral);
  BOOST_TEST(bench.admit() == "probe");
  BOOST_TEST(bench.admit() == "refused");
  // More reports than probes, when the lost ones do come in.
  for (int i = 0; i < 10; ++i) bench.record(Admission::kProbe, Outcome::kNeutral);
  for (int i = 0; i < 3; ++i) BOOST_TEST(bench.admit() == "probe");
  BOOST_TEST(bench.admit() == "refused");
}

BOOST_AUTO_TEST_CASE(without_places_for_probes_one_still_goes) {
  Bench bench({.probes = 0, .close_after = 0});
  bench.open();
  bench.half_open();
  BOOST_TEST(bench.probe(Outcome::kSuccess));
  BOOST_TEST(bench.state() == "closed");
}

BOOST_AUTO_TEST_CASE(off_it_lets_everything_through) {
  Bench bench({.is_on = false});
  for (int i = 0; i < 100; ++i) {
    BOOST_TEST(bench.admit(Caller::kClient) == "call");
    BOOST_TEST(!bench.record(Admission::kCall, Outcome::kConnectFailure));
  }
  BOOST_TEST(bench.state() == "closed");
  bench.breaker.set_options({});
  BOOST_TEST(!bench.call(Outcome::kConnectFailure));
  BOOST_TEST(bench.state() == "closed");
}

BOOST_AUTO_TEST_CASE(switched_off_it_closes) {
  for (const bool is_half_open : {false, true}) {
    BOOST_TEST_CONTEXT("half-open " << is_half_open) {
      Bench bench;
      bench.open();
      if (is_half_open) {
        bench.half_open();
        BOOST_TEST(bench.admit() == "probe");
      }
      bench.breaker.set_options({.is_on = false});
      BOOST_TEST(bench.state() == "closed");
      BOOST_TEST(bench.breaker.trips() == 0U);
      BOOST_TEST(bench.admit(Caller::kClient) == "call");
      BOOST_TEST(!bench.record(Admission::kProbe, Outcome::kBroken));
      BOOST_TEST(bench.retry_after().count() == 0);
      bench.breaker.set_options({});
      bench.calls(4, Outcome::kConnectFailure);
      BOOST_TEST(bench.state() == "closed");
    }
  }
}

BOOST_AUTO_TEST_CASE(new_options_keep_the_state) {
  Bench bench;
  bench.calls(10, Outcome::kGatewayError);
  bench.breaker.set_options({.min_requests = 11});
  BOOST_TEST(bench.breaker.window(bench.now).calls == 10U);
  BOOST_TEST(bench.call(Outcome::kGatewayError));
  const Millis left = bench.retry_after();
  bench.breaker.set_options({.window = Millis{60'000}, .open = Millis{30'000}});
  BOOST_TEST(bench.state() == "open");
  BOOST_TEST(bench.retry_after() == left);
  BOOST_TEST(bench.breaker.window(bench.now).calls == 0U);
  BOOST_TEST(bench.breaker.trips() == 1U);
}

BOOST_AUTO_TEST_CASE(a_time_a_little_in_the_past_loses_nothing) {
  Bench bench;
  bench.now = kStart + Millis{10'000};
  bench.calls(3, Outcome::kSuccess);
  bench.now = kStart;
  bench.calls(2, Outcome::kGatewayError);
  bench.now = kStart + Millis{10'000};
  BOOST_TEST(bench.breaker.window(bench.now).calls == 5U);
}

// Whatever happens in whatever order: never more probes out than allowed, no admission unlike what was foretold, no
// change of state that was not told, and never refused for longer than the interval, the delay and lost probes explain.
BOOST_AUTO_TEST_CASE(holds_over_random_histories) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    BOOST_TEST_CONTEXT("seed " << seed) {
      Bench bench({.window = Millis{1'000}, .open = Millis{100}, .open_max = Millis{2'000}}, seed);
      bench.breaker.set_client_delay(Millis{300});
      Rng rng(seed + 1'000);
      std::vector<Admission> out;
      MonoTime last_admitted = bench.now;
      std::uint64_t told_open = 0;
      for (int i = 0; i < 5'000; ++i) {
        bench.pass(Millis{static_cast<std::int64_t>(rng.below(20))});
        const auto caller = static_cast<Caller>(rng.below(3));
        const bool may = bench.breaker.would_admit(bench.now, caller);
        const Admission admission = bench.breaker.admit(bench.now, caller);
        BOOST_TEST_REQUIRE(may == (admission != Admission::kRefused));
        BOOST_TEST_REQUIRE((admission == Admission::kCall) == (bench.state() == "closed"));
        BOOST_TEST_REQUIRE((admission != Admission::kProbe || bench.state() == "half-open"));
        if (may) last_admitted = bench.now;
        if (may && rng.below(50) != 0) out.push_back(admission);  // others never report
        BOOST_TEST_REQUIRE((bench.now - last_admitted <= Millis{2'000 + 2'000 + 300 + 500}));
        while (out.size() > rng.below(6)) {
          const std::size_t which = rng.below(out.size());
          const std::string_view before = bench.state();
          const bool has_changed = bench.record(out[which], static_cast<Outcome>(rng.below(7)), rng.below(100));
          out.erase(out.begin() + static_cast<std::ptrdiff_t>(which));
          BOOST_TEST_REQUIRE(has_changed == (bench.state() != before));
          if (has_changed && bench.state() == "open") ++told_open;
        }
      }
      BOOST_TEST(bench.breaker.opened_total() == told_open);
      BOOST_TEST(told_open > 3U);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::origin
