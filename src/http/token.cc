// Field and method names to small integers. Thread: any.
#include "http/token.h"

#include <array>
#include <cstddef>
#include <cstring>

#include "http/chars.h"

namespace seawall::http {
namespace {

constexpr std::size_t kFieldCount = static_cast<std::size_t>(Field::kXForwardedProto) + 1;
constexpr std::size_t kLongestName = 32;

// In the order of Field.
constexpr std::array<std::string_view, kFieldCount> kNames = {
    "",
    "Accept",
    "Accept-Encoding",
    "Accept-Language",
    "Accept-Ranges",
    "Age",
    "Allow",
    "Authorization",
    "Cache-Control",
    "Cache-Status",
    "CDN-Cache-Control",
    "Connection",
    "Content-Encoding",
    "Content-Length",
    "Content-Location",
    "Content-MD5",
    "Content-Range",
    "Content-Type",
    "Cookie",
    "Date",
    "ETag",
    "Expect",
    "Expires",
    "Forwarded",
    "Host",
    "HTTP2-Settings",
    "If-Match",
    "If-Modified-Since",
    "If-None-Match",
    "If-Range",
    "If-Unmodified-Since",
    "Keep-Alive",
    "Last-Modified",
    "Location",
    "Max-Forwards",
    "Pragma",
    "Proxy-Authenticate",
    "Proxy-Authentication-Info",
    "Proxy-Authorization",
    "Proxy-Connection",
    "Proxy-Status",
    "Range",
    "Referer",
    "Retry-After",
    "Server",
    "Set-Cookie",
    "Set-Cookie2",
    "Surrogate-Capability",
    "Surrogate-Control",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "User-Agent",
    "Vary",
    "Via",
    "Warning",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
};

// A perfect hash of length, first, middle and last letter without case. The multiplier was found by search; the
// static_assert below tells whoever adds a name to search again.
constexpr std::uint32_t kMultiplier = 0x88534207;

constexpr std::size_t slot_of(std::string_view name) {
  const std::size_t size = name.size();
  const auto fold = [name](std::size_t i) { return static_cast<std::uint32_t>(name[i] & 0xff) | 0x20U; };
  const std::uint32_t key =
      static_cast<std::uint32_t>(size) | fold(0) << 8 | fold(size / 2) << 16 | fold(size - 1) << 24;
  return (key * kMultiplier) >> 24;
}

struct Slots {
  std::array<std::uint8_t, 256> field{};
  bool is_perfect = true;
};

constexpr Slots make_slots() {
  Slots s;
  for (std::size_t i = 1; i < kFieldCount; ++i) {
    std::uint8_t& slot = s.field[slot_of(kNames[i])];
    if (slot != 0) s.is_perfect = false;
    slot = static_cast<std::uint8_t>(i);
  }
  return s;
}

constexpr Slots kSlots = make_slots();
static_assert(kSlots.is_perfect, "two field names share a slot: search another multiplier");

// Lower-case names, and the case bit where there is a letter, for comparison by words.
struct Folded {
  std::uint8_t size = 0;
  std::array<char, kLongestName> lower{};
  std::array<char, kLongestName> case_bits{};
};

constexpr std::array<Folded, kFieldCount> make_folded() {
  std::array<Folded, kFieldCount> table{};
  for (std::size_t i = 1; i < kFieldCount; ++i) {
    table[i].size = static_cast<std::uint8_t>(kNames[i].size());
    for (std::size_t j = 0; j < kNames[i].size(); ++j) {
      table[i].lower[j] = lower_of(kNames[i][j]);
      table[i].case_bits[j] = is_class(kNames[i][j], kAlphaChar) ? 0x20 : 0;
    }
  }
  return table;
}

constexpr std::array<Folded, kFieldCount> kFolded = make_folded();

template <typename Word>
bool word_matches(std::string_view name, const Folded& want, std::size_t at) {
  Word given;
  Word lower;
  Word bits;
  std::memcpy(&given, name.data() + at, sizeof(Word));
  std::memcpy(&lower, want.lower.data() + at, sizeof(Word));
  std::memcpy(&bits, want.case_bits.data() + at, sizeof(Word));
  return (given | bits) == lower;
}

// The last word overlaps the one before instead of being shorter.
template <typename Word>
bool words_match(std::string_view name, const Folded& want) {
  const std::size_t size = name.size();
  for (std::size_t at = 0; at + sizeof(Word) < size; at += sizeof(Word)) {
    if (!word_matches<Word>(name, want, at)) return false;
  }
  return word_matches<Word>(name, want, size - sizeof(Word));
}

}  // namespace

Field field_from_name(std::string_view name) {
  const std::size_t size = name.size();
  if (size < 2 || size >= kLongestName) return Field::kOther;
  const std::uint8_t candidate = kSlots.field[slot_of(name)];
  const Folded& want = kFolded[candidate];
  if (want.size != size) return Field::kOther;
  const bool same = size >= 8   ? words_match<std::uint64_t>(name, want)
                    : size >= 4 ? words_match<std::uint32_t>(name, want)
                                : words_match<std::uint16_t>(name, want);
  return same ? static_cast<Field>(candidate) : Field::kOther;
}

std::string_view canonical_name(Field field) {
  return kNames[static_cast<std::size_t>(field)];
}

std::string_view lower_name(Field field) {
  const Folded& folded = kFolded[static_cast<std::size_t>(field)];
  return {folded.lower.data(), folded.size};
}

Method method_from_name(std::string_view name) {
  switch (name.size()) {
    case 3:
      if (name == "GET") return Method::kGet;
      if (name == "PUT") return Method::kPut;
      break;
    case 4:
      if (name == "HEAD") return Method::kHead;
      if (name == "POST") return Method::kPost;
      break;
    case 5:
      if (name == "PATCH") return Method::kPatch;
      if (name == "PURGE") return Method::kPurge;
      if (name == "TRACE") return Method::kTrace;
      break;
    case 6:
      if (name == "DELETE") return Method::kDelete;
      break;
    case 7:
      if (name == "OPTIONS") return Method::kOptions;
      if (name == "CONNECT") return Method::kConnect;
      break;
    default: break;
  }
  return Method::kOther;
}

}  // namespace seawall::http
