// `seawall purge` and `seawall warm` against a scripted admin interface, on a manual clock.
#include "server/client_commands.h"

#include <fcntl.h>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "support/behave/origin.h"
#include "support/behave/process.h"
#include "support/manual_clock.h"

namespace seawall::server {
namespace {

using behave::contains;
using behave::Handler;
using behave::Origin;

AdminAddress address_of(const Origin& origin) {
  return {.host = "127.0.0.1", .port = origin.port(), .path = {}};
}

// The request is read to its end first, so that the test finds all of it.
Handler json(std::string body, int status = 200) {
  return [answer =
              behave::Reply{.status = status, .headers = {"Content-Type: application/json"}, .body = std::move(body)}](
             behave::Exchange& exchange) {
    exchange.read_body();
    exchange.respond(answer);
  };
}

// {"job":7,...} of POST /v1/fills; `refused` as "url reason".
Handler accepted(int accepted, int duplicate = 0, int cached = 0, const std::vector<std::string>& refused = {}) {
  nlohmann::json answer = {{"job", 7},
                           {"accepted", accepted},
                           {"duplicate", duplicate},
                           {"cached", cached},
                           {"refused", nlohmann::json::array()}};
  for (const std::string& one : refused) {
    const std::size_t space = one.find(' ');
    answer["refused"].push_back({{"url", one.substr(0, space)}, {"reason", one.substr(space + 1)}});
  }
  return json(answer.dump(), 202);
}

Handler job(int waiting, int running, int done, int failed = 0) {
  return json(nlohmann::json{{"job", 7}, {"waiting", waiting}, {"running", running}, {"done", done}, {"failed", failed}}
                  .dump());
}

// What the command prints, and time that passes only while it waits.
struct Screen {
  std::string out;
  std::string err;
  int pauses = 0;
  test::ManualClock clock;
  Terminal terminal{.input = STDIN_FILENO,
                    .print = [this](std::string_view text) { out += text; },
                    .complain = [this](std::string_view text) { err += text; },
                    .is_interactive = false,
                    .clock = &clock,
                    .pause =
                        [this](Millis time) {
                          ++pauses;
                          clock.advance(time);
                        }};

  Screen() = default;
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;
};

std::string lines(int begin, int end) {
  std::string text;
  for (int i = begin; i < end; ++i) text += "http://a.test/" + std::to_string(i) + "\n";
  return text;
}

int warm(const Origin& origin, const std::string& list, const Screen& screen, bool is_quiet = false) {
  const behave::TemporaryDirectory directory;
  return run_warm({.admin = address_of(origin), .file = directory.write("urls.txt", list), .is_quiet = is_quiet},
                  screen.terminal);
}

BOOST_AUTO_TEST_SUITE(server_client_commands)

BOOST_AUTO_TEST_CASE(purge_asks_and_tells_what_was_purged) {
  struct Row {
    const char* name;
    PurgeCommand command;
    std::string body;  // of the request
    std::string answer;
    std::string want;
  };
  const Row rows[] = {
      {"URLs",
       {.urls = {"http://a/x", "http://a/\"y"}},
       R"({"urls":["http://a/x","http://a/\"y"],"tags":[],"prefixes":[],"soft":false})",
       R"({"urls":2,"rules":0,"soft":false})",
       "purged: 2 stored responses\n"},
      {"all kinds, softly",
       {.urls = {"http://a/x"}, .tags = {"t", "u"}, .prefixes = {"http://a/p/"}, .is_soft = true},
       R"({"urls":["http://a/x"],"tags":["t","u"],"prefixes":["http://a/p/"],"soft":true})",
       R"({"urls":1,"rules":3,"soft":true})",
       "purged softly: 1 stored response, 3 rules for tags and prefixes\n"},
      {"nothing was there",
       {.urls = {"http://a/x"}},
       R"({"urls":["http://a/x"],"tags":[],"prefixes":[],"soft":false})",
       R"({"urls":0,"rules":0,"soft":false})",
       "purged: nothing\n"},
      {"counts of other names",
       {.urls = {"http://a/x"}},
       R"({"urls":["http://a/x"],"tags":[],"prefixes":[],"soft":false})",
       R"({"purged":3,"b\u001b":1,"text":"x","minus":-1})",
       "purged: 3 purged, 1 b?\n"},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      Origin origin;
      origin.on("/v1/purge", json(row.answer));
      Screen screen;
      PurgeCommand command = row.command;
      command.admin = address_of(origin);
      BOOST_TEST(run_purge(command, screen.terminal) == 0);
      BOOST_TEST(screen.out == row.want);
      BOOST_TEST(screen.err == "");
      const behave::SeenRequest seen = origin.seen("/v1/purge");
      BOOST_TEST(seen.method == "POST");
      BOOST_TEST(seen.headers.get("Content-Type") == "application/json");
      BOOST_TEST(seen.body == row.body);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_failed_purge_says_why) {
  struct Row {
    const char* name;
    Handler answer;
    std::string want;
  };
  const Row rows[] = {
      {"a problem", json(R"({"title":"Bad Request","detail":"no route has the host\u001b[2J b"})", 400),
       "seawall: no route has the host?[2J b\n"},
      {"a title alone", json(R"({"title":"Forbidden"})", 403), "seawall: Forbidden\n"},
      {"no document", json("gone", 404), "seawall: the admin interface answered 404 Not Found\n"},
      {"a document that is none", json("[]", 500), "seawall: the admin interface answered 500 Internal Server Error\n"},
      {"no JSON", json("<html>"),
       "seawall: the answer to POST /v1/purge is not a JSON object; is --admin the admin interface of seawall?\n"},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      Origin origin;
      origin.on("/v1/purge", row.answer);
      Screen screen;
      BOOST_TEST(run_purge({.admin = address_of(origin), .urls = {"http://a"}}, screen.terminal) == 1);
      BOOST_TEST(screen.err == row.want);
      BOOST_TEST(screen.out == "");
    }
  }
  Screen screen;
  BOOST_TEST(run_purge({.admin = {.host = "127.0.0.1", .port = behave::unused_port()}, .urls = {"http://a"}},
                       screen.terminal) == 1);
  BOOST_TEST(contains(screen.err, "is seawall running?"), screen.err);
}

BOOST_AUTO_TEST_CASE(a_list_goes_in_batches_of_one_job) {
  Origin origin;
  origin.script("/v1/fills", {accepted(497, 0, 3), accepted(498, 0, 2), accepted(200)});
  origin.script("/v1/fills/7",
                {job(400, 64, 33), job(500, 64, 431), job(131, 64, 1000), job(0, 5, 1190), job(0, 0, 1195)});
  Screen screen;
  BOOST_TEST(warm(origin, lines(0, 1200), screen) == 0);
  BOOST_TEST(screen.out == "1200 URLs: 1195 filled, 5 already cached, 0 failed\n");
  BOOST_TEST(origin.unexpected() == 0U);
  BOOST_TEST(origin.connections() == 1U);
  BOOST_TEST(screen.pauses == 2);
  BOOST_TEST(origin.seen("/v1/fills", 1).target == "/v1/fills");
  BOOST_TEST(origin.seen("/v1/fills", 2).target == "/v1/fills?job=7");
  BOOST_TEST(origin.seen("/v1/fills", 3).target == "/v1/fills?job=7");
  BOOST_TEST(origin.seen("/v1/fills", 1).headers.get("Content-Type") == "text/plain");
  BOOST_TEST(origin.seen("/v1/fills", 1).body == lines(0, 500));
  BOOST_TEST(origin.seen("/v1/fills", 2).body == lines(500, 1000));
  BOOST_TEST(origin.seen("/v1/fills", 3).body == lines(1000, 1200));
}

BOOST_AUTO_TEST_CASE(the_end_is_summed_up) {
  struct Row {
    const char* name;
    Handler answer;
    Handler job;
    std::string want;
    int code = 0;
  };
  const Row rows[] = {
      {"all filled", accepted(10), job(0, 0, 10), "10 URLs: 10 filled, 0 already cached, 0 failed\n"},
      {"all cached", accepted(0, 0, 10), job(0, 0, 0), "10 URLs: 0 filled, 10 already cached, 0 failed\n"},
      {"some failed", accepted(9, 0, 1), job(0, 0, 7, 2), "10 URLs: 7 filled, 1 already cached, 2 failed\n", 1},
      {"some twice", accepted(8, 2), job(0, 0, 8), "10 URLs: 8 filled, 0 already cached, 2 duplicates, 0 failed\n"},
      {"some lost", accepted(10), job(0, 0, 9), "10 URLs: 9 filled, 0 already cached, 1 failed\n", 1},
      {"some refused", accepted(9, 0, 0, {"http://a.test/3 no-route"}), job(0, 0, 9),
       "10 URLs: 9 filled, 0 already cached, 1 failed\n", 1},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      Origin origin;
      origin.script("/v1/fills", {row.answer});
      origin.script("/v1/fills/7", {row.job});
      Screen screen;
      BOOST_TEST(warm(origin, lines(0, 10), screen) == row.code);
      BOOST_TEST(screen.out == row.want);
      BOOST_TEST(origin.unexpected() == 0U);
      BOOST_TEST(screen.pauses == 0);
    }
  }
}

BOOST_AUTO_TEST_CASE(bad_lines_are_reported_and_do_not_stop_it) {
  Origin origin;
  origin.script("/v1/fills", {accepted(3)});
  origin.script("/v1/fills/7", {job(0, 0, 3)});
  const std::string list =
      "# warm these\r\n\n \t\nhttp://a.test/1\r\n\t http://a.test/2  \n/relative\nhttp://a.test/with space\n"
      "http://a.test/" +
      std::string(9000, 'x') + "\nhttps://a.test";
  Screen screen;
  const behave::TemporaryDirectory directory;
  const std::string file = directory.write("urls.txt", list);
  BOOST_TEST(run_warm({.admin = address_of(origin), .file = file}, screen.terminal) == 1);
  BOOST_TEST(origin.seen("/v1/fills").body == "http://a.test/1\nhttp://a.test/2\nhttps://a.test\n");
  BOOST_TEST(screen.out == "3 URLs: 3 filled, 0 already cached, 0 failed; 3 bad lines\n");
  const std::string absolute = ": a URL must be absolute, such as \"http://host/path\", not ";
  BOOST_TEST(contains(screen.err, "seawall: " + file + ":6" + absolute + "\"/relative\"\n"), screen.err);
  BOOST_TEST(contains(screen.err, "seawall: " + file + ":7" + absolute + "\"http://a.test/with space\"\n"), screen.err);
  BOOST_TEST(contains(screen.err, "seawall: " + file + ":8: a URL has at most 8 KiB, not \"http://a.test/xxx"),
             screen.err);
}

BOOST_AUTO_TEST_CASE(a_list_without_urls_asks_nothing) {
  Origin origin;
  Screen screen;
  BOOST_TEST(warm(origin, "# nothing\n", screen) == 0);
  BOOST_TEST(screen.out == "0 URLs: 0 filled, 0 already cached, 0 failed\n");
  BOOST_TEST(warm(origin, "nothing", screen) == 1);
  BOOST_TEST(origin.connections() == 0U);
}

BOOST_AUTO_TEST_CASE(what_a_full_queue_refuses_is_sent_again_when_it_has_room) {
  Origin origin;
  const std::vector<std::string> refused = {"http://a.test/498 queue-full", "http://a.test/499 queue-full"};
  origin.script("/v1/fills",
                {accepted(498, 0, 0, refused), accepted(101, 0, 0, {"http://a.test/498 queue-full"}), accepted(1)});
  origin.script("/v1/fills/7", {
                                   job(400, 64, 34),   // half of 400 must go first
                                   job(201, 64, 233),  //
                                   job(200, 64, 234),  // now
                                   job(0, 64, 434),    // the one that was refused again waits for a turn
                                   job(0, 64, 434),    //
                                   job(60, 64, 476),   //
                                   job(0, 0, 600),
                               });
  Screen screen;
  BOOST_TEST(warm(origin, lines(0, 600), screen) == 0);
  BOOST_TEST(origin.unexpected() == 0U);
  BOOST_TEST(origin.seen("/v1/fills", 2).body == lines(498, 600));
  BOOST_TEST(origin.seen("/v1/fills", 3).body == lines(498, 499));
  BOOST_TEST(screen.out == "600 URLs: 600 filled, 0 already cached, 0 failed\n");
  BOOST_TEST(!contains(screen.err, "queue-full"), screen.err);
}

BOOST_AUTO_TEST_CASE(a_queue_that_stays_full_is_given_up) {
  Origin origin;
  origin.on("/v1/fills", accepted(0, 0, 0, {"http://a.test/0 queue-full"}));
  origin.on("/v1/fills/7", job(0, 0, 0));
  Screen screen;
  BOOST_TEST(warm(origin, lines(0, 1), screen) == 1);
  BOOST_TEST(contains(screen.err, "nothing has been filled for 10 minutes: 1 of 1 URLs are left\nhint: "), screen.err);
  BOOST_TEST(screen.pauses == 1200);
}

BOOST_AUTO_TEST_CASE(a_job_that_stands_still_is_given_up) {
  Origin origin;
  origin.on("/v1/fills", accepted(2));
  origin.script("/v1/fills/7", {job(1, 1, 0), job(0, 1, 1)});
  origin.otherwise(job(0, 1, 1));
  Screen screen;
  BOOST_TEST(warm(origin, lines(0, 2), screen) == 1);
  BOOST_TEST(contains(screen.err, "nothing has been filled for 10 minutes: 1 of 2 URLs are left"), screen.err);
  BOOST_TEST(screen.pauses == 1201);
}

BOOST_AUTO_TEST_CASE(answers_that_make_no_sense_end_it) {
  const std::string twice = R"({"job":7,"accepted":0,"refused":[{},{}]})";
  struct Row {
    const char* name;
    Handler answer;
    std::string want;
  };
  const Row rows[] = {
      {"a problem", json(R"({"detail":"not now"})", 503), "seawall: not now\n"},
      {"no JSON", json("ok"),
       "seawall: the answer to POST /v1/fills is not a JSON object; is --admin the admin interface of seawall?\n"},
      {"no job", json(R"({"accepted":1})"), "seawall: the answer to POST /v1/fills names no job\n"},
      {"too many refused", json(twice), "seawall: the answer to POST /v1/fills refuses more than it was asked\n"},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      Origin origin;
      origin.script("/v1/fills", {row.answer});
      Screen screen;
      BOOST_TEST(warm(origin, lines(0, 1), screen) == 1);
      BOOST_TEST(screen.err == row.want);
      BOOST_TEST(screen.out == "");
    }
  }
  Origin origin;
  origin.on("/v1/fills", accepted(1));
  origin.on("/v1/fills/7", json(R"({"detail":"there is no job 7"})", 404));
  Screen screen;
  BOOST_TEST(warm(origin, lines(0, 1), screen) == 1);
  BOOST_TEST(screen.err == "seawall: there is no job 7\n");
}

BOOST_AUTO_TEST_CASE(progress_in_a_log_is_a_line_for_each_tenth) {
  Origin origin;
  origin.script("/v1/fills", {accepted(99, 0, 0, {"http://a.test/0 no-route"})});
  origin.script("/v1/fills/7",
                {job(90, 9, 0), job(89, 9, 1), job(84, 0, 14, 1), job(84, 0, 15), job(30, 30, 39), job(0, 0, 99)});
  Screen screen;
  BOOST_TEST(warm(origin, lines(0, 100), screen) == 1);
  BOOST_TEST(screen.err ==
             "seawall: \"http://a.test/0\": no-route\n"
             "10%: 16 of 100 URLs, 16/s, ETA 0:05\n"
             "40%: 40 of 100 URLs, 20/s, ETA 0:03\n"
             "100%: 100 of 100 URLs, 40/s, ETA 0:00\n");
}

BOOST_AUTO_TEST_CASE(progress_on_a_terminal_is_a_bar) {
  Origin origin;
  origin.script("/v1/fills", {accepted(100), accepted(99, 0, 0, {"http://a.test/599 no-route"})});
  origin.script("/v1/fills/7", {job(90, 10, 0), job(180, 10, 9), job(0, 0, 199)});
  Screen screen;
  screen.terminal.is_interactive = true;
  BOOST_TEST(warm(origin, lines(0, 600), screen) == 1);
  const std::string none(30, '-');
  BOOST_TEST(screen.err == "\r[" + none + "]   0% 0/600  -/s, ETA -\x1b[K" +  //
                               "\r\x1b[Kseawall: \"http://a.test/599\": no-route\n[" + none +
                               "]   0% 0/600  -/s, ETA -" + "\r[" + none + "]   1% 10/600  -/s, ETA -\x1b[K" +  //
                               "\r[##########" + none.substr(10) + "]  33% 200/600  400/s, ETA 0:01\x1b[K\n");
}

BOOST_AUTO_TEST_CASE(quiet_is_quiet) {
  for (const bool is_interactive : {false, true}) {
    Origin origin;
    origin.script("/v1/fills", {accepted(10, 0, 0, {"http://a.test/0 no-route"})});
    origin.script("/v1/fills/7", {job(5, 5, 0), job(0, 0, 10)});
    Screen screen;
    screen.terminal.is_interactive = is_interactive;
    BOOST_TEST(warm(origin, lines(0, 11), screen, true) == 1);
    BOOST_TEST(screen.out == "");
    BOOST_TEST(screen.err == "seawall: \"http://a.test/0\": no-route\n");
  }
}

BOOST_AUTO_TEST_CASE(a_list_may_come_from_standard_input) {
  Origin origin;
  origin.script("/v1/fills", {accepted(1)});
  origin.script("/v1/fills/7", {job(0, 0, 1)});
  int ends[2];
  BOOST_REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const Fd reader(ends[0]);
  Fd writer(ends[1]);
  const std::string text = "http://a.test/1\nx\n";
  BOOST_REQUIRE(::write(writer.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  writer.close();
  Screen screen;
  screen.terminal.input = reader.get();
  BOOST_TEST(run_warm({.admin = address_of(origin), .file = "-"}, screen.terminal) == 1);
  BOOST_TEST(screen.out == "1 URL: 1 filled, 0 already cached, 0 failed; 1 bad line\n");
  BOOST_TEST(contains(screen.err, "seawall: standard input:2: "), screen.err);
}

BOOST_AUTO_TEST_CASE(a_list_that_cannot_be_read) {
  const behave::TemporaryDirectory directory;
  for (const auto& [file, want] : {std::pair{directory.path() + "/none", std::string("No such file or directory")},
                                   {directory.path(), "Is a directory"}}) {
    Screen screen;
    BOOST_TEST(run_warm({.admin = {.host = "127.0.0.1", .port = 1}, .file = file}, screen.terminal) == 1);
    BOOST_TEST(screen.err == "seawall: cannot read " + file + ": " + want + "\n");
  }
}

BOOST_AUTO_TEST_CASE(long_urls_make_smaller_batches) {
  Origin origin;
  origin.on("/v1/fills", accepted(0, 0, 0));
  origin.on("/v1/fills/7", job(0, 0, 0));
  std::string list;
  for (int i = 0; i < 200; ++i) list += "http://a.test/" + std::string(8000, 'x') + "\n";
  Screen screen;
  warm(origin, list, screen);
  std::string sent;
  const std::size_t batches = origin.count("/v1/fills");
  BOOST_TEST(batches > 1U);
  for (std::size_t i = 1; i <= batches; ++i) {
    const std::string body = origin.seen("/v1/fills", i).body;
    BOOST_TEST(body.size() < (std::size_t{512} << 10) + 8192);
    sent += body;
  }
  BOOST_TEST((sent == list));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::server
