// Names of the field that the code compares against, as small integers: a comparison of header names on the hot
// path is a comparison of bytes. Names not listed here are Field::kOther and compared as text, without case.
#pragma once

#include <cstdint>
#include <string_view>

namespace seawall::http {

enum class Field : std::uint8_t {
  kOther,
  kAccept,
  kAcceptEncoding,
  kAcceptLanguage,
  kAcceptRanges,
  kAge,
  kAllow,
  kAuthorization,
  kCacheControl,
  kCacheStatus,
  kCdnCacheControl,
  kConnection,
  kContentEncoding,
  kContentLength,
  kContentLocation,
  kContentMd5,
  kContentRange,
  kContentType,
  kCookie,
  kDate,
  kEtag,
  kExpect,
  kExpires,
  kForwarded,
  kHost,
  kHttp2Settings,
  kIfMatch,
  kIfModifiedSince,
  kIfNoneMatch,
  kIfRange,
  kIfUnmodifiedSince,
  kKeepAlive,
  kLastModified,
  kLocation,
  kMaxForwards,
  kPragma,
  kProxyAuthenticate,
  kProxyAuthenticationInfo,
  kProxyAuthorization,
  kProxyConnection,
  kProxyStatus,
  kRange,
  kReferer,
  kRetryAfter,
  kServer,
  kSetCookie,
  kSetCookie2,
  kSurrogateCapability,
  kSurrogateControl,
  kTe,
  kTrailer,
  kTransferEncoding,
  kUpgrade,
  kUserAgent,
  kVary,
  kVia,
  kWarning,
  kXForwardedFor,
  kXForwardedHost,
  kXForwardedProto,
};

// Without regard to case; kOther when not listed.
Field field_from_name(std::string_view name);
// "Cache-Control"; empty for kOther.
std::string_view canonical_name(Field field);
// "cache-control", as HTTP/2 wants it; empty for kOther.
std::string_view lower_name(Field field);

enum class Method : std::uint8_t {
  kGet,
  kHead,
  kPost,
  kPut,
  kDelete,
  kConnect,
  kOptions,
  kTrace,
  kPatch,
  kPurge,
  kOther
};

// Methods are case-sensitive (RFC 9110 section 9.1): "get" is kOther.
Method method_from_name(std::string_view name);

// RFC 9110 section 9.2.1; unknown methods are unsafe.
constexpr bool is_safe(Method m) {
  return m == Method::kGet || m == Method::kHead || m == Method::kOptions || m == Method::kTrace;
}
// RFC 9110 section 9.2.2.
constexpr bool is_idempotent(Method m) {
  return is_safe(m) || m == Method::kPut || m == Method::kDelete;
}

}  // namespace seawall::http
