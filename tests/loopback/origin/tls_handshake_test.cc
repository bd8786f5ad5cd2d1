// TLS with an origin before the first byte of HTTP: which certificates are believed, by which name, what is told when
// one is not, what of ours is shown, and how sessions go on.
#include <openssl/ssl.h>

#include <boost/test/unit_test.hpp>

#include "tls_fixture.h"

namespace seawall::test {
namespace {

using net::TlsVersion;

constexpr WallTime kLongAgo = WallTime::from_unix_seconds(1'577'836'800);

// What is unlike a good certificate.
struct Row {
  std::string_view name;
  CertificateSpec certificate = {};
  bool is_self_signed = false;
  std::string tls_name = "localhost";
  net::TlsClientOptions client = {};
  net::TlsServerOptions server = {};
  // Expected; nullopt: it is believed.
  std::optional<ErrorCode> error = {};
  std::string_view reason = "";
};

const Row kRows[] = {
    {.name = "as it should be"},
    {.name = "a name without regard to case", .tls_name = "LocalHost"},
    {.name = "the address is in the certificate", .tls_name = "127.0.0.1"},
    {.name = "expired",
     .certificate = {.not_after = kLongAgo + std::chrono::hours(1)},
     .error = ErrorCode::kTlsCertificateExpired,
     .reason = "certificate has expired"},
    {.name = "not yet valid",
     .certificate = {.not_before = WallTime::from_unix_seconds(4'000'000'000)},
     .error = ErrorCode::kTlsCertificateExpired,
     .reason = "certificate is not yet valid"},
    {.name = "self-signed",
     .is_self_signed = true,
     .error = ErrorCode::kTlsCertificateUntrusted,
     .reason = "self-signed certificate"},
    {.name = "another host's",
     .certificate = {.common_name = "other.test", .names = {"other.test"}},
     .error = ErrorCode::kTlsCertificateName,
     .reason = "hostname mismatch"},
    {.name = "the common name is no name",
     .certificate = {.common_name = "localhost", .names = {"other.test"}},
     .error = ErrorCode::kTlsCertificateName,
     .reason = "hostname mismatch"},
    {.name = "the address is not in the certificate",
     .certificate = {.names = {"localhost"}},
     .tls_name = "127.0.0.1",
     .error = ErrorCode::kTlsCertificateName,
     .reason = "IP address mismatch"},
    {.name = "another name is expected by the options",
     .certificate = {.names = {"shop.internal"}},
     .client = {.server_name = "shop.internal"}},
    {.name = "another name is expected, and not there",
     .client = {.server_name = "shop.internal"},
     .error = ErrorCode::kTlsCertificateName,
     .reason = "hostname mismatch"},
    {.name = "not verified", .is_self_signed = true, .tls_name = "whatever.test", .client = {.verify = false}},
    {.name = "TLS 1.2 alone", .client = {.max_version = TlsVersion::kTls12}},
    {.name = "no version in common",
     .client = {.max_version = TlsVersion::kTls12},
     .server = {.min_version = TlsVersion::kTls13},
     .error = ErrorCode::kTlsVersion,
     .reason = "alert: protocol version"},
};

struct HandshakeFixture : TlsOriginFixture {
  void check_told(std::string_view reason) { BOOST_TEST(client->tls_failure() == reason); }
};

BOOST_FIXTURE_TEST_SUITE(origin_tls_handshake, HandshakeFixture)

BOOST_AUTO_TEST_CASE(certificates) {
  for (const Row& row : kRows) {
    BOOST_TEST_CONTEXT(row.name) {
      const auto leaf =
          row.is_self_signed ? TestCertificate::self_signed(row.certificate) : pki.authority.issue(row.certificate);
      // One that is out of date is shown all the same: a configuration that names it would be refused.
      const auto files = pki.folder.write("leaf", leaf);
      const bool is_dated = row.error == ErrorCode::kTlsCertificateExpired;
      const WallTime loaded_at = is_dated ? row.certificate.not_before + std::chrono::minutes(1) : clock.wall_now();
      auto certificate = net::Certificate::load(files, loaded_at);
      BOOST_REQUIRE_MESSAGE(certificate.has_value(), (certificate ? "" : certificate.error()));
      const std::size_t next = origin.connections();
      origin.server = pki.make_server({*certificate}, row.server);
      auto made = options(row.client);
      made.tls_name = row.tls_name;
      make_client(std::move(made));

      if (!row.error) {
        BOOST_TEST(get(next)->body == "ok");
        BOOST_TEST(client->stats().handshakes == 1U);
        BOOST_TEST(client->stats().failed_handshakes == 0U);
        check_told("");
        continue;
      }
      const Error error = fail();
      BOOST_TEST(to_string(error.code) == to_string(*row.error));
      BOOST_CHECK(error.side == Side::kOrigin);
      BOOST_CHECK(error.retry == Retry::kYes);  // not a byte of the request has left
      check_told(row.reason);
      BOOST_TEST(origin.peer(next).received().empty());
      BOOST_TEST(client->stats().handshakes == 0U);
      BOOST_TEST(client->stats().failed_handshakes == 1U);
      BOOST_TEST(client->stats().connections_opened == 0U);
    }
  }
}

BOOST_AUTO_TEST_CASE(names_are_sent_and_addresses_are_not) {
  get(0);
  BOOST_TEST(origin.peer(0).tls().server_name() == "localhost");
  auto by_address = options();
  by_address.tls_name = "127.0.0.1";
  make_client(std::move(by_address));
  get(1);
  BOOST_TEST(origin.peer(1).tls().server_name() == "");
}

BOOST_AUTO_TEST_CASE(only_http1_is_offered_where_only_http1_is_spoken) {
  get(0);
  BOOST_TEST(!origin.peer(0).tls().is_http2());
}

BOOST_AUTO_TEST_CASE(a_client_certificate_is_shown) {
  const auto files = pki.folder.write("client", pki.authority.issue({.common_name = "seawall"}));
  for (const TlsVersion version : {TlsVersion::kTls12, TlsVersion::kTls13}) {
    const std::size_t next = origin.connections();
    origin.server =
        pki.make_server({pki.issue("server")}, {.client_auth = net::ClientAuth::kRequired, .client_ca = pki.ca});
    make_client(options({.certificate = files.certificate, .key = files.key, .max_version = version}));
    BOOST_TEST(get(next)->body == "ok");
    BOOST_TEST(net::TlsServer::client_certificate(origin.peer(next).tls()).verification == "SUCCESS");
  }
}

// With TLS 1.2 it is a handshake that fails; with TLS 1.3 our side is done before the origin has seen that there is
// none.
BOOST_AUTO_TEST_CASE(a_client_certificate_that_is_missing) {
  for (const TlsVersion version : {TlsVersion::kTls12, TlsVersion::kTls13}) {
    BOOST_TEST_CONTEXT((version == TlsVersion::kTls12 ? "TLS 1.2" : "TLS 1.3")) {
      origin.server =
          pki.make_server({pki.issue("server")}, {.client_auth = net::ClientAuth::kRequired, .client_ca = pki.ca});
      make_client(options({.max_version = version}));
      const auto sink = start(request("GET"));
      check_error(*sink, ErrorCode::kTlsClientCertificate,
                  version == TlsVersion::kTls12 ? Retry::kYes : Retry::kFreshConnection);
      BOOST_TEST(client->tls_failure() ==
                 (version == TlsVersion::kTls12 ? "alert: handshake failure" : "alert: certificate required"));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_client_certificate_that_is_missing_over_http2) {
  origin.server =
      pki.make_server({pki.issue("server")}, {.client_auth = net::ClientAuth::kRequired, .client_ca = pki.ca});
  auto made = options();
  made.access.protocol = origin::Protocol::kHttp2;
  make_client(std::move(made));
  const auto sink = start(request("GET"));
  check_error(*sink, ErrorCode::kTlsClientCertificate, Retry::kFreshConnection);
  BOOST_TEST(client->tls_failure() == "alert: certificate required");
}

BOOST_AUTO_TEST_CASE(a_certificate_that_is_not_believed_over_http2) {
  auto made = options();
  made.access.protocol = origin::Protocol::kHttp2;
  made.tls_name = "other.test";
  make_client(std::move(made));
  const auto sink = start(request("POST"));
  check_error(*sink, ErrorCode::kTlsCertificateName, Retry::kYes);
  BOOST_TEST(client->tls_failure() == "hostname mismatch");
}

BOOST_AUTO_TEST_CASE(sessions_are_resumed) {
  for (const TlsVersion version : {TlsVersion::kTls12, TlsVersion::kTls13}) {
    const std::size_t next = origin.connections();
    make_client(options({.max_version = version}));
    get(next, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    BOOST_TEST(client->stats().resumed_handshakes == 0U);
    get(next + 1, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    get(next + 2);
    BOOST_TEST(client->stats().handshakes == 3U);
    BOOST_TEST(client->stats().resumed_handshakes == 2U);
    BOOST_TEST(origin.peer(next + 2).tls().is_resumed());
  }
}

// A session says that a certificate was believed, not that this one would be.
BOOST_AUTO_TEST_CASE(sessions_are_of_one_client) {
  get(0);
  auto elsewhere = options();
  elsewhere.tls_name = "other.test";
  make_client(std::move(elsewhere));
  BOOST_CHECK(fail().code == ErrorCode::kTlsCertificateName);
}

BOOST_AUTO_TEST_CASE(an_origin_that_does_not_answer) {
  origin.is_deaf = true;
  const auto sink = start(request("POST"));
  pump_until(loop, "a connection", [&] { return origin.connections() == 1; });
  advance(Millis(1990));
  BOOST_TEST(!sink->is_ended());
  advance(Millis(20));
  check_error(*sink, ErrorCode::kTlsTimeout, Retry::kYes);
  BOOST_TEST(client->stats().failed_handshakes == 1U);
  check_told("");
  BOOST_TEST(!loop.timers().next_deadline().has_value());
}

BOOST_AUTO_TEST_CASE(an_origin_that_hangs_up) {
  origin.is_deaf = true;
  const auto sink = start(request("GET"));
  pump_until(loop, "a connection", [&] { return origin.connections() == 1; });
  origin.peer(0).truncate();
  check_error(*sink, ErrorCode::kTlsFailed, Retry::kYes);
  BOOST_TEST(!client->tls_failure().empty());
}

BOOST_AUTO_TEST_CASE(an_origin_that_does_not_speak_tls) {
  ScriptedOrigin plain(loop);
  auto made = options();
  made.addresses = {plain.address()};
  make_client(std::move(made));
  const auto sink = start(request("GET"));
  pump_until(loop, "a connection", [&] { return plain.connections() == 1; });
  plain.peer(0).send("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
  check_error(*sink, ErrorCode::kTlsFailed, Retry::kYes);
  BOOST_TEST(client->tls_failure() == "wrong version number");
}

BOOST_AUTO_TEST_CASE(a_server_that_refuses_the_connection) {
  auto closed = net::Listener::bind(*net::Address::parse("127.0.0.1:0"));
  auto made = options();
  made.addresses = {(*closed)->address()};
  closed->reset();
  make_client(std::move(made));
  BOOST_CHECK(fail().code == ErrorCode::kConnectRefused);
  BOOST_TEST(client->stats().failed_handshakes == 0U);
}

BOOST_AUTO_TEST_CASE(given_up_at_any_moment) {
  for (int turns = 0; turns < 12; ++turns) {
    auto sink = start(request("GET"));
    for (int i = 0; i < turns; ++i) loop.turn(net::Loop::Wait::kPoll);
    sink->exchange.reset();
    settle(loop);
    BOOST_TEST(!sink->is_ended());
  }
  client->close_idle();
  settle(loop);
  BOOST_TEST(!loop.timers().next_deadline().has_value());
  for (std::size_t i = 0; i < origin.connections(); ++i) BOOST_TEST(origin.peer(i).end().has_value());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::test
