#include "http/message_rules.h"

#include <algorithm>
#include <array>

#include "http/field_line.h"
#include "http/header_map.h"

namespace seawall::http {
namespace {

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

bool begins_like(std::string_view name, std::string_view prefix) {
  const auto is_same = [](char a, char b) { return (a == '_' ? '-' : lower_of(a)) == b; };
  return name.size() >= prefix.size() && std::ranges::equal(name.substr(0, prefix.size()), prefix, is_same);
}

// Every field that the code gives a meaning to has a token of its own, so all of those go. With them what only
// proxies tell an origin of the client, in all spellings that CGI makes one.
bool may_trail(std::string_view name) {
  static constexpr std::array<std::string_view, 6> kOurs = {"forwarded",   "x-forwarded",   "x-real-ip",
                                                            "client-cert", "x-client-cert", "x-ssl-client"};
  static constexpr std::array<std::string_view, 8> kOthers = {
      "WWW-Authenticate", "Authentication-Info", "Surrogate-Key", "xkey",
      "Cache-Tag",        "Cache-Tags",          "Cache-Groups",  "Edge-Cache-Tag"};
  static constexpr std::string_view kTargetedSuffix = "-cache-control";
  if (field_from_name(name) != Field::kOther) return false;
  if (std::ranges::any_of(kOurs, [&](std::string_view ours) { return begins_like(name, ours); })) return false;
  if (begins_like(name, "content-")) return false;
  if (begins_like(name, "cache-group") || begins_like(name, "proxy-")) return false;
  if (name.size() > kTargetedSuffix.size() &&
      iequals(name.substr(name.size() - kTargetedSuffix.size()), kTargetedSuffix)) {
    return false;
  }
  return std::none_of(kOthers.begin(), kOthers.end(), [&](std::string_view other) { return iequals(name, other); });
}

}  // namespace seawall::http
