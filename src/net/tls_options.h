// What an operator may set of TLS, on either side. Immutable once published with a configuration.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"

namespace seawall::net {

enum class TlsVersion : std::uint8_t { kTls12, kTls13 };
// After Mozilla's server-side TLS guidelines; TLS 1.0 and 1.1 (RFC 8996) are in none of them here.
enum class TlsPolicy : std::uint8_t { kModern, kIntermediate, kOld };
enum class ClientAuth : std::uint8_t { kOff, kOptional, kRequired };

// PEM files.
struct CertificateFiles {
  std::string certificate;  // with the chain behind it
  std::string key;          // empty: in `certificate`
  std::string ocsp;         // DER, an OCSP response to staple; empty: none

  friend bool operator==(const CertificateFiles&, const CertificateFiles&) = default;
};

struct TlsServerOptions {
  std::vector<CertificateFiles> certificates;  // the first is for those who name no server, or an unknown one
  TlsPolicy policy = TlsPolicy::kIntermediate;
  std::optional<TlsVersion> min_version;  // in place of the policy's
  ClientAuth client_auth = ClientAuth::kOff;
  std::string client_ca;  // PEM: who may sign client certificates
  bool session_tickets = true;
  Seconds ticket_rotation{12 * 3600};  // a new key so often; tickets under the two before are still taken
  bool http2 = true;                   // offered by ALPN
  bool kernel = true;                  // kTLS, where the kernel has it

  friend bool operator==(const TlsServerOptions&, const TlsServerOptions&) = default;
};

struct TlsClientOptions {
  std::string ca;  // PEM; empty: the system's store
  bool verify = true;
  std::string server_name;  // for SNI and verification; empty: the host of the server's URL
  std::string certificate;  // PEM, with the chain; empty: no client certificate
  std::string key;          // PEM; empty: in `certificate`
  TlsVersion min_version = TlsVersion::kTls12;
  TlsVersion max_version = TlsVersion::kTls13;

  friend bool operator==(const TlsClientOptions&, const TlsClientOptions&) = default;
};

}  // namespace seawall::net
