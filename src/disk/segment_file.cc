#include "disk/segment_file.h"

#include <algorithm>
#include <charconv>

namespace seawall::disk {

bool SegmentTable::add(const std::shared_ptr<SegmentFile>& segment) {
  const MutexLock lock(mutex_);
  std::size_t n = 0;
  while (n < by_slot_.size() && by_slot_[n]) ++n;
  if (n == kMaxSegments) return false;
  if (n == by_slot_.size()) by_slot_.emplace_back();
  by_slot_[n] = segment;
  segment->slot = static_cast<std::uint16_t>(volume_ << kSlotBits | n);
  segment->pinned_bytes = pinned_bytes_;
  by_id_[segment->id] = segment;
  return true;
}

void SegmentTable::remove(const SegmentFile& segment) {
  std::shared_ptr<SegmentFile> last;  // closes the file outside of the lock
  const MutexLock lock(mutex_);
  last = by_slot_[segment.slot % kMaxSegments];
  by_slot_[segment.slot % kMaxSegments].reset();
  by_id_.erase(segment.id);
}

std::vector<std::shared_ptr<SegmentFile>> SegmentTable::take_all() {
  std::vector<std::shared_ptr<SegmentFile>> all;
  const MutexLock lock(mutex_);
  all.reserve(by_id_.size());
  for (auto& [id, segment] : by_id_) all.push_back(std::move(segment));
  by_id_.clear();
  by_slot_.clear();
  return all;
}

std::shared_ptr<SegmentFile> SegmentTable::find(std::uint16_t slot) const {
  const MutexLock lock(mutex_);
  const std::size_t n = slot % kMaxSegments;
  return n < by_slot_.size() ? by_slot_[n] : nullptr;
}

std::shared_ptr<SegmentFile> SegmentTable::find_id(std::uint64_t id) const {
  const MutexLock lock(mutex_);
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second;
}

std::shared_ptr<SegmentFile> SegmentTable::find_from(std::uint64_t id) const {
  const MutexLock lock(mutex_);
  const auto found = by_id_.lower_bound(id);
  return found == by_id_.end() ? nullptr : found->second;
}

std::shared_ptr<SegmentFile> SegmentTable::oldest_sealed() const {
  const MutexLock lock(mutex_);
  for (const auto& [id, segment] : by_id_) {
    if (segment->is_sealed) return segment;
  }
  return nullptr;
}

std::vector<std::shared_ptr<SegmentFile>> SegmentTable::all() const {
  std::vector<std::shared_ptr<SegmentFile>> all;
  const MutexLock lock(mutex_);
  all.reserve(by_id_.size());
  for (const auto& [id, segment] : by_id_) all.push_back(segment);
  return all;
}

std::uint64_t SegmentTable::bytes() const {
  std::uint64_t n = 0;
  const MutexLock lock(mutex_);
  for (const auto& [id, segment] : by_id_) n += segment->bytes.load(std::memory_order_relaxed);
  return n;
}

std::pair<std::uint64_t, std::uint64_t> SegmentTable::floor() const {
  std::pair<std::uint64_t, std::uint64_t> floor{~std::uint64_t{0}, ~std::uint64_t{0}};
  const MutexLock lock(mutex_);
  for (const auto& [id, segment] : by_id_) {
    floor.first = std::min(floor.first, segment->min_sequence.load());
    floor.second = std::min(floor.second, segment->min_epoch.load());
  }
  return floor;
}

std::string segment_name(std::uint64_t id) {
  char digits[16];
  const auto [end, error] = std::to_chars(digits, digits + 16, id, 16);
  const std::size_t n = static_cast<std::size_t>(end - digits);
  return "segment-" + std::string(16 - n, '0') + std::string(digits, n);
}

std::uint64_t segment_id(const std::string& name) {
  constexpr std::string_view kPrefix = "segment-";
  std::uint64_t id = 0;
  if (!name.starts_with(kPrefix) || name.size() != kPrefix.size() + 16) return 0;
  const char* end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + kPrefix.size(), end, id, 16);
  return error == std::errc() && stop == end ? id : 0;
}

}  // namespace seawall::disk
