// What a client connection may use, and for how long.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "encode/coder.h"
#include "http/coding.h"
#include "http/h1_parser.h"
#include "policy/encoding.h"
#include "policy/vary.h"

namespace seawall::proxy {

struct Http2Options {
  bool enabled = true;
  std::uint32_t streams = 100;  // at once on one connection
};

struct SessionOptions {
  http::HeadLimits head_limits;                        // 414 and 431
  std::uint64_t body_bytes = std::uint64_t{10} << 30;  // 413
  std::size_t connections = 10'000;                    // whole process; past it 503 and close
  std::size_t connections_per_client = 0;              // likewise, of one address; 0: no bound of its own
  Millis tls_timeout{10'000};                          // a PROXY header and the TLS handshake: closed
  Millis header_timeout{10'000};                       // from the first byte of a head to its end: 408
  Millis body_timeout{30'000};                         // without a byte of a request body: 408
  Millis idle_timeout{60'000};                         // between requests: closed silently
  Millis send_timeout{30'000};                         // without progress while the client does not read: closed
  Millis shutdown_timeout{30'000};                     // how long a drain waits for requests in flight
  Http2Options http2;
};

// What requests get for the connection they came by.
struct EdgeOptions {
  Seconds hsts{0};                        // Strict-Transport-Security over TLS (RFC 6797); 0: none is added
  std::string acme_directory;             // files named by token (RFC 8555 section 8.3); empty: none
  bool tells_client_certificate = false;  // to origins, in fields (RFC 9440)
};

// What becomes of a request that the store cannot answer.
enum class MissPolicy : std::uint8_t {
  kCollapse,   // one fetch, the others join it
  kAsync,      // answered at once, filled in the background
  kPush,       // answered at once; an event asks the origin to push it
  kStaleOnly,  // answered from the store or not at all
  kPass,       // to the origin, uncached
};

// The answer to a request that is not answered from the store and may not wait.
struct Placeholder {
  std::uint16_t status = 503;
  Seconds retry_after{1};  // with 503 and 429
  std::string file;        // its body, read at start and reload; empty: a line of text
  std::string body;        // of `file`
  std::vector<std::pair<std::string, std::string>> headers;
};

struct MissOptions {
  MissPolicy policy = MissPolicy::kCollapse;
  bool honours_prefer = false;  // clients may choose by Prefer: respond-async and Prefer: wait=N (RFC 7240)
  Placeholder placeholder;
};

// When a route goes from kCollapse to kAsync by itself, and back.
struct StormOptions {
  bool is_on = true;                    // when the origin's breaker opens or its fill queue is full
  std::uint32_t misses_per_second = 0;  // or the route misses more often; 0: not for that
  Millis calm{10'000};                  // nothing of it for so long ends it

  friend bool operator==(const StormOptions&, const StormOptions&) = default;
};

// Forms of stored responses in content codings, made by the cache.
struct EncodeOptions {
  std::vector<http::Coding> codings;  // the best first among those that a client wants as much; empty: none are made
  policy::EncodeRules rules;
  encode::Levels levels;

  bool is_on() const { return !codings.empty(); }
  // What requests of the route select variants by.
  policy::Codings selecting() const { return is_on() ? policy::Codings::kNormalised : policy::Codings::kAsGiven; }
};

enum class HostPolicy : std::uint8_t { kPreserve, kOrigin };

}  // namespace seawall::proxy
