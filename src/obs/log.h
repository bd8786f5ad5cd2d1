// The log of events (start, reload, refusals, failures), through spdlog. Not for requests: see access_log.h. Thread:
// any.
#pragma once

#include <spdlog/fmt/fmt.h>

#include <string>
#include <string_view>
#include <utility>

namespace seawall::obs {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

struct LogOptions {
  LogLevel level = LogLevel::kInfo;
  std::string target = "stderr";  // or a file path
};

// False with a reason in `error` when the file cannot be opened.
bool init_log(const LogOptions& options, std::string& error);
void reopen_log();
void log_text(LogLevel level, std::string_view text);
bool is_logged(LogLevel level);

template <typename... Args>
void log(LogLevel level, fmt::format_string<Args...> format, Args&&... args) {
  if (is_logged(level)) log_text(level, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace seawall::obs
