// POST /v1/purge: what goes, at once and by sweeps, and what is fetched anew.
#include "admin/purge_service.h"

#include <algorithm>

#include "loopback/admin/fixture.h"

namespace seawall::test {
namespace {

using admin::PurgeService;

const Lines kFresh = {{"Cache-Control", "max-age=3600"}, {"ETag", "\"1\""}};
constexpr Millis kSweepDelay{150};  // and a little more

struct Fixture : Harness {
  explicit Fixture(HarnessOptions options = {}) : Harness(std::move(options)) {}

  std::optional<PurgeService> service{std::in_place, context()};

  ~Fixture() { service.reset(); }

  AdminReply purge(const Json& body) { return service->purge(AdminAsk("POST", body.dump()).request); }
  Json purged(const Json& body) {
    const AdminReply reply = purge(body);
    BOOST_TEST(reply.status == 200, reply.body);
    settle();
    return json_of(reply);
  }
  void store_at(const std::string& path, Lines response = kFresh, int uses = 0) {
    store_object(response, "body of " + path, {.path = path});
    for (int i = 0; i < uses; ++i) ask({.path = path});
  }
  // "/a /b": of those exchanges of the origin that began at `from` or later.
  std::string fetched(std::size_t from) {
    std::string paths;
    for (std::size_t i = from; i < upstream.calls(); ++i) {
      paths += (paths.empty() ? "" : " ") + upstream.call(i).request().target;
    }
    return paths;
  }
  // Straight into the store: many objects cost little so.
  void insert(const std::string& path) {
    remember(path);
    cache::Object::Init init;
    policy::append_key(init.key, "http", "example.com", path);
    init.hash = policy::hash_key(init.key);
    init.freshness = {.response_time = clock.wall_now(), .lifetime = Seconds{3600}};
    init.purge_epoch = store.purges().epoch();
    BOOST_REQUIRE(store.insert(cache::Object::create(store.budget(), std::move(init))));
  }
};

BOOST_FIXTURE_TEST_SUITE(admin_purge, Fixture)

BOOST_AUTO_TEST_CASE(a_url_goes_with_all_its_variants) {
  const Lines varying = {{"Cache-Control", "max-age=60"}, {"Vary", "Accept-Language"}};
  store_object(varying, "de", {.headers = {{"Accept-Language", "de"}}});
  store_object(varying, "en", {.headers = {{"Accept-Language", "en"}}});
  store_at("/b");
  const Json answer = purged({{"urls", {"http://example.com/a", "http://example.com/never"}}});
  BOOST_TEST(answer == Json({{"urls", 2}, {"rules", 0}, {"soft", false}}));
  BOOST_TEST(!is_stored("/a"));
  BOOST_TEST(is_stored("/b"));
  BOOST_TEST(service->stats().urls == 2U);
  BOOST_TEST(service->stats().refreshed == 0U);
}

BOOST_AUTO_TEST_CASE(a_url_is_named_in_any_form) {
  struct Row {
    const char* url;
    int want;
  };
  constexpr Row kRows[] = {
      {"http://example.com/~a/b?q=1", 1},  {"HTTP://EXAMPLE.com.:80/%7ea/x/../b?q=1#part", 1},
      {"https://example.com/~a/b?q=1", 1}, {"http://example.com:8080/~a/b?q=1", 0},
      {"http://example.com/~a/b", 0},
  };
  for (const Row& row : kRows) {
    BOOST_TEST_CONTEXT(row.url) {
      if (!is_stored("/~a/b?q=1")) store_at("/~a/b?q=1");
      BOOST_TEST(purged({{"urls", {row.url}}})["urls"] == row.want);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_fetch_under_way_does_not_bring_back_what_was_purged) {
  store_at("/a", {{"Cache-Control", "max-age=1"}});
  advance(Millis{2000});
  Client& asking = ask();
  purged({{"urls", {"http://example.com/a"}}});
  upstream.last().respond(200, kFresh, "old");
  settle();
  BOOST_TEST(asking.writer.is_answer(200, "old"));
  BOOST_TEST(!is_stored());
}

BOOST_AUTO_TEST_CASE(softly_it_becomes_stale_and_is_asked_about_in_the_background) {
  store_at("/a");
  const std::size_t before = upstream.calls();
  const Json answer = purged({{"urls", {"http://example.com/a"}}, {"soft", true}});
  BOOST_TEST(answer == Json({{"urls", 1}, {"rules", 0}, {"soft", true}}));
  BOOST_REQUIRE(upstream.calls() == before + 1);
  const http::OutgoingRequest& request = upstream.last().request();
  BOOST_TEST(request.method_name == "GET");
  BOOST_TEST(request.target == "/a");
  BOOST_TEST(request.headers.find("Host").value_or("") == "example.com");
  BOOST_TEST(request.headers.find("If-None-Match").value_or("") == "\"1\"");
  BOOST_TEST(request.headers.find("Forwarded").value_or("") == "for=unknown;proto=http;host=\"example.com\"");
  BOOST_TEST(!request.headers.contains("X-Forwarded-For"));
  BOOST_TEST((request.traffic == http::Traffic::kBackground));
  BOOST_TEST(request.is_shared);
  upstream.last().respond(304, kFresh);
  settle();
  Client& asking = ask();
  BOOST_TEST(asking.writer.is_answer(200, "body of /a"));
  BOOST_TEST(asking.writer.is_hit());
  BOOST_TEST(asking.writer.has_parameter("; ttl=3600"), asking.writer.field("Cache-Status"));
  BOOST_TEST(upstream.calls() == before + 1);
  BOOST_TEST(service->stats().refreshed == 1U);
}

BOOST_AUTO_TEST_CASE(softly_what_is_not_stored_is_not_fetched) {
  BOOST_TEST(purged({{"urls", {"http://example.com/a"}}, {"soft", true}})["urls"] == 0);
  BOOST_TEST(upstream.calls() == 0U);
}

BOOST_AUTO_TEST_CASE(a_variant_that_a_plain_get_does_not_select_is_not_fetched) {
  store_object({{"Cache-Control", "max-age=60"}, {"Vary", "Accept-Language"}}, "de",
               {.headers = {{"Accept-Language", "de"}}});
  BOOST_TEST(purged({{"urls", {"http://example.com/a"}}, {"soft", true}})["urls"] == 1);
  BOOST_TEST(upstream.calls() == 1U);
  BOOST_TEST(service->stats().refreshed == 0U);
}

BOOST_AUTO_TEST_CASE(only_routes_that_fetch_by_themselves_are_refreshed) {
  struct Row {
    const char* name;
    proxy::MissPolicy policy;
    std::uint64_t want;
  };
  constexpr Row kRows[] = {
      {"collapse", proxy::MissPolicy::kCollapse, 1}, {"async", proxy::MissPolicy::kAsync, 1},
      {"push", proxy::MissPolicy::kPush, 0},         {"stale-only", proxy::MissPolicy::kStaleOnly, 0},
      {"pass", proxy::MissPolicy::kPass, 0},
  };
  for (const Row& row : kRows) {
    BOOST_TEST_CONTEXT(row.name) {
      change_routes(*this, [](auto& routes) { routes[0].miss.policy = proxy::MissPolicy::kCollapse; });
      store_at("/" + std::string(row.name));
      change_routes(*this, [&](auto& routes) { routes[0].miss.policy = row.policy; });
      const std::uint64_t before = service->stats().refreshed;
      purged({{"urls", {std::string(kSite) + "/" + row.name}}, {"soft", true}});
      BOOST_TEST(service->stats().refreshed - before == row.want);
      if (row.want > 0) upstream.last().respond(304, kFresh);
    }
  }
}

BOOST_AUTO_TEST_CASE(what_no_route_takes_is_not_refreshed) {
  store_at("/a");
  change_routes(*this, [](auto& routes) { routes[0].host = "other.test"; });
  BOOST_TEST(purged({{"urls", {"http://example.com/a"}}, {"soft", true}})["urls"] == 1);
  BOOST_TEST(service->stats().refreshed == 0U);
}

BOOST_AUTO_TEST_CASE(prefixes_are_in_force_at_once) {
  struct Row {
    const char* prefix;
    bool goes;
  };
  constexpr Row kRows[] = {
      {"http://example.com/shop/", true},   {"http://example.com/sh", true},
      {"http://example.com", true},         {"HTTP://Example.COM:80/%73hop/x/../", true},
      {"http://example.com/shop/b", false}, {"https://example.com/shop/", true},
      {"http://example.co/shop/", false},
  };
  for (const Row& row : kRows) {
    BOOST_TEST_CONTEXT(row.prefix) {
      if (!is_stored("/shop/a")) store_at("/shop/a");
      const Json answer = purged({{"prefixes", {row.prefix}}});
      BOOST_TEST(answer == Json({{"urls", 0}, {"rules", 1}, {"soft", false}}));
      BOOST_TEST(is_stored("/shop/a") == !row.goes);
    }
  }
  BOOST_TEST(service->stats().rules == std::size(kRows));
}

BOOST_AUTO_TEST_CASE(tags_are_in_force_at_once) {
  store_at("/a", {{"Cache-Control", "max-age=60"}, {"Cache-Tag", "red,blue"}});
  store_at("/b", {{"Cache-Control", "max-age=60"}, {"Cache-Tag", "green"}});
  BOOST_TEST(purged({{"tags", {"blue", "none"}}})["rules"] == 2);
  BOOST_TEST(!is_stored("/a"));
  BOOST_TEST(is_stored("/b"));
}

BOOST_AUTO_TEST_CASE(a_sweep_takes_what_nobody_asks_for_and_ends_the_rule) {
  store_at("/a");
  store_at("/b/c");
  purged({{"prefixes", {"http://example.com/a"}}, {"tags", {"t"}}});
  BOOST_TEST(store.stats().objects == 2U);
  BOOST_TEST(store.purges().size() == 3U);  // a prefix is a rule for each scheme
  advance(kSweepDelay);
  BOOST_TEST(store.stats().objects == 1U);
  BOOST_TEST(store.purges().size() == 0U);
  BOOST_TEST(service->stats().swept == 1U);
}

BOOST_AUTO_TEST_CASE(a_sweep_goes_on_in_turns_and_a_rule_in_its_midst_gets_its_own) {
  for (int i = 0; i < 2000; ++i) insert("/" + std::to_string(i));
  purge({{"prefixes", {"http://example.com/1"}}});
  clock.advance(kSweepDelay);
  executor().run_timers();
  BOOST_REQUIRE(executor().run_one());
  const std::uint64_t after_one_turn = store.stats().objects;
  BOOST_TEST(after_one_turn > 889U);  // some that match are still there
  purge({{"prefixes", {"http://example.com/2"}}});
  settle();
  // 1, 10..19, 100..199, 1000..1999; then 2, 20..29, 200..299.
  BOOST_TEST(store.stats().objects == 2000U - 1111U - 111U);
  BOOST_TEST(service->stats().swept == 1222U);
  BOOST_TEST(store.purges().size() == 0U);
}

BOOST_AUTO_TEST_CASE(what_a_sweep_made_stale_is_refreshed_the_hottest_first) {
  store_at("/cold");
  store_at("/hot", kFresh, 3);
  store_at("/warm", kFresh, 1);
  const std::size_t before = upstream.calls();
  purged({{"prefixes", {"http://example.com/"}}, {"soft", true}});
  BOOST_TEST(upstream.calls() == before);
  advance(kSweepDelay);
  BOOST_TEST(fetched(before) == "/hot /warm /cold");
  BOOST_TEST(service->stats().swept == 3U);
  BOOST_TEST(service->stats().refreshed == 3U);
  for (std::size_t i = before; i < upstream.calls(); ++i) {
    BOOST_TEST(upstream.call(i).field("If-None-Match").value_or("") == "\"1\"");
    upstream.call(i).respond(304, kFresh);
  }
}

BOOST_AUTO_TEST_CASE(what_is_fresh_again_by_then_is_left_alone) {
  store_at("/a");
  purge({{"urls", {"http://example.com/a"}}, {"soft", true}});
  Client& asking = ask({.headers = {{"Cache-Control", "no-cache"}}});
  const std::size_t before = upstream.calls();
  upstream.last().respond(304, kFresh);
  settle();
  BOOST_TEST(asking.writer.is_answer(200, "body of /a"));
  purged({{"prefixes", {"http://example.com/none"}}, {"soft", true}});
  advance(kSweepDelay);
  BOOST_TEST(upstream.calls() == before);
}

BOOST_AUTO_TEST_CASE(a_request_for_what_is_being_refreshed_joins) {
  store_at("/a", {{"Cache-Control", "max-age=60, must-revalidate"}, {"ETag", "\"1\""}});
  purged({{"urls", {"http://example.com/a"}}, {"soft", true}});
  const std::size_t calls = upstream.calls();
  Client& asking = ask();
  BOOST_TEST(upstream.calls() == calls);
  upstream.last().respond(200, kFresh, "new");
  settle();
  BOOST_TEST(asking.writer.is_answer(200, "new"));
}

BOOST_AUTO_TEST_CASE(bad_requests_purge_nothing) {
  struct Row {
    const char* body;
    const char* words;
  };
  constexpr Row kRows[] = {
      {"", "JSON object"},
      {"[]", "JSON object"},
      {"{\"urls\": [\"http://example.com/a\"]", "JSON object"},
      {"{}", "nothing is named"},
      {R"({"urls": [], "tags": []})", "nothing is named"},
      {R"({"urls": "http://example.com/a"})", "\"urls\" must be a list"},
      {R"({"url": ["http://example.com/a"]})", "\"url\"; known are \"urls\""},
      {R"({"urls": ["http://example.com/a", 1]})", "\"urls\"[1] must be a string"},
      {R"({"urls": ["http://example.com/a", "/a"]})", "\"urls\"[1] must be absolute"},
      {R"({"urls": ["http://example.com/a", "ftp://example.com/a"]})", "\"urls\"[1] must be absolute"},
      {R"({"urls": ["http://example.com/a"], "prefixes": ["example.com/"]})", "\"prefixes\"[0] must be absolute"},
      {R"({"urls": ["http://example.com/a"], "tags": ["a", ""]})", "\"tags\"[1] must be 1 to 128"},
      {R"({"urls": ["http://example.com/a"], "tags": ["a b"]})", "\"tags\"[0] must be 1 to 128"},
      {R"({"urls": ["http://example.com/a"], "tags": ["\u00e4"]})", "\"tags\"[0] must be 1 to 128"},
      {R"({"urls": ["http://example.com/a"], "soft": "yes"})", "\"soft\" must be true or false"},
  };
  store_at("/a");
  for (const Row& row : kRows) {
    BOOST_TEST_CONTEXT(row.body) {
      check_problem(service->purge(AdminAsk("POST", row.body).request), 400, row.words);
    }
  }
  check_problem(purge({{"urls", {"http://example.com/" + std::string(9000, 'a')}}}), 400, "of at most 8");
  check_problem(purge({{"tags", {std::string(129, 'a')}}}), 400, "\"tags\"[0]");
  BOOST_TEST(is_stored("/a"));
  BOOST_TEST(store.purges().epoch() == 0U);
  BOOST_TEST(purge({{"tags", {std::string(128, 'a')}}}).status == 200);
}

BOOST_AUTO_TEST_CASE(a_request_may_hold_a_thousand_entries) {
  std::vector<std::string> urls(999, "http://example.com/a");
  BOOST_TEST(purge({{"tags", {"t"}}, {"urls", urls}}).status == 200);
  urls.push_back("http://example.com/a");
  const std::uint64_t epoch = store.purges().epoch();
  check_problem(purge({{"tags", {"t"}}, {"urls", urls}}), 400, "1000 entries");
  BOOST_TEST(store.purges().epoch() == epoch);
}

BOOST_AUTO_TEST_CASE(may_go_in_the_midst_of_a_sweep) {
  for (int i = 0; i < 2000; ++i) insert("/" + std::to_string(i));
  purge({{"prefixes", {"http://example.com/"}}, {"soft", true}});
  clock.advance(kSweepDelay);
  executor().run_timers();
  BOOST_REQUIRE(executor().run_one());
  service.reset();
  settle();
  BOOST_TEST(store.purges().size() == 2U);
}

BOOST_AUTO_TEST_SUITE_END()

struct SmallQueue : Fixture {
  SmallQueue() : Fixture({.guards = {.schedule = {.concurrent = 1, .queue = 8, .cold_start = Millis{0}}}}) {}
};

// Of a queue of eight, six places.
BOOST_FIXTURE_TEST_CASE(admin_purge_leaves_room_in_the_queue_and_tries_again, SmallQueue) {
  for (int i = 0; i < 12; ++i) store_at("/" + std::to_string(i));
  const std::size_t before = upstream.calls();
  purged({{"prefixes", {"http://example.com/"}}, {"soft", true}});
  advance(kSweepDelay);
  BOOST_TEST(service->stats().refreshed == 6U);
  BOOST_TEST(!guards.queue->is_full());
  BOOST_TEST(upstream.calls() == before + 1);
  // Five have left it meanwhile.
  for (int i = 0; i < 4; ++i) {
    upstream.last().respond(304, kFresh);
    settle();
  }
  BOOST_TEST(service->stats().refreshed == 6U);
  advance(Millis{1000});
  BOOST_TEST(service->stats().refreshed == 11U);
  for (int i = 0; i < 7; ++i) {
    upstream.last().respond(304, kFresh);
    settle();
  }
  advance(Millis{1000});
  upstream.last().respond(304, kFresh);
  settle();
  BOOST_TEST(service->stats().refreshed == 12U);
  BOOST_TEST(upstream.calls() == before + 12);
  BOOST_TEST(guards.queue->stats(clock.mono_now()).refused == 0U);
}

}  // namespace
}  // namespace seawall::test
