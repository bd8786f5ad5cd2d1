// The decision in tables: what is stored, what is asked, when.
#include "policy/plan.h"

#include <boost/test/unit_test.hpp>

#include "unit/policy/support.h"

namespace seawall::policy {
namespace {

std::string_view to_string(Verdict v) {
  switch (v) {
    case Verdict::kServeFresh: return "serve";
    case Verdict::kServeStaleAndRefresh: return "serve stale, refresh";
    case Verdict::kRevalidate: return "revalidate";
    case Verdict::kFetchAndStore: return "fetch";
    case Verdict::kPass: return "pass";
    case Verdict::kFail: return "fail";
  }
  return "?";
}

std::string text_of(const Plan& p) {
  return std::string(to_string(p.verdict)) + ": " + std::string(policy::to_string(p.why));
}

// Age 0 and 60 s to live at kNow unless a row says otherwise.
Freshness stored(Freshness f = {}) {
  f.response_time = kNow;
  if (f.lifetime == Seconds{0}) f.lifetime = Seconds{60};
  return f;
}

struct Row {
  const char* name;
  const char* request = nullptr;  // Cache-Control
  Freshness object{};
  std::int64_t at = 10;  // seconds after the response arrived
  Rules rules{};
  const char* want;
};

void check(const std::vector<Row>& rows) {
  for (const auto& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const auto facts = facts_of(request_of(row.request ? Headers{{"Cache-Control", row.request}} : Headers{}));
      const auto object = stored(row.object);
      BOOST_TEST(text_of(plan(facts, Found::kObject, &object, row.rules, kNow + Seconds{row.at})) == row.want);
    }
  }
}

BOOST_AUTO_TEST_SUITE(policy_plan)

BOOST_AUTO_TEST_CASE(lookups) {
  struct LookupRow {
    const char* name;
    const char* method = "GET";
    Headers headers{};
    http::BodyFraming framing = http::BodyFraming::kNone;
    std::uint64_t content_length = 0;
    bool wants_upgrade = false;
    const char* want = "fetch: none";
  };
  const std::vector<LookupRow> rows = {
      {.name = "GET"},
      {.name = "HEAD", .method = "HEAD"},
      {.name = "Authorization", .headers = {{"Authorization", "x"}}},
      {.name = "no-store is plan()'s", .headers = {{"Cache-Control", "no-store"}}},
      {.name = "an empty body", .framing = http::BodyFraming::kLength},
      {.name = "POST", .method = "POST", .want = "pass: method"},
      {.name = "OPTIONS", .method = "OPTIONS", .want = "pass: method"},
      {.name = "methods have case", .method = "get", .want = "pass: method"},
      {.name = "GET with a body",
       .framing = http::BodyFraming::kLength,
       .content_length = 1,
       .want = "pass: request-body"},
      {.name = "GET with a chunked body", .framing = http::BodyFraming::kChunked, .want = "pass: request-body"},
      {.name = "upgrade", .wants_upgrade = true, .want = "pass: upgrade"},
  };
  for (const auto& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      auto request = request_of(row.headers, row.method);
      request.framing = row.framing;
      request.content_length = row.content_length;
      request.wants_upgrade = row.wants_upgrade;
      BOOST_TEST(text_of(plan_lookup(facts_of(request))) == row.want);
    }
  }
  BOOST_TEST(facts_of(request_of({{"Authorization", "x"}})).has_authorization);
  BOOST_TEST(!facts_of(request_of({})).has_authorization);
}

BOOST_AUTO_TEST_CASE(nothing_usable_is_stored) {
  struct MissRow {
    const char* name;
    Found found = Found::kNothing;
    const char* request = nullptr;
    const char* method = "GET";
    Rules rules{};
    const char* want;
  };
  const std::vector<MissRow> rows = {
      {.name = "nothing", .want = "fetch: uri-miss"},
      {.name = "HEAD", .method = "HEAD", .want = "fetch: uri-miss"},
      {.name = "other variants", .found = Found::kOtherVariants, .want = "fetch: vary-miss"},
      {.name = "no-cache", .request = "no-cache", .want = "fetch: uri-miss"},
      {.name = "max-age=0", .request = "max-age=0", .want = "fetch: uri-miss"},
      {.name = "5.2.1.7 only-if-cached", .request = "only-if-cached", .want = "fail: only-if-cached"},
      {.name = "5.2.1.7 only-if-cached, other variants",
       .found = Found::kOtherVariants,
       .request = "only-if-cached",
       .want = "fail: only-if-cached"},
      {.name = "only-if-cached, not honoured",
       .request = "only-if-cached",
       .rules = {.honour_request_directives = false},
       .want = "fail: only-if-cached"},
      {.name = "5.2.1.5 no-store", .request = "no-store", .want = "pass: request-no-store"},
      {.name = "5.2.1.5 no-store, not honoured",
       .request = "no-store",
       .rules = {.honour_request_directives = false},
       .want = "fetch: uri-miss"},
      {.name = "no-store, only-if-cached", .request = "no-store, only-if-cached", .want = "fail: only-if-cached"},
  };
  for (const auto& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const auto facts =
          facts_of(request_of(row.request ? Headers{{"Cache-Control", row.request}} : Headers{}, row.method));
      BOOST_TEST(text_of(plan(facts, row.found, nullptr, row.rules, kNow)) == row.want);
    }
  }
}

BOOST_AUTO_TEST_CASE(by_freshness_alone) {
  check({
      {.name = "fresh", .want = "serve: fresh"},
      {.name = "last second", .at = 59, .want = "serve: fresh"},
      {.name = "4.2 the lifetime is over when the age reaches it", .at = 60, .want = "revalidate: expired"},
      {.name = "stale", .at = 1000, .want = "revalidate: expired"},
      {.name = "the clock stepped back", .at = -1000, .want = "serve: fresh"},
      {.name = "initial age counts",
       .object = {.corrected_initial_age = Seconds{55}},
       .at = 5,
       .want = "revalidate: expired"},
      {.name = "stale on arrival",
       .object = {.corrected_initial_age = Seconds{70}},
       .at = 0,
       .want = "revalidate: expired"},
      {.name = "heuristic or explicit is all the same", .object = {.is_explicit = true}, .want = "serve: fresh"},
      {.name = "5.2.2.4 no-cache", .object = {.no_cache = true}, .want = "revalidate: no-cache-response"},
      {.name = "5.2.2.2 must-revalidate, fresh", .object = {.must_revalidate = true}, .want = "serve: fresh"},
      {.name = "5.2.2.2 must-revalidate, stale",
       .object = {.must_revalidate = true},
       .at = 60,
       .want = "revalidate: must-revalidate"},
      {.name = "immutable, fresh", .object = {.immutable = true}, .want = "serve: fresh"},
      {.name = "immutable, stale", .object = {.immutable = true}, .at = 60, .want = "revalidate: expired"},
  });
}

BOOST_AUTO_TEST_CASE(while_revalidating) {
  const Freshness window{.stale_while_revalidate = Seconds{10}};
  check({
      {.name = "RFC 5861 3 fresh", .object = window, .at = 59, .want = "serve: fresh"},
      {.name = "RFC 5861 3 first second",
       .object = window,
       .at = 60,
       .want = "serve stale, refresh: stale-while-revalidate"},
      {.name = "RFC 5861 3 last second",
       .object = window,
       .at = 69,
       .want = "serve stale, refresh: stale-while-revalidate"},
      {.name = "RFC 5861 3 over", .object = window, .at = 70, .want = "revalidate: expired"},
      {.name = "the window of errors is another",
       .object = {.stale_if_error = Seconds{10}},
       .at = 60,
       .want = "revalidate: expired"},
      {.name = "4.2.4 must-revalidate",
       .object = {.must_revalidate = true, .stale_while_revalidate = Seconds{10}},
       .at = 60,
       .want = "revalidate: must-revalidate"},
      {.name = "5.2.2.4 no-cache",
       .object = {.no_cache = true, .stale_while_revalidate = Seconds{10}},
       .at = 60,
       .want = "revalidate: no-cache-response"},
      {.name = "client's no-cache", .request = "no-cache", .object = window, .at = 60, .want = "revalidate: expired"},
      {.name = "client's max-age, too old",
       .request = "max-age=30",
       .object = window,
       .at = 60,
       .want = "revalidate: expired"},
      {.name = "client's max-age, content",
       .request = "max-age=90",
       .object = window,
       .at = 60,
       .want = "serve stale, refresh: stale-while-revalidate"},
      {.name = "client's min-fresh",
       .request = "min-fresh=1",
       .object = window,
       .at = 60,
       .want = "revalidate: expired"},
      {.name = "client's no-cache, not honoured",
       .request = "no-cache",
       .object = window,
       .at = 60,
       .rules = {.honour_request_directives = false},
       .want = "serve stale, refresh: stale-while-revalidate"},
      {.name = "only-if-cached within",
       .request = "only-if-cached",
       .object = window,
       .at = 60,
       .want = "serve stale, refresh: stale-while-revalidate"},
  });
}

BOOST_AUTO_TEST_CASE(by_the_clients_wish) {
  const Rules deaf{.honour_request_directives = false};
  check({
      {.name = "5.2.1.4 no-cache", .request = "no-cache", .want = "revalidate: request-no-cache"},
      {.name = "5.2.1.4 no-cache, not honoured", .request = "no-cache", .rules = deaf, .want = "serve: fresh"},
      {.name = "5.2.1.1 max-age=0", .request = "max-age=0", .want = "revalidate: request-max-age"},
      {.name = "5.2.1.1 max-age=0 at once", .request = "max-age=0", .at = 0, .want = "serve: fresh"},
      {.name = "5.2.1.1 age equals max-age", .request = "max-age=10", .want = "serve: fresh"},
      {.name = "5.2.1.1 age over max-age", .request = "max-age=9", .want = "revalidate: request-max-age"},
      {.name = "5.2.1.1 initial age counts",
       .request = "max-age=20",
       .object = {.corrected_initial_age = Seconds{20}},
       .want = "revalidate: request-max-age"},
      {.name = "5.2.1.1 not honoured", .request = "max-age=0", .rules = deaf, .want = "serve: fresh"},
      {.name = "5.2.1.3 min-fresh, enough", .request = "min-fresh=50", .want = "serve: fresh"},
      {.name = "5.2.1.3 min-fresh, too much", .request = "min-fresh=51", .want = "revalidate: request-min-fresh"},
      {.name = "5.2.1.3 not honoured", .request = "min-fresh=51", .rules = deaf, .want = "serve: fresh"},
      {.name = "5.2.1.5 no-store", .request = "no-store", .want = "pass: request-no-store"},
      {.name = "5.2.1.5 not honoured", .request = "no-store", .rules = deaf, .want = "serve: fresh"},
      {.name = "RFC 8246 2 reload of what is immutable",
       .request = "max-age=0",
       .object = {.immutable = true},
       .want = "serve: fresh"},
      {.name = "RFC 8246 2 forced reload of what is immutable",
       .request = "no-cache",
       .object = {.immutable = true},
       .want = "revalidate: request-no-cache"},
      {.name = "RFC 8246 2 another max-age is a wish",
       .request = "max-age=5",
       .object = {.immutable = true},
       .want = "revalidate: request-max-age"},
      {.name = "RFC 8246 2 reload of what was immutable",
       .request = "max-age=0",
       .object = {.immutable = true},
       .at = 60,
       .want = "revalidate: expired"},
      {.name = "5.2.1.7 only-if-cached, fresh", .request = "only-if-cached", .want = "serve: fresh"},
      {.name = "5.2.1.7 only-if-cached, stale", .request = "only-if-cached", .at = 60, .want = "fail: only-if-cached"},
      {.name = "5.2.1.7 only-if-cached, must be validated",
       .request = "only-if-cached",
       .object = {.no_cache = true},
       .want = "fail: only-if-cached"},
      {.name = "5.2.1.7 only-if-cached and no-cache",
       .request = "only-if-cached, no-cache",
       .want = "fail: only-if-cached"},
      {.name = "unknown directives", .request = "nothing-to-see-here", .want = "serve: fresh"},
  });
}

BOOST_AUTO_TEST_CASE(max_stale) {
  check({
      {.name = "fresh anyway", .request = "max-stale=5", .want = "serve: fresh"},
      {.name = "within", .request = "max-stale=10", .at = 65, .want = "serve: max-stale"},
      {.name = "last second", .request = "max-stale=10", .at = 70, .want = "serve: max-stale"},
      {.name = "over", .request = "max-stale=10", .at = 71, .want = "revalidate: expired"},
      {.name = "max-stale=0", .request = "max-stale=0", .at = 61, .want = "revalidate: expired"},
      {.name = "unbounded", .request = "max-stale", .at = 100'000, .want = "serve: max-stale"},
      {.name = "unbounded, but not for ever", .request = "max-stale", .at = 700'000, .want = "revalidate: expired"},
      {.name = "the operator's bound",
       .request = "max-stale=1000",
       .at = 100,
       .rules = {.stale_max = Seconds{30}},
       .want = "revalidate: expired"},
      {.name = "4.2.4 must-revalidate",
       .request = "max-stale",
       .object = {.must_revalidate = true},
       .at = 61,
       .want = "revalidate: must-revalidate"},
      {.name = "no-cache of the response",
       .request = "max-stale",
       .object = {.no_cache = true},
       .at = 61,
       .want = "revalidate: no-cache-response"},
      {.name = "no-cache of the request", .request = "max-stale, no-cache", .at = 61, .want = "revalidate: expired"},
      {.name = "with max-age", .request = "max-stale, max-age=10", .at = 61, .want = "revalidate: expired"},
      {.name = "only-if-cached", .request = "max-stale, only-if-cached", .at = 61, .want = "serve: max-stale"},
      {.name = "loosening is always heard",
       .request = "max-stale=10",
       .at = 65,
       .rules = {.honour_request_directives = false},
       .want = "serve: max-stale"},
  });
}

BOOST_AUTO_TEST_CASE(stale_on_error) {
  struct ErrorRow {
    const char* name;
    const char* request = nullptr;
    Freshness object{.stale_if_error = Seconds{100}};
    std::int64_t at = 61;
    Rules rules{};
    bool want = true;
  };
  const std::vector<ErrorRow> rows = {
      {.name = "RFC 5861 4 within"},
      {.name = "RFC 5861 4 last second", .at = 159},
      {.name = "RFC 5861 4 over", .at = 160, .want = false},
      {.name = "no window", .object = {}, .want = false},
      {.name = "fresh, but the client wanted more", .request = "no-cache", .object = {}, .at = 10},
      {.name = "fresh and must-revalidate", .object = {.must_revalidate = true}, .at = 10},
      {.name = "no-cache, fresh",
       .object = {.no_cache = true, .stale_if_error = Seconds{100}},
       .at = 10,
       .want = false},
      {.name = "no-cache, stale", .object = {.no_cache = true, .stale_if_error = Seconds{100}}, .want = false},
      {.name = "must-revalidate, stale",
       .object = {.must_revalidate = true, .stale_if_error = Seconds{100}},
       .want = false},
      {.name = "operator's bound", .at = 70, .rules = {.stale_max = Seconds{10}}, .want = false},
      {.name = "client narrows", .request = "stale-if-error=5", .at = 65, .want = false},
      {.name = "client narrows, within", .request = "stale-if-error=5", .at = 64},
      {.name = "client forbids", .request = "stale-if-error=0", .want = false},
      {.name = "client cannot widen", .request = "stale-if-error=1000", .at = 200, .want = false},
      {.name = "client's no-cache", .request = "no-cache"},
  };
  for (const auto& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const auto facts = facts_of(request_of(row.request ? Headers{{"Cache-Control", row.request}} : Headers{}));
      BOOST_TEST(may_serve_stale_on_error(facts, stored(row.object), row.rules, kNow + Seconds{row.at}) == row.want);
    }
  }
}

BOOST_AUTO_TEST_CASE(error_statuses) {
  for (std::uint16_t status = 100; status < 600; ++status) {
    BOOST_TEST_CONTEXT(status) {
      const bool want = status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
      BOOST_TEST(is_error_status(status) == want);
    }
  }
}

BOOST_AUTO_TEST_CASE(without_asking) {
  struct AskRow {
    const char* name;
    Freshness object{};
    std::int64_t at = 61;
    Rules rules{};
    bool want = true;
  };
  const std::vector<AskRow> rows = {
      {.name = "fresh", .at = 10},
      {.name = "fresh and must-revalidate", .object = {.must_revalidate = true}, .at = 10},
      {.name = "stale without any window"},
      {.name = "stale within the operator's bound", .at = 69, .rules = {.stale_max = Seconds{10}}},
      {.name = "stale beyond it", .at = 70, .rules = {.stale_max = Seconds{10}}, .want = false},
      {.name = "must-revalidate, stale", .object = {.must_revalidate = true}, .want = false},
      {.name = "no-cache, fresh", .object = {.no_cache = true}, .at = 10, .want = false},
  };
  for (const auto& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      BOOST_TEST(may_serve_without_asking(stored(row.object), row.rules, kNow + Seconds{row.at}) == row.want);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::policy
