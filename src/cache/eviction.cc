#include "cache/eviction.h"

#include <array>
#include <utility>

namespace seawall::cache {

std::span<const std::string_view> eviction_names() {
  static constexpr std::array<std::string_view, 6> kNames = {"tide", "lru", "s3-fifo", "sieve", "w-tinylfu", "gdsf"};
  return kNames;
}

std::unique_ptr<EvictionPolicy> make_policy(Eviction which, std::uint64_t capacity_bytes) {
  switch (which) {
    case Eviction::kTide: return make_tide(capacity_bytes);
    case Eviction::kLru: return make_lru();
    case Eviction::kS3Fifo: return make_s3_fifo(capacity_bytes);
    case Eviction::kSieve: return make_sieve();
    case Eviction::kWTinyLfu: return make_w_tinylfu(capacity_bytes);
    case Eviction::kGdsf: return make_gdsf();
  }
  std::unreachable();
}

}  // namespace seawall::cache
