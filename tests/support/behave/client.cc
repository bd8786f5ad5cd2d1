#include "support/behave/client.h"

#include "support/behave/seawall.h"

namespace seawall::behave {

Client::Client(const Seawall& seawall, ClientOptions options) : Client(seawall.port(), std::move(options)) {}

Client::Client(std::uint16_t port, ClientOptions options)
    : Client("127.0.0.1:" + std::to_string(port), std::move(options)) {}

Client::Client(const std::string& address, ClientOptions options)
    : socket_(Socket::connect(address, options.receive_buffer, options.from)) {
  if (!options.preamble.empty() && !send(options.preamble)) throw Failure("the preamble could not be sent");
  if (options.tls && !socket_.start_tls(*options.tls)) throw Failure("TLS: " + tls().failure());
}

std::string request_bytes(std::string_view method, std::string_view target, const Lines& lines, std::string_view body) {
  Fields fields;
  for (const std::string& line : lines) fields.parse_line(line);
  std::string out = std::string(method) + ' ' + std::string(target) + " HTTP/1.1\r\n";
  if (!fields.has("Host")) out += "Host: a.test\r\n";
  for (const std::string& line : lines) out += line + "\r\n";
  if (!body.empty() && !fields.has("Transfer-Encoding") && !fields.has("Content-Length")) {
    out += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  }
  out += "\r\n";
  out += body;
  return out;
}

void Client::send_request(std::string_view method, std::string_view target, const Lines& lines, std::string_view body) {
  if (!send(request_bytes(method, target, lines, body))) throw Failure("the request could not be sent");
}

void Client::read_until(const std::function<bool()>& enough, Millis limit) {
  const auto end = SteadyClock::now() + limit;
  for (;;) {
    reader_.consume(buffer_);
    if (reader_.done() || enough()) return;
    const auto left = std::chrono::duration_cast<Millis>(end - SteadyClock::now());
    switch (socket_.receive(buffer_, std::max(left, Millis{0}))) {
      case Socket::Read::kBytes: break;
      case Socket::Read::kTimeout: throw Failure("no answer in time; so far: " + reader_.response.head + buffer_);
      case Socket::Read::kEof: reader_.on_closed(); return;
      case Socket::Read::kReset:
        // A body that runs until the connection ends is not complete after a reset.
        reader_.response.closed = true;
        return;
    }
  }
}

const Response& Client::read_head(std::string_view method, Millis limit) {
  if (!reading_) reader_ = ResponseReader(method);
  reading_ = true;
  read_until([this] { return reader_.head_done(); }, limit);
  return reader_.response;
}

bool Client::read_informational(std::string_view method) {
  if (!reading_) reader_ = ResponseReader(method);
  reading_ = true;
  const std::size_t had = reader_.response.informational.size();
  read_until([&] { return reader_.head_done() || reader_.response.informational.size() > had; }, kLimit);
  return reader_.response.informational.size() > had && !reader_.head_done();
}

const Response& Client::read_body(std::size_t size, Millis limit) {
  if (!reading_) read_head("GET", limit);
  read_until([&] { return reader_.response.body.size() >= size; }, limit);
  return reader_.response;
}

Response Client::read_rest(Millis limit) {
  read_until([] { return false; }, limit);
  reading_ = false;
  return std::move(reader_.response);
}

Response Client::read(std::string_view method, Millis limit) {
  read_head(method, limit);
  return read_rest(limit);
}

std::string Client::read_raw(std::size_t size, Millis limit) {
  while (buffer_.size() < size) {
    if (socket_.receive(buffer_, limit, size - buffer_.size()) != Socket::Read::kBytes) break;
  }
  std::string out = buffer_.substr(0, size);
  buffer_.erase(0, size);
  return out;
}

Response Client::request(std::string_view method, std::string_view target, const Lines& lines, std::string_view body) {
  send_request(method, target, lines, body);
  return read(method);
}

bool Client::is_closed(Millis limit) {
  if (!buffer_.empty()) return false;
  const Socket::Read result = socket_.receive(buffer_, limit);
  return result == Socket::Read::kEof || result == Socket::Read::kReset;
}

bool Client::is_quiet(Millis for_how_long) {
  return buffer_.empty() && socket_.receive(buffer_, for_how_long) == Socket::Read::kTimeout;
}

Response fetch(const Seawall& seawall, std::string_view method, std::string_view target, const Lines& lines,
               std::string_view body) {
  Client client(seawall);
  return client.request(method, target, lines, body);
}

Response get(const Seawall& seawall, std::string_view target, const Lines& lines) {
  return fetch(seawall, "GET", target, lines);
}

}  // namespace seawall::behave
