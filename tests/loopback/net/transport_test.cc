// Two transports on one pair of sockets, plain and under TLS: whatever is written arrives, however small the socket's
// buffer, and each end sees how the other ends.
#include "net/transport.h"

#include <sys/socket.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <memory>
#include <string>
#include <vector>

#include "net/listener.h"
#include "net/out_queue.h"
#include "net/ticket_keys.h"
#include "net/tls_client.h"
#include "net/tls_server.h"
#include "support/manual_clock.h"
#include "support/pump.h"
#include "support/test_certificates.h"

namespace seawall::test {
namespace {

using Status = ByteStream::Status;

// One end: writes what it is given when it can, and keeps what it reads.
class End final : public ByteStream::User {
 public:
  End(net::Loop& loop, Fd fd) : transport(loop, std::move(fd)) {
    transport.set_user(*this);
    transport.watch(true, false);
  }

  void send(std::string bytes) {
    out_ += bytes;
    flush();
  }
  bool is_sent() const { return out_.empty() && !transport.has_unsent(); }

  net::Transport transport;
  std::string received;
  Status last = Status::kBlocked;
  bool is_reading = true;

  void on_stream_ready(bool readable, bool writable) override {
    if (readable && is_reading) read();
    if (writable || transport.is_established()) flush();
  }
  void read() {
    std::vector<char> buffer(ByteStream::kReadBytes);
    const ByteStream::Outcome outcome = transport.read(buffer);
    received.append(buffer.data(), outcome.bytes);
    if (outcome.status != Status::kBlocked) last = outcome.status;
    watch();
  }
  void watch() {
    const bool is_over = last != Status::kOk && last != Status::kBlocked;
    transport.watch(is_reading && !is_over, !out_.empty());
  }

 private:
  void flush() {
    if (!transport.is_established()) return;
    while (!out_.empty()) {
      const ByteStream::Outcome outcome = transport.write(out_);
      if (outcome.status != Status::kOk) break;
      out_.erase(0, outcome.bytes);
    }
    watch();
  }

  std::string out_;
};

struct Pair {
  ManualClock clock;
  net::Loop loop{0, clock};
  std::unique_ptr<End> client;
  std::unique_ptr<End> server;

  explicit Pair(int send_buffer = 0) {
    int ends[2];
    BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    if (send_buffer != 0) {
      for (const int end : ends) ::setsockopt(end, SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer);
    }
    client = std::make_unique<End>(loop, Fd(ends[0]));
    server = std::make_unique<End>(loop, Fd(ends[1]));
  }

  void start_tls() {
    static const TestCertificate authority = TestCertificate::authority();
    static const TestCertificate leaf = authority.issue({});
    const PemFolder folder;
    const auto certificate =
        net::Certificate::load(folder.write("leaf", leaf), WallTime::from_unix_seconds(1'700'000'000));
    BOOST_REQUIRE(certificate.has_value());
    const auto tls =
        net::TlsServer::create({}, std::vector{*certificate}, std::make_shared<net::TicketKeys>(clock, Seconds{3600}));
    BOOST_REQUIRE(tls.has_value());
    const auto trust = net::TlsClientContext::load({.ca = folder.write("ca.pem", authority.pem())}, clock.wall_now());
    BOOST_REQUIRE(trust.has_value());
    net::TlsClient maker(*trust, "localhost", false);
    server->transport.start_tls((*tls)->accept());
    client->transport.start_tls(maker.connect());
    client->read();
    pump_until(loop, "the handshake",
               [&] { return client->transport.is_established() && server->transport.is_established(); });
    settle(loop);  // tickets: what is left unread would turn an end into a reset
  }
};

std::string numbered(std::size_t size) {
  std::string text;
  while (text.size() < size) text += std::to_string(text.size()) + ' ';
  text.resize(size);
  return text;
}

// How much each TLS record holds of all that has come to a client which does not read.
std::vector<std::size_t> record_sizes(int client) {
  constexpr std::size_t kHeader = 5;       // RFC 8446 section 5.1
  constexpr std::size_t kAround = 1 + 16;  // the type inside, and the tag of AES-GCM and ChaCha20-Poly1305
  std::string bytes;
  std::vector<char> buffer(65536);
  for (ssize_t n = 0; (n = ::recv(client, buffer.data(), buffer.size(), MSG_DONTWAIT)) > 0;) {
    bytes.append(buffer.data(), static_cast<std::size_t>(n));
  }
  std::vector<std::size_t> sizes;
  for (std::size_t at = 0; at < bytes.size();) {
    BOOST_REQUIRE(at + kHeader <= bytes.size());
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(bytes[at + i]); };
    const std::size_t length = std::size_t{byte(3)} << 8 | byte(4);
    BOOST_REQUIRE(length >= kAround);
    sizes.push_back(length - kAround);
    at += kHeader + length;
  }
  return sizes;
}

BOOST_AUTO_TEST_SUITE(loopback_transport)

// Small ones while the congestion window is: whoever waits for the first byte does not wait for 16 KiB.
BOOST_AUTO_TEST_CASE(records_are_small_at_first_and_after_a_pause) {
  using Sizes = std::vector<std::size_t>;
  Pair pair;
  pair.start_tls();
  pair.client->is_reading = false;
  pair.client->watch();
  const auto records_of = [&](std::size_t size) {
    pair.server->send(numbered(size));
    BOOST_REQUIRE(pair.server->is_sent());
    return record_sizes(pair.client->transport.fd());
  };
  const Sizes begun = {1400, 4096, 4096, 4096, 4096, 4096, 4096, 4096, 4096, 16384, 16384, 9416};
  pair.clock.advance(Millis{1001});  // since the handshake, for the loop has its time by now
  settle(pair.loop);
  BOOST_TEST(records_of(76'352) == begun);
  BOOST_TEST(records_of(40'000) == (Sizes{16384, 16384, 7232}));
  // Not yet a pause.
  pair.clock.advance(Millis{1000});
  settle(pair.loop);
  BOOST_TEST(records_of(20'000) == (Sizes{16384, 3616}));
  pair.clock.advance(Millis{1001});
  settle(pair.loop);
  BOOST_TEST(records_of(76'352) == begun);
  // What fits into one early record is one.
  pair.clock.advance(Millis{1001});
  settle(pair.loop);
  BOOST_TEST(records_of(4096) == Sizes{4096});
  BOOST_TEST(records_of(8192) == (Sizes{4096, 4096}));
  pair.clock.advance(Millis{1001});
  settle(pair.loop);
  BOOST_TEST(records_of(4097) == (Sizes{1400, 2697}));
}

BOOST_AUTO_TEST_CASE(all_arrives_both_ways) {
  for (const bool is_tls : {false, true}) {
    for (const int send_buffer : {0, 4096}) {
      for (const std::size_t size : {std::size_t{1}, std::size_t{1400}, std::size_t{16384}, std::size_t{3} << 20}) {
        BOOST_TEST_CONTEXT((is_tls ? "TLS, " : "plain, ") << size << " bytes, send buffer " << send_buffer) {
          Pair pair(send_buffer);
          if (is_tls) pair.start_tls();
          const std::string up = numbered(size);
          const std::string down = numbered(size + 1);
          pair.client->send(up);
          pair.server->send(down);
          pump_until(pair.loop, "all bytes", [&] {
            return pair.server->received.size() >= up.size() && pair.client->received.size() >= down.size();
          });
          BOOST_TEST((pair.server->received == up));
          BOOST_TEST((pair.client->received == down));
          pump_until(pair.loop, "nothing left", [&] { return pair.client->is_sent() && pair.server->is_sent(); });
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(pieces_of_any_size_are_gathered) {
  Pair pair;
  pair.start_tls();
  const std::string all = numbered(200'000);
  std::vector<iovec> pieces;
  std::size_t at = 0;
  for (std::size_t size : {0UL, 1UL, 17UL, 1399UL, 1UL, 16383UL, 0UL, 16384UL, 16385UL, 40'000UL, 109'430UL}) {
    pieces.push_back({.iov_base = const_cast<char*>(all.data() + at), .iov_len = size});
    at += size;
  }
  BOOST_REQUIRE(at == all.size());
  std::size_t sent = pair.server->transport.write(pieces).bytes;
  pair.server->send(all.substr(sent));
  pump_until(pair.loop, "all bytes", [&] { return pair.client->received.size() >= all.size(); });
  BOOST_TEST((pair.client->received == all));
}

BOOST_AUTO_TEST_CASE(what_a_slow_reader_leaves_is_bounded) {
  Pair pair(4096);
  pair.start_tls();
  pair.client->is_reading = false;
  pair.client->watch();
  pair.server->send(numbered(std::size_t{8} << 20));
  settle(pair.loop);
  BOOST_TEST(!pair.server->is_sent());
  BOOST_TEST(pair.server->transport.unsent_bytes() <= std::size_t{300} * 1024);
}

BOOST_AUTO_TEST_CASE(bytes_given_back_are_read_first) {
  for (const bool is_tls : {false, true}) {
    Pair pair;
    if (is_tls) pair.start_tls();
    pair.client->send("world");
    pair.server->transport.unread("hello ");
    BOOST_TEST(pair.server->transport.has_unread());
    pair.server->read();
    BOOST_TEST(pair.server->received == "hello ");
    BOOST_TEST(!pair.server->transport.has_unread());
    pump_until(pair.loop, "the rest", [&] { return pair.server->received.size() == 11; });
    BOOST_TEST(pair.server->received == "hello world");
  }
}

BOOST_AUTO_TEST_CASE(a_reset_shows_when_asked_for_and_a_half_closed_peer_is_still_there) {
  ManualClock clock;
  net::Loop loop(0, clock);
  const auto listener = net::Listener::bind(*net::Address::parse("127.0.0.1:0"));
  BOOST_REQUIRE(listener.has_value());
  std::unique_ptr<net::Transport> server;
  (*listener)->start(
      loop, [&](Fd fd, const net::Address&) { server = std::make_unique<net::Transport>(loop, std::move(fd)); });
  Fd client(::socket(AF_INET, SOCK_STREAM, 0));
  const net::Address& address = (*listener)->address();
  BOOST_REQUIRE(::connect(client.get(), address.get(), address.size()) == 0);
  pump_until(loop, "a connection", [&] { return server != nullptr; });
  ::shutdown(client.get(), SHUT_WR);
  BOOST_TEST(!server->is_gone());
  const linger now{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  client.close();
  BOOST_TEST(server->is_gone());
}

BOOST_AUTO_TEST_CASE(an_orderly_end_is_told_from_a_cut) {
  struct Row {
    const char* name;
    bool is_tls;
    bool is_orderly;
    Status want;
  };
  const Row rows[] = {
      {"plain, end of output", false, true, Status::kEnd},
      {"plain, closed", false, false, Status::kEnd},
      {"TLS, close_notify", true, true, Status::kEnd},
      {"TLS, closed", true, false, Status::kTruncated},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      Pair pair;
      if (row.is_tls) pair.start_tls();
      pair.client->send("last words");
      if (row.is_orderly) {
        pair.client->transport.end_output();
      } else {
        pair.client.reset();
      }
      pump_until(pair.loop, "the end",
                 [&] { return pair.server->last != Status::kOk && pair.server->last != Status::kBlocked; });
      BOOST_TEST(pair.server->received == "last words");
      BOOST_TEST((pair.server->last == row.want));
      if (!row.is_orderly) continue;
      // The other direction is open still.
      pair.server->send("answer");
      pump_until(pair.loop, "the answer", [&] { return pair.client->received.size() == 6; });
    }
  }
}

BOOST_AUTO_TEST_CASE(an_end_waits_for_what_is_unsent) {
  Pair pair(4096);
  pair.start_tls();
  const std::string all = numbered(100'000);
  pair.client->is_reading = false;
  pair.client->watch();
  std::size_t sent = 0;
  while (sent < all.size()) {
    const ByteStream::Outcome outcome = pair.server->transport.write(std::string_view(all).substr(sent));
    if (outcome.status != Status::kOk) break;
    sent += outcome.bytes;
  }
  BOOST_TEST(pair.server->transport.has_unsent());
  pair.server->transport.end_output();
  pair.client->is_reading = true;
  pair.client->watch();
  pump_until(pair.loop, "the end", [&] { return pair.client->last == Status::kEnd; });
  BOOST_TEST((pair.client->received == all.substr(0, sent)));
}

BOOST_AUTO_TEST_CASE(garbage_in_place_of_a_record_fails) {
  Pair pair;
  pair.start_tls();
  const std::string garbage = "GET / HTTP/1.1\r\n\r\n";
  BOOST_REQUIRE(::send(pair.client->transport.fd(), garbage.data(), garbage.size(), 0) > 0);
  pump_until(pair.loop, "the failure", [&] { return pair.server->last == Status::kFailed; });
  BOOST_TEST((pair.server->transport.write("x").status == Status::kFailed));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::test
