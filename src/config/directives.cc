#include "config/directives.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <type_traits>

#include "config/diagnostics.h"
#include "config/suggest.h"
#include "config/units.h"
#include "http/list_syntax.h"
#include "net/address.h"

namespace seawall::config {
namespace {

using std::string_view_literals::operator""sv;

// The member that kAccess names, read and written as a Value.
template <auto kAccess>
void store(const Draft& draft, Value value) {
  auto& member = kAccess(draft);
  using Member = std::remove_cvref_t<decltype(member)>;
  if constexpr (std::is_same_v<Member, Millis> || std::is_same_v<Member, Seconds>) {
    member = Member{std::get<std::int64_t>(value)};
  } else if constexpr (std::is_enum_v<Member> || (std::is_integral_v<Member> && !std::is_same_v<Member, bool>)) {
    member = static_cast<Member>(std::get<std::int64_t>(value));
  } else {
    member = std::get<Member>(std::move(value));
  }
}

template <auto kAccess>
Value load(const Draft& draft) {
  const auto& member = kAccess(draft);
  using Member = std::remove_cvref_t<decltype(member)>;
  if constexpr (std::is_same_v<Member, Millis> || std::is_same_v<Member, Seconds>) {
    return std::int64_t{member.count()};
  } else if constexpr (std::is_enum_v<Member> || (std::is_integral_v<Member> && !std::is_same_v<Member, bool>)) {
    return static_cast<std::int64_t>(member);
  } else {
    return member;
  }
}

template <auto kAccess>
constexpr Directive with(Directive directive) {
  directive.set = store<kAccess>;
  directive.get = load<kAccess>;
  return directive;
}

std::string_view check_listen(std::string_view text) {
  if (net::Address::parse(text)) return {};
  return R"("ADDR:PORT" such as "127.0.0.1:8080", "[::1]:8080" or ":8080")";
}

std::string_view check_field(std::string_view text) {
  return http::is_token(text) ? ""sv : "the name of a header field";
}

std::string_view check_name(std::string_view text) {
  const auto is_fine = [](char c) {
    return static_cast<unsigned char>(c) > 0x20 && c != 0x7F && c != '"' && c != '\\';
  };
  if (!text.empty() && text.size() <= 64 && std::ranges::all_of(text, is_fine)) return {};
  return "1 to 64 characters without spaces, quotes and backslashes";
}

std::string_view check_label(std::string_view text) {
  const auto is_fine = [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7F; };
  if (!text.empty() && text.size() <= 128 && std::ranges::all_of(text, is_fine)) return {};
  return "1 to 128 characters without control characters";
}

std::string_view check_target(std::string_view text) {
  return text.empty() || text.find('\0') != std::string_view::npos ? "a name or a file path" : ""sv;
}

// In the order of the enumerators.
constexpr std::array kLevels = {"debug"sv, "info"sv, "warning"sv, "error"sv};
constexpr std::array kFormats = {"combined"sv, "json"sv};
constexpr std::array kHosts = {"preserve"sv, "origin"sv};
constexpr std::array kMisses = {"collapse"sv, "pass"sv};

constexpr std::int64_t kKiB = 1 << 10;
constexpr std::int64_t kMiB = 1 << 20;
constexpr std::int64_t kGiB = 1 << 30;
constexpr std::int64_t kPiB = std::int64_t{1} << 50;
constexpr std::int64_t kHourMs = 3'600'000;
constexpr std::int64_t kDayMs = 24 * kHourMs;
constexpr std::int64_t kYearSeconds = std::int64_t{365} * 24 * 3600;

#define SW_AT(expression) [](const Draft& d) -> auto& { return expression; }

// clang-format off: one row a key.
const std::array kDirectives = {
    with<SW_AT(d.config->listen)>({.path = "server.listen", .kind = Kind::kTexts, .default_text = R"(["127.0.0.1:8080"])", .min = 1, .max = 64, .check = check_listen,
        .help = "Addresses to accept clients on. \":8080\" is every address of the machine, IPv4 and IPv6."}),
    with<SW_AT(d.config->workers)>({.path = "server.workers", .kind = Kind::kWorkers, .default_text = "\"auto\"", .min = 1, .max = 256,
        .help = "Threads that serve; \"auto\" is one for each processor core."}),
    with<SW_AT(d.config->session.connections)>({.path = "server.connections", .kind = Kind::kCount, .default_text = "10000", .min = 1, .max = 10'000'000,
        .help = "Client connections at once, in the whole process; one more gets 503 and is closed."}),
    with<SW_AT(d.config->session.head_limits.target_bytes)>({.path = "server.target_bytes", .kind = Kind::kSize, .default_text = "\"8KiB\"", .min = 64, .max = kMiB,
        .help = "Length of a request's target; longer gets 414."}),
    with<SW_AT(d.config->session.head_limits.header_bytes)>({.path = "server.header_bytes", .kind = Kind::kSize, .default_text = "\"32KiB\"", .min = kKiB, .max = kMiB,
        .help = "Size of a request's whole head; larger gets 431."}),
    with<SW_AT(d.config->session.head_limits.header_count)>({.path = "server.header_count", .kind = Kind::kCount, .default_text = "100", .min = 1, .max = 10'000,
        .help = "Header lines of a request; more get 431."}),
    with<SW_AT(d.config->session.body_bytes)>({.path = "server.body_bytes", .kind = Kind::kSize, .default_text = "\"10GiB\"", .min = 0, .max = kPiB,
        .help = "Size of a request's body; larger gets 413."}),
    with<SW_AT(d.config->session.header_timeout)>({.path = "server.timeout.header", .kind = Kind::kDuration, .default_text = "\"10s\"", .min = 1, .max = kHourMs,
        .help = "From the first byte of a request's head to its last; longer gets 408."}),
    with<SW_AT(d.config->session.body_timeout)>({.path = "server.timeout.body", .kind = Kind::kDuration, .default_text = "\"30s\"", .min = 1, .max = kHourMs,
        .help = "Without a byte of a request's body; longer gets 408."}),
    with<SW_AT(d.config->session.idle_timeout)>({.path = "server.timeout.idle", .kind = Kind::kDuration, .default_text = "\"1m\"", .min = 1, .max = kDayMs,
        .help = "Between two requests of a connection, which is then closed."}),
    with<SW_AT(d.config->session.send_timeout)>({.path = "server.timeout.send", .kind = Kind::kDuration, .default_text = "\"30s\"", .min = 1, .max = kHourMs,
        .help = "Without progress while a client does not read, whose connection is then closed."}),
    with<SW_AT(d.config->session.shutdown_timeout)>({.path = "server.timeout.shutdown", .kind = Kind::kDuration, .default_text = "\"30s\"", .min = 0, .max = kHourMs,
        .help = "How long SIGTERM waits for requests in flight."}),

    with<SW_AT(d.config->cache.memory_bytes)>({.path = "cache.memory", .kind = Kind::kSize, .default_text = "\"256MiB\"", .min = kMiB, .max = kPiB,
        .help = "Memory for everything the cache holds: bodies, headers, index, and bodies on their way."}),
    with<SW_AT(*d.max_object)>({.path = "cache.max_object", .kind = Kind::kShare, .default_text = "\"10%\"",
        .help = "Largest object that is stored, as a percentage of memory or a size; larger ones stream through."}),
    with<SW_AT(d.config->cache.max_variants)>({.path = "cache.max_variants", .kind = Kind::kCount, .default_text = "32", .min = 1, .max = 1000,
        .help = "Variants (Vary) kept for one URL; one more replaces the oldest."}),

    with<SW_AT(d.config->fill.waiters_per_object)>({.path = "collapse.waiters", .kind = Kind::kCount, .default_text = "1000", .min = 0, .max = 10'000'000,
        .help = "Requests that may wait for one object's fetch; one more gets 503."}),
    with<SW_AT(d.config->fill.waiters_total)>({.path = "collapse.waiters_total", .kind = Kind::kCount, .default_text = "20000", .min = 0, .max = 10'000'000,
        .help = "The same over all objects."}),
    with<SW_AT(d.config->fill.waiter_deadline)>({.path = "collapse.wait", .kind = Kind::kDuration, .default_text = "\"5s\"", .min = 1, .max = kHourMs,
        .help = "How long a request waits for the response head of another request's fetch."}),
    with<SW_AT(d.config->fill.hit_for_miss)>({.path = "collapse.hit_for_miss", .kind = Kind::kDuration, .default_text = "\"2m\"", .min = 0, .max = kDayMs,
        .help = "How long a URL that proved uncacheable is fetched without waiting for one another."}),
    with<SW_AT(d.config->fill.hit_for_miss_keys)>({.path = "collapse.hit_for_miss_keys", .kind = Kind::kCount, .default_text = "65536", .min = 1, .max = 100'000'000,
        .help = "How many such URLs are remembered."}),
    with<SW_AT(d.config->fill.window_bytes)>({.path = "collapse.window", .kind = Kind::kSize, .default_text = "\"256KiB\"", .min = 16 * kKiB, .max = kGiB,
        .help = "How far a body that is not stored is read ahead of its slowest reader."}),

    with<SW_AT(d.config->log.level)>({.path = "log.level", .kind = Kind::kChoice, .default_text = "\"info\"", .choices = kLevels,
        .help = "Least severe events that are logged."}),
    with<SW_AT(d.config->log.target)>({.path = "log.target", .kind = Kind::kText, .default_text = "\"stderr\"", .check = check_target,
        .help = "Where events are logged: \"stderr\" or a file."}),
    with<SW_AT(d.config->access_log.target)>({.path = "log.access", .kind = Kind::kText, .default_text = "\"off\"", .check = check_target,
        .help = "Where requests are logged: \"off\", \"stdout\", \"stderr\" or a file."}),
    with<SW_AT(d.config->access_log.format)>({.path = "log.access_format", .kind = Kind::kChoice, .default_text = "\"combined\"", .choices = kFormats,
        .help = "Form of the access log: the combined format with cache fields behind it, or a JSON object a line."}),

    with<SW_AT(d.origin->name)>({.path = "origin.name", .kind = Kind::kText, .check = check_name,
        .help = "What routes and logs call it; host and port of its server when not given."}),
    with<SW_AT(*d.servers)>({.path = "origin.servers", .kind = Kind::kTexts, .min = 1, .max = 1,
        .help = "Its server, \"http://host\" or \"http://host:port\"; required. This version takes exactly one."}),
    with<SW_AT(d.origin->host_policy)>({.path = "origin.host", .kind = Kind::kChoice, .default_text = "\"preserve\"", .choices = kHosts,
        .help = "Host of forwarded requests: the client's, or host and port of the server."}),
    with<SW_AT(d.origin->idle_connections)>({.path = "origin.idle_connections", .kind = Kind::kCount, .default_text = "64", .min = 0, .max = 100'000,
        .help = "Idle connections kept, for each worker."}),
    with<SW_AT(d.origin->idle_timeout)>({.path = "origin.idle_timeout", .kind = Kind::kDuration, .default_text = "\"1m\"", .min = 1, .max = kDayMs,
        .help = "How long an idle connection is kept."}),
    with<SW_AT(d.origin->timeouts.connect)>({.path = "origin.timeout.connect", .kind = Kind::kDuration, .default_text = "\"1s\"", .min = 1, .max = kHourMs,
        .help = "Until a connection is made."}),
    with<SW_AT(d.origin->timeouts.first_byte)>({.path = "origin.timeout.first_byte", .kind = Kind::kDuration, .default_text = "\"10s\"", .min = 1, .max = kDayMs,
        .help = "From the end of the request to the first byte of the response."}),
    with<SW_AT(d.origin->timeouts.between_bytes)>({.path = "origin.timeout.between_bytes", .kind = Kind::kDuration, .default_text = "\"10s\"", .min = 1, .max = kDayMs,
        .help = "Between two reads of a response."}),
    with<SW_AT(d.origin->timeouts.send)>({.path = "origin.timeout.send", .kind = Kind::kDuration, .default_text = "\"10s\"", .min = 1, .max = kHourMs,
        .help = "Without progress while the origin does not take the request."}),
    with<SW_AT(d.origin->total)>({.path = "origin.timeout.total", .kind = Kind::kDuration, .default_text = "\"30s\"", .min = 1, .max = kDayMs,
        .help = "From the start of a fetch to its response head, retries included."}),

    with<SW_AT(d.route->name)>({.path = "route.name", .kind = Kind::kText, .check = check_label,
        .help = "What logs call it; host and path when not given."}),
    with<SW_AT(d.route->host)>({.path = "route.host", .kind = Kind::kText, .default_text = "\"*\"",
        .help = "Hosts that it takes: \"shop.example.com\", \"*.example.com\" or \"*\"."}),
    with<SW_AT(d.route->path)>({.path = "route.path", .kind = Kind::kText, .default_text = "\"/*\"",
        .help = "Paths that it takes: one path, or all that begin with what stands before a final \"*\"."}),
    with<SW_AT(d.route->origin)>({.path = "route.origin", .kind = Kind::kText,
        .help = "Name of the origin; may be left out when there is only one."}),
    with<SW_AT(d.route->miss)>({.path = "route.miss", .kind = Kind::kChoice, .default_text = "\"collapse\"", .choices = kMisses,
        .help = "What a request does that the cache cannot answer: share one fetch, or go to the origin uncached."}),
    with<SW_AT(d.route->rules.stale_while_revalidate)>({.path = "route.stale.while_revalidate", .kind = Kind::kSeconds, .default_text = "\"0s\"", .min = 0, .max = kYearSeconds,
        .help = "How long an expired response may be served while it is fetched anew, where the response does not say; \"0s\": not then."}),
    with<SW_AT(d.route->rules.stale_if_error)>({.path = "route.stale.if_error", .kind = Kind::kSeconds, .default_text = "\"1d\"", .min = 0, .max = kYearSeconds,
        .help = "How long an expired response may be served when the origin fails, where the response does not say."}),
    with<SW_AT(d.route->rules.stale_max)>({.path = "route.stale.max", .kind = Kind::kSeconds, .default_text = "\"7d\"", .min = 0, .max = kYearSeconds,
        .help = "The most that either may be, whoever says so."}),
    with<SW_AT(d.route->rules.heuristic_percent)>({.path = "route.heuristic.percent", .kind = Kind::kCount, .default_text = "10", .min = 0, .max = 100,
        .help = "Freshness of a response that states none, as a percentage of its age since Last-Modified; 0 is none."}),
    with<SW_AT(d.route->rules.heuristic_max)>({.path = "route.heuristic.max", .kind = Kind::kSeconds, .default_text = "\"1d\"", .min = 0, .max = kYearSeconds,
        .help = "The most that it may be."}),
    with<SW_AT(d.route->rules.targeted_fields)>({.path = "route.targeted_fields", .kind = Kind::kTexts,
        .default_text = R"(["Seawall-Cache-Control", "CDN-Cache-Control", "Surrogate-Control"])", .min = 0, .max = 16, .check = check_field,
        .help = "Response fields that this cache obeys in place of Cache-Control (RFC 9213), the first that is there."}),
    with<SW_AT(d.route->rules.honour_request_directives)>({.path = "route.honour_request_directives", .kind = Kind::kFlag, .default_text = "true",
        .help = "Whether Cache-Control and Pragma of requests may make the cache ask the origin."}),
};
// clang-format on

#undef SW_AT

constexpr std::array kSections = {"server"sv, "cache"sv, "collapse"sv, "log"sv, "origin"sv, "route"sv};

constexpr std::array kPlanned = {
    "admin"sv,          "tls"sv,           "metrics"sv,      "cache.disk"sv, "origin.balance"sv, "origin.limit"sv,
    "origin.breaker"sv, "origin.health"sv, "origin.retry"sv, "origin.tls"sv, "server.tls"sv,     "server.admin"sv,
    "route.tags"sv,
};

std::string range_of(const Directive& d) {
  switch (d.kind) {
    case Kind::kDuration:
      return fmt::format("from {} to {}", format_duration(Millis{d.min}), format_duration(Millis{d.max}));
    case Kind::kSeconds:
      return fmt::format("from {} to {}", format_duration(Seconds{d.min}), format_duration(Seconds{d.max}));
    case Kind::kSize:
      return fmt::format("from {} to {}", format_size(static_cast<std::uint64_t>(d.min)),
                         format_size(static_cast<std::uint64_t>(d.max)));
    default: return fmt::format("from {} to {}", d.min, d.max);
  }
}

std::string expectation(const Directive& d) {
  switch (d.kind) {
    case Kind::kDuration:
    case Kind::kSeconds: return "a duration " + range_of(d);
    case Kind::kSize: return "a size " + range_of(d);
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
    case Kind::kShare: return "a percentage up to 100% or a size";
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

std::expected<Value, Problem> check_range(const Directive& d, std::int64_t number, std::string_view shown) {
  if (number < d.min || number > d.max) return std::unexpected(mismatch(d, shown));
  return Value(number);
}

std::expected<Value, Problem> fail(Problem problem, std::string hint) {
  problem.hint = std::move(hint);
  return std::unexpected(std::move(problem));
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

std::expected<Value, Problem> convert_share(const Directive& d, std::string_view text) {
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

std::expected<Value, Problem> check_text(const Directive& d, std::string_view text) {
  const std::string_view wanted = d.check == nullptr ? ""sv : d.check(text);
  if (wanted.empty()) return Value(std::string(text));
  return std::unexpected(Problem{fmt::format("{} must be {}, not {}", d.path, wanted, quote(text)), {}});
}

}  // namespace

std::span<const Directive> directives() {
  return kDirectives;
}

const Directive* find_directive(std::string_view path) {
  const auto at = std::ranges::find(kDirectives, path, &Directive::path);
  return at == kDirectives.end() ? nullptr : &*at;
}

std::span<const std::string_view> sections() {
  return kSections;
}

bool is_array_section(std::string_view section) {
  return section == "origin" || section == "route";
}

bool is_planned(std::string_view path) {
  return std::ranges::find(kPlanned, path) != kPlanned.end();
}

bool is_moot(const Directive& directive, const Draft& draft) {
  const bool is_of_storing =
      directive.path.starts_with("route.stale.") || directive.path.starts_with("route.heuristic.");
  return is_of_storing && draft.route->miss == MissPolicy::kPass;
}

Problem mismatch(const Directive& directive, std::string_view what) {
  return {fmt::format("{} must be {}, not {}", directive.path, expectation(directive), what), {}};
}

std::expected<Value, Problem> convert_text(const Directive& directive, std::string_view text) {
  switch (directive.kind) {
    case Kind::kDuration:
    case Kind::kSeconds:
    case Kind::kSize: return convert_quantity(directive, text);
    case Kind::kShare: return convert_share(directive, text);
    case Kind::kChoice: return convert_choice(directive, text);
    case Kind::kText: return check_text(directive, text);
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
    case Kind::kShare: return fail(mismatch(directive, shown), fmt::format("for example \"10%\" or \"1MiB\""));
    default: return std::unexpected(mismatch(directive, shown));
  }
}

std::expected<Value, Problem> convert_flag(const Directive& directive, bool flag) {
  if (directive.kind == Kind::kFlag) return Value(flag);
  return std::unexpected(mismatch(directive, flag ? "true" : "false"));
}

std::expected<Value, Problem> convert_texts(const Directive& directive, std::vector<std::string> texts) {
  if (directive.kind != Kind::kTexts) return std::unexpected(mismatch(directive, "an array"));
  const auto count = static_cast<std::int64_t>(texts.size());
  if (directive.path == "origin.servers" && count > directive.max) {
    return std::unexpected(Problem{fmt::format("origin.servers has {} servers: this version takes exactly one", count),
                                   "balancing over several servers comes in a later version"});
  }
  if (count < directive.min || count > directive.max) {
    return std::unexpected(Problem{
        fmt::format("{} must have from {} to {} elements, not {}", directive.path, directive.min, directive.max, count),
        {}});
  }
  for (const std::string& text : texts) {
    if (auto checked = check_text(directive, text); !checked) return checked;
  }
  return Value(std::move(texts));
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
      return toml_string(share.bytes ? format_size(*share.bytes) : format_percent(share.percent));
    }
    case Kind::kTexts: {
      std::string list;
      for (const std::string& text : std::get<std::vector<std::string>>(value)) {
        list += (list.empty() ? "" : ", ") + toml_string(text);
      }
      return "[" + list + "]";
    }
  }
  return {};
}

}  // namespace seawall::config
