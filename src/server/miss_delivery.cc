#include "server/miss_delivery.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "base/fd.h"
#include "http/body_pipe.h"
#include "http/exchange.h"
#include "http/list_syntax.h"
#include "http/uri.h"
#include "obs/log.h"
#include "origin/server_client.h"

namespace seawall::server {
namespace {

using obs::log;
using obs::LogLevel;

constexpr std::string_view kSocketPrefix = "unix:";
constexpr Millis kFirstPause{1000};
constexpr Millis kLongestLinePause{30'000};
constexpr Millis kLongestPostPause{60'000};
constexpr double kJitter = 0.25;  // of a pause, added at random
constexpr int kLinesPerTurn = 256;
constexpr std::size_t kEventsPerPost = 100;
// For a whole POST; its parts have time-outs of their own.
constexpr Millis kPostTime{30'000};
// The answer says all by its status; past so much of its body nobody listens.
constexpr std::uint64_t kMaxAnswerBytes = std::uint64_t{64} << 10;
constexpr mode_t kFileMode = 0640;

// True once a minute at most.
class Seldom {
 public:
  bool is_due(MonoTime now) {
    if (last_ && now - *last_ < std::chrono::minutes{1}) return false;
    last_ = now;
    return true;
  }

 private:
  std::optional<MonoTime> last_;
};

}  // namespace

// One that is told: how far it is, and when it is tried again.
class MissDelivery::Target {
 public:
  struct Manner {
    std::string name;         // "push.file /var/log/misses": for the log
    std::string_view advice;  // what to do when it fails
    Millis longest_pause{0};
  };

  Target(net::Loop& loop, const fill::MissEvents& events, Rng& rng, Manner manner)
      : loop_(loop), events_(events), rng_(rng), manner_(std::move(manner)), timer_([this] { pump(); }) {}
  virtual ~Target() = default;
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;

  // Delivers what there is, unless it waits for something.
  virtual void pump() = 0;
  virtual void reopen() {}

 protected:
  bool has_news() const { return events_.last() > delivered_; }
  // What is to be delivered next; never empty while there are news.
  std::vector<fill::MissEvent> next(std::size_t max) {
    fill::MissEvents::Batch batch = events_.after(delivered_, max);
    lost_ += batch.lost;
    delivered_ += batch.lost;
    if (lost_ > 0 && lost_told_.is_due(loop_.mono_now())) {
      log(LogLevel::kWarning,
          "{}: {} miss events are lost: they came faster than they were taken; let it take them faster, or lower "
          "push.per_second",
          manner_.name, std::exchange(lost_, 0));
    }
    return std::move(batch.events);
  }
  void note_delivered(std::uint64_t sequence) {
    delivered_ = sequence;
    pause_ = Millis{0};
  }
  void note_failure(std::string_view what) {
    pause_ = pause_ == Millis{0} ? kFirstPause : std::min(2 * pause_, manner_.longest_pause);
    const auto jitter = static_cast<std::int64_t>(static_cast<double>(pause_.count()) * kJitter * rng_.unit());
    wait(pause_ + Millis{jitter});
    if (!failure_told_.is_due(loop_.mono_now())) return;
    log(LogLevel::kWarning, "{}: {}; miss events wait for it and are tried again: {}", manner_.name, what,
        manner_.advice);
  }
  void wait(Millis time) { loop_.timers().arm(timer_, loop_.mono_now() + time); }
  void stop_waiting() { timer_.cancel(); }
  bool is_waiting() const { return timer_.is_armed(); }

  net::Loop& loop_;

 private:
  const fill::MissEvents& events_;
  Rng& rng_;
  const Manner manner_;
  Timer timer_;
  std::uint64_t delivered_ = 0;  // the last one that it took, or that was lost to it
  std::uint64_t lost_ = 0;       // not told yet
  Millis pause_{0};              // after the last of the failures in a row
  Seldom lost_told_;
  Seldom failure_told_;
};

// A file, or a stream socket that is connected when there is something to tell.
class MissDelivery::Lines final : public Target, private net::FdHandler {
 public:
  Lines(net::Loop& loop, const fill::MissEvents& events, Rng& rng, const std::string& where)
      : Target(loop, events, rng,
               {.name = "push.file " + where,
                .advice = where.starts_with(kSocketPrefix) ? "see that a program listens there and reads"
                                                           : "see that its folder is there, may be written to and has "
                                                             "room",
                .longest_pause = kLongestLinePause}),
        is_socket_(where.starts_with(kSocketPrefix)),
        path_(is_socket_ ? where.substr(kSocketPrefix.size()) : where) {}

  void pump() override {
    if (is_waiting() || (watcher_ && watcher_->watches_write())) return;
    if (!is_socket_ && !fd_ && !open()) return;
    for (int lines = 0; lines < kLinesPerTurn; ++lines) {
      if (line_.empty()) {
        const std::vector<fill::MissEvent> events = next(1);
        if (events.empty()) return;
        line_ = to_json(events.front()) + '\n';
        sequence_ = events.front().sequence;
      }
      if (!fd_ && !open()) return;
      if (!write_line()) return;
      note_delivered(sequence_);
      line_.clear();
      written_ = 0;
    }
    wait(Millis{0});
  }

  void reopen() override {
    if (is_socket_) return;
    close();
    stop_waiting();
    pump();
  }

 private:
  bool open() {
    fd_ = is_socket_ ? connect()
                     : Fd(::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, kFileMode));
    if (!fd_) {
      note_failure(fmt::format("cannot be opened: {}", std::strerror(errno)));
      return false;
    }
    if (is_socket_) {
      watcher_.emplace(loop_, fd_.get(), static_cast<net::FdHandler&>(*this));
      watcher_->watch(true, false);
    }
    return true;
  }

  // With errno, when it fails.
  Fd connect() const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path_.size() >= sizeof address.sun_path) {
      errno = ENAMETOOLONG;
      return {};
    }
    std::memcpy(address.sun_path, path_.data(), path_.size());
    Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd) return {};
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
    const int error = errno;
    fd.close();
    errno = error;
    return {};
  }

  // False when the rest has to wait.
  bool write_line() {
    while (written_ < line_.size()) {
      const std::string_view rest = std::string_view(line_).substr(written_);
      const ssize_t n = is_socket_ ? ::send(fd_.get(), rest.data(), rest.size(), MSG_NOSIGNAL)
                                   : ::write(fd_.get(), rest.data(), rest.size());
      if (n >= 0) {
        written_ += static_cast<std::size_t>(n);
        continue;
      }
      const int error = errno;
      if (error == EINTR) continue;
      if (is_socket_ && (error == EAGAIN || error == EWOULDBLOCK)) {
        watcher_->watch(true, true);
        return false;
      }
      // A file keeps what it has of the line, and gets the rest of it later.
      if (is_socket_ || error == EPIPE) close();
      note_failure(fmt::format("cannot be written: {}", std::strerror(error)));
      return false;
    }
    return true;
  }

  // Whoever comes next gets the line from its beginning.
  void close() {
    watcher_.reset();
    fd_.close();
    written_ = 0;
  }

  void on_fd_ready(bool readable, bool writable) override {
    if (readable) {
      const std::span<char> buffer = loop_.read_buffer();
      const ssize_t n = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
      const bool is_open = n > 0 || (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR));
      if (!is_open) {
        close();
        if (!line_.empty()) note_failure("was closed by its reader");
        return;
      }
    }
    if (writable) {
      watcher_->watch(true, false);
      pump();
    }
  }

  const bool is_socket_;
  const std::string path_;
  Fd fd_;
  std::optional<net::FdWatcher> watcher_;  // of a socket; for writing while it is full
  std::string line_;                       // being written
  std::size_t written_ = 0;
  std::uint64_t sequence_ = 0;  // of the event in line_
};

// An HTTP server that takes JSON lists, one at a time.
class MissDelivery::Webhook final : public Target, private http::ExchangeSink {
 public:
  Webhook(net::Loop& loop, const fill::MissEvents& events, Rng& rng, net::Resolver& resolver, const std::string& url)
      : Target(loop, events, rng,
               {.name = "push.webhook " + url,
                .advice = "see that it can be reached and answers POST with a 2xx status",
                .longest_pause = kLongestPostPause}),
        resolver_(resolver),
        url_(http::parse_absolute_uri(url).value_or(http::AbsoluteUri{})),
        deadline_([this] { settle("there is no whole answer in time"); }) {
    const bool is_ipv6 = url_.authority.starts_with('[');
    const std::size_t colon = url_.authority.find(':', is_ipv6 ? url_.authority.find(']') : 0);
    host_ = url_.authority.substr(0, colon);
    if (colon != std::string::npos) {
      port_ = static_cast<std::uint16_t>(http::parse_uint(url_.authority.substr(colon + 1)).value_or(0));
    }
    if (const auto address = net::parse_ip(host_, port_)) {
      use({*address});
      is_name_ = false;
    }
  }

  void pump() override {
    if (is_waiting() || lookup_ || exchange_ || !has_news()) return;
    if (!is_name_ || (client_ && loop_.mono_now() < good_until_)) return post();
    lookup_ = resolver_.resolve(host_, port_, [this](const auto& answer) { on_resolved(answer); });
  }

 private:
  void on_resolved(const std::expected<net::Resolved, net::ResolveError>& answer) {
    lookup_.reset();
    if (answer) {
      if (!client_ || client_->options().addresses != answer->addresses) use(answer->addresses);
      good_until_ = loop_.mono_now() + answer->ttl;
    } else if (!client_) {
      return note_failure(answer.error().text);
    }
    // Where it was is as good a guess as any while its name cannot be resolved.
    post();
  }

  void use(std::vector<net::Address> addresses) {
    client_ = std::make_unique<origin::ServerClient>(
        loop_, origin::ServerOptions{.name = url_.authority, .addresses = std::move(addresses), .timeouts = {}});
  }

  void post() {
    const std::vector<fill::MissEvent> events = next(kEventsPerPost);
    if (events.empty()) return;
    std::string text;
    for (const fill::MissEvent& event : events) text += (text.empty() ? "[" : ",\n") + to_json(event);
    text += "]\n";
    last_posted_ = events.back().sequence;

    http::OutgoingRequest request;
    request.method = http::Method::kPost;
    request.method_name = "POST";
    request.target = url_.path;
    request.headers.add(http::Field::kHost, url_.authority);
    request.headers.add(http::Field::kUserAgent, "seawall/" SEAWALL_VERSION);
    request.headers.add(http::Field::kContentType, "application/json");
    request.body = make_ref<http::BodyPipe>(loop_, text.size());
    request.body->write(text);
    request.body->finish({});
    request.body_length = text.size();
    status_ = 0;
    answer_bytes_ = 0;
    loop_.timers().arm(deadline_, loop_.mono_now() + kPostTime);
    exchange_ = client_->start(std::move(request), *this);
  }

  // The exchange is over, or as good as that; `what` is why, for want of a status.
  void settle(std::string_view what) {
    exchange_.reset();
    deadline_.cancel();
    if (status_ >= 200 && status_ < 300) {
      note_delivered(last_posted_);
      return pump();
    }
    good_until_ = loop_.mono_now();  // it may have moved
    note_failure(status_ != 0 ? fmt::format("answered {}", status_) : std::string(what));
  }

  // http::ExchangeSink
  void on_informational(http::ResponseHead) override {}
  void on_head(http::ResponseHead head, WallTime, WallTime) override { status_ = head.status; }
  void on_body(std::string_view payload) override {
    answer_bytes_ += payload.size();
    if (answer_bytes_ > kMaxAnswerBytes) settle({});
  }
  void on_complete(const http::HeaderMap&) override { settle({}); }
  void on_upgraded(http::ResponseHead head, std::unique_ptr<ByteStream>, std::string) override {
    status_ = head.status;
    settle({});
  }
  void on_error(Error error) override { settle(to_string(error.code)); }

  net::Resolver& resolver_;
  const http::AbsoluteUri url_;
  std::string host_;
  std::uint16_t port_ = 80;
  bool is_name_ = true;
  MonoTime good_until_;  // the addresses of client_
  std::unique_ptr<net::Resolver::Lookup> lookup_;
  std::unique_ptr<origin::ServerClient> client_;  // before its exchange
  std::unique_ptr<http::Exchange> exchange_;
  Timer deadline_;
  std::uint64_t last_posted_ = 0;
  std::uint16_t status_ = 0;
  std::uint64_t answer_bytes_ = 0;
};

MissDelivery::MissDelivery(net::Loop& loop, fill::MissEvents& events, const config::PushOptions& options,
                           net::Resolver& resolver, Rng& rng)
    : loop_(loop), events_(events) {
  if (!options.file.empty()) targets_.push_back(std::make_unique<Lines>(loop, events, rng, options.file));
  if (!options.webhook.empty()) {
    targets_.push_back(std::make_unique<Webhook>(loop, events, rng, resolver, options.webhook));
  }
}

MissDelivery::~MissDelivery() = default;

void MissDelivery::start() {
  if (targets_.empty()) return;
  subscription_ = events_.subscribe(loop_, [this] {
    for (const auto& target : targets_) target->pump();
  });
  for (const auto& target : targets_) target->pump();
}

void MissDelivery::reopen() {
  for (const auto& target : targets_) target->reopen();
}

}  // namespace seawall::server
