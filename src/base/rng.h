// Chance, injected: one Rng per worker, from a seed that a test fixes and the server draws once.
// xoshiro256** (Blackman and Vigna, public domain algorithm). Thread: one owner.
#pragma once

#include <array>
#include <cstdint>

namespace seawall {

class Rng {
 public:
  explicit Rng(std::uint64_t seed);

  std::uint64_t next();
  // Uniform in [0, bound); bound > 0.
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }
  // Uniform in [0, 1).
  double unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

  // A seed from the operating system.
  static std::uint64_t system_seed();

 private:
  std::array<std::uint64_t, 4> s_;
};

}  // namespace seawall
