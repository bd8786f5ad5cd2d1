// The directories of the disk cache as an operator meets them: made, refused, looked into.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "disk/format.h"
#include "support/behave/admin.h"
#include "support/behave/client.h"
#include "support/behave/seawall.h"

namespace seawall::behave {
namespace {

using Json = nlohmann::json;

constexpr const char* kSize = "64MiB";

BOOST_AUTO_TEST_SUITE(behave_disk_directory)

Outcome run(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), seawall_binary());
  return behave::run(arguments);
}

std::vector<std::string> serve_on(const std::vector<std::string>& directories) {
  std::vector<std::string> arguments = {"serve", "--listen", "127.0.0.1:0",       "--admin",
                                        "off",   "--origin", "http://127.0.0.1:1"};
  for (const std::string& directory : directories) {
    arguments.insert(arguments.end(), {"--disk", directory + ":" + kSize});
  }
  return arguments;
}

std::string disk_line(const std::string& directory) {
  return "disk = { path = \"" + directory + "\", size = \"" + kSize + "\" }";
}

// Of all that is in the folder, by path; of a directory nothing.
std::map<std::string, std::string> contents(const std::string& folder) {
  std::map<std::string, std::string> all;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    std::ifstream file(entry.path(), std::ios::binary);
    all[entry.path().string()] = entry.is_regular_file() ? std::string{std::istreambuf_iterator<char>(file), {}} : "";
  }
  return all;
}

Reply cacheable(std::string body) {
  return {.headers = {"Cache-Control: max-age=3600"}, .body = std::move(body)};
}

BOOST_AUTO_TEST_CASE(what_is_not_ours_is_refused_and_left_alone) {
  struct Row {
    const char* name;
    const char* file;  // in the directory; with a "/" before it, in place of it
    std::string text;
    std::vector<std::string> says;
  };
  const Row rows[] = {
      {"other files", "holiday.jpg", "x", {"it holds other files, such as holiday.jpg", "give an empty directory"}},
      {"another's volume", "volume", "the volume of a sphere", {"it holds other files, such as volume"}},
      {"another's journal", "journal-1", "dear diary", {"it holds other files, such as journal-1"}},
      {"another's index", "index", "a, b, c", {"it holds other files, such as index"}},
      {"a newer version",
       "volume",
       disk::encode(disk::VolumeFile{.version = disk::kFormatVersion + 1, .members = {}}),
       {"it was written by a newer version of seawall", "give another directory"}},
      {"no directory", "/", "x", {"Not a directory"}},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      TemporaryDirectory folder;
      const std::string directory = folder.path() + "/cache";
      const std::string file = std::string_view(row.file) == "/" ? directory : directory + "/" + row.file;
      std::filesystem::create_directories(std::filesystem::path(file).parent_path());
      std::ofstream(file, std::ios::binary) << row.text;
      const std::string config = folder.write(
          "seawall.toml", "[cache]\n" + disk_line(directory) + "\n[[origin]]\nservers = \"http://127.0.0.1:1\"\n");
      const auto before = contents(folder.path());
      for (const std::vector<std::string>& arguments : {serve_on({directory}), {"check", "-c", config}}) {
        const Outcome outcome = run(arguments);
        BOOST_TEST(outcome.code == 1, outcome.output);
        BOOST_TEST(contains(outcome.output, "disk cache directory " + directory + ": "), outcome.output);
        for (const std::string& words : row.says) BOOST_TEST(contains(outcome.output, words), outcome.output);
        BOOST_TEST((contents(folder.path()) == before));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(sizes_and_places_that_cannot_be) {
  TemporaryDirectory folder;
  const Outcome small = run({"serve", "--origin", "http://127.0.0.1:1", "--disk", folder.path() + "/a:63MiB"});
  BOOST_TEST(small.code == 2, small.output);
  BOOST_TEST(contains(small.output, "64MiB"), small.output);
  const Outcome inside = run(serve_on({folder.path() + "/a", folder.path() + "/a/b"}));
  BOOST_TEST(inside.code == 1, inside.output);
  BOOST_TEST(contains(inside.output, "it overlaps with " + folder.path() + "/a"), inside.output);
  BOOST_TEST(contents(folder.path()).empty());
  // One directory under two names.
  std::filesystem::create_directory(folder.path() + "/a");
  std::filesystem::create_symlink("a", folder.path() + "/link");
  const Outcome linked = run(serve_on({folder.path() + "/a", folder.path() + "/link"}));
  BOOST_TEST(linked.code == 1, linked.output);
  BOOST_TEST(contains(linked.output, folder.path() + "/link: it overlaps with " + folder.path() + "/a"), linked.output);
  const std::string config =
      folder.write("links.toml",
                   "[cache]\ndisk = [{ path = \"a\", size = \"64MiB\" }, { path = \"link\", size = "
                   "\"64MiB\" }]\n[[origin]]\nservers = \"http://127.0.0.1:1\"\n");
  const Outcome checked = run({"check", "-c", config});
  BOOST_TEST(checked.code == 1, checked.output);
  BOOST_TEST(contains(checked.output, "/link: it overlaps with "), checked.output);
  BOOST_TEST(std::filesystem::is_empty(folder.path() + "/a"));
}

BOOST_AUTO_TEST_CASE(one_level_is_made_and_no_more) {
  TemporaryDirectory folder;
  const std::string directory = folder.path() + "/cache";
  const std::string file = folder.write(
      "seawall.toml", "[cache]\n" + disk_line("cache") + "\n[[origin]]\nservers = \"http://127.0.0.1:1\"\n");
  BOOST_TEST(run({"check", "-c", file}).code == 0);
  BOOST_TEST(!std::filesystem::exists(directory));
  for (const std::vector<std::string>& arguments :
       {serve_on({directory + "/deep"}),
        {"check", "-c",
         folder.write("deep.toml",
                      "[cache]\n" + disk_line("cache/deep") + "\n[[origin]]\nservers = \"http://127.0.0.1:1\"\n")}}) {
    const Outcome outcome = run(arguments);
    BOOST_TEST(outcome.code == 1, outcome.output);
    BOOST_TEST(contains(outcome.output, directory + "/deep: it does not exist and cannot be created"), outcome.output);
    BOOST_TEST(!std::filesystem::exists(directory));
  }
  {
    Origin origin;
    Seawall seawall(origin, {.cache = disk_line(directory)});
    BOOST_TEST(seawall.process().says("disk cache directory " + directory + ": created"));
    BOOST_TEST(seawall.process().says("disk cache in " + directory + ": 0 objects found"));
  }
  struct stat status{};
  BOOST_TEST_REQUIRE(::stat(directory.c_str(), &status) == 0);
  BOOST_TEST((status.st_mode & 07777) == 0700U);
  BOOST_TEST(run({"check", "-c", file}).code == 0);
}

// Root may write everywhere, so that the server becomes somebody else for this.
BOOST_AUTO_TEST_CASE(a_directory_of_another_user_is_refused) {
  std::vector<std::string> server = {seawall_binary()};
  if (::geteuid() == 0) {
    const std::string setpriv = find_program("setpriv");
    if (!setpriv.empty()) server = {setpriv, "--reuid=65534", "--regid=65534", "--clear-groups", seawall_binary()};
    auto version = server;
    version.emplace_back("--version");
    if (setpriv.empty() || behave::run(version).code != 0) {
      BOOST_TEST_MESSAGE("skipped: root may write everywhere, and cannot run seawall as another user here");
      return;
    }
  }
  TemporaryDirectory folder;
  ::chmod(folder.path().c_str(), 0755);
  const std::string directory = folder.path() + "/cache";
  std::filesystem::create_directory(directory);
  for (const mode_t mode : {mode_t{0500}, mode_t{0555}, mode_t{0}}) {
    BOOST_TEST_CONTEXT("mode " << mode) {
      ::chmod(directory.c_str(), mode);
      auto arguments = server;
      for (const std::string& argument : serve_on({directory})) arguments.push_back(argument);
      const Outcome outcome = behave::run(arguments);
      BOOST_TEST(outcome.code == 1, outcome.output);
      const char* const why = ::geteuid() == 0 && mode == 0555 ? ": it belongs to another user" : ": Permission denied";
      BOOST_TEST(contains(outcome.output, directory + why), outcome.output);
      BOOST_TEST(contains(outcome.output, "the server's user"), outcome.output);
      ::chmod(directory.c_str(), 0700);
      BOOST_TEST(std::filesystem::is_empty(directory));
    }
  }
  if (::geteuid() != 0) return;
  // Root may, and must not: it would take away what belongs to another.
  BOOST_TEST_REQUIRE(::chown(directory.c_str(), 65534, 65534) == 0);
  const Outcome outcome = run(serve_on({directory}));
  BOOST_TEST(outcome.code == 1, outcome.output);
  BOOST_TEST(contains(outcome.output, directory + ": it belongs to another user"), outcome.output);
  BOOST_TEST(std::filesystem::is_empty(directory));
  const std::string config = folder.write(
      "seawall.toml", "[cache]\n" + disk_line(directory) + "\n[[origin]]\nservers = \"http://127.0.0.1:1\"\n");
  BOOST_TEST(run({"check", "-c", config}).code == 0);
}

BOOST_AUTO_TEST_CASE(a_directory_that_a_server_uses_is_refused) {
  TemporaryDirectory folder;
  const std::string directory = folder.path() + "/cache";
  Origin origin;
  origin.on("/a", cacheable("a"));
  Seawall seawall(origin, {.cache = disk_line(directory)});
  Client client(seawall);
  BOOST_TEST(client.get("/a").body == "a");
  for (const std::vector<std::string>& arguments :
       {serve_on({directory}), {"disk", "check", directory}, {"disk", "ls", directory}}) {
    const Outcome outcome = run(arguments);
    BOOST_TEST(outcome.code == 1, outcome.output);
    BOOST_TEST(contains(outcome.output, "server is using it"), outcome.output);
  }
  BOOST_TEST(client.get("/a").is_hit());
  // Whose configuration is good all the same.
  BOOST_TEST(run({"check", "-c", seawall.directory().path() + "/seawall.toml"}).code == 0);
}

BOOST_AUTO_TEST_CASE(a_change_needs_a_restart) {
  TemporaryDirectory folder;
  Origin origin;
  Seawall seawall(origin, {.cache = disk_line(folder.path() + "/a")});
  std::string config = seawall.config();
  config.replace(config.find(kSize), 5, "65MiB");
  seawall.write_config(config);
  seawall.process().signal(SIGHUP);
  BOOST_TEST(seawall.process().says(
      "changes of cache.disk, cache.disk_max_object, cache.disk_writes and cache.disk_reads need a restart"));
  BOOST_TEST(seawall.process().says("reloaded"));
}

BOOST_AUTO_TEST_CASE(io_uring_reads_what_a_server_of_before_has_stored) {
  TemporaryDirectory folder;
  const std::string directory = folder.path() + "/cache";
  const std::string large(3 << 20, 'l');
  Origin origin;
  origin.on("/small", cacheable("small"));
  origin.on("/large", cacheable(large));
  const SeawallOptions options{.admin = true,
                               .cache = "memory = \"8MiB\"\ndisk_reads = \"io_uring\"\n" + disk_line(directory)};
  {
    Seawall seawall(origin, options);
    Client client(seawall);
    client.get("/small");
    client.get("/large");
    const Admin admin(seawall);
    BOOST_TEST(until([&] { return admin.number("/v1/disk", "/volumes/0/objects") == 2; }));
    BOOST_TEST(seawall.stop() == 0);
  }
  Seawall seawall(origin, options);
  const Admin admin(seawall);
  BOOST_TEST(until([&] { return admin.number("/v1/disk", "/volumes/0/objects") == 2; }));
  Client client(seawall);
  const Response small = client.get("/small");
  BOOST_TEST(small.is_hit(), small);
  BOOST_TEST(small.body == "small");
  const Response all = client.get("/large");
  BOOST_TEST(all.is_hit());
  BOOST_TEST((all.body == large));
  BOOST_TEST(client.get("/large", {"Range: bytes=2000000-2000009"}).body == "llllllllll");
  BOOST_TEST(origin.total() == 2U);
  // Whether the kernel lets it or not, one line says so.
  const bool is_used = admin.value("/v1/disk", "/volumes/0/read_backend") == "io_uring";
  BOOST_TEST(seawall.process().says(is_used ? "disk cache: reading with io_uring"
                                            : "disk cache: no io_uring, reading with threads: "));
  BOOST_TEST(admin.metric("seawall_disk_read_backend{volume=\"" + directory + "\",backend=\"io_uring\"}") ==
             (is_used ? 1 : 0));
  if (!is_used) BOOST_TEST_MESSAGE("the kernel refuses io_uring");
  BOOST_TEST(seawall.stop() == 0);
}

BOOST_AUTO_TEST_CASE(what_a_server_wrote_is_listed_and_checked) {
  TemporaryDirectory folder;
  const std::string directory = folder.path() + "/cache";
  Origin origin;
  origin.on("/text", cacheable(std::string(100'000, 'x')));
  origin.on("/short", cacheable("short"));
  origin.on("/private", Reply{.headers = {"Cache-Control: private"}, .body = "mine"});
  {
    Seawall seawall(origin, {.admin = true, .cache = disk_line(directory)});
    Client client(seawall);
    for (const char* path : {"/text", "/short", "/private"}) client.get(path);
    Admin admin(seawall);
    const Json disk = Json::parse(admin.get("/v1/disk").body);
    BOOST_TEST(disk.at("/_links/self/href"_json_pointer) == "/v1/disk");
    BOOST_TEST(disk.at("volumes").size() == 1U);
    BOOST_TEST(disk.at("/volumes/0/path"_json_pointer) == directory);
    BOOST_TEST(disk.at("/volumes/0/capacity_bytes"_json_pointer) == 64 << 20);
    const std::string sample = "\nseawall_disk_objects{volume=\"" + directory + "\"} 2\n";
    BOOST_TEST(until([&] { return contains(admin.get("/metrics").body, sample); }));
    BOOST_TEST(seawall.stop() == 0);
  }
  const Outcome checked = run({"disk", "check", directory});
  BOOST_TEST(checked.code == 0, checked.output);
  BOOST_TEST(contains(checked.output, directory + ": format "), checked.output);
  BOOST_TEST(checked.output.ends_with("\nok\n"), checked.output);
  const Json report = Json::parse(run({"disk", "check", directory, "--json"}).output);
  BOOST_TEST(report.at("records") == 2);
  BOOST_TEST(report.at("problem_count") == 0);

  const Outcome listed = run({"disk", "ls", directory});
  BOOST_TEST(listed.code == 0, listed.output);
  for (const char* words : {"/text\n", "/short\n", "97.7 KiB", " lz4 ", "2 records, "}) {
    BOOST_TEST(contains(listed.output, words), listed.output);
  }
  BOOST_TEST(!contains(listed.output, "/private"), listed.output);
  std::istringstream lines(run({"disk", "ls", "--json", directory}).output);
  std::map<std::string, Json> records;
  for (std::string line; std::getline(lines, line);) {
    Json record = Json::parse(line);
    const std::string key = record.at("key");
    records[key.substr(key.rfind('/'))] = std::move(record);
  }
  BOOST_TEST_REQUIRE(records.size() == 2U);
  BOOST_TEST(records["/text"].at("body_bytes") == 100'000);
  BOOST_TEST(records["/text"].at("compressed") == true);
  BOOST_TEST(records["/short"].at("body_bytes") == 5);
  BOOST_TEST(records["/short"].at("compressed") == false);

  // A bit of a body that a device turned.
  for (const auto& [path, bytes] : contents(directory)) {
    const std::size_t at = bytes.rfind("short");
    if (!contains(path, "segment-") || at == std::string::npos) continue;
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(at));
    file << 'S';
  }
  const Outcome damaged = run({"disk", "check", directory});
  BOOST_TEST(damaged.code == 1, damaged.output);
  BOOST_TEST(contains(damaged.output, "problem: segment-"), damaged.output);
}

BOOST_AUTO_TEST_CASE(what_was_purged_is_not_listed_and_damage_is_told) {
  TemporaryDirectory folder;
  const std::string directory = folder.path() + "/cache";
  Origin origin;
  for (const char* path : {"/a/1", "/b/1"}) origin.on(path, cacheable("text"));
  {
    Seawall seawall(origin, {.admin = true, .cache = disk_line(directory)});
    Client client(seawall);
    for (const char* path : {"/a/1", "/b/1"}) client.get(path);
    const Admin admin(seawall);
    BOOST_TEST(until([&] { return admin.number("/v1/disk", "/volumes/0/objects") == 2; }));
    const Response purged =
        admin.request("POST", "/v1/purge", {"Content-Type: application/json"}, R"({"prefixes": ["http://a.test/a/"]})");
    BOOST_TEST(purged.status == 200, purged);
    BOOST_TEST(seawall.stop() == 0);
  }
  const Outcome listed = run({"disk", "ls", directory});
  BOOST_TEST(listed.code == 0, listed.output);
  BOOST_TEST(!contains(listed.output, "/a/1"), listed.output);
  BOOST_TEST(contains(listed.output, "/b/1\n1 record, "), listed.output);
  BOOST_TEST(Json::parse(run({"disk", "check", directory, "--json"}).output).at("records") == 1);

  // The key of the last record in a segment that nobody has sealed.
  for (const auto& [path, bytes] : contents(directory)) {
    const std::size_t at = bytes.rfind("/b/1");
    if (!contains(path, "segment-") || at == std::string::npos) continue;
    std::fstream(path, std::ios::binary | std::ios::in | std::ios::out).seekp(static_cast<std::streamoff>(at + 1))
        << 'c';
  }
  for (const char* command : {"check", "ls"}) {
    const Outcome damaged = run({"disk", command, directory});
    BOOST_TEST(damaged.code == 1, damaged.output);
    BOOST_TEST(contains(damaged.output, "problem: segment-"), damaged.output);
    BOOST_TEST(contains(damaged.output, ": not a record\n"), damaged.output);
  }
}

BOOST_AUTO_TEST_CASE(what_is_no_disk_cache_is_not_listed) {
  TemporaryDirectory folder;
  for (const std::string& directory : {folder.path(), folder.path() + "/none"}) {
    for (const char* command : {"check", "ls"}) {
      const Outcome outcome = run({"disk", command, directory});
      BOOST_TEST(outcome.code == 1, outcome.output);
      BOOST_TEST(contains(outcome.output, "disk cache directory " + directory + ": "), outcome.output);
    }
  }
  BOOST_TEST(contents(folder.path()).empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::behave
