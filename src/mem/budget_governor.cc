#include "mem/budget_governor.h"

#include <algorithm>
#include <chrono>

namespace seawall {
namespace {

// What may be resident beside what is configured.
constexpr double kSlack = 0.04;
// Where it is to be, and from where on what is held back is given again, in parts of that.
constexpr double kAim = 0.75;
constexpr double kEnough = 0.5;
constexpr double kMostHeldBack = 0.25;    // of what is configured
constexpr double kLeastLimit = 16 << 20;  // a cache that small needs all that it has
// The part of the difference that is held back, or given again, in a second. Half a second is as fast as pages can
// come: large bodies that arrive while small ones go, whose pages stay. What may come again takes its time.
constexpr double kHoldBack = 2;
constexpr double kGiveAgain = 0.05;
constexpr double kMostSeconds = 5;

double slack_of(double configured_bytes) {
  return kSlack * configured_bytes;
}

}  // namespace

void BudgetGovernor::set_configured(std::uint64_t bytes) {
  const double part = static_cast<double>(held_back_) / static_cast<double>(configured_);
  configured_ = bytes;
  held_back_ = static_cast<std::uint64_t>(part * static_cast<double>(bytes));
}

void BudgetGovernor::update(std::uint64_t resident_bytes, MonoTime now) {
  const double passed = last_ ? std::chrono::duration<double>(now - *last_).count() : kMostSeconds;
  const double seconds = std::clamp(passed, 0.0, kMostSeconds);
  last_ = now;
  const auto whole = static_cast<double>(configured_);
  const double excess = static_cast<double>(resident_bytes) - whole;
  const double slack = slack_of(whole);
  double held_back = static_cast<double>(held_back_);
  if (excess > slack) {
    held_back += (excess - kAim * slack) * std::min(kHoldBack * seconds, 1.0);
  } else if (excess < kEnough * slack) {
    held_back -= (kEnough * slack - excess) * std::min(kGiveAgain * seconds, 1.0);
  }
  const double most = std::min(kMostHeldBack * whole, std::max(whole - kLeastLimit, 0.0));
  held_back_ = static_cast<std::uint64_t>(std::clamp(held_back, 0.0, most));
}

bool BudgetGovernor::is_too_much(std::uint64_t resident_bytes) const {
  const auto whole = static_cast<double>(configured_);
  return static_cast<double>(resident_bytes) - whole > slack_of(whole);
}

}  // namespace seawall
