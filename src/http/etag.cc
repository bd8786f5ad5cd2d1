#include "http/etag.h"

#include <algorithm>

#include "http/chars.h"
#include "http/list_syntax.h"

namespace seawall::http {
namespace {

// An entity-tag has no escapes, so a backslash before the closing quote is part of it: not ListCursor's syntax.
std::size_t member_size(std::string_view list) {
  const std::size_t open = list.starts_with("W/\"") ? 2 : 0;
  if (list[open] == '"') {
    const std::size_t close = list.find('"', open + 1);
    if (close != std::string_view::npos) return std::min(list.find(',', close), list.size());
  }
  return std::min(list.find(','), list.size());
}

bool member_matches(std::string_view member, std::string_view text, const std::optional<EntityTag>& etag,
                    Comparison how) {
  const std::optional<EntityTag> given = parse_etag(member);
  if (given && etag) return how == Comparison::kStrong ? strong_match(*given, *etag) : weak_match(*given, *etag);
  const bool is_weak = member.starts_with("W/");
  return member == text && !(is_weak && how == Comparison::kStrong);
}

}  // namespace

std::optional<EntityTag> parse_etag(std::string_view text) {
  EntityTag tag;
  if (text.starts_with("W/")) {
    tag.weak = true;
    text.remove_prefix(2);
  }
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') return std::nullopt;
  const std::string_view inner = text.substr(1, text.size() - 2);
  if (!std::all_of(inner.begin(), inner.end(), [](char c) { return is_class(c, kEtagChar); })) return std::nullopt;
  tag.opaque = text;
  return tag;
}

std::optional<std::string_view> EtagCursor::next() {
  while (!rest_.empty() && (rest_.front() == ',' || rest_.front() == ' ' || rest_.front() == '\t'))
    rest_.remove_prefix(1);
  if (rest_.empty()) return std::nullopt;
  const std::size_t size = member_size(rest_);
  const std::string_view member = trim_ows(rest_.substr(0, size));
  rest_.remove_prefix(size);
  return member;
}

bool list_contains(std::string_view list, std::string_view etag, Comparison how) {
  const std::optional<EntityTag> parsed = parse_etag(etag);
  for (EtagCursor cursor(list); const auto member = cursor.next();) {
    if (*member != "*" && member_matches(*member, etag, parsed, how)) return true;
  }
  return false;
}

}  // namespace seawall::http
