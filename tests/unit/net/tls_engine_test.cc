// One connection: bytes in every shape, ends of every kind, input that is not TLS, and what failures are called.
#include "net/tls_engine.h"

#include <openssl/ssl.h>
#include <sys/socket.h>

#include <boost/test/unit_test.hpp>
#include <csignal>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/rng.h"
#include "support/tls_pair.h"

namespace seawall::net {
namespace {

using test::TlsPair;
using Status = ByteStream::Status;

struct Fixture : test::TlsFixture {
  Ref<const TlsServer> server = make_server({issue("site")});

  // A pair of either version, connected.
  TlsPair connected(TlsVersion version = TlsVersion::kTls13) const {
    TlsClient client = make_client("localhost", {.max_version = version});
    TlsPair pair = connect(client, server);
    BOOST_REQUIRE(pair.is_established());
    return pair;
  }
  static std::string random_text(std::size_t size) {
    Rng rng(7);
    std::string text(size, '\0');
    for (char& c : text) c = static_cast<char>(rng.below(256));
    return text;
  }
};

BOOST_FIXTURE_TEST_SUITE(net_tls_engine, Fixture)

BOOST_AUTO_TEST_CASE(both_versions_carry_bytes_both_ways) {
  for (const TlsVersion version : {TlsVersion::kTls12, TlsVersion::kTls13}) {
    const bool is_12 = version == TlsVersion::kTls12;
    TlsPair pair = connected(version);
    for (const TlsEngine* engine : {pair.client.engine.get(), pair.server.engine.get()}) {
      BOOST_TEST(engine->version() == (is_12 ? "TLSv1.2" : "TLSv1.3"));
      BOOST_TEST(engine->server_name() == "localhost");
      BOOST_TEST(!engine->is_resumed());
      BOOST_TEST(!engine->is_http2());
      BOOST_TEST(!engine->kernel_encrypts());
      BOOST_TEST(!engine->wants_write());
    }
    BOOST_TEST(pair.server.engine->cipher() ==
               (is_12 ? "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384" : "TLS_AES_256_GCM_SHA384"));
    BOOST_TEST(!pair.client.engine->certificate());
    pair.client.send("question");
    pair.server.send("answer");
    pair.pump();
    BOOST_TEST(pair.server.received == "question");
    BOOST_TEST(pair.client.received == "answer");
    BOOST_TEST((pair.client.status == Status::kBlocked));
    BOOST_TEST((pair.server.status == Status::kBlocked));
  }
}

BOOST_AUTO_TEST_CASE(byte_by_byte) {
  for (const TlsVersion version : {TlsVersion::kTls12, TlsVersion::kTls13}) {
    for (const std::size_t step : {std::size_t{1}, std::size_t{2}, std::size_t{7}}) {
      TlsClient client = make_client("localhost", {.max_version = version});
      TlsPair pair(client.connect(), server->accept());
      pair.pump(step);
      BOOST_REQUIRE(pair.is_established());
      pair.client.send("question");
      pair.server.send("answer");
      pair.pump(step);
      BOOST_TEST(pair.server.received == "question");
      BOOST_TEST(pair.client.received == "answer");
    }
  }
}

BOOST_AUTO_TEST_CASE(much_at_once) {
  TlsPair pair = connected();
  const std::string text = random_text(1'000'000);
  pair.server.send(text);
  pair.client.send(text);
  pair.pump();
  BOOST_TEST((pair.client.received == text));
  BOOST_TEST((pair.server.received == text));
}

BOOST_AUTO_TEST_CASE(a_write_is_one_record) {
  TlsPair pair = connected();
  for (const std::size_t size : {std::size_t{1}, std::size_t{1300}, std::size_t{16384}}) {
    pair.server.send(std::string(size, 'a'));
    constexpr std::size_t kOverheadBytes = 5 + 1 + 16;  // header, type, tag
    BOOST_TEST(pair.server.output.size() == size + kOverheadBytes);
    pair.pump();
  }
  std::string out;
  BOOST_TEST(pair.server.engine->write("", out));
  BOOST_TEST(out.empty());
}

BOOST_AUTO_TEST_CASE(data_may_come_with_the_end_of_the_handshake) {
  TlsClient client = make_client();
  TlsPair pair(client.connect(), server->accept());
  pair.client.take({});
  pair.server.take(std::exchange(pair.client.output, {}));
  pair.client.take(std::exchange(pair.server.output, {}));
  BOOST_REQUIRE(pair.client.engine->is_established());
  BOOST_TEST(!pair.server.engine->is_established());
  pair.client.send("question");
  pair.server.take(std::exchange(pair.client.output, {}));
  BOOST_TEST(pair.server.engine->is_established());
  BOOST_TEST(pair.server.received == "question");
}

BOOST_AUTO_TEST_CASE(an_orderly_end_leaves_the_other_direction_open) {
  TlsPair pair = connected();
  pair.client.send("question");
  pair.client.engine->close(pair.client.output);
  pair.pump();
  BOOST_TEST(pair.server.received == "question");
  BOOST_TEST((pair.server.status == Status::kEnd));
  pair.server.take({});
  BOOST_TEST((pair.server.status == Status::kEnd));
  pair.server.take({}, true);
  BOOST_TEST((pair.server.status == Status::kEnd));
  pair.server.send("answer");
  pair.pump();
  BOOST_TEST(pair.client.received == "answer");
  pair.server.engine->close(pair.server.output);
  pair.pump();
  BOOST_TEST((pair.client.status == Status::kEnd));
}

BOOST_AUTO_TEST_CASE(an_end_without_word_is_a_truncation) {
  TlsPair pair = connected();
  pair.client.send("question");
  const std::string bytes = std::exchange(pair.client.output, {});
  pair.server.take(bytes, true);
  BOOST_TEST(pair.server.received == "question");
  BOOST_TEST((pair.server.status == Status::kTruncated));
  pair.server.take({}, true);
  BOOST_TEST((pair.server.status == Status::kTruncated));
  // TCP is half closed: an answer still gets through.
  pair.server.send("answer");
  pair.pump();
  BOOST_TEST(pair.client.received == "answer");
}

BOOST_AUTO_TEST_CASE(a_record_cut_short_is_a_truncation) {
  TlsPair pair = connected();
  pair.client.send("question");
  const std::string bytes = std::exchange(pair.client.output, {});
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    TlsPair other = connected();
    other.client.send("question");
    const std::string all = std::exchange(other.client.output, {});
    other.server.take(std::string_view(all).substr(0, cut), true);
    BOOST_TEST((other.server.status == Status::kTruncated));
    BOOST_TEST(other.server.received.empty());
  }
}

BOOST_AUTO_TEST_CASE(an_end_during_the_handshake) {
  TlsClient client = make_client();
  TlsPair pair(client.connect(), server->accept());
  pair.client.take({});
  pair.server.take(std::string_view(pair.client.output).substr(0, 20), true);
  BOOST_TEST((pair.server.status == Status::kFailed));
  BOOST_TEST((pair.server.engine->failure() == ErrorCode::kTlsFailed));
  BOOST_TEST(pair.server.engine->failure_text() == "the peer closed the connection during the handshake");
  pair.client.take({}, true);
  BOOST_TEST((pair.client.status == Status::kFailed));
}

BOOST_AUTO_TEST_CASE(what_is_not_tls) {
  struct Row {
    std::string_view input;
    std::string_view text;
  };
  const Row rows[] = {
      {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "http request"},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "wrong version number"},
      {"\x16\x03\x01\xff\xff\x01\x02\x03", "packet length too long"},
      {std::string_view("\0\0\0\0\0\0\0\0\0\0\0", 11), "wrong version number"},
      {"SSH-2.0-OpenSSH_9.2\r\n", "wrong version number"},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.input) {
      test::TlsPeer peer{.engine = server->accept(), .output = {}, .received = {}};
      peer.take(row.input);
      BOOST_TEST((peer.status == Status::kFailed));
      BOOST_TEST(peer.engine->failure_text() == row.text);
      BOOST_TEST((peer.engine->failure() == ErrorCode::kTlsFailed));
      std::string out;
      peer.engine->close(out);
      BOOST_TEST(out.empty());
      peer.take("more");
      BOOST_TEST((peer.status == Status::kFailed));
    }
  }
}

BOOST_AUTO_TEST_CASE(random_input_never_gets_through) {
  Rng rng(11);
  for (int round = 0; round < 200; ++round) {
    test::TlsPeer peer{.engine = server->accept(), .output = {}, .received = {}};
    std::string input = "\x16\x03\x01";
    for (std::size_t i = 0, n = rng.below(300); i < n; ++i) input += static_cast<char>(rng.below(256));
    peer.take(input, true);
    BOOST_TEST((peer.status == Status::kFailed));
    BOOST_TEST(!peer.engine->failure_text().empty());
  }
}

BOOST_AUTO_TEST_CASE(a_changed_byte_breaks_the_connection) {
  TlsPair pair = connected();
  pair.client.send("question");
  std::string bytes = std::exchange(pair.client.output, {});
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  pair.server.take(bytes);
  BOOST_TEST((pair.server.status == Status::kFailed));
  BOOST_TEST(pair.server.received.empty());
  BOOST_TEST(pair.server.engine->failure_text() == "decryption failed or bad record mac");
  std::string out;
  BOOST_TEST(!pair.server.engine->write("answer", out));
  // The alert tells the other side.
  pair.client.take(std::exchange(pair.server.output, {}));
  BOOST_TEST((pair.client.status == Status::kFailed));
  BOOST_TEST(pair.client.engine->failure_text() == "alert: bad record mac");
}

BOOST_AUTO_TEST_CASE(renegotiation_is_refused) {
  TlsPair pair = connected(TlsVersion::kTls12);
  SSL* const ssl = pair.client.engine->ssl();
  SSL_clear_options(ssl, SSL_OP_NO_RENEGOTIATION);
  BOOST_REQUIRE(SSL_renegotiate(ssl) == 1);
  pair.server.send("answer");  // at the next read the client says hello again
  pair.pump();
  BOOST_TEST((pair.client.status == Status::kFailed));
  BOOST_TEST(pair.client.engine->failure_text() == "no renegotiation");
}

BOOST_AUTO_TEST_CASE(new_keys_when_the_peer_asks) {
  TlsPair pair = connected();
  BOOST_REQUIRE(SSL_key_update(pair.client.engine->ssl(), SSL_KEY_UPDATE_REQUESTED) == 1);
  pair.client.send("question");
  pair.pump();
  pair.server.send("answer");
  pair.pump();
  BOOST_TEST(pair.server.received == "question");
  BOOST_TEST(pair.client.received == "answer");
}

BOOST_AUTO_TEST_CASE(an_error_left_behind_by_others_is_not_ours) {
  TlsPair pair = connected();
  X509_STORE* const store = X509_STORE_new();
  X509_STORE_load_file(store, "/nowhere");
  X509_STORE_free(store);
  pair.server.take({});
  BOOST_TEST((pair.server.status == Status::kBlocked));
  pair.client.send("q");
  pair.server.take(std::string_view(pair.client.output).substr(0, 3));
  BOOST_TEST((pair.server.status == Status::kBlocked));
}

BOOST_AUTO_TEST_CASE(writing_to_the_socket_until_the_handshake_is_done) {
  for (const TlsVersion version : {TlsVersion::kTls12, TlsVersion::kTls13}) {
    int fds[2];
    BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    const Fd near(fds[0]);
    const Fd far(fds[1]);
    TlsClient client = make_client("localhost", {.max_version = version});
    TlsPair pair(client.connect(), server->accept());
    pair.server.engine->use_kernel(near.get());
    std::string from_server;
    for (int round = 0; round < 5 && !pair.is_established(); ++round) {
      pair.client.take(from_server);
      pair.server.take(std::exchange(pair.client.output, {}));
      BOOST_TEST(pair.server.output.empty());
      std::array<char, 16384> into{};
      const ssize_t n = ::recv(far.get(), into.data(), into.size(), 0);
      from_server.assign(into.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
    }
    BOOST_REQUIRE(pair.is_established());
    pair.client.take(from_server);  // a ticket
    // No TCP, so no kTLS either: from now on as without it.
    BOOST_TEST(!pair.server.engine->kernel_encrypts());
    pair.server.send("answer");
    BOOST_TEST(!pair.server.output.empty());
    pair.pump();
    BOOST_TEST(pair.client.received == "answer");
  }
}

BOOST_AUTO_TEST_CASE(a_full_socket_blocks_the_handshake) {
  int fds[2];
  BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
  const Fd near(fds[0]);
  const Fd far(fds[1]);
  std::array<char, 16384> buffer{};
  while (::send(near.get(), buffer.data(), buffer.size(), 0) > 0) {
  }
  TlsClient client = make_client();
  TlsPair pair(client.connect(), server->accept());
  pair.server.engine->use_kernel(near.get());
  pair.client.take({});
  pair.server.take(std::exchange(pair.client.output, {}));
  BOOST_TEST((pair.server.status == Status::kBlocked));
  BOOST_TEST(pair.server.engine->wants_write());
  while (::recv(far.get(), buffer.data(), buffer.size(), 0) > 0) {
  }
  pair.server.take({});
  BOOST_TEST(!pair.server.engine->wants_write());
  const ssize_t n = ::recv(far.get(), buffer.data(), buffer.size(), 0);
  BOOST_REQUIRE(n > 0);
  pair.client.take({buffer.data(), static_cast<std::size_t>(n)});
  BOOST_TEST(pair.client.engine->is_established());
}

BOOST_AUTO_TEST_CASE(a_socket_that_is_gone_fails_the_handshake) {
  int fds[2];
  BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
  const Fd near(fds[0]);
  ::close(fds[1]);
  std::signal(SIGPIPE, SIG_IGN);  // as the server does
  BOOST_REQUIRE(::shutdown(near.get(), SHUT_WR) == 0);
  TlsClient client = make_client();
  TlsPair pair(client.connect(), server->accept());
  pair.server.engine->use_kernel(near.get());
  pair.client.take({});
  pair.server.take(std::exchange(pair.client.output, {}));
  BOOST_TEST((pair.server.status == Status::kFailed));
  BOOST_TEST(pair.server.engine->failure_text() == "Broken pipe");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::net
