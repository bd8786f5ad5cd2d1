// What lies on the disk, byte by byte (docs/disk-format.md): encoding and decoding, without I/O. Nothing decoded is
// trusted before its checksum was compared and its lengths were held against what is there. All numbers are
// little-endian; checksums are XXH3-64. Pure.
//
// A change of any layout here needs a new kFormatVersion, and a golden file for it in tests/unit/disk/golden.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace seawall::disk {

inline constexpr std::uint32_t kFormatVersion = 1;
inline constexpr std::size_t kPageBytes = 4096;         // writes start and end on these
inline constexpr std::size_t kRecordAlign = 16;         // records start on these
inline constexpr std::size_t kBlockBytes = 64 << 10;    // of a body: each has its checksum, and is compressed alone
inline constexpr std::size_t kMaxWholeBytes = 4 << 20;  // a body that is not cut into chunk records
inline constexpr std::size_t kMaxParts = 1 << 20;
inline constexpr unsigned kBootShift = 40;  // of a sequence number: above it stands the boot

// Of whatever the bytes are, with nothing mixed in.
std::uint64_t checksum(std::string_view bytes, std::uint64_t seed = 0);

// --- The file `volume`: whose directory it is.
struct VolumeFile {
  std::uint32_t version = kFormatVersion;
  std::uint64_t volume_id = 0;         // drawn anew each time the volume is emptied
  std::uint64_t boot = 0;              // the upper bits of sequence numbers; each start takes a higher one
  std::uint64_t era = 0;               // rises when a volume is left out or taken in
  bool is_closed = false;              // it was in service until the end of that boot, and nothing went on after it
  std::vector<std::uint64_t> members;  // volume ids of that era: who is not among them has missed something
};
std::string encode(const VolumeFile& file);
enum class VolumeFileFault : std::uint8_t { kForeign, kNewer, kDamaged };
struct DecodedVolumeFile {
  std::optional<VolumeFile> file;
  VolumeFileFault fault = VolumeFileFault::kForeign;  // when there is no file
};
DecodedVolumeFile decode_volume_file(std::string_view bytes);
// Whether a file of a volume may begin so: four bytes are looked at.
bool has_our_magic(std::string_view start);

// --- Segments.
struct SegmentHeader {
  std::uint64_t volume_id = 0;
  std::uint64_t segment_id = 0;
  std::uint64_t nonce = 0;  // random; mixed into the checksums of its records' headers
  std::uint64_t created_sequence = 0;
};
std::string encode(const SegmentHeader& header);  // kPageBytes
std::optional<SegmentHeader> decode_segment_header(std::string_view page);

enum class RecordKind : std::uint8_t { kWhole = 1, kFinal = 2, kChunk = 3 };

inline constexpr std::size_t kRecordHeaderBytes = 96;
inline constexpr std::size_t kMaxRecordTags = 64;
inline constexpr std::uint32_t kRecordMagic = 0x43525753;  // "SWRC"

struct RecordHeader {
  RecordKind kind = RecordKind::kWhole;
  std::uint16_t tag_count = 0;     // 0 or 1, the group; more of former versions
  std::uint32_t stored_bytes = 0;  // all of it, a multiple of kRecordAlign
  std::uint32_t key_bytes = 0;
  std::uint32_t head_bytes = 0;
  std::uint32_t part_count = 0;  // blocks; of a final record: chunks
  std::uint64_t body_bytes = 0;  // of a chunk: its own
  std::uint64_t hash = 0;
  std::uint64_t variant = 0;
  std::uint64_t sequence = 0;  // of all records of one stream the same
  std::uint64_t purge_epoch = 0;
  std::uint32_t usable_until = 0;
  std::uint32_t chunk_index = 0;
  std::uint64_t meta_checksum = 0;

  friend bool operator==(const RecordHeader&, const RecordHeader&) = default;
};
// `nonce` of the segment and `offset` in its file: a record means something only where it was written.
void encode(const RecordHeader& header, std::uint64_t nonce, std::uint64_t offset, char* out);
// Also checks that its parts fit into it.
std::optional<RecordHeader> decode_record_header(std::string_view bytes, std::uint64_t nonce, std::uint64_t offset);

struct Block {
  std::uint32_t stored_bytes = 0;
  std::uint32_t raw_bytes = 0;
  bool is_lz4 = false;
  std::uint64_t checksum = 0;  // of what is stored
};
struct Chunk {
  std::uint64_t segment_id = 0;
  std::uint64_t offset = 0;
  std::uint32_t stored_bytes = 0;
  std::uint32_t body_bytes = 0;
};
// What stands between a record's header and its blocks.
struct RecordMeta {
  std::vector<std::uint32_t> tags;
  std::string_view key;
  std::string_view head;
  std::vector<Block> blocks;
  std::vector<Chunk> chunks;
};
std::size_t meta_bytes(const RecordHeader& header);
// Of a record with blocks: as meta_bytes().
std::size_t meta_bytes(std::size_t tags, std::size_t key, std::size_t head, std::size_t blocks);
std::string encode(const RecordMeta& meta);
// Views into `bytes`, which are meta_bytes(header) long. Checks the checksum, and that the parts add up to the body.
std::optional<RecordMeta> decode_record_meta(std::string_view bytes, const RecordHeader& header);

// --- What the index is rebuilt from: footers of segments and the index written aside.
struct Entry {
  std::uint64_t hash = 0;
  std::uint64_t variant = 0;
  std::uint64_t sequence = 0;
  std::uint64_t offset = 0;
  std::uint32_t stored_bytes = 0;
  std::uint32_t usable_until = 0;
  RecordKind kind = RecordKind::kWhole;
  std::uint8_t body_class = 0;      // see body_class_of()
  std::uint32_t group = 0;          // its label, which stands as the only tag; 0: none
  std::vector<std::uint32_t> tags;  // of former versions, but for a single one; passed over

  friend bool operator==(const Entry&, const Entry&) = default;
};
inline constexpr std::size_t kEntryBytes = 40;
// As the label of a record's group stands in RecordMeta::tags; former versions had tags of their own.
inline std::uint32_t group_of(const std::vector<std::uint32_t>& tags) {
  return tags.size() == 1 ? tags.front() : 0;
}
inline std::vector<std::uint32_t> tags_of(std::uint32_t group) {
  return group == 0 ? std::vector<std::uint32_t>() : std::vector{group};
}
// A size in eight bits, rounded up by less than an eighth.
std::uint8_t body_class_of(std::uint64_t bytes);
std::uint64_t body_class_bytes(std::uint8_t body_class);

struct SegmentSummary {
  std::uint64_t segment_id = 0;
  std::uint64_t nonce = 0;
  std::uint64_t covered_bytes = 0;  // of the file: what starts before is in `entries`, unless it is dead
  std::uint64_t min_sequence = 0;
  std::uint64_t min_epoch = 0;
  std::vector<Entry> entries;
};
inline constexpr std::size_t kTrailerBytes = 80;
// What the footer of so many entries and tags takes; it starts and ends on pages.
std::size_t footer_bytes(std::size_t entries, std::size_t tags);
// Written at covered_bytes, a multiple of kPageBytes; its end is the file's.
std::string encode_footer(const SegmentSummary& summary);
struct Trailer {
  SegmentSummary summary;  // without entries
  std::uint32_t entry_count = 0;
  std::uint32_t tag_count = 0;
  std::uint64_t entries_checksum = 0;
};
// Of the last kTrailerBytes of a file.
std::optional<Trailer> decode_trailer(std::string_view bytes);
// `bytes` start at covered_bytes.
std::optional<SegmentSummary> decode_footer(std::string_view bytes, const Trailer& trailer);

struct Aside {
  std::uint64_t volume_id = 0;
  std::vector<SegmentSummary> segments;
};
std::string encode(const Aside& aside);
// As much as is whole; empty when it is another volume's.
Aside decode_aside(std::string_view bytes, std::uint64_t volume_id);

// --- The journal.
inline constexpr std::size_t kJournalAlign = 512;
struct JournalHeader {
  std::uint64_t volume_id = 0;
  std::uint64_t nonce = 0;
  std::uint64_t half_bytes = 0;  // each block is in both halves; the first starts at kPageBytes
};
std::string encode(const JournalHeader& header);  // kPageBytes
std::optional<JournalHeader> decode_journal_header(std::string_view page);

enum class JournalKind : std::uint8_t { kTombstone = 1, kNote = 2, kFloor = 3 };
struct JournalEntry {
  JournalKind kind = JournalKind::kTombstone;
  // kTombstone: records of (hash, variant), or of every variant, with a lower sequence are dead.
  bool every_variant = false;
  std::uint64_t hash = 0;
  std::uint64_t variant = 0;
  std::uint64_t sequence = 0;
  // kNote, the user's. kFloor: notes up to this epoch may have been dropped.
  std::uint8_t note_kind = 0;
  std::uint64_t epoch = 0;
  std::string payload;

  friend bool operator==(const JournalEntry&, const JournalEntry&) = default;
};
void append_entry(std::string& payload, const JournalEntry& entry);
// A block, padded to kJournalAlign.
std::string encode_journal_block(std::string_view payload, std::uint64_t nonce, std::uint64_t number);
std::size_t journal_block_bytes(std::size_t payload_bytes);
struct JournalContent {
  std::vector<JournalEntry> entries;
  std::uint64_t blocks = 0;
  std::uint64_t end = 0;  // offset in a half behind the last block
  bool has_gap = false;   // something that was committed cannot be read
};
// `bytes` are the file's, behind its header page. Blocks of a higher number than `last` are passed over.
JournalContent decode_journal(std::string_view bytes, const JournalHeader& header, std::uint64_t last = ~0ULL);

}  // namespace seawall::disk
