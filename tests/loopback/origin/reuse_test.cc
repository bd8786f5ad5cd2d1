// Which connection a request goes out on, when it is sent again, and what idle connections may not do.
#include <boost/test/unit_test.hpp>

#include "fixture.h"

namespace seawall::test {
namespace {

BOOST_FIXTURE_TEST_SUITE(origin_reuse, OriginFixture)

BOOST_AUTO_TEST_CASE(a_connection_is_kept_and_used_again) {
  for (int i = 0; i < 3; ++i) BOOST_TEST(get(0, kOk)->body == "ok");
  BOOST_TEST(origin.connections() == 1U);
  BOOST_TEST(client->stats().connections_opened == 1U);
  BOOST_TEST(client->stats().connections_reused == 2U);
  BOOST_TEST(client->stats().idle == 1U);
}

BOOST_AUTO_TEST_CASE(the_sink_may_start_the_next_request_in_complete) {
  const auto first = start(request("GET", "/1"));
  std::unique_ptr<RecordingSink> second;
  first->hook = [&](std::string_view call) {
    if (call != "complete") return;
    first->exchange.reset();
    second = start(request("GET", "/2"));
  };
  auto& peer = origin.await(0, "GET /1");
  peer.send(kOk);
  origin.await(0, "GET /2");
  peer.send(kOk);
  await_end(*second);
  BOOST_TEST(second->body == "ok");
  BOOST_TEST(origin.connections() == 1U);
}

BOOST_AUTO_TEST_CASE(concurrent_requests_have_their_own_connections) {
  const auto one = start(request("GET"));
  const auto two = start(request("GET"));
  origin.await(0, "\r\n\r\n").send(kOk);
  origin.await(1, "\r\n\r\n").send(kOk);
  await_end(*one);
  await_end(*two);
  BOOST_TEST(client->stats().idle == 2U);
}

BOOST_AUTO_TEST_CASE(what_is_not_idempotent_takes_a_fresh_connection) {
  get(0, kOk);
  const auto sink = start(request("POST"));
  auto& peer = origin.await(1, "\r\n\r\n");
  BOOST_TEST(peer.received() == "POST / HTTP/1.1\r\nHost: origin.test\r\nContent-Length: 0\r\n\r\n");
  peer.send(kOk);
  await_end(*sink);
  BOOST_TEST(client->stats().idle == 2U);
}

BOOST_AUTO_TEST_CASE(closed_at_the_moment_of_reuse_is_sent_again) {
  for (const bool with_reset : {false, true}) {
    for (const std::string_view method : {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"}) {
      BOOST_TEST_CONTEXT(method << (with_reset ? " reset" : " closed")) {
        OriginFixture f;
        f.get(0, kOk);
        f.advance(Millis(5000));
        const auto sink = f.start(request(method));
        auto& old = f.origin.await(0, "\r\n\r\n");
        f.advance(Millis(1000));
        with_reset ? old.reset() : old.close();
        f.origin.await(1, std::string(method) + " / HTTP/1.1\r\n").send("HTTP/1.1 204 No Content\r\n\r\n");
        f.await_end(*sink);
        BOOST_TEST(sink->is_complete);
        BOOST_TEST((sink->request_time == f.clock.wall_now()));  // the request that was answered
        BOOST_TEST(f.client->stats().resent == 1U);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(sent_again_only_once) {
  get(0, kOk);
  const auto sink = start(request("GET"));
  origin.await(0, "\r\n\r\n").close();
  origin.await(1, "\r\n\r\n").close();
  await_end(*sink);
  BOOST_REQUIRE(sink->error.has_value());
  BOOST_CHECK(sink->error->code == ErrorCode::kPeerClosed);
  BOOST_TEST(origin.connections() == 2U);
}

BOOST_AUTO_TEST_CASE(not_sent_again_once_a_byte_came) {
  get(0, kOk);
  const auto sink = start(request("GET"));
  auto& peer = origin.await(0, "\r\n\r\n");
  peer.send("H");
  settle(loop);
  peer.close();
  await_end(*sink);
  BOOST_REQUIRE(sink->error.has_value());
  BOOST_CHECK(sink->error->code == ErrorCode::kPeerClosed);
  BOOST_TEST(origin.connections() == 1U);
}

BOOST_AUTO_TEST_CASE(a_body_that_was_read_is_not_sent_again) {
  get(0, kOk);
  auto r = request("PUT");
  r.body = make_ref<http::BodyPipe>(loop, 1024U);
  r.body_length = 4;
  const auto body = r.body;
  BOOST_TEST(body->write("body") == 4U);
  const auto sink = start(std::move(r));
  origin.await(0, "body").close();
  await_end(*sink);
  BOOST_REQUIRE(sink->error.has_value());
  BOOST_CHECK((*sink->error == Error{ErrorCode::kPeerClosed, Side::kOrigin, Retry::kNo}));
  BOOST_TEST(origin.connections() == 1U);
}

BOOST_AUTO_TEST_CASE(a_body_not_yet_read_goes_with_the_request_sent_again) {
  get(0, kOk);
  auto r = request("PUT");
  r.body = make_ref<http::BodyPipe>(loop, 1024U);
  r.body_length = 4;
  const auto body = r.body;
  const auto sink = start(std::move(r));
  origin.await(0, "\r\n\r\n").close();
  pump_until(loop, "the second connection", [&] { return origin.connections() == 2; });
  BOOST_TEST(body->write("body") == 4U);
  body->finish({});
  origin.await(1, "\r\n\r\nbody").send(kOk);
  await_end(*sink);
  BOOST_TEST(sink->is_complete);
}

BOOST_AUTO_TEST_CASE(an_idle_connection_that_closes_is_dropped) {
  get(0, kOk);
  origin.peer(0).close();
  settle(loop);
  BOOST_TEST(client->stats().idle == 0U);
}

BOOST_AUTO_TEST_CASE(bytes_on_an_idle_connection_never_answer_a_request) {
  get(0, kOk);
  origin.peer(0).send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
  // No turn in between: the loop has not seen the bytes when the next request asks for a connection.
  const auto sink = start(request("GET"));
  origin.await(1, "\r\n\r\n").send(kOk);
  await_end(*sink);
  BOOST_TEST(sink->body == "ok");
  BOOST_TEST(client->stats().idle == 1U);
}

BOOST_AUTO_TEST_CASE(late_surplus_never_reaches_the_next_exchange) {
  struct Row {
    std::string_view response;
    std::string_view surplus;
  };
  constexpr Row kRows[] = {
      {"HTTP/1.1 304 Not Modified\r\nContent-Length: 44\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"},
      {kOk, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"},
      {"HTTP/1.1 204 No Content\r\n\r\n", "\r\n"},
  };
  for (const Row& row : kRows) {
    BOOST_TEST_CONTEXT(row.response) {
      OriginFixture f;
      f.get(0, row.response);
      f.origin.peer(0).send(row.surplus);
      settle(f.loop);
      BOOST_TEST(f.client->stats().idle == 0U);
      const auto sink = f.start(request("GET"));
      f.origin.await(1, "\r\n\r\n").send(kOk);
      f.await_end(*sink);
      BOOST_TEST(sink->body == "ok");
    }
  }
}

BOOST_AUTO_TEST_CASE(idle_connections_are_bounded_and_age) {
  make_client({.idle_connections = 2, .idle_timeout = Millis(5000)});
  std::vector<std::unique_ptr<RecordingSink>> sinks;
  for (std::size_t i = 0; i < 4; ++i) sinks.push_back(start(request("GET")));
  for (std::size_t i = 0; i < 4; ++i) origin.await(i, "\r\n\r\n").send(kOk);
  for (const auto& sink : sinks) await_end(*sink);
  BOOST_TEST(client->stats().idle == 2U);
  advance(Millis(4900));
  BOOST_TEST(client->stats().idle == 2U);
  advance(Millis(200));
  BOOST_TEST(client->stats().idle == 0U);
}

BOOST_AUTO_TEST_CASE(none_idle_when_none_is_allowed) {
  make_client({.idle_connections = 0});
  get(0, kOk);
  get(1, kOk);
  BOOST_TEST(client->stats().idle == 0U);
}

BOOST_AUTO_TEST_CASE(close_idle_closes) {
  get(0, kOk);
  client->close_idle();
  settle(loop);
  BOOST_TEST(origin.peer(0).saw_end());
  BOOST_TEST(client->stats().idle == 0U);
}

BOOST_AUTO_TEST_CASE(the_next_address_is_tried) {
  // A port that was just free refuses; the second address answers.
  auto closed = net::Listener::bind(*net::Address::parse("127.0.0.1:0"));
  BOOST_REQUIRE(closed.has_value());
  const net::Address refusing = (*closed)->address();
  closed->reset();
  make_client({.addresses = {refusing, origin.address()}});
  BOOST_TEST(get(0, kOk)->body == "ok");
  make_client({.addresses = {refusing, refusing}});
  const auto sink = start(request("GET"));
  await_end(*sink);
  BOOST_REQUIRE(sink->error.has_value());
  BOOST_CHECK((*sink->error == Error{ErrorCode::kConnectRefused, Side::kOrigin, Retry::kYes}));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::test
