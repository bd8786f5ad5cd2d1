#include "http/range.h"

#include <boost/test/unit_test.hpp>

namespace seawall::http {
namespace {

std::string text_of(const std::vector<ByteRange>& ranges) {
  std::string out;
  for (const ByteRange& r : ranges) {
    out += (out.empty() ? "" : ",") + std::to_string(r.first) + "-" + std::to_string(r.last);
  }
  return out;
}

std::string resolved(std::string_view value, std::uint64_t length) {
  const auto specs = parse_range(value);
  if (!specs) return "ignored";
  const auto ranges = resolve(*specs, length);
  return ranges.empty() ? "416" : text_of(ranges);
}

BOOST_AUTO_TEST_SUITE(range)

BOOST_AUTO_TEST_CASE(requests) {
  struct Row {
    const char* value;
    const char* want;
    std::uint64_t length = 100;
  };
  const Row rows[] = {
      {"bytes=0-9", "0-9"},
      {"Bytes=0-9", "0-9"},
      {"bytes=0-0", "0-0"},
      {"bytes=90-", "90-99"},
      {"bytes=90-1000", "90-99"},
      {"bytes=-10", "90-99"},
      {"bytes=-1000", "0-99"},
      {"bytes=100-", "416"},
      {"bytes=100-200", "416"},
      {"bytes=-0", "416"},
      {"bytes=0-", "416", 0},
      {"bytes=-5", "416", 0},
      {"bytes=0-0,-1", "0-0,99-99"},
      {"bytes=0-9, 20-29 ,\t40-", "0-9,20-29,40-99"},
      {"bytes=,0-9,,", "0-9"},
      {"bytes=0-9,200-300", "0-9"},
      {"bytes=0-9,5-19", "0-19"},
      {"bytes=0-9,10-19", "0-19"},
      {"bytes=0-9,11-19", "0-9,11-19"},
      {"bytes=50-59,0-9", "50-59,0-9"},
      {"bytes=50-59,0-9,55-69", "50-69,0-9"},
      {"bytes=0-9,20-29,5-24", "0-29"},
      {"bytes=0-9,40-49,20-29,8-21", "0-29,40-49"},
      {"bytes=0-,0-,0-", "0-99"},
      {"bytes=18446744073709551615-", "416"},
      {"bytes=0-18446744073709551615", "0-99"},
      {"bytes=0-99999999999999999999999", "0-99"},
      {"bytes=99999999999999999999999-", "416"},
      {"bytes=-99999999999999999999999", "0-99"},
      {"bytes=0-", "0-18446744073709551614", UINT64_MAX},
      {"bytes=0-,-5", "0-18446744073709551614", UINT64_MAX},
      {"", "ignored"},
      {"bytes", "ignored"},
      {"bytes=", "ignored"},
      {"bytes=,", "ignored"},
      {"bytes=-", "ignored"},
      {"bytes=9-0", "ignored"},
      {"bytes=0-9,9-0", "ignored"},
      {"bytes=a-b", "ignored"},
      {"bytes=0", "ignored"},
      {"bytes=0-9-", "ignored"},
      {"bytes=0 - 9", "ignored"},
      {"bytes= 0-9", "0-9"},
      {"bytes=+0-9", "ignored"},
      {"bytes=--9", "ignored"},
      {"bytes =0-9", "ignored"},
      {"lines=0-9", "ignored"},
      {"0-9", "ignored"},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.value) {
      BOOST_TEST(resolved(row.value, row.length) == row.want);
    }
  }
}

BOOST_AUTO_TEST_CASE(too_many_are_ignored) {
  std::string value = "bytes=0-0";
  for (int i = 1; i < 32; ++i) value += "," + std::to_string(2 * i) + "-" + std::to_string(2 * i);
  BOOST_TEST(parse_range(value)->size() == 32U);
  BOOST_TEST(!parse_range(value + ",90-90"));
  BOOST_TEST(!parse_range("bytes=0-0,1-1", 1));
}

BOOST_AUTO_TEST_CASE(content_range) {
  struct Row {
    const char* value;
    const char* want;  // as it is written again
  };
  const Row good[] = {
      {"bytes 0-9/100", "bytes 0-9/100"}, {"Bytes 0-0/1", "bytes 0-0/1"},       {"bytes 5-9/*", "bytes 5-9/*"},
      {"bytes */100", "bytes */100"},     {"bytes 0-99/100", "bytes 0-99/100"}, {"bytes */0", "bytes */0"},
  };
  for (const Row& row : good) {
    BOOST_TEST_CONTEXT(row.value) {
      const auto c = parse_content_range(row.value);
      BOOST_REQUIRE(c);
      BOOST_TEST((c->range ? format_content_range(*c->range, c->complete_length)
                           : format_unsatisfied_range(*c->complete_length)) == row.want);
    }
  }
  for (const char* bad : {"",
                          "bytes",
                          "bytes ",
                          "bytes 0-9",
                          "bytes 0-9/",
                          "bytes /100",
                          "bytes */*",
                          "bytes 9-0/100",
                          "bytes 0-100/100",
                          "bytes 0-9/9",
                          "bytes=0-9/100",
                          "bytes  0-9/100",
                          "bytes 0 -9/100",
                          "bytes 0-9/100 ",
                          "bytes -9/100",
                          "bytes 0-/100",
                          "bytes +0-9/100",
                          "bytes 0-9/1x",
                          "lines 0-9/100",
                          "bytes 0-18446744073709551615/*",
                          "bytes 0-9/18446744073709551616",
                          "bytes 0-9/100/100"}) {
    BOOST_TEST(!parse_content_range(bad), bad);
  }
  BOOST_TEST((ByteRange{10, 19}.size() == 10U));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::http
