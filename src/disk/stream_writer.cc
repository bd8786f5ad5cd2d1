// A streamed body: cut into chunks on the caller's side, so that the writer's queue holds no more than is waiting.
#include <algorithm>
#include <utility>

#include "disk/tier_core.h"

namespace seawall::disk {

namespace {

class ChunkedWriter final : public StreamWriter {
 public:
  ChunkedWriter(std::shared_ptr<TierCore> core, Volume& volume, Meta meta)
      : core_(std::move(core)), volume_(volume), state_(std::make_shared<StreamState>()) {
    state_->put = core_->index().begin_stream(meta, volume.number());
    state_->meta = std::move(meta);
  }

  ~ChunkedWriter() override {
    on_written({});
    abandon();
  }

  void abandon() override {
    if (std::exchange(is_finished_, true)) return;
    state_->has_failed = true;
    part_.clear();
    core_->index().abandon(*state_->put);
    core_->counters().puts[static_cast<std::size_t>(PutStatus::kAborted)].fetch_add(1, std::memory_order_relaxed);
  }

  // Also where the writer hangs, and cannot say so.
  bool has_failed() const override { return state_->has_failed || state_->put->is_dead || !volume_.is_in_service(); }

  bool append(SliceChain slices) override {
    if (has_failed()) return false;
    for (Slice& slice : slices) {
      while (!slice.empty()) {
        const std::size_t n =
            static_cast<std::size_t>(std::min<std::uint64_t>(slice.size(), volume_.chunk_bytes() - part_bytes_));
        part_.push_back(slice.subslice(0, n));
        slice.remove_prefix(n);
        part_bytes_ += n;
        body_bytes_ += n;
        if (part_bytes_ == volume_.chunk_bytes() && !send_chunk()) return false;
      }
    }
    Groups& groups = core_->groups();
    if (body_bytes_ > core_->max_body_bytes() ||
        groups.exceeds(volume_.number(), groups.number_of(state_->meta.group), body_bytes_)) {
      state_->has_failed = true;
    }
    return !has_failed();
  }

  std::uint64_t sequence() const override { return state_->put->sequence; }

  Room room() const override {
    if (volume_.writer().has_room_for(volume_.chunk_bytes())) return Room::kNow;
    return body_bytes_ - part_bytes_ > state_->written_bytes ? Room::kLater : Room::kNone;
  }

  void finish(std::string head, std::uint32_t usable_until, Executor* executor, Done done) override {
    is_finished_ = true;
    const bool replaces = !has_failed() && head.size() <= kMaxHeadBytes && core_->index().finish_stream(*state_->put);
    auto report = [core = core_.get(), executor, replaces, done = std::move(done)](PutStatus status) mutable {
      core->counters().puts[static_cast<std::size_t>(status)].fetch_add(1, std::memory_order_relaxed);
      if (executor == nullptr || !done) return;
      auto answer = [status, executor, done = std::move(done)](bool durable) mutable {
        executor->post([done = std::move(done), status, durable]() mutable {
          done(PutResult{.status = status, .durable = durable});
        });
      };
      // What was there before may be there still.
      if (!replaces) return answer(false);
      core->when_durable(std::move(answer));
    };
    WriteOp op;
    op.kind = WriteOp::Kind::kFinish;
    op.put = state_->put;
    op.stream = state_;
    op.done = std::move(report);
    if (!replaces) {
      const bool replaced = state_->put->is_dead;
      state_->has_failed = true;
      core_->index().abandon(*state_->put);
      op.done(replaced ? PutStatus::kReplaced : PutStatus::kFailed);
      return;
    }
    op.meta = state_->meta;
    op.meta.usable_until = usable_until;
    op.head = std::move(head);
    op.body = std::move(part_);
    if (volume_.writer().submit(op)) return;
    core_->index().abandon(*state_->put);
    op.done(PutStatus::kClosed);
  }

  std::uint64_t written_bytes() const override { return state_->written_bytes; }

  void on_written(std::function<void()> callback) override {
    const MutexLock lock(state_->mutex);
    state_->on_written.swap(callback);
  }

  std::unique_ptr<BodyReader> read_back(std::uint64_t offset, MemoryBudget* budget, Executor& executor) override {
    return disk::read_back(core_, *state_, offset, budget, executor);
  }

 private:
  bool send_chunk() {
    WriteOp op;
    op.kind = WriteOp::Kind::kChunk;
    op.stream = state_;
    op.body = std::move(part_);
    part_.clear();
    part_bytes_ = 0;
    if (volume_.writer().submit(op)) return true;
    state_->has_failed = true;
    return false;
  }

  std::shared_ptr<TierCore> core_;
  Volume& volume_;
  std::shared_ptr<StreamState> state_;
  SliceChain part_;
  std::uint64_t part_bytes_ = 0;
  std::uint64_t body_bytes_ = 0;
  bool is_finished_ = false;  // or abandoned
};

}  // namespace

std::unique_ptr<StreamWriter> make_stream_writer(const std::shared_ptr<TierCore>& core, Volume& volume, Meta meta) {
  return std::make_unique<ChunkedWriter>(core, volume, std::move(meta));
}

}  // namespace seawall::disk
