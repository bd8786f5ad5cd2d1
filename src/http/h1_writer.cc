#include "http/h1_writer.h"

#include <array>
#include <charconv>

namespace seawall::http {

void append_request_line(std::string& out, std::string_view method, std::string_view target) {
  out.append(method).append(1, ' ').append(target).append(" HTTP/1.1\r\n");
}

void append_status_line(std::string& out, std::uint16_t status, std::string_view reason) {
  out.append("HTTP/1.1 ");
  append_decimal(out, status);
  // The space stays when there is no phrase (RFC 9112 section 4).
  out.append(1, ' ').append(reason.empty() ? reason_phrase(status) : reason).append(kCrlf);
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append(kCrlf);
}

void append_field(std::string& out, std::string_view name, std::uint64_t value) {
  out.append(name).append(": ");
  append_decimal(out, value);
  out.append(kCrlf);
}

void append_fields(std::string& out, const HeaderMap& headers) {
  for (const HeaderMap::View field : headers) append_field(out, field.name, field.value);
}

void append_end(std::string& out) {
  out.append(kCrlf);
}

void append_chunk_size(std::string& out, std::uint64_t size) {
  std::array<char, 16> digits;
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), size, 16);
  out.append(digits.data(), end).append(kCrlf);
}

void append_last_chunk(std::string& out, const HeaderMap& trailers) {
  out.append("0\r\n");
  append_fields(out, trailers);
  append_end(out);
}

void append_decimal(std::string& out, std::uint64_t value) {
  std::array<char, 20> digits;
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  out.append(digits.data(), end);
}

}  // namespace seawall::http
