#include "disk/volume.h"

#include <algorithm>
#include <cerrno>
#include <tuple>
#include <utility>

#include "base/rng.h"
#include "disk/bytes.h"

namespace seawall::disk {

namespace {

constexpr std::uint64_t kReadErrorsInARow = 16;
constexpr std::uint64_t kMaxSegmentsByDefault = 256;
constexpr std::uint64_t kMiB = 1 << 20;

// 64 MB, but no fewer than 32 of them and no more than 256, as far as that goes.
std::uint64_t choose_segment_bytes(std::uint64_t wanted, std::uint64_t capacity) {
  std::uint64_t bytes = wanted;
  if (bytes == 0) {
    bytes = std::min<std::uint64_t>(64 * kMiB, capacity / 32);
    bytes = std::max(bytes, capacity / kMaxSegmentsByDefault);
  }
  bytes = std::max(bytes, capacity / (kMaxSegments - 16));
  return round_up(std::clamp<std::uint64_t>(bytes, kMiB, 1024 * kMiB), kPageBytes);
}

bool is_ours(const std::string& name) {
  const std::string base = name.ends_with(".new") ? name.substr(0, name.size() - 4) : name;
  return base == "LOCK" || base == "volume" || base == "index" || base == "journal" || name == kSpareJournal ||
         segment_id(base) != 0 || journal_generation(base) != 0;
}

std::unexpected<std::string> refuse(const std::string& directory, const std::string& what) {
  return std::unexpected("disk cache directory " + directory + ": " + what);
}

IoResult<DecodedVolumeFile> look_at_volume_file(FileSystem& fs, const std::string& directory) {
  const auto bytes = read_file(fs, directory + "/volume", 64 << 10);
  if (!bytes && bytes.error() != ENOENT && bytes.error() != EFBIG) return std::unexpected(bytes.error());
  return decode_volume_file(bytes ? std::string_view(*bytes) : std::string_view());
}

// A file that only has a name like ours, when nothing in the directory begins as ours do. Nobody else gives the names
// of segments, and what is empty or was never written may be what a crash has left.
std::string somebody_elses(FileSystem& fs, const std::string& directory, const std::vector<std::string>& names) {
  const std::string folder = directory + "/";
  std::string foreign;
  for (const std::string& name : names) {
    if (segment_id(name) != 0) return {};
    if (name == "LOCK" || name == "lost+found") continue;
    const auto file = fs.open(folder + name, OpenMode::kRead);
    std::string start(sizeof(std::uint32_t), '\0');
    const auto n = file ? (*file)->read(0, start) : IoResult<std::size_t>(std::unexpected(file.error()));
    if (!n || *n < start.size() || start == std::string_view("\0\0\0\0", 4)) continue;
    if (has_our_magic(start)) return {};
    foreign = name;
  }
  return foreign;
}

struct Seen {
  std::vector<std::string> names;
  std::string trouble;  // of the disk
};

// Before the lock file is made: in a directory of somebody else nothing is to change.
std::expected<Seen, std::string> look_at(FileSystem& fs, const std::string& directory, bool by_its_user) {
  auto names = fs.list(directory);
  if (!names) {
    const std::string why = error_text(names.error());
    if (names.error() == ENOENT) {
      return refuse(directory, "it does not exist; create it, owned by the server's user");
    }
    if (names.error() == EACCES || names.error() == ENOTDIR) {
      return refuse(directory, why + "; it has to be a directory that the server's user may read and write");
    }
    return Seen{.names = {}, .trouble = why};
  }
  std::string foreign;
  for (const std::string& name : *names) {
    if (!is_ours(name) && name != "lost+found") foreign = name;
  }
  if (by_its_user && !fs.is_own(directory).value_or(true)) {
    return refuse(directory, "it belongs to another user; give one that the server's user owns");
  }
  const auto found = look_at_volume_file(fs, directory);
  if (!found && (found.error() == EACCES || found.error() == ELOOP)) {
    return refuse(directory, "volume: " + error_text(found.error()) + "; was it written by another user?");
  }
  if (found && !found->file) {
    if (found->fault == VolumeFileFault::kNewer) {
      return refuse(directory, "it was written by a newer version of seawall; use that one, or give another directory");
    }
    if (foreign.empty()) foreign = somebody_elses(fs, directory, *names);
    if (!foreign.empty()) {
      return refuse(directory, "it holds other files, such as " + foreign + "; give an empty directory");
    }
  }
  return Seen{.names = std::move(*names), .trouble = {}};
}

}  // namespace

std::optional<std::string> check_directory(const std::string& directory, bool by_its_user, FileSystem* file_system) {
  auto seen = look_at(file_system != nullptr ? *file_system : posix_file_system(), directory, by_its_user);
  if (!seen) return std::move(seen.error());
  if (seen->trouble.empty()) return std::nullopt;
  return refuse(directory, seen->trouble).error();
}

Volume::Volume(std::size_t number, VolumeOptions own, VolumeContext context)
    : number_(number),
      own_(std::move(own)),
      context_(context),
      segment_bytes_(choose_segment_bytes(context.options.segment_bytes, own_.capacity_bytes)),
      segments_(number),
      readers_(*context.options.clock, context.options.read_queue, context.options.read_deadline),
      journal_(context.fs, own_.path, context.options.journal_bytes,
               {.prune = [this](std::vector<JournalEntry>& entries) { return prune_notes(context_.options, entries); },
                .keep = [this](std::uint64_t max_epoch) { return keeper(max_epoch); },
                .on_failure = [this](const std::string& t) { return context_.host.take_out(number_, t); },
                .on_io = [this](std::int64_t d) { mark_io(journal_io_, d > 0); }}),
      writer_(*this) {}

std::uint64_t Volume::max_whole_bytes() const {
  return std::min<std::uint64_t>(kMaxWholeBytes, segment_bytes_ / 4);
}

std::uint64_t Volume::chunk_bytes() const {
  // Of one stream several are on their way.
  const std::uint64_t most = std::min<std::uint64_t>(segment_bytes_ / 8, context_.options.backlog_bytes / 4);
  return round_up(std::min<std::uint64_t>(kMiB, most), kBlockBytes);
}

// --- open()

std::expected<Volume::Probe, std::string> Volume::probe() {
  Probe probe;
  auto seen = look_at(context_.fs, own_.path, true);
  if (!seen) return std::unexpected(std::move(seen.error()));
  names_ = std::move(seen->names);
  if (!seen->trouble.empty()) {
    probe.trouble = std::move(seen->trouble);
    return probe;
  }
  auto lock = context_.fs.lock(file_path("LOCK"), true);
  if (!lock) {
    if (lock.error() == EWOULDBLOCK) {
      return refuse(own_.path, "another server is using it; stop that one, or give each a directory of its own");
    }
    if (lock.error() == EACCES || lock.error() == EROFS || lock.error() == EPERM || lock.error() == ELOOP) {
      return refuse(own_.path, error_text(lock.error()) + "; the server's user has to own it and what is in it");
    }
    probe.trouble = error_text(lock.error());
    return probe;
  }
  lock_ = std::move(*lock);
  auto found = look_at_volume_file(context_.fs, own_.path);
  if (!found) {
    probe.trouble = "volume: " + error_text(found.error());
    return probe;
  }
  for (const std::string& name : names_) next_segment_id_ = std::max(next_segment_id_, segment_id(name) + 1);
  if (!found->file) {
    const bool is_empty = std::ranges::all_of(names_, [](const auto& n) { return n == "LOCK" || n == "lost+found"; });
    probe.found = is_empty ? Found::kEmpty : Found::kDamaged;
    probe.journal = read_journal(context_.fs, own_.path, names_, 0);
    return probe;
  }
  probe.file = std::move(found->file);
  probe.journal = read_journal(context_.fs, own_.path, names_, probe.file->volume_id);
  probe.found = probe.journal.is_whole ? Found::kOurs : Found::kDamaged;
  return probe;
}

IoResult<void> Volume::adopt(const Probe& probe, bool keep, const std::vector<JournalEntry>& journal) {
  volume_id_ = keep ? probe.file->volume_id : Rng::system_seed();
  if (const auto r = journal_.start(volume_id_, probe.journal.generation + 1, journal); !r) return r;
  // An older one must not be all that is found some day.
  for (const std::string& name : names_) {
    if (journal_generation(name) == 0) continue;
    if (const auto r = context_.fs.unlink(file_path(name)); !r && r.error() != ENOENT) return r;
  }
  return {};
}

IoResult<void> Volume::write_volume_file(const VolumeFile& file) {
  return replace_file(context_.fs, own_.path, "volume", encode(file));
}

bool Volume::invalidate(const VolumeFile& without_it) {
  if (write_volume_file(without_it)) return true;
  // On a full disk files can still be removed; without its journal nothing on it is believed.
  const auto names = context_.fs.list(own_.path);
  if (!names) return false;
  for (const std::string& name : *names) {
    if (journal_generation(name) != 0 && !context_.fs.unlink(file_path(name))) return false;
  }
  return context_.fs.sync_directory(own_.path).has_value();
}

void Volume::start(std::shared_ptr<void> keep_alive) {
  const auto spawn = [&](void (*body)(Volume&)) {
    {
      const std::scoped_lock lock(mutex_);
      ++threads_running_;
    }
    threads_.emplace_back([this, keep_alive, body] {
      body(*this);
      const std::scoped_lock lock(mutex_);
      --threads_running_;
      wake_.notify_all();
    });
  };
  aside_at_ = context_.options.clock->mono_now();
  is_loading_ = is_in_service();
  spawn([](Volume& v) { v.writer_.run(); });
  spawn([](Volume& v) { v.journal_.run(); });
  spawn([](Volume& v) { v.keep_house(); });
  spawn([](Volume& v) { v.keep_watch(); });
  spawn([](Volume& v) { v.keep_deadlines(); });
  for (std::size_t i = 0; i < reader_count(); ++i) {
    spawn([](Volume& v) { v.readers_.run(); });
  }
}

void Volume::begin_close() {
  readers_.close();
  writer_.stop();
}

bool Volume::wait_for_threads(std::size_t running, std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  return wake_.wait_for(lock, patience, [&] { return threads_running_ <= running; });
}

// The journal, the housekeeper and those that watch.
bool Volume::close_writer(std::chrono::milliseconds patience) {
  return wait_for_threads(4, patience);
}

bool Volume::close_house(std::chrono::milliseconds patience) {
  {
    const std::scoped_lock lock(mutex_);
    closing_ = true;
    wake_.notify_all();
  }
  return wait_for_threads(1, patience);
}

void Volume::close_journal(std::chrono::milliseconds patience) {
  journal_.stop();
  const bool ended = wait_for_threads(0, patience);
  if (!ended) {
    readers_.fail_all(ReadStatus::kClosed);
    journal_.set_out(false);
  }
  for (std::thread& t : threads_) {
    if (ended) {
      t.join();
    } else {
      t.detach();
    }
  }
  threads_.clear();
}

// --- state

void Volume::leave_service(const std::string& trouble, bool durably) {
  {
    const std::scoped_lock lock(mutex_);
    trouble_ = trouble;
    out_since_ = context_.options.clock->mono_now();
  }
  state_ = VolumeState::kOutOfService;
  times_out_.fetch_add(1, std::memory_order_relaxed);
  journal_.set_out(durably);
  context_.index.drop_volume(number_);
  context_.index.loaded(number_);
  readers_.fail_all(ReadStatus::kFailed);
  writer_.wake();
}

bool Volume::return_to_service() {
  if (!retry_.exchange(false) || is_loading_ || context_.index.is_loading() || !journal_.is_idle()) return false;
  if (!lock_) {
    auto lock = context_.fs.lock(file_path("LOCK"), true);
    if (!lock) return false;
    lock_ = std::move(*lock);
  }
  // Everything in it has missed what was replaced and erased meanwhile.
  for (const auto& segment : segments_.take_all()) {
    segments_.pinned_count()->fetch_add(segment->bytes);
    segment->is_unlinked = true;
  }
  context_.index.drop_volume(number_);
  if (!remove_files()) return false;
  volume_id_ = Rng::system_seed();
  if (!journal_.start(volume_id_, journal_.generation() + 1, {})) return false;
  if (!context_.host.take_in(number_)) return false;
  read_errors_in_a_row_ = 0;
  state_ = VolumeState::kInService;
  journal_.set_in();
  return true;
}

IoResult<void> Volume::remove_files() {
  const auto names = context_.fs.list(own_.path);
  if (!names) return std::unexpected(names.error());
  for (const std::string& name : *names) {
    next_segment_id_ = std::max(next_segment_id_, segment_id(name) + 1);
    // `volume` is replaced whole, later: what it says of the others is needed until then.
    if (!is_ours(name) || name == "LOCK" || name == "volume") continue;
    if (const auto r = context_.fs.unlink(file_path(name)); !r && r.error() != ENOENT) return r;
  }
  return context_.fs.sync_directory(own_.path);
}

void Volume::say_full() const {
  if (!context_.options.log) return;
  context_.options.log(LogLevel::kWarning, "disk cache directory " + own_.path +
                                               ": its file system is full, so the oldest goes before disk.size is "
                                               "reached; make room there, or give a smaller size");
}

bool Volume::fits(std::uint64_t more) const {
  // While the aside is replaced there are two.
  const std::uint64_t used =
      segments_.bytes() + segments_.pinned_bytes() + journal_.file_bytes() + 2 * aside_bytes_.load();
  return used + more <= own_.capacity_bytes;
}

void Volume::mark_io(std::atomic<std::int64_t>& since, bool begins) const {
  since.store(begins ? context_.options.clock->mono_now().us : 0, std::memory_order_relaxed);
}

void Volume::on_read(bool failed) {
  if (!failed) {
    if (read_errors_in_a_row_.load(std::memory_order_relaxed) != 0) read_errors_in_a_row_ = 0;
    return;
  }
  read_errors_.fetch_add(1, std::memory_order_relaxed);
  if (read_errors_in_a_row_.fetch_add(1) + 1 == kReadErrorsInARow) {
    context_.host.take_out(number_, "reading: " + error_text(EIO) + ", time and again");
  }
}

std::function<bool(const JournalEntry&)> Volume::keeper(std::uint64_t max_epoch) {
  if (context_.index.is_loading()) {
    return [](const JournalEntry&) { return true; };
  }
  // The order matters. Whoever puts first counts in the index's floor, then in a segment's, and then looks at the
  // epoch floor: whatever is not seen here is refused there.
  context_.host.raise_epoch_floor(max_epoch);
  const auto pending = context_.index.pending_floor();
  const auto written = segments_.floor();
  const std::uint64_t sequence = std::min(pending.first, written.first);
  const std::uint64_t epoch = std::min(pending.second, context_.host.min_record_epoch());
  return [sequence, epoch](const JournalEntry& e) {
    return e.kind == JournalKind::kTombstone ? e.sequence > sequence : e.epoch > epoch;
  };
}

VolumeStats Volume::stats() const {
  VolumeStats s;
  s.path = own_.path;
  s.state = state_;
  {
    const std::scoped_lock lock(mutex_);
    if (s.state == VolumeState::kOutOfService) s.trouble = trouble_;
  }
  s.capacity_bytes = own_.capacity_bytes;
  s.pinned_bytes = segments_.pinned_bytes();
  s.journal_bytes = journal_.file_bytes();
  s.used_bytes = segments_.bytes() + s.pinned_bytes + s.journal_bytes + aside_bytes_;
  s.objects = context_.index.size(number_);
  s.segments = segments_.all().size();
  s.backlog_bytes = writer_.backlog_bytes();
  s.read_backend = readers_.has_rings() ? ReadBackend::kIoUring : ReadBackend::kThreads;
  s.reads_waiting = readers_.waiting();
  s.read_errors = read_errors_;
  s.write_errors = write_errors_;
  s.times_out_of_service = times_out_;
  return s;
}

// --- those that watch, without I/O of their own, and the housekeeper

void Volume::check_for_hangs() {
  const auto limit = context_.options.slow_limit;
  const MonoTime now = context_.options.clock->mono_now();
  bool hangs = readers_.expire() > limit;
  for (const auto* since : {&writer_io_, &journal_io_, &house_io_}) {
    const std::int64_t began = since->load(std::memory_order_relaxed);
    hangs |= began != 0 && now.us - began > std::chrono::microseconds(limit).count();
  }
  if (hangs && is_in_service()) {
    context_.host.take_out(number_, "it does not answer in time", VolumeHost::Touch::kNo);
  }
}

std::chrono::milliseconds Volume::tick() const {
  return std::clamp<std::chrono::milliseconds>(context_.options.read_deadline / 4, std::chrono::milliseconds(10),
                                               std::chrono::milliseconds(250));
}

void Volume::keep_watch() {
  std::unique_lock lock(mutex_);
  while (!closing_) {
    wake_.wait_for(lock, tick(), [this] { return closing_; });
    lock.unlock();
    check_for_hangs();
    lock.lock();
  }
}

// Apart from the watch, which may wait: to leave service is agreed upon with the other volumes, one of which may hang.
void Volume::keep_deadlines() {
  std::unique_lock lock(mutex_);
  while (!closing_) {
    wake_.wait_for(lock, tick(), [this] { return closing_; });
    lock.unlock();
    const MonoTime now = context_.options.clock->mono_now();
    journal_.expire(now + std::chrono::microseconds(-context_.options.journal_deadline));
    readers_.expire();
    lock.lock();
  }
}

void Volume::tend_house(MonoTime now) {
  if (state_ != VolumeState::kInService || now - aside_at_ < context_.options.aside_interval) return;
  aside_at_ = now;
  if (const auto r = write_aside(); !r) {
    context_.host.take_out(number_, "the index aside: " + error_text(r.error()));
  }
}

void Volume::keep_house() {
  if (is_in_service()) {
    const auto loaded = load();
    mark_io(house_io_, false);
    if (!loaded) context_.host.take_out(number_, "loading: " + error_text(loaded.error()));
    // What was loaded while it left service.
    if (!is_in_service()) context_.index.drop_volume(number_);
  }
  is_loading_ = false;
  std::unique_lock lock(mutex_);
  while (!closing_) {
    wake_.wait_for(lock, tick(), [this] { return closing_; });
    const MonoTime now = context_.options.clock->mono_now();
    const bool retry = state_ == VolumeState::kOutOfService && now - out_since_ >= context_.options.retry_interval;
    if (retry) out_since_ = now;
    lock.unlock();
    if (retry) {
      retry_ = true;
      writer_.wake();
    }
    tend_house(now);
    lock.lock();
  }
  lock.unlock();
  // It only saves time: without it the next start reads the segments.
  if (state_ == VolumeState::kInService) std::ignore = write_aside();
}

}  // namespace seawall::disk
