#include "proxy/outgoing.h"

#include <string>

#include "http/list_syntax.h"
#include "policy/cacheability.h"
#include "policy/validation.h"

namespace seawall::proxy {

using http::Field;

namespace {

// What a trusted proxy that does not know the field has handed on of its client's.
bool names_another(std::string_view name, std::string_view value, const net::IpText& client) {
  return !client.empty() && http::iequals(name, "X-Real-IP") && value != client.view();
}

}  // namespace

http::OutgoingRequest make_outgoing(const http::RequestHead& request, const Origin& origin, const Hop& hop,
                                    Conditions conditions) {
  http::OutgoingRequest out;
  out.method = request.method;
  out.method_name = request.method_name;
  out.target = request.path;

  const bool keeps_forwarding = hop.trusted.contains(hop.peer_ip);
  const net::IpText told = find_forwarded(request.headers, hop.peer_ip, hop.trusted).ip;
  const http::HeaderMap kept = policy::end_to_end_fields(request.headers);
  const bool use_origin_host = origin.host_policy == HostPolicy::kOrigin || request.authority.empty();
  out.headers.add(Field::kHost,
                  use_origin_host ? std::string_view(origin.authority) : std::string_view(request.authority));
  for (const auto field : kept) {
    if (is_certificate_field(field.name)) continue;
    // With '_' it is no proxy's, but a client's that the proxy does not know, and CGI would add it to the proxy's.
    const bool is_proxys = keeps_forwarding && !field.name.contains('_');
    if (!is_proxys && is_forwarding_field(field.name)) continue;
    if (names_another(field.name, field.value, told)) continue;
    switch (field.field) {
      case Field::kHost:
      case Field::kContentLength:
      case Field::kTransferEncoding:
      case Field::kExpect:
      case Field::kUpgrade:
      case Field::kHttp2Settings: break;
      default: out.headers.add(field.name, field.value);
    }
  }
  if (conditions == Conditions::kRemove) {
    policy::remove_preconditions(out.headers);
    out.headers.remove(Field::kRange);
  }
  if (const auto forwards = out.headers.find(Field::kMaxForwards)) {
    if (const auto left = http::parse_uint(*forwards); left && *left > 0) {
      out.headers.set(Field::kMaxForwards, std::to_string(*left - 1));
    }
  }
  write_forwarded(out.headers, request, hop);
  write_client_certificate(out.headers, hop);
  out.headers.add(Field::kVia, std::string(http::to_string(request.version).substr(5)) + " seawall");
  out.headers.set(Field::kSurrogateCapability, "seawall=\"Surrogate/1.0\"");
  return out;
}

}  // namespace seawall::proxy
