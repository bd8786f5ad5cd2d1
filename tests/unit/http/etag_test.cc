#include "http/etag.h"

#include <boost/test/unit_test.hpp>

namespace seawall::http {
namespace {

BOOST_AUTO_TEST_SUITE(etag)

BOOST_AUTO_TEST_CASE(syntax) {
  for (const char* good : {"\"\"", "\"a\"", "W/\"a\"", "\"\xc3\xbc\"", "\"a,b\\\"", "\"!#~\""}) {
    BOOST_TEST_CONTEXT(good) {
      const auto tag = parse_etag(good);
      BOOST_REQUIRE(tag);
      BOOST_TEST(tag->weak == (good[0] == 'W'));
      BOOST_TEST(tag->opaque == std::string_view(good + (tag->weak ? 2 : 0)));
    }
  }
  for (const char* bad : {"", "a", "\"", "\"a", "a\"", "w/\"a\"", "W/a", "W\"a\"", "\"a\"b\"", "\"a b\"", "\"a\"x",
                          " \"a\"", "\"a\x7f\"", "W/W/\"a\"", "*"}) {
    BOOST_TEST(!parse_etag(bad), bad);
  }
}

// RFC 9110 section 8.8.3.2.
BOOST_AUTO_TEST_CASE(comparison) {
  struct Row {
    const char* a;
    const char* b;
    bool strong;
    bool weak;
  };
  const Row rows[] = {
      {"W/\"1\"", "W/\"1\"", false, true},
      {"W/\"1\"", "W/\"2\"", false, false},
      {"W/\"1\"", "\"1\"", false, true},
      {"\"1\"", "\"1\"", true, true},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.a << " and " << row.b) {
      BOOST_TEST(strong_match(*parse_etag(row.a), *parse_etag(row.b)) == row.strong);
      BOOST_TEST(weak_match(*parse_etag(row.a), *parse_etag(row.b)) == row.weak);
      BOOST_TEST(list_contains(row.a, row.b, Comparison::kStrong) == row.strong);
      BOOST_TEST(list_contains(row.a, row.b, Comparison::kWeak) == row.weak);
    }
  }
}

BOOST_AUTO_TEST_CASE(lists) {
  struct Row {
    const char* list;
    const char* etag;
    bool strong;
    bool weak;
  };
  const Row rows[] = {
      {"\"1\", \"2\", \"3\"", "\"1\"", true, true},
      {"\"1\", \"2\", \"3\"", "\"2\"", true, true},
      {"\"1\",\"2\",W/\"3\"", "\"3\"", false, true},
      {"\"1\"\t,, \"2\"", "\"2\"", true, true},
      {"\"1\", \"2\"", "\"4\"", false, false},
      {"", "\"1\"", false, false},
      {"*", "\"1\"", false, false},
      {"*", "*", false, false},
      {"\"a,b\", \"c\"", "\"a,b\"", true, true},
      {"\"a,b\", \"c\"", "\"b\"", false, false},
      {"\"a\\\", \"c\"", "\"c\"", true, true},
      {"\"a\\\", \"c\"", "\"a\\\"", true, true},
      {"\"1\" \"2\", \"3\"", "\"2\"", false, false},
      {"\"1\" \"2\", \"3\"", "\"3\"", true, true},
      {"\"open, \"3\"", "\"3\"", false, false},
      {"\"open, 3", "3", true, true},
      {"abc", "\"abc\"", false, false},
      {"abc", "abc", true, true},
      {"\"abc\"", "abc", false, false},
      {"x, abc", "abc", true, true},
      {"w/\"a\"", "w/\"a\"", true, true},
      {"W/abc", "W/abc", false, true},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.list << " for " << row.etag) {
      BOOST_TEST(list_contains(row.list, row.etag, Comparison::kStrong) == row.strong);
      BOOST_TEST(list_contains(row.list, row.etag, Comparison::kWeak) == row.weak);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::http
