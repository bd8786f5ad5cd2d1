// Connections to one origin: one TCP connection with its timer, and the pool of those that wait for a request.
// An idle connection is read from only to see that it is still silent: any byte, and any close, ends it.
// Thread: one worker.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/fd.h"
#include "net/loop.h"
#include "origin/server_client.h"

namespace seawall::origin {

class Connection final : public net::FdHandler {
 public:
  // Who the connection's events go to: the pool while it is idle, an exchange while it is in use.
  class User {
   public:
    virtual ~User() = default;
    virtual void on_connection_ready(Connection& connection, bool readable, bool writable) = 0;
    virtual void on_connection_timer(Connection& connection) = 0;
  };

  Connection(net::Loop& loop, Fd fd, User& user);

  int fd() const { return fd_.get(); }
  void set_user(User& user) { user_ = &user; }
  void watch(bool read, bool write) {
    if (watcher_) watcher_->watch(read, write);
  }
  // One timer for all timeouts; moving it later is a store.
  void set_deadline(MonoTime deadline);
  void clear_deadline() { timer_.cancel(); }
  // No event comes after either.
  void close();
  Fd release();

 private:
  void on_fd_ready(bool readable, bool writable) override;

  net::Loop& loop_;
  Fd fd_;
  std::optional<net::FdWatcher> watcher_;
  Timer timer_;
  User* user_;
};

class ServerClient::Pool final : public Connection::User {
 public:
  Pool(net::Loop& loop, const ServerOptions& options) : loop_(loop), options_(options) {}
  ~Pool() override;

  // The connection used last, if one is still open and silent; else null.
  std::unique_ptr<Connection> take(Connection::User& user);
  std::unique_ptr<Connection> adopt(Fd fd, Connection::User& user);
  // Its response is complete, and both sides keep it open.
  void put(std::unique_ptr<Connection> connection);
  void discard(std::unique_ptr<Connection> connection);
  void close_idle();

  void count_resent() { ++stats_.resent; }
  ServerStats stats() const;

 private:
  void on_connection_ready(Connection& connection, bool readable, bool writable) override;
  void on_connection_timer(Connection& connection) override;
  void remove(const Connection& connection);

  net::Loop& loop_;
  const ServerOptions& options_;
  std::vector<std::unique_ptr<Connection>> idle_;  // the oldest first
  ServerStats stats_;
};

}  // namespace seawall::origin
