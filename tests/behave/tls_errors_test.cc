// What `seawall check` and `seawall serve` say of certificates, keys and listeners that cannot work: where in the
// configuration, which file, why, and what to do.
#include <boost/test/unit_test.hpp>
#include <filesystem>

#include "support/behave/client.h"
#include "support/behave/seawall.h"
#include "support/behave/site.h"

namespace seawall::behave {
namespace {

BOOST_AUTO_TEST_SUITE(behave_tls_errors)

constexpr const char* kOrigin = "[[origin]]\nname = \"a\"\nservers = [\"http://127.0.0.1:3000\"]\n";
// The line of a configuration that starts with kOrigin, one section and its first key.
constexpr const char* kFirstKey = "bad.toml:5:";

struct Row {
  const char* name;
  std::string text;
  std::vector<std::string> says;
};

void expect_refused(const Row& row) {
  BOOST_TEST_CONTEXT(row.name) {
    const TemporaryDirectory directory;
    const std::string file = directory.write("bad.toml", kOrigin + row.text);
    for (const char* command : {"check", "serve"}) {
      const Outcome outcome = run({seawall_binary(), command, "-c", file});
      BOOST_TEST(outcome.code == 1, outcome.output);
      for (const std::string& part : row.says)
        BOOST_TEST(contains(outcome.output, part), part << " in:\n" << outcome.output);
    }
  }
}

BOOST_AUTO_TEST_CASE(certificates_are_opened_and_judged) {
  const Site site;
  const TestCertificate other = site.authority.issue(certificate_for({"a.test"}));
  const std::string& dir = site.directory.path();
  site.directory.write("certificate.pem", site.certificate.pem());
  site.directory.write("key.pem", site.certificate.key_pem());
  site.directory.write("other-key.pem", other.key_pem());
  site.directory.write("locked-key.pem", site.certificate.key_pem("secret"));
  site.directory.write("garbage.pem", "this is no certificate\n");
  site.directory.write("garbage.ocsp", "this is no response\n");
  site.directory.write("other.ocsp", site.authority.ocsp_response(other));
  site.directory.write("empty.pem", "");
  CertificateSpec expired = certificate_for({"a.test"});
  expired.not_after = WallTime::from_unix_seconds(1'600'000'000);
  CertificateSpec future = certificate_for({"a.test"});
  future.not_before = WallTime::from_unix_seconds(4'000'000'000);
  site.add("expired.pem", expired);
  site.add("future.pem", future);
  std::filesystem::create_directory(dir + "/directory.pem");
  const auto tls = [&](const std::string& entry) { return "[tls]\ncertificates = [\"" + dir + "/" + entry + "\"]\n"; };
  const Row rows[] = {
      {"missing", tls("missing.pem"), {kFirstKey, "missing.pem", "No such file", "^"}},
      {"a directory", tls("directory.pem"), {kFirstKey, "directory.pem", "directory"}},
      {"empty", tls("empty.pem"), {kFirstKey, "empty.pem"}},
      {"not PEM", tls("garbage.pem"), {kFirstKey, "garbage.pem", "PEM"}},
      {"no key in it", tls("certificate.pem"), {kFirstKey, "certificate.pem", "key"}},
      {"missing key", tls("certificate.pem key=" + dir + "/missing.key"), {kFirstKey, "missing.key", "No such file"}},
      {"a key that is none", tls("certificate.pem key=" + dir + "/garbage.pem"), {kFirstKey, "garbage.pem"}},
      {"another's key",
       tls("certificate.pem key=" + dir + "/other-key.pem"),
       {kFirstKey, "other-key.pem", "certificate.pem"}},
      {"a key under a passphrase",
       tls("certificate.pem key=" + dir + "/locked-key.pem"),
       {kFirstKey, "locked-key.pem", "encrypted", "hint"}},
      {"expired", tls("expired.pem"), {kFirstKey, "expired.pem", "expired"}},
      {"not yet valid", tls("future.pem"), {kFirstKey, "future.pem", "is not valid before"}},
      {"not an OCSP response", tls("site.pem ocsp=" + dir + "/garbage.ocsp"), {kFirstKey, "garbage.ocsp", "OCSP"}},
      {"missing OCSP response", tls("site.pem ocsp=" + dir + "/missing.ocsp"), {kFirstKey, "missing.ocsp"}},
      {"another's OCSP response", tls("site.pem ocsp=" + dir + "/other.ocsp"), {kFirstKey, "other.ocsp", "OCSP"}},
      {"an unknown word", tls("site.pem kye=" + dir + "/key.pem"), {kFirstKey, "kye", "key="}},
      {"the second of two",
       "[tls]\ncertificates = [\"" + site.pem + "\",\n  \"" + dir + "/missing.pem\"]\n",
       {"bad.toml:5:", "missing.pem"}},
      {"clients' authority missing",
       "[tls]\nclient_ca = \"" + dir + "/missing.pem\"\nclient_auth = \"required\"\n" + site.certificates(),
       {kFirstKey, "missing.pem"}},
      {"clients' authority not PEM",
       "[tls]\nclient_ca = \"" + dir + "/garbage.pem\"\nclient_auth = \"optional\"\n" + site.certificates(),
       {kFirstKey, "garbage.pem"}},
      {"nobody signs for clients",
       "[tls]\nclient_auth = \"required\"\n" + site.certificates(),
       {kFirstKey, "client_ca"}},
      {"unknown policy", "[tls]\npolicy = \"modren\"\n" + site.certificates(), {kFirstKey, "modren", "modern"}},
      {"unknown version", "[tls]\nmin_version = \"1.1\"\n" + site.certificates(), {kFirstKey, "1.1", "1.2"}},
      {"unknown key", "[tls]\ncertificate = \"" + site.pem + "\"\n", {kFirstKey, "certificate", "certificates"}},
  };
  for (const Row& row : rows) expect_refused(row);
  // Root may read all files.
  if (::geteuid() != 0) {
    std::filesystem::permissions(dir + "/key.pem", std::filesystem::perms::none);
    expect_refused({"unreadable", tls("certificate.pem key=" + dir + "/key.pem"), {"key.pem", "Permission denied"}});
  }
}

BOOST_AUTO_TEST_CASE(good_certificates_are_found_good) {
  const Site site;
  const std::string& dir = site.directory.path();
  site.directory.write("certificate.pem", site.certificate.pem() + site.authority.pem());
  site.directory.write("key.pem", site.certificate.key_pem());
  site.directory.write("a.ocsp", site.authority.ocsp_response(site.certificate));
  for (const std::string& entry :
       {site.pem, dir + "/certificate.pem key=" + dir + "/key.pem ocsp=" + dir + "/a.ocsp"}) {
    const std::string file = site.directory.write(
        "good.toml", std::string(kOrigin) + "[server]\nlisten = [\"127.0.0.1:0 tls\"]\n[tls]\ncertificates = [\"" +
                         entry + "\"]\nclient_auth = \"optional\"\nclient_ca = \"" + site.ca + "\"\n");
    const Outcome outcome = run({seawall_binary(), "check", "-c", file});
    BOOST_TEST(outcome.code == 0, outcome.output);
  }
}

BOOST_AUTO_TEST_CASE(listeners_that_contradict_themselves_are_refused) {
  const Site site;
  const Row rows[] = {
      {"TLS without a certificate", "[server]\nlisten = [\"127.0.0.1:0 tls\"]\n", {kFirstKey, "certificates"}},
      {"unknown word", "[server]\nlisten = [\"127.0.0.1:0 tsl\"]\n", {kFirstKey, "tsl", "tls"}},
      {"redirect and TLS only",
       "[server]\nlisten = [\"127.0.0.1:0 tls redirect\"]\n[tls]\n" + site.certificates(),
       {kFirstKey, "redirect"}},
      {"a mode for TCP", "[server]\nlisten = [\"127.0.0.1:0 mode=666\"]\n", {kFirstKey, "mode"}},
      {"a mode that is none", "[server]\nlisten = [\"unix:/tmp/x.sock mode=rw\"]\n", {kFirstKey, "mode"}},
      {"no path", "[server]\nlisten = [\"unix:\"]\n", {kFirstKey, "unix:"}},
      {"PROXY headers from nobody", "[server]\nlisten = [\"127.0.0.1:0 proxy\"]\n", {kFirstKey, "trusted_proxies"}},
      {"a proxy that is no address", "[server]\ntrusted_proxies = [\"10.0.0.0/33\"]\n", {kFirstKey, "10.0.0.0/33"}},
  };
  for (const Row& row : rows) expect_refused(row);
}

BOOST_AUTO_TEST_CASE(files_for_the_origin_are_opened_too) {
  const Site site;
  const TestCertificate other = site.authority.issue(certificate_for({"a.test"}));
  const std::string& dir = site.directory.path();
  site.directory.write("certificate.pem", site.certificate.pem());
  site.directory.write("other-key.pem", other.key_pem());
  site.directory.write("garbage.pem", "this is no certificate\n");
  const auto origin = [](const std::string& keys) {
    return "[[origin]]\nname = \"b\"\nservers = [\"https://127.0.0.1:3443\"]\n" + keys + "\n";
  };
  const Row rows[] = {
      {"missing authority", origin("tls = { ca = \"" + dir + "/missing.pem\" }"), {"bad.toml:7:", "missing.pem"}},
      {"authority not PEM", origin("tls = { ca = \"" + dir + "/garbage.pem\" }"), {"bad.toml:7:", "garbage.pem"}},
      {"missing certificate",
       origin("tls = { certificate = \"" + dir + "/missing.pem\" }"),
       {"bad.toml:7:", "missing.pem"}},
      {"another's key",
       origin("tls = { certificate = \"" + dir + "/certificate.pem\", key = \"" + dir + "/other-key.pem\" }"),
       {"bad.toml:7:", "other-key.pem"}},
      {"versions the wrong way round",
       origin("tls = { min_version = \"1.3\", max_version = \"1.2\" }"),
       {"bad.toml:7:", "version"}},
      {"unknown protocol", origin("protocol = \"http3\""), {"bad.toml:7:", "http3", "http2"}},
      {"unknown PROXY version", origin("proxy_protocol = \"v3\""), {"bad.toml:7:", "v3", "v2"}},
  };
  for (const Row& row : rows) expect_refused(row);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::behave
