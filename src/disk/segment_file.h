// One segment of a volume, for as long as anybody reads from it: its file stays open, so that what is unlinked can still
// be read to its end. Thread: any; what is not atomic is set before it is shared, or belongs to the volume's writer.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "disk/file_system.h"
#include "disk/format.h"

namespace seawall::disk {

struct SegmentFile {
  ~SegmentFile() {
    if (is_unlinked && pinned_bytes) pinned_bytes->fetch_sub(bytes, std::memory_order_relaxed);
  }

  void lower_min_sequence(std::uint64_t sequence) {
    if (sequence < min_sequence.load()) min_sequence = sequence;
  }
  void lower_min_epoch(std::uint64_t epoch) {
    if (epoch < min_epoch.load()) min_epoch = epoch;
  }

  std::unique_ptr<File> file;
  std::string path;
  std::uint64_t id = 0;
  std::uint64_t nonce = 0;
  std::uint16_t slot = 0;
  std::atomic<std::uint64_t> bytes{0};  // that it occupies
  // No record in it has lower ones.
  std::atomic<std::uint64_t> min_sequence{0};
  std::atomic<std::uint64_t> min_epoch{~std::uint64_t{0}};
  std::atomic<std::uint64_t> settled_bytes{0};  // what starts before is in the index, unless it is dead
  std::atomic<bool> is_sealed{false};
  std::atomic<bool> is_unlinked{false};
  std::shared_ptr<std::atomic<std::uint64_t>> pinned_bytes;  // the volume's count of what is unlinked and still open
};

}  // namespace seawall::disk
