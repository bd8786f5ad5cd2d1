#include "http/h1_writer.h"

#include <boost/test/unit_test.hpp>

#include "unit/http/feed.h"
#include "unit/http/vectors.h"

namespace seawall::http {
namespace {

BOOST_AUTO_TEST_SUITE(h1_writer)

BOOST_AUTO_TEST_CASE(lines) {
  std::string out;
  append_request_line(out, "GET", "/a?b");
  append_field(out, "X", "y");
  append_field(out, "Age", std::uint64_t{18446744073709551615U});
  append_end(out);
  BOOST_TEST(out == "GET /a?b HTTP/1.1\r\nX: y\r\nAge: 18446744073709551615\r\n\r\n");
  out.clear();
  append_status_line(out, 404, "");
  append_status_line(out, 404, "Gone fishing");
  append_status_line(out, 799, "");
  BOOST_TEST(out == "HTTP/1.1 404 Not Found\r\nHTTP/1.1 404 Gone fishing\r\nHTTP/1.1 799 \r\n");
}

BOOST_AUTO_TEST_CASE(chunks) {
  std::string out;
  append_chunk_size(out, 0x1f4);
  append_chunk_size(out, UINT64_MAX);
  BOOST_TEST(out == "1f4\r\nffffffffffffffff\r\n");
  HeaderMap trailers;
  out.clear();
  append_last_chunk(out, trailers);
  BOOST_TEST(out == "0\r\n\r\n");
  trailers.add("X-Sum", "1");
  out.clear();
  append_last_chunk(out, trailers);
  BOOST_TEST(out == "0\r\nX-Sum: 1\r\n\r\n");
}

// What was accepted and written anew is read again as the same.
BOOST_AUTO_TEST_CASE(written_heads_are_read_back) {
  for (const Vector& v : request_vectors()) {
    RequestHead head;
    RequestParser parser{HeadLimits{}};
    const auto size = parser.parse(v.bytes, head);
    if (!size || *size == 0 || head.method == Method::kConnect) continue;
    BOOST_TEST_CONTEXT(v.name) {
      // As seawall sends it: always origin- or asterisk-form, always HTTP/1.1.
      head.headers.remove(Field::kTransferEncoding);
      std::string out;
      append_request_line(out, head.method_name, head.path);
      append_fields(out, head.headers);
      if (!head.headers.contains(Field::kHost)) append_field(out, "Host", "origin");
      append_end(out);
      RequestHead again;
      BOOST_TEST(RequestParser(HeadLimits{.header_bytes = 64 * 1024}).parse(out, again).value_or(0) == out.size());
      BOOST_TEST(again.path == head.path);
      BOOST_TEST(again.method_name == head.method_name);
      if (head.headers.contains(Field::kHost)) BOOST_TEST(describe(again.headers) == describe(head.headers));
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::http
