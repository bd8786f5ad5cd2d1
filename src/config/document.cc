#include "config/document.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <tuple>

#include "base/fd.h"

namespace seawall::config {
namespace {

// The first line that is too long, or 0.
std::uint32_t find_long_line(std::string_view text) {
  std::uint32_t number = 1;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (end > kMaxLineBytes) return number;
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
  }
  return 0;
}

// toml++ says what it saw; this says what to do, for the mistakes that people make most.
std::string syntax_hint(std::string_view line, std::string_view description) {
  if (description.find("redefine") != std::string_view::npos) return "remove one of the two";
  const std::size_t equals = line.find('=');
  if (equals == std::string_view::npos) {
    if (line.find(':') != std::string_view::npos) return "write key = value";
    return line.starts_with('[') ? "a table's line is [name] or [[name]]" : "";
  }
  std::string_view value = line.substr(equals + 1);
  value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
  if (value.empty()) return "a value must follow on the same line";
  if (value.front() != '"' && value.front() != '\'' && value.front() != '[' && value.front() != '{') {
    return R"(texts, durations and sizes stand in quotes: "10s", "64KiB")";
  }
  return {};
}

}  // namespace

std::string_view Document::line(std::uint32_t number) const {
  std::string_view rest = text;
  for (std::uint32_t i = 1; i < number && !rest.empty(); ++i) {
    rest.remove_prefix(std::min(rest.find('\n'), rest.size() - 1) + 1);
  }
  rest = rest.substr(0, rest.find('\n'));
  if (rest.ends_with('\r')) rest.remove_suffix(1);
  return rest;
}

std::string Place::to_string() const {
  if (document == nullptr) return std::string(flag);
  return fmt::format("{}:{}:{}", document->name, line, column);
}

void Report::add(const Place& place, std::string message, std::string hint) {
  Diagnostic d{.message = std::move(message), .hint = std::move(hint)};
  if (place.document == nullptr) {
    d.file = place.flag;
    add(std::numeric_limits<std::size_t>::max(), std::move(d));
    return;
  }
  d.file = place.document->name;
  d.line = place.line;
  d.column = place.column;
  d.source_line = place.document->line(place.line);
  add(place.document->order, std::move(d));
}

void Report::add(std::size_t order, Diagnostic diagnostic) {
  items_.push_back({order, std::move(diagnostic)});
}

Diagnostics Report::take() {
  std::ranges::stable_sort(items_, {}, [](const Item& item) {
    return std::tuple(item.order, item.diagnostic.line, item.diagnostic.column);
  });
  Diagnostics out;
  for (Item& item : items_) out.push_back(std::move(item.diagnostic));
  items_.clear();
  return out;
}

std::expected<std::string, std::string> read_file(const std::string& path) {
  // Not to wait for the other end of a pipe.
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return std::unexpected(fmt::format("cannot be opened: {}", std::strerror(errno)));
  struct stat about{};
  if (::fstat(fd.get(), &about) == 0 && !S_ISREG(about.st_mode) && !S_ISDIR(about.st_mode)) {
    return std::unexpected("is not a regular file");
  }
  std::string text;
  std::string buffer(std::size_t{64} << 10, '\0');
  while (true) {
    const ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return std::unexpected(fmt::format("cannot be read: {}", std::strerror(errno)));
    if (n == 0) return text;
    text.append(buffer, 0, static_cast<std::size_t>(n));
    if (text.size() > kMaxFileBytes) return std::unexpected("is larger than 1 MiB");
  }
}

bool parse_document(Document& document, Report& report) {
  if (document.text.size() > kMaxFileBytes) {
    report.add(document.order, {.file = document.name, .message = "is larger than 1 MiB"});
    return false;
  }
  if (const std::uint32_t line = find_long_line(document.text)) {
    report.add({&document, line, 1}, fmt::format("a line is longer than {} bytes", kMaxLineBytes));
    return false;
  }
  try {
    document.table = toml::parse(std::string_view(document.text), std::string_view(document.name));
    return true;
  } catch (const toml::parse_error& error) {
    const Place place{&document, std::max(error.source().begin.line, 1U), std::max(error.source().begin.column, 1U)};
    const std::string_view line = document.line(place.line);
    report.add(place, fmt::format("not TOML: {}", error.description()), syntax_hint(line, error.description()));
    return false;
  }
}

}  // namespace seawall::config
