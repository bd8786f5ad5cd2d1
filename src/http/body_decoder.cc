// Bodies (RFC 9112 sections 6 and 7). A chunk-size or trailer line is read in place when it is whole in the input, else
// gathered in line_, CR included, until its LF comes.
#include <algorithm>
#include <array>
#include <limits>

#include "base/check.h"
#include "http/chars.h"
#include "http/field_line.h"
#include "http/h1_parser.h"
#include "http/message_rules.h"

namespace seawall::http {
namespace {

constexpr std::size_t kLongestChunkLine = 8192;
constexpr std::size_t kMostSizeDigits = 16;

const char* skip_bws(const char* p, const char* end) {
  while (p != end && (*p == ' ' || *p == '\t')) ++p;
  return p;
}

const char* skip_token(const char* p, const char* end) {
  while (p != end && is_class(*p, kTokenChar)) ++p;
  return p;
}

// Past the closing quote; nullptr when there is none. The line holds no control bytes.
const char* skip_quoted(const char* p, const char* end) {
  for (++p; p != end; ++p) {
    if (*p == '"') return p + 1;
    if (*p != '\\') continue;
    ++p;
    if (p == end) return nullptr;
  }
  return nullptr;
}

// *( BWS ";" BWS token [ BWS "=" BWS ( token / quoted-string ) ] )
bool is_chunk_ext(const char* p, const char* end) {
  while (p != end) {
    p = skip_bws(p, end);
    if (p == end || *p != ';') return false;
    const char* name = skip_bws(p + 1, end);
    p = skip_token(name, end);
    if (p == name) return false;
    const char* equals = skip_bws(p, end);
    if (equals == end || *equals != '=') continue;
    const char* value = skip_bws(equals + 1, end);
    if (value == end) return false;
    p = *value == '"' ? skip_quoted(value, end) : skip_token(value, end);
    if (p == nullptr || p == value) return false;
  }
  return true;
}

// The line without its CRLF.
bool parse_chunk_line(std::string_view line, std::uint64_t& size) {
  std::size_t digits = 0;
  size = 0;
  for (; digits < line.size() && is_class(line[digits], kHexChar); ++digits) {
    if (digits == kMostSizeDigits) return false;
    size = size << 4 | hex_value(line[digits]);
  }
  if (digits == 0 || size > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return false;
  return is_chunk_ext(line.data() + digits, line.data() + line.size());
}

// The next line of `in`. kOk: `line` is it, with its CRLF, in `in` or, when it came in parts, in `kept`; kMore: all of
// `in` is kept. Either way `in` is moved past what was taken.
LineStatus take_line(std::string_view& in, std::string& kept, std::size_t limit, std::string_view& line) {
  const char* const end = in.data() + in.size();
  const char* at = in.data();
  if (!kept.empty() && kept.back() == '\r') {
    if (in.empty()) return LineStatus::kMore;
    if (*at != '\n') return LineStatus::kMalformed;
    ++at;
  } else {
    at = find_control(at, end);
    if (kept.size() + static_cast<std::size_t>(at - in.data()) > limit) return LineStatus::kMalformed;
    const LineStatus status = read_crlf(at, end);
    if (status == LineStatus::kMalformed) return status;
    if (status == LineStatus::kMore) {
      kept.append(in);
      in.remove_prefix(in.size());
      return status;
    }
  }
  line = in.substr(0, static_cast<std::size_t>(at - in.data()));
  in.remove_prefix(line.size());
  if (!kept.empty()) {
    kept.append(line);
    line = kept;
  }
  return LineStatus::kOk;
}

}  // namespace

bool BodyDecoder::is_done() const {
  switch (framing_) {
    case BodyFraming::kNone: return true;
    case BodyFraming::kLength: return remaining_ == 0;
    case BodyFraming::kChunked: return state_ == State::kDone;
    case BodyFraming::kUntilClose: return eof_;
  }
  return true;
}

Result<BodyDecoder::Piece> BodyDecoder::decode(std::string_view in) {
  if (is_done()) return Piece{.consumed = 0, .payload = {}, .done = true};
  if (framing_ == BodyFraming::kChunked) return decode_chunked(in);
  SW_DASSERT(framing_ == BodyFraming::kLength || side_ == Side::kOrigin, "a request does not end with its connection");
  if (framing_ == BodyFraming::kLength) {
    in = in.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(in.size(), remaining_)));
    remaining_ -= in.size();
  }
  return Piece{.consumed = in.size(), .payload = in, .done = is_done()};
}

Result<BodyDecoder::Piece> BodyDecoder::decode_chunked(std::string_view in) {
  const std::string_view all = in;
  Piece piece;
  bool starved = false;
  while (!starved && piece.payload.empty() && state_ != State::kDone) {
    LineStatus status = LineStatus::kOk;
    ErrorCode code = ErrorCode::kMalformedChunk;
    std::string_view line;
    switch (state_) {
      case State::kSize:
        status = take_line(in, line_, kLongestChunkLine, line);
        if (status != LineStatus::kOk) break;
        if (!parse_chunk_line(line.substr(0, line.size() - 2), remaining_)) status = LineStatus::kMalformed;
        state_ = remaining_ == 0 ? State::kTrailers : State::kData;
        line_.clear();
        break;
      case State::kData:
        piece.payload = in.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(in.size(), remaining_)));
        in.remove_prefix(piece.payload.size());
        remaining_ -= piece.payload.size();
        if (remaining_ == 0) state_ = State::kDataEnd;
        if (piece.payload.empty()) status = LineStatus::kMore;
        break;
      case State::kDataEnd:
        status = take_line(in, line_, 0, line);
        if (status != LineStatus::kOk) break;
        state_ = State::kSize;
        line_.clear();
        break;
      case State::kTrailers:
        status = take_trailer_line(in);
        code = ErrorCode::kMalformedTrailer;
        break;
      case State::kDone: break;
    }
    if (status == LineStatus::kMalformed) return std::unexpected(Error{code, side_});
    starved = status == LineStatus::kMore;
  }
  piece.consumed = all.size() - in.size();
  piece.done = state_ == State::kDone;
  return piece;
}

LineStatus BodyDecoder::take_trailer_line(std::string_view& in) {
  std::string_view line;
  const LineStatus status = take_line(in, line_, kMostTrailerBytes - trailer_bytes_, line);
  if (status != LineStatus::kOk) return status;
  trailer_bytes_ += line.size();
  if (line.size() == 2) {
    state_ = State::kDone;
    line_.clear();
    return LineStatus::kOk;
  }
  FieldLine field;
  const char* p = line.data();
  if (read_field_line(p, p + line.size(), field) != LineStatus::kOk) return LineStatus::kMalformed;
  if (++trailer_fields_ > kMostTrailerFields || trailer_bytes_ > kMostTrailerBytes) return LineStatus::kMalformed;
  if (may_trail(field.name)) trailers_.add(field.name, field.value);
  line_.clear();
  return LineStatus::kOk;
}

Result<void> BodyDecoder::on_eof() {
  if (framing_ == BodyFraming::kUntilClose) eof_ = true;
  if (!is_done()) return std::unexpected(Error{ErrorCode::kIncompleteBody, side_});
  return {};
}

}  // namespace seawall::http
