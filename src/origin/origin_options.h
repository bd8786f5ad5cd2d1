// What an operator may set per origin. Immutable once published with a configuration snapshot.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "net/proxy_protocol.h"
#include "net/tls_options.h"
#include "origin/server_client.h"

namespace seawall::origin {

enum class Balance : std::uint8_t { kRoundRobin, kLeastConn, kRandomTwo, kHash };

// One entry of `servers`: "http://10.0.0.5:3000 weight=2 backup".
struct ServerConfig {
  std::string url;   // as written, without its parameters
  std::string host;  // name or IP address without brackets; with SRV, the service name "_http._tcp.shop.example.com"
  std::uint16_t port = 80;
  std::string authority;  // "10.0.0.5:3000"; without the scheme's default port
  std::uint32_t weight = 1;
  bool is_backup = false;  // used when no other server can be
  bool is_drain = false;   // gets no new requests
  bool is_srv = false;     // discovered by SRV records: "srv+http://_http._tcp.shop.example.com"
  bool is_tls = false;     // "https://", "srv+https://"

  friend bool operator==(const ServerConfig&, const ServerConfig&) = default;
};

struct BreakerOptions {
  bool is_on = true;
  double failure_ratio = 0.5;  // of the calls within `window`
  Millis window{10'000};
  std::uint32_t min_requests = 20;     // calls within `window`, before the ratio says anything
  std::uint32_t connect_failures = 5;  // in a row, whatever the ratio
  Millis slow{0};                      // a head that takes longer counts as a failure; 0: none does
  Millis open{1'000};                  // first interval; doubles up to `open_max`, with jitter
  Millis open_max{60'000};
  std::uint32_t probes = 3;       // at once while half-open
  std::uint32_t close_after = 3;  // good probes

  friend bool operator==(const BreakerOptions&, const BreakerOptions&) = default;
};

struct LimitOptions {
  std::uint32_t in_flight = 256;  // requests at once, over all workers
  std::uint32_t queue = 512;      // waiting for a place
  Millis queue_wait{1'000};
  std::uint32_t route_percent = 50;       // of in_flight, for one route where several share the origin
  std::uint32_t background_percent = 25;  // of in_flight, for refreshes and queued fills
  bool is_adaptive = false;               // in_flight is then the ceiling of a limit that follows latency
  std::uint32_t adaptive_min = 8;

  friend bool operator==(const LimitOptions&, const LimitOptions&) = default;
};

struct RetryOptions {
  std::uint32_t tries = 2;            // all together; 1: no retries
  std::uint32_t budget_percent = 10;  // of the requests of the last 10 s
  std::uint32_t budget_min = 3;       // retries in 10 s that are allowed however few the requests
  bool idempotency_key = false;       // also POST and PATCH with an Idempotency-Key
  Millis hedge_after{0};              // a second try beside the first after so long without a head; 0: never

  friend bool operator==(const RetryOptions&, const RetryOptions&) = default;
};

struct HealthOptions {
  std::string path;  // empty: no active checks
  std::string host;  // of the check's Host field; empty: the server's authority
  Millis interval{5'000};
  Millis timeout{2'000};
  std::uint16_t status = 200;
  std::string body;  // must occur in the first 64 KiB of the response; empty: not looked at
  std::uint32_t rise = 2;
  std::uint32_t fall = 3;

  friend bool operator==(const HealthOptions&, const HealthOptions&) = default;
};

struct OutlierOptions {
  std::uint32_t max_ejected_percent = 50;  // of the servers may be out at once by passive ejection
  Millis slow_start{10'000};               // a server that comes back gets its share by and by; 0: at once

  friend bool operator==(const OutlierOptions&, const OutlierOptions&) = default;
};

struct OriginOptions {
  std::string name;
  std::vector<ServerConfig> servers;
  Balance balance = Balance::kRoundRobin;
  Protocol protocol = Protocol::kHttp1;
  net::TlsClientOptions tls;                                   // for the servers that are under TLS
  net::ProxyVersion proxy_protocol = net::ProxyVersion::kOff;  // a PROXY header in front of each connection
  ServerAccess access;  // made of the above when the configuration is taken into use
  ServerTimeouts timeouts;
  Millis total{30'000};               // until the head is there, retries included
  std::size_t idle_connections = 64;  // of one server, for each worker
  Millis idle_timeout{60'000};
  BreakerOptions breaker;
  LimitOptions limit;
  RetryOptions retry;
  HealthOptions health;
  OutlierOptions outlier;
  std::uint32_t routes = 1;  // that share this origin
};

}  // namespace seawall::origin
