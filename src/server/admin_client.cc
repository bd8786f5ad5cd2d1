#include "server/admin_client.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>
#include <vector>

#include "config/diagnostics.h"
#include "http/h1_parser.h"
#include "http/h1_writer.h"
#include "net/address.h"

namespace seawall::server {
namespace {

constexpr std::string_view kUnix = "unix:";
constexpr std::string_view kOtherWay = "give --admin ADDR:PORT or unix:PATH";
constexpr std::size_t kReadBytes = std::size_t{64} << 10;
constexpr int kMaxInterimAnswers = 16;

std::expected<std::vector<net::Address>, std::string> addresses_of(const AdminAddress& address) {
  if (!address.host.empty()) return net::resolve(address.host, address.port);
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path, address.path.data(), address.path.size());
  return std::vector{net::Address(reinterpret_cast<const sockaddr*>(&name), sizeof name)};
}

void set_timeout(int fd, Millis timeout) {
  const timeval value{.tv_sec = timeout.count() / 1000, .tv_usec = timeout.count() % 1000 * 1000};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &value, sizeof value);
  // On Linux this bounds connect() as well.
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &value, sizeof value);
}

std::string to_message(const AdminAddress& address, std::string_view method, std::string_view target,
                       const http::HeaderMap& headers, std::string_view body) {
  std::string message;
  http::append_request_line(message, method, target);
  http::append_field(message, "Host", address.host.empty() ? "localhost" : address.to_string());
  http::append_fields(message, headers);
  if (!body.empty() || method == "POST" || method == "PUT")
    http::append_field(message, "Content-Length", std::uint64_t{body.size()});
  http::append_end(message);
  message += body;
  return message;
}

std::string seconds_text(Millis time) {
  return fmt::format("{} s", static_cast<double>(time.count()) / 1000);
}

}  // namespace

std::expected<AdminAddress, std::string> AdminAddress::parse(std::string_view text) {
  const auto wrong = [&](std::string_view hint) {
    return std::unexpected(
        fmt::format("--admin must be \"ADDR:PORT\" such as \"127.0.0.1:9180\", or \"unix:PATH\", not {}{}",
                    config::quote(text), hint));
  };
  if (text.starts_with('/'))
    return wrong(fmt::format("\nhint: did you mean {}?", config::quote(fmt::format("unix:{}", text))));
  AdminAddress address;
  if (text.starts_with(kUnix)) {
    address.path = text.substr(kUnix.size());
    if (address.path.empty() || address.path.find('\0') != std::string::npos) return wrong("");
    if (address.path.size() >= sizeof(sockaddr_un::sun_path)) {
      return wrong(
          fmt::format("\nhint: the path of a Unix socket has at most {} bytes", sizeof(sockaddr_un::sun_path) - 1));
    }
    return address;
  }
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return wrong("");
  const std::string_view host = text.substr(0, colon);
  const bool is_bracketed = host.starts_with('[') && host.ends_with(']');
  if (host.find_first_of(is_bracketed ? "/" : "/:[]") != std::string_view::npos) return wrong("");
  const char* const end = text.data() + text.size();
  const auto [last, error] = std::from_chars(text.data() + colon + 1, end, address.port);
  if (error != std::errc() || last != end || address.port == 0) return wrong("");
  address.host = host.empty() || host == "*" ? "127.0.0.1" : host;
  return address;
}

std::string AdminAddress::to_string() const {
  return host.empty() ? fmt::format("{}{}", kUnix, path) : fmt::format("{}:{}", host, port);
}

struct AdminClient::Failure {
  std::string text;
  bool is_unanswered = false;  // the connection ended before the first byte of an answer
};

AdminClient::AdminClient(AdminAddress address, Millis timeout) : address_(std::move(address)), timeout_(timeout) {}

std::expected<AdminResponse, std::string> AdminClient::request(std::string_view method, std::string_view target,
                                                               const http::HeaderMap& headers, std::string_view body) {
  const std::string message = to_message(address_, method, target, headers, body);
  if (fd_ && has_ended()) fd_.close();
  const bool was_kept = static_cast<bool>(fd_);
  if (!was_kept) {
    if (auto connected = connect(); !connected) return std::unexpected(std::move(connected.error()));
  }
  auto outcome = exchange(message, method);
  if (!outcome && was_kept && outcome.error().is_unanswered) {
    // The server closed it at the moment of reuse.
    if (auto connected = connect(); !connected) return std::unexpected(std::move(connected.error()));
    outcome = exchange(message, method);
  }
  if (outcome) return std::move(*outcome);
  fd_.close();
  return std::unexpected(std::move(outcome.error().text));
}

std::expected<void, std::string> AdminClient::connect() {
  const auto addresses = addresses_of(address_);
  if (!addresses) return std::unexpected(addresses.error());
  int error = 0;
  for (const net::Address& address : *addresses) {
    fd_ = Fd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (fd_) {
      set_timeout(fd_.get(), timeout_);
      if (::connect(fd_.get(), address.get(), address.size()) == 0) return {};
    }
    error = errno;
  }
  fd_.close();
  return std::unexpected(unreachable(error));
}

// Bytes that nobody asked for end it as well.
bool AdminClient::has_ended() const {
  char byte = 0;
  const ssize_t n = ::recv(fd_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return n >= 0 || errno != EAGAIN;
}

std::expected<AdminResponse, AdminClient::Failure> AdminClient::exchange(std::string_view message,
                                                                         std::string_view method) {
  if (auto sent = send(message); !sent) return std::unexpected(std::move(sent.error()));
  std::string input;
  auto head = read_head(input, method);
  if (!head) return std::unexpected(std::move(head.error()));
  auto body = read_body(input, *head);
  if (!body) return std::unexpected(std::move(body.error()));
  if (!head->keep_alive || !input.empty()) fd_.close();
  return AdminResponse{.status = head->status, .headers = std::move(head->headers), .body = std::move(*body)};
}

std::expected<http::ResponseHead, AdminClient::Failure> AdminClient::read_head(std::string& input,
                                                                               std::string_view method) const {
  http::ResponseParser parser{http::HeadLimits{}};
  http::ResponseHead head;
  bool is_begun = false;
  for (int answers = 0; answers <= kMaxInterimAnswers;) {
    const auto used = parser.parse(input, http::method_from_name(method), head);
    if (!used) return std::unexpected(not_ours(to_string(used.error().code)));
    input.erase(0, *used);
    if (*used > 0 && head.status >= 200) return head;
    if (*used > 0) {
      ++answers;
      continue;
    }
    if (const Read read = receive(input); read != Read::kBytes) {
      Failure failure = unanswered(read == Read::kEnd ? 0 : errno);
      failure.is_unanswered = failure.is_unanswered && !is_begun;
      return std::unexpected(std::move(failure));
    }
    is_begun = true;
  }
  return std::unexpected(not_ours("interim answers without end"));
}

std::expected<std::string, AdminClient::Failure> AdminClient::read_body(std::string& input,
                                                                        const http::ResponseHead& head) const {
  std::string body;
  http::BodyDecoder decoder(head.framing, head.content_length, Side::kOrigin);
  while (!decoder.is_done()) {
    const auto piece = decoder.decode(input);
    if (!piece) return std::unexpected(not_ours(to_string(piece.error().code)));
    body += piece->payload;
    const std::size_t consumed = piece->consumed;
    input.erase(0, consumed);
    if (body.size() > kMaxBodyBytes) return std::unexpected(not_ours("an answer without end"));
    if (consumed > 0 || decoder.is_done()) continue;
    switch (receive(input)) {
      case Read::kBytes: break;
      case Read::kEnd:
        if (!decoder.on_eof()) return std::unexpected(Failure{.text = unanswered(0).text});
        break;
      case Read::kFailed: return std::unexpected(Failure{.text = unanswered(errno).text});
    }
  }
  return body;
}

std::expected<void, AdminClient::Failure> AdminClient::send(std::string_view message) {
  while (!message.empty()) {
    const ssize_t n = ::send(fd_.get(), message.data(), message.size(), MSG_NOSIGNAL);
    if (n >= 0) {
      message.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno == EPIPE || errno == ECONNRESET) {
      // It may have answered before it closed.
      return {};
    } else if (errno != EINTR) {
      return std::unexpected(unanswered(errno));
    }
  }
  return {};
}

AdminClient::Read AdminClient::receive(std::string& input) const {
  const std::size_t had = input.size();
  input.resize(had + kReadBytes);
  ssize_t n = 0;
  do {
    n = ::recv(fd_.get(), input.data() + had, kReadBytes, 0);
  } while (n < 0 && errno == EINTR);
  const int error = errno;
  input.resize(had + static_cast<std::size_t>(n > 0 ? n : 0));
  errno = error;
  if (n > 0) return Read::kBytes;
  return n == 0 ? Read::kEnd : Read::kFailed;
}

// 0: the server closed the connection.
AdminClient::Failure AdminClient::unanswered(int error) const {
  if (error == EAGAIN) {
    return {.text = fmt::format("{} gave no answer within {}; see the log of seawall, or {}", address_.to_string(),
                                seconds_text(timeout_), kOtherWay)};
  }
  return {.text = fmt::format(
              "{} closed the connection before the end of its answer{}{}; see the log of seawall, or {}",
              address_.to_string(), error == 0 ? "" : ": ", error == 0 ? "" : std::strerror(error), kOtherWay),
          .is_unanswered = error == 0 || error == EPIPE || error == ECONNRESET};
}

AdminClient::Failure AdminClient::not_ours(std::string_view what) const {
  return {.text = fmt::format("{} does not answer as the admin interface of seawall does: {}; {}", address_.to_string(),
                              what, kOtherWay)};
}

std::string AdminClient::unreachable(int error) const {
  const std::string where = address_.host.empty() ? "socket " + address_.path : "interface " + address_.to_string();
  if (error == EACCES || error == EPERM) {
    return fmt::format("cannot reach the admin {}: {}; be root or the user that seawall runs as, or {}", where,
                       std::strerror(error), kOtherWay);
  }
  // What connect() says when its time is over: TCP, and a Unix socket whose queue is full.
  const bool is_timeout = error == EINPROGRESS || error == EAGAIN || error == ETIMEDOUT;
  return fmt::format("cannot reach the admin {}: {}; is seawall running? {}", where,
                     is_timeout ? fmt::format("no connection within {}", seconds_text(timeout_)) : std::strerror(error),
                     kOtherWay);
}

}  // namespace seawall::server
