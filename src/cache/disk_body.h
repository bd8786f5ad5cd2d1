// Where the body of a stored response is that has none in memory. Thread: any.
#pragma once

#include <atomic>

#include "base/ref.h"
#include "disk/candidate.h"

namespace seawall::cache {

struct DiskBody final : RefCounted<DiskBody> {
  explicit DiskBody(const disk::Candidate& of) : record(of) {}
  const disk::Candidate record;
  // It is being read into memory.
  mutable std::atomic<bool> is_coming_back{false};
};

}  // namespace seawall::cache
