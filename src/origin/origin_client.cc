#include "origin/origin_client.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "http/date.h"
#include "http/list_syntax.h"

namespace seawall::origin {
namespace {

using http::Field;
using http::Traffic;

// The most that an origin's Retry-After can ask for.
constexpr Millis kMaxBackOff{300'000};

Outcome outcome_of(const Error& error) {
  // Nothing reaches a server that cannot be believed.
  if (is_tls_failure(error.code)) return Outcome::kConnectFailure;
  switch (error.code) {
    case ErrorCode::kResolveFailed:
    case ErrorCode::kDnsTimeout:
    case ErrorCode::kConnectRefused:
    case ErrorCode::kConnectFailed:
    case ErrorCode::kConnectTimeout: return Outcome::kConnectFailure;
    case ErrorCode::kFirstByteTimeout:
    case ErrorCode::kBetweenBytesTimeout:
    case ErrorCode::kTotalTimeout:
    case ErrorCode::kSendTimeout:
    case ErrorCode::kPeerClosed:
    case ErrorCode::kPeerReset:
    case ErrorCode::kIncompleteBody: return error.side == Side::kOrigin ? Outcome::kBroken : Outcome::kNeutral;
    // A response that breaks the protocol is a fault of that response: the server is there and answers.
    default: return Outcome::kNeutral;
  }
}

Outcome outcome_of(std::uint16_t status) {
  switch (status) {
    case 500: return Outcome::kServerError;
    case 502:
    case 503:
    case 504: return Outcome::kGatewayError;
    default: return Outcome::kSuccess;
  }
}

bool is_retryable_status(std::uint16_t status) {
  return status == 502 || status == 503 || status == 504;
}

// The server has the request, and its answer did not come: another server may give one.
bool is_cut_off(ErrorCode code) {
  switch (code) {
    case ErrorCode::kFirstByteTimeout:
    case ErrorCode::kBetweenBytesTimeout:
    case ErrorCode::kPeerClosed:
    case ErrorCode::kPeerReset: return true;
    default: return false;
  }
}

// One client serves both: weight, draining and the like do not touch connections.
bool is_same_server(const Endpoint& a, const Endpoint& b) {
  return a.name == b.name && a.addresses == b.addresses && a.is_tls == b.is_tls && a.tls_name == b.tls_name;
}

// Retry-After, as seconds or a date (RFC 9110 section 10.2.3).
std::optional<Millis> retry_after(const http::HeaderMap& headers, WallTime now) {
  const auto value = headers.find(Field::kRetryAfter);
  if (!value) return std::nullopt;
  Millis wait{0};
  if (const auto seconds = http::parse_delta_seconds(*value)) {
    wait = std::chrono::seconds{std::min<std::int64_t>(*seconds, kMaxBackOff.count())};
  } else if (const auto date = http::parse_date(*value, now)) {
    wait = *date - now;
  } else {
    return std::nullopt;
  }
  if (wait <= Millis{0}) return std::nullopt;
  return std::min(wait, kMaxBackOff);
}

}  // namespace

// Lives until its handle goes, and then for the rest of the turn: the sink may drop the handle in any callback, so
// after each one `sink_` is null if that happened, and nothing more may be done.
//
//   kWaiting  for a place  -> kTrying | over
//   kTrying   one server, or two with a hedge, asked; no head yet  -> kTrying (elsewhere) | kStreaming | over
//   kStreaming  the head was delivered, what follows is passed on  -> over
class OriginClient::Call {
 public:
  Call(OriginClient& owner, http::OutgoingRequest request, http::ExchangeSink& sink)
      : owner_(owner),
        loop_(owner.loop_),
        state_(owner.state_),
        sink_(&sink),
        options_(owner.options_),
        request_(std::move(request)),
        traffic_(request_.traffic),
        is_shared_(request_.is_shared),
        route_(request_.route),
        hash_(request_.hash),
        queue_timer_([this] { on_queue_timeout(); }),
        total_timer_([this] { on_total_timeout(); }),
        hedge_timer_([this] { on_hedge_timer(); }) {}

  void start();
  static void abandon(std::unique_ptr<Call> call);
  void pause();
  void resume();

 private:
  // One server asked.
  struct Attempt final : http::ExchangeSink {
    Attempt(Call& asking, Try granted, std::shared_ptr<Client> through)
        : call(asking), made(std::move(granted)), client(std::move(through)) {}

    void on_informational(http::ResponseHead head) override { call.on_informational(std::move(head)); }
    void on_head(http::ResponseHead head, WallTime request_time, WallTime response_time) override {
      call.on_head(*this, std::move(head), request_time, response_time);
    }
    void on_body(std::string_view payload) override { call.on_body(payload); }
    void on_complete(const http::HeaderMap& trailers) override { call.on_complete(trailers); }
    void on_upgraded(http::ResponseHead head, std::unique_ptr<ByteStream> connection,
                     std::string early_bytes) override {
      call.on_upgraded(*this, std::move(head), std::move(connection), std::move(early_bytes));
    }
    void on_error(Error error) override { call.on_error(*this, error); }

    Call& call;
    Try made;
    std::shared_ptr<Client> client;
    std::unique_ptr<http::Exchange> exchange;
    Bulkhead::Ticket ticket = 0;  // of a hedge; the others use the call's
    bool is_recorded = false;
  };

  MonoTime now() const { return loop_.mono_now(); }
  void on_granted();
  void on_queue_timeout();
  void on_total_timeout();
  void on_hedge_timer();
  void go();
  Result<void> begin_attempt(Bulkhead::Ticket ticket);
  void on_informational(http::ResponseHead head);
  void on_head(Attempt& from, http::ResponseHead head, WallTime request_time, WallTime response_time);
  void on_body(std::string_view payload) { sink_->on_body(payload); }
  void on_complete(const http::HeaderMap& trailers);
  void on_upgraded(Attempt& from, http::ResponseHead head, std::unique_ptr<ByteStream> connection,
                   std::string early_bytes);
  void on_error(Attempt& from, Error error);
  void settle(Attempt& winner, const Verdict& verdict);
  Verdict verdict_of(const Attempt& from, const http::ResponseHead& head, WallTime now) const;
  bool may_be_sent_twice() const;
  bool may_repeat(const Error& error) const;
  bool may_repeat_answered() const;
  bool has_another_try() const;
  void record_try(Attempt& attempt, Verdict verdict);
  void end_attempt(Attempt& attempt, const Verdict& verdict);
  void drop_attempt(Attempt& attempt);
  void record_call(const Verdict& verdict);
  void fail(Error error);
  void leave();

  OriginClient& owner_;
  net::Loop& loop_;
  std::shared_ptr<OriginState> state_;
  http::ExchangeSink* sink_;
  std::shared_ptr<const OriginOptions> options_;
  http::OutgoingRequest request_;
  const Traffic traffic_;
  const bool is_shared_;
  const std::uint32_t route_;
  const std::uint64_t hash_;
  bool is_kept_ = false;  // request_ is still whole, for another try
  bool is_starting_ = false;
  bool failure_posted_ = false;
  bool is_streaming_ = false;
  bool is_paused_ = false;
  bool has_bad_status_ = false;
  std::shared_ptr<OriginState::Waiter> waiter_;
  Bulkhead::Ticket ticket_ = 0;
  bool has_place_ = false;
  std::optional<Breaker::Admission> admission_;
  std::uint32_t tries_ = 0;
  std::vector<std::unique_ptr<Attempt>> attempts_;  // at most two
  std::vector<std::shared_ptr<Server>> tried_;
  Timer queue_timer_;
  Timer total_timer_;
  Timer hedge_timer_;
};

class OriginClient::Handle final : public http::Exchange {
 public:
  explicit Handle(std::unique_ptr<Call> call) : call_(std::move(call)) {}
  ~Handle() override { Call::abandon(std::move(call_)); }
  void pause() override { call_->pause(); }
  void resume() override { call_->resume(); }

 private:
  std::unique_ptr<Call> call_;
};

void OriginClient::Call::start() {
  is_starting_ = true;
  loop_.timers().arm(total_timer_, now() + options_->total);
  if (const auto refused = state_->refusal(traffic_, now())) {
    fail(*refused);
  } else {
    waiter_ = std::make_shared<OriginState::Waiter>();
    waiter_->executor = &loop_;
    waiter_->on_granted = [this] { on_granted(); };
    const auto entrance = state_->enter(route_, traffic_, waiter_, now());
    ticket_ = entrance.ticket;
    switch (entrance.entry) {
      case Bulkhead::Entry::kGranted:
        has_place_ = true;
        go();
        break;
      case Bulkhead::Entry::kQueued: loop_.timers().arm(queue_timer_, now() + options_->limit.queue_wait); break;
      case Bulkhead::Entry::kFull: fail({ErrorCode::kQueueFull, Side::kLocal}); break;
    }
  }
  is_starting_ = false;
}

void OriginClient::Call::abandon(std::unique_ptr<Call> call) {
  Call& self = *call;
  self.sink_ = nullptr;
  self.record_call({});
  self.leave();
  if (self.failure_posted_) {
    // Tasks run in order of posting: this one deletes after the one that still refers to us.
    self.loop_.post([doomed = std::move(call)] {});
  } else {
    self.loop_.defer_delete(std::move(call));
  }
}

void OriginClient::Call::pause() {
  is_paused_ = true;
  if (is_streaming_ && !attempts_.empty()) attempts_.front()->exchange->pause();
}

void OriginClient::Call::resume() {
  is_paused_ = false;
  if (is_streaming_ && !attempts_.empty()) attempts_.front()->exchange->resume();
}

void OriginClient::Call::on_granted() {
  has_place_ = true;
  queue_timer_.cancel();
  go();
}

void OriginClient::Call::on_queue_timeout() {
  if (!state_->cancel(ticket_)) return;  // the place is on its way
  ticket_ = 0;
  fail({ErrorCode::kQueueTimeout, Side::kLocal});
}

void OriginClient::Call::on_total_timeout() {
  const Error error{ErrorCode::kTotalTimeout, tries_ > 0 ? Side::kOrigin : Side::kLocal};
  while (!attempts_.empty()) end_attempt(*attempts_.front(), {.outcome = Outcome::kBroken, .error = error});
  fail(error);
}

void OriginClient::Call::go() {
  const auto admission = state_->begin_call(traffic_, now());
  if (!admission) return fail(admission.error());
  admission_ = *admission;
  if (const auto begun = begin_attempt(0); !begun) return fail(begun.error());
  const bool may_hedge = is_kept_ && http::is_safe(request_.method) && !request_.body && request_.upgrade.empty();
  if (may_hedge && options_->retry.hedge_after > Millis{0}) {
    loop_.timers().arm(hedge_timer_, now() + options_->retry.hedge_after);
  }
}

Result<void> OriginClient::Call::begin_attempt(Bulkhead::Ticket ticket) {
  auto made = state_->begin_try(traffic_, hash_, tried_, now());
  if (!made) return std::unexpected(made.error());
  ++tries_;
  tried_.push_back(made->server);
  auto attempt = std::make_unique<Attempt>(*this, std::move(*made), owner_.client_of(*tried_.back()));
  attempt->ticket = ticket;
  is_kept_ = tries_ < options_->retry.tries && state_->has_alternatives();
  http::OutgoingRequest request = is_kept_ ? request_ : std::move(request_);
  Attempt& started = *attempt;
  attempts_.push_back(std::move(attempt));
  started.exchange = started.client->client->start(std::move(request), started);
  return {};
}

void OriginClient::Call::on_hedge_timer() {
  if (attempts_.size() != 1 || !is_kept_) return;
  auto waiter = std::make_shared<OriginState::Waiter>();
  waiter->executor = &loop_;
  const auto [entry, ticket] = state_->enter(route_, traffic_, waiter, now());
  switch (entry) {
    case Bulkhead::Entry::kGranted:
      if (!state_->may_try_again(OriginState::Again::kHedge, tried_, now()) || !begin_attempt(ticket)) {
        state_->leave(ticket, now());
      }
      break;
    case Bulkhead::Entry::kQueued:
      // What may prove needless does not wait. Another worker may have let it in meanwhile.
      if (!state_->cancel(ticket)) state_->leave(ticket, now());
      break;
    case Bulkhead::Entry::kFull: break;
  }
}

void OriginClient::Call::on_informational(http::ResponseHead head) {
  if (attempts_.size() == 1) sink_->on_informational(std::move(head));
}

Verdict OriginClient::Call::verdict_of(const Attempt& from, const http::ResponseHead& head, WallTime wall) const {
  Verdict verdict{.outcome = outcome_of(head.status), .status = head.status};
  if (verdict.outcome == Outcome::kSuccess && options_->breaker.slow > Millis{0} &&
      now() - from.made.begun_at > options_->breaker.slow) {
    verdict.outcome = Outcome::kSlow;
  }
  if (head.status == 429) {
    verdict.outcome = Outcome::kNeutral;
    if (is_shared_) verdict.back_off = retry_after(head.headers, wall);
  }
  return verdict;
}

void OriginClient::Call::on_head(Attempt& from, http::ResponseHead head, WallTime request_time,
                                 WallTime response_time) {
  const Verdict verdict = verdict_of(from, head, response_time);
  if (is_retryable_status(head.status)) {
    // The other try may do better.
    if (attempts_.size() > 1) return end_attempt(from, verdict);
    // Only once the other try has begun: until then this answer is the best there is.
    if (may_repeat_answered() && begin_attempt(0)) return end_attempt(from, verdict);
  }
  settle(from, verdict);
  is_streaming_ = true;
  if (is_paused_) from.exchange->pause();
  sink_->on_head(std::move(head), request_time, response_time);
}

// The first to answer wins; the other is dropped. What is left needs one place.
void OriginClient::Call::settle(Attempt& winner, const Verdict& verdict) {
  total_timer_.cancel();
  hedge_timer_.cancel();
  record_try(winner, verdict);
  record_call(verdict);
  for (const auto& attempt : attempts_) {
    if (attempt.get() != &winner) drop_attempt(*attempt);
  }
  std::erase_if(attempts_, [&](const auto& attempt) { return attempt.get() != &winner; });
  if (winner.ticket != 0) state_->leave(std::exchange(winner.ticket, 0), now());
}

void OriginClient::Call::on_complete(const http::HeaderMap& trailers) {
  leave();
  std::exchange(sink_, nullptr)->on_complete(trailers);
}

void OriginClient::Call::on_upgraded(Attempt& from, http::ResponseHead head, std::unique_ptr<ByteStream> connection,
                                     std::string early_bytes) {
  settle(from, {.outcome = Outcome::kSuccess, .status = head.status});
  leave();
  std::exchange(sink_, nullptr)->on_upgraded(std::move(head), std::move(connection), std::move(early_bytes));
}

void OriginClient::Call::on_error(Attempt& from, Error error) {
  const bool is_origins = error.side == Side::kOrigin;
  if (is_streaming_) {
    if (is_origins) state_->on_broken_body(from.made, error, hash_, now());
    leave();
    return std::exchange(sink_, nullptr)->on_error(error);
  }
  Verdict verdict{.outcome = outcome_of(error), .error = is_origins ? std::optional(error) : std::nullopt};
  if (is_tls_failure(error.code)) verdict.reason = from.client->client->tls_failure();
  end_attempt(from, verdict);
  if (!attempts_.empty()) return;  // the other try goes on
  if (may_repeat(error) && begin_attempt(0)) return;
  fail(error);
}

bool OriginClient::Call::has_another_try() const {
  return is_kept_ && state_->may_try_again(OriginState::Again::kRetry, tried_, now());
}

// The method is idempotent, or the client gave a key that makes it so.
bool OriginClient::Call::may_be_sent_twice() const {
  return http::is_idempotent(request_.method) ||
         (options_->retry.idempotency_key && request_.headers.contains("Idempotency-Key"));
}

bool OriginClient::Call::may_repeat(const Error& error) const {
  // There may be ports towards another server.
  const bool no_port = error.code == ErrorCode::kNoLocalPort;
  if (!is_kept_ || (error.side != Side::kOrigin && !no_port)) return false;
  // Past the connect the exchange may have read of the body, or dropped it.
  const bool is_connected = outcome_of(error) != Outcome::kConnectFailure && !no_port;
  if (request_.body && (is_connected || request_.body->was_read())) return false;
  const bool was_sent = error.retry != Retry::kYes;
  if (was_sent && !may_be_sent_twice()) return false;
  if (error.retry == Retry::kNo && !is_cut_off(error.code)) return false;
  return has_another_try();
}

// After an answer that says that another server may give a better one.
bool OriginClient::Call::may_repeat_answered() const {
  return is_kept_ && !request_.body && may_be_sent_twice() && has_another_try();
}

// It failed, or its answer is of no use.
void OriginClient::Call::end_attempt(Attempt& attempt, const Verdict& verdict) {
  record_try(attempt, verdict);
  drop_attempt(attempt);
  const auto at = std::ranges::find_if(attempts_, [&](const auto& a) { return a.get() == &attempt; });
  loop_.defer_delete(std::move(*at));  // it may be the one that is calling
  attempts_.erase(at);
}

void OriginClient::Call::record_try(Attempt& attempt, Verdict verdict) {
  // Within one call only the first bad status counts: it may be the request that is poisonous.
  if (verdict.status >= 500 && std::exchange(has_bad_status_, true)) verdict.outcome = Outcome::kNeutral;
  state_->record_try(attempt.made, verdict, hash_, now());
  attempt.is_recorded = true;
}

// Its server is free of it, and so is its place if it had one of its own.
void OriginClient::Call::drop_attempt(Attempt& attempt) {
  if (!attempt.is_recorded) record_try(attempt, {});
  if (attempt.made.server) {
    const ServerStats stats = attempt.client->client->stats();
    state_->release_try(attempt.made, stats.since(std::exchange(attempt.client->told, stats)));
  }
  attempt.made.server = nullptr;
  attempt.exchange.reset();
  if (attempt.client.use_count() == 1) {
    // The exchange goes at the end of this turn or in a later one, and after it its client.
    loop_.post([&loop = loop_, last = std::make_unique<std::shared_ptr<Client>>(attempt.client)]() mutable {
      loop.defer_delete(std::move(last));
    });
  }
  attempt.client = nullptr;
  if (attempt.ticket != 0) state_->leave(std::exchange(attempt.ticket, 0), now());
}

void OriginClient::Call::record_call(const Verdict& verdict) {
  if (!admission_) return;
  state_->record_call(*std::exchange(admission_, std::nullopt), verdict, hash_, now());
}

void OriginClient::Call::fail(Error error) {
  if (error.side == Side::kLocal) state_->count_refusal(error.code);
  record_call({.outcome = outcome_of(error), .error = error});
  leave();
  if (is_starting_) {
    failure_posted_ = true;
    loop_.post([this, error] {
      failure_posted_ = false;
      if (sink_) std::exchange(sink_, nullptr)->on_error(error);
    });
    return;
  }
  std::exchange(sink_, nullptr)->on_error(error);
}

// Gives back all that it holds.
void OriginClient::Call::leave() {
  queue_timer_.cancel();
  total_timer_.cancel();
  hedge_timer_.cancel();
  for (auto& attempt : attempts_) {
    drop_attempt(*attempt);
    loop_.defer_delete(std::move(attempt));
  }
  attempts_.clear();
  if (waiter_) waiter_->on_granted = nullptr;
  if (ticket_ == 0) return;
  const Bulkhead::Ticket ticket = std::exchange(ticket_, 0);
  // Granted meanwhile, with the word still on its way: the place is ours to give back.
  if (has_place_ || !state_->cancel(ticket)) state_->leave(ticket, now());
}

OriginClient::OriginClient(net::Loop& loop, std::shared_ptr<OriginState> state, OriginOptions options)
    : loop_(loop), state_(std::move(state)), options_(std::make_shared<const OriginOptions>(std::move(options))) {}

OriginClient::~OriginClient() = default;

std::unique_ptr<http::Exchange> OriginClient::start(http::OutgoingRequest request, http::ExchangeSink& sink) {
  auto call = std::make_unique<Call>(*this, std::move(request), sink);
  call->start();
  return std::make_unique<Handle>(std::move(call));
}

void OriginClient::set_options(OriginOptions options) {
  const bool is_same_client = options.timeouts == options_->timeouts &&
                              options.idle_connections == options_->idle_connections &&
                              options.idle_timeout == options_->idle_timeout && options.access == options_->access;
  options_ = std::make_shared<const OriginOptions>(std::move(options));
  if (!is_same_client) clients_.clear();
}

void OriginClient::close_idle() {
  for (const auto& client : clients_) client->client->close_idle();
}

std::shared_ptr<OriginClient::Client> OriginClient::client_of(const Server& server) {
  if (const std::uint64_t version = state_->version(); version != seen_version_) {
    seen_version_ = version;
    forget_removed();
  }
  const auto known =
      std::ranges::find_if(clients_, [&](const auto& c) { return is_same_server(c->endpoint, server.endpoint); });
  if (known != clients_.end()) return *known;
  ServerOptions options;
  options.name = server.endpoint.name;
  options.addresses = server.endpoint.addresses;
  options.timeouts = options_->timeouts;
  options.access = options_->access;
  if (!server.endpoint.is_tls) options.access.tls = nullptr;
  options.tls_name = server.endpoint.tls_name;
  options.idle_connections = options_->idle_connections;
  options.idle_timeout = options_->idle_timeout;
  auto client = std::make_shared<Client>();
  client->endpoint = server.endpoint;
  client->client = std::make_unique<ServerClient>(loop_, std::move(options));
  clients_.push_back(client);
  return client;
}

// Their idle connections close; a try that still runs keeps its client.
void OriginClient::forget_removed() {
  const auto listed = state_->servers();
  std::erase_if(clients_, [&](const auto& client) {
    return std::ranges::none_of(listed,
                                [&](const auto& server) { return is_same_server(server->endpoint, client->endpoint); });
  });
}

}  // namespace seawall::origin
