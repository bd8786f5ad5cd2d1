// What one worker knows of one origin: a client for each of its servers, and the calls through them. A call waits for a
// place, asks the breaker, picks a server, and tries again elsewhere where that is safe and within the budget; all that
// the workers share of it is in origin_state.h. Thread: one worker.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "http/exchange.h"
#include "net/loop.h"
#include "origin/origin_options.h"
#include "origin/origin_state.h"
#include "origin/server_client.h"

namespace seawall::origin {

class OriginClient {
 public:
  OriginClient(net::Loop& loop, std::shared_ptr<OriginState> state, OriginOptions options);
  ~OriginClient();  // every Exchange must be gone
  OriginClient(const OriginClient&) = delete;
  OriginClient& operator=(const OriginClient&) = delete;

  // Never calls the sink before it has returned. Errors of Side::kLocal say that the origin was not asked.
  std::unique_ptr<http::Exchange> start(http::OutgoingRequest request, http::ExchangeSink& sink);

  // Calls in flight go on by what they began with.
  void set_options(OriginOptions options);
  OriginState& state() { return *state_; }
  void close_idle();

 private:
  class Call;
  class Handle;
  // In use while a try holds it; one that is not listed any more goes with its last.
  struct Client {
    Endpoint endpoint;
    std::unique_ptr<ServerClient> client;
    ServerStats told{};  // of its counts, to the OriginState
  };

  std::shared_ptr<Client> client_of(const Server& server);
  void forget_removed();

  net::Loop& loop_;
  std::shared_ptr<OriginState> state_;
  std::shared_ptr<const OriginOptions> options_;
  std::vector<std::shared_ptr<Client>> clients_;
  std::uint64_t seen_version_ = 0;
};

}  // namespace seawall::origin
