// What a volume does to know again what it has: the index aside, footers, and the records themselves.
#include <algorithm>
#include <cerrno>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "disk/bytes.h"
#include "disk/record_reader.h"
#include "disk/volume.h"

namespace seawall::disk {

namespace {

// What even a slow disk writes in a microsecond.
constexpr std::size_t kSlowBytesPerUs = 8;

constexpr std::size_t kMaxAsideBytes = std::size_t{8} << 30;

}  // namespace

void Volume::mark_house_io(std::uint64_t bytes) {
  house_io_ = context_.options.clock->mono_now().us + static_cast<std::int64_t>(bytes / kSlowBytesPerUs);
}

IoResult<void> Volume::load() {
  FileSystem& fs = context_.fs;
  mark_house_io(0);
  const auto names = fs.list(own_.path);
  if (!names) return std::unexpected(names.error());
  Aside aside;
  if (const auto file = fs.open(file_path("index"), OpenMode::kRead)) mark_house_io((*file)->size().value_or(0));
  if (const auto bytes = read_file(fs, file_path("index"), kMaxAsideBytes)) {
    aside = decode_aside(*bytes, volume_id_);
    aside_bytes_ = bytes->size();
  }
  std::unordered_map<std::uint64_t, const SegmentSummary*> summaries;
  std::size_t records = 0;
  for (const SegmentSummary& s : aside.segments) {
    summaries[s.segment_id] = &s;
    records += s.entries.size();
  }
  if (records > 0) context_.index.reserve(records);

  std::vector<std::shared_ptr<SegmentFile>> found;
  bool any_unlinked = false;
  for (const std::string& name : *names) {
    const std::uint64_t id = segment_id(name);
    const bool is_left_over = name.ends_with(".new") && name != "lost+found";
    if (id == 0 && !is_left_over) continue;
    mark_house_io(0);
    if (id != 0) {
      auto file = fs.open(file_path(name), OpenMode::kReadWrite);
      if (!file) return std::unexpected(file.error());
      std::string page(kPageBytes, '\0');
      const auto n = (*file)->read(0, page);
      if (!n) return std::unexpected(n.error());
      page.resize(*n);
      const auto header = decode_segment_header(page);
      if (header && header->volume_id == volume_id_ && header->segment_id == id) {
        auto segment = std::make_shared<SegmentFile>();
        segment->file = std::move(*file);
        segment->path = file_path(name);
        segment->id = id;
        segment->nonce = header->nonce;
        segment->min_sequence = header->created_sequence;
        found.push_back(std::move(segment));
        continue;
      }
    }
    // Of a life of the volume before it was emptied, unreadable, or never finished.
    if (is_left_over && journal_generation(name.substr(0, name.size() - 4)) == 0 && name != "index.new" &&
        name != "volume.new" && name != "journal.new") {
      continue;
    }
    if (const auto r = fs.unlink(file_path(name)); !r && r.error() != ENOENT) return r;
    any_unlinked = true;
  }
  if (any_unlinked) {
    if (const auto r = fs.sync_directory(own_.path); !r) return r;
  }
  // The youngest first: what is asked for is most likely there.
  std::ranges::sort(found, [](const auto& a, const auto& b) { return a->id > b->id; });
  for (const auto& segment : found) {
    {
      const std::scoped_lock lock(mutex_);
      if (closing_) return {};
    }
    if (!is_in_service()) return {};
    mark_house_io(segment_bytes_);
    const auto summary = summaries.find(segment->id);
    const auto r = load_segment(segment, summary == summaries.end() ? nullptr : summary->second);
    // One that cannot be read is not worth the volume, if only it goes for good.
    if (!r && !remove_segment(segment)) return r;
  }
  VolumeState loading = VolumeState::kLoading;
  if (state_.compare_exchange_strong(loading, VolumeState::kInService)) context_.index.loaded(number_);
  return {};
}

bool Volume::remove_segment(const std::shared_ptr<SegmentFile>& segment) {
  read_errors_.fetch_add(1, std::memory_order_relaxed);
  if (!context_.fs.unlink(segment->path) || !context_.fs.sync_directory(own_.path)) return false;
  if (segments_.find_id(segment->id)) segments_.remove(*segment);
  return true;
}

IoResult<void> Volume::load_segment(const std::shared_ptr<SegmentFile>& segment, const SegmentSummary* aside) {
  const auto size = segment->file->size();
  if (!size) return std::unexpected(size.error());
  segment->bytes = *size;
  if (!segments_.add(segment)) return std::unexpected(EMFILE);
  if (aside != nullptr && (aside->nonce != segment->nonce || aside->covered_bytes > *size)) aside = nullptr;

  std::optional<SegmentSummary> footer;
  const std::vector<Entry>* entries = nullptr;
  if (*size >= kPageBytes + kTrailerBytes) {
    std::string bytes(kTrailerBytes, '\0');
    const auto n = segment->file->read(*size - kTrailerBytes, bytes);
    if (!n) return std::unexpected(n.error());
    bytes.resize(*n);
    const auto trailer = decode_trailer(bytes);
    if (trailer && trailer->summary.segment_id == segment->id && trailer->summary.nonce == segment->nonce &&
        trailer->summary.covered_bytes >= kPageBytes && trailer->summary.covered_bytes < *size) {
      if (aside != nullptr && aside->covered_bytes >= trailer->summary.covered_bytes) {
        footer = trailer->summary;
        entries = &aside->entries;
      } else {
        bytes.resize(*size - trailer->summary.covered_bytes);
        const auto m = segment->file->read(trailer->summary.covered_bytes, bytes);
        if (!m) return std::unexpected(m.error());
        footer = decode_footer(bytes, *trailer);
        if (footer) entries = &footer->entries;
      }
    }
  }
  if (entries == nullptr) return recover_segment(segment, aside != nullptr ? *aside : SegmentSummary{});
  segment->lower_min_sequence(footer->min_sequence);
  segment->min_epoch = footer->min_epoch;
  segment->settled_bytes = footer->covered_bytes;
  segment->is_sealed = true;
  for (const Entry& e : *entries) context_.index.load(e, segment->slot);
  return {};
}

IoResult<void> Volume::recover_segment(const std::shared_ptr<SegmentFile>& segment, SegmentSummary known) {
  SegmentSummary s = std::move(known);
  if (s.covered_bytes != 0) {
    segment->lower_min_sequence(s.min_sequence);
    segment->lower_min_epoch(s.min_epoch);
  }
  const std::uint64_t from = std::max<std::uint64_t>(s.covered_bytes, kPageBytes);
  std::erase_if(s.entries, [from](const Entry& e) { return e.offset >= from; });
  const auto end = scan_records(*segment->file, segment->nonce, from, segment->bytes,
                                [&](std::uint64_t offset, const RecordHeader& header, const RecordMeta& meta) {
                                  segment->lower_min_sequence(header.sequence);
                                  segment->lower_min_epoch(header.purge_epoch);
                                  if (header.kind != RecordKind::kChunk) {
                                    s.entries.push_back(entry_of(header, meta, offset));
                                  }
                                });
  if (!end) return std::unexpected(EIO);
  s.segment_id = segment->id;
  s.nonce = segment->nonce;
  s.covered_bytes = round_up(*end, kPageBytes);
  s.min_sequence = segment->min_sequence;
  s.min_epoch = segment->min_epoch;
  const std::string footer = encode_footer(s);
  File& file = *segment->file;
  if (const auto r = file.truncate(*end); !r) return r;  // what could not be read shall not be looked at again
  const auto written = file.write(s.covered_bytes, footer);
  // On a full disk it does without: the next start scans it again.
  if (!written && !is_full(written.error())) return written;
  if (const auto r = file.sync(); !r) return r;
  segment->bytes = s.covered_bytes + footer.size();
  segment->settled_bytes = s.covered_bytes;
  segment->is_sealed = true;
  for (const Entry& e : s.entries) context_.index.load(e, segment->slot);
  return {};
}

IoResult<void> Volume::write_aside() {
  const std::uint64_t marker = context_.counters.written_bytes + journal_.entries() + context_.counters.evicted;
  if (marker == aside_marker_) return {};
  Aside aside;
  aside.volume_id = volume_id_;
  std::unordered_map<std::uint16_t, std::size_t> by_slot;
  const auto segments = segments_.all();
  for (const auto& segment : segments) {
    by_slot[segment->slot] = aside.segments.size();
    SegmentSummary s;
    s.segment_id = segment->id;
    s.nonce = segment->nonce;
    s.covered_bytes = segment->settled_bytes;  // before the index is looked at: what is behind it is found again
    s.min_sequence = segment->min_sequence;
    s.min_epoch = segment->min_epoch;
    aside.segments.push_back(std::move(s));
  }
  context_.index.collect(number_, [&](std::uint16_t slot, const Entry& entry) {
    const auto found = by_slot.find(slot);
    if (found == by_slot.end()) return;
    SegmentSummary& s = aside.segments[found->second];
    if (entry.offset < s.covered_bytes) s.entries.push_back(entry);
  });
  // A slot that another segment has taken meanwhile has its entries.
  for (std::size_t i = segments.size(); i-- > 0;) {
    if (segments_.find(segments[i]->slot) != segments[i]) {
      aside.segments.erase(aside.segments.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
  const std::string bytes = encode(aside);
  // Without room for it, it stays away: a start takes longer then, and nothing else.
  if (!fits(0) || bytes.size() > own_.capacity_bytes / 8) return {};
  // All of a large index at once takes a slow disk its time.
  mark_house_io(bytes.size());
  const auto written = replace_file(context_.fs, own_.path, "index", bytes);
  mark_io(house_io_, false);
  if (!written && is_full(written.error())) {
    std::ignore = context_.fs.unlink(file_path("index.new"));
    return {};
  }
  if (!written) return written;
  aside_bytes_ = bytes.size();
  context_.counters.written_bytes += bytes.size();
  context_.counters.asides += 1;
  aside_marker_ = context_.counters.written_bytes + journal_.entries() + context_.counters.evicted;
  return {};
}

}  // namespace seawall::disk
