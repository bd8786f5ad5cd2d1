// Normal forms of selecting fields, written without allocation but for the output. Pure.
#include "policy/vary.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <optional>
#include <span>

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

}  // namespace

VarySpec parse_vary(const HeaderMap& response) {
  VarySpec spec;
  for (const auto line : response) {
    if (line.field != Field::kVary) continue;
    for (http::ListCursor c(line.value); auto name = c.next();) {
      if (*name == "*" || !http::is_token(*name)) spec.any = true;
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

bool language_selects(const HeaderMap& request, std::string_view content_language) {
  WeightedArray storage;
  const auto members = sorted_members(request, Field::kAcceptLanguage, storage);
  if (!members || members->empty()) return false;
  const Weighted& best = members->front();
  if (best.quality == 0 || (members->size() > 1 && (*members)[1].quality == best.quality)) return false;
  return http::iequals(best.name, http::trim_ows(content_language));
}

}  // namespace seawall::policy
