#include "http/range.h"

#include <algorithm>
#include <limits>

#include "http/chars.h"
#include "http/h1_writer.h"
#include "http/header_map.h"
#include "http/list_syntax.h"

namespace seawall::http {
namespace {

constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();

// 1*DIGIT; more than 64 bits hold is as good as the most they hold, for a position.
std::optional<std::uint64_t> parse_position(std::string_view s) {
  if (s.empty() || !std::all_of(s.begin(), s.end(), is_digit)) return std::nullopt;
  return parse_uint(s).value_or(kMost);
}

std::optional<RangeSpec> parse_spec(std::string_view text) {
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const std::string_view first = text.substr(0, dash);
  const std::string_view last = text.substr(dash + 1);
  RangeSpec spec;
  if (!first.empty()) spec.first = parse_position(first);
  if (!last.empty()) spec.last = parse_position(last);
  if (spec.first.has_value() == first.empty() || spec.last.has_value() == last.empty()) return std::nullopt;
  if (!spec.first && !spec.last) return std::nullopt;
  if (spec.first && spec.last && *spec.last < *spec.first) return std::nullopt;
  return spec;
}

std::optional<ByteRange> resolve_one(const RangeSpec& spec, std::uint64_t length) {
  if (length == 0) return std::nullopt;
  if (!spec.first) {
    const std::uint64_t suffix = std::min(spec.last.value_or(0), length);
    if (suffix == 0) return std::nullopt;
    return ByteRange{length - suffix, length - 1};
  }
  if (*spec.first >= length) return std::nullopt;
  return ByteRange{*spec.first, std::min(spec.last.value_or(kMost), length - 1)};
}

// Within a length, so that last + 1 does not overflow.
bool touches(const ByteRange& a, const ByteRange& b) {
  return a.first <= b.last + 1 && b.first <= a.last + 1;
}

}  // namespace

std::optional<std::vector<RangeSpec>> parse_range(std::string_view value, std::size_t max_ranges) {
  constexpr std::string_view kUnit = "bytes=";
  if (!iequals(value.substr(0, kUnit.size()), kUnit)) return std::nullopt;
  std::vector<RangeSpec> specs;
  for (ListCursor list(value.substr(kUnit.size())); const auto element = list.next();) {
    const std::optional<RangeSpec> spec = parse_spec(*element);
    if (!spec || specs.size() == max_ranges) return std::nullopt;
    specs.push_back(*spec);
  }
  if (specs.empty()) return std::nullopt;
  return specs;
}

std::vector<ByteRange> resolve(const std::vector<RangeSpec>& specs, std::uint64_t length) {
  std::vector<ByteRange> out;
  for (const RangeSpec& spec : specs) {
    const std::optional<ByteRange> range = resolve_one(spec, length);
    if (!range) continue;
    // Joined with the first that it touches; what that one then touches further on joins too.
    auto home = std::find_if(out.begin(), out.end(), [&](const ByteRange& r) { return touches(r, *range); });
    if (home == out.end()) {
      out.push_back(*range);
      continue;
    }
    ByteRange merged = *range;
    const auto absorb = [&merged](const ByteRange& r) {
      merged = {std::min(merged.first, r.first), std::max(merged.last, r.last)};
    };
    absorb(*home);
    for (auto it = home + 1; it != out.end();) {
      if (touches(*it, merged)) {
        absorb(*it);
        it = out.erase(it);
      } else {
        ++it;
      }
    }
    *home = merged;
  }
  return out;
}

std::optional<ContentRange> parse_content_range(std::string_view value) {
  constexpr std::string_view kUnit = "bytes ";
  if (!iequals(value.substr(0, kUnit.size()), kUnit)) return std::nullopt;
  value.remove_prefix(kUnit.size());
  const std::size_t slash = value.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const std::string_view span = value.substr(0, slash);
  const std::string_view length = value.substr(slash + 1);

  ContentRange out;
  if (length != "*") {
    out.complete_length = parse_uint(length);
    if (!out.complete_length) return std::nullopt;
  }
  if (span == "*") return out.complete_length ? std::optional(out) : std::nullopt;
  const std::size_t dash = span.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const std::optional<std::uint64_t> first = parse_uint(span.substr(0, dash));
  const std::optional<std::uint64_t> last = parse_uint(span.substr(dash + 1));
  // A last position of 2^64-1 has no size that 64 bits hold.
  if (!first || !last || *last < *first || *last == kMost) return std::nullopt;
  if (out.complete_length && *last >= *out.complete_length) return std::nullopt;
  out.range = ByteRange{*first, *last};
  return out;
}

std::string format_content_range(ByteRange range, std::optional<std::uint64_t> complete_length) {
  std::string out = "bytes ";
  append_decimal(out, range.first);
  out += '-';
  append_decimal(out, range.last);
  out += '/';
  if (complete_length) {
    append_decimal(out, *complete_length);
  } else {
    out += '*';
  }
  return out;
}

std::string format_unsatisfied_range(std::uint64_t complete_length) {
  std::string out = "bytes */";
  append_decimal(out, complete_length);
  return out;
}

}  // namespace seawall::http
