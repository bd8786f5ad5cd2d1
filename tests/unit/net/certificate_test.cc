// Certificates as they are loaded: what they say, and what is said of those that cannot be used.
#include "net/certificate.h"

#include <sys/stat.h>

#include <boost/test/unit_test.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "support/manual_clock.h"
#include "support/test_certificates.h"

namespace seawall::net {
namespace {

using test::KeyType;
using test::TestCertificate;

const WallTime kNow = WallTime::from_unix_seconds(1'700'000'000);  // 2023-11-14

struct Fixture {
  TestCertificate authority = TestCertificate::authority("Certificates; Test");
  test::PemFolder folder;

  static Ref<const Certificate> load(const CertificateFiles& files) {
    auto loaded = Certificate::load(files, kNow);
    BOOST_REQUIRE_MESSAGE(loaded.has_value(), (loaded ? "" : loaded.error()));
    return *loaded;
  }
  static std::string error_of(const CertificateFiles& files) {
    const auto loaded = Certificate::load(files, kNow);
    return loaded ? "" : loaded.error();
  }
  // The error without its file, which must come first.
  static std::string reason_of(const CertificateFiles& files, const std::string& named) {
    const std::string error = error_of(files);
    BOOST_TEST(error.starts_with(named + ": "), error);
    return error.substr(std::min(error.size(), named.size() + 2));
  }
  std::string reason_of(const test::CertificateSpec& spec) const {
    const CertificateFiles files = folder.write("refused", authority.issue(spec));
    return reason_of(files, files.certificate);
  }
};

BOOST_FIXTURE_TEST_SUITE(net_certificate, Fixture)

BOOST_AUTO_TEST_CASE(says_what_it_is) {
  const auto made = authority.issue(
      {.common_name = "not.counted", .names = {"Shop.Example", "*.shop.example", "192.0.2.1", "2001:db8::1"}});
  const auto certificate = load(folder.write("shop", made));
  const std::vector<std::string> names = {"shop.example", "*.shop.example", "192.0.2.1", "2001:db8::1"};
  BOOST_TEST(certificate->names() == names, boost::test_tools::per_element());
  BOOST_TEST(certificate->not_after().unix_seconds() == 4'102'444'800);
  BOOST_TEST(certificate->key_type() == "ECDSA");
  BOOST_TEST(certificate->issuer() == "CN=Certificates\\; Test");
  BOOST_TEST(certificate->serial().starts_with("5E"), certificate->serial());
  BOOST_TEST(certificate->ocsp().empty());
  BOOST_TEST(certificate->chain().empty());
  BOOST_TEST(load(folder.write("rsa", authority.issue({.key = KeyType::kRsa})))->key_type() == "RSA");
  BOOST_TEST(load(folder.write("edwards", authority.issue({.key = KeyType::kEd25519})))->key_type() == "Ed25519");
}

BOOST_AUTO_TEST_CASE(the_common_name_counts_only_alone) {
  const auto certificate = load(folder.write("old", authority.issue({.common_name = "Old.Example", .names = {}})));
  BOOST_TEST(certificate->names() == std::vector<std::string>{"old.example"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(covers_hosts) {
  const auto certificate = load(
      folder.write("shop", authority.issue({.names = {"shop.example", "*.shop.example", "192.0.2.1", "2001:db8::1"}})));
  for (const std::string_view host :
       {"shop.example", "www.shop.example", "192.0.2.1", "2001:db8::1", "[2001:db8::1]"}) {
    BOOST_TEST(certificate->covers(host), host);
  }
  for (const std::string_view host : {"", ".", "example", "a.b.shop.example", ".shop.example", "xshop.example",
                                      "*.example", "192.0.2.2", "1.192.0.2.1", "[shop.example", "shop.example."}) {
    BOOST_TEST(!certificate->covers(host), host);
  }
}

BOOST_AUTO_TEST_CASE(the_chain_comes_with_it) {
  const auto intermediate = authority.issue({.common_name = "Intermediate", .names = {}, .is_authority = true});
  const auto leaf = intermediate.issue({});
  BOOST_TEST(load(folder.write("leaf", leaf))->chain().size() == 1U);
}

BOOST_AUTO_TEST_CASE(the_key_may_be_anywhere_in_the_same_file) {
  const auto intermediate = authority.issue({.common_name = "Intermediate", .names = {}, .is_authority = true});
  const auto leaf = intermediate.issue({});
  for (const std::string& text :
       {leaf.key_pem() + leaf.chain_pem(), leaf.chain_pem() + leaf.key_pem(),
        leaf.pem() + leaf.key_pem() + intermediate.pem(), "# a remark\n" + leaf.chain_pem() + "\n" + leaf.key_pem()}) {
    const auto certificate = load({.certificate = folder.write("all.pem", text), .key = {}, .ocsp = {}});
    BOOST_TEST(certificate->chain().size() == 1U);
    BOOST_TEST(X509_cmp(certificate->leaf(), leaf.certificate()) == 0);
  }
}

BOOST_AUTO_TEST_CASE(files_that_cannot_be_read) {
  const auto good = folder.write("good", authority.issue({}));
  const std::string absent = folder.path("absent.pem");
  BOOST_TEST(reason_of({absent, good.key, {}}, absent) == "cannot be opened: No such file or directory");
  BOOST_TEST(reason_of({good.certificate, absent, {}}, absent) == "cannot be opened: No such file or directory");
  BOOST_TEST(reason_of({good.certificate, good.key, absent}, absent) == "cannot be opened: No such file or directory");
  BOOST_TEST(reason_of({folder.path(""), good.key, {}}, folder.path("")) == "is not a file");
  const std::string pipe = folder.path("pipe");
  BOOST_REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  BOOST_TEST(reason_of({pipe, good.key, {}}, pipe) == "is not a file");
  const std::string large = folder.write("large", std::string(1100 * 1024, '\n'));
  BOOST_TEST(reason_of({large, good.key, {}}, large) == "is larger than 1 MiB, so it is no certificate or key");
}

BOOST_AUTO_TEST_CASE(files_without_what_is_looked_for) {
  const auto made = authority.issue({});
  const auto good = folder.write("good", made);
  const std::string empty = folder.write("empty", "");
  BOOST_TEST(reason_of({empty, good.key, {}}, empty) ==
             "holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)");
  BOOST_TEST(reason_of({good.key, good.key, {}}, good.key) ==
             "holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)");
  BOOST_TEST(reason_of({good.certificate, empty, {}}, empty) ==
             "holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)");
  BOOST_TEST(reason_of({good.certificate, {}, {}}, good.certificate) ==
             "holds no private key in PEM form (-----BEGIN PRIVATE KEY-----); name its file with key=, if it is in "
             "another");
  std::string many;
  for (int i = 0; i < 18; ++i) many += made.pem();
  const std::string chain = folder.write("chain", many);
  BOOST_TEST(reason_of({chain, good.key, {}}, chain) == "holds more than 17 certificates");
}

BOOST_AUTO_TEST_CASE(damaged_files) {
  const auto made = authority.issue({});
  const auto good = folder.write("good", made);
  std::string text = made.pem();
  text.replace(text.size() / 2, 4, "!!!!");
  const std::string damaged = folder.write("damaged", made.pem() + text);
  BOOST_TEST(reason_of({damaged, good.key, {}}, damaged).starts_with("its certificate number 2 is damaged: "));
  std::string key = made.key_pem();
  key.replace(key.size() / 2, 4, "!!!!");
  const std::string damaged_key = folder.write("damaged.key", key);
  BOOST_TEST(reason_of({good.certificate, damaged_key, {}}, damaged_key).starts_with("its private key is damaged: "));
  // Cut at every line.
  const std::string whole = made.pem();
  for (std::size_t end = whole.find('\n'); end + 1 < whole.size(); end = whole.find('\n', end + 1)) {
    const std::string cut = folder.write("cut", whole.substr(0, end));
    BOOST_TEST(error_of({cut, good.key, {}}).starts_with(cut));
  }
}

BOOST_AUTO_TEST_CASE(keys_that_do_not_fit) {
  const auto intermediate = authority.issue({.common_name = "Intermediate", .names = {}, .is_authority = true});
  const auto leaf = intermediate.issue({});
  const auto good = folder.write("good", leaf);
  const std::string other = folder.write("other.key", authority.issue({}).key_pem());
  BOOST_TEST(reason_of({good.certificate, other, {}}, other) ==
             "its key does not belong to the first certificate in " + good.certificate);
  const std::string rsa = folder.write("rsa.key", authority.issue({.key = KeyType::kRsa}).key_pem());
  BOOST_TEST(reason_of({good.certificate, rsa, {}}, rsa) ==
             "its key does not belong to the first certificate in " + good.certificate);
  const std::string reversed = folder.write("reversed.pem", intermediate.pem() + leaf.pem());
  BOOST_TEST(reason_of({reversed, good.key, {}}, good.key) ==
             "its key belongs to a later certificate in " + reversed +
                 ": the server's own must come first, the chain behind it");
  const std::string encrypted = folder.write("encrypted.key", leaf.key_pem("secret"));
  BOOST_TEST(reason_of({good.certificate, encrypted, {}}, encrypted) ==
             "its key is encrypted, and nobody is there to type the passphrase: decrypt it with `openssl pkey -in FILE "
             "-out NEWFILE`");
}

BOOST_AUTO_TEST_CASE(dates) {
  const WallTime day_before = kNow - Seconds{86'400};
  const WallTime day_after = kNow + Seconds{86'400};
  BOOST_TEST(reason_of({.not_after = day_before}) == "expired on 2023-11-13 22:13:20 UTC: renew it");
  BOOST_TEST(reason_of({.not_after = kNow}) == "expired on 2023-11-14 22:13:20 UTC: renew it");
  BOOST_TEST(reason_of({.not_before = day_after}) ==
             "is not valid before 2023-11-15 22:13:20 UTC: is this machine's clock right?");
  load(folder.write("just", authority.issue({.not_before = kNow, .not_after = kNow + Seconds{1}})));
}

BOOST_AUTO_TEST_CASE(weak_ones) {
  BOOST_TEST(reason_of({.key = KeyType::kWeakRsa}) ==
             "has too small a key (ee key too small): RSA needs 2048 bits at least, have it made anew");
  BOOST_TEST(reason_of({.is_signed_with_sha1 = true}) ==
             "is signed with too weak a digest (ca md too weak): have it signed anew with SHA-256");
}

BOOST_AUTO_TEST_CASE(certificates_of_no_host) {
  BOOST_TEST(reason_of({.common_name = "", .names = {}}) == "names no host, neither as DNS name nor as IP address");
}

BOOST_AUTO_TEST_CASE(ocsp_responses) {
  const auto leaf = authority.issue({});
  const auto other = authority.issue({});
  CertificateFiles files = folder.write("leaf", leaf);
  const std::string response = authority.ocsp_response(leaf);
  files.ocsp = folder.write("good.ocsp", response);
  BOOST_TEST((load(files)->ocsp() == response));
  BOOST_TEST((load(files)->ocsp_until() == test::CertificateSpec().not_after));
  // The issuer is compared too where the chain names it.
  files.certificate = folder.write("chain.pem", leaf.pem() + authority.pem());
  load(files);

  const auto refusal = [&](const std::string& text) {
    files.ocsp = folder.write("bad.ocsp", text);
    return reason_of(files, files.ocsp);
  };
  BOOST_TEST(refusal("") == "is no OCSP response in DER form");
  BOOST_TEST(refusal("nonsense") == "is no OCSP response in DER form");
  BOOST_TEST(refusal(response + "x") == "is no OCSP response in DER form");
  BOOST_TEST(refusal(response.substr(0, response.size() - 1)) == "is no OCSP response in DER form");
  BOOST_TEST(refusal(authority.ocsp_response(other)) == "is an OCSP response about another certificate");
  BOOST_TEST(refusal(TestCertificate::ocsp_refusal()) == "the OCSP responder refused (trylater): fetch it again");
  const auto stranger = TestCertificate::authority("Stranger");
  BOOST_TEST(refusal(stranger.ocsp_response(leaf)) == "is an OCSP response about another certificate");
  // One that is out of date is left out.
  files.ocsp = folder.write("late.ocsp", authority.ocsp_response(leaf, kNow));
  const auto without = load(files);
  BOOST_TEST(without->ocsp().empty());
  BOOST_TEST((without->ocsp_until() == kNow));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::net
