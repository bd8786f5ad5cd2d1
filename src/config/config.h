// The configuration as an immutable value: what the file, the flags and the defaults say together. Every module's own
// Options are filled here and nowhere else.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cache/store.h"
#include "fill/options.h"
#include "obs/access_log.h"
#include "obs/log.h"
#include "origin/origin_client.h"
#include "policy/rules.h"
#include "proxy/options.h"

namespace seawall::config {

// addresses in origin::OriginOptions are resolved by the server at start, not here.
struct OriginConfig {
  std::string name;
  std::string url;   // as written: "http://10.0.0.5:3000"
  std::string host;  // "10.0.0.5"
  std::uint16_t port = 80;
  std::string authority;  // "10.0.0.5:3000", what HostPolicy::kOrigin sends
  origin::OriginTimeouts timeouts;
  Millis total{30'000};  // until the head is there; fill::FillOptions::total of its fetches
  std::size_t idle_connections = 64;
  Millis idle_timeout{60'000};
  proxy::HostPolicy host_policy = proxy::HostPolicy::kPreserve;
};

enum class MissPolicy : std::uint8_t { kCollapse, kPass };

struct RouteConfig {
  std::string name;  // as given, else "host path"
  std::string host;  // "*", exact, or "*.example.com"; lower case
  std::string path;  // exact, or a prefix ending in "*"
  std::string origin;
  MissPolicy miss = MissPolicy::kCollapse;
  policy::Rules rules;
};

struct Config {
  std::vector<std::string> listen;  // "ADDR:PORT"
  unsigned workers = 0;             // 0: one per core
  proxy::SessionOptions session;
  cache::StoreOptions cache;
  fill::FillOptions fill;
  obs::LogOptions log;
  obs::AccessLogOptions access_log;
  std::vector<OriginConfig> origins;
  std::vector<RouteConfig> routes;  // in order of precedence
};

}  // namespace seawall::config
