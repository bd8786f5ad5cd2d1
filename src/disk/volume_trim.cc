// How a volume's writer keeps groups within their maximum: their oldest records go, as if they had been erased.
#include <algorithm>
#include <iterator>
#include <vector>

#include "disk/volume.h"

namespace seawall::disk {
namespace {

// What is trimmed is trimmed by that part of the maximum more, for each time takes the reading of a footer.
constexpr std::uint64_t kSlackDivisor = 16;

std::uint64_t trimmed_bytes(std::uint64_t max_bytes) {
  return max_bytes - max_bytes / kSlackDivisor;
}

}  // namespace

bool VolumeWriter::make_group_room(std::uint16_t group, std::uint64_t bytes, std::uint64_t end) {
  const Groups& groups = volume_.context().groups;
  const std::size_t volume = volume_.number();
  const auto has_room = [&] { return !groups.exceeds(volume, group, groups.used_bytes(volume, group) + bytes); };
  if (has_room()) return true;
  const std::uint64_t target = trimmed_bytes(groups.max_bytes(volume, group));
  trim_to(group, target - std::min(target, bytes), end);
  return has_room();
}

void VolumeWriter::trim_to(std::uint16_t group, std::uint64_t target_bytes, std::uint64_t end) {
  struct Aged {
    std::uint64_t offset;
    std::uint64_t hash;
    std::uint64_t sequence;
  };
  Groups& groups = volume_.context().groups;
  const std::uint32_t label = groups.label_of(group);
  const auto is_enough = [&] { return groups.used_bytes(volume_.number(), group) <= target_bytes; };
  Trimmed& trimmed = trimmed_[group];
  while (!is_enough()) {
    const auto segment = volume_.segments().find_from(trimmed.segment_id);
    if (!segment) return;
    if (segment->id != trimmed.segment_id) trimmed = {.segment_id = segment->id};
    const bool is_open = segment == open_;
    std::vector<Aged> oldest;
    const auto take = [&](const std::vector<Entry>& entries) {
      for (const Entry& e : entries) {
        if (e.group != label || e.offset < trimmed.offset || (is_open && e.offset >= end)) continue;
        oldest.push_back({.offset = e.offset, .hash = e.hash, .sequence = e.sequence});
      }
    };
    if (is_open) {
      take(entries_);
    } else if (const auto entries = read_entries(*segment)) {
      take(*entries);
    }
    std::ranges::sort(oldest, {}, &Aged::offset);
    for (const Aged& record : oldest) {
      if (is_enough()) return;
      trimmed.offset = record.offset + 1;
      if (volume_.context().index.forget(record.hash, record.sequence)) groups.count_evicted(group);
    }
    if (is_open) return;
    trimmed = {.segment_id = segment->id + 1};
  }
}

// Of each group that is past a lowered maximum, a segment's worth. Whether there is more.
bool VolumeWriter::trim_some() {
  const Groups& groups = volume_.context().groups;
  const std::size_t volume = volume_.number();
  bool has_more = false;
  for (std::size_t n = 1; n < Groups::kNumbers; ++n) {
    const auto group = static_cast<std::uint16_t>(n);
    if (!groups.is_over_max(volume, group)) continue;
    const std::uint64_t used = groups.used_bytes(volume, group);
    const std::uint64_t step = used - std::min(used, volume_.segment_bytes());
    trim_to(group, std::max(step, trimmed_bytes(groups.max_bytes(volume, group))),
            open_ ? open_->settled_bytes.load() : 0);
    has_more |= groups.used_bytes(volume, group) < used && groups.is_over_max(volume, group);
  }
  return has_more;
}

}  // namespace seawall::disk
