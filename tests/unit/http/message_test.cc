#include "http/message.h"

#include <boost/test/unit_test.hpp>

#include "unit/http/feed.h"

namespace seawall::http {
namespace {

BOOST_AUTO_TEST_SUITE(message)

BOOST_AUTO_TEST_CASE(cleared_heads_are_as_new) {
  RequestHead request;
  RequestParser parser{HeadLimits{}};
  BOOST_REQUIRE(
      parser.parse("PUT http://b/c HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close, upgrade\r\n"
                   "Upgrade: x\r\nExpect: 100-continue\r\n\r\n",
                   request));
  BOOST_TEST(describe(request) != describe(RequestHead{}));
  request.clear();
  BOOST_TEST(describe(request) == describe(RequestHead{}));

  ResponseHead response;
  ResponseParser responses{HeadLimits{}};
  BOOST_REQUIRE(responses.parse("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n", Method::kGet, response));
  BOOST_TEST(describe(response) != describe(ResponseHead{}));
  response.clear();
  BOOST_TEST(describe(response) == describe(ResponseHead{}));
}

BOOST_AUTO_TEST_CASE(reason_phrases) {
  BOOST_TEST(reason_phrase(200) == "OK");
  BOOST_TEST(reason_phrase(404) == "Not Found");
  BOOST_TEST(reason_phrase(431) == "Request Header Fields Too Large");
  BOOST_TEST(reason_phrase(505) == "HTTP Version Not Supported");
  for (const int status : {0, 199, 299, 306, 418, 600, 999}) {
    BOOST_TEST(reason_phrase(static_cast<std::uint16_t>(status)) == "", status);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::http
