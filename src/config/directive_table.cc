// The rows of the directive table, and what is asked of their texts.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <type_traits>

#include "config/certificate_entry.h"
#include "config/diagnostics.h"
#include "config/directives.h"
#include "config/entry_words.h"
#include "config/listen_entry.h"
#include "config/server_entry.h"
#include "http/coding.h"
#include "http/list_syntax.h"
#include "http/token.h"
#include "http/uri.h"
#include "net/address.h"
#include "net/network.h"

namespace seawall::config {
namespace {

using std::string_view_literals::operator""sv;

using HeaderPair = std::pair<std::string, std::string>;

// "Name: value" in its two parts.
std::pair<std::string, std::string> split_header(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return {std::string(text), ""};
  return {std::string(text.substr(0, colon)), std::string(http::trim_ows(text.substr(colon + 1)))};
}

// An element of an array, out of a text that the row's check has let through, and as such a text.
void read_entry(std::string_view text, origin::ServerConfig& out) {
  out = *parse_server(text);
}
void read_entry(std::string_view text, net::ListenOptions& out) {
  out = *parse_listen(text);
}
void read_entry(std::string_view text, net::CertificateFiles& out) {
  out = *parse_certificate(text);
}
void read_entry(std::string_view text, http::Coding& out) {
  out = static_cast<http::Coding>(std::ranges::find(http::kCodings, text) - http::kCodings.begin());
}
void read_entry(std::string_view text, HeaderPair& out) {
  out = split_header(text);
}

std::string write_entry(const origin::ServerConfig& server) {
  return format_server(server);
}
std::string write_entry(const net::ListenOptions& listen) {
  return format_listen(listen);
}
std::string write_entry(const net::CertificateFiles& files) {
  return format_certificate(files);
}
std::string write_entry(http::Coding coding) {
  return std::string(http::to_string(coding));
}
std::string write_entry(const HeaderPair& header) {
  return fmt::format("{}: {}", header.first, header.second);
}

template <class T>
constexpr bool kIsNumber = std::is_enum_v<T> || (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>);
template <class T>
constexpr bool kIsEntries = false;
template <class T>
constexpr bool kIsEntries<std::vector<T>> = !std::is_same_v<T, std::string>;

// The member that kAccess names, read and written as a Value that the row's kind and check have let through.
template <auto kAccess>
void store(const Draft& draft, Value value) {
  auto& member = kAccess(draft);
  using Member = std::remove_cvref_t<decltype(member)>;
  if constexpr (std::is_same_v<Member, Millis> || std::is_same_v<Member, Seconds>) {
    member = Member{std::get<std::int64_t>(value)};
  } else if constexpr (kIsNumber<Member>) {
    member = static_cast<Member>(std::get<std::int64_t>(value));
  } else if constexpr (kIsEntries<Member>) {
    member.clear();
    for (const std::string& text : std::get<std::vector<std::string>>(value)) read_entry(text, member.emplace_back());
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
  } else if constexpr (std::is_floating_point_v<Member>) {
    return std::int64_t{std::llround(member)};
  } else if constexpr (kIsNumber<Member>) {
    return static_cast<std::int64_t>(member);
  } else if constexpr (kIsEntries<Member>) {
    std::vector<std::string> texts;
    texts.reserve(member.size());
    for (const auto& entry : member) texts.push_back(write_entry(entry));
    return texts;
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

// A ratio, in percent.
template <auto kAccess>
constexpr Directive with_ratio(Directive directive) {
  directive.set = [](const Draft& d, Value value) {
    kAccess(d) = static_cast<double>(std::get<std::int64_t>(value)) / 100;
  };
  directive.get = [](const Draft& d) { return Value(std::int64_t{std::llround(kAccess(d) * 100)}); };
  return directive;
}

// A choice whose first is "", for none.
template <auto kAccess>
constexpr Directive with_optional(Directive directive) {
  using Choice = typename std::remove_cvref_t<decltype(kAccess(std::declval<const Draft&>()))>::value_type;
  directive.set = [](const Draft& d, Value value) {
    const std::int64_t index = std::get<std::int64_t>(value);
    kAccess(d) = index == 0 ? std::nullopt : std::optional(static_cast<Choice>(index - 1));
  };
  directive.get = [](const Draft& d) {
    const auto& member = kAccess(d);
    return Value(member ? static_cast<std::int64_t>(*member) + 1 : std::int64_t{0});
  };
  return directive;
}

std::optional<Problem> refuse(const Directive& d, std::string_view wanted, std::string_view text) {
  return Problem{fmt::format("{} must be {}, not {}", d.path, wanted, quote(text)), {}};
}

bool is_plain(char c) {
  return static_cast<unsigned char>(c) >= 0x20 && c != 0x7F;
}

std::optional<Problem> check_listen(const Directive&, std::string_view text) {
  auto listen = parse_listen(text);
  if (listen) return std::nullopt;
  return std::move(listen.error());
}

std::optional<Problem> check_admin_listen(const Directive& d, std::string_view text) {
  if (text == "off" || net::Address::parse(text)) return std::nullopt;
  return refuse(d, R"("off" or "ADDR:PORT" such as "127.0.0.1:9180")", text);
}

std::optional<Problem> check_admin_socket(const Directive& d, std::string_view text) {
  if (is_socket_path(text)) return std::nullopt;
  return refuse(d, "\"off\" or a path of at most 107 bytes", text);
}

std::optional<Problem> check_network(const Directive& d, std::string_view text) {
  if (net::Network::parse(text)) return std::nullopt;
  return refuse(d, R"(an address or a network such as "10.0.0.5", "10.0.0.0/8" or "fd00::/8")", text);
}

std::optional<Problem> check_trusted(const Directive& d, std::string_view text) {
  if (text == "unix" || net::Network::parse(text)) return std::nullopt;
  return refuse(d, R"("unix", an address, or a network such as "10.0.0.0/8" or "fd00::/8")", text);
}

std::optional<Problem> check_certificate(const Directive&, std::string_view text) {
  auto files = parse_certificate(text);
  if (files) return std::nullopt;
  return std::move(files.error());
}

std::optional<Problem> check_server_name(const Directive& d, std::string_view text) {
  if (text.find(':') == std::string_view::npos && http::normalise_authority(text, "https")) return std::nullopt;
  return refuse(d, "a name such as \"shop.example.com\"", text);
}

std::optional<Problem> check_name_server(const Directive& d, std::string_view text) {
  if (text.find('/') == std::string_view::npos && net::Network::parse(text)) return std::nullopt;
  const auto address = net::Address::parse(text);
  if (address && !address->is_any_family() && address->port() != 0) return std::nullopt;
  return refuse(d, R"("ADDR" or "ADDR:PORT" such as "10.0.0.2", "10.0.0.2:5353" or "[::1]:53")", text);
}

std::optional<Problem> check_event_file(const Directive& d, std::string_view text) {
  constexpr std::string_view kSocket = "unix:";
  if (text.starts_with(kSocket) ? is_socket_path(text.substr(kSocket.size())) : text.find('\0') == text.npos) {
    return std::nullopt;
  }
  return refuse(d, "a file path, or \"unix:\" and a path of at most 107 bytes", text);
}

std::optional<Problem> check_webhook(const Directive& d, std::string_view text) {
  const auto uri = http::parse_absolute_uri(text);
  const std::size_t end = uri ? text.find_first_of("/?#", text.find("://") + 3) : std::string_view::npos;
  const bool has_path = end != std::string_view::npos && text[end] == '/';
  if (uri && uri->scheme == "http" && has_path && text.find('#') == std::string_view::npos) return std::nullopt;
  auto problem = refuse(d, R"("http://host/path" or "http://host:port/path")", text);
  if (uri && uri->scheme == "https")
    problem->hint = "events are sent in plain: to a relay on this machine, where they must go further under TLS";
  if (uri && uri->scheme == "http" && end == std::string_view::npos) {
    problem->hint = fmt::format("did you mean {}?", quote(fmt::format("{}/", text)));
  }
  return problem;
}

std::optional<Problem> check_field(const Directive& d, std::string_view text) {
  if (http::is_token(text)) return std::nullopt;
  return refuse(d, "the name of a header field", text);
}

std::optional<Problem> check_coding(const Directive& d, std::string_view text) {
  if (std::ranges::find(http::kCodings, text) != http::kCodings.end()) return std::nullopt;
  auto problem = refuse(d, R"("gzip", "br" or "zstd")", text);
  const auto is_named = [&](std::string_view name) { return http::iequals(text, name); };
  if (is_named("brotli")) problem->hint = "did you mean \"br\"?";
  if (is_named("deflate")) problem->hint = "what accepts it accepts gzip as well";
  return problem;
}

std::optional<Problem> check_type(const Directive& d, std::string_view text) {
  const std::size_t slash = text.find('/');
  const bool is_type = slash != std::string_view::npos && http::is_token(text.substr(0, slash)) &&
                       http::is_token(text.substr(slash + 1)) && !text.substr(0, slash).contains('*');
  const std::string_view subtype = is_type ? text.substr(slash + 1) : "";
  if (is_type && (subtype == "*" || !subtype.contains('*'))) return std::nullopt;
  return refuse(d, R"(a media type such as "application/json" or "text/*")", text);
}

std::optional<Problem> check_name(const Directive& d, std::string_view text) {
  const auto is_fine = [](char c) { return is_plain(c) && c != ' ' && c != '"' && c != '\\'; };
  if (!text.empty() && text.size() <= 64 && std::ranges::all_of(text, is_fine)) return std::nullopt;
  return refuse(d, "1 to 64 characters without spaces, quotes and backslashes", text);
}

std::optional<Problem> check_origin_name(const Directive& d, std::string_view text) {
  if (!text.empty()) return std::nullopt;
  return refuse(d, "the name of an origin", text);
}

std::optional<Problem> check_label(const Directive& d, std::string_view text) {
  if (!text.empty() && text.size() <= 128 && std::ranges::all_of(text, is_plain)) return std::nullopt;
  return refuse(d, "1 to 128 characters without control characters", text);
}

std::optional<Problem> check_target(const Directive& d, std::string_view text) {
  if (!text.empty() && text.find('\0') == std::string_view::npos) return std::nullopt;
  return refuse(d, "a name or a file path", text);
}

std::optional<Problem> check_file(const Directive& d, std::string_view text) {
  if (!text.empty() && text.find('\0') == std::string_view::npos) return std::nullopt;
  return refuse(d, "a file path", text);
}

std::optional<Problem> check_server(const Directive&, std::string_view text) {
  auto server = parse_server(text);
  if (server) return std::nullopt;
  return std::move(server.error());
}

std::optional<Problem> check_health_path(const Directive& d, std::string_view text) {
  const auto is_target = [](char c) { return c > 0x20 && c < 0x7F && c != '#'; };
  std::string normal(text);
  if (text.starts_with('/') && text.size() <= 1024 && std::ranges::all_of(text, is_target) &&
      http::normalise_path(normal)) {
    return std::nullopt;
  }
  return refuse(d, "a path as it stands in a URL, such as \"/healthz\"", text);
}

std::optional<Problem> check_host(const Directive& d, std::string_view text) {
  if (http::normalise_authority(text, "http")) return std::nullopt;
  return refuse(d, "\"host\" or \"host:port\"", text);
}

std::optional<Problem> check_body(const Directive& d, std::string_view text) {
  if (!text.empty() && text.size() <= 256) return std::nullopt;
  return refuse(d, "a text of 1 to 256 bytes", text);
}

// Framing, what concerns one connection only, and what the cache says of every answer.
bool is_written_by_the_cache(http::Field field) {
  switch (field) {
    case http::Field::kAge:
    case http::Field::kCacheStatus:
    case http::Field::kConnection:
    case http::Field::kContentLength:
    case http::Field::kContentRange:
    case http::Field::kDate:
    case http::Field::kHttp2Settings:
    case http::Field::kKeepAlive:
    case http::Field::kProxyAuthenticate:
    case http::Field::kProxyAuthenticationInfo:
    case http::Field::kProxyConnection:
    case http::Field::kProxyStatus:
    case http::Field::kRetryAfter:
    case http::Field::kTe:
    case http::Field::kTrailer:
    case http::Field::kTransferEncoding:
    case http::Field::kUpgrade:
    case http::Field::kVia: return true;
    default: return false;
  }
}

std::optional<Problem> check_header(const Directive& d, std::string_view text) {
  const auto [name, value] = split_header(text);
  const auto is_fine = [](char c) { return is_plain(c) || c == '\t'; };
  if (text.find(':') == std::string_view::npos || text.size() > 1024 || !http::is_token(name) ||
      !std::ranges::all_of(value, is_fine)) {
    return refuse(d, "\"Name: value\" of at most 1024 bytes", text);
  }
  const http::Field field = http::field_from_name(name);
  if (!is_written_by_the_cache(field)) return std::nullopt;
  auto problem = refuse(d, "a field that the cache does not write itself", text);
  problem->hint = field == http::Field::kRetryAfter ? "use placeholder.retry_after" : "leave it out";
  return problem;
}

// In the order of the enumerators.
constexpr std::array kPolicies = {"modern"sv, "intermediate"sv, "old"sv};
constexpr std::array kVersions = {"1.2"sv, "1.3"sv};
constexpr std::array kVersionsOrNone = {""sv, "1.2"sv, "1.3"sv};
constexpr std::array kClientAuths = {"off"sv, "optional"sv, "required"sv};
constexpr std::array kLevels = {"debug"sv, "info"sv, "warning"sv, "error"sv};
constexpr std::array kFormats = {"combined"sv, "json"sv};
constexpr std::array kHosts = {"preserve"sv, "origin"sv};
constexpr std::array kBalances = {"round-robin"sv, "least-conn"sv, "random-two"sv, "hash"sv};
constexpr std::array kProtocols = {"http1"sv, "http2"sv, "auto"sv};
constexpr std::array kProxyVersions = {"off"sv, "v1"sv, "v2"sv};
constexpr std::array kDiskReads = {"threads"sv, "io_uring"sv};
constexpr std::array kMisses = {"collapse"sv, "async"sv, "push"sv, "stale-only"sv, "pass"sv};

constexpr std::int64_t kKiB = 1 << 10;
constexpr std::int64_t kMiB = 1 << 20;
constexpr std::int64_t kGiB = 1 << 30;
constexpr std::int64_t kPiB = std::int64_t{1} << 50;
constexpr std::int64_t kMinDisk = disk::kMinVolumeBytes;
constexpr std::int64_t kMinuteMs = 60'000;
constexpr std::int64_t kHourMs = 3'600'000;
constexpr std::int64_t kDayMs = 24 * kHourMs;
constexpr std::int64_t kHourSeconds = 3600;
constexpr std::int64_t kDaySeconds = 24 * kHourSeconds;
constexpr std::int64_t kYearSeconds = 365 * kDaySeconds;

constexpr std::string_view kNoBreaker = "breaker = { enabled = false } is the way to have none";
constexpr std::string_view kNoHealth = "without health.path there are no active checks";

#define SW_AT(expression) [](const Draft& d) -> auto& { return expression; }

// clang-format off: one row a key.
const std::array kDirectives = {
    with<SW_AT(d.config->listen)>({.path = "server.listen", .kind = Kind::kTexts, .default_text = R"(["127.0.0.1:8080"])", .min = 1, .max = 64, .check = check_listen,
        .help = "Where clients are accepted: \"ADDR:PORT\", \":PORT\" (every address of the machine) or \"unix:PATH\", behind it tls, plain, proxy, redirect, redirect=PORT or mode=OCTAL."}),
    with<SW_AT(d.config->workers)>({.path = "server.workers", .kind = Kind::kWorkers, .default_text = "\"auto\"", .min = 1, .max = 256,
        .help = "Threads that serve; \"auto\" is one for each processor core."}),
    with<SW_AT(d.config->session.connections)>({.path = "server.connections", .kind = Kind::kCount, .default_text = "10000", .min = 1, .max = 10'000'000,
        .help = "Client connections at once, in the whole process; one more gets 503, on a TLS port nothing, and is closed."}),
    with<SW_AT(d.config->session.connections_per_client)>({.path = "server.connections_per_client", .kind = Kind::kCount, .default_text = "0", .min = 0, .max = 10'000'000,
        .help = "The same of one client, which is an IPv4 address or an IPv6 network of 64 bits; 0: no bound of its own."}),
    with<SW_AT(d.config->trusted_proxies)>({.path = "server.trusted_proxies", .kind = Kind::kTexts, .default_text = "[]", .min = 0, .max = 64, .check = check_trusted,
        .help = "Proxies in front whose PROXY headers, Forwarded and X-Forwarded-* are believed: addresses, networks, or \"unix\" for Unix sockets."}),
    with<SW_AT(d.config->session.head_limits.target_bytes)>({.path = "server.target_bytes", .kind = Kind::kSize, .default_text = "\"8KiB\"", .min = 64, .max = kMiB,
        .help = "Length of a request's target; longer gets 414."}),
    with<SW_AT(d.config->session.head_limits.header_bytes)>({.path = "server.header_bytes", .kind = Kind::kSize, .default_text = "\"32KiB\"", .min = kKiB, .max = kMiB,
        .help = "Size of a request's whole head; larger gets 431."}),
    with<SW_AT(d.config->session.head_limits.header_count)>({.path = "server.header_count", .kind = Kind::kCount, .default_text = "100", .min = 1, .max = 10'000,
        .help = "Header lines of a request; more get 431."}),
    with<SW_AT(d.config->session.body_bytes)>({.path = "server.body_bytes", .kind = Kind::kSize, .default_text = "\"10GiB\"", .min = 0, .max = kPiB,
        .help = "Size of a request's body; larger gets 413."}),
    with<SW_AT(d.config->session.tls_timeout)>({.path = "server.timeout.tls", .kind = Kind::kDuration, .default_text = "\"10s\"", .min = 1, .max = kHourMs,
        .help = "From a connection to the end of its TLS handshake, the PROXY header before it included; it is then closed."}),
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

    with<SW_AT(d.config->tls.certificates)>({.path = "tls.certificates", .kind = Kind::kTexts, .default_text = "[]", .min = 0, .max = 1000, .check = check_certificate,
        .help = "PEM files, each a certificate with its chain, behind it key=FILE and ocsp=FILE; the first is for clients that ask for another name or none."}),
    with<SW_AT(d.config->tls.policy)>({.path = "tls.policy", .kind = Kind::kChoice, .default_text = "\"intermediate\"", .choices = kPolicies,
        .help = "Versions and ciphers, after Mozilla's guidelines of that name; never below TLS 1.2."}),
    with_optional<SW_AT(d.config->tls.min_version)>({.path = "tls.min_version", .kind = Kind::kChoice, .default_text = "\"\"", .choices = kVersionsOrNone,
        .help = "The least version of TLS, in place of the policy's; \"\": the policy's."}),
    with<SW_AT(d.config->tls.client_auth)>({.path = "tls.client_auth", .kind = Kind::kChoice, .default_text = "\"off\"", .choices = kClientAuths,
        .help = "Whether clients are asked for a certificate of their own, and whether they must have one."}),
    with<SW_AT(d.config->tls.client_ca)>({.path = "tls.client_ca", .kind = Kind::kText, .default_text = "\"\"", .check = check_file,
        .help = "PEM file with the authorities that may have signed it; required with client_auth."}),
    with<SW_AT(d.config->tls.session_tickets)>({.path = "tls.session_tickets", .kind = Kind::kFlag, .default_text = "true",
        .help = "Whether a client that comes back may leave out most of the handshake."}),
    with<SW_AT(d.config->tls.ticket_rotation)>({.path = "tls.ticket_rotation", .kind = Kind::kSeconds, .default_text = "\"12h\"", .min = 1, .max = 7 * kDaySeconds,
        .help = "How often tickets get a new key; those of the two keys before are still taken."}),
    with<SW_AT(d.config->edge.hsts)>({.path = "tls.hsts", .kind = Kind::kSeconds, .default_text = "\"0s\"", .min = 0, .max = 10 * kYearSeconds,
        .help = "max-age of Strict-Transport-Security (RFC 6797) on answers over TLS, that of a proxy with a PROXY header included; \"0s\": none is added."}),
    with<SW_AT(d.config->edge.acme_directory)>({.path = "tls.acme", .kind = Kind::kText, .default_text = "\"\"", .check = check_file,
        .help = "Directory of ACME challenges, files named by their token, served in plain under /.well-known/acme-challenge/; \"\": none."}),
    with<SW_AT(d.config->tls.kernel)>({.path = "tls.kernel", .kind = Kind::kFlag, .default_text = "true",
        .help = "Whether the kernel encrypts, where it can (kTLS)."}),

    with<SW_AT(d.config->session.http2.enabled)>({.path = "http2.enabled", .kind = Kind::kFlag, .default_text = "true",
        .help = "Whether clients may speak HTTP/2: agreed on under TLS, or from the first byte on."}),
    with<SW_AT(d.config->session.http2.streams)>({.path = "http2.streams", .kind = Kind::kCount, .default_text = "100", .min = 1, .max = 10'000,
        .help = "Requests at once on one connection."}),

    with<SW_AT(d.config->admin.listen)>({.path = "admin.listen", .kind = Kind::kText, .default_text = "\"127.0.0.1:9180\"", .check = check_admin_listen,
        .help = "Address of the metrics and the admin API, or \"off\". Whoever reaches it may purge: keep it local."}),
    with<SW_AT(d.config->admin.socket)>({.path = "admin.socket", .kind = Kind::kText, .default_text = "\"\"", .check = check_admin_socket,
        .help = "Unix socket of the admin API: a path, or \"off\"; when empty, one in the user's run-time directory."}),
    with<SW_AT(d.config->admin.purge_from)>({.path = "admin.purge_from", .kind = Kind::kTexts, .default_text = "[]", .min = 0, .max = 64, .check = check_network,
        .help = "Clients whose PURGE requests are obeyed: addresses, or networks such as \"10.0.0.0/8\"."}),

    with<SW_AT(d.config->cache.memory_bytes)>({.path = "cache.memory", .kind = Kind::kSize, .default_text = "\"256MiB\"", .min = kMiB, .max = kPiB,
        .help = "Memory for everything the cache holds: bodies, headers, index, and bodies on their way."}),
    with<SW_AT(*d.max_object)>({.path = "cache.max_object", .kind = Kind::kShare, .default_text = "\"10%\"",
        .help = "Largest object that memory holds, as a percentage of it or a size; larger ones go to disk, or stream through."}),
    with<SW_AT(d.config->cache.max_variants)>({.path = "cache.max_variants", .kind = Kind::kCount, .default_text = "32", .min = 1, .max = 1000,
        .help = "Variants (Vary) kept for one URL; one more replaces the oldest."}),
    with<SW_AT(d.config->cache.eviction)>({.path = "cache.eviction", .kind = Kind::kChoice, .default_text = "\"tide\"", .choices = cache::eviction_names(),
        .help = "What goes when room is needed; \"tide\" weighs sizes, frequency and cost, the others are for comparison."}),
    with<SW_AT(d.config->compress_memory)>({.path = "cache.compress_memory", .kind = Kind::kFlag, .default_text = "false",
        .help = "Whether bodies that gain from it are kept compressed (lz4) in memory when they are about to go for want of room."}),
    with<SW_AT(d.disk->path)>({.path = "cache.disk.path", .kind = Kind::kText, .check = check_file,
        .help = "Directory of its own for what is kept on disk, over restarts too; created when there is none. Several: disk = [{ path = ..., size = ... }, ...]."}),
    with<SW_AT(d.disk->capacity_bytes)>({.path = "cache.disk.size", .kind = Kind::kSize, .min = kMinDisk, .max = kPiB,
        .help = "The most that the files in it take; required."}),
    with<SW_AT(d.config->disk_max_object_bytes)>({.path = "cache.disk_max_object", .kind = Kind::kSize, .default_text = "\"1GiB\"", .min = kMiB, .max = kPiB,
        .help = "Largest object that is stored on disk, and at most a quarter of the smallest directory; larger ones stream through."}),
    with<SW_AT(d.config->disk_write_bytes_per_second)>({.path = "cache.disk_writes", .kind = Kind::kSize, .default_text = "\"0\"", .min = 0, .max = kPiB,
        .help = "Bytes a second to disk, averaged over a day, past which only what was asked for twice is written; \"0\": no bound."}),
    with<SW_AT(d.config->disk_reads)>({.path = "cache.disk_reads", .kind = Kind::kChoice, .default_text = "\"threads\"", .choices = kDiskReads,
        .help = "How files are read: \"threads\" wait, one for each read; \"io_uring\" takes less processor time, where the kernel lets it."}),

    with<SW_AT(d.config->encode.rules.types)>({.path = "encode.types", .kind = Kind::kTexts,
        .default_text = R"(["text/*", "application/javascript", "application/json", "application/ld+json", "application/manifest+json", "application/rss+xml", "application/atom+xml", "application/vnd.api+json", "application/wasm", "application/xhtml+xml", "application/xml", "font/otf", "font/ttf", "image/svg+xml", "image/x-icon"])",
        .min = 0, .max = 256, .check = check_type,
        .help = "Media types of the responses that are encoded, on routes that say so: \"type/subtype\" or \"type/*\"."}),
    with<SW_AT(d.config->encode.rules.min_bytes)>({.path = "encode.min_size", .kind = Kind::kSize, .default_text = "\"1KiB\"", .min = 0, .max = kGiB,
        .help = "Smaller responses stay as they are."}),
    with<SW_AT(d.config->encode.rules.max_bytes)>({.path = "encode.max_size", .kind = Kind::kSize, .default_text = "\"4MiB\"", .min = kKiB, .max = kGiB,
        .help = "Larger ones too."}),
    with<SW_AT(d.config->encode.levels.gzip)>({.path = "encode.gzip", .kind = Kind::kCount, .default_text = "6", .min = 1, .max = 9,
        .help = "Level of gzip: how much time is given for how small a form."}),
    with<SW_AT(d.config->encode.levels.brotli)>({.path = "encode.br", .kind = Kind::kCount, .default_text = "5", .min = 0, .max = 11,
        .help = "The same of brotli."}),
    with<SW_AT(d.config->encode.levels.zstd)>({.path = "encode.zstd", .kind = Kind::kCount, .default_text = "9", .min = 1, .max = 19,
        .help = "The same of zstd.",
        .hint = "past 19 it takes windows that clients need not have memory for (RFC 9659)"}),
    with<SW_AT(d.config->encode.threads)>({.path = "encode.threads", .kind = Kind::kCount, .default_text = "1", .min = 1, .max = 64,
        .help = "Threads of low priority that do it."}),

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

    with<SW_AT(d.config->push.events.repeat)>({.path = "push.repeat", .kind = Kind::kDuration, .default_text = "\"10s\"", .min = 1, .max = kDayMs,
        .help = "A URL that is missed again is told again after so long."}),
    with<SW_AT(d.config->push.events.per_second)>({.path = "push.per_second", .kind = Kind::kCount, .default_text = "1000", .min = 1, .max = 1'000'000,
        .help = "Events a second, over all routes; what is past it is dropped, and told when it is asked for again.",
        .hint = "without a route with miss = \"push\" there are no events"}),
    with<SW_AT(d.config->push.file)>({.path = "push.file", .kind = Kind::kText, .default_text = "\"\"", .check = check_event_file,
        .help = "File that each event is appended to as a line of JSON; \"unix:PATH\" is a stream socket."}),
    with<SW_AT(d.config->push.webhook)>({.path = "push.webhook", .kind = Kind::kText, .default_text = "\"\"", .check = check_webhook,
        .help = "Address that events are sent to by POST: \"http://host:port/path\"."}),

    with<SW_AT(d.config->dns.servers)>({.path = "dns.servers", .kind = Kind::kTexts, .default_text = "[]", .min = 0, .max = 8, .check = check_name_server,
        .help = "Name servers, \"ADDR\" or \"ADDR:PORT\"; when there are none, those of the system."}),
    with<SW_AT(d.config->dns.timeout)>({.path = "dns.timeout", .kind = Kind::kDuration, .default_text = "\"2s\"", .min = 1, .max = kMinuteMs,
        .help = "For a whole look-up, tries included."}),
    with<SW_AT(d.config->dns.min_ttl)>({.path = "dns.min_ttl", .kind = Kind::kSeconds, .default_text = "\"1s\"", .min = 1, .max = kDaySeconds,
        .help = "An answer counts for so long at least, whatever its TTL."}),
    with<SW_AT(d.config->dns.max_ttl)>({.path = "dns.max_ttl", .kind = Kind::kSeconds, .default_text = "\"1m\"", .min = 1, .max = kDaySeconds,
        .help = "An answer counts for so long at most, whatever its TTL."}),

    with<SW_AT(d.config->log.level)>({.path = "log.level", .kind = Kind::kChoice, .default_text = "\"info\"", .choices = kLevels,
        .help = "Least severe events that are logged."}),
    with<SW_AT(d.config->log.target)>({.path = "log.target", .kind = Kind::kText, .default_text = "\"stderr\"", .check = check_target,
        .help = "Where events are logged: \"stderr\" or a file."}),
    with<SW_AT(d.config->access_log.target)>({.path = "log.access", .kind = Kind::kText, .default_text = "\"off\"", .check = check_target,
        .help = "Where requests are logged: \"off\", \"stdout\", \"stderr\" or a file."}),
    with<SW_AT(d.config->access_log.format)>({.path = "log.access_format", .kind = Kind::kChoice, .default_text = "\"combined\"", .choices = kFormats,
        .help = "Form of the access log: the combined format with cache fields behind it, or a JSON object a line."}),

    with<SW_AT(d.origin->options.name)>({.path = "origin.name", .kind = Kind::kText, .check = check_name,
        .help = "What routes and logs call it; host and port of its first server when not given."}),
    with<SW_AT(d.origin->options.servers)>({.path = "origin.servers", .kind = Kind::kTexts, .min = 1, .max = 64, .check = check_server,
        .help = "Its servers: \"http://host:port\", \"https://host:port\" or \"srv+http://_http._tcp.name\", behind it weight=N, backup or drain; required."}),
    with<SW_AT(d.origin->options.tls.ca)>({.path = "origin.tls.ca", .kind = Kind::kText, .default_text = "\"\"", .check = check_file,
        .help = "PEM file with the authorities that may have signed the certificates of https servers; \"\": those of the system."}),
    with<SW_AT(d.origin->options.tls.verify)>({.path = "origin.tls.verify", .kind = Kind::kFlag, .default_text = "true",
        .help = "Whether they are checked at all."}),
    with<SW_AT(d.origin->options.tls.server_name)>({.path = "origin.tls.server_name", .kind = Kind::kText, .default_text = "\"\"", .check = check_server_name,
        .help = "Name that they must be for, and that is asked for (SNI); \"\": the host of the server."}),
    with<SW_AT(d.origin->options.tls.certificate)>({.path = "origin.tls.certificate", .kind = Kind::kText, .default_text = "\"\"", .check = check_file,
        .help = "PEM file of a client certificate with its chain; \"\": none."}),
    with<SW_AT(d.origin->options.tls.key)>({.path = "origin.tls.key", .kind = Kind::kText, .default_text = "\"\"", .check = check_file,
        .help = "PEM file of its key; \"\": in the file of the certificate."}),
    with<SW_AT(d.origin->options.tls.min_version)>({.path = "origin.tls.min_version", .kind = Kind::kChoice, .default_text = "\"1.2\"", .choices = kVersions,
        .help = "The least version of TLS."}),
    with<SW_AT(d.origin->options.tls.max_version)>({.path = "origin.tls.max_version", .kind = Kind::kChoice, .default_text = "\"1.3\"", .choices = kVersions,
        .help = "The greatest."}),
    with<SW_AT(d.origin->options.protocol)>({.path = "origin.protocol", .kind = Kind::kChoice, .default_text = "\"http1\"", .choices = kProtocols,
        .help = "What it is spoken to in: HTTP/1.1, HTTP/2, or what an https server chooses (ALPN)."}),
    with<SW_AT(d.origin->options.proxy_protocol)>({.path = "origin.proxy_protocol", .kind = Kind::kChoice, .default_text = "\"off\"", .choices = kProxyVersions,
        .help = "Whether each connection to it begins with a PROXY header that names the client, and in which version."}),
    with<SW_AT(d.origin->host_policy)>({.path = "origin.host", .kind = Kind::kChoice, .default_text = "\"preserve\"", .choices = kHosts,
        .help = "Host of forwarded requests: the client's, or host and port of the server."}),
    with<SW_AT(d.origin->options.balance)>({.path = "origin.balance", .kind = Kind::kChoice, .default_text = "\"round-robin\"", .choices = kBalances,
        .help = "How a server is chosen: in turn, by the fewest requests in flight, the better of two drawn, or by a hash of the URL."}),
    with<SW_AT(d.origin->options.outlier.slow_start)>({.path = "origin.slow_start", .kind = Kind::kDuration, .default_text = "\"10s\"", .min = 0, .max = kHourMs,
        .help = "How long a server that comes back takes to get its whole share; \"0s\": it has it at once."}),
    with<SW_AT(d.origin->options.outlier.max_ejected_percent)>({.path = "origin.max_ejected", .kind = Kind::kPercent, .default_text = "\"50%\"", .min = 0, .max = 100,
        .help = "The most of the servers that may be out at once because requests to them failed."}),
    with<SW_AT(d.origin->options.idle_connections)>({.path = "origin.idle_connections", .kind = Kind::kCount, .default_text = "64", .min = 0, .max = 100'000,
        .help = "Idle connections kept to each server, for each worker."}),
    with<SW_AT(d.origin->options.idle_timeout)>({.path = "origin.idle_timeout", .kind = Kind::kDuration, .default_text = "\"1m\"", .min = 1, .max = kDayMs,
        .help = "How long an idle connection is kept."}),
    with<SW_AT(d.origin->options.timeouts.connect)>({.path = "origin.timeout.connect", .kind = Kind::kDuration, .default_text = "\"1s\"", .min = 1, .max = kHourMs,
        .help = "Until a connection is made."}),
    with<SW_AT(d.origin->options.timeouts.tls)>({.path = "origin.timeout.tls", .kind = Kind::kDuration, .default_text = "\"2s\"", .min = 1, .max = kHourMs,
        .help = "From then to the end of the TLS handshake, with https servers."}),
    with<SW_AT(d.origin->options.timeouts.first_byte)>({.path = "origin.timeout.first_byte", .kind = Kind::kDuration, .default_text = "\"10s\"", .min = 1, .max = kDayMs,
        .help = "From the end of the request to the first byte of the response."}),
    with<SW_AT(d.origin->options.timeouts.between_bytes)>({.path = "origin.timeout.between_bytes", .kind = Kind::kDuration, .default_text = "\"10s\"", .min = 1, .max = kDayMs,
        .help = "Between two reads of a response."}),
    with<SW_AT(d.origin->options.timeouts.send)>({.path = "origin.timeout.send", .kind = Kind::kDuration, .default_text = "\"10s\"", .min = 1, .max = kHourMs,
        .help = "Without progress while the origin does not take the request."}),
    with<SW_AT(d.origin->options.total)>({.path = "origin.timeout.total", .kind = Kind::kDuration, .default_text = "\"30s\"", .min = 1, .max = kDayMs,
        .help = "From the start of a fetch to its response head, retries included."}),
    with<SW_AT(d.origin->options.limit.in_flight)>({.path = "origin.limit.in_flight", .kind = Kind::kCount, .default_text = "256", .min = 1, .max = 1'000'000,
        .help = "Requests to it at once, over all workers.",
        .hint = "miss = \"stale-only\" on its routes keeps every request from an origin"}),
    with<SW_AT(d.origin->options.limit.queue)>({.path = "origin.limit.queue", .kind = Kind::kCount, .default_text = "512", .min = 1, .max = 1'000'000,
        .help = "Requests that may wait for a place among them.",
        .hint = "queue_wait needs a queue with a place: 1 is the least, and queue_wait = \"1ms\" hardly waits"}),
    with<SW_AT(d.origin->options.limit.queue_wait)>({.path = "origin.limit.queue_wait", .kind = Kind::kDuration, .default_text = "\"1s\"", .min = 1, .max = kHourMs,
        .help = "How long a request may wait there.",
        .hint = "queue = 1 lets hardly any request wait"}),
    with<SW_AT(d.origin->options.limit.route_percent)>({.path = "origin.limit.route_share", .kind = Kind::kPercent, .default_text = "\"50%\"", .min = 1, .max = 100,
        .help = "The most of in_flight that one route may take, where several share the origin.",
        .hint = "\"100%\" is no bound of its own"}),
    with<SW_AT(d.origin->options.limit.background_percent)>({.path = "origin.limit.background_share", .kind = Kind::kPercent, .default_text = "\"25%\"", .min = 1, .max = 100,
        .help = "The most of in_flight that refreshes and queued fills may take.",
        .hint = "\"100%\" is no bound of its own"}),
    with<SW_AT(d.origin->options.limit.is_adaptive)>({.path = "origin.limit.adaptive", .kind = Kind::kFlag, .default_text = "false",
        .help = "Whether a limit below in_flight follows the origin's latency."}),
    with<SW_AT(d.origin->options.limit.adaptive_min)>({.path = "origin.limit.adaptive_min", .kind = Kind::kCount, .default_text = "8", .min = 1, .max = 1'000'000,
        .help = "The least that this limit becomes."}),
    with<SW_AT(d.origin->options.breaker.is_on)>({.path = "origin.breaker.enabled", .kind = Kind::kFlag, .default_text = "true",
        .help = "Whether an origin that fails is left alone for a while."}),
    with_ratio<SW_AT(d.origin->options.breaker.failure_ratio)>({.path = "origin.breaker.failures", .kind = Kind::kPercent, .default_text = "\"50%\"", .min = 1, .max = 100,
        .help = "Share of failed calls within the window that opens the breaker.",
        .hint = kNoBreaker}),
    with<SW_AT(d.origin->options.breaker.window)>({.path = "origin.breaker.window", .kind = Kind::kDuration, .default_text = "\"10s\"", .min = 1000, .max = kHourMs,
        .help = "How far back calls count."}),
    with<SW_AT(d.origin->options.breaker.min_requests)>({.path = "origin.breaker.min_requests", .kind = Kind::kCount, .default_text = "20", .min = 1, .max = 1'000'000,
        .help = "Calls within the window, before their share says anything."}),
    with<SW_AT(d.origin->options.breaker.connect_failures)>({.path = "origin.breaker.connect_failures", .kind = Kind::kCount, .default_text = "5", .min = 1, .max = 1'000'000,
        .help = "Connections that fail in a row and so open it, whatever the share.",
        .hint = kNoBreaker}),
    with<SW_AT(d.origin->options.breaker.slow)>({.path = "origin.breaker.slow", .kind = Kind::kDuration, .default_text = "\"0s\"", .min = 0, .max = kHourMs,
        .help = "A response head that takes longer counts as a failure; \"0s\": none does."}),
    with<SW_AT(d.origin->options.breaker.open)>({.path = "origin.breaker.open", .kind = Kind::kDuration, .default_text = "\"1s\"", .min = 1, .max = kHourMs,
        .help = "How long it is open at first; each further time is twice as long."}),
    with<SW_AT(d.origin->options.breaker.open_max)>({.path = "origin.breaker.open_max", .kind = Kind::kDuration, .default_text = "\"1m\"", .min = 1, .max = kDayMs,
        .help = "The longest that it becomes."}),
    with<SW_AT(d.origin->options.breaker.probes)>({.path = "origin.breaker.probes", .kind = Kind::kCount, .default_text = "3", .min = 1, .max = 1000,
        .help = "Calls at once that try whether the origin works again.",
        .hint = kNoBreaker}),
    with<SW_AT(d.origin->options.breaker.close_after)>({.path = "origin.breaker.close_after", .kind = Kind::kCount, .default_text = "3", .min = 1, .max = 1000,
        .help = "Good ones among them that close it.",
        .hint = kNoBreaker}),
    with<SW_AT(d.origin->options.health.path)>({.path = "origin.health.path", .kind = Kind::kText, .check = check_health_path,
        .help = "Path that each server is asked for from time to time; without it there are no active checks."}),
    with<SW_AT(d.origin->options.health.host)>({.path = "origin.health.host", .kind = Kind::kText, .check = check_host,
        .help = "Host of these requests; when not given, host and port of the server."}),
    with<SW_AT(d.origin->options.health.interval)>({.path = "origin.health.interval", .kind = Kind::kDuration, .default_text = "\"5s\"", .min = 10, .max = kHourMs,
        .help = "From one check of a server to the next."}),
    with<SW_AT(d.origin->options.health.timeout)>({.path = "origin.health.timeout", .kind = Kind::kDuration, .default_text = "\"2s\"", .min = 1, .max = kHourMs,
        .help = "For a whole check."}),
    with<SW_AT(d.origin->options.health.status)>({.path = "origin.health.status", .kind = Kind::kCount, .default_text = "200", .min = 200, .max = 599,
        .help = "Status of a good response."}),
    with<SW_AT(d.origin->options.health.body)>({.path = "origin.health.body", .kind = Kind::kText, .check = check_body,
        .help = "Text that must be in the first 64 KiB of a good response's body; when not given, any body is good."}),
    with<SW_AT(d.origin->options.health.rise)>({.path = "origin.health.rise", .kind = Kind::kCount, .default_text = "2", .min = 1, .max = 1000,
        .help = "Good checks in a row that make a sick server healthy.",
        .hint = kNoHealth}),
    with<SW_AT(d.origin->options.health.fall)>({.path = "origin.health.fall", .kind = Kind::kCount, .default_text = "3", .min = 1, .max = 1000,
        .help = "Bad checks in a row that make a healthy server sick.",
        .hint = kNoHealth}),
    with<SW_AT(d.origin->options.retry.tries)>({.path = "origin.retry.tries", .kind = Kind::kCount, .default_text = "2", .min = 1, .max = 10,
        .help = "Tries of a request, the first included; 1: no retries.",
        .hint = "1 is the first try alone, without retries"}),
    with<SW_AT(d.origin->options.retry.budget_percent)>({.path = "origin.retry.budget", .kind = Kind::kPercent, .default_text = "\"10%\"", .min = 0, .max = 100,
        .help = "Retries, as a share of the requests of the last 10 s."}),
    with<SW_AT(d.origin->options.retry.budget_min)>({.path = "origin.retry.budget_min", .kind = Kind::kCount, .default_text = "3", .min = 0, .max = 1'000'000,
        .help = "Retries in 10 s that are allowed however few the requests."}),
    with<SW_AT(d.origin->options.retry.idempotency_key)>({.path = "origin.retry.idempotency_key", .kind = Kind::kFlag, .default_text = "false",
        .help = "Whether POST and PATCH with an Idempotency-Key are tried again too."}),
    with<SW_AT(d.origin->options.retry.hedge_after)>({.path = "origin.retry.hedge_after", .kind = Kind::kDuration, .default_text = "\"0s\"", .min = 0, .max = kHourMs,
        .help = "Without a response head for so long, a second try runs beside the first; \"0s\": never."}),
    with<SW_AT(d.origin->fill.concurrent)>({.path = "origin.fill.concurrent", .kind = Kind::kCount, .default_text = "64", .min = 1, .max = 100'000,
        .help = "Fetches at once that no client waits for.",
        .hint = "1 is the least; per_second slows them further"}),
    with<SW_AT(d.origin->fill.per_second)>({.path = "origin.fill.per_second", .kind = Kind::kCount, .default_text = "0", .min = 0, .max = 1'000'000,
        .help = "How many of them begin in a second; 0: no bound."}),
    with<SW_AT(d.origin->fill.bytes_per_second)>({.path = "origin.fill.bytes_per_second", .kind = Kind::kSize, .default_text = "\"0\"", .min = 0, .max = kPiB,
        .help = "Bytes of responses that they fetch in a second; \"0\": no bound."}),
    with<SW_AT(d.origin->fill.queue)>({.path = "origin.fill.queue", .kind = Kind::kCount, .default_text = "10000", .min = 1, .max = 10'000'000,
        .help = "How many may wait; one more takes the place of a less wanted one, or is refused.",
        .hint = "1 is the least; a miss that finds no place in it is not fetched"}),
    with<SW_AT(d.origin->fill.deadline)>({.path = "origin.fill.deadline", .kind = Kind::kDuration, .default_text = "\"30s\"", .min = 1, .max = kDayMs,
        .help = "How long one may wait before it is given up."}),
    with<SW_AT(d.origin->fill.cold_start)>({.path = "origin.fill.cold_start", .kind = Kind::kDuration, .default_text = "\"30s\"", .min = 0, .max = kHourMs,
        .help = "How long their bounds take to grow from a tenth, after a start with an empty cache; \"0s\": they do not."}),

    with<SW_AT(d.route->name)>({.path = "route.name", .kind = Kind::kText, .check = check_label,
        .help = "What logs call it; host and path when not given."}),
    with<SW_AT(d.route->host)>({.path = "route.host", .kind = Kind::kText, .default_text = "\"*\"",
        .help = "Hosts that it takes: \"shop.example.com\", \"*.example.com\" or \"*\"."}),
    with<SW_AT(d.route->path)>({.path = "route.path", .kind = Kind::kText, .default_text = "\"/*\"",
        .help = "Paths that it takes: one path, or all that begin with what stands before a final \"*\"."}),
    with<SW_AT(d.route->origin)>({.path = "route.origin", .kind = Kind::kText, .check = check_origin_name,
        .help = "Name of the origin; may be left out when there is only one, or with read_from and write_to."}),
    with<SW_AT(d.route->read_from)>({.path = "route.read_from", .kind = Kind::kText, .check = check_origin_name,
        .help = "Origin of GET and HEAD, where it is another."}),
    with<SW_AT(d.route->write_to)>({.path = "route.write_to", .kind = Kind::kText, .check = check_origin_name,
        .help = "Origin of all other methods, where it is another."}),
    with<SW_AT(d.route->miss.policy)>({.path = "route.miss", .kind = Kind::kChoice, .default_text = "\"collapse\"", .choices = kMisses,
        .help = "What a request gets that the cache cannot answer: a shared fetch, an answer at once and a fetch behind it, an answer at once and an event, a stale answer or none, or the origin uncached."}),
    with<SW_AT(d.route->miss.honours_prefer)>({.path = "route.prefer", .kind = Kind::kFlag, .default_text = "false",
        .help = "Whether a client may choose by Prefer: respond-async and Prefer: wait=N (RFC 7240)."}),
    with<SW_AT(d.route->miss.placeholder.status)>({.path = "route.placeholder.status", .kind = Kind::kCount, .default_text = "503", .min = 200, .max = 599,
        .help = "Status of the answer to a request that is not answered from the cache and may not wait."}),
    with<SW_AT(d.route->miss.placeholder.retry_after)>({.path = "route.placeholder.retry_after", .kind = Kind::kSeconds, .default_text = "\"1s\"", .min = 1, .max = kDaySeconds,
        .help = "Its Retry-After, with 503 and 429."}),
    with<SW_AT(d.route->miss.placeholder.file)>({.path = "route.placeholder.file", .kind = Kind::kText, .check = check_file,
        .help = "File of at most 1 MiB that is its body; when not given, a line of text."}),
    with<SW_AT(d.route->miss.placeholder.headers)>({.path = "route.placeholder.headers", .kind = Kind::kTexts, .default_text = "[]", .min = 0, .max = 32, .check = check_header,
        .help = "Header fields that it has besides, \"Name: value\" each."}),
    with<SW_AT(d.route->storm.is_on)>({.path = "route.storm.enabled", .kind = Kind::kFlag, .default_text = "true",
        .help = "Whether collapse becomes async by itself while the origin's breaker is open or its fill queue is full."}),
    with<SW_AT(d.route->storm.misses_per_second)>({.path = "route.storm.misses_per_second", .kind = Kind::kCount, .default_text = "0", .min = 0, .max = 10'000'000,
        .help = "Misses in a second of the route that do the same; 0: none do."}),
    with<SW_AT(d.route->storm.calm)>({.path = "route.storm.calm", .kind = Kind::kDuration, .default_text = "\"10s\"", .min = 1, .max = kHourMs,
        .help = "How long there must be none of it before collapse is back."}),
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
    with<SW_AT(d.route->rules.refreshes_ahead)>({.path = "route.refresh.ahead", .kind = Kind::kFlag, .default_text = "true",
        .help = "Whether objects in demand are fetched anew in the background before they expire."}),
    with<SW_AT(d.route->rules.jitter_percent)>({.path = "route.refresh.jitter", .kind = Kind::kPercent, .default_text = "\"0%\"", .min = 0, .max = 50,
        .help = "How much of its time an object may expire earlier, at random, so that what came together does not expire together."}),
    with<SW_AT(d.route->rules.targeted_fields)>({.path = "route.targeted_fields", .kind = Kind::kTexts,
        .default_text = R"(["Seawall-Cache-Control", "CDN-Cache-Control", "Surrogate-Control"])", .min = 0, .max = 16, .check = check_field,
        .help = "Response fields that this cache obeys in place of Cache-Control (RFC 9213), the first that is there."}),
    with<SW_AT(d.route->rules.tag_fields)>({.path = "route.tags", .kind = Kind::kTexts, .default_text = R"(["Cache-Tag", "Surrogate-Key", "xkey"])", .min = 0, .max = 16, .check = check_field,
        .help = "Response fields that name the tags by which an object can be purged."}),
    with<SW_AT(d.route->encode)>({.path = "route.encode", .kind = Kind::kTexts, .default_text = "[]", .min = 0, .max = 3, .check = check_coding,
        .help = "Content codings that stored responses are also kept in, for clients that accept them: \"zstd\", \"br\" and \"gzip\", the preferred one first; []: none."}),
    with<SW_AT(d.route->memory.guaranteed)>({.path = "route.memory.guaranteed", .kind = Kind::kShare, .default_text = "\"\"",
        .help = "What its objects may take of the cache's memory without giving way to those of other routes, as a percentage or a size; \"\": nothing."}),
    with<SW_AT(d.route->memory.max)>({.path = "route.memory.max", .kind = Kind::kShare, .default_text = "\"\"",
        .help = "The most that they may take; \"\": no bound of its own."}),
    with<SW_AT(d.route->disk.guaranteed)>({.path = "route.disk.guaranteed", .kind = Kind::kShare, .default_text = "\"\"",
        .help = "What its objects may take of the disk without giving way to those of other routes, as a percentage of all directories or a size; \"\": nothing."}),
    with<SW_AT(d.route->disk.max)>({.path = "route.disk.max", .kind = Kind::kShare, .default_text = "\"\"",
        .help = "The most that they may take there; \"\": no bound of its own."}),
    with<SW_AT(d.route->rules.honour_request_directives)>({.path = "route.honour_request_directives", .kind = Kind::kFlag, .default_text = "true",
        .help = "Whether Cache-Control and Pragma of requests may make the cache ask the origin."}),
};
// clang-format on

#undef SW_AT

}  // namespace

std::span<const Directive> directives() {
  return kDirectives;
}

}  // namespace seawall::config
