#include "config/load.h"

#include <fmt/format.h>
#include <glob.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <memory>
#include <system_error>

#include "config/disk_entry.h"
#include "config/draft.h"
#include "config/environment.h"
#include "config/suggest.h"

namespace seawall::config {
namespace {

constexpr std::string_view kInclude = "include";
constexpr std::string_view kDefaultListen = "127.0.0.1:8080";

// What a value is, to follow "not".
std::string describe(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::string: return quote(node.as_string()->get());
    case toml::node_type::integer: return fmt::format("{}", node.as_integer()->get());
    case toml::node_type::floating_point: return fmt::format("{}", node.as_floating_point()->get());
    case toml::node_type::boolean: return node.as_boolean()->get() ? "true" : "false";
    case toml::node_type::array: return "an array";
    case toml::node_type::table: return "a table";
    default: return "a date or time";
  }
}

// "[server]" or "[[origin]]".
std::string table_name(std::string_view section) {
  return fmt::format(fmt::runtime(is_array_section(section) ? "[[{}]]" : "[{}]"), section);
}

// The keys below `prefix` ("server." or "server.timeout."), each without what follows a further point; no key twice.
std::vector<std::string_view> known_keys(std::string_view prefix) {
  std::vector<std::string_view> keys;
  for (const Directive& d : directives()) {
    if (!d.path.starts_with(prefix)) continue;
    std::string_view key = d.path.substr(prefix.size());
    key = key.substr(0, key.find('.'));
    if (keys.empty() || keys.back() != key) keys.push_back(key);
  }
  return keys;
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates) {
  const std::string_view meant = nearest(word, candidates);
  return meant.empty() ? std::string() : fmt::format("did you mean \"{}\"?", meant);
}

// What to say of an unknown key in the table that `prefix` names; "" is the top of the file.
std::string unknown_hint(std::string_view prefix, std::string_view key) {
  std::vector<std::string_view> candidates = known_keys(prefix);
  if (prefix.empty()) candidates.push_back(kInclude);
  if (std::string hint = did_you_mean(key, candidates); !hint.empty()) return hint;
  std::vector<std::string_view> elsewhere;
  for (const Directive& d : directives()) elsewhere.push_back(d.key());
  if (std::ranges::find(sections(), key) != sections().end()) {
    return fmt::format("{} is a table of its own", table_name(key));
  }
  if (const std::string_view meant = nearest(key, elsewhere); !meant.empty()) {
    const auto at = std::ranges::find(directives(), meant, &Directive::key);
    return fmt::format("\"{}\" belongs to {}", meant, table_name(at->section()));
  }
  return fmt::format("known here: {}", fmt::join(candidates, ", "));
}

class Reader {
 public:
  Reader(const Environment& environment, Report& report) : environment_(environment), report_(report) {}

  // Files in the order in which they count: what `include` names stands in its place, at the top of the file.
  void read(Document& main) {
    if (!parse_document(main, report_)) {
      input_.is_incomplete = true;
      return;
    }
    for (Document* document : open_included(main)) read_document(*document);
    read_document(main);
  }

  void apply(const Overrides& overrides) {
    for (const Override& setting : overrides.settings) {
      const Place place{.flag = setting.flag};
      const Directive* directive = find_directive(setting.path);
      auto value = convert_override(*directive, setting.values);
      if (!value) {
        report_.add(place, value.error().message, value.error().hint);
        input_.unread.insert(directive->path);
        continue;
      }
      directive->set(input_.draft(), std::move(*value));
      input_.set[directive->path] = place;
    }
    apply_disks(overrides.disks);
    if (!overrides.origin) return;
    const Place place{.flag = "--origin"};
    if (!input_.origins.empty()) {
      report_.add(place, fmt::format("the file has an origin already: {}", input_.origins.front().at.to_string()),
                  "leave out --origin, or [[origin]]");
      return;
    }
    OriginDraft& origin = input_.origins.emplace_back();
    origin.set["origin.servers"] = origin.at = place;
    const Directive* directive = find_directive("origin.servers");
    auto value = convert_texts(*directive, {*overrides.origin});
    if (!value) {
      report_.add(place, value.error().message, value.error().hint);
      return;
    }
    directive->set(input_.draft(origin), std::move(*value));
  }

  Input& input() { return input_; }

  static std::expected<Value, Problem> convert_override(const Directive& directive,
                                                        const std::vector<std::string>& values) {
    if (directive.kind == Kind::kTexts) return convert_texts(directive, values);
    const std::string& text = values.front();
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool is_number = error == std::errc{} && end == text.data() + text.size();
    if (is_number && (directive.kind == Kind::kCount || directive.kind == Kind::kWorkers)) {
      return convert_integer(directive, number);
    }
    return convert_text(directive, text);
  }

 private:
  // Flags stand in place of what the file has.
  void apply_disks(const std::vector<std::string>& entries) {
    if (!entries.empty()) input_.disks.clear();
    for (const std::string& entry : entries) {
      const Place place{.flag = "--disk"};
      auto volume = parse_disk(entry);
      if (!volume) {
        report_.add(place, volume.error().message, volume.error().hint);
        input_.unread.insert("cache.disk.path");
        continue;
      }
      DiskDraft& disk = input_.disks.emplace_back();
      disk.config = std::move(*volume);
      disk.set["cache.disk.path"] = disk.set["cache.disk.size"] = disk.at = place;
    }
  }

  static Place place_of(const Document& document, const toml::source_region& source) {
    return {&document, std::max(source.begin.line, 1U), std::max(source.begin.column, 1U)};
  }

  std::vector<Document*> open_included(const Document& main) {
    const toml::node* node = main.table.get(kInclude);
    if (node == nullptr) return {};
    std::vector<Document*> opened;
    for (const std::string& pattern : strings_of(main, *node)) {
      for (const std::string& path : match(main, pattern, place_of(main, node->source()))) {
        const auto is_it = [&](const Document* d) { return d->name == path; };
        if (path == main.name || std::ranges::any_of(opened, is_it)) continue;
        if (included_.size() == kMaxFiles) {
          report_.add(place_of(main, node->source()), fmt::format("include matches more than {} files", kMaxFiles));
          return opened;
        }
        Document& document = *included_.emplace_back(std::make_unique<Document>());
        document.order = included_.size();
        document.name = path;
        auto text = read_file(path);
        if (!text) {
          report_.add(document.order, {.file = path, .message = text.error()});
          input_.is_incomplete = true;
          continue;
        }
        document.text = std::move(*text);
        if (parse_document(document, report_)) {
          opened.push_back(&document);
        } else {
          input_.is_incomplete = true;
        }
      }
    }
    return opened;
  }

  // The strings of `include`; what else stands there is reported.
  std::vector<std::string> strings_of(const Document& document, const toml::node& node) {
    std::vector<std::string> out;
    const auto take = [&](const toml::node& element) {
      const auto* text = element.as_string();
      if (text == nullptr) {
        report_.add(place_of(document, element.source()),
                    fmt::format("include must be a string or an array of strings, not {}", describe(element)));
      } else if (auto expanded = expand(text->get(), environment_); !expanded) {
        report_.add(place_of(document, element.source()), expanded.error().message, expanded.error().hint);
      } else {
        out.push_back(std::move(*expanded));
      }
    };
    if (const auto* array = node.as_array()) {
      for (const toml::node& element : *array) take(element);
    } else {
      take(node);
    }
    return out;
  }

  std::vector<std::string> match(const Document& main, const std::string& pattern, const Place& place) {
    std::string full;
    if (!pattern.starts_with('/')) {
      for (const char c : std::filesystem::path(main.name).parent_path().string()) {
        if (std::string_view("*?[]\\").find(c) != std::string_view::npos) full += '\\';
        full += c;
      }
      if (!full.empty()) full += '/';
    }
    full += pattern;
    glob_t found{};
    const int result = ::glob(full.c_str(), 0, nullptr, &found);
    std::vector<std::string> paths(found.gl_pathv, found.gl_pathv + found.gl_pathc);
    ::globfree(&found);
    std::ranges::sort(paths);
    const bool is_pattern = pattern.find_first_of("*?[") != std::string::npos;
    if (result != 0 && !(result == GLOB_NOMATCH && is_pattern)) {
      report_.add(place, fmt::format("include {} cannot be read", quote(pattern)),
                  "paths are relative to the folder of this file");
      input_.is_incomplete = true;
    }
    return paths;
  }

  void read_document(const Document& document) {
    for (const auto& [key, node] : document.table) {
      const Place place = place_of(document, key.source());
      if (key.str() == kInclude) {
        if (document.order > 0)
          report_.add(place, "an included file cannot include others", "list them in the first file");
        continue;
      }
      if (std::ranges::find(sections(), key.str()) == sections().end()) {
        input_.is_incomplete = true;
        const char* what = node.is_table() || node.is_array_of_tables() ? "unknown table {}" : "unknown key {}";
        report_.add(place, fmt::format(fmt::runtime(what), quote(key.str())), unknown_hint("", key.str()));
      } else if (is_array_section(key.str())) {
        read_array(document, key.str(), place, node);
      } else if (const toml::table* table = node.as_table()) {
        read_table(document, *table, fmt::format("{}.", key.str()), input_.draft(), input_.set);
      } else {
        report_.add(place, fmt::format("{} must be a table, not {}", key.str(), describe(node)),
                    fmt::format("write [{}]", key.str()));
      }
    }
  }

  void read_array(const Document& document, std::string_view section, const Place& place, const toml::node& node) {
    const toml::array* array = node.as_array();
    if (array == nullptr) {
      report_.add(place, fmt::format("{} must be an array of tables, not {}", section, describe(node)),
                  fmt::format("write [[{}]]", section));
      return;
    }
    for (const toml::node& element : *array) {
      const Place at = place_of(document, element.source());
      const toml::table* table = element.as_table();
      if (table == nullptr) {
        report_.add(at, fmt::format("{} must be an array of tables, with {} in it", section, describe(element)),
                    fmt::format("write [[{}]]", section));
      } else if (section == "origin") {
        OriginDraft& origin = input_.origins.emplace_back();
        origin.at = at;
        read_table(document, *table, "origin.", input_.draft(origin), origin.set);
      } else {
        RouteDraft& route = input_.routes.emplace_back();
        route.at = at;
        read_table(document, *table, "route.", input_.draft(route), route.set);
      }
    }
  }

  void read_table(const Document& document, const toml::table& table, const std::string& prefix, const Draft& draft,
                  Settings& set) {
    for (const auto& [key, node] : table) {
      const std::string path = prefix + std::string(key.str());
      const Place place = place_of(document, key.source());
      if (const Directive* directive = find_directive(path)) {
        const auto [at, is_new] = set.try_emplace(directive->path, place_of(document, node.source()));
        if (!is_new) {
          report_.add(place, fmt::format("{} is set twice: first at {}", path, at->second.to_string()),
                      "remove one of the two");
        } else {
          read_value(document, *directive, node, draft, at->second);
        }
      } else if (path == kDiskTable) {
        read_disks(document, place, node);
      } else if (!known_keys(path + ".").empty()) {
        if (const toml::table* inner = node.as_table()) {
          read_table(document, *inner, path + ".", draft, set);
        } else {
          report_.add(place_of(document, node.source()),
                      fmt::format("{} must be a table, not {}", path, describe(node)),
                      fmt::format("write {} = {{ {} = ... }}", key.str(), known_keys(path + ".").front()));
        }
      } else {
        const std::string_view section = std::string_view(path).substr(0, path.find('.'));
        report_.add(place,
                    fmt::format("unknown key {} in {}", quote(std::string_view(path).substr(section.size() + 1)),
                                table_name(section)),
                    unknown_hint(prefix, key.str()));
      }
    }
  }

  // One directory as a table, or several as an array of them.
  void read_disks(const Document& document, const Place& key, const toml::node& node) {
    if (!input_.disks.empty()) {
      report_.add(key, fmt::format("{} is set twice: first at {}", kDiskTable, input_.disks.front().at.to_string()),
                  "remove one of the two; several directories are an array: disk = [{ ... }, { ... }]");
      return;
    }
    const auto read_one = [&](const toml::node& element) {
      const Place at = place_of(document, element.source());
      const toml::table* table = element.as_table();
      if (table == nullptr) {
        report_.add(at, fmt::format("{} must be a table or an array of tables, not {}", kDiskTable, describe(element)),
                    "write disk = { path = \"/var/cache/seawall\", size = \"50GiB\" }");
        input_.unread.insert("cache.disk.path");
        return;
      }
      DiskDraft& disk = input_.disks.emplace_back();
      disk.at = at;
      read_table(document, *table, fmt::format("{}.", kDiskTable), input_.draft(disk), disk.set);
    };
    const toml::array* array = node.as_array();
    if (array == nullptr) return read_one(node);
    for (const toml::node& element : *array) read_one(element);
  }

  void read_value(const Document& document, const Directive& directive, const toml::node& node, const Draft& draft,
                  Setting& setting) {
    auto value = convert(document, directive, node);
    if (value) {
      if (const toml::array* array = node.as_array()) {
        for (const toml::node& element : *array) setting.elements.push_back(place_of(document, element.source()));
      }
      directive.set(draft, std::move(*value));
      return;
    }
    input_.unread.insert(directive.path);
    if (!value.error().message.empty()) {
      report_.add(place_of(document, node.source()), value.error().message, value.error().hint);
    }
  }

  // An empty message: reported already.
  std::expected<Value, Problem> convert(const Document& document, const Directive& directive, const toml::node& node) {
    if (const auto* text = node.as_string()) {
      auto expanded = expand(text->get(), environment_);
      if (!expanded) return std::unexpected(std::move(expanded.error()));
      return convert_text(directive, *expanded);
    }
    if (const auto* number = node.as_integer()) return convert_integer(directive, number->get());
    if (const auto* real = node.as_floating_point()) return convert_real(directive, real->get());
    if (const auto* flag = node.as_boolean()) return convert_flag(directive, flag->get());
    const toml::array* array = node.as_array();
    if (array == nullptr || directive.kind != Kind::kTexts) return std::unexpected(mismatch(directive, describe(node)));
    return convert_array(document, directive, *array);
  }

  // Each element is reported at its own place.
  std::expected<Value, Problem> convert_array(const Document& document, const Directive& directive,
                                              const toml::array& array) {
    std::vector<std::string> texts;
    bool is_fine = true;
    const auto reject = [&](const toml::node& element, const Problem& problem) {
      report_.add(place_of(document, element.source()), problem.message, problem.hint);
      is_fine = false;
    };
    for (const toml::node& element : array) {
      const auto* text = element.as_string();
      if (text == nullptr) {
        reject(element, mismatch(directive, "an array with " + describe(element)));
        continue;
      }
      auto expanded = expand(text->get(), environment_);
      if (!expanded) {
        reject(element, expanded.error());
        continue;
      }
      if (const auto problem = check_text(directive, *expanded)) reject(element, *problem);
      texts.push_back(std::move(*expanded));
    }
    if (!is_fine) return std::unexpected(Problem{});
    return convert_texts(directive, std::move(texts));
  }

  const Environment& environment_;
  Report& report_;
  Input input_;
  std::vector<std::unique_ptr<Document>> included_;
};

std::expected<Config, Diagnostics> load(Document& main, const Environment& environment, const Clock& clock,
                                        const Overrides& overrides, bool has_file) {
  Report report;
  Reader reader(environment, report);
  Input& input = reader.input();
  input.config.listen.push_back({.address = std::string(kDefaultListen)});
  input.max_object.percent = input.config.cache.max_object_share * 100;
  reader.read(main);
  reader.apply(overrides);
  resolve(input, has_file ? Place{&main, 1, 1} : Place{.flag = "seawall"}, clock, report);
  if (!report.empty()) return std::unexpected(report.take());
  return std::move(input.config);
}

}  // namespace

std::expected<Config, Diagnostics> load_file(const std::string& path, const Environment& environment,
                                             const Clock& clock, const Overrides& overrides) {
  Document main;
  main.name = path;
  auto text = read_file(path);
  if (!text) return std::unexpected(Diagnostics{{.file = path, .message = std::move(text.error())}});
  main.text = std::move(*text);
  return load(main, environment, clock, overrides, true);
}

std::expected<Config, Diagnostics> load_string(std::string name, std::string text, const Environment& environment,
                                               const Clock& clock, const Overrides& overrides) {
  Document main;
  main.name = std::move(name);
  main.text = std::move(text);
  return load(main, environment, clock, overrides, true);
}

std::expected<Config, Diagnostics> load_flags(const Clock& clock, const Overrides& overrides) {
  Document nothing;
  return load(nothing, process_environment(), clock, overrides, false);
}

std::optional<Problem> check_override(const Override& setting) {
  auto value = Reader::convert_override(*find_directive(setting.path), setting.values);
  if (value) return std::nullopt;
  return std::move(value.error());
}

}  // namespace seawall::config
