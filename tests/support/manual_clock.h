// A clock that moves only when told. Thread: one.
#pragma once

#include "base/clock.h"

namespace seawall::test {

class ManualClock final : public Clock {
 public:
  explicit ManualClock(WallTime wall = WallTime::from_unix_seconds(1'700'000'000), MonoTime mono = MonoTime{1'000'000})
      : wall_(wall), mono_(mono) {}

  WallTime wall_now() const override { return wall_; }
  MonoTime mono_now() const override { return mono_; }
  void advance(Millis by) {
    wall_ = wall_ + by;
    mono_ = mono_ + by;
  }

 private:
  WallTime wall_;
  MonoTime mono_;
};

}  // namespace seawall::test
