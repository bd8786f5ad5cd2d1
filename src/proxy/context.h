// What every transaction of a worker shares. Owned by the worker; thread: that worker.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/executor.h"
#include "base/rng.h"
#include "cache/store.h"
#include "encode/encoder.h"
#include "fill/fill_table.h"
#include "fill/miss_events.h"
#include "fill/upstream.h"
#include "http/coding.h"
#include "net/certificate.h"
#include "net/network.h"
#include "obs/access_log.h"
#include "proxy/connection_limits.h"
#include "proxy/edge_counters.h"
#include "proxy/h2_budget.h"
#include "proxy/router.h"

namespace seawall::proxy {

struct Context {
  Executor& executor;
  std::uint32_t workers = 1;
  cache::Store& store;
  fill::FillTable& fills;
  fill::MissEvents& miss_events;
  obs::AccessLog& access_log;
  Rng& rng;
  Ref<const Router> router;                // replaced on reload
  std::vector<fill::Upstream*> upstreams;  // by Router::origins' index
  fill::RunningFills& running;
  ConnectionLimits& connections;  // of clients, in the whole process
  EdgeCounters& edge;
  encode::Encoder* encoder = nullptr;   // null: nothing is encoded
  std::span<const H2Counters> http2{};  // of each worker
  std::span<const Ref<const net::Certificate>> certificates{};
  std::span<const net::Network> purge_from{};       // whose PURGE requests are obeyed
  std::span<const net::Network> trusted_proxies{};  // whose Forwarded and X-Forwarded-* are believed
  bool trusts_unix = false;                         // and whoever comes by a Unix socket
  bool is_draining = false;
  std::string scratch{};  // for look-ups
  http::RecentCodingWeights coding_weights{};
};

}  // namespace seawall::proxy
