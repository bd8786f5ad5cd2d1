#include "proxy/router.h"

#include "http/uri.h"

namespace seawall::proxy {
Router::Router(std::vector<Origin> origins, std::vector<Route> routes, SessionOptions session, EdgeOptions edge)
    : origins_(std::move(origins)), routes_(std::move(routes)), session_(session), edge_(std::move(edge)) {
  if (edge_.hsts.count() > 0) {
    hsts_line_ = "Strict-Transport-Security: max-age=" + std::to_string(edge_.hsts.count()) + "\r\n";
  }
}

bool Route::matches(std::string_view request_host, std::string_view request_path) const {
  if (host.starts_with("*.")) {
    // "*.example.com" covers a.example.com and a.b.example.com, not example.com.
    const std::string_view suffix = std::string_view(host).substr(1);
    if (request_host.size() <= suffix.size() || !request_host.ends_with(suffix)) return false;
  } else if (host != "*" && host != request_host) {
    return false;
  }
  if (path.ends_with('*')) return request_path.starts_with(std::string_view(path).substr(0, path.size() - 1));
  return path == request_path;
}

const Route* Router::find(std::string_view authority, std::string_view path) const {
  const std::string_view host = http::host_of(authority);
  const std::string_view plain = path.substr(0, path.find('?'));
  for (const Route& route : routes_) {
    if (route.matches(host, plain)) return &route;
  }
  return nullptr;
}

}  // namespace seawall::proxy
