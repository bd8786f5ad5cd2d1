// The tags of a response, by which it can be purged. Pure.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "http/header_map.h"

namespace seawall::policy {

inline constexpr std::size_t kMaxTags = 64;
inline constexpr std::size_t kMaxTagBytes = 128;

// The tags in every line of `fields`, in order, each once; case counts. Cache-Tag separates them by commas, all other
// fields by commas or white space. Left out: what holds anything but visible ASCII, what is longer than kMaxTagBytes,
// and what comes after kMaxTags.
std::vector<std::string> parse_tags(const http::HeaderMap& response, std::span<const std::string> fields);

}  // namespace seawall::policy
