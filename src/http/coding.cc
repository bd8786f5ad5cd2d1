#include "http/coding.h"

#include "http/list_syntax.h"
#include "http/weighted.h"

namespace seawall::http {
namespace {

// What a request says of each coding, in thousandths; not every one is named.
struct Weights {
  std::array<std::optional<int>, kCodings.size()> named;
  std::optional<int> identity;
  std::optional<int> others;  // "*"

  std::optional<int>* of(std::string_view name) {
    for (std::size_t i = 0; i < kCodings.size(); ++i) {
      if (iequals(name, kCodings[i])) return &named[i];
    }
    if (iequals(name, "x-gzip")) return &named[static_cast<std::size_t>(Coding::kGzip)];  // RFC 9110 section 8.4.1.3
    if (iequals(name, "identity")) return &identity;
    return name == "*" ? &others : nullptr;
  }
};

}  // namespace

std::optional<Coding> negotiate(const HeaderMap& request, std::span<const Coding> offered) {
  if (!request.contains(Field::kAcceptEncoding)) return std::nullopt;
  Weights weights;
  for (const auto line : request) {
    if (line.field != Field::kAcceptEncoding) continue;
    for (ListCursor list(line.value); const auto element = list.next();) {
      const auto member = parse_weighted(*element);
      std::optional<int>* const weight = member ? weights.of(member->name) : nullptr;
      if (weight && !*weight) *weight = member->quality;
    }
  }
  std::optional<Coding> best;
  int greatest = 0;
  for (const Coding coding : offered) {
    const int weight = weights.named[static_cast<std::size_t>(coding)].value_or(weights.others.value_or(0));
    if (weight <= greatest) continue;
    greatest = weight;
    best = coding;
  }
  return weights.identity.value_or(0) > greatest ? std::nullopt : best;
}

}  // namespace seawall::http
