#include "fill/stored_fields.h"

#include <cstdint>
#include <string_view>

#include "http/date.h"
#include "policy/cacheability.h"

namespace seawall::fill {
namespace {

using http::Field;

constexpr std::string_view kVia = "1.1 seawall";

}  // namespace

void complete_fields(http::HeaderMap& headers, WallTime response_time) {
  if (!headers.contains(Field::kDate)) headers.add(Field::kDate, http::format_date(response_time));
  headers.add(Field::kVia, kVia);
}

http::HeaderMap stored_fields(const http::ResponseHead& head, const policy::ResponseDirectives& directives) {
  http::HeaderMap fields = policy::storable_fields(head, directives);
  fields.remove(Field::kAge);
  fields.remove(Field::kContentLength);
  if (head.status == 206) fields.remove(Field::kContentRange);
  return fields;
}

void shorten_lifetime(policy::Freshness& freshness, const policy::Rules& rules, double chance) {
  const double share = rules.jitter_percent * chance / 100;
  freshness.lifetime -= Seconds{static_cast<std::int64_t>(static_cast<double>(freshness.lifetime.count()) * share)};
}

}  // namespace seawall::fill
