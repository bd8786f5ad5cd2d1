#include "disk/format.h"

#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <map>

#include "disk/bytes.h"
#include "disk/tier.h"

namespace seawall::disk {

namespace {

constexpr std::uint32_t kSegmentMagic = 0x47535753;  // "SWSG"
constexpr std::uint32_t kTrailerMagic = 0x54465753;  // "SWFT"
constexpr std::uint32_t kAsideMagic = 0x58495753;    // "SWIX"
constexpr std::uint32_t kSummaryMagic = 0x4d535753;  // "SWSM"
constexpr std::uint32_t kJournalMagic = 0x4c4a5753;  // "SWJL"
constexpr std::uint32_t kBlockMagic = 0x424a5753;    // "SWJB"
constexpr std::string_view kVolumeWords = "seawall disk cache, format ";

constexpr std::size_t kVolumeTextBytes = 64;
constexpr std::size_t kAsideHeaderBytes = 32;
constexpr std::size_t kSummaryBytes = 72;
constexpr std::size_t kJournalBlockHeaderBytes = 40;
constexpr std::size_t kBlockEntryBytes = 16;
constexpr std::size_t kChunkEntryBytes = 24;
constexpr std::uint32_t kLz4Bit = 1U << 31;
constexpr std::size_t kMaxJournalPayload = 4 << 20;

void append_checksum(std::string& out) {
  append(out, checksum(out));
}

// The last eight bytes are the checksum of those before.
bool is_sealed(std::string_view bytes) {
  const std::size_t n = bytes.size() - 8;
  return load<std::uint64_t>(bytes.data() + n) == checksum(bytes.substr(0, n));
}

// Once at the start of a page and once in its middle: one bad sector takes one of them.
std::string twice_in_page(const std::string& bytes) {
  std::string page(kPageBytes, '\0');
  page.replace(0, bytes.size(), bytes);
  page.replace(kPageBytes / 2, bytes.size(), bytes);
  return page;
}

template <typename Decode>
auto either_in_page(std::string_view page, std::size_t size, Decode decode) -> decltype(decode(page)) {
  for (const std::size_t at : {std::size_t{0}, kPageBytes / 2}) {
    if (page.size() < at + size || !is_sealed(page.substr(at, size))) continue;
    if (auto decoded = decode(page.substr(at, size))) return decoded;
  }
  return std::nullopt;
}

std::size_t part_bytes(RecordKind kind) {
  return kind == RecordKind::kFinal ? kChunkEntryBytes : kBlockEntryBytes;
}

std::size_t count_tags(const Entry& e) {
  return e.group != 0 ? 1 : e.tags.size();
}

std::size_t count_tags(std::span<const Entry> entries) {
  std::size_t n = 0;
  for (const Entry& e : entries) n += count_tags(e);
  return n;
}

void append_entries(std::string& out, std::span<const Entry> entries) {
  for (const Entry& e : entries) {
    char b[kEntryBytes];
    store(b, e.hash);
    store(b + 8, e.variant);
    store(b + 16, e.sequence);
    store(b + 24, static_cast<std::uint32_t>(e.offset / kRecordAlign));
    store(b + 28, e.stored_bytes);
    store(b + 32, e.usable_until);
    store(b + 36, static_cast<std::uint8_t>(e.kind));
    store(b + 37, e.body_class);
    store(b + 38, static_cast<std::uint16_t>(count_tags(e)));
    out.append(b, sizeof b);
  }
  for (const Entry& e : entries) {
    if (e.group != 0) {
      append(out, e.group);
      continue;
    }
    for (const std::uint32_t tag : e.tags) append(out, tag);
  }
}

// `bytes` passed their checksum; the counts came with it.
std::optional<std::vector<Entry>> decode_entries(std::string_view bytes, std::size_t count, std::size_t tag_count) {
  if (bytes.size() != count * kEntryBytes + tag_count * 4) return std::nullopt;
  std::vector<Entry> entries(count);
  const char* tags = bytes.data() + count * kEntryBytes;
  std::size_t tags_left = tag_count;
  for (std::size_t i = 0; i < count; ++i) {
    const char* b = bytes.data() + i * kEntryBytes;
    Entry& e = entries[i];
    e.hash = load<std::uint64_t>(b);
    e.variant = load<std::uint64_t>(b + 8);
    e.sequence = load<std::uint64_t>(b + 16);
    e.offset = std::uint64_t{load<std::uint32_t>(b + 24)} * kRecordAlign;
    e.stored_bytes = load<std::uint32_t>(b + 28);
    e.usable_until = load<std::uint32_t>(b + 32);
    e.kind = static_cast<RecordKind>(load<std::uint8_t>(b + 36));
    e.body_class = load<std::uint8_t>(b + 37);
    const std::size_t n = load<std::uint16_t>(b + 38);
    if (n > tags_left || (e.kind != RecordKind::kWhole && e.kind != RecordKind::kFinal)) return std::nullopt;
    tags_left -= n;
    if (n == 1) {
      e.group = load<std::uint32_t>(tags);
      tags += 4;
      continue;
    }
    for (std::size_t t = 0; t < n; ++t, tags += 4) e.tags.push_back(load<std::uint32_t>(tags));
  }
  if (tags_left != 0) return std::nullopt;
  return entries;
}

std::optional<VolumeFile> decode_volume_fields(std::string_view bytes) {
  // After the text: ids, then the members, then a checksum of it all.
  ByteReader r(bytes.substr(kVolumeTextBytes));
  VolumeFile f;
  f.volume_id = r.take<std::uint64_t>();
  f.boot = r.take<std::uint64_t>();
  f.era = r.take<std::uint64_t>();
  f.is_closed = r.take<std::uint64_t>() != 0;
  const auto count = r.take<std::uint64_t>();
  if (count > kMaxVolumes) return std::nullopt;
  for (std::uint64_t i = 0; i < count; ++i) f.members.push_back(r.take<std::uint64_t>());
  const auto sum = r.take<std::uint64_t>();
  const std::size_t covered = kVolumeTextBytes + 8 * (5 + count);
  if (!r.ok() || sum != checksum(bytes.substr(0, covered))) return std::nullopt;
  return f;
}

}  // namespace

std::uint64_t checksum(std::string_view bytes, std::uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

// --- volume

std::string encode(const VolumeFile& file) {
  std::string out(kVolumeWords);
  out += std::to_string(file.version);
  out += '\n';
  out.resize(kVolumeTextBytes, '\0');
  append(out, file.volume_id);
  append(out, file.boot);
  append(out, file.era);
  append(out, std::uint64_t{file.is_closed});
  append(out, std::uint64_t{file.members.size()});
  for (const std::uint64_t id : file.members) append(out, id);
  append_checksum(out);
  return twice_in_page(out);
}

DecodedVolumeFile decode_volume_file(std::string_view bytes) {
  DecodedVolumeFile result;
  for (const std::size_t at : {std::size_t{0}, kPageBytes / 2}) {
    if (bytes.size() < at + kVolumeTextBytes) break;
    const std::string_view copy = bytes.substr(at);
    if (!copy.starts_with(kVolumeWords)) continue;
    if (result.fault == VolumeFileFault::kForeign) result.fault = VolumeFileFault::kDamaged;
    std::uint32_t version = 0;
    const char* digits = copy.data() + kVolumeWords.size();
    const auto [end, error] = std::from_chars(digits, copy.data() + kVolumeTextBytes, version);
    if (error != std::errc() || end == copy.data() + kVolumeTextBytes || *end != '\n') continue;
    // The text line alone must do here: what follows is the newer version's own affair.
    if (version > kFormatVersion) {
      result.fault = VolumeFileFault::kNewer;
      continue;
    }
    if (version != kFormatVersion) continue;
    if (auto file = decode_volume_fields(copy)) {
      file->version = version;
      result.file = std::move(file);
      return result;
    }
  }
  return result;
}

bool has_our_magic(std::string_view start) {
  if (start.size() < sizeof(std::uint32_t)) return false;
  const auto magic = load<std::uint32_t>(&start.front());
  return magic == kSegmentMagic || magic == kAsideMagic || magic == kJournalMagic ||
         start.substr(0, 4) == kVolumeWords.substr(0, 4);
}

// --- segments

std::string encode(const SegmentHeader& header) {
  std::string out;
  append(out, kSegmentMagic);
  append(out, kFormatVersion);
  append(out, header.volume_id);
  append(out, header.segment_id);
  append(out, header.nonce);
  append(out, header.created_sequence);
  append_checksum(out);
  return twice_in_page(out);
}

std::optional<SegmentHeader> decode_segment_header(std::string_view page) {
  return either_in_page(page, 48, [](std::string_view bytes) -> std::optional<SegmentHeader> {
    ByteReader r(bytes);
    const auto magic = r.take<std::uint32_t>();
    const auto version = r.take<std::uint32_t>();
    if (magic != kSegmentMagic || version != kFormatVersion) return std::nullopt;
    SegmentHeader h;
    h.volume_id = r.take<std::uint64_t>();
    h.segment_id = r.take<std::uint64_t>();
    h.nonce = r.take<std::uint64_t>();
    h.created_sequence = r.take<std::uint64_t>();
    return h;
  });
}

void encode(const RecordHeader& h, std::uint64_t nonce, std::uint64_t offset, char* out) {
  store(out, kRecordMagic);
  store(out + 4, static_cast<std::uint8_t>(h.kind));
  store(out + 5, std::uint8_t{0});
  store(out + 6, h.tag_count);
  store(out + 8, h.stored_bytes);
  store(out + 12, h.key_bytes);
  store(out + 16, h.head_bytes);
  store(out + 20, h.part_count);
  store(out + 24, h.body_bytes);
  store(out + 32, h.hash);
  store(out + 40, h.variant);
  store(out + 48, h.sequence);
  store(out + 56, h.purge_epoch);
  store(out + 64, h.usable_until);
  store(out + 68, h.chunk_index);
  store(out + 72, std::uint64_t{0});
  store(out + 80, h.meta_checksum);
  store(out + 88, checksum({out, 88}, nonce + offset));
}

std::optional<RecordHeader> decode_record_header(std::string_view bytes, std::uint64_t nonce, std::uint64_t offset) {
  if (bytes.size() < kRecordHeaderBytes) return std::nullopt;
  const char* b = bytes.data();
  if (load<std::uint32_t>(b) != kRecordMagic) return std::nullopt;
  if (load<std::uint64_t>(b + 88) != checksum(bytes.substr(0, 88), nonce + offset)) return std::nullopt;
  RecordHeader h;
  const auto kind = load<std::uint8_t>(b + 4);
  if (kind < 1 || kind > 3) return std::nullopt;
  h.kind = static_cast<RecordKind>(kind);
  h.tag_count = load<std::uint16_t>(b + 6);
  h.stored_bytes = load<std::uint32_t>(b + 8);
  h.key_bytes = load<std::uint32_t>(b + 12);
  h.head_bytes = load<std::uint32_t>(b + 16);
  h.part_count = load<std::uint32_t>(b + 20);
  h.body_bytes = load<std::uint64_t>(b + 24);
  h.hash = load<std::uint64_t>(b + 32);
  h.variant = load<std::uint64_t>(b + 40);
  h.sequence = load<std::uint64_t>(b + 48);
  h.purge_epoch = load<std::uint64_t>(b + 56);
  h.usable_until = load<std::uint32_t>(b + 64);
  h.chunk_index = load<std::uint32_t>(b + 68);
  h.meta_checksum = load<std::uint64_t>(b + 80);
  if (h.tag_count > kMaxRecordTags || h.key_bytes > kMaxKeyBytes || h.head_bytes > kMaxHeadBytes) return std::nullopt;
  if (h.part_count > kMaxParts || h.stored_bytes % kRecordAlign != 0) return std::nullopt;
  if (h.stored_bytes < kRecordHeaderBytes + meta_bytes(h)) return std::nullopt;
  if (h.kind != RecordKind::kFinal) {
    if (h.body_bytes > kMaxWholeBytes || h.part_count != round_up(h.body_bytes, kBlockBytes) / kBlockBytes) {
      return std::nullopt;
    }
  }
  return h;
}

std::size_t meta_bytes(std::size_t tags, std::size_t key, std::size_t head, std::size_t blocks) {
  return round_up(tags * 4 + key + head, 8) + blocks * kBlockEntryBytes;
}

std::size_t meta_bytes(const RecordHeader& h) {
  return meta_bytes(h.tag_count, h.key_bytes, h.head_bytes, 0) + h.part_count * part_bytes(h.kind);
}

std::string encode(const RecordMeta& meta) {
  std::string out;
  for (const std::uint32_t tag : meta.tags) append(out, tag);
  out += meta.key;
  out += meta.head;
  out.resize(round_up(out.size(), 8), '\0');
  for (const Block& b : meta.blocks) {
    append(out, b.stored_bytes | (b.is_lz4 ? kLz4Bit : 0));
    append(out, b.raw_bytes);
    append(out, b.checksum);
  }
  for (const Chunk& c : meta.chunks) {
    append(out, c.segment_id);
    append(out, c.offset);
    append(out, c.stored_bytes);
    append(out, c.body_bytes);
  }
  return out;
}

std::optional<RecordMeta> decode_record_meta(std::string_view bytes, const RecordHeader& h) {
  if (bytes.size() != meta_bytes(h) || checksum(bytes) != h.meta_checksum) return std::nullopt;
  ByteReader r(bytes);
  RecordMeta m;
  for (std::size_t i = 0; i < h.tag_count; ++i) m.tags.push_back(r.take<std::uint32_t>());
  m.key = r.take_bytes(h.key_bytes);
  m.head = r.take_bytes(h.head_bytes);
  const std::size_t words = h.tag_count * std::size_t{4} + h.key_bytes + h.head_bytes;
  r.take_bytes(round_up(words, 8) - words);
  std::uint64_t body = 0;
  if (h.kind == RecordKind::kFinal) {
    m.chunks.reserve(h.part_count);
    for (std::size_t i = 0; i < h.part_count; ++i) {
      Chunk c;
      c.segment_id = r.take<std::uint64_t>();
      c.offset = r.take<std::uint64_t>();
      c.stored_bytes = r.take<std::uint32_t>();
      c.body_bytes = r.take<std::uint32_t>();
      if (c.body_bytes == 0 || c.body_bytes > kMaxWholeBytes || c.stored_bytes < kRecordHeaderBytes ||
          c.stored_bytes > 2 * kMaxWholeBytes) {
        return std::nullopt;
      }
      body += c.body_bytes;
      m.chunks.push_back(c);
    }
  } else {
    std::uint64_t stored = kRecordHeaderBytes + bytes.size();
    m.blocks.reserve(h.part_count);
    for (std::size_t i = 0; i < h.part_count; ++i) {
      Block b;
      const auto word = r.take<std::uint32_t>();
      b.is_lz4 = (word & kLz4Bit) != 0;
      b.stored_bytes = word & ~kLz4Bit;
      b.raw_bytes = r.take<std::uint32_t>();
      b.checksum = r.take<std::uint64_t>();
      // Every block but the last is full: that is how a range finds its own.
      if (b.raw_bytes == 0 || b.raw_bytes > kBlockBytes || b.stored_bytes > b.raw_bytes) return std::nullopt;
      if (i + 1 < h.part_count && b.raw_bytes != kBlockBytes) return std::nullopt;
      if (!b.is_lz4 && b.stored_bytes != b.raw_bytes) return std::nullopt;
      body += b.raw_bytes;
      stored += b.stored_bytes;
      m.blocks.push_back(b);
    }
    if (stored > h.stored_bytes) return std::nullopt;
  }
  if (!r.ok() || body != h.body_bytes) return std::nullopt;
  return m;
}

// --- footers and the index aside

std::uint8_t body_class_of(std::uint64_t bytes) {
  if (bytes < 16) return static_cast<std::uint8_t>(bytes);
  const int shift = static_cast<int>(std::bit_width(bytes)) - 4;  // leaves eight to fifteen
  const std::uint64_t top = (bytes + (std::uint64_t{1} << shift) - 1) >> shift;
  const std::uint64_t code = static_cast<std::uint64_t>(shift) * 8 + top;
  return static_cast<std::uint8_t>(std::min<std::uint64_t>(code, 255));
}

std::uint64_t body_class_bytes(std::uint8_t body_class) {
  if (body_class < 16) return body_class;
  const int shift = body_class / 8 - 1;
  return (std::uint64_t{8} + body_class % 8) << shift;
}

std::size_t footer_bytes(std::size_t entries, std::size_t tags) {
  return round_up(entries * kEntryBytes + tags * 4 + kTrailerBytes, kPageBytes);
}

std::string encode_footer(const SegmentSummary& s) {
  std::string out;
  const std::size_t tags = count_tags(s.entries);
  const std::size_t size = footer_bytes(s.entries.size(), tags);
  out.reserve(size);
  append_entries(out, s.entries);
  const std::uint64_t sum = checksum(out);
  out.resize(size - kTrailerBytes, '\0');
  std::string trailer;
  append(trailer, kTrailerMagic);
  append(trailer, kFormatVersion);
  append(trailer, s.segment_id);
  append(trailer, s.nonce);
  append(trailer, s.covered_bytes);
  append(trailer, s.min_sequence);
  append(trailer, s.min_epoch);
  append(trailer, static_cast<std::uint32_t>(s.entries.size()));
  append(trailer, static_cast<std::uint32_t>(tags));
  append(trailer, sum);
  append(trailer, std::uint64_t{0});
  append_checksum(trailer);
  return out + trailer;
}

std::optional<Trailer> decode_trailer(std::string_view bytes) {
  if (bytes.size() != kTrailerBytes || !is_sealed(bytes)) return std::nullopt;
  ByteReader r(bytes);
  const auto magic = r.take<std::uint32_t>();
  const auto version = r.take<std::uint32_t>();
  if (magic != kTrailerMagic || version != kFormatVersion) return std::nullopt;
  Trailer t;
  t.summary.segment_id = r.take<std::uint64_t>();
  t.summary.nonce = r.take<std::uint64_t>();
  t.summary.covered_bytes = r.take<std::uint64_t>();
  t.summary.min_sequence = r.take<std::uint64_t>();
  t.summary.min_epoch = r.take<std::uint64_t>();
  t.entry_count = r.take<std::uint32_t>();
  t.tag_count = r.take<std::uint32_t>();
  t.entries_checksum = r.take<std::uint64_t>();
  return t;
}

std::optional<SegmentSummary> decode_footer(std::string_view bytes, const Trailer& t) {
  const std::size_t size = std::size_t{t.entry_count} * kEntryBytes + std::size_t{t.tag_count} * 4;
  if (bytes.size() < size) return std::nullopt;
  bytes = bytes.substr(0, size);
  if (checksum(bytes) != t.entries_checksum) return std::nullopt;
  auto entries = decode_entries(bytes, t.entry_count, t.tag_count);
  if (!entries) return std::nullopt;
  SegmentSummary s = t.summary;
  s.entries = std::move(*entries);
  return s;
}

std::string encode(const Aside& aside) {
  std::string out;
  append(out, kAsideMagic);
  append(out, kFormatVersion);
  append(out, aside.volume_id);
  append(out, std::uint64_t{aside.segments.size()});
  append_checksum(out);
  for (const SegmentSummary& s : aside.segments) {
    std::string blob;
    append_entries(blob, s.entries);
    std::string head;
    append(head, kSummaryMagic);
    append(head, static_cast<std::uint32_t>(s.entries.size()));
    append(head, static_cast<std::uint32_t>(count_tags(s.entries)));
    append(head, std::uint32_t{0});
    append(head, s.segment_id);
    append(head, s.nonce);
    append(head, s.covered_bytes);
    append(head, s.min_sequence);
    append(head, s.min_epoch);
    append(head, checksum(blob));
    append_checksum(head);
    out += head;
    out += blob;
  }
  return out;
}

Aside decode_aside(std::string_view bytes, std::uint64_t volume_id) {
  Aside aside;
  aside.volume_id = volume_id;
  ByteReader r(bytes);
  const std::string_view header = r.take_bytes(kAsideHeaderBytes);
  if (!r.ok() || !is_sealed(header)) return aside;
  ByteReader h(header);
  if (h.take<std::uint32_t>() != kAsideMagic || h.take<std::uint32_t>() != kFormatVersion) return aside;
  if (h.take<std::uint64_t>() != volume_id) return aside;
  const auto count = h.take<std::uint64_t>();
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string_view head = r.take_bytes(kSummaryBytes);
    if (!r.ok() || !is_sealed(head)) break;
    ByteReader f(head);
    if (f.take<std::uint32_t>() != kSummaryMagic) break;
    const std::size_t entry_count = f.take<std::uint32_t>();
    const std::size_t tag_count = f.take<std::uint32_t>();
    f.take<std::uint32_t>();
    SegmentSummary s;
    s.segment_id = f.take<std::uint64_t>();
    s.nonce = f.take<std::uint64_t>();
    s.covered_bytes = f.take<std::uint64_t>();
    s.min_sequence = f.take<std::uint64_t>();
    s.min_epoch = f.take<std::uint64_t>();
    const auto sum = f.take<std::uint64_t>();
    const std::string_view blob = r.take_bytes(entry_count * kEntryBytes + tag_count * 4);
    if (!r.ok()) break;
    if (checksum(blob) != sum) continue;
    auto entries = decode_entries(blob, entry_count, tag_count);
    if (!entries) continue;
    s.entries = std::move(*entries);
    aside.segments.push_back(std::move(s));
  }
  return aside;
}

// --- the journal

std::string encode(const JournalHeader& header) {
  std::string out;
  append(out, kJournalMagic);
  append(out, kFormatVersion);
  append(out, header.volume_id);
  append(out, header.nonce);
  append(out, header.half_bytes);
  append_checksum(out);
  return twice_in_page(out);
}

std::optional<JournalHeader> decode_journal_header(std::string_view page) {
  return either_in_page(page, 40, [](std::string_view bytes) -> std::optional<JournalHeader> {
    ByteReader r(bytes);
    const auto magic = r.take<std::uint32_t>();
    const auto version = r.take<std::uint32_t>();
    if (magic != kJournalMagic || version != kFormatVersion) return std::nullopt;
    JournalHeader h;
    h.volume_id = r.take<std::uint64_t>();
    h.nonce = r.take<std::uint64_t>();
    h.half_bytes = r.take<std::uint64_t>();
    return h;
  });
}

void append_entry(std::string& payload, const JournalEntry& e) {
  append(payload, static_cast<std::uint8_t>(e.kind));
  append(payload, static_cast<std::uint8_t>(e.every_variant ? 1 : 0));
  append(payload, std::uint16_t{e.note_kind});
  append(payload, static_cast<std::uint32_t>(e.payload.size()));
  if (e.kind == JournalKind::kTombstone) {
    append(payload, e.hash);
    append(payload, e.variant);
    append(payload, e.sequence);
  } else {
    append(payload, e.epoch);
  }
  payload += e.payload;
}

namespace {

bool decode_journal_payload(std::string_view payload, std::vector<JournalEntry>& out) {
  ByteReader r(payload);
  while (!r.rest().empty()) {
    JournalEntry e;
    const auto kind = r.take<std::uint8_t>();
    e.every_variant = (r.take<std::uint8_t>() & 1) != 0;
    e.note_kind = static_cast<std::uint8_t>(r.take<std::uint16_t>());
    const auto size = r.take<std::uint32_t>();
    if (kind < 1 || kind > 3 || size > kMaxNoteBytes) return false;
    e.kind = static_cast<JournalKind>(kind);
    if (e.kind == JournalKind::kTombstone) {
      e.hash = r.take<std::uint64_t>();
      e.variant = r.take<std::uint64_t>();
      e.sequence = r.take<std::uint64_t>();
    } else {
      e.epoch = r.take<std::uint64_t>();
    }
    e.payload = r.take_bytes(size);
    if (!r.ok()) return false;
    out.push_back(std::move(e));
  }
  return true;
}

struct JournalBlock {
  std::uint64_t number = 0;
  std::size_t size = 0;  // with padding
  std::string_view payload;
};

std::optional<JournalBlock> decode_journal_block(std::string_view bytes, std::uint64_t nonce) {
  if (bytes.size() < kJournalBlockHeaderBytes || load<std::uint32_t>(&bytes.front()) != kBlockMagic)
    return std::nullopt;
  const std::size_t size = load<std::uint32_t>(bytes.data() + 4);
  if (load<std::uint64_t>(bytes.data() + 8) != nonce) return std::nullopt;
  if (size > kMaxJournalPayload || bytes.size() - kJournalBlockHeaderBytes < size) return std::nullopt;
  JournalBlock b;
  b.number = load<std::uint64_t>(bytes.data() + 16);
  b.payload = bytes.substr(kJournalBlockHeaderBytes, size);
  if (load<std::uint64_t>(bytes.data() + 24) != checksum(b.payload)) return std::nullopt;
  if (load<std::uint64_t>(bytes.data() + 32) != checksum(bytes.substr(0, 32))) return std::nullopt;
  b.size = journal_block_bytes(size);
  return b;
}

}  // namespace

std::string encode_journal_block(std::string_view payload, std::uint64_t nonce, std::uint64_t number) {
  std::string out;
  append(out, kBlockMagic);
  append(out, static_cast<std::uint32_t>(payload.size()));
  append(out, nonce);
  append(out, number);
  append(out, checksum(payload));
  append_checksum(out);
  out += payload;
  out.resize(journal_block_bytes(payload.size()), '\0');
  return out;
}

std::size_t journal_block_bytes(std::size_t payload_bytes) {
  return round_up(kJournalBlockHeaderBytes + payload_bytes, kJournalAlign);
}

JournalContent decode_journal(std::string_view bytes, const JournalHeader& header, std::uint64_t last) {
  // Where a block is damaged in one half the other has it; where it is longer in one, it was written once more. Blocks
  // are found by looking for them, so that a length that cannot be read costs that block alone.
  std::map<std::uint64_t, std::pair<std::uint64_t, JournalBlock>> blocks;  // by number: where, and what
  const std::size_t half = header.half_bytes;
  for (std::size_t h = 0; h < 2; ++h) {
    if (bytes.size() < h * half) break;
    const std::string_view part = bytes.substr(h * half, half);
    for (std::size_t at = 0; at + kJournalBlockHeaderBytes <= part.size();) {
      const auto block = decode_journal_block(part.substr(at), header.nonce);
      if (block && block->number <= last) {
        auto& known = blocks.try_emplace(block->number, at, *block).first->second;
        if (block->payload.size() > known.second.payload.size()) known = {at, *block};
      }
      at += block ? block->size : kJournalAlign;
    }
  }
  JournalContent content;
  for (const auto& [number, found] : blocks) {
    const auto& [at, block] = found;
    if (number != content.blocks + 1 || at != content.end) content.has_gap = true;
    if (!decode_journal_payload(block.payload, content.entries)) content.has_gap = true;
    content.blocks = number;
    content.end = at + block.size;
  }
  return content;
}

}  // namespace seawall::disk
