#include "cache/packed_body.h"

#include <string>
#include <string_view>
#include <utility>

#include "disk/block_codec.h"
#include "mem/allocator.h"

namespace seawall::cache {

bool may_compress(const http::HeaderMap& headers) {
  const auto encoding = headers.find(http::Field::kContentEncoding);
  if (encoding && !http::iequals(*encoding, "identity")) return false;
  const std::string_view type = headers.find(http::Field::kContentType).value_or("");
  for (const std::string_view dense : {"image/", "video/", "audio/", "font/", "application/zip", "application/gzip"}) {
    if (http::iequals(type.substr(0, dense.size()), dense)) return http::iequals(type.substr(0, 13), "image/svg+xml");
  }
  return true;
}

Ref<const PackedBody> PackedBody::pack(const SliceChain& body, MemoryBudget& budget, const std::atomic<bool>& stop) {
  const std::uint64_t size = total_size(body);
  if (size == 0 || !disk::gains(disk::BlockCursor(body).next(disk::kProbeBytes))) return nullptr;
  const std::uint64_t most = size - size / 8;
  std::vector<Stored> blocks;
  blocks.reserve(static_cast<std::size_t>((size + kBlockBytes - 1) / kBlockBytes));
  std::string scratch;
  std::uint64_t taken = 0;
  for (disk::BlockCursor cursor(body); !cursor.at_end();) {
    if (stop.load(std::memory_order_relaxed)) return nullptr;
    scratch.clear();
    const disk::Block block = disk::encode_block(cursor.next(), scratch);
    blocks.push_back({block, Slice::copy_of(&budget, scratch)});
    taken += blocks.back().bytes.segment()->charged_bytes();
    if (taken > most) return nullptr;
  }
  Ref<const PackedBody> packed(new PackedBody(std::move(blocks), size, budget));
  return packed->charged_bytes() <= most ? packed : nullptr;
}

PackedBody::PackedBody(std::vector<Stored> blocks, std::uint64_t raw_bytes, MemoryBudget& budget)
    : blocks_(std::move(blocks)),
      raw_bytes_(raw_bytes),
      charge_(budget, block_bytes(this) + block_bytes(blocks_.data())),
      charged_bytes_(charge_.bytes()) {
  for (const Stored& stored : blocks_) charged_bytes_ += stored.bytes.segment()->charged_bytes();
}

std::optional<Slice> PackedBody::unpack(std::size_t block, MemoryBudget& budget) const {
  const Stored& stored = blocks_[block];
  const std::size_t size = stored.block.raw_bytes;
  Ref<Segment> segment = Segment::create(&budget, size);
  if (!disk::decode_block(stored.bytes.view(), stored.block, segment->writable().first(size))) return std::nullopt;
  segment->commit(size);
  const char* data = segment->data();
  return Slice(std::move(segment), data, size);
}

std::optional<SliceChain> PackedBody::unpack_all(MemoryBudget& budget) const {
  Ref<Segment> segment = Segment::create(&budget, static_cast<std::size_t>(raw_bytes_));
  for (const Stored& stored : blocks_) {
    const std::size_t size = stored.block.raw_bytes;
    if (!disk::decode_block(stored.bytes.view(), stored.block, segment->writable().first(size))) return std::nullopt;
    segment->commit(size);
  }
  const char* data = segment->data();
  return SliceChain{Slice(std::move(segment), data, static_cast<std::size_t>(raw_bytes_))};
}

}  // namespace seawall::cache
