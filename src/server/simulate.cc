#include "server/simulate.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/diagnostics.h"
#include "config/units.h"

namespace seawall::server {
namespace {

constexpr std::string_view kAll = "all";

std::string policy_list() {
  return fmt::format("{}, or {}", fmt::join(cache::eviction_names(), ", "), kAll);
}

}  // namespace

Simulation::Simulation(cache::Eviction policy, std::uint64_t cache_bytes)
    : name_(cache::eviction_names()[static_cast<std::size_t>(policy)]),
      cache_bytes_(cache_bytes),
      policy_(cache::make_policy(policy, cache_bytes)) {}

Simulation::~Simulation() {
  while (policy_ && policy_->evict()) {
  }
}

bool Simulation::request(std::uint64_t key_hash, std::uint64_t size_bytes) {
  const auto [at, is_new] = entries_.try_emplace(key_hash);
  cache::EvictionEntry& entry = at->second;
  if (is_new) {
    entry.key_hash = key_hash;
    entry.size_bytes = size_bytes;
  } else if (entry.size_bytes != size_bytes) {
    ++resized_;
  }
  ++requests_;
  bytes_ += entry.size_bytes;
  if (entry.queue != 0) {
    cache::EvictionPolicy::touch(entry);
    if (policy_->wants_hits()) policy_->hit(entry);
    return true;
  }
  ++misses_;
  missed_bytes_ += entry.size_bytes;
  if (entry.size_bytes > cache_bytes_) return false;
  entry.hits.store(0, std::memory_order_relaxed);
  policy_->insert(entry);
  while (policy_->listed_bytes() > cache_bytes_) policy_->evict();
  return false;
}

std::string Simulation::to_json() const {
  return fmt::format(
      R"({{"policy":"{}","cache_bytes":{},"requests":{},"objects":{},"misses":{},"bytes":{},"missed_bytes":{},)"
      R"("miss_ratio":{:.6f},"byte_miss_ratio":{:.6f}}})",
      name_, cache_bytes_, requests_, entries_.size(), misses_, bytes_, missed_bytes_, miss_ratio(), byte_miss_ratio());
}

std::expected<SimulateCommand, std::string> simulate_command(const SimulateFlags& flags) {
  if (!flags.trace) return std::unexpected("--trace FILE is missing\nhint: a line is time_ms,key,size_bytes");
  if (!flags.cache_bytes) return std::unexpected("--cache-bytes SIZE is missing\nhint: --cache-bytes 256MiB");
  const auto bytes = config::parse_size(*flags.cache_bytes);
  if (!bytes || *bytes == 0) {
    return std::unexpected(
        fmt::format("--cache-bytes must be a size such as 256MiB, not {}", config::quote(*flags.cache_bytes)));
  }
  SimulateCommand command{.trace = *flags.trace, .cache_bytes = *bytes, .policies = {}};
  const auto names = cache::eviction_names();
  const std::string_view wanted = flags.policy ? std::string_view(*flags.policy) : names.front();
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (wanted == kAll || wanted == names[i]) command.policies.push_back(static_cast<cache::Eviction>(i));
  }
  if (command.policies.empty()) {
    return std::unexpected(fmt::format("--policy must be one of {}, not {}", policy_list(), config::quote(wanted)));
  }
  return command;
}

int run_simulate(const SimulateCommand& command, const Terminal& terminal) {
  auto trace = TraceReader::open(command.trace);
  if (!trace) {
    terminal.complain(fmt::format("seawall: {}\n", trace.error()));
    return 1;
  }
  std::vector<Simulation> simulations;
  simulations.reserve(command.policies.size());
  for (const cache::Eviction policy : command.policies) simulations.emplace_back(policy, command.cache_bytes);
  while (true) {
    const auto request = trace->next();
    if (!request) {
      terminal.complain(fmt::format("seawall: {}\n", request.error()));
      return 1;
    }
    if (!*request) break;
    for (Simulation& s : simulations) s.request((*request)->key_hash, (*request)->size_bytes);
  }
  if (const std::uint64_t resized = simulations.front().resized(); resized > 0) {
    terminal.complain(fmt::format("seawall: {}: {} requests with another size than their key's first, which counts\n",
                                  command.trace, resized));
  }
  for (const Simulation& s : simulations) terminal.print(s.to_json() + "\n");
  return 0;
}

}  // namespace seawall::server
