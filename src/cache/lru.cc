// Least recently used: one list, the most recent at its back. Thread: the caller's lock.
#include "base/check.h"
#include "cache/eviction.h"

namespace seawall::cache {
namespace {

class Lru final : public EvictionPolicy {
 public:
  bool wants_hits() const override { return true; }

  void insert(EvictionEntry& entry) override {
    SW_CHECK(entry.queue == 0, "listed twice");
    entry.queue = kListed;
    list_.push_back(entry);
    bytes_ += entry.size_bytes;
  }

  void erase(EvictionEntry& entry) override {
    if (entry.queue == 0) return;
    entry.node.unlink();
    entry.queue = 0;
    bytes_ -= entry.size_bytes;
  }

  void hit(EvictionEntry& entry) override {
    if (entry.queue != 0) list_.push_back(entry);
  }

  EvictionEntry* evict() override {
    EvictionEntry* entry = list_.front();
    if (entry) erase(*entry);
    return entry;
  }

  std::uint32_t heat(const EvictionEntry& entry) const override {
    return entry.queue == 0 ? 0 : entry.hits.load(std::memory_order_relaxed);
  }
  std::uint64_t listed_bytes() const override { return bytes_; }
  std::size_t overhead_bytes() const override { return 0; }

 private:
  static constexpr std::uint8_t kListed = 1;
  List<EvictionEntry, &EvictionEntry::node> list_;
  std::uint64_t bytes_ = 0;
};

}  // namespace

std::unique_ptr<EvictionPolicy> make_lru() {
  return std::make_unique<Lru>();
}

}  // namespace seawall::cache
