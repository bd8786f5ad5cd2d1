// Purges by rule, for what is on disk.
#include "cache/disk_purges.h"

#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "cache/disk_record.h"
#include "disk/tier.h"

namespace seawall::cache {
namespace {

constexpr WallTime kAt = WallTime::from_unix_seconds(1'700'000'000);

constexpr std::size_t kMaxBytes = 64 << 10;

MemoryBudget& budget() {
  static MemoryBudget budget(1 << 20);
  return budget;
}

PurgeRule rule(PurgeKind kind, std::string text, std::uint64_t epoch, bool is_soft = false, WallTime at = kAt) {
  return {.kind = kind, .text = std::move(text), .is_soft = is_soft, .at = at, .epoch = epoch};
}

// "hard", "soft <seconds after kAt>", or "-".
std::string verdict(const DiskPurges& purges, std::uint64_t seen, std::string_view key,
                    const std::vector<std::string>& tags = {}) {
  const auto match = purges.match(seen, key, tags);
  if (!match) return "-";
  return match->is_soft ? "soft " + std::to_string((match->at - kAt).count() / 1000) : "hard";
}

BOOST_AUTO_TEST_SUITE(cache_disk_purges)

BOOST_AUTO_TEST_CASE(rules_are_for_what_is_older_and_matches) {
  DiskPurges purges(budget(), kMaxBytes);
  BOOST_TEST(verdict(purges, 0, "http://a.test/x") == "-");
  purges.add(rule(PurgeKind::kPrefix, "http://a.test/x", 5));
  purges.add(rule(PurgeKind::kTag, "red", 6));
  BOOST_TEST(purges.epoch() == 6U);
  BOOST_TEST(verdict(purges, 4, "http://a.test/x") == "hard");
  BOOST_TEST(verdict(purges, 4, "http://a.test/xyz") == "hard");
  BOOST_TEST(verdict(purges, 4, "http://a.test/") == "-");
  BOOST_TEST(verdict(purges, 5, "http://a.test/xyz") == "-");
  BOOST_TEST(verdict(purges, 5, "http://b.test/", {"blue", "red"}) == "hard");
  BOOST_TEST(verdict(purges, 5, "http://b.test/", {"blue"}) == "-");
  BOOST_TEST(verdict(purges, 6, "http://b.test/", {"red"}) == "-");
  // A tag is no prefix.
  BOOST_TEST(verdict(purges, 0, "red") == "-");
}

BOOST_AUTO_TEST_CASE(a_url_is_all_of_the_key) {
  DiskPurges purges(budget(), kMaxBytes);
  purges.add(rule(PurgeKind::kUrl, "http://a.test/x", 5, true));
  BOOST_TEST(verdict(purges, 4, "http://a.test/x") == "soft 0");
  BOOST_TEST(verdict(purges, 4, "http://a.test/xy") == "-");
  BOOST_TEST(verdict(purges, 5, "http://a.test/x") == "-");
}

// They may be many, and must not make other rules be forgotten, nor what they are not about be purged.
BOOST_AUTO_TEST_CASE(urls_past_their_share_become_a_soft_rule_for_everything) {
  DiskPurges purges(budget(), kMaxBytes);
  std::optional<PurgeRule> merged;
  for (std::uint64_t epoch = 1; epoch <= 1000; ++epoch) {
    const std::string key = "http://a.test/" + std::to_string(100'000 + epoch);
    const auto added = purges.add(rule(PurgeKind::kUrl, key, epoch, true, kAt + Millis(epoch * 1000)));
    BOOST_TEST(!added.forgotten.has_value());
    if (added.merged) merged = added.merged;
  }
  BOOST_TEST_REQUIRE(merged.has_value());
  BOOST_TEST(merged->is_soft);
  BOOST_TEST(merged->text == "");
  BOOST_TEST(verdict(purges, merged->epoch - 1, "http://b.test/") == "soft " + std::to_string(merged->epoch));
  BOOST_TEST(verdict(purges, merged->epoch, "http://b.test/") == "-");
  BOOST_TEST(verdict(purges, 999, "http://a.test/101000") == "soft 1000");
  BOOST_TEST(verdict(purges, 0, "http://a.test/100001") == "soft " + std::to_string(merged->epoch));
}

BOOST_AUTO_TEST_CASE(of_a_url_the_last_soft_purge_counts) {
  DiskPurges purges(budget(), kMaxBytes);
  purges.add(rule(PurgeKind::kUrl, "http://a.test/x", 5, true));
  purges.add(rule(PurgeKind::kUrl, "http://a.test/x", 6, true, kAt + Millis(7000)));
  BOOST_TEST(verdict(purges, 5, "http://a.test/x") == "soft 7");
}

BOOST_AUTO_TEST_CASE(an_empty_text_means_everything) {
  DiskPurges keys(budget(), kMaxBytes);
  keys.add(rule(PurgeKind::kPrefix, "", 5));
  BOOST_TEST(verdict(keys, 4, "http://a.test/") == "hard");
  DiskPurges tagged(budget(), kMaxBytes);
  tagged.add(rule(PurgeKind::kTag, "", 5));
  BOOST_TEST(verdict(tagged, 4, "http://a.test/") == "-");
  BOOST_TEST(verdict(tagged, 4, "http://a.test/", {"any"}) == "hard");
}

BOOST_AUTO_TEST_CASE(soft_rules_tell_since_when_and_hard_ones_win) {
  DiskPurges purges(budget(), kMaxBytes);
  purges.add(rule(PurgeKind::kPrefix, "http://a.test/", 5, true, kAt + Seconds{10}));
  purges.add(rule(PurgeKind::kTag, "red", 6, true, kAt + Seconds{3}));
  BOOST_TEST(verdict(purges, 4, "http://a.test/x") == "soft 10");
  BOOST_TEST(verdict(purges, 4, "http://a.test/x", {"red"}) == "soft 3");
  BOOST_TEST(verdict(purges, 5, "http://a.test/x", {"red"}) == "soft 3");
  // The same again: what was stale stays so since the first time.
  purges.add(rule(PurgeKind::kPrefix, "http://a.test/", 7, true, kAt + Seconds{20}));
  BOOST_TEST(verdict(purges, 4, "http://a.test/x") == "soft 10");
  BOOST_TEST(verdict(purges, 6, "http://a.test/x") == "soft 10");
  purges.add(rule(PurgeKind::kPrefix, "http://a.test/", 8));
  BOOST_TEST(verdict(purges, 7, "http://a.test/x") == "hard");
  purges.add(rule(PurgeKind::kPrefix, "http://a.test/", 9, true, kAt + Seconds{30}));
  BOOST_TEST(verdict(purges, 7, "http://a.test/x") == "hard");
  BOOST_TEST(verdict(purges, 8, "http://a.test/x") == "soft 30");
}

BOOST_AUTO_TEST_CASE(past_the_bound_the_oldest_are_forgotten_and_count_as_met_by_nobody) {
  for (const std::size_t text_bytes : {4U, 4000U}) {
    DiskPurges purges(budget(), kMaxBytes);
    std::optional<std::uint64_t> forgotten;
    std::uint64_t epoch = 0;
    for (; !forgotten && epoch < 1000; ++epoch) {
      std::string text = std::to_string(1000 + epoch);
      text.resize(text_bytes, '.');
      forgotten = purges.add(rule(PurgeKind::kTag, text, epoch + 1, epoch % 2 == 0)).forgotten;
      BOOST_TEST(budget().used_bytes() <= kMaxBytes);
    }
    BOOST_TEST_REQUIRE(forgotten.has_value());
    BOOST_TEST(epoch > kMaxBytes / (DiskPurges::kRuleBytes + text_bytes));
    // Whatever is older than a rule that is gone, whether that would have matched or not, and though it was soft.
    BOOST_TEST(verdict(purges, *forgotten - 1, "http://a.test/") == "hard");
    BOOST_TEST(verdict(purges, *forgotten, "http://a.test/") == "-");
    // And so in the next process.
    DiskPurges next(budget(), kMaxBytes);
    next.forget_until(*forgotten);
    BOOST_TEST(verdict(next, *forgotten - 1, "http://a.test/") == "hard");
    BOOST_TEST(next.epoch() == *forgotten);
  }
  BOOST_TEST(budget().used_bytes() == 0U);
}

BOOST_AUTO_TEST_CASE(a_soft_rule_tells_since_when_those_of_its_text_are_in_force) {
  DiskPurges purges(budget(), kMaxBytes);
  BOOST_TEST((purges.add(rule(PurgeKind::kTag, "red", 1, true, kAt)).at == kAt));
  BOOST_TEST((purges.add(rule(PurgeKind::kTag, "red", 2, true, kAt + Seconds{9})).at == kAt));
  BOOST_TEST((purges.add(rule(PurgeKind::kTag, "blue", 3, true, kAt + Seconds{9})).at == kAt + Seconds{9}));
  const auto name = [](const PurgeRule& r) { return DiskPurges::name_of(DiskPurges::encode(r)); };
  BOOST_TEST(name(rule(PurgeKind::kTag, "red", 1, true)) ==
             name(rule(PurgeKind::kTag, "red", 2, true, kAt + Millis{1})));
  BOOST_TEST(name(rule(PurgeKind::kTag, "red", 1, true)) != name(rule(PurgeKind::kTag, "red", 1)));
  BOOST_TEST(name(rule(PurgeKind::kTag, "red", 1)) != name(rule(PurgeKind::kPrefix, "red", 1)));
  BOOST_TEST(DiskPurges::name_of("other") == "");
}

BOOST_AUTO_TEST_CASE(epochs_go_on_from_a_former_process) {
  DiskPurges purges(budget(), kMaxBytes);
  purges.begin_at(40);
  BOOST_TEST(purges.epoch() == 40U);
  purges.add(rule(PurgeKind::kTag, "old", 7));
  BOOST_TEST(purges.epoch() == 40U);
  BOOST_TEST(verdict(purges, 6, "", {"old"}) == "hard");
}

BOOST_AUTO_TEST_CASE(rules_come_back_from_the_journal) {
  for (const PurgeRule& given : {rule(PurgeKind::kPrefix, "http://a.test/", 5), rule(PurgeKind::kTag, "", 1ULL << 50),
                                 rule(PurgeKind::kTag, "red\n", 6, true, kAt + Millis{1})}) {
    const std::string bytes = DiskPurges::encode(given);
    const auto back = DiskPurges::decode(bytes);
    BOOST_TEST_REQUIRE(back.has_value());
    BOOST_TEST((back->kind == given.kind));
    BOOST_TEST(back->text == given.text);
    BOOST_TEST(back->is_soft == given.is_soft);
    BOOST_TEST(back->at.unix_ms == given.at.unix_ms);
    BOOST_TEST(back->epoch == given.epoch);
  }
  const std::string bytes = DiskPurges::encode(rule(PurgeKind::kTag, "", 5));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    BOOST_TEST(!DiskPurges::decode(bytes.substr(0, size)).has_value(), size);
  }
  for (const std::size_t at : {0U, 1U}) {
    std::string other = bytes;
    other[at] = 9;
    BOOST_TEST(!DiskPurges::decode(other).has_value(), at);
  }
}

BOOST_AUTO_TEST_CASE(what_a_journal_has_kept_says_what_may_be_served) {
  Object::Init init;
  init.tags = {"red"};
  const std::string head = encode_head(*Object::create(budget(), std::move(init)));
  const auto note = [](const PurgeRule& rule) {
    return disk::Note{.kind = DiskPurges::kPurgeNote, .epoch = rule.epoch, .payload = DiskPurges::encode(rule)};
  };
  struct Row {
    const char* name;
    disk::Note note;
    bool serves;
  };
  const Row rows[] = {
      {"its tag", note(rule(PurgeKind::kTag, "red", 5)), false},
      {"its prefix", note(rule(PurgeKind::kPrefix, "http://a.test/", 5)), false},
      {"softly", note(rule(PurgeKind::kTag, "red", 5, true)), true},
      {"before it was fetched", note(rule(PurgeKind::kTag, "red", 4)), true},
      {"another tag", note(rule(PurgeKind::kTag, "blue", 5)), true},
      {"forgotten rules", {.kind = DiskPurges::kForgottenNote, .epoch = 5, .payload = {}}, false},
      {"not ours", {.kind = DiskPurges::kPurgeNote, .epoch = 5, .payload = "?"}, true},
      {"of another kind", {.kind = 9, .epoch = 5, .payload = note(rule(PurgeKind::kTag, "red", 5)).payload}, true},
  };
  for (const Row& row : rows) {
    DiskPurges purges(budget(), kMaxBytes);
    purges.replay(row.note);
    BOOST_TEST(purges.lets_serve({.key = "http://a.test/x", .head = head, .purge_epoch = 4}) == row.serves, row.name);
  }
  BOOST_TEST(!DiskPurges(budget(), kMaxBytes).lets_serve({.key = "http://a.test/x", .head = "?", .purge_epoch = 4}));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::cache
