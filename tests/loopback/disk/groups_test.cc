// Groups of records, over a simulated disk: what is guaranteed to them, and their maximum.
#include <boost/test/unit_test.hpp>

#include "base/rng.h"
#include "loopback/disk/disk_bench.h"

namespace {

using namespace seawall;
using namespace seawall::test;

constexpr std::uint32_t kShop = 0xdeadbeef;
constexpr std::uint32_t kOther = 7;

std::string noise(std::size_t size, std::uint64_t seed = 1) {
  Rng rng(seed);
  std::string out(size, '\0');
  for (char& c : out) c = static_cast<char>(rng.next());
  return out;
}

struct Fixture : DiskBench {
  Fixture() : DiskBench(1) {}

  disk::Meta in(std::uint32_t group, std::uint64_t hash) const {
    disk::Meta m = meta(hash);
    m.group = group;
    return m;
  }
  // Until everything written so far has been evicted.
  void overflow() {
    for (std::uint64_t i = 0; i < 300; ++i) {
      tier->put(meta(50'000 + i), {}, chain_of(filler, 250'000));
      if (i % 50 == 49) sync();
    }
  }
  const std::string filler = noise(250'000, 99);
};

}  // namespace

BOOST_AUTO_TEST_SUITE(disk_tier_groups)

BOOST_FIXTURE_TEST_CASE(what_is_guaranteed_outlives_a_flood_of_others, Fixture) {
  BOOST_TEST_REQUIRE(open() == "");
  tier->set_group(kShop, {.guaranteed_bytes = 20 << 20});
  for (std::uint64_t i = 1; i <= 100; ++i) put(in(kShop, i), {}, noise(100'000, i));
  for (std::uint64_t i = 101; i <= 110; ++i) put(in(kOther, i), {}, noise(100'000, i));
  const std::uint64_t used = tier->group_use(kShop).used_bytes;
  BOOST_TEST(used >= 10'000'000U);
  for (int round = 0; round < 2; ++round) {
    overflow();
    for (std::uint64_t i = 1; i <= 100; ++i) BOOST_TEST_REQUIRE((get(i) == noise(100'000, i)), i);
    BOOST_TEST(tier->group_use(kShop).used_bytes == used);
  }
  for (std::uint64_t i = 101; i <= 110; ++i) BOOST_TEST(get(i) == "miss");
  BOOST_TEST(tier->group_use(kOther).used_bytes == 0U);
  BOOST_TEST(tier->stats().reinserted >= 100U);
  const auto volume = tier->stats().volumes[0];
  BOOST_TEST(volume.used_bytes <= volume.capacity_bytes);
}

BOOST_FIXTURE_TEST_CASE(past_its_guarantee_the_oldest_of_a_group_go, Fixture) {
  BOOST_TEST_REQUIRE(open() == "");
  tier->set_group(kShop, {.guaranteed_bytes = 5 << 20});
  for (std::uint64_t i = 1; i <= 100; ++i) put(in(kShop, i), {}, noise(100'000, i));
  overflow();
  const std::uint64_t used = tier->group_use(kShop).used_bytes;
  BOOST_TEST(used >= 5U << 20);
  BOOST_TEST(used < (5U << 20) + 200'000);
  BOOST_TEST(get(1) == "miss");
  BOOST_TEST(get(100) != "miss");
}

BOOST_FIXTURE_TEST_CASE(what_is_dead_is_not_guaranteed, Fixture) {
  options.recheck = [](const disk::Revisit& r) {
    return r.key == "key 4" ? std::nullopt : std::optional(r.purge_epoch);
  };
  BOOST_TEST_REQUIRE(open() == "");
  tier->set_group(kShop, {.guaranteed_bytes = 20 << 20});
  put(in(kShop, 1), {}, "stays");
  auto expires = in(kShop, 2);
  expires.usable_until = 1'700'000'010;
  put(expires, {}, "expired");
  put(in(kShop, 3), {}, "erased");
  put(in(kShop, 4), {}, "purged");
  put(in(kShop, 5), {}, "older");
  put(in(kShop, 5), {}, "younger");
  erase(3);
  clock.advance(Seconds(11));
  overflow();
  BOOST_TEST(get(1) == "stays");
  BOOST_TEST(get(5) == "younger");
  for (const std::uint64_t gone : {2U, 3U, 4U}) BOOST_TEST(get(gone) == "miss", gone);
  BOOST_TEST(tier->stats().reinserted == 2U);
  BOOST_TEST(tier->group_use(kShop).used_bytes == 2 * 512U);
}

// What is guaranteed cannot be written again where others have filled the file system; the volume shrinks all the same.
BOOST_FIXTURE_TEST_CASE(a_volume_that_was_made_smaller_on_a_full_disk_stays_in_service, Fixture) {
  options.volumes[0].capacity_bytes = 2 * disk::kMinVolumeBytes;
  BOOST_TEST_REQUIRE(open() == "");
  tier->set_group(kShop, {.guaranteed_bytes = 20 << 20});
  for (std::uint64_t i = 1; i <= 100; ++i) put(in(kShop, i), {}, noise(100'000, i));
  overflow();
  BOOST_TEST_REQUIRE(tier->stats().volumes[0].used_bytes > disk::kMinVolumeBytes);
  close();
  options.volumes[0].capacity_bytes = disk::kMinVolumeBytes;
  // It is not known what there is before it is known what is guaranteed.
  disk.hang("/d0/segment-", SimulatedDisk::Hang::kReads);
  auto opened = disk::Tier::open(options);
  BOOST_TEST_REQUIRE(opened.has_value());
  tier = std::move(*opened);
  tier->set_group(kShop, {.guaranteed_bytes = 20 << 20});
  disk.fail("/d0/segment-", ENOSPC, true);
  disk.release();
  executor.run_until([&] { return tier->is_loaded() && tier->stats().volumes[0].used_bytes <= disk::kMinVolumeBytes; });
  BOOST_TEST((tier->stats().volumes[0].state == disk::VolumeState::kInService));
  BOOST_TEST((get(50'000 + 299) == filler));
  BOOST_TEST(get(1) == "miss");
}

BOOST_FIXTURE_TEST_CASE(a_full_guarantee_leaves_room_for_others, Fixture) {
  BOOST_TEST_REQUIRE(open() == "");
  tier->set_group(kShop, {.guaranteed_bytes = 32 << 20});
  for (std::uint64_t i = 1; i <= 320; ++i) put(in(kShop, i), {}, noise(100'000, i));
  overflow();
  // All that was put at last, and nothing of what is guaranteed is lost.
  for (std::uint64_t i = 1; i <= 320; ++i) BOOST_TEST_REQUIRE(get(i) != "miss", i);
  BOOST_TEST(get(50'000 + 299) == filler);
  BOOST_TEST(tier->stats().puts[static_cast<std::size_t>(disk::PutStatus::kStored)] == 320U + 300U);
  BOOST_TEST((tier->stats().volumes[0].state == disk::VolumeState::kInService));
}

BOOST_FIXTURE_TEST_CASE(a_group_at_its_maximum_takes_the_new_in_place_of_its_oldest, Fixture) {
  constexpr std::uint64_t kMax = 5 << 20;
  BOOST_TEST_REQUIRE(open() == "");
  tier->set_group(kShop, {.max_bytes = kMax});
  put(in(kOther, 1000), {}, "somebody else's");
  for (std::uint64_t i = 1; i <= 200; ++i) {
    BOOST_TEST_REQUIRE((put(in(kShop, i), {}, noise(100'000, i)).status == disk::PutStatus::kStored));
    BOOST_TEST_REQUIRE(tier->group_use(kShop).used_bytes <= kMax);
  }
  BOOST_TEST(tier->group_use(kShop).used_bytes > kMax * 14 / 16);
  // The oldest went, and only they, whatever came in between.
  std::uint64_t oldest = 1;
  while (get(oldest) == "miss") ++oldest;
  BOOST_TEST(oldest > 140U);
  for (std::uint64_t i = oldest; i <= 200; ++i) BOOST_TEST_REQUIRE((get(i) == noise(100'000, i)), i);
  BOOST_TEST(tier->group_use(kShop).evicted == oldest - 1);
  BOOST_TEST(tier->stats().evicted_segments == 0U);
  BOOST_TEST(get(1000) == "somebody else's");
  for (const bool has_aside : {true, false}) {
    close();
    disk.restart();
    if (!has_aside) disk.remove("/d0/index");
    BOOST_TEST_REQUIRE(open() == "");
    for (std::uint64_t i = 1; i < oldest; ++i) BOOST_TEST_REQUIRE(get(i) == "miss", i);
    for (std::uint64_t i = oldest; i <= 200; ++i) BOOST_TEST_REQUIRE((get(i) == noise(100'000, i)), i);
  }
}

BOOST_FIXTURE_TEST_CASE(a_maximum_holds_within_one_segment, Fixture) {
  constexpr std::uint64_t kMax = 100'000;
  BOOST_TEST_REQUIRE(open() == "");
  tier->set_group(kShop, {.max_bytes = kMax});
  // Without a wait for each: many are settled at once.
  for (std::uint64_t i = 1; i <= 60; ++i) {
    tier->put(in(kShop, i), {}, chain_of(noise(10'000, i)));
    tier->put(in(kOther, 100 + i), {}, chain_of(noise(1'000, i)));
  }
  sync();
  BOOST_TEST(tier->group_use(kShop).used_bytes <= kMax);
  BOOST_TEST(get(60) != "miss");
  BOOST_TEST(get(40) == "miss");
  BOOST_TEST(get(101) != "miss");
}

BOOST_FIXTURE_TEST_CASE(what_is_larger_than_its_groups_maximum_is_not_kept, Fixture) {
  BOOST_TEST_REQUIRE(open() == "");
  tier->set_group(kShop, {.max_bytes = 1'000'000});
  put(in(kShop, 1), {}, "older");
  BOOST_TEST((put(in(kShop, 1), {}, noise(1'000'001)).status == disk::PutStatus::kTooLarge));
  BOOST_TEST(get(1) == "miss");
  // As it lies on the disk, it is.
  BOOST_TEST((put(in(kShop, 2), {}, noise(1'000'000)).status == disk::PutStatus::kTooLarge));
  BOOST_TEST(get(2) == "miss");
  auto writer = tier->begin_stream(in(kShop, 3));
  BOOST_TEST_REQUIRE(writer != nullptr);
  BOOST_TEST(writer->append(chain_of(noise(900'000))));
  BOOST_TEST(!writer->append(chain_of(noise(200'000))));
  BOOST_TEST(tier->group_use(kShop).used_bytes == 0U);
  BOOST_TEST((put(in(kOther, 4), {}, noise(1'000'001)).status == disk::PutStatus::kStored));
}

BOOST_FIXTURE_TEST_CASE(a_lowered_maximum_is_reached_without_a_put, Fixture) {
  BOOST_TEST_REQUIRE(open() == "");
  for (std::uint64_t i = 1; i <= 100; ++i) put(in(kShop, i), {}, noise(100'000, i));
  tier->set_group(kShop, {.max_bytes = 2 << 20});
  executor.run_until([&] { return tier->group_use(kShop).used_bytes <= 2U << 20; });
  BOOST_TEST(get(1) == "miss");
  BOOST_TEST(get(100) != "miss");
  close();
  disk.restart();
  BOOST_TEST_REQUIRE(open() == "");
  tier->set_group(kShop, {.max_bytes = 1 << 20});
  executor.run_until([&] { return tier->group_use(kShop).used_bytes <= 1U << 20; });
  BOOST_TEST(get(100) != "miss");
}

BOOST_FIXTURE_TEST_CASE(what_a_group_has_is_known_after_a_restart, Fixture) {
  BOOST_TEST_REQUIRE(open() == "");
  for (std::uint64_t i = 1; i <= 30; ++i) put(in(i % 2 == 0 ? kShop : kOther, i), {}, noise(100'000, i));
  put(in(kShop, 31), {}, noise(600'000));  // in chunks
  const std::uint64_t used = tier->group_use(kShop).used_bytes;
  BOOST_TEST(used >= 15 * 100'000U + 600'000U);
  BOOST_TEST(used < (15 * 100'000U + 600'000U) * 9 / 8);
  // From the index aside, from the footers, and from the records.
  for (const int how : {0, 1, 2}) {
    close();
    disk.restart();
    if (how > 0) disk.remove("/d0/index");
    for (const std::string& path : disk.files("/d0/segment-")) {
      if (how < 2) continue;
      std::string bytes = disk.content(path);
      bytes[bytes.size() - 3] ^= 1;
      disk.set_content(path, bytes);
    }
    BOOST_TEST_REQUIRE(open() == "");
    BOOST_TEST(tier->group_use(kShop).used_bytes == used, how);
  }
}

BOOST_FIXTURE_TEST_CASE(each_volume_has_its_part_of_a_groups_bounds, Fixture) {
  disk.make_directory("/d1");
  options.volumes.push_back({.path = "/d1", .capacity_bytes = disk::kMinVolumeBytes});
  BOOST_TEST_REQUIRE(open() == "");
  tier->set_group(kShop, {.max_bytes = 10 << 20});
  for (std::uint64_t i = 1; i <= 300; ++i) put(in(kShop, i), {}, noise(100'000, i));
  const std::uint64_t used = tier->group_use(kShop).used_bytes;
  BOOST_TEST(used <= 10U << 20);
  BOOST_TEST(used > 8U << 20);
}

BOOST_AUTO_TEST_SUITE_END()
