// What a good configuration means.
#include "config/load.h"

#include <fmt/format.h>

#include <boost/test/unit_test.hpp>

#include "config/server_entry.h"
#include "config/units.h"
#include "unit/config/support.h"

namespace seawall::config {
namespace {

BOOST_AUTO_TEST_SUITE(config_load)

BOOST_AUTO_TEST_CASE(the_table_holds_the_defaults_of_the_options) {
  Config config;
  config.listen.push_back({.address = "127.0.0.1:8080"});
  Share max_object{.percent = config.cache.max_object_share * 100};
  OriginConfig origin;
  RouteConfig route{.host = "*", .path = "/*"};
  const Draft draft{.config = &config, .origin = &origin, .route = &route, .max_object = &max_object};
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
  BOOST_TEST((config.listen.front() == net::ListenOptions{.address = "127.0.0.1:8080"}));
  BOOST_REQUIRE(config.origins.size() == 1U);
  const origin::OriginOptions& options = config.origins[0].options;
  BOOST_TEST(options.name == "shop.example.com");
  BOOST_TEST(options.routes == 1U);
  BOOST_REQUIRE(options.servers.size() == 1U);
  BOOST_TEST((options.servers[0] == origin::ServerConfig{.url = "http://Shop.Example.com:80",
                                                         .host = "shop.example.com",
                                                         .port = 80,
                                                         .authority = "shop.example.com"}));
  BOOST_REQUIRE(config.routes.size() == 1U);
  BOOST_TEST(config.routes[0].name == "* /*");
  BOOST_TEST(config.routes[0].host == "*");
  BOOST_TEST(config.routes[0].path == "/*");
  BOOST_TEST(config.routes[0].origin == "shop.example.com");
  BOOST_TEST(!config.admin.is_listen_given);
  BOOST_TEST(!config.admin.is_socket_given);
}

BOOST_AUTO_TEST_CASE(servers) {
  using Server = origin::ServerConfig;
  struct Row {
    std::string entry;
    Server want;
    std::string dumped = {};  // when it is not the entry
  };
  const Row rows[] = {
      {"http://10.0.0.5:3000", {.host = "10.0.0.5", .port = 3000, .authority = "10.0.0.5:3000"}},
      {"http://10.0.0.5:3000/", {.host = "10.0.0.5", .port = 3000, .authority = "10.0.0.5:3000"}},
      {"http://localhost", {.host = "localhost", .authority = "localhost"}},
      {"http://[::1]:3000", {.host = "::1", .port = 3000, .authority = "[::1]:3000"}},
      {"http://[::1]", {.host = "::1", .authority = "[::1]"}},
      {"HTTP://a:65535", {.host = "a", .port = 65535, .authority = "a:65535"}},
      {"http://a weight=1000", {.host = "a", .authority = "a", .weight = 1000}},
      {"http://a weight=1", {.host = "a", .authority = "a"}, "http://a"},
      {"http://a backup", {.host = "a", .authority = "a", .is_backup = true}},
      {"  http://a\tdrain  weight=2 backup ",
       {.host = "a", .authority = "a", .weight = 2, .is_backup = true, .is_drain = true},
       "http://a weight=2 backup drain"},
      {"SRV+http://_http._tcp.Shop.Example.com",
       {.host = "_http._tcp.shop.example.com", .authority = "shop.example.com", .is_srv = true}},
      {"srv+http://_api._tcp.shop backup",
       {.host = "_api._tcp.shop", .authority = "shop", .is_backup = true, .is_srv = true}},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.entry) {
      Server want = row.want;
      const auto got = parse_server(row.entry);
      BOOST_REQUIRE(got);
      const std::string dumped = row.dumped.empty() ? row.entry : row.dumped;
      want.url = dumped.substr(0, dumped.find(' '));
      BOOST_TEST((*got == want));
      BOOST_TEST(format_server(*got) == dumped);
    }
  }
}

BOOST_AUTO_TEST_CASE(several_servers) {
  const Config config = load_good(R"(
[[origin]]
servers = ["http://a:1 weight=3", "http://a:2", "http://b backup", "srv+http://_http._tcp.a", "http://_http._tcp.a"]
)");
  const origin::OriginOptions& options = config.origins[0].options;
  BOOST_REQUIRE(options.servers.size() == 5U);
  BOOST_TEST(options.name == "a:1");
  BOOST_TEST(options.servers[0].weight == 3U);
  BOOST_TEST(options.servers[1].authority == "a:2");
  BOOST_TEST(options.servers[2].is_backup);
  BOOST_TEST(options.servers[3].is_srv);
  // As many as there may be, in a dump whose lines are short enough to be read again.
  std::string servers;
  for (int i = 0; i < 64; ++i) servers += fmt::format("  \"http://{}-{}.example.com\",\n", std::string(60, 'x'), i);
  const Config full = load_good("[[origin]]\nservers = [\n" + servers + "]");
  BOOST_TEST(full.origins[0].options.servers.size() == 64U);
  BOOST_TEST(dump(load_good(dump(full))) == dump(full));
}

BOOST_AUTO_TEST_CASE(long_lists_in_inline_tables_are_read_back) {
  std::string headers;
  for (int i = 0; i < 32; ++i) headers += fmt::format("  \"X-{}: {}\",\n", i, std::string(1000, 'x'));
  const Config config = load_good(kOrigin + "[[route]]\nplaceholder.headers = [\n" + headers + "]");
  BOOST_TEST(config.routes[0].miss.placeholder.headers.size() == 32U);
  BOOST_TEST(dump(load_good(dump(config))) == dump(config));
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
[admin]
listen = ":9181"
socket = "/run/sw.sock"
purge_from = ["10.0.0.5", "10.0.0.0/8", "fd00::/8", "0.0.0.0/0"]
[cache]
memory = "64MiB"
max_object = "16MiB"
max_variants = 5
eviction = "gdsf"
disk = { path = "/var/cache/seawall", size = "64MiB" }
compress_memory = true
[collapse]
waiters = 11
waiters_total = 12
wait = "13ms"
hit_for_miss = "14s"
hit_for_miss_keys = 15
window = "32KiB"
[push]
repeat = "16s"
per_second = 17
file = "unix:/run/events"
webhook = "http://10.0.0.9:8000/misses?x=y"
[dns]
servers = ["10.0.0.2", "10.0.0.2:5353", "[::1]:53", "fd00::2"]
timeout = "18s"
min_ttl = "19s"
max_ttl = "20s"
[log]
level = "debug"
target = "/var/log/events"
access = "/var/log/requests"
access_format = "json"
[[origin]]
name = "one"
servers = ["http://a"]
host = "origin"
balance = "hash"
slow_start = "27s"
max_ejected = "28%"
idle_connections = 2
idle_timeout = "21s"
timeout = { connect = "22ms", first_byte = "23ms", between_bytes = "24ms", send = "25ms", total = "26ms" }
limit = { in_flight = 41, queue = 42, queue_wait = "43ms", route_share = "44%", background_share = "45%", adaptive = true, adaptive_min = 7 }
breaker = { enabled = false, failures = "46%", window = "47s", min_requests = 48, connect_failures = 49, slow = "50ms", open = "51ms", open_max = "52ms", probes = 53, close_after = 54 }
health = { path = "/ok?a=b", host = "Shop:81", interval = "55s", timeout = "56ms", status = 204, body = "fine", rise = 57, fall = 58 }
retry = { tries = 3, budget = "59%", budget_min = 60, idempotency_key = true, hedge_after = "25ms" }
fill = { concurrent = 61, per_second = 62, bytes_per_second = "63KiB", queue = 64, deadline = "65ms", cold_start = "66ms" }
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
read_from = "two"
write_to = "one"
prefer = true
placeholder = { status = 202, retry_after = "67s", headers = ["Content-Type: text/plain", "X-A:"] }
storm = { enabled = false, misses_per_second = 68, calm = "69ms" }
refresh = { ahead = false, jitter = "30%" }
tags = ["Tag"]
memory = { guaranteed = "12.5%", max = "16MiB" }
disk = { guaranteed = "25%", max = "32MiB" }
targeted_fields = ["CDN-Cache-Control"]
honour_request_directives = false
)");

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
  BOOST_TEST(config.admin.listen == ":9181");
  BOOST_TEST(config.admin.is_listen_given);
  BOOST_TEST(config.admin.socket == "/run/sw.sock");
  BOOST_TEST(config.admin.is_socket_given);
  BOOST_TEST(config.admin.purge_from.size() == 4U);
  BOOST_TEST((config.push.events.repeat == Millis{16'000}));
  BOOST_TEST(config.push.events.per_second == 17U);
  BOOST_TEST(config.push.file == "unix:/run/events");
  BOOST_TEST(config.push.webhook == "http://10.0.0.9:8000/misses?x=y");
  BOOST_TEST((config.dns == net::ResolverOptions{.servers = {"10.0.0.2", "10.0.0.2:5353", "[::1]:53", "fd00::2"},
                                                 .timeout = Millis{18'000},
                                                 .min_ttl = Seconds{19},
                                                 .max_ttl = Seconds{20}}));
  BOOST_TEST(config.cache.memory_bytes == std::size_t{64} << 20);
  BOOST_TEST(config.cache.max_object_share == 0.25);
  BOOST_TEST(config.cache.max_variants == 5U);
  BOOST_TEST((config.cache.eviction == cache::Eviction::kGdsf));
  BOOST_TEST(config.compress_memory);
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
  const origin::OriginOptions& one = config.origins[0].options;
  BOOST_TEST(one.name == "one");
  BOOST_TEST(one.routes == 1U);
  BOOST_TEST((config.origins[0].host_policy == proxy::HostPolicy::kOrigin));
  BOOST_TEST((one.balance == origin::Balance::kHash));
  BOOST_TEST((one.outlier == origin::OutlierOptions{.max_ejected_percent = 28, .slow_start = Millis{27'000}}));
  BOOST_TEST(one.idle_connections == 2U);
  BOOST_TEST((one.idle_timeout == Millis{21'000}));
  BOOST_TEST((one.timeouts.connect == Millis{22}));
  BOOST_TEST((one.timeouts.first_byte == Millis{23}));
  BOOST_TEST((one.timeouts.between_bytes == Millis{24}));
  BOOST_TEST((one.timeouts.send == Millis{25}));
  BOOST_TEST((one.total == Millis{26}));
  BOOST_TEST((one.limit == origin::LimitOptions{.in_flight = 41,
                                                .queue = 42,
                                                .queue_wait = Millis{43},
                                                .route_percent = 44,
                                                .background_percent = 45,
                                                .is_adaptive = true,
                                                .adaptive_min = 7}));
  BOOST_TEST((one.breaker == origin::BreakerOptions{.is_on = false,
                                                    .failure_ratio = 0.46,
                                                    .window = Millis{47'000},
                                                    .min_requests = 48,
                                                    .connect_failures = 49,
                                                    .slow = Millis{50},
                                                    .open = Millis{51},
                                                    .open_max = Millis{52},
                                                    .probes = 53,
                                                    .close_after = 54}));
  BOOST_TEST((one.health == origin::HealthOptions{.path = "/ok?a=b",
                                                  .host = "Shop:81",
                                                  .interval = Millis{55'000},
                                                  .timeout = Millis{56},
                                                  .status = 204,
                                                  .body = "fine",
                                                  .rise = 57,
                                                  .fall = 58}));
  BOOST_TEST(
      (one.retry ==
       origin::RetryOptions{
           .tries = 3, .budget_percent = 59, .budget_min = 60, .idempotency_key = true, .hedge_after = Millis{25}}));
  BOOST_TEST((config.origins[0].fill == fill::FillScheduleOptions{.concurrent = 61,
                                                                  .per_second = 62,
                                                                  .bytes_per_second = 63 << 10,
                                                                  .queue = 64,
                                                                  .deadline = Millis{65},
                                                                  .cold_start = Millis{66}}));
  BOOST_TEST((config.origins[1].host_policy == proxy::HostPolicy::kPreserve));
  BOOST_TEST((config.origins[1].options.timeouts.connect == Millis{1000}));
  BOOST_TEST((config.origins[1].options.breaker == origin::BreakerOptions{}));
  BOOST_TEST(config.origins[1].options.routes == 2U);
  BOOST_REQUIRE(config.routes.size() == 2U);
  BOOST_TEST(config.routes[0].name == "*.example.com /api/*");
  BOOST_TEST(config.routes[0].host == "*.example.com");
  BOOST_TEST(config.routes[0].origin == "two");
  BOOST_TEST((config.routes[0].miss.policy == proxy::MissPolicy::kPass));
  const RouteConfig& rest = config.routes[1];
  BOOST_TEST(rest.name == "rest");
  BOOST_TEST((rest.miss.policy == proxy::MissPolicy::kCollapse));
  BOOST_TEST((rest.rules.stale_while_revalidate == Seconds{31}));
  BOOST_TEST((rest.rules.stale_if_error == Seconds{32}));
  BOOST_TEST((rest.rules.stale_max == Seconds{33}));
  BOOST_TEST(rest.rules.heuristic_percent == 34);
  BOOST_TEST((rest.rules.heuristic_max == Seconds{35}));
  BOOST_REQUIRE(rest.rules.targeted_fields.size() == 1U);
  BOOST_TEST(rest.rules.targeted_fields[0] == "CDN-Cache-Control");
  BOOST_TEST(!rest.rules.honour_request_directives);
  BOOST_TEST(rest.read_from == "two");
  BOOST_TEST(rest.write_to == "one");
  BOOST_TEST(rest.miss.honours_prefer);
  const proxy::Placeholder& placeholder = rest.miss.placeholder;
  BOOST_TEST(placeholder.status == 202);
  BOOST_TEST((placeholder.retry_after == Seconds{67}));
  BOOST_REQUIRE(placeholder.headers.size() == 2U);
  BOOST_TEST(placeholder.headers[0].first == "Content-Type");
  BOOST_TEST(placeholder.headers[0].second == "text/plain");
  BOOST_TEST(placeholder.headers[1].first == "X-A");
  BOOST_TEST(placeholder.headers[1].second == "");
  BOOST_TEST((rest.storm == proxy::StormOptions{.is_on = false, .misses_per_second = 68, .calm = Millis{69}}));
  BOOST_TEST(!rest.rules.refreshes_ahead);
  BOOST_TEST(rest.rules.jitter_percent == 30);
  BOOST_REQUIRE(rest.rules.tag_fields.size() == 1U);
  BOOST_TEST(rest.rules.tag_fields[0] == "Tag");
  BOOST_TEST(rest.memory.guaranteed.of(config.cache.memory_bytes) == config.cache.memory_bytes / 8);
  BOOST_TEST(rest.memory.max.of(config.cache.memory_bytes) == std::uint64_t{16} << 20);
  BOOST_TEST(rest.disk.guaranteed.of(400) == 100U);
  BOOST_TEST(rest.disk.max.of(400) == std::uint64_t{32} << 20);
  BOOST_TEST(config.routes[0].memory.guaranteed.is_none());
  BOOST_TEST(config.routes[0].disk.max.is_none());
  BOOST_TEST(config.routes[0].memory.max.is_none());

  // What is dumped loads to the same.
  const std::string text = dump(config);
  BOOST_TEST(dump(load_good(text)) == text);
}

BOOST_AUTO_TEST_CASE(every_choice_arrives) {
  using enum proxy::MissPolicy;
  const std::pair<std::string, proxy::MissPolicy> misses[] = {
      {"collapse", kCollapse}, {"async", kAsync}, {"push", kPush}, {"stale-only", kStaleOnly}, {"pass", kPass}};
  for (const auto& [text, policy] : misses) {
    const Config config = load_good(kOrigin + "[[route]]\nmiss = \"" + text + "\"");
    BOOST_TEST((config.routes[0].miss.policy == policy), text);
    BOOST_TEST(dump(load_good(dump(config))) == dump(config), text);
  }
  using enum origin::Balance;
  const std::pair<std::string, origin::Balance> balances[] = {
      {"round-robin", kRoundRobin}, {"least-conn", kLeastConn}, {"random-two", kRandomTwo}, {"hash", kHash}};
  for (const auto& [text, balance] : balances) {
    BOOST_TEST((load_good(kOrigin + "balance = \"" + text + "\"").origins[0].options.balance == balance), text);
  }
}

BOOST_AUTO_TEST_CASE(a_dump_leaves_out_what_has_no_effect) {
  const std::string plain = dump(load_good(kOrigin));
  BOOST_TEST(plain.find("health") == std::string::npos);
  BOOST_TEST(plain.find("storm = { enabled = true") != std::string::npos);
  BOOST_TEST(plain.find("memory = { guaranteed = \"\", max = \"\" }\n") != std::string::npos);
  BOOST_TEST(plain.find("disk = ") == std::string::npos);
  const std::string pass = dump(load_good(kOrigin + "health.path = \"/\"\n[[route]]\nmiss = \"pass\""));
  BOOST_TEST(pass.find("health = { path = \"/\", interval = ") != std::string::npos);
  for (const char* group : {"placeholder", "storm", "refresh", "stale", "heuristic"}) {
    BOOST_TEST(pass.find("\n" + std::string(group) + " = ") == std::string::npos, group);
  }
}

BOOST_AUTO_TEST_CASE(names_that_are_longer_than_one_may_be_given) {
  const Config config = load_good("[[origin]]\nservers = \"http://" + std::string(60, 'a') + "." +
                                  std::string(60, 'b') + "\"\n[[route]]\npath = \"/" + std::string(200, 'c') + "\"");
  BOOST_TEST(config.origins[0].options.name.size() == 121U);
  const Config again = load_good(dump(config));
  BOOST_TEST(again.origins[0].options.name == config.origins[0].options.name);
  BOOST_TEST(again.routes[0].name == config.routes[0].name);
}

BOOST_AUTO_TEST_CASE(origins_of_reads_and_writes) {
  const std::string origins =
      "[[origin]]\nname = \"a\"\nservers = \"http://a\"\n[[origin]]\nname = \"b\"\nservers = \"http://b\"\n"
      "[[origin]]\nname = \"c\"\nservers = \"http://c\"\n";
  struct Row {
    std::string route;
    std::string origin;
    std::string read_from;
    std::string write_to;
    std::vector<std::uint32_t> routes;  // of a, b, c
  };
  const Row rows[] = {
      {"origin = \"a\"", "a", "", "", {2, 1, 1}},
      {"read_from = \"b\"\nwrite_to = \"c\"", "b", "b", "c", {1, 1, 1}},
      {"origin = \"a\"\nread_from = \"b\"", "a", "b", "", {2, 1, 1}},
      {"origin = \"a\"\nwrite_to = \"b\"", "a", "", "b", {2, 1, 1}},
      {"origin = \"b\"\nread_from = \"a\"\nwrite_to = \"a\"", "b", "a", "a", {2, 1, 1}},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.route) {
      // The second route goes to a.
      const Config config =
          load_good(origins + "[[route]]\npath = \"/x\"\n" + row.route + "\n[[route]]\norigin = \"a\"\n");
      BOOST_TEST(config.routes[0].origin == row.origin);
      BOOST_TEST(config.routes[0].read_from == row.read_from);
      BOOST_TEST(config.routes[0].write_to == row.write_to);
      for (std::size_t i = 0; i < row.routes.size(); ++i) {
        BOOST_TEST(config.origins[i].options.routes == row.routes[i], config.origins[i].options.name);
      }
      const std::string text = dump(config);
      BOOST_TEST(dump(load_good(text)) == text);
    }
  }
  // With one origin nothing need be said, in a table without a key neither.
  BOOST_TEST(load_good(kOrigin + "[[route]]\n").routes[0].origin == "10.0.0.5:3000");
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
  BOOST_TEST(
      load_good("[[origin]]\nservers = \"http://${H}\"", {{"H", "a:1"}}).origins[0].options.servers[0].authority ==
      "a:1");
}

BOOST_AUTO_TEST_CASE(flags_win_over_the_file) {
  const Overrides overrides{.settings = {{"server.listen", "--listen", {":1", ":2"}},
                                         {"cache.memory", "--memory", {"2MiB"}},
                                         {"server.workers", "--workers", {"4"}},
                                         {"log.level", "--log-level", {"error"}}}};
  const Config config =
      load_good("[server]\nlisten = \":9\"\nworkers = 9\n[cache]\nmemory = \"9MiB\"\n" + kOrigin, {}, overrides);
  BOOST_TEST(config.listen.size() == 2U);
  BOOST_TEST(config.listen[1].address == ":2");
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
  const auto alone = load_flags(SystemClock(), {.origin = "http://a:1"});
  BOOST_REQUIRE(alone);
  BOOST_TEST(alone->origins[0].options.servers[0].authority == "a:1");
  BOOST_TEST(alone->routes[0].origin == "a:1");
  BOOST_TEST(alone->listen.front().address == "127.0.0.1:8080");
  BOOST_TEST(load_good("[cache]\nmemory = \"3MiB\"", {}, {.origin = "http://a"}).origins[0].options.name == "a");
  BOOST_TEST(
      errors_of(kOrigin, {}, {.origin = "http://a"}) ==
      "--origin: error: the file has an origin already: seawall.toml:1:1\nhint: leave out --origin, or [[origin]]\n");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::config
