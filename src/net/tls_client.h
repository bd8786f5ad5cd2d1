// TLS to an origin: what is loaded once and shared (who is trusted, our own certificate), and, for each worker and
// server, the maker of connections that remembers the last session so that the next handshake is a short one.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/ref.h"
#include "net/openssl_ptr.h"
#include "net/tls_engine.h"
#include "net/tls_options.h"

namespace seawall::net {

// Immutable. Thread: any; loaded at start-up, and worth sharing between servers with the same options: the system's
// store is some hundred certificates.
class TlsClientContext {
 public:
  // Refuses a certificate of our own that is expired or not yet valid. The error is text for a person and names the
  // file.
  static std::expected<std::shared_ptr<const TlsClientContext>, std::string> load(const TlsClientOptions& options,
                                                                                  WallTime now);

  const TlsClientOptions& options() const { return options_; }
  SSL_CTX* get() const { return context_.get(); }

 private:
  TlsClientContext() = default;

  TlsClientOptions options_;
  SslContextPtr context_;
};

// The newest session with one server; its connections may outlive the TlsClient. Thread: one worker.
class TlsSessionSlot final : public RefCounted<TlsSessionSlot> {
 public:
  void keep(SessionPtr session) { session_ = std::move(session); }
  // After a handshake: OpenSSL calls nobody when a server of TLS 1.2 gives a new ticket for a session resumed.
  void keep_renewed(SSL* ssl);
  void drop() { session_.reset(); }
  SSL_SESSION* get() const { return session_.get(); }

 private:
  friend class RefCounted<TlsSessionSlot>;
  ~TlsSessionSlot() = default;

  SessionPtr session_;
};

// Thread: one worker.
class TlsClient {
 public:
  // `host`: of the server's URL, a name or an address, with or without brackets; the options may name another.
  // `sessions`: of a client before it, with the same context and host; null: there was none.
  TlsClient(std::shared_ptr<const TlsClientContext> context, std::string_view host, bool offers_http2,
            Ref<TlsSessionSlot> sessions = {});

  // Nothing is sent before the engine's first read().
  std::unique_ptr<TlsEngine> connect();

 private:
  friend class TlsClientContext;
  static int on_new_session(SSL* ssl, SSL_SESSION* session);

  std::shared_ptr<const TlsClientContext> context_;
  std::string host_;
  bool is_address_;
  bool offers_http2_;
  Ref<TlsSessionSlot> session_slot_;
};

}  // namespace seawall::net
