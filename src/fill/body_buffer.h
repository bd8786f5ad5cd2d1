// The bytes of a body while it arrives: append-only runs in segments, read by offset. Kept whole while it may be
// stored; else a window that is trimmed behind the slowest reader. Thread: guarded by its Fill's mutex.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>

#include "mem/budget.h"
#include "mem/slice.h"

namespace seawall::fill {

class BodyBuffer {
 public:
  BodyBuffer(MemoryBudget& budget, std::optional<std::uint64_t> expected_bytes)
      : budget_(&budget), in_flight_(budget), expected_bytes_(expected_bytes) {}

  // How large the next segment will be when `bytes` are to be appended; 0 when they fit what is allocated.
  std::size_t next_allocation(std::size_t bytes) const;
  void append(std::string_view bytes);

  std::uint64_t size() const { return size_; }
  std::uint64_t trimmed() const { return trimmed_; }
  // Forgets what lies before `offset`.
  void trim_to(std::uint64_t offset);

  // Appends at most `max_bytes` from `offset` (not before trimmed()) to `out`; returns how many.
  std::size_t read(std::uint64_t offset, std::size_t max_bytes, SliceChain& out) const;

  // The whole body as it is to be kept: a small one in scattered or half-empty segments is copied into one of its size,
  // of a large one the last segment if there is much left of it.
  SliceChain take_compact() const;
  // It has been stored, and is not on its way any more.
  void land() { in_flight_.end(); }

 private:
  void grow(std::size_t bytes);
  void drop_front();
  std::size_t segment_bytes(std::size_t wanted) const;

  MemoryBudget* budget_;
  InFlightBytes in_flight_;  // the segments of runs_, and tail_
  std::optional<std::uint64_t> expected_bytes_;
  std::deque<Slice> runs_;  // contiguous from trimmed_
  Ref<Segment> tail_;       // the segment being filled
  std::uint64_t trimmed_ = 0;
  std::uint64_t size_ = 0;
};

}  // namespace seawall::fill
