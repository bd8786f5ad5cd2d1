// Durations and sizes as people write them: "250ms", "10s", "5m", "1h", "1d"; "512", "64KiB", "50GB". Whole numbers,
// one unit, no space.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace seawall::config {

// nullopt for anything else, what does not fit in 63 bits of milliseconds or bytes included.
std::optional<Millis> parse_duration(std::string_view text);
std::optional<std::uint64_t> parse_size(std::string_view text);
// "12.5%" as 12.5; above 0 and up to 100.
std::optional<double> parse_percent(std::string_view text);
// "50%" as 50: no fraction, and any number that fits.
std::optional<std::int64_t> parse_whole_percent(std::string_view text);

// The shortest text that the parsers above read back to the same value.
std::string format_duration(Millis value);
std::string format_size(std::uint64_t bytes);
std::string format_percent(double percent);

}  // namespace seawall::config
