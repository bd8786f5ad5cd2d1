// The queue of fetches that no client waits for: its bounds, its pace, its order, and what feeds it.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <mutex>
#include <string>
#include <vector>

#include "support/behave/admin.h"
#include "support/behave/client.h"
#include "support/behave/seawall.h"

namespace seawall::behave {
namespace {

BOOST_AUTO_TEST_SUITE(behave_fill_queue)

// Behind the keys of [server].
const std::string kAdmin = "\n" + std::string(kAdminSection);
const std::string kAsync = "name = \"r\"\nmiss = \"async\"";

Reply fresh(std::string body) {
  return {.headers = {"Cache-Control: max-age=60"}, .body = std::move(body)};
}

Handler held(const Gate& gate) {
  return [&gate](Exchange& x) {
    x.hold(gate);
    x.respond(fresh(x.request().target));
  };
}

// What the origin was asked for, and when, in order.
class Journal {
 public:
  struct Entry {
    std::string target;
    SteadyClock::time_point at;
  };
  void note(const std::string& target) {
    const std::lock_guard lock(mutex_);
    entries_.push_back({target, SteadyClock::now()});
  }
  std::vector<Entry> entries() const {
    const std::lock_guard lock(mutex_);
    return entries_;
  }
  // Its place from 0; the number of entries when it is not there.
  std::size_t place_of(std::string_view target) const {
    const std::vector<Entry> all = entries();
    return static_cast<std::size_t>(std::ranges::find(all, target, &Entry::target) - all.begin());
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Entry> entries_;
};

std::string numbered(int i) {
  return "/" + std::to_string(i);
}

std::string sample(std::string_view family) {
  return "seawall_" + std::string(family) + "{origin=\"main\"}";
}

void ask_for(const Seawall& seawall, int first, int last) {
  Client client(seawall);
  for (int i = first; i <= last; ++i) BOOST_TEST(client.get(numbered(i)).status == 503);
}

bool all_hit(const Seawall& seawall, int first, int last) {
  Client client(seawall);
  for (int i = first; i <= last; ++i) {
    if (!client.get(numbered(i)).is_hit()) return false;
  }
  return true;
}

BOOST_AUTO_TEST_CASE(no_more_are_fetched_at_once_than_may_be) {
  Gate gate;
  Origin origin;
  origin.otherwise(held(gate));
  Seawall seawall(
      origin,
      {.workers = 2, .server = kAdmin, .origin = "fill = { concurrent = 3, cold_start = \"0s\" }", .route = kAsync});
  const Admin admin(seawall);
  ask_for(seawall, 1, 20);
  BOOST_TEST(until([&] { return origin.total() == 3; }));
  BOOST_TEST(Client(seawall).is_quiet());
  BOOST_TEST(origin.total() == 3U);
  BOOST_TEST(admin.metric(sample("fills_running")) == 3);
  BOOST_TEST(admin.metric(sample("fills_allowed")) == 3);
  BOOST_TEST(admin.metric(sample("fills_wanted")) == 20);
  BOOST_TEST(admin.metric("seawall_fills_waiting{origin=\"main\",class=\"miss\"}") == 17);
  BOOST_TEST(admin.number("/v1/origins/main", "/fills/waiting/miss") == 17);
  gate.open();
  BOOST_TEST(until([&] { return all_hit(seawall, 1, 20); }));
  BOOST_TEST(origin.most_at_once() == 3U);
  BOOST_TEST(origin.total() == 20U);
  BOOST_TEST(admin.metric(sample("fills_ended_total")) == 20);
}

BOOST_AUTO_TEST_CASE(no_more_are_begun_in_a_second_than_may_be) {
  Journal journal;
  Origin origin;
  origin.otherwise([&](Exchange& x) {
    journal.note(x.request().target);
    x.respond(fresh("made"));
  });
  Seawall seawall(origin, {.origin = "fill = { per_second = 20, cold_start = \"0s\" }", .route = kAsync});
  ask_for(seawall, 1, 14);
  BOOST_TEST(until([&] { return origin.total() == 14; }));
  const std::vector<Journal::Entry> all = journal.entries();
  const auto took = std::chrono::duration_cast<Millis>(all.back().at - all.front().at);
  // Two may be saved up; the rest takes 600 ms, of which the first may have been late.
  BOOST_TEST((took >= Millis{300}), took.count() << " ms");
}

BOOST_AUTO_TEST_CASE(past_a_full_queue_clients_get_their_answer_and_the_origin_no_request) {
  Gate gate;
  Origin origin;
  origin.otherwise(held(gate));
  Seawall seawall(
      origin,
      {.server = kAdmin, .origin = "fill = { concurrent = 1, queue = 2, cold_start = \"0s\" }", .route = kAsync});
  const Admin admin(seawall);
  ask_for(seawall, 1, 1);
  BOOST_TEST(until([&] { return origin.total() == 1; }));
  ask_for(seawall, 2, 6);
  BOOST_TEST(admin.metric(sample("fills_refused_total")) == 3);
  BOOST_TEST(admin.metric(sample("fill_queue_limit")) == 2);
  gate.open();
  BOOST_TEST(until([&] { return all_hit(seawall, 1, 3); }));
  BOOST_TEST(origin.total() == 3U);
  // It was not forgotten for good.
  BOOST_TEST(get(seawall, "/6").status == 503);
  BOOST_TEST(until([&] { return all_hit(seawall, 6, 6); }));
}

BOOST_AUTO_TEST_CASE(what_waits_too_long_is_given_up) {
  Gate gate;
  Origin origin;
  origin.otherwise(held(gate));
  Seawall seawall(origin, {.server = kAdmin,
                           .origin = "fill = { concurrent = 1, deadline = \"100ms\", cold_start = \"0s\" }",
                           .route = kAsync});
  const Admin admin(seawall);
  ask_for(seawall, 1, 1);
  BOOST_TEST(until([&] { return origin.total() == 1; }));
  ask_for(seawall, 2, 3);
  BOOST_TEST(until([&] { return admin.metric(sample("fills_expired_total")) == 2; }));
  gate.open();
  BOOST_TEST(until([&] { return all_hit(seawall, 1, 1); }));
  BOOST_TEST(origin.count("/2") == 0U);
  BOOST_TEST(origin.count("/3") == 0U);
  BOOST_TEST(get(seawall, "/2").status == 503);
  BOOST_TEST(until([&] { return all_hit(seawall, 2, 2); }));
}

BOOST_AUTO_TEST_CASE(after_a_cold_start_the_pace_grows_by_and_by) {
  for (const bool ramps : {true, false}) {
    BOOST_TEST_CONTEXT((ramps ? "cold_start = 20s" : "cold_start = 0s")) {
      Gate gate;
      Origin origin;
      origin.otherwise(held(gate));
      Seawall seawall(origin, {.server = kAdmin,
                               .origin = std::string("fill = { concurrent = 40, cold_start = ") +
                                         (ramps ? "\"20s\"" : "\"0s\"") + " }",
                               .route = kAsync});
      const Admin admin(seawall);
      ask_for(seawall, 1, 40);
      if (ramps) {
        BOOST_TEST(until([&] { return origin.total() >= 4; }));
        const std::size_t begun = origin.total();
        BOOST_TEST(begun < 30U);
        BOOST_TEST(admin.metric(sample("fills_allowed")) < 30);
        // None has ended: more of them is what the time has brought.
        BOOST_TEST(until([&] { return origin.total() >= begun + 2; }));
      } else {
        BOOST_TEST(until([&] { return origin.total() == 40; }));
        BOOST_TEST(admin.metric(sample("fills_allowed")) == 40);
      }
      gate.open();
      BOOST_TEST(until([&] { return all_hit(seawall, 1, 40); }));
    }
  }
}

BOOST_AUTO_TEST_CASE(bytes_beyond_the_rate_are_waited_off) {
  Origin origin;
  origin.otherwise([](Exchange& x) { x.respond(fresh(pattern(60'000))); });
  Seawall seawall(origin, {.origin = "fill = { concurrent = 1, bytes_per_second = \"100000\", cold_start = \"0s\" }",
                           .route = kAsync});
  const auto begin = SteadyClock::now();
  ask_for(seawall, 1, 4);
  BOOST_TEST(until([&] { return all_hit(seawall, 1, 4); }));
  // The first three have to be paid for before the fourth begins; a little may be saved up.
  BOOST_TEST((SteadyClock::now() - begin > Millis{500}));
}

BOOST_AUTO_TEST_CASE(routes_take_turns) {
  Journal journal;
  Gate gate;
  Origin origin;
  origin.otherwise([&](Exchange& x) {
    journal.note(x.request().target);
    x.hold(gate);
    x.respond(fresh("made"));
  });
  Seawall seawall(origin, {.origin = "fill = { concurrent = 1, cold_start = \"0s\" }\n"
                                     "[[route]]\nname = \"crowded\"\npath = \"/crowded/*\"\norigin = \"main\"\n"
                                     "miss = \"async\"",
                           .route = kAsync});
  Client client(seawall);
  BOOST_TEST(client.get("/first").status == 503);
  BOOST_TEST(until([&] { return origin.total() == 1; }));
  for (int i = 0; i < 10; ++i) BOOST_TEST(client.get("/crowded" + numbered(i)).status == 503);
  for (int i = 0; i < 2; ++i) BOOST_TEST(client.get(numbered(i)).status == 503);
  gate.open();
  BOOST_TEST(until([&] { return origin.total() == 13; }));
  BOOST_TEST(journal.place_of("/0") <= 2U);
  BOOST_TEST(journal.place_of("/1") <= 4U);
}

BOOST_AUTO_TEST_CASE(misses_go_before_prefetches_and_the_hotter_of_them_first) {
  Journal journal;
  Gate gate;
  Origin origin;
  origin.otherwise([&](Exchange& x) {
    journal.note(x.request().target);
    x.hold(gate);
    x.respond(fresh("made"));
  });
  Seawall seawall(origin,
                  {.server = kAdmin, .origin = "fill = { concurrent = 1, cold_start = \"0s\" }", .route = kAsync});
  const Admin admin(seawall);
  Client client(seawall);
  BOOST_TEST(client.get("/first").status == 503);
  BOOST_TEST(until([&] { return origin.total() == 1; }));
  std::string urls;
  for (int i = 0; i < 5; ++i) urls += "http://a.test/warm" + std::to_string(i) + "\n";
  BOOST_TEST(admin.request("POST", "/v1/fills", {"Content-Type: text/plain"}, urls).status == 202);
  BOOST_TEST(client.get("/cool").status == 503);
  for (int i = 0; i < 5; ++i) BOOST_TEST(client.get("/hot").status == 503);
  gate.open();
  BOOST_TEST(until([&] { return origin.total() == 8; }));
  BOOST_TEST(journal.place_of("/hot") == 1U);
  BOOST_TEST(journal.place_of("/cool") == 2U);
  BOOST_TEST(journal.place_of("/warm0") == 3U);
  BOOST_TEST(origin.count("/hot") == 1U);
}

BOOST_AUTO_TEST_CASE(a_client_that_waits_for_what_is_queued_does_not_wait_for_the_queue) {
  Gate gate;
  Origin origin;
  origin.on("/first", held(gate));
  origin.on("/a", fresh("made"));
  Seawall seawall(origin, {.origin = "fill = { concurrent = 1, cold_start = \"0s\" }", .route = "prefer = true"});
  const Lines async = {"Prefer: respond-async"};
  BOOST_TEST(get(seawall, "/first", async).status == 503);
  BOOST_TEST(until([&] { return origin.total() == 1; }));
  BOOST_TEST(get(seawall, "/a", async).status == 503);
  BOOST_TEST(get(seawall, "/a").body == "made");
  BOOST_TEST(origin.count("/a") == 1U);
  gate.open();
}

BOOST_AUTO_TEST_CASE(fetches_for_nobody_take_no_more_than_their_share_of_the_origin) {
  Gate gate;
  Origin origin;
  origin.otherwise(held(gate));
  origin.on("/now", Reply{.body = "at once"});
  Seawall seawall(origin, {.server = kAdmin,
                           .origin = "limit = { in_flight = 8, background_share = \"25%\", queue_wait = \"100ms\" }\n"
                                     "fill = { concurrent = 64, cold_start = \"0s\" }",
                           .route = kAsync});
  const Admin admin(seawall);
  ask_for(seawall, 1, 10);
  BOOST_TEST(until([&] { return origin.total() == 2; }));
  // Longer than a request may wait at the origin's gate.
  BOOST_TEST(Client(seawall).is_quiet(Millis{250}));
  BOOST_TEST(origin.total() == 2U);
  BOOST_TEST(admin.metric(sample("origin_in_flight")) == 2);
  BOOST_TEST(admin.metric(sample("fills_allowed")) == 2);
  BOOST_TEST(admin.metric(sample("fills_wanted")) == 10);
  // Clients find the rest of it free.
  for (int round = 0; round < 5; ++round) BOOST_TEST(fetch(seawall, "POST", "/now", {}, "x").body == "at once");
  gate.open();
  BOOST_TEST(until([&] { return all_hit(seawall, 1, 10); }));
  BOOST_TEST(origin.count("/10") == 1U);
  BOOST_TEST(admin.metric(sample("fills_failed_total")) == 0);
}

struct Ended {
  int code;
  std::string output;
};

Ended warm(const Admin& admin, const std::vector<std::string>& arguments) {
  std::vector<std::string> all = {seawall_binary(), "warm", "--admin", "127.0.0.1:" + std::to_string(admin.port())};
  all.insert(all.end(), arguments.begin(), arguments.end());
  Process process(all);
  const int code = process.wait(2 * kLimit);
  return {code, process.output()};
}

BOOST_AUTO_TEST_CASE(warm_fills_the_cache_and_shows_how_far_it_is) {
  Origin origin;
  origin.otherwise([](Exchange& x) { x.respond(fresh(x.request().target)); });
  Seawall seawall(origin, {.workers = 2, .server = kAdmin, .origin = "fill = { cold_start = \"0s\" }"});
  const Admin admin(seawall);
  std::string urls = "# a list\n\n";
  for (int i = 1; i <= 50; ++i) urls += "http://a.test" + numbered(i) + "\r\n";
  urls += "http://a.test/1\n";
  const TemporaryDirectory directory;
  const std::string file = directory.write("urls", urls);
  const Ended first = warm(admin, {file});
  BOOST_TEST(first.code == 0, first.output);
  BOOST_TEST(contains(first.output, "100%: 51 of 51 URLs"), first.output);
  BOOST_TEST(contains(first.output, "51 URLs: 50 filled, 0 already cached, 1 duplicate, 0 failed\n"), first.output);
  BOOST_TEST(all_hit(seawall, 1, 50));
  BOOST_TEST(origin.total() == 50U);
  BOOST_TEST(!origin.seen("/1").headers.has("X-Forwarded-For"));
  const Ended again = warm(admin, {"--quiet", file});
  BOOST_TEST(again.code == 0, again.output);
  BOOST_TEST(again.output.empty(), again.output);
  BOOST_TEST(origin.total() == 50U);
}

BOOST_AUTO_TEST_CASE(warm_takes_a_list_from_its_input_and_tells_bad_lines_and_failures) {
  Origin origin;
  origin.on("/good", fresh("good"));
  origin.on("/bad", Reply{.status = 500});
  origin.on("/never", Reply{.headers = {"Cache-Control: no-store"}, .body = "x"});
  Seawall seawall(origin, {.server = kAdmin, .origin = "fill = { cold_start = \"0s\" }"});
  const Admin admin(seawall);
  const TemporaryDirectory directory;
  const std::string file =
      directory.write("urls", "http://a.test/good\nnonsense\nhttp://a.test/bad\nhttp://a.test/never\n");
  Process process({"/bin/sh", "-c", "exec \"$0\" warm --admin 127.0.0.1:\"$1\" - < \"$2\"", seawall_binary(),
                   std::to_string(admin.port()), file});
  const int code = process.wait(2 * kLimit);
  const std::string output = process.output();
  BOOST_TEST(code == 1, output);
  BOOST_TEST(contains(output, "standard input:2: a URL must be absolute"), output);
  BOOST_TEST(contains(output, "\"nonsense\""), output);
  BOOST_TEST(contains(output, "3 URLs: 1 filled, 0 already cached, 2 failed; 1 bad line\n"), output);
  BOOST_TEST(get(seawall, "/good").is_hit());
}

BOOST_AUTO_TEST_CASE(warm_tells_when_there_is_no_list_or_no_server) {
  Origin origin;
  Seawall seawall(origin, {.server = kAdmin});
  const Ended no_file = warm(Admin(seawall), {"/does/not/exist"});
  BOOST_TEST(no_file.code == 1);
  BOOST_TEST(contains(no_file.output, "cannot read /does/not/exist"), no_file.output);
  const TemporaryDirectory directory;
  Process process({seawall_binary(), "warm", "--admin", "127.0.0.1:" + std::to_string(unused_port()),
                   directory.write("urls", "http://a.test/1\n")});
  BOOST_TEST(process.wait() == 1);
  BOOST_TEST(process.output().starts_with("seawall: "), process.output());
}

BOOST_AUTO_TEST_CASE(a_list_longer_than_the_queue_is_filled_all_the_same) {
  Origin origin;
  origin.otherwise([](Exchange& x) { x.respond(fresh(x.request().target)); });
  Seawall seawall(origin, {.server = kAdmin, .origin = "fill = { cold_start = \"0s\", concurrent = 4, queue = 40 }"});
  const TemporaryDirectory directory;
  std::string urls;
  for (int i = 1; i <= 70; ++i) urls += "http://a.test" + numbered(i) + "\n";
  const Ended ended = warm(Admin(seawall), {directory.write("urls", urls)});
  BOOST_TEST(ended.code == 0, ended.output);
  BOOST_TEST(contains(ended.output, "70 URLs: 70 filled, 0 already cached, 0 failed\n"), ended.output);
  BOOST_TEST(origin.total() == 70U);
}

// The waiting fetches of an origin that a reload removes are given up: nobody waits for them, and they do not come
// back.
BOOST_AUTO_TEST_CASE(an_origin_may_go_and_come_back_while_fetches_wait) {
  Origin slow;
  Origin other;
  for (Origin* origin : {&slow, &other}) {
    origin->otherwise([](Exchange& x) { x.respond(fresh(x.request().target)); });
  }
  const auto origin_table = [](const std::string& name, const Origin& origin, const std::string& lines) {
    return "[[origin]]\nname = \"" + name + "\"\nservers = [\"http://" + origin.authority() + "\"]\n" + lines;
  };
  const std::string paced = origin_table("slow", slow, "fill = { per_second = 1, cold_start = \"0s\" }\n");
  const std::string plain = origin_table("other", other, "");
  const std::string admin = std::string(kAdminSection);
  Seawall seawall(admin + paced + plain + "[[route]]\nname = \"r\"\norigin = \"slow\"\nmiss = \"async\"\n");
  for (int i = 1; i <= 12; ++i) BOOST_TEST(get(seawall, numbered(i)).status == 503);
  BOOST_TEST(Admin(seawall).number("/v1/origins/slow", "/fills/wanted") > 5);

  const std::string with_slow = seawall.config();
  const std::string server = with_slow.substr(0, with_slow.find("[admin]"));
  seawall.write_config(server + admin + plain + "[[route]]\nname = \"r\"\norigin = \"other\"\n");
  seawall.process().signal(SIGHUP);
  BOOST_TEST(seawall.process().says("reloaded: 1 origins"));
  const Response now_other = get(seawall, "/12");
  BOOST_TEST(now_other.status == 200, now_other);
  BOOST_TEST(now_other.body == "/12", now_other);
  BOOST_TEST(until([&] { return Admin(seawall).metric("seawall_fills_in_flight") == 0; }));

  seawall.write_config(with_slow);
  seawall.process().signal(SIGHUP);
  BOOST_TEST(seawall.process().says("reloaded: 2 origins"));
  BOOST_TEST(get(seawall, "/13").status == 503);
  BOOST_TEST(until([&] { return get(seawall, "/13").status == 200; }));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::behave
