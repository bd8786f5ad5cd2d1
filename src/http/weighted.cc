#include "http/weighted.h"

#include "http/list_syntax.h"

namespace seawall::http {
namespace {

// qvalue (RFC 9110 section 12.4.2): 0 to 1 with at most three decimals.
std::optional<int> parse_quality(std::string_view s) {
  if (s.empty() || s.size() > 5 || (s[0] != '0' && s[0] != '1')) return std::nullopt;
  int quality = (s[0] - '0') * 1000;
  if (s.size() == 1) return quality;
  if (s[1] != '.') return std::nullopt;
  int weight = 100;
  for (const char c : s.substr(2)) {
    if (c < '0' || c > '9') return std::nullopt;
    quality += (c - '0') * weight;
    weight /= 10;
  }
  if (quality > 1000) return std::nullopt;
  return quality;
}

}  // namespace

std::optional<Weighted> parse_weighted(std::string_view element) {
  const auto semicolon = element.find(';');
  Weighted w{.name = trim_ows(element.substr(0, semicolon))};
  if (!is_token(w.name)) return std::nullopt;
  if (semicolon == std::string_view::npos) return w;
  const auto parameter = trim_ows(element.substr(semicolon + 1));
  if (parameter.size() < 3 || to_lower(parameter[0]) != 'q' || parameter[1] != '=') return std::nullopt;
  const auto quality = parse_quality(parameter.substr(2));
  if (!quality) return std::nullopt;
  w.quality = *quality;
  return w;
}

}  // namespace seawall::http
