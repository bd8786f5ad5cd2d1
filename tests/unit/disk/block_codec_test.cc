#include "disk/block_codec.h"

#include <boost/test/unit_test.hpp>

#include "base/rng.h"
#include "support/manual_clock.h"

namespace {

using namespace seawall;
using namespace seawall::disk;

std::string random_bytes(std::size_t size) {
  Rng rng(size + 1);
  std::string out(size, '\0');
  for (char& c : out) c = static_cast<char>(rng.next());
  return out;
}

std::string text(std::size_t size) {
  std::string out;
  for (std::size_t n = 0; out.size() < size; ++n) out += "<li class=\"item\">number " + std::to_string(n) + "</li>\n";
  out.resize(size);
  return out;
}

SliceChain in_pieces(const std::string& bytes, std::size_t piece) {
  SliceChain chain;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    chain.push_back(Slice::copy_of(nullptr, std::string_view(bytes).substr(at, piece)));
  }
  return chain;
}

struct Encoded {
  std::string stored;
  std::vector<Block> blocks;
  EncodeCost cost;
  bool is_compressed() const { return !blocks.empty() && blocks[0].is_lz4; }
};

Encoded encode(const std::string& body, std::size_t piece = 1000, Encoding encoding = {}) {
  const test::ManualClock clock;
  Encoded e;
  e.blocks = encode_blocks(in_pieces(body, piece), encoding, clock, e.stored, e.cost);
  return e;
}

std::string decode(const Encoded& e) {
  std::string out;
  std::size_t at = 0;
  for (const Block& b : e.blocks) {
    std::string raw(b.raw_bytes, '\0');
    BOOST_TEST_REQUIRE(decode_block(std::string_view(e.stored).substr(at, b.stored_bytes), b, raw));
    at += b.stored_bytes;
    out += raw;
  }
  BOOST_TEST(at == e.stored.size());
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(disk_block_codec)

BOOST_AUTO_TEST_CASE(bodies_come_back_whatever_their_size_and_pieces) {
  for (const std::size_t size : {0U, 1U, 1023U, 1024U, 65'535U, 65'536U, 65'537U, 200'000U}) {
    for (const std::size_t piece : {777U, 65'536U, 1'000'000U}) {
      BOOST_TEST((decode(encode(text(size), piece)) == text(size)), size << " in " << piece);
      BOOST_TEST((decode(encode(random_bytes(size), piece)) == random_bytes(size)), size << " in " << piece);
    }
  }
}

BOOST_AUTO_TEST_CASE(what_gains_is_compressed_and_nothing_else) {
  BOOST_TEST(encode(text(20'000)).is_compressed());
  BOOST_TEST(encode(text(20'000)).stored.size() < 10'000U);
  BOOST_TEST(!encode(text(1'000)).is_compressed());
  BOOST_TEST(!encode(random_bytes(20'000)).is_compressed());
  BOOST_TEST(!encode(text(20'000), 1000, {.compress = false}).is_compressed());
  // The beginning gains, the whole does not.
  const Encoded mixed = encode(text(5'000) + random_bytes(200'000));
  BOOST_TEST(!mixed.is_compressed());
  BOOST_TEST(mixed.cost.skipped == 205'000U);
  BOOST_TEST(mixed.cost.lz4_in == 0U);
  // A block in the middle that does not gain stays as it is.
  const std::string body = text(65'536) + random_bytes(65'536) + text(200'000);
  const Encoded partly = encode(body);
  BOOST_TEST(partly.blocks.at(0).is_lz4);
  BOOST_TEST(!partly.blocks.at(1).is_lz4);
  BOOST_TEST(partly.blocks.at(2).is_lz4);
  BOOST_TEST((decode(partly) == body));
}

BOOST_AUTO_TEST_CASE(damage_is_seen_and_lengths_are_kept) {
  const Encoded e = encode(text(30'000));
  std::string raw(e.blocks[0].raw_bytes, '\0');
  for (std::size_t bit = 0; bit < e.stored.size() * 8; bit += 37) {
    std::string bad = e.stored;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    BOOST_TEST_REQUIRE(!decode_block(bad, e.blocks[0], raw), "bit " << bit);
  }
  // A length that lies, under a checksum that does not.
  Block longer = e.blocks[0];
  longer.raw_bytes += 10;
  std::string more(longer.raw_bytes, '\0');
  BOOST_TEST(!decode_block(e.stored, longer, more));
  Block shorter = e.blocks[0];
  shorter.raw_bytes -= 10;
  std::string less(shorter.raw_bytes, '\0');
  BOOST_TEST(!decode_block(e.stored, shorter, less));
}

BOOST_AUTO_TEST_SUITE_END()
