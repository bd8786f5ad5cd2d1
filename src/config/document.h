// One TOML file: its text for excerpts and its table with the place of every key and value.
#pragma once

#include <toml++/toml.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <expected>
#include <string>
#include <string_view>

#include "config/diagnostics.h"

namespace seawall::config {

// Bounds on what is read: a configuration past them is a mistake, and toml++ recurses over nested keys.
inline constexpr std::size_t kMaxFileBytes = std::size_t{1} << 20;
inline constexpr std::size_t kMaxLineBytes = 4096;
inline constexpr std::size_t kMaxFiles = 256;

struct Document {
  std::size_t order = 0;  // of its messages
  std::string name;       // as in messages
  std::string text;
  toml::table table;

  std::string_view line(std::uint32_t number) const;
};

// Where a setting stands. Without a document it is a flag, or the whole of a file that could not be read.
struct Place {
  const Document* document = nullptr;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  std::string_view flag;

  std::string to_string() const;  // "file:line:column" or the flag
};

// All that is wrong, collected.
class Report {
 public:
  void add(const Place& place, std::string message, std::string hint = {});
  void add(std::size_t order, Diagnostic diagnostic);
  bool empty() const { return items_.empty(); }
  // In order of files, lines and columns.
  Diagnostics take();

 private:
  struct Item {
    std::size_t order;
    Diagnostic diagnostic;
  };
  std::deque<Item> items_;
};

// The error is text for a person.
std::expected<std::string, std::string> read_file(const std::string& path);
// Parses document.text into document.table; false when it reported why not.
bool parse_document(Document& document, Report& report);

}  // namespace seawall::config
