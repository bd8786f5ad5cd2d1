#include <boost/test/unit_test.hpp>

#include "unit/http/feed.h"
#include "unit/http/vectors.h"

namespace seawall::http {
namespace {

BOOST_AUTO_TEST_SUITE(response_parser)

BOOST_AUTO_TEST_CASE(vectors_get_their_verdict) {
  for (const Vector& v : response_vectors()) {
    BOOST_TEST_CONTEXT(v.name) {
      const Fed fed = feed_response(v.bytes, v.bytes.size(), 0);
      if (v.error) {
        BOOST_TEST(fed.text == describe(Error{*v.error, Side::kOrigin}));
      } else {
        BOOST_TEST(!fed.error, fed.text);
        BOOST_TEST(fed.consumed > 0);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(cutting_does_not_change_the_outcome) {
  for (const Vector& v : response_vectors()) {
    BOOST_TEST_CONTEXT(v.name) {
      const std::string whole = feed_response(v.bytes, v.bytes.size(), 0).text;
      const bool is_long = v.bytes.size() > 2000;
      BOOST_TEST(feed_response(v.bytes, 1, is_long ? 37 : 1).text == whole);
      for (std::size_t cut = 1; cut < v.bytes.size(); cut += is_long ? 331 : 1) {
        const std::string text = feed_response(v.bytes, cut, 0).text;
        if (text != whole) BOOST_ERROR("cut at " << cut << ": " << text << " instead of " << whole);
      }
    }
  }
}

struct Row {
  const char* name;
  Method method = Method::kGet;
  std::string bytes;
  std::string want;
};

BOOST_AUTO_TEST_CASE(heads_are_understood) {
  const Row rows[] = {
      {.name = "length",
       .bytes = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
       .want = "200(OK) 1.1 framing1:5 has-length keep-alive Content-Length=[5] "},
      {.name = "chunked",
       .bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
       .want = "200(OK) 1.1 framing2:0 keep-alive Transfer-Encoding=[chunked] "},
      {.name = "until close", .bytes = "HTTP/1.1 200 OK\r\n\r\n", .want = "200(OK) 1.1 framing3:0 "},
      {.name = "no reason",
       .bytes = "HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n",
       .want = "404() 1.1 framing1:0 has-length keep-alive Content-Length=[0] "},
      {.name = "HTTP/1.0",
       .bytes = "HTTP/1.0 200 Very well\r\nContent-Length: 1\r\n\r\n",
       .want = "200(Very well) 1.0 framing1:1 has-length Content-Length=[1] "},
      {.name = "HTTP/1.0 keep-alive",
       .bytes = "HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\n",
       .want = "200(OK) 1.0 framing1:1 has-length keep-alive Content-Length=[1] Connection=[keep-alive] "},
      {.name = "close",
       .bytes = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\n",
       .want = "200(OK) 1.1 framing1:1 has-length Content-Length=[1] Connection=[close] "},
      {.name = "answer to HEAD",
       .method = Method::kHead,
       .bytes = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
       .want = "200(OK) 1.1 framing0:5 has-length keep-alive Content-Length=[5] "},
      {.name = "answer to HEAD, chunked",
       .method = Method::kHead,
       .bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
       .want = "200(OK) 1.1 framing0:0 keep-alive Transfer-Encoding=[chunked] "},
      {.name = "answer to HEAD without length",
       .method = Method::kHead,
       .bytes = "HTTP/1.1 200 OK\r\n\r\n",
       .want = "200(OK) 1.1 framing0:0 keep-alive "},
      {.name = "304",
       .bytes = "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
       .want = "304(Not Modified) 1.1 framing0:5 has-length keep-alive Content-Length=[5] "},
      {.name = "204", .bytes = "HTTP/1.1 204 No Content\r\n\r\n", .want = "204(No Content) 1.1 framing0:0 keep-alive "},
      {.name = "204 with a length may have a body: not used again",
       .bytes = "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
       .want = "204(No Content) 1.1 framing0:0 Content-Length=[5] "},
      {.name = "103",
       .bytes = "HTTP/1.1 103 Early Hints\r\n\r\n",
       .want = "103(Early Hints) 1.1 framing0:0 keep-alive "},
      {.name = "CONNECT accepted",
       .method = Method::kConnect,
       .bytes = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
       .want = "200(OK) 1.1 framing0:0 keep-alive Content-Length=[5] "},
      {.name = "CONNECT refused",
       .method = Method::kConnect,
       .bytes = "HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\n",
       .want = "403(Forbidden) 1.1 framing1:5 has-length keep-alive Content-Length=[5] "},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const std::string want = std::to_string(row.bytes.size()) + ": " + row.want;
      BOOST_TEST(feed_response(row.bytes, row.bytes.size(), 0, row.method).text == want);
    }
  }
}

BOOST_AUTO_TEST_CASE(garbage_is_refused_at_its_first_byte) {
  for (const std::string_view text : {"h", "<", "\n", "HX", "HTTP/1.1x", "HTTP/1.1 2x"}) {
    BOOST_TEST_CONTEXT(text) {
      BOOST_TEST(feed_response(text, text.size(), 0).text ==
                 describe(Error{ErrorCode::kMalformedStartLine, Side::kOrigin}));
    }
  }
}

BOOST_AUTO_TEST_CASE(informational_then_final) {
  const std::string both = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  ResponseParser parser{HeadLimits{}};
  ResponseHead head;
  const auto first = parser.parse(both, Method::kGet, head);
  BOOST_REQUIRE(first.value_or(0) == 25U);
  BOOST_TEST(head.status == 100);
  BOOST_TEST(parser.parse(std::string_view(both).substr(*first), Method::kGet, head).value_or(0) == both.size() - 25);
  BOOST_TEST(head.status == 200);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::http
