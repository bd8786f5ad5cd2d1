// The fields of an HTTP/2 request to a RequestHead, strictly (RFC 9113 section 8): the head that comes out means the
// same when it is written as HTTP/1.1, so nothing can be smuggled in a name, a value, a length or a target. Believes
// nothing that the layer below may have checked already. One field section at a time; reused for the next, and without
// allocation once it has grown. No I/O. Thread: one owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/h1_parser.h"
#include "http/message.h"

namespace seawall::http {

class H2RequestReader {
 public:
  explicit H2RequestReader(const HeadLimits& limits) : limits_(limits) {}

  // Starts a request; `out` is cleared.
  void begin(RequestHead& out);
  // The next field. After the first that is at fault nothing more is kept, and finish() says what it was.
  void add(std::string_view name, std::string_view value, RequestHead& out);
  // After the last. `scheme` is the connection's, for a request that has none (CONNECT). `ends_stream`: there is no
  // body. An extended CONNECT (RFC 8441) comes out as the GET of RFC 6455 section 4.1 without its Sec-WebSocket-Key.
  Result<void> finish(bool ends_stream, std::string_view scheme, RequestHead& out);

  // What SETTINGS_MAX_HEADER_LIST_SIZE counts (RFC 9113 section 6.5.2), kept or not.
  std::size_t list_bytes() const { return list_bytes_; }
  bool is_extended_connect() const { return (seen_ & kProtocol) != 0; }
  // Gives back what it has grown to.
  void release();

 private:
  enum Seen : std::uint8_t {
    kMethod = 1,
    kScheme = 2,
    kAuthority = 4,
    kPath = 8,
    kProtocol = 16,
    kHost = 32,
    kContentLength = 64,
    kRegular = 128,
  };

  void add_pseudo(std::string_view name, std::string_view value, RequestHead& out);
  void keep(Field field, std::string_view name, std::string_view value, RequestHead& out);
  void fail(ErrorCode code) {
    if (!error_) error_ = code;
  }
  std::optional<ErrorCode> read_target(RequestHead& out) const;
  std::optional<ErrorCode> read_authority(RequestHead& out) const;
  std::optional<ErrorCode> read_framing(bool ends_stream, RequestHead& out) const;
  std::optional<ErrorCode> read_connect(RequestHead& out) const;

  HeadLimits limits_;
  unsigned seen_ = 0;
  std::size_t list_bytes_ = 0;
  std::optional<ErrorCode> error_;
  std::string authority_;  // as received
  std::string protocol_;
  std::string cookie_;  // its crumbs, joined (RFC 9113 section 8.2.3)
};

// Trailers of a message: checked like fields, and those that must not come so late are dropped.
class H2TrailerReader {
 public:
  void add(std::string_view name, std::string_view value);
  bool is_malformed() const { return is_malformed_; }
  std::size_t list_bytes() const { return bytes_; }
  HeaderMap take();

 private:
  std::size_t bytes_ = 0;
  std::size_t fields_ = 0;
  bool is_malformed_ = false;
  HeaderMap trailers_;
};

}  // namespace seawall::http
