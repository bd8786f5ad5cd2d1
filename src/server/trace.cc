#include "server/trace.h"

#include <fmt/format.h>
#include <unistd.h>
#include <xxhash.h>
#include <zlib.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <system_error>

#include "config/diagnostics.h"

namespace seawall::server {
namespace {

constexpr unsigned kBufferBytes = 256U << 10;

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return n;
}

}  // namespace

std::expected<TraceRequest, std::string> parse_trace_line(std::string_view line) {
  const std::size_t first = line.find(',');
  const std::size_t second = first == std::string_view::npos ? first : line.find(',', first + 1);
  if (second == std::string_view::npos || line.find(',', second + 1) != std::string_view::npos) {
    return std::unexpected(
        fmt::format("a request is time_ms,key,size_bytes, not {}", config::quote(line.substr(0, 80))));
  }
  const std::string_view key = line.substr(first + 1, second - first - 1);
  const auto time_ms = parse_number(line.substr(0, first));
  const auto size_bytes = parse_number(line.substr(second + 1));
  if (!time_ms) {
    return std::unexpected(fmt::format("time_ms must be a whole number, not {}", config::quote(line.substr(0, first))));
  }
  if (key.empty()) return std::unexpected("the key is empty");
  if (!size_bytes) {
    return std::unexpected(
        fmt::format("size_bytes must be a whole number, not {}", config::quote(line.substr(second + 1))));
  }
  return TraceRequest{.time_ms = *time_ms, .key_hash = XXH3_64bits(key.data(), key.size()), .size_bytes = *size_bytes};
}

void TraceReader::Close::operator()(gzFile_s* file) const {
  gzclose(file);
}

std::expected<TraceReader, std::string> TraceReader::open(const std::string& file) {
  const bool is_input = file == "-";
  const std::string name = is_input ? "standard input" : file;
  errno = 0;
  gzFile opened = is_input ? gzdopen(dup(STDIN_FILENO), "rb") : gzopen(file.c_str(), "rb");
  if (!opened) return std::unexpected(fmt::format("{}: {}", name, std::generic_category().message(errno)));
  gzbuffer(opened, kBufferBytes);
  return TraceReader(name, opened);
}

std::expected<std::optional<TraceRequest>, std::string> TraceReader::next() {
  std::array<char, kMaxLine> buffer;
  while (true) {
    errno = 0;
    const bool has_read = gzgets(file_.get(), buffer.data(), kMaxLine) != nullptr;
    std::string_view line = has_read ? std::string_view(buffer.data()) : std::string_view();
    if (!line.ends_with('\n')) {
      // The end of the file, of what can be read of it, or of the buffer.
      if (auto problem = find_problem()) return std::unexpected(std::move(*problem));
      if (!has_read) return std::nullopt;
      if (gzeof(file_.get()) == 0) {
        return std::unexpected(fmt::format("{}:{}: the line is longer than {} bytes", name_, line_ + 1, kMaxLine));
      }
    }
    ++line_;
    while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    const auto request = parse_trace_line(line);
    if (!request) return std::unexpected(fmt::format("{}:{}: {}", name_, line_, request.error()));
    return *request;
  }
}

std::optional<std::string> TraceReader::find_problem() const {
  int code = Z_OK;
  const char* text = gzerror(file_.get(), &code);
  if (code == Z_OK || code == Z_STREAM_END) return std::nullopt;
  const std::string why = code == Z_ERRNO ? std::generic_category().message(errno) : text;
  return fmt::format("{}: cannot be read beyond line {}: {}", name_, line_, why);
}

}  // namespace seawall::server
