#include "server/worker.h"

#include <cstring>
#include <utility>

#include "obs/log.h"
#include "proxy/transaction.h"

namespace seawall::server {
namespace {

constexpr Millis kLogFlush{1000};

}  // namespace

Worker::Worker(std::uint32_t id, std::uint32_t workers, Shared& shared, const config::Config& config,
               const std::shared_ptr<const Snapshot>& snapshot, std::vector<std::unique_ptr<net::Listener>> listeners)
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
               .connections = shared.connections},
      make_handler_([this](proxy::ResponseWriter& writer, std::string client_ip, std::function<void()> on_finished) {
        return std::make_unique<proxy::Transaction>(context_, writer, std::move(client_ip), std::move(on_finished));
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
  context_.purge_from = snapshot->purge_from;
  context_.trusted_proxies = snapshot->trusted_proxies;
  context_.trusts_unix = snapshot->trusts_unix;
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
  for (const auto& listener : listeners_) {
    listener->set_on_exhausted([](int error) {
      obs::log(obs::LogLevel::kWarning, "cannot accept connections: {}; raise the limit of open files",
               std::strerror(error));
    });
    listener->start(loop_, [this](Fd connection, const net::Address& peer) { accept(std::move(connection), peer); });
  }
  if (access_log_.is_on()) loop_.timers().arm(flush_timer_, loop_.mono_now() + kLogFlush);
  loop_.run();
  // On the loop's own thread, while it lives: what is left is given up.
  listeners_.clear();
  while (proxy::SessionH1* session = sessions_.pop_front()) delete session;
  running_.cancel_all();
  home_.reset();
  access_log_.flush();
}

void Worker::accept(Fd connection, const net::Address& peer) {
  const bool is_full = shared_.connections.load(std::memory_order_relaxed) >= context_.router->session().connections;
  auto* session =
      new proxy::SessionH1(loop_, context_.router->session(), shared_.connections, std::move(connection), peer,
                           make_handler_, [this](proxy::SessionH1& closed) { on_session_closed(closed); });
  sessions_.push_back(*session);
  if (is_full) {
    session->refuse();
  } else {
    session->start();
  }
}

void Worker::on_session_closed(proxy::SessionH1& session) {
  session.link.unlink();
  loop_.defer_delete(std::unique_ptr<proxy::SessionH1>(&session));
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
    for (proxy::SessionH1* session = sessions_.front(); session != nullptr;) {
      proxy::SessionH1* next = sessions_.next(*session);
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
