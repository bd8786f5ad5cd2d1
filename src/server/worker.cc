#include "server/worker.h"

#include <cstring>
#include <utility>

#include "obs/log.h"

namespace seawall::server {
namespace {

constexpr Millis kLogFlush{1000};

origin::OriginOptions options_of(const config::OriginConfig& config, std::vector<net::Address> addresses) {
  origin::OriginOptions options;
  options.name = config.name;
  options.addresses = std::move(addresses);
  options.timeouts = config.timeouts;
  options.idle_connections = config.idle_connections;
  options.idle_timeout = config.idle_timeout;
  return options;
}

bool is_same(const config::OriginConfig& a, const config::OriginConfig& b) {
  return a.url == b.url && a.timeouts.connect == b.timeouts.connect && a.timeouts.first_byte == b.timeouts.first_byte &&
         a.timeouts.between_bytes == b.timeouts.between_bytes && a.timeouts.send == b.timeouts.send &&
         a.idle_connections == b.idle_connections && a.idle_timeout == b.idle_timeout;
}

bool is_same(const std::vector<net::Address>& a, const std::vector<net::Address>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].to_string() != b[i].to_string()) return false;
  }
  return true;
}

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
               .access_log = access_log_,
               .rng = rng_,
               .router = nullptr,
               .upstreams = {},
               .running = running_,
               .connections = shared.connections},
      listeners_(std::move(listeners)),
      flush_timer_([this] {
        access_log_.flush();
        loop_.timers().arm(flush_timer_, loop_.mono_now() + kLogFlush);
      }) {
  use(*snapshot);
}

Worker::~Worker() = default;

void Worker::use(const Snapshot& snapshot) {
  std::vector<Upstream> next;
  for (std::size_t i = 0; i < snapshot.origins.size(); ++i) {
    Upstream upstream{snapshot.origins[i], snapshot.addresses[i], nullptr};
    for (Upstream& present : upstreams_) {
      if (present.upstream && is_same(present.config, upstream.config) &&
          is_same(present.addresses, upstream.addresses)) {
        upstream.upstream = std::move(present.upstream);
        break;
      }
    }
    if (!upstream.upstream) {
      upstream.upstream =
          std::make_unique<proxy::OriginUpstream>(loop_, options_of(upstream.config, upstream.addresses));
    }
    next.push_back(std::move(upstream));
  }
  for (Upstream& present : upstreams_) {
    if (!present.upstream) continue;
    present.upstream->client().close_idle();
    retired_.push_back(std::move(present));
  }
  upstreams_ = std::move(next);
  context_.router = snapshot.router;
  context_.upstreams.clear();
  for (const Upstream& upstream : upstreams_) context_.upstreams.push_back(upstream.upstream.get());
}

void Worker::start() {
  thread_ = std::thread([this] { run(); });
}

void Worker::run() {
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
  access_log_.flush();
}

void Worker::accept(Fd connection, const net::Address& peer) {
  const bool is_full = shared_.connections.load(std::memory_order_relaxed) >= context_.router->session().connections;
  auto* session = new proxy::SessionH1(context_, loop_, std::move(connection), peer,
                                       [this](proxy::SessionH1& closed) { on_session_closed(closed); });
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
  loop_.post([this, snapshot = std::move(snapshot)] { use(*snapshot); });
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
