// The configuration as an immutable value: what the file, the flags and the defaults say together. Every module's own
// Options are filled here and nowhere else.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cache/store.h"
#include "disk/tier.h"
#include "encode/coder.h"
#include "fill/fill_schedule.h"
#include "fill/miss_events.h"
#include "fill/options.h"
#include "net/listen_options.h"
#include "net/resolver.h"
#include "net/tls_options.h"
#include "obs/access_log.h"
#include "obs/log.h"
#include "origin/origin_options.h"
#include "policy/encoding.h"
#include "policy/rules.h"
#include "proxy/options.h"

namespace seawall::config {

// Of the cache's memory or disk: a percentage, or bytes when those were given.
struct Share {
  double percent = 0;  // 0: none
  std::optional<std::uint64_t> bytes;

  bool is_none() const { return percent == 0 && !bytes; }
  std::uint64_t of(std::uint64_t total_bytes) const {
    return bytes ? *bytes : static_cast<std::uint64_t>(static_cast<double>(total_bytes) * percent / 100);
  }
  friend bool operator==(const Share&, const Share&) = default;
};

struct ShareConfig {
  Share guaranteed;
  Share max;  // none: no bound of its own
};

struct OriginConfig {
  origin::OriginOptions options;  // name, servers, guards
  fill::FillScheduleOptions fill;
  proxy::HostPolicy host_policy = proxy::HostPolicy::kPreserve;
};

struct RouteConfig {
  std::string name;       // as given, else "host path"
  std::string host;       // "*", exact, or "*.example.com"; lower case
  std::string path;       // exact, or a prefix ending in "*"
  std::string origin;     // of every request, unless:
  std::string read_from;  // GET and HEAD; empty: `origin`
  std::string write_to;   // all other methods; empty: `origin`
  proxy::MissOptions miss;
  proxy::StormOptions storm;
  policy::Rules rules;
  std::vector<http::Coding> encode;  // the codings that its responses are also kept in, the preferred one first
  ShareConfig memory;                // of the cache's, for its objects
  ShareConfig disk;                  // likewise
};

struct EncodeConfig {
  policy::EncodeRules rules;
  encode::Levels levels;
  unsigned threads = 1;
};

struct AdminOptions {
  std::string listen = "127.0.0.1:9180";  // "off"
  bool is_listen_given = false;           // else a taken port is a warning
  std::string socket;                     // path; "off"; empty: the default of default_admin_socket()
  bool is_socket_given = false;
  std::vector<std::string> purge_from;  // addresses and networks whose PURGE requests are obeyed: "10.0.0.0/8"
};

struct PushOptions {
  fill::MissEventOptions events;
  std::string file;     // JSON lines; "unix:PATH" is a stream socket; empty: none
  std::string webhook;  // "http://host:port/path"; empty: none
};

struct Config {
  std::vector<net::ListenOptions> listen;
  unsigned workers = 0;  // 0: one per core
  // Whose PROXY headers, Forwarded and X-Forwarded-* are believed: addresses, networks, and "unix" for Unix sockets.
  std::vector<std::string> trusted_proxies;
  proxy::SessionOptions session;
  proxy::EdgeOptions edge;
  net::TlsServerOptions tls;
  cache::StoreOptions cache;
  bool compress_memory = false;           // bodies that are seldom asked for
  std::vector<disk::VolumeOptions> disk;  // absolute paths; empty: memory alone
  std::uint64_t disk_max_object_bytes = 1 << 30;
  std::uint64_t disk_write_bytes_per_second = 0;  // averaged over a day; 0: no limit
  disk::ReadBackend disk_reads = disk::ReadBackend::kThreads;
  EncodeConfig encode;
  fill::FillOptions fill;
  net::ResolverOptions dns;
  AdminOptions admin;
  PushOptions push;
  obs::LogOptions log;
  obs::AccessLogOptions access_log;
  std::vector<OriginConfig> origins;
  std::vector<RouteConfig> routes;  // in order of precedence
};

}  // namespace seawall::config
