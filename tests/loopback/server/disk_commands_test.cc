// `seawall disk check` and `seawall disk ls` over a directory that a tier wrote, and what is said of directories.
#include "server/disk_commands.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "cache/disk_purges.h"
#include "cache/disk_record.h"
#include "disk/tier.h"
#include "mem/slice.h"
#include "server/disk_directories.h"
#include "support/manual_clock.h"
#include "support/temporary_directory.h"

namespace seawall::server {
namespace {

using Json = nlohmann::json;

struct Screen {
  std::string out;
  std::string err;
  test::ManualClock clock;
  Terminal terminal{.input = -1,
                    .print = [this](std::string_view text) { out += text; },
                    .complain = [this](std::string_view text) { err += text; },
                    .is_interactive = false,
                    .clock = &clock,
                    .pause = [](Millis) {}};

  Screen() = default;
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  int run(DiskCommand command) {
    out.clear();
    err.clear();
    return run_disk(command, terminal);
  }
};

void put(disk::Tier& tier, std::uint64_t hash, std::string key, const std::string& body, std::uint32_t usable_until) {
  disk::Meta meta;
  meta.hash = hash;
  meta.key = std::move(key);
  meta.usable_until = usable_until;
  SliceChain chain;
  chain.push_back(Slice::copy_of(nullptr, body));
  MemoryBudget budget(1 << 20);
  cache::Object::Init init;
  init.tags = {meta.key.substr(meta.key.rfind('/') + 1)};
  tier.put(std::move(meta), encode_head(*cache::Object::create(budget, std::move(init))), std::move(chain));
}

// 1700000000 by the manual clock, and what is usable until an hour later.
constexpr std::uint32_t kLater = 1'700'003'600;

void write(const std::string& directory, const Clock& clock, const std::vector<cache::PurgeRule>& purges = {}) {
  disk::TierOptions options;
  options.volumes = {{.path = directory, .capacity_bytes = disk::kMinVolumeBytes}};
  options.clock = &clock;
  auto tier = disk::Tier::open(options);
  BOOST_TEST_REQUIRE(tier.has_value());
  // Until then nothing is written, and close() does not wait for it.
  while (!(*tier)->is_loaded()) std::this_thread::yield();
  put(**tier, 1, "http://a.test/text", std::string(100'000, 'x'), kLater);
  put(**tier, 2, "http://a.test/\x1b[2J\xff", "older", kLater);
  put(**tier, 2, "http://a.test/\x1b[2J\xff", "newer", kLater);
  put(**tier, 3, "http://a.test/gone", "gone", 1'600'000'000);
  (*tier)->erase(4);
  for (const cache::PurgeRule& rule : purges) {
    (*tier)->journal(
        {.kind = cache::DiskPurges::kPurgeNote, .epoch = rule.epoch, .payload = cache::DiskPurges::encode(rule)});
  }
  (*tier)->close();
}

BOOST_AUTO_TEST_SUITE(disk_commands)

BOOST_AUTO_TEST_CASE(what_is_there_is_told) {
  const test::TemporaryDirectory directory;
  Screen screen;
  write(directory.path(), screen.clock);
  BOOST_TEST(screen.run({.what = DiskCommand::What::kCheck, .directory = directory.path()}) == 0);
  BOOST_TEST(screen.err == "");
  BOOST_TEST(screen.out.starts_with(directory.path() + ": format 1, 1 segment, "), screen.out);
  BOOST_TEST(screen.out.find("\n  records              2  that a server would serve\n") != std::string::npos,
             screen.out);
  BOOST_TEST(screen.out.ends_with("\nok\n"), screen.out);
  BOOST_TEST(screen.run({.what = DiskCommand::What::kCheck, .directory = directory.path(), .is_json = true}) == 0);
  const Json report = Json::parse(screen.out);
  BOOST_TEST(report.at("records") == 2);
  BOOST_TEST(report.at("problems") == Json::array());

  BOOST_TEST(screen.run({.what = DiskCommand::What::kList, .directory = directory.path()}) == 0);
  BOOST_TEST(screen.out.find("\n  97.7 KiB  ") != std::string::npos, screen.out);
  BOOST_TEST(screen.out.find("  2023-11-14T23:13:20Z  lz4           http://a.test/text\n") != std::string::npos,
             screen.out);
  // What could act on the terminal does not.
  BOOST_TEST(screen.out.find("\n       5 B  ") != std::string::npos, screen.out);
  BOOST_TEST(screen.out.find("  -             http://a.test/?[2J") != std::string::npos, screen.out);
  BOOST_TEST(screen.out.find("gone") == std::string::npos, screen.out);
  BOOST_TEST(screen.out.find("\n2 records, ") != std::string::npos, screen.out);
  BOOST_TEST(screen.run({.what = DiskCommand::What::kList, .directory = directory.path(), .is_json = true}) == 0);
  std::istringstream lines(screen.out);
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const Json record = Json::parse(line);
    BOOST_TEST(record.at("usable_until") == "2023-11-14T23:13:20Z");
    BOOST_TEST(record.at("variant") == "0000000000000000");
  }
  BOOST_TEST(count == 2U);
}

BOOST_AUTO_TEST_CASE(damage_is_told_with_its_place) {
  const test::TemporaryDirectory directory;
  Screen screen;
  write(directory.path(), screen.clock);
  std::string name;
  for (const auto& entry : std::filesystem::directory_iterator(directory.path())) {
    if (entry.path().filename().string().starts_with("segment-")) name = entry.path().filename().string();
  }
  std::string bytes = directory.read(name);
  const std::size_t at = bytes.find("newer");
  BOOST_TEST_REQUIRE(at != std::string::npos);
  bytes[at] ^= 1;
  directory.write(name, bytes);
  BOOST_TEST(screen.run({.what = DiskCommand::What::kCheck, .directory = directory.path()}) == 1);
  BOOST_TEST(screen.out.find("\nproblem: " + name + ": at ") != std::string::npos, screen.out);
  BOOST_TEST(screen.out.ends_with("\n1 problem\n"), screen.out);
}

BOOST_AUTO_TEST_CASE(a_list_of_what_is_damaged_is_no_success) {
  const test::TemporaryDirectory directory;
  Screen screen;
  write(directory.path(), screen.clock);
  std::string volume = directory.read("volume");
  for (const std::size_t copy : {0U, 2048U}) volume[copy + 72] ^= 1;
  directory.write("volume", volume);
  for (const bool is_json : {false, true}) {
    BOOST_TEST(screen.run({.what = DiskCommand::What::kList, .directory = directory.path(), .is_json = is_json}) == 1);
    BOOST_TEST(screen.out == (is_json ? "" : "0 records, 0 B on disk\n"));
    BOOST_TEST(screen.err == "problem: volume: damaged: the next start will empty the directory\n");
  }
}

BOOST_AUTO_TEST_CASE(what_was_purged_is_not_served) {
  struct Row {
    const char* name;
    cache::PurgeRule rule;
    int records;
  };
  const Row rows[] = {
      {"by tag", {.kind = cache::PurgeKind::kTag, .text = "text", .is_soft = false, .at = {}, .epoch = 1}, 1},
      {"by prefix",
       {.kind = cache::PurgeKind::kPrefix, .text = "http://a.test/", .is_soft = false, .at = {}, .epoch = 1},
       0},
      {"softly", {.kind = cache::PurgeKind::kTag, .text = "text", .is_soft = true, .at = {}, .epoch = 1}, 2}};
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const test::TemporaryDirectory directory;
      Screen screen;
      write(directory.path(), screen.clock, {row.rule});
      BOOST_TEST(screen.run({.what = DiskCommand::What::kCheck, .directory = directory.path(), .is_json = true}) == 0);
      BOOST_TEST(Json::parse(screen.out).at("records") == row.records);
      BOOST_TEST(screen.run({.what = DiskCommand::What::kList, .directory = directory.path(), .is_json = true}) == 0);
      BOOST_TEST(std::ranges::count(screen.out, '\n') == row.records);
    }
  }
}

BOOST_AUTO_TEST_CASE(no_disk_cache) {
  const test::TemporaryDirectory directory;
  Screen screen;
  for (const auto what : {DiskCommand::What::kCheck, DiskCommand::What::kList}) {
    BOOST_TEST(screen.run({.what = what, .directory = directory.path()}) == 1);
    BOOST_TEST(screen.out == "");
    BOOST_TEST(screen.err.starts_with("seawall: disk cache directory " + directory.path() + ": "), screen.err);
  }
  BOOST_TEST(std::filesystem::is_empty(directory.path()));
}

BOOST_AUTO_TEST_CASE(directories_that_a_server_could_use) {
  const test::TemporaryDirectory folder;
  Screen screen;
  BOOST_TEST(check_disk_directory(folder.path()).value_or("") == "");
  BOOST_TEST(check_disk_directory(folder.path("new")).value_or("") == "");
  BOOST_TEST(!std::filesystem::exists(folder.path("new")));
  BOOST_TEST(check_disk_directory(folder.path("new/deep")).value_or("") ==
             "disk cache directory " + folder.path("new/deep") +
                 ": it does not exist and cannot be created: No such file or directory; create it, owned by the "
                 "server's user");
  write(folder.path(), screen.clock);
  BOOST_TEST(check_disk_directory(folder.path()).value_or("") == "");
  folder.write("other/file", "x");
  BOOST_TEST(check_disk_directory(folder.path("other")).value_or("").find("it holds other files, such as file") !=
             std::string::npos);
  BOOST_TEST(check_disk_directory(folder.path("other/file")).value_or("").find("Not a directory") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(sizes_are_readable) {
  struct Row {
    std::uint64_t bytes;
    const char* want;
  };
  const Row rows[] = {{0, "0 B"},
                      {1023, "1023 B"},
                      {1024, "1.0 KiB"},
                      {1'048'470, "1023.9 KiB"},
                      {1'048'575, "1.0 MiB"},
                      {std::uint64_t{50} << 30, "50.0 GiB"},
                      {std::uint64_t{3} << 60, "3072.0 PiB"}};
  for (const Row& row : rows) BOOST_TEST(readable_size(row.bytes) == row.want);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::server
