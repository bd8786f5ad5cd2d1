#include "cache/body_cursor.h"

#include <algorithm>
#include <utility>

namespace seawall::cache {

BodySource::Outcome BodyCursor::read(std::size_t most, SliceChain& out) {
  if (has_failed_) return Outcome::kFailed;
  if (is_waiting_) return Outcome::kNothingYet;
  if (ready_.empty()) {
    if (offset_ == end_) return Outcome::kEnd;
    is_waiting_ = true;
    const auto bytes = static_cast<std::size_t>(std::min<std::uint64_t>(most, end_ - offset_));
    reader_->read(offset_, bytes,
                  [this](disk::ReadStatus status, SliceChain data) { arrive(status, std::move(data)); });
    return Outcome::kNothingYet;
  }
  std::size_t taken = 0;
  while (taken < ready_.size() && most > 0) {
    Slice& slice = ready_[taken];
    const std::size_t n = std::min(most, slice.size());
    out.push_back(slice.subslice(0, n));
    slice.remove_prefix(n);
    offset_ += n;
    most -= n;
    if (slice.empty()) ++taken;
  }
  ready_.erase(ready_.begin(), ready_.begin() + static_cast<std::ptrdiff_t>(taken));
  return Outcome::kBytes;
}

void BodyCursor::arrive(disk::ReadStatus status, SliceChain bytes) {
  is_waiting_ = false;
  has_failed_ = status != disk::ReadStatus::kOk;
  ready_ = std::move(bytes);
  const std::function<void()> on_progress = on_progress_;  // the call may end this
  on_progress();
}

}  // namespace seawall::cache
