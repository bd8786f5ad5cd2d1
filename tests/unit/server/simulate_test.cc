// `seawall simulate`: its arguments, the traces it reads, and what it counts.
#include "server/simulate.h"

#include <zlib.h>

#include <boost/test/unit_test.hpp>

#include "server/cli.h"
#include "support/temporary_directory.h"

namespace seawall::server {
namespace {

using test::TemporaryDirectory;

struct Outcome {
  int code = 0;
  std::string out;
  std::string err;
};

Outcome simulate(const std::string& trace, std::uint64_t cache_bytes, std::vector<cache::Eviction> policies) {
  Outcome outcome;
  Terminal terminal;
  terminal.print = [&](std::string_view text) { outcome.out += text; };
  terminal.complain = [&](std::string_view text) { outcome.err += text; };
  outcome.code = run_simulate({.trace = trace, .cache_bytes = cache_bytes, .policies = std::move(policies)}, terminal);
  return outcome;
}

void write_gzip(const std::string& file, std::string_view text) {
  gzFile out = gzopen(file.c_str(), "wb");
  BOOST_REQUIRE(gzwrite(out, text.data(), static_cast<unsigned>(text.size())) == static_cast<int>(text.size()));
  BOOST_REQUIRE(gzclose(out) == Z_OK);
}

BOOST_AUTO_TEST_SUITE(server_simulate)

BOOST_AUTO_TEST_CASE(command_lines) {
  const auto good = parse_arguments({"simulate", "--trace", "a.csv", "--cache-bytes", "1KiB"});
  BOOST_REQUIRE(good);
  const auto& command = std::get<SimulateCommand>(*good);
  BOOST_TEST(command.trace == "a.csv");
  BOOST_TEST(command.cache_bytes == 1024U);
  BOOST_TEST((command.policies == std::vector{cache::Eviction::kTide}));
  const auto all = parse_arguments({"simulate", "--trace=a.csv", "--cache-bytes=7", "--policy=all"});
  BOOST_REQUIRE(all);
  BOOST_TEST(std::get<SimulateCommand>(*all).policies.size() == cache::eviction_names().size());

  const std::pair<std::vector<std::string>, std::string> bad[] = {
      {{"simulate", "--cache-bytes", "1"}, "--trace"},
      {{"simulate", "--trace", "x"}, "--cache-bytes"},
      {{"simulate", "--trace", "x", "--cache-bytes", "0"}, "--cache-bytes must be"},
      {{"simulate", "--trace", "x", "--cache-bytes", "1 apple"}, "--cache-bytes must be"},
      {{"simulate", "--trace", "x", "--cache-bytes", "1", "--policy", "magic"}, "tide, lru"},
  };
  for (const auto& [arguments, says] : bad) {
    const auto command_or = parse_arguments(arguments);
    BOOST_REQUIRE(!command_or);
    BOOST_TEST(command_or.error().find(says) != std::string::npos, command_or.error());
  }
}

BOOST_AUTO_TEST_CASE(counts_requests_and_bytes) {
  TemporaryDirectory directory;
  const std::string text = "0,a,10\r\n1,b,20\n2,a,10\n\n3,c,30\n4,a,10";
  const std::string plain = directory.write("t.csv", text);
  const std::string packed = directory.write("t.csv.gz", "");
  write_gzip(packed, text);
  for (const std::string& trace : {plain, packed}) {
    const Outcome outcome = simulate(trace, 100, {cache::Eviction::kLru});
    BOOST_TEST(outcome.code == 0);
    BOOST_TEST(outcome.err == "");
    BOOST_TEST(outcome.out ==
               "{\"policy\":\"lru\",\"cache_bytes\":100,\"requests\":5,\"objects\":3,\"misses\":3,\"bytes\":80,"
               "\"missed_bytes\":60,\"miss_ratio\":0.600000,\"byte_miss_ratio\":0.750000}\n");
  }
}

BOOST_AUTO_TEST_CASE(what_is_larger_than_the_cache_always_misses) {
  for (std::size_t i = 0; i < cache::eviction_names().size(); ++i) {
    Simulation simulation(static_cast<cache::Eviction>(i), 100);
    BOOST_TEST(!simulation.request(1, 60));
    BOOST_TEST(!simulation.request(2, 101));
    BOOST_TEST(!simulation.request(2, 101));
    BOOST_TEST(simulation.request(1, 60));
  }
}

BOOST_AUTO_TEST_CASE(the_least_recently_used_goes) {
  Simulation simulation(cache::Eviction::kLru, 2);
  for (const std::uint64_t key : {1U, 2U, 1U, 3U}) simulation.request(key, 1);
  BOOST_TEST(simulation.request(1, 1));
  BOOST_TEST(!simulation.request(2, 1));
}

BOOST_AUTO_TEST_CASE(bad_traces_are_refused_by_line) {
  const std::pair<std::string, std::string> rows[] = {
      {"time_ms,key,size\n", "t.csv:1: time_ms must be a whole number"},
      {"0,a,1\n1,b\n", "t.csv:2: a request is time_ms,key,size_bytes"},
      {"0,a,1,2\n", "t.csv:1: a request is"},
      {"0,,1\n", "t.csv:1: the key is empty"},
      {"0,a,-1\n", "t.csv:1: size_bytes must be a whole number"},
      {"0,a,1.5\n", "t.csv:1: size_bytes must be a whole number"},
      {"0," + std::string(5000, 'k') + ",1\n", "t.csv:1: the line is longer than"},
  };
  for (const auto& [text, says] : rows) {
    TemporaryDirectory directory;
    const Outcome outcome = simulate(directory.write("t.csv", text), 10, {cache::Eviction::kTide});
    BOOST_TEST(outcome.code == 1);
    BOOST_TEST(outcome.out == "");
    BOOST_TEST(outcome.err.find(says) != std::string::npos, outcome.err);
  }
  const Outcome missing = simulate("/nowhere/t.csv", 10, {cache::Eviction::kTide});
  BOOST_TEST(missing.code == 1);
  BOOST_TEST(missing.err.find("/nowhere/t.csv: No such file") != std::string::npos, missing.err);
}

BOOST_AUTO_TEST_CASE(a_broken_gzip_is_refused) {
  TemporaryDirectory directory;
  const std::string file = directory.write("t.csv.gz", "");
  std::string text;
  for (int i = 0; i < 1000; ++i) text += std::to_string(i) + ",k" + std::to_string(i * i) + ",10\n";
  write_gzip(file, text);
  std::filesystem::resize_file(file, std::filesystem::file_size(file) / 2);
  const Outcome outcome = simulate(file, 10, {cache::Eviction::kTide});
  BOOST_TEST(outcome.code == 1);
  BOOST_TEST(outcome.err.find("cannot be read beyond line") != std::string::npos, outcome.err);
}

BOOST_AUTO_TEST_CASE(a_second_size_does_not_count_and_is_told) {
  TemporaryDirectory directory;
  const Outcome outcome = simulate(directory.write("t.csv", "0,a,1\n1,a,2\n"), 10, {cache::Eviction::kTide});
  BOOST_TEST(outcome.code == 0);
  BOOST_TEST(outcome.out.find("\"bytes\":2,") != std::string::npos, outcome.out);
  BOOST_TEST(outcome.err.find("another size") != std::string::npos, outcome.err);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::server
