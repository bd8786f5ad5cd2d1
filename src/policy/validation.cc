// Preconditions, If-Range, and what a 304 or the answer to a HEAD does to a stored response. Pure.
#include "policy/validation.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "http/date.h"
#include "http/etag.h"
#include "http/list_syntax.h"
#include "policy/cacheability.h"

namespace seawall::policy {
namespace {

using http::Field;
using http::HeaderMap;

constexpr std::array kPreconditions = {Field::kIfNoneMatch, Field::kIfModifiedSince, Field::kIfMatch,
                                       Field::kIfUnmodifiedSince, Field::kIfRange};

// What describes the stored body, not the response (RFC 9111 section 3.2).
constexpr std::array kOfTheBody = {Field::kContentEncoding, Field::kContentLength, Field::kContentMd5,
                                   Field::kContentRange, Field::kEtag};

template <typename Fields>
bool is_among(const Fields& fields, Field field) {
  return std::find(fields.begin(), fields.end(), field) != fields.end();
}

std::string_view value_or_empty(const HeaderMap& headers, Field field) {
  return headers.find(field).value_or("");
}

// A date of a field that comes exactly once.
std::optional<WallTime> only_date(const HeaderMap& headers, Field field, WallTime now) {
  if (headers.count(field) != 1) return std::nullopt;
  return http::parse_date(*headers.find(field), now);
}

// RFC 9110 section 13.1.1: the list of If-Match or If-None-Match, over all its lines.
bool matches(const HeaderMap& request, Field field, std::string_view stored_etag, http::Comparison how) {
  for (const auto line : request) {
    if (line.field != field) continue;
    if (http::trim_ows(line.value) == "*") return true;
    if (!stored_etag.empty() && http::list_contains(line.value, stored_etag, how)) return true;
  }
  return false;
}

bool same_tag_weakly(std::string_view a, std::string_view b) {
  const auto tag_a = http::parse_etag(a);
  const auto tag_b = http::parse_etag(b);
  return tag_a && tag_b ? http::weak_match(*tag_a, *tag_b) : a == b;
}

// RFC 9110 section 8.8.2.2: a date is strong when the origin had a later second to change its mind in.
bool has_strong_date(const HeaderMap& stored, WallTime modified, WallTime now) {
  const auto date = only_date(stored, Field::kDate, now);
  return date && modified + Seconds{1} <= *date;
}

}  // namespace

bool has_validator(const HeaderMap& stored) {
  return !value_or_empty(stored, Field::kEtag).empty() || !value_or_empty(stored, Field::kLastModified).empty();
}

bool can_validate(std::uint16_t stored_status, const HeaderMap& stored) {
  return stored_status >= 200 && stored_status < 300 && has_validator(stored);
}

std::optional<std::string_view> strong_etag(const HeaderMap& stored) {
  const auto text = stored.find(Field::kEtag);
  if (!text) return std::nullopt;
  const auto tag = http::parse_etag(*text);
  if (!tag || tag->weak) return std::nullopt;
  return tag->opaque;
}

void add_validators(const HeaderMap& stored, HeaderMap& request) {
  remove_preconditions(request);
  if (const auto etag = value_or_empty(stored, Field::kEtag); !etag.empty()) request.set(Field::kIfNoneMatch, etag);
  if (const auto modified = value_or_empty(stored, Field::kLastModified); !modified.empty()) {
    request.set(Field::kIfModifiedSince, modified);
  }
}

void remove_preconditions(HeaderMap& request) {
  if (request.contains(Field::kIfRange)) request.remove(Field::kRange);
  for (const Field field : kPreconditions) request.remove(field);
}

Precondition evaluate_preconditions(const http::RequestHead& request, std::uint16_t stored_status,
                                    const HeaderMap& stored, WallTime now) {
  if (stored_status < 200 || stored_status >= 300) return Precondition::kProceed;
  const HeaderMap& h = request.headers;
  const bool has_conditions = h.contains(Field::kIfNoneMatch) || h.contains(Field::kIfModifiedSince) ||
                              h.contains(Field::kIfMatch) || h.contains(Field::kIfUnmodifiedSince);
  if (!has_conditions) return Precondition::kProceed;
  const std::string_view etag = value_or_empty(stored, Field::kEtag);
  const auto modified = http::parse_date(value_or_empty(stored, Field::kLastModified), now);
  const bool is_read = request.method == http::Method::kGet || request.method == http::Method::kHead;

  if (h.contains(Field::kIfMatch)) {
    if (!matches(h, Field::kIfMatch, etag, http::Comparison::kStrong)) return Precondition::kFailed;
  } else if (const auto since = only_date(h, Field::kIfUnmodifiedSince, now)) {
    if (modified && *modified > *since) return Precondition::kFailed;
  }

  if (h.contains(Field::kIfNoneMatch)) {
    if (!matches(h, Field::kIfNoneMatch, etag, http::Comparison::kWeak)) return Precondition::kProceed;
    return is_read ? Precondition::kNotModified : Precondition::kFailed;
  }
  if (const auto since = only_date(h, Field::kIfModifiedSince, now); since && is_read) {
    const auto last_change = modified ? modified : only_date(stored, Field::kDate, now);
    if (last_change && *last_change <= *since) return Precondition::kNotModified;
  }
  return Precondition::kProceed;
}

bool if_range_holds(const HeaderMap& request, const HeaderMap& stored, WallTime now) {
  if (!request.contains(Field::kIfRange)) return true;
  if (request.count(Field::kIfRange) != 1) return false;
  const std::string_view condition = *request.find(Field::kIfRange);
  if (const auto tag = http::parse_etag(condition)) {
    const auto stored_tag = http::parse_etag(value_or_empty(stored, Field::kEtag));
    return stored_tag && http::strong_match(*tag, *stored_tag);
  }
  const auto date = http::parse_date(condition, now);
  const auto modified = only_date(stored, Field::kLastModified, now);
  return date && modified && *date == *modified && has_strong_date(stored, *modified, now);
}

bool updates_stored(const HeaderMap& not_modified, const HeaderMap& stored) {
  const std::string_view new_etag = value_or_empty(not_modified, Field::kEtag);
  const std::string_view old_etag = value_or_empty(stored, Field::kEtag);
  if (!new_etag.empty()) {
    const auto tag = http::parse_etag(new_etag);
    if (tag && !tag->weak) return strong_etag(stored) == tag->opaque;
    return !old_etag.empty() && same_tag_weakly(new_etag, old_etag);
  }
  const std::string_view new_date = value_or_empty(not_modified, Field::kLastModified);
  if (!new_date.empty()) return new_date == value_or_empty(stored, Field::kLastModified);
  return !has_validator(stored);
}

HeaderMap merge_updated(const HeaderMap& stored, const HeaderMap& update) {
  http::ResponseHead head;
  head.headers = update;
  const HeaderMap news = storable_fields(head, {});
  const auto is_kept = [&](const HeaderMap::View& line) {
    if (is_among(kOfTheBody, line.field)) return true;
    if (line.field == Field::kAge || line.field == Field::kDate) return false;
    return line.field == Field::kOther ? !news.contains(line.name) : !news.contains(line.field);
  };
  HeaderMap out;
  for (const auto line : stored) {
    if (is_kept(line)) out.add(line.name, line.value);
  }
  for (const auto line : news) {
    if (!is_among(kOfTheBody, line.field)) out.add(line.name, line.value);
  }
  return out;
}

bool head_agrees(const http::ResponseHead& head, const HeaderMap& stored) {
  if (head.status != 200) return false;
  for (const Field field : {Field::kEtag, Field::kLastModified}) {
    const auto value = head.headers.find(field);
    if (value && value != stored.find(field)) return false;
  }
  const auto stored_length = stored.find(Field::kContentLength);
  if (!head.has_content_length || !stored_length) return true;
  return http::parse_uint(*stored_length) == head.content_length;
}

}  // namespace seawall::policy
