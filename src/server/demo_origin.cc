#include "server/demo_origin.h"

#include <fmt/format.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <optional>
#include <utility>

#include "base/timer_wheel.h"
#include "http/h1_parser.h"
#include "http/h1_writer.h"
#include "net/out_queue.h"

namespace seawall::server {
namespace {

constexpr Millis kIdleTimeout{60'000};
constexpr Millis kCloseTimeout{2000};
constexpr std::size_t kMaxEchoBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxInputBytes = std::size_t{128} << 10;
// No further request is begun while this much waits for a slow reader.
constexpr std::uint64_t kMaxQueuedBytes = std::uint64_t{256} << 10;

std::uint16_t status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kTargetTooLong: return 414;
    case ErrorCode::kHeadersTooLarge: return 431;
    case ErrorCode::kUnsupportedVersion: return 505;
    case ErrorCode::kUnsupportedTransferCoding: return 501;
    default: return 400;
  }
}

}  // namespace

// One client. Requests are answered one after another; what comes early waits in `input_`.
class DemoOrigin::Connection final : public net::FdHandler {
 public:
  Connection(DemoOrigin& origin, Fd fd)
      : origin_(origin),
        fd_(std::move(fd)),
        watcher_(origin.loop_, fd_.get(), *this),
        timer_([this] { on_timer(); }),
        parser_({}) {
    step(Step::kHead, kIdleTimeout);
    watch();
  }

  void on_fd_ready(bool readable, bool) override {
    if (readable && !receive()) return origin_.close(*this);
    advance();
  }

 private:
  enum class Step {
    kHead,     // waits for a request head
    kBody,     // takes its body
    kDelay,    // waits before the answer
    kPieces,   // sends a streamed answer
    kClosing,  // the last answer is sent, and what the client still sends is thrown away so that it can be read
  };

  void step(Step next, Millis timeout) {
    step_ = next;
    origin_.loop_.timers().arm(timer_, origin_.loop_.mono_now() + timeout);
  }

  // False: the connection is dead.
  bool receive() {
    const auto buffer = origin_.loop_.read_buffer();
    const ssize_t n = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    if (n == 0) {
      has_ended_ = true;
    } else if (step_ != Step::kClosing) {
      input_.append(buffer.data(), static_cast<std::size_t>(n));
    }
    return true;
  }

  // Goes as far as input and output allow. May close the connection: nothing is touched after it.
  void advance() {
    bool has_progress = true;
    while (has_progress) {
      has_progress = false;
      if (step_ == Step::kHead && output_.size_bytes() < kMaxQueuedBytes) has_progress = take_head();
      if (step_ == Step::kBody) has_progress = take_body() || has_progress;
      std::uint64_t sent = 0;
      if (output_.flush(fd_.get(), sent) == net::SendStatus::kClosed) return origin_.close(*this);
      if (sent > 0 && (step_ == Step::kHead || step_ == Step::kBody)) step(step_, kIdleTimeout);
      // What waited for the queue may go on: no event of the socket would say so.
      if (sent > 0 && step_ == Step::kHead && !input_.empty()) has_progress = true;
    }
    if (output_.empty() && step_ == Step::kClosing) {
      if (has_ended_) return origin_.close(*this);
      if (!std::exchange(is_shut_, true)) ::shutdown(fd_.get(), SHUT_WR);
    }
    // A client that only closed its sending side still gets what is on its way.
    if (has_ended_ && output_.empty() && (step_ == Step::kHead || step_ == Step::kBody)) return origin_.close(*this);
    watch();
  }

  void watch() {
    const bool wants_input = !has_ended_ && (step_ == Step::kClosing || input_.size() < kMaxInputBytes);
    watcher_.watch(wants_input, !output_.empty());
  }

  bool take_head() {
    const auto used = parser_.parse(input_, request_);
    if (!used) {
      refuse(status_of(used.error().code));
      return false;
    }
    if (*used == 0) return false;
    input_.erase(0, *used);
    body_.clear();
    decoder_ = http::BodyDecoder(request_.framing, request_.content_length, Side::kClient);
    if (request_.expect_continue && request_.framing != http::BodyFraming::kNone)
      output_.push("HTTP/1.1 100 Continue\r\n\r\n");
    step(Step::kBody, kIdleTimeout);
    return true;
  }

  // Only /post keeps the bytes.
  bool take_body() {
    while (!decoder_.is_done()) {
      const auto piece = decoder_.decode(input_);
      if (!piece) {
        refuse(400);
        return false;
      }
      if (request_.path == "/post") body_ += piece->payload;
      const std::size_t consumed = piece->consumed;
      input_.erase(0, consumed);
      if (body_.size() > kMaxEchoBytes) {
        refuse(413);
        return false;
      }
      if (consumed == 0 && !decoder_.is_done()) return false;
    }
    answer_ = origin_.pages_.answer(request_, body_, origin_.loop_.wall_now());
    if (answer_.delay > Millis{0}) {
      step(Step::kDelay, answer_.delay);
    } else {
      send_answer();
    }
    return true;
  }

  void refuse(std::uint16_t status) {
    std::string head;
    http::append_status_line(head, status, "");
    head += "Content-Length: 0\r\nConnection: close\r\n\r\n";
    output_.push(head);
    input_.clear();
    step(Step::kClosing, kCloseTimeout);
  }

  void send_answer() {
    const bool is_streamed = !answer_.pieces.empty();
    is_chunked_ = is_streamed && request_.version == http::Version::kHttp11;
    if (is_streamed && !is_chunked_) request_.keep_alive = false;
    std::string head;
    http::append_status_line(head, answer_.status, "");
    http::append_fields(head, answer_.headers);
    if (is_chunked_) {
      http::append_field(head, "Transfer-Encoding", "chunked");
    } else if (answer_.has_body && !is_streamed) {
      http::append_field(head, "Content-Length", answer_.body.size());
    }
    if (!request_.keep_alive) {
      http::append_field(head, "Connection", "close");
    } else if (request_.version == http::Version::kHttp10) {
      http::append_field(head, "Connection", "keep-alive");
    }
    http::append_end(head);
    output_.push(head);
    if (request_.method == http::Method::kHead || !answer_.has_body) return finish_answer();
    if (is_streamed) {
      next_piece_ = 0;
      return send_piece();
    }
    if (!answer_.body.empty()) output_.push(answer_.body);
    finish_answer();
  }

  void send_piece() {
    const std::string& piece = answer_.pieces[next_piece_++];
    std::string text;
    if (is_chunked_) http::append_chunk_size(text, piece.size());
    text += piece;
    if (is_chunked_) text += http::kCrlf;
    if (next_piece_ < answer_.pieces.size()) {
      output_.push(text);
      return step(Step::kPieces, DemoPages::kPieceInterval);
    }
    if (is_chunked_) http::append_last_chunk(text, {});
    output_.push(text);
    finish_answer();
  }

  void finish_answer() {
    if (request_.keep_alive) {
      step(Step::kHead, kIdleTimeout);
    } else {
      input_.clear();
      step(Step::kClosing, kCloseTimeout);
    }
  }

  void on_timer() {
    switch (step_) {
      case Step::kHead:
      case Step::kBody:
      case Step::kClosing: return origin_.close(*this);
      case Step::kDelay: send_answer(); break;
      case Step::kPieces: send_piece(); break;
    }
    advance();
  }

  DemoOrigin& origin_;
  Fd fd_;
  net::FdWatcher watcher_;
  Timer timer_;
  Step step_ = Step::kHead;
  http::RequestParser parser_;
  http::RequestHead request_;
  http::BodyDecoder decoder_;
  std::string input_;
  std::string body_;
  DemoAnswer answer_;
  std::size_t next_piece_ = 0;
  bool is_chunked_ = false;
  bool has_ended_ = false;  // the client sends no more
  bool is_shut_ = false;
  net::OutQueue output_;
};

DemoOrigin::DemoOrigin(net::Loop& loop, std::unique_ptr<net::Listener> listener)
    : loop_(loop), listener_(std::move(listener)) {
  listener_->start(loop_, [this](Fd fd, const net::Address&) { accept(std::move(fd)); });
}

DemoOrigin::~DemoOrigin() = default;

void DemoOrigin::accept(Fd fd) {
  if (connections_.size() >= kMaxConnections) return;
  auto connection = std::make_unique<Connection>(*this, std::move(fd));
  Connection* const key = connection.get();
  connections_.emplace(key, std::move(connection));
}

void DemoOrigin::close(Connection& connection) {
  auto node = connections_.extract(&connection);
  // An event of the same turn as the one that closed it.
  if (node.empty()) return;
  loop_.defer_delete(std::move(node.mapped()));
}

namespace {

// SIGTERM and SIGINT as readiness of a descriptor.
class StopSignal final : public net::FdHandler {
 public:
  explicit StopSignal(net::Loop& loop) : loop_(loop), fd_(open()), watcher_(loop, fd_.get(), *this) {
    watcher_.watch(true, false);
  }

  void on_fd_ready(bool, bool) override {
    watcher_.watch(false, false);
    loop_.stop();
  }

 private:
  static Fd open() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, nullptr);
    return Fd(::signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC));
  }

  net::Loop& loop_;
  Fd fd_;
  net::FdWatcher watcher_;
};

}  // namespace

std::expected<void, std::string> run_demo_origin(const std::string& listen) {
  const auto address = net::Address::parse(listen);
  if (!address) return std::unexpected(fmt::format("{} is not an address", listen));
  if (auto free = net::Listener::probe(*address); !free) return std::unexpected(std::move(free.error()));
  auto listener = net::Listener::bind(*address);
  if (!listener) return std::unexpected(std::move(listener.error()));
  const SystemClock clock;
  net::Loop loop(0, clock);
  StopSignal stop(loop);
  const DemoOrigin origin(loop, std::move(*listener));
  fmt::print("demo origin on http://{}\n", origin.address().to_string());
  std::fflush(stdout);
  loop.run();
  return {};
}

}  // namespace seawall::server
