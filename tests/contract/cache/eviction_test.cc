// What every eviction policy owes the store, by random operations beside a slow model; and, for those that have one,
// that each victim is the one a plain transcription of the algorithm names.
#include "cache/eviction.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/rng.h"

namespace {

using seawall::Rng;
using seawall::cache::EvictionEntry;
using seawall::cache::EvictionPolicy;

// Names victims by their number.
class Model {
 public:
  virtual ~Model() = default;
  virtual void insert(std::size_t id, std::uint64_t key_hash, std::uint64_t size) = 0;
  virtual void erase(std::size_t id) = 0;
  virtual void touch(std::size_t id) = 0;
  virtual std::size_t evict() = 0;
};

// S3-FIFO with linear searches everywhere.
class S3FifoModel final : public Model {
 public:
  explicit S3FifoModel(std::uint64_t capacity_bytes) : ghost_bytes_(capacity_bytes - capacity_bytes / 10) {}

  void insert(std::size_t id, std::uint64_t key_hash, std::uint64_t size) override {
    const Item item{.id = id, .key_hash = key_hash, .size = size};
    const auto ghost = std::ranges::find(ghosts_, key_hash, &Ghost::key_hash);
    if (ghost == ghosts_.end()) {
      small_.push_back(item);
    } else {
      ghosts_.erase(ghost);
      main_.push_back(item);
    }
  }
  void erase(std::size_t id) override {
    std::erase_if(small_, [&](const Item& i) { return i.id == id; });
    std::erase_if(main_, [&](const Item& i) { return i.id == id; });
  }
  void touch(std::size_t id) override {
    for (auto* queue : {&small_, &main_}) {
      for (Item& i : *queue) {
        if (i.id == id) i.hits = std::min(i.hits + 1, 3);
      }
    }
  }
  std::size_t evict() override {
    for (int moved = 0;; ++moved) {
      const bool from_small = main_.empty() || (!small_.empty() && bytes(small_) * 10 >= bytes(small_) + bytes(main_));
      std::deque<Item>& queue = from_small ? small_ : main_;
      Item item = queue.front();
      queue.pop_front();
      if (item.hits == 0 || moved == 256) {
        if (from_small) remember(item);
        return item.id;
      }
      item.hits = from_small ? 0 : item.hits - 1;
      main_.push_back(item);
    }
  }

 private:
  struct Item {
    std::size_t id;
    std::uint64_t key_hash;
    std::uint64_t size;
    int hits = 0;
  };
  struct Ghost {
    std::uint64_t key_hash;
    std::uint64_t size;
  };

  template <typename Queue>
  static std::uint64_t bytes(const Queue& queue) {
    std::uint64_t n = 0;
    for (const auto& i : queue) n += i.size;
    return n;
  }
  void remember(const Item& item) {
    std::erase_if(ghosts_, [&](const Ghost& g) { return g.key_hash == item.key_hash; });
    ghosts_.push_back({item.key_hash, item.size});
    const std::size_t most = 1024 + 2 * (small_.size() + main_.size());
    while (ghosts_.size() > most || bytes(ghosts_) > ghost_bytes_) ghosts_.pop_front();
  }

  std::uint64_t ghost_bytes_;
  std::deque<Item> small_;
  std::deque<Item> main_;
  std::deque<Ghost> ghosts_;
};

struct PolicyCase {
  std::string name;
  std::function<std::unique_ptr<EvictionPolicy>(std::uint64_t)> make;
  std::function<std::unique_ptr<Model>(std::uint64_t)> make_model;  // empty: only what holds for all is checked
};

const std::vector<PolicyCase> kPolicies = {
    {.name = "s3-fifo",
     .make = seawall::cache::make_s3_fifo,
     .make_model = [](std::uint64_t capacity) { return std::make_unique<S3FifoModel>(capacity); }},
};

// A policy and its model, driven alike.
class Bench {
 public:
  Bench(const PolicyCase& c, std::uint64_t capacity, std::size_t entries)
      : policy_(c.make(capacity)), model_(c.make_model ? c.make_model(capacity) : nullptr), entries_(entries) {}
  ~Bench() {
    for (EvictionEntry& e : entries_) policy_->erase(e);
  }

  bool is_listed(std::size_t id) const { return entries_[id].queue != 0; }
  std::uint64_t bytes() const { return bytes_; }
  const EvictionPolicy& policy() const { return *policy_; }

  void insert(std::size_t id, std::uint64_t key_hash, std::uint64_t size) {
    entries_[id].key_hash = key_hash;
    entries_[id].size_bytes = size;
    entries_[id].hits = 0;
    policy_->insert(entries_[id]);
    if (model_) model_->insert(id, key_hash, size);
    bytes_ += size;
    check();
    BOOST_REQUIRE(is_listed(id));
  }
  void erase(std::size_t id) {
    if (is_listed(id)) bytes_ -= entries_[id].size_bytes;
    policy_->erase(entries_[id]);
    if (model_) model_->erase(id);
    check();
    BOOST_REQUIRE(!is_listed(id));
  }
  void touch(std::size_t id) {
    EvictionPolicy::touch(entries_[id]);
    if (model_) model_->touch(id);
  }
  // The victim's number, or entries().
  std::size_t evict() {
    EvictionEntry* victim = policy_->evict();
    if (!victim) {
      BOOST_REQUIRE_EQUAL(bytes_, 0U);
      return entries_.size();
    }
    const auto id = static_cast<std::size_t>(victim - entries_.data());
    BOOST_REQUIRE_LT(id, entries_.size());
    BOOST_REQUIRE(!is_listed(id));
    BOOST_REQUIRE(!victim->node.is_linked());
    if (model_) BOOST_REQUIRE_EQUAL(id, model_->evict());
    bytes_ -= victim->size_bytes;
    check();
    return id;
  }

 private:
  void check() const { BOOST_REQUIRE_EQUAL(policy_->listed_bytes(), bytes_); }

  std::unique_ptr<EvictionPolicy> policy_;
  std::unique_ptr<Model> model_;
  std::vector<EvictionEntry> entries_;
  std::uint64_t bytes_ = 0;
};

struct Mix {
  std::string name;
  std::uint64_t seed;
  std::uint64_t capacity;
  std::size_t keys;
  std::uint64_t max_size;
  bool variants = false;  // keys share their hash in threes
};

void run_random_operations(const PolicyCase& policy, const Mix& mix) {
  Rng rng(mix.seed);
  Bench bench(policy, mix.capacity, mix.keys);
  std::size_t evictions = 0;
  for (int step = 0; step < 20'000; ++step) {
    // The lesser of two draws: some keys are asked for more often.
    const std::size_t id = std::min(rng.below(mix.keys), rng.below(mix.keys));
    if (rng.below(50) == 0) {
      bench.erase(id);
    } else if (bench.is_listed(id)) {
      bench.touch(id);
    } else {
      const std::uint64_t hash = mix.variants ? id / 3 : id * 0x9e3779b97f4a7c15U;
      bench.insert(id, hash, 1 + rng.below(mix.max_size));
      while (bench.bytes() > mix.capacity) {
        BOOST_REQUIRE_LT(bench.evict(), mix.keys);
        ++evictions;
      }
    }
  }
  BOOST_TEST(evictions > 50U);
  for (std::size_t left = mix.keys; bench.evict() < mix.keys; --left) BOOST_REQUIRE_GT(left, 0U);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(eviction_contract)

BOOST_AUTO_TEST_CASE(random_operations) {
  const Mix mixes[] = {
      {.name = "small objects", .seed = 1, .capacity = 2'000, .keys = 300, .max_size = 40},
      {.name = "one size", .seed = 2, .capacity = 100, .keys = 400, .max_size = 1},
      {.name = "large among small", .seed = 3, .capacity = 5'000, .keys = 200, .max_size = 2'000},
      {.name = "nearly all fits", .seed = 4, .capacity = 9'000, .keys = 200, .max_size = 100},
      {.name = "room for one", .seed = 5, .capacity = 10, .keys = 50, .max_size = 10},
      {.name = "shared hashes", .seed = 6, .capacity = 2'000, .keys = 300, .max_size = 40, .variants = true},
  };
  for (const PolicyCase& policy : kPolicies) {
    for (const Mix& mix : mixes) {
      BOOST_TEST_CONTEXT(policy.name << ", " << mix.name << ", seed " << mix.seed) {
        run_random_operations(policy, mix);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(empty_policy_names_no_victim) {
  for (const PolicyCase& c : kPolicies) {
    BOOST_TEST_CONTEXT(c.name) {
      const auto policy = c.make(1000);
      EvictionEntry entry;
      entry.size_bytes = 10;
      BOOST_TEST(policy->evict() == nullptr);
      policy->erase(entry);
      BOOST_TEST(policy->listed_bytes() == 0U);
      policy->insert(entry);
      BOOST_TEST(policy->evict() == &entry);
      policy->erase(entry);
      BOOST_TEST(policy->evict() == nullptr);
    }
  }
}

BOOST_AUTO_TEST_CASE(entries_without_size_are_evicted_too) {
  for (const PolicyCase& c : kPolicies) {
    BOOST_TEST_CONTEXT(c.name) {
      Bench bench(c, 1000, 20);
      for (std::size_t i = 0; i < 20; ++i) bench.insert(i, i, 0);
      for (std::size_t i = 0; i < 20; ++i) BOOST_TEST(bench.evict() < 20U);
    }
  }
}

// A walk over objects that are all hot must end with a victim.
BOOST_AUTO_TEST_CASE(hot_objects_are_evicted_in_the_end) {
  for (const PolicyCase& c : kPolicies) {
    BOOST_TEST_CONTEXT(c.name) {
      constexpr std::size_t kEntries = 2000;
      Bench bench(c, kEntries, kEntries);
      for (std::size_t i = 0; i < kEntries; ++i) bench.insert(i, i, 1);
      for (std::size_t left = kEntries; left > 0; --left) {
        for (std::size_t i = 0; i < kEntries; i += 7) {
          if (bench.is_listed(i)) bench.touch(i);
        }
        BOOST_REQUIRE_LT(bench.evict(), kEntries);
      }
      BOOST_TEST(bench.evict() == kEntries);
    }
  }
}

BOOST_AUTO_TEST_CASE(overhead_stays_bounded) {
  for (const PolicyCase& c : kPolicies) {
    BOOST_TEST_CONTEXT(c.name) {
      const auto policy = c.make(std::uint64_t{1} << 40);
      std::vector<EvictionEntry> entries(100);
      for (std::uint64_t i = 0; i < 100'000; ++i) {
        EvictionEntry& e = entries[i % entries.size()];
        if (e.queue != 0) BOOST_REQUIRE(policy->evict() != nullptr);
        policy->erase(e);
        e.key_hash = i;
        e.size_bytes = 1;
        policy->insert(e);
        BOOST_REQUIRE_LE(policy->overhead_bytes(), 128U * 1024);
      }
      while (policy->evict()) {
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
