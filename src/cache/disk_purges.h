// The purges by prefix and tag, and the soft ones by URL, that records on disk have yet to be held against. Unlike the
// store's rules (PurgeList) nothing sweeps records by key, so these stay for long, and a look-up costs the same however
// many there are. They are written to the tier's journal and read back from it at start. Thread: any.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "cache/purge_list.h"
#include "mem/budget.h"

namespace seawall::disk {
struct Note;
struct Revisit;
}  // namespace seawall::disk

namespace seawall::cache {

class DiskPurges {
 public:
  // Kinds of notes in the journal: a rule, as encode() has it; what is older than its epoch counts as purged.
  static constexpr std::uint8_t kPurgeNote = 1;
  static constexpr std::uint8_t kForgottenNote = 2;
  static constexpr std::size_t kRuleBytes = 160;  // of a rule, beside its text

  // Past `max_bytes`, which are charged, the oldest are forgotten, and what is older than those counts as purged. URLs
  // have a quarter of that: past it the older half of them becomes one soft rule for everything.
  DiskPurges(MemoryBudget& budget, std::size_t max_bytes) : budget_(budget), max_bytes_(max_bytes) {}

  struct Added {
    WallTime at;                             // since when the rule is in force, earlier ones of its text included
    std::optional<std::uint64_t> forgotten;  // up to where rules have been forgotten for it
    std::optional<PurgeRule> merged;         // what the older half of the URLs has become
  };
  // In force when it returns. `rule.epoch` is set.
  Added add(const PurgeRule& rule);
  // As a former process did: what is older than that counts as purged.
  void forget_until(std::uint64_t epoch);
  // What a journal has kept; notes of other kinds are passed over.
  void replay(const disk::Note& note);
  // The epoch of the youngest rule, or what was given to begin_at(). What was held against match() with an epoch that
  // was read before has met every rule up to that.
  std::uint64_t epoch() const { return epoch_.load(std::memory_order_acquire); }
  void begin_at(std::uint64_t epoch);

  // Whether a rule younger than `seen` matches. A hard one wins over a soft one.
  std::optional<PurgeList::Match> match(std::uint64_t seen, std::string_view key,
                                        std::span<const std::string> tags) const;

  // Whether a record may be served, if only stale: its head can be read, and no hard rule matches.
  bool lets_serve(const disk::Revisit& record) const;

  // As the journal keeps a rule. nullopt: not ours.
  static std::string encode(const PurgeRule& rule);
  static std::optional<PurgeRule> decode(std::string_view bytes);
  // Of an encoded rule: what those have in common of which the youngest stands for all. Empty: not ours.
  static std::string name_of(std::string_view bytes);

 private:
  // The youngest epoch of each.
  struct Marks {
    std::uint64_t hard = 0;
    std::uint64_t soft = 0;
    WallTime soft_at{};  // of the first: when freshness ends
  };
  using Table = std::map<std::string, Marks, std::less<>>;
  static std::uint64_t youngest_of(const Marks& marks) { return std::max(marks.hard, marks.soft); }
  // Of the rules in these, of which there is one at least.
  static std::uint64_t median_epoch(std::initializer_list<const Table*> tables);

  Table& table_of(PurgeKind kind) SW_REQUIRES(mutex_);
  std::uint64_t forget_some() SW_REQUIRES(mutex_);
  PurgeRule merge_urls() SW_REQUIRES(mutex_);
  void recharge() SW_REQUIRES(mutex_);

  MemoryBudget& budget_;
  const std::size_t max_bytes_;

  std::atomic<std::uint64_t> epoch_{0};
  mutable Mutex mutex_;
  Table prefixes_ SW_GUARDED_BY(mutex_);
  Table tags_ SW_GUARDED_BY(mutex_);
  Table urls_ SW_GUARDED_BY(mutex_);
  std::size_t url_bytes_ SW_GUARDED_BY(mutex_) = 0;
  std::uint64_t forgotten_ SW_GUARDED_BY(mutex_) = 0;
  std::size_t bytes_ SW_GUARDED_BY(mutex_) = 0;
  BudgetCharge charge_ SW_GUARDED_BY(mutex_);
};

}  // namespace seawall::cache
