// The arithmetic of RFC 9111 section 4.2. Pure.
#include "policy/freshness.h"

#include <algorithm>
#include <array>

#include "http/date.h"
#include "http/list_syntax.h"

namespace seawall::policy {
namespace {

using http::Field;

// Bounds every term, so that no sum can overflow; and the age of a response that does not tell it.
constexpr Seconds kForever{std::int64_t{1} << 31};

constexpr std::array<std::uint16_t, 12> kHeuristicStatuses = {200, 203, 204, 206, 300, 301,
                                                              308, 404, 405, 410, 414, 501};

Seconds clamp(Seconds s) {
  return std::clamp(s, Seconds{0}, kForever);
}
Seconds elapsed(WallTime from, WallTime to) {
  return clamp(std::chrono::floor<Seconds>(to - from));
}

std::optional<WallTime> first_date(const http::HeaderMap& headers, Field field, WallTime now) {
  const auto text = headers.find(field);
  if (!text) return std::nullopt;
  return http::parse_date(*text, now);
}

Seconds age_value(const http::HeaderMap& headers) {
  const auto text = headers.find(Field::kAge);
  if (!text) return Seconds{0};
  if (headers.count(Field::kAge) > 1) return kForever;
  const auto age = http::parse_delta_seconds(http::trim_ows(text->substr(0, text->find(','))));
  return age ? clamp(Seconds{*age}) : kForever;
}

Seconds heuristic_lifetime(const http::ResponseHead& response, WallTime date, const Rules& rules, WallTime now) {
  const auto modified = first_date(response.headers, Field::kLastModified, now);
  if (!modified) return Seconds{0};
  return std::min(clamp(rules.heuristic_max), elapsed(*modified, date) * rules.heuristic_percent / 100);
}

// What a cache nearer to the origin says of its answer: how long it had been stale. Cache-Status with a negative ttl
// (RFC 9211 section 2.4), or the Warnings 110 and 112 of older caches.
std::optional<Seconds> staleness_upstream(const http::HeaderMap& headers) {
  std::optional<Seconds> staleness;
  if (const auto warnings = headers.combined("Warning")) {
    for (http::ListCursor list(*warnings); const auto warning = list.next();) {
      if (warning->starts_with("110 ") || warning->starts_with("112 ")) staleness = Seconds{0};
    }
  }
  const auto status = headers.combined("Cache-Status");
  if (!status) return staleness;
  for (http::ListCursor list(*status); auto member = list.next();) {
    for (std::size_t at = member->find(';'); at != std::string_view::npos; at = member->find(';')) {
      member->remove_prefix(at + 1);
      const http::Directive parameter = http::split_directive(http::trim_ows(member->substr(0, member->find(';'))));
      if (parameter.name != "ttl" || !parameter.value.starts_with('-')) continue;
      if (const auto seconds = http::parse_delta_seconds(parameter.value.substr(1))) staleness = Seconds{*seconds};
    }
  }
  return staleness;
}

}  // namespace

bool is_heuristically_cacheable(std::uint16_t status, const ResponseDirectives& directives) {
  return directives.is_public ||
         std::find(kHeuristicStatuses.begin(), kHeuristicStatuses.end(), status) != kHeuristicStatuses.end();
}

Freshness compute_freshness(const http::ResponseHead& response, const ResponseDirectives& directives,
                            const Rules& rules, WallTime request_time, WallTime response_time) {
  const auto& headers = response.headers;
  // RFC 9110 section 6.6.1: without a Date the response was made when it arrived.
  const WallTime date = first_date(headers, Field::kDate, response_time).value_or(response_time);

  Freshness f;
  f.response_time = response_time;
  f.no_cache = directives.no_cache;
  f.immutable = directives.immutable;
  // s-maxage incorporates proxy-revalidate (RFC 9111 section 5.2.2.10).
  f.must_revalidate = directives.must_revalidate || directives.proxy_revalidate || directives.s_maxage.has_value();

  const Seconds corrected_age = age_value(headers) + elapsed(request_time, response_time);
  f.corrected_initial_age = clamp(std::max(elapsed(date, response_time), corrected_age));

  if (directives.s_maxage || directives.max_age) {
    f.is_explicit = true;
    f.lifetime = clamp(directives.s_maxage ? *directives.s_maxage : *directives.max_age);
  } else if (!directives.is_targeted && headers.contains(Field::kExpires)) {
    f.is_explicit = true;
    const auto expires = first_date(headers, Field::kExpires, response_time);
    f.lifetime = expires ? elapsed(date, *expires) : Seconds{0};
  } else if (is_heuristically_cacheable(response.status, directives)) {
    f.lifetime = heuristic_lifetime(response, date, rules, response_time);
  }

  // A cache in front of the origin has served it stale and says so: it must not look fresh from here on.
  if (const auto staleness = staleness_upstream(headers)) {
    f.corrected_initial_age = std::max(f.corrected_initial_age, clamp(f.lifetime + *staleness));
  }

  if (!f.must_revalidate && !f.no_cache) {
    const bool is_failure = response.status >= 500;
    const auto window = [&](const std::optional<Seconds>& own, Seconds by_rule) {
      return std::clamp(own.value_or(is_failure ? Seconds{0} : by_rule), Seconds{0}, clamp(rules.stale_max));
    };
    f.stale_while_revalidate = window(directives.stale_while_revalidate, rules.stale_while_revalidate);
    f.stale_if_error = window(directives.stale_if_error, rules.stale_if_error);
  }
  return f;
}

Seconds current_age(const Freshness& f, WallTime now) {
  return f.corrected_initial_age + elapsed(f.response_time, now);
}

Seconds remaining_lifetime(const Freshness& f, WallTime now) {
  return f.lifetime - current_age(f, now);
}

}  // namespace seawall::policy
