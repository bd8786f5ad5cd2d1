// Header fields in the order received, in storage of their own: nothing points into an input buffer, and a map that
// is cleared and filled again does not allocate. Names keep their case as received and are compared without it.
// Lookup is linear over small tokens. Views stay valid until the map is changed. Thread: one owner; const use: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/token.h"

namespace seawall::http {

bool iequals(std::string_view a, std::string_view b);  // ASCII, without case

class HeaderMap {
 public:
  struct View {
    Field field;
    std::string_view name;
    std::string_view value;
  };
  class Iterator {
   public:
    Iterator(const HeaderMap* map, std::size_t i) : map_(map), i_(i) {}
    View operator*() const { return map_->at(i_); }
    Iterator& operator++() {
      ++i_;
      return *this;
    }
    bool operator==(const Iterator& o) const { return i_ == o.i_; }

   private:
    const HeaderMap* map_;
    std::size_t i_;
  };

  void clear() {
    bytes_.clear();
    entries_.clear();
    seen_ = 0;
  }
  void reserve(std::size_t bytes, std::size_t fields) {
    bytes_.reserve(bytes);
    entries_.reserve(fields);
  }

  bool empty() const { return entries_.empty(); }
  std::size_t size() const { return entries_.size(); }
  View at(std::size_t i) const {
    const Entry& e = entries_[i];
    const char* base = bytes_.data();
    return {e.field, {base + e.name_at, e.name_size}, {base + e.value_at, e.value_size}};
  }
  Iterator begin() const { return {this, 0}; }
  Iterator end() const { return {this, entries_.size()}; }

  void add(std::string_view name, std::string_view value) { add(field_from_name(name), name, value); }
  void add(Field field, std::string_view value) { add(field, canonical_name(field), value); }
  // For parsers, which know the token. A whole line at once: `line` starts with the name and ends with the value.
  void add_line(Field field, std::string_view line, std::size_t name_size, std::size_t value_size);
  void add(Field field, std::string_view name, std::string_view value);
  // Replaces every line of that name by one.
  void set(std::string_view name, std::string_view value);
  void set(Field field, std::string_view value);
  void remove(Field field);
  void remove(std::string_view name);

  bool contains(Field field) const { return find_index(field) != kNone; }
  bool contains(std::string_view name) const;
  std::size_t count(Field field) const;
  // The first line's value.
  std::optional<std::string_view> find(Field field) const;
  std::optional<std::string_view> find(std::string_view name) const;
  // All lines joined with ", " (RFC 9110 section 5.3); nullopt when absent.
  std::optional<std::string> combined(Field field) const;
  std::optional<std::string> combined(std::string_view name) const;
  // The same without a copy where there is one line only; several are joined in `scratch`.
  std::optional<std::string_view> combined(Field field, std::string& scratch) const;

  // What the map occupies, for accounting.
  std::size_t heap_bytes() const { return bytes_.capacity() + entries_.capacity() * sizeof(Entry); }

 private:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  struct Entry {
    std::uint32_t name_at;
    std::uint32_t value_at;
    std::uint32_t value_size;
    std::uint16_t name_size;
    Field field;
  };

  void set(Field field, std::string_view name, std::string_view value);
  bool overwrite(Field field, std::string_view name, std::string_view value);
  void push_entry(Field field, std::size_t name_size, std::size_t value_size, std::size_t at);
  static constexpr std::uint64_t bit_of(Field field) {
    static_assert(static_cast<unsigned>(Field::kXForwardedProto) < 64, "one bit for each field");
    return std::uint64_t{1} << static_cast<unsigned>(field);
  }
  std::size_t find_index(Field field) const { return (seen_ & bit_of(field)) == 0 ? kNone : find_seen(field); }
  std::size_t find_seen(Field field) const;
  bool matches(const Entry& e, Field field, std::string_view name) const;
  // Gives back the bytes of replaced and removed lines once they outweigh the rest.
  void compact();

  std::string bytes_;
  std::vector<Entry> entries_;
  // One bit for each known name: a clear one says that there is no such line, which answers most questions at once.
  // Bits are set and, but for clear(), never taken back.
  std::uint64_t seen_ = 0;
};

}  // namespace seawall::http
