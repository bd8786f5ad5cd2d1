#include "cache/packed_body.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <string>
#include <string_view>

#include "base/rng.h"
#include "cache/packed_source.h"
#include "support/manual_clock.h"

namespace {

using namespace seawall;
using cache::BodySource;
using cache::PackedBody;
using cache::PackedSource;

constexpr std::size_t kBlock = PackedBody::kBlockBytes;
constexpr std::size_t kBudget = std::size_t{64} << 20;

std::string text(std::size_t size) {
  std::string out;
  for (std::size_t n = 0; out.size() < size; ++n) out += "<li class=\"item\">number " + std::to_string(n) + "</li>\n";
  out.resize(size);
  return out;
}

std::string random_bytes(std::size_t size) {
  Rng rng(size + 1);
  std::string out(size, '\0');
  for (char& c : out) c = static_cast<char>(rng.next());
  return out;
}

SliceChain in_pieces(std::string_view bytes, std::size_t piece) {
  SliceChain chain;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    chain.push_back(Slice::copy_of(nullptr, bytes.substr(at, piece)));
  }
  return chain;
}

Ref<const PackedBody> pack(std::string_view body, MemoryBudget& budget, std::size_t piece = 30'000) {
  const std::atomic<bool> stop{false};
  return PackedBody::pack(in_pieces(body, piece), budget, stop);
}

std::string unpacked(const PackedBody& packed, MemoryBudget& budget) {
  std::string whole;
  const SliceChain slices = packed.unpack_all(budget).value();
  for (const Slice& slice : slices) whole += slice.view();
  return whole;
}

std::string read_all(PackedSource& source, std::size_t most) {
  std::string out;
  while (true) {
    SliceChain slices;
    const BodySource::Outcome outcome = source.read(most, slices);
    BOOST_REQUIRE((outcome == BodySource::Outcome::kBytes || outcome == BodySource::Outcome::kEnd));
    if (outcome == BodySource::Outcome::kEnd) return out;
    BOOST_REQUIRE(total_size(slices) > 0U);
    BOOST_REQUIRE(total_size(slices) <= most);
    for (const Slice& slice : slices) out += slice.view();
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(cache_packed_body)

BOOST_AUTO_TEST_CASE(a_body_comes_back_whole_and_by_blocks) {
  for (const std::size_t size : {std::size_t{1024}, kBlock - 1, kBlock, kBlock + 1, 3 * kBlock + 77}) {
    BOOST_TEST_CONTEXT(size) {
      MemoryBudget budget(kBudget);
      const std::string body = text(size);
      {
        const auto packed = pack(body, budget);
        BOOST_REQUIRE(packed);
        BOOST_TEST(packed->raw_bytes() == size);
        BOOST_TEST(packed->charged_bytes() == budget.used_bytes());
        BOOST_TEST(packed->charged_bytes() <= size - size / 8);
        std::string by_blocks;
        for (std::size_t i = 0; i < packed->blocks(); ++i) by_blocks += packed->unpack(i, budget).value().view();
        BOOST_TEST((by_blocks == body));
        BOOST_TEST((unpacked(*packed, budget) == body));
        BOOST_TEST(packed->charged_bytes() == budget.used_bytes());
      }
      BOOST_TEST(budget.used_bytes() == 0U);
    }
  }
}

BOOST_AUTO_TEST_CASE(what_gains_nothing_is_not_packed) {
  struct Row {
    std::string_view name;
    std::string body;
  };
  const Row rows[] = {
      {"empty", ""},
      {"random", random_bytes(100'000)},
      {"a good beginning alone", text(8192) + random_bytes(200'000)},
      {"a bad beginning alone", random_bytes(8192) + text(200'000)},
      {"less than what it takes besides", std::string(80, 'x')},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      MemoryBudget budget(kBudget);
      BOOST_TEST(!pack(row.body, budget));
      BOOST_TEST(budget.used_bytes() == 0U);
    }
  }
  MemoryBudget budget(kBudget);
  const std::atomic<bool> stop{true};
  BOOST_TEST(!PackedBody::pack(in_pieces(text(100'000), 1000), budget, stop));
}

BOOST_AUTO_TEST_CASE(blocks_that_do_not_gain_lie_among_those_that_do) {
  MemoryBudget budget(kBudget);
  const std::string body = text(4 * kBlock) + random_bytes(kBlock) + text(4 * kBlock);
  const auto packed = pack(body, budget);
  BOOST_REQUIRE(packed);
  BOOST_TEST((unpacked(*packed, budget) == body));
}

BOOST_AUTO_TEST_CASE(ranges_are_read_in_bounded_steps_and_only_the_blocks_they_touch) {
  const std::string body = text(3 * kBlock + 1000);
  MemoryBudget budget(kBudget);
  const test::ManualClock clock;
  std::atomic<std::uint64_t> spent{0};
  const auto packed = pack(body, budget);
  BOOST_REQUIRE(packed);
  const http::ByteRange ranges[] = {
      {0, 0},
      {0, body.size() - 1},
      {kBlock - 1, kBlock},
      {kBlock, 2 * kBlock - 1},
      {body.size() - 1, body.size() - 1},
      {2 * kBlock + 5, 2 * kBlock + 50},
      {10, 20},
  };
  for (const std::size_t most : {std::size_t{1000}, std::size_t{65'536}, std::size_t{1} << 20}) {
    PackedSource source(packed, budget, clock, spent);
    for (const http::ByteRange range : ranges) {
      BOOST_TEST_CONTEXT(range.first << "-" << range.last << " by " << most) {
        source.select(range);
        BOOST_TEST((read_all(source, most) == std::string_view(body).substr(range.first, range.size())));
        // No more than one block is held.
        BOOST_TEST(budget.used_bytes() <= packed->charged_bytes() + 2 * kBlock);
      }
    }
  }
  BOOST_TEST(budget.used_bytes() == packed->charged_bytes());
}

BOOST_AUTO_TEST_CASE(of_which_responses_bodies_may_be_compressed) {
  struct Row {
    std::string_view type;
    std::string_view encoding;
    bool want;
  };
  for (const Row& row :
       {Row{"text/html", "", true}, Row{"", "", true}, Row{"text/html", "gzip", false},
        Row{"text/html", "Identity", true}, Row{"image/png", "", false}, Row{"image/svg+xml; charset=utf-8", "", true},
        Row{"Video/mp4", "", false}, Row{"application/zip", "", false}, Row{"application/json", "br", false}}) {
    http::HeaderMap headers;
    if (!row.type.empty()) headers.add(http::Field::kContentType, row.type);
    if (!row.encoding.empty()) headers.add(http::Field::kContentEncoding, row.encoding);
    BOOST_TEST(cache::may_compress(headers) == row.want, row.type << ' ' << row.encoding);
  }
}

BOOST_AUTO_TEST_SUITE_END()
