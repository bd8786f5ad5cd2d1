// Thread: any.
#include "policy/key.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/rng.h"

namespace seawall::policy {

void append_key(std::string& out, std::string_view scheme, std::string_view authority, std::string_view path) {
  out.append(scheme).append("://").append(authority).append(path);
}

std::uint64_t hash_key(std::string_view key) {
  static const std::uint64_t seed = Rng::system_seed();
  return XXH3_64bits_withSeed(key.data(), key.size(), seed);
}

}  // namespace seawall::policy
