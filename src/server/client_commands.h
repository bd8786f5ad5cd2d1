// `seawall purge` and `seawall warm`, which talk to a running server through its admin interface: from flags to a
// command as a value, and its execution. Thread: the main one.
#pragma once

#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "server/admin_client.h"

namespace seawall::server {

// As they stand on the command line.
struct PurgeFlags {
  std::optional<std::string> admin;
  std::optional<std::string> host;  // of URLs and prefixes that begin with "/"
  std::vector<std::string> urls;
  std::vector<std::string> tags;
  std::vector<std::string> prefixes;
  bool is_soft = false;
};

struct PurgeCommand {
  AdminAddress admin;
  std::vector<std::string> urls;  // absolute
  std::vector<std::string> tags;
  std::vector<std::string> prefixes;  // absolute as well
  bool is_soft = false;
};

struct WarmFlags {
  std::optional<std::string> admin;
  std::optional<std::string> file;
  bool is_quiet = false;
};

struct WarmCommand {
  AdminAddress admin;
  std::string file;  // "-": standard input
  bool is_quiet = false;
};

// The error is text for a person.
std::expected<PurgeCommand, std::string> purge_command(PurgeFlags flags);
std::expected<WarmCommand, std::string> warm_command(WarmFlags flags);

// What a command uses of its process.
struct Terminal {
  int input = STDIN_FILENO;
  std::function<void(std::string_view)> print;     // to standard output
  std::function<void(std::string_view)> complain;  // to standard error
  bool is_interactive = false;                     // standard error is a terminal
  const Clock* clock = nullptr;
  std::function<void(Millis)> pause;
};
Terminal process_terminal();

// The exit code: 0, or 1 when something failed.
int run_purge(const PurgeCommand& command, const Terminal& terminal);
int run_warm(const WarmCommand& command, const Terminal& terminal);

// "120/s, ETA 1:05"; "-" stands for what cannot be known yet.
std::string pace_text(std::uint64_t finished, std::uint64_t total, std::chrono::microseconds elapsed);

}  // namespace seawall::server
