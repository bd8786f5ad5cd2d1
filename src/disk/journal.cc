#include "disk/journal.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <iterator>
#include <map>
#include <tuple>

#include "base/rng.h"
#include "disk/bytes.h"

namespace seawall::disk {

namespace {

constexpr std::string_view kPrefix = "journal-";
constexpr std::string_view kNewJournal = "journal.new";
constexpr std::uint64_t kMostOfWanted = 4;  // a spare file that is larger is left for a smaller one
constexpr std::size_t kMaxFileBytes = std::size_t{1} << 31;
constexpr std::size_t kPayloadBytes = 256 << 10;  // of a block: a batch is cut into them
// Nobody waits until a tombstone that a replacing put leaves is on the device: a few share a sync.
constexpr std::chrono::milliseconds kGather{20};

// The blocks of `entries`, one after the other.
std::string encode_blocks_of(const std::vector<JournalEntry>& entries, std::uint64_t nonce, std::uint64_t& number) {
  std::string out;
  std::string payload;
  const auto close = [&] {
    if (payload.empty()) return;
    out += encode_journal_block(payload, nonce, ++number);
    payload.clear();
  };
  for (const JournalEntry& e : entries) {
    append_entry(payload, e);
    if (payload.size() >= kPayloadBytes) close();
  }
  close();
  return out;
}

// Of the tombstones of one key the youngest says all.
void drop_outdone(std::vector<JournalEntry>& entries) {
  std::map<std::tuple<std::uint64_t, std::uint64_t, bool>, std::uint64_t> youngest;
  const auto youngest_of = [&](const JournalEntry& e) -> std::uint64_t& {
    return youngest[{e.hash, e.variant, e.every_variant}];
  };
  for (const JournalEntry& e : entries) {
    if (e.kind == JournalKind::kTombstone) youngest_of(e) = std::max(youngest_of(e), e.sequence);
  }
  std::erase_if(
      entries, [&](const JournalEntry& e) { return e.kind == JournalKind::kTombstone && e.sequence < youngest_of(e); });
}

}  // namespace

std::uint64_t journal_generation(const std::string& name) {
  std::uint64_t generation = 0;
  if (!name.starts_with(kPrefix)) return 0;
  const char* end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + kPrefix.size(), end, generation, 16);
  return error == std::errc() && stop == end ? generation : 0;
}

FoundJournal read_journal(FileSystem& fs, const std::string& directory, const std::vector<std::string>& names,
                          std::uint64_t volume_id) {
  FoundJournal found;
  std::string newest;
  for (const std::string& name : names) {
    if (const auto g = journal_generation(name); g > found.generation) found.generation = g, newest = name;
  }
  if (newest.empty()) return found;
  const auto bytes = read_file(fs, directory + "/" + newest, kMaxFileBytes);
  if (!bytes || bytes->size() < kPageBytes) return found;
  const auto header = decode_journal_header(std::string_view(*bytes).substr(0, kPageBytes));
  if (!header || header->volume_id != volume_id) return found;
  JournalContent content = decode_journal(std::string_view(*bytes).substr(kPageBytes), *header);
  found.is_whole = !content.has_gap;
  found.entries = std::move(content.entries);
  return found;
}

std::uint64_t prune_notes(const TierOptions& options, std::vector<JournalEntry>& entries) {
  if (!options.prune) return 0;
  std::vector<Note> notes;
  std::vector<JournalEntry> kept;
  for (JournalEntry& e : entries) {
    if (e.kind == JournalKind::kNote) {
      notes.push_back({.kind = e.note_kind, .epoch = e.epoch, .payload = std::move(e.payload)});
    } else {
      kept.push_back(std::move(e));
    }
  }
  const std::size_t before = notes.size();
  const std::uint64_t highest = before == 0 ? 0 : std::ranges::max(notes, {}, &Note::epoch).epoch;
  options.prune(notes);
  const bool any_taken = notes.size() < before;
  for (Note& note : notes) kept.push_back(note_entry(std::move(note)));
  entries = std::move(kept);
  return any_taken ? highest : 0;
}

JournalEntry note_entry(Note note) {
  JournalEntry e;
  e.kind = JournalKind::kNote;
  e.note_kind = note.kind;
  e.epoch = note.epoch;
  e.payload = std::move(note.payload);
  return e;
}

std::string Journal::path(std::uint64_t generation) const {
  char digits[17];
  const auto [end, error] = std::to_chars(digits, digits + 16, generation, 16);
  return directory_ + "/" + std::string(kPrefix) + std::string(digits, end);
}

IoResult<void> Journal::start(std::uint64_t volume_id, std::uint64_t generation,
                              const std::vector<JournalEntry>& entries) {
  open_.clear();
  return write_file(volume_id, generation, entries);
}

// With what is open, which is synced then as all of it.
IoResult<void> Journal::write_file(std::uint64_t volume_id, std::uint64_t generation,
                                   const std::vector<JournalEntry>& entries) {
  JournalHeader header{.volume_id = volume_id, .nonce = Rng::system_seed(), .half_bytes = 0};
  std::uint64_t blocks = 0;
  std::string content = encode_blocks_of(entries, header.nonce, blocks);
  if (!open_.empty()) content += encode_journal_block(open_, header.nonce, ++blocks);
  auto taken = take_file(content.size());
  if (!taken) return std::unexpected(taken.error());
  File& file = *taken->file;
  header.half_bytes = taken->half_bytes;
  if (const auto r = file.write(0, encode(header)); !r) return r;
  if (const auto r = file.write(kPageBytes, content); !r) return r;
  if (const auto r = file.write(kPageBytes + header.half_bytes, content); !r) return r;
  if (const auto r = file.sync(); !r) return r;
  if (const auto r = fs_.rename(taken->path, path(generation)); !r) return r;
  if (const auto r = fs_.sync_directory(directory_); !r) return r;
  // Only now that this one is there for good.
  if (const auto r = keep_spare(generation - 1); !r) return r;
  file_ = std::move(taken->file);
  header_ = header;
  generation_ = generation;
  blocks_ = blocks;
  end_ = content.size();
  open_.clear();
  file_bytes_ = kPageBytes + 2 * header.half_bytes;
  written_ += kPageBytes + 2 * content.size();
  return {};
}

// The spare file where it fits, and on a full file system as soon as there is room in it at all; else a new one. What
// it holds of a former journal is of another nonce.
IoResult<Journal::NewFile> Journal::take_file(std::uint64_t content_bytes) {
  const std::uint64_t wanted = round_up(std::max<std::uint64_t>(min_half_bytes_, content_bytes * 2), kPageBytes);
  NewFile spare{.file = nullptr, .path = directory_ + "/" + std::string(kSpareJournal), .half_bytes = 0};
  if (auto file = fs_.open(spare.path, OpenMode::kReadWrite)) {
    const auto size = (*file)->size();
    if (size && *size > kPageBytes) spare.half_bytes = (*size - kPageBytes) / 2 / kPageBytes * kPageBytes;
    spare.file = std::move(*file);
  }
  if (spare.half_bytes >= wanted && spare.half_bytes <= kMostOfWanted * wanted) return spare;
  NewFile fresh{.file = nullptr, .path = directory_ + "/" + std::string(kNewJournal), .half_bytes = wanted};
  IoResult<void> done;
  if (auto file = fs_.open(fresh.path, OpenMode::kCreate)) {
    fresh.file = std::move(*file);
    // Room that is taken now is there when the disk is full: a purge can still be noted.
    done = fresh.file->allocate(kPageBytes + 2 * wanted, true);
  } else {
    done = std::unexpected(file.error());
  }
  if (done) return fresh;
  std::ignore = fs_.unlink(fresh.path);
  if (is_full(done.error()) && spare.half_bytes > content_bytes) return spare;
  return std::unexpected(done.error());
}

// The journal before, or room that is taken while there is some.
IoResult<void> Journal::keep_spare(std::uint64_t generation) {
  const std::string spare = directory_ + "/" + std::string(kSpareJournal);
  const auto renamed = fs_.rename(path(generation), spare);
  if (!renamed && renamed.error() != ENOENT) return renamed;
  auto file = fs_.open(spare, renamed ? OpenMode::kReadWrite : OpenMode::kCreate);
  if (!file) return is_full(file.error()) ? IoResult<void>{} : std::unexpected(file.error());
  if (!renamed) {
    const auto grown = (*file)->allocate(kPageBytes + 2 * round_up(min_half_bytes_, kPageBytes), true);
    if (!grown && !is_full(grown.error())) return grown;
  }
  spare_bytes_ = (*file)->size().value_or(0);
  return {};
}

void Journal::add(JournalEntry entry) {
  if (out_ != kIn) return;
  const std::scoped_lock lock(mutex_);
  queue_.push_back(std::move(entry));
  if (queue_.size() == 1) wake_.notify_one();
}

void Journal::when_committed(Committed done, MonoTime now) {
  bool durable = out_ != kOutMaybe;
  {
    const std::scoped_lock lock(mutex_);
    if (out_ == kIn && (is_busy_ || !queue_.empty() || unsynced_since_)) {
      if (!has_ended_) {
        waiting_.push_back({.done = std::move(done), .since = now});
        wake_.notify_one();
        return;
      }
      durable = false;
    }
  }
  done(durable);
}

void Journal::set_out(bool durably) {
  std::vector<Waiter> waiting;
  {
    const std::scoped_lock lock(mutex_);
    out_ = durably ? kOutDurably : kOutMaybe;
    queue_.clear();
    unsynced_since_.reset();
    waiting.swap(in_flight_);
    std::ranges::move(waiting_, std::back_inserter(waiting));
    waiting_.clear();
  }
  for (Waiter& w : waiting) w.done(durably);
}

void Journal::expire(MonoTime then) {
  std::vector<Waiter> late;
  {
    const std::scoped_lock lock(mutex_);
    for (std::vector<Waiter>* list : {&in_flight_, &waiting_}) {
      const auto end_of_late = std::ranges::find_if(*list, [then](const Waiter& w) { return w.since >= then; });
      std::move(list->begin(), end_of_late, std::back_inserter(late));
      list->erase(list->begin(), end_of_late);
    }
  }
  for (Waiter& w : late) w.done(false);
}

bool Journal::is_idle() {
  const std::scoped_lock lock(mutex_);
  return !is_busy_;
}

void Journal::stop() {
  const std::scoped_lock lock(mutex_);
  stopping_ = true;
  wake_.notify_one();
}

bool Journal::is_sync_due() const {
  if (stopping_ || !waiting_.empty()) return true;
  return unsynced_since_ && clock_.mono_now() - *unsynced_since_ >= kGather;
}

void Journal::run() {
  const auto has_work = [this] { return stopping_ || !queue_.empty() || !waiting_.empty(); };
  std::unique_lock lock(mutex_);
  for (;;) {
    if (unsynced_since_) {
      wake_.wait_for(lock, *unsynced_since_ + kGather - clock_.mono_now(), has_work);
    } else {
      wake_.wait(lock, has_work);
    }
    if (stopping_ && queue_.empty() && waiting_.empty() && !unsynced_since_) {
      has_ended_ = true;
      return;
    }
    std::vector<JournalEntry> batch;
    batch.swap(queue_);
    const bool syncs = is_sync_due();
    in_flight_.swap(waiting_);
    is_busy_ = true;
    lock.unlock();
    bool durable = out_ != kOutMaybe;
    if (out_ == kIn) {
      hooks_.on_io(1);
      auto done = write(batch);
      if (done && syncs && !open_.empty()) done = sync_open();
      hooks_.on_io(-1);
      if (!done) durable = hooks_.on_failure("journal: " + error_text(done.error()));
    }
    std::vector<Waiter> waiting;
    lock.lock();
    waiting.swap(in_flight_);
    if (out_ != kIn || open_.empty())
      unsynced_since_.reset();
    else if (!unsynced_since_)
      unsynced_since_ = clock_.mono_now();
    lock.unlock();
    for (Waiter& w : waiting) w.done(durable);
    lock.lock();
    is_busy_ = false;
  }
}

// There is never more than one block that is not synced: after a power loss none is missing before one that is there.
IoResult<void> Journal::write(const std::vector<JournalEntry>& batch) {
  if (batch.empty()) return {};
  for (const JournalEntry& e : batch) {
    append_entry(open_, e);
    if (open_.size() < kPayloadBytes) continue;
    if (const auto r = write_open(); !r) return r;
    if (open_.empty()) continue;
    if (const auto r = sync_open(); !r) return r;
  }
  if (!open_.empty()) {
    if (const auto r = write_open(); !r) return r;
  }
  entries_ += batch.size();
  return {};
}

IoResult<void> Journal::write_open() {
  const std::string block = encode_journal_block(open_, header_.nonce, blocks_ + 1);
  if (end_ + block.size() > header_.half_bytes) return compact();
  if (const auto r = file_->write(kPageBytes + end_, block); !r) return r;
  if (const auto r = file_->write(kPageBytes + header_.half_bytes + end_, block); !r) return r;
  return {};
}

IoResult<void> Journal::sync_open() {
  if (const auto r = file_->sync(); !r) return r;
  end_ += journal_block_bytes(open_.size());
  written_ += 2 * journal_block_bytes(open_.size());
  blocks_ += 1;
  open_.clear();
  commits_ += 1;
  return {};
}

IoResult<void> Journal::compact() {
  std::string bytes(file_bytes_, '\0');
  const auto n = file_->read(0, bytes);
  if (!n) return std::unexpected(n.error());
  bytes.resize(*n);
  JournalContent content =
      decode_journal(std::string_view(bytes).substr(std::min<std::size_t>(kPageBytes, *n)), header_, blocks_);
  if (content.has_gap || content.blocks != blocks_) return std::unexpected(EIO);
  drop_outdone(content.entries);
  std::uint64_t floor = hooks_.prune(content.entries);
  std::uint64_t max_epoch = 0;
  for (const JournalEntry& e : content.entries) {
    if (e.kind == JournalKind::kNote) max_epoch = std::max(max_epoch, e.epoch);
  }
  const auto keep = hooks_.keep(max_epoch);
  std::erase_if(content.entries, [&](const JournalEntry& e) {
    if (e.kind == JournalKind::kFloor) {
      floor = std::max(floor, e.epoch);
      return true;
    }
    if (keep(e)) return false;
    if (e.kind == JournalKind::kNote) floor = std::max(floor, e.epoch);
    return true;
  });
  if (floor > 0) {
    JournalEntry e;
    e.kind = JournalKind::kFloor;
    e.epoch = floor;
    content.entries.push_back(std::move(e));
  }
  const auto done = write_file(header_.volume_id, generation_ + 1, content.entries);
  if (done) commits_ += 1;
  return done;
}

}  // namespace seawall::disk
