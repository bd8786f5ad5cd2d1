// The writer of one volume: takes what is to be put from a bounded queue, lays records into the open segment by way of
// one buffer, syncs, seals, and makes room by letting the oldest segment go. Thread: any for submit() and stop(); the
// rest is the writer thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "disk/block_codec.h"
#include "disk/index.h"
#include "disk/record_reader.h"
#include "disk/segment_file.h"
#include "disk/tier.h"

namespace seawall::disk {

class Volume;

// A streamed body on its way. `chunks` and `body_bytes` are the writer thread's.
struct StreamState {
  // A chunk that can be read back.
  struct Written {
    std::shared_ptr<SegmentFile> segment;
    std::uint64_t begin = 0;  // in the body
    Chunk chunk;
  };

  std::shared_ptr<PendingPut> put;
  Meta meta;
  std::vector<Chunk> chunks;
  std::uint64_t body_bytes = 0;
  std::atomic<bool> has_failed{false};

  std::atomic<std::uint64_t> written_bytes{0};
  mutable Mutex mutex;
  std::vector<Written> written SW_GUARDED_BY(mutex);
  std::function<void()> on_written SW_GUARDED_BY(mutex);

  void add_written(Written next);
};

struct WriteOp {
  enum class Kind : std::uint8_t { kPut, kChunk, kFinish, kSync };
  Kind kind = Kind::kPut;
  std::shared_ptr<PendingPut> put;
  Meta meta;
  std::string head;
  SliceChain body;
  std::shared_ptr<StreamState> stream;
  std::uint64_t bytes = 0;  // of backlog
  BudgetCharge charge;      // of what is not in slices
  std::move_only_function<void(PutStatus)> done;
};

class VolumeWriter {
 public:
  explicit VolumeWriter(Volume& volume) : volume_(volume) {}

  // False: the backlog is full, or it has stopped; the op is untouched.
  bool submit(WriteOp& op);
  void run();
  // Everything submitted is written and synced, then run() returns.
  void stop();
  // Sees to groups that are past their maximum, and to what the volume has past its capacity.
  void trim();
  // Wakes it to notice that the volume left service or shall be tried again.
  void wake();
  std::uint64_t backlog_bytes() const { return backlog_.load(std::memory_order_relaxed); }
  // Whether submit() would take so much of a body now.
  bool has_room_for(std::uint64_t body_bytes) const;

 private:
  // What becomes visible when its bytes are written.
  struct Unsettled {
    std::shared_ptr<PendingPut> put;  // null: a used record that was written again
    std::uint64_t old_sequence = 0;
    Entry entry;
    std::uint64_t user_bytes = 0;
    std::move_only_function<void(PutStatus)> done;
  };
  // Of a group, nothing that stands before is in the index.
  struct Trimmed {
    std::uint64_t segment_id = 0;
    std::uint64_t offset = 0;
  };
  struct Placed {
    std::uint64_t segment_id = 0;
    std::uint64_t offset = 0;
    std::uint32_t stored_bytes = 0;
  };

  void finish_op(WriteOp& op, PutStatus status);
  void perform(WriteOp& op);
  IoResult<void> put(WriteOp& op);
  IoResult<void> write_chunk(StreamState& stream, const SliceChain& body);
  IoResult<void> chunk(StreamState& stream, const SliceChain& body);
  IoResult<void> finish_stream(WriteOp& op, StreamState& stream, const Meta& meta);
  IoResult<Placed> append(RecordHeader header, const RecordMeta& meta, std::string_view blocks, Unsettled* unsettled);
  IoResult<void> flush();
  void settle(Unsettled& unsettled);
  IoResult<void> sync();
  IoResult<void> seal();
  IoResult<void> open_segment();
  IoResult<std::shared_ptr<SegmentFile>> create_segment();
  IoResult<void> make_room();
  IoResult<bool> shrink_some();
  IoResult<void> evict(const std::shared_ptr<SegmentFile>& segment, bool keep_used);
  void bury_copies();
  // What the footer has; nullopt: it cannot be read.
  static std::optional<std::vector<Entry>> read_entries(const SegmentFile& segment);
  IoResult<void> write_again(SegmentFile& segment, const std::vector<Entry>& entries);
  IoResult<bool> write_again(SegmentFile& segment, const Entry& entry);
  bool is_too_old(const PendingPut& put) const;
  // volume_trim.cc
  // Room for a record within the maximum of its group, whose oldest go; of the open segment what starts before `end`.
  // False: it takes more than that.
  bool make_group_room(std::uint16_t group, std::uint64_t bytes, std::uint64_t end);
  void trim_to(std::uint16_t group, std::uint64_t target_bytes, std::uint64_t end);
  bool trim_some();
  bool is_stopping();
  // After a failure, or out of service: whatever is half done is given up.
  void give_up(PutStatus status);
  void tick();

  Volume& volume_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<WriteOp> queue_;
  bool stopping_ = false;
  bool poked_ = false;
  std::atomic<std::uint64_t> backlog_{0};
  std::atomic<bool> trims_{true};  // there may be more than there is to be

  std::shared_ptr<SegmentFile> open_;
  std::vector<Entry> entries_;  // of the open segment, for its footer
  std::string buffer_;
  std::uint64_t buffer_at_ = 0;  // its place in the file
  std::vector<Unsettled> unsettled_;
  std::string blocks_;                                  // of the record at hand
  std::unordered_map<std::uint16_t, Trimmed> trimmed_;  // by group
  bool evicting_ = false;
  bool has_said_full_ = false;
  std::uint64_t unsynced_bytes_ = 0;
  MonoTime buffered_since_;
  MonoTime unsynced_since_;
};

}  // namespace seawall::disk
