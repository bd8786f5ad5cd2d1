#include "server/server.h"

#include <fmt/ranges.h>
#include <sys/resource.h>

#include <csignal>
#include <ctime>
#include <thread>

#include "config/admin_socket.h"
#include "http/date.h"
#include "net/certificate.h"
#include "net/kernel_tls.h"
#include "obs/log.h"
#include "server/certificate_watch.h"
#include "server/disk_directories.h"
#include "server/snapshot.h"
#include "server/worker.h"

namespace seawall::server {
namespace {

using obs::log;
using obs::LogLevel;

// A worker's word that it has drained; sent to ourselves and waited for like the operator's signals.
constexpr int kDrained = SIGUSR2;
// From one look at the files of TLS to the next.
constexpr timespec kCertificateLook{.tv_sec = 1, .tv_nsec = 0};

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

std::string describe(const net::ListenOptions& listen) {
  std::string text;
  const auto add = [&](std::string_view word) { text += (text.empty() ? " (" : ", ") + std::string(word); };
  if (listen.takes_tls) add("TLS");
  if (listen.takes_tls && listen.takes_plain) add("plain");
  if (listen.expects_proxy) add("PROXY protocol");
  if (listen.redirect_port != 0) {
    add("redirects to https on port " + std::to_string(listen.redirect_port));
  } else if (listen.redirects) {
    add("redirects to https");
  }
  return text.empty() ? text : text + ")";
}

// One socket for each worker on an address; the first settles the port when it was 0.
std::expected<std::vector<std::unique_ptr<net::Listener>>, std::string> bind_one(const net::ListenOptions& listen,
                                                                                 std::uint32_t workers) {
  std::vector<std::unique_ptr<net::Listener>> sockets;
  const auto add =
      [&](std::expected<std::unique_ptr<net::Listener>, std::string> socket) -> std::expected<void, std::string> {
    if (!socket) return std::unexpected(std::move(socket.error()));
    sockets.push_back(std::move(*socket));
    return {};
  };
  if (!listen.path.empty()) {
    if (auto bound = add(net::Listener::bind_unix(listen.path, listen.mode)); !bound) {
      return std::unexpected(std::move(bound.error()));
    }
    for (std::uint32_t w = 1; w < workers; ++w) {
      if (auto shared = add(sockets.front()->share()); !shared) return std::unexpected(std::move(shared.error()));
    }
    return sockets;
  }
  auto address = net::Address::parse(listen.address);
  if (!address) return std::unexpected("listen: \"" + listen.address + "\" is not ADDRESS:PORT");
  if (address->port() != 0) {
    if (auto free = net::Listener::probe(*address); !free) return std::unexpected(std::move(free.error()));
  }
  for (std::uint32_t w = 0; w < workers; ++w) {
    if (auto bound = add(net::Listener::bind(*address)); !bound) return std::unexpected(std::move(bound.error()));
    address = sockets.front()->address();
  }
  return sockets;
}

// By worker.
std::expected<std::vector<std::vector<Listening>>, std::string> bind_all(const config::Config& config,
                                                                         std::uint32_t workers) {
  std::vector<std::vector<Listening>> bound(workers);
  for (const net::ListenOptions& listen : config.listen) {
    auto sockets = bind_one(listen, workers);
    if (!sockets) return std::unexpected(std::move(sockets.error()));
    log(LogLevel::kInfo, "listening on {}{}",
        listen.path.empty() ? sockets->front()->address().to_string() : "unix:" + listen.path, describe(listen));
    for (std::uint32_t w = 0; w < workers; ++w) {
      bound[w].push_back({.options = listen, .socket = std::move((*sockets)[w])});
    }
  }
  return bound;
}

// The ports that the kernel has chosen.
void fill_in_ports(std::vector<net::ListenOptions>& listen, const std::vector<Listening>& bound) {
  for (std::size_t i = 0; i < listen.size(); ++i) {
    const auto asked = net::Address::parse(listen[i].address);
    if (listen[i].path.empty() && asked && asked->port() == 0) {
      listen[i].address = bound[i].socket->address().to_string();
    }
  }
}

void log_certificates(const Snapshot& snapshot, const config::Config& config) {
  for (const Ref<const net::Certificate>& certificate : snapshot.certificates) {
    log(LogLevel::kInfo, "certificate {}: {} for {}, valid until {}", certificate->files().certificate,
        certificate->key_type(), fmt::join(certificate->names(), ", "), http::format_date(certificate->not_after()));
  }
  if (snapshot.certificates.empty()) return;
  const net::KernelTls& kernel = net::kernel_offers_tls();
  if (!config.tls.kernel) {
    log(LogLevel::kInfo, "kTLS is off (tls.kernel): TLS is encrypted in the process");
  } else if (kernel.is_offered) {
    log(LogLevel::kInfo, "kTLS: the kernel encrypts where it knows the cipher");
  } else {
    log(LogLevel::kInfo, "no kTLS ({}): TLS is encrypted in the process", kernel.reason);
  }
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

// What a running server goes by.
struct Running {
  const config::Config& started_with;
  config::Config config;
  std::shared_ptr<const Snapshot> snapshot;
  CertificateWatch certificates;
  std::vector<std::unique_ptr<Worker>> workers{};
};

void reload_config(const Reload& reload, Shared& shared, Running& running) {
  const auto fail = [&](const std::string& why) {
    log(LogLevel::kError, "reload: nothing changed: {}", why);
    running.workers.front()->note_failed_reload();
  };
  auto config = reload();
  if (!config) return fail(config.error());
  const bool had_tls = !running.config.tls.certificates.empty();
  const config::Config& first = running.started_with;
  if (config->listen != first.listen || config->workers != first.workers) {
    log(LogLevel::kWarning, "reload: changes of server.listen and server.workers need a restart");
    if (had_tls && config->tls.certificates.empty()) return fail("the listeners of before need tls.certificates");
  }
  config->listen = running.config.listen;  // as they are bound, for what follows from them
  if (config->cache.eviction != first.cache.eviction) {
    log(LogLevel::kWarning, "reload: a change of cache.eviction needs a restart");
  }
  if (config->compress_memory != first.compress_memory) {
    log(LogLevel::kWarning, "reload: a change of cache.compress_memory needs a restart");
  }
  if (config->encode.threads != first.encode.threads) {
    log(LogLevel::kWarning, "reload: a change of encode.threads needs a restart");
  }
  if (config->dns != first.dns) log(LogLevel::kWarning, "reload: a change of [dns] needs a restart");
  if (!has_same_disk(*config, first)) {
    log(LogLevel::kWarning,
        "reload: changes of cache.disk, cache.disk_max_object, cache.disk_writes and cache.disk_reads need a restart");
  }
  CertificateWatch certificates(*config);  // before they are read, so that no change is missed
  const auto workers = static_cast<std::uint32_t>(running.workers.size());
  auto made = make_snapshot(*config, shared.registry, shared.tickets, workers, shared.clock);
  if (!made) return fail(made.error());
  resolve_origins(*made, running.snapshot.get(), first.dns, shared.origin_log, shared.clock);
  const auto snapshot = std::make_shared<const Snapshot>(std::move(*made));
  running.snapshot = snapshot;
  running.config = std::move(*config);
  running.certificates = std::move(certificates);
  shared.tickets->set_rotation(running.config.tls.ticket_rotation);
  for (const auto& worker : running.workers) worker->apply(snapshot);
  log(LogLevel::kInfo, "reloaded: {} origins, {} routes", running.config.origins.size(), running.config.routes.size());
  log_certificates(*snapshot, running.config);
}

void reload_certificates(Shared& shared, Running& running) {
  Renewal made =
      with_new_certificates(*running.snapshot, running.config, shared.registry, shared.tickets, shared.clock);
  if (made.has_changed) {
    running.snapshot = std::make_shared<const Snapshot>(std::move(made.snapshot));
    for (const auto& worker : running.workers) worker->apply(running.snapshot);
    log(LogLevel::kInfo, "certificates have changed and are in use");
    log_certificates(*running.snapshot, running.config);
  }
  for (const std::string& error : made.errors) {
    log(LogLevel::kError, "files of certificates have changed, and what they held before stays in use: {}", error);
  }
  if (!made.errors.empty()) running.workers.front()->note_failed_reload();
}

// The operator's next signal; meanwhile the certificates are looked at.
int next_signal(const sigset_t& signals, Shared& shared, Running& running) {
  while (true) {
    const auto lapsed = running.certificates.take_lapsed(running.snapshot->certificates, shared.clock.wall_now());
    for (const std::string& file : lapsed) log(LogLevel::kWarning, "{}: {}", file, net::kOcspIsOutOfDate);
    const int signal = sigtimedwait(&signals, nullptr, running.certificates.is_on() ? &kCertificateLook : nullptr);
    if (signal > 0) return signal;
    if (running.certificates.has_changed()) reload_certificates(shared, running);
  }
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
  auto disk = open_disk(config, shared.store, shared.clock);
  if (!disk) {
    log(LogLevel::kError, "{}", disk.error());
    return 1;
  }
  shared.disk = std::move(*disk);
  if (shared.disk) shared.store.attach(*shared.disk);
  CertificateWatch certificates(config);  // before they are read, so that no change is missed
  config::Config bound = config;
  fill_in_ports(bound.listen, listeners->front());
  auto made = make_snapshot(bound, shared.registry, shared.tickets, count, shared.clock);
  if (!made) {
    log(LogLevel::kError, "{}", made.error());
    return 1;
  }
  resolve_origins(*made, nullptr, config.dns, shared.origin_log, shared.clock);
  Running running{.started_with = config,
                  .config = std::move(bound),
                  .snapshot = std::make_shared<const Snapshot>(std::move(*made)),
                  .certificates = std::move(certificates)};
  log_certificates(*running.snapshot, config);
  if (shared.disk) await_disk(*shared.disk);
  std::vector<std::unique_ptr<Worker>>& workers = running.workers;
  workers.reserve(count);
  for (std::uint32_t w = 0; w < count; ++w) {
    workers.push_back(std::make_unique<Worker>(w, count, shared, config, running.snapshot, std::move((*listeners)[w])));
  }
  workers.front()->be_home(config, std::move(*admin_listeners));
  for (const auto& worker : workers) worker->start();
  log(LogLevel::kInfo, "serving with {} {}, {} MiB of cache memory", count, count == 1 ? "worker" : "workers",
      config.cache.memory_bytes >> 20);

  bool clean = true;
  for (bool serving = true; serving;) {
    switch (next_signal(signals, shared, running)) {
      case SIGHUP: reload_config(reload, shared, running); break;
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
        shared.encoder.stop();
        if (shared.pack_threads) shared.pack_threads->stop();
        // What it has to tell is posted to the loops, which are still there.
        if (shared.disk) shared.disk->close();
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
