#include "proxy/route_state.h"

#include "obs/log.h"

namespace seawall::proxy {

void log_storm(const RouteState& route, StormGuard::Change change, MonoTime now) {
  switch (change) {
    case StormGuard::Change::kNone: return;
    case StormGuard::Change::kBegan:
      obs::log(obs::LogLevel::kWarning,
               "route {}: storm mode begins ({}): misses are answered at once and fetched in the background",
               route.name, to_string(route.storm.cause()));
      return;
    case StormGuard::Change::kEnded:
      obs::log(obs::LogLevel::kInfo, "route {}: storm mode ends: misses wait for the origin again ({:.0f} misses/s)",
               route.name, route.storm.misses_per_second(now));
      return;
  }
}

}  // namespace seawall::proxy
