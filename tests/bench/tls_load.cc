// The clients of the TLS benchmarks: one thread, many connections. `handshakes` and `resumed` connect, shake hands,
// wait for the ticket that says that the server is done too, and close, again and again; `resumed` takes up the session
// of the connection before. `idle` has one request answered on each connection, then says so and holds all of them
// until its input ends. Every server must prove that it is 127.0.0.1. Prints one line of JSON.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

// Whoever closes first keeps the port for a minute: with one address of our own they would run out.
constexpr std::uint32_t kSourceAddresses = 200;
constexpr std::size_t kConnectingAtOnce = 64;  // when idle

enum class Mode : std::uint8_t { kHandshakes, kResumed, kIdle };

struct Options {
  Mode mode = Mode::kHandshakes;
  std::uint16_t port = 0;
  std::size_t connections = 16;
  double seconds = 4;
  std::string ca;
  std::string target = "/";
};

[[noreturn]] void fail(const std::string& text) {
  std::fprintf(stderr, "tls_load: %s\n", text.c_str());
  std::exit(2);
}

template <typename Number>
Number parse(std::string_view name, std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) fail(std::string(name) + ": not a number");
  return value;
}

Options read_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    const std::string_view value = argv[i + 1];
    if (name == "--mode") {
      if (value != "handshakes" && value != "resumed" && value != "idle") fail("unknown mode: " + std::string(value));
      options.mode = value == "idle" ? Mode::kIdle : value == "resumed" ? Mode::kResumed : Mode::kHandshakes;
    } else if (name == "--port") {
      options.port = parse<std::uint16_t>(name, value);
    } else if (name == "--connections") {
      options.connections = parse<std::size_t>(name, value);
    } else if (name == "--seconds") {
      options.seconds = parse<double>(name, value);
    } else if (name == "--ca") {
      options.ca = value;
    } else if (name == "--target") {
      options.target = value;
    } else {
      fail("unknown flag: " + std::string(name));
    }
  }
  if (argc % 2 == 0 || options.port == 0 || options.ca.empty() || options.connections == 0) {
    fail(
        "usage: tls_load --port N --ca FILE --mode handshakes|resumed|idle [--connections N] [--seconds S] [--target "
        "/PATH]");
  }
  return options;
}

struct Free {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
};

struct Connection {
  enum class State : std::uint8_t { kHandshake, kTicket, kAnswer, kIdle };

  int fd = -1;
  State state = State::kHandshake;
  std::unique_ptr<SSL, Free> ssl;
  std::unique_ptr<SSL_SESSION, Free> session;  // of the connection before
  bool has_ticket = false;                     // a new one, on this connection
  std::string answer;
};

class Load {
 public:
  explicit Load(Options options);

  void run();
  void print() const;

 private:
  static int keep_session(SSL* ssl, SSL_SESSION* session);
  void raise_file_limit() const;
  void open(Connection& connection);
  void go_on(Connection& connection);
  bool step(Connection& connection, int result);
  bool read_answer(Connection& connection);
  void finish(Connection& connection);
  void give_up(Connection& connection, const std::string& why);
  void close(Connection& connection);
  bool is_over() const;

  const Options options_;
  const int epoll_;
  const std::string request_;
  std::unique_ptr<SSL_CTX, Free> context_;
  std::vector<Connection> connections_;
  std::size_t opened_ = 0;
  std::uint32_t source_ = 0;
  std::uint64_t done_ = 0;
  std::uint64_t resumed_ = 0;
  std::map<std::string, std::uint64_t> errors_;
  std::string protocol_;  // what was agreed on
  Clock::time_point begun_;
  Clock::time_point ended_;
};

Load::Load(Options options)
    : options_(std::move(options)),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      request_("GET " + options_.target + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
      context_(SSL_CTX_new(TLS_client_method())),
      connections_(options_.connections) {
  raise_file_limit();
  SSL_CTX* context = context_.get();
  if (SSL_CTX_load_verify_locations(context, options_.ca.c_str(), nullptr) != 1) fail("cannot read " + options_.ca);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256");
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, keep_session);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
}

void Load::raise_file_limit() const {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < options_.connections + 16) fail("the limit of open files is too low");
}

// Taken over: the reference is ours.
int Load::keep_session(SSL* ssl, SSL_SESSION* session) {
  auto* connection = static_cast<Connection*>(SSL_get_app_data(ssl));
  connection->session.reset(session);
  connection->has_ticket = true;
  return 1;
}

void Load::open(Connection& connection) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + ++source_ % kSourceAddresses);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fail("cannot bind");
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(options_.port);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 && errno != EINPROGRESS) {
    fail(std::string("cannot connect: ") + std::strerror(errno));
  }
  connection.fd = fd;
  connection.state = Connection::State::kHandshake;
  connection.has_ticket = false;
  connection.answer.clear();
  connection.ssl.reset(SSL_new(context_.get()));
  SSL* ssl = connection.ssl.get();
  SSL_set_app_data(ssl, &connection);
  SSL_set_fd(ssl, fd);
  SSL_set_connect_state(ssl);
  SSL_set_hostflags(ssl, 0);
  X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), "127.0.0.1");
  if (options_.mode == Mode::kResumed && connection.session) SSL_set_session(ssl, connection.session.get());
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLET;
  event.data.u64 = static_cast<std::uint64_t>(&connection - connections_.data());
  epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
}

void Load::close(Connection& connection) {
  if (SSL_is_init_finished(connection.ssl.get())) SSL_shutdown(connection.ssl.get());
  ERR_clear_error();
  connection.ssl.reset();
  ::close(std::exchange(connection.fd, -1));
}

void Load::give_up(Connection& connection, const std::string& why) {
  ++errors_[why];
  close(connection);
  if (!is_over() && options_.mode != Mode::kIdle) open(connection);
}

// Whether an operation that ended so is done; otherwise the connection waits for more, or is given up.
bool Load::step(Connection& connection, int result) {
  if (result > 0) return true;
  const int error = SSL_get_error(connection.ssl.get(), result);
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return false;
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  give_up(connection, reason == nullptr ? "closed" : reason);
  return false;
}

void Load::go_on(Connection& connection) {
  ERR_clear_error();
  if (connection.state == Connection::State::kHandshake) {
    if (!step(connection, SSL_do_handshake(connection.ssl.get()))) return;
    if (protocol_.empty()) {
      protocol_ = std::string(SSL_get_version(connection.ssl.get())) + " " + SSL_get_cipher_name(connection.ssl.get());
    }
    connection.state = Connection::State::kTicket;
    if (options_.mode == Mode::kIdle) {
      connection.state = Connection::State::kAnswer;
      SSL_write(connection.ssl.get(), request_.data(), static_cast<int>(request_.size()));
    }
  }
  if (connection.state == Connection::State::kTicket) {
    char none = 0;
    const int result = SSL_read(connection.ssl.get(), &none, 1);
    if (connection.has_ticket) return finish(connection);
    if (result > 0) return give_up(connection, "unasked data");
    step(connection, result);
  } else if (connection.state == Connection::State::kAnswer && read_answer(connection)) {
    finish(connection);
  }
}

bool Load::read_answer(Connection& connection) {
  static constexpr std::string_view kLength = "Content-Length: ";
  std::array<char, 16384> buffer{};
  for (;;) {
    const int n = SSL_read(connection.ssl.get(), buffer.data(), static_cast<int>(buffer.size()));
    if (!step(connection, n)) return false;
    std::string& answer = connection.answer;
    answer.append(buffer.data(), static_cast<std::size_t>(n));
    const std::size_t end = answer.find("\r\n\r\n");
    if (end == std::string::npos) continue;
    std::size_t at = answer.find(kLength);
    // HAProxy's cache writes names in lower case.
    if (at == std::string::npos) at = answer.find("content-length: ");
    if (!answer.starts_with("HTTP/1.1 200") || at == std::string::npos) {
      give_up(connection, "bad answer");
      return false;
    }
    const std::size_t size = std::strtoul(answer.c_str() + at + kLength.size(), nullptr, 10);
    if (answer.size() >= end + 4 + size) return true;
  }
}

void Load::finish(Connection& connection) {
  ++done_;
  if (SSL_session_reused(connection.ssl.get()) == 1) ++resumed_;
  if (options_.mode == Mode::kIdle) {
    connection.state = Connection::State::kIdle;
    connection.answer = {};
    if (opened_ < connections_.size()) open(connections_[opened_++]);
    return;
  }
  close(connection);
  if (!is_over()) open(connection);
}

bool Load::is_over() const {
  return Clock::now() - begun_ >= std::chrono::duration<double>(options_.seconds);
}

void Load::run() {
  begun_ = Clock::now();
  const std::size_t first =
      options_.mode == Mode::kIdle ? std::min(kConnectingAtOnce, connections_.size()) : connections_.size();
  while (opened_ < first) open(connections_[opened_++]);
  std::array<epoll_event, 256> events;
  const auto has_more = [&] {
    if (options_.mode == Mode::kIdle) return done_ < connections_.size() && errors_.empty();
    return !is_over();
  };
  while (has_more()) {
    const int ready = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 100);
    for (int i = 0; i < ready; ++i) {
      Connection& connection = connections_[events[static_cast<std::size_t>(i)].data.u64];
      if (connection.fd >= 0) go_on(connection);
    }
  }
  ended_ = Clock::now();
}

void Load::print() const {
  std::printf("{\"done\": %llu, \"resumed\": %llu, \"seconds\": %.3f, \"protocol\": \"%s\", \"errors\": {",
              static_cast<unsigned long long>(done_), static_cast<unsigned long long>(resumed_),
              std::chrono::duration<double>(ended_ - begun_).count(), protocol_.c_str());
  const char* separator = "";
  for (const auto& [why, count] : errors_) {
    std::printf("%s\"%s\": %llu", separator, why.c_str(), static_cast<unsigned long long>(count));
    separator = ", ";
  }
  std::printf("}}\n");
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = read_options(argc, argv);
  Load load(options);
  load.run();
  load.print();
  // Held until whoever has started us has looked at the server.
  while (options.mode == Mode::kIdle && std::getchar() != EOF) continue;
}
