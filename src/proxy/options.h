// What a client connection may use, and for how long.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/clock.h"
#include "http/h1_parser.h"

namespace seawall::proxy {

struct SessionOptions {
  http::HeadLimits head_limits;                        // 414 and 431
  std::uint64_t body_bytes = std::uint64_t{10} << 30;  // 413
  std::size_t connections = 10'000;                    // whole process; past it 503 and close
  Millis header_timeout{10'000};                       // from the first byte of a head to its end: 408
  Millis body_timeout{30'000};                         // without a byte of a request body: 408
  Millis idle_timeout{60'000};                         // between requests: closed silently
  Millis send_timeout{30'000};                         // without progress while the client does not read: closed
  Millis shutdown_timeout{30'000};                     // how long a drain waits for requests in flight
};

enum class HostPolicy : std::uint8_t { kPreserve, kOrigin };

}  // namespace seawall::proxy
