// Combining the ranges of one representation (RFC 9110 section 15.3.7.3). Pure.
#pragma once

#include <optional>
#include <vector>

#include "cache/object.h"
#include "http/range.h"

namespace seawall::fill {

// `parts` stay sorted, disjoint and not adjacent; where the new one overlaps, what is there stays.
void merge_part(std::vector<cache::Part>& parts, const cache::Part& added);
// The least run that contains everything of `wanted` that is not held; nullopt when all of it is.
std::optional<http::ByteRange> missing_run(const std::vector<cache::Part>& parts, http::ByteRange wanted);

}  // namespace seawall::fill
