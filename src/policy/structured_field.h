// Dictionaries of structured fields (RFC 9651 section 3.2), as far as targeted cache control needs them: syntax is
// checked in full, values other than booleans, integers and strings are only known to be something else.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace seawall::policy {

struct SfMember {
  enum class Kind : std::uint8_t { kBoolean, kInteger, kString, kOther };

  std::string key;
  Kind kind = Kind::kBoolean;
  bool boolean = true;
  std::int64_t integer = 0;
  std::string text;  // of a string, unescaped
};

// A key that comes again replaces the earlier one. Parameters are checked and dropped. nullopt: the syntax is wrong and
// the whole field is to be ignored. Empty input is an empty dictionary.
std::optional<std::vector<SfMember>> parse_sf_dictionary(std::string_view text);

}  // namespace seawall::policy
