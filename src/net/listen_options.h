// Where clients are accepted, and what they may speak there. Immutable once published with a configuration.
#pragma once

#include <cstdint>
#include <string>

namespace seawall::net {

// One entry of server.listen: "127.0.0.1:8080", ":443 tls", ":8443 tls plain proxy", ":8080 redirect=8443",
// "unix:/run/seawall.sock mode=660".
struct ListenOptions {
  std::string address;        // "ADDR:PORT"; empty for a Unix socket
  std::string path;           // of a Unix socket
  std::uint32_t mode = 0600;  // of a Unix socket
  bool takes_plain = true;
  bool takes_tls = false;           // told apart by the first byte where both are taken
  bool expects_proxy = false;       // a PROXY header in front, from trusted proxies
  bool redirects = false;           // plain requests get a redirect to https
  std::uint16_t redirect_port = 0;  // to that port; 0: to that of a listener which takes TLS

  friend bool operator==(const ListenOptions&, const ListenOptions&) = default;
};

}  // namespace seawall::net
