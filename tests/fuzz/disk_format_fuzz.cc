// Everything that is read from a disk: the first byte of the input says what the rest is taken for. Nothing may be read
// out of bounds, and what is accepted is what would be written. Where a checksum would keep everything out it is made
// right first, so that the lengths behind it are tried.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "disk/block_codec.h"
#include "disk/bytes.h"
#include "disk/format.h"

namespace {

using namespace seawall;
using namespace seawall::disk;

void require(bool condition) {
  if (!condition) std::abort();
}

void records(std::string bytes) {
  if (bytes.size() < kRecordHeaderBytes) return;
  store(bytes.data(), kRecordMagic);
  store(bytes.data() + 88, checksum(std::string_view(bytes).substr(0, 88), 5));
  auto header = decode_record_header(bytes, 5, 0);
  if (!header || bytes.size() < kRecordHeaderBytes + meta_bytes(*header)) return;
  const std::string_view meta_part = std::string_view(bytes).substr(kRecordHeaderBytes, meta_bytes(*header));
  header->meta_checksum = checksum(meta_part);
  const auto meta = decode_record_meta(meta_part, *header);
  if (!meta) return;
  std::uint64_t body = 0;
  for (const Block& b : meta->blocks) body += b.raw_bytes;
  for (const Chunk& c : meta->chunks) body += c.body_bytes;
  require(body == header->body_bytes);
  require(encode(*meta).size() == meta_part.size());
}

void blocks(std::string_view bytes) {
  if (bytes.size() < 4) return;
  Block block{.stored_bytes = static_cast<std::uint32_t>(bytes.size() - 4),
              .raw_bytes = static_cast<std::uint32_t>(load<std::uint32_t>(bytes.data()) % kBlockBytes + 1),
              .is_lz4 = true,
              .checksum = checksum(bytes.substr(4))};
  std::string raw(block.raw_bytes, '\0');
  decode_block(bytes.substr(4), block, raw);
}

void journals(std::string_view bytes) {
  const JournalHeader header{.volume_id = 1, .nonce = 8, .half_bytes = 4096};
  const JournalContent as_it_is = decode_journal(bytes, header);
  require(as_it_is.end <= header.half_bytes);
  // As the payload of a block that is otherwise right.
  const std::string block = encode_journal_block(bytes, header.nonce, 1);
  const JournalContent content = decode_journal(block, {.volume_id = 1, .nonce = 8, .half_bytes = block.size()});
  if (content.has_gap) return;
  std::string payload;
  for (const JournalEntry& e : content.entries) append_entry(payload, e);
  require(payload.size() == bytes.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 7) {
    case 0: decode_volume_file(rest); break;
    case 1: decode_segment_header(rest); break;
    case 2: records(std::string(rest)); break;
    case 3:
      if (rest.size() >= kTrailerBytes) {
        if (const auto trailer = decode_trailer(rest.substr(rest.size() - kTrailerBytes)))
          decode_footer(rest, *trailer);
      }
      break;
    case 4: decode_aside(rest, 1); break;
    case 5: journals(rest); break;
    default: blocks(rest); break;
  }
  return 0;
}
