// The HTTP/2 connections of one worker to one server, and the exchanges that wait for a stream on one.
//
// Exchanges that come while a connection is being made wait for it; another is made only when all that there are have
// as many streams as the server allows. They are served in order of coming. Where ALPN decides, what it chose last is
// remembered: once it was HTTP/1.1, requests do not come here any more, and those that wait are handed on, the first of
// them with the connection that has just been made. Thread: one worker.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/list.h"
#include "base/ref.h"
#include "http/exchange.h"
#include "net/loop.h"
#include "net/tls_client.h"
#include "origin/connector.h"
#include "origin/h2_connection.h"
#include "origin/h2_exchange.h"
#include "origin/server_client.h"

namespace seawall::origin {

class H2Pool final : public H2Connection::User, public Connector::User {
 public:
  // Makes an exchange over HTTP/1.1, puts it `into` its place, and only then lets it begin: on `transport`, or where
  // that is null on a connection of its own.
  using StartH1 = std::function<void(http::OutgoingRequest request, http::ExchangeSink& sink,
                                     std::unique_ptr<net::Transport> transport, std::unique_ptr<http::Exchange>& into)>;

  // `options` and `h1_pool`, which counts for both, outlive it.
  H2Pool(net::Loop& loop, const ServerOptions& options, ServerClient::Pool& h1_pool, StartH1 start_h1);
  ~H2Pool() override;  // every exchange must be gone
  H2Pool(const H2Pool&) = delete;
  H2Pool& operator=(const H2Pool&) = delete;

  // Whether the request goes over HTTP/2, as far as is known. Upgrades have no place there, and a PROXY header speaks
  // of one client while a connection here is everybody's.
  bool takes(const http::OutgoingRequest& request) const;

  // The exchange begins in this call, or later: on a connection, or elsewhere.
  void enqueue(H2Exchange& exchange);
  void start_h1(http::OutgoingRequest request, http::ExchangeSink& sink, std::unique_ptr<net::Transport> transport,
                std::unique_ptr<http::Exchange>& into) {
    start_h1_(std::move(request), sink, std::move(transport), into);
  }
  // The server has taken streams, so that what waits does so for one of them and not for a first connection.
  bool is_in_use() const;
  void count_resent();
  void close_idle();
  std::string_view scheme() const { return tls_ ? "https" : "http"; }

 private:
  struct Wake final : RefCounted<Wake> {
    explicit Wake(H2Pool& p) : pool(&p) {}
    H2Pool* pool;
  };

  // What becomes of those that want a fresh connection: they wait for one, or do with what there is.
  enum class Fresh : std::uint8_t { kAsWanted, kIfPossible };

  void on_connected(Result<Connector::Connected> outcome) override;
  void on_change(H2Connection& connection) override;
  void on_gone(H2Connection& connection) override;

  bool may_speak_h2() const;
  void serve();
  void place_waiting(Fresh fresh);
  void place(H2Exchange& exchange, H2Connection& connection);
  H2Connection* find_vacant(bool wants_fresh) const;
  void connect();
  void add(std::unique_ptr<net::Transport> transport);
  void hand_on(std::unique_ptr<net::Transport> transport);
  void fail_waiting(Error error);
  std::vector<H2Exchange*> take_waiting();

  net::Loop& loop_;
  const ServerOptions& options_;
  ServerClient::Pool& h1_pool_;
  StartH1 start_h1_;
  std::optional<net::TlsClient> tls_;
  std::optional<MonoTime> speaks_h1_since_;  // ALPN's last choice
  Ref<Wake> wake_;
  std::unique_ptr<Connector> connector_;
  std::size_t assumed_streams_ = H2Connection::kAssumedStreams;  // what the server took last on one connection
  std::vector<std::unique_ptr<H2Connection>> connections_;       // the oldest first
  List<H2Exchange, &H2Exchange::waiting_link> waiting_;
};

}  // namespace seawall::origin
