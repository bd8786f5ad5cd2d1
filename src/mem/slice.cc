#include "mem/slice.h"

namespace seawall {

Slice Slice::copy_of(MemoryBudget* budget, std::string_view bytes) {
  Ref<Segment> segment = Segment::create(budget, bytes.size());
  segment->append(bytes);
  const char* data = segment->data();
  return Slice(std::move(segment), data, bytes.size());
}

std::uint64_t total_size(const SliceChain& chain) {
  std::uint64_t n = 0;
  for (const Slice& s : chain) n += s.size();
  return n;
}

}  // namespace seawall
