// Cache-Control, targeted fields and Surrogate-Control in whatever form: directives stay in their bounds, and splitting
// a field into lines never makes a response more cacheable than the sum of its parts.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "http/header_map.h"
#include "policy/cache_control.h"
#include "policy/rules.h"

namespace {

using namespace seawall;
using namespace seawall::policy;

void require(bool condition) {
  if (!condition) std::abort();
}

void check_seconds(const std::optional<Seconds>& s) {
  require(!s || (s->count() >= 0 && s->count() <= (std::int64_t{1} << 31)));
}

void check(const ResponseDirectives& d) {
  for (const auto& s : {d.max_age, d.s_maxage, d.stale_while_revalidate, d.stale_if_error}) check_seconds(s);
  for (const auto* names : {&d.no_cache_fields, &d.private_fields}) {
    for (const auto& name : *names) require(!name.empty());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Rules rules;
  http::HeaderMap plain;
  plain.add("Cache-Control", text);
  const auto directives = parse_response_directives(plain, rules.targeted_fields);
  check(directives);
  require(!directives.is_targeted);

  // A restriction on a line of its own holds whatever the other line says.
  http::HeaderMap with_no_store = plain;
  with_no_store.add("Cache-Control", "no-store, max-age=0");
  const auto restricted = parse_response_directives(with_no_store, rules.targeted_fields);
  require(restricted.no_store && restricted.max_age == Seconds{0});

  for (const char* name : {"CDN-Cache-Control", "Surrogate-Control"}) {
    http::HeaderMap targeted;
    targeted.add("Cache-Control", "max-age=7, private");
    targeted.add(name, text);
    const auto d = parse_response_directives(targeted, rules.targeted_fields);
    check(d);
    require(d.is_targeted || (d.is_private && d.max_age == Seconds{7}));
  }

  const auto request = parse_request_directives(plain);
  for (const auto& s : {request.max_age, request.min_fresh, request.max_stale, request.stale_if_error})
    check_seconds(s);
  require(!(request.any_max_stale && request.max_stale));
  return 0;
}
