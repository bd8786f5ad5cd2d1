// The servers of an origin: which of them gets a request, and how the bad ones are left out and come back.
#include <algorithm>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <map>
#include <set>

#include "support/behave/admin.h"

namespace seawall::behave {
namespace {

BOOST_AUTO_TEST_SUITE(behave_balance)

constexpr std::string_view kInMain = "/v1/origins/main";

std::string url(std::uint16_t port) {
  return "http://127.0.0.1:" + std::to_string(port);
}

std::string url(const Origin& origin, const std::string& parameters = {}) {
  return url(origin.port()) + (parameters.empty() ? "" : " " + parameters);
}

std::string config(const std::vector<std::string>& servers, const std::string& lines = {}) {
  std::string list;
  for (const std::string& server : servers) list += (list.empty() ? "\"" : ", \"") + server + "\"";
  return std::string(kAdminSection) + "[[origin]]\nname = \"main\"\nservers = [" + list + "]\n" + lines +
         "\n[[route]]\nstorm = { enabled = false }\n";
}

std::string nth(std::size_t n) {
  return "/" + std::to_string(n);
}

std::string of_server(std::size_t n, const std::string& member) {
  return "/servers/" + std::to_string(n) + "/" + member;
}

Reply named(const std::string& name) {
  return {.headers = {"Cache-Control: no-store"}, .body = name};
}

// An origin that says who it is.
struct Named : Origin {
  explicit Named(const std::string& name) { otherwise(reply(named(name))); }
};

// Who answered how many of that many requests, one after the other.
std::map<std::string, std::size_t> answers(const Seawall& seawall, std::size_t count, std::size_t from = 0) {
  Client client(seawall);
  std::map<std::string, std::size_t> counts;
  for (std::size_t i = 0; i < count; ++i) {
    const Response response = client.get(nth(from + i));
    ++counts[response.status == 200 ? response.body : std::to_string(response.status)];
  }
  return counts;
}

BOOST_AUTO_TEST_CASE(servers_take_turns_by_weight) {
  Named a("a");
  Named b("b");
  Named c("c");
  Seawall seawall(config({url(a, "weight=3"), url(b), url(c, "weight=2")}));
  auto counts = answers(seawall, 60);
  BOOST_TEST(counts["a"] == 30U);
  BOOST_TEST(counts["b"] == 10U);
  BOOST_TEST(counts["c"] == 20U);
}

BOOST_AUTO_TEST_CASE(busy_servers_are_spared) {
  for (const char* balance : {"least-conn", "random-two"}) {
    BOOST_TEST_CONTEXT(balance) {
      Gate gate;
      Named a("a");
      Named b("b");
      Named c("c");
      for (Origin* server : {&a, &b, &c}) {
        server->on("/held", [&](Exchange& x) {
          x.hold(gate);
          x.respond(named("held"));
        });
      }
      Seawall seawall(config({url(a), url(b), url(c)}, std::string("balance = \"") + balance + "\""));
      Client client(seawall);
      client.send_request("GET", "/held");
      const auto held = [&](const Origin& server) { return server.count("/held"); };
      BOOST_TEST(until([&] { return held(a) + held(b) + held(c) == 1; }));
      const std::string busy = held(a) == 1 ? "a" : held(b) == 1 ? "b" : "c";
      auto counts = answers(seawall, 60);
      BOOST_TEST(counts[busy] == 0U);
      // Neither of the others is left out.
      BOOST_TEST(counts.size() == 3U);
      BOOST_TEST(counts["a"] + counts["b"] + counts["c"] == 60U);
      gate.open();
      BOOST_TEST(client.read().body == "held");
    }
  }
}

BOOST_AUTO_TEST_CASE(a_hash_leads_a_url_to_the_same_server) {
  static constexpr std::size_t kUrls = 45;
  Named a("a");
  Named b("b");
  Named c("c");
  Seawall seawall(config({url(a), url(b), url(c)}, "balance = \"hash\"\nretry = { budget_min = 1000 }"));
  Client client(seawall);
  std::vector<std::string> before;
  for (std::size_t i = 0; i < kUrls; ++i) before.push_back(client.get(nth(i)).body);
  BOOST_TEST(std::set(before.begin(), before.end()).size() == 3U);
  for (std::size_t i = 0; i < kUrls; ++i) BOOST_TEST(client.get(nth(i)).body == before[i]);
  c.stop();
  for (std::size_t i = 0; i < kUrls; ++i) {
    const std::string now = client.get(nth(i)).body;
    if (before[i] == "c") {
      BOOST_TEST((now == "a" || now == "b"), now);
    } else {
      BOOST_TEST(now == before[i]);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_backup_is_used_when_nothing_else_is_left) {
  Named a("a");
  Named b("b");
  Named spare("spare");
  Seawall seawall(config({url(spare, "backup"), url(a), url(b)},
                         "retry = { tries = 3, budget_min = 1000 }\nmax_ejected = \"100%\""));
  BOOST_TEST(answers(seawall, 20)["spare"] == 0U);
  a.stop();
  auto counts = answers(seawall, 20);
  BOOST_TEST(counts["b"] == 20U);
  b.stop();
  counts = answers(seawall, 20);
  BOOST_TEST(counts["spare"] == 20U);
}

BOOST_AUTO_TEST_CASE(a_draining_server_gets_nothing_new) {
  Named a("a");
  Named b("b");
  Seawall seawall(config({url(a), url(b, "drain")}));
  Admin admin(seawall);
  BOOST_TEST(answers(seawall, 10)["a"] == 10U);
  BOOST_TEST(b.connections() == 0U);
  BOOST_TEST(admin.value(kInMain, of_server(1, "drain")) == "true");
  BOOST_TEST(admin.value(kInMain, of_server(1, "usable")) == "false");
}

BOOST_AUTO_TEST_CASE(a_server_that_refuses_is_left_out_and_comes_back) {
  Named good("good");
  const std::uint16_t port = unused_port();
  Seawall seawall(config({url(port), url(good)},
                         "retry = { budget_min = 1000 }\nslow_start = \"0s\"\n"
                         "breaker = { open = \"200ms\", open_max = \"200ms\", close_after = 1 }"));
  Admin admin(seawall);
  BOOST_TEST(answers(seawall, 20)["good"] == 20U);
  BOOST_TEST(admin.value(kInMain, of_server(0, "usable")) == "false");
  BOOST_TEST(admin.value(kInMain, of_server(1, "usable")) == "true");
  BOOST_TEST(admin.value(kInMain, "/breaker/state") == "closed");
  BOOST_TEST(seawall.process().says("origin main (127.0.0.1:" + std::to_string(port) + "): breaker open"));
  const double asked = admin.number(kInMain, of_server(0, "requests"));
  BOOST_TEST(asked >= 5);
  BOOST_TEST(asked < 10);
  Process server({seawall_binary(), "demo-origin", "--listen", "127.0.0.1:" + std::to_string(port)});
  std::size_t n = 100;
  BOOST_TEST(until([&] {
    // Whoever answers: no client ever sees a failure.
    const int status = get(seawall, nth(n++)).status;
    BOOST_TEST((status == 200 || status == 404));
    return admin.value(kInMain, of_server(0, "breaker")) == "closed";
  }));
  BOOST_TEST(seawall.process().says("origin main (127.0.0.1:" + std::to_string(port) + "): breaker closed"));
  // The other server knows every path, this one none of these.
  auto counts = answers(seawall, 20, 10'000);
  BOOST_TEST(counts["good"] == 10U);
  BOOST_TEST(counts["404"] == 10U);
}

BOOST_AUTO_TEST_CASE(no_more_servers_are_left_out_than_allowed) {
  for (const bool all : {false, true}) {
    BOOST_TEST_CONTEXT((all ? "100%" : "50%")) {
      Named good("good");
      // One try each, and an origin whose own breaker has no say.
      Seawall seawall(config({url(unused_port()), url(unused_port()), url(unused_port()), url(good)},
                             std::string("retry = { tries = 1 }\nbreaker = { min_requests = 1000, open = \"30s\" }\n") +
                                 "max_ejected = \"" + (all ? "100%" : "50%") + "\""));
      answers(seawall, 40);
      auto counts = answers(seawall, 20);
      BOOST_TEST(counts["good"] == (all ? 20U : 10U));
    }
  }
}

enum class Mode { kWell, kStatus, kBody, kSilent };

Handler up(const std::atomic<Mode>& mode) {
  return [&mode](Exchange& x) {
    switch (mode) {
      case Mode::kWell: x.respond({.body = "all is ready here"}); break;
      case Mode::kStatus: x.respond({.status = 500, .body = "ready"}); break;
      case Mode::kBody: x.respond({.body = "not yet"}); break;
      case Mode::kSilent: x.be_silent(); break;
    }
  };
}

BOOST_AUTO_TEST_CASE(health_checks_take_a_server_out_and_put_it_back) {
  std::atomic<Mode> mode = Mode::kWell;
  const std::atomic<Mode> always = Mode::kWell;
  Named a("a");
  Named b("b");
  a.on("/up", up(mode));
  b.on("/up", up(always));
  Seawall seawall(config({url(a), url(b)},
                         "slow_start = \"0s\"\nhealth = { path = \"/up\", host = \"up.test\", body = \"ready\", "
                         "interval = \"100ms\", timeout = \"100ms\", rise = 2, fall = 2 }"));
  Admin admin(seawall);
  struct Row {
    Mode mode;
    const char* says;
  };
  for (const Row& row : {Row{Mode::kStatus, "sick: status 500"}, Row{Mode::kBody, "sick: body does not match"},
                         Row{Mode::kSilent, "sick: timeout"}}) {
    BOOST_TEST_CONTEXT(row.says) {
      mode = row.mode;
      BOOST_TEST(until([&] { return admin.value(kInMain, of_server(0, "healthy")) == "false"; }));
      BOOST_TEST(seawall.process().says("origin main (" + a.authority() + "): health check: " + row.says));
      BOOST_TEST(answers(seawall, 10)["b"] == 10U);
      BOOST_TEST(admin.metric("seawall_server_up{origin=\"main\",server=\"" + a.authority() + "\"}") == 0);
      mode = Mode::kWell;
      BOOST_TEST(until([&] { return admin.value(kInMain, of_server(0, "healthy")) == "true"; }));
      BOOST_TEST(answers(seawall, 10)["a"] == 5U);
    }
  }
  BOOST_TEST(seawall.process().says("health check: healthy again"));
  BOOST_TEST(admin.metric("seawall_server_up{origin=\"main\",server=\"" + a.authority() + "\"}") == 1);
  BOOST_TEST(a.seen("/up").headers.get("Host") == "up.test");
  BOOST_TEST(admin.number(kInMain, of_server(0, "checks")) >= 12);
  BOOST_TEST(contains(admin.value(kInMain, of_server(0, "history")), "--"));
  BOOST_TEST(contains(admin.value(kInMain, of_server(0, "history")), "HH"));
  BOOST_TEST(admin.value(kInMain, of_server(1, "healthy")) == "true");
}

BOOST_AUTO_TEST_CASE(with_all_sick_clients_get_what_is_stored_and_a_trickle_tries_on) {
  Named a("a");
  Named b("b");
  for (Origin* server : {&a, &b}) {
    server->on("/up", Reply{.status = 500});
    server->on("/stored", Reply{.headers = {"Cache-Control: max-age=10", "Age: 1000"}, .body = "stored"});
  }
  Seawall seawall(config({url(a), url(b)}, "health = { path = \"/up\", interval = \"20ms\", fall = 2 }"));
  Admin admin(seawall);
  BOOST_TEST(get(seawall, "/stored").body == "stored");
  const auto is_sick = [&](std::size_t n) { return admin.value(kInMain, of_server(n, "healthy")) == "false"; };
  BOOST_TEST(until([&] { return is_sick(0) && is_sick(1); }));
  const Response stale = get(seawall, "/stored");
  BOOST_TEST(stale.body == "stored", stale);
  BOOST_TEST(contains(stale.cache_status(), "stale-breaker"), stale);
  BOOST_TEST(stale.age() >= 1000);
  std::size_t refused = 0;
  std::size_t n = 0;
  const auto got_through = [&] {
    const Response response = get(seawall, nth(n++));
    if (response.status == 200) return true;
    ++refused;
    BOOST_TEST(response.status == 503, response);
    BOOST_TEST(response.cache_parameter("detail").value_or("") == "no-server", response);
    BOOST_TEST(response.has("Retry-After"), response);
    return false;
  };
  // One in a second goes through: of two in a row the second cannot.
  BOOST_TEST(until(got_through));
  BOOST_TEST(!got_through());
  BOOST_TEST(until(got_through));
  BOOST_TEST(refused > 10U);
  for (Origin* server : {&a, &b}) server->on("/up", Reply{.body = "ok"});
  BOOST_TEST(until([&] { return !is_sick(0) && !is_sick(1); }));
  BOOST_TEST(answers(seawall, 10, 10'000).count("503") == 0U);
}

BOOST_AUTO_TEST_CASE(reads_and_writes_go_to_their_own_origins) {
  Named primary("primary");
  Named replica("replica");
  Seawall seawall(std::string(kAdminSection) + "[[origin]]\nname = \"primary\"\nservers = [\"" + url(primary) +
                  "\"]\n[[origin]]\nname = \"replica\"\nservers = [\"" + url(replica) +
                  "\"]\n[[route]]\nread_from = \"replica\"\nwrite_to = \"primary\"\n");
  for (const char* method : {"GET", "HEAD"}) fetch(seawall, method, "/a");
  BOOST_TEST(replica.total() == 2U);
  BOOST_TEST(primary.total() == 0U);
  for (const char* method : {"POST", "PUT", "PATCH", "DELETE"})
    BOOST_TEST(fetch(seawall, method, "/a", {}, "x").body == "primary");
  BOOST_TEST(replica.total() == 2U);
  BOOST_TEST(primary.total() == 4U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::behave
