// A ServerClient that speaks HTTP/2 over real TCP, with its scripted origin in the same loop and a clock that the test
// moves.
#pragma once

#include <boost/test/unit_test.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "loopback/origin/fixture.h"
#include "support/h2_origin.h"

namespace seawall::test {

using Fields = H2Origin::Fields;

inline constexpr std::string_view kMaxStreams = "3";     // SETTINGS_MAX_CONCURRENT_STREAMS
inline constexpr std::string_view kInitialWindow = "4";  // SETTINGS_INITIAL_WINDOW_SIZE

struct H2OriginFixture {
  FdCount fds;
  ManualClock clock;
  net::Loop loop{0, clock};
  H2Origin origin{loop};
  std::optional<origin::ServerClient> client;

  H2OriginFixture() { make_client({}); }

  void make_client(origin::ServerOptions options) {
    options.addresses = {origin.address()};
    options.access.protocol = origin::Protocol::kHttp2;
    client.emplace(loop, std::move(options));
  }
  std::unique_ptr<RecordingSink> start(http::OutgoingRequest r) {
    auto sink = std::make_unique<RecordingSink>();
    sink->exchange = client->start(std::move(r), *sink);
    BOOST_TEST(!sink->is_ended());  // never inside start()
    return sink;
  }
  void await_end(const RecordingSink& sink) {
    pump_until(loop, "the end of an exchange", [&] { return sink.is_ended(); });
    settle(loop);
    BOOST_TEST(sink.calls_after_end == 0);
  }
  // A whole GET, so that the connection is there and has been good.
  void warm_up(std::size_t connection = 0) {
    const auto sink = start(request("GET"));
    auto& peer = origin.await(1, connection);
    peer.answer(last_of(peer));
    await_end(*sink);
    BOOST_REQUIRE(sink->is_complete);
  }
  static std::int32_t last_of(H2Origin::Peer& peer) { return peer.streams().rbegin()->first; }
  void advance(Millis by) {
    clock.advance(by);
    settle(loop);
  }
  void check_error(const RecordingSink& sink, ErrorCode code, Retry retry) {
    await_end(sink);
    BOOST_REQUIRE(sink.error.has_value());
    BOOST_TEST(to_string(sink.error->code) == to_string(code));
    BOOST_TEST((sink.error->side == Side::kOrigin));
    BOOST_TEST(static_cast<int>(sink.error->retry) == static_cast<int>(retry));
  }
};

}  // namespace seawall::test
