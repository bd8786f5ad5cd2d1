#include "server/disk_commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "cache/disk_purges.h"
#include "disk/inspect.h"
#include "mem/budget.h"

namespace seawall::server {
namespace {

using Json = nlohmann::ordered_json;

int fail(const Terminal& terminal, std::string_view text) {
  terminal.complain(fmt::format("seawall: {}\n", text));
  return 1;
}

std::string counted(std::uint64_t n, std::string_view what) {
  return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s");
}

// A key is somebody else's text, and must not act on the terminal.
std::string printable(std::string text) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  std::ranges::replace_if(text, is_control, '?');
  return text;
}

std::string json_line(const Json& json) {
  // Keys need not be UTF-8.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
}

// "2026-01-31T23:59:59Z".
std::string time_text(std::uint32_t unix_seconds) {
  const std::chrono::sys_seconds at{std::chrono::seconds{unix_seconds}};
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(at - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count());
}

std::string problems_text(const disk::CheckReport& report) {
  std::string text;
  for (const std::string& problem : report.problems) text += fmt::format("problem: {}\n", printable(problem));
  if (report.problem_count > report.problems.size()) {
    text += fmt::format("and {} more\n", report.problem_count - report.problems.size());
  }
  return text;
}

std::string report_text(const std::string& directory, const disk::CheckReport& report) {
  std::string text = fmt::format("{}: format {}, {}, {}\n", directory, report.version,
                                 counted(report.segments, "segment"), readable_size(report.bytes));
  const auto add = [&](std::string_view name, std::uint64_t n, std::string_view what) {
    text += fmt::format("  {:<12}{:>10}  {}\n", name, n, what);
  };
  add("records", report.records, "that a server would serve");
  add("dead", report.dead, "replaced, purged, past their time or not all there");
  add("removals", report.tombstones, "that the journal keeps");
  add("purges", report.notes, "by rule (prefix, tag, soft of a URL) that the journal keeps");
  text += problems_text(report);
  text += report.problem_count == 0 ? "ok\n" : counted(report.problem_count, "problem") + "\n";
  return text;
}

// The purges by rule of a directory, which records are held against as a server does that reads them.
class Purges {
 public:
  disk::InspectOptions inspect_options(const Clock& clock) {
    return {.clock = &clock,
            .file_system = nullptr,
            .on_note = [this](const disk::Note& note) { rules_.replay(note); },
            .is_servable = [this](const disk::Revisit& record) { return rules_.lets_serve(record); }};
  }

 private:
  // All that the journal has, for as long as a command takes.
  static constexpr std::size_t kUnlimited = std::numeric_limits<std::size_t>::max();
  MemoryBudget budget_{kUnlimited};
  cache::DiskPurges rules_{budget_, kUnlimited};
};

int run_check(const DiskCommand& command, const Terminal& terminal) {
  Purges purges;
  const auto report = disk::check(command.directory, purges.inspect_options(*terminal.clock));
  if (!report) return fail(terminal, report.error());
  if (command.is_json) {
    terminal.print(json_line({{"directory", command.directory},
                              {"version", report->version},
                              {"segments", report->segments},
                              {"bytes", report->bytes},
                              {"records", report->records},
                              {"dead", report->dead},
                              {"tombstones", report->tombstones},
                              {"purges", report->notes},
                              {"problem_count", report->problem_count},
                              {"problems", report->problems}}));
  } else {
    terminal.print(report_text(command.directory, *report));
  }
  return report->problem_count == 0 ? 0 : 1;
}

// What a record is besides plain: "lz4", "streamed".
std::string form_of(const disk::ListedRecord& record) {
  std::string form = record.is_compressed ? "lz4" : "";
  if (record.is_streamed) form += form.empty() ? "streamed" : ",streamed";
  return form.empty() ? "-" : form;
}

int run_list(const DiskCommand& command, const Terminal& terminal) {
  std::uint64_t records = 0;
  std::uint64_t stored_bytes = 0;
  const auto print = [&](const disk::ListedRecord& record) {
    if (command.is_json) {
      return terminal.print(json_line({{"key", record.key},
                                       {"variant", fmt::format("{:016x}", record.variant)},
                                       {"body_bytes", record.body_bytes},
                                       {"stored_bytes", record.stored_bytes},
                                       {"usable_until", time_text(record.usable_until)},
                                       {"compressed", record.is_compressed},
                                       {"streamed", record.is_streamed}}));
    }
    if (records == 0) {
      terminal.print(
          fmt::format("{:>10}  {:>10}  {:<20}  {:<12}  {}\n", "BODY", "ON DISK", "USABLE UNTIL", "FORM", "KEY"));
    }
    ++records;
    stored_bytes += record.stored_bytes;
    terminal.print(fmt::format("{:>10}  {:>10}  {:<20}  {:<12}  {}\n", readable_size(record.body_bytes),
                               readable_size(record.stored_bytes), time_text(record.usable_until), form_of(record),
                               printable(record.key)));
  };
  Purges purges;
  const auto report = disk::list(command.directory, purges.inspect_options(*terminal.clock), print);
  if (!report) return fail(terminal, report.error());
  if (!command.is_json) {
    terminal.print(fmt::format("{}, {} on disk\n", counted(records, "record"), readable_size(stored_bytes)));
  }
  if (report->problem_count == 0) return 0;
  terminal.complain(problems_text(*report));
  return 1;
}

}  // namespace

std::expected<DiskCommand, std::string> disk_command(DiskCommand::What what, DiskFlags flags) {
  const std::string_view name = what == DiskCommand::What::kCheck ? "check" : "ls";
  if (!flags.directory || flags.directory->empty()) {
    return std::unexpected(fmt::format(
        "the directory is missing\nhint: seawall disk {} /var/cache/seawall, the path of cache.disk", name));
  }
  std::string& directory = *flags.directory;
  while (directory.size() > 1 && directory.ends_with('/')) directory.pop_back();
  return DiskCommand{.what = what, .directory = std::move(directory), .is_json = flags.is_json};
}

int run_disk(const DiskCommand& command, const Terminal& terminal) {
  return command.what == DiskCommand::What::kCheck ? run_check(command, terminal) : run_list(command, terminal);
}

std::string readable_size(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 5> kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB"};
  if (bytes < 1024) return fmt::format("{} B", bytes);
  double size = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  // Past that it would be printed as 1024.0.
  for (; size >= 1023.95 && unit + 1 < kUnits.size(); ++unit) size /= 1024;
  return fmt::format("{:.1f} {}", size, kUnits[unit]);
}

}  // namespace seawall::server
