// Bodies that are packed in memory instead of their eviction: which, when, and that nothing else of the store's
// changes.
#include <boost/test/unit_test.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "cache/memory_packer.h"
#include "cache/store.h"
#include "support/held_background.h"
#include "support/manual_clock.h"
#include "support/pump_executor.h"

namespace {

using namespace seawall;
using cache::Exchanged;
using cache::LookupResult;
using cache::MemoryPacker;
using cache::Object;
using cache::Store;

constexpr std::size_t kBody = 10'000;
constexpr WallTime kNow = WallTime::from_unix_seconds(1'700'000'000);

std::string numbered(std::string_view kind, std::size_t n) {
  return std::string(kind) + std::to_string(n);
}

std::string random_bytes(std::size_t size) {
  Rng rng(size);
  std::string out(size, '\0');
  for (char& c : out) c = static_cast<char>(rng.next());
  return out;
}

class Fixture {
 public:
  explicit Fixture(cache::StoreOptions options = {.memory_bytes = std::size_t{2} << 20}) : store(options) {
    store.attach(packer);
    packer.start(home);
  }

  test::ManualClock clock;
  Store store;
  test::HeldBackground background;
  test::PumpExecutor home{0, clock};
  MemoryPacker packer{store, background, clock};

  Ref<Object> insert(const std::string& key, const std::string& body = std::string(kBody, 'x'),
                     const std::string& type = "text/plain") {
    Object::Init init;
    init.key = key;
    init.hash = hash_of(key);
    init.headers.add(http::Field::kContentType, type);
    init.freshness = {.response_time = kNow, .lifetime = Seconds{60}};
    init.complete_length = body.size();
    init.parts.push_back({.first = 0, .size = body.size(), .slices = {Slice::copy_of(&store.budget(), body)}});
    Ref<Object> object = Object::create(store.budget(), std::move(init));
    BOOST_REQUIRE(store.insert(object));
    return object;
  }
  Ref<const Object> find(const std::string& key) {
    const LookupResult found = store.find(key, hash_of(key), {}, scratch_);
    return Ref<const Object>(found.object);
  }
  Ref<Object> peek(const std::string& key) {
    const auto all = store.peek_all(key, hash_of(key));
    return all.empty() ? nullptr : all.front();
  }
  void work() {
    background.work();
    while (home.run_one()) {
    }
  }
  // `objects` come in, many times what there is room for, each asked for as often.
  void flood(std::size_t objects, int hits) {
    for (std::size_t n = 0; n < objects; ++n) {
      const std::string key = numbered("flood", n);
      insert(key);
      for (int i = 0; i < hits; ++i) find(key);
      work();
    }
  }
  static std::uint64_t hash_of(std::string_view key) { return std::hash<std::string_view>()(key); }

 private:
  std::string scratch_;
};

// As put back by a policy whatever that is: packed at once.
void pack_now(Fixture& f, const Ref<Object>& object) {
  BOOST_REQUIRE(f.packer.try_ask(*object));
  f.packer.pack(object);
  f.work();
  BOOST_REQUIRE(f.peek(object->key())->packed());
}

std::string raw_body(Fixture& f, const Object& object) {
  std::string out;
  const SliceChain body = object.packed() ? object.packed()->unpack_all(f.store.budget()).value() : object.body();
  for (const Slice& slice : body) out += slice.view();
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(packing_contract)

BOOST_AUTO_TEST_CASE(what_was_asked_for_is_packed_before_it_is_evicted_whatever_the_policy) {
  for (std::size_t i = 0; i < cache::eviction_names().size(); ++i) {
    BOOST_TEST_CONTEXT(cache::eviction_names()[i]) {
      Fixture f({.memory_bytes = std::size_t{2} << 20, .eviction = static_cast<cache::Eviction>(i)});
      f.flood(1000, 1);
      const cache::StoreStats stats = f.store.stats();
      const cache::PackStats packing = f.packer.stats();
      BOOST_TEST(packing.packed >= 30U);
      BOOST_TEST(packing.packed_raw_bytes == packing.packed * kBody);
      BOOST_TEST(packing.packed_bytes < packing.packed_raw_bytes / 10);
      BOOST_TEST(stats.packed_raw_bytes == stats.packed * kBody);
      BOOST_TEST(f.store.budget().used_bytes() <= f.store.budget().limit_bytes());
      std::size_t packed = 0;
      for (std::size_t n = 0; n < 1000; ++n) {
        const Ref<Object> object = f.peek(numbered("flood", n));
        if (!object) continue;
        if (object->packed()) ++packed;
        BOOST_TEST((raw_body(f, *object) == std::string(kBody, 'x')));
      }
      BOOST_TEST(packed == stats.packed);
    }
  }
}

BOOST_AUTO_TEST_CASE(what_was_never_asked_for_is_not) {
  for (std::size_t i = 0; i < cache::eviction_names().size(); ++i) {
    BOOST_TEST_CONTEXT(cache::eviction_names()[i]) {
      Fixture f({.memory_bytes = std::size_t{2} << 20, .eviction = static_cast<cache::Eviction>(i)});
      f.flood(1000, 0);
      BOOST_TEST(f.store.stats().evictions > 700U);
      BOOST_TEST(f.packer.stats().packed + f.packer.stats().no_gain + f.packer.stats().outdated == 0U);
    }
  }
}

BOOST_AUTO_TEST_CASE(more_is_held_with_it_than_without) {
  const auto held_after = [](bool packs) {
    Fixture f;
    f.background.refuses = !packs;
    // Ten times what there is room for, each asked for now and then.
    for (std::size_t round = 0; round < 3; ++round) {
      for (std::size_t n = 0; n < 1000; ++n) {
        if (!f.find(numbered("u", n))) f.insert(numbered("u", n));
        f.find(numbered("u", n));
        f.work();
      }
    }
    return f.store.stats().objects;
  };
  const std::uint64_t without = held_after(false);
  BOOST_TEST(held_after(true) > 3 * without);
}

BOOST_AUTO_TEST_CASE(what_does_not_gain_is_tried_once) {
  Fixture f;
  const Ref<Object> dense = f.insert("dense", random_bytes(kBody));
  BOOST_REQUIRE(f.packer.try_ask(*dense));
  BOOST_TEST(!f.packer.try_ask(*dense));  // one asks
  f.packer.pack(dense);
  f.work();
  BOOST_TEST(f.packer.stats().no_gain == 1U);
  BOOST_TEST((f.peek("dense") == dense));
  BOOST_TEST(!f.packer.try_ask(*dense));
  BOOST_TEST(!dense->encoding().is_packing_asked());  // it does not wait for that any more
  const policy::Freshness later{.response_time = kNow + Millis{1000}, .lifetime = Seconds{60}};
  BOOST_TEST(!f.packer.try_ask(*dense->with_freshness(f.store.budget(), later, 0)));
}

BOOST_AUTO_TEST_CASE(what_is_not_even_tried) {
  Fixture f;
  BOOST_TEST(!f.packer.try_ask(*f.insert("image", std::string(kBody, 'x'), "image/png")));
  BOOST_TEST(!f.packer.try_ask(*f.insert("small", std::string(1023, 'x'))));
  BOOST_TEST(f.packer.try_ask(*f.insert("large enough", std::string(1024, 'x'))));
  Object::Init init;
  init.key = "partial";
  init.complete_length = 2 * kBody;
  init.parts.push_back(
      {.first = 0, .size = kBody, .slices = {Slice::copy_of(&f.store.budget(), std::string(kBody, 'x'))}});
  BOOST_TEST(!f.packer.try_ask(*Object::create(f.store.budget(), std::move(init))));
  Object::Init on_disk;
  on_disk.key = "on disk";
  on_disk.complete_length = 2 * kBody;
  on_disk.disk_body = make_ref<cache::DiskBody>(disk::Candidate{});
  BOOST_TEST(!f.packer.try_ask(*Object::create(f.store.budget(), std::move(on_disk))));
  const Ref<Object> packed = f.insert("packed");
  pack_now(f, packed);
  BOOST_TEST(!f.packer.try_ask(*f.peek("packed")));
}

BOOST_AUTO_TEST_CASE(when_the_queue_is_full_objects_go_as_before) {
  Fixture f;
  f.background.refuses = true;
  f.flood(1000, 1);
  BOOST_TEST(f.packer.stats().packed == 0U);
  BOOST_TEST(f.packer.stats().queue_full > 0U);
  BOOST_TEST(f.store.stats().packed == 0U);
  // It may be asked again later.
  f.background.refuses = false;
  const Ref<Object> object = f.insert("x");
  f.background.refuses = true;
  BOOST_TEST(!f.packer.try_ask(*object));
  f.background.refuses = false;
  pack_now(f, object);
}

BOOST_AUTO_TEST_CASE(what_waits_to_be_packed_is_not_evicted_meanwhile) {
  Fixture f({.memory_bytes = std::size_t{2} << 20, .eviction = cache::Eviction::kLru});
  const Ref<Object> waiting = f.insert("waiting");
  f.find("waiting");
  BOOST_REQUIRE(f.packer.try_ask(*waiting));
  for (std::size_t n = 0; n < 1000; ++n) f.insert(numbered("new", n));
  BOOST_TEST((f.peek("waiting") == waiting));
  BOOST_TEST(f.store.stats().evictions > 700U);
}

BOOST_AUTO_TEST_CASE(a_packed_object_is_the_same_to_all) {
  Fixture f;
  const Ref<Object> raw = f.insert("x");
  const std::size_t before = f.store.budget().used_bytes();
  pack_now(f, raw);
  const Ref<Object> packed = f.peek("x");
  BOOST_TEST(packed->is_same_as(*raw));
  BOOST_TEST(packed->is_complete());
  BOOST_TEST(!packed->is_ready());
  BOOST_TEST(packed->complete_length() == kBody);
  BOOST_TEST(packed->head_block() == raw->head_block());
  BOOST_TEST(packed->slices_of({0, 10}).empty());
  BOOST_TEST(packed->charged_bytes() < raw->charged_bytes() - kBody / 2);
  BOOST_TEST(f.store.stats().stored_bytes == packed->charged_bytes());
  BOOST_TEST(f.store.stats().objects == 1U);
  BOOST_TEST(f.store.budget().used_bytes() > before);  // `raw` is still held here
  // Who knows the raw one replaces the packed one.
  const policy::Freshness later{.response_time = kNow + Millis{1000}, .lifetime = Seconds{60}};
  BOOST_TEST(f.store.replace(*raw, packed->with_freshness(f.store.budget(), later, 0)));
  BOOST_TEST((f.peek("x")->packed() == packed->packed()));
  BOOST_TEST(f.store.stats().packed == 1U);
  BOOST_TEST(f.store.erase_key("x", Fixture::hash_of("x")) == 1U);
  BOOST_TEST(f.store.stats().packed == 0U);
  BOOST_TEST(f.store.stats().packed_bytes == 0U);
}

BOOST_AUTO_TEST_CASE(all_that_a_packed_object_takes_is_given_back) {
  Fixture f;
  const std::size_t before = f.store.budget().used_bytes();
  pack_now(f, f.insert("x"));
  f.store.erase_key("x", Fixture::hash_of("x"));
  BOOST_TEST(f.store.budget().used_bytes() <= before + 1024);  // tables of the index
}

BOOST_AUTO_TEST_CASE(forms_stay_with_a_packed_object) {
  Fixture f;
  const Ref<Object> raw = f.insert("x");
  const SliceChain encoded{Slice::copy_of(&f.store.budget(), std::string(500, 'z'))};
  BOOST_REQUIRE(f.packer.try_ask(*raw));
  BOOST_TEST((f.store.add_form(*raw, http::Coding::kGzip, encoded) == Exchanged::kYes));
  // It is packed with what came meanwhile.
  f.packer.pack(raw);
  f.work();
  const Ref<Object> packed = f.peek("x");
  BOOST_REQUIRE(packed->packed());
  BOOST_TEST(packed->form(http::Coding::kGzip) != nullptr);
  BOOST_TEST((f.store.add_form(*raw, http::Coding::kBrotli, encoded) == Exchanged::kYes));
  BOOST_TEST((f.peek("x")->packed() == packed->packed()));
  BOOST_TEST((f.peek("x")->form(http::Coding::kBrotli) != nullptr));
}

BOOST_AUTO_TEST_CASE(what_was_replaced_meanwhile_is_not_brought_back) {
  Fixture f;
  const Ref<Object> old = f.insert("x");
  BOOST_REQUIRE(f.packer.try_ask(*old));
  f.packer.pack(old);
  const Ref<Object> fresh = f.insert("x", std::string(kBody, 'y'));
  f.work();
  BOOST_TEST((f.peek("x") == fresh));
  BOOST_TEST(f.packer.stats().outdated == 1U);
}

BOOST_AUTO_TEST_CASE(a_soft_purge_keeps_it_packed) {
  Fixture f;
  const Ref<Object> raw = f.insert("x");
  pack_now(f, raw);
  BOOST_TEST(f.store.purge_url("x", Fixture::hash_of("x"), true, kNow + Millis{1000}) == 1U);
  const Ref<Object> stale = f.peek("x");
  BOOST_TEST((stale->packed() != nullptr));
  BOOST_TEST((stale->freshness().lifetime == Seconds{1}));
  BOOST_TEST(f.store.stats().packed == 1U);
}

BOOST_AUTO_TEST_CASE(what_is_asked_for_often_is_made_raw_again) {
  Fixture f;
  pack_now(f, f.insert("x"));
  for (unsigned n = 1; n < MemoryPacker::kHotHits; ++n) {
    f.packer.open(*f.peek("x"));
    f.work();
    f.work();
    BOOST_TEST((f.peek("x")->packed() != nullptr));
  }
  f.packer.open(*f.peek("x"));
  f.packer.open(*f.peek("x"));  // no more than once
  f.work();
  f.work();
  const Ref<Object> raw = f.peek("x");
  BOOST_TEST(raw->is_ready());
  BOOST_TEST((raw_body(f, *raw) == std::string(kBody, 'x')));
  BOOST_TEST(f.packer.stats().unpacked == 1U);
  BOOST_TEST(f.packer.stats().answers == MemoryPacker::kHotHits + 1);
  BOOST_TEST(f.store.stats().packed == 0U);
  // And has its turn again when it has cooled.
  pack_now(f, raw);
}

BOOST_AUTO_TEST_CASE(without_room_it_stays_packed) {
  Fixture f;
  pack_now(f, f.insert("x"));
  const Ref<Object> packed = f.peek("x");
  const BudgetCharge readers(f.store.budget(), f.store.budget().limit_bytes() - 8192);
  for (unsigned n = 0; n < MemoryPacker::kHotHits; ++n) f.packer.open(*packed);
  f.work();
  f.work();
  BOOST_TEST(f.packer.stats().unpacked == 0U);
  BOOST_TEST(f.packer.stats().no_room == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
