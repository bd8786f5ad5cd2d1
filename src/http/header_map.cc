#include "http/header_map.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "http/chars.h"

namespace seawall::http {
namespace {

// What may lie unused in a map.
constexpr std::size_t kSlackBytes = 1024;

}  // namespace

bool iequals(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower_of(a[i]) != lower_of(b[i])) return false;
  }
  return true;
}

void HeaderMap::push_entry(Field field, std::size_t name_size, std::size_t value_size, std::size_t at) {
  SW_CHECK(name_size <= 0xffff, "field name longer than its parser's limit");
  SW_CHECK(bytes_.size() <= 0xffff'ffff, "header section longer than its parser's limit");
  seen_ |= bit_of(field);
  entries_.push_back({.name_at = static_cast<std::uint32_t>(at),
                      .value_at = static_cast<std::uint32_t>(bytes_.size() - value_size),
                      .value_size = static_cast<std::uint32_t>(value_size),
                      .name_size = static_cast<std::uint16_t>(name_size),
                      .field = field});
}

void HeaderMap::add(Field field, std::string_view name, std::string_view value) {
  const std::size_t at = bytes_.size();
  const std::size_t need = at + name.size() + value.size();
  if (need > bytes_.capacity()) {
    // The arguments may be views of this very map: the old bytes stay until they have been copied.
    std::string grown;
    grown.reserve(std::max(need, 2 * bytes_.capacity()));
    grown.append(bytes_).append(name).append(value);
    bytes_.swap(grown);
  } else {
    bytes_.append(name).append(value);
  }
  push_entry(field, name.size(), value.size(), at);
}

void HeaderMap::add_line(Field field, std::string_view line, std::size_t name_size, std::size_t value_size) {
  const std::size_t at = bytes_.size();
  bytes_.append(line);
  push_entry(field, name_size, value_size, at);
}

bool HeaderMap::matches(const Entry& e, Field field, std::string_view name) const {
  if (e.field != field) return false;
  return field != Field::kOther || iequals({bytes_.data() + e.name_at, e.name_size}, name);
}

std::size_t HeaderMap::find_seen(Field field) const {
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (entries_[i].field == field) return i;
  }
  return kNone;
}

void HeaderMap::set(std::string_view name, std::string_view value) {
  set(field_from_name(name), name, value);
}

void HeaderMap::set(Field field, std::string_view value) {
  set(field, canonical_name(field), value);
}

void HeaderMap::set(Field field, std::string_view name, std::string_view value) {
  if (overwrite(field, name, value)) return;
  // Added first, then moved to the place of the first old line, so that `name` and `value` may be views of this map.
  add(field, name, value);
  const Entry fresh = entries_.back();
  entries_.pop_back();
  const std::string_view kept_name{bytes_.data() + fresh.name_at, fresh.name_size};
  const auto is_old = [&](const Entry& e) { return matches(e, field, kept_name); };
  const auto first = std::find_if(entries_.begin(), entries_.end(), is_old);
  if (first == entries_.end()) {
    entries_.push_back(fresh);
    return;
  }
  *first = fresh;
  entries_.erase(std::remove_if(first + 1, entries_.end(), is_old), entries_.end());
  compact();
}

// False: there is not just one line of that name, so written, with a value at least as long, and not by far.
bool HeaderMap::overwrite(Field field, std::string_view name, std::string_view value) {
  Entry* only = nullptr;
  for (Entry& e : entries_) {
    if (!matches(e, field, name)) continue;
    if (only || value.size() > e.value_size || e.value_size - value.size() > kSlackBytes) return false;
    only = &e;
  }
  if (!only || name != std::string_view{bytes_.data() + only->name_at, only->name_size}) return false;
  // It may be a view of this map.
  std::char_traits<char>::move(bytes_.data() + only->value_at, value.data(), value.size());
  only->value_size = static_cast<std::uint32_t>(value.size());
  return true;
}

void HeaderMap::remove(Field field) {
  if (std::erase_if(entries_, [&](const Entry& e) { return e.field == field; }) != 0) compact();
}

void HeaderMap::remove(std::string_view name) {
  const Field field = field_from_name(name);
  if (std::erase_if(entries_, [&](const Entry& e) { return matches(e, field, name); }) != 0) compact();
}

void HeaderMap::compact() {
  std::size_t live = 0;
  for (const Entry& e : entries_) live += e.name_size + e.value_size;
  if (bytes_.size() <= 2 * live + kSlackBytes) return;
  HeaderMap fresh;
  fresh.reserve(2 * live, entries_.size());
  for (const View v : *this) fresh.add(v.field, v.name, v.value);
  std::swap(*this, fresh);
}

bool HeaderMap::contains(std::string_view name) const {
  return find(name).has_value();
}

std::size_t HeaderMap::count(Field field) const {
  if ((seen_ & bit_of(field)) == 0) return 0;
  return static_cast<std::size_t>(
      std::count_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.field == field; }));
}

std::optional<std::string_view> HeaderMap::find(Field field) const {
  const std::size_t i = find_index(field);
  if (i == kNone) return std::nullopt;
  return at(i).value;
}

std::optional<std::string_view> HeaderMap::find(std::string_view name) const {
  const Field field = field_from_name(name);
  if ((seen_ & bit_of(field)) == 0) return std::nullopt;
  for (const Entry& e : entries_) {
    if (matches(e, field, name)) return std::string_view{bytes_.data() + e.value_at, e.value_size};
  }
  return std::nullopt;
}

std::optional<std::string> HeaderMap::combined(Field field) const {
  return combined(canonical_name(field));
}

std::optional<std::string_view> HeaderMap::combined(Field field, std::string& scratch) const {
  if (count(field) < 2) return find(field);
  scratch = *combined(field);
  return scratch;
}

std::optional<std::string> HeaderMap::combined(std::string_view name) const {
  const Field field = field_from_name(name);
  std::optional<std::string> out;
  for (const Entry& e : entries_) {
    if (!matches(e, field, name)) continue;
    if (!out) {
      out.emplace();
    } else {
      out->append(", ");
    }
    out->append(bytes_.data() + e.value_at, e.value_size);
  }
  return out;
}

}  // namespace seawall::http
