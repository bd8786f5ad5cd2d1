// TLS on one connection, without I/O: bytes that came from the peer are fed, what is to go to the peer is appended to a
// string of the caller's. Handshake, alerts, tickets and key updates happen inside read() and write(). Made by
// TlsServer and TlsClient. Thread: one worker.
#pragma once

#include <openssl/types.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/byte_stream.h"
#include "base/ref.h"
#include "base/result.h"

namespace seawall::net {

class Certificate;
class TlsServer;
class TlsSessionSlot;

class TlsEngine {
 public:
  ~TlsEngine();
  TlsEngine(const TlsEngine&) = delete;
  TlsEngine& operator=(const TlsEngine&) = delete;

  // What every context needs that engines are made from.
  static void prepare(SSL_CTX* context);

  // Bytes from the peer; they must stay in place until read() has said kBlocked (then all are consumed), kEnd or
  // kFailed. Empty with `is_end`: the peer has closed its TCP direction.
  void feed(std::string_view ciphertext, bool is_end = false);
  // Goes on with the handshake, then decrypts into `into`. kOk: more may follow at once. kBlocked: all that was fed is
  // used up. Output may have come to be sent whatever the outcome, alerts of a failure included.
  ByteStream::Outcome read(std::span<char> into, std::string& out);
  // Encrypts all of it in one record, or as few as can be; at most 16 KiB at once. False: the connection has failed.
  // Only when established.
  bool write(std::string_view plain, std::string& out);
  // The word that no more will be written.
  void close(std::string& out);

  bool is_established() const { return is_established_; }
  // Why, after kFailed: kTls...
  ErrorCode failure() const { return failure_; }
  // The same for a person: OpenSSL's reason, or the alert that came.
  std::string_view failure_text() const {
    return failure_text_ ? std::string_view(*failure_text_) : std::string_view();
  }

  // Once established.
  bool is_http2() const;  // chosen by ALPN
  bool is_resumed() const;
  std::string_view version() const;      // "TLSv1.3"
  std::string_view cipher() const;       // "TLS_AES_128_GCM_SHA256"
  std::string_view server_name() const;  // SNI; empty: none
  // Server side: the certificate that was sent. Client side: null.
  const Certificate* certificate() const;

  // Lets OpenSSL write to the socket itself, so that the kernel may take over encryption (kTLS). Before the first
  // read(). The descriptor stays the caller's. A peer that asks for new keys (RFC 8446 section 4.6.3) then loses the
  // connection: OpenSSL 3.0 cannot tell the kernel.
  void use_kernel(int fd);
  // Whether it has: plain bytes are then written to the socket, and write() must not be called. Once established.
  bool kernel_encrypts() const { return kernel_encrypts_; }
  // A handshake's write to the socket is blocked (only after use_kernel()).
  bool wants_write() const { return wants_write_; }

  SSL* ssl() const { return ssl_; }

 private:
  friend class TlsServer;
  friend class TlsClient;
  struct Bio;
  explicit TlsEngine(SSL* ssl);
  // Within OpenSSL's callbacks.
  static TlsEngine& of(SSL* ssl);

  ByteStream::Outcome on_nothing_read(int result);
  ByteStream::Outcome on_input_used_up();
  void on_established();
  void fail(ErrorCode code, std::string text);
  void fail_for(int ssl_error);

  SSL* ssl_;
  std::string_view fed_;
  std::string* out_ = nullptr;  // within read(), write() and close()
  bool fed_end_ = false;
  bool is_established_ = false;
  bool has_failed_ = false;
  bool kernel_encrypts_ = false;
  bool wants_write_ = false;
  ErrorCode failure_ = ErrorCode::kTlsFailed;
  std::unique_ptr<std::string> failure_text_;  // null: none
  Ref<const TlsServer> server_;                // null: a client's
  Ref<TlsSessionSlot> session_slot_;           // null: a server's
};

}  // namespace seawall::net
