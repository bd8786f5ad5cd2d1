#include "support/behave/message.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <ctime>
#include <ostream>

namespace seawall::behave {
namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool has_name(const Lines& lines, std::string_view name) {
  return std::ranges::any_of(lines, [&](const std::string& line) {
    return line.size() > name.size() && line[name.size()] == ':' && iequals(line.substr(0, name.size()), name);
  });
}

}  // namespace

bool iequals(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

bool Fields::has(std::string_view name) const {
  return count(name) > 0;
}

std::size_t Fields::count(std::string_view name) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(lines, [&](const auto& line) { return iequals(line.first, name); }));
}

std::string Fields::get(std::string_view name) const {
  std::string joined;
  bool first = true;
  for (const auto& [field, value] : lines) {
    if (!iequals(field, name)) continue;
    if (!first) joined += ", ";
    joined += value;
    first = false;
  }
  return joined;
}

void Fields::parse_line(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) {
    lines.emplace_back(std::string(line), "");
  } else {
    lines.emplace_back(std::string(line.substr(0, colon)), std::string(trimmed(line.substr(colon + 1))));
  }
}

bool Response::is_hit() const {
  return cache_parameter("hit").has_value();
}

std::optional<std::string> Response::cache_parameter(std::string_view name) const {
  const std::string all = cache_status();
  // The last member is the cache nearest to us.
  std::string_view member = all;
  if (const std::size_t at = member.rfind("seawall"); at != std::string_view::npos) member.remove_prefix(at);
  while (!member.empty()) {
    const std::size_t end = std::min(member.find(';'), member.size());
    const std::string_view part = trimmed(member.substr(0, end));
    member.remove_prefix(std::min(end + 1, member.size()));
    const std::size_t equals = part.find('=');
    if (part.substr(0, equals) != name) continue;
    return equals == std::string_view::npos ? std::string() : std::string(part.substr(equals + 1));
  }
  return std::nullopt;
}

long Response::age() const {
  return has("Age") ? std::strtol(get("Age").c_str(), nullptr, 10) : -1;
}

std::ostream& operator<<(std::ostream& out, const Response& response) {
  if (response.status == 0) return out << "[no response" << (response.closed ? ", closed]" : "]");
  out << '[' << response.status;
  for (const auto& [name, value] : response.headers.lines) out << " | " << name << ": " << value;
  return out << " | " << response.body.size() << " bytes: " << response.body.substr(0, 60)
             << (response.complete ? "" : ", cut") << (response.closed ? ", closed]" : "]");
}

void ResponseReader::finish() {
  state_ = State::kDone;
  response.complete = !response.malformed;
}

bool ResponseReader::consume_head(std::string& buffer) {
  const std::size_t end = buffer.find("\r\n\r\n");
  if (end == std::string::npos) return false;
  Response head;
  head.head = buffer.substr(0, end + 4);
  buffer.erase(0, end + 4);
  const std::string_view text = head.head;
  std::size_t line_end = text.find("\r\n");
  const std::string_view start = text.substr(0, line_end);
  if (start.size() < 12 || !start.starts_with("HTTP/1.") || start[8] != ' ') {
    response.malformed = true;
    return false;
  }
  head.version = start.substr(0, 8);
  std::from_chars(start.data() + 9, start.data() + 12, head.status);
  for (std::size_t at = line_end + 2; at < text.size() - 2; at = line_end + 2) {
    line_end = text.find("\r\n", at);
    head.headers.parse_line(text.substr(at, line_end - at));
  }
  if (head.status >= 100 && head.status < 200 && head.status != 101) {
    response.informational.push_back(std::move(head));
    return true;
  }
  head.informational = std::move(response.informational);
  response = std::move(head);
  const std::string coding = response.get("Transfer-Encoding");
  response.chunked = iequals(coding, "chunked");
  if (is_head_ || response.status == 204 || response.status == 304 || response.status == 101 ||
      (is_connect_ && response.status / 100 == 2)) {
    finish();
  } else if (response.chunked) {
    state_ = State::kChunkSize;
  } else if (response.has("Content-Length")) {
    const std::string length = response.get("Content-Length");
    const auto [p, error] = std::from_chars(length.data(), length.data() + length.size(), left_);
    if (error != std::errc() || p != length.data() + length.size()) response.malformed = true;
    state_ = State::kLength;
    if (left_ == 0) finish();
  } else {
    state_ = State::kUntilClose;
  }
  return state_ != State::kDone && !response.malformed;
}

bool ResponseReader::consume_chunk_size(std::string& buffer) {
  const std::size_t end = buffer.find("\r\n");
  if (end == std::string::npos) return false;
  const auto [p, error] = std::from_chars(buffer.data(), buffer.data() + end, left_, 16);
  if (error != std::errc() || p != buffer.data() + end) {
    response.malformed = true;
    return false;
  }
  buffer.erase(0, end + 2);
  state_ = left_ == 0 ? State::kTrailers : State::kChunkData;
  return true;
}

bool ResponseReader::consume_data(std::string& buffer) {
  const std::uint64_t want =
      state_ == State::kUntilClose ? buffer.size() : std::min<std::uint64_t>(left_, buffer.size());
  response.body.append(buffer, 0, want);
  if (state_ == State::kUntilClose) {
    buffer.clear();
    return false;
  }
  left_ -= want;
  if (state_ == State::kLength) {
    buffer.erase(0, want);
    if (left_ == 0) finish();
    return false;
  }
  buffer.erase(0, want);
  if (left_ > 0 || buffer.size() < 2) return false;
  if (!buffer.starts_with("\r\n")) {
    response.malformed = true;
    return false;
  }
  buffer.erase(0, 2);
  state_ = State::kChunkSize;
  return true;
}

bool ResponseReader::consume_trailers(std::string& buffer) {
  const std::size_t end = buffer.find("\r\n");
  if (end == std::string::npos) return false;
  if (end > 0) response.trailers.parse_line(std::string_view(buffer).substr(0, end));
  buffer.erase(0, end + 2);
  if (end == 0) finish();
  return end != 0;
}

void ResponseReader::consume(std::string& buffer) {
  for (bool more = true; more && !done();) {
    switch (state_) {
      case State::kHead: more = consume_head(buffer); break;
      case State::kChunkSize: more = consume_chunk_size(buffer); break;
      case State::kLength:
      case State::kUntilClose:
      case State::kChunkData: more = consume_data(buffer); break;
      case State::kTrailers: more = consume_trailers(buffer); break;
      case State::kDone: more = false; break;
    }
  }
}

void ResponseReader::on_closed() {
  if (state_ == State::kUntilClose) finish();
  response.closed = true;
}

std::string to_bytes(const Reply& reply, bool for_head) {
  std::string out = "HTTP/1.1 " + std::to_string(reply.status) + " Status\r\n";
  if (reply.date && !has_name(reply.headers, "Date")) out += "Date: " + http_date(0) + "\r\n";
  for (const std::string& line : reply.headers) out += line + "\r\n";
  const bool bodyless = reply.status == 204 || reply.status == 304 || reply.status < 200;
  if (reply.content_length && !bodyless && !has_name(reply.headers, "Content-Length") &&
      !has_name(reply.headers, "Transfer-Encoding")) {
    out += "Content-Length: " + std::to_string(reply.body.size()) + "\r\n";
  }
  out += "\r\n";
  if (!for_head && !bodyless) out += reply.body;
  return out;
}

std::string chunk(std::string_view payload) {
  char size[20];
  const auto [end, error] = std::to_chars(size, size + sizeof size, payload.size(), 16);
  (void)error;
  std::string out(size, end);
  out += "\r\n";
  out += payload;
  out += "\r\n";
  return out;
}

std::string http_date(long offset_seconds) {
  const std::time_t at = std::time(nullptr) + offset_seconds;
  std::tm parts{};
  gmtime_r(&at, &parts);
  char text[40];
  std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return text;
}

std::string pattern(std::size_t size, unsigned seed) {
  std::string out;
  out.reserve(size + 24);
  for (std::size_t n = seed * 1'000'003ULL; out.size() < size; n += 1) {
    out += std::to_string(n * 2654435761ULL % 1'000'000'007ULL);
    out += ' ';
  }
  out.resize(size);
  return out;
}

}  // namespace seawall::behave
