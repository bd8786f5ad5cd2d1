#include "admin/background_fill.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "policy/encoding.h"
#include "policy/key.h"
#include "policy/plan.h"
#include "policy/validation.h"
#include "proxy/outgoing.h"

namespace seawall::admin {
namespace {

using fill::FillKind;
using http::Field;

// A store that changes under our feet is looked at again this often.
constexpr int kMaxLookups = 4;
// The origin's own limits end a fetch; this ends one that they have missed.
constexpr Millis kDeadlineSlack{1000};

bool is_fresh(const proxy::Context& context, const proxy::Route& route, const http::RequestHead& request,
              const cache::LookupResult& found) {
  if (!found.object || !found.object->is_complete()) return false;
  const policy::Plan plan = policy::plan(policy::facts_of(request), found.found, &found.object->freshness(),
                                         route.rules, context.executor.wall_now());
  return plan.verdict == policy::Verdict::kServeFresh;
}

// As the route's clients ask that accept no coding.
http::RequestHead request_for(const proxy::Route& route, const Target& target) {
  http::RequestHead head = plain_get(target);
  if (route.encode.is_on()) {
    policy::normalise_codings(head.headers, http::CodingWeights(head.headers).accepted());
  }
  return head;
}

Target target_of(http::AbsoluteUri uri) {
  Target target{.uri = std::move(uri), .key = {}};
  policy::append_key(target.key, target.uri.scheme, target.uri.authority, target.uri.path);
  target.hash = policy::hash_key(target.key);
  return target;
}

}  // namespace

std::optional<Target> parse_target(const proxy::Context& context, std::string_view url) {
  auto uri = http::parse_absolute_uri(url);
  if (!uri || uri->path.size() > context.router->session().head_limits.target_bytes) return std::nullopt;
  // A client's path is taken as it is, too, when its escapes are malformed.
  http::normalise_path(uri->path);
  return target_of(std::move(*uri));
}

Target with_other_scheme(const Target& target) {
  http::AbsoluteUri uri = target.uri;
  uri.scheme = uri.scheme == "https" ? "http" : "https";
  return target_of(std::move(uri));
}

http::RequestHead plain_get(const Target& target) {
  http::RequestHead head;
  head.method = http::Method::kGet;
  head.method_name = "GET";
  head.scheme = target.uri.scheme;
  head.authority = target.uri.authority;
  head.path = target.uri.path;
  head.headers.add(Field::kHost, target.uri.authority);
  return head;
}

bool is_filled_in_background(const proxy::Route& route) {
  switch (route.miss.policy) {
    case proxy::MissPolicy::kCollapse:
    case proxy::MissPolicy::kAsync: return true;
    case proxy::MissPolicy::kPush:
    case proxy::MissPolicy::kStaleOnly:
    case proxy::MissPolicy::kPass: return false;
  }
  return false;
}

Ref<fill::Fill> make_background_fill(proxy::Context& context, const proxy::Route& route, const Target& target,
                                     const cache::LookupResult& found, std::function<void(bool)> on_outcome) {
  const proxy::Origin& origin = context.router->origins()[route.read_from];
  fill::FillRequest wanted;
  wanted.is_background = true;
  wanted.head = request_for(route, target);
  wanted.codings = route.encode.selecting();
  wanted.key = target.key;
  wanted.hash = target.hash;
  wanted.rules = route.rules;
  wanted.head_deadline = origin.total + kDeadlineSlack;
  wanted.purge_epoch = context.store.purges().epoch();
  wanted.share = route.state->share;
  wanted.chance = context.rng.unit();
  wanted.on_outcome = std::move(on_outcome);

  // RFC 7239 section 6.2 has a word for nobody, X-Forwarded-For has none.
  wanted.outgoing = proxy::make_outgoing(wanted.head, origin, {.peer_ip = "unknown", .scheme = wanted.head.scheme},
                                         proxy::Conditions::kRemove);
  wanted.outgoing.headers.remove(Field::kXForwardedFor);
  wanted.outgoing.traffic = http::Traffic::kBackground;
  wanted.outgoing.is_shared = true;
  wanted.outgoing.route = route.state->id;
  wanted.outgoing.hash = target.hash;

  if (found.set) wanted.candidates = context.store.peek_all(target.key, target.hash);
  if (!wanted.candidates.empty()) wanted.vary_hint = wanted.candidates.front()->vary();
  std::erase_if(wanted.candidates,
                [&](const Ref<cache::Object>& candidate) { return candidate.get() != found.object; });
  for (const Ref<cache::Object>& stored : wanted.candidates) {  // one at most
    if (!stored->is_complete() || !policy::can_validate(stored->status(), stored->headers())) continue;
    wanted.kind = FillKind::kRevalidate;
    wanted.unconditional = wanted.outgoing;
    policy::add_validators(stored->headers(), wanted.outgoing.headers);
  }
  return make_ref<fill::Fill>(context.fills, context.store, context.executor, context.workers, std::move(wanted));
}

Enqueued BackgroundFiller::enqueue(const proxy::Route& route, const Target& target, const Order& order,
                                   const std::function<void(bool)>& on_outcome) {
  const http::RequestHead request = request_for(route, target);
  fill::FillQueue& queue = *context_.router->origins()[route.read_from].fills;
  for (int lookup = 0; lookup < kMaxLookups; ++lookup) {
    const cache::LookupResult found =
        context_.store.find(target.key, target.hash, request.headers, context_.scratch, route.encode.selecting());
    if (is_fresh(context_, route, request, found)) return Enqueued::kFresh;
    if (order.only_refresh && !found.object) return Enqueued::kAbsent;
    if (const Ref<fill::Fill> present = context_.fills.find_waiting(target.key, target.hash)) {
      queue.bump(*present);
      return Enqueued::kUnderWay;
    }
    std::uint32_t& room = room_at(route.read_from);
    if (room == 0) return Enqueued::kFull;
    // A fill that the queue refuses ends before push() returns.
    const auto is_queued = std::make_shared<bool>(false);
    const Ref<fill::Fill> fresh =
        make_background_fill(context_, route, target, found, [is_queued, on_outcome](bool is_filled) {
          if (*is_queued && on_outcome) on_outcome(is_filled);
        });
    const auto joined = context_.fills.join_or_start(fresh, found.object);
    switch (joined.outcome) {
      case fill::FillTable::Join::kChanged: continue;
      case fill::FillTable::Join::kJoined: queue.bump(*joined.fill); return Enqueued::kUnderWay;
      case fill::FillTable::Join::kTooMany: return Enqueued::kUnderWay;
      case fill::FillTable::Join::kStarted: break;
    }
    *is_queued = queue.push(fresh, *context_.upstreams[route.read_from], context_.running,
                            {.klass = order.klass, .route = route.state->id, .heat = order.heat});
    if (!*is_queued) return Enqueued::kFull;
    --room;
    return Enqueued::kQueued;
  }
  return Enqueued::kUnderWay;
}

std::uint32_t& BackgroundFiller::room_at(std::size_t origin_index) {
  const auto [at, is_new] = room_.try_emplace(origin_index, 0);
  if (is_new) {
    const fill::FillQueue::Stats stats =
        context_.router->origins()[origin_index].fills->stats(context_.executor.mono_now());
    const std::uint32_t waiting = std::reduce(stats.waiting.begin(), stats.waiting.end());
    const std::uint32_t ours = stats.limit - stats.limit / 4;
    at->second = ours - std::min(ours, waiting);
  }
  return at->second;
}

}  // namespace seawall::admin
