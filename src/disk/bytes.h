// Little-endian numbers in and out of byte strings. Pure.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace seawall::disk {

template <std::unsigned_integral T>
constexpr T little_endian(T v) {
  if constexpr (std::endian::native == std::endian::big) return std::byteswap(v);
  return v;
}

template <std::unsigned_integral T>
T load(const char* p) {
  T v;
  std::memcpy(&v, p, sizeof v);
  return little_endian(v);
}

template <std::unsigned_integral T>
void store(char* p, T v) {
  v = little_endian(v);
  std::memcpy(p, &v, sizeof v);
}

template <std::unsigned_integral T>
void append(std::string& out, T v) {
  char bytes[sizeof v];
  store(bytes, v);
  out.append(bytes, sizeof bytes);
}

// Takes from the front; once something was missing it is not ok(), and all further values are 0.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  template <std::unsigned_integral T>
  T take() {
    if (rest_.size() < sizeof(T)) return fail(), T{0};
    const T v = load<T>(&rest_.front());
    rest_.remove_prefix(sizeof(T));
    return v;
  }
  std::string_view take_bytes(std::size_t n) {
    if (rest_.size() < n) return fail(), std::string_view();
    const std::string_view v = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return v;
  }
  bool ok() const { return ok_; }
  std::string_view rest() const { return rest_; }

 private:
  void fail() { ok_ = false, rest_ = {}; }
  std::string_view rest_;
  bool ok_ = true;
};

constexpr std::uint64_t round_up(std::uint64_t n, std::uint64_t to) {
  return (n + to - 1) / to * to;
}

}  // namespace seawall::disk
