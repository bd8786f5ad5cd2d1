// Records out of segment files. Everything returned has passed its checksums. Thread: any that may wait for a disk.
// Where there is a ring, what is referred to outlives the coroutine; without one that is done when it is called.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>

#include "base/async.h"
#include "base/clock.h"
#include "disk/file_system.h"
#include "disk/format.h"
#include "disk/read_ring.h"
#include "disk/segment_file.h"
#include "mem/slice.h"

namespace seawall::disk {

enum class RecordFault : std::uint8_t { kIo, kCorrupt };

// The header and meta of a record, and as much of its blocks as came with them in the first read.
struct ReadRecord {
  RecordHeader header;
  std::string bytes;  // from the header on
  RecordMeta meta;    // views into `bytes`
  std::size_t blocks_at() const { return kRecordHeaderBytes + meta_bytes(header); }

  ReadRecord() = default;
  // The views go with the bytes only because moving a long string leaves them where they are.
  ReadRecord(ReadRecord&&) noexcept = default;
  ReadRecord& operator=(ReadRecord&&) noexcept = default;
};

// `guess_bytes` are read at once; more only where that was too little.
Async<std::expected<ReadRecord, RecordFault>> read_record(ReadRing* ring, File& file, std::uint64_t nonce,
                                                          std::uint64_t offset, std::size_t guess_bytes);
// Also its blocks, as stored and verified: `bytes` is all of the record.
std::expected<ReadRecord, RecordFault> read_whole_record(File& file, std::uint64_t nonce, std::uint64_t offset,
                                                         std::size_t stored_bytes);

struct DecodeCost {
  std::uint64_t read_bytes = 0;
  std::uint64_t body_bytes = 0;
  std::uint64_t lz4_ns = 0;
};

// Blocks first .. last-1 of a record whose blocks start at `blocks_offset` of the file, as slices of the body. What
// `in_memory` (bytes of the record's blocks from the first on) has is not read again.
Async<std::expected<SliceChain, RecordFault>> read_blocks(ReadRing* ring, File& file, const std::vector<Block>& blocks,
                                                          std::uint64_t blocks_offset, std::size_t first,
                                                          std::size_t last, std::string_view in_memory,
                                                          MemoryBudget* budget, const Clock& clock, DecodeCost& cost);

// Looks for records in [from, to) of a segment, also behind what cannot be read; `each` is given what has a valid
// header and meta, chunks included; `on_gap` where something begins that is neither a record nor padding, and lasts up
// to the next record. Returns where the last one ends, or kIo.
std::expected<std::uint64_t, RecordFault> scan_records(
    File& file, std::uint64_t nonce, std::uint64_t from, std::uint64_t to,
    const std::function<void(std::uint64_t offset, const RecordHeader&, const RecordMeta&)>& each,
    const std::function<void(std::uint64_t offset)>& on_gap = {});

Entry entry_of(const RecordHeader& header, const RecordMeta& meta, std::uint64_t offset);

}  // namespace seawall::disk
