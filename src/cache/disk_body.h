// Where the body of a stored response is that has none in memory. Thread: any.
#pragma once

#include <atomic>

#include "base/clock.h"
#include "base/ref.h"
#include "disk/candidate.h"

namespace seawall::cache {

struct DiskBody final : RefCounted<DiskBody> {
  explicit DiskBody(const disk::Candidate& of) : record(of) {}
  const disk::Candidate record;
  // Not read into memory before: as it is being read, or was just now to no avail.
  mutable std::atomic<MonoTime> not_before{};
  static_assert(std::atomic<MonoTime>::is_always_lock_free);
};

}  // namespace seawall::cache
