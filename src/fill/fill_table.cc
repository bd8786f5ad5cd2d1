#include "fill/fill_table.h"

#include <algorithm>
#include <deque>
#include <functional>

#include "policy/plan.h"

namespace seawall::fill {
namespace {

constexpr std::size_t kShards = 64;
constexpr std::size_t kMaxFillsPerKey = 64;

// Requests of one class can share one response: whole bodies, heads, equal ranges, or the same missing part.
enum class Class : std::uint8_t { kWhole, kHead, kRange, kMissing };

Class class_of(const FillRequest& request) {
  switch (request.kind) {
    case FillKind::kHead: return Class::kHead;
    case FillKind::kRange: return Class::kRange;
    case FillKind::kComplete: return Class::kMissing;
    case FillKind::kFetch:
    case FillKind::kRevalidate:
    case FillKind::kPass: return Class::kWhole;
  }
  return Class::kWhole;
}

bool is_same_class(const FillRequest& a, const FillRequest& b) {
  const Class kind = class_of(a);
  if (kind != class_of(b) || a.missing != b.missing) return false;
  return kind != Class::kRange || a.head.headers.find(http::Field::kRange) == b.head.headers.find(http::Field::kRange);
}

bool selects_same(const policy::VarySpec& vary, const http::HeaderMap& a, const http::HeaderMap& b) {
  if (vary.empty()) return true;
  if (vary.any) return false;
  std::string left;
  std::string right;
  policy::append_selecting_values(vary, a, left);
  policy::append_selecting_values(vary, b, right);
  return left == right;
}

bool is_usable(const policy::Plan& plan) {
  return plan.verdict == policy::Verdict::kServeFresh || plan.verdict == policy::Verdict::kServeStaleAndRefresh;
}

// Keys are compared as text within a bucket of equal hashes.
struct KeyHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view key) const { return static_cast<std::size_t>(policy::hash_key(key)); }
};

}  // namespace

struct FillTable::Shard {
  mutable Mutex mutex;
  std::unordered_map<std::string, std::vector<Ref<Fill>>, KeyHash, std::equal_to<>> fills SW_GUARDED_BY(mutex);
  // Hit-for-miss: until when, and the order in which they were marked, so that the oldest makes room.
  std::unordered_map<std::uint64_t, MonoTime> uncacheable SW_GUARDED_BY(mutex);
  std::deque<std::uint64_t> marked SW_GUARDED_BY(mutex);
};

FillTable::FillTable(const FillOptions& options, cache::Store& store)
    : options_(options), store_(store), invalidations_(2 * kCounters) {
  for (std::size_t i = 0; i < kShards; ++i) shards_.push_back(std::make_unique<Shard>());
}

FillTable::~FillTable() = default;

FillTable::Shard& FillTable::shard_of(std::uint64_t hash) const {
  return *shards_[(hash >> 20) % kShards];
}

FillTable::Joined FillTable::join_or_start(const Ref<Fill>& fresh, const cache::Object* seen) {
  const FillRequest& wanted = fresh->request();
  const policy::RequestFacts facts = policy::facts_of(wanted.head);
  const WallTime now = fresh->executor_.wall_now();
  std::string scratch;
  cache::LookupResult again;  // released after the lock
  Shard& shard = shard_of(wanted.hash);
  MutexLock lock(shard.mutex);

  const auto at = shard.fills.find(std::string_view(wanted.key));
  if (at != shard.fills.end()) {
    for (const bool exact : {true, false}) {
      for (const Ref<Fill>& fill : at->second) {
        if (!fill->is_joinable() || fill->is_purged()) continue;
        // A whole body on its way answers heads and ranges as well.
        const bool fits = exact ? is_same_class(fill->request(), wanted) : class_of(fill->request()) == Class::kWhole;
        if (!fits) continue;
        const FillHead* head = fill->head();
        // What has come so far must answer this request as if it were stored: it may have gone stale on the way.
        if (head && !is_usable(policy::plan(facts, policy::Found::kObject, &head->freshness, wanted.rules, now)))
          continue;
        const policy::VarySpec& vary = head ? head->vary : wanted.vary_hint;
        if (selects_same(vary, fill->request().head.headers, wanted.head.headers)) return {Join::kJoined, fill};
      }
    }
    if (at->second.size() >= kMaxFillsPerKey) return {Join::kTooMany, nullptr};
  }
  again = store_.find(wanted.key, wanted.hash, wanted.head.headers, scratch, wanted.codings);
  if (again.object != seen) return {Join::kChanged, nullptr};

  auto& fills = at != shard.fills.end() ? at->second : shard.fills[wanted.key];
  fills.push_back(fresh);
  fresh->listed_.store(true, std::memory_order_relaxed);
  in_flight_.fetch_add(1, std::memory_order_relaxed);
  return {Join::kStarted, fresh};
}

Ref<Fill> FillTable::find_waiting(std::string_view key, std::uint64_t hash) const {
  const Shard& shard = shard_of(hash);
  MutexLock lock(shard.mutex);
  const auto at = shard.fills.find(key);
  if (at == shard.fills.end()) return nullptr;
  const auto fits = [](const Ref<Fill>& fill) {
    return fill->is_joinable() && !fill->head() && class_of(fill->request()) == Class::kWhole && !fill->is_purged();
  };
  const auto found = std::ranges::find_if(at->second, fits);
  return found == at->second.end() ? nullptr : *found;
}

void FillTable::remove(const Fill& fill) {
  if (!fill.listed_.load(std::memory_order_relaxed)) return;
  Ref<Fill> removed;  // released after the lock
  Shard& shard = shard_of(fill.request().hash);
  MutexLock lock(shard.mutex);
  const auto at = shard.fills.find(std::string_view(fill.request().key));
  if (at == shard.fills.end()) return;
  const auto entry = std::ranges::find(at->second, &fill, &Ref<Fill>::get);
  if (entry == at->second.end()) return;
  removed = std::move(*entry);
  at->second.erase(entry);
  if (at->second.empty()) shard.fills.erase(at);
  removed->listed_.store(false, std::memory_order_relaxed);
  in_flight_.fetch_sub(1, std::memory_order_relaxed);
}

void FillTable::detach_all(std::string_view key, std::uint64_t hash) {
  invalidations_[hash % kCounters].fetch_add(1, std::memory_order_acq_rel);
  invalidations_[kCounters + (hash >> 32) % kCounters].fetch_add(1, std::memory_order_acq_rel);
  std::vector<Ref<Fill>> removed;
  Shard& shard = shard_of(hash);
  {
    MutexLock lock(shard.mutex);
    const auto at = shard.fills.find(key);
    if (at == shard.fills.end()) return;
    removed = std::move(at->second);
    shard.fills.erase(at);
    for (const Ref<Fill>& fill : removed) {
      fill->detach();
      fill->listed_.store(false, std::memory_order_relaxed);
    }
  }
  in_flight_.fetch_sub(removed.size(), std::memory_order_relaxed);
}

Invalidations FillTable::invalidations(std::uint64_t hash) const {
  return {.low = invalidations_[hash % kCounters].load(std::memory_order_acquire),
          .high = invalidations_[kCounters + (hash >> 32) % kCounters].load(std::memory_order_acquire)};
}

void FillTable::mark_uncacheable(std::uint64_t hash, MonoTime now) {
  Shard& shard = shard_of(hash);
  MutexLock lock(shard.mutex);
  const bool is_new = shard.uncacheable.insert_or_assign(hash, now + options_.hit_for_miss).second;
  if (!is_new) return;
  shard.marked.push_back(hash);
  if (shard.marked.size() > std::max<std::size_t>(options_.hit_for_miss_keys / kShards, 1)) {
    shard.uncacheable.erase(shard.marked.front());
    shard.marked.pop_front();
  }
}

void FillTable::mark_cacheable(std::uint64_t hash) {
  Shard& shard = shard_of(hash);
  MutexLock lock(shard.mutex);
  // The place in `marked` stays until it ages out: at most one early eviction of a mark made anew.
  shard.uncacheable.erase(hash);
}

bool FillTable::is_marked_uncacheable(std::uint64_t hash, MonoTime now) const {
  const Shard& shard = shard_of(hash);
  MutexLock lock(shard.mutex);
  const auto at = shard.uncacheable.find(hash);
  return at != shard.uncacheable.end() && at->second > now;
}

bool FillTable::try_wait(Fill& fill) {
  if (waiting_.fetch_add(1, std::memory_order_relaxed) >= options_.waiters_total) {
    waiting_.fetch_sub(1, std::memory_order_relaxed);
    return false;
  }
  if (fill.waiting_.fetch_add(1, std::memory_order_relaxed) >= options_.waiters_per_object) {
    end_wait(fill);
    return false;
  }
  return true;
}

void FillTable::end_wait(Fill& fill) {
  fill.waiting_.fetch_sub(1, std::memory_order_relaxed);
  waiting_.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace seawall::fill
