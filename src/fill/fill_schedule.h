// The order and the pace of the fills that no client waits for, for one origin. Pure: it names tickets, fill_queue.h
// starts what they stand for.
//
// Order: by class, a lower one only when no higher one waits; within a class the routes take turns; within a route the
// hottest key first, the older of equals. Pace: so many at once, so many a second, so many bytes a second (a fill's
// bytes are known when it ends; what it took beyond the rate is waited off before the next begins). Cold start: for
// `cold_start` after begin_cold_start() the bound on those at once grows from a tenth to all of it, and so does the
// rate. Bounded: past `queue` a new one takes the place of the last in the order if it comes before that one (any of a
// lower class, then one of a route with more of them, then a colder key), else it is refused. Thread: one owner, or a
// lock.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "base/clock.h"

namespace seawall::fill {

enum class FillClass : std::uint8_t { kMiss, kRevalidate, kRefresh, kPrefetch };
inline constexpr std::size_t kFillClasses = 4;

struct FillScheduleOptions {
  std::uint32_t concurrent = 64;
  std::uint32_t per_second = 0;        // 0: no bound
  std::uint64_t bytes_per_second = 0;  // 0: no bound
  std::uint32_t queue = 10'000;
  Millis deadline{30'000};    // for what waits
  Millis cold_start{30'000};  // 0: none

  friend bool operator==(const FillScheduleOptions&, const FillScheduleOptions&) = default;
};

class FillSchedule {
 public:
  using Ticket = std::uint64_t;  // never 0

  explicit FillSchedule(const FillScheduleOptions& options);
  void set_options(const FillScheduleOptions& options);
  void begin_cold_start(MonoTime now);

  struct Order {
    FillClass klass = FillClass::kMiss;
    std::uint32_t route = 0;  // any number
    std::uint32_t heat = 1;
  };
  struct Pushed {
    Ticket ticket = 0;   // 0: refused, the queue is full
    Ticket evicted = 0;  // had to make room; 0: none
  };
  Pushed push(const Order& order, MonoTime now);
  // One more wants it.
  void bump(Ticket ticket);
  // It does not wait any more (taken over, or unwanted); false when it is not in the queue.
  bool cancel(Ticket ticket);
  // The next that may start now; 0: none. It counts as running until done().
  Ticket next(MonoTime now);
  void done(Ticket ticket, std::uint64_t bytes, MonoTime now);
  // Takes out those past the deadline.
  std::vector<Ticket> expire(MonoTime now);
  // When next() or expire() should be called again though nothing ends or comes; nullopt: not needed.
  std::optional<MonoTime> next_wake(MonoTime now) const;

  std::uint32_t waiting() const;
  std::uint32_t waiting(FillClass klass) const;
  std::uint32_t running() const;
  // At once, as of now: less during a cold start.
  std::uint32_t allowed(MonoTime now) const;
  bool is_full() const;
  // How long those that were started had waited: the p-th percentile (0..100) of the last 256.
  Millis wait_percentile(double p) const;
  const FillScheduleOptions& options() const { return options_; }

 private:
  static constexpr std::size_t kWaits = 256;
  struct Entry {
    Order order;
    MonoTime since;
  };
  // In a route: the hottest first, the older of equals.
  struct Place {
    std::uint32_t heat;
    Ticket ticket;

    friend bool operator<(const Place& a, const Place& b) {
      return a.heat != b.heat ? a.heat > b.heat : a.ticket < b.ticket;
    }
  };
  using Places = std::set<Place>;
  struct Lane {
    std::map<std::uint32_t, Places> routes;  // none is empty
    // Had its turn; the next higher number that waits is next.
    std::uint32_t last_route = std::numeric_limits<std::uint32_t>::max();
    std::uint32_t waiting = 0;
  };
  // What a rate has left over as of `at`, in starts or bytes: all that may be saved, to begin with.
  struct Saved {
    double left = std::numeric_limits<double>::infinity();
    MonoTime at;
  };

  Lane& lane_of(FillClass klass) { return lanes_[static_cast<std::size_t>(klass)]; }
  // Makes room for `order`; 0: nothing waits that comes after it.
  Ticket evict_for(const Order& order);
  Entry remove(Ticket ticket);
  MonoTime deadline_of(const Entry& entry) const { return entry.since + options_.deadline; }

  double share(MonoTime now) const;
  double paced_seconds(MonoTime from, MonoTime to) const;
  double starts_left(MonoTime now) const;
  double bytes_left(MonoTime now) const;
  bool may_start(MonoTime now) const;

  FillScheduleOptions options_;
  std::map<Ticket, Entry> entries_;  // of those that wait; the oldest first
  std::array<Lane, kFillClasses> lanes_;
  std::unordered_map<Ticket, MonoTime> running_;  // since when
  Ticket last_ticket_ = 0;
  std::optional<MonoTime> cold_since_;
  Saved starts_;
  Saved bytes_;
  std::array<Millis, kWaits> waits_{};
  std::uint64_t waits_seen_ = 0;
};

}  // namespace seawall::fill
