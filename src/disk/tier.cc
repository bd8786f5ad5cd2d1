#include "disk/tier.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <map>
#include <tuple>
#include <utility>

#include "base/check.h"
#include "base/rng.h"
#include "disk/tier_core.h"

namespace seawall::disk {

namespace {

constexpr std::chrono::milliseconds kPatience{5000};
constexpr unsigned kErasPerMillisecondBits = 16;

template <typename Done, typename... Args>
void complete(Executor* executor, Done done, Args... args) {
  if (executor == nullptr || !done) return;
  executor->post([done = std::move(done), ... args = std::move(args)]() mutable { done(std::move(args)...); });
}

std::string size_text(std::uint64_t bytes) {
  return std::to_string(bytes >> 20) + " MB";
}

}  // namespace

std::string_view to_string(ReadStatus status) {
  constexpr std::array<std::string_view, 8> kNames = {"ok",   "gone",    "checksum",  "io-error",
                                                      "busy", "timeout", "too-large", "closed"};
  return kNames[static_cast<std::size_t>(status)];
}

std::string_view to_string(PutStatus status) {
  constexpr std::array<std::string_view, kPutStatuses> kNames = {
      "stored", "not-admitted", "backlog", "out-of-service", "too-large", "io-error", "replaced", "aborted", "closed"};
  return kNames[static_cast<std::size_t>(status)];
}

std::string_view to_string(ReadBackend backend) {
  constexpr std::array<std::string_view, 2> kNames = {"threads", "io_uring"};
  return kNames[static_cast<std::size_t>(backend)];
}

std::string_view to_string(VolumeState state) {
  constexpr std::array<std::string_view, 3> kNames = {"loading", "in-service", "out-of-service"};
  return kNames[static_cast<std::size_t>(state)];
}

namespace {

// `paths` are theirs, or what those lead to.
std::optional<std::string> find_overlap(const std::vector<VolumeOptions>& volumes, std::vector<std::string> paths) {
  for (std::string& path : paths) {
    while (path.ends_with('/')) path.pop_back();
    path += '/';
  }
  for (std::size_t a = 0; a < paths.size(); ++a) {
    for (std::size_t b = 0; b < paths.size(); ++b) {
      if (a == b || !paths[b].starts_with(paths[a])) continue;
      return "disk cache directory " + volumes[b].path + ": it overlaps with " + volumes[a].path +
             "; give each a directory of its own";
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> check_volumes(const std::vector<VolumeOptions>& volumes) {
  if (volumes.empty()) return "disk cache: no directory is given";
  if (volumes.size() > kMaxVolumes) return "disk cache: at most " + std::to_string(kMaxVolumes) + " directories";
  std::vector<std::string> paths;
  for (const VolumeOptions& v : volumes) {
    if (v.path.empty()) return "disk cache: a directory has no path";
    if (v.capacity_bytes < kMinVolumeBytes) {
      return "disk cache directory " + v.path + ": its size is " + size_text(v.capacity_bytes) + "; give it at least " +
             size_text(kMinVolumeBytes);
    }
    paths.push_back(v.path);
  }
  return find_overlap(volumes, std::move(paths));
}

std::optional<std::string> check_links(const std::vector<VolumeOptions>& volumes, FileSystem* file_system) {
  FileSystem& fs = file_system != nullptr ? *file_system : posix_file_system();
  std::vector<std::string> paths;
  paths.reserve(volumes.size());
  for (const VolumeOptions& v : volumes) paths.push_back(fs.canonical(v.path).value_or(v.path));
  return find_overlap(volumes, std::move(paths));
}

// --- TierCore

TierCore::TierCore(TierOptions options)
    : options_(std::move(options)),
      fs_(options_.file_system != nullptr ? *options_.file_system : posix_file_system()),
      groups_(options_.volumes),
      index_(*this, groups_, options_.budget),
      admission_(options_.write_bytes_per_second, options_.clock->mono_now()) {
  const VolumeContext context{
      .options = options_, .fs = fs_, .index = index_, .groups = groups_, .counters = counters_, .host = *this};
  for (std::size_t i = 0; i < options_.volumes.size(); ++i) {
    volumes_.push_back(std::make_unique<Volume>(i, options_.volumes[i], context));
  }
  is_durably_out_.resize(volumes_.size());
  keeps_.resize(volumes_.size());
}

std::expected<void, std::string> TierCore::open() {
  if (const auto problem = check_volumes(options_.volumes)) return std::unexpected(*problem);
  if (const auto problem = check_links(options_.volumes, &fs_)) return std::unexpected(*problem);
  Probes probes;
  for (const auto& volume : volumes_) {
    auto probe = volume->probe();
    if (!probe) return std::unexpected(probe.error());
    probes.push_back(std::move(*probe));
  }
  elect(probes);
  adopt(probes);
  if (options_.read_backend == ReadBackend::kIoUring) make_rings();
  return {};
}

namespace {

// What the operator can do about it.
std::string why_no_ring(int error) {
  switch (error) {
    case ENOSYS: return error_text(error) + ": the kernel is older than Linux 5.6, or a seccomp filter forbids it";
    case EPERM: return error_text(error) + ": kernel.io_uring_disabled, or a seccomp filter, forbids it";
    case ENOMEM: return error_text(error) + ": the limit of locked memory (RLIMIT_MEMLOCK) may be too low";
    default: return error_text(error);
  }
}

}  // namespace

// All or none, so that one line tells.
void TierCore::make_rings() {
  std::vector<std::vector<std::unique_ptr<ReadRing>>> rings(volumes_.size());
  for (auto& of_volume : rings) {
    of_volume.reserve(options_.rings);
    for (std::size_t i = 0; i < options_.rings; ++i) {
      auto ring = fs_.make_ring();
      if (!ring) {
        log(LogLevel::kWarning, "disk cache: no io_uring, reading with threads: " + why_no_ring(ring.error()));
        return;
      }
      of_volume.push_back(std::move(*ring));
    }
  }
  for (std::size_t i = 0; i < rings.size(); ++i) volumes_[i]->readers().use(std::move(rings[i]));
  log(LogLevel::kInfo, "disk cache: reading with io_uring");
}

// Whose content is believed: the members of the youngest era that anybody knows of. Who is not among them was away
// while something was replaced or purged. Where a member does not say what it knows, it may know of a younger era; then
// only who was there until an orderly end is believed.
void TierCore::elect(const Probes& probes) {
  const VolumeFile* youngest = nullptr;
  for (const auto& probe : probes) {
    if (!probe.file) continue;
    const VolumeFile& f = *probe.file;
    boot_ = std::max(boot_, f.boot);
    era_ = std::max(era_, f.era);
    if (youngest == nullptr || std::tie(f.era, f.boot) > std::tie(youngest->era, youngest->boot)) youngest = &f;
  }
  const bool all_speak =
      youngest != nullptr && std::ranges::all_of(youngest->members, [&](std::uint64_t id) {
        return std::ranges::any_of(probes, [id](const auto& p) { return p.file && p.file->volume_id == id; });
      });
  for (std::size_t i = 0; i < probes.size(); ++i) {
    const auto& probe = probes[i];
    const std::string& path = volumes_[i]->path();
    if (probe.found == Volume::Found::kFailing) {
      volumes_[i]->leave_service(probe.trouble, true);
      log(LogLevel::kError, "disk cache directory " + path + ": out of service: " + probe.trouble);
    } else if (probe.found == Volume::Found::kDamaged) {
      log(LogLevel::kWarning,
          "disk cache directory " + path + ": emptied: what it holds cannot be trusted to be current");
    } else if (probe.found == Volume::Found::kOurs) {
      const VolumeFile& f = *probe.file;
      const bool is_member = std::ranges::find(youngest->members, f.volume_id) != youngest->members.end();
      keeps_[i] = is_member && (all_speak || (f.is_closed && f.boot == youngest->boot));
      if (!keeps_[i]) {
        log(LogLevel::kWarning,
            "disk cache directory " + path + ": emptied: it was away while the cache went on, or that cannot be told");
      }
    }
  }
}

void TierCore::adopt(const Probes& probes) {
  boot_ += 1;
  // Who cannot be asked now may have gone on alone, for eras that nobody here knows of. They are in the past all the
  // same.
  const auto now_ms = static_cast<std::uint64_t>(std::max<std::int64_t>(options_.clock->wall_now().unix_ms, 0));
  era_ = std::max(era_, now_ms << kErasPerMillisecondBits);
  std::vector<JournalEntry> notes;
  std::vector<JournalEntry> tombstones;
  for (std::size_t i = 0; i < probes.size(); ++i) {
    if (!keeps_[i]) continue;
    for (const JournalEntry& e : probes[i].journal.entries) {
      if (e.kind == JournalKind::kTombstone) {
        tombstones.push_back(e);
      } else if (e.kind == JournalKind::kFloor) {
        raise_epoch_floor(e.epoch);
      } else {
        notes.push_back(e);
      }
    }
  }
  // Each volume has them all.
  const auto key = [](const JournalEntry& e) { return std::tie(e.epoch, e.note_kind, e.payload); };
  std::ranges::sort(notes, {}, key);
  const auto [first, last] = std::ranges::unique(notes, {}, key);
  notes.erase(first, last);
  raise_epoch_floor(prune_notes(options_, notes));
  for (const JournalEntry& e : notes) max_note_epoch_ = std::max(max_note_epoch_.load(), e.epoch);
  for (std::size_t i = 0; i < volumes_.size(); ++i) {
    Volume& volume = *volumes_[i];
    if (!volume.is_in_service()) continue;
    std::vector<JournalEntry> journal = notes;
    if (epoch_floor() > 0) {
      JournalEntry floor;
      floor.kind = JournalKind::kFloor;
      floor.epoch = epoch_floor();
      journal.push_back(std::move(floor));
    }
    if (keeps_[i]) {
      for (const JournalEntry& e : probes[i].journal.entries) {
        if (e.kind == JournalKind::kTombstone) journal.push_back(e);
      }
    }
    if (const auto r = volume.adopt(probes[i], keeps_[i], journal); !r) {
      volume.leave_service(error_text(r.error()), true);
      log(LogLevel::kError, "disk cache directory " + volume.path() + ": out of service: " + error_text(r.error()));
    }
  }
  agree();
  std::uint32_t loading = 0;
  for (const auto& volume : volumes_) {
    if (volume->is_in_service()) loading |= 1U << volume->number();
  }
  index_.start(boot_ << kBootShift | 1, loading, tombstones);
  if (options_.on_note) {
    for (JournalEntry& e : notes) {
      options_.on_note(Note{.kind = e.note_kind, .epoch = e.epoch, .payload = std::move(e.payload)});
    }
  }
}

// Everybody in service gets the same list of members. A crash half way leaves somebody with an older list, who is a
// member by the younger one.
void TierCore::agree() {
  const MutexLock lock(membership_);
  for (bool again = true; again;) {
    again = false;
    ++era_;
    VolumeFile file = members();
    for (const auto& volume : volumes_) {
      if (!volume->is_in_service()) continue;
      file.volume_id = volume->volume_id();
      if (const auto r = volume->write_volume_file(file); !r) {
        volume->leave_service(error_text(r.error()), true);
        log(LogLevel::kError, "disk cache directory " + volume->path() + ": out of service: " + error_text(r.error()));
        again = true;
        break;
      }
    }
  }
  const bool any = std::ranges::any_of(volumes_, [](const auto& volume) { return volume->is_in_service(); });
  for (const auto& volume : volumes_) {
    if (volume->is_in_service()) continue;
    is_durably_out_[volume->number()] = any;
    volume->journal().set_out(any);
  }
}

void TierCore::start(const std::shared_ptr<TierCore>& self) {
  for (const auto& volume : volumes_) volume->start(self);
}

void TierCore::close() {
  if (is_closed_.exchange(true)) return;
  for (const auto& volume : volumes_) volume->begin_close();
  std::chrono::milliseconds patience = kPatience;
  const auto wait = [&](bool ended) {
    // One that hangs has used it up.
    if (!ended) patience = std::chrono::milliseconds(0);
  };
  for (const auto& volume : volumes_) wait(volume->close_writer(patience));
  for (const auto& volume : volumes_) wait(volume->close_house(patience));
  for (const auto& volume : volumes_) volume->close_journal(patience);
  if (patience.count() == 0) return;
  const MutexLock lock(membership_);
  VolumeFile file = members();
  file.is_closed = true;
  for (const auto& volume : volumes_) {
    if (!volume->is_in_service()) continue;
    file.volume_id = volume->volume_id();
    std::ignore = volume->write_volume_file(file);  // without it the next start is as after a crash
  }
}

VolumeFile TierCore::members() const {
  VolumeFile file;
  file.boot = boot_;
  file.era = era_;
  for (const auto& volume : volumes_) {
    if (volume->is_in_service()) file.members.push_back(volume->volume_id());
  }
  return file;
}

bool TierCore::take_out(std::size_t number, const std::string& trouble, Touch touch) {
  const MutexLock lock(membership_);
  if (!volumes_[number]->is_in_service()) return is_durably_out_[number];
  std::vector<std::pair<std::size_t, std::string>> leaving{{number, trouble}};
  const auto is_leaving = [&](std::size_t n) {
    return std::ranges::any_of(leaving, [n](const auto& l) { return l.first == n; });
  };
  // The others write down that it is no member. One that cannot is none either.
  bool is_written = false;
  for (bool again = true; again;) {
    again = false;
    ++era_;
    VolumeFile file = members();
    for (const auto& [n, why] : leaving) std::erase(file.members, volumes_[n]->volume_id());
    is_written = false;
    for (const auto& v : volumes_) {
      if (!v->is_in_service() || is_leaving(v->number())) continue;
      file.volume_id = v->volume_id();
      if (const auto r = v->write_volume_file(file)) {
        is_written = true;
      } else {
        leaving.emplace_back(v->number(), error_text(r.error()));
        again = true;
        break;
      }
    }
  }
  for (const auto& [n, why] : leaving) {
    Volume& v = *volumes_[n];
    VolumeFile none;
    none.volume_id = v.volume_id();
    none.boot = boot_;
    none.era = ++era_;
    is_durably_out_[n] = is_written || (touch == Touch::kYes && v.invalidate(none));
    log(LogLevel::kError, "disk cache directory " + v.path() + ": out of service: " + why +
                              "; the cache goes on without it and empties it before it comes back");
    if (!is_durably_out_[n]) {
      log(LogLevel::kError, "disk cache directory " + v.path() +
                                ": nor could that be written down: remove what is in it before the next start, or "
                                "what is purged until then may come back");
    }
    v.leave_service(why, is_durably_out_[n]);
  }
  return is_durably_out_[number];
}

bool TierCore::take_in(std::size_t number) {
  const MutexLock lock(membership_);
  // Its journal has no notes of before: what is older than they are shall not be put on it.
  raise_epoch_floor(max_note_epoch_.load());
  ++era_;
  VolumeFile file = members();
  file.members.push_back(volumes_[number]->volume_id());
  file.volume_id = volumes_[number]->volume_id();
  if (!volumes_[number]->write_volume_file(file)) return false;
  for (const auto& v : volumes_) {
    if (!v->is_in_service()) continue;
    file.volume_id = v->volume_id();
    // If it cannot, its own troubles will show; it is among the members of the younger file all the same.
    std::ignore = v->write_volume_file(file);
  }
  is_durably_out_[number] = false;
  log(LogLevel::kInfo, "disk cache directory " + volumes_[number]->path() + ": back in service, empty");
  return true;
}

void TierCore::raise_epoch_floor(std::uint64_t epoch) {
  std::uint64_t now = epoch_floor_.load();
  while (now < epoch && !epoch_floor_.compare_exchange_weak(now, epoch)) {
  }
}

std::uint64_t TierCore::min_record_epoch() const {
  if (index_.is_loading()) return 0;
  std::uint64_t epoch = ~std::uint64_t{0};
  for (const auto& v : volumes_) {
    if (v->is_in_service()) epoch = std::min(epoch, v->segments().floor().second);
  }
  return epoch;
}

std::uint64_t TierCore::max_body_bytes() const {
  std::uint64_t most = options_.max_body_bytes > 0 ? options_.max_body_bytes : ~std::uint64_t{0};
  for (const auto& volume : volumes_) most = std::min(most, volume->max_body_bytes());
  return most;
}

Volume* TierCore::volume_for(std::uint64_t hash) const {
  Volume* best = nullptr;
  double best_score = 0;
  for (std::size_t i = 0; i < volumes_.size(); ++i) {
    if (!volumes_[i]->is_in_service()) continue;
    if (volumes_.size() == 1) return volumes_[i].get();
    const std::string& path = volumes_[i]->path();
    const std::uint64_t mixed = checksum(path, hash);
    const double u = (static_cast<double>(mixed >> 11) + 1) * 0x1.0p-53;
    const double score = static_cast<double>(options_.volumes[i].capacity_bytes) / -std::log(u);
    if (best == nullptr || score > best_score) best = volumes_[i].get(), best_score = score;
  }
  return best;
}

void TierCore::when_durable(std::move_only_function<void(bool)> done) {
  struct Gather {
    std::atomic<std::size_t> left;
    std::atomic<bool> durable{true};
    std::move_only_function<void(bool)> done;
  };
  const auto gather = std::make_shared<Gather>();
  gather->left = volumes_.size();
  gather->done = std::move(done);
  for (const auto& volume : volumes_) {
    volume->journal().when_committed(
        [gather](bool durable) {
          if (!durable) gather->durable = false;
          if (gather->left.fetch_sub(1) == 1) gather->done(gather->durable);
        },
        options_.clock->mono_now());
  }
}

std::uint32_t TierCore::now_seconds() const {
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(options_.clock->wall_now().unix_seconds(), 0, 0xffffffff));
}

void TierCore::note(Note note) {
  std::uint64_t now = max_note_epoch_.load();
  while (now < note.epoch && !max_note_epoch_.compare_exchange_weak(now, note.epoch)) {
  }
  const JournalEntry e = note_entry(std::move(note));
  for (const auto& volume : volumes_) volume->journal().add(e);
}

TierStats TierCore::stats() const {
  const Counters& c = counters_;
  TierStats s;
  s.objects = index_.size();
  s.index_bytes = index_.bytes();
  s.lookups = c.lookups, s.found = c.found;
  s.reads = c.reads, s.read_bytes = c.read_bytes, s.body_bytes_out = c.body_bytes_out;
  s.reads_gone = c.reads_gone, s.reads_corrupt = c.reads_corrupt, s.reads_failed = c.reads_failed;
  s.reads_busy = c.reads_busy, s.reads_timeout = c.reads_timeout;
  for (std::size_t i = 0; i < kPutStatuses; ++i) s.puts[i] = c.puts[i];
  s.put_bytes = c.put_bytes, s.written_bytes = c.written_bytes, s.syncs = c.syncs;
  s.erased = c.erased, s.evicted = c.evicted, s.evicted_segments = c.evicted_segments;
  s.reinserted = c.reinserted, s.reinserted_bytes = c.reinserted_bytes;
  s.lz4_bytes_in = c.lz4_in, s.lz4_bytes_out = c.lz4_out, s.lz4_skipped_bytes = c.lz4_skipped;
  s.lz4_compress_ns = c.lz4_compress_ns, s.lz4_decompress_ns = c.lz4_decompress_ns;
  s.asides_written = c.asides;
  for (const auto& volume : volumes_) {
    s.volumes.push_back(volume->stats());
    s.journal_entries += volume->journal().entries();
    s.journal_commits += volume->journal().commits();
    s.written_bytes += volume->journal().written_bytes();
  }
  return s;
}

// --- Tier

Tier::Tier(std::shared_ptr<TierCore> core) : core_(std::move(core)) {}

std::expected<std::unique_ptr<Tier>, std::string> Tier::open(TierOptions options) {
  SW_CHECK(options.clock != nullptr, "a tier needs a clock");
  if (const auto problem = check_volumes(options.volumes)) return std::unexpected(*problem);
  const auto core = std::make_shared<TierCore>(std::move(options));
  if (auto opened = core->open(); !opened) return std::unexpected(opened.error());
  core->start(core);
  return std::unique_ptr<Tier>(new Tier(core));
}

Tier::~Tier() {
  close();
}

void Tier::close() {
  core_->close();
}

std::vector<Candidate> Tier::find(std::uint64_t hash) const {
  core_->counters().lookups.fetch_add(1, std::memory_order_relaxed);
  if (core_->is_closed()) return {};
  auto found = core_->index().find(hash, core_->now_seconds());
  if (!found.empty()) core_->counters().found.fetch_add(1, std::memory_order_relaxed);
  return found;
}

bool Tier::holds(const Candidate& candidate) const {
  return !core_->is_closed() && core_->index().place_of(candidate.hash, candidate.sequence).has_value();
}

void Tier::mark_used(const Candidate& candidate) {
  core_->index().mark_used(candidate.hash, candidate.sequence);
}

Pending Tier::read(const Candidate& candidate, std::uint64_t max_body_bytes, MemoryBudget* budget, Executor& executor,
                   ReadDone done) {
  return start_read(core_, candidate, max_body_bytes, budget, executor, std::move(done));
}

Pending Tier::open_body(const Candidate& candidate, std::optional<std::uint64_t> first_wanted, MemoryBudget* budget,
                        Executor& executor, OpenDone done) {
  return start_open_body(core_, candidate, first_wanted, budget, executor, std::move(done));
}

void Tier::put(Meta meta, std::string head, SliceChain body, Executor* executor, PutDone done) {
  TierCore& core = *core_;
  // What has to be durable is waited for only when somebody wants to hear of it.
  const auto report = [&core, executor](PutDone then) {
    return [&core, executor, then = std::move(then)](PutStatus status) mutable {
      core.counters().puts[static_cast<std::size_t>(status)].fetch_add(1, std::memory_order_relaxed);
      if (executor == nullptr || !then) return;
      core.when_durable([status, executor, then = std::move(then)](bool durable) mutable {
        complete(executor, std::move(then), PutResult{.status = status, .durable = durable});
      });
    };
  };
  if (core.is_closed()) {
    complete(executor, std::move(done), PutResult{.status = PutStatus::kClosed, .durable = false});
    return;
  }
  auto done_with = report(std::move(done));
  const std::uint64_t size = total_size(body);
  const std::uint64_t bytes = size + head.size() + meta.key.size();
  Volume* volume = core.volume_for(meta.hash);
  std::optional<PutStatus> skipped;
  if (volume == nullptr) {
    skipped = PutStatus::kOutOfService;
  } else if (meta.key.size() > kMaxKeyBytes || head.size() > kMaxHeadBytes || size > core.max_body_bytes() ||
             core.groups().exceeds(volume->number(), core.groups().number_of(meta.group), bytes)) {
    skipped = PutStatus::kTooLarge;
  } else if (meta.purge_epoch < core.epoch_floor()) {
    skipped = PutStatus::kReplaced;
  } else if (!core.admission().admits(meta.hash, bytes, meta.wanted, core.options().clock->mono_now())) {
    skipped = PutStatus::kNotAdmitted;
  }
  if (skipped) {
    core.index().erase(meta.hash, meta.variant);
    done_with(*skipped);
    return;
  }
  WriteOp op;
  op.kind = WriteOp::Kind::kPut;
  op.put = core.index().begin_put(meta, volume->number());
  op.meta = std::move(meta);
  op.head = std::move(head);
  op.body = std::move(body);
  op.done = std::move(done_with);
  if (volume->writer().submit(op)) return;
  core.index().abandon(*op.put);
  op.done(core.is_closed() ? PutStatus::kClosed : PutStatus::kBacklog);
}

std::unique_ptr<StreamWriter> Tier::begin_stream(Meta meta) {
  TierCore& core = *core_;
  Volume* volume = core.is_closed() ? nullptr : core.volume_for(meta.hash);
  std::optional<PutStatus> skipped;
  if (volume == nullptr) {
    skipped = core.is_closed() ? PutStatus::kClosed : PutStatus::kOutOfService;
  } else if (meta.key.size() > kMaxKeyBytes) {
    skipped = PutStatus::kTooLarge;
  } else if (core.index().is_loading()) {
    skipped = PutStatus::kBacklog;  // nothing is written yet, and the origin would be kept waiting
  } else if (meta.purge_epoch < core.epoch_floor()) {
    skipped = PutStatus::kReplaced;
  } else if (!core.admission().admits(meta.hash, volume->chunk_bytes(), meta.wanted,
                                      core.options().clock->mono_now())) {
    skipped = PutStatus::kNotAdmitted;
  }
  if (skipped) {
    core.counters().puts[static_cast<std::size_t>(*skipped)].fetch_add(1, std::memory_order_relaxed);
    return nullptr;
  }
  return make_stream_writer(core_, *volume, std::move(meta));
}

std::uint64_t Tier::max_body_bytes() const {
  return core_->max_body_bytes();
}

namespace {

void report_durable(TierCore& core, Executor* executor, Tier::DurableDone done) {
  if (executor == nullptr || !done) return;
  if (core.is_closed()) {
    complete(executor, std::move(done), false);
    return;
  }
  core.when_durable(
      [executor, done = std::move(done)](bool durable) mutable { complete(executor, std::move(done), durable); });
}

}  // namespace

std::size_t Tier::erase(std::uint64_t hash, Executor* executor, DurableDone done) {
  const std::size_t erased = core_->is_closed() ? 0 : core_->index().erase(hash, std::nullopt, core_->now_seconds());
  core_->counters().erased += erased;
  report_durable(*core_, executor, std::move(done));
  return erased;
}

void Tier::erase(std::uint64_t hash, std::uint64_t variant, Executor* executor, DurableDone done) {
  if (!core_->is_closed()) core_->counters().erased += core_->index().erase(hash, variant);
  report_durable(*core_, executor, std::move(done));
}

void Tier::journal(Note note, Executor* executor, DurableDone done) {
  const bool has_any =
      std::ranges::any_of(core_->volumes(), [](const auto& volume) { return volume->is_in_service(); });
  if (core_->is_closed() || !has_any || note.payload.size() > kMaxNoteBytes) {
    complete(executor, std::move(done), false);
    return;
  }
  core_->note(std::move(note));
  report_durable(*core_, executor, std::move(done));
}

void Tier::set_group(std::uint32_t label, GroupBounds bounds) {
  core_->groups().set_bounds(label, bounds);
  for (const auto& volume : core_->volumes()) volume->writer().trim();
}

GroupUse Tier::group_use(std::uint32_t label) const {
  return core_->groups().use(label);
}

std::uint64_t Tier::first_epoch() const {
  return core_->first_epoch();
}

std::uint64_t Tier::epoch() const {
  return core_->epoch();
}

void Tier::sync(Executor* executor, DurableDone done) {
  struct Gather {
    std::atomic<std::size_t> left;
    std::atomic<bool> ok{true};
    DurableDone done;
  };
  const auto gather = std::make_shared<Gather>();
  gather->left = core_->volumes().size();
  gather->done = std::move(done);
  for (const auto& volume : core_->volumes()) {
    WriteOp op;
    op.kind = WriteOp::Kind::kSync;
    op.done = [core = core_, executor, gather](PutStatus status) {
      if (status != PutStatus::kStored) gather->ok = false;
      if (gather->left.fetch_sub(1) != 1) return;
      core->when_durable([executor, gather](bool durable) {
        complete(executor, std::move(gather->done), durable && gather->ok.load());
      });
    };
    if (!volume->writer().submit(op)) op.done(PutStatus::kClosed);
  }
}

bool Tier::is_loaded() const {
  return !core_->index().is_loading();
}

bool Tier::await_loaded(std::chrono::milliseconds limit) {
  return core_->index().await_loaded(limit);
}

TierStats Tier::stats() const {
  return core_->stats();
}

}  // namespace seawall::disk
