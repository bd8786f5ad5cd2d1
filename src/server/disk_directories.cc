#include "server/disk_directories.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "config/units.h"
#include "obs/log.h"

namespace seawall::server {
namespace {

constexpr Millis kLongestLoad{3000};

std::string refuse(const std::string& directory, std::string_view what) {
  return fmt::format("disk cache directory {}: {}", directory, what);
}

std::string text_of(int error) {
  return std::system_category().message(error);
}

std::string cannot_make(const std::string& directory, int error) {
  return refuse(directory, fmt::format("it does not exist and cannot be created: {}; create it, owned by the server's "
                                       "user",
                                       text_of(error)));
}

// One level: a path that is misspelt shall not become a tree.
std::optional<std::string> make_directory(const std::string& directory) {
  if (::mkdir(directory.c_str(), 0700) == 0) {
    obs::log(obs::LogLevel::kInfo, "disk cache directory {}: created", directory);
    return std::nullopt;
  }
  if (errno == EEXIST) return std::nullopt;
  return cannot_make(directory, errno);
}

void log_line(disk::LogLevel level, const std::string& line) {
  switch (level) {
    case disk::LogLevel::kInfo: return obs::log_text(obs::LogLevel::kInfo, line);
    case disk::LogLevel::kWarning: return obs::log_text(obs::LogLevel::kWarning, line);
    case disk::LogLevel::kError: return obs::log_text(obs::LogLevel::kError, line);
  }
}

}  // namespace

std::optional<std::string> check_disk_directory(const std::string& directory) {
  struct stat status{};
  if (::stat(directory.c_str(), &status) != 0 && errno == ENOENT) {
    const std::string parent = std::filesystem::path(directory).parent_path().string();
    if (::access(parent.c_str(), W_OK | X_OK) == 0) return std::nullopt;
    return cannot_make(directory, errno);
  }
  // Root looks at it for whoever will serve.
  if (auto problem = disk::check_directory(directory, ::geteuid() != 0)) return problem;
  if (::access(directory.c_str(), R_OK | W_OK | X_OK) == 0) return std::nullopt;
  return refuse(directory, fmt::format("{}; the server's user has to own it and what is in it", text_of(errno)));
}

std::expected<std::unique_ptr<cache::DiskTier>, std::string> open_disk(const config::Config& config,
                                                                       cache::Store& store, const Clock& clock) {
  if (config.disk.empty()) return nullptr;
  for (const disk::VolumeOptions& volume : config.disk) {
    if (auto problem = make_directory(volume.path)) return std::unexpected(std::move(*problem));
  }
  disk::TierOptions options;
  options.volumes = config.disk;
  options.max_body_bytes = config.disk_max_object_bytes;
  options.write_bytes_per_second = config.disk_write_bytes_per_second;
  options.read_backend = config.disk_reads;
  options.clock = &clock;
  options.log = log_line;
  auto tier = cache::DiskTier::open(std::move(options), store);
  if (!tier) return tier;
  for (const disk::VolumeOptions& volume : config.disk) {
    obs::log(obs::LogLevel::kInfo, "disk cache in {}, {}", volume.path, config::format_size(volume.capacity_bytes));
  }
  return tier;
}

void await_disk(cache::DiskTier& disk) {
  if (disk.await_loaded(kLongestLoad)) return;
  obs::log(obs::LogLevel::kWarning,
           "disk cache: not all of it is known after {}; what is not is fetched from the origin meanwhile",
           config::format_duration(kLongestLoad));
}

bool has_same_disk(const config::Config& a, const config::Config& b) {
  const auto is_same = [](const disk::VolumeOptions& x, const disk::VolumeOptions& y) {
    return x.path == y.path && x.capacity_bytes == y.capacity_bytes;
  };
  return std::ranges::equal(a.disk, b.disk, is_same) && a.disk_max_object_bytes == b.disk_max_object_bytes &&
         a.disk_write_bytes_per_second == b.disk_write_bytes_per_second && a.disk_reads == b.disk_reads;
}

}  // namespace seawall::server
