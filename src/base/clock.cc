#include "base/clock.h"

namespace seawall {

WallTime SystemClock::wall_now() const {
  return WallTime{std::chrono::duration_cast<Millis>(std::chrono::system_clock::now().time_since_epoch()).count()};
}

MonoTime SystemClock::mono_now() const {
  return MonoTime{
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch())
          .count()};
}

}  // namespace seawall
