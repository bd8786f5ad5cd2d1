// Look-ups and fills a second of the store beside a plain map with an LRU list under one lock, with 1 and 2 threads:
// objects of 1 KiB, keys by Zipf's law, a miss is inserted. And what an object costs beside its body.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/rng.h"
#include "cache/store.h"

namespace {

using namespace seawall;

constexpr std::size_t kKeys = 200'000;
constexpr std::size_t kBody = 1024;
constexpr std::size_t kMemory = std::size_t{64} << 20;
constexpr std::size_t kOperations = 2'000'000;

std::vector<std::string> make_keys() {
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < kKeys; ++i) keys.push_back("http://shop.example.com/item/" + std::to_string(i));
  return keys;
}

// Drawn before the clock runs.
std::vector<std::uint32_t> draw(std::uint64_t seed) {
  std::vector<double> cumulative;
  double sum = 0;
  for (std::size_t i = 0; i < kKeys; ++i) cumulative.push_back(sum += std::pow(static_cast<double>(i + 1), -0.9));
  Rng rng(seed);
  std::vector<std::uint32_t> drawn(kOperations);
  for (std::uint32_t& d : drawn) {
    d = static_cast<std::uint32_t>(std::ranges::lower_bound(cumulative, rng.unit() * sum) - cumulative.begin());
  }
  return drawn;
}

Ref<cache::Object> make_object(MemoryBudget& budget, const std::string& key, std::uint64_t hash) {
  static const std::string kText(kBody, 'x');
  cache::Object::Init init;
  init.key = key;
  init.hash = hash;
  init.complete_length = kBody;
  init.parts.push_back({.first = 0, .size = kBody, .slices = {Slice::copy_of(&budget, kText)}});
  return cache::Object::create(budget, std::move(init));
}

// The same objects, so that only the store's part differs.
class LockedLru {
 public:
  bool find(const std::string& key) {
    const std::lock_guard lock(mutex_);
    const auto at = by_key_.find(key);
    if (at == by_key_.end()) return false;
    order_.splice(order_.end(), order_, at->second);
    const Ref<cache::Object> held = *at->second;
    return true;
  }
  void insert(const Ref<cache::Object>& object) {
    Ref<cache::Object> gone;
    const std::lock_guard lock(mutex_);
    if (!by_key_.try_emplace(object->key(), order_.insert(order_.end(), object)).second) return order_.pop_back();
    while (budget_.used_bytes() > kMemory && !order_.empty()) {
      gone = order_.front();
      by_key_.erase(gone->key());
      order_.pop_front();
      gone = nullptr;
    }
  }
  MemoryBudget& budget() { return budget_; }

 private:
  MemoryBudget budget_{kMemory};
  std::mutex mutex_;
  std::list<Ref<cache::Object>> order_;
  std::unordered_map<std::string, std::list<Ref<cache::Object>>::iterator> by_key_;
};

void measure(const char* name, unsigned threads, const std::vector<std::string>& keys,
             const std::function<bool(const std::string&, std::uint64_t)>& ask) {
  std::vector<std::vector<std::uint32_t>> drawn;
  for (unsigned t = 0; t < threads; ++t) drawn.push_back(draw(t + 1));
  std::vector<std::uint64_t> hashes;
  for (const std::string& key : keys) hashes.push_back(std::hash<std::string>()(key));
  std::atomic<std::uint64_t> misses{0};
  const auto start = std::chrono::steady_clock::now();
  {
    std::vector<std::jthread> running;
    for (unsigned t = 0; t < threads; ++t) {
      running.emplace_back([&, t] {
        std::uint64_t missed = 0;
        for (const std::uint32_t k : drawn[t]) missed += ask(keys[k], hashes[k]) ? 0U : 1U;
        misses += missed;
      });
    }
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double operations = static_cast<double>(kOperations) * threads;
  std::printf("  %-22s %u thread%s %8.2f M operations/s, %.4f missed\n", name, threads, threads == 1 ? " " : "s",
              operations / seconds / 1e6, static_cast<double>(misses) / operations);
}

}  // namespace

int main() {
  const std::vector<std::string> keys = make_keys();
  std::printf("%zu keys of %zu bytes by Zipf's law (0.9), %zu MiB, a miss is inserted\n", kKeys, kBody, kMemory >> 20);
  for (const unsigned threads : {1U, 2U}) {
    for (std::size_t i = 0; i < cache::eviction_names().size(); ++i) {
      cache::Store store({.memory_bytes = kMemory, .eviction = static_cast<cache::Eviction>(i)});
      measure(("store, " + std::string(cache::eviction_names()[i])).c_str(), threads, keys,
              [&](const std::string& key, std::uint64_t hash) {
                static const http::HeaderMap kRequest;
                thread_local std::string scratch;
                if (store.find(key, hash, kRequest, scratch).object) return true;
                store.insert(make_object(store.budget(), key, hash));
                return false;
              });
      if (threads == 1 && i == 0) {
        const cache::StoreStats stats = store.stats();
        std::printf("  %.0f bytes charged for each object beside its body\n",
                    static_cast<double>(stats.budget_used_bytes) / static_cast<double>(stats.objects) - kBody);
      }
    }
    LockedLru lru;
    measure("map, LRU, one lock", threads, keys, [&](const std::string& key, std::uint64_t hash) {
      if (lru.find(key)) return true;
      lru.insert(make_object(lru.budget(), key, hash));
      return false;
    });
  }
  std::printf("  %zu bytes of an object are the eviction policy's entry\n", sizeof(cache::EvictionEntry));
  return 0;
}
