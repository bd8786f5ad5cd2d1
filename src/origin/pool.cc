#include "origin/pool.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace seawall::origin {

Connection::Connection(net::Loop& loop, std::unique_ptr<net::Transport> transport, User& user)
    : loop_(loop),
      transport_(std::move(transport)),
      timer_([this] { user_->on_connection_timer(*this); }),
      user_(&user) {
  transport_->set_user(*this);
}

bool Connection::is_silent() {
  if (transport_->has_ended()) return false;
  if (transport_->tls()) {
    // Not the loop's buffer: others may be in the midst of what it holds.
    thread_local std::array<char, ByteStream::kReadBytes> unasked;
    return transport_->read(unasked).status == ByteStream::Status::kBlocked;
  }
  char byte = 0;
  const ssize_t n = ::recv(transport_->fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

void Connection::set_deadline(MonoTime deadline) {
  if (timer_.is_armed() && deadline >= timer_.deadline()) {
    timer_.defer_to(deadline);
  } else {
    loop_.timers().arm(timer_, deadline);
  }
}

void Connection::close() {
  timer_.cancel();
  if (!transport_) return;
  transport_->watch(false, false);
  // Its own event may be what is running.
  loop_.defer_delete(std::move(transport_));
}

std::unique_ptr<net::Transport> Connection::release() {
  timer_.cancel();
  transport_->watch(false, false);
  return std::move(transport_);
}

void Connection::on_stream_ready(bool readable, bool writable) {
  user_->on_connection_ready(*this, readable, writable);
}

ServerClient::Pool::Pool(net::Loop& loop, const ServerOptions& options) : loop_(loop), options_(options) {
  if (options.access.tls) tls_.emplace(options.access.tls, options.tls_name, false, options.tls_sessions);
}

ServerClient::Pool::~Pool() {
  close_idle();
}

std::unique_ptr<Connection> ServerClient::Pool::take(Connection::User& user) {
  while (!idle_.empty()) {
    auto connection = std::move(idle_.back());
    idle_.pop_back();
    if (connection->is_silent()) {
      ++stats_.connections_reused;
      connection->set_user(user);
      return connection;
    }
    discard(std::move(connection));
  }
  return nullptr;
}

std::unique_ptr<Connection> ServerClient::Pool::adopt(std::unique_ptr<net::Transport> transport,
                                                      Connection::User& user) {
  ++stats_.connections_opened;
  return std::make_unique<Connection>(loop_, std::move(transport), user);
}

void ServerClient::Pool::put(std::unique_ptr<Connection> connection) {
  if (options_.access.proxy_protocol != net::ProxyVersion::kOff) return discard(std::move(connection));
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

void ServerClient::Pool::on_connection_ready(Connection& connection, bool readable, bool) {
  if (!readable || (connection.transport()->tls() && connection.is_silent())) return;
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
