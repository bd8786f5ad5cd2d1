// One segment of a volume, for as long as anybody reads from it: its file stays open, so that what is unlinked can
// still be read to its end. Thread: any; what is not atomic is set before it is shared, or belongs to the volume's
// writer.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "disk/file_system.h"
#include "disk/format.h"
#include "disk/index.h"

namespace seawall::disk {

struct SegmentFile {
  ~SegmentFile() {
    if (is_unlinked && pinned_bytes) pinned_bytes->fetch_sub(bytes, std::memory_order_relaxed);
  }

  void lower_min_sequence(std::uint64_t sequence) {
    if (sequence < min_sequence.load()) min_sequence = sequence;
  }
  void lower_min_epoch(std::uint64_t epoch) {
    if (epoch < min_epoch.load()) min_epoch = epoch;
  }

  std::unique_ptr<File> file;
  std::string path;
  std::uint64_t id = 0;
  std::uint64_t nonce = 0;
  std::uint16_t slot = 0;
  std::atomic<std::uint64_t> bytes{0};  // that it occupies
  // No record in it has lower ones.
  std::atomic<std::uint64_t> min_sequence{0};
  std::atomic<std::uint64_t> min_epoch{~std::uint64_t{0}};
  std::atomic<std::uint64_t> settled_bytes{0};  // what starts before is in the index, unless it is dead
  std::atomic<bool> is_sealed{false};
  std::atomic<bool> is_unlinked{false};
  std::shared_ptr<std::atomic<std::uint64_t>> pinned_bytes;  // the volume's count of what is unlinked and still open
};

// The segments of one volume. Thread: any.
class SegmentTable {
 public:
  explicit SegmentTable(std::size_t volume) : volume_(volume) {}

  // Gives it a slot. False: there are too many.
  bool add(const std::shared_ptr<SegmentFile>& segment);
  void remove(const SegmentFile& segment);
  // All of it, for a volume that starts anew.
  std::vector<std::shared_ptr<SegmentFile>> take_all();
  // Null: gone.
  std::shared_ptr<SegmentFile> find(std::uint16_t slot) const;
  std::shared_ptr<SegmentFile> find_id(std::uint64_t id) const;
  std::shared_ptr<SegmentFile> oldest_sealed() const;
  // The oldest that is no older.
  std::shared_ptr<SegmentFile> find_from(std::uint64_t id) const;
  std::vector<std::shared_ptr<SegmentFile>> all() const;  // by age

  std::uint64_t bytes() const;
  std::uint64_t pinned_bytes() const { return pinned_bytes_->load(std::memory_order_relaxed); }
  const std::shared_ptr<std::atomic<std::uint64_t>>& pinned_count() const { return pinned_bytes_; }
  // The lowest sequence and purge epoch that a record in any of them may have.
  std::pair<std::uint64_t, std::uint64_t> floor() const;

 private:
  const std::size_t volume_;
  mutable Mutex mutex_;
  std::map<std::uint64_t, std::shared_ptr<SegmentFile>> by_id_ SW_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<SegmentFile>> by_slot_ SW_GUARDED_BY(mutex_);
  std::shared_ptr<std::atomic<std::uint64_t>> pinned_bytes_ = std::make_shared<std::atomic<std::uint64_t>>(0);
};

std::string segment_name(std::uint64_t id);
// 0 when it is none.
std::uint64_t segment_id(const std::string& name);

}  // namespace seawall::disk
