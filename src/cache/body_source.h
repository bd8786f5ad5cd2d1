// A stored body that does not lie in memory as it is sent: compressed, or elsewhere. It is read in order and in bounded
// steps, as the client takes it, by ranges. Whoever implements it holds what it reads from and charges what it hands
// out. Thread: that of whoever answers.
#pragma once

#include <cstddef>
#include <cstdint>

#include "http/range.h"
#include "mem/slice.h"

namespace seawall::cache {

class BodySource {
 public:
  enum class Outcome : std::uint8_t {
    kBytes,
    kNothingYet,  // `on_progress`, which the source was made with, runs in a turn of its own once there is more
    kEnd,         // of what is selected
    kFailed,      // and so it stays
  };

  virtual ~BodySource() = default;

  // What is read from here on; all of it is in the body. Before the first read(), and any time after.
  virtual void select(http::ByteRange range) = 0;
  // Appends some of what is selected, `most` bytes at most, and at least one with kBytes.
  virtual Outcome read(std::size_t most, SliceChain& out) = 0;
};

}  // namespace seawall::cache
