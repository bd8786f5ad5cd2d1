// Bytes both ways between a client and an origin after 101 (Switching Protocols), with backpressure and half-close.
// Thread: worker.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/fd.h"
#include "base/timer_wheel.h"
#include "net/loop.h"

namespace seawall::proxy {

class Tunnel {
 public:
  // `to_client` and `to_origin` are bytes already read from the other side. `on_closed` is called once, in a turn of
  // its own kind: the tunnel may be destroyed from it by defer_delete.
  Tunnel(net::Loop& loop, int client, Fd origin, std::string to_client, std::string to_origin, Millis idle_timeout,
         std::function<void()> on_closed);

  void start();

 private:
  // One direction: what was read from `from` and `to` has not taken yet.
  struct Pipe {
    std::string bytes;
    bool from_is_done = false;
    bool to_is_shut = false;
  };
  class End final : public net::FdHandler {
   public:
    End(Tunnel& tunnel, int descriptor, net::Loop& loop)
        : watcher(loop, descriptor, *this), fd(descriptor), tunnel_(tunnel) {}
    void on_fd_ready(bool readable, bool writable) override;
    net::FdWatcher watcher;
    int fd;

   private:
    Tunnel& tunnel_;
  };

  bool move(End& from, End& to, Pipe& pipe);
  void pump();

  net::Loop& loop_;
  Fd origin_fd_;
  End client_;
  End origin_;
  Pipe up_;    // client to origin
  Pipe down_;  // origin to client
  Millis idle_timeout_;
  std::function<void()> on_closed_;
  bool is_closed_ = false;
  Timer idle_timer_;
};

}  // namespace seawall::proxy
