#include "disk/inspect.h"

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

#include "disk/block_codec.h"
#include "disk/journal.h"
#include "disk/record_reader.h"
#include "disk/segment_file.h"

namespace seawall::disk {

namespace {

constexpr std::size_t kMaxProblems = 1000;

struct FoundRecord {
  std::uint64_t hash = 0;
  std::uint64_t variant = 0;
  std::uint64_t sequence = 0;
  std::uint32_t usable_until = 0;
  std::size_t segment = 0;
  std::uint64_t offset = 0;
  std::vector<Chunk> chunks;
  bool is_whole = false;     // no block is known to be damaged, and no chunk is missing
  bool is_servable = false;  // by the user's rules
  bool is_current = false;   // not dead
};

// Whose a chunk is, and which: has to agree with the final record.
struct ChunkName {
  std::uint64_t hash = 0;
  std::uint64_t sequence = 0;
  std::uint64_t index = 0;
  std::uint64_t body_bytes = 0;

  friend bool operator==(const ChunkName&, const ChunkName&) = default;
};

class Inspection {
 public:
  Inspection(const InspectOptions& options, std::string directory)
      : options_(options),
        fs_(options.file_system != nullptr ? *options.file_system : posix_file_system()),
        directory_(std::move(directory)) {}

  std::expected<void, std::string> open() {
    // First of all: what a server leaves while it ends is seen whole, or not at all.
    auto lock = fs_.lock(path("LOCK"), false);
    const auto names = fs_.list(directory_);
    if (!names) return refuse(error_text(names.error()));
    names_ = *names;
    std::ranges::sort(names_);
    const auto bytes = read_file(fs_, path("volume"), 64 << 10);
    if (!bytes) return refuse("volume: " + error_text(bytes.error()) + "; it is no disk cache, or has never been used");
    const auto decoded = decode_volume_file(*bytes);
    if (!decoded.file && decoded.fault == VolumeFileFault::kNewer) {
      return refuse("it was written by a newer version of seawall; use that one");
    }
    if (!decoded.file && decoded.fault == VolumeFileFault::kForeign)
      return refuse("volume: not a file of a disk cache");
    if (!lock && lock.error() == EWOULDBLOCK) return refuse("a server is using it; stop that one first");
    if (lock) lock_ = std::move(*lock);
    if (!decoded.file) {
      problem("volume: damaged: the next start will empty the directory");
      return {};
    }
    volume_ = *decoded.file;
    report_.version = volume_.version;
    journal_ = read_journal(fs_, directory_, names_, volume_.volume_id);
    const bool is_member = std::ranges::find(volume_.members, volume_.volume_id) != volume_.members.end();
    if (!journal_.is_whole) {
      problem("journal: damaged: the next start will empty the directory");
    } else if (!is_member) {
      problem("volume: it left service: the next start will empty the directory");
    }
    is_believed_ = journal_.is_whole && is_member;
    for (const JournalEntry& e : journal_.entries) {
      if (e.kind == JournalKind::kTombstone) dead_[e.hash].push_back(e);
      if (e.kind == JournalKind::kNote && options_.on_note) {
        options_.on_note(Note{.kind = e.note_kind, .epoch = e.epoch, .payload = e.payload});
      }
      report_.notes += e.kind == JournalKind::kNote;
      report_.tombstones += e.kind == JournalKind::kTombstone;
    }
    return {};
  }

  // `deep` verifies every block.
  void read_segments(bool deep) {
    open_segments();
    for (std::size_t i = 0; i < segments_.size(); ++i) read_segment(i, deep);
    settle();
    for (const FoundRecord& r : records_) (is_served(r) ? report_.records : report_.dead) += 1;
  }

  void list(const std::function<void(const ListedRecord&)>& each) {
    for (const FoundRecord& r : records_) {
      if (!is_served(r)) continue;
      const OpenSegment& s = segments_[r.segment];
      const auto record = read_record(nullptr, *s.file, s.nonce, r.offset, 4096).take();
      if (!record) {
        problem_at(s, r.offset, "cannot be read again");
        continue;
      }
      const RecordHeader& h = record->header;
      ListedRecord listed;
      listed.key = std::string(record->meta.key);
      listed.variant = h.variant;
      listed.body_bytes = h.body_bytes;
      listed.stored_bytes = h.stored_bytes;
      for (const Chunk& c : record->meta.chunks) listed.stored_bytes += c.stored_bytes;
      listed.usable_until = h.usable_until;
      listed.is_compressed = std::ranges::any_of(record->meta.blocks, &Block::is_lz4);
      listed.is_streamed = h.kind == RecordKind::kFinal;
      each(listed);
    }
  }

  CheckReport& report() { return report_; }

 private:
  struct OpenSegment {
    std::string name;
    std::uint64_t nonce = 0;
    std::uint64_t id = 0;
    std::uint64_t boot = 0;  // in which it was begun
    std::uint64_t bytes = 0;
    std::unique_ptr<File> file;
  };

  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  std::unexpected<std::string> refuse(const std::string& what) const {
    return std::unexpected("disk cache directory " + directory_ + ": " + what);
  }
  void problem(std::string text) {
    if (report_.problems.size() < kMaxProblems) report_.problems.push_back(std::move(text));
    report_.problem_count += 1;
  }

  void problem_at(const OpenSegment& s, std::uint64_t offset, const std::string& what) {
    problem(s.name + ": at " + std::to_string(offset) + ": " + what);
  }

  bool is_served(const FoundRecord& r) const {
    return r.is_current && r.is_whole && r.is_servable && r.usable_until > now_;
  }

  void open_segments() {
    for (const std::string& name : names_) {
      const std::uint64_t id = segment_id(name);
      if (id == 0) continue;
      auto file = fs_.open(path(name), OpenMode::kRead);
      if (!file) {
        problem(name + ": " + error_text(file.error()));
        continue;
      }
      const auto size = (*file)->size();
      std::string page(kPageBytes, '\0');
      const auto n = (*file)->read(0, page);
      if (!size || !n) {
        problem(name + ": " + error_text(!size ? size.error() : n.error()));
        continue;
      }
      page.resize(*n);
      const auto header = decode_segment_header(page);
      if (!header || header->segment_id != id) {
        problem(name + ": header: damaged: the next start will remove it");
        continue;
      }
      if (header->volume_id != volume_.volume_id) continue;  // left over from before the directory was emptied
      report_.segments += 1;
      report_.bytes += *size;
      segments_.push_back({.name = name,
                           .nonce = header->nonce,
                           .id = id,
                           .boot = header->created_sequence >> kBootShift,
                           .bytes = *size,
                           .file = std::move(*file)});
    }
  }

  // Whether a crash may have torn its end: a boot seals one before it begins the next, and a stop in good order writes
  // what is left. Segments are sorted by age.
  bool may_be_torn(std::size_t index) const {
    const std::uint64_t boot = segments_[index].boot;
    const bool is_last_of_boot = index + 1 == segments_.size() || segments_[index + 1].boot != boot;
    return is_last_of_boot && !(volume_.is_closed && volume_.boot == boot);
  }

  // Where its records end: at a footer, or with the file.
  std::uint64_t records_end(const OpenSegment& s) {
    std::string bytes(kTrailerBytes, '\0');
    if (s.bytes < kPageBytes + kTrailerBytes) return s.bytes;
    const auto n = s.file->read(s.bytes - kTrailerBytes, bytes);
    const auto trailer = n && *n == bytes.size() ? decode_trailer(bytes) : std::nullopt;
    if (!trailer || trailer->summary.nonce != s.nonce || trailer->summary.covered_bytes >= s.bytes) return s.bytes;
    const std::uint64_t end = trailer->summary.covered_bytes;
    bytes.resize(s.bytes - end);
    const auto m = s.file->read(end, bytes);
    if (!m || *m != bytes.size() || !decode_footer(bytes, *trailer)) problem(s.name + ": footer: damaged");
    return end;
  }

  void read_segment(std::size_t index, bool deep) {
    const OpenSegment& s = segments_[index];
    const std::uint64_t end = records_end(s);
    std::optional<std::uint64_t> gap;
    const auto end_gap = [&] {
      if (gap) problem_at(s, *gap, "not a record");
      gap.reset();
    };
    const auto scanned = scan_records(
        *s.file, s.nonce, kPageBytes, end,
        [&](std::uint64_t offset, const RecordHeader& header, const RecordMeta& meta) {
          end_gap();
          const bool is_good = !deep || header.kind == RecordKind::kFinal ||
                               read_whole_record(*s.file, s.nonce, offset, header.stored_bytes).has_value();
          if (!is_good) problem_at(s, offset, "a body that does not match its checksums");
          if (header.kind == RecordKind::kChunk) {
            const ChunkName name{header.hash, header.sequence, header.chunk_index, header.body_bytes};
            if (is_good) chunks_[{s.id, offset}] = name;
            return;
          }
          records_.push_back(
              {.hash = header.hash,
               .variant = header.variant,
               .sequence = header.sequence,
               .usable_until = header.usable_until,
               .segment = index,
               .offset = offset,
               .chunks = meta.chunks,
               .is_whole = is_good,
               .is_servable =
                   !options_.is_servable ||
                   options_.is_servable({.key = meta.key, .head = meta.head, .purge_epoch = header.purge_epoch})});
        },
        [&](std::uint64_t offset) { gap = offset; });
    if (!scanned) problem(s.name + ": " + error_text(EIO));
    // What a crash has torn was never promised.
    if (end != s.bytes || !may_be_torn(index)) end_gap();
  }

  bool has_its_chunks(const FoundRecord& r) const {
    for (std::size_t i = 0; i < r.chunks.size(); ++i) {
      const Chunk& c = r.chunks[i];
      const auto found = chunks_.find({c.segment_id, c.offset});
      if (found == chunks_.end() || found->second != ChunkName{r.hash, r.sequence, i, c.body_bytes}) return false;
    }
    return true;
  }

  bool is_dead(const FoundRecord& r) const {
    const auto found = dead_.find(r.hash);
    return found != dead_.end() && std::ranges::any_of(found->second, [&](const JournalEntry& e) {
             return e.sequence > r.sequence && (e.every_variant || e.variant == r.variant);
           });
  }

  // As a start would: what is not dead, and of each variant the youngest.
  void settle() {
    std::unordered_map<std::uint64_t, std::vector<std::size_t>> current;
    for (std::size_t i = 0; i < records_.size(); ++i) {
      FoundRecord& r = records_[i];
      r.is_whole = r.is_whole && has_its_chunks(r);
      if (!is_believed_ || is_dead(r)) continue;
      auto& others = current[r.hash];
      const auto same = std::ranges::find_if(others, [&](std::size_t o) { return records_[o].variant == r.variant; });
      if (same == others.end()) {
        others.push_back(i);
      } else if (records_[*same].sequence < r.sequence) {
        records_[*same].is_current = false;
        *same = i;
      } else {
        continue;
      }
      r.is_current = true;
    }
  }

  const InspectOptions& options_;
  FileSystem& fs_;
  const std::string directory_;
  const std::int64_t now_ = options_.clock->wall_now().unix_seconds();
  std::unique_ptr<File> lock_;
  std::vector<std::string> names_;
  VolumeFile volume_;
  FoundJournal journal_;
  bool is_believed_ = false;  // by the next start
  std::unordered_map<std::uint64_t, std::vector<JournalEntry>> dead_;
  std::vector<OpenSegment> segments_;
  std::vector<FoundRecord> records_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, ChunkName> chunks_;  // by segment and offset
  CheckReport report_;
};

}  // namespace

std::expected<CheckReport, std::string> check(const std::string& directory, const InspectOptions& options) {
  Inspection inspection(options, directory);
  if (const auto opened = inspection.open(); !opened) return std::unexpected(opened.error());
  inspection.read_segments(true);
  return std::move(inspection.report());
}

std::expected<CheckReport, std::string> list(const std::string& directory, const InspectOptions& options,
                                             const std::function<void(const ListedRecord&)>& each) {
  Inspection inspection(options, directory);
  if (const auto opened = inspection.open(); !opened) return std::unexpected(opened.error());
  inspection.read_segments(false);
  inspection.list(each);
  return std::move(inspection.report());
}

}  // namespace seawall::disk
