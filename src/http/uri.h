// URIs as HTTP uses them (RFC 3986, RFC 9110 section 4.2), and their normal forms.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace seawall::http {

struct AbsoluteUri {
  std::string scheme;     // lower case
  std::string authority;  // normalised, see normalise_authority
  std::string path;       // path and query, "/" at least; no fragment
};
// http and https only; nullopt for userinfo, bad hosts, bad ports, control bytes, and other schemes.
std::optional<AbsoluteUri> parse_absolute_uri(std::string_view text);

// host[:port] of a Host field or authority: lower case, no trailing dot, the scheme's default port removed. nullopt
// unless it is a reg-name, IPv4 address or [IPv6] with a port of 1..65535 (RFC 9110 section 7.2: anything else is 400).
// Empty is nullopt. Stricter than RFC 3986 where no DNS name is lost: unreserved bytes only in a reg-name (no
// %-escapes, no sub-delims), no empty labels, no empty port, no leading zeros. An IPv6 address comes out in the form of
// RFC 5952.
std::optional<std::string> normalise_authority(std::string_view text, std::string_view scheme);
// The same appended to `out`, for the parser: no allocation once `out` has grown. False: `out` as it was.
bool append_authority(std::string& out, std::string_view text, std::string_view scheme);

// The host of a normalised authority, IPv6 in its brackets.
std::string_view host_of(std::string_view authority);

// RFC 3986 section 6.2.2 without harm, in place: %-encoded unreserved bytes decoded, hex digits upper case, dot
// segments removed from the path; in the query only the case of %-escapes changes. The result is both the key's path
// and what is sent to the origin. Costs one scan and no allocation when there is nothing to do. False, and unchanged,
// when a % is not followed by two hex digits.
bool normalise_path(std::string& path_and_query);

// Reference resolution for Location and Content-Location (RFC 3986 section 5.2) against an effective request URI.
std::optional<AbsoluteUri> resolve_reference(const AbsoluteUri& base, std::string_view reference);

}  // namespace seawall::http
