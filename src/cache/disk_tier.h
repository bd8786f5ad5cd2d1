// Between the store and the disk: what the store publishes is written, what it takes out must not come back, and what
// memory does not have is read into it. Which of two versions is the newer is settled by the order of calls here:
//
//   published in memory  keep(), then look whether it is still there; if not, what was written is erased again
//   taken out for good   erased on disk, then in memory, and if that had something, on disk once more
//   read from disk       published unless memory has a version, if the record is still the disk's at that moment; taken
//                        out again when a newer one that was published meanwhile, and evicted, reaches the disk
//
// so whatever the order in which threads come, nothing that was replaced or removed is found afterwards, in memory or
// after a restart. Eviction from memory removes nothing here. Thread: any.
#pragma once

#include <atomic>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/executor.h"
#include "base/mutex.h"
#include "base/ref.h"
#include "cache/body_source.h"
#include "cache/disk_purges.h"
#include "cache/disk_record.h"
#include "cache/disk_stream.h"
#include "cache/object.h"
#include "cache/share_group.h"
#include "disk/tier.h"

namespace seawall::cache {

class Store;

class DiskTier {
 public:
  // `store` is the one to attach() it to, and outlives it. The error is text for a person: see disk::Tier::open().
  static std::expected<std::unique_ptr<DiskTier>, std::string> open(disk::TierOptions options, Store& store);
  ~DiskTier();
  DiskTier(const DiskTier&) = delete;
  DiskTier& operator=(const DiskTier&) = delete;

  // Whether there may be anything of that key, and a wait until it is in the store or cannot be had; one read for all
  // who ask at once. nullopt: nothing is there. `done` runs in a turn of its own; not once the result is destroyed,
  // which is to happen on the executor's thread. `share`: of what is loaded. A few variants come at once, the youngest
  // first; `after`, of an earlier load, goes on with older ones.
  struct Loaded {
    std::optional<std::uint64_t> next;  // there are more, and neither memory nor the disk has refused any
  };
  std::optional<disk::Pending> load(std::string_view key, const Ref<ShareGroup>& share,
                                    std::optional<std::uint64_t> after, Executor& executor,
                                    std::function<void(Loaded)> done);

  // The body of an object that has none in memory, of which `first_wanted` is sent first: that far it has been read
  // when it is `Opened`. What is not to be had any more is taken out of memory; what is asked
  // for again comes back, if there is room. As with load(), the result is to be kept until then.
  using Opened = std::move_only_function<void(std::unique_ptr<BodySource>)>;  // null: it cannot be read
  [[nodiscard]] disk::Pending open_body(const Object& object, std::uint64_t first_wanted, Executor& executor,
                                        std::function<void()> on_progress, Opened done);
  // For a response of which memory has no room for the body, with what is known of it at its head. Null: the disk does
  // not take it, and nothing has changed.
  std::unique_ptr<DiskStream> begin_stream(const Object::Init& head);
  std::uint64_t max_body_bytes() const { return tier_->max_body_bytes(); }

  using Durable = std::move_only_function<void(bool is_durable)>;
  // Runs `done` once it is certain that nothing comes back of what was erased and purged before this call; is_durable
  // is false when no device would have it, or none in time (disk::TierOptions::journal_deadline), which is logged once
  // for each time that it begins. As with load(), the result is to be kept until then.
  [[nodiscard]] disk::Pending settle(Executor& executor, Durable done);

  // Of the group's records, those of before the start included; see disk::GroupBounds.
  void set_bounds(const ShareGroup& share, ShareBounds bounds) {
    tier_->set_group(share.disk_label(), {.guaranteed_bytes = bounds.guaranteed_bytes, .max_bytes = bounds.max_bytes});
  }
  disk::GroupUse use_of(const ShareGroup& share) const { return tier_->group_use(share.disk_label()); }
  // Of all directories together.
  std::uint64_t capacity_bytes() const { return capacity_bytes_; }
  disk::TierStats stats() const { return tier_->stats(); }
  bool is_loaded() const { return tier_->is_loaded(); }
  bool await_loaded(std::chrono::milliseconds limit) { return tier_->await_loaded(limit); }
  // Responses read into memory since the start.
  std::uint64_t loaded() const { return loaded_.load(std::memory_order_relaxed); }
  // Writes what waits; afterwards everything is a miss. At most a few seconds.
  void close() { tier_->close(); }

 private:
  friend class Store;
  struct Loading;

  explicit DiskTier(Store& store);
  // The store's, see above.
  void keep(const Ref<Object>& object, const Object* replaced);
  void keep_evicted(const Object& object);
  void forget(const Object& variant);
  // How many variants of it there were.
  std::size_t forget_key(std::string_view key);
  void purge(PurgeRule rule);
  // What there is of that key becomes stale, and what is on its way. How many variants could be read; `is_known` to
  // memory: else there is no rule for nothing.
  std::size_t soften_key(std::string_view key, bool is_known, std::uint64_t epoch, WallTime now);
  // By a rule that is younger than what it has met.
  bool is_purged(const Object& object) const;
  bool holds(const disk::Candidate& candidate) const { return tier_->holds(candidate); }

  void tell_durable(bool is_durable);
  void make_room_for_variant(const std::vector<disk::Candidate>& present);
  void drop_held(const Loading& loading, std::vector<disk::Candidate>& candidates) const;
  bool may_be_held(std::uint64_t body_bytes, const Ref<ShareGroup>& share) const;
  void bring_back(const Object& object, Executor& executor);
  std::optional<disk::Candidate> find(std::uint64_t hash, std::uint64_t variant) const;
  void read_next(const std::shared_ptr<Loading>& loading);
  void go_on(const std::shared_ptr<Loading>& loading, disk::ReadStatus status);
  static void choose(Loading& loading, std::vector<disk::Candidate> candidates, std::optional<std::uint64_t> after);
  void take(Loading& loading, const disk::Candidate& candidate, const disk::StoredHead& head,
            std::optional<SliceChain> body);
  void finish(const std::shared_ptr<Loading>& loading);
  std::optional<std::uint64_t> recheck(const disk::Revisit& record) const;

  Store& store_;
  std::uint64_t capacity_bytes_ = 0;
  DiskPurges purges_;
  std::function<void(disk::LogLevel, const std::string&)> log_;
  std::atomic<bool> is_durable_{true};  // what was told last
  std::atomic<std::uint64_t> loaded_{0};
  Mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<Loading>> loading_ SW_GUARDED_BY(mutex_);
  std::unique_ptr<disk::Tier> tier_;  // last: its threads use what stands above
};

}  // namespace seawall::cache
