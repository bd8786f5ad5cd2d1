// A TLS server in the test's own loop, on a port of the kernel's choice: it records what comes, ahead of TLS and under
// it, and does what the test tells it to. Thread: its loop's.
#pragma once

#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/listener.h"
#include "net/loop.h"
#include "net/proxy_protocol.h"
#include "net/tls_server.h"
#include "net/transport.h"
#include "support/pump.h"

namespace seawall::test {

class TlsOrigin {
 public:
  class Peer final : public ByteStream::User {
   public:
    Peer(net::Loop& loop, Fd fd, TlsOrigin& origin)
        : loop_(loop), origin_(origin), transport_(std::make_unique<net::Transport>(loop, std::move(fd))) {
      transport_->set_user(*this);
      transport_->watch(!origin_.is_deaf, false);
      if (!origin_.expects_proxy_header && !origin_.is_deaf) transport_->start_tls(origin_.server->accept());
    }

    // Plain text.
    const std::string& received() const { return received_; }
    std::string take_received() { return std::exchange(received_, {}); }
    // The bytes that came ahead of TLS.
    const std::string& proxy_header() const { return proxy_header_; }
    // While it is open, and under TLS.
    const net::TlsEngine& tls() const { return *transport_->tls(); }
    bool is_established() const { return transport_ && transport_->tls() && transport_->is_established(); }
    // How the client has ended it.
    std::optional<ByteStream::Status> end() const { return end_; }

    void send(std::string_view bytes) {
      out_ += bytes;
      flush();
    }
    std::size_t unsent_bytes() const { return out_.size(); }
    // With the word that TLS asks for, or without.
    void close() {
      transport_->end_output();
      transport_.reset();
    }
    void truncate() { transport_.reset(); }
    // What TLS 1.3 may say at any time, and what is no byte of HTTP.
    void send_ticket() {
      send_message([](SSL* ssl) { BOOST_REQUIRE(SSL_new_session_ticket(ssl) == 1); });
    }
    void ask_for_new_keys() {
      send_message([](SSL* ssl) { BOOST_REQUIRE(SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED) == 1); });
    }

   private:
    void on_stream_ready(bool readable, bool writable) override {
      if (readable) read();
      if (writable && transport_) flush();
    }

    void read() {
      const auto buffer = loop_.read_buffer();
      bool is_to_go_on = true;
      while (is_to_go_on) {
        const ByteStream::Outcome outcome = transport_->read(buffer);
        if (outcome.status == ByteStream::Status::kBlocked) break;
        if (outcome.status != ByteStream::Status::kOk) {
          end_ = outcome.status;
          transport_.reset();
          return;
        }
        const bool was_plain = !transport_->tls();
        take({buffer.data(), outcome.bytes});
        is_to_go_on = was_plain && transport_->tls();  // a handshake begins with a read
      }
      flush();
    }

    void take(std::string_view bytes) {
      if (transport_->tls()) {
        received_ += bytes;
        return;
      }
      proxy_header_ += bytes;
      const net::ProxyParse parsed = net::parse_proxy_header(proxy_header_);
      if (parsed.status == net::ProxyParse::Status::kIncomplete) return;
      BOOST_REQUIRE(parsed.status == net::ProxyParse::Status::kComplete);
      const std::string rest = proxy_header_.substr(parsed.header.consumed);
      proxy_header_.resize(parsed.header.consumed);
      transport_->unread(rest);
      transport_->start_tls(origin_.server->accept());
    }

    void flush() {
      if (!is_established()) return;
      while (!out_.empty()) {
        const ByteStream::Outcome outcome = transport_->write(out_);
        if (outcome.status != ByteStream::Status::kOk) break;
        out_.erase(0, outcome.bytes);
      }
      transport_->watch(true, !out_.empty());
    }

    // A handshake message outside of any call of the engine.
    void send_message(const std::function<void(SSL*)>& make) {
      SSL* const ssl = tls().ssl();
      BIO* const own = SSL_get_rbio(ssl);
      BIO* const kept = BIO_new(BIO_s_mem());
      SSL_set0_wbio(ssl, kept);
      make(ssl);
      BOOST_REQUIRE(SSL_do_handshake(ssl) == 1);
      char* data = nullptr;
      const auto size = static_cast<std::size_t>(BIO_get_mem_data(kept, &data));
      BOOST_REQUIRE(size > 0);
      BOOST_REQUIRE(::send(transport_->fd(), data, size, MSG_NOSIGNAL) == static_cast<ssize_t>(size));
      BIO_up_ref(own);
      SSL_set0_wbio(ssl, own);
    }

    net::Loop& loop_;
    TlsOrigin& origin_;
    std::unique_ptr<net::Transport> transport_;  // null: closed
    std::string proxy_header_;
    std::string received_;
    std::string out_;
    std::optional<ByteStream::Status> end_;
  };

  TlsOrigin(net::Loop& loop, Ref<const net::TlsServer> shown) : server(std::move(shown)), loop_(loop) {
    auto listener = net::Listener::bind(*net::Address::parse("127.0.0.1:0"));
    BOOST_REQUIRE(listener.has_value());
    listener_ = std::move(*listener);
    listener_->start(loop, [this](Fd fd, const net::Address&) {
      peers_.push_back(std::make_unique<Peer>(loop_, std::move(fd), *this));
    });
  }

  const net::Address& address() const { return listener_->address(); }
  std::size_t connections() const { return peers_.size(); }
  Peer& peer(std::size_t i) { return *peers_.at(i); }
  // Pumps until the i-th connection is there and has received `text`.
  Peer& await(std::size_t i, std::string_view text) {
    pump_until(loop_, text, [&] { return peers_.size() > i && peer(i).received().find(text) != std::string::npos; });
    return peer(i);
  }

  // For connections to come.
  Ref<const net::TlsServer> server;
  bool expects_proxy_header = false;
  bool is_deaf = false;  // takes connections, and no byte on them

 private:
  net::Loop& loop_;
  std::unique_ptr<net::Listener> listener_;
  std::vector<std::unique_ptr<Peer>> peers_;
};

}  // namespace seawall::test
