// POST /v1/purge: URLs at once, prefixes and tags by a rule that holds at once and a sweep that applies it to what
// nobody asks for. What was purged softly is then refreshed, hottest first, through the fill queues. Thread: the home
// worker's.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "admin/background_fill.h"
#include "admin/message.h"
#include "base/timer_wheel.h"
#include "cache/store.h"
#include "proxy/context.h"

namespace seawall::admin {

class PurgeService {
 public:
  explicit PurgeService(proxy::Context& context);

  // {"urls": [...], "prefixes": [...], "tags": [...], "soft": bool} -> 200 {"urls": <variants that went>, "rules": <n>,
  // "soft": bool}; 400 with a problem that names the member that is wrong, and then nothing is purged.
  AdminReply purge(const AdminRequest& request);

  struct Stats {
    std::uint64_t urls = 0;       // variants purged by URL
    std::uint64_t rules = 0;      // prefixes and tags
    std::uint64_t swept = 0;      // objects removed or softened by sweeps
    std::uint64_t refreshed = 0;  // fills begun after soft purges
  };
  const Stats& stats() const { return stats_; }

 private:
  void begin_sweep();
  void sweep_some();
  void add_refreshes(std::vector<cache::Refreshable> more);
  void refresh_some();
  bool refresh(const cache::Refreshable& wanted, BackgroundFiller& filler);
  void post(void (PurgeService::*step)());

  proxy::Context& context_;
  Stats stats_;
  Timer sweep_timer_;  // until the next sweep begins
  bool is_sweeping_ = false;
  cache::SweepCursor cursor_;
  std::uint64_t sweep_epoch_ = 0;               // of the youngest rule when the sweep began
  std::vector<cache::Refreshable> softened_;    // by the sweep so far
  Timer refresh_timer_;                         // until the queues are tried again
  bool is_refreshing_ = false;                  // a turn for it is posted
  std::vector<cache::Refreshable> to_refresh_;  // the coldest first; with delayed_ at most Store::kMaxRefreshables
  std::vector<cache::Refreshable> delayed_;     // found no room in their queues
  const std::shared_ptr<const bool> life_;      // what was posted does nothing once it has gone
};

}  // namespace seawall::admin
