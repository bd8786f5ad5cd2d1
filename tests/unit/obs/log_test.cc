#include "obs/log.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>

#include "support/temporary_directory.h"

namespace seawall::obs {
namespace {

BOOST_AUTO_TEST_SUITE(obs_log)

// A log file of its own for one test; stderr at the level of errors after it.
class LogToFile {
 public:
  explicit LogToFile(LogLevel level) {
    std::string error;
    BOOST_REQUIRE_MESSAGE(init_log({.level = level, .target = file("log")}, error), error);
  }
  ~LogToFile() {
    std::string error;
    init_log({}, error);
  }
  LogToFile(const LogToFile&) = delete;
  LogToFile& operator=(const LogToFile&) = delete;

  std::string file(const std::string& name) const { return directory_.path(name); }
  std::string text(const std::string& name = "log") const { return directory_.read(name); }

 private:
  const test::TemporaryDirectory directory_;
};

BOOST_AUTO_TEST_CASE(a_line) {
  const LogToFile to(LogLevel::kInfo);
  log(LogLevel::kWarning, "origin {}: {}", "shop", 502);
  const std::regex form(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z warning: origin shop: 502\n)");
  BOOST_TEST(std::regex_match(to.text(), form), to.text());
}

BOOST_AUTO_TEST_CASE(levels) {
  struct Row {
    LogLevel level;
    int lines;
  };
  for (const Row& row :
       {Row{LogLevel::kDebug, 4}, Row{LogLevel::kInfo, 3}, Row{LogLevel::kWarning, 2}, Row{LogLevel::kError, 1}}) {
    const LogToFile to(row.level);
    for (const LogLevel level : {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError}) {
      log(level, "x");
      BOOST_TEST(is_logged(level) == (level >= row.level));
    }
    const std::string text = to.text();
    BOOST_TEST(std::count(text.begin(), text.end(), '\n') == row.lines);
  }
}

BOOST_AUTO_TEST_CASE(hostile_text_stays_on_its_line) {
  const LogToFile to(LogLevel::kInfo);
  log_text(LogLevel::kInfo, "a\r\x1b[2J{}\nforged\n");
  const std::string text = to.text();
  BOOST_TEST(text.find(" info: a\\x0D\\x1B[2J{}\n  | forged\n") != std::string::npos, text);
}

BOOST_AUTO_TEST_CASE(reopened_after_a_rename) {
  const LogToFile to(LogLevel::kInfo);
  log(LogLevel::kInfo, "one");
  std::filesystem::rename(to.file("log"), to.file("log.1"));
  log(LogLevel::kInfo, "two");
  reopen_log();
  log(LogLevel::kInfo, "three");
  BOOST_TEST(to.text("log.1").find("two") != std::string::npos);
  BOOST_TEST(to.text("log.1").find("three") == std::string::npos);
  BOOST_TEST(to.text().find("three") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_opened) {
  const LogToFile to(LogLevel::kInfo);
  std::string error;
  BOOST_TEST(!init_log({.target = "/dev/null/log"}, error));
  BOOST_TEST(error.starts_with("log /dev/null/log cannot be opened: "), error);
  log(LogLevel::kInfo, "still here");
  BOOST_TEST(to.text().find("still here") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_full_disk_is_survived) {
  const LogToFile to(LogLevel::kInfo);
  std::string error;
  BOOST_REQUIRE(init_log({.target = "/dev/full"}, error));
  for (int i = 0; i < 3; ++i) log(LogLevel::kError, "nowhere to go");
  BOOST_REQUIRE(init_log({.target = to.file("log")}, error));
  log(LogLevel::kInfo, "back");
  BOOST_TEST(to.text().find("back") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::obs
