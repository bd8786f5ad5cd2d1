// What the admin listener answers, to whom, and how it takes bodies.
#include <boost/test/unit_test.hpp>
#include <functional>
#include <set>

#include "unit/admin/support.h"

namespace seawall::admin {
namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;

constexpr std::size_t kMiB = std::size_t{1} << 20;

BOOST_AUTO_TEST_SUITE(admin_handler)

struct PathRow {
  const char* path;
  std::uint16_t status;
  const char* type;
  const char* text;  // somewhere in the body
};

const std::vector<PathRow> kPaths = {
    {"/", 200, "text/plain; charset=utf-8", "/v1/origins/{name}"},
    {"/?x", 200, "text/plain; charset=utf-8", "/metrics"},
    {"/healthz", 200, "text/plain; charset=utf-8", "ok\n"},
    {"/readyz", 200, "text/plain; charset=utf-8", "ready\n"},
    {"/metrics", 200, "text/plain; version=0.0.4; charset=utf-8", "\nseawall_http_connections 3\n"},
    {"/v1/", 200, "application/hal+json", "\"_links\""},
    {"/v1/origins", 200, "application/hal+json", "\"shop\""},
    {"/v1/origins/shop", 200, "application/hal+json", "\"breaker\""},
    {"/v1/origins/sh%6Fp", 200, "application/hal+json", "\"breaker\""},
    {"/v1/origins/none", 404, "application/problem+json", "shop"},
    {"/v1/origins/", 404, "application/problem+json", "/v1/origins/{name}"},
    {"/v1/routes", 200, "application/hal+json", "\"rest\""},
    {"/v1/routes/rest", 200, "application/hal+json", "\"storm\""},
    {"/v1/routes/shop.test%20%2Fapi%2F*", 200, "application/hal+json", "\"storm\""},
    {"/v1/routes/shop.test%20/api/*", 200, "application/hal+json", "\"storm\""},
    {"/v1/routes/rest/", 404, "application/problem+json", "rest"},
    {"/v1/memory", 200, "application/hal+json", "\"configured_bytes\": 16777216"},
    {"/v1/disk", 200, "application/hal+json", "\"volumes\": []"},
    {"/v1/fills/77", 404, "application/problem+json", ""},
    {"/v1/fills/", 404, "application/problem+json", "/v1/fills/{id}"},
    {"/v1", 404, "application/problem+json", "/v1/"},
    {"/v2/origins", 404, "application/problem+json", "/v1/origins"},
    {"/Metrics", 404, "application/problem+json", "/metrics"},
    {"/metrics/", 404, "application/problem+json", "/metrics"},
    {"//", 404, "application/problem+json", "/metrics"},
    {"*", 404, "application/problem+json", "/metrics"},
    {"/%zz", 400, "application/problem+json", "%25"},
    {"/%", 400, "application/problem+json", "%25"},
    {"/healthz?a=%4", 400, "application/problem+json", "%25"},
    {"/healthz?a=%41&&b", 200, "text/plain; charset=utf-8", "ok\n"},
};

BOOST_AUTO_TEST_CASE(every_path_has_its_answer) {
  Fixture f;
  for (const PathRow& row : kPaths) {
    BOOST_TEST_CONTEXT(row.path) {
      f.ask({.path = row.path});
      BOOST_TEST(f.writer.status == row.status);
      BOOST_TEST(f.writer.field("Content-Type") == row.type);
      BOOST_TEST(f.writer.body.find(row.text) != std::string::npos, f.writer.body);
      BOOST_TEST((f.writer.length == f.writer.body.size()));
      BOOST_TEST(f.writer.is_ended);
      BOOST_TEST(f.writer.field("Cache-Control") == "no-store");
      BOOST_TEST(f.writer.field("X-Content-Type-Options") == "nosniff");
      BOOST_TEST(f.writer.field("Date") == "Tue, 14 Nov 2023 22:13:20 GMT");
      BOOST_TEST(!f.handler->is_active());
      BOOST_TEST(!f.handler->has_answered());
    }
  }
  BOOST_TEST(f.finished == static_cast<int>(kPaths.size()));
  BOOST_TEST(f.writer.protocol_errors == 0);
}

BOOST_AUTO_TEST_CASE(head_is_get_without_its_body) {
  Fixture f;
  for (const PathRow& row : kPaths) {
    BOOST_TEST_CONTEXT(row.path) {
      f.ask({.method = "HEAD", .path = row.path});
      BOOST_TEST(f.writer.status == row.status);
      BOOST_TEST(f.writer.field("Content-Type") == row.type);
      BOOST_TEST(!f.writer.has_body);
      BOOST_TEST(f.writer.body.empty());
      BOOST_TEST(f.writer.length.value_or(0) > 0U);
      BOOST_TEST(f.writer.is_ended);
    }
  }
  BOOST_TEST(f.writer.protocol_errors == 0);
}

BOOST_AUTO_TEST_CASE(other_methods_are_told_which_to_use) {
  struct Row {
    const char* method;
    const char* path;
    const char* allow;
  };
  const std::vector<Row> rows = {
      {"POST", "/", "GET, HEAD"},           {"DELETE", "/healthz", "GET, HEAD"},   {"OPTIONS", "/metrics", "GET, HEAD"},
      {"get", "/metrics", "GET, HEAD"},     {"PUT", "/v1/origins/x", "GET, HEAD"}, {"GET", "/v1/purge", "POST"},
      {"HEAD", "/v1/purge", "POST"},        {"PURGE", "/v1/purge", "POST"},        {"GET", "/v1/fills", "POST"},
      {"POST", "/v1/fills/1", "GET, HEAD"}, {"POST", "/v1/objects", "PUT"},        {"GET", "/v1/objects?url=x", "PUT"},
      {"POST", "/v1/events", "GET, HEAD"},  {"CONNECT", "/", "GET, HEAD"},
  };
  Fixture f;
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.method << ' ' << row.path) {
      f.ask({.method = row.method, .path = row.path});
      BOOST_TEST(f.writer.status == 405);
      BOOST_TEST(f.writer.field("Allow") == row.allow);
      if (f.writer.has_body) BOOST_TEST(f.is_problem(405, row.allow), f.writer.body);
    }
  }
}

// All that the index links to exists, and what the front page lists.
BOOST_AUTO_TEST_CASE(the_index_leads_on) {
  Fixture f;
  f.ask({.path = "/v1/"});
  const nlohmann::json links = f.json()["_links"];
  BOOST_TEST(links["self"]["href"] == "/v1/");
  std::set<std::string> rels;
  for (const auto& [rel, link] : links.items()) {
    rels.insert(rel);
    const auto href = link["href"].get<std::string>();
    const bool is_template = href.find('{') != std::string::npos;
    BOOST_TEST(link.value("templated", false) == is_template, href);
    f.ask({.method = "DELETE", .path = href.substr(0, href.find("{?"))});
    BOOST_TEST(f.writer.status == 405, href);
  }
  const std::set<std::string> want = {"self",   "health", "ready", "metrics", "origins", "origin",  "routes", "disk",
                                      "memory", "route",  "purge", "fills",   "fill",    "objects", "events"};
  BOOST_TEST(rels == want, boost::test_tools::per_element());
}

struct PageRow {
  const char* name;
  const char* host = "127.0.0.1:9180";
  Headers headers = {};
  const char* client_ip = "127.0.0.1";
  const char* refused_for = "";  // in the detail; empty: answered
};

BOOST_AUTO_TEST_CASE(pages_of_other_sites_are_refused) {
  const char* by_host = "is a name";
  const char* by_page = "page of";
  const std::vector<PageRow> rows = {
      {.name = "address and port"},
      {.name = "address", .host = "127.0.0.1"},
      {.name = "another machine's", .host = "192.168.1.7:9180", .client_ip = "192.168.1.9"},
      {.name = "IPv6", .host = "[::1]:9180", .client_ip = "::1"},
      {.name = "localhost", .host = "localhost:9180"},
      {.name = "localhost, its dot and case", .host = "LocalHost.:9180"},
      {.name = "HTTP/1.0 without Host", .host = ""},
      {.name = "a name", .host = "seawall.example:9180", .refused_for = by_host},
      {.name = "a name without a dot", .host = "seawall", .refused_for = by_host},
      {.name = "a name through the socket", .host = "seawall.example", .client_ip = "unix"},
      {.name = "an address that goes on", .host = "127.0.0.1.evil.test:9180", .refused_for = by_host},
      {.name = "half an address", .host = "127.1:9180", .refused_for = by_host},
      {.name = "localhost that goes on", .host = "localhost.evil.test:9180", .refused_for = by_host},
      {.name = "below localhost", .host = "evil.localhost:9180", .refused_for = by_host},
      {.name = "its own page", .headers = {{"Origin", "http://127.0.0.1:9180"}, {"Sec-Fetch-Site", "same-origin"}}},
      {.name = "its own, behind TLS", .headers = {{"Origin", "https://127.0.0.1:9180"}}},
      {.name = "its own, in capitals", .host = "localhost:9180", .headers = {{"Origin", "HTTP://LOCALHOST:9180"}}},
      {.name = "typed", .headers = {{"Sec-Fetch-Site", "none"}}},
      {.name = "another site", .headers = {{"Sec-Fetch-Site", "cross-site"}}, .refused_for = by_page},
      {.name = "another port", .headers = {{"Sec-Fetch-Site", "same-site"}}, .refused_for = by_page},
      {.name = "a site of the future", .headers = {{"Sec-Fetch-Site", "x"}}, .refused_for = by_page},
      {.name = "no site", .headers = {{"Sec-Fetch-Site", ""}}, .refused_for = by_page},
      {.name = "two sites",
       .headers = {{"Sec-Fetch-Site", "none"}, {"Sec-Fetch-Site", "cross-site"}},
       .refused_for = by_page},
      {.name = "Origin elsewhere", .headers = {{"Origin", "http://evil.test"}}, .refused_for = by_page},
      {.name = "Origin on another port", .headers = {{"Origin", "http://127.0.0.1:8080"}}, .refused_for = by_page},
      {.name = "Origin without the port", .headers = {{"Origin", "http://127.0.0.1"}}, .refused_for = by_page},
      {.name = "Origin by another name", .headers = {{"Origin", "http://localhost:9180"}}, .refused_for = by_page},
      {.name = "an opaque Origin", .headers = {{"Origin", "null"}}, .refused_for = by_page},
      {.name = "an empty Origin", .headers = {{"Origin", ""}}, .refused_for = by_page},
      {.name = "two Origins",
       .headers = {{"Origin", "http://127.0.0.1:9180"}, {"Origin", "http://evil.test"}},
       .refused_for = by_page},
      {.name = "Origin of another scheme", .headers = {{"Origin", "file://127.0.0.1:9180"}}, .refused_for = by_page},
      {.name = "a rebound name and its page",
       .host = "evil.test:9180",
       .headers = {{"Origin", "http://evil.test:9180"}, {"Sec-Fetch-Site", "same-origin"}},
       .refused_for = by_host},
      {.name = "a page through the socket",
       .headers = {{"Sec-Fetch-Site", "cross-site"}},
       .client_ip = "unix",
       .refused_for = by_page},
  };
  for (const PageRow& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      Fixture f(row.client_ip);
      for (const char* path : {"/healthz", "/v1/origins", "/nothing"}) {
        f.ask({.path = path, .headers = row.headers, .host = row.host});
        if (*row.refused_for == '\0') {
          BOOST_TEST(f.writer.status != 403, f.writer.body);
        } else {
          BOOST_TEST(f.is_problem(403, row.refused_for), f.writer.body);
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_refused_page_changes_nothing) {
  Fixture f;
  const std::string body = R"({"tags": ["a"]})";
  f.upload({.method = "POST", .path = "/v1/purge", .headers = {{"Origin", "http://evil.test"}}}, body);
  BOOST_TEST(f.is_problem(403, "evil.test"));
  BOOST_TEST(f.services.purge.stats().rules == 0U);
  f.upload({.method = "POST", .path = "/v1/purge"}, body);
  BOOST_TEST(f.writer.status == 200);
  BOOST_TEST(f.services.purge.stats().rules == 1U);
}

BOOST_AUTO_TEST_CASE(readiness_ends_with_the_drain_and_health_does_not) {
  Fixture f;
  f.context.is_draining = true;
  f.ask({.path = "/readyz"});
  BOOST_TEST(f.writer.is_answer(503, "draining\n"));
  f.ask({.path = "/healthz"});
  BOOST_TEST(f.writer.is_answer(200, "ok\n"));
}

BOOST_AUTO_TEST_CASE(metrics_in_the_format_that_is_asked_for) {
  Fixture f;
  f.clock.advance(Millis{90'500});
  f.services.started_at = f.clock.mono_now();
  f.clock.advance(Millis{2'000});
  f.services.reloads = 4;
  f.services.last_reload_failed = true;
  f.ask({.path = "/metrics", .headers = {{"Accept", "application/openmetrics-text;version=1.0.0"}}});
  BOOST_TEST(f.writer.field("Content-Type") == "application/openmetrics-text; version=1.0.0; charset=utf-8");
  BOOST_TEST(f.writer.body.ends_with("\n# EOF\n"));
  for (const char* line :
       {"\nseawall_start_time_seconds 1700000090.5\n", "\nseawall_config_reloads_total 4\n",
        "\nseawall_config_last_reload_successful 0\n", "\nseawall_ready 1\n", "\nseawall_cache_budget_bytes 16777216\n",
        "\nseawall_origin_requests_total{origin=\"shop\"} 0\n"}) {
    BOOST_TEST(f.writer.body.find(line) != std::string::npos, line);
  }
}

BOOST_AUTO_TEST_CASE(a_body_is_complete_before_it_counts) {
  Fixture f;
  const auto pipe = f.begin_upload({.method = "POST", .path = "/v1/purge"});
  BOOST_TEST(pipe->is_wanted());
  for (const char* piece : {R"({"ta)", R"(gs": ["a", )", R"("b"]})"}) {
    f.send(*pipe, piece);
    BOOST_TEST(f.handler->is_active());
    BOOST_TEST(!f.handler->has_answered());
  }
  BOOST_TEST(f.services.purge.stats().rules == 0U);
  pipe->finish({});
  f.pump();
  BOOST_TEST(f.writer.status == 200);
  BOOST_TEST(!f.writer.closes_after);
  BOOST_TEST(f.services.purge.stats().rules == 2U);
  BOOST_TEST(f.finished == 1);
}

BOOST_AUTO_TEST_CASE(a_body_that_came_before_its_request_was_begun) {
  Fixture f;
  f.handler->request() = request_head({.method = "POST", .path = "/v1/purge"});
  f.handler->request().framing = http::BodyFraming::kChunked;
  const auto pipe = make_ref<http::BodyPipe>(f.executor, std::size_t{1000});
  pipe->write(R"({"tags": ["a"]})");
  pipe->finish({});
  f.pump();
  f.handler->begin(pipe);
  BOOST_TEST(f.writer.status == 200);
  f.pump();
  BOOST_TEST(f.finished == 1);
}

BOOST_AUTO_TEST_CASE(a_body_that_nobody_wants_is_let_go) {
  Fixture f;
  const auto pipe = f.begin_upload({.method = "GET", .path = "/healthz"}, 10 * kMiB);
  BOOST_TEST(f.writer.is_answer(200, "ok\n"));
  BOOST_TEST(!pipe->is_wanted());
  BOOST_TEST(f.send(*pipe, std::string(kMiB, 'x')) == kMiB);
  BOOST_TEST(f.finished == 1);
}

BOOST_AUTO_TEST_CASE(a_body_that_is_announced_too_large_is_not_read) {
  Fixture f;
  auto pipe = f.begin_upload({.method = "POST", .path = "/v1/purge"}, 8 * kMiB + 1);
  BOOST_TEST(f.is_problem(413, "8388608"), f.writer.body);
  BOOST_TEST(!pipe->is_wanted());
  pipe = f.begin_upload({.method = "POST", .path = "/v1/purge"}, 8 * kMiB);
  BOOST_TEST(pipe->is_wanted());
  BOOST_TEST(f.writer.status == 0);
}

BOOST_AUTO_TEST_CASE(a_body_that_proves_too_large_ends_the_connection) {
  Fixture f;
  const auto pipe = f.begin_upload({.method = "POST", .path = "/v1/fills"});
  const std::string piece(kMiB, ' ');
  for (int i = 0; i < 8; ++i) BOOST_TEST(f.send(*pipe, piece) == kMiB);
  BOOST_TEST(f.handler->is_active());
  f.send(*pipe, "x");
  BOOST_TEST(f.is_problem(413, "8388608"), f.writer.body);
  BOOST_TEST(f.writer.closes_after);
  BOOST_TEST(f.finished == 1);
  // The rest is forgotten.
  BOOST_TEST(f.send(*pipe, piece) == kMiB);
  BOOST_TEST(f.finished == 1);
}

BOOST_AUTO_TEST_CASE(a_pushed_object_may_be_as_large_as_the_store_takes) {
  const std::string path = "/v1/objects?url=http%3A%2F%2Fshop.test%2Fa";
  const Headers fresh = {{"Cache-Control", "max-age=60"}};
  Fixture f("127.0.0.1", 256 * kMiB);
  const std::uint64_t most = f.store.max_object_bytes();
  BOOST_TEST_REQUIRE(most > 8 * kMiB);
  auto pipe = f.begin_upload({.method = "PUT", .path = path, .headers = fresh}, most);
  BOOST_TEST(pipe->is_wanted());
  f.handler->on_client_gone();
  f.begin_upload({.method = "PUT", .path = path, .headers = fresh}, most + 1);
  BOOST_TEST(f.is_problem(413, ""), f.writer.body);

  f.upload({.method = "PUT", .path = path, .headers = fresh}, "hello");
  BOOST_TEST(f.writer.status == 201);
  BOOST_TEST(f.store.stats().objects == 1U);
}

BOOST_AUTO_TEST_CASE(a_pushed_object_that_is_refused_is_not_read) {
  Fixture f;
  const auto pipe = f.begin_upload({.method = "PUT", .path = "/v1/objects?url=nonsense"}, 100);
  BOOST_TEST(f.is_problem(400, ""), f.writer.body);
  BOOST_TEST(!pipe->is_wanted());
  f.ask({.method = "PUT", .path = "/v1/objects?url=http://shop.test/a", .headers = {{"Cache-Control", "max-age=60"}}});
  BOOST_TEST(f.is_problem(411, ""), f.writer.body);
}

BOOST_AUTO_TEST_CASE(parameters_are_decoded) {
  Fixture f;
  f.upload({.method = "PUT",
            .path = "/v1/objects?status=200&url=http://shop.test/a%3Fb%3D1%2B2+3",
            .headers = {{"Cache-Control", "max-age=60"}}},
           "hello");
  BOOST_TEST(f.writer.status == 201);
  BOOST_TEST(f.json().value("url", "") == "http://shop.test/a?b=1+2+3");
}

BOOST_AUTO_TEST_CASE(a_body_that_fails_is_answered_and_forgotten) {
  struct Row {
    Error error;
    std::uint16_t status;
    const char* text;
  };
  const std::vector<Row> rows = {
      {{ErrorCode::kBodyTimeout, Side::kClient}, 408, "body-timeout"},
      {{ErrorCode::kPeerClosed, Side::kClient}, 400, "closed"},
      {{ErrorCode::kMalformedChunk, Side::kClient}, 400, "malformed-chunk"},
      {{ErrorCode::kBodyTooLarge, Side::kClient}, 413, "body-too-large"},
  };
  Fixture f;
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.text) {
      const auto pipe = f.begin_upload({.method = "POST", .path = "/v1/purge"});
      f.send(*pipe, R"({"tags": ["a"]})");
      pipe->fail(row.error);
      f.pump();
      BOOST_TEST(f.is_problem(row.status, row.text), f.writer.body);
      BOOST_TEST(f.writer.closes_after);
    }
  }
  BOOST_TEST(f.services.purge.stats().rules == 0U);
  BOOST_TEST(f.finished == static_cast<int>(rows.size()));
}

BOOST_AUTO_TEST_CASE(a_large_body_is_charged_to_the_cache_while_it_is_held) {
  Fixture f;
  const std::size_t before = f.store.budget().used_bytes();
  const auto pipe = f.begin_upload({.method = "POST", .path = "/v1/fills"});
  f.send(*pipe, std::string(64 * 1024, ' '));
  BOOST_TEST(f.store.budget().used_bytes() == before);
  f.send(*pipe, std::string(kMiB, ' '));
  BOOST_TEST(f.store.budget().used_bytes() >= before + kMiB);
  BOOST_TEST(f.store.budget().used_bytes() <= before + 3 * kMiB);
  f.handler->on_client_gone();
  BOOST_TEST(f.store.budget().used_bytes() == before);
}

BOOST_AUTO_TEST_CASE(without_memory_a_small_body_is_taken_and_a_large_one_is_not) {
  Fixture f;
  const BudgetCharge all(f.store.budget(), f.store.budget().limit_bytes());
  f.upload({.method = "POST", .path = "/v1/purge"}, R"({"tags": ["a"]})");
  BOOST_TEST(f.writer.status == 200);
  const auto pipe = f.begin_upload({.method = "POST", .path = "/v1/fills"});
  f.send(*pipe, " ");
  f.send(*pipe, std::string(kMiB, ' '));
  BOOST_TEST(f.is_problem(503, "no memory"), f.writer.body);
  BOOST_TEST(f.writer.field("Retry-After") == "1");
  BOOST_TEST(f.writer.closes_after);
}

BOOST_AUTO_TEST_CASE(a_client_that_goes_in_mid_body) {
  Fixture f;
  const auto pipe = f.begin_upload({.method = "POST", .path = "/v1/purge"});
  f.send(*pipe, R"({"tags": ["a"]})");
  f.handler->on_client_gone();
  BOOST_TEST(f.finished == 1);
  BOOST_TEST(!f.handler->is_active());
  pipe->finish({});
  f.pump();
  f.handler->on_client_gone();
  BOOST_TEST(f.writer.status == 0);
  BOOST_TEST(f.services.purge.stats().rules == 0U);
  BOOST_TEST(f.finished == 1);
}

BOOST_AUTO_TEST_CASE(a_handler_that_goes_in_mid_body) {
  Fixture f;
  const auto pipe = f.begin_upload({.method = "POST", .path = "/v1/purge"});
  pipe->write("{");
  f.handler.reset();
  f.pump();
  BOOST_TEST(f.finished == 0);
}

BOOST_AUTO_TEST_CASE(the_next_request_may_begin_in_the_end_of_the_last) {
  Fixture f;
  std::string bodies;
  f.on_finished = [&] {
    bodies += f.writer.body;
    if (f.finished == 1) f.ask({.path = "/readyz"});
    if (f.finished == 2) f.upload({.method = "POST", .path = "/v1/purge"}, "no JSON");
  };
  f.ask({.path = "/healthz"});
  BOOST_TEST(f.finished == 3);
  BOOST_TEST(bodies.starts_with("ok\nready\n{"));
  BOOST_TEST(f.is_problem(400, ""), f.writer.body);
}

BOOST_AUTO_TEST_CASE(a_client_that_goes_while_it_is_answered) {
  for (const std::string_view call : {"head", "body", "end"}) {
    BOOST_TEST_CONTEXT(call) {
      Fixture f;
      f.writer.hook = [&](std::string_view now) {
        if (now == call) f.handler->on_client_gone();
      };
      f.ask({.path = "/healthz"});
      BOOST_TEST(f.finished == 1);
      BOOST_TEST(!f.handler->is_active());
    }
  }
}

BOOST_AUTO_TEST_CASE(requests_that_never_became_one) {
  struct Row {
    Error error;
    std::uint16_t status;
    const char* text;
    bool closes;
    const char* retry_after;
  };
  const std::vector<Row> rows = {
      {{ErrorCode::kHeadersTooLarge, Side::kClient}, 431, "headers-too-large", true, ""},
      {{ErrorCode::kMalformedStartLine, Side::kClient}, 400, "malformed-start-line", true, ""},
      {{ErrorCode::kTooManyConnections, Side::kLocal}, 503, "too many connections", false, "1"},
  };
  Fixture f;
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.text) {
      f.writer.clear();
      f.handler->request().clear();
      f.handler->begin_refused(row.error);
      BOOST_TEST(f.is_problem(row.status, row.text), f.writer.body);
      BOOST_TEST(f.writer.closes_after == row.closes);
      BOOST_TEST(f.writer.field("Retry-After") == row.retry_after);
    }
  }
  BOOST_TEST(f.finished == static_cast<int>(rows.size()));
}

void tell(Fixture& f, std::string url) {
  f.miss_events.offer(
      {.time = f.clock.wall_now(), .url = std::move(url), .route = "rest", .origin = "shop", .why = "x"},
      f.miss_events.last(), f.clock.mono_now());
  f.pump();
}

BOOST_AUTO_TEST_CASE(events_go_on_until_the_client_goes) {
  Fixture f;
  tell(f, "http://a.test/1");
  f.ask({.path = "/v1/events"});
  BOOST_TEST(f.writer.status == 200);
  BOOST_TEST(f.writer.field("Content-Type") == "text/event-stream");
  BOOST_TEST(f.handler->is_active());
  BOOST_TEST(f.handler->has_answered());
  tell(f, "http://a.test/2");
  BOOST_TEST(f.writer.body.find("http://a.test/1") == std::string::npos);
  BOOST_TEST(f.writer.body.find("http://a.test/2") != std::string::npos);
  BOOST_TEST(f.services.streams == 1U);
  f.handler->on_client_gone();
  BOOST_TEST(f.finished == 1);
  BOOST_TEST(f.services.streams == 0U);
  BOOST_TEST(!f.handler->is_active());
  f.ask({.path = "/healthz"});
  tell(f, "http://a.test/3");
  BOOST_TEST(f.writer.is_answer(200, "ok\n"));
}

BOOST_AUTO_TEST_CASE(events_begin_after_the_last_that_was_seen) {
  Fixture f;
  for (const char* url : {"http://a.test/1", "http://a.test/2", "http://a.test/3"}) tell(f, url);
  f.ask({.path = "/v1/events", .headers = {{"Last-Event-ID", "1"}}});
  BOOST_TEST(f.writer.body.find("http://a.test/1") == std::string::npos);
  BOOST_TEST(f.writer.body.find("http://a.test/2") != std::string::npos);
  BOOST_TEST(f.writer.body.find("http://a.test/3") != std::string::npos);
  f.handler->on_client_gone();
  for (const char* id : {"", "x", "-1", "1 ", "99999999999999999999"}) {
    f.ask({.path = "/v1/events", .headers = {{"Last-Event-ID", id}}});
    BOOST_TEST(f.is_problem(400, "Last-Event-ID"), id);
  }
}

BOOST_AUTO_TEST_CASE(a_slow_reader_of_events_gets_the_rest_when_it_takes_more) {
  Fixture f;
  f.ask({.path = "/v1/events"});
  f.writer.stop_reading();
  // Far more than the high-water mark, in events that are kept.
  const std::string long_url = "http://a.test/" + std::string(4000, 'x');
  for (int i = 0; i < 100; ++i) tell(f, long_url + std::to_string(i));
  BOOST_TEST(f.writer.largest_unsent < 2 * proxy::ResponseWriter::kHighWater);
  f.writer.resume_reading();
  f.handler->on_writable();
  BOOST_TEST(f.writer.body.find("xx99\"") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_client_of_events_that_goes_while_they_begin) {
  for (const std::string_view call : {"head", "flush"}) {
    BOOST_TEST_CONTEXT(call) {
      Fixture f;
      f.writer.hook = [&](std::string_view now) {
        if (now == call) f.handler->on_client_gone();
      };
      f.ask({.path = "/v1/events"});
      BOOST_TEST(f.finished == 1);
      BOOST_TEST(!f.handler->is_active());
      BOOST_TEST(f.services.streams == 0U);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_client_of_events_that_goes_while_one_is_told) {
  Fixture f;
  f.ask({.path = "/v1/events"});
  f.writer.hook = [&](std::string_view) { f.handler->on_client_gone(); };
  tell(f, "http://a.test/1");
  BOOST_TEST(f.finished == 1);
  BOOST_TEST(f.services.streams == 0U);
}

BOOST_AUTO_TEST_CASE(readers_of_events_leave_room_for_others) {
  Fixture f;
  std::vector<std::unique_ptr<test::FakeWriter>> writers;
  std::vector<std::unique_ptr<proxy::RequestHandler>> readers;
  for (int i = 0; i < 64; ++i) {
    writers.push_back(std::make_unique<test::FakeWriter>());
    readers.push_back(f.make_handler(*writers.back()));
    readers.back()->request() = request_head({.path = "/v1/events"});
    readers.back()->begin(nullptr);
    BOOST_TEST(writers.back()->status == 200);
  }
  f.ask({.path = "/v1/events"});
  BOOST_TEST(f.is_problem(503, "64 clients"), f.writer.body);
  f.ask({.path = "/healthz"});
  BOOST_TEST(f.writer.status == 200);
  readers.pop_back();
  f.ask({.path = "/v1/events"});
  BOOST_TEST(f.writer.status == 200);
}

BOOST_AUTO_TEST_CASE(the_head_of_events_ends_at_once) {
  Fixture f;
  f.ask({.method = "HEAD", .path = "/v1/events"});
  BOOST_TEST(f.writer.field("Content-Type") == "text/event-stream");
  BOOST_TEST(!f.writer.length.has_value());
  BOOST_TEST(f.writer.is_ended);
  BOOST_TEST(f.finished == 1);
  BOOST_TEST(f.services.streams == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::admin
