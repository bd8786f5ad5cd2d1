// What a purge owes: in force at once, whatever finds the object, whenever it was stored, and with a sweep at any
// moment. By random schedules beside a model that applies every purge at once to everything; the last cases are also
// for ThreadSanitizer.
#include <algorithm>
#include <array>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "cache/store.h"
#include "policy/freshness.h"

namespace {

using namespace seawall;
using cache::LookupResult;
using cache::Object;
using cache::PurgeKind;
using cache::Refreshable;
using cache::Store;
using cache::StoreOptions;
using cache::SweepCursor;
using cache::SweepResult;
using policy::Found;

constexpr WallTime kStart = WallTime::from_unix_seconds(1'700'000'000);
const std::string kKey = "http://a.test/";

std::uint64_t hash_of(std::string_view key) {
  return std::hash<std::string_view>()(key);
}

http::HeaderMap request_x(const std::string& value) {
  http::HeaderMap map;
  if (!value.empty()) map.add("X", value);
  return map;
}

struct ObjectSpec {
  std::string key = kKey;
  std::vector<std::string> tags;
  std::string x;                       // the value of X that it varies by; empty: no Vary
  std::optional<std::uint64_t> epoch;  // absent: as of now
  std::size_t body_bytes = 100;
  WallTime response_time = kStart;
  Seconds lifetime{600};
};

class Fixture {
 public:
  explicit Fixture(StoreOptions options = {}) : store_(options) {}

  Store& store() { return store_; }

  Ref<Object> make(const ObjectSpec& spec) {
    Object::Init init;
    init.key = spec.key;
    init.hash = hash_of(spec.key);
    init.tags = spec.tags;
    init.purge_epoch = spec.epoch.value_or(store_.purges().epoch());
    init.headers.add("Epoch", std::to_string(init.purge_epoch));
    if (!spec.x.empty()) {
      init.vary.names = {"x"};
      policy::append_selecting_values(init.vary, request_x(spec.x), init.selecting_values);
    }
    init.freshness = {.response_time = spec.response_time,
                      .lifetime = spec.lifetime,
                      .stale_while_revalidate = Seconds{30},
                      .stale_if_error = Seconds{300}};
    init.complete_length = spec.body_bytes;
    const std::string body(spec.body_bytes, 'x');
    init.parts.push_back({.first = 0, .size = body.size(), .slices = {Slice::copy_of(&store_.budget(), body)}});
    return Object::create(store_.budget(), std::move(init));
  }
  Ref<Object> insert(const ObjectSpec& spec) {
    Ref<Object> object = make(spec);
    BOOST_REQUIRE(store_.insert(object));
    return object;
  }
  LookupResult find(const std::string& key = kKey, const std::string& x = {}) {
    std::string scratch;
    return store_.find(key, hash_of(key), request_x(x), scratch);
  }
  std::vector<Ref<Object>> peek_all(const std::string& key = kKey) const { return store_.peek_all(key, hash_of(key)); }

  std::uint64_t purge(PurgeKind kind, std::string text, bool is_soft = false, WallTime at = kStart) {
    return store_.purges().add({.kind = kind, .text = std::move(text), .is_soft = is_soft, .at = at});
  }
  std::uint64_t purge_prefix(std::string text) { return purge(PurgeKind::kPrefix, std::move(text)); }
  std::uint64_t soft_purge_prefix(std::string text, WallTime at = kStart) {
    return purge(PurgeKind::kPrefix, std::move(text), true, at);
  }
  // A whole one, and the rules that it met are retired.
  SweepResult sweep(std::size_t step = 100, std::vector<Refreshable>* hot = nullptr) {
    const std::uint64_t begun = store_.purges().epoch();
    SweepResult sum;
    SweepCursor cursor;
    while (!sum.is_done) {
      const SweepResult r = store_.sweep(cursor, step, kStart + Seconds{3'600}, hot);
      sum.looked_at += r.looked_at;
      sum.removed += r.removed;
      sum.softened += r.softened;
      sum.is_done = r.is_done;
    }
    store_.purges().retire(begun);
    return sum;
  }

 private:
  Store store_;
};

std::string numbered(std::uint64_t i) {
  return kKey + std::to_string(i);
}

Seconds left(const Object& object, WallTime now) {
  return policy::remaining_lifetime(object.freshness(), now);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(purge_contract)

BOOST_AUTO_TEST_CASE(a_hard_purge_removes_what_matches) {
  Fixture f;
  f.insert({.key = "http://a.test/a/1", .tags = {"t"}});
  f.insert({.key = "http://a.test/a/2"});
  f.insert({.key = "http://a.test/b/1", .tags = {"t"}});
  f.purge_prefix("http://a.test/a/");
  BOOST_TEST((f.find("http://a.test/a/1").found == Found::kNothing));
  BOOST_TEST(f.store().stats().objects == 2U);
  BOOST_TEST((f.find("http://a.test/a/2").found == Found::kNothing));
  BOOST_TEST((f.find("http://a.test/b/1").found == Found::kObject));
  f.purge(PurgeKind::kTag, "t");
  BOOST_TEST((f.find("http://a.test/b/1").found == Found::kNothing));
  BOOST_TEST(f.store().stats().objects == 0U);
  BOOST_TEST(f.store().budget().used_bytes() == 0U);
}

BOOST_AUTO_TEST_CASE(what_is_stored_after_a_purge_stays) {
  Fixture f;
  f.purge_prefix("http://");
  const auto object = f.insert({});
  BOOST_TEST(f.find().object == object.get());
  BOOST_TEST(f.peek_all().size() == 1U);
  BOOST_TEST(f.sweep().removed == 0U);
}

BOOST_AUTO_TEST_CASE(an_epoch_that_was_met_is_remembered) {
  Fixture f;
  const auto object = f.insert({});
  const std::uint64_t epoch = f.purge_prefix("http://other.test/");
  BOOST_TEST(f.find().object == object.get());
  BOOST_TEST(object->purge_epoch() == epoch);
}

BOOST_AUTO_TEST_CASE(each_variant_is_held_against_the_rules) {
  Fixture f;
  f.insert({.tags = {"old"}});
  f.insert({.tags = {"one"}, .x = "1"});
  f.insert({.tags = {"two"}, .x = "2"});
  f.purge(PurgeKind::kTag, "one");
  // Without the variant that is gone, the one without Vary answers.
  const LookupResult found = f.find(kKey, "1");
  BOOST_REQUIRE((found.found == Found::kObject));
  BOOST_TEST(found.object->tags()[0] == "old");
  BOOST_TEST(f.find(kKey, "2").object->tags()[0] == "two");
  f.purge(PurgeKind::kTag, "old");
  BOOST_TEST((f.find(kKey, "1").found == Found::kOtherVariants));
  BOOST_TEST(f.find(kKey, "2").object->tags()[0] == "two");
  BOOST_TEST(f.store().stats().objects == 1U);
}

BOOST_AUTO_TEST_CASE(a_peek_leaves_out_what_is_removed) {
  Fixture f;
  f.insert({.tags = {"one"}, .x = "1"});
  f.insert({.tags = {"two"}, .x = "2"});
  f.purge(PurgeKind::kTag, "one");
  f.purge(PurgeKind::kTag, "two", true);
  const auto all = f.peek_all();
  BOOST_REQUIRE(all.size() == 1U);
  BOOST_TEST(all[0]->tags()[0] == "two");
  BOOST_TEST(f.store().stats().objects == 2U);
}

BOOST_AUTO_TEST_CASE(a_soft_purge_ends_the_freshness_at_its_time) {
  struct Row {
    std::string name;
    Seconds purged_after;
    Seconds lifetime{600};
    std::int64_t want_lifetime;
    bool is_copy = true;
  };
  const Row rows[] = {
      {.name = "fresh", .purged_after = Seconds{100}, .want_lifetime = 100},
      {.name = "at once", .purged_after = Seconds{0}, .want_lifetime = 0},
      {.name = "stale by then", .purged_after = Seconds{700}, .want_lifetime = 600, .is_copy = false},
      {.name = "just stale", .purged_after = Seconds{600}, .want_lifetime = 600, .is_copy = false},
      {.name = "it came after the purge", .purged_after = Seconds{-50}, .want_lifetime = 0},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      Fixture f;
      const auto object = f.insert({.tags = {"t"}, .lifetime = row.lifetime});
      const std::uint64_t epoch = f.soft_purge_prefix(kKey, kStart + row.purged_after);
      const LookupResult found = f.find();
      BOOST_REQUIRE((found.found == Found::kObject));
      BOOST_TEST((found.object != object.get()) == row.is_copy);
      BOOST_TEST(found.object->freshness().lifetime.count() == row.want_lifetime);
      BOOST_TEST(found.object->freshness().stale_while_revalidate.count() == 30);
      BOOST_TEST(found.object->freshness().stale_if_error.count() == 300);
      BOOST_TEST((found.object->body()[0].data() == object->body()[0].data()));
      BOOST_TEST(found.object->purge_epoch() == epoch);
      BOOST_TEST(f.find().object == found.object);
      BOOST_TEST(f.store().stats().objects == 1U);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_stale_copy_keeps_its_place_among_the_variants) {
  Fixture f;
  f.insert({.tags = {"old"}});
  f.insert({.tags = {"new"}, .x = "1"});
  f.purge(PurgeKind::kTag, "old", true);
  f.sweep();
  // As the newest it would answer what the newer variant answers.
  BOOST_TEST(f.find(kKey, "1").object->tags()[0] == "new");
  BOOST_TEST(f.peek_all()[0]->tags()[0] == "new");
  BOOST_TEST(f.peek_all()[1]->freshness().lifetime.count() == 0);
}

BOOST_AUTO_TEST_CASE(a_stale_copy_keeps_what_is_known_of_its_use) {
  Fixture f({.memory_bytes = 1 << 20});
  const auto fill = [&](std::uint64_t from, std::uint64_t to) {
    for (std::uint64_t i = from; i < to; ++i) f.insert({.key = numbered(i), .body_bytes = 1'000});
  };
  // Among those that have proved themselves, and not asked for since.
  f.insert({.key = kKey + "used", .body_bytes = 1'000});
  f.find(kKey + "used");
  fill(0, 600);
  f.insert({.key = kKey + "unused", .body_bytes = 1'000});
  f.soft_purge_prefix(kKey);
  f.sweep();
  fill(600, 2'000);
  BOOST_TEST(!f.peek_all(kKey + "used").empty());
  BOOST_TEST(f.peek_all(kKey + "unused").empty());
}

// The object would stay fresh else.
BOOST_AUTO_TEST_CASE(without_room_for_a_stale_copy_the_object_goes) {
  constexpr std::size_t kMemory = 1 << 20;
  Fixture f({.memory_bytes = kMemory});
  f.insert({.body_bytes = 0});
  f.soft_purge_prefix(kKey);
  // Full, and what could be evicted is less than what is needed.
  const BudgetCharge in_flight(f.store().budget(), kMemory - f.store().budget().used_bytes());
  BOOST_TEST((f.find().found == Found::kNothing));
  BOOST_TEST(f.store().stats().objects == 0U);
}

BOOST_AUTO_TEST_CASE(what_was_asked_for_before_a_purge_and_comes_after_it) {
  struct Row {
    std::string name;
    bool is_soft = false;
    bool is_swept = false;
    bool is_other = false;  // purged is something else
    bool want_stored = false;
  };
  const Row rows[] = {
      {.name = "hard"},
      {.name = "hard, and the rule is retired", .is_swept = true},
      {.name = "soft", .is_soft = true, .want_stored = true},
      {.name = "soft, and the rule is retired", .is_soft = true, .is_swept = true, .want_stored = true},
      {.name = "another", .is_swept = true, .is_other = true, .want_stored = true},
  };
  for (const Row& row : rows) {
    for (const bool replaces : {false, true}) {
      BOOST_TEST_CONTEXT(row.name << (replaces ? ", in place of a stored one" : "")) {
        Fixture f;
        const auto late = f.make({.x = "1"});
        f.purge(PurgeKind::kPrefix, row.is_other ? "http://b.test/" : kKey, row.is_soft);
        if (row.is_swept) f.sweep();
        // Asked for since; it stays when the late one is refused.
        const auto stored = replaces ? f.insert({.x = "1"}) : nullptr;
        const bool is_stored = replaces ? f.store().replace(*stored, late) : f.store().insert(late);
        BOOST_TEST(is_stored == row.want_stored);
        const LookupResult found = f.find(kKey, "1");
        BOOST_TEST((found.found == Found::kObject) == (row.want_stored || replaces));
        if (!found.object) continue;
        BOOST_TEST((found.object == stored.get()) == !row.want_stored);
        BOOST_TEST((left(*found.object, kStart) > Seconds{0}) == (row.is_other || !row.want_stored));
      }
    }
  }
}

// A 304 that was asked for after the purge says that the origin has the same; the purge says that it must go.
BOOST_AUTO_TEST_CASE(a_purged_object_is_not_replaced) {
  Fixture f;
  const auto stored = f.insert({});
  f.purge_prefix(kKey);
  BOOST_TEST(!f.store().replace(*stored, f.make({})));
  BOOST_TEST(f.store().stats().objects == 0U);
}

BOOST_AUTO_TEST_CASE(what_has_not_met_a_forgotten_rule_is_not_stored) {
  Fixture f;
  const auto late = f.make({});
  for (std::uint64_t i = 0; i < 2 * cache::PurgeList::kMaxRules; ++i) {
    f.soft_purge_prefix("http://b.test/" + std::to_string(i) + "/");
    if (i % 100 == 99) f.sweep();
  }
  BOOST_TEST(!f.store().insert(late));
  BOOST_TEST((f.find().found == Found::kNothing));
  f.insert({});
  BOOST_TEST((f.find().found == Found::kObject));
}

BOOST_AUTO_TEST_CASE(an_erase_finds_the_stale_copy_too) {
  Fixture f;
  const auto object = f.insert({.x = "1"});
  f.insert({.x = "2"});
  f.soft_purge_prefix(kKey);
  f.find(kKey, "1");
  f.store().purge_url(kKey, hash_of(kKey), true, kStart - Seconds{10});
  BOOST_TEST(f.store().erase(*object));
  BOOST_TEST(!f.store().erase(*object));
  BOOST_TEST((f.find(kKey, "1").found == Found::kOtherVariants));
  BOOST_TEST((f.find(kKey, "2").found == Found::kObject));
}

BOOST_AUTO_TEST_CASE(purge_of_one_url) {
  for (const bool is_soft : {false, true}) {
    BOOST_TEST_CONTEXT("soft " << is_soft) {
      Fixture f;
      f.insert({.x = "1"});
      f.insert({.x = "2"});
      f.insert({.key = kKey + "a"});
      const std::uint64_t hash = hash_of(kKey);
      BOOST_TEST(f.store().purge_url(kKey, hash, is_soft, kStart + Seconds{50}) == 2U);
      BOOST_TEST(f.store().purge_url(kKey + "b", hash_of(kKey + "b"), is_soft, kStart) == 0U);
      for (const std::string x : {"1", "2"}) {
        const LookupResult found = f.find(kKey, x);
        BOOST_TEST((found.found == Found::kObject) == is_soft);
        if (found.object) BOOST_TEST(found.object->freshness().lifetime.count() == 50);
      }
      BOOST_TEST(f.find(kKey + "a").object->freshness().lifetime.count() == 600);
      BOOST_TEST(f.store().stats().objects == (is_soft ? 3U : 1U));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_sweep_meets_everything_and_applies_the_rules) {
  Fixture f({.memory_bytes = 64 << 20, .shards = 8});
  for (std::uint64_t i = 0; i < 3'000; ++i) {
    f.insert({.key = (i % 3 == 0   ? "http://a.test/"
                      : i % 3 == 1 ? "http://b.test/"
                                   : "http://c.test/") +
                     std::to_string(i)});
  }
  f.purge_prefix("http://a.test/");
  f.soft_purge_prefix("http://b.test/", kStart + Seconds{5});
  BOOST_TEST(f.store().purges().size() == 2U);
  const SweepResult r = f.sweep(64);
  // A table that shrinks under the sweep has some met twice.
  BOOST_TEST(r.looked_at >= 3'000U);
  BOOST_TEST(r.looked_at < 4'500U);
  BOOST_TEST(r.removed == 1'000U);
  BOOST_TEST(r.softened == 1'000U);
  BOOST_TEST(f.store().purges().size() == 0U);
  BOOST_TEST(f.store().stats().objects == 2'000U);
  const SweepResult again = f.sweep(64);
  BOOST_TEST(again.looked_at == 2'000U);
  BOOST_TEST(again.removed + again.softened == 0U);
  for (std::uint64_t i = 1; i < 3'000; i += 3) {
    BOOST_REQUIRE(f.find("http://b.test/" + std::to_string(i)).object->freshness().lifetime.count() == 5);
  }
}

BOOST_AUTO_TEST_CASE(a_call_of_a_sweep_does_a_bounded_part) {
  Fixture f({.memory_bytes = 64 << 20, .shards = 4});
  for (std::uint64_t i = 0; i < 1'000; ++i) f.insert({.key = numbered(i)});
  SweepCursor cursor;
  std::size_t calls = 0;
  std::size_t looked_at = 0;
  for (SweepResult r; !r.is_done; ++calls) {
    r = f.store().sweep(cursor, 10, kStart, nullptr);
    // A bucket is not broken off.
    BOOST_REQUIRE_LE(r.looked_at, 20U);
    looked_at += r.looked_at;
  }
  BOOST_TEST(looked_at == 1'000U);
  BOOST_TEST(calls >= 50U);
  BOOST_TEST(cursor.shard == 0U);
  BOOST_TEST(cursor.bucket == 0U);
  Fixture empty;
  BOOST_TEST(empty.sweep(1).is_done);
}

// Whatever comes and goes, and however the tables grow and shrink, between the calls of a sweep.
BOOST_AUTO_TEST_CASE(a_sweep_meets_what_stays_all_the_time) {
  Rng rng(23);
  for (int round = 0; round < 20; ++round) {
    Fixture f({.memory_bytes = 64 << 20, .shards = 2});
    std::vector<Ref<Object>> staying;
    for (std::uint64_t i = 0; i < 100; ++i) staying.push_back(f.insert({.key = numbered(i)}));
    const std::uint64_t epoch = f.purge_prefix("http://other.test/");
    SweepCursor cursor;
    std::uint64_t size = 100;
    bool grows = true;
    for (SweepResult r; !r.is_done;) {
      for (std::uint64_t n = rng.below(300); n > 0; --n) {
        if (size <= 100 || size >= 2'000) grows = size <= 100;
        if (grows)
          f.insert({.key = numbered(size++), .body_bytes = 1});
        else
          --size, f.store().erase_key(numbered(size), hash_of(numbered(size)));
      }
      r = f.store().sweep(cursor, 1 + rng.below(8), kStart, nullptr);
    }
    for (const Ref<Object>& object : staying) BOOST_REQUIRE_EQUAL(object->purge_epoch(), epoch);
  }
}

BOOST_AUTO_TEST_CASE(a_sweep_tells_what_can_be_refreshed) {
  Fixture f;
  f.insert({.key = kKey + "cold"});
  f.insert({.key = kKey + "hot"});
  f.insert({.key = kKey + "varies", .x = "1"});
  f.insert({.key = kKey + "gone", .tags = {"t"}});
  f.insert({.key = "http://b.test/"});
  for (int i = 0; i < 2; ++i) f.find(kKey + "hot");
  f.soft_purge_prefix(kKey);
  f.purge(PurgeKind::kTag, "t");
  std::vector<Refreshable> hot;
  const SweepResult r = f.sweep(100, &hot);
  BOOST_TEST(r.softened == 3U);
  BOOST_TEST(r.removed == 1U);
  std::map<std::string, std::uint32_t> heat;
  for (const Refreshable& h : hot) {
    heat[h.key] = h.heat;
    BOOST_TEST(h.hash == hash_of(h.key));
  }
  const std::map<std::string, std::uint32_t> want = {{kKey + "cold", 0}, {kKey + "hot", 2}};
  BOOST_TEST((heat == want));
}

BOOST_AUTO_TEST_CASE(only_the_hottest_are_collected) {
  constexpr std::uint64_t kCold = Store::kMaxRefreshables + 2'000;
  Fixture f;
  for (std::uint64_t i = 0; i < kCold; ++i) f.insert({.key = numbered(i), .body_bytes = 1});
  for (std::uint64_t i = 0; i < kCold; i += 100) f.find(numbered(i));
  f.soft_purge_prefix(kKey);
  std::vector<Refreshable> hot;
  f.sweep(1'000, &hot);
  BOOST_TEST(hot.size() == Store::kMaxRefreshables);
  BOOST_TEST(std::ranges::count(hot, 1U, &Refreshable::heat) == static_cast<std::ptrdiff_t>(kCold / 100));
}

// The clock was set back: what is purged is stale now and not in the future.
BOOST_AUTO_TEST_CASE(a_rule_from_the_future_is_of_now) {
  Fixture f;
  f.insert({});
  f.soft_purge_prefix(kKey, kStart + Seconds{500});
  SweepCursor cursor;
  f.store().sweep(cursor, 10'000, kStart + Seconds{100}, nullptr);
  BOOST_TEST((left(*f.find().object, kStart + Seconds{100}) == Seconds{0}));
}

namespace {

// Every purge is applied at once to all that is stored and all that is on its way.
class Model {
 public:
  struct Item {
    std::string key;
    std::vector<std::string> tags;
    std::string x;
    WallTime response_time;
    Seconds lifetime{600};
    bool is_removed = false;
  };

  std::vector<Item> stored;  // the newest last
  std::vector<Item> on_the_way;

  void purge(PurgeKind kind, const std::string& text, bool is_soft, WallTime at) {
    for (auto* items : {&stored, &on_the_way}) {
      for (Item& item : *items) {
        const bool matches = kind == PurgeKind::kPrefix ? item.key.starts_with(text)
                                                        : std::ranges::find(item.tags, text) != item.tags.end();
        if (!matches) continue;
        if (is_soft) soften(item, at);
        item.is_removed = item.is_removed || !is_soft;
      }
    }
    std::erase_if(stored, [](const Item& item) { return item.is_removed; });
  }
  void soften_url(const std::string& key, WallTime at) {
    for (Item& item : stored) {
      if (item.key == key) soften(item, at);
    }
  }
  void erase_key(const std::string& key) {
    std::erase_if(stored, [&](const Item& item) { return item.key == key; });
  }
  void insert(const Item& item) {
    std::erase_if(stored, [&](const Item& old) { return old.key == item.key && old.x == item.x; });
    stored.push_back(item);
  }
  const Item* find(const std::string& key, const std::string& x) const {
    const auto selected = std::find_if(stored.rbegin(), stored.rend(), [&](const Item& item) {
      return item.key == key && (item.x.empty() || item.x == x);
    });
    return selected == stored.rend() ? nullptr : &*selected;
  }

 private:
  static void soften(Item& item, WallTime at) {
    const Seconds age = std::max(Seconds{0}, std::chrono::floor<Seconds>(at - item.response_time));
    item.lifetime = std::min(item.lifetime, age);
  }
};

// One schedule: a store, its model, fetches on their way, and a sweep that goes on in between.
class Schedule {
 public:
  explicit Schedule(std::uint64_t seed) : rng_(seed), f_({.memory_bytes = 64 << 20, .shards = 4}) {}

  void step() {
    now_ = now_ + Millis(rng_.below(5'000));
    switch (rng_.below(16)) {
      case 0:
      case 1: purge(); break;
      case 2: purge_url(); break;
      case 3:
      case 4: sweep(); break;
      case 5:
      case 6:
      case 7: begin_fetch(); break;
      case 8:
      case 9:
      case 10: end_fetch(); break;
      case 11: replace(); break;
      default: check(key(), x()); break;
    }
  }
  void check_all() {
    for (std::uint64_t i = 0; i < kKeys; ++i) {
      for (const std::string x : {"", "1", "2"}) check(numbered_key(i), x);
    }
    // What no request selects is found by the sweep only.
    f_.sweep(1);
    BOOST_REQUIRE_EQUAL(f_.store().stats().objects, model_.stored.size());
  }

 private:
  static constexpr std::uint64_t kKeys = 24;

  static std::string numbered_key(std::uint64_t i) {
    return "http://" + std::string(1, static_cast<char>('a' + i % 3)) + ".test/" + std::to_string(i / 3);
  }
  std::string key() { return numbered_key(rng_.below(kKeys)); }
  std::string x() { return std::array<std::string, 3>{"", "1", "2"}[rng_.below(3)]; }
  std::string tag() { return "t" + std::to_string(rng_.below(6)); }

  void purge() {
    const bool is_soft = rng_.below(3) != 0;
    const PurgeKind kind = rng_.below(2) == 0 ? PurgeKind::kPrefix : PurgeKind::kTag;
    const std::string text = kind == PurgeKind::kTag ? tag() : key().substr(0, 8 + rng_.below(8));
    f_.purge(kind, text, is_soft, now_);
    model_.purge(kind, text, is_soft, now_);
  }
  void purge_url() {
    const std::string k = key();
    const auto stored = static_cast<std::size_t>(std::ranges::count(model_.stored, k, &Model::Item::key));
    if (rng_.below(2) == 0) {
      BOOST_REQUIRE_GE(f_.store().purge_url(k, hash_of(k), false, now_), stored);
      model_.erase_key(k);
    } else {
      BOOST_REQUIRE_GE(f_.store().purge_url(k, hash_of(k), true, now_), stored);
      model_.soften_url(k, now_);
    }
  }
  void sweep() {
    if (cursor_.shard == 0 && cursor_.bucket == 0) sweep_begun_ = f_.store().purges().epoch();
    const SweepResult r = f_.store().sweep(cursor_, 1 + rng_.below(20), now_, nullptr);
    if (r.is_done) f_.store().purges().retire(sweep_begun_);
  }
  void begin_fetch() {
    if (fetches_.size() == 8) return;
    Model::Item item{.key = key(), .tags = {}, .x = rng_.below(2) == 0 ? "" : x(), .response_time = now_};
    for (std::uint64_t n = rng_.below(3); n > 0; --n) item.tags.push_back(tag());
    fetches_.push_back(
        f_.make({.key = item.key, .tags = item.tags, .x = item.x, .body_bytes = 1, .response_time = now_}));
    model_.on_the_way.push_back(std::move(item));
  }
  void end_fetch() {
    if (fetches_.empty()) return;
    const auto at = static_cast<std::ptrdiff_t>(rng_.below(fetches_.size()));
    const Ref<Object> object = *(fetches_.begin() + at);
    const Model::Item item = *(model_.on_the_way.begin() + at);
    fetches_.erase(fetches_.begin() + at);
    model_.on_the_way.erase(model_.on_the_way.begin() + at);
    BOOST_REQUIRE_EQUAL(f_.store().insert(object), !item.is_removed);
    if (!item.is_removed) model_.insert(item);
  }
  void replace() {
    const std::string k = key();
    const auto present = f_.peek_all(k);
    if (present.empty()) return;
    const Object& old = *present[rng_.below(present.size())];
    const auto was = std::ranges::find_if(model_.stored, [&](const Model::Item& item) {
      return item.key == k && item.x.empty() == old.vary().empty() &&
             (item.x.empty() || old.selecting_values().ends_with(item.x + "\n"));
    });
    BOOST_REQUIRE(was != model_.stored.end());
    Model::Item item = *was;
    item.response_time = now_;
    item.lifetime = Seconds{600};
    BOOST_REQUIRE(f_.store().replace(
        old, f_.make({.key = k, .tags = item.tags, .x = item.x, .body_bytes = 1, .response_time = now_})));
    model_.insert(item);
  }
  void check(const std::string& k, const std::string& x) {
    const LookupResult found = f_.find(k, x);
    const Model::Item* want = model_.find(k, x);
    BOOST_REQUIRE((found.object != nullptr) == (want != nullptr));
    if (!want) return;
    BOOST_REQUIRE((found.object->freshness().response_time == want->response_time));
    BOOST_REQUIRE_EQUAL(found.object->freshness().lifetime.count(), want->lifetime.count());
  }

  Rng rng_;
  Fixture f_;
  Model model_;
  WallTime now_ = kStart;
  std::vector<Ref<Object>> fetches_;  // as in the model
  SweepCursor cursor_;
  std::uint64_t sweep_begun_ = 0;
};

}  // namespace

BOOST_AUTO_TEST_CASE(random_schedules_beside_a_model) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    BOOST_TEST_CONTEXT("seed " << seed) {
      Schedule schedule(seed);
      for (int i = 0; i < 2'000; ++i) schedule.step();
      schedule.check_all();
    }
  }
}

// What a reader finds after a purge was answered was asked for after it, or is stale.
BOOST_AUTO_TEST_CASE(a_purge_is_in_force_when_it_returns) {
  constexpr std::uint64_t kKeys = 12;
  Fixture f({.memory_bytes = 4 << 20, .shards = 2});
  std::array<std::atomic<std::uint64_t>, 2> purged = {};  // the epoch of the last hard and soft purge that was answered
  std::atomic<bool> is_done = false;
  std::atomic<int> wrong = 0;
  const auto read_and_store = [&](std::uint64_t seed) {
    Rng rng(seed);
    while (!is_done.load()) {
      const std::string key = numbered(rng.below(kKeys));
      const std::uint64_t hard = purged[0].load();
      const std::uint64_t soft = purged[1].load();
      if (const LookupResult found = f.find(key); found.object) {
        const std::uint64_t epoch = std::stoull(std::string(found.object->headers().find("Epoch").value()));
        if (epoch < hard) ++wrong;
        if (epoch < soft && left(*found.object, kStart) > Seconds{0}) ++wrong;
      } else {
        const auto object = f.make({.key = key, .tags = {"t"}});
        if (rng.below(2) == 0) f.find(numbered(rng.below(kKeys)));
        f.store().insert(object);
      }
      for (const Ref<Object>& object : f.peek_all(key)) {
        if (std::stoull(std::string(object->headers().find("Epoch").value())) < hard) ++wrong;
        if (rng.below(20) == 0) f.store().replace(*object, f.make({.key = key, .tags = {"t"}}));
      }
    }
  };
  {
    const std::jthread first([&] { read_and_store(1); });
    const std::jthread second([&] { read_and_store(2); });
    Rng rng(3);
    for (int i = 0; i < 1'500; ++i) {
      const bool is_soft = rng.below(2) == 0;
      const bool is_tag = rng.below(2) == 0;
      const std::uint64_t epoch = f.purge(is_tag ? PurgeKind::kTag : PurgeKind::kPrefix, is_tag ? "t" : kKey, is_soft);
      purged[is_soft ? 1 : 0] = epoch;
      if (rng.below(3) != 0) f.sweep(1 + rng.below(8));
      if (rng.below(10) == 0) f.store().purge_url(kKey, hash_of(kKey), true, kStart);
    }
    is_done = true;
  }
  BOOST_TEST(wrong == 0);
  // Index and lists agree after it.
  std::size_t reachable = 0;
  for (std::uint64_t i = 0; i < kKeys; ++i) {
    f.find(numbered(i));
    reachable += f.peek_all(numbered(i)).size();
  }
  BOOST_TEST(f.store().stats().objects == reachable);
  f.purge_prefix("");
  f.sweep();
  BOOST_TEST(f.store().stats().objects == 0U);
  BOOST_TEST(f.store().stats().stored_bytes == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
