#include "http/date.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>

#include "http/chars.h"
#include "http/header_map.h"

namespace seawall::http {
namespace {

constexpr std::array<std::string_view, 7> kDays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                   "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::int64_t kFiftyYearsMs = 50LL * 31'556'952 * 1000;

// Takes the parts of a date off the front of the text; once something is wrong, it stays wrong. Names compare without
// case: RFC 9111 section 4.2 asks it of caches. The day's name need not fit the date.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool is_complete() const { return ok_ && rest_.empty(); }

  void literal(std::string_view want) {
    if (ok_ && rest_.size() >= want.size() && iequals(rest_.substr(0, want.size()), want)) {
      rest_.remove_prefix(want.size());
    } else {
      ok_ = false;
    }
  }

  unsigned digits(std::size_t count) {
    unsigned value = 0;
    if (rest_.size() < count) ok_ = false;
    for (std::size_t i = 0; ok_ && i < count; ++i) {
      if (!is_digit(rest_[i])) ok_ = false;
      value = value * 10 + static_cast<unsigned>(rest_[i] - '0');
    }
    if (!ok_) return 0;
    rest_.remove_prefix(count);
    return value;
  }

  // asctime's day: two digits, or a space and one.
  unsigned padded_day() {
    if (!rest_.starts_with(' ')) return digits(2);
    rest_.remove_prefix(1);
    return digits(1);
  }

  void short_day() {
    for (const std::string_view day : kDays) {
      if (starts_with(day.substr(0, 3))) return rest_.remove_prefix(3);
    }
    ok_ = false;
  }

  void long_day() {
    for (const std::string_view day : kDays) {
      if (starts_with(day)) return rest_.remove_prefix(day.size());
    }
    ok_ = false;
  }

  unsigned month() {
    for (unsigned i = 0; i < kMonths.size(); ++i) {
      if (!starts_with(kMonths[i])) continue;
      rest_.remove_prefix(3);
      return i + 1;
    }
    ok_ = false;
    return 0;
  }

 private:
  bool starts_with(std::string_view name) const {
    return rest_.size() >= name.size() && iequals(rest_.substr(0, name.size()), name);
  }

  std::string_view rest_;
  bool ok_ = true;
};

struct Parts {
  unsigned year = 0;
  unsigned month = 0;
  unsigned day = 0;
  unsigned hour = 0;
  unsigned minute = 0;
  unsigned second = 0;
};

void read_time(Reader& in, Parts& out) {
  out.hour = in.digits(2);
  in.literal(":");
  out.minute = in.digits(2);
  in.literal(":");
  out.second = in.digits(2);
}

std::optional<WallTime> to_time(const Parts& p) {
  const std::chrono::year_month_day date{std::chrono::year{static_cast<int>(p.year)}, std::chrono::month{p.month},
                                         std::chrono::day{p.day}};
  // Second 60 is a leap second (RFC 9110 section 5.6.7).
  if (!date.ok() || p.hour > 23 || p.minute > 59 || p.second > 60) return std::nullopt;
  const std::int64_t days = std::chrono::sys_days{date}.time_since_epoch().count();
  return WallTime::from_unix_seconds(days * 86'400 + std::int64_t{p.hour} * 3'600 + std::int64_t{p.minute} * 60 +
                                     p.second);
}

// "Sun, 06 Nov 1994 08:49:37 GMT"
std::optional<WallTime> parse_imf_fixdate(std::string_view text) {
  Reader in(text);
  Parts p;
  in.short_day();
  in.literal(", ");
  p.day = in.digits(2);
  in.literal(" ");
  p.month = in.month();
  in.literal(" ");
  p.year = in.digits(4);
  in.literal(" ");
  read_time(in, p);
  in.literal(" GMT");
  if (!in.is_complete()) return std::nullopt;
  return to_time(p);
}

// "Sunday, 06-Nov-94 08:49:37 GMT"
std::optional<WallTime> parse_rfc850(std::string_view text, WallTime now) {
  Reader in(text);
  Parts p;
  in.long_day();
  in.literal(", ");
  p.day = in.digits(2);
  in.literal("-");
  p.month = in.month();
  in.literal("-");
  const unsigned short_year = in.digits(2);
  in.literal(" ");
  read_time(in, p);
  in.literal(" GMT");
  if (!in.is_complete()) return std::nullopt;

  const std::chrono::year_month_day today{
      std::chrono::sys_days{std::chrono::floor<std::chrono::days>(Seconds{now.unix_seconds()})}};
  const unsigned century = static_cast<unsigned>(static_cast<int>(today.year())) / 100 * 100;
  const std::int64_t latest = now.unix_ms + kFiftyYearsMs;
  // The last of the years with these two digits that is not more than 50 years ahead.
  for (unsigned base : {century + 100, century, century - 100}) {
    p.year = base + short_year;
    const std::optional<WallTime> t = to_time(p);
    if (t && t->unix_ms <= latest) return t;
  }
  return std::nullopt;
}

// "Sun Nov  6 08:49:37 1994"
std::optional<WallTime> parse_asctime(std::string_view text) {
  Reader in(text);
  Parts p;
  in.short_day();
  in.literal(" ");
  p.month = in.month();
  in.literal(" ");
  p.day = in.padded_day();
  in.literal(" ");
  read_time(in, p);
  in.literal(" ");
  p.year = in.digits(4);
  if (!in.is_complete()) return std::nullopt;
  return to_time(p);
}

char* put_digits(char* at, unsigned value, int width) {
  for (int i = width - 1; i >= 0; --i, value /= 10) at[i] = static_cast<char>('0' + value % 10);
  return at + width;
}

char* put_text(char* at, std::string_view text) {
  for (const char c : text) *at++ = c;
  return at;
}

}  // namespace

std::optional<WallTime> parse_date(std::string_view text, WallTime now) {
  if (text.size() > 3 && text[3] == ',') return parse_imf_fixdate(text);
  if (text.size() > 3 && text[3] == ' ') return parse_asctime(text);
  return parse_rfc850(text, now);
}

std::string format_date(WallTime t) {
  // The form has four digits for the year.
  constexpr std::int64_t kFirst = -62'167'219'200;  // year 0
  constexpr std::int64_t kLast = 253'402'300'799;   // end of year 9999
  const std::int64_t seconds = std::min(std::max(t.unix_seconds(), kFirst), kLast);
  const std::chrono::sys_days day = std::chrono::floor<std::chrono::days>(std::chrono::sys_seconds{Seconds{seconds}});
  const std::chrono::year_month_day date{day};
  const auto in_day = static_cast<unsigned>(seconds - std::int64_t{day.time_since_epoch().count()} * 86'400);

  std::array<char, 29> out{};
  char* at = out.data();
  at = put_text(at, kDays[std::chrono::weekday{day}.c_encoding()].substr(0, 3));
  at = put_text(at, ", ");
  at = put_digits(at, static_cast<unsigned>(date.day()), 2);
  at = put_text(at, " ");
  at = put_text(at, kMonths[static_cast<unsigned>(date.month()) - 1]);
  at = put_text(at, " ");
  at = put_digits(at, static_cast<unsigned>(static_cast<int>(date.year())), 4);
  at = put_text(at, " ");
  at = put_digits(at, in_day / 3'600, 2);
  at = put_text(at, ":");
  at = put_digits(at, in_day / 60 % 60, 2);
  at = put_text(at, ":");
  at = put_digits(at, in_day % 60, 2);
  at = put_text(at, " GMT");
  return {out.data(), out.size()};
}

}  // namespace seawall::http
