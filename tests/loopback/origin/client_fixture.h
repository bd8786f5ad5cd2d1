// An OriginClient over real TCP, with two scripted servers in the same loop and a clock that the test moves.
#pragma once

#include <boost/test/unit_test.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fixture.h"
#include "origin/origin_client.h"
#include "origin/origin_state.h"
#include "support/recording_observer.h"

namespace seawall::test {

// A port that was just free, and refuses.
inline net::Address refusing_address() {
  auto closed = net::Listener::bind(*net::Address::parse("127.0.0.1:0"));
  BOOST_REQUIRE(closed.has_value());
  return (*closed)->address();
}

inline constexpr std::string_view kBusy = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy";
inline constexpr std::string_view kHead = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n";

inline origin::Endpoint endpoint(const net::Address& address) {
  return {.name = address.to_string(), .host_header = "shop.test", .addresses = {address}};
}

// What all workers share of an origin with two servers, and what is told of it.
struct StateFixture {
  FdCount fds;
  ManualClock clock;
  net::Loop loop{0, clock};
  ScriptedOrigin a{loop};
  ScriptedOrigin b{loop};
  RecordingObserver observer;
  origin::OriginOptions options{.name = "shop"};
  std::shared_ptr<origin::OriginState> state;

  // Anew, by `options`.
  void open_state(std::vector<origin::Endpoint> endpoints) {
    state = std::make_shared<origin::OriginState>(options, observer, 1);
    state->set_endpoints(std::move(endpoints), clock.mono_now());
    observer.take();
  }
  origin::OriginSnapshot snapshot() const { return state->snapshot(clock.mono_now()); }
  std::string name_of(const ScriptedOrigin& server) const { return server.address().to_string(); }
  void advance(Millis by) {
    clock.advance(by);
    settle(loop);
  }
};

struct ClientFixture : StateFixture {
  std::optional<origin::OriginClient> client;

  ClientFixture() { open_both(); }

  void open(std::vector<origin::Endpoint> endpoints) {
    client.reset();
    open_state(std::move(endpoints));
    client.emplace(loop, state, options);
  }
  void open_both() { open({endpoint(a.address()), endpoint(b.address())}); }
  void open_one() { open({endpoint(a.address())}); }

  std::unique_ptr<RecordingSink> start(http::OutgoingRequest r) {
    auto sink = std::make_unique<RecordingSink>();
    sink->exchange = client->start(std::move(r), *sink);
    BOOST_TEST(!sink->is_ended());  // never inside start()
    return sink;
  }
  std::unique_ptr<RecordingSink> get(std::uint64_t hash = 0) {
    auto r = request("GET");
    r.hash = hash;
    return start(std::move(r));
  }
  void await_end(const RecordingSink& sink) {
    pump_until(loop, "the end of a call", [&] { return sink.is_ended(); });
    settle(loop);
    BOOST_TEST(sink.calls_after_end == 0);
  }
  void check_complete(const RecordingSink& sink, std::uint16_t status = 200) {
    await_end(sink);
    BOOST_REQUIRE(sink.is_complete);
    BOOST_TEST(sink.head->status == status);
  }
  void check_error(const RecordingSink& sink, ErrorCode code, Side side) {
    await_end(sink);
    BOOST_REQUIRE(sink.error.has_value());
    BOOST_TEST(to_string(sink.error->code) == to_string(code));
    BOOST_CHECK(sink.error->side == side);
  }
  // Answers the request that waits at a server's i-th connection.
  void answer(ScriptedOrigin& server, std::size_t i, std::string_view response) {
    auto& peer = server.await(i, "\r\n\r\n");
    peer.take_received();
    peer.send(response);
    settle(loop);
  }
  // The server that has a request waiting, and the connection's number.
  std::pair<ScriptedOrigin*, std::size_t> await_request() {
    std::pair<ScriptedOrigin*, std::size_t> found{nullptr, 0};
    pump_until(loop, "a request", [&] {
      for (ScriptedOrigin* server : {&a, &b}) {
        for (std::size_t i = 0; i < server->connections(); ++i) {
          if (!server->peer(i).received().empty() && !server->peer(i).saw_end()) found = {server, i};
        }
      }
      return found.first != nullptr;
    });
    return found;
  }
  void answer_next(std::string_view response) {
    const auto [server, i] = await_request();
    answer(*server, i, response);
  }
  bool has_request(const ScriptedOrigin& server) {
    settle(loop);
    return server.connections() > 0;
  }

  // Nothing is held any more, not even a timer.
  void check_free() {
    settle(loop);
    const auto now = snapshot();
    BOOST_TEST(now.in_flight == 0U);
    BOOST_TEST(now.queued == 0U);
    for (const auto& server : now.servers) BOOST_TEST(server.in_flight == 0U, server.name);
    client->close_idle();
    settle(loop);
    BOOST_TEST(!loop.timers().next_deadline().has_value());
  }
};

}  // namespace seawall::test
