// What S3-FIFO is chosen for: quick demotion, hits that protect, ghosts that are believed, scans that pass through.
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <vector>

#include "cache/eviction.h"

namespace {

using seawall::cache::EvictionEntry;
using seawall::cache::EvictionPolicy;
using seawall::cache::make_s3_fifo;

// Entries of one size, numbered.
struct Cache {
  Cache(std::size_t count, std::uint64_t capacity) : capacity_bytes(capacity), entries(count) {}
  ~Cache() {
    while (policy->evict()) {
    }
  }

  bool holds(std::size_t id) const { return entries[id].queue != 0; }
  void ask(std::size_t id) {
    if (holds(id)) return EvictionPolicy::touch(entries[id]);
    entries[id].key_hash = id;
    entries[id].size_bytes = 1;
    entries[id].hits = 0;
    policy->insert(entries[id]);
    while (policy->listed_bytes() > capacity_bytes) policy->evict();
  }

  std::uint64_t capacity_bytes;
  std::vector<EvictionEntry> entries;
  std::unique_ptr<EvictionPolicy> policy = make_s3_fifo(capacity_bytes);
};

}  // namespace

BOOST_AUTO_TEST_SUITE(cache_s3_fifo)

BOOST_AUTO_TEST_CASE(a_scan_does_not_displace_what_is_in_use) {
  Cache cache(10'000, 100);
  for (int round = 0; round < 3; ++round) {
    for (std::size_t id = 0; id < 80; ++id) cache.ask(id);
  }
  for (std::size_t id = 80; id < 10'000; ++id) cache.ask(id);
  std::size_t kept = 0;
  for (std::size_t id = 0; id < 80; ++id) kept += cache.holds(id) ? 1U : 0U;
  BOOST_TEST(kept == 80U);
}

BOOST_AUTO_TEST_CASE(one_hit_is_enough_to_stay) {
  Cache cache(200, 100);
  for (std::size_t id = 0; id < 100; ++id) cache.ask(id);
  cache.ask(0);
  for (std::size_t id = 100; id < 200; ++id) cache.ask(id);
  BOOST_TEST(cache.holds(0));
  BOOST_TEST(!cache.holds(1));
}

BOOST_AUTO_TEST_CASE(what_comes_back_soon_skips_probation) {
  Cache cache(1000, 100);
  for (std::size_t id = 0; id < 101; ++id) cache.ask(id);
  BOOST_REQUIRE(!cache.holds(0));
  cache.ask(0);
  // Without the ghost it would leave as the newest of so many new ones.
  for (std::size_t id = 200; id < 400; ++id) cache.ask(id);
  BOOST_TEST(cache.holds(0));
}

BOOST_AUTO_TEST_CASE(a_ghost_is_forgotten_after_as_many_bytes) {
  Cache cache(2000, 100);
  for (std::size_t id = 0; id < 101; ++id) cache.ask(id);
  BOOST_REQUIRE(!cache.holds(0));
  for (std::size_t id = 200; id < 400; ++id) cache.ask(id);
  cache.ask(0);
  for (std::size_t id = 400; id < 600; ++id) cache.ask(id);
  BOOST_TEST(!cache.holds(0));
}

BOOST_AUTO_TEST_CASE(heat_tells_the_proved_from_those_on_probation) {
  Cache cache(200, 100);
  for (std::size_t id = 0; id < 100; ++id) cache.ask(id);
  const auto heat = [&](std::size_t id) { return cache.policy->heat(cache.entries[id]); };
  BOOST_TEST(heat(0) == 0U);
  cache.ask(1);
  BOOST_TEST(heat(1) == 1U);
  for (std::size_t id = 100; id < 110; ++id) cache.ask(id);
  for (int i = 0; i < 10; ++i) cache.ask(109);
  // Promoted, and not asked for since; on probation, and hot.
  BOOST_TEST(heat(1) > heat(109));
  BOOST_TEST(heat(109) > 1U);
  BOOST_REQUIRE(!cache.holds(0));
  cache.entries[0].hits = 3;
  BOOST_TEST(heat(0) == 0U);
}

BOOST_AUTO_TEST_CASE(touch_saturates) {
  EvictionEntry entry;
  for (int i = 0; i < 1000; ++i) EvictionPolicy::touch(entry);
  BOOST_TEST(entry.hits.load() == EvictionPolicy::kMaxHits);
}

BOOST_AUTO_TEST_SUITE_END()
