// A refcounted block of bytes. One writer appends; what is committed never changes or moves, so readers on any
// thread may hold slices of it. Its allocation is charged to a MemoryBudget until the last reference goes.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "base/ref.h"
#include "mem/budget.h"

namespace seawall {

class Segment final : public RefCounted<Segment> {
 public:
  // Never null; `budget` may be null (not charged) and must outlive the segment.
  static Ref<Segment> create(MemoryBudget* budget, std::size_t capacity);
  static void destroy(const Segment* s);

  const char* data() const { return reinterpret_cast<const char*>(this + 1); }
  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }
  // Bytes charged: all that the allocation takes, by block_bytes().
  std::size_t charged_bytes() const { return charged_; }

  // Writer only.
  std::span<char> writable() { return {reinterpret_cast<char*>(this + 1) + size_, capacity_ - size_}; }
  void commit(std::size_t n) { size_ += n; }
  // Copies what fits and returns how much that was.
  std::size_t append(std::string_view bytes);

 private:
  Segment(MemoryBudget* budget, std::size_t capacity);
  ~Segment() = default;

  MemoryBudget* budget_;
  std::size_t capacity_;
  std::size_t charged_;
  std::size_t size_ = 0;
};

}  // namespace seawall
