// TLS with clients and with origins: entries, keys that need others, and the files that are opened.
#include <boost/test/unit_test.hpp>

#include "config/certificate_entry.h"
#include "config/tls_files.h"
#include "support/manual_clock.h"
#include "support/test_certificates.h"
#include "unit/config/error_rows.h"

namespace seawall::config {
namespace {

constexpr std::string_view kDir = "DIR/";

std::string replaced(std::string text, std::string_view what, std::string_view by) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) {
    text.replace(at, what.size(), by);
  }
  return text;
}

// A folder with certificates of every kind. In the texts of the tests DIR stands for it.
struct Files {
  Files() {
    const auto authority = test::TestCertificate::authority();
    const auto shop = authority.issue({.common_name = "shop", .names = {"shop.test"}});
    const auto blog = authority.issue({.common_name = "blog", .names = {"blog.test"}});
    folder.write("shop", shop);
    folder.write("blog", blog);
    folder.write("both.pem", blog.chain_pem() + blog.key_pem());
    folder.write("shop.ocsp", authority.ocsp_response(shop));
    folder.write("late.ocsp", authority.ocsp_response(shop, WallTime::from_unix_seconds(1'600'000'000)));
    folder.write("expired",
                 authority.issue({.names = {"a.test"}, .not_after = WallTime::from_unix_seconds(1'600'000'000)}));
    folder.write("future",
                 authority.issue({.names = {"a.test"}, .not_before = WallTime::from_unix_seconds(2'000'000'000)}));
    folder.write("ca.pem", authority.pem());
    folder.write("text.pem", "no certificate at all\n");
    std::filesystem::create_directory(folder.path("challenges"));
    std::filesystem::create_directory(folder.path("a folder"));
    std::filesystem::copy(folder.path("both.pem"), folder.path("a folder/both.pem"));
  }

  std::string with_dir(std::string text) const { return replaced(std::move(text), kDir, folder.path("")); }
  std::string without_dir(std::string text) const { return replaced(std::move(text), folder.path(""), kDir); }
  std::expected<Config, Diagnostics> load(const std::string& text) const {
    return load_string(folder.path("seawall.toml"), with_dir(text), environment_of({}), clock);
  }
  Config load_good(const std::string& text) const {
    auto loaded = load(text);
    if (!loaded) throw std::runtime_error("refused:\n" + to_string(loaded.error()));
    return std::move(*loaded);
  }
  void check(const std::string& before, std::span<const ErrorRow> rows, const std::string& behind = "") const {
    for (const ErrorRow& row : rows) {
      BOOST_TEST_CONTEXT(row.name) {
        const auto loaded = load(before + row.text + behind);
        BOOST_REQUIRE(!loaded);
        BOOST_TEST(loaded.error().size() == 1U, to_string(loaded.error()));
        BOOST_TEST(without_dir(brief(loaded.error().front())) == row.want);
      }
    }
  }

  const test::PemFolder folder;
  const test::ManualClock clock;  // 2023
};

// Keys are slow to make.
const Files& files() {
  static const Files made;
  return made;
}

const std::string kServer = "[server]\nlisten = \":443 tls\"\n";
const std::string kShop = "certificates = \"DIR/shop.pem key=DIR/shop.key\"\n";

BOOST_AUTO_TEST_SUITE(config_tls)

BOOST_AUTO_TEST_CASE(certificate_entries) {
  struct Row {
    std::string entry;
    net::CertificateFiles want;
    std::string dumped = {};  // when it is not the entry
  };
  const Row rows[] = {
      {"/a.pem", {.certificate = "/a.pem"}},
      {"/a.pem key=/a.key", {.certificate = "/a.pem", .key = "/a.key"}},
      {"/a.pem key=/a.key ocsp=/a.ocsp", {.certificate = "/a.pem", .key = "/a.key", .ocsp = "/a.ocsp"}},
      {" a.pem\tocsp=a=b  key=k ", {.certificate = "a.pem", .key = "k", .ocsp = "a=b"}, "a.pem key=k ocsp=a=b"},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.entry) {
      const auto got = parse_certificate(row.entry);
      BOOST_REQUIRE(got);
      BOOST_TEST((*got == row.want));
      BOOST_TEST(format_certificate(*got) == (row.dumped.empty() ? row.entry : row.dumped));
    }
  }
}

BOOST_AUTO_TEST_CASE(mistakes_in_a_certificate_entry) {
  const std::string form = "tls.certificates must be \"FILE\", \"FILE key=FILE\" or \"FILE key=FILE ocsp=FILE\", not ";
  const ErrorRow rows[] = {
      {"nothing", "certificates = \"\"", "6:16: " + form + "\"\""},
      {"the key first", "certificates = \"key=/a.key /a.pem\"",
       "6:16: " + form + "\"key=/a.key /a.pem\" | the file of the certificate comes first"},
      {"unknown word", "certificates = \"/a.pem keys=/a.key\"",
       "6:16: tls.certificates has an unknown word \"keys=/a.key\" behind \"/a.pem\" | did you mean \"key=FILE\"?"},
      {"two certificates in one", "certificates = [\"/a.pem\", \"/a.pem /b.pem\"]",
       "6:27: tls.certificates has an unknown word \"/b.pem\" behind \"/a.pem\" | words are key=FILE and ocsp=FILE; "
       "each "
       "certificate is a text of its own"},
      {"a word without a file", "certificates = \"/a.pem key=\"",
       "6:16: tls.certificates names no file: \"key=\" | write key=FILE, without spaces"},
      {"a word alone", "certificates = \"/a.pem ocsp\"",
       "6:16: tls.certificates names no file: \"ocsp\" | write ocsp=FILE, without spaces"},
      {"a word twice", "certificates = \"/a.pem key=/a.key key=/b.key\"",
       "6:16: tls.certificates gives key twice: \"key=/b.key\" | remove one of the two"},
  };
  // Nor is anything said of listeners and keys that need a certificate.
  check_after(kOrigin + kServer + "[tls]\n", rows);
  BOOST_TEST(errors_of(kOrigin + kServer + "[tls]\npolicy = \"old\"\ncertificates = 5").find("has no effect") ==
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(keys_that_need_others) {
  const ErrorRow rows[] = {
      {"policy", "[tls]\npolicy = \"old\"",
       "4:10: tls.policy has no effect without certificates | add certificates, or remove it"},
      {"HSTS of nothing", "[tls]\nhsts = \"1d\"",
       "4:8: tls.hsts has no effect without certificates | add certificates, or remove it"},
      {"client certificates", "[tls]\nclient_auth = \"required\"",
       "4:15: tls.client_auth has no effect without certificates | add certificates, or remove it"},
      {"policy, misspelt", "[tls]\npolicy = \"intermediat\"",
       "4:10: tls.policy must be one of \"modern\", \"intermediate\", \"old\", not \"intermediat\" | did you mean "
       "\"intermediate\"?"},
      {"version", "[tls]\nmin_version = \"1.1\"",
       "4:15: tls.min_version must be one of \"\", \"1.2\", \"1.3\", not \"1.1\" | did you mean \"1.2\"?"},
      {"rotation", "[tls]\nticket_rotation = \"8d\"",
       "4:19: tls.ticket_rotation must be a duration from 1s to 7d, not \"8d\""},
      {"streams", "[http2]\nstreams = 0", "4:11: http2.streams must be a whole number from 1 to 10000, not 0"},
      {"streams of nothing", "[http2]\nenabled = false\nstreams = 10",
       "5:11: http2.streams has no effect with enabled = false | remove one of the two"},
  };
  for (const ErrorRow& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const auto loaded = load_text(kOrigin + row.text);
      BOOST_REQUIRE(!loaded);
      BOOST_TEST(brief(loaded.error().front()) == row.want);
    }
  }
  const ErrorRow with_certificate[] = {
      {"no listener", kOrigin + "[tls]\n" + kShop,
       "4:16: tls.certificates has no effect without a listener that takes TLS | write \"tls\" behind an address of "
       "server.listen, such as \":443 tls\""},
      {"no plain listener", kOrigin + kServer + "[tls]\n" + kShop + "acme = \"DIR/challenges\"",
       "7:8: tls.acme has no effect without a listener that takes plain requests | add one, such as \":80 redirect\", "
       "or "
       "remove it"},
      {"authorities of nobody", kOrigin + kServer + "[tls]\n" + kShop + "client_ca = \"DIR/ca.pem\"",
       "7:13: tls.client_ca has no effect without client_auth = \"optional\" or \"required\" | add client_auth = "
       "\"optional\" or \"required\", or remove it"},
      {"nobody's authorities", kOrigin + kServer + "[tls]\n" + kShop + "client_auth = \"optional\"",
       "7:15: tls.client_auth = \"optional\" needs to know whose certificates count | add client_ca = \"FILE\" with "
       "the "
       "certificates of their authorities"},
      {"rotation of nothing",
       kOrigin + kServer + "[tls]\n" + kShop + "session_tickets = false\nticket_rotation = \"1h\"",
       "8:19: tls.ticket_rotation has no effect with session_tickets = false | remove one of the two"},
  };
  files().check("", with_certificate);
  // A challenge is answered before there is the first certificate.
  BOOST_TEST(files().load(kOrigin + "[tls]\nacme = \"DIR/challenges\"").has_value());
}

BOOST_AUTO_TEST_CASE(files_of_certificates) {
  const std::string at = "4:16: tls.certificates: ";
  const std::string spaced = files().folder.path("a folder/seawall.toml");
  const ErrorRow rows[] = {
      {"missing", "certificates = \"DIR/none.pem\"", at + "DIR/none.pem: cannot be opened: No such file or directory"},
      {"the second of two", "certificates = [\"DIR/both.pem\",\n \"DIR/none.pem\"]",
       "5:2: tls.certificates: DIR/none.pem: cannot be opened: No such file or directory"},
      {"missing key", "certificates = \"DIR/shop.pem key=DIR/none.key\"",
       at + "DIR/none.key: cannot be opened: No such file or directory"},
      {"no key", "certificates = \"DIR/shop.pem\"",
       at + "DIR/shop.pem: holds no private key in PEM form (-----BEGIN PRIVATE KEY-----); name its file with key=, if "
            "it is in another"},
      {"another's key", "certificates = \"DIR/shop.pem key=DIR/blog.key\"",
       at + "DIR/blog.key: its key does not belong to the first certificate in DIR/shop.pem"},
      {"expired", "certificates = \"DIR/expired.pem key=DIR/expired.key\"",
       at + "DIR/expired.pem: expired on 2020-09-13 12:26:40 UTC: renew it"},
      {"not yet valid", "certificates = \"DIR/future.pem key=DIR/future.key\"",
       at + "DIR/future.pem: is not valid before 2033-05-18 03:33:20 UTC: is this machine's clock right?"},
      {"no certificate", "certificates = \"DIR/text.pem\"",
       at + "DIR/text.pem: holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)"},
      {"a folder", "certificates = \"DIR/challenges\"", at + "DIR/challenges: is not a file"},
      {"a staple that is none", "certificates = \"DIR/shop.pem key=DIR/shop.key ocsp=DIR/text.pem\"",
       at + "DIR/text.pem: is no OCSP response in DER form"},
      {"the same twice", "certificates = [\"DIR/shop.pem key=DIR/shop.key\",\n \"DIR/shop.pem key=DIR/shop.key\"]",
       "5:2: tls.certificates: "
       "DIR/shop.pem: has the same names and type of key (ECDSA) as DIR/shop.pem: one of them would never be used"},
      {"authorities", "certificates = \"DIR/both.pem\"\nclient_auth = \"required\"\nclient_ca = \"DIR/none.pem\"",
       "6:13: tls.client_ca: DIR/none.pem: cannot be opened: No such file or directory"},
      {"authorities that are none",
       "certificates = \"DIR/both.pem\"\nclient_auth = \"required\"\nclient_ca = \"DIR/text.pem\"",
       "6:13: tls.client_ca: DIR/text.pem: holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)"},
      {"challenges", "acme = \"DIR/none\"\ncertificates = \"DIR/both.pem\"",
       "4:8: tls.acme: DIR/none: cannot be opened: No such file or directory"},
  };
  files().check("[server]\nlisten = [\":443 tls\", \":80\"]\n[tls]\n", rows, "\n" + kOrigin);
  // Each of several has its own message.
  const auto both =
      files().load(kOrigin + kServer + "[tls]\ncertificates = [\"none.pem\", \"both.pem\", \"text.pem\"]");
  BOOST_REQUIRE(!both);
  BOOST_TEST(both.error().size() == 2U, to_string(both.error()));
  // Time passes.
  BOOST_TEST(!load_string(files().folder.path("x"), files().with_dir(kOrigin + kServer + "[tls]\n" + kShop),
                          environment_of({}), test::ManualClock(WallTime::from_unix_seconds(4'200'000'000)))
                  .has_value());
  // An entry is words, and so cannot hold every path.
  const auto loaded =
      load_string(spaced, kOrigin + kServer + "[tls]\ncertificates = \"both.pem\"", environment_of({}), files().clock);
  BOOST_REQUIRE(!loaded);
  BOOST_TEST(
      files().without_dir(brief(loaded.error().front())) ==
      "6:16: tls.certificates takes no path with a space in it: \"DIR/a folder/both.pem\" | move the file, or name "
      "a symbolic link to it");
}

// Or it would keep back a start, and whatever else a reload has to bring.
BOOST_AUTO_TEST_CASE(an_ocsp_response_that_is_out_of_date_is_no_mistake) {
  const std::string before =
      kOrigin + kServer + "[tls]\ncertificates = [\"DIR/both.pem\", \"DIR/shop.pem key=DIR/shop.key ocsp=DIR/";
  const std::vector<std::string> late = {files().folder.path("late.ocsp")};
  const WallTime now = files().clock.wall_now();
  BOOST_TEST(lapsed_ocsp_files(files().load_good(before + "late.ocsp\"]"), now) == late);
  BOOST_TEST(lapsed_ocsp_files(files().load_good(before + "shop.ocsp\"]"), now).empty());
}

// TLS has ended at a proxy, whose PROXY header says so.
BOOST_AUTO_TEST_CASE(hsts_behind_a_proxy_needs_no_certificate) {
  const std::string listen = "[server]\nlisten = \":80 proxy\"\ntrusted_proxies = \"10.0.0.1\"\n";
  const Config config = files().load_good(kOrigin + listen + "[tls]\nhsts = \"1d\"");
  BOOST_TEST((config.edge.hsts == Seconds{86'400}));
  BOOST_TEST(dump(config).find("hsts = \"1d\"") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(everything_of_the_edge_arrives) {
  const Config config = files().load_good(R"(
[server]
listen = [":80 redirect", ":443 tls", "unix:/run/a proxy mode=666"]
trusted_proxies = "unix"
[tls]
certificates = ["shop.pem key=shop.key ocsp=shop.ocsp", "both.pem"]
policy = "modern"
min_version = "1.2"
client_auth = "optional"
client_ca = "ca.pem"
session_tickets = true
ticket_rotation = "1h"
hsts = "2s"
acme = "challenges"
kernel = false
[http2]
enabled = true
streams = 7
[[origin]]
name = "one"
servers = ["https://A.test:443", "http://b", "https://c:8443 weight=2", "srv+https://_https._tcp.d.test backup"]
tls = { ca = "ca.pem", server_name = "a.test", certificate = "shop.pem", key = "shop.key", min_version = "1.3", max_version = "1.3" }
protocol = "auto"
proxy_protocol = "v2"
timeout.tls = "3s"
)");
  const std::string dir = files().folder.path("");
  const net::TlsServerOptions& tls = config.tls;
  BOOST_REQUIRE(tls.certificates.size() == 2U);
  // Relative to the file.
  BOOST_TEST(tls.certificates[0].certificate == dir + "shop.pem");
  BOOST_TEST(tls.certificates[0].key == dir + "shop.key");
  BOOST_TEST(tls.certificates[0].ocsp == dir + "shop.ocsp");
  BOOST_TEST((tls.certificates[1] == net::CertificateFiles{.certificate = dir + "both.pem"}));
  BOOST_TEST((tls.policy == net::TlsPolicy::kModern));
  BOOST_TEST((tls.min_version == net::TlsVersion::kTls12));
  BOOST_TEST((tls.client_auth == net::ClientAuth::kOptional));
  BOOST_TEST(tls.client_ca == dir + "ca.pem");
  BOOST_TEST(tls.session_tickets);
  BOOST_TEST((tls.ticket_rotation == Seconds{3600}));
  BOOST_TEST(tls.http2);
  BOOST_TEST(!tls.kernel);
  BOOST_TEST((config.edge.hsts == Seconds{2}));
  BOOST_TEST(config.edge.acme_directory == dir + "challenges");
  BOOST_TEST(config.edge.tells_client_certificate);
  BOOST_TEST(config.session.http2.streams == 7U);
  const origin::OriginOptions& one = config.origins[0].options;
  const origin::ServerConfig wanted[] = {
      {.url = "https://A.test:443", .host = "a.test", .port = 443, .authority = "a.test", .is_tls = true},
      {.url = "http://b", .host = "b", .authority = "b"},
      {.url = "https://c:8443", .host = "c", .port = 8443, .authority = "c:8443", .weight = 2, .is_tls = true},
      {.url = "srv+https://_https._tcp.d.test",
       .host = "_https._tcp.d.test",
       .authority = "d.test",
       .is_backup = true,
       .is_srv = true,
       .is_tls = true},
  };
  BOOST_TEST((std::ranges::equal(one.servers, wanted)));
  BOOST_TEST((one.tls == net::TlsClientOptions{.ca = dir + "ca.pem",
                                               .verify = true,
                                               .server_name = "a.test",
                                               .certificate = dir + "shop.pem",
                                               .key = dir + "shop.key",
                                               .min_version = net::TlsVersion::kTls13,
                                               .max_version = net::TlsVersion::kTls13}));
  BOOST_TEST((one.protocol == origin::Protocol::kAuto));
  BOOST_TEST((one.proxy_protocol == net::ProxyVersion::kV2));
  BOOST_TEST((one.timeouts.tls == Millis{3000}));
  // What is dumped loads to the same, wherever it is put.
  const std::string text = dump(config);
  const auto again = load_string("/elsewhere/dump.toml", text, environment_of({}), files().clock);
  BOOST_REQUIRE_MESSAGE(again.has_value(), (again ? std::string() : to_string(again.error())));
  BOOST_TEST(dump(*again) == text);
}

BOOST_AUTO_TEST_CASE(what_follows_from_defaults) {
  const Config config = files().load_good(kOrigin + kServer + "[tls]\n" + kShop);
  BOOST_TEST(!config.tls.min_version.has_value());
  BOOST_TEST(!config.edge.tells_client_certificate);
  BOOST_TEST(dump(config).find("min_version = \"\"\n") != std::string::npos);
  BOOST_TEST(dump(files().load_good(kOrigin)).find("policy") == std::string::npos);
  BOOST_TEST(!files().load_good(kOrigin + "[http2]\nenabled = false").tls.http2);
  using enum origin::Protocol;
  for (const auto& [text, protocol] : {std::pair{"http1", kHttp1}, {"http2", kHttp2}, {"auto", kAuto}}) {
    const Config with = files().load_good(kOrigin + "protocol = \"" + text + "\"");
    BOOST_TEST((with.origins[0].options.protocol == protocol), text);
  }
  using enum net::ProxyVersion;
  for (const auto& [text, version] : {std::pair{"off", kOff}, {"v1", kV1}, {"v2", kV2}}) {
    const Config with = files().load_good(kOrigin + "proxy_protocol = \"" + text + "\"");
    BOOST_TEST((with.origins[0].options.proxy_protocol == version), text);
  }
}

BOOST_AUTO_TEST_CASE(tls_with_origins) {
  const std::string https = "[[origin]]\nservers = [\"http://a\", \"https://b\"]\n";
  const ErrorRow rows[] = {
      {"nothing under TLS", "[[origin]]\nservers = \"http://a\"\ntls.verify = false",
       "3:14: origin.tls.verify has no effect without an https server | add an https server, or remove it"},
      {"authorities that are not asked", https + "tls = { verify = false, ca = \"DIR/ca.pem\" }",
       "3:30: origin.tls.ca has no effect with verify = false | remove one of the two"},
      {"a key of nothing", https + "tls.key = \"DIR/shop.key\"",
       "3:11: origin.tls.key has no effect without tls.certificate | add tls.certificate, or remove it"},
      {"versions", https + "tls = { min_version = \"1.3\", max_version = \"1.2\" }",
       "3:23: origin.tls.min_version = \"1.3\" is more than origin.tls.max_version = \"1.2\" | lower it, or raise "
       "origin.tls.max_version"},
      {"handshake after the end", https + "timeout = { tls = \"2m\" }",
       "3:19: origin.timeout.tls = \"2m\" is more than origin.timeout.total = \"30s\", its default | lower it, or "
       "raise "
       "origin.timeout.total"},
      {"name", https + "tls.server_name = \"https://b\"",
       "3:19: origin.tls.server_name must be a name such as \"shop.example.com\", not \"https://b\""},
      {"unknown key", https + "tls = { ca_file = \"x\" }",
       "3:9: unknown key \"tls.ca_file\" in [[origin]] | known here: ca, verify, server_name, certificate, key, "
       "min_version, max_version"},
      {"protocol", https + "protocol = \"h2\"",
       "3:12: origin.protocol must be one of \"http1\", \"http2\", \"auto\", not \"h2\""},
      {"PROXY header", https + "proxy_protocol = true",
       "3:18: origin.proxy_protocol must be one of \"off\", \"v1\", \"v2\", not true"},
      {"authorities", https + "tls.ca = \"DIR/none.pem\"",
       "3:10: origin.tls.ca: DIR/none.pem: cannot be opened: No such file or directory"},
      {"certificate", https + "tls = { certificate = \"DIR/none.pem\" }",
       "3:23: origin.tls.certificate: DIR/none.pem: cannot be opened: No such file or directory"},
      {"certificate that has expired", https + "tls.key = \"DIR/expired.key\"\ntls.certificate = \"DIR/expired.pem\"",
       "4:19: origin.tls.certificate: DIR/expired.pem: expired on 2020-09-13 12:26:40 UTC: renew it"},
      {"certificate of later", https + "[origin.tls]\ncertificate = \"DIR/future.pem\"\nkey = \"DIR/future.key\"",
       "4:15: origin.tls.certificate: DIR/future.pem: is not valid before 2033-05-18 03:33:20 UTC: is this machine's "
       "clock right?"},
      {"PROXY header of many", https + "protocol = \"http2\"\nproxy_protocol = \"v1\"",
       "4:18: origin.proxy_protocol names the client of a connection, and with protocol = \"http2\" one serves many | "
       "remove one of the two, or write protocol = \"http1\""},
      {"key", https + "tls = { key = \"DIR/blog.key\", certificate = \"DIR/shop.pem\" }",
       "3:15: origin.tls.key: DIR/blog.key: its key does not belong to the first certificate in DIR/shop.pem"},
  };
  files().check("", rows);
  BOOST_TEST(files()
                 .load(https + "tls = { certificate = \"both.pem\", verify = false, server_name = \"10.0.0.5\" }")
                 .has_value());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::config
