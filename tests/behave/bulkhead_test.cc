// The bulkhead before an origin: how many requests it lets through at once, what becomes of the others, and that what
// happens at one origin, route or kind of traffic leaves the others alone.
#include <algorithm>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <thread>

#include "support/behave/admin.h"

namespace seawall::behave {
namespace {

BOOST_AUTO_TEST_SUITE(behave_bulkhead)

constexpr std::string_view kInMain = "/v1/origins/main";

std::string origin_section(const Origin& origin, const std::string& lines, const std::string& name = "main") {
  return "[[origin]]\nname = \"" + name + "\"\nservers = [\"http://" + origin.authority() + "\"]\n" + lines + "\n";
}

std::string config(const Origin& origin, const std::string& lines, const std::string& routes = {}) {
  return std::string(kAdminSection) + origin_section(origin, lines) + routes;
}

std::string nth(std::size_t n, const std::string& folder = "/") {
  return folder + std::to_string(n);
}

Reply plain(std::string body) {
  return {.headers = {"Cache-Control: no-store"}, .body = std::move(body)};
}

Handler held(const Gate& gate) {
  return [&gate](Exchange& x) {
    x.hold(gate);
    x.respond(plain("held"));
  };
}

std::vector<Client> ask(const Seawall& seawall, std::size_t count, const std::string& folder = "/",
                        const Lines& lines = {}) {
  std::vector<Client> clients;
  for (std::size_t i = 0; i < count; ++i) clients.emplace_back(seawall).send_request("GET", nth(i, folder), lines);
  return clients;
}

Millis since(SteadyClock::time_point begin) {
  return std::chrono::duration_cast<Millis>(SteadyClock::now() - begin);
}

void check_refused(const Response& response, const char* why) {
  BOOST_TEST(response.status == 503, response);
  BOOST_TEST(response.cache_parameter("detail").value_or("") == why, response);
  BOOST_TEST(response.get("Retry-After") == "1", response);
}

BOOST_AUTO_TEST_CASE(no_more_than_the_limit_are_at_the_origin_at_once) {
  for (const unsigned workers : {1U, 2U}) {
    BOOST_TEST_CONTEXT(workers << " workers") {
      Origin origin;
      origin.otherwise([](Exchange& x) {
        std::this_thread::sleep_for(Millis{10});
        x.respond(plain("a"));
      });
      Seawall seawall(origin, {.workers = workers, .origin = "limit = { in_flight = 4, queue_wait = \"10s\" }"});
      for (Client& client : ask(seawall, 60)) BOOST_TEST(client.read().body == "a");
      BOOST_TEST(origin.total() == 60U);
      BOOST_TEST(origin.most_at_once() == 4U);
    }
  }
}

BOOST_AUTO_TEST_CASE(past_the_queue_clients_are_refused_or_get_what_is_stored) {
  Gate gate;
  Origin origin;
  origin.on("/stored", Reply{.headers = {"Cache-Control: max-age=10", "Age: 1000"}, .body = "stored"});
  origin.otherwise(held(gate));
  Seawall seawall(config(origin, "limit = { in_flight = 2, queue = 3, queue_wait = \"20s\" }"));
  Admin admin(seawall);
  BOOST_TEST(get(seawall, "/stored").body == "stored");
  std::vector<Client> clients = ask(seawall, 5);
  BOOST_TEST(until([&] { return admin.number(kInMain, "/queue/length") == 3; }));
  BOOST_TEST(admin.number(kInMain, "/in_flight") == 2);
  BOOST_TEST(until([&] { return origin.total() == 3; }));
  BOOST_TEST(admin.number(kInMain, "/saturation") == 1);
  for (std::size_t i = 0; i < 5; ++i) check_refused(get(seawall, nth(i, "/more")), "queue-full");
  const Response stale = get(seawall, "/stored");
  BOOST_TEST(stale.body == "stored", stale);
  BOOST_TEST(stale.cache_parameter("detail").value_or("") == "overloaded", stale);
  BOOST_TEST(admin.metric("seawall_origin_errors_total{origin=\"main\",error=\"queue-full\"}") == 6);
  gate.open();
  for (Client& client : clients) BOOST_TEST(client.read().body == "held");
  BOOST_TEST(origin.most_at_once() == 2U);
  BOOST_TEST(until([&] { return admin.number(kInMain, "/saturation") == 0; }));
}

BOOST_AUTO_TEST_CASE(a_wait_in_the_queue_has_an_end) {
  Gate gate;
  Origin origin;
  origin.on("/stored", Reply{.headers = {"Cache-Control: max-age=10", "Age: 1000"}, .body = "stored"});
  origin.otherwise(held(gate));
  Seawall seawall(config(origin, "limit = { in_flight = 1, queue_wait = \"100ms\" }"));
  Admin admin(seawall);
  BOOST_TEST(get(seawall, "/stored").body == "stored");
  std::vector<Client> first = ask(seawall, 1);
  BOOST_TEST(until([&] { return origin.total() == 2; }));
  Client late(seawall);
  Client stale(seawall);
  late.send_request("GET", "/late");
  stale.send_request("GET", "/stored");
  check_refused(late.read(), "queue-timeout");
  BOOST_TEST(stale.read().body == "stored");
  BOOST_TEST(admin.metric("seawall_origin_timeouts_total{origin=\"main\",timeout=\"queue\"}") == 2);
  BOOST_TEST(seawall.process().says("queue-timeout"));
  gate.open();
  BOOST_TEST(first.front().read().body == "held");
  BOOST_TEST(origin.count("/late") == 0U);
}

BOOST_AUTO_TEST_CASE(hits_do_not_queue) {
  Gate gate;
  Origin origin;
  origin.on("/stored", Reply{.headers = {"Cache-Control: max-age=60"}, .body = "stored"});
  origin.otherwise(held(gate));
  Seawall seawall(config(origin, "limit = { in_flight = 2, queue = 2, queue_wait = \"20s\" }"));
  Admin admin(seawall);
  Client client(seawall);
  BOOST_TEST(client.get("/stored").body == "stored");
  std::vector<Client> clients = ask(seawall, 4);
  BOOST_TEST(until([&] { return admin.number(kInMain, "/queue/length") == 2; }));
  const auto begin = SteadyClock::now();
  std::size_t hits = 0;
  for (int i = 0; i < 200; ++i) hits += client.get("/stored").is_hit() ? 1U : 0U;
  BOOST_TEST(hits == 200U);
  BOOST_TEST((since(begin) < Millis{2000}), since(begin).count() << " ms");
  gate.open();
  for (Client& one : clients) BOOST_TEST(one.read().body == "held");
}

// The slowest of fifty requests one after the other.
Millis slowest(const Seawall& seawall, const std::string& folder) {
  Client client(seawall);
  Millis most{0};
  for (std::size_t i = 0; i < 50; ++i) {
    const auto begin = SteadyClock::now();
    BOOST_TEST(client.get(nth(i, folder), {"Host: good.test"}).body == "good");
    most = std::max(most, since(begin));
  }
  return most;
}

BOOST_AUTO_TEST_CASE(a_silent_origin_leaves_another_alone) {
  static constexpr std::size_t kCapacity = 16;
  Gate dead;
  Gate together;
  std::atomic<std::size_t> arrived = 0;
  Origin bad;
  bad.otherwise(held(dead));
  Origin good;
  good.otherwise([&](Exchange& x) {
    // These are all at the origin before any is answered.
    if (x.request().target.starts_with("/together")) {
      if (++arrived == kCapacity) together.open();
      x.hold(together);
    }
    x.respond(plain("good"));
  });
  const std::string limit =
      "limit = { in_flight = " + std::to_string(kCapacity) + ", queue = 16, queue_wait = \"20s\" }\n";
  Seawall seawall(std::string(kAdminSection) + origin_section(bad, limit, "bad") + origin_section(good, limit, "good") +
                  "[[route]]\nhost = \"good.test\"\norigin = \"good\"\n[[route]]\norigin = \"bad\"\n");
  Admin admin(seawall);
  const Millis before = slowest(seawall, "/before/");
  std::vector<Client> stuck = ask(seawall, 64);
  BOOST_TEST(until([&] { return admin.number("/v1/origins/bad", "/saturation") == 1; }));
  const Millis during = slowest(seawall, "/during/");
  BOOST_TEST((during < std::max(Millis{300}, 5 * before)), during.count() << " ms, before " << before.count() << " ms");
  std::vector<Client> crowd = ask(seawall, kCapacity, "/together/", {"Host: good.test"});
  for (Client& client : crowd) BOOST_TEST(client.read().body == "good");
  BOOST_TEST(good.most_at_once() == kCapacity);
  BOOST_TEST(until([&] { return bad.most_at_once() >= kCapacity; }));  // those that are in flight may be on their way
  BOOST_TEST(bad.most_at_once() == kCapacity);
  BOOST_TEST(admin.number("/v1/origins/good", "/queue/length") == 0);
  dead.open();
  for (Client& client : stuck) BOOST_TEST(client.read().status != 0);
}

BOOST_AUTO_TEST_CASE(a_route_has_its_share_and_no_more) {
  Gate gate;
  Origin origin;
  origin.on("/fast", plain("fast"));
  origin.otherwise(held(gate));
  Seawall seawall(config(origin, "limit = { in_flight = 4, route_share = \"50%\", queue_wait = \"20s\" }",
                         "[[route]]\npath = \"/slow/*\"\n[[route]]\n"));
  Admin admin(seawall);
  std::vector<Client> slow = ask(seawall, 6, "/slow/");
  BOOST_TEST(until([&] { return admin.number(kInMain, "/queue/length") == 4; }));
  BOOST_TEST(admin.number(kInMain, "/in_flight") == 2);
  for (int i = 0; i < 20; ++i) BOOST_TEST(get(seawall, "/fast").body == "fast");
  BOOST_TEST(until([&] { return origin.total() == 22U; }));
  gate.open();
  for (Client& client : slow) BOOST_TEST(client.read().body == "held");
}

BOOST_AUTO_TEST_CASE(what_nobody_waits_for_has_its_share_and_no_more) {
  Gate gate;
  Origin origin;
  origin.on("/now", plain("now"));
  origin.otherwise([&](Exchange& x) {
    x.hold(gate);
    x.respond({.headers = {"Cache-Control: max-age=60"}, .body = "filled"});
  });
  Seawall seawall(config(origin,
                         "limit = { in_flight = 8, route_share = \"100%\", background_share = \"25%\", queue_wait = "
                         "\"20s\" }\nfill = { cold_start = \"0s\" }",
                         "[[route]]\npath = \"/later/*\"\nmiss = \"async\"\n[[route]]\n"));
  Admin admin(seawall);
  for (Client& client : ask(seawall, 10, "/later/")) BOOST_TEST(client.read().status == 503);
  BOOST_TEST(until([&] { return origin.total() == 2; }));
  BOOST_TEST(admin.number(kInMain, "/background") == 2);
  BOOST_TEST(admin.number(kInMain, "/in_flight") == 2);
  BOOST_TEST(admin.number(kInMain, "/fills/wanted") == 10);
  for (int i = 0; i < 10; ++i) BOOST_TEST(get(seawall, "/now").body == "now");
  BOOST_TEST(origin.total() == 12U);
  gate.open();
  for (std::size_t i = 0; i < 10; ++i) BOOST_TEST(until([&] { return get(seawall, nth(i, "/later/")).is_hit(); }));
}

BOOST_AUTO_TEST_CASE(an_adaptive_limit_falls_when_the_origin_slows_down) {
  std::atomic<bool> slow = false;
  Origin origin;
  origin.otherwise([&](Exchange& x) {
    if (slow) std::this_thread::sleep_for(Millis{30});
    x.respond(plain("a"));
  });
  Seawall seawall(config(origin,
                         "limit = { in_flight = 64, adaptive = true, adaptive_min = 4, queue_wait = \"20s\" }\nbreaker "
                         "= { enabled = false }"));
  Admin admin(seawall);
  Client client(seawall);
  for (std::size_t i = 0; i < 60; ++i) client.get(nth(i));
  const double at_first = admin.number(kInMain, "/limit");
  BOOST_TEST(at_first >= 16);
  BOOST_TEST(at_first <= 64);
  slow = true;
  std::vector<Client> clients;
  for (std::size_t i = 0; i < 40; ++i) clients.emplace_back(seawall);
  std::size_t round = 0;
  BOOST_TEST(until([&] {
    ++round;
    for (std::size_t i = 0; i < clients.size(); ++i) clients[i].send_request("GET", nth(round * 100 + i, "/slow/"));
    for (Client& one : clients) BOOST_TEST(one.read().body == "a");
    return admin.number(kInMain, "/limit") < 0.75 * at_first;
  }));
  BOOST_TEST(admin.number(kInMain, "/limit") >= 4);
  BOOST_TEST(admin.metric("seawall_origin_in_flight_limit{origin=\"main\"}") < at_first);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::behave
