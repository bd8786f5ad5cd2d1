// What a request gets that the cache cannot answer, by the route's miss policy, and storm mode, which changes it.
#include <sys/socket.h>
#include <sys/un.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <cstring>

#include "support/behave/admin.h"
#include "support/behave/client.h"
#include "support/behave/seawall.h"

namespace seawall::behave {
namespace {

BOOST_AUTO_TEST_SUITE(behave_miss_policy)

// Of what is answered at once; far less than any time-out of the origin, which is held meanwhile.
constexpr Millis kAtOnce{kSanitized ? 9000 : 5000};
// Behind the keys of [server].
const std::string kAdmin = "\n" + std::string(kAdminSection);
const std::string kNoRamp = "fill = { cold_start = \"0s\" }";

Reply fresh(std::string body) {
  return {.headers = {"Cache-Control: max-age=60", "ETag: \"2\""}, .body = std::move(body)};
}
// Stale by 990 seconds on arrival, so that no test has to wait. The next request has a fresh connection: a fault on it
// is not taken for a pooled one that has gone.
Reply stale(std::string body, const std::string& cache_control = "max-age=10") {
  return {.headers = {"Cache-Control: " + cache_control, "Age: 1000", "ETag: \"1\"", "Connection: close"},
          .body = std::move(body)};
}

Handler held(const Gate& gate, Reply reply) {
  return [&gate, reply = std::move(reply)](Exchange& x) {
    x.hold(gate);
    x.respond(reply);
  };
}

std::vector<Client> ask(const Seawall& seawall, std::size_t count, const std::string& path, const Lines& lines = {}) {
  std::vector<Client> clients;
  clients.reserve(count);
  for (std::size_t i = 0; i < count; ++i) clients.emplace_back(seawall);
  for (Client& client : clients) client.send_request("GET", path, lines);
  return clients;
}

std::size_t occurrences(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

BOOST_AUTO_TEST_CASE(an_async_miss_is_answered_at_once_and_fetched_behind_it) {
  Gate gate;
  Origin origin;
  origin.script("/a", {held(gate, fresh("made"))});
  Seawall seawall(origin, {.origin = kNoRamp, .route = "miss = \"async\""});
  for (int round = 0; round < 3; ++round) {
    const auto begin = SteadyClock::now();
    const Response response = get(seawall, "/a");
    BOOST_TEST((SteadyClock::now() - begin < kAtOnce));
    BOOST_TEST(response.status == 503, response);
    BOOST_TEST(response.get("Retry-After") == "1", response);
    BOOST_TEST(response.get("Cache-Control") == "no-store", response);
    BOOST_TEST(response.cache_parameter("detail").value_or("") == "async", response);
    BOOST_TEST(!response.cache_parameter("fwd").has_value(), response);
  }
  BOOST_TEST(until([&] { return origin.count("/a") == 1; }));
  gate.open();
  BOOST_TEST(until([&] { return get(seawall, "/a").is_hit(); }));
  BOOST_TEST(get(seawall, "/a").body == "made");
  BOOST_TEST(origin.count("/a") == 1U);
  BOOST_TEST(origin.unexpected() == 0U);
}

BOOST_AUTO_TEST_CASE(two_hundred_async_misses_are_one_request) {
  Gate gate;
  Origin origin;
  origin.on("/a", held(gate, fresh("made")));
  Seawall seawall(origin, {.workers = 2, .origin = kNoRamp, .route = "miss = \"async\""});
  std::vector<Client> clients = ask(seawall, 200, "/a");
  std::size_t placeholders = 0;
  for (Client& client : clients) placeholders += client.read().status == 503 ? 1U : 0U;
  BOOST_TEST(placeholders == 200U);
  gate.open();
  BOOST_TEST(until([&] { return get(seawall, "/a").is_hit(); }));
  BOOST_TEST(origin.count("/a") == 1U);
}

BOOST_AUTO_TEST_CASE(an_async_miss_is_answered_from_a_stale_copy_of_any_age_within_the_limit) {
  Gate gate;
  Origin origin;
  // Past its own windows: the route's limit is what counts.
  origin.script(
      "/a", {reply(stale("old", "max-age=10, stale-if-error=5, stale-while-revalidate=5")), held(gate, fresh("new"))});
  Seawall seawall(origin, {.origin = kNoRamp, .route = "miss = \"async\""});
  BOOST_TEST(until([&] { return get(seawall, "/a").status == 200; }));
  for (int round = 0; round < 5; ++round) {
    const Response response = get(seawall, "/a");
    BOOST_TEST(response.body == "old");
    BOOST_TEST(response.is_hit(), response);
    BOOST_TEST(response.cache_parameter("detail").value_or("") == "stale-async", response);
    BOOST_TEST(response.cache_parameter("ttl").value_or("").starts_with("-99"), response);
    BOOST_TEST(response.age() >= 1000);
  }
  BOOST_TEST(until([&] { return origin.count("/a") == 2; }));
  BOOST_TEST(origin.seen("/a", 2).headers.get("If-None-Match") == "\"1\"");
  gate.open();
  BOOST_TEST(until([&] { return get(seawall, "/a").body == "new"; }));
  BOOST_TEST(origin.unexpected() == 0U);
}

BOOST_AUTO_TEST_CASE(an_async_miss_is_not_answered_from_a_copy_that_may_not_be_used) {
  struct Row {
    const char* name;
    const char* cache_control;
    const char* route;
  };
  const Row rows[] = {
      {"must-revalidate", "max-age=10, must-revalidate", ""},
      {"no-cache", "max-age=10, no-cache", ""},
      {"past the limit", "max-age=10", "stale = { max = \"500s\" }\n"},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      Gate gate;
      Origin origin;
      origin.script("/a", {reply(stale("old", row.cache_control)), held(gate, fresh("new"))});
      Seawall seawall(origin,
                      {.server = kAdmin, .origin = kNoRamp, .route = std::string(row.route) + "miss = \"async\""});
      const Admin admin(seawall);
      BOOST_TEST(get(seawall, "/a").status == 503);
      BOOST_TEST(until([&] { return admin.metric("seawall_fills_ended_total{origin=\"main\"}") == 1; }));
      BOOST_TEST(admin.metric("seawall_cache_objects") == 1);
      const Response response = get(seawall, "/a");
      BOOST_TEST(response.status == 503, response);
      BOOST_TEST(until([&] { return origin.count("/a") == 2; }));
      // It is asked about all the same.
      BOOST_TEST(origin.seen("/a", 2).headers.get("If-None-Match") == "\"1\"");
      gate.open();
      BOOST_TEST(until([&] { return get(seawall, "/a").body == "new"; }));
    }
  }
}

BOOST_AUTO_TEST_CASE(the_placeholder_is_what_the_route_says) {
  const TemporaryDirectory directory;
  const std::string page = "<p>being made</p>\n";
  const std::string file = "file = \"" + directory.write("wait.html", page) + "\"";
  struct Row {
    std::string placeholder;
    int status;
    std::string retry_after;
    std::string type;
    std::string body;
  };
  const Row rows[] = {
      {"status = 202, " + file + ", headers = [\"Content-Type: text/html\", \"X-Wait: yes\"]", 202, "", "text/html",
       page},
      {"status = 429, retry_after = \"7s\", " + file + ", headers = [\"X-Wait: yes\"]", 429, "7",
       "text/plain; charset=utf-8", page},
      {"retry_after = \"2m\", headers = [\"X-Wait: yes\", \"Content-Type: text/plain\"]", 503, "120", "text/plain",
       "503 Service Unavailable\nnot in the cache yet (async)\n"},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.placeholder) {
      Gate gate;
      Origin origin;
      origin.on("/a", held(gate, fresh("made")));
      Seawall seawall(origin, {.route = "miss = \"async\"\nplaceholder = { " + row.placeholder + " }"});
      const Response response = get(seawall, "/a");
      BOOST_TEST(response.status == row.status, response);
      BOOST_TEST(response.get("Retry-After") == row.retry_after);
      BOOST_TEST(response.get("Content-Type") == row.type);
      BOOST_TEST(response.get("X-Wait") == "yes");
      BOOST_TEST(response.body == row.body);
      const Response head = fetch(seawall, "HEAD", "/a");
      BOOST_TEST(head.status == row.status);
      BOOST_TEST(head.get("Content-Length") == std::to_string(row.body.size()));
      gate.open();
    }
  }
}

BOOST_AUTO_TEST_CASE(a_client_may_wait_where_the_route_lets_it) {
  Gate gate;
  Origin origin;
  origin.on("/a", held(gate, fresh("made")));
  origin.on("/stale", [&](Exchange& x) {
    if (x.number() > 1) x.hold(gate);
    x.respond(x.number() > 1 ? fresh("new") : stale("old"));
  });
  Seawall seawall(origin, {.origin = kNoRamp, .route = "miss = \"async\"\nprefer = true"});
  BOOST_TEST(until([&] { return get(seawall, "/stale").status == 200; }));
  std::vector<Client> patient = ask(seawall, 20, "/a", {"Prefer: foo, wait=30"});
  std::vector<Client> patient_about_stale = ask(seawall, 5, "/stale", {"Prefer: wait=30"});
  BOOST_TEST(until([&] { return origin.count("/a") == 1; }));
  BOOST_TEST(patient.back().is_quiet());
  BOOST_TEST(patient_about_stale.back().is_quiet());
  // Others are not kept.
  BOOST_TEST(get(seawall, "/a").status == 503);
  BOOST_TEST(get(seawall, "/stale").body == "old");
  gate.open();
  for (Client& client : patient) BOOST_TEST(client.read().body == "made");
  for (Client& client : patient_about_stale) BOOST_TEST(client.read().body == "new");
  BOOST_TEST(origin.count("/a") == 1U);
  BOOST_TEST(origin.count("/stale") == 2U);
}

BOOST_AUTO_TEST_CASE(past_its_patience_a_client_gets_what_others_get_at_once) {
  Gate gate;
  Origin origin;
  origin.on("/a", held(gate, fresh("made")));
  // Past its own windows, within the route's limit.
  origin.on("/stale", [&](Exchange& x) {
    if (x.number() > 1) x.hold(gate);
    x.respond(x.number() > 1 ? fresh("new") : stale("old", "max-age=10, stale-if-error=5"));
  });
  Seawall seawall(origin,
                  {.origin = kNoRamp, .route = "miss = \"async\"\nprefer = true\nplaceholder = { status = 202 }"});
  BOOST_TEST(until([&] { return get(seawall, "/stale").status == 200; }));
  const Response missing = get(seawall, "/a", {"Prefer: wait=0"});
  BOOST_TEST(missing.status == 202, missing);
  const Response old = get(seawall, "/stale", {"Prefer: wait=0"});
  BOOST_TEST(old.body == "old", old);
  BOOST_TEST(old.is_hit(), old);
  gate.open();
}

BOOST_AUTO_TEST_CASE(a_client_that_waits_in_vain_gets_the_copy_that_others_get) {
  Gate gate;
  Origin origin;
  const auto fails = [&](Exchange& x) {
    x.hold(gate);
    x.reset();
  };
  origin.script("/a", {fails});
  origin.script("/stale", {reply(stale("old", "max-age=10, stale-if-error=5")), fails});
  Seawall seawall(origin, {.origin = kNoRamp, .route = "miss = \"async\"\nprefer = true"});
  BOOST_TEST(until([&] { return get(seawall, "/stale").status == 200; }));
  Client with_copy(seawall);
  with_copy.send_request("GET", "/stale", {"Prefer: wait=30"});
  Client without(seawall);
  without.send_request("GET", "/a", {"Prefer: wait=30"});
  BOOST_TEST(until([&] { return origin.count("/a") == 1 && origin.count("/stale") == 2; }));
  BOOST_TEST(with_copy.is_quiet());
  gate.open();
  const Response old = with_copy.read();
  BOOST_TEST(old.body == "old", old);
  BOOST_TEST(contains(old.get("Proxy-Status"), "details=\"reset\""), old);
  BOOST_TEST(without.read().status == 502);
}

BOOST_AUTO_TEST_CASE(a_client_may_not_wait_where_the_route_does_not_let_it) {
  Gate gate;
  Origin origin;
  origin.on("/a", held(gate, fresh("made")));
  Seawall seawall(origin, {.route = "miss = \"async\""});
  BOOST_TEST(get(seawall, "/a", {"Prefer: wait=30"}).status == 503);
  gate.open();
}

BOOST_AUTO_TEST_CASE(a_client_may_go_without_waiting_where_the_route_lets_it) {
  for (const bool may : {true, false}) {
    BOOST_TEST_CONTEXT((may ? "prefer = true" : "prefer = false")) {
      Gate gate;
      Origin origin;
      origin.on("/a", held(gate, fresh("made")));
      Seawall seawall(origin, {.origin = kNoRamp, .route = may ? "prefer = true" : ""});
      Client client(seawall);
      client.send_request("GET", "/a", {"Prefer: respond-async"});
      if (may) {
        const Response response = client.read();
        BOOST_TEST(response.status == 503, response);
        BOOST_TEST(response.cache_parameter("detail").value_or("") == "async", response);
      }
      BOOST_TEST(until([&] { return origin.count("/a") == 1; }));
      if (!may) BOOST_TEST(client.is_quiet());
      // One that does wait joins the fetch that was begun for the other.
      Client waiting(seawall);
      waiting.send_request("GET", "/a");
      BOOST_TEST(waiting.is_quiet());
      gate.open();
      BOOST_TEST(waiting.read().body == "made");
      if (!may) BOOST_TEST(client.read().body == "made");
      BOOST_TEST(origin.count("/a") == 1U);
    }
  }
}

BOOST_AUTO_TEST_CASE(an_async_head_or_range_has_the_whole_fetched) {
  Origin origin;
  origin.on("/head", fresh("0123456789"));
  origin.on("/range", fresh("0123456789"));
  Seawall seawall(origin, {.origin = kNoRamp, .route = "miss = \"async\""});
  BOOST_TEST(fetch(seawall, "HEAD", "/head").status == 503);
  BOOST_TEST(get(seawall, "/range", {"Range: bytes=2-3"}).status == 503);
  BOOST_TEST(until([&] { return fetch(seawall, "HEAD", "/head").is_hit(); }));
  BOOST_TEST(until([&] { return get(seawall, "/range", {"Range: bytes=2-3"}).status == 206; }));
  BOOST_TEST(get(seawall, "/range", {"Range: bytes=2-3"}).body == "23");
  for (const char* path : {"/head", "/range"}) {
    BOOST_TEST(get(seawall, path).body == "0123456789");
    BOOST_TEST(origin.count(path) == 1U);
    BOOST_TEST(origin.seen(path).method == "GET");
    BOOST_TEST(!origin.seen(path).headers.has("Range"));
  }
}

BOOST_AUTO_TEST_CASE(what_is_not_asked_of_the_cache_passes_an_async_route) {
  Origin origin;
  origin.on("/a", [](Exchange& x) { x.respond({.body = x.request().method + " " + x.read_body()}); });
  Seawall seawall(origin, {.route = "miss = \"async\""});
  BOOST_TEST(fetch(seawall, "POST", "/a", {}, "x").body == "POST x");
  BOOST_TEST(fetch(seawall, "PUT", "/a", {}, "y").body == "PUT y");
  BOOST_TEST(fetch(seawall, "DELETE", "/a").body == "DELETE ");
  BOOST_TEST(origin.count("/a") == 3U);
}

BOOST_AUTO_TEST_CASE(what_proves_uncacheable_is_not_fetched_for_each_request_of_an_async_route) {
  Origin origin;
  origin.on("/a", Reply{.headers = {"Cache-Control: no-store"}, .body = "private"});
  Seawall seawall(origin, {.origin = kNoRamp, .route = "miss = \"async\""});
  BOOST_TEST(get(seawall, "/a").status == 503);
  BOOST_TEST(until([&] {
    const Response response = get(seawall, "/a");
    return response.status == 503 && response.cache_parameter("detail").value_or("") == "hit-for-miss";
  }));
  const std::size_t asked = origin.count("/a");
  for (int round = 0; round < 20; ++round) BOOST_TEST(get(seawall, "/a").status == 503);
  BOOST_TEST(origin.count("/a") == asked);
}

// What one user gets is not stored, and says nothing of what all get.
BOOST_AUTO_TEST_CASE(one_user_s_answer_does_not_keep_an_async_route_from_fetching_for_all) {
  Origin origin;
  origin.on("/a", fresh("made"));
  Seawall seawall(origin, {.server = kAdmin, .origin = kNoRamp, .route = "miss = \"async\""});
  const Admin admin(seawall);
  BOOST_TEST(get(seawall, "/a", {"Authorization: Basic YTpi"}).status == 503);
  BOOST_TEST(until([&] { return admin.metric("seawall_fills_ended_total{origin=\"main\"}") == 1; }));
  BOOST_TEST(until([&] { return get(seawall, "/a").is_hit(); }));
}

// A client's Cache-Control does not open the way to an origin that no client may ask.
BOOST_AUTO_TEST_CASE(no_request_directive_reaches_the_origin_of_a_route_that_spares_it) {
  struct Row {
    const char* policy;
    const char* directive;
  };
  const Row rows[] = {{"async", "no-store"},      {"push", "no-store"},       {"push", "no-cache"},
                      {"push", "max-age=0"},      {"stale-only", "no-store"}, {"stale-only", "no-cache"},
                      {"async", "only-if-cached"}};
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.policy << ", " << row.directive) {
      Origin origin;
      Seawall seawall(origin, {.server = kAdmin, .route = "miss = \"" + std::string(row.policy) + "\""});
      const Admin admin(seawall);
      const Lines lines = {"Cache-Control: " + std::string(row.directive)};
      for (int round = 0; round < 3; ++round) BOOST_TEST(get(seawall, "/a", lines).status / 100 == 5);
      const Lines put = {"Cache-Control: max-age=60"};
      BOOST_TEST(admin.request("PUT", "/v1/objects?url=http%3A%2F%2Fa.test%2Fa", put, "put").status == 201);
      for (int round = 0; round < 3; ++round) BOOST_TEST(get(seawall, "/a", lines).body == "put");
      BOOST_TEST(origin.total() == 0U);
    }
  }
}

const std::string kPushRoute = "name = \"r\"\nmiss = \"push\"";
const std::string kPut = "/v1/objects?url=http%3A%2F%2Fa.test%2Fa";

BOOST_AUTO_TEST_CASE(a_push_miss_is_told_as_a_server_sent_event_once_and_never_asks_the_origin) {
  Origin origin;
  Seawall seawall(origin, {.workers = 2, .server = kAdmin, .route = kPushRoute});
  const Admin admin(seawall);
  Client events(admin.port());
  events.send_request("GET", "/v1/events", {"Host: 127.0.0.1"});
  BOOST_TEST(events.read_head().get("Content-Type") == "text/event-stream");
  for (int round = 0; round < 20; ++round) {
    const Response response = get(seawall, "/a?x=1");
    BOOST_TEST(response.status == 503, response);
    BOOST_TEST(response.has("Retry-After"));
    BOOST_TEST(response.cache_parameter("detail").value_or("") == "push", response);
  }
  get(seawall, "/b");
  std::string told;
  while (!contains(told, "http://a.test/b\"")) told = events.read_body(told.size() + 1).body;
  BOOST_TEST(occurrences(told, "\"url\":\"http://a.test/a?x=1\"") == 1U, told);
  BOOST_TEST(contains(told, "event: miss\n"), told);
  BOOST_TEST(contains(told, "\"route\":\"r\""), told);
  BOOST_TEST(contains(told, "\"origin\":\"main\""), told);
  BOOST_TEST(contains(told, "\"why\":\"uri-miss\""), told);
  BOOST_TEST(admin.metric("seawall_miss_events_total") == 2);
  BOOST_TEST(admin.metric("seawall_miss_events_duplicates_total") == 19);
  BOOST_TEST(origin.total() == 0U);
}

BOOST_AUTO_TEST_CASE(a_push_miss_is_told_again_after_a_while) {
  Origin origin;
  const TemporaryDirectory directory;
  Seawall seawall(origin, {.server = "\n[push]\nrepeat = \"50ms\"\nfile = \"" + directory.path() + "/misses\"\n",
                           .route = kPushRoute});
  BOOST_TEST(until([&] {
    get(seawall, "/a");
    return occurrences(directory.read("misses"), "http://a.test/a\"") >= 3;
  }));
  // Whole lines of JSON.
  const std::string lines = directory.read("misses");
  BOOST_TEST(lines.starts_with("{\"id\":1,\"time\":\""), lines);
  BOOST_TEST(lines.ends_with("}\n"), lines);
  BOOST_TEST(origin.total() == 0U);
}

BOOST_AUTO_TEST_CASE(push_misses_past_the_rate_are_not_told) {
  Origin origin;
  Seawall seawall(origin, {.server = kAdmin + "[push]\nper_second = 3\n", .route = kPushRoute});
  const Admin admin(seawall);
  for (int i = 0; i < 30; ++i) BOOST_TEST(get(seawall, "/" + std::to_string(i)).status == 503);
  BOOST_TEST(admin.metric("seawall_miss_events_total") >= 3);
  BOOST_TEST(admin.metric("seawall_miss_events_limited_total") >= 1);
  BOOST_TEST(admin.metric("seawall_miss_events_total") + admin.metric("seawall_miss_events_limited_total") == 30);
}

BOOST_AUTO_TEST_CASE(a_push_miss_is_told_on_a_unix_socket) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/misses.sock";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  BOOST_REQUIRE(path.size() < sizeof address.sun_path);
  std::memcpy(address.sun_path, path.data(), path.size());
  const Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  BOOST_REQUIRE(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  BOOST_REQUIRE(::listen(listener.get(), 4) == 0);
  Origin origin;
  Seawall seawall(origin, {.server = "\n[push]\nfile = \"unix:" + path + "\"\n", .route = kPushRoute});
  for (const char* url : {"/a", "/a", "/b"}) BOOST_TEST(get(seawall, url).status == 503);
  Socket reader(Fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)));
  std::string told;
  while (occurrences(told, "\n") < 2) BOOST_REQUIRE((reader.receive(told) == Socket::Read::kBytes));
  BOOST_TEST(occurrences(told, "\"url\":\"http://a.test/a\"") == 1U, told);
  BOOST_TEST(occurrences(told, "\"url\":\"http://a.test/b\"") == 1U, told);
  BOOST_TEST(origin.total() == 0U);
}

BOOST_AUTO_TEST_CASE(a_webhook_that_fails_is_told_again) {
  const auto answer = [](int status) {
    return [status](Exchange& x) {
      x.read_body();
      x.respond({.status = status});
    };
  };
  Origin hook;
  hook.script("/misses", {answer(500), answer(200)});
  Origin origin;
  Seawall seawall(origin,
                  {.server = "\n[push]\nwebhook = \"http://" + hook.authority() + "/misses\"\n", .route = kPushRoute});
  BOOST_TEST(get(seawall, "/a").status == 503);
  BOOST_TEST(until([&] { return hook.count("/misses") == 2 && hook.seen("/misses", 2).body_complete; }));
  for (const std::size_t nth : {1U, 2U}) {
    const SeenRequest told = hook.seen("/misses", nth);
    BOOST_TEST(told.method == "POST");
    BOOST_TEST(told.headers.get("Content-Type") == "application/json");
    BOOST_TEST(told.body.starts_with("[{\"id\":1,"), told.body);
    BOOST_TEST(contains(told.body, "\"url\":\"http://a.test/a\""), told.body);
  }
  BOOST_TEST(seawall.process().says("answered 500"));
  BOOST_TEST(origin.total() == 0U);
}

BOOST_AUTO_TEST_CASE(what_is_put_is_served_and_stale_copies_too_when_it_expires) {
  Origin origin;
  Seawall seawall(origin, {.workers = 2, .server = kAdmin, .route = kPushRoute});
  const Admin admin(seawall);
  BOOST_TEST(get(seawall, "/a").status == 503);
  const Lines lines = {"Cache-Control: max-age=60", "Content-Type: text/x", "X-Own: 1"};
  const Response created = admin.request("PUT", kPut, lines, "first");
  BOOST_TEST(created.status == 201, created);
  for (int round = 0; round < 4; ++round) {
    const Response hit = get(seawall, "/a");
    BOOST_TEST(hit.is_hit(), hit);
    BOOST_TEST(hit.body == "first");
    BOOST_TEST(hit.get("Content-Type") == "text/x");
    BOOST_TEST(hit.get("X-Own") == "1");
  }
  BOOST_TEST(admin.request("PUT", kPut + "&status=404", lines, "second").status == 200);
  BOOST_TEST(get(seawall, "/a").status == 404);
  BOOST_TEST(get(seawall, "/a").body == "second");
  const Response purged = admin.request("POST", "/v1/purge", {"Content-Type: application/json"},
                                        R"({"urls": ["http://a.test/a"], "soft": true})");
  BOOST_TEST(purged.status == 200, purged);
  const Response old = get(seawall, "/a");
  BOOST_TEST(old.body == "second");
  BOOST_TEST(old.cache_parameter("detail").value_or("") == "stale-only", old);
  BOOST_TEST(origin.total() == 0U);
}

BOOST_AUTO_TEST_CASE(a_bad_put_is_told_why_and_changes_nothing) {
  struct Row {
    const char* name;
    std::string target;
    Lines lines;
    std::string body;
    int status;
  };
  const std::string age = "Cache-Control: max-age=60";
  const Row rows[] = {
      {"no URL", "/v1/objects", {age}, "x", 400},
      {"not absolute", "/v1/objects?url=%2Fa", {age}, "x", 400},
      {"no host", "/v1/objects?url=http%3A%2F%2F%2Fa", {age}, "x", 400},
      {"not http", "/v1/objects?url=ftp%3A%2F%2Fa.test%2Fa", {age}, "x", 400},
      {"bad escape", "/v1/objects?url=%zz", {age}, "x", 400},
      {"no length", kPut, {age}, "", 411},
      {"too large", kPut, {age, "Content-Length: 1000000000"}, "", 413},
      {"no route", "/v1/objects?url=http%3A%2F%2Fother.test%2Fa", {age}, "x", 404},
      {"status", kPut + "&status=700", {age}, "x", 400},
      {"body with 204", kPut + "&status=204", {age}, "x", 422},
      {"part", kPut, {age, "Content-Range: bytes 0-0/2"}, "x", 400},
      {"private", kPut, {"Cache-Control: private, max-age=60"}, "x", 422},
      {"no-store", kPut, {"Cache-Control: no-store"}, "x", 422},
      {"no-cache", kPut, {"Cache-Control: no-cache"}, "x", 422},
      {"no freshness", kPut, {}, "x", 422},
      {"stale", kPut, {age, "Age: 100"}, "x", 422},
      {"Vary", kPut, {age, "Vary: Accept"}, "x", 422},
      {"Vary *", kPut, {age, "Vary: *"}, "x", 422},
  };
  Origin origin;
  Seawall seawall(origin, {.server = kAdmin, .route = kPushRoute});
  const Admin admin(seawall);
  // So that there is a host without a route.
  std::string config = seawall.config();
  config.replace(config.find("host = \"*\""), 10, "host = \"a.test\"");
  seawall.write_config(config);
  seawall.process().signal(SIGHUP);
  BOOST_TEST(until([&] { return admin.metric("seawall_config_reloads_total") == 1; }));

  BOOST_TEST(admin.request("PUT", kPut, {age}, "good").status == 201);
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const Response response = admin.request("PUT", row.target, row.lines, row.body);
      BOOST_TEST(response.status == row.status, response);
      BOOST_TEST(response.get("Content-Type") == "application/problem+json", response);
      BOOST_TEST(contains(response.body, "\"detail\""), response.body);
      BOOST_TEST(get(seawall, "/a").body == "good");
      BOOST_TEST(admin.metric("seawall_cache_objects") == 1);
    }
  }
  BOOST_TEST(origin.total() == 0U);
}

BOOST_AUTO_TEST_CASE(a_stale_only_route_never_asks_the_origin) {
  Origin origin;
  Seawall seawall(origin, {.server = kAdmin, .route = "miss = \"stale-only\""});
  const Admin admin(seawall);
  const Response missing = get(seawall, "/a");
  BOOST_TEST(missing.status == 503, missing);
  BOOST_TEST(missing.has("Retry-After"));
  BOOST_TEST(missing.cache_parameter("detail").value_or("") == "not-stored", missing);
  BOOST_TEST(admin.request("PUT", kPut, {"Cache-Control: max-age=60"}, "put").status == 201);
  BOOST_TEST(get(seawall, "/a").body == "put");
  admin.request("POST", "/v1/purge", {"Content-Type: application/json"},
                R"({"urls": ["http://a.test/a"], "soft": true})");
  for (int round = 0; round < 3; ++round) {
    const Response old = get(seawall, "/a");
    BOOST_TEST(old.body == "put");
    BOOST_TEST(old.cache_parameter("detail").value_or("") == "stale-only", old);
  }
  BOOST_TEST(origin.total() == 0U);
}

BOOST_AUTO_TEST_CASE(a_pass_route_asks_the_origin_each_time) {
  Origin origin;
  origin.on("/a", [](Exchange& x) {
    x.respond({.headers = {"Cache-Control: max-age=60"}, .body = std::to_string(x.number())});
  });
  Seawall seawall(origin, {.server = kAdmin, .route = "miss = \"pass\""});
  for (const char* body : {"1", "2", "3"}) {
    const Response response = get(seawall, "/a");
    BOOST_TEST(response.body == body);
    BOOST_TEST(response.cache_parameter("detail").value_or("") == "pass-route", response);
  }
  BOOST_TEST(Admin(seawall).metric("seawall_cache_objects") == 0);
}

BOOST_AUTO_TEST_CASE(those_who_wait_too_long_get_the_stale_copy_and_do_not_go_to_the_origin) {
  Gate gate;
  Origin origin;
  origin.script("/a", {reply(stale("old", "max-age=10, stale-if-error=5000")), held(gate, fresh("new"))});
  origin.script("/cold", {held(gate, fresh("made"))});
  Seawall seawall(origin, {.workers = 2, .collapse = "wait = \"200ms\""});
  BOOST_TEST(get(seawall, "/a").body == "old");
  Client starter(seawall);
  starter.send_request("GET", "/a");
  Client cold(seawall);
  cold.send_request("GET", "/cold");
  BOOST_TEST(until([&] { return origin.count("/a") == 2 && origin.count("/cold") == 1; }));
  std::vector<Client> with_copy = ask(seawall, 50, "/a");
  std::vector<Client> without = ask(seawall, 50, "/cold");
  for (Client& client : with_copy) {
    const Response response = client.read();
    BOOST_TEST(response.body == "old", response);
    BOOST_TEST(response.cache_parameter("detail").value_or("") == "wait-timeout", response);
    BOOST_TEST(response.age() >= 1000);
  }
  for (Client& client : without) {
    const Response response = client.read();
    BOOST_TEST(response.status == 503, response);
    BOOST_TEST(response.has("Retry-After"));
  }
  gate.open();
  BOOST_TEST(starter.read().body == "new");
  BOOST_TEST(cold.read().body == "made");
  BOOST_TEST(origin.total() == 3U);
  BOOST_TEST(origin.unexpected() == 0U);
}

const std::string kCalm = "name = \"r\"\nprefer = true\n";

void expect_storm(const Seawall& seawall, const Admin& admin, const std::string& cause) {
  const Response missing = get(seawall, "/asked-in-the-storm");
  BOOST_TEST(missing.status == 503, missing);
  BOOST_TEST(missing.has("Retry-After"));
  BOOST_TEST(missing.cache_parameter("detail").value_or("") == "storm", missing);
  const std::string route = admin.get("/v1/routes/r").body;
  BOOST_TEST(contains(route, "\"active\": true"), route);
  BOOST_TEST(contains(route, "\"cause\": \"" + cause + "\""), route);
  BOOST_TEST(admin.metric("seawall_storm_active{route=\"r\"}") == 1);
  BOOST_TEST(admin.metric("seawall_storms_total{route=\"r\"}") == 1);
}

void expect_calm(Seawall& seawall, const Admin& admin) {
  BOOST_TEST(seawall.process().says("route r: storm mode ends"));
  BOOST_TEST(admin.metric("seawall_storm_active{route=\"r\"}") == 0);
  BOOST_TEST(contains(admin.get("/v1/routes/r").body, "\"active\": false"));
  // Misses wait for the origin again.
  const Response response = get(seawall, "/asked-after-the-storm");
  BOOST_TEST(response.status == 200, response);
}

BOOST_AUTO_TEST_CASE(storm_mode_begins_when_the_breaker_opens) {
  std::atomic<bool> is_well = false;
  Origin origin;
  origin.otherwise([&](Exchange& x) { x.respond(is_well ? fresh("well") : Reply{.status = 503, .body = "sick"}); });
  Seawall seawall(origin, {.server = kAdmin,
                           .origin = kNoRamp + "\nbreaker = { min_requests = 4, open = \"1500ms\", close_after = 1 }",
                           .route = kCalm + "storm = { calm = \"1ms\" }"});
  const Admin admin(seawall);
  for (const char* path : {"/1", "/2", "/3", "/4"}) BOOST_TEST(get(seawall, path).body == "sick");
  expect_storm(seawall, admin, "breaker-open");
  BOOST_TEST(seawall.process().says("route r: storm mode begins (breaker-open)"));
  BOOST_TEST(origin.count("/asked-in-the-storm") == 0U);
  is_well = true;
  // What was asked for in the storm is the probe: no client has to be.
  BOOST_TEST(until([&] { return get(seawall, "/asked-in-the-storm").is_hit(); }, 3 * kLimit));
  BOOST_TEST(origin.count("/asked-in-the-storm") == 1U);
  expect_calm(seawall, admin);
}

BOOST_AUTO_TEST_CASE(storm_mode_begins_when_the_fill_queue_is_full) {
  Gate gate;
  Origin origin;
  origin.otherwise(held(gate, fresh("made")));
  Seawall seawall(origin, {.server = kAdmin,
                           .origin = "fill = { cold_start = \"0s\", concurrent = 1, queue = 1 }",
                           .route = kCalm + "storm = { calm = \"1ms\" }"});
  const Admin admin(seawall);
  const Lines async = {"Prefer: respond-async"};
  BOOST_TEST(get(seawall, "/1", async).status == 503);
  BOOST_TEST(until([&] { return origin.count("/1") == 1; }));
  BOOST_TEST(get(seawall, "/2", async).status == 503);
  expect_storm(seawall, admin, "fill-queue-full");
  BOOST_TEST(seawall.process().says("route r: storm mode begins (fill-queue-full)"));
  BOOST_TEST(origin.total() == 1U);
  gate.open();
  expect_calm(seawall, admin);
}

BOOST_AUTO_TEST_CASE(storm_mode_begins_when_the_misses_are_too_many) {
  Origin origin;
  origin.otherwise(reply(fresh("made")));
  Seawall seawall(
      origin,
      {.server = kAdmin, .origin = kNoRamp, .route = kCalm + "storm = { misses_per_second = 5, calm = \"1ms\" }"});
  const Admin admin(seawall);
  Client client(seawall);
  std::size_t waited = 0;
  for (int i = 0; i < 60; ++i) waited += client.get("/" + std::to_string(i)).status == 200 ? 1U : 0U;
  BOOST_TEST(waited >= 4U);
  BOOST_TEST(waited < 60U);
  expect_storm(seawall, admin, "miss-rate");
  BOOST_TEST(seawall.process().says("route r: storm mode begins (miss-rate)"));
  // Hits are not misses: they do not keep it up.
  BOOST_TEST(until(
      [&] { return client.get("/1").is_hit() && !contains(admin.get("/v1/routes/r").body, "\"active\": true"); }));
  expect_calm(seawall, admin);
}

BOOST_AUTO_TEST_CASE(storm_mode_can_be_turned_off) {
  Origin origin;
  origin.stop();
  Seawall seawall(origin, {.server = kAdmin,
                           .origin = "breaker = { connect_failures = 1, open = \"30s\" }",
                           .route = kCalm + "storm = { enabled = false }"});
  BOOST_TEST(get(seawall, "/1").status == 502);
  const Response response = get(seawall, "/2");
  BOOST_TEST(response.status == 503, response);
  BOOST_TEST(response.cache_parameter("detail").value_or("") == "breaker-open", response);
  BOOST_TEST(Admin(seawall).metric("seawall_storm_active{route=\"r\"}") == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::behave
