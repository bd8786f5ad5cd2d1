// What one HTTP/2 client may cost: floods of each kind end the connection with ENHANCE_YOUR_CALM and are counted,
// requests that could smuggle never reach the origin.
#include <boost/test/unit_test.hpp>
#include <functional>
#include <string>
#include <vector>

#include "http/h2_frame_walk.h"
#include "loopback/proxy/h2_fixture.h"

namespace seawall::test {
namespace {

using proxy::H2Abuse;

const H2FixtureOptions kRaw = {.client = {.is_raw = true}};
constexpr std::uint8_t kEndStream = NGHTTP2_FLAG_END_STREAM;
constexpr std::uint8_t kEndHeaders = NGHTTP2_FLAG_END_HEADERS;

Lines get_fields(const Lines& more = {}) {
  Lines fields = {{":method", "GET"}, {":scheme", "http"}, {":authority", "example.com"}, {":path", "/a"}};
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

std::string headers_frame(std::int32_t stream, const Lines& fields, std::uint8_t flags = kEndHeaders | kEndStream) {
  return H2Client::frame(NGHTTP2_HEADERS, flags, stream, H2Client::encode(fields));
}

std::string window_update(std::int32_t stream, std::uint8_t bytes) {
  return H2Client::frame(NGHTTP2_WINDOW_UPDATE, 0, stream, std::string("\0\0\0", 3) + static_cast<char>(bytes));
}

// Sends until the connection ends, at most so often.
int flood(H2Fixture& h, int most, const std::function<std::string(int)>& next) {
  int sent = 0;
  while (sent < most && h.client().is_connected()) {
    std::string bytes;
    for (int i = 0; i < 10; ++i) bytes += next(sent++);
    h.client().raw(bytes);
    h.settle();
  }
  return sent;
}

void check_calmed(H2Fixture& h, H2Abuse kind) {
  BOOST_TEST(!h.client().is_connected());
  BOOST_REQUIRE(!h.client().goaways().empty());
  BOOST_TEST(h.client().goaways().back().second == NGHTTP2_ENHANCE_YOUR_CALM);
  for (std::size_t i = 0; i < proxy::kH2Abuses; ++i) {
    const auto other = static_cast<H2Abuse>(i);
    BOOST_TEST(h.abuse(other) == (other == kind ? 1U : 0U), to_string(other));
  }
}

BOOST_AUTO_TEST_SUITE(loopback_h2_abuse)

BOOST_AUTO_TEST_CASE(rapid_reset) {
  H2Fixture h(kRaw);
  const int sent = flood(h, 5'000, [](int i) {
    const std::int32_t stream = 2 * i + 1;
    return headers_frame(stream, get_fields()) +
           H2Client::frame(NGHTTP2_RST_STREAM, 0, stream, std::string("\0\0\0\x08", 4));
  });
  BOOST_TEST(sent < 500);
  check_calmed(h, H2Abuse::kReset);
}

// Streams that we have to reset: a window that overflows, a body that is not what was announced.
BOOST_AUTO_TEST_CASE(made_you_reset) {
  const auto overflow = [](int i) {
    const std::int32_t stream = 2 * i + 1;
    return headers_frame(stream, get_fields(), kEndHeaders) +
           H2Client::frame(NGHTTP2_WINDOW_UPDATE, 0, stream, "\x7f\xff\xff\xff");
  };
  const auto wrong_length = [](int i) {
    const std::int32_t stream = 2 * i + 1;
    return headers_frame(stream, get_fields({{"content-length", "1"}}), kEndHeaders) +
           H2Client::frame(NGHTTP2_DATA, kEndStream, stream, "two");
  };
  const auto malformed = [](int i) { return headers_frame(2 * i + 1, get_fields({{"Upper", "case"}})); };
  for (const auto& attack : {std::function<std::string(int)>(overflow), std::function<std::string(int)>(wrong_length),
                             std::function<std::string(int)>(malformed)}) {
    H2Fixture h(kRaw);
    const int sent = flood(h, 5'000, attack);
    BOOST_TEST(sent < 100);
    check_calmed(h, H2Abuse::kStreamError);
  }
}

BOOST_AUTO_TEST_CASE(floods_of_frames) {
  struct Row {
    const char* name;
    H2Abuse kind;
    int most;
    std::function<std::string(int)> next;
  };
  const std::string eight(8, '\0');
  const Row rows[] = {
      {"settings", H2Abuse::kSettings, 40, [](int) { return H2Client::frame(NGHTTP2_SETTINGS, 0, 0, ""); }},
      {"ping", H2Abuse::kPing, 600, [&](int) { return H2Client::frame(NGHTTP2_PING, 0, 0, eight); }},
      {"ping acknowledgements", H2Abuse::kPing, 600,
       [&](int) { return H2Client::frame(NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, eight); }},
      {"window updates", H2Abuse::kWindowUpdate, 2'200, [](int) { return window_update(0, 1); }},
      {"window updates of a stream", H2Abuse::kWindowUpdate, 2'200,
       [](int i) { return (i == 0 ? headers_frame(1, get_fields()) : "") + window_update(1, 1); }},
      {"priority", H2Abuse::kPriority, 600,
       [](int) { return H2Client::frame(NGHTTP2_PRIORITY, 0, 1, std::string(5, '\0')); }},
      {"priority updates", H2Abuse::kPriority, 600,
       [](int i) {
         return (i == 0 ? headers_frame(1, get_fields()) : "") +
                H2Client::frame(NGHTTP2_PRIORITY_UPDATE, 0, 0, std::string("\0\0\0\x01u=1", 7));
       }},
      {"empty DATA", H2Abuse::kEmptyFrame, 80,
       [](int i) {
         return (i == 0 ? headers_frame(1, get_fields(), kEndHeaders) : "") + H2Client::frame(NGHTTP2_DATA, 0, 1, "");
       }},
      {"DATA of padding", H2Abuse::kEmptyFrame, 80,
       [](int i) {
         return (i == 0 ? headers_frame(1, get_fields(), kEndHeaders) : "") +
                H2Client::frame(NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, std::string("\x02\0\0", 3));
       }},
      {"DATA of a padding of no length", H2Abuse::kEmptyFrame, 80,
       [](int i) {
         return (i == 0 ? headers_frame(1, get_fields(), kEndHeaders) : "") +
                H2Client::frame(NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, std::string(1, '\0'));
       }},
      {"empty CONTINUATION", H2Abuse::kEmptyFrame, 80,
       [](int i) {
         // Few enough for one field section.
         const std::int32_t stream = 2 * (i / 4) + 1;
         if (i % 4 == 0) return headers_frame(stream, get_fields(), kEndStream);
         return H2Client::frame(NGHTTP2_CONTINUATION, i % 4 == 3 ? kEndHeaders : std::uint8_t{0}, stream, "");
       }},
      {"CONTINUATION", H2Abuse::kContinuation, 300,
       [](int i) {
         const std::int32_t stream = 2 * (i / 4) + 1;
         if (i % 4 == 0) return headers_frame(stream, get_fields(), kEndStream);
         return H2Client::frame(NGHTTP2_CONTINUATION, i % 4 == 3 ? kEndHeaders : std::uint8_t{0}, stream,
                                H2Client::encode({{"x", "y"}}));
       }},
      {"endless CONTINUATION", H2Abuse::kContinuation, 30,
       [](int i) {
         if (i == 0) return headers_frame(1, get_fields(), kEndStream);
         return H2Client::frame(NGHTTP2_CONTINUATION, 0, 1, H2Client::encode({{"x", "y"}}));
       }},
      {"unknown frames", H2Abuse::kUnknownFrame, 250, [](int) { return H2Client::frame(0xfa, 0, 0, "grease"); }},
      {"DATA of a stream that has ended", H2Abuse::kLateData, 150,
       [](int i) {
         if (i == 0) return headers_frame(1, get_fields({{"cache-control", "only-if-cached"}}));
         return i < 10 ? std::string() : H2Client::frame(NGHTTP2_DATA, 0, 1, "late");  // answered by then
       }},
      {"settings of many entries", H2Abuse::kSettings, 10,
       [](int) { return H2Client::frame(NGHTTP2_SETTINGS, 0, 0, std::string(6 * 40, '\x10')); }},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      H2Fixture h(kRaw);
      const int sent = flood(h, 10'000, row.next);
      BOOST_TEST(sent <= row.most);
      check_calmed(h, row.kind);
    }
  }
}

// A head in full frames: HEADERS, and CONTINUATION for the rest.
std::string large_head(std::int32_t stream, std::size_t fields) {
  Lines more;
  for (std::size_t i = 0; i < fields; ++i) more.emplace_back("x", std::string(30'000, 'x'));
  std::string block = H2Client::encode(get_fields(more));
  std::string out;
  for (std::uint8_t type = NGHTTP2_HEADERS; !block.empty(); type = NGHTTP2_CONTINUATION) {
    const std::string piece = block.substr(0, http::kH2FrameBytes);
    block.erase(0, piece.size());
    const int flags = (type == NGHTTP2_HEADERS ? kEndStream : 0) | (block.empty() ? kEndHeaders : 0);
    out += H2Client::frame(type, static_cast<std::uint8_t>(flags), stream, piece);
  }
  return out;
}

BOOST_AUTO_TEST_CASE(heads_may_be_as_large_as_was_said) {
  H2Fixture h({.session = {.head_limits = {.header_bytes = std::size_t{1024} * 1024}}, .client = {.is_raw = true}});
  for (std::size_t i = 0; i < 5; ++i) {
    h.client().raw(large_head(static_cast<std::int32_t>(2 * i + 1), 34));
    h.settle();
    BOOST_REQUIRE(h.upstream.calls() == i + 1);
    h.upstream.last().respond(200, {{"Cache-Control", "no-store"}}, "");
    h.settle();
    BOOST_TEST(h.client().answer(static_cast<std::int32_t>(2 * i + 1)).has_ended);
  }
  // Larger by more than there is slack.
  h.client().raw(large_head(11, 45));
  h.settle();
  check_calmed(h, H2Abuse::kContinuation);
}

// As a gateway sends them: HEADERS, and one CONTINUATION that is not full.
BOOST_AUTO_TEST_CASE(heads_of_two_frames_pass) {
  H2Fixture h({.session = {.head_limits = {.header_bytes = std::size_t{64} * 1024}}, .client = {.is_raw = true}});
  const std::string piece(10'000, 'x');
  const std::string block =
      H2Client::encode(get_fields({{"cache-control", "only-if-cached"}, {"x", piece}, {"y", piece}, {"z", piece}}));
  BOOST_REQUIRE(block.size() > http::kH2FrameBytes);
  for (int i = 0; i < 300; ++i) {
    h.client().raw(H2Client::frame(NGHTTP2_HEADERS, kEndStream, 2 * i + 1, block.substr(0, http::kH2FrameBytes)) +
                   H2Client::frame(NGHTTP2_CONTINUATION, kEndHeaders, 2 * i + 1, block.substr(http::kH2FrameBytes)));
    h.settle();
  }
  BOOST_TEST(h.client().is_connected());
  BOOST_TEST(h.client().answer(599).has_ended);
}

BOOST_AUTO_TEST_CASE(a_slow_trickle_passes) {
  H2Fixture h({.session = {.idle_timeout = Millis{10'000'000}}, .client = {.is_raw = true}});
  const std::string eight(8, '\0');
  for (int i = 0; i < 100; ++i) {
    for (int j = 0; j < 20; ++j) h.client().raw(H2Client::frame(NGHTTP2_PING, 0, 0, eight));
    h.client().raw(H2Client::frame(NGHTTP2_SETTINGS, 0, 0, ""));
    h.advance(Millis{1'000});
  }
  BOOST_TEST(h.client().is_connected());
}

// RFC 9113 section 5.5: clients try out whether servers bear what they do not know.
BOOST_AUTO_TEST_CASE(grease_passes) {
  H2Fixture h(kRaw);
  const Lines fields = get_fields({{"cache-control", "only-if-cached"}});
  for (int i = 0; i < 1'000; ++i) {
    h.client().raw(headers_frame(2 * i + 1, fields) + H2Client::frame(0x2a, 0, 2 * i + 1, "grease"));
    h.settle();
  }
  BOOST_TEST(h.client().is_connected());
}

// Small on the wire, large once decoded.
BOOST_AUTO_TEST_CASE(header_bomb) {
  H2Fixture h(kRaw);
  // One field of 4000 bytes goes into the dynamic table, and then every byte stands for it.
  const std::string large(4'000, 'x');
  std::string block = H2Client::encode(get_fields());
  block += '\x40';
  block += H2Client::encode({{"x", large}}).substr(1);
  block += std::string(10'000, '\xbe');
  h.client().raw(H2Client::frame(NGHTTP2_HEADERS, kEndHeaders | kEndStream, 1, block));
  h.settle();
  check_calmed(h, H2Abuse::kHeaderBomb);
  BOOST_TEST(h.upstream.calls() == 0U);
}

BOOST_AUTO_TEST_CASE(a_bomb_of_cookie_crumbs) {
  H2Fixture h(kRaw);
  std::string block = H2Client::encode(get_fields());
  block += '\x40';
  block += H2Client::encode({{"cookie", "a=" + std::string(3'000, 'x')}}).substr(1);
  block += std::string(10'000, '\xbe');
  h.client().raw(H2Client::frame(NGHTTP2_HEADERS, kEndHeaders | kEndStream, 1, block));
  h.settle();
  check_calmed(h, H2Abuse::kHeaderBomb);
}

// One byte of a window at a time.
BOOST_AUTO_TEST_CASE(tiny_windows) {
  H2Fixture h({.client = {.window = 0, .is_raw = true}});
  h.client().raw(headers_frame(1, get_fields()));
  h.settle();
  h.upstream.last().respond(200, {{"Cache-Control", "max-age=600"}}, std::string(100'000, 'a'));
  h.settle();
  for (int i = 0; i < 1'000 && h.client().is_connected(); ++i) {
    h.client().raw(window_update(1, 1));
    h.settle();
  }
  BOOST_TEST(h.client().data_frames().size() < 600U);
  check_calmed(h, H2Abuse::kTinyWindow);
}

// Replies that it does not read are not kept without end.
BOOST_AUTO_TEST_CASE(unread_replies) {
  H2Fixture h({.client = {.window = 10'000'000}});
  h.client().open_window(0, 10'000'000);
  h.store_object("/big", std::string(5'000'000, 'x'));
  h.client().stop_reading();
  h.get("/big");
  const std::string eight(8, '\0');
  for (int i = 0; i < 200 && h.is_serving(); ++i) {
    for (int j = 0; j < 10; ++j) h.client().raw(H2Client::frame(NGHTTP2_PING, 0, 0, eight));
    h.advance(Millis{100});
  }
  BOOST_TEST(h.abuse(H2Abuse::kUnreadReply) == 1U);
  h.advance(Millis{2'100});
  BOOST_TEST(!h.is_serving());
}

BOOST_AUTO_TEST_CASE(requests_that_are_no_requests) {
  struct Row {
    const char* name;
    Lines fields;
    std::optional<std::uint16_t> status;  // none: the stream is reset
  };
  const Row rows[] = {
      {"H2.TE", get_fields({{"transfer-encoding", "chunked"}}), {}},
      {"connection", get_fields({{"connection", "close"}}), {}},
      {"line in a value", get_fields({{"x", "a\r\nhost: evil"}}), {}},
      {"upper case", get_fields({{"X", "a"}}), {}},
      {"pseudo after regular", get_fields({{"x", "a"}, {":path", "/"}}), {}},
      {"no path", {{":method", "GET"}, {":scheme", "http"}, {":authority", "a"}}, {}},
      {"space in the path",
       {{":method", "GET"}, {":scheme", "http"}, {":authority", "a"}, {":path", "/ HTTP/1.1"}},
       {}},
      {"length without a body", get_fields({{"content-length", "5"}}), {}},
      {"another host", get_fields({{"host", "evil.example"}}), 400},
      {"another scheme", {{":method", "GET"}, {":scheme", "https"}, {":authority", "a"}, {":path", "/"}}, 400},
      {"bad authority", {{":method", "GET"}, {":scheme", "http"}, {":authority", "a:b"}, {":path", "/"}}, 400},
      {"fragment", {{":method", "GET"}, {":scheme", "http"}, {":authority", "a"}, {":path", "/#"}}, 400},
      {"long path",
       {{":method", "GET"}, {":scheme", "http"}, {":authority", "a"}, {":path", "/" + std::string(9'000, 'a')}},
       414},
      {"large fields", get_fields({{"x", std::string(15'000, 'x')}, {"y", std::string(1, 'y')}}), 404},
      {"too large fields",
       get_fields({{"a", std::string(5'000, 'x')}, {"b", std::string(5'000, 'x')}, {"c", std::string(5'000, 'x')}}),
       431},
      {"CONNECT", {{":method", "CONNECT"}, {":authority", "a:443"}}, 405},
      {"TRACE", {{":method", "TRACE"}, {":scheme", "http"}, {":authority", "a"}, {":path", "/"}}, 405},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      H2Fixture h({.session = {.head_limits = {.header_bytes = row.status == 404 ? 32U * 1024 : 14U * 1024}},
                   .client = {.is_raw = true}});
      // The client's own encoder would put names into lower case.
      h.client().raw(headers_frame(1, row.fields));
      h.settle();
      if (row.status == 404) {
        BOOST_REQUIRE(h.upstream.calls() == 1U);
        h.upstream.last().respond(404, {}, "");
        h.settle();
        BOOST_TEST(h.abuse(H2Abuse::kHeaderBomb) == 0U);
        continue;
      }
      BOOST_TEST(h.upstream.calls() == 0U);
      BOOST_TEST(h.is_serving());
      BOOST_TEST(h.client().goaways().empty());
      BOOST_TEST(h.client().answer(1).has_ended == row.status.has_value());
      BOOST_TEST(h.client().answer(1).reset.has_value() == !row.status.has_value());
    }
  }
}

BOOST_AUTO_TEST_CASE(refusals_are_answered) {
  H2Fixture h;
  const std::int32_t host = h.client().get("/a", {{"host", "evil.example"}});
  const std::int32_t target = h.client().get("/" + std::string(9'000, 'a'));
  Lines many;
  for (int i = 0; i < 101; ++i) many.emplace_back("x-" + std::to_string(i), "");
  const std::int32_t fields = h.client().get("/a", many);
  const std::int32_t connect = h.client().send({{":method", "CONNECT"}, {":authority", "example.com:443"}}, "", false);
  const std::int32_t head =
      h.client().send({{":method", "HEAD"}, {":scheme", "https"}, {":authority", "example.com"}, {":path", "/a"}});
  h.settle();
  BOOST_TEST(h.client().answer(host).status == 400U);
  BOOST_TEST(h.client().answer(host).has_ended);
  BOOST_TEST(h.client().answer(target).status == 414U);
  BOOST_TEST(h.client().answer(fields).status == 431U);
  BOOST_TEST(h.client().answer(connect).status == 405U);
  // Without TLS nobody speaks for https.
  BOOST_TEST(h.client().answer(head).status == 421U);
  BOOST_TEST(h.client().answer(head).body == "");
  // They concern their streams alone.
  const std::int32_t fine = h.get("/a");
  h.upstream.last().respond(200, {}, "fine");
  h.settle();
  BOOST_TEST(h.client().answer(fine).body == "fine");
}

BOOST_AUTO_TEST_CASE(a_body_too_large) {
  H2Fixture h({.session = {.body_bytes = 1'000}});
  const std::int32_t stream =
      h.client().send({{":method", "PUT"}, {":scheme", "http"}, {":authority", "example.com"}, {":path", "/a"}},
                      std::string(2'000, 'x'));
  h.settle();
  const auto body = h.upstream.last().request().body;
  BOOST_REQUIRE(body->error().has_value());
  BOOST_TEST((body->error()->code == ErrorCode::kBodyTooLarge));
  BOOST_TEST(!body->is_finished());
  h.upstream.last().fail(ErrorCode::kBodyTooLarge);
  h.settle();
  BOOST_TEST(h.client().answer(stream).has_ended);
}

// DATA that contradicts Content-Length never looks like a whole body to the origin.
BOOST_AUTO_TEST_CASE(lengths_that_do_not_hold) {
  for (const std::string& data : {std::string("12"), std::string("12345678")}) {
    H2Fixture h(kRaw);
    h.client().raw(headers_frame(1,
                                 {{":method", "POST"},
                                  {":scheme", "http"},
                                  {":authority", "example.com"},
                                  {":path", "/a"},
                                  {"content-length", "5"}},
                                 kEndHeaders) +
                   H2Client::frame(NGHTTP2_DATA, kEndStream, 1, data));
    h.settle();
    BOOST_REQUIRE(h.upstream.calls() == 1U);
    const auto body = h.upstream.last().request().body;
    BOOST_TEST(!body->is_finished());
    BOOST_TEST(body->error().has_value());
    BOOST_TEST(h.upstream.open_calls() == 0U);
  }
}

BOOST_AUTO_TEST_CASE(not_http2) {
  H2Fixture h({.client = {.sends_preface = false, .is_raw = true}});
  h.client().raw("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  h.settle();
  BOOST_TEST(!h.client().is_connected());
  BOOST_TEST(h.handlers == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::test
