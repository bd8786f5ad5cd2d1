#include "cache/memory_packer.h"

#include <chrono>
#include <utility>

#include "cache/packed_source.h"
#include "cache/store.h"

namespace seawall::cache {

static_assert(MemoryPacker::kHotHits <= EncodingState::kMaxPackedAnswers);

MemoryPacker::MemoryPacker(Store& store, Background& background, const Clock& clock)
    : store_(store), background_(background), clock_(clock) {}

bool MemoryPacker::try_ask(const Object& object) {
  const bool may_gain = object.is_complete() && !object.needs_source() && object.complete_length() >= kLeastBytes &&
                        object.encoding().may_ask_packing() && may_compress(object.headers());
  if (!may_gain || !home_.load(std::memory_order_acquire)) return false;
  if (!is_full()) return object.encoding().try_ask_packing();
  add(queue_full_, 1);
  return false;
}

bool MemoryPacker::is_full() const {
  return background_.is_full() || pending_.load(std::memory_order_relaxed) >= kMaxPending;
}

bool MemoryPacker::submit(std::uint64_t bytes, Task task) {
  pending_.fetch_add(1, std::memory_order_relaxed);
  if (background_.submit(bytes, std::move(task))) return true;
  pending_.fetch_sub(1, std::memory_order_relaxed);
  add(queue_full_, 1);
  return false;
}

void MemoryPacker::pack(const Ref<const Object>& object) {
  const bool is_submitted = submit(object->complete_length(), [this, object] {
    const MonoTime begun = clock_.mono_now();
    auto packed = PackedBody::pack(object->body(), store_.budget(), background_.is_stopped());
    add_since(pack_ns_, begun);
    post([this, object, packed = std::move(packed)] { finish_packing(*object, packed); });
  });
  if (!is_submitted) object->encoding().give_up_packing();
}

// Home worker.
void MemoryPacker::finish_packing(const Object& object, const Ref<const PackedBody>& packed) {
  const Exchanged done = packed ? store_.set_body(object, {.slices = {}, .packed = packed}) : Exchanged::kGone;
  if (done == Exchanged::kYes) {
    add(packed_, 1);
    add(packed_raw_bytes_, packed->raw_bytes());
    add(packed_bytes_, packed->charged_bytes());
    return;
  }
  add(packed ? outdated_ : no_gain_, 1);
  const Ref<Object> present = store_.find_same(object);
  if (!present) return;
  if (!packed) return present->encoding().mark_packing_useless();
  present->encoding().give_up_packing();
}

std::unique_ptr<BodySource> MemoryPacker::open(const Object& object) {
  add(answers_, 1);
  if (object.encoding().count_packed_answer() == kHotHits && !is_full()) {
    pending_.fetch_add(1, std::memory_order_relaxed);
    post([this, object = Ref<const Object>(&object)] { begin_unpacking(object); });
  }
  return std::make_unique<PackedSource>(object.packed(), store_.budget(), clock_, unpack_ns_);
}

// Home worker. What takes its room is what goes next.
void MemoryPacker::begin_unpacking(const Ref<const Object>& object) {
  const std::uint64_t bytes = object->complete_length();
  const Ref<Object> present = store_.find_same(*object);
  if (!present || !present->packed()) return add(outdated_, 1);
  if (!store_.make_room(static_cast<std::size_t>(bytes), object->share().get())) return add(no_room_, 1);
  submit(bytes, [this, object] {
    const MonoTime begun = clock_.mono_now();
    auto raw = object->packed()->unpack_all(store_.budget());
    add_since(unpack_ns_, begun);
    post([this, object, raw = std::move(raw)] { finish_unpacking(*object, raw); });
  });
}

// Home worker.
void MemoryPacker::finish_unpacking(const Object& object, const std::optional<SliceChain>& raw) {
  const Exchanged done = raw ? store_.set_body(object, {.slices = *raw, .packed = nullptr}) : Exchanged::kGone;
  switch (done) {
    case Exchanged::kYes: return add(unpacked_, 1);
    case Exchanged::kGone: return add(outdated_, 1);
    case Exchanged::kNoRoom: return add(no_room_, 1);
  }
}

// To the home worker, which counts the task as done.
void MemoryPacker::post(Task task) {
  home_.load(std::memory_order_acquire)->post([this, task = std::move(task)]() mutable {
    task();
    pending_.fetch_sub(1, std::memory_order_relaxed);
  });
}

void MemoryPacker::add_since(Counter& counter, MonoTime begun) const {
  add(counter, static_cast<std::uint64_t>(std::chrono::nanoseconds(clock_.mono_now() - begun).count()));
}

PackStats MemoryPacker::stats() const {
  const auto get = [](const Counter& counter) { return counter.load(std::memory_order_relaxed); };
  return {.packed = get(packed_),
          .packed_raw_bytes = get(packed_raw_bytes_),
          .packed_bytes = get(packed_bytes_),
          .unpacked = get(unpacked_),
          .no_gain = get(no_gain_),
          .queue_full = get(queue_full_),
          .no_room = get(no_room_),
          .outdated = get(outdated_),
          .pack_ns = get(pack_ns_),
          .unpack_ns = get(unpack_ns_),
          .answers = get(answers_)};
}

}  // namespace seawall::cache
