#include "cache/refresh_gate.h"

#include <algorithm>
#include <chrono>

namespace seawall::cache {
namespace {

constexpr std::uint32_t kMaxDoublings = 6;  // 64 s is past the longest
constexpr std::chrono::microseconds kLongest = Seconds{60};

}  // namespace

bool RefreshGate::try_pass(MonoTime now, Millis hold) {
  std::int64_t at = not_before_us_.load(std::memory_order_relaxed);
  // Of those who come at once, one moves it.
  return now.us >= at && not_before_us_.compare_exchange_strong(at, (now + hold).us, std::memory_order_relaxed);
}

void RefreshGate::on_failure(MonoTime now, double jitter) {
  const std::uint32_t before = failures_.fetch_add(1, std::memory_order_relaxed);
  const std::chrono::microseconds base =
      std::min(kLongest, std::chrono::microseconds(Seconds{1}) * (1 << std::min(before, kMaxDoublings)));
  const auto wait = static_cast<std::int64_t>(static_cast<double>(base.count()) * (0.5 + jitter));
  // Released after the count, which is_backing_off() reads second.
  not_before_us_.store(now.us + wait, std::memory_order_release);
}

bool RefreshGate::is_backing_off(MonoTime now) const {
  return now.us < not_before_us_.load(std::memory_order_acquire) && failures() > 0;
}

std::uint32_t RefreshGate::failures() const {
  return failures_.load(std::memory_order_relaxed);
}

MonoTime RefreshGate::not_before() const {
  return MonoTime{not_before_us_.load(std::memory_order_relaxed)};
}

void RefreshGate::take(const RefreshGate& other) {
  not_before_us_.store(other.not_before_us_.load(std::memory_order_relaxed), std::memory_order_relaxed);
  failures_.store(other.failures_.load(std::memory_order_relaxed), std::memory_order_relaxed);
}

}  // namespace seawall::cache
