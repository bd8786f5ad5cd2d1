// A configuration ready to serve: routes and origins joined with what lives under their names.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "base/ref.h"
#include "config/config.h"
#include "net/certificate.h"
#include "net/network.h"
#include "net/ticket_keys.h"
#include "net/tls_server.h"
#include "proxy/router.h"
#include "server/registry.h"

namespace seawall::server {

struct Snapshot {
  Ref<const proxy::Router> router;
  std::vector<config::OriginConfig> origins;  // by the router's index
  std::vector<OriginRuntime> runtimes;        // likewise
  std::size_t memory_bytes = 0;
  std::vector<net::Network> purge_from;
  std::vector<net::Network> trusted_proxies;
  bool trusts_unix = false;
  std::uint16_t https_port = 0;                // where redirects lead to that name no port
  std::vector<Ref<const net::TlsServer>> tls;  // by worker; empty without certificates
  std::vector<Ref<const net::Certificate>> certificates;
  bool asks_client = false;      // for a certificate
  bool tells_addresses = false;  // some origin gets PROXY headers
  bool uses_kernel = false;      // kTLS
};

// The error is text for a person: certificates may have changed since the configuration was checked.
std::expected<Snapshot, std::string> make_snapshot(const config::Config& config, Registry& registry,
                                                   const std::shared_ptr<net::TicketKeys>& tickets,
                                                   std::uint32_t workers, const Clock& clock);

struct Renewal {
  Snapshot snapshot;
  bool has_changed = false;
  std::vector<std::string> errors;  // text for a person: whose files are not right, the old ones stay in use
};
// The same with the certificates as they are in their files now, those for the origins too: one that is not right keeps
// back no other. `config` is the one of `old`.
Renewal with_new_certificates(const Snapshot& old, const config::Config& config, Registry& registry,
                              const std::shared_ptr<net::TicketKeys>& tickets, const Clock& clock);

// Waits until every name of the origins that are not in `before` has been answered, so that the first requests find all
// servers; at most as long as two lookups may take, for a service needs two, and 4 s. What is not known by then is
// logged, and tried again while serving. Thread: the main thread.
void resolve_origins(Snapshot& snapshot, const Snapshot* before, const net::ResolverOptions& dns,
                     origin::Observer& observer, const Clock& clock);

}  // namespace seawall::server
