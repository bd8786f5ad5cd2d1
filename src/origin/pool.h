// Connections to one server: one connection with its timer, and the pool of those that wait for a request.
// An idle connection is read from only to see that it is still silent: any byte, and any close, ends it. What TLS has
// to say meanwhile (tickets, new keys) is no byte. A connection that began with a PROXY header is one client's, and not
// kept.
// Thread: one worker.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/byte_stream.h"
#include "net/loop.h"
#include "net/tls_client.h"
#include "net/transport.h"
#include "origin/server_client.h"

namespace seawall::origin {

class Connection final : private ByteStream::User {
 public:
  // Who the connection's events go to: the pool while it is idle, an exchange while it is in use.
  class User {
   public:
    virtual ~User() = default;
    virtual void on_connection_ready(Connection& connection, bool readable, bool writable) = 0;
    virtual void on_connection_timer(Connection& connection) = 0;
  };

  Connection(net::Loop& loop, std::unique_ptr<net::Transport> transport, User& user);

  // Null once closed or released.
  net::Transport* transport() const { return transport_.get(); }
  void set_user(User& user) { user_ = &user; }
  void watch(bool read, bool write) {
    if (transport_) transport_->watch(read, write);
  }
  // Nothing to read and not closed. What is already there would be taken for the answer to the next request
  // (response-queue poisoning), and a connection known to be closed need not be tried.
  bool is_silent();
  // One timer for all timeouts; moving it later is a store.
  void set_deadline(MonoTime deadline);
  void clear_deadline() { timer_.cancel(); }
  // No event comes after either.
  void close();
  std::unique_ptr<net::Transport> release();

 private:
  void on_stream_ready(bool readable, bool writable) override;

  net::Loop& loop_;
  std::unique_ptr<net::Transport> transport_;
  Timer timer_;
  User* user_;
};

class ServerClient::Pool final : public Connection::User {
 public:
  Pool(net::Loop& loop, const ServerOptions& options);
  ~Pool() override;

  // The connection used last, if one is still open and silent; else null.
  std::unique_ptr<Connection> take(Connection::User& user);
  std::unique_ptr<Connection> adopt(std::unique_ptr<net::Transport> transport, Connection::User& user);
  // Its response is complete, and both sides keep it open.
  void put(std::unique_ptr<Connection> connection);
  void discard(std::unique_ptr<Connection> connection);
  void close_idle();
  bool has_idle() const { return !idle_.empty(); }

  void count_resent() { ++stats_.resent; }
  ServerStats& counters() { return stats_; }
  // See ServerClient.
  void note_tls_failure(std::string text) { tls_failure_ = std::move(text); }
  const std::string& tls_failure() const { return tls_failure_; }
  // For HTTP/1.1; null: the server is plain.
  net::TlsClient* tls() { return tls_ ? &*tls_ : nullptr; }
  ServerStats stats() const;

 private:
  void on_connection_ready(Connection& connection, bool readable, bool writable) override;
  void on_connection_timer(Connection& connection) override;
  void remove(const Connection& connection);

  net::Loop& loop_;
  const ServerOptions& options_;
  std::optional<net::TlsClient> tls_;
  std::vector<std::unique_ptr<Connection>> idle_;  // the oldest first
  ServerStats stats_;
  std::string tls_failure_;
};

}  // namespace seawall::origin
