// HTTP/1.1 messages in, strictly (RFC 9112): whatever two parsers could read differently is refused. No I/O; bytes in,
// heads and body pieces out. Nothing in the results points into the input, but for the payload views of BodyDecoder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/message.h"

namespace seawall::http {

enum class LineStatus : std::uint8_t;

struct HeadLimits {
  std::size_t target_bytes = std::size_t{8} * 1024;   // past it 414
  std::size_t header_bytes = std::size_t{32} * 1024;  // the whole head; past it 431
  std::size_t header_count = 100;                     // past it 431
};

// Feed it the unconsumed bytes of the connection from their start each time; it remembers how far it has looked, so
// that a head that comes byte by byte costs linear time. One head at a time; parse() after done starts the next.
class RequestParser {
 public:
  explicit RequestParser(const HeadLimits& limits) : limits_(limits) {}

  // Bytes consumed by a complete head, 0 when more is needed. Errors are final for the connection (side kClient).
  // One CRLF before the request line is skipped. `default_scheme` is the listener's ("http").
  Result<std::size_t> parse(std::string_view buffer, RequestHead& out, std::string_view default_scheme = "http");
  // True when part of a head has been seen: an idle connection may close silently, this one gets 408.
  bool has_begun() const { return scanned_ > 0; }

 private:
  HeadLimits limits_;
  std::size_t scanned_ = 0;     // bytes already looked at
  std::size_t line_start_ = 0;  // start of the line that is incomplete
  std::size_t lines_ = 0;
};

// Same for responses (side kOrigin). The request's method decides whether a body follows (RFC 9112 section 6.3).
class ResponseParser {
 public:
  explicit ResponseParser(const HeadLimits& limits) : limits_(limits) {}

  Result<std::size_t> parse(std::string_view buffer, Method request_method, ResponseHead& out);
  bool has_begun() const { return scanned_ > 0; }

 private:
  HeadLimits limits_;
  std::size_t scanned_ = 0;
  std::size_t line_start_ = 0;
  std::size_t lines_ = 0;
};

// Takes the framing off a body. Chunk extensions are checked and dropped; trailer fields are checked like headers, and
// those that could change framing, routing, authentication or caching are dropped (RFC 9110 section 6.5.1).
class BodyDecoder {
 public:
  struct Piece {
    std::size_t consumed = 0;  // of the input given
    std::string_view payload;  // inside that input; may be empty
    bool done = false;         // the body is complete
  };

  BodyDecoder() = default;
  BodyDecoder(BodyFraming framing, std::uint64_t content_length, Side side)
      : framing_(framing), remaining_(content_length), side_(side) {}

  bool is_done() const;
  // Call until it consumes nothing. Never consumes past the end of the message.
  Result<Piece> decode(std::string_view in);
  // The peer closed: fine for kUntilClose (is_done() turns true), kIncompleteBody for everything else.
  Result<void> on_eof();
  // Complete once done.
  const HeaderMap& trailers() const { return trailers_; }
  BodyFraming framing() const { return framing_; }

 private:
  enum class State : std::uint8_t { kSize, kData, kDataEnd, kTrailers, kDone };
  Result<Piece> decode_chunked(std::string_view in);
  LineStatus take_trailer_line(std::string_view& in);

  BodyFraming framing_ = BodyFraming::kNone;
  std::uint64_t remaining_ = 0;
  Side side_ = Side::kClient;
  State state_ = State::kSize;
  bool eof_ = false;
  std::string line_;  // a chunk-size or trailer line that came in parts
  std::size_t trailer_bytes_ = 0;
  std::size_t trailer_fields_ = 0;  // dropped ones included
  HeaderMap trailers_;
};

}  // namespace seawall::http
