#include "config/server_entry.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "config/diagnostics.h"
#include "config/suggest.h"
#include "http/list_syntax.h"
#include "http/uri.h"

namespace seawall::config {
namespace {

constexpr std::string_view kSrvScheme = "srv+http://";
constexpr std::uint64_t kMaxWeight = 1000;
constexpr std::array<std::string_view, 3> kParameters = {"weight", "backup", "drain"};

std::unexpected<Problem> refuse(std::string message, std::string hint = {}) {
  return std::unexpected(Problem{std::move(message), std::move(hint)});
}

// The next word, taken off `rest`; empty: there is none.
std::string_view take_word(std::string_view& rest) {
  rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
  const std::string_view word = rest.substr(0, rest.find_first_of(" \t"));
  rest.remove_prefix(word.size());
  return word;
}

// What follows "_service._proto."; empty: it does not begin so.
std::string_view without_service(std::string_view name) {
  for (int label = 0; label < 2; ++label) {
    const std::size_t dot = name.find('.');
    if (dot == std::string_view::npos || dot < 2 || name[0] != '_') return {};
    name.remove_prefix(dot + 1);
  }
  return name;
}

std::expected<origin::ServerConfig, Problem> parse_srv(std::string_view url) {
  const std::string_view name = url.substr(kSrvScheme.size());
  const auto uri = http::parse_absolute_uri(fmt::format("http://{}", name));
  if (!uri || name.starts_with('[')) {
    return refuse(
        fmt::format("origin.servers must name a service as \"{}_http._tcp.name\", not {}", kSrvScheme, quote(url)));
  }
  if (uri->path != "/" || name.find_first_of("?#") != std::string_view::npos) {
    return refuse(fmt::format("origin.servers takes no path: {}", quote(url)),
                  fmt::format("write \"{}{}\"", kSrvScheme, uri->authority));
  }
  if (const std::size_t colon = name.find(':'); colon != std::string_view::npos) {
    return refuse(fmt::format("origin.servers takes no port with SRV, whose records name it: {}", quote(url)),
                  fmt::format("write {}", quote(fmt::format("{}{}", kSrvScheme, name.substr(0, colon)))));
  }
  const std::string_view domain = without_service(uri->authority);
  if (domain.empty()) {
    return refuse(
        fmt::format("origin.servers must name a service as \"{}_http._tcp.name\", not {}", kSrvScheme, quote(url)),
        uri->authority.starts_with('_') ? ""
                                        : fmt::format("did you mean \"{}_http._tcp.{}\"?", kSrvScheme, uri->authority));
  }
  return origin::ServerConfig{
      .url = std::string(url), .host = uri->authority, .authority = std::string(domain), .is_srv = true};
}

std::expected<origin::ServerConfig, Problem> parse_url(std::string_view url) {
  const std::string scheme = http::to_lower(url.substr(0, url.find("://")));
  if (scheme == "https" || scheme == "srv+https") {
    return refuse(fmt::format("TLS to the origin is not available in this version: {}", quote(url)),
                  "use an \"http://\" address of the service");
  }
  if (scheme == "srv+http" && url.size() >= kSrvScheme.size()) return parse_srv(url);
  const auto uri = http::parse_absolute_uri(url);
  if (!uri || uri->scheme != "http") {
    return refuse(fmt::format("origin.servers must be \"http://host\" or \"http://host:port\", not {}", quote(url)),
                  url.find("://") == std::string_view::npos && !url.empty()
                      ? fmt::format("did you mean {}?", quote(fmt::format("http://{}", url)))
                      : "");
  }
  if (uri->path != "/" || url.find_first_of("?#") != std::string_view::npos) {
    return refuse(fmt::format("origin.servers takes no path: {}", quote(url)),
                  fmt::format("write \"http://{}\"", uri->authority));
  }
  origin::ServerConfig server{.url = std::string(url), .host = {}, .authority = uri->authority};
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

std::optional<Problem> apply_weight(std::string_view word, std::string_view value, origin::ServerConfig& server) {
  const auto weight = http::parse_uint(value);
  if (!weight || *weight == 0 || *weight > kMaxWeight) {
    return Problem{fmt::format("origin.servers takes a weight from 1 to {}, not {}", kMaxWeight, quote(word)),
                   weight == 0 ? fmt::format("\"{} drain\" keeps requests away from it", server.url)
                               : fmt::format("for example \"{} weight=2\"", server.url)};
  }
  if (server.is_srv) {
    return Problem{fmt::format("origin.servers takes no weight with SRV, whose records name it: {}", quote(word)),
                   "leave it out"};
  }
  server.weight = static_cast<std::uint32_t>(*weight);
  return std::nullopt;
}

std::optional<Problem> apply_parameter(std::string_view word, origin::ServerConfig& server) {
  const std::size_t equals = word.find('=');
  const std::string_view name = word.substr(0, equals);
  if (name == "weight") {
    return apply_weight(word, equals == std::string_view::npos ? "" : word.substr(equals + 1), server);
  }
  if (word == "backup" || word == "drain") {
    (word == "backup" ? server.is_backup : server.is_drain) = true;
    return std::nullopt;
  }
  const std::string_view meant = nearest(name, kParameters);
  return Problem{fmt::format("origin.servers has an unknown parameter {} of {}", quote(word), quote(server.url)),
                 meant.empty() ? "parameters are weight=N, backup and drain"
                               : fmt::format("did you mean \"{}{}\"?", meant, meant == "weight" ? "=N" : "")};
}

}  // namespace

std::expected<origin::ServerConfig, Problem> parse_server(std::string_view entry) {
  std::string_view rest = entry;
  auto server = parse_url(take_word(rest));
  if (!server) return server;
  std::array<bool, kParameters.size()> seen{};
  for (std::string_view word = take_word(rest); !word.empty(); word = take_word(rest)) {
    if (auto problem = apply_parameter(word, *server)) return std::unexpected(std::move(*problem));
    for (std::size_t i = 0; i < kParameters.size(); ++i) {
      if (word.substr(0, word.find('=')) != kParameters[i]) continue;
      if (seen[i]) {
        return refuse(fmt::format("origin.servers gives {} twice: {}", kParameters[i], quote(entry)),
                      "remove one of the two");
      }
      seen[i] = true;
    }
  }
  return server;
}

std::string format_server(const origin::ServerConfig& server) {
  std::string text = server.url;
  if (server.weight != 1) text += fmt::format(" weight={}", server.weight);
  if (server.is_backup) text += " backup";
  if (server.is_drain) text += " drain";
  return text;
}

}  // namespace seawall::config
