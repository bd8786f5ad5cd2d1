// Lookups against a scripted name server: addresses, services, their TTL, every kind of failure, and letting go.
#include "net/resolver.h"

#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <functional>
#include <string_view>

#include "dns_fixture.h"
#include "support/behave/socket.h"
#include "support/behave/wait.h"

namespace seawall::test {
namespace {

using behave::Dns;
using net::ResolvedSrv;
using net::ResolveError;
using net::Resolver;
using net::ResolverOptions;

struct ResolverFixture : DnsFixture {
  using Answer = std::expected<net::Resolved, ResolveError>;
  using SrvAnswer = std::expected<ResolvedSrv, ResolveError>;

  Answer resolve(const std::string& name, std::uint16_t port = 80) {
    std::optional<Answer> answer;
    const auto lookup = resolver->resolve(name, port, [&](Answer a) { answer = std::move(a); });
    BOOST_TEST(!answer.has_value());  // never inside resolve()
    pump_until(loop, name, [&] { return answer.has_value(); });
    return *answer;
  }
  SrvAnswer resolve_srv(const std::string& name) {
    std::optional<SrvAnswer> answer;
    const auto lookup = resolver->resolve_srv(name, [&](SrvAnswer a) { answer = std::move(a); });
    BOOST_TEST(!answer.has_value());
    pump_until(loop, name, [&] { return answer.has_value(); });
    return *answer;
  }
};

std::string describe(const ResolverFixture::Answer& answer) {
  return answer ? join(to_strings(answer->addresses)) : "error: " + answer.error().text;
}

std::string describe(const ResolverFixture::SrvAnswer& answer) {
  if (!answer) return "error: " + answer.error().text;
  std::vector<std::string> parts;
  for (const net::SrvTarget& t : answer->targets) {
    parts.push_back(t.host + ":" + std::to_string(t.port) + "/" + std::to_string(t.priority) + "/" +
                    std::to_string(t.weight));
  }
  return join(parts);
}

BOOST_FIXTURE_TEST_SUITE(net_resolver, ResolverFixture)

BOOST_AUTO_TEST_CASE(addresses_answer_themselves) {
  struct Row {
    const char* host;
    const char* want;
  };
  constexpr Row kRows[] = {
      {.host = "10.0.0.5", .want = "10.0.0.5:80"},
      {.host = "::1", .want = "[::1]:80"},
      {.host = "[2001:db8::7]", .want = "[2001:db8::7]:80"},
  };
  for (const Row& row : kRows) {
    BOOST_TEST_CONTEXT(row.host) {
      const auto answer = resolve(row.host);
      BOOST_TEST(describe(answer) == row.want);
      BOOST_TEST(answer->ttl.count() == 60);
      BOOST_TEST(dns.count(row.host) == 0U);
    }
  }
}

BOOST_AUTO_TEST_CASE(both_families_ipv4_first_sorted_and_unique) {
  dns.a("app.test", {"10.0.0.9", "10.0.0.10", "10.0.0.9", "9.0.0.1"});
  dns.aaaa("app.test", {"2001:db8::2", "2001:db8::1"});
  BOOST_TEST(describe(resolve("app.test", 3000)) ==
             "9.0.0.1:3000 10.0.0.9:3000 10.0.0.10:3000 [2001:db8::1]:3000 [2001:db8::2]:3000");
  BOOST_TEST(dns.count("app.test") == 2U);
}

BOOST_AUTO_TEST_CASE(one_family_is_enough) {
  dns.a("v4.test", {"10.0.0.1"});
  dns.aaaa("v6.test", {"2001:db8::1"});
  BOOST_TEST(describe(resolve("v4.test")) == "10.0.0.1:80");
  BOOST_TEST(describe(resolve("v6.test")) == "[2001:db8::1]:80");
}

BOOST_AUTO_TEST_CASE(ttl_is_the_lowest_within_the_options) {
  struct Row {
    const char* name;
    std::uint32_t a;
    std::uint32_t aaaa;
    std::uint32_t alias;
    int want;
  };
  constexpr Row kRows[] = {
      {.name = "as given", .a = 30, .aaaa = 30, .alias = 30, .want = 30},
      {.name = "of the IPv4 addresses", .a = 10, .aaaa = 30, .alias = 30, .want = 10},
      {.name = "of the IPv6 addresses", .a = 30, .aaaa = 11, .alias = 30, .want = 11},
      {.name = "of the alias", .a = 30, .aaaa = 30, .alias = 12, .want = 12},
      {.name = "zero", .a = 0, .aaaa = 30, .alias = 30, .want = 5},
      {.name = "below the least", .a = 4, .aaaa = 30, .alias = 30, .want = 5},
      {.name = "the least", .a = 5, .aaaa = 30, .alias = 30, .want = 5},
      {.name = "above the greatest", .a = 3600, .aaaa = 3600, .alias = 3600, .want = 40},
      {.name = "RFC 2181 8: the highest bit", .a = 0x80000000, .aaaa = 3600, .alias = 3600, .want = 5},
  };
  make_resolver({.min_ttl = Seconds{5}, .max_ttl = Seconds{40}});
  for (const Row& row : kRows) {
    BOOST_TEST_CONTEXT(row.name) {
      dns.a("target.test", {"10.0.0.1"}, row.a);
      dns.aaaa("target.test", {"::1"}, row.aaaa);
      dns.alias("alias.test", "target.test", row.alias);
      const auto answer = resolve("alias.test");
      BOOST_TEST(describe(answer) == "10.0.0.1:80 [::1]:80");
      BOOST_TEST(answer->ttl.count() == row.want);
    }
  }
}

BOOST_AUTO_TEST_CASE(the_hosts_file_comes_before_the_name_server) {
  dns.a("localhost", {"10.0.0.1"});
  const auto answer = resolve("localhost");
  BOOST_REQUIRE(answer.has_value());
  BOOST_TEST(answer->addresses.front().to_string() == "127.0.0.1:80");
  BOOST_TEST(dns.count("localhost") == 0U);
}

BOOST_AUTO_TEST_CASE(failures) {
  struct Row {
    const char* name;
    std::function<void(Dns&, std::string_view)> script;
    const char* text;
    bool is_negative;
  };
  const std::vector<Row> rows = {
      {.name = "unknown.test", .script = [](Dns&, auto) {}, .text = "no such name", .is_negative = true},
      {.name = "nx.test",
       .script = [](Dns& d, auto n) { d.fail(n, Dns::Fault::kNxDomain); },
       .text = "no such name",
       .is_negative = true},
      {.name = "nodata.test",
       .script = [](Dns& d, auto n) { d.srv(n, {{.port = 1, .target = "a.test"}}); },
       .text = "the name has no addresses",
       .is_negative = true},
      {.name = "dangling.test",
       .script = [](Dns& d, auto n) { d.alias(n, "nowhere.test"); },
       .text = "the name has no addresses",
       .is_negative = true},
      {.name = "servfail.test",
       .script = [](Dns& d, auto n) { d.fail(n, Dns::Fault::kServFail); },
       .text = "no name server could be reached, or none gave a usable answer",
       .is_negative = false},
      {.name = "refused.test",
       .script = [](Dns& d, auto n) { d.fail(n, Dns::Fault::kRefused); },
       .text = "no name server could be reached, or none gave a usable answer",
       .is_negative = false},
      {.name = "garbage.test",
       .script = [](Dns& d, auto n) { d.fail(n, Dns::Fault::kGarbage); },
       .text = "the name server's answer is malformed",
       .is_negative = false},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      row.script(dns, row.name);
      const auto answer = resolve(row.name);
      BOOST_TEST(describe(answer) == std::string("error: ") + row.text);
      BOOST_REQUIRE(!answer.has_value());
      BOOST_TEST(to_string(answer.error().code) == to_string(ErrorCode::kResolveFailed));
      BOOST_TEST(answer.error().is_negative == row.is_negative);
    }
  }
}

// c-ares reads a clock of its own, and so these two cannot have the test's.
BOOST_AUTO_TEST_CASE(an_answer_lost_is_asked_for_again) {
  const SystemClock real;
  net::Loop real_loop(0, real);
  Resolver real_resolver(real_loop, {.servers = {dns.authority()}, .timeout = Millis(2'000)});
  dns.fail("app.test", Dns::Fault::kSilent);
  std::optional<Answer> answer;
  const auto lookup = real_resolver.resolve("app.test", 80, [&](Answer a) { answer = std::move(a); });
  BOOST_REQUIRE(behave::until([&] { return dns.count("app.test") == 2; }));
  dns.a("app.test", {"10.0.0.1"});
  pump_until(real_loop, "an answer", [&] { return answer.has_value(); });
  BOOST_TEST(describe(*answer) == "10.0.0.1:80");
  BOOST_TEST(dns.count("app.test") > 2U);
}

BOOST_AUTO_TEST_CASE(a_name_server_that_is_not_there_says_nothing_of_the_name) {
  const SystemClock real;
  net::Loop real_loop(0, real);
  const std::string nobody = "127.0.0.1:" + std::to_string(behave::unused_port());
  Resolver real_resolver(real_loop, {.servers = {nobody}, .timeout = Millis(100)});
  std::optional<Answer> answer;
  const auto lookup = real_resolver.resolve("app.test", 80, [&](Answer a) { answer = std::move(a); });
  pump_until(real_loop, "an answer", [&] { return answer.has_value(); });
  BOOST_REQUIRE(!answer->has_value());
  BOOST_TEST(!answer->error().is_negative);
}

BOOST_AUTO_TEST_CASE(the_next_name_server_is_asked_when_one_fails) {
  Dns broken;
  broken.fail("app.test", Dns::Fault::kServFail);
  dns.a("app.test", {"10.0.0.1"});
  make_resolver({.servers = {broken.authority(), dns.authority()}});
  BOOST_TEST(describe(resolve("app.test")) == "10.0.0.1:80");
  BOOST_TEST(broken.count("app.test") == 2U);
}

BOOST_AUTO_TEST_CASE(name_servers_that_are_no_addresses) {
  make_resolver({.servers = {"not a server"}});
  BOOST_TEST(describe(resolve("app.test")) == "error: the name servers are not a list of addresses: not a server");
}

BOOST_AUTO_TEST_CASE(names_that_cannot_be) {
  const std::string label(64, 'a');
  std::string name;
  while (name.size() < 254) name += "abcdefg.";
  const std::vector<std::string> names = {"",         ".",
                                          "*",        "a..b",
                                          ".a",       "a b",
                                          "a/b",      "a:80",
                                          "a%eth0",   "\xc3\xa4",
                                          label,      label + ".test",
                                          name + "a", std::string("a\0b", 3),
                                          "a\\032b"};
  for (const std::string& bad : names) {
    BOOST_TEST_CONTEXT(bad) {
      BOOST_TEST(describe(resolve(bad)) == "error: not a valid name");
      BOOST_TEST(describe(resolve_srv(bad)) == "error: not a valid name");
    }
  }
}

BOOST_AUTO_TEST_CASE(silence_ends_with_the_timeout) {
  dns.fail("silent.test", Dns::Fault::kSilent);
  make_resolver({.timeout = Millis(700)});
  std::optional<Answer> answer;
  const auto lookup = resolver->resolve("silent.test", 80, [&](Answer a) { answer = std::move(a); });
  await_server();
  BOOST_TEST(dns.count("silent.test") == 2U);
  advance(Millis(680));
  BOOST_TEST(!answer.has_value());
  advance(Millis(40));
  BOOST_REQUIRE(answer.has_value());
  BOOST_TEST(describe(*answer) == "error: the name server does not answer");
  BOOST_TEST(to_string(answer->error().code) == to_string(ErrorCode::kDnsTimeout));
  BOOST_TEST(!answer->error().is_negative);
  BOOST_TEST(!loop.timers().next_deadline().has_value());
}

BOOST_AUTO_TEST_CASE(a_service_times_out_too) {
  dns.fail("_http._tcp.test", Dns::Fault::kSilent);
  std::optional<SrvAnswer> answer;
  const auto lookup = resolver->resolve_srv("_http._tcp.test", [&](SrvAnswer a) { answer = std::move(a); });
  advance(Millis(1980));
  BOOST_TEST(!answer.has_value());
  advance(Millis(40));
  BOOST_REQUIRE(answer.has_value());
  BOOST_TEST(to_string(answer->error().code) == to_string(ErrorCode::kDnsTimeout));
}

BOOST_AUTO_TEST_CASE(silence_about_one_family_leaves_the_other) {
  dns.a("app.test", {"10.0.0.1"});
  dns.fail_aaaa("app.test", Dns::Fault::kSilent);
  std::optional<Answer> answer;
  const auto lookup = resolver->resolve("app.test", 80, [&](Answer a) { answer = std::move(a); });
  await_server();
  settle(loop);
  BOOST_TEST(!answer.has_value());
  advance(Millis(2020));
  BOOST_REQUIRE(answer.has_value());
  BOOST_TEST(describe(*answer) == "10.0.0.1:80");
}

BOOST_AUTO_TEST_CASE(many_addresses_come_over_tcp_and_are_bounded) {
  std::vector<std::string> v4;
  std::vector<std::string> v6;
  for (int i = 0; i < 300; ++i) {
    v4.push_back("10.0." + std::to_string(i / 256) + "." + std::to_string(i % 256));
    v6.push_back("2001:db8::" + std::to_string(1000 + i));
  }
  dns.a("many.test", v4);
  dns.aaaa("many.test", v6);
  const auto answer = resolve("many.test");
  BOOST_REQUIRE(answer.has_value());
  BOOST_TEST(dns.asked_over_tcp() > 0U);
  BOOST_REQUIRE(answer->addresses.size() == 512U);
  BOOST_TEST(answer->addresses[0].to_string() == "10.0.0.0:80");
  BOOST_TEST(answer->addresses[255].to_string() == "10.0.0.255:80");
  BOOST_TEST(answer->addresses[256].to_string() == "[2001:db8::1000]:80");
  BOOST_TEST(answer->addresses[511].to_string() == "[2001:db8::1255]:80");
}

BOOST_AUTO_TEST_CASE(services) {
  struct Row {
    const char* name;
    std::vector<Dns::Srv> records;
    const char* want;
    bool is_negative = false;
  };
  const std::vector<Row> rows = {
      {.name = "by priority, host and port",
       .records = {{20, 5, 80, "c.test"}, {10, 7, 81, "b.test"}, {10, 3, 80, "b.test"}, {10, 0, 80, "a.test"}},
       .want = "a.test:80/10/0 b.test:80/10/3 b.test:81/10/7 c.test:80/20/5"},
      {.name = "in lower case, each once",
       .records = {{1, 2, 80, "App.Test"}, {1, 2, 80, "app.test"}, {2, 2, 80, "app.test"}},
       .want = "app.test:80/1/2 app.test:80/2/2"},
      {.name = "the greatest numbers",
       .records = {{65535, 65535, 65535, "a.test"}},
       .want = "a.test:65535/65535/65535"},
      {.name = "those that cannot be are left out",
       .records =
           {{1, 1, 80, "a b.test"}, {1, 1, 0, "a.test"}, {1, 1, 80, "a/b"}, {1, 1, 80, ""}, {1, 1, 80, "b.test"}},
       .want = "b.test:80/1/1"},
      {.name = "none that can be",
       .records = {{1, 1, 80, "a b.test"}, {1, 1, 80, ""}},
       .want = "error: no SRV record of the name has a usable host and port"},
      {.name = "RFC 2782: no such service",
       .records = {{0, 0, 0, ""}},
       .want = "error: the name has no SRV records",
       .is_negative = true},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      dns.srv("_http._tcp.test", row.records);
      const auto answer = resolve_srv("_http._tcp.test");
      BOOST_TEST(describe(answer) == row.want);
      if (!answer) BOOST_TEST(answer.error().is_negative == row.is_negative);
    }
  }
}

BOOST_AUTO_TEST_CASE(services_have_a_ttl) {
  make_resolver({.min_ttl = Seconds{5}, .max_ttl = Seconds{40}});
  struct Row {
    std::uint32_t ttl;
    int want;
  };
  for (const Row row : {Row{0, 5}, Row{7, 7}, Row{3600, 40}, Row{0xffffffff, 5}}) {
    BOOST_TEST_CONTEXT(row.ttl) {
      dns.srv("_http._tcp.test", {{1, 1, 80, "a.test"}}, row.ttl);
      BOOST_TEST(resolve_srv("_http._tcp.test")->ttl.count() == row.want);
    }
  }
  dns.srv("_http._tcp.test", {{1, 1, 80, "a.test"}}, 30);
  dns.alias("_web._tcp.test", "_http._tcp.test", 9);
  const auto answer = resolve_srv("_web._tcp.test");
  BOOST_TEST(describe(answer) == "a.test:80/1/1");
  BOOST_TEST(answer->ttl.count() == 9);
}

BOOST_AUTO_TEST_CASE(services_that_fail) {
  dns.a("host.test", {"10.0.0.1"});
  dns.fail("broken.test", Dns::Fault::kServFail);
  dns.fail("garbage.test", Dns::Fault::kGarbage);
  dns.alias("dangling.test", "nowhere.test");
  struct Row {
    const char* name;
    const char* text;
    bool is_negative;
  };
  constexpr Row kRows[] = {
      {.name = "unknown.test", .text = "no such name", .is_negative = true},
      {.name = "host.test", .text = "the name has no SRV records", .is_negative = true},
      {.name = "dangling.test", .text = "the name has no SRV records", .is_negative = true},
      {.name = "broken.test",
       .text = "no name server could be reached, or none gave a usable answer",
       .is_negative = false},
      {.name = "garbage.test", .text = "the name server's answer is malformed", .is_negative = false},
  };
  for (const Row& row : kRows) {
    BOOST_TEST_CONTEXT(row.name) {
      const auto answer = resolve_srv(row.name);
      BOOST_TEST(describe(answer) == std::string("error: ") + row.text);
      BOOST_REQUIRE(!answer.has_value());
      BOOST_TEST(answer.error().is_negative == row.is_negative);
    }
  }
}

BOOST_AUTO_TEST_CASE(many_targets_come_over_tcp_and_are_bounded) {
  std::vector<Dns::Srv> records;
  for (std::uint16_t i = 0; i < 200; ++i) {
    records.push_back({static_cast<std::uint16_t>(200 - i), 1, 80, "host" + std::to_string(i) + ".test"});
  }
  dns.srv("_http._tcp.test", records);
  const auto answer = resolve_srv("_http._tcp.test");
  BOOST_REQUIRE(answer.has_value());
  BOOST_TEST(dns.asked_over_tcp() == 1U);
  BOOST_REQUIRE(answer->targets.size() == 128U);
  BOOST_TEST(answer->targets.front().host == "host199.test");
  BOOST_TEST(answer->targets.back().priority == 128U);
}

BOOST_AUTO_TEST_CASE(many_lookups_at_once) {
  constexpr std::size_t kLookups = 50;
  std::vector<std::unique_ptr<Resolver::Lookup>> lookups;
  std::vector<std::string> answers(kLookups);
  std::size_t done = 0;
  for (std::size_t i = 0; i < kLookups; ++i) {
    const std::string name = "host" + std::to_string(i) + ".test";
    dns.a(name, {"10.0.0." + std::to_string(i)});
    lookups.push_back(resolver->resolve(name, 80, [&, i](const Answer& a) {
      answers[i] = describe(a);
      ++done;
    }));
  }
  pump_until(loop, "all answers", [&] { return done == kLookups; });
  for (std::size_t i = 0; i < kLookups; ++i) BOOST_TEST(answers[i] == "10.0.0." + std::to_string(i) + ":80");
}

BOOST_AUTO_TEST_CASE(a_lookup_that_is_dropped_never_calls) {
  dns.a("app.test", {"10.0.0.1"});
  dns.fail("silent.test", Dns::Fault::kSilent);
  const auto never = [](const Answer&) { BOOST_ERROR("called"); };
  for (const char* name : {"app.test", "silent.test", "10.0.0.1", "not a name", "localhost"}) {
    BOOST_TEST_CONTEXT(name) {
      const auto before = FdCount::now();
      auto at_once = resolver->resolve(name, 80, never);
      at_once.reset();
      auto later = resolver->resolve(name, 80, never);
      if (std::string_view(name).ends_with(".test")) {
        BOOST_TEST(behave::until([&] { return dns.count(name) == 4; }));  // its answer may be waiting
      }
      later.reset();
      advance(Millis(5'000));
      BOOST_TEST(FdCount::now() == before);
      BOOST_TEST(!loop.timers().next_deadline().has_value());
    }
  }
}

BOOST_AUTO_TEST_CASE(the_resolver_may_go_before_its_lookups) {
  dns.a("app.test", {"10.0.0.1"});
  dns.fail("silent.test", Dns::Fault::kSilent);
  const auto never = [](const auto&) { BOOST_ERROR("called"); };
  const auto address = resolver->resolve("app.test", 80, never);
  const auto silent = resolver->resolve("silent.test", 80, never);
  const auto service = resolver->resolve_srv("silent.test", never);
  const auto literal = resolver->resolve("10.0.0.1", 80, never);
  BOOST_TEST(behave::until([&] { return dns.count("app.test") == 2; }));
  resolver.reset();
  advance(Millis(5'000));
  BOOST_TEST(!loop.timers().next_deadline().has_value());
}

BOOST_AUTO_TEST_CASE(a_callback_may_drop_its_lookup_and_ask_again) {
  dns.a("app.test", {"10.0.0.1"});
  std::unique_ptr<Resolver::Lookup> lookup;
  int answers = 0;
  std::function<void(const Answer&)> again = [&](const Answer& answer) {
    BOOST_TEST(describe(answer) == "10.0.0.1:80");
    lookup.reset();
    if (++answers < 3) lookup = resolver->resolve("app.test", 80, again);
  };
  lookup = resolver->resolve("app.test", 80, again);
  pump_until(loop, "three answers", [&] { return answers == 3; });
}

BOOST_AUTO_TEST_CASE(a_callback_may_drop_the_resolver_and_other_lookups) {
  dns.a("app.test", {"10.0.0.1"});
  std::unique_ptr<Resolver::Lookup> other;
  bool is_done = false;
  const auto lookup = resolver->resolve("10.0.0.1", 80, [&](const Answer&) {
    other.reset();
    resolver.reset();
    is_done = true;
  });
  other = resolver->resolve("10.0.0.2", 80, [](const Answer&) { BOOST_ERROR("called"); });
  const auto third = resolver->resolve("app.test", 80, [](const Answer&) { BOOST_ERROR("called"); });
  pump_until(loop, "an answer", [&] { return is_done; });
  advance(Millis(5'000));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::test
