// Vary and variant selection (RFC 9111 section 4.1). Values are compared in normal form: Accept-Encoding and
// Accept-Language without regard to order, case, space and equivalent q-values; other fields with lines joined and
// white space around commas removed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "http/coding.h"
#include "http/header_map.h"

namespace seawall::policy {

struct VarySpec {
  bool any = false;                // "*", the client's address, or a member that is no field name: never matches
  std::vector<std::string> names;  // lower case, sorted, unique

  bool empty() const { return !any && names.empty(); }
  friend bool operator==(const VarySpec&, const VarySpec&) = default;
};

VarySpec parse_vary(const http::HeaderMap& response);

// Appends one normalised line for each name, absent fields distinguished from empty ones. Two requests select the same
// variant of `spec` exactly when these are equal. No allocation but in `out`.
void append_selecting_values(const VarySpec& spec, const http::HeaderMap& request, std::string& out);

// What Accept-Encoding of a request is: the client's own, or normalise_codings() of it (policy/encoding.h), which the
// origin is asked with too.
enum class Codings : std::uint8_t { kAsGiven, kNormalised };

// Whether each coding that the cache knows by its Content-Encoding is accepted; one that it does not know never is.
bool is_in_accepted_coding(const http::HeaderMap& response, http::AcceptedCodings accepted);

// Whether these differ in Accept-Encoding at most, and there not once both are normalised, and the stored response is
// in a coding that is accepted: `wanted` of a request whose codings are normalised, `stored` of one whose may have been
// anything, for the same names.
bool selects_by_codings(std::string_view wanted, std::string_view stored, const http::HeaderMap& stored_fields);

// Whether a stored representation in `content_language` is what the request's Accept-Language asks for before all else:
// its one most preferred range is that language. A store may use it on kVaryMiss among variants that differ in nothing
// but Accept-Language; RFC 9111 section 4.1 alone would ask the origin.
bool language_selects(const http::HeaderMap& request, std::string_view content_language);

}  // namespace seawall::policy
