#include "origin/health_checker.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "http/exchange.h"
#include "origin/server_client.h"

namespace seawall::origin {
namespace {

using std::chrono::microseconds;

constexpr std::string_view kUserAgent = "seawall-health-check";
constexpr std::size_t kBodyBytes = std::size_t{64} * 1024;  // looked at
constexpr std::int64_t kJitterPart = 10;                    // of the interval, more or less
constexpr Millis kLongestFirstWait{200};
constexpr Millis kLongestTick{1000};

std::string reason_of(const Error& error) {
  switch (error.code) {
    case ErrorCode::kConnectTimeout:
    case ErrorCode::kTlsTimeout:
    case ErrorCode::kFirstByteTimeout:
    case ErrorCode::kBetweenBytesTimeout:
    case ErrorCode::kSendTimeout: return "timeout";
    default: return std::string(to_string(error.code));
  }
}

microseconds draw(Rng& rng, microseconds bound) {
  return microseconds{static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(bound.count()) + 1))};
}

}  // namespace

// One server and its checks, of which the next begins only when the last is over.
class HealthChecker::Check final : public http::ExchangeSink {
 public:
  Check(HealthChecker& owner, std::shared_ptr<Server> server)
      : owner_(owner),
        loop_(owner.loop_),
        server_(std::move(server)),
        next_timer_([this] { begin(); }),
        timeout_timer_([this] { finish(false, "timeout"); }) {
    loop_.timers().arm(next_timer_, loop_.mono_now() + owner_.first_wait());
  }
  ~Check() override { stop(); }

  const std::string& name() const { return server_->endpoint.name; }
  // For the next check: its addresses may be others now.
  void set_server(std::shared_ptr<Server> server) { server_ = std::move(server); }

 private:
  void begin();
  void keep_sessions(ServerOptions& through);
  void stop();
  void judge();
  void abandon();
  void finish(bool ok, std::string_view reason);

  void on_informational(http::ResponseHead) override {}
  void on_head(http::ResponseHead head, WallTime request_time, WallTime response_time) override;
  void on_body(std::string_view payload) override;
  void on_complete(const http::HeaderMap&) override { judge(); }
  void on_upgraded(http::ResponseHead head, std::unique_ptr<ByteStream> connection, std::string early_bytes) override;
  void on_error(Error error) override;

  HealthChecker& owner_;
  net::Loop& loop_;
  std::shared_ptr<Server> server_;
  std::unique_ptr<ServerClient> client_;  // with exchange_: while a check runs
  std::unique_ptr<http::Exchange> exchange_;
  // Of the check before, so that not each is a full handshake, and what they were made with.
  Ref<net::TlsSessionSlot> sessions_;
  std::shared_ptr<const net::TlsClientContext> sessions_tls_;
  std::string sessions_name_;
  std::string body_;
  MonoTime next_at_;
  Timer next_timer_;
  Timer timeout_timer_;
};

void HealthChecker::Check::begin() {
  const HealthOptions& options = owner_.options_;
  const MonoTime now = loop_.mono_now();
  next_at_ = now + owner_.wait();
  loop_.timers().arm(timeout_timer_, now + options.timeout);

  const Endpoint& endpoint = server_->endpoint;
  ServerOptions through;
  through.name = endpoint.name;
  through.addresses = endpoint.addresses;
  through.access = owner_.state_->access();
  if (!endpoint.is_tls) through.access.tls = nullptr;
  through.tls_name = endpoint.tls_name;
  through.timeouts = {.connect = options.timeout,
                      .tls = options.timeout,
                      .first_byte = options.timeout,
                      .between_bytes = options.timeout,
                      .send = options.timeout};
  through.idle_connections = 0;
  keep_sessions(through);
  client_ = std::make_unique<ServerClient>(loop_, std::move(through));

  http::OutgoingRequest request;
  request.method = http::Method::kGet;
  request.method_name = "GET";
  request.target = options.path;
  request.headers.add(http::Field::kHost, options.host.empty() ? endpoint.host_header : options.host);
  request.headers.add(http::Field::kUserAgent, kUserAgent);
  request.traffic = http::Traffic::kBackground;
  exchange_ = client_->start(std::move(request), *this);
}

void HealthChecker::Check::keep_sessions(ServerOptions& through) {
  // A session stands for a certificate that was believed: by these authorities, for this name.
  if (!sessions_ || sessions_tls_ != through.access.tls || sessions_name_ != through.tls_name) {
    sessions_ = make_ref<net::TlsSessionSlot>();
    sessions_tls_ = through.access.tls;
    sessions_name_ = through.tls_name;
  }
  through.tls_sessions = sessions_;
}

// Ends the check that runs, if one does.
void HealthChecker::Check::stop() {
  timeout_timer_.cancel();
  exchange_.reset();
  if (client_) loop_.defer_delete(std::move(client_));  // what goes now may be what is calling
  body_.clear();
}

void HealthChecker::Check::on_head(http::ResponseHead head, WallTime, WallTime) {
  if (head.status != owner_.options_.status) finish(false, "status " + std::to_string(head.status));
}

void HealthChecker::Check::on_body(std::string_view payload) {
  body_.append(payload.substr(0, kBodyBytes - body_.size()));
  if (body_.size() == kBodyBytes) judge();
}

void HealthChecker::Check::on_upgraded(http::ResponseHead head, std::unique_ptr<ByteStream>, std::string) {
  finish(false, "status " + std::to_string(head.status));
}

void HealthChecker::Check::on_error(Error error) {
  if (error.side == Side::kLocal) return abandon();  // says nothing of the server
  std::string reason = reason_of(error);
  const std::string& why = client_->tls_failure();
  if (is_tls_failure(error.code) && !why.empty()) reason += ": " + why;
  finish(false, reason);
}

void HealthChecker::Check::judge() {
  const std::string& wanted = owner_.options_.body;
  const bool ok = wanted.empty() || body_.find(wanted) != std::string::npos;
  finish(ok, ok ? "" : "body does not match");
}

// The next may do better.
void HealthChecker::Check::abandon() {
  stop();
  loop_.timers().arm(next_timer_, next_at_);
}

void HealthChecker::Check::finish(bool ok, std::string_view reason) {
  abandon();
  owner_.report(name(), ok, reason);
}

HealthChecker::HealthChecker(net::Loop& loop, std::shared_ptr<OriginState> state, HealthOptions options, Rng& rng)
    : loop_(loop), state_(std::move(state)), options_(std::move(options)), rng_(rng), tick_timer_([this] { tick(); }) {
  tick();
}

HealthChecker::~HealthChecker() = default;

void HealthChecker::set_options(HealthOptions options) {
  if (options == options_) return;
  options_ = std::move(options);
  checks_.clear();
  seen_version_.reset();
  tick_timer_.cancel();
  tick();
}

void HealthChecker::tick() {
  if (options_.path.empty()) return;
  loop_.timers().arm(tick_timer_, loop_.mono_now() + std::min(options_.interval, kLongestTick));
  // Before the list is read: a change in between is noticed at the next tick.
  if (const std::uint64_t version = state_->version(); version != seen_version_) {
    seen_version_ = version;
    follow();
  }
}

void HealthChecker::follow() {
  std::vector<std::unique_ptr<Check>> before = std::exchange(checks_, {});
  for (auto& server : state_->servers()) {
    const auto known = std::ranges::find_if(
        before, [&](const auto& check) { return check && check->name() == server->endpoint.name; });
    if (known == before.end()) {
      checks_.push_back(std::make_unique<Check>(*this, std::move(server)));
    } else {
      (*known)->set_server(std::move(server));
      checks_.push_back(std::move(*known));
    }
  }
}

void HealthChecker::report(const std::string& name, bool ok, std::string_view reason) {
  for (const auto& server : state_->servers()) {
    if (server->endpoint.name == name) return state_->record_health(server, ok, reason, loop_.mono_now());
  }
}

microseconds HealthChecker::wait() const {
  const microseconds part = microseconds(options_.interval) / kJitterPart;
  return options_.interval - part + draw(rng_, 2 * part);
}

microseconds HealthChecker::first_wait() const {
  return draw(rng_, std::min<microseconds>(options_.interval / kJitterPart, kLongestFirstWait));
}

}  // namespace seawall::origin
