// Which server of an origin gets the next request. Pure. Thread: one owner, or a lock.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/rng.h"
#include "origin/origin_options.h"

namespace seawall::origin {

// What the balancer needs to know of one server at this moment.
struct Candidate {
  std::uint64_t id = 0;      // stable over changes of the list: hash of its address
  std::uint32_t weight = 1;  // 0: gets nothing
  bool is_backup = false;
  bool is_usable = true;  // healthy, not ejected, not draining
  std::uint32_t in_flight = 0;
  MonoTime usable_since;  // for slow start
};

class Balancer {
 public:
  Balancer(Balance balance, Millis slow_start) : balance_(balance), slow_start_(slow_start) {}
  void set_options(Balance balance, Millis slow_start);

  // An index into `servers`, or nullopt when none can be used. Backups only when no other is usable. `excluded` are
  // indexes that were tried for this request already; they are taken only if nothing else is left, no backup either,
  // and `may_repeat`. `affinity` is the hash that kHash goes by: consistent hashing with bounded loads (a server with
  // more than 1.25 times the mean load passes its key on to the next of the ring).
  //   kRoundRobin  smooth weighted
  //   kLeastConn   fewest in flight for its weight, ties at random
  //   kRandomTwo   the better of two drawn by weight
  // Slow start: the effective weight grows from a tenth to all over `slow_start`, in each of them.
  std::optional<std::size_t> choose(std::span<const Candidate> servers, std::span<const std::size_t> excluded,
                                    bool may_repeat, std::uint64_t affinity, MonoTime now, Rng& rng);

 private:
  // The current credit of smooth weighted round robin.
  struct Turn {
    std::uint64_t id = 0;
    double credit = 0;
  };
  struct RingServer {
    std::uint64_t id = 0;
    std::uint32_t weight = 0;
    friend bool operator==(const RingServer&, const RingServer&) = default;
  };
  struct RingPoint {
    std::uint64_t at = 0;
    std::size_t server = 0;  // index
    friend auto operator<=>(const RingPoint&, const RingPoint&) = default;
  };

  double effective_weight(const Candidate& server, MonoTime now) const;
  // Fills weights_; false when there is nobody to choose from.
  bool gather(std::span<const Candidate> servers, std::span<const std::size_t> excluded, bool may_repeat, MonoTime now);
  std::size_t take_turn(std::span<const Candidate> servers);
  std::size_t least_loaded(std::span<const Candidate> servers, Rng& rng) const;
  std::size_t better_of_two(std::span<const Candidate> servers, Rng& rng);
  std::optional<std::size_t> find_on_ring(std::span<const Candidate> servers, std::uint64_t affinity);
  void update_turns(std::span<const Candidate> servers);
  void update_ring(std::span<const Candidate> servers);

  Balance balance_;
  Millis slow_start_;
  std::vector<double> weights_;           // effective, of the servers of one choose(); 0: not to be chosen
  std::vector<Turn> turns_;               // one for each server of the last list
  std::vector<RingServer> ring_servers_;  // what ring_ was built from
  std::vector<RingPoint> ring_;           // sorted
};

}  // namespace seawall::origin
