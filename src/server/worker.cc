#include "server/worker.h"

#include <sys/socket.h>

#include <cstring>
#include <utility>

#include "obs/log.h"
#include "proxy/session_h1.h"
#include "proxy/session_h2.h"
#include "proxy/transaction.h"

namespace seawall::server {
namespace {

constexpr Millis kLogFlush{1000};

std::shared_ptr<const proxy::OpeningRules> rules_of(const net::ListenOptions& listen, const Snapshot& snapshot,
                                                    std::uint32_t worker) {
  auto rules = std::make_shared<proxy::OpeningRules>();
  rules->listen = listen;
  rules->session = snapshot.router->session();
  rules->https_port = listen.redirect_port != 0 ? listen.redirect_port : snapshot.https_port;
  if (listen.takes_tls) rules->tls = snapshot.tls[worker];
  rules->asks_client = snapshot.asks_client;
  rules->uses_kernel = snapshot.uses_kernel;
  rules->trusted_proxies = snapshot.trusted_proxies;
  rules->trusts_unix = snapshot.trusts_unix;
  return rules;
}

}  // namespace

Worker::Worker(std::uint32_t id, std::uint32_t workers, Shared& shared, const config::Config& config,
               const std::shared_ptr<const Snapshot>& snapshot, std::vector<Listening> listeners)
    : shared_(shared),
      loop_(id, shared.clock),
      rng_(Rng::system_seed()),
      access_log_(shared.access_file, config.access_log.format),
      context_{.executor = loop_,
               .workers = workers,
               .store = shared.store,
               .fills = shared.fills,
               .miss_events = shared.miss_events,
               .access_log = access_log_,
               .rng = rng_,
               .router = nullptr,
               .upstreams = {},
               .running = running_,
               .connections = shared.connections,
               .edge = shared.edge,
               .encoder = &shared.encoder,
               .http2 = shared.http2},
      make_handler_(
          [this](proxy::ResponseWriter& writer, const proxy::ClientInfo& client, std::function<void()> on_finished) {
            return std::make_unique<proxy::Transaction>(context_, writer, client, std::move(on_finished));
          }),
      listeners_(std::move(listeners)),
      flush_timer_([this] {
        access_log_.flush();
        loop_.timers().arm(flush_timer_, loop_.mono_now() + kLogFlush);
      }) {
  use(snapshot);
}

Worker::~Worker() = default;

void Worker::be_home(const config::Config& config, std::vector<std::unique_ptr<net::Listener>> admin_listeners) {
  if (shared_.packer) shared_.packer->start(loop_);
  home_ = std::make_unique<Home>(loop_, context_, shared_.origin_log, rng_, config, std::move(admin_listeners));
}

// Origins are known by their names: connections and calls in flight go on.
void Worker::use(const std::shared_ptr<const Snapshot>& snapshot) {
  snapshot_ = snapshot;
  std::vector<Upstream> next;
  for (std::size_t i = 0; i < snapshot->origins.size(); ++i) {
    const origin::OriginOptions& options = snapshot->origins[i].options;
    Upstream upstream{options.name, nullptr};
    for (Upstream& present : upstreams_) {
      if (present.upstream && present.name == options.name) upstream.upstream = std::move(present.upstream);
    }
    if (upstream.upstream) {
      upstream.upstream->client().set_options(options);
    } else {
      upstream.upstream = std::make_unique<proxy::OriginUpstream>(loop_, snapshot->runtimes[i].state, options);
    }
    next.push_back(std::move(upstream));
  }
  for (Upstream& present : upstreams_) {
    if (!present.upstream) continue;
    present.upstream->client().close_idle();
    retired_.push_back(std::move(present));
  }
  upstreams_ = std::move(next);
  context_.router = snapshot->router;
  session_options_ = std::make_shared<proxy::SessionOptions>(snapshot->router->session());
  context_.purge_from = snapshot->purge_from;
  context_.certificates = snapshot->certificates;
  context_.trusted_proxies = snapshot->trusted_proxies;
  context_.trusts_unix = snapshot->trusts_unix;
  for (Listening& listening : listeners_) listening.rules = rules_of(listening.options, *snapshot, loop_.worker_id());
  context_.upstreams.clear();
  for (const Upstream& upstream : upstreams_) context_.upstreams.push_back(upstream.upstream.get());
  if (home_) home_->apply(*snapshot);
}

void Worker::note_failed_reload() {
  loop_.post([this] { home_->note_failed_reload(); });
}

void Worker::reopen_files() {
  loop_.post([this] { home_->reopen_files(); });
}

void Worker::start() {
  thread_ = std::thread([this] { run(); });
}

void Worker::run() {
  if (home_) {
    home_->apply(*snapshot_);
    home_->start();
  }
  for (const Listening& listening : listeners_) {
    listening.socket->set_on_exhausted([this](int error) {
      if (!shared_.edge.count_failed_accept(loop_.mono_now())) return;
      obs::log(obs::LogLevel::kWarning,
               "cannot accept connections: {}; raise the limit of open files (LimitNOFILE, ulimit -n)",
               std::strerror(error));
    });
    listening.socket->start(loop_, [this, &listening](Fd connection, const net::Address& peer) {
      accept(listening, std::move(connection), peer);
    });
  }
  if (access_log_.is_on()) loop_.timers().arm(flush_timer_, loop_.mono_now() + kLogFlush);
  loop_.run();
  // On the loop's own thread, while it lives: what is left is given up.
  listeners_.clear();
  while (proxy::Session* session = sessions_.pop_front()) delete session;
  running_.cancel_all();
  home_.reset();
  access_log_.flush();
}

void Worker::accept(const Listening& listening, Fd connection, const net::Address& peer) {
  proxy::ClientInfo client{.ip = peer.ip(), .port = peer.port()};
  if (snapshot_->tells_addresses) {
    sockaddr_storage local{};
    socklen_t size = sizeof local;
    if (::getsockname(connection.get(), reinterpret_cast<sockaddr*>(&local), &size) == 0) {
      client.local = std::make_unique<net::Address>(reinterpret_cast<const sockaddr*>(&local), size);
    }
  }
  auto* opening = new proxy::Opening(
      loop_, listening.rules, shared_.connections, shared_.edge,
      std::make_unique<net::Transport>(loop_, std::move(connection)), std::move(client),
      [this](proxy::Opening& opened_one, proxy::Opening::Opened opened) {
        remove(opened_one);
        serve(std::move(opened));
      },
      [this](proxy::Session& closed) { remove(closed); });
  sessions_.push_back(*opening);
  opening->start();
}

void Worker::serve(proxy::Opening::Opened opened) {
  const auto on_closed = [this](proxy::Session& closed) { remove(closed); };
  if (opened.protocol == proxy::Opening::Protocol::kHttp2) {
    auto* session = new proxy::SessionH2(loop_, session_options_, std::move(opened.transport), std::move(opened.client),
                                         make_handler_, on_closed, shared_.http2[loop_.worker_id()]);
    session->slot = std::move(opened.slot);
    sessions_.push_back(*session);
    return session->start();
  }
  auto* session = new proxy::SessionH1(loop_, session_options_, std::move(opened.transport), std::move(opened.client),
                                       make_handler_, on_closed);
  session->slot = std::move(opened.slot);
  sessions_.push_back(*session);
  if (opened.is_refused) {
    session->refuse();
  } else {
    session->start();
  }
}

void Worker::remove(proxy::Session& session) {
  session.link.unlink();
  loop_.defer_delete(std::unique_ptr<proxy::Session>(&session));
  if (context_.is_draining) finish_drain();
}

void Worker::apply(std::shared_ptr<const Snapshot> snapshot) {
  loop_.post([this, snapshot = std::move(snapshot)] { use(snapshot); });
}

void Worker::drain(std::function<void()> on_done) {
  loop_.post([this, on_done = std::move(on_done)]() mutable {
    on_drained_ = std::move(on_done);
    context_.is_draining = true;
    listeners_.clear();
    // drain() may close a session, which takes it out of the list.
    for (proxy::Session* session = sessions_.front(); session != nullptr;) {
      proxy::Session* next = sessions_.next(*session);
      session->drain();
      session = next;
    }
    finish_drain();
  });
}

void Worker::finish_drain() {
  if (sessions_.empty() && on_drained_) std::exchange(on_drained_, nullptr)();
}

void Worker::stop() {
  loop_.stop();
}

void Worker::join() {
  if (thread_.joinable()) thread_.join();
}

}  // namespace seawall::server
