// What is wrong with a configuration, for a person: place, message, the line with a caret, and what to do about it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace seawall::config {

struct Diagnostic {
  std::string file;          // as the user named it, or a flag: "--memory"
  std::uint32_t line = 0;    // from 1; 0: the whole file
  std::uint32_t column = 0;  // from 1, in code points
  std::string message;
  std::string source_line;
  std::string hint;  // empty: none
};

// In order of files, lines and columns.
using Diagnostics = std::vector<Diagnostic>;

// "file:line:column: error: message", the line, a caret, "hint: ..."; ends with a newline.
std::string to_string(const Diagnostic& diagnostic);
// A blank line between two; the first kMaxShown of them, and how many more there are.
inline constexpr std::size_t kMaxShown = 50;
std::string to_string(const Diagnostics& diagnostics);

// Quoted, and safe to show on a terminal: control bytes escaped, cut when long.
std::string quote(std::string_view text);

}  // namespace seawall::config
