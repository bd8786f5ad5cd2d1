// What one worker does for all: names and health of the origins, the pace of the fill queues, storm mode's clock, the
// cache's memory, the admin listener, and the delivery of miss events. Thread: the home worker's.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "admin/admin_handler.h"
#include "base/list.h"
#include "base/rng.h"
#include "config/config.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/resolver.h"
#include "origin/discovery.h"
#include "origin/health_checker.h"
#include "proxy/context.h"
#include "proxy/session_h1.h"
#include "server/memory_keeper.h"
#include "server/miss_delivery.h"
#include "server/snapshot.h"

namespace seawall::server {

class Home {
 public:
  Home(net::Loop& loop, proxy::Context& context, origin::Observer& observer, Rng& rng, const config::Config& config,
       std::vector<std::unique_ptr<net::Listener>> admin_listeners);
  ~Home();
  Home(const Home&) = delete;
  Home& operator=(const Home&) = delete;

  // On the running loop, once; after apply().
  void start();
  // After the context has the snapshot's router.
  void apply(const Snapshot& snapshot);
  void note_failed_reload() { services_.last_reload_failed = true; }
  void reopen_files() { delivery_.reopen(); }

 private:
  struct Watched {
    config::OriginConfig config;
    std::shared_ptr<fill::FillQueue> fills;
    std::unique_ptr<origin::Discovery> discovery;
    std::unique_ptr<origin::HealthChecker> health;
  };

  void watch(Watched& watched, const OriginRuntime& runtime);
  void tick();
  void tick_memory();
  void log_disk();
  void accept(Fd connection, const net::Address& peer);

  net::Loop& loop_;
  proxy::Context& context_;
  origin::Observer& observer_;
  Rng& rng_;
  net::ResolverOptions dns_;
  net::Resolver resolver_;
  std::vector<Watched> watched_;
  admin::Services services_;
  MemoryKeeper memory_;
  MissDelivery delivery_;
  const std::shared_ptr<const proxy::SessionOptions> admin_session_ = std::make_shared<proxy::SessionOptions>();
  const proxy::HandlerFactory make_handler_;
  std::vector<std::unique_ptr<net::Listener>> listeners_;
  List<proxy::Session, &proxy::Session::link> sessions_;
  std::size_t sessions_count_ = 0;
  Timer tick_timer_;
  Timer memory_timer_;
  bool is_started_ = false;
  bool has_told_of_disk_ = false;
};

}  // namespace seawall::server
