#include "mem/segment.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "base/check.h"
#include "mem/allocator.h"

namespace seawall {

Segment::Segment(MemoryBudget* budget, std::size_t capacity)
    : budget_(budget), capacity_(capacity), charged_(block_bytes(this)) {
  if (budget_) budget_->charge(charged_);
}

Ref<Segment> Segment::create(MemoryBudget* budget, std::size_t capacity) {
  void* block = std::malloc(sizeof(Segment) + capacity);
  SW_CHECK(block != nullptr, "out of memory");
  return Ref<Segment>(new (block) Segment(budget, capacity));
}

void Segment::destroy(const Segment* s) {
  if (s->budget_) s->budget_->discharge(s->charged_);
  auto* mutable_segment = const_cast<Segment*>(s);
  mutable_segment->~Segment();
  std::free(mutable_segment);
}

std::size_t Segment::append(std::string_view bytes) {
  const std::span<char> room = writable();
  const std::size_t n = std::min(room.size(), bytes.size());
  if (n > 0) std::memcpy(room.data(), bytes.data(), n);
  commit(n);
  return n;
}

}  // namespace seawall
