#include "proxy/forwarded.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "http/list_syntax.h"
#include "http/message_rules.h"
#include "http/uri.h"
#include "net/proxy_protocol.h"
#include "net/tls_server.h"

namespace seawall::proxy {
namespace {

using http::Field;

constexpr std::string_view kUnix = "unix";
constexpr std::string_view kVerifyField = "X-SSL-Client-Verify";
constexpr std::string_view kSubjectField = "X-SSL-Client-S-DN";

// RFC 7239 section 6: a port, which may be an invented one.
bool is_port(std::string_view text) {
  return text.size() <= 64 && http::is_token(text);
}

// The address of "10.0.0.1", "10.0.0.1:80", "::1", "[::1]" or "[::1]:80"; nullopt for "unknown", "_hidden" and whatever
// else says nothing.
std::optional<net::IpText> node_ip(std::string_view node) {
  if (node.starts_with('[')) {
    const std::size_t end = node.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view behind = node.substr(end + 1);
    if (!behind.empty() && (behind.front() != ':' || !is_port(behind.substr(1)))) return std::nullopt;
    const std::string_view ip = node.substr(1, end - 1);
    return ip.find(':') == std::string_view::npos ? std::nullopt : net::normalise_ip(ip);
  }
  const std::size_t colon = node.find(':');
  const bool has_port = colon != std::string_view::npos && node.find(':', colon + 1) == std::string_view::npos;
  if (!has_port) return net::normalise_ip(node);
  return is_port(node.substr(colon + 1)) ? net::normalise_ip(node.substr(0, colon)) : std::nullopt;
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
    const auto ip = element && element->node ? node_ip(*element->node) : std::nullopt;
    if (!ip) break;
    client = {.ip = *ip, .scheme = element->scheme};
    if (!trusted.contains(client.ip.view())) break;
  }
  return client;
}

// The last element that is not empty, taken off `list`. Empty: there is none left.
std::string_view take_last_plain(std::string_view& list) {
  std::string_view element;
  while (element.empty() && !list.empty()) {
    const std::size_t comma = list.rfind(',');
    element = http::trim_ows(comma == list.npos ? list : list.substr(comma + 1));
    list = comma == list.npos ? std::string_view() : list.substr(0, comma);
  }
  return element;
}

std::size_t count_plain(std::string_view list) {
  std::size_t n = 0;
  while (!take_last_plain(list).empty()) ++n;
  return n;
}

// The scheme that belongs to an entry of X-Forwarded-For: when each of the `hops` proxies has added its own, the one at
// the same place, counted from the right; else that of the nearest proxy.
std::string_view told_proto(const http::HeaderMap& headers, std::size_t hop, std::size_t hops) {
  std::string scratch;
  std::string_view list = headers.combined(Field::kXForwardedProto, scratch).value_or("");
  if (list.empty()) return {};
  std::string_view scheme = take_last_plain(list);
  if (hop > 0 && count_plain(list) + 1 == hops) {
    while (hop-- > 0) scheme = take_last_plain(list);
  }
  return scheme_of(scheme);
}

ForwardedClient walk_x_forwarded_for(const http::HeaderMap& headers, std::string_view list,
                                     const TrustedProxies& trusted) {
  ForwardedClient client;
  std::size_t found = 0;
  std::string_view rest = list;
  for (std::size_t hop = 0; hop < kMaxForwardedHops; ++hop) {
    const std::string_view node = take_last_plain(rest);
    const auto ip = node.empty() ? std::nullopt : node_ip(node);
    if (!ip) break;
    client.ip = *ip;
    found = hop;
    if (!trusted.contains(client.ip.view())) break;
  }
  if (headers.contains(Field::kXForwardedProto)) client.scheme = told_proto(headers, found, count_plain(list));
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

// RFC 2253 section 2.4, so that no name can look like more than one attribute. As OpenSSL writes it, all but printable
// ASCII is in hexadecimal.
std::string escaped_attribute(std::string_view value) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    const auto byte = static_cast<std::uint8_t>(c);
    if (byte < 0x20 || byte >= 0x7F) {
      out += '\\';
      out += kDigits[byte >> 4];
      out += kDigits[byte & 0xF];
      continue;
    }
    const bool is_at_an_end = (c == ' ' && (i == 0 || i + 1 == value.size())) || (c == '#' && i == 0);
    if (is_at_an_end || std::string_view(",+\"\\<>;").contains(c)) out += '\\';
    out += c;
  }
  return out;
}

}  // namespace

bool TrustedProxies::contains(std::string_view ip) const {
  if (ip == kUnix) return has_unix;
  const auto parsed = net::Network::parse_ip(ip);
  return parsed &&
         std::ranges::any_of(networks, [&](const net::Network& network) { return network.contains(*parsed); });
}

ForwardedClient find_forwarded(const http::HeaderMap& headers, std::string_view peer_ip,
                               const TrustedProxies& trusted) {
  if (!trusted.contains(peer_ip)) return {};
  std::string scratch;
  if (const auto chain = headers.combined(Field::kXForwardedFor, scratch)) {
    return walk_x_forwarded_for(headers, *chain, trusted);
  }
  ForwardedClient client;
  if (const auto list = headers.combined(Field::kForwarded, scratch)) client = walk_forwarded(*list, trusted);
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
  return http::begins_like(name, "x-forwarded") ||
         (name.size() == 9 && (http::begins_like(name, "forwarded") || http::begins_like(name, "x-real-ip")));
}

bool is_certificate_field(std::string_view name) {
  return http::begins_like(name, "client-cert") || http::begins_like(name, "x-client-cert") ||
         http::begins_like(name, "x-ssl-client");
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

http::HeaderMap certificate_fields(const net::ClientCertificate& shown) {
  http::HeaderMap fields;
  fields.add(kVerifyField, field_text(shown.verification));
  if (!shown.subject.empty()) fields.add(kSubjectField, field_text(shown.subject));
  if (!shown.fingerprint.empty()) fields.add("X-SSL-Client-Fingerprint", shown.fingerprint);
  // RFC 9440 section 2.2. Who reads but this must not take one that failed for good.
  if (shown.verification == "SUCCESS" && !shown.der.empty()) fields.add("Client-Cert", ":" + base64(shown.der) + ":");
  return fields;
}

http::HeaderMap certificate_fields(const net::ProxySsl& told) {
  http::HeaderMap fields;
  // "Verified" is said of those too who have shown none.
  const bool has_one = told.has_certificate || told.has_session_certificate;
  fields.add(kVerifyField, !has_one           ? "NONE"
                           : told.verify == 0 ? "SUCCESS"
                                              : "FAILED:error " + std::to_string(told.verify));
  if (has_one && !told.common_name.empty()) fields.add(kSubjectField, "CN=" + escaped_attribute(told.common_name));
  return fields;
}

void write_client_certificate(http::HeaderMap& headers, const Hop& hop) {
  const http::HeaderMap* fields = hop.told_certificate;
  // Else the client's TLS ends here, if it has any.
  if (fields == nullptr) {
    if (!hop.tells_certificate || hop.tls == nullptr) return;
    fields = hop.tls->certificate_fields.get();
  }
  if (fields == nullptr) return headers.add(kVerifyField, "NONE");
  for (const auto field : *fields) headers.add(field.field, field.name, field.value);
}

}  // namespace seawall::proxy
