// HTTP/2 to an origin over real TCP: streams on one connection, its ends, its windows, and what hostile servers send.
#include "support/h2_origin.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "loopback/origin/fixture.h"
#include "support/tls_pair.h"

namespace seawall::test {
namespace {

using Fields = H2Origin::Fields;

constexpr std::string_view kMaxStreams = "3";     // SETTINGS_MAX_CONCURRENT_STREAMS
constexpr std::string_view kInitialWindow = "4";  // SETTINGS_INITIAL_WINDOW_SIZE

struct H2Fixture {
  FdCount fds;
  ManualClock clock;
  net::Loop loop{0, clock};
  H2Origin origin{loop};
  std::optional<origin::ServerClient> client;

  H2Fixture() { make_client({}); }

  void make_client(origin::ServerOptions options) {
    options.addresses = {origin.address()};
    options.access.protocol = origin::Protocol::kHttp2;
    client.emplace(loop, std::move(options));
  }
  std::unique_ptr<RecordingSink> start(http::OutgoingRequest r) {
    auto sink = std::make_unique<RecordingSink>();
    sink->exchange = client->start(std::move(r), *sink);
    BOOST_TEST(!sink->is_ended());  // never inside start()
    return sink;
  }
  void await_end(const RecordingSink& sink) {
    pump_until(loop, "the end of an exchange", [&] { return sink.is_ended(); });
    settle(loop);
    BOOST_TEST(sink.calls_after_end == 0);
  }
  // A whole GET, so that the connection is there and has been good.
  void warm_up(std::size_t connection = 0) {
    const auto sink = start(request("GET"));
    auto& peer = origin.await(1, connection);
    peer.answer(last_of(peer));
    await_end(*sink);
    BOOST_REQUIRE(sink->is_complete);
  }
  static std::int32_t last_of(H2Origin::Peer& peer) { return peer.streams().rbegin()->first; }
  void advance(Millis by) {
    clock.advance(by);
    settle(loop);
  }
  void check_error(const RecordingSink& sink, ErrorCode code, Retry retry) {
    await_end(sink);
    BOOST_REQUIRE(sink.error.has_value());
    BOOST_TEST(to_string(sink.error->code) == to_string(code));
    BOOST_TEST((sink.error->side == Side::kOrigin));
    BOOST_TEST(static_cast<int>(sink.error->retry) == static_cast<int>(retry));
  }
};

BOOST_FIXTURE_TEST_SUITE(origin_h2, H2Fixture)

BOOST_AUTO_TEST_CASE(request_and_response) {
  auto r = request("GET", "/a?b=c");
  r.headers.add("X-Mixed", "Value");
  r.headers.add("TE", "trailers");
  r.headers.add("HTTP2-Settings", "AAMAAABk");
  const auto sink = start(std::move(r));
  auto& peer = origin.await();
  auto& stream = peer.stream(1);
  BOOST_TEST((stream.fields == Fields{{":method", "GET"},
                                      {":scheme", "http"},
                                      {":authority", "origin.test"},
                                      {":path", "/a?b=c"},
                                      {"x-mixed", "Value"}}));
  BOOST_TEST(stream.is_ended);
  clock.advance(Millis{40});
  peer.head(1, {{":status", "200"}, {"content-length", "5"}, {"x-from", "h2"}});
  peer.data(1, "hello", true);
  await_end(*sink);
  BOOST_REQUIRE(sink->is_complete);
  BOOST_TEST((sink->head->version == http::Version::kHttp2));
  BOOST_TEST((sink->head->framing == http::BodyFraming::kLength));
  BOOST_TEST(sink->head->keep_alive);
  BOOST_TEST(sink->head->headers.find("X-From").value_or("") == "h2");
  BOOST_TEST(sink->body == "hello");
  BOOST_TEST((sink->response_time - sink->request_time).count() == 40);
  BOOST_TEST(client->stats().http2_connections == 1U);
  BOOST_TEST(client->stats().http2_streams == 1U);
}

BOOST_AUTO_TEST_CASE(framings) {
  struct Row {
    const char* name;
    const char* method;
    Fields head;
    bool ends_with_head;
    std::string body;
    http::BodyFraming framing;
  };
  const Row rows[] = {
      {"length", "GET", {{":status", "200"}, {"content-length", "2"}}, false, "ok", http::BodyFraming::kLength},
      {"no length", "GET", {{":status", "200"}}, false, "ok", http::BodyFraming::kUntilClose},
      {"empty frame at the end", "GET", {{":status", "200"}}, false, "", http::BodyFraming::kUntilClose},
      {"no body", "GET", {{":status", "200"}}, true, "", http::BodyFraming::kNone},
      {"HEAD", "HEAD", {{":status", "200"}, {"content-length", "9"}}, true, "", http::BodyFraming::kNone},
      {"HEAD, ended later", "HEAD", {{":status", "200"}, {"content-length", "9"}}, false, "", http::BodyFraming::kNone},
      {"304", "GET", {{":status", "304"}, {"content-length", "9"}}, true, "", http::BodyFraming::kNone},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const auto sink = start(request(row.method));
      auto& peer = origin.await();
      const std::int32_t id = last_of(peer);
      peer.head(id, row.head, row.ends_with_head);
      if (!row.ends_with_head) peer.data(id, row.body, true);
      await_end(*sink);
      BOOST_TEST(sink->is_complete);
      BOOST_TEST((sink->head->framing == row.framing));
      BOOST_TEST(sink->body == row.body);
    }
  }
  BOOST_TEST(origin.connections() == 1U);
}

// All that come while the connection is being made go over it, and their answers in any order.
BOOST_AUTO_TEST_CASE(many_on_one_connection) {
  std::vector<std::unique_ptr<RecordingSink>> sinks;
  for (int i = 0; i < 20; ++i) sinks.push_back(start(request("GET", "/" + std::to_string(i))));
  auto& peer = origin.await(20);
  for (std::int32_t id = 39; id > 0; id -= 2) peer.answer(id, peer.stream(id).field(":path"));
  for (int i = 0; i < 20; ++i) {
    auto& sink = *sinks[static_cast<std::size_t>(i)];
    await_end(sink);
    BOOST_TEST(sink.body == "/" + std::to_string(i));
  }
  BOOST_TEST(origin.connections() == 1U);
  BOOST_TEST(client->stats().connections_opened == 1U);
}

BOOST_AUTO_TEST_CASE(past_the_servers_limit_another_connection_is_made) {
  origin.set_settings({{std::string(kMaxStreams), "2"}});
  warm_up();
  std::vector<std::unique_ptr<RecordingSink>> sinks;
  for (int i = 0; i < 4; ++i) sinks.push_back(start(request("GET")));
  auto& first = origin.await(2, 0);
  auto& second = origin.await(2, 1);
  for (auto* peer : {&first, &second}) {
    for (const std::int32_t id : {last_of(*peer), last_of(*peer) - 2}) peer->answer(id);
  }
  for (const auto& sink : sinks) {
    await_end(*sink);
    BOOST_TEST(sink->is_complete);
  }
  BOOST_TEST(origin.connections() == 2U);
}

// With as many connections as there may be, requests wait in order, and no longer than connecting may take.
BOOST_AUTO_TEST_CASE(waiting_for_a_stream) {
  origin.set_settings({{std::string(kMaxStreams), "1"}});
  std::vector<std::unique_ptr<RecordingSink>> sinks;
  for (std::size_t i = 0; i < 8; ++i) {
    sinks.push_back(start(request("GET")));
    origin.await(1, i);
    settle(loop);
  }
  const auto next = start(request("GET", "/next"));
  const auto last = start(request("GET", "/last"));
  settle(loop);
  BOOST_TEST(origin.connections() == 8U);
  origin.peer(3).answer(1);
  await_end(*sinks[3]);
  BOOST_TEST(origin.await(1, 3).stream(3).field(":path") == "/next");
  advance(Millis{1100});
  check_error(*last, ErrorCode::kConnectTimeout, Retry::kYes);
  BOOST_TEST(!next->is_ended());
}

BOOST_AUTO_TEST_CASE(informational_heads_are_passed_on) {
  const auto sink = start(request("GET"));
  auto& peer = origin.await();
  peer.informational(1, {{":status", "100"}});
  peer.informational(1, {{":status", "103"}, {"link", "</a.css>; rel=preload"}});
  peer.answer(1);
  await_end(*sink);
  BOOST_TEST(sink->is_complete);
  BOOST_TEST((sink->informational == std::vector<std::uint16_t>{103}));
}

BOOST_AUTO_TEST_CASE(too_many_informational_heads) {
  const auto sink = start(request("GET"));
  auto& peer = origin.await();
  for (int i = 0; i < 17; ++i) peer.informational(1, {{":status", "103"}});
  check_error(*sink, ErrorCode::kHeadersTooLarge, Retry::kNo);
  BOOST_TEST(sink->informational.size() == 16U);
}

BOOST_AUTO_TEST_CASE(trailers_of_a_response) {
  const auto sink = start(request("GET"));
  auto& peer = origin.await();
  peer.head(1, {{":status", "200"}});
  peer.data(1, "ok", true, {{"x-checksum", "abc"}, {"content-type", "text/html"}});
  await_end(*sink);
  BOOST_TEST(sink->is_complete);
  BOOST_TEST(sink->trailers.size() == 1U);
  BOOST_TEST(sink->trailers.find("x-checksum").value_or("") == "abc");
}

BOOST_AUTO_TEST_CASE(malformed_responses) {
  struct Row {
    const char* name;
    Fields head;
    bool ends_stream;
    ErrorCode error;
  };
  const Row rows[] = {
      {"no status", {{"server", "x"}}, true, ErrorCode::kMalformedStartLine},
      {"status of two digits", {{":status", "20"}}, true, ErrorCode::kMalformedStartLine},
      {"101", {{":status", "101"}}, false, ErrorCode::kUnexpectedStatus},
      {"connection", {{":status", "200"}, {"connection", "close"}}, true, ErrorCode::kMalformedHeader},
      {"transfer-encoding",
       {{":status", "200"}, {"transfer-encoding", "chunked"}},
       true,
       ErrorCode::kBadTransferEncoding},
      {"line break in a value", {{":status", "200"}, {"a", "b\r\nc: d"}}, true, ErrorCode::kMalformedHeader},
      {"bad length", {{":status", "200"}, {"content-length", "-1"}}, false, ErrorCode::kBadContentLength},
      {"too short", {{":status", "200"}, {"content-length", "9"}}, true, ErrorCode::kIncompleteBody},
      {"interim at the end", {{":status", "103"}}, true, ErrorCode::kIncompleteBody},
      {"too large", {{":status", "200"}, {"a", std::string(66'000, 'x')}}, true, ErrorCode::kHeadersTooLarge},
  };
  const auto bystander = start(request("GET"));
  auto& peer = origin.await();
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const auto sink = start(request("GET"));
      origin.await(2);
      const std::int32_t id = last_of(peer);
      peer.headers(id, row.head, row.ends_stream ? NGHTTP2_FLAG_END_STREAM : NGHTTP2_FLAG_NONE);
      check_error(*sink, row.error, Retry::kNo);
      peer.stream(id).answer_ends = true;
    }
  }
  // The others on the connection are none the worse.
  peer.answer(1);
  await_end(*bystander);
  BOOST_TEST(bystander->is_complete);
  BOOST_TEST(origin.connections() == 1U);
}

BOOST_AUTO_TEST_CASE(bodies_that_are_not_as_announced) {
  struct Row {
    const char* name;
    const char* method;
    Fields head;
    std::string body;
    ErrorCode error;
  };
  const Row rows[] = {
      {"too long", "GET", {{":status", "200"}, {"content-length", "2"}}, "okay", ErrorCode::kBadContentLength},
      {"too short", "GET", {{":status", "200"}, {"content-length", "9"}}, "ok", ErrorCode::kIncompleteBody},
      {"after HEAD", "HEAD", {{":status", "200"}}, "ok", ErrorCode::kUnsolicitedData},
      {"after 304", "GET", {{":status", "304"}}, "ok", ErrorCode::kUnsolicitedData},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const auto sink = start(request(row.method));
      auto& peer = origin.await();
      const std::int32_t id = last_of(peer);
      peer.head(id, row.head);
      peer.data(id, row.body, true);
      check_error(*sink, row.error, Retry::kNo);
    }
  }
}

BOOST_AUTO_TEST_CASE(data_without_a_head) {
  const auto sink = start(request("GET"));
  auto& peer = origin.await();
  peer.frame(NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1, "ok");
  check_error(*sink, ErrorCode::kHttp2Failed, Retry::kNo);
  pump_until(loop, "RST_STREAM", [&] { return peer.stream(1).reset_code.has_value(); });
  BOOST_TEST(*peer.stream(1).reset_code == NGHTTP2_PROTOCOL_ERROR);
}

BOOST_AUTO_TEST_CASE(resets) {
  struct Row {
    const char* name;
    const char* method;
    std::uint32_t code;
    bool has_head;
    Retry retry;
  };
  const Row rows[] = {
      {"refused", "POST", NGHTTP2_REFUSED_STREAM, false, Retry::kYes},
      {"idempotent", "GET", NGHTTP2_INTERNAL_ERROR, false, Retry::kFreshConnection},
      {"not idempotent", "POST", NGHTTP2_INTERNAL_ERROR, false, Retry::kNo},
      {"in the midst of a body", "GET", NGHTTP2_CANCEL, true, Retry::kNo},
      {"in the midst of a body, without an error", "GET", NGHTTP2_NO_ERROR, true, Retry::kNo},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const auto sink = start(request(row.method));
      auto& peer = origin.await();
      const std::int32_t id = last_of(peer);
      if (row.has_head) {
        peer.head(id, {{":status", "200"}});
        peer.data(id, "some");
        pump_until(loop, "a body", [&] { return sink->body == "some"; });
      }
      peer.reset(id, row.code);
      check_error(*sink, ErrorCode::kPeerReset, row.retry);
    }
  }
  BOOST_TEST(origin.connections() == 1U);
}

// What the server has seen it still answers; the rest goes over another connection, a POST too.
BOOST_AUTO_TEST_CASE(goaway) {
  const auto seen = start(request("GET"));
  const auto unseen = start(request("POST"));
  auto& peer = origin.await(2);
  peer.goaway(1);
  auto& other = origin.await(1, 1);
  BOOST_TEST(other.stream(1).field(":method") == "POST");
  const auto later = start(request("GET"));
  origin.await(2, 1);
  peer.answer(1);
  other.answer(1);
  other.answer(3);
  for (const auto* sink : {&seen, &unseen, &later}) {
    await_end(**sink);
    BOOST_TEST((*sink)->is_complete);
  }
  BOOST_TEST(client->stats().resent == 1U);
  pump_until(loop, "the first connection's end", [&] { return peer.saw_end(); });
}

BOOST_AUTO_TEST_CASE(second_goaway_is_an_error_that_may_be_retried) {
  const auto sink = start(request("POST"));
  origin.await(1, 0).goaway(0);
  origin.await(1, 1).goaway(0);
  check_error(*sink, ErrorCode::kPeerReset, Retry::kYes);
}

BOOST_AUTO_TEST_CASE(death_of_a_fresh_connection) {
  const auto get = start(request("GET"));
  const auto post = start(request("POST"));
  const auto half = start(request("GET"));
  auto& peer = origin.await(3);
  peer.head(5, {{":status", "200"}});
  peer.data(5, "some");
  pump_until(loop, "a body", [&] { return half->body == "some"; });
  peer.close();
  check_error(*get, ErrorCode::kPeerClosed, Retry::kFreshConnection);
  check_error(*post, ErrorCode::kPeerClosed, Retry::kNo);
  check_error(*half, ErrorCode::kIncompleteBody, Retry::kNo);
}

BOOST_AUTO_TEST_CASE(death_of_a_connection_that_was_good) {
  warm_up();
  const auto get = start(request("GET"));
  const auto post = start(request("POST"));
  origin.await(2).close();
  check_error(*post, ErrorCode::kPeerClosed, Retry::kNo);
  auto& fresh = origin.await(1, 1);
  BOOST_TEST(fresh.stream(1).field(":method") == "GET");
  BOOST_TEST(client->stats().resent == 1U);
  fresh.close();  // once is enough
  check_error(*get, ErrorCode::kPeerClosed, Retry::kFreshConnection);
}

BOOST_AUTO_TEST_CASE(idle_connection_that_died_costs_nothing) {
  warm_up();
  origin.destroy(0);
  const auto sink = start(request("GET"));
  origin.await(1, 1).answer(1);
  await_end(*sink);
  BOOST_TEST(sink->is_complete);
}

BOOST_AUTO_TEST_CASE(refused_connection) {
  origin::ServerOptions options;
  options.access.protocol = origin::Protocol::kHttp2;
  {
    const auto gone = net::Listener::bind(*net::Address::parse("127.0.0.1:0"));
    options.addresses = {(*gone)->address()};
  }
  client.emplace(loop, std::move(options));
  const auto one = start(request("GET"));
  const auto two = start(request("POST"));
  check_error(*one, ErrorCode::kConnectRefused, Retry::kYes);
  check_error(*two, ErrorCode::kConnectRefused, Retry::kYes);
}

BOOST_AUTO_TEST_CASE(server_that_speaks_http1) {
  ScriptedOrigin plain(loop);
  origin::ServerOptions options;
  options.access.protocol = origin::Protocol::kHttp2;
  options.addresses = {plain.address()};
  client.emplace(loop, std::move(options));
  const auto sink = start(request("GET"));
  plain.await(0, "PRI * HTTP/2.0").send("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
  check_error(*sink, ErrorCode::kHttp2Failed, Retry::kFreshConnection);
}

BOOST_AUTO_TEST_CASE(paused_stream_does_not_hold_up_the_others) {
  const std::string large(3 * origin::ServerOptions{}.head_limits.header_bytes * 16, 'x');  // 3 MiB
  const auto slow = start(request("GET"));
  const auto fast = start(request("GET"));
  auto& peer = origin.await(2);
  bool has_paused = false;
  slow->hook = [&](std::string_view call) {
    if (call == "body" && !std::exchange(has_paused, true)) slow->exchange->pause();
  };
  for (const std::int32_t id : {1, 3}) {
    peer.head(id, {{":status", "200"}});
    peer.data(id, large, true);
  }
  await_end(*fast);
  BOOST_TEST(fast->body.size() == large.size());
  settle(loop);
  BOOST_TEST(slow->body.size() <= std::size_t{16} * 1024);
  // What is on its way is bounded by the window.
  BOOST_TEST(peer.stream(1).answer.size() >= large.size() - 1024 * 1024 - 16 * 1024);
  advance(Millis{60'000});  // nobody waits for the origin
  BOOST_TEST(!slow->is_ended());
  slow->exchange->resume();
  BOOST_TEST(slow->body.size() <= std::size_t{16} * 1024);  // never inside resume()
  await_end(*slow);
  BOOST_TEST(slow->is_complete);
  BOOST_TEST((slow->body == large));
  BOOST_TEST(slow->largest_piece <= std::size_t{64} * 1024);
}

// The end that has come is told only after what is kept.
BOOST_AUTO_TEST_CASE(end_behind_a_pause) {
  const auto sink = start(request("GET"));
  auto& peer = origin.await();
  sink->hook = [&](std::string_view call) {
    if (call == "head") sink->exchange->pause();
  };
  peer.head(1, {{":status", "200"}, {"content-length", "2"}});
  peer.data(1, "ok", true, {{"x-checksum", "abc"}});
  settle(loop);
  BOOST_TEST(sink->body.empty());
  BOOST_TEST(!sink->is_ended());
  peer.close();
  settle(loop);
  BOOST_TEST(!sink->is_ended());
  sink->exchange->resume();
  await_end(*sink);
  BOOST_TEST(sink->is_complete);
  BOOST_TEST(sink->body == "ok");
  BOOST_TEST(sink->trailers.size() == 1U);
}

BOOST_AUTO_TEST_CASE(upload_with_length) {
  auto r = request("POST");
  r.body = make_ref<http::BodyPipe>(loop, 1024);
  r.body_length = 5;
  const auto pipe = r.body;
  const auto sink = start(std::move(r));
  auto& peer = origin.await();
  BOOST_TEST(pipe->is_wanted());
  BOOST_TEST(peer.stream(1).field("content-length") == "5");
  pipe->write("he");
  pump_until(loop, "a part", [&] { return peer.stream(1).body == "he"; });
  BOOST_TEST(!peer.stream(1).is_ended);
  pipe->write("llo");
  pump_until(loop, "the end", [&] { return peer.stream(1).is_ended; });
  BOOST_TEST(peer.stream(1).body == "hello");
  peer.answer(1);
  await_end(*sink);
  BOOST_TEST(sink->is_complete);
}

BOOST_AUTO_TEST_CASE(upload_without_length_and_with_trailers) {
  auto r = request("PUT");
  r.body = make_ref<http::BodyPipe>(loop, 1024);
  const auto pipe = r.body;
  const auto sink = start(std::move(r));
  auto& peer = origin.await();
  BOOST_TEST(peer.stream(1).field("content-length") == "(none)");
  pipe->write("hello");
  http::HeaderMap trailers;
  trailers.add("X-Checksum", "abc");
  pipe->finish(std::move(trailers));
  pump_until(loop, "the end", [&] { return peer.stream(1).is_ended; });
  BOOST_TEST(peer.stream(1).body == "hello");
  BOOST_TEST((peer.stream(1).trailers == Fields{{"x-checksum", "abc"}}));
  peer.answer(1);
  await_end(*sink);
  BOOST_TEST(sink->is_complete);
}

BOOST_AUTO_TEST_CASE(request_without_a_body_that_might_have_one) {
  const auto sink = start(request("POST"));
  auto& peer = origin.await();
  BOOST_TEST(peer.stream(1).field("content-length") == "0");
  BOOST_TEST(peer.stream(1).is_ended);
  peer.answer(1);
  await_end(*sink);
}

// A window that is shut stops the reading of the pipe; opened, all goes on. The wait has a limit.
BOOST_AUTO_TEST_CASE(back_pressure_of_an_upload) {
  origin.set_settings({{std::string(kInitialWindow), "1000"}});
  warm_up();
  auto r = request("POST");
  r.body = make_ref<http::BodyPipe>(loop, 8192);
  const auto pipe = r.body;
  const auto sink = start(std::move(r));
  auto& peer = origin.peer();
  peer.set_consuming(false);
  BOOST_TEST(pipe->write(std::string(8192, 'x')) == 8192U);
  pump_until(loop, "a window's worth",
             [&] { return peer.streams().contains(3) && peer.stream(3).body.size() == 1000; });
  settle(loop);
  BOOST_TEST(pipe->peek().size() == 7192U);
  advance(Millis{9'000});
  nghttp2_session_consume(peer.session(), 3, 1000);
  peer.flush();
  pump_until(loop, "another", [&] { return peer.stream(3).body.size() == 2000; });
  settle(loop);
  advance(Millis{9'000});
  BOOST_TEST(!sink->is_ended());
  advance(Millis{1'100});
  check_error(*sink, ErrorCode::kSendTimeout, Retry::kNo);
  pump_until(loop, "RST_STREAM", [&] { return peer.stream(3).reset_code.has_value(); });
}

BOOST_AUTO_TEST_CASE(upload_that_fails_is_reset) {
  auto r = request("POST");
  r.body = make_ref<http::BodyPipe>(loop, 1024);
  const auto pipe = r.body;
  const auto sink = start(std::move(r));
  auto& peer = origin.await();
  pipe->write("some");
  pump_until(loop, "a part", [&] { return peer.stream(1).body == "some"; });
  pipe->fail({ErrorCode::kPeerClosed, Side::kClient});
  await_end(*sink);
  BOOST_TEST((sink->error == Error{ErrorCode::kPeerClosed, Side::kClient}));
  pump_until(loop, "RST_STREAM", [&] { return peer.stream(1).reset_code.has_value(); });
  BOOST_TEST(*peer.stream(1).reset_code == NGHTTP2_CANCEL);
  BOOST_TEST(!peer.stream(1).is_ended);
}

BOOST_AUTO_TEST_CASE(upload_that_had_failed_before_it_began) {
  warm_up();
  auto r = request("POST");
  r.body = make_ref<http::BodyPipe>(loop, 1024);
  r.body->fail({ErrorCode::kPeerClosed, Side::kClient});
  const auto sink = start(std::move(r));
  await_end(*sink);
  BOOST_TEST((sink->error == Error{ErrorCode::kPeerClosed, Side::kClient}));
}

BOOST_AUTO_TEST_CASE(refusal_stops_an_upload) {
  auto r = request("POST");
  r.body = make_ref<http::BodyPipe>(loop, 1024);
  const auto pipe = r.body;
  const auto sink = start(std::move(r));
  auto& peer = origin.await();
  peer.head(1, {{":status", "413"}}, true);
  await_end(*sink);
  BOOST_TEST(sink->is_complete);
  BOOST_TEST(pipe->write(std::string(4096, 'x')) == 4096U);  // dropped
  pump_until(loop, "RST_STREAM", [&] { return peer.stream(1).reset_code.has_value(); });
}

BOOST_AUTO_TEST_CASE(cancelling) {
  auto sink = start(request("GET"));
  auto& peer = origin.await();
  sink->exchange.reset();
  pump_until(loop, "RST_STREAM", [&] { return peer.stream(1).reset_code.has_value(); });
  BOOST_TEST(*peer.stream(1).reset_code == NGHTTP2_CANCEL);
  // In the midst of a body, from within the callback.
  sink = start(request("GET"));
  origin.await();
  sink->hook = [&](std::string_view call) {
    if (call == "body") sink->exchange.reset();
  };
  peer.head(3, {{":status", "200"}});
  peer.data(3, std::string(100'000, 'x'), true);
  pump_until(loop, "RST_STREAM", [&] { return peer.stream(3).reset_code.has_value(); });
  settle(loop);
  BOOST_TEST(sink->body.size() <= std::size_t{16} * 1024);
  BOOST_TEST(!sink->is_ended());
  // Before there is a connection.
  client->close_idle();
  pump_until(loop, "the connection's end", [&] { return peer.saw_end(); });
  sink = start(request("GET"));
  sink->exchange.reset();
  settle(loop);
  BOOST_TEST(!sink->is_ended());
}

BOOST_AUTO_TEST_CASE(exchange_dropped_in_any_callback) {
  for (const std::string_view when : {"informational", "head", "body", "complete", "error"}) {
    BOOST_TEST_CONTEXT(when) {
      const auto sink = start(request("GET"));
      auto& peer = origin.await();
      const std::int32_t id = last_of(peer);
      int calls = 0;
      sink->hook = [&](std::string_view call) {
        ++calls;
        if (call == when) sink->exchange.reset();
      };
      peer.informational(id, {{":status", "103"}});
      peer.head(id, {{":status", "200"}});
      peer.data(id, "some");
      pump_until(loop, "a call", [&] { return !sink->exchange || sink->body == "some"; });
      if (when == "error") {
        peer.reset(id, NGHTTP2_INTERNAL_ERROR);
      } else {
        peer.data(id, "", true);
      }
      pump_until(loop, "the drop", [&] { return !sink->exchange; });
      const int calls_then = calls;
      settle(loop);
      BOOST_TEST(calls == calls_then);
      peer.stream(id).answer_ends = true;
    }
  }
}

BOOST_AUTO_TEST_CASE(first_byte_timeout) {
  warm_up();
  const auto sink = start(request("GET"));
  auto& peer = origin.await();
  settle(loop);
  advance(Millis{9'900});
  BOOST_TEST(!sink->is_ended());
  advance(Millis{200});
  check_error(*sink, ErrorCode::kFirstByteTimeout, Retry::kNo);
  pump_until(loop, "RST_STREAM", [&] { return peer.stream(3).reset_code.has_value(); });
  // Not a sign of life came meanwhile: nobody else shall wait on this connection.
  const auto next = start(request("GET"));
  origin.await(1, 1).answer(1);
  await_end(*next);
  BOOST_TEST(next->is_complete);
}

BOOST_AUTO_TEST_CASE(between_bytes_timeout) {
  const auto sink = start(request("GET"));
  auto& peer = origin.await();
  peer.head(1, {{":status", "200"}});
  for (int i = 1; i <= 3; ++i) {
    peer.data(1, "x");
    pump_until(loop, "a byte", [&] { return sink->body.size() == static_cast<std::size_t>(i); });
    advance(Millis{9'000});
  }
  BOOST_TEST(!sink->is_ended());
  advance(Millis{1'100});
  check_error(*sink, ErrorCode::kBetweenBytesTimeout, Retry::kNo);
}

// The client's turn: the origin owes nothing.
BOOST_AUTO_TEST_CASE(no_timeout_while_the_client_owes_body) {
  auto r = request("POST");
  r.body = make_ref<http::BodyPipe>(loop, 1024);
  const auto pipe = r.body;
  const auto sink = start(std::move(r));
  origin.await();
  settle(loop);
  advance(Millis{60'000});
  BOOST_TEST(!sink->is_ended());
  pipe->finish({});
  settle(loop);
  advance(Millis{10'100});
  check_error(*sink, ErrorCode::kFirstByteTimeout, Retry::kNo);
}

BOOST_AUTO_TEST_CASE(idle_connections_are_closed) {
  warm_up();
  auto& peer = origin.peer();
  advance(Millis{59'000});
  BOOST_TEST(!peer.saw_end());
  advance(Millis{1'100});
  pump_until(loop, "the end", [&] { return peer.saw_end(); });
  BOOST_TEST((peer.goaway_code() == std::uint32_t{NGHTTP2_NO_ERROR}));
}

BOOST_AUTO_TEST_CASE(floods_end_the_connection) {
  struct Row {
    const char* name;
    std::string frame;
    int count;
  };
  const auto frame = [](std::uint8_t type, std::uint8_t flags, std::int32_t id, std::string_view payload) {
    return H2Origin::Peer::frame_of(type, flags, id, payload);
  };
  const Row rows[] = {
      {"SETTINGS", frame(NGHTTP2_SETTINGS, 0, 0, ""), 200},
      {"PING", frame(NGHTTP2_PING, 0, 0, "12345678"), 1'500},
      {"empty DATA", frame(NGHTTP2_DATA, 0, 1, ""), 300},
      {"PRIORITY", frame(NGHTTP2_PRIORITY, 0, 1, std::string(5, '\0')), 300},
      {"unknown frames", frame(0x7f, 0, 0, ""), 300},
      {"WINDOW_UPDATE", frame(NGHTTP2_WINDOW_UPDATE, 0, 1, std::string("\0\0\0\1", 4)), 6'000},
      {"DATA of a closed stream", frame(NGHTTP2_DATA, 0, 3, "x"), 6'000},
  };
  std::size_t connection = 0;
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const auto sink = start(request("GET"));
      const auto closed = start(request("GET"));
      auto& peer = origin.await(2, connection);
      peer.head(1, {{":status", "200"}});
      peer.answer(3);
      await_end(*closed);
      std::string flood;
      for (int i = 0; i < row.count; ++i) flood += row.frame;
      peer.raw(flood);
      check_error(*sink, ErrorCode::kHttp2Failed, Retry::kNo);
      pump_until(loop, "the connection's end", [&] { return peer.saw_end(); });
      BOOST_TEST((peer.goaway_code() == std::uint32_t{NGHTTP2_ENHANCE_YOUR_CALM}));
      ++connection;
    }
  }
}

BOOST_AUTO_TEST_CASE(pushed_streams_are_refused) {
  const auto sink = start(request("GET"));
  auto& peer = origin.await();
  settle(loop);
  peer.frame(NGHTTP2_PUSH_PROMISE, NGHTTP2_FLAG_END_HEADERS, 1, std::string("\0\0\0\2\x82\x84\x86", 7));
  check_error(*sink, ErrorCode::kHttp2Failed, Retry::kFreshConnection);
  pump_until(loop, "the connection's end", [&] { return peer.saw_end(); });
}

BOOST_AUTO_TEST_CASE(upgrades_and_proxy_headers_are_of_http1) {
  ScriptedOrigin plain(loop);
  origin::ServerOptions options;
  options.addresses = {plain.address()};
  options.access.protocol = origin::Protocol::kHttp2;
  client.emplace(loop, options);
  auto r = request("GET");
  r.upgrade = "websocket";
  auto sink = start(std::move(r));
  plain.await(0, "GET / HTTP/1.1\r\n");
  sink.reset();
  options.access.proxy_protocol = net::ProxyVersion::kV1;
  client.emplace(loop, options);
  sink = start(request("GET"));
  plain.await(1, "GET / HTTP/1.1\r\n");
}

BOOST_AUTO_TEST_SUITE_END()

// HTTP/1.1 under TLS: records what comes on each connection.
class TlsH1Origin {
 public:
  TlsH1Origin(net::Loop& loop, Ref<const net::TlsServer> tls) : tls_(std::move(tls)) {
    auto listener = net::Listener::bind(*net::Address::parse("127.0.0.1:0"));
    BOOST_REQUIRE(listener.has_value());
    listener_ = std::move(*listener);
    listener_->start(loop, [this, &loop](Fd fd, const net::Address&) {
      peers_.push_back(std::make_unique<Peer>(loop, std::move(fd), *tls_));
    });
  }
  const net::Address& address() const { return listener_->address(); }
  std::size_t connections() const { return peers_.size(); }
  const std::string& received(std::size_t i) const { return peers_.at(i)->received; }
  void send(std::size_t i, std::string_view bytes) { peers_.at(i)->transport.write(bytes); }

 private:
  struct Peer final : ByteStream::User {
    Peer(net::Loop& loop, Fd fd, const net::TlsServer& tls) : transport(loop, std::move(fd)) {
      transport.set_user(*this);
      transport.start_tls(tls.accept());
      transport.watch(true, false);
    }
    void on_stream_ready(bool readable, bool) override {
      if (!readable) return;
      std::vector<char> buffer(ByteStream::kReadBytes);
      const ByteStream::Outcome outcome = transport.read(buffer);
      received.append(buffer.data(), outcome.bytes);
      const bool goes_on = outcome.status == ByteStream::Status::kOk || outcome.status == ByteStream::Status::kBlocked;
      if (!goes_on) transport.watch(false, false);
    }
    net::Transport transport;
    std::string received;
  };

  Ref<const net::TlsServer> tls_;
  std::unique_ptr<net::Listener> listener_;
  std::vector<std::unique_ptr<Peer>> peers_;
};

// Under TLS, where ALPN has a say.
struct H2TlsFixture {
  FdCount fds;
  TlsFixture tls;
  net::Loop loop{0, tls.clock};
  std::optional<origin::ServerClient> client;

  Ref<const net::TlsServer> make_server(bool has_http2) const {
    net::TlsServerOptions options;
    options.http2 = has_http2;
    return tls.make_server({tls.issue("origin")}, options);
  }
  void make_client(const net::Address& address, origin::Protocol protocol) {
    const auto context = net::TlsClientContext::load({.ca = tls.ca});
    BOOST_REQUIRE(context.has_value());
    origin::ServerOptions options;
    options.addresses = {address};
    options.tls_name = "localhost";
    options.access = {.tls = *context, .protocol = protocol};
    client.emplace(loop, std::move(options));
  }
  std::unique_ptr<RecordingSink> start() {
    auto sink = std::make_unique<RecordingSink>();
    sink->exchange = client->start(request("GET"), *sink);
    return sink;
  }
  void await_end(const RecordingSink& sink) {
    pump_until(loop, "the end of an exchange", [&] { return sink.is_ended(); });
    settle(loop);
    BOOST_TEST(sink.calls_after_end == 0);
  }
};

BOOST_FIXTURE_TEST_SUITE(origin_h2_tls, H2TlsFixture)

BOOST_AUTO_TEST_CASE(alpn_chooses_http2) {
  H2Origin origin(loop, {}, make_server(true));
  make_client(origin.address(), origin::Protocol::kAuto);
  const auto one = start();
  const auto two = start();
  auto& peer = origin.await(2);
  BOOST_TEST(peer.stream(1).field(":scheme") == "https");
  peer.answer(1, std::string(200'000, 'x'));
  peer.answer(3);
  await_end(*one);
  await_end(*two);
  BOOST_TEST(one->is_complete);
  BOOST_TEST(one->body.size() == 200'000U);
  BOOST_TEST(two->body == "ok");
  BOOST_TEST(client->stats().handshakes == 1U);
}

// The connection just made serves the first request; what was chosen is remembered.
BOOST_AUTO_TEST_CASE(alpn_chooses_http1) {
  TlsH1Origin origin(loop, make_server(false));
  make_client(origin.address(), origin::Protocol::kAuto);
  const auto one = start();
  const auto two = start();
  pump_until(loop, "two requests",
             [&] { return origin.connections() == 2 && !origin.received(0).empty() && !origin.received(1).empty(); });
  for (const std::size_t i : {0U, 1U}) {
    BOOST_TEST(origin.received(i).starts_with("GET / HTTP/1.1\r\n"));
    origin.send(i, kOk);
  }
  for (const auto* sink : {&one, &two}) {
    await_end(**sink);
    BOOST_TEST((*sink)->is_complete);
    BOOST_TEST((*sink)->body == "ok");
  }
  const auto three = start();
  pump_until(loop, "an answer", [&] {
    for (const std::size_t i : {0U, 1U}) {
      if (origin.received(i).size() > origin.received(1 - i).size()) origin.send(i, kOk);
    }
    return three->is_ended();
  });
  BOOST_TEST(three->is_complete);
  BOOST_TEST(origin.connections() == 2U);
  BOOST_TEST(client->stats().http2_connections == 0U);
}

BOOST_AUTO_TEST_CASE(server_without_http2_fails_where_it_is_demanded) {
  TlsH1Origin origin(loop, make_server(false));
  make_client(origin.address(), origin::Protocol::kHttp2);
  const auto sink = start();
  await_end(*sink);
  BOOST_TEST((sink->error == Error{ErrorCode::kHttp2Failed, Side::kOrigin, Retry::kNo}));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::test
