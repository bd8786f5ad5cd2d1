#include "config/directives.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <system_error>

#include "config/diagnostics.h"
#include "config/suggest.h"
#include "config/units.h"
#include "http/list_syntax.h"

namespace seawall::config {
namespace {

using std::string_view_literals::operator""sv;

constexpr std::array kSections = {"server"sv,   "tls"sv,  "http2"sv, "admin"sv, "cache"sv,  "encode"sv,
                                  "collapse"sv, "push"sv, "dns"sv,   "log"sv,   "origin"sv, "route"sv};

// Whether "" stands for no value.
bool may_be_empty(const Directive& d) {
  return d.default_text == R"("")";
}

std::string range_of(const Directive& d) {
  switch (d.kind) {
    case Kind::kDuration:
      return fmt::format("from {} to {}", format_duration(Millis{d.min}), format_duration(Millis{d.max}));
    case Kind::kSeconds:
      return fmt::format("from {} to {}", format_duration(Seconds{d.min}), format_duration(Seconds{d.max}));
    case Kind::kSize:
      return fmt::format("from {} to {}", format_size(static_cast<std::uint64_t>(d.min)),
                         format_size(static_cast<std::uint64_t>(d.max)));
    case Kind::kPercent: return fmt::format("from {}% to {}%", d.min, d.max);
    default: return fmt::format("from {} to {}", d.min, d.max);
  }
}

std::string expectation(const Directive& d) {
  switch (d.kind) {
    case Kind::kDuration:
    case Kind::kSeconds: return "a duration " + range_of(d);
    case Kind::kSize: return "a size " + range_of(d);
    case Kind::kPercent: return "a percentage " + range_of(d);
    case Kind::kCount: return "a whole number " + range_of(d);
    case Kind::kWorkers: return "\"auto\" or a whole number " + range_of(d);
    case Kind::kFlag: return "true or false";
    case Kind::kChoice: {
      std::string list;
      for (const std::string_view choice : d.choices) list += fmt::format("{}\"{}\"", list.empty() ? "" : ", ", choice);
      return "one of " + list;
    }
    case Kind::kText: return "a string";
    case Kind::kTexts: return "a string or an array of strings";
    case Kind::kShare: return fmt::format("a percentage up to 100% or a size{}", may_be_empty(d) ? " or \"\"" : "");
  }
  return {};
}

constexpr std::string_view kDurationForms = R"(durations are "250ms", "10s", "5m", "1h", "1d")";
constexpr std::string_view kSizeForms = R"(sizes are "512" (bytes), "64KiB", "1GiB", "50GB")";

// "64K" and "64kib" for "64KiB", "10sec" for "10s".
std::string unit_hint(const Directive& d, std::string_view text) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const std::string_view number = text.substr(0, digits);
  std::string_view unit = text.substr(digits);
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  const bool is_size = d.kind == Kind::kSize || d.kind == Kind::kShare;
  const std::string_view forms = is_size ? kSizeForms : kDurationForms;
  if (number.empty() || unit.empty()) return std::string(forms);
  const char first = http::to_lower(unit.front());
  std::string meant(number);
  if (is_size) {
    if ("kmgt"sv.find(first) == std::string_view::npos) return std::string(forms);
    meant += first == 'k' ? "KiB" : first == 'm' ? "MiB" : first == 'g' ? "GiB" : "TiB";
  } else {
    if ("smhd"sv.find(first) == std::string_view::npos) return std::string(forms);
    meant += http::to_lower(unit).starts_with("ms") || http::to_lower(unit).starts_with("mil") ? "ms"
                                                                                               : std::string(1, first);
  }
  // The same text again would mean that only its size is wrong.
  return meant == text ? std::string(forms) : fmt::format("did you mean \"{}\"?", meant);
}

std::expected<Value, Problem> fail(Problem problem, std::string hint) {
  problem.hint = std::move(hint);
  return std::unexpected(std::move(problem));
}

std::expected<Value, Problem> check_range(const Directive& d, std::int64_t number, std::string_view shown) {
  if (number < d.min || number > d.max) return fail(mismatch(d, shown), std::string(d.hint));
  return Value(number);
}

// "50%" for "50", "50 %" and "0.5".
std::string percent_hint(const Directive& d, std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string_view rest = text.substr(static_cast<std::size_t>(end - text.data()));
  while (rest.starts_with(' ')) rest.remove_prefix(1);
  const bool has_sign = rest == "%";
  if (error != std::errc{} || !(has_sign || rest.empty())) return "percentages are \"10%\", \"50%\"";
  if (!has_sign && number > 0 && number < 1) number *= 100;
  const bool is_in_range = number >= static_cast<double>(d.min) && number <= static_cast<double>(d.max);
  if (!is_in_range) return std::string(d.hint);
  const std::int64_t whole = std::llround(number);
  if (std::abs(number - static_cast<double>(whole)) > 1e-9) return "this key takes whole percentages";
  return fmt::format("did you mean \"{}%\"?", whole);
}

std::expected<Value, Problem> convert_quantity(const Directive& d, std::string_view text) {
  if (d.kind == Kind::kSize) {
    const auto bytes = parse_size(text);
    if (!bytes) return fail(mismatch(d, quote(text)), unit_hint(d, text));
    return check_range(d, static_cast<std::int64_t>(*bytes), quote(text));
  }
  const auto duration = parse_duration(text);
  if (!duration) return fail(mismatch(d, quote(text)), unit_hint(d, text));
  if (d.kind == Kind::kDuration) return check_range(d, duration->count(), quote(text));
  if (duration->count() % 1000 != 0) return fail(mismatch(d, quote(text)), "this key takes whole seconds");
  return check_range(d, duration->count() / 1000, quote(text));
}

std::expected<Value, Problem> convert_percent(const Directive& d, std::string_view text) {
  const auto percent = parse_whole_percent(text);
  if (!percent) return fail(mismatch(d, quote(text)), percent_hint(d, text));
  return check_range(d, *percent, quote(text));
}

std::expected<Value, Problem> convert_share(const Directive& d, std::string_view text) {
  if (text.empty() && may_be_empty(d)) return Value(Share{});
  if (const auto percent = parse_percent(text)) return Value(Share{.percent = *percent});
  const auto bytes = parse_size(text);
  if (bytes && *bytes > 0) return Value(Share{.bytes = bytes});
  return fail(mismatch(d, quote(text)), text.ends_with('%') ? "for example \"10%\"" : unit_hint(d, text));
}

std::expected<Value, Problem> convert_choice(const Directive& d, std::string_view text) {
  const auto at = std::ranges::find(d.choices, text);
  if (at != d.choices.end()) return Value(std::int64_t{at - d.choices.begin()});
  const std::string_view meant = nearest(text, d.choices);
  return fail(mismatch(d, quote(text)), meant.empty() ? "" : fmt::format("did you mean \"{}\"?", meant));
}

// On lines of their own when they are long, since the reader bounds lines.
std::string format_texts(const std::vector<std::string>& texts) {
  std::size_t bytes = 0;
  for (const std::string& text : texts) bytes += text.size();
  const std::string_view separator = bytes > 512 ? ",\n  " : ", ";
  std::string list;
  for (const std::string& text : texts) {
    if (!list.empty() || bytes > 512) list += separator.substr(list.empty() ? 1 : 0);
    list += toml_string(text);
  }
  return "[" + list + "]";
}

std::string why_moot_in_tls(const Directive& directive, const Config& config) {
  const net::TlsServerOptions& tls = config.tls;
  const std::string_view key = directive.key();
  if (key == "certificates" || key == "acme") return {};  // challenges are answered in plain
  // A proxy may have ended TLS, and tells so in its PROXY header.
  if (key == "hsts" && std::ranges::any_of(config.listen, &net::ListenOptions::expects_proxy)) return {};
  if (tls.certificates.empty()) return "without certificates";
  if (key == "client_ca" && tls.client_auth == net::ClientAuth::kOff) {
    return "without client_auth = \"optional\" or \"required\"";
  }
  return key == "ticket_rotation" && !tls.session_tickets ? "with session_tickets = false" : "";
}

std::string why_moot_in_origin(const Directive& directive, const origin::OriginOptions& options) {
  const std::string_view key = directive.key();
  if (key.starts_with("health.")) {
    return options.health.path.empty() && key != "health.path" ? "without health.path" : "";
  }
  if (!key.starts_with("tls.")) return {};
  if (std::ranges::none_of(options.servers, &origin::ServerConfig::is_tls)) return "without an https server";
  if (key == "tls.ca" && !options.tls.verify) return "with verify = false";
  return key == "tls.key" && options.tls.certificate.empty() ? "without tls.certificate" : "";
}

std::string why_moot_in_route(const Directive& directive, const RouteConfig& route) {
  const auto is_in = [&](std::string_view group) { return directive.path.starts_with(group); };
  const proxy::MissPolicy miss = route.miss.policy;
  const bool is_of_storing =
      is_in("route.stale.") || is_in("route.heuristic.") || is_in("route.refresh.") || is_in("route.placeholder.");
  const bool is_moot = (is_of_storing && miss == proxy::MissPolicy::kPass) ||
                       (directive.path == "route.encode" && miss == proxy::MissPolicy::kPass) ||
                       (is_in("route.storm.") && miss != proxy::MissPolicy::kCollapse);
  if (is_moot) return "with miss = " + format_value(*find_directive("route.miss"), static_cast<std::int64_t>(miss));
  // RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5: responses without a body.
  const std::uint16_t status = route.miss.placeholder.status;
  const bool has_no_body = status == 204 || status == 205 || status == 304;
  return directive.path == "route.placeholder.file" && has_no_body ? fmt::format("with status = {}", status) : "";
}

}  // namespace

const Directive* find_directive(std::string_view path) {
  const std::span<const Directive> all = directives();
  const auto at = std::ranges::find(all, path, &Directive::path);
  return at == all.end() ? nullptr : &*at;
}

std::span<const std::string_view> sections() {
  return kSections;
}

bool is_array_section(std::string_view section) {
  return section == "origin" || section == "route";
}

bool is_of_disk_table(const Directive& directive) {
  return directive.path.starts_with(kDiskTable) && directive.path.substr(kDiskTable.size()).starts_with('.');
}

std::string why_moot(const Directive& directive, const Draft& draft) {
  const std::string_view section = directive.section();
  if (section == "tls") return why_moot_in_tls(directive, *draft.config);
  if (section == "origin") return why_moot_in_origin(directive, draft.origin->options);
  if (directive.path.starts_with("route.disk.")) return draft.config->disk.empty() ? "without cache.disk" : "";
  if (section == "route") return why_moot_in_route(directive, *draft.route);
  if (directive.path.starts_with("cache.disk_") && draft.config->disk.empty()) return "without disk";
  const bool has_http2 = draft.config->session.http2.enabled;
  return directive.path == "http2.streams" && !has_http2 ? "with enabled = false" : "";
}

Problem mismatch(const Directive& directive, std::string_view what) {
  return {fmt::format("{} must be {}, not {}", directive.path, expectation(directive), what), {}};
}

std::expected<Value, Problem> convert_text(const Directive& directive, std::string_view text) {
  switch (directive.kind) {
    case Kind::kDuration:
    case Kind::kSeconds:
    case Kind::kSize: return convert_quantity(directive, text);
    case Kind::kPercent: return convert_percent(directive, text);
    case Kind::kShare: return convert_share(directive, text);
    case Kind::kChoice: return convert_choice(directive, text);
    case Kind::kText:
      if (auto problem = check_text(directive, text)) return std::unexpected(std::move(*problem));
      return Value(std::string(text));
    case Kind::kTexts: return convert_texts(directive, {std::string(text)});
    case Kind::kWorkers:
      if (text == "auto") return Value(std::int64_t{0});
      [[fallthrough]];
    case Kind::kCount: {
      const bool is_number = !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
      return fail(mismatch(directive, quote(text)), is_number ? "write the number without quotes" : "");
    }
    case Kind::kFlag:
      return fail(mismatch(directive, quote(text)), text == "true" || text == "false" ? "write it without quotes" : "");
  }
  return std::unexpected(mismatch(directive, quote(text)));
}

std::expected<Value, Problem> convert_integer(const Directive& directive, std::int64_t number) {
  const std::string shown = fmt::format("{}", number);
  switch (directive.kind) {
    case Kind::kCount:
    case Kind::kWorkers:
    case Kind::kSize: return check_range(directive, number, shown);
    case Kind::kDuration:
    case Kind::kSeconds: return fail(mismatch(directive, shown), fmt::format("add a unit: \"{}s\"", number));
    case Kind::kPercent: return fail(mismatch(directive, shown), percent_hint(directive, shown));
    case Kind::kShare: return fail(mismatch(directive, shown), fmt::format("for example \"10%\" or \"1MiB\""));
    default: return std::unexpected(mismatch(directive, shown));
  }
}

std::expected<Value, Problem> convert_real(const Directive& directive, double number) {
  const std::string shown = fmt::format("{}", number);
  return fail(mismatch(directive, shown), directive.kind == Kind::kPercent ? percent_hint(directive, shown) : "");
}

std::expected<Value, Problem> convert_flag(const Directive& directive, bool flag) {
  if (directive.kind == Kind::kFlag) return Value(flag);
  return std::unexpected(mismatch(directive, flag ? "true" : "false"));
}

std::expected<Value, Problem> convert_texts(const Directive& directive, std::vector<std::string> texts) {
  if (directive.kind != Kind::kTexts) return std::unexpected(mismatch(directive, "an array"));
  const auto count = static_cast<std::int64_t>(texts.size());
  if (count < directive.min || count > directive.max) {
    return std::unexpected(Problem{
        fmt::format("{} must have from {} to {} elements, not {}", directive.path, directive.min, directive.max, count),
        {}});
  }
  for (const std::string& text : texts) {
    if (auto problem = check_text(directive, text)) return std::unexpected(std::move(*problem));
  }
  return Value(std::move(texts));
}

std::optional<Problem> check_text(const Directive& directive, std::string_view text) {
  if (directive.check == nullptr || (text.empty() && may_be_empty(directive))) return std::nullopt;
  return directive.check(directive, text);
}

std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    // What the reader would take for an environment variable.
    if (c == '$' && text.substr(i + 1).starts_with('{')) out += '$';
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      out += fmt::format("\\u{:04X}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  out += '"';
  return out;
}

std::string format_value(const Directive& directive, const Value& value) {
  switch (directive.kind) {
    case Kind::kDuration: return toml_string(format_duration(Millis{std::get<std::int64_t>(value)}));
    case Kind::kSeconds: return toml_string(format_duration(Seconds{std::get<std::int64_t>(value)}));
    case Kind::kSize: return toml_string(format_size(static_cast<std::uint64_t>(std::get<std::int64_t>(value))));
    case Kind::kPercent: return fmt::format("\"{}%\"", std::get<std::int64_t>(value));
    case Kind::kCount: return fmt::format("{}", std::get<std::int64_t>(value));
    case Kind::kWorkers: {
      const std::int64_t workers = std::get<std::int64_t>(value);
      return workers == 0 ? "\"auto\"" : fmt::format("{}", workers);
    }
    case Kind::kFlag: return std::get<bool>(value) ? "true" : "false";
    case Kind::kChoice: return toml_string(directive.choices[static_cast<std::size_t>(std::get<std::int64_t>(value))]);
    case Kind::kText: return toml_string(std::get<std::string>(value));
    case Kind::kShare: {
      const Share& share = std::get<Share>(value);
      if (share.is_none()) return "\"\"";
      return toml_string(share.bytes ? format_size(*share.bytes) : format_percent(share.percent));
    }
    case Kind::kTexts: return format_texts(std::get<std::vector<std::string>>(value));
  }
  return {};
}

}  // namespace seawall::config
