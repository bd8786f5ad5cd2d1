// Rules by themselves: what matches, which one wins, what becomes of retired ones, and where the list ends.
#include "cache/purge_list.h"

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/rng.h"

namespace {

using namespace seawall;
using cache::PurgeKind;
using cache::PurgeList;
using cache::PurgeRule;

PurgeRule prefix(std::string text, bool is_soft = false, std::int64_t at = 0) {
  return {.kind = PurgeKind::kPrefix, .text = std::move(text), .is_soft = is_soft, .at = WallTime{at}};
}
PurgeRule tag(std::string text, bool is_soft = false, std::int64_t at = 0) {
  return {.kind = PurgeKind::kTag, .text = std::move(text), .is_soft = is_soft, .at = WallTime{at}};
}

// "-", "hard", or "soft" and its time.
std::string match(const PurgeList& list, std::uint64_t seen, std::string_view key,
                  const std::vector<std::string>& tags = {}) {
  const auto m = list.match(seen, key, tags);
  if (!m) return "-";
  return m->is_soft ? "soft " + std::to_string(m->at.unix_ms) : "hard";
}

// As many rules as are not merged.
constexpr std::size_t kOrdinary = PurgeList::kMaxRules - 4;

}  // namespace

BOOST_AUTO_TEST_SUITE(cache_purge_list)

BOOST_AUTO_TEST_CASE(nothing_matches_an_empty_list) {
  PurgeList list;
  BOOST_TEST(list.epoch() == 0U);
  BOOST_TEST(list.size() == 0U);
  BOOST_TEST(match(list, 0, "http://a/", {"t"}) == "-");
}

BOOST_AUTO_TEST_CASE(what_matches) {
  struct Row {
    std::string name;
    PurgeRule rule;
    std::string key = "http://a/b/c";
    std::vector<std::string> tags{};
    std::string want = "-";
  };
  const std::vector<Row> rows = {
      {.name = "a prefix", .rule = prefix("http://a/b"), .want = "hard"},
      {.name = "the whole key", .rule = prefix("http://a/b/c"), .want = "hard"},
      {.name = "longer than the key", .rule = prefix("http://a/b/c/")},
      {.name = "not from the start", .rule = prefix("a/b")},
      {.name = "every key", .rule = prefix(""), .want = "hard"},
      {.name = "a prefix is no tag", .rule = prefix("t"), .tags = {"t"}},
      {.name = "a tag", .rule = tag("t"), .tags = {"s", "t"}, .want = "hard"},
      {.name = "part of a tag", .rule = tag("t"), .tags = {"tt"}},
      {.name = "a tag has case", .rule = tag("t"), .tags = {"T"}},
      {.name = "a tag is no prefix", .rule = tag("http://a/b/c")},
      {.name = "any tag", .rule = tag(""), .tags = {"t"}, .want = "hard"},
      {.name = "any tag, and there is none", .rule = tag("")},
      {.name = "soft", .rule = prefix("http://a/", true, 7), .want = "soft 7"},
      {.name = "a soft tag", .rule = tag("t", true, 8), .tags = {"t"}, .want = "soft 8"},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      PurgeList list;
      BOOST_TEST(list.add(row.rule) == 1U);
      BOOST_TEST(list.epoch() == 1U);
      BOOST_TEST(match(list, 0, row.key, row.tags) == row.want);
      BOOST_TEST(match(list, 1, row.key, row.tags) == "-");
    }
  }
}

BOOST_AUTO_TEST_CASE(younger_rules_only_and_a_hard_one_wins) {
  PurgeList list;
  list.add(prefix("http://a/", true, 10));
  list.add(tag("t", true, 20));
  list.add(prefix("http://a/b"));
  list.add(prefix("http://a/", true, 40));
  BOOST_TEST(match(list, 0, "http://a/x") == "soft 10");
  BOOST_TEST(match(list, 1, "http://a/x") == "soft 40");
  BOOST_TEST(match(list, 0, "http://a/x", {"t"}) == "soft 10");
  BOOST_TEST(match(list, 1, "http://a/x", {"t"}) == "soft 20");
  BOOST_TEST(match(list, 0, "http://a/b", {"t"}) == "hard");
  BOOST_TEST(match(list, 2, "http://a/b") == "hard");
  BOOST_TEST(match(list, 3, "http://a/b") == "soft 40");
  BOOST_TEST(match(list, 4, "http://a/b", {"t"}) == "-");
}

BOOST_AUTO_TEST_CASE(a_hard_rule_replaces_what_it_covers) {
  PurgeList list;
  list.add(prefix("http://a/b", true, 1));
  list.add(prefix("http://a/c"));
  list.add(prefix("http://b/"));
  list.add(tag("t"));
  list.add(prefix("http://a/"));
  BOOST_TEST(list.size() == 3U);
  list.add(tag("t"));
  BOOST_TEST(list.size() == 3U);
  // A soft one replaces none: what was stale stays stale since then.
  list.add(tag("t", true, 5));
  list.add(tag("t", true, 6));
  BOOST_TEST(list.size() == 5U);
  BOOST_TEST(match(list, 0, "http://a/b") == "hard");
  BOOST_TEST(match(list, 0, "http://b/") == "hard");
  BOOST_TEST(match(list, 6, "http://c/", {"t"}) == "soft 5");
}

BOOST_AUTO_TEST_CASE(a_retired_rule_still_meets_what_comes_late) {
  PurgeList list;
  list.add(prefix("http://a/"));
  list.add(prefix("http://b/"));
  list.retire(1);
  BOOST_TEST(list.size() == 1U);
  list.retire(0);
  BOOST_TEST(list.size() == 1U);
  // Not what is yet to come.
  list.retire(100);
  BOOST_TEST(list.size() == 0U);
  list.add(prefix("http://c/"));
  BOOST_TEST(list.size() == 1U);
  BOOST_TEST(match(list, 0, "http://a/") == "hard");
  BOOST_TEST(match(list, 0, "http://d/") == "-");
}

BOOST_AUTO_TEST_CASE(what_has_not_met_a_forgotten_rule_counts_as_purged) {
  PurgeList list;
  for (std::size_t i = 0; i < kOrdinary; ++i) list.add(prefix("http://" + std::to_string(i) + "/", true, 9));
  BOOST_TEST(match(list, 0, "http://x/") == "-");
  list.retire(2);
  list.add(prefix("http://new/"));
  BOOST_TEST(match(list, 0, "http://x/") == "hard");
  BOOST_TEST(match(list, 1, "http://x/") == "-");
  BOOST_TEST(match(list, 1, "http://1/") == "soft 9");
  list.add(prefix("http://newer/"));
  BOOST_TEST(match(list, 1, "http://x/") == "hard");
  BOOST_TEST(match(list, 2, "http://x/") == "-");
  BOOST_TEST(match(list, 2, "http://5/") == "soft 9");
  BOOST_TEST(list.size() == kOrdinary);
}

BOOST_AUTO_TEST_CASE(one_rule_too_many_covers_all_of_its_kind) {
  for (const bool is_soft : {false, true}) {
    BOOST_TEST_CONTEXT("soft " << is_soft) {
      PurgeList list;
      list.add(tag("t", is_soft, 3));
      for (std::size_t i = 1; i < kOrdinary; ++i) {
        list.add(prefix("http://" + std::to_string(i) + "/", is_soft, static_cast<std::int64_t>(100 + i)));
      }
      BOOST_TEST(list.size() == kOrdinary);
      const std::uint64_t before = list.epoch();
      list.add(prefix("http://new/", is_soft, 5'000));
      BOOST_TEST(list.size() == 2U);
      const std::string any = is_soft ? "soft 101" : "hard";
      BOOST_TEST(match(list, 0, "http://new/") == any);
      BOOST_TEST(match(list, 0, "http://17/") == any);
      BOOST_TEST(match(list, before, "http://never/purged") == any);
      BOOST_TEST(match(list, list.epoch(), "http://new/") == "-");
      BOOST_TEST(match(list, 0, "http://17/", {"t"}) == (is_soft ? "soft 3" : "hard"));
    }
  }
}

BOOST_AUTO_TEST_CASE(merged_rules_make_room_again) {
  PurgeList list;
  for (std::size_t i = 0; i < kOrdinary; ++i) list.add(tag("t" + std::to_string(i)));
  list.add(tag("t", true));
  list.add(prefix("http://a/", true));
  list.add(prefix("http://b/"));
  // Merged, the hard one covers the soft one before it.
  BOOST_TEST(list.size() == kOrdinary + 2);
  list.retire(list.epoch());
  const std::uint64_t before = list.epoch();
  list.add(prefix("http://c/"));
  BOOST_TEST(match(list, before, "http://c/") == "hard");
  BOOST_TEST(match(list, before, "http://d/") == "-");
}

// Against a list that is never cut: what matches there matches here, a hard purge as a hard one, and what is stale here
// has not been so for less time. As long as nothing is cut, both say the same.
BOOST_AUTO_TEST_CASE(bounded_and_never_too_lenient) {
  Rng rng(5);
  for (int round = 0; round < 4; ++round) {
    PurgeList list;
    std::vector<PurgeRule> all;
    bool is_cut = false;
    for (std::size_t step = 0; step < 3'000; ++step) {
      PurgeRule rule;
      rule.kind = rng.below(2) == 0 ? PurgeKind::kPrefix : PurgeKind::kTag;
      rule.text = std::to_string(rng.below(100'000) + 1);
      rule.is_soft = rng.below(4) != 0;
      rule.at = WallTime{static_cast<std::int64_t>(step)};
      rule.epoch = list.add(rule);
      BOOST_REQUIRE(rule.epoch == all.size() + 1);
      all.push_back(rule);
      if (round > 0 && rng.below(300) == 0) list.retire(rng.below(all.size()));
      BOOST_REQUIRE_LE(list.size(), PurgeList::kMaxRules);
      is_cut = is_cut || step >= kOrdinary;

      const PurgeRule& probe = all[rng.below(all.size())];
      const std::uint64_t seen = rng.below(all.size() + 1);
      const std::string key = probe.kind == PurgeKind::kPrefix ? probe.text : "x";
      const std::vector<std::string> tags = {probe.kind == PurgeKind::kTag ? probe.text : "x"};
      std::optional<PurgeList::Match> want;
      for (const PurgeRule& r : all) {
        if (r.epoch <= seen || (want && r.is_soft)) continue;
        const bool is_match = r.kind == PurgeKind::kPrefix ? key.starts_with(r.text) : r.text == tags[0];
        if (is_match && (!want || want->is_soft)) want = PurgeList::Match{.is_soft = r.is_soft, .at = r.at};
      }
      const auto got = list.match(seen, key, tags);
      if (!is_cut) BOOST_REQUIRE(got.has_value() == want.has_value());
      if (!want) continue;
      BOOST_REQUIRE(got.has_value());
      if (!want->is_soft) BOOST_REQUIRE(!got->is_soft);
      if (got->is_soft) BOOST_REQUIRE(got->at <= want->at);
      if (!is_cut) BOOST_REQUIRE(got->is_soft == want->is_soft);
    }
  }
}

BOOST_AUTO_TEST_CASE(whoever_sees_an_epoch_finds_its_rule) {
  PurgeList list;
  std::atomic<bool> is_done = false;
  std::atomic<int> missed = 0;
  {
    const std::jthread reader([&] {
      while (!is_done.load()) {
        const std::uint64_t epoch = list.epoch();
        if (epoch > 0 && !list.match(epoch - 1, std::to_string(epoch) + "/", {})) ++missed;
      }
    });
    for (std::size_t i = 1; i <= 3'000; ++i) {
      list.add(prefix(std::to_string(i) + "/"));
      if (i % 100 == 0) list.retire(i - 50);
    }
    is_done = true;
  }
  BOOST_TEST(missed == 0);
}

// Rules that are kept elsewhere must not make hits look through these, nor a sweep begin again.
BOOST_AUTO_TEST_CASE(an_epoch_of_elsewhere_is_no_rule) {
  PurgeList list;
  const std::uint64_t rule = list.add({.kind = PurgeKind::kTag, .text = "red", .at = {}});
  list.advance(rule + 1);
  BOOST_TEST(list.rule_epoch() == rule);
  BOOST_TEST(list.epoch() == rule + 1);
  BOOST_TEST(list.add({.kind = PurgeKind::kTag, .text = "blue", .at = {}}) == rule + 2);
  BOOST_TEST(list.rule_epoch() == rule + 2);
}

BOOST_AUTO_TEST_SUITE_END()
