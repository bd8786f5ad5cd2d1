// The content codings that the cache makes itself, and which of them a request wants (RFC 9110 section 12.5.3).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "http/header_map.h"

namespace seawall::http {

enum class Coding : std::uint8_t { kGzip, kBrotli, kZstd };

// In the order of the enumerators.
inline constexpr std::array<std::string_view, 3> kCodings = {"gzip", "br", "zstd"};
constexpr std::string_view to_string(Coding coding) {
  return kCodings[static_cast<std::size_t>(coding)];
}

// Of those that are offered, the best first, the one with the greatest weight; nullopt: identity, which is also what a
// request without Accept-Encoding gets, and one that accepts nothing that there is. Members that cannot be read do not
// count, and of several for one coding the first does. No allocation.
std::optional<Coding> negotiate(const HeaderMap& request, std::span<const Coding> offered);

}  // namespace seawall::http
