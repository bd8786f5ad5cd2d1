#include "origin/bulkhead.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace seawall::origin {
namespace {

// At least one place, and no more than there are.
std::uint32_t share_of(std::uint32_t places, std::uint32_t percent) {
  const std::uint64_t share = std::uint64_t{places} * std::min(percent, 100U) / 100;
  return static_cast<std::uint32_t>(std::max<std::uint64_t>(share, 1));
}

}  // namespace

Bulkhead::Bulkhead(const LimitOptions& options, std::uint32_t routes) : options_(options), route_count_(routes) {}

void Bulkhead::set_options(const LimitOptions& options, std::uint32_t routes) {
  options_ = options;
  route_count_ = routes;
  if (!options.is_adaptive) adaptive_limit_ = std::numeric_limits<std::uint32_t>::max();
}

void Bulkhead::set_limit(std::uint32_t in_flight) {
  adaptive_limit_ = in_flight;
}

Bulkhead::Entered Bulkhead::enter(const Request& request, MonoTime now) {
  if (has_place(request) && !is_preceded(request)) {
    const Ticket ticket = ++last_ticket_;
    holders_.emplace(ticket, Holder{.request = request, .is_waiting = false, .since = now});
    grant(request, {});
    return {Entry::kGranted, ticket};
  }
  if (!has_queue_place(request)) return {Entry::kFull};
  const Ticket ticket = ++last_ticket_;
  holders_.emplace(ticket, Holder{.request = request, .is_waiting = true, .since = now});
  routes_[request.route].waiting[class_of(request)].insert(ticket);
  ++queued_[class_of(request)];
  return {Entry::kQueued, ticket};
}

void Bulkhead::leave(Ticket ticket) {
  const auto it = holders_.find(ticket);
  const bool has_place = it != holders_.end() && !it->second.is_waiting;
  SW_DASSERT(has_place, "left without a place");
  if (!has_place) return;
  const Request request = it->second.request;
  holders_.erase(it);
  --in_flight_;
  if (request.is_background) --background_;
  --routes_[request.route].in_flight;
  forget_if_idle(request.route);
}

bool Bulkhead::cancel(Ticket ticket) {
  const auto it = holders_.find(ticket);
  if (it == holders_.end() || !it->second.is_waiting) return false;
  const Request request = it->second.request;
  holders_.erase(it);
  routes_[request.route].waiting[class_of(request)].erase(ticket);
  --queued_[class_of(request)];
  forget_if_idle(request.route);
  return true;
}

Bulkhead::Ticket Bulkhead::next(MonoTime now) {
  Ticket ticket = pick(kForeground);
  if (ticket == 0) ticket = pick(kBackground);
  if (ticket == 0) return 0;
  Holder& holder = holders_.at(ticket);
  holder.is_waiting = false;
  routes_[holder.request.route].waiting[class_of(holder.request)].erase(ticket);
  --queued_[class_of(holder.request)];
  grant(holder.request, now - holder.since);
  return ticket;
}

std::uint32_t Bulkhead::in_flight() const {
  return in_flight_;
}

std::uint32_t Bulkhead::background() const {
  return background_;
}

std::uint32_t Bulkhead::queued() const {
  return queued_[kForeground] + queued_[kBackground];
}

std::uint32_t Bulkhead::limit() const {
  return std::max(std::min(options_.in_flight, adaptive_limit_), 1U);
}

double Bulkhead::saturation() const {
  const double taken = static_cast<double>(in_flight_) + queued();
  return std::min(taken / (static_cast<double>(limit()) + options_.queue), 1.0);
}

Millis Bulkhead::wait_percentile(double p) const {
  if (waits_seen_ == 0) return Millis{0};
  auto waits = waits_;
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(waits_seen_, kWaits));
  // The nearest rank; what is no number counts as 0.
  const double part = p > 0 ? std::min(p, 100.0) / 100 : 0;
  const auto rank = static_cast<std::size_t>(std::ceil(part * static_cast<double>(count)));
  const auto at = waits.begin() + static_cast<std::ptrdiff_t>(std::max<std::size_t>(rank, 1) - 1);
  std::nth_element(waits.begin(), at, waits.begin() + static_cast<std::ptrdiff_t>(count));
  return *at;
}

std::uint32_t Bulkhead::route_share() const {
  return route_count_ <= 1 ? limit() : share_of(limit(), options_.route_percent);
}

bool Bulkhead::has_place(const Request& request) const {
  if (in_flight_ >= limit()) return false;
  if (request.is_background && background_ >= share_of(limit(), options_.background_percent)) return false;
  const auto it = routes_.find(request.route);
  return it == routes_.end() || it->second.in_flight < route_share();
}

bool Bulkhead::has_queue_place(const Request& request) const {
  if (queued() >= options_.queue) return false;
  return !request.is_background || queued_[kBackground] < share_of(options_.queue, options_.background_percent);
}

Bulkhead::Ticket Bulkhead::pick(Class klass) const {
  if (queued_[klass] == 0 || in_flight_ >= limit()) return 0;
  if (klass == kBackground && background_ >= share_of(limit(), options_.background_percent)) return 0;
  Ticket best = 0;
  for (const auto& [number, route] : routes_) {
    const auto& waiting = route.waiting[klass];
    if (waiting.empty() || route.in_flight >= route_share()) continue;
    const Ticket ticket = is_newest_first() ? *waiting.rbegin() : *waiting.begin();
    if (best == 0 || (is_newest_first() ? ticket > best : ticket < best)) best = ticket;
  }
  return best;
}

bool Bulkhead::is_preceded(const Request& request) const {
  // Between a leave() and the next() that follows, and after a limit was raised.
  if (request.is_background && pick(kForeground) != 0) return true;
  return !is_newest_first() && pick(class_of(request)) != 0;
}

void Bulkhead::grant(const Request& request, std::chrono::microseconds waited) {
  ++in_flight_;
  if (request.is_background) ++background_;
  ++routes_[request.route].in_flight;
  // Workers read the clock at different times: one's now may lie before another's.
  waits_[waits_seen_ % kWaits] = std::max(std::chrono::duration_cast<Millis>(waited), Millis{0});
  ++waits_seen_;
}

void Bulkhead::forget_if_idle(std::uint32_t route) {
  const auto it = routes_.find(route);
  const auto& [in_flight, waiting] = it->second;
  if (in_flight == 0 && waiting[kForeground].empty() && waiting[kBackground].empty()) routes_.erase(it);
}

}  // namespace seawall::origin
