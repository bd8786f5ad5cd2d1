#include "server/certificate_watch.h"

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "support/temporary_directory.h"
#include "support/test_certificates.h"

namespace seawall::server {
namespace {

struct Fixture {
  test::TemporaryDirectory directory;
  config::Config config;

  Fixture() {
    config.tls.certificates.push_back(
        {.certificate = directory.write("a.pem", "one"), .key = directory.write("a.key", "key")});
  }
};

BOOST_FIXTURE_TEST_SUITE(server_certificate_watch, Fixture)

BOOST_AUTO_TEST_CASE(nothing_to_look_at) {
  CertificateWatch watch{config::Config{}};
  BOOST_TEST(!watch.is_on());
  BOOST_TEST(!watch.has_changed());
}

BOOST_AUTO_TEST_CASE(a_change_shows_once_and_when_it_has_settled) {
  CertificateWatch watch(config);
  BOOST_TEST(watch.is_on());
  BOOST_TEST(!watch.has_changed());
  directory.write("a.pem", "longer");
  BOOST_TEST(!watch.has_changed());
  // The key follows a moment later: both are one change.
  directory.write("a.key", "another key");
  BOOST_TEST(!watch.has_changed());
  BOOST_TEST(watch.has_changed());
  BOOST_TEST(!watch.has_changed());
}

BOOST_AUTO_TEST_CASE(a_file_that_is_renamed_over_or_gone_has_changed) {
  CertificateWatch watch(config);
  const std::string next = directory.write("next", "two");
  std::filesystem::rename(next, directory.path() + "/a.pem");
  BOOST_TEST(!watch.has_changed());
  BOOST_TEST(watch.has_changed());
  std::filesystem::remove(directory.path() + "/a.key");
  BOOST_TEST(!watch.has_changed());
  BOOST_TEST(watch.has_changed());
  BOOST_TEST(!watch.has_changed());
}

BOOST_AUTO_TEST_CASE(a_link_that_turns_is_a_change) {
  const std::string one = directory.write("one", "same size");
  const std::string two = directory.write("two", "same size");
  const std::string link = directory.path() + "/live";
  std::filesystem::create_symlink(one, link);
  config.tls.certificates = {{.certificate = link}};
  CertificateWatch watch(config);
  BOOST_TEST(!watch.has_changed());
  std::filesystem::remove(link);
  std::filesystem::create_symlink(two, link);
  BOOST_TEST(!watch.has_changed());
  BOOST_TEST(watch.has_changed());
}

BOOST_AUTO_TEST_CASE(files_for_the_origins_are_looked_at) {
  const std::string names[] = {"ca.pem", "own.pem", "own.key"};
  for (const bool is_tls : {true, false}) {
    config::OriginConfig origin;
    origin.options.servers = {{.url = "http://a", .host = "a"}, {.url = "b", .host = "b", .is_tls = is_tls}};
    origin.options.tls = {.ca = directory.write(names[0], "1"),
                          .certificate = directory.write(names[1], "1"),
                          .key = directory.write(names[2], "1")};
    config::Config behind;
    behind.origins.push_back(origin);
    CertificateWatch watch(behind);
    BOOST_TEST(watch.is_on() == is_tls);
    for (const std::string& name : names) {
      BOOST_TEST(!watch.has_changed());
      directory.write(name, "changed");
      BOOST_TEST(!watch.has_changed());
      BOOST_TEST(watch.has_changed() == is_tls, name);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_response_that_lapses_is_told_once) {
  const test::PemFolder folder;
  const auto authority = test::TestCertificate::authority();
  const auto leaf = authority.issue({});
  const WallTime now = WallTime::from_unix_seconds(1'700'000'000);
  const auto load = [&](WallTime until) {
    net::CertificateFiles files = folder.write("leaf", leaf);
    files.ocsp = folder.write("leaf.ocsp", authority.ocsp_response(leaf, until));
    auto loaded = net::Certificate::load(files, now);
    BOOST_REQUIRE(loaded.has_value());
    return std::vector{*loaded, *net::Certificate::load(folder.write("plain", leaf), now)};
  };
  const auto in_use = load(now + Seconds{10});
  const std::vector<std::string> file = {folder.path("leaf.ocsp")};
  const std::vector<std::string> none;
  CertificateWatch watch(config);
  BOOST_TEST(watch.take_lapsed(in_use, now + Seconds{9}) == none);
  BOOST_TEST(watch.take_lapsed(in_use, now + Seconds{10}) == file);
  BOOST_TEST(watch.take_lapsed(in_use, now + Seconds{11}) == none);
  const auto renewed = load(now + Seconds{20});
  BOOST_TEST(watch.take_lapsed(renewed, now + Seconds{12}) == none);
  BOOST_TEST(watch.take_lapsed(renewed, now + Seconds{21}) == file);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::server
