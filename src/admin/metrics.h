// /metrics: all that is counted, as Prometheus reads it. Label values are names of the configuration, of servers and of
// errors, never of clients or URLs. Thread: any.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "admin/purge_service.h"
#include "admin/resources.h"
#include "base/clock.h"
#include "cache/store.h"
#include "encode/encoder.h"
#include "fill/miss_events.h"
#include "http/header_map.h"
#include "net/certificate.h"
#include "obs/prometheus.h"
#include "proxy/edge_counters.h"
#include "proxy/h2_budget.h"

namespace seawall::admin {

// What belongs to no origin and no route.
struct ServerView {
  WallTime started;
  bool is_draining = false;
  std::uint64_t connections = 0;
  std::uint64_t reloads = 0;  // that were applied
  bool last_reload_failed = false;
  MemoryView memory;
  std::uint64_t fills_in_flight = 0;
  std::uint64_t waiters = 0;
  fill::MissEvents::Stats miss_events;
  PurgeService::Stats purge;
  DiskView disk{};
  std::optional<encode::Stats> encode{};
  const proxy::EdgeCounters* edge = nullptr;   // null: none
  std::span<const proxy::H2Counters> http2{};  // of each worker
  std::span<const Ref<const net::Certificate>> certificates{};
};

// Of several routes with one name, which share what is counted, the first. Adds what the kernel knows of this process.
std::string metrics_text(const ServerView& server, std::vector<RouteView> routes, std::span<const OriginView> origins,
                         obs::Prometheus::Format format);

// What a request's Accept prefers.
obs::Prometheus::Format wanted_format(const http::HeaderMap& request);

}  // namespace seawall::admin
