// What the active checks of one server have found: healthy or not by rise and fall, and the last 64 results. Pure.
// Thread: one owner, or a lock.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "origin/origin_options.h"

namespace seawall::origin {

class Health {
 public:
  explicit Health(const HealthOptions& options) : options_(options) {}
  void set_options(const HealthOptions& options) { options_ = options; }

  // Healthy until `fall` failures in a row; from then on sick until `rise` successes in a row. True when that changed.
  bool record(bool ok, MonoTime now);
  bool is_healthy() const { return is_healthy_; }
  MonoTime changed_at() const { return changed_at_; }
  std::uint64_t checks() const { return checks_; }
  // The last results, oldest first, at most 64: 'H' for a good one and '-' for a bad one, as varnishadm shows it.
  std::string history() const;

 private:
  HealthOptions options_;
  bool is_healthy_ = true;
  MonoTime changed_at_;
  std::uint64_t checks_ = 0;
  std::uint32_t contrary_ = 0;  // results in a row that speak against is_healthy_
  std::uint64_t results_ = 0;   // a bit each, the last one lowest
};

}  // namespace seawall::origin
