// Tags in tables: what separates them, what is left out, where it ends.
#include "policy/tags.h"

#include <boost/test/unit_test.hpp>

#include "unit/policy/support.h"

namespace seawall::policy {
namespace {

const std::vector<std::string> kFields = {"Cache-Tag", "Surrogate-Key", "xkey"};

BOOST_AUTO_TEST_SUITE(policy_tags)

BOOST_AUTO_TEST_CASE(what_is_a_tag) {
  struct Row {
    const char* name;
    Headers headers;
    std::vector<std::string> want;
  };
  const std::string longest(kMaxTagBytes, 't');
  const std::vector<Row> rows = {
      {.name = "no field", .headers = {{"Content-Type", "a"}}, .want = {}},
      {.name = "an empty field", .headers = {{"Cache-Tag", ""}}, .want = {}},
      {.name = "commas", .headers = {{"Cache-Tag", "a,b, c ,\td"}}, .want = {"a", "b", "c", "d"}},
      {.name = "empty members", .headers = {{"Cache-Tag", ",a,, ,b,"}}, .want = {"a", "b"}},
      {.name = "a space separates nothing in Cache-Tag", .headers = {{"Cache-Tag", "a b, c"}}, .want = {"c"}},
      {.name = "spaces elsewhere", .headers = {{"Surrogate-Key", " a  b\tc "}}, .want = {"a", "b", "c"}},
      {.name = "commas and spaces elsewhere", .headers = {{"xkey", "a, b c,d"}}, .want = {"a", "b", "c", "d"}},
      {.name = "a name has no case", .headers = {{"cache-tag", "a b"}, {"XKEY", "c d"}}, .want = {"c", "d"}},
      {.name = "several lines", .headers = {{"xkey", "a"}, {"X", "x"}, {"xkey", "b"}}, .want = {"a", "b"}},
      {.name = "several fields, as they stand", .headers = {{"xkey", "b"}, {"Cache-Tag", "a"}}, .want = {"b", "a"}},
      {.name = "once", .headers = {{"Cache-Tag", "a,b,a"}, {"xkey", "b a c"}}, .want = {"a", "b", "c"}},
      {.name = "case counts", .headers = {{"xkey", "a A"}}, .want = {"a", "A"}},
      {.name = "any visible character", .headers = {{"xkey", "!~\"/:;="}}, .want = {"!~\"/:;="}},
      {.name = "not ASCII", .headers = {{"xkey", "a b\xc3\xa9 c"}}, .want = {"a", "c"}},
      {.name = "control characters", .headers = {{"xkey", "a b\x01 c\x7f d"}}, .want = {"a", "d"}},
      {.name = "the longest", .headers = {{"xkey", longest}}, .want = {longest}},
      {.name = "too long", .headers = {{"xkey", "a " + longest + "t b"}}, .want = {"a", "b"}},
      {.name = "a field that is not configured", .headers = {{"Edge-Tag", "a"}}, .want = {}},
  };
  for (const auto& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      BOOST_TEST(parse_tags(map_of(row.headers), kFields) == row.want, boost::test_tools::per_element());
    }
  }
}

BOOST_AUTO_TEST_CASE(any_configured_field) {
  const std::vector<std::string> fields = {"Edge-Tag", "edge-tag"};
  const std::vector<std::string> want = {"a", "b"};
  BOOST_TEST(parse_tags(map_of({{"Edge-Tag", "a b"}, {"xkey", "c"}}), fields) == want,
             boost::test_tools::per_element());
  BOOST_TEST(parse_tags(map_of({{"Cache-Tag", "a"}}), {}).empty());
}

BOOST_AUTO_TEST_CASE(so_many_and_no_more) {
  std::string value;
  for (std::size_t i = 0; i < 2 * kMaxTags; ++i) value += "t" + std::to_string(i % (kMaxTags + 1)) + " ";
  const auto tags = parse_tags(map_of({{"xkey", "t0"}, {"xkey", value}, {"Cache-Tag", "later"}}), kFields);
  BOOST_REQUIRE(tags.size() == kMaxTags);
  for (std::size_t i = 0; i < kMaxTags; ++i) BOOST_TEST(tags[i] == "t" + std::to_string(i));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::policy
