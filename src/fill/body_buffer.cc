#include "fill/body_buffer.h"

#include <algorithm>
#include <iterator>

#include "base/check.h"

namespace seawall::fill {
namespace {

constexpr std::size_t kSmallestSegment = std::size_t{4} * 1024;
constexpr std::size_t kLargestSegment = std::size_t{256} * 1024;
// Up to here a body is worth a copy that puts it into one exact segment: one iovec a hit, no slack.
constexpr std::uint64_t kCompactBelow = std::uint64_t{128} * 1024;

}  // namespace

std::size_t BodyBuffer::segment_bytes(std::size_t wanted) const {
  if (trimmed_ == 0 && expected_bytes_ && *expected_bytes_ > size_) {
    return static_cast<std::size_t>(std::min<std::uint64_t>(*expected_bytes_ - size_, kLargestSegment));
  }
  // Of a window's segments no byte is left unused: what a slow client holds of them is what counts against the budget.
  const auto grown =
      trimmed_ > 0 ? std::size_t{0} : static_cast<std::size_t>(std::min<std::uint64_t>(size_, kLargestSegment));
  return std::clamp(std::max(wanted, grown), kSmallestSegment, kLargestSegment);
}

std::size_t BodyBuffer::next_allocation(std::size_t bytes) const {
  const std::size_t room = tail_ ? tail_->capacity() - tail_->size() : 0;
  return bytes <= room ? 0 : segment_bytes(bytes - room);
}

void BodyBuffer::append(std::string_view bytes) {
  while (!bytes.empty()) {
    if (!tail_ || tail_->size() == tail_->capacity()) grow(segment_bytes(bytes.size()));
    const char* at = tail_->data() + tail_->size();
    const std::size_t n = tail_->append(bytes);
    if (!runs_.empty() && runs_.back().data() + runs_.back().size() == at && runs_.back().segment() == tail_) {
      runs_.back() = Slice(tail_, runs_.back().data(), runs_.back().size() + n);
    } else {
      runs_.push_back(Slice(tail_, at, n));
    }
    size_ += n;
    bytes.remove_prefix(n);
  }
}

void BodyBuffer::trim_to(std::uint64_t offset) {
  offset = std::min(offset, size_);
  while (!runs_.empty() && trimmed_ < offset) {
    Slice& front = runs_.front();
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(front.size(), offset - trimmed_));
    trimmed_ += n;
    if (n == front.size()) {
      drop_front();
    } else {
      front.remove_prefix(n);
    }
  }
  // A window that has drained gives its segment back, so that an idle stream pins next to nothing. A small one is
  // filled first: a slow client would hold a segment for each of many small pieces.
  if (runs_.empty() && tail_ && tail_->capacity() > kSmallestSegment) {
    in_flight_.subtract(tail_->charged_bytes());
    tail_ = nullptr;
  }
}

void BodyBuffer::grow(std::size_t bytes) {
  const bool is_used = !tail_ || (!runs_.empty() && runs_.back().segment() == tail_);
  if (!is_used) in_flight_.subtract(tail_->charged_bytes());
  tail_ = Segment::create(budget_, bytes);
  in_flight_.add(tail_->charged_bytes());
}

void BodyBuffer::drop_front() {
  const Slice front = std::move(runs_.front());
  runs_.pop_front();
  const bool is_used = front.segment() == tail_ || (!runs_.empty() && runs_.front().segment() == front.segment());
  if (!is_used) in_flight_.subtract(front.segment()->charged_bytes());
}

std::size_t BodyBuffer::read(std::uint64_t offset, std::size_t max_bytes, SliceChain& out) const {
  SW_DASSERT(offset >= trimmed_, "a reader fell behind the window");
  std::uint64_t at = trimmed_;
  std::size_t total = 0;
  for (const Slice& run : runs_) {
    if (total == max_bytes) break;
    const std::uint64_t end = at + run.size();
    if (end > offset) {
      const auto skip = static_cast<std::size_t>(offset - at);
      const std::size_t n = std::min(run.size() - skip, max_bytes - total);
      out.push_back(run.subslice(skip, n));
      total += n;
      offset += n;
    }
    at = end;
  }
  return total;
}

SliceChain BodyBuffer::take_compact() const {
  const bool has_slack = tail_ && tail_->capacity() - tail_->size() > tail_->size() / 8;
  const bool is_small = size_ <= kCompactBelow;
  if (size_ == 0 || (!has_slack && (!is_small || runs_.size() == 1))) return {runs_.begin(), runs_.end()};
  SliceChain kept;
  auto copied = runs_.begin();
  if (!is_small) {
    // Only the last segment is not full, of a body whose length nobody told.
    copied = std::prev(runs_.end());
    kept.assign(runs_.begin(), copied);
  }
  std::size_t bytes = 0;
  std::for_each(copied, runs_.end(), [&](const Slice& run) { bytes += run.size(); });
  Ref<Segment> exact = Segment::create(budget_, bytes);
  std::for_each(copied, runs_.end(), [&](const Slice& run) { exact->append(run.view()); });
  const char* data = exact->data();
  kept.push_back(Slice(std::move(exact), data, bytes));
  return kept;
}

}  // namespace seawall::fill
