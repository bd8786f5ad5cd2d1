// An object as the disk tier keeps it: what disk:: calls a record's head and its variant. Pure. Thread: any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache/object.h"
#include "policy/vary.h"

namespace seawall::cache {

// Everything but key, body, share and purge epoch. The layout is in docs/disk-format.md.
std::string encode_head(const Object& object);
// nullopt: not ours, or of another version. `hash`, key, share, parts and purge epoch are left to the caller.
std::optional<Object::Init> decode_head(std::string_view bytes);

// The same in every process, unlike policy::hash_key().
struct DiskKey {
  std::uint64_t hash = 0;
  std::uint64_t rest = 0;  // what else is known of the key
};
DiskKey disk_key(std::string_view key);
// Of a group, by its name: the same in every process, and never 0.
std::uint32_t disk_label(std::string_view name);
// kPlainVariant without Vary, and only then: the index spends nothing on it. Two keys of one hash then stand in each
// other's way: what is stored or purged of one is gone of the other too, which costs a fetch.
inline constexpr std::uint64_t kPlainVariant = 0;
std::uint64_t disk_variant(const DiskKey& key, const policy::VarySpec& vary, std::string_view selecting_values);

// Until when it is of any use, fresh, stale or to be validated; whole seconds since the Unix epoch.
std::uint32_t usable_until(std::uint16_t status, const http::HeaderMap& fields, const policy::Freshness& freshness);
std::uint32_t usable_until(const Object& object);

}  // namespace seawall::cache
