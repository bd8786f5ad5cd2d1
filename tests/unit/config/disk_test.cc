// cache.disk: one directory, or several.
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <string>

#include "unit/config/error_rows.h"

namespace seawall::config {
namespace {

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

BOOST_AUTO_TEST_SUITE(config_disk)

BOOST_AUTO_TEST_CASE(without_it_all_is_in_memory) {
  const Config config = load_good(kOrigin);
  BOOST_TEST(config.disk.empty());
  BOOST_TEST(config.disk_write_bytes_per_second == 0U);
  BOOST_TEST(config.disk_max_object_bytes == kGiB);
  BOOST_TEST((config.disk_reads == disk::ReadBackend::kThreads));
  BOOST_TEST(dump(config).find("disk") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(one_directory_or_several) {
  struct Row {
    const char* name;
    std::string text;
    std::size_t count;
  };
  const Row rows[] = {
      {"a table", "[cache]\ndisk = { path = \"/a\", size = \"1GiB\" }", 1},
      {"a table of its own", "[cache.disk]\npath = \"/a/\"\nsize = 1073741824", 1},
      {"dotted", "[cache]\ndisk.path = \"/b/../a\"\ndisk.size = \"1GiB\"", 1},
      {"an array of one", "[cache]\ndisk = [{ path = \"/a\", size = \"1GiB\" }]", 1},
      {"an array of tables",
       "[[cache.disk]]\npath = \"/a\"\nsize = \"1GiB\"\n[[cache.disk]]\npath = \"/ab\"\nsize = \"64MiB\"", 2},
      {"several", "[cache]\ndisk = [{ path = \"/a\", size = \"1GiB\" }, { size = \"64MiB\", path = \"${DIR}b\" }]", 2},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const Config config = load_good(kOrigin + row.text, {{"DIR", "/a"}});
      BOOST_REQUIRE(config.disk.size() == row.count);
      BOOST_TEST(config.disk[0].path == "/a");
      BOOST_TEST(config.disk[0].capacity_bytes == kGiB);
      if (row.count > 1) BOOST_TEST(config.disk[1].path == "/ab");
      if (row.count > 1) BOOST_TEST(config.disk[1].capacity_bytes == std::uint64_t{64} << 20);
      BOOST_TEST(dump(load_good(dump(config))) == dump(config));
    }
  }
  BOOST_TEST(load_good(kOrigin + "[cache]\ndisk = []").disk.empty());
}

BOOST_AUTO_TEST_CASE(as_many_as_there_may_be_are_dumped_and_read_back) {
  const std::string long_name(200, 'x');
  std::string text = kOrigin;
  for (int i = 0; i < 16; ++i)
    text += "[[cache.disk]]\npath = \"/" + long_name + "\\\"" + std::to_string(i) + "\"\nsize = \"1GB\"\n";
  text += "[cache]\ndisk_writes = \"11MB\"\ndisk_max_object = \"5GB\"\ndisk_reads = \"io_uring\"\n";
  const Config config = load_good(text);
  BOOST_TEST(config.disk.size() == 16U);
  const Config again = load_good(dump(config));
  BOOST_REQUIRE(again.disk.size() == 16U);
  BOOST_TEST(again.disk[15].path == "/" + long_name + "\"15");
  BOOST_TEST(again.disk_write_bytes_per_second == 11'000'000U);
  BOOST_TEST(again.disk_max_object_bytes == 5'000'000'000U);
  BOOST_TEST((again.disk_reads == disk::ReadBackend::kIoUring));
  BOOST_TEST(dump(again) == dump(config));
}

BOOST_AUTO_TEST_CASE(a_relative_path_begins_at_the_folder_of_its_file) {
  const Folder folder;
  folder.write("conf.d/disk.toml", "[cache]\ndisk = { path = \"../store\", size = \"64MiB\" }\n");
  const std::string main = folder.write("main.toml", "include = \"conf.d/*.toml\"\n" + kOrigin);
  const auto config = load_file(main, environment_of({}), SystemClock());
  BOOST_REQUIRE(config);
  BOOST_TEST(config->disk.at(0).path == folder.path() + "/store");
}

BOOST_AUTO_TEST_CASE(mistakes) {
  const ErrorRow rows[] = {
      {"too small", "[cache]\ndisk = { path = \"/a\", size = \"63MiB\" }",
       "4:30: cache.disk.size must be a size from 64MiB to 1024TiB, not \"63MiB\""},
      {"a unit that is none", "[cache]\ndisk = { path = \"/a\", size = \"50G\" }",
       "4:30: cache.disk.size must be a size from 64MiB to 1024TiB, not \"50G\" | did you mean \"50GiB\"?"},
      {"unknown key", "[cache]\ndisk = { path = \"/a\", sise = \"1GiB\", size = \"1GiB\" }",
       "4:23: unknown key \"disk.sise\" in [cache] | did you mean \"size\"?"},
      {"no size", "[cache]\ndisk = { path = \"/a\" }",
       "4:8: this directory has no size | write disk = { path = \"/var/cache/seawall\", size = \"50GiB\" }"},
      {"no path", "[[cache.disk]]\nsize = \"1GiB\"",
       "3:1: this directory has no path | write disk = { path = \"/var/cache/seawall\", size = \"50GiB\" }"},
      {"empty path", "[cache]\ndisk = { path = \"\", size = \"1GiB\" }",
       "4:17: cache.disk.path must be a file path, not \"\""},
      {"a text", "[cache]\ndisk = \"/a\"",
       "4:8: cache.disk must be a table or an array of tables, not \"/a\" | write disk = { path = "
       "\"/var/cache/seawall\", size = \"50GiB\" }"},
      {"a text among tables", "[cache]\ndisk = [{ path = \"/a\", size = \"1GiB\" }, \"/b\"]",
       "4:41: cache.disk must be a table or an array of tables, not \"/b\" | write disk = { path = "
       "\"/var/cache/seawall\", size = \"50GiB\" }"},
      {"twice the same",
       "[cache]\ndisk = [{ path = \"/a\", size = \"1GiB\" }, { path = \"/b/../a/\", size = \"1GiB\" }]",
       "4:50: disk cache directory /a: it overlaps with /a | give each a directory of its own"},
      {"one within another",
       "[cache]\ndisk = [{ path = \"/a\", size = \"1GiB\" }, { path = \"/a/b\", size = \"1GiB\" }]",
       "4:50: disk cache directory /a/b: it overlaps with /a | give each a directory of its own"},
      {"objects of no disk", "[cache]\ndisk_max_object = \"1GB\"",
       "4:19: cache.disk_max_object has no effect without disk | add disk, or remove it"},
      {"writes of no disk", "[cache]\ndisk_writes = \"1MB\"",
       "4:15: cache.disk_writes has no effect without disk | add disk, or remove it"},
      {"reads of no disk", "[cache]\ndisk_reads = \"io_uring\"",
       "4:14: cache.disk_reads has no effect without disk | add disk, or remove it"},
      {"another way of reading", "[cache]\ndisk = { path = \"/a\", size = \"1GiB\" }\ndisk_reads = \"uring\"",
       "5:14: cache.disk_reads must be one of \"threads\", \"io_uring\", not \"uring\""},
  };
  check_after(kOrigin, rows);
  std::string many = kOrigin;
  for (int i = 0; i < 17; ++i) many += "[[cache.disk]]\npath = \"/" + std::to_string(i) + "\"\nsize = \"1GB\"\n";
  BOOST_TEST(errors_of(many).find("error: disk cache: at most 16 directories") != std::string::npos, errors_of(many));
}

BOOST_AUTO_TEST_CASE(files_do_not_add_up) {
  const Folder folder;
  folder.write("conf.d/disk.toml", "[cache]\ndisk = { path = \"/a\", size = \"64MiB\" }\n");
  const std::string main = folder.write(
      "main.toml", "include = \"conf.d/*.toml\"\n[cache]\ndisk = { path = \"/b\", size = \"64MiB\" }\n" + kOrigin);
  const auto config = load_file(main, environment_of({}), SystemClock());
  BOOST_REQUIRE(!config);
  BOOST_TEST(config.error().size() == 1U);
  BOOST_TEST(brief(config.error().front()) == "3:1: cache.disk is set twice: first at " + folder.path() +
                                                  "/conf.d/disk.toml:2:8 | remove one of the two; several directories "
                                                  "are an array: disk = [{ ... }, { ... }]");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::config
