// `seawall disk check` and `seawall disk ls`: what a directory of `cache.disk` holds, while no server uses it. Nothing
// is changed. Thread: the main one.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>

#include "server/client_commands.h"

namespace seawall::server {

// As they stand on the command line.
struct DiskFlags {
  std::optional<std::string> directory;
  bool is_json = false;
};

struct DiskCommand {
  enum class What : std::uint8_t { kCheck, kList };

  What what = What::kCheck;
  std::string directory;
  bool is_json = false;
};

// The error is text for a person.
std::expected<DiskCommand, std::string> disk_command(DiskCommand::What what, DiskFlags flags);

// The exit code: 0, or 1 when the directory cannot be read or something in it is damaged.
int run_disk(const DiskCommand& command, const Terminal& terminal);

// "734.2 MiB", "17 B".
std::string readable_size(std::uint64_t bytes);

}  // namespace seawall::server
