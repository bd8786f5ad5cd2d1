// The fetches in flight by key, and the keys that proved uncacheable. Sharded like the store; a shard's mutex is held
// for a probe and a join, and inside it only the store's look-up may be called (order: fill shard, then store shard).
// Thread: any.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/ref.h"
#include "cache/store.h"
#include "fill/fill.h"
#include "fill/options.h"
#include "policy/key.h"
#include "policy/vary.h"

namespace seawall::fill {

class FillTable {
 public:
  FillTable(const FillOptions& options, cache::Store& store);
  ~FillTable();

  enum class Join : std::uint8_t {
    kStarted,  // `fresh` is in the table now; the caller starts it
    kJoined,   // another request's fetch
    kChanged,  // the store has something new for the key: look again
    kTooMany,  // a bound on fetches for one key
  };
  struct Joined {
    Join outcome;
    Ref<Fill> fill;
  };
  // One critical section: either joins a fetch that will answer this request, or registers `fresh` (made beforehand).
  // `seen` is the object that the look-up found (null: none).
  Joined join_or_start(const Ref<Fill>& fresh, const cache::Object* seen);

  // A fetch of the whole that new requests may join and that has no head yet; null: none. Cheaper than to make one and
  // to find that it is not needed.
  Ref<Fill> find_waiting(std::string_view key, std::uint64_t hash) const;

  // Takes it out; a fill calls this when it has stored what it stores, or can no longer be joined.
  void remove(const Fill& fill);
  // An unsafe request succeeded: detaches every fetch of the key, and what fetches outside the table bring is outdated
  // too. Call it before the key is erased from the store.
  void detach_all(std::string_view key, std::uint64_t hash);
  // See Invalidations.
  Invalidations invalidations(std::uint64_t hash) const;

  // Hit-for-miss: bounded in number and time.
  void mark_uncacheable(std::uint64_t hash, MonoTime now);
  void mark_cacheable(std::uint64_t hash);
  bool is_marked_uncacheable(std::uint64_t hash, MonoTime now) const;

  // Places for requests that wait for a head. False when either bound is reached.
  bool try_wait(Fill& fill);
  void end_wait(Fill& fill);

  const FillOptions& options() const { return options_; }
  std::size_t fills_in_flight() const { return in_flight_.load(std::memory_order_relaxed); }
  std::size_t waiting() const { return waiting_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::size_t kCounters = 8192;  // of each kind
  struct Shard;
  Shard& shard_of(std::uint64_t hash) const;

  FillOptions options_;
  cache::Store& store_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::vector<std::atomic<std::uint32_t>> invalidations_;
  std::atomic<std::size_t> in_flight_{0};
  std::atomic<std::size_t> waiting_{0};
};

}  // namespace seawall::fill
