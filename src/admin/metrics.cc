#include "admin/metrics.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <iterator>
#include <optional>
#include <set>
#include <system_error>
#include <type_traits>

#include "http/list_syntax.h"
#include "mem/allocator.h"

namespace seawall::admin {
namespace {

using obs::Label;
using obs::MetricType;
using obs::Prometheus;

constexpr std::array<std::string_view, 3> kPercentiles = {"50", "90", "99"};

double seconds(Millis time) {
  return static_cast<double>(time.count()) / 1000;
}

void family(Prometheus& out, std::string_view name, std::string_view help) {
  out.family(name, name.ends_with("_total") ? MetricType::kCounter : MetricType::kGauge, help);
}

template <typename Value>
void put(Prometheus& out, std::initializer_list<Label> labels, Value value) {
  if constexpr (std::is_floating_point_v<Value>) {
    out.sample(labels, double{value});
  } else {
    out.sample(labels, static_cast<std::uint64_t>(value));
  }
}

template <typename Value>
void add(Prometheus& out, std::string_view name, std::string_view help, Value value) {
  family(out, name, help);
  put(out, {}, value);
}

// A family with a sample for each; `value_of` gives its value.
template <typename ValueOf>
void add(Prometheus& out, std::string_view name, std::string_view help, std::span<const OriginView> origins,
         ValueOf value_of) {
  family(out, name, help);
  for (const OriginView& origin : origins) put(out, {{"origin", origin.state.name}}, value_of(origin));
}

template <typename ValueOf>
void add(Prometheus& out, std::string_view name, std::string_view help, std::span<const RouteView> routes,
         ValueOf value_of) {
  family(out, name, help);
  for (const RouteView& route : routes) put(out, {{"route", route.name}}, value_of(route));
}

template <typename ValueOf>
void add_of_servers(Prometheus& out, std::string_view name, std::string_view help, std::span<const OriginView> origins,
                    ValueOf value_of) {
  family(out, name, help);
  for (const OriginView& origin : origins) {
    for (const auto& server : origin.state.servers) {
      put(out, {{"origin", origin.state.name}, {"server", server.name}}, value_of(server));
    }
  }
}

// `waits_of` gives the percentiles 50, 90 and 99.
template <typename WaitsOf>
void add_percentiles(Prometheus& out, std::string_view name, std::string_view help, std::span<const OriginView> origins,
                     WaitsOf waits_of) {
  family(out, name, help);
  for (const OriginView& origin : origins) {
    const std::array<Millis, kPercentiles.size()>& waits = waits_of(origin);
    for (std::size_t i = 0; i < kPercentiles.size(); ++i) {
      put(out, {{"origin", origin.state.name}, {"percentile", kPercentiles[i]}}, seconds(waits[i]));
    }
  }
}

void add_server(Prometheus& out, const ServerView& server) {
  family(out, "seawall_build_info", "The version that runs; always 1.");
  put(out, {{"version", SEAWALL_VERSION}}, 1U);
  add(out, "seawall_start_time_seconds", "When seawall began to serve, in seconds since the Unix epoch.",
      static_cast<double>(server.started.unix_ms) / 1000);
  add(out, "seawall_ready", "Whether new requests are taken: 0 while draining.", server.is_draining ? 0U : 1U);
  add(out, "seawall_config_reloads_total", "Changes of the configuration that were applied.", server.reloads);
  add(out, "seawall_config_last_reload_successful", "Whether the last reload was applied.",
      server.last_reload_failed ? 0U : 1U);
  add(out, "seawall_http_connections", "Client connections that are open.", server.connections);
}

void add_tls(Prometheus& out, const ServerView& server) {
  const proxy::EdgeCounters& edge = *server.edge;
  family(out, "seawall_tls_handshakes_total", "TLS handshakes with clients that were completed.");
  for (const bool is_resumed : {false, true}) {
    const std::string_view resumed = is_resumed ? "yes" : "no";
    put(out, {{"version", "1.2"}, {"resumed", resumed}}, edge.handshakes(net::TlsVersion::kTls12, is_resumed));
    put(out, {{"version", "1.3"}, {"resumed", resumed}}, edge.handshakes(net::TlsVersion::kTls13, is_resumed));
  }
  family(out, "seawall_tls_handshake_failures_total",
         "TLS handshakes with clients that failed, and plain HTTP instead.");
  for (const ErrorCode code : proxy::EdgeCounters::kHandshakeFailures) {
    put(out, {{"reason", to_string(code)}}, edge.handshake_failures(code));
  }
  if (server.certificates.empty()) return;
  family(out, "seawall_tls_certificate_not_after_seconds",
         "When the certificate expires, in seconds since the Unix epoch; by the first of its names.");
  for (const Ref<const net::Certificate>& certificate : server.certificates) {
    put(out, {{"name", certificate->names().front()}, {"file", certificate->files().certificate}},
        static_cast<std::uint64_t>(certificate->not_after().unix_seconds()));
  }
}

void add_connections(Prometheus& out, const ServerView& server) {
  const proxy::EdgeCounters& edge = *server.edge;
  family(out, "seawall_connections_refused_total",
         "Client connections refused: too many in all (server.connections), or of one client "
         "(server.connections_per_client).");
  for (std::size_t i = 0; i < proxy::kRefusals.size(); ++i) {
    put(out, {{"reason", proxy::kRefusals[i]}}, edge.refusals(static_cast<proxy::ConnectionLimits::Refusal>(i)));
  }
  add(out, "seawall_accept_failures_total",
      "Times that no connection could be accepted, for want of descriptors or of memory for sockets.",
      edge.failed_accepts());
  family(out, "seawall_proxy_protocol_errors_total", "Client connections closed for want of a good PROXY header.");
  for (std::size_t i = 0; i < proxy::kProxyFaults.size(); ++i) {
    put(out, {{"reason", proxy::kProxyFaults[i]}}, edge.proxy_faults(static_cast<proxy::ProxyFault>(i)));
  }
}

void add_http2(Prometheus& out, const ServerView& server) {
  const auto sum = [&](auto count_of) {
    std::uint64_t total = 0;
    for (const proxy::H2Counters& counters : server.http2) total += count_of(counters).load(std::memory_order_relaxed);
    return total;
  };
  add(out, "seawall_http2_connections_total", "HTTP/2 connections of clients.",
      sum([](const proxy::H2Counters& c) -> auto& { return c.connections; }));
  add(out, "seawall_http2_streams_total", "Requests that came by HTTP/2.",
      sum([](const proxy::H2Counters& c) -> auto& { return c.streams; }));
  family(out, "seawall_http2_abuse_total", "HTTP/2 connections closed for abuse, by its kind.");
  for (std::size_t kind = 0; kind < proxy::kH2Abuses; ++kind) {
    put(out, {{"kind", to_string(static_cast<proxy::H2Abuse>(kind))}},
        sum([&](const proxy::H2Counters& c) -> auto& { return c.abuse[kind]; }));
  }
}

void add_edge(Prometheus& out, const ServerView& server) {
  if (server.edge == nullptr) return;
  add_connections(out, server);
  add_tls(out, server);
  add_http2(out, server);
}

void add_cache(Prometheus& out, const ServerView& server) {
  const MemoryView& memory = server.memory;
  const cache::StoreStats& cache = memory.cache;
  add(out, "seawall_cache_objects", "Stored responses.", cache.objects);
  add(out, "seawall_cache_bytes", "Memory of stored responses.", cache.stored_bytes);
  add(out, "seawall_cache_budget_bytes", "Memory that the cache may use.", memory.state.configured_bytes);
  add(out, "seawall_cache_budget_limit_bytes", "The same, less what is held back for what the allocator takes besides.",
      memory.limit_bytes);
  add(out, "seawall_cache_budget_used_bytes", "Memory in use: stored, in flight, and index.", cache.budget_used_bytes);
  family(out, "seawall_cache_memory_bytes", "Memory in use, by what for; pinned: held by readers or for the disk.");
  put(out, {{"kind", "bodies"}}, cache.stored_body_bytes);
  put(out, {{"kind", "heads"}}, cache.stored_head_bytes);
  put(out, {{"kind", "index"}}, cache.index_bytes);
  put(out, {{"kind", "ghosts"}}, cache.ghost_bytes);
  put(out, {{"kind", "disk_index"}}, memory.disk_index_bytes);
  put(out, {{"kind", "in_flight"}}, memory.in_flight_bytes);
  put(out, {{"kind", "pinned"}}, memory.pinned_bytes());
  if (const auto& allocator = memory.state.allocator) {
    family(out, "seawall_allocator_bytes",
           "What jemalloc says of the whole process, with the page that it leaves free beside each large block as "
           "allocated.");
    put(out, {{"kind", "allocated"}}, allocator->allocated);
    put(out, {{"kind", "active"}}, allocator->active);
    put(out, {{"kind", "metadata"}}, allocator->metadata);
    put(out, {{"kind", "resident"}}, allocator->resident);
    put(out, {{"kind", "retained"}}, allocator->retained);
  }
  add(out, "seawall_cache_evictions_total", "Stored responses removed for want of memory.", cache.evictions);
  add(out, "seawall_cache_rejected_total", "Responses not stored: too large, or no room.", cache.rejected);
  add(out, "seawall_fills_in_flight", "Fetches that requests may join.", server.fills_in_flight);
  add(out, "seawall_waiters", "Requests that wait for a fetch.", server.waiters);
}

template <typename ValueOf>
void add(Prometheus& out, std::string_view name, std::string_view help, std::span<const disk::VolumeStats> volumes,
         ValueOf value_of) {
  family(out, name, help);
  for (const disk::VolumeStats& volume : volumes) put(out, {{"volume", volume.path}}, value_of(volume));
}

void add_disk_volumes(Prometheus& out, std::span<const disk::VolumeStats> volumes) {
  using Volume = disk::VolumeStats;
  family(out, "seawall_disk_volume_state", "1 for the state that the directory of the disk cache is in.");
  for (const Volume& volume : volumes) {
    using enum disk::VolumeState;
    for (const auto state : {kLoading, kInService, kOutOfService}) {
      put(out, {{"volume", volume.path}, {"state", to_string(state)}}, volume.state == state);
    }
  }
  family(out, "seawall_disk_read_backend", "1 for the way in which the directory is read.");
  for (const Volume& volume : volumes) {
    for (const auto backend : {disk::ReadBackend::kThreads, disk::ReadBackend::kIoUring}) {
      put(out, {{"volume", volume.path}, {"backend", to_string(backend)}}, volume.read_backend == backend);
    }
  }
  add(out, "seawall_disk_out_of_service_total", "How often the directory was taken out of service.", volumes,
      [](const Volume& v) { return v.times_out_of_service; });
  add(out, "seawall_disk_objects", "Responses in the directory.", volumes, [](const Volume& v) { return v.objects; });
  add(out, "seawall_disk_capacity_bytes", "What its files may take.", volumes,
      [](const Volume& v) { return v.capacity_bytes; });
  add(out, "seawall_disk_used_bytes", "What its files take.", volumes, [](const Volume& v) { return v.used_bytes; });
  add(out, "seawall_disk_pinned_bytes", "Of these, in files that are removed and still read.", volumes,
      [](const Volume& v) { return v.pinned_bytes; });
  add(out, "seawall_disk_segments", "Segment files.", volumes, [](const Volume& v) { return v.segments; });
  add(out, "seawall_disk_journal_bytes", "Size of the journal.", volumes,
      [](const Volume& v) { return v.journal_bytes; });
  add(out, "seawall_disk_backlog_bytes", "What waits to be written.", volumes,
      [](const Volume& v) { return v.backlog_bytes; });
  add(out, "seawall_disk_reads_waiting", "Reads that wait.", volumes, [](const Volume& v) { return v.reads_waiting; });
  add(out, "seawall_disk_read_errors_total", "Reads that the device failed.", volumes,
      [](const Volume& v) { return v.read_errors; });
  add(out, "seawall_disk_write_errors_total", "Writes and syncs that the device failed.", volumes,
      [](const Volume& v) { return v.write_errors; });
}

void add_disk_writes(Prometheus& out, const disk::TierStats& disk) {
  family(out, "seawall_disk_puts_total", "Responses to be kept on disk, by what became of them.");
  for (std::size_t i = 0; i < disk::kPutStatuses; ++i) {
    put(out, {{"result", to_string(static_cast<disk::PutStatus>(i))}}, disk.puts[i]);
  }
  add(out, "seawall_disk_put_bytes_total", "Heads, keys and bodies of those that were stored.", disk.put_bytes);
  add(out, "seawall_disk_written_bytes_total", "All that was written to the files.", disk.written_bytes);
  add(out, "seawall_disk_syncs_total", "Times that what was written was brought to the devices.", disk.syncs);
  add(out, "seawall_disk_erased_total", "Responses on disk that were replaced or removed by name.", disk.erased);
  add(out, "seawall_disk_evictions_total", "Responses that went with the oldest segment.", disk.evicted);
  add(out, "seawall_disk_reinserted_total", "Responses that were in use, and written again before that.",
      disk.reinserted);
  add(out, "seawall_disk_reinserted_bytes_total", "Their bytes.", disk.reinserted_bytes);
  add(out, "seawall_disk_compressed_bytes_total", "Bodies that were compressed, before.", disk.lz4_bytes_in);
  add(out, "seawall_disk_compressed_stored_bytes_total", "The same, after.", disk.lz4_bytes_out);
  add(out, "seawall_disk_uncompressed_bytes_total", "Bodies whose compression was tried and gained nothing.",
      disk.lz4_skipped_bytes);
  add(out, "seawall_disk_compress_seconds_total", "Processor time of compression.",
      static_cast<double>(disk.lz4_compress_ns) / 1e9);
  add(out, "seawall_disk_decompress_seconds_total", "Processor time of decompression.",
      static_cast<double>(disk.lz4_decompress_ns) / 1e9);
  add(out, "seawall_disk_journal_entries", "Removals and purges that the journals keep.", disk.journal_entries);
  add(out, "seawall_disk_journal_commits_total", "Times that a journal was brought to its device.",
      disk.journal_commits);
}

// Nothing without a disk cache.
void add_disk(Prometheus& out, const DiskView& view) {
  const disk::TierStats& disk = view.stats;
  if (disk.volumes.empty()) return;
  add(out, "seawall_disk_loaded", "Whether all that was on disk at start is known.", view.is_loaded);
  add(out, "seawall_disk_index_bytes", "Memory of the index of what is on disk.", disk.index_bytes);
  add(out, "seawall_disk_lookups_total", "Requests that memory could not answer, for which the disk was asked.",
      disk.lookups);
  add(out, "seawall_disk_found_total", "Those for which it may have something.", disk.found);
  add(out, "seawall_disk_loads_total", "Responses that were read into memory.", view.loaded);
  add(out, "seawall_disk_reads_total", "Reads of a response.", disk.reads);
  family(out, "seawall_disk_read_failures_total", "Reads that gave nothing, by why.");
  for (const auto& [status, count] : read_failures(disk)) put(out, {{"reason", to_string(status)}}, count);
  add(out, "seawall_disk_read_bytes_total", "What was read from the files.", disk.read_bytes);
  add(out, "seawall_disk_body_bytes_total", "Bodies that it gave, decompressed.", disk.body_bytes_out);
  add_disk_writes(out, disk);
  add_disk_volumes(out, disk.volumes);
}

void add_packing(Prometheus& out, const cache::PackStats& packing, const cache::StoreStats& cache) {
  add(out, "seawall_cache_compressed_objects", "Stored responses whose bodies are compressed in memory.", cache.packed);
  add(out, "seawall_cache_compressed_bytes", "Memory of these bodies.", cache.packed_bytes);
  add(out, "seawall_cache_uncompressed_bytes", "The same, uncompressed.", cache.packed_raw_bytes);
  add(out, "seawall_cache_compress_total", "Bodies that were compressed in memory instead of their removal.",
      packing.packed);
  add(out, "seawall_cache_compress_bytes_total", "The same in bytes, before.", packing.packed_raw_bytes);
  add(out, "seawall_cache_compress_stored_bytes_total", "And after.", packing.packed_bytes);
  add(out, "seawall_cache_compress_seconds_total", "Time that compression took.",
      static_cast<double>(packing.pack_ns) / 1e9);
  family(out, "seawall_cache_compress_dropped_total", "Times that it came to nothing, by why.");
  put(out, {{"reason", "no_gain"}}, packing.no_gain);
  put(out, {{"reason", "queue_full"}}, packing.queue_full);
  put(out, {{"reason", "no_room"}}, packing.no_room);
  put(out, {{"reason", "outdated"}}, packing.outdated);
  add(out, "seawall_cache_compressed_answers_total", "Answers from compressed bodies.", packing.answers);
  add(out, "seawall_cache_decompress_total", "Compressed bodies that are kept as they are sent again.",
      packing.unpacked);
  add(out, "seawall_cache_decompress_seconds_total", "Time that decompression took, for these and for answers.",
      static_cast<double>(packing.unpack_ns) / 1e9);
}

void add_encode(Prometheus& out, const encode::Stats& encode) {
  using OfCoding = encode::Stats::OfCoding;
  const auto add_each = [&](std::string_view name, std::string_view help, auto value_of) {
    family(out, name, help);
    for (std::size_t i = 0; i < encode.codings.size(); ++i) {
      put(out, {{"coding", http::kCodings[i]}}, value_of(encode.codings[i]));
    }
  };
  add_each("seawall_encode_forms_total", "Encoded forms of stored responses that were made.",
           [](const OfCoding& c) { return c.made; });
  add_each("seawall_encode_bytes_total", "The bodies of these, before.", [](const OfCoding& c) { return c.bytes_in; });
  add_each("seawall_encode_encoded_bytes_total", "The same, after.", [](const OfCoding& c) { return c.bytes_out; });
  add_each("seawall_encode_seconds_total", "Time that encoding took.",
           [](const OfCoding& c) { return static_cast<double>(c.time_us) / 1e6; });
  add_each("seawall_encode_answers_total", "Answers with an encoded form.",
           [](const OfCoding& c) { return c.answers; });
  family(out, "seawall_encode_dropped_total", "Encoded forms that came to nothing, by why.");
  put(out, {{"reason", "no_gain"}}, encode.no_gain);
  put(out, {{"reason", "queue_full"}}, encode.queue_full);
  put(out, {{"reason", "no_room"}}, encode.no_room);
  put(out, {{"reason", "outdated"}}, encode.outdated);
  add(out, "seawall_encode_waiting", "Encoded forms that wait to be made.", encode.waiting);
}

void add_events(Prometheus& out, const ServerView& server) {
  add(out, "seawall_miss_events_total", "Misses that were told.", server.miss_events.emitted);
  add(out, "seawall_miss_events_duplicates_total", "Misses not told because they were told lately.",
      server.miss_events.duplicates);
  add(out, "seawall_miss_events_limited_total", "Misses not told because they were too many a second.",
      server.miss_events.limited);
  family(out, "seawall_purged_total", "Responses purged by URL, and rules made by prefix and tag.");
  put(out, {{"kind", "url"}}, server.purge.urls);
  put(out, {{"kind", "rule"}}, server.purge.rules);
  add(out, "seawall_purge_swept_total", "Stored responses that rules removed or made stale before a request did.",
      server.purge.swept);
}

void add_requests(Prometheus& out, std::span<const RouteView> routes) {
  family(out, "seawall_http_requests_total",
         "Requests, by class of the answer's status and by how the cache answered.");
  for (const RouteView& route : routes) {
    for (std::size_t code = 0; code < kStatusClasses.size(); ++code) {
      for (std::size_t result = 0; result < obs::kCacheResults; ++result) {
        const std::uint64_t count = route.sums.requests[code][result];
        if (count == 0) continue;
        const std::string_view cache = to_string(static_cast<obs::CacheResult>(result));
        put(out, {{"route", route.name}, {"code", kStatusClasses[code]}, {"cache", cache}}, count);
      }
    }
  }
  out.family("seawall_http_request_duration_seconds", MetricType::kHistogram,
             "From the request's head to the beginning of its answer.");
  for (const RouteView& route : routes) {
    out.histogram({{"route", route.name}}, obs::kLatencyBounds, route.sums.latency,
                  static_cast<double>(route.sums.latency_us) / 1e6);
  }
}

void add_routes(Prometheus& out, std::span<const RouteView> routes) {
  add_requests(out, routes);
  add(out, "seawall_http_response_body_bytes_total", "Bytes of bodies sent to clients.", routes,
      [](const RouteView& r) { return r.sums.body_bytes; });
  add(out, "seawall_stale_served_total", "Stale answers because the origin failed or was spared.", routes,
      [](const RouteView& r) { return r.stale; });
  add(out, "seawall_refreshes_total", "Refreshes that no client waited for.", routes,
      [](const RouteView& r) { return r.refreshed; });
  add(out, "seawall_route_memory_bytes", "Memory of the route's stored responses.", routes,
      [](const RouteView& r) { return r.memory.used_bytes; });
  add(out, "seawall_route_memory_guaranteed_bytes", "What of it does not give way to other routes.", routes,
      [](const RouteView& r) { return r.memory.guaranteed_bytes; });
  add(out, "seawall_route_memory_max_bytes", "The most that it may be; 0: no bound of its own.", routes,
      [](const RouteView& r) { return r.memory.max_bytes; });
  add(out, "seawall_route_disk_bytes", "What the route's stored responses take on disk.", routes,
      [](const RouteView& r) { return r.disk.used_bytes; });
  add(out, "seawall_route_disk_guaranteed_bytes", "What of it does not give way to other routes.", routes,
      [](const RouteView& r) { return r.disk.guaranteed_bytes; });
  add(out, "seawall_route_disk_max_bytes", "The most that it may be; 0: no bound of its own.", routes,
      [](const RouteView& r) { return r.disk.max_bytes; });
  add(out, "seawall_route_disk_evictions_total", "Responses on disk that went because of the most.", routes,
      [](const RouteView& r) { return r.disk_evicted; });
  add(out, "seawall_storm_active", "Whether the route is in storm mode: misses do not wait for the origin.", routes,
      [](const RouteView& r) { return r.storm.is_active; });
  add(out, "seawall_storms_total", "How often storm mode began.", routes,
      [](const RouteView& r) { return r.storm.begun; });
  add(out, "seawall_misses_per_second", "Requests that the cache could not answer, over the last five seconds.", routes,
      [](const RouteView& r) { return r.storm.misses_per_second; });
}

void add_origin_calls(Prometheus& out, std::span<const OriginView> origins) {
  add(out, "seawall_origin_requests_total", "Requests sent to the origin, retries and hedges included.", origins,
      [](const OriginView& o) { return o.state.requests; });
  family(out, "seawall_origin_responses_total", "Responses of the origin, by class of status.");
  for (const OriginView& origin : origins) {
    for (std::size_t code = 1; code < kStatusClasses.size(); ++code) {
      put(out, {{"origin", origin.state.name}, {"code", kStatusClasses[code]}}, origin.state.statuses[code]);
    }
  }
  family(out, "seawall_origin_errors_total", "Requests to the origin that failed or were refused, by what happened.");
  for (const OriginView& origin : origins) {
    for (std::size_t i = 0; i < origin.state.errors.size(); ++i) {
      if (origin.state.errors[i] == 0) continue;
      const std::string_view error = to_string(static_cast<ErrorCode>(i));
      put(out, {{"origin", origin.state.name}, {"error", error}}, origin.state.errors[i]);
    }
  }
  family(out, "seawall_origin_timeouts_total", "Time-outs of requests to the origin, by which it was.");
  for (const OriginView& origin : origins) {
    for (const NamedTimeout& timeout : kTimeouts) {
      put(out, {{"origin", origin.state.name}, {"timeout", timeout.name}},
          origin.state.errors[static_cast<std::size_t>(timeout.code)]);
    }
  }
  add(out, "seawall_origin_retries_total", "Second tries after a failure.", origins,
      [](const OriginView& o) { return o.state.retries; });
  add(out, "seawall_origin_hedges_total", "Second tries beside a slow first one.", origins,
      [](const OriginView& o) { return o.state.hedges; });
}

void add_origin_connections(Prometheus& out, std::span<const OriginView> origins) {
  add(out, "seawall_origin_connections_total", "Connections opened to the origin, health checks left out.", origins,
      [](const OriginView& o) { return o.state.connections.connections_opened; });
  add(out, "seawall_origin_connections_reused_total", "Requests that an idle connection took.", origins,
      [](const OriginView& o) { return o.state.connections.connections_reused; });
  family(out, "seawall_origin_tls_handshakes_total", "TLS handshakes with the origin, by how they ended.");
  for (const OriginView& origin : origins) {
    const origin::ServerStats& s = origin.state.connections;
    put(out, {{"origin", origin.state.name}, {"result", "full"}}, s.handshakes - s.resumed_handshakes);
    put(out, {{"origin", origin.state.name}, {"result", "resumed"}}, s.resumed_handshakes);
    put(out, {{"origin", origin.state.name}, {"result", "failed"}}, s.failed_handshakes);
  }
  add(out, "seawall_origin_http2_connections_total", "HTTP/2 connections opened to the origin.", origins,
      [](const OriginView& o) { return o.state.connections.http2_connections; });
  add(out, "seawall_origin_http2_streams_total", "Requests sent on HTTP/2 connections.", origins,
      [](const OriginView& o) { return o.state.connections.http2_streams; });
}

void add_origin_guards(Prometheus& out, std::span<const OriginView> origins) {
  add(out, "seawall_origin_in_flight", "Requests at the origin.", origins,
      [](const OriginView& o) { return o.state.in_flight; });
  add(out, "seawall_origin_in_flight_limit", "Requests that may be at the origin at once.", origins,
      [](const OriginView& o) { return o.state.limit; });
  add(out, "seawall_origin_queue", "Requests that wait for a place at the origin.", origins,
      [](const OriginView& o) { return o.state.queued; });
  add(out, "seawall_origin_queue_limit", "Requests that may wait for a place at the origin.", origins,
      [](const OriginView& o) { return o.state.queue_limit; });
  add_percentiles(out, "seawall_origin_queue_wait_seconds",
                  "How long the last requests waited for a place at the origin.", origins,
                  [](const OriginView& o) -> const auto& { return o.state.queue_wait; });
  add(out, "seawall_origin_saturation", "From 0, idle, to 1, every place and every place of the queue taken.", origins,
      [](const OriginView& o) { return o.state.saturation; });
  family(out, "seawall_origin_breaker_state", "1 for the state that the origin's breaker is in.");
  for (const OriginView& origin : origins) {
    using enum origin::Breaker::State;
    for (const auto state : {kClosed, kOpen, kHalfOpen}) {
      put(out, {{"origin", origin.state.name}, {"state", name_of(state)}}, origin.state.breaker == state);
    }
  }
  add(out, "seawall_origin_breaker_opened_total", "How often the origin's breaker opened.", origins,
      [](const OriginView& o) { return o.state.breaker_opened; });
  add(out, "seawall_origin_back_off_seconds", "How long the origin still asks for silence.", origins,
      [](const OriginView& o) { return seconds(o.state.back_off); });
}

void add_servers(Prometheus& out, std::span<const OriginView> origins) {
  using Server = origin::OriginSnapshot::OfServer;
  add_of_servers(out, "seawall_server_up", "Whether the server is in use: healthy, not drained, not ejected.", origins,
                 [](const Server& s) { return s.is_healthy && s.is_usable; });
  add_of_servers(out, "seawall_server_in_flight", "Requests at the server.", origins,
                 [](const Server& s) { return s.in_flight; });
  add_of_servers(out, "seawall_server_requests_total", "Requests sent to the server.", origins,
                 [](const Server& s) { return s.requests; });
  add_of_servers(out, "seawall_server_failures_total", "Requests to the server that failed.", origins,
                 [](const Server& s) { return s.failures; });
}

void add_fills(Prometheus& out, std::span<const OriginView> origins) {
  family(out, "seawall_fills_waiting", "Fetches in the queue of those that no client waits for.");
  for (const OriginView& origin : origins) {
    for (std::size_t i = 0; i < fill::kFillClasses; ++i) {
      put(out, {{"origin", origin.state.name}, {"class", name_of(static_cast<fill::FillClass>(i))}},
          origin.fills.waiting[i]);
    }
  }
  add(out, "seawall_fills_running", "Fetches of the queue that run.", origins,
      [](const OriginView& o) { return o.fills.running; });
  add(out, "seawall_fills_allowed", "Fetches of the queue that may run at once.", origins,
      [](const OriginView& o) { return o.fills.allowed; });
  add(out, "seawall_fills_wanted", "Fetches of the queue that wait or run.", origins,
      [](const OriginView& o) { return wanted(o.fills); });
  add(out, "seawall_fill_queue_limit", "Fetches that the queue holds at most.", origins,
      [](const OriginView& o) { return o.fills.limit; });
  add_percentiles(out, "seawall_fill_wait_seconds", "How long the last fetches of the queue waited.", origins,
                  [](const OriginView& o) -> const auto& { return o.fills.wait; });
  add(out, "seawall_fills_begun_total", "Fetches of the queue that were begun.", origins,
      [](const OriginView& o) { return o.fills.begun; });
  add(out, "seawall_fills_ended_total", "Fetches of the queue that ended.", origins,
      [](const OriginView& o) { return o.fills.ended; });
  add(out, "seawall_fills_failed_total", "Fetches of the queue that failed.", origins,
      [](const OriginView& o) { return o.fills.failed; });
  add(out, "seawall_fills_refused_total", "Fetches that found the queue full.", origins,
      [](const OriginView& o) { return o.fills.refused; });
  add(out, "seawall_fills_expired_total", "Fetches that waited in the queue past their time.", origins,
      [](const OriginView& o) { return o.fills.expired; });
}

std::optional<std::uint64_t> open_fds() {
  static constexpr const char* kFolder = "/proc/self/fd";
  // Since Linux 6.2 the folder's size is their number: thousands of names need not be read.
  struct stat status{};
  if (::stat(kFolder, &status) == 0 && status.st_size > 0) return static_cast<std::uint64_t>(status.st_size);
  std::error_code error;
  std::uint64_t count = 0;
  for (std::filesystem::directory_iterator at(kFolder, error), end; !error && at != end; at.increment(error)) ++count;
  if (error || count == 0) return std::nullopt;
  return count - 1;  // the folder's own
}

void add_process(Prometheus& out) {
  if (const auto bytes = resident_bytes()) {
    add(out, "process_resident_memory_bytes", "Resident memory of the process.", *bytes);
  }
  if (const auto count = open_fds()) add(out, "process_open_fds", "Open file descriptors.", *count);
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) != 0) return;
  const auto of = [](const timeval& spent) {
    return static_cast<double>(spent.tv_sec) + static_cast<double>(spent.tv_usec) / 1e6;
  };
  add(out, "process_cpu_seconds_total", "Processor time of the process, user and system.",
      of(usage.ru_utime) + of(usage.ru_stime));
}

// RFC 9110 section 12.4.2; what cannot be read counts as not wanted.
double quality_of(std::string_view element) {
  while (true) {
    const std::size_t at = element.find(';');
    if (at == std::string_view::npos) return 1;
    element.remove_prefix(at + 1);
    const http::Directive parameter = http::split_directive(http::trim_ows(element.substr(0, element.find(';'))));
    if (!http::iequals(parameter.name, "q")) continue;
    double quality = 0;
    const std::string_view text = parameter.value;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), quality);
    const bool is_read = error == std::errc() && end == text.data() + text.size();
    return is_read && quality >= 0 && quality <= 1 ? quality : 0;
  }
}

}  // namespace

std::string metrics_text(const ServerView& server, std::vector<RouteView> routes, std::span<const OriginView> origins,
                         Prometheus::Format format) {
  std::set<std::string> seen;
  std::erase_if(routes, [&](const RouteView& route) { return !seen.insert(route.name).second; });
  std::string text;
  Prometheus out(text, format);
  add_server(out, server);
  add_routes(out, routes);
  add_edge(out, server);
  add_cache(out, server);
  if (server.memory.packing) add_packing(out, *server.memory.packing, server.memory.cache);
  add_disk(out, server.disk);
  if (server.encode) add_encode(out, *server.encode);
  add_origin_calls(out, origins);
  add_origin_connections(out, origins);
  add_origin_guards(out, origins);
  add_servers(out, origins);
  add_fills(out, origins);
  add_events(out, server);
  add_process(out);
  out.end();
  return text;
}

Prometheus::Format wanted_format(const http::HeaderMap& request) {
  const auto accept = request.combined(http::Field::kAccept);
  if (!accept) return Prometheus::Format::kText;
  double text = 0;
  double open_metrics = 0;
  for (http::ListCursor list(*accept); const auto element = list.next();) {
    const std::string_view type = http::trim_ows(element->substr(0, element->find(';')));
    if (http::iequals(type, "text/plain")) text = std::max(text, quality_of(*element));
    if (http::iequals(type, "application/openmetrics-text"))
      open_metrics = std::max(open_metrics, quality_of(*element));
  }
  return open_metrics > 0 && open_metrics >= text ? Prometheus::Format::kOpenMetrics : Prometheus::Format::kText;
}

}  // namespace seawall::admin
