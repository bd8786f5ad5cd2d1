// Which status an Error becomes, in one place, and what a client reads of it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace seawall::proxy {

struct ErrorAnswer {
  std::uint16_t status = 500;
  bool retry_after = false;  // 503: worth another try in a moment
};

ErrorAnswer answer_for(const Error& error);
// The error type of Proxy-Status for a failing origin (RFC 9209 section 2.3).
std::string_view proxy_error_type(const Error& error);
// Two lines of plain text: the status, and what happened in words.
std::string error_text(std::uint16_t status, const Error& error);

}  // namespace seawall::proxy
