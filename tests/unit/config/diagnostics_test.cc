#include "config/diagnostics.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "unit/config/support.h"

namespace seawall::config {
namespace {

BOOST_AUTO_TEST_SUITE(config_diagnostics)

BOOST_AUTO_TEST_CASE(a_whole_report) {
  const std::string text =
      "[server]\n"
      "wrokers = 4\n"
      "\ttimeout = { header = \"10 seconds\" }\n"
      "\n"
      "[[origin]]\n"
      "name = \"größe\"  # two bytes a letter\n"
      "servers = [\"http://10.0.0.5/x\"]\n"
      "host = \"presrve\"\n";
  const std::string want =
      "seawall.toml:2:1: error: unknown key \"wrokers\" in [server]\n"
      "wrokers = 4\n"
      "^\n"
      "hint: did you mean \"workers\"?\n"
      "\n"
      "seawall.toml:3:23: error: server.timeout.header must be a duration from 1ms to 1h, not \"10 seconds\"\n"
      "\ttimeout = { header = \"10 seconds\" }\n"
      "\t                     ^\n"
      "hint: did you mean \"10s\"?\n"
      "\n"
      "seawall.toml:7:12: error: origin.servers takes no path: \"http://10.0.0.5/x\"\n"
      "servers = [\"http://10.0.0.5/x\"]\n"
      "           ^\n"
      "hint: write \"http://10.0.0.5\"\n"
      "\n"
      "seawall.toml:8:8: error: origin.host must be one of \"preserve\", \"origin\", not \"presrve\"\n"
      "host = \"presrve\"\n"
      "       ^\n"
      "hint: did you mean \"preserve\"?\n";
  BOOST_TEST(errors_of(text) == want);
}

BOOST_AUTO_TEST_CASE(excerpts) {
  struct Row {
    const char* name;
    Diagnostic diagnostic;
    std::string want;
  };
  const Row rows[] = {
      {"without a line", {.file = "a", .message = "m"}, "a: error: m\n"},
      {"with a hint", {.file = "a", .message = "m", .hint = "h"}, "a: error: m\nhint: h\n"},
      {"letters of two bytes count once",
       {.file = "a", .line = 1, .column = 4, .message = "m", .source_line = "äö x"},
       "a:1:4: error: m\näö x\n   ^\n"},
      {"past the end of the line",
       {.file = "a", .line = 2, .column = 6, .message = "m", .source_line = "a ="},
       "a:2:6: error: m\na =\n     ^\n"},
      {"control bytes are not shown",
       {.file = "a", .line = 1, .column = 3, .message = "m", .source_line = "\x1b[c"},
       "a:1:3: error: m\n?[c\n  ^\n"},
      {"a long line is cut on both sides",
       {.file = "a",
        .line = 1,
        .column = 1001,
        .message = "m",
        .source_line = std::string(1000, 'x') + "Y" + std::string(1000, 'z')},
       "a:1:1001: error: m\n..." + std::string(80, 'x') + "Y" + std::string(79, 'z') + "...\n" + std::string(83, ' ') +
           "^\n"},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      BOOST_TEST(to_string(row.diagnostic) == row.want);
    }
  }
}

BOOST_AUTO_TEST_CASE(many_are_cut_short) {
  const Diagnostics many(kMaxShown + 3, Diagnostic{.file = "a", .message = "m"});
  const std::string text = to_string(many);
  BOOST_TEST(text.ends_with("a: error: m\n\nand 3 more\n"));
  BOOST_TEST(std::count(text.begin(), text.end(), '\n') == static_cast<std::ptrdiff_t>(2 * kMaxShown + 1));
}

BOOST_AUTO_TEST_CASE(quoting) {
  BOOST_TEST(quote("a\"b\\c") == R"("a\"b\\c")");
  BOOST_TEST(quote("\x1b\n") == R"("\x1B\x0A")");
  BOOST_TEST(quote("größe") == "\"größe\"");
  BOOST_TEST(quote(std::string(1000, 'x')) == "\"" + std::string(80, 'x') + "...\"");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::config
