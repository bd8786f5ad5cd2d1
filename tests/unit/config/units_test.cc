#include "config/units.h"

#include <boost/test/unit_test.hpp>

namespace seawall::config {
namespace {

BOOST_AUTO_TEST_SUITE(config_units)

BOOST_AUTO_TEST_CASE(durations) {
  struct Row {
    std::string_view text;
    std::optional<std::int64_t> ms;
  };
  const Row rows[] = {
      {"0s", 0},
      {"1ms", 1},
      {"250ms", 250},
      {"10s", 10'000},
      {"5m", 300'000},
      {"1h", 3'600'000},
      {"1d", 86'400'000},
      {"007s", 7000},
      {"9223372036854775807ms", 9223372036854775807},
      {"9223372036854775808ms", std::nullopt},
      {"106751991167d", 106751991167 * 86'400'000},
      {"106751991168d", std::nullopt},
      {"99999999999999999999s", std::nullopt},
      {"", std::nullopt},
      {"s", std::nullopt},
      {"10", std::nullopt},
      {"10 s", std::nullopt},
      {" 10s", std::nullopt},
      {"10s ", std::nullopt},
      {"-1s", std::nullopt},
      {"+1s", std::nullopt},
      {"1.5s", std::nullopt},
      {"1e3s", std::nullopt},
      {"1S", std::nullopt},
      {"1h30m", std::nullopt},
      {"1us", std::nullopt},
      {"1w", std::nullopt},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT("\"" << row.text << "\"") {
      const auto got = parse_duration(row.text);
      BOOST_TEST(got.has_value() == row.ms.has_value());
      if (got && row.ms) BOOST_TEST(got->count() == *row.ms);
    }
  }
}

BOOST_AUTO_TEST_CASE(sizes) {
  struct Row {
    std::string_view text;
    std::optional<std::uint64_t> bytes;
  };
  const Row rows[] = {
      {"0", 0},
      {"512", 512},
      {"512B", 512},
      {"64KiB", 65'536},
      {"1MiB", 1'048'576},
      {"1GiB", 1'073'741'824},
      {"2TiB", 2'199'023'255'552},
      {"1KB", 1000},
      {"1kB", 1000},
      {"3MB", 3'000'000},
      {"50GB", 50'000'000'000},
      {"1TB", 1'000'000'000'000},
      {"8388607TiB", 8388607ULL << 40},
      {"8388608TiB", std::nullopt},
      {"", std::nullopt},
      {"KiB", std::nullopt},
      {"64K", std::nullopt},
      {"64kib", std::nullopt},
      {"1XB", std::nullopt},
      {"1.5GiB", std::nullopt},
      {"-1", std::nullopt},
      {"1 GiB", std::nullopt},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT("\"" << row.text << "\"") {
      const auto got = parse_size(row.text);
      BOOST_TEST(got.has_value() == row.bytes.has_value());
      if (got && row.bytes) BOOST_TEST(*got == *row.bytes);
    }
  }
}

BOOST_AUTO_TEST_CASE(percentages) {
  struct Row {
    std::string_view text;
    double percent;  // 0: refused
  };
  const Row rows[] = {{"10%", 10},   {"100%", 100}, {"0.5%", 0.5}, {"12.25%", 12.25}, {"0%", 0},
                      {"100.1%", 0}, {"10", 0},     {"%", 0},      {"-1%", 0},        {"1e1%", 0},
                      {"inf%", 0},   {"nan%", 0},   {"1.2.3%", 0}, {"10 %", 0}};
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.text) {
      BOOST_TEST(parse_percent(row.text).value_or(0) == row.percent);
    }
  }
}

BOOST_AUTO_TEST_CASE(whole_percentages) {
  const std::pair<std::string_view, std::int64_t> rows[] = {{"0%", 0},     {"50%", 50},
                                                            {"100%", 100}, {"120%", 120},
                                                            {"", -1},      {"%", -1},
                                                            {"50", -1},    {"0.5", -1},
                                                            {"-1%", -1},   {"12.5%", -1},
                                                            {"50 %", -1},  {" 50%", -1},
                                                            {"50%%", -1},  {"99999999999999999999%", -1}};
  for (const auto& [text, percent] : rows) BOOST_TEST(parse_whole_percent(text).value_or(-1) == percent, text);
}

BOOST_AUTO_TEST_CASE(the_shortest_text_is_written) {
  const std::pair<std::int64_t, std::string_view> durations[] = {
      {0, "0s"},       {1, "1ms"},        {999, "999ms"},     {1000, "1s"},       {1500, "1500ms"},   {60'000, "1m"},
      {90'000, "90s"}, {3'600'000, "1h"}, {5'400'000, "90m"}, {86'400'000, "1d"}, {604'800'000, "7d"}};
  for (const auto& [ms, text] : durations) {
    BOOST_TEST(format_duration(Millis{ms}) == text);
    BOOST_TEST((parse_duration(text) == Millis{ms}), text);
  }
  const std::pair<std::uint64_t, std::string_view> sizes[] = {{0, "0"},
                                                              {512, "512"},
                                                              {1000, "1KB"},
                                                              {1024, "1KiB"},
                                                              {65'536, "64KiB"},
                                                              {1 << 20, "1MiB"},
                                                              {1536, "1536"},
                                                              {50'000'000'000, "50GB"},
                                                              {1ULL << 40, "1TiB"}};
  for (const auto& [bytes, text] : sizes) {
    BOOST_TEST(format_size(bytes) == text);
    BOOST_TEST((parse_size(text) == bytes), text);
  }
  BOOST_TEST(format_percent(10) == "10%");
  BOOST_TEST(format_percent(12.5) == "12.5%");
  BOOST_TEST(format_percent(0.00000000001) == "0.00000000001%");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::config
