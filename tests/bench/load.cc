// The clients of the storms and of the soak: one thread, many connections, each with one request on its way. All
// connections stand before the first request is sent. Prints one line of JSON: what was answered, how late, and what
// failed. A request is late from the moment it was due, so that a server that stalls everybody does not hide it.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using Micros = std::chrono::microseconds;

constexpr std::size_t kMaxHeadBytes = std::size_t{64} << 10;

struct Options {
  std::uint16_t port = 0;
  std::size_t connections = 64;
  std::uint64_t requests = 0;  // all together; 0: until the time is over
  double seconds = 0;          // 0: until the requests are done
  double rate = 0;             // requests a second; 0: each connection sends as soon as it can
  double timeout = 30;         // of one request
  std::uint64_t keys = 1;      // that stand for {} in the target
  bool is_random = false;      // drawn; else one after another
  std::string target;
};

[[noreturn]] void fail(std::string_view text) {
  std::fprintf(stderr, "load: %.*s\n", static_cast<int>(text.size()), text.data());
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
    if (name == "--port") {
      options.port = parse<std::uint16_t>(name, value);
    } else if (name == "--connections") {
      options.connections = parse<std::size_t>(name, value);
    } else if (name == "--requests") {
      options.requests = parse<std::uint64_t>(name, value);
    } else if (name == "--seconds") {
      options.seconds = parse<double>(name, value);
    } else if (name == "--rate") {
      options.rate = parse<double>(name, value);
    } else if (name == "--timeout") {
      options.timeout = parse<double>(name, value);
    } else if (name == "--keys") {
      options.keys = std::max<std::uint64_t>(parse<std::uint64_t>(name, value), 1);
    } else if (name == "--order") {
      options.is_random = value == "random";
    } else if (name == "--target") {
      options.target = value;
    } else {
      fail("unknown flag: " + std::string(name));
    }
  }
  if (argc % 2 == 0 || options.port == 0 || options.target.empty() || options.connections == 0 ||
      (options.requests == 0 && options.seconds <= 0)) {
    fail(
        "usage: load --port N --target /PATH{} (--requests N | --seconds S) [--connections N] [--rate N] [--keys N] "
        "[--order each|random] [--timeout S]");
  }
  return options;
}

// The value of a header line, or of a parameter behind `name`; empty when it is not there.
std::string_view after(std::string_view text, std::string_view name, std::string_view end) {
  const std::size_t at = text.find(name);
  if (at == std::string_view::npos) return {};
  text.remove_prefix(at + name.size());
  return text.substr(0, text.find_first_of(end));
}

struct Answer {
  int status = 0;
  std::string why;  // what Cache-Status says in detail
  bool closes = false;
  std::size_t head_bytes = 0;
  std::size_t body_bytes = 0;
};

enum class Parsed { kIncomplete, kMalformed, kComplete };

// Every server here says Content-Length.
Parsed parse_head(std::string_view text, Answer& answer) {
  const std::size_t end = text.find("\r\n\r\n");
  if (end == std::string_view::npos) return text.size() > kMaxHeadBytes ? Parsed::kMalformed : Parsed::kIncomplete;
  const std::string_view head = text.substr(0, end + 2);
  if (!head.starts_with("HTTP/1.1 ") || head.size() < 12) return Parsed::kMalformed;
  const std::string_view length = after(head, "\r\nContent-Length: ", "\r");
  if (length.empty()) return Parsed::kMalformed;
  answer.status = parse<int>("status", head.substr(9, 3));
  answer.body_bytes = parse<std::size_t>("Content-Length", length);
  answer.head_bytes = end + 4;
  answer.closes = after(head, "\r\nConnection: ", "\r") == "close";
  answer.why = after(after(head, "\r\nCache-Status: ", "\r"), "detail=", "; ");
  return Parsed::kComplete;
}

class Latencies {
 public:
  void add(Micros latency) {
    all_.push_back(static_cast<std::uint32_t>(std::min<std::int64_t>(latency.count(), kMax)));
  }
  std::size_t size() const { return all_.size(); }

  std::string json() {
    std::ranges::sort(all_);
    std::string out;
    for (const auto& [name, share] : {std::pair{"p50_us", 0.5}, {"p99_us", 0.99}, {"max_us", 1.0}}) {
      const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(all_.size())));
      out += std::string(out.empty() ? "\"" : ", \"") + name +
             "\": " + std::to_string(all_.empty() ? 0 : all_[std::max<std::size_t>(rank, 1) - 1]);
    }
    return out;
  }

 private:
  static constexpr std::int64_t kMax = 0xffffffff;
  std::vector<std::uint32_t> all_;
};

struct Connection {
  int fd = -1;
  bool is_busy = false;
  Clock::time_point due;
  Clock::time_point sent;
  std::string in;
  std::optional<Answer> answer;  // its head is there
  std::size_t body_left = 0;
};

class Load {
 public:
  explicit Load(Options options)
      : options_(std::move(options)), epoll_(epoll_create1(EPOLL_CLOEXEC)), connections_(options_.connections) {}

  void run();
  void print();

 private:
  std::uint64_t wanted() const;
  bool has_more(Clock::time_point now) const;
  Clock::time_point next_due() const;
  void open(Connection& connection);
  void close(Connection& connection);
  void send_due(Clock::time_point now);
  void send_one(Connection& connection, Clock::time_point due, Clock::time_point now);
  int patience_ms(Clock::time_point now) const;
  void read(Connection& connection);
  void take(Connection& connection, std::string_view bytes);
  void finish(Connection& connection);
  void give_up(Connection& connection, const std::string& kind);
  void drop_late(Clock::time_point now);

  const Options options_;
  const int epoll_;
  std::vector<Connection> connections_;
  // The longest idle first: none is so long idle that the server closes it as the next request is on its way.
  std::deque<std::size_t> idle_;
  std::mt19937_64 random_{1};
  Clock::time_point begun_;
  Clock::time_point ended_;
  Clock::time_point late_checked_;
  std::uint64_t issued_ = 0;
  std::size_t busy_ = 0;
  std::array<char, 65536> buffer_{};

  Latencies latencies_;
  std::map<std::pair<int, std::string>, Latencies> answers_;
  std::map<std::string, std::uint64_t> errors_;
};

void Load::open(Connection& connection) {
  connection.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(options_.port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int on = 1;
  setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (connect(connection.fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    ::close(std::exchange(connection.fd, -1));
    return;
  }
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = static_cast<std::uint64_t>(&connection - connections_.data());
  epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event);
}

void Load::close(Connection& connection) {
  if (connection.fd >= 0) ::close(std::exchange(connection.fd, -1));
  connection.in.clear();
  connection.answer.reset();
}

// With a rate, what is due within the time is sent even if it is late.
std::uint64_t Load::wanted() const {
  if (options_.requests != 0) return options_.requests;
  return options_.rate > 0 ? static_cast<std::uint64_t>(options_.rate * options_.seconds) : 0;
}

bool Load::has_more(Clock::time_point now) const {
  if (wanted() != 0 && issued_ >= wanted()) return false;
  if (options_.seconds <= 0) return true;
  const double limit = options_.seconds + (options_.rate > 0 ? options_.timeout : 0);
  return now - begun_ < std::chrono::duration<double>(limit);
}

Clock::time_point Load::next_due() const {
  if (options_.rate <= 0) return begun_;
  const std::chrono::duration<double> after_begin(static_cast<double>(issued_) / options_.rate);
  return begun_ + std::chrono::duration_cast<Clock::duration>(after_begin);
}

void Load::send_due(Clock::time_point now) {
  while (!idle_.empty() && has_more(now)) {
    const Clock::time_point due = next_due();
    if (due > now) return;
    Connection& connection = connections_[idle_.front()];
    idle_.pop_front();
    send_one(connection, options_.rate <= 0 ? now : due, now);
  }
}

void Load::send_one(Connection& connection, Clock::time_point due, Clock::time_point now) {
  const std::uint64_t key = (options_.is_random ? random_() : issued_) % options_.keys;
  ++issued_;
  ++busy_;
  connection.is_busy = true;
  connection.due = due;
  connection.sent = now;
  if (connection.fd < 0) open(connection);
  if (connection.fd < 0) return give_up(connection, "connect");
  std::string request = "GET " + options_.target + " HTTP/1.1\r\nHost: bench\r\n\r\n";
  if (const std::size_t at = request.find("{}"); at != std::string::npos) request.replace(at, 2, std::to_string(key));
  const auto sent = send(connection.fd, request.data(), request.size(), MSG_NOSIGNAL);
  if (sent != static_cast<ssize_t>(request.size())) give_up(connection, "reset");
}

void Load::finish(Connection& connection) {
  const Micros latency = std::chrono::duration_cast<Micros>(Clock::now() - connection.due);
  latencies_.add(latency);
  answers_[{connection.answer->status, connection.answer->why}].add(latency);
  if (connection.answer->closes) close(connection);
  connection.answer.reset();
  connection.is_busy = false;
  --busy_;
  idle_.push_back(static_cast<std::size_t>(&connection - connections_.data()));
}

void Load::give_up(Connection& connection, const std::string& kind) {
  ++errors_[kind];
  close(connection);
  connection.is_busy = false;
  --busy_;
  idle_.push_back(static_cast<std::size_t>(&connection - connections_.data()));
}

void Load::read(Connection& connection) {
  const ssize_t n = recv(connection.fd, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n > 0 && connection.is_busy) return take(connection, {buffer_.data(), static_cast<std::size_t>(n)});
  // An idle connection may be closed by the server; the next request opens another.
  if (!connection.is_busy) return close(connection);
  give_up(connection, n < 0 ? "reset" : connection.answer ? "cut" : "closed");
}

void Load::take(Connection& connection, std::string_view bytes) {
  if (!connection.answer) {
    connection.in += bytes;
    Answer answer;
    const Parsed parsed = parse_head(connection.in, answer);
    if (parsed == Parsed::kIncomplete) return;
    if (parsed == Parsed::kMalformed) return give_up(connection, "malformed");
    connection.body_left = answer.body_bytes;
    bytes = bytes.substr(bytes.size() - (connection.in.size() - answer.head_bytes));
    connection.in.clear();
    connection.answer = std::move(answer);
  }
  if (bytes.size() > connection.body_left) return give_up(connection, "malformed");
  connection.body_left -= bytes.size();
  if (connection.body_left == 0) finish(connection);
}

void Load::drop_late(Clock::time_point now) {
  if (now - late_checked_ < std::chrono::milliseconds(100)) return;
  late_checked_ = now;
  for (Connection& connection : connections_) {
    if (connection.is_busy && now - connection.sent > std::chrono::duration<double>(options_.timeout)) {
      give_up(connection, "timeout");
    }
  }
}

int Load::patience_ms(Clock::time_point now) const {
  constexpr std::int64_t kMost = 100;
  if (idle_.empty() || !has_more(now)) return static_cast<int>(kMost);
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(next_due() - now).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, kMost));
}

void Load::run() {
  for (Connection& connection : connections_) {
    open(connection);
    if (connection.fd < 0) fail(std::string("cannot connect: ") + std::strerror(errno));
  }
  for (std::size_t i = 0; i < connections_.size(); ++i) idle_.push_back(i);
  late_checked_ = begun_ = Clock::now();
  std::array<epoll_event, 256> events;
  for (Clock::time_point now = begun_; busy_ > 0 || has_more(now); now = Clock::now()) {
    send_due(now);
    const int ready = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), patience_ms(now));
    for (int i = 0; i < ready; ++i) read(connections_[events[static_cast<std::size_t>(i)].data.u64]);
    drop_late(Clock::now());
  }
  ended_ = Clock::now();
  if (issued_ < wanted()) errors_["unsent"] = wanted() - issued_;
}

void Load::print() {
  std::printf("{\"requests\": %llu, \"seconds\": %.3f, %s, \"answers\": [", static_cast<unsigned long long>(issued_),
              std::chrono::duration<double>(ended_ - begun_).count(), latencies_.json().c_str());
  const char* separator = "";
  for (auto& [key, latencies] : answers_) {
    std::printf("%s{\"status\": %d, \"why\": \"%s\", \"count\": %zu, %s}", separator, key.first, key.second.c_str(),
                latencies.size(), latencies.json().c_str());
    separator = ", ";
  }
  std::printf("], \"errors\": {");
  separator = "";
  for (const auto& [kind, count] : errors_) {
    std::printf("%s\"%s\": %llu", separator, kind.c_str(), static_cast<unsigned long long>(count));
    separator = ", ";
  }
  std::printf("}}\n");
}

}  // namespace

int main(int argc, char** argv) {
  Load load(read_options(argc, argv));
  load.run();
  load.print();
}
