// The checks that look at more than one key, and what follows from several.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "config/draft.h"
#include "config/load.h"
#include "config/suggest.h"
#include "config/units.h"
#include "http/list_syntax.h"
#include "http/uri.h"

namespace seawall::config {
namespace {

constexpr std::string_view kOriginExample = R"(servers = ["http://127.0.0.1:3000"])";

struct Server {
  std::string host;
  std::uint16_t port = 80;
  std::string authority;
};

std::expected<Server, Problem> parse_server(std::string_view url) {
  const Problem malformed{
      fmt::format("origin.servers must be \"http://host\" or \"http://host:port\", not {}", quote(url)),
      url.find("://") == std::string_view::npos ? fmt::format("did you mean {}?", quote(fmt::format("http://{}", url)))
                                                : ""};
  if (http::to_lower(url).starts_with("https://")) {
    return std::unexpected(Problem{fmt::format("TLS to the origin is not available in this version: {}", quote(url)),
                                   "use an \"http://\" address of the service"});
  }
  const auto uri = http::parse_absolute_uri(url);
  if (!uri || uri->scheme != "http") return std::unexpected(malformed);
  if (uri->path != "/" || url.find_first_of("?#") != std::string_view::npos) {
    return std::unexpected(Problem{fmt::format("origin.servers takes no path: {}", quote(url)),
                                   fmt::format("write \"http://{}\"", uri->authority)});
  }
  Server server{.authority = uri->authority};
  std::string_view host = uri->authority;
  const std::size_t colon = host.rfind(':');
  if (colon != std::string_view::npos && host.find(']', colon) == std::string_view::npos) {
    std::from_chars(host.data() + colon + 1, host.data() + host.size(), server.port);
    host = host.substr(0, colon);
  }
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  server.host = host;
  return server;
}

Place place_of(const Settings& set, std::string_view path, const Place& otherwise) {
  const auto at = set.find(path);
  return at == set.end() ? otherwise : at->second;
}

void resolve_origins(Input& input, const Place& whole, Report& report) {
  for (OriginDraft& origin : input.origins) {
    if (!origin.set.contains("origin.servers")) {
      report.add(origin.at, "this origin has no servers", fmt::format("add {}", kOriginExample));
    } else if (!origin.servers.empty()) {
      auto server = parse_server(origin.servers.front());
      if (!server) {
        report.add(origin.set["origin.servers"], server.error().message, server.error().hint);
      } else {
        origin.config.url = origin.servers.front();
        origin.config.host = std::move(server->host);
        origin.config.port = server->port;
        origin.config.authority = std::move(server->authority);
        if (!origin.set.contains("origin.name")) origin.config.name = origin.config.authority;
      }
    }
  }
  for (std::size_t i = 0; i < input.origins.size(); ++i) {
    const OriginDraft& origin = input.origins[i];
    const auto end = input.origins.begin() + static_cast<std::ptrdiff_t>(i);
    const auto first = std::find_if(input.origins.begin(), end,
                                    [&](const OriginDraft& o) { return o.config.name == origin.config.name; });
    if (first == end || origin.config.name.empty()) continue;
    report.add(place_of(origin.set, "origin.name", origin.at),
               fmt::format("two origins are named {}: the first at {}", quote(origin.config.name),
                           place_of(first->set, "origin.name", first->at).to_string()),
               "give each a name of its own");
  }
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
    names.push_back(origin.config.name);
    is_name_missing = is_name_missing || origin.config.name.empty();
  }
  if (!route.set.contains("route.origin")) {
    if (input.origins.size() == 1) {
      route.config.origin = input.origins.front().config.name;
    } else if (input.origins.size() > 1) {
      report.add(route.at, "this route names no origin, and there are several",
                 fmt::format("add origin = \"{}\"", names.front()));
    }
    return;
  }
  if (is_name_missing || names.empty() || route.config.origin.empty()) return;
  if (std::ranges::find(names, route.config.origin) != names.end()) return;
  const std::string_view meant = nearest(route.config.origin, names);
  report.add(route.set["route.origin"], fmt::format("no origin is named {}", quote(route.config.origin)),
             meant.empty() ? fmt::format("known origins: {}", fmt::join(names, ", "))
                           : fmt::format("did you mean \"{}\"?", meant));
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

void resolve_routes(Input& input, Report& report) {
  if (input.routes.empty()) {
    if (input.origins.size() == 1) {
      input.routes.emplace_back().config.origin = input.origins.front().config.name;
      input.routes.front().at = input.origins.front().at;
    } else if (input.origins.size() > 1 && !input.is_incomplete) {
      report.add(input.origins[1].at, "there are several origins and no route",
                 R"(add [[route]] with host = "..." or path = "..." and origin = "...")");
    }
  }
  for (RouteDraft& route : input.routes) {
    if (auto host = normal_host(route.config.host)) {
      route.config.host = std::move(*host);
    } else {
      report.add(place_of(route.set, "route.host", route.at), host.error().message, host.error().hint);
    }
    if (const auto problem = check_path(route.config.path)) {
      report.add(place_of(route.set, "route.path", route.at), problem->message, problem->hint);
    }
    if (!route.set.contains("route.name"))
      route.config.name = fmt::format("{} {}", route.config.host, route.config.path);
    if (!route.set.empty()) resolve_route_origin(input, route, report);
    for (const auto& [path, place] : route.set) {
      if (!is_moot(*find_directive(path), input.draft(route))) continue;
      report.add(place, fmt::format("{} has no effect with miss = \"pass\"", path), "remove one of the two");
    }
  }
}

struct Bound {
  std::string_view lesser;
  std::string_view greater;
};

constexpr std::array kBounds = {
    Bound{"server.target_bytes", "server.header_bytes"},
    Bound{"collapse.waiters", "collapse.waiters_total"},
    Bound{"origin.timeout.connect", "origin.timeout.total"},
    Bound{"origin.timeout.first_byte", "origin.timeout.total"},
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

void check_listen_twice(const Input& input, const Place& whole, Report& report) {
  const auto& listen = input.config.listen;
  for (auto at = listen.begin(); at != listen.end(); ++at) {
    if (std::find(listen.begin(), at, *at) == at) continue;
    report.add(place_of(input.set, "server.listen", whole), fmt::format("server.listen names {} twice", quote(*at)),
               "remove one of the two");
  }
}

}  // namespace

void resolve(Input& input, const Place& whole, Report& report) {
  resolve_cache(input, whole, report);
  check_listen_twice(input, whole, report);
  apply_bounds("", input.draft(), input.set, report);
  for (OriginDraft& origin : input.origins) apply_bounds("origin", input.draft(origin), origin.set, report);
  for (RouteDraft& route : input.routes) apply_bounds("route", input.draft(route), route.set, report);
  resolve_origins(input, whole, report);
  resolve_routes(input, report);
  // Only what was read right can cover another.
  if (report.empty()) report_unreachable(input, report);
  for (OriginDraft& origin : input.origins) input.config.origins.push_back(std::move(origin.config));
  for (RouteDraft& route : input.routes) input.config.routes.push_back(std::move(route.config));
}

std::optional<Problem> check_origin_url(std::string_view url) {
  auto server = parse_server(url);
  if (server) return std::nullopt;
  return std::move(server.error());
}

}  // namespace seawall::config
