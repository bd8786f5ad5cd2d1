#include "obs/log.h"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <atomic>
#include <memory>

#include "base/mutex.h"

namespace seawall::obs {
namespace {

spdlog::level::level_enum level_of(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return spdlog::level::debug;
    case LogLevel::kInfo: return spdlog::level::info;
    case LogLevel::kWarning: return spdlog::level::warn;
    case LogLevel::kError: return spdlog::level::err;
  }
  return spdlog::level::info;
}

// Throws spdlog_ex when the file cannot be opened.
std::shared_ptr<spdlog::logger> make_logger(const LogOptions& options) {
  spdlog::sink_ptr sink;
  if (options.target == "stderr") {
    sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  } else {
    sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.target);
  }
  auto logger = std::make_shared<spdlog::logger>("seawall", std::move(sink));
  logger->set_formatter(
      std::make_unique<spdlog::pattern_formatter>("%Y-%m-%dT%H:%M:%S.%eZ %l: %v", spdlog::pattern_time_type::utc));
  logger->set_level(level_of(options.level));
  logger->flush_on(spdlog::level::debug);
  // A log that cannot be written must not stop the server, and there is nowhere left to say so.
  logger->set_error_handler([](const std::string&) {});
  return logger;
}

struct State {
  Mutex mutex;
  LogOptions options SW_GUARDED_BY(mutex);
  std::shared_ptr<spdlog::logger> logger SW_GUARDED_BY(mutex) = make_logger({});
  std::atomic<LogLevel> level{LogLevel::kInfo};
};

// Never destroyed: objects that outlive main may still log.
State& state() {
  static State* const instance = new State;
  return *instance;
}

// Text from clients and origins must not end the line or act on a terminal; lines of our own continue under a mark.
std::string on_one_line(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += "\n  | ";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      out += fmt::format("\\x{:02X}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

bool init_log(const LogOptions& options, std::string& error) {
  try {
    auto logger = make_logger(options);
    State& s = state();
    const MutexLock lock(s.mutex);
    s.options = options;
    s.logger = std::move(logger);
    s.level.store(options.level, std::memory_order_relaxed);
    return true;
  } catch (const spdlog::spdlog_ex& e) {
    error = fmt::format("log {} cannot be opened: {}", options.target, e.what());
    return false;
  }
}

void reopen_log() {
  State& s = state();
  LogOptions options;
  {
    const MutexLock lock(s.mutex);
    options = s.options;
  }
  if (options.target == "stderr") return;
  std::string error;
  if (!init_log(options, error)) log(LogLevel::kError, "{}; the old file stays in use", error);
}

bool is_logged(LogLevel level) {
  return level >= state().level.load(std::memory_order_relaxed);
}

void log_text(LogLevel level, std::string_view text) {
  State& s = state();
  std::shared_ptr<spdlog::logger> logger;
  {
    const MutexLock lock(s.mutex);
    logger = s.logger;
  }
  logger->log(level_of(level), on_one_line(text));
}

}  // namespace seawall::obs
