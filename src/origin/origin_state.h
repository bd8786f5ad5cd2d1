// What all workers share of one origin: its servers as they are known now, breakers, places, retry budget, health, and
// what is counted. It lives as long as the origin's name, over reloads. Thread: any; one short lock, taken for requests
// to the origin and never for a hit.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "base/mutex.h"
#include "base/result.h"
#include "base/rng.h"
#include "http/exchange.h"
#include "origin/adaptive_limit.h"
#include "origin/balancer.h"
#include "origin/breaker.h"
#include "origin/bulkhead.h"
#include "origin/discovery.h"
#include "origin/health.h"
#include "origin/observer.h"
#include "origin/origin_options.h"
#include "origin/retry_budget.h"

namespace seawall::origin {

inline constexpr std::size_t kErrorCodes = static_cast<std::size_t>(ErrorCode::kNotCached) + 1;

// One server, over reloads and re-resolutions. All but `endpoint` and `id` under OriginState's lock.
struct Server {
  Server(Endpoint known, const BreakerOptions& breaker_options, const HealthOptions& health_options)
      : endpoint(std::move(known)),
        id(std::hash<std::string>{}(endpoint.name)),
        breaker(breaker_options),
        health(health_options) {}

  const Endpoint endpoint;
  const std::uint64_t id;
  Breaker breaker;
  Health health;
  std::uint32_t in_flight = 0;
  MonoTime usable_since;
  bool was_well = true;
  std::uint64_t requests = 0;
  std::uint64_t failures = 0;
  std::shared_ptr<Server> successor;  // goes on in its place, with another endpoint of the same name
};

// What was granted for one try at one server: one record_try(), one release_try().
struct Try {
  std::shared_ptr<Server> server;
  Breaker::Admission admission = Breaker::Admission::kCall;
  bool is_trickle = false;
  std::uint32_t in_flight = 0;  // at the origin when it began
  MonoTime begun_at;
};

// How a try, or a whole call with its retries, ended: when the head came, or it failed.
struct Verdict {
  Outcome outcome = Outcome::kNeutral;
  std::uint16_t status = 0;  // of the response; 0: none came
  std::optional<Error> error;
  std::string reason;              // of the error, for a person, where there is more to say than its code does
  std::optional<Millis> back_off;  // asked for by the origin
};

// A copy for people and for metrics.
struct OriginSnapshot {
  struct OfServer {
    std::string name;
    std::uint32_t weight = 1;
    bool is_backup = false;
    bool is_drain = false;
    bool is_healthy = true;
    bool is_usable = true;
    Breaker::State breaker = Breaker::State::kClosed;
    std::string history;
    std::uint64_t checks = 0;
    std::uint32_t in_flight = 0;
    std::uint64_t requests = 0;
    std::uint64_t failures = 0;
  };
  std::string name;
  bool is_resolved = false;
  std::vector<OfServer> servers;
  Breaker::State breaker = Breaker::State::kClosed;
  Breaker::Window window;
  std::uint64_t breaker_opened = 0;
  Millis retry_after{0};  // until the breaker's next probe or the end of the origin's back-off
  Millis back_off{0};
  std::uint32_t in_flight = 0;
  std::uint32_t background = 0;
  std::uint32_t limit = 0;
  std::uint32_t queued = 0;
  std::uint32_t queue_limit = 0;
  double saturation = 0;
  std::array<Millis, 3> queue_wait{};  // percentiles 50, 90, 99
  std::uint64_t requests = 0;          // tries that were begun
  std::uint64_t retries = 0;
  std::uint64_t hedges = 0;
  std::array<std::uint64_t, 6> statuses{};  // of responses by class; [0]: none came
  std::array<std::uint64_t, kErrorCodes> errors{};
  ServerStats connections;  // of all servers and workers; `idle` is not known
};

class OriginState {
 public:
  OriginState(const OriginOptions& options, Observer& observer, std::uint64_t seed);
  OriginState(const OriginState&) = delete;
  OriginState& operator=(const OriginState&) = delete;

  const std::string& name() const { return name_; }
  // Reload: breakers, health and places stay as they are.
  void set_options(const OriginOptions& options, MonoTime now);
  ServerAccess access() const;
  // Servers that are in both lists keep what is known of them; the removed get no new requests.
  void set_endpoints(std::vector<Endpoint> endpoints, MonoTime now);
  // A name could not be resolved; what is known from before stays in use.
  void on_unresolved(ErrorCode why);

  // Why a request would be refused at this moment without asking; nullopt when it may try. Changes nothing.
  std::optional<Error> refusal(http::Traffic traffic, MonoTime now);
  // A rough word, from one atomic: not all is well, so that stale copies go first.
  bool is_ailing() const { return is_ailing_.load(std::memory_order_relaxed); }
  // The same of the origin's breaker alone: open, or half open.
  bool is_breaker_open() const { return is_breaker_open_.load(std::memory_order_relaxed); }
  // Until the origin might take something again.
  Millis blocked_for(MonoTime now) const;
  // How long a client is to wait before it asks again.
  Seconds retry_after(MonoTime now) const;

  // A place at the origin. `on_granted` runs on the executor, in a turn of its own, if the outcome is kQueued and
  // nobody cancelled.
  struct Waiter {
    Executor* executor = nullptr;
    std::function<void()> on_granted;  // set to null by its owner, on its thread, when it goes
  };
  struct Entrance {
    Bulkhead::Entry entry = Bulkhead::Entry::kFull;
    Bulkhead::Ticket ticket = 0;
  };
  Entrance enter(std::uint32_t route, http::Traffic traffic, const std::shared_ptr<Waiter>& waiter, MonoTime now);
  void leave(Bulkhead::Ticket ticket, MonoTime now);
  // False: it has been granted, and on_granted is on its way.
  bool cancel(Bulkhead::Ticket ticket);

  // With a place: whether the origin may be asked. With a value: one record_call().
  Result<Breaker::Admission> begin_call(http::Traffic traffic, MonoTime now);
  // What came of it after all retries.
  void record_call(Breaker::Admission admission, const Verdict& verdict, std::uint64_t hash, MonoTime now);
  // Where it goes. `tried` are servers that failed this request already. `hash` is that of the cache key.
  Result<Try> begin_try(http::Traffic traffic, std::uint64_t hash, const std::vector<std::shared_ptr<Server>>& tried,
                        MonoTime now);
  void record_try(const Try& made, const Verdict& verdict, std::uint64_t hash, MonoTime now);
  // `more`: what its connections have come to since the last time.
  void release_try(const Try& made, const ServerStats& more = {});
  // A body that broke off after its head had been recorded as good.
  void on_broken_body(const Try& made, const Error& error, std::uint64_t hash, MonoTime now);

  enum class Again : std::uint8_t { kRetry, kHedge };
  // Whether another server may take a second try; takes one of the budget if so. Never into a breaker that is not
  // closed, nor while the queue is more than half full.
  bool may_try_again(Again kind, const std::vector<std::shared_ptr<Server>>& tried, MonoTime now);
  // Whether there is another server at all: what a request must be kept for.
  bool has_alternatives() const { return servers_known_.load(std::memory_order_relaxed) > 1; }

  // Refused or given up before a try was made.
  void count_refusal(ErrorCode code);

  // Active checks: which to ask, whether a breaker waits for one, and what came of it.
  std::vector<std::shared_ptr<Server>> servers() const;
  void record_health(const std::shared_ptr<Server>& server, bool ok, std::string_view reason, MonoTime now);

  // Changes with every new list of servers.
  std::uint64_t version() const { return version_.load(std::memory_order_acquire); }
  OriginSnapshot snapshot(MonoTime now) const;
  LimitOptions limits() const;

 private:
  struct News {
    std::string server;
    std::optional<Breaker::State> breaker;
    Millis retry_after{0};
    std::optional<Error> failure;
    std::optional<Millis> back_off;
    std::optional<bool> is_healthy;
    std::string reason;
  };

  static Caller caller_of(http::Traffic traffic);
  void grant_next(MonoTime now) SW_REQUIRES(mutex_);
  bool is_well(const Server& server, MonoTime now) const SW_REQUIRES(mutex_);
  void gather(const std::vector<std::shared_ptr<Server>>& tried, Caller caller, MonoTime now) SW_REQUIRES(mutex_);
  bool may_trickle(MonoTime now) const SW_REQUIRES(mutex_);
  void update_ailing(MonoTime now) SW_REQUIRES(mutex_);
  std::optional<Error> refusal_locked(Caller caller, MonoTime now) SW_REQUIRES(mutex_);
  void record(Breaker& breaker, const std::string& server, Breaker::Admission admission, Outcome outcome,
              std::uint64_t hash, MonoTime now) SW_REQUIRES(mutex_);
  void probe(Breaker& breaker, const std::string& server, bool ok, MonoTime now) SW_REQUIRES(mutex_);
  void apply_options() SW_REQUIRES(mutex_);
  void tell(const std::vector<News>& news) SW_EXCLUDES(mutex_);

  const std::string name_;
  Observer& observer_;
  std::atomic<std::uint64_t> version_{0};
  std::atomic<bool> is_ailing_{true};  // until it is resolved
  std::atomic<bool> is_breaker_open_{false};
  std::atomic<std::size_t> servers_known_{0};

  mutable Mutex mutex_;
  OriginOptions options_ SW_GUARDED_BY(mutex_);
  Rng rng_ SW_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<Server>> servers_ SW_GUARDED_BY(mutex_);
  bool is_resolved_ SW_GUARDED_BY(mutex_) = false;
  ErrorCode unresolved_ SW_GUARDED_BY(mutex_) = ErrorCode::kResolveFailed;
  Breaker breaker_ SW_GUARDED_BY(mutex_);
  Bulkhead bulkhead_ SW_GUARDED_BY(mutex_);
  AdaptiveLimit adaptive_ SW_GUARDED_BY(mutex_);
  RetryBudget budget_ SW_GUARDED_BY(mutex_);
  Balancer balancer_ SW_GUARDED_BY(mutex_);
  MonoTime back_off_until_ SW_GUARDED_BY(mutex_);
  bool trickle_out_ SW_GUARDED_BY(mutex_) = false;
  MonoTime next_trickle_ SW_GUARDED_BY(mutex_);
  std::unordered_map<Bulkhead::Ticket, std::shared_ptr<Waiter>> waiters_ SW_GUARDED_BY(mutex_);
  std::vector<Candidate> candidates_ SW_GUARDED_BY(mutex_);  // kept for their capacity
  std::vector<std::size_t> excluded_ SW_GUARDED_BY(mutex_);
  std::vector<News> news_ SW_GUARDED_BY(mutex_);
  std::uint64_t requests_ SW_GUARDED_BY(mutex_) = 0;
  std::uint64_t retries_ SW_GUARDED_BY(mutex_) = 0;
  std::uint64_t hedges_ SW_GUARDED_BY(mutex_) = 0;
  std::array<std::uint64_t, 6> statuses_ SW_GUARDED_BY(mutex_){};
  std::array<std::uint64_t, kErrorCodes> errors_ SW_GUARDED_BY(mutex_){};
  ServerStats connections_ SW_GUARDED_BY(mutex_);
};

}  // namespace seawall::origin
