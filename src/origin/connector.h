// One connection to a server, made ready for requests: TCP, the PROXY header if one is wanted, and TLS with the server
// verified. Nothing of a request has been sent when it fails, so another try is always safe. Thread: one worker.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/byte_stream.h"
#include "base/result.h"
#include "base/timer_wheel.h"
#include "net/tls_client.h"
#include "net/transport.h"
#include "origin/dialer.h"
#include "origin/server_client.h"

namespace seawall::origin {

class Connector final : public Dialer::User, private ByteStream::User {
 public:
  struct Connected {
    std::unique_ptr<net::Transport> transport;
    bool is_http2 = false;  // chosen by ALPN
  };
  class User {
   public:
    virtual ~User() = default;
    // Once; may destroy the connector by defer_delete.
    virtual void on_connected(Result<Connected> outcome) = 0;
  };

  // `options` and `tls` outlive it. `tls` is null for a server without TLS. `proxy_header` goes ahead of all else;
  // empty: none. `stats` counts handshakes.
  Connector(net::Loop& loop, const ServerOptions& options, net::TlsClient* tls, std::string proxy_header,
            ServerStats& stats, User& user);

  // The outcome if it is known at once; else on_connected() comes later.
  std::optional<Result<Connected>> start();
  // No call comes after.
  void cancel();
  // Of a handshake that failed: the reason for a person.
  const std::string& failure_text() const { return failure_text_; }

 private:
  void on_dialled(Result<Fd> outcome) override;
  void on_stream_ready(bool readable, bool writable) override;
  std::optional<Result<Connected>> go_on(Result<Fd> dialled);
  std::optional<Result<Connected>> shake_hands();
  std::unexpected<Error> fail(ErrorCode code);
  void finish(Result<Connected> outcome);

  net::Loop& loop_;
  const ServerOptions& options_;
  net::TlsClient* tls_;
  std::string proxy_header_;
  ServerStats& stats_;
  User& user_;
  std::unique_ptr<Dialer> dialer_;
  std::unique_ptr<net::Transport> transport_;
  std::string failure_text_;
  Timer timer_;
};

// Why nothing can be read from it any more: what TLS says, else that it was reset. With TLS 1.3 a server says only
// after the handshake what it thinks of our certificate, or of our having none.
ErrorCode failure_of(const net::Transport& transport);

}  // namespace seawall::origin
