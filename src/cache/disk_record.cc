#include "cache/disk_record.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <concepts>
#include <limits>
#include <utility>

#include "policy/validation.h"

namespace seawall::cache {
namespace {

// A change of the head's layout needs a new one, and a golden file for it in tests/unit/cache/golden.
constexpr std::uint8_t kVersion = 2;  // 1: another variant for what has no Vary
constexpr std::uint64_t kVariantSeed = 1;
constexpr std::uint32_t kMaxLines = 10'000;
// What has a validator may be asked about for that long after nothing else may be done with it.
constexpr Seconds kValidatable{86'400};

enum Flag : std::uint8_t {
  kNoContentLength = 1,
  kExplicit = 2,
  kMustRevalidate = 4,
  kNoCache = 8,
  kImmutable = 16,
};

// Little-endian, lengths before texts.
class Writer {
 public:
  template <std::integral T>
  void number(T value) {
    auto bits = static_cast<std::make_unsigned_t<T>>(value);
    for (std::size_t i = 0; i < sizeof(T); ++i) {
      out_ += static_cast<char>(bits & 0xFF);
      if constexpr (sizeof(T) > 1) bits = static_cast<std::make_unsigned_t<T>>(bits >> 8);
    }
  }
  void text(std::string_view value) {
    number(static_cast<std::uint32_t>(value.size()));
    out_ += value;
  }
  void texts(const std::vector<std::string>& list) {
    number(static_cast<std::uint32_t>(list.size()));
    for (const std::string& item : list) text(item);
  }
  void fields(const http::HeaderMap& map) {
    number(static_cast<std::uint32_t>(map.size()));
    for (const auto field : map) {
      text(field.name);
      text(field.value);
    }
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

// Every read is bounded by what is left; one that fails makes all that follow fail.
class Reader {
 public:
  explicit Reader(std::string_view in) : in_(in) {}

  template <std::integral T>
  T number() {
    if (!has(sizeof(T))) return {};
    std::make_unsigned_t<T> bits = 0;
    for (std::size_t i = sizeof(T); i-- > 0;) {
      if constexpr (sizeof(T) > 1) bits = static_cast<std::make_unsigned_t<T>>(bits << 8);
      bits = static_cast<std::make_unsigned_t<T>>(bits | static_cast<std::uint8_t>(in_[i]));
    }
    in_.remove_prefix(sizeof(T));
    return static_cast<T>(bits);
  }
  std::string_view text() {
    const auto size = number<std::uint32_t>();
    if (!has(size)) return {};
    const std::string_view value = in_.substr(0, size);
    in_.remove_prefix(size);
    return value;
  }
  std::vector<std::string> texts() {
    std::vector<std::string> list;
    for (std::uint32_t left = lines(); left > 0 && is_good_; --left) list.emplace_back(text());
    return list;
  }
  http::HeaderMap fields() {
    http::HeaderMap map;
    for (std::uint32_t left = lines(); left > 0 && is_good_; --left) {
      const std::string_view name = text();
      map.add(name, text());
    }
    return map;
  }
  // All of it was there, and nothing else.
  bool is_done() const { return is_good_ && in_.empty(); }

 private:
  bool has(std::size_t bytes) {
    is_good_ = is_good_ && bytes <= in_.size();
    return is_good_;
  }
  std::uint32_t lines() {
    const auto n = number<std::uint32_t>();
    is_good_ = is_good_ && n <= kMaxLines;
    return n;
  }

  std::string_view in_;
  bool is_good_ = true;
};

}  // namespace

std::string encode_head(const Object& object) {
  const policy::Freshness& f = object.freshness();
  Writer out;
  out.number(kVersion);
  out.number(object.status());
  out.number(static_cast<std::uint8_t>((object.sends_content_length() ? 0 : kNoContentLength) |
                                       (f.is_explicit ? kExplicit : 0) | (f.must_revalidate ? kMustRevalidate : 0) |
                                       (f.no_cache ? kNoCache : 0) | (f.immutable ? kImmutable : 0)));
  out.number(object.complete_length());
  out.number(object.fetch_ms());
  out.number(f.response_time.unix_ms);
  for (const Seconds seconds : {f.corrected_initial_age, f.lifetime, f.stale_while_revalidate, f.stale_if_error}) {
    out.number(static_cast<std::int64_t>(seconds.count()));
  }
  out.text(object.reason());
  out.fields(object.headers());
  out.fields(object.trailers());
  out.number(static_cast<std::uint8_t>(object.vary().any));
  out.texts(object.vary().names);
  out.text(object.selecting_values());
  out.texts(object.tags());
  return out.take();
}

std::optional<Object::Init> decode_head(std::string_view bytes) {
  Reader in(bytes);
  if (in.number<std::uint8_t>() != kVersion) return std::nullopt;
  Object::Init init;
  init.status = in.number<std::uint16_t>();
  const auto flags = in.number<std::uint8_t>();
  init.no_content_length = (flags & kNoContentLength) != 0;
  init.complete_length = in.number<std::uint64_t>();
  init.fetch_ms = in.number<std::uint32_t>();
  policy::Freshness& f = init.freshness;
  f.response_time = WallTime{in.number<std::int64_t>()};
  for (Seconds* seconds : {&f.corrected_initial_age, &f.lifetime, &f.stale_while_revalidate, &f.stale_if_error}) {
    *seconds = Seconds(in.number<std::int64_t>());
  }
  f.is_explicit = (flags & kExplicit) != 0;
  f.must_revalidate = (flags & kMustRevalidate) != 0;
  f.no_cache = (flags & kNoCache) != 0;
  f.immutable = (flags & kImmutable) != 0;
  init.reason = in.text();
  init.headers = in.fields();
  init.trailers = in.fields();
  init.vary.any = in.number<std::uint8_t>() != 0;
  init.vary.names = in.texts();
  init.selecting_values = in.text();
  init.tags = in.texts();
  if (!in.is_done()) return std::nullopt;
  return init;
}

DiskKey disk_key(std::string_view key) {
  const XXH128_hash_t hash = XXH3_128bits(key.data(), key.size());
  return {.hash = hash.high64, .rest = hash.low64};
}

std::uint32_t disk_label(std::string_view name) {
  return std::max(static_cast<std::uint32_t>(XXH3_64bits(name.data(), name.size())), std::uint32_t{1});
}

std::uint64_t disk_variant(const DiskKey& key, const policy::VarySpec& vary, std::string_view selecting_values) {
  if (vary.empty()) return kPlainVariant;
  std::string text;
  for (const std::string& name : vary.names) text.append(name).append(1, '\n');
  text.append(1, '\n').append(selecting_values);
  const std::uint64_t variant = key.rest ^ XXH3_64bits_withSeed(text.data(), text.size(), kVariantSeed);
  return variant == kPlainVariant ? 1 : variant;
}

std::uint32_t usable_until(const Object& object) {
  return usable_until(object.status(), object.headers(), object.freshness());
}

std::uint32_t usable_until(std::uint16_t status, const http::HeaderMap& fields, const policy::Freshness& f) {
  const Seconds stale = std::max(f.stale_while_revalidate, f.stale_if_error);
  const Seconds validatable = policy::can_validate(status, fields) ? kValidatable : Seconds{0};
  const std::int64_t until = f.response_time.unix_ms / 1000 - f.corrected_initial_age.count() + f.lifetime.count() +
                             stale.count() + validatable.count();
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(until, 0, std::numeric_limits<std::uint32_t>::max()));
}

}  // namespace seawall::cache
