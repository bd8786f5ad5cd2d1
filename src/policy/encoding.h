// Forms of a stored response in a content coding of our own making: of which responses there may be any, and how their
// fields differ (RFC 9110 sections 8.4, 8.8.3, 12.5.5). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/coding.h"
#include "http/header_map.h"

namespace seawall::policy {

struct EncodeRules {
  // Lower case: "type/subtype" or "type/*".
  std::vector<std::string> types = {"text/*",
                                    "application/javascript",
                                    "application/json",
                                    "application/ld+json",
                                    "application/manifest+json",
                                    "application/rss+xml",
                                    "application/atom+xml",
                                    "application/vnd.api+json",
                                    "application/wasm",
                                    "application/xhtml+xml",
                                    "application/xml",
                                    "font/otf",
                                    "font/ttf",
                                    "image/svg+xml",
                                    "image/x-icon"};
  std::uint64_t min_bytes = 1024;
  std::uint64_t max_bytes = std::uint64_t{4} << 20;
};

// "text/html" matches "text/*"; parameters and case do not count.
bool matches_type(std::string_view pattern, std::string_view content_type);

// Whether the whole representation may be encoded: by status (that of a part too), type and size, where that is known,
// and not when it is encoded already or must not be transformed.
bool may_encode(std::uint16_t status, const http::HeaderMap& headers, std::optional<std::uint64_t> complete_length,
                const EncodeRules& rules, const std::vector<std::string>& targeted_fields);
// Whether Vary is silent on Accept-Encoding: it is to be named where an encoded form may be selected.
bool needs_vary(const http::HeaderMap& headers);

// Of a response to a request whose codings are normalised: names Accept-Encoding in Vary where the origin has encoded
// and does not say so, as nginx without gzip_vary, for else a client that accepts no coding would get it too.
void complete_vary(http::HeaderMap& response);

// Accept-Encoding as it says what is accepted, and nothing else: so that requests that differ in how they like it best
// select one variant, and the origin is asked for that.
void normalise_codings(http::HeaderMap& request, http::AcceptedCodings accepted);

// Those of the encoded form: Content-Encoding added, the entity-tag its own, digests of other bytes gone.
http::HeaderMap encoded_fields(const http::HeaderMap& headers, http::Coding coding);

// "abc" -> W/"abc~gzip"; empty when it is no entity-tag. Weak, for another level, library or server makes other bytes
// of the same (RFC 9110 section 8.8.1). Origins have tags that end in "-gzip" or "-br" of their own.
std::string encoded_etag(std::string_view etag, http::Coding coding);
// The same backwards, for any of the codings, W/ or not; nullopt where there is no such suffix.
struct PlainEtag {
  std::string etag;  // strong: a weak one is not told from it by its form's, nor does it pass for one where that counts
  http::Coding coding;
};
std::optional<PlainEtag> plain_etag(std::string_view etag);
// To each entity-tag in If-Match and If-None-Match that may be of a form, adds that without the suffix, as the origin
// knows it; its own may end like ours. Not in If-Range: nobody must add a part of the plain bytes to one of a form. Nor
// in If-None-Match for a coding that the request does not accept: whoever asks is to learn that this is not what it
// gets.
void add_plain_etags(http::HeaderMap& request);
// Where the request's If-None-Match knows the ETag of these fields in a form that it accepts and not as it stands:
// gives the fields of a 304 for that form.
void name_client_etag(const http::HeaderMap& request, http::HeaderMap& fields);

}  // namespace seawall::policy
