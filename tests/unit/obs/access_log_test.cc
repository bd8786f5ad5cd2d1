#include "obs/access_log.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <toml++/toml.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "obs/log.h"
#include "support/temporary_directory.h"

namespace seawall::obs {
namespace {

BOOST_AUTO_TEST_SUITE(obs_access_log)

// 2026-11-23T03:26:58.123Z
AccessEntry entry_of(std::string_view path) {
  return {.time = WallTime{1'795'404'418'123},
          .client_ip = "10.0.0.1",
          .method = "GET",
          .host = "a.test",
          .path = path,
          .protocol = "HTTP/1.1",
          .status = 200,
          .body_bytes = 42,
          .referer = "http://b.test/",
          .user_agent = "probe/1",
          .cache = "miss",
          .why = "uri-miss",
          .route = "* /*",
          .origin = "shop",
          .origin_status = 200,
          .first_byte_us = 1500,
          .duration_us = 2500};
}

std::string combined(const AccessEntry& entry) {
  std::string out;
  append_combined(out, entry);
  return out;
}

std::string json(const AccessEntry& entry) {
  std::string out;
  append_json(out, entry);
  return out;
}

using Folder = test::TemporaryDirectory;

// Keeps the log of events, which failures are told to, off the test's output.
struct QuietLog {
  QuietLog() {
    std::string error;
    BOOST_REQUIRE(init_log({.level = LogLevel::kInfo, .target = folder.path("events")}, error));
  }
  ~QuietLog() {
    std::string error;
    init_log({}, error);
  }
  std::string text() const { return folder.read("events"); }

  Folder folder;
};

std::shared_ptr<AccessLogFile> open_file(const std::string& target) {
  auto file = AccessLogFile::open({.target = target});
  BOOST_REQUIRE(file);
  return *file;
}

BOOST_AUTO_TEST_CASE(a_combined_line) {
  BOOST_TEST(combined(entry_of("/a?b=c")) ==
             "10.0.0.1 - - [23/Nov/2026:03:26:58 +0000] \"GET /a?b=c HTTP/1.1\" 200 42 \"http://b.test/\" \"probe/1\" "
             "host=a.test cache=miss "
             "why=uri-miss route=\"* /*\" origin=shop origin_status=200 ttfb_us=1500 us=2500\n");
  BOOST_TEST(combined({}) ==
             "- - - [01/Jan/1970:00:00:00 +0000] \"- - -\" 000 0 \"-\" \"-\" host=- cache=- why=- route=\"-\" origin=- "
             "origin_status=0 "
             "ttfb_us=0 us=0\n");
}

BOOST_AUTO_TEST_CASE(a_json_line) {
  BOOST_TEST(json(entry_of("/a?b=c")) ==
             "{\"time\":\"2026-11-23T03:26:58.123Z\",\"client_ip\":\"10.0.0.1\",\"method\":\"GET\",\"host\":\"a.test\","
             "\"path\":\"/a?b=c\","
             "\"protocol\":\"HTTP/1.1\",\"status\":200,\"body_bytes\":42,\"referer\":\"http://b.test/"
             "\",\"user_agent\":\"probe/1\","
             "\"cache\":\"miss\",\"why\":\"uri-miss\",\"route\":\"* "
             "/*\",\"origin\":\"shop\",\"origin_status\":200,\"first_byte_us\":1500,"
             "\"duration_us\":2500}\n");
}

BOOST_AUTO_TEST_CASE(dates) {
  struct Row {
    std::int64_t unix_ms;
    std::string_view want;
  };
  const Row rows[] = {{0, "1970-01-01T00:00:00.000Z"},
                      {-1, "1969-12-31T23:59:59.999Z"},
                      {951'782'399'999, "2000-02-28T23:59:59.999Z"},
                      {951'782'400'000, "2000-02-29T00:00:00.000Z"},
                      {4'102'444'799'000, "2099-12-31T23:59:59.000Z"}};
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.want) {
      BOOST_TEST(json({.time = WallTime{row.unix_ms}}).substr(9, 24) == row.want);
    }
  }
}

BOOST_AUTO_TEST_CASE(hostile_bytes) {
  struct Row {
    const char* name;
    std::string text;
    std::string combined;
    std::string json;
  };
  const Row rows[] = {
      {"line feed", "a\nb", "a\\x0Ab", "a\\u000ab"},
      {"carriage return", "a\rb", "a\\x0Db", "a\\u000db"},
      {"NUL", std::string("a\0b", 3), "a\\x00b", "a\\u0000b"},
      {"escape and DEL", "\x1b[2J\x7f", "\\x1B[2J\\x7F", "\\u001b[2J\\u007f"},
      {"quote", "a\"b", "a\\x22b", "a\\\"b"},
      {"backslash", "a\\b", "a\\x5Cb", "a\\\\b"},
      {"two bytes", "\xc3\xa4", "\\xC3\\xA4", "\xc3\xa4"},
      {"three bytes", "\xe2\x82\xac", "\\xE2\\x82\\xAC", "\xe2\x82\xac"},
      {"four bytes", "\xf0\x9f\x8c\x8a", "\\xF0\\x9F\\x8C\\x8A", "\xf0\x9f\x8c\x8a"},
      {"lone tail", "a\x80z", "a\\x80z", "a\\ufffdz"},
      {"cut short", "a\xe2\x82", "a\\xE2\\x82", "a\\ufffd\\ufffd"},
      {"overlong", "\xc0\xaf", "\\xC0\\xAF", "\\ufffd\\ufffd"},
      {"overlong, three bytes", "\xe0\x80\xaf", "\\xE0\\x80\\xAF", "\\ufffd\\ufffd\\ufffd"},
      {"surrogate", "\xed\xa0\x80", "\\xED\\xA0\\x80", "\\ufffd\\ufffd\\ufffd"},
      {"past the last code point", "\xf4\x90\x80\x80", "\\xF4\\x90\\x80\\x80", "\\ufffd\\ufffd\\ufffd\\ufffd"},
      {"never a lead", "\xff", "\\xFF", "\\ufffd"},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      AccessEntry entry;
      entry.user_agent = row.text;
      BOOST_TEST(combined(entry).find("\"-\" \"" + row.combined + "\" host=") != std::string::npos, combined(entry));
      BOOST_TEST(json(entry).find("\"user_agent\":\"" + row.json + "\",") != std::string::npos, json(entry));
    }
  }
}

// A JSON object whose members are strings and numbers is a TOML inline table but for its colons.
std::string as_toml(std::string_view object) {
  std::string out = "a = ";
  bool is_string = false;
  for (std::size_t i = 0; i < object.size(); ++i) {
    if (is_string && object[i] == '\\') {
      out += object[i++];
    } else if (object[i] == '"') {
      is_string = !is_string;
    }
    out += !is_string && object[i] == ':' ? '=' : object[i];
  }
  return out;
}

// Every field with every byte: a line stays a line, and its parts stay where they are.
BOOST_AUTO_TEST_CASE(no_field_breaks_the_line) {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  std::string_view AccessEntry::* const fields[] = {
      &AccessEntry::client_ip, &AccessEntry::method,  &AccessEntry::host,       &AccessEntry::path,
      &AccessEntry::protocol,  &AccessEntry::referer, &AccessEntry::user_agent, &AccessEntry::cache,
      &AccessEntry::why,       &AccessEntry::route,   &AccessEntry::origin};
  for (const auto field : fields) {
    AccessEntry entry = entry_of("/");
    entry.*field = all;
    const std::string line = combined(entry);
    BOOST_TEST(std::count(line.begin(), line.end(), '\n') == 1);
    BOOST_TEST(std::count(line.begin(), line.end(), '"') == 8);
    const auto is_plain = [](char c) { return c == '\n' || (c >= 0x20 && c < 0x7F); };
    BOOST_TEST(std::all_of(line.begin(), line.end(), is_plain));
    const std::string object = json(entry);
    BOOST_TEST(std::count(object.begin(), object.end(), '\n') == 1);
    BOOST_TEST(toml::parse(as_toml(object)).at_path("a.duration_us").value_or(0) == 2500);
  }
}

BOOST_AUTO_TEST_CASE(a_huge_field_is_cut) {
  const std::string path = "/" + std::string(std::size_t{1} << 20, 'a');
  BOOST_TEST(combined(entry_of(path)).size() < 9000U);
  BOOST_TEST(json(entry_of(path)).size() < 9000U);
  BOOST_TEST(combined(entry_of(path)).find("aaa... HTTP/1.1\" 200") != std::string::npos);
  const std::string controls(std::size_t{1} << 20, '\x01');
  BOOST_TEST(json(entry_of(controls)).size() < 60'000U);
}

BOOST_AUTO_TEST_CASE(lines_reach_the_file_by_flush_and_by_size) {
  const Folder folder;
  auto file = open_file(folder.path("log"));
  {
    AccessLog log(file, AccessFormat::kJson);
    BOOST_TEST(log.is_on());
    log.record(entry_of("/1"));
    BOOST_TEST(folder.read("log") == "");
    log.flush();
    BOOST_TEST(folder.read("log") == json(entry_of("/1")));
    const std::string large = "/" + std::string(8000, 'x');
    for (int i = 0; i < 9; ++i) log.record(entry_of(large));
    BOOST_TEST(folder.read("log").size() > 65'536U);
    log.record(entry_of("/last"));
    BOOST_TEST(folder.read("log").find("/last") == std::string::npos);
  }
  BOOST_TEST(folder.read("log").ends_with(json(entry_of("/last"))));
  BOOST_TEST(file->dropped_lines() == 0U);
}

BOOST_AUTO_TEST_CASE(off_costs_nothing) {
  auto file = AccessLogFile::open({.target = "off"});
  BOOST_REQUIRE(file);
  BOOST_TEST(*file == nullptr);
  AccessLog log(*file, AccessFormat::kCombined);
  BOOST_TEST(!log.is_on());
  log.record(entry_of("/"));
  log.flush();
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_opened) {
  const auto file = AccessLogFile::open({.target = "/nonexistent/access.log"});
  BOOST_REQUIRE(!file);
  BOOST_TEST(file.error() == "access log /nonexistent/access.log cannot be opened: No such file or directory");
}

BOOST_AUTO_TEST_CASE(a_full_disk_drops_and_counts) {
  const QuietLog events;
  auto file = open_file("/dev/full");
  AccessLog log(file, AccessFormat::kCombined);
  for (int i = 0; i < 3; ++i) log.record(entry_of("/"));
  log.flush();
  BOOST_TEST(file->dropped_lines() == 3U);
  log.record(entry_of("/"));
  log.flush();
  BOOST_TEST(file->dropped_lines() == 4U);
  // Told once.
  const std::string text = events.text();
  BOOST_TEST(
      text.find("access log: /dev/full cannot be written: No space left on device; lines are dropped until it can") !=
          std::string::npos,
      text);
  BOOST_TEST(std::count(text.begin(), text.end(), '\n') == 1);
}

BOOST_AUTO_TEST_CASE(a_reader_that_does_not_read_never_blocks_us) {
  const QuietLog events;
  const Folder folder;
  const std::string fifo = folder.path("fifo");
  BOOST_REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  const Fd reader(::open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  auto file = open_file(fifo);
  const std::string line(999, 'x');
  const std::string lines = [&] {
    std::string all;
    for (int i = 0; i < 100; ++i) all += line + "\n";
    return all;
  }();
  file->write(lines);
  const std::uint64_t dropped = file->dropped_lines();
  BOOST_TEST(dropped > 0U);
  BOOST_TEST(dropped < 100U);
  const auto drain = [&] {
    std::string out;
    std::string buffer(65'536, '\0');
    for (ssize_t n = 0; (n = ::read(reader.get(), buffer.data(), buffer.size())) > 0;)
      out.append(buffer, 0, static_cast<std::size_t>(n));
    return out;
  };
  std::string got = drain();
  file->write("after\n");
  got += drain();
  // What was cut off ends with its own line, and the next begins anew.
  BOOST_TEST(got.ends_with("\nafter\n"));
  BOOST_TEST(events.text().find("writing again") != std::string::npos);
  BOOST_TEST(static_cast<std::uint64_t>(std::count(got.begin(), got.end(), '\n')) >= 100 - dropped + 1);
}

BOOST_AUTO_TEST_CASE(reopened_after_a_rename) {
  const Folder folder;
  auto file = open_file(folder.path("log"));
  file->write("one\n");
  std::filesystem::rename(folder.path("log"), folder.path("log.1"));
  file->write("two\n");
  BOOST_TEST(folder.read("log.1") == "one\ntwo\n");
  file->reopen();
  file->write("three\n");
  BOOST_TEST(folder.read("log.1") == "one\ntwo\n");
  BOOST_TEST(folder.read("log") == "three\n");
}

// Puts another file under a standard stream for as long as it lives.
class Redirect {
 public:
  Redirect(int stream, int target) : stream_(stream), saved_(::dup(stream)) {
    std::fflush(nullptr);
    ::dup2(target, stream_);
  }
  ~Redirect() { ::dup2(saved_.get(), stream_); }
  Redirect(const Redirect&) = delete;
  Redirect& operator=(const Redirect&) = delete;

 private:
  int stream_;
  Fd saved_;
};

BOOST_AUTO_TEST_CASE(standard_output_shared_with_others) {
  const Folder folder;
  {
    const Fd target(::open(folder.path("out").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    const Redirect redirect(STDOUT_FILENO, target.get());
    auto file = open_file("stdout");
    for (int i = 0; i < 3; ++i) {
      file->write("ours\n");
      BOOST_REQUIRE(::write(STDOUT_FILENO, "theirs\n", 7) == 7);
    }
    file->reopen();
    file->write("end\n");
  }
  BOOST_TEST(folder.read("out") == "ours\ntheirs\nours\ntheirs\nours\ntheirs\nend\n");
}

BOOST_AUTO_TEST_CASE(standard_output_into_a_pipe_that_is_full) {
  const QuietLog events;
  int ends[2];
  BOOST_REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const Fd reader(ends[0]);
  const Fd writer(ends[1]);
  {
    const Redirect redirect(STDOUT_FILENO, writer.get());
    auto file = open_file("stdout");
    file->write(std::string(1 << 20, '\n'));
    BOOST_TEST(file->dropped_lines() > 0U);
  }
  // The pipe itself still waits, for those who share it.
  BOOST_TEST((::fcntl(writer.get(), F_GETFL) & O_NONBLOCK) == 0);
}

BOOST_AUTO_TEST_CASE(standard_output_into_a_socket_that_is_full) {
  const QuietLog events;
  int ends[2];
  BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  const Fd reader(ends[0]);
  const Fd writer(ends[1]);
  {
    const Redirect redirect(STDOUT_FILENO, writer.get());
    auto file = open_file("stdout");
    for (int i = 0; i < 64; ++i) file->write(std::string(1 << 16, '\n'));
    BOOST_TEST(file->dropped_lines() > 0U);
  }
  BOOST_TEST((::fcntl(writer.get(), F_GETFL) & O_NONBLOCK) == 0);
}

BOOST_AUTO_TEST_CASE(a_reopen_that_fails_keeps_the_old_file) {
  const QuietLog events;
  const Folder folder;
  std::filesystem::create_directory(folder.path("d"));
  auto file = open_file(folder.path("d/log"));
  std::filesystem::rename(folder.path("d"), folder.path("e"));
  file->reopen();
  file->write("still here\n");
  BOOST_TEST(folder.read("e/log") == "still here\n");
  BOOST_TEST(events.text().find("the old file stays in use") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(workers_write_whole_lines_while_it_is_reopened) {
  const Folder folder;
  auto file = open_file(folder.path("log"));
  std::vector<std::thread> workers;
  for (int w = 0; w < 3; ++w) {
    workers.emplace_back([&, w] {
      AccessLog log(file, AccessFormat::kCombined);
      const std::string path = "/" + std::string(static_cast<std::size_t>(100 * (w + 1)), static_cast<char>('a' + w));
      for (int i = 0; i < 200; ++i) {
        log.record(entry_of(path));
        log.flush();
      }
    });
  }
  for (int i = 0; i < 20; ++i) file->reopen();
  for (std::thread& worker : workers) worker.join();
  std::size_t lines = 0;
  std::ifstream stream(folder.path("log"));
  for (std::string line; std::getline(stream, line); ++lines) {
    BOOST_REQUIRE(line.starts_with("10.0.0.1 - - ["));
    BOOST_REQUIRE(line.ends_with(" us=2500"));
  }
  BOOST_TEST(lines == 600U);
  BOOST_TEST(file->dropped_lines() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::obs
