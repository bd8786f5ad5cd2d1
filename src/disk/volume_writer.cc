#include "disk/volume_writer.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <tuple>
#include <utility>

#include "base/check.h"
#include "base/rng.h"
#include "disk/bytes.h"
#include "disk/volume.h"

namespace seawall::disk {

namespace {

constexpr std::size_t kBufferBytes = 1 << 20;
constexpr std::size_t kOpBytes = 512;  // that an op itself counts as backlog
constexpr std::chrono::milliseconds kTick{50};
// No room, and nothing to evict but what is still being read: the put is skipped. No errno.
constexpr int kNoRoom = -1;

}  // namespace

bool VolumeWriter::submit(WriteOp& op) {
  op.bytes = total_size(op.body) + op.head.size() + op.meta.key.size() + kOpBytes;
  const std::scoped_lock lock(mutex_);
  if (stopping_) return false;
  const bool is_bounded = op.kind == WriteOp::Kind::kPut || op.kind == WriteOp::Kind::kChunk;
  if (is_bounded && backlog_ + op.bytes > volume_.context().options.backlog_bytes) {
    return false;
  }
  backlog_ += op.bytes;
  if (MemoryBudget* const budget = volume_.context().options.budget) {
    op.charge = BudgetCharge(*budget, op.head.size() + op.meta.key.size() + kOpBytes);
  }
  queue_.push_back(std::move(op));
  if (queue_.size() == 1) wake_.notify_one();
  return true;
}

bool VolumeWriter::has_room_for(std::uint64_t body_bytes) const {
  return backlog_bytes() + body_bytes + kOpBytes <= volume_.context().options.backlog_bytes;
}

void VolumeWriter::stop() {
  const std::scoped_lock lock(mutex_);
  stopping_ = true;
  wake_.notify_one();
}

void VolumeWriter::wake() {
  const std::scoped_lock lock(mutex_);
  poked_ = true;
  wake_.notify_one();
}

void VolumeWriter::trim() {
  trims_ = true;
  wake();
}

bool VolumeWriter::is_stopping() {
  const std::scoped_lock lock(mutex_);
  return stopping_;
}

void VolumeWriter::run() {
  std::unique_lock lock(mutex_);
  // Room can be made only when it is known what there is; and to write used records again while another volume loads
  // would need more care than it is worth.
  while (!stopping_ && volume_.is_in_service() && volume_.context().index.is_loading()) {
    wake_.wait_for(lock, kTick);
  }
  if (volume_.is_in_service() && volume_.context().index.is_loading()) {
    std::deque<WriteOp> queue;
    queue.swap(queue_);
    lock.unlock();
    for (WriteOp& op : queue) finish_op(op, PutStatus::kClosed);
    return;
  }
  for (;;) {
    const bool idle = buffer_.empty() && unsynced_bytes_ == 0 && !trims_;
    const auto ready = [this] { return stopping_ || poked_ || !queue_.empty(); };
    if (idle) {
      wake_.wait(lock, ready);
    } else {
      wake_.wait_for(lock, kTick, ready);
    }
    poked_ = false;
    if (queue_.empty() && stopping_) break;
    std::optional<WriteOp> op;
    if (!queue_.empty()) {
      op = std::move(queue_.front());
      queue_.pop_front();
    }
    lock.unlock();
    volume_.mark_io(volume_.writer_io(), true);
    if (!volume_.is_in_service()) {
      give_up(PutStatus::kOutOfService);
      volume_.return_to_service();
    }
    if (op) {
      const std::uint64_t bytes = op->bytes;
      perform(*op);
      backlog_ -= bytes;
    }
    tick();
    volume_.mark_io(volume_.writer_io(), false);
    lock.lock();
  }
  lock.unlock();
  if (volume_.is_in_service() && !sync()) volume_.context().host.take_out(volume_.number(), "sync at the end failed");
  if (!volume_.is_in_service()) give_up(PutStatus::kOutOfService);
}

void VolumeWriter::tick() {
  if (!volume_.is_in_service()) {
    trims_ = false;
    return;
  }
  const TierOptions& o = volume_.context().options;
  const MonoTime now = o.clock->mono_now();
  IoResult<void> done;
  if (trims_.exchange(false)) {
    const bool trims_more = trim_some();
    const auto shrinks_more = shrink_some();
    trims_ = trims_more || shrinks_more.value_or(false);
    if (!shrinks_more && shrinks_more.error() != kNoRoom) done = std::unexpected(shrinks_more.error());
  }
  if (done && !buffer_.empty() && now - buffered_since_ >= o.flush_interval) done = flush();
  if (done && unsynced_bytes_ > 0 && (unsynced_bytes_ >= o.sync_bytes || now - unsynced_since_ >= o.sync_interval)) {
    done = sync();
  }
  if (!done) {
    volume_.count_write_error();
    volume_.context().host.take_out(volume_.number(), "writing: " + error_text(done.error()));
    give_up(PutStatus::kFailed);
  }
}

void VolumeWriter::give_up(PutStatus status) {
  for (Unsettled& u : unsettled_) {
    if (u.put) volume_.context().index.abandon(*u.put);
    if (u.done) u.done(status);
  }
  unsettled_.clear();
  buffer_.clear();
  entries_.clear();
  open_.reset();
  unsynced_bytes_ = 0;
}

void VolumeWriter::finish_op(WriteOp& op, PutStatus status) {
  if (op.put) volume_.context().index.abandon(*op.put);
  if (op.done) op.done(status);
}

bool VolumeWriter::is_too_old(const PendingPut& put) const {
  return put.is_dead || put.purge_epoch < volume_.context().host.epoch_floor();
}

void VolumeWriter::perform(WriteOp& op) {
  if (op.stream && op.stream->has_failed) {
    if (op.kind == WriteOp::Kind::kFinish) {
      finish_op(op, op.put->is_dead ? PutStatus::kReplaced : PutStatus::kFailed);
    }
    return;
  }
  if (!volume_.is_in_service()) {
    if (op.stream) op.stream->has_failed = true;
    finish_op(op, PutStatus::kOutOfService);
    return;
  }
  IoResult<void> done;
  switch (op.kind) {
    case WriteOp::Kind::kPut: done = put(op); break;
    case WriteOp::Kind::kChunk:
      done = write_chunk(*op.stream, op.body);
      if (!done) op.stream->has_failed = true;
      break;
    case WriteOp::Kind::kFinish: {
      if (!op.body.empty()) done = write_chunk(*op.stream, op.body);
      if (done) done = finish_stream(op, *op.stream, op.meta);
      break;
    }
    case WriteOp::Kind::kSync:
      done = sync();
      if (done && op.done) op.done(PutStatus::kStored);
      break;
  }
  if (done) return;
  if (done.error() == kNoRoom) {
    finish_op(op, PutStatus::kBacklog);
    return;
  }
  volume_.count_write_error();
  volume_.context().host.take_out(volume_.number(), "writing: " + error_text(done.error()));
  if (op.kind != WriteOp::Kind::kChunk) finish_op(op, PutStatus::kFailed);
  give_up(PutStatus::kFailed);
}

namespace {

RecordHeader header_of(const Meta& meta, const PendingPut& put, RecordKind kind, std::size_t head_bytes) {
  RecordHeader h;
  h.kind = kind;
  h.hash = meta.hash;
  h.variant = meta.variant;
  h.sequence = put.sequence;
  h.purge_epoch = meta.purge_epoch;
  h.usable_until = meta.usable_until;
  if (kind != RecordKind::kChunk) {
    h.key_bytes = static_cast<std::uint32_t>(meta.key.size());
    h.head_bytes = static_cast<std::uint32_t>(head_bytes);
  }
  return h;
}

void count(Counters& c, const EncodeCost& cost) {
  c.lz4_in += cost.lz4_in;
  c.lz4_out += cost.lz4_out;
  c.lz4_skipped += cost.skipped;
  c.lz4_compress_ns += cost.ns;
}

}  // namespace

IoResult<void> VolumeWriter::put(WriteOp& op) {
  if (is_too_old(*op.put)) {
    finish_op(op, PutStatus::kReplaced);
    return {};
  }
  const std::uint64_t size = total_size(op.body);
  if (size > volume_.max_whole_bytes()) {
    StreamState stream;
    stream.put = op.put;
    stream.meta = std::move(op.meta);
    SliceChain part;
    std::uint64_t part_bytes = 0;
    for (Slice& slice : op.body) {
      while (!slice.empty()) {
        const std::size_t n =
            static_cast<std::size_t>(std::min<std::uint64_t>(slice.size(), volume_.chunk_bytes() - part_bytes));
        part.push_back(slice.subslice(0, n));
        slice.remove_prefix(n);
        part_bytes += n;
        if (part_bytes < volume_.chunk_bytes()) continue;
        if (const auto r = chunk(stream, part); !r) return r;
        part.clear();
        part_bytes = 0;
      }
    }
    if (!part.empty()) {
      if (const auto r = chunk(stream, part); !r) return r;
    }
    return finish_stream(op, stream, stream.meta);
  }
  const TierOptions& o = volume_.context().options;
  RecordHeader header = header_of(op.meta, *op.put, RecordKind::kWhole, op.head.size());
  header.body_bytes = size;
  RecordMeta meta;
  EncodeCost cost;
  blocks_.clear();
  meta.blocks =
      encode_blocks(op.body, {.compress = o.compress && op.meta.may_compress, .min_bytes = o.min_compress_bytes},
                    *o.clock, blocks_, cost);
  count(volume_.context().counters, cost);
  meta.tags = tags_of(op.meta.group);
  meta.key = op.meta.key;
  meta.head = op.head;
  Unsettled u;
  u.put = op.put;
  u.user_bytes = size + op.head.size() + op.meta.key.size();
  u.done = std::move(op.done);
  const auto placed = append(header, meta, blocks_, &u);
  if (!placed) {
    op.done = std::move(u.done);
    return std::unexpected(placed.error());
  }
  return {};
}

IoResult<void> VolumeWriter::chunk(StreamState& stream, const SliceChain& body) {
  if (stream.put->is_dead) {
    stream.has_failed = true;
    return {};
  }
  const TierOptions& o = volume_.context().options;
  RecordHeader header = header_of(stream.meta, *stream.put, RecordKind::kChunk, 0);
  header.body_bytes = total_size(body);
  header.chunk_index = static_cast<std::uint32_t>(stream.chunks.size());
  RecordMeta meta;
  EncodeCost cost;
  blocks_.clear();
  meta.blocks =
      encode_blocks(body, {.compress = o.compress && stream.meta.may_compress, .min_bytes = o.min_compress_bytes},
                    *o.clock, blocks_, cost);
  count(volume_.context().counters, cost);
  const auto placed = append(header, meta, blocks_, nullptr);
  if (!placed) return std::unexpected(placed.error());
  stream.chunks.push_back({.segment_id = placed->segment_id,
                           .offset = placed->offset,
                           .stored_bytes = placed->stored_bytes,
                           .body_bytes = static_cast<std::uint32_t>(header.body_bytes)});
  stream.body_bytes += header.body_bytes;
  return {};
}

void StreamState::add_written(Written next) {
  const MutexLock lock(mutex);
  next.begin = written_bytes;
  written_bytes += next.chunk.body_bytes;
  written.push_back(std::move(next));
  if (on_written) on_written();
}

// At once, for somebody may wait to read it back, and to be given more.
IoResult<void> VolumeWriter::write_chunk(StreamState& stream, const SliceChain& body) {
  if (const auto r = chunk(stream, body); !r) return r;
  if (stream.has_failed) return {};
  if (const auto r = flush(); !r) return r;
  stream.add_written({.segment = open_, .begin = 0, .chunk = stream.chunks.back()});
  return {};
}

IoResult<void> VolumeWriter::finish_stream(WriteOp& op, StreamState& stream, const Meta& m) {
  if (is_too_old(*stream.put) || stream.has_failed) {
    finish_op(op, PutStatus::kReplaced);
    return {};
  }
  // A final record that can be read has its chunks on the device.
  if (const auto r = sync(); !r) return r;
  RecordHeader header = header_of(m, *stream.put, RecordKind::kFinal, op.head.size());
  header.body_bytes = stream.body_bytes;
  header.part_count = static_cast<std::uint32_t>(stream.chunks.size());
  RecordMeta meta;
  meta.tags = tags_of(m.group);
  meta.key = m.key;
  meta.head = op.head;
  meta.chunks = stream.chunks;
  Unsettled u;
  u.put = stream.put;
  u.user_bytes = stream.body_bytes + op.head.size() + m.key.size();
  u.done = std::move(op.done);
  const auto placed = append(header, meta, {}, &u);
  if (!placed) {
    op.done = std::move(u.done);
    return std::unexpected(placed.error());
  }
  return {};
}

IoResult<VolumeWriter::Placed> VolumeWriter::append(RecordHeader header, const RecordMeta& meta,
                                                    std::string_view blocks, Unsettled* unsettled) {
  if (header.kind != RecordKind::kFinal) header.part_count = static_cast<std::uint32_t>(meta.blocks.size());
  header.tag_count = static_cast<std::uint16_t>(meta.tags.size());
  const std::string encoded = encode(meta);
  header.meta_checksum = checksum(encoded);
  const std::uint64_t size = round_up(kRecordHeaderBytes + encoded.size() + blocks.size(), kRecordAlign);
  const auto end_with = [&](std::uint64_t at) {
    return round_up(at + size, kPageBytes) + footer_bytes(entries_.size() + 1, entries_.size() + 1);
  };
  if (2 * kPageBytes + size + footer_bytes(1, 1) > volume_.segment_bytes()) {
    return std::unexpected(kNoRoom);
  }
  // Making room may write used records again, into a segment that was opened for them.
  while (!open_ || end_with(buffer_at_ + buffer_.size()) > volume_.segment_bytes()) {
    if (const auto r = open_ ? seal() : open_segment(); !r) return std::unexpected(r.error());
  }
  header.stored_bytes = static_cast<std::uint32_t>(size);
  // Before it can be read by anybody: what the journal keeps is decided by these.
  open_->lower_min_sequence(header.sequence);
  open_->lower_min_epoch(header.purge_epoch);
  if (buffer_.empty()) buffered_since_ = volume_.context().options.clock->mono_now();
  const std::size_t at = buffer_.size();
  const Placed placed{open_->id, buffer_at_ + at, header.stored_bytes};
  buffer_.resize(at + kRecordHeaderBytes);
  encode(header, open_->nonce, placed.offset, buffer_.data() + at);
  buffer_ += encoded;
  buffer_ += blocks;
  buffer_.resize(at + size, '\0');
  if (unsettled) {
    unsettled->entry = entry_of(header, meta, placed.offset);
    entries_.push_back(unsettled->entry);
    unsettled_.push_back(std::move(*unsettled));
  }
  if (buffer_.size() >= kBufferBytes) {
    if (const auto r = flush(); !r) {
      // It is among the unsettled now, which whoever hears of the failure gives up.
      return std::unexpected(r.error());
    }
  }
  return placed;
}

IoResult<void> VolumeWriter::flush() {
  if (buffer_.empty()) return {};
  Counters& c = volume_.context().counters;
  buffer_.resize(round_up(buffer_.size(), kPageBytes), '\0');
  volume_.mark_io(volume_.writer_io(), true);
  if (const auto r = open_->file->write(buffer_at_, buffer_); !r) return r;
  c.written_bytes += buffer_.size();
  if (unsynced_bytes_ == 0) unsynced_since_ = volume_.context().options.clock->mono_now();
  unsynced_bytes_ += buffer_.size();
  buffer_at_ += buffer_.size();
  buffer_.clear();
  std::vector<Unsettled> settled;
  settled.swap(unsettled_);
  // What was written again first: of it nothing may be under way when room is made in a group.
  for (const Unsettled& u : settled) {
    if (u.put || !volume_.context().index.move(u.old_sequence, u.entry, open_->slot)) continue;
    c.reinserted += 1;
    c.reinserted_bytes += u.entry.stored_bytes;
  }
  for (Unsettled& u : settled) {
    if (u.put) settle(u);
  }
  open_->settled_bytes = buffer_at_;
  return {};
}

void VolumeWriter::settle(Unsettled& u) {
  Index& index = volume_.context().index;
  // A note that would have applied to it may have been forgotten since it was begun; its own epoch has been counted
  // since append(), so either it is seen here or the note is kept.
  if (u.put->purge_epoch < volume_.context().host.epoch_floor()) index.erase(u.put->hash, u.put->variant);
  const std::uint16_t group = volume_.context().groups.number_of(u.entry.group);
  const bool has_room = u.put->is_dead || make_group_room(group, Index::group_bytes(u.entry), u.entry.offset);
  if (!has_room) index.erase(u.put->hash, u.put->variant);
  const bool is_current = index.settle(*u.put, u.entry, open_->slot);
  if (is_current) volume_.context().counters.put_bytes += u.user_bytes;
  if (!u.done) return;
  u.done(is_current ? PutStatus::kStored : has_room ? PutStatus::kReplaced : PutStatus::kTooLarge);
}

IoResult<void> VolumeWriter::sync() {
  if (const auto r = flush(); !r) return r;
  if (unsynced_bytes_ == 0) return {};
  if (const auto r = open_->file->sync(); !r) return r;
  unsynced_bytes_ = 0;
  volume_.context().counters.syncs += 1;
  return {};
}

IoResult<void> VolumeWriter::seal() {
  if (const auto r = flush(); !r) return r;
  SegmentSummary summary;
  summary.segment_id = open_->id;
  summary.nonce = open_->nonce;
  summary.covered_bytes = buffer_at_;
  summary.min_sequence = open_->min_sequence;
  summary.min_epoch = open_->min_epoch;
  summary.entries = entries_;  // where there is no room for the footer it is tried again
  const std::string footer = encode_footer(summary);
  if (const auto r = open_->file->write(buffer_at_, footer); !r) return r;
  if (const auto r = open_->file->truncate(buffer_at_ + footer.size()); !r) return r;
  if (const auto r = open_->file->sync(); !r) return r;
  entries_.clear();
  volume_.context().counters.written_bytes += footer.size();
  volume_.context().counters.syncs += 1;
  unsynced_bytes_ = 0;
  open_->bytes = buffer_at_ + footer.size();
  open_->is_sealed = true;
  open_.reset();
  return {};
}

IoResult<void> VolumeWriter::open_segment() {
  if (const auto r = make_room(); !r) return r;
  if (open_) return {};
  auto segment = create_segment();
  // Others may have filled the disk: a cache can do with less.
  for (int tries = 0; !segment && is_full(segment.error()) && tries < 4 && !evicting_; ++tries) {
    const auto oldest = volume_.segments().oldest_sealed();
    if (!oldest) break;
    if (!std::exchange(has_said_full_, true)) volume_.say_full();
    if (const auto r = evict(oldest, false); !r) return r;
    segment = create_segment();
  }
  if (!segment) return std::unexpected(segment.error());
  open_ = std::move(*segment);
  buffer_at_ = kPageBytes;
  return {};
}

IoResult<std::shared_ptr<SegmentFile>> VolumeWriter::create_segment() {
  FileSystem& fs = volume_.context().fs;
  auto segment = std::make_shared<SegmentFile>();
  segment->id = volume_.take_segment_id();
  segment->path = volume_.file_path(segment_name(segment->id));
  segment->nonce = Rng::system_seed();
  // A record that is written again draws its number later than this: the journal need not be told of it.
  segment->min_sequence = volume_.context().index.next_sequence();
  segment->bytes = volume_.segment_bytes();
  segment->settled_bytes = kPageBytes;
  auto file = fs.open(segment->path, OpenMode::kCreate);
  if (!file) return std::unexpected(file.error());
  segment->file = std::move(*file);
  if (const auto r = segment->file->allocate(volume_.segment_bytes(), false); !r) {
    std::ignore = fs.unlink(segment->path);
    return std::unexpected(r.error());
  }
  const std::string header = encode(SegmentHeader{.volume_id = volume_.volume_id(),
                                                  .segment_id = segment->id,
                                                  .nonce = segment->nonce,
                                                  .created_sequence = segment->min_sequence});
  if (const auto r = segment->file->write(0, header); !r) return std::unexpected(r.error());
  if (const auto r = fs.sync_directory(volume_.path()); !r) return std::unexpected(r.error());
  if (!volume_.segments().add(segment)) return std::unexpected(kNoRoom);
  volume_.context().counters.written_bytes += header.size();
  return segment;
}

IoResult<void> VolumeWriter::make_room() {
  if (evicting_) return {};  // there is one to spare, always
  // Where much is guaranteed a segment may leave nothing, but not all of them do.
  const std::size_t segments = volume_.segments().all().size();
  for (std::size_t evicted = 0; !volume_.fits(2 * volume_.segment_bytes()); ++evicted) {
    const auto oldest = volume_.segments().oldest_sealed();
    if (!oldest || volume_.is_held_by_readers() || (evicted > 0 && is_stopping())) return std::unexpected(kNoRoom);
    auto r = evict(oldest, evicted < segments);
    if (!r && is_full(r.error())) r = evict(oldest, false);
    if (!r) return r;
  }
  return {};
}

// What a volume has that was made smaller, a segment at a time. Whether there is more.
IoResult<bool> VolumeWriter::shrink_some() {
  if (volume_.fits(0) || volume_.is_held_by_readers()) return false;
  const auto oldest = volume_.segments().oldest_sealed();
  if (!oldest) return false;
  auto r = evict(oldest, true);
  // Where others have filled the file system there is no room to write anything again.
  if (!r && is_full(r.error())) r = evict(oldest, false);
  if (!r) return std::unexpected(r.error());
  return true;
}

std::optional<std::vector<Entry>> VolumeWriter::read_entries(const SegmentFile& segment) {
  const auto size = segment.file->size();
  if (!size || *size < kPageBytes + kTrailerBytes) return std::nullopt;
  std::string bytes(kTrailerBytes, '\0');
  const auto n = segment.file->read(*size - kTrailerBytes, bytes);
  const auto trailer = n && *n == bytes.size() ? decode_trailer(bytes) : std::nullopt;
  if (!trailer || trailer->summary.nonce != segment.nonce || trailer->summary.covered_bytes >= *size) {
    return std::nullopt;
  }
  bytes.resize(*size - trailer->summary.covered_bytes);
  const auto m = segment.file->read(trailer->summary.covered_bytes, bytes);
  auto summary = m && *m == bytes.size() ? decode_footer(bytes, *trailer) : std::nullopt;
  if (!summary) return std::nullopt;
  return std::move(summary->entries);
}

IoResult<void> VolumeWriter::evict(const std::shared_ptr<SegmentFile>& segment, bool keep_used) {
  const std::optional<std::vector<Entry>> entries = read_entries(*segment);
  if (entries && keep_used) {
    evicting_ = true;
    auto r = write_again(*segment, *entries);
    // What was written again is to be there before that which it was read from goes.
    if (r) r = sync();
    evicting_ = false;
    if (!r) {
      bury_copies();
      return r;
    }
  }
  FileSystem& fs = volume_.context().fs;
  if (const auto r = fs.unlink(segment->path); !r) return r;
  if (const auto r = fs.sync_directory(volume_.path()); !r) return r;
  // Only now: whoever replaces one of its records from here on does not say so to the journal.
  const std::size_t dropped = volume_.context().index.drop_segment(segment->slot, entries ? &*entries : nullptr);
  volume_.segments().pinned_count()->fetch_add(segment->bytes);
  segment->is_unlinked = true;
  volume_.segments().remove(*segment);
  volume_.context().counters.evicted += dropped;
  volume_.context().counters.evicted_segments += 1;
  return {};
}

// They may be written yet, when what they were read from has left the index: then nobody would know of them.
void VolumeWriter::bury_copies() {
  for (const Unsettled& u : unsettled_) {
    if (!u.put) volume_.context().index.forget(u.entry.hash, u.old_sequence);
  }
}

IoResult<void> VolumeWriter::write_again(SegmentFile& segment, const std::vector<Entry>& entries) {
  const Groups& groups = volume_.context().groups;
  std::unordered_map<std::uint16_t, std::uint64_t> leaving;  // bytes, by group
  std::uint64_t left = volume_.segment_bytes() / 2;
  // What is guaranteed may be all of it, as long as there is a segment to spare.
  std::uint64_t left_for_guaranteed = volume_.fits(volume_.segment_bytes()) ? volume_.segment_bytes() : left;
  for (const Entry& e : entries) {
    const auto standing = volume_.context().index.standing(e.hash, e.sequence, segment.slot);
    if (!standing) continue;
    std::uint64_t& leaves = leaving[standing->group];
    const bool is_spared = groups.spares(volume_.number(), standing->group, leaves + standing->bytes);
    const bool is_worth_it = is_spared ? e.stored_bytes <= left_for_guaranteed
                                       : standing->is_used && e.stored_bytes <= std::min(left, left_for_guaranteed) &&
                                             !groups.is_over_max(volume_.number(), standing->group);
    const auto written = is_worth_it && e.kind == RecordKind::kWhole ? write_again(segment, e) : IoResult<bool>(false);
    if (!written) return std::unexpected(written.error());
    if (!*written) {
      leaves += standing->bytes;
      continue;
    }
    left_for_guaranteed -= e.stored_bytes;
    if (!is_spared) left -= e.stored_bytes;
  }
  return {};
}

IoResult<bool> VolumeWriter::write_again(SegmentFile& segment, const Entry& e) {
  const TierOptions& o = volume_.context().options;
  volume_.mark_io(volume_.writer_io(), true);
  auto record = read_whole_record(*segment.file, segment.nonce, e.offset, e.stored_bytes);
  if (!record || record->header.sequence != e.sequence || record->header.hash != e.hash) return false;
  if (record->header.usable_until <= o.clock->wall_now().unix_seconds()) return false;
  RecordHeader header = record->header;
  if (o.recheck) {
    const auto epoch =
        o.recheck({.key = record->meta.key, .head = record->meta.head, .purge_epoch = record->header.purge_epoch});
    if (!epoch) return false;
    header.purge_epoch = std::max(*epoch, header.purge_epoch);
  }
  const auto sequence = volume_.context().index.renumber(e.hash, e.sequence, segment.slot);
  if (!sequence) return false;
  header.sequence = *sequence;
  Unsettled u;
  u.old_sequence = e.sequence;
  std::uint64_t blocks = 0;
  for (const Block& b : record->meta.blocks) blocks += b.stored_bytes;
  const auto placed =
      append(header, record->meta, std::string_view(record->bytes).substr(record->blocks_at(), blocks), &u);
  if (!placed) return std::unexpected(placed.error());
  return true;
}

}  // namespace seawall::disk
