#include "proxy/outgoing.h"

#include <string>

#include "http/list_syntax.h"
#include "policy/cacheability.h"
#include "policy/validation.h"

namespace seawall::proxy {
namespace {

using http::Field;

void append_forwarded(http::HeaderMap& headers, const http::RequestHead& request, std::string_view client_ip) {
  const bool is_ipv6 = client_ip.find(':') != std::string_view::npos;
  std::string node = is_ipv6 ? "\"[" + std::string(client_ip) + "]\"" : std::string(client_ip);
  std::string forwarded = headers.combined(Field::kForwarded).value_or("");
  if (!forwarded.empty()) forwarded += ", ";
  forwarded += "for=" + node + ";proto=" + request.scheme;
  if (!request.authority.empty()) forwarded += ";host=\"" + request.authority + "\"";
  headers.set(Field::kForwarded, forwarded);

  std::string chain = headers.combined(Field::kXForwardedFor).value_or("");
  if (!chain.empty()) chain += ", ";
  chain += client_ip;
  headers.set(Field::kXForwardedFor, chain);
  headers.set(Field::kXForwardedProto, request.scheme);
  if (request.authority.empty()) {
    headers.remove(Field::kXForwardedHost);
  } else {
    headers.set(Field::kXForwardedHost, request.authority);
  }
}

}  // namespace

http::OutgoingRequest make_outgoing(const http::RequestHead& request, const Origin& origin, std::string_view client_ip,
                                    Conditions conditions) {
  http::OutgoingRequest out;
  out.method = request.method;
  out.method_name = request.method_name;
  out.target = request.path;

  const http::HeaderMap kept = policy::end_to_end_fields(request.headers);
  const bool use_origin_host = origin.host_policy == HostPolicy::kOrigin || request.authority.empty();
  out.headers.add(Field::kHost,
                  use_origin_host ? std::string_view(origin.authority) : std::string_view(request.authority));
  for (const auto field : kept) {
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
  append_forwarded(out.headers, request, client_ip);
  out.headers.add(Field::kVia, std::string(http::to_string(request.version).substr(5)) + " seawall");
  out.headers.set(Field::kSurrogateCapability, "seawall=\"Surrogate/1.0\"");
  return out;
}

}  // namespace seawall::proxy
