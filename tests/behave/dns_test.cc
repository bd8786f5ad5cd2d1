// Servers by name: resolved by the configured name servers, followed as the answers change, kept when these fail.
#include "support/behave/dns.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <map>

#include "support/behave/admin.h"

namespace seawall::behave {
namespace {

BOOST_AUTO_TEST_SUITE(behave_dns)

constexpr std::string_view kInMain = "/v1/origins/main";
constexpr std::string_view kService = "_http._tcp.shop.test";

// `server` may be several, with "\", \"" between them.
std::string config(const Dns& dns, const std::string& server, const std::string& lines = {}) {
  return "[dns]\nservers = [\"" + dns.authority() + "\"]\ntimeout = \"1s\"\nmin_ttl = \"1s\"\n" +
         std::string(kAdminSection) + "[[origin]]\nname = \"main\"\nservers = [\"" + server + "\"]\n" + lines +
         "\n[[route]]\nstorm = { enabled = false }\n";
}

std::string by_name(std::uint16_t port) {
  return "http://shop.test:" + std::to_string(port);
}

Reply named(const std::string& name) {
  return {.headers = {"Cache-Control: no-store"}, .body = name};
}

std::string nth(std::size_t n) {
  return "/" + std::to_string(n);
}

Dns::Srv srv(const Origin& origin, std::uint16_t priority = 10, std::uint16_t weight = 1) {
  return {.priority = priority, .weight = weight, .port = origin.port(), .target = "here.test"};
}

BOOST_AUTO_TEST_CASE(a_name_is_resolved_and_resolved_again_after_its_time) {
  Dns dns;
  dns.a("shop.test", {"127.0.0.1"}, 1);
  Origin origin;
  origin.otherwise(reply(named("a")));
  Seawall seawall(config(dns, by_name(origin.port())));
  BOOST_TEST(get(seawall, "/a").body == "a");
  BOOST_TEST(origin.seen("/a").headers.get("Host") == "a.test");
  // Twice at the start, for both families.
  BOOST_TEST(until([&] { return dns.count("shop.test") > 4; }));
  BOOST_TEST(get(seawall, "/b").body == "a");
  // The connection of before is still in use.
  BOOST_TEST(origin.connections() == 1U);
  BOOST_TEST(seawall.process().says("origin main: shop.test has 1 address"));
}

BOOST_AUTO_TEST_CASE(an_answer_counts_for_as_long_as_it_says) {
  Dns dns;
  dns.a("shop.test", {"127.0.0.1"}, 3600);
  dns.a("brief.test", {"127.0.0.1"}, 1);
  Origin origin;
  origin.otherwise(reply(named("a")));
  Seawall seawall(config(dns, by_name(origin.port()) + "\", \"http://brief.test:" + std::to_string(origin.port())));
  BOOST_TEST(until([&] { return dns.count("brief.test") > 4; }));
  BOOST_TEST(dns.count("shop.test") == 4U);
}

BOOST_AUTO_TEST_CASE(a_changed_address_is_followed_without_a_failed_request) {
  Dns dns;
  dns.a("shop.test", {"127.0.0.1"}, 1);
  Origin origin;
  origin.otherwise(reply(named("first")));
  // The same port on another address.
  const std::string second = "127.0.0.2:" + std::to_string(origin.port());
  Process other({seawall_binary(), "demo-origin", "--listen", second});
  BOOST_TEST(other.says("demo origin on"));
  Seawall seawall(config(dns, by_name(origin.port())));
  Admin admin(seawall);
  BOOST_TEST(get(seawall, "/1").body == "first");
  BOOST_TEST(admin.value(kInMain, "/servers/0/name") == origin.authority());
  dns.a("shop.test", {"127.0.0.2"}, 1);
  std::size_t n = 2;
  BOOST_TEST(until([&] {
    const Response response = get(seawall, nth(n++));
    // The other one knows none of these paths.
    BOOST_TEST((response.body == "first" || response.status == 404), response);
    return response.status == 404;
  }));
  BOOST_TEST(admin.value(kInMain, "/servers/0/name") == second);
  BOOST_TEST(admin.value(kInMain, "/servers/1/name") == "");
  const std::size_t before = origin.total();
  for (std::size_t i = 0; i < 5; ++i) BOOST_TEST(get(seawall, nth(n++)).status == 404);
  BOOST_TEST(origin.total() == before);
}

BOOST_AUTO_TEST_CASE(the_last_good_addresses_are_kept_when_the_name_servers_fail) {
  struct Row {
    Dns::Fault fault;
    const char* says;
  };
  for (const Row& row :
       {Row{Dns::Fault::kSilent, "shop.test: the name server does not answer"},
        Row{Dns::Fault::kServFail, "shop.test: no name server could be reached, or none gave a usable answer"},
        Row{Dns::Fault::kNxDomain, "shop.test: no such name"}}) {
    BOOST_TEST_CONTEXT(row.says) {
      Dns dns;
      dns.a("shop.test", {"127.0.0.1"}, 1);
      Origin origin;
      origin.otherwise(reply(named("a")));
      Seawall seawall(config(dns, by_name(origin.port())));
      BOOST_TEST(get(seawall, "/1").body == "a");
      dns.fail("shop.test", row.fault);
      BOOST_TEST(seawall.process().says(row.says));
      BOOST_TEST(seawall.process().says("the last known addresses stay in use"));
      for (std::size_t i = 2; i < 10; ++i) BOOST_TEST(get(seawall, nth(i)).body == "a");
    }
  }
}

BOOST_AUTO_TEST_CASE(a_name_that_is_not_there_at_the_start_is_a_quick_502_until_it_is) {
  Dns dns;
  dns.fail("shop.test", Dns::Fault::kNxDomain);
  Origin origin;
  origin.otherwise(reply(named("a")));
  Seawall seawall(config(dns, by_name(origin.port()), "breaker = { enabled = false }"));
  Admin admin(seawall);
  const auto begin = SteadyClock::now();
  for (std::size_t i = 0; i < 10; ++i) {
    const Response response = get(seawall, nth(i));
    BOOST_TEST(response.status == 502, response);
    BOOST_TEST(contains(response.cache_status(), "resolve-failed"), response);
    BOOST_TEST(contains(response.get("Proxy-Status"), "dns_error"), response);
  }
  BOOST_TEST((SteadyClock::now() - begin < Millis{2000}));
  BOOST_TEST(admin.value(kInMain, "/resolved") == "false");
  BOOST_TEST(seawall.process().says("shop.test: no such name; no address is known"));
  dns.a("shop.test", {"127.0.0.1"});
  std::size_t n = 100;
  BOOST_TEST(until([&] { return get(seawall, nth(n++)).body == "a"; }));
  BOOST_TEST(admin.value(kInMain, "/resolved") == "true");
}

BOOST_AUTO_TEST_CASE(a_service_has_ports_weights_and_priorities) {
  Origin a;
  Origin b;
  Origin spare;
  a.otherwise(reply(named("a")));
  b.otherwise(reply(named("b")));
  spare.otherwise(reply(named("spare")));
  Dns dns;
  dns.a("here.test", {"127.0.0.1"});
  dns.srv(kService, {srv(spare, 20), srv(a, 10, 3), srv(b, 10, 1)});
  Seawall seawall(config(dns, "srv+http://" + std::string(kService),
                         "retry = { tries = 3, budget_min = 100 }\nmax_ejected = \"100%\""));
  std::map<std::string, std::size_t> counts;
  for (std::size_t i = 0; i < 16; ++i) ++counts[get(seawall, nth(i)).body];
  BOOST_TEST(counts["a"] == 12U);
  BOOST_TEST(counts["b"] == 4U);
  a.stop();
  b.stop();
  for (std::size_t i = 20; i < 30; ++i) BOOST_TEST(get(seawall, nth(i)).body == "spare");
}

BOOST_AUTO_TEST_CASE(changes_of_a_service_are_followed_without_a_failed_request) {
  Origin a;
  Origin b;
  a.otherwise(reply(named("a")));
  b.otherwise(reply(named("b")));
  Dns dns;
  dns.a("here.test", {"127.0.0.1"});
  dns.srv(kService, {srv(a)}, 1);
  Seawall seawall(config(dns, "srv+http://" + std::string(kService)));
  BOOST_TEST(get(seawall, "/1").body == "a");
  dns.srv(kService, {srv(b)}, 1);
  std::size_t n = 2;
  BOOST_TEST(until([&] {
    const std::string body = get(seawall, nth(n++)).body;
    BOOST_TEST((body == "a" || body == "b"), body);
    return body == "b";
  }));
  const std::size_t before = a.total();
  for (std::size_t i = 0; i < 5; ++i) BOOST_TEST(get(seawall, nth(n++)).body == "b");
  BOOST_TEST(a.total() == before);
}

BOOST_AUTO_TEST_CASE(a_reload_keeps_servers_known_by_name_beside_those_by_address) {
  Dns dns;
  dns.a("shop.test", {"127.0.0.1"}, 60);
  Origin by_address;
  Origin named_one;
  for (Origin* origin : {&by_address, &named_one}) origin->otherwise(reply(named("x")));
  Seawall seawall(config(dns, "http://" + by_address.authority() + "\", \"" + by_name(named_one.port())));
  const Admin admin(seawall);
  BOOST_TEST(until([&] { return !admin.value(kInMain, "/servers/1/name").empty(); }));
  seawall.process().signal(SIGHUP);
  BOOST_TEST(seawall.process().says("reloaded"));
  BOOST_TEST(until([&] { return admin.metric("seawall_config_reloads_total") == 1; }));
  BOOST_TEST(!admin.value(kInMain, "/servers/1/name").empty());
  for (std::size_t i = 0; i < 4; ++i) BOOST_TEST(get(seawall, nth(i)).status == 200);
  BOOST_TEST(named_one.total() == 2U);
}

BOOST_AUTO_TEST_CASE(an_origin_that_comes_back_has_not_the_servers_of_before) {
  Dns dns;
  dns.a("shop.test", {"127.0.0.1"}, 60);
  dns.fail("gone.test", Dns::Fault::kNxDomain);
  Origin old;
  old.otherwise(reply(named("old")));
  const auto with = [&](const std::string& origins, const std::string& used) {
    const std::string dns_and_admin = config(dns, "");
    return dns_and_admin.substr(0, dns_and_admin.find("[[origin]]")) + origins + "[[route]]\norigin = \"" + used +
           "\"\n";
  };
  const auto origin = [](const std::string& name, const std::string& server) {
    return "[[origin]]\nname = \"" + name + "\"\nservers = [\"" + server + "\"]\n";
  };
  const std::string other = origin("other", "http://" + old.authority());
  Seawall seawall(with(other + origin("main", by_name(old.port())), "main"));
  const Admin admin(seawall);
  const std::string server_section = seawall.config().substr(0, seawall.config().find("[dns]"));
  auto reload = [&, n = 0](const std::string& rest) mutable {
    seawall.write_config(server_section + rest);
    seawall.process().signal(SIGHUP);
    BOOST_TEST(until([&] { return admin.metric("seawall_config_reloads_total") == n + 1; }));
    ++n;
  };
  BOOST_TEST(get(seawall, "/1").body == "old");
  reload(with(other, "other"));
  BOOST_TEST(admin.get(kInMain).status == 404);
  reload(with(other + origin("main", "http://gone.test"), "main"));
  BOOST_TEST(seawall.process().says("gone.test: no such name"));
  BOOST_TEST(get(seawall, "/2").status == 502);
  BOOST_TEST(admin.value(kInMain, "/servers/0/name") == "");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::behave
