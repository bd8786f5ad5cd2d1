// The admin listener's requests: health, metrics, the state of origins and routes as JSON with HAL links, purge, fills,
// pushed objects, events. It runs on seawall's own sessions. Thread: the home worker's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "admin/fill_jobs.h"
#include "admin/purge_service.h"
#include "admin/pushed_objects.h"
#include "admin/resources.h"
#include "admin/stream.h"
#include "base/clock.h"
#include "proxy/context.h"
#include "proxy/request_handler.h"

namespace seawall::admin {

// What all admin sessions share.
struct Services {
  explicit Services(proxy::Context& worker_context)
      : context(worker_context),
        memory{.configured_bytes = worker_context.store.budget().limit_bytes()},
        purge(worker_context),
        fills(worker_context),
        objects(worker_context) {}

  proxy::Context& context;  // of the home worker
  MemoryState memory;       // as of the last second
  PurgeService purge;
  FillJobs fills;
  PushedObjects objects;
  MonoTime started_at{};
  std::uint64_t reloads = 0;  // that were applied
  bool last_reload_failed = false;
  std::size_t streams = 0;  // that are open
};

std::unique_ptr<proxy::RequestHandler> make_admin_handler(Services& services, proxy::ResponseWriter& writer,
                                                          const proxy::ClientInfo& client,
                                                          std::function<void()> on_finished);

}  // namespace seawall::admin
