#include "admin/fill_jobs.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "http/list_syntax.h"

namespace seawall::admin {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMaxUrls = 10'000;  // of one request

// Without empty lines; nullopt: more than kMaxUrls.
std::optional<std::vector<std::string_view>> lines_of(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r";
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    line.remove_prefix(std::min(line.find_first_not_of(kSpace), line.size()));
    line = line.substr(0, line.find_last_not_of(kSpace) + 1);
    if (line.empty()) continue;
    if (lines.size() == kMaxUrls) return std::nullopt;
    lines.push_back(line);
  }
  return lines;
}

AdminReply unknown_job(std::string_view id) {
  return problem(
      404, http::reason_phrase(404),
      fmt::format("there is no job {}: it was never begun, or ended a while ago; POST /v1/fills begins one", id));
}

}  // namespace

struct FillJobs::Tally {
  std::uint64_t accepted = 0;
  std::uint64_t duplicate = 0;
  std::uint64_t cached = 0;
  Json refused = Json::array();

  void refuse(std::string_view url, std::string_view reason) { refused.push_back({{"url", url}, {"reason", reason}}); }
};

FillJobs::FillJobs(proxy::Context& context) : context_(context) {}

AdminReply FillJobs::post(const AdminRequest& request) {
  const auto lines = lines_of(request.body);
  if (!lines) {
    return problem(413, http::reason_phrase(413),
                   fmt::format("a request may hold {} URLs, one a line; send the others in further requests, to "
                               "/v1/fills?job=N with the number of the job",
                               kMaxUrls));
  }
  const auto job = job_of(request);
  if (!job) return job.error();
  BackgroundFiller filler(context_);
  Tally tally;
  for (const std::string_view url : *lines) offer(url, job->second, filler, tally);
  const Json answer = {{"job", job->first},
                       {"accepted", tally.accepted},
                       {"duplicate", tally.duplicate},
                       {"cached", tally.cached},
                       {"refused", std::move(tally.refused)}};
  // What was sent need not be UTF-8.
  return {.status = 202, .body = answer.dump(-1, ' ', false, Json::error_handler_t::replace)};
}

// The one that is named, else a new one.
std::expected<FillJobs::Jobs::value_type, AdminReply> FillJobs::job_of(const AdminRequest& request) {
  if (const auto id = request.parameter("job")) {
    const auto number = http::parse_uint(*id);
    const auto known = number ? jobs_.find(*number) : jobs_.end();
    if (known == jobs_.end()) return std::unexpected(unknown_job(*id));
    return *known;
  }
  if (jobs_.size() >= kMaxJobs) {
    const auto finished = std::ranges::find_if(jobs_, [](const auto& job) { return job.second->waiting == 0; });
    if (finished == jobs_.end()) {
      return std::unexpected(problem(503, http::reason_phrase(503),
                                     fmt::format("{} jobs are under way; wait until one has ended, or add to one with "
                                                 "/v1/fills?job=N",
                                                 kMaxJobs)));
    }
    jobs_.erase(finished);
  }
  return *jobs_.emplace(++last_id_, std::make_shared<Job>()).first;
}

void FillJobs::offer(std::string_view url, const std::shared_ptr<Job>& job, BackgroundFiller& filler, Tally& tally) {
  const auto target = parse_target(context_, url);
  if (!target) return tally.refuse(url, "bad-url");
  const proxy::Route* route = context_.router->find(target->uri.authority, target->uri.path);
  if (!route) return tally.refuse(url, "no-route");
  if (!is_filled_in_background(*route)) return tally.refuse(url, "not-cacheable");
  const auto on_outcome = [job](bool is_filled) {
    --job->waiting;
    ++(is_filled ? job->done : job->failed);
  };
  switch (filler.enqueue(*route, *target, {.klass = fill::FillClass::kPrefetch}, on_outcome)) {
    case Enqueued::kQueued:
      ++job->waiting;
      ++tally.accepted;
      return;
    case Enqueued::kFresh: ++tally.cached; return;
    case Enqueued::kUnderWay:
    case Enqueued::kAbsent: ++tally.duplicate; return;
    case Enqueued::kFull: return tally.refuse(url, "queue-full");
  }
}

AdminReply FillJobs::get(std::string_view id) {
  const auto number = http::parse_uint(id);
  const auto known = number ? jobs_.find(*number) : jobs_.end();
  if (known == jobs_.end()) return unknown_job(id);
  const auto& [job_id, job] = *known;
  // A fill that has begun is not told from one that waits.
  const Json answer = {
      {"job", job_id}, {"waiting", job->waiting}, {"running", 0}, {"done", job->done}, {"failed", job->failed}};
  return {.body = answer.dump()};
}

}  // namespace seawall::admin
