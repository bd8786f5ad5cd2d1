// A response on its way to the disk whose body memory is not to hold. It is stored when all of it is there, and can be
// read back meanwhile. Thread: its fill's, where it does not say otherwise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "base/executor.h"
#include "cache/body_source.h"
#include "cache/object.h"
#include "disk/tier.h"
#include "mem/slice.h"

namespace seawall::cache {

class DiskTier;
class Store;

class DiskStream {
 public:
  DiskStream(Store& store, disk::Tier& tier, const disk::Meta& meta, std::unique_ptr<disk::StreamWriter> writer);

  // False: the disk takes no more, and nothing will be stored.
  bool append(SliceChain slices) { return writer_->append(std::move(slices)); }
  // Whether append() would be false for that. Also after finish().
  bool has_failed() const { return writer_->has_failed(); }
  // Whether it takes more.
  disk::StreamWriter::Room room() const { return writer_->room(); }
  // Stores it, with this head. `done` runs in a turn of its own; null when it is not stored, for the disk would not
  // have it, or it was replaced or purged meanwhile.
  void finish(Object::Init init, Executor& executor, std::move_only_function<void(Ref<Object>)> done);

  // It will not be stored; what is written can still be read back. Nothing after finish().
  void abandon() { writer_->abandon(); }

  // How much of the body can be read back. Thread: any.
  std::uint64_t written_bytes() const { return writer_->written_bytes(); }
  // When that has grown; see disk::StreamWriter.
  void on_written(std::function<void()> callback) { writer_->on_written(std::move(callback)); }
  // From `offset` < written_bytes() on; after its kEnd ask again. Thread: any; the source is the executor's.
  std::unique_ptr<BodySource> read_back(std::uint64_t offset, Executor& executor,
                                        std::function<void()> on_progress) const;

 private:
  Store& store_;
  disk::Tier& tier_;
  const std::uint64_t hash_;
  std::unique_ptr<disk::StreamWriter> writer_;
};

}  // namespace seawall::cache
