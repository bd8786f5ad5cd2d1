// Cache-Control of requests and responses, and the targeted fields of RFC 9213.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "http/header_map.h"

namespace seawall::policy {

// RFC 9111 section 5.2.2, RFC 5861, RFC 8246. Names compare without case; arguments in token and quoted form are the
// same; of a repeated max-age, s-maxage and the like the least value counts (RFC 9111 section 4.2.1 leaves it to us:
// the most restrictive); an argument that is not delta-seconds makes max-age and s-maxage 0 (stale), and the stale-*
// extensions absent. Field lists that cannot be read make no-cache and private unqualified.
struct ResponseDirectives {
  bool no_store = false;
  bool no_cache = false;    // unqualified
  bool is_private = false;  // unqualified
  bool is_public = false;
  bool must_revalidate = false;
  bool proxy_revalidate = false;
  bool must_understand = false;
  bool no_transform = false;
  bool immutable = false;
  std::optional<Seconds> max_age;
  std::optional<Seconds> s_maxage;
  std::optional<Seconds> stale_while_revalidate;
  std::optional<Seconds> stale_if_error;
  std::vector<std::string> no_cache_fields;  // lower case
  std::vector<std::string> private_fields;   // lower case
  bool is_targeted = false;  // from a targeted field: Expires and Cache-Control are ignored (RFC 9213 section 2.2)
};

// The name by which Surrogate-Control addresses us; the request to the origin announces it in
// `Surrogate-Capability: seawall="Surrogate/1.0"`.
inline constexpr std::string_view kSurrogateName = "seawall";

// The first of `targeted_fields` that is present and valid wins over Cache-Control. They are dictionaries of structured
// fields (RFC 9213 section 2.1): a syntax error makes the field absent, a value of the wrong type the directive. But
// Surrogate-Control is read with the grammar of the Edge Architecture note: of `max-age=60+30;target` the second number
// is time to serve stale, a directive with a target that is not "seawall" is ignored, one with ours overrides one
// without; the field counts only if a directive for us is left that we know.
ResponseDirectives parse_response_directives(const http::HeaderMap& response,
                                             const std::vector<std::string>& targeted_fields);

// RFC 9111 section 5.2.1; Pragma: no-cache counts when there is no Cache-Control (section 5.4). Arguments that are not
// delta-seconds make the directive absent; of repeated ones the most restrictive counts.
struct RequestDirectives {
  bool no_cache = false;
  bool no_store = false;
  bool no_transform = false;
  bool only_if_cached = false;
  bool any_max_stale = false;  // max-stale without an argument
  std::optional<Seconds> max_age;
  std::optional<Seconds> min_fresh;
  std::optional<Seconds> max_stale;
  std::optional<Seconds> stale_if_error;
};
RequestDirectives parse_request_directives(const http::HeaderMap& request);

}  // namespace seawall::policy
