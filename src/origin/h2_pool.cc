#include "origin/h2_pool.h"

#include <algorithm>
#include <utility>

#include "origin/pool.h"

namespace seawall::origin {
namespace {

// Those that close included.
constexpr std::size_t kMostConnections = 8;
constexpr Seconds kAskAgain{60};

}  // namespace

H2Pool::H2Pool(net::Loop& loop, const ServerOptions& options, ServerClient::Pool& h1_pool, StartH1 start_h1)
    : loop_(loop), options_(options), h1_pool_(h1_pool), start_h1_(std::move(start_h1)), wake_(make_ref<Wake>(*this)) {
  if (options.access.tls) tls_.emplace(options.access.tls, options.tls_name, true, options.tls_sessions);
}

H2Pool::~H2Pool() {
  wake_->pool = nullptr;
  if (connector_) {
    connector_->cancel();
    loop_.defer_delete(std::move(connector_));
  }
  for (auto& connection : std::exchange(connections_, {})) {
    connection->close();
    loop_.defer_delete(std::move(connection));
  }
}

bool H2Pool::takes(const http::OutgoingRequest& request) const {
  const ServerAccess& access = options_.access;
  if (!request.upgrade.empty() || access.proxy_protocol != net::ProxyVersion::kOff) return false;
  switch (access.protocol) {
    case Protocol::kHttp1: return false;
    case Protocol::kHttp2: return true;
    case Protocol::kAuto: return tls_ && may_speak_h2();
  }
  return false;
}

// A server that has learnt HTTP/2 is asked again when it is to be connected to anyway, by one request at a time.
bool H2Pool::may_speak_h2() const {
  if (!speaks_h1_since_) return true;
  return loop_.mono_now() - *speaks_h1_since_ >= kAskAgain && !h1_pool_.has_idle() && !connector_;
}

void H2Pool::enqueue(H2Exchange& exchange) {
  waiting_.push_back(exchange);
  serve();
}

void H2Pool::serve() {
  place_waiting(Fresh::kAsWanted);
  if (!waiting_.empty()) connect();
}

// One that wants a fresh connection does not hold up those behind it.
void H2Pool::place_waiting(Fresh fresh) {
  for (H2Exchange* exchange = waiting_.front(); exchange;) {
    const bool wants_fresh = exchange->wants_fresh() && fresh == Fresh::kAsWanted;
    H2Connection* const connection = find_vacant(wants_fresh);
    if (!connection && !wants_fresh) return;
    if (connection) {
      exchange->waiting_link.unlink();
      place(*exchange, *connection);
    }
    exchange = connection ? waiting_.front() : waiting_.next(*exchange);
  }
}

void H2Pool::place(H2Exchange& exchange, H2Connection& connection) {
  ++h1_pool_.counters().http2_streams;
  if (connection.is_proven()) ++h1_pool_.counters().connections_reused;
  exchange.begin(connection);
}

// The oldest that has room, so that those which a burst has brought become idle and go.
H2Connection* H2Pool::find_vacant(bool wants_fresh) const {
  // At the limit no fresh one can be made.
  if (connections_.size() >= kMostConnections) wants_fresh = false;
  const auto it = std::ranges::find_if(
      connections_, [&](const auto& c) { return c->is_vacant() && !(wants_fresh && c->is_proven()); });
  return it == connections_.end() ? nullptr : it->get();
}

void H2Pool::connect() {
  if (connector_ || connections_.size() >= kMostConnections) return;
  connector_ =
      std::make_unique<Connector>(loop_, options_, tls_ ? &*tls_ : nullptr, std::string(), h1_pool_.counters(), *this);
  auto outcome = connector_->start();
  if (!outcome) return;
  // An exchange may be starting.
  loop_.post([wake = wake_, known = std::move(*outcome)]() mutable {
    if (wake->pool) wake->pool->on_connected(std::move(known));
  });
}

void H2Pool::on_connected(Result<Connector::Connected> outcome) {
  if (!outcome) h1_pool_.note_tls_failure(connector_->failure_text());
  connector_->cancel();
  loop_.defer_delete(std::move(connector_));
  if (!outcome) {
    if (speaks_h1_since_) speaks_h1_since_ = loop_.mono_now();
    // With others left the exchanges may still find a place, or time out.
    if (!is_in_use()) return fail_waiting(outcome.error());
    return place_waiting(Fresh::kIfPossible);
  }
  if (!tls_ || outcome->is_http2) {
    speaks_h1_since_.reset();
    return add(std::move(outcome->transport));
  }
  if (options_.access.protocol == Protocol::kAuto) {
    speaks_h1_since_ = loop_.mono_now();
    return hand_on(std::move(outcome->transport));
  }
  loop_.defer_delete(std::move(outcome->transport));
  fail_waiting(Error{ErrorCode::kHttp2Failed, Side::kOrigin, Retry::kYes});
}

void H2Pool::add(std::unique_ptr<net::Transport> transport) {
  ++h1_pool_.counters().connections_opened;
  ++h1_pool_.counters().http2_connections;
  auto& added = connections_.emplace_back(std::make_unique<H2Connection>(
      loop_, std::move(transport), options_.idle_timeout, options_.head_limits.header_bytes, assumed_streams_, *this));
  added->start();
  serve();
}

// To HTTP/1.1.
void H2Pool::hand_on(std::unique_ptr<net::Transport> transport) {
  net::Loop& loop = loop_;  // a sink that fails at once may drop all that this belongs to
  for (H2Exchange* const exchange : take_waiting()) exchange->become_h1(transport);
  if (transport) loop.defer_delete(std::move(transport));
}

void H2Pool::fail_waiting(Error error) {
  for (H2Exchange* const exchange : take_waiting()) exchange->on_no_connection(error);
}

// All at once: those that a sink starts meanwhile wait for the next connection. None is freed before the turn ends.
std::vector<H2Exchange*> H2Pool::take_waiting() {
  std::vector<H2Exchange*> taken;
  while (H2Exchange* const exchange = waiting_.pop_front()) taken.push_back(exchange);
  return taken;
}

void H2Pool::on_change(H2Connection& connection) {
  assumed_streams_ = connection.most_streams();
  serve();
}

void H2Pool::on_gone(H2Connection& connection) {
  const auto it = std::ranges::find_if(connections_, [&](const auto& c) { return c.get() == &connection; });
  if (it == connections_.end()) return;
  if (!connection.tls_failure().empty()) h1_pool_.note_tls_failure(std::string(connection.tls_failure()));
  // Its own event is what is running.
  loop_.defer_delete(std::move(*it));
  connections_.erase(it);
  serve();
}

bool H2Pool::is_in_use() const {
  return std::ranges::any_of(connections_, [](const auto& c) { return !c->is_idle(); });
}

void H2Pool::count_resent() {
  h1_pool_.count_resent();
}

void H2Pool::close_idle() {
  for (const auto& connection : connections_) {
    if (connection->is_idle()) connection->retire();
  }
}

}  // namespace seawall::origin
