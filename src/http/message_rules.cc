#include "http/message_rules.h"

#include <algorithm>
#include <array>

#include "http/field_line.h"
#include "http/header_map.h"

namespace seawall::http {
namespace {

bool starts_with_ignoring_case(std::string_view name, std::string_view prefix) {
  return iequals(name.substr(0, prefix.size()), prefix);
}

bool is_space(char c) {
  return c == ' ' || c == '\t';
}

}  // namespace

bool is_h2_field_name(std::string_view name) {
  return !name.empty() && name.size() <= 0xffff &&
         std::ranges::all_of(name, [](char c) { return is_class(c, kTokenChar) && lower_of(c) == c; });
}

bool is_h2_field_value(std::string_view value) {
  if (value.empty()) return true;
  if (is_space(value.front()) || is_space(value.back())) return false;
  const char* const begin = &value.front();
  return find_control(begin, begin + value.size()) == begin + value.size();
}

// Every field that the code gives a meaning to has a token of its own, so all of those go.
bool may_trail(std::string_view name) {
  static constexpr std::array<std::string_view, 9> kOthers = {
      "WWW-Authenticate", "Authentication-Info", "Surrogate-Key", "xkey",          "Cache-Tag",
      "Cache-Tags",       "Cache-Groups",        "X-Real-IP",     "Edge-Cache-Tag"};
  static constexpr std::string_view kTargetedSuffix = "-cache-control";
  if (field_from_name(name) != Field::kOther) return false;
  if (starts_with_ignoring_case(name, "content-") || starts_with_ignoring_case(name, "x-forwarded-")) return false;
  if (starts_with_ignoring_case(name, "cache-group") || starts_with_ignoring_case(name, "proxy-")) return false;
  if (name.size() > kTargetedSuffix.size() &&
      iequals(name.substr(name.size() - kTargetedSuffix.size()), kTargetedSuffix)) {
    return false;
  }
  return std::none_of(kOthers.begin(), kOthers.end(), [&](std::string_view other) { return iequals(name, other); });
}

}  // namespace seawall::http
