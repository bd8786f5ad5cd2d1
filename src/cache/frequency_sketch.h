// How often keys were asked for of late, by estimate: a count-min sketch of 4-bit counters that are halved when ten
// times as many requests have been counted as there are keys to tell apart. Thread: the caller's.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace seawall::cache {

class FrequencySketch {
 public:
  static constexpr std::uint8_t kMax = 15;

  // Makes room for so many keys; what was counted stays.
  void reserve(std::size_t keys) {
    while (counters_.size() < keys * kCountersPerKey) {
      const std::size_t n = counters_.size();
      counters_.resize(n * 2);
      std::copy_n(counters_.begin(), n, counters_.begin() + static_cast<std::ptrdiff_t>(n));
    }
  }

  void add(std::uint64_t hash) {
    const auto at = slots(hash);
    const std::uint8_t least = estimate(hash);
    if (least < kMax) {
      for (const std::size_t slot : at) counters_[slot] = std::max<std::uint8_t>(counters_[slot], least + 1);
    }
    if (++counted_ < counters_.size() / kCountersPerKey * kSamplesPerKey) return;
    for (std::uint8_t& c : counters_) c /= 2;
    counted_ /= 2;
  }

  std::uint8_t estimate(std::uint64_t hash) const {
    std::uint8_t least = kMax;
    for (const std::size_t slot : slots(hash)) least = std::min(least, counters_[slot]);
    return least;
  }

  std::size_t overhead_bytes() const { return counters_.capacity(); }

 private:
  static constexpr std::size_t kCountersPerKey = 8;
  static constexpr std::size_t kSamplesPerKey = 10;
  static constexpr std::size_t kRows = 4;

  std::array<std::size_t, kRows> slots(std::uint64_t hash) const {
    std::array<std::size_t, kRows> at{};
    for (std::size_t row = 0; row < kRows; ++row) {
      hash = (hash ^ (hash >> 29)) * 0x9e3779b97f4a7c15U + row;
      at[row] = (hash >> 20) & (counters_.size() - 1);
    }
    return at;
  }

  std::vector<std::uint8_t> counters_ = std::vector<std::uint8_t>(1024);  // a power of two
  std::size_t counted_ = 0;
};

}  // namespace seawall::cache
