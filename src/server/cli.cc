#include "server/cli.h"

#include <event2/event.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "config/admin_socket.h"
#include "config/suggest.h"
#include "config/tls_files.h"
#include "mem/allocator.h"
#include "net/address.h"
#include "net/certificate.h"
#include "net/openssl_memory.h"
#include "obs/log.h"
#include "server/client_commands.h"
#include "server/demo_origin.h"
#include "server/disk_commands.h"
#include "server/disk_directories.h"
#include "server/server.h"
#include "server/simulate.h"

namespace seawall::server {
namespace {

constexpr const char* kProgram = "seawall";
constexpr const char* kDefaultConfig = "/etc/seawall/seawall.toml";
constexpr const char* kDefaultDemoListen = "127.0.0.1:9100";

constexpr const char* kDescription = "seawall, an HTTP cache in front of your services";
constexpr const char* kFooter =
    "Try it:  seawall serve --origin http://127.0.0.1:3000\n"
    "Manual:  man 8 seawall, man 5 seawall.toml";

struct ServeFlags {
  std::optional<std::string> config;
  std::vector<std::string> listen;
  std::vector<std::string> origins;
  std::optional<std::string> memory;
  std::vector<std::string> disks;
  std::optional<std::string> workers;
  std::optional<std::string> admin;
  std::optional<std::string> log_level;
  std::optional<std::string> access_log;
};

// One value for each time that the flag is given.
CLI::Option* add_repeated(CLI::App& app, const std::string& name, std::vector<std::string>& values,
                          const std::string& help) {
  return app.add_option(name, values, help)
      ->allow_extra_args(false)
      ->type_size(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

CLI::App* add_serve(CLI::App& app, ServeFlags& flags) {
  CLI::App* serve = app.add_subcommand("serve", "serve until SIGTERM or SIGINT");
  serve
      ->add_option("-c,--config", flags.config,
                   fmt::format("configuration file ({} when there is one)", kDefaultConfig))
      ->type_name("FILE");
  add_repeated(*serve, "--listen", flags.listen,
               "where to accept clients, as ADDR:PORT or unix:PATH; may be repeated (127.0.0.1:8080)")
      ->type_name("ADDR:PORT");
  add_repeated(*serve, "--origin", flags.origins,
               "service behind the cache, http[s]://host[:port]; enough without a file")
      ->type_name("URL");
  serve->add_option("--memory", flags.memory, "memory of the cache (256MiB)")->type_name("SIZE");
  add_repeated(*serve, "--disk", flags.disks, "directory to cache in beside memory, and its size; may be repeated")
      ->type_name("DIR:SIZE");
  serve->add_option("--workers", flags.workers, "threads that serve (auto: one for each core)")->type_name("N");
  serve->add_option("--admin", flags.admin, "address of the metrics and the admin API, or off (127.0.0.1:9180)")
      ->type_name("ADDR:PORT");
  serve->add_option("--log-level", flags.log_level, "debug, info, warning or error (info)")->type_name("LEVEL");
  serve->add_option("--access-log", flags.access_log, "off, stdout, stderr or a file (off)")->type_name("TARGET");
  return serve;
}

void add_admin(CLI::App& command, std::optional<std::string>& admin) {
  command
      .add_option("--admin", admin,
                  fmt::format("admin interface of the server (unix:{})", config::default_admin_socket()))
      ->type_name("ADDR:PORT|unix:PATH");
}

CLI::App* add_purge(CLI::App& app, PurgeFlags& flags) {
  CLI::App* purge = app.add_subcommand("purge", "remove URLs, tags or prefixes from the cache of a running server");
  add_admin(*purge, flags.admin);
  purge->add_flag("--soft", flags.is_soft, "keep them as stale, for when the origin fails");
  purge->add_option("--host", flags.host, "host of the URLs and prefixes that begin with /")->type_name("HOST");
  add_repeated(*purge, "--tag", flags.tags, "what carries this tag; may be repeated")->type_name("TAG");
  add_repeated(*purge, "--prefix", flags.prefixes, "what begins with this URL; may be repeated")->type_name("URL");
  purge->add_option("URL", flags.urls, "what to purge, as http://host/path")->type_name("");
  return purge;
}

CLI::App* add_warm(CLI::App& app, WarmFlags& flags) {
  CLI::App* warm = app.add_subcommand("warm", "have a running server fetch a list of URLs into its cache");
  add_admin(*warm, flags.admin);
  warm->add_flag("--quiet", flags.is_quiet, "print nothing but what fails");
  warm->add_option("FILE", flags.file, "the list, a URL a line; - for standard input")->type_name("");
  return warm;
}

CLI::App* add_simulate(CLI::App& app, SimulateFlags& flags) {
  CLI::App* simulate = app.add_subcommand("simulate", "what an eviction policy would have missed of a trace, as JSON");
  simulate->add_option("--trace", flags.trace, "CSV, gzip or not: time_ms,key,size_bytes; - for standard input")
      ->type_name("FILE");
  simulate->add_option("--cache-bytes", flags.cache_bytes, "size of the cache: 1048576, 256MiB")->type_name("SIZE");
  simulate
      ->add_option(
          "--policy", flags.policy,
          fmt::format("{}, or all ({})", fmt::join(cache::eviction_names(), ", "), cache::eviction_names().front()))
      ->type_name("NAME");
  return simulate;
}

CLI::App* add_disk(CLI::App& disk, const std::string& name, const std::string& help, DiskFlags& flags) {
  CLI::App* command = disk.add_subcommand(name, help);
  command->add_flag("--json", flags.is_json, "print JSON");
  command->add_option("DIR", flags.directory, "the directory, a path of cache.disk")->type_name("");
  return command;
}

std::string compiler() {
#if defined(__clang__)
  return "clang " __clang_version__;
#else
  return "g++ " __VERSION__;
#endif
}

std::string version_text() {
  std::string features = "none";
  if (const std::string version = allocator_version(); !version.empty()) features = "jemalloc " + version;
  return fmt::format("seawall {}\ncompiler: {}\nlibevent: {}\noptional features: {}\n", SEAWALL_VERSION, compiler(),
                     event_get_version(), features);
}

std::string_view without_dashes(std::string_view word) {
  word.remove_prefix(std::min(word.find_first_not_of('-'), word.size()));
  return word;
}

// What is wrong with the first argument that CLI11 did not know.
std::string unknown_argument(const CLI::App& app, const std::string& argument) {
  const bool takes_command = !app.get_subcommands([](const CLI::App*) { return true; }).empty();
  std::string words;
  for (const CLI::App* at = &app; at->get_parent() != nullptr; at = at->get_parent()) {
    words.insert(0, " " + at->get_name());
  }
  const std::string more = fmt::format("\nhint: {}{} --help", kProgram, words);
  const std::string shown = argument.substr(0, argument.find('='));
  const bool is_option = argument.starts_with('-');
  if (!is_option && !takes_command) return fmt::format("unexpected argument {}{}", config::quote(argument), more);
  std::vector<std::string> names;
  if (is_option) {
    for (const CLI::Option* option : app.get_options()) {
      for (const std::string& name : option->get_lnames()) names.push_back(name);
    }
  } else {
    for (const CLI::App* command_app : app.get_subcommands([](const CLI::App*) { return true; }))
      names.push_back(command_app->get_name());
  }
  const std::vector<std::string_view> candidates(names.begin(), names.end());
  const std::string_view meant = config::nearest(without_dashes(shown), candidates);
  const std::string_view kind = is_option ? "option" : "command";
  if (meant.empty()) return fmt::format("unknown {} {}{}", kind, shown, more);
  return fmt::format("unknown {} {}: did you mean {}{}?", kind, shown, is_option ? "--" : "", meant);
}

std::string with_hint(std::string message, const std::string& hint) {
  if (!hint.empty()) message += "\nhint: " + hint;
  return message;
}

// The settings that flags make, each checked so that the message names the flag.
std::expected<ServeCommand, std::string> serve_command(ServeFlags flags) {
  ServeCommand command{.config = std::move(flags.config), .overrides = {}};
  auto& settings = command.overrides.settings;
  if (!flags.listen.empty()) settings.push_back({"server.listen", "--listen", std::move(flags.listen)});
  if (flags.memory) settings.push_back({"cache.memory", "--memory", {*flags.memory}});
  if (flags.workers) settings.push_back({"server.workers", "--workers", {*flags.workers}});
  if (flags.admin) settings.push_back({"admin.listen", "--admin", {*flags.admin}});
  if (flags.log_level) settings.push_back({"log.level", "--log-level", {*flags.log_level}});
  if (flags.access_log) settings.push_back({"log.access", "--access-log", {*flags.access_log}});
  for (const config::Override& setting : settings) {
    if (const auto problem = config::check_override(setting)) {
      std::string message = problem->message;
      if (message.starts_with(setting.path)) message.replace(0, setting.path.size(), setting.flag);
      return std::unexpected(with_hint(std::move(message), problem->hint));
    }
  }
  if (flags.origins.size() > 1) {
    return std::unexpected(with_hint("--origin can be given once",
                                     "write a file with an [[origin]] and a [[route]] for each, and use -c FILE"));
  }
  for (const std::string& disk : flags.disks) {
    if (const auto problem = config::check_disk(disk))
      return std::unexpected(with_hint(problem->message, problem->hint));
  }
  command.overrides.disks = std::move(flags.disks);
  if (!flags.origins.empty()) {
    if (const auto problem = config::check_origin_url(flags.origins.front())) {
      std::string message = problem->message;
      constexpr std::string_view kPath = "origin.servers";
      if (message.starts_with(kPath)) message.replace(0, kPath.size(), "--origin");
      return std::unexpected(with_hint(std::move(message), problem->hint));
    }
    command.overrides.origin = std::move(flags.origins.front());
  }
  return command;
}

template <typename T>
std::expected<Command, std::string> to_command(std::expected<T, std::string> parsed) {
  if (!parsed) return std::unexpected(std::move(parsed.error()));
  return std::move(*parsed);
}

int fail(std::string_view text) {
  fmt::print(stderr, "seawall: {}\n", text);
  return 1;
}

std::string count(std::size_t n, std::string_view what) {
  return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s");
}

int print_diagnostics(const std::string& file, const config::Diagnostics& diagnostics) {
  fmt::print(stderr, "{}\n{}: {}\n", config::to_string(diagnostics), file, count(diagnostics.size(), "error"));
  return 1;
}

int run(const ServeCommand& command) {
  std::optional<std::string> file = command.config;
  if (!file && !command.overrides.origin) {
    if (::access(kDefaultConfig, F_OK) != 0) {
      fail(
          fmt::format("nothing to serve: neither --origin nor a configuration file, and there is no {}\n"
                      "hint: seawall serve --origin http://127.0.0.1:3000\n"
                      "hint: seawall serve -c FILE",
                      kDefaultConfig));
      return 2;
    }
    file = kDefaultConfig;
  }
  const auto load = [file, overrides = command.overrides] {
    const SystemClock clock;
    return file ? config::load_file(*file, config::process_environment(), clock, overrides)
                : config::load_flags(clock, overrides);
  };
  const auto loaded = load();
  if (!loaded) return print_diagnostics(file.value_or(kProgram), loaded.error());
  std::string error;
  if (!obs::init_log(loaded->log, error)) return fail(error);
  return server::run(*loaded, [file, load]() -> std::expected<config::Config, std::string> {
    if (!file) return std::unexpected("there is no configuration file to read again");
    auto fresh = load();
    if (!fresh) return std::unexpected(config::to_string(fresh.error()));
    return std::move(*fresh);
  });
}

int run(const CheckCommand& command) {
  const std::string file = command.config.value_or(kDefaultConfig);
  const auto loaded = config::load_file(file, config::process_environment(), SystemClock());
  if (!loaded) return print_diagnostics(file, loaded.error());
  config::Diagnostics problems;
  for (const disk::VolumeOptions& volume : loaded->disk) {
    if (auto problem = check_disk_directory(volume.path)) problems.push_back({.file = file, .message = *problem});
  }
  if (auto problem = disk::check_links(loaded->disk)) problems.push_back({.file = file, .message = *problem});
  if (!problems.empty()) return print_diagnostics(file, problems);
  for (const std::string& ocsp : config::lapsed_ocsp_files(*loaded, SystemClock().wall_now())) {
    fmt::print(stderr, "{}: warning: {}: {}\n", file, ocsp, net::kOcspIsOutOfDate);
  }
  if (command.dump_config) {
    fmt::print("{}", config::dump(*loaded));
  } else {
    fmt::print("{}: ok ({}, {})\n", file, count(loaded->origins.size(), "origin"),
               count(loaded->routes.size(), "route"));
  }
  return 0;
}

int run(const DemoOriginCommand& command) {
  const auto served = run_demo_origin(command.listen);
  return served ? 0 : fail(served.error());
}

int run(const PurgeCommand& command) {
  return run_purge(command, process_terminal());
}

int run(const WarmCommand& command) {
  return run_warm(command, process_terminal());
}

int run(const SimulateCommand& command) {
  return run_simulate(command, process_terminal());
}

int run(const DiskCommand& command) {
  return run_disk(command, process_terminal());
}

int run(const PrintCommand& command) {
  fmt::print("{}", command.text);
  return 0;
}

}  // namespace

std::expected<Command, std::string> parse_arguments(const std::vector<std::string>& arguments) {
  CLI::App app(kDescription, kProgram);
  app.footer(kFooter);
  app.set_help_flag("-h,--help", "print this");
  bool wants_version = false;
  app.add_flag("-V,--version", wants_version, "print the version and what it was built with");
  ServeFlags serve_flags;
  CheckCommand check_command;
  DemoOriginCommand demo_command{.listen = kDefaultDemoListen};
  CLI::App* serve = add_serve(app, serve_flags);
  CLI::App* check =
      app.add_subcommand("check", "check a configuration file: exit 0, or 1 with all that is wrong in it");
  check->add_option("-c,--config", check_command.config, fmt::format("the file ({})", kDefaultConfig))
      ->type_name("FILE");
  check->add_flag("--dump-config", check_command.dump_config, "print the effective configuration, defaults included");
  CLI::App* demo = app.add_subcommand("demo-origin", "a small origin to try the cache with");
  demo->add_option("--listen", demo_command.listen,
                   fmt::format("address to accept connections on ({})", kDefaultDemoListen))
      ->type_name("ADDR:PORT");
  PurgeFlags purge_flags;
  WarmFlags warm_flags;
  CLI::App* purge = add_purge(app, purge_flags);
  CLI::App* warm = add_warm(app, warm_flags);
  SimulateFlags simulate_flags;
  CLI::App* simulate = add_simulate(app, simulate_flags);
  DiskFlags disk_flags;
  CLI::App* disk = app.add_subcommand("disk", "look into a directory of the disk cache that no server uses");
  CLI::App* disk_check =
      add_disk(*disk, "check", "read all of it: exit 0, or 1 with what is damaged; nothing is changed", disk_flags);
  CLI::App* disk_list = add_disk(*disk, "ls", "list what a server would serve from it", disk_flags);
  disk->require_subcommand(0, 1);
  // A second command's name is an argument of the first: a list of URLs may be called so.
  app.require_subcommand(0, 1);
  // What is unknown is reported in our own words, below.
  const std::array levels = {&app, serve, check, demo, purge, warm, simulate, disk, disk_check, disk_list};
  for (CLI::App* level : levels) level->allow_extras();
  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
    app.parse(std::move(reversed));
  } catch (const CLI::CallForHelp&) {
    const auto chosen = app.get_subcommands();
    return PrintCommand{chosen.empty() ? app.help() : chosen.front()->help(kProgram)};
  } catch (const CLI::Error& error) {
    return std::unexpected(std::string(error.what()));
  }
  for (const CLI::App* level : levels) {
    const std::vector<std::string> rest = level->remaining();
    // CLI11 leaves the mark before arguments that only look like options.
    const auto unknown = std::ranges::find_if(rest, [](const std::string& argument) { return argument != "--"; });
    if (unknown != rest.end()) return std::unexpected(unknown_argument(*level, *unknown));
  }
  if (wants_version) return PrintCommand{version_text()};
  if (app.got_subcommand(serve)) return to_command(serve_command(std::move(serve_flags)));
  if (app.got_subcommand(check)) return check_command;
  if (app.got_subcommand(purge)) return to_command(purge_command(std::move(purge_flags)));
  if (app.got_subcommand(warm)) return to_command(warm_command(std::move(warm_flags)));
  if (app.got_subcommand(simulate)) return to_command(simulate_command(simulate_flags));
  if (app.got_subcommand(disk)) {
    if (disk->get_subcommands().empty()) {
      return std::unexpected("disk needs a command: check or ls\nhint: seawall disk --help");
    }
    const auto what = disk->got_subcommand(disk_check) ? DiskCommand::What::kCheck : DiskCommand::What::kList;
    return to_command(disk_command(what, std::move(disk_flags)));
  }
  if (!app.got_subcommand(demo))
    return std::unexpected("a command is missing\nhint: seawall serve --origin URL, or seawall --help");
  if (!net::Address::parse(demo_command.listen)) {
    return std::unexpected(fmt::format("--listen must be \"ADDR:PORT\" such as \"127.0.0.1:9100\", not {}",
                                       config::quote(demo_command.listen)));
  }
  return demo_command;
}

int run_command_line(int argc, char** argv) {
  // A reader that went away is an error of the write, not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  net::use_openssl_pools();
  const auto command = parse_arguments({argv + 1, argv + argc});
  if (!command) {
    fail(command.error());
    return 2;
  }
  return std::visit([](const auto& chosen) { return run(chosen); }, *command);
}

}  // namespace seawall::server
