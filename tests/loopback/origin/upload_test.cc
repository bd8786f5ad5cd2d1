// Request bodies on their way out: framing, backpressure, early answers, and bodies that fail.
#include <boost/test/unit_test.hpp>

#include "fixture.h"

namespace seawall::test {
namespace {

struct UploadFixture : OriginFixture {
  Ref<http::BodyPipe> pipe = make_ref<http::BodyPipe>(loop, std::size_t{64 * 1024});

  std::unique_ptr<RecordingSink> upload(std::optional<std::uint64_t> length, std::string_view method = "POST") {
    auto r = request(method);
    r.body = pipe;
    r.body_length = length;
    return start(std::move(r));
  }
  // Writes all of it as room comes; false when `give_up` said so first.
  template <typename GiveUp>
  bool write_all(std::size_t bytes, GiveUp give_up) {
    const std::string block(16 * 1024, 'b');
    std::size_t left = bytes;
    pump_until(loop, "room in the pipe", [&] {
      while (left > 0) {
        const std::size_t n = pipe->write(std::string_view(block).substr(0, left));
        if (n == 0) break;
        left -= n;
      }
      return left == 0 || give_up();
    });
    return left == 0;
  }
};

BOOST_FIXTURE_TEST_SUITE(origin_upload, UploadFixture)

BOOST_AUTO_TEST_CASE(with_a_length) {
  const auto sink = upload(10);
  BOOST_TEST(pipe->write("01234") == 5U);
  origin.await(0, "01234");
  BOOST_TEST(pipe->is_wanted());
  BOOST_TEST(pipe->write("56789") == 5U);
  pipe->finish({});
  auto& peer = origin.await(0, "56789");
  BOOST_TEST(peer.received() == "POST / HTTP/1.1\r\nHost: origin.test\r\nContent-Length: 10\r\n\r\n0123456789");
  peer.send(kOk);
  await_end(*sink);
  BOOST_TEST(sink->is_complete);
  BOOST_TEST(client->stats().idle == 1U);
}

BOOST_AUTO_TEST_CASE(with_length_0) {
  const auto sink = upload(0);
  pipe->finish({});
  auto& peer = origin.await(0, "\r\n\r\n");
  BOOST_TEST(peer.received() == "POST / HTTP/1.1\r\nHost: origin.test\r\nContent-Length: 0\r\n\r\n");
  peer.send(kOk);
  await_end(*sink);
  BOOST_TEST(client->stats().idle == 1U);
}

BOOST_AUTO_TEST_CASE(chunked_with_trailers) {
  const auto sink = upload(std::nullopt);
  BOOST_TEST(pipe->write("hello") == 5U);
  origin.await(0, "hello\r\n");
  BOOST_TEST(pipe->write("0123456789abcdef") == 16U);
  http::HeaderMap trailers;
  trailers.add("X-Sum", "9");
  pipe->finish(std::move(trailers));
  auto& peer = origin.await(0, "\r\n0\r\n");
  BOOST_TEST(peer.received() ==
             "POST / HTTP/1.1\r\nHost: origin.test\r\nTransfer-Encoding: chunked\r\n\r\n"
             "5\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\nX-Sum: 9\r\n\r\n");
  peer.send(kOk);
  await_end(*sink);
  BOOST_TEST(client->stats().idle == 1U);
}

BOOST_AUTO_TEST_CASE(never_more_than_announced) {
  const auto sink = upload(4);
  BOOST_TEST(pipe->write("fourGET /smuggled HTTP/1.1\r\n\r\n") > 4U);
  pipe->finish({});
  auto& peer = origin.await(0, "four");
  settle(loop);
  BOOST_TEST(peer.received().ends_with("\r\n\r\nfour"));
  peer.send(kOk);
  await_end(*sink);
}

BOOST_AUTO_TEST_CASE(a_large_body_flows_and_is_never_held_whole) {
  constexpr std::size_t kBytes = 20 << 20;
  const auto sink = upload(kBytes);
  pump_until(loop, "a connection", [&] { return origin.connections() == 1; });
  auto& peer = origin.peer(0);
  peer.set_receive_buffer(64 * 1024);
  peer.set_reading(false);
  // The origin does not read: the pipe fills, and the writer has to wait.
  std::size_t written = 0;
  for (int i = 0; i < 3000; ++i) {
    written += pipe->write(std::string(16 * 1024, 'b'));
    loop.turn(net::Loop::Wait::kPoll);
  }
  BOOST_TEST(pipe->room() == 0U);
  BOOST_TEST(written < kBytes);
  peer.set_reading(true);
  BOOST_TEST(write_all(kBytes - written, [] { return false; }));
  pipe->finish({});
  pump_until(loop, "the whole body", [&] { return peer.received().size() > kBytes; });
  peer.send(kOk);
  await_end(*sink);
  BOOST_TEST(sink->is_complete);
  BOOST_TEST(client->stats().idle == 1U);
}

BOOST_AUTO_TEST_CASE(an_early_refusal_ends_the_upload) {
  const auto sink = upload(1 << 20);
  BOOST_TEST(pipe->write("begin") == 5U);
  auto& peer = origin.await(0, "begin");
  peer.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nno!");
  await_end(*sink);
  BOOST_TEST(sink->is_complete);
  BOOST_TEST(sink->head->status == 413);
  BOOST_TEST(sink->body == "no!");
  BOOST_TEST(client->stats().idle == 0U);  // the origin still waits for the body on that connection
  BOOST_TEST(peer.saw_end());
  BOOST_TEST(pipe->write(std::string(1 << 20, 'x')) == std::size_t{1 << 20});  // taken and dropped
}

BOOST_AUTO_TEST_CASE(an_early_success_may_echo_what_is_still_coming) {
  const auto sink = upload(std::nullopt);
  BOOST_TEST(pipe->write("ping") == 4U);
  auto& peer = origin.await(0, "ping\r\n");
  peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nping\r\n");
  pump_until(loop, "the first echo", [&] { return sink->body == "ping"; });
  BOOST_TEST(pipe->write("pong") == 4U);
  pipe->finish({});
  origin.await(0, "pong\r\n0\r\n\r\n");
  peer.send("4\r\npong\r\n0\r\n\r\n");
  await_end(*sink);
  BOOST_TEST(sink->is_complete);
  BOOST_TEST(sink->body == "pingpong");
  BOOST_TEST(client->stats().idle == 1U);
}

BOOST_AUTO_TEST_CASE(a_response_complete_before_the_request_leaves_no_reusable_connection) {
  const auto sink = upload(100);
  BOOST_TEST(pipe->write("begin") == 5U);
  origin.await(0, "begin").send(kOk);
  await_end(*sink);
  BOOST_TEST(sink->is_complete);
  BOOST_TEST(client->stats().idle == 0U);
  BOOST_TEST(origin.peer(0).saw_end());
  BOOST_TEST(pipe->write(std::string(1 << 20, 'x')) == std::size_t{1 << 20});
}

BOOST_AUTO_TEST_CASE(an_answer_is_read_even_if_the_origin_stops_reading) {
  constexpr std::size_t kBytes = 64 << 20;
  const auto sink = upload(kBytes);
  auto& peer = origin.await(0, "\r\n\r\n");
  peer.set_reading(false);
  for (int i = 0; i < 100; ++i) {
    pipe->write(std::string(16 * 1024, 'b'));
    loop.turn(net::Loop::Wait::kPoll);
  }
  peer.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
  peer.close();  // with bytes unread: the kernel resets
  await_end(*sink);
  BOOST_REQUIRE(sink->is_complete);
  BOOST_TEST(sink->head->status == 403);
  BOOST_TEST(sink->body == "no");
  BOOST_TEST(client->stats().idle == 0U);
}

BOOST_AUTO_TEST_CASE(a_body_that_fails_is_never_complete_for_the_origin) {
  for (const bool chunked : {false, true}) {
    for (const bool at_once : {false, true}) {
      BOOST_TEST_CONTEXT((chunked ? "chunked" : "length") << (at_once ? " at once" : " later")) {
        UploadFixture f;
        const Error aborted{ErrorCode::kPeerClosed, Side::kClient, Retry::kNo};
        if (at_once) f.pipe->fail(aborted);
        const auto sink = f.upload(chunked ? std::nullopt : std::optional<std::uint64_t>(10));
        if (!at_once) {
          BOOST_TEST(f.pipe->write("half") == 4U);
          f.origin.await(0, "half");
          f.pipe->fail(aborted);
        }
        f.await_end(*sink);
        BOOST_REQUIRE(sink->error.has_value());
        BOOST_CHECK(*sink->error == aborted);
        BOOST_REQUIRE(f.origin.connections() == 1U);
        BOOST_TEST(f.origin.peer(0).saw_end());
        BOOST_TEST(f.origin.peer(0).received().find("\r\n0\r\n") == std::string::npos);
        BOOST_TEST(f.client->stats().idle == 0U);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_body_shorter_than_announced_is_an_error_of_the_client) {
  const auto sink = upload(10);
  BOOST_TEST(pipe->write("short") == 5U);
  pipe->finish({});
  await_end(*sink);
  BOOST_REQUIRE(sink->error.has_value());
  BOOST_CHECK((*sink->error == Error{ErrorCode::kIncompleteBody, Side::kClient, Retry::kNo}));
  BOOST_TEST(origin.peer(0).saw_end());
}

BOOST_AUTO_TEST_CASE(a_failed_body_is_noticed_while_the_origin_does_not_read) {
  const auto sink = upload(64 << 20);
  auto& peer = origin.await(0, "\r\n\r\n");
  peer.set_reading(false);
  for (int i = 0; i < 3000; ++i) {
    pipe->write(std::string(16 * 1024, 'b'));
    loop.turn(net::Loop::Wait::kPoll);
  }
  BOOST_REQUIRE(pipe->room() == 0U);
  pipe->fail(Error{ErrorCode::kPeerClosed, Side::kClient, Retry::kNo});
  await_end(*sink);
  BOOST_REQUIRE(sink->error.has_value());
  BOOST_CHECK(sink->error->side == Side::kClient);
}

BOOST_AUTO_TEST_CASE(the_sink_may_drop_the_exchange_when_the_body_fails) {
  const auto sink = upload(10);
  sink->hook = [&](std::string_view) { sink->exchange.reset(); };
  BOOST_TEST(pipe->write("half") == 4U);
  origin.await(0, "half");
  pipe->fail(Error{ErrorCode::kPeerClosed, Side::kClient, Retry::kNo});
  await_end(*sink);
  BOOST_TEST(sink->error.has_value());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::test
