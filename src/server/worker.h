// One worker: a thread with its own loop, listening sockets, client sessions and origin connections. Everything but the
// functions marked so is called on its own thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "base/background.h"
#include "base/list.h"
#include "base/rng.h"
#include "cache/disk_tier.h"
#include "cache/memory_packer.h"
#include "cache/store.h"
#include "config/config.h"
#include "encode/encoder.h"
#include "fill/fill_table.h"
#include "fill/miss_events.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/ticket_keys.h"
#include "obs/access_log.h"
#include "proxy/connection_limits.h"
#include "proxy/context.h"
#include "proxy/edge_counters.h"
#include "proxy/h2_budget.h"
#include "proxy/opening.h"
#include "proxy/origin_upstream.h"
#include "proxy/router.h"
#include "proxy/session.h"
#include "server/home.h"
#include "server/origin_log.h"
#include "server/registry.h"
#include "server/snapshot.h"

namespace seawall::server {

// What all workers share.
struct Shared {
  Shared(const config::Config& config, std::uint32_t workers)
      : store(config.cache),
        fills(config.fill, store),
        miss_events(config.push.events),
        origin_log(clock),
        registry(origin_log, clock, store, workers),
        tickets(std::make_shared<net::TicketKeys>(clock, config.tls.ticket_rotation)),
        http2(workers),
        encoder(clock, {.threads = config.encode.threads, .max_body_bytes = config.cache.memory_bytes / kEncodeBacklog},
                workers) {
    if (!config.compress_memory) return;
    pack_threads = std::make_unique<BackgroundPool>(
        BackgroundOptions{.threads = 1, .max_bytes = config.cache.memory_bytes / kPackBacklog});
    packer = std::make_unique<cache::MemoryPacker>(store, *pack_threads, clock);
    store.attach(*packer);
  }

  // The share of memory that may wait to be encoded, or packed: one in so many. What waits to be packed is in the
  // store.
  static constexpr std::uint64_t kEncodeBacklog = 8;
  static constexpr std::uint64_t kPackBacklog = 4;

  SystemClock clock;
  cache::Store store;
  std::unique_ptr<cache::DiskTier> disk;  // null: memory alone
  fill::FillTable fills;
  fill::MissEvents miss_events;
  OriginLog origin_log;
  Registry registry;
  std::shared_ptr<net::TicketKeys> tickets;
  proxy::ConnectionLimits connections;
  proxy::EdgeCounters edge;
  std::vector<proxy::H2Counters> http2;  // by worker
  encode::Pool encoder;
  std::unique_ptr<cache::MemoryPacker> packer;   // null: nothing is compressed in memory
  std::unique_ptr<BackgroundPool> pack_threads;  // its
  std::shared_ptr<obs::AccessLogFile> access_file;
};

// A listening socket of one worker, and what may be spoken there.
struct Listening {
  net::ListenOptions options;
  std::unique_ptr<net::Listener> socket;
  std::shared_ptr<const proxy::OpeningRules> rules = nullptr;  // of the worker's configuration
};

class Worker {
 public:
  Worker(std::uint32_t id, std::uint32_t workers, Shared& shared, const config::Config& config,
         const std::shared_ptr<const Snapshot>& snapshot, std::vector<Listening> listeners);
  // Makes it the home worker. Before start().
  void be_home(const config::Config& config, std::vector<std::unique_ptr<net::Listener>> admin_listeners);
  ~Worker();

  // Any thread. start() begins the thread, join() ends it once stop() was called.
  void start();
  void apply(std::shared_ptr<const Snapshot> snapshot);
  // Of the home worker: a reload that changed nothing because it failed, and SIGUSR1.
  void note_failed_reload();
  void reopen_files();
  // No new connections, no new requests; `on_done` (on the worker's thread) once the last session is gone.
  void drain(std::function<void()> on_done);
  void stop();
  void join();

 private:
  struct Upstream {
    std::string name;
    std::unique_ptr<proxy::OriginUpstream> upstream;
  };

  void run();
  void use(const std::shared_ptr<const Snapshot>& snapshot);
  void accept(const Listening& listening, Fd connection, const net::Address& peer);
  void serve(proxy::Opening::Opened opened);
  void remove(proxy::Session& session);
  void finish_drain();

  Shared& shared_;
  net::Loop loop_;
  Rng rng_;
  obs::AccessLog access_log_;
  fill::RunningFills running_;
  std::vector<Upstream> upstreams_;
  std::vector<Upstream> retired_;  // of earlier configurations; their fetches may still run
  std::shared_ptr<const Snapshot> snapshot_;
  proxy::Context context_;
  std::shared_ptr<const proxy::SessionOptions> session_options_;  // the router's
  std::unique_ptr<Home> home_;
  const proxy::HandlerFactory make_handler_;
  std::vector<Listening> listeners_;
  List<proxy::Session, &proxy::Session::link> sessions_;
  Timer flush_timer_;
  std::function<void()> on_drained_;
  std::thread thread_;
};

}  // namespace seawall::server
