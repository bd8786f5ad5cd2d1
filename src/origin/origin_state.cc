#include "origin/origin_state.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace seawall::origin {
namespace {

// Without active checks, clients' requests probe so long after queued fills may.
constexpr Millis kClientDelay{50};
// With no server usable, one request goes through so often.
constexpr Millis kTrickle{1000};

Error local(ErrorCode code) {
  return {code, Side::kLocal};
}

bool is_overload(const Verdict& verdict) {
  if (!verdict.error) return verdict.status == 503 || verdict.status == 429;
  switch (verdict.error->code) {
    case ErrorCode::kConnectTimeout:
    case ErrorCode::kTlsTimeout:
    case ErrorCode::kFirstByteTimeout:
    case ErrorCode::kTotalTimeout: return true;
    default: return false;
  }
}

// The server that goes on under its name: itself, unless its endpoint has changed since.
Server& current(Server& server) {
  Server* at = &server;
  while (at->successor) at = at->successor.get();
  return *at;
}

}  // namespace

OriginState::OriginState(const OriginOptions& options, Observer& observer, std::uint64_t seed)
    : name_(options.name),
      observer_(observer),
      options_(options),
      rng_(seed),
      breaker_(options.breaker),
      bulkhead_(options.limit, options.routes),
      adaptive_(options.limit.adaptive_min, options.limit.in_flight),
      budget_(options.retry),
      balancer_(options.balance, options.outlier.slow_start) {
  MutexLock lock(mutex_);
  apply_options();
}

void OriginState::set_options(const OriginOptions& options, MonoTime now) {
  MutexLock lock(mutex_);
  options_ = options;
  breaker_.set_options(options.breaker);
  bulkhead_.set_options(options.limit, options.routes);
  adaptive_.set_bounds(options.limit.adaptive_min, options.limit.in_flight);
  budget_.set_options(options.retry);
  balancer_.set_options(options.balance, options.outlier.slow_start);
  for (const auto& server : servers_) {
    server->breaker.set_options(options.breaker);
    server->health.set_options(options.health);
    // Nothing would ever find it healthy again.
    if (options.health.path.empty()) server->health = Health(options.health);
  }
  apply_options();
  update_ailing(now);
  grant_next(now);
}

void OriginState::apply_options() {
  const Millis delay = options_.health.path.empty() ? kClientDelay : options_.health.interval;
  breaker_.set_client_delay(delay);
  for (const auto& server : servers_) server->breaker.set_client_delay(delay);
  if (options_.limit.is_adaptive) bulkhead_.set_limit(adaptive_.limit());
}

void OriginState::set_endpoints(std::vector<Endpoint> endpoints, MonoTime now) {
  MutexLock lock(mutex_);
  const bool is_same = std::ranges::equal(endpoints, servers_, {}, {}, [](const auto& s) { return s->endpoint; });
  if (is_resolved_ && is_same) return;
  std::vector<std::shared_ptr<Server>> next;
  for (Endpoint& endpoint : endpoints) {
    const auto known = std::ranges::find_if(servers_, [&](const auto& s) { return s->endpoint.name == endpoint.name; });
    if (known != servers_.end() && (*known)->endpoint == endpoint) {
      next.push_back(*known);
      continue;
    }
    auto server = std::make_shared<Server>(std::move(endpoint), options_.breaker, options_.health);
    if (known != servers_.end()) {
      server->breaker = (*known)->breaker;
      server->health = (*known)->health;
      server->in_flight = (*known)->in_flight;
      server->usable_since = (*known)->usable_since;
      server->was_well = (*known)->was_well;
      server->requests = (*known)->requests;
      server->failures = (*known)->failures;
      (*known)->successor = server;
    }
    next.push_back(std::move(server));
  }
  servers_ = std::move(next);
  is_resolved_ = true;
  apply_options();
  servers_known_.store(servers_.size(), std::memory_order_relaxed);
  version_.fetch_add(1, std::memory_order_acq_rel);
  update_ailing(now);
}

void OriginState::on_unresolved(ErrorCode why) {
  MutexLock lock(mutex_);
  unresolved_ = why;
  ++errors_[static_cast<std::size_t>(why)];
}

Caller OriginState::caller_of(http::Traffic traffic) {
  return traffic == http::Traffic::kClient ? Caller::kClient : Caller::kBackground;
}

bool OriginState::may_trickle(MonoTime now) const {
  return !trickle_out_ && now >= next_trickle_;
}

// Neither sick nor draining nor ejected: a server that comes back to that gets its share by and by.
bool OriginState::is_well(const Server& server, MonoTime now) const {
  return server.health.is_healthy() && !server.endpoint.is_drain &&
         (servers_.size() < 2 || server.breaker.state(now) == Breaker::State::kClosed);
}

// Fills candidates_ and excluded_. With one server its breaker is the origin's. Past the ceiling those whose breaker is
// open are used all the same: better a bad server than too few.
void OriginState::gather(const std::vector<std::shared_ptr<Server>>& tried, Caller caller, MonoTime now) {
  candidates_.clear();
  excluded_.clear();
  std::size_t may_eject =
      servers_.size() < 2 ? 0 : servers_.size() * options_.outlier.max_ejected_percent / std::size_t{100};
  for (const auto& server : servers_) {
    bool is_usable = server->health.is_healthy() && !server->endpoint.is_drain;
    if (is_usable && may_eject > 0 && !server->breaker.would_admit(now, caller)) {
      is_usable = false;
      --may_eject;
    }
    const bool is_well_now = is_well(*server, now);
    if (is_well_now && !server->was_well) server->usable_since = now;
    server->was_well = is_well_now;
    candidates_.push_back({.id = server->id,
                           .weight = server->endpoint.weight,
                           .is_backup = server->endpoint.is_backup,
                           .is_usable = is_usable,
                           .in_flight = server->in_flight,
                           .usable_since = server->usable_since});
    const bool was_tried =
        std::ranges::any_of(tried, [&](const auto& other) { return other->endpoint.name == server->endpoint.name; });
    if (was_tried) excluded_.push_back(candidates_.size() - 1);
  }
}

std::optional<Error> OriginState::refusal_locked(Caller caller, MonoTime now) {
  if (!is_resolved_) return Error{unresolved_, Side::kOrigin};
  if (now < back_off_until_) return local(ErrorCode::kBackingOff);
  if (!breaker_.would_admit(now, caller)) return local(ErrorCode::kBreakerOpen);
  gather({}, caller, now);
  const bool any = std::ranges::any_of(candidates_, &Candidate::is_usable);
  if (!any && !may_trickle(now)) return local(ErrorCode::kNoServer);
  return std::nullopt;
}

std::optional<Error> OriginState::refusal(http::Traffic traffic, MonoTime now) {
  MutexLock lock(mutex_);
  update_ailing(now);
  return refusal_locked(caller_of(traffic), now);
}

void OriginState::update_ailing(MonoTime now) {
  const bool is_open = breaker_.state(now) != Breaker::State::kClosed;
  is_breaker_open_.store(is_open, std::memory_order_relaxed);
  bool ailing = !is_resolved_ || now < back_off_until_ || is_open;
  if (!ailing) {
    ailing = std::ranges::none_of(
        servers_, [](const auto& server) { return server->health.is_healthy() && !server->endpoint.is_drain; });
  }
  is_ailing_.store(ailing, std::memory_order_relaxed);
}

Millis OriginState::blocked_for(MonoTime now) const {
  MutexLock lock(mutex_);
  Millis wait = breaker_.retry_after(now);
  if (now < back_off_until_) wait = std::max(wait, std::chrono::ceil<Millis>(back_off_until_ - now));
  return wait;
}

Seconds OriginState::retry_after(MonoTime now) const {
  return std::max(Seconds{1}, std::chrono::ceil<Seconds>(blocked_for(now)));
}

OriginState::Entrance OriginState::enter(std::uint32_t route, http::Traffic traffic,
                                         const std::shared_ptr<Waiter>& waiter, MonoTime now) {
  MutexLock lock(mutex_);
  const auto entered = bulkhead_.enter({.route = route, .is_background = traffic == http::Traffic::kBackground}, now);
  if (entered.entry == Bulkhead::Entry::kQueued) waiters_.emplace(entered.ticket, waiter);
  return {entered.entry, entered.ticket};
}

void OriginState::leave(Bulkhead::Ticket ticket, MonoTime now) {
  MutexLock lock(mutex_);
  bulkhead_.leave(ticket);
  grant_next(now);
}

bool OriginState::cancel(Bulkhead::Ticket ticket) {
  MutexLock lock(mutex_);
  if (!bulkhead_.cancel(ticket)) return false;
  waiters_.erase(ticket);
  return true;
}

void OriginState::grant_next(MonoTime now) {
  while (const Bulkhead::Ticket ticket = bulkhead_.next(now)) {
    auto node = waiters_.extract(ticket);
    node.mapped()->executor->post([waiter = std::move(node.mapped())] {
      if (waiter->on_granted) std::exchange(waiter->on_granted, nullptr)();
    });
  }
}

Result<Breaker::Admission> OriginState::begin_call(http::Traffic traffic, MonoTime now) {
  MutexLock lock(mutex_);
  update_ailing(now);
  if (!is_resolved_) return std::unexpected(Error{unresolved_, Side::kOrigin});
  if (now < back_off_until_) return std::unexpected(local(ErrorCode::kBackingOff));
  const Breaker::Admission admission = breaker_.admit(now, caller_of(traffic));
  if (admission == Breaker::Admission::kRefused) return std::unexpected(local(ErrorCode::kBreakerOpen));
  budget_.on_request(now);
  return admission;
}

Result<Try> OriginState::begin_try(http::Traffic traffic, std::uint64_t hash,
                                   const std::vector<std::shared_ptr<Server>>& tried, MonoTime now) {
  MutexLock lock(mutex_);
  const Caller caller = caller_of(traffic);
  gather(tried, caller, now);
  bool is_trickle = false;
  auto at = balancer_.choose(candidates_, excluded_, false, hash, now, rng_);
  if (!at && tried.empty() && may_trickle(now)) {
    for (std::size_t i = 0; i < servers_.size(); ++i) candidates_[i].is_usable = !servers_[i]->endpoint.is_drain;
    at = balancer_.choose(candidates_, excluded_, false, hash, now, rng_);
    is_trickle = at.has_value();
  }
  if (!at) return std::unexpected(local(ErrorCode::kNoServer));
  if (is_trickle) {
    trickle_out_ = true;
    next_trickle_ = now + kTrickle;
  }
  const std::shared_ptr<Server>& server = servers_[*at];
  Breaker::Admission admission = Breaker::Admission::kCall;
  if (servers_.size() > 1 && !is_trickle) {
    admission = server->breaker.admit(now, caller);
    // Past the ejection ceiling: it goes there all the same, and its outcome says nothing new.
    if (admission == Breaker::Admission::kRefused) admission = Breaker::Admission::kCall;
  }
  ++server->in_flight;
  ++server->requests;
  ++requests_;
  return Try{.server = server,
             .admission = admission,
             .is_trickle = is_trickle,
             .in_flight = bulkhead_.in_flight(),
             .begun_at = now};
}

void OriginState::record(Breaker& breaker, const std::string& server, Breaker::Admission admission, Outcome outcome,
                         std::uint64_t hash, MonoTime now) {
  if (!breaker.record(now, admission, outcome, hash, rng_)) return;
  news_.push_back({.server = server, .breaker = breaker.state(now), .retry_after = breaker.retry_after(now)});
}

void OriginState::record_call(Breaker::Admission admission, const Verdict& verdict, std::uint64_t hash, MonoTime now) {
  std::vector<News> news;
  {
    MutexLock lock(mutex_);
    record(breaker_, {}, admission, verdict.outcome, hash, now);
    if (verdict.back_off && now + *verdict.back_off > back_off_until_) {
      back_off_until_ = now + *verdict.back_off;
      news_.push_back({.back_off = verdict.back_off});
    }
    update_ailing(now);
    news.swap(news_);
  }
  tell(news);
}

void OriginState::record_try(const Try& made, const Verdict& verdict, std::uint64_t hash, MonoTime now) {
  std::vector<News> news;
  {
    MutexLock lock(mutex_);
    Server& server = current(*made.server);
    ++statuses_[std::min<std::size_t>(verdict.status / 100, 5)];
    if (verdict.outcome != Outcome::kNeutral && verdict.outcome != Outcome::kSuccess) ++server.failures;
    if (verdict.error) {
      ++errors_[static_cast<std::size_t>(verdict.error->code)];
      news_.push_back({.server = server.endpoint.name, .failure = verdict.error, .reason = verdict.reason});
    }
    if (servers_.size() > 1) record(server.breaker, server.endpoint.name, made.admission, verdict.outcome, hash, now);
    const bool is_dropped = is_overload(verdict);
    if (options_.limit.is_adaptive && (verdict.status != 0 || is_dropped)) {
      adaptive_.on_sample(now - made.begun_at, made.in_flight, is_dropped);
      bulkhead_.set_limit(adaptive_.limit());
      grant_next(now);
    }
    news.swap(news_);
  }
  tell(news);
}

void OriginState::release_try(const Try& made, const ServerStats& more) {
  MutexLock lock(mutex_);
  connections_ += more;
  --current(*made.server).in_flight;
  if (made.is_trickle) trickle_out_ = false;
}

void OriginState::on_broken_body(const Try& made, const Error& error, std::uint64_t hash, MonoTime now) {
  std::vector<News> news;
  {
    MutexLock lock(mutex_);
    Server& server = current(*made.server);
    ++server.failures;
    ++errors_[static_cast<std::size_t>(error.code)];
    news_.push_back({.server = server.endpoint.name, .failure = error});
    if (servers_.size() > 1) {
      record(server.breaker, server.endpoint.name, Breaker::Admission::kCall, Outcome::kBroken, hash, now);
    }
    record(breaker_, {}, Breaker::Admission::kCall, Outcome::kBroken, hash, now);
    update_ailing(now);
    news.swap(news_);
  }
  tell(news);
}

bool OriginState::may_try_again(Again kind, const std::vector<std::shared_ptr<Server>>& tried, MonoTime now) {
  MutexLock lock(mutex_);
  if (breaker_.state(now) != Breaker::State::kClosed) return false;
  if (bulkhead_.queued() * 2 > options_.limit.queue) return false;
  gather(tried, Caller::kClient, now);
  bool any = false;
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    any = any || (candidates_[i].is_usable && std::ranges::find(excluded_, i) == excluded_.end());
  }
  if (!any || !budget_.try_retry(now)) return false;
  ++(kind == Again::kRetry ? retries_ : hedges_);
  return true;
}

void OriginState::count_refusal(ErrorCode code) {
  {
    MutexLock lock(mutex_);
    ++errors_[static_cast<std::size_t>(code)];
  }
  // The other refusals follow from what was told when it began.
  switch (code) {
    case ErrorCode::kQueueTimeout:
    case ErrorCode::kTotalTimeout:
    case ErrorCode::kNoDescriptors:
    case ErrorCode::kNoLocalPort: observer_.on_failure(name_, {}, local(code), {}); return;
    default: return;
  }
}

std::vector<std::shared_ptr<Server>> OriginState::servers() const {
  MutexLock lock(mutex_);
  return servers_;
}

// While it is half open, a check is the probe that costs no client anything.
void OriginState::probe(Breaker& breaker, const std::string& server, bool ok, MonoTime now) {
  if (breaker.state(now) != Breaker::State::kHalfOpen) return;
  const Breaker::Admission admission = breaker.admit(now, Caller::kHealthCheck);
  if (admission == Breaker::Admission::kRefused) return;
  record(breaker, server, admission, ok ? Outcome::kSuccess : Outcome::kBroken, 0, now);
}

void OriginState::record_health(const std::shared_ptr<Server>& server, bool ok, std::string_view reason, MonoTime now) {
  std::vector<News> news;
  {
    MutexLock lock(mutex_);
    Server& checked = current(*server);
    const std::string& name = checked.endpoint.name;
    if (checked.health.record(ok, now)) {
      news_.push_back({.server = name, .is_healthy = ok, .reason = std::string(reason)});
    }
    if (servers_.size() > 1) probe(checked.breaker, name, ok, now);
    // One bad server among several says nothing of the others.
    if (ok || servers_.size() == 1) probe(breaker_, {}, ok, now);
    update_ailing(now);
    news.swap(news_);
  }
  tell(news);
}

void OriginState::tell(const std::vector<News>& news) {
  for (const News& one : news) {
    if (one.failure) observer_.on_failure(name_, one.server, *one.failure, one.reason);
    if (one.breaker) observer_.on_breaker(name_, one.server, *one.breaker, one.retry_after);
    if (one.back_off) observer_.on_back_off(name_, *one.back_off);
    if (one.is_healthy) observer_.on_health(name_, one.server, *one.is_healthy, one.reason);
  }
}

ServerAccess OriginState::access() const {
  MutexLock lock(mutex_);
  return options_.access;
}

LimitOptions OriginState::limits() const {
  MutexLock lock(mutex_);
  return options_.limit;
}

OriginSnapshot OriginState::snapshot(MonoTime now) const {
  MutexLock lock(mutex_);
  OriginSnapshot copy;
  copy.name = name_;
  copy.is_resolved = is_resolved_;
  for (const auto& server : servers_) {
    copy.servers.push_back({.name = server->endpoint.name,
                            .weight = server->endpoint.weight,
                            .is_backup = server->endpoint.is_backup,
                            .is_drain = server->endpoint.is_drain,
                            .is_healthy = server->health.is_healthy(),
                            .is_usable = is_well(*server, now),
                            .breaker = servers_.size() > 1 ? server->breaker.state(now) : breaker_.state(now),
                            .history = server->health.history(),
                            .checks = server->health.checks(),
                            .in_flight = server->in_flight,
                            .requests = server->requests,
                            .failures = server->failures});
  }
  copy.breaker = breaker_.state(now);
  copy.window = breaker_.window(now);
  copy.breaker_opened = breaker_.opened_total();
  if (now < back_off_until_) copy.back_off = std::chrono::ceil<Millis>(back_off_until_ - now);
  copy.retry_after = std::max(breaker_.retry_after(now), copy.back_off);
  copy.in_flight = bulkhead_.in_flight();
  copy.background = bulkhead_.background();
  copy.limit = bulkhead_.limit();
  copy.queued = bulkhead_.queued();
  copy.queue_limit = options_.limit.queue;
  copy.saturation = bulkhead_.saturation();
  copy.queue_wait = {bulkhead_.wait_percentile(50), bulkhead_.wait_percentile(90), bulkhead_.wait_percentile(99)};
  copy.requests = requests_;
  copy.retries = retries_;
  copy.hedges = hedges_;
  copy.statuses = statuses_;
  copy.errors = errors_;
  copy.connections = connections_;
  return copy;
}

}  // namespace seawall::origin
