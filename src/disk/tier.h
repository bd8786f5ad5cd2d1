// The disk tier: records in append-only segment files on one or several volumes, found through an index in memory.
// It knows nothing of HTTP: a record is a key, an opaque head and a body. docs/disk-format.md has the format, what is
// promised across crashes, and why it holds.
//
// In short: what is returned was put, whole, is the youngest of its (hash, variant), and was not erased before the read
// began; whatever is in doubt is a miss. What put() or erase() replaced never comes back once its completion has run
// with `durable`, whatever happens to the process or to unsynced writes. A record itself is written within
// TierOptions::flush_interval and survives a power loss after sync_interval.
//
// All file I/O is done by threads of the tier: a writer and a journal thread for each volume, and readers. Thread: any,
// for everything that does not say otherwise; nothing here waits for a disk except open(), close() and the checks.
// Completions are posted to the Executor that the call names, and never run inside the call.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "disk/candidate.h"
#include "mem/budget.h"
#include "mem/slice.h"

namespace seawall::disk {

class FileSystem;
class TierCore;

// The least a volume may be given.
inline constexpr std::uint64_t kMinVolumeBytes = 64ULL << 20;
inline constexpr std::size_t kMaxKeyBytes = 64 << 10;
inline constexpr std::size_t kMaxHeadBytes = 1 << 20;
inline constexpr std::size_t kMaxNoteBytes = 64 << 10;
inline constexpr std::size_t kMaxVolumes = 16;

struct VolumeOptions {
  std::string path;  // an existing directory, empty or written by a tier; nobody else's files in it
  // Segments and journal together. At least kMinVolumeBytes.
  std::uint64_t capacity_bytes = 0;
};

// What the journal keeps for the user: see Tier::journal().
struct Note {
  std::uint8_t kind = 0;
  std::uint64_t epoch = 0;
  std::string payload;
};

// A record to be held against the user's rules: when its segment goes and it was used, so that it would be written
// again, and when a directory is looked into.
struct Revisit {
  std::string_view key;
  std::string_view head;
  std::uint64_t purge_epoch = 0;
};

enum class ReadBackend : std::uint8_t { kThreads, kIoUring };
std::string_view to_string(ReadBackend backend);  // "io_uring": stable, for logs and metrics

enum class LogLevel : std::uint8_t { kInfo, kWarning, kError };

struct TierOptions {
  std::vector<VolumeOptions> volumes;  // 1 .. kMaxVolumes
  std::uint64_t segment_bytes = 0;     // 0: 64 MB, less for small volumes, more for very large ones
  Millis flush_interval{500};          // the longest that a record waits in a write buffer
  Millis sync_interval{5000};          // between syncs of what was written, at most
  std::uint64_t sync_bytes = 64 << 20;
  Millis aside_interval{60'000};          // between copies of the index written aside
  std::size_t backlog_bytes = 64 << 20;   // puts waiting for one volume's writer; past it they are skipped
  std::size_t journal_bytes = 512 << 10;  // room that a journal begins with; it grows with what it has to keep
  ReadBackend read_backend = ReadBackend::kThreads;  // kIoUring: as far as the kernel lets it; the log tells
  std::size_t readers = 4;                           // threads for each volume
  std::size_t rings = 2;                             // and with io_uring, each with a thread
  std::size_t read_queue = 1024;                     // reads waiting for one volume; past it: kBusy
  Millis read_deadline{1000};                        // waiting and reading; past it: kTimeout
  Millis slow_limit{10'000};      // one read, write or sync that takes longer takes its volume out of service
  Millis journal_deadline{2000};  // until whoever waits for a journal is told that it is not durable
  Millis retry_interval{30'000};  // until a volume out of service is tried again
  std::uint64_t write_bytes_per_second =
      0;  // averaged over a day: past it only what was seen twice is admitted. 0: no limit
  std::size_t min_compress_bytes = 1024;
  bool compress = true;
  std::uint64_t max_body_bytes = 0;  // 0: a quarter of the smallest volume, which is the most anyway

  const Clock* clock = nullptr;       // never null; outlives the tier
  MemoryBudget* budget = nullptr;     // the index and queued writes are charged to it; may be null; outlives the tier
  FileSystem* file_system = nullptr;  // null: the real one. Outlives the tier
  // One line for the operator. Thread: any.
  std::function<void(LogLevel, const std::string&)> log;
  // Each note that the journal holds, oldest first, on the caller's thread, before open() returns.
  std::function<void(const Note&)> on_note;
  // Takes out of the notes of a journal what others among them make needless; asked before one is written anew. Pure.
  // Thread: any.
  std::function<void(std::vector<Note>&)> prune;
  // Whether a record is still worth writing again, and the epoch up to which it has been held against the user's rules;
  // nullopt: it is not. Without it no note that a used record is older than can ever be forgotten. Thread: a writer.
  std::function<std::optional<std::uint64_t>(const Revisit&)> recheck;
};

enum class ReadStatus : std::uint8_t {
  kOk,
  kGone,     // evicted, replaced or erased since find()
  kCorrupt,  // a checksum; the record is forgotten
  kFailed,   // the disk said no
  kBusy,     // too many reads are waiting
  kTimeout,
  kTooLarge,  // more than the caller allowed
  kClosed,
};
std::string_view to_string(ReadStatus status);  // "checksum": stable, for logs and metrics

// Everything about a record but its body. All of it passed its checksums.
struct StoredHead {
  std::string key;  // the caller compares it: two keys may have one hash
  Slice head;       // charged to the budget of the read
  std::uint64_t purge_epoch = 0;
  std::uint32_t usable_until = 0;
  std::uint64_t body_bytes = 0;
};

// An operation whose completion is still to come. When it is destroyed the completion never runs; destroy it on the
// thread of the operation's executor. Thread: that one.
class Pending {
 public:
  Pending() = default;
  explicit Pending(std::shared_ptr<bool> wanted) : wanted_(std::move(wanted)) {}
  Pending(Pending&&) noexcept = default;
  Pending& operator=(Pending&& o) noexcept {
    cancel();
    wanted_ = std::move(o.wanted_);
    return *this;
  }
  ~Pending() { cancel(); }

  void cancel() {
    if (wanted_) *wanted_ = false;
    wanted_.reset();
  }
  // Lets it run its course without its owner.
  void detach() { wanted_.reset(); }

 private:
  std::shared_ptr<bool> wanted_;
};

// The body of one record, by ranges. Holds what it reads from: eviction does not disturb it, and neither does a newer
// version. Reads ahead while it is read in order. Outlives close() (its reads are kClosed then) but not the Tier.
// Thread: the executor's; one read at a time.
class BodyReader {
 public:
  using Done = std::move_only_function<void(ReadStatus, SliceChain)>;

  virtual ~BodyReader() = default;
  virtual std::uint64_t body_bytes() const = 0;
  // The body from `offset`: at least one byte and at most `max_bytes`, as far as blocks go that are read together.
  // offset < body_bytes(), max_bytes > 0. After anything but kOk the rest of the body is not to be had: an answer under
  // way has to break off. The completion does not come once the reader is destroyed.
  virtual void read(std::uint64_t offset, std::size_t max_bytes, Done done) = 0;
};

// A record to put, without head and body.
struct Meta {
  std::uint64_t hash = 0;     // of the key
  std::uint64_t variant = 0;  // variants of a key stand side by side
  std::string key;            // at most kMaxKeyBytes
  std::uint64_t purge_epoch = 0;
  std::uint32_t usable_until = 0;  // seconds since the Unix epoch; past it find() leaves it out
  bool may_compress = true;        // false for what is encoded, or of a type that does not gain
  bool wanted = false;             // admit it whatever the write budget says, as what was hit in memory
  std::uint32_t group = 0;         // the label of the group that it counts to; 0: none
};

// Of the capacity of all volumes, and so of each in proportion. What is counted is what the records take on the disk;
// of a streamed body, its bytes before lz4, rounded up by an eighth at most.
struct GroupBounds {
  // As long as the group has no more than that, its records are written again when their segment goes, whether they
  // were used or not. All guarantees together: half of the capacity at most. Not for streamed records.
  std::uint64_t guaranteed_bytes = 0;
  std::uint64_t max_bytes = 0;  // past it the group's oldest go; 0: no maximum
};

struct GroupUse {
  std::uint64_t used_bytes = 0;
  GroupBounds bounds;
  std::uint64_t evicted = 0;  // records that went because of the maximum
};

enum class PutStatus : std::uint8_t {
  kStored,
  kNotAdmitted,   // over the write budget, and not seen before
  kBacklog,       // the writer does not keep up
  kOutOfService,  // the volume
  kTooLarge,      // for the volume, the maximum of its group, or a bound of the format
  kFailed,        // the write
  kReplaced,      // by a later put or an erase while it waited
  kAborted,       // a stream
  kClosed,
};
inline constexpr std::size_t kPutStatuses = 9;
std::string_view to_string(PutStatus status);

struct PutResult {
  PutStatus status = PutStatus::kStored;
  // What it replaced cannot come back. Whatever the status, that has gone from the index when put() returns: a put that
  // was skipped has erased.
  bool durable = false;
};

// A body that is too large for memory, written as it comes. What is not finished was never there but for those who read
// it back; destroying it aborts. An erase or put of the same (hash, variant) after begin() has it end as kReplaced.
// Thread: one.
class StreamWriter {
 public:
  using Done = std::move_only_function<void(PutResult)>;

  virtual ~StreamWriter() = default;
  // False: it has failed or was replaced, and takes no more. The slices are held until written, and count as backlog.
  virtual bool append(SliceChain slices) = 0;
  // The same without anything to append, also after finish().
  virtual bool has_failed() const = 0;
  // Whether append() would take 64 KiB now, or once more of this has been written, or not at all: others are
  // before it.
  enum class Room : std::uint8_t { kNow, kLater, kNone };
  virtual Room room() const = 0;
  // Candidate::sequence of what is found once it is stored.
  virtual std::uint64_t sequence() const = 0;
  // `usable_until` as it is known at the end. At most once, and nothing is appended after it.
  virtual void finish(std::string head, std::uint32_t usable_until, Executor* executor, Done done) = 0;
  // It will not be finished: what is written can still be read back.
  virtual void abandon() = 0;

  // How much of the body can be read back by now, finished or not. Thread: any.
  virtual std::uint64_t written_bytes() const = 0;
  // Called when that has grown, under a lock and by a thread that others wait for: it has to be brief. What was set
  // before is not being called any more when this returns. Thread: any.
  virtual void on_written(std::function<void()> callback) = 0;
  // From `offset` < written_bytes() to its body_bytes(), which need not be all that is written: whoever has come there
  // asks again. Outlives the writer. Thread: any; then the executor's.
  virtual std::unique_ptr<BodyReader> read_back(std::uint64_t offset, MemoryBudget* budget, Executor& executor) = 0;
};

enum class VolumeState : std::uint8_t { kLoading, kInService, kOutOfService };
std::string_view to_string(VolumeState state);

struct VolumeStats {
  std::string path;
  VolumeState state = VolumeState::kLoading;
  std::string trouble;  // why it is out of service
  std::uint64_t capacity_bytes = 0;
  std::uint64_t used_bytes = 0;    // segments and journal, unlinked ones that are still read included
  std::uint64_t pinned_bytes = 0;  // of those unlinked ones
  std::uint64_t objects = 0;
  std::uint64_t segments = 0;
  std::uint64_t journal_bytes = 0;
  std::uint64_t backlog_bytes = 0;
  ReadBackend read_backend = ReadBackend::kThreads;
  std::uint64_t reads_waiting = 0;
  std::uint64_t read_errors = 0;
  std::uint64_t write_errors = 0;
  std::uint64_t times_out_of_service = 0;
};

// Counters since open(), sums over the volumes; the gauges say so.
struct TierStats {
  std::uint64_t objects = 0;      // gauge
  std::uint64_t index_bytes = 0;  // gauge
  std::uint64_t lookups = 0;
  std::uint64_t found = 0;  // look-ups with a candidate
  std::uint64_t reads = 0;
  std::uint64_t read_bytes = 0;      // from the files
  std::uint64_t body_bytes_out = 0;  // after decompression
  std::uint64_t reads_gone = 0;
  std::uint64_t reads_corrupt = 0;  // checksum failures
  std::uint64_t reads_failed = 0;
  std::uint64_t reads_busy = 0;
  std::uint64_t reads_timeout = 0;
  std::uint64_t puts[kPutStatuses] = {};  // by PutStatus
  std::uint64_t put_bytes = 0;            // heads, keys and bodies of what was stored
  std::uint64_t written_bytes = 0;        // to the files, all of it; over put_bytes: write amplification
  std::uint64_t syncs = 0;
  std::uint64_t erased = 0;
  std::uint64_t evicted = 0;
  std::uint64_t evicted_segments = 0;
  std::uint64_t reinserted = 0;
  std::uint64_t reinserted_bytes = 0;
  std::uint64_t lz4_bytes_in = 0;  // bodies that were compressed, and what became of them
  std::uint64_t lz4_bytes_out = 0;
  std::uint64_t lz4_skipped_bytes = 0;  // bodies that were tried and did not gain
  std::uint64_t lz4_compress_ns = 0;
  std::uint64_t lz4_decompress_ns = 0;
  std::uint64_t journal_entries = 0;
  std::uint64_t journal_commits = 0;
  std::uint64_t asides_written = 0;
  std::vector<VolumeStats> volumes;
};

class Tier {
 public:
  using ReadDone = std::move_only_function<void(ReadStatus, StoredHead, SliceChain body)>;
  using OpenDone = std::move_only_function<void(ReadStatus, StoredHead, std::unique_ptr<BodyReader>)>;
  using PutDone = std::move_only_function<void(PutResult)>;
  using DurableDone = std::move_only_function<void(bool durable)>;

  // Takes the directories' locks, reads the journals and starts the threads; the index is loaded by them, and until it
  // is, what is not loaded yet is a miss. A failing disk is out of service, not an error. Errors are what the operator
  // has to change (not ours, of a newer version, in use, too small, overlapping, not writable): path, reason and way
  // out in one line, and nothing was changed.
  static std::expected<std::unique_ptr<Tier>, std::string> open(TierOptions options);
  // close(), if that was not called.
  ~Tier();
  Tier(const Tier&) = delete;
  Tier& operator=(const Tier&) = delete;

  // The variants of a key that can be used now, the youngest first. Memory only: one short lock.
  std::vector<Candidate> find(std::uint64_t hash) const;
  // Whether it would be found again. Memory only, no allocation.
  bool holds(const Candidate& candidate) const;
  // A relaxed bit: it is written again when its segment goes.
  void mark_used(const Candidate& candidate);

  // The whole record. More than `max_body_bytes` of body: kTooLarge. Memory comes from `budget`, which outlives it.
  [[nodiscard]] Pending read(const Candidate& candidate, std::uint64_t max_body_bytes, MemoryBudget* budget,
                             Executor& executor, ReadDone done);
  // Its head, and a reader for its body, which is to be destroyed on the executor's thread. The blocks from
  // `first_wanted` on, if that is given, have been read by then and are good.
  [[nodiscard]] Pending open_body(const Candidate& candidate, std::optional<std::uint64_t> first_wanted,
                                  MemoryBudget* budget, Executor& executor, OpenDone done);

  // Replaces what has the same hash and variant. The slices are held until written. `done` may be empty, and `executor`
  // null then.
  void put(Meta meta, std::string head, SliceChain body, Executor* executor = nullptr, PutDone done = {});
  // Null: not admitted, or out of service; then nothing was replaced, and the caller erases what must not stay.
  std::unique_ptr<StreamWriter> begin_stream(Meta meta);
  // Larger bodies are kTooLarge, whichever volume they belong on.
  std::uint64_t max_body_bytes() const;

  // Gone from the index when this returns, with what is on its way to the disk; durably so when `done` runs with true.
  // False: no volume that could bring it back took the note (it was said in the log), or not in time.
  // All variants: how many there were.
  std::size_t erase(std::uint64_t hash, Executor* executor = nullptr, DurableDone done = {});
  void erase(std::uint64_t hash, std::uint64_t variant, Executor* executor = nullptr, DurableDone done = {});

  // Of the records with that label, those found on the volumes included. A lower maximum is reached by and by.
  void set_group(std::uint32_t label, GroupBounds bounds);
  GroupUse group_use(std::uint32_t label) const;

  // Keeps a note of the user's for as long as there may be a record whose purge_epoch is lower than its epoch. On every
  // volume; `done` runs with true when each volume in service has it on the device (one that has not is out of service,
  // and is emptied before it returns), with false when there is none.
  void journal(Note note, Executor* executor = nullptr, DurableDone done = {});
  // The highest epoch that a note, kept or forgotten, has had. After open() the user's epochs go on from here; what is
  // put with a lower one than a forgotten note's is refused as kReplaced.
  std::uint64_t epoch() const;
  // Above all epochs that the user can have drawn before this start from its first_epoch() on, whether a note has had
  // them or not.
  std::uint64_t first_epoch() const;

  // Everything put so far is on the devices. For tests and tools; the tier does so on its own.
  void sync(Executor* executor, DurableDone done);
  // Loading is over on every volume in service.
  bool is_loaded() const;
  // Waits for that, by the system's clock; false when it is not so after `limit`.
  bool await_loaded(std::chrono::milliseconds limit);
  TierStats stats() const;

  // Writes what is waiting, syncs, writes the index aside and joins the threads; bounded: a disk that hangs is left
  // behind after 5 s or so. Completions that are still to come are posted before it returns. Afterwards everything is a
  // miss. Not twice, not concurrently with other calls.
  void close();

 private:
  explicit Tier(std::shared_ptr<TierCore> core);
  std::shared_ptr<TierCore> core_;
};

// What is wrong with the configuration itself, before anything is touched: sizes, number, doubles, one within another.
std::optional<std::string> check_volumes(const std::vector<VolumeOptions>& volumes);
// Whether links and dots hide that two are one, or one within another.
std::optional<std::string> check_links(const std::vector<VolumeOptions>& volumes, FileSystem* file_system = nullptr);

// What open() would refuse this directory for, as far as looking tells: nothing is changed, and no lock is taken. That
// it does not exist is an answer like the others. `by_its_user`: whoever asks is who will open it.
std::optional<std::string> check_directory(const std::string& directory, bool by_its_user,
                                           FileSystem* file_system = nullptr);

}  // namespace seawall::disk
