// What arrives is read as it came, from any offset, and costs what it should.
#include "fill/body_buffer.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/rng.h"

namespace seawall::fill {
namespace {

constexpr std::size_t kKiB = 1024;

std::string read(const BodyBuffer& body, std::uint64_t offset, std::size_t max_bytes) {
  SliceChain slices;
  const std::size_t n = body.read(offset, max_bytes, slices);
  std::string bytes;
  for (const Slice& slice : slices) bytes.append(slice.view());
  BOOST_TEST(bytes.size() == n);
  return bytes;
}

std::string random_bytes(Rng& rng, std::size_t size) {
  std::string bytes(size, ' ');
  for (char& c : bytes) c = static_cast<char>('a' + rng.below(26));
  return bytes;
}

BOOST_AUTO_TEST_SUITE(fill_body_buffer)

BOOST_AUTO_TEST_CASE(any_piece_is_read_back_from_anywhere) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    BOOST_TEST_CONTEXT("seed " << seed) {
      Rng rng(seed);
      MemoryBudget budget(100 << 20);
      {
        const bool knows = rng.below(2) == 0;
        BodyBuffer body(budget, knows ? std::optional<std::uint64_t>(rng.below(300'000)) : std::nullopt);
        std::string model;
        for (int i = 0; i < 30; ++i) {
          const std::string piece = random_bytes(rng, 1 + rng.below(20'000));
          const std::size_t announced = body.next_allocation(piece.size());
          const std::size_t before = budget.used_bytes();
          body.append(piece);
          if (announced == 0) BOOST_TEST(budget.used_bytes() == before);
          model += piece;
          if (rng.below(4) == 0) body.trim_to(body.trimmed() + rng.below(model.size() - body.trimmed() + 1));
          BOOST_TEST(body.size() == model.size());
          BOOST_TEST(budget.in_flight_bytes() == budget.used_bytes());
          const std::uint64_t from = body.trimmed() + rng.below(model.size() - body.trimmed() + 1);
          const std::size_t most = 1 + rng.below(50'000);
          BOOST_TEST(read(body, from, most) == model.substr(from, most));
        }
      }
      BOOST_TEST(budget.used_bytes() == 0U);
      BOOST_TEST(budget.in_flight_bytes() == 0U);
    }
  }
}

BOOST_AUTO_TEST_CASE(what_is_stored_is_on_its_way_no_more) {
  MemoryBudget budget(100 << 20);
  BodyBuffer body(budget, std::nullopt);
  body.append(std::string(10 * kKiB, 'x'));
  BOOST_TEST(budget.in_flight_bytes() > 0U);
  const SliceChain kept = body.take_compact();
  body.land();
  BOOST_TEST(budget.in_flight_bytes() == 0U);
  BOOST_TEST(budget.used_bytes() > 0U);
  body.trim_to(body.size());
  BOOST_TEST(budget.in_flight_bytes() == 0U);
}

BOOST_AUTO_TEST_CASE(a_known_length_is_allocated_once) {
  MemoryBudget budget(100 << 20);
  BodyBuffer body(budget, 100 * kKiB);
  BOOST_TEST(body.next_allocation(1) == 100 * kKiB);
  body.append("x");
  const std::size_t used = budget.used_bytes();
  BOOST_TEST(used < 101 * kKiB);
  BOOST_TEST(body.next_allocation(100 * kKiB - 1) == 0U);
  body.append(std::string(100 * kKiB - 1, 'x'));
  BOOST_TEST(budget.used_bytes() == used);
  BOOST_TEST(body.take_compact().size() == 1U);
  BOOST_TEST(budget.used_bytes() == used);  // nothing to compact
}

BOOST_AUTO_TEST_CASE(a_small_body_is_kept_in_one_segment_of_its_size) {
  MemoryBudget budget(100 << 20);
  SliceChain kept;
  {
    BodyBuffer body(budget, std::nullopt);
    for (int i = 0; i < 50; ++i) body.append(std::string(1000, static_cast<char>('a' + i % 26)));
    kept = body.take_compact();
    BOOST_TEST(read(body, 0, 100'000).size() == 50'000U);  // readers go on
  }
  BOOST_TEST(kept.size() == 1U);
  BOOST_TEST(total_size(kept) == 50'000U);
  BOOST_TEST(kept.front().view().substr(1000, 1000) == std::string(1000, 'b'));
  BOOST_TEST(budget.used_bytes() < 50'000U + 200);
}

// Of 600 KiB in pieces the last segment would be half empty.
BOOST_AUTO_TEST_CASE(of_a_large_body_the_last_segment_is_cut_to_size) {
  MemoryBudget budget(100 << 20);
  std::string all;
  SliceChain kept;
  {
    BodyBuffer body(budget, std::nullopt);
    for (int i = 0; i < 600; ++i) {
      const std::string piece(1024, static_cast<char>('a' + i % 26));
      body.append(piece);
      all += piece;
    }
    kept = body.take_compact();
    BOOST_TEST(read(body, 0, 1'000'000) == all);  // readers go on
  }
  std::string found;
  for (const Slice& slice : kept) found += slice.view();
  BOOST_TEST((found == all));
  BOOST_TEST(kept.size() > 1U);  // nothing else was copied
  BOOST_TEST(budget.used_bytes() < all.size() + all.size() / 16);
}

BOOST_AUTO_TEST_CASE(an_empty_body_is_kept_as_nothing) {
  MemoryBudget budget(1 << 20);
  const BodyBuffer body(budget, std::nullopt);
  BOOST_TEST(body.take_compact().empty());
  BOOST_TEST(read(body, 0, 10).empty());
}

struct WindowRow {
  const char* name;
  std::size_t piece;
  std::optional<std::uint64_t> expected;
};

// A slow client holds on to what it was given while the window behind it moves on.
BOOST_AUTO_TEST_CASE(what_is_held_of_a_window_pins_little_more_than_itself) {
  for (const WindowRow& row :
       {WindowRow{"small pieces", 100, {}}, WindowRow{"pages", 16 * kKiB, {}}, WindowRow{"whole reads", 64 * kKiB, {}},
        WindowRow{"odd ones", 5000, {}}, WindowRow{"of known length", 16 * kKiB, 100 << 20}}) {
    BOOST_TEST_CONTEXT(row.name) {
      MemoryBudget budget(100 << 20);
      BodyBuffer body(budget, row.expected);
      SliceChain held;
      for (std::size_t sent = 0; sent < 1024 * kKiB; sent += row.piece) {
        body.append(std::string(row.piece, 'x'));
        held.clear();  // the client has taken all that was given to it up to the first MiB
        body.trim_to(body.size());
      }
      while (total_size(held) < 256 * kKiB) {
        const std::uint64_t from = body.size();
        body.append(std::string(row.piece, 'x'));
        body.read(from, row.piece, held);
        body.trim_to(body.size());
      }
      BOOST_TEST(budget.used_bytes() < total_size(held) + total_size(held) / 4 + 16 * kKiB);
      held.clear();
      BOOST_TEST(budget.used_bytes() <= 8 * kKiB);  // an idle stream
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::fill
