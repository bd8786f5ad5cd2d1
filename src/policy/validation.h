// Conditional requests, both ways (RFC 9110 section 13, RFC 9111 section 4.3).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "http/message.h"

namespace seawall::policy {

bool has_validator(const http::HeaderMap& stored);
// Whether asking the origin with validators makes sense: only of a 2xx response (RFC 9110 section 13.2.1). Otherwise
// the Last-Modified of a stored 503 would earn a 304 from an origin that has recovered, and the 503 would live on.
bool can_validate(std::uint16_t stored_status, const http::HeaderMap& stored);
// The strong entity-tag, or nullopt (for If-Range and combining, RFC 9110 section 13.1.5).
std::optional<std::string_view> strong_etag(const http::HeaderMap& stored);

// Turns a request into one that validates `stored`: If-None-Match and If-Modified-Since as far as it has validators;
// the client's own are replaced.
void add_validators(const http::HeaderMap& stored, http::HeaderMap& request);
// Removes If-None-Match, If-Modified-Since, If-Match, If-Unmodified-Since and If-Range, the latter with its Range:
// without the condition it would be another request.
void remove_preconditions(http::HeaderMap& request);

enum class Precondition { kProceed, kNotModified, kFailed };
// RFC 9110 section 13.2.2 in its order, against the selected representation. If-Modified-Since compares with
// Last-Modified, else with Date (RFC 9111 section 4.3.2). Only GET and HEAD yield kNotModified. For a stored status
// other than 2xx everything proceeds (section 13.2.1).
Precondition evaluate_preconditions(const http::RequestHead& request, std::uint16_t stored_status,
                                    const http::HeaderMap& stored, WallTime now);
// RFC 9110 section 13.1.5: strong comparison, or the exact date of a Last-Modified that is strong by section 8.8.2.2;
// true when there is no If-Range.
bool if_range_holds(const http::HeaderMap& request, const http::HeaderMap& stored, WallTime now);

// Whether this 304 speaks of the stored response (RFC 9111 section 4.3.4): entity tags equal, else Last-Modified equal,
// else neither has a validator.
bool updates_stored(const http::HeaderMap& not_modified, const http::HeaderMap& stored);
// The stored fields with those of the 304 put in their place (section 3.2), each name with all its lines. What
// describes the body that is kept stays: Content-Encoding, Content-Length, Content-MD5, Content-Range and ETag.
// Hop-by-hop fields of the 304 and those its Connection names are left out. The stored Age and Date go: they tell of
// the older exchange, and a 304 without a Date counts as made when it arrived (RFC 9110 section 6.6.1).
http::HeaderMap merge_updated(const http::HeaderMap& stored, const http::HeaderMap& update);

// RFC 9111 section 4.3.5: whether the 200 to a HEAD agrees with the stored GET (validators and Content-Length); if not,
// the stored response is stale.
bool head_agrees(const http::ResponseHead& head, const http::HeaderMap& stored);

}  // namespace seawall::policy
