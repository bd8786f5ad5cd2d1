#include "origin/balancer.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

namespace seawall::origin {
namespace {

constexpr double kSlowStartFloor = 0.1;
constexpr double kLoadFactor = 1.25;  // of the mean load, with kHash
constexpr std::uint32_t kPointsPerWeight = 100;
constexpr std::uint32_t kMaxPoints = 1000;  // of one server
constexpr std::uint64_t kGoldenRatio = 0x9e3779b97f4a7c15U;

// The finalizer of splitmix64: every bit of the input moves half of those of the output.
std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

// In [0, 1).
double to_unit(std::uint64_t hash) {
  return static_cast<double>(hash >> 11) * 0x1.0p-53;
}

// One of those with a weight, at random by weight; there must be one.
std::size_t draw(std::span<const double> weights, Rng& rng) {
  double total = 0;
  for (const double weight : weights) total += weight;
  double left = rng.unit() * total;
  std::size_t drawn = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] <= 0) continue;
    drawn = i;
    if (left < weights[i]) break;
    left -= weights[i];
  }
  return drawn;
}

}  // namespace

void Balancer::set_options(Balance balance, Millis slow_start) {
  balance_ = balance;
  slow_start_ = slow_start;
}

std::optional<std::size_t> Balancer::choose(std::span<const Candidate> servers, std::span<const std::size_t> excluded,
                                            bool may_repeat, std::uint64_t affinity, MonoTime now, Rng& rng) {
  if (!gather(servers, excluded, may_repeat, now)) return std::nullopt;
  switch (balance_) {
    case Balance::kRoundRobin: return take_turn(servers);
    case Balance::kLeastConn: return least_loaded(servers, rng);
    case Balance::kRandomTwo: return better_of_two(servers, rng);
    case Balance::kHash: return find_on_ring(servers, affinity);
  }
  return std::nullopt;
}

double Balancer::effective_weight(const Candidate& server, MonoTime now) const {
  const std::chrono::microseconds whole = slow_start_;
  const std::chrono::microseconds elapsed = now - server.usable_since;
  if (whole.count() <= 0 || server.usable_since == MonoTime{} || elapsed >= whole) return server.weight;
  const double share = static_cast<double>(elapsed.count()) / static_cast<double>(whole.count());
  return server.weight * std::max(kSlowStartFloor, share);
}

bool Balancer::gather(std::span<const Candidate> servers, std::span<const std::size_t> excluded, bool may_repeat,
                      MonoTime now) {
  for (const bool is_tried : {false, true}) {
    if (is_tried && !may_repeat) break;
    for (const bool is_backup : {false, true}) {
      weights_.assign(servers.size(), 0);
      bool is_any = false;
      for (std::size_t i = 0; i < servers.size(); ++i) {
        const Candidate& server = servers[i];
        if (!server.is_usable || server.weight == 0 || server.is_backup != is_backup) continue;
        if ((std::ranges::find(excluded, i) != excluded.end()) != is_tried) continue;
        weights_[i] = effective_weight(server, now);
        is_any = true;
      }
      if (is_any) return true;
    }
  }
  return false;
}

std::size_t Balancer::take_turn(std::span<const Candidate> servers) {
  update_turns(servers);
  double total = 0;
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < servers.size(); ++i) {
    if (weights_[i] <= 0) continue;
    total += weights_[i];
    turns_[i].credit += weights_[i];
    if (!best || turns_[i].credit > turns_[*best].credit) best = i;
  }
  turns_[*best].credit -= total;
  return *best;
}

std::size_t Balancer::least_loaded(std::span<const Candidate> servers, Rng& rng) const {
  std::size_t best = 0;
  double best_load = HUGE_VAL;
  double tied = 0;  // the weight of those that are as good as the best
  for (std::size_t i = 0; i < servers.size(); ++i) {
    if (weights_[i] <= 0) continue;
    const double load = servers[i].in_flight / weights_[i];
    if (load > best_load) continue;
    tied = load < best_load ? weights_[i] : tied + weights_[i];
    // By weight among equals: where most servers are idle, weights and slow start would be lost else.
    if (load < best_load || rng.unit() * tied < weights_[i]) best = i;
    best_load = load;
  }
  return best;
}

std::size_t Balancer::better_of_two(std::span<const Candidate> servers, Rng& rng) {
  const std::size_t first = draw(weights_, rng);
  const double first_load = servers[first].in_flight / weights_[first];
  weights_[first] = 0;
  if (std::ranges::all_of(weights_, [](double weight) { return weight <= 0; })) return first;
  const std::size_t second = draw(weights_, rng);
  return servers[second].in_flight / weights_[second] < first_load ? second : first;
}

std::optional<std::size_t> Balancer::find_on_ring(std::span<const Candidate> servers, std::uint64_t affinity) {
  update_ring(servers);
  const auto warmth = [&](std::size_t i) { return weights_[i] / servers[i].weight; };
  double load = 1;  // the request that comes is part of it
  double total_weight = 0;
  double most_warmth = 0;
  std::size_t left = 0;
  for (std::size_t i = 0; i < servers.size(); ++i) {
    if (weights_[i] <= 0) continue;
    load += servers[i].in_flight;
    total_weight += weights_[i];
    most_warmth = std::max(most_warmth, warmth(i));
    ++left;
  }
  std::optional<std::size_t> spare;
  auto point = std::ranges::lower_bound(ring_, mix(affinity), {}, &RingPoint::at);
  for (std::size_t step = 0; step < ring_.size() && left > 0; ++step, ++point) {
    if (point == ring_.end()) point = ring_.begin();
    const std::size_t i = point->server;
    if (weights_[i] <= 0) continue;
    const bool has_room = servers[i].in_flight < std::ceil(kLoadFactor * load * weights_[i] / total_weight);
    // In slow start a server has the same part of its keys each time, and more of them by and by.
    const bool is_warm = to_unit(mix(affinity ^ servers[i].id)) * most_warmth < warmth(i);
    if (has_room && is_warm) return i;
    if (has_room && !spare) spare = i;
    weights_[i] = 0;
    --left;
  }
  // The bounds add up to more than the load: somebody had room.
  return spare;
}

void Balancer::update_turns(std::span<const Candidate> servers) {
  if (std::ranges::equal(turns_, servers, {}, &Turn::id, &Candidate::id)) return;
  std::unordered_map<std::uint64_t, double> credits;
  for (const Turn& turn : turns_) credits.emplace(turn.id, turn.credit);
  turns_.clear();
  for (const Candidate& server : servers) {
    const auto it = credits.find(server.id);
    turns_.push_back({.id = server.id, .credit = it == credits.end() ? 0 : it->second});
  }
}

void Balancer::update_ring(std::span<const Candidate> servers) {
  const auto identity = [](const Candidate& c) { return RingServer{.id = c.id, .weight = c.weight}; };
  if (std::ranges::equal(ring_servers_, servers, {}, {}, identity)) return;
  ring_servers_.clear();
  ring_.clear();
  for (std::size_t i = 0; i < servers.size(); ++i) {
    ring_servers_.push_back(identity(servers[i]));
    const std::uint64_t points =
        std::min<std::uint64_t>(std::uint64_t{servers[i].weight} * kPointsPerWeight, kMaxPoints);
    for (std::uint64_t k = 0; k < points; ++k) {
      ring_.push_back({.at = mix(mix(servers[i].id) + k * kGoldenRatio), .server = i});
    }
  }
  std::ranges::sort(ring_);
}

}  // namespace seawall::origin
