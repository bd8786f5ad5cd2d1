// The memory store: a sharded index from key to the variants of a URL, one eviction policy, one hard budget.
//
// Locks: a shard's mutex covers find, reference, replace of a VariantSet pointer; nothing is allocated, freed, called
// back or logged under it. The policy's mutex covers the eviction lists and is never held together with a shard's. A
// VariantSet is immutable: changing a URL's variants publishes a new set. Thread: any. All that is charged to budget(),
// objects in the hands of readers included, has to be released before the Store is destroyed.
// Under it one thing outside is asked, and only for what was read from disk: whether the disk's index still has it.
//
// Purge rules (purges()) are applied to an object before it is published, when it is found, and by sweep(); a look-up
// writes when it meets what is purged, and only then. No object escapes a rule, though the rule is retired after the
// first whole sweep that began after it was added. What has been in the index since then has been met by that sweep
// (IndexShard::scan). What is older than the rule and came into the index while the sweep ran, or comes later still,
// has yet to meet it: for that the list keeps retired rules as long as it has room, and what has not met a rule that it
// has forgotten counts as purged.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/ref.h"
#include "cache/expiry_wheel.h"
#include "cache/object.h"
#include "cache/purge_list.h"
#include "cache/share_group.h"
#include "cache/variant_set.h"
#include "http/header_map.h"
#include "mem/budget.h"
#include "policy/plan.h"

namespace seawall::disk {
struct Candidate;
}

namespace seawall::cache {

struct StoreOptions {
  std::size_t memory_bytes = std::size_t{256} << 20;  // everything charged: body, headers, index, ghosts, in flight
  double max_object_share = 0.1;                      // an object larger than this share of memory is not stored
  std::size_t max_variants = 32;                      // per URL; the oldest goes
  std::size_t shards = 128;                           // a power of two
  Eviction eviction = Eviction::kTide;
};

struct StoreStats {
  std::uint64_t objects = 0;
  std::uint64_t stored_bytes = 0;       // charged by listed objects
  std::uint64_t stored_body_bytes = 0;  // of these, their bodies
  std::uint64_t stored_head_bytes = 0;  // and what else they are made of
  std::uint64_t index_bytes = 0;
  std::uint64_t ghost_bytes = 0;
  std::uint64_t budget_used_bytes = 0;  // all that is charged
  std::uint64_t packed = 0;             // listed objects whose bodies are packed
  std::uint64_t packed_bytes = 0;       // of stored_body_bytes, what those take
  std::uint64_t packed_raw_bytes = 0;   // and how long they are
  std::uint64_t evictions = 0;
  std::uint64_t rejected = 0;  // inserts refused: too large, or no room even after eviction
};

class DiskTier;
class IndexShard;
class MemoryPacker;

struct LookupResult {
  policy::Found found = policy::Found::kNothing;
  Ref<const VariantSet> set;  // keeps `object` alive
  const Object* object = nullptr;
  Ref<const Object> held;  // instead of `set`, for an object that did not come from the index
};

enum class Exchanged : std::uint8_t {
  kYes,
  kGone,    // the object is not there any more, or is like that already
  kNoRoom,  // it would be too large, or the budget is used up
};

// Where a sweep is; a new one begins at the start of the index.
struct SweepCursor {
  std::size_t shard = 0;
  std::uint64_t bucket = 0;
};

struct SweepResult {
  std::size_t looked_at = 0;
  std::size_t removed = 0;
  std::size_t softened = 0;
  bool is_done = false;  // the cursor has come round
};

// What a soft purge made stale and may be fetched anew without a client's request.
struct Refreshable {
  std::string key;
  std::uint64_t hash = 0;
  std::uint32_t heat = 0;  // EvictionPolicy::heat()
};

class Store {
 public:
  static constexpr std::size_t kMaxRefreshables = 10'000;

  explicit Store(const StoreOptions& options);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // The newest variant that this request selects, or else, where its codings are normalised, the newest that was stored
  // for others that are the same then, or else the newest in its preferred language; counts as a use. `scratch` is the
  // caller's, reused. What is purged is not found, or found stale.
  LookupResult find(std::string_view key, std::uint64_t hash, const http::HeaderMap& request, std::string& scratch,
                    policy::Codings codings = policy::Codings::kAsGiven);
  // Same without counting as a use, and without a request: every variant that is not purged, newest first (bounded by
  // max_variants).
  std::vector<Ref<Object>> peek_all(std::string_view key, std::uint64_t hash) const;

  // Publishes, in place of the variant with equal Vary and selecting values if there is one. Evicts to stay in budget,
  // and the oldest of the object's group to stay in its maximum; false when the object is too large or there is no
  // room: then nothing has changed, but that an older variant of the same selection is gone. False as well, and nothing
  // has changed, when it has been purged since it was asked for. An object is published once in its life, here or by
  // replace(): a second time is refused.
  bool insert(const Ref<Object>& object);
  // Publishes `fresh` only if `expected` is still there and not purged (a 304 must not bring back what was replaced or
  // invalidated). When false for lack of room, or because `fresh` has been purged since it was asked for, `expected`
  // stays.
  bool replace(const Object& expected, const Ref<Object>& fresh);
  // Puts a copy with this form more in the place of the object, or of a copy of it that has others; the disk goes on
  // without.
  Exchanged add_form(const Object& object, http::Coding coding, const SliceChain& body);
  // Likewise one with its body packed, or with it raw where it is packed or on disk.
  Exchanged set_body(const Object& object, const WholeBody& body);
  // What stands in the object's place by now and differs in its forms, or in where its body is, at most; null when it
  // was replaced or taken out.
  Ref<Object> find_same(const Object& object) const;
  // What was read from disk. Only where no variant of its selection is: that is newer; and only while the disk has that
  // record, for what was erased there before is erased here already.
  bool insert_loaded(const Ref<Object>& object, const disk::Candidate& record);
  // What has been written to disk, and has its body there only: in place of what is there of its selection, as long as
  // the disk has it.
  bool insert_written(const Ref<Object>& object);
  // Takes it out of memory again, itself or the stale copy that a soft purge put in its place; nothing else.
  bool take_back(const Object& object);
  // Removes one variant if it is still there, itself or the stale copy that a soft purge put in its place; all variants
  // of a key.
  bool erase(const Object& object);
  std::size_t erase_key(std::string_view key, std::uint64_t hash);

  // A response that replaces whatever was stored of the key may not be stored, and whoever asked for it had found
  // nothing of it: there may be something on disk, or read from there meanwhile.
  void forget_unseen(std::string_view key, std::uint64_t hash);

  // The tier below, which sees all that is published and taken out from here on. Before the first insert; it outlives
  // its use, and is told to nobody while it is null.
  void attach(DiskTier& disk) { disk_ = &disk; }
  DiskTier* disk() const { return disk_; }
  // Who packs bodies instead of their eviction. Before the first insert; null: nobody.
  void attach(MemoryPacker& packer) { packer_ = &packer; }
  MemoryPacker* packer() const { return packer_; }

  // Purges by rule: in force when it returns, on disk as well. Its epoch. One at a time, so that the disk sees them in
  // the order of their epochs.
  std::uint64_t purge_by_rule(PurgeRule rule);
  // The rules that are in force in memory.
  PurgeList& purges() { return purges_; }
  // All variants of a key: removed, or stale from `now` on. How many that were.
  std::size_t purge_url(std::string_view key, std::uint64_t hash, bool soft, WallTime now);
  // Applies the purge rules to what it meets on its way through the index, about `max_objects` (at least 1) in a call.
  // When it is done, the rules up to what purges().epoch() was before its first call can be retired. `hot` (may be
  // null) collects what became stale and has no Vary: the hottest kMaxRefreshables, in no order; the caller may empty
  // it between the calls, but not change it otherwise.
  SweepResult sweep(SweepCursor& cursor, std::size_t max_objects, WallTime now, std::vector<Refreshable>* hot);

  // Evicts until `bytes` more fit into the budget. False when that cannot be had: the caller goes without storing. What
  // is guaranteed to other groups than `group` (null: none in particular) stays.
  bool make_room(std::size_t bytes, ShareGroup* group = nullptr);
  // Evicts about `max_objects` at most of what is more than the budget, guaranteed or not, or than the group's maximum.
  // Whether more has to go. For when one of them was lowered: nobody waits for it.
  bool shrink_some(std::size_t max_objects);
  bool shrink_some(ShareGroup& group, std::size_t max_objects);
  // Of a group of which this store has objects, or may.
  void set_bounds(ShareGroup& group, ShareBounds bounds) SW_EXCLUDES(policy_mutex_);
  // Largest body that may be stored: the share of memory, less a quarter for the head and what the allocator takes
  // besides.
  std::uint64_t max_object_bytes() const;
  std::size_t max_variants() const { return options_.max_variants; }

  MemoryBudget& budget() { return budget_; }
  StoreStats stats() const;

 private:
  static constexpr std::size_t kEvictionBatch = 16;
  using Removed = std::vector<Ref<const Object>>;
  using Victims = std::array<Ref<const Object>, kEvictionBatch>;
  // What was named as a victim, and is to be packed instead.
  struct Spared {
    Victims objects;
    std::size_t count = 0;
    std::size_t turns = 0;  // what waits for that already included
  };
  enum class Place : std::uint8_t { kFirst, kOfExpected, kLastIfAlone };
  enum class Purged : std::uint8_t { kSoftened, kRemoved, kGone };  // kGone: somebody else removed or replaced it

  IndexShard& shard_of(std::uint64_t hash) const;
  std::size_t max_charged_bytes() const;
  bool admit(const Object& object);
  const Object* select_unpurged(const Object* selected, const http::HeaderMap& request, std::string& scratch,
                                policy::Codings codings, LookupResult& result);
  std::optional<PurgeList::Match> match_purges(const Object& object, std::uint64_t epoch) const;
  bool is_removed_by_purge(const Object& object) const;
  Purged purge(const Object& object, PurgeList::Match match, std::uint64_t epoch);
  bool soften(const Object& object, WallTime at, std::uint64_t epoch);
  std::size_t soften_key(std::string_view key, std::uint64_t hash, WallTime now);
  void sweep_object(const Object& object, WallTime now, std::vector<Refreshable>* hot, SweepResult& result);
  void tell_hit(const Object& object) SW_EXCLUDES(policy_mutex_);
  std::uint32_t heat_of(const Object& object) const SW_EXCLUDES(policy_mutex_);
  bool publish(const Object* expected, const Ref<Object>& fresh, Place place, const disk::Candidate* record = nullptr);
  bool unpublish(const Object& object);
  void keep_below(const Ref<Object>& object, const Object* replaced);
  void let_go(Victims& victims, std::size_t count);
  void remove_same_selection(const Object& object);
  template <typename Predicate>
  Removed remove_if(std::string_view key, std::uint64_t hash, Predicate goes);
  template <typename Make>
  Exchanged exchange(const Object& object, Make make);
  void list(const Object& object, const Object* same) SW_REQUIRES(policy_mutex_);
  void count_packed(const Object& object, bool is_listed) SW_REQUIRES(policy_mutex_);
  void retire(const Removed& removed) SW_EXCLUDES(policy_mutex_);
  ShareGroup& group_of(const Object& object) const;
  EvictionEntry* choose_victim(std::size_t& spared, ShareGroup* own, Spared& to_pack) SW_REQUIRES(policy_mutex_);
  EvictionEntry* choose_unexpired(std::size_t& spared, ShareGroup* own) SW_REQUIRES(policy_mutex_);
  bool spare_to_pack(EvictionEntry& unlisted, Spared& to_pack) SW_REQUIRES(policy_mutex_);
  Ref<const Object> take_victim(EvictionEntry& unlisted) SW_REQUIRES(policy_mutex_);
  void charge_overhead() SW_REQUIRES(policy_mutex_);
  std::size_t evict_some(std::size_t target_bytes, bool only_if_enough, ShareGroup* own) SW_EXCLUDES(policy_mutex_);
  bool shrink_to(std::size_t target_bytes, bool only_if_enough, ShareGroup* own);
  std::size_t shrink_group(ShareGroup& group) SW_EXCLUDES(policy_mutex_);

  StoreOptions options_;
  DiskTier* disk_ = nullptr;
  MemoryPacker* packer_ = nullptr;
  MemoryBudget budget_;
  Mutex rule_mutex_;
  // Each hit reads its epoch: apart from what changes all the time.
  alignas(64) PurgeList purges_;
  bool wants_hits_ = false;  // the policy's
  std::vector<std::unique_ptr<IndexShard>> shards_;
  // Apart from what each hit reads.
  alignas(64) mutable Mutex policy_mutex_;
  std::unique_ptr<EvictionPolicy> policy_ SW_GUARDED_BY(policy_mutex_);
  ExpiryWheel expiry_ SW_GUARDED_BY(policy_mutex_);
  ShareGroups groups_ SW_GUARDED_BY(policy_mutex_);
  const Ref<ShareGroup> ungrouped_ = make_ref<ShareGroup>();  // of what is in no other
  std::size_t overhead_charged_ SW_GUARDED_BY(policy_mutex_) = 0;
  std::uint64_t listed_ SW_GUARDED_BY(policy_mutex_) = 0;
  std::uint64_t listed_own_bytes_ SW_GUARDED_BY(policy_mutex_) = 0;  // of what is listed, all but bodies and index
  std::uint64_t packed_ SW_GUARDED_BY(policy_mutex_) = 0;
  std::uint64_t packed_bytes_ SW_GUARDED_BY(policy_mutex_) = 0;
  std::uint64_t packed_raw_bytes_ SW_GUARDED_BY(policy_mutex_) = 0;
  std::uint64_t evictions_ SW_GUARDED_BY(policy_mutex_) = 0;
  std::atomic<std::uint64_t> rejected_{0};
};

}  // namespace seawall::cache
