// What is on the volumes: 32 bytes for each record and an open-addressing table's slack, sharded by hash; all of it is
// charged to the budget. It orders
// everything that happens to a key: sequence numbers are drawn under its shard's lock.
//
// The rule that the rest relies on: a record that lies readable on a volume in service is in the index, or a tombstone
// that covers it was buried before it left, or its segment has durably gone, or nobody was told yet that it is
// replaced. So every removal here buries (under the shard's lock: a later call's completion then waits for it) or is a
// drop_*(), whose caller has seen to the disk.
// Thread: any.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "disk/format.h"
#include "disk/groups.h"
#include "disk/tier.h"
#include "mem/budget.h"

namespace seawall::disk {

// A segment's number for as long as it lives: the volume above, its own number there below.
inline constexpr unsigned kSlotBits = 12;
inline constexpr std::size_t kMaxSegments = std::size_t{1} << kSlotBits;
constexpr std::size_t volume_of(std::uint16_t slot) {
  return slot >> kSlotBits;
}

// Where tombstones go: the journal of the volume that has the record. Called under a shard's lock.
class Undertaker {
 public:
  virtual ~Undertaker() = default;
  virtual void bury(std::size_t volume, const JournalEntry& tombstone) = 0;
};

// A put on its way to the disk.
struct PendingPut {
  std::uint64_t hash = 0;
  std::uint64_t variant = 0;
  std::uint64_t sequence = 0;
  std::uint64_t purge_epoch = 0;
  std::size_t volume = 0;
  std::atomic<bool> is_dead{false};
};

struct Place {
  std::uint16_t slot = 0;
  std::uint64_t offset = 0;
  std::uint64_t stored_bytes = 0;  // rounded up
};

class Index {
 public:
  Index(Undertaker& undertaker, Groups& groups, MemoryBudget* budget)
      : undertaker_(undertaker), groups_(groups), budget_(budget) {}
  ~Index() { occupy(-static_cast<std::int64_t>(bytes())); }
  Index(const Index&) = delete;
  Index& operator=(const Index&) = delete;

  // Before any use: the next sequence number, the volumes that are to be loaded, and what is dead on them.
  void start(std::uint64_t next_sequence, std::uint32_t loading_volumes, std::span<const JournalEntry> tombstones);
  std::uint64_t next_sequence() const { return next_sequence_.load(); }

  std::vector<Candidate> find(std::uint64_t hash, std::uint32_t now) const;
  std::optional<Place> place_of(std::uint64_t hash, std::uint64_t sequence) const;
  void mark_used(std::uint64_t hash, std::uint64_t sequence);
  struct Standing {
    bool is_used = false;
    std::uint16_t group = 0;
    std::uint64_t bytes = 0;  // group_bytes()
  };
  // What a record counts in its group.
  static std::uint64_t group_bytes(const Entry& entry);
  // nullopt: it is not there any more.
  std::optional<Standing> standing(std::uint64_t hash, std::uint64_t sequence, std::uint16_t slot) const;

  // Replaces what is older, and draws the put's number. The caller settles or abandons it.
  std::shared_ptr<PendingPut> begin_put(const Meta& meta, std::size_t volume);
  // Draws the number, and replaces nothing yet.
  std::shared_ptr<PendingPut> begin_stream(const Meta& meta, std::size_t volume);
  // Now it replaces. False: it was itself replaced.
  bool finish_stream(const PendingPut& put);
  // Written; `entry.sequence` is the put's. False: it was replaced meanwhile.
  bool settle(const PendingPut& put, const Entry& entry, std::uint16_t slot);
  void abandon(const PendingPut& put);

  // With those on their way. How many variants of use at `now` (Unix seconds) there were.
  std::size_t erase(std::uint64_t hash, std::optional<std::uint64_t> variant, std::uint32_t now = 0);
  // One record that turned out unreadable, or has to go. False: it had gone.
  bool forget(std::uint64_t hash, std::uint64_t sequence);

  // For writing a used record again: a new number if it is still where it was, and no stream is about to replace it.
  std::optional<std::uint64_t> renumber(std::uint64_t hash, std::uint64_t sequence, std::uint16_t slot);
  // It lies elsewhere now, under `entry.sequence`. False: replaced meanwhile; nothing has changed.
  bool move(std::uint64_t old_sequence, const Entry& entry, std::uint16_t slot);

  // Room for so many more.
  void reserve(std::size_t records);
  // A record found on a volume. False: it is dead, or there is a younger one.
  bool load(const Entry& entry, std::uint16_t slot);
  // From here on what the volume does not have in the index is not on it.
  void loaded(std::size_t volume);
  bool is_loading(std::size_t volume) const { return (loading_.load() >> volume & 1) != 0; }
  bool is_loading() const { return loading_.load() != 0; }
  bool await_loaded(std::chrono::milliseconds limit);

  // The segment is durably gone. `known` are its records, or null: then everything is looked through. How many.
  std::size_t drop_segment(std::uint16_t slot, const std::vector<Entry>* known);
  // The volume is out of service and will be empty before it returns. How many.
  std::size_t drop_volume(std::size_t volume);

  // Everything on one volume.
  void collect(std::size_t volume, const std::function<void(std::uint16_t slot, const Entry&)>& each) const;
  // Of what is on its way: the lowest sequence and purge epoch; ~0 when nothing is.
  std::pair<std::uint64_t, std::uint64_t> pending_floor() const;
  std::uint64_t size() const { return size_.load(std::memory_order_relaxed); }
  std::uint64_t size(std::size_t volume) const { return by_volume_[volume].load(std::memory_order_relaxed); }
  std::uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  struct Slot {
    std::uint64_t hash;
    std::uint64_t sequence;  // 0: free
    std::uint32_t offset;    // in kRecordAlign
    std::uint32_t size;      // stored bytes in 512, rounded up, in the upper 24 bits; the body's class below
    std::uint32_t usable_until;
    std::uint16_t segment;
    std::uint16_t flags;  // above them the number of the group
  };
  static_assert(sizeof(Slot) == 32);
  struct Dead {
    std::uint64_t variant;
    std::uint64_t sequence;
    bool every_variant;
  };
  struct Shard {
    mutable Mutex mutex;
    std::vector<Slot> slots SW_GUARDED_BY(mutex);
    std::size_t used SW_GUARDED_BY(mutex) = 0;
    std::unordered_map<std::uint64_t, std::uint64_t> variants SW_GUARDED_BY(mutex);  // other than 0, by sequence
    std::unordered_map<std::uint64_t, std::vector<std::shared_ptr<PendingPut>>> pending SW_GUARDED_BY(mutex);
    std::unordered_map<std::uint64_t, std::vector<Dead>> dead SW_GUARDED_BY(mutex);  // while loading
  };
  static constexpr std::size_t kShards = 64;
  static constexpr std::size_t kNone = ~std::size_t{0};

  Shard& shard_of(std::uint64_t hash) const;
  static std::size_t home(const Shard& s, std::uint64_t hash) SW_REQUIRES(s.mutex);
  static std::size_t next(const Shard& s, std::size_t at) SW_REQUIRES(s.mutex);
  // The record with this sequence.
  static std::size_t locate(const Shard& s, std::uint64_t hash, std::uint64_t sequence) SW_REQUIRES(s.mutex);
  static std::size_t locate_variant(const Shard& s, std::uint64_t hash, std::uint64_t variant) SW_REQUIRES(s.mutex);
  static std::uint64_t variant_at(const Shard& s, std::size_t at) SW_REQUIRES(s.mutex);
  Entry entry_at(const Shard& s, std::size_t at) const SW_REQUIRES(s.mutex);
  void insert(Shard& s, const Entry& entry, std::uint16_t slot) SW_REQUIRES(s.mutex);
  void remove(Shard& s, std::size_t at) SW_REQUIRES(s.mutex);
  void resize(Shard& s, std::size_t slots) SW_REQUIRES(s.mutex);
  // Everything of the key (one variant or all) that is older than `sequence` dies. How many.
  // `each`: what it kills, a record and the put that is to replace it both.
  void kill(Shard& s, std::uint64_t hash, std::optional<std::uint64_t> variant, std::uint64_t sequence,
            const std::function<void(std::uint64_t variant, std::uint32_t usable_until)>& each = {})
      SW_REQUIRES(s.mutex);
  void bury_at(const Shard& s, std::size_t at, std::uint64_t sequence) SW_REQUIRES(s.mutex);
  void unregister(Shard& s, const PendingPut& put) SW_REQUIRES(s.mutex);
  void add_dead(Shard& s, std::uint64_t hash, Dead dead) SW_REQUIRES(s.mutex);
  // So many bytes more, or less, of the budget.
  void occupy(std::int64_t bytes);
  std::shared_ptr<PendingPut> draw(Shard& s, const Meta& meta, std::size_t volume) SW_REQUIRES(s.mutex);
  template <typename Matches>
  std::size_t drop_if(Shard& s, Matches matches) SW_REQUIRES(s.mutex);

  Undertaker& undertaker_;
  Groups& groups_;
  MemoryBudget* budget_;
  mutable std::array<Shard, kShards> shards_;
  std::atomic<std::uint64_t> next_sequence_{1};
  std::atomic<std::uint32_t> loading_{0};
  std::mutex loaded_mutex_;
  std::condition_variable loaded_;  // loading_ has come to 0
  std::atomic<std::uint64_t> size_{0};
  std::atomic<std::uint64_t> bytes_{0};
  std::array<std::atomic<std::uint64_t>, kMaxVolumes> by_volume_{};
};

}  // namespace seawall::disk
