// Range and Content-Range: resolved ranges lie within the length and apart from each other, cover what was asked for,
// and survive being written as Content-Range. The first eight bytes are the length.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/check.h"
#include "http/range.h"

namespace {

using namespace seawall::http;

void check_range(std::string_view in, std::uint64_t length) {
  const auto specs = parse_range(in);
  if (!specs) return;
  SW_CHECK(!specs->empty() && specs->size() <= 32, "bounded");
  const auto ranges = resolve(*specs, length);
  SW_CHECK(ranges.size() <= specs->size(), "no more ranges than asked for");
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    SW_CHECK(ranges[i].first <= ranges[i].last && ranges[i].last < length, "within the length");
    for (std::size_t j = 0; j < i; ++j) {
      const ByteRange& low = ranges[i].first < ranges[j].first ? ranges[i] : ranges[j];
      const ByteRange& high = ranges[i].first < ranges[j].first ? ranges[j] : ranges[i];
      SW_CHECK(low.last + 1 < high.first, "neither overlapping nor adjacent");
    }
    const auto written = parse_content_range(format_content_range(ranges[i], length));
    SW_CHECK(written && written->range == ranges[i] && written->complete_length == length, "Content-Range reads back");
  }
  for (const RangeSpec& spec : *specs) {
    if (!spec.first || *spec.first >= length) continue;
    SW_CHECK(std::any_of(ranges.begin(), ranges.end(),
                         [&](const ByteRange& r) { return r.first <= *spec.first && *spec.first <= r.last; }),
             "every satisfiable range is covered");
  }
}

void check_content_range(std::string_view in) {
  const auto c = parse_content_range(in);
  if (!c) return;
  SW_CHECK(c->range || c->complete_length, "it says something");
  const std::string text =
      c->range ? format_content_range(*c->range, c->complete_length) : format_unsatisfied_range(*c->complete_length);
  const auto again = parse_content_range(text);
  SW_CHECK(again && again->range == c->range && again->complete_length == c->complete_length, "reads back");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::uint64_t length = 0;
  if (size < sizeof length) return 0;
  std::memcpy(&length, data, sizeof length);
  const std::string_view in(reinterpret_cast<const char*>(data) + sizeof length, size - sizeof length);
  check_range(in, length);
  check_range(in, length % 1000);
  check_content_range(in);
  return 0;
}
