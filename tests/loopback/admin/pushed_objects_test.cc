// PUT /v1/objects: what is stored of a request, what may not be, and what becomes of a fetch that is under way.
#include "admin/pushed_objects.h"

#include "admin/purge_service.h"
#include "http/date.h"
#include "loopback/admin/fixture.h"

namespace seawall::test {
namespace {

using admin::PushedObjects;

const Lines kFresh = {{"Cache-Control", "max-age=60"}};

struct Fixture : Harness {
  explicit Fixture(HarnessOptions options = {}) : Harness(std::move(options)) { remember("/a"); }

  PushedObjects service{context()};

  AdminReply put(std::string_view body, const Lines& headers = kFresh, std::string url = "http://example.com/a",
                 std::string status = {}) {
    std::vector<std::pair<std::string, std::string>> query = {{"url", std::move(url)}};
    if (!status.empty()) query.emplace_back("status", std::move(status));
    const AdminAsk ask("PUT", body, std::move(query), headers);
    // What the head alone tells is told before the body comes.
    if (auto refused = service.refuse(ask.request)) {
      BOOST_TEST(refused->body == service.put(ask.request).body);
      return std::move(*refused);
    }
    const AdminReply reply = service.put(ask.request);
    settle();
    return reply;
  }
};

BOOST_FIXTURE_TEST_SUITE(admin_pushed_objects, Fixture)

BOOST_AUTO_TEST_CASE(what_is_put_is_served) {
  const AdminReply first = put("hello", {{"Cache-Control", "max-age=60"}, {"Content-Type", "text/plain"}});
  BOOST_TEST(first.status == 201);
  BOOST_TEST(json_of(first) == Json({{"url", "http://example.com/a"}, {"bytes", 5}, {"ttl", 60}}));
  Client& asking = ask();
  BOOST_TEST(asking.writer.is_answer(200, "hello"));
  BOOST_TEST(asking.writer.is_hit());
  BOOST_TEST(asking.writer.has_parameter("; ttl=60"));
  BOOST_TEST(asking.writer.field("Content-Type") == "text/plain");
  BOOST_TEST(asking.writer.field("Age") == "0");
  BOOST_TEST(asking.writer.field("Via") == "1.1 seawall");
  BOOST_TEST(asking.writer.field("Date") == http::format_date(clock.wall_now()));
  BOOST_TEST(put("again").status == 200);
  BOOST_TEST(ask().writer.is_answer(200, "again"));
  BOOST_TEST(upstream.calls() == 0U);
}

BOOST_AUTO_TEST_CASE(the_url_is_taken_in_any_form) {
  BOOST_TEST(json_of(put("x", kFresh, "HTTP://Example.COM:80/b/../%61#top"))["url"] == "http://example.com/a");
  BOOST_TEST(ask().writer.is_answer(200, "x"));
}

BOOST_AUTO_TEST_CASE(any_status_and_no_body) {
  BOOST_TEST(put("gone for now", kFresh, "http://example.com/a", "404").status == 201);
  BOOST_TEST(ask().writer.is_answer(404, "gone for now"));
  BOOST_TEST(put("", {{"Cache-Control", "max-age=60"}, {"Location", "/b"}}, "http://example.com/a", "301").status ==
             200);
  Client& moved = ask();
  BOOST_TEST(moved.writer.is_answer(301, ""));
  BOOST_TEST(moved.writer.field("Location") == "/b");
  BOOST_TEST(put("", kFresh, "http://example.com/a", "204").status == 200);
  BOOST_TEST(ask().writer.status == 204);
}

BOOST_AUTO_TEST_CASE(only_what_is_the_responses_own_is_kept) {
  const Lines of_request = {{"Accept", "*/*"},
                            {"Accept-Encoding", "gzip"},
                            {"Accept-Language", "de"},
                            {"Accept-Charset", "utf-8"},
                            {"Authorization", "Basic x"},
                            {"Connection", "X-Hop"},
                            {"Cookie", "a=b"},
                            {"Expect", "100-continue"},
                            {"Forwarded", "for=192.0.2.1"},
                            {"From", "a@example.com"},
                            {"If-None-Match", "\"x\""},
                            {"If-Match", "*"},
                            {"Origin", "http://localhost:9180"},
                            {"Prefer", "wait=1"},
                            {"Range", "bytes=0-1"},
                            {"Referer", "http://localhost:9180/"},
                            {"Sec-Fetch-Site", "same-origin"},
                            {"TE", "trailers"},
                            {"Upgrade", "h2c"},
                            {"User-Agent", "curl"},
                            {"Via", "1.1 somebody"},
                            {"X-Forwarded-For", "192.0.2.1"},
                            {"X-Hop", "1"}};
  const Lines of_response = {{"Cache-Control", "max-age=60"},
                             {"Content-Type", "text/css"},
                             {"Content-Encoding", "gzip"},
                             {"Content-Language", "de"},
                             {"ETag", "\"1\""},
                             {"Last-Modified", "Tue, 14 Nov 2023 00:00:00 GMT"},
                             {"Accept-Ranges", "bytes"},
                             {"X-Own", "kept"},
                             {"Link", "</b>; rel=next"}};
  Lines all = of_request;
  all.insert(all.end(), of_response.begin(), of_response.end());
  BOOST_REQUIRE(put("body", all).status == 201);
  const http::HeaderMap& stored = variants().front()->headers();
  for (const auto& [name, value] : of_response) {
    BOOST_TEST(stored.find(name).value_or("(none)") == value, name);
  }
  for (const auto& [name, value] : of_request) {
    if (name != "Via") BOOST_TEST(!stored.contains(name), name);
  }
  BOOST_TEST(stored.combined("Via").value_or("") == "1.1 seawall");
  BOOST_TEST(!stored.contains("Host"));
  BOOST_TEST(!stored.contains("Content-Length"));
  BOOST_TEST(stored.size() == of_response.size() + 2);  // Date and Via
}

BOOST_AUTO_TEST_CASE(its_age_counts_from_its_date) {
  const std::string date = http::format_date(clock.wall_now() - Seconds{20});
  BOOST_TEST(json_of(put("x", {{"Cache-Control", "max-age=60"}, {"Date", date}}))["ttl"] == 40);
  BOOST_TEST(ask().writer.field("Age") == "20");
  BOOST_TEST(ask().writer.field("Date") == date);
}

BOOST_AUTO_TEST_CASE(what_may_not_be_put) {
  struct Row {
    const char* name;
    const char* url = "http://example.com/a";
    const char* status = "";
    Lines headers = kFresh;
    std::uint16_t want = 422;
    const char* words;
  };
  const std::string past = http::format_date(clock.wall_now() - Seconds{1});
  const Row rows[] = {
      {.name = "no URL", .url = "", .want = 400, .words = "\"url\""},
      {.name = "relative", .url = "/a", .want = 400, .words = "\"url\""},
      {.name = "not UTF-8", .url = "http://example.com/\xff", .want = 400, .words = "\"url\""},
      {.name = "not a number", .status = "ok", .want = 400, .words = "\"status\""},
      {.name = "1xx", .status = "199", .want = 400, .words = "\"status\""},
      {.name = "6xx", .status = "600", .want = 400, .words = "\"status\""},
      {.name = "a part",
       .headers = {{"Cache-Control", "max-age=60"}, {"Content-Range", "bytes 0-1/4"}},
       .want = 400,
       .words = "Content-Range"},
      {.name = "no route", .url = "http://other.test/a", .want = 404, .words = "http://other.test/a"},
      {.name = "206", .status = "206", .words = "response-contradictory"},
      {.name = "304", .status = "304", .words = "response-contradictory"},
      {.name = "416", .status = "416", .words = "response-status"},
      {.name = "no-store", .headers = {{"Cache-Control", "no-store, max-age=60"}}, .words = "response-no-store"},
      {.name = "private", .headers = {{"Cache-Control", "private, max-age=60"}}, .words = "response-private"},
      {.name = "no lifetime", .headers = {{"ETag", "\"1\""}}, .words = "how long it is fresh"},
      {.name = "heuristic", .headers = {{"Last-Modified", "Tue, 14 Nov 2000 00:00:00 GMT"}}, .words = "how long"},
      {.name = "max-age=0", .headers = {{"Cache-Control", "max-age=0"}, {"ETag", "\"1\""}}, .words = "how long"},
      {.name = "no-cache",
       .headers = {{"Cache-Control", "max-age=60, no-cache"}, {"ETag", "\"1\""}},
       .words = "how long"},
      {.name = "Expires is over", .headers = {{"Expires", past}, {"ETag", "\"1\""}}, .words = "how long"},
      {.name = "Vary", .headers = {{"Cache-Control", "max-age=60"}, {"Vary", "Accept"}}, .words = "Vary"},
      {.name = "Vary *", .headers = {{"Cache-Control", "max-age=60"}, {"Vary", "*"}}, .words = "Vary"},
  };
  change_routes(*this, [](auto& routes) { routes[0].host = "example.com"; });
  put("before");
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      check_problem(put("after", row.headers, row.url, row.status), row.want, row.words);
      BOOST_TEST(ask().writer.is_answer(200, "before"));
    }
  }
  check_problem(put("after", kFresh, "http://example.com/a", "204"), 422, "has no body");
  change_routes(*this, [](auto& routes) { routes[0].miss.policy = proxy::MissPolicy::kPass; });
  check_problem(put("after"), 422, "passes every request");
  BOOST_TEST(variants().size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_body_needs_a_length_or_chunks_and_a_bound) {
  AdminAsk ask("PUT", "", {{"url", "http://example.com/a"}}, kFresh);
  http::RequestHead head = ask.request.head;
  const admin::AdminRequest request{.head = head, .path = "/", .query = {{"url", "http://example.com/a"}}, .body = {}};
  head.framing = http::BodyFraming::kNone;
  check_problem(service.refuse(request).value_or(AdminReply{}), 411, "Content-Length");
  head.framing = http::BodyFraming::kChunked;
  BOOST_TEST(!service.refuse(request).has_value());
  head.framing = http::BodyFraming::kLength;
  head.content_length = store.max_object_bytes();
  BOOST_TEST(!service.refuse(request).has_value());
  ++head.content_length;
  check_problem(service.refuse(request).value_or(AdminReply{}), 413, std::to_string(store.max_object_bytes()));
  // Chunks tell their sum at the end.
  head.framing = http::BodyFraming::kChunked;
  const admin::AdminRequest large{.head = head,
                                  .path = "/",
                                  .query = {{"url", "http://example.com/a"}},
                                  .body = std::string(store.max_object_bytes() + 1, 'x')};
  BOOST_TEST(!service.refuse(large).has_value());
  check_problem(service.put(large), 413, std::to_string(store.max_object_bytes()));
  BOOST_TEST(!is_stored());
  BOOST_TEST(put(std::string(store.max_object_bytes(), 'x')).status == 201);
}

BOOST_AUTO_TEST_CASE(a_fetch_under_way_does_not_replace_it) {
  Client& asking = ask();
  BOOST_TEST(put("pushed").status == 201);
  upstream.last().respond(200, {{"Cache-Control", "max-age=600"}}, "fetched");
  settle();
  BOOST_TEST(asking.writer.is_answer(200, "fetched"));
  BOOST_TEST(ask().writer.is_answer(200, "pushed"));
}

BOOST_AUTO_TEST_CASE(it_takes_the_place_of_what_was_stored) {
  store_object({{"Cache-Control", "max-age=600"}}, "fetched");
  BOOST_TEST(put("pushed").status == 200);
  BOOST_TEST(variants().size() == 1U);
  BOOST_TEST(ask().writer.is_answer(200, "pushed"));
}

BOOST_AUTO_TEST_CASE(a_key_that_proved_uncacheable_is_cacheable_again) {
  ask();
  upstream.last().respond(200, {{"Cache-Control", "no-store"}}, "x");
  settle();
  const std::uint64_t hash = policy::hash_key("http://example.com/a");
  BOOST_REQUIRE(fills.is_marked_uncacheable(hash, clock.mono_now()));
  put("pushed");
  BOOST_TEST(!fills.is_marked_uncacheable(hash, clock.mono_now()));
}

BOOST_AUTO_TEST_CASE(it_is_purged_by_its_tags_like_any_other) {
  put("old", {{"Cache-Control", "max-age=60"}, {"Cache-Tag", "red"}});
  admin::PurgeService purges(context());
  const auto purge = [&] { purges.purge(AdminAsk("POST", R"({"tags": ["red"]})").request); };
  purge();
  BOOST_TEST(!is_stored());
  BOOST_TEST(put("new", {{"Cache-Control", "max-age=60"}, {"Cache-Tag", "red"}}).status == 201);
  BOOST_TEST(is_stored());  // younger than the rule
  purge();
  BOOST_TEST(!is_stored());
}

BOOST_AUTO_TEST_CASE(it_counts_in_its_routes_share_of_the_memory) {
  guards.route->share = make_ref<cache::ShareGroup>(cache::ShareBounds{.max_bytes = std::uint64_t{64} * 1024});
  BOOST_TEST(put("small").status == 201);
  BOOST_TEST(guards.route->share->used_bytes() > 0U);
  check_problem(put(std::string(64 * 1024, 'x')), 413, "the route all");
  BOOST_TEST(ask().writer.is_answer(200, "small"));
}

BOOST_AUTO_TEST_CASE(a_route_that_waits_for_pushes_serves_it) {
  change_routes(*this, [](auto& routes) { routes[0].miss.policy = proxy::MissPolicy::kPush; });
  BOOST_TEST(ask().writer.status == 503);
  put("pushed");
  BOOST_TEST(ask().writer.is_answer(200, "pushed"));
  BOOST_TEST(upstream.calls() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

struct Jittered : Fixture {
  Jittered() : Fixture({.guards = {.rules = {.jitter_percent = 50}}}) {}
};

BOOST_FIXTURE_TEST_CASE(admin_pushed_objects_do_not_expire_together, Jittered) {
  std::vector<int> ttls;
  for (int i = 0; i < 20; ++i) {
    const std::string path = "/" + std::to_string(i);
    remember(path);
    ttls.push_back(json_of(put("x", {{"Cache-Control", "max-age=1000"}}, std::string(kSite) + path))["ttl"]);
  }
  std::ranges::sort(ttls);
  BOOST_TEST(ttls.front() >= 500);
  BOOST_TEST(ttls.back() <= 1000);
  BOOST_TEST(ttls.back() - ttls.front() > 100);
}

struct Tiny : Fixture {
  Tiny() : Fixture({.memory_bytes = 64 * 1024, .max_object_share = 0.5}) {}
};

// A reader that stands still holds what it was given.
BOOST_FIXTURE_TEST_CASE(admin_pushed_objects_need_memory_that_can_be_had, Tiny) {
  BudgetCharge pinned(store.budget(), 50 * 1024);
  check_problem(put(std::string(20 * 1024, 'x')), 503, "no memory");
  BOOST_TEST(!is_stored());
  pinned = {};
  BOOST_TEST(put(std::string(20 * 1024, 'x')).status == 201);
}

}  // namespace
}  // namespace seawall::test
