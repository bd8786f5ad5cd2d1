// Which route and origin a request belongs to: hosts and paths of the configuration, the first match in file order.
// Immutable, swapped whole on reload. Thread: any.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ref.h"
#include "policy/rules.h"
#include "proxy/options.h"

namespace seawall::proxy {

struct Origin {
  std::string name;
  std::string authority;  // sent as Host with HostPolicy::kOrigin, or when the client sent none
  HostPolicy host_policy = HostPolicy::kPreserve;
  Millis total{30'000};  // until the head is there
};

struct Route {
  std::string name;
  std::string host;        // "*", exact, or "*.example.com"; without port, lower case
  std::string path;        // exact, or a prefix and "*"
  std::size_t origin = 0;  // index into Router::origins
  bool is_pass = false;
  policy::Rules rules;

  bool matches(std::string_view request_host, std::string_view request_path) const;
};

class Router final : public RefCounted<Router> {
 public:
  Router(std::vector<Origin> origins, std::vector<Route> routes, SessionOptions session)
      : origins_(std::move(origins)), routes_(std::move(routes)), session_(session) {}

  // nullptr when nothing matches. `authority` may carry a port, `path` a query.
  const Route* find(std::string_view authority, std::string_view path) const;
  const Origin& origin_of(const Route& route) const { return origins_[route.origin]; }
  const std::vector<Origin>& origins() const { return origins_; }
  const SessionOptions& session() const { return session_; }

 private:
  std::vector<Origin> origins_;
  std::vector<Route> routes_;
  SessionOptions session_;
};

}  // namespace seawall::proxy
