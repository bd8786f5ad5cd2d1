// The command line, the configuration's errors, signals and logs, as an operator meets them.
#include <signal.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>

#include "support/behave/client.h"
#include "support/behave/seawall.h"

namespace seawall::behave {
namespace {

BOOST_AUTO_TEST_SUITE(behave_cli)

Outcome run(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), seawall_binary());
  return behave::run(arguments);
}

bool is_refusing(std::uint16_t port) {
  try {
    Client client(port);
    return client.is_closed(Millis{10});
  } catch (const Failure&) {
    return true;
  }
}

BOOST_AUTO_TEST_CASE(a_good_file_is_found_good) {
  TemporaryDirectory directory;
  const std::string file =
      directory.write("good.toml", "[[origin]]\nname = \"a\"\nservers = [\"http://127.0.0.1:3000\"]\n");
  const Outcome outcome = run({"check", "-c", file});
  BOOST_TEST(outcome.code == 0, outcome.output);
  BOOST_TEST(contains(outcome.output, "ok"), outcome.output);
}

BOOST_AUTO_TEST_CASE(a_bad_file_is_explained) {
  struct Row {
    const char* name;
    std::string text;
    std::vector<std::string> says;
  };
  const std::string origin = "[[origin]]\nname = \"a\"\nservers = [\"http://127.0.0.1:3000\"]\n";
  const Row rows[] = {
      {"unknown key", origin + "[server]\nwrokers = 2\n", {"bad.toml:5:1", "wrokers = 2", "^", "workers"}},
      {"unknown section", origin + "[sever]\nworkers = 2\n", {"bad.toml:4:", "[sever]", "^", "server"}},
      {"syntax", origin + "[server]\nworkers = = 2\n", {"bad.toml:5:", "workers = = 2", "^"}},
      {"wrong type", origin + "[server]\nconnections = \"many\"\n", {"bad.toml:5:", "connections = \"many\"", "^"}},
      {"bad duration", origin + "[collapse]\nwait = \"5 parsecs\"\n", {"bad.toml:5:", "5 parsecs", "^"}},
      {"bad size", origin + "[cache]\nmemory = \"1XB\"\n", {"bad.toml:5:", "1XB", "^"}},
      {"unknown origin", origin + "[[route]]\norigin = \"b\"\n", {"bad.toml:5:", "origin = \"b\"", "^"}},
      {"no origin", "[server]\nworkers = 1\n", {"origin"}},
      {"several errors", origin + "[server]\nwrokers = 2\nconnections = \"x\"\n", {"bad.toml:5:", "bad.toml:6:"}},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      TemporaryDirectory directory;
      const std::string file = directory.write("bad.toml", row.text);
      for (const char* command : {"check", "serve"}) {
        const Outcome outcome = run({command, "-c", file});
        BOOST_TEST(outcome.code == 1, outcome.output);
        for (const std::string& part : row.says)
          BOOST_TEST(contains(outcome.output, part), part << " in:\n" << outcome.output);
      }
    }
  }
  BOOST_TEST(run({"check", "-c", "/nonexistent/seawall.toml"}).code == 1);
}

BOOST_AUTO_TEST_CASE(a_bad_flag_names_the_nearest_good_one) {
  const Outcome flag = run({"serve", "--orign", "http://127.0.0.1:1"});
  BOOST_TEST(flag.code == 2, flag.output);
  BOOST_TEST(contains(flag.output, "--origin"), flag.output);
  const Outcome command = run({"srve"});
  BOOST_TEST(command.code == 2, command.output);
  BOOST_TEST(contains(command.output, "serve"), command.output);
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"serve", "--origin", "http://127.0.0.1:1", "--listen", "nowhere"},
        {"serve", "--origin", "http://127.0.0.1:1", "--memory", "1XB"},
        {"serve", "--origin", "http://127.0.0.1:1", "--workers", "none"},
        {"serve", "--origin", "gopher://127.0.0.1:1"}}) {
    const Outcome outcome = run(arguments);
    BOOST_TEST(outcome.code != 0, arguments.back());
    BOOST_TEST(contains(outcome.output, arguments.back()), outcome.output);
  }
}

BOOST_AUTO_TEST_CASE(version_and_help_are_told) {
  const Outcome version = run({"--version"});
  BOOST_TEST(version.code == 0);
  BOOST_TEST(contains(version.output, "seawall"), version.output);
  const Outcome help = run({"--help"});
  BOOST_TEST(help.code == 0);
  for (const char* word : {"serve", "check", "demo-origin"}) BOOST_TEST(contains(help.output, word), help.output);
  const Outcome serve = run({"serve", "--help"});
  for (const char* word : {"--listen", "--origin", "--memory", "--workers"})
    BOOST_TEST(contains(serve.output, word), serve.output);
}

BOOST_AUTO_TEST_CASE(flags_alone_are_enough_to_serve) {
  Origin origin;
  origin.on("/a", Reply{.headers = {"Cache-Control: max-age=60"}, .body = "a"});
  Process process({seawall_binary(), "serve", "--listen", "127.0.0.1:0", "--origin", "http://" + origin.authority(),
                   "--memory", "8MiB", "--workers", "1"});
  Client client(listening_port(process));
  BOOST_TEST(client.get("/a").body == "a");
  BOOST_TEST(client.get("/a").is_hit());
  client.close();
  process.signal(SIGINT);
  BOOST_TEST(process.wait() == 0);
}

BOOST_AUTO_TEST_CASE(a_port_in_use_is_said) {
  std::uint16_t port = 0;
  const Fd taken = listen_on_loopback(port);
  const Outcome outcome =
      run({"serve", "--listen", "127.0.0.1:" + std::to_string(port), "--origin", "http://127.0.0.1:1"});
  BOOST_TEST(outcome.code == 1, outcome.output);
  BOOST_TEST(contains(outcome.output, std::to_string(port)), outcome.output);
  BOOST_TEST(contains(outcome.output, "in use"), outcome.output);
}

BOOST_AUTO_TEST_CASE(sigterm_lets_requests_finish) {
  Gate gate;
  Origin origin;
  origin.on("/a", [&](Exchange& x) {
    x.begin_chunked({"Cache-Control: max-age=60"});
    x.send_chunk("first");
    x.hold(gate);
    x.send_chunk("last");
    x.end_chunks();
  });
  origin.on("/b", Reply{.headers = {"Cache-Control: max-age=60"}, .body = "b"});
  Seawall seawall(origin, {.workers = 2, .shutdown = "10s"});
  Client idle(seawall);
  BOOST_TEST(idle.get("/b").body == "b");
  Client busy(seawall);
  busy.send_request("GET", "/a");
  BOOST_TEST(busy.read_body(5).body == "first");
  seawall.process().signal(SIGTERM);
  BOOST_TEST(until([&] { return is_refusing(seawall.port()); }));
  BOOST_TEST(idle.is_closed());
  BOOST_TEST(!seawall.process().has_exited());
  gate.open();
  const Response response = busy.read_rest();
  BOOST_TEST(response.body == "firstlast");
  BOOST_TEST(response.complete);
  BOOST_TEST(seawall.process().wait() == 0);
}

BOOST_AUTO_TEST_CASE(sigterm_does_not_wait_for_ever) {
  Origin origin;
  origin.on("/a", [](Exchange& x) { x.be_silent(); });
  Seawall seawall(origin, {.shutdown = "300ms"});
  Client client(seawall);
  client.send_request("GET", "/a");
  BOOST_TEST(until([&] { return origin.count("/a") == 1; }));
  const auto begin = SteadyClock::now();
  BOOST_TEST(seawall.stop() == 0);
  BOOST_TEST((SteadyClock::now() - begin < Millis{kSanitized ? 6000 : 2000}));
}

BOOST_AUTO_TEST_CASE(a_second_sigterm_ends_it_at_once) {
  Origin origin;
  origin.on("/a", [](Exchange& x) { x.be_silent(); });
  TemporaryDirectory directory;
  const std::string file = directory.write(
      "seawall.toml",
      "[server]\nlisten = \"127.0.0.1:0\"\ntimeout = { shutdown = \"1h\" }\n[[origin]]\nservers = [\"http://" +
          origin.authority() + "\"]\n");
  Process process({seawall_binary(), "serve", "-c", file});
  const std::uint16_t port = listening_port(process);
  Client client(port);
  client.send_request("GET", "/a");
  BOOST_TEST(until([&] { return origin.count("/a") == 1; }));
  process.signal(SIGTERM);
  BOOST_TEST(until([&] { return is_refusing(port); }));
  BOOST_TEST(!process.has_exited());
  process.signal(SIGTERM);
  BOOST_TEST(until([&] { return process.has_exited(); }));
}

BOOST_AUTO_TEST_CASE(sighup_takes_a_good_file_and_refuses_a_bad_one) {
  Gate gate;
  Origin one;
  Origin two;
  one.on("/held", [&](Exchange& x) {
    x.hold(gate);
    x.respond({.headers = {"Cache-Control: no-store"}, .body = "held"});
  });
  one.otherwise(reply({.headers = {"Cache-Control: no-store"}, .body = "one"}));
  two.otherwise(reply({.headers = {"Cache-Control: no-store"}, .body = "two"}));
  Seawall seawall(one, {.workers = 2});
  Client client(seawall);
  BOOST_TEST(client.get("/a").body == "one");
  Client held(seawall);
  held.send_request("GET", "/held");
  BOOST_TEST(until([&] { return one.count("/held") == 1; }));

  const std::string good = seawall.config();
  seawall.write_config(good + "\n[server]\nworkers = = 3\n");
  seawall.process().signal(SIGHUP);
  BOOST_TEST(seawall.process().says("seawall.toml:"), seawall.process().output());
  BOOST_TEST(client.get("/b").body == "one");

  std::string changed = good;
  const std::string before = one.authority();
  changed.replace(changed.find(before), before.size(), two.authority());
  seawall.write_config(changed);
  seawall.process().signal(SIGHUP);
  BOOST_TEST(until([&] { return client.get("/c").body == "two"; }));
  BOOST_TEST(until([&] { return get(seawall, "/d").body == "two"; }));
  gate.open();
  BOOST_TEST(held.read().body == "held");
}

BOOST_AUTO_TEST_CASE(what_a_reload_cannot_change_is_said) {
  Origin origin;
  origin.otherwise(reply({.headers = {"Cache-Control: no-store"}, .body = "a"}));
  Seawall seawall(origin);
  seawall.write_config(seawall.config() + "\n[dns]\ntimeout = \"3s\"\n");
  seawall.process().signal(SIGHUP);
  BOOST_TEST(seawall.process().says("reload: a change of [dns] needs a restart"), seawall.process().output());
  BOOST_TEST(seawall.process().says("reloaded"), seawall.process().output());
  BOOST_TEST(get(seawall, "/a").body == "a");
}

BOOST_AUTO_TEST_CASE(the_access_log_tells_what_happened) {
  Origin origin;
  origin.on("/a", Reply{.headers = {"Cache-Control: max-age=60"}, .body = "hello"});
  for (const char* format : {"combined", "json"}) {
    BOOST_TEST_CONTEXT(format) {
      TemporaryDirectory directory;
      const std::string file = directory.path() + "/access.log";
      Seawall seawall(origin, {.log = "access = \"" + file + "\"\naccess_format = \"" + format + "\""});
      get(seawall, "/a?q=1", {"User-Agent: probe \"quoted\"", "Referer: http://a.test/from"});
      get(seawall, "/a?q=1", {"User-Agent: probe \"quoted\""});
      get(seawall, "/none");
      BOOST_TEST(until([&] { return std::ranges::count(directory.read("access.log"), '\n') >= 3; }));
      const std::string log = directory.read("access.log");
      const std::vector<std::string> parts =
          std::string_view(format) == "json"
              ? std::vector<std::string>{"\"status\":200",        "\"cache\":\"hit\"",
                                         "\"cache\":\"miss\"",    "\"why\":\"fresh\"",
                                         "\"why\":\"uri-miss\"",  "\"path\":\"/a?q=1\"",
                                         "\"method\":\"GET\"",    "\"host\":\"a.test\"",
                                         "\"duration_us\":",      "\"first_byte_us\":",
                                         "\"origin_status\":200", "\"user_agent\":\"probe \\\"quoted\\\"\""}
              : std::vector<std::string>{"127.0.0.1 ", "\"GET /a?q=1 HTTP/1.1\" 200 5",
                                         "cache=hit",  "cache=miss",
                                         "why=fresh",  "why=uri-miss",
                                         "ttfb_us=",   "\"http://a.test/from\""};
      for (const std::string& part : parts) BOOST_TEST(contains(log, part), part << " in:\n" << log);
    }
  }
}

BOOST_AUTO_TEST_CASE(sigusr1_opens_the_logs_again) {
  Origin origin;
  origin.on("/a", Reply{.headers = {"Cache-Control: max-age=60"}, .body = "hello"});
  TemporaryDirectory directory;
  Seawall seawall(origin, {.workers = 2, .log = "access = \"" + directory.path() + "/access.log\""});
  get(seawall, "/a?before");
  BOOST_TEST(until([&] { return contains(directory.read("access.log"), "/a?before"); }));
  std::filesystem::rename(directory.path() + "/access.log", directory.path() + "/access.log.1");
  seawall.process().signal(SIGUSR1);
  BOOST_TEST(until([&] { return std::filesystem::exists(directory.path() + "/access.log"); }));
  get(seawall, "/a?after");
  BOOST_TEST(until([&] { return contains(directory.read("access.log"), "/a?after"); }));
  BOOST_TEST(!contains(directory.read("access.log.1"), "/a?after"));
}

BOOST_AUTO_TEST_CASE(a_log_that_cannot_be_written_fails_no_request) {
  Origin origin;
  origin.on("/a", Reply{.body = "a"});
  Seawall seawall(origin, {.log = "access = \"/dev/full\""});
  Client client(seawall);
  for (int i = 0; i < 50; ++i) BOOST_TEST(client.get("/a").body == "a");
}

BOOST_AUTO_TEST_CASE(the_demo_origin_serves) {
  Process process({seawall_binary(), "demo-origin", "--listen", "127.0.0.1:0"});
  std::uint16_t port = 0;
  BOOST_TEST(until([&] {
    const std::string output = process.output();
    const std::size_t at = output.find("http://127.0.0.1:");
    if (at != std::string::npos && output.find('\n', at) != std::string::npos) {
      port = static_cast<std::uint16_t>(std::strtoul(output.c_str() + at + 17, nullptr, 10));
    }
    return port != 0 || process.has_exited();
  }));
  BOOST_REQUIRE(port != 0);
  {
    Seawall seawall(port);
    BOOST_TEST(get(seawall, "/").status == 200);
    BOOST_TEST(get(seawall, "/").is_hit());
    BOOST_TEST(!get(seawall, "/nocache").is_hit());
    BOOST_TEST(!get(seawall, "/nocache").is_hit());
    BOOST_TEST(get(seawall, "/stream").complete);
    BOOST_TEST(get(seawall, "/big").body.size() == std::size_t{10} << 20);
    BOOST_TEST(get(seawall, "/error").status == 500);
  }
  process.signal(SIGTERM);
  BOOST_TEST(process.wait() == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::behave
