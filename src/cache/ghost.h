// Keys lately evicted, oldest first, in a ring; an open-addressing table finds them. A key taken out leaves a hole in
// the ring that goes when it comes to the front or when the ring is full. Memory follows what is remembered. Thread:
// the caller's lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace seawall::cache {

class Ghost {
 public:
  // The mark that it was pushed with, if the key is remembered; forgets it.
  std::optional<std::uint8_t> take(std::uint64_t hash);
  // `mark` is the policy's.
  void push(std::uint64_t hash, std::uint64_t bytes, std::uint8_t mark = 0);
  // Forgets the oldest until it fits.
  void trim(std::uint64_t max_bytes, std::size_t max_entries);

  std::uint64_t bytes() const { return bytes_; }
  // Of those whose mark is not 0.
  std::uint64_t marked_bytes() const { return marked_bytes_; }
  std::size_t overhead_bytes() const {
    return ring_.capacity() * sizeof(Remembered) + table_.capacity() * sizeof(std::uint32_t);
  }

 private:
  struct Remembered {
    std::uint64_t hash = 0;
    std::uint64_t bytes : 56 = 0;  // 0 is a hole
    std::uint64_t mark : 8 = 0;
  };
  static_assert(sizeof(Remembered) == 16);
  static constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();

  std::size_t position(std::uint64_t sequence) const { return sequence & (ring_.size() - 1); }
  // Multiplied: hashes of a test or of a trace may be small numbers.
  std::size_t home(std::uint64_t hash) const { return ((hash * 0x9e3779b97f4a7c15U) >> 32) & (table_.size() - 1); }
  std::size_t next(std::size_t slot) const { return (slot + 1) & (table_.size() - 1); }
  std::size_t find_slot(std::uint64_t hash) const;
  void link(std::size_t at);
  void remove_slot(std::size_t gap);
  void rebuild();

  std::vector<Remembered> ring_;
  std::vector<std::uint32_t> table_;  // position in the ring + 1; 0 is free
  std::uint64_t head_ = 0;
  std::uint64_t tail_ = 0;
  std::size_t live_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t marked_bytes_ = 0;
};

}  // namespace seawall::cache
