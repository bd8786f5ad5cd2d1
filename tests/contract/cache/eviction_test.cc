// What every eviction policy owes the store, by random operations, and that each victim is the one that a plain
// transcription of the algorithm names.
#include "cache/eviction.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "cache/frequency_sketch.h"

namespace {

using seawall::Rng;
using seawall::cache::Eviction;
using seawall::cache::eviction_names;
using seawall::cache::EvictionEntry;
using seawall::cache::EvictionPolicy;
using seawall::cache::make_policy;

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

// Least recently used, SIEVE and GDSF: one sequence, searched through.
class SequenceModel : public Model {
 public:
  void erase(std::size_t id) override {
    const std::size_t at = find(id);
    if (at == items_.size()) return;
    items_.erase(items_.begin() + static_cast<std::ptrdiff_t>(at));
    if (hand_ > at) --hand_;
    wrap_hand();
  }

 protected:
  struct Item {
    std::size_t id;
    std::uint64_t key_hash;
    std::uint64_t size;
    std::uint64_t hits = 0;
    std::uint64_t due = 0;
  };
  std::size_t find(std::size_t id) const {
    return static_cast<std::size_t>(std::ranges::find(items_, id, &Item::id) - items_.begin());
  }
  void wrap_hand() {
    if (hand_ >= items_.size()) hand_ = 0;
  }
  std::vector<Item> items_;  // the oldest first
  std::size_t hand_ = 0;
};

class LruModel final : public SequenceModel {
 public:
  void insert(std::size_t id, std::uint64_t key_hash, std::uint64_t size) override {
    items_.push_back({id, key_hash, size});
  }
  void touch(std::size_t id) override {
    std::rotate(items_.begin() + static_cast<std::ptrdiff_t>(find(id)),
                items_.begin() + static_cast<std::ptrdiff_t>(find(id)) + 1, items_.end());
  }
  std::size_t evict() override {
    const std::size_t id = items_.front().id;
    erase(id);
    return id;
  }
};

class SieveModel final : public SequenceModel {
 public:
  void insert(std::size_t id, std::uint64_t key_hash, std::uint64_t size) override {
    items_.push_back({id, key_hash, size});
  }
  void touch(std::size_t id) override { items_[find(id)].hits = 1; }
  std::size_t evict() override {
    for (int spared = 0;; ++spared) {
      Item& item = items_[hand_];
      if (item.hits == 0 || spared == 256) {
        const std::size_t id = item.id;
        items_.erase(items_.begin() + static_cast<std::ptrdiff_t>(hand_));
        wrap_hand();
        return id;
      }
      item.hits = 0;
      ++hand_;
      wrap_hand();
    }
  }
};

class GdsfModel final : public SequenceModel {
 public:
  void insert(std::size_t id, std::uint64_t key_hash, std::uint64_t size) override {
    items_.push_back({.id = id, .key_hash = key_hash, .size = size, .hits = 0});
    touch(id);
  }
  void touch(std::size_t id) override {
    Item& item = items_[find(id)];
    item.hits = std::min<std::uint64_t>(item.hits + 1, 255);
    item.due = age_ + item.hits * ((std::uint64_t{1} << 40) / std::max<std::uint64_t>(item.size, 1));
  }
  std::size_t evict() override {
    const auto least =
        std::ranges::min_element(items_, {}, [](const Item& i) { return std::tuple(i.due, i.key_hash, i.id); });
    age_ = least->due;
    const std::size_t id = least->id;
    items_.erase(least);
    return id;
  }

 private:
  std::uint64_t age_ = 0;
};

// W-TinyLFU with linear searches, over the same sketch.
class WTinyLfuModel final : public Model {
 public:
  explicit WTinyLfuModel(std::uint64_t capacity_bytes) : room_(capacity_bytes) {}

  void insert(std::size_t id, std::uint64_t key_hash, std::uint64_t size) override {
    sketch_.reserve(window_.size() + probation_.size() + protected_.size() + 1);
    sketch_.add(key_hash);
    window_.push_back({id, key_hash, size});
    while (bytes(window_) > room_ / 100 && main_bytes() + window_.front().size <= room_ - room_ / 100) {
      probation_.push_back(window_.front());
      window_.pop_front();
    }
  }
  void erase(std::size_t id) override {
    for (Queue* queue : {&window_, &probation_, &protected_}) {
      std::erase_if(*queue, [&](const Item& i) { return i.id == id; });
    }
  }
  void touch(std::size_t id) override {
    for (Queue* queue : {&window_, &probation_, &protected_}) {
      const auto at = std::ranges::find(*queue, id, &Item::id);
      if (at == queue->end()) continue;
      const Item item = *at;
      sketch_.add(item.key_hash);
      queue->erase(at);
      (queue == &window_ ? window_ : protected_).push_back(item);
      while (bytes(protected_) * 5 > main_bytes() * 4 && protected_.front().id != id) {
        probation_.push_back(protected_.front());
        protected_.pop_front();
      }
      return;
    }
  }
  std::size_t evict() override {
    room_ = bytes(window_) + main_bytes();
    Queue& main = probation_.empty() ? protected_ : probation_;
    Queue* from = &main;
    if (main.empty() || (!window_.empty() && bytes(window_) * 100 > room_)) {
      if (!main.empty() && sketch_.estimate(window_.front().key_hash) > sketch_.estimate(main.front().key_hash)) {
        const std::size_t id = main.front().id;
        main.pop_front();
        probation_.push_back(window_.front());
        window_.pop_front();
        return id;
      }
      from = &window_;
    }
    const std::size_t id = from->front().id;
    from->pop_front();
    return id;
  }

 private:
  struct Item {
    std::size_t id;
    std::uint64_t key_hash;
    std::uint64_t size;
  };
  using Queue = std::deque<Item>;
  static std::uint64_t bytes(const Queue& queue) {
    std::uint64_t n = 0;
    for (const Item& i : queue) n += i.size;
    return n;
  }
  std::uint64_t main_bytes() const { return bytes(probation_) + bytes(protected_); }

  std::uint64_t room_;
  Queue window_;
  Queue probation_;
  Queue protected_;
  seawall::cache::FrequencySketch sketch_;
};

// Tide with linear searches: worths and shares by the formulas of its header, the least due of each group by looking at
// all of them.
class TideModel final : public Model {
 public:
  explicit TideModel(std::uint64_t capacity_bytes) : capacity_(capacity_bytes) {}

  void insert(std::size_t id, std::uint64_t key_hash, std::uint64_t size) override {
    const auto sample = std::max<std::int64_t>(1000, static_cast<std::int64_t>(items_.size()));
    const auto scaled = static_cast<std::int64_t>(std::max<std::uint64_t>(size, 1) * 256);
    mean_scaled_ = mean_scaled_ == 0 ? scaled : mean_scaled_ + (scaled - mean_scaled_) / sample;
    Item item{.id = id, .key_hash = key_hash, .size = size};
    const auto ghost = std::ranges::find(ghosts_, key_hash, &Item::key_hash);
    if (ghost != ghosts_.end()) {
      const bool was_proved = ghost->frequency > 0;
      const std::uint64_t own = ghost_bytes(was_proved);
      const std::uint64_t other = ghost_bytes(!was_proved);
      move_share(item, was_proved, std::clamp<std::uint64_t>(other / std::max<std::uint64_t>(own, 1), 1, 10),
                 static_cast<std::uint64_t>(sample));
      item.frequency = std::clamp<std::uint64_t>(ghost->frequency + 1, 2, 7);
      ghosts_.erase(ghost);
    }
    enqueue(item);
  }
  void erase(std::size_t id) override {
    std::erase_if(items_, [&](const Item& i) { return i.id == id; });
  }
  void touch(std::size_t id) override {
    Item& item = *std::ranges::find(items_, id, &Item::id);
    item.hits = std::min<std::uint64_t>(item.hits + 1, 7);
  }
  std::size_t evict() override {
    for (int moved = 0;; ++moved) {
      const bool from_proved = !probation_gives();
      auto least = items_.end();
      for (auto i = items_.begin(); i != items_.end(); ++i) {
        if ((i->frequency > 0) != from_proved) continue;
        if (least == items_.end() || std::tuple(i->due, i->worth) < std::tuple(least->due, least->worth)) least = i;
      }
      Item item = *least;
      items_.erase(least);
      if (item.hits == 0 || moved == 256) {
        age_[from_proved ? 1 : 0] = item.due;
        remember(item);
        return item.id;
      }
      item.frequency = std::min<std::uint64_t>(item.frequency + item.hits, 7);
      item.hits = 0;
      enqueue(item);
    }
  }

 private:
  struct Item {
    std::size_t id;
    std::uint64_t key_hash;
    std::uint64_t size;
    std::uint64_t frequency = 0;
    std::uint64_t hits = 0;
    std::uint64_t worth = 0;
    std::uint64_t due = 0;
  };

  std::uint64_t mean() const { return std::max<std::uint64_t>(static_cast<std::uint64_t>(mean_scaled_) / 256, 1); }
  void enqueue(Item item) {
    constexpr std::uint64_t kPowers[] = {16, 16, 29, 41, 52, 63, 73, 84};
    constexpr std::uint64_t kUnit = std::uint64_t{1} << 40;
    std::uint64_t worth =
        (kUnit / std::max<std::uint64_t>(item.size, 1) + kUnit * 11 / 64 / mean()) * kPowers[item.frequency] / 16;
    // Three digits behind the first.
    std::uint64_t unit = 1;
    while (worth / unit >= 16) unit *= 2;
    item.worth = worth / unit * unit;
    item.due = age_[item.frequency > 0 ? 1 : 0] + item.worth;
    items_.push_back(item);
  }
  bool probation_gives() const {
    std::uint64_t bytes[2] = {0, 0};
    std::size_t count[2] = {0, 0};
    for (const Item& i : items_) {
      bytes[i.frequency > 0 ? 1 : 0] += i.size;
      ++count[i.frequency > 0 ? 1 : 0];
    }
    if (count[1] == 0) return true;
    return count[0] != 0 && bytes[0] >= (bytes[0] + bytes[1]) * (share_ / 65536) / 65536;
  }
  void move_share(const Item& item, bool was_proved, std::uint64_t imbalance, std::uint64_t sample) {
    const std::uint64_t relative =
        std::min<std::uint64_t>((64 * mean() + 11 * std::max<std::uint64_t>(item.size, 1)) * 16 / (75 * mean()), 1024);
    const std::uint64_t step = std::min(kWhole / sample * imbalance * relative / 16, kWhole);
    share_ = was_proved ? share_ - std::min(share_, step) : share_ + step;
    share_ = std::clamp(share_, kWhole / 20, kWhole / 2);
  }
  std::uint64_t ghost_bytes(bool proved) const {
    std::uint64_t n = 0;
    for (const Item& g : ghosts_) n += (g.frequency > 0) == proved ? std::max<std::uint64_t>(g.size, 1) : 0;
    return n;
  }
  void remember(const Item& item) {
    std::erase_if(ghosts_, [&](const Item& g) { return g.key_hash == item.key_hash; });
    ghosts_.push_back(item);
    while (ghosts_.size() > 1024 + 2 * items_.size() || ghost_bytes(true) + ghost_bytes(false) > capacity_) {
      ghosts_.pop_front();
    }
  }

  static constexpr std::uint64_t kWhole = std::uint64_t{1} << 32;
  std::uint64_t capacity_;
  std::uint64_t share_ = kWhole / 20 * 3;
  std::uint64_t age_[2] = {0, 0};
  std::int64_t mean_scaled_ = 0;
  std::vector<Item> items_;  // in the order in which they were enqueued
  std::deque<Item> ghosts_;
};

struct PolicyCase {
  std::string name;
  std::function<std::unique_ptr<EvictionPolicy>(std::uint64_t)> make;
  std::function<std::unique_ptr<Model>(std::uint64_t)> make_model;
};

template <typename M>
std::unique_ptr<Model> model_of(std::uint64_t capacity) {
  if constexpr (std::is_constructible_v<M, std::uint64_t>) {
    return std::make_unique<M>(capacity);
  } else {
    return std::make_unique<M>();
  }
}

PolicyCase policy_case(Eviction which, std::unique_ptr<Model> (*make_model)(std::uint64_t)) {
  return {.name = std::string(eviction_names()[static_cast<std::size_t>(which)]),
          .make = [which](std::uint64_t capacity) { return make_policy(which, capacity); },
          .make_model = make_model};
}

const std::vector<PolicyCase> kPolicies = {
    policy_case(Eviction::kTide, model_of<TideModel>),         policy_case(Eviction::kLru, model_of<LruModel>),
    policy_case(Eviction::kS3Fifo, model_of<S3FifoModel>),     policy_case(Eviction::kSieve, model_of<SieveModel>),
    policy_case(Eviction::kWTinyLfu, model_of<WTinyLfuModel>), policy_case(Eviction::kGdsf, model_of<GdsfModel>),
};

// A policy and its model, driven alike.
class Bench {
 public:
  Bench(const PolicyCase& c, std::uint64_t capacity, std::size_t entries)
      : policy_(c.make(capacity)), model_(c.make_model(capacity)), entries_(entries) {}
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
    model_->insert(id, key_hash, size);
    bytes_ += size;
    check();
    BOOST_REQUIRE(is_listed(id));
  }
  void erase(std::size_t id) {
    if (is_listed(id)) bytes_ -= entries_[id].size_bytes;
    policy_->erase(entries_[id]);
    model_->erase(id);
    check();
    BOOST_REQUIRE(!is_listed(id));
  }
  void touch(std::size_t id) {
    EvictionPolicy::touch(entries_[id]);
    if (policy_->wants_hits()) policy_->hit(entries_[id]);
    model_->touch(id);
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
    BOOST_REQUIRE_EQUAL(id, model_->evict());
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

// What is put back has had its turn, and is worth what it was: neither new nor proved.
BOOST_AUTO_TEST_CASE(what_is_put_back_keeps_its_standing) {
  for (const PolicyCase& c : kPolicies) {
    BOOST_TEST_CONTEXT(c.name) {
      constexpr std::size_t kEntries = 40;
      const auto policy = c.make(100'000);
      std::vector<EvictionEntry> entries(kEntries);
      for (std::size_t i = 0; i < kEntries; ++i) {
        entries[i].key_hash = i;
        entries[i].size_bytes = 10;
        policy->insert(entries[i]);
      }
      std::vector<EvictionEntry*> named;
      for (std::size_t i = 0; i < kEntries; ++i) {
        EvictionEntry* entry = policy->evict();
        BOOST_REQUIRE(entry != nullptr);
        const std::size_t overhead = policy->overhead_bytes();
        policy->put_back(*entry);
        BOOST_TEST(policy->listed_bytes() == kEntries * 10);
        BOOST_TEST(policy->heat(*entry) == 0U);
        BOOST_TEST(policy->overhead_bytes() <= overhead + 64);
        named.push_back(entry);
      }
      std::ranges::sort(named);
      BOOST_TEST((std::ranges::unique(named).begin() == named.end()));
      for (std::size_t i = 0; i < kEntries; ++i) BOOST_TEST(policy->evict() != nullptr);
      BOOST_TEST(policy->evict() == nullptr);
    }
  }
}

// Of what is named to go it is known whether it was asked for while it was there.
BOOST_AUTO_TEST_CASE(victims_tell_whether_they_were_hit) {
  for (const PolicyCase& c : kPolicies) {
    BOOST_TEST_CONTEXT(c.name) {
      constexpr std::size_t kEntries = 40;
      const auto policy = c.make(100'000);
      std::vector<EvictionEntry> entries(kEntries);
      for (std::size_t i = 0; i < kEntries; ++i) {
        entries[i].key_hash = i;
        entries[i].size_bytes = 10;
        policy->insert(entries[i]);
        if (i % 2 == 0) continue;
        EvictionPolicy::touch(entries[i]);
        if (policy->wants_hits()) policy->hit(entries[i]);
      }
      for (std::size_t i = 0; i < kEntries; ++i) {
        const EvictionEntry* entry = policy->evict();
        BOOST_REQUIRE(entry != nullptr);
        BOOST_TEST(EvictionPolicy::was_hit(*entry) == (entry->key_hash % 2 == 1));
      }
    }
  }
}

// A copy of another size in the place of what is listed.
BOOST_AUTO_TEST_CASE(what_takes_anothers_place_has_its_standing) {
  for (const PolicyCase& c : kPolicies) {
    BOOST_TEST_CONTEXT(c.name) {
      const auto policy = c.make(100'000);
      std::vector<EvictionEntry> entries(20);
      for (std::size_t i = 0; i < entries.size(); ++i) {
        entries[i].key_hash = i;
        entries[i].size_bytes = 10;
        policy->insert(entries[i]);
        for (std::size_t hits = 0; hits < i % 4; ++hits) {
          EvictionPolicy::touch(entries[i]);
          if (policy->wants_hits()) policy->hit(entries[i]);
        }
      }
      EvictionEntry* spared = policy->evict();  // the policy has taken stock of its hits
      policy->put_back(*spared);
      for (EvictionEntry& old : entries) {
        EvictionEntry copy;
        copy.key_hash = old.key_hash;
        copy.size_bytes = 4;
        const bool was_hit = EvictionPolicy::was_hit(old);
        EvictionPolicy::take_proof(copy, old);
        policy->put_back(copy);
        policy->erase(old);
        BOOST_TEST(policy->listed_bytes() == entries.size() * 10 - 6);
        BOOST_TEST(EvictionPolicy::was_hit(copy) == was_hit);
        policy->erase(copy);
        policy->insert(old);
      }
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
