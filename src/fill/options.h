// Bounds on collapsing. Defaults are the operator's starting point.
#pragma once

#include <cstddef>

#include "base/clock.h"

namespace seawall::fill {

struct FillOptions {
  std::size_t waiters_per_object = 1000;               // past it: 503
  std::size_t waiters_total = 20'000;                  // in the whole process
  Millis waiter_deadline{5'000};                       // waiting for a head that another request's fetch is to bring
  Millis hit_for_miss{120'000};                        // how long a key that proved uncacheable is not collapsed
  std::size_t hit_for_miss_keys = 65'536;              // remembered at once
  std::size_t window_bytes = std::size_t{256} * 1024;  // read ahead of the slowest reader when the body is not kept
  Millis total{30'000};  // without a complete head; the body has its own between-bytes limit
};

}  // namespace seawall::fill
