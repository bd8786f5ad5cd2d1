// Whom a client believes, what it calls the failures, and what it can be set up with.
#include "net/tls_client.h"

#include <openssl/ssl.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "support/tls_pair.h"

namespace seawall::net {
namespace {

using test::TestCertificate;
using test::TlsPair;

constexpr WallTime kNow = WallTime::from_unix_seconds(1'700'000'000);  // 2023-11-14

struct Fixture : test::TlsFixture {
  static std::string error_of(const TlsClientOptions& options) {
    const auto loaded = TlsClientContext::load(options, kNow);
    return loaded ? "" : loaded.error();
  }
  // The server's certificate is not checked when it is loaded: it may be bad from the start.
  Ref<const TlsServer> server_with(const TestCertificate& leaf) const {
    auto loaded = Certificate::load(folder.write("bad", leaf), WallTime::from_unix_seconds(1'590'000'000));
    BOOST_REQUIRE(loaded.has_value());
    return make_server({*loaded});
  }
};

BOOST_FIXTURE_TEST_SUITE(net_tls_client, Fixture)

BOOST_AUTO_TEST_CASE(names) {
  const auto server = make_server({issue("site", {.names = {"*.shop.example", "192.0.2.1", "2001:db8::1"}})});
  for (const TlsVersion version : {TlsVersion::kTls12, TlsVersion::kTls13}) {
    for (const auto& [host, want] : std::vector<std::pair<std::string_view, bool>>{
             {"www.shop.example", true},
             {"WWW.Shop.Example.", true},
             {"shop.example", false},
             {"a.b.shop.example", false},
             {"192.0.2.1", true},
             {"192.0.2.2", false},
             {"[2001:db8::1]", true},
             {"2001:db8:0::1", true},
             {"[2001:db8::2]", false},
         }) {
      BOOST_TEST_CONTEXT(host) {
        TlsClient client = make_client(host, {.max_version = version});
        TlsPair pair = connect(client, server);
        BOOST_TEST(pair.is_established() == want);
        if (want) continue;
        BOOST_TEST((pair.client.engine->failure() == ErrorCode::kTlsCertificateName));
        BOOST_TEST(pair.client.engine->failure_text().ends_with("mismatch"), pair.client.engine->failure_text());
        BOOST_TEST((pair.server.engine->failure() == ErrorCode::kTlsCertificateUntrusted));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(the_options_may_name_another_server) {
  const auto server = make_server({issue("site", {.names = {"shop.example"}})});
  TlsClient client = make_client("10.0.0.1", {.server_name = "shop.example"});
  TlsPair pair = connect(client, server);
  BOOST_TEST(pair.is_established());
  BOOST_TEST(pair.server.engine->server_name() == "shop.example");
}

BOOST_AUTO_TEST_CASE(addresses_are_not_asked_for_by_name) {
  const auto server = make_server({issue("site")});
  TlsClient client = make_client("127.0.0.1");
  TlsPair pair = connect(client, server);
  BOOST_TEST(pair.is_established());
  BOOST_TEST(pair.server.engine->server_name().empty());
}

BOOST_AUTO_TEST_CASE(certificates_that_are_not_believed) {
  const auto stranger = TestCertificate::authority("Stranger");
  struct Row {
    TestCertificate leaf;
    ErrorCode code;
    std::string_view text;
    std::string_view server_hears;
  };
  const Row rows[] = {
      {stranger.issue({}), ErrorCode::kTlsCertificateUntrusted, "unable to get local issuer certificate",
       "alert: unknown ca"},
      {TestCertificate::self_signed({}), ErrorCode::kTlsCertificateUntrusted, "self-signed certificate",
       "alert: unknown ca"},
      {authority.issue({.not_after = WallTime::from_unix_seconds(1'600'000'000)}), ErrorCode::kTlsCertificateExpired,
       "certificate has expired", "alert: certificate expired"},
  };
  for (const TlsVersion version : {TlsVersion::kTls12, TlsVersion::kTls13}) {
    for (const Row& row : rows) {
      BOOST_TEST_CONTEXT(row.text) {
        const auto server = server_with(row.leaf);
        TlsClient client = make_client("localhost", {.max_version = version});
        TlsPair pair = connect(client, server);
        BOOST_TEST(!pair.client.engine->is_established());
        BOOST_TEST((pair.client.engine->failure() == row.code));
        BOOST_TEST(pair.client.engine->failure_text() == row.text);
        BOOST_TEST(pair.server.engine->failure_text() == row.server_hears);
        TlsClient trusting = make_client("localhost", {.verify = false, .max_version = version});
        BOOST_TEST(connect(trusting, server).is_established());
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_certificate_may_be_trusted_by_itself) {
  const auto own = TestCertificate::self_signed({});
  const auto server = server_with(own);
  TlsClient client = make_client("localhost", {.ca = folder.write("own.pem", own.pem())});
  BOOST_TEST(connect(client, server).is_established());
  const auto leaf = authority.issue({});
  TlsClient pinned = make_client("localhost", {.ca = folder.write("leaf.pem", leaf.pem())});
  BOOST_TEST(connect(pinned, server_with(leaf)).is_established());
}

BOOST_AUTO_TEST_CASE(no_common_version) {
  const auto certificate = issue("site");
  TlsClient old = make_client("localhost", {.max_version = TlsVersion::kTls12});
  TlsPair pair = connect(old, make_server({certificate}, {.policy = TlsPolicy::kModern}));
  BOOST_TEST((pair.client.engine->failure() == ErrorCode::kTlsVersion));
  BOOST_TEST(pair.client.engine->failure_text() == "alert: protocol version");

  TlsClient modern = make_client("localhost", {.min_version = TlsVersion::kTls13});
  TlsPair other(modern.connect(), make_server({certificate})->accept());
  SSL_set_max_proto_version(other.server.engine->ssl(), TLS1_2_VERSION);
  other.pump();
  BOOST_TEST((other.client.engine->failure() == ErrorCode::kTlsVersion));
}

BOOST_AUTO_TEST_CASE(a_server_that_does_not_speak_tls) {
  TlsClient client = make_client();
  test::TlsPeer peer{.engine = client.connect(), .output = {}, .received = {}};
  peer.take({});
  BOOST_TEST(!peer.output.empty());
  peer.take("HTTP/1.1 400 Bad Request\r\n\r\n");
  BOOST_TEST((peer.status == ByteStream::Status::kFailed));
  BOOST_TEST((peer.engine->failure() == ErrorCode::kTlsFailed));
  BOOST_TEST(peer.engine->failure_text() == "wrong version number");
}

BOOST_AUTO_TEST_CASE(http2_when_it_is_offered) {
  const auto server = make_server({issue("site")});
  for (const bool offers : {true, false}) {
    TlsClient client = make_client("localhost", {}, offers);
    TlsPair pair = connect(client, server);
    BOOST_TEST(pair.client.engine->is_http2() == offers);
    BOOST_TEST(pair.server.engine->is_http2() == offers);
  }
}

BOOST_AUTO_TEST_CASE(a_session_lasts_until_a_handshake_fails) {
  const auto certificate = issue("site");
  const auto server = make_server({certificate});
  TlsClient client = make_client();
  BOOST_TEST(!connect(client, server).client.engine->is_resumed());
  BOOST_TEST(connect(client, server).client.engine->is_resumed());
  BOOST_TEST(connect(client, server).client.engine->is_resumed());
  {
    test::TlsPeer broken{.engine = client.connect(), .output = {}, .received = {}};
    broken.take({});
    broken.take({}, true);
    BOOST_TEST((broken.status == ByteStream::Status::kFailed));
  }
  BOOST_TEST(!connect(client, server).client.engine->is_resumed());
  BOOST_TEST(connect(client, server).client.engine->is_resumed());
}

BOOST_AUTO_TEST_CASE(connections_outlive_their_client) {
  const auto server = make_server({issue("site")});
  auto client = std::make_unique<TlsClient>(make_client());
  TlsPair pair(client->connect(), server->accept());
  client.reset();
  pair.pump();
  BOOST_TEST(pair.is_established());
}

BOOST_AUTO_TEST_CASE(options_that_cannot_be_used) {
  const auto files = folder.write("client", authority.issue({}));
  const std::string other = folder.write("other.key", authority.issue({}).key_pem());
  BOOST_TEST(error_of({.ca = "/nowhere"}) == "/nowhere: cannot be opened: No such file or directory");
  BOOST_TEST(error_of({.ca = files.key}) ==
             files.key + ": holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)");
  const auto old = folder.write("old", authority.issue({.not_after = kNow}));
  BOOST_TEST(error_of({.ca = ca, .certificate = old.certificate, .key = old.key}) ==
             old.certificate + ": expired on 2023-11-14 22:13:20 UTC: renew it");
  const auto early = folder.write("early", authority.issue({.not_before = kNow + Seconds{1}}));
  BOOST_TEST(error_of({.ca = ca, .certificate = early.certificate, .key = early.key}) ==
             early.certificate + ": is not valid before 2023-11-14 22:13:21 UTC: is this machine's clock right?");
  BOOST_TEST(error_of({.ca = ca, .certificate = "/nowhere"}) ==
             "/nowhere: cannot be opened: No such file or directory");
  BOOST_TEST(error_of({.ca = ca, .certificate = files.certificate, .key = other}) ==
             other + ": its key does not belong to the first certificate in " + files.certificate);
  BOOST_TEST(error_of({.ca = ca, .server_name = "a b"}) == "server_name is neither a name nor an address: a b");
  BOOST_TEST(error_of({.ca = ca, .min_version = TlsVersion::kTls13, .max_version = TlsVersion::kTls12}) ==
             "min_version is above max_version: no version of TLS is left");
  BOOST_TEST(error_of({.ca = "/nowhere", .verify = false}).empty());
}

BOOST_AUTO_TEST_CASE(the_systems_store) {
  const auto leaf = authority.issue({});
  const auto server = server_with(leaf);
  ::setenv("SSL_CERT_DIR", folder.path("none").c_str(), 1);
  ::setenv("SSL_CERT_FILE", ca.c_str(), 1);
  const auto by_file = TlsClientContext::load({}, kNow);
  ::setenv("SSL_CERT_FILE", folder.path("none").c_str(), 1);
  const std::string error = error_of({});
  folder.write("0123abcd.0", authority.pem());
  folder.write("README", "not a certificate");
  ::setenv("SSL_CERT_DIR", folder.path("").c_str(), 1);
  const auto by_folder = TlsClientContext::load({}, kNow);
  ::unsetenv("SSL_CERT_DIR");
  ::unsetenv("SSL_CERT_FILE");

  for (const auto& loaded : {by_file, by_folder}) {
    BOOST_REQUIRE_MESSAGE(loaded.has_value(), (loaded ? "" : loaded.error()));
    TlsClient client(*loaded, "localhost", false);
    BOOST_TEST(connect(client, server).is_established());
  }
  BOOST_TEST(error == folder.path("none") +
                          ": holds no certificates to check an origin's against: install ca-certificates, or name a "
                          "file with ca");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::net
