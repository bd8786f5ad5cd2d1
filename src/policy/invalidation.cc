// What an unsafe request makes doubtful (RFC 9111 section 4.4). Pure.
#include "policy/invalidation.h"

#include <algorithm>
#include <utility>

#include "http/uri.h"
#include "policy/key.h"

namespace seawall::policy {
namespace {

using http::Field;

std::string key_of(const http::AbsoluteUri& uri) {
  std::string key;
  append_key(key, uri.scheme, uri.authority, uri.path);
  return key;
}

}  // namespace

std::vector<std::string> keys_to_invalidate(const http::RequestHead& request, const http::ResponseHead& response) {
  if (http::is_safe(request.method) || response.status < 200 || response.status >= 400) return {};
  http::AbsoluteUri target{request.scheme, request.authority, request.path};
  if (auto authority = http::normalise_authority(target.authority, target.scheme)) {
    target.authority = *std::move(authority);
  }
  http::normalise_path(target.path);

  std::vector<std::string> keys = {key_of(target)};
  for (const Field field : {Field::kLocation, Field::kContentLocation}) {
    const auto reference = response.headers.find(field);
    if (!reference) continue;
    auto uri = http::resolve_reference(target, *reference);
    // Other origins are not this one's to invalidate.
    if (!uri || uri->scheme != target.scheme || uri->authority != target.authority) continue;
    if (!http::normalise_path(uri->path)) continue;
    std::string key = key_of(*uri);
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(std::move(key));
  }
  return keys;
}

}  // namespace seawall::policy
