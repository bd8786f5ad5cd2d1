#include "http/uri.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "http/chars.h"
#include "http/header_map.h"
#include "http/list_syntax.h"

namespace seawall::http {
namespace {

constexpr std::size_t kLongestHost = 255;

unsigned default_port(std::string_view scheme) {
  if (scheme == "http") return 80;
  if (scheme == "https") return 443;
  return 0;
}

// The text after the host, ":" included. Appends nothing for the scheme's default port.
bool append_port(std::string& out, std::string_view text, std::string_view scheme) {
  if (text.empty()) return true;
  text.remove_prefix(1);
  if (text.empty() || text.size() > 5 || text.front() == '0') return false;
  unsigned port = 0;
  for (const char c : text) {
    if (!is_digit(c)) return false;
    port = port * 10 + static_cast<unsigned>(c - '0');
  }
  if (port > 65'535) return false;
  if (port == default_port(scheme)) return true;
  out.append(1, ':').append(text);
  return true;
}

bool append_ipv6(std::string& out, std::string_view address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.size() >= text.size()) return false;
  // inet_pton would stop at a NUL.
  const auto may_stand = [](char c) { return is_class(c, kHexChar) || c == ':' || c == '.'; };
  if (!std::all_of(address.begin(), address.end(), may_stand)) return false;
  std::copy(address.begin(), address.end(), text.begin());
  in6_addr parsed;
  if (inet_pton(AF_INET6, text.data(), &parsed) != 1) return false;
  if (inet_ntop(AF_INET6, &parsed, text.data(), text.size()) == nullptr) return false;
  out.append("[").append(text.data()).append("]");
  return true;
}

// Returns the size of the host at the start of `text`, 0 when it is malformed.
std::size_t append_reg_name(std::string& out, std::string_view text) {
  std::array<char, kLongestHost + 1> host;
  std::size_t size = 0;
  char previous = '.';
  for (; size < text.size() && is_class(text[size], kUnreservedChar); ++size) {
    const char c = text[size];
    if (size == kLongestHost || (c == '.' && previous == '.')) return 0;
    host[size] = lower_of(c);
    previous = c;
  }
  if (size == 0 || (size < text.size() && text[size] != ':')) return 0;
  out.append(host.data(), previous == '.' ? size - 1 : size);
  return size;
}

bool has_escapes(std::string_view s, bool& malformed) {
  bool found = false;
  for (std::size_t i = s.find('%'); i != std::string_view::npos; i = s.find('%', i + 3)) {
    found = true;
    if (i + 2 >= s.size() || !is_class(s[i + 1], kHexChar) || !is_class(s[i + 2], kHexChar)) {
      malformed = true;
      return true;
    }
  }
  return found;
}

constexpr char upper_hex(char c) {
  return c >= 'a' ? static_cast<char>(c - 0x20) : c;
}

void normalise_escapes(std::string& s) {
  std::size_t write = 0;
  bool in_query = false;
  for (std::size_t read = 0; read < s.size(); ++read) {
    const char c = s[read];
    if (c == '?') in_query = true;
    if (c != '%') {
      s[write++] = c;
      continue;
    }
    const char decoded = static_cast<char>(hex_value(s[read + 1]) * 16 + hex_value(s[read + 2]));
    if (!in_query && is_class(decoded, kUnreservedChar)) {
      s[write++] = decoded;
    } else {
      s[write++] = '%';
      s[write++] = upper_hex(s[read + 1]);
      s[write++] = upper_hex(s[read + 2]);
    }
    read += 2;
  }
  s.resize(write);
}

// RFC 3986 section 5.2.4, in place, up to the query. Empty segments are segments like others.
void remove_dot_segments(std::string& s) {
  const std::size_t end = std::min(s.find('?'), s.size());
  std::size_t write = 0;
  for (std::size_t read = 0; read < end;) {
    const std::size_t next = std::min(s.find('/', read + 1), end);
    const std::string_view segment(s.data() + read + 1, next - read - 1);
    const bool is_parent = segment == "..";
    if (is_parent || segment == ".") {
      if (is_parent && write > 0) write = s.rfind('/', write - 1);
      if (next == end) s[write++] = '/';
    } else {
      std::memmove(s.data() + write, s.data() + read, next - read);
      write += next - read;
    }
    read = next;
  }
  s.erase(write, end - write);
}

bool is_target_text(std::string_view s) {
  return std::all_of(s.begin(), s.end(), [](char c) { return is_class(c, kTargetChar); });
}

// "scheme:" at the start of a reference; npos when it has none.
std::size_t scheme_end(std::string_view reference) {
  const std::size_t end = reference.find_first_of(":/?#");
  if (end == std::string_view::npos || end == 0 || reference[end] != ':') return std::string_view::npos;
  if (!is_class(reference.front(), kAlphaChar)) return std::string_view::npos;
  return end;
}

}  // namespace

bool append_authority(std::string& out, std::string_view text, std::string_view scheme) {
  const std::size_t start = out.size();
  std::size_t host_size = 0;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close != std::string_view::npos && append_ipv6(out, text.substr(1, close - 1))) host_size = close + 1;
    if (host_size < text.size() && text[host_size] != ':') host_size = 0;
  } else {
    host_size = append_reg_name(out, text);
  }
  if (host_size == 0 || !append_port(out, text.substr(host_size), scheme)) {
    out.resize(start);
    return false;
  }
  return true;
}

std::optional<std::string> normalise_authority(std::string_view text, std::string_view scheme) {
  std::string out;
  if (!append_authority(out, text, scheme)) return std::nullopt;
  return out;
}

std::optional<AbsoluteUri> parse_absolute_uri(std::string_view text) {
  AbsoluteUri uri;
  if (iequals(text.substr(0, 7), "http://")) {
    uri.scheme = "http";
  } else if (iequals(text.substr(0, 8), "https://")) {
    uri.scheme = "https";
  } else {
    return std::nullopt;
  }
  text.remove_prefix(uri.scheme.size() + 3);
  text = text.substr(0, text.find('#'));
  const std::size_t authority_size = std::min(text.find_first_of("/?"), text.size());
  if (!append_authority(uri.authority, text.substr(0, authority_size), uri.scheme)) return std::nullopt;
  text.remove_prefix(authority_size);
  if (!is_target_text(text)) return std::nullopt;
  if (!text.starts_with('/')) uri.path = "/";
  uri.path += text;
  return uri;
}

std::string_view host_of(std::string_view authority) {
  if (authority.starts_with('[')) return authority.substr(0, authority.find(']') + 1);
  return authority.substr(0, authority.find(':'));
}

bool normalise_path(std::string& path_and_query) {
  bool malformed = false;
  if (has_escapes(path_and_query, malformed)) {
    if (malformed) return false;
    normalise_escapes(path_and_query);
  }
  const std::size_t dot = path_and_query.find("/.");
  if (dot != std::string::npos && path_and_query.starts_with('/') && dot < path_and_query.find('?')) {
    remove_dot_segments(path_and_query);
  }
  return true;
}

std::optional<AbsoluteUri> resolve_reference(const AbsoluteUri& base, std::string_view reference) {
  reference = reference.substr(0, reference.find('#'));
  if (!is_target_text(reference)) return std::nullopt;
  std::optional<AbsoluteUri> out;
  if (scheme_end(reference) != std::string_view::npos) {
    out = parse_absolute_uri(reference);
  } else if (reference.starts_with("//")) {
    out = parse_absolute_uri(base.scheme + ":" + std::string(reference));
  } else {
    out = base;
    const std::size_t path_size = std::min(base.path.find('?'), base.path.size());
    if (reference.starts_with('/')) {
      out->path = reference;
    } else if (reference.starts_with('?')) {
      out->path.replace(path_size, std::string::npos, reference);
    } else if (!reference.empty()) {
      // RFC 3986 section 5.2.3: beside the base's last segment.
      const std::size_t slash = base.path.rfind('/', path_size == 0 ? 0 : path_size - 1);
      out->path.resize(slash == std::string::npos ? 0 : slash);
      out->path.append("/").append(reference);
    }
  }
  if (out && out->path.starts_with('/')) remove_dot_segments(out->path);
  return out;
}

}  // namespace seawall::http
