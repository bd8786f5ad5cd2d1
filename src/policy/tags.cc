#include "policy/tags.h"

#include <algorithm>
#include <string_view>

#include "http/list_syntax.h"

namespace seawall::policy {
namespace {

bool is_tag(std::string_view s) {
  return !s.empty() && s.size() <= kMaxTagBytes && std::ranges::all_of(s, [](char c) { return c > ' ' && c < '\x7f'; });
}

}  // namespace

std::vector<std::string> parse_tags(const http::HeaderMap& response, std::span<const std::string> fields) {
  std::vector<std::string> tags;
  for (const auto line : response) {
    const bool is_wanted =
        std::ranges::any_of(fields, [&](const std::string& field) { return http::iequals(field, line.name); });
    if (!is_wanted) continue;
    const std::string_view separators = http::iequals(line.name, "Cache-Tag") ? "," : ", \t";
    for (std::string_view rest = line.value; !rest.empty();) {
      const std::size_t end = std::min(rest.find_first_of(separators), rest.size());
      const std::string_view tag = http::trim_ows(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
      if (!is_tag(tag) || std::ranges::find(tags, tag) != tags.end()) continue;
      if (tags.size() == kMaxTags) return tags;
      tags.emplace_back(tag);
    }
  }
  return tags;
}

}  // namespace seawall::policy
