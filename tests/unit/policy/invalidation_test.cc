// Keys, and which of them an unsafe request invalidates (RFC 9111 section 4.4).
#include "policy/invalidation.h"

#include <boost/test/unit_test.hpp>

#include "policy/key.h"
#include "unit/policy/support.h"

namespace seawall::policy {
namespace {

BOOST_AUTO_TEST_SUITE(policy_invalidation)

const std::string kTarget = "http://example.com/dir/page?q=1";

BOOST_AUTO_TEST_CASE(exchanges) {
  struct Row {
    const char* name;
    const char* method = "POST";
    std::uint16_t status = 200;
    Headers response{};
    std::vector<std::string> want{};
  };
  const std::vector<Row> rows = {
      {.name = "POST", .want = {kTarget}},
      {.name = "PUT", .method = "PUT", .want = {kTarget}},
      {.name = "DELETE", .method = "DELETE", .status = 204, .want = {kTarget}},
      {.name = "PATCH", .method = "PATCH", .want = {kTarget}},
      {.name = "unknown methods are unsafe", .method = "M-SEARCH", .want = {kTarget}},
      {.name = "redirects succeed", .status = 303, .want = {kTarget}},
      {.name = "GET", .method = "GET"},
      {.name = "HEAD", .method = "HEAD"},
      {.name = "OPTIONS", .method = "OPTIONS"},
      {.name = "TRACE", .method = "TRACE"},
      {.name = "client error", .status = 404},
      {.name = "server error", .status = 500},
      {.name = "interim", .status = 100},
      {.name = "Location",
       .status = 201,
       .response = {{"Location", "/new"}},
       .want = {kTarget, "http://example.com/new"}},
      {.name = "Content-Location",
       .response = {{"Content-Location", "/new"}},
       .want = {kTarget, "http://example.com/new"}},
      {.name = "both",
       .response = {{"Location", "/a"}, {"Content-Location", "/b"}},
       .want = {kTarget, "http://example.com/a", "http://example.com/b"}},
      {.name = "both the same",
       .response = {{"Location", "/a"}, {"Content-Location", "/a"}},
       .want = {kTarget, "http://example.com/a"}},
      {.name = "the target itself", .response = {{"Location", "/dir/page?q=1"}}, .want = {kTarget}},
      {.name = "relative", .response = {{"Location", "other"}}, .want = {kTarget, "http://example.com/dir/other"}},
      {.name = "dot segments", .response = {{"Location", "../x/./y"}}, .want = {kTarget, "http://example.com/x/y"}},
      {.name = "normalised",
       .response = {{"Location", "HTTP://Example.COM.:80/%7ea%2f"}},
       .want = {kTarget, "http://example.com/~a%2F"}},
      {.name = "fragment", .response = {{"Location", "/a#b"}}, .want = {kTarget, "http://example.com/a"}},
      {.name = "4.4 another host", .response = {{"Location", "http://other.com/a"}}, .want = {kTarget}},
      {.name = "4.4 another port", .response = {{"Location", "http://example.com:81/a"}}, .want = {kTarget}},
      {.name = "4.4 another scheme", .response = {{"Location", "https://example.com/a"}}, .want = {kTarget}},
      {.name = "4.4 network path", .response = {{"Location", "//other.com/a"}}, .want = {kTarget}},
      {.name = "no reference", .response = {{"Location", "http://"}}, .want = {kTarget}},
      {.name = "broken escape", .response = {{"Location", "/%zz"}}, .want = {kTarget}},
      {.name = "other schemes", .response = {{"Location", "mailto:a@example.com"}}, .want = {kTarget}},
  };
  for (const auto& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const auto keys = keys_to_invalidate(request_of({}, row.method), response_of(row.status, row.response));
      BOOST_TEST(keys == row.want, boost::test_tools::per_element());
    }
  }
}

BOOST_AUTO_TEST_CASE(the_target_is_normalised) {
  auto request = request_of({}, "POST");
  request.authority = "Example.COM.:80";
  request.path = "/a/../%7eb";
  const std::vector<std::string> want = {"http://example.com/~b"};
  BOOST_TEST(keys_to_invalidate(request, response_of(200, {})) == want, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(key_text) {
  std::string key = "x";
  append_key(key, "https", "example.com:8443", "/a?b");
  BOOST_TEST(key == "xhttps://example.com:8443/a?b");
}

BOOST_AUTO_TEST_CASE(hashes) {
  BOOST_TEST(hash_key("a") == hash_key(std::string("a")));
  BOOST_TEST(hash_key("a") != hash_key("b"));
  BOOST_TEST(hash_key("") != hash_key("a"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::policy
