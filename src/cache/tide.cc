// Tide, seawall's own policy: S3-FIFO's probation, ghost and lazy promotion over GreedyDual queues that know what an
// entry's bytes are worth.
//
// Worth. To keep an entry of f requests and s bytes saves f misses and f * s missed bytes for s bytes of cache. Both
// matter, each in relation to what is missed anyway, so what a byte of it is worth is
//     f' * (cost / s + w / m),   m = mean size of what is missed, f' = f to the power 0.85
// which is GDSF for what is small beside m / w, and LFU for what is large: no exponent to be tuned to the sizes of the
// traffic. `cost` is how long the origin took in relation to others, within [1/4, 4]; 1 where that is not known.
//
// Queues. Two groups, what is on probation (not asked for again yet) and what has proved itself. In each an entry is
// due at the group's age + its worth, rounded down to three binary digits: one FIFO for each class of worth is in the
// order of `due`, and a tournament among their heads knows the least. (Half octaves would do for most traffic, but make
// a lottery of which sizes of a loop stay.) A hit only counts; an entry that comes due with hits goes to the class of
// its new frequency, one without is evicted and its `due` is the group's age then. Ages never mix: a flood of what is
// new ages probation alone.
//
// Shares. Probation gives as long as it has more than its share of the bytes. A ghost remembers as many bytes as the
// cache has, with the frequency; what is asked for again out of it is proved from then on, and moves the share as in
// ARC: up when it had been evicted from probation, else down, by what the miss cost.
//
// Invariants: an entry is in the queue that its `queue` names; a group's bytes are the sum of its queues; the
// tournament knows the head of each. Those of a group are due within 2^63 of one another, so `due` may wrap around.
// Thread: the caller's lock.
#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "base/check.h"
#include "cache/eviction.h"
#include "cache/ghost.h"

namespace seawall::cache {
namespace {

constexpr std::uint64_t kUnit = std::uint64_t{1} << 40;  // 1 / byte
// w: how much a relative change of missed bytes counts beside one of misses.
constexpr std::uint64_t kByteWeight = 11;
constexpr std::uint64_t kByteWeightUnit = 64;
constexpr std::uint8_t kMaxFrequency = 7;
constexpr std::uint8_t kGhostFrequency = 2;
// f to the power 0.85 in sixteenths; what was never asked for again compares only with its like.
constexpr std::array<std::uint64_t, kMaxFrequency + 1> kPowers = {16, 16, 29, 41, 52, 63, 73, 84};
constexpr std::uint64_t kPowerUnit = 16;
constexpr std::uint64_t kCostUnit = 16;
constexpr std::uint64_t kMaxCost = 4 * kCostUnit;
constexpr std::uint64_t kMinCost = kCostUnit / 4;

constexpr std::size_t kClasses = 512;  // for worths below 2^64; a power of two, for the tournament
constexpr std::size_t kGroups = 2;
constexpr int kDigits = 3;

// Probation's share of the bytes, in units of 2^-32.
constexpr std::uint64_t kWhole = std::uint64_t{1} << 32;
constexpr std::uint64_t kFirstShare = kWhole / 20 * 3;
constexpr std::uint64_t kLeastShare = kWhole / 20;
constexpr std::uint64_t kMostShare = kWhole / 2;
constexpr std::uint64_t kMaxImbalance = 10;
constexpr std::uint64_t kMaxRelativeCost = 64 * kCostUnit;  // of one miss

// Re-enqueued by one evict() at most: the mutex is not held for a walk over a queue of hot objects.
constexpr int kMaxSteps = 256;
// Means are over so many of the last misses, or as many as there are entries if that is more.
constexpr std::int64_t kMinSample = 1000;
constexpr std::size_t kGhostPerResident = 2;
constexpr std::size_t kGhostMinEntries = 1024;

std::size_t class_of(std::uint64_t worth) {
  constexpr std::uint64_t kSteps = std::uint64_t{1} << kDigits;
  if (worth < kSteps) return static_cast<std::size_t>(worth);
  const int shift = static_cast<int>(std::bit_width(worth)) - 1 - kDigits;
  return static_cast<std::size_t>((static_cast<std::uint64_t>(shift) << kDigits) + (worth >> shift));
}

// The least of a class.
std::uint64_t worth_of_class(std::size_t k) {
  constexpr std::size_t kSteps = std::size_t{1} << kDigits;
  if (k < 2 * kSteps) return k;
  return std::uint64_t{kSteps + k % kSteps} << (k / kSteps - 1);
}

bool is_sooner(std::uint64_t a, std::uint64_t b) {
  return static_cast<std::int64_t>(a - b) < 0;
}

// Of the last few, weighing the newest most. In 1/256.
class Mean {
 public:
  void add(std::uint64_t value, std::int64_t sample) {
    const auto scaled = static_cast<std::int64_t>(value * 256);
    scaled_ = scaled_ == 0 ? scaled : scaled_ + (scaled - scaled_) / sample;
  }
  std::uint64_t value() const { return static_cast<std::uint64_t>(scaled_) / 256; }

 private:
  std::int64_t scaled_ = 0;
};

class Tide final : public EvictionPolicy {
 public:
  explicit Tide(std::uint64_t capacity_bytes) : capacity_bytes_(capacity_bytes) {}

  void insert(EvictionEntry& entry) override {
    SW_CHECK(entry.queue == kUnlisted, "listed twice");
    const std::int64_t sample = std::max<std::int64_t>(kMinSample, static_cast<std::int64_t>(listed_));
    mean_bytes_.add(counted_bytes(entry), sample);
    if (entry.cost_ms != 0) mean_cost_ms_.add(entry.cost_ms, sample);
    entry.frequency = 0;
    const std::uint64_t probation_ghosts = ghost_.bytes() - ghost_.marked_bytes();
    const std::uint64_t proved_ghosts = ghost_.marked_bytes();
    if (const auto frequency = ghost_.take(entry.key_hash)) {
      const bool was_proved = *frequency != 0;
      const std::uint64_t imbalance = was_proved ? probation_ghosts / std::max<std::uint64_t>(proved_ghosts, 1)
                                                 : proved_ghosts / std::max<std::uint64_t>(probation_ghosts, 1);
      move_share(entry, was_proved, std::clamp<std::uint64_t>(imbalance, 1, kMaxImbalance), sample);
      entry.frequency = std::clamp<std::uint8_t>(*frequency + 1, kGhostFrequency, kMaxFrequency);
    }
    ++listed_;
    enqueue(entry);
  }

  void erase(EvictionEntry& entry) override {
    if (entry.queue == kUnlisted) return;
    dequeue(entry);
    --listed_;
  }

  EvictionEntry* evict() override {
    if (listed_ == 0) return nullptr;
    for (int steps = 0;; ++steps) {
      Group& group = groups_[probation_gives() ? kProbation : kProved];
      EvictionEntry& entry = group.next_due();
      const std::uint8_t hits = entry.hits.load(std::memory_order_relaxed);
      if (hits == 0 || steps == kMaxSteps) {
        group.age = entry.due;
        erase(entry);
        remember(entry);
        return &entry;
      }
      // A hit between load and store is lost; it counts for little.
      entry.hits.store(0, std::memory_order_relaxed);
      dequeue(entry);
      entry.frequency = std::min<std::uint8_t>(entry.frequency + hits, kMaxFrequency);
      enqueue(entry);
    }
  }

  void put_back(EvictionEntry& entry) override {
    ghost_.take(entry.key_hash);
    ++listed_;
    enqueue(entry);
  }

  std::uint32_t heat(const EvictionEntry& entry) const override {
    if (entry.queue == kUnlisted) return 0;
    const std::uint32_t hits = entry.hits.load(std::memory_order_relaxed);
    return entry.frequency == 0 ? hits : hits + entry.frequency + kMaxHits;
  }

  std::uint64_t listed_bytes() const override { return groups_[kProbation].bytes + groups_[kProved].bytes; }
  std::size_t overhead_bytes() const override { return ghost_.overhead_bytes(); }

 private:
  static constexpr std::uint16_t kUnlisted = 0;
  enum GroupName : std::uint8_t { kProbation, kProved };

  struct Group {
    std::array<List<EvictionEntry, &EvictionEntry::node>, kClasses> queues;
    std::array<const EvictionEntry*, 2 * kClasses> soonest{};  // [1] of all; [kClasses + k] is queue k's head
    std::uint64_t age = 0;
    std::uint64_t bytes = 0;
    std::size_t entries = 0;

    // After the head of queue k has changed.
    void replay(std::size_t k) {
      soonest[kClasses + k] = queues[k].front();
      for (std::size_t at = (kClasses + k) / 2; at > 0; at /= 2) {
        const EvictionEntry* left = soonest[2 * at];
        const EvictionEntry* right = soonest[2 * at + 1];
        soonest[at] = !left || (right && is_sooner(right->due, left->due)) ? right : left;
      }
    }
    EvictionEntry& next_due() {
      SW_CHECK(soonest[1], "entries without a queue");
      return *queues[(soonest[1]->queue - 1U) % kClasses].front();
    }
  };

  // Bounded, so that no product overflows.
  static std::uint64_t counted_bytes(const EvictionEntry& entry) {
    return std::clamp<std::uint64_t>(entry.size_bytes, 1, std::uint64_t{1} << 36);
  }

  std::uint64_t relative_cost(const EvictionEntry& entry) const {
    if (entry.cost_ms == 0) return kCostUnit;
    return std::clamp(entry.cost_ms * kCostUnit / std::max<std::uint64_t>(mean_cost_ms_.value(), 1), kMinCost,
                      kMaxCost);
  }

  std::uint64_t worth(const EvictionEntry& entry) const {
    const std::uint64_t of_miss = kUnit / counted_bytes(entry) * relative_cost(entry) / kCostUnit;
    const std::uint64_t of_bytes =
        kUnit * kByteWeight / kByteWeightUnit / std::max<std::uint64_t>(mean_bytes_.value(), 1);
    return (of_miss + of_bytes) * kPowers[entry.frequency] / kPowerUnit;
  }

  void enqueue(EvictionEntry& entry) {
    const std::size_t group_at = entry.frequency == 0 ? kProbation : kProved;
    Group& group = groups_[group_at];
    const std::size_t k = class_of(worth(entry));
    entry.due = group.age + worth_of_class(k);
    entry.queue = static_cast<std::uint16_t>(1 + group_at * kClasses + k);
    const bool is_first = group.queues[k].empty();
    group.queues[k].push_back(entry);
    if (is_first) group.replay(k);
    group.bytes += entry.size_bytes;
    ++group.entries;
  }

  void dequeue(EvictionEntry& entry) {
    Group& group = groups_[(entry.queue - 1U) / kClasses];
    const std::size_t k = (entry.queue - 1U) % kClasses;
    const bool is_first = group.queues[k].front() == &entry;
    group.bytes -= entry.size_bytes;
    --group.entries;
    entry.node.unlink();
    entry.queue = kUnlisted;
    if (is_first) group.replay(k);
  }

  bool probation_gives() const {
    const Group& probation = groups_[kProbation];
    if (groups_[kProved].entries == 0) return true;
    if (probation.entries == 0) return false;
    // In 2^-16, so that neither side overflows.
    return probation.bytes >= (listed_bytes() * (share_ >> 16)) >> 16;
  }

  // By 1 / sample of the whole for an average miss.
  void move_share(const EvictionEntry& entry, bool was_proved, std::uint64_t imbalance, std::int64_t sample) {
    const std::uint64_t mean = std::max<std::uint64_t>(mean_bytes_.value(), 1);
    const std::uint64_t cost = kByteWeightUnit * mean + kByteWeight * counted_bytes(entry);  // of such a miss
    const std::uint64_t average = (kByteWeightUnit + kByteWeight) * mean;
    const std::uint64_t relative = std::min(cost * kCostUnit / average, kMaxRelativeCost);
    const std::uint64_t step =
        std::min(kWhole / static_cast<std::uint64_t>(sample) * imbalance * relative / kCostUnit, kWhole);
    share_ = was_proved ? share_ - std::min(share_, step) : share_ + step;
    share_ = std::clamp(share_, kLeastShare, kMostShare);
  }

  void remember(const EvictionEntry& entry) {
    ghost_.push(entry.key_hash, entry.size_bytes, entry.frequency);
    ghost_.trim(capacity_bytes_, kGhostMinEntries + kGhostPerResident * listed_);
  }

  const std::uint64_t capacity_bytes_;
  std::array<Group, kGroups> groups_;
  std::uint64_t share_ = kFirstShare;
  std::size_t listed_ = 0;
  Mean mean_bytes_;
  Mean mean_cost_ms_;
  Ghost ghost_;
};

}  // namespace

std::unique_ptr<EvictionPolicy> make_tide(std::uint64_t capacity_bytes) {
  return std::make_unique<Tide>(capacity_bytes);
}

}  // namespace seawall::cache
