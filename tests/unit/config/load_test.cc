// What a good configuration means.
#include "config/load.h"

#include <boost/test/unit_test.hpp>

#include "config/units.h"
#include "unit/config/support.h"

namespace seawall::config {
namespace {

BOOST_AUTO_TEST_SUITE(config_load)

BOOST_AUTO_TEST_CASE(the_table_holds_the_defaults_of_the_options) {
  Config config;
  config.listen = {"127.0.0.1:8080"};
  Share max_object{.percent = config.cache.max_object_share * 100};
  OriginConfig origin;
  RouteConfig route{.host = "*", .path = "/*"};
  std::vector<std::string> servers;
  const Draft draft{
      .config = &config, .origin = &origin, .route = &route, .servers = &servers, .max_object = &max_object};
  for (const Directive& d : directives()) {
    BOOST_TEST_CONTEXT(d.path) {
      BOOST_TEST(!d.help.empty());
      BOOST_TEST(find_directive(d.path) == &d);
      if (!d.default_text.empty()) BOOST_TEST(format_value(d, d.get(draft)) == d.default_text);
    }
  }
}

BOOST_AUTO_TEST_CASE(the_smallest_file) {
  const Config config = load_good("[[origin]]\nservers = \"http://Shop.Example.com:80\"");
  BOOST_TEST(config.listen.size() == 1U);
  BOOST_TEST(config.listen.front() == "127.0.0.1:8080");
  BOOST_REQUIRE(config.origins.size() == 1U);
  BOOST_TEST(config.origins[0].name == "shop.example.com");
  BOOST_TEST(config.origins[0].url == "http://Shop.Example.com:80");
  BOOST_TEST(config.origins[0].host == "shop.example.com");
  BOOST_TEST(config.origins[0].port == 80);
  BOOST_TEST(config.origins[0].authority == "shop.example.com");
  BOOST_REQUIRE(config.routes.size() == 1U);
  BOOST_TEST(config.routes[0].name == "* /*");
  BOOST_TEST(config.routes[0].host == "*");
  BOOST_TEST(config.routes[0].path == "/*");
  BOOST_TEST(config.routes[0].origin == "shop.example.com");
}

BOOST_AUTO_TEST_CASE(servers) {
  struct Row {
    std::string url;
    std::string host;
    std::uint16_t port;
    std::string authority;
  };
  const Row rows[] = {
      {"http://10.0.0.5:3000", "10.0.0.5", 3000, "10.0.0.5:3000"},
      {"http://10.0.0.5:3000/", "10.0.0.5", 3000, "10.0.0.5:3000"},
      {"http://localhost", "localhost", 80, "localhost"},
      {"http://[::1]:3000", "::1", 3000, "[::1]:3000"},
      {"http://[::1]", "::1", 80, "[::1]"},
      {"HTTP://a:65535", "a", 65535, "a:65535"},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.url) {
      const Config config = load_good("[[origin]]\nservers = \"" + row.url + "\"");
      BOOST_TEST(config.origins[0].host == row.host);
      BOOST_TEST(config.origins[0].port == row.port);
      BOOST_TEST(config.origins[0].authority == row.authority);
    }
  }
}

BOOST_AUTO_TEST_CASE(every_key_arrives) {
  const Config config = load_good(R"(
[server]
listen = [":80", "[::1]:81"]
workers = 3
connections = 7
target_bytes = "1KiB"
header_bytes = 2048
header_count = 9
body_bytes = "1MB"
timeout = { header = "1s", body = "2s", idle = "3s", send = "4s", shutdown = "5s" }
[cache]
memory = "64MiB"
max_object = "16MiB"
max_variants = 5
[collapse]
waiters = 11
waiters_total = 12
wait = "13ms"
hit_for_miss = "14s"
hit_for_miss_keys = 15
window = "32KiB"
[log]
level = "debug"
target = "/var/log/events"
access = "/var/log/requests"
access_format = "json"
[[origin]]
name = "one"
servers = ["http://a"]
host = "origin"
idle_connections = 2
idle_timeout = "21s"
timeout = { connect = "22ms", first_byte = "23ms", between_bytes = "24ms", send = "25ms", total = "26ms" }
[[origin]]
name = "two"
servers = "http://b:1"
[[route]]
host = "*.Example.com"
path = "/api/*"
origin = "two"
miss = "pass"
[[route]]
name = "rest"
origin = "one"
stale = { while_revalidate = "31s", if_error = "32s", max = "33s" }
heuristic = { percent = 34, max = "35s" }
targeted_fields = ["CDN-Cache-Control"]
honour_request_directives = false
)");
  BOOST_TEST(config.listen[1] == "[::1]:81");
  BOOST_TEST(config.workers == 3U);
  BOOST_TEST(config.session.connections == 7U);
  BOOST_TEST(config.session.head_limits.target_bytes == 1024U);
  BOOST_TEST(config.session.head_limits.header_bytes == 2048U);
  BOOST_TEST(config.session.head_limits.header_count == 9U);
  BOOST_TEST(config.session.body_bytes == 1'000'000U);
  BOOST_TEST((config.session.header_timeout == Millis{1000}));
  BOOST_TEST((config.session.body_timeout == Millis{2000}));
  BOOST_TEST((config.session.idle_timeout == Millis{3000}));
  BOOST_TEST((config.session.send_timeout == Millis{4000}));
  BOOST_TEST((config.session.shutdown_timeout == Millis{5000}));
  BOOST_TEST(config.cache.memory_bytes == std::size_t{64} << 20);
  BOOST_TEST(config.cache.max_object_share == 0.25);
  BOOST_TEST(config.cache.max_variants == 5U);
  BOOST_TEST(config.fill.waiters_per_object == 11U);
  BOOST_TEST(config.fill.waiters_total == 12U);
  BOOST_TEST((config.fill.waiter_deadline == Millis{13}));
  BOOST_TEST((config.fill.hit_for_miss == Millis{14'000}));
  BOOST_TEST(config.fill.hit_for_miss_keys == 15U);
  BOOST_TEST(config.fill.window_bytes == 32'768U);
  BOOST_TEST((config.log.level == obs::LogLevel::kDebug));
  BOOST_TEST(config.log.target == "/var/log/events");
  BOOST_TEST(config.access_log.target == "/var/log/requests");
  BOOST_TEST((config.access_log.format == obs::AccessFormat::kJson));
  BOOST_REQUIRE(config.origins.size() == 2U);
  const OriginConfig& one = config.origins[0];
  BOOST_TEST(one.name == "one");
  BOOST_TEST((one.host_policy == proxy::HostPolicy::kOrigin));
  BOOST_TEST(one.idle_connections == 2U);
  BOOST_TEST((one.idle_timeout == Millis{21'000}));
  BOOST_TEST((one.timeouts.connect == Millis{22}));
  BOOST_TEST((one.timeouts.first_byte == Millis{23}));
  BOOST_TEST((one.timeouts.between_bytes == Millis{24}));
  BOOST_TEST((one.timeouts.send == Millis{25}));
  BOOST_TEST((one.total == Millis{26}));
  BOOST_TEST((config.origins[1].host_policy == proxy::HostPolicy::kPreserve));
  BOOST_TEST((config.origins[1].timeouts.connect == Millis{1000}));
  BOOST_REQUIRE(config.routes.size() == 2U);
  BOOST_TEST(config.routes[0].name == "*.example.com /api/*");
  BOOST_TEST(config.routes[0].host == "*.example.com");
  BOOST_TEST(config.routes[0].origin == "two");
  BOOST_TEST((config.routes[0].miss == MissPolicy::kPass));
  const RouteConfig& rest = config.routes[1];
  BOOST_TEST(rest.name == "rest");
  BOOST_TEST((rest.miss == MissPolicy::kCollapse));
  BOOST_TEST((rest.rules.stale_while_revalidate == Seconds{31}));
  BOOST_TEST((rest.rules.stale_if_error == Seconds{32}));
  BOOST_TEST((rest.rules.stale_max == Seconds{33}));
  BOOST_TEST(rest.rules.heuristic_percent == 34);
  BOOST_TEST((rest.rules.heuristic_max == Seconds{35}));
  BOOST_REQUIRE(rest.rules.targeted_fields.size() == 1U);
  BOOST_TEST(rest.rules.targeted_fields[0] == "CDN-Cache-Control");
  BOOST_TEST(!rest.rules.honour_request_directives);

  // What is dumped loads to the same.
  const std::string text = dump(config);
  BOOST_TEST(dump(load_good(text)) == text);
}

BOOST_AUTO_TEST_CASE(dumped_texts_are_read_back_as_they_are) {
  const std::string text = "[log]\naccess = \"a\\\\b\\\"c$${X}\\u0009$\"\n" + kOrigin;
  const Config config = load_good(text);
  BOOST_TEST(config.access_log.target == "a\\b\"c${X}\t$");
  BOOST_TEST(load_good(dump(config)).access_log.target == config.access_log.target);
}

BOOST_AUTO_TEST_CASE(environment_variables) {
  struct Row {
    std::string text;
    std::string want;
  };
  const Row rows[] = {
      {"plain", "plain"},  {"${A}", "one"},         {"x${A}y${B}z", "xoneytwoz"}, {"${NO:-d}", "d"}, {"${A:-d}", "one"},
      {"${NO:-}x", "x"},   {"${EMPTY}x", "x"},      {"${EMPTY:-d}x", "x"},        {"$A", "$A"},      {"$${A}", "${A}"},
      {"$$${A}", "$${A}"}, {"${NO:-a:-b}", "a:-b"}, {"${NESTED}", "${A}"},        {"$", "$"},        {"100$", "100$"},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.text) {
      const Config config = load_good("[log]\naccess = \"" + row.text + "\"\n" + kOrigin,
                                      {{"A", "one"}, {"B", "two"}, {"EMPTY", ""}, {"NESTED", "${A}"}});
      BOOST_TEST(config.access_log.target == row.want);
    }
  }
  BOOST_TEST(load_good("[cache]\nmemory = \"${SIZE:-2MiB}\"\n" + kOrigin).cache.memory_bytes == std::size_t{2} << 20);
  BOOST_TEST(load_good("[[origin]]\nservers = \"http://${H}\"", {{"H", "a:1"}}).origins[0].authority == "a:1");
}

BOOST_AUTO_TEST_CASE(flags_win_over_the_file) {
  const Overrides overrides{.settings = {{"server.listen", "--listen", {":1", ":2"}},
                                         {"cache.memory", "--memory", {"2MiB"}},
                                         {"server.workers", "--workers", {"4"}},
                                         {"log.level", "--log-level", {"error"}}}};
  const Config config =
      load_good("[server]\nlisten = \":9\"\nworkers = 9\n[cache]\nmemory = \"9MiB\"\n" + kOrigin, {}, overrides);
  BOOST_TEST(config.listen.size() == 2U);
  BOOST_TEST(config.listen[1] == ":2");
  BOOST_TEST(config.cache.memory_bytes == std::size_t{2} << 20);
  BOOST_TEST(config.workers == 4U);
  BOOST_TEST((config.log.level == obs::LogLevel::kError));
  BOOST_TEST(load_good(kOrigin, {}, {.settings = {{"server.workers", "--workers", {"auto"}}}}).workers == 0U);
  BOOST_TEST(errors_of("[cache]\nmax_object = \"3MiB\"\n" + kOrigin, {}, overrides) ==
             "seawall.toml:2:14: error: cache.max_object = \"3MiB\" is more than cache.memory = \"2MiB\"\nmax_object = "
             "\"3MiB\"\n"
             "             ^\nhint: lower it, or raise cache.memory\n");
}

BOOST_AUTO_TEST_CASE(an_origin_by_flag) {
  const auto alone = load_flags({.origin = "http://a:1"});
  BOOST_REQUIRE(alone);
  BOOST_TEST(alone->origins[0].authority == "a:1");
  BOOST_TEST(alone->routes[0].origin == "a:1");
  BOOST_TEST(alone->listen.front() == "127.0.0.1:8080");
  BOOST_TEST(load_good("[cache]\nmemory = \"3MiB\"", {}, {.origin = "http://a"}).origins[0].name == "a");
  BOOST_TEST(
      errors_of(kOrigin, {}, {.origin = "http://a"}) ==
      "--origin: error: the file has an origin already: seawall.toml:1:1\nhint: leave out --origin, or [[origin]]\n");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::config
