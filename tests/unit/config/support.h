// What the configuration's tests share.
#pragma once

#include <map>
#include <optional>
#include <stdexcept>
#include <string>

#include "config/load.h"
#include "support/temporary_directory.h"

namespace seawall::config {

inline const std::string kOrigin = "[[origin]]\nservers = [\"http://10.0.0.5:3000\"]\n";

inline Environment environment_of(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const std::string& name) -> std::optional<std::string> {
    const auto at = variables.find(name);
    if (at == variables.end()) return std::nullopt;
    return at->second;
  };
}

inline std::expected<Config, Diagnostics> load_text(std::string text, std::map<std::string, std::string> variables = {},
                                                    const Overrides& overrides = {}) {
  return load_string("seawall.toml", std::move(text), environment_of(std::move(variables)), SystemClock(), overrides);
}

// The configuration, or a failed test.
inline Config load_good(std::string text, std::map<std::string, std::string> variables = {},
                        const Overrides& overrides = {}) {
  auto loaded = load_text(std::move(text), std::move(variables), overrides);
  if (!loaded) throw std::runtime_error("refused:\n" + to_string(loaded.error()));
  return std::move(*loaded);
}

// All messages; empty when it loads.
inline std::string errors_of(std::string text, std::map<std::string, std::string> variables = {},
                             const Overrides& overrides = {}) {
  auto loaded = load_text(std::move(text), std::move(variables), overrides);
  return loaded ? "" : to_string(loaded.error());
}

using Folder = test::TemporaryDirectory;

}  // namespace seawall::config
