// What stands between a route and its origin, for tests whose origin is in memory: one origin that is resolved, its
// fill queue, one route that takes everything.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fill/fill_queue.h"
#include "origin/observer.h"
#include "origin/origin_state.h"
#include "proxy/route_state.h"
#include "proxy/router.h"

namespace seawall::test {

struct GuardOptions {
  policy::Rules rules = {};
  proxy::MissOptions miss = {};
  proxy::StormOptions storm = {};
  proxy::EncodeOptions encode = {};
  origin::OriginOptions origin = {.name = "one"};
  fill::FillScheduleOptions schedule = {.cold_start = Millis{0}};
};

class Guards {
 public:
  Guards(GuardOptions options, std::uint32_t workers, MonoTime now)
      : options_(std::move(options)),
        origin(std::make_shared<origin::OriginState>(options_.origin, observer_, 1)),
        queue(std::make_shared<fill::FillQueue>(
            options_.schedule,
            [state = origin](MonoTime at) -> std::optional<Millis> {
              if (!state->refusal(http::Traffic::kBackground, at)) {
                return std::nullopt;
              }
              return state->blocked_for(at);
            },
            [state = origin] { return state->is_ailing(); })),
        route(std::make_shared<proxy::RouteState>("all", 0, workers, options_.storm)) {
    origin::Endpoint endpoint;
    endpoint.name = "192.0.2.10:80";
    origin->set_endpoints({std::move(endpoint)}, now);
  }

  // The route goes to the origin at `index` of these names.
  Ref<const proxy::Router> make_router(const std::vector<std::string>& origin_names, std::size_t index) const {
    std::vector<proxy::Origin> origins;
    for (const std::string& name : origin_names) {
      origins.push_back({.name = name, .authority = name + ".test", .state = origin, .fills = queue});
    }
    return make_ref<const proxy::Router>(std::move(origins),
                                         std::vector<proxy::Route>{{.name = "all",
                                                                    .host = "*",
                                                                    .path = "*",
                                                                    .read_from = index,
                                                                    .write_to = index,
                                                                    .miss = options_.miss,
                                                                    .storm = options_.storm,
                                                                    .rules = options_.rules,
                                                                    .encode = options_.encode,
                                                                    .state = route}},
                                         proxy::SessionOptions{});
  }

 private:
  class Silent final : public origin::Observer {
    void on_failure(std::string_view, std::string_view, const Error&, std::string_view) override {}
    void on_breaker(std::string_view, std::string_view, origin::Breaker::State, Millis) override {}
    void on_health(std::string_view, std::string_view, bool, std::string_view) override {}
    void on_back_off(std::string_view, Millis) override {}
    void on_resolved(std::string_view, std::string_view, std::size_t, std::string_view) override {}
  };

  GuardOptions options_;
  Silent observer_;

 public:
  std::shared_ptr<origin::OriginState> origin;
  std::shared_ptr<fill::FillQueue> queue;
  std::shared_ptr<proxy::RouteState> route;
};

}  // namespace seawall::test
