// Places for requests in flight to one origin, and the bounded queue before them. Pure: it names who may go, the caller
// wakes them. A hit never comes here.
//
// A place is counted before a connection is made. Bounds: all in flight; one route (where several share the origin);
// background work. Those who wait are let in oldest first; once the queue is more than half full, newest first, because
// then the oldest would only be answered after their clients have gone (adaptive LIFO). Foreground goes before
// background. An entry past its wait limit is the caller's to cancel(). Thread: one owner, or a lock.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <set>
#include <unordered_map>

#include "base/clock.h"
#include "origin/origin_options.h"

namespace seawall::origin {

class Bulkhead {
 public:
  explicit Bulkhead(const LimitOptions& options, std::uint32_t routes);
  // After either of these, call next(): there may be more places.
  void set_options(const LimitOptions& options, std::uint32_t routes);
  // Lower than options.in_flight while the adaptive limit says so.
  void set_limit(std::uint32_t in_flight);

  struct Request {
    std::uint32_t route = 0;  // any number
    bool is_background = false;
  };
  using Ticket = std::uint64_t;  // never 0

  enum class Entry : std::uint8_t { kGranted, kQueued, kFull };
  struct Entered {
    Entry entry;
    Ticket ticket = 0;  // with kGranted and kQueued
  };
  // With kGranted the caller owns a place until leave(); with kQueued one may come from next(), unless it cancels.
  Entered enter(const Request& request, MonoTime now);
  // Gives a place back. Call next() then.
  void leave(Ticket ticket);
  // A queued one that does not wait any more; false when it is not in the queue.
  bool cancel(Ticket ticket);
  // The next that may go, which now has its place; 0: none. Call it until it says so.
  Ticket next(MonoTime now);

  std::uint32_t in_flight() const;
  std::uint32_t background() const;
  std::uint32_t queued() const;
  std::uint32_t limit() const;  // in force
  // 0 idle .. 1 every place and every place of the queue taken.
  double saturation() const;
  // How long those let in had waited: the p-th percentile (0..100) of the last 256.
  Millis wait_percentile(double p) const;

 private:
  static constexpr std::size_t kWaits = 256;
  enum Class : std::uint8_t { kForeground, kBackground };
  struct Holder {
    Request request;
    bool is_waiting = false;
    MonoTime since;
  };
  // Kept while anybody of the route is in here.
  struct Route {
    std::uint32_t in_flight = 0;
    std::array<std::set<Ticket>, 2> waiting;  // by Class; tickets grow, so the oldest is first
  };

  static Class class_of(const Request& request) { return request.is_background ? kBackground : kForeground; }
  std::uint32_t route_share() const;
  bool has_place(const Request& request) const;
  bool has_queue_place(const Request& request) const;
  bool is_newest_first() const { return std::uint64_t{queued()} * 2 > options_.queue; }
  // The one of its class that next() would name; 0: none.
  Ticket pick(Class klass) const;
  // Whether one that waits and may go now comes before one that enters now.
  bool is_preceded(const Request& request) const;
  void grant(const Request& request, std::chrono::microseconds waited);
  void forget_if_idle(std::uint32_t route);

  LimitOptions options_;
  std::uint32_t route_count_ = 1;
  std::uint32_t adaptive_limit_ = std::numeric_limits<std::uint32_t>::max();
  Ticket last_ticket_ = 0;
  std::uint32_t in_flight_ = 0;
  std::uint32_t background_ = 0;
  std::array<std::uint32_t, 2> queued_{};  // by Class
  std::unordered_map<Ticket, Holder> holders_;
  std::unordered_map<std::uint32_t, Route> routes_;
  std::array<Millis, kWaits> waits_{};  // a ring
  std::uint64_t waits_seen_ = 0;
};

}  // namespace seawall::origin
