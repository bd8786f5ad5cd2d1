// A configuration ready to serve: routes and origins joined with what lives under their names.
#pragma once

#include <vector>

#include "base/ref.h"
#include "config/config.h"
#include "net/network.h"
#include "proxy/router.h"
#include "server/registry.h"

namespace seawall::server {

struct Snapshot {
  Ref<const proxy::Router> router;
  std::vector<config::OriginConfig> origins;  // by the router's index
  std::vector<OriginRuntime> runtimes;        // likewise
  std::vector<net::Network> purge_from;
  std::vector<net::Network> trusted_proxies;
  bool trusts_unix = false;  // peers on Unix sockets
};

Snapshot make_snapshot(const config::Config& config, Registry& registry);

// Waits until the names of the origins are resolved, so that the first requests find them; at most as long as one
// lookup may take. What is not resolved by then is logged, and tried again while serving. Thread: the main thread.
void resolve_origins(const Snapshot& snapshot, const config::Config& config, origin::Observer& observer,
                     const Clock& clock);

}  // namespace seawall::server
