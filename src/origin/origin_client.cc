#include "origin/origin_client.h"

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

OriginClient::OriginClient(net::Loop& loop, OriginOptions options)
    : loop_(loop), options_(std::move(options)), pool_(std::make_unique<Pool>(loop_, options_)) {}

OriginClient::~OriginClient() = default;

std::unique_ptr<http::Exchange> OriginClient::start(http::OutgoingRequest request, http::ExchangeSink& sink) {
  auto exchange = std::make_unique<H1Exchange>(loop_, options_, *pool_, std::move(request), sink);
  exchange->start();
  return std::make_unique<Handle>(std::move(exchange));
}

OriginStats OriginClient::stats() const {
  return pool_->stats();
}

void OriginClient::close_idle() {
  pool_->close_idle();
}

}  // namespace seawall::origin
