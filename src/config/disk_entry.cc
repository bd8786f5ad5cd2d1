#include "config/disk_entry.h"

#include <fmt/format.h>

#include <utility>

#include "config/diagnostics.h"
#include "config/units.h"

namespace seawall::config {

std::expected<disk::VolumeOptions, Problem> parse_disk(std::string_view entry) {
  const Directive& size = *find_directive("cache.disk.size");
  const std::size_t colon = entry.rfind(':');
  const bool has_both = colon != std::string_view::npos && colon > 0 && entry.find('\0') == std::string_view::npos;
  if (!has_both) {
    return std::unexpected(Problem{
        fmt::format("--disk must be \"DIR:SIZE\" such as \"/var/cache/seawall:50GiB\", not {}", quote(entry)), {}});
  }
  auto bytes = convert_text(size, entry.substr(colon + 1));
  if (!bytes) {
    Problem problem = std::move(bytes.error());
    problem.message.replace(0, size.path.size(), "the size of --disk");
    return std::unexpected(std::move(problem));
  }
  return disk::VolumeOptions{.path = std::string(entry.substr(0, colon)),
                             .capacity_bytes = static_cast<std::uint64_t>(std::get<std::int64_t>(*bytes))};
}

}  // namespace seawall::config
