// Active checks of an origin's servers: a GET on a connection of its own every interval, with jitter so that many
// caches do not ask at once. What comes of it goes to the origin's state. Servers that come and go are followed. Runs
// from construction to destruction; without a path it checks nothing. Thread: its loop's (one home worker).
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "net/loop.h"
#include "origin/origin_options.h"
#include "origin/origin_state.h"

namespace seawall::origin {

class HealthChecker {
 public:
  HealthChecker(net::Loop& loop, std::shared_ptr<OriginState> state, HealthOptions options, Rng& rng);
  ~HealthChecker();
  HealthChecker(const HealthChecker&) = delete;
  HealthChecker& operator=(const HealthChecker&) = delete;

  void set_options(HealthOptions options);

 private:
  class Check;

  void tick();
  void follow();
  void report(const std::string& name, bool ok, std::string_view reason);
  std::chrono::microseconds wait() const;
  std::chrono::microseconds first_wait() const;

  net::Loop& loop_;
  std::shared_ptr<OriginState> state_;
  HealthOptions options_;
  Rng& rng_;
  std::vector<std::unique_ptr<Check>> checks_;  // one for each server
  std::optional<std::uint64_t> seen_version_;
  Timer tick_timer_;
};

}  // namespace seawall::origin
