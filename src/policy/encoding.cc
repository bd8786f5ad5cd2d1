#include "policy/encoding.h"

#include <algorithm>
#include <array>

#include "http/etag.h"
#include "http/list_syntax.h"
#include "policy/cache_control.h"

namespace seawall::policy {
namespace {

using http::Field;
using http::HeaderMap;

// Between an entity-tag and the coding of a form.
constexpr char kFormMark = '~';

// Of the bytes that are encoded, and so not of the encoded form's.
constexpr std::array<std::string_view, 4> kDigests = {"Content-MD5", "Content-Digest", "Repr-Digest", "Digest"};

bool is_digest(std::string_view name) {
  return std::ranges::any_of(kDigests, [&](std::string_view digest) { return http::iequals(name, digest); });
}

bool is_encoded(const HeaderMap& headers) {
  for (const auto line : headers) {
    if (line.field != Field::kContentEncoding) continue;
    for (http::ListCursor list(line.value); const auto coding = list.next();) {
      if (!http::iequals(*coding, "identity")) return true;
    }
  }
  return false;
}

// Cache-Control is for everybody, whatever field else governs this cache.
bool forbids_transforming(const HeaderMap& headers, const std::vector<std::string>& targeted_fields) {
  return parse_response_directives(headers, {}).no_transform ||
         parse_response_directives(headers, targeted_fields).no_transform;
}

bool accepts(const HeaderMap& request, http::Coding coding) {
  return http::CodingWeights(request).accepted().has(coding);
}

// The members, and behind each that has a suffix for which `is_meant` the one without; nullopt when none has one.
template <typename Predicate>
std::optional<std::string> list_with_plain(std::string_view list, Predicate is_meant) {
  std::string out;
  bool has_changed = false;
  for (http::EtagCursor cursor(list); const auto member = cursor.next();) {
    if (!out.empty()) out += ", ";
    out += *member;
    const auto plain = plain_etag(*member);
    if (!plain || !is_meant(plain->coding)) continue;
    out += ", ";
    out += plain->etag;
    has_changed = true;
  }
  return has_changed ? std::optional(out) : std::nullopt;
}

}  // namespace

bool matches_type(std::string_view pattern, std::string_view content_type) {
  const std::string_view type = http::trim_ows(content_type.substr(0, content_type.find(';')));
  if (!pattern.ends_with("/*")) return http::iequals(type, pattern);
  const std::string_view prefix = pattern.substr(0, pattern.size() - 1);
  return type.size() > prefix.size() && http::iequals(type.substr(0, prefix.size()), prefix);
}

bool may_encode(std::uint16_t status, const HeaderMap& headers, std::optional<std::uint64_t> complete_length,
                const EncodeRules& rules, const std::vector<std::string>& targeted_fields) {
  if (status != 200 && status != 206) return false;
  if (complete_length && (*complete_length < rules.min_bytes || *complete_length > rules.max_bytes)) return false;
  const auto type = headers.find(Field::kContentType);
  const bool is_listed = type && headers.count(Field::kContentType) == 1 &&
                         std::ranges::any_of(rules.types, [&](std::string_view p) { return matches_type(p, *type); });
  return is_listed && !is_encoded(headers) && !forbids_transforming(headers, targeted_fields);
}

bool needs_vary(const HeaderMap& headers) {
  for (const auto line : headers) {
    if (line.field != Field::kVary) continue;
    for (http::ListCursor list(line.value); const auto name = list.next();) {
      if (*name == "*" || http::iequals(*name, "Accept-Encoding")) return false;
    }
  }
  return true;
}

void complete_vary(HeaderMap& response) {
  if (is_encoded(response) && needs_vary(response)) response.add(Field::kVary, "Accept-Encoding");
}

void normalise_codings(HeaderMap& request, http::AcceptedCodings accepted) {
  const std::string_view text = accepted.text();
  const bool is_normal = request.find(Field::kAcceptEncoding) == text && request.count(Field::kAcceptEncoding) == 1;
  if (!is_normal) request.set(Field::kAcceptEncoding, text);
}

HeaderMap encoded_fields(const HeaderMap& headers, http::Coding coding) {
  HeaderMap out;
  for (const auto line : headers) {
    if (line.field == Field::kContentEncoding || is_digest(line.name)) continue;
    if (line.field != Field::kEtag) {
      out.add(line.name, line.value);
    } else if (const std::string etag = encoded_etag(line.value, coding); !etag.empty()) {
      out.add(Field::kEtag, etag);
    }
  }
  out.add(Field::kContentEncoding, http::to_string(coding));
  return out;
}

std::string encoded_etag(std::string_view etag, http::Coding coding) {
  const auto tag = http::parse_etag(etag);
  if (!tag) return {};
  std::string out = "W/";
  out += tag->opaque.substr(0, tag->opaque.size() - 1);
  out += kFormMark;
  out += http::to_string(coding);
  out += '"';
  return out;
}

std::optional<PlainEtag> plain_etag(std::string_view etag) {
  const auto tag = http::parse_etag(etag);
  if (!tag) return std::nullopt;
  const std::string_view open = tag->opaque.substr(0, tag->opaque.size() - 1);
  for (const http::Coding coding : {http::Coding::kGzip, http::Coding::kBrotli, http::Coding::kZstd}) {
    const std::string_view name = http::to_string(coding);
    if (!open.ends_with(name)) continue;
    const std::string_view rest = open.substr(0, open.size() - name.size());
    if (!rest.ends_with(kFormMark)) continue;
    return PlainEtag{.etag = std::string(rest.substr(0, rest.size() - 1)) + '"', .coding = coding};
  }
  return std::nullopt;
}

void add_plain_etags(HeaderMap& request) {
  for (const Field field : {Field::kIfMatch, Field::kIfNoneMatch}) {
    const auto list = request.combined(field);
    if (!list) continue;
    const auto both = list_with_plain(
        *list, [&](http::Coding coding) { return field == Field::kIfMatch || accepts(request, coding); });
    if (both) request.set(field, *both);
  }
}

void name_client_etag(const HeaderMap& request, HeaderMap& fields) {
  const auto etag = fields.find(Field::kEtag);
  const auto wanted = etag ? http::parse_etag(*etag) : std::nullopt;
  if (!wanted) return;
  std::string known;
  for (const auto line : request) {
    if (line.field != Field::kIfNoneMatch) continue;
    for (http::EtagCursor cursor(line.value); const auto member = cursor.next();) {
      const auto given = http::parse_etag(*member);
      if (given && http::weak_match(*given, *wanted)) return;
      const auto plain = plain_etag(*member);
      const auto parsed = plain && accepts(request, plain->coding) ? http::parse_etag(plain->etag) : std::nullopt;
      if (parsed && http::weak_match(*parsed, *wanted)) known = encoded_etag(plain->etag, plain->coding);
    }
  }
  if (known.empty()) return;
  fields.set(Field::kEtag, known);
  for (const std::string_view digest : kDigests) fields.remove(digest);
}

}  // namespace seawall::policy
