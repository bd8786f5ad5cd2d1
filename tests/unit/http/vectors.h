// Messages that the parser tests and the comparison with Boost.Beast share, each with the verdict seawall must give.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace seawall::http {

struct Vector {
  std::string name;
  std::string bytes;
  std::optional<ErrorCode> error{};  // nullopt: accepted
};

// Heads, some with a body or the next message after them.
const std::vector<Vector>& request_vectors();
const std::vector<Vector>& response_vectors();
// Chunked bodies.
const std::vector<Vector>& chunked_vectors();

// A std::string of a literal that may hold NUL.
template <std::size_t N>
std::string bytes(const char (&literal)[N]) {
  return {literal, N - 1};
}

}  // namespace seawall::http
