// Normal forms of selecting fields, written without allocation but for the output. Pure.
#include "policy/vary.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <optional>
#include <span>

#include "http/coding.h"
#include "http/list_syntax.h"
#include "http/weighted.h"

namespace seawall::policy {
namespace {

using http::Field;
using http::HeaderMap;
using http::Weighted;

// Longer lists than browsers send are compared as they stand.
constexpr std::size_t kMaxMembers = 32;
using WeightedArray = std::array<Weighted, kMaxMembers>;

bool less_without_case(std::string_view a, std::string_view b) {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                      [](char x, char y) { return http::to_lower(x) < http::to_lower(y); });
}

// RFC 9110 section 8.4.1.
std::string_view without_alias(std::string_view coding) {
  if (http::iequals(coding, "x-gzip")) return "gzip";
  if (http::iequals(coding, "x-compress")) return "compress";
  return coding;
}

// The members of all lines, most preferred first, equal ones once. nullopt when one cannot be read or they are too
// many.
std::optional<std::span<Weighted>> sorted_members(const HeaderMap& request, Field field, WeightedArray& storage) {
  std::size_t n = 0;
  for (const auto line : request) {
    if (line.field != field) continue;
    for (http::ListCursor c(line.value); auto element = c.next();) {
      auto w = http::parse_weighted(*element);
      if (!w || n == storage.size()) return std::nullopt;
      if (field == Field::kAcceptEncoding) w->name = without_alias(w->name);
      storage[n++] = *w;
    }
  }
  const auto end = storage.begin() + static_cast<std::ptrdiff_t>(n);
  std::sort(storage.begin(), end, [](const Weighted& a, const Weighted& b) {
    return a.quality != b.quality ? a.quality > b.quality : less_without_case(a.name, b.name);
  });
  const auto last = std::unique(storage.begin(), end, [](const Weighted& a, const Weighted& b) {
    return a.quality == b.quality && http::iequals(a.name, b.name);
  });
  return std::span<Weighted>(storage.data(), static_cast<std::size_t>(last - storage.begin()));
}

void append_lower(std::string& out, std::string_view s) {
  for (const char c : s) out.push_back(http::to_lower(c));
}

// "=gzip,br;500,"; the plain form begins otherwise, so that no odd value can pass for another's normal form.
bool append_weighted(std::string& out, const HeaderMap& request, Field field) {
  WeightedArray storage;
  const auto members = sorted_members(request, field, storage);
  if (!members) return false;
  out.push_back('=');
  for (const auto& w : *members) {
    append_lower(out, w.name);
    if (w.quality != 1000) {
      std::array<char, 8> digits;
      const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), w.quality);
      out.append(";").append(digits.data(), end);
    }
    out.push_back(',');
  }
  return true;
}

// White space around commas goes, but not within quoted strings, where it means something. Empty members stay: nobody
// knows what they mean in a field that is not known.
void append_without_spaces(std::string& out, std::string_view value) {
  bool quoted = false;
  std::size_t start = 0;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (quoted && value[i] == '\\') {
      ++i;
    } else if (value[i] == '"') {
      quoted = !quoted;
    } else if (value[i] == ',' && !quoted) {
      out.append(http::trim_ows(value.substr(start, i - start))).push_back(',');
      start = i + 1;
    }
  }
  out.append(http::trim_ows(value.substr(start)));
}

void append_plain(std::string& out, const HeaderMap& request, std::string_view name) {
  char separator = ':';
  for (const auto line : request) {
    if (!http::iequals(line.name, name)) continue;
    out.push_back(separator);
    separator = ',';
    append_without_spaces(out, line.value);
  }
}

// With its line feed.
std::string_view take_line(std::string_view& lines) {
  const std::string_view line = lines.substr(0, lines.find('\n') + 1);
  lines.remove_prefix(line.empty() ? lines.size() : line.size());
  return line;
}

// What append_weighted() or append_plain() wrote after the name; nullopt where it is another name.
std::optional<std::string_view> value_of_codings(std::string_view line) {
  constexpr std::string_view kName = "accept-encoding";
  if (!line.starts_with(kName)) return std::nullopt;
  const std::string_view value = line.substr(kName.size(), line.size() - kName.size() - 1);
  return value.empty() || value.front() == '=' || value.front() == ':' ? std::optional(value) : std::nullopt;
}

// "br;500" of append_weighted().
std::optional<Weighted> parse_stored(std::string_view member) {
  Weighted weighted{.name = member.substr(0, member.find(';'))};
  if (weighted.name.size() == member.size()) return weighted;
  const auto quality = http::parse_uint(member.substr(weighted.name.size() + 1));
  if (!quality || *quality > 1000) return std::nullopt;
  weighted.quality = static_cast<int>(*quality);
  return weighted;
}

http::AcceptedCodings accepted_by(std::string_view value) {
  http::CodingWeights weights;
  const bool is_sorted = value.starts_with('=');
  for (http::ListCursor list(value.substr(value.empty() ? 0 : 1)); const auto element = list.next();) {
    const auto member = is_sorted ? parse_stored(*element) : http::parse_weighted(*element);
    if (member) weights.note(member->name, member->quality);
  }
  return weights.accepted();
}

}  // namespace

VarySpec parse_vary(const HeaderMap& response) {
  VarySpec spec;
  for (const auto line : response) {
    if (line.field != Field::kVary) continue;
    for (http::ListCursor c(line.value); auto name = c.next();) {
      const Field field = http::field_from_name(*name);
      // The origin is told the client's address there; the request as it came says nothing of it.
      const bool is_of_address = field == Field::kForwarded || field == Field::kXForwardedFor;
      if (*name == "*" || is_of_address || !http::is_token(*name)) spec.any = true;
      spec.names.push_back(http::to_lower(*name));
    }
  }
  if (spec.any) spec.names.clear();
  std::sort(spec.names.begin(), spec.names.end());
  spec.names.erase(std::unique(spec.names.begin(), spec.names.end()), spec.names.end());
  return spec;
}

void append_selecting_values(const VarySpec& spec, const HeaderMap& request, std::string& out) {
  for (const auto& name : spec.names) {
    out.append(name);
    if (request.contains(name)) {
      const Field field = http::field_from_name(name);
      const bool is_weighted = field == Field::kAcceptEncoding || field == Field::kAcceptLanguage;
      if (!is_weighted || !append_weighted(out, request, field)) append_plain(out, request, name);
    }
    out.push_back('\n');
  }
}

bool is_in_accepted_coding(const HeaderMap& response, http::AcceptedCodings accepted) {
  for (const auto line : response) {
    if (line.field != Field::kContentEncoding) continue;
    for (http::ListCursor list(line.value); const auto name = list.next();) {
      const auto coding = http::coding_from_name(*name);
      if (coding ? !accepted.has(*coding) : !http::iequals(*name, "identity")) return false;
    }
  }
  return true;
}

bool selects_by_codings(std::string_view wanted, std::string_view stored, const HeaderMap& stored_fields) {
  while (!wanted.empty() && !stored.empty()) {
    const std::string_view wanted_line = take_line(wanted);
    const std::string_view stored_line = take_line(stored);
    const auto wanted_codings = value_of_codings(wanted_line);
    const auto stored_codings = value_of_codings(stored_line);
    if (!wanted_codings || !stored_codings) {
      if (wanted_line != stored_line) return false;
      continue;
    }
    const http::AcceptedCodings accepted = accepted_by(*wanted_codings);
    if (accepted != accepted_by(*stored_codings) || !is_in_accepted_coding(stored_fields, accepted)) return false;
  }
  return wanted.empty() && stored.empty();
}

bool language_selects(const HeaderMap& request, std::string_view content_language) {
  WeightedArray storage;
  const auto members = sorted_members(request, Field::kAcceptLanguage, storage);
  if (!members || members->empty()) return false;
  const Weighted& best = members->front();
  if (best.quality == 0 || (members->size() > 1 && (*members)[1].quality == best.quality)) return false;
  return http::iequals(best.name, http::trim_ows(content_language));
}

}  // namespace seawall::policy
