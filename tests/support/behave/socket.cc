#include "support/behave/socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace seawall::behave {
namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

template <typename Address>
sockaddr* generic(Address& address) {
  return reinterpret_cast<sockaddr*>(&address);
}

Fd make_socket(int family = AF_INET) {
  Fd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) throw Failure(std::string("socket: ") + std::strerror(errno));
  return fd;
}

struct Peer {
  sockaddr_storage address{};
  socklen_t length = 0;
};

Peer parse_peer(const std::string& text) {
  static constexpr std::string_view kUnix = "unix:";
  Peer peer;
  if (text.starts_with(kUnix)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = text.substr(kUnix.size());
    if (path.size() >= sizeof address.sun_path) throw Failure("too long for a socket: " + path);
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    std::memcpy(&peer.address, &address, sizeof address);
    peer.length = sizeof address;
    return peer;
  }
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) throw Failure("no address with a port: " + text);
  const auto port = static_cast<std::uint16_t>(std::strtoul(text.c_str() + colon + 1, nullptr, 10));
  std::string host = text.substr(0, colon);
  if (host.starts_with('[')) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(port);
    host = host.substr(1, host.size() - 2);
    if (::inet_pton(AF_INET6, host.c_str(), &address.sin6_addr) != 1) throw Failure("no address: " + host);
    std::memcpy(&peer.address, &address, sizeof address);
    peer.length = sizeof address;
    return peer;
  }
  sockaddr_in address = loopback(port);
  if (::inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) throw Failure("no address: " + host);
  std::memcpy(&peer.address, &address, sizeof address);
  peer.length = sizeof address;
  return peer;
}

void come_from(int fd, const std::string& ip) {
  sockaddr_in address = loopback(0);
  const int one = 1;
  ::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  if (::inet_pton(AF_INET, ip.c_str(), &address.sin_addr) != 1 || ::bind(fd, generic(address), sizeof address) != 0) {
    throw Failure("cannot come from " + ip);
  }
}

// False after `end`.
bool wait_for(int fd, short events, SteadyClock::time_point end) {
  for (;;) {
    const auto left = std::chrono::duration_cast<Millis>(end - SteadyClock::now()).count();
    pollfd entry{fd, events, 0};
    const int ready = ::poll(&entry, 1, static_cast<int>(std::max<std::int64_t>(left, 0)));
    if (ready > 0) return true;
    if (ready == 0 && left <= 0) return false;
    if (ready < 0 && errno != EINTR) return false;
  }
}

}  // namespace

Socket::Socket(Fd fd) : fd_(std::move(fd)) {
  const int one = 1;
  ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

Socket Socket::connect(const std::string& address, int receive_buffer, const std::string& from) {
  Peer peer = parse_peer(address);
  Fd fd = make_socket(peer.address.ss_family);
  if (receive_buffer > 0) ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  if (!from.empty()) come_from(fd.get(), from);
  if (::connect(fd.get(), generic(peer.address), peer.length) != 0) {
    if (errno != EINPROGRESS) throw Failure(std::string("connect: ") + std::strerror(errno));
    if (!wait_for(fd.get(), POLLOUT, SteadyClock::now() + kLimit)) throw Failure("connect: timed out");
    int error = 0;
    socklen_t length = sizeof error;
    ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) throw Failure(std::string("connect: ") + std::strerror(error));
  }
  return Socket(std::move(fd));
}

bool Socket::start_tls(const TlsOptions& options, Millis limit) {
  tls_ = std::make_unique<Tls>(fd_.get(), options);
  return tls_->handshake(limit);
}

std::size_t Socket::send_some(std::string_view bytes) {
  const ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  return n > 0 ? static_cast<std::size_t>(n) : 0;
}

bool Socket::send(std::string_view bytes, Millis limit) {
  if (tls_) return tls_->send(bytes, limit) == Tls::Io::kDone;
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno == EAGAIN) {
      if (!wait_for(fd_.get(), POLLOUT, SteadyClock::now() + limit)) return false;
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

Socket::Read Socket::receive(std::string& out, Millis limit, std::size_t max) {
  if (tls_) {
    switch (tls_->receive(out, limit, max)) {
      case Tls::Io::kDone: return Read::kBytes;
      case Tls::Io::kEnd: return Read::kEof;
      case Tls::Io::kCut: return Read::kReset;
      case Tls::Io::kTimeout: return Read::kTimeout;
    }
  }
  const auto end = SteadyClock::now() + limit;
  const std::size_t had = out.size();
  for (;;) {
    out.resize(had + max);
    const ssize_t n = ::recv(fd_.get(), out.data() + had, max, 0);
    out.resize(had + static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    if (n > 0) return Read::kBytes;
    if (n == 0) return Read::kEof;
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return Read::kReset;
    if (!wait_for(fd_.get(), POLLIN, end)) return Read::kTimeout;
  }
}

void Socket::half_close() {
  if (tls_) tls_->end();
  ::shutdown(fd_.get(), SHUT_WR);
}

void Socket::reset() {
  const linger now{1, 0};
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  fd_.close();
}

void Socket::close() {
  if (tls_ && fd_) tls_->end();
  fd_.close();
}

Fd listen_on_loopback(std::uint16_t& port) {
  Fd fd = make_socket();
  const int one = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  sockaddr_in address = loopback(0);
  socklen_t length = sizeof address;
  if (::bind(fd.get(), generic(address), sizeof address) != 0 || ::listen(fd.get(), 1024) != 0 ||
      ::getsockname(fd.get(), generic(address), &length) != 0) {
    throw Failure(std::string("listen: ") + std::strerror(errno));
  }
  port = ntohs(address.sin_port);
  return fd;
}

std::uint16_t unused_port() {
  std::uint16_t port = 0;
  listen_on_loopback(port);
  return port;
}

}  // namespace seawall::behave
