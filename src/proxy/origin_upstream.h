// Adapts an origin's client to what a fill needs. Thread: one worker.
#pragma once

#include <memory>
#include <utility>

#include "fill/upstream.h"
#include "origin/origin_client.h"

namespace seawall::proxy {

class OriginUpstream final : public fill::Upstream {
 public:
  OriginUpstream(net::Loop& loop, std::shared_ptr<origin::OriginState> state, origin::OriginOptions options)
      : client_(loop, std::move(state), std::move(options)) {}

  std::unique_ptr<http::Exchange> start(http::OutgoingRequest request, http::ExchangeSink& sink) override {
    return client_.start(std::move(request), sink);
  }
  origin::OriginClient& client() { return client_; }

 private:
  origin::OriginClient client_;
};

}  // namespace seawall::proxy
