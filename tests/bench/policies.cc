// Miss ratios of the server's eviction policies on traces, beside policies as their papers have them: object / byte, at
// 1 %, 10 % and 30 % of the bytes of all objects; and how far seawall's own is from the best of them.
// usage: policies TRACE...
#include <algorithm>
#include <array>
#include <cstdio>
#include <string>
#include <unordered_map>
#include <vector>

#include "bench/reference_policies.h"
#include "server/simulate.h"

namespace {

using namespace seawall;

constexpr std::array kShares = {0.01, 0.1, 0.3};

struct Request {
  std::uint32_t id = 0;
  std::uint64_t key_hash = 0;
  std::uint64_t size_bytes = 0;
};

struct Trace {
  std::vector<Request> requests;
  std::size_t objects = 0;
  std::uint64_t object_bytes = 0;
  std::uint64_t bytes = 0;
};

struct Ratios {
  double objects = 1;
  double bytes = 1;
};
using Row = std::array<Ratios, kShares.size()>;

bool load(const char* file, Trace& trace) {
  auto reader = server::TraceReader::open(file);
  if (!reader) {
    std::fprintf(stderr, "%s\n", reader.error().c_str());
    return false;
  }
  std::unordered_map<std::uint64_t, std::pair<std::uint32_t, std::uint64_t>> seen;
  while (true) {
    const auto next = reader->next();
    if (!next) {
      std::fprintf(stderr, "%s\n", next.error().c_str());
      return false;
    }
    if (!*next) break;
    const server::TraceRequest& r = **next;
    const auto id = static_cast<std::uint32_t>(seen.size());
    const auto [at, is_new] = seen.try_emplace(r.key_hash, id, r.size_bytes);
    const std::uint64_t size = at->second.second;
    if (is_new) trace.object_bytes += size;
    trace.bytes += size;
    trace.requests.push_back({.id = at->second.first, .key_hash = r.key_hash, .size_bytes = size});
  }
  trace.objects = seen.size();
  return true;
}

template <typename Access>
Ratios measure(const Trace& trace, Access access) {
  std::uint64_t misses = 0;
  std::uint64_t missed_bytes = 0;
  for (const Request& r : trace.requests) {
    if (access(r)) continue;
    ++misses;
    missed_bytes += r.size_bytes;
  }
  return {.objects = static_cast<double>(misses) / static_cast<double>(trace.requests.size()),
          .bytes = static_cast<double>(missed_bytes) / static_cast<double>(trace.bytes)};
}

void print(const std::string& name, const Row& row) {
  std::printf("  %-18s", name.c_str());
  for (const Ratios& r : row) std::printf("  %.4f / %.4f", r.objects, r.bytes);
  std::printf("\n");
}

void run(const char* file, const Trace& trace) {
  std::printf("%s: %zu requests, %zu objects, %.0f MB of them\n", file, trace.requests.size(), trace.objects,
              static_cast<double>(trace.object_bytes) / 1e6);
  Row best;
  Row gdsf;
  Row own;
  const auto capacity = [&](std::size_t i) {
    return static_cast<std::uint64_t>(kShares[i] * static_cast<double>(trace.object_bytes));
  };
  for (const bench::NamedReference& reference : bench::references()) {
    Row row;
    for (std::size_t i = 0; i < kShares.size(); ++i) {
      const auto policy = reference.make(trace.objects, capacity(i));
      row[i] = measure(trace, [&](const Request& r) { return policy->access(r.id, r.size_bytes); });
      if (reference.is_bar) {
        best[i] = {.objects = std::min(best[i].objects, row[i].objects),
                   .bytes = std::min(best[i].bytes, row[i].bytes)};
      }
    }
    if (reference.name == "GDSF") gdsf = row;
    print(reference.name, row);
  }
  const auto names = cache::eviction_names();
  for (std::size_t p = 0; p < names.size(); ++p) {
    Row row;
    for (std::size_t i = 0; i < kShares.size(); ++i) {
      server::Simulation simulation(static_cast<cache::Eviction>(p), capacity(i));
      row[i] = measure(trace, [&](const Request& r) { return simulation.request(r.key_hash, r.size_bytes); });
    }
    if (static_cast<cache::Eviction>(p) == cache::Eviction::kTide) own = row;
    print("seawall " + std::string(names[p]), row);
  }
  std::printf("  tide to the best, to GDSF's objects:\n  %18s", "");
  for (std::size_t i = 0; i < kShares.size(); ++i) {
    std::printf("  %.3f / %.3f, %.3f", own[i].objects / best[i].objects, own[i].bytes / best[i].bytes,
                own[i].objects / gdsf[i].objects);
  }
  std::printf("\n");
}

}  // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    Trace trace;
    if (!load(argv[i], trace)) return 1;
    run(argv[i], trace);
  }
  return 0;
}
