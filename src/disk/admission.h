// Which puts are worth a write: all while writing stays within a rate averaged over a day, past it only keys that have
// been seen before. Thread: any.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

#include "base/clock.h"
#include "base/mutex.h"

namespace seawall::disk {

class Admission {
 public:
  // 0: everything is.
  Admission(std::uint64_t bytes_per_second, MonoTime now);

  bool admits(std::uint64_t hash, std::uint64_t bytes, bool is_wanted, MonoTime now);

 private:
  // Remembers the last fingerprint of each place: a quarter of a million keys.
  static constexpr std::size_t kGhosts = 1 << 18;
  bool was_seen(std::uint64_t hash);

  const std::uint64_t rate_;
  std::unique_ptr<std::array<std::atomic<std::uint32_t>, kGhosts>> ghosts_;
  Mutex mutex_;
  double tokens_ SW_GUARDED_BY(mutex_);
  MonoTime filled_ SW_GUARDED_BY(mutex_);
};

}  // namespace seawall::disk
