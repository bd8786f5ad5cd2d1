// A client that sends any bytes and reads exactly one response at a time. Thread: one owner.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "support/behave/message.h"
#include "support/behave/socket.h"

namespace seawall::behave {

class Seawall;

struct ClientOptions {
  int receive_buffer = 0;              // bytes; 0: the kernel's
  std::string from = {};               // the IPv4 address it comes from; empty: 127.0.0.1
  std::string preamble = {};           // sent before all else, in plain: a PROXY header
  std::optional<TlsOptions> tls = {};  // throws Failure when the handshake fails
};

class Client {
 public:
  explicit Client(const Seawall& seawall, ClientOptions options = {});
  explicit Client(std::uint16_t port, ClientOptions options = {});
  // As Socket::connect() takes it.
  explicit Client(const std::string& address, ClientOptions options = {});

  // False when the peer no longer reads.
  bool send(std::string_view bytes) { return socket_.send(bytes); }
  // With "Host: a.test" unless the lines have one, and Content-Length when there is a body.
  void send_request(std::string_view method, std::string_view target, const Lines& lines = {},
                    std::string_view body = {});

  // The next response to the end; throws Failure when it neither ends nor fails in time.
  Response read(std::string_view method = "GET", Millis limit = kLimit);
  // The same response piece by piece: its head with 1xx, at least `size` bytes of its body, its end.
  const Response& read_head(std::string_view method = "GET", Millis limit = kLimit);
  const Response& read_body(std::size_t size, Millis limit = kLimit);
  Response read_rest(Millis limit = kLimit);
  // The next 1xx alone; false when a final head came instead.
  bool read_informational(std::string_view method = "GET");
  // Bytes outside of any message (a tunnel).
  std::string read_raw(std::size_t size, Millis limit = kLimit);

  Response request(std::string_view method, std::string_view target, const Lines& lines = {},
                   std::string_view body = {});
  Response get(std::string_view target, const Lines& lines = {}) { return request("GET", target, lines); }

  // Whether the peer closes within the limit, with nothing more said.
  bool is_closed(Millis limit = kLimit);
  // Whether nothing comes and the connection stays open for that long.
  bool is_quiet(Millis for_how_long = kQuiet);
  void half_close() { socket_.half_close(); }
  void close() { socket_.close(); }
  void reset() { socket_.reset(); }
  Socket& socket() { return socket_; }
  Tls& tls() { return socket_.tls(); }

 private:
  void read_until(const std::function<bool()>& enough, Millis limit);

  Socket socket_;
  std::string buffer_;
  ResponseReader reader_{"GET"};
  bool reading_ = false;
};

// One request on a connection of its own.
Response fetch(const Seawall& seawall, std::string_view method, std::string_view target, const Lines& lines = {},
               std::string_view body = {});
Response get(const Seawall& seawall, std::string_view target, const Lines& lines = {});

std::string request_bytes(std::string_view method, std::string_view target, const Lines& lines = {},
                          std::string_view body = {});

}  // namespace seawall::behave
