#include "http/list_syntax.h"

#include <boost/test/unit_test.hpp>

namespace seawall::http {
namespace {

std::string elements(std::string_view value) {
  std::string out;
  for (ListCursor c(value); const auto e = c.next();) out.append("<").append(*e).append(">");
  return out;
}

BOOST_AUTO_TEST_SUITE(list_syntax)

BOOST_AUTO_TEST_CASE(lists) {
  struct Row {
    const char* value;
    const char* want;
  };
  const Row rows[] = {
      {"", ""},
      {" \t", ""},
      {",,, ,", ""},
      {"a", "<a>"},
      {" a ,\tb,c ", "<a><b><c>"},
      {"a,,b,", "<a><b>"},
      {"a b", "<a b>"},
      {R"(x="a,b", c)", R"(<x="a,b"><c>)"},
      {R"("a\",b", c)", R"(<"a\",b"><c>)"},
      {R"("unclosed, c)", R"(<"unclosed, c>)"},
      {R"("a\)", R"(<"a\>)"},
      {R"(a"b,c"d,e)", R"(<a"b,c"d><e>)"},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.value) {
      BOOST_TEST(elements(row.value) == row.want);
    }
  }
}

BOOST_AUTO_TEST_CASE(trimming_and_tokens) {
  BOOST_TEST(trim_ows(" \t a b\t ") == "a b");
  BOOST_TEST(trim_ows(" \t ") == "");
  BOOST_TEST(trim_ows("\na") == "\na");
  BOOST_TEST(is_token("!#$%&'*+-.^_`|~09azAZ"));
  using namespace std::string_view_literals;
  for (const std::string_view bad : {""sv, "a b"sv, "a,"sv, "a="sv, "("sv, "\""sv, "\xe9"sv, "\0"sv, "a\x7f"sv}) {
    BOOST_TEST(!is_token(bad), bad);
  }
  BOOST_TEST(to_lower("AbC-1\xc4") == "abc-1\xc4");
  BOOST_TEST(to_lower('Z') == 'z');
  BOOST_TEST(to_lower('[') == '[');
}

BOOST_AUTO_TEST_CASE(directives) {
  struct Row {
    const char* element;
    const char* name;
    const char* value;
    bool has_value;
  };
  const Row rows[] = {
      {"no-store", "no-store", "", false}, {"max-age=1", "max-age", "1", true},
      {"max-age=", "max-age", "", true},   {"a=\"b=c\"", "a", "\"b=c\"", true},
      {"a=b=c", "a", "b=c", true},         {"a =1", "a ", "1", true},
      {"a= 1", "a", " 1", true},           {"=1", "", "1", true},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.element) {
      const Directive d = split_directive(row.element);
      BOOST_TEST(d.name == row.name);
      BOOST_TEST(d.value == row.value);
      BOOST_TEST(d.has_value == row.has_value);
    }
  }
}

BOOST_AUTO_TEST_CASE(quoted_strings) {
  BOOST_TEST(unquote("\"\"").value_or("x") == "");
  BOOST_TEST(unquote("\"a b\"").value_or("") == "a b");
  BOOST_TEST(unquote(R"("a\"b\\c")").value_or("") == R"(a"b\c)");
  for (const char* bad : {"", "\"", "a", "\"a", "a\"", R"("a"b")", R"("a\")", "'a'", "\"a\nb\""}) {
    BOOST_TEST(!unquote(bad), bad);
  }
}

BOOST_AUTO_TEST_CASE(delta_seconds) {
  constexpr std::int64_t kMost = 2'147'483'648;
  struct Row {
    const char* text;
    std::int64_t want;  // -1: nullopt
  };
  const Row rows[] = {
      {"0", 0},
      {"3600", 3600},
      {"003600", 3600},
      {"2147483647", 2'147'483'647},
      {"2147483648", kMost},
      {"2147483649", kMost},
      {"99999999999999999999999999", kMost},
      {"", -1},
      {"-1", -1},
      {"+1", -1},
      {"1.0", -1},
      {" 1", -1},
      {"1 ", -1},
      {"1a", -1},
      {"a1", -1},
      {"\"1\"", -1},
      {"99999999999999999999999999x", -1},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.text) {
      BOOST_TEST(parse_delta_seconds(row.text).value_or(-1) == row.want);
    }
  }
}

BOOST_AUTO_TEST_CASE(unsigned_integers) {
  BOOST_TEST(parse_uint("0").value_or(1) == 0U);
  BOOST_TEST(parse_uint("0010").value_or(1) == 10U);
  BOOST_TEST(parse_uint("18446744073709551615").value_or(1) == 18446744073709551615U);
  for (const char* bad : {"", "18446744073709551616", "-1", "+1", " 1", "1 ", "0x1", "1,1", "1.0"}) {
    BOOST_TEST(!parse_uint(bad), bad);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::http
