// What a client may take in bytes, connections and time, and what it gets beyond.
#include <boost/test/unit_test.hpp>

#include "support/behave/client.h"
#include "support/behave/seawall.h"

namespace seawall::behave {
namespace {

BOOST_AUTO_TEST_SUITE(behave_limits)

std::string many_fields(std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += "X-" + std::to_string(i) + ": y\r\n";
  return out;
}

BOOST_AUTO_TEST_CASE(what_is_too_much_is_refused_and_the_connection_closed) {
  Origin origin;
  Seawall seawall(
      origin, {.server = "target_bytes = \"1KiB\"\nheader_bytes = \"4KiB\"\nheader_count = 20\nbody_bytes = \"1KiB\""});
  struct Row {
    const char* name;
    std::string request;
    int status;
  };
  const std::string head = "POST /up HTTP/1.1\r\nHost: a.test\r\n";
  const Row rows[] = {
      {"target", "GET /" + std::string(2000, 'a') + " HTTP/1.1\r\nHost: a.test\r\n\r\n", 414},
      {"target without end", "GET /" + std::string(6000, 'a'), 414},
      {"header bytes", "GET / HTTP/1.1\r\nHost: a.test\r\nX: " + std::string(5000, 'a') + "\r\n\r\n", 431},
      {"header without end", "GET / HTTP/1.1\r\nHost: a.test\r\nX: " + std::string(6000, 'a'), 431},
      {"header count", "GET / HTTP/1.1\r\nHost: a.test\r\n" + many_fields(25) + "\r\n", 431},
      {"unknown coding", head + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
      {"version 2", "GET / HTTP/2.0\r\nHost: a.test\r\n\r\n", 505},
      {"version 3", "GET / HTTP/3.0\r\nHost: a.test\r\n\r\n", 505},
      {"no request", "\x16\x03\x01\x02\x05 this is TLS\r\n\r\n", 400},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      Client client(seawall);
      client.send(row.request);
      const Response response = client.read();
      BOOST_TEST(response.status == row.status, response);
      BOOST_TEST(response.complete);
      BOOST_TEST(iequals(response.get("Connection"), "close"));
      BOOST_TEST(response.has("Cache-Status"));
      BOOST_TEST(client.is_closed());
    }
  }
  BOOST_TEST(origin.total() == 0U);
}

BOOST_AUTO_TEST_CASE(what_is_within_the_limits_passes) {
  Origin origin;
  origin.otherwise([](Exchange& x) { x.respond({.body = std::to_string(x.read_body().size())}); });
  Seawall seawall(
      origin, {.server = "target_bytes = \"1KiB\"\nheader_bytes = \"4KiB\"\nheader_count = 20\nbody_bytes = \"1KiB\""});
  Client client(seawall);
  BOOST_TEST(client.get("/" + std::string(1000, 'a')).status == 200);
  BOOST_TEST(client.get("/a", {"X: " + std::string(3900, 'a')}).status == 200);
  BOOST_TEST(client.request("POST", "/a", {}, std::string(1024, 'b')).body == "1024");
}

// The rest may be read over, or the connection closed; but it is not a request.
BOOST_AUTO_TEST_CASE(a_body_whose_length_is_too_large_is_refused_at_once) {
  Origin origin;
  origin.on("/a", Reply{.body = "a"});
  Seawall seawall(origin, {.server = "body_bytes = \"1KiB\""});
  for (const char* length : {"Content-Length: 2000", "Content-Length: 99999999999999"}) {
    BOOST_TEST_CONTEXT(length) {
      Client client(seawall);
      const Response response = client.request("POST", "/up", {length});
      BOOST_TEST(response.status == 413, response);
      std::string body = request_bytes("GET", "/smuggled");
      body.resize(2000, 'x');
      client.send(body + request_bytes("GET", "/a"));
      const Response next = client.read();
      BOOST_TEST(((next.status == 0 && next.closed) || next.body == "a"), next);
    }
  }
  BOOST_TEST(origin.count("/smuggled") == 0U);
  BOOST_TEST(origin.count("/up") == 0U);
}

BOOST_AUTO_TEST_CASE(a_body_that_nobody_wants_any_more_is_not_awaited_for_ever) {
  Origin origin;
  origin.on("/up", [](Exchange& x) {
    x.respond({.status = 403, .headers = {"Connection: close"}, .body = "no"});
    x.close();
  });
  Seawall seawall(origin, {.server = "body_bytes = \"1KiB\"", .timeouts = "body = \"200ms\", idle = \"300ms\""});
  for (const char* length : {"Content-Length: 1000", "Content-Length: 2000"}) {
    BOOST_TEST_CONTEXT(length) {
      Client client(seawall);
      const Response response = client.request("POST", "/up", {length});
      BOOST_TEST((response.status == 403 || response.status == 413), response);
      BOOST_TEST(client.is_closed());
    }
  }
}

// The length is not known before it is exceeded: the origin has seen the start, and must never see an end.
BOOST_AUTO_TEST_CASE(a_chunked_body_that_grows_too_large_is_cut) {
  Origin origin;
  std::atomic<int> complete = 0;
  origin.on("/up", [&](Exchange& x) {
    x.read_body();
    complete += x.request().body_complete ? 1 : 0;
    x.close();
  });
  Seawall seawall(origin, {.server = "body_bytes = \"1KiB\""});
  Client client(seawall);
  client.send_request("POST", "/up", {"Transfer-Encoding: chunked"});
  for (int i = 0; i < 3; ++i) client.send(chunk(std::string(500, 'x')));
  client.send("0\r\n\r\n");
  const Response response = client.read();
  BOOST_TEST(response.status == 413, response);
  BOOST_TEST(client.is_closed());
  BOOST_TEST(complete == 0);
}

BOOST_AUTO_TEST_CASE(connections_past_the_limit_get_503) {
  Origin origin;
  origin.on("/a", Reply{.headers = {"Cache-Control: max-age=60"}, .body = "a"});
  Seawall seawall(origin, {.server = "connections = 2"});
  Client first(seawall);
  Client second(seawall);
  BOOST_TEST(first.get("/a").body == "a");
  BOOST_TEST(second.get("/a").body == "a");
  {
    Client third(seawall);
    third.send_request("GET", "/a");
    const Response refused = third.read();
    BOOST_TEST(refused.status == 503, refused);
    BOOST_TEST(third.is_closed());
  }
  BOOST_TEST(first.get("/a").body == "a");
  second.close();
  BOOST_TEST(until([&] { return get(seawall, "/a").status == 200; }));
}

BOOST_AUTO_TEST_CASE(a_head_that_does_not_end_gets_408) {
  Origin origin;
  Seawall seawall(origin, {.timeouts = "header = \"200ms\""});
  for (const char* part : {"G", "GET / HTTP/1.1\r\nHost: a.te", "GET / HTTP/1.1\r\nHost: a.test\r\n"}) {
    BOOST_TEST_CONTEXT(part) {
      Client client(seawall);
      client.send(part);
      const Response response = client.read();
      BOOST_TEST(response.status == 408, response);
      BOOST_TEST(client.is_closed());
    }
  }
  BOOST_TEST(origin.total() == 0U);
}

// A byte now and then must not prolong the head's time.
BOOST_AUTO_TEST_CASE(a_dripping_head_gets_408) {
  Origin origin;
  Seawall seawall(origin, {.timeouts = "header = \"300ms\""});
  Client client(seawall);
  client.send("GET / HTTP/1.1\r\nHost: a.test\r\nX: ");
  const auto begin = SteadyClock::now();
  while (client.is_quiet(Millis{20}) && SteadyClock::now() - begin < kLimit) client.send("x");
  BOOST_TEST((SteadyClock::now() - begin < Millis{2000}));
}

BOOST_AUTO_TEST_CASE(a_body_that_does_not_come_gets_408) {
  Origin origin;
  std::atomic<int> complete = 0;
  origin.on("/up", [&](Exchange& x) {
    x.read_body();
    complete += x.request().body_complete ? 1 : 0;
    x.close();
  });
  Seawall seawall(origin, {.timeouts = "body = \"200ms\""});
  Client client(seawall);
  client.send_request("POST", "/up", {"Content-Length: 10"});
  client.send("abc");
  const Response response = client.read();
  BOOST_TEST(response.status == 408, response);
  BOOST_TEST(client.is_closed());
  BOOST_TEST(complete == 0);
}

BOOST_AUTO_TEST_CASE(an_idle_connection_is_closed_silently) {
  Origin origin;
  origin.on("/a", Reply{.headers = {"Cache-Control: max-age=60"}, .body = "a"});
  Seawall seawall(origin, {.timeouts = "idle = \"200ms\""});
  Client used(seawall);
  Client unused(seawall);
  BOOST_TEST(used.get("/a").body == "a");
  BOOST_TEST(used.is_closed());
  BOOST_TEST(unused.is_closed());
}

BOOST_AUTO_TEST_CASE(a_client_that_does_not_read_is_cut_off) {
  Origin origin;
  origin.on("/big", Reply{.headers = {"Cache-Control: max-age=60"}, .body = pattern(16 << 20)});
  Seawall seawall(origin, {.timeouts = "send = \"200ms\""});
  BOOST_TEST(get(seawall, "/big").body.size() == std::size_t{16} << 20);
  Client client(seawall, {.receive_buffer = 4096});
  client.send_request("GET", "/big");
  BOOST_TEST(client.read_head().status == 200);
  // Longer than the timeout without a byte read: what then still comes is what the kernel held.
  Client other(seawall);
  BOOST_TEST(other.is_quiet(Millis{600}));
  const Response rest = client.read_rest();
  BOOST_TEST(rest.is_cut(), rest);
  BOOST_TEST(rest.body.size() < std::size_t{12} << 20);
}

BOOST_AUTO_TEST_CASE(an_origin_that_does_not_answer_in_time_gives_504) {
  Origin origin;
  origin.on("/silent", [](Exchange& x) { x.be_silent(); });
  origin.on("/half", [](Exchange& x) {
    x.send("HTTP/1.1 200 OK\r\nContent-Le");
    x.be_silent();
  });
  Seawall seawall(origin, {.origin_timeouts = "first_byte = \"200ms\", between_bytes = \"200ms\""});
  for (const char* method : {"GET", "POST"}) {
    for (const char* path : {"/silent", "/half"}) {
      BOOST_TEST_CONTEXT(method << ' ' << path) {
        const Response response = fetch(seawall, method, path);
        BOOST_TEST(response.status == 504, response);
        BOOST_TEST(response.cache_parameter("detail").has_value());
      }
    }
  }
  BOOST_TEST(origin.count("/silent") == 2U);
}

BOOST_AUTO_TEST_CASE(an_origin_that_stops_in_the_body_cuts_the_answer) {
  Origin origin;
  origin.on("/a", [](Exchange& x) {
    x.begin_chunked({"Cache-Control: max-age=60"});
    x.send_chunk("first");
    x.be_silent();
  });
  Seawall seawall(origin, {.origin_timeouts = "between_bytes = \"200ms\""});
  for (std::size_t round = 1; round <= 2; ++round) {
    const Response response = get(seawall, "/a");
    BOOST_TEST(response.body == "first");
    BOOST_TEST(response.is_cut(), response);
    BOOST_TEST(origin.count("/a") == round);
  }
}

BOOST_AUTO_TEST_CASE(an_origin_that_is_not_there_gives_502) {
  Seawall seawall(unused_port());
  Client client(seawall);
  for (const char* method : {"GET", "POST"}) {
    const Response response = client.request(method, "/a");
    BOOST_TEST(response.status == 502, response);
    BOOST_TEST(contains(response.cache_status(), "detail=connect-refused"), response);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::behave
