// What is purged by URL, prefix or tag, in the store and on disk: it does not come back, over no restart.
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <string>

#include "loopback/cache/disk_tier_fixture.h"

namespace seawall::test {
namespace {

using namespace disk_tier;

BOOST_AUTO_TEST_SUITE(loopback_disk_tier)

BOOST_AUTO_TEST_CASE(purged_urls_stay_purged) {
  for (const bool is_in_memory : {true, false}) {
    Fixture f;
    f.insert({.body = "one"});
    if (!is_in_memory) f.restart();
    f.store->purge_url(kKey, policy::hash_key(kKey), false, f.clock.wall_now());
    f.settle();
    BOOST_TEST(f.get(kKey) == "-");
    f.die(true);
    BOOST_TEST(f.get(kKey) == "-");
  }
}

BOOST_AUTO_TEST_CASE(a_purge_counts_what_memory_does_not_have) {
  Fixture f;
  f.insert({.body = "one"});
  const std::string other = kKey + "2";
  f.insert({.key = other, .body = "two"});
  f.restart();
  BOOST_TEST(f.get(kKey) == "one");
  for (const std::string& key : {kKey, other}) {
    BOOST_TEST(f.store->purge_url(key, policy::hash_key(key), false, f.clock.wall_now()) == 1U);
    BOOST_TEST(f.store->purge_url(key, policy::hash_key(key), false, f.clock.wall_now()) == 0U);
  }
}

BOOST_AUTO_TEST_CASE(a_soft_purge_is_not_undone) {
  Fixture f;
  f.insert({.body = "one"});
  f.clock.advance(Seconds{10});
  BOOST_TEST(f.store->purge_url(kKey, policy::hash_key(kKey), true, f.clock.wall_now()) == 1U);
  f.restart();
  BOOST_TEST(f.get(kKey) == "one");
  BOOST_TEST(f.lifetime(kKey)->count() == 10);
}

BOOST_AUTO_TEST_CASE(a_soft_purge_makes_stale_what_only_the_disk_has) {
  Fixture f;
  const auto purge = [&] { return f.store->purge_url(kKey, policy::hash_key(kKey), true, f.clock.wall_now()); };
  BOOST_TEST(purge() == 0U);
  f.insert({.body = "one"});
  f.restart();
  f.clock.advance(Seconds{10});
  BOOST_TEST(purge() == 1U);
  for (int life = 0; life < 2; ++life) {
    BOOST_TEST(f.get(kKey) == "one");
    BOOST_TEST(f.lifetime(kKey)->count() == 10);
    f.restart();
  }
  // What came after it is not meant by it; nor what only has a name like that.
  f.insert({.body = "two"});
  f.insert({.key = kKey + "x", .body = "x"});
  f.restart();
  f.clock.advance(Seconds{10});
  BOOST_TEST(purge() == 1U);
  f.insert({.body = "three"});
  f.restart();
  for (const std::string& key : {kKey, kKey + "x"}) {
    BOOST_TEST(f.get(key) != "-");
    BOOST_TEST(f.lifetime(key)->count() == 3600);
  }
}

// Its journal begins anew, without the notes that told how far epochs have come.
BOOST_AUTO_TEST_CASE(rules_hold_for_what_was_written_after_a_volume_came_back) {
  Fixture f;
  for (int i = 0; i < 3; ++i) f.purge(cache::PurgeKind::kTag, "blue");
  const auto state = [&] { return f.tier->stats().volumes[0].state; };
  f.disk.fail("/d/segment", EIO);
  f.insert({.key = kKey + "lost", .body = "x"});
  f.executor.run_until([&] {
    f.clock.advance(Millis{50});
    return state() == disk::VolumeState::kOutOfService;
  });
  f.disk.fail("/d/segment", 0);
  f.executor.run_until([&] {
    f.clock.advance(Seconds{1});
    return state() == disk::VolumeState::kInService;
  });
  f.insert({.body = "one", .tag = "red"});
  f.written(1);
  f.restart();
  f.purge(cache::PurgeKind::kTag, "red");
  BOOST_TEST(f.get(kKey) == "-");
}

// One that is stored with an epoch, whoever drew that.
BOOST_AUTO_TEST_CASE(a_validated_response_is_not_written_again_for_the_purges_of_others) {
  Fixture f;
  f.insert({.key = kKey + "other", .body = "x"});
  const Ref<Object> stored = f.insert({.body = "one"});
  f.written(2);
  f.store->purge_url(kKey + "other", policy::hash_key(kKey + "other"), true, f.clock.wall_now());
  f.clock.advance(Seconds{100});
  Object::Init init;
  init.key = kKey;
  init.hash = policy::hash_key(kKey);
  for (const auto field : stored->headers()) init.headers.add(field.name, field.value);
  init.freshness = {.response_time = f.clock.wall_now(), .lifetime = Seconds{3600}};
  init.purge_epoch = f.store->purges().epoch();
  init.complete_length = stored->complete_length();
  init.parts = stored->parts();
  const Ref<Object> fresh = Object::create(f.store->budget(), std::move(init));
  BOOST_TEST(f.settle());
  const std::uint64_t before = f.tier->stats().journal_entries;
  BOOST_TEST(f.store->replace(*stored, fresh));
  BOOST_TEST(f.settle());
  BOOST_TEST(f.tier->stats().journal_entries == before);  // nothing was replaced on disk
}

BOOST_AUTO_TEST_CASE(a_soft_purge_finds_what_is_being_read) {
  Fixture f;
  f.insert({.body = "one"});
  f.restart();
  f.clock.advance(Seconds{10});
  bool is_done = false;
  const auto wait = f.tier->load(kKey, nullptr, std::nullopt, f.executor, [&](DiskTier::Loaded) { is_done = true; });
  BOOST_TEST(f.store->purge_url(kKey, policy::hash_key(kKey), true, f.clock.wall_now()) == 1U);
  f.executor.run_until([&] { return is_done; });
  BOOST_TEST(f.lifetime(kKey)->count() == 10);
}

BOOST_AUTO_TEST_CASE(purges_by_rule_hold_below_and_over_restarts) {
  for (const bool loses_power : {false, true}) {
    Fixture f;
    f.insert({.key = "http://a.test/x/1", .body = "x", .tag = "red"});
    f.insert({.key = "http://a.test/y/1", .body = "y", .tag = "red"});
    f.insert({.key = "http://a.test/y/2", .body = "z", .tag = "blue"});
    f.restart();
    f.purge(cache::PurgeKind::kPrefix, "http://a.test/x/");
    f.die(loses_power);
    BOOST_TEST(f.get("http://a.test/x/1") == "-");
    BOOST_TEST(f.get("http://a.test/y/1") == "y");
    f.purge(cache::PurgeKind::kTag, "red");
    BOOST_TEST(f.get("http://a.test/y/1") == "-");
    f.die(loses_power);
    BOOST_TEST(f.get("http://a.test/y/1") == "-");
    BOOST_TEST(f.get("http://a.test/y/2") == "z");
    // What came after a purge is not meant by it.
    f.insert({.key = "http://a.test/x/1", .body = "new", .tag = "red"});
    f.restart();
    BOOST_TEST(f.get("http://a.test/x/1") == "new");
  }
}

BOOST_AUTO_TEST_CASE(soft_rules_make_stale_what_is_below) {
  Fixture f;
  f.insert({.body = "one", .tag = "red"});
  f.restart();
  f.clock.advance(Seconds{20});
  f.purge(cache::PurgeKind::kTag, "red", true);
  f.clock.advance(Seconds{20});
  BOOST_TEST(f.lifetime(kKey)->count() == 20);
  f.restart();
  BOOST_TEST(f.lifetime(kKey)->count() == 20);
}

BOOST_AUTO_TEST_CASE(what_is_purged_while_it_is_read_is_not_found_for_a_moment_even) {
  Fixture f;
  f.insert({.body = "one"});
  f.restart();
  bool is_done = false;
  const auto wait = f.tier->load(kKey, nullptr, std::nullopt, f.executor, [&](DiskTier::Loaded) { is_done = true; });
  f.store->purge_url(kKey, policy::hash_key(kKey), false, f.clock.wall_now());
  bool is_found = false;
  f.clock.hook = [&] { is_found = !f.store->peek_all(kKey, policy::hash_key(kKey)).empty(); };
  f.executor.run_until([&] { return is_done; });
  BOOST_TEST(!is_found);
  BOOST_TEST(f.store->peek_all(kKey, policy::hash_key(kKey)).empty());
}

BOOST_AUTO_TEST_CASE(a_purge_that_the_disk_does_not_take_in_time_says_so) {
  Fixture f;
  f.insert({.body = "one"});
  f.written(1);
  f.disk.hang("/d/journal", SimulatedDisk::Hang::kChanges);
  for (int i = 0; i < 3; ++i) {
    f.store->purge_url(kKey, policy::hash_key(kKey), false, f.clock.wall_now());
    f.insert({.body = "one"});
    f.store->purge_by_rule({.kind = cache::PurgeKind::kTag, .text = std::to_string(i), .at = f.clock.wall_now()});
    BOOST_TEST(!f.settle(Millis{2001}));
  }
  {
    const std::scoped_lock lock(f.log_mutex);
    BOOST_TEST(std::ranges::count_if(f.log, [](const auto& line) { return line.contains("a purge was not"); }) == 1);
  }
  f.disk.release();
  BOOST_TEST(f.settle());
}

BOOST_AUTO_TEST_CASE(the_same_soft_purge_over_and_over_takes_no_more_room) {
  Fixture f;
  f.insert({.body = "one", .tag = std::string(2000, 't')});
  f.restart();
  f.clock.advance(Seconds{20});
  const std::uint64_t before = f.tier->stats().volumes[0].journal_bytes;
  for (int i = 0; i < 2000; ++i) {
    f.store->purge_by_rule(
        {.kind = cache::PurgeKind::kTag, .text = std::string(2000, 't'), .is_soft = true, .at = f.clock.wall_now()});
    // In small steps: a thread that is slow must not seem to hang.
    f.clock.advance(Millis{10});
    if (i % 50 == 49) BOOST_REQUIRE(f.settle());
  }
  BOOST_TEST(f.tier->stats().volumes[0].journal_bytes <= 2 * before);
  f.die(true);
  // As of the first.
  BOOST_TEST(f.lifetime(kKey)->count() == 20);
}

BOOST_AUTO_TEST_CASE(soft_rules_past_their_bound_take_what_is_older_along) {
  Fixture f;
  f.insert({.body = "one"});
  f.restart();
  for (int i = 0; i < 1000; ++i) {
    const std::string text = std::to_string(1000 + i) + std::string(1000, 't');
    f.store->purge_by_rule({.kind = cache::PurgeKind::kTag, .text = text, .is_soft = true, .at = f.clock.wall_now()});
  }
  BOOST_TEST(f.settle());
  f.insert({.key = kKey + "new", .body = "two"});
  f.written(1);
  f.die(false);
  BOOST_TEST(f.get(kKey) == "-");
  BOOST_TEST(f.get(kKey + "new") == "two");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::test
