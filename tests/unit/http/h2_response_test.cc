// Fields of HTTP/2 responses: what comes out, and what is refused because a second parser could read it otherwise.
#include "http/h2_response.h"

#include <boost/test/unit_test.hpp>
#include <string>
#include <utility>
#include <vector>

namespace seawall::http {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

struct Read {
  ResponseHead head;
  std::optional<ErrorCode> error;
};

Read read(const Fields& fields, bool ends_stream = false, Method method = Method::kGet, const HeadLimits& limits = {}) {
  H2ResponseReader reader(limits);
  Read out;
  reader.begin(out.head);
  for (const auto& [name, value] : fields) reader.add(name, value, out.head);
  const Result<void> result = reader.finish(ends_stream, method, out.head);
  if (!result) {
    BOOST_TEST((result.error().side == Side::kOrigin));
    BOOST_TEST((result.error().retry == Retry::kNo));
    out.error = result.error().code;
  }
  return out;
}

BOOST_AUTO_TEST_SUITE(http_h2_response)

BOOST_AUTO_TEST_CASE(head_of_an_answer) {
  const Read got = read({{":status", "200"}, {"content-type", "text/plain"}, {"x-empty", ""}, {"content-length", "5"}});
  BOOST_REQUIRE(!got.error);
  BOOST_TEST(got.head.status == 200);
  BOOST_TEST(got.head.reason == "OK");
  BOOST_TEST((got.head.version == Version::kHttp2));
  BOOST_TEST((got.head.framing == BodyFraming::kLength));
  BOOST_TEST(got.head.content_length == 5U);
  BOOST_TEST(got.head.has_content_length);
  BOOST_TEST(got.head.keep_alive);
  BOOST_TEST(got.head.headers.size() == 3U);
  BOOST_TEST(got.head.headers.find(Field::kContentType).value_or("") == "text/plain");
}

BOOST_AUTO_TEST_CASE(framing) {
  struct Row {
    const char* name;
    Fields fields;
    bool ends_stream;
    Method method = Method::kGet;
    BodyFraming framing = BodyFraming::kNone;
    std::optional<std::uint64_t> length = std::nullopt;
    std::optional<ErrorCode> error = std::nullopt;
  };
  const Row rows[] = {
      {.name = "no length", .fields = {{":status", "200"}}, .ends_stream = false, .framing = BodyFraming::kUntilClose},
      {.name = "nothing", .fields = {{":status", "200"}}, .ends_stream = true},
      {.name = "length of nothing",
       .fields = {{":status", "200"}, {"content-length", "0"}},
       .ends_stream = true,
       .length = 0},
      {.name = "length without a body",
       .fields = {{":status", "200"}, {"content-length", "5"}},
       .ends_stream = true,
       .error = ErrorCode::kIncompleteBody},
      {.name = "HEAD",
       .fields = {{":status", "200"}, {"content-length", "5"}},
       .ends_stream = true,
       .method = Method::kHead,
       .length = 5},
      {.name = "HEAD, to be ended by an empty frame",
       .fields = {{":status", "200"}},
       .ends_stream = false,
       .method = Method::kHead},
      {.name = "304", .fields = {{":status", "304"}, {"content-length", "5"}}, .ends_stream = true, .length = 5},
      {.name = "204", .fields = {{":status", "204"}, {"content-length", "5"}}, .ends_stream = true},
      {.name = "103", .fields = {{":status", "103"}}, .ends_stream = false},
      {.name = "103 at the end",
       .fields = {{":status", "103"}},
       .ends_stream = true,
       .error = ErrorCode::kIncompleteBody},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const Read got = read(row.fields, row.ends_stream, row.method);
      BOOST_TEST((got.error == row.error));
      if (got.error) continue;
      BOOST_TEST((got.head.framing == row.framing));
      BOOST_TEST(got.head.has_content_length == row.length.has_value());
      BOOST_TEST(got.head.content_length == row.length.value_or(0));
    }
  }
}

BOOST_AUTO_TEST_CASE(what_is_refused) {
  struct Row {
    const char* name;
    Fields fields;
    ErrorCode error;
  };
  const Row rows[] = {
      {"no status", {{"server", "x"}}, ErrorCode::kMalformedStartLine},
      {"nothing at all", {}, ErrorCode::kMalformedStartLine},
      {"status twice", {{":status", "200"}, {":status", "200"}}, ErrorCode::kMalformedStartLine},
      {"status too late", {{"server", "x"}, {":status", "200"}}, ErrorCode::kMalformedStartLine},
      {"two digits", {{":status", "20"}}, ErrorCode::kMalformedStartLine},
      {"four digits", {{":status", "2000"}}, ErrorCode::kMalformedStartLine},
      {"no digits", {{":status", "2x0"}}, ErrorCode::kMalformedStartLine},
      {"leading zero", {{":status", "099"}}, ErrorCode::kMalformedStartLine},
      {"a reason", {{":status", "200 OK"}}, ErrorCode::kMalformedStartLine},
      {"another pseudo-header field", {{":status", "200"}, {":path", "/"}}, ErrorCode::kMalformedStartLine},
      {"101", {{":status", "101"}}, ErrorCode::kUnexpectedStatus},
      {"upper case", {{":status", "200"}, {"Server", "x"}}, ErrorCode::kMalformedHeader},
      {"name with a space", {{":status", "200"}, {"a b", "x"}}, ErrorCode::kMalformedHeader},
      {"name with a colon", {{":status", "200"}, {"a:b", "x"}}, ErrorCode::kMalformedHeader},
      {"empty name", {{":status", "200"}, {"", "x"}}, ErrorCode::kMalformedHeader},
      {"line break", {{":status", "200"}, {"a", "x\r\nset-cookie: y"}}, ErrorCode::kMalformedHeader},
      {"NUL", {{":status", "200"}, {"a", std::string("x\0y", 3)}}, ErrorCode::kMalformedHeader},
      {"space before", {{":status", "200"}, {"a", " x"}}, ErrorCode::kMalformedHeader},
      {"space behind", {{":status", "200"}, {"a", "x "}}, ErrorCode::kMalformedHeader},
      {"connection", {{":status", "200"}, {"connection", "close"}}, ErrorCode::kMalformedHeader},
      {"keep-alive", {{":status", "200"}, {"keep-alive", "timeout=5"}}, ErrorCode::kMalformedHeader},
      {"upgrade", {{":status", "200"}, {"upgrade", "h2c"}}, ErrorCode::kMalformedHeader},
      {"chunked", {{":status", "200"}, {"transfer-encoding", "chunked"}}, ErrorCode::kBadTransferEncoding},
      {"length in words", {{":status", "200"}, {"content-length", "five"}}, ErrorCode::kBadContentLength},
      {"signed length", {{":status", "200"}, {"content-length", "+5"}}, ErrorCode::kBadContentLength},
      {"length twice",
       {{":status", "200"}, {"content-length", "5"}, {"content-length", "5"}},
       ErrorCode::kBadContentLength},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const Read got = read(row.fields);
      BOOST_REQUIRE(got.error.has_value());
      BOOST_TEST(to_string(*got.error) == to_string(row.error));
    }
  }
}

BOOST_AUTO_TEST_CASE(limits) {
  const HeadLimits limits{.target_bytes = 100, .header_bytes = 300, .header_count = 3};
  Fields fields = {{":status", "200"}, {"a", "1"}, {"b", "2"}, {"c", "3"}};
  BOOST_TEST(!read(fields, true, Method::kGet, limits).error.has_value());
  fields.emplace_back("d", "4");
  BOOST_TEST((read(fields, true, Method::kGet, limits).error == ErrorCode::kHeadersTooLarge));
  BOOST_TEST((read({{":status", "200"}, {"a", std::string(300, 'x')}}, true, Method::kGet, limits).error ==
              ErrorCode::kHeadersTooLarge));
}

// Of a section that is refused nothing stays for the next.
BOOST_AUTO_TEST_CASE(reuse) {
  H2ResponseReader reader({});
  ResponseHead head;
  reader.begin(head);
  reader.add("connection", "close", head);
  BOOST_TEST(!reader.finish(true, Method::kGet, head).has_value());
  reader.begin(head);
  reader.add(":status", "200", head);
  BOOST_TEST(reader.finish(true, Method::kGet, head).has_value());
  BOOST_TEST(head.headers.empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::http
