#include "cache/purge_list.h"

#include <algorithm>
#include <utility>

namespace seawall::cache {
namespace {

// Places kept for the rules that others are merged into: a prefix and a tag, a hard and a soft one of each.
constexpr std::size_t kMergedRules = 4;
constexpr std::size_t kMaxOrdinaryRules = PurgeList::kMaxRules - kMergedRules;

bool matches(const PurgeRule& rule, std::string_view key, std::span<const std::string> tags) {
  if (rule.kind == PurgeKind::kPrefix) return key.starts_with(rule.text);
  if (rule.text.empty()) return !tags.empty();
  return std::ranges::find(tags, rule.text) != tags.end();
}

// Whether everything that `older` does to an object is done by `younger` as well. A soft rule covers none: what
// matched the older one has been stale for longer.
bool covers(const PurgeRule& younger, const PurgeRule& older) {
  if (younger.is_soft || younger.kind != older.kind) return false;
  if (younger.kind == PurgeKind::kPrefix) return older.text.starts_with(younger.text);
  return younger.text.empty() || younger.text == older.text;
}

}  // namespace

void PurgeList::begin_at(std::uint64_t epoch) {
  MutexLock lock(mutex_);
  epoch_.store(std::max(epoch_.load(std::memory_order_relaxed), epoch), std::memory_order_release);
}

std::uint64_t PurgeList::add(PurgeRule rule) {
  std::shared_ptr<const Rules> old;  // freed after the lock
  MutexLock lock(mutex_);
  auto next = rules_ ? std::make_shared<Rules>(*rules_) : std::make_shared<Rules>();
  const std::uint64_t epoch = epoch_.load(std::memory_order_relaxed) + 1;
  rule.epoch = epoch;
  std::erase_if(next->by_epoch, [&](const PurgeRule& older) { return covers(rule, older); });
  if (next->by_epoch.size() >= kMaxOrdinaryRules) make_room(*next, rule, retired_);
  next->by_epoch.push_back(std::move(rule));
  old = std::exchange(rules_, std::move(next));
  // Whoever sees the epoch finds the rule.
  epoch_.store(epoch, std::memory_order_release);
  rule_epoch_.store(epoch, std::memory_order_release);
  return epoch;
}

void PurgeList::advance(std::uint64_t epoch) {
  begin_at(epoch);
}

// Forgets the oldest, if they are retired, or else makes `rule` one for everything of its kind.
void PurgeList::make_room(Rules& rules, PurgeRule& rule, std::uint64_t retired) {
  auto kept = rules.by_epoch.begin();
  for (std::size_t size = rules.by_epoch.size(); size >= kMaxOrdinaryRules && kept->epoch <= retired; --size) {
    rules.forgotten = kept->epoch;
    ++kept;
  }
  rules.by_epoch.erase(rules.by_epoch.begin(), kept);
  if (rules.by_epoch.size() < kMaxOrdinaryRules) return;
  rule.text.clear();
  std::erase_if(rules.by_epoch, [&](const PurgeRule& older) {
    const bool is_alike = rule.is_soft && older.is_soft && rule.kind == older.kind;
    if (is_alike) rule.at = std::min(rule.at, older.at);
    return is_alike || covers(rule, older);
  });
}

std::optional<PurgeList::Match> PurgeList::match(std::uint64_t seen, std::string_view key,
                                                 std::span<const std::string> tags) const {
  std::shared_ptr<const Rules> rules;
  {
    MutexLock lock(mutex_);
    rules = rules_;
  }
  if (!rules) return std::nullopt;
  if (seen < rules->forgotten) return Match{};
  std::optional<Match> soft;
  for (auto rule = std::ranges::upper_bound(rules->by_epoch, seen, {}, &PurgeRule::epoch);
       rule != rules->by_epoch.end(); ++rule) {
    if ((rule->is_soft && soft) || !matches(*rule, key, tags)) continue;
    if (!rule->is_soft) return Match{.is_soft = false, .at = rule->at};
    soft = Match{.is_soft = true, .at = rule->at};
  }
  return soft;
}

void PurgeList::retire(std::uint64_t epoch) {
  MutexLock lock(mutex_);
  retired_ = std::max(retired_, std::min(epoch, epoch_.load(std::memory_order_relaxed)));
}

std::size_t PurgeList::size() const {
  MutexLock lock(mutex_);
  if (!rules_) return 0;
  const auto in_force = std::ranges::upper_bound(rules_->by_epoch, retired_, {}, &PurgeRule::epoch);
  return static_cast<std::size_t>(rules_->by_epoch.end() - in_force);
}

}  // namespace seawall::cache
