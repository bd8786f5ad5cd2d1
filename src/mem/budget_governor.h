// How much of the configured budget may be charged, so that what is resident stays within a tenth more than that. What
// is charged is what the allocator hands out; beside it there are the program itself and pages that are partly empty,
// or free and not given back yet. When those are more than 4 % of what is configured the excess is held back within
// half a second, and given again, slowly, when they are less than half of that. Pure. Thread: the caller's.
#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"

namespace seawall {

class BudgetGovernor {
 public:
  explicit BudgetGovernor(std::uint64_t configured_bytes) : configured_(configured_bytes) {}

  // What is held back keeps its proportion.
  void set_configured(std::uint64_t bytes);
  // `resident_bytes`: when all that may be is charged. What is more than five seconds past counts as five.
  void update(std::uint64_t resident_bytes, MonoTime now);

  bool is_too_much(std::uint64_t resident_bytes) const;
  std::uint64_t configured_bytes() const { return configured_; }
  std::uint64_t held_back_bytes() const {
    return held_back_;
  }  // a quarter of what is configured at most, and 16 MiB stay
  std::uint64_t limit_bytes() const { return configured_ - held_back_; }

 private:
  std::uint64_t configured_;
  std::uint64_t held_back_ = 0;
  std::optional<MonoTime> last_;
};

}  // namespace seawall
