// What is passed on, what is not, what is added, and over which connection.
#include <boost/test/unit_test.hpp>
#include <sstream>

#include "support/behave/client.h"
#include "support/behave/seawall.h"

namespace seawall::behave {
namespace {

BOOST_AUTO_TEST_SUITE(behave_forwarding)

BOOST_AUTO_TEST_CASE(hop_by_hop_fields_of_requests_stop_here) {
  Origin origin;
  origin.on("/a", [](Exchange& x) { x.respond({.headers = {"Cache-Control: no-store"}, .body = x.read_body()}); });
  Seawall seawall(origin);
  const Response response =
      fetch(seawall, "POST", "/a",
            {"Connection: X-Private, keep-alive", "Connection: x-other", "X-Private: 1", "X-Other: 2",
             "Keep-Alive: timeout=5", "Proxy-Connection: keep-alive", "TE: gzip", "Upgrade: foo/1", "X-Stays: 3"},
            "body");
  BOOST_TEST(response.body == "body");
  const SeenRequest seen = origin.seen("/a");
  for (const char* name : {"X-Private", "X-Other", "Keep-Alive", "Proxy-Connection", "Upgrade"}) {
    BOOST_TEST(!seen.headers.has(name), name);
  }
  BOOST_TEST(!contains(seen.headers.get("TE"), "gzip"));
  BOOST_TEST(!contains(seen.headers.get("Connection"), "X-Private"));
  BOOST_TEST(seen.headers.get("X-Stays") == "3");
}

BOOST_AUTO_TEST_CASE(connection_cannot_name_what_routing_and_caching_need) {
  Origin origin;
  origin.on("/a", [](Exchange& x) { x.respond({.headers = {"Cache-Control: no-store"}, .body = x.read_body()}); });
  Seawall seawall(origin);
  const Response response =
      fetch(seawall, "POST", "/a",
            {"Connection: Host, Content-Length, Via, X-Forwarded-For, Forwarded, Authorization, Cookie, Cache-Control",
             "X-Forwarded-For: 192.0.2.1", "Via: 1.1 first", "Cache-Control: max-age=5"},
            "body");
  BOOST_TEST(response.body == "body");
  const SeenRequest seen = origin.seen("/a");
  BOOST_TEST(seen.headers.get("Host") == "a.test");
  BOOST_TEST(contains(seen.headers.get("Via"), "1.1 first"));
  BOOST_TEST(seen.body == "body");
}

BOOST_AUTO_TEST_CASE(hop_by_hop_fields_of_responses_stop_here) {
  Origin origin;
  const Lines hop = {"Connection: X-Private, keep-alive", "X-Private: 1", "Keep-Alive: timeout=5",
                     "Proxy-Connection: keep-alive", "X-Stays: 3"};
  Lines stored = hop;
  stored.emplace_back("Cache-Control: max-age=60");
  Lines passed = hop;
  passed.emplace_back("Cache-Control: no-store");
  origin.on("/stored", Reply{.headers = stored, .body = "a"});
  origin.on("/passed", Reply{.headers = passed, .body = "a"});
  Seawall seawall(origin);
  for (const char* path : {"/stored", "/stored", "/passed"}) {
    BOOST_TEST_CONTEXT(path) {
      const Response response = get(seawall, path);
      for (const char* name : {"X-Private", "Keep-Alive", "Proxy-Connection"}) BOOST_TEST(!response.has(name), name);
      BOOST_TEST(!contains(response.get("Connection"), "X-Private"));
      BOOST_TEST(response.get("X-Stays") == "3");
    }
  }
  BOOST_TEST(origin.count("/stored") == 1U);
}

BOOST_AUTO_TEST_CASE(a_response_cannot_drop_what_describes_it) {
  Origin origin;
  origin.on("/a", Reply{.headers = {"Cache-Control: max-age=60",
                                    "Connection: Content-Length, Cache-Control, Date, ETag", "ETag: \"a\""},
                        .body = "hello"});
  Seawall seawall(origin);
  for (int round = 0; round < 2; ++round) {
    const Response response = get(seawall, "/a");
    BOOST_TEST(response.body == "hello");
    BOOST_TEST(response.complete);
    BOOST_TEST(response.has("Date"));
  }
}

BOOST_AUTO_TEST_CASE(a_trusted_proxy_tells_of_its_clients) {
  Origin origin;
  origin.on("/a", [](Exchange& x) {
    x.respond({.headers = {"Cache-Control: max-age=60"}, .body = x.request().headers.get("X-Forwarded-Proto")});
  });
  const TemporaryDirectory directory;
  Seawall seawall(origin, {.server = "trusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\"]",
                           .log = "access = \"" + directory.path() + "/access.log\""});
  const Lines secure = {"X-Forwarded-For: 10.9.9.9, 192.0.2.1, 10.0.0.2", "X-Forwarded-Proto: https",
                        "X-Forwarded-Port: 443"};
  BOOST_TEST(get(seawall, "/a", secure).body == "https");
  const SeenRequest seen = origin.seen("/a");
  BOOST_TEST(seen.headers.get("X-Forwarded-For") == "10.9.9.9, 192.0.2.1, 10.0.0.2, 127.0.0.1");
  BOOST_TEST(seen.headers.get("X-Forwarded-Port") == "443");
  BOOST_TEST(seen.headers.get("Forwarded").starts_with("for=127.0.0.1;proto=http;"));
  // Two schemes, two objects.
  BOOST_TEST(get(seawall, "/a").body == "http");
  BOOST_TEST(get(seawall, "/a", secure).is_hit());
  BOOST_TEST(get(seawall, "/a", {"X-Forwarded-For: 192.0.2.7"}).is_hit());
  BOOST_TEST(origin.count("/a") == 2U);
  const auto clients = [&] {
    std::vector<std::string> words;
    std::istringstream lines(directory.read("access.log"));
    for (std::string line; std::getline(lines, line);) words.push_back(line.substr(0, line.find(' ')));
    return words;
  };
  BOOST_TEST(until([&] { return clients().size() == 4; }));
  BOOST_TEST((clients() == std::vector<std::string>{"192.0.2.1", "127.0.0.1", "192.0.2.1", "192.0.2.7"}),
             directory.read("access.log"));
}

BOOST_AUTO_TEST_CASE(certificates_that_clients_claim_to_have_reach_no_origin) {
  Origin origin;
  origin.on("/a", Reply{.headers = {"Cache-Control: no-store"}, .body = "a"});
  Seawall seawall(origin);
  get(seawall, "/a", {"Client-Cert: :AAAA:", "X-SSL-Client-Verify: SUCCESS", "x_ssl_client_s_dn: CN=me", "X-Other: 1"});
  const SeenRequest seen = origin.seen("/a");
  for (const char* name : {"Client-Cert", "X-SSL-Client-Verify", "x_ssl_client_s_dn"}) {
    BOOST_TEST(!seen.headers.has(name), name);
  }
  BOOST_TEST(seen.headers.has("X-Other"));
}

BOOST_AUTO_TEST_CASE(the_way_of_a_request_is_recorded) {
  Origin origin;
  origin.on("/a", Reply{.headers = {"Cache-Control: no-store", "Via: 1.1 behind"}, .body = "a"});
  Seawall seawall(origin);
  const Response plain = get(seawall, "/a");
  SeenRequest seen = origin.seen("/a");
  BOOST_TEST(seen.headers.get("Via") == "1.1 seawall");
  BOOST_TEST(seen.headers.get("X-Forwarded-For") == "127.0.0.1");
  BOOST_TEST(seen.headers.get("X-Forwarded-Proto") == "http");
  BOOST_TEST(seen.headers.get("X-Forwarded-Host") == "a.test");
  BOOST_TEST(contains(seen.headers.get("Forwarded"), "for=127.0.0.1"));
  BOOST_TEST(contains(seen.headers.get("Forwarded"), "proto=http"));
  BOOST_TEST(plain.get("Via") == "1.1 behind, 1.1 seawall");

  get(seawall, "/a", {"Via: 1.0 first", "X-Forwarded-For: 192.0.2.1", "Forwarded: for=192.0.2.1;proto=https"});
  seen = origin.seen("/a");
  BOOST_TEST(seen.headers.get("Via") == "1.0 first, 1.1 seawall");
  // What a client says of itself, nobody is told.
  BOOST_TEST(seen.headers.get("X-Forwarded-For") == "127.0.0.1");
  BOOST_TEST(seen.headers.get("Forwarded").starts_with("for=127.0.0.1;proto=http;"));

  Client old(seawall);
  old.send("GET /a HTTP/1.0\r\nHost: a.test\r\n\r\n");
  BOOST_TEST(old.read().body == "a");
  BOOST_TEST(origin.seen("/a").headers.get("Via") == "1.0 seawall");
}

BOOST_AUTO_TEST_CASE(date_is_added_when_it_is_missing) {
  Origin origin;
  origin.on("/none", Reply{.headers = {"Cache-Control: max-age=60"}, .body = "a", .date = false});
  origin.on("/own",
            Reply{.headers = {"Cache-Control: max-age=60", "Date: Sun, 06 Nov 1994 08:49:37 GMT"}, .body = "a"});
  Seawall seawall(origin);
  const std::string first = get(seawall, "/none").get("Date");
  BOOST_TEST(first.size() == 29U);
  BOOST_TEST(first.ends_with(" GMT"));
  BOOST_TEST(get(seawall, "/none").get("Date") == first);
  BOOST_TEST(get(seawall, "/own").get("Date") == "Sun, 06 Nov 1994 08:49:37 GMT");
}

BOOST_AUTO_TEST_CASE(the_client_s_host_is_preserved_by_default) {
  Origin origin;
  origin.otherwise([](Exchange& x) {
    x.respond({.headers = {"Cache-Control: max-age=60"}, .body = x.request().headers.get("Host")});
  });
  Seawall seawall(origin);
  BOOST_TEST(get(seawall, "/a", {"Host: one.test"}).body == "one.test");
  BOOST_TEST(get(seawall, "/a", {"Host: two.test"}).body == "two.test");
  // What names the same resource shares its entry, and is sent in one form.
  for (const char* host : {"Host: ONE.test", "Host: one.test:80", "Host: one.test."}) {
    const Response response = get(seawall, "/a", {host});
    BOOST_TEST(response.body == "one.test", host);
    BOOST_TEST(response.is_hit(), host);
  }
  BOOST_TEST(origin.total() == 2U);
}

BOOST_AUTO_TEST_CASE(the_origin_s_host_is_sent_on_demand) {
  Origin origin;
  origin.otherwise([](Exchange& x) {
    x.respond({.headers = {"Cache-Control: max-age=60"}, .body = x.request().headers.get("X-Forwarded-Host")});
  });
  Seawall seawall(origin, {.origin = "host = \"origin\""});
  BOOST_TEST(get(seawall, "/a", {"Host: one.test"}).body == "one.test");
  BOOST_TEST(get(seawall, "/a", {"Host: two.test"}).body == "two.test");
  BOOST_TEST(origin.seen("/a", 1).headers.get("Host") == origin.authority());
  BOOST_TEST(origin.total() == 2U);
}

BOOST_AUTO_TEST_CASE(targets_are_normalised_in_the_key_and_on_the_way_alike) {
  Origin origin;
  origin.otherwise(
      [](Exchange& x) { x.respond({.headers = {"Cache-Control: max-age=60"}, .body = x.request().target}); });
  Seawall seawall(origin);
  struct Row {
    const char* sent;
    const char* forwarded;
  };
  const Row rows[] = {
      {"/plain", "/plain"},       {"/%7euser/%41", "/~user/A"},
      {"/a%2fb", "/a%2Fb"},       {"/a/../b", "/b"},
      {"/a/./c", "/a/c"},         {"/../../d", "/d"},
      {"/e//f", "/e//f"},         {"/g?x=%2f&y=%7e", "/g?x=%2F&y=%7E"},
      {"/h?a=../b", "/h?a=../b"}, {"/i;p=1?", "/i;p=1?"},
      {"/%2e%2e/j", "/j"},        {"/k/%2E/l", "/k/l"},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.sent) {
      BOOST_TEST(get(seawall, row.sent).body == row.forwarded);
      // The normal form names the same entry.
      BOOST_TEST(get(seawall, row.forwarded).is_hit());
    }
  }
}

BOOST_AUTO_TEST_CASE(origin_connections_are_used_again) {
  Origin origin;
  origin.otherwise([](Exchange& x) { x.respond({.headers = {"Cache-Control: no-store"}, .body = x.read_body()}); });
  Seawall seawall(origin);
  for (int i = 0; i < 10; ++i) BOOST_TEST(get(seawall, "/" + std::to_string(i)).status == 200);
  BOOST_TEST(origin.connections() == 1U);
}

BOOST_AUTO_TEST_CASE(idle_origin_connections_are_bounded_in_number_and_time) {
  Origin origin;
  Gate gate;
  origin.otherwise([&](Exchange& x) {
    x.hold(gate);
    x.respond({.headers = {"Cache-Control: no-store"}});
  });
  Seawall seawall(origin, {.origin = "idle_connections = 1\nidle_timeout = \"200ms\""});
  std::vector<Client> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back(seawall);
    clients.back().send_request("GET", "/" + std::to_string(i));
  }
  BOOST_TEST(until([&] { return origin.total() == 3; }));
  gate.open();
  for (Client& client : clients) BOOST_TEST(client.read().status == 200);
  BOOST_TEST(origin.connections() == 3U);
  BOOST_TEST(until([&] { return origin.open_connections() <= 1; }));
  BOOST_TEST(until([&] { return origin.open_connections() == 0; }));
  BOOST_TEST(get(seawall, "/next").status == 200);
}

BOOST_AUTO_TEST_CASE(a_response_that_closes_is_not_used_again) {
  Origin origin;
  origin.on("/close", Reply{.headers = {"Cache-Control: no-store", "Connection: close"}, .body = "a"});
  origin.on("/old",
            [](Exchange& x) { x.send("HTTP/1.0 200 OK\r\nCache-Control: no-store\r\nContent-Length: 1\r\n\r\na"); });
  origin.on("/until-close", [](Exchange& x) {
    x.send("HTTP/1.1 200 OK\r\nCache-Control: no-store\r\n\r\na");
    x.close();
  });
  Seawall seawall(origin);
  std::size_t expected = 0;
  for (const char* path : {"/close", "/close", "/old", "/old", "/until-close", "/until-close"}) {
    BOOST_TEST_CONTEXT(path) {
      const Response response = get(seawall, path);
      BOOST_TEST(response.body == "a");
      BOOST_TEST(response.complete);
      BOOST_TEST(origin.connections() == ++expected);
    }
  }
}

// The origin closes a pooled connection just as the next request comes in on it.
BOOST_AUTO_TEST_CASE(a_request_is_sent_again_only_when_that_is_safe) {
  Origin origin;
  const auto only_first = [](Exchange& x) {
    if (x.request().on_connection > 1) {
      x.close();
    } else {
      x.respond({.headers = {"Cache-Control: no-store"}, .body = x.read_body()});
    }
  };
  origin.otherwise(only_first);
  Seawall seawall(origin);
  BOOST_TEST(get(seawall, "/warm").status == 200);
  for (const char* method : {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"}) {
    BOOST_TEST_CONTEXT(method) {
      const std::string path = std::string("/") + method;
      const Response response = fetch(seawall, method, path);
      BOOST_TEST(response.status == 200, response);
      BOOST_TEST(origin.count(path) == 2U);
    }
  }
  for (const char* method : {"POST", "PATCH", "FOO"}) {
    BOOST_TEST_CONTEXT(method) {
      const std::string path = std::string("/") + method;
      const Response response = fetch(seawall, method, path, {}, "body");
      BOOST_TEST((response.status == 200 || response.status == 502), response);
      BOOST_TEST(origin.count(path) == 1U);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_fresh_connection_that_fails_is_not_tried_again) {
  Origin origin;
  origin.otherwise([](Exchange& x) { x.close(); });
  Seawall seawall(origin);
  for (const char* method : {"GET", "POST"}) {
    const std::string path = std::string("/") + method;
    BOOST_TEST(fetch(seawall, method, path).status == 502);
    BOOST_TEST(origin.count(path) == 1U);
  }
}

BOOST_AUTO_TEST_CASE(routes_choose_the_origin) {
  Origin one;
  Origin two;
  one.otherwise(reply({.body = "one"}));
  two.otherwise(reply({.body = "two"}));
  TemporaryDirectory directory;
  const std::string file = directory.write(
      "seawall.toml",
      "[server]\nlisten = \"127.0.0.1:0\"\n[[origin]]\nname = \"one\"\nservers = [\"http://" + one.authority() +
          "\"]\n[[origin]]\nname = \"two\"\nservers = [\"http://" + two.authority() +
          "\"]\n[[route]]\nhost = \"*.b.test\"\norigin = \"two\"\n[[route]]\nhost = \"a.test\"\npath = \"/two/*\"\n"
          "origin = \"two\"\n[[route]]\nhost = \"a.test\"\norigin = \"one\"\n");
  Process process({seawall_binary(), "serve", "-c", file});
  Client client(listening_port(process));
  BOOST_TEST(client.get("/", {"Host: a.test"}).body == "one");
  BOOST_TEST(client.get("/two/x", {"Host: a.test"}).body == "two");
  BOOST_TEST(client.get("/twofold", {"Host: a.test"}).body == "one");
  BOOST_TEST(client.get("/two/../x", {"Host: a.test"}).body == "one");
  BOOST_TEST(client.get("/", {"Host: x.b.test:8080"}).body == "two");
  const Response none = client.get("/", {"Host: c.test"});
  BOOST_TEST(none.status == 404);
  BOOST_TEST(none.has("Cache-Status"));
  BOOST_TEST(client.get("/", {"Host: a.test"}).body == "one");
}

BOOST_AUTO_TEST_CASE(a_pass_route_stores_nothing) {
  Origin origin;
  origin.on("/a", Reply{.headers = {"Cache-Control: max-age=60"}, .body = "a"});
  Seawall seawall(origin, {.route = "miss = \"pass\""});
  for (std::size_t round = 1; round <= 2; ++round) {
    const Response response = get(seawall, "/a");
    BOOST_TEST(response.body == "a");
    BOOST_TEST(!response.is_hit());
    BOOST_TEST(origin.count("/a") == round);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::behave
