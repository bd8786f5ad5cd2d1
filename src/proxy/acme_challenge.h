// Answers to ACME HTTP-01 challenges (RFC 8555 section 8.3), from files that an ACME client has put into a directory.
// Thread: any; reads one small file.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace seawall::proxy {

// Whether it is about a challenge at all: such a request is nothing for an origin.
bool is_acme_path(std::string_view path);

// The token of "/.well-known/acme-challenge/TOKEN"; nullopt: another path, or not a token (base64url, RFC 8555 section
// 8.1), so that it cannot name a file elsewhere.
std::optional<std::string_view> acme_token(std::string_view path);

// What the file of that name holds; nullopt: there is none, or it is no regular file of at most 16 KiB.
std::optional<std::string> read_acme_challenge(const std::string& directory, std::string_view token);

}  // namespace seawall::proxy
