#include "net/network.h"

#include <arpa/inet.h>

#include <array>
#include <charconv>

namespace seawall::net {

std::optional<Network::Ip> Network::parse_ip(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.size() >= terminated.size() || text.find('\0') != std::string_view::npos) return std::nullopt;
  text.copy(terminated.data(), text.size());
  Ip ip;
  if (::inet_pton(AF_INET, terminated.data(), ip.bytes.data()) == 1) return ip;
  ip.is_v6 = true;
  if (::inet_pton(AF_INET6, terminated.data(), ip.bytes.data()) == 1) return ip;
  return std::nullopt;
}

std::optional<Network> Network::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto ip = parse_ip(text.substr(0, slash));
  if (!ip) return std::nullopt;
  Network network;
  network.ip_ = *ip;
  const std::uint32_t most = ip->is_v6 ? 128 : 32;
  network.bits_ = most;
  if (slash == std::string_view::npos) return network;
  const std::string_view digits = text.substr(slash + 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), network.bits_);
  if (error != std::errc() || end != digits.data() + digits.size() || network.bits_ > most) return std::nullopt;
  return network;
}

bool Network::contains(std::string_view text) const {
  const auto ip = parse_ip(text);
  return ip && contains(*ip);
}

bool Network::contains(const Ip& ip) const {
  if (ip.is_v6 != ip_.is_v6) return false;
  for (std::uint32_t bit = 0; bit < bits_; bit += 8) {
    const std::uint32_t left = bits_ - bit;
    const auto mask = static_cast<std::uint8_t>(left >= 8 ? 0xFF : 0xFF << (8 - left));
    if ((ip.bytes[bit / 8] & mask) != (ip_.bytes[bit / 8] & mask)) return false;
  }
  return true;
}

}  // namespace seawall::net
