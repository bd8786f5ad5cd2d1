#include "net/proxy_protocol.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace seawall::net {
namespace {

using std::string_view_literals::operator""sv;
using Status = ProxyParse::Status;

constexpr std::string_view kV1Prefix = "PROXY "sv;
constexpr std::string_view kV2Signature = "\r\n\r\n\0\r\nQUIT\n"sv;
constexpr std::size_t kMaxV1Bytes = 107;  // CRLF included
constexpr std::size_t kV2FixedBytes = 16;
constexpr std::size_t kMaxUniqueIdBytes = 128;
constexpr std::size_t kChecksumBytes = 4;

constexpr std::uint8_t kCommandLocal = 0x20;
constexpr std::uint8_t kCommandProxy = 0x21;

// Address family and transport in one byte.
enum : std::uint8_t {
  kUnspecified = 0x00,
  kTcp4 = 0x11,
  kUdp4 = 0x12,
  kTcp6 = 0x21,
  kUdp6 = 0x22,
  kUnixStream = 0x31,
  kUnixDatagram = 0x32,
};

enum : std::uint8_t {
  kTypeAlpn = 0x01,
  kTypeAuthority = 0x02,
  kTypeCrc32c = 0x03,
  kTypeUniqueId = 0x05,
  kTypeSsl = 0x20,
  kSubtypeSslVersion = 0x21,
  kSubtypeSslCommonName = 0x22,
};

std::uint8_t byte_at(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint8_t>(bytes[at]);
}

std::uint16_t uint16_at(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint16_t>(byte_at(bytes, at) << 8 | byte_at(bytes, at + 1));
}

std::uint32_t uint32_at(std::string_view bytes, std::size_t at) {
  return std::uint32_t{uint16_at(bytes, at)} << 16 | uint16_at(bytes, at + 2);
}

void append_uint16(std::string& out, std::size_t number) {
  out += static_cast<char>(number >> 8 & 0xFF);
  out += static_cast<char>(number & 0xFF);
}

// RFC 4960 appendix B: the reflected polynomial of CRC32c.
constexpr auto kCrcTable = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82F63B78U : 0U);
    table[byte] = crc;
  }
  return table;
}();

// Of `bytes`, taking those at `zeroed` for zeros.
std::uint32_t crc32c(std::string_view bytes, std::size_t zeroed) {
  std::uint32_t crc = 0xFFFFFFFF;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const bool is_zeroed = i >= zeroed && i < zeroed + kChecksumBytes;
    crc = crc >> 8 ^ kCrcTable[(crc ^ (is_zeroed ? 0U : byte_at(bytes, i))) & 0xFF];
  }
  return ~crc;
}

Address make_address(int family, const void* ip, std::uint16_t port) {
  if (family == AF_INET) {
    sockaddr_in sa{};
    sa.sin_family = AF_INET;
    sa.sin_port = htons(port);
    std::memcpy(&sa.sin_addr, ip, sizeof sa.sin_addr);
    return Address(reinterpret_cast<const sockaddr*>(&sa), sizeof sa);
  }
  sockaddr_in6 sa{};
  sa.sin6_family = AF_INET6;
  sa.sin6_port = htons(port);
  std::memcpy(&sa.sin6_addr, ip, sizeof sa.sin6_addr);
  return Address(reinterpret_cast<const sockaddr*>(&sa), sizeof sa);
}

ProxyParse malformed(std::string_view problem) {
  return {.status = Status::kMalformed, .header = {}, .problem = problem};
}

// What stands before the next space, or all of it; taken off `line` with that space.
std::string_view take_field(std::string_view& line) {
  const std::size_t space = line.find(' ');
  const std::string_view field = line.substr(0, space);
  line.remove_prefix(space == std::string_view::npos ? line.size() : space + 1);
  return field;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text[0] == '0' && text.size() > 1)) return std::nullopt;
  if (text.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc()) return std::nullopt;
  return port;
}

std::optional<Address> parse_address(int family, std::string_view ip, std::string_view port_text) {
  const auto port = parse_port(port_text);
  if (!port || ip.size() >= INET6_ADDRSTRLEN || ip.find('\0') != std::string_view::npos) return std::nullopt;
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  std::ranges::copy(ip, terminated.begin());
  in6_addr binary{};  // as strict as the format asks: no leading zeros, exactly 128 bits
  if (::inet_pton(family, terminated.data(), &binary) != 1) return std::nullopt;
  return make_address(family, &binary, *port);
}

ProxyParse parse_v1(std::string_view bytes) {
  // "The receiver must not tolerate a single CR or LF character."
  const std::size_t end = bytes.substr(0, kMaxV1Bytes).find_first_of("\r\n");
  if (end == std::string_view::npos) {
    if (bytes.size() >= kMaxV1Bytes) return malformed("a line of more than 107 bytes");
    return {};
  }
  if (bytes[end] == '\n') return malformed("a line that ends without CR");
  if (end + 2 > kMaxV1Bytes) return malformed("a line of more than 107 bytes");
  if (end + 1 == bytes.size()) return {};
  if (bytes[end + 1] != '\n') return malformed("a line that ends without LF");

  ProxyParse parsed{.status = Status::kComplete, .header = {.consumed = end + 2, .version = ProxyVersion::kV1}};
  std::string_view line = bytes.substr(kV1Prefix.size(), end - kV1Prefix.size());
  const std::string_view family_text = take_field(line);
  if (family_text == "UNKNOWN") return parsed;  // with anything behind it
  if (family_text != "TCP4" && family_text != "TCP6") return malformed("neither TCP4, TCP6 nor UNKNOWN");
  const int family = family_text == "TCP4" ? AF_INET : AF_INET6;
  const std::string_view source_ip = take_field(line);
  const std::string_view destination_ip = take_field(line);
  const std::string_view source_port = take_field(line);
  parsed.header.source = parse_address(family, source_ip, source_port);
  parsed.header.destination = parse_address(family, destination_ip, line);
  if (!parsed.header.source || !parsed.header.destination) return malformed("an address or port that is none");
  return parsed;
}

// A type-length-value vector, taken off `rest`; nullopt: it does not fit.
struct Vector {
  std::uint8_t type = 0;
  std::string_view value;
};
std::optional<Vector> take_vector(std::string_view& rest) {
  constexpr std::size_t kHead = 3;
  if (rest.size() < kHead) return std::nullopt;
  const std::size_t size = uint16_at(rest, 1);
  if (rest.size() - kHead < size) return std::nullopt;
  const Vector vector{.type = byte_at(rest, 0), .value = rest.substr(kHead, size)};
  rest.remove_prefix(kHead + size);
  return vector;
}

constexpr std::string_view kPastTheEnd = "a vector that goes past the end";

// What is wrong; empty: nothing.
std::string_view read_ssl(std::string_view value, ProxySsl& ssl) {
  constexpr std::size_t kFixed = 5;
  if (value.size() < kFixed) return kPastTheEnd;
  const std::uint8_t client = byte_at(value, 0);
  ssl.is_tls = (client & 0x01) != 0;
  ssl.has_certificate = (client & 0x02) != 0;
  ssl.has_session_certificate = (client & 0x04) != 0;
  ssl.verify = uint32_at(value, 1);
  for (std::string_view rest = value.substr(kFixed); !rest.empty();) {
    const auto vector = take_vector(rest);
    if (!vector) return kPastTheEnd;
    if (vector->type == kSubtypeSslVersion) ssl.version = vector->value;
    if (vector->type == kSubtypeSslCommonName) ssl.common_name = vector->value;
  }
  return {};
}

std::string_view read_vectors(std::string_view header, std::size_t begin, ProxyHeader& out) {
  bool has_checksum = false;
  for (std::string_view rest = header.substr(begin); !rest.empty();) {
    const auto vector = take_vector(rest);
    if (!vector) return kPastTheEnd;
    const std::string_view value = vector->value;
    switch (vector->type) {
      case kTypeAlpn: out.alpn = value; break;
      case kTypeAuthority: out.authority = value; break;
      case kTypeUniqueId:
        if (value.size() > kMaxUniqueIdBytes) return "a unique id of more than 128 bytes";
        out.unique_id = value;
        break;
      case kTypeSsl:
        if (const std::string_view problem = read_ssl(value, out.ssl.emplace()); !problem.empty()) return problem;
        break;
      case kTypeCrc32c: {
        // Of two, which would have been zero when the other was computed?
        if (has_checksum || value.size() != kChecksumBytes) return "a checksum that is none";
        has_checksum = true;
        const auto at = static_cast<std::size_t>(value.data() - header.data());
        if (crc32c(header, at) != uint32_at(value, 0)) return "a wrong checksum";
        break;
      }
      default: break;
    }
  }
  return {};
}

// How many bytes of addresses that family has; nullopt: there is no such family.
std::optional<std::size_t> address_bytes(std::uint8_t family) {
  switch (family) {
    case kTcp4:
    case kUdp4: return 12;
    case kTcp6:
    case kUdp6: return 36;
    case kUnixStream:
    case kUnixDatagram: return 216;
    default: return std::nullopt;
  }
}

ProxyParse parse_v2(std::string_view bytes) {
  constexpr std::size_t kCommandAt = 12;
  constexpr std::size_t kFamilyAt = 13;
  constexpr std::size_t kLengthAt = 14;
  if (bytes.size() <= kCommandAt) return {};
  const std::uint8_t command = byte_at(bytes, kCommandAt);
  if (command >> 4 != 2) return malformed("a version that is not 2");
  if (command != kCommandLocal && command != kCommandProxy) return malformed("neither LOCAL nor PROXY");
  if (bytes.size() < kV2FixedBytes) return {};
  const std::size_t total = kV2FixedBytes + uint16_at(bytes, kLengthAt);
  if (total > kMaxProxyHeaderBytes) return malformed("a header of more than 4096 bytes");
  if (bytes.size() < total) return {};

  ProxyParse parsed{.status = Status::kComplete, .header = {.consumed = total, .version = ProxyVersion::kV2}};
  ProxyHeader& header = parsed.header;
  if (command == kCommandLocal) {
    // The rest is to be discarded, the family included.
    header.command = ProxyHeader::Command::kLocal;
    return parsed;
  }
  const std::uint8_t family = byte_at(bytes, kFamilyAt);
  if (family >> 4 > 3 || (family & 0x0F) > 2) return malformed("a family or transport that does not exist");
  const auto addresses = address_bytes(family);
  // Unspecified: how long the addresses are is not known, and so not where vectors begin.
  if (!addresses) return parsed;
  if (total < kV2FixedBytes + *addresses) return malformed("addresses that go past the end");
  const std::string_view block = bytes.substr(kV2FixedBytes, *addresses);
  if (family == kTcp4) {
    header.source = make_address(AF_INET, block.data(), uint16_at(block, 8));
    header.destination = make_address(AF_INET, block.data() + 4, uint16_at(block, 10));
  } else if (family == kTcp6) {
    header.source = make_address(AF_INET6, block.data(), uint16_at(block, 32));
    header.destination = make_address(AF_INET6, block.data() + 16, uint16_at(block, 34));
  }
  const std::string_view problem = read_vectors(bytes.substr(0, total), kV2FixedBytes + *addresses, header);
  return problem.empty() ? parsed : malformed(problem);
}

bool is_ip(const Address& address) {
  return address.family() == AF_INET || address.family() == AF_INET6;
}

bool is_mapped(const Address& address) {
  return address.family() == AF_INET6 && address.ip().find(':') == std::string::npos;
}

// The bytes of the address in that family: mapped to IPv6, or out of it.
std::string binary_ip(const Address& address, int family) {
  if (address.family() == AF_INET) {
    const in_addr& ip = reinterpret_cast<const sockaddr_in*>(address.get())->sin_addr;
    const std::string bytes(reinterpret_cast<const char*>(&ip), sizeof ip);
    return family == AF_INET ? bytes : std::string(10, '\0') + "\xFF\xFF" + bytes;
  }
  const in6_addr& ip = reinterpret_cast<const sockaddr_in6*>(address.get())->sin6_addr;
  const std::string bytes(reinterpret_cast<const char*>(&ip), sizeof ip);
  return family == AF_INET ? bytes.substr(12) : bytes;
}

std::string text_ip(const Address& address, int family) {
  const std::string binary = binary_ip(address, family);
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(family, binary.data(), text.data(), text.size());
  return text.data();
}

}  // namespace

ProxyParse parse_proxy_header(std::string_view bytes) {
  for (const std::string_view prefix : {kV1Prefix, kV2Signature}) {
    if (bytes.starts_with(prefix)) return prefix == kV1Prefix ? parse_v1(bytes) : parse_v2(bytes);
    if (prefix.starts_with(bytes)) return {};
  }
  return {.status = Status::kAbsent, .header = {}};
}

std::string proxy_header(ProxyVersion version, const Address& source, const Address& destination) {
  if (version == ProxyVersion::kOff) return {};
  const bool is_known = is_ip(source) && is_ip(destination);
  // Both of one family: IPv4 where both are, in whichever form.
  const auto is_v4 = [](const Address& address) { return address.family() == AF_INET || is_mapped(address); };
  const int family = is_known && is_v4(source) && is_v4(destination) ? AF_INET : AF_INET6;
  std::string out;
  if (version == ProxyVersion::kV1) {
    out = kV1Prefix;
    if (is_known) {
      out += family == AF_INET ? "TCP4 " : "TCP6 ";
      out += text_ip(source, family) + ' ' + text_ip(destination, family) + ' ' + std::to_string(source.port()) + ' ' +
             std::to_string(destination.port());
    } else {
      out += "UNKNOWN";
    }
    return out + "\r\n";
  }
  std::string addresses;
  if (is_known) {
    addresses = binary_ip(source, family) + binary_ip(destination, family);
    append_uint16(addresses, source.port());
    append_uint16(addresses, destination.port());
  }
  out = kV2Signature;
  out += static_cast<char>(kCommandProxy);
  out += static_cast<char>(!is_known ? kUnspecified : family == AF_INET ? kTcp4 : kTcp6);
  append_uint16(out, addresses.size());
  return out + addresses;
}

std::string local_proxy_header(ProxyVersion version) {
  switch (version) {
    case ProxyVersion::kOff: return {};
    case ProxyVersion::kV1: return std::string(kV1Prefix) + "UNKNOWN\r\n";
    case ProxyVersion::kV2: break;
  }
  std::string out(kV2Signature);
  out += static_cast<char>(kCommandLocal);
  out += static_cast<char>(kUnspecified);
  append_uint16(out, 0);
  return out;
}

}  // namespace seawall::net
