// `seawall simulate`: what an eviction policy would have missed of a trace. The policies are the server's; the cache
// starts empty, only the objects' own bytes are charged, nothing expires. Thread: its owner's.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "cache/eviction.h"
#include "server/client_commands.h"
#include "server/trace.h"

namespace seawall::server {

class Simulation {
 public:
  Simulation(cache::Eviction policy, std::uint64_t cache_bytes);
  ~Simulation();
  Simulation(Simulation&&) = default;

  // True for a hit. Of a key that comes with several sizes the first counts.
  bool request(std::uint64_t key_hash, std::uint64_t size_bytes);

  double miss_ratio() const { return ratio(misses_, requests_); }
  double byte_miss_ratio() const { return ratio(missed_bytes_, bytes_); }
  std::uint64_t resized() const { return resized_; }  // requests whose size was not their key's first
  std::string to_json() const;

 private:
  static double ratio(std::uint64_t part, std::uint64_t whole) {
    return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
  }

  std::string name_;
  std::uint64_t cache_bytes_;
  std::unordered_map<std::uint64_t, cache::EvictionEntry> entries_;
  std::unique_ptr<cache::EvictionPolicy> policy_;
  std::uint64_t requests_ = 0;
  std::uint64_t misses_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t missed_bytes_ = 0;
  std::uint64_t resized_ = 0;
};

// As they stand on the command line.
struct SimulateFlags {
  std::optional<std::string> trace;
  std::optional<std::string> cache_bytes;
  std::optional<std::string> policy;
};

struct SimulateCommand {
  std::string trace;
  std::uint64_t cache_bytes = 0;
  std::vector<cache::Eviction> policies;
};

// The error is text for a person.
std::expected<SimulateCommand, std::string> simulate_command(const SimulateFlags& flags);

// One JSON line for each policy. Returns the exit code.
int run_simulate(const SimulateCommand& command, const Terminal& terminal);

}  // namespace seawall::server
