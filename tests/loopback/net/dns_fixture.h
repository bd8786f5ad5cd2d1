// A resolver that asks a scripted name server, in a loop on a clock that the test moves.
#pragma once

#include <boost/test/unit_test.hpp>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "net/loop.h"
#include "net/resolver.h"
#include "support/behave/dns.h"
#include "support/fd_count.h"
#include "support/manual_clock.h"
#include "support/pump.h"

namespace seawall::test {

struct DnsFixture {
  FdCount fds;
  ManualClock clock;
  net::Loop loop{0, clock};
  behave::Dns dns;
  std::optional<net::Resolver> resolver;

  DnsFixture() { make_resolver({}); }
  ~DnsFixture() {
    resolver.reset();
    settle(loop);
  }

  // Asks the scripted server unless `options` name others.
  void make_resolver(net::ResolverOptions options) {
    if (options.servers.empty()) options.servers = {dns.authority()};
    resolver.emplace(loop, std::move(options));
  }
  void advance(Millis by) {
    clock.advance(by);
    settle(loop);
  }
  // The server has seen every question sent before: it takes them in order.
  void await_server() {
    dns.a("barrier.test", {"192.0.2.1"});
    bool is_done = false;
    const auto lookup = resolver->resolve("barrier.test", 1, [&](const auto&) { is_done = true; });
    pump_until(loop, "an answer of the name server", [&] { return is_done; });
  }
};

inline std::vector<std::string> to_strings(const std::vector<net::Address>& addresses) {
  std::vector<std::string> out;
  for (const net::Address& address : addresses) out.push_back(address.to_string());
  return out;
}

inline std::string join(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? "" : " ") + part;
  return out;
}

}  // namespace seawall::test
