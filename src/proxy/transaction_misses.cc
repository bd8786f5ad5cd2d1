// What becomes of a request that the store cannot answer as it stands: the route's miss policy, an origin that is
// spared, and the fetches that no client waits for. Part of Transaction.
#include <algorithm>
#include <cmath>
#include <utility>

#include "http/date.h"
#include "http/list_syntax.h"
#include "obs/log.h"
#include "policy/key.h"
#include "proxy/transaction.h"

namespace seawall::proxy {
namespace {

using fill::FillClass;
using fill::FillKind;
using fill::Sharing;
using http::Field;
using policy::Verdict;
using policy::Why;

// While the origin is ailing, a stored object is looked at again this often.
constexpr Millis kAilingHold{1000};
// Past this many times its fetch time an expiry is too far off to be anticipated (e^-10).
constexpr int kEarlyFactor = 10;
constexpr Millis kMaxPatience{60'000};

struct Preference {
  bool respond_async = false;
  std::optional<Seconds> wait;
};

// RFC 7240 sections 4.1 and 4.3.
Preference preference_of(const http::HeaderMap& headers) {
  Preference preference;
  const auto prefer = headers.combined("Prefer");
  if (!prefer) return preference;
  for (http::ListCursor list(*prefer); const auto element = list.next();) {
    const http::Directive directive = http::split_directive(http::trim_ows(element->substr(0, element->find(';'))));
    if (http::iequals(directive.name, "respond-async")) preference.respond_async = true;
    if (!http::iequals(directive.name, "wait") || preference.wait) continue;
    if (const auto seconds = http::parse_delta_seconds(directive.value)) preference.wait = Seconds{*seconds};
  }
  return preference;
}

}  // namespace

// The request is about to cost something; whether the route can afford it.
void Transaction::watch_storm() {
  if (!route_->storm.is_on || route_->miss.policy != MissPolicy::kCollapse) return;
  const MonoTime now = context_.executor.mono_now();
  const StormGuard::Signals signals{.breaker_open = origin().state->is_breaker_open(),
                                    .fill_queue_full = origin().fills->is_full()};
  log_storm(*route_->state, route_->state->storm.on_miss(signals, now), now);
}

MissPolicy Transaction::miss_policy() {
  MissPolicy policy = route_->miss.policy;
  if (policy == MissPolicy::kCollapse && route_->storm.is_on && route_->state->storm.is_active()) {
    // What cannot be stored would never be answered: it takes its chance at the origin's gate.
    const bool is_hopeless =
        facts_.has_authorization || context_.fills.is_marked_uncacheable(hash_, context_.executor.mono_now());
    if (!is_hopeless) policy = MissPolicy::kAsync;
  }
  if (!route_->miss.honours_prefer) return policy;
  const Preference preference = preference_of(request_.headers);
  if (preference.wait && policy == MissPolicy::kAsync) patience_ = std::min<Millis>(*preference.wait, kMaxPatience);
  if (preference.respond_async && policy == MissPolicy::kCollapse) policy = MissPolicy::kAsync;
  return policy;
}

bool Transaction::may_serve_without_asking() const {
  return found_.object && !is_body_lost_ && holds_enough(*found_.object) &&
         policy::may_serve_without_asking(found_.object->freshness(), route_->rules, context_.executor.wall_now());
}

Transaction::Flow Transaction::miss() {
  watch_storm();
  switch (miss_policy()) {
    case MissPolicy::kCollapse:
    case MissPolicy::kPass: return miss_collapsed();
    case MissPolicy::kAsync: return miss_async();
    case MissPolicy::kPush:
      tell_miss();
      return may_serve_without_asking() ? use_stale(std::move(found_), Why::kStaleOnly)
                                        : answer_placeholder(Why::kPush);
    case MissPolicy::kStaleOnly:
      return may_serve_without_asking() ? use_stale(std::move(found_), Why::kStaleOnly)
                                        : answer_placeholder(Why::kNotStored);
  }
  return go(Step::kAttach);
}

void Transaction::tell_miss() {
  context_.miss_events.offer({.time = context_.executor.wall_now(),
                              .url = key_,
                              .route = route_->name,
                              .origin = origin().name,
                              .why = std::string(to_string(plan_.why))},
                             hash_, context_.executor.mono_now());
}

// A stale copy goes out without asking while the origin is known to fail, for this object or altogether.
Transaction::Flow Transaction::miss_collapsed() {
  if (!stale_is_usable()) return go(Step::kAttach);
  if (found_.object->refresh().is_backing_off(context_.executor.mono_now())) {
    return use_stale(std::move(found_), Why::kStaleBackOff);
  }
  if (!origin().state->is_ailing()) return go(Step::kAttach);
  start_background_refresh();
  return use_stale(std::move(found_), Why::kStaleBreaker);
}

Transaction::Flow Transaction::miss_async() {
  const MonoTime now = context_.executor.mono_now();
  const bool has_stale = may_serve_without_asking();
  if (!has_stale && context_.fills.is_marked_uncacheable(hash_, now)) return answer_placeholder(Why::kHitForMiss);
  if (plan_.verdict == Verdict::kPass) return answer_unfilled();  // what it would fetch could not be stored
  Ref<fill::Fill> wanted;
  if (!has_stale || patience_ || found_.object->refresh().try_pass(now, origin().total)) {
    wanted = enqueue_fill(found_.object ? FillClass::kRevalidate : FillClass::kMiss);
  }
  if (patience_ && wanted && context_.fills.try_wait(*wanted)) {
    is_waiting_ = true;
    is_collapsed_ = origin_asked_ = true;
    why_ = plan_.why;
    reader_ = std::make_unique<fill::FillReader>(std::move(wanted), context_.executor, [this] { run(); });
    if (reader_->has_missed_bytes()) return answer_unfilled();
    context_.executor.timers().arm(wait_timer_, now + *patience_);
    return go(Step::kAwaitHead);
  }
  return answer_unfilled();
}

// What is there, while the fetch goes on behind it.
Transaction::Flow Transaction::answer_unfilled() {
  leave_fill();
  is_collapsed_ = origin_asked_ = false;
  if (may_serve_without_asking()) return use_stale(std::move(found_), Why::kStaleAsync);
  const bool is_storm = route_->miss.policy != MissPolicy::kAsync && route_->state->storm.is_active();
  return answer_placeholder(is_storm ? Why::kStorm : Why::kAsync);
}

// Into the queue of what no client waits for; the whole of it, whatever part of it this request wants. Null when the
// queue took nothing.
Ref<fill::Fill> Transaction::enqueue_fill(FillClass klass) {
  fill::FillQueue& queue = *origin().fills;
  if (Ref<fill::Fill> present = context_.fills.find_waiting(key_, hash_)) {
    queue.bump(*present);
    return present;
  }
  const Ref<fill::Fill> fresh = make_fill(FillKind::kFetch, Sharing::kShared, true);
  const auto joined = context_.fills.join_or_start(fresh, found_.object);
  switch (joined.outcome) {
    case fill::FillTable::Join::kJoined: queue.bump(*joined.fill); return joined.fill;
    case fill::FillTable::Join::kStarted: break;
    case fill::FillTable::Join::kChanged:
    case fill::FillTable::Join::kTooMany: return nullptr;
  }
  const bool is_queued = queue.push(fresh, *context_.upstreams[origin_index_], context_.running,
                                    {.klass = klass, .route = route_->state->id});
  return is_queued ? fresh : nullptr;
}

// Probabilistic early expiration (XFetch; Vattani, Chierichetti, Lowenstein 2015): the nearer the expiry and the slower
// the fetch, the likelier; a hot object is refreshed by one of its many requests, a cold one by none.
bool Transaction::is_due_early(const cache::Object& object) {
  if (!route_->rules.refreshes_ahead || !may_fetch() || plan_.why != Why::kFresh) return false;
  const policy::Freshness& freshness = object.freshness();
  const Millis left =
      freshness.response_time + (freshness.lifetime - freshness.corrected_initial_age) - context_.executor.wall_now();
  const auto fetch = Millis{std::max<std::uint32_t>(object.fetch_ms(), 1)};
  if (left > fetch * kEarlyFactor) return false;
  const double early = -std::log(1.0 - context_.rng.unit()) * static_cast<double>(fetch.count());
  return static_cast<double>(left.count()) <= early;
}

// Whether the route lets its objects be fetched; else the origin puts them here, or nobody does.
bool Transaction::may_fetch() const {
  return route_->miss.policy != MissPolicy::kPush && route_->miss.policy != MissPolicy::kStaleOnly;
}

void Transaction::start_background_refresh() {
  if (route_->miss.policy == MissPolicy::kPush) tell_miss();
  if (!may_fetch()) return;
  const bool is_ailing = origin().state->is_ailing();
  const MonoTime now = context_.executor.mono_now();
  if (!found_.object->refresh().try_pass(now, is_ailing ? kAilingHold : origin().total)) return;
  if (is_ailing && origin().state->refusal(http::Traffic::kBackground, now)) return;
  route_->state->refreshed.fetch_add(1, std::memory_order_relaxed);
  const policy::Plan planned = std::exchange(plan_, {Verdict::kRevalidate, plan_.why});
  enqueue_fill(FillClass::kRevalidate);
  plan_ = planned;
}

Transaction::Flow Transaction::answer_placeholder(Why why) {
  const Placeholder& placeholder = route_->miss.placeholder;
  why_ = why;
  compose_status();
  http::HeaderMap fields;
  for (const auto& [name, value] : placeholder.headers) fields.add(name, value);
  const bool tells_wait = placeholder.status == 503 || placeholder.status == 429;
  if (tells_wait && !fields.contains(Field::kRetryAfter)) {
    const Seconds origin_needs =
        origin().state->is_ailing() ? origin().state->retry_after(context_.executor.mono_now()) : Seconds{0};
    fields.add(Field::kRetryAfter, std::to_string(std::max(placeholder.retry_after, origin_needs).count()));
  }
  if (!placeholder.file.empty()) return answer_local(placeholder.status, fields, placeholder.body);
  const std::string text = std::to_string(placeholder.status) + ' ' +
                           std::string(http::reason_phrase(placeholder.status)) + "\nnot in the cache yet (" +
                           std::string(to_string(why)) + ")\n";
  return answer_local(placeholder.status, fields, text);
}

// PURGE from an allowed client: the URL it names goes, softly with "Soft-Purge: 1" (or anything but 0).
Transaction::Flow Transaction::purge() {
  const bool is_allowed = std::ranges::any_of(
      context_.purge_from, [&](const net::Network& network) { return network.contains(client_ip()); });
  if (!is_allowed) return answer_error({ErrorCode::kNotAllowed, Side::kLocal});
  const bool is_soft = request_.headers.find("Soft-Purge").value_or("0") != "0";
  // However clients come to it: what a program at the origin purges over plain HTTP is read by browsers over TLS.
  purged_ = 0;
  is_purge_durable_ = true;
  for (const std::string_view scheme : {"http", "https"}) {
    key_.clear();
    policy::append_key(key_, scheme, request_.authority, request_.path);
    hash_ = policy::hash_key(key_);
    context_.fills.detach_all(key_, hash_);
    purged_ += context_.store.purge_url(key_, hash_, is_soft, context_.executor.wall_now());
  }
  cache::DiskTier* const disk = context_.store.disk();
  if (!disk) return answer_purged();
  step_ = Step::kLoad;
  disk_wait_ = disk->settle(context_.executor, [this](bool is_durable) {
    disk_wait_.reset();
    is_purge_durable_ = is_durable;
    go(Step::kPurged);
    run();
  });
  return Flow::kPark;
}

Transaction::Flow Transaction::answer_purged() {
  compose_status();
  std::string text = "purged " + std::to_string(purged_) + "\n";
  if (!is_purge_durable_) text += "not durable: the disk did not take it in time, a crash may undo it\n";
  return answer_local(200, {}, text);
}

}  // namespace seawall::proxy
