// Second tries, where they are safe and where they are not; hedges; and every time-out, counted and logged by its name.
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <boost/test/unit_test.hpp>

#include "support/behave/admin.h"
#include "support/behave/dns.h"

namespace seawall::behave {
namespace {

BOOST_AUTO_TEST_SUITE(behave_retry)

constexpr std::string_view kRetries = "seawall_origin_retries_total{origin=\"main\"}";

std::string url(std::uint16_t port) {
  return "http://127.0.0.1:" + std::to_string(port);
}

std::string config(const std::vector<std::string>& servers, const std::string& lines) {
  std::string list;
  for (const std::string& server : servers) list += (list.empty() ? "\"" : ", \"") + server + "\"";
  return std::string(kAdminSection) + "[[origin]]\nname = \"main\"\nservers = [" + list + "]\n" + lines +
         "\n[[route]]\nstorm = { enabled = false }\n";
}

std::string nth(std::size_t n) {
  return "/" + std::to_string(n);
}

Reply named(const std::string& name) {
  return {.headers = {"Cache-Control: no-store"}, .body = name};
}

// With its body, so that it is gone from the socket and a reset is seen as what it is.
Handler reset() {
  return [](Exchange& x) {
    x.read_body();
    x.reset();
  };
}

BOOST_AUTO_TEST_CASE(what_one_server_fails_at_another_is_asked) {
  struct Row {
    const char* name;
    Handler handler;
  };
  const Row rows[] = {
      {"resets", reset()},
      {"closes", [](Exchange& x) { x.close(); }},
      {"is silent", [](Exchange& x) { x.be_silent(); }},
      {"502", reply({.status = 502})},
      {"503", reply({.status = 503})},
      {"504", reply({.status = 504})},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      Origin bad;
      bad.otherwise(row.handler);
      Origin good;
      good.otherwise(reply(named("good")));
      Seawall seawall(config({url(bad.port()), url(good.port())},
                             "retry = { budget_min = 10 }\ntimeout = { first_byte = \"100ms\" }"));
      Admin admin(seawall);
      for (std::size_t i = 0; i < 4; ++i) {
        const Response response = get(seawall, nth(i));
        BOOST_TEST(response.status == 200, response);
        BOOST_TEST(response.body == "good", response);
      }
      BOOST_TEST(bad.total() == 2U);
      BOOST_TEST(good.total() == 4U);
      BOOST_TEST(admin.metric(kRetries) == 2);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_server_that_refuses_is_no_failure_to_clients_whatever_they_send) {
  Origin good;
  good.otherwise([](Exchange& x) { x.respond(named(x.request().method + x.read_body())); });
  Seawall seawall(config({url(unused_port()), url(good.port())}, "retry = { budget_min = 10 }"));
  Admin admin(seawall);
  BOOST_TEST(get(seawall, "/1").body == "GET");
  BOOST_TEST(get(seawall, "/2").body == "GET");
  for (std::size_t i = 0; i < 4; ++i) BOOST_TEST(fetch(seawall, "POST", "/3", {}, "form").body == "POSTform");
  BOOST_TEST(good.total() == 6U);
  BOOST_TEST(admin.metric(kRetries) == 3);
}

BOOST_AUTO_TEST_CASE(what_may_have_been_done_is_not_sent_again) {
  for (const std::string body : {"", "form"}) {
    BOOST_TEST_CONTEXT("body \"" << body << "\"") {
      Origin bad;
      bad.otherwise(reset());
      Origin good;
      good.otherwise(reply(named("good")));
      Seawall seawall(config({url(bad.port()), url(good.port())}, "retry = { budget_min = 10 }"));
      std::size_t failed = 0;
      for (std::size_t i = 0; i < 4; ++i) failed += fetch(seawall, "POST", "/a", {}, body).status == 502 ? 1U : 0U;
      BOOST_TEST(failed == 2U);
      BOOST_TEST(bad.total() == 2U);
      BOOST_TEST(good.total() == 2U);
    }
  }
}

BOOST_AUTO_TEST_CASE(an_idempotency_key_makes_it_safe_where_the_operator_says_so) {
  for (const bool is_allowed : {true, false}) {
    BOOST_TEST_CONTEXT((is_allowed ? "allowed" : "not allowed")) {
      Origin bad;
      bad.otherwise(reset());
      Origin good;
      good.otherwise(reply(named("good")));
      Seawall seawall(config(
          {url(bad.port()), url(good.port())},
          std::string("retry = { budget_min = 10, idempotency_key = ") + (is_allowed ? "true" : "false") + " }"));
      std::size_t failed = 0;
      for (std::size_t i = 0; i < 4; ++i) {
        const Response response = fetch(seawall, "POST", "/a", {"Idempotency-Key: \"" + nth(i) + "\""});
        failed += response.status == 502 ? 1U : 0U;
      }
      BOOST_TEST(failed == (is_allowed ? 0U : 2U));
      BOOST_TEST(good.total() == (is_allowed ? 4U : 2U));
    }
  }
}

BOOST_AUTO_TEST_CASE(retries_have_a_budget) {
  Origin bad;
  bad.otherwise(reply({.status = 503, .body = "ill"}));
  Origin good;
  good.otherwise(reply(named("good")));
  Seawall seawall(config({url(bad.port()), url(good.port())}, "retry = { budget = \"0%\", budget_min = 3 }"));
  Admin admin(seawall);
  std::size_t failed = 0;
  for (std::size_t i = 0; i < 12; ++i) failed += get(seawall, nth(i)).body == "ill" ? 1U : 0U;
  BOOST_TEST(admin.metric(kRetries) == 3);
  BOOST_TEST(bad.total() + good.total() == 15U);
  BOOST_TEST(failed > 0U);
}

BOOST_AUTO_TEST_CASE(nothing_is_tried_again_once_the_breaker_is_open) {
  Gate gate;
  Origin a;
  Origin b;
  for (Origin* server : {&a, &b}) {
    server->otherwise(reply({.status = 503, .body = "ill"}));
    server->on("/held", [&](Exchange& x) {
      x.hold(gate);
      x.respond({.status = 503, .body = "held"});
    });
  }
  Seawall seawall(config({url(a.port()), url(b.port())},
                         "retry = { budget_min = 1000 }\nbreaker = { min_requests = 6, open = \"30s\" }"));
  Admin admin(seawall);
  Client client(seawall);
  client.send_request("GET", "/held");
  BOOST_TEST(until([&] { return a.total() + b.total() == 1; }));
  for (std::size_t i = 0; admin.value("/v1/origins/main", "/breaker/state") == "closed" && i < 100; ++i) {
    get(seawall, nth(i));
  }
  BOOST_TEST(admin.value("/v1/origins/main", "/breaker/state") == "open");
  const std::size_t asked = a.total() + b.total();
  BOOST_TEST(admin.metric(kRetries) > 0);
  gate.open();
  BOOST_TEST(client.read().body == "held");
  BOOST_TEST(a.total() + b.total() == asked);
}

BOOST_AUTO_TEST_CASE(a_hedge_overtakes_a_slow_server) {
  std::atomic<bool> was_dropped = false;
  Origin slow;
  slow.otherwise([&](Exchange& x) { was_dropped = x.wait_for_close(); });
  Origin quick;
  quick.otherwise(reply(named("quick")));
  Seawall seawall(config({url(slow.port()), url(quick.port())}, "retry = { hedge_after = \"400ms\" }"));
  Admin admin(seawall);
  // Their turns: the slow one and its hedge, then the quick one.
  for (std::size_t i = 0; i < 2; ++i) BOOST_TEST(get(seawall, nth(i)).body == "quick");
  BOOST_TEST(slow.total() == 1U);
  BOOST_TEST(quick.total() == 2U);
  BOOST_TEST(admin.metric("seawall_origin_hedges_total{origin=\"main\"}") == 1);
  BOOST_TEST(until([&] { return was_dropped.load(); }));
}

BOOST_AUTO_TEST_CASE(what_may_not_be_sent_twice_has_no_hedge) {
  Origin slow;
  slow.otherwise([](Exchange& x) { x.be_silent(); });
  Origin quick;
  quick.otherwise(reply(named("quick")));
  Seawall seawall(config({url(slow.port()), url(quick.port())}, "retry = { hedge_after = \"20ms\" }"));
  Client client(seawall);
  client.send_request("POST", "/post");
  BOOST_TEST(until([&] { return slow.count("/post") == 1; }));
  BOOST_TEST(client.is_quiet());
  BOOST_TEST(quick.total() == 0U);
  client.reset();
}

// A socket that listens and takes nothing more: its queue is full.
class Full {
 public:
  Full() : listener_(listen_on_loopback(port_)) {
    ::listen(listener_.get(), 0);
    for (int i = 0; i < 8; ++i) {
      Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_port = htons(port_);
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      static_cast<void>(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address));
      fillers_.push_back(std::move(fd));
    }
  }
  std::uint16_t port() const { return port_; }

 private:
  std::uint16_t port_ = 0;  // before listener_, whose making sets it
  Fd listener_;
  std::vector<Fd> fillers_;
};

std::string timeouts_of(const std::string& name) {
  return "seawall_origin_timeouts_total{origin=\"main\",timeout=\"" + name + "\"}";
}

void check_told(const Seawall& seawall, const std::string& name, const std::string& in_log) {
  const Admin admin(seawall);
  BOOST_TEST(until([&] { return admin.metric(timeouts_of(name)) >= 1; }), name);
  BOOST_TEST(seawall.process().says(in_log), in_log);
  for (const char* other : {"connect", "dns", "first_byte", "between_bytes", "send", "queue", "total"}) {
    if (other != name) BOOST_TEST(admin.metric(timeouts_of(other)) == 0, other);
  }
}

BOOST_AUTO_TEST_CASE(the_connect_timeout_is_told) {
  const Full full;
  Seawall seawall(config({url(full.port())}, "timeout = { connect = \"100ms\" }"));
  const Response response = get(seawall, "/a");
  BOOST_TEST(response.status == 504, response);
  BOOST_TEST(contains(response.get("Proxy-Status"), "connection_timeout"), response);
  check_told(seawall, "connect", "connect-timeout");
}

BOOST_AUTO_TEST_CASE(the_first_byte_and_the_total_timeout_are_told) {
  struct Row {
    const char* name;
    const char* timeouts;
    const char* code;
  };
  for (const Row& row : {Row{"first_byte", "first_byte = \"100ms\"", "first-byte-timeout"},
                         Row{"total", "total = \"100ms\"", "total-timeout"}}) {
    BOOST_TEST_CONTEXT(row.name) {
      Origin origin;
      origin.otherwise([](Exchange& x) { x.be_silent(); });
      Seawall seawall(config({url(origin.port())}, std::string("timeout = { ") + row.timeouts + " }"));
      const Response response = get(seawall, "/a");
      BOOST_TEST(response.status == 504, response);
      BOOST_TEST(contains(response.cache_status(), row.code), response);
      BOOST_TEST(contains(response.get("Proxy-Status"), row.code), response);
      check_told(seawall, row.name, row.code);
    }
  }
}

BOOST_AUTO_TEST_CASE(the_timeout_between_bytes_is_told) {
  Origin origin;
  origin.otherwise([](Exchange& x) {
    x.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\nCache-Control: max-age=60\r\n\r\nfirst");
    x.be_silent();
  });
  Seawall seawall(config({url(origin.port())}, "timeout = { between_bytes = \"100ms\" }"));
  const Response response = get(seawall, "/a");
  BOOST_TEST(response.is_cut(), response);
  BOOST_TEST(response.body == "first");
  check_told(seawall, "between_bytes", "between-bytes-timeout");
}

BOOST_AUTO_TEST_CASE(the_send_timeout_is_told) {
  Gate gate;
  Origin origin;
  origin.otherwise([&](Exchange& x) {
    x.hold(gate);
    x.close();
  });
  Seawall seawall(config({url(origin.port())}, "timeout = { send = \"100ms\" }"));
  const Admin admin(seawall);
  Client client(seawall);
  client.send("POST /a HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1000000000\r\n\r\n");
  const std::string block(1 << 18, 'x');
  BOOST_TEST(until([&] {
    while (client.socket().send_some(block) > 0) continue;
    return admin.metric(timeouts_of("send")) == 1;
  }));
  check_told(seawall, "send", "send-timeout");
  gate.open();
}

BOOST_AUTO_TEST_CASE(the_queue_timeout_is_told) {
  Gate gate;
  Origin origin;
  origin.otherwise([&](Exchange& x) {
    x.hold(gate);
    x.respond(named("held"));
  });
  Seawall seawall(config({url(origin.port())}, "limit = { in_flight = 1, queue_wait = \"100ms\" }"));
  Client client(seawall);
  client.send_request("GET", "/held");
  BOOST_TEST(until([&] { return origin.total() == 1; }));
  BOOST_TEST(get(seawall, "/a").status == 503);
  check_told(seawall, "queue", "queue-timeout");
  gate.open();
  BOOST_TEST(client.read().body == "held");
}

BOOST_AUTO_TEST_CASE(the_dns_timeout_is_told) {
  Dns dns;
  dns.fail("shop.test", Dns::Fault::kSilent);
  Seawall seawall("[dns]\nservers = [\"" + dns.authority() + "\"]\ntimeout = \"200ms\"\n" +
                  config({"http://shop.test:3000"}, ""));
  const Response response = get(seawall, "/a");
  BOOST_TEST(response.status == 502, response);
  BOOST_TEST(contains(response.get("Proxy-Status"), "dns_timeout"), response);
  check_told(seawall, "dns", "shop.test: the name server does not answer; no address is known");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::behave
