// The lines that heads and trailer sections are made of (RFC 9112 sections 2.2 and 5), for this folder's parsers. All
// refuse at the first byte that does not belong there. Thread: any.
#pragma once

#include <cstdint>
#include <string_view>

#include "http/token.h"

namespace seawall::http {

enum class LineStatus : std::uint8_t { kOk, kMore, kMalformed };

// The first byte in [p, end) that no field value may hold (CTL but HTAB, DEL), or end.
const char* find_control(const char* p, const char* end);

// CRLF, and nothing else, at `p`; moves `p` past it.
LineStatus read_crlf(const char*& p, const char* end);

struct FieldLine {
  Field field = Field::kOther;
  std::string_view name;
  std::string_view value;  // without the white space around it
  std::string_view text;   // from the first byte of the name to the last of the value
};
// One `name: value CRLF` at `p`; moves `p` past it when it is complete. No obs-fold, no space before the colon.
LineStatus read_field_line(const char*& p, const char* end, FieldLine& out);

}  // namespace seawall::http
