// From file, flags and environment to a Config, or to all that is wrong with them at once. Start-up and reload only; it
// reads files, and never throws. Thread: any.
#pragma once

#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "config/config.h"
#include "config/diagnostics.h"
#include "config/directives.h"

namespace seawall::config {

using Environment = std::function<std::optional<std::string>(const std::string& name)>;
Environment process_environment();

// Flags. They win over the file; an origin joins only a file that has none.
struct Override {
  std::string_view path;  // of the directive; static
  std::string_view flag;  // "--memory"; static
  std::vector<std::string> values;
};
struct Overrides {
  std::vector<Override> settings;
  std::vector<std::string> disks;     // --disk DIR:SIZE; in place of the file's
  std::optional<std::string> origin;  // --origin URL
};

// By `clock` certificates are valid or not.
std::expected<Config, Diagnostics> load_file(const std::string& path, const Environment& environment,
                                             const Clock& clock, const Overrides& overrides = {});
// `name` stands for a file of that name: includes are relative to its folder.
std::expected<Config, Diagnostics> load_string(std::string name, std::string text, const Environment& environment,
                                               const Clock& clock, const Overrides& overrides = {});
// No file at all.
std::expected<Config, Diagnostics> load_flags(const Clock& clock, const Overrides& overrides);

// Whether a flag's value has the form that its directive asks for.
std::optional<Problem> check_override(const Override& setting);
// Whether it is an entry of origin.servers.
std::optional<Problem> check_origin_url(std::string_view url);
// Whether it is a value of --disk.
std::optional<Problem> check_disk(std::string_view entry);

// The configuration as a TOML file that loads to the same.
std::string dump(const Config& config);

}  // namespace seawall::config
