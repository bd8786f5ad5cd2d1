// Where a request comes from, when proxies stand in between: what of Forwarded (RFC 7239) and X-Forwarded-* is
// believed, and what an origin is told in these fields. Pure. Thread: any.
//
// Only what a trusted proxy sends is believed. Each proxy adds its own peer at the right, so the search goes from there
// over the addresses that are trusted themselves, to the first that is not: the client. What stands left of that is the
// client's own invention.
//
// Of the two families of fields X-Forwarded-For decides where it is there. Most proxies write it, and hand on a
// Forwarded that they do not know: to prefer that, or to fall back to the proxy's own address where the two disagree,
// would let any client choose who it is. So a Forwarded beside X-Forwarded-For counts for nothing, and is dropped when
// it names another client.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "http/header_map.h"
#include "http/message.h"
#include "net/address.h"
#include "net/network.h"
#include "proxy/client_info.h"

namespace seawall::net {
struct ClientCertificate;
struct ProxySsl;
}  // namespace seawall::net

namespace seawall::proxy {

// Longer chains are not followed further.
inline constexpr std::size_t kMaxForwardedHops = 32;

// Whose word counts.
struct TrustedProxies {
  std::span<const net::Network> networks{};
  bool has_unix = false;  // peers on Unix sockets

  bool empty() const { return networks.empty() && !has_unix; }
  bool contains(std::string_view ip) const;  // as net::Address::ip() writes it
};

// What trusted proxies told of a request.
struct ForwardedClient {
  net::IpText ip;           // empty: nobody but the peer
  std::string_view scheme;  // "http" or "https"; empty: none was told

  friend bool operator==(const ForwardedClient&, const ForwardedClient&) = default;
};

// Whether there is anything to read, at the cost of a few bits.
inline bool may_be_forwarded(const http::HeaderMap& headers) {
  return headers.contains(http::Field::kXForwardedFor) || headers.contains(http::Field::kForwarded) ||
         headers.contains(http::Field::kXForwardedProto);
}

// `peer_ip` is who is connected to us, or whom a PROXY header named. Nothing from a peer that is not trusted.
ForwardedClient find_forwarded(const http::HeaderMap& headers, std::string_view peer_ip, const TrustedProxies& trusted);

// Makes the scheme that was told the request's own; the authority loses and keeps its port accordingly.
void apply_scheme(http::RequestHead& request, std::string_view scheme);

// How a request came to us.
struct Hop {
  std::string_view peer_ip;                           // as above
  std::string_view scheme;                            // of the connection to us
  TrustedProxies trusted{};                           // who may have told more
  const ClientTls* tls = nullptr;                     // null: not under our TLS
  bool tells_certificate = false;                     // the client's, to origins
  const http::HeaderMap* told_certificate = nullptr;  // what a PROXY header told of it; null: nothing
};

// Whether a client could deceive an origin with a field of that name: what proxies write of clients, and of their
// certificates. '_' counts as '-', since CGI and its heirs cannot tell them apart.
bool is_forwarding_field(std::string_view name);
bool is_certificate_field(std::string_view name);

// Writes Forwarded and X-Forwarded-* of a request that goes to an origin. `headers` still holds those of the peer,
// which stay and are added to when it is trusted.
void write_forwarded(http::HeaderMap& headers, const http::RequestHead& request, const Hop& hop);

// What origins are told of a certificate: Client-Cert (RFC 9440) and X-SSL-Client-*.
http::HeaderMap certificate_fields(const net::ClientCertificate& shown);
// As far as a PROXY header tells: whether there is one, whether it is good, and its common name.
http::HeaderMap certificate_fields(const net::ProxySsl& told);

// Writes these of the connection's client. None of its own are left in `headers`.
void write_client_certificate(http::HeaderMap& headers, const Hop& hop);

}  // namespace seawall::proxy
