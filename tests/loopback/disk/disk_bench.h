// A tier over a simulated disk, and its calls as a test likes them: made and waited for.
#pragma once

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "disk/format.h"
#include "disk/read_ring.h"
#include "disk/tier.h"
#include "support/simulated_disk.h"
#include "support/waiting_executor.h"

namespace seawall::test {

inline SliceChain chain_of(std::string_view bytes, std::size_t piece = 10'000) {
  SliceChain chain;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    chain.push_back(Slice::copy_of(nullptr, bytes.substr(at, piece)));
  }
  return chain;
}

inline std::string text_of(const SliceChain& chain) {
  std::string text;
  for (const Slice& s : chain) text += s.view();
  return text;
}

// SEAWALL_DISK_READS=io_uring: the tests of the tier read with that.
inline disk::ReadBackend read_backend_of_this_run() {
  const char* const wanted = std::getenv("SEAWALL_DISK_READS");
  if (wanted == nullptr || disk::to_string(disk::ReadBackend::kIoUring) != wanted) return disk::ReadBackend::kThreads;
  static const auto ring = disk::ReadRing::create();
  if (ring) return disk::ReadBackend::kIoUring;
  BOOST_TEST_MESSAGE("the kernel refuses io_uring, this run is with threads: " + disk::error_text(ring.error()));
  return disk::ReadBackend::kThreads;
}

struct ReadResult {
  disk::ReadStatus status = disk::ReadStatus::kOk;
  disk::StoredHead head;
  std::string body;
};

class DiskBench {
 public:
  explicit DiskBench(std::uint64_t seed, std::size_t volumes = 1) : disk(seed) {
    for (std::size_t i = 0; i < volumes; ++i) {
      const std::string path = "/d" + std::to_string(i);
      disk.make_directory(path);
      options.volumes.push_back({.path = path, .capacity_bytes = disk::kMinVolumeBytes});
    }
    options.segment_bytes = 1 << 20;
    options.read_backend = read_backend_of_this_run();
    options.readers = 1;
    options.clock = &clock;
    options.file_system = &disk;
    options.on_note = [this](const disk::Note& note) { notes.push_back(note); };
    options.log = [this](disk::LogLevel, const std::string& line) {
      const std::scoped_lock lock(log_mutex);
      log.push_back(line);
    };
  }
  ~DiskBench() { tier.reset(); }

  // Empty when it opened; it is loaded then.
  std::string open() {
    notes.clear();
    auto opened = disk::Tier::open(options);
    if (!opened) return opened.error();
    tier = std::move(*opened);
    executor.run_until([this] { return tier->is_loaded(); });
    return {};
  }
  void close() {
    tier.reset();
    executor.run_ready();
  }

  disk::Meta meta(std::uint64_t hash, std::uint64_t variant = 0) const {
    disk::Meta m;
    m.hash = hash;
    m.variant = variant;
    m.key = "key " + std::to_string(hash);
    m.usable_until = 1'800'000'000;
    return m;
  }
  disk::PutResult put(disk::Meta m, std::string head, std::string_view body) {
    std::optional<disk::PutResult> result;
    tier->put(std::move(m), std::move(head), chain_of(body), &executor, [&](disk::PutResult r) { result = r; });
    flush([&] { return result.has_value(); });
    return *result;
  }
  // Also what waits in a buffer becomes readable.
  bool sync() {
    std::optional<bool> result;
    tier->sync(&executor, [&](bool durable) { result = durable; });
    executor.run_until([&] { return result.has_value(); });
    return *result;
  }
  bool erase(std::uint64_t hash) {
    std::optional<bool> result;
    tier->erase(hash, &executor, [&](bool durable) { result = durable; });
    executor.run_until([&] { return result.has_value(); });
    return *result;
  }
  bool note(std::uint8_t kind, std::uint64_t epoch, std::string payload) {
    std::optional<bool> result;
    tier->journal({.kind = kind, .epoch = epoch, .payload = std::move(payload)}, &executor,
                  [&](bool durable) { result = durable; });
    executor.run_until([&] { return result.has_value(); });
    return *result;
  }
  ReadResult read(const disk::Candidate& candidate, std::uint64_t max_bytes = ~std::uint64_t{0}) {
    std::optional<ReadResult> result;
    auto pending = tier->read(candidate, max_bytes, nullptr, executor,
                              [&](disk::ReadStatus status, disk::StoredHead head, SliceChain body) {
                                result = ReadResult{status, std::move(head), text_of(body)};
                              });
    executor.run_until([&] { return result.has_value(); });
    return std::move(*result);
  }
  std::optional<disk::Candidate> find(std::uint64_t hash, std::uint64_t variant = 0) {
    for (const auto& c : tier->find(hash)) {
      if (c.variant == variant) return c;
    }
    return std::nullopt;
  }
  // "miss", or the body.
  std::string get(std::uint64_t hash, std::uint64_t variant = 0) {
    const auto found = find(hash, variant);
    if (!found) return "miss";
    auto r = read(*found);
    return r.status == disk::ReadStatus::kOk ? r.body : "miss";
  }
  // What waits in a buffer is written.
  template <typename Condition>
  void flush(Condition condition) {
    tier->sync(&executor, [](bool) {});
    executor.run_until(condition);
  }

  SimulatedDisk disk;
  SharedClock clock;
  WaitingExecutor executor{clock};
  disk::TierOptions options;
  std::vector<disk::Note> notes;
  std::mutex log_mutex;
  std::vector<std::string> log;
  std::unique_ptr<disk::Tier> tier;
};

}  // namespace seawall::test
