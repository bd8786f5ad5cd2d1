// A TCP server in the test's own loop, on a port of the kernel's choice: it records what comes and sends what the
// test tells it to. Thread: its loop's.
#pragma once

#include <sys/socket.h>

#include <boost/test/unit_test.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/listener.h"
#include "net/loop.h"
#include "net/out_queue.h"
#include "support/pump.h"

namespace seawall::test {

class ScriptedOrigin {
 public:
  class Peer final : public net::FdHandler {
   public:
    Peer(net::Loop& loop, Fd fd) : fd_(std::move(fd)) {
      watcher_.emplace(loop, fd_.get(), *this);
      watcher_->watch(true, false);
    }

    const std::string& received() const { return received_; }
    std::string take_received() { return std::exchange(received_, {}); }
    bool saw_end() const { return saw_end_; }  // closed or reset by the client
    std::uint64_t unsent_bytes() const { return out_.size_bytes(); }

    void send(std::string_view bytes) {
      out_.push(bytes);
      flush();
    }
    void close() {
      watcher_.reset();
      fd_.close();
    }
    void reset() {
      const linger abort{.l_onoff = 1, .l_linger = 0};
      ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
      close();
    }
    void set_reading(bool on) {
      is_reading_ = on;
      flush();
    }
    void set_send_buffer(int bytes) { ::setsockopt(fd_.get(), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes); }
    void set_receive_buffer(int bytes) { ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes); }

   private:
    void on_fd_ready(bool readable, bool writable) override {
      if (writable) flush();
      if (!readable || !fd_) return;
      char buffer[65536];
      const ssize_t n = ::recv(fd_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
      if (n > 0) {
        received_.append(buffer, static_cast<std::size_t>(n));
      } else {
        saw_end_ = true;
        close();
      }
    }
    void flush() {
      if (!fd_) return;
      std::uint64_t sent = 0;
      if (out_.flush(fd_.get(), sent) == net::SendStatus::kClosed) out_.clear();
      watcher_->watch(is_reading_, !out_.empty());
    }

    Fd fd_;
    std::optional<net::FdWatcher> watcher_;
    net::OutQueue out_;
    std::string received_;
    bool saw_end_ = false;
    bool is_reading_ = true;
  };

  explicit ScriptedOrigin(net::Loop& loop) : loop_(loop) {
    auto listener = net::Listener::bind(*net::Address::parse("127.0.0.1:0"));
    BOOST_REQUIRE(listener.has_value());
    listener_ = std::move(*listener);
    listener_->start(
        loop, [this](Fd fd, const net::Address&) { peers_.push_back(std::make_unique<Peer>(loop_, std::move(fd))); });
  }

  const net::Address& address() const { return listener_->address(); }
  std::size_t connections() const { return peers_.size(); }
  Peer& peer(std::size_t i) { return *peers_.at(i); }
  // Pumps until the i-th connection is there and has received `text`.
  Peer& await(std::size_t i, std::string_view text) {
    pump_until(loop_, text, [&] { return peers_.size() > i && peer(i).received().find(text) != std::string::npos; });
    return peer(i);
  }

 private:
  net::Loop& loop_;
  std::unique_ptr<net::Listener> listener_;
  std::vector<std::unique_ptr<Peer>> peers_;
};

}  // namespace seawall::test
