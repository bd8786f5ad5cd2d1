// HTTP-date (RFC 9110 section 5.6.7): IMF-fixdate, and the two obsolete forms on input.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace seawall::http {

// nullopt for anything malformed, a zone other than GMT included. Two-digit years: more than 50 years after `now`
// is the past century.
std::optional<WallTime> parse_date(std::string_view text, WallTime now);
// "Sun, 06 Nov 1994 08:49:37 GMT".
std::string format_date(WallTime t);

}  // namespace seawall::http
