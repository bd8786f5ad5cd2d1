#include "disk/groups.h"

namespace seawall::disk {
namespace {

// Places that are looked at for a label.
constexpr std::size_t kProbes = 256;

}  // namespace

Groups::Groups(std::span<const VolumeOptions> volumes) : used_(volumes.size() * kNumbers) {
  double whole = 0;
  for (const VolumeOptions& volume : volumes) whole += static_cast<double>(volume.capacity_bytes);
  parts_.reserve(volumes.size());
  for (const VolumeOptions& volume : volumes) parts_.push_back(static_cast<double>(volume.capacity_bytes) / whole);
}

std::uint16_t Groups::number_of(std::uint32_t label) {
  if (label == 0) return 0;
  for (std::size_t i = 0; i < kProbes; ++i) {
    const std::size_t at = (label + i) % kNumbers;
    if (at == 0) continue;
    std::uint32_t there = labels_[at].load(std::memory_order_relaxed);
    if (there == label) return static_cast<std::uint16_t>(at);
    if (there != 0) continue;
    if (labels_[at].compare_exchange_strong(there, label) || there == label) return static_cast<std::uint16_t>(at);
  }
  return 0;
}

void Groups::set_bounds(std::uint32_t label, GroupBounds bounds) {
  const std::uint16_t number = number_of(label);
  if (number == 0) return;
  guaranteed_[number].store(bounds.guaranteed_bytes, std::memory_order_relaxed);
  max_[number].store(bounds.max_bytes, std::memory_order_relaxed);
}

std::uint64_t Groups::max_bytes(std::size_t volume, std::uint16_t number) const {
  return part(volume, max_[number].load(std::memory_order_relaxed));
}

bool Groups::spares(std::size_t volume, std::uint16_t number, std::uint64_t bytes) const {
  const std::uint64_t guaranteed = guaranteed_[number].load(std::memory_order_relaxed);
  return guaranteed != 0 && used_bytes(volume, number) < part(volume, guaranteed) + bytes;
}

GroupUse Groups::use(std::uint32_t label) {
  const std::uint16_t number = number_of(label);
  GroupUse use;
  if (number == 0) return use;
  for (std::size_t volume = 0; volume < parts_.size(); ++volume) use.used_bytes += used_bytes(volume, number);
  use.bounds = {.guaranteed_bytes = guaranteed_[number].load(std::memory_order_relaxed),
                .max_bytes = max_[number].load(std::memory_order_relaxed)};
  use.evicted = evicted_[number].load(std::memory_order_relaxed);
  return use;
}

}  // namespace seawall::disk
