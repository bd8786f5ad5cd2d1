// `seawall purge` and `seawall warm`: from the command line to a command.
#include "server/client_commands.h"

#include <boost/test/unit_test.hpp>

#include "config/admin_socket.h"
#include "server/cli.h"

namespace seawall::server {
namespace {

std::string error_of(const std::vector<std::string>& arguments) {
  const auto command = parse_arguments(arguments);
  return command ? "(a command)" : command.error();
}

std::string joined(const std::vector<std::string>& list) {
  std::string text;
  for (const std::string& one : list) text += "[" + one + "]";
  return text;
}

BOOST_AUTO_TEST_SUITE(server_client_commands)

BOOST_AUTO_TEST_CASE(purge_command_lines) {
  struct Row {
    std::vector<std::string> arguments;
    std::string admin = "unix:" + config::default_admin_socket();
    std::string urls = {};
    std::string tags = {};
    std::string prefixes = {};
    bool is_soft = false;
  };
  const Row rows[] = {
      {.arguments = {"purge", "http://a/x"}, .urls = "[http://a/x]"},
      {.arguments = {"purge", "http://a/x", "HTTPS://b:1?y"}, .urls = "[http://a/x][HTTPS://b:1?y]"},
      {.arguments = {"purge", "--soft", "http://a"}, .urls = "[http://a]", .is_soft = true},
      {.arguments = {"purge", "http://a", "--soft"}, .urls = "[http://a]", .is_soft = true},
      {.arguments = {"purge", "--", "http://a"}, .urls = "[http://a]"},
      {.arguments = {"purge", "--tag", "one", "--tag=two"}, .tags = "[one][two]"},
      {.arguments = {"purge", "--tag", "one", "http://a"}, .urls = "[http://a]", .tags = "[one]"},
      {.arguments = {"purge", "--tag", "gr\xC3\xBC\xC3\x9F"}, .tags = "[gr\xC3\xBC\xC3\x9F]"},
      {.arguments = {"purge", "--prefix", "http://a/x/", "--prefix", "http://b/"},
       .prefixes = "[http://a/x/][http://b/]"},
      {.arguments = {"purge", "--host", "a:81", "/x?y", "http://b/z", "--prefix", "/p/"},
       .urls = "[http://a:81/x?y][http://b/z]",
       .prefixes = "[http://a:81/p/]"},
      {.arguments = {"purge", "--admin", "[::1]:9180", "http://a"}, .admin = "[::1]:9180", .urls = "[http://a]"},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(joined(row.arguments)) {
      const auto command = parse_arguments(row.arguments);
      BOOST_REQUIRE_MESSAGE(command, error_of(row.arguments));
      const auto& purge = std::get<PurgeCommand>(*command);
      BOOST_TEST(purge.admin.to_string() == row.admin);
      BOOST_TEST(joined(purge.urls) == row.urls);
      BOOST_TEST(joined(purge.tags) == row.tags);
      BOOST_TEST(joined(purge.prefixes) == row.prefixes);
      BOOST_TEST(purge.is_soft == row.is_soft);
    }
  }
}

BOOST_AUTO_TEST_CASE(warm_command_lines) {
  struct Row {
    std::vector<std::string> arguments;
    std::string file;
    std::string admin = "unix:" + config::default_admin_socket();
    bool is_quiet = false;
  };
  const Row rows[] = {
      {.arguments = {"warm", "urls.txt"}, .file = "urls.txt"},
      {.arguments = {"warm", "-"}, .file = "-"},
      {.arguments = {"warm", "--quiet", "-"}, .file = "-", .is_quiet = true},
      {.arguments = {"warm", "check"}, .file = "check"},
      {.arguments = {"warm", "--admin=unix:/a", "b"}, .file = "b", .admin = "unix:/a"},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(joined(row.arguments)) {
      const auto command = parse_arguments(row.arguments);
      BOOST_REQUIRE_MESSAGE(command, error_of(row.arguments));
      const auto& warm = std::get<WarmCommand>(*command);
      BOOST_TEST(warm.file == row.file);
      BOOST_TEST(warm.admin.to_string() == row.admin);
      BOOST_TEST(warm.is_quiet == row.is_quiet);
    }
  }
}

BOOST_AUTO_TEST_CASE(wrong_command_lines) {
  const std::string absolute = "a URL must be absolute, such as \"http://host/path\", not ";
  struct Row {
    std::vector<std::string> arguments;
    std::string want;
  };
  const Row rows[] = {
      {{"purge"},
       "nothing to purge\nhint: seawall purge http://host/path, or --tag TAG, or --prefix http://host/path/"},
      {{"purge", "--soft"},
       "nothing to purge\nhint: seawall purge http://host/path, or --tag TAG, or --prefix http://host/path/"},
      {{"purge", "/a"}, absolute + "\"/a\"\nhint: give its host with --host HOST"},
      {{"purge", "--prefix", "/a"}, absolute + "\"/a\"\nhint: give its host with --host HOST"},
      {{"purge", "a.test/b"}, absolute + "\"a.test/b\"\nhint: did you mean \"http://a.test/b\"?"},
      {{"purge", "--host", "a", "b/c"}, absolute + "\"b/c\"\nhint: did you mean \"http://b/c\"?"},
      {{"purge", "ftp://a/b"}, absolute + "\"ftp://a/b\"\nhint: begin it with http:// or https://"},
      {{"purge", "http://a/b c"},
       absolute + "\"http://a/b c\"\nhint: check its host and port; spaces and letters that are not ASCII are written "
                  "as %XX"},
      {{"purge", "http://a", "--host", "a/b"}, "--host must be \"host\" or \"host:port\", not \"a/b\""},
      {{"purge", "--tag", ""}, "--tag must be a text in UTF-8, not \"\""},
      {{"purge", "--tag", "a\xFF"}, "--tag must be a text in UTF-8, not \"a\xFF\""},
      {{"purge", "--tag"}, "--tag: 1 required TAG missing"},
      {{"purge", "--sfot", "http://a"}, "unknown option --sfot: did you mean --soft?"},
      {{"purge", "--admin", "nowhere", "http://a"},
       "--admin must be \"ADDR:PORT\" such as \"127.0.0.1:9180\", or \"unix:PATH\", not \"nowhere\""},
      {{"prge"}, "unknown command prge: did you mean purge?"},
      {{"warm"}, "a list of URLs is missing\nhint: seawall warm FILE, or - for standard input"},
      {{"warm", "a", "b"}, "unexpected argument \"b\"\nhint: seawall warm --help"},
      {{"warm", "--queit", "a"}, "unknown option --queit: did you mean --quiet?"},
      {{"warm", "--admin", "", "a"},
       "--admin must be \"ADDR:PORT\" such as \"127.0.0.1:9180\", or \"unix:PATH\", not \"\""},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(joined(row.arguments)) {
      BOOST_TEST(error_of(row.arguments) == row.want);
    }
  }
}

BOOST_AUTO_TEST_CASE(help_names_every_flag) {
  struct Row {
    const char* command;
    std::vector<const char*> words;
  };
  for (const Row& row :
       {Row{"purge", {"Usage: seawall purge", "URL", "--admin", "--soft", "--host", "--tag", "--prefix"}},
        Row{"warm", {"Usage: seawall warm", "FILE", "--admin", "--quiet"}}}) {
    const auto help = parse_arguments({row.command, "--help"});
    BOOST_REQUIRE(help);
    const std::string& text = std::get<PrintCommand>(*help).text;
    for (const char* word : row.words) BOOST_TEST(text.find(word) != std::string::npos, word << " in:\n" << text);
  }
}

BOOST_AUTO_TEST_CASE(rate_and_time_left) {
  struct Row {
    std::uint64_t finished;
    std::uint64_t total;
    Millis elapsed;
    const char* want;
  };
  const Row rows[] = {
      {0, 100, Millis{0}, "-/s, ETA -"},
      {0, 100, Millis{5000}, "-/s, ETA -"},
      {1, 100, Millis{0}, "-/s, ETA -"},
      {100, 100, Millis{2000}, "50/s, ETA 0:00"},
      {50, 100, Millis{10'000}, "5.0/s, ETA 0:10"},
      {1000, 76'000, Millis{1000}, "1000/s, ETA 1:15"},
      {1, 7201, Millis{1000}, "1.0/s, ETA 2:00:00"},
      {1, 1'000'000, Millis{1000}, "1.0/s, ETA -"},
  };
  for (const Row& row : rows) BOOST_TEST(pace_text(row.finished, row.total, row.elapsed) == row.want);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::server
