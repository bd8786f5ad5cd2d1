#include <algorithm>
#include <utility>

#include "fill/fill.h"

namespace seawall::fill {

FillReader::FillReader(Ref<Fill> fill, Executor& executor, std::function<void()> on_progress)
    : fill_(std::move(fill)), executor_(executor), on_progress_(std::move(on_progress)) {
  Fill::WorkerReaders& here = fill_->workers_[executor_.worker_id()];
  here.readers.push_back(this);
  MutexLock lock(fill_->mutex_);
  if (!here.executor) here.executor = &executor_;
  here.has_readers.store(true, std::memory_order_release);
  fill_->all_readers_.push_back(this);
  ++fill_->reader_count_;
}

FillReader::~FillReader() {
  Fill::WorkerReaders& here = fill_->workers_[executor_.worker_id()];
  const auto at = std::ranges::find(here.readers, this);
  if (here.is_running) {
    *at = nullptr;
  } else {
    here.readers.erase(at);
    if (here.readers.empty()) here.has_readers.store(false, std::memory_order_release);
  }
  {
    MutexLock lock(fill_->mutex_);
    std::erase(fill_->all_readers_, this);
    --fill_->reader_count_;
  }
  const FillState state = fill_->state();
  if (state == FillState::kWaiting || state == FillState::kStreaming) fill_->schedule_flow_check();
}

void FillReader::skip_to(std::uint64_t offset) {
  offset_.store(offset, std::memory_order_relaxed);
}

bool FillReader::has_missed_bytes() const {
  MutexLock lock(fill_->mutex_);
  return has_missed(offset());
}

bool FillReader::has_missed(std::uint64_t offset) const {
  const std::uint64_t trimmed = fill_->body_.trimmed();
  return offset < trimmed && !(fill_->spill_ && trimmed <= fill_->spill_->written_bytes());
}

FillReader::Outcome FillReader::read(std::size_t max_bytes, SliceChain& out) {
  std::size_t n = 0;
  bool may_flow = false;
  std::shared_ptr<const cache::DiskStream> spill;
  {
    MutexLock lock(fill_->mutex_);
    const std::uint64_t at = offset();
    if (at < fill_->body_.trimmed()) {
      if (has_missed(at)) return Outcome::kFailed;
      spill = fill_->spill_;
    } else if (at >= fill_->body_.size()) {
      switch (fill_->state()) {
        case FillState::kComplete: return at == fill_->body_.size() ? Outcome::kEnd : Outcome::kFailed;
        case FillState::kFailed: return Outcome::kFailed;
        case FillState::kWaiting:
        case FillState::kStreaming: return Outcome::kNothingYet;
      }
    } else {
      n = fill_->body_.read(at, max_bytes, out);
      offset_.store(at + n, std::memory_order_relaxed);
      may_flow = !fill_->keeps_all_;
    }
  }
  if (spill) return read_back(*spill, max_bytes, out);
  behind_.reset();
  if (may_flow && fill_->state() == FillState::kStreaming) fill_->schedule_flow_check();
  return Outcome::kBytes;
}

// What memory has let go.
FillReader::Outcome FillReader::read_back(const cache::DiskStream& spill, std::size_t max_bytes, SliceChain& out) {
  // A cursor has an end, and there is more by the time that it is reached.
  for (;;) {
    if (!behind_) behind_ = spill.read_back(offset(), executor_, on_progress_);
    const std::size_t before = out.size();
    switch (behind_->read(max_bytes, out)) {
      case cache::BodySource::Outcome::kBytes:
        for (std::size_t i = before; i < out.size(); ++i) offset_ += out[i].size();
        if (fill_->state() == FillState::kStreaming) fill_->schedule_flow_check();
        return Outcome::kBytes;
      case cache::BodySource::Outcome::kNothingYet: return Outcome::kNothingYet;
      case cache::BodySource::Outcome::kFailed: return Outcome::kFailed;
      case cache::BodySource::Outcome::kEnd: behind_.reset(); break;
    }
  }
}

}  // namespace seawall::fill
