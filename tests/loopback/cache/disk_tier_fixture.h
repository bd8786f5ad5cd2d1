// The store over its disk tier, on a simulated disk.
#pragma once

#include <boost/test/unit_test.hpp>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cache/disk_tier.h"
#include "cache/store.h"
#include "policy/key.h"
#include "support/simulated_disk.h"
#include "support/waiting_executor.h"

namespace seawall::test::disk_tier {

using cache::DiskTier;
using cache::Object;
using cache::Store;

struct Spec {
  std::string key = "http://a.test/";
  std::string body = "body";
  std::vector<std::string> vary = {};  // sorted
  http::HeaderMap request = {};        // what it answered
  std::string tag = {};
  std::string etag = "\"v\"";
  Seconds lifetime{3600};
  Ref<cache::ShareGroup> share = {};
  std::function<void(Object::Init&)> change = {};  // of what is written past memory
};

inline http::HeaderMap accepting(std::string_view what) {
  http::HeaderMap map;
  map.add("Accept", what);
  return map;
}

// Something may happen in the middle of a call, where that looks at the time.
class HookedClock final : public SharedClock {
 public:
  WallTime wall_now() const override {
    if (std::this_thread::get_id() == thread_ && hook) std::exchange(hook, {})();
    return SharedClock::wall_now();
  }

  mutable std::function<void()> hook;

 private:
  const std::thread::id thread_ = std::this_thread::get_id();
};

class Fixture {
 public:
  explicit Fixture(std::uint64_t seed = 1, double max_object_share = 0.1)
      : disk(seed), max_object_share_(max_object_share) {
    disk.make_directory("/d");
    start();
  }
  ~Fixture() {
    disk.release();  // whatever hangs after a failed test
    stop();
  }

  std::size_t max_variants = 32;
  std::uint64_t disk_writes = 0;

  void start() {
    store = std::make_unique<Store>(cache::StoreOptions{
        .memory_bytes = std::size_t{8} << 20, .max_object_share = max_object_share_, .max_variants = max_variants});
    disk::TierOptions options;
    options.volumes = {{.path = "/d", .capacity_bytes = disk::kMinVolumeBytes}};
    options.segment_bytes = 1 << 20;
    options.write_bytes_per_second = disk_writes;
    options.readers = 2;
    options.clock = &clock;
    options.file_system = &disk;
    options.log = [this](disk::LogLevel, const std::string& line) {
      const std::scoped_lock lock(log_mutex);
      log.push_back(line);
    };
    auto opened = DiskTier::open(std::move(options), *store);
    BOOST_REQUIRE_MESSAGE(opened, (opened ? std::string() : opened.error()));
    tier = std::move(*opened);
    store->attach(*tier);
    executor.run_until([&] { return tier->is_loaded(); });
  }
  void stop() {
    tier->close();
    executor.run_ready();
    tier.reset();
    store.reset();
  }
  // As after an orderly end.
  void restart() {
    stop();
    start();
  }
  void die(bool loses_power) {
    disk.stop_after(0);
    stop();
    if (loses_power) {
      disk.lose_power();
    } else {
      disk.restart();
    }
    start();
  }

  Ref<Object> make(const Spec& spec) {
    Object::Init init;
    init.key = spec.key;
    init.hash = policy::hash_key(spec.key);
    init.vary.names = spec.vary;
    policy::append_selecting_values(init.vary, spec.request, init.selecting_values);
    if (!spec.etag.empty()) init.headers.add("ETag", spec.etag);
    if (!spec.tag.empty()) init.tags = {spec.tag};
    init.freshness = {.response_time = clock.wall_now(), .lifetime = spec.lifetime};
    init.purge_epoch = store->purges().epoch();
    init.complete_length = spec.body.size();
    init.share = spec.share;
    if (!spec.body.empty()) {
      init.parts.push_back(
          {.first = 0, .size = spec.body.size(), .slices = {Slice::copy_of(&store->budget(), spec.body)}});
    }
    return Object::create(store->budget(), std::move(init));
  }
  Ref<Object> insert(const Spec& spec) {
    Ref<Object> object = make(spec);
    BOOST_REQUIRE(store->insert(object));
    return object;
  }
  // Until so many records have been written, and can be read, since the start.
  void written(std::uint64_t count) {
    executor.run_until([&] {
      clock.advance(Millis{50});  // it waits a while for more
      return tier->stats().puts[0] >= count;
    });
  }
  // Until what was erased is certain to be; or until it is too late for that.
  bool settle(Millis later = Millis{0}) {
    std::optional<bool> is_durable;
    const disk::Pending wait = tier->settle(executor, [&](bool durable) { is_durable = durable; });
    clock.advance(later);
    executor.run_until([&] { return is_durable.has_value(); });
    return *is_durable;
  }
  bool load(const std::string& key) {
    bool is_done = false;
    const auto wait = tier->load(key, nullptr, std::nullopt, executor, [&](DiskTier::Loaded) { is_done = true; });
    if (!wait) return false;
    executor.run_until([&] { return is_done; });
    return true;
  }
  // "-" when neither has it.
  std::string get(const std::string& key, const http::HeaderMap& request = {}) {
    for (int turn = 0; turn < 2; ++turn) {
      const auto found = store->find(key, policy::hash_key(key), request, scratch_);
      if (found.found == policy::Found::kObject) {
        if (found.object->disk_body()) return read(*found.object);
        std::string body;
        for (const Slice& slice : found.object->body()) body += slice.view();
        return body;
      }
      if (turn == 0 && !load(key)) break;
    }
    return "-";
  }
  // Of an object that has its body on disk only; "lost" when it cannot be read.
  std::string read(const Object& object) {
    std::optional<std::unique_ptr<cache::BodySource>> source;
    bool has_progress = false;
    const auto wait = tier->open_body(
        object, 0, executor, [&] { has_progress = true; },
        [&](std::unique_ptr<cache::BodySource> opened) { source = std::move(opened); });
    executor.run_until([&] { return source.has_value(); });
    if (!*source) return "lost";
    (*source)->select({0, object.complete_length() - 1});
    std::string body;
    while (true) {
      SliceChain slices;
      switch ((*source)->read(100'000, slices)) {
        case cache::BodySource::Outcome::kBytes: break;
        case cache::BodySource::Outcome::kNothingYet:
          executor.run_until([&] { return std::exchange(has_progress, false); });
          break;
        case cache::BodySource::Outcome::kEnd: return body;
        case cache::BodySource::Outcome::kFailed: return "failed";
      }
      for (const Slice& slice : slices) body += slice.view();
    }
  }
  // As a fill does with what memory may not hold. Null: it was not stored.
  Ref<Object> write(const Spec& spec) {
    const Ref<Object> described = make({.key = spec.key, .body = {}, .etag = spec.etag, .lifetime = spec.lifetime});
    Object::Init init;
    init.key = spec.key;
    init.hash = policy::hash_key(spec.key);
    init.headers = described->headers();
    init.freshness = described->freshness();
    init.purge_epoch = described->purge_epoch();
    if (spec.change) spec.change(init);
    const auto stream = tier->begin_stream(init);
    BOOST_REQUIRE(stream);
    for (std::size_t at = 0; at < spec.body.size(); at += 100'000) {
      executor.run_until([&] { return stream->room() == disk::StreamWriter::Room::kNow; });
      BOOST_REQUIRE(stream->append({Slice::copy_of(nullptr, spec.body.substr(at, 100'000))}));
    }
    init.complete_length = spec.body.size();
    std::optional<Ref<Object>> stored;
    stream->finish(init, executor, [&](Ref<Object> object) { stored = std::move(object); });
    if (while_written) std::exchange(while_written, {})();
    executor.run_until([&] {
      clock.advance(Millis{50});
      return stored.has_value();
    });
    return *stored;
  }
  std::optional<Seconds> lifetime(const std::string& key) {
    get(key);
    const auto found = store->find(key, policy::hash_key(key), {}, scratch_);
    return found.object ? std::optional(found.object->freshness().lifetime) : std::nullopt;
  }
  void forget_in_memory(const std::string& key) {
    for (const Ref<Object>& object : store->peek_all(key, policy::hash_key(key))) store->take_back(*object);
  }
  void purge(cache::PurgeKind kind, const std::string& text, bool is_soft = false) {
    store->purge_by_rule({.kind = kind, .text = text, .is_soft = is_soft, .at = clock.wall_now()});
    settle();
  }

  HookedClock clock;
  SimulatedDisk disk;
  WaitingExecutor executor{clock};
  std::unique_ptr<Store> store;
  std::unique_ptr<DiskTier> tier;
  std::mutex log_mutex;
  std::vector<std::string> log;
  std::function<void()> while_written;

 private:
  const double max_object_share_;
  std::string scratch_;
};

inline const std::string kKey = "http://a.test/";

}  // namespace seawall::test::disk_tier
