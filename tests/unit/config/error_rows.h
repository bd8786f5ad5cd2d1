// Tables of mistakes, each with the text that a person gets.
#pragma once

#include <boost/test/unit_test.hpp>
#include <span>
#include <string>

#include "unit/config/support.h"

namespace seawall::config {

// `want` is "line:column: message" with "| hint" behind it.
struct ErrorRow {
  const char* name;
  std::string text;
  std::string want;
};

inline std::string brief(const Diagnostic& d) {
  std::string out = std::to_string(d.line) + ":" + std::to_string(d.column) + ": " + d.message;
  if (!d.hint.empty()) out += " | " + d.hint;
  return out;
}

// Each row is the one mistake in its file, in which `before` stands first; a good origin takes two lines.
inline void check_after(const std::string& before, std::span<const ErrorRow> rows) {
  for (const ErrorRow& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const auto loaded = load_text(before + row.text, {{"HOME", "/root"}});
      BOOST_REQUIRE(!loaded);
      BOOST_TEST(loaded.error().size() == 1U, to_string(loaded.error()));
      BOOST_TEST(brief(loaded.error().front()) == row.want);
    }
  }
}

}  // namespace seawall::config
