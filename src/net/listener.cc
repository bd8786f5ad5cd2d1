#include "net/listener.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <system_error>

namespace seawall::net {
namespace {

constexpr int kAcceptsPerWake = 64;
constexpr Millis kExhaustedPause{100};

enum class Sharing { kAlone, kAmongWorkers };

bool set_option(int fd, int level, int name, int value) {
  return ::setsockopt(fd, level, name, &value, sizeof value) == 0;
}

std::string explain(const Address& address, int error) {
  const std::string where = address.to_string();
  switch (error) {
    case EADDRINUSE: return where + " is in use: stop the other server or choose another --listen";
    case EACCES:
      return where + " is not permitted: choose a port of 1024 or above, or grant the capability CAP_NET_BIND_SERVICE";
    case EADDRNOTAVAIL:
      return where + " is not an address of this host: choose one that is, or *:" + std::to_string(address.port());
    default: return "cannot listen on " + where + ": " + std::strerror(error);
  }
}

// 0, or errno. `out` holds a bound socket.
int bind_socket(const Address& address, Sharing sharing, Fd& out) {
  Fd fd(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return errno;
  // Without SO_REUSEADDR a restart would wait for the old connections' TIME_WAIT.
  if (!set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1)) return errno;
  if (sharing == Sharing::kAmongWorkers && !set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1)) return errno;
  if (address.family() == AF_INET6 && !set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, !address.is_any_family())) {
    return errno;
  }
  // Linux hands it down to the accepted sockets, which saves a call for each.
  if (!set_option(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1)) return errno;
  if (::bind(fd.get(), address.get(), address.size()) != 0) return errno;
  out = std::move(fd);
  return 0;
}

std::expected<Fd, std::string> open_socket(const Address& address, Sharing sharing) {
  Fd fd;
  int error = bind_socket(address, sharing, fd);
  if (address.is_any_family() && (error == EAFNOSUPPORT || error == EADDRNOTAVAIL)) {
    // A host without IPv6: "every address" is then every IPv4 address.
    if (const auto v4 = Address::parse("0.0.0.0:" + std::to_string(address.port()))) {
      error = bind_socket(*v4, sharing, fd);
    }
  }
  if (error != 0) return std::unexpected(explain(address, error));
  return fd;
}

}  // namespace

struct Listener::Impl final : FdHandler {
  Impl(Loop& l, int listen_fd, OnAccept callback, std::function<void(int)>& exhausted_callback)
      : loop(l), fd(listen_fd), on_accept(std::move(callback)), on_exhausted(exhausted_callback), timer([this] {
          watcher->watch(true, false);
        }) {
    watcher.emplace(loop, fd, *this);
    watcher->watch(true, false);
  }

  void close() {
    timer.cancel();
    watcher.reset();
    fd = -1;
  }

  void on_fd_ready(bool, bool) override {
    for (int i = 0; i < kAcceptsPerWake && fd >= 0; ++i) {
      sockaddr_storage peer;
      socklen_t size = sizeof peer;
      Fd connection(::accept4(fd, reinterpret_cast<sockaddr*>(&peer), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (connection) {
        on_accept(std::move(connection), Address(reinterpret_cast<const sockaddr*>(&peer), size));
        continue;
      }
      const int error = errno;
      if (error == EAGAIN || error == EWOULDBLOCK) return;
      if (is_exhaustion(error)) {
        if (watcher) watcher->watch(false, false);
        loop.timers().arm(timer, loop.mono_now() + kExhaustedPause);
        if (on_exhausted) on_exhausted(error);
        return;
      }
      // Anything else concerns one connection that went away before it was taken (accept(2)).
    }
  }

  Loop& loop;
  int fd;
  OnAccept on_accept;
  std::function<void(int)>& on_exhausted;
  std::optional<FdWatcher> watcher;
  Timer timer;
};

Listener::Listener(Fd fd, const Address& address) : fd_(std::move(fd)), address_(address) {}

Listener::~Listener() {
  stop();
}

std::expected<void, std::string> Listener::probe(const Address& address) {
  if (address.port() == 0) return {};
  auto fd = open_socket(address, Sharing::kAlone);
  if (!fd) return std::unexpected(std::move(fd.error()));
  return {};
}

std::expected<std::unique_ptr<Listener>, std::string> Listener::bind(const Address& address) {
  auto fd = open_socket(address, Sharing::kAmongWorkers);
  if (!fd) return std::unexpected(std::move(fd.error()));
  if (::listen(fd->get(), SOMAXCONN) != 0) return std::unexpected(explain(address, errno));
  sockaddr_storage bound;
  socklen_t size = sizeof bound;
  if (::getsockname(fd->get(), reinterpret_cast<sockaddr*>(&bound), &size) != 0) {
    return std::unexpected(explain(address, errno));
  }
  Address actual = address;
  actual.set_port(Address(reinterpret_cast<const sockaddr*>(&bound), size).port());
  return std::unique_ptr<Listener>(new Listener(std::move(*fd), actual));
}

std::expected<std::unique_ptr<Listener>, std::string> Listener::bind_unix(const std::string& path, std::uint32_t mode) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof name.sun_path) {
    return std::unexpected("a socket's path has 1 to " + std::to_string(sizeof name.sun_path - 1) + " bytes: " + path);
  }
  std::memcpy(static_cast<char*>(name.sun_path), path.data(), path.size());
  const auto* address = reinterpret_cast<const sockaddr*>(&name);
  const auto failed = [&](int error) {
    return std::unexpected("cannot listen on " + path + ": " + std::strerror(error));
  };
  std::error_code ignored;  // bind() says what is wrong
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  if (!folder.empty() && std::filesystem::create_directories(folder, ignored)) {
    // Who may connect must be able to reach it.
    const bool is_for_others = (mode & 077U) != 0;
    std::filesystem::permissions(folder, static_cast<std::filesystem::perms>(is_for_others ? 0755 : 0700), ignored);
  }

  Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!probe) return failed(errno);
  if (::connect(probe.get(), address, sizeof name) == 0) {
    return std::unexpected(path + " is in use by another server: stop it or choose another path");
  }
  // What a dead server has left behind; anything else that is there is not ours, and bind() refuses it.
  struct stat found{};
  if (errno == ECONNREFUSED && ::lstat(path.c_str(), &found) == 0 && S_ISSOCK(found.st_mode)) ::unlink(path.c_str());
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return failed(errno);
  // Before bind() the mode of the descriptor is what the socket file gets: there is no moment at which others may use
  // it.
  if (::fchmod(fd.get(), mode) != 0 || ::bind(fd.get(), address, sizeof name) != 0) return failed(errno);
  // The umask has taken some of it away; this can only give that back.
  if (::chmod(path.c_str(), mode) != 0) return failed(errno);
  if (::listen(fd.get(), SOMAXCONN) != 0) return failed(errno);
  std::unique_ptr<Listener> listener(new Listener(std::move(fd), Address(address, sizeof name)));
  listener->unix_path_ = path;
  return listener;
}

std::expected<std::unique_ptr<Listener>, std::string> Listener::share() const {
  Fd fd(::fcntl(fd_.get(), F_DUPFD_CLOEXEC, 0));
  if (!fd) return std::unexpected("cannot share " + address_.to_string() + ": " + std::strerror(errno));
  return std::unique_ptr<Listener>(new Listener(std::move(fd), address_));
}

void Listener::start(Loop& loop, OnAccept on_accept) {
  impl_ = std::make_unique<Impl>(loop, fd_.get(), std::move(on_accept), on_exhausted_);
}

void Listener::stop() {
  if (impl_) {
    // It may be its own accept loop that is calling.
    impl_->close();
    Loop& loop = impl_->loop;
    loop.defer_delete(std::move(impl_));
  }
  if (fd_ && !unix_path_.empty()) ::unlink(unix_path_.c_str());
  fd_.close();
}

void Listener::set_on_exhausted(std::function<void(int error)> callback) {
  on_exhausted_ = std::move(callback);
}

}  // namespace seawall::net
