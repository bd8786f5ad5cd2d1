// Each kind of mistake, with the text that a person gets.
#include <boost/test/unit_test.hpp>

#include "unit/config/error_rows.h"

namespace seawall::config {
namespace {

BOOST_AUTO_TEST_SUITE(config_errors)

BOOST_AUTO_TEST_CASE(unknown_keys) {
  const ErrorRow rows[] = {
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
      {"a table inside another", "[server]\ntls = { acme = \"x\" }",
       "4:1: unknown key \"tls\" in [server] | [tls] is a table of its own"},
      {"near, in a guard", "[[origin]]\nservers = \"http://b\"\nlimit.in_fligth = 5\n[[route]]\norigin = \"b\"",
       "5:7: unknown key \"limit.in_fligth\" in [[origin]] | did you mean \"in_flight\"?"},
      {"a guard for a table", "[[origin]]\nservers = \"http://b\"\nbreaker = true\n[[route]]\norigin = \"b\"",
       "5:11: origin.breaker must be a table, not true | write breaker = { enabled = ... }"},
  };
  check_after(kOrigin, rows);
  const ErrorRow top[] = {
      {"top", "memroy = \"1GiB\"\n" + kOrigin, "1:1: unknown key \"memroy\" | \"memory\" belongs to [cache]"},
      {"top, unknown", "qqqqqq = 1\n" + kOrigin,
       "1:1: unknown key \"qqqqqq\" | known here: server, tls, http2, admin, cache, encode, collapse, push, dns, log, "
       "origin, route, include"},
  };
  check_after("", top);
}

BOOST_AUTO_TEST_CASE(types_and_ranges) {
  const ErrorRow rows[] = {
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
       "4:11: server.timeout must be a table, not \"10s\" | write timeout = { tls = ... }"},
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
       "4:18: server.listen names \":80\" twice | remove one of the two"},
      {"field name", "[[route]]\ntargeted_fields = [\"a b\"]",
       "4:20: route.targeted_fields must be the name of a header field, not \"a b\""},
      {"control byte", "[log]\naccess = \"\\u001b[2J\"\naccess_format = \"\\u001b[2J\"",
       "5:17: log.access_format must be one of \"combined\", \"json\", not \"\\x1B[2J\""},
  };
  check_after(kOrigin, rows);
}

BOOST_AUTO_TEST_CASE(percentages) {
  const std::string jitter = "4:20: route.refresh.jitter must be a percentage from 0% to 50%, not ";
  const std::string share = "4:14: route.memory.max must be a percentage up to 100% or a size or \"\", not ";
  const ErrorRow rows[] = {
      {"whole number", "[[route]]\nrefresh = { jitter = 5 }", "4:22: " + jitter.substr(6) + "5 | did you mean \"5%\"?"},
      {"fraction", "[[route]]\nrefresh.jitter   = 0.5", jitter + "0.5 | did you mean \"50%\"?"},
      {"fraction in quotes", "[[route]]\nrefresh.jitter   = \"0.25\"", jitter + "\"0.25\" | did you mean \"25%\"?"},
      {"without a sign", "[[route]]\nrefresh.jitter   = \"50\"", jitter + "\"50\" | did you mean \"50%\"?"},
      {"a space", "[[route]]\nrefresh.jitter   = \"50 %\"", jitter + "\"50 %\" | did you mean \"50%\"?"},
      {"part of one", "[[route]]\nrefresh.jitter   = \"12.5%\"",
       jitter + "\"12.5%\" | this key takes whole percentages"},
      {"part of one, as a fraction", "[[route]]\nrefresh.jitter   = 0.125",
       jitter + "0.125 | this key takes whole percentages"},
      {"nonsense", "[[route]]\nrefresh.jitter   = \"half\"", jitter + "\"half\" | percentages are \"10%\", \"50%\""},
      {"not a number", "[[route]]\nrefresh.jitter   = nan", jitter + "nan"},
      {"too much", "[[route]]\nrefresh.jitter   = \"51%\"", jitter + "\"51%\""},
      {"too much, without a sign", "[[route]]\nrefresh.jitter   = 80", jitter + "80"},
      {"true", "[[route]]\nrefresh.jitter   = true", jitter + "true"},
      {"none of it", "[[route]]\nmemory.max = \"0%\"", share + "\"0%\" | for example \"10%\""},
      {"more than all", "[[route]]\nmemory.max = \"101%\"", share + "\"101%\" | for example \"10%\""},
      {"where nothing stands for none", "[[route]]\nrefresh.jitter   = \"\"",
       jitter + "\"\" | percentages are \"10%\", \"50%\""},
  };
  check_after(kOrigin, rows);
}

BOOST_AUTO_TEST_CASE(syntax) {
  const ErrorRow rows[] = {
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
  const ErrorRow rows[] = {
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
  const ErrorRow rows[] = {
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
      {"times of names", "[dns]\nmin_ttl = \"2m\"",
       "4:11: dns.min_ttl = \"2m\" is more than dns.max_ttl = \"1m\", its default | lower it, or raise dns.max_ttl"},
      {"admin where clients are", "[server]\nlisten = \"[::]:80\"\n[admin]\nlisten = \"[0::0]:80\"",
       "6:10: admin.listen and server.listen are both \"[0::0]:80\" | give each an address of its own"},
      {"what is guaranteed, together",
       "[cache]\nmemory = \"100MiB\"\n[[route]]\npath = \"/a\"\nmemory.guaranteed = \"60%\"\n[[route]]\n"
       "path = \"/b\"\nmemory.guaranteed = \"21MiB\"\n[[route]]\nmemory.guaranteed = \"1%\"",
       "10:21: route.memory.guaranteed = \"21MiB\" is more than what is left to guarantee: the routes before have 60% "
       "of cache.memory = \"100MiB\" | lower some of them, so that all together have 80% of cache.memory at most"},
      {"guaranteed past the most", "[[route]]\nmemory = { guaranteed = \"30%\", max = \"20%\" }",
       "4:25: route.memory.guaranteed = \"30%\" is more than route.memory.max = \"20%\" | lower it"},
      {"the most past all", "[cache]\nmemory = \"2MiB\"\n[[route]]\nmemory.max = \"3MiB\"",
       "6:14: route.memory.max = \"3MiB\" is more than cache.memory = \"2MiB\" | lower it"},
      {"what is guaranteed of the disk, together",
       "[cache]\ndisk = [{ path = \"/a\", size = \"64MiB\" }, { path = \"/b\", size = \"64MiB\" }]\n[[route]]\n"
       "path = \"/a\"\ndisk.guaranteed = \"32MiB\"\n[[route]]\ndisk.guaranteed = \"33MiB\"",
       "9:19: route.disk.guaranteed = \"33MiB\" is more than what is left to guarantee: the routes before have 25% of "
       "cache.disk with its \"128MiB\" | lower some of them, so that all together have 50% of cache.disk at most"},
      {"guaranteed past the most, on disk",
       "[cache]\ndisk = { path = \"/a\", size = \"64MiB\" }\n[[route]]\ndisk = { guaranteed = \"30%\", max = \"20%\" }",
       "6:23: route.disk.guaranteed = \"30%\" is more than route.disk.max = \"20%\" | lower it"},
      {"the most past all of the disk",
       "[cache]\ndisk = { path = \"/a\", size = \"64MiB\" }\n[[route]]\ndisk.max = \"65MiB\"",
       "6:12: route.disk.max = \"65MiB\" is more than cache.disk with its \"64MiB\" | lower it"},
      {"a share of no disk", "[[route]]\ndisk.max = \"1MiB\"",
       "4:12: route.disk.max has no effect without cache.disk | add cache.disk, or remove it"},
      {"pass and a placeholder", "[[route]]\nmiss = \"pass\"\nplaceholder = { status = 200 }",
       "5:26: route.placeholder.status has no effect with miss = \"pass\" | remove one of the two"},
      {"pass and a missing file", "[[route]]\nmiss = \"pass\"\nplaceholder = { file = \"/none\" }",
       "5:24: route.placeholder.file has no effect with miss = \"pass\" | remove one of the two"},
      {"pass and storm", "[[route]]\nmiss = \"pass\"\nstorm = { enabled = false }",
       "5:21: route.storm.enabled has no effect with miss = \"pass\" | remove one of the two"},
      {"pass and encode", "[[route]]\nmiss = \"pass\"\nencode = [\"gzip\"]",
       "5:10: route.encode has no effect with miss = \"pass\" | remove one of the two"},
      {"a coding of others", "[[route]]\nencode = [\"gzip\", \"deflate\"]",
       "4:19: route.encode must be \"gzip\", \"br\" or \"zstd\", not \"deflate\" | what accepts it accepts gzip as "
       "well"},
      {"no media type", "[encode]\ntypes = [\"text\"]",
       "4:10: encode.types must be a media type such as \"application/json\" or \"text/*\", not \"text\""},
      {"a level that gzip has not", "[encode]\ngzip = 12",
       "4:8: encode.gzip must be a whole number from 1 to 9, not 12"},
      {"pass and refresh", "[[route]]\nmiss = \"pass\"\nrefresh = { ahead = false }",
       "5:21: route.refresh.ahead has no effect with miss = \"pass\" | remove one of the two"},
      {"async and storm", "[[route]]\nmiss = \"async\"\nstorm = { calm = \"1s\" }",
       "5:18: route.storm.calm has no effect with miss = \"async\" | remove one of the two"},
      {"a body where none may be", "[[route]]\nplaceholder = { status = 204, file = \"/none\" }",
       "4:38: route.placeholder.file has no effect with status = 204 | remove one of the two"},
      {"pass and stale", "[[route]]\nmiss = \"pass\"\nstale = { if_error = \"1d\" }",
       "5:22: route.stale.if_error has no effect with miss = \"pass\" | remove one of the two"},
  };
  check_after(kOrigin, rows);
  // With port 0 each gets one of its own; and an address that was not asked for may be taken.
  BOOST_TEST(errors_of("[server]\nlisten = \":0\"\n[admin]\nlisten = \":0\"\n" + kOrigin) == "");
  BOOST_TEST(errors_of("[server]\nlisten = \"127.0.0.1:9180\"\n" + kOrigin) == "");
  BOOST_TEST(errors_of(kOrigin + "[[route]]\npath = \"/a\"\nmemory = { guaranteed = \"60%\", max = \"70%\" }\n"
                                 "[[route]]\nmemory = { guaranteed = \"20%\", max = \"70%\" }") == "");
  // A default past what bounds it gives way.
  const Config config = load_good("[server]\nheader_bytes = \"4KiB\"\n[collapse]\nwaiters_total = 10\n" + kOrigin +
                                  "timeout = { total = \"1s\" }\n[[route]]\nstale.max = \"1h\"");
  BOOST_TEST(config.session.head_limits.target_bytes == 4096U);
  BOOST_TEST(config.fill.waiters_per_object == 10U);
  BOOST_TEST((config.origins[0].options.timeouts.first_byte == Millis{1000}));
  BOOST_TEST((config.routes[0].rules.stale_if_error == Seconds{3600}));
}

BOOST_AUTO_TEST_CASE(origins) {
  const std::string url_form = "origin.servers must be \"http://host:port\" or \"https://host:port\", not ";
  const std::string srv_form = "origin.servers must name a service as \"srv+http://_http._tcp.name\", not ";
  const ErrorRow rows[] = {
      {"none", "",
       "1:1: there is no origin | add [[origin]] with servers = [\"http://127.0.0.1:3000\"], or use --origin URL"},
      {"no servers", "[[origin]]\nname = \"a\"",
       "1:1: this origin has no servers | add servers = [\"http://127.0.0.1:3000\"]"},
      {"empty servers", "[[origin]]\nservers = []", "2:11: origin.servers must have from 1 to 64 elements, not 0"},
      {"the second of two", "[[origin]]\nservers = [\"http://a\", \"b:80\"]",
       "2:24: " + url_form + "\"b:80\" | did you mean \"http://b:80\"?"},
      {"nothing but parameters", "[[origin]]\nservers = \"\"", "2:11: " + url_form + "\"\""},
      {"same server", "[[origin]]\nservers = [\"http://a\", \"http://b\", \"http://A:80 weight=2\"]",
       "2:36: origin.servers names \"http://A:80\" twice | remove one of the two; weight=N gives a server more "
       "requests"},
      {"nothing but spares", "[[origin]]\nservers = [\"http://a backup\", \"http://b drain\"]",
       "2:11: origin.servers has no server to use: each is backup or drain | leave out backup or drain at one of them"},
      {"parameter", "[[origin]]\nservers = \"http://a wieght=2\"",
       "2:11: origin.servers has an unknown parameter \"wieght=2\" of \"http://a\" | did you mean \"weight=N\"?"},
      {"parameter, nothing like it", "[[origin]]\nservers = \"http://a max_fails=2\"",
       "2:11: origin.servers has an unknown parameter \"max_fails=2\" of \"http://a\" | parameters are weight=N, "
       "backup "
       "and drain"},
      {"a flag with a value", "[[origin]]\nservers = \"http://a backup=1\"",
       "2:11: origin.servers has an unknown parameter \"backup=1\" of \"http://a\" | did you mean \"backup\"?"},
      {"parameter twice", "[[origin]]\nservers = \"http://a weight=2 weight=3\"",
       "2:11: origin.servers gives weight twice: \"http://a weight=2 weight=3\" | remove one of the two"},
      {"no weight", "[[origin]]\nservers = \"http://a weight\"",
       "2:11: origin.servers takes a weight from 1 to 1000, not \"weight\" | for example \"http://a weight=2\""},
      {"weight of nothing", "[[origin]]\nservers = \"http://a weight=0\"",
       "2:11: origin.servers takes a weight from 1 to 1000, not \"weight=0\" | \"http://a drain\" keeps requests away "
       "from it"},
      {"weight too large", "[[origin]]\nservers = \"http://a weight=1001\"",
       "2:11: origin.servers takes a weight from 1 to 1000, not \"weight=1001\" | for example \"http://a weight=2\""},
      {"SRV without a service", "[[origin]]\nservers = \"srv+http://shop.test\"",
       "2:11: " + srv_form + "\"srv+http://shop.test\" | did you mean \"srv+http://_http._tcp.shop.test\"?"},
      {"SRV without a name", "[[origin]]\nservers = \"srv+http://_http._tcp\"",
       "2:11: " + srv_form + "\"srv+http://_http._tcp\""},
      {"SRV of an address", "[[origin]]\nservers = \"srv+http://[::1]\"", "2:11: " + srv_form + "\"srv+http://[::1]\""},
      {"SRV with a port", "[[origin]]\nservers = \"srv+http://_http._tcp.a:80\"",
       "2:11: origin.servers takes no port with SRV, whose records name it: \"srv+http://_http._tcp.a:80\" | write "
       "\"srv+http://_http._tcp.a\""},
      {"SRV with a path", "[[origin]]\nservers = \"srv+http://_http._tcp.a/x\"",
       "2:11: origin.servers takes no path: \"srv+http://_http._tcp.a/x\" | write \"srv+http://_http._tcp.a\""},
      {"SRV with a weight", "[[origin]]\nservers = \"srv+http://_http._tcp.a weight=2\"",
       "2:11: origin.servers takes no weight with SRV, whose records name it: \"weight=2\" | leave it out"},
      {"SRV over TLS without a service", "[[origin]]\nservers = \"srv+https://shop.test\"",
       "2:11: origin.servers must name a service as \"srv+https://_https._tcp.name\", not \"srv+https://shop.test\" | "
       "did you mean \"srv+https://_https._tcp.shop.test\"?"},
      {"SRV over TLS with a port", "[[origin]]\nservers = \"srv+https://_https._tcp.a:443\"",
       "2:11: origin.servers takes no port with SRV, whose records name it: \"srv+https://_https._tcp.a:443\" | write "
       "\"srv+https://_https._tcp.a\""},
      {"https with a path", "[[origin]]\nservers = \"HTTPS://a:443/app\"",
       "2:11: origin.servers takes no path: \"HTTPS://a:443/app\" | write \"https://a\""},
      {"the port of https, without a scheme", "[[origin]]\nservers = \"10.0.0.5:443\"",
       "2:11: " + url_form + "\"10.0.0.5:443\" | did you mean \"https://10.0.0.5:443\"?"},
      {"one server in two schemes", "[[origin]]\nservers = [\"http://a:443\", \"https://a\"]",
       "2:28: origin.servers names \"https://a\" twice | remove one of the two; weight=N gives a server more requests"},
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
      {"routes of one name",
       "[[origin]]\nservers = \"http://a\"\n[[route]]\nname = \"r\"\npath = \"/a\"\n[[route]]\nname = \"r\"\npath = "
       "\"/b\"",
       "7:8: two routes are named \"r\": the first at seawall.toml:4:8 | give each a name of its own"},
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
      {"no name", "[[origin]]\nservers = \"http://a\"\n[[route]]\norigin = \"\"",
       "4:10: route.origin must be the name of an origin, not \"\""},
      {"unknown origin of reads",
       "[[origin]]\nname = \"shop\"\nservers = \"http://a\"\n[[route]]\nread_from = \"shpo\"",
       "5:13: no origin is named \"shpo\" | did you mean \"shop\"?"},
      {"unknown origin of writes",
       "[[origin]]\nname = \"shop\"\nservers = \"http://a\"\n[[route]]\nwrite_to = \"shpo\"",
       "5:12: no origin is named \"shpo\" | did you mean \"shop\"?"},
      {"an origin for reads alone",
       "[[origin]]\nservers = \"http://a\"\n[[origin]]\nservers = \"http://b\"\n[[route]]\nread_from = \"b\"",
       "5:1: this route names no origin, and there are several | add origin = \"a\""},
      {"timeouts", "[[origin]]\nservers = \"http://a\"\ntimeout = { connect = \"2s\", total = \"1s\" }",
       "3:23: origin.timeout.connect = \"2s\" is more than origin.timeout.total = \"1s\" | lower it, or raise "
       "origin.timeout.total"},
  };
  check_after("", rows);
}

BOOST_AUTO_TEST_CASE(guards) {
  // Behind a good origin's two lines.
  const std::string whole = " must be a whole number from ";
  const std::string percent = " must be a percentage from ";
  const std::string no_breaker = " | breaker = { enabled = false } is the way to have none";
  const std::string no_checks = " | without health.path there are no active checks";
  const ErrorRow rows[] = {
      {"no requests", "limit.in_flight = 0",
       "3:19: origin.limit.in_flight" + whole +
           "1 to 1000000, not 0 | miss = \"stale-only\" on its routes keeps every request from an origin"},
      {"no queue", "limit.queue = 0",
       "3:15: origin.limit.queue" + whole +
           "1 to 1000000, not 0 | queue_wait needs a queue with a place: 1 is the least, and queue_wait = \"1ms\" "
           "hardly "
           "waits"},
      {"no waiting", "limit.queue_wait = \"0s\"",
       "3:20: origin.limit.queue_wait must be a duration from 1ms to 1h, not \"0s\" | queue = 1 lets hardly any "
       "request "
       "wait"},
      {"no share of a route", "limit.route_share = \"0%\"",
       "3:21: origin.limit.route_share" + percent + "1% to 100%, not \"0%\" | \"100%\" is no bound of its own"},
      {"too large a share", "limit.route_share = \"120%\"",
       "3:21: origin.limit.route_share" + percent + "1% to 100%, not \"120%\" | \"100%\" is no bound of its own"},
      {"no share of the background", "limit.background_share = \"0%\"",
       "3:26: origin.limit.background_share" + percent + "1% to 100%, not \"0%\" | \"100%\" is no bound of its own"},
      {"lower bound above the upper", "limit = { adaptive = true, adaptive_min = 300 }",
       "3:43: origin.limit.adaptive_min = 300 is more than origin.limit.in_flight = 256, its default | lower it, or "
       "raise "
       "origin.limit.in_flight"},
      {"any failure", "breaker.failures = \"0%\"",
       "3:20: origin.breaker.failures" + percent + "1% to 100%, not \"0%\"" + no_breaker},
      {"no probes", "breaker.probes = 0", "3:18: origin.breaker.probes" + whole + "1 to 1000, not 0" + no_breaker},
      {"never closed", "breaker.close_after = 0",
       "3:23: origin.breaker.close_after" + whole + "1 to 1000, not 0" + no_breaker},
      {"no connect failure", "breaker.connect_failures = 0",
       "3:28: origin.breaker.connect_failures" + whole + "1 to 1000000, not 0" + no_breaker},
      {"opens longer than the longest", "breaker = { open = \"2m\" }",
       "3:20: origin.breaker.open = \"2m\" is more than origin.breaker.open_max = \"1m\", its default | lower it, or "
       "raise "
       "origin.breaker.open_max"},
      {"rise", "health = { path = \"/\", rise = 0 }",
       "3:31: origin.health.rise" + whole + "1 to 1000, not 0" + no_checks},
      {"fall", "health = { path = \"/\", fall = 0 }",
       "3:31: origin.health.fall" + whole + "1 to 1000, not 0" + no_checks},
      {"check longer than its interval", "health = { path = \"/\", interval = \"1s\", timeout = \"2s\" }",
       "3:51: origin.health.timeout = \"2s\" is more than origin.health.interval = \"1s\" | lower it, or raise "
       "origin.health.interval"},
      {"checks without a path", "health.rise = 1",
       "3:15: origin.health.rise has no effect without health.path | add health.path, or remove it"},
      {"path of a check", "health.path = \"healthz\"",
       "3:15: origin.health.path must be a path as it stands in a URL, such as \"/healthz\", not \"healthz\""},
      {"path with a space", "health = { path = \"/a b\", rise = 1 }",
       "3:19: origin.health.path must be a path as it stands in a URL, such as \"/healthz\", not \"/a b\""},
      {"host of a check", "health = { path = \"/\", host = \"http://a\" }",
       "3:31: origin.health.host must be \"host\" or \"host:port\", not \"http://a\""},
      {"no text", "health = { path = \"/\", body = \"\" }",
       "3:31: origin.health.body must be a text of 1 to 256 bytes, not \"\""},
      {"status of a check", "health = { path = \"/\", status = 100 }",
       "3:33: origin.health.status" + whole + "200 to 599, not 100"},
      {"no try", "retry.tries = 0",
       "3:15: origin.retry.tries" + whole + "1 to 10, not 0 | 1 is the first try alone, without retries"},
      {"hedge after the end", "retry.hedge_after = \"40s\"",
       "3:21: origin.retry.hedge_after = \"40s\" is more than origin.timeout.total = \"30s\", its default | lower it, "
       "or "
       "raise origin.timeout.total"},
      {"no fills", "fill.concurrent = 0",
       "3:19: origin.fill.concurrent" + whole + "1 to 100000, not 0 | 1 is the least; per_second slows them further"},
      {"no fill queue", "fill.queue = 0",
       "3:14: origin.fill.queue" + whole +
           "1 to 10000000, not 0 | 1 is the least; a miss that finds no place in it is not fetched"},
      {"balance", "balance = \"leastconn\"",
       "3:11: origin.balance must be one of \"round-robin\", \"least-conn\", \"random-two\", \"hash\", not "
       "\"leastconn\" "
       "| did you mean \"least-conn\"?"},
      {"more than all out", "max_ejected = \"101%\"",
       "3:15: origin.max_ejected" + percent + "0% to 100%, not \"101%\""},
  };
  check_after(kOrigin, rows);
  // Defaults give way here too.
  const Config config =
      load_good(kOrigin +
                "limit.in_flight = 4\nbreaker.open_max = \"500ms\"\nhealth = { path = \"/\", interval = "
                "\"1s\" }");
  const origin::OriginOptions& options = config.origins[0].options;
  BOOST_TEST(options.limit.adaptive_min == 4U);
  BOOST_TEST((options.breaker.open == Millis{500}));
  BOOST_TEST((options.health.timeout == Millis{1000}));
}

BOOST_AUTO_TEST_CASE(admin_push_and_dns) {
  const std::string network =
      " must be an address or a network such as \"10.0.0.5\", \"10.0.0.0/8\" or \"fd00::/8\", not ";
  const std::string name_server =
      " must be \"ADDR\" or \"ADDR:PORT\" such as \"10.0.0.2\", \"10.0.0.2:5353\" or \"[::1]:53\", not ";
  const std::string webhook = "4:11: push.webhook must be \"http://host/path\" or \"http://host:port/path\", not ";
  const std::string long_path = "/" + std::string(107, 'x');
  const std::string shown = "\"" + long_path.substr(0, 80) + "...\"";
  const ErrorRow rows[] = {
      {"admin address", "[admin]\nlisten = \"9180\"",
       "4:10: admin.listen must be \"off\" or \"ADDR:PORT\" such as \"127.0.0.1:9180\", not \"9180\""},
      {"socket path too long", "[admin]\nsocket = \"" + long_path + "\"",
       "4:10: admin.socket must be \"off\" or a path of at most 107 bytes, not " + shown},
      {"network: name", "[admin]\npurge_from = [\"10.0.0.5\", \"localhost\"]",
       "4:27: admin.purge_from" + network + "\"localhost\""},
      {"network: prefix too long", "[admin]\npurge_from = \"10.0.0.0/33\"",
       "4:14: admin.purge_from" + network + "\"10.0.0.0/33\""},
      {"network: no prefix", "[admin]\npurge_from = \"10.0.0.0/\"",
       "4:14: admin.purge_from" + network + "\"10.0.0.0/\""},
      {"network: short", "[admin]\npurge_from = \"10/8\"", "4:14: admin.purge_from" + network + "\"10/8\""},
      {"network: null byte", "[admin]\npurge_from = \"10.0.0.5\\u0000\"",
       "4:14: admin.purge_from" + network + "\"10.0.0.5\\x00\""},
      {"name server: name", "[dns]\nservers = \"ns.test\"", "4:11: dns.servers" + name_server + "\"ns.test\""},
      {"name server: network", "[dns]\nservers = \"10.0.0.0/8\"", "4:11: dns.servers" + name_server + "\"10.0.0.0/8\""},
      {"name server: every address", "[dns]\nservers = \":53\"", "4:11: dns.servers" + name_server + "\":53\""},
      {"name server: port 0", "[dns]\nservers = \"10.0.0.2:0\"", "4:11: dns.servers" + name_server + "\"10.0.0.2:0\""},
      {"no events", "[push]\nper_second = 0",
       "4:14: push.per_second must be a whole number from 1 to 1000000, not 0 | without a route with miss = \"push\" "
       "there "
       "are no events"},
      {"socket of events", "[push]\nfile = \"unix:\"",
       "4:8: push.file must be a file path, or \"unix:\" and a path of at most 107 bytes, not \"unix:\""},
      {"webhook without a path", "[push]\nwebhook = \"http://a:80\"",
       webhook + "\"http://a:80\" | did you mean \"http://a:80/\"?"},
      {"webhook with a slash in its query", "[push]\nwebhook = \"http://a?b=/c\"", webhook + "\"http://a?b=/c\""},
      {"webhook over TLS", "[push]\nwebhook = \"https://a/b\"",
       webhook + "\"https://a/b\" | events are sent in plain: to a relay on this machine, where they must go further "
                 "under TLS"},
      {"webhook without a host", "[push]\nwebhook = \"/b\"", webhook + "\"/b\""},
      {"webhook with a fragment", "[push]\nwebhook = \"http://a/b#c\"", webhook + "\"http://a/b#c\""},
  };
  check_after(kOrigin, rows);
  BOOST_TEST(errors_of("[push]\nrepeat = \"1s\"\n" + kOrigin) == "");
}

BOOST_AUTO_TEST_CASE(placeholders) {
  const std::string form = " must be \"Name: value\" of at most 1024 bytes, not ";
  const std::string ours = " must be a field that the cache does not write itself, not ";
  const ErrorRow rows[] = {
      {"status", "[[route]]\nplaceholder.status = 199",
       "4:22: route.placeholder.status must be a whole number from 200 to 599, not 199"},
      {"no colon", "[[route]]\nplaceholder.headers = [\"X-A: b\", \"X-B\"]",
       "4:34: route.placeholder.headers" + form + "\"X-B\""},
      {"no name", "[[route]]\nplaceholder.headers = \": b\"", "4:23: route.placeholder.headers" + form + "\": b\""},
      {"space before the colon", "[[route]]\nplaceholder.headers = \"X : b\"",
       "4:23: route.placeholder.headers" + form + "\"X : b\""},
      {"line break", "[[route]]\nplaceholder.headers = \"X: b\\r\\nY: c\"",
       "4:23: route.placeholder.headers" + form + "\"X: b\\x0D\\x0AY: c\""},
      {"framing", "[[route]]\nplaceholder.headers = \"content-length: 3\"",
       "4:23: route.placeholder.headers" + ours + "\"content-length: 3\" | leave it out"},
      {"of one connection", "[[route]]\nplaceholder.headers = \"Keep-Alive: 5\"",
       "4:23: route.placeholder.headers" + ours + "\"Keep-Alive: 5\" | leave it out"},
      {"has a key", "[[route]]\nplaceholder.headers = \"Retry-After: 5\"",
       "4:23: route.placeholder.headers" + ours + "\"Retry-After: 5\" | use placeholder.retry_after"},
      {"empty file", "[[route]]\nplaceholder.file = \"\"",
       "4:20: route.placeholder.file must be a file path, not \"\""},
      {"tag field", "[[route]]\ntags = \"a b\"", "4:8: route.tags must be the name of a header field, not \"a b\""},
      {"miss", "[[route]]\nmiss = \"stale\"",
       "4:8: route.miss must be one of \"collapse\", \"async\", \"push\", \"stale-only\", \"pass\", not \"stale\" | "
       "did you "
       "mean \"stale-only\"?"},
  };
  check_after(kOrigin, rows);
}

BOOST_AUTO_TEST_CASE(routes) {
  const ErrorRow rows[] = {
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
  const ErrorRow rows[] = {
      {"a misspelt table", "[[orign]]\nservers = \"http://a\"\n[[route]]\norigin = \"a\"",
       "1:3: unknown table \"orign\" | did you mean \"origin\"?"},
      {"a bad name", "[[origin]]\nname = 5\nservers = \"ftp://a\"\n[[route]]\norigin = \"five\"", ""},
      {"a bad path", kOrigin + "[[route]]\npath = 5\n[[route]]\nhost = \"a\"",
       "4:8: route.path must be a string, not 5"},
  };
  for (const ErrorRow& row : rows) {
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
