// How fast a body comes, and how much of it is held: a window behind the slowest reader or, for a body that is kept on
// disk, behind what the disk has. Part of Fill.
#include <algorithm>
#include <utility>

#include "cache/disk_tier.h"
#include "fill/fill.h"
#include "fill/fill_table.h"

namespace seawall::fill {
namespace {

// Of one body, that the disk may be behind: a chunk that is being put together, one that waits, one that is written.
constexpr std::uint64_t kSpillBytes = std::uint64_t{4} << 20;
constexpr Millis kDiskCheck{1000};
constexpr std::size_t kFeedBytes = std::size_t{64} << 10;  // no more than a chunk has

}  // namespace

std::shared_ptr<cache::DiskStream> Fill::update_flow() {
  if (keeps_all_) return nullptr;
  std::uint64_t slowest = body_.size();
  for (const FillReader* reader : all_readers_) slowest = std::min(slowest, reader->offset());
  std::uint64_t most = table_.options().window_bytes;
  if (trims_to_disk_) {
    // Slower readers are not waited for, only the disk is.
    slowest = std::max(slowest, body_.size() - std::min(body_.size(), most));
    slowest = std::min(slowest, spill_->written_bytes());
    most = kSpillBytes;
  }
  body_.trim_to(slowest);
  const bool is_anyone_behind = slowest < body_.trimmed();
  std::shared_ptr<cache::DiskStream> unneeded = trims_to_disk_ || is_anyone_behind ? nullptr : std::move(spill_);
  const bool full = body_.size() - slowest > most;
  if (full == paused_ || !exchange_) return unneeded;
  paused_ = full;
  if (full) {
    exchange_->pause();
  } else {
    exchange_->resume();
  }
  return unneeded;
}

void Fill::schedule_flow_check() {
  if (flow_check_pending_.exchange(true, std::memory_order_acq_rel)) return;
  executor_.post([self = Ref<Fill>(this)] { self->check_flow(); });
}

void Fill::check_flow() {
  // Exchanged, so that what a reader did before it found the flag still set is seen below.
  flow_check_pending_.exchange(false, std::memory_order_acq_rel);
  feed_disk();
  if (!exchange_ && !spilling_) return;
  std::shared_ptr<cache::DiskStream> unneeded;
  {
    MutexLock lock(mutex_);
    if (has_head()) unneeded = update_flow();
  }
  cancel_if_unwanted();
}

void Fill::cancel_if_unwanted() {
  if (!exchange_ || keeping_ || completing_) return;
  // Before the head a shared fetch may still turn out worth keeping, and so may one that nobody was to read.
  const bool undecided = !has_head() && (request_.sharing == Sharing::kShared || request_.is_background);
  if (undecided) return;
  {
    MutexLock lock(mutex_);
    if (reader_count_ > 0) return;
  }
  fail({ErrorCode::kAborted, Side::kLocal});
}

// Of a 206: what players ask for with `bytes=0-`.
bool Fill::is_all_of_it() const {
  return content_range_ && content_range_->range && content_range_->complete_length &&
         content_range_->range->first == 0 && content_range_->range->size() == *content_range_->complete_length;
}

cache::Object::Init Fill::describe_spilled(const FillHead& head, std::uint16_t status) const {
  cache::Object::Init init = describe_body(head, status);
  if (status == 206) init.status = 200, init.reason.clear();
  describe(init);
  return init;
}

// From here on the body goes to disk. False: there is none, or it does not take it.
bool Fill::begin_spilling(const FillHead& head, std::uint16_t status) {
  cache::DiskTier* const disk = store_.disk();
  if (!disk || completing_ || (status == 206 && !is_all_of_it())) return false;
  if (head.body_bytes && *head.body_bytes > disk->max_body_bytes()) return false;
  cache::Object::Init init = describe_spilled(head, status);
  std::shared_ptr<cache::DiskStream> spill = disk->begin_stream(init);
  if (!spill) return false;
  spill->on_written([self = Ref<Fill>(this)] { self->schedule_flow_check(); });
  spilling_ = spill.get();
  watch_disk();
  MutexLock lock(mutex_);
  spill_ = std::move(spill);
  keeps_all_ = false;
  trims_to_disk_ = true;
  return true;
}

// What has failed, or hangs, may not say so.
void Fill::watch_disk() {
  executor_.timers().arm(disk_timer_, executor_.mono_now() + kDiskCheck);
}

// As much as it keeps up with.
void Fill::feed_disk() {
  if (!spilling_) return;
  using Room = disk::StreamWriter::Room;
  bool is_taken = !spilling_->has_failed();
  if (is_spilled_) {
    // Whoever comes must not wait for a disk that hangs.
    if (!is_taken) end_spilling(nullptr);
    return;
  }
  std::uint64_t size = 0;
  for (bool goes_on = is_taken; goes_on;) {
    const Room room = spilling_->room();
    const bool may_feed = room == Room::kNow && spilled_ - spilling_->written_bytes() < kSpillBytes;
    SliceChain next;
    {
      MutexLock lock(mutex_);
      if (may_feed) spilled_ += body_.read(spilled_, kFeedBytes, next);
      size = body_.size();
    }
    goes_on = !next.empty();
    is_taken = goes_on ? spilling_->append(std::move(next)) : room != Room::kNone || spilled_ == size;
    goes_on = goes_on && is_taken;
  }
  const bool is_whole = state() == FillState::kComplete;
  if (!is_taken) {
    if (is_whole) return end_spilling(nullptr);
    const bool is_too_large = spilled_ > store_.disk()->max_body_bytes();
    stop_keeping(is_too_large ? policy::Why::kResponseTooLarge : policy::Why::kStoreFull);
  } else if (is_whole && spilled_ == size) {
    finish_spilling(size);
  }
}

void Fill::finish_spilling(std::uint64_t body_bytes) {
  is_spilled_ = true;
  const bool is_contradictory = head_->response.status == 206 && body_bytes != *content_range_->complete_length;
  if (is_contradictory || is_outdated()) return end_spilling(nullptr);
  cache::Object::Init init = describe_spilled(*head_, head_->response.status);
  init.trailers = trailers();
  init.complete_length = body_bytes;
  spilling_->finish(std::move(init), executor_,
                    [self = Ref<Fill>(this)](const Ref<cache::Object>& stored) { self->end_spilling(stored); });
}

// Until now whoever came could join. `stored` may be null.
void Fill::end_spilling(const Ref<cache::Object>& stored) {
  // As in insert_unless_outdated().
  if (stored && is_outdated()) store_.erase(*stored);
  if (!self_) return;  // it was given up
  is_filled_ = stored != nullptr;
  stop_being_joined();
  end();
}

}  // namespace seawall::fill
