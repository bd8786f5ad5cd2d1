// Extensible priorities (RFC 9218): what the Priority field and PRIORITY_UPDATE frames say. Pure. Thread: any.
#pragma once

#include <cstdint>
#include <string_view>

namespace seawall::proxy {

struct H2Priority {
  std::uint8_t urgency = 3;  // 0 first, 7 last
  bool is_incremental = false;

  friend bool operator==(const H2Priority&, const H2Priority&) = default;
};

// Sets what `field` gives, and leaves the rest: RFC 9218 section 8 merges the origin's word with the client's so. What
// is malformed says nothing (section 5).
void merge_priority(std::string_view field, H2Priority& priority);

}  // namespace seawall::proxy
