#include "config/units.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <limits>
#include <system_error>

namespace seawall::config {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::array kPercents = {Unit{"%", 1}};

constexpr std::array kDurations = {
    Unit{"d", 86'400'000}, Unit{"h", 3'600'000}, Unit{"m", 60'000}, Unit{"s", 1000}, Unit{"ms", 1},
};

constexpr std::array kSizes = {
    Unit{"TiB", std::uint64_t{1} << 40},
    Unit{"GiB", std::uint64_t{1} << 30},
    Unit{"MiB", std::uint64_t{1} << 20},
    Unit{"KiB", std::uint64_t{1} << 10},
    Unit{"TB", 1'000'000'000'000},
    Unit{"GB", 1'000'000'000},
    Unit{"MB", 1'000'000},
    Unit{"KB", 1000},
    Unit{"kB", 1000},
    Unit{"B", 1},
    Unit{"", 1},
};

template <std::size_t kCount>
std::optional<std::uint64_t> parse(std::string_view text, const std::array<Unit, kCount>& units) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  const std::string_view name = text.substr(static_cast<std::size_t>(end - text.data()));
  for (const Unit& unit : units) {
    if (unit.name != name) continue;
    constexpr std::uint64_t kMax = std::numeric_limits<std::int64_t>::max();
    if (number > kMax / unit.factor) return std::nullopt;
    return number * unit.factor;
  }
  return std::nullopt;
}

// With the unit that leaves the smallest number; the first of equals.
template <std::size_t kCount>
std::string format(std::uint64_t value, const std::array<Unit, kCount>& units) {
  const Unit* best = nullptr;
  for (const Unit& unit : units) {
    if (value % unit.factor == 0 && (best == nullptr || unit.factor > best->factor)) best = &unit;
  }
  return fmt::format("{}{}", value / best->factor, best->name);
}

}  // namespace

std::optional<Millis> parse_duration(std::string_view text) {
  const auto ms = parse(text, kDurations);
  if (!ms) return std::nullopt;
  return Millis{static_cast<std::int64_t>(*ms)};
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  return parse(text, kSizes);
}

std::optional<double> parse_percent(std::string_view text) {
  if (!text.ends_with('%')) return std::nullopt;
  text.remove_suffix(1);
  // Digits and a point only: from_chars would take "inf" and "1e1" as well.
  if (text.empty() || text.find_first_not_of("0123456789.") != std::string_view::npos) return std::nullopt;
  double percent = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), percent);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (!(percent > 0 && percent <= 100)) return std::nullopt;
  return percent;
}

std::optional<std::int64_t> parse_whole_percent(std::string_view text) {
  const auto percent = parse(text, kPercents);
  if (!percent) return std::nullopt;
  return static_cast<std::int64_t>(*percent);
}

std::string format_duration(Millis value) {
  if (value.count() == 0) return "0s";
  return format(static_cast<std::uint64_t>(value.count()), kDurations);
}

std::string format_size(std::uint64_t bytes) {
  if (bytes == 0) return "0";
  std::string text = format(bytes, kSizes);
  if (text.ends_with('B') && !text.ends_with("iB") && text.find_first_not_of("0123456789") == text.size() - 1)
    text.pop_back();
  return text;
}

std::string format_percent(double percent) {
  std::string text = fmt::format("{:.10g}", percent);
  // The parser takes no exponent.
  if (text.find('e') != std::string::npos) {
    text = fmt::format("{:.20f}", percent);
    text.erase(text.find_last_not_of('0') + 1);
  }
  return text + "%";
}

}  // namespace seawall::config
