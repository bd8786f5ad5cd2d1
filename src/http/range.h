// Range requests (RFC 9110 section 14): bytes only. Any other unit or malformed set is as if there were no Range.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace seawall::http {

// Inclusive, as on the wire.
struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;

  std::uint64_t size() const { return last - first + 1; }
  friend bool operator==(const ByteRange&, const ByteRange&) = default;
};

// One element of a Range field before the length is known: first-last, first-, or -suffix.
struct RangeSpec {
  std::optional<std::uint64_t> first;
  std::optional<std::uint64_t> last;  // without first: the suffix length
};

// nullopt: not a bytes range set, malformed, or more than `max_ranges` (ignore the field).
std::optional<std::vector<RangeSpec>> parse_range(std::string_view value, std::size_t max_ranges = 32);

// The satisfiable ranges within `length`, overlapping and adjacent ones coalesced in order when there are several;
// empty: 416 (RFC 9110 section 14.2, and section 17.15 against many small ranges).
std::vector<ByteRange> resolve(const std::vector<RangeSpec>& specs, std::uint64_t length);

struct ContentRange {
  std::optional<ByteRange> range;                // nullopt: "*/length"
  std::optional<std::uint64_t> complete_length;  // nullopt: "first-last/*"
};
// nullopt when malformed or contradictory (last < first, last >= complete length).
std::optional<ContentRange> parse_content_range(std::string_view value);
std::string format_content_range(ByteRange range, std::optional<std::uint64_t> complete_length);
std::string format_unsatisfied_range(std::uint64_t complete_length);

}  // namespace seawall::http
