// HTTP/1.1 towards clients: connections, pipelines, bodies both ways, upgrades.
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <thread>

#include "support/behave/client.h"
#include "support/behave/seawall.h"

namespace seawall::behave {
namespace {

constexpr std::size_t kMiB = 1024 * 1024;
// What a request that streams may add to the process: buffers, not bodies.
constexpr std::size_t kStreamingBound = 32 * kMiB;

BOOST_AUTO_TEST_SUITE(behave_http1)

BOOST_AUTO_TEST_CASE(a_connection_serves_one_request_after_another) {
  Origin origin;
  origin.on("/a", Reply{.headers = {"Cache-Control: max-age=60"}, .body = "first"});
  origin.on("/b", Reply{.headers = {"Cache-Control: no-store"}, .body = "second"});
  Seawall seawall(origin);
  Client client(seawall);
  for (int round = 0; round < 3; ++round) {
    BOOST_TEST(client.get("/a").body == "first");
    BOOST_TEST(client.get("/b").body == "second");
    BOOST_TEST(client.request("HEAD", "/a").complete);
  }
  BOOST_TEST(origin.count("/a") == 1U);
  BOOST_TEST(origin.count("/b") == 3U);
  const Response last = client.get("/a", {"Connection: close"});
  BOOST_TEST(last.body == "first");
  BOOST_TEST(iequals(last.get("Connection"), "close"));
  BOOST_TEST(client.is_closed());
}

BOOST_AUTO_TEST_CASE(pipelined_requests_are_answered_in_order) {
  Origin origin;
  Gate gate;
  origin.on("/hit", Reply{.headers = {"Cache-Control: max-age=60"}, .body = "hit"});
  origin.on("/miss", [&](Exchange& x) {
    x.hold(gate);
    x.respond({.headers = {"Cache-Control: max-age=60"}, .body = "miss"});
  });
  origin.on("/pass", [](Exchange& x) { x.respond({.body = "got " + x.read_body()}); });
  Seawall seawall(origin);
  Client client(seawall);
  BOOST_TEST(client.get("/hit").body == "hit");
  client.send(request_bytes("GET", "/hit") + request_bytes("GET", "/miss") + request_bytes("HEAD", "/hit") +
              request_bytes("POST", "/pass", {}, "one") + request_bytes("GET", "/hit") +
              request_bytes("POST", "/pass", {}, "two"));
  BOOST_TEST(client.read().body == "hit");
  BOOST_TEST(until([&] { return origin.count("/miss") == 1; }));
  BOOST_TEST(client.is_quiet());
  gate.open();
  BOOST_TEST(client.read().body == "miss");
  BOOST_TEST(client.read("HEAD").status == 200);
  BOOST_TEST(client.read().body == "got one");
  BOOST_TEST(client.read().body == "hit");
  BOOST_TEST(client.read().body == "got two");
}

BOOST_AUTO_TEST_CASE(a_long_pipeline_is_answered_whole) {
  Origin origin;
  origin.on("/hit", Reply{.headers = {"Cache-Control: max-age=60"}, .body = pattern(1000)});
  Seawall seawall(origin);
  Client client(seawall);
  std::string requests;
  for (int i = 0; i < 200; ++i) requests += request_bytes("GET", "/hit");
  std::jthread sender([&] { client.send(requests); });
  int answered = 0;
  while (answered < 200 && client.read().body == pattern(1000)) ++answered;
  sender.join();
  BOOST_TEST(answered == 200);
  BOOST_TEST(origin.count("/hit") == 1U);
}

BOOST_AUTO_TEST_CASE(a_head_that_comes_byte_by_byte_is_read) {
  Origin origin;
  origin.on("/a", Reply{.body = "a"});
  Seawall seawall(origin);
  Client client(seawall);
  for (const char byte : request_bytes("GET", "/a")) client.send(std::string_view(&byte, 1));
  BOOST_TEST(client.read().body == "a");
}

BOOST_AUTO_TEST_CASE(a_chunked_request_arrives_whole_with_its_trailers) {
  Origin origin;
  origin.on("/up", [](Exchange& x) { x.respond({.body = x.read_body()}); });
  Seawall seawall(origin);
  Client client(seawall);
  client.send("POST /up HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n");
  client.send("5\r\nhello\r\n");
  client.send("6;note=\"a;b\"\r\n world\r\n");
  client.send("0\r\nX-Sum: 11\r\nContent-Length: 3\r\nHost: evil.test\r\n\r\n");
  BOOST_TEST(client.read().body == "hello world");
  BOOST_TEST(client.get("/up").status == 200);
  const SeenRequest seen = origin.seen("/up", 1);
  BOOST_TEST(seen.body == "hello world");
  BOOST_TEST(seen.trailers.get("X-Sum") == "11");
  // Neither framing nor routing can be had through a trailer.
  BOOST_TEST(!seen.trailers.has("Content-Length"));
  BOOST_TEST(!seen.trailers.has("Host"));
  BOOST_TEST(seen.headers.get("Host") == "a.test");
}

BOOST_AUTO_TEST_CASE(a_chunked_response_arrives_whole_with_its_trailers) {
  Origin origin;
  for (const char* path : {"/stored", "/passed"}) {
    const bool stored = std::string_view(path) == "/stored";
    origin.on(path, [stored](Exchange& x) {
      x.begin_chunked({stored ? "Cache-Control: max-age=60" : "Cache-Control: no-store", "Trailer: X-Sum"});
      x.send_chunk("hello ");
      x.send_chunk("world");
      x.end_chunks({"X-Sum: 11"});
    });
  }
  Seawall seawall(origin);
  for (const char* path : {"/stored", "/passed"}) {
    BOOST_TEST_CONTEXT(path) {
      Client client(seawall);
      const Response response = client.get(path, {"TE: trailers", "Connection: TE"});
      BOOST_TEST(response.body == "hello world");
      BOOST_TEST(response.complete);
      BOOST_TEST(response.trailers.get("X-Sum") == "11");
      BOOST_TEST(client.get(path).body == "hello world");
    }
  }
  BOOST_TEST(origin.count("/stored") == 1U);
}

BOOST_AUTO_TEST_CASE(the_first_bytes_come_before_the_last_are_there) {
  Origin origin;
  Gate gate;
  origin.on("/slow", [&](Exchange& x) {
    x.begin_chunked({"Cache-Control: max-age=60"});
    x.send_chunk("first");
    x.hold(gate);
    x.send_chunk("last");
    x.end_chunks();
  });
  Seawall seawall(origin);
  Client client(seawall);
  client.send_request("GET", "/slow");
  BOOST_TEST(client.read_body(5).body == "first");
  gate.open();
  BOOST_TEST(client.read_rest().body == "firstlast");
}

BOOST_AUTO_TEST_CASE(continue_is_said_when_the_body_is_wanted) {
  Origin origin;
  origin.on("/up", [](Exchange& x) { x.respond({.body = x.read_body()}); });
  Seawall seawall(origin);
  Client client(seawall);
  for (int round = 0; round < 2; ++round) {
    client.send_request("POST", "/up", {"Expect: 100-continue", "Content-Length: 5"});
    BOOST_REQUIRE(client.read_informational());
    BOOST_TEST(client.send("hello"));
    const Response response = client.read();
    BOOST_TEST(response.informational.size() == 1U);
    BOOST_TEST(response.informational.at(0).status == 100);
    BOOST_TEST(response.body == "hello");
  }
}

BOOST_AUTO_TEST_CASE(continue_is_not_said_when_the_request_is_refused) {
  Origin origin;
  Seawall seawall(origin, {.server = "body_bytes = \"1KiB\""});
  struct Row {
    const char* name;
    Lines lines;
    int status;
  };
  const Row rows[] = {
      {.name = "too large", .lines = {"Expect: 100-continue", "Content-Length: 2000"}, .status = 413},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      Client client(seawall);
      const Response response = client.request("POST", "/up", row.lines);
      BOOST_TEST(response.status == row.status);
      BOOST_TEST(response.informational.empty());
      // The body may come all the same, and must not be taken for a request.
      BOOST_TEST(client.is_closed());
    }
  }
  BOOST_TEST(origin.total() == 0U);
}

BOOST_AUTO_TEST_CASE(an_unknown_expectation_is_refused) {
  Origin origin;
  Seawall seawall(origin);
  const Response response = fetch(seawall, "POST", "/up", {"Expect: a-miracle"}, "hello");
  BOOST_TEST(response.status == 417, response);
  BOOST_TEST(response.informational.empty());
  BOOST_TEST(origin.total() == 0U);
}

BOOST_AUTO_TEST_CASE(a_half_closed_client_gets_its_answers) {
  Origin origin;
  Gate gate;
  origin.on("/hit", Reply{.headers = {"Cache-Control: max-age=60"}, .body = "hit"});
  origin.on("/stream", [&](Exchange& x) {
    x.begin_chunked({"Cache-Control: max-age=60"});
    x.send_chunk("first");
    x.hold(gate);
    x.send_chunk("last");
    x.end_chunks();
  });
  origin.on("/pass",
            [](Exchange& x) { x.respond({.headers = {"Cache-Control: no-store"}, .body = "got " + x.read_body()}); });
  Seawall seawall(origin);

  for (const char* what : {"miss", "hit"}) {
    BOOST_TEST_CONTEXT(what) {
      Client client(seawall);
      client.send_request("GET", "/hit");
      client.half_close();
      BOOST_TEST(client.read().body == "hit");
      BOOST_TEST(client.is_closed());
    }
  }
  Client streaming(seawall);
  streaming.send_request("GET", "/stream");
  streaming.half_close();
  BOOST_TEST(streaming.read_body(5).body == "first");
  BOOST_TEST(streaming.is_quiet());
  gate.open();
  const Response whole = streaming.read_rest();
  BOOST_TEST(whole.body == "firstlast");
  BOOST_TEST(whole.complete);

  Client pipeline(seawall);
  pipeline.send(request_bytes("GET", "/hit") + request_bytes("POST", "/pass", {}, "one") +
                request_bytes("GET", "/stream"));
  pipeline.half_close();
  BOOST_TEST(pipeline.read().body == "hit");
  BOOST_TEST(pipeline.read().body == "got one");
  BOOST_TEST(pipeline.read().body == "firstlast");
  BOOST_TEST(pipeline.is_closed());
}

BOOST_AUTO_TEST_CASE(an_upload_that_ends_in_a_half_close_is_complete) {
  Origin origin;
  Gate gate;
  origin.on("/up", [&](Exchange& x) {
    x.hold(gate);
    x.respond({.body = std::to_string(x.read_body().size())});
  });
  Seawall seawall(origin);
  const std::string body = pattern(8 * kMiB);
  for (const bool chunked : {false, true}) {
    BOOST_TEST_CONTEXT((chunked ? "chunked" : "length")) {
      Client client(seawall);
      const std::string request =
          chunked ? request_bytes("POST", "/up", {"Transfer-Encoding: chunked"}, chunk(body) + "0\r\n\r\n")
                  : request_bytes("POST", "/up", {}, body);
      std::jthread sender([&] {
        client.send(request);
        client.half_close();
      });
      BOOST_TEST(until([&] { return origin.count("/up") == (chunked ? 2U : 1U); }));
      gate.open();
      const Response response = client.read("POST", 4 * kLimit);
      BOOST_TEST(response.body == std::to_string(body.size()), response);
      sender.join();
    }
  }
  BOOST_TEST((origin.seen("/up", 1).body == body));
  BOOST_TEST((origin.seen("/up", 2).body == body));
}

BOOST_AUTO_TEST_CASE(http_1_0_clients_are_served) {
  Origin origin;
  origin.on("/sized", Reply{.headers = {"Cache-Control: max-age=60"}, .body = "sized"});
  origin.on("/chunked", [](Exchange& x) {
    x.begin_chunked({"Cache-Control: no-store"});
    x.send_chunk("chu");
    x.send_chunk("nked");
    x.end_chunks();
  });
  origin.on("/hints", [](Exchange& x) {
    x.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
    x.respond({.body = "final"});
  });
  Seawall seawall(origin);
  {
    Client client(seawall);
    client.send("GET /sized HTTP/1.0\r\nHost: a.test\r\n\r\n");
    BOOST_TEST(client.read().body == "sized");
    BOOST_TEST(client.is_closed());
  }
  {
    Client client(seawall);
    for (int round = 0; round < 2; ++round) {
      client.send("GET /sized HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\n\r\n");
      const Response response = client.read();
      BOOST_TEST(response.body == "sized");
      BOOST_TEST(iequals(response.get("Connection"), "keep-alive"));
    }
  }
  for (const char* connection : {"close", "keep-alive"}) {
    BOOST_TEST_CONTEXT(connection) {
      Client client(seawall);
      client.send(std::string("GET /chunked HTTP/1.0\r\nHost: a.test\r\nConnection: ") + connection + "\r\n\r\n");
      const Response response = client.read();
      BOOST_TEST(response.body == "chunked");
      BOOST_TEST(!response.has("Transfer-Encoding"));
      BOOST_TEST(response.complete);
    }
  }
  {
    Client client(seawall);
    client.send("GET /hints HTTP/1.0\r\nHost: a.test\r\n\r\n");
    const Response response = client.read();
    BOOST_TEST(response.body == "final");
    BOOST_TEST(response.informational.empty());
  }
}

BOOST_AUTO_TEST_CASE(an_absolute_target_counts_and_host_does_not) {
  Origin origin;
  origin.on("/a", [](Exchange& x) {
    x.respond({.headers = {"Cache-Control: max-age=60"}, .body = "for " + x.request().headers.get("Host")});
  });
  Seawall seawall(origin);
  Client client(seawall);
  client.send("GET http://b.test/a HTTP/1.1\r\nHost: a.test\r\n\r\n");
  BOOST_TEST(client.read().body == "for b.test");
  BOOST_TEST(origin.seen("/a").target == "/a");
  BOOST_TEST(origin.seen("/a").headers.count("Host") == 1U);
  // One entry with the origin-form of the same resource, none with the Host that was ignored.
  BOOST_TEST(client.get("/a", {"Host: b.test"}).is_hit());
  BOOST_TEST(client.get("/a", {"Host: a.test"}).body == "for a.test");
  BOOST_TEST(origin.count("/a") == 2U);
}

BOOST_AUTO_TEST_CASE(options_of_the_server_is_answered) {
  Origin origin;
  origin.on("*", Reply{.status = 204, .headers = {"Allow: GET"}});
  Seawall seawall(origin);
  Client client(seawall);
  const Response response = client.request("OPTIONS", "*");
  BOOST_TEST(response.status / 100 == 2);
  BOOST_TEST(response.has("Allow"));
  BOOST_TEST(client.request("OPTIONS", "*").status / 100 == 2);
}

BOOST_AUTO_TEST_CASE(connect_is_refused) {
  Origin origin;
  Seawall seawall(origin);
  Client client(seawall);
  client.send("CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n");
  const Response response = client.read("CONNECT");
  BOOST_TEST((response.status == 405 || response.status == 501 || response.status == 400));
  BOOST_TEST(origin.total() == 0U);
}

BOOST_AUTO_TEST_CASE(an_upload_streams_and_waits_for_a_slow_origin) {
  constexpr std::size_t kSize = 64 * kMiB;
  Origin origin;
  Gate gate;
  std::atomic<std::size_t> received = 0;
  std::atomic<bool> in_order = true;
  const std::string block = pattern(kMiB);
  origin.on("/up", [&](Exchange& x) {
    x.hold(gate);
    while (received < kSize) {
      const std::string piece = x.read_raw(65536);
      if (piece.empty()) break;
      for (std::size_t i = 0; i < piece.size(); i += 997) {
        if (piece[i] != block[(received + i) % kMiB]) in_order = false;
      }
      received += piece.size();
    }
    x.send(to_bytes({.headers = {"Connection: close"}, .body = "done"}));
    x.close();
  });
  Seawall seawall(origin);
  Client client(seawall);
  const std::size_t before = seawall.process().resident_bytes();
  client.send_request("POST", "/up", {"Content-Length: " + std::to_string(kSize)});

  std::size_t sent = 0;
  const auto push = [&] {
    const std::size_t at = sent % kMiB;
    const std::size_t n =
        client.socket().send_some(std::string_view(block).substr(at, std::min(kMiB - at, kSize - sent)));
    sent += n;
    return n > 0;
  };
  // Until nobody takes more: for as long as that is, nothing has moved.
  while (until(push, Millis{300}) && sent < kSize) {
  }
  BOOST_TEST(sent < kSize / 2);
  BOOST_TEST(received == 0U);
  if (!kSanitized) BOOST_TEST(seawall.process().resident_bytes() < before + kStreamingBound);
  gate.open();
  while (sent < kSize && until(push)) {
  }
  BOOST_TEST(sent == kSize);
  BOOST_TEST(client.read("POST", 4 * kLimit).body == "done");
  BOOST_TEST(received == kSize);
  BOOST_TEST(in_order);
  if (!kSanitized) BOOST_TEST(seawall.process().resident_bytes() < before + kStreamingBound);
}

BOOST_AUTO_TEST_CASE(a_download_streams_and_waits_for_a_slow_reader) {
  constexpr std::size_t kSize = 64 * kMiB;
  Origin origin;
  std::atomic<std::size_t> sent = 0;
  const std::string block = pattern(kMiB);
  origin.on("/down", [&](Exchange& x) {
    x.send(to_bytes({.headers = {"Cache-Control: no-store", "Content-Length: " + std::to_string(kSize)}}));
    for (std::size_t at = 0; at < kSize; at += 65536) {
      x.send(std::string_view(block).substr(at % kMiB, 65536));
      sent += 65536;
    }
  });
  Seawall seawall(origin);
  const std::size_t before = seawall.process().resident_bytes();
  Client client(seawall, {.receive_buffer = 16384});
  client.send_request("GET", "/down");
  BOOST_TEST(client.read_head().status == 200);
  std::size_t last = 0;
  const auto moves = [&] { return sent != last; };
  while (until(moves, Millis{300})) last = sent;
  BOOST_TEST(sent < kSize / 2);
  if (!kSanitized) BOOST_TEST(seawall.process().resident_bytes() < before + kStreamingBound);
  const Response response = client.read_rest(4 * kLimit);
  BOOST_TEST(response.complete);
  BOOST_TEST(response.body.size() == kSize);
  bool in_order = true;
  for (std::size_t at = 0; at + kMiB <= response.body.size(); at += kMiB) {
    in_order = in_order && response.body.compare(at, kMiB, block) == 0;
  }
  BOOST_TEST(in_order);
}

BOOST_AUTO_TEST_CASE(an_answer_before_the_body_was_read_reaches_the_client) {
  Origin origin;
  origin.on("/up", [](Exchange& x) {
    x.respond({.status = 403, .headers = {"Connection: close"}, .body = "no"});
    x.close();
  });
  Seawall seawall(origin);
  Client client(seawall);
  client.send_request("POST", "/up", {"Content-Length: 1000000"});
  client.send(pattern(1000));
  const Response response = client.read();
  BOOST_TEST(response.status == 403);
  BOOST_TEST(response.body == "no");
}

BOOST_AUTO_TEST_CASE(a_cut_upload_never_becomes_a_complete_one) {
  Origin origin;
  std::atomic<int> complete = 0;
  std::atomic<int> cut = 0;
  origin.on("/up", [&](Exchange& x) {
    x.read_body();
    (x.request().body_complete ? complete : cut)++;
    x.close();
  });
  Seawall seawall(origin);
  struct Row {
    const char* name;
    const char* framing;
    const char* part;
  };
  const Row rows[] = {
      {.name = "length", .framing = "Content-Length: 10", .part = "hello"},
      {.name = "chunk data", .framing = "Transfer-Encoding: chunked", .part = "a\r\nhello"},
      {.name = "between chunks", .framing = "Transfer-Encoding: chunked", .part = "5\r\nhello\r\n"},
      {.name = "in the trailers", .framing = "Transfer-Encoding: chunked", .part = "5\r\nhello\r\n0\r\nX: y\r\n"},
  };
  int expected = 0;
  for (const Row& row : rows) {
    for (const bool half : {true, false}) {
      BOOST_TEST_CONTEXT(row.name << (half ? ", half-closed" : ", reset")) {
        Client client(seawall);
        client.send_request("POST", "/up", {row.framing}, "");
        client.send(row.part);
        BOOST_TEST(until([&] { return origin.count("/up") == static_cast<std::size_t>(expected + 1); }));
        ++expected;
        if (half) {
          client.half_close();
          // It can still be told, and nothing more can come of it.
          const Response response = client.read();
          BOOST_TEST(response.status / 100 >= 4, response);
          BOOST_TEST((response.closed || client.is_closed()));
        } else {
          client.reset();
        }
        BOOST_TEST(until([&] { return cut + complete == expected; }));
      }
    }
  }
  BOOST_TEST(complete == 0);
}

BOOST_AUTO_TEST_CASE(an_upgraded_connection_is_a_tunnel_both_ways) {
  Origin origin;
  origin.on("/ws", [](Exchange& x) {
    x.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly");
    for (std::string bytes; !(bytes = x.read_raw(65536)).empty();) x.send("[" + bytes + "]");
    x.close();
  });
  Seawall seawall(origin);
  Client client(seawall);
  client.send(request_bytes("GET", "/ws", {"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"}));
  const Response response = client.read();
  BOOST_TEST(response.status == 101);
  BOOST_TEST(iequals(response.get("Upgrade"), "websocket"));
  BOOST_TEST(iequals(response.get("Connection"), "upgrade"), response);
  BOOST_TEST(client.read_raw(5) == "early");
  client.send("ping");
  BOOST_TEST(client.read_raw(6) == "[ping]");
  // Not HTTP any more, in either direction.
  client.send("GET /a HTTP/1.1\r\n\r\n");
  BOOST_TEST(client.read_raw(21) == "[GET /a HTTP/1.1\r\n\r\n]");
  const SeenRequest seen = origin.seen("/ws");
  BOOST_TEST(iequals(seen.headers.get("Upgrade"), "websocket"));
  BOOST_TEST(seen.headers.get("Sec-WebSocket-Version") == "13");
  client.half_close();
  BOOST_TEST(client.is_closed());
}

BOOST_AUTO_TEST_CASE(early_bytes_of_the_client_go_into_the_tunnel) {
  Origin origin;
  Gate gate;
  origin.on("/ws", [&](Exchange& x) {
    x.hold(gate);
    x.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    std::string got;
    while (got.size() < 5) {
      const std::string more = x.read_raw(5);
      if (more.empty()) break;
      got += more;
    }
    x.send("[" + got + "]");
    x.close();
  });
  Seawall seawall(origin);
  Client client(seawall);
  client.send(request_bytes("GET", "/ws", {"Connection: Upgrade", "Upgrade: websocket"}) + "hasty");
  BOOST_TEST(until([&] { return origin.count("/ws") == 1; }));
  gate.open();
  BOOST_TEST(client.read().status == 101);
  BOOST_TEST(client.read_raw(7) == "[hasty]");
}

BOOST_AUTO_TEST_CASE(a_tunnel_outlives_the_idle_timeout_of_the_connection_it_was) {
  Origin origin;
  origin.on("/attach", [](Exchange& x) {
    x.read_body();
    x.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
    for (std::string bytes; !(bytes = x.read_raw(65536)).empty();) x.send("[" + bytes + "]");
    x.close();
  });
  Seawall seawall(origin, {.timeouts = "idle = \"300ms\""});
  Client client(seawall);
  client.send(request_bytes("POST", "/attach", {"Connection: Upgrade", "Upgrade: tcp", "Content-Length: 2"}, "{}"));
  BOOST_TEST(client.read().status == 101);
  // Never idle for as long as that, but together for longer.
  for (int i = 0; i < 8; ++i) {
    client.send("ping");
    BOOST_TEST(client.read_raw(6) == "[ping]");
    Client other(seawall);
    BOOST_TEST(other.is_quiet(Millis{100}));
  }
}

BOOST_AUTO_TEST_CASE(an_empty_line_behind_a_request_begins_none) {
  Origin origin;
  origin.on("/a", Reply{.headers = {"Cache-Control: max-age=60"}, .body = "a"});
  Seawall seawall(origin, {.timeouts = "header = \"100ms\""});
  Client client(seawall);
  BOOST_TEST(client.get("/a").body == "a");
  client.send("\r\n");
  BOOST_TEST(client.is_quiet(Millis{300}));
  BOOST_TEST(client.get("/a").body == "a");
}

BOOST_AUTO_TEST_CASE(what_is_sent_behind_the_last_request_is_not_kept) {
  Origin origin;
  origin.on("/big", Reply{.headers = {"Cache-Control: max-age=60"}, .body = pattern(4 << 20)});
  Seawall seawall(origin);
  BOOST_TEST(get(seawall, "/big").body.size() == std::size_t{4} << 20);
  Client client(seawall, {.receive_buffer = 4096});
  client.send_request("GET", "/big", {"Connection: close"});
  BOOST_TEST(client.read_head().status == 200);
  const std::size_t before = seawall.process().resident_bytes();
  const std::string junk(1 << 20, 'x');
  for (int i = 0; i < 64; ++i) client.send(junk);
  BOOST_TEST(seawall.process().resident_bytes() < before + (std::size_t{16} << 20));
  client.close();
}

BOOST_AUTO_TEST_CASE(a_refused_upgrade_is_an_ordinary_answer) {
  Origin origin;
  origin.on("/ws", Reply{.status = 400, .body = "no"});
  Seawall seawall(origin);
  Client client(seawall);
  BOOST_TEST(client.get("/ws", {"Connection: Upgrade", "Upgrade: websocket"}).status == 400);
  BOOST_TEST(client.get("/ws").body == "no");
}

BOOST_AUTO_TEST_CASE(an_upgrade_nobody_asked_for_is_an_error) {
  Origin origin;
  origin.on("/a", [](Exchange& x) {
    x.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nbytes");
    x.be_silent();
  });
  Seawall seawall(origin);
  BOOST_TEST(get(seawall, "/a").status == 502);
}

BOOST_AUTO_TEST_CASE(an_upgrade_to_h2c_is_not_forwarded) {
  Origin origin;
  origin.on("/a", Reply{.body = "plain"});
  Seawall seawall(origin);
  BOOST_TEST(
      get(seawall, "/a", {"Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQ"}).body ==
      "plain");
  BOOST_TEST(!origin.seen("/a").headers.has("Upgrade"));
  BOOST_TEST(!origin.seen("/a").headers.has("HTTP2-Settings"));
}

BOOST_AUTO_TEST_CASE(early_hints_are_forwarded_at_once) {
  Origin origin;
  Gate gate;
  origin.on("/a", [&](Exchange& x) {
    x.send("HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n");
    x.hold(gate);
    x.respond({.body = "final"});
  });
  Seawall seawall(origin);
  Client client(seawall);
  client.send_request("GET", "/a");
  BOOST_REQUIRE(client.read_informational());
  gate.open();
  const Response response = client.read();
  BOOST_TEST(response.informational.at(0).status == 103);
  BOOST_TEST(response.informational.at(0).get("Link") == "</style.css>; rel=preload");
  BOOST_TEST(response.body == "final");
}

BOOST_AUTO_TEST_CASE(empty_answers_do_not_disturb_the_next) {
  Origin origin;
  origin.on("/204", Reply{.status = 204});
  origin.on("/empty", Reply{.headers = {"Cache-Control: max-age=60"}});
  origin.on("/a", Reply{.body = "a"});
  Seawall seawall(origin);
  Client client(seawall);
  BOOST_TEST(client.get("/204").status == 204);
  BOOST_TEST(client.get("/a").body == "a");
  for (int round = 0; round < 2; ++round) {
    const Response empty = client.get("/empty");
    BOOST_TEST(empty.status == 200);
    BOOST_TEST(empty.body.empty());
    BOOST_TEST(empty.complete);
  }
  BOOST_TEST(client.request("HEAD", "/a").complete);
  BOOST_TEST(client.get("/a").body == "a");
  BOOST_TEST(origin.count("/empty") == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::behave
