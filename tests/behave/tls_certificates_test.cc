// Which certificate a client is shown, what becomes of those that change on disk, and certificates of clients.
#include <signal.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>

#include "support/behave/admin.h"
#include "support/behave/client.h"
#include "support/behave/programs.h"
#include "support/behave/seawall.h"
#include "support/behave/site.h"

namespace seawall::behave {
namespace {

std::vector<std::string> tls_only() {
  return {"127.0.0.1:0 tls"};
}

std::string list(const std::vector<std::string>& certificates) {
  std::string out = "certificates = [";
  for (const std::string& certificate : certificates) out += "\"" + certificate + "\", ";
  return out + "]\n";
}

std::string shown_to_new_clients(const Seawall& seawall, const std::string& server_name = "a.test") {
  return Client(seawall, {.tls = TlsOptions{.server_name = server_name}}).tls().fingerprint();
}

BOOST_AUTO_TEST_SUITE(behave_tls_certificates)

BOOST_AUTO_TEST_CASE(the_name_that_the_client_asks_for_chooses) {
  Origin origin;
  const Site site;
  Seawall seawall(origin, {.listen = tls_only(),
                           .tls = list({site.add("default.pem", certificate_for({"default.test"})),
                                        site.add("a.pem", certificate_for({"a.test", "www.a.test"})),
                                        site.add("wild.pem", certificate_for({"*.b.test"})),
                                        site.add("exact.pem", certificate_for({"exact.b.test"})),
                                        site.add("deep.pem", certificate_for({"*.c.b.test"}))})});
  struct Row {
    const char* asked;
    const char* shown;
  };
  for (const Row& row : {Row{"a.test", "a.test"},
                         {"www.a.test", "a.test"},
                         {"A.Test", "a.test"},
                         {"x.b.test", "*.b.test"},
                         {"X.B.TEST", "*.b.test"},
                         {"exact.b.test", "exact.b.test"},
                         {"x.c.b.test", "*.c.b.test"},
                         {"x.y.b.test", "default.test"},
                         {"b.test", "default.test"},
                         {"other.test", "default.test"},
                         {"", "default.test"}}) {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      const TlsOptions options{.server_name = row.asked, .min_version = version, .max_version = version};
      BOOST_TEST(Client(seawall, {.tls = options}).tls().common_name() == row.shown, row.asked);
    }
  }
}

BOOST_AUTO_TEST_CASE(each_client_gets_the_kind_of_key_that_it_knows) {
  Origin origin;
  const Site site;
  const std::string ec = site.add("ec.pem", certificate_for({"a.test"}));
  const std::string rsa = site.add("rsa.pem", certificate_for({"a.test"}, KeyType::kRsa));
  const std::string other = site.add("other.pem", certificate_for({"other.test"}, KeyType::kRsa));
  for (const std::vector<std::string>& certificates :
       {std::vector<std::string>{ec, rsa, other}, {rsa, ec, other}, {other, rsa, ec}}) {
    Seawall seawall(origin, {.listen = tls_only(), .tls = list(certificates)});
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      TlsOptions options = site.client();
      options.min_version = options.max_version = version;
      const auto shown = [&](const char* signatures) {
        options.signatures = signatures;
        Client client(seawall, {.tls = options});
        return client.tls().common_name() + ' ' + client.tls().key_type();
      };
      BOOST_TEST(shown("ECDSA+SHA256:RSA-PSS+SHA256:RSA+SHA256") == "a.test EC");
      BOOST_TEST(shown("RSA-PSS+SHA256:RSA+SHA256") == "a.test RSA");
      BOOST_TEST(shown("ECDSA+SHA256:RSA+SHA256") == "a.test EC");
    }
  }
}

BOOST_AUTO_TEST_CASE(key_and_chain_and_staple_come_from_files_of_their_own) {
  Origin origin;
  const Site site;
  const std::string key = site.directory.write("a.key", site.certificate.key_pem());
  const std::string chain = site.directory.write("a.crt", site.certificate.pem() + site.authority.pem());
  const std::string ocsp = site.directory.write("a.ocsp", site.authority.ocsp_response(site.certificate));
  Seawall seawall(origin, {.listen = tls_only(), .tls = list({chain + " key=" + key + " ocsp=" + ocsp})});
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsOptions options = site.client();
    options.min_version = options.max_version = version;
    options.asks_for_staple = true;
    Client client(seawall, {.tls = options});
    BOOST_TEST(client.tls().fingerprint() == site.certificate.fingerprint());
    BOOST_TEST(client.tls().chain_length() == 2U);
    BOOST_TEST((client.tls().staple() == site.directory.read("a.ocsp")));
    options.asks_for_staple = false;
    BOOST_TEST(Client(seawall, {.tls = options}).tls().staple() == "");
  }
  const Outcome outcome = run(
      {"openssl", "s_client", "-connect", seawall.address(), "-servername", "a.test", "-status", "-CAfile", site.ca});
  BOOST_TEST(contains(outcome.output, "OCSP Response Status: successful"), outcome.output);
  BOOST_TEST(contains(outcome.output, "Cert Status: good"), outcome.output);
}

class Reloading {
 public:
  Origin origin;
  const Site site;
  Seawall seawall{origin, {.listen = tls_only(), .admin = true, .workers = 2, .tls = site.certificates()}};
  const TestCertificate renewed = site.authority.issue(certificate_for({"a.test"}));

  Reloading() { origin.on("/a", Reply{.headers = {"Cache-Control: max-age=60"}, .body = "a"}); }
};

BOOST_FIXTURE_TEST_CASE(sighup_reads_certificates_again_and_leaves_connections_alone, Reloading) {
  Client open(seawall, {.tls = site.client()});
  BOOST_TEST(open.get("/a").body == "a");
  BOOST_TEST(open.tls().fingerprint() == site.certificate.fingerprint());
  site.directory.write("site.pem", pem_with_key(renewed));
  seawall.process().signal(SIGHUP);
  BOOST_TEST(until([&] { return shown_to_new_clients(seawall) == renewed.fingerprint(); }));
  for (int i = 0; i < 8; ++i) BOOST_TEST(shown_to_new_clients(seawall) == renewed.fingerprint());
  BOOST_TEST(open.get("/a").is_hit());
}

BOOST_FIXTURE_TEST_CASE(a_file_that_changes_is_read_again_without_being_told, Reloading) {
  Client open(seawall, {.tls = site.client()});
  BOOST_TEST(open.get("/a").body == "a");
  // As certbot does it.
  site.directory.write("next.pem", pem_with_key(renewed));
  std::filesystem::rename(site.directory.path() + "/next.pem", site.pem);
  BOOST_TEST(until([&] { return shown_to_new_clients(seawall) == renewed.fingerprint(); }), seawall.process().output());
  BOOST_TEST(open.get("/a").is_hit());
  // As an editor does it.
  const TestCertificate third = site.authority.issue(certificate_for({"a.test"}));
  site.directory.write("site.pem", pem_with_key(third));
  BOOST_TEST(until([&] { return shown_to_new_clients(seawall) == third.fingerprint(); }), seawall.process().output());
  BOOST_TEST(open.get("/a").is_hit());
}

BOOST_FIXTURE_TEST_CASE(a_bad_new_file_changes_nothing_and_is_said, Reloading) {
  Client open(seawall, {.tls = site.client()});
  BOOST_TEST(open.get("/a").body == "a");
  site.directory.write("site.pem", "this is no certificate\n");
  BOOST_TEST(seawall.process().says("site.pem"), seawall.process().output());
  BOOST_TEST(shown_to_new_clients(seawall) == site.certificate.fingerprint());
  seawall.process().signal(SIGHUP);
  BOOST_TEST(shown_to_new_clients(seawall) == site.certificate.fingerprint());
  BOOST_TEST(open.get("/a").is_hit());
  // The next good one is taken.
  site.directory.write("site.pem", pem_with_key(renewed));
  BOOST_TEST(until([&] { return shown_to_new_clients(seawall) == renewed.fingerprint(); }), seawall.process().output());
}

// A response that is out of date keeps back neither handshakes nor certificates that are renewed.
BOOST_AUTO_TEST_CASE(a_staple_that_is_out_of_date_is_left_out_until_its_file_changes) {
  Origin origin;
  const Site site;
  const std::string other = site.add("b.pem", certificate_for({"b.test"}));
  const auto good = site.authority.ocsp_response(site.certificate);
  const std::string ocsp = site.directory.write("a.ocsp", good);
  Seawall seawall(origin, {.listen = tls_only(), .tls = list({site.pem + " ocsp=" + ocsp, other})});
  const auto stapled = [&] {
    TlsOptions options = site.client();
    options.asks_for_staple = true;
    return Client(seawall, {.tls = options}).tls().staple();
  };
  BOOST_TEST((stapled() == good));
  const WallTime past = WallTime::from_unix_seconds(1'600'000'000);
  site.directory.write("a.ocsp", site.authority.ocsp_response(site.certificate, past));
  BOOST_TEST(until([&] { return stapled().empty(); }), seawall.process().output());
  BOOST_TEST(seawall.process().says("a.ocsp: the OCSP response is out of date"), seawall.process().output());
  const TestCertificate renewed = site.authority.issue(certificate_for({"b.test"}));
  site.directory.write("b.pem", pem_with_key(renewed));
  BOOST_TEST(until([&] { return shown_to_new_clients(seawall, "b.test") == renewed.fingerprint(); }),
             seawall.process().output());
  site.directory.write("a.ocsp", good);
  BOOST_TEST(until([&] { return stapled() == good; }), seawall.process().output());
}

// Nor a start or a reload; `check` says it.
BOOST_AUTO_TEST_CASE(a_staple_that_is_out_of_date_at_the_start_is_left_out_and_said_once) {
  constexpr std::string_view kSaid = "a.ocsp: the OCSP response is out of date";
  Origin origin;
  const Site site;
  const WallTime past = WallTime::from_unix_seconds(1'600'000'000);
  const std::string ocsp = site.directory.write("a.ocsp", site.authority.ocsp_response(site.certificate, past));
  Seawall seawall(origin, {.listen = tls_only(), .tls = list({site.pem + " ocsp=" + ocsp})});
  const auto stapled = [&] {
    TlsOptions options = site.client();
    options.asks_for_staple = true;
    return Client(seawall, {.tls = options}).tls().staple();
  };
  const auto times_said = [&] {
    const std::string output = seawall.process().output();
    std::size_t times = 0;
    for (std::size_t at = 0; (at = output.find(kSaid, at)) != std::string::npos; ++at) ++times;
    return times;
  };
  BOOST_TEST(stapled().empty());
  BOOST_TEST(until([&] { return times_said() == 1; }), seawall.process().output());
  const Outcome checked = run({seawall_binary(), "check", "-c", seawall.directory().path() + "/seawall.toml"});
  BOOST_TEST(checked.code == 0, checked.output);
  BOOST_TEST(contains(checked.output, "warning: " + ocsp + ": the OCSP response is out of date"), checked.output);
  seawall.process().signal(SIGHUP);
  BOOST_TEST(seawall.process().says("reloaded: "), seawall.process().output());
  BOOST_TEST(until([&] { return times_said() == 2; }), seawall.process().output());
  BOOST_TEST(stapled().empty());
  // What is no response, or another's, is a mistake all the same.
  for (const std::string& bad : {std::string("garbage"), site.authority.ocsp_response(site.authority)}) {
    site.directory.write("a.ocsp", bad);
    BOOST_TEST(run({seawall_binary(), "check", "-c", seawall.directory().path() + "/seawall.toml"}).code == 1);
  }
  const auto good = site.authority.ocsp_response(site.certificate);
  site.directory.write("a.ocsp", good);
  BOOST_TEST(until([&] { return stapled() == good; }), seawall.process().output());
  BOOST_TEST(times_said() == 2U, seawall.process().output());
}

// What the origin is told of a client's certificate. RFC 9440 for the certificate itself.
constexpr const char* kVerify = "X-SSL-Client-Verify";
constexpr const char* kSubject = "X-SSL-Client-S-DN";
constexpr const char* kFingerprint = "X-SSL-Client-Fingerprint";
constexpr const char* kCertificate = "Client-Cert";

class ClientCertificates {
 public:
  Origin origin;
  const Site site;
  const std::string known = site.add("known.pem", certificate_for({"known client"}));
  const TestCertificate elsewhere = TestCertificate::authority("Other CA");
  const std::string stranger =
      site.directory.write("stranger.pem", pem_with_key(elsewhere.issue(certificate_for({"stranger"}))));
  const std::string expired = site.add("expired.pem", expired_spec());

  static CertificateSpec expired_spec() {
    CertificateSpec spec = certificate_for({"late client"});
    spec.not_after = WallTime::from_unix_seconds(1'600'000'000);
    return spec;
  }

  ClientCertificates() { origin.on("/a", Reply{.headers = {"Cache-Control: no-store"}, .body = "a"}); }

  SeawallOptions options(const std::string& mode) const {
    const std::string ca = mode == "off" ? "" : "client_ca = \"" + site.ca + "\"\n";
    return {.listen = {"127.0.0.1:0 tls plain"},
            .admin = true,
            .tls = site.certificates() + "client_auth = \"" + mode + "\"\n" + ca};
  }
  // The answer to a client with that certificate; status 0 when it did not come to one.
  static Response ask(const Seawall& seawall, const std::string& certificate, const Lines& lines = {},
                      int version = TLS1_3_VERSION) {
    Socket socket = Socket::connect(seawall.address());
    const TlsOptions tls{.min_version = version, .max_version = version, .certificate = certificate};
    if (!socket.start_tls(tls)) return {};
    socket.close();
    try {
      return Client(seawall, {.tls = tls}).get("/a", lines);
    } catch (const Failure&) {
      return {};
    }
  }
  Fields told() const { return origin.seen("/a").headers; }
};

// '_' too, which many a server behind takes for '-'.
const Lines kForged = {"X-SSL-Client-Verify: SUCCESS", "X-SSL-Client-S-DN: CN=admin", "x_ssl_client_fingerprint: 00",
                       "Client-Cert: :AAAA:", "Client-Cert-Chain: :AAAA:"};

BOOST_FIXTURE_TEST_CASE(clients_that_are_not_asked_show_nothing, ClientCertificates) {
  Seawall seawall(origin, options("off"));
  BOOST_TEST(ask(seawall, known).status == 200);
  for (const char* name : {kVerify, kSubject, kFingerprint, kCertificate}) BOOST_TEST(!told().has(name), name);
}

BOOST_FIXTURE_TEST_CASE(optional_certificates_are_told_to_the_origin, ClientCertificates) {
  Seawall seawall(origin, options("optional"));
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    BOOST_TEST(ask(seawall, known, kForged, version).status == 200);
    BOOST_TEST(told().get(kVerify) == "SUCCESS");
    BOOST_TEST(contains(told().get(kSubject), "CN=known client"), told().get(kSubject));
    BOOST_TEST(told().get(kFingerprint).size() == 64U);
    BOOST_TEST(told().get(kCertificate).starts_with(":MII"));
    BOOST_TEST(told().count(kVerify) == 1U);
    BOOST_TEST(told().count(kCertificate) == 1U);
    BOOST_TEST(!told().has("Client-Cert-Chain"));

    BOOST_TEST(ask(seawall, "", kForged, version).status == 200);
    BOOST_TEST(told().get(kVerify) == "NONE");
    for (const char* name : {kSubject, kFingerprint, kCertificate}) BOOST_TEST(!told().has(name), name);

    for (const std::string& bad : {stranger, expired}) {
      BOOST_TEST(ask(seawall, bad, kForged, version).status == 200);
      BOOST_TEST(told().get(kVerify).starts_with("FAILED:"), told().get(kVerify));
      // Whoever reads only this must not take it for good.
      BOOST_TEST(!told().has(kCertificate));
      BOOST_TEST(!told().has("x_ssl_client_fingerprint"));
    }
  }
  // Nor over a connection that has no TLS at all.
  BOOST_TEST(get(seawall, "/a", kForged).status == 200);
  for (const char* name : {kSubject, kFingerprint, kCertificate, "Client-Cert-Chain"})
    BOOST_TEST(!told().has(name), name);
  BOOST_TEST(told().get(kVerify) != "SUCCESS");
}

BOOST_FIXTURE_TEST_CASE(required_certificates_are_required, ClientCertificates) {
  Seawall seawall(origin, options("required"));
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    BOOST_TEST(ask(seawall, known, {}, version).status == 200);
    BOOST_TEST(told().get(kVerify) == "SUCCESS");
    const std::size_t had = origin.count("/a");
    for (const std::string& bad : {std::string(), stranger, expired})
      BOOST_TEST(ask(seawall, bad, {}, version).status == 0, bad);
    BOOST_TEST(origin.count("/a") == had);
  }
  const Admin admin(seawall);
  BOOST_TEST(until([&] {
               return admin.metric("seawall_tls_handshake_failures_total{reason=\"tls-client-certificate\"}") >= 6;
             }),
             admin.get("/metrics").body);
}

// Who resumes is who was verified, and not a stranger with its ticket.
BOOST_FIXTURE_TEST_CASE(a_resumed_session_remembers_the_client, ClientCertificates) {
  Seawall seawall(origin, options("required"));
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsOptions tls{.min_version = version, .max_version = version, .certificate = known};
    Client first(seawall, {.tls = tls});
    BOOST_TEST(first.get("/a").status == 200);
    tls.ticket = first.tls().ticket();
    BOOST_REQUIRE(tls.ticket);
    Client again(seawall, {.tls = tls});
    BOOST_TEST(again.get("/a").status == 200);
    BOOST_TEST(again.tls().is_resumed());
    BOOST_TEST(told().get(kVerify) == "SUCCESS");
    BOOST_TEST(contains(told().get(kSubject), "CN=known client"));
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::behave
