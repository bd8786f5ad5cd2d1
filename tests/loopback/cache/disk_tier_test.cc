// The store over its disk tier: what comes back from below, and what never does.
#include "cache/disk_tier.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "loopback/cache/disk_tier_fixture.h"

namespace seawall::test {
namespace {

using namespace disk_tier;

BOOST_AUTO_TEST_SUITE(loopback_disk_tier)

BOOST_AUTO_TEST_CASE(what_was_stored_is_there_after_a_restart) {
  Fixture f;
  const std::string large(500'000, 'x');
  f.insert({.body = large});
  f.insert({.key = "http://a.test/empty", .body = ""});
  f.restart();
  BOOST_TEST(f.store->stats().objects == 0U);
  BOOST_TEST((f.get(kKey) == large));
  BOOST_TEST(f.get("http://a.test/empty") == "");
  BOOST_TEST(f.get("http://a.test/other") == "-");
  BOOST_TEST(f.tier->loaded() == 2U);
  // From memory now.
  BOOST_TEST((f.get(kKey) == large));
  BOOST_TEST(f.tier->loaded() == 2U);
}

BOOST_AUTO_TEST_CASE(what_memory_evicted_comes_back) {
  Fixture f;
  for (std::uint64_t i = 0; i < 100; ++i) {
    f.insert({.key = kKey + std::to_string(i), .body = std::string(200'000, static_cast<char>('a' + i % 26))});
    if (i % 4 == 3) f.written(i + 1);  // as fast as the disk takes it
  }
  BOOST_TEST(f.store->stats().evictions > 0U);
  int found = 0;
  for (int i = 0; i < 100; ++i) {
    const std::string body = f.get(kKey + std::to_string(i));
    if (body == std::string(200'000, static_cast<char>('a' + i % 26))) ++found;
  }
  BOOST_TEST(found == 100);
}

BOOST_AUTO_TEST_CASE(the_newest_is_what_comes_back) {
  Fixture f;
  f.insert({.body = "one"});
  f.insert({.body = "two"});
  f.restart();
  BOOST_TEST(f.get(kKey) == "two");
  f.insert({.body = "three"});
  f.written(1);
  f.forget_in_memory(kKey);
  BOOST_TEST(f.get(kKey) == "three");
}

BOOST_AUTO_TEST_CASE(what_is_not_worth_a_write_takes_its_older_version_along) {
  Fixture f;
  f.insert({.body = "one"});
  f.insert({.body = "two", .etag = "", .lifetime = Seconds{5}});
  BOOST_TEST(f.get(kKey) == "two");
  f.restart();
  BOOST_TEST(f.get(kKey) == "-");
}

BOOST_AUTO_TEST_CASE(what_may_not_be_stored_any_more_does_not_come_back) {
  Fixture f;
  BOOST_TEST(f.store->erase(*f.insert({.body = "one"})));
  BOOST_TEST(f.get(kKey) == "-");
  f.insert({.body = "one"});
  f.restart();
  f.store->forget_unseen(kKey, policy::hash_key(kKey));
  BOOST_TEST(f.get(kKey) == "-");
  f.restart();
  BOOST_TEST(f.get(kKey) == "-");
}

BOOST_AUTO_TEST_CASE(variants_come_back_side_by_side) {
  Fixture f;
  for (const char* type : {"text/html", "text/plain"}) {
    f.insert({.body = type, .vary = {"accept"}, .request = accepting(type)});
  }
  f.restart();
  BOOST_TEST(f.get(kKey, accepting("text/plain")) == "text/plain");
  BOOST_TEST(f.get(kKey, accepting("text/html")) == "text/html");
  BOOST_TEST(f.get(kKey, accepting("image/png")) == "-");
  // Of two that a request selects the newer goes first, after a restart too.
  f.insert({.body = "older, for all"});
  f.insert({.body = "newer, for html", .vary = {"accept"}, .request = accepting("text/html")});
  BOOST_TEST(f.get(kKey, accepting("text/html")) == "newer, for html");
  f.restart();
  BOOST_TEST(f.get(kKey, accepting("text/html")) == "newer, for html");
  BOOST_TEST(f.get(kKey, accepting("image/png")) == "older, for all");
}

// Past the budget for writes what was asked for again goes on being written, and nothing else.
BOOST_AUTO_TEST_CASE(what_takes_the_place_of_what_was_wanted_is_written) {
  Fixture f;
  f.insert({.body = "one"});
  f.written(1);
  f.disk_writes = 1;
  f.restart();
  BOOST_TEST(f.get(kKey) == "one");
  Rng rng(1);
  std::string noise(200'000, ' ');
  for (char& c : noise) c = static_cast<char>(rng.next());
  f.insert({.key = kKey + "large", .body = noise});
  f.insert({.body = "two"});
  f.insert({.key = kKey + "new", .body = "x"});
  f.restart();
  BOOST_TEST(f.get(kKey) == "two");
  BOOST_TEST(f.get(kKey + "new") == "-");
}

BOOST_AUTO_TEST_CASE(one_read_is_for_all_who_ask_at_once) {
  Fixture f;
  f.insert({.body = "one"});
  f.restart();
  int done = 0;
  std::vector<std::optional<disk::Pending>> waits;
  for (int i = 0; i < 10; ++i)
    waits.push_back(f.tier->load(kKey, nullptr, std::nullopt, f.executor, [&](DiskTier::Loaded) { ++done; }));
  waits[3].reset();  // its client has left
  f.executor.run_until([&] { return done == 9; });
  f.executor.run_ready();
  BOOST_TEST(done == 9);
  BOOST_TEST(f.tier->stats().reads == 1U);
  BOOST_TEST(f.tier->loaded() == 1U);
}

BOOST_AUTO_TEST_CASE(what_came_while_it_was_read_wins) {
  Fixture f;
  f.insert({.body = "one"});
  f.restart();
  bool is_done = false;
  auto wait = f.tier->load(kKey, nullptr, std::nullopt, f.executor, [&](DiskTier::Loaded) { is_done = true; });
  f.insert({.body = "two"});
  f.executor.run_until([&] { return is_done; });
  BOOST_TEST(f.get(kKey) == "two");
  f.restart();
  is_done = false;
  wait = f.tier->load(kKey, nullptr, std::nullopt, f.executor, [&](DiskTier::Loaded) { is_done = true; });
  f.store->erase_key(kKey, policy::hash_key(kKey));
  f.executor.run_until([&] { return is_done; });
  BOOST_TEST(f.get(kKey) == "-");
}

BOOST_AUTO_TEST_CASE(a_validated_response_is_not_written_again) {
  Fixture f;
  Ref<Object> stored = f.insert({.body = "one"});
  const auto puts = [&] { return f.tier->stats().puts[0]; };
  f.written(1);
  f.clock.advance(Seconds{100});
  const auto renewed = [&](const std::string& etag, Seconds lifetime) {
    Object::Init init;
    init.key = kKey;
    init.hash = policy::hash_key(kKey);
    init.headers.add("ETag", etag);
    init.freshness = {.response_time = f.clock.wall_now(), .lifetime = lifetime};
    init.complete_length = stored->complete_length();
    init.parts = stored->parts();
    return Object::create(f.store->budget(), std::move(init));
  };
  const auto replace = [&](const Ref<Object>& fresh) {
    BOOST_TEST(f.store->replace(*stored, fresh));
    stored = fresh;
  };
  replace(renewed("\"v\"", Seconds{3600}));
  // One that is fresh for less, or says something else, is.
  replace(renewed("\"v\"", Seconds{60}));
  f.written(2);
  replace(renewed("\"w\"", Seconds{3600}));
  f.written(3);
  // And what is on disk is not to expire while memory validates it.
  for (int hours = 0; hours < 24; hours += 5) {
    f.clock.advance(Seconds{5 * 3600});
    replace(renewed("\"w\"", Seconds{3600}));
  }
  f.written(4);
  BOOST_TEST(puts() == 4U);
  stored = nullptr;
  f.restart();
  BOOST_TEST(f.get(kKey) == "one");
  BOOST_TEST(f.lifetime(kKey)->count() == 3600);
}

BOOST_AUTO_TEST_CASE(an_older_version_that_was_on_its_way_up_does_not_outlast_what_was_evicted_at_once) {
  Fixture f;
  f.insert({.body = "one"});
  f.restart();
  bool is_done = false;
  const auto wait = f.tier->load(kKey, nullptr, std::nullopt, f.executor, [&](DiskTier::Loaded) { is_done = true; });
  const Ref<Object> two = f.make({.body = "two"});
  // Between publishing and keeping.
  f.clock.hook = [&] {
    f.forget_in_memory(kKey);
    f.executor.run_until([&] { return is_done; });
  };
  BOOST_TEST(f.store->insert(two));
  BOOST_TEST(is_done);
  BOOST_TEST(f.get(kKey) != "one");
}

BOOST_AUTO_TEST_CASE(variants_that_memory_has_are_not_read_again) {
  Fixture f;
  for (const char* type : {"text/html", "text/plain"}) {
    f.insert({.body = type, .vary = {"accept"}, .request = accepting(type)});
  }
  f.restart();
  BOOST_TEST(f.get(kKey, accepting("text/html")) == "text/html");
  BOOST_TEST(f.tier->stats().reads == 2U);
  BOOST_TEST(f.get(kKey, accepting("image/png")) == "-");
  BOOST_TEST(f.tier->stats().reads == 2U);
}

struct ManyVariants : Fixture {
  ManyVariants() {
    for (int i = 0; i < 20; ++i) insert({.body = type(i), .vary = {"accept"}, .request = accepting(type(i).c_str())});
  }
  static std::string type(int i) { return "text/" + std::to_string(i); }
  // Reads that it took.
  std::uint64_t load(std::optional<std::uint64_t> after) {
    const std::uint64_t before = tier->stats().reads;
    std::optional<DiskTier::Loaded> loaded;
    const auto wait = tier->load(kKey, nullptr, after, executor, [&](DiskTier::Loaded l) { loaded = l; });
    BOOST_REQUIRE(wait.has_value());
    executor.run_until([&] {
      clock.advance(Millis{50});
      return loaded.has_value();
    });
    next = loaded->next;
    return tier->stats().reads - before;
  }
  std::optional<std::uint64_t> next;
};

BOOST_FIXTURE_TEST_CASE(many_variants_come_some_at_a_time, ManyVariants) {
  restart();
  const std::uint64_t read = load(std::nullopt);
  BOOST_TEST(read == 8U);
  BOOST_REQUIRE(next);
  BOOST_TEST(load(next) == 8U);
  BOOST_REQUIRE(next);
  BOOST_TEST(load(next) == 4U);
  BOOST_TEST(!next);
  BOOST_TEST(store->peek_all(kKey, policy::hash_key(kKey)).size() == 20U);
  BOOST_TEST(get(kKey, accepting("text/0")) == "text/0");
}

BOOST_FIXTURE_TEST_CASE(variants_that_memory_refuses_are_not_asked_for_again, ManyVariants) {
  max_variants = 4;
  restart();
  load(std::nullopt);
  BOOST_TEST(!next);
}

BOOST_FIXTURE_TEST_CASE(a_disk_that_does_not_answer_is_not_asked_for_more, ManyVariants) {
  restart();
  disk.hang("/d", SimulatedDisk::Hang::kReads);
  load(std::nullopt);
  BOOST_TEST(!next);
  disk.release();
}

BOOST_AUTO_TEST_CASE(what_the_share_has_no_room_for_stays_on_disk) {
  // The smaller one would fit but for what its blocks take besides.
  for (const std::size_t size : {100'000U, 45'000U}) {
    BOOST_TEST_CONTEXT(size) {
      Fixture f;
      const std::string body(size, 'x');
      f.insert({.body = body});
      f.restart();
      const auto share = make_ref<cache::ShareGroup>(cache::ShareBounds{.max_bytes = 50'000});
      bool is_done = false;
      const auto wait = f.tier->load(kKey, share, std::nullopt, f.executor, [&](DiskTier::Loaded) { is_done = true; });
      f.executor.run_until([&] { return is_done; });
      const Ref<Object> loaded = f.store->peek_all(kKey, policy::hash_key(kKey)).at(0);
      BOOST_TEST(loaded->charged_bytes() < 4096U);
      // And is read for its answers alone.
      const auto reads_of_a_hit = [&] {
        const std::uint64_t before = f.tier->stats().reads;
        BOOST_TEST((f.get(kKey) == body));
        f.executor.run_ready();
        return f.tier->stats().reads - before;
      };
      const std::uint64_t reads = reads_of_a_hit();
      for (int i = 0; i < 3; ++i) {
        BOOST_TEST(reads_of_a_hit() == reads);
        f.clock.advance(Seconds{11});
      }
      BOOST_TEST(f.tier->loaded() == 1U);
    }
  }
}

BOOST_AUTO_TEST_CASE(what_a_share_has_of_the_disk_is_bounded_and_known_after_a_restart) {
  Fixture f;
  const auto share = make_ref<cache::ShareGroup>(cache::ShareBounds{}, cache::disk_label("a route"));
  const auto nth = [](int i) { return kKey + std::to_string(i); };
  BOOST_TEST(f.tier->capacity_bytes() == disk::kMinVolumeBytes);
  f.tier->set_bounds(*share, {.max_bytes = 50'000});
  f.insert({.key = nth(0), .body = "of no route"});
  // Such as does not get smaller.
  Rng rng(1);
  std::string noise(10'000, ' ');
  for (char& c : noise) c = static_cast<char>(rng.next());
  for (int i = 1; i <= 10; ++i) f.insert({.key = nth(i), .body = noise, .share = share});
  f.written(11);
  const disk::GroupUse use = f.tier->use_of(*share);
  BOOST_TEST(use.used_bytes <= 50'000U);
  BOOST_TEST(use.used_bytes > 30'000U);
  BOOST_TEST(use.evicted > 0U);
  BOOST_TEST(use.bounds.max_bytes == 50'000U);
  f.restart();
  BOOST_TEST(f.tier->use_of(*share).used_bytes == use.used_bytes);
  BOOST_TEST(f.load(nth(0)));
  BOOST_TEST(!f.load(nth(1)));
  BOOST_TEST(f.load(nth(10)));
}

BOOST_AUTO_TEST_CASE(a_body_that_memory_may_not_hold_is_read_from_disk) {
  Fixture f;
  const std::string large = std::string(3'000'000, 'x') + "end";
  {
    const Ref<Object> stored = f.write({.body = large});
    BOOST_REQUIRE(stored);
    BOOST_TEST(stored->is_complete());
    BOOST_TEST(!stored->is_ready());
    BOOST_TEST(stored->charged_bytes() < 4096U);
  }
  for (int life = 0; life < 2; ++life) {
    for (int i = 0; i < 4; ++i) BOOST_TEST((f.get(kKey) == large));
    BOOST_TEST(f.store->stats().stored_bytes < 4096U);
    f.restart();
  }
  f.store->erase_key(kKey, policy::hash_key(kKey));
  BOOST_TEST(f.get(kKey) == "-");
  f.restart();
  BOOST_TEST(f.get(kKey) == "-");
}

BOOST_AUTO_TEST_CASE(what_is_written_takes_the_place_of_what_memory_had) {
  Fixture f;
  const std::string large(2'000'000, 'x');
  f.insert({.body = "old"});
  BOOST_REQUIRE(f.write({.body = large}));
  BOOST_TEST((f.get(kKey) == large));
  f.insert({.body = "new"});
  BOOST_TEST(f.get(kKey) == "new");
  f.restart();
  BOOST_TEST(f.get(kKey) == "new");
}

BOOST_AUTO_TEST_CASE(what_is_purged_or_replaced_while_it_is_written_is_not_stored) {
  const std::string large(2'000'000, 'x');
  for (const int how : {0, 1, 2}) {
    Fixture f;
    f.while_written = [&] {
      if (how == 0) f.store->erase_key(kKey, policy::hash_key(kKey));
      if (how == 1) f.purge(cache::PurgeKind::kPrefix, "http://a.test/");
      if (how == 2) f.insert({.body = "newer"});
    };
    BOOST_TEST(!f.write({.body = large}));
    const std::string expected = how == 2 ? "newer" : "-";
    BOOST_TEST(f.get(kKey) == expected);
    f.restart();
    BOOST_TEST(f.get(kKey) == expected);
  }
}

BOOST_AUTO_TEST_CASE(a_record_that_has_gone_is_a_miss) {
  Fixture f;
  const Ref<Object> stored = f.write({.body = std::string(2'000'000, 'x')});
  BOOST_REQUIRE(stored);
  f.store->take_back(*stored);
  BOOST_REQUIRE(f.load(kKey));
  const Ref<Object> loaded = f.store->peek_all(kKey, policy::hash_key(kKey)).at(0);
  f.store->erase_key(kKey, policy::hash_key(kKey));
  BOOST_TEST((f.read(*stored) == "lost"));
  BOOST_TEST((f.read(*loaded) == "lost"));
  BOOST_TEST(f.get(kKey) == "-");
}

BOOST_AUTO_TEST_CASE(bodies_that_memory_may_hold_come_back_when_they_are_asked_for_again) {
  Fixture f(1, 0.5);
  const std::string large = std::string(1'500'000, 'x') + "end";
  BOOST_REQUIRE(f.write({.body = large}));
  f.restart();
  BOOST_TEST((f.get(kKey) == large));
  BOOST_TEST(f.store->peek_all(kKey, policy::hash_key(kKey)).front()->disk_body() != nullptr);
  BOOST_TEST((f.get(kKey) == large));
  f.executor.run_until([&] { return f.tier->loaded() == 2U; });  // its head, and then its body
  BOOST_TEST(f.store->peek_all(kKey, policy::hash_key(kKey)).front()->is_ready());
  BOOST_TEST((f.get(kKey) == large));
}

BOOST_AUTO_TEST_CASE(a_body_that_found_no_room_in_memory_comes_back_later) {
  Fixture f(1, 0.5);
  const std::string large(1'500'000, 'x');
  BOOST_REQUIRE(f.write({.body = large}));
  const auto is_in_memory = [&] { return f.store->peek_all(kKey, policy::hash_key(kKey)).front()->is_ready(); };
  {
    const Slice others = Slice::copy_of(&f.store->budget(), std::string(7'000'000, 'o'));
    for (int i = 0; i < 3; ++i) BOOST_TEST((f.get(kKey) == large));
    BOOST_TEST(!is_in_memory());
  }
  // Not tried again with each hit.
  f.clock.advance(Seconds{9});
  BOOST_TEST((f.get(kKey) == large));
  f.executor.run_ready();
  BOOST_TEST(f.tier->loaded() == 0U);
  f.clock.advance(Seconds{2});
  BOOST_TEST((f.get(kKey) == large));
  f.executor.run_until([&] { return f.tier->loaded() == 1U; });
  BOOST_TEST(is_in_memory());
}

BOOST_AUTO_TEST_CASE(a_body_that_could_not_be_read_into_memory_comes_back_later) {
  Fixture f(1, 0.5);
  const std::string large(1'500'000, 'x');
  BOOST_REQUIRE(f.write({.body = large}));
  BOOST_TEST((f.get(kKey) == large));
  f.disk.fail("/d/segment-", EIO);
  BOOST_TEST(f.get(kKey) == "lost");
  f.disk.fail("/d/segment-", 0);
  f.executor.run_ready();
  f.clock.advance(Seconds{11});
  BOOST_TEST((f.get(kKey) == large));
  f.executor.run_until([&] { return f.tier->loaded() == 1U; });
  BOOST_TEST((f.get(kKey) == large));
}

BOOST_AUTO_TEST_CASE(a_validated_body_on_disk_stays_as_long_as_that_does_no_harm) {
  struct Row {
    const char* name;
    bool stays;
    std::function<void(Object::Init&)> change;
  };
  const Row rows[] = {
      {"longer", true, [](Object::Init& init) { init.freshness.lifetime = Seconds{7200}; }},
      {"may be used when the origin fails", true, [](auto& init) { init.freshness.stale_if_error = Seconds{60}; }},
      {"shorter", false, [](Object::Init& init) { init.freshness.lifetime = Seconds{60}; }},
      {"less long when the origin fails", false, [](auto& init) { init.freshness.stale_if_error = Seconds{1}; }},
      {"less long while it is asked", false, [](auto& init) { init.freshness.stale_while_revalidate = Seconds{1}; }},
      {"to be validated", false, [](Object::Init& init) { init.freshness.no_cache = true; }},
      {"no longer immutable", false, [](Object::Init& init) { init.freshness.immutable = false; }},
      {"with another tag", false, [](Object::Init& init) { init.tags = {"new"}; }},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      Fixture f;
      const std::string large(2'000'000, 'x');
      const Ref<Object> stored = f.write({.body = large, .change = [](Object::Init& init) {
                                            init.tags = {"old"};
                                            init.freshness.stale_if_error = Seconds{30};
                                            init.freshness.stale_while_revalidate = Seconds{30};
                                            init.freshness.immutable = true;
                                          }});
      BOOST_REQUIRE(stored);
      Object::Init init;
      init.key = stored->key();
      init.hash = stored->hash();
      init.headers = stored->headers();
      init.freshness = stored->freshness();
      init.purge_epoch = stored->purge_epoch();
      init.tags = stored->tags();
      init.complete_length = stored->complete_length();
      init.disk_body = Ref<const cache::DiskBody>(stored->disk_body());
      row.change(init);
      BOOST_REQUIRE(f.store->replace(*stored, Object::create(f.store->budget(), std::move(init))));
      BOOST_TEST((f.get(kKey) == (row.stays ? large : "-")));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_disk_that_does_not_answer_a_read_is_waited_for_until_its_deadline) {
  Fixture f;
  f.insert({.body = "one"});
  f.restart();
  f.disk.hang("/d", SimulatedDisk::Hang::kReads);
  bool is_done = false;
  const auto wait = f.tier->load(kKey, nullptr, std::nullopt, f.executor, [&](DiskTier::Loaded) { is_done = true; });
  f.executor.run_until([&] { return f.disk.hanging() > 0; });
  BOOST_TEST(!is_done);
  f.clock.advance(Millis{1001});
  f.executor.run_until([&] { return is_done; });
  BOOST_TEST(f.store->peek_all(kKey, policy::hash_key(kKey)).empty());
  BOOST_TEST(f.tier->stats().reads_timeout == 1U);
  f.disk.release();
}

BOOST_AUTO_TEST_CASE(a_disk_that_does_not_answer_a_write_costs_neither_hits_nor_memory) {
  Fixture f;
  f.disk.hang("/d/segment", SimulatedDisk::Hang::kChanges);
  for (int i = 0; i < 40; ++i) f.insert({.key = kKey + std::to_string(i), .body = std::string(100'000, 'x')});
  const disk::TierStats stats = f.tier->stats();
  BOOST_TEST(stats.volumes[0].backlog_bytes <= (std::size_t{8} << 20) / 8);
  BOOST_TEST(stats.puts[static_cast<std::size_t>(disk::PutStatus::kBacklog)] >= 25U);
  BOOST_TEST(f.store->peek_all(kKey + "39", policy::hash_key(kKey + "39")).size() == 1U);
  // And it leaves service.
  f.executor.run_until([&] { return f.disk.hanging() > 0; });
  f.clock.advance(Millis{10'001});
  f.executor.run_until([&] { return f.tier->stats().volumes[0].state == disk::VolumeState::kOutOfService; });
  f.disk.release();
}

// Whatever happens, each key has its newest body or none, and what was purged for certain never comes back.
BOOST_AUTO_TEST_CASE(any_mix_of_calls_and_ends) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    BOOST_TEST_CONTEXT("seed " << seed) {
      Fixture f(seed);
      Rng rng(seed);
      std::map<std::string, std::string> newest;
      std::map<std::string, std::string> tags;
      for (int step = 0; step < 120; ++step) {
        const std::string key = kKey + std::to_string(rng.below(8));
        const std::uint64_t what = rng.below(20);
        if (what < 8) {
          const std::string tag = rng.below(2) == 0 ? "red" : "blue";
          const std::string body = key + " " + std::to_string(step) + std::string(rng.below(60'000), 'x');
          newest[key] = body;
          tags[key] = tag;
          f.insert({.key = key, .body = body, .tag = tag});
        } else if (what < 14) {
          const std::string body = f.get(key);
          BOOST_TEST((body == "-" || body == newest[key]));
        } else if (what == 14) {
          f.forget_in_memory(key);
        } else if (what == 15) {
          f.store->purge_url(key, policy::hash_key(key), false, f.clock.wall_now());
          newest.erase(key);
          f.settle();
        } else if (what == 16) {
          f.purge(cache::PurgeKind::kTag, "red");
          std::erase_if(newest, [&](const auto& entry) { return tags[entry.first] == "red"; });
        } else if (what == 17) {
          f.purge(cache::PurgeKind::kPrefix, key);
          newest.erase(key);
        } else if (what == 18) {
          f.restart();
        } else {
          // What is replaced must not come back; what was on its way may be lost.
          f.settle();
          f.die(rng.below(2) == 0);
        }
      }
      f.restart();
      for (int i = 0; i < 8; ++i) {
        const std::string key = kKey + std::to_string(i);
        const std::string body = f.get(key);
        BOOST_TEST((body == "-" || body == newest[key]));
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::test
