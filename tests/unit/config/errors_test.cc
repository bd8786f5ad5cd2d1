// Each kind of mistake, with the text that a person gets.
#include <boost/test/unit_test.hpp>

#include "unit/config/support.h"

namespace seawall::config {
namespace {

BOOST_AUTO_TEST_SUITE(config_errors)

// `want` is "line:column: message" with "| hint" behind it; a good origin stands before `text` on lines 1 and 2.
struct Row {
  const char* name;
  std::string text;
  std::string want;
};

std::string brief(const Diagnostic& d) {
  std::string out = std::to_string(d.line) + ":" + std::to_string(d.column) + ": " + d.message;
  if (!d.hint.empty()) out += " | " + d.hint;
  return out;
}

void check_after(const std::string& before, std::span<const Row> rows) {
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const auto loaded = load_text(before + row.text, {{"HOME", "/root"}});
      BOOST_REQUIRE(!loaded);
      BOOST_TEST(loaded.error().size() == 1U, to_string(loaded.error()));
      BOOST_TEST(brief(loaded.error().front()) == row.want);
    }
  }
}

BOOST_AUTO_TEST_CASE(unknown_keys) {
  const Row rows[] = {
      {"near", "[server]\nlisen = \":80\"", "4:1: unknown key \"lisen\" in [server] | did you mean \"listen\"?"},
      {"near, inside", "[server]\ntimeout = { heder = \"1s\" }",
       "4:13: unknown key \"timeout.heder\" in [server] | did you mean \"header\"?"},
      {"near, dotted", "[server]\ntimeout.boddy = \"1s\"",
       "4:9: unknown key \"timeout.boddy\" in [server] | did you mean \"body\"?"},
      {"elsewhere", "[server]\nmemory = \"1GiB\"",
       "4:1: unknown key \"memory\" in [server] | \"memory\" belongs to [cache]"},
      {"table", "[cahce]", "3:2: unknown table \"cahce\" | did you mean \"cache\"?"},
      {"array of tables", "[[orign]]", "3:3: unknown table \"orign\" | did you mean \"origin\"?"},
      {"nothing like it", "[log]\nqqqqqq = 1",
       "4:1: unknown key \"qqqqqq\" in [log] | known here: level, target, access, access_format"},
      {"later: table", "[admin]\nlisten = \":9180\"",
       "3:2: unknown table \"admin\" | this version does not have \"admin\""},
      {"later: key", "[cache]\ndisk = { path = \"/x\" }",
       "4:1: unknown key \"disk\" in [cache] | this version does not have \"disk\""},
      {"later: origin", "[[origin]]\nservers = \"http://b\"\nbreaker = {}\n[[route]]\norigin = \"b\"",
       "5:1: unknown key \"breaker\" in [[origin]] | this version does not have \"breaker\""},
  };
  check_after(kOrigin, rows);
  const Row top[] = {
      {"top", "memroy = \"1GiB\"\n" + kOrigin, "1:1: unknown key \"memroy\" | \"memory\" belongs to [cache]"},
      {"top, unknown", "qqqqqq = 1\n" + kOrigin,
       "1:1: unknown key \"qqqqqq\" | known here: server, cache, collapse, log, origin, route, include"},
  };
  check_after("", top);
}

BOOST_AUTO_TEST_CASE(types_and_ranges) {
  const Row rows[] = {
      {"text for a count", "[server]\nheader_count = \"5\"",
       "4:16: server.header_count must be a whole number from 1 to 10000, not \"5\" | write the number without quotes"},
      {"count too small", "[server]\nheader_count = 0",
       "4:16: server.header_count must be a whole number from 1 to 10000, not 0"},
      {"count too large", "[server]\nworkers = 257",
       "4:11: server.workers must be \"auto\" or a whole number from 1 to 256, not 257"},
      {"workers", "[server]\nworkers = \"many\"",
       "4:11: server.workers must be \"auto\" or a whole number from 1 to 256, not \"many\""},
      {"fraction", "[server]\nworkers = 1.5",
       "4:11: server.workers must be \"auto\" or a whole number from 1 to 256, not 1.5"},
      {"duration without a unit", "[collapse]\nwait = 5",
       "4:8: collapse.wait must be a duration from 1ms to 1h, not 5 | add a unit: \"5s\""},
      {"duration misspelt", "[collapse]\nwait = \"5 minutes\"",
       "4:8: collapse.wait must be a duration from 1ms to 1h, not \"5 minutes\" | did you mean \"5m\"?"},
      {"duration in milliseconds", "[collapse]\nwait = \"5msec\"",
       "4:8: collapse.wait must be a duration from 1ms to 1h, not \"5msec\" | did you mean \"5ms\"?"},
      {"duration nonsense", "[collapse]\nwait = \"soon\"",
       "4:8: collapse.wait must be a duration from 1ms to 1h, not \"soon\" | durations are \"250ms\", \"10s\", \"5m\", "
       "\"1h\", \"1d\""},
      {"duration out of range", "[collapse]\nwait = \"2h\"",
       "4:8: collapse.wait must be a duration from 1ms to 1h, not \"2h\""},
      {"half a second", "[[route]]\nstale = { max = \"500ms\" }",
       "4:17: route.stale.max must be a duration from 0s to 365d, not \"500ms\" | this key takes whole seconds"},
      {"size misspelt", "[cache]\nmemory = \"64m\"",
       "4:10: cache.memory must be a size from 1MiB to 1024TiB, not \"64m\" | did you mean \"64MiB\"?"},
      {"size nonsense", "[cache]\nmemory = \"1XB\"",
       "4:10: cache.memory must be a size from 1MiB to 1024TiB, not \"1XB\" | sizes are \"512\" (bytes), \"64KiB\", "
       "\"1GiB\", \"50GB\""},
      {"size too small", "[cache]\nmemory = 4096", "4:10: cache.memory must be a size from 1MiB to 1024TiB, not 4096"},
      {"share", "[cache]\nmax_object = \"120%\"",
       "4:14: cache.max_object must be a percentage up to 100% or a size, not \"120%\" | for example \"10%\""},
      {"share as a number", "[cache]\nmax_object = 10",
       "4:14: cache.max_object must be a percentage up to 100% or a size, not 10 | for example \"10%\" or \"1MiB\""},
      {"choice", "[log]\nlevel = \"inof\"",
       "4:9: log.level must be one of \"debug\", \"info\", \"warning\", \"error\", not \"inof\" | did you mean "
       "\"info\"?"},
      {"flag", "[[route]]\nhonour_request_directives = \"true\"",
       "4:29: route.honour_request_directives must be true or false, not \"true\" | write it without quotes"},
      {"number for a text", "[log]\naccess = 1", "4:10: log.access must be a string, not 1"},
      {"date for a text", "[log]\naccess = 2020-01-01", "4:10: log.access must be a string, not a date or time"},
      {"array for a text", "[log]\naccess = [\"a\"]", "4:10: log.access must be a string, not an array"},
      {"table for a text", "[log]\naccess = { a = 1 }", "4:10: log.access must be a string, not a table"},
      {"text for a table", "[server]\ntimeout = \"10s\"",
       "4:11: server.timeout must be a table, not \"10s\" | write timeout = { header = ... }"},
      {"table for a size", "[[route]]\n[cache.memory]\n",
       "4:1: cache.memory must be a size from 1MiB to 1024TiB, not a table"},
      {"array for a section", "[[server]]", "3:3: server must be a table, not an array | write [server]"},
      {"table for an array", "[route]\npath = \"/\"",
       "3:2: route must be an array of tables, not a table | write [[route]]"},
      {"listen address", "[server]\nlisten = [\":80\", \"foo\"]",
       "4:18: server.listen must be \"ADDR:PORT\" such as \"127.0.0.1:8080\", \"[::1]:8080\" or \":8080\", not "
       "\"foo\""},
      {"listen element", "[server]\nlisten = [80]",
       "4:11: server.listen must be a string or an array of strings, not an array with 80"},
      {"listen empty", "[server]\nlisten = []", "4:10: server.listen must have from 1 to 64 elements, not 0"},
      {"listen twice", "[server]\nlisten = [\":80\", \":80\"]",
       "4:10: server.listen names \":80\" twice | remove one of the two"},
      {"field name", "[[route]]\ntargeted_fields = [\"a b\"]",
       "4:20: route.targeted_fields must be the name of a header field, not \"a b\""},
      {"control byte", "[log]\naccess = \"\\u001b[2J\"\naccess_format = \"\\u001b[2J\"",
       "5:17: log.access_format must be one of \"combined\", \"json\", not \"\\x1B[2J\""},
  };
  check_after(kOrigin, rows);
}

BOOST_AUTO_TEST_CASE(syntax) {
  const Row rows[] = {
      {"no quotes", "[cache]\nmemory = 1GiB",
       "4:11: not TOML: Error while parsing decimal integer: expected digit, saw 'G' | "
       "texts, durations and sizes stand in quotes: \"10s\", \"64KiB\""},
      {"a long line", "# " + std::string(5000, 'x'), "3:1: a line is longer than 4096 bytes"},
  };
  check_after(kOrigin, rows);
  for (const std::string text : {"= 1", "[a", "[[origin]", "a = \"", "a = '''", "a = 1\na = 2", "a = [1,", "\xff",
                                 "a = { b = 1", "[a]\n[a]", "a.b = 1\na = 2"}) {
    BOOST_TEST_CONTEXT(text) {
      const auto loaded = load_text(text);
      BOOST_REQUIRE(!loaded);
      BOOST_TEST(loaded.error().size() == 1U);
      BOOST_TEST(loaded.error().front().message.starts_with("not TOML: "));
      BOOST_TEST(loaded.error().front().line > 0U);
    }
  }
}

BOOST_AUTO_TEST_CASE(too_large_or_too_deep) {
  BOOST_TEST(errors_of(std::string((1 << 20) + 1, '\n')) == "seawall.toml: error: is larger than 1 MiB\n");
  std::string deep = "[a";
  while (deep.size() < 4000) deep += ".a";
  BOOST_TEST(!errors_of(deep + "]\n").empty());
  BOOST_TEST(!errors_of("a = " + std::string(2000, '[')).empty());
}

BOOST_AUTO_TEST_CASE(environment) {
  const Row rows[] = {
      {"unset", "[log]\ntarget = \"${NOPE}/log\"",
       "4:10: environment variable NOPE is not set | set it, or give a default: \"${NOPE:-value}\""},
      {"unset in an array", "[server]\nlisten = [\":80\", \"${NOPE}\"]",
       "4:18: environment variable NOPE is not set | set it, or give a default: \"${NOPE:-value}\""},
      {"open", "[log]\ntarget = \"${HOME\"",
       "4:10: \"${\" does not begin an environment variable | write \"${NAME}\" or \"${NAME:-default}\", or \"$${\" "
       "for the text itself"},
      {"no name", "[log]\ntarget = \"${}\"",
       "4:10: \"${\" does not begin an environment variable | write \"${NAME}\" or \"${NAME:-default}\", or \"$${\" "
       "for the text itself"},
      {"bad name", "[log]\ntarget = \"${1A}\"",
       "4:10: \"${\" does not begin an environment variable | write \"${NAME}\" or \"${NAME:-default}\", or \"$${\" "
       "for the text itself"},
      {"a bad value", "[log]\nlevel = \"${HOME}\"",
       "4:9: log.level must be one of \"debug\", \"info\", \"warning\", \"error\", not \"/root\""},
  };
  check_after(kOrigin, rows);
}

BOOST_AUTO_TEST_CASE(combinations) {
  const Row rows[] = {
      {"object larger than memory", "[cache]\nmemory = \"2MiB\"\nmax_object = \"3MiB\"",
       "5:14: cache.max_object = \"3MiB\" is more than cache.memory = \"2MiB\" | lower it, or raise cache.memory"},
      {"waiters", "[collapse]\nwaiters = 30000",
       "4:11: collapse.waiters = 30000 is more than collapse.waiters_total = 20000, its default | lower it, or raise "
       "collapse.waiters_total"},
      {"target and head", "[server]\ntarget_bytes = \"16KiB\"\nheader_bytes = \"8KiB\"",
       "4:16: server.target_bytes = \"16KiB\" is more than server.header_bytes = \"8KiB\" | lower it, or raise "
       "server.header_bytes"},
      {"stale", "[[route]]\nstale = { if_error = \"8d\" }",
       "4:22: route.stale.if_error = \"8d\" is more than route.stale.max = \"7d\", its default | lower it, or raise "
       "route.stale.max"},
      {"pass and stale", "[[route]]\nmiss = \"pass\"\nstale = { if_error = \"1d\" }",
       "5:22: route.stale.if_error has no effect with miss = \"pass\" | remove one of the two"},
  };
  check_after(kOrigin, rows);
  // A default past what bounds it gives way.
  const Config config = load_good("[server]\nheader_bytes = \"4KiB\"\n[collapse]\nwaiters_total = 10\n" + kOrigin +
                                  "timeout = { total = \"1s\" }\n[[route]]\nstale.max = \"1h\"");
  BOOST_TEST(config.session.head_limits.target_bytes == 4096U);
  BOOST_TEST(config.fill.waiters_per_object == 10U);
  BOOST_TEST((config.origins[0].timeouts.first_byte == Millis{1000}));
  BOOST_TEST((config.routes[0].rules.stale_if_error == Seconds{3600}));
}

BOOST_AUTO_TEST_CASE(origins) {
  const std::string url_form = "origin.servers must be \"http://host\" or \"http://host:port\", not ";
  const Row rows[] = {
      {"none", "",
       "1:1: there is no origin | add [[origin]] with servers = [\"http://127.0.0.1:3000\"], or use --origin URL"},
      {"no servers", "[[origin]]\nname = \"a\"",
       "1:1: this origin has no servers | add servers = [\"http://127.0.0.1:3000\"]"},
      {"empty servers", "[[origin]]\nservers = []", "2:11: origin.servers must have from 1 to 1 elements, not 0"},
      {"two servers", "[[origin]]\nservers = [\"http://a\", \"http://b\"]",
       "2:11: origin.servers has 2 servers: this version takes exactly one | balancing over several servers comes in a "
       "later version"},
      {"https", "[[origin]]\nservers = \"HTTPS://a\"",
       "2:11: TLS to the origin is not available in this version: \"HTTPS://a\" | use an \"http://\" address of the "
       "service"},
      {"no scheme", "[[origin]]\nservers = \"10.0.0.5:3000\"",
       "2:11: " + url_form + "\"10.0.0.5:3000\" | did you mean \"http://10.0.0.5:3000\"?"},
      {"other scheme", "[[origin]]\nservers = \"ftp://a\"", "2:11: " + url_form + "\"ftp://a\""},
      {"bad port", "[[origin]]\nservers = \"http://a:99999\"", "2:11: " + url_form + "\"http://a:99999\""},
      {"user", "[[origin]]\nservers = \"http://me@a\"", "2:11: " + url_form + "\"http://me@a\""},
      {"open bracket", "[[origin]]\nservers = \"http://[::1\"", "2:11: " + url_form + "\"http://[::1\""},
      {"path", "[[origin]]\nservers = \"http://a:81/app\"",
       "2:11: origin.servers takes no path: \"http://a:81/app\" | write \"http://a:81\""},
      {"query", "[[origin]]\nservers = \"http://a?x\"",
       "2:11: origin.servers takes no path: \"http://a?x\" | write \"http://a\""},
      {"name with a space", "[[origin]]\nname = \"a b\"\nservers = \"http://a\"",
       "2:8: origin.name must be 1 to 64 characters without spaces, quotes and backslashes, not \"a b\""},
      {"same name",
       "[[origin]]\nname = \"a\"\nservers = \"http://a\"\n[[origin]]\nname = \"a\"\nservers = "
       "\"http://b\"\n[[route]]\norigin = \"a\"",
       "5:8: two origins are named \"a\": the first at seawall.toml:2:8 | give each a name of its own"},
      {"same name by default",
       "[[origin]]\nservers = \"http://a\"\n[[origin]]\nservers = \"http://a:80\"\n[[route]]\norigin = \"a\"",
       "3:1: two origins are named \"a\": the first at seawall.toml:1:1 | give each a name of its own"},
      {"several without routes", "[[origin]]\nservers = \"http://a\"\n[[origin]]\nservers = \"http://b\"",
       "3:1: there are several origins and no route | add [[route]] with host = \"...\" or path = \"...\" and origin = "
       "\"...\""},
      {"route of none",
       "[[origin]]\nservers = \"http://a\"\n[[origin]]\nservers = \"http://b\"\n[[route]]\npath = \"/x\"",
       "5:1: this route names no origin, and there are several | add origin = \"a\""},
      {"unknown origin", "[[origin]]\nname = \"shop\"\nservers = \"http://a\"\n[[route]]\norigin = \"shpo\"",
       "5:10: no origin is named \"shpo\" | did you mean \"shop\"?"},
      {"unknown origin, nothing like it",
       "[[origin]]\nname = \"shop\"\nservers = \"http://a\"\n[[route]]\norigin = \"blog\"",
       "5:10: no origin is named \"blog\" | known origins: shop"},
      {"timeouts", "[[origin]]\nservers = \"http://a\"\ntimeout = { connect = \"2s\", total = \"1s\" }",
       "3:23: origin.timeout.connect = \"2s\" is more than origin.timeout.total = \"1s\" | lower it, or raise "
       "origin.timeout.total"},
  };
  check_after("", rows);
}

BOOST_AUTO_TEST_CASE(routes) {
  const Row rows[] = {
      {"path without a slash", "[[route]]\npath = \"api/*\"",
       "4:8: route.path must begin with \"/\", not \"api/*\" | did you mean \"/api/*\"?"},
      {"path of a star", "[[route]]\npath = \"*\"",
       "4:8: route.path must begin with \"/\", not \"*\" | every path is \"/*\""},
      {"star inside", "[[route]]\npath = \"/a/*/b\"", "4:8: route.path takes \"*\" at its end only: \"/a/*/b\""},
      {"query", "[[route]]\npath = \"/a?b\"",
       "4:8: route.path is compared without the query: \"/a?b\" | end it before the \"?\""},
      {"dot segments", "[[route]]\npath = \"/a/../b*\"",
       "4:8: route.path never comes in this form: \"/a/../b*\" | write \"/b*\""},
      {"needless escape", "[[route]]\npath = \"/%61\"",
       "4:8: route.path never comes in this form: \"/%61\" | write \"/a\""},
      {"not of a URL", "[[route]]\npath = \"/a b\"",
       "4:8: route.path is not a path as it stands in a URL: \"/a b\" | write other bytes as %XX"},
      {"broken escape", "[[route]]\npath = \"/%zz\"",
       "4:8: route.path is not a path as it stands in a URL: \"/%zz\" | write other bytes as %XX"},
      {"host with a port", "[[route]]\nhost = \"a.test:80\"",
       "4:8: route.host takes no port: \"a.test:80\" | write \"a.test\"; it takes every port"},
      {"host with a port", "[[route]]\nhost = \"*.a.test:443\"",
       "4:8: route.host takes no port: \"*.a.test:443\" | write \"*.a.test\"; it takes every port"},
      {"star inside a host", "[[route]]\nhost = \"a.*.test\"",
       "4:8: route.host must be \"host.name\", \"*.host.name\" or \"*\", not \"a.*.test\""},
      {"two stars", "[[route]]\nhost = \"*.*\"",
       "4:8: route.host must be \"host.name\", \"*.host.name\" or \"*\", not \"*.*\""},
      {"star without a dot", "[[route]]\nhost = \"*a.test\"",
       "4:8: route.host must be \"host.name\", \"*.host.name\" or \"*\", not \"*a.test\""},
      {"URL for a host", "[[route]]\nhost = \"http://a\"",
       "4:8: route.host must be \"host.name\", \"*.host.name\" or \"*\", not \"http://a\""},
      {"no host", "[[route]]\nhost = \"\"",
       "4:8: route.host must be \"host.name\", \"*.host.name\" or \"*\", not \"\""},
      {"same twice", "[[route]]\npath = \"/a\"\n[[route]]\npath = \"/a\"",
       "5:1: route \"* /a\" is never taken: route \"* /a\" at seawall.toml:3:1 comes first and takes the same requests "
       "| remove one of the two"},
      {"wider first", "[[route]]\n[[route]]\nname = \"api\"\npath = \"/api/*\"",
       "4:1: route \"api\" is never taken: route \"* /*\" at seawall.toml:3:1 comes first and takes the same requests "
       "| put the narrower route first"},
      {"wider host first", "[[route]]\nhost = \"*.a.test\"\n[[route]]\nhost = \"X.y.A.test\"\npath = \"/p\"",
       "5:1: route \"x.y.a.test /p\" is never taken: route \"*.a.test /*\" at seawall.toml:3:1 comes first and takes "
       "the same requests | "
       "put the narrower route first"},
      {"wider suffix first", "[[route]]\nhost = \"*.test\"\n[[route]]\nhost = \"*.a.test\"",
       "5:1: route \"*.a.test /*\" is never taken: route \"*.test /*\" at seawall.toml:3:1 comes first and takes the "
       "same requests | "
       "put the narrower route first"},
  };
  check_after(kOrigin, rows);
}

BOOST_AUTO_TEST_CASE(routes_that_can_be_taken) {
  const std::string rows[] = {
      "[[route]]\npath = \"/a\"\n[[route]]\npath = \"/*\"",
      "[[route]]\npath = \"/a/*\"\n[[route]]\npath = \"/a\"",
      "[[route]]\npath = \"/a\"\n[[route]]\npath = \"/a*\"",
      "[[route]]\nhost = \"a.test\"\n[[route]]\nhost = \"b.test\"",
      "[[route]]\nhost = \"*.a.test\"\n[[route]]\nhost = \"a.test\"",
      "[[route]]\nhost = \"*.a.test\"\n[[route]]\nhost = \"xa.test\"",
      "[[route]]\nhost = \"a.test\"\n[[route]]\nhost = \"*\"",
      "[[route]]\nhost = \"a.test\"\npath = \"/*\"\n[[route]]\nhost = \"*\"\npath = \"/x\"",
  };
  for (const std::string& row : rows) BOOST_TEST(errors_of(kOrigin + row) == "");
}

BOOST_AUTO_TEST_CASE(one_mistake_does_not_make_others) {
  const Row rows[] = {
      {"a misspelt table", "[[orign]]\nservers = \"http://a\"\n[[route]]\norigin = \"a\"",
       "1:3: unknown table \"orign\" | did you mean \"origin\"?"},
      {"a bad name", "[[origin]]\nname = 5\nservers = \"ftp://a\"\n[[route]]\norigin = \"five\"", ""},
      {"a bad path", kOrigin + "[[route]]\npath = 5\n[[route]]\nhost = \"a\"",
       "4:8: route.path must be a string, not 5"},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const auto loaded = load_text(row.text);
      BOOST_REQUIRE(!loaded);
      if (row.want.empty()) {
        for (const Diagnostic& d : loaded.error())
          BOOST_TEST(d.message.find("no origin") == std::string::npos, d.message);
      } else {
        BOOST_TEST(loaded.error().size() == 1U, to_string(loaded.error()));
        BOOST_TEST(brief(loaded.error().front()) == row.want);
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::config
