#include "net/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <memory>

namespace seawall::net {
namespace {

std::optional<std::uint16_t> parse_port(std::string_view text) {
  if (text.empty() || text.size() > 5 || text[0] < '0' || text[0] > '9') return std::nullopt;
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return port;
}

Address make_v4(const in_addr& ip, std::uint16_t port) {
  sockaddr_in sa{};
  sa.sin_family = AF_INET;
  sa.sin_port = htons(port);
  sa.sin_addr = ip;
  return Address(reinterpret_cast<const sockaddr*>(&sa), sizeof sa);
}

Address make_v6(const in6_addr& ip, std::uint16_t port) {
  sockaddr_in6 sa{};
  sa.sin6_family = AF_INET6;
  sa.sin6_port = htons(port);
  sa.sin6_addr = ip;
  return Address(reinterpret_cast<const sockaddr*>(&sa), sizeof sa);
}

}  // namespace

IpText::IpText(const in_addr& ip) {
  ::inet_ntop(AF_INET, &ip, text_.data(), INET6_ADDRSTRLEN);
}

IpText::IpText(const in6_addr& ip) {
  if (IN6_IS_ADDR_V4MAPPED(&ip)) {
    ::inet_ntop(AF_INET, &ip.s6_addr[12], text_.data(), INET6_ADDRSTRLEN);
  } else {
    ::inet_ntop(AF_INET6, &ip, text_.data(), INET6_ADDRSTRLEN);
  }
}

std::optional<IpText> normalise_ip(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  // inet_pton would stop at a null.
  if (text.size() >= terminated.size() || text.find('\0') != std::string_view::npos) return std::nullopt;
  text.copy(terminated.data(), text.size());
  if (in_addr v4{}; ::inet_pton(AF_INET, terminated.data(), &v4) == 1) return IpText(v4);
  if (in6_addr v6{}; ::inet_pton(AF_INET6, terminated.data(), &v6) == 1) return IpText(v6);
  return std::nullopt;
}

Address::Address(const sockaddr* sa, socklen_t size) : size_(std::min<socklen_t>(size, sizeof storage_)) {
  std::memcpy(&storage_, sa, size_);
}

std::optional<Address> Address::parse(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto port = parse_port(text.substr(colon + 1));
  if (!port) return std::nullopt;
  const std::string_view host = text.substr(0, colon);
  if (host.find('\0') != std::string_view::npos) return std::nullopt;  // inet_pton would stop there
  if (host.empty() || host == "*") {
    Address any = make_v6(in6addr_any, *port);
    any.is_any_family_ = true;
    return any;
  }
  if (host.front() == '[') {
    if (host.size() < 3 || host.back() != ']') return std::nullopt;
    in6_addr ip{};
    if (::inet_pton(AF_INET6, std::string(host.substr(1, host.size() - 2)).c_str(), &ip) != 1) return std::nullopt;
    return make_v6(ip, *port);
  }
  in_addr ip{};
  if (::inet_pton(AF_INET, std::string(host).c_str(), &ip) != 1) return std::nullopt;
  return make_v4(ip, *port);
}

std::uint16_t Address::port() const {
  if (family() == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in*>(&storage_)->sin_port);
  if (family() == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_port);
  return 0;
}

void Address::set_port(std::uint16_t port) {
  if (family() == AF_INET) reinterpret_cast<sockaddr_in*>(&storage_)->sin_port = htons(port);
  if (family() == AF_INET6) reinterpret_cast<sockaddr_in6*>(&storage_)->sin6_port = htons(port);
}

std::string Address::ip() const {
  if (family() == AF_UNIX) return "unix";
  if (family() == AF_INET) return std::string(IpText(reinterpret_cast<const sockaddr_in*>(&storage_)->sin_addr).view());
  if (family() != AF_INET6) return {};
  return std::string(IpText(reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_addr).view());
}

std::string Address::to_string() const {
  if (family() == AF_UNIX)
    return std::string("unix:") + static_cast<const char*>(reinterpret_cast<const sockaddr_un*>(&storage_)->sun_path);
  const std::string digits = std::to_string(port());
  if (is_any_family_) return "*:" + digits;
  const std::string host = ip();
  return (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + digits;
}

std::expected<std::vector<Address>, std::string> resolve(const std::string& host, std::uint16_t port) {
  std::string name = host;
  if (name.size() > 2 && name.front() == '[' && name.back() == ']') name = name.substr(1, name.size() - 2);
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int failure = ::getaddrinfo(name.c_str(), nullptr, &hints, &list);
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> guard(list, [](addrinfo* l) {
    if (l) ::freeaddrinfo(l);
  });
  std::vector<Address> found;
  if (failure == 0) {
    for (const addrinfo* a = list; a; a = a->ai_next) {
      if (a->ai_family != AF_INET && a->ai_family != AF_INET6) continue;
      Address address(a->ai_addr, a->ai_addrlen);
      address.set_port(port);
      if (std::none_of(found.begin(), found.end(), [&](const Address& b) { return address == b; })) {
        found.push_back(address);
      }
    }
  }
  if (found.empty()) {
    const char* reason = failure == 0 ? "no address of a known kind" : ::gai_strerror(failure);
    return std::unexpected("cannot resolve \"" + name + "\": " + reason +
                           "; check the name, or write an address instead");
  }
  return found;
}

}  // namespace seawall::net
