// POST /v1/fills and GET /v1/fills/ID: what is fetched, what is not and why, and how a job is counted.
#include "admin/fill_jobs.h"

#include "loopback/admin/fixture.h"

namespace seawall::test {
namespace {

using admin::FillJobs;

const Lines kFresh = {{"Cache-Control", "max-age=60"}, {"ETag", "\"1\""}};

struct Fixture : Harness {
  explicit Fixture(HarnessOptions options = {}) : Harness(std::move(options)) {}

  std::optional<FillJobs> service{std::in_place, context()};

  ~Fixture() { service.reset(); }

  AdminReply post(std::string_view urls, std::optional<std::string> job = {}) {
    std::vector<std::pair<std::string, std::string>> query;
    if (job) query.emplace_back("job", *job);
    const AdminReply reply = service->post(AdminAsk("POST", urls, std::move(query)).request);
    settle();
    return reply;
  }
  Json posted(std::string_view urls, std::optional<std::string> job = {}) {
    const AdminReply reply = post(urls, std::move(job));
    BOOST_TEST(reply.status == 202, reply.body);
    return json_of(reply);
  }
  // Paths of the site, a line each.
  std::string urls(int begin, int end) {
    std::string text;
    for (int i = begin; i < end; ++i) {
      const std::string path = "/" + std::to_string(i);
      remember(path);
      text += std::string(kSite) + path + "\n";
    }
    return text;
  }
  // "2 waiting, 0 done, 1 failed".
  std::string state(std::string_view id) {
    const AdminReply reply = service->get(id);
    BOOST_TEST(reply.status == 200, reply.body);
    const Json job = json_of(reply);
    BOOST_TEST(std::to_string(job["job"].get<int>()) == id);
    BOOST_TEST(job["running"] == 0);
    return job["waiting"].dump() + " waiting, " + job["done"].dump() + " done, " + job["failed"].dump() + " failed";
  }
};

Json answer(int job, int accepted, int duplicate = 0, int cached = 0, Json refused = Json::array()) {
  return {{"job", job},
          {"accepted", accepted},
          {"duplicate", duplicate},
          {"cached", cached},
          {"refused", std::move(refused)}};
}

BOOST_FIXTURE_TEST_SUITE(admin_fill_jobs, Fixture)

BOOST_AUTO_TEST_CASE(a_route_that_encodes_is_filled_for_clients_that_accept_no_coding) {
  change_routes(*this, [](std::vector<proxy::Route>& routes) { routes[0].encode.codings = {http::Coding::kGzip}; });
  posted(urls(0, 1));
  BOOST_TEST(upstream.last().field("Accept-Encoding").value_or("") == "identity");
  upstream.last().respond(200, {{"Cache-Control", "max-age=60"}, {"Vary", "Accept-Encoding"}}, "plain");
  settle();
  ask({.path = "/0", .headers = {{"Accept-Encoding", "deflate"}}});
  BOOST_TEST(upstream.calls() == 1U);
}

BOOST_AUTO_TEST_CASE(urls_are_fetched_as_prefetch_and_counted) {
  BOOST_TEST(posted("http://example.com/0\r\n\n  HTTP://EXAMPLE.com:80/%31\t\nhttp://example.com/2") == answer(1, 3));
  urls(0, 3);
  BOOST_REQUIRE(upstream.calls() == 3U);
  BOOST_TEST(state("1") == "3 waiting, 0 done, 0 failed");
  const http::OutgoingRequest& request = upstream.call(1).request();
  BOOST_TEST(request.method_name == "GET");
  BOOST_TEST(request.target == "/1");
  BOOST_TEST(request.headers.find("Host").value_or("") == "example.com");
  BOOST_TEST(!request.headers.contains("If-None-Match"));
  BOOST_TEST((request.traffic == http::Traffic::kBackground));
  upstream.call(0).respond(200, kFresh, "zero");
  upstream.call(1).respond(200, {{"Cache-Control", "no-store"}}, "one");
  settle();
  BOOST_TEST(state("1") == "1 waiting, 1 done, 1 failed");
  upstream.call(2).fail();
  settle();
  BOOST_TEST(state("1") == "0 waiting, 1 done, 2 failed");
  Client& asking = ask({.path = "/0"});
  BOOST_TEST(asking.writer.is_answer(200, "zero"));
  BOOST_TEST(asking.writer.is_hit());
}

BOOST_AUTO_TEST_CASE(what_is_refused_says_why) {
  change_routes(*this, [](auto& routes) {
    const proxy::Route model = routes[0];
    routes.clear();
    const auto add = [&](const char* path, proxy::MissPolicy policy) {
      routes.push_back(model);
      routes.back().path = path;
      routes.back().host = "example.com";
      routes.back().miss.policy = policy;
    };
    add("/pass", proxy::MissPolicy::kPass);
    add("/push", proxy::MissPolicy::kPush);
    add("/stale-only", proxy::MissPolicy::kStaleOnly);
    add("/async", proxy::MissPolicy::kAsync);
  });
  struct Row {
    std::string url;
    const char* reason;
  };
  const Row rows[] = {
      {"/async", "bad-url"},
      {"example.com/async", "bad-url"},
      {"ftp://example.com/async", "bad-url"},
      {"http://example.com/a b", "bad-url"},
      {"http://example.com/" + std::string(9000, 'a'), "bad-url"},
      {"http://other.test/async", "no-route"},
      {"http://example.com/other", "no-route"},
      {"http://example.com/pass", "not-cacheable"},
      {"http://example.com/push", "not-cacheable"},
      {"http://example.com/stale-only", "not-cacheable"},
  };
  std::string body;
  Json refused = Json::array();
  for (const Row& row : rows) {
    body += row.url + "\n";
    refused.push_back({{"url", row.url}, {"reason", row.reason}});
  }
  BOOST_TEST(posted(body + "http://example.com/async") == answer(1, 1, 0, 0, refused));
  BOOST_TEST(upstream.calls() == 1U);
}

BOOST_AUTO_TEST_CASE(a_line_that_is_not_utf8_is_refused_in_utf8) {
  const Json json = posted("http://example.com/\xff\xfe");
  BOOST_TEST(json["refused"][0]["reason"] == "bad-url");
}

BOOST_AUTO_TEST_CASE(what_is_fresh_is_cached_and_what_is_stale_is_asked_about) {
  store_object(kFresh, "a");
  BOOST_TEST(posted("http://example.com/a") == answer(1, 0, 0, 1));
  BOOST_TEST(upstream.calls() == 1U);
  advance(Seconds{61});
  BOOST_TEST(posted("http://example.com/a") == answer(2, 1));
  BOOST_REQUIRE(upstream.calls() == 2U);
  BOOST_TEST(upstream.last().field("If-None-Match").value_or("") == "\"1\"");
  upstream.last().respond(304, kFresh);
  settle();
  BOOST_TEST(state("1") == "0 waiting, 0 done, 0 failed");
  BOOST_TEST(state("2") == "0 waiting, 1 done, 0 failed");
  BOOST_TEST(posted("http://example.com/a")["cached"] == 1);
}

BOOST_AUTO_TEST_CASE(what_is_stored_in_part_is_fetched_whole) {
  ask({.headers = {{"Range", "bytes=0-1"}}});
  upstream.last().respond(206, {{"Cache-Control", "max-age=60"}, {"ETag", "\"1\""}, {"Content-Range", "bytes 0-1/4"}},
                          "ab");
  settle();
  BOOST_REQUIRE(is_stored());
  BOOST_TEST(posted("http://example.com/a") == answer(1, 1));
  BOOST_TEST(!upstream.last().field("Range").has_value());
  BOOST_TEST(!upstream.last().field("If-None-Match").has_value());
  upstream.last().respond(200, kFresh, "abcd");
  settle();
  BOOST_TEST(state("1") == "0 waiting, 1 done, 0 failed");
  BOOST_TEST(ask().writer.is_answer(200, "abcd"));
}

BOOST_AUTO_TEST_CASE(an_answer_other_than_304_replaces_what_was_asked_about) {
  store_object(kFresh, "old");
  advance(Seconds{61});
  posted("http://example.com/a");
  upstream.last().respond(200, kFresh, "new");
  settle();
  BOOST_TEST(state("1") == "0 waiting, 1 done, 0 failed");
  BOOST_TEST(ask().writer.is_answer(200, "new"));
}

BOOST_AUTO_TEST_CASE(what_is_under_way_is_a_duplicate) {
  Client& asking = ask({.path = "/0"});
  BOOST_TEST(posted(urls(0, 2) + urls(1, 2)) == answer(1, 1, 2));
  upstream.call(0).head(200, {{"Cache-Control", "max-age=60"}, {"Content-Length", "4"}});
  settle();
  BOOST_TEST(posted(urls(0, 1)) == answer(2, 0, 1));  // streaming by now
  upstream.call(0).body("zero");
  upstream.call(0).complete();
  settle();
  BOOST_TEST(asking.writer.is_answer(200, "zero"));
  BOOST_TEST(upstream.calls() == 2U);
  upstream.call(1).respond(200, kFresh, "one");
}

BOOST_AUTO_TEST_CASE(more_urls_are_added_to_a_job) {
  BOOST_TEST(posted(urls(0, 2)) == answer(1, 2));
  BOOST_TEST(posted(urls(2, 3), "1") == answer(1, 1));
  BOOST_TEST(state("1") == "3 waiting, 0 done, 0 failed");
}

BOOST_AUTO_TEST_CASE(unknown_jobs) {
  for (const char* id : {"0", "2", "-1", "x", "", "18446744073709551616", "1 "}) {
    BOOST_TEST_CONTEXT("'" << id << "'") {
      check_problem(post(urls(0, 1), id), 404, "no job");
      check_problem(service->get(id), 404, "no job");
    }
  }
  BOOST_TEST(upstream.calls() == 0U);
}

BOOST_AUTO_TEST_CASE(a_request_may_hold_ten_thousand_urls) {
  std::string body;
  for (int i = 0; i < 10'000; ++i) body += "x\n";
  BOOST_TEST(posted(body)["refused"].size() == 10'000U);
  check_problem(post(body + urls(0, 1)), 413, "10000 URLs");
  BOOST_TEST(upstream.calls() == 0U);
  check_problem(service->get("2"), 404, "no job");
}

BOOST_AUTO_TEST_CASE(the_oldest_finished_job_makes_room) {
  posted(urls(0, 1));
  for (int i = 2; i <= 64; ++i) posted("");
  BOOST_TEST(state("2") == "0 waiting, 0 done, 0 failed");
  posted("");
  BOOST_TEST(state("1") == "1 waiting, 0 done, 0 failed");
  BOOST_TEST(state("65") == "0 waiting, 0 done, 0 failed");
  check_problem(service->get("2"), 404, "no job");
  BOOST_TEST(state("3") == "0 waiting, 0 done, 0 failed");
}

BOOST_AUTO_TEST_CASE(when_no_job_has_finished_there_is_no_new_one) {
  for (int i = 0; i < 64; ++i) posted(urls(i, i + 1));
  check_problem(post(urls(64, 65)), 503, "64 jobs are under way");
  BOOST_TEST(upstream.calls() == 64U);
  BOOST_TEST(posted(urls(64, 65), "7") == answer(7, 1));
  upstream.call(30).respond(200, kFresh, "x");
  settle();
  BOOST_TEST(posted(urls(65, 66)) == answer(65, 1));
  check_problem(service->get("31"), 404, "no job");
  for (std::size_t i = 31; i < 64; ++i) upstream.call(i).respond(200, kFresh, "x");
  settle();
}

BOOST_AUTO_TEST_CASE(may_go_before_its_fills_end) {
  posted(urls(0, 2));
  service.reset();
  upstream.call(0).respond(200, kFresh, "zero");
  settle();
  BOOST_TEST(is_stored("/0"));
}

BOOST_AUTO_TEST_SUITE_END()

struct SmallQueue : Fixture {
  SmallQueue() : Fixture({.guards = {.schedule = {.concurrent = 1, .queue = 8, .cold_start = Millis{0}}}}) {}
};

BOOST_FIXTURE_TEST_SUITE(admin_fill_jobs_in_a_small_queue, SmallQueue)

// Of a queue of eight, six places.
BOOST_AUTO_TEST_CASE(a_quarter_of_the_queue_is_for_others) {
  const Json json = posted(urls(0, 8));
  BOOST_TEST(json["accepted"] == 6);
  BOOST_REQUIRE(json["refused"].size() == 2U);
  BOOST_TEST(json["refused"][0] == Json({{"url", "http://example.com/6"}, {"reason", "queue-full"}}));
  BOOST_TEST(!guards.queue->is_full());
  BOOST_TEST(state("1") == "6 waiting, 0 done, 0 failed");
  // One runs by now, five wait.
  BOOST_TEST(posted(urls(6, 8), "1")["accepted"] == 1);
  BOOST_TEST(state("1") == "7 waiting, 0 done, 0 failed");
  for (int i = 0; i < 7; ++i) {
    upstream.last().respond(200, kFresh, "x");
    settle();
  }
  BOOST_TEST(state("1") == "0 waiting, 7 done, 0 failed");
}

BOOST_AUTO_TEST_CASE(what_waits_too_long_has_failed) {
  posted(urls(0, 3));
  upstream.last().head(200, kFresh);  // and no more of it
  advance(Millis{30'100});
  BOOST_TEST(state("1") == "1 waiting, 0 done, 2 failed");
}

BOOST_AUTO_TEST_CASE(a_client_that_asks_for_it_does_not_wait_for_its_turn) {
  posted(urls(0, 3));
  BOOST_TEST(upstream.calls() == 1U);
  Client& asking = ask({.path = "/2"});
  BOOST_REQUIRE(upstream.calls() == 2U);
  BOOST_TEST(upstream.last().request().target == "/2");
  BOOST_TEST((upstream.last().request().traffic == http::Traffic::kClient));
  upstream.last().respond(200, kFresh, "two");
  settle();
  BOOST_TEST(asking.writer.is_answer(200, "two"));
  BOOST_TEST(state("1") == "2 waiting, 1 done, 0 failed");
  upstream.call(0).respond(200, kFresh, "zero");
  settle();
  BOOST_TEST(state("1") == "1 waiting, 2 done, 0 failed");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::test
