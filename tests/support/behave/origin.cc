#include "support/behave/origin.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>

namespace seawall::behave {
namespace {

// An idle connection of the pool ends when the origin does, not before.
constexpr Millis kIdle{60'000};

std::string_view path_of(std::string_view target) {
  return target.substr(0, target.find('?'));
}

}  // namespace

Handler reply(Reply what) {
  return [what = std::move(what)](Exchange& exchange) { exchange.respond(what); };
}

bool Exchange::read_more() {
  return socket_.is_open() && socket_.receive(buffer_, kIdle) == Socket::Read::kBytes;
}

bool Exchange::read_head() {
  std::size_t end = 0;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (!read_more()) return false;
  }
  seen_.head = buffer_.substr(0, end + 4);
  buffer_.erase(0, end + 4);
  const std::string_view text = seen_.head;
  std::size_t line_end = text.find("\r\n");
  const std::string_view start = text.substr(0, line_end);
  const std::size_t space = start.find(' ');
  const std::size_t second = start.rfind(' ');
  if (space == std::string_view::npos || second <= space) return false;
  seen_.method = start.substr(0, space);
  seen_.target = start.substr(space + 1, second - space - 1);
  for (std::size_t at = line_end + 2; at < text.size() - 2; at = line_end + 2) {
    line_end = text.find("\r\n", at);
    seen_.headers.parse_line(text.substr(at, line_end - at));
  }
  return true;
}

void Exchange::read_chunked() {
  for (;;) {
    std::size_t end = 0;
    while ((end = buffer_.find("\r\n")) == std::string::npos) {
      if (!read_more()) return;
    }
    std::size_t size = 0;
    std::from_chars(buffer_.data(), buffer_.data() + end, size, 16);
    buffer_.erase(0, end + 2);
    if (size == 0) break;
    while (buffer_.size() < size + 2) {
      if (!read_more()) return;
    }
    seen_.body.append(buffer_, 0, size);
    buffer_.erase(0, size + 2);
  }
  for (;;) {
    std::size_t end = 0;
    while ((end = buffer_.find("\r\n")) == std::string::npos) {
      if (!read_more()) return;
    }
    const std::string line = buffer_.substr(0, end);
    buffer_.erase(0, end + 2);
    if (line.empty()) break;
    seen_.trailers.parse_line(line);
  }
  seen_.body_complete = true;
}

// So that the test sees it before the client has the answer.
void Exchange::publish() {
  const std::lock_guard lock(origin_.mutex_);
  origin_.seen_[index_] = seen_;
}

std::string Exchange::read_body() {
  if (seen_.body_complete) return seen_.body;
  const std::string length = seen_.headers.get("Content-Length");
  const bool chunked = seen_.headers.has("Transfer-Encoding");
  if ((chunked || !length.empty()) && seen_.headers.has("Expect")) send("HTTP/1.1 100 Continue\r\n\r\n");
  if (chunked) {
    read_chunked();
    publish();
    return seen_.body;
  }
  std::size_t size = 0;
  std::from_chars(length.data(), length.data() + length.size(), size);
  while (buffer_.size() < size) {
    if (!read_more()) break;
  }
  seen_.body_complete = buffer_.size() >= size;
  const std::size_t take = std::min(size, buffer_.size());
  seen_.body = buffer_.substr(0, take);
  buffer_.erase(0, take);
  publish();
  return seen_.body;
}

std::string Exchange::read_raw(std::size_t max) {
  if (buffer_.empty()) read_more();
  std::string out = buffer_.substr(0, max);
  buffer_.erase(0, out.size());
  return out;
}

void Exchange::drain() {
  if (socket_.is_open()) read_body();
}

void Exchange::send(std::string_view bytes) {
  if (socket_.is_open()) socket_.send(bytes, kIdle);
}

void Exchange::respond(const Reply& what) {
  send(to_bytes(what, seen_.method == "HEAD"));
}

void Exchange::begin_chunked(const Lines& headers, int status) {
  Reply head{.status = status, .headers = headers};
  head.headers.emplace_back("Transfer-Encoding: chunked");
  send(to_bytes(head, true));
}

void Exchange::end_chunks(const Lines& trailers) {
  std::string out = "0\r\n";
  for (const std::string& line : trailers) out += line + "\r\n";
  send(out + "\r\n");
}

void Exchange::hold(const Gate& gate) {
  const auto end = SteadyClock::now() + 3 * kLimit;
  while (!gate.wait(Millis{20}) && !origin_.stopping_ && SteadyClock::now() < end) {
  }
}

bool Exchange::wait_for_close() {
  const auto end = SteadyClock::now() + 3 * kLimit;
  while (!origin_.stopping_ && SteadyClock::now() < end) {
    std::string ignored;
    switch (socket_.receive(ignored, Millis{50})) {
      case Socket::Read::kEof:
      case Socket::Read::kReset: close(); return true;
      case Socket::Read::kTimeout:
      case Socket::Read::kBytes: break;
    }
  }
  return false;
}

void Exchange::close() {
  const std::lock_guard lock(origin_.mutex_);
  origin_.open_.erase(seen_.connection);
  socket_.close();
}

void Exchange::reset() {
  const std::lock_guard lock(origin_.mutex_);
  origin_.open_.erase(seen_.connection);
  socket_.reset();
}

Origin::Origin() : listener_(listen_on_loopback(port_)) {
  otherwise_ = [this](Exchange& exchange) {
    ++unexpected_;
    exchange.read_body();
    exchange.respond({.headers = {"Cache-Control: no-store"}, .body = std::string(kPoison)});
  };
  acceptor_ = std::thread([this] { accept_all(); });
}

Origin::~Origin() {
  stop();
  for (std::thread& thread : threads_) thread.join();
}

void Origin::stop() {
  if (stopping_.exchange(true)) return;
  acceptor_.join();
  listener_.close();
  drop_connections();
}

void Origin::drop_connections() {
  const std::lock_guard lock(mutex_);
  for (const auto& [id, fd] : open_) ::shutdown(fd, SHUT_RDWR);
}

void Origin::on(std::string path, Handler handler) {
  const std::lock_guard lock(mutex_);
  counts_[path];
  routes_[std::move(path)] = {.steps = {std::move(handler)}, .repeats = true};
}

void Origin::script(std::string path, std::vector<Handler> steps) {
  const std::lock_guard lock(mutex_);
  counts_[path];
  routes_[std::move(path)] = {.steps = std::move(steps), .repeats = false};
}

void Origin::otherwise(Handler handler) {
  const std::lock_guard lock(mutex_);
  otherwise_ = std::move(handler);
}

void Origin::accept_all() {
  while (!stopping_) {
    pollfd entry{listener_.get(), POLLIN, 0};
    if (::poll(&entry, 1, 20) <= 0) continue;
    const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) continue;
    Socket socket{Fd(fd)};
    const std::lock_guard lock(mutex_);
    const std::size_t id = ++accepted_;
    open_[id] = fd;
    threads_.emplace_back(
        [this, id, held = std::make_shared<Socket>(std::move(socket))] { serve(id, std::move(*held)); });
  }
}

Handler Origin::begin(Exchange& exchange) {
  const std::lock_guard lock(mutex_);
  const std::string_view target = exchange.seen_.target;
  auto route = routes_.find(target);
  if (route == routes_.end()) route = routes_.find(path_of(target));
  exchange.number_ = ++counts_[route == routes_.end() ? std::string(target) : route->first];
  exchange.index_ = seen_.size();
  seen_.push_back(exchange.seen_);
  most_at_once_ = std::max(most_at_once_, ++at_once_);
  if (route == routes_.end()) return otherwise_;
  const std::vector<Handler>& steps = route->second.steps;
  if (route->second.repeats) return steps.front();
  return exchange.number_ <= steps.size() ? steps[exchange.number_ - 1] : otherwise_;
}

void Origin::end() {
  const std::lock_guard lock(mutex_);
  --at_once_;
}

void Origin::serve(std::size_t id, Socket socket) {
  std::string buffer;
  std::size_t requests = 0;
  while (!stopping_ && socket.is_open()) {
    Exchange exchange(*this, socket, buffer);
    exchange.seen_.connection = id;
    exchange.seen_.on_connection = ++requests;
    if (!exchange.read_head()) break;
    const Handler handler = begin(exchange);
    handler(exchange);
    exchange.drain();
    end();
    if (iequals(exchange.seen_.headers.get("Connection"), "close")) break;
  }
  const std::lock_guard lock(mutex_);
  open_.erase(id);
  socket.close();
}

std::size_t Origin::count(std::string_view path) const {
  const std::lock_guard lock(mutex_);
  const auto found = counts_.find(path);
  return found == counts_.end() ? 0 : found->second;
}

std::size_t Origin::total() const {
  const std::lock_guard lock(mutex_);
  return seen_.size();
}

std::size_t Origin::connections() const {
  const std::lock_guard lock(mutex_);
  return accepted_;
}

std::size_t Origin::open_connections() const {
  const std::lock_guard lock(mutex_);
  return open_.size();
}

std::size_t Origin::most_at_once() const {
  const std::lock_guard lock(mutex_);
  return most_at_once_;
}

SeenRequest Origin::seen(std::string_view path, std::size_t nth) const {
  const std::lock_guard lock(mutex_);
  const SeenRequest* last = nullptr;
  std::size_t n = 0;
  for (const SeenRequest& request : seen_) {
    if (request.target != path && path_of(request.target) != path) continue;
    last = &request;
    if (++n == nth) break;
  }
  if (last == nullptr || n < nth) throw Failure("the origin has not seen that request of " + std::string(path));
  return *last;
}

}  // namespace seawall::behave
