// WebSockets over HTTP/2 (RFC 8441): an upgrade at the origin, DATA frames at the client.
#include <sys/socket.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <string>

#include "loopback/proxy/h2_fixture.h"
#include "net/transport.h"
#include "proxy/websocket.h"

namespace seawall::test {
namespace {

const Lines kConnect = {{":method", "CONNECT"},          {":protocol", "websocket"}, {":scheme", "http"},
                        {":authority", "example.com"},   {":path", "/chat"},         {"sec-websocket-version", "13"},
                        {"origin", "http://example.com"}};

// The origin's end of an upgraded connection.
class Origin {
 public:
  explicit Origin(net::Loop& loop) {
    std::array<int, 2> ends{};
    BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()) == 0);
    fd_ = Fd(ends[0]);
    stream = std::make_unique<net::Transport>(loop, Fd(ends[1]));
  }
  void send(std::string_view bytes) {
    BOOST_TEST(::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
  }
  // All that has come; "(end)" for the end.
  std::string take() {
    std::string all;
    std::array<char, 65536> buffer;
    while (true) {
      const ssize_t size = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (size < 0) return all;
      if (size == 0) return all + "(end)";
      all.append(buffer.data(), static_cast<std::size_t>(size));
    }
  }
  void end() { ::shutdown(fd_.get(), SHUT_WR); }
  void close() { fd_ = Fd(); }

  std::unique_ptr<ByteStream> stream;

 private:
  Fd fd_;
};

// Accepts as a server of RFC 6455 does.
Lines acceptance(const FakeUpstream::Call& call) {
  const std::string key(call.field("Sec-WebSocket-Key").value_or(""));
  return {{"Upgrade", "websocket"},
          {"Connection", "upgrade"},
          {"Sec-WebSocket-Accept", proxy::websocket_accept(key)},
          {"X-Name", "value"}};
}

BOOST_AUTO_TEST_SUITE(loopback_h2_tunnel)

BOOST_AUTO_TEST_CASE(bytes_pass_both_ways) {
  H2Fixture h;
  Origin origin(h.loop);
  const std::int32_t stream = h.client().send(kConnect, "early ", false);
  h.settle();
  auto& call = h.upstream.last();
  BOOST_TEST(call.request().upgrade == "websocket");
  BOOST_TEST(call.request().method_name == "GET");
  BOOST_TEST(call.request().target == "/chat");
  BOOST_TEST(call.field("Sec-WebSocket-Key").value_or("").size() == 24U);
  BOOST_TEST(call.field("Sec-WebSocket-Version").value_or("") == "13");
  BOOST_TEST(!call.request().body);
  call.upgrade(std::move(origin.stream), "first ", acceptance(call));
  h.settle();
  H2Answer& answer = h.client().answer(stream);
  BOOST_TEST(answer.status == 200U);
  BOOST_TEST(answer.field("x-name") == "value");
  BOOST_TEST(!answer.fields.contains("sec-websocket-accept"));
  BOOST_TEST(!answer.fields.contains("upgrade"));
  BOOST_TEST(answer.body == "first ");
  BOOST_TEST(origin.take() == "early ");
  h.client().more_body(stream, "to the origin", false);
  origin.send("to the client");
  h.settle();
  BOOST_TEST(origin.take() == "to the origin");
  BOOST_TEST(answer.body == "first to the client");
  // Each way ends by itself.
  h.client().more_body(stream, "", true);
  h.settle();
  BOOST_TEST(origin.take() == "(end)");
  BOOST_TEST(!answer.has_ended);
  origin.send(" and the last");
  origin.end();
  h.settle();
  BOOST_TEST(answer.body == "first to the client and the last");
  BOOST_TEST(answer.has_ended);
  BOOST_TEST(!answer.reset);
  // The handler is used again.
  const std::int32_t next = h.get("/a");
  h.upstream.last().respond(200, {}, "a");
  h.settle();
  BOOST_TEST(h.client().answer(next).body == "a");
  BOOST_TEST(h.handlers == 1);
}

BOOST_AUTO_TEST_CASE(much_passes_both_ways) {
  H2Fixture h;
  Origin origin(h.loop);
  const std::int32_t stream = h.client().send(kConnect, "", false);
  h.settle();
  auto& call = h.upstream.last();
  call.upgrade(std::move(origin.stream), "", acceptance(call));
  h.settle();
  const std::string up(2'000'000, 'u');
  h.client().more_body(stream, up, false);
  std::string got;
  std::size_t sent = 0;
  for (int i = 0; i < 1'000 && (got.size() < up.size() || sent < 2'000'000); ++i) {
    if (sent < 2'000'000) {
      origin.send(std::string(50'000, 'd'));
      sent += 50'000;
    }
    h.settle();
    got += origin.take();
  }
  h.settle();
  BOOST_TEST((got == up));
  BOOST_TEST(h.client().answer(stream).body.size() == sent);
}

BOOST_AUTO_TEST_CASE(an_origin_that_does_not_read_holds_the_client_back) {
  H2Fixture h;
  Origin origin(h.loop);
  const std::int32_t stream = h.client().send(kConnect, "", false);
  h.settle();
  auto& call = h.upstream.last();
  call.upgrade(std::move(origin.stream), "", acceptance(call));
  h.client().more_body(stream, std::string(5'000'000, 'u'), false);
  h.settle();
  BOOST_TEST(h.client().stream_window(stream) < 200'000);
  std::size_t got = 0;
  for (int i = 0; i < 1'000 && got < 5'000'000; ++i) {
    got += origin.take().size();
    h.settle();
  }
  BOOST_TEST(got == 5'000'000U);
}

BOOST_AUTO_TEST_CASE(a_wrong_acceptance) {
  H2Fixture h;
  Origin origin(h.loop);
  const std::int32_t stream = h.client().send(kConnect, "", false);
  h.settle();
  auto& call = h.upstream.last();
  call.upgrade(std::move(origin.stream), "", {{"Upgrade", "websocket"}, {"Sec-WebSocket-Accept", "x"}});
  h.settle();
  BOOST_TEST(h.client().answer(stream).status == 502U);
  BOOST_TEST(h.client().answer(stream).has_ended);
  BOOST_TEST(origin.take() == "(end)");
}

// To the client 200 would be a tunnel.
BOOST_AUTO_TEST_CASE(an_origin_that_does_not_upgrade) {
  H2Fixture h;
  const std::int32_t ok = h.client().send(kConnect, "", false);
  h.settle();
  h.upstream.last().respond(200, {}, "<html>");
  h.settle();
  BOOST_TEST(h.client().answer(ok).status == 502U);
  BOOST_TEST(h.client().answer(ok).body == "");
  BOOST_TEST(h.client().answer(ok).has_ended);
  const std::int32_t denied = h.client().send(kConnect, "", false);
  h.settle();
  h.upstream.last().respond(403, {}, "no");
  h.settle();
  BOOST_TEST(h.client().answer(denied).status == 403U);
  BOOST_TEST(h.client().answer(denied).body == "no");
}

BOOST_AUTO_TEST_CASE(another_protocol) {
  H2Fixture h;
  Lines fields = kConnect;
  fields[1].second = "connect-udp";
  const std::int32_t stream = h.client().send(fields, "", false);
  h.settle();
  BOOST_TEST(h.client().answer(stream).status == 501U);
  BOOST_TEST(h.upstream.calls() == 0U);
}

enum class Gone { kReset, kConnection, kOrigin, kIdle };

BOOST_AUTO_TEST_CASE(either_side_may_go) {
  for (const Gone gone : {Gone::kReset, Gone::kConnection, Gone::kOrigin, Gone::kIdle}) {
    BOOST_TEST_CONTEXT(static_cast<int>(gone)) {
      H2Fixture h({.session = {.idle_timeout = Millis{30'000}}});
      Origin origin(h.loop);
      const std::int32_t stream = h.client().send(kConnect, "", false);
      h.settle();
      auto& call = h.upstream.last();
      call.upgrade(std::move(origin.stream), "", acceptance(call));
      h.settle();
      h.client().more_body(stream, "x", false);
      h.settle();
      BOOST_TEST(origin.take() == "x");
      switch (gone) {
        case Gone::kReset: h.client().reset(stream); break;
        case Gone::kConnection: h.client().close(); break;
        case Gone::kOrigin: origin.close(); break;
        case Gone::kIdle: h.advance(Millis{30'100}); break;
      }
      h.settle();
      switch (gone) {
        case Gone::kReset:
        case Gone::kConnection: BOOST_TEST(origin.take() == "(end)"); break;
        case Gone::kOrigin:
          // Its end is passed on; what cannot be passed the other way ends the stream.
          h.client().more_body(stream, "y", false);
          h.settle();
          h.client().more_body(stream, "z", false);
          h.settle();
          BOOST_TEST(h.client().answer(stream).is_closed);
          break;
        case Gone::kIdle:
          BOOST_TEST(h.client().answer(stream).reset.value_or(0) == NGHTTP2_CANCEL);
          BOOST_TEST(origin.take() == "(end)");
          break;
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::test
