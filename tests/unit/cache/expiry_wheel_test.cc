// What expires is found when it has expired and not before, at any distance, in bounded steps.
#include "cache/expiry_wheel.h"

#include <boost/test/unit_test.hpp>
#include <vector>

#include "base/rng.h"

namespace seawall::cache {
namespace {

constexpr std::uint32_t kStart = 1'700'000'123;

BOOST_AUTO_TEST_SUITE(cache_expiry_wheel)

BOOST_AUTO_TEST_CASE(each_is_found_at_its_second) {
  Rng rng(7);
  ExpiryWheel wheel;
  wheel.advance(kStart);
  std::vector<EvictionEntry> entries(400);
  for (EvictionEntry& e : entries) {
    const std::uint64_t horizon = std::uint64_t{1} << (1 + rng.below(19));
    e.expires_s = kStart + static_cast<std::uint32_t>(rng.below(horizon));
    wheel.add(e);
  }
  std::size_t found = 0;
  for (std::uint32_t now = kStart; now < kStart + (1U << 19) + 1; ++now) {
    wheel.advance(now);
    while (EvictionEntry* e = wheel.expired()) {
      // 400 entries cannot make more than a few calls' worth of steps.
      BOOST_REQUIRE_LE(e->expires_s, now);
      BOOST_REQUIRE_GE(e->expires_s + 8, now);
      wheel.remove(*e);
      ++found;
    }
  }
  BOOST_TEST(found == entries.size());
}

BOOST_AUTO_TEST_CASE(beyond_the_last_wheel) {
  ExpiryWheel wheel;
  wheel.advance(kStart);
  EvictionEntry entry;
  entry.expires_s = kStart + (1U << 25);
  wheel.add(entry);
  std::uint32_t now = kStart;
  for (; now < entry.expires_s; ++now) {
    wheel.advance(now);
    BOOST_REQUIRE(!wheel.expired());
  }
  for (int i = 0; i < 3; ++i) wheel.advance(now);
  BOOST_TEST(wheel.expired() == &entry);
}

BOOST_AUTO_TEST_CASE(what_never_expires_or_is_removed_is_not_found) {
  ExpiryWheel wheel;
  wheel.advance(kStart);
  EvictionEntry never;
  EvictionEntry removed;
  removed.expires_s = kStart + 10;
  wheel.add(never);
  wheel.add(removed);
  wheel.remove(removed);
  wheel.remove(removed);
  for (std::uint32_t now = kStart; now < kStart + 100; ++now) wheel.advance(now);
  BOOST_TEST(!wheel.expired());
}

BOOST_AUTO_TEST_CASE(a_long_pause_is_made_up_for_in_bounded_steps) {
  ExpiryWheel wheel;
  wheel.advance(kStart);
  EvictionEntry entry;
  entry.expires_s = kStart + 600;
  wheel.add(entry);
  int calls = 0;
  for (; !wheel.expired(); ++calls) {
    BOOST_REQUIRE_LT(calls, 100);
    wheel.advance(kStart + 1000);
  }
  BOOST_TEST(calls >= 600 / ExpiryWheel::kMaxSteps);
}

BOOST_AUTO_TEST_CASE(a_clock_set_back_does_not_expire_anything) {
  ExpiryWheel wheel;
  wheel.advance(kStart);
  EvictionEntry entry;
  entry.expires_s = kStart + 5;
  wheel.add(entry);
  wheel.advance(kStart - 1000);
  BOOST_TEST(!wheel.expired());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::cache
