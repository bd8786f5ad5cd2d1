// Every key of the configuration in one table: from it come the parser's dispatch and checks, the hints,
// `--dump-config` and, by a test, the keys and defaults of seawall.toml(5) and conf/seawall.toml. Thread: any; the
// table is constant.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/config.h"

namespace seawall::config {

enum class Kind : std::uint8_t {
  kDuration,  // std::int64_t, milliseconds
  kSeconds,   // std::int64_t, whole seconds
  kSize,      // std::int64_t, bytes
  kPercent,   // std::int64_t, whole percent
  kCount,     // std::int64_t
  kWorkers,   // std::int64_t, 0 for "auto"
  kFlag,      // bool
  kChoice,    // std::int64_t, index into choices
  kText,      // std::string
  kTexts,     // std::vector<std::string>; a single string stands for an array of one
  kShare,     // Share; none for "" where that is the default
};

using Value = std::variant<std::int64_t, bool, std::string, std::vector<std::string>, Share>;

// What a directive reads and writes: the configuration so far, and the table of an array that is being filled.
struct Draft {
  Config* config = nullptr;
  OriginConfig* origin = nullptr;
  RouteConfig* route = nullptr;
  disk::VolumeOptions* disk = nullptr;
  Share* max_object = nullptr;
};

struct Problem {
  std::string message;
  std::string hint;
};

struct Directive {
  std::string_view path;  // "server.timeout.header"; its first part is the table
  Kind kind;
  std::string_view default_text;  // as in TOML; empty: none, or derived as `help` says
  std::int64_t min = 0;           // in the value's own unit
  std::int64_t max = 0;
  std::span<const std::string_view> choices;
  // What is wrong with a text, or with one of several; "" is fine where it is the default.
  std::optional<Problem> (*check)(const Directive& directive, std::string_view text) = nullptr;
  std::string_view help;
  std::string_view hint;  // the way out when a number is out of range; empty: the range says it
  void (*set)(const Draft&, Value) = nullptr;
  Value (*get)(const Draft&) = nullptr;

  std::string_view section() const { return path.substr(0, path.find('.')); }
  std::string_view key() const { return path.substr(path.find('.') + 1); }
};

std::span<const Directive> directives();
const Directive* find_directive(std::string_view path);
// The tables, in the order of the manual. All exist once, but origin and route any number of times.
std::span<const std::string_view> sections();
bool is_array_section(std::string_view section);
// A table inside one of them that may stand there any number of times, as an array: "cache.disk".
inline constexpr std::string_view kDiskTable = "cache.disk";
bool is_of_disk_table(const Directive& directive);

// What in the same table takes its effect away, to follow "has no effect": "with miss = "pass""; empty: nothing.
std::string why_moot(const Directive& directive, const Draft& draft);

// Text and numbers as they stand in the file, checked for form and range.
std::expected<Value, Problem> convert_text(const Directive& directive, std::string_view text);
std::expected<Value, Problem> convert_integer(const Directive& directive, std::int64_t number);
std::expected<Value, Problem> convert_real(const Directive& directive, double number);
std::expected<Value, Problem> convert_flag(const Directive& directive, bool flag);
std::expected<Value, Problem> convert_texts(const Directive& directive, std::vector<std::string> texts);
// What is wrong with one text of a directive that takes texts.
std::optional<Problem> check_text(const Directive& directive, std::string_view text);
// "server.workers must be ..., not `what`".
Problem mismatch(const Directive& directive, std::string_view what);

// As it stands in a TOML file.
std::string format_value(const Directive& directive, const Value& value);
std::string toml_string(std::string_view text);

}  // namespace seawall::config
