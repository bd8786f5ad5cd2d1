// Age, lifetime and stale windows (RFC 9111 section 4.2, RFC 5861).
#include "policy/freshness.h"

#include <boost/test/unit_test.hpp>

#include "unit/policy/support.h"

namespace seawall::policy {
namespace {

constexpr std::int64_t kForever = std::int64_t{1} << 31;
constexpr std::int64_t kDay = 24 * 3600;

Freshness compute(std::uint16_t status, const Headers& headers, const Rules& rules = {}, Millis delay = Millis{0}) {
  const auto response = response_of(status, headers);
  const auto directives = parse_response_directives(response.headers, rules.targeted_fields);
  return compute_freshness(response, directives, rules, kNow - delay, kNow);
}

BOOST_AUTO_TEST_SUITE(policy_freshness)

BOOST_AUTO_TEST_CASE(lifetimes) {
  struct Row {
    const char* name;
    std::uint16_t status = 200;
    Headers headers;
    std::int64_t want = 0;
    bool is_explicit = true;
  };
  const std::string lm_10_days = date(-10 * kDay);
  const std::vector<Row> rows = {
      {.name = "none", .headers = {}, .want = 0, .is_explicit = false},
      {.name = "max-age", .headers = {{"Cache-Control", "max-age=60"}}, .want = 60},
      {.name = "max-age=0", .headers = {{"Cache-Control", "max-age=0"}}, .want = 0},
      {.name = "bad max-age", .headers = {{"Cache-Control", "max-age=x"}}, .want = 0},
      {.name = "s-maxage over longer max-age", .headers = {{"Cache-Control", "max-age=60, s-maxage=1"}}, .want = 1},
      {.name = "s-maxage over shorter max-age", .headers = {{"Cache-Control", "max-age=1, s-maxage=60"}}, .want = 60},
      {.name = "s-maxage alone", .headers = {{"Cache-Control", "s-maxage=60"}}, .want = 60},
      {.name = "max-age over past Expires",
       .headers = {{"Cache-Control", "max-age=60"}, {"Expires", date(-7200)}},
       .want = 60},
      {.name = "max-age over invalid Expires",
       .headers = {{"Cache-Control", "max-age=60"}, {"Expires", "0"}},
       .want = 60},
      {.name = "max-age=0 over future Expires",
       .headers = {{"Cache-Control", "max-age=0"}, {"Expires", date(7200)}},
       .want = 0},
      {.name = "bad max-age over future Expires",
       .headers = {{"Cache-Control", "max-age=x"}, {"Expires", date(7200)}},
       .want = 0},
      {.name = "Expires - Date", .headers = {{"Date", date(0)}, {"Expires", date(100)}}, .want = 100},
      {.name = "Expires - Date, both fast", .headers = {{"Date", date(400)}, {"Expires", date(500)}}, .want = 100},
      {.name = "Expires - Date, both slow", .headers = {{"Date", date(-400)}, {"Expires", date(-300)}}, .want = 100},
      {.name = "Expires before Date", .headers = {{"Date", date(400)}, {"Expires", date(300)}}, .want = 0},
      {.name = "Expires at Date", .headers = {{"Date", date(0)}, {"Expires", date(0)}}, .want = 0},
      {.name = "Expires without Date", .headers = {{"Expires", date(10)}}, .want = 10},
      {.name = "Expires with invalid Date", .headers = {{"Date", "foo"}, {"Expires", date(10)}}, .want = 10},
      {.name = "5.3 Expires: 0", .headers = {{"Expires", "0"}}, .want = 0},
      {.name = "5.3 Expires: -1", .headers = {{"Expires", "-1"}}, .want = 0},
      {.name = "5.3 empty Expires", .headers = {{"Expires", ""}}, .want = 0},
      {.name = "5.3 epoch", .headers = {{"Expires", "Thu, 01 Jan 1970 00:00:00 GMT"}}, .want = 0},
      {.name = "5.3 other zone", .headers = {{"Expires", "Thu, 18 Aug 2050 02:01:18 UTC"}}, .want = 0},
      {.name = "5.3 invalid Expires leaves no room for a heuristic",
       .headers = {{"Expires", "soon"}, {"Last-Modified", lm_10_days}},
       .want = 0},
      {.name = "5.3 first of two", .headers = {{"Expires", date(10)}, {"Expires", date(20)}}, .want = 10},
      {.name = "far future is bounded", .headers = {{"Expires", "Sun, 21 Nov 2286 04:46:39 GMT"}}, .want = kForever},
      {.name = "RFC 9213 2.2 Expires is ignored beside a targeted field",
       .headers = {{"CDN-Cache-Control", "public"}, {"Expires", date(100)}},
       .want = 0,
       .is_explicit = false},
      {.name = "RFC 9213 2.2 Cache-Control too",
       .headers = {{"CDN-Cache-Control", "max-age=5"}, {"Cache-Control", "s-maxage=60"}},
       .want = 5},
      {.name = "no-store has a lifetime all the same",
       .headers = {{"Cache-Control", "no-store, max-age=60"}},
       .want = 60},
      {.name = "heuristic, 10 %",
       .headers = {{"Date", date(0)}, {"Last-Modified", date(-1000)}},
       .want = 100,
       .is_explicit = false},
      {.name = "heuristic counts from Date",
       .headers = {{"Date", date(-500)}, {"Last-Modified", date(-1500)}},
       .want = 100,
       .is_explicit = false},
      {.name = "heuristic without Date",
       .headers = {{"Last-Modified", date(-1000)}},
       .want = 100,
       .is_explicit = false},
      {.name = "heuristic bound", .headers = {{"Last-Modified", lm_10_days}}, .want = kDay, .is_explicit = false},
      {.name = "Last-Modified in the future",
       .headers = {{"Last-Modified", date(1000)}},
       .want = 0,
       .is_explicit = false},
      {.name = "invalid Last-Modified", .headers = {{"Last-Modified", "yesterday"}}, .want = 0, .is_explicit = false},
      {.name = "Pragma of a response means nothing",
       .headers = {{"Pragma", "no-cache"}, {"Last-Modified", date(-1000)}},
       .want = 100,
       .is_explicit = false},
  };
  for (const auto& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const auto f = compute(row.status, row.headers);
      BOOST_TEST(f.lifetime.count() == row.want);
      BOOST_TEST(f.is_explicit == row.is_explicit);
    }
  }
}

BOOST_AUTO_TEST_CASE(heuristic_statuses) {
  const std::vector<std::uint16_t> may = {200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501};
  for (std::uint16_t status = 200; status < 600; ++status) {
    const bool want = std::find(may.begin(), may.end(), status) != may.end();
    BOOST_TEST_CONTEXT(status) {
      BOOST_TEST((compute(status, {{"Last-Modified", date(-1000)}}).lifetime.count() == 100) == want);
      BOOST_TEST(compute(status, {{"Last-Modified", date(-1000)}, {"Cache-Control", "public"}}).lifetime.count() ==
                 100);
      BOOST_TEST(compute(status, {{"Cache-Control", "max-age=5"}}).lifetime.count() == 5);
    }
  }
}

BOOST_AUTO_TEST_CASE(heuristic_rules) {
  const Headers headers = {{"Last-Modified", date(-1000)}};
  BOOST_TEST(compute(200, headers, Rules{.heuristic_percent = 0}).lifetime.count() == 0);
  BOOST_TEST(compute(200, headers, Rules{.heuristic_percent = 50}).lifetime.count() == 500);
  BOOST_TEST(compute(200, headers, Rules{.heuristic_max = Seconds{7}}).lifetime.count() == 7);
  BOOST_TEST(compute(200, headers, Rules{.heuristic_max = Seconds{0}}).lifetime.count() == 0);
}

BOOST_AUTO_TEST_CASE(ages) {
  struct Row {
    const char* name;
    Headers headers;
    Millis delay{0};
    std::int64_t want = 0;
  };
  const std::vector<Row> rows = {
      {.name = "nothing known", .headers = {}, .want = 0},
      {.name = "apparent age", .headers = {{"Date", date(-7200)}}, .want = 7200},
      {.name = "Date in the future", .headers = {{"Date", date(100)}}, .want = 0},
      {.name = "invalid Date", .headers = {{"Date", "foo"}}, .want = 0},
      {.name = "Age", .headers = {{"Age", "30"}}, .want = 30},
      {.name = "4.2.3 the larger one: Age", .headers = {{"Age", "30"}, {"Date", date(-10)}}, .want = 30},
      {.name = "4.2.3 the larger one: Date", .headers = {{"Age", "5"}, {"Date", date(-10)}}, .want = 10},
      {.name = "4.2.3 response delay adds to Age", .headers = {{"Age", "30"}}, .delay = Millis{2500}, .want = 32},
      {.name = "4.2.3 response delay without Age", .headers = {}, .delay = Millis{4000}, .want = 4},
      {.name = "4.2.3 delay does not add to the apparent age",
       .headers = {{"Date", date(-10)}},
       .delay = Millis{4000},
       .want = 10},
      {.name = "the clock stepped back in between", .headers = {{"Age", "30"}}, .delay = Millis{-9000}, .want = 30},
      {.name = "5.1 list: first member", .headers = {{"Age", "0,7200"}}, .want = 0},
      {.name = "5.1 list: first member, old", .headers = {{"Age", "7200,0"}}, .want = 7200},
      {.name = "5.1 list with space", .headers = {{"Age", "3600 , 1"}}, .want = 3600},
      {.name = "5.1 list: later members do not matter", .headers = {{"Age", "5, old"}}, .want = 5},
      {.name = "large", .headers = {{"Age", "99999999999999999999"}}, .want = kForever},
      {.name = "not a number", .headers = {{"Age", "abc"}}, .want = kForever},
      {.name = "negative", .headers = {{"Age", "-7200"}}, .want = kForever},
      {.name = "decimal", .headers = {{"Age", "7200.0"}}, .want = kForever},
      {.name = "parameter", .headers = {{"Age", "7200;foo=bar"}}, .want = kForever},
      {.name = "quoted", .headers = {{"Age", "\"5\""}}, .want = kForever},
      {.name = "empty", .headers = {{"Age", ""}}, .want = kForever},
      {.name = "empty first member", .headers = {{"Age", ",5"}}, .want = kForever},
      {.name = "two lines", .headers = {{"Age", "0"}, {"Age", "7200"}}, .want = kForever},
      {.name = "two equal lines", .headers = {{"Age", "0"}, {"Age", "0"}}, .want = kForever},
  };
  for (const auto& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      BOOST_TEST(compute(200, row.headers, {}, row.delay).corrected_initial_age.count() == row.want);
    }
  }
}

BOOST_AUTO_TEST_CASE(age_grows_with_time) {
  const auto f = compute(200, {{"Age", "30"}, {"Cache-Control", "max-age=60"}});
  BOOST_TEST(current_age(f, kNow).count() == 30);
  BOOST_TEST(current_age(f, kNow + Millis{999}).count() == 30);
  BOOST_TEST(current_age(f, kNow + Millis{1000}).count() == 31);
  BOOST_TEST(current_age(f, kNow + Seconds{3600}).count() == 3630);
  BOOST_TEST(current_age(f, kNow - Seconds{3600}).count() == 30);
  BOOST_TEST(remaining_lifetime(f, kNow).count() == 30);
  BOOST_TEST(remaining_lifetime(f, kNow + Seconds{30}).count() == 0);
  BOOST_TEST(remaining_lifetime(f, kNow + Seconds{31}).count() == -1);
}

BOOST_AUTO_TEST_CASE(flags) {
  struct Row {
    const char* name;
    const char* cache_control;
    bool must_revalidate = false;
    bool no_cache = false;
    bool immutable = false;
  };
  const std::vector<Row> rows = {
      {.name = "none", .cache_control = "max-age=1"},
      {.name = "5.2.2.2 must-revalidate", .cache_control = "must-revalidate", .must_revalidate = true},
      {.name = "5.2.2.8 proxy-revalidate", .cache_control = "proxy-revalidate", .must_revalidate = true},
      {.name = "5.2.2.10 s-maxage", .cache_control = "s-maxage=1", .must_revalidate = true},
      {.name = "bad s-maxage", .cache_control = "s-maxage=x", .must_revalidate = true},
      {.name = "no-cache", .cache_control = "no-cache", .no_cache = true},
      {.name = "qualified no-cache", .cache_control = "no-cache=\"a\""},
      {.name = "immutable", .cache_control = "immutable", .immutable = true},
  };
  for (const auto& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const auto f = compute(200, {{"Cache-Control", row.cache_control}});
      BOOST_TEST(f.must_revalidate == row.must_revalidate);
      BOOST_TEST(f.no_cache == row.no_cache);
      BOOST_TEST(f.immutable == row.immutable);
    }
  }
}

BOOST_AUTO_TEST_CASE(stale_windows) {
  struct Row {
    const char* name;
    std::uint16_t status = 200;
    const char* cache_control = "max-age=1";
    Rules rules{};
    std::int64_t while_revalidate = 0;
    std::int64_t if_error = kDay;
  };
  const std::vector<Row> rows = {
      {.name = "defaults: no background refresh, a day on errors"},
      {.name = "own values",
       .cache_control = "max-age=1, stale-while-revalidate=5, stale-if-error=6",
       .while_revalidate = 5,
       .if_error = 6},
      {.name = "own zeros",
       .cache_control = "stale-while-revalidate=0, stale-if-error=0",
       .rules = {.stale_while_revalidate = Seconds{9}},
       .while_revalidate = 0,
       .if_error = 0},
      {.name = "rules",
       .rules = {.stale_while_revalidate = Seconds{9}, .stale_if_error = Seconds{8}},
       .while_revalidate = 9,
       .if_error = 8},
      {.name = "bound on own values",
       .cache_control = "stale-while-revalidate=500, stale-if-error=600",
       .rules = {.stale_max = Seconds{100}},
       .while_revalidate = 100,
       .if_error = 100},
      {.name = "bound on rules",
       .rules = {.stale_while_revalidate = Seconds{500}, .stale_max = Seconds{100}},
       .while_revalidate = 100,
       .if_error = 100},
      {.name = "4.2.4 must-revalidate",
       .cache_control = "must-revalidate, stale-while-revalidate=5, stale-if-error=6",
       .if_error = 0},
      {.name = "4.2.4 proxy-revalidate", .cache_control = "proxy-revalidate, stale-if-error=6", .if_error = 0},
      {.name = "4.2.4 s-maxage", .cache_control = "s-maxage=2, stale-while-revalidate=5", .if_error = 0},
      {.name = "4.2.4 no-cache", .cache_control = "no-cache, stale-if-error=6", .if_error = 0},
      {.name = "qualified no-cache forbids nothing", .cache_control = "no-cache=\"a\""},
      {.name = "without explicit freshness", .cache_control = "public"},
      {.name = "503 by rule", .status = 503, .rules = {.stale_while_revalidate = Seconds{9}}, .if_error = 0},
      {.name = "503 by its own word", .status = 503, .cache_control = "stale-if-error=6", .if_error = 6},
      {.name = "404 by rule", .status = 404},
  };
  for (const auto& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const auto f = compute(row.status, {{"Cache-Control", row.cache_control}}, row.rules);
      BOOST_TEST(f.stale_while_revalidate.count() == row.while_revalidate);
      BOOST_TEST(f.stale_if_error.count() == row.if_error);
    }
  }
}

// What another cache has served stale is stale here too, however it says so.
BOOST_AUTO_TEST_CASE(stale_upstream) {
  struct Row {
    const char* name;
    Headers headers;
    std::int64_t want_remaining;
  };
  const std::vector<Row> rows = {
      {.name = "nothing said", .headers = {}, .want_remaining = 60},
      {.name = "fresh there", .headers = {{"Cache-Status", "shield; hit; ttl=5"}}, .want_remaining = 60},
      {.name = "ttl below zero", .headers = {{"Cache-Status", "shield; hit; ttl=-5"}}, .want_remaining = -5},
      {.name = "in one of several",
       .headers = {{"Cache-Status", "origin-cache; hit; ttl=-7, shield; fwd=stale; stored"}},
       .want_remaining = -7},
      {.name = "on a line of its own",
       .headers = {{"Cache-Status", "a; hit; ttl=-7"}, {"Cache-Status", "b; hit; ttl=3"}},
       .want_remaining = -7},
      {.name = "a name that ends alike", .headers = {{"Cache-Status", "a; hit; x-ttl=-7"}}, .want_remaining = 60},
      {.name = "not a number", .headers = {{"Cache-Status", "a; hit; ttl=-"}}, .want_remaining = 60},
      {.name = "an older Age counts",
       .headers = {{"Age", "100"}, {"Cache-Status", "a; hit; ttl=-5"}},
       .want_remaining = -40},
      {.name = "Warning 110", .headers = {{"Warning", "110 shield \"Response is Stale\""}}, .want_remaining = 0},
      {.name = "Warning 112", .headers = {{"Warning", "112 - \"cut off\""}}, .want_remaining = 0},
      {.name = "another Warning", .headers = {{"Warning", "214 - \"transformed\""}}, .want_remaining = 60},
  };
  for (const auto& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      Headers headers = row.headers;
      headers.emplace_back("Cache-Control", "max-age=60");
      BOOST_TEST(remaining_lifetime(compute(200, headers), kNow).count() == row.want_remaining);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::policy
