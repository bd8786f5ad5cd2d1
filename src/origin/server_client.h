// What one worker knows of one server of an origin: its connections, and how to make new ones. Implements
// http::Exchange over HTTP/1.1 (Pool, H1Exchange) and HTTP/2 (H2Pool, H2Exchange).
//
// Over HTTP/1.1 a request goes out on an idle connection or a fresh one. If a reused connection turns out closed before
// a byte of the response came, the request is sent once more on a fresh one, when that is safe: the method is
// idempotent and no byte of its body was taken from the pipe, or no byte of the request was accepted by the kernel.
// Requests that are not idempotent use a fresh connection from the start. Bytes that an idle connection sends without
// having been asked close it; bytes past the end of a response close it after that response. Thread: one worker.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "http/exchange.h"
#include "http/h1_parser.h"
#include "net/address.h"
#include "net/loop.h"
#include "net/proxy_protocol.h"
#include "net/tls_client.h"

namespace seawall::origin {

class H2Pool;

struct ServerTimeouts {
  Millis connect{1000};
  Millis tls{2000};              // the handshake, once connected
  Millis first_byte{10'000};     // from the request's last byte to the head's first; rests while the client owes body
  Millis between_bytes{10'000};  // while reading the response
  Millis send{10'000};           // without progress while the origin does not take the request

  friend bool operator==(const ServerTimeouts&, const ServerTimeouts&) = default;
};

// With kAuto, ALPN decides under TLS, and in plain it is HTTP/1.1. kHttp2 in plain is by prior knowledge (RFC 9113
// section 3.3).
enum class Protocol : std::uint8_t { kHttp1, kHttp2, kAuto };

// How a server is spoken to.
struct ServerAccess {
  std::shared_ptr<const net::TlsClientContext> tls;  // null: no TLS
  Protocol protocol = Protocol::kHttp1;
  net::ProxyVersion proxy_protocol = net::ProxyVersion::kOff;

  friend bool operator==(const ServerAccess&, const ServerAccess&) = default;
};

struct ServerOptions {
  std::string name;                     // for logs
  std::vector<net::Address> addresses;  // tried in order within the connect timeout
  ServerTimeouts timeouts;
  ServerAccess access;
  std::string tls_name;                   // whose certificate is expected; the options of `access.tls` may name another
  Ref<net::TlsSessionSlot> tls_sessions;  // of a client before it, with the same access and name; null: its own
  std::size_t idle_connections = 64;      // kept per worker; the oldest goes
  Millis idle_timeout{60'000};
  http::HeadLimits head_limits{
      .target_bytes = std::size_t{8} * 1024, .header_bytes = std::size_t{64} * 1024, .header_count = 256};
};

struct ServerStats {
  std::uint64_t connections_opened = 0;
  std::uint64_t connections_reused = 0;
  std::uint64_t resent = 0;  // requests sent again because a reused connection was closed
  std::uint64_t idle = 0;
  std::uint64_t handshakes = 0;  // TLS, completed
  std::uint64_t resumed_handshakes = 0;
  std::uint64_t failed_handshakes = 0;
  std::uint64_t http2_connections = 0;
  std::uint64_t http2_streams = 0;

  // Of what is counted, all but the gauge `idle`.
  ServerStats& operator+=(const ServerStats& more);
  ServerStats since(const ServerStats& before) const;
};

// kTls..., with the server.
bool is_tls_failure(ErrorCode code);

class ServerClient {
 public:
  ServerClient(net::Loop& loop, ServerOptions options);
  ~ServerClient();  // every Exchange must be gone
  ServerClient(const ServerClient&) = delete;
  ServerClient& operator=(const ServerClient&) = delete;

  // Never calls the sink before it has returned. The request is written anew from its parts: framing, Connection and
  // nothing else is added.
  std::unique_ptr<http::Exchange> start(http::OutgoingRequest request, http::ExchangeSink& sink);

  const ServerOptions& options() const { return options_; }
  ServerStats stats() const;
  // Why TLS with the server failed the last time, for a person: OpenSSL's reason, or the alert that came. Within
  // on_error() with a kTls... code, why that did.
  const std::string& tls_failure() const;
  void close_idle();

 private:
  friend class H1Exchange;
  friend class H2Pool;
  class Pool;
  net::Loop& loop_;
  ServerOptions options_;
  std::unique_ptr<Pool> pool_;
  std::unique_ptr<H2Pool> h2_pool_;
};

}  // namespace seawall::origin
