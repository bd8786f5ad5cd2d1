#include "http/h2_frame_walk.h"

#include <boost/test/unit_test.hpp>
#include <string>
#include <utility>
#include <vector>

namespace seawall::http {
namespace {

using Frames = std::vector<std::pair<int, std::size_t>>;

std::string frame(int type, std::size_t size) {
  std::string out = {static_cast<char>(size >> 16),
                     static_cast<char>(size >> 8),
                     static_cast<char>(size),
                     static_cast<char>(type),
                     0,
                     0,
                     0,
                     0,
                     1};
  return out.append(size, '\x05');
}

BOOST_AUTO_TEST_SUITE(http_h2_frame_walk)

BOOST_AUTO_TEST_CASE(finds_the_same_frames_wherever_the_bytes_are_cut) {
  const std::string bytes =
      std::string(H2FrameWalk::kPrefaceBytes, '\xff') + frame(4, 0) + frame(0, 70'000) + frame(0xfa, 3) + frame(0, 300);
  const Frames expected = {{4, 0}, {0, 70'000}, {0xfa, 3}, {0, 300}};
  for (const std::size_t step : {std::size_t{1}, std::size_t{2}, std::size_t{7}, std::size_t{9}, std::size_t{10},
                                 std::size_t{4096}, bytes.size()}) {
    BOOST_TEST_CONTEXT("pieces of " << step) {
      H2FrameWalk walk(H2FrameWalk::kPrefaceBytes);
      Frames found;
      for (std::size_t at = 0; at < bytes.size(); at += step) {
        walk.feed(std::string_view(bytes).substr(at, step),
                  [&](std::uint8_t type, std::size_t size) { found.emplace_back(type, size); });
      }
      BOOST_TEST((found == expected));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_frame_is_told_with_the_last_byte_of_its_head) {
  const std::string bytes = frame(6, 8);
  H2FrameWalk walk(0);
  int told = 0;
  const auto count = [&](std::uint8_t, std::size_t) { ++told; };
  walk.feed(bytes.substr(0, 8), count);
  BOOST_TEST(told == 0);
  walk.feed(bytes.substr(8, 1), count);
  BOOST_TEST(told == 1);
  walk.feed(bytes.substr(9), count);
  BOOST_TEST(told == 1);
}

BOOST_AUTO_TEST_CASE(late_data_is_excused_as_far_as_a_reset_explains_it) {
  H2LateData late(2'000);
  BOOST_TEST(!late.excuses(1, 1));
  late.on_reset(1'000);
  BOOST_TEST(late.excuses(1, 500));
  BOOST_TEST(late.excuses(2, 300));
  BOOST_TEST(!late.excuses(1, 0));
  for (int i = 0; i < 5; ++i) late.on_reset(1'000);
  BOOST_TEST(!late.excuses(1, 2'000 - H2LateData::kFrameBytes + 1));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::http
