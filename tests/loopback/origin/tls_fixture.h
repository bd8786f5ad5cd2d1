// A ServerClient over TLS on real TCP, with its scripted origin in the same loop and a clock that the test moves.
#pragma once

#include <boost/test/unit_test.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "fixture.h"
#include "net/tls_client.h"
#include "support/tls_origin.h"
#include "support/tls_pair.h"

namespace seawall::test {

struct TlsOriginFixture {
  FdCount fds;
  TlsFixture pki;  // its clock is the loop's
  ManualClock& clock = pki.clock;
  net::Loop loop{0, clock};
  // Its certificate is for "localhost" and 127.0.0.1, which is also what is asked for unless a test says otherwise.
  TlsOrigin origin{loop, pki.make_server({pki.issue("server")})};
  std::optional<origin::ServerClient> client;

  TlsOriginFixture() { make_client(); }

  std::shared_ptr<const net::TlsClientContext> context(net::TlsClientOptions options = {}) const {
    if (options.ca.empty()) options.ca = pki.ca;
    auto loaded = net::TlsClientContext::load(options, clock.wall_now());
    BOOST_REQUIRE_MESSAGE(loaded.has_value(), (loaded ? "" : loaded.error()));
    return *loaded;
  }
  origin::ServerOptions options(net::TlsClientOptions tls = {}) const {
    origin::ServerOptions made;
    made.addresses = {origin.address()};
    made.access.tls = context(std::move(tls));
    made.tls_name = "localhost";
    return made;
  }
  void make_client() { make_client(options()); }
  void make_client(origin::ServerOptions made) {
    client.reset();
    client.emplace(loop, std::move(made));
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
  // A whole GET over the i-th connection, answered with `response`.
  std::unique_ptr<RecordingSink> get(std::size_t i, std::string_view response = kOk) {
    auto sink = start(request("GET"));
    auto& peer = origin.await(i, "\r\n\r\n");
    peer.take_received();
    peer.send(response);
    await_end(*sink);
    return sink;
  }
  // A GET that fails before the origin has seen anything of it.
  Error fail() {
    const auto sink = start(request("GET"));
    await_end(*sink);
    BOOST_REQUIRE(sink->error.has_value());
    return *sink->error;
  }
  void check_error(const RecordingSink& sink, ErrorCode code, Retry retry) {
    await_end(sink);
    BOOST_REQUIRE(sink.error.has_value());
    BOOST_TEST(to_string(sink.error->code) == to_string(code));
    BOOST_CHECK(sink.error->side == Side::kOrigin);
    BOOST_CHECK(sink.error->retry == retry);
  }
  void advance(Millis by) {
    clock.advance(by);
    settle(loop);
  }
};

}  // namespace seawall::test
