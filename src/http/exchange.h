// One request to an origin and its response, as those see it who need not know about sockets: fill/ consumes it,
// origin/ implements it, tests script it. Thread: the worker that started the exchange, on both sides.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/byte_stream.h"
#include "base/clock.h"
#include "base/ref.h"
#include "base/result.h"
#include "http/body_pipe.h"
#include "http/message.h"

namespace seawall::http {

// Whether a client waits for the answer, or nobody does yet.
enum class Traffic : std::uint8_t { kClient, kBackground };

struct OutgoingRequest {
  Method method = Method::kGet;
  std::string method_name;
  std::string target;  // origin-form, or "*"
  HeaderMap headers;  // end-to-end fields, Host and Via included; no framing and no Connection: the exchange adds those
  Ref<BodyPipe> body;                        // null: no body
  std::optional<std::uint64_t> body_length;  // with a body; absent: chunked
  std::string upgrade;                       // value of Upgrade to ask for; empty: none

  // Whom it is made for, and where that client had connected to, for a PROXY header; empty: nobody.
  std::string client_ip;
  std::uint16_t client_port = 0;
  std::string local_ip;
  std::uint16_t local_port = 0;

  // What the origin's guards go by.
  Traffic traffic = Traffic::kClient;
  bool is_shared = false;   // a fetch for the cache: its 429 speaks of us and not of one client
  std::uint32_t route = 0;  // whose share of the origin it takes
  std::uint64_t hash = 0;   // of the cache key: consistent hashing, and "the same URL" of a breaker
};

// Calls come from the event loop, never from inside Exchange's own functions, in this order: informational*, then head,
// body*, complete; or upgraded; error may come at any point instead and is the last. In any of them the sink may
// destroy the Exchange.
class ExchangeSink {
 public:
  virtual ~ExchangeSink() = default;
  // 1xx but 101; 100 is not passed on.
  virtual void on_informational(ResponseHead head) = 0;
  // `request_time`: when the request was first sent (RFC 9111 section 4.2.3).
  virtual void on_head(ResponseHead head, WallTime request_time, WallTime response_time) = 0;
  virtual void on_body(std::string_view payload) = 0;
  virtual void on_complete(const HeaderMap& trailers) = 0;
  // 101: the connection is now the sink's, with what had already been read from it.
  virtual void on_upgraded(ResponseHead head, std::unique_ptr<ByteStream> connection, std::string early_bytes) = 0;
  virtual void on_error(Error error) = 0;
};

// Destroying it cancels: no call comes after, and the connection is closed unless the response was complete.
class Exchange {
 public:
  virtual ~Exchange() = default;
  // Stops and resumes reading the response body; the between-bytes timeout rests meanwhile. At most one read's worth
  // still comes.
  virtual void pause() = 0;
  virtual void resume() = 0;
};

}  // namespace seawall::http
