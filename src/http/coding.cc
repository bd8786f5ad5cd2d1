#include "http/coding.h"

#include "http/list_syntax.h"
#include "http/weighted.h"

namespace seawall::http {
namespace {

constexpr std::array kAll = {Coding::kGzip, Coding::kBrotli, Coding::kZstd};
static_assert(kAll.size() == kCodings.size());

// By the bits of AcceptedCodings.
constexpr std::array<std::string_view, 16> kTexts = {
    "identity;q=0",
    "gzip, identity;q=0",
    "br, identity;q=0",
    "gzip, br, identity;q=0",
    "zstd, identity;q=0",
    "gzip, zstd, identity;q=0",
    "br, zstd, identity;q=0",
    "gzip, br, zstd, identity;q=0",
    "identity",
    "gzip",
    "br",
    "gzip, br",
    "zstd",
    "gzip, zstd",
    "br, zstd",
    "gzip, br, zstd",
};
static_assert(kTexts.size() == 2U << kCodings.size());

}  // namespace

std::optional<Coding> coding_from_name(std::string_view name) {
  for (const Coding coding : kAll) {
    if (iequals(name, to_string(coding))) return coding;
  }
  if (iequals(name, "x-gzip")) return Coding::kGzip;  // RFC 9110 section 8.4.1.3
  return std::nullopt;
}

std::string_view AcceptedCodings::text() const {
  return kTexts[bits_];
}

CodingWeights::CodingWeights(const HeaderMap& request) {
  if (!request.contains(Field::kAcceptEncoding)) return;
  for (const auto line : request) {
    if (line.field != Field::kAcceptEncoding) continue;
    for (ListCursor list(line.value); const auto element = list.next();) {
      if (const auto member = parse_weighted(*element)) note(member->name, member->quality);
    }
  }
}

void CodingWeights::note(std::string_view name, int quality) {
  std::optional<int>* weight = nullptr;
  if (const auto coding = coding_from_name(name)) {
    weight = &named_[static_cast<std::size_t>(*coding)];
  } else if (iequals(name, "identity")) {
    weight = &identity_;
  } else if (name == "*") {
    weight = &others_;
  }
  if (weight && !*weight) *weight = quality;
}

std::optional<Coding> CodingWeights::best_of(std::span<const Coding> offered) const {
  std::optional<Coding> best;
  int greatest = 0;
  for (const Coding coding : offered) {
    if (of(coding) <= greatest) continue;
    greatest = of(coding);
    best = coding;
  }
  return identity_.value_or(0) > greatest ? std::nullopt : best;
}

CodingWeights RecentCodingWeights::of(const HeaderMap& request) {
  const auto value = request.find(Field::kAcceptEncoding);
  if (!value) return {};
  if (value->size() > kMaxBytes || request.count(Field::kAcceptEncoding) > 1) return CodingWeights(request);
  for (const Said& said : said_) {
    if (said.value == *value) return said.weights;
  }
  Said& said = said_[oldest_];
  oldest_ = (oldest_ + 1) % said_.size();
  said.value.assign(*value);
  said.weights = CodingWeights(request);
  return said.weights;
}

AcceptedCodings CodingWeights::accepted() const {
  AcceptedCodings accepted;
  for (const Coding coding : kAll) {
    if (of(coding) > 0) accepted.add(coding);
  }
  // Without being named it is, unless all is excluded that is not named.
  if (identity_.value_or(others_.value_or(1)) > 0) accepted.add_identity();
  return accepted;
}

}  // namespace seawall::http
