// How a transaction answers, whatever protocol the client speaks. One answer: informational*, then send_stored(), or
// send_head() with send_body()* and end() or abort(), or upgrade(). Thread: the session's worker.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/byte_stream.h"
#include "cache/store.h"
#include "http/message.h"
#include "mem/slice.h"

namespace seawall::proxy {

struct AnswerHead {
  std::uint16_t status = 200;
  std::string_view reason;
  const http::HeaderMap* fields = nullptr;  // without framing and Connection; null: none
  std::string_view composed;                // further lines, each with its CRLF: Age, Cache-Status
  std::optional<std::uint64_t> length;      // Content-Length; unknown: chunked or until close
  bool has_body = true;                     // false: HEAD, 204, 304; a length is sent if given
};

class ResponseWriter {
 public:
  virtual ~ResponseWriter() = default;

  virtual void send_informational(const http::ResponseHead& head) = 0;
  // The whole of hit.object, whose head stands ready; the hit is held until it is sent.
  virtual void send_stored(cache::LookupResult hit, std::string_view composed, bool with_body) = 0;
  virtual void send_head(const AnswerHead& head) = 0;
  virtual void send_body(SliceChain slices) = 0;
  virtual void end(const http::HeaderMap& trailers) = 0;
  // The answer cannot be completed: the client must see that it is cut.
  virtual void abort() = 0;
  // 101: from here on bytes pass both ways.
  virtual void upgrade(const AnswerHead& head, std::unique_ptr<ByteStream> origin, std::string early_bytes) = 0;

  // No request may follow on this connection: what the client sends next may not be what it means. Before send_head().
  virtual void close_after_answer() = 0;
  // Lets go of what was given so far; a transaction that is about to wait calls it.
  virtual void flush() = 0;
  // Bytes given but not yet taken by the kernel. Past kHighWater a transaction stops giving and waits for
  // on_writable().
  virtual std::uint64_t unsent_bytes() const = 0;
  static constexpr std::uint64_t kHighWater = std::uint64_t{256} * 1024;
};

}  // namespace seawall::proxy
