// URLs as the admin API names them, and fetches of them that no client waits for, in the fill queues of their origins.
// Thread: the home worker's.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "cache/store.h"
#include "fill/fill_schedule.h"
#include "http/message.h"
#include "http/uri.h"
#include "proxy/context.h"

namespace seawall::admin {

struct Target {
  http::AbsoluteUri uri;  // normalised
  std::string key;
  std::uint64_t hash = 0;
};

// As a client's request for it would be looked up; nullopt: no absolute http or https URL, or longer than a client may
// send.
std::optional<Target> parse_target(const proxy::Context& context, std::string_view url);
// The same resource by the other scheme: who purges a URL means what clients see there, however they come.
Target with_other_scheme(const Target& target);
http::RequestHead plain_get(const Target& target);
// Whether what the route fetches in the background answers its clients.
bool is_filled_in_background(const proxy::Route& route);

// `found` is what the store has for it. `on_outcome` is FillRequest's.
Ref<fill::Fill> make_background_fill(proxy::Context& context, const proxy::Route& route, const Target& target,
                                     const cache::LookupResult& found, std::function<void(bool is_filled)> on_outcome);

enum class Enqueued : std::uint8_t {
  kQueued,
  kUnderWay,  // somebody's fetch for it is
  kFresh,     // it is stored already
  kAbsent,    // it is not stored, and was to be refreshed
  kFull,      // the queue has no room for it
};

// For one turn, and one router. Leaves a part of each queue to what clients ask for: a full one puts routes in storm
// mode.
class BackgroundFiller {
 public:
  explicit BackgroundFiller(proxy::Context& context) : context_(context) {}

  struct Order {
    fill::FillClass klass = fill::FillClass::kPrefetch;
    std::uint32_t heat = 1;
    bool only_refresh = false;  // of what is stored
  };
  // `route` is_filled_in_background(). `on_outcome` is called only for what was kQueued.
  Enqueued enqueue(const proxy::Route& route, const Target& target, const Order& order,
                   const std::function<void(bool is_filled)>& on_outcome);

 private:
  std::uint32_t& room_at(std::size_t origin_index);

  proxy::Context& context_;
  std::unordered_map<std::size_t, std::uint32_t> room_;  // by the router's origins
};

}  // namespace seawall::admin
