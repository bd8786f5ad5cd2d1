#include "proxy/h2_fields.h"

#include <algorithm>
#include <charconv>

#include "http/token.h"

namespace seawall::proxy {
namespace {

using http::Field;

constexpr std::uint16_t kFirstStatus = 100;
constexpr std::uint16_t kLastStatus = 999;

// "100101102...": where a :status points to.
constexpr auto kStatusDigits = [] {
  std::array<char, std::size_t{3} * (kLastStatus - kFirstStatus + 1)> digits{};
  for (std::size_t i = 0; i < digits.size() / 3; ++i) {
    const std::size_t status = kFirstStatus + i;
    digits[3 * i] = static_cast<char>('0' + status / 100);
    digits[3 * i + 1] = static_cast<char>('0' + status / 10 % 10);
    digits[3 * i + 2] = static_cast<char>('0' + status % 10);
  }
  return digits;
}();

std::uint8_t* bytes_of(std::string_view text) {
  return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
}

nghttp2_nv entry_of(std::string_view name, std::string_view value, std::uint8_t flags) {
  return {.name = bytes_of(name),
          .value = bytes_of(value),
          .namelen = name.size(),
          .valuelen = value.size(),
          .flags = flags};
}

// RFC 9113 section 8.2.2.
bool is_of_connection(Field field) {
  switch (field) {
    case Field::kConnection:
    case Field::kKeepAlive:
    case Field::kProxyConnection:
    case Field::kTransferEncoding:
    case Field::kUpgrade: return true;
    default: return false;
  }
}

}  // namespace

void H2Fields::begin() {
  list_.clear();
  priority_ = {};
}

void H2Fields::begin(std::uint16_t status) {
  begin();
  const std::size_t at = std::size_t{3} * (std::min(std::max(status, kFirstStatus), kLastStatus) - kFirstStatus);
  list_.push_back(entry_of(":status", {kStatusDigits.data() + at, 3},
                           NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE));
}

void H2Fields::add(Field field, std::string_view name, std::string_view value, Values values) {
  if (is_of_connection(field)) return;
  std::uint8_t flags = values == Values::kStay ? NGHTTP2_NV_FLAG_NO_COPY_VALUE : NGHTTP2_NV_FLAG_NONE;
  if (field != Field::kOther) {
    name = http::lower_name(field);
    flags |= NGHTTP2_NV_FLAG_NO_COPY_NAME;
  } else if (http::iequals(name, "priority")) {
    priority_ = value;
  }
  // A name that is copied is put into lower case by nghttp2.
  list_.push_back(entry_of(name, value, flags));
}

void H2Fields::add(const http::HeaderMap& fields, Values values) {
  for (const auto field : fields) add(field.field, field.name, field.value, values);
}

void H2Fields::add_lines(std::string_view lines) {
  constexpr std::string_view kSeparator = ": ";
  constexpr std::string_view kEnd = "\r\n";
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find(kEnd));
    lines.remove_prefix(std::min(lines.size(), line.size() + kEnd.size()));
    const std::size_t colon = line.find(kSeparator);
    if (colon == std::string_view::npos) continue;
    const std::string_view name = line.substr(0, colon);
    add(http::field_from_name(name), name, line.substr(colon + kSeparator.size()), Values::kCopy);
  }
}

void H2Fields::add_length(std::uint64_t content_length) {
  const char* const end = std::to_chars(length_.data(), length_.data() + length_.size(), content_length).ptr;
  add(Field::kContentLength, {}, {length_.data(), static_cast<std::size_t>(end - length_.data())}, Values::kCopy);
}

}  // namespace seawall::proxy
