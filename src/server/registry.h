// What lives as long as the name of an origin or a route, over reloads. Thread: the main thread.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cache/store.h"
#include "config/config.h"
#include "fill/fill_queue.h"
#include "origin/discovery.h"
#include "origin/observer.h"
#include "origin/origin_state.h"
#include "proxy/route_state.h"

namespace seawall::server {

struct OriginRuntime {
  std::shared_ptr<origin::OriginState> state;
  std::shared_ptr<fill::FillQueue> fills;
  std::vector<origin::Answer> answers{};  // found before it is served: see resolve_origins()
};

class Registry {
 public:
  Registry(origin::Observer& observer, const Clock& clock, cache::Store& store, std::uint32_t workers)
      : observer_(observer), clock_(clock), store_(store), workers_(workers) {}

  // How its servers are spoken to; what was loaded for TLS is kept while its options and their files stay the same. The
  // error is text for a person.
  std::expected<origin::ServerAccess, std::string> access(const config::OriginConfig& config);
  // Makes it or brings it up to date.
  OriginRuntime origin(const config::OriginConfig& config);
  // Those that there are not any more are forgotten: another may come under the name.
  void release_other_origins(std::span<const config::OriginConfig> origins);
  std::shared_ptr<proxy::RouteState> route(const config::RouteConfig& config, std::size_t memory_bytes);
  // Routes that there are not any more have neither a guarantee nor a maximum.
  void release_other_routes(std::span<const config::RouteConfig> routes);

 private:
  origin::Observer& observer_;
  const Clock& clock_;
  cache::Store& store_;
  std::uint32_t workers_;
  std::uint32_t next_route_ = 0;
  std::map<std::string, OriginRuntime> origins_;
  struct Trust {
    std::shared_ptr<const net::TlsClientContext> context;
    std::string files;  // what they held
  };
  std::map<std::string, Trust> tls_;  // by origin
  std::map<std::string, std::shared_ptr<proxy::RouteState>> routes_;
};

}  // namespace seawall::server
