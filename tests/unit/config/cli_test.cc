#include "server/cli.h"

#include <boost/test/unit_test.hpp>
#include <filesystem>

namespace seawall::server {
namespace {

BOOST_AUTO_TEST_SUITE(config_cli)

BOOST_AUTO_TEST_CASE(wrong_command_lines) {
  struct Row {
    std::vector<std::string> arguments;
    std::string want;
  };
  const Row rows[] = {
      {{}, "a command is missing\nhint: seawall serve --origin URL, or seawall --help"},
      {{"srve"}, "unknown command srve: did you mean serve?"},
      {{"demo"}, "unknown command demo: did you mean demo-origin?"},
      {{"qqqqqq"}, "unknown command qqqqqq\nhint: seawall --help"},
      {{"--verison"}, "unknown option --verison: did you mean --version?"},
      {{"serve", "--orign", "http://a"}, "unknown option --orign: did you mean --origin?"},
      {{"serve", "--orign=http://a"}, "unknown option --orign: did you mean --origin?"},
      {{"serve", "-listen", ":80"}, "unknown option -listen: did you mean --listen?"},
      {{"serve", "--qqqqqq"}, "unknown option --qqqqqq\nhint: seawall serve --help"},
      {{"serve", "--origin", "http://a", "extra"}, "unexpected argument \"extra\"\nhint: seawall serve --help"},
      {{"check", "a.toml"}, "unexpected argument \"a.toml\"\nhint: seawall check --help"},
      {{"serve", "--memory", "1XB"},
       "--memory must be a size from 1MiB to 1024TiB, not \"1XB\"\nhint: sizes are \"512\" (bytes), \"64KiB\", "
       "\"1GiB\", \"50GB\""},
      {{"serve", "--memory", ""},
       "--memory must be a size from 1MiB to 1024TiB, not \"\"\nhint: sizes are \"512\" (bytes), \"64KiB\", \"1GiB\", "
       "\"50GB\""},
      {{"serve", "--listen", "8080"},
       "--listen must be \"ADDR:PORT\" such as \"127.0.0.1:8080\", \"[::1]:8080\" or \":8080\", not \"8080\""},
      {{"serve", "--admin", "9180"},
       "--admin must be \"off\" or \"ADDR:PORT\" such as \"127.0.0.1:9180\", not \"9180\""},
      {{"serve", "--origin", "http://a weigth=2"},
       "--origin has an unknown parameter \"weigth=2\" of \"http://a\"\nhint: did you mean \"weight=N\"?"},
      {{"serve", "--workers", "0"}, "--workers must be \"auto\" or a whole number from 1 to 256, not 0"},
      {{"serve", "--workers", "x"}, "--workers must be \"auto\" or a whole number from 1 to 256, not \"x\""},
      {{"serve", "--log-level", "warn"},
       "--log-level must be one of \"debug\", \"info\", \"warning\", \"error\", not \"warn\"\nhint: did you mean "
       "\"warning\"?"},
      {{"serve", "--origin", "a:3000"},
       "--origin must be \"http://host:port\" or \"https://host:port\", not \"a:3000\"\nhint: did you mean "
       "\"http://a:3000\"?"},
      {{"serve", "--listen", ":443 tsl"},
       "--listen has an unknown word \"tsl\" behind \":443\"\nhint: did you mean \"tls\"?"},
      {{"serve", "--origin", "http://a", "--origin", "http://b"},
       "--origin can be given once\nhint: write a file with an [[origin]] and a [[route]] for each, and use -c FILE"},
      {{"demo-origin", "--listen", "x"}, "--listen must be \"ADDR:PORT\" such as \"127.0.0.1:9100\", not \"x\""},
      {{"serve", "--memory"}, "--memory: 1 required SIZE missing"},
      {{"serve", "--disk", "/a"}, "--disk must be \"DIR:SIZE\" such as \"/var/cache/seawall:50GiB\", not \"/a\""},
      {{"serve", "--disk", ":1GiB"}, "--disk must be \"DIR:SIZE\" such as \"/var/cache/seawall:50GiB\", not \":1GiB\""},
      {{"serve", "--disk", "/a:1G"},
       "the size of --disk must be a size from 64MiB to 1024TiB, not \"1G\"\nhint: did you mean \"1GiB\"?"},
      {{"serve", "--disk", "/a:63MiB"}, "the size of --disk must be a size from 64MiB to 1024TiB, not \"63MiB\""},
      {{"disk"}, "disk needs a command: check or ls\nhint: seawall disk --help"},
      {{"disk", "chekc", "/a"}, "unknown command chekc: did you mean check?"},
      {{"disk", "check"},
       "the directory is missing\nhint: seawall disk check /var/cache/seawall, the path of cache.disk"},
      {{"disk", "ls", ""},
       "the directory is missing\nhint: seawall disk ls /var/cache/seawall, the path of cache.disk"},
      {{"disk", "ls", "/a", "/b"}, "unexpected argument \"/b\"\nhint: seawall disk ls --help"},
      {{"disk", "ls", "/a", "--jsno"}, "unknown option --jsno: did you mean --json?"},
  };
  for (const Row& row : rows) {
    std::string shown;
    for (const std::string& argument : row.arguments) shown += argument + " ";
    BOOST_TEST_CONTEXT(shown) {
      const auto command = parse_arguments(row.arguments);
      BOOST_REQUIRE(!command);
      BOOST_TEST(command.error() == row.want);
    }
  }
}

BOOST_AUTO_TEST_CASE(serve_with_every_flag) {
  const auto command =
      parse_arguments({"serve",        "-c",        "a.toml", "--listen",   ":1",     "--listen=:2", "--memory",
                       "2MiB",         "--workers", "auto",   "--admin",    "off",    "--log-level", "debug",
                       "--access-log", "stdout",    "--disk", "/a:b:64MiB", "--disk", "c:1GiB"});
  BOOST_REQUIRE(command);
  const auto& serve = std::get<ServeCommand>(*command);
  BOOST_TEST(serve.config.value_or("") == "a.toml");
  BOOST_TEST(!serve.overrides.origin.has_value());
  BOOST_REQUIRE(serve.overrides.settings.size() == 6U);
  // A flag stands in place of what the file has.
  const auto loaded = config::load_string(
      "a.toml", "[cache]\ndisk = { path = \"/of/the/file\", size = \"64MiB\" }\n[[origin]]\nservers = \"http://a\"",
      config::process_environment(), SystemClock(), serve.overrides);
  BOOST_REQUIRE(loaded);
  BOOST_TEST(loaded->listen.size() == 2U);
  BOOST_TEST(loaded->cache.memory_bytes == std::size_t{2} << 20);
  BOOST_TEST((loaded->log.level == obs::LogLevel::kDebug));
  BOOST_TEST(loaded->access_log.target == "stdout");
  BOOST_REQUIRE(loaded->disk.size() == 2U);
  BOOST_TEST(loaded->disk[0].path == "/a:b");
  BOOST_TEST(loaded->disk[0].capacity_bytes == std::uint64_t{64} << 20);
  BOOST_TEST(loaded->disk[1].path == (std::filesystem::current_path() / "c").string());
  BOOST_TEST(loaded->admin.listen == "off");
  BOOST_TEST(loaded->admin.is_listen_given);
}

BOOST_AUTO_TEST_CASE(the_other_commands) {
  const auto check = parse_arguments({"check", "--config", "a.toml", "--dump-config"});
  BOOST_REQUIRE(check);
  BOOST_TEST(std::get<CheckCommand>(*check).config.value_or("") == "a.toml");
  BOOST_TEST(std::get<CheckCommand>(*check).dump_config);
  const auto disk = parse_arguments({"disk", "ls", "/var/cache/seawall//", "--json"});
  BOOST_REQUIRE(disk);
  BOOST_TEST((std::get<DiskCommand>(*disk).what == DiskCommand::What::kList));
  BOOST_TEST(std::get<DiskCommand>(*disk).directory == "/var/cache/seawall");
  BOOST_TEST(std::get<DiskCommand>(*disk).is_json);
  const auto disk_check = parse_arguments({"disk", "check", "/"});
  BOOST_REQUIRE(disk_check);
  BOOST_TEST((std::get<DiskCommand>(*disk_check).what == DiskCommand::What::kCheck));
  BOOST_TEST(std::get<DiskCommand>(*disk_check).directory == "/");
  const auto demo = parse_arguments({"demo-origin"});
  BOOST_REQUIRE(demo);
  BOOST_TEST(std::get<DemoOriginCommand>(*demo).listen == "127.0.0.1:9100");
  const auto version = parse_arguments({"--version"});
  BOOST_REQUIRE(version);
  const std::string& text = std::get<PrintCommand>(*version).text;
  for (const char* part : {"seawall ", "\ncompiler: ", "\nlibevent: 2.", "\noptional features: "}) {
    BOOST_TEST(text.find(part) != std::string::npos, part);
  }
  for (const std::vector<std::string>& help :
       {std::vector<std::string>{"--help"}, {"-h"}, {"serve", "--help"}, {"--help", "serve"}}) {
    const auto command = parse_arguments(help);
    BOOST_REQUIRE(command);
    BOOST_TEST(std::get<PrintCommand>(*command).text.find("Usage: seawall") != std::string::npos);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::server
