// HTTP/2 connections to an origin: shared by streams, made and given up as needed, chosen by ALPN, and ended where a
// server is hostile.
#include <boost/test/unit_test.hpp>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "loopback/origin/h2_fixture.h"
#include "origin/origin_client.h"
#include "origin/origin_state.h"
#include "support/recording_observer.h"
#include "support/tls_pair.h"

namespace seawall::test {
namespace {

BOOST_FIXTURE_TEST_SUITE(origin_h2_connections, H2OriginFixture)

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

BOOST_AUTO_TEST_CASE(burst_past_a_limit_that_is_not_known_yet) {
  origin.set_settings({{std::string(kMaxStreams), "2"}});
  std::vector<std::unique_ptr<RecordingSink>> sinks;
  for (int i = 0; i < 6; ++i) sinks.push_back(start(request(i % 2 == 0 ? "GET" : "POST")));
  for (std::size_t i = 0; i < 3; ++i) {
    auto& peer = origin.await(2, i);
    settle(loop);
    for (const auto& [id, stream] : std::map(peer.streams())) {
      if (!stream.reset_code) peer.answer(id);
    }
  }
  for (const auto& sink : sinks) {
    await_end(*sink);
    BOOST_TEST(sink->is_complete);
  }
}

BOOST_AUTO_TEST_CASE(limit_that_is_lowered_before_a_request_leaves) {
  const auto first = start(request("GET"));
  auto& peer = origin.await();
  settle(loop);
  const nghttp2_settings_entry one{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1};
  nghttp2_submit_settings(peer.session(), NGHTTP2_FLAG_NONE, &one, 1);
  const auto second = start(request("GET"));  // not sent before the next turn, which reads first
  peer.flush();
  settle(loop);
  BOOST_TEST(peer.streams().size() == 1U);
  advance(Millis{10'100});
  check_error(*second, ErrorCode::kStreamTimeout, Retry::kYes);
}

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
  check_error(*last, ErrorCode::kStreamTimeout, Retry::kYes);
  BOOST_TEST(!next->is_ended());
}

BOOST_AUTO_TEST_CASE(waiting_for_a_stream_says_nothing_of_the_server) {
  origin.set_settings({{std::string(kMaxStreams), "1"}});
  RecordingObserver observer;
  origin::OriginOptions options{.name = "shop"};
  options.access.protocol = origin::Protocol::kHttp2;
  options.breaker.connect_failures = 1;
  auto state = std::make_shared<origin::OriginState>(options, observer, 1);
  state->set_endpoints({{.name = "one", .host_header = "shop.test", .addresses = {origin.address()}}},
                       clock.mono_now());
  origin::OriginClient calls(loop, state, options);
  std::vector<std::unique_ptr<RecordingSink>> sinks;
  for (std::size_t i = 0; i < 9; ++i) {
    auto& sink = *sinks.emplace_back(std::make_unique<RecordingSink>());
    sink.exchange = calls.start(request("GET"), sink);
    if (i < 8) origin.await(1, i);
    settle(loop);
  }
  advance(Millis{1100});
  check_error(*sinks.back(), ErrorCode::kStreamTimeout, Retry::kYes);
  BOOST_TEST(!state->is_breaker_open());
  const auto snapshot = state->snapshot(clock.mono_now());
  BOOST_TEST(snapshot.servers[0].failures == 0U);
  BOOST_TEST(snapshot.errors[static_cast<std::size_t>(ErrorCode::kStreamTimeout)] == 1U);
}

BOOST_AUTO_TEST_CASE(those_that_want_a_fresh_connection_hold_up_nobody) {
  origin.set_settings({{std::string(kMaxStreams), "5"}});
  warm_up();
  std::vector<std::unique_ptr<RecordingSink>> held;
  for (int i = 0; i < 5; ++i) held.push_back(start(request("GET")));
  auto& good = origin.await(5, 0);
  warm_up(1);
  auto& dying = origin.peer(1);
  const auto one = start(request("GET", "/one"));
  const auto two = start(request("GET", "/two"));
  const auto last = start(request("POST"));
  origin.await(3, 1);
  for (int i = 0; i < 3; ++i) {
    good.answer(last_of(good) - 2 * i);
    await_end(*held[static_cast<std::size_t>(4 - i)]);
  }
  origin.stop_listening();
  // Behind the other two, of which nobody knows yet what becomes.
  std::unique_ptr<RecordingSink> behind;
  last->hook = [&](std::string_view call) {
    if (call != "error") return;
    BOOST_TEST(client->stats().resent == 2U);
    const auto before = client->stats().http2_streams;
    behind = start(request("GET", "/behind"));
    BOOST_TEST(client->stats().http2_streams == before + 1);
  };
  dying.close();
  await_end(*last);
  BOOST_REQUIRE(behind);
  origin.await(5, 0);
  for (const std::int32_t id : {last_of(good), last_of(good) - 2, last_of(good) - 4}) good.answer(id);
  for (const auto* sink : {one.get(), two.get(), behind.get()}) {
    await_end(*sink);
    BOOST_TEST(sink->is_complete);
  }
}

BOOST_AUTO_TEST_CASE(data_before_anything) {
  const auto sink = start(request("GET"));
  auto& peer = origin.await();
  peer.frame(NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1, "ok");
  check_error(*sink, ErrorCode::kHttp2Failed, Retry::kFreshConnection);
  pump_until(loop, "the connection's end", [&] { return peer.saw_end(); });
  BOOST_TEST((peer.goaway_code() == std::uint32_t{NGHTTP2_PROTOCOL_ERROR}));
}

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
      {"DATA of padding", frame(NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, std::string("\x02\0\0", 3)), 300},
      {"PRIORITY", frame(NGHTTP2_PRIORITY, 0, 1, std::string(5, '\0')), 300},
      {"WINDOW_UPDATE", frame(NGHTTP2_WINDOW_UPDATE, 0, 1, std::string("\0\0\0\1", 4)), 6'000},
      {"unknown type", frame(0xfa, 0, 0, "grease"), 600},
      {"ALTSVC", frame(0x0a, 0, 1, std::string("\0\0", 2)), 600},
      {"DATA of a stream that has ended", frame(NGHTTP2_DATA, 0, 3, "late"), 6'000},
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

BOOST_AUTO_TEST_CASE(heads_may_be_as_large_as_the_client_takes) {
  origin::ServerOptions options;
  options.head_limits.header_bytes = std::size_t{512} * 1024;
  make_client(std::move(options));
  const auto sink = start(request("GET"));
  auto& peer = origin.await();
  Fields large = {{":status", "200"}};
  for (int i = 0; i < 8; ++i) large.emplace_back("a", std::string(60'000, 'W'));  // Huffman makes it no smaller
  peer.headers(1, large, NGHTTP2_FLAG_END_STREAM);
  await_end(*sink);
  BOOST_TEST(sink->is_complete);
  BOOST_TEST(sink->head->headers.size() == 8U);
}

BOOST_AUTO_TEST_CASE(a_head_that_does_not_end_ends_the_connection) {
  const auto sink = start(request("GET"));
  auto& peer = origin.await();
  std::string flood = H2Origin::Peer::frame_of(NGHTTP2_HEADERS, 0, 1, "\x88");
  for (int i = 0; i < 20; ++i) flood += H2Origin::Peer::frame_of(NGHTTP2_CONTINUATION, 0, 1, "\x88");
  peer.raw(flood);
  check_error(*sink, ErrorCode::kHttp2Failed, Retry::kFreshConnection);
  pump_until(loop, "the connection's end", [&] { return peer.saw_end(); });
  BOOST_TEST((peer.goaway_code() == std::uint32_t{NGHTTP2_ENHANCE_YOUR_CALM}));
}

BOOST_AUTO_TEST_CASE(what_is_unknown_or_late_for_a_reason_harms_nobody) {
  const std::string piece(1'000, 'x');
  for (int i = 0; i < 30; ++i) {
    auto given_up = start(request("GET"));
    auto& peer = origin.await();
    const std::int32_t id = last_of(peer);
    peer.frame(0xfa, 0, id, "grease");
    peer.frame(0x0c, 0, 0, "");  // ORIGIN
    given_up.reset();
    settle(loop);
    for (int j = 0; j < 500; ++j) peer.frame(NGHTTP2_DATA, 0, id, piece);
    settle(loop);
  }
  warm_up();
  BOOST_TEST(origin.connections() == 1U);
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
  // From the next connection on.
  void set_tls(Ref<const net::TlsServer> tls) { tls_ = std::move(tls); }

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
    const auto context = net::TlsClientContext::load({.ca = tls.ca}, tls.clock.wall_now());
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
  const std::size_t before = origin.received(0).size();
  const auto three = start();
  pump_until(loop, "a request", [&] { return origin.received(0).size() + origin.received(1).size() > 2 * before; });
  origin.send(origin.received(0).size() > before ? 0 : 1, kOk);
  await_end(*three);
  BOOST_TEST(three->is_complete);
  BOOST_TEST(origin.connections() == 2U);
  BOOST_TEST(client->stats().http2_connections == 0U);
}

// As after an upgrade of the origin: it is asked again, but for no more than connections that are made anyway.
BOOST_AUTO_TEST_CASE(alpn_may_choose_otherwise_later) {
  TlsH1Origin origin(loop, make_server(false));
  make_client(origin.address(), origin::Protocol::kAuto);
  const auto ask = [&](std::size_t connection, std::string_view begins, std::string_view connection_field) {
    const auto sink = start();
    pump_until(loop, "a request", [&] {
      return origin.connections() > connection && origin.received(connection).size() >= begins.size();
    });
    BOOST_TEST(origin.received(connection).starts_with(begins));
    origin.send(connection, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + std::string(connection_field) + "\r\nok");
    await_end(*sink);
    BOOST_TEST(sink->is_complete);
  };
  ask(0, "GET / HTTP/1.1\r\n", "Connection: close\r\n");
  origin.set_tls(make_server(true));
  ask(1, "GET / HTTP/1.1\r\n", "X: y\r\n");
  tls.clock.advance(Seconds{61});
  ask(1, "GET / HTTP/1.1\r\n", "Connection: close\r\n");
  BOOST_TEST(origin.connections() == 2U);
  // By one request; others do not wait for what comes of it.
  const auto one = start();
  const auto two = start();
  pump_until(loop, "two requests", [&] {
    return origin.connections() == 4 && origin.received(2).size() > 16 && origin.received(3).size() > 16;
  });
  const bool is_first = origin.received(2).starts_with("PRI * HTTP/2.0\r\n");
  BOOST_TEST(origin.received(is_first ? 2 : 3).starts_with("PRI * HTTP/2.0\r\n"));
  BOOST_TEST(origin.received(is_first ? 3 : 2).starts_with("GET / HTTP/1.1\r\n"));
}

BOOST_AUTO_TEST_CASE(server_without_http2_fails_where_it_is_demanded) {
  TlsH1Origin origin(loop, make_server(false));
  make_client(origin.address(), origin::Protocol::kHttp2);
  const auto sink = start();
  await_end(*sink);
  BOOST_TEST((sink->error == Error{ErrorCode::kHttp2Failed, Side::kOrigin, Retry::kYes}));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::test
