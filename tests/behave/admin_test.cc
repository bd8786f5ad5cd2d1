// The admin listener: liveness, metrics, the JSON of origins and routes, its links and errors, and who may ask.
#include "support/behave/admin.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

namespace seawall::behave {
namespace {

BOOST_AUTO_TEST_SUITE(behave_admin)

using Json = nlohmann::json;

boost::test_tools::assertion_result is_promtool_installed(boost::unit_test::test_unit_id) {
  boost::test_tools::assertion_result result(std::system("promtool --version >/dev/null 2>&1") == 0);
  result.message() << "promtool is not installed (Debian: prometheus)";
  return result;
}

std::string origin_section(std::uint16_t port) {
  return "[[origin]]\nname = \"main\"\nservers = [\"http://127.0.0.1:" + std::to_string(port) + "\"]\n";
}

std::string config(const Origin& origin, const std::string& routes = "[[route]]\nname = \"all\"\n") {
  return std::string(kAdminSection) + origin_section(origin.port()) + routes;
}

Json parsed(const Response& response) {
  BOOST_TEST(response.status == 200, response);
  const bool is_json = contains(response.get("Content-Type"), "json");
  BOOST_TEST(is_json, response);
  Json json = Json::parse(response.body, nullptr, false);
  BOOST_TEST(!json.is_discarded(), response.body);
  return json;
}

void check_problem(const Response& response, int status) {
  BOOST_TEST(response.status == status, response);
  BOOST_TEST(response.get("Content-Type") == "application/problem+json", response);
  const Json json = Json::parse(response.body, nullptr, false);
  BOOST_TEST(json.is_object(), response.body);
  BOOST_TEST(json.value("status", 0) == status, response.body);
  BOOST_TEST(!json.value("title", "").empty(), response.body);
  BOOST_TEST(!json.value("detail", "").empty(), response.body);
}

BOOST_AUTO_TEST_CASE(it_is_alive_and_ready_and_not_ready_while_draining) {
  Gate gate;
  Origin origin;
  origin.on("/held", [&](Exchange& x) {
    x.hold(gate);
    x.respond({.body = "held"});
  });
  Seawall seawall(origin, {.server = std::string(kAdminSection), .shutdown = "10s"});
  Admin admin(seawall);
  BOOST_TEST(admin.get("/healthz").status == 200);
  BOOST_TEST(admin.get("/healthz").body == "ok\n");
  BOOST_TEST(admin.get("/readyz").status == 200);
  BOOST_TEST(admin.get("/readyz").get("Cache-Control") == "no-store");
  BOOST_TEST(admin.request("HEAD", "/readyz").body.empty());
  BOOST_TEST(admin.metric("seawall_ready") == 1);
  Client client(seawall);
  client.send_request("GET", "/held");
  BOOST_TEST(until([&] { return origin.count("/held") == 1; }));
  seawall.process().signal(SIGTERM);
  BOOST_TEST(until([&] { return admin.get("/readyz").status == 503; }));
  BOOST_TEST(admin.get("/readyz").body == "draining\n");
  BOOST_TEST(admin.get("/healthz").status == 200);
  BOOST_TEST(contains(admin.get("/metrics").body, "\nseawall_ready 0\n"));
  gate.open();
  BOOST_TEST(client.read().body == "held");
  BOOST_TEST(seawall.process().wait() == 0);
}

// Every kind of answer, so that every family has samples.
void make_traffic(const Seawall& seawall) {
  for (const char* path : {"/a", "/a", "/b", "/c\"quoted\\%0A"}) get(seawall, path);
  fetch(seawall, "POST", "/form", {}, "form");
}

BOOST_AUTO_TEST_CASE(promtool_accepts_the_metrics, *boost::unit_test::precondition(is_promtool_installed)) {
  Origin origin;
  origin.otherwise(reply({.headers = {"Cache-Control: max-age=60"}, .body = "a"}));
  Seawall seawall(config(origin, "[[route]]\nname = \"with \\\"quotes\\\" and \\\\\"\n"));
  Admin admin(seawall);
  make_traffic(seawall);
  const Response metrics = admin.get("/metrics");
  BOOST_TEST(contains(metrics.get("Content-Type"), "text/plain; version=0.0.4"), metrics);
  const std::string file = seawall.directory().write("metrics", metrics.body);
  Process promtool({"sh", "-c", "promtool check metrics < " + file});
  // A large program, slow to start on a busy machine.
  BOOST_TEST(promtool.wait(6 * kLimit) == 0, promtool.output());
  BOOST_TEST(promtool.output().empty(), promtool.output());
}

BOOST_AUTO_TEST_CASE(the_metrics_have_what_dashboards_and_autoscalers_need) {
  Origin origin;
  origin.on("/a", Reply{.headers = {"Cache-Control: max-age=60"}, .body = "aaaa"});
  origin.otherwise(reply({.status = 404}));
  Seawall seawall(config(origin));
  Admin admin(seawall);
  make_traffic(seawall);
  const std::string text = admin.get("/metrics").body;
  for (const char* family : {"seawall_build_info",
                             "seawall_start_time_seconds",
                             "seawall_ready",
                             "seawall_config_reloads_total",
                             "seawall_http_connections",
                             "seawall_http_requests_total",
                             "seawall_http_request_duration_seconds",
                             "seawall_stale_served_total",
                             "seawall_storm_active",
                             "seawall_cache_objects",
                             "seawall_cache_bytes",
                             "seawall_cache_evictions_total",
                             "seawall_waiters",
                             "seawall_origin_requests_total",
                             "seawall_origin_responses_total",
                             "seawall_origin_errors_total",
                             "seawall_origin_timeouts_total",
                             "seawall_origin_retries_total",
                             "seawall_origin_hedges_total",
                             "seawall_origin_in_flight",
                             "seawall_origin_in_flight_limit",
                             "seawall_origin_queue",
                             "seawall_origin_queue_limit",
                             "seawall_origin_queue_wait_seconds",
                             "seawall_origin_saturation",
                             "seawall_origin_breaker_state",
                             "seawall_origin_breaker_opened_total",
                             "seawall_origin_back_off_seconds",
                             "seawall_server_up",
                             "seawall_server_requests_total",
                             "seawall_fills_waiting",
                             "seawall_fills_running",
                             "seawall_fills_allowed",
                             "seawall_fills_wanted",
                             "seawall_fill_wait_seconds",
                             "seawall_fills_refused_total",
                             "seawall_miss_events_total",
                             "seawall_purged_total",
                             "process_resident_memory_bytes",
                             "process_open_fds"}) {
    BOOST_TEST(contains(text, std::string("# TYPE ") + family + ' '), family);
  }
  BOOST_TEST(admin.metric("seawall_http_requests_total{route=\"all\",code=\"2xx\",cache=\"hit\"}") == 1);
  BOOST_TEST(admin.metric("seawall_http_requests_total{route=\"all\",code=\"2xx\",cache=\"miss\"}") == 1);
  BOOST_TEST(admin.metric("seawall_http_request_duration_seconds_count{route=\"all\"}") == 5);
  BOOST_TEST(admin.metric("seawall_origin_requests_total{origin=\"main\"}") == 4);
  BOOST_TEST(admin.metric("seawall_origin_responses_total{origin=\"main\",code=\"4xx\"}") == 3);
  BOOST_TEST(admin.metric("seawall_cache_objects") == 1);
  BOOST_TEST(admin.metric("seawall_fills_allowed{origin=\"main\"}") > 0);
  BOOST_TEST(contains(text, "\nseawall_fills_wanted{origin=\"main\"} 0\n"));
  BOOST_TEST(contains(text, "\nseawall_origin_saturation{origin=\"main\"} 0\n"));
  const Response open_metrics = admin.get("/metrics", {"Accept: application/openmetrics-text; version=1.0.0"});
  BOOST_TEST(contains(open_metrics.get("Content-Type"), "application/openmetrics-text"), open_metrics);
  BOOST_TEST(open_metrics.body.ends_with("# EOF\n"));
}

BOOST_AUTO_TEST_CASE(every_link_leads_somewhere) {
  Origin origin;
  Seawall seawall(config(origin,
                         "[[route]]\nname = \"näme /?#%\"\npath = \"/a/*\"\n[[route]]\nhost = \"*.example.com\"\n"
                         "[[route]]\npath = \"/*\"\nmiss = \"push\"\n"));
  Admin admin(seawall);
  const Json index = parsed(admin.get("/v1/"));
  std::size_t followed = 0;
  for (const auto& [rel, link] : index.at("_links").items()) {
    const std::string href = link.at("href");
    BOOST_TEST_CONTEXT(href) {
      if (link.value("templated", false)) continue;
      // These stay open, or take other methods.
      if (rel == "events" || rel == "purge") continue;
      BOOST_TEST(admin.get(href).status == 200);
      ++followed;
    }
  }
  BOOST_TEST(followed >= 6U);
  for (const char* rel : {"health", "ready", "metrics", "origins", "origin", "routes", "route", "purge", "fills",
                          "fill", "objects", "events"}) {
    BOOST_TEST(index.at("_links").contains(rel), rel);
  }
  for (const std::string collection : {"origins", "routes"}) {
    const Json all = parsed(admin.get("/v1/" + collection));
    BOOST_TEST(all.at("/_links/self/href"_json_pointer) == "/v1/" + collection);
    for (const Json& one : all.at("_embedded").at(collection)) {
      const Json again = parsed(admin.get(one.at("/_links/self/href"_json_pointer).get<std::string>()));
      BOOST_TEST(again.at("name") == one.at("name"));
      if (collection == "origins") continue;
      for (const char* rel : {"read_from", "write_to"}) {
        const std::string href = one.at("_links").at(rel).at("href");
        BOOST_TEST(parsed(admin.get(href)).at("name") == one.at(rel));
      }
    }
  }
  BOOST_TEST(parsed(admin.get("/v1/routes")).at("_embedded").at("routes").size() == 3U);
}

BOOST_AUTO_TEST_CASE(origins_and_routes_tell_what_goes_on) {
  Gate gate;
  Origin origin;
  origin.on("/a", Reply{.headers = {"Cache-Control: max-age=60"}, .body = "a"});
  origin.on("/missing", Reply{.status = 404});
  origin.on("/held", [&](Exchange& x) {
    x.hold(gate);
    x.respond({.body = "held"});
  });
  Seawall seawall(config(origin));
  Admin admin(seawall);
  for (const char* path : {"/a", "/a", "/a", "/missing"}) get(seawall, path);
  Client client(seawall);
  client.send_request("GET", "/held");
  BOOST_TEST(until([&] { return origin.count("/held") == 1; }));
  const Json of_origin = parsed(admin.get("/v1/origins/main"));
  BOOST_TEST(of_origin.at("/breaker/state"_json_pointer) == "closed");
  BOOST_TEST(of_origin.at("in_flight") == 1);
  BOOST_TEST(of_origin.at("limit") == 256);
  BOOST_TEST(of_origin.at("/queue/limit"_json_pointer) == 512);
  BOOST_TEST(of_origin.at("/queue/wait_ms/p99"_json_pointer) == 0);
  BOOST_TEST(of_origin.at("saturation").get<double>() > 0);
  BOOST_TEST(of_origin.at("saturation").get<double>() < 0.1);
  BOOST_TEST(of_origin.at("requests") == 3);
  BOOST_TEST(of_origin.at("/responses/2xx"_json_pointer) == 1);
  BOOST_TEST(of_origin.at("/responses/4xx"_json_pointer) == 1);
  BOOST_TEST(of_origin.at("/fills/wanted"_json_pointer) == 0);
  BOOST_TEST(of_origin.at("/fills/allowed"_json_pointer) > 0);
  BOOST_TEST(of_origin.at("timeouts").size() == 8U);
  BOOST_TEST(of_origin.at("/servers/0/name"_json_pointer) == origin.authority());
  BOOST_TEST(of_origin.at("/servers/0/healthy"_json_pointer) == true);
  BOOST_TEST(of_origin.at("/servers/0/in_flight"_json_pointer) == 1);
  const Json of_route = parsed(admin.get("/v1/routes/all"));
  BOOST_TEST(of_route.at("miss") == "collapse");
  BOOST_TEST(of_route.at("/storm/active"_json_pointer) == false);
  BOOST_TEST(of_route.at("/requests/hit"_json_pointer) == 2);
  BOOST_TEST(of_route.at("/requests/miss"_json_pointer) == 2);
  gate.open();
  BOOST_TEST(client.read().body == "held");
}

BOOST_AUTO_TEST_CASE(what_is_wrong_is_said_in_problem_documents) {
  Origin origin;
  Seawall seawall(config(origin));
  Admin admin(seawall);
  for (const char* path : {"/nowhere", "/v1", "/v1/origin", "/v1/origins/", "/v1/origins/other", "/v1/routes/other",
                           "/v1/fills/99", "/%6eowhere"}) {
    BOOST_TEST_CONTEXT(path) {
      check_problem(admin.get(path), 404);
    }
  }
  BOOST_TEST(contains(admin.get("/v1/origins/other").body, "main"));
  struct Row {
    const char* method;
    const char* path;
    const char* allow;
  };
  for (const Row& row : {Row{"DELETE", "/v1/origins", "GET, HEAD"}, Row{"GET", "/v1/purge", "POST"},
                         Row{"POST", "/metrics", "GET, HEAD"}, Row{"GET", "/v1/objects", "PUT"},
                         Row{"PATCH", "/v1/routes/all", "GET, HEAD"}}) {
    BOOST_TEST_CONTEXT(row.method << ' ' << row.path) {
      const Response response = admin.request(row.method, row.path);
      check_problem(response, 405);
      BOOST_TEST(response.get("Allow") == row.allow);
    }
  }
  check_problem(admin.get("/%zz"), 400);
  check_problem(admin.request("POST", "/v1/purge", {"Content-Length: 99999999999"}), 413);
  // It serves on.
  BOOST_TEST(admin.get("/healthz").status == 200);
}

BOOST_AUTO_TEST_CASE(pages_of_other_sites_are_refused) {
  Origin origin;
  Seawall seawall(config(origin));
  Admin admin(seawall);
  const std::string here = "127.0.0.1:" + std::to_string(admin.port());
  struct Row {
    Lines lines;
    int status;
  };
  const Row rows[] = {
      {{"Host: localhost:" + std::to_string(admin.port())}, 200},
      {{"Host: [::1]"}, 200},
      {{"Host: evil.test"}, 403},
      {{"Host: 127.0.0.1.evil.test"}, 403},
      {{"Origin: http://evil.test"}, 403},
      {{"Origin: null"}, 403},
      {{"Origin: http://" + here}, 200},
      {{"Sec-Fetch-Site: cross-site"}, 403},
      {{"Sec-Fetch-Site: same-site"}, 403},
      {{"Sec-Fetch-Site: same-origin"}, 200},
      {{"Sec-Fetch-Site: none"}, 200},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.lines.front()) {
      const Response response = admin.get("/v1/origins", row.lines);
      BOOST_TEST(response.status == row.status, response);
      if (row.status == 403) check_problem(response, 403);
    }
  }
  check_problem(admin.request("POST", "/v1/purge", {"Origin: http://evil.test"}, "{\"tags\":[\"a\"]}"), 403);
}

Response ask_unix(const std::string& path, const std::string& target) {
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::memcpy(static_cast<char*>(name.sun_path), path.data(), path.size());
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0)
    throw Failure("connect: " + path);
  Socket socket(std::move(fd));
  socket.send(request_bytes("GET", target));
  ResponseReader reader("GET");
  for (std::string buffer; !reader.done();) {
    if (socket.receive(buffer) != Socket::Read::kBytes) break;
    reader.consume(buffer);
  }
  return reader.response;
}

BOOST_AUTO_TEST_CASE(a_unix_socket_is_for_its_user_alone_and_goes_with_the_server) {
  TemporaryDirectory directory;
  const std::string path = directory.path() + "/run/admin.sock";
  Origin origin;
  {
    Seawall seawall("[admin]\nlisten = \"off\"\nsocket = \"" + path + "\"\n" + origin_section(origin.port()));
    BOOST_TEST(seawall.process().says("admin on unix:" + path));
    // By any name: no page can reach it.
    BOOST_TEST(ask_unix(path, "/healthz").body == "ok\n");
    BOOST_TEST(parsed(ask_unix(path, "/v1/origins")).contains("_embedded"));
    struct stat status{};
    BOOST_TEST(::stat(path.c_str(), &status) == 0);
    BOOST_TEST((status.st_mode & 0777) == 0600);
    // A second server does not take it over.
    TemporaryDirectory other;
    Process second(
        {seawall_binary(), "serve", "-c",
         other.write("seawall.toml", "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"off\"\nsocket = \"" +
                                         path + "\"\n" + origin_section(origin.port()))});
    BOOST_TEST(second.wait() == 1);
    BOOST_TEST(contains(second.output(), "admin.socket"), second.output());
    BOOST_TEST(contains(second.output(), "in use"), second.output());
    BOOST_TEST(ask_unix(path, "/healthz").body == "ok\n");
  }
  BOOST_TEST(!std::filesystem::exists(path));
}

BOOST_AUTO_TEST_CASE(an_address_that_was_asked_for_must_be_free) {
  std::uint16_t port = 0;
  const Fd taken = listen_on_loopback(port);
  TemporaryDirectory directory;
  const std::string admin = "[admin]\nsocket = \"off\"\nlisten = \"127.0.0.1:" + std::to_string(port) + "\"\n";
  Process process({seawall_binary(), "serve", "-c",
                   directory.write("seawall.toml",
                                   "[server]\nlisten = \"127.0.0.1:0\"\n" + admin + origin_section(unused_port()))});
  BOOST_TEST(process.wait() == 1);
  BOOST_TEST(contains(process.output(), "admin.listen"), process.output());
  BOOST_TEST(contains(process.output(), std::to_string(port)), process.output());
}

// The default's own port: if another program has it, so much the better.
Fd take_default_port() {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(9180);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) ::listen(fd.get(), 1);
  return fd;
}

BOOST_AUTO_TEST_CASE(the_default_address_may_be_taken) {
  const Fd taken = take_default_port();
  Origin origin;
  origin.on("/a", Reply{.body = "a"});
  Seawall seawall("[admin]\nsocket = \"off\"\n" + origin_section(origin.port()));
  BOOST_TEST(seawall.process().says("going on without"));
  BOOST_TEST(contains(seawall.process().output(), "warning: admin.listen: "));
  BOOST_TEST(get(seawall, "/a").body == "a");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::behave
