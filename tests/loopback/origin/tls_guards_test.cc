// What becomes of calls and health checks when an origin's servers are under TLS, and some of them cannot be believed.
#include <boost/test/unit_test.hpp>
#include <optional>
#include <string>
#include <vector>

#include "fixture.h"
#include "origin/health_checker.h"
#include "origin/origin_client.h"
#include "origin/origin_state.h"
#include "support/recording_observer.h"
#include "support/tls_origin.h"
#include "support/tls_pair.h"

namespace seawall::test {
namespace {

struct GuardsFixture {
  FdCount fds;
  TlsFixture pki;
  ManualClock& clock = pki.clock;
  net::Loop loop{0, clock};
  TlsOrigin good{loop, pki.make_server({pki.issue("good")})};
  TlsOrigin bad{loop, pki.make_server({pki.issue("bad", {.names = {"other.test"}})})};
  RecordingObserver observer;
  Rng rng{7};
  origin::OriginOptions options{.name = "shop"};
  std::shared_ptr<origin::OriginState> state;
  std::optional<origin::OriginClient> client;
  std::optional<origin::HealthChecker> checker;

  GuardsFixture() { options.access.tls = context(); }

  std::shared_ptr<const net::TlsClientContext> context() const {
    auto loaded = net::TlsClientContext::load({.ca = pki.ca}, clock.wall_now());
    BOOST_REQUIRE_MESSAGE(loaded.has_value(), (loaded ? "" : loaded.error()));
    return *loaded;
  }
  static origin::Endpoint endpoint(const TlsOrigin& server) {
    return {.name = server.address().to_string(),
            .host_header = "shop.test",
            .is_tls = true,
            .tls_name = "localhost",
            .addresses = {server.address()}};
  }
  void open(std::vector<origin::Endpoint> endpoints) {
    client.reset();
    state = std::make_shared<origin::OriginState>(options, observer, 1);
    state->set_endpoints(std::move(endpoints), clock.mono_now());
    observer.take();
    client.emplace(loop, state, options);
  }
  void reload() {
    state->set_options(options, clock.mono_now());
    client->set_options(options);
  }
  origin::OriginSnapshot snapshot() const { return state->snapshot(clock.mono_now()); }
  std::string failure_of(const TlsOrigin& server) const {
    return "failure " + server.address().to_string() + " tls-certificate-name: hostname mismatch";
  }

  std::unique_ptr<RecordingSink> start(http::OutgoingRequest r) {
    auto sink = std::make_unique<RecordingSink>();
    sink->exchange = client->start(std::move(r), *sink);
    return sink;
  }
  void await_end(const RecordingSink& sink) {
    pump_until(loop, "the end of a call", [&] { return sink.is_ended(); });
    settle(loop);
  }
  // Answers what waits at the good server's i-th connection.
  void check_answered(const RecordingSink& sink, std::size_t i) {
    auto& peer = good.await(i, "\r\n\r\n");
    peer.take_received();
    peer.send(kOk);
    await_end(sink);
    BOOST_TEST(sink.is_complete);
  }
  void check_untrusted(const RecordingSink& sink) {
    await_end(sink);
    BOOST_REQUIRE(sink.error.has_value());
    BOOST_TEST(to_string(sink.error->code) == "tls-certificate-name");
  }
  void check_told(const std::vector<std::string>& want) {
    BOOST_TEST(observer.take() == want, boost::test_tools::per_element());
  }
  // Turns of 10 ms until `done`.
  template <typename Done>
  void advance_until(std::string_view what, Done done) {
    for (int i = 0; i < 1000 && !done(); ++i) {
      clock.advance(Millis(10));
      settle(loop);
    }
    BOOST_REQUIRE_MESSAGE(done(), "never happened: " << what);
  }
};

BOOST_FIXTURE_TEST_SUITE(origin_tls_guards, GuardsFixture)

BOOST_AUTO_TEST_CASE(what_is_not_believed_is_not_asked_twice) {
  open({endpoint(bad)});
  const auto sink = start(request("GET"));
  check_untrusted(*sink);
  BOOST_TEST(bad.connections() == 1U);
  check_told({failure_of(bad)});
  BOOST_TEST(snapshot().errors[static_cast<std::size_t>(ErrorCode::kTlsCertificateName)] == 1U);
}

BOOST_AUTO_TEST_CASE(another_server_may_be_believed) {
  options.balance = origin::Balance::kRoundRobin;
  open({endpoint(bad), endpoint(good)});
  std::size_t answered = 0;
  for (int i = 0; i < 4; ++i) {
    // Also what cannot be sent twice: nothing of it has been sent.
    auto r = request(i % 2 == 0 ? "GET" : "POST");
    const auto sink = start(std::move(r));
    pump_until(loop, "a request", [&] {
      for (std::size_t c = 0; c < good.connections(); ++c) {
        if (good.peer(c).received().find("\r\n\r\n") != std::string::npos) return true;
      }
      return false;
    });
    for (std::size_t c = 0; c < good.connections(); ++c) {
      if (good.peer(c).received().empty()) continue;
      check_answered(*sink, c);
      ++answered;
      break;
    }
  }
  BOOST_TEST(answered == 4U);
  BOOST_TEST(bad.connections() > 0U);
  BOOST_TEST(snapshot().retries == bad.connections());
}

BOOST_AUTO_TEST_CASE(the_breaker_counts_it_as_a_connect_that_failed) {
  options.breaker.connect_failures = 3;
  open({endpoint(bad)});
  for (int i = 0; i < 3; ++i) check_untrusted(*start(request("GET")));
  BOOST_CHECK(snapshot().breaker == origin::Breaker::State::kOpen);
  const auto told = observer.take();
  BOOST_TEST(told.size() == 4U);
  BOOST_TEST(told.back() == "breaker [origin] open");
  const auto refused = start(request("GET"));
  await_end(*refused);
  BOOST_TEST(to_string(refused->error->code) == "breaker-open");
  BOOST_TEST(bad.connections() == 3U);
}

BOOST_AUTO_TEST_CASE(connections_are_counted) {
  open({endpoint(good)});
  check_answered(*start(request("GET")), 0);
  check_answered(*start(request("GET")), 0);
  client->close_idle();
  check_answered(*start(request("GET")), 1);
  open({endpoint(bad)});
  const origin::ServerStats fresh = snapshot().connections;
  BOOST_TEST(fresh.handshakes == 0U);
  check_untrusted(*start(request("GET")));
  BOOST_TEST(snapshot().connections.failed_handshakes == 1U);
  BOOST_TEST(snapshot().connections.connections_opened == 0U);
}

BOOST_AUTO_TEST_CASE(resumed_handshakes_are_counted) {
  open({endpoint(good)});
  check_answered(*start(request("GET")), 0);
  check_answered(*start(request("GET")), 0);
  client->close_idle();
  check_answered(*start(request("GET")), 1);
  const origin::ServerStats stats = snapshot().connections;
  BOOST_TEST(stats.connections_opened == 2U);
  BOOST_TEST(stats.connections_reused == 1U);
  BOOST_TEST(stats.handshakes == 2U);
  BOOST_TEST(stats.resumed_handshakes == 1U);
  BOOST_TEST(stats.failed_handshakes == 0U);
}

BOOST_AUTO_TEST_CASE(a_reload_that_changes_nothing_keeps_connections) {
  open({endpoint(good)});
  check_answered(*start(request("GET")), 0);
  reload();
  check_answered(*start(request("GET")), 0);
  BOOST_TEST(good.connections() == 1U);
}

BOOST_AUTO_TEST_CASE(a_reload_that_changes_tls_is_for_new_connections) {
  open({endpoint(good)});
  check_answered(*start(request("GET")), 0);
  const auto running = start(request("GET"));
  good.await(0, "\r\n\r\n");
  options.access.tls = context();
  reload();
  check_answered(*start(request("GET")), 1);
  BOOST_TEST(!good.peer(1).tls().is_resumed());
  // What had begun ends as it began.
  check_answered(*running, 0);
}

BOOST_AUTO_TEST_CASE(health_checks_are_under_tls_too) {
  options.health = {.path = "/healthz", .interval = Millis(1000), .timeout = Millis(500), .rise = 1, .fall = 1};
  open({endpoint(good), endpoint(bad)});
  checker.emplace(loop, state, options.health, rng);
  advance_until("a check", [&] { return good.connections() > 0 && !good.peer(0).received().empty(); });
  BOOST_TEST(good.peer(0).received().starts_with("GET /healthz HTTP/1.1\r\n"));
  good.peer(0).send(kOk);
  advance_until("the word of a sick server", [&] { return !snapshot().servers[1].is_healthy; });
  BOOST_TEST(snapshot().servers[0].is_healthy);
  check_told({"health " + bad.address().to_string() + " sick: tls-certificate-name: hostname mismatch"});
}

BOOST_AUTO_TEST_CASE(health_checks_resume_sessions_while_trust_is_the_same) {
  options.health = {.path = "/healthz", .interval = Millis(1000), .timeout = Millis(500), .rise = 1, .fall = 1};
  open({endpoint(good)});
  checker.emplace(loop, state, options.health, rng);
  const auto check_next = [&](std::size_t i) {
    advance_until("a check", [&] { return good.connections() > i && !good.peer(i).received().empty(); });
    const bool is_resumed = good.peer(i).tls().is_resumed();
    good.peer(i).send(kOk);
    advance_until("its end", [&] { return good.peer(i).end().has_value(); });
    return is_resumed;
  };
  BOOST_TEST(!check_next(0));
  BOOST_TEST(check_next(1));
  BOOST_TEST(check_next(2));
  options.access.tls = context();
  reload();
  BOOST_TEST(!check_next(3));
  BOOST_TEST(check_next(4));
}

BOOST_AUTO_TEST_CASE(a_health_check_has_the_checks_time_for_the_handshake) {
  options.health = {.path = "/healthz", .interval = Millis(1000), .timeout = Millis(500), .rise = 1, .fall = 1};
  good.is_deaf = true;
  open({endpoint(good)});
  checker.emplace(loop, state, options.health, rng);
  advance_until("the word of a sick server", [&] { return !snapshot().servers[0].is_healthy; });
  check_told({"health " + good.address().to_string() + " sick: timeout"});
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::test
