// What check() and list() say of a directory: whole, damaged, torn.
#include "disk/inspect.h"

#include <boost/test/unit_test.hpp>

#include "loopback/disk/disk_bench.h"

namespace {

using namespace seawall;
using namespace seawall::test;

struct Fixture : DiskBench {
  Fixture() : DiskBench(1) { options.compress = false; }

  void close_in_order() {
    close();
    disk.restart();
  }
  std::string newest_segment() const { return disk.files("/d0/segment-").back(); }
  static std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }
  // A bit of the text, where it stands first.
  void damage(const std::string& path, std::string_view text) {
    std::string bytes = disk.content(path);
    const std::size_t at = bytes.find(text);
    BOOST_TEST_REQUIRE(at != std::string::npos, text);
    bytes[at] ^= 1;
    disk.set_content(path, bytes);
  }
  disk::CheckReport check() {
    auto report = disk::check("/d0", inspect);
    BOOST_TEST_REQUIRE(report.has_value());
    return *report;
  }
  std::vector<std::string> listed_keys() {
    std::vector<std::string> keys;
    const auto report = disk::list("/d0", inspect, [&](const disk::ListedRecord& r) { keys.push_back(r.key); });
    BOOST_TEST_REQUIRE(report.has_value());
    list_problems = report->problems;
    return keys;
  }

  disk::InspectOptions inspect{.clock = &clock, .file_system = &disk, .on_note = {}, .is_servable = {}};
  std::vector<std::string> list_problems;
};

using Strings = std::vector<std::string>;

}  // namespace

BOOST_AUTO_TEST_SUITE(disk_inspect)

BOOST_FIXTURE_TEST_CASE(check_and_list_show_what_is_there, Fixture) {
  options.compress = true;
  BOOST_TEST_REQUIRE(open() == "");
  put(meta(1), {}, std::string(10'000, 'a'));
  put(meta(2), {}, "older");
  put(meta(2), {}, "younger");
  put(meta(3), {}, std::string(600'000, 'b'));
  const auto refused = disk::check("/d0", inspect);
  BOOST_TEST_REQUIRE(!refused.has_value());
  BOOST_TEST(refused.error().find("a server is using it") != std::string::npos);
  close_in_order();
  const disk::CheckReport report = check();
  BOOST_TEST(report.problem_count == 0U, (report.problems.empty() ? "" : report.problems[0]));
  BOOST_TEST(report.records == 3U);
  BOOST_TEST(report.dead == 1U);
  Strings lines;
  const auto listed = disk::list("/d0", inspect, [&](const disk::ListedRecord& r) {
    lines.push_back(r.key + (r.is_compressed ? " lz4" : "") + (r.is_streamed ? " streamed " : " ") +
                    std::to_string(r.body_bytes));
  });
  BOOST_TEST_REQUIRE(listed.has_value());
  BOOST_TEST(listed->records == 3U);
  BOOST_TEST(listed->problem_count == 0U);
  const Strings expected = {"key 1 lz4 10000", "key 2 7", "key 3 streamed 600000"};
  BOOST_TEST(lines == expected, boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(damage_is_a_problem_wherever_it_is, Fixture) {
  struct Row {
    const char* name;
    const char* text;  // whose first bit is turned
    const char* says;
  };
  const Row rows[] = {{"a header, a record behind it", "SWRC", ": at 4096: not a record"},
                      {"a key, a record behind it", "key 1", ": at 4096: not a record"},
                      {"a body", "body 1", ": at 4096: a body that does not match its checksums"},
                      {"the last key", "key 2", ": at 8192: not a record"},
                      {"the last head", "head 2", ": at 8192: not a record"},
                      {"the last body", "body 2", ": at 8192: a body that does not match its checksums"}};
  BOOST_TEST_REQUIRE(open() == "");
  put(meta(1), "head 1", "body 1");
  put(meta(2), "head 2", "body 2");
  const std::string path = newest_segment();
  for (const bool is_sealed : {false, true}) {
    if (is_sealed) BOOST_TEST_REQUIRE(open() == "");  // that does it
    close_in_order();
    const std::string bytes = disk.content(path);
    for (const Row& row : rows) {
      BOOST_TEST_CONTEXT(row.name << (is_sealed ? ", sealed" : ", as a stop leaves it")) {
        disk.set_content(path, bytes);
        BOOST_TEST(check().problem_count == 0U);
        damage(path, row.text);
        const disk::CheckReport report = check();
        BOOST_TEST(report.problem_count == 1U);
        BOOST_TEST(report.records == 1U);
        BOOST_TEST_REQUIRE(!report.problems.empty());
        BOOST_TEST(report.problems[0] == name_of(path) + row.says);
      }
    }
    disk.set_content(path, bytes);
  }
}

BOOST_FIXTURE_TEST_CASE(what_a_device_made_zeros_is_damage, Fixture) {
  BOOST_TEST_REQUIRE(open() == "");
  for (std::uint64_t i = 1; i <= 2; ++i) put(meta(i), {}, "body");
  close_in_order();
  const std::string path = newest_segment();
  std::string bytes = disk.content(path);
  bytes.replace(4096, 4096, 4096, '\0');
  disk.set_content(path, bytes);
  BOOST_TEST(check().problems == Strings{name_of(path) + ": at 4096: not a record"}, boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(a_crash_may_tear_an_end_and_nothing_else, Fixture) {
  BOOST_TEST_REQUIRE(open() == "");
  for (std::uint64_t i = 1; i <= 6; ++i) put(meta(i), {}, std::string(250'000, 'x'));
  disk.stop_after(0);
  close_in_order();
  const auto paths = disk.files("/d0/segment-");
  BOOST_TEST_REQUIRE(paths.size() == 2U);
  BOOST_TEST(check().records == 6U);
  damage(paths[1], "key 6");
  BOOST_TEST(check().problem_count == 0U);
  BOOST_TEST(check().records == 5U);
  damage(paths[1], "key 5");
  BOOST_TEST(check().problem_count == 0U);
  // One that was sealed before the crash was whole.
  damage(paths[0], "SWFT");
  BOOST_TEST(check().problem_count == 1U);
  damage(paths[0], "key 4");
  BOOST_TEST(check().problem_count == 1U);
  damage(paths[0], "key 1");
  BOOST_TEST(check().problem_count == 2U);
  // What the next start cannot read it leaves out, and that is all.
  BOOST_TEST_REQUIRE(open() == "");
  close_in_order();
  BOOST_TEST(check().records == 2U);
}

BOOST_FIXTURE_TEST_CASE(what_has_lost_a_chunk_is_not_served, Fixture) {
  BOOST_TEST_REQUIRE(open() == "");
  put(meta(1), {}, std::string(1'500'000, 'x'));
  close_in_order();
  const auto paths = disk.files("/d0/segment-");
  BOOST_TEST_REQUIRE(paths.size() == 2U);
  BOOST_TEST(check().records == 1U);
  BOOST_TEST(listed_keys() == Strings{"key 1"}, boost::test_tools::per_element());
  // Damaged.
  const std::string bytes = disk.content(paths[0]);
  damage(paths[0], "SWRC");
  BOOST_TEST(check().problem_count == 1U);
  BOOST_TEST(check().records == 0U);
  disk.set_content(paths[0], bytes);
  damage(paths[0], "xxxx");
  BOOST_TEST(check().problem_count == 1U);
  BOOST_TEST(check().records == 0U);
  // Evicted, which is in order.
  disk.remove(paths[0]);
  BOOST_TEST(check().problem_count == 0U);
  BOOST_TEST(check().records == 0U);
  BOOST_TEST(check().dead == 1U);
  BOOST_TEST(listed_keys().empty());
}

BOOST_FIXTURE_TEST_CASE(the_users_rules_say_what_is_served, Fixture) {
  BOOST_TEST_REQUIRE(open() == "");
  for (std::uint64_t i = 1; i <= 3; ++i) {
    auto m = meta(i);
    m.purge_epoch = i;
    put(m, "head " + std::to_string(i), "body");
  }
  BOOST_TEST(note(7, 3, "a rule"));
  close_in_order();
  Strings seen;
  std::uint64_t epoch = 0;
  inspect.on_note = [&](const disk::Note& n) {
    seen.push_back(std::to_string(n.kind) + " " + n.payload);
    epoch = n.epoch;
  };
  inspect.is_servable = [&](const disk::Revisit& r) {
    seen.push_back(std::string(r.key) + ", " + std::string(r.head));
    return r.purge_epoch >= epoch;
  };
  const disk::CheckReport report = check();
  BOOST_TEST(report.records == 1U);
  BOOST_TEST(report.dead == 2U);
  const Strings expected = {"7 a rule", "key 1, head 1", "key 2, head 2", "key 3, head 3"};
  BOOST_TEST(seen == expected, boost::test_tools::per_element());
  BOOST_TEST(listed_keys() == Strings{"key 3"}, boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(a_list_tells_what_is_damaged, Fixture) {
  BOOST_TEST_REQUIRE(open() == "");
  put(meta(1), {}, "body 1");
  put(meta(2), {}, "body 2");
  close_in_order();
  const std::string segment = newest_segment();
  damage(segment, "key 1");
  BOOST_TEST(listed_keys() == Strings{"key 2"}, boost::test_tools::per_element());
  BOOST_TEST(list_problems == Strings{name_of(segment) + ": at 4096: not a record"}, boost::test_tools::per_element());
  const std::string journal = disk.files("/d0/journal-").back();
  disk.set_content(journal, std::string(8192, 'x'));
  BOOST_TEST(listed_keys().empty());
  BOOST_TEST(list_problems.size() == 2U);
  BOOST_TEST(list_problems[0] == "journal: damaged: the next start will empty the directory");
}

BOOST_FIXTURE_TEST_CASE(what_the_next_start_does_not_believe_is_not_served, Fixture) {
  BOOST_TEST_REQUIRE(open() == "");
  put(meta(1), {}, "body 1");
  disk.fail("/d0/segment-", EIO);
  put(meta(2), {}, "body 2");
  BOOST_TEST_REQUIRE((tier->stats().volumes[0].state == disk::VolumeState::kOutOfService));
  close();
  disk.fail("/d0/segment-", 0);
  disk.restart();
  const disk::CheckReport report = check();
  BOOST_TEST(report.records == 0U);
  BOOST_TEST(report.problem_count == 1U);
  BOOST_TEST_REQUIRE(open() == "");
  BOOST_TEST(get(1) == "miss");
}

BOOST_AUTO_TEST_SUITE_END()
