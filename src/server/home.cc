#include "server/home.h"

#include <algorithm>
#include <utility>

#include "cache/disk_tier.h"
#include "obs/log.h"

namespace seawall::server {
namespace {

constexpr Millis kTick{1000};
constexpr std::size_t kAdminConnections = 256;

}  // namespace

Home::Home(net::Loop& loop, proxy::Context& context, origin::Observer& observer, Rng& rng, const config::Config& config,
           std::vector<std::unique_ptr<net::Listener>> admin_listeners)
    : loop_(loop),
      context_(context),
      observer_(observer),
      rng_(rng),
      dns_(config.dns),
      resolver_(loop, config.dns),
      services_(context),
      memory_(context, services_.memory),
      delivery_(loop, context.miss_events, config.push, resolver_, rng),
      make_handler_(
          [this](proxy::ResponseWriter& writer, const proxy::ClientInfo& client, std::function<void()> on_finished) {
            return admin::make_admin_handler(services_, writer, client, std::move(on_finished));
          }),
      listeners_(std::move(admin_listeners)),
      tick_timer_([this] { tick(); }),
      memory_timer_([this] { tick_memory(); }) {
  services_.started_at = loop.mono_now();
}

Home::~Home() {
  for (const Watched& watched : watched_) watched.fills->stop();
  while (proxy::Session* session = sessions_.pop_front()) delete session;
}

void Home::start() {
  for (const auto& listener : listeners_) {
    listener->start(loop_, [this](Fd connection, const net::Address& peer) { accept(std::move(connection), peer); });
  }
  delivery_.start();
  tick();
  tick_memory();
}

void Home::apply(const Snapshot& snapshot) {
  std::vector<Watched> next;
  for (std::size_t i = 0; i < snapshot.origins.size(); ++i) {
    const config::OriginConfig& config = snapshot.origins[i];
    const auto known = std::ranges::find_if(
        watched_, [&](const Watched& w) { return w.fills && w.config.options.name == config.options.name; });
    Watched watched;
    if (known != watched_.end()) watched = std::move(*known);
    const bool is_new = known == watched_.end();
    const bool has_new_servers = !is_new && watched.config.options.servers != config.options.servers;
    watched.config = config;
    watched.fills = snapshot.runtimes[i].fills;
    if (is_new) {
      watch(watched, snapshot.runtimes[i]);
    } else {
      if (has_new_servers) watched.discovery->set_servers(config.options.servers);
      watched.health->set_options(config.options.health);
    }
    next.push_back(std::move(watched));
  }
  for (const Watched& gone : watched_) {
    if (gone.fills) gone.fills->stop();
  }
  watched_ = std::move(next);
  memory_.apply(snapshot.memory_bytes);
  if (is_started_) {
    ++services_.reloads;
    services_.last_reload_failed = false;
  }
  is_started_ = true;
}

void Home::watch(Watched& watched, const OriginRuntime& runtime) {
  const origin::OriginOptions& options = watched.config.options;
  watched.discovery = std::make_unique<origin::Discovery>(
      loop_, resolver_, options.name, options.servers, observer_, dns_, rng_,
      [this, state = runtime.state](auto endpoints) { state->set_endpoints(std::move(endpoints), loop_.mono_now()); });
  watched.discovery->on_failure([state = runtime.state](ErrorCode code) { state->on_unresolved(code); });
  watched.discovery->start(runtime.answers);
  watched.health = std::make_unique<origin::HealthChecker>(loop_, runtime.state, options.health, rng_);
  runtime.fills->start(loop_, context_.store.stats().objects == 0);
}

void Home::tick() {
  const MonoTime now = loop_.mono_now();
  for (const proxy::Route& route : context_.router->routes()) {
    if (route.miss.policy != proxy::MissPolicy::kCollapse) continue;
    const proxy::Origin& origin = context_.router->origins()[route.read_from];
    const proxy::StormGuard::Signals signals{.breaker_open = origin.state->is_breaker_open(),
                                             .fill_queue_full = origin.fills->is_full()};
    log_storm(*route.state, route.state->storm.tick(signals, now), now);
  }
  log_disk();
  loop_.timers().arm(tick_timer_, now + kTick);
}

void Home::tick_memory() {
  const MonoTime now = loop_.mono_now();
  memory_.tick(now);
  loop_.timers().arm(memory_timer_, now + MemoryKeeper::kTick);
}

// Once, when all that was there at start is known.
void Home::log_disk() {
  const cache::DiskTier* disk = context_.store.disk();
  if (disk == nullptr || has_told_of_disk_ || !disk->is_loaded()) return;
  has_told_of_disk_ = true;
  for (const disk::VolumeStats& volume : disk->stats().volumes) {
    if (volume.state == disk::VolumeState::kOutOfService) continue;
    obs::log(obs::LogLevel::kInfo, "disk cache in {}: {} objects found", volume.path, volume.objects);
  }
}

void Home::accept(Fd connection, const net::Address& peer) {
  const bool is_full = sessions_count_ >= kAdminConnections;
  proxy::ClientInfo client{.ip = peer.ip(), .port = peer.port()};
  auto* session =
      new proxy::SessionH1(loop_, admin_session_, std::make_unique<net::Transport>(loop_, std::move(connection)),
                           std::move(client), make_handler_, [this](proxy::Session& closed) {
                             closed.link.unlink();
                             --sessions_count_;
                             loop_.defer_delete(std::unique_ptr<proxy::Session>(&closed));
                           });
  sessions_.push_back(*session);
  ++sessions_count_;
  if (is_full) {
    session->refuse();
  } else {
    session->start();
  }
}

}  // namespace seawall::server
