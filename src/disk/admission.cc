#include "disk/admission.h"

#include <algorithm>

namespace seawall::disk {

namespace {

constexpr double kDaySeconds = 86'400;

}  // namespace

Admission::Admission(std::uint64_t bytes_per_second, MonoTime now)
    : rate_(bytes_per_second), tokens_(static_cast<double>(bytes_per_second) * kDaySeconds), filled_(now) {
  if (rate_ != 0) ghosts_ = std::make_unique<std::array<std::atomic<std::uint32_t>, kGhosts>>();
}

bool Admission::was_seen(std::uint64_t hash) {
  const std::uint64_t mixed = hash * 0x9e3779b97f4a7c15ULL;
  const std::uint32_t print = static_cast<std::uint32_t>(mixed) | 1;
  return (*ghosts_)[mixed >> 46].exchange(print, std::memory_order_relaxed) == print;
}

bool Admission::admits(std::uint64_t hash, std::uint64_t bytes, bool is_wanted, MonoTime now) {
  if (rate_ == 0) return true;
  const bool seen = was_seen(hash);  // also while there is budget: it is known then when that ends
  const MutexLock lock(mutex_);
  const double elapsed = std::max(0.0, static_cast<double>((now - filled_).count()) / 1e6);
  filled_ = now;
  const auto rate = static_cast<double>(rate_);
  tokens_ = std::min(rate * kDaySeconds, tokens_ + elapsed * rate);
  if (tokens_ < 0 && !seen && !is_wanted) return false;
  // A debt of a day at most, lest what is wanted shut everything else out for ever.
  tokens_ = std::max(tokens_ - static_cast<double>(bytes), -rate * kDaySeconds);
  return true;
}

}  // namespace seawall::disk
