// Tells the miss events to those that do not read them from the admin API: a file or a Unix socket that gets them as
// lines of JSON, and a webhook that gets them by POST. Each has its own pace: it gets them in order and at least once,
// is tried again for as long as it fails, and goes on after the last one it took; what MissEvents has let go of by then
// is lost, counted and logged. Thread: its loop's.
#pragma once

#include <memory>
#include <vector>

#include "base/rng.h"
#include "config/config.h"
#include "fill/miss_events.h"
#include "net/loop.h"
#include "net/resolver.h"

namespace seawall::server {

class MissDelivery {
 public:
  MissDelivery(net::Loop& loop, fill::MissEvents& events, const config::PushOptions& options, net::Resolver& resolver,
               Rng& rng);
  ~MissDelivery();
  MissDelivery(const MissDelivery&) = delete;
  MissDelivery& operator=(const MissDelivery&) = delete;

  // Once.
  void start();
  // The file has been moved away: a new one is begun.
  void reopen();

 private:
  class Target;
  class Lines;
  class Webhook;

  net::Loop& loop_;
  fill::MissEvents& events_;
  std::vector<std::unique_ptr<Target>> targets_;
  std::unique_ptr<fill::MissEvents::Subscription> subscription_;
};

}  // namespace seawall::server
