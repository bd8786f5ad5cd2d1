// The PROXY protocol, versions 1 and 2 (HAProxy's doc/proxy-protocol.txt): who is at the other end of a connection that
// a proxy has made. Pure: bytes in and out. Only who is trusted may be asked for it; that is the caller's part.
// Thread: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/address.h"

namespace seawall::net {

enum class ProxyVersion : std::uint8_t { kOff, kV1, kV2 };

// Header and vectors together; the format would allow 64 KiB.
inline constexpr std::size_t kMaxProxyHeaderBytes = 4096;

// PP2_TYPE_SSL: what the proxy says of the client's TLS.
struct ProxySsl {
  bool is_tls = false;                   // PP2_CLIENT_SSL
  bool has_certificate = false;          // PP2_CLIENT_CERT_CONN: shown on this connection
  bool has_session_certificate = false;  // PP2_CLIENT_CERT_SESS: shown on some connection of its TLS session
  std::uint32_t verify = 0;              // 0: the certificate was verified
  std::string version;                   // "TLSv1.3"
  std::string common_name;               // of the client's certificate
};

struct ProxyHeader {
  enum class Command : std::uint8_t {
    kLocal,  // the proxy's own connection, a health check: its real ends count
    kProxy,  // made for another
  };
  std::size_t consumed = 0;  // bytes
  ProxyVersion version = ProxyVersion::kOff;
  Command command = Command::kProxy;
  // None where the header names none that a TCP client could have: LOCAL, UNKNOWN, datagrams, Unix sockets.
  std::optional<Address> source;
  std::optional<Address> destination;
  // Version 2.
  std::string authority;  // PP2_TYPE_AUTHORITY: SNI, as a rule
  std::string alpn;
  std::string unique_id;
  std::optional<ProxySsl> ssl;
};

struct ProxyParse {
  enum class Status : std::uint8_t {
    kIncomplete,  // the beginning of a header: come again with more
    kAbsent,      // something else begins here
    kMalformed,   // begins as a header, and is none
    kComplete,
  };
  Status status = Status::kIncomplete;
  ProxyHeader header;             // with kComplete
  std::string_view problem = {};  // with kMalformed: text for a person, static
};

// `bytes` is all that has come since the connection began. More than kMaxProxyHeaderBytes are never incomplete.
ProxyParse parse_proxy_header(std::string_view bytes);

// The header of a connection made for `source`, which reached us at `destination`; of an unknown one where either is no
// IP address. kOff: nothing.
std::string proxy_header(ProxyVersion version, const Address& source, const Address& destination);
// Of a connection of our own: LOCAL, for which version 1 has but UNKNOWN.
std::string local_proxy_header(ProxyVersion version);

}  // namespace seawall::net
