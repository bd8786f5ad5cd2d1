#include "obs/access_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstring>
#include <iterator>
#include <span>

#include "base/fd.h"
#include "obs/log.h"

namespace seawall::obs {
namespace {

constexpr std::size_t kFlushBytes = std::size_t{64} << 10;
// A field may be as long as the limits on request heads allow; a line stays bounded all the same.
constexpr std::size_t kMaxFieldBytes = std::size_t{8} << 10;
constexpr std::string_view kCut = "...";

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
}

std::string_view cut(std::string_view text) {
  return text.substr(0, kMaxFieldBytes);
}

void append_hex_escape(std::string& out, char c) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  const auto byte = static_cast<unsigned char>(c);
  out += "\\x";
  out += kDigits[byte >> 4];
  out += kDigits[byte & 0x0F];
}

// For a combined line: whatever could end the field or the line, or act on a terminal, is escaped.
void append_escaped(std::string& out, std::string_view text) {
  for (const char c : cut(text)) {
    if (is_control(c) || c == '"' || c == '\\' || static_cast<unsigned char>(c) >= 0x80) {
      append_hex_escape(out, c);
    } else {
      out += c;
    }
  }
  if (text.size() > kMaxFieldBytes) out += kCut;
}

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  append_escaped(out, text.empty() ? "-" : text);
  out += '"';
}

// A word of a combined line: spaces would make two of it.
void append_word(std::string& out, std::string_view text) {
  const std::size_t start = out.size();
  append_escaped(out, text.empty() ? "-" : text);
  std::replace(out.begin() + static_cast<std::ptrdiff_t>(start), out.end(), ' ', '_');
}

// Bytes of the well-formed UTF-8 sequence at the front, 0 when there is none (Unicode 15, table 3-7).
std::size_t utf8_length(std::string_view text) {
  const auto at = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const auto is_tail = [&](std::size_t i) { return (at(i) & 0xC0) == 0x80; };
  const unsigned lead = at(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return is_tail(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    const bool is_second_fine = is_tail(1) && !(lead == 0xE0 && at(1) < 0xA0) && !(lead == 0xED && at(1) > 0x9F);
    return is_second_fine && is_tail(2) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const bool is_second_fine = is_tail(1) && !(lead == 0xF0 && at(1) < 0x90) && !(lead == 0xF4 && at(1) > 0x8F);
    return is_second_fine && is_tail(2) && is_tail(3) ? 4 : 0;
  }
  return 0;
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  for (std::string_view rest = cut(text); !rest.empty();) {
    const char c = rest.front();
    const std::size_t length = utf8_length(rest);
    if (length == 0) {
      out += "\\ufffd";
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (is_control(c)) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      out += rest.substr(0, length);
    }
    rest.remove_prefix(std::max<std::size_t>(length, 1));
  }
  if (text.size() > kMaxFieldBytes) out += kCut;
  out += '"';
}

struct CivilTime {
  int year;
  unsigned month, day, hour, minute, second, millisecond;
};

CivilTime civil(WallTime time) {
  const std::chrono::sys_time<Millis> point{Millis{time.unix_ms}};
  const auto days = std::chrono::floor<std::chrono::days>(point);
  const std::chrono::year_month_day date{days};
  const auto ms = static_cast<unsigned>((point - days).count());
  return {.year = static_cast<int>(date.year()),
          .month = static_cast<unsigned>(date.month()),
          .day = static_cast<unsigned>(date.day()),
          .hour = ms / 3'600'000,
          .minute = ms / 60'000 % 60,
          .second = ms / 1000 % 60,
          .millisecond = ms % 1000};
}

constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

std::uint64_t count_lines(std::string_view lines) {
  return static_cast<std::uint64_t>(std::count(lines.begin(), lines.end(), '\n'));
}

// A descriptor that writes never wait on. Workers write at the same time; reopen() puts another file under the same
// number.
class Target final : public AccessLogFile {
 public:
  Target(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) { note_kind(); }

  void reopen() override {
    if (path_.empty()) return;
    const Fd fresh = open_file(path_);
    if (!fresh) {
      log(LogLevel::kError, "access log: {} cannot be opened again: {}; the old file stays in use", path_,
          std::strerror(errno));
      return;
    }
    ::dup3(fresh.get(), fd_.get(), O_CLOEXEC);
    note_kind();
  }

  void write(std::string_view lines) override {
    const bool was_torn = is_torn_.exchange(false, std::memory_order_relaxed);
    std::size_t done = 0;
    int error = 0;
    while (done < lines.size()) {
      const ssize_t n = write_some(lines.substr(done), was_torn && done == 0);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) {
        error = n < 0 ? errno : EIO;
        break;
      }
      done += static_cast<std::size_t>(n);
    }
    if (done < lines.size()) {
      drop(lines.substr(done), done > 0 ? lines[done - 1] != '\n' : was_torn, error);
    } else if (is_failing_.exchange(false, std::memory_order_relaxed)) {
      log(LogLevel::kWarning, "access log: writing again; {} lines were dropped so far", dropped_lines());
    }
  }

  std::uint64_t dropped_lines() const override { return dropped_.load(std::memory_order_relaxed); }

  static Fd open_file(const std::string& path) {
    return Fd(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640));
  }

 private:
  void note_kind() {
    struct stat status{};
    ::fstat(fd_.get(), &status);
    is_socket_.store(S_ISSOCK(status.st_mode), std::memory_order_relaxed);
    const int flags = ::fcntl(fd_.get(), F_GETFL);
    may_wait_.store(!S_ISREG(status.st_mode) && (flags & O_NONBLOCK) == 0, std::memory_order_relaxed);
  }

  // Bytes of `lines` written. What an earlier failure cut short is ended by a line feed of its own.
  ssize_t write_some(std::string_view lines, bool after_torn) {
    static constexpr char kLineFeed = '\n';
    if (may_wait_.load(std::memory_order_relaxed) && !is_socket_.load(std::memory_order_relaxed)) {
      // Room for PIPE_BUF bytes is what readiness promises.
      pollfd ready{.fd = fd_.get(), .events = POLLOUT, .revents = 0};
      if (::poll(&ready, 1, 0) <= 0) {
        errno = EAGAIN;
        return -1;
      }
      lines = lines.substr(0, PIPE_BUF - 1);
    }
    std::array<iovec, 2> parts{iovec{const_cast<char*>(&kLineFeed), after_torn ? 1U : 0U},
                               iovec{const_cast<char*>(lines.data()), lines.size()}};
    ssize_t n = 0;
    if (is_socket_.load(std::memory_order_relaxed)) {
      msghdr message{};
      message.msg_iov = parts.data();
      message.msg_iovlen = parts.size();
      n = ::sendmsg(fd_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    } else {
      n = ::writev(fd_.get(), parts.data(), static_cast<int>(parts.size()));
    }
    if (n > 0 && after_torn) {
      --n;
      // Only the line feed went: the caller's next turn must not write it again.
      if (n == 0) return write_some(lines, false);
    }
    return n;
  }

  void drop(std::string_view lines, bool is_torn, int error) {
    dropped_.fetch_add(count_lines(lines), std::memory_order_relaxed);
    if (is_torn) is_torn_.store(true, std::memory_order_relaxed);
    if (is_failing_.exchange(true, std::memory_order_relaxed)) return;
    log(LogLevel::kError, "access log: {} cannot be written: {}; lines are dropped until it can",
        path_.empty() ? "the stream" : path_, std::strerror(error));
  }

  Fd fd_;
  std::string path_;  // empty: a standard stream
  std::atomic<bool> is_socket_{false};
  std::atomic<bool> may_wait_{false};
  std::atomic<bool> is_torn_{false};  // the last write ended within a line
  std::atomic<bool> is_failing_{false};
  std::atomic<std::uint64_t> dropped_{0};
};

// A description of its own where writes may wait, so that it can be non-blocking without making the terminal so for
// others. A regular file keeps the offset that it shares with them: appending would have them write over our lines.
Fd open_stream(int stream) {
  struct stat status{};
  if (::fstat(stream, &status) == 0 && !S_ISREG(status.st_mode)) {
    Fd fd(::open(fmt::format("/proc/self/fd/{}", stream).c_str(),
                 O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    if (fd) return fd;
  }
  return Fd(::fcntl(stream, F_DUPFD_CLOEXEC, 0));
}

}  // namespace

std::expected<std::shared_ptr<AccessLogFile>, std::string> AccessLogFile::open(const AccessLogOptions& options) {
  if (options.target == "off") return nullptr;
  const bool is_stdout = options.target == "stdout";
  const bool is_stream = is_stdout || options.target == "stderr";
  Fd fd = is_stream ? open_stream(is_stdout ? STDOUT_FILENO : STDERR_FILENO) : Target::open_file(options.target);
  if (!fd)
    return std::unexpected(fmt::format("access log {} cannot be opened: {}", options.target, std::strerror(errno)));
  return std::make_shared<Target>(std::move(fd), is_stream ? std::string() : options.target);
}

AccessLog::AccessLog(std::shared_ptr<AccessLogFile> file, AccessFormat format)
    : file_(std::move(file)), format_(format) {
  if (file_) buffer_.reserve(kFlushBytes + kMaxFieldBytes);
}

AccessLog::~AccessLog() {
  flush();
}

void AccessLog::record(const AccessEntry& entry) {
  if (!file_) return;
  if (format_ == AccessFormat::kJson) {
    append_json(buffer_, entry);
  } else {
    append_combined(buffer_, entry);
  }
  if (buffer_.size() >= kFlushBytes) flush();
}

void AccessLog::flush() {
  if (buffer_.empty()) return;
  file_->write(buffer_);
  buffer_.clear();
}

void append_combined(std::string& out, const AccessEntry& entry) {
  const CivilTime t = civil(entry.time);
  append_word(out, entry.client_ip);
  fmt::format_to(std::back_inserter(out), " - - [{:02}/{}/{:04}:{:02}:{:02}:{:02} +0000] \"", t.day,
                 kMonths[t.month - 1], t.year, t.hour, t.minute, t.second);
  append_word(out, entry.method);
  out += ' ';
  append_word(out, entry.path);
  out += ' ';
  append_word(out, entry.protocol);
  fmt::format_to(std::back_inserter(out), "\" {:03} {} ", entry.status, entry.body_bytes);
  append_quoted(out, entry.referer);
  out += ' ';
  append_quoted(out, entry.user_agent);
  out += " host=";
  append_word(out, entry.host);
  out += " cache=";
  append_word(out, entry.cache);
  out += " why=";
  append_word(out, entry.why);
  out += " route=";
  append_quoted(out, entry.route);
  out += " origin=";
  append_word(out, entry.origin);
  fmt::format_to(std::back_inserter(out), " origin_status={} ttfb_us={} us={}\n", entry.origin_status,
                 entry.first_byte_us, entry.duration_us);
}

void append_json(std::string& out, const AccessEntry& entry) {
  const CivilTime t = civil(entry.time);
  const auto text = [&](std::string_view key, std::string_view value) {
    out += ",\"";
    out += key;
    out += "\":";
    append_json_string(out, value);
  };
  const auto number = [&](std::string_view key, auto value) {
    fmt::format_to(std::back_inserter(out), ",\"{}\":{}", key, value);
  };
  fmt::format_to(std::back_inserter(out), "{{\"time\":\"{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z\"", t.year, t.month,
                 t.day, t.hour, t.minute, t.second, t.millisecond);
  text("client_ip", entry.client_ip);
  text("method", entry.method);
  text("host", entry.host);
  text("path", entry.path);
  text("protocol", entry.protocol);
  number("status", entry.status);
  number("body_bytes", entry.body_bytes);
  text("referer", entry.referer);
  text("user_agent", entry.user_agent);
  text("cache", entry.cache);
  text("why", entry.why);
  text("route", entry.route);
  text("origin", entry.origin);
  number("origin_status", entry.origin_status);
  number("first_byte_us", entry.first_byte_us);
  number("duration_us", entry.duration_us);
  out += "}\n";
}

}  // namespace seawall::obs
