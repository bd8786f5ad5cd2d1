// What is known of a client's connection before its first request. Owned by the session, constant while it lives.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/ref.h"
#include "net/certificate.h"

namespace seawall::proxy {

// Of a connection under TLS.
struct ClientTls {
  std::string version;      // "TLSv1.3"
  std::string cipher;       // "TLS_AES_128_GCM_SHA256"
  std::string server_name;  // SNI; empty: none
  bool is_resumed = false;
  Ref<const net::Certificate> certificate;  // the one that the client was shown
  // Of the client's own certificate.
  std::string verify = "NONE";  // "SUCCESS", "NONE" or "FAILED:reason"
  std::string subject;          // RFC 2253
  std::string fingerprint;      // SHA-256, hexadecimal
  std::string der;              // the certificate itself, for Client-Cert (RFC 9440)
};

struct ClientInfo {
  std::string ip;          // the peer, or whom a trusted PROXY header names; "unix" for a Unix socket
  std::uint16_t port = 0;  // likewise
  std::string peer_ip;     // who is connected to us
  std::string local_ip;    // where to; empty unless an origin is to be told (origin.proxy_protocol)
  std::uint16_t local_port = 0;
  std::string scheme = "http";           // "https" under TLS, our own or that of a trusted proxy
  std::uint16_t https_port = 0;          // where its plain requests are redirected to; 0: they are not
  std::shared_ptr<const ClientTls> tls;  // null: not under our TLS
};

}  // namespace seawall::proxy
