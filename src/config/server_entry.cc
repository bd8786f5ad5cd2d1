#include "config/server_entry.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <optional>

#include "config/diagnostics.h"
#include "config/entry_words.h"
#include "config/suggest.h"
#include "http/list_syntax.h"
#include "http/uri.h"

namespace seawall::config {
namespace {

constexpr std::uint16_t kHttpsPort = 443;
constexpr std::uint64_t kMaxWeight = 1000;
constexpr std::array<std::string_view, 3> kParameters = {"weight", "backup", "drain"};

std::unexpected<Problem> refuse(std::string message, std::string hint = {}) {
  return std::unexpected(Problem{std::move(message), std::move(hint)});
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

std::expected<origin::ServerConfig, Problem> parse_srv(std::string_view url, std::string_view scheme) {
  const std::string prefix = fmt::format("srv+{}://", scheme);
  const std::string_view name = url.substr(prefix.size());
  const auto uri = http::parse_absolute_uri(fmt::format("{}://{}", scheme, name));
  const std::string form = fmt::format("{}_{}._tcp.", prefix, scheme);
  if (!uri || name.starts_with('[')) {
    return refuse(fmt::format("origin.servers must name a service as \"{}name\", not {}", form, quote(url)));
  }
  if (uri->path != "/" || name.find_first_of("?#") != std::string_view::npos) {
    return refuse(fmt::format("origin.servers takes no path: {}", quote(url)),
                  fmt::format("write \"{}{}\"", prefix, uri->authority));
  }
  if (const std::size_t colon = name.find(':'); colon != std::string_view::npos) {
    return refuse(fmt::format("origin.servers takes no port with SRV, whose records name it: {}", quote(url)),
                  fmt::format("write {}", quote(fmt::format("{}{}", prefix, name.substr(0, colon)))));
  }
  const std::string_view domain = without_service(uri->authority);
  if (domain.empty()) {
    return refuse(fmt::format("origin.servers must name a service as \"{}name\", not {}", form, quote(url)),
                  uri->authority.starts_with('_') ? "" : fmt::format("did you mean \"{}{}\"?", form, uri->authority));
  }
  origin::ServerConfig server{.url = std::string(url), .host = uri->authority, .authority = std::string(domain)};
  server.is_srv = true;
  return server;
}

std::expected<origin::ServerConfig, Problem> parse_host(std::string_view url) {
  const auto uri = http::parse_absolute_uri(url);
  if (!uri) {
    const bool has_scheme = url.find("://") != std::string_view::npos;
    return refuse(
        fmt::format("origin.servers must be \"http://host:port\" or \"https://host:port\", not {}", quote(url)),
        has_scheme || url.empty()
            ? ""
            : fmt::format("did you mean {}?",
                          quote(fmt::format("http{}://{}", url.ends_with(":443") ? "s" : "", url))));
  }
  if (uri->path != "/" || url.find_first_of("?#") != std::string_view::npos) {
    return refuse(fmt::format("origin.servers takes no path: {}", quote(url)),
                  fmt::format("write \"{}://{}\"", uri->scheme, uri->authority));
  }
  origin::ServerConfig server{.url = std::string(url), .host = {}, .authority = uri->authority};
  std::string_view host = uri->authority;
  const std::size_t colon = host.rfind(':');
  if (colon != std::string_view::npos && host.find(']', colon) == std::string_view::npos) {
    std::from_chars(host.data() + colon + 1, host.data() + host.size(), server.port);
    host = host.substr(0, colon);
  } else if (uri->scheme == "https") {
    server.port = kHttpsPort;
  }
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  server.host = host;
  return server;
}

std::expected<origin::ServerConfig, Problem> parse_url(std::string_view url) {
  const std::size_t end = url.find("://");
  const std::string scheme = http::to_lower(url.substr(0, end));
  const bool is_srv = end != std::string_view::npos && (scheme == "srv+http" || scheme == "srv+https");
  auto server = is_srv ? parse_srv(url, std::string_view(scheme).substr(4)) : parse_host(url);
  if (server) server->is_tls = scheme.ends_with("https");
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
