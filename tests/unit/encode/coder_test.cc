// Bodies through each library and back, whatever the slices and sizes.
#include "encode/coder.h"

#include <boost/test/unit_test.hpp>
#include <string>

#include "base/rng.h"
#include "encode/encoder.h"
#include "support/decode.h"

namespace seawall::encode {
namespace {

constexpr http::Coding kAll[] = {http::Coding::kGzip, http::Coding::kBrotli, http::Coding::kZstd};

std::string text_of(std::size_t size) {
  std::string text;
  for (int i = 0; text.size() < size; ++i) text += "line " + std::to_string(i * 7919 % 1000) + " of a text\n";
  text.resize(size);
  return text;
}

SliceChain chain_of(std::string_view text, std::size_t slice_bytes) {
  SliceChain chain;
  for (std::size_t at = 0; at < text.size(); at += slice_bytes) {
    chain.push_back(Slice::copy_of(nullptr, text.substr(at, slice_bytes)));
  }
  return chain;
}

std::string joined(const SliceChain& chain) {
  std::string out;
  for (const Slice& slice : chain) out += slice.view();
  return out;
}

BOOST_AUTO_TEST_SUITE(encode_coder)

BOOST_AUTO_TEST_CASE(what_goes_in_comes_out_again) {
  const std::atomic<bool> stop{false};
  for (const http::Coding coding : kAll) {
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{1000}, std::size_t{65536},
                                   std::size_t{65537}, std::size_t{1'000'003}}) {
      for (const std::size_t slice : {std::size_t{977}, std::size_t{16'384}, std::size_t{2'000'000}}) {
        MemoryBudget budget(1 << 24);
        const std::string text = text_of(size);
        {
          const auto encoded = encode(chain_of(text, slice), coding, Levels{}.of(coding), 1 << 24, &budget, stop);
          BOOST_REQUIRE(encoded.has_value());
          BOOST_TEST(budget.used_bytes() >= total_size(*encoded));
          BOOST_TEST((test::decode(http::to_string(coding), joined(*encoded)) == text),
                     http::to_string(coding) << " of " << size << " in slices of " << slice);
        }
        BOOST_TEST(budget.used_bytes() == 0U);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(what_does_not_gain_is_given_up) {
  const std::atomic<bool> stop{false};
  Rng rng(1);
  std::string noise;
  while (noise.size() < 300'000) noise += static_cast<char>(rng.next() & 0xFF);
  for (const http::Coding coding : kAll) {
    MemoryBudget budget(1 << 24);
    const auto encoded =
        encode(chain_of(noise, 10'000), coding, Levels{}.of(coding), most_output_bytes(noise.size()), &budget, stop);
    BOOST_REQUIRE(!encoded.has_value());
    BOOST_TEST((encoded.error() == Failure::kNoGain));
    BOOST_TEST(budget.used_bytes() == 0U);
  }
}

BOOST_AUTO_TEST_CASE(it_stops_when_it_is_told) {
  const std::atomic<bool> stop{true};
  const auto encoded = encode(chain_of("text", 4), http::Coding::kGzip, 6, 100, nullptr, stop);
  BOOST_REQUIRE(!encoded.has_value());
  BOOST_TEST((encoded.error() == Failure::kStopped));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::encode
