// RFC 9651 dictionaries: what is accepted, and as what.
#include "policy/structured_field.h"

#include <boost/test/unit_test.hpp>

namespace seawall::policy {
namespace {

std::string text_of(const std::optional<std::vector<SfMember>>& members) {
  if (!members) return "error";
  std::string out;
  for (const auto& m : *members) {
    out.append(out.empty() ? "" : " ").append(m.key).append("=");
    switch (m.kind) {
      case SfMember::Kind::kBoolean: out.append(m.boolean ? "?1" : "?0"); break;
      case SfMember::Kind::kInteger: out.append(std::to_string(m.integer)); break;
      case SfMember::Kind::kString: out.append("\"").append(m.text).append("\""); break;
      case SfMember::Kind::kOther: out.append("other"); break;
    }
  }
  return out;
}

BOOST_AUTO_TEST_SUITE(policy_structured_field)

BOOST_AUTO_TEST_CASE(dictionaries) {
  struct Row {
    const char* text;
    const char* want;
  };
  const std::vector<Row> rows = {
      {.text = "", .want = ""},
      {.text = "   ", .want = ""},
      {.text = "a", .want = "a=?1"},
      {.text = "  a  ", .want = "a=?1"},
      {.text = "a, b", .want = "a=?1 b=?1"},
      {.text = "a\t,\tb", .want = "a=?1 b=?1"},
      {.text = "a=?0, b=?1", .want = "a=?0 b=?1"},
      {.text = "a=?2", .want = "error"},
      {.text = "a=?", .want = "error"},
      {.text = "a=1", .want = "a=1"},
      {.text = "a=-1", .want = "a=-1"},
      {.text = "a=0042", .want = "a=42"},
      {.text = "a=999999999999999", .want = "a=999999999999999"},
      {.text = "a=1000000000000000", .want = "error"},
      {.text = "a=-", .want = "error"},
      {.text = "a=--1", .want = "error"},
      {.text = "a=+1", .want = "error"},
      {.text = "a=1.5", .want = "a=other"},
      {.text = "a=1.", .want = "error"},
      {.text = "a=1.2345", .want = "error"},
      {.text = "a=1234567890123.1", .want = "error"},
      {.text = "a=1.5.5", .want = "error"},
      {.text = "a=", .want = "error"},
      {.text = "a= 1", .want = "error"},
      {.text = "a =1", .want = "error"},
      {.text = "a=\"x y\"", .want = "a=\"x y\""},
      {.text = "a=\"\"", .want = "a=\"\""},
      {.text = "a=\"\\\"\\\\\"", .want = "a=\"\"\\\""},
      {.text = "a=\"\\x\"", .want = "error"},
      {.text = "a=\"x", .want = "error"},
      {.text = "a=\"x\\", .want = "error"},
      {.text = "a=\"\x7f\"", .want = "error"},
      {.text = "a=\"\xc3\xbc\"", .want = "error"},
      {.text = "a=token/x:y", .want = "a=other"},
      {.text = "a=*x", .want = "a=other"},
      {.text = "a=:aGVsbG8=:", .want = "a=other"},
      {.text = "a=:aGVsbG8=", .want = "error"},
      {.text = "a=:?:", .want = "error"},
      {.text = "a=@1659578233", .want = "a=other"},
      {.text = "a=@1.5", .want = "error"},
      {.text = "a=@", .want = "error"},
      {.text = "a=%\"f%c3%bc\"", .want = "a=other"},
      {.text = "a=%\"f%C3\"", .want = "error"},
      {.text = "a=%\"f%c\"", .want = "error"},
      {.text = "a=%x", .want = "error"},
      {.text = "a=()", .want = "a=other"},
      {.text = "a=(1 \"b\" c)", .want = "a=other"},
      {.text = "a=( 1  2 );x=1", .want = "a=other"},
      {.text = "a=(1;x 2;y=3)", .want = "a=other"},
      {.text = "a=(1", .want = "error"},
      {.text = "a=(1,2)", .want = "error"},
      {.text = "a=(1\"b\")", .want = "error"},
      {.text = "a;x;y=2, b=1;z", .want = "a=?1 b=1"},
      {.text = "a; x", .want = "a=?1"},
      {.text = "a ;x", .want = "error"},
      {.text = "a;", .want = "error"},
      {.text = "a;X", .want = "error"},
      {.text = "a;x=", .want = "error"},
      {.text = "a,", .want = "error"},
      {.text = ",a", .want = "error"},
      {.text = "a,,b", .want = "error"},
      {.text = "a b", .want = "error"},
      {.text = "A", .want = "error"},
      {.text = "1a", .want = "error"},
      {.text = "*a-b_c.d*9=1", .want = "*a-b_c.d*9=1"},
      {.text = "a=1, b=2, a=3", .want = "b=2 a=3"},
      {.text = "\ta", .want = "error"},
      {.text = "a=&", .want = "error"},
  };
  for (const auto& row : rows) {
    BOOST_TEST_CONTEXT(row.text) {
      BOOST_TEST(text_of(parse_sf_dictionary(row.text)) == row.want);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::policy
