// What is known of a client's connection before its first request. Owned by the session, constant while it lives.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/ref.h"
#include "http/header_map.h"
#include "net/address.h"
#include "net/certificate.h"

namespace seawall::proxy {

// Of a connection under our TLS.
struct ClientTls {
  Ref<const net::Certificate> certificate;  // the one that the client was shown
  // What origins are told of the client's own: see forwarded.h. Null: it was not asked for one.
  std::unique_ptr<const http::HeaderMap> certificate_fields;
};

struct ClientInfo {
  std::string ip;          // the peer, or whom a trusted PROXY header names; "unix" for a Unix socket
  std::uint16_t port = 0;  // likewise
  std::unique_ptr<const net::Address> local;  // where it connected to; null unless an origin is to be told of it
  std::string_view scheme = "http";           // "https" under TLS, our own or that of a trusted proxy
  std::uint16_t https_port = 0;               // where its plain requests are redirected to; 0: they are not
  std::shared_ptr<const ClientTls> tls;       // null: not under our TLS
  // Of a client whose TLS a proxy has ended: the proxy's word on its certificate, for origins. Null: there was none.
  std::unique_ptr<const http::HeaderMap> told_certificate;
};

}  // namespace seawall::proxy
