// A body in a content coding, slice by slice in and out, by zlib, brotli and zstd. Thread: any; it takes its time.
#pragma once

#include <atomic>
#include <cstdint>
#include <expected>

#include "http/coding.h"
#include "mem/budget.h"
#include "mem/slice.h"

namespace seawall::encode {

struct Levels {
  int gzip = 6;    // 1 to 9
  int brotli = 5;  // 0 to 11
  int zstd = 9;    // 1 to 19: past that decoders need larger windows than RFC 9659 lets them have

  int of(http::Coding coding) const;
};

enum class Failure : std::uint8_t {
  kNoGain,   // the output would be larger than it may be
  kStopped,  // `stop` was set
  kLibrary,  // out of memory
};

// At most `most_bytes` come out, charged to `budget`.
std::expected<SliceChain, Failure> encode(const SliceChain& body, http::Coding coding, int level,
                                          std::uint64_t most_bytes, MemoryBudget* budget,
                                          const std::atomic<bool>& stop);

}  // namespace seawall::encode
