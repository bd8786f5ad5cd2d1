// Which object goes when room is needed. A policy only names victims; the store removes them. One global instance and
// one mutex (the store's), taken on insert, erase and evict; a hit is one relaxed store and takes no lock.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/list.h"

namespace seawall::cache {

// Embedded in every cached object. All but `hits` and `share_node` belongs to the policy, under its lock.
struct EvictionEntry {
  ListNode node;
  ListNode share_node;         // the store's: see share_group.h
  std::uint64_t key_hash = 0;  // variants of a URL may share it
  std::uint64_t size_bytes = 0;
  std::atomic<std::uint8_t> hits{0};
  std::uint8_t queue = 0;  // the policy's mark; 0 = not listed
};

class EvictionPolicy {
 public:
  virtual ~EvictionPolicy() = default;

  // Any thread, no lock: saturates, and writes only when the value changes, so that a hot object's line stays shared.
  static void touch(EvictionEntry& entry, std::uint8_t ceiling = 3) {
    const std::uint8_t h = entry.hits.load(std::memory_order_relaxed);
    if (h < ceiling) entry.hits.store(static_cast<std::uint8_t>(h + 1), std::memory_order_relaxed);
  }

  // Under the store's policy lock, all of these.
  virtual void insert(EvictionEntry& entry) = 0;
  virtual void erase(EvictionEntry& entry) = 0;  // no effect when not listed
  // Unlists and returns the next victim and remembers its ghost; nullptr when nothing is listed. O(1) amortised.
  virtual EvictionEntry* evict() = 0;
  // How much an entry is in use, from 0 (not listed, or never asked for); what has proved itself comes above what is on
  // probation.
  virtual std::uint32_t heat(const EvictionEntry& entry) const = 0;
  virtual std::uint64_t listed_bytes() const = 0;
  // What the policy itself occupies (ghost entries), to be charged.
  virtual std::size_t overhead_bytes() const = 0;
};

// S3-FIFO (Yang et al., SOSP 2023) by bytes: a small probationary queue (10 %), a main queue with lazy promotion, and a
// ghost of keys evicted from the small one, as many bytes' worth as the main queue is due, their own memory bounded.
// `capacity_bytes` sizes the ghost; the queues' shares are of what is listed.
std::unique_ptr<EvictionPolicy> make_s3_fifo(std::uint64_t capacity_bytes);

}  // namespace seawall::cache
