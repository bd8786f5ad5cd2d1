// Accepts connections on one worker; every worker has its own socket on the same address (SO_REUSEPORT). At descriptor
// exhaustion it pauses for a moment instead of spinning. Accepted sockets are non-blocking and without Nagle's delay.
// Thread: its loop's.
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <string>

#include "base/fd.h"
#include "net/address.h"
#include "net/loop.h"

namespace seawall::net {

class Listener {
 public:
  using OnAccept = std::function<void(Fd connection, const Address& peer)>;

  // Whether the address is free. Call it once before the workers bind(): SO_REUSEPORT alone would silently share the
  // port with another server of the same user.
  static std::expected<void, std::string> probe(const Address& address);
  // Binds and listens at once, so that an address in use is an error before anything is served; does not accept until
  // start().
  static std::expected<std::unique_ptr<Listener>, std::string> bind(const Address& address);
  // A Unix stream socket of that mode; its folder is made if missing. What a server that is gone has left there is
  // replaced, and the path is removed by stop().
  static std::expected<std::unique_ptr<Listener>, std::string> bind_unix(const std::string& path,
                                                                         std::uint32_t mode = 0600);
  // Another one on the same socket, for another worker, where the address cannot be bound twice (a Unix socket's). Its
  // stop() leaves the path in place.
  std::expected<std::unique_ptr<Listener>, std::string> share() const;
  // Once started: on the loop's thread, while the loop lives. on_accept may destroy the listener.
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  void start(Loop& loop, OnAccept on_accept);
  // Closes the socket; connections already accepted live on.
  void stop();
  // The bound address, the kernel's choice of port included.
  const Address& address() const { return address_; }
  // Called (rate limited by the pause) when accept fails for want of descriptors or memory.
  void set_on_exhausted(std::function<void(int error)> callback);

 private:
  Listener(Fd fd, const Address& address);
  struct Impl;
  Fd fd_;
  Address address_;
  std::string unix_path_;
  std::function<void(int error)> on_exhausted_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace seawall::net
