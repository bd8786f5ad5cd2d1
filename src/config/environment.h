// `${NAME}` and `${NAME:-default}` in strings; `$${` stands for `${` itself.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "config/load.h"

namespace seawall::config {

std::expected<std::string, Problem> expand(std::string_view text, const Environment& environment);

}  // namespace seawall::config
