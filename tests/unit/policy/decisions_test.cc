// Whole exchanges through every decision in turn: one response is offered for storing, then a second request comes. The
// rows are named after the tests of the public suite http-cache-tests that they restate.
#include <boost/test/unit_test.hpp>

#include "policy/cacheability.h"
#include "policy/plan.h"
#include "policy/validation.h"
#include "policy/vary.h"
#include "unit/policy/support.h"

namespace seawall::policy {
namespace {

struct Row {
  const char* id;
  Headers first_request{};
  std::uint16_t status = 200;
  Headers response{};
  std::int64_t pause = 3;
  Headers second_request{};
  const char* want = "cached";  // cached, asked (without validators), validated
};

std::string outcome_of(const Row& row) {
  const Rules rules;
  const auto response = response_of(row.status, row.response);
  const auto stored = decide_storing(request_of(row.first_request), response, rules, kNow, kNow);
  if (!stored.may_store) return "asked";
  const VarySpec spec = parse_vary(response.headers);
  std::string then;
  std::string now;
  append_selecting_values(spec, map_of(row.first_request), then);
  append_selecting_values(spec, map_of(row.second_request), now);
  const Found found = !spec.any && then == now ? Found::kObject : Found::kOtherVariants;
  const auto p =
      plan(facts_of(request_of(row.second_request)), found, &stored.freshness, rules, kNow + Seconds{row.pause});
  switch (p.verdict) {
    case Verdict::kServeFresh:
    case Verdict::kServeStaleAndRefresh: return "cached";
    case Verdict::kRevalidate: return can_validate(row.status, response.headers) ? "validated" : "asked";
    default: return "asked";
  }
}

void check(const std::vector<Row>& rows) {
  for (const auto& row : rows) {
    BOOST_TEST_CONTEXT(row.id) {
      BOOST_TEST(outcome_of(row) == row.want);
    }
  }
}

Headers cc(const char* value) {
  return {{"Cache-Control", value}, {"Date", date(0)}};
}
Headers dated(Headers headers) {
  headers.emplace_back("Date", date(0));
  return headers;
}

BOOST_AUTO_TEST_SUITE(policy_decisions)

BOOST_AUTO_TEST_CASE(freshness) {
  check({
      {.id = "freshness-none", .want = "asked"},
      {.id = "freshness-max-age", .response = cc("max-age=3600")},
      {.id = "freshness-max-age-0", .response = cc("max-age=0"), .want = "asked"},
      {.id = "freshness-max-age-max-plus-1", .response = cc("max-age=2147483649")},
      {.id = "freshness-max-age-max-plus", .response = cc("max-age=99999999999")},
      {.id = "freshness-max-age-stale", .response = cc("max-age=1"), .want = "asked"},
      {.id = "freshness-max-age-age",
       .response = {{"Cache-Control", "max-age=3600"}, {"Age", "7200"}},
       .want = "asked"},
      {.id = "freshness-max-age-date",
       .response = {{"Date", date(-7200)}, {"Cache-Control", "max-age=3600"}},
       .want = "asked"},
      {.id = "freshness-max-age-expires",
       .response = dated({{"Cache-Control", "max-age=3600"}, {"Expires", date(-7200)}})},
      {.id = "freshness-max-age-expires-invalid",
       .response = dated({{"Cache-Control", "max-age=3600"}, {"Expires", "0"}})},
      {.id = "freshness-max-age-0-expires",
       .response = dated({{"Cache-Control", "max-age=0"}, {"Expires", date(3600)}}),
       .want = "asked"},
      {.id = "freshness-max-age-extension", .response = cc("foobar, max-age=3600")},
      {.id = "freshness-max-age-case-insenstive", .response = cc("MaX-aGe=3600")},
      {.id = "freshness-max-age-negative", .response = cc("max-age=-3600"), .want = "asked"},
      {.id = "freshness-s-maxage-shared", .response = cc("s-maxage=3600")},
      {.id = "freshness-max-age-s-maxage-shared-longer", .response = cc("max-age=3600, s-maxage=1"), .want = "asked"},
      {.id = "freshness-max-age-s-maxage-shared-longer-multiple",
       .response = {{"Cache-Control", "max-age=3600"}, {"Cache-Control", "s-maxage=1"}},
       .want = "asked"},
      {.id = "freshness-max-age-s-maxage-shared-shorter", .response = cc("max-age=1, s-maxage=3600")},
      {.id = "freshness-max-age-s-maxage-shared-shorter-expires",
       .response = {{"Expires", date(-10)}, {"Cache-Control", "max-age=0, s-maxage=3600"}}},
      {.id = "freshness-max-age-single-quoted", .response = cc("max-age='3600'"), .want = "asked"},
      {.id = "freshness-max-age-ignore-quoted",
       .response = cc("extension=\"max-age=3600\", max-age=1"),
       .want = "asked"},
      {.id = "freshness-max-age-ignore-quoted-all-rev",
       .response = cc("max-age=\"1\", extension=\"max-age=3600\""),
       .want = "asked"},
      {.id = "freshness-max-age-leading-zero", .response = cc("max-age=003600")},
      {.id = "freshness-expires-future", .response = dated({{"Expires", date(2592000)}})},
      {.id = "freshness-expires-past", .response = dated({{"Expires", date(-2592000)}}), .want = "asked"},
      {.id = "freshness-expires-present", .response = dated({{"Expires", date(0)}}), .pause = 0, .want = "asked"},
      {.id = "freshness-expires-old-date", .response = {{"Expires", date(300)}, {"Date", date(400)}}, .want = "asked"},
      {.id = "freshness-expires-invalid", .response = dated({{"Expires", "0"}}), .want = "asked"},
      {.id = "freshness-expires-invalid-date", .response = {{"Date", "foo"}, {"Expires", date(10)}}, .pause = 0},
      {.id = "freshness-expires-age-slow-date",
       .response = {{"Date", date(-10)}, {"Expires", date(10)}, {"Age", "25"}},
       .pause = 0,
       .want = "asked"},
      {.id = "freshness-expires-age-fast-date",
       .response = {{"Date", date(10)}, {"Expires", date(20)}, {"Age", "15"}},
       .pause = 0,
       .want = "asked"},
  });
}

BOOST_AUTO_TEST_CASE(ages) {
  const auto aged = [](const char* age) { return dated({{"Cache-Control", "max-age=3600"}, {"Age", age}}); };
  check({
      {.id = "age-parse-nonnumeric", .response = aged("abc"), .want = "asked"},
      {.id = "age-parse-negative", .response = aged("-7200"), .want = "asked"},
      {.id = "age-parse-float", .response = aged("7200.0"), .want = "asked"},
      {.id = "age-parse-suffix", .response = aged("7200,0"), .want = "asked"},
      {.id = "age-parse-prefix", .response = aged("0,7200")},
      {.id = "age-parse-prefix-twoline",
       .response = dated({{"Cache-Control", "max-age=3600"}, {"Age", "0"}, {"Age", "7200"}}),
       .want = "asked"},
      {.id = "age-parse-dup-0-twoline",
       .response = dated({{"Cache-Control", "max-age=3600"}, {"Age", "0"}, {"Age", "0"}}),
       .want = "asked"},
      {.id = "age-parse-parameter", .response = aged("7200;foo=bar"), .want = "asked"},
      {.id = "age-parse-numeric-parameter", .response = aged("7200;foo=111"), .want = "asked"},
  });
}

BOOST_AUTO_TEST_CASE(directives) {
  const auto with_etag = [](const char* value) { return Headers{{"Cache-Control", value}, {"ETag", "\"abcd\""}}; };
  check({
      {.id = "cc-resp-private-shared", .response = cc("private, max-age=3600"), .pause = 0, .want = "asked"},
      {.id = "cc-resp-no-store", .response = cc("no-store"), .pause = 0, .want = "asked"},
      {.id = "cc-resp-no-store-case-insensitive", .response = cc("No-StOrE"), .pause = 0, .want = "asked"},
      {.id = "cc-resp-no-store-fresh",
       .response = dated({{"Cache-Control", "max-age=10000, no-store"}, {"Expires", date(9)}}),
       .pause = 0,
       .want = "asked"},
      {.id = "cc-resp-no-cache",
       .response = dated({{"Cache-Control", "max-age=10000, no-cache"}, {"Expires", date(9)}}),
       .pause = 0,
       .want = "asked"},
      {.id = "cc-resp-no-cache-revalidate", .response = with_etag("no-cache"), .pause = 0, .want = "validated"},
      {.id = "cc-resp-no-cache-revalidate-fresh",
       .response = with_etag("max-age=10000, no-cache"),
       .pause = 0,
       .want = "validated"},
      {.id = "cc-resp-must-revalidate-fresh", .response = with_etag("max-age=10000, must-revalidate"), .pause = 0},
      {.id = "cc-resp-must-revalidate-stale", .response = with_etag("max-age=2, must-revalidate"), .want = "validated"},
      {.id = "other-authorization",
       .first_request = {{"Authorization", "FOO"}},
       .response = dated({{"Expires", date(9)}}),
       .want = "asked"},
      {.id = "other-authorization-public",
       .first_request = {{"Authorization", "FOO"}},
       .response = cc("max-age=3600, public")},
      {.id = "other-authorization-must-revalidate",
       .first_request = {{"Authorization", "FOO"}},
       .response = cc("max-age=3600, must-revalidate")},
      {.id = "other-authorization-smaxage",
       .first_request = {{"Authorization", "FOO"}},
       .response = cc("s-maxage=3600")},
      {.id = "other-set-cookie", .response = {{"Cache-Control", "max-age=3600"}, {"Set-Cookie", "a=b"}}, .pause = 0},
      {.id = "other-cookie", .response = cc("max-age=3600"), .pause = 0, .second_request = {{"Cookie", "a=b"}}},
      {.id = "ccreq-ma0", .response = cc("max-age=3600"), .second_request = cc("max-age=0"), .want = "asked"},
      {.id = "ccreq-ma1", .response = cc("max-age=3600"), .second_request = cc("max-age=1"), .want = "asked"},
      {.id = "ccreq-magreaterage",
       .response = {{"Cache-Control", "max-age=3600"}, {"Age", "1800"}},
       .pause = 0,
       .second_request = cc("max-age=600"),
       .want = "asked"},
      {.id = "ccreq-max-stale", .response = cc("max-age=1"), .second_request = cc("max-stale=1000")},
      {.id = "ccreq-max-stale-age",
       .response = {{"Cache-Control", "max-age=1500"}, {"Age", "2000"}},
       .pause = 0,
       .second_request = cc("max-stale=1000")},
      {.id = "ccreq-min-fresh",
       .response = cc("max-age=1500"),
       .pause = 0,
       .second_request = cc("min-fresh=2000"),
       .want = "asked"},
      {.id = "ccreq-min-fresh-age",
       .response = {{"Cache-Control", "max-age=1500"}, {"Age", "1000"}},
       .pause = 0,
       .second_request = cc("min-fresh=1000"),
       .want = "asked"},
      {.id = "ccreq-no-cache",
       .response = cc("max-age=3600"),
       .pause = 0,
       .second_request = cc("no-cache"),
       .want = "asked"},
      {.id = "ccreq-no-cache-lm",
       .response = dated({{"Cache-Control", "max-age=3600"}, {"Last-Modified", date(-9)}}),
       .pause = 0,
       .second_request = cc("no-cache"),
       .want = "validated"},
      {.id = "ccreq-no-cache-etag",
       .response = with_etag("max-age=3600"),
       .pause = 0,
       .second_request = cc("no-cache"),
       .want = "validated"},
      {.id = "ccreq-no-store",
       .response = cc("max-age=3600"),
       .pause = 0,
       .second_request = cc("no-store"),
       .want = "asked"},
      {.id = "pragma-request-extension",
       .response = cc("max-age=3600"),
       .pause = 0,
       .second_request = {{"Pragma", "x"}}},
      {.id = "pragma-response-no-cache",
       .response = dated({{"Cache-Control", "max-age=3600"}, {"Pragma", "no-cache"}})},
      {.id = "conditional-etag-strong-generate",
       .response = dated({{"Expires", date(1)}, {"ETag", "\"abcdef\""}}),
       .want = "validated"},
  });
}

BOOST_AUTO_TEST_CASE(statuses) {
  const std::vector<std::uint16_t> with_expires = {200, 203, 204, 299, 301, 302, 303, 307, 308,
                                                   400, 404, 410, 499, 500, 502, 503, 504, 599};
  for (const std::uint16_t status : with_expires) {
    BOOST_TEST_CONTEXT(status) {
      const Row fresh{.id = "status-fresh",
                      .status = status,
                      .response = dated({{"Expires", date(100000)}, {"Last-Modified", date(0)}}),
                      .pause = 0};
      BOOST_TEST(outcome_of(fresh) == "cached");
      const Row stale{.id = "status-stale",
                      .status = status,
                      .response = dated({{"Expires", date(-5000)}, {"Last-Modified", date(-100000)}}),
                      .pause = 0};
      BOOST_TEST(outcome_of(stale) == (status < 300 ? "validated" : "asked"));
    }
  }
  const std::vector<std::uint16_t> without = {200, 201, 202, 203, 204, 403, 404, 405,
                                              410, 414, 501, 502, 503, 504, 599};
  for (const std::uint16_t status : without) {
    BOOST_TEST_CONTEXT("heuristic " << status) {
      const bool want = status != 201 && status != 202 && status != 403 && (status < 500 || status == 501);
      const Row row{
          .id = "heuristic", .status = status, .response = dated({{"Last-Modified", date(-86400)}}), .pause = 0};
      BOOST_TEST(outcome_of(row) == (want ? "cached" : "asked"));
    }
  }
  check({
      {.id = "heuristic-599-cached",
       .status = 599,
       .response = dated({{"Last-Modified", date(-86400)}, {"Cache-Control", "public"}}),
       .pause = 0},
      {.id = "status-599-must-understand",
       .status = 599,
       .response = cc("max-age=3600, must-understand"),
       .pause = 0,
       .want = "asked"},
  });
}

BOOST_AUTO_TEST_CASE(surrogates) {
  const auto surrogate = [](const char* value) { return Headers{{"Surrogate-Control", value}}; };
  check({
      {.id = "surrogate-max-age", .response = surrogate("max-age=3600")},
      {.id = "surrogate-max-age-max-plus", .response = surrogate("max-age=99999999999")},
      {.id = "surrogate-max-age-me-target", .response = surrogate("max-age=3600;seawall")},
      {.id = "surrogate-max-age-other-target",
       .response = dated({{"Surrogate-Control", "max-age=3600;not-for-you"}, {"Age", "7200"}}),
       .want = "asked"},
      {.id = "surrogate-max-age-age",
       .response = dated({{"Surrogate-Control", "max-age=3600"}, {"Age", "7200"}}),
       .want = "asked"},
      {.id = "surrogate-max-age-space-before-equals",
       .response = {{"Cache-Control", "max-age=1"}, {"Surrogate-Control", "max-age =100"}},
       .want = "asked"},
      {.id = "surrogate-max-age-space-after-equals",
       .response = {{"Cache-Control", "max-age=1"}, {"Surrogate-Control", "max-age= 100"}},
       .want = "asked"},
      {.id = "surrogate-max-age-0", .response = surrogate("max-age=0"), .want = "asked"},
      {.id = "surrogate-max-age-extension", .response = surrogate("foobar, max-age=3600")},
      {.id = "surrogate-max-age-case-insensitive", .response = surrogate("MaX-aGe=3600")},
      {.id = "surrogate-max-age-expires",
       .response = dated({{"Surrogate-Control", "max-age=3600"}, {"Expires", date(-9)}})},
      {.id = "surrogate-max-age-0-expires",
       .response = dated({{"Surrogate-Control", "max-age=0"}, {"Expires", date(9)}}),
       .want = "asked"},
      {.id = "surrogate-max-age-short-cc-max-age",
       .response = {{"Cache-Control", "max-age=1"}, {"Surrogate-Control", "max-age=3600"}}},
      {.id = "surrogate-max-age-long-cc-max-age",
       .response = {{"Cache-Control", "max-age=3600"}, {"Surrogate-Control", "max-age=1"}},
       .want = "asked"},
      {.id = "surrogate-no-store", .response = surrogate("no-store"), .want = "asked"},
      {.id = "surrogate-no-store-cc-fresh",
       .response = dated({{"Cache-Control", "max-age=10000"}, {"Surrogate-Control", "no-store"}, {"Expires", date(9)}}),
       .want = "asked"},
      {.id = "surrogate-fresh-cc-nostore",
       .response = {{"Cache-Control", "no-store"}, {"Surrogate-Control", "max-age=10000;seawall"}}},
  });
}

BOOST_AUTO_TEST_CASE(variants) {
  const auto varying = [](const char* vary) {
    return dated({{"Expires", date(5000)}, {"Last-Modified", date(-3000)}, {"Vary", vary}});
  };
  const Headers foo_1 = {{"Foo", "1"}};
  check({
      {.id = "vary-match", .first_request = foo_1, .response = varying("Foo"), .second_request = foo_1},
      {.id = "vary-no-match",
       .first_request = foo_1,
       .response = varying("Foo"),
       .second_request = {{"Foo", "2"}},
       .want = "asked"},
      {.id = "vary-omit-stored", .response = varying("Foo"), .second_request = foo_1, .want = "asked"},
      {.id = "vary-omit", .first_request = foo_1, .response = varying("Foo"), .want = "asked"},
      {.id = "vary-star", .first_request = foo_1, .response = varying("*"), .second_request = foo_1, .want = "asked"},
      {.id = "vary-syntax-foo-star",
       .first_request = foo_1,
       .response = varying("Foo, *"),
       .second_request = foo_1,
       .want = "asked"},
      {.id = "vary-normalise-combine",
       .first_request = {{"Foo", "1, 2"}},
       .response = varying("Foo"),
       .second_request = {{"Foo", "1"}, {"Foo", "2"}}},
      {.id = "vary-normalise-space",
       .first_request = {{"Foo", "1,2"}},
       .response = varying("Foo"),
       .second_request = {{"Foo", " 1, 2 "}}},
      {.id = "vary-normalise-lang-order",
       .first_request = {{"Accept-Language", "en, de"}},
       .response = varying("Accept-Language"),
       .second_request = {{"Accept-Language", "de, en"}}},
      {.id = "vary-normalise-lang-case",
       .first_request = {{"Accept-Language", "en, de"}},
       .response = varying("Accept-Language"),
       .second_request = {{"Accept-Language", "eN, De"}}},
      {.id = "vary-normalise-lang-space",
       .first_request = {{"Accept-Language", "en, de"}},
       .response = varying("Accept-Language"),
       .second_request = {{"Accept-Language", " en ,   de"}}},
  });
}

BOOST_AUTO_TEST_CASE(stale_when_the_origin_is_gone) {
  struct StaleRow {
    const char* id;
    const char* cache_control;
    bool want;
  };
  const std::vector<StaleRow> rows = {
      {.id = "stale-close", .cache_control = "max-age=2", .want = true},
      {.id = "stale-sie-close", .cache_control = "max-age=2, stale-if-error=60", .want = true},
      {.id = "stale-close-must-revalidate", .cache_control = "max-age=2, must-revalidate", .want = false},
      {.id = "stale-close-proxy-revalidate", .cache_control = "max-age=2, proxy-revalidate", .want = false},
      {.id = "stale-close-no-cache", .cache_control = "max-age=2, no-cache", .want = false},
      {.id = "stale-close-s-maxage=2", .cache_control = "max-age=2, s-maxage=2", .want = false},
  };
  for (const auto& row : rows) {
    BOOST_TEST_CONTEXT(row.id) {
      const auto d = decide_storing(request_of({}), response_of(200, cc(row.cache_control)), Rules{}, kNow, kNow);
      BOOST_TEST(may_serve_stale_on_error(facts_of(request_of({})), d.freshness, Rules{}, kNow + Seconds{3}) ==
                 row.want);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::policy
