// Character classes of RFC 9110 and RFC 3986 in one table, for this folder's parsers. Thread: any.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace seawall::http {

enum CharClass : std::uint8_t {
  kTokenChar = 1,       // RFC 9110 section 5.6.2
  kFieldChar = 2,       // HTAB, SP, VCHAR, obs-text: what a field value may hold
  kTargetChar = 4,      // visible US-ASCII but '#': what a request target may hold
  kUnreservedChar = 8,  // RFC 3986 section 2.3
  kHexChar = 16,
  kDigitChar = 32,
  kAlphaChar = 64,
  kEtagChar = 128,  // RFC 9110 section 8.8.3
};

namespace detail {
constexpr std::uint8_t classes_of(unsigned c) {
  const bool digit = c >= '0' && c <= '9';
  const bool alpha = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  bool token = digit || alpha;
  for (const char* t = "!#$%&'*+-.^_`|~"; *t != '\0'; ++t) token = token || c == static_cast<unsigned char>(*t);
  const bool visible = c > 0x20 && c < 0x7f;
  unsigned out = 0;
  if (token) out |= kTokenChar;
  if (visible || c == ' ' || c == '\t' || c >= 0x80) out |= kFieldChar;
  if (visible && c != '#') out |= kTargetChar;
  if (digit || alpha || c == '-' || c == '.' || c == '_' || c == '~') out |= kUnreservedChar;
  if (digit || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')) out |= kHexChar;
  if (digit) out |= kDigitChar;
  if (alpha) out |= kAlphaChar;
  if ((visible && c != '"') || c >= 0x80) out |= kEtagChar;
  return static_cast<std::uint8_t>(out);
}

constexpr std::array<std::uint8_t, 256> make_class_table() {
  std::array<std::uint8_t, 256> table{};
  for (unsigned c = 0; c < 256; ++c) table[c] = classes_of(c);
  return table;
}

constexpr std::array<char, 256> make_lower_table() {
  std::array<char, 256> table{};
  for (unsigned c = 0; c < 256; ++c) table[c] = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 0x20 : c);
  return table;
}

inline constexpr std::array<std::uint8_t, 256> kClassTable = make_class_table();
inline constexpr std::array<char, 256> kLowerTable = make_lower_table();
}  // namespace detail

constexpr bool is_class(char c, CharClass wanted) {
  return (detail::kClassTable[static_cast<unsigned char>(c)] & wanted) != 0;
}
constexpr char lower_of(char c) {
  return detail::kLowerTable[static_cast<unsigned char>(c)];
}
constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
// Of a kHexChar.
constexpr unsigned hex_value(char c) {
  return static_cast<unsigned>(is_digit(c) ? c - '0' : lower_of(c) - 'a' + 10);
}

}  // namespace seawall::http
