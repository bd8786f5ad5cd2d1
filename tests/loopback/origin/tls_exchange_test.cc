// HTTP/1.1 with an origin under TLS: where a response ends when the connection is cut, what idle connections may say,
// bodies both ways, upgrades, and the PROXY header in front.
#include <boost/test/unit_test.hpp>

#include "net/proxy_protocol.h"
#include "tls_fixture.h"

namespace seawall::test {
namespace {

constexpr std::size_t kLarge = std::size_t{4} * 1024 * 1024;
// More than two sockets' buffers hold, however the kernel tunes them.
constexpr std::size_t kHuge = std::size_t{40} * 1024 * 1024;

enum class Then { kStay, kClose, kTruncate };

struct Row {
  std::string_view name;
  std::string_view response;
  Then then;
  // Expected.
  std::optional<ErrorCode> error = {};
  std::string_view body = "";
};

// RFC 9112 section 9.8.
constexpr Row kRows[] = {
    {"until close, said", "HTTP/1.1 200 OK\r\n\r\nuntil", Then::kClose, {}, "until"},
    {"until close, cut", "HTTP/1.1 200 OK\r\n\r\nunt", Then::kTruncate, ErrorCode::kIncompleteBody, "unt"},
    {"until close, nothing of it", "HTTP/1.1 200 OK\r\n\r\n", Then::kTruncate, ErrorCode::kIncompleteBody},
    {"a length, cut within", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", Then::kTruncate,
     ErrorCode::kIncompleteBody, "hel"},
    {"a length, said to end within", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", Then::kClose,
     ErrorCode::kIncompleteBody, "hel"},
    {"a length, cut behind", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", Then::kTruncate, {}, "hello"},
    {"chunks, cut within", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", Then::kTruncate,
     ErrorCode::kIncompleteBody, "abc"},
    {"chunks, cut behind",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
     Then::kTruncate,
     {},
     "abc"},
    {"cut within the head", "HTTP/1.1 200 OK\r\nContent-", Then::kTruncate, ErrorCode::kPeerClosed},
    {"said to end without a head", "", Then::kClose, ErrorCode::kPeerClosed},
};

struct ExchangeFixture : TlsOriginFixture {
  void wait_for_silence() {
    settle(loop);
    BOOST_TEST(client->stats().idle == 1U);
  }
};

BOOST_FIXTURE_TEST_SUITE(origin_tls_exchange, ExchangeFixture)

BOOST_AUTO_TEST_CASE(ends) {
  for (const net::TlsVersion version : {net::TlsVersion::kTls12, net::TlsVersion::kTls13}) {
    for (const Row& row : kRows) {
      BOOST_TEST_CONTEXT(row.name) {
        const std::size_t next = origin.connections();
        make_client(options({.max_version = version}));
        const auto sink = start(request("GET"));
        auto& peer = origin.await(next, "\r\n\r\n");
        peer.send(row.response);
        if (row.then == Then::kClose) peer.close();
        if (row.then == Then::kTruncate) peer.truncate();
        await_end(*sink);
        BOOST_TEST(sink->body == row.body);
        BOOST_TEST(sink->is_complete == !row.error);
        if (row.error) BOOST_TEST(to_string(sink->error->code) == to_string(*row.error));
        BOOST_TEST(client->stats().idle == 0U);
        BOOST_TEST(!loop.timers().next_deadline().has_value());
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_connection_is_kept_and_used_again) {
  for (int i = 0; i < 3; ++i) BOOST_TEST(get(0)->body == "ok");
  BOOST_TEST(origin.connections() == 1U);
  BOOST_TEST(client->stats().handshakes == 1U);
  BOOST_TEST(client->stats().connections_reused == 2U);
}

BOOST_AUTO_TEST_CASE(what_tls_has_to_say_is_no_byte) {
  get(0);
  origin.peer(0).send_ticket();
  wait_for_silence();
  origin.peer(0).ask_for_new_keys();
  wait_for_silence();
  get(0);
  // In front of the next request, before the loop has seen it.
  origin.peer(0).send_ticket();
  get(0);
  BOOST_TEST(origin.connections() == 1U);
}

BOOST_AUTO_TEST_CASE(a_ticket_that_comes_late_is_used) {
  get(0);
  origin.peer(0).send_ticket();
  settle(loop);
  client->close_idle();
  get(1);
  BOOST_TEST(client->stats().resumed_handshakes == 1U);
}

BOOST_AUTO_TEST_CASE(bytes_that_nobody_asked_for_close_an_idle_connection) {
  get(0);
  origin.peer(0).send("HTTP/1.1 408 Request Timeout\r\n\r\n");
  settle(loop);
  BOOST_TEST(client->stats().idle == 0U);
  BOOST_CHECK(origin.peer(0).end().has_value());
  get(1);
  // Seen only when the connection is taken.
  origin.peer(1).send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
  BOOST_TEST(get(2)->body == "ok");
}

BOOST_AUTO_TEST_CASE(an_idle_connection_that_ends_is_let_go) {
  get(0);
  origin.peer(0).close();
  settle(loop);
  BOOST_TEST(client->stats().idle == 0U);
  get(1);
  origin.peer(1).truncate();
  settle(loop);
  BOOST_TEST(client->stats().idle == 0U);
  get(2);
  BOOST_TEST(client->stats().resent == 0U);
}

BOOST_AUTO_TEST_CASE(sent_again_when_a_reused_connection_ends) {
  get(0);
  const auto sink = start(request("GET"));
  settle(loop);
  origin.peer(0).close();
  origin.await(1, "\r\n\r\n").send(kOk);
  await_end(*sink);
  BOOST_TEST(sink->is_complete);
  BOOST_TEST(client->stats().resent == 1U);
  BOOST_TEST(client->stats().resumed_handshakes == 1U);
}

BOOST_AUTO_TEST_CASE(a_large_body_comes_as_it_is_taken) {
  const auto sink = start(request("GET"));
  auto& peer = origin.await(0, "\r\n\r\n");
  peer.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(kHuge) + "\r\n\r\n");
  pump_until(loop, "the head", [&] { return sink->head.has_value(); });
  sink->exchange->pause();
  peer.send(std::string(kHuge, 'b'));
  settle(loop);
  BOOST_TEST(sink->body.size() <= ByteStream::kReadBytes);
  BOOST_TEST(peer.unsent_bytes() > 0U);
  // Nobody wants the origin to time out while the client is slow.
  advance(Millis(60'000));
  BOOST_TEST(!sink->is_ended());
  sink->exchange->resume();
  await_end(*sink);
  BOOST_TEST(sink->is_complete);
  BOOST_TEST(sink->body.size() == kHuge);
  BOOST_TEST(client->stats().idle == 1U);
}

BOOST_AUTO_TEST_CASE(a_large_upload) {
  const auto pipe = make_ref<http::BodyPipe>(loop, std::size_t{64} * 1024);
  auto r = request("PUT");
  r.body = pipe;
  r.body_length = kLarge;
  const auto sink = start(std::move(r));
  const std::string block(16 * 1024, 'b');
  std::size_t left = kLarge;
  pump_until(loop, "room in the pipe", [&] {
    while (left > 0) {
      const std::size_t n = pipe->write(std::string_view(block).substr(0, left));
      if (n == 0) break;
      left -= n;
    }
    return left == 0;
  });
  pipe->finish({});
  pump_until(loop, "the body", [&] { return origin.peer(0).received().size() > kLarge; });
  settle(loop);
  const std::string& got = origin.peer(0).received();
  BOOST_TEST(got.size() - got.find("\r\n\r\n") - 4 == kLarge);
  origin.peer(0).send(kOk);
  await_end(*sink);
  BOOST_TEST(sink->is_complete);
  BOOST_TEST(client->stats().idle == 1U);
}

BOOST_AUTO_TEST_CASE(timeouts_are_those_of_plain_connections) {
  const auto sink = start(request("GET"));
  origin.await(0, "\r\n\r\n");
  advance(Millis(9'990));
  BOOST_TEST(!sink->is_ended());
  advance(Millis(20));
  check_error(*sink, ErrorCode::kFirstByteTimeout, Retry::kNo);
}

BOOST_AUTO_TEST_CASE(an_upgrade_hands_over_the_stream) {
  auto r = request("GET");
  r.upgrade = "websocket";
  const auto sink = start(std::move(r));
  auto& peer = origin.await(0, "\r\n\r\n");
  peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nearly");
  await_end(*sink);
  BOOST_REQUIRE(sink->upgraded);
  BOOST_TEST(sink->early_bytes == "early");
  BOOST_TEST(!loop.timers().next_deadline().has_value());

  struct Reader final : ByteStream::User {
    ByteStream* stream = nullptr;
    std::string received;
    ByteStream::Status last = ByteStream::Status::kBlocked;
    void on_stream_ready(bool readable, bool) override {
      if (!readable) return;
      std::string buffer(ByteStream::kReadBytes, '\0');
      const auto [status, bytes] = stream->read(buffer);
      last = status;
      received.append(buffer, 0, bytes);
      if (status == ByteStream::Status::kEnd) stream->watch(false, false);
    }
  } reader;
  reader.stream = sink->upgraded.get();
  reader.stream->set_user(reader);
  reader.stream->watch(true, false);
  BOOST_TEST(reader.stream->write("ping").bytes == 4U);
  origin.await(0, "ping").send("pong");
  pump_until(loop, "pong", [&] { return reader.received == "pong"; });
  peer.close();
  pump_until(loop, "the end", [&] { return reader.last == ByteStream::Status::kEnd; });
}

struct ProxyRow {
  std::string_view name;
  net::ProxyVersion version;
  http::Traffic traffic;
  std::string client_ip;
  std::string local_ip;
  std::string expected;
};

BOOST_AUTO_TEST_CASE(a_proxy_header_goes_ahead) {
  using net::ProxyVersion;
  const auto address = [](const char* text) { return *net::Address::parse(text); };
  const std::string v1_unknown = "PROXY UNKNOWN\r\n";
  const std::string v2_local = net::local_proxy_header(ProxyVersion::kV2);
  const ProxyRow rows[] = {
      {"v1", ProxyVersion::kV1, http::Traffic::kClient, "192.0.2.7", "198.51.100.1",
       "PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\r\n"},
      {"v1, IPv6", ProxyVersion::kV1, http::Traffic::kClient, "2001:db8::7", "2001:db8::1",
       "PROXY TCP6 2001:db8::7 2001:db8::1 40000 443\r\n"},
      {"v1, nobody waits", ProxyVersion::kV1, http::Traffic::kBackground, "192.0.2.7", "198.51.100.1", v1_unknown},
      {"v1, a Unix socket", ProxyVersion::kV1, http::Traffic::kClient, "unix", "", v1_unknown},
      {"v2", ProxyVersion::kV2, http::Traffic::kClient, "192.0.2.7", "198.51.100.1",
       net::proxy_header(ProxyVersion::kV2, address("192.0.2.7:40000"), address("198.51.100.1:443"))},
      {"v2, nobody waits", ProxyVersion::kV2, http::Traffic::kBackground, "192.0.2.7", "198.51.100.1", v2_local},
      {"v2, a health check", ProxyVersion::kV2, http::Traffic::kBackground, "", "", v2_local},
  };
  origin.expects_proxy_header = true;
  for (const ProxyRow& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const std::size_t next = origin.connections();
      auto made = options();
      made.access.proxy_protocol = row.version;
      make_client(std::move(made));
      auto r = request("GET");
      r.traffic = row.traffic;
      r.client_ip = row.client_ip;
      r.client_port = 40000;
      r.local_ip = row.local_ip;
      r.local_port = 443;
      const auto sink = start(std::move(r));
      auto& peer = origin.await(next, "\r\n\r\n");
      BOOST_TEST(peer.proxy_header() == row.expected);
      peer.send(kOk);
      await_end(*sink);
      BOOST_TEST(sink->is_complete);
      // It is one client's, and the next request may be another's.
      BOOST_TEST(client->stats().idle == 0U);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::test
