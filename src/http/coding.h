// The content codings that the cache knows, and what a request says of them (RFC 9110 section 12.5.3). No allocation
// where nothing new is said.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "http/header_map.h"

namespace seawall::http {

enum class Coding : std::uint8_t { kGzip, kBrotli, kZstd };

// In the order of the enumerators.
inline constexpr std::array<std::string_view, 3> kCodings = {"gzip", "br", "zstd"};
constexpr std::string_view to_string(Coding coding) {
  return kCodings[static_cast<std::size_t>(coding)];
}
// By any of its names; nullopt for others, identity among them.
std::optional<Coding> coding_from_name(std::string_view name);

// Which of the codings a request accepts, and whether identity; not which it likes best.
class AcceptedCodings {
 public:
  constexpr AcceptedCodings() = default;

  constexpr void add(Coding coding) { bits_ = static_cast<std::uint8_t>(bits_ | 1U << static_cast<unsigned>(coding)); }
  constexpr void add_identity() { bits_ |= kIdentity; }
  constexpr bool has(Coding coding) const { return (bits_ >> static_cast<unsigned>(coding) & 1U) != 0; }
  constexpr bool has_identity() const { return (bits_ & kIdentity) != 0; }
  // An Accept-Encoding that says just that, the same for all that say it.
  std::string_view text() const;
  friend constexpr bool operator==(AcceptedCodings, AcceptedCodings) = default;

 private:
  static constexpr std::uint8_t kIdentity = 1U << kCodings.size();
  std::uint8_t bits_ = 0;
};

// What a request says of each coding. Members that cannot be read do not count, and of several for one coding the first
// does.
class CodingWeights {
 public:
  CodingWeights() = default;
  explicit CodingWeights(const HeaderMap& request);

  void note(std::string_view name, int quality);
  // Of those that are offered, the best first, the one with the greatest weight; nullopt: identity, which is also what
  // a request without Accept-Encoding gets, and one that accepts nothing that there is.
  std::optional<Coding> best_of(std::span<const Coding> offered) const;
  // Of a request without Accept-Encoding identity alone: it forbids nothing, but who can decode more says so.
  AcceptedCodings accepted() const;

 private:
  int of(Coding coding) const { return named_[static_cast<std::size_t>(coding)].value_or(others_.value_or(0)); }

  // In thousandths; not every one is named.
  std::array<std::optional<int>, kCodings.size()> named_;
  std::optional<int> identity_;
  std::optional<int> others_;  // "*"
};

// The weights of one request after another: most browsers say the same, and that is not parsed again. Thread: one.
class RecentCodingWeights {
 public:
  CodingWeights of(const HeaderMap& request);

 private:
  struct Said {
    std::string value;  // of at most kMaxBytes; at first as if it were empty
    CodingWeights weights;
  };
  static constexpr std::size_t kMaxBytes = 64;

  std::array<Said, 4> said_;
  std::size_t oldest_ = 0;
};

}  // namespace seawall::http
