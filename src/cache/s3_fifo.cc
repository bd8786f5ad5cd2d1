// S3-FIFO by bytes. Invariants: an entry is in exactly the list that its `queue` names; small_bytes_ and main_bytes_
// are the sums of their lists; the ghost holds at most kGhostPerResident keys for each listed entry (and a few more),
// worth at most what the main queue is due. Thread: the caller's lock.
//
// One evict() makes at most kMaxSteps promotions and reinsertions and then takes the next entry whatever its hits:
// the mutex is never held for a walk over a whole queue of hot objects.
#include <algorithm>
#include <bit>
#include <limits>
#include <vector>

#include "base/check.h"
#include "cache/eviction.h"

namespace seawall::cache {
namespace {

constexpr std::uint64_t kSmallDivisor = 10;
// One hit is enough: at two, object misses of the CloudPhysics block trace rise by 0.6 % (a tenth of its bytes cached)
// and 7 % (three tenths).
constexpr std::uint8_t kPromoteHits = 1;
constexpr std::uint32_t kMainHeat = 4;  // more than hits can tell
constexpr int kMaxSteps = 256;
constexpr std::size_t kGhostPerResident = 2;
constexpr std::size_t kGhostMinEntries = 1024;

// Keys lately evicted, oldest first, in a ring; an open-addressing table finds them. A key taken out leaves a hole in
// the ring that goes when it comes to the front or when the ring is full.
class Ghost {
 public:
  // Whether the key is remembered; forgets it.
  bool take(std::uint64_t hash) {
    const std::size_t slot = find_slot(hash);
    if (slot == kNone) return false;
    remove_slot(slot);
    return true;
  }

  void push(std::uint64_t hash, std::uint64_t bytes) {
    take(hash);
    if (tail_ - head_ == ring_.size()) rebuild();
    // Zero marks a hole.
    ring_[position(tail_)] = {.hash = hash, .bytes = std::max<std::uint64_t>(bytes, 1)};
    link(position(tail_));
    ++tail_;
    ++live_;
    bytes_ += std::max<std::uint64_t>(bytes, 1);
  }

  void trim(std::uint64_t max_bytes, std::size_t max_entries) {
    while (bytes_ > max_bytes || live_ > max_entries) {
      const Remembered& oldest = ring_[position(head_)];
      if (oldest.bytes != 0) remove_slot(find_slot(oldest.hash));
      ++head_;
    }
    if (ring_.size() > kMinRing && live_ < ring_.size() / 8) rebuild();
  }

  std::size_t overhead_bytes() const {
    return ring_.capacity() * sizeof(Remembered) + table_.capacity() * sizeof(std::uint32_t);
  }

 private:
  struct Remembered {
    std::uint64_t hash = 0;
    std::uint64_t bytes = 0;
  };
  static constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t kMinRing = 64;

  std::size_t position(std::uint64_t sequence) const { return sequence & (ring_.size() - 1); }
  // Multiplied: hashes of a test or of a trace may be small numbers.
  std::size_t home(std::uint64_t hash) const { return ((hash * 0x9e3779b97f4a7c15U) >> 32) & (table_.size() - 1); }
  std::size_t next(std::size_t slot) const { return (slot + 1) & (table_.size() - 1); }

  std::size_t find_slot(std::uint64_t hash) const {
    if (table_.empty()) return kNone;
    for (std::size_t s = home(hash); table_[s] != 0; s = next(s)) {
      if (ring_[table_[s] - 1].hash == hash) return s;
    }
    return kNone;
  }

  void link(std::size_t at) {
    std::size_t s = home(ring_[at].hash);
    while (table_[s] != 0) s = next(s);
    table_[s] = static_cast<std::uint32_t>(at + 1);
  }

  // Makes a hole of what the slot names, and closes the slot's gap in its probe sequence.
  void remove_slot(std::size_t gap) {
    Remembered& gone = ring_[table_[gap] - 1];
    bytes_ -= gone.bytes;
    --live_;
    gone.bytes = 0;
    for (std::size_t s = next(gap); table_[s] != 0; s = next(s)) {
      const std::size_t mask = table_.size() - 1;
      const std::size_t wanted = home(ring_[table_[s] - 1].hash);
      if (((s - wanted) & mask) >= ((s - gap) & mask)) {
        table_[gap] = table_[s];
        gap = s;
      }
    }
    table_[gap] = 0;
  }

  // Without holes, with room for as many again.
  void rebuild() {
    std::vector<Remembered> ring(std::max(kMinRing, std::bit_ceil(live_ * 2)));
    std::size_t n = 0;
    for (; head_ != tail_; ++head_) {
      const Remembered& r = ring_[position(head_)];
      if (r.bytes != 0) ring[n++] = r;
    }
    ring_ = std::move(ring);
    table_ = std::vector<std::uint32_t>(ring_.size() * 2, 0);
    head_ = 0;
    tail_ = n;
    for (std::size_t i = 0; i < n; ++i) link(i);
  }

  std::vector<Remembered> ring_;
  std::vector<std::uint32_t> table_;  // position in the ring + 1; 0 is free
  std::uint64_t head_ = 0;
  std::uint64_t tail_ = 0;
  std::size_t live_ = 0;
  std::uint64_t bytes_ = 0;
};

class S3Fifo final : public EvictionPolicy {
 public:
  explicit S3Fifo(std::uint64_t capacity_bytes) : capacity_bytes_(capacity_bytes) {}

  void insert(EvictionEntry& entry) override {
    SW_CHECK(entry.queue == kUnlisted, "listed twice");
    ++listed_;
    if (ghost_.take(entry.key_hash)) {
      push_main(entry);
    } else {
      entry.queue = kSmall;
      small_.push_back(entry);
      small_bytes_ += entry.size_bytes;
    }
  }

  void erase(EvictionEntry& entry) override {
    if (entry.queue != kUnlisted) unlist(entry);
  }

  EvictionEntry* evict() override {
    for (int steps = 0;; ++steps) {
      EvictionEntry* entry = small_is_due() ? small_.front() : main_.front();
      if (!entry) return nullptr;
      const std::uint8_t hits = entry->hits.load(std::memory_order_relaxed);
      const bool is_small = entry->queue == kSmall;
      if (steps == kMaxSteps || hits < (is_small ? kPromoteHits : 1)) {
        unlist(*entry);
        if (is_small) remember(*entry);
        return entry;
      }
      // A hit between load and store is lost; it counts for little.
      entry->hits.store(is_small ? 0 : static_cast<std::uint8_t>(hits - 1), std::memory_order_relaxed);
      unlist(*entry);
      ++listed_;
      push_main(*entry);
    }
  }

  std::uint32_t heat(const EvictionEntry& entry) const override {
    if (entry.queue == kUnlisted) return 0;
    return entry.hits.load(std::memory_order_relaxed) + (entry.queue == kMain ? kMainHeat : 0);
  }

  std::uint64_t listed_bytes() const override { return small_bytes_ + main_bytes_; }
  std::size_t overhead_bytes() const override { return ghost_.overhead_bytes(); }

 private:
  enum Queue : std::uint8_t { kUnlisted, kSmall, kMain };
  using Fifo = List<EvictionEntry, &EvictionEntry::node>;

  // Of what is listed, not of the capacity: bodies in flight and pinned ones take their part of that.
  bool small_is_due() const {
    if (main_.empty()) return true;
    return !small_.empty() && small_bytes_ * kSmallDivisor >= listed_bytes();
  }

  void push_main(EvictionEntry& entry) {
    entry.queue = kMain;
    main_.push_back(entry);
    main_bytes_ += entry.size_bytes;
  }

  void unlist(EvictionEntry& entry) {
    (entry.queue == kSmall ? small_bytes_ : main_bytes_) -= entry.size_bytes;
    entry.node.unlink();
    entry.queue = kUnlisted;
    --listed_;
  }

  void remember(const EvictionEntry& entry) {
    ghost_.push(entry.key_hash, entry.size_bytes);
    ghost_.trim(capacity_bytes_ - capacity_bytes_ / kSmallDivisor, kGhostMinEntries + kGhostPerResident * listed_);
  }

  const std::uint64_t capacity_bytes_;
  Fifo small_;
  Fifo main_;
  std::uint64_t small_bytes_ = 0;
  std::uint64_t main_bytes_ = 0;
  std::size_t listed_ = 0;
  Ghost ghost_;
};

}  // namespace

std::unique_ptr<EvictionPolicy> make_s3_fifo(std::uint64_t capacity_bytes) {
  return std::make_unique<S3Fifo>(capacity_bytes);
}

}  // namespace seawall::cache
