#include "origin/server_client.h"

#include <utility>

#include "origin/h1_exchange.h"
#include "origin/h2_exchange.h"
#include "origin/h2_pool.h"
#include "origin/pool.h"

namespace seawall::origin {
namespace {

// What the sink holds. The exchange itself outlives it for the rest of the turn: it may be the one calling the sink.
template <typename T>
class Handle final : public http::Exchange {
 public:
  explicit Handle(std::unique_ptr<T> exchange) : exchange_(std::move(exchange)) {}
  ~Handle() override { T::abandon(std::move(exchange_)); }

  void pause() override { exchange_->pause(); }
  void resume() override { exchange_->resume(); }

 private:
  std::unique_ptr<T> exchange_;
};

}  // namespace

bool is_tls_failure(ErrorCode code) {
  switch (code) {
    case ErrorCode::kTlsFailed:
    case ErrorCode::kTlsTimeout:
    case ErrorCode::kTlsVersion:
    case ErrorCode::kTlsCertificateExpired:
    case ErrorCode::kTlsCertificateUntrusted:
    case ErrorCode::kTlsCertificateName:
    case ErrorCode::kTlsClientCertificate: return true;
    default: return false;
  }
}

ServerStats& ServerStats::operator+=(const ServerStats& more) {
  connections_opened += more.connections_opened;
  connections_reused += more.connections_reused;
  resent += more.resent;
  handshakes += more.handshakes;
  resumed_handshakes += more.resumed_handshakes;
  failed_handshakes += more.failed_handshakes;
  http2_connections += more.http2_connections;
  http2_streams += more.http2_streams;
  return *this;
}

ServerStats ServerStats::since(const ServerStats& before) const {
  return {.connections_opened = connections_opened - before.connections_opened,
          .connections_reused = connections_reused - before.connections_reused,
          .resent = resent - before.resent,
          .handshakes = handshakes - before.handshakes,
          .resumed_handshakes = resumed_handshakes - before.resumed_handshakes,
          .failed_handshakes = failed_handshakes - before.failed_handshakes,
          .http2_connections = http2_connections - before.http2_connections,
          .http2_streams = http2_streams - before.http2_streams};
}

ServerClient::ServerClient(net::Loop& loop, ServerOptions options)
    : loop_(loop), options_(std::move(options)), pool_(std::make_unique<Pool>(loop_, options_)) {
  auto start_h1 = [this](http::OutgoingRequest request, http::ExchangeSink& sink,
                         std::unique_ptr<net::Transport> transport, std::unique_ptr<http::Exchange>& into) {
    auto exchange = std::make_unique<H1Exchange>(loop_, options_, *pool_, std::move(request), sink);
    H1Exchange& starting = *exchange;
    into = std::make_unique<Handle<H1Exchange>>(std::move(exchange));
    if (transport) {
      starting.start_on(std::move(transport));
    } else {
      starting.start();
    }
  };
  h2_pool_ = std::make_unique<H2Pool>(loop_, options_, pool_->counters(), std::move(start_h1));
}

ServerClient::~ServerClient() = default;

std::unique_ptr<http::Exchange> ServerClient::start(http::OutgoingRequest request, http::ExchangeSink& sink) {
  if (h2_pool_->takes(request)) {
    auto exchange = std::make_unique<H2Exchange>(loop_, options_, *h2_pool_, std::move(request), sink);
    exchange->start();
    return std::make_unique<Handle<H2Exchange>>(std::move(exchange));
  }
  auto exchange = std::make_unique<H1Exchange>(loop_, options_, *pool_, std::move(request), sink);
  exchange->start();
  return std::make_unique<Handle<H1Exchange>>(std::move(exchange));
}

ServerStats ServerClient::stats() const {
  return pool_->stats();
}

const std::string& ServerClient::tls_failure() const {
  return pool_->tls_failure();
}

void ServerClient::close_idle() {
  pool_->close_idle();
  h2_pool_->close_idle();
}

}  // namespace seawall::origin
