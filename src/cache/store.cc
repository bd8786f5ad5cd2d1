// The protocol between the index and the eviction policy, which are never locked together.
//
// An object is published (in a set of the index) and listed (with the policy). Its Listing, under the policy lock, goes
// kNotYet -> kListed -> kRetired or straight to kRetired, never back, and it is published at most once:
//   insert   publishes, then lists unless the object is retired by then;
//   remove   (erase, replaced, one variant too many) unpublishes, then retires: unlists if listed;
//   evict    retires the victim, then unpublishes it if it is still there.
// Whoever takes an object out of the index retires it, whoever retires one by eviction unpublishes it, so whatever the
// order in which threads come:
//   - removed between publish and list: it is kRetired when list comes, and is not listed (no listed object out of
//   reach);
//   - evicted while another thread publishes a set that has it: the writers of a shard take turns, so the evictor finds
//     it in the newer set and takes it out there (no published object for ever unlisted);
//   - evicted while being replaced or erased: one of the two finds it in the index, the other does nothing.
// Listing holds a reference, which whoever unlists releases: the policy never sees a freed object. References dropped
// under a lock are collected and released after it.
#include "cache/store.h"

#include <algorithm>
#include <array>
#include <bit>

#include "base/check.h"
#include "cache/disk_tier.h"
#include "cache/index.h"
#include "cache/memory_packer.h"
#include "http/list_syntax.h"
#include "policy/freshness.h"

namespace seawall::cache {
namespace {

// Victims of the policy that are spared, in one hold of its lock; then what goes is chosen among the groups that give.
constexpr std::size_t kMaxSpared = 64;
// Buckets of the index that a sweep goes through for each object that it may look at; most of a sparse table are empty.
constexpr std::size_t kStepsPerObject = 8;

bool is_same_selection(const Object& a, const Object& b) {
  return a.vary() == b.vary() && a.selecting_values() == b.selecting_values();
}

// Line by line, as append_selecting_values() wrote them for the same names.
bool differ_in_language_only(std::string_view a, std::string_view b) {
  const auto is_language = [](std::string_view line) {
    constexpr std::string_view kName = "accept-language";
    return line.starts_with(kName) && !http::is_token(line.substr(0, kName.size() + 1));
  };
  while (!a.empty() && !b.empty()) {
    const std::string_view line_a = a.substr(0, a.find('\n') + 1);
    const std::string_view line_b = b.substr(0, b.find('\n') + 1);
    if (line_a.empty() || line_b.empty()) return false;
    if (line_a != line_b && !(is_language(line_a) && is_language(line_b))) return false;
    a.remove_prefix(line_a.size());
    b.remove_prefix(line_b.size());
  }
  return a.empty() && b.empty();
}

// When nothing is selected by equal fields: the newest variant that was stored when codings were not normalised.
const Object* select_by_codings(const VariantSet& set, const http::HeaderMap& request, std::string& scratch) {
  for (const Ref<Object>& variant : set.variants()) {
    if (!std::ranges::binary_search(variant->vary().names, "accept-encoding")) continue;
    scratch.clear();
    policy::append_selecting_values(variant->vary(), request, scratch);
    if (policy::selects_by_codings(scratch, variant->selecting_values(), variant->headers())) return variant.get();
  }
  return nullptr;
}

// Or the newest in the language that the request wants before all else.
const Object* select_by_language(const VariantSet& set, const http::HeaderMap& request, std::string& scratch) {
  for (const Ref<Object>& variant : set.variants()) {
    if (!std::ranges::binary_search(variant->vary().names, "accept-language")) continue;
    const auto language = variant->headers().find("Content-Language");
    if (!language || !policy::language_selects(request, *language)) continue;
    scratch.clear();
    policy::append_selecting_values(variant->vary(), request, scratch);
    if (differ_in_language_only(scratch, variant->selecting_values())) return variant.get();
  }
  return nullptr;
}

// The newest that the request selects by equal fields, else otherwise. Inlined: each hit comes through here.
[[gnu::always_inline]] inline const Object* select(const VariantSet& set, const http::HeaderMap& request,
                                                   std::string& scratch, policy::Codings codings) {
  const policy::VarySpec* computed = nullptr;  // what `scratch` holds the request's values for
  for (const Ref<Object>& variant : set.variants()) {
    const policy::VarySpec& vary = variant->vary();
    if (vary.any) continue;
    if (!vary.names.empty()) {
      if (!computed || *computed != vary) {
        scratch.clear();
        policy::append_selecting_values(vary, request, scratch);
        computed = &vary;
      }
      if (scratch != variant->selecting_values()) continue;
    }
    return variant.get();
  }
  const Object* other = codings == policy::Codings::kNormalised ? select_by_codings(set, request, scratch) : nullptr;
  if (!other && request.contains(http::Field::kAcceptLanguage)) other = select_by_language(set, request, scratch);
  return other;
}

// A heap, the coldest on top.
void keep_hottest(std::vector<Refreshable>& hot, std::size_t max, const Object& object, std::uint32_t heat) {
  const auto is_hotter = [](const Refreshable& a, const Refreshable& b) { return a.heat > b.heat; };
  if (hot.size() >= max) {
    if (heat <= hot.front().heat) return;
    std::ranges::pop_heap(hot, is_hotter);
    hot.pop_back();
  }
  hot.push_back({.key = object.key(), .hash = object.hash(), .heat = heat});
  std::ranges::push_heap(hot, is_hotter);
}

// What publishing one more object may allocate: a set of the most variants, a slot in a table that is a quarter full.
std::size_t publishing_bytes(std::size_t max_variants) {
  return kIndexNodeBytes + max_variants * sizeof(Ref<Object>);
}

}  // namespace

Store::Store(const StoreOptions& options)
    : options_(options), budget_(options.memory_bytes), policy_(make_policy(options.eviction, options.memory_bytes)) {
  SW_CHECK(std::has_single_bit(options.shards) && options.shards <= 65536, "shards: a power of two up to 65536");
  SW_CHECK(options.max_variants > 0, "at least one variant");
  wants_hits_ = policy_->wants_hits();
  shards_.reserve(options.shards);
  for (std::size_t i = 0; i < options.shards; ++i) shards_.push_back(std::make_unique<IndexShard>(budget_));
}

Store::~Store() {
  while (EvictionEntry* entry = policy_->evict()) take_victim(*entry);
}

IndexShard& Store::shard_of(std::uint64_t hash) const {
  return *shards_[(hash >> 48) & (shards_.size() - 1)];
}

LookupResult Store::find(std::string_view key, std::uint64_t hash, const http::HeaderMap& request, std::string& scratch,
                         policy::Codings codings) {
  LookupResult result{.set = shard_of(hash).find(key, hash)};
  if (!result.set) return result;
  result.found = policy::Found::kOtherVariants;
  const Object* selected = select(*result.set, request, scratch, codings);
  if (!selected) return result;
  if (selected->purge_epoch() < purges_.rule_epoch()) [[unlikely]] {
    selected = select_unpurged(selected, request, scratch, codings, result);
    if (!selected) return result;
  }
  EvictionPolicy::touch(selected->eviction());
  if (wants_hits_) [[unlikely]]
    tell_hit(*selected);
  result.object = selected;
  result.found = policy::Found::kObject;
  return result;
}

// Selects until what is selected stands the test. Every turn but the last removes a variant or makes one stale; others
// may publish more that are purged by then, which is not waited for: a miss is always right.
const Object* Store::select_unpurged(const Object* selected, const http::HeaderMap& request, std::string& scratch,
                                     policy::Codings codings, LookupResult& result) {
  const Ref<const VariantSet> first = result.set;  // keeps the key
  for (std::size_t turn = 0; turn < 2 * options_.max_variants; ++turn) {
    const std::uint64_t epoch = purges_.epoch();
    const auto match = match_purges(*selected, epoch);
    if (!match) return selected;
    purge(*selected, *match, epoch);
    result.set = shard_of(first->hash()).find(first->key(), first->hash());
    if (!result.set) result.found = policy::Found::kNothing;
    selected = result.set ? select(*result.set, request, scratch, codings) : nullptr;
    if (!selected) return nullptr;
  }
  return nullptr;
}

std::vector<Ref<Object>> Store::peek_all(std::string_view key, std::uint64_t hash) const {
  const Ref<const VariantSet> set = shard_of(hash).find(key, hash);
  if (!set) return {};
  std::vector<Ref<Object>> variants(set->variants().begin(), set->variants().end());
  std::erase_if(variants, [&](const Ref<Object>& variant) { return is_removed_by_purge(*variant); });
  return variants;
}

bool Store::insert(const Ref<Object>& object) {
  if (is_removed_by_purge(*object)) return false;
  if (!admit(*object)) {
    rejected_.fetch_add(1, std::memory_order_relaxed);
    if (disk_) disk_->forget(*object);
    remove_same_selection(*object);
    if (disk_) disk_->forget(*object);  // as in erase()
    return false;
  }
  if (!publish(nullptr, object, Place::kFirst)) return false;
  keep_below(object, nullptr);
  return true;
}

bool Store::insert_loaded(const Ref<Object>& object, const disk::Candidate& record) {
  return !is_removed_by_purge(*object) && admit(*object) && publish(nullptr, object, Place::kLastIfAlone, &record);
}

bool Store::insert_written(const Ref<Object>& object) {
  if (is_removed_by_purge(*object)) return false;
  if (admit(*object)) return publish(nullptr, object, Place::kFirst, &object->disk_body()->record);
  remove_same_selection(*object);
  return false;
}

// The order is in disk_tier.h.
void Store::keep_below(const Ref<Object>& object, const Object* replaced) {
  if (!disk_) return;
  disk_->keep(object, replaced);
  if (object->disk_body() && !disk_->holds(object->disk_body()->record)) {
    unpublish(*object);
    return;
  }
  if (find_same(*object)) return;
  disk_->forget(*object);
  // Evicted, it may be, before keep(): what was read until then is older.
  retire(remove_if(object->key(), object->hash(), [&](const Object& variant) {
    return variant.is_from_disk() && is_same_selection(variant, *object);
  }));
}

void Store::forget_unseen(std::string_view key, std::uint64_t hash) {
  if (disk_) erase_key(key, hash);
}

bool Store::take_back(const Object& object) {
  const Removed removed = remove_if(object.key(), object.hash(),
                                    [&](const Object& variant) { return variant.original_ == object.original_; });
  retire(removed);
  return !removed.empty();
}

bool Store::replace(const Object& expected, const Ref<Object>& fresh) {
  if (is_removed_by_purge(expected)) {
    unpublish(expected);
    return false;
  }
  if (is_removed_by_purge(*fresh)) return false;
  if (!admit(*fresh)) {
    rejected_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  if (!publish(&expected, fresh, Place::kFirst)) return false;
  keep_below(fresh, &expected);
  return true;
}

// What `make` gives for the object that is there by now takes its place; null: it is like that already.
template <typename Make>
Exchanged Store::exchange(const Object& object, Make make) {
  // Others may put theirs in between: a form of each coding, and the body in another state.
  for (std::size_t turn = 0; turn <= http::kCodings.size() + 1; ++turn) {
    const Ref<Object> present = find_same(object);
    if (!present || is_removed_by_purge(*present)) return Exchanged::kGone;
    const Ref<Object> fresh = make(*present);
    if (!fresh) return Exchanged::kGone;
    if (!admit(*fresh)) return Exchanged::kNoRoom;
    if (publish(present.get(), fresh, Place::kOfExpected)) return Exchanged::kYes;
  }
  return Exchanged::kGone;
}

Exchanged Store::add_form(const Object& object, http::Coding coding, const SliceChain& body) {
  return exchange(object, [&](const Object& present) {
    return present.form(coding) || present.disk_body() ? nullptr : present.with_form(budget_, coding, body);
  });
}

Exchanged Store::set_body(const Object& object, const WholeBody& body) {
  return exchange(object, [&](const Object& present) -> Ref<Object> {
    // It is so by now, or elsewhere: what is on disk is not packed.
    if (body.packed ? present.needs_source() : !present.needs_source()) return nullptr;
    return present.with_body(budget_, body);
  });
}

Ref<Object> Store::find_same(const Object& object) const {
  const Ref<const VariantSet> set = shard_of(object.hash()).find(object.key(), object.hash());
  if (!set) return nullptr;
  const auto same = std::ranges::find_if(set->variants(), [&](const Ref<Object>& v) { return v->is_same_as(object); });
  return same == set->variants().end() ? nullptr : *same;
}

bool Store::erase(const Object& object) {
  if (disk_) disk_->forget(object);
  const Removed removed = remove_if(object.key(), object.hash(), [&](const Object& variant) {
    return variant.original_ == object.original_ && is_same_selection(variant, object);
  });
  retire(removed);
  if (disk_ && !removed.empty()) disk_->forget(object);
  return !removed.empty();
}

std::size_t Store::erase_key(std::string_view key, std::uint64_t hash) {
  const std::size_t below = disk_ ? disk_->forget_key(key) : 0;
  const Removed removed = remove_if(key, hash, [](const Object&) { return true; });
  retire(removed);
  if (disk_ && !removed.empty()) disk_->forget_key(key);
  // Most are in both places.
  return std::max(removed.size(), below);
}

std::size_t Store::purge_url(std::string_view key, std::uint64_t hash, bool soft, WallTime now) {
  if (!soft) return erase_key(key, hash);
  if (!disk_) return soften_key(key, hash, now);
  MutexLock lock(rule_mutex_);
  // In this order: what is stored with the new epoch is not meant by the rule, and what memory has is with the old one.
  const std::uint64_t epoch = purges_.epoch() + 1;
  const bool is_known = shard_of(hash).find(key, hash) != nullptr;
  const std::size_t below = disk_->soften_key(key, is_known, epoch, now);
  const std::size_t softened = soften_key(key, hash, now);
  if (below > 0 || is_known) purges_.advance(epoch);
  return std::max(softened, below);
}

// What memory has.
std::size_t Store::soften_key(std::string_view key, std::uint64_t hash, WallTime now) {
  Ref<const VariantSet> set;
  {
    // What is being published from disk meanwhile is seen here, or sees the rule.
    IndexShard& shard = shard_of(hash);
    MutexLock lock(shard.write_mutex());
    set = shard.find(key, hash);
  }
  if (!set) return 0;
  return static_cast<std::size_t>(std::ranges::count_if(set->variants(), [&](const Ref<Object>& variant) {
    return purge(*variant, {.is_soft = true, .at = now}, variant->purge_epoch()) != Purged::kGone;
  }));
}

std::uint64_t Store::purge_by_rule(PurgeRule rule) {
  MutexLock lock(rule_mutex_);
  const std::uint64_t epoch = purges_.add(rule);
  if (!disk_) return epoch;
  rule.epoch = epoch;
  disk_->purge(std::move(rule));
  return epoch;
}

SweepResult Store::sweep(SweepCursor& cursor, std::size_t max_objects, WallTime now, std::vector<Refreshable>* hot) {
  SweepResult result;
  std::vector<Ref<const VariantSet>> bucket;
  for (std::size_t step = 0; step / kStepsPerObject < max_objects && result.looked_at < max_objects; ++step) {
    bucket.clear();
    {
      IndexShard& shard = *shards_[cursor.shard];
      MutexLock lock(shard.write_mutex());
      cursor.bucket = shard.scan(cursor.bucket, bucket);
    }
    for (const Ref<const VariantSet>& set : bucket) {
      for (const Ref<Object>& variant : set->variants()) sweep_object(*variant, now, hot, result);
    }
    if (cursor.bucket != 0 || ++cursor.shard < shards_.size()) continue;
    cursor = {};
    result.is_done = true;
    break;
  }
  return result;
}

void Store::sweep_object(const Object& object, WallTime now, std::vector<Refreshable>* hot, SweepResult& result) {
  ++result.looked_at;
  const std::uint64_t epoch = purges_.epoch();
  auto match = match_purges(object, epoch);
  if (!match) return;
  // The clock may have been set back since the rule was added.
  match->at = std::min(match->at, now);
  const bool is_collected = hot && object.vary().empty();
  const std::uint32_t heat = is_collected ? heat_of(object) : 0;
  switch (purge(object, *match, epoch)) {
    case Purged::kGone: return;
    case Purged::kRemoved: ++result.removed; return;
    case Purged::kSoftened: break;
  }
  ++result.softened;
  if (is_collected) keep_hottest(*hot, kMaxRefreshables, object, heat);
}

// What the rules up to `epoch`, read before, say of an object that has not met them all; remembers when that is
// nothing.
std::optional<PurgeList::Match> Store::match_purges(const Object& object, std::uint64_t epoch) const {
  const std::uint64_t seen = object.purge_epoch();
  if (seen >= purges_.rule_epoch()) return std::nullopt;
  const auto match = purges_.match(seen, object.key(), object.tags());
  if (!match) object.purge_epoch_.store(epoch, std::memory_order_relaxed);
  return match;
}

bool Store::is_removed_by_purge(const Object& object) const {
  const auto match = match_purges(object, purges_.epoch());
  return match && !match->is_soft;
}

Store::Purged Store::purge(const Object& object, PurgeList::Match match, std::uint64_t epoch) {
  if (match.is_soft && soften(object, match.at, epoch)) return Purged::kSoftened;
  // Also where a stale copy finds no room: it must not stay fresh.
  return unpublish(object) ? Purged::kRemoved : Purged::kGone;
}

// Ends its freshness at `at`, if that is not over by then.
bool Store::soften(const Object& object, WallTime at, std::uint64_t epoch) {
  policy::Freshness freshness = object.freshness();
  freshness.lifetime = std::min(freshness.lifetime, policy::current_age(freshness, at));
  if (freshness.lifetime == object.freshness().lifetime) {
    object.purge_epoch_.store(epoch, std::memory_order_relaxed);
    return true;
  }
  if (!make_room(object.charge_.bytes() + publishing_bytes(options_.max_variants), object.share().get())) return false;
  const Ref<Object> stale = object.with_freshness(budget_, freshness, epoch);
  return publish(&object, stale, Place::kOfExpected);
}

// Whoever holds the lock is not waited for: see eviction.h.
void Store::tell_hit(const Object& object) {
  if (!policy_mutex_.try_lock()) return;
  policy_->hit(object.eviction());
  policy_mutex_.unlock();
}

std::uint32_t Store::heat_of(const Object& object) const {
  MutexLock lock(policy_mutex_);
  return policy_->heat(object.eviction());
}

std::uint64_t Store::max_object_bytes() const {
  const std::size_t max = max_charged_bytes();
  return max - max / 4;
}

std::size_t Store::max_charged_bytes() const {
  return static_cast<std::size_t>(static_cast<double>(budget_.limit_bytes()) * options_.max_object_share);
}

bool Store::admit(const Object& object) {
  if (object.share() && !object.share()->admits(object.charged_bytes())) return false;
  return object.charged_bytes() <= max_charged_bytes() &&
         make_room(publishing_bytes(options_.max_variants), object.share().get());
}

// With `expected`, only if that is still there.
bool Store::publish(const Object* expected, const Ref<Object>& fresh, Place place, const disk::Candidate* record) {
  Removed removed;
  Ref<const VariantSet> old;
  {
    IndexShard& shard = shard_of(fresh->hash());
    std::vector<Ref<Object>> variants;
    variants.reserve(options_.max_variants);
    MutexLock lock(shard.write_mutex());
    old = shard.find(fresh->key(), fresh->hash());
    // A copy with more forms is as good to be replaced, but not to be copied from.
    const auto is_expected = [&](const Object& v) {
      return &v == expected || (expected && place == Place::kFirst && v.is_same_as(*expected));
    };
    if (expected && !(old && std::ranges::any_of(old->variants(), [&](const auto& v) { return is_expected(*v); }))) {
      return false;
    }
    if (place == Place::kLastIfAlone && old) {
      const bool has_room = old->variants().size() < options_.max_variants;
      if (!has_room ||
          std::ranges::any_of(old->variants(), [&](const Ref<Object>& v) { return is_same_selection(*v, *fresh); })) {
        return false;
      }
    }
    if (record && (!disk_->holds(*record) || disk_->is_purged(*fresh))) return false;
    if (fresh->is_published_.exchange(true, std::memory_order_relaxed)) return false;
    if (place == Place::kFirst) variants.push_back(fresh);
    if (old) {
      for (const Ref<Object>& v : old->variants()) {
        const bool goes = is_expected(*v) || is_same_selection(*v, *fresh);
        if (place == Place::kOfExpected) {
          if (v.get() == expected) variants.push_back(fresh);
        } else if (goes) {
          // It was asked for again while it was stored: its successor need not prove itself once more.
          const std::uint8_t hits = v->eviction().hits.load(std::memory_order_relaxed);
          fresh->eviction().hits.store(std::max<std::uint8_t>(hits, 1), std::memory_order_relaxed);
        }
        if (goes || variants.size() == options_.max_variants) {
          removed.push_back(v);
        } else {
          variants.push_back(v);
        }
      }
    }
    if (place == Place::kLastIfAlone) variants.push_back(fresh);
    shard.exchange(fresh->key(), fresh->hash(), VariantSet::create(budget_, variants));
  }
  {
    MutexLock lock(policy_mutex_);
    list(*fresh, place == Place::kOfExpected ? expected : nullptr);
  }
  retire(removed);
  removed.clear();
  old = nullptr;
  ShareGroup& group = group_of(*fresh);
  while (shrink_group(group) > 0) {
    // Ends: each turn evicts something, and what comes in meanwhile makes its own room.
  }
  shrink_to(budget_.limit_bytes(), false, &group);
  return true;
}

// Takes the variants for which `goes` out of the index. The caller retires them.
template <typename Predicate>
Store::Removed Store::remove_if(std::string_view key, std::uint64_t hash, Predicate goes) {
  Removed removed;
  Ref<const VariantSet> old;
  IndexShard& shard = shard_of(hash);
  std::vector<Ref<Object>> kept;
  MutexLock lock(shard.write_mutex());
  old = shard.find(key, hash);
  if (!old) return removed;
  for (const Ref<Object>& v : old->variants()) {
    if (goes(*v)) {
      removed.push_back(v);
    } else {
      kept.push_back(v);
    }
  }
  if (!removed.empty()) {
    shard.exchange(key, hash, kept.empty() ? Ref<const VariantSet>() : VariantSet::create(budget_, kept));
  }
  return removed;
}

// With forms or without.
bool Store::unpublish(const Object& object) {
  const Removed removed =
      remove_if(object.key(), object.hash(), [&](const Object& variant) { return variant.is_same_as(object); });
  retire(removed);
  return !removed.empty();
}

// What was asked for goes on being of use below.
void Store::let_go(Victims& victims, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const Ref<const Object> victim = std::move(victims[i]);
    retire(remove_if(victim->key(), victim->hash(), [&](const Object& variant) { return &variant == victim.get(); }));
    if (disk_ && EvictionPolicy::was_hit(victim->eviction())) disk_->keep_evicted(*victim);
  }
}

void Store::remove_same_selection(const Object& object) {
  retire(remove_if(object.key(), object.hash(), [&](const Object& v) { return is_same_selection(v, object); }));
}

// With `same`, in its place, and as much in demand.
void Store::list(const Object& object, const Object* same) {
  if (object.listing_ != Object::Listing::kNotYet) return;
  object.listing_ = Object::Listing::kListed;
  object.add_ref();
  // The newest response is the store's clock.
  expiry_.advance(
      static_cast<std::uint32_t>(std::max<std::int64_t>(object.freshness().response_time.unix_seconds(), 0)));
  expiry_.add(object.eviction());
  if (same && same->listing_ == Object::Listing::kListed) {
    EvictionPolicy::take_proof(object.eviction(), same->eviction());
    policy_->put_back(object.eviction());
  } else {
    policy_->insert(object.eviction());
  }
  count_packed(object, true);
  groups_.add(group_of(object), object.eviction());
  listed_own_bytes_ += object.charge_.bytes();
  ++listed_;
  charge_overhead();
}

void Store::count_packed(const Object& object, bool is_listed) {
  if (!object.packed()) return;
  const auto count = [is_listed](std::uint64_t& sum, std::uint64_t n) { sum = is_listed ? sum + n : sum - n; };
  count(packed_, 1);
  count(packed_bytes_, object.packed()->charged_bytes());
  count(packed_raw_bytes_, object.packed()->raw_bytes());
}

// `removed` keeps its references: what the lists let go is not freed under the lock.
void Store::retire(const Removed& removed) {
  if (removed.empty()) return;
  MutexLock lock(policy_mutex_);
  for (const Ref<const Object>& object : removed) {
    const bool is_listed = object->listing_ == Object::Listing::kListed;
    object->listing_ = Object::Listing::kRetired;
    if (!is_listed) continue;
    policy_->erase(object->eviction());
    count_packed(*object, false);
    expiry_.remove(object->eviction());
    groups_.remove(group_of(*object), object->eviction());
    listed_own_bytes_ -= object->charge_.bytes();
    --listed_;
    object->release_ref();
  }
  charge_overhead();
}

// What has expired before what the policy names, and of that nothing that is worth to be packed first.
EvictionEntry* Store::choose_victim(std::size_t& spared, ShareGroup* own, Spared& to_pack) {
  if (EvictionEntry* expired = expiry_.expired()) {
    policy_->erase(*expired);
    return expired;
  }
  // Ends: each turn but the last spares something, and that is bounded.
  while (true) {
    EvictionEntry* entry = choose_unexpired(spared, own);
    if (!entry || !spare_to_pack(*entry, to_pack)) return entry;
  }
}

bool Store::spare_to_pack(EvictionEntry& unlisted, Spared& to_pack) {
  if (!packer_ || to_pack.turns == to_pack.objects.size() || !EvictionPolicy::was_hit(unlisted)) return false;
  const Object& object = Object::of(unlisted);
  const bool waits = object.encoding().is_packing_asked();
  if (!waits && !packer_->try_ask(object)) return false;
  policy_->put_back(unlisted);
  ++to_pack.turns;
  if (!waits) to_pack.objects[to_pack.count++] = Ref<const Object>(&object);
  return true;
}

// `spared` counts what the guarantees cost so far; `own`, null for none, gives also what is guaranteed to it when there
// is nothing else, and so does everybody when there is none.
EvictionEntry* Store::choose_unexpired(std::size_t& spared, ShareGroup* own) {
  ShareGroup* giving = nullptr;
  while (groups_.has_giving()) {
    EvictionEntry* entry = policy_->evict();
    if (!entry || !group_of(Object::of(*entry)).is_spared()) return entry;
    policy_->put_back(*entry);
    if (++spared < kMaxSpared) continue;
    giving = groups_.next_giving();
    break;
  }
  if (!giving && !own) return policy_->evict();
  EvictionEntry* oldest = giving ? giving->oldest() : own->oldest();
  if (oldest) policy_->erase(*oldest);
  return oldest;
}

// Takes over the reference of what the policy has unlisted.
Ref<const Object> Store::take_victim(EvictionEntry& unlisted) {
  const Object& victim = Object::of(unlisted);
  victim.listing_ = Object::Listing::kRetired;
  count_packed(victim, false);
  expiry_.remove(unlisted);
  groups_.remove(group_of(victim), unlisted);
  listed_own_bytes_ -= victim.charge_.bytes();
  --listed_;
  ++evictions_;
  return Ref<const Object>::adopt(&victim);
}

ShareGroup& Store::group_of(const Object& object) const {
  return object.share() ? *object.share() : *ungrouped_;
}

void Store::charge_overhead() {
  const std::size_t now = policy_->overhead_bytes();
  if (now > overhead_charged_) budget_.charge(now - overhead_charged_);
  if (now < overhead_charged_) budget_.discharge(overhead_charged_ - now);
  overhead_charged_ = now;
}

bool Store::make_room(std::size_t bytes, ShareGroup* group) {
  const std::size_t limit = budget_.limit_bytes();
  ShareGroup* const own = group ? group : ungrouped_.get();
  if (bytes <= limit && shrink_to(limit - bytes, true, own)) return true;
  shrink_to(limit, false, own);
  return false;
}

// False when it cannot be had. With `only_if_enough`, gives up as soon as all that is listed would not do: slow readers
// that pin what was evicted must not cost the rest of the cache.
bool Store::shrink_to(std::size_t target_bytes, bool only_if_enough, ShareGroup* own) {
  // Ends: each turn evicts something, and what comes in meanwhile makes its own room.
  while (budget_.used_bytes() > target_bytes) {
    if (evict_some(target_bytes, only_if_enough, own) == 0) return budget_.used_bytes() <= target_bytes;
  }
  return true;
}

bool Store::shrink_some(std::size_t max_objects) {
  for (std::size_t evicted = 0; budget_.used_bytes() > budget_.limit_bytes();) {
    if (evicted >= max_objects) return true;
    const std::size_t count = evict_some(budget_.limit_bytes(), false, nullptr);
    if (count == 0) return false;
    evicted += count;
  }
  return false;
}

bool Store::shrink_some(ShareGroup& group, std::size_t max_objects) {
  for (std::size_t evicted = 0; evicted < max_objects;) {
    const std::size_t count = shrink_group(group);
    if (count == 0) return false;
    evicted += count;
  }
  return true;
}

void Store::set_bounds(ShareGroup& group, ShareBounds bounds) {
  MutexLock lock(policy_mutex_);
  groups_.set_bounds(group, bounds);
}

std::size_t Store::evict_some(std::size_t target_bytes, bool only_if_enough, ShareGroup* own) {
  Victims victims;
  Spared to_pack;
  std::size_t count = 0;
  {
    MutexLock lock(policy_mutex_);
    const std::size_t used = budget_.used_bytes();
    const std::size_t excess = used > target_bytes ? used - target_bytes : 0;
    const bool may_do = !only_if_enough || expiry_.expired() != nullptr ||
                        excess <= policy_->listed_bytes() - groups_.spared_from(*own);
    if (!may_do) return 0;
    std::size_t spared = 0;
    for (std::size_t freed = 0; count < kEvictionBatch && freed < excess; ++count) {
      EvictionEntry* entry = choose_victim(spared, own, to_pack);
      if (!entry) break;
      victims[count] = take_victim(*entry);
      freed += victims[count]->charged_bytes();
    }
    charge_overhead();
  }
  for (std::size_t i = 0; i < to_pack.count; ++i) packer_->pack(to_pack.objects[i]);
  let_go(victims, count);
  return count;
}

// A batch of the group's oldest, if it has more than its maximum; how many went.
std::size_t Store::shrink_group(ShareGroup& group) {
  if (!group.is_over_max()) return 0;
  Victims victims;
  std::size_t count = 0;
  {
    MutexLock lock(policy_mutex_);
    for (; count < kEvictionBatch && group.is_over_max(); ++count) {
      EvictionEntry* oldest = group.oldest();
      if (!oldest) break;
      policy_->erase(*oldest);
      victims[count] = take_victim(*oldest);
    }
    if (count > 0) charge_overhead();
  }
  let_go(victims, count);
  return count;
}

StoreStats Store::stats() const {
  StoreStats stats;
  {
    MutexLock lock(policy_mutex_);
    stats.objects = listed_;
    stats.stored_bytes = policy_->listed_bytes();
    stats.stored_body_bytes = stats.stored_bytes - listed_own_bytes_ - listed_ * kIndexNodeBytes;
    stats.stored_head_bytes = listed_own_bytes_;
    stats.ghost_bytes = overhead_charged_;
    stats.packed = packed_;
    stats.packed_bytes = packed_bytes_;
    stats.packed_raw_bytes = packed_raw_bytes_;
    stats.evictions = evictions_;
  }
  for (const auto& shard : shards_) stats.index_bytes += shard->charged_bytes();
  stats.budget_used_bytes = budget_.used_bytes();
  stats.rejected = rejected_.load(std::memory_order_relaxed);
  return stats;
}

}  // namespace seawall::cache
