// The tests of RFC 9111 section 3 in the order in which their reasons are worth telling. Pure.
#include "policy/cacheability.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "http/list_syntax.h"
#include "http/range.h"
#include "http/uri.h"
#include "policy/validation.h"
#include "policy/vary.h"

namespace seawall::policy {
namespace {

using http::Field;
using http::Method;

bool is_success(std::uint16_t status) {
  return status >= 200 && status < 300;
}

// Content-Location naming the target makes the response to an unsafe request a representation of it.
bool represents_target(const http::RequestHead& request, const http::ResponseHead& response) {
  const auto location = response.headers.find(Field::kContentLocation);
  if (!location) return false;
  http::AbsoluteUri target{request.scheme, request.authority, request.path};
  auto named = http::resolve_reference(target, *location);
  if (!named || !http::normalise_path(target.path) || !http::normalise_path(named->path)) return false;
  return named->scheme == target.scheme && named->authority == target.authority && named->path == target.path;
}

Why method_objection(const http::RequestHead& request, const http::ResponseHead& response, const Freshness& freshness) {
  if (request.method == Method::kGet) {
    const bool has_body = request.framing == http::BodyFraming::kChunked || request.content_length > 0;
    return has_body ? Why::kRequestBody : Why::kNone;
  }
  if (request.method != Method::kPost && request.method != Method::kPatch) return Why::kMethod;
  const bool may = response.status == 200 && freshness.is_explicit && represents_target(request, response);
  return may ? Why::kNone : Why::kMethod;
}

// RFC 9110 section 15.3.7. A part that cannot say what part it is, or whose size is another, is of no use.
bool is_sound_part(const http::RequestHead& request, const http::ResponseHead& response) {
  if (!request.headers.contains(Field::kRange) || response.headers.count(Field::kContentRange) != 1) return false;
  const auto content_range = http::parse_content_range(*response.headers.find(Field::kContentRange));
  if (!content_range || !content_range->range) return false;
  return response.framing != http::BodyFraming::kLength || response.content_length == content_range->range->size();
}

bool has_precondition(const http::HeaderMap& request) {
  return request.contains(Field::kIfNoneMatch) || request.contains(Field::kIfModifiedSince) ||
         request.contains(Field::kIfMatch) || request.contains(Field::kIfUnmodifiedSince);
}

Why status_objection(const http::RequestHead& request, const http::ResponseHead& response,
                     const ResponseDirectives& directives) {
  switch (response.status) {
    case 206: return is_sound_part(request, response) ? Why::kNone : Why::kResponseContradictory;
    case 304: return has_precondition(request.headers) ? Why::kResponseStatus : Why::kResponseContradictory;
    // They answer what this one request asked for on top: a precondition, a range, an expectation.
    case 412:
    case 416:
    case 417: return Why::kResponseStatus;
    default: break;
  }
  if (response.status < 200) return Why::kResponseStatus;
  const bool is_understood = !http::reason_phrase(response.status).empty();
  return directives.must_understand && !is_understood ? Why::kResponseStatus : Why::kNone;
}

bool is_listed(const std::vector<std::string>& names, std::string_view name) {
  return std::any_of(names.begin(), names.end(), [&](const std::string& n) { return http::iequals(n, name); });
}

bool sets_cookies(const http::HeaderMap& headers) {
  return headers.contains(Field::kSetCookie) || headers.contains(Field::kSetCookie2);
}

// Cookies that storable_fields() will take away do no harm in the store.
bool would_store_cookies(const http::HeaderMap& headers, const ResponseDirectives& d) {
  for (const auto line : headers) {
    if (line.field != Field::kSetCookie && line.field != Field::kSetCookie2) continue;
    if (!is_listed(d.no_cache_fields, line.name) && !is_listed(d.private_fields, line.name)) return true;
  }
  return false;
}

// RFC 9111 section 3.5.
bool may_share_authorized(const ResponseDirectives& d) {
  return d.is_public || d.must_revalidate || d.s_maxage.has_value();
}

// Whether the stored response would ever answer anything, if only after a validation.
bool is_worth_storing(const http::ResponseHead& response, const StoreDecision& d, WallTime now) {
  const auto& f = d.freshness;
  if (!f.is_explicit && !is_heuristically_cacheable(response.status, d.directives)) return false;
  if (can_validate(response.status, response.headers)) return true;
  if (f.no_cache) return false;
  const Seconds remaining = remaining_lifetime(f, now);
  if (remaining > Seconds{0}) return true;
  // Stale on arrival. "max-age=0" alone is how origins say "do not cache".
  const bool asked_for = f.lifetime > Seconds{0} || d.directives.stale_while_revalidate || d.directives.stale_if_error;
  return asked_for && is_success(response.status) &&
         remaining + std::max(f.stale_while_revalidate, f.stale_if_error) > Seconds{0};
}

Why objection(const http::RequestHead& request, const http::ResponseHead& response, const Rules& rules,
              const StoreDecision& d, WallTime now) {
  if (const Why why = method_objection(request, response, d.freshness); why != Why::kNone) return why;
  if (const Why why = status_objection(request, response, d.directives); why != Why::kNone) return why;
  // RFC 9111 section 5.2.2.3: must-understand of an understood status stands above no-store.
  if (d.directives.no_store && !d.directives.must_understand) return Why::kResponseNoStore;
  if (rules.honour_request_directives && parse_request_directives(request.headers).no_store) {
    return Why::kRequestNoStore;
  }
  if (d.directives.is_private) return Why::kResponsePrivate;
  if (request.headers.contains(Field::kAuthorization) && !may_share_authorized(d.directives)) {
    return Why::kResponseAuthorization;
  }
  if (parse_vary(response.headers).any) return Why::kResponseVaryStar;
  if (!d.freshness.is_explicit && would_store_cookies(response.headers, d.directives)) return Why::kResponseSetCookie;
  return is_worth_storing(response, d, now) ? Why::kNone : Why::kResponseNotFresh;
}

bool is_usable_at_once(const Freshness& f, WallTime now) {
  return !f.no_cache && remaining_lifetime(f, now) + f.stale_while_revalidate > Seconds{0};
}

bool is_hop_by_hop(Field field) {
  switch (field) {
    case Field::kConnection:
    case Field::kHttp2Settings:
    case Field::kKeepAlive:
    case Field::kProxyConnection:
    case Field::kTe:
    case Field::kTransferEncoding:
    case Field::kUpgrade: return true;
    default: return false;
  }
}

// RFC 9110 section 7.6.1: not to be named as connection options, since they are for everyone. Taking them away at a
// client's or origin's word would change framing, routing, or whom an answer is for.
bool is_protected(Field field) {
  switch (field) {
    case Field::kAge:
    case Field::kAuthorization:
    case Field::kCacheControl:
    case Field::kContentEncoding:
    case Field::kContentLength:
    case Field::kContentRange:
    case Field::kContentType:
    case Field::kCookie:
    case Field::kDate:
    case Field::kForwarded:
    case Field::kHost:
    case Field::kVary:
    case Field::kVia:
    case Field::kXForwardedFor:
    case Field::kXForwardedHost:
    case Field::kXForwardedProto: return true;
    default: return false;
  }
}

std::vector<std::string_view> connection_options(const http::HeaderMap& headers) {
  std::vector<std::string_view> names;
  for (const auto line : headers) {
    if (line.field != Field::kConnection) continue;
    for (http::ListCursor c(line.value); auto name = c.next();) names.push_back(*name);
  }
  return names;
}

template <typename Keep>
http::HeaderMap filtered(const http::HeaderMap& headers, Keep&& keep) {
  const auto options = connection_options(headers);
  const auto is_option = [&](const http::HeaderMap::View& line) {
    return !is_protected(line.field) && std::any_of(options.begin(), options.end(), [&](std::string_view option) {
      return http::iequals(option, line.name);
    });
  };
  http::HeaderMap out;
  for (const auto line : headers) {
    if (!is_hop_by_hop(line.field) && !is_option(line) && keep(line)) out.add(line.name, line.value);
  }
  return out;
}

}  // namespace

StoreDecision decide_storing(const http::RequestHead& request, const http::ResponseHead& response, const Rules& rules,
                             WallTime request_time, WallTime response_time) {
  StoreDecision d;
  d.directives = parse_response_directives(response.headers, rules.targeted_fields);
  d.freshness = compute_freshness(response, d.directives, rules, request_time, response_time);
  d.why = objection(request, response, rules, d, response_time);
  d.may_store = d.why == Why::kNone;
  // RFC 9111 section 4: a collapsed request may only be given what it could have been given from the store.
  d.may_share_with_waiters = d.may_store && response.status != 206 && !sets_cookies(response.headers) &&
                             is_usable_at_once(d.freshness, response_time);
  return d;
}

http::HeaderMap storable_fields(const http::ResponseHead& response, const ResponseDirectives& directives) {
  return filtered(response.headers, [&](const http::HeaderMap::View& line) {
    switch (line.field) {
      case Field::kProxyAuthenticate:
      case Field::kProxyAuthenticationInfo:
      case Field::kProxyAuthorization:
      case Field::kTrailer: return false;
      default:
        return !is_listed(directives.no_cache_fields, line.name) && !is_listed(directives.private_fields, line.name);
    }
  });
}

http::HeaderMap end_to_end_fields(const http::HeaderMap& headers) {
  return filtered(headers, [](const http::HeaderMap::View&) { return true; });
}

}  // namespace seawall::policy
