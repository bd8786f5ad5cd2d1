// An address or a network: "10.0.0.0/8", "127.0.0.1", "::1", "fd00::/8". Thread: any.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace seawall::net {

class Network {
 public:
  static std::optional<Network> parse(std::string_view text);

  struct Ip {
    std::array<std::uint8_t, 16> bytes{};
    bool is_v6 = false;
  };
  // `text` as Address::ip() writes it.
  static std::optional<Ip> parse_ip(std::string_view text);

  // IPv4 never matches an IPv6 network.
  bool contains(const Ip& ip) const;
  bool contains(std::string_view ip) const;  // of nothing that is no address

 private:
  Ip ip_;
  std::uint32_t bits_ = 0;
};

}  // namespace seawall::net
