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
  // `ip` as Address::ip() writes it. IPv4 never matches an IPv6 network.
  bool contains(std::string_view ip) const;

 private:
  using Bytes = std::array<std::uint8_t, 16>;
  struct Ip {
    Bytes bytes{};
    bool is_v6 = false;
  };
  static std::optional<Ip> parse_ip(std::string_view text);

  Ip ip_;
  std::uint32_t bits_ = 0;
};

}  // namespace seawall::net
