// One worker: a thread with its own loop, listening sockets, client sessions and origin connections. Everything but the
// functions marked so is called on its own thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "base/list.h"
#include "base/rng.h"
#include "cache/store.h"
#include "config/config.h"
#include "fill/fill_table.h"
#include "net/listener.h"
#include "net/loop.h"
#include "obs/access_log.h"
#include "proxy/context.h"
#include "proxy/origin_upstream.h"
#include "proxy/router.h"
#include "proxy/session_h1.h"

namespace seawall::server {

// What all workers share.
struct Shared {
  explicit Shared(const config::Config& config) : store(config.cache), fills(config.fill, store) {}

  SystemClock clock;
  cache::Store store;
  fill::FillTable fills;
  std::atomic<std::size_t> connections{0};
  std::shared_ptr<obs::AccessLogFile> access_file;
};

// A configuration ready to serve: names resolved.
struct Snapshot {
  Ref<const proxy::Router> router;
  std::vector<config::OriginConfig> origins;         // by the router's index
  std::vector<std::vector<net::Address>> addresses;  // likewise
};

class Worker {
 public:
  Worker(std::uint32_t id, std::uint32_t workers, Shared& shared, const config::Config& config,
         const std::shared_ptr<const Snapshot>& snapshot, std::vector<std::unique_ptr<net::Listener>> listeners);
  ~Worker();

  // Any thread. start() begins the thread, join() ends it once stop() was called.
  void start();
  void apply(std::shared_ptr<const Snapshot> snapshot);
  // No new connections, no new requests; `on_done` (on the worker's thread) once the last session is gone.
  void drain(std::function<void()> on_done);
  void stop();
  void join();

 private:
  struct Upstream {
    config::OriginConfig config;
    std::vector<net::Address> addresses;
    std::unique_ptr<proxy::OriginUpstream> upstream;
  };

  void run();
  void use(const Snapshot& snapshot);
  void accept(Fd connection, const net::Address& peer);
  void on_session_closed(proxy::SessionH1& session);
  void finish_drain();

  Shared& shared_;
  net::Loop loop_;
  Rng rng_;
  obs::AccessLog access_log_;
  fill::RunningFills running_;
  std::vector<Upstream> upstreams_;
  std::vector<Upstream> retired_;  // of earlier configurations; their fetches may still run
  proxy::Context context_;
  std::vector<std::unique_ptr<net::Listener>> listeners_;
  List<proxy::SessionH1, &proxy::SessionH1::link> sessions_;
  Timer flush_timer_;
  std::function<void()> on_drained_;
  std::thread thread_;
};

}  // namespace seawall::server
