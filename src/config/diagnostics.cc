#include "config/diagnostics.h"

#include <fmt/format.h>

namespace seawall::config {
namespace {

constexpr std::size_t kMaxLinePoints = 160;
constexpr std::size_t kMaxQuotedBytes = 80;

bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}
bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
}

// The line and under it the caret. A long line is shown from shortly before the column; tabs stand in both lines.
void append_excerpt(std::string& out, const Diagnostic& d) {
  const std::size_t caret = d.column == 0 ? 0 : d.column - 1;
  const std::size_t first = caret > kMaxLinePoints - 20 ? caret - kMaxLinePoints / 2 : 0;
  std::string line(first > 0 ? "..." : "");
  std::string under(line.size(), ' ');
  std::size_t point = 0;
  for (std::size_t i = 0; i < d.source_line.size(); ++point) {
    std::size_t end = i + 1;
    while (end < d.source_line.size() && is_continuation(d.source_line[end])) ++end;
    if (point >= first + kMaxLinePoints) {
      line += "...";
      break;
    }
    if (point >= first) {
      const char c = d.source_line[i];
      line += is_control(c) && c != '\t' ? std::string("?") : d.source_line.substr(i, end - i);
      if (point < caret) under += c == '\t' ? '\t' : ' ';
    }
    i = end;
  }
  // Past the end of the line, where something is missing.
  for (; point < caret && point < first + kMaxLinePoints; ++point) under += ' ';
  fmt::format_to(std::back_inserter(out), "{}\n{}^\n", line, under);
}

}  // namespace

std::string to_string(const Diagnostic& diagnostic) {
  std::string out = diagnostic.file;
  if (diagnostic.line > 0) out += fmt::format(":{}:{}", diagnostic.line, diagnostic.column);
  out += fmt::format(": error: {}\n", diagnostic.message);
  if (!diagnostic.source_line.empty()) append_excerpt(out, diagnostic);
  if (!diagnostic.hint.empty()) out += fmt::format("hint: {}\n", diagnostic.hint);
  return out;
}

std::string to_string(const Diagnostics& diagnostics) {
  std::string out;
  std::size_t shown = 0;
  for (const Diagnostic& diagnostic : diagnostics) {
    if (shown == kMaxShown) {
      out += fmt::format("\nand {} more\n", diagnostics.size() - kMaxShown);
      break;
    }
    if (shown++ > 0) out += '\n';
    out += to_string(diagnostic);
  }
  return out;
}

std::string quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (out.size() > kMaxQuotedBytes && !is_continuation(c)) {
      out += "...";
      break;
    }
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (is_control(c)) {
      out += fmt::format("\\x{:02X}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  out += '"';
  return out;
}

}  // namespace seawall::config
