#include "cache/ghost.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace seawall::cache {
namespace {

constexpr std::size_t kMinRing = 64;
constexpr std::uint64_t kMaxBytes = (std::uint64_t{1} << 56) - 1;

}  // namespace

std::optional<std::uint8_t> Ghost::take(std::uint64_t hash) {
  const std::size_t slot = find_slot(hash);
  if (slot == kNone) return std::nullopt;
  const auto mark = static_cast<std::uint8_t>(ring_[table_[slot] - 1].mark);
  remove_slot(slot);
  return mark;
}

void Ghost::push(std::uint64_t hash, std::uint64_t bytes, std::uint8_t mark) {
  take(hash);
  if (tail_ - head_ == ring_.size()) rebuild();
  const std::uint64_t counted = std::clamp<std::uint64_t>(bytes, 1, kMaxBytes);
  Remembered& slot = ring_[position(tail_)];
  slot.hash = hash;
  slot.bytes = counted & kMaxBytes;
  slot.mark = mark;
  link(position(tail_));
  ++tail_;
  ++live_;
  bytes_ += counted;
  if (mark != 0) marked_bytes_ += counted;
}

void Ghost::trim(std::uint64_t max_bytes, std::size_t max_entries) {
  while (bytes_ > max_bytes || live_ > max_entries) {
    const Remembered& oldest = ring_[position(head_)];
    if (oldest.bytes != 0) remove_slot(find_slot(oldest.hash));
    ++head_;
  }
  if (ring_.size() > kMinRing && live_ < ring_.size() / 8) rebuild();
}

std::size_t Ghost::find_slot(std::uint64_t hash) const {
  if (table_.empty()) return kNone;
  for (std::size_t s = home(hash); table_[s] != 0; s = next(s)) {
    if (ring_[table_[s] - 1].hash == hash) return s;
  }
  return kNone;
}

void Ghost::link(std::size_t at) {
  std::size_t s = home(ring_[at].hash);
  while (table_[s] != 0) s = next(s);
  table_[s] = static_cast<std::uint32_t>(at + 1);
}

// Makes a hole of what the slot names, and closes the slot's gap in its probe sequence.
void Ghost::remove_slot(std::size_t gap) {
  Remembered& gone = ring_[table_[gap] - 1];
  bytes_ -= gone.bytes;
  if (gone.mark != 0) marked_bytes_ -= gone.bytes;
  --live_;
  gone.bytes = 0;
  for (std::size_t s = next(gap); table_[s] != 0; s = next(s)) {
    const std::size_t mask = table_.size() - 1;
    const std::size_t wanted = home(ring_[table_[s] - 1].hash);
    if (((s - wanted) & mask) >= ((s - gap) & mask)) {
      table_[gap] = table_[s];
      gap = s;
    }
  }
  table_[gap] = 0;
}

// Without holes, with room for as many again.
void Ghost::rebuild() {
  std::vector<Remembered> ring(std::max(kMinRing, std::bit_ceil(live_ * 2)));
  std::size_t n = 0;
  for (; head_ != tail_; ++head_) {
    const Remembered& r = ring_[position(head_)];
    if (r.bytes != 0) ring[n++] = r;
  }
  ring_ = std::move(ring);
  table_ = std::vector<std::uint32_t>(ring_.size() * 2, 0);
  head_ = 0;
  tail_ = n;
  for (std::size_t i = 0; i < n; ++i) link(i);
}

}  // namespace seawall::cache
