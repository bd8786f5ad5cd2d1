// What the cache keeps of a response's head: the same for one that was fetched and for one that was pushed. Pure.
#pragma once

#include "base/clock.h"
#include "http/message.h"
#include "policy/cache_control.h"
#include "policy/freshness.h"
#include "policy/rules.h"

namespace seawall::fill {

// Adds Date, if there is none, and Via.
void complete_fields(http::HeaderMap& headers, WallTime response_time);
// What may be stored, without what depends on this message rather than on the representation: it is composed anew for
// each answer.
http::HeaderMap stored_fields(const http::ResponseHead& head, const policy::ResponseDirectives& directives);
// Rules::jitter_percent; `chance` is drawn from [0, 1).
void shorten_lifetime(policy::Freshness& freshness, const policy::Rules& rules, double chance);

}  // namespace seawall::fill
