// Keeps bodies compressed in memory that are below the hot part: what the eviction policy names to go, and was asked
// for again before, is packed instead, once until it is hot again, where that gains (packed_body.h); what is asked for
// often enough in that state is made raw again. Both are done by a thread of low priority, and put into the store by
// the home worker: no lock of the store is ever held by a thread that does not get to run. What is asked for meanwhile
// is served as it stands. Thread: any, but where it says otherwise.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/background.h"
#include "base/clock.h"
#include "base/executor.h"
#include "base/ref.h"
#include "cache/body_source.h"
#include "cache/object.h"

namespace seawall::cache {

class Store;

struct PackStats {
  std::uint64_t packed = 0;  // bodies that were, and what became of them
  std::uint64_t packed_raw_bytes = 0;
  std::uint64_t packed_bytes = 0;
  std::uint64_t unpacked = 0;    // made raw again
  std::uint64_t no_gain = 0;     // tried, and did not gain
  std::uint64_t queue_full = 0;  // evicted, or left packed, because the queue was full
  std::uint64_t no_room = 0;     // left packed for want of memory
  std::uint64_t outdated = 0;    // replaced or removed meanwhile
  std::uint64_t pack_ns = 0;
  std::uint64_t unpack_ns = 0;
  std::uint64_t answers = 0;  // from packed bodies
};

class MemoryPacker {
 public:
  // Of smaller bodies the head is the larger part.
  static constexpr std::uint64_t kLeastBytes = 1024;
  // To unpack a body and to pack it again, when it has cooled, takes as long as to serve it packed about five times:
  // from then on that is no more than twice what the better choice would have cost.
  static constexpr unsigned kHotHits = 5;

  MemoryPacker(Store& store, Background& background, const Clock& clock);
  MemoryPacker(const MemoryPacker&) = delete;
  MemoryPacker& operator=(const MemoryPacker&) = delete;

  // Before that nothing is packed. `home` outlives the background's threads.
  void start(Executor& home) { home_.store(&home, std::memory_order_release); }

  // Whether it is to be packed rather than evicted; true for one who asks. Takes no lock.
  bool try_ask(const Object& object);
  // What was asked for so.
  void pack(const Ref<const Object>& object);
  // For an answer from the packed object: counts as one.
  std::unique_ptr<BodySource> open(const Object& object);

  PackStats stats() const;

 private:
  static constexpr std::size_t kMaxPending = 64;

  using Counter = std::atomic<std::uint64_t>;

  bool submit(std::uint64_t bytes, Task task);
  bool is_full() const;
  void post(Task task);
  void finish_packing(const Object& object, const Ref<const PackedBody>& packed);
  void begin_unpacking(const Ref<const Object>& object);
  void finish_unpacking(const Object& object, const std::optional<SliceChain>& raw);
  static void add(Counter& counter, std::uint64_t n) { counter.fetch_add(n, std::memory_order_relaxed); }
  void add_since(Counter& counter, MonoTime begun) const;

  Store& store_;
  Background& background_;
  const Clock& clock_;
  std::atomic<Executor*> home_{nullptr};
  std::atomic<std::size_t> pending_{0};  // from submit() to the home worker's end of it

  Counter packed_{0};
  Counter packed_raw_bytes_{0};
  Counter packed_bytes_{0};
  Counter unpacked_{0};
  Counter no_gain_{0};
  Counter queue_full_{0};
  Counter no_room_{0};
  Counter outdated_{0};
  Counter pack_ns_{0};
  Counter unpack_ns_{0};
  Counter answers_{0};
};

}  // namespace seawall::cache
