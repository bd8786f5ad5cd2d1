// Feeds parsers whole and in pieces, and renders what came out so that two results can be compared and printed.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "http/h1_parser.h"

namespace seawall::http {

inline std::string describe(const HeaderMap& headers) {
  std::string out;
  for (const HeaderMap::View field : headers) {
    out.append(field.name).append("=[").append(field.value).append("]");
    out.append(field.field == Field::kOther ? "~ " : " ");
  }
  return out;
}

inline std::string describe(const RequestHead& h) {
  std::string out = h.method_name + "#" + std::to_string(static_cast<int>(h.method)) + " form" +
                    std::to_string(static_cast<int>(h.target_form)) + " " + h.scheme + "|" + h.authority + "|" + h.path;
  out += h.version == Version::kHttp11 ? " 1.1 " : " 1.0 ";
  out += "framing" + std::to_string(static_cast<int>(h.framing)) + ":" + std::to_string(h.content_length);
  if (h.keep_alive) out += " keep-alive";
  if (h.expect_continue) out += " expect-continue";
  if (h.wants_upgrade) out += " wants-upgrade";
  return out + " " + describe(h.headers);
}

inline std::string describe(const ResponseHead& h) {
  std::string out = std::to_string(h.status) + "(" + h.reason + ")";
  out += h.version == Version::kHttp11 ? " 1.1 " : " 1.0 ";
  out += "framing" + std::to_string(static_cast<int>(h.framing)) + ":" + std::to_string(h.content_length);
  if (h.has_content_length) out += " has-length";
  if (h.keep_alive) out += " keep-alive";
  return out + " " + describe(h.headers);
}

// What became of some bytes. `text` says it all in a form to compare.
struct Fed {
  std::optional<Error> error;
  std::size_t consumed = 0;  // 0 and no error: more is needed
  std::string text;
};

inline std::string describe(const Error& e) {
  return std::string(to_string(e.code)) + (e.side == Side::kClient ? " client" : " origin");
}

// `first` bytes at first, then `step` more each time. step 0: all the rest at once.
template <typename Head, typename Parse>
Fed feed_head(std::string_view bytes, std::size_t first, std::size_t step, Parse parse) {
  Fed fed;
  Head head;
  for (std::size_t size = std::min(first, bytes.size());; size = step == 0 ? bytes.size() : size + step) {
    size = std::min(size, bytes.size());
    // A copy of its own each time: nothing may point into an earlier buffer, and a sanitizer sees its end.
    const std::string buffer(bytes.substr(0, size));
    const Result<std::size_t> result = parse(std::string_view(buffer), head);
    if (!result) {
      fed.error = result.error();
      fed.text = describe(*fed.error);
      return fed;
    }
    if (*result != 0) {
      fed.consumed = *result;
      fed.text = std::to_string(fed.consumed) + ": " + describe(head);
      return fed;
    }
    if (size == bytes.size()) break;
  }
  fed.text = "more";
  return fed;
}

inline Fed feed_request(std::string_view bytes, std::size_t first, std::size_t step, const HeadLimits& limits = {}) {
  RequestParser parser(limits);
  return feed_head<RequestHead>(bytes, first, step,
                                [&](std::string_view in, RequestHead& head) { return parser.parse(in, head); });
}

inline Fed feed_response(std::string_view bytes, std::size_t first, std::size_t step, Method method = Method::kGet,
                         const HeadLimits& limits = {}) {
  ResponseParser parser(limits);
  return feed_head<ResponseHead>(
      bytes, first, step, [&](std::string_view in, ResponseHead& head) { return parser.parse(in, method, head); });
}

struct FedBody {
  std::optional<Error> error;
  bool done = false;
  std::size_t consumed = 0;
  std::string payload;
  std::string trailers;

  std::string text() const {
    if (error) return describe(*error) + " after [" + payload + "]";
    return (done ? "done " : "more ") + std::to_string(consumed) + " [" + payload + "] " + trailers;
  }
};

// The bytes arrive at offsets `first`, first + step, ...; what the decoder leaves is given again with what follows.
inline FedBody feed_body(BodyDecoder decoder, std::string_view bytes, std::size_t first, std::size_t step) {
  FedBody fed;
  for (std::size_t size = std::min(first, bytes.size());; size = step == 0 ? bytes.size() : size + step) {
    size = std::min(size, bytes.size());
    while (!fed.done) {
      const std::string buffer(bytes.substr(fed.consumed, size - fed.consumed));
      const Result<BodyDecoder::Piece> piece = decoder.decode(buffer);
      if (!piece) {
        fed.error = piece.error();
        return fed;
      }
      fed.payload += piece->payload;
      fed.consumed += piece->consumed;
      fed.done = piece->done;
      if (piece->consumed == 0) break;
    }
    if (fed.done || size == bytes.size()) break;
  }
  fed.trailers = describe(decoder.trailers());
  return fed;
}

}  // namespace seawall::http
