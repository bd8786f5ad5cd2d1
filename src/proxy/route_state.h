// What belongs to a route's name and not to one configuration of it: its counters, whether it is spared at present, and
// its share of memory. Lives over reloads. Thread: any.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <utility>

#include "base/ref.h"
#include "cache/share_group.h"
#include "obs/route_counters.h"
#include "proxy/storm.h"

namespace seawall::proxy {

struct RouteState {
  RouteState(std::string route_name, std::uint32_t route_id, std::uint32_t workers, const StormOptions& storm_options)
      : name(std::move(route_name)), id(route_id), counters(workers), storm(storm_options) {}

  const std::string name;
  const std::uint32_t id;  // whose share of an origin its requests take
  obs::RouteCounters counters;
  StormGuard storm;
  Ref<cache::ShareGroup> share;             // of the cache's memory; null: no bound of its own. Set before it is used.
  std::atomic<std::uint64_t> stale{0};      // answers that were stale because the origin failed or was spared
  std::atomic<std::uint64_t> refreshed{0};  // background refreshes begun: stale-while-revalidate, and ahead of expiry
};

// A route that goes into storm mode or out of it is news.
void log_storm(const RouteState& route, StormGuard::Change change, MonoTime now);

}  // namespace seawall::proxy
