// The command line: from arguments to a command as a value, and its execution.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "config/load.h"
#include "server/client_commands.h"
#include "server/disk_commands.h"
#include "server/simulate.h"

namespace seawall::server {

struct ServeCommand {
  std::optional<std::string> config;
  config::Overrides overrides;
};

struct CheckCommand {
  std::optional<std::string> config;
  bool dump_config = false;
};

struct DemoOriginCommand {
  std::string listen;
};

// --help and --version.
struct PrintCommand {
  std::string text;
};

using Command = std::variant<ServeCommand, CheckCommand, DemoOriginCommand, PurgeCommand, WarmCommand, SimulateCommand,
                             DiskCommand, PrintCommand>;

// Without the program's name. The error is text for a person, and the exit code is 2 then.
std::expected<Command, std::string> parse_arguments(const std::vector<std::string>& arguments);

// The exit code: 0, 1 when the command failed, 2 when the command line is wrong.
int run_command_line(int argc, char** argv);

}  // namespace seawall::server
