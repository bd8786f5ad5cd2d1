// HTTP/2 connections as clients see them: streams side by side, bodies under flow control, priorities, the end.
#include "proxy/session_h2.h"

#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "http/list_syntax.h"
#include "loopback/proxy/h2_fixture.h"

namespace seawall::test {
namespace {

const Lines kFresh = {{"Cache-Control", "max-age=60"}};

Lines request(std::string_view method, std::string_view path, const Lines& more = {}) {
  Lines fields = {{":method", std::string(method)},
                  {":scheme", "http"},
                  {":authority", "example.com"},
                  {":path", std::string(path)}};
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

BOOST_AUTO_TEST_SUITE(loopback_session_h2)

BOOST_AUTO_TEST_CASE(settings) {
  H2Fixture h;
  BOOST_TEST(h.client().setting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS) == 100U);
  BOOST_TEST(h.client().setting(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE) == 32U * 1024);
  BOOST_TEST(h.client().setting(NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1U);
  BOOST_TEST(h.client().setting(NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES) == 1U);
  BOOST_TEST(h.client().setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE) == proxy::H2Stream::kWindowBytes);
  BOOST_TEST(h.client().connection_window() == 1024 * 1024);
  BOOST_TEST(h.counters.connections.load() == 1U);
}

BOOST_AUTO_TEST_CASE(a_miss_and_a_hit) {
  H2Fixture h;
  const std::int32_t miss = h.get("/a", {{"user-agent", "test"}, {"cookie", "a=b"}, {"cookie", "c=d"}});
  BOOST_REQUIRE(h.upstream.calls() == 1U);
  BOOST_TEST(h.upstream.last().request().target == "/a");
  BOOST_TEST(h.upstream.last().field("Host").value_or("") == "example.com");
  BOOST_TEST(h.upstream.last().field("Cookie").value_or("") == "a=b; c=d");
  BOOST_TEST(h.upstream.last().field("Via").value_or("") == "2.0 seawall");
  h.upstream.last().respond(200, {{"Cache-Control", "max-age=60"}, {"X-Name", "Value"}, {"Connection", "close"}},
                            "hello");
  h.settle();
  H2Answer& first = h.client().answer(miss);
  BOOST_TEST(first.status == 200U);
  BOOST_TEST(first.body == "hello");
  BOOST_TEST(first.has_ended);
  BOOST_TEST(first.is_closed);
  BOOST_TEST(!first.reset);
  BOOST_TEST(first.field("x-name") == "Value");
  BOOST_TEST(first.field("content-length") == "5");
  BOOST_TEST(!first.fields.contains("connection"));
  for (const auto field : first.fields) BOOST_TEST(field.name == http::to_lower(std::string(field.name)));

  const std::int32_t hit = h.get("/a");
  H2Answer& second = h.client().answer(hit);
  BOOST_TEST(second.status == 200U);
  BOOST_TEST(second.body == "hello");
  BOOST_TEST(second.has_ended);
  BOOST_TEST(second.field("x-name") == "Value");
  BOOST_TEST(second.field("content-length") == "5");
  BOOST_TEST(second.field("age") == "0");
  BOOST_TEST(second.field("cache-status") == "seawall; hit; ttl=60");
  BOOST_TEST(h.upstream.calls() == 1U);
  BOOST_TEST(h.counters.streams.load() == 2U);
}

BOOST_AUTO_TEST_CASE(answers_without_a_body) {
  H2Fixture h;
  h.store_object("/a", "hello", {{"ETag", "\"x\""}});
  const std::int32_t head = h.client().send(request("HEAD", "/a"));
  const std::int32_t not_modified = h.client().get("/a", {{"if-none-match", "\"x\""}});
  const std::int32_t range = h.client().get("/a", {{"range", "bytes=1-2"}});
  const std::int32_t passed = h.client().send(request("DELETE", "/b"));
  h.settle();
  BOOST_TEST(h.client().answer(head).status == 200U);
  BOOST_TEST(h.client().answer(head).field("content-length") == "5");
  BOOST_TEST(h.client().answer(head).body == "");
  BOOST_TEST(h.client().answer(head).has_ended);
  BOOST_TEST(h.client().answer(not_modified).status == 304U);
  BOOST_TEST(h.client().answer(not_modified).has_ended);
  BOOST_TEST(h.client().answer(range).status == 206U);
  BOOST_TEST(h.client().answer(range).body == "el");
  BOOST_TEST(h.client().answer(range).field("content-range") == "bytes 1-2/5");
  h.upstream.last().respond(204, {});
  h.settle();
  BOOST_TEST(h.client().answer(passed).status == 204U);
  BOOST_TEST(h.client().answer(passed).has_ended);

  h.store_object("/empty", "");
  const std::int32_t empty = h.get("/empty");
  BOOST_TEST(h.client().answer(empty).field("content-length") == "0");
  BOOST_TEST(h.client().answer(empty).has_ended);
  BOOST_TEST(h.client().data_frames().size() == 2U);  // of the first answer and of the range
}

BOOST_AUTO_TEST_CASE(streams_do_not_wait_for_each_other) {
  H2Fixture h;
  std::vector<std::int32_t> streams;
  for (int i = 0; i < 50; ++i) streams.push_back(h.client().get("/" + std::to_string(i)));
  h.settle();
  BOOST_REQUIRE(h.upstream.calls() == 50U);
  // The last is answered first.
  for (int i = 49; i >= 0; --i) {
    h.upstream.call(static_cast<std::size_t>(i)).respond(200, kFresh, "body " + std::to_string(i));
    h.settle();
    H2Answer& answer = h.client().answer(streams[static_cast<std::size_t>(i)]);
    BOOST_TEST(answer.body == "body " + std::to_string(i));
    BOOST_TEST(answer.has_ended);
  }
  // Handlers are used again.
  const int handlers = h.handlers;
  BOOST_TEST(handlers == 50);
  for (int i = 0; i < 50; ++i) streams[static_cast<std::size_t>(i)] = h.client().get("/" + std::to_string(i));
  h.settle();
  for (int i = 0; i < 50; ++i) {
    BOOST_TEST(h.client().answer(streams[static_cast<std::size_t>(i)]).body == "body " + std::to_string(i));
  }
  BOOST_TEST(h.handlers == handlers);
}

BOOST_AUTO_TEST_CASE(more_streams_than_allowed_are_refused) {
  H2Fixture h({.session = {.http2 = {.streams = 3}}, .client = {.is_raw = true}});
  // Sent before the client knows: nghttp2's client would keep to the limit.
  std::string frames;
  for (std::int32_t stream = 1; stream <= 9; stream += 2) {
    frames += H2Client::frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, stream,
                              H2Client::encode(request("GET", "/" + std::to_string(stream))));
  }
  h.client().raw(frames);
  h.settle();
  BOOST_TEST(h.upstream.calls() == 3U);
  BOOST_TEST(h.handlers == 3);
}

BOOST_AUTO_TEST_CASE(large_hit_to_a_slow_reader) {
  H2Fixture h({.client = {.opens_windows = false, .window = 100'000}});
  const std::string body = [] {
    std::string text;
    for (int i = 0; text.size() < 3'000'000; ++i) text += std::to_string(i) + ",";
    return text;
  }();
  {
    const std::int32_t first = h.get("/big");
    h.upstream.last().respond(200, {{"Cache-Control", "max-age=600"}}, body);
    h.settle();
    BOOST_TEST(h.client().answer(first).body.size() == 65'535U);  // what the connection's window lets through
    h.client().reset(first);
    h.settle();
  }
  h.client().open_window(0, 100'000'000);
  const std::int32_t stream = h.get("/big");
  BOOST_TEST(h.client().answer(stream).body.size() == 100'000U);
  h.client().open_window(stream, 100'001);
  h.settle();
  BOOST_TEST(h.client().answer(stream).body.size() == 100'001U);
  h.client().open_window(stream, 100'000'000);
  h.settle();
  BOOST_TEST((h.client().answer(stream).body == body));
  BOOST_TEST(h.client().answer(stream).has_ended);
}

BOOST_AUTO_TEST_CASE(a_full_socket_holds_the_origin_back) {
  H2Fixture h({.client = {.window = 50'000'000}});
  h.client().open_window(0, 50'000'000);
  h.settle();
  const std::int32_t stream = h.get("/big", {{"authorization", "x"}});
  auto& call = h.upstream.last();
  call.head(200, {{"Content-Length", "20000000"}});
  h.settle();
  h.client().stop_reading();
  std::size_t given = 0;
  const std::string piece(100'000, 'x');
  while (!call.is_paused() && given < 20'000'000) {
    call.body(piece);
    given += piece.size();
    h.settle();
  }
  BOOST_TEST(call.is_paused());
  BOOST_TEST(given < 3'000'000U);
  h.client().resume_reading();
  h.settle();
  BOOST_TEST(!call.is_paused());
  while (given < 20'000'000) {
    call.body(piece);
    given += piece.size();
    h.settle();
  }
  call.complete();
  h.settle();
  BOOST_TEST(h.client().answer(stream).body.size() == 20'000'000U);
  BOOST_TEST(h.client().answer(stream).has_ended);
}

BOOST_AUTO_TEST_CASE(a_stream_of_unknown_length_with_trailers) {
  H2Fixture h;
  const std::int32_t stream = h.get("/a");
  auto& call = h.upstream.last();
  call.informational(103, {{"Link", "</x>"}});
  h.settle();
  call.head(200, {});
  h.settle();
  BOOST_TEST(h.client().answer(stream).status == 200U);
  BOOST_TEST(!h.client().answer(stream).fields.contains("content-length"));
  BOOST_TEST((h.client().answer(stream).informational == std::vector<std::uint16_t>{103}));
  call.body("one ");
  h.settle();
  BOOST_TEST(h.client().answer(stream).body == "one ");
  call.body("two");
  h.settle();
  BOOST_TEST(!h.client().answer(stream).has_ended);
  call.complete({{"X-Checksum", "abc"}});
  h.settle();
  BOOST_TEST(h.client().answer(stream).body == "one two");
  BOOST_TEST(h.client().answer(stream).has_ended);
  BOOST_TEST(h.client().answer(stream).trailers.find("x-checksum").value_or("") == "abc");
}

BOOST_AUTO_TEST_CASE(a_body_that_breaks_off_is_reset) {
  H2Fixture h;
  const std::int32_t stream = h.get("/a");
  h.upstream.last().head(200, {});
  h.upstream.last().body("half");
  h.settle();
  h.upstream.last().fail();
  h.settle();
  BOOST_TEST(!h.client().answer(stream).has_ended);
  BOOST_TEST(h.client().answer(stream).reset.value_or(0) == NGHTTP2_INTERNAL_ERROR);
  // The others go on.
  const std::int32_t next = h.get("/b");
  h.upstream.last().respond(200, {}, "whole");
  h.settle();
  BOOST_TEST(h.client().answer(next).body == "whole");
}

BOOST_AUTO_TEST_CASE(an_upload) {
  H2Fixture h;
  const std::int32_t stream = h.client().send(request("POST", "/a", {{"content-length", "5"}}), "hello");
  h.settle();
  const auto& outgoing = h.upstream.last().request();
  BOOST_REQUIRE(outgoing.body);
  BOOST_TEST(outgoing.body_length.value_or(0) == 5U);
  BOOST_TEST(outgoing.body->peek() == "hello");
  outgoing.body->consume(5);
  h.settle();
  BOOST_TEST(outgoing.body->is_finished());
  h.upstream.last().respond(200, {}, "thanks");
  h.settle();
  BOOST_TEST(h.client().answer(stream).body == "thanks");
  BOOST_TEST(!h.client().answer(stream).reset);
}

BOOST_AUTO_TEST_CASE(an_upload_is_held_back_by_the_origin) {
  H2Fixture h;
  const std::string sent(3'000'000, 'u');
  const std::int32_t stream = h.client().send(request("PUT", "/a"), sent, false);
  h.settle();
  const auto body = h.upstream.last().request().body;
  BOOST_REQUIRE(body);
  BOOST_TEST(!h.upstream.last().request().body_length);
  BOOST_TEST(body->peek().size() == proxy::H2Stream::kWindowBytes);
  h.client().more_body(stream, "", true, {{"x-checksum", "abc"}, {"host", "evil.example"}});
  std::string got;
  for (int i = 0; i < 10'000 && !body->is_finished(); ++i) {
    got += body->peek().substr(0, 100'000);
    body->consume(std::min<std::size_t>(100'000, body->peek().size()));
    BOOST_TEST(body->peek().size() <= proxy::H2Stream::kWindowBytes);
    h.settle();
  }
  BOOST_TEST((got == sent));
  BOOST_TEST(body->is_finished());
  BOOST_TEST(body->trailers().find("x-checksum").value_or("") == "abc");
  BOOST_TEST(!body->trailers().contains("host"));
  h.upstream.last().respond(201, {});
  h.settle();
  BOOST_TEST(h.client().answer(stream).status == 201U);
  BOOST_TEST(h.client().connection_window() >= 1024 * 1024 / 2);
}

// So that an origin which reads slowly holds up nobody else's upload.
BOOST_AUTO_TEST_CASE(uploads_that_nobody_reads_hold_a_window_each) {
  H2Fixture h;
  for (int i = 0; i < 20; ++i) h.client().send(request("PUT", "/a"), std::string(400'000, 'u'));
  h.settle();
  std::size_t held = 0;
  for (std::size_t i = 0; i < h.upstream.calls(); ++i) held += h.upstream.call(i).request().body->peek().size();
  BOOST_TEST(held == 20U * proxy::H2Stream::kWindowBytes);
}

BOOST_AUTO_TEST_CASE(expect_continue) {
  H2Fixture h;
  const std::int32_t stream =
      h.client().send(request("PUT", "/a", {{"expect", "100-continue"}, {"content-length", "3"}}), "", false);
  h.settle();
  BOOST_TEST(h.client().answer(stream).informational.empty());
  const auto body = h.upstream.last().request().body;
  body->want();
  h.settle();
  BOOST_TEST((h.client().answer(stream).informational == std::vector<std::uint16_t>{100}));
  h.client().more_body(stream, "abc", true);
  h.settle();
  BOOST_TEST(body->peek() == "abc");
  body->consume(3);
  h.upstream.last().respond(200, {}, "done");
  h.settle();
  BOOST_TEST(h.client().answer(stream).body == "done");
}

// RFC 9113 section 8.1: the answer is whole, and the rest of the request not wanted.
BOOST_AUTO_TEST_CASE(an_early_answer) {
  H2Fixture h;
  const std::int32_t stream = h.client().send(request("PUT", "/a"), "begin", false);
  h.settle();
  h.upstream.last().respond(403, {}, "no");
  h.settle();
  BOOST_TEST(h.client().answer(stream).status == 403U);
  BOOST_TEST(h.client().answer(stream).body == "no");
  BOOST_TEST(h.client().answer(stream).has_ended);
  BOOST_TEST(h.client().answer(stream).reset.value_or(99) == NGHTTP2_NO_ERROR);
  BOOST_TEST(h.abuse(proxy::H2Abuse::kStreamError) == 0U);
}

BOOST_AUTO_TEST_CASE(a_client_that_gives_up_frees_the_origin) {
  H2Fixture h;
  const std::int32_t stream = h.client().send(request("PUT", "/a"), "begin", false);
  h.settle();
  const auto body = h.upstream.last().request().body;
  h.client().reset(stream);
  h.settle();
  BOOST_TEST(h.upstream.open_calls() == 0U);
  BOOST_TEST(!body->is_finished());
  const std::int32_t next = h.get("/b");
  h.upstream.last().respond(200, {}, "b");
  h.settle();
  BOOST_TEST(h.client().answer(next).body == "b");
}

BOOST_AUTO_TEST_CASE(a_reset_in_the_same_read_as_its_hit) {
  H2Fixture h;
  h.store_object("/a", std::string(100'000, 'a'), {{"X-Name", "value"}});
  for (int i = 0; i < 20; ++i) {
    const std::int32_t stream = h.client().get("/a");
    h.client().pump();
    h.client().reset(stream);
  }
  h.settle();
  const std::int32_t last = h.get("/a");
  BOOST_TEST(h.client().answer(last).body.size() == 100'000U);
}

// What is urgent overtakes what is not (RFC 9218).
BOOST_AUTO_TEST_CASE(priorities) {
  H2Fixture h({.client = {.opens_windows = false, .window = 10'000'000}});
  h.store_object("/a", std::string(60'000, 'a'));
  h.client().open_window(0, 400'000);
  const std::string big(1'000'000, 'b');
  const std::int32_t fill = h.get("/big");
  h.upstream.last().respond(200, {{"Cache-Control", "max-age=600"}}, big);
  h.settle();
  h.client().reset(fill);
  h.settle();
  const auto order = [&](const Lines& of_first, const Lines& of_second) {
    const std::int32_t first = h.client().get("/big", of_first);
    const std::int32_t second = h.client().get("/a", of_second);
    const std::size_t before = h.client().data_frames().size();
    h.client().open_window(0, nghttp2_session_get_effective_local_window_size(h.client().session()) + 2'000'000);
    h.settle();
    BOOST_TEST(h.client().answer(first).has_ended);
    BOOST_TEST(h.client().answer(second).has_ended);
    std::size_t ahead = 0;  // bytes of the first before the second was done
    std::size_t left = 60'000;
    for (std::size_t i = before; i < h.client().data_frames().size() && left > 0; ++i) {
      const auto [stream, size] = h.client().data_frames()[i];
      if (stream == first) ahead += size;
      if (stream == second) left -= size;
    }
    return ahead;
  };
  BOOST_TEST(order({{"priority", "u=5"}}, {{"priority", "u=0"}}) == 0U);
  BOOST_TEST(order({}, {}) == 1'000'000U);
  BOOST_TEST(order({}, {{"priority", "u=7"}}) == 1'000'000U);
  // Side by side.
  const std::size_t shared = order({{"priority", "i"}}, {{"priority", "i"}});
  BOOST_TEST(shared > 20'000U);
  BOOST_TEST(shared < 200'000U);
}

BOOST_AUTO_TEST_CASE(the_origin_may_change_priorities) {
  H2Fixture h({.client = {.opens_windows = false, .window = 10'000'000}});
  const std::int32_t first = h.get("/a", {{"priority", "u=4"}});
  const std::int32_t second = h.get("/b", {{"priority", "u=4"}});
  const std::int32_t third = h.get("/c", {{"priority", "u=0"}});
  const std::string body(300'000, 'x');
  h.upstream.call(0).head(200, {{"Content-Length", "300000"}});
  h.upstream.call(1).head(200, {{"Content-Length", "300000"}, {"Priority", "u=1"}});
  h.upstream.call(2).head(200, {{"Content-Length", "300000"}, {"Priority", "u=7"}});
  for (std::size_t i = 0; i < 3; ++i) {
    h.upstream.call(i).body(body);
    h.upstream.call(i).complete();
  }
  h.settle();
  h.client().open_window(0, 10'000'000);
  h.settle();
  std::vector<std::int32_t> finished;
  std::map<std::int32_t, std::size_t> sizes;
  for (const auto& [stream, size] : h.client().data_frames()) {
    sizes[stream] += size;
    if (sizes[stream] == 300'000 && (finished.empty() || finished.back() != stream)) finished.push_back(stream);
  }
  BOOST_TEST((finished == std::vector<std::int32_t>{second, first, third}));
}

BOOST_AUTO_TEST_CASE(priority_updates) {
  H2Fixture h({.client = {.opens_windows = false, .window = 10'000'000}});
  const std::int32_t first = h.get("/a");
  const std::int32_t second = h.get("/b");
  const std::string body(300'000, 'x');
  for (std::size_t i = 0; i < 2; ++i) h.upstream.call(i).respond(200, kFresh, body);
  h.settle();
  const std::string update = "u=0";
  nghttp2_submit_priority_update(h.client().session(), NGHTTP2_FLAG_NONE, second,
                                 reinterpret_cast<const std::uint8_t*>(update.data()), update.size());
  h.settle();
  h.client().open_window(0, 500'000);
  h.settle();
  BOOST_TEST(h.client().answer(second).has_ended);
  BOOST_TEST(!h.client().answer(first).has_ended);
}

BOOST_AUTO_TEST_CASE(drain_in_two_steps) {
  H2Fixture h;
  const std::int32_t before = h.get("/a");
  h.session().drain();
  // A request that crosses the announcement is served.
  const std::int32_t crossing = h.client().get("/b");
  h.settle();
  BOOST_REQUIRE(h.client().goaways().size() == 2U);
  BOOST_TEST(h.client().goaways()[0].first == 0x7fff'ffff);
  BOOST_TEST(h.client().goaways()[0].second == NGHTTP2_NO_ERROR);
  BOOST_TEST(h.client().goaways()[1].first == crossing);
  BOOST_TEST(h.upstream.calls() == 2U);
  h.upstream.call(0).respond(200, {}, "a");
  h.settle();
  BOOST_TEST(h.client().answer(before).body == "a");
  BOOST_TEST(h.client().is_connected());
  h.upstream.call(1).respond(200, {}, "b");
  h.settle();
  BOOST_TEST(h.client().answer(crossing).body == "b");
  BOOST_TEST(!h.client().is_connected());
}

BOOST_AUTO_TEST_CASE(drain_of_an_idle_connection) {
  H2Fixture h;
  h.session().drain();
  h.settle();
  BOOST_TEST(!h.client().is_connected());
  BOOST_REQUIRE(!h.client().goaways().empty());  // without streams nghttp2's client hears the first only
  BOOST_TEST(h.client().goaways()[0].second == NGHTTP2_NO_ERROR);
}

BOOST_AUTO_TEST_CASE(drain_does_not_wait_for_a_client_that_does_not_answer) {
  H2Fixture h;
  h.get("/a");
  h.client().stop_reading();
  h.session().drain();
  h.settle();
  h.advance(Millis{1100});
  h.upstream.last().respond(200, {}, "a");
  h.settle();
  h.advance(Millis{2100});
  h.client().resume_reading();
  h.settle();
  BOOST_TEST(h.client().goaways().size() == 2U);
  BOOST_TEST(!h.client().is_connected());
  BOOST_TEST(!h.is_serving());
}

// The last answer on a connection that drains is whole however slowly it is read.
BOOST_AUTO_TEST_CASE(drain_waits_for_a_slow_reader) {
  H2Fixture h({.client = {.window = 10'000'000}});
  h.client().open_window(0, 10'000'000);
  h.store_object("/big", std::string(300'000, 'x'));
  h.client().stop_reading();
  const std::int32_t stream = h.get("/big");
  h.session().drain();
  for (int i = 0; i < 4; ++i) h.advance(Millis{5'000});
  BOOST_TEST(h.is_serving());
  h.client().resume_reading();
  h.settle();
  BOOST_TEST(h.client().answer(stream).body.size() == 300'000U);
  BOOST_TEST(h.client().answer(stream).has_ended);
  BOOST_TEST(!h.client().is_connected());
}

BOOST_AUTO_TEST_CASE(idle_connections_close) {
  H2Fixture h({.session = {.idle_timeout = Millis{20'000}}});
  h.store_object("/a", "hello");
  h.advance(Millis{19'000});
  h.get("/a");
  // PINGs keep nothing alive.
  h.advance(Millis{19'000});
  h.client().ping();
  h.settle();
  BOOST_TEST(h.client().pings_acked() == 1U);
  BOOST_TEST(h.client().is_connected());
  h.advance(Millis{1'100});
  BOOST_TEST(!h.client().is_connected());
  BOOST_REQUIRE(h.client().goaways().size() == 1U);
  BOOST_TEST(h.client().goaways()[0].second == NGHTTP2_NO_ERROR);
}

BOOST_AUTO_TEST_CASE(a_waiting_origin_is_no_idleness) {
  H2Fixture h({.session = {.idle_timeout = Millis{1'000}}});
  const std::int32_t stream = h.get("/a");
  for (int i = 0; i < 5; ++i) h.advance(Millis{900});
  h.upstream.last().respond(200, {}, "late");
  h.settle();
  BOOST_TEST(h.client().answer(stream).body == "late");
}

BOOST_AUTO_TEST_CASE(timeouts) {
  {
    H2Fixture h({.client = {.sends_preface = false}});
    h.advance(Millis{10'100});
    BOOST_TEST(!h.is_serving());
  }
  {
    // A field section that does not end.
    H2Fixture h({.client = {.is_raw = true}});
    h.client().raw(
        H2Client::frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 1, H2Client::encode({{":method", "GET"}})));
    h.settle();
    h.advance(Millis{10'100});
    BOOST_TEST(!h.client().is_connected());
  }
  {
    // A body that does not come: 408.
    H2Fixture h({.session = {.body_timeout = Millis{5'000}}});
    const std::int32_t stream = h.client().send(request("PUT", "/a"), "begin", false);
    h.settle();
    const auto body = h.upstream.last().request().body;
    h.advance(Millis{5'100});
    BOOST_REQUIRE(body->error().has_value());
    BOOST_TEST((body->error()->code == ErrorCode::kBodyTimeout));
    h.upstream.last().fail(ErrorCode::kBodyTimeout);
    h.settle();
    BOOST_TEST(h.client().answer(stream).has_ended);
    BOOST_TEST(h.client().is_connected());
  }
}

// A client that opens no window holds its stream for as long as a client that does not read, and no other.
BOOST_AUTO_TEST_CASE(a_closed_window_is_not_waited_for) {
  H2Fixture h({.session = {.idle_timeout = Millis{600'000}, .send_timeout = Millis{5'000}},
               .client = {.opens_windows = false, .window = 0}});
  h.get("/a");
  h.upstream.last().respond(200, kFresh, "hello");
  h.settle();
  const std::int32_t stuck = h.get("/a");
  const std::int32_t fine = h.get("/a");
  h.client().open_window(fine, 3);
  h.settle();
  BOOST_TEST(h.client().answer(fine).body == "hel");
  h.advance(Millis{4'000});
  h.client().open_window(fine, 4);
  h.settle();
  h.advance(Millis{1'100});
  BOOST_TEST(h.client().answer(stuck).reset.value_or(0) == NGHTTP2_CANCEL);
  BOOST_TEST(!h.client().answer(fine).reset);
  h.client().open_window(fine, 5);
  h.settle();
  BOOST_TEST(h.client().answer(fine).body == "hello");
}

BOOST_AUTO_TEST_CASE(a_client_that_does_not_read_is_closed) {
  for (const bool is_half_closed : {false, true}) {
    BOOST_TEST_CONTEXT(is_half_closed) {
      H2Fixture h({.session = {.send_timeout = Millis{5'000}}, .client = {.window = 10'000'000}});
      h.client().open_window(0, 10'000'000);
      h.store_object("/big", std::string(5'000'000, 'x'));
      h.client().stop_reading();
      h.get("/big");
      if (is_half_closed) h.client().half_close();
      h.settle();
      h.advance(Millis{4'900});
      BOOST_TEST(h.is_serving());
      h.advance(Millis{5'100});
      BOOST_TEST(!h.is_serving());
    }
  }
}

// The second stream's turn comes after minutes of the first: that is no stall.
BOOST_AUTO_TEST_CASE(waiting_for_its_turn_is_no_stall) {
  H2Fixture h({.session = {.idle_timeout = Millis{600'000}, .send_timeout = Millis{5'000}},
               .client = {.opens_windows = false, .window = 10'000'000}});
  h.get("/big");
  h.upstream.last().respond(200, {{"Cache-Control", "max-age=600"}}, std::string(1'000'000, 'x'));
  h.settle();
  const std::int32_t second = h.get("/big");
  std::int32_t window = 65'535;
  for (int i = 0; i < 20; ++i) {
    h.advance(Millis{2'000});
    window += 100'000;
    h.client().open_window(0, window);
    h.settle();
  }
  BOOST_TEST(h.client().answer(second).body.size() > 0U);
  BOOST_TEST(!h.client().answer(second).reset);
}

BOOST_AUTO_TEST_CASE(a_half_closed_client_gets_its_answers) {
  H2Fixture h;
  h.store_object("/hit", "hit");
  const std::int32_t miss = h.get("/miss");
  const std::int32_t streamed = h.get("/streamed");
  h.upstream.last().head(200, {{"Cache-Control", "no-store"}});
  h.upstream.last().body("first ");
  h.settle();
  const std::int32_t hit = h.client().get("/hit");
  h.client().pump();
  h.client().half_close();
  h.settle();
  BOOST_TEST(h.client().answer(hit).body == "hit");
  BOOST_TEST(h.client().answer(streamed).body == "first ");
  BOOST_REQUIRE(h.client().is_connected());
  h.upstream.call(1).respond(200, kFresh, "miss");
  h.settle();
  BOOST_TEST(h.client().answer(miss).body == "miss");
  BOOST_TEST(h.client().answer(miss).has_ended);
  h.advance(Millis{20'000});
  BOOST_REQUIRE(h.client().is_connected());
  h.upstream.last().body("last");
  h.upstream.last().complete();
  h.settle();
  BOOST_TEST(h.client().answer(streamed).body == "first last");
  BOOST_TEST(h.client().answer(streamed).has_ended);
  BOOST_TEST(!h.client().is_connected());
  BOOST_TEST(!h.is_serving());
}

BOOST_AUTO_TEST_CASE(a_half_closed_client_that_goes_is_noticed) {
  H2Fixture h;
  h.client().send(request("DELETE", "/a"));
  h.settle();
  h.client().half_close();
  h.settle();
  h.advance(Millis{5'000});
  BOOST_REQUIRE(h.is_serving());
  BOOST_TEST(!h.upstream.last().is_cancelled());
  h.client().close();
  h.advance(Millis{1'001});
  BOOST_TEST(!h.is_serving());
  BOOST_TEST(h.upstream.last().is_cancelled());
}

BOOST_AUTO_TEST_CASE(a_half_closed_client_that_waits_for_nothing_is_closed) {
  H2Fixture h;
  h.store_object("/a", "a");
  h.client().half_close();
  h.settle();
  BOOST_TEST(!h.client().is_connected());
  BOOST_TEST(!h.is_serving());
}

// Bodies and tunnels that have not ended never will: the origin must not see them whole.
BOOST_AUTO_TEST_CASE(what_a_half_closed_client_has_not_ended_fails) {
  H2Fixture h;
  const std::int32_t upload = h.client().send(request("PUT", "/a"), "begin", false);
  h.settle();
  const auto body = h.upstream.last().request().body;
  const std::int32_t tunnel = h.client().send(
      request("CONNECT", "/chat", {{":protocol", "websocket"}, {"sec-websocket-version", "13"}}), "", false);
  h.settle();
  const std::int32_t miss = h.get("/b");
  BOOST_REQUIRE(h.upstream.calls() == 3U);
  h.client().half_close();
  h.settle();
  BOOST_REQUIRE(body->error().has_value());
  BOOST_TEST((body->error()->code == ErrorCode::kPeerClosed));
  BOOST_TEST(!body->is_finished());
  BOOST_TEST(h.client().answer(tunnel).reset.value_or(0) == NGHTTP2_CANCEL);
  BOOST_TEST(h.upstream.call(1).is_cancelled());
  BOOST_REQUIRE(h.client().is_connected());
  h.upstream.call(0).fail(ErrorCode::kPeerClosed);
  h.settle();
  BOOST_TEST(h.client().answer(upload).status / 100 >= 4);
  BOOST_TEST(h.client().answer(upload).has_ended);
  h.upstream.call(2).respond(200, {}, "b");
  h.settle();
  BOOST_TEST(h.client().answer(miss).body == "b");
  BOOST_TEST(!h.client().is_connected());
  BOOST_TEST(!h.is_serving());
}

BOOST_AUTO_TEST_CASE(a_client_half_closes_in_a_head) {
  H2Fixture h({.client = {.is_raw = true}});
  h.client().raw(H2Client::frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 1, H2Client::encode({{":method", "GET"}})));
  h.client().pump();
  h.client().half_close();
  h.settle();
  BOOST_TEST(h.client().answer(1).reset.has_value());
  BOOST_TEST(!h.client().is_connected());
  BOOST_TEST(!h.is_serving());
  BOOST_TEST(h.upstream.calls() == 0U);
}

// No WINDOW_UPDATE comes any more: what fits goes, the rest is not waited for.
BOOST_AUTO_TEST_CASE(a_half_closed_client_gets_what_its_windows_take) {
  H2Fixture h({.client = {.opens_windows = false, .window = 10'000'000}});
  const std::int32_t cut = h.get("/a");
  const std::int32_t whole = h.get("/b");
  h.client().half_close();
  h.settle();
  h.upstream.call(1).respond(200, kFresh, "hello");
  h.settle();
  BOOST_TEST(h.client().answer(whole).body == "hello");
  BOOST_TEST(h.client().answer(whole).has_ended);
  h.upstream.call(0).respond(200, kFresh, std::string(100'000, 'x'));
  h.settle();
  BOOST_TEST(h.client().answer(cut).body.size() == 65'535U - 5);
  BOOST_TEST(h.client().answer(cut).reset.value_or(0) == NGHTTP2_CANCEL);
  BOOST_TEST(!h.client().is_connected());
  BOOST_TEST(!h.is_serving());
}

BOOST_AUTO_TEST_CASE(a_half_closed_client_without_a_window_is_closed) {
  H2Fixture h({.client = {.opens_windows = false, .window = 0}});
  const std::int32_t one = h.get("/a");
  h.upstream.last().respond(200, kFresh, "hello");
  h.settle();
  BOOST_TEST(!h.client().answer(one).reset);
  h.client().half_close();
  h.settle();
  BOOST_TEST(h.client().answer(one).status == 200U);
  BOOST_TEST(h.client().answer(one).reset.value_or(0) == NGHTTP2_CANCEL);
  BOOST_TEST(!h.client().is_connected());
  BOOST_TEST(!h.is_serving());
}

BOOST_AUTO_TEST_CASE(drain_of_a_half_closed_connection) {
  H2Fixture h;
  const std::int32_t stream = h.get("/a");
  h.client().half_close();
  h.settle();
  h.session().drain();
  h.settle();
  h.advance(Millis{1'100});
  h.upstream.last().respond(200, {}, "a");
  h.settle();
  BOOST_TEST(h.client().answer(stream).body == "a");
  BOOST_TEST(!h.client().is_connected());
  BOOST_TEST(!h.is_serving());
}

BOOST_AUTO_TEST_CASE(the_client_leaves_in_the_middle) {
  H2Fixture h;
  h.store_object("/a", std::string(500'000, 'a'));
  h.client().stop_reading();  // so that it leaves with a reset
  h.client().get("/a");
  h.client().get("/b");
  h.client().send(request("PUT", "/c"), "begin", false);
  h.settle();
  h.client().close();
  h.settle();
  BOOST_TEST(!h.is_serving());
  BOOST_TEST(h.upstream.last().is_cancelled());
  BOOST_TEST(!h.upstream.call(1).is_cancelled());  // a fetch for the cache goes on
}

// Until something is written to it, it could be one that has only closed its half.
BOOST_AUTO_TEST_CASE(the_client_leaves_without_a_reset) {
  H2Fixture h;
  h.get("/a");
  h.client().send(request("DELETE", "/b"));
  h.client().send(request("PUT", "/c"), "begin", false);
  h.settle();
  h.client().close();
  h.settle();
  BOOST_TEST(h.upstream.last().request().body->error().has_value());
  BOOST_TEST(!h.upstream.call(1).is_cancelled());
  h.upstream.last().fail(ErrorCode::kPeerClosed);
  h.settle();
  BOOST_TEST(!h.is_serving());
  BOOST_TEST(h.upstream.call(1).is_cancelled());
  BOOST_TEST(!h.upstream.call(0).is_cancelled());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::test
