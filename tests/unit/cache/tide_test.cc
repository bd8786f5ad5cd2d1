// What Tide is made for: floods pass through, small goes before large only in relation to what is missed, what was dear
// stays, and the share of probation follows the ghosts.
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <vector>

#include "cache/eviction.h"

namespace {

using seawall::cache::EvictionEntry;
using seawall::cache::EvictionPolicy;
using seawall::cache::make_tide;

struct Cache {
  Cache(std::size_t count, std::uint64_t capacity) : capacity_bytes(capacity), entries(count) {}
  ~Cache() {
    while (policy->evict()) {
    }
  }

  bool holds(std::size_t id) const { return entries[id].queue != 0; }
  void ask(std::size_t id, std::uint64_t size = 1, std::uint16_t cost_ms = 0) {
    if (holds(id)) return EvictionPolicy::touch(entries[id]);
    entries[id].key_hash = id;
    entries[id].size_bytes = size;
    entries[id].cost_ms = cost_ms;
    entries[id].hits = 0;
    policy->insert(entries[id]);
    while (policy->listed_bytes() > capacity_bytes) policy->evict();
  }
  std::size_t held(std::size_t from, std::size_t to) const {
    std::size_t n = 0;
    for (std::size_t id = from; id < to; ++id) n += holds(id) ? 1U : 0U;
    return n;
  }

  std::uint64_t capacity_bytes;
  std::vector<EvictionEntry> entries;
  std::unique_ptr<EvictionPolicy> policy = make_tide(capacity_bytes);
};

}  // namespace

BOOST_AUTO_TEST_SUITE(cache_tide)

BOOST_AUTO_TEST_CASE(a_flood_does_not_displace_what_is_in_use) {
  Cache cache(100'000, 100);
  for (int round = 0; round < 3; ++round) {
    for (std::size_t id = 0; id < 80; ++id) cache.ask(id);
  }
  for (std::size_t id = 80; id < 100'000; ++id) cache.ask(id);
  BOOST_TEST(cache.held(0, 80) == 80U);
}

BOOST_AUTO_TEST_CASE(of_two_asked_for_alike_the_smaller_stays) {
  Cache cache(2000, 10'000);
  for (int round = 0; round < 2; ++round) {
    for (std::size_t id = 0; id < 50; ++id) cache.ask(id, 100);
    for (std::size_t id = 50; id < 54; ++id) cache.ask(id, 1000);
  }
  // What takes their room is asked for twice as well.
  for (std::size_t id = 100; id < 145; ++id) {
    cache.ask(id, 100);
    cache.ask(id, 100);
  }
  BOOST_TEST(cache.held(0, 50) == 50U);
  BOOST_TEST(cache.held(50, 54) <= 1U);
}

BOOST_AUTO_TEST_CASE(a_large_one_does_not_empty_the_cache) {
  Cache cache(2000, 1000);
  for (int round = 0; round < 2; ++round) {
    for (std::size_t id = 0; id < 900; ++id) cache.ask(id);
  }
  for (std::size_t id = 1000; id < 1020; ++id) cache.ask(id, 900);
  BOOST_TEST(cache.held(0, 900) > 800U);
}

BOOST_AUTO_TEST_CASE(what_the_origin_took_long_for_stays_longer) {
  Cache cache(3000, 100);
  for (std::size_t id = 0; id < 100; ++id) cache.ask(id, 1, id % 2 == 0 ? 10 : 1000);
  for (std::size_t id = 100; id < 200; ++id) cache.ask(id, 1, 100);
  std::size_t cheap = 0;
  std::size_t dear = 0;
  for (std::size_t id = 0; id < 100; ++id) (id % 2 == 0 ? cheap : dear) += cache.holds(id) ? 1U : 0U;
  BOOST_TEST(cheap == 0U);
  BOOST_TEST(dear > 0U);
}

BOOST_AUTO_TEST_CASE(what_comes_back_out_of_the_ghost_is_proved) {
  Cache cache(10'000, 100);
  for (std::size_t id = 0; id < 101; ++id) cache.ask(id);
  BOOST_REQUIRE(!cache.holds(0));
  cache.ask(0);
  for (std::size_t id = 200; id < 5000; ++id) cache.ask(id);
  BOOST_TEST(cache.holds(0));
}

BOOST_AUTO_TEST_CASE(heat_tells_the_proved_from_those_on_probation) {
  Cache cache(1000, 100);
  const auto heat = [&](std::size_t id) { return cache.policy->heat(cache.entries[id]); };
  for (std::size_t id = 0; id < 100; ++id) cache.ask(id);
  BOOST_TEST(heat(0) == 0U);
  cache.ask(1);
  BOOST_TEST(heat(1) == 1U);
  for (std::size_t id = 100; id < 110; ++id) cache.ask(id);
  for (int i = 0; i < 10; ++i) cache.ask(109);
  BOOST_TEST(heat(1) > heat(109));
  BOOST_REQUIRE(!cache.holds(0));
  cache.entries[0].hits = 3;
  BOOST_TEST(heat(0) == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
