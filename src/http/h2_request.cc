#include "http/h2_request.h"

#include <utility>

#include "http/chars.h"
#include "http/message_rules.h"
#include "http/uri.h"

namespace seawall::http {

void H2RequestReader::begin(RequestHead& out) {
  out.clear();
  out.version = Version::kHttp2;
  seen_ = 0;
  list_bytes_ = 0;
  error_.reset();
  authority_.clear();
  protocol_.clear();
  cookie_.clear();
}

void H2RequestReader::release() {
  authority_ = {};
  protocol_ = {};
  cookie_ = {};
}

void H2RequestReader::add(std::string_view name, std::string_view value, RequestHead& out) {
  list_bytes_ += name.size() + value.size() + kListEntryOverhead;
  if (error_) return;
  if (name.starts_with(':')) {
    add_pseudo(name, value, out);
    return;
  }
  if (list_bytes_ > limits_.header_bytes) return fail(ErrorCode::kHeadersTooLarge);
  seen_ |= kRegular;
  if (!is_h2_field_name(name) || !is_h2_field_value(value)) return fail(ErrorCode::kMalformedHeader);
  keep(field_from_name(name), name, value, out);
}

// RFC 9113 section 8.3.1: each once, none after a regular field, and no others.
void H2RequestReader::add_pseudo(std::string_view name, std::string_view value, RequestHead& out) {
  Seen which;
  std::string* into;
  if (name == ":method") {
    which = kMethod;
    into = &out.method_name;
  } else if (name == ":path") {
    which = kPath;
    into = &out.path;
    if (value.size() > limits_.target_bytes) return fail(ErrorCode::kTargetTooLong);
  } else if (name == ":scheme") {
    which = kScheme;
    into = &out.scheme;
  } else if (name == ":authority") {
    which = kAuthority;
    into = &authority_;
  } else if (name == ":protocol") {
    which = kProtocol;
    into = &protocol_;
  } else {
    return fail(ErrorCode::kBadHttp2);
  }
  if ((seen_ & (static_cast<unsigned>(which) | kRegular)) != 0) return fail(ErrorCode::kBadHttp2);
  if (list_bytes_ > limits_.header_bytes) return fail(ErrorCode::kHeadersTooLarge);
  seen_ |= which;
  into->assign(value);
}

void H2RequestReader::keep(Field field, std::string_view name, std::string_view value, RequestHead& out) {
  switch (field) {
    // RFC 9113 section 8.2.2: the connection's business, which has no fields here.
    case Field::kConnection:
    case Field::kKeepAlive:
    case Field::kProxyConnection:
    case Field::kUpgrade: return fail(ErrorCode::kBadHttp2);
    case Field::kTransferEncoding: return fail(ErrorCode::kBadTransferEncoding);
    case Field::kTe:
      if (!iequals(value, "trailers")) return fail(ErrorCode::kBadHttp2);
      break;
    case Field::kHost:
      if ((seen_ & kHost) != 0) return fail(ErrorCode::kBadHost);
      seen_ |= kHost;
      break;
    case Field::kContentLength: {
      const std::optional<std::uint64_t> length = parse_content_length(value);
      if ((seen_ & kContentLength) != 0 || !length) return fail(ErrorCode::kBadContentLength);
      seen_ |= kContentLength;
      out.content_length = *length;
      break;
    }
    case Field::kExpect: out.expect_continue = out.expect_continue || iequals(value, "100-continue"); break;
    case Field::kCookie:
      // An empty crumb would leave white space at an end.
      if (value.empty()) return;
      if (!cookie_.empty()) cookie_ += "; ";
      cookie_ += value;
      return;
    default: break;
  }
  if (out.headers.size() >= limits_.header_count) return fail(ErrorCode::kHeadersTooLarge);
  out.headers.add(field, name, value);
}

Result<void> H2RequestReader::finish(bool ends_stream, std::string_view scheme, RequestHead& out) {
  const auto read = [&]() -> std::optional<ErrorCode> {
    if (error_) return error_;
    if ((seen_ & kMethod) == 0) return ErrorCode::kBadHttp2;
    if (out.method_name.size() > kLongestMethod || !is_token(out.method_name)) return ErrorCode::kMalformedStartLine;
    out.method = method_from_name(out.method_name);
    const bool is_plain_connect = out.method == Method::kConnect && !is_extended_connect();
    if (is_plain_connect) {
      // RFC 9113 section 8.5.
      if ((seen_ & (kScheme | kPath)) != 0 || (seen_ & kAuthority) == 0) return ErrorCode::kBadHttp2;
      out.target_form = TargetForm::kAuthority;
      out.scheme.assign(scheme);
      out.path.assign("/");
    } else {
      // As with an absolute target, it is another's to say whether this connection may speak for that scheme.
      if ((seen_ & kScheme) == 0 || (out.scheme != "https" && out.scheme != "http")) return ErrorCode::kBadHttp2;
      if (const auto error = read_target(out)) return error;
    }
    if (const auto error = read_authority(out)) return error;
    if (const auto error = read_framing(ends_stream, out)) return error;
    if (is_extended_connect()) return read_connect(out);
    return std::nullopt;
  };
  if (const auto error = read()) return std::unexpected(Error{*error, Side::kClient});
  if (!cookie_.empty()) out.headers.add(Field::kCookie, "cookie", cookie_);
  return {};
}

std::optional<ErrorCode> H2RequestReader::read_target(RequestHead& out) const {
  if ((seen_ & kPath) == 0 || !is_target_text(out.path)) return ErrorCode::kMalformedTarget;
  if (out.path == "*" && out.method == Method::kOptions) {
    out.target_form = TargetForm::kAsterisk;
    return std::nullopt;
  }
  return out.path.front() == '/' ? std::nullopt : std::optional(ErrorCode::kMalformedTarget);
}

// RFC 9113 section 8.3.1: Host may stand in for :authority, and must not contradict it.
std::optional<ErrorCode> H2RequestReader::read_authority(RequestHead& out) const {
  const auto host = (seen_ & kHost) != 0 ? out.headers.find(Field::kHost) : std::nullopt;
  if ((seen_ & kAuthority) == 0 && !host) return ErrorCode::kBadHost;
  const std::string_view text = (seen_ & kAuthority) != 0 ? std::string_view(authority_) : *host;
  // CONNECT has no scheme and so no default port.
  const bool is_plain_connect = out.target_form == TargetForm::kAuthority;
  const std::string_view scheme = is_plain_connect ? std::string_view() : std::string_view(out.scheme);
  if (!append_authority(out.authority, text, scheme)) return ErrorCode::kBadHost;
  if (host && (seen_ & kAuthority) != 0 && normalise_authority(*host, scheme) != out.authority) {
    return ErrorCode::kBadHost;
  }
  if (!host) {
    out.headers.add(Field::kHost, "host", out.authority);
  } else if ((seen_ & kAuthority) != 0) {
    out.headers.set(Field::kHost, out.authority);
  }
  return std::nullopt;
}

// The length of the body is what DATA frames say; a Content-Length that says something else is an attack (RFC 9113
// section 8.1.1). Here only what is known before the first of them.
std::optional<ErrorCode> H2RequestReader::read_framing(bool ends_stream, RequestHead& out) const {
  const bool has_length = (seen_ & kContentLength) != 0;
  if (ends_stream) {
    if (out.content_length != 0) return ErrorCode::kBadContentLength;
    out.framing = has_length ? BodyFraming::kLength : BodyFraming::kNone;
  } else if (out.method == Method::kConnect) {
    if (has_length) return ErrorCode::kBadContentLength;
  } else {
    out.framing = has_length ? BodyFraming::kLength : BodyFraming::kChunked;
  }
  return std::nullopt;
}

std::optional<ErrorCode> H2RequestReader::read_connect(RequestHead& out) const {
  if (out.method != Method::kConnect) return ErrorCode::kBadHttp2;
  if (protocol_ != "websocket") return is_token(protocol_) ? ErrorCode::kUnsupportedProtocol : ErrorCode::kBadHttp2;
  out.method = Method::kGet;
  out.method_name.assign("GET");
  out.wants_upgrade = true;
  out.headers.add(Field::kUpgrade, "upgrade", protocol_);
  return std::nullopt;
}

void H2TrailerReader::add(std::string_view name, std::string_view value) {
  bytes_ += name.size() + value.size() + kListEntryOverhead;
  ++fields_;
  if (bytes_ > kMostTrailerBytes || fields_ > kMostTrailerFields || !is_h2_field_name(name) ||
      !is_h2_field_value(value)) {
    is_malformed_ = true;
  }
  if (!is_malformed_ && may_trail(name)) trailers_.add(name, value);
}

HeaderMap H2TrailerReader::take() {
  bytes_ = 0;
  fields_ = 0;
  is_malformed_ = false;
  return std::exchange(trailers_, {});
}

}  // namespace seawall::http
