// S3-FIFO by bytes. Invariants: an entry is in exactly the list that its `queue` names; small_bytes_ and main_bytes_
// are the sums of their lists; the ghost holds at most kGhostPerResident keys for each listed entry (and a few more),
// worth at most what the main queue is due. Thread: the caller's lock.
//
// One evict() makes at most kMaxSteps promotions and reinsertions and then takes the next entry whatever its hits:
// the mutex is never held for a walk over a whole queue of hot objects.
#include <algorithm>

#include "base/check.h"
#include "cache/eviction.h"
#include "cache/ghost.h"

namespace seawall::cache {
namespace {

constexpr std::uint64_t kSmallDivisor = 10;
// One hit is enough: at two, object misses of the CloudPhysics block trace rise by 0.6 % (a tenth of its bytes cached)
// and 7 % (three tenths).
constexpr std::uint8_t kPromoteHits = 1;
constexpr int kMaxSteps = 256;
constexpr std::size_t kGhostPerResident = 2;
constexpr std::size_t kGhostMinEntries = 1024;
constexpr std::uint8_t kCountedHits = 3;
constexpr std::uint32_t kMainHeat = kCountedHits + 1;  // more than hits can tell

class S3Fifo final : public EvictionPolicy {
 public:
  explicit S3Fifo(std::uint64_t capacity_bytes) : capacity_bytes_(capacity_bytes) {}

  void insert(EvictionEntry& entry) override {
    SW_CHECK(entry.queue == kUnlisted, "listed twice");
    ++listed_;
    if (ghost_.take(entry.key_hash)) {
      push_main(entry);
    } else {
      push_small(entry);
    }
  }

  void erase(EvictionEntry& entry) override {
    if (entry.queue != kUnlisted) unlist(entry);
  }

  EvictionEntry* evict() override {
    for (int steps = 0;; ++steps) {
      EvictionEntry* entry = small_is_due() ? small_.front() : main_.front();
      if (!entry) return nullptr;
      const std::uint8_t hits = hits_of(*entry);
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

  // Only what came from the small queue is remembered.
  void put_back(EvictionEntry& entry) override {
    ++listed_;
    if (entry.frequency == 0) {
      ghost_.take(entry.key_hash);
      push_small(entry);
    } else {
      push_main(entry);
    }
  }

  std::uint32_t heat(const EvictionEntry& entry) const override {
    if (entry.queue == kUnlisted) return 0;
    return hits_of(entry) + (entry.queue == kMain ? kMainHeat : 0);
  }

  std::uint64_t listed_bytes() const override { return small_bytes_ + main_bytes_; }
  std::size_t overhead_bytes() const override { return ghost_.overhead_bytes(); }

 private:
  enum Queue : std::uint8_t { kUnlisted, kSmall, kMain };
  using Fifo = List<EvictionEntry, &EvictionEntry::node>;

  static std::uint8_t hits_of(const EvictionEntry& entry) {
    return std::min(entry.hits.load(std::memory_order_relaxed), kCountedHits);
  }

  // Of what is listed, not of the capacity: bodies in flight and pinned ones take their part of that.
  bool small_is_due() const {
    if (main_.empty()) return true;
    return !small_.empty() && small_bytes_ * kSmallDivisor >= listed_bytes();
  }

  void push_small(EvictionEntry& entry) {
    entry.queue = kSmall;
    entry.frequency = 0;
    small_.push_back(entry);
    small_bytes_ += entry.size_bytes;
  }

  void push_main(EvictionEntry& entry) {
    entry.queue = kMain;
    entry.frequency = 1;
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
