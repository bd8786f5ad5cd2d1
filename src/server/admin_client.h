// A small blocking HTTP/1.1 client for the commands that talk to a running server, over TCP or a Unix socket. One
// connection, kept between requests and made anew when the server has closed it meanwhile. Errors are text for a
// person, with what to do. Thread: one owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/fd.h"
#include "http/header_map.h"
#include "http/message.h"

namespace seawall::server {

struct AdminAddress {
  std::string host;  // a name or an address; empty: a Unix socket
  std::uint16_t port = 0;
  std::string path;  // of the Unix socket

  // "ADDR:PORT", where no ADDR is this machine, or "unix:PATH".
  static std::expected<AdminAddress, std::string> parse(std::string_view text);
  std::string to_string() const;  // as parse() reads it
};

struct AdminResponse {
  std::uint16_t status = 0;
  http::HeaderMap headers;
  std::string body;
};

class AdminClient {
 public:
  static constexpr Millis kTimeout{10'000};
  static constexpr std::size_t kMaxBodyBytes = std::size_t{16} << 20;

  // `timeout` is for the connection, and for each wait for the server to take or to give more bytes.
  explicit AdminClient(AdminAddress address, Millis timeout = kTimeout);

  // Any status is an answer. `headers` holds neither Host nor framing. Where a kept connection ends without a byte of
  // an answer the request is sent once more on a new one: what it asks for must bear being done twice.
  std::expected<AdminResponse, std::string> request(std::string_view method, std::string_view target,
                                                    const http::HeaderMap& headers, std::string_view body);

 private:
  struct Failure;
  enum class Read : std::uint8_t { kBytes, kEnd, kFailed };

  std::expected<void, std::string> connect();
  bool has_ended() const;
  std::expected<AdminResponse, Failure> exchange(std::string_view message, std::string_view method);
  std::expected<void, Failure> send(std::string_view message);
  std::expected<http::ResponseHead, Failure> read_head(std::string& input, std::string_view method) const;
  std::expected<std::string, Failure> read_body(std::string& input, const http::ResponseHead& head) const;
  Read receive(std::string& input) const;
  Failure unanswered(int error) const;
  Failure not_ours(std::string_view what) const;
  std::string unreachable(int error) const;

  AdminAddress address_;
  Millis timeout_;
  Fd fd_;
};

}  // namespace seawall::server
