// POST /v1/fills and GET /v1/fills/ID: URLs to be fetched into the cache in the background, through the fill queues of
// their origins, as prefetch. Jobs are counted while they run and for a while after; their number is bounded. Thread:
// the home worker's.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <string_view>

#include "admin/background_fill.h"
#include "admin/message.h"
#include "proxy/context.h"

namespace seawall::admin {

class FillJobs {
 public:
  explicit FillJobs(proxy::Context& context);

  // The body holds a URL a line; ?job=N adds to that job. 202 {"job", "accepted", "duplicate", "cached", "refused":
  // [{"url", "reason"}]}; reasons: "bad-url", "no-route", "not-cacheable" (a pass, push or stale-only route),
  // "queue-full".
  AdminReply post(const AdminRequest& request);
  // 200 {"job", "waiting", "running", "done", "failed"}; 404.
  AdminReply get(std::string_view id);

 private:
  static constexpr std::size_t kMaxJobs = 64;
  struct Job {  // also in the hands of its fills
    std::uint64_t waiting = 0;
    std::uint64_t done = 0;
    std::uint64_t failed = 0;
  };
  using Jobs = std::map<std::uint64_t, std::shared_ptr<Job>>;  // the oldest first
  struct Tally;

  std::expected<Jobs::value_type, AdminReply> job_of(const AdminRequest& request);
  void offer(std::string_view url, const std::shared_ptr<Job>& job, BackgroundFiller& filler, Tally& tally);

  proxy::Context& context_;
  Jobs jobs_;
  std::uint64_t last_id_ = 0;
};

}  // namespace seawall::admin
