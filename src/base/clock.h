// The only place that reads a clock. WallTime is for HTTP dates and Age, MonoTime for timers and
// deadlines; the types are distinct so that neither can stand in for the other.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>

namespace seawall {

using Millis = std::chrono::milliseconds;
using Seconds = std::chrono::seconds;

// Milliseconds since the Unix epoch.
struct WallTime {
  std::int64_t unix_ms = 0;

  static constexpr WallTime from_unix_seconds(std::int64_t s) { return WallTime{s * 1000}; }
  constexpr std::int64_t unix_seconds() const { return unix_ms >= 0 ? unix_ms / 1000 : -((999 - unix_ms) / 1000); }

  friend constexpr auto operator<=>(WallTime, WallTime) = default;
  friend constexpr WallTime operator+(WallTime t, Millis d) { return WallTime{t.unix_ms + d.count()}; }
  friend constexpr WallTime operator-(WallTime t, Millis d) { return WallTime{t.unix_ms - d.count()}; }
  friend constexpr Millis operator-(WallTime a, WallTime b) { return Millis{a.unix_ms - b.unix_ms}; }
};

// Microseconds since an arbitrary start; never goes back.
struct MonoTime {
  std::int64_t us = 0;

  friend constexpr auto operator<=>(MonoTime, MonoTime) = default;
  friend constexpr MonoTime operator+(MonoTime t, std::chrono::microseconds d) { return MonoTime{t.us + d.count()}; }
  friend constexpr std::chrono::microseconds operator-(MonoTime a, MonoTime b) {
    return std::chrono::microseconds{a.us - b.us};
  }
};

// Thread: any. Workers sample it once per loop turn and hand `now` down.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime wall_now() const = 0;
  virtual MonoTime mono_now() const = 0;
};

class SystemClock final : public Clock {
 public:
  WallTime wall_now() const override;
  MonoTime mono_now() const override;
};

}  // namespace seawall
