#include "http/h2_response.h"

#include <algorithm>

#include "http/chars.h"
#include "http/message_rules.h"

namespace seawall::http {
namespace {

constexpr std::uint16_t kSwitchingProtocols = 101;
constexpr std::uint16_t kNoContent = 204;
constexpr std::uint16_t kNotModified = 304;

// RFC 9113 section 8.3.2.
std::optional<std::uint16_t> parse_status(std::string_view text) {
  if (text.size() != 3 || !std::ranges::all_of(text, is_digit) || text[0] == '0') return std::nullopt;
  return static_cast<std::uint16_t>((text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0'));
}

}  // namespace

void H2ResponseReader::begin(ResponseHead& out) {
  out.clear();
  out.version = Version::kHttp2;
  has_regular_ = false;
  list_bytes_ = 0;
  error_.reset();
}

void H2ResponseReader::add(std::string_view name, std::string_view value, ResponseHead& out) {
  list_bytes_ += name.size() + value.size() + kListEntryOverhead;
  if (error_) return;
  if (list_bytes_ > limits_.header_bytes) return fail(ErrorCode::kHeadersTooLarge);
  if (name.starts_with(':')) {
    // Once, before all others, and no other of its kind.
    const auto status = parse_status(value);
    if (name != ":status" || out.status != 0 || has_regular_ || !status) return fail(ErrorCode::kMalformedStartLine);
    out.status = *status;
    return;
  }
  has_regular_ = true;
  if (!is_h2_field_name(name) || !is_h2_field_value(value)) return fail(ErrorCode::kMalformedHeader);
  const Field field = field_from_name(name);
  switch (field) {
    // RFC 9113 section 8.2.2: the connection's business, which has no fields here.
    case Field::kConnection:
    case Field::kKeepAlive:
    case Field::kProxyConnection:
    case Field::kUpgrade:
    case Field::kTe: return fail(ErrorCode::kMalformedHeader);
    case Field::kTransferEncoding: return fail(ErrorCode::kBadTransferEncoding);
    case Field::kContentLength: {
      const auto length = parse_content_length(value);
      if (out.has_content_length || !length) return fail(ErrorCode::kBadContentLength);
      out.has_content_length = true;
      out.content_length = *length;
      break;
    }
    default: break;
  }
  if (out.headers.size() >= limits_.header_count) return fail(ErrorCode::kHeadersTooLarge);
  out.headers.add(field, name, value);
}

Result<void> H2ResponseReader::finish(bool ends_stream, Method request_method, ResponseHead& out) const {
  const auto read = [&]() -> std::optional<ErrorCode> {
    if (error_) return error_;
    if (out.status == 0) return ErrorCode::kMalformedStartLine;
    if (out.status == kSwitchingProtocols) return ErrorCode::kUnexpectedStatus;
    out.reason.assign(reason_phrase(out.status));
    return read_framing(ends_stream, request_method, out);
  };
  if (const auto error = read()) return std::unexpected(Error{*error, Side::kOrigin});
  return {};
}

std::optional<ErrorCode> H2ResponseReader::read_framing(bool ends_stream, Method request_method,
                                                        ResponseHead& out) const {
  const bool is_interim = out.status < 200;
  // RFC 9113 section 8.1: an interim response is not the last.
  if (is_interim && ends_stream) return ErrorCode::kIncompleteBody;
  if (is_interim || out.status == kNoContent) {
    out.has_content_length = false;
    out.content_length = 0;
    return std::nullopt;
  }
  if (request_method == Method::kHead || out.status == kNotModified) return std::nullopt;
  if (ends_stream) {
    // RFC 9113 section 8.1.1.
    return out.content_length == 0 ? std::nullopt : std::optional(ErrorCode::kIncompleteBody);
  }
  out.framing = out.has_content_length ? BodyFraming::kLength : BodyFraming::kUntilClose;
  return std::nullopt;
}

}  // namespace seawall::http
