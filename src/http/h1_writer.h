// HTTP/1.1 messages out, always written anew from parsed values. Appends to a string that the caller reuses.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "http/header_map.h"
#include "http/message.h"

namespace seawall::http {

void append_request_line(std::string& out, std::string_view method, std::string_view target);
// Always HTTP/1.1; the registered phrase when `reason` is empty.
void append_status_line(std::string& out, std::uint16_t status, std::string_view reason);
void append_field(std::string& out, std::string_view name, std::string_view value);
void append_field(std::string& out, std::string_view name, std::uint64_t value);
void append_fields(std::string& out, const HeaderMap& headers);
void append_end(std::string& out);  // the empty line

// "1f4\r\n" before a chunk's data; the data is followed by kCrlf.
void append_chunk_size(std::string& out, std::uint64_t size);
inline constexpr std::string_view kCrlf = "\r\n";
// "0\r\n", trailers, "\r\n".
void append_last_chunk(std::string& out, const HeaderMap& trailers);

void append_decimal(std::string& out, std::uint64_t value);

}  // namespace seawall::http
