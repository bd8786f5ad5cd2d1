// The list syntax of field values (RFC 9110 section 5.6): comma lists that respect quoted strings, OWS, tokens.
// All views point into the value given.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace seawall::http {

std::string_view trim_ows(std::string_view s);
bool is_token(std::string_view s);  // one or more tchar
char to_lower(char c);
std::string to_lower(std::string_view s);

// Elements of a comma-separated list, trimmed, empty ones skipped. A comma inside a quoted string does not separate.
//   for (ListCursor c(value); auto element = c.next();) ...
class ListCursor {
 public:
  explicit ListCursor(std::string_view value) : rest_(value) {}
  std::optional<std::string_view> next();

 private:
  std::string_view rest_;
};

// A directive or parameter `name`, `name=token` or `name="quoted"`. The value is raw (quotes kept); has_value tells
// `a=` from `a`.
struct Directive {
  std::string_view name;
  std::string_view value;
  bool has_value = false;
};
Directive split_directive(std::string_view element);

// The text of a quoted-string with quotes and backslashes removed; nullopt when not one whole quoted-string.
std::optional<std::string> unquote(std::string_view s);

// delta-seconds (RFC 9111 section 1.2.2): digits only; what overflows 2^31 counts as 2^31; nullopt
// for anything else.
std::optional<std::int64_t> parse_delta_seconds(std::string_view s);
// Digits only, no sign, no space; nullopt on overflow of 64 bits or anything else.
std::optional<std::uint64_t> parse_uint(std::string_view s);

}  // namespace seawall::http
