// The client's side of TLS on a non-blocking socket, by OpenSSL. It believes anybody unless told otherwise: what it was
// shown is for the test to judge. Thread: one owner.
#pragma once

#include <openssl/ssl.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "support/behave/wait.h"

namespace seawall::behave {

using TlsTicket = std::shared_ptr<SSL_SESSION>;

struct TlsOptions {
  std::string server_name = "a.test";  // SNI; empty: none
  std::vector<std::string> alpn = {};
  int min_version = 0;  // TLS1_2_VERSION and the like; 0: the library's
  int max_version = 0;
  std::string ciphers = {};      // of TLS 1.2; empty: the library's
  std::string signatures = {};   // "ECDSA+SHA256": what certificates may be signed with; empty: the library's
  std::string ca = {};           // PEM file: the chain and the name must be right; empty: anything is
  std::string certificate = {};  // PEM files of a client certificate
  std::string key = {};
  TlsTicket ticket = {};
  bool asks_for_staple = false;
};

class Tls {
 public:
  enum class Io { kDone, kEnd, kCut, kTimeout };  // kEnd: close_notify; kCut: the connection ended without, or an alert

  Tls(int fd, const TlsOptions& options);
  ~Tls();
  Tls(const Tls&) = delete;
  Tls& operator=(const Tls&) = delete;

  // False: failure() says why.
  bool handshake(Millis limit = kLimit);
  Io send(std::string_view bytes, Millis limit);
  // Appends at most `max` bytes.
  Io receive(std::string& out, Millis limit, std::size_t max);
  // The word that no more will be sent.
  void end();

  // OpenSSL's words, the peer's alert among them; empty: nothing has failed.
  const std::string& failure() const { return failure_; }
  std::string version() const;
  std::string cipher() const;
  std::string alpn() const;
  bool is_resumed() const;
  // Of the certificate that was shown: its common name, its SHA-256 in hexadecimal, and "EC" or "RSA".
  std::string common_name() const;
  std::string fingerprint() const;
  std::string key_type() const;
  std::size_t chain_length() const;
  // The stapled OCSP response, DER; empty: none.
  std::string staple() const;
  // The last ticket that came. TLS 1.3 sends it behind the handshake: something must have been received.
  TlsTicket ticket() const { return ticket_; }

 private:
  friend struct TlsCallbacks;
  // Repeats a call of OpenSSL's until it neither wants to read nor to write.
  Io run(const std::function<int()>& call, Millis limit);
  X509* shown() const;

  int fd_;
  SSL_CTX* context_;
  SSL* ssl_;
  std::string failure_;
  TlsTicket ticket_;
};

}  // namespace seawall::behave
