// The effective configuration as TOML, from the directive table.
#include <fmt/format.h>

#include "config/load.h"

namespace seawall::config {
namespace {

constexpr std::string_view kFirstOfDisk = "cache.disk.path";

// A directory a line: a path may be long.
void append_disks(std::string& out, const Config& config) {
  if (config.disk.empty()) return;
  out += "disk = [\n";
  for (disk::VolumeOptions volume : config.disk) {
    const Draft draft{.disk = &volume};
    std::string_view separator = "  { ";
    for (const Directive& d : directives()) {
      if (!is_of_disk_table(d)) continue;
      out += fmt::format("{}{} = {}", separator, d.path.substr(kDiskTable.size() + 1), format_value(d, d.get(draft)));
      separator = ", ";
    }
    out += " },\n";
  }
  out += "]\n";
}

// One table. Keys with a common part before their last point stand in one inline table.
void append_table(std::string& out, std::string_view section, const Draft& draft) {
  out += fmt::format(fmt::runtime(is_array_section(section) ? "{}[[{}]]\n" : "{}[{}]\n"), out.empty() ? "" : "\n",
                     section);
  std::string_view inline_table;
  for (const Directive& d : directives()) {
    if (d.section() != section || !why_moot(d, draft).empty()) continue;
    if (is_of_disk_table(d)) {
      // Once for all of them.
      if (d.path != kFirstOfDisk) continue;
      if (!inline_table.empty()) out += " }\n";
      inline_table = {};
      append_disks(out, *draft.config);
      continue;
    }
    const std::size_t point = d.key().find('.');
    const std::string_view group = point == std::string_view::npos ? std::string_view() : d.key().substr(0, point);
    const Value value = d.get(draft);
    // Not given, or a name that was derived and is longer than one that may be given.
    if (d.kind == Kind::kText && check_text(d, std::get<std::string>(value))) continue;
    const std::string text = format_value(d, value);
    if (group.empty()) {
      if (!inline_table.empty()) out += " }\n";
      out += fmt::format("{} = {}\n", d.key(), text);
    } else if (group == inline_table) {
      out += fmt::format(", {} = {}", d.key().substr(point + 1), text);
    } else {
      out +=
          fmt::format("{}{} = {{ {} = {}", inline_table.empty() ? "" : " }\n", group, d.key().substr(point + 1), text);
    }
    inline_table = group;
  }
  if (!inline_table.empty()) out += " }\n";
}

}  // namespace

std::string dump(const Config& config) {
  Config copy = config;
  Share max_object{.percent = copy.cache.max_object_share * 100};
  std::string out;
  for (const std::string_view section : sections()) {
    if (section == "origin") {
      for (OriginConfig& origin : copy.origins) append_table(out, section, {.config = &copy, .origin = &origin});
    } else if (section == "route") {
      for (RouteConfig& route : copy.routes) append_table(out, section, {.config = &copy, .route = &route});
    } else {
      append_table(out, section, {.config = &copy, .max_object = &max_object});
    }
  }
  return out;
}

}  // namespace seawall::config
