// The fields of an answer as nghttp2 takes them: names in lower case, nothing of the connection's (RFC 9113 section
// 8.2). One list at a time; reused for the next, and without allocation once it has grown. Thread: one owner.
#pragma once

#include <nghttp2/nghttp2.h>

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "http/header_map.h"

namespace seawall::proxy {

class H2Fields {
 public:
  // Whether values stay where they are until the frame has left; else nghttp2 is to copy them.
  enum class Values : std::uint8_t { kStay, kCopy };

  // Starts a list with :status; without, one of trailers.
  void begin(std::uint16_t status);
  void begin();
  void add(const http::HeaderMap& fields, Values values);
  // "Name: value CRLF", any number of times.
  void add_lines(std::string_view lines);
  void add_length(std::uint64_t content_length);

  const nghttp2_nv* data() const { return list_.data(); }
  std::size_t size() const { return list_.size(); }
  // The value of Priority (RFC 9218); empty: none.
  std::string_view priority() const { return priority_; }
  // Gives back what it has grown to.
  void release() { list_ = {}; }

 private:
  void add(http::Field field, std::string_view name, std::string_view value, Values values);

  std::vector<nghttp2_nv> list_;
  std::string_view priority_;
  std::array<char, 20> length_{};
};

}  // namespace seawall::proxy
