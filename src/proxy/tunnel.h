// Bytes both ways between a client and an origin after 101 (Switching Protocols) or extended CONNECT, with backpressure
// and half-close. Thread: worker.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/byte_stream.h"
#include "base/timer_wheel.h"
#include "net/loop.h"

namespace seawall::proxy {

class Tunnel {
 public:
  // `to_client` and `to_origin` are bytes already read from the other side. The client's stream outlives the tunnel.
  // `on_closed` is called once, in a turn of its own kind: the tunnel may be destroyed from it by defer_delete.
  Tunnel(net::Loop& loop, ByteStream& client, std::unique_ptr<ByteStream> origin, std::string to_client,
         std::string to_origin, Millis idle_timeout, std::function<void()> on_closed);

  void start();

 private:
  // One direction: what was read from `from` and `to` has not taken yet.
  struct Pipe {
    std::string bytes;
    bool from_is_done = false;
    bool to_is_shut = false;
  };
  class End final : public ByteStream::User {
   public:
    End(Tunnel& tunnel, ByteStream& s) : stream(s), tunnel_(tunnel) {}
    void on_stream_ready(bool, bool) override { tunnel_.pump(); }
    ByteStream& stream;

   private:
    Tunnel& tunnel_;
  };

  bool move(End& from, End& to, Pipe& pipe);
  void pump();
  void close();

  net::Loop& loop_;
  std::unique_ptr<ByteStream> origin_stream_;
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
