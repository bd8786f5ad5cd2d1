#include "origin/pool.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace seawall::origin {
namespace {

// Nothing to read and not closed. What is already there would be taken for the answer to the next request
// (response-queue poisoning), and a connection known to be closed need not be tried.
bool is_silent(int fd) {
  char byte = 0;
  const ssize_t n = ::recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

}  // namespace

Connection::Connection(net::Loop& loop, Fd fd, User& user)
    : loop_(loop), fd_(std::move(fd)), timer_([this] { user_->on_connection_timer(*this); }), user_(&user) {
  watcher_.emplace(loop_, fd_.get(), *this);
}

void Connection::set_deadline(MonoTime deadline) {
  if (timer_.is_armed() && deadline >= timer_.deadline()) {
    timer_.defer_to(deadline);
  } else {
    loop_.timers().arm(timer_, deadline);
  }
}

void Connection::close() {
  release().close();
}

Fd Connection::release() {
  timer_.cancel();
  watcher_.reset();
  return std::move(fd_);
}

void Connection::on_fd_ready(bool readable, bool writable) {
  user_->on_connection_ready(*this, readable, writable);
}

ServerClient::Pool::~Pool() {
  close_idle();
}

std::unique_ptr<Connection> ServerClient::Pool::take(Connection::User& user) {
  while (!idle_.empty()) {
    auto connection = std::move(idle_.back());
    idle_.pop_back();
    if (is_silent(connection->fd())) {
      ++stats_.connections_reused;
      connection->set_user(user);
      return connection;
    }
    discard(std::move(connection));
  }
  return nullptr;
}

std::unique_ptr<Connection> ServerClient::Pool::adopt(Fd fd, Connection::User& user) {
  ++stats_.connections_opened;
  return std::make_unique<Connection>(loop_, std::move(fd), user);
}

void ServerClient::Pool::put(std::unique_ptr<Connection> connection) {
  connection->set_user(*this);
  connection->watch(true, false);
  connection->set_deadline(loop_.mono_now() + options_.idle_timeout);
  idle_.push_back(std::move(connection));
  if (idle_.size() > options_.idle_connections) {
    auto oldest = std::move(idle_.front());
    idle_.erase(idle_.begin());
    discard(std::move(oldest));
  }
}

void ServerClient::Pool::discard(std::unique_ptr<Connection> connection) {
  // Deleted later: its own event may be what is running.
  connection->close();
  loop_.defer_delete(std::move(connection));
}

void ServerClient::Pool::close_idle() {
  for (auto& connection : std::exchange(idle_, {})) discard(std::move(connection));
}

ServerStats ServerClient::Pool::stats() const {
  ServerStats stats = stats_;
  stats.idle = idle_.size();
  return stats;
}

void ServerClient::Pool::on_connection_ready(Connection& connection, bool, bool) {
  remove(connection);
}

void ServerClient::Pool::on_connection_timer(Connection& connection) {
  remove(connection);
}

void ServerClient::Pool::remove(const Connection& connection) {
  const auto it = std::find_if(idle_.begin(), idle_.end(), [&](const auto& c) { return c.get() == &connection; });
  if (it == idle_.end()) return;
  auto found = std::move(*it);
  idle_.erase(it);
  discard(std::move(found));
}

}  // namespace seawall::origin
