#include "proxy/h2_priority.h"

#include "policy/structured_field.h"

namespace seawall::proxy {

void merge_priority(std::string_view field, H2Priority& priority) {
  constexpr std::int64_t kLowestUrgency = 7;
  const auto members = policy::parse_sf_dictionary(field);
  if (!members) return;
  for (const policy::SfMember& member : *members) {
    using Kind = policy::SfMember::Kind;
    if (member.key == "u" && member.kind == Kind::kInteger && member.integer >= 0 && member.integer <= kLowestUrgency) {
      priority.urgency = static_cast<std::uint8_t>(member.integer);
    } else if (member.key == "i" && member.kind == Kind::kBoolean) {
      priority.is_incremental = member.boolean;
    }
  }
}

}  // namespace seawall::proxy
