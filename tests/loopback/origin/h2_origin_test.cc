// One request and its response over HTTP/2: heads, bodies, windows, uploads, timeouts, cancellation.
#include <boost/test/unit_test.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "loopback/origin/h2_fixture.h"

namespace seawall::test {
namespace {

BOOST_FIXTURE_TEST_SUITE(origin_h2, H2OriginFixture)

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
  Fields large = {{":status", "200"}};
  for (int i = 0; i < 10; ++i) large.emplace_back("a", std::string(7'000, 'x'));
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
      {"too large", large, true, ErrorCode::kHeadersTooLarge},
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

BOOST_AUTO_TEST_CASE(data_before_the_head) {
  const auto sink = start(request("GET"));
  auto& peer = origin.await();
  peer.informational(1, {{":status", "103"}});
  peer.frame(NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1, "ok");
  check_error(*sink, ErrorCode::kHttp2Failed, Retry::kNo);
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
      if (row.code == NGHTTP2_REFUSED_STREAM) {  // is asked once more
        origin.await();
        peer.reset(last_of(peer), row.code);
      }
      check_error(*sink, ErrorCode::kPeerReset, row.retry);
    }
  }
  BOOST_TEST(origin.connections() == 1U);
}

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
  r.body = make_ref<http::BodyPipe>(loop, std::size_t{1024});
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
  r.body = make_ref<http::BodyPipe>(loop, std::size_t{1024});
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

BOOST_AUTO_TEST_CASE(back_pressure_of_an_upload) {
  origin.set_settings({{std::string(kInitialWindow), "1000"}});
  warm_up();
  auto r = request("POST");
  r.body = make_ref<http::BodyPipe>(loop, std::size_t{8192});
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
  r.body = make_ref<http::BodyPipe>(loop, std::size_t{1024});
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
  r.body = make_ref<http::BodyPipe>(loop, std::size_t{1024});
  r.body->fail({ErrorCode::kPeerClosed, Side::kClient});
  const auto sink = start(std::move(r));
  await_end(*sink);
  BOOST_TEST((sink->error == Error{ErrorCode::kPeerClosed, Side::kClient}));
}

BOOST_AUTO_TEST_CASE(refusal_stops_an_upload) {
  auto r = request("POST");
  r.body = make_ref<http::BodyPipe>(loop, std::size_t{1024});
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
  // Before anything of it was sent; the connection is idle then.
  sink = start(request("GET"));
  sink->exchange.reset();
  settle(loop);
  client->close_idle();
  pump_until(loop, "the connection's end", [&] { return peer.saw_end(); });
  // Before there is a connection.
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

BOOST_AUTO_TEST_CASE(no_timeout_while_the_client_owes_body) {
  auto r = request("POST");
  r.body = make_ref<http::BodyPipe>(loop, std::size_t{1024});
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

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::test
