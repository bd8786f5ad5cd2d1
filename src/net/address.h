// Socket addresses, and names resolved once at start (asynchronous resolution belongs to origin discovery).
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace seawall::net {

// The text of an IP address in place: without an allocation.
class IpText {
 public:
  IpText() = default;
  explicit IpText(const in_addr& ip);
  explicit IpText(const in6_addr& ip);  // v4-mapped addresses as IPv4

  std::string_view view() const { return text_.data(); }
  bool empty() const { return text_[0] == '\0'; }

  friend bool operator==(const IpText& a, const IpText& b) { return a.view() == b.view(); }

 private:
  std::array<char, INET6_ADDRSTRLEN> text_{};
};

// An address in the form that Address::ip() gives; nullopt when it is none.
std::optional<IpText> normalise_ip(std::string_view text);

class Address {
 public:
  Address() = default;
  Address(const sockaddr* sa, socklen_t size);
  // "127.0.0.1:8080", "[::1]:8080", ":8080" and "*:8080" (every IPv6 and IPv4 address). No names.
  static std::optional<Address> parse(std::string_view text);

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t size() const { return size_; }
  int family() const { return storage_.ss_family; }
  // Written as ":8080" or "*:8080": one IPv6 socket that takes IPv4 as well.
  bool is_any_family() const { return is_any_family_; }
  std::uint16_t port() const;
  void set_port(std::uint16_t port);
  std::string ip() const;         // "10.0.0.1", "::1"; v4-mapped addresses as IPv4; "unix" for a Unix socket
  std::string to_string() const;  // with port, as parse() reads it

  friend bool operator==(const Address& a, const Address& b) {
    return a.size_ == b.size_ && std::memcmp(&a.storage_, &b.storage_, a.size_) == 0;
  }

 private:
  sockaddr_storage storage_{};
  socklen_t size_ = 0;
  bool is_any_family_ = false;
};

// Blocking; start-up only. `host` is a name or an address, with or without brackets. The error is text for a person.
std::expected<std::vector<Address>, std::string> resolve(const std::string& host, std::uint16_t port);

}  // namespace seawall::net
