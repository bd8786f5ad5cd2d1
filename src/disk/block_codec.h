// Bodies as blocks of 64 KiB, each alone under lz4 or as it is, each with its checksum: a range or a slow reader needs
// no more than the blocks it touches. Whether a body is compressed is decided by its first 4 KiB and by what the whole
// of it gains. Pure, but for the clock that measures.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "disk/format.h"
#include "mem/slice.h"

namespace seawall::disk {

inline constexpr std::size_t kProbeBytes = 4096;

struct Encoding {
  bool compress = true;  // worth trying
  std::size_t min_bytes = 1024;
};

struct EncodeCost {
  std::uint64_t lz4_in = 0;  // bodies that were compressed, and what became of them
  std::uint64_t lz4_out = 0;
  std::uint64_t skipped = 0;  // tried, and did not gain
  std::uint64_t ns = 0;
};

// Hands out a body in runs of whole blocks, without copying where a block lies in one slice.
class BlockCursor {
 public:
  // `body` stays as it is meanwhile.
  explicit BlockCursor(const SliceChain& body);

  bool at_end() const { return left_ == 0; }
  // Good until the next one is asked for.
  std::string_view next(std::size_t limit = kBlockBytes);

 private:
  const SliceChain& body_;
  std::uint64_t left_;
  std::size_t slice_ = 0;
  std::size_t offset_ = 0;
  std::string scratch_;
};

// Whether the beginning of a body loses a tenth or more.
bool gains(std::string_view beginning);

// Appends one block to `out`, compressed where that makes it less.
Block encode_block(std::string_view raw, std::string& out);

// Appends the blocks of the body to `out`, and returns their list.
std::vector<Block> encode_blocks(const SliceChain& body, const Encoding& encoding, const Clock& clock, std::string& out,
                                 EncodeCost& cost);

// One block, into exactly block.raw_bytes. False: its checksum, or it is not what it says.
bool decode_block(std::string_view stored, const Block& block, std::span<char> out);

}  // namespace seawall::disk
