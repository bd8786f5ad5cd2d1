// What the store owes its users: variants, replacement, a budget that holds whatever comes, and index and eviction
// lists that agree after any mix of threads. The last is also for ThreadSanitizer.
#include "cache/store.h"

#include <algorithm>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/rng.h"

namespace {

using namespace seawall;
using cache::LookupResult;
using cache::Object;
using cache::Store;
using cache::StoreOptions;
using policy::Found;

std::uint64_t hash_of(std::string_view key) {
  return std::hash<std::string_view>()(key);
}

http::HeaderMap request(const std::vector<std::pair<std::string, std::string>>& fields = {}) {
  http::HeaderMap map;
  for (const auto& [name, value] : fields) map.add(name, value);
  return map;
}

struct ObjectSpec {
  std::string key = "http://a.test/";
  std::size_t body_bytes = 100;
  std::vector<std::string> vary;  // sorted
  http::HeaderMap request;        // what it answered
  std::string tag;
  std::string language;
  policy::Freshness freshness;
};

class Fixture {
 public:
  explicit Fixture(StoreOptions options = {}) : store_(options) {}

  Store& store() { return store_; }
  MemoryBudget& budget() { return store_.budget(); }

  Ref<Object> make(const ObjectSpec& spec) {
    Object::Init init;
    init.key = spec.key;
    init.hash = hash_of(spec.key);
    init.vary.names = spec.vary;
    init.freshness = spec.freshness;
    policy::append_selecting_values(init.vary, spec.request, init.selecting_values);
    if (!spec.tag.empty()) init.headers.add("ETag", spec.tag);
    if (!spec.language.empty()) init.headers.add("Content-Language", spec.language);
    init.complete_length = spec.body_bytes;
    if (spec.body_bytes > 0) {
      const std::string body(spec.body_bytes, 'x');
      init.parts.push_back({.first = 0, .size = spec.body_bytes, .slices = {Slice::copy_of(&budget(), body)}});
    }
    return Object::create(budget(), std::move(init));
  }
  Ref<Object> insert(const ObjectSpec& spec) {
    Ref<Object> object = make(spec);
    BOOST_REQUIRE(store_.insert(object));
    return object;
  }
  LookupResult find(const std::string& key, const http::HeaderMap& headers = {}) {
    return store_.find(key, hash_of(key), headers, scratch_);
  }
  bool holds(const std::string& key) { return !store_.peek_all(key, hash_of(key)).empty(); }
  std::vector<Ref<Object>> peek_all(const std::string& key) { return store_.peek_all(key, hash_of(key)); }
  std::size_t erase_key(const std::string& key) { return store_.erase_key(key, hash_of(key)); }

 private:
  Store store_;
  std::string scratch_;
};

std::string numbered(std::uint64_t i) {
  return "http://a.test/" + std::to_string(i);
}

// No more than a ghost queue at its minimum occupies.
constexpr std::size_t kGhostBytes = 128 * 1024;

}  // namespace

BOOST_AUTO_TEST_SUITE(store_contract)

BOOST_AUTO_TEST_CASE(found_and_not_found) {
  Fixture f;
  BOOST_TEST((f.find("http://a.test/").found == Found::kNothing));
  const auto object = f.insert({});
  const LookupResult hit = f.find("http://a.test/");
  BOOST_TEST((hit.found == Found::kObject));
  BOOST_TEST(hit.object == object.get());
  BOOST_TEST((f.find("http://a.test/other").found == Found::kNothing));
  BOOST_TEST(f.store().stats().objects == 1U);
  BOOST_TEST(f.store().stats().stored_bytes == object->charged_bytes());
}

BOOST_AUTO_TEST_CASE(a_look_up_keeps_the_object_alive) {
  Fixture f;
  f.insert({.tag = "\"v1\""});
  const LookupResult hit = f.find("http://a.test/");
  BOOST_TEST(f.erase_key("http://a.test/") == 1U);
  BOOST_TEST(hit.object->headers().find(http::Field::kEtag).value() == "\"v1\"");
  BOOST_TEST((f.find("http://a.test/").found == Found::kNothing));
}

BOOST_AUTO_TEST_CASE(variants_lie_side_by_side) {
  Fixture f;
  const auto gzip = request({{"Accept-Encoding", "gzip"}});
  const auto br = request({{"Accept-Encoding", "br"}});
  const auto german = request({{"Accept-Encoding", "gzip"}, {"Accept-Language", "de"}});
  const std::vector<std::string> encoding = {"accept-encoding"};
  const std::vector<std::string> both = {"accept-encoding", "accept-language"};
  f.insert({.vary = encoding, .request = gzip, .tag = "gzip"});
  f.insert({.vary = encoding, .request = br, .tag = "br"});
  f.insert({.vary = both, .request = german, .tag = "german"});

  struct Row {
    std::string name;
    http::HeaderMap headers;
    std::string want;  // empty: other variants only
  };
  const Row rows[] = {
      {.name = "older of one Vary", .headers = gzip, .want = "gzip"},
      {.name = "newer of one Vary", .headers = br, .want = "br"},
      {.name = "newest wins when two Vary select", .headers = german, .want = "german"},
      {.name = "second Vary does not select",
       .headers = request({{"Accept-Encoding", "gzip"}, {"Accept-Language", "fr"}}),
       .want = "gzip"},
      {.name = "none selects", .headers = request({{"Accept-Encoding", "zstd"}}), .want = ""},
      {.name = "absent is not any", .headers = request(), .want = ""},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const LookupResult result = f.find("http://a.test/", row.headers);
      if (row.want.empty()) {
        BOOST_TEST((result.found == Found::kOtherVariants));
        BOOST_TEST(result.object == nullptr);
      } else {
        BOOST_REQUIRE((result.found == Found::kObject));
        BOOST_TEST(result.object->headers().find(http::Field::kEtag).value() == row.want);
      }
    }
  }
  BOOST_TEST(f.peek_all("http://a.test/").size() == 3U);
}

BOOST_AUTO_TEST_CASE(without_vary_answers_what_no_newer_variant_selects) {
  Fixture f;
  const auto gzip = request({{"Accept-Encoding", "gzip"}});
  f.insert({.tag = "plain"});
  f.insert({.vary = {"accept-encoding"}, .request = gzip, .tag = "gzip"});
  BOOST_TEST(f.find("http://a.test/", gzip).object->headers().find(http::Field::kEtag).value() == "gzip");
  BOOST_TEST(f.find("http://a.test/").object->headers().find(http::Field::kEtag).value() == "plain");
  // Newer now, it answers everything.
  f.insert({.tag = "plain again"});
  BOOST_TEST(f.find("http://a.test/", gzip).object->headers().find(http::Field::kEtag).value() == "plain again");
  BOOST_TEST(f.peek_all("http://a.test/").size() == 2U);
}

BOOST_AUTO_TEST_CASE(preferred_language_selects_when_nothing_else_does) {
  Fixture f;
  const std::vector<std::string> vary = {"accept-language", "accept-language-x"};
  f.insert({.vary = vary,
            .request = request({{"Accept-Language", "en, de"}, {"Accept-Language-X", "1"}}),
            .language = "de"});
  f.insert(
      {.vary = vary, .request = request({{"Accept-Language", "en"}, {"Accept-Language-X", "1"}}), .language = "en"});
  f.insert({.vary = vary, .request = request({{"Accept-Language", "it"}, {"Accept-Language-X", "1"}})});
  struct Row {
    std::string name;
    std::string accept_language;
    std::string x = "1";
    std::string want;  // empty: none
  };
  const Row rows[] = {
      {.name = "equal fields", .accept_language = "de, en", .want = "de"},
      {.name = "most preferred", .accept_language = "fr;q=0.5, de;q=1.0", .want = "de"},
      {.name = "the other", .accept_language = "en, de;q=0.9", .want = "en"},
      {.name = "preferred one is not stored", .accept_language = "fr, de;q=0.9", .want = ""},
      {.name = "no preference", .accept_language = "fr, de", .want = ""},
      {.name = "another field differs", .accept_language = "de", .x = "2", .want = ""},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const auto result =
          f.find("http://a.test/", request({{"Accept-Language", row.accept_language}, {"Accept-Language-X", row.x}}));
      BOOST_TEST((result.found == (row.want.empty() ? Found::kOtherVariants : Found::kObject)));
      if (row.want.empty()) {
        BOOST_TEST(result.object == nullptr);
      } else {
        BOOST_REQUIRE(result.object != nullptr);
        BOOST_TEST(result.object->headers().find("Content-Language").value() == row.want);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(vary_star_selects_nothing) {
  Fixture f;
  Object::Init init;
  init.key = "http://a.test/";
  init.hash = hash_of(init.key);
  init.vary.any = true;
  BOOST_TEST(f.store().insert(Object::create(f.budget(), std::move(init))));
  BOOST_TEST((f.find("http://a.test/").found == Found::kOtherVariants));
}

BOOST_AUTO_TEST_CASE(equal_selection_replaces) {
  Fixture f;
  const auto gzip = request({{"Accept-Encoding", "gzip"}});
  f.insert({.vary = {"accept-encoding"}, .request = gzip});
  const auto second = f.insert({.vary = {"accept-encoding"}, .request = gzip});
  const auto all = f.peek_all("http://a.test/");
  BOOST_REQUIRE(all.size() == 1U);
  BOOST_TEST(all[0].get() == second.get());
  BOOST_TEST(f.store().stats().objects == 1U);
}

BOOST_AUTO_TEST_CASE(the_oldest_variant_goes) {
  Fixture f({.max_variants = 4});
  for (int i = 0; i < 10; ++i) {
    f.insert({.vary = {"x"}, .request = request({{"X", std::to_string(i)}}), .tag = std::to_string(i)});
  }
  const auto all = f.peek_all("http://a.test/");
  BOOST_REQUIRE(all.size() == 4U);
  for (std::size_t i = 0; i < all.size(); ++i) {
    BOOST_TEST(all[i]->headers().find(http::Field::kEtag).value() == std::to_string(9 - i));
  }
  BOOST_TEST(f.store().stats().objects == 4U);
}

BOOST_AUTO_TEST_CASE(replace_only_what_is_still_there) {
  Fixture f;
  const auto first = f.insert({.tag = "1"});
  const auto second = f.make({.tag = "2"});
  BOOST_TEST(f.store().replace(*first, second));
  BOOST_TEST(f.find("http://a.test/").object == second.get());
  BOOST_TEST(f.store().stats().objects == 1U);
  BOOST_TEST(!f.store().replace(*first, f.make({.tag = "3"})));
  BOOST_TEST(f.find("http://a.test/").object == second.get());
  f.erase_key("http://a.test/");
  BOOST_TEST(!f.store().replace(*second, f.make({.tag = "4"})));
  BOOST_TEST((f.find("http://a.test/").found == Found::kNothing));
}

BOOST_AUTO_TEST_CASE(replace_leaves_other_variants) {
  Fixture f;
  const std::vector<std::string> vary = {"x"};
  const auto a = f.insert({.vary = vary, .request = request({{"X", "a"}})});
  const auto b = f.insert({.vary = vary, .request = request({{"X", "b"}})});
  const auto c = f.insert({.vary = vary, .request = request({{"X", "c"}})});
  // Its values have become those of b.
  const auto fresh = f.make({.vary = vary, .request = request({{"X", "b"}})});
  BOOST_TEST(f.store().replace(*a, fresh));
  const auto all = f.peek_all("http://a.test/");
  BOOST_REQUIRE(all.size() == 2U);
  BOOST_TEST(all[0].get() == fresh.get());
  BOOST_TEST(all[1].get() == c.get());
  BOOST_TEST(f.store().stats().objects == 2U);
}

BOOST_AUTO_TEST_CASE(erase_one_variant_or_all) {
  Fixture f;
  const auto a = f.insert({.vary = {"x"}, .request = request({{"X", "a"}})});
  const auto b = f.insert({.vary = {"x"}, .request = request({{"X", "b"}})});
  f.insert({.key = "http://a.test/other"});
  BOOST_TEST(f.store().erase(*a));
  BOOST_TEST(!f.store().erase(*a));
  BOOST_TEST(f.peek_all("http://a.test/").size() == 1U);
  f.insert({.vary = {"x"}, .request = request({{"X", "c"}})});
  BOOST_TEST(f.erase_key("http://a.test/") == 2U);
  BOOST_TEST(f.erase_key("http://a.test/") == 0U);
  BOOST_TEST(!f.store().erase(*b));
  BOOST_TEST(f.holds("http://a.test/other"));
  BOOST_TEST(f.store().stats().objects == 1U);
}

BOOST_AUTO_TEST_CASE(an_object_is_published_once) {
  Fixture f;
  const auto object = f.insert({});
  BOOST_TEST(!f.store().insert(object));
  BOOST_TEST(f.holds("http://a.test/"));
  f.erase_key("http://a.test/");
  BOOST_TEST(!f.store().insert(object));
  BOOST_TEST(!f.holds("http://a.test/"));
  BOOST_TEST(f.store().stats().objects == 0U);
}

BOOST_AUTO_TEST_CASE(equal_hashes_are_told_apart_by_key) {
  Fixture f;
  const auto make = [&](const std::string& key) {
    Object::Init init;
    init.key = key;
    init.hash = 42;
    return Object::create(f.budget(), std::move(init));
  };
  std::string scratch;
  std::vector<Ref<Object>> objects;
  for (int i = 0; i < 50; ++i) {
    objects.push_back(make(numbered(static_cast<std::uint64_t>(i))));
    BOOST_REQUIRE(f.store().insert(objects.back()));
  }
  for (int i = 0; i < 50; i += 2) BOOST_TEST(f.store().erase(*objects[static_cast<std::size_t>(i)]));
  for (std::size_t i = 0; i < 50; ++i) {
    const LookupResult r = f.store().find(objects[i]->key(), 42, {}, scratch);
    BOOST_TEST(r.object == (i % 2 == 0 ? nullptr : objects[i].get()));
  }
}

// Every slot order of growth, gaps and shrinking, in one shard and with clustered hashes.
BOOST_AUTO_TEST_CASE(the_index_finds_what_is_in_it) {
  Fixture f({.shards = 1});
  Rng rng(11);
  std::set<std::uint64_t> present;
  std::string scratch;
  for (int step = 0; step < 20'000; ++step) {
    const std::uint64_t i = rng.below(step < 12'000 ? 1'000 : 40);
    const std::string key = numbered(i);
    const std::uint64_t hash = i / 2 * 7;
    if (rng.below(3) == 0) {
      BOOST_REQUIRE_EQUAL(f.store().erase_key(key, hash), present.erase(i));
    } else if (!present.contains(i)) {
      Object::Init init;
      init.key = key;
      init.hash = hash;
      BOOST_REQUIRE(f.store().insert(Object::create(f.budget(), std::move(init))));
      present.insert(i);
    }
    const std::uint64_t probe = rng.below(1'000);
    const bool found = f.store().find(numbered(probe), probe / 2 * 7, {}, scratch).found == Found::kObject;
    BOOST_REQUIRE_EQUAL(found, present.contains(probe));
  }
  for (std::uint64_t i = 0; i < 1'000; ++i) {
    BOOST_REQUIRE_EQUAL(f.store().erase_key(numbered(i), i / 2 * 7), present.erase(i));
  }
  BOOST_TEST(f.budget().used_bytes() == 0U);
}

BOOST_AUTO_TEST_CASE(accounting_returns_to_zero) {
  Fixture f({.memory_bytes = 64 << 20});
  for (std::uint64_t i = 0; i < 1'000; ++i) f.insert({.key = numbered(i), .body_bytes = i});
  BOOST_REQUIRE(f.store().stats().evictions == 0U);
  BOOST_TEST(f.store().stats().stored_bytes > 0U);
  BOOST_TEST(f.store().stats().budget_used_bytes == f.budget().used_bytes());
  for (std::uint64_t i = 0; i < 1'000; ++i) BOOST_TEST(f.erase_key(numbered(i)) == 1U);
  BOOST_TEST(f.budget().used_bytes() == 0U);
  BOOST_TEST(f.store().stats().stored_bytes == 0U);
  BOOST_TEST(f.store().stats().objects == 0U);
}

BOOST_AUTO_TEST_CASE(what_is_stored_is_what_is_charged) {
  Fixture f({.memory_bytes = 64 << 20, .shards = 4});
  for (std::uint64_t i = 0; i < 5'000; ++i) f.insert({.key = numbered(i), .body_bytes = 300});
  const auto stats = f.store().stats();
  const auto used = static_cast<double>(stats.budget_used_bytes);
  BOOST_TEST(static_cast<double>(stats.stored_bytes) > used * 0.95);
  BOOST_TEST(static_cast<double>(stats.stored_bytes) < used * 1.05);
}

BOOST_AUTO_TEST_CASE(the_budget_holds_under_churn) {
  constexpr std::size_t kMemory = 2 << 20;
  Fixture f({.memory_bytes = kMemory, .max_object_share = 0.2, .shards = 8});
  Rng rng(3);
  std::set<std::uint64_t> asked;
  for (int step = 0; step < 5'000; ++step) {
    const std::uint64_t i = rng.below(2'000);
    const std::size_t size = std::size_t{1} << rng.below(19);
    const auto x = request({{"X", std::to_string(rng.below(3))}});
    asked.insert(i);
    ObjectSpec spec{.key = numbered(i), .body_bytes = size};
    if (rng.below(2) == 0) spec.vary = {"x"}, spec.request = x;
    f.store().insert(f.make(spec));
    BOOST_REQUIRE_LE(f.budget().used_bytes(), kMemory);
    f.find(numbered(rng.below(50)), x);
  }
  BOOST_TEST(f.store().stats().evictions > 1'000U);
  BOOST_TEST(f.budget().used_bytes() > kMemory / 2);
  for (const std::uint64_t i : asked) f.erase_key(numbered(i));
  BOOST_TEST(f.store().stats().objects == 0U);
  BOOST_TEST(f.store().stats().stored_bytes == 0U);
  BOOST_TEST(f.budget().used_bytes() <= kGhostBytes);
}

// A table that doubles costs more than the object that makes it.
BOOST_AUTO_TEST_CASE(the_budget_holds_while_the_index_grows) {
  constexpr std::size_t kMemory = 2 << 20;
  Fixture f({.memory_bytes = kMemory, .shards = 1});
  for (std::uint64_t i = 0; i < 1'500; ++i) {
    const auto object = f.make({.key = numbered(i), .body_bytes = 0});
    const BudgetCharge all_but_little(f.budget(), kMemory - f.budget().used_bytes() - 1'000);
    BOOST_REQUIRE(f.store().insert(object));
    BOOST_REQUIRE_LE(f.budget().used_bytes(), kMemory);
  }
  BOOST_TEST(f.store().stats().evictions > 0U);
}

BOOST_AUTO_TEST_CASE(a_lowered_limit_is_honoured) {
  Fixture f({.memory_bytes = 8 << 20});
  for (std::uint64_t i = 0; i < 1'000; ++i) f.insert({.key = numbered(i), .body_bytes = 4'000});
  f.budget().set_limit_bytes(1 << 20);
  f.insert({.key = "http://a.test/new"});
  BOOST_TEST(f.budget().used_bytes() <= std::size_t{1} << 20);
  BOOST_TEST(f.holds("http://a.test/new"));
}

BOOST_AUTO_TEST_CASE(too_large_is_refused_and_takes_its_predecessor_along) {
  Fixture f({.memory_bytes = 1 << 20, .max_object_share = 0.1});
  const auto a = request({{"X", "a"}});
  const auto b = request({{"X", "b"}});
  f.insert({.vary = {"x"}, .request = a});
  f.insert({.vary = {"x"}, .request = b});
  BOOST_TEST(!f.store().insert(f.make({.body_bytes = 200'000, .vary = {"x"}, .request = a})));
  BOOST_TEST((f.find("http://a.test/", a).found == Found::kOtherVariants));
  BOOST_TEST((f.find("http://a.test/", b).found == Found::kObject));
  BOOST_TEST(f.store().stats().rejected == 1U);
  BOOST_TEST(f.store().stats().evictions == 0U);
}

BOOST_AUTO_TEST_CASE(the_largest_body_is_stored) {
  for (const std::size_t memory : {std::size_t{1} << 20, std::size_t{64} << 20}) {
    BOOST_TEST_CONTEXT("memory " << memory) {
      Fixture f({.memory_bytes = memory});
      f.insert({.body_bytes = f.store().max_object_bytes()});
      BOOST_TEST(f.holds("http://a.test/"));
    }
  }
}

BOOST_AUTO_TEST_CASE(use_protects_and_a_peek_is_no_use) {
  Fixture f({.memory_bytes = 1 << 20});
  f.insert({.key = "http://a.test/used", .body_bytes = 1'000});
  f.insert({.key = "http://a.test/peeked", .body_bytes = 1'000});
  f.find("http://a.test/used");
  f.peek_all("http://a.test/peeked");
  for (std::uint64_t i = 0; i < 3'000; ++i) f.insert({.key = numbered(i), .body_bytes = 1'000});
  BOOST_TEST(f.holds("http://a.test/used"));
  BOOST_TEST(!f.holds("http://a.test/peeked"));
}

BOOST_AUTO_TEST_CASE(a_successor_inherits_the_use) {
  Fixture f({.memory_bytes = 1 << 20});
  const auto object = f.insert({.key = "http://a.test/used", .body_bytes = 1'000});
  f.find("http://a.test/used");
  BOOST_REQUIRE(f.store().replace(*object, f.make({.key = "http://a.test/used", .body_bytes = 1'000})));
  for (std::uint64_t i = 0; i < 3'000; ++i) f.insert({.key = numbered(i), .body_bytes = 1'000});
  BOOST_TEST(f.holds("http://a.test/used"));
}

BOOST_AUTO_TEST_CASE(slow_readers_pin_bytes_that_stay_charged) {
  constexpr std::size_t kMemory = 1 << 20;
  Fixture f({.memory_bytes = kMemory});
  std::vector<LookupResult> readers;
  std::size_t pinned = 0;
  std::size_t refused = 0;
  for (std::uint64_t i = 0; i < 100; ++i) {
    const bool stored = f.store().insert(f.make({.key = numbered(i), .body_bytes = 20'000}));
    BOOST_REQUIRE_LE(f.budget().used_bytes(), kMemory);
    refused += stored ? 0 : 1;
    LookupResult reader = f.find(numbered(i));
    BOOST_REQUIRE(stored == (reader.object != nullptr));
    if (!reader.object) continue;
    pinned += reader.object->body()[0].segment()->charged_bytes();
    readers.push_back(std::move(reader));
  }
  BOOST_TEST(pinned > kMemory * 9 / 10);
  BOOST_TEST(pinned <= f.budget().used_bytes());
  BOOST_TEST(refused > 40U);
  BOOST_TEST(!f.store().make_room(kMemory / 2));
  BOOST_TEST(f.budget().used_bytes() >= pinned);
  readers.clear();
  BOOST_TEST(f.store().make_room(kMemory / 2));
  BOOST_TEST(f.budget().used_bytes() <= kMemory / 2);
  f.insert({.body_bytes = 20'000});
  for (std::uint64_t i = 0; i < 100; ++i) f.erase_key(numbered(i));
  f.erase_key("http://a.test/");
  BOOST_TEST(f.budget().used_bytes() <= kGhostBytes);
}

BOOST_AUTO_TEST_CASE(make_room) {
  constexpr std::size_t kMemory = 1 << 20;
  Fixture f({.memory_bytes = kMemory});
  for (std::uint64_t i = 0; i < 60; ++i) f.insert({.key = numbered(i), .body_bytes = 10'000});
  const std::size_t used = f.budget().used_bytes();
  BOOST_TEST(f.store().make_room(kMemory - used));
  BOOST_TEST(f.store().stats().evictions == 0U);
  BOOST_TEST(f.store().make_room(kMemory - used + 1));
  BOOST_TEST(f.store().stats().evictions == 1U);
  BOOST_TEST(!f.store().make_room(kMemory + 1));
  BOOST_TEST(f.store().stats().evictions == 1U);
  BOOST_TEST(f.store().make_room(kMemory / 2));
  BOOST_TEST(f.budget().used_bytes() <= kMemory / 2);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_had_costs_nobody_else) {
  constexpr std::size_t kMemory = 1 << 20;
  Fixture f({.memory_bytes = kMemory});
  for (std::uint64_t i = 0; i < 20; ++i) f.insert({.key = numbered(i), .body_bytes = 10'000});
  const BudgetCharge in_flight(f.budget(), kMemory * 7 / 10);
  BOOST_TEST(!f.store().make_room(kMemory / 2));
  BOOST_TEST(f.store().stats().objects == 20U);
  // Beyond the ceiling everything goes, and it ends.
  const BudgetCharge more(f.budget(), kMemory);
  BOOST_TEST(!f.store().insert(f.make({.key = "http://a.test/new"})));
  BOOST_TEST(f.store().stats().objects == 0U);
  BOOST_TEST(!f.holds("http://a.test/new"));
  BOOST_TEST(f.store().stats().rejected == 1U);
}

// The object is out of the index before it comes to the eviction lists: it must not be listed then.
BOOST_AUTO_TEST_CASE(an_erase_may_overtake_its_insert) {
  const std::string key = "http://a.test/";
  Fixture f;
  std::atomic<bool> is_done = false;
  {
    const std::jthread eraser([&] {
      while (!is_done.load()) f.erase_key(key);
    });
    for (int i = 0; i < 30'000; ++i) f.insert({.key = key, .body_bytes = 0});
    is_done = true;
  }
  f.erase_key(key);
  BOOST_TEST(f.store().stats().objects == 0U);
  BOOST_TEST(f.store().stats().stored_bytes == 0U);
  BOOST_TEST(f.budget().used_bytes() == 0U);
}

BOOST_AUTO_TEST_CASE(index_and_lists_agree_after_any_mix_of_threads) {
  constexpr std::size_t kMemory = 1 << 20;
  constexpr std::uint64_t kKeys = 150;
  constexpr std::size_t kThreads = 4;
  constexpr std::size_t kLargestBody = 16'384;
  Fixture f({.memory_bytes = kMemory, .max_variants = 3, .shards = 4});
  const auto work = [&f](std::uint64_t seed) {
    Rng rng(seed);
    std::string scratch;
    std::vector<LookupResult> held(4);
    for (int step = 0; step < 6'000; ++step) {
      // Few keys are hot: threads meet on them.
      const std::string key = numbered(rng.below(2) == 0 ? rng.below(4) : rng.below(kKeys));
      const auto x = request({{"X", std::to_string(rng.below(5))}});
      LookupResult& reader = held[rng.below(held.size())];
      reader = f.store().find(key, hash_of(key), x, scratch);
      const ObjectSpec spec{.key = key, .body_bytes = rng.below(kLargestBody), .vary = {"x"}, .request = x};
      switch (rng.below(8)) {
        case 0:
          if (reader.object) f.store().erase(*reader.object);
          break;
        case 1: f.store().erase_key(key, hash_of(key)); break;
        case 2: f.store().make_room(rng.below(kMemory / 8)); break;
        case 3:
        case 4:
          if (reader.object) f.store().replace(*reader.object, f.make(spec));
          break;
        default: f.store().insert(f.make(spec)); break;
      }
      // What each thread may have in hand on top: one object new and one just let go.
      if (f.budget().used_bytes() > kMemory + kThreads * 4 * kLargestBody) return false;
    }
    return true;
  };
  bool within_budget[kThreads] = {};
  {
    std::vector<std::jthread> workers;
    for (std::size_t t = 0; t < kThreads; ++t) {
      workers.emplace_back([&, t] { within_budget[t] = work(t + 1); });
    }
  }
  for (const bool ok : within_budget) BOOST_TEST(ok);
  BOOST_TEST(f.store().stats().evictions > 0U);

  // Listed and reachable are the same objects.
  std::size_t reachable = 0;
  std::size_t reachable_bytes = 0;
  for (std::uint64_t i = 0; i < kKeys; ++i) {
    for (const Ref<Object>& object : f.peek_all(numbered(i))) {
      ++reachable;
      reachable_bytes += object->charged_bytes();
    }
  }
  BOOST_TEST(f.store().stats().objects == reachable);
  BOOST_TEST(f.store().stats().stored_bytes == reachable_bytes);
  BOOST_TEST(f.store().make_room(kMemory - kGhostBytes));
  for (std::uint64_t i = 0; i < kKeys; ++i) f.erase_key(numbered(i));
  BOOST_TEST(f.store().stats().objects == 0U);
  BOOST_TEST(f.store().stats().stored_bytes == 0U);
  BOOST_TEST(f.budget().used_bytes() <= kGhostBytes);
}

// Whatever the policy: what nobody can be given any more goes before what is in use.
BOOST_AUTO_TEST_CASE(what_has_expired_goes_first) {
  constexpr std::int64_t kStart = 1'700'000'000;
  const auto lasting = [](std::int64_t at, int lifetime, int stale) {
    policy::Freshness f;
    f.response_time = WallTime::from_unix_seconds(at);
    f.lifetime = Seconds{lifetime};
    f.stale_if_error = Seconds{stale};
    return f;
  };
  for (std::size_t i = 0; i < cache::eviction_names().size(); ++i) {
    BOOST_TEST_CONTEXT(cache::eviction_names()[i]) {
      Fixture f({.memory_bytes = std::size_t{4} << 20, .eviction = static_cast<cache::Eviction>(i)});
      const auto name = [](std::string_view kind, int n) { return std::string(kind) + std::to_string(n); };
      for (int n = 0; n < 10; ++n) {
        f.insert({.key = name("short", n), .body_bytes = 10'000, .freshness = lasting(kStart, 10, 0)});
        f.insert({.key = name("stale", n), .body_bytes = 10'000, .freshness = lasting(kStart, 10, 10'000)});
        f.insert({.key = name("long", n), .body_bytes = 10'000, .freshness = lasting(kStart, 10'000, 0)});
        for (const std::string_view kind : {"short", "stale", "long"}) f.find(name(kind, n));
      }
      // Time goes on, and room is needed for a little more than there is.
      for (int n = 0; f.store().stats().evictions < 10; ++n) {
        BOOST_REQUIRE_LT(n, 10'000);
        f.insert({.key = name("new", n), .body_bytes = 10'000, .freshness = lasting(kStart + 60, 10'000, 0)});
      }
      for (int n = 0; n < 10; ++n) {
        BOOST_TEST(!f.holds(name("short", n)));
        BOOST_TEST(f.holds(name("stale", n)));
        BOOST_TEST(f.holds(name("long", n)));
      }
    }
  }
}

SliceChain encoded_body(Fixture& f, std::size_t bytes = 20'000) {
  return {Slice::copy_of(&f.budget(), std::string(bytes, 'z'))};
}

BOOST_AUTO_TEST_CASE(forms_belong_to_their_object) {
  Fixture f;
  const auto plain = f.insert({.body_bytes = 100'000, .tag = "\"v1\""});
  const std::uint64_t before = f.store().stats().stored_bytes;
  BOOST_TEST((f.store().add_form(*plain, http::Coding::kGzip, encoded_body(f)) == cache::Exchanged::kYes));
  BOOST_TEST((f.store().add_form(*plain, http::Coding::kGzip, encoded_body(f)) == cache::Exchanged::kGone));
  BOOST_TEST((f.store().add_form(*plain, http::Coding::kBrotli, encoded_body(f)) == cache::Exchanged::kYes));
  const LookupResult hit = f.find(plain->key());
  BOOST_REQUIRE(hit.object);
  BOOST_TEST(hit.object->is_same_as(*plain));
  BOOST_TEST(hit.object->body().front().data() == plain->body().front().data());
  const cache::Form* const gzip = hit.object->form(http::Coding::kGzip);
  BOOST_REQUIRE(gzip);
  BOOST_TEST(gzip->object->headers().find("ETag").value_or("") == "W/\"v1~gzip\"");
  BOOST_TEST(gzip->object->head_block().find("Content-Length: 20000\r\n") != std::string_view::npos);
  BOOST_TEST(hit.object->form(http::Coding::kBrotli) != nullptr);
  BOOST_TEST(hit.object->form(http::Coding::kZstd) == nullptr);
  BOOST_TEST(f.store().stats().objects == 1U);
  BOOST_TEST(f.store().stats().stored_bytes == hit.object->charged_bytes());
  BOOST_TEST(f.store().stats().stored_bytes >= before + 40'000);
}

BOOST_AUTO_TEST_CASE(with_the_object_all_forms_go) {
  Fixture f;
  const std::size_t before = f.budget().used_bytes();
  {
    const auto plain = f.insert({.body_bytes = 100'000});
    BOOST_REQUIRE((f.store().add_form(*plain, http::Coding::kGzip, encoded_body(f)) == cache::Exchanged::kYes));
    BOOST_TEST(f.erase_key(plain->key()) == 1U);
    BOOST_TEST((f.store().add_form(*plain, http::Coding::kBrotli, encoded_body(f)) == cache::Exchanged::kGone));
    BOOST_TEST(!f.holds(plain->key()));
  }
  BOOST_TEST(f.budget().used_bytes() < before + 20'000);
}

BOOST_AUTO_TEST_CASE(a_form_of_what_was_replaced_is_dropped) {
  Fixture f;
  const auto old = f.insert({.tag = "\"v1\""});
  const auto fresh = f.insert({.tag = "\"v2\""});
  BOOST_TEST((f.store().add_form(*old, http::Coding::kGzip, encoded_body(f)) == cache::Exchanged::kGone));
  BOOST_TEST(f.find(fresh->key()).object == fresh.get());
}

BOOST_AUTO_TEST_CASE(who_knows_an_object_without_forms_replaces_it_with_them) {
  Fixture f;
  const auto known = f.insert({.body_bytes = 5000, .tag = "\"v1\""});
  BOOST_REQUIRE((f.store().add_form(*known, http::Coding::kGzip, encoded_body(f, 1000)) == cache::Exchanged::kYes));
  const auto fresh = f.make({.body_bytes = 5000, .tag = "\"v1\""});
  BOOST_TEST(f.store().replace(*known, fresh));
  BOOST_TEST(f.find(known->key()).object == fresh.get());
  BOOST_TEST(f.store().stats().objects == 1U);
}

BOOST_AUTO_TEST_CASE(a_soft_purge_keeps_forms_and_a_hard_one_does_not) {
  Fixture f;
  const WallTime now = WallTime::from_unix_seconds(1'700'000'000);
  const auto plain = f.insert({.body_bytes = 5000, .freshness = {.response_time = now, .lifetime = Seconds{60}}});
  BOOST_REQUIRE((f.store().add_form(*plain, http::Coding::kGzip, encoded_body(f, 1000)) == cache::Exchanged::kYes));
  BOOST_TEST(f.store().purge_url(plain->key(), plain->hash(), true, now + Millis{1000}) == 1U);
  const LookupResult stale = f.find(plain->key());
  BOOST_REQUIRE(stale.object);
  BOOST_TEST((stale.object->freshness().lifetime == Seconds{1}));
  BOOST_TEST(stale.object->form(http::Coding::kGzip) != nullptr);
  BOOST_TEST((f.store().add_form(*plain, http::Coding::kBrotli, encoded_body(f, 1000)) == cache::Exchanged::kGone));
  BOOST_TEST(f.store().purge_url(plain->key(), plain->hash(), false, now) == 1U);
  BOOST_TEST(!f.holds(plain->key()));
}

BOOST_AUTO_TEST_SUITE_END()
