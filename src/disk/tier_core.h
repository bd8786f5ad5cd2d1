// The tier behind tier.h: its volumes, and who is a member of it. Lock order: membership, shards of the index,
// journals.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "disk/admission.h"
#include "disk/counters.h"
#include "disk/groups.h"
#include "disk/index.h"
#include "disk/tier.h"
#include "disk/volume.h"

namespace seawall::disk {

class TierCore final : public VolumeHost, public Undertaker {
 public:
  explicit TierCore(TierOptions options);

  std::expected<void, std::string> open();
  void start(const std::shared_ptr<TierCore>& self);
  void close();

  // --- VolumeHost, Undertaker
  bool take_out(std::size_t volume, const std::string& trouble, Touch touch) override;
  bool take_in(std::size_t volume) override;
  std::uint64_t epoch_floor() const override { return epoch_floor_.load(); }
  void raise_epoch_floor(std::uint64_t epoch) override;
  std::uint64_t min_record_epoch() const override;
  void bury(std::size_t volume, const JournalEntry& tombstone) override { volumes_[volume]->journal().add(tombstone); }

  // --- for Tier and the reads
  const TierOptions& options() const { return options_; }
  Index& index() { return index_; }
  Counters& counters() { return counters_; }
  Admission& admission() { return admission_; }
  Groups& groups() { return groups_; }
  std::vector<std::unique_ptr<Volume>>& volumes() { return volumes_; }
  // By rendezvous hashing over those in service, by capacity. Null: none is.
  Volume* volume_for(std::uint64_t hash) const;
  std::shared_ptr<SegmentFile> segment(std::uint16_t slot) const {
    return volumes_[volume_of(slot)]->segments().find(slot);
  }
  std::uint64_t max_body_bytes() const;
  // When everything buried or noted so far is on the devices.
  void when_durable(std::move_only_function<void(bool)> done);
  std::uint32_t now_seconds() const;
  bool is_closed() const { return is_closed_.load(std::memory_order_relaxed); }
  void note(Note note);
  std::uint64_t first_epoch() const { return boot_ << kBootShift; }
  std::uint64_t epoch() const { return std::max(epoch_floor_.load(), max_note_epoch_.load()); }
  TierStats stats() const;

 private:
  using Probes = std::vector<Volume::Probe>;
  void elect(const Probes& probes);
  void adopt(const Probes& probes);
  void make_rings();
  void agree();
  VolumeFile members() const SW_REQUIRES(membership_);
  void log(LogLevel level, const std::string& line) const {
    if (options_.log) options_.log(level, line);
  }

  const TierOptions options_;
  FileSystem& fs_;
  Counters counters_;
  Groups groups_;
  Index index_;
  Admission admission_;
  std::vector<std::unique_ptr<Volume>> volumes_;
  std::vector<bool> is_durably_out_;  // under membership_
  std::vector<bool> keeps_;           // while opening: its content is believed
  Mutex membership_;
  std::uint64_t boot_ = 0;
  std::uint64_t era_ = 0;
  std::atomic<std::uint64_t> epoch_floor_{0};
  std::atomic<std::uint64_t> max_note_epoch_{0};
  std::atomic<bool> is_closed_{false};
};

// read.cc
Pending start_read(const std::shared_ptr<TierCore>& core, const Candidate& candidate, std::uint64_t max_body_bytes,
                   MemoryBudget* budget, Executor& executor, Tier::ReadDone done);
Pending start_open_body(const std::shared_ptr<TierCore>& core, const Candidate& candidate,
                        std::optional<std::uint64_t> first_wanted, MemoryBudget* budget, Executor& executor,
                        Tier::OpenDone done);
// What is written of a stream, from a chunk on that has `offset`.
std::unique_ptr<BodyReader> read_back(const std::shared_ptr<TierCore>& core, const StreamState& stream,
                                      std::uint64_t offset, MemoryBudget* budget, Executor& executor);
// stream_writer.cc
std::unique_ptr<StreamWriter> make_stream_writer(const std::shared_ptr<TierCore>& core, Volume& volume, Meta meta);

}  // namespace seawall::disk
