// A view of committed bytes that keeps their segment alive.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ref.h"
#include "mem/segment.h"

namespace seawall {

class Slice {
 public:
  Slice() = default;
  Slice(Ref<Segment> segment, const char* data, std::size_t size)
      : segment_(std::move(segment)), data_(data), size_(size) {}
  // A copy of `bytes` in a segment of its own.
  static Slice copy_of(MemoryBudget* budget, std::string_view bytes);
  // Bytes that live for ever (string literals).
  static Slice of_static(std::string_view bytes) { return Slice({}, bytes.data(), bytes.size()); }

  const char* data() const { return data_; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::string_view view() const { return {data_, size_}; }
  const Ref<Segment>& segment() const { return segment_; }

  Slice subslice(std::size_t offset, std::size_t size) const { return Slice(segment_, data_ + offset, size); }
  void remove_prefix(std::size_t n) { data_ += n, size_ -= n; }

 private:
  Ref<Segment> segment_;
  const char* data_ = nullptr;
  std::size_t size_ = 0;
};

using SliceChain = std::vector<Slice>;

std::uint64_t total_size(const SliceChain& chain);

}  // namespace seawall
