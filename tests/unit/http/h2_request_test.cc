// Fields of HTTP/2 requests: what comes out, and what is refused because a second parser could read it otherwise.
#include "http/h2_request.h"

#include <boost/test/unit_test.hpp>
#include <string>
#include <utility>
#include <vector>

namespace seawall::http {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

struct Read {
  RequestHead head;
  std::optional<ErrorCode> error;
  bool is_extended_connect = false;
};

Read read(const Fields& fields, bool ends_stream = true, std::string_view scheme = "https",
          const HeadLimits& limits = {}) {
  H2RequestReader reader(limits);
  Read out;
  reader.begin(out.head);
  for (const auto& [name, value] : fields) reader.add(name, value, out.head);
  const Result<void> result = reader.finish(ends_stream, scheme, out.head);
  if (!result) {
    BOOST_TEST((result.error().side == Side::kClient));
    out.error = result.error().code;
  }
  out.is_extended_connect = reader.is_extended_connect();
  return out;
}

// A GET with these fields after the pseudo-header fields.
Fields get(const Fields& more = {}) {
  Fields fields = {{":method", "GET"}, {":scheme", "https"}, {":authority", "Shop.Example:443"}, {":path", "/a?b=c"}};
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

std::string lines_of(const HeaderMap& headers) {
  std::string out;
  for (const auto field : headers) {
    out += field.name;
    out += '=';
    out += field.value;
    out += '|';
  }
  return out;
}

BOOST_AUTO_TEST_SUITE(http_h2_request)

BOOST_AUTO_TEST_CASE(head_of_a_get) {
  const Read got = read(get({{"accept", "*/*"}, {"x-empty", ""}, {"te", "trailers"}}));
  BOOST_REQUIRE(!got.error);
  BOOST_TEST((got.head.method == Method::kGet));
  BOOST_TEST(got.head.method_name == "GET");
  BOOST_TEST((got.head.version == Version::kHttp2));
  BOOST_TEST((got.head.target_form == TargetForm::kOrigin));
  BOOST_TEST(got.head.scheme == "https");
  BOOST_TEST(got.head.authority == "shop.example");
  BOOST_TEST(got.head.path == "/a?b=c");
  BOOST_TEST((got.head.framing == BodyFraming::kNone));
  BOOST_TEST(got.head.keep_alive);
  BOOST_TEST(!got.head.wants_upgrade);
  BOOST_TEST(lines_of(got.head.headers) == "accept=*/*|x-empty=|te=trailers|host=shop.example|");
}

BOOST_AUTO_TEST_CASE(framing) {
  struct Row {
    const char* name;
    Fields fields;
    bool ends_stream;
    BodyFraming framing = BodyFraming::kNone;
    std::uint64_t length = 0;
    std::optional<ErrorCode> error = std::nullopt;
  };
  const Row rows[] = {
      {"no body", {}, true},
      {"empty body, said", {{"content-length", "0"}}, true, BodyFraming::kLength},
      {"length", {{"content-length", "5"}}, false, BodyFraming::kLength, 5},
      {"length unknown", {}, false, BodyFraming::kChunked},
      {"no body, length says one", {{"content-length", "5"}}, true, {}, 0, ErrorCode::kBadContentLength},
      {"two lengths", {{"content-length", "5"}, {"content-length", "5"}}, false, {}, 0, ErrorCode::kBadContentLength},
      {"list of lengths", {{"content-length", "5, 5"}}, false, {}, 0, ErrorCode::kBadContentLength},
      {"sign", {{"content-length", "+5"}}, false, {}, 0, ErrorCode::kBadContentLength},
      {"hexadecimal", {{"content-length", "0x5"}}, false, {}, 0, ErrorCode::kBadContentLength},
      {"empty length", {{"content-length", ""}}, false, {}, 0, ErrorCode::kBadContentLength},
      {"2^63", {{"content-length", "9223372036854775808"}}, false, {}, 0, ErrorCode::kBadContentLength},
      {"2^64 and a bit", {{"content-length", "18446744073709551621"}}, false, {}, 0, ErrorCode::kBadContentLength},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const Read got = read(get(row.fields), row.ends_stream);
      BOOST_TEST((got.error == row.error));
      if (row.error) continue;
      BOOST_TEST((got.head.framing == row.framing));
      BOOST_TEST(got.head.content_length == row.length);
    }
  }
}

BOOST_AUTO_TEST_CASE(attacks_in_fields) {
  struct Row {
    const char* name;
    std::pair<std::string, std::string> field;
    ErrorCode error = ErrorCode::kMalformedHeader;
  };
  const Row rows[] = {
      {"H2.TE", {"transfer-encoding", "chunked"}, ErrorCode::kBadTransferEncoding},
      {"H2.TE, disguised", {"transfer-encoding", "identity"}, ErrorCode::kBadTransferEncoding},
      {"TE in the value of another", {"x", "a\r\nTransfer-Encoding: chunked"}},
      {"TE in a name", {"x: a\r\ntransfer-encoding", "chunked"}},
      {"request split in a value", {"x", "a\r\n\r\nGET /admin HTTP/1.1\r\nHost: b"}},
      {"request split in a name", {"x: a\r\n\r\nget /admin http/1.1\r\nhost", "b"}},
      {"bare CR", {"x", "a\rb"}},
      {"bare LF", {"x", "a\nb"}},
      {"NUL", {"x", std::string("a\0b", 3)}},
      {"control", {"x", "a\x01z"}},
      {"DEL", {"x", "a\x7fz"}},
      {"leading space", {"x", " a"}},
      {"trailing tab", {"x", "a\t"}},
      {"only a space", {"x", " "}},
      {"upper case", {"X-Upper", "a"}},
      {"colon in a name", {"x:y", "a"}},
      {"space in a name", {"x y", "a"}},
      {"trailing space in a name", {"transfer-encoding ", "chunked"}},
      {"obs-text in a name", {"x\xe9", "a"}},
      {"empty name", {"", "a"}},
      {"connection", {"connection", "close"}, ErrorCode::kBadHttp2},
      {"connection names a field", {"connection", "host"}, ErrorCode::kBadHttp2},
      {"keep-alive", {"keep-alive", "timeout=5"}, ErrorCode::kBadHttp2},
      {"proxy-connection", {"proxy-connection", "keep-alive"}, ErrorCode::kBadHttp2},
      {"upgrade", {"upgrade", "websocket"}, ErrorCode::kBadHttp2},
      {"te beyond trailers", {"te", "trailers, chunked"}, ErrorCode::kBadHttp2},
      {"another host", {"host", "evil.example"}, ErrorCode::kBadHost},
      {"malformed host", {"host", "shop.example/x"}, ErrorCode::kBadHost},
      {"pseudo after regular", {":path", "/other"}, ErrorCode::kBadHttp2},
      {"unknown pseudo", {":status", "200"}, ErrorCode::kBadHttp2},
      {"protocol without CONNECT", {":protocol", "websocket"}, ErrorCode::kBadHttp2},
      {"empty pseudo", {":", "a"}, ErrorCode::kBadHttp2},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const Read got = read(get({{"accept", "*/*"}, row.field}));
      BOOST_REQUIRE(got.error.has_value());
      BOOST_TEST((*got.error == row.error));
    }
  }
  // What looks odd and means nothing to anybody passes.
  BOOST_TEST(!read(get({{"x", "caf\xe9"}})).error);
  BOOST_TEST(!read(get({{"x", "a\tb"}})).error);
  BOOST_TEST(!read(get({{"te", "Trailers"}})).error);
}

BOOST_AUTO_TEST_CASE(pseudo_header_fields) {
  struct Row {
    const char* name;
    Fields fields;
    std::optional<ErrorCode> error;
  };
  const std::pair<std::string, std::string> method = {":method", "GET"};
  const std::pair<std::string, std::string> scheme = {":scheme", "https"};
  const std::pair<std::string, std::string> authority = {":authority", "a"};
  const std::pair<std::string, std::string> path = {":path", "/"};
  const Row rows[] = {
      {"all", {path, authority, scheme, method}, std::nullopt},
      {"no method", {scheme, authority, path}, ErrorCode::kBadHttp2},
      {"no scheme", {method, authority, path}, ErrorCode::kBadHttp2},
      {"no path", {method, scheme, authority}, ErrorCode::kMalformedTarget},
      {"no authority", {method, scheme, path}, ErrorCode::kBadHost},
      {"host instead", {method, scheme, path, {"host", "A."}}, std::nullopt},
      {"host that says the same", {method, scheme, {":authority", "A"}, path, {"host", "a:443"}}, std::nullopt},
      {"two hosts", {method, scheme, authority, path, {"host", "a"}, {"host", "a"}}, ErrorCode::kBadHost},
      {"two methods", {method, method, scheme, authority, path}, ErrorCode::kBadHttp2},
      {"two schemes", {method, scheme, scheme, authority, path}, ErrorCode::kBadHttp2},
      {"two paths", {method, scheme, authority, path, path}, ErrorCode::kBadHttp2},
      {"two authorities", {method, scheme, authority, authority, path}, ErrorCode::kBadHttp2},
      {"the other scheme", {method, {":scheme", "http"}, authority, path}, std::nullopt},
      {"a scheme that is not ours", {method, {":scheme", "ftp"}, authority, path}, ErrorCode::kBadHttp2},
      {"scheme in capitals", {method, {":scheme", "HTTPS"}, authority, path}, ErrorCode::kBadHttp2},
      {"scheme as a prefix", {method, {":scheme", "https://x/?"}, authority, path}, ErrorCode::kBadHttp2},
      {"empty method", {{":method", ""}, scheme, authority, path}, ErrorCode::kMalformedStartLine},
      {"request line in the method",
       {{":method", "GET /admin HTTP/1.1\r\nx:"}, scheme, authority, path},
       ErrorCode::kMalformedStartLine},
      {"endless method", {{":method", std::string(65, 'A')}, scheme, authority, path}, ErrorCode::kMalformedStartLine},
      {"userinfo", {method, scheme, {":authority", "u@a"}, path}, ErrorCode::kBadHost},
      {"path in the authority", {method, scheme, {":authority", "a/b"}, path}, ErrorCode::kBadHost},
      {"line in the authority", {method, scheme, {":authority", "a\r\nx: y"}, path}, ErrorCode::kBadHost},
      {"empty authority", {method, scheme, {":authority", ""}, path}, ErrorCode::kBadHost},
      {"port too large", {method, scheme, {":authority", "a:65536"}, path}, ErrorCode::kBadHost},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const Read got = read(row.fields);
      BOOST_TEST((got.error == row.error));
      if (!row.error) BOOST_TEST(got.head.authority == "a");
      if (!row.error) BOOST_TEST(got.head.headers.count(Field::kHost) == 1U);
    }
  }
}

BOOST_AUTO_TEST_CASE(targets) {
  struct Row {
    const char* name;
    std::string path;
    std::string method = "GET";
    std::optional<ErrorCode> error = ErrorCode::kMalformedTarget;
  };
  const Row rows[] = {
      {"query", "/?a", "GET", std::nullopt},
      {"two slashes", "//evil.example/x", "GET", std::nullopt},
      {"asterisk", "*", "OPTIONS", std::nullopt},
      {"asterisk of another method", "*"},
      {"empty", ""},
      {"relative", "a/b"},
      {"absolute", "https://evil.example/"},
      {"fragment", "/a#b"},
      {"space", "/a b"},
      {"request line", "/a HTTP/1.1\r\nhost: b\r\n\r\nget /admin"},
      {"tab", "/a\tb"},
      {"NUL", std::string("/a\0b", 4)},
      {"obs-text", "/caf\xe9"},
      {"longest", "/" + std::string(8191, 'a'), "GET", std::nullopt},
      {"too long", "/" + std::string(8192, 'a'), "GET", ErrorCode::kTargetTooLong},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const Read got = read({{":method", row.method}, {":scheme", "https"}, {":authority", "a"}, {":path", row.path}});
      BOOST_TEST((got.error == row.error));
      if (row.error) continue;
      BOOST_TEST(got.head.path == row.path);
      BOOST_TEST((got.head.target_form == (row.path == "*" ? TargetForm::kAsterisk : TargetForm::kOrigin)));
    }
  }
}

BOOST_AUTO_TEST_CASE(cookie_crumbs_become_one_field) {
  const Read got = read(get({{"cookie", "a=b"}, {"accept", "*/*"}, {"cookie", "c=d"}, {"cookie", "e=f"}}));
  BOOST_REQUIRE(!got.error);
  BOOST_TEST(got.head.headers.count(Field::kCookie) == 1U);
  BOOST_TEST(got.head.headers.find(Field::kCookie).value_or("") == "a=b; c=d; e=f");
  const Read empty = read(get({{"cookie", ""}, {"cookie", "a=b"}, {"cookie", ""}}));
  BOOST_TEST(empty.head.headers.find(Field::kCookie).value_or("") == "a=b");
}

BOOST_AUTO_TEST_CASE(limits) {
  const HeadLimits tight{.target_bytes = 20, .header_bytes = 400, .header_count = 3};
  BOOST_TEST(!read(get({{"a", ""}, {"b", ""}, {"c", ""}}), true, "https", tight).error);
  BOOST_TEST((read(get({{"a", ""}, {"b", ""}, {"c", ""}, {"d", ""}}), true, "https", tight).error ==
              ErrorCode::kHeadersTooLarge));
  BOOST_TEST((read(get({{"a", std::string(400, 'x')}}), true, "https", tight).error == ErrorCode::kHeadersTooLarge));
  // Crumbs are no fields of their own, but each has its weight.
  Fields crumbs;
  for (int i = 0; i < 4; ++i) crumbs.emplace_back("cookie", "a");
  BOOST_TEST(!read(get(crumbs), true, "https", tight).error);
  for (int i = 0; i < 4; ++i) crumbs.emplace_back("cookie", "a");
  BOOST_TEST((read(get(crumbs), true, "https", tight).error == ErrorCode::kHeadersTooLarge));
  BOOST_TEST((read({{":method", "GET"}, {":path", std::string(21, '/')}}, true, "https", tight).error ==
              ErrorCode::kTargetTooLong));
  BOOST_TEST(
      (read({{":authority", std::string(401, 'a')}}, true, "https", tight).error == ErrorCode::kHeadersTooLarge));
}

BOOST_AUTO_TEST_CASE(list_bytes_go_on_after_a_fault) {
  H2RequestReader reader(HeadLimits{});
  RequestHead head;
  reader.begin(head);
  reader.add("X", "", head);
  BOOST_TEST(reader.list_bytes() == 33U);
  for (int i = 0; i < 10; ++i) reader.add("a", "b", head);
  BOOST_TEST(reader.list_bytes() == 33U + 340U);
  BOOST_TEST(head.headers.empty());
  reader.begin(head);
  BOOST_TEST(reader.list_bytes() == 0U);
}

BOOST_AUTO_TEST_CASE(connect) {
  const std::pair<std::string, std::string> method = {":method", "CONNECT"};
  const Read plain = read({method, {":authority", "A.example:443"}}, false);
  BOOST_REQUIRE(!plain.error);
  BOOST_TEST((plain.head.method == Method::kConnect));
  BOOST_TEST((plain.head.target_form == TargetForm::kAuthority));
  BOOST_TEST(plain.head.authority == "a.example:443");
  BOOST_TEST((plain.head.framing == BodyFraming::kNone));
  BOOST_TEST(!plain.is_extended_connect);
  BOOST_TEST((read({method}).error == ErrorCode::kBadHttp2));
  BOOST_TEST((read({method, {":authority", "a:1"}, {":path", "/"}}).error == ErrorCode::kBadHttp2));
  BOOST_TEST((read({method, {":authority", "a:1"}, {":scheme", "https"}}).error == ErrorCode::kBadHttp2));
  BOOST_TEST(
      (read({method, {":authority", "a:1"}, {"content-length", "3"}}, false).error == ErrorCode::kBadContentLength));
}

BOOST_AUTO_TEST_CASE(extended_connect) {
  const auto ask = [](const char* method, const char* protocol, const Fields& more = {}) {
    Fields fields = {
        {":method", method}, {":protocol", protocol}, {":scheme", "https"}, {":authority", "a"}, {":path", "/chat"}};
    fields.insert(fields.end(), more.begin(), more.end());
    return read(fields, false);
  };
  const Read got = ask("CONNECT", "websocket", {{"sec-websocket-version", "13"}});
  BOOST_REQUIRE(!got.error);
  BOOST_TEST(got.is_extended_connect);
  BOOST_TEST((got.head.method == Method::kGet));
  BOOST_TEST(got.head.method_name == "GET");
  BOOST_TEST(got.head.wants_upgrade);
  BOOST_TEST(got.head.path == "/chat");
  BOOST_TEST((got.head.framing == BodyFraming::kNone));
  BOOST_TEST(got.head.headers.find(Field::kUpgrade).value_or("") == "websocket");
  BOOST_TEST((ask("CONNECT", "connect-udp").error == ErrorCode::kUnsupportedProtocol));
  BOOST_TEST((ask("CONNECT", "websocket\r\nx: y").error == ErrorCode::kBadHttp2));
  BOOST_TEST((ask("POST", "websocket").error == ErrorCode::kBadHttp2));
  BOOST_TEST((ask("CONNECT", "websocket", {{"content-length", "3"}}).error == ErrorCode::kBadContentLength));
}

BOOST_AUTO_TEST_CASE(expectation) {
  const Read got = read(get({{"expect", "100-Continue"}, {"content-length", "3"}}), false);
  BOOST_REQUIRE(!got.error);
  BOOST_TEST(got.head.expect_continue);
  BOOST_TEST(!read(get({{"expect", "a miracle"}}), false).head.expect_continue);
}

BOOST_AUTO_TEST_CASE(a_reader_is_used_again) {
  H2RequestReader reader(HeadLimits{});
  RequestHead head;
  reader.begin(head);
  for (const auto& [name, value] : get({{"cookie", "a=b"}, {"X", ""}})) reader.add(name, value, head);
  BOOST_TEST(!reader.finish(true, "https", head));
  reader.begin(head);
  for (const auto& [name, value] : get()) reader.add(name, value, head);
  BOOST_TEST(bool(reader.finish(true, "https", head)));
  BOOST_TEST(lines_of(head.headers) == "host=shop.example|");
}

BOOST_AUTO_TEST_CASE(trailers) {
  H2TrailerReader reader;
  reader.add("x-checksum", "abc");
  reader.add("content-length", "5");
  reader.add("host", "evil.example");
  reader.add("transfer-encoding", "chunked");
  BOOST_TEST(!reader.is_malformed());
  BOOST_TEST(lines_of(reader.take()) == "x-checksum=abc|");
  BOOST_TEST(reader.take().empty());
  for (const auto& [name, value] : Fields{{":path", "/"}, {"X", "a"}, {"x", "a\r\nb"}, {"x", std::string(9000, 'a')}}) {
    reader.add(name, value);
    BOOST_TEST(reader.is_malformed());
    reader.take();
  }
  for (int i = 0; i < 65; ++i) reader.add("x", "");
  BOOST_TEST(reader.is_malformed());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::http
