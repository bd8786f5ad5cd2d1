// The fields of an HTTP/2 response to a ResponseHead, strictly (RFC 9113 section 8): the head that comes out means the
// same when it is stored and written as HTTP/1.1. Believes nothing that the layer below may have checked already. One
// field section at a time; reused for the next. No I/O. Thread: one owner.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "http/h1_parser.h"
#include "http/message.h"

namespace seawall::http {

class H2ResponseReader {
 public:
  explicit H2ResponseReader(const HeadLimits& limits) : limits_(limits) {}

  // Starts a section; `out` is cleared.
  void begin(ResponseHead& out);
  // The next field. After the first that is at fault nothing more is kept, and finish() says what it was.
  void add(std::string_view name, std::string_view value, ResponseHead& out);
  // After the last. `ends_stream`: there is no body. 101 is an error (RFC 9113 section 8.6). A body whose length is not
  // said comes out as kUntilClose: END_STREAM ends it.
  Result<void> finish(bool ends_stream, Method request_method, ResponseHead& out) const;

  // What SETTINGS_MAX_HEADER_LIST_SIZE counts (RFC 9113 section 6.5.2), kept or not.
  std::size_t list_bytes() const { return list_bytes_; }

 private:
  void fail(ErrorCode code) {
    if (!error_) error_ = code;
  }
  std::optional<ErrorCode> read_framing(bool ends_stream, Method request_method, ResponseHead& out) const;

  HeadLimits limits_;
  bool has_regular_ = false;
  std::size_t list_bytes_ = 0;
  std::optional<ErrorCode> error_;
};

}  // namespace seawall::http
