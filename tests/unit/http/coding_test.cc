// Which coding a request gets (RFC 9110 section 12.5.3).
#include "http/coding.h"

#include <boost/test/unit_test.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/rng.h"

namespace seawall::http {
namespace {

constexpr Coding kOffered[] = {Coding::kZstd, Coding::kBrotli, Coding::kGzip};

std::string chosen(const std::vector<std::string>& lines) {
  HeaderMap request;
  for (const std::string& line : lines) request.add("Accept-Encoding", line);
  const auto coding = CodingWeights(request).best_of(kOffered);
  return coding ? std::string(to_string(*coding)) : "identity";
}

BOOST_AUTO_TEST_SUITE(http_coding)

BOOST_AUTO_TEST_CASE(negotiation) {
  struct Row {
    std::vector<std::string> lines;
    const char* want;
  };
  const std::vector<Row> rows = {
      {{}, "identity"},
      {{""}, "identity"},
      {{"gzip"}, "gzip"},
      {{"GZip"}, "gzip"},
      {{"x-gzip"}, "gzip"},
      {{"gzip, deflate, br"}, "br"},
      {{"gzip, deflate, br, zstd"}, "zstd"},
      {{"gzip", "br"}, "br"},
      {{"br;q=0.5, gzip"}, "gzip"},
      {{"br;q=0.5, gzip;q=0.5"}, "br"},
      {{"zstd;q=0.001, br;q=0, gzip;q=0.002"}, "gzip"},
      {{"gzip;q=0"}, "identity"},
      {{"deflate"}, "identity"},
      {{"*"}, "zstd"},
      {{"*;q=0"}, "identity"},
      {{"*, zstd;q=0"}, "br"},
      {{"gzip;q=0.5, *;q=0.1"}, "gzip"},
      {{"gzip, *;q=0"}, "gzip"},
      {{"identity"}, "identity"},
      {{"identity, gzip;q=0.5"}, "identity"},
      {{"identity;q=0.5, gzip;q=0.5"}, "gzip"},
      {{"identity;q=0.5, gzip"}, "gzip"},
      {{"identity;q=0"}, "identity"},
      {{"identity;q=0, gzip;q=0.1"}, "gzip"},
      {{"gzip;q=2"}, "identity"},
      {{"gzip;q=0.1234"}, "identity"},
      {{"gzip;level=1"}, "identity"},
      {{"gzip ; q=1"}, "gzip"},
      {{"gzip;q=0, gzip"}, "identity"},
      {{",,gzip,,"}, "gzip"},
      {{"\"gzip\""}, "identity"},
  };
  for (const Row& row : rows) {
    BOOST_TEST(chosen(row.lines) == row.want, (row.lines.empty() ? "none" : row.lines.front()));
  }
}

// More than are remembered, in turn and again, with one that is too long and one in two lines.
BOOST_AUTO_TEST_CASE(what_was_said_before_is_known) {
  const std::vector<std::vector<std::string>> said = {
      {},
      {""},
      {"gzip, deflate, br"},
      {"gzip;q=0.5, br;q=0.1"},
      {"br", "gzip;q=0.1"},
      {"br"},
      {"zstd"},
      {"gzip, deflate, br;q=0" + std::string(100, ' ') + ", zstd;q=0.1"},
      {"identity"},
      {"gzip, identity;q=0"}};
  RecentCodingWeights recent;
  Rng rng(1);
  for (int i = 0; i < 500; ++i) {
    HeaderMap request;
    for (const std::string& line : said[rng.below(said.size())]) request.add("Accept-Encoding", line);
    const CodingWeights want(request);
    const CodingWeights got = recent.of(request);
    BOOST_TEST((got.best_of(kOffered) == want.best_of(kOffered)));
    BOOST_TEST((got.accepted() == want.accepted()));
  }
}

BOOST_AUTO_TEST_CASE(only_what_is_offered) {
  HeaderMap request;
  request.add("Accept-Encoding", "zstd, br, gzip;q=0.1");
  const Coding gzip[] = {Coding::kGzip};
  BOOST_TEST((CodingWeights(request).best_of(gzip) == Coding::kGzip));
  BOOST_TEST((CodingWeights(request).best_of({}) == std::nullopt));
}

std::string accepted(const std::vector<std::string>& lines) {
  HeaderMap request;
  for (const std::string& line : lines) request.add("Accept-Encoding", line);
  return std::string(CodingWeights(request).accepted().text());
}

BOOST_AUTO_TEST_CASE(what_is_accepted) {
  struct Row {
    std::vector<std::string> lines;
    const char* want;
  };
  const std::vector<Row> rows = {
      {{}, "identity"},
      {{""}, "identity"},
      {{"identity"}, "identity"},
      {{"deflate"}, "identity"},
      {{"gzip, deflate, br"}, "gzip, br"},
      {{"gzip, deflate, br, zstd"}, "gzip, br, zstd"},
      {{"br, gzip;q=0.1"}, "gzip, br"},
      {{"BR", "X-GZip"}, "gzip, br"},
      {{"zstd"}, "zstd"},
      {{"zstd, gzip"}, "gzip, zstd"},
      {{"zstd, br"}, "br, zstd"},
      {{"identity, gzip;q=0.5"}, "gzip"},
      {{"gzip;q=0"}, "identity"},
      {{"gzip, br;q=0"}, "gzip"},
      {{"*"}, "gzip, br, zstd"},
      {{"*, br;q=0"}, "gzip, zstd"},
      {{"gzip, *;q=0"}, "gzip, identity;q=0"},
      {{"gzip, identity, *;q=0"}, "gzip"},
      {{"br, identity;q=0"}, "br, identity;q=0"},
      {{"gzip, br, identity;q=0"}, "gzip, br, identity;q=0"},
      {{"zstd, identity;q=0"}, "zstd, identity;q=0"},
      {{"gzip, zstd, identity;q=0"}, "gzip, zstd, identity;q=0"},
      {{"br, zstd, identity;q=0"}, "br, zstd, identity;q=0"},
      {{"*, identity;q=0"}, "gzip, br, zstd, identity;q=0"},
      {{"identity;q=0"}, "identity;q=0"},
      {{"*;q=0"}, "identity;q=0"},
      {{"gzip;q=2, br"}, "br"},
  };
  for (const Row& row : rows) {
    BOOST_TEST(accepted(row.lines) == row.want, (row.lines.empty() ? "none" : row.lines.front()));
    BOOST_TEST(accepted({row.want}) == row.want);
  }
}

// What is chosen is accepted by name or by "*", whatever else the field holds.
BOOST_AUTO_TEST_CASE(any_field_is_read) {
  const std::vector<std::string> pieces = {"gzip", "br", "zstd", "*",  "identity", ";q=0",   ";q=1.0", ";q=0.5", ",",
                                           " ",    "\t", "=",    "\"", ";",        "x-gzip", "\\",     "q"};
  Rng rng(7);
  for (int i = 0; i < 20'000; ++i) {
    std::string value;
    for (std::uint64_t n = rng.next() % 12; n > 0; --n) value += pieces[rng.next() % pieces.size()];
    const std::string got = chosen({value});
    if (got == "identity") continue;
    BOOST_TEST_REQUIRE((value.find(got) != std::string::npos || value.find('*') != std::string::npos), value);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::http
