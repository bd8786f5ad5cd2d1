#include "disk/format.h"

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <sstream>

#include "base/rng.h"
#include "disk/bytes.h"

namespace {

using namespace seawall;
using namespace seawall::disk;

RecordHeader some_header(const std::string& meta) {
  RecordHeader h;
  h.kind = RecordKind::kWhole;
  h.tag_count = 2;
  h.key_bytes = 5;
  h.head_bytes = 6;
  h.part_count = 2;
  h.body_bytes = kBlockBytes + 10;
  h.hash = 0x0123456789abcdef;
  h.variant = 7;
  h.sequence = (std::uint64_t{3} << 40) + 9;
  h.purge_epoch = 11;
  h.usable_until = 1'800'000'000;
  h.meta_checksum = checksum(meta);
  h.stored_bytes = static_cast<std::uint32_t>(round_up(kRecordHeaderBytes + meta.size() + 110, kRecordAlign));
  return h;
}

RecordMeta some_meta() {
  RecordMeta m;
  m.tags = {1, 0xffffffff};
  m.key = "a key";
  m.head = "a head";
  m.blocks = {{.stored_bytes = 100, .raw_bytes = kBlockBytes, .is_lz4 = true, .checksum = 5},
              {.stored_bytes = 10, .raw_bytes = 10, .is_lz4 = false, .checksum = 6}};
  return m;
}

Entry some_entry(std::uint64_t n) {
  Entry e{.hash = n * 1000,
          .variant = n,
          .sequence = n + 1,
          .offset = kPageBytes + n * 16,
          .stored_bytes = 512,
          .usable_until = 99,
          .kind = n % 2 == 0 ? RecordKind::kWhole : RecordKind::kFinal,
          .body_class = 20};
  // A single tag is its group.
  if (n % 3 == 1) e.group = static_cast<std::uint32_t>(n);
  for (std::uint64_t t = 0; n % 3 == 2 && t < 2; ++t) e.tags.push_back(static_cast<std::uint32_t>(t + n));
  return e;
}

SegmentSummary some_summary() {
  SegmentSummary s{.segment_id = 4, .nonce = 5, .covered_bytes = 8192, .min_sequence = 1, .min_epoch = 2};
  for (std::uint64_t n = 0; n < 10; ++n) s.entries.push_back(some_entry(n));
  return s;
}

std::vector<JournalEntry> some_journal() {
  JournalEntry dead;
  dead.hash = 12, dead.variant = 13, dead.sequence = 14;
  JournalEntry all;
  all.every_variant = true, all.hash = 15, all.sequence = 16;
  JournalEntry note;
  note.kind = JournalKind::kNote, note.note_kind = 2, note.epoch = 17, note.payload = "http://shop.example.com/a/";
  JournalEntry floor;
  floor.kind = JournalKind::kFloor, floor.epoch = 3;
  return {dead, all, note, floor};
}

// One of everything, one after the other, as version 1 writes it.
std::string one_of_everything() {
  std::string out = encode(VolumeFile{.volume_id = 1, .boot = 2, .era = 3, .is_closed = true, .members = {1, 9}});
  out += encode(SegmentHeader{.volume_id = 1, .segment_id = 4, .nonce = 5, .created_sequence = 6});
  const std::string meta = encode(some_meta());
  std::string record(kRecordHeaderBytes, '\0');
  encode(some_header(meta), 5, 4096, record.data());
  out += record + meta;
  out += encode_footer(some_summary());
  out += encode(Aside{.volume_id = 1, .segments = {some_summary(), some_summary()}});
  out += encode(JournalHeader{.volume_id = 1, .nonce = 8, .half_bytes = 4096});
  std::string payload;
  for (const JournalEntry& e : some_journal()) append_entry(payload, e);
  return out + encode_journal_block(payload, 8, 1);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(disk_format)

// When this fails the format has changed: then it needs a new version and a golden file for that.
BOOST_AUTO_TEST_CASE(version_1_is_what_it_was) {
  const std::string path = "tests/unit/disk/golden/version-1.bin";
  std::ifstream file(path, std::ios::binary);
  std::stringstream golden;
  golden << file.rdbuf();
  BOOST_TEST_REQUIRE(!golden.str().empty());
  BOOST_TEST((golden.str() == one_of_everything()));
}

BOOST_AUTO_TEST_CASE(the_golden_file_is_read) {
  std::ifstream file("tests/unit/disk/golden/version-1.bin", std::ios::binary);
  std::stringstream stream;
  stream << file.rdbuf();
  const std::string bytes = stream.str();
  std::string_view rest = bytes;
  const auto take = [&rest](std::size_t n) {
    const std::string_view taken = rest.substr(0, n);
    rest.remove_prefix(n);
    return taken;
  };
  const auto volume = decode_volume_file(take(kPageBytes)).file;
  BOOST_TEST_REQUIRE(volume.has_value());
  BOOST_TEST(volume->boot == 2U);
  BOOST_TEST(volume->is_closed);
  BOOST_TEST(volume->members == (std::vector<std::uint64_t>{1, 9}), boost::test_tools::per_element());
  const auto segment = decode_segment_header(take(kPageBytes));
  BOOST_TEST_REQUIRE(segment.has_value());
  BOOST_TEST(segment->created_sequence == 6U);
  const auto header = decode_record_header(take(kRecordHeaderBytes), 5, 4096);
  BOOST_TEST_REQUIRE(header.has_value());
  const auto meta = decode_record_meta(take(meta_bytes(*header)), *header);
  BOOST_TEST_REQUIRE(meta.has_value());
  BOOST_TEST(meta->key == "a key");
  BOOST_TEST(meta->head == "a head");
  BOOST_TEST(meta->tags == (std::vector<std::uint32_t>{1, 0xffffffff}), boost::test_tools::per_element());
  BOOST_TEST(meta->blocks.at(0).is_lz4);
  BOOST_TEST(meta->blocks.at(1).checksum == 6U);
  const std::string_view footer = take(footer_bytes(10, 9));
  const auto trailer = decode_trailer(footer.substr(footer.size() - kTrailerBytes));
  BOOST_TEST_REQUIRE(trailer.has_value());
  const auto summary = decode_footer(footer, *trailer);
  BOOST_TEST_REQUIRE(summary.has_value());
  BOOST_TEST((summary->entries == some_summary().entries));
  const std::size_t aside_bytes = 32 + 2 * (72 + 10 * kEntryBytes + 9 * 4);
  const Aside aside = decode_aside(take(aside_bytes), 1);
  BOOST_TEST_REQUIRE(aside.segments.size() == 2U);
  BOOST_TEST((aside.segments[1].entries == some_summary().entries));
  const auto journal_header = decode_journal_header(take(kPageBytes));
  BOOST_TEST_REQUIRE(journal_header.has_value());
  const JournalContent journal = decode_journal(rest, *journal_header);
  BOOST_TEST(!journal.has_gap);
  BOOST_TEST((journal.entries == some_journal()));
}

BOOST_AUTO_TEST_CASE(a_record_means_something_only_where_it_was_written) {
  std::string bytes(kRecordHeaderBytes, '\0');
  const RecordHeader header = some_header(encode(some_meta()));
  encode(header, 5, 4096, bytes.data());
  BOOST_TEST((decode_record_header(bytes, 5, 4096) == header));
  BOOST_TEST(!decode_record_header(bytes, 5, 8192));
  BOOST_TEST(!decode_record_header(bytes, 6, 4096));
}

BOOST_AUTO_TEST_CASE(any_flipped_bit_of_a_record_is_seen) {
  const std::string meta = encode(some_meta());
  std::string bytes(kRecordHeaderBytes, '\0');
  const RecordHeader header = some_header(meta);
  encode(header, 5, 4096, bytes.data());
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string bad = bytes;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    BOOST_TEST_REQUIRE(!decode_record_header(bad, 5, 4096), "bit " << bit);
  }
  for (std::size_t bit = 0; bit < meta.size() * 8; ++bit) {
    std::string bad = meta;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    BOOST_TEST_REQUIRE(!decode_record_meta(bad, header), "bit " << bit);
  }
}

BOOST_AUTO_TEST_CASE(one_bad_copy_of_a_header_does_no_harm) {
  std::string page = encode(SegmentHeader{.volume_id = 1, .segment_id = 4, .nonce = 5, .created_sequence = 6});
  page[20] ^= 1;
  BOOST_TEST(decode_segment_header(page).has_value());
  page[kPageBytes / 2 + 20] ^= 1;
  BOOST_TEST(!decode_segment_header(page).has_value());
  std::string volume = encode(VolumeFile{.volume_id = 1, .boot = 2, .era = 3, .is_closed = false, .members = {1}});
  volume[70] ^= 1;
  BOOST_TEST(decode_volume_file(volume).file.has_value());
  volume[kPageBytes / 2 + 70] ^= 1;
  BOOST_TEST(!decode_volume_file(volume).file.has_value());
  BOOST_TEST((decode_volume_file(volume).fault == VolumeFileFault::kDamaged));
  BOOST_TEST((decode_volume_file("something else").fault == VolumeFileFault::kForeign));
  BOOST_TEST((decode_volume_file(encode(VolumeFile{.version = 2})).fault == VolumeFileFault::kNewer));
}

BOOST_AUTO_TEST_CASE(a_journal_survives_damage_to_either_half_and_tells_of_damage_to_both) {
  const JournalHeader header{.volume_id = 1, .nonce = 8, .half_bytes = 8192};
  std::string half;
  for (std::uint64_t n = 1; n <= 5; ++n) {
    std::string payload;
    JournalEntry e;
    e.hash = n, e.sequence = n;
    append_entry(payload, e);
    half += encode_journal_block(payload, header.nonce, n);
  }
  half.resize(header.half_bytes, '\0');
  std::string bytes = half + half;
  const std::size_t second = 512 + 30;
  bytes[second] ^= 1;
  bytes[header.half_bytes + 3 * 512 + 30] ^= 1;
  JournalContent content = decode_journal(bytes, header);
  BOOST_TEST(!content.has_gap);
  BOOST_TEST(content.entries.size() == 5U);
  BOOST_TEST(content.end == 5U * 512);
  bytes[header.half_bytes + second] ^= 1;
  content = decode_journal(bytes, header);
  BOOST_TEST(content.has_gap);
  // The last one may have been torn before it was promised.
  bytes = half + half;
  bytes[4 * 512 + 30] ^= 1;
  bytes[header.half_bytes + 4 * 512 + 30] ^= 1;
  content = decode_journal(bytes, header);
  BOOST_TEST(!content.has_gap);
  BOOST_TEST(content.entries.size() == 4U);
}

// Until it is synced a block is written again with more: first in one half, then in the other.
BOOST_AUTO_TEST_CASE(of_a_block_that_was_written_again_the_longer_counts) {
  const JournalHeader header{.volume_id = 1, .nonce = 8, .half_bytes = 4096};
  std::string payload;
  std::string bytes(2 * header.half_bytes, '\0');
  for (std::uint64_t n = 1; n <= 2; ++n) {
    JournalEntry e;
    e.hash = n, e.sequence = n;
    append_entry(payload, e);
    const std::string block = encode_journal_block(payload, header.nonce, 1);
    BOOST_TEST(block.size() == journal_block_bytes(payload.size()));
    bytes.replace((2 - n) * header.half_bytes, block.size(), block);
  }
  const JournalContent content = decode_journal(bytes, header);
  BOOST_TEST(!content.has_gap);
  BOOST_TEST(content.entries.size() == 2U);
  BOOST_TEST(decode_journal(bytes, header, 0).entries.empty());
}

BOOST_AUTO_TEST_CASE(a_torn_aside_gives_what_is_whole) {
  const std::string bytes = encode(Aside{.volume_id = 1, .segments = {some_summary(), some_summary(), some_summary()}});
  BOOST_TEST(decode_aside(bytes, 1).segments.size() == 3U);
  BOOST_TEST(decode_aside(bytes, 2).segments.empty());
  std::size_t before = 0;
  for (std::size_t n = 0; n <= bytes.size(); ++n) {
    const std::size_t whole = decode_aside(std::string_view(bytes).substr(0, n), 1).segments.size();
    BOOST_TEST_REQUIRE(whole >= before);
    before = whole;
  }
  BOOST_TEST(before == 3U);
}

BOOST_AUTO_TEST_CASE(a_body_class_is_never_too_small_and_less_than_an_eighth_too_large) {
  Rng rng(1);
  for (int i = 0; i < 100'000; ++i) {
    const std::uint64_t bytes = rng.next() >> (31 + rng.below(33));
    const std::uint64_t rounded = body_class_bytes(body_class_of(bytes));
    BOOST_TEST_REQUIRE(rounded >= bytes, bytes);
    BOOST_TEST_REQUIRE((rounded - bytes) * 8 <= bytes, bytes);
  }
}

BOOST_AUTO_TEST_SUITE_END()
