// The fields of a request as nghttp2 takes them: pseudo-header fields first, names in lower case, nothing of the
// connection's (RFC 9113 section 8.2). The list points into the request; nghttp2 copies what it keeps. Thread: one
// owner.
#pragma once

#include <nghttp2/nghttp2.h>

#include <array>
#include <string_view>
#include <vector>

#include "http/exchange.h"

namespace seawall::origin {

class H2RequestFields {
 public:
  // `scheme` is the connection's.
  H2RequestFields(const http::OutgoingRequest& request, std::string_view scheme);
  // Of trailers.
  explicit H2RequestFields(const http::HeaderMap& trailers);
  H2RequestFields(const H2RequestFields&) = delete;
  H2RequestFields& operator=(const H2RequestFields&) = delete;

  const nghttp2_nv* data() const { return list_.data(); }
  std::size_t size() const { return list_.size(); }

 private:
  void add(std::string_view name, std::string_view value);
  void add(const http::HeaderMap& fields);
  void add_length(std::uint64_t length);

  std::vector<nghttp2_nv> list_;
  std::array<char, 20> length_{};
};

}  // namespace seawall::origin
