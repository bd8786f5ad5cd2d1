// Chance from a fixed seed: the published algorithm, repeatable, in bounds, evenly spread.
#include "base/rng.h"

#include <array>
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <vector>

namespace seawall {
namespace {

std::vector<std::uint64_t> draw(std::uint64_t seed, int n) {
  Rng rng(seed);
  std::vector<std::uint64_t> drawn;
  for (int i = 0; i < n; ++i) drawn.push_back(rng.next());
  return drawn;
}

BOOST_AUTO_TEST_SUITE(base_rng)

BOOST_AUTO_TEST_CASE(a_seed_fixes_the_sequence) {
  BOOST_TEST((draw(42, 100) == draw(42, 100)));
  BOOST_TEST((draw(42, 4) != draw(43, 4)));
}

// xoshiro256** seeded by splitmix64, as both authors publish them.
BOOST_AUTO_TEST_CASE(agrees_with_the_reference) {
  const std::vector<std::uint64_t> want = {0x99ec5f36cb75f2b4, 0xbf6e1f784956452a, 0x1a5f849d4933e6e0};
  BOOST_TEST(draw(0, 3) == want, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(stays_below_its_bound_and_reaches_every_value) {
  Rng rng(1);
  std::array<int, 7> seen{};
  constexpr int kDraws = 70'000;
  for (int i = 0; i < kDraws; ++i) ++seen.at(rng.below(seen.size()));
  for (const int n : seen) {
    // Ten thousand expected; six standard deviations are about 560.
    BOOST_TEST(n > 9'400);
    BOOST_TEST(n < 10'600);
  }
  BOOST_TEST(rng.below(1) == 0U);
}

BOOST_AUTO_TEST_CASE(unit_is_in_its_half_open_interval_and_centred) {
  Rng rng(2);
  double sum = 0;
  for (int i = 0; i < 100'000; ++i) {
    const double u = rng.unit();
    BOOST_REQUIRE(u >= 0.0);
    BOOST_REQUIRE(u < 1.0);
    sum += u;
  }
  BOOST_TEST(sum > 49'400);
  BOOST_TEST(sum < 50'600);
}

BOOST_AUTO_TEST_CASE(the_system_gives_different_seeds) {
  BOOST_TEST(Rng::system_seed() != Rng::system_seed());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall
