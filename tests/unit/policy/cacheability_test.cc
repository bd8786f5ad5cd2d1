// May it be stored, may those who waited have it, and which fields stay (RFC 9111 section 3).
#include "policy/cacheability.h"

#include <boost/test/unit_test.hpp>

#include "unit/policy/support.h"

namespace seawall::policy {
namespace {

struct Row {
  const char* name;
  const char* method = "GET";
  Headers request{};
  std::uint16_t status = 200;
  Headers response{};
  Why want = Why::kNone;
  bool shared = true;  // with waiters, when it may be stored
  Rules rules{};
};

void check(const std::vector<Row>& rows) {
  for (const auto& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const auto d = decide_storing(request_of(row.request, row.method), response_of(row.status, row.response),
                                    row.rules, kNow, kNow);
      BOOST_TEST(to_string(d.why) == to_string(row.want));
      BOOST_TEST(d.may_store == (row.want == Why::kNone));
      BOOST_TEST(d.may_share_with_waiters == (row.want == Why::kNone && row.shared));
    }
  }
}

const Headers kFresh = {{"Cache-Control", "max-age=60"}};

BOOST_AUTO_TEST_SUITE(policy_cacheability)

BOOST_AUTO_TEST_CASE(directives) {
  check({
      {.name = "max-age", .response = kFresh},
      {.name = "s-maxage", .response = {{"Cache-Control", "s-maxage=60"}}},
      {.name = "Expires", .response = {{"Expires", date(60)}}},
      {.name = "heuristic", .response = {{"Last-Modified", date(-1000)}}},
      {.name = "nothing", .response = {}, .want = Why::kResponseNotFresh},
      {.name = "public says nothing of freshness",
       .response = {{"Cache-Control", "public"}},
       .want = Why::kResponseNotFresh},
      {.name = "5.2.2.5 no-store",
       .response = {{"Cache-Control", "max-age=60, no-store"}},
       .want = Why::kResponseNoStore},
      {.name = "5.2.2.7 private",
       .response = {{"Cache-Control", "max-age=60, private"}},
       .want = Why::kResponsePrivate},
      {.name = "5.2.2.7 qualified private", .response = {{"Cache-Control", "max-age=60, private=\"a\""}}},
      {.name = "5.2.2.4 no-cache without validator",
       .response = {{"Cache-Control", "max-age=60, no-cache"}},
       .want = Why::kResponseNotFresh},
      {.name = "5.2.2.4 no-cache with ETag",
       .response = {{"Cache-Control", "no-cache"}, {"ETag", "\"a\""}},
       .shared = false},
      {.name = "5.2.2.4 no-cache with Last-Modified",
       .response = {{"Cache-Control", "max-age=60, no-cache"}, {"Last-Modified", date(-9)}},
       .shared = false},
      {.name = "5.2.2.4 qualified no-cache", .response = {{"Cache-Control", "max-age=60, no-cache=\"a\""}}},
      {.name = "5.2.2.3 must-understand, known status", .response = {{"Cache-Control", "max-age=60, must-understand"}}},
      {.name = "5.2.2.3 must-understand over no-store",
       .response = {{"Cache-Control", "max-age=60, must-understand, no-store"}}},
      {.name = "5.2.2.3 must-understand, unknown status",
       .status = 599,
       .response = {{"Cache-Control", "max-age=60, must-understand"}},
       .want = Why::kResponseStatus},
      {.name = "4.1 Vary: *",
       .response = {{"Cache-Control", "max-age=60"}, {"Vary", "*"}},
       .want = Why::kResponseVaryStar},
      {.name = "4.1 Vary with names", .response = {{"Cache-Control", "max-age=60"}, {"Vary", "a, b"}}},
      {.name = "Content-Disposition does not matter",
       .response = {{"Cache-Control", "max-age=60"}, {"Content-Disposition", "attachment"}}},
      {.name = "RFC 9213 targeted max-age over no-store",
       .response = {{"Cache-Control", "no-store"}, {"Surrogate-Control", "max-age=60;seawall"}}},
      {.name = "RFC 9213 targeted max-age over private",
       .response = {{"Cache-Control", "private"}, {"CDN-Cache-Control", "max-age=60"}}},
      {.name = "RFC 9213 targeted no-store over max-age",
       .response = {{"Cache-Control", "max-age=60"}, {"Surrogate-Control", "no-store"}},
       .want = Why::kResponseNoStore},
  });
}

BOOST_AUTO_TEST_CASE(requests) {
  const Headers fresh_with_target = {{"Cache-Control", "max-age=60"}, {"Content-Location", "/dir/page?q=1"}};
  check({
      {.name = "HEAD", .method = "HEAD", .response = kFresh, .want = Why::kMethod},
      {.name = "PUT", .method = "PUT", .response = fresh_with_target, .want = Why::kMethod},
      {.name = "DELETE", .method = "DELETE", .response = fresh_with_target, .want = Why::kMethod},
      {.name = "OPTIONS", .method = "OPTIONS", .response = fresh_with_target, .want = Why::kMethod},
      {.name = "unknown method", .method = "get", .response = fresh_with_target, .want = Why::kMethod},
      {.name = "POST", .method = "POST", .response = kFresh, .want = Why::kMethod},
      {.name = "RFC 9110 9.3.3 POST with Content-Location", .method = "POST", .response = fresh_with_target},
      {.name = "RFC 9110 9.3.3 absolute Content-Location",
       .method = "POST",
       .response = {{"Expires", date(60)}, {"Content-Location", "http://EXAMPLE.com:80/dir/%70age?q=1"}}},
      {.name = "RFC 9110 9.3.3 relative Content-Location",
       .method = "POST",
       .response = {{"Expires", date(60)}, {"Content-Location", "page?q=1"}}},
      {.name = "RFC 9110 9.3.3 another query",
       .method = "POST",
       .response = {{"Expires", date(60)}, {"Content-Location", "/dir/page"}},
       .want = Why::kMethod},
      {.name = "RFC 9110 9.3.3 another host",
       .method = "POST",
       .response = {{"Expires", date(60)}, {"Content-Location", "http://other.com/dir/page?q=1"}},
       .want = Why::kMethod},
      {.name = "RFC 9110 9.3.3 another scheme",
       .method = "POST",
       .response = {{"Expires", date(60)}, {"Content-Location", "https://example.com/dir/page?q=1"}},
       .want = Why::kMethod},
      {.name = "RFC 9110 9.3.3 heuristic freshness does not do",
       .method = "POST",
       .response = {{"Last-Modified", date(-1000)}, {"Content-Location", "/dir/page?q=1"}},
       .want = Why::kMethod},
      {.name = "RFC 9110 9.3.3 only 200",
       .method = "POST",
       .status = 404,
       .response = fresh_with_target,
       .want = Why::kMethod},
      {.name = "RFC 5789 2 PATCH", .method = "PATCH", .response = fresh_with_target},
      {.name = "5.2.1.5 no-store",
       .request = {{"Cache-Control", "no-store"}},
       .response = kFresh,
       .want = Why::kRequestNoStore},
      {.name = "5.2.1.5 no-store, not honoured",
       .request = {{"Cache-Control", "no-store"}},
       .response = kFresh,
       .rules = {.honour_request_directives = false}},
      {.name = "no-cache of a request may be stored", .request = {{"Cache-Control", "no-cache"}}, .response = kFresh},
      {.name = "3.5 Authorization",
       .request = {{"Authorization", "x"}},
       .response = kFresh,
       .want = Why::kResponseAuthorization},
      {.name = "3.5 Authorization, Expires",
       .request = {{"Authorization", "x"}},
       .response = {{"Expires", date(60)}},
       .want = Why::kResponseAuthorization},
      {.name = "3.5 Authorization, public",
       .request = {{"Authorization", "x"}},
       .response = {{"Cache-Control", "max-age=60, public"}}},
      {.name = "3.5 Authorization, must-revalidate",
       .request = {{"Authorization", "x"}},
       .response = {{"Cache-Control", "max-age=60, must-revalidate"}}},
      {.name = "3.5 Authorization, s-maxage",
       .request = {{"Authorization", "x"}},
       .response = {{"Cache-Control", "s-maxage=60"}}},
      {.name = "3.5 Authorization, proxy-revalidate is not listed",
       .request = {{"Authorization", "x"}},
       .response = {{"Cache-Control", "max-age=60, proxy-revalidate"}},
       .want = Why::kResponseAuthorization},
      {.name = "3.5 Authorization, public elsewhere than in the targeted field",
       .request = {{"Authorization", "x"}},
       .response = {{"Cache-Control", "public"}, {"CDN-Cache-Control", "max-age=60"}},
       .want = Why::kResponseAuthorization},
      {.name = "Cookie of a request", .request = {{"Cookie", "a=b"}}, .response = kFresh},
      {.name = "Set-Cookie, explicit",
       .response = {{"Cache-Control", "max-age=60"}, {"Set-Cookie", "a=b"}},
       .shared = false},
      {.name = "Set-Cookie2, explicit",
       .response = {{"Cache-Control", "max-age=60"}, {"Set-Cookie2", "a=b"}},
       .shared = false},
      {.name = "Set-Cookie, heuristic",
       .response = {{"Last-Modified", date(-1000)}, {"Set-Cookie", "a=b"}},
       .want = Why::kResponseSetCookie},
      {.name = "Set-Cookie, ETag only",
       .response = {{"ETag", "\"a\""}, {"Set-Cookie", "a=b"}},
       .want = Why::kResponseSetCookie},
      {.name = "Set-Cookie that is not stored",
       .response = {{"Last-Modified", date(-1000)}, {"Set-Cookie", "a=b"}, {"Cache-Control", "private=\"Set-Cookie\""}},
       .shared = false},
  });
}

BOOST_AUTO_TEST_CASE(statuses) {
  check({
      {.name = "299, explicit", .status = 299, .response = kFresh},
      {.name = "302, explicit", .status = 302, .response = kFresh},
      {.name = "303, explicit", .status = 303, .response = kFresh},
      {.name = "400, explicit", .status = 400, .response = kFresh},
      {.name = "404, heuristic", .status = 404, .response = {{"Last-Modified", date(-1000)}}},
      {.name = "499, explicit", .status = 499, .response = kFresh},
      {.name = "500, explicit", .status = 500, .response = kFresh},
      {.name = "503, explicit", .status = 503, .response = kFresh},
      {.name = "599, explicit", .status = 599, .response = kFresh},
      {.name = "201, heuristic",
       .status = 201,
       .response = {{"Last-Modified", date(-1000)}},
       .want = Why::kResponseNotFresh},
      {.name = "403, heuristic",
       .status = 403,
       .response = {{"Last-Modified", date(-1000)}},
       .want = Why::kResponseNotFresh},
      {.name = "503, heuristic",
       .status = 503,
       .response = {{"Last-Modified", date(-1000)}},
       .want = Why::kResponseNotFresh},
      {.name = "599, heuristic",
       .status = 599,
       .response = {{"Last-Modified", date(-1000)}},
       .want = Why::kResponseNotFresh},
      {.name = "599, heuristic with public",
       .status = 599,
       .response = {{"Last-Modified", date(-1000)}, {"Cache-Control", "public"}}},
      {.name = "100", .status = 100, .response = kFresh, .want = Why::kResponseStatus},
      {.name = "101", .status = 101, .response = kFresh, .want = Why::kResponseStatus},
      {.name = "103", .status = 103, .response = kFresh, .want = Why::kResponseStatus},
      {.name = "304 to a precondition",
       .request = {{"If-None-Match", "\"a\""}},
       .status = 304,
       .response = kFresh,
       .want = Why::kResponseStatus},
      {.name = "304 to a plain GET", .status = 304, .response = kFresh, .want = Why::kResponseContradictory},
      {.name = "412",
       .request = {{"If-Match", "\"a\""}},
       .status = 412,
       .response = kFresh,
       .want = Why::kResponseStatus},
      {.name = "416",
       .request = {{"Range", "bytes=9-"}},
       .status = 416,
       .response = {{"Cache-Control", "max-age=60"}, {"Content-Range", "bytes */5"}},
       .want = Why::kResponseStatus},
      {.name = "417", .status = 417, .response = kFresh, .want = Why::kResponseStatus},
      {.name = "200 to a Range", .request = {{"Range", "bytes=0-1"}}, .response = kFresh},
  });
}

BOOST_AUTO_TEST_CASE(partial_content) {
  struct PartRow {
    const char* name;
    bool has_range = true;
    Headers content_range{};
    http::BodyFraming framing = http::BodyFraming::kLength;
    std::uint64_t content_length = 5;
    bool want = false;
  };
  using enum http::BodyFraming;
  const std::vector<PartRow> rows = {
      {.name = "sound", .content_range = {{"Content-Range", "bytes 0-4/10"}}, .want = true},
      {.name = "unknown complete length", .content_range = {{"Content-Range", "bytes 0-4/*"}}, .want = true},
      {.name = "chunked",
       .content_range = {{"Content-Range", "bytes 0-4/10"}},
       .framing = kChunked,
       .content_length = 0,
       .want = true},
      {.name = "no Range was sent", .has_range = false, .content_range = {{"Content-Range", "bytes 0-4/10"}}},
      {.name = "no Content-Range"},
      {.name = "two of them", .content_range = {{"Content-Range", "bytes 0-4/10"}, {"Content-Range", "bytes 0-4/10"}}},
      {.name = "malformed", .content_range = {{"Content-Range", "bytes 4-0/10"}}},
      {.name = "unsatisfied", .content_range = {{"Content-Range", "bytes */10"}}},
      {.name = "other unit", .content_range = {{"Content-Range", "lines 0-4/10"}}},
      {.name = "shorter than it says", .content_range = {{"Content-Range", "bytes 4-9/10"}}},
      {.name = "longer than it says", .content_range = {{"Content-Range", "bytes 0-3/10"}}},
      {.name = "multipart", .content_range = {{"Content-Type", "multipart/byteranges; boundary=x"}}},
  };
  for (const auto& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      Headers headers = row.content_range;
      headers.emplace_back("Cache-Control", "max-age=60");
      auto response = response_of(206, headers);
      response.framing = row.framing;
      response.content_length = row.content_length;
      const auto request = request_of(row.has_range ? Headers{{"Range", "bytes=0-4"}} : Headers{});
      const auto d = decide_storing(request, response, Rules{}, kNow, kNow);
      BOOST_TEST(d.may_store == row.want);
      BOOST_TEST(to_string(d.why) == to_string(row.want ? Why::kNone : Why::kResponseContradictory));
      BOOST_TEST(!d.may_share_with_waiters);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_get_with_a_body) {
  auto request = request_of({});
  request.framing = http::BodyFraming::kLength;
  const auto response = response_of(200, kFresh);
  BOOST_TEST(decide_storing(request, response, Rules{}, kNow, kNow).may_store);
  request.content_length = 1;
  BOOST_TEST(to_string(decide_storing(request, response, Rules{}, kNow, kNow).why) == "request-body");
  request.framing = http::BodyFraming::kChunked;
  request.content_length = 0;
  BOOST_TEST(to_string(decide_storing(request, response, Rules{}, kNow, kNow).why) == "request-body");
}

BOOST_AUTO_TEST_CASE(stale_on_arrival) {
  const std::pair<std::string, std::string> etag = {"ETag", "\"a\""};
  check({
      {.name = "max-age=0", .response = {{"Cache-Control", "max-age=0"}}, .want = Why::kResponseNotFresh},
      {.name = "max-age=0, ETag", .response = {{"Cache-Control", "max-age=0"}, etag}, .shared = false},
      {.name = "max-age=0 and its own while-revalidate window",
       .response = {{"Cache-Control", "max-age=0, stale-while-revalidate=60"}}},
      {.name = "max-age=0 and its own if-error window",
       .response = {{"Cache-Control", "max-age=0, stale-if-error=60"}},
       .shared = false},
      {.name = "max-age=0 and a window of 0",
       .response = {{"Cache-Control", "max-age=0, stale-if-error=0"}},
       .want = Why::kResponseNotFresh},
      {.name = "past Expires", .response = {{"Expires", date(-60)}}, .want = Why::kResponseNotFresh},
      {.name = "past Expires, Last-Modified",
       .response = {{"Expires", date(-60)}, {"Last-Modified", date(-1000)}},
       .shared = false},
      {.name = "Age past max-age: of use when the origin fails",
       .response = {{"Cache-Control", "max-age=60"}, {"Age", "100"}},
       .shared = false},
      {.name = "Age past max-age and window",
       .response = {{"Cache-Control", "max-age=60, stale-if-error=10"}, {"Age", "100"}},
       .want = Why::kResponseNotFresh},
      {.name = "Age past max-age, stale use forbidden",
       .response = {{"Cache-Control", "max-age=60, must-revalidate"}, {"Age", "100"}},
       .want = Why::kResponseNotFresh},
      {.name = "unknown age",
       .response = {{"Cache-Control", "max-age=60"}, {"Age", "x"}},
       .want = Why::kResponseNotFresh},
      {.name = "unknown age, ETag", .response = {{"Cache-Control", "max-age=60"}, {"Age", "x"}, etag}, .shared = false},
      {.name = "ETag only", .response = {etag}, .shared = false},
      {.name = "ETag only, status without heuristic",
       .status = 201,
       .response = {etag},
       .want = Why::kResponseNotFresh},
      {.name = "empty ETag", .response = {{"ETag", ""}}, .want = Why::kResponseNotFresh},
      {.name = "RFC 9110 13.2.1 a 404 cannot be validated",
       .status = 404,
       .response = {{"Cache-Control", "max-age=0"}, etag},
       .want = Why::kResponseNotFresh},
      {.name = "RFC 9110 13.2.1 nor can a 503",
       .status = 503,
       .response = {{"Expires", date(-60)}, {"Last-Modified", date(-1000)}},
       .want = Why::kResponseNotFresh},
      {.name = "RFC 9110 13.2.1 nor a no-cache redirect",
       .status = 301,
       .response = {{"Cache-Control", "no-cache, max-age=60"}, etag},
       .want = Why::kResponseNotFresh},
  });
}

BOOST_AUTO_TEST_CASE(stored_fields) {
  struct FieldRow {
    const char* name;
    Headers headers;
    const char* stored;
    const char* forwarded;
  };
  const std::vector<FieldRow> rows = {
      {.name = "all stays, in order",
       .headers = {{"b", "1"}, {"A", "2"}, {"b", "3"}},
       .stored = "b: 1\nA: 2\nb: 3\n",
       .forwarded = "b: 1\nA: 2\nb: 3\n"},
      {.name = "3.1 named by Connection",
       .headers = {{"Connection", "a, B"}, {"A", "1"}, {"b", "2"}, {"c", "3"}},
       .stored = "c: 3\n",
       .forwarded = "c: 3\n"},
      {.name = "3.1 named by a second Connection line",
       .headers = {{"a", "1"}, {"Connection", "x"}, {"Connection", "a"}},
       .stored = "",
       .forwarded = ""},
      {.name = "RFC 9110 7.6.1 hop-by-hop",
       .headers = {{"Keep-Alive", "x"},
                   {"Proxy-Connection", "x"},
                   {"TE", "x"},
                   {"Transfer-Encoding", "chunked"},
                   {"Upgrade", "x"},
                   {"HTTP2-Settings", "x"},
                   {"a", "1"}},
       .stored = "a: 1\n",
       .forwarded = "a: 1\n"},
      {.name = "3.1 proxy authentication and Trailer are not stored",
       .headers = {{"Proxy-Authenticate", "a"},
                   {"Proxy-Authentication-Info", "b"},
                   {"Proxy-Authorization", "c"},
                   {"Trailer", "d"}},
       .stored = "",
       .forwarded = "Proxy-Authenticate: a\nProxy-Authentication-Info: b\nProxy-Authorization: c\nTrailer: d\n"},
      {.name = "5.2.2.4 named by no-cache and private",
       .headers =
           {{"Cache-Control", "no-cache=\"a\", private=\"Set-Cookie\""}, {"A", "1"}, {"Set-Cookie", "2"}, {"b", "3"}},
       .stored = "Cache-Control: no-cache=\"a\", private=\"Set-Cookie\"\nb: 3\n",
       .forwarded = "Cache-Control: no-cache=\"a\", private=\"Set-Cookie\"\nA: 1\nSet-Cookie: 2\nb: 3\n"},
      {.name = "RFC 9110 7.6.1 what Connection cannot name",
       .headers = {{"Connection", "Host, Content-Length, Vary, Via, Cache-Control, Authorization, X-Forwarded-For"},
                   {"Host", "h"},
                   {"Content-Length", "5"},
                   {"Vary", "a"},
                   {"Via", "v"},
                   {"Cache-Control", "public"},
                   {"Authorization", "x"},
                   {"X-Forwarded-For", "1.2.3.4"}},
       .stored = "Host: h\nContent-Length: 5\nVary: a\nVia: v\nCache-Control: public\nAuthorization: x\n"
                 "X-Forwarded-For: 1.2.3.4\n",
       .forwarded = "Host: h\nContent-Length: 5\nVary: a\nVia: v\nCache-Control: public\nAuthorization: x\n"
                    "X-Forwarded-For: 1.2.3.4\n"},
      {.name = "Set-Cookie and its kin are stored",
       .headers = {{"Set-Cookie", "a"}, {"Set-Cookie2", "b"}, {"ETag", "\"x\""}},
       .stored = "Set-Cookie: a\nSet-Cookie2: b\nETag: \"x\"\n",
       .forwarded = "Set-Cookie: a\nSet-Cookie2: b\nETag: \"x\"\n"},
  };
  for (const auto& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const auto response = response_of(200, row.headers);
      const auto directives = parse_response_directives(response.headers, {});
      BOOST_TEST(text_of(storable_fields(response, directives)) == row.stored);
      BOOST_TEST(text_of(end_to_end_fields(response.headers)) == row.forwarded);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::policy
