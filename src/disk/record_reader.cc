#include "disk/record_reader.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "disk/block_codec.h"
#include "disk/bytes.h"

namespace seawall::disk {

namespace {

// A window of a file, for reading it from front to back in small steps.
class Window {
 public:
  explicit Window(File& file) : file_(file) {}

  // At least `size` bytes from `offset`, or what there is.
  IoResult<std::string_view> at(std::uint64_t offset, std::size_t size) {
    if (offset < start_ || offset + size > start_ + bytes_.size()) {
      if (at_end_ && offset >= start_) return view(offset);
      bytes_.resize(std::max(size, kWindowBytes));
      const auto n = file_.read(offset, bytes_);
      if (!n) return std::unexpected(n.error());
      at_end_ = *n < bytes_.size();
      bytes_.resize(*n);
      start_ = offset;
    }
    return view(offset);
  }

 private:
  static constexpr std::size_t kWindowBytes = 128 << 10;
  std::string_view view(std::uint64_t offset) const {
    const std::uint64_t skip = offset - start_;
    return skip >= bytes_.size() ? std::string_view() : std::string_view(bytes_).substr(skip);
  }

  File& file_;
  std::string bytes_;
  std::uint64_t start_ = ~std::uint64_t{0};
  bool at_end_ = false;
};

}  // namespace

Async<std::expected<ReadRecord, RecordFault>> read_record(ReadRing* ring, File& file, std::uint64_t nonce,
                                                          std::uint64_t offset, std::size_t guess_bytes) {
  ReadRecord r;
  r.bytes.resize(std::max<std::size_t>(guess_bytes, 512));
  FileRead guess(ring, file, offset, r.bytes);
  const auto n = co_await guess;
  if (!n) co_return std::unexpected(RecordFault::kIo);
  r.bytes.resize(*n);
  const auto header = decode_record_header(r.bytes, nonce, offset);
  if (!header) co_return std::unexpected(RecordFault::kCorrupt);
  r.header = *header;
  const std::size_t needed = r.blocks_at();
  if (const std::size_t have = r.bytes.size(); have < needed) {
    r.bytes.resize(needed);
    FileRead rest(ring, file, offset + have, std::span(r.bytes).subspan(have));
    const auto more = co_await rest;
    if (!more) co_return std::unexpected(RecordFault::kIo);
    if (*more != needed - have) co_return std::unexpected(RecordFault::kCorrupt);
  }
  if (r.bytes.size() > r.header.stored_bytes) r.bytes.resize(r.header.stored_bytes);
  auto meta = decode_record_meta(std::string_view(r.bytes).substr(kRecordHeaderBytes, meta_bytes(r.header)), r.header);
  if (!meta) co_return std::unexpected(RecordFault::kCorrupt);
  r.meta = std::move(*meta);
  co_return r;
}

std::expected<ReadRecord, RecordFault> read_whole_record(File& file, std::uint64_t nonce, std::uint64_t offset,
                                                         std::size_t stored_bytes) {
  auto r = read_record(nullptr, file, nonce, offset, stored_bytes).take();
  if (!r) return r;
  std::size_t at = r->blocks_at();
  for (const Block& b : r->meta.blocks) {
    if (r->bytes.size() < at + b.stored_bytes) return std::unexpected(RecordFault::kCorrupt);
    if (checksum(std::string_view(r->bytes).substr(at, b.stored_bytes)) != b.checksum) {
      return std::unexpected(RecordFault::kCorrupt);
    }
    at += b.stored_bytes;
  }
  if (r->bytes.size() != r->header.stored_bytes) return std::unexpected(RecordFault::kCorrupt);
  return r;
}

Async<std::expected<SliceChain, RecordFault>> read_blocks(ReadRing* ring, File& file, const std::vector<Block>& blocks,
                                                          std::uint64_t blocks_offset, std::size_t first,
                                                          std::size_t last, std::string_view in_memory,
                                                          MemoryBudget* budget, const Clock& clock, DecodeCost& cost) {
  std::uint64_t begin = 0;
  for (std::size_t i = 0; i < first; ++i) begin += blocks[i].stored_bytes;
  std::uint64_t size = 0;
  bool any_lz4 = false;
  for (std::size_t i = first; i < last; ++i) size += blocks[i].stored_bytes, any_lz4 |= blocks[i].is_lz4;
  std::string buffer;
  std::string_view stored;
  if (begin + size <= in_memory.size()) {
    stored = in_memory.substr(begin, size);
  } else {
    buffer.resize(size);
    FileRead read(ring, file, blocks_offset + begin, buffer);
    const auto n = co_await read;
    if (!n) co_return std::unexpected(RecordFault::kIo);
    if (*n != size) co_return std::unexpected(RecordFault::kCorrupt);
    cost.read_bytes += size;
    stored = buffer;
  }
  const MonoTime began = any_lz4 ? clock.mono_now() : MonoTime{};
  SliceChain chain;
  for (std::size_t i = first; i < last; ++i) {
    const Block& b = blocks[i];
    Ref<Segment> segment = Segment::create(budget, b.raw_bytes);
    if (!decode_block(stored.substr(0, b.stored_bytes), b, segment->writable())) {
      co_return std::unexpected(RecordFault::kCorrupt);
    }
    segment->commit(b.raw_bytes);
    stored.remove_prefix(b.stored_bytes);
    const char* bytes = segment->data();
    chain.emplace_back(std::move(segment), bytes, b.raw_bytes);
    cost.body_bytes += b.raw_bytes;
  }
  if (any_lz4) cost.lz4_ns += static_cast<std::uint64_t>((clock.mono_now() - began).count()) * 1000;
  co_return chain;
}

std::expected<std::uint64_t, RecordFault> scan_records(
    File& file, std::uint64_t nonce, std::uint64_t from, std::uint64_t to,
    const std::function<void(std::uint64_t offset, const RecordHeader&, const RecordMeta&)>& each,
    const std::function<void(std::uint64_t offset)>& on_gap) {
  Window window(file);
  std::uint64_t end = from;
  bool in_gap = false;
  for (std::uint64_t at = from; at + kRecordHeaderBytes <= to;) {
    auto bytes = window.at(at, kRecordHeaderBytes);
    if (!bytes) return std::unexpected(RecordFault::kIo);
    if (bytes->size() < kRecordHeaderBytes) break;
    const auto header = decode_record_header(*bytes, nonce, at);
    std::optional<RecordMeta> meta;
    if (header && at + header->stored_bytes <= to) {
      bytes = window.at(at, kRecordHeaderBytes + meta_bytes(*header));
      if (!bytes) return std::unexpected(RecordFault::kIo);
      if (bytes->size() >= kRecordHeaderBytes + meta_bytes(*header)) {
        meta = decode_record_meta(bytes->substr(kRecordHeaderBytes, meta_bytes(*header)), *header);
      }
    }
    if (meta) {
      each(at, *header, *meta);
      at += header->stored_bytes;
      end = at;
      in_gap = false;
      continue;
    }
    // Between writes there is padding, up to the next page; anything else is damage, or the end. Whatever it is, a
    // record that can be read further on is a record.
    const bool is_padding = at % kPageBytes != 0 && bytes->starts_with(std::string_view("\0\0\0\0", 4));
    if (!is_padding && !in_gap) {
      in_gap = true;
      if (on_gap) on_gap(at);
    }
    at += kRecordAlign;
  }
  return end;
}

Entry entry_of(const RecordHeader& h, const RecordMeta& meta, std::uint64_t offset) {
  return {.hash = h.hash,
          .variant = h.variant,
          .sequence = h.sequence,
          .offset = offset,
          .stored_bytes = h.stored_bytes,
          .usable_until = h.usable_until,
          .kind = h.kind,
          .body_class = body_class_of(h.body_bytes),
          .group = group_of(meta.tags)};
}

}  // namespace seawall::disk
