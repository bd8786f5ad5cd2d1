// Entity tags and their comparison (RFC 9110 section 8.8.3).
#pragma once

#include <optional>
#include <string_view>

namespace seawall::http {

struct EntityTag {
  std::string_view opaque;  // with its quotes
  bool weak = false;
};

// nullopt unless it is exactly [W/]"etagc*". obs-text is allowed.
std::optional<EntityTag> parse_etag(std::string_view text);

constexpr bool strong_match(const EntityTag& a, const EntityTag& b) {
  return !a.weak && !b.weak && a.opaque == b.opaque;
}
constexpr bool weak_match(const EntityTag& a, const EntityTag& b) {
  return a.opaque == b.opaque;
}

// The members of If-Match or If-None-Match as they stand, empty ones skipped. A comma inside an entity-tag does not
// separate.
class EtagCursor {
 public:
  explicit EtagCursor(std::string_view list) : rest_(list) {}
  std::optional<std::string_view> next();

 private:
  std::string_view rest_;
};

enum class Comparison { kStrong, kWeak };
// Whether the list of If-None-Match or If-Match holds `etag`. "*" is the caller's business: false here. A malformed
// member is skipped; an unquoted member or a stored etag that is not quoted is compared as it stands.
bool list_contains(std::string_view list, std::string_view etag, Comparison how);

}  // namespace seawall::http
