// A client's connection between accept and its first request: the PROXY header of a trusted proxy, TLS or plain by the
// first byte, the handshake, and then HTTP/2 or HTTP/1.1, by ALPN or by the preface of RFC 9113 section 3.4.
//
//   kProxyHeader  the first bytes must be a PROXY header
//   kFirstBytes   what is spoken here?
//   kHandshake    TLS
//   kRefused      plain HTTP where only TLS is spoken: its answer is sent, the rest is read over
//   kDone         handed over or closed
//
// Thread: its worker.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/byte_stream.h"
#include "base/timer_wheel.h"
#include "net/listen_options.h"
#include "net/network.h"
#include "net/proxy_protocol.h"
#include "net/tls_server.h"
#include "net/transport.h"
#include "proxy/client_info.h"
#include "proxy/connection_limits.h"
#include "proxy/edge_counters.h"
#include "proxy/options.h"
#include "proxy/session.h"

namespace seawall::proxy {

// What the connections of one listener have in common.
struct OpeningRules {
  net::ListenOptions listen;
  SessionOptions session;
  std::uint16_t https_port = 0;   // with listen.redirects
  Ref<const net::TlsServer> tls;  // with listen.takes_tls
  bool asks_client = false;       // for a certificate
  bool uses_kernel = false;       // kTLS
  std::vector<net::Network> trusted_proxies;
  bool trusts_unix = false;  // whoever comes by a Unix socket is a trusted proxy
};

class Opening final : public Session, private ByteStream::User {
 public:
  enum class Protocol : std::uint8_t { kHttp1, kHttp2 };
  struct Opened {
    std::unique_ptr<net::Transport> transport;
    ClientInfo client;
    ConnectionLimits::Slot slot;
    Protocol protocol = Protocol::kHttp1;
    bool is_refused = false;  // there are too many connections; the client may still be told
  };
  // To be followed by taking the opening away, as for OnSessionClosed.
  using OnOpened = std::function<void(Opening&, Opened)>;

  // `client` is the peer.
  Opening(net::Loop& loop, std::shared_ptr<const OpeningRules> rules, ConnectionLimits& limits, EdgeCounters& counters,
          std::unique_ptr<net::Transport> transport, ClientInfo client, OnOpened on_opened, OnSessionClosed on_closed);
  ~Opening() override;

  void start() override;
  void drain() override { close(); }

 private:
  enum class State : std::uint8_t { kProxyHeader, kFirstBytes, kHandshake, kRefused, kDone };

  void on_stream_ready(bool readable, bool writable) override;
  void on_timeout();
  void on_bytes();
  bool take_proxy_header();
  void refuse_proxy(ProxyFault fault, std::string_view problem = {});
  void believe(const net::ProxyHeader& header);
  bool is_from_trusted_proxy() const;
  bool take_slot(std::size_t total, std::size_t per_client);
  void choose();
  void choose_plain();
  void begin_handshake();
  void on_handshake(ByteStream::Status status);
  void on_established();
  void refuse_plain();
  void fail_handshake(ErrorCode code);
  void open(Protocol protocol);
  void close();
  void arm(Millis timeout);

  net::Loop& loop_;
  std::shared_ptr<const OpeningRules> rules_;
  ConnectionLimits& limits_;
  EdgeCounters& counters_;
  std::unique_ptr<net::Transport> transport_;
  ClientInfo client_;
  ConnectionLimits::Slot slot_;
  OnOpened on_opened_;
  OnSessionClosed on_closed_;
  State state_ = State::kFirstBytes;
  bool is_refused_ = false;
  std::string in_;  // read and not consumed
  Timer timer_;
};

}  // namespace seawall::proxy
