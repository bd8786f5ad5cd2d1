// A TLS client and a TLS server that talk to each other in memory. Thread: one.
#pragma once

#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/certificate.h"
#include "net/tls_client.h"
#include "net/tls_engine.h"
#include "net/tls_server.h"
#include "support/manual_clock.h"
#include "support/test_certificates.h"

namespace seawall::test {

// One end: what it has read, what it has to send, and how the last read ended.
struct TlsPeer {
  std::unique_ptr<net::TlsEngine> engine;
  std::string output;
  std::string received;
  ByteStream::Status status = ByteStream::Status::kBlocked;

  void take(std::string_view ciphertext, bool is_end = false) {
    engine->feed(ciphertext, is_end);
    std::array<char, 4096> into{};
    for (;;) {
      const auto [now, bytes] = engine->read(into, output);
      status = now;
      if (now != ByteStream::Status::kOk) return;
      received.append(into.data(), bytes);
    }
  }
  void send(std::string_view plain) {
    for (; !plain.empty(); plain.remove_prefix(std::min<std::size_t>(plain.size(), 16384))) {
      BOOST_REQUIRE(engine->write(plain.substr(0, 16384), output));
    }
  }
};

struct TlsPair {
  TlsPeer client;
  TlsPeer server;

  TlsPair(std::unique_ptr<net::TlsEngine> client_engine, std::unique_ptr<net::TlsEngine> server_engine)
      : client{.engine = std::move(client_engine), .output = {}, .received = {}},
        server{.engine = std::move(server_engine), .output = {}, .received = {}} {}

  // Until neither has anything to say; `step`: bytes that go over at a time.
  void pump(std::size_t step = std::string::npos) {
    client.take({});
    while (!client.output.empty() || !server.output.empty()) {
      pass(client, server, step);
      pass(server, client, step);
    }
  }
  bool is_established() const { return client.engine->is_established() && server.engine->is_established(); }

 private:
  static void pass(TlsPeer& from, TlsPeer& to, std::size_t step) {
    const std::string bytes = std::exchange(from.output, {});
    for (std::string_view left = bytes; !left.empty(); left.remove_prefix(std::min(step, left.size()))) {
      to.take(left.substr(0, step));
    }
  }
};

// An authority, its files, and what both sides need of them.
struct TlsFixture {
  ManualClock clock;
  TestCertificate authority = TestCertificate::authority();
  PemFolder folder;
  std::string ca = folder.write("ca.pem", authority.pem());
  std::shared_ptr<net::TicketKeys> keys = std::make_shared<net::TicketKeys>(clock, Seconds{3600});

  // Writes "NAME.pem" and "NAME.key" as well.
  Ref<const net::Certificate> issue(const std::string& name, const CertificateSpec& spec = {}) const {
    return load(folder.write(name, authority.issue(spec)));
  }
  Ref<const net::Certificate> load(const net::CertificateFiles& files) const {
    auto loaded = net::Certificate::load(files, clock.wall_now());
    BOOST_REQUIRE_MESSAGE(loaded.has_value(), (loaded ? "" : loaded.error()));
    return *loaded;
  }
  Ref<const net::TlsServer> make_server(const std::vector<Ref<const net::Certificate>>& certificates,
                                        const net::TlsServerOptions& options = {}) const {
    auto made = net::TlsServer::create(options, certificates, keys);
    BOOST_REQUIRE_MESSAGE(made.has_value(), (made ? "" : made.error()));
    return *made;
  }
  // Trusts the authority, unless `options` name another.
  net::TlsClient make_client(std::string_view host = "localhost", net::TlsClientOptions options = {},
                             bool offers_http2 = false) const {
    if (options.ca.empty()) options.ca = ca;
    // In 2020, so that its own certificate may be one that has expired since.
    auto loaded = net::TlsClientContext::load(options, WallTime::from_unix_seconds(1'590'000'000));
    BOOST_REQUIRE_MESSAGE(loaded.has_value(), (loaded ? "" : loaded.error()));
    return {*loaded, host, offers_http2};
  }
  static TlsPair connect(net::TlsClient& client, const Ref<const net::TlsServer>& server) {
    TlsPair pair(client.connect(), server->accept());
    pair.pump();
    return pair;
  }
};

}  // namespace seawall::test
