#include "origin/h2_request_fields.h"

#include <charconv>

namespace seawall::origin {
namespace {

using http::Field;

std::uint8_t* bytes_of(std::string_view text) {
  return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
}

// RFC 9113 section 8.2.2, and what the frames or the pseudo-header fields say instead.
bool is_said_otherwise(Field field) {
  switch (field) {
    case Field::kHost:
    case Field::kConnection:
    case Field::kKeepAlive:
    case Field::kProxyConnection:
    case Field::kTe:
    case Field::kTransferEncoding:
    case Field::kUpgrade:
    case Field::kHttp2Settings:
    case Field::kContentLength: return true;
    default: return false;
  }
}

// RFC 9110 section 8.6: such a request without content says so.
bool expects_content(http::Method method) {
  return method == http::Method::kPost || method == http::Method::kPut || method == http::Method::kPatch;
}

}  // namespace

H2RequestFields::H2RequestFields(const http::OutgoingRequest& request, std::string_view scheme) {
  list_.reserve(request.headers.size() + 5);
  add(":method", request.method_name);
  add(":scheme", scheme);
  if (const auto host = request.headers.find(Field::kHost)) add(":authority", *host);
  add(":path", request.target);
  add(request.headers);
  if (!request.body) {
    if (expects_content(request.method)) add_length(0);
  } else if (request.body_length) {
    add_length(*request.body_length);
  }
}

H2RequestFields::H2RequestFields(const http::HeaderMap& trailers) {
  list_.reserve(trailers.size());
  add(trailers);
}

void H2RequestFields::add(std::string_view name, std::string_view value) {
  // A name that is copied is put into lower case by nghttp2.
  list_.push_back({.name = bytes_of(name),
                   .value = bytes_of(value),
                   .namelen = name.size(),
                   .valuelen = value.size(),
                   .flags = NGHTTP2_NV_FLAG_NONE});
}

void H2RequestFields::add(const http::HeaderMap& fields) {
  for (const auto field : fields) {
    if (!is_said_otherwise(field.field)) add(field.name, field.value);
  }
}

void H2RequestFields::add_length(std::uint64_t length) {
  const char* const end = std::to_chars(length_.data(), length_.data() + length_.size(), length).ptr;
  add("content-length", {length_.data(), static_cast<std::size_t>(end - length_.data())});
}

}  // namespace seawall::origin
