// Traces of requests: CSV without a header, `time_ms,key,size_bytes` a line, plain or compressed by gzip. Read as a
// stream. Thread: its owner's.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct gzFile_s;  // zlib's

namespace seawall::server {

struct TraceRequest {
  std::uint64_t time_ms = 0;
  std::uint64_t key_hash = 0;  // stands for the key: 64 bits
  std::uint64_t size_bytes = 0;
};

// What a line says; the error is text for a person.
std::expected<TraceRequest, std::string> parse_trace_line(std::string_view line);

class TraceReader {
 public:
  // "-" is standard input. Errors are text for a person, "FILE: ..." or "FILE:LINE: ...".
  static std::expected<TraceReader, std::string> open(const std::string& file);

  // nullopt at the end. Empty lines are passed over.
  std::expected<std::optional<TraceRequest>, std::string> next();

 private:
  struct Close {
    void operator()(gzFile_s* file) const;
  };
  static constexpr int kMaxLine = 4096;

  TraceReader(std::string name, gzFile_s* file) : name_(std::move(name)), file_(file) {}

  std::optional<std::string> find_problem() const;

  std::string name_;
  std::unique_ptr<gzFile_s, Close> file_;
  std::uint64_t line_ = 0;
};

}  // namespace seawall::server
