#include "disk/index.h"

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include "disk/bytes.h"

namespace seawall::disk {

namespace {

constexpr std::uint16_t kUsed = 1;
constexpr std::uint16_t kHasVariant = 2;
constexpr std::uint16_t kStreamed = 4;
constexpr unsigned kGroupShift = 16 - Groups::kBits;
constexpr std::uint64_t kSizeUnit = 512;
// Nodes of the maps with what the allocator adds, and their part of the table; the slack of lists.
constexpr std::int64_t kVariantBytes = 56;
constexpr std::int64_t kPendingBytes = 192;
constexpr std::int64_t kDeadBytes = 96;

std::uint64_t mix(std::uint64_t h) {
  h ^= h >> 33;
  h *= 0xff51afd7ed558ccdULL;
  h ^= h >> 33;
  h *= 0xc4ceb9fe1a85ec53ULL;
  return h ^ (h >> 33);
}

JournalEntry tombstone(std::uint64_t hash, std::optional<std::uint64_t> variant, std::uint64_t sequence) {
  JournalEntry e;
  e.kind = JournalKind::kTombstone;
  e.every_variant = !variant;
  e.hash = hash;
  e.variant = variant.value_or(0);
  e.sequence = sequence;
  return e;
}

std::uint64_t stored_bytes_of(std::uint32_t size) {
  return (size >> 8) * kSizeUnit;
}

std::uint64_t group_bytes_of(std::uint32_t size, std::uint16_t flags) {
  const bool is_streamed = (flags & kStreamed) != 0;
  return stored_bytes_of(size) + (is_streamed ? body_class_bytes(static_cast<std::uint8_t>(size & 0xff)) : 0);
}

}  // namespace

Index::Shard& Index::shard_of(std::uint64_t hash) const {
  return shards_[mix(hash) >> 58];
}

std::size_t Index::home(const Shard& s, std::uint64_t hash) {
  // The shard took the upper bits; these are spread over any table size without a division.
  const std::uint64_t low = mix(hash) << 6 >> 32;
  return static_cast<std::size_t>((low * s.slots.size()) >> 32);
}

std::size_t Index::next(const Shard& s, std::size_t at) {
  return at + 1 == s.slots.size() ? 0 : at + 1;
}

std::size_t Index::locate(const Shard& s, std::uint64_t hash, std::uint64_t sequence) {
  if (s.slots.empty()) return kNone;
  for (std::size_t at = home(s, hash); s.slots[at].sequence != 0; at = next(s, at)) {
    if (s.slots[at].sequence == sequence && s.slots[at].hash == hash) return at;
  }
  return kNone;
}

std::uint64_t Index::variant_at(const Shard& s, std::size_t at) {
  const Slot& slot = s.slots[at];
  return (slot.flags & kHasVariant) != 0 ? s.variants.at(slot.sequence) : 0;
}

std::size_t Index::locate_variant(const Shard& s, std::uint64_t hash, std::uint64_t variant) {
  if (s.slots.empty()) return kNone;
  for (std::size_t at = home(s, hash); s.slots[at].sequence != 0; at = next(s, at)) {
    if (s.slots[at].hash == hash && variant_at(s, at) == variant) return at;
  }
  return kNone;
}

Entry Index::entry_at(const Shard& s, std::size_t at) const {
  const Slot& slot = s.slots[at];
  Entry e;
  e.hash = slot.hash;
  e.sequence = slot.sequence;
  e.offset = std::uint64_t{slot.offset} * kRecordAlign;
  e.stored_bytes = static_cast<std::uint32_t>(stored_bytes_of(slot.size));
  e.usable_until = slot.usable_until;
  e.kind = (slot.flags & kStreamed) != 0 ? RecordKind::kFinal : RecordKind::kWhole;
  e.body_class = static_cast<std::uint8_t>(slot.size & 0xff);
  e.variant = variant_at(s, at);
  e.group = groups_.label_of(slot.flags >> kGroupShift);
  return e;
}

void Index::resize(Shard& s, std::size_t slots) {
  std::vector<Slot> old = std::move(s.slots);
  s.slots.assign(slots, Slot{});
  for (const Slot& slot : old) {
    if (slot.sequence == 0) continue;
    std::size_t at = home(s, slot.hash);
    while (s.slots[at].sequence != 0) at = next(s, at);
    s.slots[at] = slot;
  }
  occupy(static_cast<std::int64_t>((slots - old.size()) * sizeof(Slot)));
}

void Index::occupy(std::int64_t bytes) {
  const auto more = static_cast<std::uint64_t>(bytes);  // wraps as it should
  bytes_.fetch_add(more, std::memory_order_relaxed);
  if (budget_ != nullptr) budget_->charge(more);
}

void Index::add_dead(Shard& s, std::uint64_t hash, Dead dead) {
  s.dead[hash].push_back(dead);
  occupy(kDeadBytes);
}

void Index::insert(Shard& s, const Entry& e, std::uint16_t segment) {
  // In steps of a quarter: half the room of doubling, for one more move of each slot.
  if ((s.used + 1) * 8 > s.slots.size() * 7) resize(s, std::max<std::size_t>(32, s.slots.size() + s.slots.size() / 4));
  std::size_t at = home(s, e.hash);
  while (s.slots[at].sequence != 0) at = next(s, at);
  Slot& slot = s.slots[at];
  slot.hash = e.hash;
  slot.sequence = e.sequence;
  slot.offset = static_cast<std::uint32_t>(e.offset / kRecordAlign);
  slot.size = static_cast<std::uint32_t>(round_up(e.stored_bytes, kSizeUnit) / kSizeUnit) << 8 | e.body_class;
  slot.usable_until = e.usable_until;
  slot.segment = segment;
  const std::uint16_t group = groups_.number_of(e.group);
  slot.flags = static_cast<std::uint16_t>(group << kGroupShift | (e.kind == RecordKind::kFinal ? kStreamed : 0));
  groups_.add(volume_of(segment), group, group_bytes_of(slot.size, slot.flags));
  if (e.variant != 0) {
    slot.flags |= kHasVariant;
    s.variants[e.sequence] = e.variant;
    occupy(kVariantBytes);
  }
  ++s.used;
  size_.fetch_add(1, std::memory_order_relaxed);
  by_volume_[volume_of(segment)].fetch_add(1, std::memory_order_relaxed);
}

void Index::remove(Shard& s, std::size_t at) {
  if ((s.slots[at].flags & kHasVariant) != 0) {
    s.variants.erase(s.slots[at].sequence);
    occupy(-kVariantBytes);
  }
  const std::size_t volume = volume_of(s.slots[at].segment);
  groups_.remove(volume, s.slots[at].flags >> kGroupShift, group_bytes_of(s.slots[at].size, s.slots[at].flags));
  by_volume_[volume].fetch_sub(1, std::memory_order_relaxed);
  size_.fetch_sub(1, std::memory_order_relaxed);
  --s.used;
  // What probed past the hole moves into it, so that there are no markers of the deleted.
  const std::size_t n = s.slots.size();
  std::size_t hole = at;
  for (std::size_t i = next(s, at); s.slots[i].sequence != 0; i = next(s, i)) {
    const std::size_t from_home = (i + n - home(s, s.slots[i].hash)) % n;
    if (from_home >= (i + n - hole) % n) {
      s.slots[hole] = s.slots[i];
      hole = i;
    }
  }
  s.slots[hole].sequence = 0;
}

void Index::start(std::uint64_t next_sequence, std::uint32_t loading_volumes,
                  std::span<const JournalEntry> tombstones) {
  next_sequence_ = next_sequence;
  loading_ = loading_volumes;
  for (const JournalEntry& t : tombstones) {
    Shard& s = shard_of(t.hash);
    const MutexLock lock(s.mutex);
    add_dead(s, t.hash, {.variant = t.variant, .sequence = t.sequence, .every_variant = t.every_variant});
  }
}

std::vector<Candidate> Index::find(std::uint64_t hash, std::uint32_t now) const {
  std::vector<Candidate> found;
  const Shard& s = shard_of(hash);
  {
    const MutexLock lock(s.mutex);
    if (s.slots.empty()) return found;
    for (std::size_t at = home(s, hash); s.slots[at].sequence != 0; at = next(s, at)) {
      const Slot& slot = s.slots[at];
      if (slot.hash != hash || slot.usable_until <= now) continue;
      found.push_back({.hash = hash,
                       .variant = variant_at(s, at),
                       .sequence = slot.sequence,
                       .usable_until = slot.usable_until,
                       .body_bytes_max = body_class_bytes(static_cast<std::uint8_t>(slot.size & 0xff)),
                       .stored_bytes = stored_bytes_of(slot.size),
                       .segment_slot = slot.segment,
                       .offset = slot.offset});
    }
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.sequence > b.sequence; });
  return found;
}

std::optional<Place> Index::place_of(std::uint64_t hash, std::uint64_t sequence) const {
  const Shard& s = shard_of(hash);
  const MutexLock lock(s.mutex);
  const std::size_t at = locate(s, hash, sequence);
  if (at == kNone) return std::nullopt;
  const Slot& slot = s.slots[at];
  return Place{.slot = slot.segment,
               .offset = std::uint64_t{slot.offset} * kRecordAlign,
               .stored_bytes = stored_bytes_of(slot.size)};
}

void Index::mark_used(std::uint64_t hash, std::uint64_t sequence) {
  Shard& s = shard_of(hash);
  const MutexLock lock(s.mutex);
  if (const std::size_t at = locate(s, hash, sequence); at != kNone) s.slots[at].flags |= kUsed;
}

std::uint64_t Index::group_bytes(const Entry& e) {
  return round_up(e.stored_bytes, kSizeUnit) + (e.kind == RecordKind::kFinal ? body_class_bytes(e.body_class) : 0);
}

std::optional<Index::Standing> Index::standing(std::uint64_t hash, std::uint64_t sequence, std::uint16_t slot) const {
  const Shard& s = shard_of(hash);
  const MutexLock lock(s.mutex);
  const std::size_t at = locate(s, hash, sequence);
  if (at == kNone || s.slots[at].segment != slot) return std::nullopt;
  const Slot& found = s.slots[at];
  return Standing{.is_used = (found.flags & kUsed) != 0,
                  .group = static_cast<std::uint16_t>(found.flags >> kGroupShift),
                  .bytes = group_bytes_of(found.size, found.flags)};
}

void Index::bury_at(const Shard& s, std::size_t at, std::uint64_t sequence) {
  undertaker_.bury(volume_of(s.slots[at].segment), tombstone(s.slots[at].hash, variant_at(s, at), sequence));
}

void Index::kill(Shard& s, std::uint64_t hash, std::optional<std::uint64_t> variant, std::uint64_t sequence,
                 const std::function<void(std::uint64_t variant, std::uint32_t usable_until)>& each) {
  std::uint32_t volumes = loading_.load();
  if (volumes != 0) {
    add_dead(s, hash, {.variant = variant.value_or(0), .sequence = sequence, .every_variant = !variant});
  }
  if (const auto waiting = s.pending.find(hash); waiting != s.pending.end()) {
    for (const auto& put : waiting->second) {
      if (put->sequence >= sequence || (variant && put->variant != *variant) || put->is_dead) continue;
      // It may be half way to the disk.
      put->is_dead = true;
      volumes |= 1U << put->volume;
      if (each) each(put->variant, std::numeric_limits<std::uint32_t>::max());
    }
  }
  for (bool again = !s.slots.empty(); again;) {
    again = false;
    for (std::size_t at = home(s, hash); s.slots[at].sequence != 0; at = next(s, at)) {
      const Slot& slot = s.slots[at];
      if (slot.hash != hash || slot.sequence >= sequence || (variant && variant_at(s, at) != *variant)) continue;
      volumes |= 1U << volume_of(slot.segment);
      if (each) each(variant_at(s, at), slot.usable_until);
      remove(s, at);  // moves others about
      again = true;
      break;
    }
  }
  for (std::size_t v = 0; volumes != 0; ++v, volumes >>= 1) {
    if ((volumes & 1) != 0) undertaker_.bury(v, tombstone(hash, variant, sequence));
  }
}

std::shared_ptr<PendingPut> Index::draw(Shard& s, const Meta& meta, std::size_t volume) {
  auto put = std::make_shared<PendingPut>();
  put->hash = meta.hash;
  put->variant = meta.variant;
  put->purge_epoch = meta.purge_epoch;
  put->volume = volume;
  put->sequence = next_sequence_.fetch_add(1);
  s.pending[meta.hash].push_back(put);
  occupy(kPendingBytes);
  return put;
}

std::shared_ptr<PendingPut> Index::begin_put(const Meta& meta, std::size_t volume) {
  Shard& s = shard_of(meta.hash);
  const MutexLock lock(s.mutex);
  auto put = draw(s, meta, volume);
  kill(s, meta.hash, meta.variant, put->sequence);
  return put;
}

std::shared_ptr<PendingPut> Index::begin_stream(const Meta& meta, std::size_t volume) {
  Shard& s = shard_of(meta.hash);
  const MutexLock lock(s.mutex);
  return draw(s, meta, volume);
}

bool Index::finish_stream(const PendingPut& put) {
  Shard& s = shard_of(put.hash);
  const MutexLock lock(s.mutex);
  if (put.is_dead) return false;
  kill(s, put.hash, put.variant, put.sequence);
  return true;
}

void Index::unregister(Shard& s, const PendingPut& put) {
  const auto waiting = s.pending.find(put.hash);
  if (waiting == s.pending.end()) return;
  occupy(-kPendingBytes *
         static_cast<std::int64_t>(std::erase_if(waiting->second, [&](const auto& p) { return p.get() == &put; })));
  if (waiting->second.empty()) s.pending.erase(waiting);
}

bool Index::settle(const PendingPut& put, const Entry& entry, std::uint16_t slot) {
  Shard& s = shard_of(put.hash);
  const MutexLock lock(s.mutex);
  const bool is_alive = !put.is_dead;
  if (is_alive) insert(s, entry, slot);
  // Only now: the floor that the journal keeps tombstones for counts it until then.
  unregister(s, put);
  return is_alive;
}

void Index::abandon(const PendingPut& put) {
  Shard& s = shard_of(put.hash);
  const MutexLock lock(s.mutex);
  unregister(s, put);
}

std::size_t Index::erase(std::uint64_t hash, std::optional<std::uint64_t> variant, std::uint32_t now) {
  std::set<std::uint64_t> erased;
  Shard& s = shard_of(hash);
  const MutexLock lock(s.mutex);
  kill(s, hash, variant, next_sequence_.fetch_add(1), [&](std::uint64_t killed, std::uint32_t usable_until) {
    if (usable_until > now) erased.insert(killed);
  });
  return erased.size();
}

bool Index::forget(std::uint64_t hash, std::uint64_t sequence) {
  Shard& s = shard_of(hash);
  const MutexLock lock(s.mutex);
  const std::size_t at = locate(s, hash, sequence);
  // A number of its own, so that a copy on its way to another segment is covered too.
  if (at == kNone) return false;
  kill(s, hash, variant_at(s, at), next_sequence_.fetch_add(1));
  return true;
}

std::optional<std::uint64_t> Index::renumber(std::uint64_t hash, std::uint64_t sequence, std::uint16_t slot) {
  Shard& s = shard_of(hash);
  const MutexLock lock(s.mutex);
  const std::size_t at = locate(s, hash, sequence);
  if (at == kNone || s.slots[at].segment != slot) return std::nullopt;
  // A stream has drawn its number already, and what is to be replaced by it must not become the younger of the two.
  if (const auto waiting = s.pending.find(hash); waiting != s.pending.end()) {
    const std::uint64_t variant = variant_at(s, at);
    const auto replaces = [variant](const auto& put) { return put->variant == variant && !put->is_dead; };
    if (std::ranges::any_of(waiting->second, replaces)) return std::nullopt;
  }
  return next_sequence_.fetch_add(1);
}

bool Index::move(std::uint64_t old_sequence, const Entry& entry, std::uint16_t slot) {
  Shard& s = shard_of(entry.hash);
  const MutexLock lock(s.mutex);
  const std::size_t at = locate(s, entry.hash, old_sequence);
  if (at == kNone) return false;
  remove(s, at);
  insert(s, entry, slot);
  return true;
}

void Index::reserve(std::size_t records) {
  for (Shard& s : shards_) {
    const MutexLock lock(s.mutex);
    // Some shards get more than their share.
    const std::size_t wanted = (s.used + records / kShards + records / kShards / 32 + 64) * 8 / 7;
    if (wanted > s.slots.size()) resize(s, wanted);
  }
}

bool Index::load(const Entry& entry, std::uint16_t slot) {
  Shard& s = shard_of(entry.hash);
  const MutexLock lock(s.mutex);
  if (const auto dead = s.dead.find(entry.hash); dead != s.dead.end()) {
    for (const Dead& d : dead->second) {
      if (d.sequence > entry.sequence && (d.every_variant || d.variant == entry.variant)) return false;
    }
  }
  // Two that nobody was told about: the younger stays, and the other is buried, lest it come back without it.
  if (const std::size_t at = locate_variant(s, entry.hash, entry.variant); at != kNone) {
    const std::uint64_t other = s.slots[at].sequence;
    if (other == entry.sequence) return false;
    if (other > entry.sequence) {
      undertaker_.bury(volume_of(slot), tombstone(entry.hash, entry.variant, other));
      return false;
    }
    bury_at(s, at, entry.sequence);
    remove(s, at);
  }
  insert(s, entry, slot);
  return true;
}

void Index::loaded(std::size_t volume) {
  if ((loading_.fetch_and(~(1U << volume)) & ~(1U << volume)) != 0) return;
  for (Shard& s : shards_) {
    std::unordered_map<std::uint64_t, std::vector<Dead>> dead;
    {
      const MutexLock lock(s.mutex);
      dead.swap(s.dead);
    }
    for (const auto& [hash, list] : dead) occupy(-kDeadBytes * static_cast<std::int64_t>(list.size()));
  }
  const std::scoped_lock lock(loaded_mutex_);
  loaded_.notify_all();
}

bool Index::await_loaded(std::chrono::milliseconds limit) {
  std::unique_lock lock(loaded_mutex_);
  return loaded_.wait_for(lock, limit, [this] { return !is_loading(); });
}

template <typename Matches>
std::size_t Index::drop_if(Shard& s, Matches matches) {
  std::size_t dropped = 0;
  for (std::size_t at = 0; at < s.slots.size();) {
    if (s.slots[at].sequence != 0 && matches(s.slots[at])) {
      remove(s, at);  // and look here again: another may have moved in
      ++dropped;
    } else {
      ++at;
    }
  }
  return dropped;
}

std::size_t Index::drop_segment(std::uint16_t slot, const std::vector<Entry>* known) {
  std::size_t dropped = 0;
  if (known == nullptr) {
    for (Shard& s : shards_) {
      const MutexLock lock(s.mutex);
      dropped += drop_if(s, [slot](const Slot& x) { return x.segment == slot; });
    }
    return dropped;
  }
  for (const Entry& e : *known) {
    Shard& s = shard_of(e.hash);
    const MutexLock lock(s.mutex);
    const std::size_t at = locate(s, e.hash, e.sequence);
    if (at == kNone || s.slots[at].segment != slot) continue;
    remove(s, at);
    ++dropped;
  }
  return dropped;
}

std::size_t Index::drop_volume(std::size_t volume) {
  std::size_t dropped = 0;
  for (Shard& s : shards_) {
    const MutexLock lock(s.mutex);
    dropped += drop_if(s, [volume](const Slot& x) { return volume_of(x.segment) == volume; });
  }
  return dropped;
}

void Index::collect(std::size_t volume, const std::function<void(std::uint16_t slot, const Entry&)>& each) const {
  for (const Shard& s : shards_) {
    const MutexLock lock(s.mutex);
    for (std::size_t at = 0; at < s.slots.size(); ++at) {
      const Slot& slot = s.slots[at];
      if (slot.sequence != 0 && volume_of(slot.segment) == volume) each(slot.segment, entry_at(s, at));
    }
  }
}

std::pair<std::uint64_t, std::uint64_t> Index::pending_floor() const {
  std::pair<std::uint64_t, std::uint64_t> floor{~std::uint64_t{0}, ~std::uint64_t{0}};
  for (const Shard& s : shards_) {
    const MutexLock lock(s.mutex);
    for (const auto& [hash, puts] : s.pending) {
      for (const auto& put : puts) {
        floor.first = std::min(floor.first, put->sequence);
        floor.second = std::min(floor.second, put->purge_epoch);
      }
    }
  }
  return floor;
}

}  // namespace seawall::disk
