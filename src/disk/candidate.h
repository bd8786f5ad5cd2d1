// A record as Tier::find() knows it.
#pragma once

#include <cstdint>

namespace seawall::disk {

// What find() knows of a record without asking the disk. A value; stays good for as long as one likes: when the record
// has gone meanwhile, reading it is a miss.
struct Candidate {
  std::uint64_t hash = 0;
  std::uint64_t variant = 0;
  std::uint64_t sequence = 0;        // of two records the one put later has the higher
  std::uint32_t usable_until = 0;    // seconds since the Unix epoch
  std::uint64_t body_bytes_max = 0;  // the body has at most so many bytes, and at least 7/8 of them
  std::uint64_t stored_bytes = 0;  // what reading it whole takes from the disk; of a streamed record: without its body
  // Where it is.
  std::uint16_t segment_slot = 0;
  std::uint32_t offset = 0;
};

}  // namespace seawall::disk
