// Which object goes when room is needed. A policy only names victims; the store removes them. One global instance and
// one mutex (the store's), taken on insert, erase and evict; a hit is one relaxed load and now and then a store, and
// takes no lock.
//
// The policies that by their papers move an entry on each hit (LRU, W-TinyLFU, GDSF) say so by wants_hits(). The store
// then tells them of a hit if nobody else has the lock at that moment; if somebody has, that hit counts for nothing. A
// simulation tells them of every one.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/list.h"

namespace seawall::cache {

// Embedded in every cached object, 96 bytes. What is not said to be somebody else's belongs to the policy, under its
// lock.
struct EvictionEntry {
  ListNode node;
  ListNode share_node;         // the store's: see share_group.h
  ListNode expiry_node;        // the store's: see expiry_wheel.h
  std::uint64_t key_hash = 0;  // variants of a URL may share it
  std::uint64_t size_bytes = 0;
  std::uint64_t due = 0;
  std::uint32_t expires_s = 0;  // of WallTime, in seconds: from then on it is of no use, even stale; 0 = never
  std::uint16_t cost_ms = 0;    // how long the origin took for it; 0 = not known
  std::atomic<std::uint8_t> hits{0};
  std::uint8_t frequency = 0;  // of what the policy has counted and taken out of `hits`; 0 = none
  std::uint16_t queue = 0;     // the policy's mark; 0 = not listed
};

class EvictionPolicy {
 public:
  // Where `hits` stops.
  static constexpr std::uint8_t kMaxHits = 7;

  virtual ~EvictionPolicy() = default;

  // Any thread, no lock: saturates, and writes only when the value changes, so that a hot object's line stays shared.
  static void touch(EvictionEntry& entry) {
    const std::uint8_t h = entry.hits.load(std::memory_order_relaxed);
    if (h < kMaxHits) entry.hits.store(static_cast<std::uint8_t>(h + 1), std::memory_order_relaxed);
  }
  // Whether it was asked for again since it came. Under the store's policy lock, also of what evict() has just named.
  static bool was_hit(const EvictionEntry& entry) {
    return entry.frequency > 0 || entry.hits.load(std::memory_order_relaxed) > 0;
  }
  // Before put_back() of what stands in another's place and is the same at another size.
  static void take_proof(EvictionEntry& entry, const EvictionEntry& from) {
    entry.frequency = from.frequency;
    entry.hits.store(from.hits.load(std::memory_order_relaxed), std::memory_order_relaxed);
  }
  // Any thread; does not change.
  virtual bool wants_hits() const { return false; }

  // Under the store's policy lock, all of these.
  virtual void insert(EvictionEntry& entry) = 0;
  virtual void erase(EvictionEntry& entry) = 0;  // no effect when not listed
  virtual void hit(EvictionEntry& /*entry*/) {}  // only if wants_hits(); no effect when not listed
  // Unlists and returns the next victim and remembers its ghost; nullptr when nothing is listed. O(1) amortised.
  virtual EvictionEntry* evict() = 0;
  // Lists again what evict() has just named and is spared, with what it had proved, as the last of its like.
  virtual void put_back(EvictionEntry& entry) { insert(entry); }
  // How much an entry is in use, from 0 (not listed, or never asked for); what has proved itself comes above what is on
  // probation.
  virtual std::uint32_t heat(const EvictionEntry& entry) const = 0;
  virtual std::uint64_t listed_bytes() const = 0;
  // What the policy itself occupies (ghost entries), to be charged.
  virtual std::size_t overhead_bytes() const = 0;
};

enum class Eviction : std::uint8_t { kTide, kLru, kS3Fifo, kSieve, kWTinyLfu, kGdsf };

// In the order of Eviction.
std::span<const std::string_view> eviction_names();
// `capacity_bytes` sizes ghosts; shares of queues are of what is listed.
std::unique_ptr<EvictionPolicy> make_policy(Eviction which, std::uint64_t capacity_bytes);

// seawall's own: see tide.cc.
std::unique_ptr<EvictionPolicy> make_tide(std::uint64_t capacity_bytes);
// Least recently used.
std::unique_ptr<EvictionPolicy> make_lru();
// S3-FIFO (Yang et al., SOSP 2023) by bytes: a small probationary queue (10 %), a main queue with lazy promotion, and a
// ghost of keys evicted from the small one, as many bytes' worth as the main queue is due, their own memory bounded.
std::unique_ptr<EvictionPolicy> make_s3_fifo(std::uint64_t capacity_bytes);
// SIEVE (Zhang et al., NSDI 2024).
std::unique_ptr<EvictionPolicy> make_sieve();
// W-TinyLFU (Einziger et al., ACM ToS 2017) by bytes: a window of 1 %, segmented LRU behind it.
std::unique_ptr<EvictionPolicy> make_w_tinylfu(std::uint64_t capacity_bytes);
// GreedyDual-Size-Frequency (Cherkasova, 1998). O(log n).
std::unique_ptr<EvictionPolicy> make_gdsf();

}  // namespace seawall::cache
