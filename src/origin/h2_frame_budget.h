// How many frames that carry nothing an origin may send on one HTTP/2 connection: each costs, time and honest work give
// back, and one who has spent it all is told to calm down (RFC 9113 section 10.5). Pure. Thread: one owner.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "base/clock.h"

namespace seawall::origin {

class H2FrameBudget {
 public:
  explicit H2FrameBudget(MonoTime now) : filled_at_(now) {}

  // What one frame costs.
  static constexpr std::int64_t kIdleFrame = 1;     // WINDOW_UPDATE, or a frame of a stream that we gave up
  static constexpr std::int64_t kPing = 4;          // to be answered
  static constexpr std::int64_t kUnknownFrame = 8;  // of a type that is not known, or not heeded: ALTSVC, ORIGIN
  static constexpr std::int64_t kLateData = 16;     // DATA of a stream that had ended
  static constexpr std::int64_t kEmptyFrame = 20;   // DATA, padded or not, CONTINUATION; PRIORITY
  static constexpr std::int64_t kSettings = 40;     // to be obeyed and answered
  static constexpr std::int64_t kHeaderBomb = 400;  // a field section far past what we said we take, compressed well

  // What brings some back.
  static constexpr std::int64_t kData = 2;        // a DATA frame with something in it, either way: its WINDOW_UPDATEs
  static constexpr std::int64_t kAnswer = 8;      // a head
  static constexpr std::int64_t kCancel = 1'000;  // a stream that we gave up: what of it is on its way

  // False: there was not as much left.
  bool spend(std::int64_t cost, MonoTime now) {
    constexpr std::chrono::microseconds kLongest = std::chrono::hours(1);  // past it any budget is full
    const auto elapsed = std::min(now - filled_at_, kLongest);
    const std::int64_t refill = elapsed.count() * kPerSecond / 1'000'000;
    if (refill > 0) filled_at_ = now;
    level_ = std::min(kBurst, level_ + refill) - cost;
    return level_ >= 0;
  }
  void earn(std::int64_t amount) { level_ = std::min(kBurst, level_ + amount); }

 private:
  static constexpr std::int64_t kBurst = 4'000;
  static constexpr std::int64_t kPerSecond = 400;

  std::int64_t level_ = kBurst;
  MonoTime filled_at_;
};

}  // namespace seawall::origin
