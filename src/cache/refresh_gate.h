// Who may ask the origin about a stored object next, and when: one at a time, and after a failure not before a back-off
// with jitter, so that an outage costs about one probe in a while and not one request per hit. Thread: any, lock-free.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/clock.h"

namespace seawall::cache {

class RefreshGate {
 public:
  // Takes the gate for `hold`: nobody else passes until then, or until on_failure(). An object that was refreshed is
  // replaced by one with a gate of its own.
  bool try_pass(MonoTime now, Millis hold);
  // `jitter` in [0, 1). The back-off is 1 s, doubling to 60 s, times 0.5 to 1.5.
  void on_failure(MonoTime now, double jitter);
  // The last attempt failed, and it is not time for the next; nor is it while that one is under way.
  bool is_backing_off(MonoTime now) const;
  // As the other stands, before anybody knows of this one.
  void take(const RefreshGate& other);
  // For people.
  std::uint32_t failures() const;
  MonoTime not_before() const;

 private:
  std::atomic<std::int64_t> not_before_us_{0};
  std::atomic<std::uint32_t> failures_{0};
};

}  // namespace seawall::cache
