// What an origin may answer, whole and byte by byte: what is delivered, and whether the connection is used again.
#include <boost/test/unit_test.hpp>

#include "fixture.h"

namespace seawall::test {
namespace {

enum class Then { kStay, kClose, kReset };

struct Row {
  std::string_view name;
  std::string_view method = "GET";
  std::string_view upgrade = "";
  std::string response;
  Then then = Then::kStay;
  // Expected.
  std::uint16_t status = 200;
  std::string_view body = "";
  std::vector<std::uint16_t> informational = {};
  std::optional<ErrorCode> error = {};
  bool has_head_before_error = false;
  std::uint64_t idle = 1;
  Retry retry = Retry::kNo;
};

std::string repeat(std::string_view text, int n) {
  std::string all;
  for (int i = 0; i < n; ++i) all += text;
  return all;
}

const Row kRows[] = {
    {.name = "length", .response = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", .body = "hello"},
    {.name = "length 0", .response = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
    {.name = "chunked with trailer",
     .response =
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nX-T: 1\r\n\r\n",
     .body = "abcdefg"},
    {.name = "until close",
     .response = "HTTP/1.1 200 OK\r\n\r\nuntil",
     .then = Then::kClose,
     .body = "until",
     .idle = 0},
    {.name = "HEAD has no body", .method = "HEAD", .response = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"},
    {.name = "HEAD of chunked", .method = "HEAD", .response = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"},
    {.name = "204", .response = "HTTP/1.1 204 No Content\r\n\r\n", .status = 204},
    {.name = "304 with a length", .response = "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", .status = 304},
    {.name = "HTTP/1.0", .response = "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", .body = "ok", .idle = 0},
    {.name = "connection close",
     .response = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
     .body = "ok",
     .idle = 0},
    {.name = "the server closes after all",
     .response = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
     .then = Then::kClose,
     .body = "ok",
     .idle = 0},
    {.name = "surplus after a length",
     .response = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\nevil",
     .body = "ok",
     .idle = 0},
    {.name = "surplus after 304",
     .response = "HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nevil",
     .status = 304,
     .idle = 0},
    {.name = "surplus after 204", .response = "HTTP/1.1 204 No Content\r\n\r\n\r\n", .status = 204, .idle = 0},
    {.name = "surplus after HEAD",
     .method = "HEAD",
     .response = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
     .idle = 0},
    {.name = "surplus after the last chunk",
     .response = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX",
     .idle = 0},
    {.name = "100 is not passed on", .response = "HTTP/1.1 100 Continue\r\n\r\n" + std::string(kOk), .body = "ok"},
    {.name = "1xx are passed on",
     .response = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + std::string(kOk),
     .body = "ok",
     .informational = {103, 102}},
    {.name = "too many 1xx",
     .response = repeat("HTTP/1.1 100 Continue\r\n\r\n", 17) + std::string(kOk),
     .error = ErrorCode::kHeadersTooLarge},
    {.name = "as many 1xx as may be",
     .response = repeat("HTTP/1.1 100 Continue\r\n\r\n", 16) + std::string(kOk),
     .body = "ok"},
    {.name = "101 that nobody asked for",
     .response = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
     .error = ErrorCode::kUnsolicitedData},
    {.name = "an upgrade refused", .upgrade = "websocket", .response = std::string(kOk), .body = "ok"},
    {.name = "closed before the head",
     .response = "",
     .then = Then::kClose,
     .error = ErrorCode::kPeerClosed,
     .retry = Retry::kFreshConnection},
    {.name = "reset before the head",
     .response = "",
     .then = Then::kReset,
     .error = ErrorCode::kPeerReset,
     .retry = Retry::kFreshConnection},
    {.name = "POST closed before the head",
     .method = "POST",
     .response = "",
     .then = Then::kClose,
     .error = ErrorCode::kPeerClosed},
    {.name = "closed in the status line",
     .response = "HTTP/1.1 20",
     .then = Then::kClose,
     .error = ErrorCode::kPeerClosed,
     .retry = Retry::kFreshConnection},
    {.name = "closed in the head",
     .response = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n",
     .then = Then::kClose,
     .error = ErrorCode::kPeerClosed,
     .retry = Retry::kFreshConnection},
    {.name = "closed after 103",
     .response = "HTTP/1.1 103 Early Hints\r\n\r\n",
     .then = Then::kClose,
     .informational = {103},
     .error = ErrorCode::kPeerClosed,
     .retry = Retry::kFreshConnection},
    {.name = "length cut short",
     .response = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
     .then = Then::kClose,
     .body = "hell",
     .error = ErrorCode::kIncompleteBody,
     .has_head_before_error = true},
    {.name = "chunk cut short",
     .response = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhell",
     .then = Then::kClose,
     .body = "hell",
     .error = ErrorCode::kIncompleteBody,
     .has_head_before_error = true},
    {.name = "no last chunk",
     .response = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhell\r\n",
     .then = Then::kClose,
     .body = "hell",
     .error = ErrorCode::kIncompleteBody,
     .has_head_before_error = true},
    {.name = "trailers cut short",
     .response = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhell\r\n0\r\nX: y\r\n",
     .then = Then::kClose,
     .body = "hell",
     .error = ErrorCode::kIncompleteBody,
     .has_head_before_error = true},
    {.name = "reset of an until-close body is no end",
     .response = "HTTP/1.1 200 OK\r\n\r\nhell",
     .then = Then::kReset,
     .body = "hell",
     .error = ErrorCode::kPeerReset,
     .has_head_before_error = true},
    {.name = "malformed chunk",
     .response = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
     .error = ErrorCode::kMalformedChunk,
     .has_head_before_error = true},
    {.name = "garbage", .response = "garbage without end\r\n\r\n", .error = ErrorCode::kMalformedStartLine},
    {.name = "HTTP/0.9", .response = "<html></html>", .then = Then::kClose, .error = ErrorCode::kMalformedStartLine},
    {.name = "length and chunked",
     .response = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     .error = ErrorCode::kBadTransferEncoding},
    {.name = "two lengths",
     .response = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
     .error = ErrorCode::kBadContentLength},
    {.name = "negative length",
     .response = "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n",
     .error = ErrorCode::kBadContentLength},
    {.name = "endless head",
     .response = "HTTP/1.1 200 OK\r\n" + repeat("X-Filler: 0123456789012345678901234567890123456789\r\n", 2000),
     .error = ErrorCode::kHeadersTooLarge},
};

void check(OriginFixture& f, const RecordingSink& sink, const Row& row) {
  BOOST_TEST(sink.calls_after_end == 0);
  BOOST_TEST(sink.is_complete == !row.error.has_value());
  BOOST_TEST(sink.error.has_value() == row.error.has_value());
  if (row.error && sink.error) {
    BOOST_TEST(to_string(sink.error->code) == to_string(*row.error));
    BOOST_CHECK(sink.error->side == Side::kOrigin);
    BOOST_CHECK(sink.error->retry == row.retry);
  }
  BOOST_TEST(sink.head.has_value() == (!row.error || row.has_head_before_error));
  if (sink.head) BOOST_TEST(sink.head->status == row.status);
  BOOST_TEST(sink.body == row.body);
  BOOST_TEST(sink.informational == row.informational, boost::test_tools::per_element());
  BOOST_TEST(f.client->stats().idle == (row.error ? 0 : row.idle));
}

std::unique_ptr<RecordingSink> begin(OriginFixture& f, const Row& row) {
  auto r = request(row.method);
  r.upgrade = row.upgrade;
  auto sink = f.start(std::move(r));
  f.origin.await(0, "\r\n\r\n");
  return sink;
}

void end(OriginFixture& f, const RecordingSink& sink, Then then) {
  auto& peer = f.origin.peer(0);
  if (then != Then::kStay) settle(f.loop);  // a reset would overtake what was sent
  if (then == Then::kClose) peer.close();
  if (then == Then::kReset) peer.reset();
  f.await_end(sink);
}

BOOST_AUTO_TEST_SUITE(origin_response)

BOOST_AUTO_TEST_CASE(whole) {
  for (const Row& row : kRows) {
    BOOST_TEST_CONTEXT(row.name) {
      OriginFixture f;
      const auto sink = begin(f, row);
      f.origin.peer(0).send(row.response);
      end(f, *sink, row.then);
      check(f, *sink, row);
    }
  }
}

BOOST_AUTO_TEST_CASE(byte_by_byte) {
  for (const Row& row : kRows) {
    if (row.response.size() > 2000) continue;
    BOOST_TEST_CONTEXT(row.name) {
      OriginFixture f;
      const auto sink = begin(f, row);
      for (const char c : row.response) {
        f.origin.peer(0).send({&c, 1});
        f.loop.turn(net::Loop::Wait::kPoll);
        f.loop.turn(net::Loop::Wait::kPoll);
      }
      end(f, *sink, row.then);
      check(f, *sink, row);
    }
  }
}

BOOST_AUTO_TEST_CASE(the_exchange_may_go_in_any_call) {
  for (const Row& row : kRows) {
    for (const std::string_view at : {"informational", "head", "body", "complete", "error"}) {
      BOOST_TEST_CONTEXT(row.name << " dropped in " << at) {
        OriginFixture f;
        const auto sink = begin(f, row);
        bool is_dropped = false;
        int calls_after = 0;
        sink->hook = [&](std::string_view call) {
          calls_after += is_dropped;
          if (call != at || is_dropped) return;
          is_dropped = true;
          sink->exchange.reset();
        };
        f.origin.peer(0).send(row.response);
        settle(f.loop);
        if (row.then == Then::kClose) f.origin.peer(0).close();
        if (row.then == Then::kReset) f.origin.peer(0).reset();
        pump_until(f.loop, "end or drop", [&] { return is_dropped || sink->is_ended(); });
        settle(f.loop);
        BOOST_TEST(calls_after == 0);
      }
    }
  }
}

BOOST_FIXTURE_TEST_CASE(trailers_are_delivered, OriginFixture) {
  const auto sink = get(0, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 42\r\nHost: evil\r\n\r\n");
  BOOST_TEST(sink->trailers.find("X-Sum").value_or("") == "42");
  BOOST_TEST(!sink->trailers.contains(http::Field::kHost));
}

BOOST_FIXTURE_TEST_CASE(times_are_those_of_first_byte_out_and_head_in, OriginFixture) {
  const WallTime asked = clock.wall_now();
  const auto sink = start(request("GET"));
  auto& peer = origin.await(0, "\r\n\r\n");
  advance(Millis(700));
  peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n");
  settle(loop);
  advance(Millis(300));
  peer.send("\r\n");
  settle(loop);
  advance(Millis(200));
  peer.send("ok");
  await_end(*sink);
  BOOST_TEST((sink->request_time == asked));
  BOOST_TEST((sink->response_time == asked + Millis(1000)));
}

BOOST_FIXTURE_TEST_CASE(an_upgrade_hands_the_connection_over, OriginFixture) {
  auto r = request("GET", "/chat");
  r.upgrade = "websocket";
  const auto sink = start(std::move(r));
  auto& peer = origin.await(0, "\r\n\r\n");
  BOOST_TEST(peer.received() ==
             "GET /chat HTTP/1.1\r\nHost: origin.test\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
  peer.take_received();
  peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nfirst frame");
  await_end(*sink);
  BOOST_REQUIRE(sink->upgraded);
  BOOST_TEST(sink->head->status == 101);
  BOOST_TEST(sink->early_bytes == "first frame");
  sink->exchange.reset();
  BOOST_TEST(sink->upgraded->write("pong").bytes == 4U);
  origin.await(0, "pong");
  BOOST_TEST(client->stats().idle == 0U);
}

BOOST_FIXTURE_TEST_CASE(a_paused_response_stays_in_the_kernel, OriginFixture) {
  constexpr std::size_t kBody = 24 << 20;
  const auto sink = start(request("GET"));
  auto& peer = origin.await(0, "\r\n\r\n");
  peer.set_send_buffer(64 * 1024);
  sink->hook = [&](std::string_view call) {
    if (call == "head") sink->exchange->pause();
  };
  peer.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(kBody) + "\r\n\r\n" + std::string(kBody, 'x'));
  pump_until(loop, "a head", [&] { return sink->head.has_value(); });
  settle(loop);
  BOOST_TEST(sink->body.size() <= 64U * 1024);  // at most one read's worth
  BOOST_TEST(peer.unsent_bytes() > kBody / 4);
  advance(Millis(60'000));  // while paused nothing is due
  BOOST_TEST(!sink->error.has_value());
  sink->exchange->resume();
  BOOST_TEST(sink->body.size() <= 64U * 1024);  // not inside resume()
  await_end(*sink);
  BOOST_TEST(sink->body.size() == kBody);
  BOOST_TEST(sink->largest_piece <= 64U * 1024);
  BOOST_TEST(client->stats().idle == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::test
