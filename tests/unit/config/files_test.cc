// Files that include files.
#include <boost/test/unit_test.hpp>

#include "unit/config/support.h"

namespace seawall::config {
namespace {

BOOST_AUTO_TEST_SUITE(config_files)

std::string errors_of_file(const Folder& folder, const std::string& file) {
  const auto loaded = load_file(file, environment_of({}), SystemClock());
  if (loaded) return "";
  std::string text = to_string(loaded.error());
  const std::string prefix = folder.path() + "/";
  for (std::size_t at = text.find(prefix); at != std::string::npos; at = text.find(prefix, at))
    text.erase(at, prefix.size());
  return text;
}

BOOST_AUTO_TEST_CASE(included_files_add_up) {
  const Folder folder;
  folder.write("conf.d/20-b.toml",
               "[[origin]]\nname = \"b\"\nservers = \"http://b\"\n[[route]]\nhost = \"b\"\norigin = \"b\"\n");
  folder.write("conf.d/10-a.toml",
               "[[origin]]\nname = \"a\"\nservers = \"http://a\"\n[[route]]\nhost = \"a\"\norigin = "
               "\"a\"\n[cache]\nmemory = \"3MiB\"");
  folder.write("conf.d/ignored.txt", "not TOML at all");
  const std::string main =
      folder.write("main.toml",
                   "include = [\"conf.d/*.toml\", \"none/*.toml\", \"conf.d/10-a.toml\"]\n[cache]\nmax_variants = 2\n"
                   "[[origin]]\nname = \"c\"\nservers = \"http://c\"\n[[route]]\norigin = \"c\"\n");
  const auto config = load_file(main, environment_of({}), SystemClock());
  BOOST_REQUIRE(config);
  BOOST_REQUIRE(config->origins.size() == 3U);
  BOOST_TEST(config->origins[0].options.name == "a");
  BOOST_TEST(config->origins[1].options.name == "b");
  BOOST_TEST(config->origins[2].options.name == "c");
  BOOST_REQUIRE(config->routes.size() == 3U);
  BOOST_TEST(config->routes[0].host == "a");
  BOOST_TEST(config->routes[2].host == "*");
  BOOST_TEST(config->cache.memory_bytes == std::size_t{3} << 20);
  BOOST_TEST(config->cache.max_variants == 2U);
}

BOOST_AUTO_TEST_CASE(a_folder_with_wildcards_in_its_name) {
  const Folder folder;
  folder.write("a[b]*/x.toml", kOrigin);
  const std::string main = folder.write("a[b]*/main.toml", "include = \"x.toml\"\n");
  BOOST_TEST(load_file(main, environment_of({}), SystemClock()).has_value());
}

BOOST_AUTO_TEST_CASE(mistakes_over_several_files) {
  struct Row {
    const char* name;
    std::string main;
    std::string part;  // conf.d/part.toml
    std::string want;
  };
  const Row rows[] = {
      {"set twice", "include = \"conf.d/*.toml\"\n[cache]\nmemory = \"3MiB\"\n" + kOrigin,
       "[cache]\nmemory = \"2MiB\"\n",
       "main.toml:3:1: error: cache.memory is set twice: first at conf.d/part.toml:2:10\nmemory = \"3MiB\"\n^\nhint: "
       "remove one of the two\n"},
      {"named twice", "include = \"conf.d/*.toml\"\n" + kOrigin + "name = \"a\"\n[[route]]\norigin = \"a\"",
       "[[origin]]\nname = \"a\"\nservers = \"http://x\"",
       "main.toml:4:8: error: two origins are named \"a\": the first at conf.d/part.toml:2:8\nname = \"a\"\n       ^\n"
       "hint: give each a name of its own\n"},
      {"unreachable", "include = \"conf.d/*.toml\"\n" + kOrigin + "[[route]]\npath = \"/a\"", "[[route]]\n",
       "main.toml:4:1: error: route \"* /a\" is never taken: route \"* /*\" at conf.d/part.toml:1:1 comes first and "
       "takes the same "
       "requests\n[[route]]\n^\nhint: put the narrower route first\n"},
      {"nested", "include = \"conf.d/*.toml\"\n" + kOrigin, "include = \"x\"",
       "conf.d/part.toml:1:1: error: an included file cannot include others\ninclude = \"x\"\n^\nhint: list them in "
       "the first file\n"},
      {"missing", "include = [\"nope.toml\"]\n" + kOrigin, "",
       "main.toml:1:11: error: include \"nope.toml\" cannot be read\ninclude = [\"nope.toml\"]\n          ^\n"
       "hint: paths are relative to the folder of this file\n"},
      {"wrong type", "include = [\"conf.d/*.toml\", 5]\n" + kOrigin, "",
       "main.toml:1:29: error: include must be a string or an array of strings, not 5\ninclude = [\"conf.d/*.toml\", "
       "5]\n"
       "                            ^\n"},
      {"errors of both, the first file first", "include = \"conf.d/*.toml\"\nx = 1\n" + kOrigin, "[log]\nlevel = 1",
       "main.toml:2:1: error: unknown key \"x\"\nx = 1\n^\nhint: known here: server, tls, http2, admin, cache, "
       "encode, collapse, push, "
       "dns, "
       "log, origin, route, include\n\n"
       "conf.d/part.toml:2:9: error: log.level must be one of \"debug\", \"info\", \"warning\", \"error\", not "
       "1\nlevel = 1\n        ^\n"},
      {"broken part", "include = \"conf.d/*.toml\"\n", "[[origin\n",
       "conf.d/part.toml:1:9: error: not TOML: Error while parsing table header: encountered unexpected control "
       "character; "},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const Folder folder;
      folder.write("conf.d/part.toml", row.part);
      const std::string got = errors_of_file(folder, folder.write("main.toml", row.main));
      if (row.want.ends_with("; ")) {
        BOOST_TEST(got.starts_with("conf.d/part.toml:1:"), got);
        BOOST_TEST(got.find("no origin") == std::string::npos, got);
      } else {
        BOOST_TEST(got == row.want);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(placeholders_are_read_from_beside_the_file_that_names_them) {
  const Folder folder;
  folder.write("pages/wait.html", "<p>soon\n");
  folder.write("conf.d/wait.html", std::string("\0\xff", 2));
  folder.write("conf.d/a.toml", "[[route]]\npath = \"/a\"\nplaceholder = { file = \"wait.html\" }\n");
  const std::string main = folder.write(
      "main.toml", "include = \"conf.d/*.toml\"\n" + kOrigin + "[[route]]\nplaceholder.file = \"pages/wait.html\"\n");
  const auto config = load_file(main, environment_of({}), SystemClock());
  BOOST_REQUIRE(config);
  BOOST_TEST(config->routes[0].miss.placeholder.body == std::string("\0\xff", 2));
  BOOST_TEST(config->routes[0].miss.placeholder.file == folder.path() + "/conf.d/wait.html");
  BOOST_TEST(config->routes[1].miss.placeholder.body == "<p>soon\n");
  // What is dumped means the same in another folder.
  const std::string text = dump(*config);
  const auto again = load_file(folder.write("elsewhere/dumped.toml", text), environment_of({}), SystemClock());
  BOOST_REQUIRE(again);
  BOOST_TEST(again->routes[1].miss.placeholder.body == "<p>soon\n");
  BOOST_TEST(dump(*again) == text);
}

BOOST_AUTO_TEST_CASE(placeholders_that_cannot_be_read) {
  const Folder folder;
  folder.write("pages/x.html", "");
  folder.write("large.html", std::string((1 << 20) + 1, 'x'));
  folder.write("full.html", std::string(1 << 20, 'x'));
  struct Row {
    std::string file;
    std::string want;
  };
  const std::string beside = "\nhint: paths are relative to the folder of this file\n";
  const Row rows[] = {
      {"none.html", " cannot be opened: No such file or directory" + beside},
      {"/none/none.html", " cannot be opened: No such file or directory\n"},
      {"pages", " cannot be read: Is a directory" + beside},
      {"large.html", " is larger than 1 MiB" + beside},
      {"full.html", ""},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.file) {
      const std::string line = "placeholder = { file = \"" + row.file + "\" }";
      std::string want;
      if (!row.want.empty()) {
        const std::size_t end = row.want.find('\n');
        want = "main.toml:4:24: error: route.placeholder.file \"" + row.file + "\"" + row.want.substr(0, end + 1) +
               line + "\n" + std::string(23, ' ') + "^\n" + row.want.substr(end + 1);
      }
      BOOST_TEST(errors_of_file(folder, folder.write("main.toml", kOrigin + "[[route]]\n" + line)) == want);
    }
  }
}

BOOST_AUTO_TEST_CASE(files_that_cannot_be_read) {
  const Folder folder;
  BOOST_TEST(errors_of_file(folder, folder.path() + "/none.toml") ==
             "none.toml: error: cannot be opened: No such file or directory\n");
  const std::string main = folder.write("conf.d/x.toml", "");
  BOOST_TEST(errors_of_file(folder, folder.path() + "/conf.d") == "conf.d: error: cannot be read: Is a directory\n");
  BOOST_TEST(errors_of_file(folder, folder.write("large.toml", std::string(2 << 20, '\n'))) ==
             "large.toml: error: is larger than 1 MiB\n");
  const std::string includes_folder = folder.write("main.toml", "include = \"conf.d\"\n" + kOrigin);
  BOOST_TEST(errors_of_file(folder, includes_folder) == "conf.d: error: cannot be read: Is a directory\n");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::config
