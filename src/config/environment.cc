#include "config/environment.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

namespace seawall::config {
namespace {

bool is_name(std::string_view text) {
  const auto is_word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !text.empty() && !(text[0] >= '0' && text[0] <= '9') && std::ranges::all_of(text, is_word);
}

}  // namespace

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return value;
  };
}

std::expected<std::string, Problem> expand(std::string_view text, const Environment& environment) {
  std::string out;
  while (true) {
    const std::size_t at = text.find("${");
    out += text.substr(0, at);
    if (at == std::string_view::npos) return out;
    text.remove_prefix(at + 2);
    if (out.ends_with('$')) {
      out += '{';
      continue;
    }
    const std::size_t end = text.find('}');
    const std::string_view inside = text.substr(0, end);
    const std::string_view name = inside.substr(0, inside.find(":-"));
    if (end == std::string_view::npos || !is_name(name)) {
      return std::unexpected(Problem{"\"${\" does not begin an environment variable",
                                     "write \"${NAME}\" or \"${NAME:-default}\", or \"$${\" for the text itself"});
    }
    text.remove_prefix(end + 1);
    if (auto value = environment(std::string(name))) {
      out += *value;
    } else if (name.size() < inside.size()) {
      out += inside.substr(name.size() + 2);
    } else {
      return std::unexpected(Problem{fmt::format("environment variable {} is not set", name),
                                     fmt::format("set it, or give a default: \"${{{}:-value}}\"", name)});
    }
  }
}

}  // namespace seawall::config
