// What the cache may hold in memory, in bytes: bodies (stored, in flight, or pinned by slow readers after
// eviction), heads, index nodes and ghosts all charge the same budget. Thread: any.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <utility>

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
  // Of what is charged, bodies on their way.
  std::size_t in_flight_bytes() const { return in_flight_.load(std::memory_order_relaxed); }

 private:
  friend class InFlightBytes;

  std::atomic<std::size_t> used_{0};
  std::atomic<std::size_t> in_flight_{0};
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

// What of one body is on its way; its segments charge themselves.
class InFlightBytes {
 public:
  explicit InFlightBytes(MemoryBudget& budget) : budget_(&budget) {}
  InFlightBytes(InFlightBytes&& o) noexcept : budget_(o.budget_), bytes_(std::exchange(o.bytes_, 0)) {}
  InFlightBytes& operator=(InFlightBytes&& o) noexcept {
    subtract(bytes_);
    budget_ = o.budget_;
    bytes_ = std::exchange(o.bytes_, 0);
    return *this;
  }
  ~InFlightBytes() { subtract(bytes_); }

  void add(std::size_t bytes) {
    bytes_ += bytes;
    budget_->in_flight_.fetch_add(bytes, std::memory_order_relaxed);
  }
  // No more than there is: after end() nothing.
  void subtract(std::size_t bytes) {
    bytes = std::min(bytes, bytes_);
    bytes_ -= bytes;
    budget_->in_flight_.fetch_sub(bytes, std::memory_order_relaxed);
  }
  void end() { subtract(bytes_); }

 private:
  MemoryBudget* budget_;
  std::size_t bytes_ = 0;
};

}  // namespace seawall
