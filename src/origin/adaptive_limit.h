// A limit on requests in flight that follows latency: it grows while the short-term round trip stays near the long-term
// one, and shrinks in proportion when it rises (the gradient of Netflix's concurrency-limits, second form). A sample
// taken while fewer than half of the limit were in flight does not raise it.
//
// The short-term round trip is the mean of a window of about as many samples as there are places, one round trip of the
// server at its limit. The long-term one learns only from calls that began with less than half of the limit in flight:
// if it learned from those at the limit too, it would follow the latency that the limit itself brings about, and the
// limit would run away under steady demand. Where demand leaves no such calls, the limit dips to half now and then to
// make some. Pure. Thread: one owner, or a lock.
#pragma once

#include <chrono>
#include <cstdint>

#include "base/clock.h"

namespace seawall::origin {

class AdaptiveLimit {
 public:
  AdaptiveLimit(std::uint32_t min, std::uint32_t max);
  void set_bounds(std::uint32_t min, std::uint32_t max);

  // In force; during a dip lower than what it comes back to.
  std::uint32_t limit() const;
  // A call that ended: how long until its head, and how many were in flight when it began. `dropped`: timed out or
  // refused by overload, which shrinks the limit at once.
  void on_sample(std::chrono::microseconds latency, std::uint32_t in_flight, bool dropped);

 private:
  // Latencies in microseconds.
  struct Window {
    std::uint32_t samples = 0;  // dropped calls too
    std::uint32_t busy = 0;
    double busy_sum = 0;
    std::uint32_t calm = 0;
    double calm_sum = 0;
  };

  void clamp();
  bool is_over() const;
  void end_window();
  void learn(const Window& window);
  void follow(double short_term);

  std::uint32_t min_;
  std::uint32_t max_;
  double limit_;
  double floor_;          // what dropped calls may bring it down to within this window
  double long_term_ = 0;  // 0: not known yet
  Window window_;
  std::uint32_t pressed_ = 0;  // windows that shrank it since the last dip
  bool is_dip_ = false;
};

}  // namespace seawall::origin
