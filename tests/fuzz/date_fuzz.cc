// HTTP-date: what is read is written in the preferred form, which is read again as the same time.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "http/date.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view in(reinterpret_cast<const char*>(data), size);
  for (const std::int64_t now : {0L, 1'767'225'600L, 4'102'444'800L}) {
    const auto now_time = seawall::WallTime::from_unix_seconds(now);
    const auto t = seawall::http::parse_date(in, now_time);
    if (!t) continue;
    const std::string text = seawall::http::format_date(*t);
    SW_CHECK(text.size() == 29, "the form is fixed");
    // A leap second at the very end of year 9999 is the only time without a form of its own.
    const auto again = seawall::http::parse_date(text, now_time);
    SW_CHECK(again && (*again == *t || t->unix_seconds() > 253'402'300'799), "written dates are read back");
  }
  return 0;
}
