#include "server/snapshot.h"

#include <algorithm>
#include <memory>
#include <span>
#include <utility>

#include "base/rng.h"
#include "net/kernel_tls.h"
#include "net/loop.h"
#include "net/resolver.h"
#include "origin/discovery.h"

namespace seawall::server {
namespace {

constexpr std::uint16_t kHttpsPort = 443;
constexpr Millis kLongestResolve{4000};

std::size_t index_of(const config::Config& config, const std::string& name, const std::string& otherwise) {
  const std::string& wanted = name.empty() ? otherwise : name;
  const auto at = std::ranges::find_if(config.origins, [&](const auto& o) { return o.options.name == wanted; });
  return static_cast<std::size_t>(at - config.origins.begin());
}

// Where browsers find https: what expects a PROXY header is not for them, unless there is nothing else.
std::uint16_t find_https_port(std::span<const net::ListenOptions> listeners) {
  for (const bool expects_proxy : {false, true}) {
    for (const net::ListenOptions& listen : listeners) {
      if (!listen.takes_tls || !listen.path.empty() || listen.expects_proxy != expects_proxy) continue;
      if (const auto address = net::Address::parse(listen.address)) return address->port();
    }
  }
  return kHttpsPort;  // of a proxy in front of Unix sockets
}

std::expected<void, std::string> use_certificates(Snapshot& snapshot,
                                                  std::vector<Ref<const net::Certificate>> certificates,
                                                  const config::Config& config,
                                                  const std::shared_ptr<net::TicketKeys>& tickets,
                                                  std::size_t workers) {
  if (certificates.empty()) return {};
  std::vector<Ref<const net::TlsServer>> servers;
  for (std::size_t w = 0; w < workers; ++w) {
    auto tls = net::TlsServer::create(config.tls, certificates, tickets);
    if (!tls) return std::unexpected(std::move(tls.error()));
    servers.push_back(std::move(*tls));
  }
  snapshot.certificates = std::move(certificates);
  snapshot.tls = std::move(servers);
  snapshot.asks_client = config.tls.client_auth != net::ClientAuth::kOff;
  snapshot.uses_kernel = config.tls.kernel && net::kernel_offers_tls().is_offered;
  return {};
}

std::expected<void, std::string> load_certificates(Snapshot& snapshot, const config::Config& config,
                                                   const std::shared_ptr<net::TicketKeys>& tickets, std::size_t workers,
                                                   const Clock& clock) {
  std::vector<Ref<const net::Certificate>> certificates;
  for (const net::CertificateFiles& files : config.tls.certificates) {
    auto certificate = net::Certificate::load(files, clock.wall_now());
    if (!certificate) return std::unexpected(std::move(certificate.error()));
    certificates.push_back(std::move(*certificate));
  }
  return use_certificates(snapshot, std::move(certificates), config, tickets, workers);
}

}  // namespace

Renewal with_new_certificates(const Snapshot& old, const config::Config& config, Registry& registry,
                              const std::shared_ptr<net::TicketKeys>& tickets, const Clock& clock) {
  Renewal renewal{.snapshot = old};
  Snapshot& snapshot = renewal.snapshot;
  std::vector<Ref<const net::Certificate>> certificates = old.certificates;
  bool is_any_good = false;
  for (std::size_t i = 0; i < certificates.size(); ++i) {
    auto loaded = net::Certificate::load(config.tls.certificates[i], clock.wall_now());
    if (loaded) {
      certificates[i] = std::move(*loaded);
      is_any_good = true;
    } else {
      renewal.errors.push_back(std::move(loaded.error()));
    }
  }
  if (is_any_good) {
    if (auto used = use_certificates(snapshot, std::move(certificates), config, tickets, old.tls.size()); used) {
      renewal.has_changed = true;
    } else {
      renewal.errors.push_back(std::move(used.error()));
    }
  }
  for (config::OriginConfig& origin : snapshot.origins) {
    auto access = registry.access(origin);
    if (!access) {
      renewal.errors.push_back(std::move(access.error()));
    } else if (*access != origin.options.access) {
      origin.options.access = std::move(*access);
      registry.origin(origin);
      renewal.has_changed = true;
    }
  }
  return renewal;
}

std::expected<Snapshot, std::string> make_snapshot(const config::Config& config, Registry& registry,
                                                   const std::shared_ptr<net::TicketKeys>& tickets,
                                                   std::uint32_t workers, const Clock& clock) {
  Snapshot snapshot;
  if (auto loaded = load_certificates(snapshot, config, tickets, workers, clock); !loaded) {
    return std::unexpected(std::move(loaded.error()));
  }
  std::vector<proxy::Origin> origins;
  origins.reserve(config.origins.size());
  snapshot.origins = config.origins;
  for (config::OriginConfig& origin : snapshot.origins) {
    auto access = registry.access(origin);
    if (!access) return std::unexpected(std::move(access.error()));
    origin.options.access = std::move(*access);
    if (origin.options.proxy_protocol != net::ProxyVersion::kOff) snapshot.tells_addresses = true;
  }
  // Once all of them are good.
  for (const config::OriginConfig& origin : snapshot.origins) {
    const OriginRuntime runtime = registry.origin(origin);
    origins.push_back({.name = origin.options.name,
                       .authority = origin.options.servers.front().authority,
                       .host_policy = origin.host_policy,
                       .total = origin.options.total,
                       .state = runtime.state,
                       .fills = runtime.fills});
    snapshot.runtimes.push_back(runtime);
  }
  std::vector<proxy::Route> routes;
  routes.reserve(config.routes.size());
  for (const config::RouteConfig& route : config.routes) {
    routes.push_back({.name = route.name,
                      .host = route.host,
                      .path = route.path,
                      .read_from = index_of(config, route.read_from, route.origin),
                      .write_to = index_of(config, route.write_to, route.origin),
                      .miss = route.miss,
                      .storm = route.storm,
                      .rules = route.rules,
                      .encode = {.codings = route.encode, .rules = config.encode.rules, .levels = config.encode.levels},
                      .state = registry.route(route, config.cache.memory_bytes)});
  }
  registry.release_other_routes(config.routes);
  registry.release_other_origins(config.origins);
  snapshot.memory_bytes = config.cache.memory_bytes;
  snapshot.router = make_ref<const proxy::Router>(std::move(origins), std::move(routes), config.session, config.edge);
  for (const std::string& text : config.admin.purge_from) {
    if (auto network = net::Network::parse(text)) snapshot.purge_from.push_back(*network);
  }
  snapshot.https_port = find_https_port(config.listen);
  for (const std::string& text : config.trusted_proxies) {
    if (text == "unix") snapshot.trusts_unix = true;
    if (auto network = net::Network::parse(text)) snapshot.trusted_proxies.push_back(*network);
  }
  return snapshot;
}

void resolve_origins(Snapshot& snapshot, const Snapshot* before, const net::ResolverOptions& dns,
                     origin::Observer& observer, const Clock& clock) {
  net::Loop loop(0, clock);
  Rng rng(Rng::system_seed());
  net::Resolver resolver(loop, dns);
  std::vector<std::unique_ptr<origin::Discovery>> discoveries;
  std::vector<OriginRuntime*> asked;  // one for one
  for (std::size_t i = 0; i < snapshot.origins.size(); ++i) {
    const auto is_same = [&](const config::OriginConfig& o) {
      return o.options.name == snapshot.origins[i].options.name;
    };
    // The home worker's discovery goes on.
    if (before && std::ranges::any_of(before->origins, is_same)) continue;
    asked.push_back(&snapshot.runtimes[i]);
    const std::shared_ptr<origin::OriginState> state = asked.back()->state;
    discoveries.push_back(std::make_unique<origin::Discovery>(
        loop, resolver, snapshot.origins[i].options.name, snapshot.origins[i].options.servers, observer, dns, rng,
        [&, state](auto endpoints) { state->set_endpoints(std::move(endpoints), loop.mono_now()); }));
    discoveries.back()->on_failure([state](ErrorCode code) { state->on_unresolved(code); });
    discoveries.back()->start();
  }
  // The loop's timers end the wait: every lookup has its own, and so has this.
  bool is_over = false;
  Timer limit([&] { is_over = true; });
  loop.timers().arm(limit, loop.mono_now() + std::min(2 * dns.timeout, kLongestResolve));
  const auto is_settled = [](const auto& discovery) { return discovery->is_settled(); };
  while (!is_over && !std::ranges::all_of(discoveries, is_settled)) loop.turn(net::Loop::Wait::kBlock);
  for (std::size_t i = 0; i < asked.size(); ++i) asked[i]->answers = discoveries[i]->answers();
}

}  // namespace seawall::server
