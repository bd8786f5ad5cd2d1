#include "fill/fill_schedule.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace seawall::fill {
namespace {

// Of everything, when a cold start begins.
constexpr double kColdShare = 0.1;
// How much of a second's starts may be saved: few, so that a full queue begins evenly.
constexpr double kSavedStarts = 0.1;

double seconds_of(std::chrono::microseconds d) {
  return std::chrono::duration<double>(d).count();
}

}  // namespace

FillSchedule::FillSchedule(const FillScheduleOptions& options) : options_(options) {}

void FillSchedule::set_options(const FillScheduleOptions& options) {
  options_ = options;
}

void FillSchedule::begin_cold_start(MonoTime now) {
  // What was saved until now was saved at the rate of before.
  starts_ = {.left = starts_left(now), .at = std::max(starts_.at, now)};
  bytes_ = {.left = bytes_left(now), .at = std::max(bytes_.at, now)};
  cold_since_ = now;
}

FillSchedule::Pushed FillSchedule::push(const Order& order, MonoTime now) {
  Ticket evicted = 0;
  if (is_full()) {
    evicted = evict_for(order);
    if (evicted == 0) return {};
  }
  const Ticket ticket = ++last_ticket_;
  entries_.emplace(ticket, Entry{.order = order, .since = now});
  Lane& lane = lane_of(order.klass);
  lane.routes[order.route].insert({.heat = order.heat, .ticket = ticket});
  ++lane.waiting;
  return {.ticket = ticket, .evicted = evicted};
}

FillSchedule::Ticket FillSchedule::evict_for(const Order& order) {
  const auto own_class = static_cast<std::size_t>(order.klass);
  std::size_t last_class = kFillClasses - 1;
  while (last_class > own_class && lanes_[last_class].waiting == 0) --last_class;
  const auto& routes = lanes_[last_class].routes;
  if (routes.empty()) return 0;
  // Routes take turns, so the last of the longest route comes last of all.
  const auto comes_before = [](const auto& a, const auto& b) {
    const Places& left = a.second;
    const Places& right = b.second;
    return left.size() != right.size() ? left.size() < right.size() : *left.rbegin() < *right.rbegin();
  };
  const auto longest = std::ranges::max_element(routes, comes_before);
  const Place victim = *longest->second.rbegin();
  if (last_class == own_class && order.heat <= victim.heat) {
    const auto own = routes.find(order.route);
    const std::size_t own_size = own == routes.end() ? 0 : own->second.size();
    // Its route must stay the shorter one: else two routes would take each other's last place in turns.
    if (own_size + 1 >= longest->second.size()) return 0;
  }
  remove(victim.ticket);
  return victim.ticket;
}

FillSchedule::Entry FillSchedule::remove(Ticket ticket) {
  const auto at = entries_.find(ticket);
  const Entry entry = at->second;
  entries_.erase(at);
  Lane& lane = lane_of(entry.order.klass);
  const auto route = lane.routes.find(entry.order.route);
  route->second.erase({.heat = entry.order.heat, .ticket = ticket});
  if (route->second.empty()) lane.routes.erase(route);
  --lane.waiting;
  return entry;
}

void FillSchedule::bump(Ticket ticket) {
  const auto at = entries_.find(ticket);
  if (at == entries_.end()) return;
  Order& order = at->second.order;
  if (order.heat == std::numeric_limits<std::uint32_t>::max()) return;
  Places& places = lane_of(order.klass).routes.at(order.route);
  places.erase({.heat = order.heat, .ticket = ticket});
  places.insert({.heat = ++order.heat, .ticket = ticket});
}

bool FillSchedule::cancel(Ticket ticket) {
  if (!entries_.contains(ticket)) return false;
  remove(ticket);
  return true;
}

FillSchedule::Ticket FillSchedule::next(MonoTime now) {
  if (entries_.empty() || !may_start(now)) return 0;
  const auto lane = std::ranges::find_if(lanes_, [](const Lane& l) { return l.waiting > 0; });
  auto route = lane->routes.upper_bound(lane->last_route);
  if (route == lane->routes.end()) route = lane->routes.begin();
  lane->last_route = route->first;
  const Ticket ticket = route->second.begin()->ticket;
  const Entry entry = remove(ticket);

  running_.emplace(ticket, now);
  if (options_.per_second != 0) starts_ = {.left = starts_left(now) - 1, .at = std::max(starts_.at, now)};
  // Workers read the clock at different times: one's now may lie before another's.
  const auto waited = std::chrono::duration_cast<Millis>(now - entry.since);
  waits_[waits_seen_ % kWaits] = std::max(waited, Millis{0});
  ++waits_seen_;
  return ticket;
}

void FillSchedule::done(Ticket ticket, std::uint64_t bytes, MonoTime now) {
  const auto at = running_.find(ticket);
  SW_DASSERT(at != running_.end(), "done, but not running");
  if (at == running_.end()) return;
  const MonoTime began = at->second;
  running_.erase(at);
  if (options_.bytes_per_second == 0) return;
  // What the rate gave while it ran was its own to take, and on top of it what a second saves.
  const double most = static_cast<double>(options_.bytes_per_second) * (share(now) + paced_seconds(began, now));
  bytes_ = {.left = std::min(bytes_left(now), most) - static_cast<double>(bytes), .at = std::max(bytes_.at, now)};
}

std::vector<FillSchedule::Ticket> FillSchedule::expire(MonoTime now) {
  std::vector<Ticket> expired;
  while (!entries_.empty() && deadline_of(entries_.begin()->second) <= now) {
    expired.push_back(entries_.begin()->first);
    remove(expired.back());
  }
  return expired;
}

std::optional<MonoTime> FillSchedule::next_wake(MonoTime now) const {
  if (entries_.empty()) return std::nullopt;
  const MonoTime deadline = deadline_of(entries_.begin()->second);
  if (deadline <= now || may_start(now)) return now;
  // As long as nothing ends or comes, what may start once may start ever after: found by halving, to the microsecond
  // and with the very arithmetic of next(). If nothing may before the deadline, that is where it ends.
  MonoTime not_yet = now;
  MonoTime by_then = deadline;
  while (by_then.us - not_yet.us > 1) {
    const MonoTime middle{not_yet.us + (by_then.us - not_yet.us) / 2};
    (may_start(middle) ? by_then : not_yet) = middle;
  }
  return by_then;
}

std::uint32_t FillSchedule::waiting() const {
  return static_cast<std::uint32_t>(entries_.size());
}

std::uint32_t FillSchedule::waiting(FillClass klass) const {
  return lanes_[static_cast<std::size_t>(klass)].waiting;
}

std::uint32_t FillSchedule::running() const {
  return static_cast<std::uint32_t>(running_.size());
}

std::uint32_t FillSchedule::allowed(MonoTime now) const {
  return std::max(static_cast<std::uint32_t>(options_.concurrent * share(now)), 1U);
}

bool FillSchedule::is_full() const {
  return entries_.size() >= options_.queue;
}

Millis FillSchedule::wait_percentile(double p) const {
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

// Of concurrency and rates, as of now: it grows in a straight line.
double FillSchedule::share(MonoTime now) const {
  if (!cold_since_ || now - *cold_since_ >= options_.cold_start) return 1;
  const double passed = seconds_of(now - *cold_since_) / seconds_of(options_.cold_start);
  return kColdShare + (1 - kColdShare) * std::max(passed, 0.0);
}

// share() summed up over the time between: what a rate has given, in seconds' worth.
double FillSchedule::paced_seconds(MonoTime from, MonoTime to) const {
  const double whole = std::max(seconds_of(to - from), 0.0);
  if (!cold_since_) return whole;
  const double length = seconds_of(options_.cold_start);
  const double begin = std::clamp(seconds_of(from - *cold_since_), 0.0, length);
  const double end = std::clamp(seconds_of(to - *cold_since_), 0.0, length);
  if (begin >= end) return whole;
  // The missing part is a triangle over the cold start; this is its area between the two.
  return whole - (1 - kColdShare) * ((end - begin) - (end * end - begin * begin) / (2 * length));
}

double FillSchedule::starts_left(MonoTime now) const {
  const double rate = options_.per_second;
  const double most = std::max(rate * share(now) * kSavedStarts, 1.0);
  return std::min(starts_.left + rate * paced_seconds(starts_.at, now), most);
}

// Below 0: taken beyond the rate. Without an upper bound: that is for done() to say, which knows how long a fill ran.
double FillSchedule::bytes_left(MonoTime now) const {
  return bytes_.left + static_cast<double>(options_.bytes_per_second) * paced_seconds(bytes_.at, now);
}

bool FillSchedule::may_start(MonoTime now) const {
  if (running() >= allowed(now)) return false;
  if (options_.per_second != 0 && starts_left(now) < 1) return false;
  return options_.bytes_per_second == 0 || bytes_left(now) >= 0;
}

}  // namespace seawall::fill
