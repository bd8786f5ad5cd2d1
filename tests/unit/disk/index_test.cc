#include "disk/index.h"

#include <boost/test/unit_test.hpp>
#include <map>
#include <tuple>

#include "base/rng.h"

namespace {

using namespace seawall;
using namespace seawall::disk;

struct Buried final : Undertaker {
  std::vector<std::pair<std::size_t, JournalEntry>> all;
  void bury(std::size_t volume, const JournalEntry& e) override { all.emplace_back(volume, e); }
};

struct Fixture {
  Buried buried;
  MemoryBudget budget{1 << 30};
  Groups groups{std::vector<VolumeOptions>(4, {.path = {}, .capacity_bytes = 1 << 30})};
  Index index{buried, groups, &budget};

  static Meta meta(std::uint64_t hash, std::uint64_t variant = 0) {
    Meta m;
    m.hash = hash, m.variant = variant;
    return m;
  }
  static Entry entry(const PendingPut& put, const Meta& m, std::uint64_t offset = 4096) {
    Entry e;
    e.hash = m.hash, e.variant = m.variant, e.sequence = put.sequence, e.offset = offset, e.stored_bytes = 600;
    e.usable_until = 1000, e.body_class = body_class_of(500);
    return e;
  }
  std::uint64_t put(const Meta& m, std::uint16_t slot = 0, std::uint64_t offset = 4096) {
    const auto pending = index.begin_put(m, volume_of(slot));
    BOOST_TEST(index.settle(*pending, entry(*pending, m, offset), slot));
    return pending->sequence;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(disk_index, Fixture)

BOOST_AUTO_TEST_CASE(variants_stand_side_by_side_and_expired_ones_are_left_out) {
  put(meta(1, 0));
  put(meta(1, 5));
  BOOST_TEST(index.find(1, 999).size() == 2U);
  BOOST_TEST(index.find(1, 999)[0].variant == 5U);
  BOOST_TEST(index.find(1, 1000).empty());
  BOOST_TEST(index.find(2, 0).empty());
}

BOOST_AUTO_TEST_CASE(what_is_replaced_is_buried_where_it_lies) {
  const std::uint16_t there = 2 << kSlotBits;
  put(meta(1), there);
  BOOST_TEST(buried.all.empty());
  const std::uint64_t younger = put(meta(1), 0);
  BOOST_TEST_REQUIRE(buried.all.size() == 1U);
  BOOST_TEST(buried.all[0].first == 2U);
  BOOST_TEST(buried.all[0].second.sequence == younger);
  BOOST_TEST(index.find(1, 0).size() == 1U);
}

BOOST_AUTO_TEST_CASE(an_erase_takes_what_is_on_its_way_with_it) {
  const Meta m = meta(1);
  const auto pending = index.begin_put(m, 3);
  BOOST_TEST(index.erase(1, std::nullopt) == 1U);
  BOOST_TEST_REQUIRE(buried.all.size() == 1U);
  BOOST_TEST(buried.all[0].first == 3U);
  BOOST_TEST(buried.all[0].second.every_variant);
  BOOST_TEST(!index.settle(*pending, entry(*pending, m), 3 << kSlotBits));
  BOOST_TEST(index.find(1, 0).empty());
}

BOOST_AUTO_TEST_CASE(what_is_of_no_use_and_what_is_to_be_replaced_are_not_counted_as_erased) {
  put(meta(1));
  BOOST_TEST(index.erase(1, std::nullopt, 1000) == 0U);
  put(meta(1));
  put(meta(1, 5));
  const auto stream = index.begin_stream(meta(1, 5), 0);
  BOOST_TEST(index.erase(1, std::nullopt, 999) == 2U);
  index.abandon(*stream);
}

BOOST_AUTO_TEST_CASE(a_stream_replaces_when_it_is_finished_and_dies_of_a_later_put) {
  put(meta(1));
  const auto stream = index.begin_stream(meta(1), 0);
  BOOST_TEST(index.find(1, 0).size() == 1U);
  BOOST_TEST(index.finish_stream(*stream));
  BOOST_TEST(index.find(1, 0).empty());
  const auto late = index.begin_stream(meta(1), 0);
  put(meta(1));
  BOOST_TEST(!index.finish_stream(*late));
}

BOOST_AUTO_TEST_CASE(what_is_loaded_gives_way_to_what_was_done_meanwhile) {
  JournalEntry dead;
  dead.hash = 4, dead.sequence = 50;
  index.start(100, 1, {&dead, 1});
  const auto loaded = [&](std::uint64_t hash, std::uint64_t sequence) {
    Entry e;
    e.hash = hash, e.sequence = sequence, e.offset = 4096, e.stored_bytes = 600, e.usable_until = 1000;
    return index.load(e, 0);
  };
  put(meta(1));
  index.erase(2, std::nullopt);
  BOOST_TEST(buried.all.size() == 2U);  // nobody knows yet whether there is something to bury
  BOOST_TEST(!loaded(1, 10));
  BOOST_TEST(!loaded(2, 10));
  BOOST_TEST(loaded(3, 10));
  BOOST_TEST(!loaded(3, 9));
  BOOST_TEST(loaded(3, 11));
  BOOST_TEST(!loaded(4, 49));
  BOOST_TEST(loaded(4, 51));
  index.loaded(0);
  BOOST_TEST(!index.is_loading());
  BOOST_TEST(index.size() == 3U);
}

BOOST_AUTO_TEST_CASE(all_it_holds_is_charged) {
  const std::size_t other = budget.used_bytes();
  put(meta(1));
  const std::size_t plain = budget.used_bytes() - other;
  BOOST_TEST(plain > 0U);
  BOOST_TEST(plain == index.bytes());
  const auto pending = index.begin_put(meta(2, 7), 0);
  BOOST_TEST(budget.used_bytes() - other > plain);
  BOOST_TEST(index.settle(*pending, entry(*pending, meta(2, 7)), 0));
  const std::size_t with_variant = budget.used_bytes() - other;
  BOOST_TEST(with_variant > plain);
  BOOST_TEST(with_variant == index.bytes());
  const auto stream = index.begin_stream(meta(1), 0);
  BOOST_TEST(budget.used_bytes() - other > with_variant);
  index.abandon(*stream);
  BOOST_TEST(budget.used_bytes() - other == with_variant);
  index.erase(2, std::nullopt);
  BOOST_TEST(budget.used_bytes() - other < with_variant);
}

BOOST_AUTO_TEST_CASE(what_is_dead_while_volumes_load_is_charged_until_then) {
  const std::size_t other = budget.used_bytes();
  {
    Index loading(buried, groups, &budget);
    JournalEntry dead;
    dead.hash = 5, dead.sequence = 50;
    loading.start(100, 1, std::vector<JournalEntry>(10, dead));
    const std::size_t at_first = budget.used_bytes();
    BOOST_TEST(at_first > other);
    loading.erase(5, std::nullopt);
    BOOST_TEST(budget.used_bytes() > at_first);
    loading.loaded(0);
    BOOST_TEST(budget.used_bytes() == other);
    loading.abandon(*loading.begin_put(meta(3), 0));
    std::ignore = loading.begin_put(meta(4), 0);
  }
  BOOST_TEST(budget.used_bytes() == other);
}

BOOST_AUTO_TEST_CASE(what_was_written_again_is_covered_by_a_tombstone_that_came_in_between) {
  const std::uint64_t old = put(meta(1));
  const auto number = index.renumber(1, old, 0);
  BOOST_TEST_REQUIRE(number.has_value());
  index.forget(1, old);
  BOOST_TEST_REQUIRE(buried.all.size() == 1U);
  BOOST_TEST(buried.all[0].second.sequence > *number);
  Entry e;
  e.hash = 1, e.sequence = *number, e.offset = 4096;
  BOOST_TEST(!index.move(old, e, 1));
}

BOOST_AUTO_TEST_CASE(what_a_stream_is_about_to_replace_does_not_become_younger_than_it) {
  const std::uint64_t old = put(meta(1));
  const auto stream = index.begin_stream(meta(1), 0);
  BOOST_TEST(!index.renumber(1, old, 0).has_value());
  index.abandon(*stream);
  BOOST_TEST(index.renumber(1, old, 0).has_value());
}

BOOST_AUTO_TEST_CASE(what_a_group_has_is_counted_as_it_comes_and_goes) {
  constexpr std::uint32_t kLabel = 77;
  const std::uint16_t group = groups.number_of(kLabel);
  const auto used = [&](std::size_t volume = 0) { return groups.used_bytes(volume, group); };
  const auto add = [&](std::uint64_t hash, std::uint16_t slot, RecordKind kind) {
    const auto pending = index.begin_put(meta(hash), volume_of(slot));
    Entry e = entry(*pending, meta(hash));
    e.kind = kind, e.group = kLabel;
    BOOST_TEST(index.settle(*pending, e, slot));
    return e;
  };
  const Entry first = add(1, 0, RecordKind::kWhole);
  BOOST_TEST(used() == 1024U);  // 600 bytes, in units of 512
  const Entry streamed = add(2, 0, RecordKind::kFinal);
  BOOST_TEST(used() == 2 * 1024U + 512U);  // and its body
  BOOST_TEST(Index::group_bytes(streamed) == 1024U + 512U);
  put(meta(9));
  BOOST_TEST(used() == 2 * 1024U + 512U);
  const auto standing = index.standing(1, first.sequence, 0);
  BOOST_TEST_REQUIRE(standing.has_value());
  BOOST_TEST(standing->group == group);
  BOOST_TEST(standing->bytes == 1024U);
  BOOST_TEST(!standing->is_used);
  BOOST_TEST(!index.standing(1, first.sequence, 1));
  std::size_t labelled = 0;
  index.collect(0, [&](std::uint16_t, const Entry& e) { labelled += e.group == kLabel ? 1 : 0; });
  BOOST_TEST(labelled == 2U);
  add(1, 3 << kSlotBits, RecordKind::kWhole);  // replaces the first on another volume
  BOOST_TEST(used() == 1024U + 512U);
  BOOST_TEST(used(3) == 1024U);
  BOOST_TEST(index.forget(2, streamed.sequence));
  BOOST_TEST(!index.forget(2, streamed.sequence));
  BOOST_TEST(used() == 0U);
  index.drop_volume(3);
  BOOST_TEST(used(3) == 0U);
}

BOOST_AUTO_TEST_CASE(it_agrees_with_a_map_under_any_operations) {
  Rng rng(3);
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint64_t> model;
  for (int i = 0; i < 60'000; ++i) {
    const std::uint64_t hash = rng.below(3'000);
    const std::uint64_t variant = rng.below(4) == 0 ? rng.below(3) : 0;
    const auto slot = static_cast<std::uint16_t>(rng.below(20));
    switch (rng.below(12)) {
      case 0:
        index.erase(hash, std::nullopt);
        std::erase_if(model, [&](const auto& kv) { return kv.first.first == hash; });
        break;
      case 1: {
        index.erase(hash, variant);
        model.erase({hash, variant});
        break;
      }
      default: model[{hash, variant}] = put(meta(hash, variant), slot, 4096 + rng.below(1000) * 16); break;
    }
  }
  BOOST_TEST(index.size() == model.size());
  for (const auto& [id, sequence] : model) {
    bool found = false;
    for (const Candidate& c : index.find(id.first, 0)) found |= c.variant == id.second && c.sequence == sequence;
    BOOST_TEST_REQUIRE(found);
  }
  std::size_t dropped = 0;
  for (std::uint16_t slot = 0; slot < 20; ++slot) dropped += index.drop_segment(slot, nullptr);
  BOOST_TEST(dropped == model.size());
  BOOST_TEST(index.size() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
