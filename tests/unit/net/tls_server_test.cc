// Which certificate a client is shown, what it is offered, how sessions go on, and what clients must show of
// themselves.
#include "net/tls_server.h"

#include <openssl/ssl.h>

#include <boost/test/unit_test.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "support/tls_pair.h"

namespace seawall::net {
namespace {

using test::KeyType;
using test::TestCertificate;
using test::TlsPair;
using Status = ByteStream::Status;

struct Fixture : test::TlsFixture {
  // The common name of the certificate that a client sees when it asks for `host`; "-" when it fails.
  std::string shown_for(const Ref<const TlsServer>& server, std::string_view host) const {
    TlsClient client = make_client(host, {.verify = false});
    TlsPair pair = connect(client, server);
    return pair.is_established() ? common_name(pair) : "-";
  }
  static std::string common_name(const TlsPair& pair) {
    X509* const leaf = SSL_get0_peer_certificate(pair.client.engine->ssl());
    BOOST_REQUIRE(leaf);
    const Certificate* const sent = pair.server.engine->certificate();
    BOOST_REQUIRE(sent);
    BOOST_TEST(X509_cmp(leaf, sent->leaf()) == 0);
    char name[64];
    X509_NAME_get_text_by_NID(X509_get_subject_name(leaf), NID_commonName, name, sizeof name);
    return name;
  }
  static std::string error_of(const TlsServerOptions& options, const std::vector<Ref<const Certificate>>& certificates,
                              const std::shared_ptr<TicketKeys>& keys) {
    const auto made = TlsServer::create(options, certificates, keys);
    return made ? "" : made.error();
  }
};

BOOST_FIXTURE_TEST_SUITE(net_tls_server, Fixture)

BOOST_AUTO_TEST_CASE(certificates_by_name) {
  const auto server = make_server({
      issue("default", {.common_name = "default", .names = {"default.example", "192.0.2.1"}}),
      issue("shop", {.common_name = "shop", .names = {"shop.example", "www.shop.example"}}),
      issue("wild", {.common_name = "wild", .names = {"*.shop.example", "*.cdn.example"}}),
      issue("late", {.common_name = "late", .names = {"shop.example", "late.example"}}),
  });
  for (const auto& [host, want] : std::vector<std::pair<std::string, std::string_view>>{
           {"shop.example", "shop"},
           {"SHOP.Example", "shop"},
           {"www.shop.example", "shop"},
           {"img.shop.example", "wild"},
           {"a.cdn.example", "wild"},
           {"late.example", "late"},
           {"default.example", "default"},
           {"cdn.example", "default"},
           {"a.b.cdn.example", "default"},
           {"unknown", "default"},
           {"unknown.example", "default"},
           {"192.0.2.1", "default"},
           {std::string(200, 'a') + ".cdn.example", "wild"},
       }) {
    BOOST_TEST(shown_for(server, host) == want, host);
  }
}

BOOST_AUTO_TEST_CASE(no_name_at_all) {
  const auto server = make_server({issue("one", {.common_name = "one"}), issue("two", {.names = {"two.example"}})});
  TlsClient client = make_client("127.0.0.1");
  TlsPair pair = connect(client, server);
  BOOST_REQUIRE(pair.is_established());
  BOOST_TEST(common_name(pair) == "one");
  BOOST_TEST(pair.server.engine->server_name().empty());
}

BOOST_AUTO_TEST_CASE(malformed_server_names_are_refused) {
  const auto server = make_server({issue("one")});
  TlsClient client = make_client("server.example");
  TlsPair pair(client.connect(), server->accept());
  pair.client.take({});
  const std::string hello = std::exchange(pair.client.output, {});
  const std::size_t at = hello.find("server.example");
  BOOST_REQUIRE(at != std::string::npos);
  // Before the name: the length of the list, the type, the length of the name.
  for (std::size_t back = 1; back <= 5; ++back) {
    for (const int change : {1, 2, 64, 0xff}) {
      std::string bad = hello;
      bad[at - back] = static_cast<char>(bad[at - back] ^ change);
      test::TlsPeer peer{.engine = server->accept(), .output = {}, .received = {}};
      peer.take(bad, true);
      BOOST_TEST((peer.status == Status::kFailed));
    }
  }
  std::string with_zero = hello;
  with_zero[at + 3] = '\0';
  test::TlsPeer peer{.engine = server->accept(), .output = {}, .received = {}};
  peer.take(with_zero, true);
  BOOST_TEST((peer.status == Status::kFailed));
}

BOOST_AUTO_TEST_CASE(ecdsa_and_rsa_side_by_side) {
  const auto server =
      make_server({issue("ec", {.common_name = "ec", .names = {"a.example", "b.example"}}),
                   issue("rsa", {.common_name = "rsa", .names = {"b.example", "a.example"}, .key = KeyType::kRsa})});
  for (const TlsVersion version : {TlsVersion::kTls12, TlsVersion::kTls13}) {
    for (const auto& [algorithms, want] : std::vector<std::pair<const char*, std::string_view>>{
             {"ECDSA+SHA256:RSA-PSS+SHA256", "ec"}, {"RSA-PSS+SHA256:RSA+SHA256", "rsa"}, {"ECDSA+SHA256", "ec"}}) {
      TlsClient client = make_client("a.example", {.verify = false, .max_version = version});
      TlsPair pair(client.connect(), server->accept());
      SSL_set1_sigalgs_list(pair.client.engine->ssl(), algorithms);
      pair.pump();
      BOOST_REQUIRE(pair.is_established());
      BOOST_TEST(common_name(pair) == want);
    }
  }
  TlsClient client = make_client("a.example", {.verify = false});
  TlsPair pair(client.connect(), server->accept());
  SSL_set1_sigalgs_list(pair.client.engine->ssl(), "ed25519");
  pair.pump();
  BOOST_TEST((pair.server.engine->failure() == ErrorCode::kTlsVersion));
  BOOST_TEST(pair.server.engine->failure_text() == "no suitable signature algorithm");
}

// What else they are for does not matter.
BOOST_AUTO_TEST_CASE(each_name_has_one_of_each_kind_of_key) {
  const auto server = make_server({
      issue("rsa", {.common_name = "rsa", .names = {"a.example", "b.example"}, .key = KeyType::kRsa}),
      issue("ec", {.common_name = "ec", .names = {"a.example"}}),
      issue("late", {.common_name = "late", .names = {"a.example", "c.example"}}),
      issue("wild", {.common_name = "wild", .names = {"*.example"}, .key = KeyType::kRsa}),
      issue("wild-ec", {.common_name = "wild-ec", .names = {"*.example"}}),
  });
  for (const auto& [host, algorithms, want] : std::vector<std::tuple<const char*, const char*, std::string_view>>{
           {"a.example", "ECDSA+SHA256:RSA-PSS+SHA256", "ec"},
           {"a.example", "RSA-PSS+SHA256", "rsa"},
           {"b.example", "ECDSA+SHA256:RSA-PSS+SHA256", "rsa"},
           {"c.example", "ECDSA+SHA256:RSA-PSS+SHA256", "late"},
           {"d.example", "ECDSA+SHA256:RSA-PSS+SHA256", "wild-ec"},
           {"d.example", "RSA-PSS+SHA256", "wild"},
           {"unknown", "RSA-PSS+SHA256", "rsa"},
       }) {
    BOOST_TEST_CONTEXT(host << ' ' << algorithms) {
      TlsClient client = make_client(host, {.verify = false});
      TlsPair pair(client.connect(), server->accept());
      SSL_set1_sigalgs_list(pair.client.engine->ssl(), algorithms);
      pair.pump();
      BOOST_REQUIRE(pair.is_established());
      BOOST_TEST(common_name(pair) == want);
    }
  }
}

// So do those that stand in for the first where a client names nobody.
BOOST_AUTO_TEST_CASE(the_default_has_each_kind_of_key_too) {
  const auto server = make_server({
      issue("rsa", {.common_name = "rsa", .names = {"a.example"}, .key = KeyType::kRsa}),
      issue("other", {.common_name = "other", .names = {"b.example"}}),
      issue("ec", {.common_name = "ec", .names = {"a.example", "b.example"}}),
  });
  BOOST_TEST(shown_for(server, "unknown") == "ec");
  BOOST_TEST(shown_for(server, "b.example") == "other");
}

BOOST_AUTO_TEST_CASE(edwards_keys) {
  const auto server = make_server({issue("edwards", {.key = KeyType::kEd25519})});
  for (const TlsVersion version : {TlsVersion::kTls12, TlsVersion::kTls13}) {
    TlsClient client = make_client("localhost", {.max_version = version});
    BOOST_TEST(connect(client, server).is_established());
  }
}

BOOST_AUTO_TEST_CASE(a_second_hello_is_for_the_same_site) {
  const auto server = make_server(
      {issue("one", {.common_name = "one"}), issue("two", {.common_name = "two", .names = {"two.example"}})});
  TlsClient client = make_client("two.example");
  TlsPair pair(client.connect(), server->accept());
  SSL_set1_groups_list(pair.client.engine->ssl(), "P-521:X25519");  // a key for the first, which the server refuses
  pair.pump();
  BOOST_REQUIRE(pair.is_established());
  BOOST_TEST(common_name(pair) == "two");
}

BOOST_AUTO_TEST_CASE(two_that_could_not_both_be_used) {
  BOOST_TEST(error_of({}, {issue("one"), issue("two")}, keys) ==
             folder.path("two.pem") + ": has the same names and type of key (ECDSA) as " + folder.path("one.pem") +
                 ": one of them would never be used");
}

BOOST_AUTO_TEST_CASE(the_chain_is_sent) {
  const auto intermediate = authority.issue({.common_name = "Intermediate", .names = {}, .is_authority = true});
  const auto server = make_server({load(folder.write("leaf", intermediate.issue({})))});
  TlsClient client = make_client();
  BOOST_TEST(connect(client, server).is_established());
}

BOOST_AUTO_TEST_CASE(alpn) {
  struct Row {
    std::string_view offered;
    bool http2;
    std::string_view want;
  };
  using namespace std::string_view_literals;
  const Row rows[] = {
      {"\x02h2\x08http/1.1"sv, true, "h2"},
      {"\x08http/1.1\x02h2"sv, true, "h2"},
      {"\x08http/1.1"sv, true, "http/1.1"},
      {"\x02h2\x08http/1.1"sv, false, "http/1.1"},
      {"\x08http/1.0\x08http/1.1"sv, true, "http/1.1"},
      {"\x02h2"sv, false, "-"},
      {"\x08http/1.0"sv, true, "http/1.0"},
      {"\x08http/1.0\x02h2"sv, true, "h2"},
      {"\x08http/1.0\x02h2"sv, false, "http/1.0"},
      {"\x08http/1.1\x08http/1.0"sv, false, "http/1.1"},
      {"\x08http/0.9"sv, true, "-"},
      {"\x01h"sv, true, "-"},
      {"", true, ""},
  };
  const auto certificate = issue("site");
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.offered) {
      const auto server = make_server({certificate}, {.http2 = row.http2});
      TlsClient client = make_client();
      TlsPair pair(client.connect(), server->accept());
      SSL_set_alpn_protos(pair.client.engine->ssl(), reinterpret_cast<const unsigned char*>(row.offered.data()),
                          static_cast<unsigned>(row.offered.size()));
      pair.pump();
      if (row.want == "-") {
        BOOST_TEST(pair.client.engine->failure_text() == "alert: no application protocol");
        continue;
      }
      BOOST_REQUIRE(pair.is_established());
      const unsigned char* chosen = nullptr;
      unsigned size = 0;
      SSL_get0_alpn_selected(pair.client.engine->ssl(), &chosen, &size);
      BOOST_TEST(std::string_view(reinterpret_cast<const char*>(chosen), size) == row.want);
      BOOST_TEST(pair.server.engine->is_http2() == (row.want == "h2"));
      BOOST_TEST(pair.client.engine->is_http2() == (row.want == "h2"));
    }
  }
}

BOOST_AUTO_TEST_CASE(policies_and_versions) {
  struct Row {
    TlsServerOptions server;
    TlsVersion client_max;
    const char* ciphers;  // of TLS 1.2
    bool ok;
  };
  const Row rows[] = {
      {{.policy = TlsPolicy::kModern}, TlsVersion::kTls13, nullptr, true},
      {{.policy = TlsPolicy::kModern}, TlsVersion::kTls12, nullptr, false},
      {{.policy = TlsPolicy::kModern, .min_version = TlsVersion::kTls12}, TlsVersion::kTls12, nullptr, true},
      {{}, TlsVersion::kTls12, nullptr, true},
      {{.min_version = TlsVersion::kTls13}, TlsVersion::kTls12, nullptr, false},
      {{.min_version = TlsVersion::kTls13}, TlsVersion::kTls13, nullptr, true},
      {{}, TlsVersion::kTls12, "ECDHE-RSA-AES128-SHA", false},
      {{.policy = TlsPolicy::kOld}, TlsVersion::kTls12, "ECDHE-RSA-AES128-SHA", true},
      {{}, TlsVersion::kTls12, "AES128-SHA", false},
      {{.policy = TlsPolicy::kOld}, TlsVersion::kTls12, "AES128-SHA", true},
  };
  const auto certificate = issue("rsa", {.key = KeyType::kRsa});
  for (const Row& row : rows) {
    const auto server = make_server({certificate}, row.server);
    TlsClient client = make_client("localhost", {.max_version = row.client_max});
    TlsPair pair(client.connect(), server->accept());
    if (row.ciphers) SSL_set_cipher_list(pair.client.engine->ssl(), row.ciphers);
    pair.pump();
    BOOST_TEST(pair.is_established() == row.ok);
    if (!row.ok) {
      BOOST_TEST((pair.server.engine->failure() == ErrorCode::kTlsVersion));
      BOOST_TEST(pair.server.engine->failure_text() == (row.ciphers ? "no shared cipher" : "unsupported protocol"));
    }
  }
}

BOOST_AUTO_TEST_CASE(only_the_old_policy_has_a_preference_of_its_own) {
  const auto certificate = issue("rsa", {.key = KeyType::kRsa});
  for (const TlsPolicy policy : {TlsPolicy::kIntermediate, TlsPolicy::kOld}) {
    const auto server = make_server({certificate}, {.policy = policy});
    const auto chosen = [&](const char* ciphers) {
      TlsClient client = make_client("localhost", {.max_version = TlsVersion::kTls12});
      TlsPair pair(client.connect(), server->accept());
      SSL_set_cipher_list(pair.client.engine->ssl(), ciphers);
      pair.pump();
      BOOST_REQUIRE(pair.is_established());
      return std::string(pair.server.engine->cipher());
    };
    BOOST_TEST(chosen("ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256") ==
               (policy == TlsPolicy::kOld ? "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
                                          : "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"));
    // What a client without AES in hardware puts first.
    BOOST_TEST(chosen("ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-GCM-SHA256") ==
               "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256");
  }
}

// A session does not say which certificate it began with: hosts of any that the name has are let through.
BOOST_AUTO_TEST_CASE(a_resumed_session_is_for_the_names_of_all_kinds) {
  const auto rsa = issue("rsa", {.names = {"localhost", "b.example"}, .key = KeyType::kRsa});
  const auto server = make_server({rsa, issue("ec", {.names = {"localhost"}})});
  for (const TlsVersion version : {TlsVersion::kTls12, TlsVersion::kTls13}) {
    TlsClient client = make_client("localhost", {.max_version = version});
    BOOST_TEST((connect(client, server).server.engine->certificate() != rsa.get()));
    TlsPair pair = connect(client, server);
    BOOST_TEST(pair.server.engine->is_resumed());
    BOOST_TEST((pair.server.engine->certificate() == rsa.get()));
  }
}

BOOST_AUTO_TEST_CASE(sessions_go_on_at_another_worker) {
  const auto certificate = issue("site");
  const auto one = make_server({certificate});
  const auto two = make_server({certificate});
  for (const TlsVersion version : {TlsVersion::kTls12, TlsVersion::kTls13}) {
    TlsClient client = make_client("localhost", {.max_version = version});
    BOOST_TEST(!connect(client, one).server.engine->is_resumed());
    TlsPair pair = connect(client, two);
    BOOST_TEST(pair.server.engine->is_resumed());
    BOOST_TEST(pair.client.engine->is_resumed());
    BOOST_TEST(pair.server.engine->server_name() == "localhost");
    BOOST_TEST((pair.server.engine->certificate() == certificate.get()));
  }
}

BOOST_AUTO_TEST_CASE(sessions_outlive_two_rotations) {
  const auto server = make_server({issue("site")});
  for (const TlsVersion version : {TlsVersion::kTls12, TlsVersion::kTls13}) {
    const auto is_resumed_after = [&](Seconds wait, Seconds then) {
      TlsClient client = make_client("localhost", {.max_version = version});
      connect(client, server);
      clock.advance(wait);
      connect(client, server);  // may bring a new ticket
      clock.advance(then);
      return connect(client, server).server.engine->is_resumed();
    };
    const auto once_after = [&](Seconds wait) {
      TlsClient client = make_client("localhost", {.max_version = version});
      connect(client, server);
      clock.advance(wait);
      return connect(client, server).server.engine->is_resumed();
    };
    clock.advance(Seconds{3 * 3600});
    BOOST_TEST(once_after(Seconds{3600}));
    clock.advance(Seconds{3 * 3600});
    BOOST_TEST(once_after(Seconds{3 * 3600 - 1}));
    clock.advance(Seconds{3 * 3600});
    BOOST_TEST(!once_after(Seconds{3 * 3600}));
    clock.advance(Seconds{3 * 3600});
    BOOST_TEST(is_resumed_after(Seconds{2 * 3600}, Seconds{2 * 3600}));
  }
}

BOOST_AUTO_TEST_CASE(sessions_of_other_keys_are_not_taken) {
  const auto certificate = issue("site");
  const auto one = make_server({certificate});
  keys = std::make_shared<TicketKeys>(clock, Seconds{3600});
  const auto other = make_server({certificate});
  TlsClient client = make_client();
  connect(client, one);
  TlsPair pair = connect(client, other);
  BOOST_TEST(pair.is_established());
  BOOST_TEST(!pair.server.engine->is_resumed());
}

BOOST_AUTO_TEST_CASE(sessions_are_one_sites) {
  const auto server = make_server({issue("one", {.names = {"one.example"}}), issue("two", {.names = {"two.example"}}),
                                   issue("wild", {.names = {"a.example", "*.example"}})});
  for (const TlsVersion version : {TlsVersion::kTls12, TlsVersion::kTls13}) {
    for (const auto& [first, then, want] : std::vector<std::tuple<const char*, const char*, bool>>{
             {"one.example", "two.example", false}, {"two.example", "two.example", true}, {"two.example", "", false}}) {
      TlsClient client = make_client(first, {.verify = false, .max_version = version});
      connect(client, server);
      TlsPair pair(client.connect(), server->accept());
      SSL_ctrl(pair.client.engine->ssl(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
               *then ? const_cast<char*>(then) : nullptr);
      pair.pump();
      BOOST_REQUIRE(pair.is_established());
      BOOST_TEST(pair.server.engine->is_resumed() == want);
      BOOST_TEST(pair.server.engine->certificate()->covers(*then ? then : "one.example"));
    }
  }
}

BOOST_AUTO_TEST_CASE(without_tickets_nothing_goes_on) {
  const auto server = make_server({issue("site")}, {.session_tickets = false});
  for (const TlsVersion version : {TlsVersion::kTls12, TlsVersion::kTls13}) {
    TlsClient client = make_client("localhost", {.max_version = version});
    connect(client, server);
    TlsPair pair = connect(client, server);
    BOOST_TEST(pair.is_established());
    BOOST_TEST(!pair.server.engine->is_resumed());
  }
}

BOOST_AUTO_TEST_CASE(connections_outlive_their_server) {
  auto server = make_server({issue("site")});
  TlsClient client = make_client();
  TlsPair early(client.connect(), server->accept());
  TlsPair late = connect(client, server);
  server = nullptr;
  early.pump();
  BOOST_TEST(early.is_established());
  BOOST_TEST(late.server.engine->certificate()->covers("localhost"));
  late.server.send("answer");
  late.pump();
  BOOST_TEST(late.client.received == "answer");
}

struct ClientFixture : Fixture {
  Ref<const Certificate> certificate = issue("site");
  TestCertificate users = TestCertificate::authority("Users");
  TestCertificate user = users.issue({.common_name = "Ann, of Users", .names = {}});
  std::string users_ca = folder.write("users.pem", users.pem());
  CertificateFiles shown = folder.write("user", user);
  CertificateFiles stranger = folder.write("stranger", authority.issue({.common_name = "Stranger", .names = {}}));
  CertificateFiles expired = folder.write(
      "expired",
      users.issue({.common_name = "Bob", .names = {}, .not_after = WallTime::from_unix_seconds(1'600'000'000)}));

  Ref<const TlsServer> server_with(ClientAuth auth) const {
    return make_server({certificate}, {.client_auth = auth, .client_ca = users_ca});
  }
  TlsClient client_with(const CertificateFiles& files, TlsVersion version = TlsVersion::kTls13) const {
    return make_client("localhost", {.certificate = files.certificate, .key = files.key, .max_version = version});
  }
};

BOOST_FIXTURE_TEST_CASE(clients_are_not_asked, ClientFixture) {
  const auto server = make_server({certificate});
  TlsClient client = client_with(shown);
  TlsPair pair = connect(client, server);
  BOOST_REQUIRE(pair.is_established());
  BOOST_TEST(TlsServer::client_certificate(*pair.server.engine).verification == "NONE");
}

BOOST_FIXTURE_TEST_CASE(clients_may_show_a_certificate, ClientFixture) {
  const auto server = server_with(ClientAuth::kOptional);
  for (const TlsVersion version : {TlsVersion::kTls12, TlsVersion::kTls13}) {
    for (const auto& [files, want] : std::vector<std::pair<CertificateFiles, std::string_view>>{
             {{}, "NONE"},
             {shown, "SUCCESS"},
             {stranger, "FAILED:unable to get local issuer certificate"},
             {expired, "FAILED:certificate has expired"}}) {
      TlsClient client = client_with(files, version);
      for (const bool is_resumed : {false, true}) {
        TlsPair pair = connect(client, server);
        BOOST_REQUIRE(pair.is_established());
        BOOST_TEST(pair.server.engine->is_resumed() == is_resumed);
        BOOST_TEST(TlsServer::client_certificate(*pair.server.engine).verification == want);
      }
    }
  }
}

BOOST_FIXTURE_TEST_CASE(what_is_told_of_a_client, ClientFixture) {
  const auto server = server_with(ClientAuth::kRequired);
  TlsClient client = client_with(shown);
  TlsPair pair = connect(client, server);
  BOOST_REQUIRE(pair.is_established());
  const ClientCertificate told = TlsServer::client_certificate(*pair.server.engine);
  BOOST_TEST(told.verification == "SUCCESS");
  BOOST_TEST(told.subject == "CN=Ann\\, of Users");
  BOOST_TEST(told.fingerprint == user.fingerprint());
  const auto* der = reinterpret_cast<const unsigned char*>(told.der.data());
  const X509Ptr read{d2i_X509(nullptr, &der, static_cast<long>(told.der.size()))};
  BOOST_REQUIRE(read);
  BOOST_TEST(X509_cmp(read.get(), user.certificate()) == 0);
}

BOOST_FIXTURE_TEST_CASE(clients_must_show_a_certificate, ClientFixture) {
  const auto server = server_with(ClientAuth::kRequired);
  struct Row {
    CertificateFiles files;
    std::string_view server_says;
    std::string_view client_hears_12;
    std::string_view client_hears_13;
  };
  const Row rows[] = {
      {{}, "the client has no certificate", "alert: handshake failure", "alert: certificate required"},
      {stranger, "unable to get local issuer certificate", "alert: unknown ca", "alert: unknown ca"},
      {expired, "certificate has expired", "alert: certificate expired", "alert: certificate expired"},
  };
  for (const TlsVersion version : {TlsVersion::kTls12, TlsVersion::kTls13}) {
    for (const Row& row : rows) {
      TlsClient client = client_with(row.files, version);
      TlsPair pair = connect(client, server);
      BOOST_TEST(!pair.server.engine->is_established());
      BOOST_TEST(pair.server.engine->failure_text() == row.server_says);
      BOOST_TEST((pair.server.engine->failure() == ErrorCode::kTlsClientCertificate));
      BOOST_TEST(pair.client.engine->failure_text() ==
                 (version == TlsVersion::kTls12 ? row.client_hears_12 : row.client_hears_13));
      BOOST_TEST((pair.client.engine->failure() == ErrorCode::kTlsClientCertificate));
    }
    TlsClient client = client_with(shown, version);
    BOOST_TEST(connect(client, server).is_established());
    BOOST_TEST(connect(client, server).server.engine->is_resumed());
  }
}

BOOST_FIXTURE_TEST_CASE(sessions_begun_when_nothing_was_asked_do_not_go_on, ClientFixture) {
  for (const TlsVersion version : {TlsVersion::kTls12, TlsVersion::kTls13}) {
    TlsClient client = client_with({}, version);
    connect(client, make_server({certificate}));
    TlsPair pair = connect(client, server_with(ClientAuth::kRequired));
    BOOST_TEST(!pair.server.engine->is_established());

    TlsClient other = client_with(stranger, version);
    connect(other, server_with(ClientAuth::kOptional));
    TlsPair later = connect(other, server_with(ClientAuth::kRequired));
    BOOST_TEST(!later.server.engine->is_established());
  }
}

BOOST_FIXTURE_TEST_CASE(client_authorities_that_cannot_be_read, ClientFixture) {
  BOOST_TEST(error_of({.client_auth = ClientAuth::kOptional, .client_ca = "/nowhere"}, {certificate}, keys) ==
             "/nowhere: cannot be opened: No such file or directory");
  BOOST_TEST(error_of({.client_auth = ClientAuth::kRequired, .client_ca = shown.key}, {certificate}, keys) ==
             shown.key + ": holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)");
}

BOOST_AUTO_TEST_CASE(an_ocsp_response_is_stapled_as_long_as_it_is_good) {
  const auto leaf = authority.issue({});
  CertificateFiles files = folder.write("leaf", leaf);
  files.ocsp = folder.write("leaf.ocsp", authority.ocsp_response(leaf, clock.wall_now() + Seconds{10}));
  const auto server = make_server({load(files)});
  const auto is_stapled = [&] {
    TlsClient client = make_client();
    TlsPair pair(client.connect(), server->accept());
    SSL_set_tlsext_status_type(pair.client.engine->ssl(), TLSEXT_STATUSTYPE_ocsp);
    pair.pump();
    BOOST_REQUIRE(pair.is_established());
    const unsigned char* stapled = nullptr;
    return SSL_get_tlsext_status_ocsp_resp(pair.client.engine->ssl(), &stapled) > 0;
  };
  clock.advance(Millis{9'999});
  BOOST_TEST(is_stapled());
  clock.advance(Millis{1});
  BOOST_TEST(!is_stapled());
}

BOOST_AUTO_TEST_CASE(an_ocsp_response_is_stapled) {
  const auto leaf = authority.issue({});
  CertificateFiles files = folder.write("leaf", leaf);
  const std::string response = authority.ocsp_response(leaf);
  files.ocsp = folder.write("leaf.ocsp", response);
  const auto server = make_server({load(files), issue("plain", {.names = {"plain.example"}})});
  for (const TlsVersion version : {TlsVersion::kTls12, TlsVersion::kTls13}) {
    for (const auto& [host, want] :
         std::vector<std::pair<std::string_view, std::string_view>>{{"localhost", response}, {"plain.example", ""}}) {
      TlsClient client = make_client(host, {.max_version = version});
      TlsPair pair(client.connect(), server->accept());
      SSL_set_tlsext_status_type(pair.client.engine->ssl(), TLSEXT_STATUSTYPE_ocsp);
      pair.pump();
      BOOST_REQUIRE(pair.is_established());
      const unsigned char* stapled = nullptr;
      const long size = SSL_get_tlsext_status_ocsp_resp(pair.client.engine->ssl(), &stapled);
      const std::string_view got(reinterpret_cast<const char*>(stapled), size > 0 ? static_cast<std::size_t>(size) : 0);
      BOOST_TEST((got == want));
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::net
