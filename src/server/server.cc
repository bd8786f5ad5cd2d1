#include "server/server.h"

#include <sys/resource.h>

#include <csignal>
#include <ctime>
#include <thread>

#include "config/admin_socket.h"
#include "obs/log.h"
#include "server/snapshot.h"
#include "server/worker.h"

namespace seawall::server {
namespace {

using obs::log;
using obs::LogLevel;

// A worker's word that it has drained; sent to ourselves and waited for like the operator's signals.
constexpr int kDrained = SIGUSR2;

sigset_t handled_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, kDrained}) sigaddset(&set, signal);
  return set;
}

// As many descriptors as we are allowed.
void raise_file_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
}

// One socket per worker on each address; the first settles the port when it was 0.
std::expected<std::vector<std::vector<std::unique_ptr<net::Listener>>>, std::string> bind_all(
    const config::Config& config, std::uint32_t workers) {
  std::vector<std::vector<std::unique_ptr<net::Listener>>> bound(workers);
  for (const net::ListenOptions& options : config.listen) {
    auto address = net::Address::parse(options.address);
    if (!address) return std::unexpected("listen: \"" + options.address + "\" is not ADDRESS:PORT");
    if (address->port() != 0) {
      if (auto free = net::Listener::probe(*address); !free) return std::unexpected(free.error());
    }
    for (std::uint32_t w = 0; w < workers; ++w) {
      auto listener = net::Listener::bind(*address);
      if (!listener) return std::unexpected(listener.error());
      address = (*listener)->address();
      bound[w].push_back(std::move(*listener));
    }
    log(LogLevel::kInfo, "listening on {}", address->to_string());
  }
  return bound;
}

// A port or path that nobody asked for may be taken: then there is one listener less. What was asked for must be had.
std::expected<std::vector<std::unique_ptr<net::Listener>>, std::string> bind_admin(const config::Config& config) {
  std::vector<std::unique_ptr<net::Listener>> bound;
  const auto add = [&](auto&& listener, bool is_given, std::string_view key) -> std::expected<void, std::string> {
    if (listener) {
      log(LogLevel::kInfo, "admin on {}", (*listener)->address().to_string());
      bound.push_back(std::move(*listener));
      return {};
    }
    if (is_given) return std::unexpected(std::string(key) + ": " + listener.error());
    log(LogLevel::kWarning, "{}: {}; going on without", key, listener.error());
    return {};
  };
  const config::AdminOptions& admin = config.admin;
  if (admin.listen != "off") {
    const auto address = net::Address::parse(admin.listen);
    if (!address) return std::unexpected("admin.listen: \"" + admin.listen + "\" is not ADDRESS:PORT");
    auto free = net::Listener::probe(*address);
    auto listener = free ? net::Listener::bind(*address) : std::unexpected(std::move(free.error()));
    if (auto added = add(std::move(listener), admin.is_listen_given, "admin.listen"); !added) {
      return std::unexpected(std::move(added.error()));
    }
  }
  if (admin.socket != "off") {
    auto listener = net::Listener::bind_unix(admin.socket.empty() ? config::default_admin_socket() : admin.socket);
    if (auto added = add(std::move(listener), admin.is_socket_given, "admin.socket"); !added) {
      return std::unexpected(std::move(added.error()));
    }
  }
  return bound;
}

void reload_config(const Reload& reload, const config::Config& started_with, Shared& shared,
                   std::vector<std::unique_ptr<Worker>>& workers) {
  const auto config = reload();
  if (!config) {
    log(LogLevel::kError, "reload: nothing changed: {}", config.error());
    workers.front()->note_failed_reload();
    return;
  }
  const auto snapshot = std::make_shared<const Snapshot>(make_snapshot(*config, shared.registry));
  resolve_origins(*snapshot, *config, shared.origin_log, shared.clock);
  if (config->listen != started_with.listen || config->workers != started_with.workers) {
    log(LogLevel::kWarning, "reload: changes of server.listen and server.workers need a restart");
  }
  shared.store.budget().set_limit_bytes(config->cache.memory_bytes);
  shared.store.make_room(0);
  for (const auto& worker : workers) worker->apply(snapshot);
  log(LogLevel::kInfo, "reloaded: {} origins, {} routes", config->origins.size(), config->routes.size());
}

// True when every worker has drained; false at the deadline or at a second signal.
bool wait_for_drain(const sigset_t& signals, Millis limit, const Clock& clock) {
  const MonoTime deadline = clock.mono_now() + limit;
  while (true) {
    const auto left = deadline - clock.mono_now();
    if (left.count() <= 0) return false;
    const timespec wait{.tv_sec = static_cast<time_t>(left.count() / 1'000'000),
                        .tv_nsec = static_cast<long>(left.count() % 1'000'000 * 1000)};
    const int signal = sigtimedwait(&signals, nullptr, &wait);
    if (signal == kDrained) return true;
    if (signal == SIGTERM || signal == SIGINT) {
      log(LogLevel::kWarning, "second signal: exiting at once");
      return false;
    }
  }
}

}  // namespace

int run(const config::Config& config, const Reload& reload) {
  const sigset_t signals = handled_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  raise_file_limit();

  const std::uint32_t count = config.workers != 0 ? config.workers : std::max(1U, std::thread::hardware_concurrency());
  Shared shared(config, count);
  if (config.access_log.target != "off") {
    auto file = obs::AccessLogFile::open(config.access_log);
    if (!file) {
      log(LogLevel::kError, "{}", file.error());
      return 1;
    }
    shared.access_file = std::move(*file);
  }
  auto listeners = bind_all(config, count);
  if (!listeners) {
    log(LogLevel::kError, "{}", listeners.error());
    return 1;
  }
  auto admin_listeners = bind_admin(config);
  if (!admin_listeners) {
    log(LogLevel::kError, "{}", admin_listeners.error());
    return 1;
  }
  const auto snapshot = std::make_shared<const Snapshot>(make_snapshot(config, shared.registry));
  resolve_origins(*snapshot, config, shared.origin_log, shared.clock);
  std::vector<std::unique_ptr<Worker>> workers;
  workers.reserve(count);
  for (std::uint32_t w = 0; w < count; ++w) {
    workers.push_back(std::make_unique<Worker>(w, count, shared, config, snapshot, std::move((*listeners)[w])));
  }
  workers.front()->be_home(config, std::move(*admin_listeners));
  for (const auto& worker : workers) worker->start();
  log(LogLevel::kInfo, "serving with {} {}, {} MiB of cache memory", count, count == 1 ? "worker" : "workers",
      config.cache.memory_bytes >> 20);

  bool clean = true;
  for (bool serving = true; serving;) {
    int signal = 0;
    sigwait(&signals, &signal);
    switch (signal) {
      case SIGHUP: reload_config(reload, config, shared, workers); break;
      case SIGUSR1:
        obs::reopen_log();
        if (shared.access_file) shared.access_file->reopen();
        workers.front()->reopen_files();
        log(LogLevel::kInfo, "logs reopened");
        break;
      case SIGTERM:
      case SIGINT: {
        serving = false;
        log(LogLevel::kInfo, "draining: finishing the requests in flight");
        std::atomic<std::size_t> left{workers.size()};
        for (const auto& worker : workers) {
          worker->drain([&left] {
            if (left.fetch_sub(1) == 1) kill(getpid(), kDrained);
          });
        }
        clean = wait_for_drain(signals, config.session.shutdown_timeout, shared.clock);
        for (const auto& worker : workers) worker->stop();
        for (const auto& worker : workers) worker->join();
        break;
      }
      default: break;
    }
  }
  workers.clear();
  log(LogLevel::kInfo, "{}", clean ? "drained, bye" : "stopped with requests unfinished");
  return 0;
}

}  // namespace seawall::server
