// What happens at an origin, told to those who log and count it. Called outside of locks. Thread: any worker.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "origin/breaker.h"

namespace seawall::origin {

class Observer {
 public:
  virtual ~Observer() = default;
  // A call failed, or was retried after failing; `server` is its address, empty when none was reached. `reason` is
  // what there is to say beyond the code, of TLS what OpenSSL says; else empty.
  virtual void on_failure(std::string_view origin, std::string_view server, const Error& error,
                          std::string_view reason) = 0;
  // `server` is empty for the origin's own breaker. `retry_after` with kOpen.
  virtual void on_breaker(std::string_view origin, std::string_view server, Breaker::State state,
                          Millis retry_after) = 0;
  virtual void on_health(std::string_view origin, std::string_view server, bool is_healthy,
                         std::string_view reason) = 0;
  // The origin asked for silence by 429 and Retry-After.
  virtual void on_back_off(std::string_view origin, Millis duration) = 0;
  // The servers behind a name have changed, or could not be resolved (`error` non-empty: the last good ones are kept).
  virtual void on_resolved(std::string_view origin, std::string_view name, std::size_t addresses,
                           std::string_view error) = 0;
};

}  // namespace seawall::origin
