// A stream socket of this machine, plain or as a client under TLS, whose every operation has a limit. Thread: one
// owner.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "support/behave/tls.h"
#include "support/behave/wait.h"

namespace seawall::behave {

class Socket {
 public:
  enum class Read { kBytes, kEof, kReset, kTimeout };

  Socket() = default;
  explicit Socket(Fd fd);
  // "127.0.0.1:80", "[::1]:80" or "unix:/path". A receive buffer of that many bytes when not 0: set before the
  // handshake, so that the window stays small. `from`: the IPv4 address to come from; empty: the kernel's choice.
  static Socket connect(const std::string& address, int receive_buffer = 0, const std::string& from = {});

  // From here on all goes through TLS. False: tls().failure() says why.
  bool start_tls(const TlsOptions& options, Millis limit = kLimit);
  Tls& tls() { return *tls_; }

  // All bytes; false when the peer closed or reset, or did not read for `limit`.
  bool send(std::string_view bytes, Millis limit = kLimit);
  // As much as the kernel takes without waiting; plain.
  std::size_t send_some(std::string_view bytes);
  // Appends at most `max` bytes.
  Read receive(std::string& out, Millis limit = kLimit, std::size_t max = 65536);

  // Under TLS, with a close_notify.
  void half_close();
  // RST instead of FIN.
  void reset();
  void close();
  bool is_open() const { return static_cast<bool>(fd_); }
  int fd() const { return fd_.get(); }

 private:
  Fd fd_;
  std::unique_ptr<Tls> tls_;
};

// Listens on a port of the kernel's choice.
Fd listen_on_loopback(std::uint16_t& port);
// A port where nobody listens: for connections that are to be refused, and for servers that cannot choose one
// themselves.
std::uint16_t unused_port();

}  // namespace seawall::behave
