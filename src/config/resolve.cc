// The checks that look at more than one key, and what follows from several.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <system_error>
#include <utility>

#include "config/disk_entry.h"
#include "config/draft.h"
#include "config/listen_entry.h"
#include "config/load.h"
#include "config/server_entry.h"
#include "config/suggest.h"
#include "config/tls_files.h"
#include "config/units.h"
#include "http/uri.h"
#include "net/address.h"

namespace seawall::config {
namespace {

constexpr const char* kDiskExample = R"(write disk = { path = "/var/cache/seawall", size = "50GiB" })";
constexpr std::string_view kOriginExample = R"(servers = ["http://127.0.0.1:3000"])";

Place place_of(const Settings& set, std::string_view path, const Place& otherwise) {
  const auto at = set.find(path);
  return at == set.end() ? otherwise : at->second;
}

// A path is relative to the folder of the file that names it, and kept whole, so that it means the same wherever a dump
// is put.
std::string whole_path(const std::string& path, const Place& place) {
  const std::filesystem::path folder =
      place.document == nullptr ? "" : std::filesystem::path(place.document->name).parent_path();
  std::error_code error;
  const std::filesystem::path whole = std::filesystem::absolute(folder / path, error);
  return error ? path : whole.string();
}

// Of one element of an array.
const Place& place_of(const Settings& set, std::string_view path, std::size_t element, const Place& otherwise) {
  const auto at = set.find(path);
  return at == set.end() ? otherwise : at->second.element(element);
}

void make_whole(std::string& path, const Settings& set, std::string_view key) {
  const auto at = set.find(key);
  if (!path.empty() && at != set.end()) path = whole_path(path, at->second);
}

// Keys that may take the effect of others away: what is wrong with one of them would make the others look moot.
constexpr std::array<std::string_view, 12> kGovernors = {
    "cache.disk.path",        "cache.disk.size",   "tls.certificates",   "tls.client_auth",
    "tls.session_tickets",    "http2.enabled",     "origin.health.path", "origin.servers",
    "origin.tls.certificate", "origin.tls.verify", "route.miss",         "route.placeholder.status"};

void report_moot(const Settings& set, const Draft& draft, const Input& input, Report& report) {
  for (const auto& [path, place] : set) {
    const std::string_view section = find_directive(path)->section();
    const auto is_unread_governor = [&](std::string_view governor) {
      return find_directive(governor)->section() == section && input.unread.contains(governor);
    };
    if (std::ranges::any_of(kGovernors, is_unread_governor)) continue;
    const std::string why = why_moot(*find_directive(path), draft);
    if (why.empty()) continue;
    constexpr std::string_view kWithout = "without ";
    report.add(place, fmt::format("{} has no effect {}", path, why),
               why.starts_with(kWithout) ? fmt::format("add {}, or remove it", why.substr(kWithout.size()))
                                         : "remove one of the two");
  }
}

void resolve_servers(OriginDraft& origin, Report& report) {
  if (!origin.set.contains("origin.servers")) {
    report.add(origin.at, "this origin has no servers", fmt::format("add {}", kOriginExample));
    return;
  }
  origin::OriginOptions& options = origin.config.options;
  // Otherwise they were not read.
  if (options.servers.empty()) return;
  if (!origin.set.contains("origin.name")) options.name = options.servers.front().authority;
  const Setting& place = origin.set["origin.servers"];
  const auto is_same = [](const origin::ServerConfig& a, const origin::ServerConfig& b) {
    return a.host == b.host && a.port == b.port && a.is_srv == b.is_srv;
  };
  for (auto at = options.servers.begin(); at != options.servers.end(); ++at) {
    const auto first = std::find_if(options.servers.begin(), at, [&](const auto& s) { return is_same(s, *at); });
    if (first == at) continue;
    report.add(place.element(static_cast<std::size_t>(at - options.servers.begin())),
               fmt::format("origin.servers names {} twice", quote(at->url)),
               "remove one of the two; weight=N gives a server more requests");
  }
  const auto is_spare = [](const origin::ServerConfig& s) { return s.is_backup || s.is_drain; };
  if (std::ranges::all_of(options.servers, is_spare)) {
    report.add(place, "origin.servers has no server to use: each is backup or drain",
               "leave out backup or drain at one of them");
  }
}

// State that outlives a reload is kept under the name.
template <typename DraftType, typename Name>
void report_same_names(const std::vector<DraftType>& drafts, std::string_view table, Name name_of, Report& report) {
  const std::string key = fmt::format("{}.name", table);
  for (auto at = drafts.begin(); at != drafts.end(); ++at) {
    const auto first = std::find_if(drafts.begin(), at, [&](const DraftType& d) { return name_of(d) == name_of(*at); });
    if (first == at || name_of(*at).empty()) continue;
    report.add(place_of(at->set, key, at->at),
               fmt::format("two {}s are named {}: the first at {}", table, quote(name_of(*at)),
                           place_of(first->set, key, first->at).to_string()),
               "give each a name of its own");
  }
}

// A PROXY header speaks of one client, and an HTTP/2 connection is shared by the requests of many.
void check_access(const OriginDraft& origin, Report& report) {
  const origin::OriginOptions& options = origin.config.options;
  const bool has_header = options.proxy_protocol != net::ProxyVersion::kOff;
  if (!has_header || options.protocol != origin::Protocol::kHttp2) return;
  report.add(origin.set.at("origin.proxy_protocol"),
             "origin.proxy_protocol names the client of a connection, and with protocol = \"http2\" one serves many",
             "remove one of the two, or write protocol = \"http1\"");
}

void resolve_origins(Input& input, const Place& whole, Report& report) {
  for (OriginDraft& origin : input.origins) {
    resolve_servers(origin, report);
    check_access(origin, report);
    report_moot(origin.set, input.draft(origin), input, report);
    net::TlsClientOptions& tls = origin.config.options.tls;
    make_whole(tls.ca, origin.set, "origin.tls.ca");
    make_whole(tls.certificate, origin.set, "origin.tls.certificate");
    make_whole(tls.key, origin.set, "origin.tls.key");
  }
  report_same_names(input.origins, "origin", [](const OriginDraft& o) { return o.config.options.name; }, report);
  if (input.origins.empty() && !input.is_incomplete) {
    report.add(whole, "there is no origin", fmt::format("add [[origin]] with {}, or use --origin URL", kOriginExample));
  }
}

// Lower case, and as requests are compared; a problem otherwise.
std::expected<std::string, Problem> normal_host(std::string_view host) {
  if (host == "*") return std::string(host);
  const bool is_suffix = host.starts_with("*.");
  const std::string_view name = is_suffix ? host.substr(2) : host;
  // With "https", port 80 stays and is refused like any other.
  const auto normal = http::normalise_authority(name, name.ends_with(":443") ? "http" : "https");
  if (!normal || name.starts_with('*')) {
    return std::unexpected(
        Problem{fmt::format("route.host must be \"host.name\", \"*.host.name\" or \"*\", not {}", quote(host)), {}});
  }
  const std::size_t colon = normal->rfind(':');
  if (colon != std::string::npos && normal->find(']', colon) == std::string::npos) {
    return std::unexpected(
        Problem{fmt::format("route.host takes no port: {}", quote(host)),
                fmt::format("write \"{}{}\"; it takes every port", is_suffix ? "*." : "", normal->substr(0, colon))});
  }
  return (is_suffix ? "*." : "") + *normal;
}

std::optional<Problem> check_path(std::string_view path) {
  const std::string_view prefix = path.ends_with('*') ? path.substr(0, path.size() - 1) : path;
  if (!path.starts_with('/')) {
    return Problem{
        fmt::format("route.path must begin with \"/\", not {}", quote(path)),
        path == "*" ? "every path is \"/*\"" : fmt::format("did you mean {}?", quote(fmt::format("/{}", path)))};
  }
  if (prefix.find('*') != std::string_view::npos) {
    return Problem{fmt::format("route.path takes \"*\" at its end only: {}", quote(path)), {}};
  }
  if (path.find_first_of("?#") != std::string_view::npos) {
    return Problem{fmt::format("route.path is compared without the query: {}", quote(path)), "end it before the \"?\""};
  }
  const auto is_plain = [](char c) { return c > 0x20 && c < 0x7F; };
  std::string normal(prefix);
  if (!std::ranges::all_of(path, is_plain) || !http::normalise_path(normal)) {
    return Problem{fmt::format("route.path is not a path as it stands in a URL: {}", quote(path)),
                   "write other bytes as %XX"};
  }
  if (normal != prefix) {
    return Problem{fmt::format("route.path never comes in this form: {}", quote(path)),
                   fmt::format("write {}", quote(normal + std::string(path.substr(prefix.size()))))};
  }
  return std::nullopt;
}

void resolve_route_origin(Input& input, RouteDraft& route, Report& report) {
  std::vector<std::string_view> names;
  bool is_name_missing = input.is_incomplete;
  for (const OriginDraft& origin : input.origins) {
    names.push_back(origin.config.options.name);
    is_name_missing = is_name_missing || origin.config.options.name.empty();
  }
  if (!route.set.contains("route.origin")) {
    if (input.origins.size() == 1) {
      route.config.origin = names.front();
    } else if (route.set.contains("route.read_from") && route.set.contains("route.write_to")) {
      route.config.origin = route.config.read_from;
    } else if (input.origins.size() > 1) {
      report.add(route.at, "this route names no origin, and there are several",
                 fmt::format("add origin = \"{}\"", names.front()));
    }
  }
  if (is_name_missing || names.empty()) return;
  for (const std::string_view path : {"route.origin", "route.read_from", "route.write_to"}) {
    const auto at = route.set.find(path);
    if (at == route.set.end()) continue;
    const auto name = std::get<std::string>(find_directive(path)->get(input.draft(route)));
    // Empty: not read.
    if (name.empty() || std::ranges::find(names, name) != names.end()) continue;
    const std::string_view meant = nearest(name, names);
    report.add(at->second, fmt::format("no origin is named {}", quote(name)),
               meant.empty() ? fmt::format("known origins: {}", fmt::join(names, ", "))
                             : fmt::format("did you mean \"{}\"?", meant));
  }
}

bool covers_host(std::string_view wide, std::string_view narrow) {
  if (wide == "*" || wide == narrow) return true;
  return wide.starts_with("*.") && narrow.ends_with(wide.substr(1)) && narrow.size() > wide.size() - 1;
}

bool covers_path(std::string_view wide, std::string_view narrow) {
  return wide == narrow || (wide.ends_with('*') && narrow.starts_with(wide.substr(0, wide.size() - 1)));
}

void report_unreachable(const Input& input, Report& report) {
  for (std::size_t i = 0; i < input.routes.size(); ++i) {
    const RouteDraft& route = input.routes[i];
    const auto end = input.routes.begin() + static_cast<std::ptrdiff_t>(i);
    const auto first = std::find_if(input.routes.begin(), end, [&](const RouteDraft& r) {
      return covers_host(r.config.host, route.config.host) && covers_path(r.config.path, route.config.path);
    });
    if (first == end) continue;
    const bool is_same = first->config.host == route.config.host && first->config.path == route.config.path;
    report.add(route.at,
               fmt::format("route {} is never taken: route {} at {} comes first and takes the same requests",
                           quote(route.config.name), quote(first->config.name), first->at.to_string()),
               is_same ? "remove one of the two" : "put the narrower route first");
  }
}

// The body of the placeholder.
void read_placeholder(RouteDraft& route, Report& report) {
  proxy::Placeholder& placeholder = route.config.miss.placeholder;
  if (placeholder.file.empty() ||
      !why_moot(*find_directive("route.placeholder.file"), {.route = &route.config}).empty()) {
    return;
  }
  const Place& place = route.set["route.placeholder.file"];
  const std::string path = whole_path(placeholder.file, place);
  auto body = read_file(path);
  if (!body) {
    report.add(place, fmt::format("route.placeholder.file {} {}", quote(placeholder.file), body.error()),
               placeholder.file.starts_with('/') ? "" : "paths are relative to the folder of this file");
    return;
  }
  placeholder.file = path;
  placeholder.body = std::move(*body);
}

void check_codings(const RouteDraft& route, Report& report) {
  const std::vector<http::Coding>& codings = route.config.encode;
  for (auto at = codings.begin(); at != codings.end(); ++at) {
    if (std::find(codings.begin(), at, *at) == at) continue;
    report.add(route.set.at("route.encode").element(static_cast<std::size_t>(at - codings.begin())),
               fmt::format("route.encode names {} twice", quote(http::to_string(*at))), "remove one of the two");
  }
}

void resolve_route(Input& input, RouteDraft& route, Report& report) {
  if (auto host = normal_host(route.config.host)) {
    route.config.host = std::move(*host);
  } else {
    report.add(place_of(route.set, "route.host", route.at), host.error().message, host.error().hint);
  }
  if (const auto problem = check_path(route.config.path)) {
    report.add(place_of(route.set, "route.path", route.at), problem->message, problem->hint);
  }
  if (!route.set.contains("route.name")) route.config.name = fmt::format("{} {}", route.config.host, route.config.path);
  resolve_route_origin(input, route, report);
  report_moot(route.set, input.draft(route), input, report);
  check_codings(route, report);
  read_placeholder(route, report);
}

void resolve_routes(Input& input, Report& report) {
  if (input.routes.empty()) {
    if (input.origins.size() == 1) {
      input.routes.emplace_back().at = input.origins.front().at;
    } else if (input.origins.size() > 1 && !input.is_incomplete) {
      report.add(input.origins[1].at, "there are several origins and no route",
                 R"(add [[route]] with host = "..." or path = "..." and origin = "...")");
    }
  }
  for (RouteDraft& route : input.routes) resolve_route(input, route, report);
}

std::string format_percent_of(std::uint64_t part, std::uint64_t whole) {
  return format_percent(std::round(static_cast<double>(part) / static_cast<double>(whole) * 1000) / 10);
}

// As it stands in the file.
std::string shown(std::string_view path, const Share& share) {
  return fmt::format("{} = {}", path, format_value(*find_directive(path), share));
}

// What routes have shares of.
struct Shared {
  std::string_view key;  // "cache.memory"
  std::string text;      // as messages say it
  std::uint64_t bytes;
  std::uint64_t most_guaranteed_percent;  // to the routes together: the rest is for everybody
  std::string_view guaranteed;            // a directive, as is `max`
  std::string_view max;
  ShareConfig RouteConfig::* share;
};

void check_shares_of(const Shared& whole, Input& input, Report& report) {
  std::uint64_t guaranteed = 0;
  for (RouteDraft& route : input.routes) {
    const ShareConfig& share = route.config.*whole.share;
    const auto too_much = [&](std::string_view path, const Share& lesser, std::string_view greater) {
      report.add(route.set[path], fmt::format("{} is more than {}", shown(path, lesser), greater), "lower it");
    };
    const bool has_max = !share.max.is_none();
    if (has_max && share.max.of(whole.bytes) > whole.bytes) too_much(whole.max, share.max, whole.text);
    if (has_max && share.guaranteed.of(whole.bytes) > share.max.of(whole.bytes)) {
      too_much(whole.guaranteed, share.guaranteed, shown(whole.max, share.max));
    }
    const std::uint64_t most = whole.bytes * whole.most_guaranteed_percent / 100;
    const std::uint64_t before = std::exchange(guaranteed, guaranteed + share.guaranteed.of(whole.bytes));
    if (before > most || guaranteed <= most) continue;
    report.add(
        route.set[whole.guaranteed],
        fmt::format("{} is more than what is left to guarantee: the routes before have {} of {}",
                    shown(whole.guaranteed, share.guaranteed), format_percent_of(before, whole.bytes), whole.text),
        fmt::format("lower some of them, so that all together have {}% of {} at most", whole.most_guaranteed_percent,
                    whole.key));
  }
}

void check_shares(Input& input, Report& report) {
  const std::uint64_t memory = input.config.cache.memory_bytes;
  // What is not guaranteed is for bodies on their way, too.
  check_shares_of({.key = "cache.memory",
                   .text = fmt::format("cache.memory = \"{}\"", format_size(memory)),
                   .bytes = memory,
                   .most_guaranteed_percent = 80,
                   .guaranteed = "route.memory.guaranteed",
                   .max = "route.memory.max",
                   .share = &RouteConfig::memory},
                  input, report);
  std::uint64_t disk = 0;
  for (const disk::VolumeOptions& volume : input.config.disk) {
    if (volume.capacity_bytes == 0) return;  // it could not be read
    disk += volume.capacity_bytes;
  }
  if (disk == 0) return;
  // What is guaranteed is written again each time that as much as the rest has been.
  check_shares_of({.key = "cache.disk",
                   .text = fmt::format("cache.disk with its \"{}\"", format_size(disk)),
                   .bytes = disk,
                   .most_guaranteed_percent = 50,
                   .guaranteed = "route.disk.guaranteed",
                   .max = "route.disk.max",
                   .share = &RouteConfig::disk},
                  input, report);
}

// How many routes share each origin.
void count_routes(Input& input) {
  for (OriginDraft& origin : input.origins) {
    origin::OriginOptions& options = origin.config.options;
    const auto uses = [&](const RouteDraft& route) {
      const RouteConfig& r = route.config;
      return (r.read_from.empty() ? r.origin : r.read_from) == options.name ||
             (r.write_to.empty() ? r.origin : r.write_to) == options.name;
    };
    options.routes = std::max(1U, static_cast<std::uint32_t>(std::ranges::count_if(input.routes, uses)));
  }
}

struct Bound {
  std::string_view lesser;
  std::string_view greater;
};

constexpr std::array kBounds = {
    Bound{"server.target_bytes", "server.header_bytes"},
    Bound{"server.connections_per_client", "server.connections"},
    Bound{"encode.min_size", "encode.max_size"},
    Bound{"collapse.waiters", "collapse.waiters_total"},
    Bound{"dns.min_ttl", "dns.max_ttl"},
    Bound{"origin.timeout.connect", "origin.timeout.total"},
    Bound{"origin.timeout.first_byte", "origin.timeout.total"},
    Bound{"origin.timeout.tls", "origin.timeout.total"},
    Bound{"origin.tls.min_version", "origin.tls.max_version"},
    Bound{"origin.limit.adaptive_min", "origin.limit.in_flight"},
    Bound{"origin.breaker.open", "origin.breaker.open_max"},
    Bound{"origin.health.timeout", "origin.health.interval"},
    Bound{"origin.retry.hedge_after", "origin.timeout.total"},
    Bound{"route.stale.while_revalidate", "route.stale.max"},
    Bound{"route.stale.if_error", "route.stale.max"},
};

// A value that was given must not be past what bounds it; a default gives way.
void apply_bounds(std::string_view section, const Draft& draft, const Settings& set, Report& report) {
  for (const Bound& bound : kBounds) {
    const Directive& lesser = *find_directive(bound.lesser);
    if (is_array_section(lesser.section()) ? lesser.section() != section : !section.empty()) continue;
    const Directive& greater = *find_directive(bound.greater);
    const Value value = lesser.get(draft);
    const Value limit = greater.get(draft);
    if (std::get<std::int64_t>(value) <= std::get<std::int64_t>(limit)) continue;
    const auto at = set.find(bound.lesser);
    if (at == set.end()) {
      lesser.set(draft, limit);
      continue;
    }
    report.add(at->second,
               fmt::format("{} = {} is more than {} = {}{}", lesser.path, format_value(lesser, value), greater.path,
                           format_value(greater, limit), set.contains(bound.greater) ? "" : ", its default"),
               fmt::format("lower it, or raise {}", greater.path));
  }
}

void resolve_cache(Input& input, const Place& whole, Report& report) {
  cache::StoreOptions& cache = input.config.cache;
  if (!input.max_object.bytes) {
    cache.max_object_share = input.max_object.percent / 100;
  } else if (*input.max_object.bytes <= cache.memory_bytes) {
    cache.max_object_share = static_cast<double>(*input.max_object.bytes) / static_cast<double>(cache.memory_bytes);
  } else {
    report.add(place_of(input.set, "cache.max_object", whole),
               fmt::format("cache.max_object = \"{}\" is more than cache.memory = \"{}\"",
                           format_size(*input.max_object.bytes), format_size(cache.memory_bytes)),
               "lower it, or raise cache.memory");
  }
}

// What the disk tier says of a directory is one line, with the way out behind a semicolon.
void report_disk(const Place& place, const std::string& text, Report& report) {
  const std::size_t end = std::min(text.find("; "), text.size());
  report.add(place, text.substr(0, end), end == text.size() ? "" : text.substr(end + 2));
}

// Before report_moot(): keys may need a disk.
void resolve_disks(Input& input, Report& report) {
  std::vector<disk::VolumeOptions>& disks = input.config.disk;
  for (DiskDraft& draft : input.disks) {
    const auto has = [&](std::string_view key) { return draft.set.contains(key); };
    if (!has("cache.disk.path")) report.add(draft.at, "this directory has no path", kDiskExample);
    if (!has("cache.disk.size")) report.add(draft.at, "this directory has no size", kDiskExample);
    disks.push_back(std::move(draft.config));
    if (disks.back().path.empty()) continue;
    const std::string whole = whole_path(disks.back().path, draft.set.at("cache.disk.path"));
    disks.back().path = std::filesystem::path(whole + "/").lexically_normal().parent_path().string();
  }
  // A value that could not be read leaves its place empty.
  const auto is_read = [](const disk::VolumeOptions& v) { return !v.path.empty() && v.capacity_bytes > 0; };
  if (!std::ranges::all_of(disks, is_read)) return;
  for (std::size_t n = 1; n <= disks.size(); ++n) {
    const auto problem = disk::check_volumes({disks.begin(), disks.begin() + static_cast<std::ptrdiff_t>(n)});
    if (problem) return report_disk(input.disks[n - 1].set.at("cache.disk.path"), *problem, report);
  }
}

// Port 0 is another one each time.
bool is_same_place(const net::ListenOptions& a, const net::ListenOptions& b) {
  if (a.path != b.path) return false;
  const auto address = net::Address::parse(a.address);
  const auto other = net::Address::parse(b.address);
  if (!address || !other) return !address && !other;
  return address->port() != 0 && address->to_string() == other->to_string();
}

// Whoever is not trusted gets no further there than to connect.
void check_proxy_listeners(const Input& input, auto place_of_entry, Report& report) {
  if (input.unread.contains("server.trusted_proxies")) return;
  const auto& trusted = input.config.trusted_proxies;
  const auto is_unix = [](const std::string& text) { return text == "unix"; };
  const bool trusts_unix = std::ranges::any_of(trusted, is_unix);
  const bool trusts_addresses = !std::ranges::all_of(trusted, is_unix);
  const auto& listen = input.config.listen;
  for (auto at = listen.begin(); at != listen.end(); ++at) {
    if (!at->expects_proxy || (at->path.empty() ? trusts_addresses : trusts_unix)) continue;
    report.add(place_of_entry(at), "server.listen expects a PROXY header, and no proxy is trusted to send it",
               at->path.empty() ? "add trusted_proxies with their addresses, or leave out proxy"
                                : R"(add "unix" to trusted_proxies, or leave out proxy)");
    return;
  }
}

void check_listeners(const Input& input, const Place& whole, Report& report) {
  const auto& listen = input.config.listen;
  const auto place_of_entry = [&](auto entry) {
    return place_of(input.set, "server.listen", static_cast<std::size_t>(entry - listen.begin()), whole);
  };
  for (auto at = listen.begin(); at != listen.end(); ++at) {
    const auto first = std::find_if(listen.begin(), at, [&](const auto& other) { return is_same_place(*at, other); });
    if (first == at) continue;
    report.add(place_of_entry(at), fmt::format("server.listen names {} twice", quote(listen_place(*at))),
               "remove one of the two");
  }
  const auto has = [&](bool net::ListenOptions::* word) { return std::ranges::any_of(listen, word); };
  const auto first_with = [&](bool net::ListenOptions::* word) {
    return place_of_entry(std::ranges::find_if(listen, word));
  };
  const bool takes_tls = has(&net::ListenOptions::takes_tls);
  const bool takes_plain = has(&net::ListenOptions::takes_plain);
  const bool has_certificates = !input.config.tls.certificates.empty();
  const bool is_unread = input.unread.contains("server.listen") || input.unread.contains("tls.certificates");
  if (takes_tls && !has_certificates && !is_unread) {
    report.add(first_with(&net::ListenOptions::takes_tls),
               "server.listen takes TLS, and there is no certificate for it",
               R"(add [tls] with certificates = ["FILE key=FILE"])");
  }
  if (has_certificates && !takes_tls && !is_unread) {
    report.add(place_of(input.set, "tls.certificates", whole),
               "tls.certificates has no effect without a listener that takes TLS",
               R"(write "tls" behind an address of server.listen, such as ":443 tls")");
  }
  if (!input.config.edge.acme_directory.empty() && !takes_plain) {
    report.add(place_of(input.set, "tls.acme", whole),
               "tls.acme has no effect without a listener that takes plain requests",
               R"(add one, such as ":80 redirect", or remove it)");
  }
  const auto leads_nowhere =
      std::ranges::find_if(listen, [](const net::ListenOptions& l) { return l.redirects && l.redirect_port == 0; });
  if (leads_nowhere != listen.end() && !takes_tls) {
    report.add(
        place_of_entry(leads_nowhere), "server.listen redirects to https, and no listener takes TLS",
        R"(add one, such as ":443 tls", name the port of another server with redirect=443, or leave out redirect)");
  }
  check_proxy_listeners(input, place_of_entry, report);
  if (input.set.contains("admin.socket") && std::ranges::any_of(listen, [&](const auto& l) {
        return !l.path.empty() && l.path == input.config.admin.socket;
      })) {
    report.add(input.set.at("admin.socket"),
               fmt::format("admin.socket and server.listen are both {}", quote(input.config.admin.socket)),
               "give each a path of its own");
  }
  if (!input.set.contains("admin.listen")) return;
  const net::ListenOptions admin{.address = input.config.admin.listen, .path = {}};
  if (admin.address != "off" && std::ranges::any_of(listen, [&](const auto& l) { return is_same_place(admin, l); })) {
    report.add(input.set.at("admin.listen"),
               fmt::format("admin.listen and server.listen are both {}", quote(input.config.admin.listen)),
               "give each an address of its own");
  }
}

void resolve_tls(Input& input, Report& report) {
  net::TlsServerOptions& tls = input.config.tls;
  proxy::EdgeOptions& edge = input.config.edge;
  report_moot(input.set, input.draft(), input, report);
  tls.http2 = input.config.session.http2.enabled;
  edge.tells_client_certificate = tls.client_auth != net::ClientAuth::kOff;
  const bool is_unread = input.unread.contains("tls.client_ca") || input.unread.contains("tls.certificates");
  if (edge.tells_client_certificate && tls.client_ca.empty() && !tls.certificates.empty() && !is_unread) {
    const Directive& directive = *find_directive("tls.client_auth");
    report.add(input.set.at("tls.client_auth"),
               fmt::format("tls.client_auth = {} needs to know whose certificates count",
                           format_value(directive, directive.get(input.draft()))),
               "add client_ca = \"FILE\" with the certificates of their authorities");
  }
  make_whole(tls.client_ca, input.set, "tls.client_ca");
  make_whole(edge.acme_directory, input.set, "tls.acme");
  for (std::size_t i = 0; i < tls.certificates.size(); ++i) {
    net::CertificateFiles& files = tls.certificates[i];
    const Place& place = input.set.at("tls.certificates").element(i);
    for (std::string* path : {&files.certificate, &files.key, &files.ocsp}) {
      if (path->empty()) continue;
      *path = whole_path(*path, place);
      // As an entry it would be read otherwise.
      if (path->find_first_of(" \t") == std::string::npos) continue;
      report.add(place, fmt::format("tls.certificates takes no path with a space in it: {}", quote(*path)),
                 "move the file, or name a symbolic link to it");
    }
  }
}

}  // namespace

void resolve(Input& input, const Place& whole, const Clock& clock, Report& report) {
  input.config.admin.is_listen_given = input.set.contains("admin.listen");
  input.config.admin.is_socket_given = input.set.contains("admin.socket") && !input.config.admin.socket.empty();
  resolve_cache(input, whole, report);
  resolve_disks(input, report);
  check_listeners(input, whole, report);
  resolve_tls(input, report);
  apply_bounds("", input.draft(), input.set, report);
  for (OriginDraft& origin : input.origins) apply_bounds("origin", input.draft(origin), origin.set, report);
  for (RouteDraft& route : input.routes) apply_bounds("route", input.draft(route), route.set, report);
  resolve_origins(input, whole, report);
  resolve_routes(input, report);
  check_shares(input, report);
  count_routes(input);
  check_tls_files(input, clock, report);
  // Only what was read right can cover another.
  if (report.empty()) report_unreachable(input, report);
  if (report.empty()) {
    report_same_names(input.routes, "route", [](const RouteDraft& r) { return r.config.name; }, report);
  }
  for (OriginDraft& origin : input.origins) input.config.origins.push_back(std::move(origin.config));
  for (RouteDraft& route : input.routes) input.config.routes.push_back(std::move(route.config));
}

std::optional<Problem> check_disk(std::string_view entry) {
  auto volume = parse_disk(entry);
  if (volume) return std::nullopt;
  return std::move(volume.error());
}

std::optional<Problem> check_origin_url(std::string_view url) {
  auto server = parse_server(url);
  if (server) return std::nullopt;
  return std::move(server.error());
}

}  // namespace seawall::config
