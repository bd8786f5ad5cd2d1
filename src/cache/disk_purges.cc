#include "cache/disk_purges.h"

#include <algorithm>
#include <vector>

#include "cache/disk_record.h"
#include "disk/tier.h"

namespace seawall::cache {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kFixedBytes = 1 + 1 + 1 + 8 + 8;
constexpr std::size_t kUrlShare = 4;  // of the room for rules: one in so many

void append_u64(std::string& out, std::uint64_t value) {
  for (int shift = 0; shift < 64; shift += 8) out += static_cast<char>(value >> shift & 0xFF);
}

std::uint64_t read_u64(std::string_view in) {
  std::uint64_t value = 0;
  for (std::size_t i = 8; i-- > 0;) value = value << 8 | static_cast<std::uint8_t>(in[i]);
  return value;
}

}  // namespace

DiskPurges::Table& DiskPurges::table_of(PurgeKind kind) {
  switch (kind) {
    case PurgeKind::kPrefix: return prefixes_;
    case PurgeKind::kTag: return tags_;
    case PurgeKind::kUrl: break;
  }
  return urls_;
}

DiskPurges::Added DiskPurges::add(const PurgeRule& rule) {
  MutexLock lock(mutex_);
  Added added{.at = rule.at, .forgotten = {}, .merged = {}};
  Table& table = table_of(rule.kind);
  const std::size_t more = kRuleBytes + rule.text.size();
  const bool is_full = rule.kind == PurgeKind::kUrl && url_bytes_ + more > max_bytes_ / kUrlShare;
  if (is_full && !table.contains(rule.text) && !table.empty()) added.merged = merge_urls();
  if (!table.contains(rule.text) && bytes_ + more > max_bytes_ && bytes_ > 0) added.forgotten = forget_some();
  const auto [entry, is_new] = table.try_emplace(rule.text);
  if (is_new) bytes_ += more;
  if (is_new && rule.kind == PurgeKind::kUrl) url_bytes_ += more;
  recharge();
  Marks& marks = entry->second;
  if (rule.is_soft) {
    // A record that is younger than the first is held against its time for nothing, which costs a validation.
    // Of a URL the last one counts: what was fetched anew in between would have been stale ever since.
    if (marks.soft <= marks.hard || rule.kind == PurgeKind::kUrl) marks.soft_at = rule.at;
    marks.soft = std::max(marks.soft, rule.epoch);
    added.at = marks.soft_at;
  } else {
    marks.hard = std::max(marks.hard, rule.epoch);
  }
  epoch_.store(std::max(epoch_.load(std::memory_order_relaxed), rule.epoch), std::memory_order_release);
  return added;
}

PurgeRule DiskPurges::merge_urls() {
  PurgeRule rule{.kind = PurgeKind::kPrefix, .text = {}, .is_soft = true, .at = {}, .epoch = median_epoch({&urls_})};
  std::size_t freed = 0;
  std::erase_if(urls_, [&](const auto& entry) {
    if (youngest_of(entry.second) > rule.epoch) return false;
    rule.at = std::max(rule.at, entry.second.soft_at);
    freed += kRuleBytes + entry.first.size();
    return true;
  });
  bytes_ -= freed;
  url_bytes_ -= freed;
  const auto [all, is_new] = prefixes_.try_emplace("");
  if (is_new) bytes_ += kRuleBytes;
  all->second.soft = std::max(all->second.soft, rule.epoch);
  all->second.soft_at = std::max(all->second.soft_at, rule.at);
  return rule;
}

void DiskPurges::forget_until(std::uint64_t epoch) {
  MutexLock lock(mutex_);
  forgotten_ = std::max(forgotten_, epoch);
  epoch_.store(std::max(epoch_.load(std::memory_order_relaxed), epoch), std::memory_order_release);
}

void DiskPurges::replay(const disk::Note& note) {
  if (note.kind == kForgottenNote) forget_until(note.epoch);
  if (note.kind != kPurgeNote) return;
  if (const auto rule = decode(note.payload)) add(*rule);
}

void DiskPurges::recharge() {
  charge_ = BudgetCharge(budget_, bytes_);
}

void DiskPurges::begin_at(std::uint64_t epoch) {
  MutexLock lock(mutex_);
  epoch_.store(std::max(epoch_.load(std::memory_order_relaxed), epoch), std::memory_order_release);
}

// The older half, so that it is seldom done.
std::uint64_t DiskPurges::forget_some() {
  const std::uint64_t last = median_epoch({&prefixes_, &tags_, &urls_});
  forgotten_ = std::max(forgotten_, last);
  for (Table* table : {&prefixes_, &tags_, &urls_}) {
    std::size_t freed = 0;
    std::erase_if(*table, [&](const auto& entry) {
      if (youngest_of(entry.second) > last) return false;
      freed += kRuleBytes + entry.first.size();
      return true;
    });
    bytes_ -= freed;
    if (table == &urls_) url_bytes_ -= freed;
  }
  return last;
}

std::uint64_t DiskPurges::median_epoch(std::initializer_list<const Table*> tables) {
  std::vector<std::uint64_t> epochs;
  for (const Table* table : tables) {
    for (const auto& [text, marks] : *table) epochs.push_back(youngest_of(marks));
  }
  const auto middle = epochs.begin() + static_cast<std::ptrdiff_t>(epochs.size() / 2);
  std::ranges::nth_element(epochs, middle);
  return *middle;
}

std::optional<PurgeList::Match> DiskPurges::match(std::uint64_t seen, std::string_view key,
                                                  std::span<const std::string> tags) const {
  std::optional<PurgeList::Match> soft;
  bool is_hard = false;
  const auto meet = [&](const Table& table, std::string_view text) {
    const auto found = table.find(text);
    if (found == table.end()) return;
    is_hard = is_hard || found->second.hard > seen;
    if (found->second.soft <= seen) return;
    if (!soft || found->second.soft_at < soft->at) soft = {.is_soft = true, .at = found->second.soft_at};
  };
  MutexLock lock(mutex_);
  if (seen >= epoch()) return std::nullopt;
  if (seen < forgotten_) return PurgeList::Match{};
  if (!prefixes_.empty()) {
    for (std::size_t size = 0; size <= key.size() && !is_hard; ++size) meet(prefixes_, key.substr(0, size));
  }
  meet(urls_, key);
  if (!tags_.empty()) {
    if (!tags.empty()) meet(tags_, "");
    for (const std::string& tag : tags) meet(tags_, tag);
  }
  return is_hard ? PurgeList::Match{} : soft;
}

bool DiskPurges::lets_serve(const disk::Revisit& record) const {
  const auto init = decode_head(record.head);
  if (!init) return false;
  const auto purged = match(record.purge_epoch, record.key, init->tags);
  return !purged || purged->is_soft;
}

std::string DiskPurges::encode(const PurgeRule& rule) {
  std::string out;
  out += static_cast<char>(kVersion);
  out += static_cast<char>(rule.kind);
  out += static_cast<char>(rule.is_soft);
  append_u64(out, static_cast<std::uint64_t>(rule.at.unix_ms));
  append_u64(out, rule.epoch);
  return out + rule.text;
}

std::optional<PurgeRule> DiskPurges::decode(std::string_view bytes) {
  if (bytes.size() < kFixedBytes || bytes[0] != static_cast<char>(kVersion)) return std::nullopt;
  if (static_cast<std::uint8_t>(bytes[1]) > static_cast<std::uint8_t>(PurgeKind::kUrl)) return std::nullopt;
  return PurgeRule{.kind = static_cast<PurgeKind>(bytes[1]),
                   .text = std::string(bytes.substr(kFixedBytes)),
                   .is_soft = bytes[2] != 0,
                   .at = WallTime{static_cast<std::int64_t>(read_u64(bytes.substr(3)))},
                   .epoch = read_u64(bytes.substr(11))};
}

std::string DiskPurges::name_of(std::string_view bytes) {
  if (!decode(bytes)) return {};
  return std::string(bytes.substr(0, 3)).append(bytes.substr(kFixedBytes));
}

}  // namespace seawall::cache
