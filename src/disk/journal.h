// What must not come back, and the user's notes: a file of blocks, each in both of its halves. What is added is written
// at once, into a block that is written again with what follows until it is synced, so that the end of the process
// loses nothing; a sync is shared. See docs/disk-format.md for what is kept how long. Thread: any for add() and
// when_committed(); run() is the journal thread; the rest before it starts or on it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "disk/file_system.h"
#include "disk/format.h"
#include "disk/tier.h"

namespace seawall::disk {

struct FoundJournal {
  std::uint64_t generation = 0;  // of the newest file; 0: none
  bool is_whole = false;         // false: there is none, or something that was committed cannot be read
  std::vector<JournalEntry> entries;
};
// `names` of the directory.
FoundJournal read_journal(FileSystem& fs, const std::string& directory, const std::vector<std::string>& names,
                          std::uint64_t volume_id);
// Takes out the notes that TierOptions::prune finds needless. An epoch that none of
// those is above; 0: there are none.
std::uint64_t prune_notes(const TierOptions& options, std::vector<JournalEntry>& entries);
JournalEntry note_entry(Note note);
// Room for the next journal, taken before others fill the file system.
inline constexpr std::string_view kSpareJournal = "journal.spare";
// 0 when it is none.
std::uint64_t journal_generation(const std::string& name);

class Journal {
 public:
  struct Hooks {
    // See prune_notes().
    std::function<std::uint64_t(std::vector<JournalEntry>&)> prune;
    // Whether an entry is still of use, when the file is rewritten: asked for a fresh look at what is there, given the
    // highest epoch of a note.
    std::function<std::function<bool(const JournalEntry&)>(std::uint64_t max_epoch)> keep;
    // The disk has failed: the volume is to leave service. Returns whether it is durably out.
    std::function<bool(const std::string& trouble)> on_failure;
    std::function<void(std::int64_t)> on_io;  // 1 before, -1 after
  };
  using Committed = std::move_only_function<void(bool durable)>;

  Journal(FileSystem& fs, std::string directory, std::size_t room, Hooks hooks)
      : fs_(fs), directory_(std::move(directory)), min_half_bytes_(room / 2), hooks_(std::move(hooks)) {}

  // A new file with these entries, in the place of what there was.
  IoResult<void> start(std::uint64_t volume_id, std::uint64_t generation, const std::vector<JournalEntry>& entries);
  std::uint64_t generation() const { return generation_; }
  void add(JournalEntry entry);
  // Runs `done` on the journal thread when everything added so far is on the device; with false, on another, when it
  // is out of service or late.
  void when_committed(Committed done, MonoTime now);
  // Those that have waited since before `then` are answered with false: the device may hang.
  void expire(MonoTime then);
  // Until stop(), and then until everything is committed.
  void run();
  void stop();
  // Entries and waiters of a volume that is out of service are answered with this, and not written.
  void set_out(bool durably);
  void set_in() { out_ = kIn; }
  // Nothing is being written: with set_out(), start() may be called from another thread.
  bool is_idle();

  // With the spare file.
  std::uint64_t file_bytes() const {
    return file_bytes_.load(std::memory_order_relaxed) + spare_bytes_.load(std::memory_order_relaxed);
  }
  std::uint64_t entries() const { return entries_.load(std::memory_order_relaxed); }
  std::uint64_t commits() const { return commits_.load(std::memory_order_relaxed); }
  std::uint64_t written_bytes() const { return written_.load(std::memory_order_relaxed); }

 private:
  enum Out : int { kIn, kOutDurably, kOutMaybe };
  bool is_sync_due() const;
  IoResult<void> write(const std::vector<JournalEntry>& batch);
  IoResult<void> write_open();
  IoResult<void> sync_open();
  IoResult<void> compact();
  IoResult<void> write_file(std::uint64_t volume_id, std::uint64_t generation,
                            const std::vector<JournalEntry>& entries);
  struct NewFile {
    std::unique_ptr<File> file;
    std::string path;
    std::uint64_t half_bytes = 0;
  };
  IoResult<NewFile> take_file(std::uint64_t content_bytes);
  IoResult<void> keep_spare(std::uint64_t generation);
  std::string path(std::uint64_t generation) const;

  FileSystem& fs_;
  const std::string directory_;
  const std::uint64_t min_half_bytes_;
  Hooks hooks_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<JournalEntry> queue_;
  struct Waiter {
    Committed done;
    MonoTime since;
  };
  std::vector<Waiter> waiting_;
  std::vector<Waiter> in_flight_;  // for what is being written
  bool stopping_ = false;
  bool has_ended_ = false;
  bool is_busy_ = false;  // a batch is being written
  std::optional<MonoTime> unsynced_since_;
  std::atomic<int> out_{kIn};

  const SystemClock clock_;
  std::unique_ptr<File> file_;
  JournalHeader header_;
  std::uint64_t generation_ = 0;
  std::uint64_t blocks_ = 0;  // synced
  std::uint64_t end_ = 0;     // of them, in a half
  std::string open_;          // payload of the block behind them, which is not synced
  std::atomic<std::uint64_t> file_bytes_{0};
  std::atomic<std::uint64_t> spare_bytes_{0};
  std::atomic<std::uint64_t> entries_{0};
  std::atomic<std::uint64_t> commits_{0};
  std::atomic<std::uint64_t> written_{0};
};

}  // namespace seawall::disk
