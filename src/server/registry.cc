#include "server/registry.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <string_view>

#include "base/rng.h"
#include "cache/disk_record.h"
#include "cache/disk_tier.h"

namespace seawall::server {
namespace {

// With no better word of when it ends.
constexpr Millis kBlocked{100};

// How long the origin takes no fills, as it stands.
fill::FillQueue::Blocked blocked_by(const std::shared_ptr<origin::OriginState>& state) {
  return [state](MonoTime now) -> std::optional<Millis> {
    if (!state->is_ailing() || !state->refusal(http::Traffic::kBackground, now)) return std::nullopt;
    return std::max(state->blocked_for(now), kBlocked);
  };
}

// No more at once than the origin takes of them: others would wait at its gate, and be turned away there.
fill::FillScheduleOptions fills_of(const config::OriginConfig& config) {
  const origin::LimitOptions& limit = config.options.limit;
  const std::uint64_t share = std::uint64_t{limit.in_flight} * limit.background_percent / 100;
  fill::FillScheduleOptions fills = config.fill;
  fills.concurrent =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(fills.concurrent, std::max<std::uint64_t>(share, 1)));
  return fills;
}

// What cannot be read here is refused where it is loaded.
std::string contents_of(const net::TlsClientOptions& options) {
  std::string all;
  for (const std::string* path : {&options.ca, &options.certificate, &options.key}) {
    if (path->empty()) continue;
    std::ifstream file(*path, std::ios::binary);
    all.append(std::istreambuf_iterator<char>(file), {});
    all += '\0';
  }
  return all;
}

}  // namespace

std::expected<origin::ServerAccess, std::string> Registry::access(const config::OriginConfig& config) {
  const origin::OriginOptions& options = config.options;
  origin::ServerAccess access{.protocol = options.protocol, .proxy_protocol = options.proxy_protocol};
  if (std::ranges::none_of(options.servers, &origin::ServerConfig::is_tls)) {
    // Servers of before are in use until others are known, and these must not be spoken to in the clear.
    if (const auto before = tls_.find(options.name); before != tls_.end()) access.tls = before->second.context;
    return access;
  }
  Trust& known = tls_[options.name];
  std::string files = contents_of(options.tls);
  if (!known.context || known.context->options() != options.tls || known.files != files) {
    auto loaded = net::TlsClientContext::load(options.tls, clock_.wall_now());
    if (!loaded) return std::unexpected("origin \"" + options.name + "\": " + loaded.error());
    known = {.context = std::move(*loaded), .files = std::move(files)};
  }
  access.tls = known.context;
  return access;
}

OriginRuntime Registry::origin(const config::OriginConfig& config) {
  const auto [at, is_new] = origins_.try_emplace(config.options.name);
  OriginRuntime& runtime = at->second;
  if (is_new) {
    runtime.state = std::make_shared<origin::OriginState>(config.options, observer_, Rng::system_seed());
    runtime.fills = std::make_shared<fill::FillQueue>(fills_of(config), blocked_by(runtime.state),
                                                      [state = runtime.state] { return state->is_ailing(); });
  } else {
    runtime.state->set_options(config.options, clock_.mono_now());
    runtime.fills->set_options(fills_of(config));
  }
  return runtime;
}

void Registry::release_other_origins(std::span<const config::OriginConfig> origins) {
  const auto has_gone = [&](const auto& known) {
    return std::ranges::none_of(origins, [&](const auto& o) { return o.options.name == known.first; });
  };
  std::erase_if(origins_, has_gone);
  std::erase_if(tls_, has_gone);
}

std::shared_ptr<proxy::RouteState> Registry::route(const config::RouteConfig& config, std::size_t memory_bytes) {
  auto& state = routes_[config.name];
  if (!state) {
    state = std::make_shared<proxy::RouteState>(config.name, next_route_++, workers_, config.storm);
    state->share = make_ref<cache::ShareGroup>(cache::ShareBounds{}, cache::disk_label(config.name));
  } else {
    state->storm.set_options(config.storm);
  }
  store_.set_bounds(*state->share, {.guaranteed_bytes = config.memory.guaranteed.of(memory_bytes),
                                    .max_bytes = config.memory.max.of(memory_bytes)});
  if (cache::DiskTier* disk = store_.disk()) {
    disk->set_bounds(*state->share, {.guaranteed_bytes = config.disk.guaranteed.of(disk->capacity_bytes()),
                                     .max_bytes = config.disk.max.of(disk->capacity_bytes())});
  }
  return state;
}

void Registry::release_other_routes(std::span<const config::RouteConfig> routes) {
  std::set<std::string_view> kept;
  for (const config::RouteConfig& route : routes) kept.insert(route.name);
  for (const auto& [name, state] : routes_) {
    if (kept.contains(name)) continue;
    store_.set_bounds(*state->share, {});
    if (cache::DiskTier* disk = store_.disk()) disk->set_bounds(*state->share, {});
  }
}

}  // namespace seawall::server
