#include "origin/dialer.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace seawall::origin {

Dialer::Dialer(net::Loop& loop, const std::vector<net::Address>& addresses, Millis timeout, User& user)
    : loop_(loop), addresses_(addresses), timeout_(timeout), user_(user), timer_([this] { on_timer(); }) {}

std::optional<Result<Fd>> Dialer::start() {
  deadline_ = loop_.mono_now() + timeout_;
  return try_next();
}

void Dialer::cancel() {
  timer_.cancel();
  drop_attempt();
}

std::optional<Result<Fd>> Dialer::try_next() {
  while (next_ < addresses_.size()) {
    const net::Address& address = addresses_[next_++];
    Fd fd(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd) {
      if (is_exhaustion(errno)) return fail_exhausted();
      note(errno);
      continue;
    }
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(fd.get(), address.get(), address.size()) == 0) {
      timer_.cancel();
      return Result<Fd>(std::move(fd));
    }
    if (errno != EINPROGRESS && errno != EINTR) {
      if (is_exhaustion(errno)) return fail_exhausted();
      note(errno);
      continue;
    }
    fd_ = std::move(fd);
    watcher_.emplace(loop_, fd_.get(), *this);
    watcher_->watch(false, true);
    const auto left = deadline_ - loop_.mono_now();
    const auto attempts = static_cast<std::int64_t>(addresses_.size() - next_ + 1);
    loop_.timers().arm(timer_, loop_.mono_now() + left / attempts);
    return std::nullopt;
  }
  timer_.cancel();
  return std::unexpected(failure_.value_or(Error{ErrorCode::kConnectFailed, Side::kOrigin, Retry::kYes}));
}

// That is not the origin's fault, and no other address helps.
std::unexpected<Error> Dialer::fail_exhausted() {
  timer_.cancel();
  return std::unexpected(Error{ErrorCode::kNoDescriptors, Side::kLocal});
}

void Dialer::on_fd_ready(bool, bool) {
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  if (error != 0) {
    note(error);
    drop_attempt();
    go_on();
    return;
  }
  watcher_.reset();
  timer_.cancel();
  user_.on_dialled(std::move(fd_));
}

void Dialer::on_timer() {
  note(ETIMEDOUT);
  drop_attempt();
  go_on();
}

void Dialer::go_on() {
  if (auto outcome = try_next()) user_.on_dialled(std::move(*outcome));
}

void Dialer::drop_attempt() {
  watcher_.reset();
  fd_.close();
}

void Dialer::note(int error) {
  const auto of_origin = [](ErrorCode code) { return Error{code, Side::kOrigin, Retry::kYes}; };
  switch (error) {
    // No connection was asked for: what the other addresses answer says more.
    case EADDRNOTAVAIL:
      if (!failure_) failure_ = Error{ErrorCode::kNoLocalPort, Side::kLocal, Retry::kYes};
      return;
    case ECONNREFUSED: failure_ = of_origin(ErrorCode::kConnectRefused); return;
    case ETIMEDOUT: failure_ = of_origin(ErrorCode::kConnectTimeout); return;
    default: failure_ = of_origin(ErrorCode::kConnectFailed); return;
  }
}

}  // namespace seawall::origin
