#include "http/list_syntax.h"

#include <algorithm>
#include <charconv>

#include "http/chars.h"

namespace seawall::http {
namespace {

constexpr bool is_ows(char c) {
  return c == ' ' || c == '\t';
}

}  // namespace

std::string_view trim_ows(std::string_view s) {
  while (!s.empty() && is_ows(s.front())) s.remove_prefix(1);
  while (!s.empty() && is_ows(s.back())) s.remove_suffix(1);
  return s;
}

bool is_token(std::string_view s) {
  return !s.empty() && std::all_of(s.begin(), s.end(), [](char c) { return is_class(c, kTokenChar); });
}

char to_lower(char c) {
  return lower_of(c);
}

std::string to_lower(std::string_view s) {
  std::string out(s);
  for (char& c : out) c = lower_of(c);
  return out;
}

std::optional<std::string_view> ListCursor::next() {
  while (!rest_.empty() && (rest_.front() == ',' || is_ows(rest_.front()))) rest_.remove_prefix(1);
  if (rest_.empty()) return std::nullopt;
  std::size_t i = 0;
  bool quoted = false;
  for (; i < rest_.size() && (quoted || rest_[i] != ','); ++i) {
    if (rest_[i] == '"') {
      quoted = !quoted;
    } else if (quoted && rest_[i] == '\\' && i + 1 < rest_.size()) {
      ++i;
    }
  }
  const std::string_view element = trim_ows(rest_.substr(0, i));
  rest_.remove_prefix(i);
  return element;
}

Directive split_directive(std::string_view element) {
  const std::size_t equals = element.find('=');
  if (equals == std::string_view::npos) return {.name = element, .value = {}, .has_value = false};
  return {.name = element.substr(0, equals), .value = element.substr(equals + 1), .has_value = true};
}

std::optional<std::string> unquote(std::string_view s) {
  if (s.size() < 2 || s.front() != '"' || s.back() != '"') return std::nullopt;
  std::string out;
  out.reserve(s.size() - 2);
  const std::size_t end = s.size() - 1;
  for (std::size_t i = 1; i < end; ++i) {
    if (s[i] == '"') return std::nullopt;
    if (s[i] == '\\') ++i;
    if (i == end) return std::nullopt;
    if (!is_class(s[i], kFieldChar)) return std::nullopt;
    out.push_back(s[i]);
  }
  return out;
}

std::optional<std::int64_t> parse_delta_seconds(std::string_view s) {
  constexpr std::int64_t kMost = std::int64_t{1} << 31;
  if (s.empty()) return std::nullopt;
  std::int64_t value = 0;
  for (const char c : s) {
    if (!is_digit(c)) return std::nullopt;
    value = std::min(value * 10 + (c - '0'), kMost);
  }
  return value;
}

std::optional<std::uint64_t> parse_uint(std::string_view s) {
  if (s.empty() || !is_digit(s.front())) return std::nullopt;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), value);
  if (error != std::errc{} || end != s.data() + s.size()) return std::nullopt;
  return value;
}

}  // namespace seawall::http
