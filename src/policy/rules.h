// What an operator may set per route. Immutable once published with a configuration snapshot.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"

namespace seawall::policy {

struct Rules {
  // RFC 9213: fields that override Cache-Control here, in order of precedence.
  std::vector<std::string> targeted_fields = {"Seawall-Cache-Control", "CDN-Cache-Control", "Surrogate-Control"};
  // RFC 9111 section 4.2.2: share of the time since Last-Modified, and its bound.
  int heuristic_percent = 10;
  Seconds heuristic_max{24 * 3600};
  // RFC 5861, where the response does not say, and the bound on both. 0: only where the response says so.
  Seconds stale_while_revalidate{0};
  Seconds stale_if_error{24 * 3600};
  Seconds stale_max{7 * 24 * 3600};
  // Hot objects are refreshed in the background before they expire (probabilistic early expiration, XFetch).
  bool refreshes_ahead = true;
  // A response's freshness lifetime is shortened by up to so much, at random, so that what was stored together does not
  // expire together.
  int jitter_percent = 0;
  // Fields of responses that name the tags to purge by.
  std::vector<std::string> tag_fields = {"Cache-Tag", "Surrogate-Key", "xkey"};
  // Whether clients may make the cache ask the origin: no-cache, no-store, max-age, min-fresh and Pragma of requests.
  bool honour_request_directives = true;
};

}  // namespace seawall::policy
