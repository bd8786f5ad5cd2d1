// Origins and routes as JSON, out of hand-made copies of their state.
#include "admin/resources.h"

#include <boost/test/unit_test.hpp>

#include "unit/admin/support.h"

namespace seawall::admin {
namespace {

using Json = nlohmann::json;

OriginView ailing_origin() {
  OriginView view;
  view.state = {.name = "shop",
                .is_resolved = true,
                .servers = {{.name = "10.0.0.5:3000",
                             .weight = 2,
                             .is_backup = true,
                             .is_drain = true,
                             .is_healthy = false,
                             .is_usable = false,
                             .breaker = origin::Breaker::State::kHalfOpen,
                             .history = "HH-",
                             .checks = 3,
                             .in_flight = 1,
                             .requests = 5,
                             .failures = 4}},
                .breaker = origin::Breaker::State::kOpen,
                .window = {.calls = 20, .failures = 10.5},
                .breaker_opened = 2,
                .retry_after = Millis{1500},
                .back_off = Millis{2500},
                .in_flight = 11,
                .background = 12,
                .limit = 13,
                .queued = 14,
                .queue_limit = 15,
                .saturation = 0.25,
                .queue_wait = {Millis{1}, Millis{2}, Millis{3}},
                .requests = 21,
                .retries = 22,
                .hedges = 23,
                .statuses = {9, 1, 2, 3, 4, 5}};
  view.state.errors[static_cast<std::size_t>(ErrorCode::kConnectTimeout)] = 31;
  view.state.errors[static_cast<std::size_t>(ErrorCode::kPeerReset)] = 32;
  view.state.errors[static_cast<std::size_t>(ErrorCode::kQueueTimeout)] = 33;
  view.fills = {.waiting = {1, 2, 3, 4},
                .running = 5,
                .allowed = 6,
                .limit = 7,
                .wait = {Millis{8}, Millis{9}, Millis{10}},
                .begun = 41,
                .ended = 42,
                .failed = 43,
                .refused = 44,
                .expired = 45};
  return view;
}

constexpr const char* kAilingOrigin = R"({
  "_links": {"self": {"href": "/v1/origins/shop"}},
  "name": "shop", "resolved": true,
  "breaker": {"state": "open", "failures": 10.5, "calls": 20, "opened_total": 2, "retry_after_ms": 1500},
  "back_off_ms": 2500, "in_flight": 11, "background": 12, "limit": 13,
  "queue": {"length": 14, "limit": 15, "wait_ms": {"p50": 1, "p90": 2, "p99": 3}},
  "saturation": 0.25, "requests": 21, "retries": 22, "hedges": 23,
  "responses": {"1xx": 1, "2xx": 2, "3xx": 3, "4xx": 4, "5xx": 5},
  "errors": {"connect-timeout": 31, "reset": 32, "queue-timeout": 33},
  "timeouts": {"connect": 31, "dns": 0, "first_byte": 0, "between_bytes": 0, "send": 0, "total": 0, "stream": 0, "queue": 33},
  "fills": {"wanted": 15, "running": 5, "allowed": 6,
            "waiting": {"miss": 1, "revalidate": 2, "refresh": 3, "prefetch": 4},
            "limit": 7, "wait_ms": {"p50": 8, "p90": 9, "p99": 10},
            "begun": 41, "ended": 42, "failed": 43, "refused": 44, "expired": 45},
  "servers": [{"name": "10.0.0.5:3000", "weight": 2, "backup": true, "drain": true, "healthy": false, "usable": false,
               "breaker": "half-open", "history": "HH-", "checks": 3, "in_flight": 1, "requests": 5, "failures": 4}]
})";

RouteView stormy_route() {
  RouteView view{.name = "shop.test /a*",
                 .host = "shop.test",
                 .path = "/a*",
                 .read_from = "shop",
                 .write_to = "other shop",
                 .miss = proxy::MissPolicy::kStaleOnly,
                 .storm = {.is_active = true,
                           .cause = proxy::StormGuard::Cause::kFillQueue,
                           .since = Millis{1234},
                           .begun = 2,
                           .misses_per_second = 1.5},
                 .stale = 7,
                 .refreshed = 8,
                 .memory = {.used_bytes = 96, .guaranteed_bytes = 97},
                 .disk = {.used_bytes = 98, .max_bytes = 99},
                 .disk_evicted = 100};
  view.sums.requests[2][static_cast<std::size_t>(obs::CacheResult::kHit)] = 10;
  view.sums.requests[3][static_cast<std::size_t>(obs::CacheResult::kHit)] = 5;
  view.sums.requests[0][static_cast<std::size_t>(obs::CacheResult::kMiss)] = 1;
  return view;
}

constexpr const char* kStormyRoute = R"({
  "_links": {"self": {"href": "/v1/routes/shop.test%20%2Fa%2A"}, "read_from": {"href": "/v1/origins/shop"},
             "write_to": {"href": "/v1/origins/other%20shop"}},
  "name": "shop.test /a*", "host": "shop.test", "path": "/a*", "read_from": "shop", "write_to": "other shop",
  "miss": "stale-only",
  "storm": {"active": true, "cause": "fill-queue-full", "since_ms_ago": 1234, "begun_total": 2, "misses_per_second": 1.5},
  "requests": {"hit": 15, "stale": 0, "miss": 1, "revalidated": 0, "collapsed": 0, "pass": 0, "async": 0, "error": 0,
               "none": 0},
  "stale": 7, "refreshed": 8,
  "memory": {"used_bytes": 96, "guaranteed_bytes": 97, "max_bytes": null},
  "disk": {"used_bytes": 98, "guaranteed_bytes": 0, "max_bytes": 99, "evicted": 100}
})";

Json json_of(const AdminReply& reply) {
  return Json::parse(reply.body, nullptr, false);
}

BOOST_AUTO_TEST_SUITE(admin_resources)

BOOST_AUTO_TEST_CASE(an_origin_in_full) {
  const std::vector<OriginView> origins = {ailing_origin()};
  const AdminReply reply = origin_reply(origins, "shop");
  BOOST_TEST(reply.status == 200);
  BOOST_TEST(reply.content_type == "application/hal+json");
  BOOST_TEST(json_of(reply) == Json::parse(kAilingOrigin));
}

BOOST_AUTO_TEST_CASE(a_route_in_full) {
  const std::vector<RouteView> routes = {stormy_route()};
  const AdminReply reply = route_reply(routes, "shop.test /a*");
  BOOST_TEST(reply.status == 200);
  BOOST_TEST(reply.content_type == "application/hal+json");
  BOOST_TEST(json_of(reply) == Json::parse(kStormyRoute));
}

BOOST_AUTO_TEST_CASE(a_route_that_never_had_a_storm) {
  RouteView calm = stormy_route();
  calm.storm = {};
  const Json storm = json_of(route_reply(std::vector{calm}, calm.name))["storm"];
  BOOST_TEST(storm == Json::parse(R"({"active": false, "cause": "none", "since_ms_ago": null, "begun_total": 0,
                                      "misses_per_second": 0.0})"));
}

BOOST_AUTO_TEST_CASE(collections_hold_their_members_in_order) {
  std::vector<OriginView> origins = {ailing_origin(), ailing_origin()};
  origins[1].state.name = "a";
  const Json of_origins = json_of(origins_reply(origins));
  BOOST_TEST(of_origins["_links"]["self"]["href"] == "/v1/origins");
  BOOST_TEST(of_origins["_embedded"]["origins"].size() == 2U);
  BOOST_TEST(of_origins["_embedded"]["origins"][0] == Json::parse(kAilingOrigin));
  BOOST_TEST(of_origins["_embedded"]["origins"][1]["name"] == "a");

  const Json of_routes = json_of(routes_reply(std::vector{stormy_route()}));
  BOOST_TEST(of_routes["_links"]["self"]["href"] == "/v1/routes");
  BOOST_TEST(of_routes["_embedded"]["routes"] == Json::array({Json::parse(kStormyRoute)}));

  BOOST_TEST(json_of(origins_reply({}))["_embedded"]["origins"] == Json::array());
}

BOOST_AUTO_TEST_CASE(the_disk_cache) {
  DiskView view{.is_loaded = true, .loaded = 1};
  view.stats.objects = 2;
  view.stats.reads_busy = 3;
  view.stats.puts[static_cast<std::size_t>(disk::PutStatus::kStored)] = 4;
  view.stats.volumes = {
      {.path = "/a", .state = disk::VolumeState::kInService, .capacity_bytes = 5, .used_bytes = 6, .objects = 7},
      {.path = "/b\xff", .state = disk::VolumeState::kOutOfService, .trouble = "Input/output error"}};
  const AdminReply reply = disk_reply(view);
  BOOST_TEST(reply.content_type == "application/hal+json");
  const Json json = json_of(reply);
  BOOST_TEST(json["_links"]["self"]["href"] == "/v1/disk");
  BOOST_TEST(json["loaded"] == true);
  BOOST_TEST(json["loads"] == 1);
  BOOST_TEST(json["objects"] == 2);
  BOOST_TEST(json["reads"]["failures"]["busy"] == 3);
  BOOST_TEST(json["puts"]["stored"] == 4);
  BOOST_TEST(json["puts"]["out-of-service"] == 0);
  BOOST_TEST(json["volumes"][0]["capacity_bytes"] == 5);
  BOOST_TEST(json["volumes"][0]["used_bytes"] == 6);
  BOOST_TEST(json["volumes"][0]["objects"] == 7);
  BOOST_TEST(!json["volumes"][0].contains("trouble"));
  BOOST_TEST(json["volumes"][1]["state"] == "out-of-service");
  BOOST_TEST(json["volumes"][1]["trouble"] == "Input/output error");
}

BOOST_AUTO_TEST_CASE(a_name_that_is_not_there_is_told_those_that_are) {
  std::vector<OriginView> origins(23, ailing_origin());
  for (std::size_t i = 0; i < origins.size(); ++i) origins[i].state.name = "o" + std::to_string(i);
  struct Row {
    std::size_t count;
    const char* detail;
  };
  const std::vector<Row> rows = {
      {0, "no origin is named \"x\\x0A\"; known: none; see /v1/origins"},
      {2, "no origin is named \"x\\x0A\"; known: \"o0\", \"o1\"; see /v1/origins"},
      {23,
       "no origin is named \"x\\x0A\"; known: \"o0\", \"o1\", \"o2\", \"o3\", \"o4\", \"o5\", \"o6\", \"o7\", \"o8\", "
       "\"o9\", \"o10\", \"o11\", \"o12\", \"o13\", \"o14\", \"o15\", \"o16\", \"o17\", \"o18\", \"o19\" and 3 more; "
       "see /v1/origins"},
  };
  for (const Row& row : rows) {
    const AdminReply reply = origin_reply(std::span(origins).first(row.count), "x\n");
    BOOST_TEST(reply.status == 404);
    BOOST_TEST(reply.content_type == "application/problem+json");
    BOOST_TEST(json_of(reply)["detail"].get<std::string>() == row.detail);
  }
}

BOOST_AUTO_TEST_CASE(names_that_are_no_text_do_no_harm) {
  OriginView odd = ailing_origin();
  odd.state.name = "a\xFF/\"\n";
  const Json json = json_of(origins_reply(std::vector{odd}))["_embedded"]["origins"][0];
  BOOST_TEST(json["name"] == "a\xEF\xBF\xBD/\"\n");
  BOOST_TEST(json["_links"]["self"]["href"] == "/v1/origins/a%FF%2F%22%0A");
}

BOOST_AUTO_TEST_CASE(every_miss_policy_has_the_name_that_configures_it) {
  using enum proxy::MissPolicy;
  const std::vector<std::pair<proxy::MissPolicy, const char*>> rows = {
      {kCollapse, "collapse"}, {kAsync, "async"}, {kPush, "push"}, {kStaleOnly, "stale-only"}, {kPass, "pass"}};
  for (const auto& [policy, want] : rows) {
    RouteView route = stormy_route();
    route.miss = policy;
    BOOST_TEST(json_of(route_reply(std::vector{route}, route.name))["miss"] == want);
  }
}

BOOST_AUTO_TEST_CASE(templates_are_marked_in_the_index) {
  const std::vector<Link> links = {{"plain", "/a", "A"}, {"path", "/b/{name}", "B"}, {"query", "/c{?x}", "C"}};
  BOOST_TEST(json_of(index_reply("/v1/", links)) == Json::parse(R"({"_links": {
    "self": {"href": "/v1/"}, "plain": {"href": "/a", "title": "A"},
    "path": {"href": "/b/{name}", "templated": true, "title": "B"},
    "query": {"href": "/c{?x}", "templated": true, "title": "C"}}})"));
}

BOOST_AUTO_TEST_CASE(views_are_what_the_router_has_now) {
  Fixture f;
  const proxy::Router& router = *f.context.router;
  proxy::RouteState& state = *router.routes()[0].state;
  state.counters.count(0, obs::CacheResult::kHit, 200, 1000, 50);
  state.stale = 3;
  state.refreshed = 4;
  state.storm.on_miss({.breaker_open = true}, f.clock.mono_now());
  f.clock.advance(Millis{250});
  router.origins()[0].state->count_refusal(ErrorCode::kBreakerOpen);

  const auto routes = route_views(router, nullptr, f.clock.mono_now());
  BOOST_TEST_REQUIRE(routes.size() == 2U);
  BOOST_TEST(routes[0].name == "shop.test /api/*");
  BOOST_TEST(routes[0].read_from == "shop");
  BOOST_TEST(routes[0].sums.requests[2][0] == 1U);
  BOOST_TEST(routes[0].sums.body_bytes == 50U);
  BOOST_TEST(routes[0].stale == 3U);
  BOOST_TEST(routes[0].refreshed == 4U);
  BOOST_TEST(routes[0].storm.is_active);
  BOOST_TEST((routes[0].storm.cause == proxy::StormGuard::Cause::kBreaker));
  BOOST_TEST((routes[0].storm.since == Millis{250}));
  BOOST_TEST(routes[0].storm.begun == 1U);
  BOOST_TEST(routes[0].storm.misses_per_second > 0);
  BOOST_TEST(!routes[1].storm.is_active);
  BOOST_TEST(!routes[1].storm.since.has_value());

  const auto origins = origin_views(router, f.clock.mono_now());
  BOOST_TEST_REQUIRE(origins.size() == 1U);
  BOOST_TEST(origins[0].state.name == "shop");
  BOOST_TEST(origins[0].state.errors[static_cast<std::size_t>(ErrorCode::kBreakerOpen)] == 1U);
  BOOST_TEST(origins[0].fills.limit == fill::FillScheduleOptions{}.queue);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::admin
