// Which requests select the same variant (RFC 9111 section 4.1).
#include "policy/vary.h"

#include <boost/test/unit_test.hpp>

#include "unit/policy/support.h"

namespace seawall::policy {
namespace {

std::string text_of(const VarySpec& spec) {
  if (spec.any) return spec.names.empty() ? "*" : "* with names";
  std::string out;
  for (const auto& n : spec.names) out.append(out.empty() ? "" : ",").append(n);
  return out;
}

std::string selecting(const char* vary, const Headers& request) {
  std::string out;
  append_selecting_values(parse_vary(map_of({{"Vary", vary}})), map_of(request), out);
  return out;
}

Headers language(const char* value) {
  return {{"Accept-Language", value}};
}
Headers encoding(const char* value) {
  return {{"Accept-Encoding", value}};
}
Headers foo(const char* value) {
  return {{"Foo", value}};
}

BOOST_AUTO_TEST_SUITE(policy_vary)

BOOST_AUTO_TEST_CASE(parsing) {
  struct Row {
    const char* name;
    Headers headers;
    const char* want;
  };
  const std::vector<Row> rows = {
      {.name = "none", .headers = {}, .want = ""},
      {.name = "empty", .headers = {{"Vary", ""}}, .want = ""},
      {.name = "one", .headers = {{"Vary", "Foo"}}, .want = "foo"},
      {.name = "sorted", .headers = {{"Vary", "Foo, bar,BAZ"}}, .want = "bar,baz,foo"},
      {.name = "unique", .headers = {{"Vary", "Foo, foo, FOO"}}, .want = "foo"},
      {.name = "several lines", .headers = {{"Vary", "b"}, {"Vary", "a"}}, .want = "a,b"},
      {.name = "*", .headers = {{"Vary", "*"}}, .want = "*"},
      {.name = "the client's address", .headers = {{"Vary", "Foo, X-Forwarded-For"}}, .want = "*"},
      {.name = "the same, in another field", .headers = {{"Vary", "Forwarded"}}, .want = "*"},
      {.name = "*, *", .headers = {{"Vary", "*, *"}}, .want = "*"},
      {.name = "* on two lines", .headers = {{"Vary", "*"}, {"Vary", "*"}}, .want = "*"},
      {.name = ", *", .headers = {{"Vary", ", *"}}, .want = "*"},
      {.name = "empty line, then *", .headers = {{"Vary", ""}, {"Vary", "*"}}, .want = "*"},
      {.name = "*, Foo", .headers = {{"Vary", "*, Foo"}}, .want = "*"},
      {.name = "Foo, *", .headers = {{"Vary", "Foo, *"}}, .want = "*"},
      {.name = "Foo, then * on another line", .headers = {{"Vary", "Foo"}, {"Vary", "*"}}, .want = "*"},
      {.name = "not a name", .headers = {{"Vary", "Foo Bar"}}, .want = "*"},
      {.name = "quoted", .headers = {{"Vary", "\"Foo\""}}, .want = "*"},
      {.name = "a name that contains a star", .headers = {{"Vary", "x-*"}}, .want = "x-*"},
  };
  for (const auto& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const auto spec = parse_vary(map_of(row.headers));
      BOOST_TEST(text_of(spec) == row.want);
      BOOST_TEST(spec.empty() == std::string_view(row.want).empty());
    }
  }
}

struct Pair {
  const char* name;
  const char* vary = "Foo";
  Headers a;
  Headers b;
};

const std::vector<Pair> kSame = {
    {.name = "equal", .a = foo("1"), .b = foo("1")},
    {.name = "both absent", .a = {}, .b = {{"Bar", "1"}}},
    {.name = "both empty", .a = foo(""), .b = foo("")},
    {.name = "name's case", .a = foo("1"), .b = {{"fOO", "1"}}},
    {.name = "fields not listed", .a = {{"Foo", "1"}, {"Other", "2"}}, .b = {{"Other", "3"}, {"Foo", "1"}}},
    {.name = "order of fields",
     .vary = "Foo, Bar",
     .a = {{"Foo", "1"}, {"Bar", "2"}},
     .b = {{"Bar", "2"}, {"Foo", "1"}}},
    {.name = "one absent in both",
     .vary = "Foo, Bar, Baz",
     .a = {{"Foo", "1"}, {"Baz", "2"}},
     .b = {{"Foo", "1"}, {"Baz", "2"}}},
    {.name = "lines joined", .a = foo("1, 2"), .b = {{"Foo", "1"}, {"Foo", "2"}}},
    {.name = "lines joined with others between", .a = foo("1, 2"), .b = {{"Foo", "1"}, {"Bar", "x"}, {"foo", "2"}}},
    {.name = "space around commas", .a = foo("1,2"), .b = foo(" 1 ,\t2 ")},
    {.name = "space after a closing quote", .a = foo("\"a, b\",c"), .b = foo("\"a, b\" , c")},
    {.name = "language order", .vary = "Accept-Language", .a = language("en, de"), .b = language("de, en")},
    {.name = "language case", .vary = "Accept-Language", .a = language("en, de"), .b = language("eN, De")},
    {.name = "language space", .vary = "Accept-Language", .a = language("en, de"), .b = language(" en ,   de")},
    {.name = "language order with q",
     .vary = "Accept-Language",
     .a = language("en;q=0.5, de;q=0.9"),
     .b = language("de; q=0.9, en ;q=0.5")},
    {.name = "q=1", .vary = "Accept-Language", .a = language("en, de;q=0.5"), .b = language("en;q=1.0, de;Q=0.500")},
    {.name = "language on two lines",
     .vary = "Accept-Language",
     .a = language("en, de"),
     .b = {{"Accept-Language", "de"}, {"Accept-Language", "en"}}},
    {.name = "empty members", .vary = "Accept-Language", .a = language("en, de"), .b = language("en,,de,")},
    {.name = "repeated language", .vary = "Accept-Language", .a = language("en, de"), .b = language("en, de, EN")},
    {.name = "encoding order", .vary = "Accept-Encoding", .a = encoding("gzip, br"), .b = encoding("br, gzip")},
    {.name = "encoding case", .vary = "Accept-Encoding", .a = encoding("gzip"), .b = encoding("GZip")},
    {.name = "RFC 9110 8.4.1.3 x-gzip", .vary = "Accept-Encoding", .a = encoding("gzip"), .b = encoding("x-gzip")},
    {.name = "RFC 9110 8.4.1.1 x-compress",
     .vary = "Accept-Encoding",
     .a = encoding("compress"),
     .b = encoding("X-Compress")},
    {.name = "repeated coding", .vary = "Accept-Encoding", .a = encoding("gzip"), .b = encoding("gzip, gzip;q=1")},
    {.name = "exclusions", .vary = "Accept-Encoding", .a = encoding("gzip, *;q=0"), .b = encoding("*;q=0.000,gzip")},
};

const std::vector<Pair> kDifferent = {
    {.name = "value", .a = foo("1"), .b = foo("2")},
    {.name = "value's case", .a = foo("a"), .b = foo("A")},
    {.name = "absent and present", .a = {}, .b = foo("1")},
    {.name = "absent and empty", .a = {}, .b = foo("")},
    {.name = "second of two", .vary = "Foo, Bar", .a = {{"Foo", "1"}, {"Bar", "a"}}, .b = {{"Foo", "1"}, {"Bar", "b"}}},
    {.name = "second of two absent", .vary = "Foo, Bar", .a = {{"Foo", "1"}, {"Bar", "a"}}, .b = foo("1")},
    {.name = "values do not move between fields", .vary = "Foo, Bar", .a = foo("1"), .b = {{"Bar", "1"}}},
    {.name = "order of an unknown list", .a = foo("1, 2"), .b = foo("2, 1")},
    {.name = "second line only", .a = {{"Foo", "1"}, {"Foo", "2"}}, .b = {{"Foo", "1"}, {"Foo", "3"}}},
    {.name = "number of lines", .a = foo("1"), .b = {{"Foo", "1"}, {"Foo", "1"}}},
    {.name = "empty members of an unknown field", .a = foo("1,,2"), .b = foo("1,2")},
    {.name = "space within a member", .a = foo("a b"), .b = foo("a  b")},
    {.name = "space within quotes", .a = foo("\"a, b\""), .b = foo("\"a,b\"")},
    {.name = "escape at the very end", .a = foo("\"a\\"), .b = foo("\"a")},
    {.name = "language set", .vary = "Accept-Language", .a = language("en, de"), .b = language("en")},
    {.name = "language preference",
     .vary = "Accept-Language",
     .a = language("en, de;q=0.5"),
     .b = language("de, en;q=0.5")},
    {.name = "language q", .vary = "Accept-Language", .a = language("en;q=0.5"), .b = language("en;q=0.6")},
    {.name = "coding excluded", .vary = "Accept-Encoding", .a = encoding("gzip"), .b = encoding("gzip;q=0")},
    {.name = "empty and absent codings", .vary = "Accept-Encoding", .a = {}, .b = encoding("")},
    {.name = "malformed q is no q", .vary = "Accept-Encoding", .a = encoding("gzip"), .b = encoding("gzip;q=x")},
    {.name = "q over 1", .vary = "Accept-Encoding", .a = encoding("gzip"), .b = encoding("gzip;q=1.001")},
    {.name = "q with four decimals",
     .vary = "Accept-Encoding",
     .a = encoding("gzip;q=0.5"),
     .b = encoding("gzip;q=0.5000")},
    {.name = "a value that looks like a normal form",
     .vary = "Accept-Encoding",
     .a = encoding("gzip;q=0.5"),
     .b = encoding("gzip;500,")},
    {.name = "another that does", .vary = "Accept-Encoding", .a = encoding("gzip;q=0.5"), .b = encoding("=gzip;500,")},
};

BOOST_AUTO_TEST_CASE(same_variant) {
  for (const auto& row : kSame) {
    BOOST_TEST_CONTEXT(row.name) {
      BOOST_TEST(selecting(row.vary, row.a) == selecting(row.vary, row.b));
    }
  }
}

BOOST_AUTO_TEST_CASE(different_variants) {
  for (const auto& row : kDifferent) {
    BOOST_TEST_CONTEXT(row.name) {
      BOOST_TEST(selecting(row.vary, row.a) != selecting(row.vary, row.b));
    }
  }
}

BOOST_AUTO_TEST_CASE(normal_forms) {
  BOOST_TEST(selecting("Foo", {}) == "foo\n");
  BOOST_TEST(selecting("Foo", foo("")) == "foo:\n");
  BOOST_TEST(selecting("Foo, Bar", foo(" 1 , 2")) == "bar\nfoo:1,2\n");
  BOOST_TEST(selecting("Accept-Encoding", encoding("br;q=0.5, GZIP, *;q=0")) == "accept-encoding=gzip,br;500,*;0,\n");
}

BOOST_AUTO_TEST_CASE(codings_that_are_the_same_once_they_are_normalised) {
  struct Row {
    const char* name;
    const char* wanted;
    Headers stored;
    const char* content_encoding = "";
    bool want = true;
    const char* vary = "Accept-Encoding";
  };
  const std::vector<Row> rows = {
      {.name = "equal", .wanted = "gzip, br", .stored = encoding("gzip, br")},
      {.name = "another coding", .wanted = "gzip, br", .stored = encoding("gzip, deflate, br")},
      {.name = "preferences", .wanted = "gzip, br", .stored = encoding("br, gzip;q=0.1"), .content_encoding = "br"},
      {.name = "any", .wanted = "gzip, br, zstd", .stored = encoding("*;q=0.1"), .content_encoding = "zstd"},
      {.name = "excluded", .wanted = "gzip", .stored = encoding("gzip, br;q=0"), .content_encoding = "x-gzip"},
      {.name = "nothing", .wanted = "identity", .stored = {}, .content_encoding = "identity"},
      {.name = "empty", .wanted = "identity", .stored = encoding("")},
      {.name = "not identity", .wanted = "gzip, identity;q=0", .stored = encoding("gzip, *;q=0")},
      {.name = "unreadable", .wanted = "gzip", .stored = encoding("gzip, br;q=x")},
      {.name = "more is accepted", .wanted = "gzip, br", .stored = encoding("gzip"), .want = false},
      {.name = "less is accepted", .wanted = "gzip", .stored = encoding("gzip, br"), .want = false},
      {.name = "identity or not", .wanted = "gzip", .stored = encoding("gzip, *;q=0"), .want = false},
      {.name = "stored in a coding that is dropped",
       .wanted = "gzip",
       .stored = encoding("gzip, deflate"),
       .content_encoding = "deflate",
       .want = false},
      {.name = "stored in two, one of which is dropped",
       .wanted = "gzip",
       .stored = encoding("gzip, deflate"),
       .content_encoding = "gzip, deflate",
       .want = false},
      {.name = "stored in a coding that nobody asked for",
       .wanted = "identity",
       .stored = {},
       .content_encoding = "gzip",
       .want = false},
      {.name = "another field that is equal",
       .wanted = "gzip, br",
       .stored = encoding("br, gzip, foo"),
       .vary = "Foo, Accept-Encoding, Bar"},
      {.name = "another field that is not",
       .wanted = "gzip",
       .stored = {{"Foo", "1"}, {"Accept-Encoding", "gzip, foo"}},
       .want = false,
       .vary = "Foo, Accept-Encoding"},
      {.name = "a name that begins alike",
       .wanted = "gzip",
       .stored = {{"Accept-Encoding", "gzip, foo"}, {"Accept-Encoding-X", "1"}},
       .want = false,
       .vary = "Accept-Encoding, Accept-Encoding-X"},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      Headers fields;
      if (*row.content_encoding) fields.emplace_back("Content-Encoding", row.content_encoding);
      BOOST_TEST(selects_by_codings(selecting(row.vary, encoding(row.wanted)), selecting(row.vary, row.stored),
                                    map_of(fields)) == row.want);
    }
  }
}

BOOST_AUTO_TEST_CASE(output_is_appended) {
  std::string out = "before|";
  append_selecting_values(parse_vary(map_of({{"Vary", "Foo"}})), map_of(foo("1")), out);
  BOOST_TEST(out == "before|foo:1\n");
}

// Past the number of members that are sorted, lists are compared as they stand.
BOOST_AUTO_TEST_CASE(long_lists) {
  std::string up;
  std::string down;
  for (int i = 0; i < 40; ++i) {
    const auto member = "l" + std::to_string(i);
    up += member + ",";
    down.insert(0, member + ",");
  }
  BOOST_TEST(selecting("Accept-Language", language(up.c_str())) == selecting("Accept-Language", language(up.c_str())));
  BOOST_TEST(selecting("Accept-Language", language(up.c_str())) !=
             selecting("Accept-Language", language(down.c_str())));
}

BOOST_AUTO_TEST_CASE(languages) {
  struct Row {
    const char* name;
    Headers request;
    const char* content_language;
    bool want;
  };
  const std::vector<Row> rows = {
      {.name = "best by q", .request = language("fr;q=0.5, de;q=1.0"), .content_language = "de", .want = true},
      {.name = "case and space", .request = language("DE"), .content_language = " de ", .want = true},
      {.name = "not the best", .request = language("fr, de;q=0.9"), .content_language = "de", .want = false},
      {.name = "one of two best", .request = language("fr, de"), .content_language = "de", .want = false},
      {.name = "no field", .request = {}, .content_language = "de", .want = false},
      {.name = "empty field", .request = language(""), .content_language = "de", .want = false},
      {.name = "excluded", .request = language("de;q=0"), .content_language = "de", .want = false},
      {.name = "range and subtag", .request = language("de"), .content_language = "de-AT", .want = false},
      {.name = "several languages", .request = language("de"), .content_language = "de, en", .want = false},
      {.name = "no language", .request = language("de"), .content_language = "", .want = false},
      {.name = "any", .request = language("*"), .content_language = "de", .want = false},
      {.name = "malformed", .request = language("de;q=2"), .content_language = "de", .want = false},
  };
  for (const auto& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      BOOST_TEST(language_selects(map_of(row.request), row.content_language) == row.want);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::policy
