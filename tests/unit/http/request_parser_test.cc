#include <boost/test/unit_test.hpp>

#include "unit/http/feed.h"
#include "unit/http/vectors.h"

namespace seawall::http {
namespace {

BOOST_AUTO_TEST_SUITE(request_parser)

BOOST_AUTO_TEST_CASE(vectors_get_their_verdict) {
  for (const Vector& v : request_vectors()) {
    BOOST_TEST_CONTEXT(v.name) {
      const Fed fed = feed_request(v.bytes, v.bytes.size(), 0);
      if (v.error) {
        BOOST_TEST(fed.text == describe(Error{*v.error, Side::kClient}));
      } else {
        BOOST_TEST(!fed.error, fed.text);
        BOOST_TEST(fed.consumed > 0);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(cutting_does_not_change_the_outcome) {
  for (const Vector& v : request_vectors()) {
    BOOST_TEST_CONTEXT(v.name) {
      const std::string whole = feed_request(v.bytes, v.bytes.size(), 0).text;
      // Long ones with wide steps: each step copies the buffer.
      const bool is_long = v.bytes.size() > 2000;
      BOOST_TEST(feed_request(v.bytes, 1, is_long ? 37 : 1).text == whole);
      const std::size_t stride = is_long ? 331 : 1;
      for (std::size_t cut = 1; cut < v.bytes.size(); cut += stride) {
        const std::string text = feed_request(v.bytes, cut, 0).text;
        if (text != whole) BOOST_ERROR("cut at " << cut << ": " << text << " instead of " << whole);
      }
    }
  }
}

// An error does not wait for the rest of the head.
BOOST_AUTO_TEST_CASE(faults_show_at_once) {
  struct Row {
    std::string name;
    std::string bytes;
    ErrorCode error;
  };
  const Row rows[] = {
      {"bare LF in the start line", "GET /\n", ErrorCode::kMalformedStartLine},
      {"bare LF in a value", "GET / HTTP/1.1\r\nX: a\n", ErrorCode::kMalformedHeader},
      {"CR and another byte", "GET / HTTP/1.1\r\nX: a\rb", ErrorCode::kMalformedHeader},
      {"NUL in a value", bytes("GET / HTTP/1.1\r\nX: a\0"), ErrorCode::kMalformedHeader},
      {"first byte of a TLS record", "\x16", ErrorCode::kMalformedStartLine},
      {"first byte of an SSLv2 record", "\x80", ErrorCode::kMalformedStartLine},
      {"endless method", std::string(65, 'A'), ErrorCode::kMalformedStartLine},
      {"endless target", "GET /" + std::string(8192, 'a'), ErrorCode::kTargetTooLong},
      {"endless fields", "GET / HTTP/1.1\r\nX: " + std::string(32 * 1024 - 19, 'a'), ErrorCode::kHeadersTooLarge},
      {"malformed line amid the head", "GET / HTTP/1.1\r\nX : a\r\n", ErrorCode::kMalformedHeader},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const std::string want = describe(Error{row.error, Side::kClient});
      BOOST_TEST(feed_request(row.bytes, row.bytes.size(), 0).text == want);
      const std::size_t cut = row.bytes.size() - 1;
      BOOST_TEST(feed_request(row.bytes, std::max<std::size_t>(cut, 1), 0).text == want);
    }
  }
}

// Fed byte by byte, an endless target is refused soon after its limit.
BOOST_AUTO_TEST_CASE(endless_target_in_pieces) {
  const std::string target = "GET /" + std::string(9000, 'a');
  RequestParser parser{HeadLimits{}};
  RequestHead head;
  std::size_t size = 1;
  while (size < target.size() && parser.parse(std::string_view(target).substr(0, size), head)) ++size;
  BOOST_TEST(size > 8192U);
  BOOST_TEST(size < 8192U + 100U);
}

BOOST_AUTO_TEST_CASE(limits_are_those_given) {
  const HeadLimits limits{.target_bytes = 4, .header_bytes = 64, .header_count = 2};
  const auto verdict = [&](std::string_view bytes) { return feed_request(bytes, bytes.size(), 0, limits).error; };
  BOOST_TEST(!verdict("GET /abc HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n"));
  BOOST_TEST((verdict("GET /abcd HTTP/1.1\r\nHost: a\r\n\r\n")->code == ErrorCode::kTargetTooLong));
  BOOST_TEST((verdict("GET / HTTP/1.1\r\nHost: a\r\nX: y\r\nX: y\r\n\r\n")->code == ErrorCode::kHeadersTooLarge));
  BOOST_TEST((verdict("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(64, 'y') + "\r\n\r\n")->code ==
              ErrorCode::kHeadersTooLarge));
}

struct HeadRow {
  const char* name;
  std::string bytes;
  std::string want;  // as describe() renders it
};

BOOST_AUTO_TEST_CASE(heads_are_understood) {
  const HeadRow rows[] = {
      {"origin-form", "GET /a?b HTTP/1.1\r\nHost: A.Example.:80\r\n\r\n",
       "GET#0 form0 http|a.example|/a?b 1.1 framing0:0 keep-alive Host=[A.Example.:80] "},
      {"white space around a value", "GET / HTTP/1.1\r\nHost:\t a \t\r\nX:\r\nY: \r\n\r\n",
       "GET#0 form0 http|a|/ 1.1 framing0:0 keep-alive Host=[a] X=[]~ Y=[]~ "},
      {"name keeps its case", "GET / HTTP/1.1\r\nhOST: a\r\nx-Y: z\r\n\r\n",
       "GET#0 form0 http|a|/ 1.1 framing0:0 keep-alive hOST=[a] x-Y=[z]~ "},
      {"absolute-form", "GET HTTP://B.Example:81/c?d HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n",
       "GET#0 form1 http|b.example:81|/c?d 1.1 framing0:0 keep-alive Host=[b.example:81] X=[y]~ "},
      {"absolute-form, https", "GET https://b:443?x HTTP/1.1\r\nHost: b\r\n\r\n",
       "GET#0 form1 https|b|/?x 1.1 framing0:0 keep-alive Host=[b] "},
      {"absolute-form in HTTP/1.0", "GET http://b/ HTTP/1.0\r\n\r\n", "GET#0 form1 http|b|/ 1.0 framing0:0 Host=[b] "},
      {"asterisk", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
       "OPTIONS#6 form3 http|a|* 1.1 framing0:0 keep-alive Host=[a] "},
      {"OPTIONS for the server, absolute", "OPTIONS http://b HTTP/1.1\r\nHost: a\r\n\r\n",
       "OPTIONS#6 form3 http|b|* 1.1 framing0:0 keep-alive Host=[b] "},
      {"OPTIONS with a path, absolute", "OPTIONS http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
       "OPTIONS#6 form1 http|b|/ 1.1 framing0:0 keep-alive Host=[b] "},
      {"authority-form", "CONNECT B:80 HTTP/1.1\r\nHost: b:80\r\n\r\n",
       "CONNECT#5 form2 http|b:80|/ 1.1 framing0:0 keep-alive Host=[b:80] "},
      {"method in lower case is another method", "get / HTTP/1.1\r\nHost: a\r\n\r\n",
       "get#10 form0 http|a|/ 1.1 framing0:0 keep-alive Host=[a] "},
      {"HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", "GET#0 form0 http||/ 1.0 framing0:0 "},
      {"HTTP/1.0 keep-alive", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
       "GET#0 form0 http||/ 1.0 framing0:0 keep-alive Connection=[Keep-Alive] "},
      {"HTTP/1.0 keep-alive and close", "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n",
       "GET#0 form0 http||/ 1.0 framing0:0 Connection=[keep-alive, close] "},
      {"close", "GET / HTTP/1.1\r\nHost: a\r\nConnection: CLOSE\r\n\r\n",
       "GET#0 form0 http|a|/ 1.1 framing0:0 Host=[a] Connection=[CLOSE] "},
      {"close on the second line", "GET / HTTP/1.1\r\nHost: a\r\nConnection: x\r\nConnection: y ,close\r\n\r\n",
       "GET#0 form0 http|a|/ 1.1 framing0:0 Host=[a] Connection=[x] Connection=[y ,close] "},
      {"Proxy-Connection does not count", "GET / HTTP/1.1\r\nHost: a\r\nProxy-Connection: close\r\n\r\n",
       "GET#0 form0 http|a|/ 1.1 framing0:0 keep-alive Host=[a] Proxy-Connection=[close] "},
      {"length", "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 007\r\n\r\n",
       "PUT#3 form0 http|a|/ 1.1 framing1:7 keep-alive Host=[a] Content-Length=[007] "},
      {"chunked", "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED\r\n\r\n",
       "PUT#3 form0 http|a|/ 1.1 framing2:0 keep-alive Host=[a] Transfer-Encoding=[CHUNKED] "},
      {"expectation", "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n\r\n",
       "PUT#3 form0 http|a|/ 1.1 framing0:0 keep-alive expect-continue Host=[a] Expect=[100-Continue] "},
      {"expectation in HTTP/1.0", "PUT / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n",
       "PUT#3 form0 http||/ 1.0 framing0:0 Expect=[100-continue] "},
      {"another expectation", "PUT / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n",
       "PUT#3 form0 http|a|/ 1.1 framing0:0 keep-alive Host=[a] Expect=[tea] "},
      {"upgrade", "GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Upgrade\r\nUpgrade: websocket\r\n\r\n",
       "GET#0 form0 http|a|/ 1.1 framing0:0 keep-alive wants-upgrade Host=[a] Connection=[x, Upgrade] "
       "Upgrade=[websocket] "},
      {"upgrade not named by Connection", "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n",
       "GET#0 form0 http|a|/ 1.1 framing0:0 keep-alive Host=[a] Upgrade=[websocket] "},
      {"Connection names an Upgrade that is absent", "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n\r\n",
       "GET#0 form0 http|a|/ 1.1 framing0:0 keep-alive Host=[a] Connection=[upgrade] "},
      {"upgrade to h2c", "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket, H2C\r\n\r\n",
       "GET#0 form0 http|a|/ 1.1 framing0:0 keep-alive Host=[a] Connection=[upgrade] Upgrade=[websocket, H2C] "},
      {"upgrade in HTTP/1.0", "GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
       "GET#0 form0 http||/ 1.0 framing0:0 Connection=[upgrade] Upgrade=[websocket] "},
  };
  for (const HeadRow& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const std::string want = std::to_string(row.bytes.size()) + ": " + row.want;
      BOOST_TEST(feed_request(row.bytes, row.bytes.size(), 0).text == want);
    }
  }
}

BOOST_AUTO_TEST_CASE(scheme_of_the_listener) {
  RequestParser parser{HeadLimits{}};
  RequestHead head;
  BOOST_REQUIRE(parser.parse("GET / HTTP/1.1\r\nHost: a:443\r\n\r\n", head, "https"));
  BOOST_TEST(head.scheme == "https");
  BOOST_TEST(head.authority == "a");
}

BOOST_AUTO_TEST_CASE(one_parser_reads_a_pipeline) {
  const std::string first = "GET /1 HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n";
  const std::string both = first + "\r\nGET /2 HTTP/1.0\r\n\r\n";
  RequestParser parser{HeadLimits{}};
  RequestHead head;
  const auto one = parser.parse(both, head);
  BOOST_REQUIRE(one.value_or(0) == first.size());
  BOOST_TEST(head.path == "/1");
  BOOST_TEST(!parser.has_begun());
  const std::string rest = both.substr(*one);
  BOOST_TEST(parser.parse(rest.substr(0, 9), head).value_or(99) == 0U);
  BOOST_TEST(parser.has_begun());
  BOOST_TEST(parser.parse(rest, head).value_or(0) == rest.size());
  BOOST_TEST(describe(head) == "GET#0 form0 http||/2 1.0 framing0:0 ");
  BOOST_TEST(!parser.has_begun());
}

BOOST_AUTO_TEST_CASE(an_empty_line_is_not_the_beginning_of_a_request) {
  RequestParser parser{HeadLimits{}};
  RequestHead head;
  for (const std::string_view nothing : {"", "\r", "\r\n"}) {
    BOOST_TEST(parser.parse(nothing, head).value_or(99) == 0U);
    BOOST_TEST(!parser.has_begun());
  }
  BOOST_TEST(parser.parse("\r\nG", head).value_or(99) == 0U);
  BOOST_TEST(parser.has_begun());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::http
