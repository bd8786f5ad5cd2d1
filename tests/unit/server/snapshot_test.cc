// What a reload, and certificates that change, take over where some of the files are not right.
#include "server/snapshot.h"

#include <boost/test/unit_test.hpp>
#include <string>
#include <utility>
#include <vector>

#include "cache/store.h"
#include "support/manual_clock.h"
#include "support/recording_observer.h"
#include "support/test_certificates.h"

namespace seawall::server {
namespace {

using test::TestCertificate;

struct Fixture {
  test::ManualClock clock;
  test::RecordingObserver observer;
  cache::Store store{{.memory_bytes = std::size_t{1} << 20}};
  Registry registry{observer, clock, store, 1};
  std::shared_ptr<net::TicketKeys> tickets = std::make_shared<net::TicketKeys>(clock, Seconds{3600});
  TestCertificate authority = TestCertificate::authority();
  test::PemFolder folder;
  config::Config config;

  void add_origin(const std::string& name, bool is_tls) {
    config::OriginConfig origin;
    origin.options.name = name;
    origin.options.servers.push_back({.host = "127.0.0.1", .authority = name + ".test", .is_tls = is_tls});
    config.origins.push_back(std::move(origin));
  }
  // Into the files of that name.
  TestCertificate write(const std::string& name, WallTime until = test::CertificateSpec().not_after) {
    auto made = authority.issue({.names = {name + ".test"}, .not_after = until});
    folder.write(name, made);
    return made;
  }
  void add_certificate(const std::string& name) {
    config.tls.certificates.push_back(folder.write(name, authority.issue({.names = {name + ".test"}})));
  }
  Snapshot make() {
    auto made = make_snapshot(config, registry, tickets, 1, clock);
    BOOST_REQUIRE_MESSAGE(made.has_value(), (made ? "" : made.error()));
    return std::move(*made);
  }
  Renewal renew(const Snapshot& old) { return with_new_certificates(old, config, registry, tickets, clock); }
};

BOOST_FIXTURE_TEST_SUITE(server_snapshot, Fixture)

BOOST_AUTO_TEST_CASE(options_of_origins_hold_once_all_are_good) {
  add_origin("a", false);
  add_origin("b", true);
  config.origins[0].options.limit.in_flight = 7;
  const Snapshot before = make();
  const auto limit = [&] { return before.runtimes[0].state->limits().in_flight; };
  config.origins[0].options.limit.in_flight = 9;
  config.origins[1].options.tls.ca = folder.path("missing.pem");
  const auto failed = make_snapshot(config, registry, tickets, 1, clock);
  BOOST_REQUIRE(!failed.has_value());
  BOOST_TEST(failed.error().contains("missing.pem"));
  BOOST_TEST(limit() == 7U);
  folder.write("missing.pem", authority.pem());
  make();
  BOOST_TEST(limit() == 9U);
}

BOOST_AUTO_TEST_CASE(a_bad_certificate_keeps_back_no_other) {
  for (const char* name : {"a", "b"}) add_certificate(name);
  const Snapshot before = make();
  write("a", WallTime::from_unix_seconds(1'600'000'000));
  const TestCertificate renewed = write("b");
  const Renewal after = renew(before);
  BOOST_REQUIRE(after.errors.size() == 1U);
  BOOST_TEST(after.errors[0].contains("a.pem"), after.errors[0]);
  BOOST_TEST(after.has_changed);
  BOOST_TEST((after.snapshot.certificates[0] == before.certificates[0]));
  BOOST_TEST(X509_cmp(after.snapshot.certificates[1]->leaf(), renewed.certificate()) == 0);
  BOOST_TEST((after.snapshot.tls[0] != before.tls[0]));
  // At the start, and for a reload, it is an error.
  BOOST_TEST(!make_snapshot(config, registry, tickets, 1, clock).has_value());
}

BOOST_AUTO_TEST_CASE(certificates_that_are_all_bad_change_nothing) {
  add_certificate("a");
  const Snapshot before = make();
  folder.write("a.pem", "this is no certificate\n");
  const Renewal after = renew(before);
  BOOST_TEST(after.errors.size() == 1U);
  BOOST_TEST(!after.has_changed);
  BOOST_TEST((after.snapshot.tls[0] == before.tls[0]));
}

BOOST_AUTO_TEST_CASE(nor_does_a_bad_file_of_an_origin) {
  for (const char* name : {"a", "b"}) {
    add_origin(name, true);
    config.origins.back().options.tls.ca = folder.write(std::string(name) + ".ca", authority.pem());
  }
  const Snapshot before = make();
  folder.write("a.ca", "this is no certificate\n");
  folder.write("b.ca", TestCertificate::authority().pem());
  const Renewal after = renew(before);
  BOOST_REQUIRE(after.errors.size() == 1U);
  BOOST_TEST(after.errors[0].contains("origin \"a\""), after.errors[0]);
  BOOST_TEST(after.has_changed);
  BOOST_TEST((after.snapshot.origins[0].options.access == before.origins[0].options.access));
  BOOST_TEST((before.runtimes[1].state->access() == after.snapshot.origins[1].options.access));
  BOOST_TEST((before.runtimes[1].state->access() != before.origins[1].options.access));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::server
