// What lies in a directory of the disk tier that no server has open: everything is read, and nothing changed. Thread:
// any that may wait for a disk.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "disk/tier.h"

namespace seawall::disk {

struct InspectOptions {
  const Clock* clock = nullptr;       // never null
  FileSystem* file_system = nullptr;  // null: the real one
  // Each note that the journal holds, before the first record is looked at.
  std::function<void(const Note&)> on_note;
  // Whether the user's rules let it be served. Without it: whatever is there.
  std::function<bool(const Revisit&)> is_servable;
};

struct CheckReport {
  std::uint32_t version = 0;
  std::uint64_t segments = 0;
  std::uint64_t bytes = 0;
  std::uint64_t records = 0;  // that would be served
  std::uint64_t dead = 0;     // replaced, erased, purged, expired, or not all there
  std::uint64_t notes = 0;
  std::uint64_t tombstones = 0;
  std::vector<std::string> problems;  // one line each: file, offset, what; the first 1000
  std::uint64_t problem_count = 0;
};
// `seawall disk check`. The error says why nothing can be said of the directory.
std::expected<CheckReport, std::string> check(const std::string& directory, const InspectOptions& options);

struct ListedRecord {
  std::string key;
  std::uint64_t variant = 0;
  std::uint64_t body_bytes = 0;
  std::uint64_t stored_bytes = 0;
  std::uint32_t usable_until = 0;
  bool is_compressed = false;
  bool is_streamed = false;
};
// `seawall disk ls`: what would be served, in the order of the segments. As check(), but for bodies, which are not
// read.
std::expected<CheckReport, std::string> list(const std::string& directory, const InspectOptions& options,
                                             const std::function<void(const ListedRecord&)>& each);

}  // namespace seawall::disk
