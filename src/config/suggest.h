// The nearest known word to one that is not known.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace seawall::config {

// Insertions, deletions, replacements and swaps of neighbours, without regard to case.
std::size_t edit_distance(std::string_view a, std::string_view b);

// Empty when no candidate is near enough to be what was meant. The first of equals.
std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace seawall::config
