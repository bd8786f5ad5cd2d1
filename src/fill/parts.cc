#include "fill/parts.h"

#include <algorithm>

namespace seawall::fill {
namespace {

// `count` bytes from `skip` on.
SliceChain cut(const SliceChain& slices, std::uint64_t skip, std::uint64_t count) {
  SliceChain out;
  for (const Slice& s : slices) {
    if (count == 0) break;
    if (skip >= s.size()) {
      skip -= s.size();
      continue;
    }
    const std::uint64_t n = std::min<std::uint64_t>(s.size() - skip, count);
    out.push_back(s.subslice(static_cast<std::size_t>(skip), static_cast<std::size_t>(n)));
    count -= n;
    skip = 0;
  }
  return out;
}

}  // namespace

void merge_part(std::vector<cache::Part>& parts, const cache::Part& added) {
  std::vector<cache::Part> runs;
  std::uint64_t at = added.first;
  const std::uint64_t end = added.first + added.size;
  for (cache::Part& part : parts) {
    if (at < end && part.first > at) {
      const std::uint64_t n = std::min(part.first, end) - at;
      runs.push_back({.first = at, .size = n, .slices = cut(added.slices, at - added.first, n)});
    }
    at = std::max(at, part.first + part.size);
    runs.push_back(std::move(part));
  }
  if (at < end)
    runs.push_back({.first = at, .size = end - at, .slices = cut(added.slices, at - added.first, end - at)});

  parts.clear();
  for (cache::Part& run : runs) {
    if (!parts.empty() && parts.back().first + parts.back().size == run.first) {
      parts.back().size += run.size;
      parts.back().slices.insert(parts.back().slices.end(), run.slices.begin(), run.slices.end());
    } else {
      parts.push_back(std::move(run));
    }
  }
}

std::optional<http::ByteRange> missing_run(const std::vector<cache::Part>& parts, http::ByteRange wanted) {
  std::uint64_t first = wanted.first;
  std::uint64_t last = wanted.last;
  for (const cache::Part& part : parts) {
    const std::uint64_t part_last = part.first + part.size - 1;
    if (part.first <= first && part_last >= first) {
      if (part_last >= last) return std::nullopt;
      first = part_last + 1;
    }
  }
  for (auto it = parts.rbegin(); it != parts.rend(); ++it) {
    const std::uint64_t part_last = it->first + it->size - 1;
    if (it->first <= last && part_last >= last && it->first > first) last = it->first - 1;
  }
  return http::ByteRange{first, last};
}

}  // namespace seawall::fill
