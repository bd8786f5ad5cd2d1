// Which route and origin a request belongs to: hosts and paths of the configuration, the first match in file order.
// Immutable, swapped whole on reload. Thread: any.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ref.h"
#include "fill/fill_queue.h"
#include "http/token.h"
#include "origin/origin_state.h"
#include "policy/rules.h"
#include "proxy/options.h"
#include "proxy/route_state.h"

namespace seawall::proxy {

struct Origin {
  std::string name;
  std::string authority;  // sent as Host with HostPolicy::kOrigin, or when the client sent none
  HostPolicy host_policy = HostPolicy::kPreserve;
  Millis total{30'000};  // until the head is there
  std::shared_ptr<origin::OriginState> state;
  std::shared_ptr<fill::FillQueue> fills;
};

struct Route {
  std::string name;
  std::string host;           // "*", exact, or "*.example.com"; without port, lower case
  std::string path;           // exact, or a prefix and "*"
  std::size_t read_from = 0;  // index into Router::origins, for GET and HEAD
  std::size_t write_to = 0;   // likewise, for all else
  MissOptions miss;
  StormOptions storm;
  policy::Rules rules;
  EncodeOptions encode;
  std::shared_ptr<RouteState> state;

  std::size_t origin_for(http::Method method) const {
    return method == http::Method::kGet || method == http::Method::kHead ? read_from : write_to;
  }
  bool matches(std::string_view request_host, std::string_view request_path) const;
};

class Router final : public RefCounted<Router> {
 public:
  Router(std::vector<Origin> origins, std::vector<Route> routes, SessionOptions session, EdgeOptions edge = {});

  // nullptr when nothing matches. `authority` may carry a port, `path` a query.
  const Route* find(std::string_view authority, std::string_view path) const;
  const std::vector<Origin>& origins() const { return origins_; }
  const std::vector<Route>& routes() const { return routes_; }
  const SessionOptions& session() const { return session_; }
  const EdgeOptions& edge() const { return edge_; }
  // "Strict-Transport-Security: max-age=N" with its CRLF; empty: none is added.
  const std::string& hsts_line() const { return hsts_line_; }

 private:
  std::vector<Origin> origins_;
  std::vector<Route> routes_;
  SessionOptions session_;
  EdgeOptions edge_;
  std::string hsts_line_;
};

}  // namespace seawall::proxy
