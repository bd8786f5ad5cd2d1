// SIEVE: one queue in order of arrival; a hand walks it from the oldest to the newest, spares once what was hit, and
// evicts the first that was not. Nothing is moved. Invariant: the hand is a listed entry or null (the oldest). Thread:
// the caller's lock.
#include "base/check.h"
#include "cache/eviction.h"

namespace seawall::cache {
namespace {

// A walk over a whole queue of hot objects would hold the mutex for too long.
constexpr int kMaxSteps = 256;

class Sieve final : public EvictionPolicy {
 public:
  void insert(EvictionEntry& entry) override {
    SW_CHECK(entry.queue == 0, "listed twice");
    entry.frequency = 0;
    put_back(entry);
  }

  void put_back(EvictionEntry& entry) override {
    entry.queue = kListed;
    queue_.push_back(entry);
    bytes_ += entry.size_bytes;
  }

  void erase(EvictionEntry& entry) override {
    if (entry.queue == 0) return;
    if (hand_ == &entry) hand_ = queue_.next(entry);
    entry.node.unlink();
    entry.queue = 0;
    bytes_ -= entry.size_bytes;
  }

  EvictionEntry* evict() override {
    if (queue_.empty()) return nullptr;
    for (int steps = 0;; ++steps) {
      if (!hand_) hand_ = queue_.front();
      EvictionEntry* entry = hand_;
      if (entry->hits.load(std::memory_order_relaxed) == 0 || steps == kMaxSteps) {
        erase(*entry);
        return entry;
      }
      entry->hits.store(0, std::memory_order_relaxed);
      entry->frequency = 1;
      hand_ = queue_.next(*entry);
    }
  }

  std::uint32_t heat(const EvictionEntry& entry) const override {
    return entry.queue == 0 ? 0 : entry.hits.load(std::memory_order_relaxed);
  }
  std::uint64_t listed_bytes() const override { return bytes_; }
  std::size_t overhead_bytes() const override { return 0; }

 private:
  static constexpr std::uint8_t kListed = 1;
  List<EvictionEntry, &EvictionEntry::node> queue_;
  EvictionEntry* hand_ = nullptr;
  std::uint64_t bytes_ = 0;
};

}  // namespace

std::unique_ptr<EvictionPolicy> make_sieve() {
  return std::make_unique<Sieve>();
}

}  // namespace seawall::cache
