// Combining runs of one representation, against a model that keeps a byte at a time.
#include "fill/parts.h"

#include <boost/test/unit_test.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/rng.h"

namespace seawall::fill {
namespace {

using http::ByteRange;

constexpr std::string_view kBytes = "abcdefghijklmnopqrstuvwxyz0123456789";

// In slices of three bytes, as they may have arrived. `held` may be of another copy: upper case.
cache::Part part_of(ByteRange range, std::string_view bytes = kBytes) {
  cache::Part part{.first = range.first, .size = range.size(), .slices = {}};
  for (std::uint64_t at = range.first; at <= range.last; at += 3) {
    part.slices.push_back(Slice::copy_of(nullptr, bytes.substr(at, std::min<std::uint64_t>(3, range.last + 1 - at))));
  }
  return part;
}

std::string bytes_of(const cache::Part& part) {
  std::string bytes;
  for (const Slice& slice : part.slices) bytes.append(slice.view());
  return bytes;
}

struct MissingRow {
  const char* name;
  std::vector<ByteRange> held;
  ByteRange wanted;
  std::optional<ByteRange> missing;
};

BOOST_AUTO_TEST_SUITE(fill_parts)

BOOST_AUTO_TEST_CASE(the_missing_run_is_the_least_that_will_do) {
  const std::vector<MissingRow> rows = {
      {"nothing held", {}, {0, 9}, ByteRange{0, 9}},
      {"all held", {{0, 9}}, {0, 9}, std::nullopt},
      {"more than all", {{0, 20}}, {5, 9}, std::nullopt},
      {"the beginning", {{0, 4}}, {0, 9}, ByteRange{5, 9}},
      {"the end", {{5, 9}}, {0, 9}, ByteRange{0, 4}},
      {"both ends", {{0, 2}, {7, 12}}, {1, 9}, ByteRange{3, 6}},
      {"the middle", {{3, 5}}, {0, 9}, ByteRange{0, 9}},
      {"before and after", {{0, 2}, {20, 25}}, {5, 9}, ByteRange{5, 9}},
      {"all but one byte", {{0, 4}, {6, 9}}, {0, 9}, ByteRange{5, 5}},
      {"a gap within two gaps", {{0, 1}, {4, 5}, {8, 9}}, {0, 9}, ByteRange{2, 7}},
      {"one byte", {{3, 3}}, {3, 3}, std::nullopt},
  };
  for (const MissingRow& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      std::vector<cache::Part> parts;
      for (const ByteRange range : row.held) parts.push_back(part_of(range));
      BOOST_TEST((missing_run(parts, row.wanted) == row.missing));
    }
  }
}

BOOST_AUTO_TEST_CASE(merging_keeps_what_is_there_and_adds_the_rest) {
  const std::string newer = "ABCDEFGHIJKLMNOPQRSTUVWXYZ9876543210";
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    BOOST_TEST_CONTEXT("seed " << seed) {
      Rng rng(seed);
      std::vector<cache::Part> parts;
      std::string model(kBytes.size(), '\0');
      for (int i = 0; i < 6; ++i) {
        const std::uint64_t first = rng.below(kBytes.size());
        const ByteRange range{first, first + rng.below(std::min<std::uint64_t>(kBytes.size() - first, 12))};
        const bool is_newer = rng.below(2) == 0;
        merge_part(parts, part_of(range, is_newer ? std::string_view(newer) : kBytes));
        for (std::uint64_t at = range.first; at <= range.last; ++at) {
          if (model[at] == '\0') model[at] = is_newer ? newer[at] : kBytes[at];
        }
        std::string held(kBytes.size(), '\0');
        std::optional<std::uint64_t> end;
        for (const cache::Part& part : parts) {
          BOOST_TEST((!end || part.first > *end), "sorted, apart and not adjacent");
          BOOST_TEST(total_size(part.slices) == part.size);
          end = part.first + part.size;
          BOOST_REQUIRE(*end <= held.size());
          held.replace(part.first, part.size, bytes_of(part));
        }
        BOOST_TEST(held == model);
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::fill
