// The running server: workers, signals, drain, reload.
#pragma once

#include <expected>
#include <functional>
#include <string>

#include "config/config.h"

namespace seawall::server {

// Reads the configuration again for SIGHUP; the error is text for the log.
using Reload = std::function<std::expected<config::Config, std::string>()>;

// Serves until SIGTERM or SIGINT, drains, and returns the process's exit code: 0, or 1 when it could not start (the
// reason is logged).
int run(const config::Config& config, const Reload& reload);

}  // namespace seawall::server
