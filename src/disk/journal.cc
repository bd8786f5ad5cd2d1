#include "disk/journal.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <iterator>

#include "base/rng.h"
#include "disk/bytes.h"

namespace seawall::disk {

namespace {

constexpr std::string_view kPrefix = "journal-";
constexpr std::size_t kMaxFileBytes = std::size_t{1} << 31;
constexpr std::size_t kPayloadBytes = 256 << 10;  // of a block: a batch is cut into them
// Nobody waits for a tombstone that a replacing put leaves: a few share a sync.
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
                              const std::vector<JournalEntry>& entries, std::size_t room) {
  JournalHeader header{.volume_id = volume_id, .nonce = Rng::system_seed(), .half_bytes = 0};
  std::uint64_t blocks = 0;
  const std::string content = encode_blocks_of(entries, header.nonce, blocks);
  header.half_bytes = round_up(std::max<std::uint64_t>(min_half_bytes_, content.size() * 2 + room), kPageBytes);
  const std::string final_path = path(generation);
  const std::string temporary = final_path + ".new";
  auto file = fs_.open(temporary, OpenMode::kCreate);
  if (!file) return std::unexpected(file.error());
  // Room that is taken now is there when the disk is full: a purge can still be noted.
  if (const auto r = (*file)->allocate(kPageBytes + 2 * header.half_bytes, true); !r) return r;
  if (const auto r = (*file)->write(0, encode(header)); !r) return r;
  if (const auto r = (*file)->write(kPageBytes, content); !r) return r;
  if (const auto r = (*file)->write(kPageBytes + header.half_bytes, content); !r) return r;
  if (const auto r = (*file)->sync(); !r) return r;
  if (const auto r = fs_.rename(temporary, final_path); !r) return r;
  if (const auto r = fs_.sync_directory(directory_); !r) return r;
  // The older one goes only now that this one is there for good.
  if (generation_ != 0 && generation_ != generation) {
    if (const auto r = fs_.unlink(path(generation_)); !r && r.error() != ENOENT) return r;
  }
  file_ = std::move(*file);
  header_ = header;
  generation_ = generation;
  blocks_ = blocks;
  end_ = content.size();
  file_bytes_ = kPageBytes + 2 * header.half_bytes;
  written_ += kPageBytes + 2 * content.size();
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
    if (out_ == kIn && (is_busy_ || !queue_.empty())) {
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

void Journal::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !queue_.empty() || !waiting_.empty(); });
    if (waiting_.empty() && !stopping_) {
      wake_.wait_for(lock, kGather, [this] { return stopping_ || !waiting_.empty(); });
    }
    if (stopping_ && queue_.empty() && waiting_.empty()) {
      has_ended_ = true;
      return;
    }
    std::vector<JournalEntry> batch;
    batch.swap(queue_);
    in_flight_.swap(waiting_);
    is_busy_ = true;
    lock.unlock();
    bool durable = out_ != kOutMaybe;
    if (out_ == kIn && !batch.empty()) {
      hooks_.on_io(1);
      const auto done = commit(batch);
      hooks_.on_io(-1);
      if (!done) durable = hooks_.on_failure("journal: " + error_text(done.error()));
    }
    std::vector<Waiter> waiting;
    lock.lock();
    waiting.swap(in_flight_);
    lock.unlock();
    for (Waiter& w : waiting) w.done(durable);
    lock.lock();
    is_busy_ = false;
  }
}

IoResult<void> Journal::commit(const std::vector<JournalEntry>& batch) {
  std::uint64_t blocks = blocks_;
  std::string bytes = encode_blocks_of(batch, header_.nonce, blocks);
  if (end_ + bytes.size() > header_.half_bytes) {
    if (const auto r = compact(bytes.size()); !r) return r;
    blocks = blocks_;
    bytes = encode_blocks_of(batch, header_.nonce, blocks);
  }
  if (const auto r = file_->write(kPageBytes + end_, bytes); !r) return r;
  if (const auto r = file_->write(kPageBytes + header_.half_bytes + end_, bytes); !r) return r;
  if (const auto r = file_->sync(); !r) return r;
  end_ += bytes.size();
  blocks_ = blocks;
  entries_ += batch.size();
  commits_ += 1;
  written_ += 2 * bytes.size();
  return {};
}

IoResult<void> Journal::compact(std::size_t room) {
  std::string bytes(file_bytes_, '\0');
  const auto n = file_->read(0, bytes);
  if (!n) return std::unexpected(n.error());
  bytes.resize(*n);
  JournalContent content =
      decode_journal(std::string_view(bytes).substr(std::min<std::size_t>(kPageBytes, *n)), header_);
  if (content.has_gap || content.blocks != blocks_) return std::unexpected(EIO);
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
  return start(header_.volume_id, generation_ + 1, content.entries, room);
}

}  // namespace seawall::disk
