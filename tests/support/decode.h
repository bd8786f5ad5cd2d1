// What an encoded body says, by the libraries that decode it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace seawall::test {

// `coding` as in Content-Encoding; nullopt when it is not one whole stream of that, or not of at most `most_bytes`.
std::optional<std::string> decode(std::string_view coding, std::string_view body, std::size_t most_bytes = 1 << 24);

}  // namespace seawall::test
