// GreedyDual-Size-Frequency: the least of age + frequency / size goes, and its value becomes the age. Invariant: an
// entry is in the set, under its present `due`, exactly when it is listed. Thread: the caller's lock.
#include <algorithm>
#include <limits>
#include <set>

#include "base/check.h"
#include "cache/eviction.h"

namespace seawall::cache {
namespace {

constexpr std::uint64_t kUnit = std::uint64_t{1} << 40;
// What a node of the set takes with its links and the allocator's rounding.
constexpr std::size_t kNodeBytes = 48;
constexpr std::uint8_t kMaxFrequency = 254;

class Gdsf final : public EvictionPolicy {
 public:
  bool wants_hits() const override { return true; }

  void insert(EvictionEntry& entry) override {
    SW_CHECK(entry.queue == 0, "listed twice");
    entry.frequency = 0;
    put_back(entry);
  }

  void put_back(EvictionEntry& entry) override {
    entry.queue = kListed;
    entry.due = value(entry);
    by_due_.insert(&entry);
    bytes_ += entry.size_bytes;
  }

  void erase(EvictionEntry& entry) override {
    if (entry.queue == 0) return;
    by_due_.erase(&entry);
    entry.queue = 0;
    bytes_ -= entry.size_bytes;
  }

  void hit(EvictionEntry& entry) override {
    if (entry.queue == 0) return;
    by_due_.erase(&entry);
    if (entry.frequency < kMaxFrequency) ++entry.frequency;
    entry.due = value(entry);
    by_due_.insert(&entry);
  }

  EvictionEntry* evict() override {
    if (by_due_.empty()) return nullptr;
    EvictionEntry* entry = *by_due_.begin();
    age_ = entry->due;
    erase(*entry);
    return entry;
  }

  std::uint32_t heat(const EvictionEntry& entry) const override { return entry.queue == 0 ? 0U : entry.frequency; }
  std::uint64_t listed_bytes() const override { return bytes_; }
  std::size_t overhead_bytes() const override { return by_due_.size() * kNodeBytes; }

 private:
  static constexpr std::uint8_t kListed = 1;
  struct Sooner {
    bool operator()(const EvictionEntry* a, const EvictionEntry* b) const {
      if (a->due != b->due) return a->due < b->due;
      return a->key_hash != b->key_hash ? a->key_hash < b->key_hash : std::less<>()(a, b);
    }
  };
  std::uint64_t value(const EvictionEntry& entry) const {
    return age_ + (entry.frequency + 1U) * (kUnit / std::max<std::uint64_t>(entry.size_bytes, 1));
  }

  std::set<EvictionEntry*, Sooner> by_due_;
  std::uint64_t age_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace

std::unique_ptr<EvictionPolicy> make_gdsf() {
  return std::make_unique<Gdsf>();
}

}  // namespace seawall::cache
