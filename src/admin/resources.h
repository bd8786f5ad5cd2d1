// What the admin listener shows of origins, routes, memory and the disk cache: copies of their state at one moment, and
// those as JSON with HAL links. Thread: any; a copy is its holder's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "admin/message.h"
#include "base/clock.h"
#include "base/result.h"
#include "cache/disk_tier.h"
#include "cache/memory_packer.h"
#include "cache/store.h"
#include "fill/fill_queue.h"
#include "mem/allocator.h"
#include "obs/route_counters.h"
#include "origin/origin_state.h"
#include "proxy/router.h"

namespace seawall::admin {

struct OriginView {
  origin::OriginSnapshot state;
  fill::FillQueue::Stats fills;
};

struct RouteView {
  struct Storm {
    bool is_active = false;
    proxy::StormGuard::Cause cause = proxy::StormGuard::Cause::kNone;
    std::optional<Millis> since;  // how long ago the last one began
    std::uint64_t begun = 0;
    double misses_per_second = 0;
  };
  std::string name;
  std::string host;
  std::string path;
  std::string read_from;  // names of origins
  std::string write_to;
  proxy::MissPolicy miss = proxy::MissPolicy::kCollapse;
  Storm storm;
  obs::RouteSums sums;
  std::uint64_t stale = 0;
  std::uint64_t refreshed = 0;
  struct Share {
    std::uint64_t used_bytes = 0;
    std::uint64_t guaranteed_bytes = 0;
    std::uint64_t max_bytes = 0;  // 0: no bound of its own
  };
  Share memory{};
  Share disk{};
  std::uint64_t disk_evicted = 0;  // because of the maximum
};

// What is known of the memory beside the cache's own sums.
struct MemoryState {
  std::uint64_t configured_bytes = 0;       // cache.memory
  std::optional<AllocatorStats> allocator;  // nullopt: it is not jemalloc
  std::uint64_t resident_bytes = 0;         // of the process; 0: not known
};

// The budget, and all that is charged to it by what it is for.
struct MemoryView {
  MemoryState state;
  cache::StoreStats cache;
  std::uint64_t limit_bytes = 0;  // what may be charged at present
  std::uint64_t in_flight_bytes = 0;
  std::uint64_t disk_index_bytes = 0;
  std::optional<cache::PackStats> packing{};  // none: nothing is compressed

  // What is out of the index and held all the same, by slow readers and by what waits to be written to disk: the rest.
  std::uint64_t pinned_bytes() const;
};

struct DiskView {
  disk::TierStats stats;
  bool is_loaded = false;    // what was there at start is known
  std::uint64_t loaded = 0;  // responses read into memory
};

MemoryView memory_view(const MemoryState& state, cache::Store& store);
// All zero and without volumes when there is no disk cache (null).
DiskView disk_view(const cache::DiskTier* disk);

// In the order of the configuration.
std::vector<OriginView> origin_views(const proxy::Router& router, MonoTime now);
std::vector<RouteView> route_views(const proxy::Router& router, const cache::DiskTier* disk, MonoTime now);

AdminReply origins_reply(std::span<const OriginView> origins);
AdminReply routes_reply(std::span<const RouteView> routes);
AdminReply disk_reply(const DiskView& disk);
AdminReply memory_reply(const MemoryView& memory);
// One by its name; 404 names those that are there.
AdminReply origin_reply(std::span<const OriginView> origins, std::string_view name);
AdminReply route_reply(std::span<const RouteView> routes, std::string_view name);

struct Link {
  std::string_view rel;
  std::string_view href;  // a URI template (RFC 6570) when it holds a brace
  std::string_view title;
};
AdminReply index_reply(std::string_view self, std::span<const Link> links);

// The names that JSON and metrics share.
std::string_view name_of(origin::Breaker::State state);  // "closed", "open", "half-open"
std::string_view name_of(fill::FillClass klass);         // "miss", "revalidate", "refresh", "prefetch"

// Reads from disk that gave nothing, by why.
std::array<std::pair<disk::ReadStatus, std::uint64_t>, 5> read_failures(const disk::TierStats& stats);

struct NamedTimeout {
  std::string_view name;
  ErrorCode code;
};
inline constexpr std::array<NamedTimeout, 8> kTimeouts = {{{"connect", ErrorCode::kConnectTimeout},
                                                           {"dns", ErrorCode::kDnsTimeout},
                                                           {"first_byte", ErrorCode::kFirstByteTimeout},
                                                           {"between_bytes", ErrorCode::kBetweenBytesTimeout},
                                                           {"send", ErrorCode::kSendTimeout},
                                                           {"total", ErrorCode::kTotalTimeout},
                                                           {"stream", ErrorCode::kStreamTimeout},
                                                           {"queue", ErrorCode::kQueueTimeout}}};
// Of responses by status class; [0], no response, is not among them.
inline constexpr std::array<std::string_view, 6> kStatusClasses = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};

// Waiting and running: how much work there is.
std::uint64_t wanted(const fill::FillQueue::Stats& fills);

}  // namespace seawall::admin
