#include "proxy/tunnel.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

namespace seawall::proxy {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{64} * 1024;

bool would_block() {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

}  // namespace

Tunnel::Tunnel(net::Loop& loop, int client, Fd origin, std::string to_client, std::string to_origin,
               Millis idle_timeout, std::function<void()> on_closed)
    : loop_(loop),
      origin_fd_(std::move(origin)),
      client_(*this, client, loop),
      origin_(*this, origin_fd_.get(), loop),
      idle_timeout_(idle_timeout),
      on_closed_(std::move(on_closed)),
      idle_timer_([this] {
        if (!std::exchange(is_closed_, true)) on_closed_();
      }) {
  up_.bytes = std::move(to_origin);
  down_.bytes = std::move(to_client);
}

void Tunnel::start() {
  loop_.timers().arm(idle_timer_, loop_.mono_now() + idle_timeout_);
  pump();
}

void Tunnel::End::on_fd_ready(bool, bool) {
  tunnel_.pump();
}

// False when the tunnel is broken. Reads when its buffer has drained, so one buffer bounds each direction.
bool Tunnel::move(End& from, End& to, Pipe& pipe) {
  while (true) {
    if (!pipe.bytes.empty()) {
      const ssize_t n = ::send(to.fd, pipe.bytes.data(), pipe.bytes.size(), MSG_NOSIGNAL);
      if (n < 0) return would_block();
      idle_timer_.defer_to(loop_.mono_now() + idle_timeout_);
      pipe.bytes.erase(0, static_cast<std::size_t>(n));
      if (!pipe.bytes.empty()) return true;
    }
    if (pipe.from_is_done) {
      if (!std::exchange(pipe.to_is_shut, true)) ::shutdown(to.fd, SHUT_WR);
      return true;
    }
    std::array<char, kBufferBytes> buffer;
    const ssize_t n = ::recv(from.fd, buffer.data(), buffer.size(), 0);
    if (n < 0) return would_block();
    if (n == 0) {
      pipe.from_is_done = true;
    } else {
      pipe.bytes.assign(buffer.data(), static_cast<std::size_t>(n));
    }
  }
}

void Tunnel::pump() {
  if (is_closed_) return;
  const bool intact = move(client_, origin_, up_) && move(origin_, client_, down_);
  if (!intact || (up_.to_is_shut && down_.to_is_shut)) {
    is_closed_ = true;
    client_.watcher.watch(false, false);
    origin_.watcher.watch(false, false);
    on_closed_();
    return;
  }
  client_.watcher.watch(!up_.from_is_done && up_.bytes.empty(), !down_.bytes.empty());
  origin_.watcher.watch(!down_.from_is_done && down_.bytes.empty(), !up_.bytes.empty());
}

}  // namespace seawall::proxy
