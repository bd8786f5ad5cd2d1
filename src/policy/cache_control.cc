// Three grammars, one table of directives: Cache-Control, RFC 9213 dictionaries, and Surrogate-Control. Pure.
#include "policy/cache_control.h"

#include <algorithm>
#include <array>
#include <utility>

#include "http/list_syntax.h"
#include "policy/structured_field.h"

namespace seawall::policy {
namespace {

using http::Directive;
using http::Field;
using http::HeaderMap;
using http::iequals;

// RFC 9111 section 1.2.2: what overflows counts as this.
constexpr std::int64_t kMaxDelta = std::int64_t{1} << 31;

struct FlagDirective {
  std::string_view name;
  bool ResponseDirectives::* member;
};
constexpr std::array kFlags = {
    FlagDirective{"no-store", &ResponseDirectives::no_store},
    FlagDirective{"public", &ResponseDirectives::is_public},
    FlagDirective{"must-revalidate", &ResponseDirectives::must_revalidate},
    FlagDirective{"proxy-revalidate", &ResponseDirectives::proxy_revalidate},
    FlagDirective{"must-understand", &ResponseDirectives::must_understand},
    FlagDirective{"no-transform", &ResponseDirectives::no_transform},
    FlagDirective{"immutable", &ResponseDirectives::immutable},
};

enum class IfInvalid : std::uint8_t { kZero, kAbsent };
struct DeltaDirective {
  std::string_view name;
  std::optional<Seconds> ResponseDirectives::* member;
  IfInvalid if_invalid;
};
constexpr std::array kDeltas = {
    DeltaDirective{"max-age", &ResponseDirectives::max_age, IfInvalid::kZero},
    DeltaDirective{"s-maxage", &ResponseDirectives::s_maxage, IfInvalid::kZero},
    DeltaDirective{"stale-while-revalidate", &ResponseDirectives::stale_while_revalidate, IfInvalid::kAbsent},
    DeltaDirective{"stale-if-error", &ResponseDirectives::stale_if_error, IfInvalid::kAbsent},
};

struct ListDirective {
  std::string_view name;
  bool ResponseDirectives::* unqualified;
  std::vector<std::string> ResponseDirectives::* fields;
};
constexpr std::array kLists = {
    ListDirective{"no-cache", &ResponseDirectives::no_cache, &ResponseDirectives::no_cache_fields},
    ListDirective{"private", &ResponseDirectives::is_private, &ResponseDirectives::private_fields},
};

template <typename Table>
auto find_in(const Table& table, std::string_view name) {
  const auto it = std::find_if(table.begin(), table.end(), [&](const auto& row) { return iequals(row.name, name); });
  return it == table.end() ? nullptr : &*it;
}

void keep_least(std::optional<Seconds>& slot, Seconds value) {
  if (!slot || value < *slot) slot = value;
}

std::string text_of(const Directive& d) {
  if (auto text = http::unquote(d.value)) return *std::move(text);
  return std::string(d.value);
}

std::optional<Seconds> seconds_of(const Directive& d) {
  if (!d.has_value) return std::nullopt;
  const auto n = http::parse_delta_seconds(text_of(d));
  if (!n) return std::nullopt;
  return Seconds{*n};
}

// `no-cache="a, b"`. Names that cannot be read: better the whole response than a field too few.
void apply_field_list(ResponseDirectives& out, const ListDirective& row, std::string_view list) {
  std::vector<std::string> names;
  for (http::ListCursor c(list); auto name = c.next();) {
    if (!http::is_token(*name)) {
      names.clear();
      break;
    }
    names.push_back(http::to_lower(*name));
  }
  if (names.empty()) {
    out.*row.unqualified = true;
    return;
  }
  auto& fields = out.*row.fields;
  fields.insert(fields.end(), std::make_move_iterator(names.begin()), std::make_move_iterator(names.end()));
}

// False when it is not a directive that we know.
bool apply(ResponseDirectives& out, const Directive& d) {
  if (const auto* row = find_in(kFlags, d.name)) {
    out.*(row->member) = true;
    return true;
  }
  if (const auto* row = find_in(kDeltas, d.name)) {
    if (const auto seconds = seconds_of(d)) {
      keep_least(out.*(row->member), *seconds);
    } else if (row->if_invalid == IfInvalid::kZero) {
      out.*(row->member) = Seconds{0};
    }
    return true;
  }
  if (const auto* row = find_in(kLists, d.name)) {
    apply_field_list(out, *row, d.has_value ? text_of(d) : std::string_view());
    return true;
  }
  return false;
}

// Whether quotes stand only where they may: around the whole argument.
bool is_well_quoted(std::string_view element) {
  return element.find('"') == std::string_view::npos || http::unquote(http::split_directive(element).value);
}

// An element with stray quotes is cut at every comma: they must not hide a no-store that follows.
template <typename F>
void for_each_element(const HeaderMap& headers, Field field, F&& f) {
  for (const auto line : headers) {
    if (line.field != field) continue;
    for (http::ListCursor c(line.value); auto element = c.next();) {
      if (is_well_quoted(*element)) {
        f(*element);
        continue;
      }
      for (std::string_view rest = *element; !rest.empty();) {
        const std::size_t size = std::min(rest.find(','), rest.size());
        f(http::trim_ows(rest.substr(0, size)));
        rest.remove_prefix(std::min(size + 1, rest.size()));
      }
    }
  }
}

// RFC 9213 section 2.1: a value of another type than the directive's is not to be made to fit.
void apply(ResponseDirectives& out, const SfMember& m) {
  using Kind = SfMember::Kind;
  const bool is_true = m.kind == Kind::kBoolean && m.boolean;
  if (const auto* flag = find_in(kFlags, m.key)) {
    if (is_true) out.*(flag->member) = true;
  } else if (const auto* delta = find_in(kDeltas, m.key)) {
    if (m.kind == Kind::kInteger && m.integer >= 0) out.*(delta->member) = Seconds{std::min(m.integer, kMaxDelta)};
  } else if (const auto* list = find_in(kLists, m.key)) {
    if (is_true) out.*(list->unqualified) = true;
    if (m.kind == Kind::kString) apply_field_list(out, *list, m.text);
  }
}

std::optional<ResponseDirectives> parse_dictionary_field(const HeaderMap& response, std::string_view name) {
  const auto text = response.combined(name);
  if (!text) return std::nullopt;
  const auto members = parse_sf_dictionary(*text);
  if (!members || members->empty()) return std::nullopt;
  ResponseDirectives out;
  out.is_targeted = true;
  for (const auto& m : *members) apply(out, m);
  return out;
}

// Up to the first ';' outside of a quoted string; `element` keeps what follows it.
std::string_view take_part(std::string_view& element) {
  bool quoted = false;
  std::size_t i = 0;
  for (; i < element.size(); ++i) {
    if (quoted && element[i] == '\\') {
      ++i;
    } else if (element[i] == '"') {
      quoted = !quoted;
    } else if (element[i] == ';' && !quoted) {
      break;
    }
  }
  const std::string_view part = element.substr(0, i);
  element.remove_prefix(std::min(i + 1, element.size()));
  return http::trim_ows(part);
}

struct SurrogateDirective {
  Directive directive;
  bool has_target = false;
  bool is_ours = false;
};

SurrogateDirective split_surrogate_directive(std::string_view element) {
  SurrogateDirective out;
  out.directive = http::split_directive(take_part(element));
  while (!element.empty()) {
    const std::string_view target = take_part(element);
    out.has_target = true;
    out.is_ours = out.is_ours || iequals(target, kSurrogateName);
  }
  return out;
}

bool apply_surrogate(ResponseDirectives& out, Directive d) {
  const auto plus = d.value.find('+');
  if (iequals(d.name, "max-age") && plus != std::string_view::npos) {
    const auto extension = http::parse_delta_seconds(d.value.substr(plus + 1));
    d.value = d.value.substr(0, plus);
    if (extension) keep_least(out.stale_while_revalidate, Seconds{*extension});
  }
  return apply(out, d);
}

std::optional<ResponseDirectives> parse_surrogate_control(const HeaderMap& response) {
  std::vector<SurrogateDirective> all;
  for_each_element(response, Field::kSurrogateControl, [&](std::string_view element) {
    const auto d = split_surrogate_directive(element);
    if (http::is_token(d.directive.name) && (!d.has_target || d.is_ours)) all.push_back(d);
  });
  ResponseDirectives out;
  out.is_targeted = true;
  bool found = false;
  for (const auto& d : all) {
    const bool overridden = !d.is_ours && std::any_of(all.begin(), all.end(), [&](const SurrogateDirective& other) {
      return other.is_ours && iequals(other.directive.name, d.directive.name);
    });
    if (!overridden && apply_surrogate(out, d.directive)) found = true;
  }
  if (!found) return std::nullopt;
  return out;
}

}  // namespace

ResponseDirectives parse_response_directives(const HeaderMap& response,
                                             const std::vector<std::string>& targeted_fields) {
  for (const auto& name : targeted_fields) {
    auto targeted = iequals(name, http::canonical_name(Field::kSurrogateControl))
                        ? parse_surrogate_control(response)
                        : parse_dictionary_field(response, name);
    if (targeted) return *std::move(targeted);
  }
  ResponseDirectives out;
  for_each_element(response, Field::kCacheControl,
                   [&](std::string_view element) { apply(out, http::split_directive(element)); });
  return out;
}

RequestDirectives parse_request_directives(const HeaderMap& request) {
  RequestDirectives out;
  for_each_element(request, Field::kCacheControl, [&](std::string_view element) {
    const Directive d = http::split_directive(element);
    const auto seconds = seconds_of(d);
    if (iequals(d.name, "no-cache")) {
      out.no_cache = true;
    } else if (iequals(d.name, "no-store")) {
      out.no_store = true;
    } else if (iequals(d.name, "no-transform")) {
      out.no_transform = true;
    } else if (iequals(d.name, "only-if-cached")) {
      out.only_if_cached = true;
    } else if (iequals(d.name, "max-age")) {
      if (seconds) keep_least(out.max_age, *seconds);
    } else if (iequals(d.name, "min-fresh")) {
      if (seconds) out.min_fresh = std::max(out.min_fresh.value_or(Seconds{0}), *seconds);
    } else if (iequals(d.name, "max-stale")) {
      if (seconds) keep_least(out.max_stale, *seconds);
      if (!d.has_value) out.any_max_stale = true;
    } else if (iequals(d.name, "stale-if-error")) {
      if (seconds) keep_least(out.stale_if_error, *seconds);
    }
  });
  if (out.max_stale) out.any_max_stale = false;
  if (!request.contains(Field::kCacheControl)) {
    for_each_element(request, Field::kPragma, [&](std::string_view element) {
      if (iequals(element, "no-cache")) out.no_cache = true;
    });
  }
  return out;
}

}  // namespace seawall::policy
