// One directory of the tier: its lock, its segments, its journal and its threads. Life: probe() and adopt() by open(),
// run by its threads between start() and close(), in or out of service. A volume that leaves service is emptied before
// it returns: what it has missed meanwhile need not be known. Thread: as each function says.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "disk/counters.h"
#include "disk/file_system.h"
#include "disk/groups.h"
#include "disk/index.h"
#include "disk/journal.h"
#include "disk/read_pool.h"
#include "disk/segment_file.h"
#include "disk/tier.h"
#include "disk/volume_writer.h"

namespace seawall::disk {

// What a volume asks of the tier. Thread: any of the volume's.
class VolumeHost {
 public:
  virtual ~VolumeHost() = default;
  // Whether it is of use to write on the volume itself that it is no more to be believed.
  enum class Touch : std::uint8_t { kNo, kYes };
  // The volume leaves service; whether that is durably so.
  virtual bool take_out(std::size_t volume, const std::string& trouble, Touch touch) = 0;
  bool take_out(std::size_t volume, const std::string& trouble) { return take_out(volume, trouble, Touch::kYes); }
  // The volume is empty and has a new id: it is a member again. False: that could not be written.
  virtual bool take_in(std::size_t volume) = 0;
  // Records with a lower purge epoch are refused: notes that would have applied to them may be forgotten.
  virtual std::uint64_t epoch_floor() const = 0;
  virtual void raise_epoch_floor(std::uint64_t epoch) = 0;
  // The lowest purge epoch that a record on any volume may have; 0 while that is not known.
  virtual std::uint64_t min_record_epoch() const = 0;
};

struct VolumeContext {
  const TierOptions& options;
  FileSystem& fs;
  Index& index;
  Groups& groups;
  Counters& counters;
  VolumeHost& host;
};

class Volume {
 public:
  Volume(std::size_t number, VolumeOptions own, VolumeContext context);

  // --- open(), on the caller's thread
  enum class Found : std::uint8_t { kEmpty, kOurs, kDamaged, kFailing };
  struct Probe {
    Found found = Found::kFailing;
    std::optional<VolumeFile> file;  // kOurs, and sometimes kDamaged
    FoundJournal journal;
    std::string trouble;  // kFailing
  };
  // Errors are the operator's to solve, and nothing was changed but that the lock is held.
  std::expected<Probe, std::string> probe();
  // With its content (`keep`), or emptied under a new id.
  IoResult<void> adopt(const Probe& probe, bool keep, const std::vector<JournalEntry>& journal);
  IoResult<void> write_volume_file(const VolumeFile& file);
  // So that what is on it is never believed again. What its own file says of others stays.
  bool invalidate(const VolumeFile& without_it);
  // `keep_alive` lives as long as any of its threads.
  void start(std::shared_ptr<void> keep_alive);
  // Closing, each step on all volumes before the next, for what one writer leaves may go into another's journal. False:
  // it did not end in time.
  void begin_close();
  bool close_writer(std::chrono::milliseconds patience);
  bool close_house(std::chrono::milliseconds patience);
  // The threads are joined, or left behind.
  void close_journal(std::chrono::milliseconds patience);

  // --- Thread: any
  std::size_t number() const { return number_; }
  const std::string& path() const { return own_.path; }
  std::uint64_t volume_id() const { return volume_id_; }
  VolumeState state() const { return state_.load(); }
  bool is_in_service() const { return state_.load() != VolumeState::kOutOfService; }
  void leave_service(const std::string& trouble, bool durably);
  std::uint64_t segment_bytes() const { return segment_bytes_; }
  std::uint64_t max_whole_bytes() const;  // of a body
  std::uint64_t chunk_bytes() const;
  std::uint64_t max_body_bytes() const { return std::min(own_.capacity_bytes / 4, body_class_bytes(255)); }
  VolumeStats stats() const;
  // A read that failed at the device: many in a row take it out of service.
  void on_read(bool failed);

  VolumeContext& context() { return context_; }
  const VolumeContext& context() const { return context_; }
  SegmentTable& segments() { return segments_; }
  const SegmentTable& segments() const { return segments_; }
  Journal& journal() { return journal_; }
  ReadPool& readers() { return readers_; }
  VolumeWriter& writer() { return writer_; }

  // --- the writer thread
  std::string file_path(const std::string& name) const { return own_.path + "/" + name; }
  std::uint64_t take_segment_id() { return next_segment_id_++; }
  bool fits(std::uint64_t more_bytes) const;
  // That there is less room than it may have.
  void say_full() const;
  // More room is held by readers of what has gone than could be made by letting go of more.
  bool is_held_by_readers() const { return segments_.pinned_bytes() > own_.capacity_bytes / 4; }
  // Whether it shall be tried again now; tries, and says whether it is in service.
  bool return_to_service();
  void count_write_error() { write_errors_.fetch_add(1, std::memory_order_relaxed); }
  // Around everything that may hang: what takes longer than slow_limit takes the volume out of service.
  void mark_io(std::atomic<std::int64_t>& since, bool begins) const;
  std::atomic<std::int64_t>& writer_io() { return writer_io_; }

 private:
  void keep_house();
  void keep_watch();
  void keep_deadlines();
  std::chrono::milliseconds tick() const;
  IoResult<void> load();
  IoResult<void> load_segment(const std::shared_ptr<SegmentFile>& segment, const SegmentSummary* aside);
  bool remove_segment(const std::shared_ptr<SegmentFile>& segment);
  IoResult<void> recover_segment(const std::shared_ptr<SegmentFile>& segment, SegmentSummary known);
  IoResult<void> write_aside();
  IoResult<void> remove_files();
  std::function<bool(const JournalEntry&)> keeper(std::uint64_t max_epoch);
  void check_for_hangs();
  // For so much at once, all of which even a slow disk gets its time for.
  void mark_house_io(std::uint64_t bytes);
  void tend_house(MonoTime now);
  bool wait_for_threads(std::size_t running, std::chrono::milliseconds patience);

  const std::size_t number_;
  const VolumeOptions own_;
  VolumeContext context_;
  const std::uint64_t segment_bytes_;
  std::unique_ptr<File> lock_;
  std::atomic<std::uint64_t> volume_id_{0};
  std::vector<std::string> names_;  // as probe() found them
  std::uint64_t next_segment_id_ = 1;

  SegmentTable segments_;
  ReadPool readers_;
  Journal journal_;
  VolumeWriter writer_;

  std::atomic<VolumeState> state_{VolumeState::kLoading};
  std::atomic<bool> retry_{false};
  std::atomic<bool> is_loading_{false};
  std::atomic<std::uint64_t> aside_bytes_{0};
  std::atomic<std::uint64_t> read_errors_{0};
  std::atomic<std::uint64_t> read_errors_in_a_row_{0};
  std::atomic<std::uint64_t> write_errors_{0};
  std::atomic<std::uint64_t> times_out_{0};
  mutable std::atomic<std::int64_t> writer_io_{0};
  mutable std::atomic<std::int64_t> journal_io_{0};
  mutable std::atomic<std::int64_t> house_io_{0};
  MonoTime out_since_;
  MonoTime aside_at_;
  std::uint64_t aside_marker_ = 0;  // bytes written when the aside was

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool closing_ = false;
  std::size_t threads_running_ = 0;
  std::size_t reader_count() const { return readers_.threads(std::max<std::size_t>(1, context_.options.readers)); }
  std::string trouble_;
  std::vector<std::thread> threads_;
};

}  // namespace seawall::disk
