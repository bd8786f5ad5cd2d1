// The servers behind names and services over time: what is told, when it is asked again, and what outlasts a failure.
#include "origin/discovery.h"

#include <boost/test/unit_test.hpp>
#include <string_view>

#include "loopback/net/dns_fixture.h"
#include "support/behave/wait.h"

namespace seawall::test {
namespace {

using behave::Dns;
using origin::Discovery;
using origin::Endpoint;
using origin::ServerConfig;

// "10.0.0.5:3000+[::1]:3000 x2 backup drain for app.test": the second address, weight and flags where they say
// something.
std::string describe(const Endpoint& endpoint) {
  std::string out = endpoint.name;
  for (std::size_t i = 1; i < endpoint.addresses.size(); ++i) out += "+" + endpoint.addresses[i].to_string();
  if (endpoint.weight != 1) out += " x" + std::to_string(endpoint.weight);
  if (endpoint.is_backup) out += " backup";
  if (endpoint.is_drain) out += " drain";
  return out + " for " + endpoint.host_header;
}

std::string describe(const std::vector<Endpoint>& endpoints) {
  std::string out;
  for (const Endpoint& endpoint : endpoints) out += (out.empty() ? "" : ", ") + describe(endpoint);
  return out;
}

// Writes down what it is told of names: "app.test 2" or "app.test 2: no such name".
class NameObserver final : public origin::Observer {
 public:
  std::vector<std::string> told;

  void on_failure(std::string_view, std::string_view, const Error&, std::string_view) override {}
  void on_breaker(std::string_view, std::string_view, origin::Breaker::State, Millis) override {}
  void on_health(std::string_view, std::string_view, bool, std::string_view) override {}
  void on_back_off(std::string_view, Millis) override {}
  void on_resolved(std::string_view origin, std::string_view name, std::size_t addresses,
                   std::string_view error) override {
    BOOST_TEST(origin == "shop");
    told.push_back(std::string(name) + " " + std::to_string(addresses) +
                   (error.empty() ? "" : ": " + std::string(error)));
  }
};

ServerConfig server(std::string host, std::uint16_t port = 80) {
  const std::string authority = host;
  return {.url = "http://" + host, .host = std::move(host), .port = port, .authority = authority};
}

ServerConfig service(std::string host) {
  return {.url = "srv+http://" + host, .host = std::move(host), .authority = "shop.test", .is_srv = true};
}

struct DiscoveryFixture : DnsFixture {
  NameObserver observer;
  Rng rng{1};
  std::vector<std::string> changes;
  std::vector<Endpoint> last;
  std::optional<Discovery> discovery;
  const std::ptrdiff_t idle_fds = FdCount::now();

  ~DiscoveryFixture() { discovery.reset(); }

  void start(std::vector<ServerConfig> servers, const net::ResolverOptions& options = {},
             std::vector<origin::Answer> known = {}) {
    discovery.emplace(loop, *resolver, "shop", std::move(servers), observer, options, rng,
                      [this](std::vector<Endpoint> endpoints) {
                        BOOST_TEST(!endpoints.empty());
                        changes.push_back(describe(endpoints));
                        last = std::move(endpoints);
                      });
    discovery->start(std::move(known));
  }
  void await_changes(std::size_t n) {
    pump_until(loop, "a change of the servers", [&] { return changes.size() >= n; });
    BOOST_TEST(changes.size() == n);
  }
  void await_told(std::size_t n) {
    pump_until(loop, "a word to the observer", [&] { return observer.told.size() >= n; });
    BOOST_TEST(observer.told.size() == n);
  }
  // Every lookup under way has ended: none has a socket any more.
  void await_lookups() {
    pump_until(loop, "the end of all lookups", [&] { return FdCount::now() == idle_fds; });
    settle(loop);
  }
  // Questions for the name that the server gets from now on, after `by`.
  std::size_t questions_after(Millis by, const std::string& name) {
    await_lookups();
    const std::size_t before = dns.count(name);
    advance(by);
    await_server();
    await_lookups();
    return dns.count(name) - before;
  }
};

BOOST_FIXTURE_TEST_SUITE(origin_discovery, DiscoveryFixture)

BOOST_AUTO_TEST_CASE(addresses_are_known_before_start_returns) {
  ServerConfig first = server("10.0.0.5", 3000);
  first.weight = 3;
  ServerConfig second = server("::1", 3001);
  second.is_backup = true;
  ServerConfig third = server("10.0.0.6", 3000);
  third.is_drain = true;
  start({first, second, third});
  BOOST_REQUIRE(changes.size() == 1U);
  BOOST_TEST(changes[0] ==
             "10.0.0.5:3000 x3 for 10.0.0.5, [::1]:3001 backup for ::1, 10.0.0.6:3000 drain for 10.0.0.6");
  advance(Millis(100'000));
  BOOST_TEST(changes.size() == 1U);
  BOOST_TEST(observer.told.empty());
  BOOST_TEST(!loop.timers().next_deadline().has_value());
}

BOOST_AUTO_TEST_CASE(names_are_known_when_answered) {
  dns.a("app.test", {"10.0.0.2", "10.0.0.1"});
  ServerConfig app = server("app.test", 3000);
  app.weight = 2;
  start({app});
  BOOST_TEST(changes.empty());
  await_changes(1);
  BOOST_TEST(changes[0] == "10.0.0.1:3000 x2 for app.test, 10.0.0.2:3000 x2 for app.test");
  BOOST_TEST(join(observer.told) == "app.test 2");
}

BOOST_AUTO_TEST_CASE(addresses_do_not_wait_for_names) {
  dns.fail("silent.test", Dns::Fault::kSilent);
  start({server("silent.test"), server("10.0.0.1")});
  BOOST_REQUIRE(changes.size() == 1U);
  BOOST_TEST(changes[0] == "10.0.0.1:80 for 10.0.0.1");
  dns.a("silent.test", {"10.0.0.9"});
  for (int i = 0; i < 4; ++i) {
    await_server();
    advance(Millis(1000));
  }
  await_changes(2);
  BOOST_TEST(changes[1] == "10.0.0.9:80 for silent.test, 10.0.0.1:80 for 10.0.0.1");  // as configured
}

BOOST_AUTO_TEST_CASE(both_families_in_pairs) {
  dns.a("app.test", {"10.0.0.1", "10.0.0.2"});
  dns.aaaa("app.test", {"2001:db8::1", "2001:db8::2", "2001:db8::3"});
  start({server("app.test")});
  await_changes(1);
  BOOST_TEST(changes[0] ==
             "10.0.0.1:80+[2001:db8::1]:80 for app.test, 10.0.0.2:80+[2001:db8::2]:80 for app.test, "
             "[2001:db8::3]:80 for app.test");
}

BOOST_AUTO_TEST_CASE(asked_again_after_the_ttl) {
  struct Row {
    const char* name;
    std::uint32_t ttl;
    net::ResolverOptions options;
    int want;
  };
  const std::vector<Row> rows = {
      {.name = "as given", .ttl = 20, .options = {}, .want = 20},
      {.name = "zero is at least a second", .ttl = 0, .options = {.min_ttl = Seconds{0}}, .want = 1},
      {.name = "below the least", .ttl = 2, .options = {.min_ttl = Seconds{10}}, .want = 10},
      {.name = "above the greatest", .ttl = 50, .options = {.max_ttl = Seconds{30}}, .want = 30},
  };
  make_resolver({.min_ttl = Seconds{0}, .max_ttl = Seconds{3600}});  // so that it bounds nothing itself
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      dns.a("app.test", {"10.0.0.1"}, row.ttl);
      changes.clear();
      start({server("app.test")}, row.options);
      await_changes(1);
      BOOST_TEST(questions_after(Seconds{row.want} - Millis(20), "app.test") == 0U);
      BOOST_TEST(questions_after(Millis(40), "app.test") == 2U);
      BOOST_TEST(changes.size() == 1U);  // the same again is no change
      discovery.reset();
    }
  }
}

BOOST_AUTO_TEST_CASE(addresses_that_come_and_go) {
  dns.a("app.test", {"10.0.0.1", "10.0.0.2"}, 10);
  start({server("app.test"), server("10.9.9.9")});
  await_changes(2);
  dns.a("app.test", {"10.0.0.2", "10.0.0.3"}, 10);
  advance(Millis(10'020));
  await_changes(3);
  BOOST_TEST(changes[2] == "10.0.0.2:80 for app.test, 10.0.0.3:80 for app.test, 10.9.9.9:80 for 10.9.9.9");
  dns.a("app.test", {"10.0.0.3"}, 10);
  advance(Millis(10'020));
  await_changes(4);
  BOOST_TEST(changes[3] == "10.0.0.3:80 for app.test, 10.9.9.9:80 for 10.9.9.9");
  BOOST_TEST(join(observer.told) == "app.test 2 app.test 2 app.test 1");
}

BOOST_AUTO_TEST_CASE(another_order_is_no_change) {
  dns.a("app.test", {"10.0.0.1", "10.0.0.2"}, 10);
  start({server("app.test")});
  await_changes(1);
  dns.a("app.test", {"10.0.0.2", "10.0.0.1"}, 10);
  BOOST_TEST(questions_after(Millis(10'020), "app.test") == 2U);
  BOOST_TEST(changes.size() == 1U);
  BOOST_TEST(observer.told.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_failure_keeps_the_last_good_and_is_told_once) {
  struct Row {
    Dns::Fault fault;
    const char* text;
  };
  constexpr Row kRows[] = {
      {Dns::Fault::kNxDomain, "no such name"},
      {Dns::Fault::kServFail, "no name server could be reached, or none gave a usable answer"},
      {Dns::Fault::kGarbage, "the name server's answer is malformed"},
  };
  for (const Row& row : kRows) {
    BOOST_TEST_CONTEXT(row.text) {
      changes.clear();
      observer.told.clear();
      dns.a("app.test", {"10.0.0.1"}, 10);
      start({server("app.test")});
      await_changes(1);
      dns.fail("app.test", row.fault);
      advance(Millis(10'020));
      await_told(2);
      BOOST_TEST(observer.told[1] == std::string("app.test 1: ") + row.text);
      for (int i = 0; i < 3; ++i) BOOST_TEST(questions_after(Millis(40'000), "app.test") > 0U);
      BOOST_TEST(observer.told.size() == 2U);
      BOOST_TEST(changes.size() == 1U);
      dns.a("app.test", {"10.0.0.1"}, 10);
      advance(Millis(40'000));
      await_told(3);
      BOOST_TEST(observer.told[2] == "app.test 1");
      BOOST_TEST(changes.size() == 1U);
      discovery.reset();
    }
  }
}

BOOST_AUTO_TEST_CASE(silence_keeps_the_last_good) {
  dns.a("app.test", {"10.0.0.1"}, 10);
  start({server("app.test")});
  await_changes(1);
  dns.fail("app.test", Dns::Fault::kSilent);
  advance(Millis(10'020));
  BOOST_TEST(observer.told.size() == 1U);
  advance(Millis(2'020));
  await_told(2);
  BOOST_TEST(observer.told[1] == "app.test 1: the name server does not answer");
  BOOST_TEST(changes.size() == 1U);
}

BOOST_AUTO_TEST_CASE(another_failure_is_told) {
  dns.fail("app.test", Dns::Fault::kNxDomain);
  start({server("app.test")});
  await_told(1);
  dns.fail("app.test", Dns::Fault::kGarbage);
  advance(Millis(1'300));
  await_told(2);
  dns.fail("app.test", Dns::Fault::kNxDomain);
  advance(Millis(2'600));
  await_told(3);
  BOOST_TEST(changes.empty());
  BOOST_TEST(observer.told[0] == "app.test 0: no such name");
  BOOST_TEST(observer.told[1] == "app.test 0: the name server's answer is malformed");
  BOOST_TEST(observer.told[2] == "app.test 0: no such name");
}

BOOST_AUTO_TEST_CASE(pauses_double_up_to_thirty_seconds_and_start_anew) {
  dns.fail("app.test", Dns::Fault::kNxDomain);
  start({server("app.test")});
  await_told(1);
  for (const int seconds : {1, 2, 4, 8, 16, 30, 30}) {
    BOOST_TEST_CONTEXT(seconds) {
      BOOST_TEST(questions_after(Seconds{seconds} - Millis(20), "app.test") == 0U);
      BOOST_TEST(questions_after(Millis(40 + 250 * seconds), "app.test") == 2U);
    }
  }
  dns.a("app.test", {"10.0.0.1"}, 10);
  advance(Millis(37'520));
  await_changes(1);
  dns.fail("app.test", Dns::Fault::kNxDomain);
  advance(Millis(10'020));
  await_told(3);
  BOOST_TEST(questions_after(Millis(1'290), "app.test") == 2U);
}

BOOST_AUTO_TEST_CASE(pauses_are_not_alike) {
  dns.fail("a.test", Dns::Fault::kNxDomain);
  dns.fail("b.test", Dns::Fault::kNxDomain);
  start({server("a.test"), server("b.test")});
  await_told(2);
  // Both within 1 s and 1.25 s, and not in the same tick.
  bool is_apart = false;
  std::size_t a = 0;
  std::size_t b = 0;
  for (int i = 0; i < 30; ++i) {
    a += questions_after(Millis(i == 0 ? 990 : 10), "a.test");
    b = dns.count("b.test") - 2;
    is_apart = is_apart || (a > 0) != (b > 0);
  }
  BOOST_TEST(a == 2U);
  BOOST_TEST(b == 2U);
  BOOST_TEST(is_apart);
}

BOOST_AUTO_TEST_CASE(servers_of_a_service) {
  dns.srv("_http._tcp.test", {{20, 9, 3002, "c.test"}, {10, 5, 3000, "a.test"}, {10, 0, 3001, "b.test"}});
  dns.a("a.test", {"10.0.0.1"});
  dns.a("b.test", {"10.0.0.2", "10.0.0.3"});
  dns.a("c.test", {"10.0.0.4"});
  ServerConfig config = service("_http._tcp.test");
  config.weight = 7;
  config.port = 1;
  start({config});
  pump_until(loop, "all servers", [&] { return last.size() == 4; });
  BOOST_TEST(changes.back() ==
             "10.0.0.1:3000 x5 for shop.test, 10.0.0.2:3001 for shop.test, 10.0.0.3:3001 for shop.test, "
             "10.0.0.4:3002 x9 backup for shop.test");
  BOOST_TEST(observer.told.front() == "_http._tcp.test 3");
}

BOOST_AUTO_TEST_CASE(flags_of_a_service_are_its_servers) {
  dns.srv("_http._tcp.test", {{10, 1, 80, "a.test"}, {20, 1, 80, "b.test"}});
  dns.a("a.test", {"10.0.0.1"});
  dns.a("b.test", {"10.0.0.2"});
  ServerConfig config = service("_http._tcp.test");
  config.is_backup = true;
  config.is_drain = true;
  start({config});
  pump_until(loop, "all servers", [&] { return last.size() == 2; });
  BOOST_TEST(changes.back() == "10.0.0.1:80 backup drain for shop.test, 10.0.0.2:80 backup drain for shop.test");
}

BOOST_AUTO_TEST_CASE(a_service_that_changes) {
  dns.srv("_http._tcp.test", {{10, 1, 80, "a.test"}, {20, 1, 80, "b.test"}}, 10);
  dns.a("a.test", {"10.0.0.1"});
  dns.a("b.test", {"10.0.0.2"});
  start({service("_http._tcp.test")});
  pump_until(loop, "all servers", [&] { return last.size() == 2; });
  await_server();
  const std::size_t asked = dns.count("b.test");
  dns.srv("_http._tcp.test", {{20, 3, 80, "b.test"}}, 10);
  advance(Millis(10'020));
  pump_until(loop, "a server less", [&] { return last.size() == 1; });
  BOOST_TEST(changes.back() == "10.0.0.2:80 x3 for shop.test");  // of the lowest priority now
  await_server();
  BOOST_TEST(dns.count("b.test") == asked);  // what is known of a target stays
}

BOOST_AUTO_TEST_CASE(servers_leave_a_service_only_when_it_is_known_what_follows) {
  dns.srv("_http._tcp.test", {{10, 1, 80, "old.test"}}, 10);
  dns.a("old.test", {"10.0.0.1"});
  start({service("_http._tcp.test")});
  await_changes(1);
  dns.srv("_http._tcp.test", {{10, 1, 80, "new.test"}, {10, 1, 80, "slow.test"}}, 600);
  dns.a("new.test", {"10.0.0.2"});
  dns.fail("slow.test", Dns::Fault::kSilent);
  advance(Millis(10'020));
  await_told(4);  // the service twice, old.test and new.test
  BOOST_TEST(changes.size() == 1U);
  advance(Millis(2'020));  // slow.test has had its time
  await_changes(2);
  BOOST_TEST(changes[1] == "10.0.0.2:80 for shop.test");
}

BOOST_AUTO_TEST_CASE(a_service_whose_new_targets_do_not_exist_keeps_the_old) {
  dns.srv("_http._tcp.test", {{10, 1, 80, "old.test"}}, 10);
  dns.a("old.test", {"10.0.0.1"});
  start({service("_http._tcp.test"), server("10.9.9.9")});
  await_changes(2);
  dns.srv("_http._tcp.test", {{10, 1, 80, "gone.test"}}, 60);
  advance(Millis(10'020));
  await_told(4);
  BOOST_TEST(observer.told.back() == "gone.test 0: no such name");
  BOOST_TEST(changes.size() == 2U);
  dns.a("gone.test", {"10.0.0.2"});
  advance(Millis(1'300));
  await_changes(3);
  BOOST_TEST(changes[2] == "10.0.0.2:80 for shop.test, 10.9.9.9:80 for 10.9.9.9");
}

BOOST_AUTO_TEST_CASE(a_service_that_fails_keeps_its_servers_and_follows_their_names) {
  dns.srv("_http._tcp.test", {{10, 1, 80, "a.test"}}, 10);
  dns.a("a.test", {"10.0.0.1"}, 15);
  start({service("_http._tcp.test")});
  await_changes(1);
  dns.fail("_http._tcp.test", Dns::Fault::kNxDomain);
  advance(Millis(10'020));
  await_told(3);
  BOOST_TEST(observer.told.back() == "_http._tcp.test 1: no such name");
  BOOST_TEST(changes.size() == 1U);
  dns.a("a.test", {"10.0.0.2"}, 15);
  advance(Millis(5'020));
  await_changes(2);
  BOOST_TEST(changes[1] == "10.0.0.2:80 for shop.test");
}

BOOST_AUTO_TEST_CASE(one_address_counts_once_and_another_authority_tells_it_apart) {
  dns.a("a.test", {"10.0.0.1"});
  dns.a("b.test", {"10.0.0.1"});
  ServerConfig twin = server("10.0.0.1");
  twin.weight = 9;
  start({server("10.0.0.1"), twin, server("a.test"), server("b.test"), server("10.0.0.1", 81)});
  pump_until(loop, "all servers", [&] { return last.size() == 4; });
  BOOST_TEST(changes.back() ==
             "10.0.0.1:80 for 10.0.0.1, 10.0.0.1:80 (a.test) for a.test, 10.0.0.1:80 (b.test) for b.test, "
             "10.0.0.1:81 for 10.0.0.1");
}

BOOST_AUTO_TEST_CASE(endpoints_are_bounded) {
  std::vector<ServerConfig> servers;
  for (int n = 0; n < 3; ++n) {
    const std::string name = "many" + std::to_string(n) + ".test";
    std::vector<std::string> ips;
    for (int i = 0; i < 100; ++i) ips.push_back("10.0." + std::to_string(n) + "." + std::to_string(i));
    dns.a(name, ips);
    servers.push_back(server(name));
  }
  start(servers);
  pump_until(loop, "three answers", [&] { return observer.told.size() == 3; });
  settle(loop);
  BOOST_REQUIRE(last.size() == Discovery::kMaxEndpoints);
  BOOST_TEST(last.front().name == "10.0.0.0:80");
  BOOST_TEST(last.back().name == "10.0.2.55:80");

  std::vector<ServerConfig> addresses;
  for (int i = 0; i < 300; ++i) {
    addresses.push_back(server("10.1." + std::to_string(i / 256) + "." + std::to_string(i % 256)));
  }
  start(addresses);
  BOOST_TEST(last.size() == Discovery::kMaxEndpoints);
}

BOOST_AUTO_TEST_CASE(what_another_has_found_is_known_from_the_start) {
  dns.srv("_http._tcp.test", {{10, 1, 80, "a.test"}, {20, 1, 80, "b.test"}}, 60);
  dns.a("a.test", {"10.0.0.1"}, 60);
  dns.a("b.test", {"10.0.0.2"}, 60);
  dns.a("app.test", {"10.0.0.3"}, 60);
  dns.fail("gone.test", Dns::Fault::kNxDomain);
  const std::vector<ServerConfig> servers = {service("_http._tcp.test"), server("app.test"), server("gone.test")};
  start(servers);
  BOOST_TEST(!discovery->is_settled());
  pump_until(loop, "every answer", [&] { return discovery->is_settled(); });
  const std::string all = "10.0.0.1:80 for shop.test, 10.0.0.2:80 backup for shop.test, 10.0.0.3:80 for app.test";
  BOOST_TEST(changes.back() == all);
  const std::vector<origin::Answer> known = discovery->answers();
  BOOST_TEST(known.size() == 4U);
  discovery.reset();
  changes.clear();
  for (const char* name : {"_http._tcp.test", "a.test", "b.test", "app.test"}) dns.fail(name, Dns::Fault::kServFail);
  start(servers, {}, known);
  BOOST_REQUIRE(changes.size() == 1U);  // before it returns
  BOOST_TEST(changes[0] == all);
  await_lookups();
  BOOST_TEST(changes.size() == 1U);  // and kept while the name servers fail
}

BOOST_AUTO_TEST_CASE(a_service_in_place_of_others_is_told_whole) {
  dns.fail("_http._tcp.test", Dns::Fault::kSilent);
  start({server("10.0.0.9"), server("10.0.0.8")});
  changes.clear();
  dns.srv("_http._tcp.test", {{10, 1, 80, "slow.test"}, {20, 1, 80, "spare.test"}}, 60);
  dns.a("spare.test", {"10.0.0.2"}, 60);
  dns.fail("slow.test", Dns::Fault::kSilent);
  discovery->set_servers({service("_http._tcp.test")});
  pump_until(loop, "the spare", [&] { return observer.told.size() == 2; });
  BOOST_TEST(changes.empty());
  advance(Millis(2'020));
  await_changes(1);
  BOOST_TEST(changes[0] == "10.0.0.2:80 backup for shop.test");
}

BOOST_AUTO_TEST_CASE(backups_do_not_stand_in_for_names_that_are_not_known_yet) {
  dns.fail("silent.test", Dns::Fault::kSilent);
  start({server("10.0.0.9")});
  changes.clear();
  ServerConfig spare = server("10.0.0.2");
  spare.is_backup = true;
  discovery->set_servers({server("silent.test"), spare});
  BOOST_TEST(changes.empty());
  await_server();
  advance(Millis(2'020));
  await_changes(1);
  BOOST_TEST(changes[0] == "10.0.0.2:80 backup for 10.0.0.2");
}

BOOST_AUTO_TEST_CASE(servers_that_are_kept_are_so_as_configured_now) {
  dns.srv("_http._tcp.test", {{10, 3, 80, "a.test"}, {20, 1, 80, "b.test"}}, 10);
  dns.a("a.test", {"10.0.0.1"}, 60);
  dns.a("b.test", {"10.0.0.2"}, 60);
  start({service("_http._tcp.test")});
  pump_until(loop, "all servers", [&] { return last.size() == 2; });
  dns.srv("_http._tcp.test", {{10, 1, 80, "gone.test"}}, 60);
  dns.fail("gone.test", Dns::Fault::kNxDomain);
  advance(Millis(10'020));
  pump_until(loop, "no such name", [&] { return observer.told.back() == "gone.test 0: no such name"; });
  ServerConfig changed = service("_http._tcp.test");
  changed.is_tls = true;
  changed.is_drain = true;
  discovery->set_servers({changed});
  BOOST_TEST(changes.back() == "10.0.0.1:80 x3 drain for shop.test, 10.0.0.2:80 backup drain for shop.test");
  BOOST_TEST(last[0].is_tls);
  BOOST_TEST(last[0].tls_name == "shop.test");
}

BOOST_AUTO_TEST_CASE(new_servers_leave_alone_what_is_known) {
  dns.srv("_http._tcp.test", {{10, 1, 80, "a.test"}}, 60);
  dns.a("a.test", {"10.0.0.1"}, 60);
  dns.a("app.test", {"10.0.0.2"}, 60);
  start({service("_http._tcp.test"), server("app.test"), server("10.9.9.9")});
  pump_until(loop, "all servers", [&] { return last.size() == 3; });
  await_lookups();
  const std::size_t asked = dns.count("a.test") + dns.count("app.test") + dns.count("_http._tcp.test");
  // No name server answers any more.
  for (const char* name : {"_http._tcp.test", "a.test", "app.test", "new.test"}) dns.fail(name, Dns::Fault::kSilent);
  changes.clear();
  ServerConfig heavy = server("app.test");
  heavy.weight = 5;
  discovery->set_servers({heavy, server("10.9.9.8"), service("_http._tcp.test")});
  BOOST_REQUIRE(changes.size() == 1U);  // before it returns: nothing is unknown
  BOOST_TEST(changes[0] == "10.0.0.2:80 x5 for app.test, 10.9.9.8:80 for 10.9.9.8, 10.0.0.1:80 for shop.test");
  discovery->set_servers({server("new.test"), heavy});
  BOOST_REQUIRE(changes.size() == 2U);
  BOOST_TEST(changes[1] == "10.0.0.2:80 x5 for app.test");
  advance(Millis(2'020));
  await_told(4);
  BOOST_TEST(observer.told.back() == "new.test 0: the name server does not answer");
  BOOST_TEST(dns.count("a.test") + dns.count("app.test") + dns.count("_http._tcp.test") == asked);
  dns.a("new.test", {"10.0.0.7"}, 60);
  advance(Millis(1'300));
  await_changes(3);
  BOOST_TEST(changes[2] == "10.0.0.7:80 for new.test, 10.0.0.2:80 x5 for app.test");
}

BOOST_AUTO_TEST_CASE(may_go_at_any_time) {
  dns.a("app.test", {"10.0.0.1"}, 10);
  dns.srv("_http._tcp.test", {{10, 1, 80, "app.test"}, {10, 1, 80, "silent.test"}}, 10);
  dns.fail("silent.test", Dns::Fault::kSilent);
  const std::vector<ServerConfig> servers = {server("app.test"), server("silent.test"), service("_http._tcp.test")};
  const auto before = FdCount::now();
  for (const int turns : {0, 1, 3, 30}) {
    BOOST_TEST_CONTEXT(turns) {
      start(servers);
      for (int i = 0; i < turns; ++i) loop.turn(net::Loop::Wait::kPoll);
      if (turns == 30) await_server();
      discovery.reset();
      const std::size_t told = observer.told.size();
      changes.clear();
      advance(Millis(60'000));
      BOOST_TEST(changes.empty());
      BOOST_TEST(observer.told.size() == told);
      BOOST_TEST(FdCount::now() == before);
      BOOST_TEST(!loop.timers().next_deadline().has_value());
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::test
