// Heads. A head that is whole in the buffer, as nearly all are, is read in one pass straight into the result. For one
// that comes in pieces a scan goes on where it stopped, checks each line as it ends, and once the head is complete or
// at fault runs that same pass: so the outcome does not depend on how the bytes were cut.
#include "http/h1_parser.h"

#include <algorithm>
#include <optional>

#include "http/chars.h"
#include "http/field_line.h"
#include "http/list_syntax.h"
#include "http/message_rules.h"
#include "http/uri.h"

namespace seawall::http {
namespace {

constexpr std::string_view kVersionPrefix = "HTTP/";

// How reading a head went; `code` is set when status is kMalformed.
struct Outcome {
  LineStatus status = LineStatus::kOk;
  ErrorCode code = ErrorCode::kMalformedStartLine;
};
constexpr Outcome kIncomplete{.status = LineStatus::kMore};
constexpr Outcome kComplete{.status = LineStatus::kOk};
constexpr Outcome bad(ErrorCode code) {
  return {.status = LineStatus::kMalformed, .code = code};
}
constexpr Outcome outcome_of(LineStatus status, ErrorCode code) {
  return {.status = status, .code = code};
}

struct RequestLine {
  std::string_view method;
  std::string_view target;
  Version version = Version::kHttp11;
};

struct StatusLine {
  std::uint16_t status = 0;
  std::string_view reason;
  Version version = Version::kHttp11;
};

// "HTTP/1.1" at `p`. What does not begin so is refused at its first byte.
LineStatus read_version(const char*& p, const char* end, unsigned& major, unsigned& minor) {
  const char* at = p;
  for (const char want : kVersionPrefix) {
    if (at == end) return LineStatus::kMore;
    if (*at++ != want) return LineStatus::kMalformed;
  }
  for (unsigned* number : {&major, &minor}) {
    if (at == end) return LineStatus::kMore;
    if (!is_digit(*at)) return LineStatus::kMalformed;
    *number = static_cast<unsigned>(*at++ - '0');
    if (number == &minor) break;
    if (at == end) return LineStatus::kMore;
    if (*at++ != '.') return LineStatus::kMalformed;
  }
  p = at;
  return LineStatus::kOk;
}

std::optional<Version> supported_version(unsigned major, unsigned minor) {
  if (major != 1 || minor > 1) return std::nullopt;
  return minor == 1 ? Version::kHttp11 : Version::kHttp10;
}

// RFC 9112 section 3, with single spaces and nothing around it.
Outcome read_request_line(const char*& p, const char* end, const HeadLimits& limits, RequestLine& out) {
  const char* at = p;
  while (at != end && is_class(*at, kTokenChar)) ++at;
  const auto method_size = static_cast<std::size_t>(at - p);
  // A connection that speaks another protocol is refused here at the latest.
  if (method_size > kLongestMethod) return bad(ErrorCode::kMalformedStartLine);
  if (at == end) return kIncomplete;
  if (*at != ' ' || method_size == 0) return bad(ErrorCode::kMalformedStartLine);
  out.method = {p, method_size};

  const char* target = ++at;
  while (at != end && is_class(*at, kTargetChar)) ++at;
  const auto target_size = static_cast<std::size_t>(at - target);
  if (target_size > limits.target_bytes) return bad(ErrorCode::kTargetTooLong);
  if (at == end) return kIncomplete;
  if (*at == '\r' || *at == '\n' || target_size == 0) return bad(ErrorCode::kMalformedStartLine);
  if (*at != ' ') return bad(ErrorCode::kMalformedTarget);
  out.target = {target, target_size};

  ++at;
  unsigned major = 0;
  unsigned minor = 0;
  LineStatus status = read_version(at, end, major, minor);
  if (status == LineStatus::kOk) status = read_crlf(at, end);
  if (status != LineStatus::kOk) return outcome_of(status, ErrorCode::kMalformedStartLine);
  const std::optional<Version> version = supported_version(major, minor);
  if (!version) return bad(ErrorCode::kUnsupportedVersion);
  out.version = *version;
  p = at;
  return kComplete;
}

// RFC 9112 section 4: HTTP/1.x SP 3DIGIT SP [reason]; the last space may be missing when there is no reason.
Outcome read_status_line(const char*& p, const char* end, StatusLine& out) {
  const char* at = p;
  unsigned major = 0;
  unsigned minor = 0;
  const LineStatus version_status = read_version(at, end, major, minor);
  if (version_status != LineStatus::kOk) return outcome_of(version_status, ErrorCode::kMalformedStartLine);
  if (at == end) return kIncomplete;
  if (*at++ != ' ') return bad(ErrorCode::kMalformedStartLine);
  unsigned code = 0;
  for (int i = 0; i < 3; ++i, ++at) {
    if (at == end) return kIncomplete;
    if (!is_digit(*at)) return bad(ErrorCode::kMalformedStartLine);
    code = code * 10 + static_cast<unsigned>(*at - '0');
    if (code == 0) return bad(ErrorCode::kMalformedStartLine);
  }
  if (at == end) return kIncomplete;
  const char* reason = at;
  if (*at == ' ') at = find_control(++reason, end);
  const char* reason_end = at;
  const LineStatus status = read_crlf(at, end);
  if (status != LineStatus::kOk) return outcome_of(status, ErrorCode::kMalformedStartLine);
  const std::optional<Version> version = supported_version(major, minor);
  if (!version) return bad(ErrorCode::kUnsupportedVersion);
  out.status = static_cast<std::uint16_t>(code);
  out.reason = {reason, static_cast<std::size_t>(reason_end - reason)};
  out.version = *version;
  p = at;
  return kComplete;
}

// The lines up to the empty one, which is consumed.
Outcome read_fields(const char*& p, const char* end, const HeadLimits& limits, HeaderMap& out) {
  const char* at = p;
  while (at == end || *at != '\r') {
    FieldLine line;
    const LineStatus status = read_field_line(at, end, line);
    if (status != LineStatus::kOk) return outcome_of(status, ErrorCode::kMalformedHeader);
    if (out.size() == limits.header_count || line.name.size() > 0xffff) return bad(ErrorCode::kHeadersTooLarge);
    out.add_line(line.field, line.text, line.name.size(), line.value.size());
  }
  const LineStatus status = read_crlf(at, end);
  if (status != LineStatus::kOk) return outcome_of(status, ErrorCode::kMalformedHeader);
  p = at;
  return kComplete;
}

// What a head's fields say about framing and the connection.
struct Summary {
  std::string_view host;
  std::string_view content_length;
  std::string_view transfer_encoding;
  std::size_t hosts = 0;
  std::size_t content_lengths = 0;
  std::size_t transfer_encodings = 0;
  bool has_close = false;
  bool has_keep_alive = false;
  bool connection_lists_upgrade = false;
  bool has_upgrade = false;
  bool upgrades_to_h2 = false;
  bool expects_continue = false;
  bool has_bad_connection = false;
};

void note_connection(std::string_view value, Summary& s) {
  for (ListCursor list(value); const auto option = list.next();) {
    // What one hop takes for a name to drop, another might not.
    s.has_bad_connection = s.has_bad_connection || !is_token(*option);
    s.has_close = s.has_close || iequals(*option, "close");
    s.has_keep_alive = s.has_keep_alive || iequals(*option, "keep-alive");
    s.connection_lists_upgrade = s.connection_lists_upgrade || iequals(*option, "upgrade");
  }
}

void note_upgrade(std::string_view value, Summary& s) {
  for (ListCursor list(value); const auto protocol = list.next();) {
    s.has_upgrade = true;
    s.upgrades_to_h2 = s.upgrades_to_h2 || iequals(*protocol, "h2c") || iequals(*protocol, "h2");
  }
}

Summary summarise(const HeaderMap& headers) {
  Summary s;
  for (const HeaderMap::View field : headers) {
    switch (field.field) {
      case Field::kHost:
        s.host = field.value;
        ++s.hosts;
        break;
      case Field::kContentLength:
        s.content_length = field.value;
        ++s.content_lengths;
        break;
      case Field::kTransferEncoding:
        s.transfer_encoding = field.value;
        ++s.transfer_encodings;
        break;
      case Field::kConnection: note_connection(field.value, s); break;
      case Field::kUpgrade: note_upgrade(field.value, s); break;
      case Field::kExpect: s.expects_continue = s.expects_continue || iequals(field.value, "100-continue"); break;
      default: break;
    }
  }
  return s;
}

// RFC 9112 section 6.1. Only `chunked` is understood; a coding that could be one is told from a broken field.
std::optional<ErrorCode> refuse_transfer_coding(std::string_view value) {
  if (iequals(value, "chunked")) return std::nullopt;
  while (true) {
    const std::size_t comma = value.find(',');
    const std::string_view coding = trim_ows(value.substr(0, comma));
    const bool is_last = comma == std::string_view::npos;
    const bool is_chunked = iequals(coding, "chunked");
    if (!is_token(coding) || iequals(coding, "identity")) return ErrorCode::kBadTransferEncoding;
    if (is_chunked && !is_last) return ErrorCode::kBadTransferEncoding;
    if (is_last) return ErrorCode::kUnsupportedTransferCoding;
    value.remove_prefix(comma + 1);
  }
}

// RFC 9112 section 6.3, where seawall refuses what that section lets a recipient repair.
template <typename Head>
std::optional<ErrorCode> read_framing(const Summary& s, Head& head) {
  if (s.has_bad_connection) return ErrorCode::kMalformedHeader;
  if (s.transfer_encodings != 0) {
    if (s.transfer_encodings > 1 || s.content_lengths != 0 || head.version == Version::kHttp10) {
      return ErrorCode::kBadTransferEncoding;
    }
    if (const auto refused = refuse_transfer_coding(s.transfer_encoding)) return refused;
    head.framing = BodyFraming::kChunked;
  }
  if (s.content_lengths != 0) {
    const std::optional<std::uint64_t> length = parse_content_length(s.content_length);
    if (s.content_lengths > 1 || !length) return ErrorCode::kBadContentLength;
    head.framing = BodyFraming::kLength;
    head.content_length = *length;
  }
  return std::nullopt;
}

// RFC 9112 section 9.3.
bool is_persistent(const Summary& s, Version version) {
  return !s.has_close && (version == Version::kHttp11 || s.has_keep_alive);
}

// OPTIONS for an absolute-form that ends with its authority asks for the server as a whole (RFC 9112 section 3.2.4).
bool has_empty_path(std::string_view absolute) {
  return absolute.find_first_of("/?", absolute.find("://") + 3) == std::string_view::npos;
}

// RFC 9112 section 3.2. Sets form, path, and for all forms but origin and asterisk the authority.
std::optional<ErrorCode> read_target(std::string_view target, std::string_view default_scheme, RequestHead& head) {
  if (head.method == Method::kConnect) {
    head.target_form = TargetForm::kAuthority;
    head.scheme.assign(default_scheme);
    head.path.assign("/");
    // No scheme, no default port: one must be there.
    if (!append_authority(head.authority, target, {})) return ErrorCode::kMalformedTarget;
    const bool has_port = head.authority.find(':', head.authority.rfind(']') + 1) != std::string::npos;
    if (!has_port) return ErrorCode::kMalformedTarget;
    return std::nullopt;
  }
  if (target.front() == '/') {
    head.target_form = TargetForm::kOrigin;
    head.scheme.assign(default_scheme);
    head.path.assign(target);
    return std::nullopt;
  }
  if (target == "*" && head.method == Method::kOptions) {
    head.target_form = TargetForm::kAsterisk;
    head.scheme.assign(default_scheme);
    head.path.assign(target);
    return std::nullopt;
  }
  std::optional<AbsoluteUri> uri = parse_absolute_uri(target);
  if (!uri) return ErrorCode::kMalformedTarget;
  const bool asks_server = head.method == Method::kOptions && has_empty_path(target);
  head.target_form = asks_server ? TargetForm::kAsterisk : TargetForm::kAbsolute;
  head.scheme = std::move(uri->scheme);
  head.authority = std::move(uri->authority);
  head.path = asks_server ? "*" : std::move(uri->path);
  return std::nullopt;
}

// RFC 9112 section 3.2: a Host that is malformed is refused even when the target has the last word.
std::optional<ErrorCode> read_host(const Summary& s, RequestHead& head) {
  if (s.hosts > 1 || (s.hosts == 0 && head.version == Version::kHttp11)) return ErrorCode::kBadHost;
  if (head.authority.empty()) {
    if (s.hosts == 1 && !append_authority(head.authority, s.host, head.scheme)) return ErrorCode::kBadHost;
    return std::nullopt;
  }
  if (s.hosts == 1 && !normalise_authority(s.host, head.scheme)) return ErrorCode::kBadHost;
  head.headers.set(Field::kHost, head.authority);
  return std::nullopt;
}

std::optional<ErrorCode> interpret(const RequestLine& line, std::string_view default_scheme, RequestHead& head) {
  head.method = method_from_name(line.method);
  head.method_name.assign(line.method);
  head.version = line.version;
  if (const auto error = read_target(line.target, default_scheme, head)) return error;
  const Summary s = summarise(head.headers);
  if (const auto error = read_framing(s, head)) return error;
  head.keep_alive = is_persistent(s, head.version);
  const bool is_11 = head.version == Version::kHttp11;
  head.expect_continue = is_11 && s.expects_continue;
  head.wants_upgrade = is_11 && s.connection_lists_upgrade && s.has_upgrade && !s.upgrades_to_h2;
  return read_host(s, head);
}

std::optional<ErrorCode> interpret(const StatusLine& line, Method request_method, ResponseHead& head) {
  head.status = line.status;
  head.reason.assign(line.reason);
  head.version = line.version;
  const Summary s = summarise(head.headers);
  if (const auto error = read_framing(s, head)) return error;
  head.keep_alive = is_persistent(s, head.version);

  const bool has_framing_fields = head.framing != BodyFraming::kNone;
  const bool is_empty_by_status = head.status < 200 || head.status == 204;
  const bool is_tunnel = request_method == Method::kConnect && head.status / 100 == 2;
  head.has_content_length = head.framing == BodyFraming::kLength && !is_empty_by_status && !is_tunnel;
  if (!head.has_content_length) head.content_length = 0;
  if (is_empty_by_status || is_tunnel || request_method == Method::kHead || head.status == 304) {
    head.framing = BodyFraming::kNone;
    // These must not carry framing fields: a sender that does may send a body as well.
    if (head.status == 204 && has_framing_fields) head.keep_alive = false;
  } else if (!has_framing_fields) {
    head.framing = BodyFraming::kUntilClose;
    head.keep_alive = false;
  }
  return std::nullopt;
}

enum class LeadingCrlf : std::uint8_t { kSkipOne, kRefuse };
enum class ScanResult : std::uint8_t { kMore, kParse };

// Where a scan stands; the members of a parser.
struct Progress {
  std::size_t& scanned;
  std::size_t& line_start;
  std::size_t& lines;

  void reset() { scanned = line_start = lines = 0; }
};

template <typename ReadStartLine>
LineStatus read_line(std::string_view line, std::size_t lines_before, ReadStartLine read_start_line) {
  const char* p = line.data();
  if (lines_before == 0) return read_start_line(p, p + line.size());
  FieldLine field;
  return read_field_line(p, p + line.size(), field);
}

// Goes on at progress.scanned. kParse: the head is complete or wrong, and parsing it says which.
template <typename ReadStartLine>
ScanResult scan(std::string_view in, const HeadLimits& limits, LeadingCrlf leading, Progress progress,
                ReadStartLine read_start_line) {
  const char* const begin = in.data();
  const char* const end = begin + in.size();
  std::size_t at = progress.scanned;
  while (true) {
    const char* line_end = find_control(begin + at, end);
    at = static_cast<std::size_t>(line_end - begin);
    const char* next = line_end;
    const LineStatus status = read_crlf(next, end);
    if (status == LineStatus::kMalformed) return ScanResult::kParse;
    if (status == LineStatus::kMore) break;

    const std::string_view line = in.substr(progress.line_start, at + 2 - progress.line_start);
    at += 2;
    if (line.size() == 2) {
      if (progress.lines != 0 || leading == LeadingCrlf::kRefuse || progress.line_start != 0) return ScanResult::kParse;
      progress.line_start = at;
      continue;
    }
    if (read_line(line, progress.lines, read_start_line) != LineStatus::kOk) return ScanResult::kParse;
    if (progress.lines > limits.header_count) return ScanResult::kParse;
    ++progress.lines;
    progress.line_start = at;
  }
  progress.scanned = at;
  // Another protocol or a folded line shows in the first bytes of a line. A bounded look keeps the whole linear.
  constexpr std::size_t kLook = 256;
  const std::string_view begun = in.substr(progress.line_start, kLook);
  if (!begun.starts_with('\r') && read_line(begun, progress.lines, read_start_line) == LineStatus::kMalformed) {
    return ScanResult::kParse;
  }
  // Nothing but the CRLF that may come before a request: as if nothing had come.
  if (progress.lines == 0 && progress.line_start == in.size()) progress.reset();
  return ScanResult::kMore;
}

// Whether an unfinished request line is past a limit already. May say yes a few bytes early: only a parse that is for
// nothing.
bool is_overlong_start(std::string_view line, const HeadLimits& limits) {
  const std::size_t method_size = std::min(line.substr(0, kLongestMethod + 1).find(' '), line.size());
  if (method_size > kLongestMethod) return true;
  return line.size() - method_size > limits.target_bytes;
}

constexpr std::unexpected<Error> fail(ErrorCode code, Side side) {
  return std::unexpected(Error{code, side});
}

}  // namespace

Result<std::size_t> RequestParser::parse(std::string_view buffer, RequestHead& out, std::string_view default_scheme) {
  const std::string_view in = buffer.substr(0, limits_.header_bytes);
  const Progress progress{scanned_, line_start_, lines_};
  const auto read_start_line = [this](const char* p, const char* end) {
    RequestLine line;
    return read_request_line(p, end, limits_, line).status;
  };
  const auto go_on = [&] { return scan(in, limits_, LeadingCrlf::kSkipOne, progress, read_start_line); };
  const bool is_first_look = scanned_ == 0;
  if (is_first_look || go_on() == ScanResult::kParse ||
      (lines_ == 0 && is_overlong_start(in.substr(line_start_), limits_))) {
    const char* p = in.data();
    const char* const end = p + in.size();
    out.clear();
    if (in.starts_with("\r\n")) p += 2;
    RequestLine line;
    Outcome outcome = in == "\r" ? kIncomplete : read_request_line(p, end, limits_, line);
    if (outcome.status == LineStatus::kOk) outcome = read_fields(p, end, limits_, out.headers);
    if (outcome.status == LineStatus::kOk) {
      if (const auto error = interpret(line, default_scheme, out)) return fail(*error, Side::kClient);
      Progress(progress).reset();
      return static_cast<std::size_t>(p - in.data());
    }
    if (outcome.status == LineStatus::kMalformed) return fail(outcome.code, Side::kClient);
    if (is_first_look) go_on();
  }
  if (buffer.size() < limits_.header_bytes) return 0;
  return fail(lines_ == 0 ? ErrorCode::kTargetTooLong : ErrorCode::kHeadersTooLarge, Side::kClient);
}

Result<std::size_t> ResponseParser::parse(std::string_view buffer, Method request_method, ResponseHead& out) {
  const std::string_view in = buffer.substr(0, limits_.header_bytes);
  const Progress progress{scanned_, line_start_, lines_};
  const auto read_start_line = [](const char* p, const char* end) {
    StatusLine line;
    return read_status_line(p, end, line).status;
  };
  const auto go_on = [&] { return scan(in, limits_, LeadingCrlf::kRefuse, progress, read_start_line); };

  const bool is_first_look = scanned_ == 0;
  if (is_first_look || go_on() == ScanResult::kParse) {
    const char* p = in.data();
    const char* const end = p + in.size();
    out.clear();
    StatusLine line;
    Outcome outcome = read_status_line(p, end, line);
    if (outcome.status == LineStatus::kOk) outcome = read_fields(p, end, limits_, out.headers);
    if (outcome.status == LineStatus::kOk) {
      if (const auto error = interpret(line, request_method, out)) return fail(*error, Side::kOrigin);
      Progress(progress).reset();
      return static_cast<std::size_t>(p - in.data());
    }
    if (outcome.status == LineStatus::kMalformed) return fail(outcome.code, Side::kOrigin);
    if (is_first_look) go_on();
  }
  if (buffer.size() < limits_.header_bytes) return 0;
  return fail(ErrorCode::kHeadersTooLarge, Side::kOrigin);
}

}  // namespace seawall::http
