// A whole HTTP/2 connection: whatever bytes follow the client's preface, the session goes on or ends, and leaves
// nothing behind. The handlers answer at once, with a large body, in pieces, or never.
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "net/loop.h"
#include "net/transport.h"
#include "proxy/session_h2.h"
#include "support/manual_clock.h"

namespace {

using namespace seawall;

class Handler final : public proxy::RequestHandler {
 public:
  // While it lives it is one of `all`.
  Handler(proxy::ResponseWriter& writer, std::function<void()> on_finished, std::set<Handler*>& all)
      : writer_(writer), on_finished_(std::move(on_finished)), all_(all) {
    all_.insert(this);
  }
  ~Handler() override { all_.erase(this); }

  void begin(Ref<http::BodyPipe> body) override {
    is_active_ = true;
    body_ = std::move(body);
    if (body_) body_->want();
    const std::string& path = request_.path;
    if (path == "/wait") return;
    const bool is_large = path == "/large";
    writer_.send_head({.status = 200, .has_body = request_.method != http::Method::kHead});
    has_answered_ = true;
    writer_.send_body({Slice::of_static("hello")});
    if (path == "/pieces") return;
    static const std::string kLarge(300'000, 'x');
    if (is_large) writer_.send_body({Slice::of_static(kLarge)});
    http::HeaderMap trailers;
    if (path == "/trailers") trailers.add("x", "y");
    if (path == "/abort") {
      writer_.abort();
    } else {
      writer_.end(trailers);
    }
    finish();
  }
  void begin_refused(Error) override {
    is_active_ = has_answered_ = true;
    writer_.send_head({.status = 400, .length = 0});
    writer_.end({});
    finish();
  }
  bool is_active() const override { return is_active_; }
  bool has_answered() const override { return has_answered_; }
  void on_writable() override {
    if (!is_active_) return;
    writer_.end({});
    finish();
  }
  void on_client_gone() override {
    if (is_active_) finish();
  }
  // What it waits for does not come.
  void give_up() {
    if (!is_active_) return;
    writer_.abort();
    finish();
  }

 private:
  void finish() {
    if (body_) body_->discard();
    body_ = nullptr;
    is_active_ = has_answered_ = false;
    on_finished_();
  }

  proxy::ResponseWriter& writer_;
  std::function<void()> on_finished_;
  std::set<Handler*>& all_;
  Ref<http::BodyPipe> body_;
  bool is_active_ = false;
  bool has_answered_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::set<Handler*> handlers;  // some may live until the loop goes
  test::ManualClock clock;
  net::Loop loop(0, clock);
  proxy::H2Counters counters;
  const proxy::HandlerFactory make_handler = [&](proxy::ResponseWriter& writer, const proxy::ClientInfo&,
                                                 std::function<void()> on_finished) {
    return std::make_unique<Handler>(writer, std::move(on_finished), handlers);
  };
  std::array<int, 2> ends{};
  SW_CHECK(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()) == 0, "a socket pair");
  Fd client(ends[0]);
  bool is_closed = false;
  auto* session = new proxy::SessionH2(
      loop, std::make_shared<proxy::SessionOptions>(proxy::SessionOptions{.http2 = {.streams = 8}}),
      std::make_unique<net::Transport>(loop, Fd(ends[1])), proxy::ClientInfo{}, make_handler,
      [&](proxy::Session& closed) {
        is_closed = true;
        loop.defer_delete(std::unique_ptr<proxy::Session>(&closed));
      },
      counters);
  session->start();

  std::string bytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33);
  bytes.append(reinterpret_cast<const char*>(data), size);
  const auto drain = [&] {
    std::array<char, 65536> buffer;
    while (::recv(client.get(), buffer.data(), buffer.size(), MSG_DONTWAIT) > 0) {
    }
  };
  // In two pieces, so that a frame is cut.
  for (const std::string_view piece :
       {std::string_view(bytes).substr(0, bytes.size() / 2), std::string_view(bytes).substr(bytes.size() / 2)}) {
    ::send(client.get(), piece.data(), piece.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    for (int i = 0; i < 4; ++i) {
      loop.turn(net::Loop::Wait::kPoll);
      drain();
    }
  }
  // Every time-out has its turn.
  for (int i = 0; i < 4; ++i) {
    clock.advance(Millis{31'000});
    loop.turn(net::Loop::Wait::kPoll);
    drain();
  }
  // A client that has closed its half waits for answers, and for nothing else.
  ::shutdown(client.get(), SHUT_WR);
  for (int i = 0; i < 4; ++i) {
    loop.turn(net::Loop::Wait::kPoll);
    drain();
  }
  for (Handler* handler : handlers) handler->give_up();
  for (int i = 0; i < 100 && !is_closed; ++i) {
    loop.turn(net::Loop::Wait::kPoll);
    drain();
  }
  SW_CHECK(is_closed, "it ends with its client");
  return 0;
}
