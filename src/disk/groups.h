// What groups of records (routes) take of each volume, and what they may take. A group is known by its label, which its
// records carry on the disk; in memory by a number, which is the place of its label in a table of fixed size. Of each
// volume a group has its bounds in proportion to the volume's capacity. Thread: any; no locks.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "disk/tier.h"

namespace seawall::disk {

class Groups {
 public:
  static constexpr unsigned kBits = 12;
  static constexpr std::size_t kNumbers = std::size_t{1} << kBits;

  explicit Groups(std::span<const VolumeOptions> volumes);

  // 0: none, which has no bounds, and whose bytes are not counted. So it is for a new label when the table is full.
  std::uint16_t number_of(std::uint32_t label);
  std::uint32_t label_of(std::uint16_t number) const { return labels_[number].load(std::memory_order_relaxed); }
  void set_bounds(std::uint32_t label, GroupBounds bounds);

  void add(std::size_t volume, std::uint16_t number, std::uint64_t bytes) {
    if (number != 0) used(volume, number).fetch_add(bytes, std::memory_order_relaxed);
  }
  void remove(std::size_t volume, std::uint16_t number, std::uint64_t bytes) {
    if (number != 0) used(volume, number).fetch_sub(bytes, std::memory_order_relaxed);
  }
  void count_evicted(std::uint16_t number) { evicted_[number].fetch_add(1, std::memory_order_relaxed); }

  std::uint64_t used_bytes(std::size_t volume, std::uint16_t number) const {
    return used_[volume * kNumbers + number].load(std::memory_order_relaxed);
  }
  // On that volume; 0: none.
  std::uint64_t max_bytes(std::size_t volume, std::uint16_t number) const;
  bool exceeds(std::size_t volume, std::uint16_t number, std::uint64_t bytes) const {
    const std::uint64_t max = max_bytes(volume, number);
    return max != 0 && bytes > max;
  }
  bool is_over_max(std::size_t volume, std::uint16_t number) const {
    return exceeds(volume, number, used_bytes(volume, number));
  }
  // Whether it would have less than its guarantee without so many of its bytes.
  bool spares(std::size_t volume, std::uint16_t number, std::uint64_t bytes) const;
  GroupUse use(std::uint32_t label);

 private:
  std::atomic<std::uint64_t>& used(std::size_t volume, std::uint16_t number) {
    return used_[volume * kNumbers + number];
  }
  std::uint64_t part(std::size_t volume, std::uint64_t bytes) const {
    return static_cast<std::uint64_t>(static_cast<double>(bytes) * parts_[volume]);
  }

  std::vector<double> parts_;  // of the whole, by volume
  std::vector<std::atomic<std::uint64_t>> used_;
  std::array<std::atomic<std::uint32_t>, kNumbers> labels_{};  // 0: free; the first is never taken
  std::array<std::atomic<std::uint64_t>, kNumbers> guaranteed_{};
  std::array<std::atomic<std::uint64_t>, kNumbers> max_{};
  std::array<std::atomic<std::uint64_t>, kNumbers> evicted_{};
};

}  // namespace seawall::disk
