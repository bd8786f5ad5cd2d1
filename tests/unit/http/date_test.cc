#include "http/date.h"

#include <boost/test/unit_test.hpp>

namespace seawall::http {
namespace {

constexpr std::int64_t kNow = 1'767'225'600;  // 1 January 2026
constexpr std::int64_t kInvalid = INT64_MIN;

std::int64_t seconds(std::string_view text, std::int64_t now = kNow) {
  const auto t = parse_date(text, WallTime::from_unix_seconds(now));
  return t ? t->unix_seconds() : kInvalid;
}

struct Row {
  const char* text;
  std::int64_t want = kInvalid;
};

BOOST_AUTO_TEST_SUITE(date)

BOOST_AUTO_TEST_CASE(valid) {
  const Row rows[] = {
      {"Sun, 06 Nov 1994 08:49:37 GMT", 784'111'777},
      {"Sunday, 06-Nov-94 08:49:37 GMT", 784'111'777},
      {"Sun Nov  6 08:49:37 1994", 784'111'777},
      {"Sun Nov 16 08:49:37 1994", 784'975'777},
      {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
      {"Wed, 31 Dec 1969 23:59:59 GMT", -1},
      {"Mon, 06 Nov 1994 08:49:37 GMT", 784'111'777},  // the wrong day of the week
      {"sun, 06 NOV 1994 08:49:37 gMT", 784'111'777},  // RFC 9111 section 4.2: without case
      {"SUNDAY, 06-nov-94 08:49:37 gmt", 784'111'777},
      {"Tue, 29 Feb 2000 12:00:00 GMT", 951'825'600},
      {"Sat, 31 Dec 2016 23:59:60 GMT", 1'483'228'800},
      {"Tue, 19 Jan 2038 14:14:08 GMT", 2'147'523'248},
      {"Fri, 31 Dec 9999 23:59:59 GMT", 253'402'300'799},
      {"Thursday, 18-Aug-50 02:01:18 GMT", 2'544'400'878},
      {"Thu Aug  8 02:01:18 2050", 2'543'536'878},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.text) {
      BOOST_TEST(seconds(row.text) == row.want);
    }
  }
}

BOOST_AUTO_TEST_CASE(invalid) {
  const Row rows[] = {
      {""},
      {"0"},
      {"-1"},
      {"now"},
      {"1994"},
      {"Sun, 06 Nov 1994 08:49:37"},
      {"Sun, 06 Nov 1994 08:49:37 UTC"},
      {"Sun, 06 Nov 1994 08:49:37 AEST"},
      {"Sun, 06 Nov 1994 08:49:37 +0000"},
      {"Sun, 06 Nov 1994 08:49:37 GMT "},
      {" Sun, 06 Nov 1994 08:49:37 GMT"},
      {"Sun, 06 Nov 1994 08:49:37 GMTx"},
      {"Sun 06 Nov 1994 08:49:37 GMT"},
      {"Sun,06 Nov 1994 08:49:37 GMT"},
      {"Sun, 6 Nov 1994 08:49:37 GMT"},
      {"Sun, 06  Nov  1994 08:49:37 GMT"},
      {"Sun, 06-Nov-1994 08:49:37 GMT"},
      {"Sun, 06 Nov 94 08:49:37 GMT"},
      {"Sun, 06 Nov 1994 08.49.37 GMT"},
      {"Sun, 06 Nov 1994 8:49:37 GMT"},
      {"Sun, 06 Nov 1994 08:49 GMT"},
      {"Sun, 06 Nov 1994 24:00:00 GMT"},
      {"Sun, 06 Nov 1994 08:60:37 GMT"},
      {"Sun, 06 Nov 1994 08:49:61 GMT"},
      {"Sun, 00 Nov 1994 08:49:37 GMT"},
      {"Sun, 31 Nov 1994 08:49:37 GMT"},
      {"Wed, 29 Feb 2023 08:49:37 GMT"},
      {"Sun, 06 Foo 1994 08:49:37 GMT"},
      {"Foo, 06 Nov 1994 08:49:37 GMT"},
      {"Sunday, 06 Nov 1994 08:49:37 GMT"},
      {"Sun, 06-Nov-94 08:49:37 GMT"},
      {"Sunday, 06-Nov-1994 08:49:37 GMT"},
      {"Sunday, 6-Nov-94 08:49:37 GMT"},
      {"Sun Nov 6 08:49:37 1994"},
      {"Sun Nov  6 08:49:37 1994 GMT"},
      {"Sun Nov  6 08:49:37 94"},
      {"Sun, 0\xb2 Nov 1994 08:49:37 GMT"},
      {"06 Nov 1994 08:49:37 GMT"},
      {"1994-11-06T08:49:37Z"},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.text) {
      BOOST_TEST(seconds(row.text) == kInvalid);
    }
  }
}

// RFC 9110 section 5.6.7.
BOOST_AUTO_TEST_CASE(two_digit_years) {
  struct YearRow {
    const char* text;
    const char* now;
    const char* want;
  };
  const YearRow rows[] = {
      {"Sunday, 06-Nov-94 08:49:37 GMT", "Thu, 01 Jan 2026 00:00:00 GMT", "Sun, 06 Nov 1994 08:49:37 GMT"},
      {"Sunday, 01-Jan-75 00:00:00 GMT", "Thu, 01 Jan 2026 00:00:00 GMT", "Tue, 01 Jan 2075 00:00:00 GMT"},
      {"Sunday, 01-Jan-77 00:00:00 GMT", "Thu, 01 Jan 2026 00:00:00 GMT", "Sat, 01 Jan 1977 00:00:00 GMT"},
      {"Sunday, 01-Jan-05 00:00:00 GMT", "Thu, 01 Jan 2099 00:00:00 GMT", "Thu, 01 Jan 2105 00:00:00 GMT"},
      {"Sunday, 01-Jan-99 00:00:00 GMT", "Sun, 01 Jan 2001 00:00:00 GMT", "Fri, 01 Jan 1999 00:00:00 GMT"},
  };
  for (const YearRow& row : rows) {
    BOOST_TEST_CONTEXT(row.text << " in " << row.now) {
      const auto t = parse_date(row.text, *parse_date(row.now, WallTime{}));
      BOOST_REQUIRE(t);
      BOOST_TEST(format_date(*t) == row.want);
    }
  }
}

BOOST_AUTO_TEST_CASE(written_dates_are_read_back) {
  BOOST_TEST(format_date(WallTime::from_unix_seconds(784'111'777)) == "Sun, 06 Nov 1994 08:49:37 GMT");
  BOOST_TEST(format_date(WallTime{-1}) == "Wed, 31 Dec 1969 23:59:59 GMT");
  BOOST_TEST(format_date(WallTime{999}) == "Thu, 01 Jan 1970 00:00:00 GMT");
  BOOST_TEST(format_date(WallTime{INT64_MAX}) == "Fri, 31 Dec 9999 23:59:59 GMT");
  for (std::int64_t s = -62'167'219'200; s <= 253'402'300'799; s += 86'399 * 977) {
    const std::string text = format_date(WallTime::from_unix_seconds(s));
    if (seconds(text) != s) BOOST_ERROR(text << " is not " << s);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::http
