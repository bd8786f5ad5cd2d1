#include "origin/server_client.h"

#include <utility>

#include "origin/h1_exchange.h"
#include "origin/pool.h"

namespace seawall::origin {
namespace {

// What the sink holds. The exchange itself outlives it for the rest of the turn: it may be the one calling the sink.
class Handle final : public http::Exchange {
 public:
  explicit Handle(std::unique_ptr<H1Exchange> exchange) : exchange_(std::move(exchange)) {}
  ~Handle() override { H1Exchange::abandon(std::move(exchange_)); }

  void pause() override { exchange_->pause(); }
  void resume() override { exchange_->resume(); }

 private:
  std::unique_ptr<H1Exchange> exchange_;
};

}  // namespace

ServerClient::ServerClient(net::Loop& loop, ServerOptions options)
    : loop_(loop), options_(std::move(options)), pool_(std::make_unique<Pool>(loop_, options_)) {}

ServerClient::~ServerClient() = default;

std::unique_ptr<http::Exchange> ServerClient::start(http::OutgoingRequest request, http::ExchangeSink& sink) {
  auto exchange = std::make_unique<H1Exchange>(loop_, options_, *pool_, std::move(request), sink);
  exchange->start();
  return std::make_unique<Handle>(std::move(exchange));
}

ServerStats ServerClient::stats() const {
  return pool_->stats();
}

void ServerClient::close_idle() {
  pool_->close_idle();
}

}  // namespace seawall::origin
