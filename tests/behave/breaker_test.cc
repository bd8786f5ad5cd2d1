// The circuit breaker before an origin: what opens it, what its clients get meanwhile, and how it closes again.
#include <signal.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <thread>

#include "support/behave/admin.h"

namespace seawall::behave {
namespace {

BOOST_AUTO_TEST_SUITE(behave_breaker)

constexpr std::string_view kOpened = "seawall_origin_breaker_opened_total{origin=\"main\"}";

// Storm mode would answer in the breaker's place.
std::string config(std::uint16_t port, const std::string& breaker, const std::string& more = {}) {
  return std::string(kAdminSection) +
         "[[origin]]\nname = \"main\"\nservers = [\"http://127.0.0.1:" + std::to_string(port) + "\"]\nbreaker = { " +
         breaker + " }\n" + more + "\n[[route]]\nname = \"all\"\nstorm = { enabled = false }\n";
}

std::string nth(std::size_t n) {
  return "/" + std::to_string(n);
}

std::string state_of(const Admin& admin) {
  return admin.value("/v1/origins/main", "/breaker/state");
}

Millis since(SteadyClock::time_point begin) {
  return std::chrono::duration_cast<Millis>(SteadyClock::now() - begin);
}

// Answers 200 while it is well and 503 while it is not, nothing of it cacheable.
Handler as(const std::atomic<bool>& well) {
  return [&well](Exchange& x) {
    x.respond({.status = well ? 200 : 503, .headers = {"Cache-Control: no-store"}, .body = well ? "well" : "ill"});
  };
}

void check_refused(const Response& response) {
  BOOST_TEST(response.status == 503, response);
  BOOST_TEST(response.cache_parameter("detail").value_or("") == "breaker-open", response);
  BOOST_TEST(contains(response.body, "breaker-open"), response);
  BOOST_TEST(std::atoi(response.get("Retry-After").c_str()) >= 1, response);
}

BOOST_AUTO_TEST_CASE(failures_of_many_urls_open_it) {
  Origin origin;
  origin.otherwise(reply({.status = 503, .body = "ill"}));
  Seawall seawall(config(origin.port(), "min_requests = 10, open = \"30s\", open_max = \"30s\""));
  Admin admin(seawall);
  Client client(seawall);
  for (std::size_t i = 0; i < 10; ++i) BOOST_TEST(client.get(nth(i)).body == "ill");
  for (std::size_t i = 10; i < 20; ++i) check_refused(client.get(nth(i)));
  BOOST_TEST(std::atoi(client.get("/a").get("Retry-After").c_str()) >= 20);
  BOOST_TEST(origin.total() == 10U);
  BOOST_TEST(seawall.process().says("origin main: breaker open: not asked for "));
  BOOST_TEST(state_of(admin) == "open");
  BOOST_TEST(admin.metric("seawall_origin_breaker_state{origin=\"main\",state=\"open\"}") == 1);
  BOOST_TEST(admin.metric("seawall_origin_breaker_state{origin=\"main\",state=\"closed\"}") == 0);
  BOOST_TEST(admin.metric(kOpened) == 1);
  BOOST_TEST(admin.metric("seawall_origin_errors_total{origin=\"main\",error=\"breaker-open\"}") == 11);
}

BOOST_AUTO_TEST_CASE(five_refused_connections_open_it) {
  Seawall seawall(config(unused_port(), "open = \"30s\""));
  Admin admin(seawall);
  Client client(seawall);
  for (int i = 0; i < 5; ++i) {
    const Response refused = client.get("/a");
    BOOST_TEST(refused.status == 502, refused);
    BOOST_TEST(contains(refused.get("Proxy-Status"), "connection_refused"), refused);
  }
  check_refused(client.get("/a"));
  check_refused(client.request("POST", "/a", {}, "body"));
  BOOST_TEST(admin.metric(kOpened) == 1);
  BOOST_TEST(seawall.process().says("connect-refused"));
  BOOST_TEST(seawall.process().says("breaker open"));
}

BOOST_AUTO_TEST_CASE(while_it_is_open_clients_do_not_wait_and_get_what_is_stored) {
  Gate gate;
  Origin origin;
  origin.on("/stored", Reply{.headers = {"Cache-Control: max-age=10", "Age: 1000"}, .body = "stored"});
  origin.otherwise([&](Exchange& x) { x.hold(gate); });
  Seawall seawall(config(origin.port(), "min_requests = 6, open = \"30s\"", "timeout = { first_byte = \"300ms\" }"));
  Admin admin(seawall);
  BOOST_TEST(get(seawall, "/stored").body == "stored");
  std::vector<Client> waiting;
  for (std::size_t i = 0; i < 6; ++i) waiting.emplace_back(seawall).send_request("GET", nth(i));
  for (Client& client : waiting) BOOST_TEST(client.read().status == 504);
  BOOST_TEST(until([&] { return state_of(admin) == "open"; }));
  const auto begin = SteadyClock::now();
  for (std::size_t i = 6; i < 26; ++i) check_refused(get(seawall, nth(i)));
  // Twenty of them would have waited six seconds.
  BOOST_TEST((since(begin) < Millis{3000}), since(begin).count() << " ms");
  const Response stale = get(seawall, "/stored");
  BOOST_TEST(stale.body == "stored", stale);
  BOOST_TEST(stale.is_hit(), stale);
  BOOST_TEST(contains(stale.cache_status(), "stale-breaker"), stale);
  BOOST_TEST(stale.age() >= 1000);
  BOOST_TEST(origin.total() == 7U);
  gate.open();
}

BOOST_AUTO_TEST_CASE(it_lets_few_probes_through_and_closes_when_they_succeed) {
  std::atomic<bool> well = false;
  Gate gate;
  Origin origin;
  origin.otherwise([&](Exchange& x) {
    if (well) x.hold(gate);
    as(well)(x);
  });
  Seawall seawall(
      config(origin.port(), "min_requests = 6, open = \"100ms\", open_max = \"100ms\", probes = 2, close_after = 3"));
  Admin admin(seawall);
  Client client(seawall);
  for (std::size_t i = 0; i < 6; ++i) client.get(nth(i));
  check_refused(client.get("/b"));
  BOOST_TEST(origin.total() == 6U);
  well = true;
  // Refused ones are answered, probes are held.
  std::vector<Client> asked;
  BOOST_TEST(until([&] {
    asked.emplace_back(seawall).send_request("GET", "/asked" + std::to_string(asked.size()));
    return origin.total() == 8;
  }));
  BOOST_TEST(state_of(admin) == "half-open");
  for (std::size_t i = 100; i < 110; ++i) BOOST_TEST(get(seawall, nth(i)).status == 503);
  BOOST_TEST(origin.total() == 8U);
  gate.open();
  std::size_t probes = 0;
  for (Client& one : asked) probes += one.read().status == 200 ? 1U : 0U;
  BOOST_TEST(probes == 2U);
  BOOST_TEST(state_of(admin) == "half-open");
  BOOST_TEST(get(seawall, "/third").status == 200);
  BOOST_TEST(state_of(admin) == "closed");
  BOOST_TEST(seawall.process().says("origin main: breaker closed"));
  for (std::size_t i = 200; i < 210; ++i) BOOST_TEST(get(seawall, nth(i)).status == 200);
}

BOOST_AUTO_TEST_CASE(a_probe_that_fails_opens_it_again_for_longer) {
  std::atomic<bool> well = false;
  Origin origin;
  origin.otherwise(as(well));
  Seawall seawall(config(origin.port(), "min_requests = 6, open = \"50ms\", close_after = 1"));
  Admin admin(seawall);
  Client client(seawall);
  for (std::size_t i = 0; i < 6; ++i) client.get(nth(i));
  // 50, 100 and 200 ms, each with a fifth of jitter, and 50 ms for each that clients let others go first.
  const auto begin = SteadyClock::now();
  std::size_t n = 100;
  BOOST_TEST(until([&] {
    client.get(nth(n++));
    return origin.total() == 9;
  }));
  BOOST_TEST((since(begin) > Millis{280}), since(begin).count() << " ms");
  BOOST_TEST(admin.metric(kOpened) == 4);
  well = true;
  BOOST_TEST(until([&] { return client.get(nth(n++)).status == 200; }));
  BOOST_TEST(state_of(admin) == "closed");
}

BOOST_AUTO_TEST_CASE(answers_that_are_no_failures_never_open_it) {
  Origin origin;
  origin.otherwise(reply({.status = 404, .body = "none"}));
  Seawall seawall(config(origin.port(), "min_requests = 5"));
  Admin admin(seawall);
  Client client(seawall);
  for (std::size_t i = 0; i < 40; ++i) BOOST_TEST(client.get(nth(i)).status == 404);
  BOOST_TEST(admin.metric(kOpened) == 0);
  BOOST_TEST(admin.number("/v1/origins/main", "/breaker/calls") == 40);
  BOOST_TEST(admin.number("/v1/origins/main", "/breaker/failures") == 0);
}

BOOST_AUTO_TEST_CASE(clients_that_leave_never_open_it) {
  Origin origin;
  origin.on("/held", [](Exchange& x) { x.be_silent(); });
  origin.on("/a", Reply{.headers = {"Cache-Control: no-store"}, .body = "a"});
  Seawall seawall(config(origin.port(), "min_requests = 5"));
  Admin admin(seawall);
  for (std::size_t i = 0; i < 20; ++i) {
    Client client(seawall);
    client.send_request("POST", "/held?" + std::to_string(i));
    BOOST_TEST(until([&] { return origin.count("/held") == i + 1; }));
    client.reset();
  }
  BOOST_TEST(until([&] { return admin.number("/v1/origins/main", "/in_flight") == 0; }));
  BOOST_TEST(admin.metric(kOpened) == 0);
  BOOST_TEST(get(seawall, "/a").body == "a");
}

BOOST_AUTO_TEST_CASE(refusals_of_its_own_never_open_it) {
  Gate gate;
  Origin origin;
  origin.otherwise([&](Exchange& x) {
    x.hold(gate);
    x.respond({.headers = {"Cache-Control: no-store"}, .body = "a"});
  });
  Seawall seawall(
      config(origin.port(), "min_requests = 5", "limit = { in_flight = 1, queue = 1, queue_wait = \"10s\" }"));
  Admin admin(seawall);
  std::vector<Client> held;
  for (std::size_t i = 0; i < 2; ++i) held.emplace_back(seawall).send_request("GET", nth(i));
  BOOST_TEST(until([&] { return admin.number("/v1/origins/main", "/queue/length") == 1; }));
  Client client(seawall);
  for (std::size_t i = 100; i < 130; ++i) BOOST_TEST(contains(client.get(nth(i)).body, "queue-full"));
  BOOST_TEST(admin.metric(kOpened) == 0);
  gate.open();
  for (Client& one : held) BOOST_TEST(one.read().body == "a");
  BOOST_TEST(client.get("/a").body == "a");
}

BOOST_AUTO_TEST_CASE(one_poisonous_url_does_not_open_it) {
  Origin origin;
  origin.on("/poison", Reply{.status = 503, .headers = {"Cache-Control: no-store"}, .body = "ill"});
  origin.otherwise(reply({.headers = {"Cache-Control: no-store"}, .body = "well"}));
  Seawall seawall(config(origin.port(), "min_requests = 10"));
  Admin admin(seawall);
  Client client(seawall);
  for (std::size_t i = 0; i < 100; ++i) BOOST_TEST(client.get("/poison").body == "ill");
  for (std::size_t i = 0; i < 10; ++i) BOOST_TEST(client.get(nth(i)).body == "well");
  BOOST_TEST(origin.count("/poison") == 100U);
  BOOST_TEST(admin.metric(kOpened) == 0);
}

BOOST_AUTO_TEST_CASE(slow_answers_open_it_where_the_operator_says_so) {
  for (const bool counts : {true, false}) {
    BOOST_TEST_CONTEXT((counts ? "with breaker.slow" : "without")) {
      Origin origin;
      origin.otherwise([](Exchange& x) {
        std::this_thread::sleep_for(Millis{80});
        x.respond({.headers = {"Cache-Control: no-store"}, .body = "late"});
      });
      Seawall seawall(
          config(origin.port(), std::string("min_requests = 6, open = \"30s\"") + (counts ? ", slow = \"20ms\"" : "")));
      std::vector<Client> clients;
      for (std::size_t i = 0; i < 6; ++i) clients.emplace_back(seawall).send_request("GET", nth(i));
      for (Client& client : clients) BOOST_TEST(client.read().body == "late");
      const Response next = get(seawall, "/next");
      if (counts) {
        check_refused(next);
      } else {
        BOOST_TEST(next.body == "late", next);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(its_state_survives_a_reload) {
  Origin origin;
  origin.otherwise(reply({.status = 503, .body = "ill"}));
  const std::string breaker = "min_requests = 6, open = \"30s\"";
  Seawall seawall(config(origin.port(), breaker));
  Admin admin(seawall);
  Client client(seawall);
  for (std::size_t i = 0; i < 6; ++i) client.get(nth(i));
  check_refused(client.get("/a"));
  std::string changed = seawall.config();
  changed.replace(changed.find("min_requests = 6"), 16, "min_requests = 7");
  seawall.write_config(changed + "stale = { max = \"1d\" }\n");
  seawall.process().signal(SIGHUP);
  BOOST_TEST(seawall.process().says("reloaded"));
  check_refused(client.get("/b"));
  check_refused(get(seawall, "/c"));
  BOOST_TEST(origin.total() == 6U);
  BOOST_TEST(admin.metric(kOpened) == 1);
  BOOST_TEST(admin.metric("seawall_config_reloads_total") == 1);
}

BOOST_AUTO_TEST_CASE(health_checks_close_it_without_a_client) {
  std::atomic<bool> well = false;
  Origin origin;
  origin.on("/up", as(well));
  origin.otherwise(as(well));
  Seawall seawall(config(origin.port(), "min_requests = 6, open = \"100ms\", open_max = \"100ms\"",
                         "health = { path = \"/up\", interval = \"20ms\", fall = 1000 }"));
  Admin admin(seawall);
  Client client(seawall);
  for (std::size_t i = 0; i < 6; ++i) client.get(nth(i));
  BOOST_TEST(until([&] { return admin.metric(kOpened) >= 1; }));
  BOOST_TEST(state_of(admin) != "closed");
  const std::size_t asked = origin.total() - origin.count("/up");
  well = true;
  BOOST_TEST(until([&] { return state_of(admin) == "closed"; }));
  BOOST_TEST(seawall.process().says("breaker closed"));
  BOOST_TEST(origin.total() - origin.count("/up") == asked);
  BOOST_TEST(client.get("/next").body == "well");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::behave
