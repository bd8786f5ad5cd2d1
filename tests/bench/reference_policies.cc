#include "bench/reference_policies.h"

#include <algorithm>
#include <array>
#include <limits>
#include <queue>
#include <tuple>

namespace seawall::bench {
namespace {

using Id = std::uint32_t;
constexpr Id kNone = std::numeric_limits<Id>::max();

// Some of the objects in an order, and their bytes.
class Order {
 public:
  Order(std::size_t objects, const std::vector<std::uint64_t>& sizes)
      : sizes_(sizes), older_(objects + 1, kNone), newer_(objects + 1, kNone), end_(static_cast<Id>(objects)) {
    older_[end_] = newer_[end_] = end_;
  }
  bool contains(Id id) const { return newer_[id] != kNone; }
  bool empty() const { return bytes_ == 0 && newer_[end_] == end_; }
  std::uint64_t bytes() const { return bytes_; }
  std::size_t count() const { return count_; }
  Id oldest() const { return newer_[end_]; }
  Id newer(Id id) const { return newer_[id]; }
  Id newest() const { return older_[end_]; }
  Id end() const { return end_; }
  void add(Id id) {
    older_[id] = older_[end_];
    newer_[id] = end_;
    newer_[older_[end_]] = id;
    older_[end_] = id;
    bytes_ += sizes_[id];
    ++count_;
  }
  void remove(Id id) {
    newer_[older_[id]] = newer_[id];
    older_[newer_[id]] = older_[id];
    newer_[id] = older_[id] = kNone;
    bytes_ -= sizes_[id];
    --count_;
  }
  void renew(Id id) {
    remove(id);
    add(id);
  }
  Id take_oldest() {
    const Id id = oldest();
    remove(id);
    return id;
  }

 private:
  const std::vector<std::uint64_t>& sizes_;
  std::vector<Id> older_;
  std::vector<Id> newer_;
  Id end_;
  std::uint64_t bytes_ = 0;
  std::size_t count_ = 0;
};

class Sized : public Reference {
 public:
  Sized(std::size_t objects, std::uint64_t capacity) : objects_(objects), capacity_(capacity), sizes_(objects) {}

 protected:
  Order order() const { return Order(objects_, sizes_); }
  std::size_t objects_;
  std::uint64_t capacity_;
  std::vector<std::uint64_t> sizes_;
};

class Lru final : public Sized {
 public:
  using Sized::Sized;
  bool access(Id id, std::uint64_t size) override {
    sizes_[id] = size;
    if (lru_.contains(id)) {
      lru_.renew(id);
      return true;
    }
    if (size > capacity_) return false;
    while (lru_.bytes() + size > capacity_) lru_.take_oldest();
    lru_.add(id);
    return false;
  }

 private:
  Order lru_ = order();
};

// Megiddo and Modha, FAST 2003; p in bytes, and a ghost hit moves it by the object's size.
class Arc final : public Sized {
 public:
  using Sized::Sized;
  bool access(Id id, std::uint64_t size) override {
    sizes_[id] = size;
    for (Order* resident : {&t1_, &t2_}) {
      if (!resident->contains(id)) continue;
      resident->remove(id);
      t2_.add(id);
      return true;
    }
    if (size > capacity_) return false;
    const bool in_b1 = b1_.contains(id);
    const bool in_b2 = b2_.contains(id);
    if (in_b1) {
      p_ = std::min(capacity_,
                    p_ + size * std::max<std::uint64_t>(b2_.bytes() / std::max<std::uint64_t>(b1_.bytes(), 1), 1));
      b1_.remove(id);
    } else if (in_b2) {
      p_ -= std::min(p_, size * std::max<std::uint64_t>(b1_.bytes() / std::max<std::uint64_t>(b2_.bytes(), 1), 1));
      b2_.remove(id);
    }
    while (t1_.bytes() + t2_.bytes() + size > capacity_) replace(in_b2);
    while (t1_.bytes() + b1_.bytes() > capacity_ && !b1_.empty()) b1_.take_oldest();
    while (t1_.bytes() + t2_.bytes() + b1_.bytes() + b2_.bytes() > 2 * capacity_ && !b2_.empty()) b2_.take_oldest();
    (in_b1 || in_b2 ? t2_ : t1_).add(id);
    return false;
  }

 private:
  void replace(bool in_b2) {
    if (!t1_.empty() && (t1_.bytes() > p_ || (in_b2 && t1_.bytes() == p_) || t2_.empty())) {
      b1_.add(t1_.take_oldest());
    } else {
      b2_.add(t2_.take_oldest());
    }
  }
  Order t1_ = order();
  Order t2_ = order();
  Order b1_ = order();
  Order b2_ = order();
  std::uint64_t p_ = 0;
};

// Johnson and Shasha, VLDB 1994: a quarter for what is new, ghosts for half.
class TwoQ final : public Sized {
 public:
  using Sized::Sized;
  bool access(Id id, std::uint64_t size) override {
    sizes_[id] = size;
    if (in_.contains(id)) return true;
    if (main_.contains(id)) {
      main_.renew(id);
      return true;
    }
    const bool is_ghost = out_.contains(id);
    if (is_ghost) out_.remove(id);
    if (size > capacity_ / 4) return false;
    while (in_.bytes() + main_.bytes() + size > capacity_) {
      if (in_.bytes() > capacity_ / 4 || main_.empty()) {
        const Id old = in_.take_oldest();
        while (!out_.empty() && out_.bytes() + sizes_[old] > capacity_ / 2) out_.take_oldest();
        out_.add(old);
      } else {
        main_.take_oldest();
      }
    }
    (is_ghost ? main_ : in_).add(id);
    return false;
  }

 private:
  Order in_ = order();
  Order out_ = order();
  Order main_ = order();
};

// Jiang and Zhang, SIGMETRICS 2002: 1 % for those of long reuse distance, the stack bounded to twice the cache.
class Lirs final : public Sized {
 public:
  Lirs(std::size_t objects, std::uint64_t capacity)
      : Sized(objects, capacity),
        is_lir_(objects),
        hir_limit_(std::max<std::uint64_t>(capacity / 100, 1)),
        lir_limit_(capacity - hir_limit_) {}
  bool access(Id id, std::uint64_t size) override {
    sizes_[id] = size;
    const bool hit = touch(id);
    while (stack_.bytes() > 2 * capacity_ && !gone_.empty()) stack_.remove(gone_.take_oldest());
    return hit;
  }

 private:
  bool touch(Id id) {
    const std::uint64_t size = sizes_[id];
    if (is_lir_[id]) {
      stack_.renew(id);
      prune();
      return true;
    }
    if (queue_.contains(id)) {
      if (stack_.contains(id)) {
        queue_.remove(id);
        stack_.renew(id);
        promote(id);
      } else {
        queue_.renew(id);
        stack_.add(id);
      }
      return true;
    }
    if (stack_.contains(id)) {
      gone_.remove(id);
      stack_.renew(id);
      promote(id);
      return false;
    }
    if (size > hir_limit_) return false;
    if (lir_bytes_ + size <= lir_limit_) {
      is_lir_[id] = true;
      lir_bytes_ += size;
      stack_.add(id);
      return false;
    }
    make_queue_room(size);
    queue_.add(id);
    stack_.add(id);
    return false;
  }
  void promote(Id id) {
    is_lir_[id] = true;
    lir_bytes_ += sizes_[id];
    while (lir_bytes_ > lir_limit_) demote_oldest();
    prune();
  }
  void demote_oldest() {
    prune();
    const Id old = stack_.take_oldest();
    is_lir_[old] = false;
    lir_bytes_ -= sizes_[old];
    if (sizes_[old] <= hir_limit_) {
      make_queue_room(sizes_[old]);
      queue_.add(old);
    }
    prune();
  }
  void make_queue_room(std::uint64_t size) {
    while (queue_.bytes() + size > hir_limit_ && !queue_.empty()) {
      const Id out = queue_.take_oldest();
      if (stack_.contains(out)) gone_.add(out);
    }
  }
  void prune() {
    while (!stack_.empty() && !is_lir_[stack_.oldest()]) {
      const Id old = stack_.take_oldest();
      if (gone_.contains(old)) gone_.remove(old);
    }
  }
  Order stack_ = order();
  Order queue_ = order();
  Order gone_ = order();  // of the stack, those that are not held
  std::vector<bool> is_lir_;
  std::uint64_t lir_bytes_ = 0;
  std::uint64_t hir_limit_;
  std::uint64_t lir_limit_;
};

// Einziger et al., ACM ToS 2017: 1 % window, segmented LRU behind it, exact counts that are halved. As libCacheSim has
// it, what leaves the window counts as asked for once more, and what is larger than the window is refused.
class WTinyLfu final : public Sized {
 public:
  WTinyLfu(std::size_t objects, std::uint64_t capacity)
      : Sized(objects, capacity),
        counts_(objects),
        window_limit_(capacity / 100),
        main_limit_(capacity - window_limit_) {}
  bool access(Id id, std::uint64_t size) override {
    sizes_[id] = size;
    if (window_.contains(id)) {
      window_.renew(id);
      return true;
    }
    if (protected_.contains(id)) {
      count(id);
      protected_.renew(id);
      return true;
    }
    if (probation_.contains(id)) {
      count(id);
      probation_.remove(id);
      protected_.add(id);
      while (protected_.bytes() > main_limit_ / 5 * 4) probation_.add(protected_.take_oldest());
      return true;
    }
    if (size > window_limit_) return false;
    while (window_.bytes() + main_bytes() + size > capacity_) evict();
    count(id);
    window_.add(id);
    return false;
  }

 private:
  std::uint64_t main_bytes() const { return probation_.bytes() + protected_.bytes(); }
  void count(Id id) {
    ++counts_[id];
    if (++counted_ < 32 * std::max<std::size_t>(probation_.count() + protected_.count(), 1000)) return;
    for (auto& c : counts_) c /= 2;
    counted_ = 0;
  }
  void evict() {
    Order& main = probation_.empty() ? protected_ : probation_;
    if (window_.empty()) {
      main.take_oldest();
      return;
    }
    const Id id = window_.take_oldest();
    if (main_bytes() + sizes_[id] <= main_limit_) {
      probation_.add(id);
    } else if (counts_[id] > counts_[main.oldest()]) {
      main.take_oldest();
      probation_.add(id);
    }
    count(id);
  }
  Order window_ = order();
  Order probation_ = order();
  Order protected_ = order();
  std::vector<std::uint32_t> counts_;
  std::uint64_t counted_ = 0;
  std::uint64_t window_limit_;
  std::uint64_t main_limit_;
};

// Yang et al., SOSP 2023: 10 % small, promoted at `Promote` hits, ghosts for 90 %.
template <int Promote>
class S3Fifo final : public Sized {
 public:
  S3Fifo(std::size_t objects, std::uint64_t capacity) : Sized(objects, capacity), hits_(objects) {}
  bool access(Id id, std::uint64_t size) override {
    sizes_[id] = size;
    if (small_.contains(id) || main_.contains(id)) {
      hits_[id] = static_cast<std::uint8_t>(std::min(hits_[id] + 1, 3));
      return true;
    }
    const bool is_ghost = ghost_.contains(id);
    if (is_ghost) ghost_.remove(id);
    if (size > capacity_ / 10) return false;
    while (small_.bytes() + main_.bytes() + size > capacity_) {
      if (main_.bytes() > capacity_ / 10 * 9 || small_.empty()) {
        evict_main();
      } else {
        evict_small();
      }
    }
    hits_[id] = 0;
    (is_ghost ? main_ : small_).add(id);
    return false;
  }

 private:
  void evict_small() {
    while (!small_.empty()) {
      const Id old = small_.take_oldest();
      if (hits_[old] >= Promote) {
        hits_[old] = 0;
        main_.add(old);
        continue;
      }
      while (!ghost_.empty() && ghost_.bytes() + sizes_[old] > capacity_ / 10 * 9) ghost_.take_oldest();
      ghost_.add(old);
      return;
    }
  }
  void evict_main() {
    while (true) {
      const Id old = main_.take_oldest();
      if (hits_[old] == 0) return;
      --hits_[old];
      main_.add(old);
    }
  }
  Order small_ = order();
  Order main_ = order();
  Order ghost_ = order();
  std::vector<std::uint8_t> hits_;
};

// Zhang et al., NSDI 2024.
class Sieve final : public Sized {
 public:
  Sieve(std::size_t objects, std::uint64_t capacity) : Sized(objects, capacity), is_visited_(objects) {}
  bool access(Id id, std::uint64_t size) override {
    sizes_[id] = size;
    if (queue_.contains(id)) {
      is_visited_[id] = true;
      return true;
    }
    if (size > capacity_) return false;
    while (queue_.bytes() + size > capacity_) evict();
    is_visited_[id] = false;
    queue_.add(id);
    return false;
  }

 private:
  void evict() {
    if (hand_ == kNone || hand_ == queue_.end()) hand_ = queue_.oldest();
    while (is_visited_[hand_]) {
      is_visited_[hand_] = false;
      hand_ = queue_.newer(hand_);
      if (hand_ == queue_.end()) hand_ = queue_.oldest();
    }
    const Id victim = hand_;
    hand_ = queue_.newer(victim);
    queue_.remove(victim);
  }
  Order queue_ = order();
  std::vector<bool> is_visited_;
  Id hand_ = kNone;
};

// Cherkasova 1998: least of age + frequency / size.
class Gdsf final : public Sized {
 public:
  Gdsf(std::size_t objects, std::uint64_t capacity) : Sized(objects, capacity), frequency_(objects), stamp_(objects) {}
  bool access(Id id, std::uint64_t size) override {
    sizes_[id] = size;
    const bool hit = held_.contains(id);
    if (!hit) {
      if (size > capacity_) return false;
      while (held_.bytes() + size > capacity_) evict();
      held_.add(id);
      frequency_[id] = 0;
    }
    ++frequency_[id];
    by_value_.emplace(age_ + static_cast<double>(frequency_[id]) / static_cast<double>(size), ++stamp_[id], id);
    return hit;
  }

 private:
  void evict() {
    while (true) {
      const auto [value, stamp, id] = by_value_.top();
      by_value_.pop();
      if (stamp != stamp_[id] || !held_.contains(id)) continue;
      age_ = value;
      held_.remove(id);
      return;
    }
  }
  using Valued = std::tuple<double, std::uint32_t, Id>;
  Order held_ = order();
  std::vector<std::uint32_t> frequency_;
  std::vector<std::uint32_t> stamp_;
  std::priority_queue<Valued, std::vector<Valued>, std::greater<>> by_value_;
  double age_ = 0;
};

template <typename Policy>
std::unique_ptr<Reference> make(std::size_t objects, std::uint64_t capacity_bytes) {
  return std::make_unique<Policy>(objects, capacity_bytes);
}

}  // namespace

const std::vector<NamedReference>& references() {
  static const std::vector<NamedReference> kAll = {
      {"LRU", make<Lru>, true},
      {"ARC", make<Arc>, true},
      {"2Q", make<TwoQ>, true},
      {"LIRS", make<Lirs>, true},
      {"W-TinyLFU", make<WTinyLfu>, true},
      {"S3-FIFO", make<S3Fifo<2>>, true},
      {"S3-FIFO-1", make<S3Fifo<1>>, true},
      {"SIEVE", make<Sieve>, true},
      {"GDSF", make<Gdsf>, false},
  };
  return kAll;
}

}  // namespace seawall::bench
