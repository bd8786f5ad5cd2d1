// The heads of requests and responses after parsing, and what frames their bodies.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "http/header_map.h"
#include "http/token.h"

namespace seawall::http {

enum class Version : std::uint8_t { kHttp10, kHttp11, kHttp2 };

// RFC 9112 section 6.3, after refusal of everything ambiguous.
enum class BodyFraming : std::uint8_t { kNone, kLength, kChunked, kUntilClose };

// RFC 9112 section 3.2.
enum class TargetForm : std::uint8_t { kOrigin, kAbsolute, kAuthority, kAsterisk };

struct RequestHead {
  Method method = Method::kGet;
  std::string method_name;  // as received
  TargetForm target_form = TargetForm::kOrigin;
  std::string scheme;     // "http" or "https", lower case
  std::string authority;  // host[:port], lower case, default port and trailing dot removed; of the target if absolute,
                          // else of Host
  std::string path;       // path and query as received, "/" at least; "*" for OPTIONS *
  Version version = Version::kHttp11;
  HeaderMap headers;  // Host included as received, unless absolute-form: then it is the target's authority
  BodyFraming framing = BodyFraming::kNone;
  std::uint64_t content_length = 0;  // with kLength
  bool keep_alive = true;            // RFC 9112 section 9.3
  bool expect_continue = false;
  bool wants_upgrade = false;  // Upgrade named by Connection, HTTP/1.1, and not h2c

  void clear();
};

struct ResponseHead {
  std::uint16_t status = 0;
  std::string reason;
  Version version = Version::kHttp11;
  HeaderMap headers;
  BodyFraming framing = BodyFraming::kNone;
  std::uint64_t content_length =
      0;  // with kLength; with kNone and HEAD or 304, what the field said, if has_content_length
  bool has_content_length = false;
  bool keep_alive = true;

  void clear();
};

std::string_view to_string(Version version);  // "HTTP/1.1"

// "Not Found"; empty for codes without a registered phrase.
std::string_view reason_phrase(std::uint16_t status);

}  // namespace seawall::http
