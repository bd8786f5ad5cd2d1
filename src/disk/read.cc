// Reading: whole records, heads, and bodies by ranges. The work is done by the reader threads of the record's volume,
// and waits for the volume's ring where it has one; what belongs to a BodyReader is touched on its executor's thread
// only.
#include <algorithm>
#include <utility>

#include "disk/block_codec.h"
#include "disk/record_reader.h"
#include "disk/tier_core.h"

namespace seawall::disk {

namespace {

constexpr std::size_t kHeadGuessBytes = 64 << 10;
// What a BodyReader reads at once, and how much it has lying ready when it reads ahead.
constexpr std::size_t kRunBlocks = 8;

void count_status(Counters& c, ReadStatus status) {
  switch (status) {
    case ReadStatus::kOk:
    case ReadStatus::kTooLarge:
    case ReadStatus::kClosed: break;
    case ReadStatus::kGone: c.reads_gone += 1; break;
    case ReadStatus::kCorrupt: c.reads_corrupt += 1; break;
    case ReadStatus::kFailed: c.reads_failed += 1; break;
    case ReadStatus::kBusy: c.reads_busy += 1; break;
    case ReadStatus::kTimeout: c.reads_timeout += 1; break;
  }
}

void count_cost(Counters& c, const DecodeCost& cost) {
  c.read_bytes += cost.read_bytes;
  c.body_bytes_out += cost.body_bytes;
  c.lz4_decompress_ns += cost.lz4_ns;
}

// A record whose meta has been read, with all it takes to read its body: segments that are evicted meanwhile stay open.
struct OpenRecord {
  struct Part {
    std::uint64_t begin = 0;  // in the body
    std::uint64_t bytes = 0;
    std::shared_ptr<SegmentFile> segment;
    std::uint64_t offset = 0;  // of its record
    std::size_t stored_bytes = 0;
  };
  RecordHeader header;
  std::vector<Part> parts;
  std::size_t first_part = 0;  // of the body's, when not all of them are here
  // Of the part read last.
  std::size_t loaded = ~std::size_t{0};
  std::vector<Block> blocks;
  std::uint64_t blocks_at = 0;  // in the file
  std::string bytes;            // of its blocks from the first on, as many as came with the meta

  // One that nobody else works on, for what was given up may still be at this one. What came with a whole record's
  // meta never changes.
  static std::shared_ptr<OpenRecord> reopened(const std::shared_ptr<OpenRecord>& record) {
    if (record->header.kind == RecordKind::kWhole) return record;
    auto anew = std::make_shared<OpenRecord>();
    anew->header = record->header;
    anew->parts = record->parts;
    anew->first_part = record->first_part;
    return anew;
  }
};

ReadStatus status_of(RecordFault fault) {
  return fault == RecordFault::kIo ? ReadStatus::kFailed : ReadStatus::kCorrupt;
}

using Outcome = std::expected<void, ReadStatus>;

Async<Outcome> load_part(ReadRing* ring, OpenRecord& r, std::size_t index, DecodeCost& cost) {
  if (r.loaded == index) co_return Outcome();
  const OpenRecord::Part& part = r.parts[index];
  const std::size_t guess = std::min(part.stored_bytes, kHeadGuessBytes);
  auto reading = read_record(ring, *part.segment->file, part.segment->nonce, part.offset, guess);
  auto record = co_await reading;
  if (!record) co_return std::unexpected(status_of(record.error()));
  const RecordHeader& h = record->header;
  if (h.kind != RecordKind::kChunk || h.hash != r.header.hash || h.sequence != r.header.sequence ||
      h.chunk_index != r.first_part + index || h.body_bytes != part.bytes) {
    co_return std::unexpected(ReadStatus::kCorrupt);
  }
  cost.read_bytes += record->bytes.size();
  r.loaded = index;
  r.blocks = std::move(record->meta.blocks);
  r.blocks_at = part.offset + record->blocks_at();
  r.bytes = record->bytes.substr(record->blocks_at());
  co_return Outcome();
}

// A run of blocks from `offset` of the body on; at least what is left of one block.
Async<std::expected<SliceChain, ReadStatus>> read_run(ReadRing* ring, OpenRecord& r, std::uint64_t offset,
                                                      std::size_t max_blocks, MemoryBudget* budget, const Clock& clock,
                                                      DecodeCost& cost) {
  const auto after = std::ranges::upper_bound(r.parts, offset, {}, &OpenRecord::Part::begin);
  const auto index = static_cast<std::size_t>(after - r.parts.begin()) - 1;
  auto loading = load_part(ring, r, index, cost);
  const Outcome loaded = co_await loading;
  if (!loaded) co_return std::unexpected(loaded.error());
  const OpenRecord::Part& part = r.parts[index];
  const std::size_t first = static_cast<std::size_t>((offset - part.begin) / kBlockBytes);
  if (offset - part.begin >= part.bytes || first >= r.blocks.size()) co_return std::unexpected(ReadStatus::kCorrupt);
  const std::size_t last = std::min(r.blocks.size(), first + max_blocks);
  auto reading =
      read_blocks(ring, *part.segment->file, r.blocks, r.blocks_at, first, last, r.bytes, budget, clock, cost);
  auto chain = co_await reading;
  if (!chain) co_return std::unexpected(status_of(chain.error()));
  chain->front().remove_prefix(static_cast<std::size_t>(offset - part.begin - first * kBlockBytes));
  co_return std::move(*chain);
}

// What the two ways to begin have in common: one record, found, read and believed.
class RecordJob : public ReadJob {
 public:
  RecordJob(std::shared_ptr<TierCore> core, const Candidate& candidate, MemoryBudget* budget, Executor& executor)
      : core_(std::move(core)), candidate_(candidate), budget_(budget), executor_(executor) {}

  std::shared_ptr<bool> wanted() const { return wanted_; }

  Async<void> work(ReadRing* ring) override {
    core_->counters().reads += 1;
    DecodeCost cost;
    auto attempting = attempt(ring, cost);
    const ReadStatus status = co_await attempting;
    count_cost(core_->counters(), cost);
    if (take_answer()) answer(status);
  }
  void fail(ReadStatus status) override {
    if (take_answer()) {
      // What work() is about to fill in is not looked at.
      count_status(core_->counters(), status);
      post_failure(status);
    }
  }

 protected:
  virtual Async<Outcome> read_body(ReadRing* ring, OpenRecord& record, DecodeCost& cost) = 0;
  virtual std::size_t guess_bytes() const = 0;
  virtual void post_success() = 0;
  virtual void post_failure(ReadStatus status) = 0;

  std::shared_ptr<TierCore> core_;
  const Candidate candidate_;
  MemoryBudget* budget_;
  Executor& executor_;
  std::shared_ptr<bool> wanted_ = std::make_shared<bool>(true);
  StoredHead head_;
  std::shared_ptr<OpenRecord> record_;

 private:
  void answer(ReadStatus status) {
    count_status(core_->counters(), status);
    if (status == ReadStatus::kOk) {
      post_success();
    } else {
      post_failure(status);
    }
  }

  Async<ReadStatus> attempt(ReadRing* ring, DecodeCost& cost) {
    Index& index = core_->index();
    const auto place = index.place_of(candidate_.hash, candidate_.sequence);
    if (!place) co_return ReadStatus::kGone;
    Volume& volume = *core_->volumes()[volume_of(place->slot)];
    const auto segment = core_->segment(place->slot);
    if (!volume.is_in_service() || !segment) co_return ReadStatus::kGone;
    auto reading = read_from(ring, *place, segment, cost);
    const Outcome done = co_await reading;
    if (done || done.error() != ReadStatus::kFailed) volume.on_read(false);
    // Gone meanwhile, so that anything may have been read; or replaced or erased, and then it is not to be had either.
    const auto again = index.place_of(candidate_.hash, candidate_.sequence);
    if (!again || again->slot != place->slot || again->offset != place->offset) co_return ReadStatus::kGone;
    if (done) co_return ReadStatus::kOk;
    if (done.error() == ReadStatus::kFailed) volume.on_read(true);
    if (done.error() == ReadStatus::kCorrupt || done.error() == ReadStatus::kGone) {
      index.forget(candidate_.hash, candidate_.sequence);
    }
    co_return done.error();
  }

  Async<Outcome> read_from(ReadRing* ring, const Place& place, const std::shared_ptr<SegmentFile>& segment,
                           DecodeCost& cost) {
    const auto guess = static_cast<std::size_t>(std::min<std::uint64_t>(place.stored_bytes, guess_bytes()));
    auto reading = read_record(ring, *segment->file, segment->nonce, place.offset, guess);
    auto read = co_await reading;
    if (!read) co_return std::unexpected(status_of(read.error()));
    const RecordHeader& h = read->header;
    if (h.hash != candidate_.hash || h.sequence != candidate_.sequence || h.kind == RecordKind::kChunk) {
      co_return std::unexpected(ReadStatus::kCorrupt);
    }
    cost.read_bytes += read->bytes.size();
    head_.key = std::string(read->meta.key);
    head_.head = Slice::copy_of(budget_, read->meta.head);
    head_.purge_epoch = h.purge_epoch;
    head_.usable_until = h.usable_until;
    head_.body_bytes = h.body_bytes;
    auto record = std::make_shared<OpenRecord>();
    record->header = h;
    if (h.kind == RecordKind::kWhole) {
      record->parts.push_back({.begin = 0,
                               .bytes = h.body_bytes,
                               .segment = segment,
                               .offset = place.offset,
                               .stored_bytes = h.stored_bytes});
      record->loaded = 0;
      record->blocks = std::move(read->meta.blocks);
      record->blocks_at = place.offset + read->blocks_at();
      record->bytes = read->bytes.substr(read->blocks_at());
    } else {
      std::uint64_t begin = 0;
      for (const Chunk& c : read->meta.chunks) {
        auto part_segment = core_->volumes()[volume_of(place.slot)]->segments().find_id(c.segment_id);
        // Evicted before the record that names it.
        if (!part_segment) co_return std::unexpected(ReadStatus::kGone);
        record->parts.push_back({.begin = begin,
                                 .bytes = c.body_bytes,
                                 .segment = std::move(part_segment),
                                 .offset = c.offset,
                                 .stored_bytes = c.stored_bytes});
        begin += c.body_bytes;
      }
    }
    auto reading_body = read_body(ring, *record, cost);
    const Outcome body = co_await reading_body;
    if (body) record_ = std::move(record);
    co_return body;
  }
};

class WholeJob final : public RecordJob {
 public:
  WholeJob(std::shared_ptr<TierCore> core, const Candidate& candidate, std::uint64_t max_body_bytes,
           MemoryBudget* budget, Executor& executor, Tier::ReadDone done)
      : RecordJob(std::move(core), candidate, budget, executor),
        max_body_bytes_(max_body_bytes),
        done_(std::move(done)) {}

 protected:
  std::size_t guess_bytes() const override { return 2 * kMaxWholeBytes; }

  Async<Outcome> read_body(ReadRing* ring, OpenRecord& record, DecodeCost& cost) override {
    if (record.header.body_bytes > max_body_bytes_) co_return std::unexpected(ReadStatus::kTooLarge);
    for (std::uint64_t at = 0; at < record.header.body_bytes;) {
      auto reading = read_run(ring, record, at, kMaxParts, budget_, *core_->options().clock, cost);
      auto run = co_await reading;
      if (!run) co_return std::unexpected(run.error());
      for (Slice& slice : *run) {
        at += slice.size();
        body_.push_back(std::move(slice));
      }
    }
    co_return Outcome();
  }

  void post_success() override {
    executor_.post(
        [wanted = wanted_, done = std::move(done_), head = std::move(head_), body = std::move(body_)]() mutable {
          if (*wanted) done(ReadStatus::kOk, std::move(head), std::move(body));
        });
  }
  void post_failure(ReadStatus status) override {
    executor_.post([wanted = wanted_, done = std::move(done_), status]() mutable {
      if (*wanted) done(status, {}, {});
    });
  }

 private:
  const std::uint64_t max_body_bytes_;
  Tier::ReadDone done_;
  SliceChain body_;
};

// --- bodies by ranges

// What reader and jobs share, on the executor's thread; a job has the record, and only one at a time.
struct BodyState : std::enable_shared_from_this<BodyState> {
  std::shared_ptr<TierCore> core;
  std::size_t volume = 0;
  Executor* executor = nullptr;
  MemoryBudget* budget = nullptr;
  std::shared_ptr<OpenRecord> record;
  std::uint64_t hash = 0;
  std::uint64_t sequence = 0;

  bool is_closed = false;
  SliceChain ready;  // from `ready_at` on
  std::uint64_t ready_at = 0;
  std::uint64_t ready_bytes = 0;
  bool is_reading = false;
  std::uint64_t reading_at = 0;
  BodyReader::Done waiting;
  std::uint64_t wanted_at = 0;
  std::size_t wanted_bytes = 0;

  void read(std::uint64_t offset, std::size_t max_bytes, BodyReader::Done done);
  void submit(std::uint64_t offset, std::size_t blocks);
  void arrived(std::uint64_t offset, ReadStatus status, SliceChain chain);
  void deliver(std::uint64_t offset, std::size_t max_bytes, BodyReader::Done done);
};

class RunJob final : public ReadJob {
 public:
  RunJob(std::shared_ptr<BodyState> state, std::uint64_t offset, std::size_t blocks)
      : state_(std::move(state)), record_(state_->record), offset_(offset), blocks_(blocks) {}

  Async<void> work(ReadRing* ring) override {
    TierCore& core = *state_->core;
    core.counters().reads += 1;
    DecodeCost cost;
    auto reading = read_run(ring, *record_, offset_, blocks_, state_->budget, *core.options().clock, cost);
    auto run = co_await reading;
    count_cost(core.counters(), cost);
    core.volumes()[state_->volume]->on_read(!run && run.error() == ReadStatus::kFailed);
    // Its head may be read well, and nobody would ask the origin again.
    if (!run) core.index().forget(state_->hash, state_->sequence);
    if (!take_answer()) co_return;
    post(run ? ReadStatus::kOk : run.error(), run ? std::move(*run) : SliceChain());
  }
  void fail(ReadStatus status) override {
    if (take_answer()) post(status, {});
  }

 private:
  void post(ReadStatus status, SliceChain chain) {
    count_status(state_->core->counters(), status);
    Executor* executor = state_->executor;
    executor->post([state = state_, offset = offset_, status, chain = std::move(chain)]() mutable {
      state->arrived(offset, status, std::move(chain));
    });
  }

  std::shared_ptr<BodyState> state_;
  std::shared_ptr<OpenRecord> record_;
  const std::uint64_t offset_;
  const std::size_t blocks_;
};

void BodyState::submit(std::uint64_t offset, std::size_t blocks) {
  is_reading = true;
  reading_at = offset;
  core->volumes()[volume]->readers().submit(std::make_shared<RunJob>(shared_from_this(), offset, blocks));
}

void BodyState::read(std::uint64_t offset, std::size_t max_bytes, BodyReader::Done done) {
  if (ready_bytes > 0 && offset >= ready_at && offset < ready_at + ready_bytes) {
    executor->post([state = shared_from_this(), offset, max_bytes, done = std::move(done)]() mutable {
      if (!state->is_closed) state->deliver(offset, max_bytes, std::move(done));
    });
    return;
  }
  waiting = std::move(done);
  wanted_at = offset;
  wanted_bytes = max_bytes;
  // Else it is on its way, or what is on its way has to come first: there is one at a time.
  if (!is_reading) submit(offset, std::min(kRunBlocks, max_bytes / kBlockBytes + 1));
}

void BodyState::deliver(std::uint64_t offset, std::size_t max_bytes, BodyReader::Done done) {
  if (offset < ready_at || offset >= ready_at + ready_bytes) {
    read(offset, max_bytes, std::move(done));
    return;
  }
  SliceChain out;
  std::size_t taken = 0;
  while (ready_at < offset) {
    Slice& s = ready.front();
    const std::size_t n = static_cast<std::size_t>(std::min<std::uint64_t>(s.size(), offset - ready_at));
    s.remove_prefix(n);
    ready_at += n, ready_bytes -= n;
    if (s.empty()) ready.erase(ready.begin());
  }
  while (!ready.empty() && taken < max_bytes) {
    Slice& s = ready.front();
    const std::size_t n = std::min(s.size(), max_bytes - taken);
    out.push_back(s.subslice(0, n));
    s.remove_prefix(n);
    taken += n, ready_at += n, ready_bytes -= n;
    if (s.empty()) ready.erase(ready.begin());
  }
  const std::uint64_t next = ready_at + ready_bytes;
  if (!is_reading && next < record->header.body_bytes && ready_bytes < kRunBlocks * kBlockBytes / 2) {
    submit(next, kRunBlocks);
  }
  done(ReadStatus::kOk, std::move(out));
}

void BodyState::arrived(std::uint64_t offset, ReadStatus status, SliceChain chain) {
  is_reading = false;
  if (is_closed) return;
  if (status == ReadStatus::kOk) {
    if (ready_bytes == 0 || ready_at + ready_bytes != offset) {
      ready.clear();
      ready_at = offset;
      ready_bytes = 0;
    }
    ready_bytes += total_size(chain);
    std::ranges::move(chain, std::back_inserter(ready));
  } else {
    record = OpenRecord::reopened(record);
  }
  if (!waiting) return;
  if (wanted_at >= ready_at && wanted_at < ready_at + ready_bytes) {
    deliver(wanted_at, wanted_bytes, std::exchange(waiting, {}));
  } else if (offset != wanted_at) {
    // That was read ahead, and something else is wanted now.
    submit(wanted_at, std::min(kRunBlocks, wanted_bytes / kBlockBytes + 1));
  } else {
    std::exchange(waiting, {})(status, {});
  }
}

class RecordBodyReader final : public BodyReader {
 public:
  explicit RecordBodyReader(std::shared_ptr<BodyState> state) : state_(std::move(state)) {}
  ~RecordBodyReader() override {
    state_->is_closed = true;
    state_->waiting = {};
    state_->ready.clear();
  }

  std::uint64_t body_bytes() const override { return state_->record->header.body_bytes; }
  void read(std::uint64_t offset, std::size_t max_bytes, Done done) override {
    state_->read(offset, max_bytes, std::move(done));
  }

 private:
  std::shared_ptr<BodyState> state_;
};

// `ready`: of the body from `ready_at` on.
std::unique_ptr<BodyReader> make_body_reader(std::shared_ptr<TierCore> core, std::shared_ptr<OpenRecord> record,
                                             MemoryBudget* budget, Executor& executor, std::uint64_t ready_at = 0,
                                             SliceChain ready = {}) {
  auto state = std::make_shared<BodyState>();
  state->core = std::move(core);
  state->volume = record->parts.empty() ? 0 : volume_of(record->parts.front().segment->slot);
  state->executor = &executor;
  state->budget = budget;
  state->hash = record->header.hash;
  state->sequence = record->header.sequence;
  state->record = std::move(record);
  state->ready_at = ready_at;
  state->ready_bytes = total_size(ready);
  state->ready = std::move(ready);
  return std::make_unique<RecordBodyReader>(std::move(state));
}

class OpenJob final : public RecordJob {
 public:
  OpenJob(std::shared_ptr<TierCore> core, const Candidate& candidate, std::optional<std::uint64_t> first_wanted,
          MemoryBudget* budget, Executor& executor, Tier::OpenDone done)
      : RecordJob(std::move(core), candidate, budget, executor), first_wanted_(first_wanted), done_(std::move(done)) {}

 protected:
  std::size_t guess_bytes() const override { return kHeadGuessBytes; }
  Async<Outcome> read_body(ReadRing* ring, OpenRecord& record, DecodeCost& cost) override {
    if (!first_wanted_ || *first_wanted_ >= record.header.body_bytes) co_return Outcome();
    auto reading = read_run(ring, record, *first_wanted_, kRunBlocks, budget_, *core_->options().clock, cost);
    auto run = co_await reading;
    if (!run) co_return std::unexpected(run.error());
    first_ = std::move(*run);
    co_return Outcome();
  }

  void post_success() override {
    auto reader = make_body_reader(core_, record_, budget_, executor_, first_wanted_.value_or(0), std::move(first_));
    executor_.post(
        [wanted = wanted_, done = std::move(done_), head = std::move(head_), reader = std::move(reader)]() mutable {
          if (*wanted) done(ReadStatus::kOk, std::move(head), std::move(reader));
        });
  }
  void post_failure(ReadStatus status) override {
    executor_.post([wanted = wanted_, done = std::move(done_), status]() mutable {
      if (*wanted) done(status, {}, nullptr);
    });
  }

 private:
  const std::optional<std::uint64_t> first_wanted_;
  SliceChain first_;
  Tier::OpenDone done_;
};

Pending submit(TierCore& core, const Candidate& candidate, std::shared_ptr<RecordJob> job) {
  Pending pending(job->wanted());
  const std::size_t volume = volume_of(candidate.segment_slot);
  if (volume >= core.volumes().size() || !core.volumes()[volume]->is_in_service()) {
    job->fail(ReadStatus::kGone);
  } else {
    core.volumes()[volume]->readers().submit(std::move(job));
  }
  return pending;
}

// Of a stream that is being written, at once: more than a reader takes before it asks again.
constexpr std::size_t kMostReadBack = 16;

}  // namespace

std::unique_ptr<BodyReader> read_back(const std::shared_ptr<TierCore>& core, const StreamState& stream,
                                      std::uint64_t offset, MemoryBudget* budget, Executor& executor) {
  auto record = std::make_shared<OpenRecord>();
  {
    const MutexLock lock(stream.mutex);
    const auto after = std::ranges::upper_bound(stream.written, offset, {}, &StreamState::Written::begin);
    const auto first = static_cast<std::size_t>(after - stream.written.begin()) - 1;
    const std::size_t last = std::min(stream.written.size(), first + kMostReadBack);
    record->first_part = first;
    record->parts.reserve(last - first);
    for (std::size_t i = first; i < last; ++i) {
      const StreamState::Written& w = stream.written[i];
      record->parts.push_back({.begin = w.begin,
                               .bytes = w.chunk.body_bytes,
                               .segment = w.segment,
                               .offset = w.chunk.offset,
                               .stored_bytes = w.chunk.stored_bytes});
    }
  }
  record->header.hash = stream.put->hash;
  record->header.sequence = stream.put->sequence;
  record->header.body_bytes = record->parts.back().begin + record->parts.back().bytes;
  return make_body_reader(core, std::move(record), budget, executor);
}

Pending start_read(const std::shared_ptr<TierCore>& core, const Candidate& candidate, std::uint64_t max_body_bytes,
                   MemoryBudget* budget, Executor& executor, Tier::ReadDone done) {
  return submit(*core, candidate,
                std::make_shared<WholeJob>(core, candidate, max_body_bytes, budget, executor, std::move(done)));
}

Pending start_open_body(const std::shared_ptr<TierCore>& core, const Candidate& candidate,
                        std::optional<std::uint64_t> first_wanted, MemoryBudget* budget, Executor& executor,
                        Tier::OpenDone done) {
  return submit(*core, candidate,
                std::make_shared<OpenJob>(core, candidate, first_wanted, budget, executor, std::move(done)));
}

}  // namespace seawall::disk
