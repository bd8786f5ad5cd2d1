// W-TinyLFU by bytes. What is new enters a window (LRU, 1 %). When room is needed and the window has more than that,
// its oldest stands against the oldest of the main part's probation: the one asked for less often by the sketch is
// evicted, and if that is the other, the newcomer goes over into probation. A hit there leads into the protected part
// (80 % of main), whose overflow comes back. Invariants: an entry is in the list that its `queue` names; bytes_ are
// the lists' sums. Thread: the caller's lock.
#include <array>

#include "base/check.h"
#include "cache/eviction.h"
#include "cache/frequency_sketch.h"

namespace seawall::cache {
namespace {

class WTinyLfu final : public EvictionPolicy {
 public:
  explicit WTinyLfu(std::uint64_t capacity_bytes) : room_bytes_(capacity_bytes) {}

  bool wants_hits() const override { return true; }

  void insert(EvictionEntry& entry) override {
    SW_CHECK(entry.queue == kUnlisted, "listed twice");
    ++listed_;
    sketch_.reserve(listed_);
    sketch_.add(entry.key_hash);
    push(entry, kWindow);
    // While there is room in main, nobody has to go for a newcomer.
    while (bytes_[kWindow] > room_bytes_ / kWindowDivisor) {
      EvictionEntry& oldest = *lists_[kWindow].front();
      if (main_bytes() + oldest.size_bytes > room_bytes_ - room_bytes_ / kWindowDivisor) break;
      take(oldest);
      push(oldest, kProbation);
    }
  }

  void erase(EvictionEntry& entry) override {
    if (entry.queue == kUnlisted) return;
    take(entry);
    --listed_;
  }

  void hit(EvictionEntry& entry) override {
    if (entry.queue == kUnlisted) return;
    sketch_.add(entry.key_hash);
    const std::uint16_t from = entry.queue;
    take(entry);
    push(entry, from == kWindow ? kWindow : kProtected);
    while (bytes_[kProtected] * 5 > main_bytes() * 4) {
      EvictionEntry* oldest = lists_[kProtected].front();
      if (oldest == &entry) break;
      take(*oldest);
      push(*oldest, kProbation);
    }
  }

  EvictionEntry* evict() override {
    room_bytes_ = listed_bytes();
    EvictionEntry* victim = lists_[kProbation].empty() ? lists_[kProtected].front() : lists_[kProbation].front();
    EvictionEntry* newcomer = lists_[kWindow].front();
    if (!victim || (newcomer && bytes_[kWindow] * kWindowDivisor > listed_bytes())) {
      if (victim && sketch_.estimate(newcomer->key_hash) > sketch_.estimate(victim->key_hash)) {
        take(*newcomer);
        push(*newcomer, kProbation);
      } else {
        victim = newcomer;
      }
    }
    if (victim) erase(*victim);
    return victim;
  }

  std::uint32_t heat(const EvictionEntry& entry) const override {
    if (entry.queue == kUnlisted) return 0;
    return entry.hits.load(std::memory_order_relaxed) + (entry.queue == kProtected ? kMaxHits + 1U : 0U);
  }
  std::uint64_t listed_bytes() const override { return bytes_[kWindow] + main_bytes(); }
  std::size_t overhead_bytes() const override { return sketch_.overhead_bytes(); }

 private:
  enum Queue : std::uint8_t { kUnlisted, kWindow, kProbation, kProtected, kQueues };
  static constexpr std::uint64_t kWindowDivisor = 100;

  std::uint64_t main_bytes() const { return bytes_[kProbation] + bytes_[kProtected]; }
  void push(EvictionEntry& entry, std::uint16_t queue) {
    entry.queue = queue;
    lists_[queue].push_back(entry);
    bytes_[queue] += entry.size_bytes;
  }
  void take(EvictionEntry& entry) {
    bytes_[entry.queue] -= entry.size_bytes;
    entry.node.unlink();
    entry.queue = kUnlisted;
  }

  std::array<List<EvictionEntry, &EvictionEntry::node>, kQueues> lists_;
  std::array<std::uint64_t, kQueues> bytes_{};
  std::size_t listed_ = 0;
  std::uint64_t room_bytes_;  // what was listed when room was last needed
  FrequencySketch sketch_;
};

}  // namespace

std::unique_ptr<EvictionPolicy> make_w_tinylfu(std::uint64_t capacity_bytes) {
  return std::make_unique<WTinyLfu>(capacity_bytes);
}

}  // namespace seawall::cache
