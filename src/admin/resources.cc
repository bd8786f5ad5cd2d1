#include "admin/resources.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <numeric>

#include "config/diagnostics.h"
#include "http/chars.h"

namespace seawall::admin {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kOrigins = "/v1/origins";
constexpr std::string_view kRoutes = "/v1/routes";
constexpr std::string_view kDisk = "/v1/disk";
constexpr std::string_view kMemory = "/v1/memory";
// Names in the detail of a problem; a configuration may have hundreds.
constexpr std::size_t kMaxNamed = 20;

AdminReply reply_of(const Json& document) {
  // Names of the configuration and of servers need not be UTF-8.
  return {.content_type = "application/hal+json",
          .body = document.dump(2, ' ', false, Json::error_handler_t::replace) + '\n'};
}

std::string href_of(std::string_view collection, std::string_view name) {
  std::string href(collection);
  href += '/';
  for (const char c : name) {
    if (http::is_class(c, http::kUnreservedChar)) {
      href += c;
    } else {
      href += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return href;
}

Json link_to(std::string_view href) {
  return Json{{"href", href}};
}

std::string_view text_of(proxy::MissPolicy policy) {
  switch (policy) {
    case proxy::MissPolicy::kCollapse: return "collapse";
    case proxy::MissPolicy::kAsync: return "async";
    case proxy::MissPolicy::kPush: return "push";
    case proxy::MissPolicy::kStaleOnly: return "stale-only";
    case proxy::MissPolicy::kPass: return "pass";
  }
  return "";
}

const std::string& key_of(const OriginView& origin) {
  return origin.state.name;
}

const std::string& key_of(const RouteView& route) {
  return route.name;
}

Json percentiles(const std::array<Millis, 3>& waits) {
  return Json{{"p50", waits[0].count()}, {"p90", waits[1].count()}, {"p99", waits[2].count()}};
}

Json to_json(const fill::FillQueue::Stats& fills) {
  Json waiting = Json::object();
  for (std::size_t i = 0; i < fills.waiting.size(); ++i) {
    waiting[std::string(name_of(static_cast<fill::FillClass>(i)))] = fills.waiting[i];
  }
  return Json{{"wanted", wanted(fills)},  {"running", fills.running}, {"allowed", fills.allowed},
              {"waiting", waiting},       {"limit", fills.limit},     {"wait_ms", percentiles(fills.wait)},
              {"begun", fills.begun},     {"ended", fills.ended},     {"failed", fills.failed},
              {"refused", fills.refused}, {"expired", fills.expired}};
}

Json to_json(const origin::OriginSnapshot::OfServer& server) {
  return Json{{"name", server.name},
              {"weight", server.weight},
              {"backup", server.is_backup},
              {"drain", server.is_drain},
              {"healthy", server.is_healthy},
              {"usable", server.is_usable},
              {"breaker", name_of(server.breaker)},
              {"history", server.history},
              {"checks", server.checks},
              {"in_flight", server.in_flight},
              {"requests", server.requests},
              {"failures", server.failures}};
}

Json breaker_of(const origin::OriginSnapshot& origin) {
  return Json{{"state", name_of(origin.breaker)},
              {"failures", origin.window.failures},
              {"calls", origin.window.calls},
              {"opened_total", origin.breaker_opened},
              {"retry_after_ms", origin.retry_after.count()}};
}

Json to_json(const disk::VolumeStats& volume) {
  Json json{{"path", volume.path},
            {"state", to_string(volume.state)},
            {"capacity_bytes", volume.capacity_bytes},
            {"used_bytes", volume.used_bytes},
            {"pinned_bytes", volume.pinned_bytes},
            {"objects", volume.objects},
            {"segments", volume.segments},
            {"journal_bytes", volume.journal_bytes},
            {"backlog_bytes", volume.backlog_bytes},
            {"read_backend", to_string(volume.read_backend)},
            {"reads_waiting", volume.reads_waiting},
            {"read_errors", volume.read_errors},
            {"write_errors", volume.write_errors},
            {"times_out_of_service", volume.times_out_of_service}};
  if (!volume.trouble.empty()) json["trouble"] = volume.trouble;
  return json;
}

Json to_json(const DiskView& view) {
  const disk::TierStats& s = view.stats;
  Json puts = Json::object();
  for (std::size_t i = 0; i < disk::kPutStatuses; ++i) {
    puts[std::string(to_string(static_cast<disk::PutStatus>(i)))] = s.puts[i];
  }
  Json failures = Json::object();
  for (const auto& [status, count] : read_failures(s)) failures[std::string(to_string(status))] = count;
  Json volumes = Json::array();
  for (const disk::VolumeStats& volume : s.volumes) volumes.push_back(to_json(volume));
  return Json{{"_links", {{"self", link_to(kDisk)}}},
              {"loaded", view.is_loaded},
              {"objects", s.objects},
              {"index_bytes", s.index_bytes},
              {"lookups", s.lookups},
              {"found", s.found},
              {"loads", view.loaded},
              {"reads", {{"total", s.reads}, {"bytes", s.read_bytes}, {"failures", failures}}},
              {"puts", puts},
              {"put_bytes", s.put_bytes},
              {"written_bytes", s.written_bytes},
              {"erased", s.erased},
              {"evicted", s.evicted},
              {"reinserted", s.reinserted},
              {"compression",
               {{"bytes_in", s.lz4_bytes_in}, {"bytes_out", s.lz4_bytes_out}, {"skipped_bytes", s.lz4_skipped_bytes}}},
              {"journal", {{"entries", s.journal_entries}, {"commits", s.journal_commits}}},
              {"volumes", volumes}};
}

Json to_json(const cache::PackStats& packing, const cache::StoreStats& cache) {
  return {{"objects", cache.packed},
          {"bytes", cache.packed_bytes},
          {"uncompressed_bytes", cache.packed_raw_bytes},
          {"answers", packing.answers},
          {"compressed", packing.packed},
          {"compressed_bytes_in", packing.packed_raw_bytes},
          {"compressed_bytes_out", packing.packed_bytes},
          {"decompressed", packing.unpacked},
          {"dropped",
           {{"no_gain", packing.no_gain},
            {"queue_full", packing.queue_full},
            {"no_room", packing.no_room},
            {"outdated", packing.outdated}}},
          {"compress_seconds", static_cast<double>(packing.pack_ns) / 1e9},
          {"decompress_seconds", static_cast<double>(packing.unpack_ns) / 1e9}};
}

Json to_json(const MemoryView& memory) {
  const cache::StoreStats& cache = memory.cache;
  Json json{{"_links", {{"self", link_to(kMemory)}}},
            {"configured_bytes", memory.state.configured_bytes},
            {"limit_bytes", memory.limit_bytes},
            {"used_bytes", cache.budget_used_bytes},
            {"used",
             {{"bodies_bytes", cache.stored_body_bytes},
              {"heads_bytes", cache.stored_head_bytes},
              {"index_bytes", cache.index_bytes},
              {"ghosts_bytes", cache.ghost_bytes},
              {"disk_index_bytes", memory.disk_index_bytes},
              {"in_flight_bytes", memory.in_flight_bytes},
              {"pinned_bytes", memory.pinned_bytes()}}},
            {"objects", cache.objects},
            {"evictions", cache.evictions},
            {"rejected", cache.rejected},
            {"resident_bytes", memory.state.resident_bytes}};
  if (memory.packing) json["compression"] = to_json(*memory.packing, cache);
  if (const auto& allocator = memory.state.allocator) {
    json["allocator"] = Json{{"allocated_bytes", allocator->allocated},
                             {"active_bytes", allocator->active},
                             {"metadata_bytes", allocator->metadata},
                             {"resident_bytes", allocator->resident},
                             {"retained_bytes", allocator->retained}};
  }
  return json;
}

Json to_json(const RouteView::Share& share) {
  Json json{{"used_bytes", share.used_bytes}, {"guaranteed_bytes", share.guaranteed_bytes}, {"max_bytes", nullptr}};
  if (share.max_bytes > 0) json["max_bytes"] = share.max_bytes;
  return json;
}

Json disk_share_json(const RouteView& route) {
  Json json = to_json(route.disk);
  json["evicted"] = route.disk_evicted;
  return json;
}

Json to_json(const OriginView& view) {
  const origin::OriginSnapshot& origin = view.state;
  Json responses = Json::object();
  for (std::size_t i = 1; i < origin.statuses.size(); ++i) {
    responses[std::string(kStatusClasses[i])] = origin.statuses[i];
  }
  Json errors = Json::object();
  for (std::size_t i = 0; i < origin.errors.size(); ++i) {
    if (origin.errors[i] > 0) errors[std::string(to_string(static_cast<ErrorCode>(i)))] = origin.errors[i];
  }
  Json timeouts = Json::object();
  for (const NamedTimeout& timeout : kTimeouts) {
    timeouts[std::string(timeout.name)] = origin.errors[static_cast<std::size_t>(timeout.code)];
  }
  Json servers = Json::array();
  for (const auto& server : origin.servers) servers.push_back(to_json(server));
  return Json{{"_links", {{"self", link_to(href_of(kOrigins, origin.name))}}},
              {"name", origin.name},
              {"resolved", origin.is_resolved},
              {"breaker", breaker_of(origin)},
              {"back_off_ms", origin.back_off.count()},
              {"in_flight", origin.in_flight},
              {"background", origin.background},
              {"limit", origin.limit},
              {"queue",
               {{"length", origin.queued}, {"limit", origin.queue_limit}, {"wait_ms", percentiles(origin.queue_wait)}}},
              {"saturation", origin.saturation},
              {"requests", origin.requests},
              {"retries", origin.retries},
              {"hedges", origin.hedges},
              {"responses", responses},
              {"errors", errors},
              {"timeouts", timeouts},
              {"fills", to_json(view.fills)},
              {"servers", servers}};
}

Json to_json(const RouteView& route) {
  Json requests = Json::object();
  for (std::size_t i = 0; i < obs::kCacheResults; ++i) {
    std::uint64_t sum = 0;
    for (const auto& of_class : route.sums.requests) sum += of_class[i];
    requests[std::string(to_string(static_cast<obs::CacheResult>(i)))] = sum;
  }
  Json storm{{"active", route.storm.is_active},
             {"cause", to_string(route.storm.cause)},
             {"since_ms_ago", nullptr},
             {"begun_total", route.storm.begun},
             {"misses_per_second", route.storm.misses_per_second}};
  if (route.storm.since) storm["since_ms_ago"] = route.storm.since->count();
  return Json{{"_links",
               {{"self", link_to(href_of(kRoutes, route.name))},
                {"read_from", link_to(href_of(kOrigins, route.read_from))},
                {"write_to", link_to(href_of(kOrigins, route.write_to))}}},
              {"name", route.name},
              {"host", route.host},
              {"path", route.path},
              {"read_from", route.read_from},
              {"write_to", route.write_to},
              {"miss", text_of(route.miss)},
              {"storm", storm},
              {"requests", requests},
              {"stale", route.stale},
              {"refreshed", route.refreshed},
              {"memory", to_json(route.memory)},
              {"disk", disk_share_json(route)}};
}

template <typename View>
AdminReply collection_reply(std::string_view href, std::string_view rel, std::span<const View> views) {
  Json embedded = Json::array();
  for (const View& view : views) embedded.push_back(to_json(view));
  return reply_of(Json{{"_links", {{"self", link_to(href)}}}, {"_embedded", {{std::string(rel), embedded}}}});
}

template <typename View>
AdminReply member_reply(std::string_view href, std::string_view kind, std::span<const View> views,
                        std::string_view name) {
  const auto at = std::ranges::find_if(views, [&](const View& view) { return key_of(view) == name; });
  if (at != views.end()) return reply_of(to_json(*at));
  std::string known;
  for (const View& view : views.first(std::min(views.size(), kMaxNamed))) {
    known += known.empty() ? "" : ", ";
    known += config::quote(key_of(view));
  }
  if (views.size() > kMaxNamed) known += fmt::format(" and {} more", views.size() - kMaxNamed);
  return problem(404, "Not Found",
                 fmt::format("no {} is named {}; known: {}; see {}", kind, config::quote(name),
                             known.empty() ? "none" : known, href));
}

}  // namespace

std::string_view name_of(origin::Breaker::State state) {
  switch (state) {
    case origin::Breaker::State::kClosed: return "closed";
    case origin::Breaker::State::kOpen: return "open";
    case origin::Breaker::State::kHalfOpen: return "half-open";
  }
  return "";
}

std::string_view name_of(fill::FillClass klass) {
  switch (klass) {
    case fill::FillClass::kMiss: return "miss";
    case fill::FillClass::kRevalidate: return "revalidate";
    case fill::FillClass::kRefresh: return "refresh";
    case fill::FillClass::kPrefetch: return "prefetch";
  }
  return "";
}

std::uint64_t wanted(const fill::FillQueue::Stats& fills) {
  return std::accumulate(fills.waiting.begin(), fills.waiting.end(), std::uint64_t{fills.running});
}

std::array<std::pair<disk::ReadStatus, std::uint64_t>, 5> read_failures(const disk::TierStats& stats) {
  using enum disk::ReadStatus;
  return {{{kGone, stats.reads_gone},
           {kCorrupt, stats.reads_corrupt},
           {kFailed, stats.reads_failed},
           {kBusy, stats.reads_busy},
           {kTimeout, stats.reads_timeout}}};
}

MemoryView memory_view(const MemoryState& state, cache::Store& store) {
  return {.state = state,
          .cache = store.stats(),
          .limit_bytes = store.budget().limit_bytes(),
          .in_flight_bytes = store.budget().in_flight_bytes(),
          .disk_index_bytes = store.disk() ? store.disk()->stats().index_bytes : 0,
          .packing = store.packer() ? std::optional(store.packer()->stats()) : std::nullopt};
}

std::uint64_t MemoryView::pinned_bytes() const {
  const std::uint64_t known = cache.stored_body_bytes + cache.stored_head_bytes + cache.index_bytes +
                              cache.ghost_bytes + disk_index_bytes + in_flight_bytes;
  return cache.budget_used_bytes - std::min(known, cache.budget_used_bytes);
}

DiskView disk_view(const cache::DiskTier* disk) {
  if (disk == nullptr) return {};
  return {.stats = disk->stats(), .is_loaded = disk->is_loaded(), .loaded = disk->loaded()};
}

std::vector<OriginView> origin_views(const proxy::Router& router, MonoTime now) {
  std::vector<OriginView> views;
  views.reserve(router.origins().size());
  for (const proxy::Origin& origin : router.origins()) {
    views.push_back({.state = origin.state->snapshot(now), .fills = origin.fills->stats(now)});
  }
  return views;
}

std::vector<RouteView> route_views(const proxy::Router& router, const cache::DiskTier* disk, MonoTime now) {
  std::vector<RouteView> views;
  views.reserve(router.routes().size());
  for (const proxy::Route& route : router.routes()) {
    const proxy::RouteState& state = *route.state;
    RouteView view{.name = route.name,
                   .host = route.host,
                   .path = route.path,
                   .read_from = router.origins()[route.read_from].name,
                   .write_to = router.origins()[route.write_to].name,
                   .miss = route.miss.policy,
                   .storm = {.is_active = state.storm.is_active(),
                             .cause = state.storm.cause(),
                             .begun = state.storm.begun_total(),
                             .misses_per_second = state.storm.misses_per_second(now)},
                   .sums = state.counters.sum(),
                   .stale = state.stale.load(std::memory_order_relaxed),
                   .refreshed = state.refreshed.load(std::memory_order_relaxed)};
    if (state.share) {
      view.memory = {.used_bytes = state.share->used_bytes(),
                     .guaranteed_bytes = state.share->guaranteed_bytes(),
                     .max_bytes = state.share->max_bytes()};
    }
    if (state.share && disk) {
      const disk::GroupUse use = disk->use_of(*state.share);
      view.disk = {.used_bytes = use.used_bytes,
                   .guaranteed_bytes = use.bounds.guaranteed_bytes,
                   .max_bytes = use.bounds.max_bytes};
      view.disk_evicted = use.evicted;
    }
    if (view.storm.begun > 0) view.storm.since = std::chrono::floor<Millis>(now - state.storm.since());
    views.push_back(std::move(view));
  }
  return views;
}

AdminReply origins_reply(std::span<const OriginView> origins) {
  return collection_reply(kOrigins, "origins", origins);
}

AdminReply routes_reply(std::span<const RouteView> routes) {
  return collection_reply(kRoutes, "routes", routes);
}

AdminReply disk_reply(const DiskView& disk) {
  return reply_of(to_json(disk));
}

AdminReply memory_reply(const MemoryView& memory) {
  return reply_of(to_json(memory));
}

AdminReply origin_reply(std::span<const OriginView> origins, std::string_view name) {
  return member_reply(kOrigins, "origin", origins, name);
}

AdminReply route_reply(std::span<const RouteView> routes, std::string_view name) {
  return member_reply(kRoutes, "route", routes, name);
}

AdminReply index_reply(std::string_view self, std::span<const Link> links) {
  Json all{{"self", link_to(self)}};
  for (const Link& link : links) {
    Json json = link_to(link.href);
    if (link.href.find('{') != std::string_view::npos) json["templated"] = true;
    json["title"] = link.title;
    all[std::string(link.rel)] = std::move(json);
  }
  return reply_of(Json{{"_links", all}});
}

}  // namespace seawall::admin
