// What the tier counts, for TierStats. Thread: any.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "disk/tier.h"

namespace seawall::disk {

struct Counters {
  using Cell = std::atomic<std::uint64_t>;
  Cell lookups{0}, found{0};
  Cell reads{0}, read_bytes{0}, body_bytes_out{0};
  Cell reads_gone{0}, reads_corrupt{0}, reads_failed{0}, reads_busy{0}, reads_timeout{0};
  std::array<Cell, kPutStatuses> puts{};
  Cell put_bytes{0}, written_bytes{0}, syncs{0};
  Cell erased{0}, evicted{0}, evicted_segments{0}, reinserted{0}, reinserted_bytes{0};
  Cell lz4_in{0}, lz4_out{0}, lz4_skipped{0}, lz4_compress_ns{0}, lz4_decompress_ns{0};
  Cell asides{0};
};

}  // namespace seawall::disk
