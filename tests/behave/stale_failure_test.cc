// An origin that fails in every way there is: what clients get, how often it is asked, and what log and metrics say.
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <optional>
#include <thread>

#include "support/behave/admin.h"
#include "support/behave/client.h"
#include "support/behave/dns.h"
#include "support/behave/seawall.h"

namespace seawall::behave {
namespace {

BOOST_AUTO_TEST_SUITE(behave_stale_failure)

// Behind the keys of [server].
const std::string kAdmin = "\n" + std::string(kAdminSection);
// Of an answer that no time-out of the origin was waited for.
constexpr Millis kQuick{kSanitized ? 9000 : 5000};
constexpr long kMaxAge = 10;

// Stale by 990 seconds on arrival, so that no test has to wait. The next request has a fresh connection: a fault on it
// is not taken for a pooled one that has gone.
Reply stale(std::string body, const std::string& cache_control = "max-age=10") {
  return {.headers = {"Cache-Control: " + cache_control, "Age: 1000", "ETag: \"1\"", "Connection: close"},
          .body = std::move(body)};
}
Reply fresh(std::string body) {
  return {.headers = {"Cache-Control: max-age=60", "ETag: \"2\""}, .body = std::move(body)};
}

std::string detail_of(const Response& response) {
  return response.cache_parameter("detail").value_or("");
}

long ttl_of(const Response& response) {
  return std::strtol(response.cache_parameter("ttl").value_or("1000000").c_str(), nullptr, 10);
}

// Served from the cache, and says so truly.
void expect_stale(const Response& response, const std::string& detail, const std::string& body = "old") {
  BOOST_TEST(response.status == 200, response);
  BOOST_TEST(response.body == body, response);
  BOOST_TEST(response.is_hit(), response);
  BOOST_TEST(detail_of(response) == detail, response);
  BOOST_TEST(response.age() >= 1000, response);
  BOOST_TEST(ttl_of(response) == kMaxAge - response.age(), response);
}

double errors_of(const Admin& admin, const std::string& error) {
  return admin.metric("seawall_origin_errors_total{origin=\"main\",error=\"" + error + "\"}");
}

struct Fault {
  const char* name;
  Handler handler;           // null: the origin refuses
  const char* error;         // in log, metrics and Proxy-Status; "": it answers, with a status
  int status;                // of the answer when there is no copy
  const char* timeout = "";  // the one that is short
};

// A head that is always on its way: no time-out between bytes ends it.
void drip(Exchange& x) {
  x.send("HTTP/1.1 200 OK\r\nX-A: ");
  for (int i = 0; i < 40; ++i) {
    x.send("a");
    std::this_thread::sleep_for(Millis{25});
  }
  x.close();
}

std::vector<Fault> faults() {
  const auto sends = [](std::string bytes) {
    return [bytes = std::move(bytes)](Exchange& x) {
      x.send(bytes);
      x.close();
    };
  };
  const auto stalls = [](std::string bytes) {
    return [bytes = std::move(bytes)](Exchange& x) {
      x.send(bytes);
      x.be_silent();
    };
  };
  std::vector<Fault> out = {
      {"refused", nullptr, "connect-refused", 502},
      {"closed before the head", [](Exchange& x) { x.close(); }, "closed", 502},
      {"reset before the head", [](Exchange& x) { x.reset(); }, "reset", 502},
      {"closed in the head", sends("HTTP/1.1 200 OK\r\nX-A: 1\r\n"), "closed", 502},
      {"silent", stalls(""), "first-byte-timeout", 504, "first_byte"},
      {"stalls in the head", stalls("HTTP/1.1 200 OK\r\nX-A: 1\r\n"), "between-bytes-timeout", 504, "between_bytes"},
      {"drips", drip, "total-timeout", 504, "total"},
      {"no HTTP", sends("garbage\r\n\r\n"), "malformed-start-line", 502},
      {"malformed field", sends("HTTP/1.1 200 OK\r\nno colon\r\n\r\n"), "malformed-header", 502},
      {"malformed length", sends("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"), "bad-content-length", 502},
      {"two lengths", sends("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
       "bad-content-length", 502},
  };
  for (const int status : {429, 500, 502, 503, 504}) {
    out.push_back({"status", reply({.status = status, .body = "error"}), "", status});
  }
  return out;
}

BOOST_AUTO_TEST_CASE(every_failure_is_answered_from_the_stale_copy) {
  for (const Fault& fault : faults()) {
    BOOST_TEST_CONTEXT(fault.name << ' ' << fault.status) {
      Origin origin;
      origin.on("/a", [&](Exchange& x) { x.number() == 1 ? x.respond(stale("old")) : fault.handler(x); });
      origin.on("/cold", fault.handler ? fault.handler : reply({}));
      const std::string timeout = fault.timeout;
      Seawall seawall(origin, {.server = kAdmin,
                               .origin_timeouts = timeout.empty() ? "" : timeout + " = \"250ms\"",
                               .route = "name = \"r\""});
      const Admin admin(seawall);
      BOOST_TEST(get(seawall, "/a").body == "old");
      if (!fault.handler) origin.stop();
      const Response first = get(seawall, "/a");
      expect_stale(first, "stale-if-error");
      // It is not asked again for half a second at the least, and the answer says so.
      const auto begin = SteadyClock::now();
      double served = 1;
      for (int round = 0; round < 3; ++round) {
        const Response next = get(seawall, "/a");
        const std::size_t asked = origin.count("/a");
        ++served;
        if (SteadyClock::now() - begin > Millis{350}) break;
        expect_stale(next, "stale-back-off");
        BOOST_TEST(next.age() >= first.age());
        BOOST_TEST(asked == (fault.handler ? 2U : 1U));
      }
      BOOST_TEST(admin.metric("seawall_stale_served_total{route=\"r\"}") == served);

      const Response cold = get(seawall, "/cold");
      BOOST_TEST(cold.status == fault.status, cold);
      const std::string error = fault.error;
      if (error.empty()) {
        const std::string code = fault.status == 429 ? "4xx" : "5xx";
        BOOST_TEST(admin.metric("seawall_origin_responses_total{origin=\"main\",code=\"" + code + "\"}") >= 2);
        continue;
      }
      for (const Response& response : {first, cold}) {
        BOOST_TEST(contains(response.get("Proxy-Status"), "seawall; error="), response);
        BOOST_TEST(contains(response.get("Proxy-Status"), "details=\"" + error + "\""), response);
      }
      BOOST_TEST(errors_of(admin, error) >= 2);
      BOOST_TEST(seawall.process().says("origin main (" + origin.authority() + "): " + error));
      if (!timeout.empty()) {
        BOOST_TEST(admin.metric("seawall_origin_timeouts_total{origin=\"main\",timeout=\"" + timeout + "\"}") >= 2);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_stale_answer_grows_older) {
  Origin origin;
  origin.on("/a", stale("old"));
  Seawall seawall(origin, {.log = "access = \"stdout\"\naccess_format = \"json\""});
  get(seawall, "/a");
  origin.stop();
  const Response first = get(seawall, "/a");
  expect_stale(first, "stale-if-error");
  Response later;
  BOOST_TEST(until([&] {
    later = get(seawall, "/a");
    return later.age() > first.age();
  }));
  BOOST_TEST(later.body == "old");
  BOOST_TEST(ttl_of(later) == kMaxAge - later.age(), later);
  BOOST_TEST(seawall.process().says("\"cache\":\"stale\",\"why\":\"stale-if-error\""));
}

// Whoever sees its beginning sees that it was cut; nobody gets it from the store.
BOOST_AUTO_TEST_CASE(a_body_that_breaks_off_is_never_stored) {
  struct Row {
    const char* name;
    bool is_chunked;
    bool is_reset;
    bool has_copy;
  };
  const Row rows[] = {{"length, closed, cold", false, false, false}, {"length, reset, cold", false, true, false},
                      {"chunked, closed, cold", true, false, false}, {"chunked, reset, cold", true, true, false},
                      {"length, closed, stale", false, false, true}, {"length, reset, stale", false, true, true},
                      {"chunked, closed, stale", true, false, true}, {"chunked, reset, stale", true, true, true}};
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      Gate gate;
      Origin origin;
      const Handler cut = [&](Exchange& x) {
        if (row.is_chunked) {
          x.begin_chunked({"Cache-Control: max-age=60", "ETag: \"2\""});
          x.send_chunk("new");
        } else {
          x.send(to_bytes({.headers = {"Cache-Control: max-age=60", "ETag: \"2\"", "Content-Length: 10"}}, true) +
                 "new");
        }
        x.hold(gate);
        row.is_reset ? x.reset() : x.close();
      };
      std::vector<Handler> steps = {cut, reply(fresh("whole"))};
      if (row.has_copy) steps.insert(steps.begin(), reply(stale("old")));
      origin.script("/a", std::move(steps));
      Seawall seawall(origin, {.server = kAdmin});
      if (row.has_copy) BOOST_TEST(get(seawall, "/a").body == "old");
      Client client(seawall);
      client.send_request("GET", "/a");
      BOOST_TEST(client.read_body(3).body == "new");
      gate.open();
      const Response response = client.read_rest();
      BOOST_TEST(response.is_cut(), response);
      BOOST_TEST(until([&] { return Admin(seawall).number("/v1/origins/main", "/servers/0/failures") == 1; }));
      const Response next = get(seawall, "/a");
      if (row.has_copy) {
        expect_stale(next, "stale-back-off");
        BOOST_TEST(origin.count("/a") == 2U);
      } else {
        BOOST_TEST(next.body == "whole", next);
        BOOST_TEST(get(seawall, "/a").is_hit());
      }
      BOOST_TEST(origin.unexpected() == 0U);
    }
  }
}

BOOST_AUTO_TEST_CASE(an_origin_that_asks_for_a_pause_gets_it) {
  std::atomic<bool> is_busy = false;
  Origin origin;
  const auto handler = [&](Exchange& x) {
    if (is_busy) {
      x.respond({.status = 429, .headers = {"Retry-After: 1", "Connection: close"}, .body = "slow down"});
    } else {
      x.respond(x.request().target == "/cold" ? fresh("made") : stale("old"));
    }
  };
  for (const char* path : {"/a", "/b", "/cold"}) origin.on(path, handler);
  Seawall seawall(origin, {.server = kAdmin});
  const Admin admin(seawall);
  for (const char* path : {"/a", "/b"}) BOOST_TEST(get(seawall, path).body == "old");
  is_busy = true;
  expect_stale(get(seawall, "/a"), "stale-if-error");
  BOOST_TEST(seawall.process().says("origin main: 429 with Retry-After: not asked for 1000 ms"));
  BOOST_TEST(admin.metric("seawall_origin_back_off_seconds{origin=\"main\"}") > 0);
  const std::size_t asked = origin.total();
  const auto begin = SteadyClock::now();
  // None of these is of the one that was refused.
  for (int round = 0; round < 5; ++round) {
    const Response cold = get(seawall, "/cold");
    const Response other = get(seawall, "/b");
    if (SteadyClock::now() - begin > Millis{800}) break;
    expect_stale(other, "stale-breaker");
    BOOST_TEST(cold.status == 503, cold);
    BOOST_TEST(cold.get("Retry-After") == "1", cold);
    BOOST_TEST(detail_of(cold) == "backing-off", cold);
    BOOST_TEST(origin.total() == asked);
  }
  is_busy = false;
  BOOST_TEST(until([&] { return get(seawall, "/cold").body == "made"; }));
  BOOST_TEST(admin.metric("seawall_origin_back_off_seconds{origin=\"main\"}") == 0);
  BOOST_TEST(origin.count("/cold") == 1U);
}

BOOST_AUTO_TEST_CASE(a_name_that_cannot_be_resolved_is_answered_from_the_stale_copy) {
  struct Row {
    Dns::Fault fault;
    const char* error;
    const char* type;
  };
  const Row rows[] = {{Dns::Fault::kNxDomain, "resolve-failed", "dns_error"},
                      {Dns::Fault::kServFail, "resolve-failed", "dns_error"},
                      {Dns::Fault::kSilent, "dns-timeout", "dns_timeout"}};
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.error << ' ' << row.type) {
      Dns dns;
      dns.fail("shop.test", row.fault);
      Seawall seawall(std::string(kAdminSection) + "[dns]\nservers = \"" + dns.authority() + "\"\ntimeout = \"" +
                      (row.fault == Dns::Fault::kSilent ? "100ms" : "4s") +
                      "\"\n[[origin]]\nname = \"main\"\nservers = \"http://shop.test:1\"\n");
      const Admin admin(seawall);
      BOOST_TEST(until([&] { return seawall.process().says("origin main: shop.test: "); }));
      const std::string url = "http%3A%2F%2Fa.test%2Fa";
      BOOST_TEST(admin.request("PUT", "/v1/objects?url=" + url, {"Cache-Control: max-age=60"}, "put").status == 201);
      BOOST_TEST(get(seawall, "/a").body == "put");
      admin.request("POST", "/v1/purge", {"Content-Type: application/json"},
                    R"({"urls": ["http://a.test/a"], "soft": true})");
      const auto begin = SteadyClock::now();
      const Response copy = get(seawall, "/a");
      BOOST_TEST(copy.body == "put", copy);
      BOOST_TEST(detail_of(copy) == "stale-breaker", copy);
      const Response cold = get(seawall, "/cold");
      BOOST_TEST((SteadyClock::now() - begin < kQuick));
      BOOST_TEST(cold.status == 502, cold);
      BOOST_TEST(detail_of(cold) == row.error, cold);
      BOOST_TEST(contains(cold.get("Proxy-Status"), std::string("error=") + row.type), cold);
      BOOST_TEST(errors_of(admin, row.error) >= 1);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_name_server_that_goes_leaves_the_last_good_answer) {
  Dns dns;
  Origin origin;
  origin.on("/a", [](Exchange& x) { x.respond({.headers = {"Cache-Control: no-store"}, .body = "here"}); });
  dns.a("shop.test", {"127.0.0.1"}, 1);
  Seawall seawall(
      "[dns]\nservers = \"" + dns.authority() +
      "\"\ntimeout = \"100ms\"\nmax_ttl = \"1s\"\n[[origin]]\nname = \"main\"\nservers = \"http://shop.test:" +
      std::to_string(origin.port()) + "\"\n");
  BOOST_TEST(until([&] { return get(seawall, "/a").body == "here"; }));
  dns.fail("shop.test", Dns::Fault::kNxDomain);
  BOOST_TEST(seawall.process().says("the last known addresses stay in use"));
  BOOST_TEST(get(seawall, "/a").body == "here");
}

BOOST_AUTO_TEST_CASE(with_an_open_breaker_nothing_is_asked) {
  Origin origin;
  for (const char* path : {"/a", "/b"}) origin.on(path, stale("old"));
  origin.on("/strict", stale("strict", "max-age=10, must-revalidate"));
  Seawall seawall(origin, {.server = kAdmin,
                           .origin = "breaker = { connect_failures = 1, open = \"30s\" }",
                           .route = "name = \"r\"\nstorm = { enabled = false }"});
  const Admin admin(seawall);
  for (const char* path : {"/a", "/b", "/strict"}) get(seawall, path);
  origin.stop();
  expect_stale(get(seawall, "/a"), "stale-if-error");
  BOOST_TEST(seawall.process().says("origin main: breaker open: not asked for "));
  const double asked = admin.metric("seawall_origin_requests_total{origin=\"main\"}");
  const auto begin = SteadyClock::now();
  for (int round = 0; round < 10; ++round) expect_stale(get(seawall, "/b"), "stale-breaker");
  for (const char* path : {"/strict", "/cold"}) {
    const Response response = get(seawall, path);
    BOOST_TEST(response.status == 503, response);
    BOOST_TEST(std::strtol(response.get("Retry-After").c_str(), nullptr, 10) > 1, response);
    BOOST_TEST(detail_of(response) == "breaker-open", response);
  }
  BOOST_TEST((SteadyClock::now() - begin < kQuick));
  BOOST_TEST(admin.metric("seawall_origin_requests_total{origin=\"main\"}") == asked);
  BOOST_TEST(admin.metric("seawall_origin_breaker_state{origin=\"main\",state=\"open\"}") == 1);
  BOOST_TEST(admin.metric("seawall_stale_served_total{route=\"r\"}") == 11);
}

BOOST_AUTO_TEST_CASE(with_no_place_at_the_origin_the_stale_copy_is_served) {
  for (const bool is_full : {true, false}) {
    BOOST_TEST_CONTEXT((is_full ? "queue full" : "waited too long")) {
      Gate gate;
      Origin origin;
      for (const char* path : {"/a", "/b"}) origin.on(path, stale("old"));
      origin.on("/held", [&](Exchange& x) {
        x.hold(gate);
        x.respond({.body = "held"});
      });
      const std::string wait = is_full ? "\"30s\"" : "\"100ms\"";
      Seawall seawall(origin,
                      {.server = kAdmin, .origin = "limit = { in_flight = 1, queue = 1, queue_wait = " + wait + " }"});
      const Admin admin(seawall);
      for (const char* path : {"/a", "/b"}) BOOST_TEST(get(seawall, path).body == "old");
      Client holder(seawall);
      holder.send_request("POST", "/held", {}, "x");
      BOOST_TEST(until([&] { return origin.count("/held") == 1; }));
      Client waiting(seawall);
      if (is_full) {
        waiting.send_request("POST", "/held", {}, "x");
        BOOST_TEST(until([&] { return admin.metric("seawall_origin_queue{origin=\"main\"}") == 1; }));
      }
      expect_stale(get(seawall, "/a"), "overloaded");
      const Response cold = get(seawall, "/cold");
      BOOST_TEST(cold.status == 503, cold);
      BOOST_TEST(cold.has("Retry-After"));
      const std::string error = is_full ? "queue-full" : "queue-timeout";
      BOOST_TEST(detail_of(cold) == error, cold);
      BOOST_TEST(errors_of(admin, error) == 2);
      BOOST_TEST(origin.count("/a") == 1U);
      gate.open();
      BOOST_TEST(holder.read().body == "held");
      if (is_full) BOOST_TEST(waiting.read().body == "held");
    }
  }
}

BOOST_AUTO_TEST_CASE(what_must_be_checked_is_not_served_unchecked) {
  const char* const directives[] = {"max-age=10, must-revalidate", "max-age=10, proxy-revalidate", "s-maxage=10",
                                    "max-age=10, no-cache", "max-age=10, stale-if-error=0"};
  for (const char* cache_control : directives) {
    BOOST_TEST_CONTEXT(cache_control) {
      Origin origin;
      origin.script(
          "/a", {reply(stale("old", cache_control)), [](Exchange& x) { x.reset(); }, [](Exchange& x) { x.be_silent(); },
                 reply({.status = 503, .body = "error"}), reply({.status = 500, .body = "error"})});
      Seawall seawall(origin, {.origin_timeouts = "first_byte = \"400ms\""});
      BOOST_TEST(get(seawall, "/a").body == "old");
      const auto begin = SteadyClock::now();
      for (const int status : {502, 504, 503, 500}) {
        const Response response = get(seawall, "/a");
        BOOST_TEST(response.status == status, response);
        BOOST_TEST(!response.is_hit(), response);
      }
      origin.stop();
      BOOST_TEST(get(seawall, "/a").status == 502);
      BOOST_TEST((SteadyClock::now() - begin < kQuick));
      BOOST_TEST(origin.unexpected() == 0U);
    }
  }
}

BOOST_AUTO_TEST_CASE(an_outage_costs_the_origin_few_requests_for_a_stale_object) {
  Origin origin;
  origin.on("/a", [](Exchange& x) { x.number() == 1 ? x.respond(stale("old")) : x.reset(); });
  Seawall seawall(origin, {.workers = 2});
  get(seawall, "/a");
  for (int round = 0; round < 50; ++round) BOOST_TEST(get(seawall, "/a").body == "old");
  BOOST_TEST(origin.count("/a") >= 2U);
  BOOST_TEST(origin.count("/a") <= 4U);
}

BOOST_AUTO_TEST_CASE(a_background_refresh_that_fails_leaves_the_good_copy) {
  struct Row {
    const char* name;
    Handler handler;
  };
  const Row rows[] = {
      {"500", reply({.status = 500, .headers = {"Cache-Control: max-age=60"}, .body = "error"})},
      {"503", reply({.status = 503, .headers = {"Cache-Control: max-age=60"}, .body = "error"})},
      {"429", reply({.status = 429, .body = "error"})},
      {"reset", [](Exchange& x) { x.reset(); }},
      {"cut",
       [](Exchange& x) {
         x.send("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 10\r\n\r\nnew");
         x.close();
       }},
      {"garbage",
       [](Exchange& x) {
         x.send("garbage\r\n\r\n");
         x.close();
       }},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      Origin origin;
      origin.on("/a", [&](Exchange& x) {
        x.number() == 1 ? x.respond(stale("old", "max-age=10, stale-while-revalidate=5000")) : row.handler(x);
      });
      Seawall seawall(origin, {.server = kAdmin, .origin = "fill = { cold_start = \"0s\" }"});
      const Admin admin(seawall);
      BOOST_TEST(get(seawall, "/a").body == "old");
      expect_stale(get(seawall, "/a"), "stale-while-revalidate");
      BOOST_TEST(until([&] {
        return admin.metric("seawall_fills_failed_total{origin=\"main\"}") == 1 ||
               admin.metric("seawall_fills_ended_total{origin=\"main\"}") == 1;
      }));
      BOOST_TEST(origin.count("/a") == 2U);
      for (int round = 0; round < 20; ++round) expect_stale(get(seawall, "/a"), "stale-while-revalidate");
      // Nobody asks again at once.
      BOOST_TEST(origin.count("/a") <= 3U);
    }
  }
}

BOOST_AUTO_TEST_CASE(what_another_cache_served_stale_is_not_taken_for_fresh) {
  const char* const marks[] = {"Age: 100", "Cache-Status: edge; hit; ttl=-5", "Cache-Status: \"a\"; hit; ttl=-1, edge",
                               "Warning: 110 - \"Response is Stale\""};
  for (const char* mark : marks) {
    BOOST_TEST_CONTEXT(mark) {
      Origin origin;
      origin.script("/a", {reply({.headers = {"Cache-Control: max-age=60", "ETag: \"1\"", mark}, .body = "old"}),
                           reply(fresh("new"))});
      Seawall seawall(origin);
      const Response first = get(seawall, "/a");
      BOOST_TEST(first.body == "old");
      BOOST_TEST(ttl_of(first) <= 0, first);
      BOOST_TEST(get(seawall, "/a").body == "new");
      BOOST_TEST(get(seawall, "/a").is_hit());
      BOOST_TEST(origin.unexpected() == 0U);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::behave
