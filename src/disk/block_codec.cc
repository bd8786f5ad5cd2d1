#include "disk/block_codec.h"

#include <lz4.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace seawall::disk {

namespace {

int compress(std::string_view raw, char* out, std::size_t room) {
  return LZ4_compress_default(raw.data(), out, static_cast<int>(raw.size()), static_cast<int>(room));
}

Block raw_block(std::string_view raw) {
  const auto n = static_cast<std::uint32_t>(raw.size());
  return {.stored_bytes = n, .raw_bytes = n, .is_lz4 = false, .checksum = checksum(raw)};
}

void encode_raw(const SliceChain& body, std::string& out, std::vector<Block>& blocks) {
  for (BlockCursor cursor(body); !cursor.at_end();) {
    const std::string_view raw = cursor.next();
    blocks.push_back(raw_block(raw));
    out += raw;
  }
}

}  // namespace

BlockCursor::BlockCursor(const SliceChain& body)
    : body_(body), left_(total_size(body)), scratch_(std::min<std::uint64_t>(left_, kBlockBytes), '\0') {}

std::string_view BlockCursor::next(std::size_t limit) {
  const std::size_t want = static_cast<std::size_t>(std::min<std::uint64_t>(left_, limit));
  left_ -= want;
  while (offset_ == body_[slice_].size()) ++slice_, offset_ = 0;
  if (body_[slice_].size() - offset_ >= want) {
    offset_ += want;
    return body_[slice_].view().substr(offset_ - want, want);
  }
  for (std::size_t got = 0; got < want;) {
    const Slice& s = body_[slice_];
    const std::size_t n = std::min(want - got, s.size() - offset_);
    if (n > 0) std::memcpy(scratch_.data() + got, s.data() + offset_, n);
    got += n, offset_ += n;
    if (offset_ == s.size()) ++slice_, offset_ = 0;
    if (slice_ == body_.size()) break;
  }
  return std::string_view(scratch_).substr(0, want);
}

bool gains(std::string_view beginning) {
  const std::string_view probe = beginning.substr(0, kProbeBytes);
  if (probe.size() < 64) return false;
  std::array<char, kProbeBytes> out;
  return compress(probe, out.data(), probe.size() - probe.size() / 10) > 0;
}

Block encode_block(std::string_view raw, std::string& out) {
  const std::size_t at = out.size();
  out.resize(at + raw.size());
  // What does not fit into less than it was is kept as it was.
  const int n = compress(raw, out.data() + at, raw.size() - 1);
  if (n <= 0) {
    std::memcpy(out.data() + at, raw.data(), raw.size());
    return raw_block(raw);
  }
  out.resize(at + static_cast<std::size_t>(n));
  return {.stored_bytes = static_cast<std::uint32_t>(n),
          .raw_bytes = static_cast<std::uint32_t>(raw.size()),
          .is_lz4 = true,
          .checksum = checksum(std::string_view(out).substr(at))};
}

std::vector<Block> encode_blocks(const SliceChain& body, const Encoding& encoding, const Clock& clock, std::string& out,
                                 EncodeCost& cost) {
  std::vector<Block> blocks;
  const std::uint64_t size = total_size(body);
  if (size == 0) return blocks;
  blocks.reserve(static_cast<std::size_t>((size + kBlockBytes - 1) / kBlockBytes));
  if (encoding.compress && size >= encoding.min_bytes) {
    const std::size_t start = out.size();
    const MonoTime began = clock.mono_now();
    bool gained = gains(BlockCursor(body).next(kProbeBytes));
    if (gained) {
      for (BlockCursor cursor(body); !cursor.at_end();) blocks.push_back(encode_block(cursor.next(), out));
      gained = out.size() - start <= size - size / 8;
    }
    cost.ns += static_cast<std::uint64_t>((clock.mono_now() - began).count()) * 1000;
    if (gained) {
      cost.lz4_in += size, cost.lz4_out += out.size() - start;
      return blocks;
    }
    cost.skipped += size;
    out.resize(start);
    blocks.clear();
  }
  encode_raw(body, out, blocks);
  return blocks;
}

bool decode_block(std::string_view stored, const Block& block, std::span<char> out) {
  if (stored.size() != block.stored_bytes || out.size() != block.raw_bytes) return false;
  if (checksum(stored) != block.checksum) return false;
  if (!block.is_lz4) {
    std::memcpy(out.data(), stored.data(), stored.size());
    return true;
  }
  const int n =
      LZ4_decompress_safe(stored.data(), out.data(), static_cast<int>(stored.size()), static_cast<int>(out.size()));
  return n >= 0 && static_cast<std::size_t>(n) == out.size();
}

}  // namespace seawall::disk
