// Members of Accept-Encoding and Accept-Language with their weights (RFC 9110 section 12.4.2). Views point into the
// value given.
#pragma once

#include <optional>
#include <string_view>

namespace seawall::http {

struct Weighted {
  std::string_view name;
  int quality = 1000;  // in thousandths
};

// `name` or `name;q=0.5`; nullopt for anything else.
std::optional<Weighted> parse_weighted(std::string_view element);

}  // namespace seawall::http
