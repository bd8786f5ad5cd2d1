// TLS with clients: the certificates of one worker, chosen by the name that the client asks for, and what is offered
// with them. Everything that OpenSSL needs is set up here once; a connection only refers to it. Immutable. Connections
// keep it alive over reloads. Thread: made on any, used by one worker: contexts shared between workers would make them
// wait for each other.
#pragma once

#include <cstddef>
#include <expected>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/ref.h"
#include "net/certificate.h"
#include "net/openssl_ptr.h"
#include "net/ticket_keys.h"
#include "net/tls_engine.h"
#include "net/tls_options.h"

namespace seawall::net {

// What a client has shown of itself, for headers to the origin and for the log.
struct ClientCertificate {
  std::string verification = "NONE";  // "SUCCESS", "FAILED:reason", "NONE": it has shown none
  std::string subject;                // RFC 2253
  std::string fingerprint;            // SHA-256, hexadecimal
  std::string der;
};

class TlsServer final : public RefCounted<TlsServer> {
 public:
  // The first certificate is for clients that name no server, or one of nobody's. Certificates that have a name
  // in common serve it together, and the client's abilities choose; of a key type the first does. The error is text for
  // a person.
  static std::expected<Ref<const TlsServer>, std::string> create(const TlsServerOptions& options,
                                                                 std::span<const Ref<const Certificate>> certificates,
                                                                 std::shared_ptr<TicketKeys> keys);

  std::unique_ptr<TlsEngine> accept() const;

  // Of an engine of this server, once established: the certificate that was sent.
  const Certificate* certificate_of(const TlsEngine& engine) const;
  // Of any server's engine, once established.
  static ClientCertificate client_certificate(const TlsEngine& engine);

 private:
  friend class RefCounted<TlsServer>;
  // Certificates that serve some names together.
  struct Site {
    explicit Site(const TlsServer& s) : server(s) {}

    const TlsServer& server;
    SslContextPtr context;
    struct Shown {
      X509Ptr leaf;  // our own copy: what it refers to is counted by one worker only
      Ref<const Certificate> certificate;
    };
    std::vector<Shown> shown;
  };
  struct Trust;
  struct Callbacks;
  struct NameHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const { return std::hash<std::string_view>{}(name); }
  };

  explicit TlsServer(const TlsServerOptions& options, std::shared_ptr<TicketKeys> keys);
  ~TlsServer() = default;

  std::expected<const Site*, std::string> add_site(std::span<const Ref<const Certificate>> certificates,
                                                   const Trust& trust);
  static std::expected<void, std::string> add_certificate(Site& site, const Ref<const Certificate>& certificate);
  void configure(SSL_CTX* context) const;
  // Exact, then by wildcard, then the first.
  const Site& site_for(std::string_view server_name) const;

  const TlsServerOptions options_;
  const std::shared_ptr<TicketKeys> keys_;
  std::vector<std::unique_ptr<Site>> sites_;
  std::unordered_map<std::string, const Site*, NameHash, std::equal_to<>> by_name_;
};

}  // namespace seawall::net
