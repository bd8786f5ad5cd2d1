// The access log: one line per request, formatted into a buffer of the worker and written with one O_APPEND write when
// 64 KiB are full or a second has passed. A target that fails never blocks or fails a request: lines are dropped and
// counted.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace seawall::obs {

enum class AccessFormat : std::uint8_t { kCombined, kJson };

struct AccessLogOptions {
  std::string target = "off";  // "off", "stdout", "stderr" or a file path
  AccessFormat format = AccessFormat::kCombined;
};

// Views live for the call only. Times in microseconds.
struct AccessEntry {
  WallTime time;  // when the request head was complete
  std::string_view client_ip;
  std::string_view method;
  std::string_view host;
  std::string_view path;         // with query
  std::string_view protocol;     // "HTTP/1.1"
  std::uint16_t status = 0;      // 0: the client was gone before an answer
  std::uint64_t body_bytes = 0;  // sent to the client
  std::string_view referer;
  std::string_view user_agent;
  std::string_view cache;  // hit, stale, miss, pass, revalidated, collapsed, error
  std::string_view why;    // policy::Why or an error's name
  std::string_view route;
  std::string_view origin;  // empty: not asked
  std::uint16_t origin_status = 0;
  std::int64_t first_byte_us = 0;  // from the head to the first byte of the answer
  std::int64_t duration_us = 0;
};

// The file, shared by all workers; reopen() on SIGUSR1. Thread: any.
class AccessLogFile {
 public:
  static std::expected<std::shared_ptr<AccessLogFile>, std::string> open(const AccessLogOptions& options);
  virtual ~AccessLogFile() = default;
  virtual void reopen() = 0;
  virtual void write(std::string_view lines) = 0;
  virtual std::uint64_t dropped_lines() const = 0;
};

// One worker's buffer. Thread: its worker.
class AccessLog {
 public:
  AccessLog(std::shared_ptr<AccessLogFile> file, AccessFormat format);  // a null file: off
  ~AccessLog();                                                         // flushes
  bool is_on() const { return file_ != nullptr; }
  void record(const AccessEntry& entry);
  void flush();

 private:
  std::shared_ptr<AccessLogFile> file_;
  AccessFormat format_;
  std::string buffer_;
};

// Exposed for tests. combined: the well-known format, then host, cache, why, route, origin, origin_status, ttfb_us and
// us as name=value; control bytes and quotes escaped \xHH. JSON: one object a line, keys as the members above, valid
// UTF-8 whatever the client sent.
void append_combined(std::string& out, const AccessEntry& entry);
void append_json(std::string& out, const AccessEntry& entry);

}  // namespace seawall::obs
