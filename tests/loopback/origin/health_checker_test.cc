// Active checks over real TCP: what is asked and when, what counts as good, and whom the result reaches.
#include "origin/health_checker.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "client_fixture.h"
#include "support/no_descriptors.h"

namespace seawall::test {
namespace {

struct HealthFixture : StateFixture {
  Rng rng{7};
  std::optional<origin::HealthChecker> checker;

  HealthFixture() {
    options.health = {
        .path = "/healthz", .interval = Millis(1000), .timeout = Millis(500), .status = 200, .rise = 1, .fall = 1};
  }

  void open(std::vector<origin::Endpoint> endpoints) {
    checker.reset();
    open_state(std::move(endpoints));
    checker.emplace(loop, state, options.health, rng);
  }
  void open_one() { open({endpoint(a.address())}); }

  template <typename Done>
  bool advance_until(Millis limit, Done done) {
    for (Millis waited{0}; waited < limit && !done(); waited += Millis(10)) advance(Millis(10));
    return done();
  }
  // The check that comes to the server's i-th connection.
  ScriptedOrigin::Peer& await_check(ScriptedOrigin& server, std::size_t i) {
    BOOST_REQUIRE(advance_until(Millis(3000), [&] { return server.connections() > i; }));
    return server.await(i, "\r\n\r\n");
  }
  void answer(ScriptedOrigin& server, std::size_t i, std::string_view response) {
    await_check(server, i).send(response);
    settle(loop);
  }
  std::string history(std::size_t server = 0) const { return snapshot().servers.at(server).history; }
  std::string sick(const std::string& reason) const { return "health " + name_of(a) + " sick: " + reason; }
  void check_told(const std::vector<std::string>& want) {
    BOOST_TEST(observer.take() == want, boost::test_tools::per_element());
  }
};

BOOST_FIXTURE_TEST_SUITE(origin_health_checker, HealthFixture)

BOOST_AUTO_TEST_CASE(asks_on_a_connection_of_its_own) {
  open_one();
  auto& first = await_check(a, 0);
  BOOST_TEST(first.received() ==
             "GET /healthz HTTP/1.1\r\nHost: shop.test\r\nUser-Agent: seawall-health-check\r\n\r\n");
  first.send(kOk);
  settle(loop);
  BOOST_TEST(history() == "H");
  BOOST_TEST(first.saw_end());
  answer(a, 1, kOk);
  BOOST_TEST(history() == "HH");
  BOOST_TEST(snapshot().requests == 0U);  // no share of the origin's places
  check_told({});
}

BOOST_AUTO_TEST_CASE(asks_for_the_host_that_is_set) {
  options.health.host = "status.test";
  open_one();
  BOOST_TEST(await_check(a, 0).received().contains("\r\nHost: status.test\r\n"));
}

BOOST_AUTO_TEST_CASE(what_counts_as_good) {
  struct Row {
    std::vector<std::string_view> pieces;
    std::string_view want;  // the reason; empty: good
    std::string_view body{};
    std::uint16_t status = 200;
  };
  constexpr std::string_view kNone = "HTTP/1.1 204 No Content\r\n\r\n";
  constexpr std::string_view kChunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::vector<Row> rows = {
      {.pieces = {kOk}, .want = ""},
      {.pieces = {"HTTP/1.1 103 Early Hints\r\n\r\n", kOk}, .want = ""},
      {.pieces = {kNone}, .want = "", .status = 204},
      {.pieces = {kNone}, .want = "status 204"},
      {.pieces = {kBusy}, .want = "status 503"},
      {.pieces = {kBusy}, .want = "", .body = "busy", .status = 503},
      {.pieces = {"HTTP/1.1 301 Moved Permanently\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"}, .want = "status 301"},
      {.pieces = {kOk}, .want = "", .body = "ok"},
      {.pieces = {kOk}, .want = "body does not match", .body = "OK"},
      {.pieces = {kNone}, .want = "body does not match", .body = "x", .status = 204},
      {.pieces = {kChunked, "4\r\n{\"st\r\n", "8\r\natus\":\"u\r\n", "2\r\np\"\r\n", "0\r\n\r\n"},
       .want = "",
       .body = "\"status\":\"up\""},
      {.pieces = {kChunked, "2\r\nup\r\n", ""}, .want = "incomplete-body", .body = "up"},
      {.pieces = {""}, .want = "closed"},
      {.pieces = {"HTTP/1.1 200 OK\r\nConte", ""}, .want = "closed"},
      {.pieces = {"what?\r\n\r\n"}, .want = "malformed-start-line"},
      {.pieces = {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"},
       .want = "unsolicited-data"},
  };
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Row& row = rows[i];
    BOOST_TEST_CONTEXT("row " << i) {
      HealthFixture f;
      f.options.health.body = row.body;
      f.options.health.status = row.status;
      f.open_one();
      auto& peer = f.await_check(f.a, 0);
      for (const std::string_view piece : row.pieces) {
        if (piece.empty()) {
          peer.close();
        } else {
          peer.send(piece);
        }
        settle(f.loop);
      }
      BOOST_TEST(f.history() == (row.want.empty() ? "H" : "-"));
      if (row.want.empty()) {
        f.check_told({});
      } else {
        f.check_told({f.sick(std::string(row.want))});
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_refused_connection_is_told_as_one) {
  const auto refusing = endpoint(refusing_address());
  open({refusing});
  advance(Millis(250));
  check_told({"health " + refusing.name + " sick: connect-refused"});
}

BOOST_AUTO_TEST_CASE(a_check_that_could_not_be_made_says_nothing) {
  open_one();
  answer(a, 0, kOk);
  {
    const NoDescriptors none;
    advance(Millis(2500));
    BOOST_TEST(a.connections() == 1U);
  }
  BOOST_TEST(history() == "H");
  check_told({});
  answer(a, 1, kOk);
  BOOST_TEST(history() == "HH");
}

BOOST_AUTO_TEST_CASE(the_timeout_is_over_the_whole_check) {
  struct Row {
    const char* name;
    std::string_view begin;
    std::string_view drop;  // every 100 ms
  };
  constexpr Row kRows[] = {
      {"silent", "", ""},
      {"dripping head", "HTTP/1.1 200 OK\r\n", "X: y\r\n"},
      {"silent after the head", kHead, ""},
      {"dripping body", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", "x"},
  };
  for (const Row& row : kRows) {
    BOOST_TEST_CONTEXT(row.name) {
      HealthFixture f;
      f.open_one();
      auto& peer = f.await_check(f.a, 0);
      peer.send(row.begin);
      for (int i = 0; i < 4; ++i) {
        f.advance(Millis(110));
        peer.send(row.drop);
      }
      settle(f.loop);
      BOOST_TEST(f.history().empty());
      f.advance(Millis(80));
      f.check_told({f.sick("timeout")});
      BOOST_TEST(peer.saw_end());
    }
  }
}

BOOST_AUTO_TEST_CASE(only_the_beginning_of_a_body_is_looked_at) {
  constexpr std::size_t kLooked = std::size_t{64} * 1024;
  options.health.body = "needle";
  for (const std::size_t at : {kLooked - 6, kLooked - 5}) {
    BOOST_TEST_CONTEXT(at) {
      HealthFixture f;
      f.options.health.body = "needle";
      f.open_one();
      auto& peer = f.await_check(f.a, 0);
      peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + std::string(at, '.') + "needle");
      settle(f.loop);
      BOOST_TEST(f.history() == (at + 6 <= kLooked ? "H" : "-"));
      BOOST_TEST(peer.saw_end());  // the rest is not waited for
    }
  }
}

BOOST_AUTO_TEST_CASE(the_first_check_comes_soon) {
  for (const Millis interval : {Millis(1000), Millis(60'000)}) {
    BOOST_TEST_CONTEXT(interval.count()) {
      HealthFixture f;
      f.options.health.interval = interval;
      f.open({endpoint(f.a.address()), endpoint(f.b.address())});
      f.advance(std::min(interval / 10, Millis(200)) + Millis(10));
      BOOST_TEST(f.a.connections() == 1U);
      BOOST_TEST(f.b.connections() == 1U);
    }
  }
}

BOOST_AUTO_TEST_CASE(checks_come_every_interval_more_or_less) {
  open_one();
  std::vector<std::int64_t> gaps;
  std::optional<MonoTime> last;
  for (std::size_t i = 0; i < 20; ++i) {
    answer(a, i, kOk);
    const MonoTime at = clock.mono_now();
    if (last) gaps.push_back((at - *last).count() / 1000);
    last = at;
  }
  const auto [least, most] = std::ranges::minmax(gaps);
  BOOST_TEST(least >= 890);
  BOOST_TEST(most <= 1120);
  BOOST_TEST(most - least > 50);
}

BOOST_AUTO_TEST_CASE(a_check_waits_for_the_last_one) {
  options.health.timeout = Millis(5000);
  open_one();
  await_check(a, 0);
  advance(Millis(3000));
  BOOST_TEST(a.connections() == 1U);
  answer(a, 0, kOk);
  advance(Millis(20));
  BOOST_TEST(a.connections() == 2U);
}

BOOST_AUTO_TEST_CASE(servers_that_come_and_go_are_followed) {
  open_one();
  answer(a, 0, kOk);
  auto draining = endpoint(b.address());
  draining.is_drain = true;
  state->set_endpoints({endpoint(a.address()), draining}, clock.mono_now());
  advance(Millis(1000));
  advance(Millis(110));
  BOOST_TEST(b.connections() == 1U);
  answer(b, 0, kBusy);
  check_told({"health " + name_of(b) + " sick: status 503"});

  auto& pending = await_check(a, 1);
  state->set_endpoints({draining}, clock.mono_now());
  pending.send(kBusy);
  settle(loop);
  check_told({});  // nobody's any more
  advance(Millis(1000));
  const std::size_t connections = a.connections();
  advance(Millis(1200));
  advance(Millis(1200));
  BOOST_TEST(a.connections() == connections);
  BOOST_TEST(b.connections() > 1U);
}

BOOST_AUTO_TEST_CASE(the_result_reaches_the_server_as_it_is_now) {
  open_one();
  auto& peer = await_check(a, 0);
  auto heavier = endpoint(a.address());
  heavier.weight = 5;
  state->set_endpoints({heavier}, clock.mono_now());
  peer.send(kBusy);
  settle(loop);
  check_told({sick("status 503")});
  BOOST_TEST(!snapshot().servers[0].is_healthy);
  BOOST_TEST(snapshot().servers[0].weight == 5U);

  // And the next check goes to where it is now.
  auto moved = heavier;
  moved.addresses = {b.address()};
  state->set_endpoints({moved}, clock.mono_now());
  await_check(b, 0).send(kOk);
  settle(loop);
  check_told({"health " + name_of(a) + " healthy"});
  BOOST_TEST(history() == "-H");
}

BOOST_AUTO_TEST_CASE(rise_and_fall_hold) {
  options.health.rise = 2;
  options.health.fall = 3;
  open_one();
  std::size_t i = 0;
  for (int bad = 0; bad < 2; ++bad) answer(a, i++, kBusy);
  check_told({});
  answer(a, i++, kBusy);
  check_told({sick("status 503")});
  BOOST_TEST(state->is_ailing());
  answer(a, i++, kOk);
  check_told({});
  answer(a, i++, kOk);
  check_told({"health " + name_of(a) + " healthy"});
  BOOST_TEST(!state->is_ailing());
  BOOST_TEST(history() == "---HH");
}

BOOST_AUTO_TEST_CASE(good_checks_close_a_breaker) {
  open_one();
  for (std::uint32_t i = 0; i < options.breaker.connect_failures; ++i) {
    const auto admission = state->begin_call(http::Traffic::kClient, clock.mono_now());
    BOOST_REQUIRE(admission.has_value());
    state->record_call(*admission, {.outcome = origin::Outcome::kConnectFailure}, 0, clock.mono_now());
  }
  check_told({"breaker [origin] open"});
  answer(a, 0, kOk);  // comes while it is open, and says nothing
  BOOST_TEST(state->is_breaker_open());
  for (std::size_t i = 1; i <= options.breaker.close_after + 1 && state->is_breaker_open(); ++i) answer(a, i, kOk);
  check_told({"breaker [origin] closed"});
}

BOOST_AUTO_TEST_CASE(without_a_path_nothing_is_asked) {
  options.health.path.clear();
  open_one();
  advance(Millis(10'000));
  BOOST_TEST(a.connections() == 0U);
  BOOST_TEST(!loop.timers().next_deadline().has_value());
}

BOOST_AUTO_TEST_CASE(options_may_change_at_any_time) {
  const origin::HealthOptions with_path = options.health;
  options.health.path.clear();
  open_one();
  checker->set_options(with_path);
  auto& silent = await_check(a, 0);

  checker->set_options(with_path);
  settle(loop);
  BOOST_TEST(!silent.saw_end());  // nothing has changed

  origin::HealthOptions other = with_path;
  other.path = "/up";
  checker->set_options(other);
  settle(loop);
  BOOST_TEST(silent.saw_end());
  BOOST_TEST(await_check(a, 1).received().starts_with("GET /up "));

  checker->set_options({});
  settle(loop);
  BOOST_TEST(a.peer(1).saw_end());
  advance(Millis(10'000));
  BOOST_TEST(a.connections() == 2U);
  BOOST_TEST(!loop.timers().next_deadline().has_value());
  BOOST_TEST(history().empty());
}

BOOST_AUTO_TEST_CASE(destroyed_in_the_midst_of_a_check) {
  struct Row {
    const char* name;
    bool is_asked = true;
    std::string_view response{};
  };
  constexpr Row kRows[] = {
      {.name = "before the first", .is_asked = false},
      {.name = "waiting for the head"},
      {.name = "in the body", .response = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234"},
      {.name = "after a check", .response = kOk},
  };
  for (const Row& row : kRows) {
    BOOST_TEST_CONTEXT(row.name) {
      HealthFixture f;
      f.open_one();
      if (row.is_asked) f.answer(f.a, 0, row.response);
      const std::string before = f.history();
      f.checker.reset();
      settle(f.loop);
      BOOST_TEST(f.history() == before);
      if (row.is_asked) BOOST_TEST(f.a.peer(0).saw_end());
      BOOST_TEST(!f.loop.timers().next_deadline().has_value());
    }
  }
}

BOOST_AUTO_TEST_CASE(destroyed_at_any_moment) {
  const auto refusing = endpoint(refusing_address());
  for (int turns = 0; turns <= 12; ++turns) {
    BOOST_TEST_CONTEXT(turns << " turns") {
      HealthFixture f;
      f.open({refusing, endpoint(f.a.address()), endpoint(f.b.address())});
      for (int i = 0; i < turns; ++i) {
        f.clock.advance(Millis(10));
        f.loop.turn(net::Loop::Wait::kPoll);
      }
      f.checker.reset();
      settle(f.loop);
      BOOST_TEST(!f.loop.timers().next_deadline().has_value());
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::test
