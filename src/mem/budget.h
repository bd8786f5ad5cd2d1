// What the cache may hold in memory, in bytes: bodies (stored, in flight, or pinned by slow readers after
// eviction), heads, index nodes and ghosts all charge the same budget. Thread: any.
#pragma once

#include <atomic>
#include <cstddef>

namespace seawall {

class MemoryBudget {
 public:
  explicit MemoryBudget(std::size_t limit_bytes) : limit_(limit_bytes) {}
  MemoryBudget(const MemoryBudget&) = delete;
  MemoryBudget& operator=(const MemoryBudget&) = delete;

  void charge(std::size_t bytes) { used_.fetch_add(bytes, std::memory_order_relaxed); }
  void discharge(std::size_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }

  std::size_t used_bytes() const { return used_.load(std::memory_order_relaxed); }
  std::size_t limit_bytes() const { return limit_.load(std::memory_order_relaxed); }
  void set_limit_bytes(std::size_t bytes) { limit_.store(bytes, std::memory_order_relaxed); }

 private:
  std::atomic<std::size_t> used_{0};
  std::atomic<std::size_t> limit_;
};

// A charge that ends with its owner.
class BudgetCharge {
 public:
  BudgetCharge() = default;
  BudgetCharge(MemoryBudget& budget, std::size_t bytes) : budget_(&budget), bytes_(bytes) { budget.charge(bytes); }
  BudgetCharge(BudgetCharge&& o) noexcept : budget_(o.budget_), bytes_(o.bytes_) { o.budget_ = nullptr, o.bytes_ = 0; }
  BudgetCharge& operator=(BudgetCharge&& o) noexcept {
    if (this != &o) {
      release();
      budget_ = o.budget_, bytes_ = o.bytes_;
      o.budget_ = nullptr, o.bytes_ = 0;
    }
    return *this;
  }
  ~BudgetCharge() { release(); }

  std::size_t bytes() const { return bytes_; }

 private:
  void release() {
    if (budget_) budget_->discharge(bytes_);
  }
  MemoryBudget* budget_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace seawall
