// The origin as a fill sees it. proxy/ adapts origin::ServerClient to it, tests script it. Thread: one worker.
#pragma once

#include <memory>

#include "http/exchange.h"

namespace seawall::fill {

class Upstream {
 public:
  virtual ~Upstream() = default;
  // Never calls the sink before it has returned.
  virtual std::unique_ptr<http::Exchange> start(http::OutgoingRequest request, http::ExchangeSink& sink) = 0;
};

}  // namespace seawall::fill
