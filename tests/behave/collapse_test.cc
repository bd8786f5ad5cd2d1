// One fetch per missing object: who joins it, what they see of it, and what becomes of them when it does not end well.
#include <boost/test/unit_test.hpp>
#include <set>
#include <thread>

#include "support/behave/client.h"
#include "support/behave/seawall.h"

namespace seawall::behave {
namespace {

BOOST_AUTO_TEST_SUITE(behave_collapse)

constexpr Millis kOriginTakes{300};
constexpr Millis kAllWithin{kSanitized ? 6000 : 1500};

// The one place where time is the matter: an origin that works for that long.
void take_time() {
  std::this_thread::sleep_for(kOriginTakes);
}

std::vector<Client> ask(const Seawall& seawall, std::size_t count, const std::string& path, const Lines& lines = {}) {
  std::vector<Client> clients;
  clients.reserve(count);
  for (std::size_t i = 0; i < count; ++i) clients.emplace_back(seawall);
  for (Client& client : clients) client.send_request("GET", path, lines);
  return clients;
}

// Sends the head and the first half at once, the second half when the gate opens.
Handler in_halves(const Gate& gate, Lines headers) {
  return [&gate, headers = std::move(headers)](Exchange& x) {
    Lines lines = headers;
    lines.emplace_back("Content-Length: 10");
    x.send(to_bytes({.headers = lines}, true) + "first");
    x.hold(gate);
    x.send("final");
  };
}

Millis since(SteadyClock::time_point begin) {
  return std::chrono::duration_cast<Millis>(SteadyClock::now() - begin);
}

BOOST_AUTO_TEST_CASE(two_hundred_clients_on_a_cold_object_are_one_request) {
  for (const unsigned workers : {1U, 2U}) {
    BOOST_TEST_CONTEXT(workers << " workers") {
      Origin origin;
      origin.on("/a", [](Exchange& x) {
        take_time();
        x.respond({.headers = {"Cache-Control: max-age=60"}, .body = "shared"});
      });
      Seawall seawall(origin, {.workers = workers});
      const auto begin = SteadyClock::now();
      std::vector<Client> clients = ask(seawall, 200, "/a");
      std::size_t answered = 0;
      std::size_t collapsed = 0;
      for (Client& client : clients) {
        const Response response = client.read();
        answered += response.body == "shared" && response.complete ? 1U : 0U;
        collapsed += response.cache_parameter("collapsed").has_value() ? 1U : 0U;
      }
      BOOST_TEST((since(begin) < kAllWithin), since(begin).count() << " ms");
      BOOST_TEST(answered == 200U);
      BOOST_TEST(collapsed > 0U);
      BOOST_TEST(origin.count("/a") == 1U);
    }
  }
}

BOOST_AUTO_TEST_CASE(two_hundred_clients_on_an_uncacheable_object_do_not_queue) {
  for (const char* cache_control : {"Cache-Control: no-store", "Cache-Control: private, max-age=60"}) {
    BOOST_TEST_CONTEXT(cache_control) {
      Origin origin;
      origin.on("/a", [&](Exchange& x) {
        take_time();
        x.respond({.headers = {cache_control}, .body = std::to_string(x.number())});
      });
      Seawall seawall(origin);
      const auto begin = SteadyClock::now();
      std::vector<Client> clients = ask(seawall, 200, "/a");
      std::set<std::string> bodies;
      for (Client& client : clients) bodies.insert(client.read().body);
      BOOST_TEST((since(begin) < kAllWithin), since(begin).count() << " ms");
      // Each its own: none was shared.
      BOOST_TEST(bodies.size() == 200U);
      BOOST_TEST(origin.count("/a") == 200U);
    }
  }
}

BOOST_AUTO_TEST_CASE(bytes_reach_all_as_they_arrive) {
  for (const unsigned workers : {1U, 2U}) {
    BOOST_TEST_CONTEXT(workers << " workers") {
      Gate gate;
      Origin origin;
      origin.script("/a", {in_halves(gate, {"Cache-Control: max-age=60"})});
      Seawall seawall(origin, {.workers = workers});
      std::vector<Client> clients = ask(seawall, 50, "/a");
      for (Client& client : clients) BOOST_TEST(client.read_body(5).body == "first");
      // A late one too.
      Client late(seawall);
      late.send_request("GET", "/a");
      BOOST_TEST(late.read_body(5).body == "first");
      gate.open();
      for (Client& client : clients) BOOST_TEST(client.read_rest().body == "firstfinal");
      BOOST_TEST(late.read_rest().body == "firstfinal");
      BOOST_TEST(get(seawall, "/a").is_hit());
      BOOST_TEST(origin.unexpected() == 0U);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_fetch_goes_on_when_its_starter_leaves) {
  for (const bool before_the_head : {true, false}) {
    BOOST_TEST_CONTEXT((before_the_head ? "before the head" : "in the body")) {
      Gate head;
      Gate tail;
      Origin origin;
      origin.script("/a", {[&](Exchange& x) {
                      x.hold(head);
                      in_halves(tail, {"Cache-Control: max-age=60"})(x);
                    }});
      Seawall seawall(origin);
      Client starter(seawall);
      starter.send_request("GET", "/a");
      BOOST_TEST(until([&] { return origin.count("/a") == 1; }));
      std::vector<Client> joiners = ask(seawall, 5, "/a");
      BOOST_TEST(joiners.back().is_quiet());
      if (before_the_head) {
        starter.reset();
        BOOST_TEST(joiners.back().is_quiet());
        head.open();
      } else {
        head.open();
        BOOST_TEST(starter.read_body(5).body == "first");
        starter.reset();
      }
      for (Client& joiner : joiners) BOOST_TEST(joiner.read_body(5).body == "first");
      tail.open();
      for (Client& joiner : joiners) BOOST_TEST(joiner.read_rest().body == "firstfinal");
      BOOST_TEST(get(seawall, "/a").is_hit());
      BOOST_TEST(origin.unexpected() == 0U);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_body_on_its_way_to_the_store_is_finished_for_nobody) {
  Gate gate;
  Origin origin;
  origin.script("/a", {in_halves(gate, {"Cache-Control: max-age=60"})});
  Seawall seawall(origin);
  {
    Client only(seawall);
    only.send_request("GET", "/a");
    BOOST_TEST(only.read_body(5).body == "first");
    only.reset();
  }
  Client probe(seawall);
  BOOST_TEST(probe.is_quiet());
  gate.open();
  BOOST_TEST(until([&] { return probe.get("/a").is_hit(); }));
  BOOST_TEST(probe.get("/a").body == "firstfinal");
  BOOST_TEST(origin.unexpected() == 0U);
}

BOOST_AUTO_TEST_CASE(joiners_that_leave_disturb_nobody) {
  Gate gate;
  Origin origin;
  origin.script("/a", {in_halves(gate, {"Cache-Control: max-age=60"})});
  Seawall seawall(origin, {.workers = 2});
  std::vector<Client> clients = ask(seawall, 40, "/a");
  for (Client& client : clients) BOOST_TEST(client.read_body(5).body == "first");
  for (std::size_t i = 0; i < clients.size(); i += 2) clients[i].reset();
  gate.open();
  for (std::size_t i = 1; i < clients.size(); i += 2) BOOST_TEST(clients[i].read_rest().body == "firstfinal");
  BOOST_TEST(origin.unexpected() == 0U);
}

BOOST_AUTO_TEST_CASE(waiters_of_an_object_are_bounded) {
  Gate gate;
  Origin origin;
  origin.on("/a", [&](Exchange& x) {
    x.hold(gate);
    x.respond({.headers = {"Cache-Control: max-age=60"}, .body = "a"});
  });
  origin.on("/b", Reply{.headers = {"Cache-Control: max-age=60"}, .body = "b"});
  Seawall seawall(origin, {.collapse = "waiters = 3"});
  std::vector<Client> waiting;
  std::size_t refused = 0;
  for (int i = 0; i < 8; ++i) {
    Client client(seawall);
    client.send_request("GET", "/a");
    if (i == 0) BOOST_TEST(until([&] { return origin.count("/a") == 1; }));
    if (client.is_quiet()) {
      waiting.push_back(std::move(client));
      continue;
    }
    ++refused;
  }
  // Whether the starter counts is not laid down.
  BOOST_TEST(waiting.size() >= 3U);
  BOOST_TEST(waiting.size() <= 4U);
  BOOST_TEST(refused >= 4U);
  const Response response = get(seawall, "/a");
  BOOST_TEST(response.status == 503, response);
  BOOST_TEST(response.has("Retry-After"));
  BOOST_TEST(response.cache_parameter("detail").has_value());
  // Others are not concerned.
  BOOST_TEST(get(seawall, "/b").body == "b");
  gate.open();
  for (Client& client : waiting) BOOST_TEST(client.read().body == "a");
  BOOST_TEST(origin.count("/a") == 1U);
}

BOOST_AUTO_TEST_CASE(waiters_in_all_are_bounded) {
  Gate gate;
  Origin origin;
  origin.otherwise([&](Exchange& x) {
    x.hold(gate);
    x.respond({.headers = {"Cache-Control: max-age=60"}, .body = "a"});
  });
  Seawall seawall(origin, {.collapse = "waiters_total = 4"});
  std::vector<Client> clients;
  for (int i = 0; i < 8; ++i) {
    for (int j = 0; j < 2; ++j) {
      clients.emplace_back(seawall);
      clients.back().send_request("GET", "/" + std::to_string(i));
      // Either it starts a fetch or it is refused: both before the next one is sent.
      const auto is_settled = [&] {
        return origin.total() == static_cast<std::size_t>(i + 1) || !clients.back().is_quiet(Millis{1});
      };
      if (j == 0) BOOST_TEST(until(is_settled));
    }
  }
  BOOST_TEST(clients.back().read().status == 503);
  clients.pop_back();
  gate.open();
  std::size_t served = 0;
  for (Client& client : clients) served += client.read().status == 200 ? 1U : 0U;
  BOOST_TEST(served >= 4U);
}

BOOST_AUTO_TEST_CASE(a_waiter_waits_no_longer_than_it_may) {
  Gate gate;
  Origin origin;
  origin.on("/a", [&](Exchange& x) {
    x.hold(gate);
    x.respond({.headers = {"Cache-Control: max-age=60"}, .body = "a"});
  });
  Seawall seawall(origin, {.collapse = "wait = \"300ms\""});
  Client starter(seawall);
  starter.send_request("GET", "/a");
  BOOST_TEST(until([&] { return origin.count("/a") == 1; }));
  std::vector<Client> joiners = ask(seawall, 5, "/a");
  for (Client& joiner : joiners) {
    const Response response = joiner.read();
    BOOST_TEST(response.status == 503, response);
    BOOST_TEST(response.has("Retry-After"));
    BOOST_TEST(contains(response.cache_status(), "wait-timeout"), response);
  }
  gate.open();
  BOOST_TEST(starter.read().body == "a");
  BOOST_TEST(get(seawall, "/a").is_hit());
  BOOST_TEST(origin.count("/a") == 1U);
}

// What is meant for one client goes to one client, whoever waited for it.
BOOST_AUTO_TEST_CASE(a_personal_answer_is_not_shared) {
  struct Row {
    const char* name;
    Lines request;
    Lines response;
  };
  const Row rows[] = {
      {"Set-Cookie", {}, {"Cache-Control: max-age=60", "Set-Cookie: id=1"}},
      {"private", {}, {"Cache-Control: max-age=60, private"}},
      {"no-store", {}, {"Cache-Control: no-store"}},
      {"no freshness", {}, {}},
      {"Authorization", {"Authorization: Basic YTpi"}, {"Cache-Control: max-age=60"}},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      Gate gate;
      Origin origin;
      origin.on("/a", [&](Exchange& x) {
        x.hold(gate);
        x.respond({.headers = row.response, .body = std::to_string(x.number())});
      });
      Seawall seawall(origin);
      std::vector<Client> clients = ask(seawall, 10, "/a", row.request);
      BOOST_TEST(until([&] { return origin.count("/a") >= 1; }));
      BOOST_TEST(clients.back().is_quiet());
      gate.open();
      std::set<std::string> bodies;
      for (Client& client : clients) bodies.insert(client.read().body);
      BOOST_TEST(bodies.size() == 10U);
      BOOST_TEST(origin.count("/a") == 10U);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_key_that_proved_uncacheable_is_not_collapsed_until_it_proves_cacheable) {
  Gate gate;
  Origin origin;
  origin.on("/a", [&](Exchange& x) {
    if (x.number() > 1) x.hold(gate);
    x.respond({.headers = {x.number() < 4 ? "Cache-Control: no-store" : "Cache-Control: max-age=60"},
               .body = std::to_string(x.number())});
  });
  Seawall seawall(origin);
  BOOST_TEST(get(seawall, "/a").body == "1");
  // Remembered: the next ones are on their way side by side.
  std::vector<Client> clients = ask(seawall, 2, "/a");
  BOOST_TEST(until([&] { return origin.count("/a") == 3; }));
  gate.open();
  for (Client& client : clients) BOOST_TEST(client.read().status == 200);
  BOOST_TEST(get(seawall, "/a").body == "4");
  BOOST_TEST(get(seawall, "/a").body == "4");
  BOOST_TEST(origin.count("/a") == 4U);
}

BOOST_AUTO_TEST_CASE(joiners_of_another_variant_get_their_own) {
  Gate gate;
  Origin origin;
  origin.on("/a", [&](Exchange& x) {
    x.hold(gate);
    x.respond({.headers = {"Cache-Control: max-age=60", "Vary: X-Kind"}, .body = x.request().headers.get("X-Kind")});
  });
  Seawall seawall(origin);
  std::vector<Client> ones = ask(seawall, 10, "/a", {"X-Kind: one"});
  std::vector<Client> twos = ask(seawall, 10, "/a", {"X-Kind: two"});
  BOOST_TEST(until([&] { return origin.count("/a") >= 1; }));
  BOOST_TEST(twos.back().is_quiet());
  gate.open();
  for (Client& client : ones) BOOST_TEST(client.read().body == "one");
  for (Client& client : twos) BOOST_TEST(client.read().body == "two");
  // One variant could be shared; of the other, those who found out late went side by side.
  BOOST_TEST(origin.count("/a") >= 2U);
  BOOST_TEST(origin.count("/a") <= 11U);
}

BOOST_AUTO_TEST_CASE(a_revalidation_is_shared) {
  for (const int status : {200, 304}) {
    BOOST_TEST_CONTEXT(status) {
      Gate gate;
      Origin origin;
      const Lines stale = {"Cache-Control: max-age=10, must-revalidate", "Age: 1000", "ETag: \"1\""};
      origin.script(
          "/a",
          {reply({.headers = stale, .body = "old"}), [&](Exchange& x) {
             x.hold(gate);
             x.respond({.status = status, .headers = {"Cache-Control: max-age=60", "ETag: \"1\""}, .body = "new"});
           }});
      Seawall seawall(origin, {.workers = 2});
      BOOST_TEST(get(seawall, "/a").body == "old");
      std::vector<Client> clients = ask(seawall, 50, "/a");
      BOOST_TEST(until([&] { return origin.count("/a") == 2; }));
      BOOST_TEST(clients.back().is_quiet());
      gate.open();
      for (Client& client : clients) BOOST_TEST(client.read().body == (status == 304 ? "old" : "new"));
      BOOST_TEST(origin.count("/a") == 2U);
      BOOST_TEST(origin.unexpected() == 0U);
    }
  }
}

BOOST_AUTO_TEST_CASE(an_origin_that_dies_in_the_body_is_seen_by_all) {
  for (const bool reset : {false, true}) {
    for (const bool chunked : {false, true}) {
      BOOST_TEST_CONTEXT((reset ? "reset" : "closed") << (chunked ? ", chunked" : ", length")) {
        Gate gate;
        Origin origin;
        origin.on("/a", [&](Exchange& x) {
          if (x.number() > 1) {
            x.respond({.headers = {"Cache-Control: max-age=60"}, .body = "whole"});
            return;
          }
          if (chunked) {
            x.begin_chunked({"Cache-Control: max-age=60"});
            x.send_chunk("first");
          } else {
            x.send(to_bytes({.headers = {"Cache-Control: max-age=60", "Content-Length: 10"}}, true) + "first");
          }
          x.hold(gate);
          reset ? x.reset() : x.close();
        });
        Seawall seawall(origin, {.workers = 2});
        std::vector<Client> clients = ask(seawall, 50, "/a");
        for (Client& client : clients) BOOST_TEST(client.read_body(5).body == "first");
        gate.open();
        for (Client& client : clients) {
          const Response response = client.read_rest();
          BOOST_TEST(response.is_cut(), response);
          BOOST_TEST(!response.malformed);
        }
        BOOST_TEST(origin.count("/a") == 1U);
        BOOST_TEST(get(seawall, "/a").body == "whole");
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(an_origin_that_dies_before_the_head_is_asked_once) {
  Gate gate;
  Origin origin;
  origin.on("/a", [&](Exchange& x) {
    x.hold(gate);
    x.close();
  });
  Seawall seawall(origin);
  std::vector<Client> clients = ask(seawall, 50, "/a");
  BOOST_TEST(until([&] { return origin.count("/a") == 1; }));
  BOOST_TEST(clients.back().is_quiet());
  gate.open();
  for (Client& client : clients) BOOST_TEST(client.read().status == 502);
  BOOST_TEST(origin.count("/a") == 1U);
}

BOOST_AUTO_TEST_CASE(what_was_fetched_before_a_change_is_not_stored_after_it) {
  Gate gate;
  Origin origin;
  origin.on("/a", [&](Exchange& x) {
    if (x.request().method == "POST") {
      x.read_body();
      x.respond({.status = 204});
    } else if (x.number() == 1) {
      in_halves(gate, {"Cache-Control: max-age=60"})(x);
    } else {
      x.respond({.headers = {"Cache-Control: max-age=60"}, .body = "changed"});
    }
  });
  Seawall seawall(origin, {.workers = 2});
  Client early(seawall);
  early.send_request("GET", "/a");
  BOOST_TEST(early.read_body(5).body == "first");
  BOOST_TEST(fetch(seawall, "POST", "/a", {}, "x").status == 204);
  // Nobody joins the old one any more.
  BOOST_TEST(get(seawall, "/a").body == "changed");
  gate.open();
  BOOST_TEST(early.read_rest().body == "firstfinal");
  const Response after = get(seawall, "/a");
  BOOST_TEST(after.body == "changed");
  BOOST_TEST(after.is_hit(), after);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::behave
