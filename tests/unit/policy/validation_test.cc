// Preconditions, If-Range, 304 and HEAD (RFC 9110 section 13, RFC 9111 section 4.3).
#include "policy/validation.h"

#include <boost/test/unit_test.hpp>

#include "unit/policy/support.h"

namespace seawall::policy {
namespace {

std::string_view to_string(Precondition p) {
  switch (p) {
    case Precondition::kProceed: return "proceed";
    case Precondition::kNotModified: return "not modified";
    case Precondition::kFailed: return "failed";
  }
  return "?";
}

BOOST_AUTO_TEST_SUITE(policy_validation)

BOOST_AUTO_TEST_CASE(validators) {
  struct Row {
    const char* name;
    Headers stored;
    bool has = false;
    std::string_view strong{};
  };
  const std::vector<Row> rows = {
      {.name = "none", .stored = {{"Date", date(0)}}},
      {.name = "ETag", .stored = {{"ETag", "\"a\""}}, .has = true, .strong = "\"a\""},
      {.name = "weak ETag", .stored = {{"ETag", "W/\"a\""}}, .has = true},
      {.name = "unquoted ETag", .stored = {{"ETag", "a"}}, .has = true},
      {.name = "empty ETag", .stored = {{"ETag", ""}}},
      {.name = "Last-Modified", .stored = {{"Last-Modified", date(-1)}}, .has = true},
      {.name = "empty Last-Modified", .stored = {{"Last-Modified", ""}}},
  };
  for (const auto& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const auto stored = map_of(row.stored);
      BOOST_TEST(has_validator(stored) == row.has);
      BOOST_TEST(strong_etag(stored).value_or("") == row.strong);
      BOOST_TEST(can_validate(200, stored) == row.has);
      BOOST_TEST(can_validate(206, stored) == row.has);
      BOOST_TEST(!can_validate(301, stored));
      BOOST_TEST(!can_validate(404, stored));
      BOOST_TEST(!can_validate(503, stored));
    }
  }
}

BOOST_AUTO_TEST_CASE(requests_that_validate) {
  struct Row {
    const char* name;
    Headers stored;
    Headers request;
    const char* want;
  };
  const std::vector<Row> rows = {
      {.name = "both",
       .stored = {{"ETag", "W/\"a\""}, {"Last-Modified", "yesterday"}},
       .request = {{"x", "1"}},
       .want = "x: 1\nIf-None-Match: W/\"a\"\nIf-Modified-Since: yesterday\n"},
      {.name = "none", .stored = {}, .request = {{"x", "1"}}, .want = "x: 1\n"},
      {.name = "as received", .stored = {{"ETag", "unquoted"}}, .request = {}, .want = "If-None-Match: unquoted\n"},
      {.name = "the client's go",
       .stored = {{"ETag", "\"a\""}},
       .request = {{"If-None-Match", "\"x\""},
                   {"If-None-Match", "\"y\""},
                   {"If-Modified-Since", "z"},
                   {"If-Match", "m"},
                   {"If-Unmodified-Since", "u"},
                   {"x", "1"}},
       .want = "x: 1\nIf-None-Match: \"a\"\n"},
      {.name = "Range stays", .stored = {}, .request = {{"Range", "bytes=0-1"}}, .want = "Range: bytes=0-1\n"},
      {.name = "RFC 9110 13.1.5 Range goes with If-Range",
       .stored = {},
       .request = {{"Range", "bytes=0-1"}, {"If-Range", "\"a\""}, {"x", "1"}},
       .want = "x: 1\n"},
  };
  for (const auto& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      auto request = map_of(row.request);
      add_validators(map_of(row.stored), request);
      BOOST_TEST(text_of(request) == row.want);
    }
  }
}

struct ConditionRow {
  const char* name;
  Headers request;
  Headers stored;
  const char* want;
  const char* method = "GET";
  std::uint16_t status = 200;
};

void check(const std::vector<ConditionRow>& rows) {
  for (const auto& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const auto result =
          evaluate_preconditions(request_of(row.request, row.method), row.status, map_of(row.stored), kNow);
      BOOST_TEST(to_string(result) == row.want);
    }
  }
}

BOOST_AUTO_TEST_CASE(if_none_match) {
  const Headers a = {{"ETag", "\"a\""}};
  check({
      {.name = "nothing asked", .request = {}, .stored = a, .want = "proceed"},
      {.name = "match", .request = {{"If-None-Match", "\"a\""}}, .stored = a, .want = "not modified"},
      {.name = "HEAD", .request = {{"If-None-Match", "\"a\""}}, .stored = a, .want = "not modified", .method = "HEAD"},
      {.name = "no match", .request = {{"If-None-Match", "\"b\""}}, .stored = a, .want = "proceed"},
      {.name = "case counts", .request = {{"If-None-Match", "\"A\""}}, .stored = a, .want = "proceed"},
      {.name = "first of a list",
       .request = {{"If-None-Match", "\"a\", \"1\", \"2\""}},
       .stored = a,
       .want = "not modified"},
      {.name = "middle of a list",
       .request = {{"If-None-Match", "\"1\", \"a\", \"2\""}},
       .stored = a,
       .want = "not modified"},
      {.name = "last of a list",
       .request = {{"If-None-Match", "\"1\", \"2\", \"a\""}},
       .stored = a,
       .want = "not modified"},
      {.name = "second line",
       .request = {{"If-None-Match", "\"1\""}, {"If-None-Match", "\"a\""}},
       .stored = a,
       .want = "not modified"},
      {.name = "comma within a tag",
       .request = {{"If-None-Match", "\"1,2\", \"x\""}},
       .stored = {{"ETag", "\"1,2\""}},
       .want = "not modified"},
      {.name = "weak and strong", .request = {{"If-None-Match", "W/\"a\""}}, .stored = a, .want = "not modified"},
      {.name = "strong and weak",
       .request = {{"If-None-Match", "\"a\""}},
       .stored = {{"ETag", "W/\"a\""}},
       .want = "not modified"},
      {.name = "weak and weak",
       .request = {{"If-None-Match", "W/\"a\""}},
       .stored = {{"ETag", "W/\"a\""}},
       .want = "not modified"},
      {.name = "obs-text",
       .request = {{"If-None-Match", "\"\xc3\xbc\""}},
       .stored = {{"ETag", "\"\xc3\xbc\""}},
       .want = "not modified"},
      {.name = "*", .request = {{"If-None-Match", "*"}}, .stored = {}, .want = "not modified"},
      {.name = "* in a list is no *", .request = {{"If-None-Match", "\"b\", *"}}, .stored = a, .want = "proceed"},
      {.name = "no ETag", .request = {{"If-None-Match", "\"a\""}}, .stored = {}, .want = "proceed"},
      {.name = "empty", .request = {{"If-None-Match", ""}}, .stored = {{"ETag", ""}}, .want = "proceed"},
      {.name = "13.1.3 over If-Modified-Since: match",
       .request = {{"If-None-Match", "\"a\""}, {"If-Modified-Since", date(-5000)}},
       .stored = {{"ETag", "\"a\""}, {"Last-Modified", date(-1)}},
       .want = "not modified"},
      {.name = "13.1.3 over If-Modified-Since: no match",
       .request = {{"If-None-Match", "\"b\""}, {"If-Modified-Since", date(0)}},
       .stored = {{"ETag", "\"a\""}, {"Last-Modified", date(-100)}},
       .want = "proceed"},
      {.name = "other methods fail",
       .request = {{"If-None-Match", "\"a\""}},
       .stored = a,
       .want = "failed",
       .method = "PUT"},
      {.name = "13.2.1 not for a 404",
       .request = {{"If-None-Match", "\"a\""}},
       .stored = a,
       .want = "proceed",
       .status = 404},
      {.name = "13.2.1 not for a redirect",
       .request = {{"If-None-Match", "*"}},
       .stored = a,
       .want = "proceed",
       .status = 301},
      {.name = "204", .request = {{"If-None-Match", "\"a\""}}, .stored = a, .want = "not modified", .status = 204},
  });
}

BOOST_AUTO_TEST_CASE(if_modified_since) {
  const Headers modified = {{"Last-Modified", date(-3000)}, {"Date", date(0)}};
  check({
      {.name = "equal", .request = {{"If-Modified-Since", date(-3000)}}, .stored = modified, .want = "not modified"},
      {.name = "later", .request = {{"If-Modified-Since", date(-2000)}}, .stored = modified, .want = "not modified"},
      {.name = "earlier", .request = {{"If-Modified-Since", date(-3001)}}, .stored = modified, .want = "proceed"},
      {.name = "rfc850 form",
       .request = {{"If-Modified-Since", "Tuesday, 14-Nov-23 23:10:00 GMT"}},
       .stored = modified,
       .want = "not modified"},
      {.name = "asctime form",
       .request = {{"If-Modified-Since", "Tue Nov 14 23:10:00 2023"}},
       .stored = modified,
       .want = "not modified"},
      {.name = "13.1.3 invalid", .request = {{"If-Modified-Since", "now"}}, .stored = modified, .want = "proceed"},
      {.name = "13.1.3 two lines",
       .request = {{"If-Modified-Since", date(0)}, {"If-Modified-Since", date(0)}},
       .stored = modified,
       .want = "proceed"},
      {.name = "13.1.3 other methods",
       .request = {{"If-Modified-Since", date(0)}},
       .stored = modified,
       .want = "proceed",
       .method = "POST"},
      {.name = "4.3.2 Date instead",
       .request = {{"If-Modified-Since", date(0)}},
       .stored = {{"Date", date(0)}},
       .want = "not modified"},
      {.name = "4.3.2 Date instead, earlier",
       .request = {{"If-Modified-Since", date(-3000)}},
       .stored = {{"Date", date(0)}},
       .want = "proceed"},
      {.name = "neither", .request = {{"If-Modified-Since", date(0)}}, .stored = {}, .want = "proceed"},
      {.name = "13.2.1 not for a 404",
       .request = {{"If-Modified-Since", date(0)}},
       .stored = modified,
       .want = "proceed",
       .status = 404},
  });
}

BOOST_AUTO_TEST_CASE(if_match) {
  const Headers stored = {{"ETag", "\"a\""}, {"Last-Modified", date(-100)}};
  check({
      {.name = "match", .request = {{"If-Match", "\"b\", \"a\""}}, .stored = stored, .want = "proceed"},
      {.name = "no match", .request = {{"If-Match", "\"b\""}}, .stored = stored, .want = "failed"},
      {.name = "*", .request = {{"If-Match", "*"}}, .stored = {}, .want = "proceed"},
      {.name = "13.1.1 strong comparison", .request = {{"If-Match", "W/\"a\""}}, .stored = stored, .want = "failed"},
      {.name = "13.1.1 strong comparison, weak stored",
       .request = {{"If-Match", "\"a\""}},
       .stored = {{"ETag", "W/\"a\""}},
       .want = "failed"},
      {.name = "no ETag", .request = {{"If-Match", "\"a\""}}, .stored = {}, .want = "failed"},
      {.name = "then If-None-Match",
       .request = {{"If-Match", "\"a\""}, {"If-None-Match", "\"a\""}},
       .stored = stored,
       .want = "not modified"},
      {.name = "13.2.2 before If-None-Match",
       .request = {{"If-Match", "\"b\""}, {"If-None-Match", "\"a\""}},
       .stored = stored,
       .want = "failed"},
      {.name = "13.2.2 puts If-Unmodified-Since aside",
       .request = {{"If-Match", "\"a\""}, {"If-Unmodified-Since", date(-200)}},
       .stored = stored,
       .want = "proceed"},
      {.name = "unmodified since",
       .request = {{"If-Unmodified-Since", date(-100)}},
       .stored = stored,
       .want = "proceed"},
      {.name = "modified since", .request = {{"If-Unmodified-Since", date(-101)}}, .stored = stored, .want = "failed"},
      {.name = "13.1.4 invalid date", .request = {{"If-Unmodified-Since", "x"}}, .stored = stored, .want = "proceed"},
      {.name = "13.1.4 no Last-Modified",
       .request = {{"If-Unmodified-Since", date(-101)}},
       .stored = {},
       .want = "proceed"},
      {.name = "13.2.1 not for a 404",
       .request = {{"If-Match", "\"b\""}},
       .stored = stored,
       .want = "proceed",
       .status = 404},
  });
}

BOOST_AUTO_TEST_CASE(if_range) {
  struct Row {
    const char* name;
    Headers request;
    Headers stored;
    bool want;
  };
  const Headers etag = {{"ETag", "\"a\""}};
  const Headers dated = {{"Last-Modified", date(-100)}, {"Date", date(0)}};
  const std::vector<Row> rows = {
      {.name = "none", .request = {}, .stored = {}, .want = true},
      {.name = "equal", .request = {{"If-Range", "\"a\""}}, .stored = etag, .want = true},
      {.name = "other", .request = {{"If-Range", "\"b\""}}, .stored = etag, .want = false},
      {.name = "weak", .request = {{"If-Range", "W/\"a\""}}, .stored = etag, .want = false},
      {.name = "weak stored", .request = {{"If-Range", "\"a\""}}, .stored = {{"ETag", "W/\"a\""}}, .want = false},
      {.name = "no ETag", .request = {{"If-Range", "\"a\""}}, .stored = {}, .want = false},
      {.name = "no lists here", .request = {{"If-Range", "\"a\", \"b\""}}, .stored = etag, .want = false},
      {.name = "unquoted", .request = {{"If-Range", "a"}}, .stored = {{"ETag", "a"}}, .want = false},
      {.name = "two lines", .request = {{"If-Range", "\"a\""}, {"If-Range", "\"a\""}}, .stored = etag, .want = false},
      {.name = "date", .request = {{"If-Range", date(-100)}}, .stored = dated, .want = true},
      {.name = "later date", .request = {{"If-Range", date(-99)}}, .stored = dated, .want = false},
      {.name = "earlier date", .request = {{"If-Range", date(-101)}}, .stored = dated, .want = false},
      {.name = "8.8.2.2 a date is weak without Date",
       .request = {{"If-Range", date(-100)}},
       .stored = {{"Last-Modified", date(-100)}},
       .want = false},
      {.name = "8.8.2.2 a date is weak within its second",
       .request = {{"If-Range", date(0)}},
       .stored = {{"Last-Modified", date(0)}, {"Date", date(0)}},
       .want = false},
      {.name = "8.8.2.2 strong one second later",
       .request = {{"If-Range", date(-1)}},
       .stored = {{"Last-Modified", date(-1)}, {"Date", date(0)}},
       .want = true},
  };
  for (const auto& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      BOOST_TEST(if_range_holds(map_of(row.request), map_of(row.stored), kNow) == row.want);
    }
  }
}

BOOST_AUTO_TEST_CASE(which_304_updates) {
  struct Row {
    const char* name;
    Headers update;
    Headers stored;
    bool want;
  };
  const std::string day = "Wed, 01 Jan 2020 00:00:00 GMT";
  const std::string next_day = "Thu, 02 Jan 2020 00:00:00 GMT";
  const std::vector<Row> rows = {
      {.name = "strong", .update = {{"ETag", "\"a\""}}, .stored = {{"ETag", "\"a\""}}, .want = true},
      {.name = "strong, another", .update = {{"ETag", "\"b\""}}, .stored = {{"ETag", "\"a\""}}, .want = false},
      {.name = "strong decides over the date",
       .update = {{"ETag", "\"a\""}, {"Last-Modified", next_day}},
       .stored = {{"ETag", "\"a\""}, {"Last-Modified", day}},
       .want = true},
      {.name = "strong, another, same date",
       .update = {{"ETag", "\"b\""}, {"Last-Modified", day}},
       .stored = {{"ETag", "\"a\""}, {"Last-Modified", day}},
       .want = false},
      {.name = "strong, weak stored", .update = {{"ETag", "\"a\""}}, .stored = {{"ETag", "W/\"a\""}}, .want = false},
      {.name = "strong, none stored", .update = {{"ETag", "\"a\""}}, .stored = {{"Last-Modified", day}}, .want = false},
      {.name = "weak", .update = {{"ETag", "W/\"a\""}}, .stored = {{"ETag", "W/\"a\""}}, .want = true},
      {.name = "weak, strong stored", .update = {{"ETag", "W/\"a\""}}, .stored = {{"ETag", "\"a\""}}, .want = true},
      {.name = "weak, another", .update = {{"ETag", "W/\"b\""}}, .stored = {{"ETag", "W/\"a\""}}, .want = false},
      {.name = "weak, none stored", .update = {{"ETag", "W/\"a\""}}, .stored = {}, .want = false},
      {.name = "unquoted", .update = {{"ETag", "a"}}, .stored = {{"ETag", "a"}}, .want = true},
      {.name = "unquoted, another", .update = {{"ETag", "a"}}, .stored = {{"ETag", "b"}}, .want = false},
      {.name = "date", .update = {{"Last-Modified", day}}, .stored = {{"Last-Modified", day}}, .want = true},
      {.name = "date, stored with ETag",
       .update = {{"Last-Modified", day}},
       .stored = {{"Last-Modified", day}, {"ETag", "\"a\""}},
       .want = true},
      {.name = "another date",
       .update = {{"Last-Modified", next_day}},
       .stored = {{"Last-Modified", day}},
       .want = false},
      {.name = "date, none stored", .update = {{"Last-Modified", day}}, .stored = {{"ETag", "\"a\""}}, .want = false},
      {.name = "neither has any", .update = {}, .stored = {}, .want = true},
      {.name = "none, but stored has", .update = {}, .stored = {{"ETag", "\"a\""}}, .want = false},
      {.name = "none, but stored has a date", .update = {}, .stored = {{"Last-Modified", day}}, .want = false},
  };
  for (const auto& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      BOOST_TEST(updates_stored(map_of(row.update), map_of(row.stored)) == row.want);
    }
  }
}

BOOST_AUTO_TEST_CASE(merging) {
  struct Row {
    const char* name;
    Headers stored;
    Headers update;
    const char* want;
  };
  const std::vector<Row> rows = {
      {.name = "absent fields stay", .stored = {{"a", "1"}}, .update = {{"b", "2"}}, .want = "a: 1\nb: 2\n"},
      {.name = "3.2 replaced", .stored = {{"a", "1"}, {"b", "1"}}, .update = {{"A", "2"}}, .want = "b: 1\nA: 2\n"},
      {.name = "3.2 all lines at once",
       .stored = {{"a", "1"}, {"a", "2"}, {"a", "3"}},
       .update = {{"a", "4"}, {"a", "5"}},
       .want = "a: 4\na: 5\n"},
      {.name = "3.2 known names too",
       .stored = {{"Cache-Control", "max-age=1"}, {"Set-Cookie", "a"}, {"Vary", "x"}},
       .update = {{"cache-control", "max-age=3600"}, {"Set-Cookie", "b"}},
       .want = "Vary: x\ncache-control: max-age=3600\nSet-Cookie: b\n"},
      {.name = "3.2 what belongs to the body",
       .stored = {{"Content-Encoding", "gzip"},
                  {"Content-Length", "5"},
                  {"Content-MD5", "x"},
                  {"Content-Range", "bytes 0-4/5"},
                  {"ETag", "\"a\""}},
       .update = {{"Content-Encoding", "br"},
                  {"Content-Length", "0"},
                  {"Content-MD5", "y"},
                  {"Content-Range", "bytes 0-1/2"},
                  {"ETag", "W/\"a\""}},
       .want = "Content-Encoding: gzip\nContent-Length: 5\nContent-MD5: x\nContent-Range: bytes 0-4/5\nETag: \"a\"\n"},
      {.name = "3.2 nor is it added",
       .stored = {{"a", "1"}},
       .update = {{"Content-Length", "0"}, {"ETag", "\"a\""}},
       .want = "a: 1\n"},
      {.name = "3.2 other Content fields are replaced",
       .stored = {{"Content-Type", "text/plain"}, {"Content-Location", "/a"}, {"Content-Foo", "1"}},
       .update = {{"Content-Type", "text/html"}, {"Content-Location", "/b"}, {"Content-Foo", "2"}},
       .want = "Content-Type: text/html\nContent-Location: /b\nContent-Foo: 2\n"},
      {.name = "3.1 hop-by-hop fields of the 304",
       .stored = {{"a", "1"}},
       .update =
           {{"Connection", "a, close"}, {"a", "2"}, {"Keep-Alive", "5"}, {"Proxy-Authenticate", "x"}, {"TE", "x"}},
       .want = "a: 1\n"},
      {.name = "Age and Date of the old exchange go",
       .stored = {{"Age", "10"}, {"Date", "old"}, {"a", "1"}},
       .update = {},
       .want = "a: 1\n"},
      {.name = "those of the 304 count",
       .stored = {{"Age", "10"}, {"Date", "old"}},
       .update = {{"Date", "new"}, {"Age", "1"}},
       .want = "Date: new\nAge: 1\n"},
      {.name = "Expires",
       .stored = {{"Expires", "old"}, {"Last-Modified", "x"}},
       .update = {{"Expires", "new"}},
       .want = "Last-Modified: x\nExpires: new\n"},
  };
  for (const auto& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      BOOST_TEST(text_of(merge_updated(map_of(row.stored), map_of(row.update))) == row.want);
    }
  }
}

BOOST_AUTO_TEST_CASE(heads) {
  struct Row {
    const char* name;
    Headers head;
    Headers stored;
    bool want;
    std::uint16_t status = 200;
  };
  const std::vector<Row> rows = {
      {.name = "nothing to compare", .head = {}, .stored = {{"ETag", "\"a\""}}, .want = true},
      {.name = "ETag", .head = {{"ETag", "\"a\""}}, .stored = {{"ETag", "\"a\""}}, .want = true},
      {.name = "another ETag", .head = {{"ETag", "\"b\""}}, .stored = {{"ETag", "\"a\""}}, .want = false},
      {.name = "ETag that was not there", .head = {{"ETag", "\"b\""}}, .stored = {}, .want = false},
      {.name = "Last-Modified", .head = {{"Last-Modified", "x"}}, .stored = {{"Last-Modified", "x"}}, .want = true},
      {.name = "another Last-Modified",
       .head = {{"ETag", "\"a\""}, {"Last-Modified", "y"}},
       .stored = {{"ETag", "\"a\""}, {"Last-Modified", "x"}},
       .want = false},
      {.name = "length", .head = {{"Content-Length", "5"}}, .stored = {{"Content-Length", "5"}}, .want = true},
      {.name = "another length", .head = {{"Content-Length", "6"}}, .stored = {{"Content-Length", "5"}}, .want = false},
      {.name = "length that is not known", .head = {{"Content-Length", "6"}}, .stored = {}, .want = true},
      {.name = "no length", .head = {}, .stored = {{"Content-Length", "5"}}, .want = true},
      {.name = "another status", .head = {}, .stored = {}, .want = false, .status = 410},
  };
  for (const auto& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      auto head = response_of(row.status, row.head);
      if (const auto length = head.headers.find("Content-Length")) {
        head.has_content_length = true;
        head.content_length = std::stoull(std::string(*length));
      }
      BOOST_TEST(head_agrees(head, map_of(row.stored)) == row.want);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::policy
