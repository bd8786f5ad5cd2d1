// Objects and the sets that hold them: heads, parts, ranges, and what is charged for them.
#include "cache/object.h"

#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "cache/index.h"
#include "cache/variant_set.h"

namespace {

using namespace seawall;
using cache::Object;
using cache::Part;
using cache::VariantSet;

std::string text_of(const SliceChain& chain) {
  std::string out;
  for (const Slice& s : chain) out += s.view();
  return out;
}

// A part of `text` from `first`, each slice in a segment of its own.
Part part(MemoryBudget& budget, std::uint64_t first, const std::vector<std::string>& slices) {
  Part p{.first = first};
  for (const std::string& s : slices) {
    p.slices.push_back(Slice::copy_of(&budget, s));
    p.size += s.size();
  }
  return p;
}

Object::Init init_of(std::vector<Part> parts, std::uint64_t complete_length) {
  Object::Init init;
  init.key = "http://a.test/a/path/longer/than/a/short/string";
  init.hash = 7;
  init.parts = std::move(parts);
  init.complete_length = complete_length;
  return init;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(cache_object)

BOOST_AUTO_TEST_CASE(head_block_is_ready_but_for_its_end) {
  MemoryBudget budget(1 << 20);
  auto init = init_of({part(budget, 0, {"hello"})}, 5);
  init.headers.add("ETag", "\"x\"");
  init.headers.add("X-Two", "1");
  init.headers.add("X-Two", "2");
  BOOST_TEST(Object::create(budget, init)->head_block() ==
             "HTTP/1.1 200 OK\r\nETag: \"x\"\r\nX-Two: 1\r\nX-Two: 2\r\nContent-Length: 5\r\n");
  init.status = 404;
  init.reason = "Gone Fishing";
  BOOST_TEST(Object::create(budget, init)->head_block().starts_with("HTTP/1.1 404 Gone Fishing\r\n"));
}

BOOST_AUTO_TEST_CASE(no_content_length_where_it_must_not_be) {
  MemoryBudget budget(1 << 20);
  auto init = init_of({}, 0);
  init.status = 204;
  init.no_content_length = true;
  const auto object = Object::create(budget, std::move(init));
  BOOST_TEST(object->head_block() == "HTTP/1.1 204 No Content\r\n");
  BOOST_TEST(!object->sends_content_length());
}

BOOST_AUTO_TEST_CASE(completeness) {
  MemoryBudget budget(1 << 20);
  struct Row {
    std::string name;
    std::vector<Part> parts;
    std::uint64_t length = 0;
    bool want = false;
  };
  const Row rows[] = {
      {.name = "whole", .parts = {part(budget, 0, {"abc", "de"})}, .length = 5, .want = true},
      {.name = "empty", .parts = {}, .length = 0, .want = true},
      {.name = "empty part", .parts = {part(budget, 0, {})}, .length = 0, .want = true},
      {.name = "short", .parts = {part(budget, 0, {"abc"})}, .length = 5},
      {.name = "nothing held", .parts = {}, .length = 5},
      {.name = "not from the start", .parts = {part(budget, 2, {"abc"})}, .length = 5},
      {.name = "with a hole", .parts = {part(budget, 0, {"ab"}), part(budget, 3, {"de"})}, .length = 5},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const auto object = Object::create(budget, init_of(row.parts, row.length));
      BOOST_TEST(object->is_complete() == row.want);
      if (row.want) BOOST_TEST(total_size(object->body()) == row.length);
    }
  }
}

BOOST_AUTO_TEST_CASE(slices_of_a_range) {
  MemoryBudget budget(1 << 20);
  // 0123456789 of which 3, 7 and 8 are missing.
  const auto object = Object::create(
      budget, init_of({part(budget, 0, {"0", "12"}), part(budget, 4, {"45", "6"}), part(budget, 9, {"9"})}, 10));
  struct Row {
    std::string name;
    http::ByteRange range;
    std::string want;
  };
  const Row rows[] = {
      {.name = "a part", .range = {0, 2}, .want = "012"},
      {.name = "across slices", .range = {5, 6}, .want = "56"},
      {.name = "within a slice", .range = {4, 4}, .want = "4"},
      {.name = "from a slice's start", .range = {1, 2}, .want = "12"},
      {.name = "a part to its end", .range = {4, 6}, .want = "456"},
      {.name = "last", .range = {9, 9}, .want = "9"},
      {.name = "into a hole", .range = {2, 3}, .want = ""},
      {.name = "out of a hole", .range = {3, 4}, .want = ""},
      {.name = "across a hole", .range = {0, 6}, .want = ""},
      {.name = "past the end", .range = {9, 10}, .want = ""},
      {.name = "beyond", .range = {20, 30}, .want = ""},
      {.name = "far beyond", .range = {0, UINT64_MAX}, .want = ""},
      {.name = "inverted", .range = {2, 1}, .want = ""},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      BOOST_TEST(text_of(object->slices_of(row.range)) == row.want);
    }
  }
}

BOOST_AUTO_TEST_CASE(slices_share_the_body) {
  MemoryBudget budget(1 << 20);
  const auto object = Object::create(budget, init_of({part(budget, 0, {"hello"})}, 5));
  const SliceChain slices = object->slices_of({1, 3});
  BOOST_REQUIRE(slices.size() == 1U);
  BOOST_TEST((slices[0].data() == object->body()[0].data() + 1));
}

BOOST_AUTO_TEST_CASE(everything_is_charged_until_the_last_reference) {
  MemoryBudget budget(1 << 20);
  {
    auto init = init_of({part(budget, 0, {std::string(10'000, 'x')})}, 10'000);
    init.headers.add("X-Large", std::string(3'000, 'h'));
    const std::size_t body = budget.used_bytes();
    auto object = Object::create(budget, std::move(init));
    // The field stands in the map and in the head block.
    BOOST_TEST(budget.used_bytes() >= body + 2 * 3'000);
    BOOST_TEST(object->charged_bytes() >= budget.used_bytes());
    BOOST_TEST(object->charged_bytes() <= budget.used_bytes() + 200);
    BOOST_TEST(object->eviction().size_bytes == object->charged_bytes());
    BOOST_TEST(object->eviction().key_hash == 7U);
    BOOST_TEST(&Object::of(object->eviction()) == object.get());
  }
  BOOST_TEST(budget.used_bytes() == 0U);
}

BOOST_AUTO_TEST_CASE(tags_are_charged) {
  MemoryBudget budget(1 << 20);
  const auto without = Object::create(budget, init_of({}, 0));
  auto init = init_of({}, 0);
  for (int i = 0; i < 64; ++i) init.tags.push_back(std::string(120, 't') + std::to_string(i));
  const std::size_t before = budget.used_bytes();
  const auto object = Object::create(budget, std::move(init));
  BOOST_TEST(object->tags().size() == 64U);
  BOOST_TEST(object->charged_bytes() >= without->charged_bytes() + std::size_t{64} * (120 + sizeof(std::string)));
  BOOST_TEST(budget.used_bytes() - before + cache::kIndexNodeBytes == object->charged_bytes());
}

BOOST_AUTO_TEST_CASE(a_copy_with_another_freshness) {
  MemoryBudget budget(1 << 20);
  auto init = init_of({part(budget, 0, {"hello"})}, 5);
  init.headers.add("ETag", "\"x\"");
  init.tags = {"a", "b"};
  init.purge_epoch = 3;
  init.fetch_ms = 17;
  init.share = make_ref<cache::ShareGroup>();
  init.freshness.lifetime = Seconds{60};
  init.freshness.stale_while_revalidate = Seconds{30};
  const auto object = Object::create(budget, std::move(init));
  BOOST_TEST(object->refresh().try_pass(MonoTime{1}, Millis{1'000}));
  policy::Freshness freshness = object->freshness();
  freshness.lifetime = Seconds{7};
  const auto copy = object->with_freshness(budget, freshness, 9);
  BOOST_TEST(copy->freshness().lifetime.count() == 7);
  BOOST_TEST(copy->freshness().stale_while_revalidate.count() == 30);
  BOOST_TEST(copy->purge_epoch() == 9U);
  BOOST_TEST(object->purge_epoch() == 3U);
  BOOST_TEST((copy->body()[0].data() == object->body()[0].data()));
  BOOST_TEST(copy->head_block() == object->head_block());
  BOOST_TEST(copy->key() == object->key());
  BOOST_TEST(copy->tags() == object->tags(), boost::test_tools::per_element());
  BOOST_TEST(copy->fetch_ms() == 17U);
  BOOST_TEST((copy->share() == object->share()));
  // Its gate is its own.
  BOOST_TEST(copy->refresh().try_pass(MonoTime{1}, Millis{1'000}));
}

BOOST_AUTO_TEST_CASE(spare_capacity_is_not_kept) {
  MemoryBudget budget(1 << 20);
  auto init = init_of({}, 0);
  init.key.reserve(50'000);
  init.headers.reserve(50'000, 1'000);
  init.trailers.reserve(50'000, 1'000);
  init.headers.add("A", "b");
  const auto object = Object::create(budget, std::move(init));
  BOOST_TEST(object->charged_bytes() < 3'000U);
  BOOST_TEST(object->headers().find("a").value() == "b");
}

BOOST_AUTO_TEST_CASE(a_segment_counts_once) {
  MemoryBudget budget(1 << 20);
  const Slice whole = Slice::copy_of(&budget, std::string(50'000, 'x'));
  Part head{.first = 0, .size = 100, .slices = {whole.subslice(0, 50), whole.subslice(50, 50)}};
  Part tail{.first = 200, .size = 100, .slices = {whole.subslice(200, 100)}};
  const auto object = Object::create(budget, init_of({head, tail}, 50'000));
  BOOST_TEST(object->charged_bytes() > 50'000U);
  BOOST_TEST(object->charged_bytes() < 60'000U);
}

BOOST_AUTO_TEST_CASE(variant_set_holds_its_objects) {
  MemoryBudget budget(1 << 20);
  {
    auto a = Object::create(budget, init_of({}, 0));
    const auto b = Object::create(budget, init_of({}, 0));
    const std::size_t before = budget.used_bytes();
    const auto set = VariantSet::create(budget, std::vector<Ref<Object>>{b, a});
    BOOST_TEST(budget.used_bytes() > before);
    BOOST_TEST(a->ref_count() == 2U);
    BOOST_TEST(set->variants()[0].get() == b.get());
    BOOST_TEST(set->key() == a->key());
    BOOST_TEST(set->hash() == 7U);
    a = nullptr;
    BOOST_TEST(set->variants()[1]->ref_count() == 1U);
  }
  BOOST_TEST(budget.used_bytes() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
