// A file system in memory that behaves as badly as real ones may. It remembers what was synced: a power loss keeps
// that, and of the rest any sectors and any names, in any combination. It can stop at the n-th operation as a process
// that is killed, flip bits, and fail. Thread: any.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/rng.h"
#include "disk/file_system.h"
#include "disk/read_ring.h"

namespace seawall::test {

class SimulatedDisk final : public disk::FileSystem {
 public:
  explicit SimulatedDisk(std::uint64_t seed) : rng_(seed) {}

  void make_directory(const std::string& path);
  // After so many operations that change something every operation fails and changes nothing; the one at which it
  // stops is done in part.
  void stop_after(std::uint64_t operations);
  bool has_stopped() const;
  std::uint64_t operations() const;

  // The process is gone, and the machine goes on: what was written is there, all locks are free.
  void restart();
  // The machine is gone too.
  void lose_power();
  // One bit in one file whose path starts with `prefix`. False: there is none with content.
  bool flip_bit(const std::string& prefix);

  // Operations under this path fail from now on with that errno; 0 heals it. `only_growth`: reading and what needs no
  // room goes on, as on a full disk.
  void fail(const std::string& prefix, int error, bool only_growth = false);

  // What files under this path take together; what was allocated does not count, as on file systems that promise
  // nothing.
  void limit_room(const std::string& prefix, std::uint64_t bytes);
  // How often there was none.
  std::uint64_t refused() const;

  // There are no rings from now on, for that errno. Those that there are read on the spot, for no file has a
  // descriptor.
  void refuse_rings(int error);

  // Operations under this path do not return until release(); those that change nothing too, or only they, or
  // syncs alone.
  enum class Hang : std::uint8_t { kReads, kChanges, kAll, kSyncs };
  void hang(const std::string& prefix, Hang what);
  void release();
  // How many wait.
  std::size_t hanging() const;

  bool exists(const std::string& path) const;
  std::vector<std::string> files(const std::string& prefix) const;
  std::string content(const std::string& path) const;
  void set_content(const std::string& path, std::string bytes);
  void remove(const std::string& path);

  disk::IoResult<std::unique_ptr<disk::File>> open(const std::string& path, disk::OpenMode mode) override;
  disk::IoResult<void> rename(const std::string& from, const std::string& to) override;
  disk::IoResult<void> unlink(const std::string& path) override;
  disk::IoResult<std::vector<std::string>> list(const std::string& directory) override;
  disk::IoResult<void> sync_directory(const std::string& directory) override;
  disk::IoResult<std::unique_ptr<disk::File>> lock(const std::string& path, bool create) override;
  disk::IoResult<bool> is_own(const std::string&) override { return true; }
  disk::IoResult<std::string> canonical(const std::string& path) override { return path; }
  disk::IoResult<std::unique_ptr<disk::ReadRing>> make_ring() override;

 private:
  struct Change {
    bool is_truncate = false;
    std::uint64_t offset = 0;  // or the new size
    std::string bytes;
  };
  struct Node {
    std::string now;
    std::string durable;
    std::vector<Change> unsynced;
  };
  using Names = std::map<std::string, std::shared_ptr<Node>>;
  struct NameChange {
    std::string path;
    std::shared_ptr<Node> node;  // null: unlinked
  };
  class OpenFile;

  // 0, or why the operation fails.
  int check(const std::string& path, bool changes, bool grows, bool is_sync = false);
  bool has_room(const std::string& path, std::uint64_t more) const;
  static void apply(std::string& content, const Change& change);
  void rename_now(const std::string& path, std::shared_ptr<Node> node);
  void tear(Node& node);

  mutable std::mutex mutex_;
  Rng rng_;
  std::set<std::string> directories_;
  Names names_;
  Names durable_names_;
  std::vector<NameChange> unsynced_names_;
  std::set<std::string> locks_;
  std::map<std::string, std::pair<int, bool>> faults_;
  std::map<std::string, Hang> hangs_;
  std::map<std::string, std::uint64_t> rooms_;
  std::uint64_t refused_ = 0;
  int ring_refusal_ = 0;
  std::condition_variable_any released_;
  std::size_t hanging_ = 0;
  std::uint64_t operations_ = 0;
  std::uint64_t stop_at_ = ~std::uint64_t{0};
  std::uint64_t life_ = 0;
};

}  // namespace seawall::test
