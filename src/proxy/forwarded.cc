#include "proxy/forwarded.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "http/list_syntax.h"
#include "http/uri.h"
#include "net/address.h"

namespace seawall::proxy {
namespace {

using http::Field;

constexpr std::string_view kUnix = "unix";

// As net::Address::ip() writes it; nullopt: not an address.
std::optional<std::string> normal_ip(std::string_view text) {
  if (text.empty() || text.find_first_not_of("0123456789abcdefABCDEF.:") != std::string_view::npos) return std::nullopt;
  const bool is_v6 = text.find(':') != std::string_view::npos;
  const auto address = net::Address::parse((is_v6 ? "[" : "") + std::string(text) + (is_v6 ? "]:0" : ":0"));
  if (!address) return std::nullopt;
  return address->ip();
}

// RFC 7239 section 6: a port, which may be an invented one.
bool is_port(std::string_view text) {
  return text.size() <= 64 && http::is_token(text);
}

// The address of "10.0.0.1", "10.0.0.1:80", "::1", "[::1]" or "[::1]:80"; nullopt for "unknown", "_hidden" and whatever
// else says nothing.
std::optional<std::string> node_ip(std::string_view node) {
  if (node.starts_with('[')) {
    const std::size_t end = node.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view behind = node.substr(end + 1);
    if (!behind.empty() && (behind.front() != ':' || !is_port(behind.substr(1)))) return std::nullopt;
    const std::string_view ip = node.substr(1, end - 1);
    return ip.find(':') == std::string_view::npos ? std::nullopt : normal_ip(ip);
  }
  const std::size_t colon = node.find(':');
  const bool has_port = colon != std::string_view::npos && node.find(':', colon + 1) == std::string_view::npos;
  if (!has_port) return normal_ip(node);
  return is_port(node.substr(colon + 1)) ? normal_ip(node.substr(0, colon)) : std::nullopt;
}

std::string_view scheme_of(std::string_view text) {
  if (http::iequals(text, "https")) return "https";
  return http::iequals(text, "http") ? "http" : "";
}

// The last element, taken off `list` with its comma. From the right: so what a client has begun and not ended, such as
// a quoted string, cannot swallow what a proxy wrote behind it.
std::string_view take_last(std::string_view& list) {
  const auto is_escaped = [&](std::size_t at) {
    std::size_t backslashes = 0;
    while (backslashes < at && list[at - backslashes - 1] == '\\') ++backslashes;
    return backslashes % 2 != 0;
  };
  bool is_quoted = false;
  std::size_t begin = list.size();
  for (; begin > 0 && (is_quoted || list[begin - 1] != ','); --begin) {
    if (list[begin - 1] == '"' && !(is_quoted && is_escaped(begin - 1))) is_quoted = !is_quoted;
  }
  const std::string_view element = http::trim_ows(list.substr(begin));
  list = list.substr(0, begin == 0 ? 0 : begin - 1);
  return element;
}

// One element of Forwarded; nullopt when it is malformed (RFC 7239 section 4).
struct ForwardedElement {
  std::optional<std::string> node;  // for=
  std::string_view scheme;          // proto=
};
std::optional<ForwardedElement> parse_element(std::string_view element) {
  ForwardedElement parsed;
  bool has_proto = false;
  while (true) {
    bool is_quoted = false;
    std::size_t end = 0;
    for (; end < element.size() && (is_quoted || element[end] != ';'); ++end) {
      if (element[end] == '"') {
        is_quoted = !is_quoted;
      } else if (is_quoted && element[end] == '\\') {
        ++end;
      }
    }
    const http::Directive pair = http::split_directive(http::trim_ows(element.substr(0, end)));
    auto value = pair.value.starts_with('"')  ? http::unquote(pair.value)
                 : http::is_token(pair.value) ? std::optional(std::string(pair.value))
                                              : std::nullopt;
    if (!http::is_token(pair.name) || !value) return std::nullopt;
    if (http::iequals(pair.name, "for")) {
      if (parsed.node) return std::nullopt;
      parsed.node = std::move(*value);
    } else if (http::iequals(pair.name, "proto")) {
      if (std::exchange(has_proto, true)) return std::nullopt;
      parsed.scheme = scheme_of(*value);
    }
    if (end >= element.size()) return parsed;
    element.remove_prefix(end + 1);
  }
}

ForwardedClient walk_forwarded(std::string_view list, const TrustedProxies& trusted) {
  ForwardedClient client;
  for (std::size_t hop = 0; hop < kMaxForwardedHops && !list.empty(); ++hop) {
    const std::string_view text = take_last(list);
    if (text.empty()) continue;
    const auto element = parse_element(text);
    auto ip = element && element->node ? node_ip(*element->node) : std::nullopt;
    if (!ip) break;
    client = {.ip = std::move(*ip), .scheme = element->scheme};
    if (!trusted.contains(client.ip)) break;
  }
  return client;
}

std::vector<std::string_view> elements_of(std::string_view list) {
  std::vector<std::string_view> elements;
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    const std::string_view element = http::trim_ows(list.substr(0, comma));
    if (!element.empty()) elements.push_back(element);
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
  }
  return elements;
}

// The scheme that belongs to one of `hops` entries of X-Forwarded-For, counted from the left: when each proxy has added
// its own the one at the same place, else that of the nearest proxy.
std::string_view told_proto(const http::HeaderMap& headers, std::size_t hop, std::size_t hops) {
  const auto list = headers.combined(Field::kXForwardedProto);
  if (!list) return {};
  const auto schemes = elements_of(*list);
  if (schemes.empty()) return {};
  return scheme_of(schemes.size() == hops ? schemes[hop] : schemes.back());
}

ForwardedClient walk_x_forwarded_for(const http::HeaderMap& headers, std::string_view list,
                                     const TrustedProxies& trusted) {
  const auto nodes = elements_of(list);
  if (nodes.empty()) return {.ip = {}, .scheme = told_proto(headers, 0, 0)};
  ForwardedClient client;
  std::size_t found = nodes.size() - 1;
  const std::size_t end = nodes.size() - std::min(nodes.size(), kMaxForwardedHops);
  for (std::size_t at = nodes.size(); at-- > end;) {
    auto ip = node_ip(nodes[at]);
    if (!ip) break;
    client.ip = std::move(*ip);
    found = at;
    if (!trusted.contains(client.ip)) break;
  }
  client.scheme = told_proto(headers, found, nodes.size());
  return client;
}

bool is_well_formed(std::string_view forwarded) {
  http::ListCursor cursor(forwarded);
  while (const auto element = cursor.next()) {
    if (!parse_element(*element)) return false;
  }
  return true;
}

// What a trusted peer sent, if it can be sent on: see above, and what is not well-formed would swallow what follows it.
std::string kept_forwarded(const http::HeaderMap& headers, const TrustedProxies& trusted) {
  auto list = headers.combined(Field::kForwarded);
  if (!list || !is_well_formed(*list)) return {};
  const auto chain = headers.combined(Field::kXForwardedFor);
  if (chain && walk_forwarded(*list, trusted).ip != walk_x_forwarded_for(headers, *chain, trusted).ip) return {};
  return std::move(*list);
}

// RFC 7239 section 6.
std::string forwarded_node(std::string_view ip) {
  if (ip == kUnix) return "_unix";
  const bool is_v6 = ip.find(':') != std::string_view::npos;
  return is_v6 ? "\"[" + std::string(ip) + "]\"" : std::string(ip);
}

void append_element(std::string& list, std::string_view element) {
  if (!list.empty()) list += ", ";
  list += element;
}

// Without case, and with '_' as '-'. `prefix` is in lower case.
bool begins_like(std::string_view name, std::string_view prefix) {
  const auto is_same = [](char a, char b) { return (a == '_' ? '-' : http::to_lower(a)) == b; };
  return name.size() >= prefix.size() && std::ranges::equal(name.substr(0, prefix.size()), prefix, is_same);
}

// RFC 4648 section 4.
std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t j = i; j < i + 3; ++j) {
      group = group << 8 | (j < bytes.size() ? static_cast<std::uint8_t>(bytes[j]) : 0U);
    }
    for (std::size_t digit = 0; digit < 4; ++digit) {
      const bool is_padding = i + digit > bytes.size();
      out += is_padding ? '=' : kDigits[group >> (18 - 6 * digit) & 0x3F];
    }
  }
  return out;
}

// A certificate may say anything; what cannot stand in a field is shown as '?'.
std::string field_text(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (static_cast<std::uint8_t>(c) < 0x20 || c == 0x7F) c = '?';
  }
  return out;
}

}  // namespace

bool TrustedProxies::contains(std::string_view ip) const {
  if (ip == kUnix) return has_unix;
  return std::ranges::any_of(networks, [&](const net::Network& network) { return network.contains(ip); });
}

ForwardedClient find_forwarded(const http::HeaderMap& headers, std::string_view peer_ip,
                               const TrustedProxies& trusted) {
  if (!trusted.contains(peer_ip)) return {};
  if (const auto chain = headers.combined(Field::kXForwardedFor)) {
    return walk_x_forwarded_for(headers, *chain, trusted);
  }
  ForwardedClient client;
  if (const auto list = headers.combined(Field::kForwarded)) client = walk_forwarded(*list, trusted);
  if (client.scheme.empty()) client.scheme = told_proto(headers, 0, 0);
  return client;
}

void apply_scheme(http::RequestHead& request, std::string_view scheme) {
  if (request.scheme == scheme) return;
  request.scheme = scheme;
  const std::string_view host = request.headers.find(Field::kHost).value_or(request.authority);
  if (auto authority = http::normalise_authority(host, scheme)) request.authority = std::move(*authority);
}

bool is_forwarding_field(std::string_view name) {
  return begins_like(name, "x-forwarded") || (name.size() == 9 && begins_like(name, "forwarded"));
}

bool is_certificate_field(std::string_view name) {
  return begins_like(name, "client-cert") || begins_like(name, "x-client-cert") || begins_like(name, "x-ssl-client");
}

void write_forwarded(http::HeaderMap& headers, const http::RequestHead& request, const Hop& hop) {
  const bool keeps = hop.trusted.contains(hop.peer_ip);
  std::string forwarded = keeps ? kept_forwarded(headers, hop.trusted) : "";
  std::string chain = keeps ? headers.combined(Field::kXForwardedFor).value_or("") : "";
  std::string element = "for=" + forwarded_node(hop.peer_ip) + ";proto=" + std::string(hop.scheme);
  if (!request.authority.empty()) element += ";host=\"" + request.authority + "\"";
  append_element(forwarded, element);
  headers.set(Field::kForwarded, forwarded);

  // There is no word for such a peer that others would read over.
  if (hop.peer_ip != kUnix) append_element(chain, hop.peer_ip);
  if (chain.empty()) {
    headers.remove(Field::kXForwardedFor);
  } else {
    headers.set(Field::kXForwardedFor, chain);
  }
  headers.set(Field::kXForwardedProto, request.scheme);
  if (keeps && headers.contains(Field::kXForwardedHost)) return;
  if (request.authority.empty()) {
    headers.remove(Field::kXForwardedHost);
  } else {
    headers.set(Field::kXForwardedHost, request.authority);
  }
}

void write_client_certificate(http::HeaderMap& headers, const Hop& hop) {
  if (!hop.tells_certificate || hop.tls == nullptr) return;
  const ClientTls& tls = *hop.tls;
  headers.add("X-SSL-Client-Verify", field_text(tls.verify));
  if (!tls.subject.empty()) headers.add("X-SSL-Client-S-DN", field_text(tls.subject));
  if (!tls.fingerprint.empty()) headers.add("X-SSL-Client-Fingerprint", tls.fingerprint);
  // RFC 9440 section 2.2. Who reads but this must not take one that failed for good.
  if (tls.verify == "SUCCESS" && !tls.der.empty()) headers.add("Client-Cert", ":" + base64(tls.der) + ":");
}

}  // namespace seawall::proxy
