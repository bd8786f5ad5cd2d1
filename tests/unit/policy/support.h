// What the tables of this folder share: heads from short lists, and one fixed moment.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "http/date.h"
#include "http/message.h"

namespace seawall::policy {

using Headers = std::vector<std::pair<std::string, std::string>>;

// Wed, 15 Nov 2023 00:00:00 GMT.
inline constexpr WallTime kNow = WallTime::from_unix_seconds(1'700'006'400);

inline std::string date(std::int64_t seconds_from_now) {
  return http::format_date(kNow + Seconds{seconds_from_now});
}

inline http::HeaderMap map_of(const Headers& headers) {
  http::HeaderMap map;
  for (const auto& [name, value] : headers) map.add(name, value);
  return map;
}

inline http::RequestHead request_of(const Headers& headers, std::string_view method = "GET") {
  http::RequestHead r;
  r.method = http::method_from_name(method);
  r.method_name = method;
  r.scheme = "http";
  r.authority = "example.com";
  r.path = "/dir/page?q=1";
  r.headers = map_of(headers);
  return r;
}

inline http::ResponseHead response_of(std::uint16_t status, const Headers& headers) {
  http::ResponseHead r;
  r.status = status;
  r.headers = map_of(headers);
  return r;
}

// "name: value\n" for each line, in order.
inline std::string text_of(const http::HeaderMap& map) {
  std::string out;
  for (const auto line : map) out.append(line.name).append(": ").append(line.value).append("\n");
  return out;
}

}  // namespace seawall::policy
