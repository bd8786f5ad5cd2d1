// PROXY headers: what is read of them whole and byte by byte, what is refused, what is written.
#include "net/proxy_protocol.h"

#include <boost/test/unit_test.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace seawall::net {
namespace {

using Status = ProxyParse::Status;
using std::string_literals::operator""s;

const std::string kSignature = "\r\n\r\n\0\r\nQUIT\n"s;

std::string uint16(std::size_t number) {
  return {static_cast<char>(number >> 8), static_cast<char>(number & 0xFF)};
}

std::string vector(int type, const std::string& value) {
  return static_cast<char>(type) + uint16(value.size()) + value;
}

std::string v2(int command, int family, const std::string& rest) {
  return kSignature + static_cast<char>(command) + static_cast<char>(family) + uint16(rest.size()) + rest;
}

// 192.0.2.1:56324 to 198.51.100.7:443.
const std::string kIpv4 = "\xC0\x00\x02\x01\xC6\x33\x64\x07\xDC\x04\x01\xBB"s;
// 2001:db8::1 and 2001:db8::2, likewise.
const std::string kIpv6 = "\x20\x01\x0D\xB8"s + std::string(11, '\0') + "\x01" + "\x20\x01\x0D\xB8"s +
                          std::string(11, '\0') + "\x02" + "\xDC\x04\x01\xBB"s;

// The header with the checksum that belongs there, or with some of its bits turned.
std::string with_checksum(const std::string& before, const std::string& behind, std::uint32_t flip = 0) {
  std::string bytes = v2(0x21, 0x11, kIpv4 + before + vector(0x03, std::string(4, '\0')) + behind);
  std::uint32_t crc = 0xFFFFFFFF;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? crc >> 1 ^ 0x82F63B78U : crc >> 1;
  }
  crc = ~crc ^ flip;
  const std::size_t at = bytes.size() - behind.size() - 4;
  for (std::size_t i = 0; i < 4; ++i) bytes[at + i] = static_cast<char>(crc >> (24 - 8 * i));
  return bytes;
}

std::string text_of(const std::optional<Address>& address) {
  return address ? address->to_string() : "-";
}

// All that a header says, in a line.
std::string text_of(const ProxyParse& parsed) {
  switch (parsed.status) {
    case Status::kIncomplete: return "incomplete";
    case Status::kAbsent: return "absent";
    case Status::kMalformed: return "malformed: " + std::string(parsed.problem);
    case Status::kComplete: break;
  }
  const ProxyHeader& h = parsed.header;
  std::string text = h.version == ProxyVersion::kV1 ? "v1" : "v2";
  if (h.command == ProxyHeader::Command::kLocal) text += " local";
  text += " " + text_of(h.source) + " " + text_of(h.destination);
  if (!h.authority.empty()) text += " authority=" + h.authority;
  if (!h.alpn.empty()) text += " alpn=" + h.alpn;
  if (!h.unique_id.empty()) text += " id=" + h.unique_id;
  if (h.ssl) {
    text += std::string(" ssl=") + (h.ssl->is_tls ? "t" : "-") + (h.ssl->has_certificate ? "c" : "-") +
            (h.ssl->has_session_certificate ? "s" : "-") + std::to_string(h.ssl->verify) + "," + h.ssl->version + "," +
            h.ssl->common_name;
  }
  return text;
}

struct Row {
  const char* name;
  std::string bytes;
  std::string want;
};

BOOST_AUTO_TEST_SUITE(net_proxy_protocol)

const std::string kFar = "v2 192.0.2.1:56324 198.51.100.7:443";

const std::vector<Row> kGood = {
    {"IPv4", "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n", "v1 192.168.0.1:56324 192.168.0.11:443"},
    {"IPv4, longest", "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
     "v1 255.255.255.255:65535 255.255.255.255:65535"},
    {"port 0", "PROXY TCP4 10.0.0.1 10.0.0.2 0 0\r\n", "v1 10.0.0.1:0 10.0.0.2:0"},
    {"IPv6", "PROXY TCP6 2001:DB8::1 ::1 1 2\r\n", "v1 [2001:db8::1]:1 [::1]:2"},
    {"IPv6, longest",
     "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
     "v1 [ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535 [ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
    {"IPv4 in IPv6", "PROXY TCP6 ::ffff:10.0.0.1 ::1 1 2\r\n", "v1 10.0.0.1:1 [::1]:2"},
    {"unknown", "PROXY UNKNOWN\r\n", "v1 - -"},
    {"unknown, longest",
     "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
     "v1 - -"},
    {"unknown with anything", "PROXY UNKNOWN \x01 what ever\r\n", "v1 - -"},
    {"TCP over IPv4", v2(0x21, 0x11, kIpv4), kFar},
    {"TCP over IPv6", v2(0x21, 0x21, kIpv6), "v2 [2001:db8::1]:56324 [2001:db8::2]:443"},
    {"datagrams", v2(0x21, 0x12, kIpv4), "v2 - -"},
    {"datagrams over IPv6, with a vector", v2(0x21, 0x22, kIpv6 + vector(0x02, "a.test")), "v2 - - authority=a.test"},
    {"Unix sockets", v2(0x21, 0x31, std::string(216, 'x') + vector(0x02, "a.test")), "v2 - - authority=a.test"},
    {"unspecified", v2(0x21, 0x00, ""), "v2 - -"},
    {"unspecified, with bytes of no meaning", v2(0x21, 0x00, "anything"), "v2 - -"},
    {"unspecified transport", v2(0x21, 0x10, "anything"), "v2 - -"},
    {"local", v2(0x20, 0x00, ""), "v2 local - -"},
    {"local with addresses, which do not count", v2(0x20, 0x11, kIpv4), "v2 local - -"},
    {"local with a family that does not exist", v2(0x20, 0xFF, "xyz"), "v2 local - -"},
    {"the largest", v2(0x21, 0x11, kIpv4 + vector(0x04, std::string(4096 - 16 - 12 - 3, '\0'))), kFar},
    {"vectors",
     v2(0x21, 0x11,
        kIpv4 + vector(0x01, "h2") + vector(0x02, "shop.test") + vector(0x04, "padding") + vector(0x05, "id-1") +
            vector(0x30, "netns") + vector(0xE0, "") + vector(0xEA, "vpce-1")),
     kFar + " authority=shop.test alpn=h2 id=id-1"},
    {"TLS without a certificate", v2(0x21, 0x11, kIpv4 + vector(0x20, "\x01\0\0\0\x01"s + vector(0x21, "TLSv1.3"))),
     kFar + " ssl=t--1,TLSv1.3,"},
    {"TLS with one",
     v2(0x21, 0x11,
        kIpv4 + vector(0x20, "\x07\0\0\0\0"s + vector(0x21, "TLSv1.2") + vector(0x22, "client") +
                                 vector(0x23, "ECDHE-RSA-AES128-GCM-SHA256") + vector(0x25, "RSA2048"))),
     kFar + " ssl=tcs0,TLSv1.2,client"},
    {"no TLS", v2(0x21, 0x11, kIpv4 + vector(0x20, "\0\0\0\0\x01"s)), kFar + " ssl=---1,,"},
    {"unique id, longest", v2(0x21, 0x11, kIpv4 + vector(0x05, std::string(128, 'i'))),
     kFar + " id=" + std::string(128, 'i')},
    // Computed with another implementation.
    {"checksum", v2(0x21, 0x11, kIpv4 + vector(0x03, "\xD4\x5A\x11\xB9"s)), kFar},
    {"checksum among others", with_checksum(vector(0x02, "a.test"), vector(0x01, "h2")),
     kFar + " authority=a.test alpn=h2"},
};

const std::vector<Row> kBad = {
    {"LF alone", "PROXY TCP4 10.0.0.1 10.0.0.2 1 2\n", "a line that ends without CR"},
    {"LF in front of CRLF", "PROXY TCP4 10.0.0.1 10.0.0.2 1 2\n\r\n", "a line that ends without CR"},
    {"CR alone", "PROXY TCP4 10.0.0.1 10.0.0.2 1 2\rx", "a line that ends without LF"},
    {"CR in the middle", "PROXY UNKNOWN \r \r\n", "a line that ends without LF"},
    {"a byte too long", "PROXY UNKNOWN" + std::string(107 - 13 - 1, ' ') + "\r\n", "a line of more than 107 bytes"},
    {"no end", "PROXY UNKNOWN" + std::string(107 - 13, ' '), "a line of more than 107 bytes"},
    {"another protocol", "PROXY UDP4 10.0.0.1 10.0.0.2 1 2\r\n", "neither TCP4, TCP6 nor UNKNOWN"},
    {"lower case", "PROXY tcp4 10.0.0.1 10.0.0.2 1 2\r\n", "neither TCP4, TCP6 nor UNKNOWN"},
    {"no protocol", "PROXY \r\n", "neither TCP4, TCP6 nor UNKNOWN"},
    {"unknown and more", "PROXY UNKNOWNS\r\n", "neither TCP4, TCP6 nor UNKNOWN"},
    {"two spaces", "PROXY TCP4  10.0.0.1 10.0.0.2 1 2\r\n", "an address or port that is none"},
    {"a tab", "PROXY TCP4 10.0.0.1\t10.0.0.2 1 2\r\n", "an address or port that is none"},
    {"a space behind", "PROXY TCP4 10.0.0.1 10.0.0.2 1 2 \r\n", "an address or port that is none"},
    {"a field too many", "PROXY TCP4 10.0.0.1 10.0.0.2 1 2 3\r\n", "an address or port that is none"},
    {"a field too few", "PROXY TCP4 10.0.0.1 10.0.0.2 1\r\n", "an address or port that is none"},
    {"addresses alone", "PROXY TCP4 10.0.0.1 10.0.0.2\r\n", "an address or port that is none"},
    {"nothing else", "PROXY TCP4\r\n", "an address or port that is none"},
    {"IPv6 in TCP4", "PROXY TCP4 ::1 ::2 1 2\r\n", "an address or port that is none"},
    {"IPv4 in TCP6", "PROXY TCP6 10.0.0.1 10.0.0.2 1 2\r\n", "an address or port that is none"},
    {"a leading zero in an address", "PROXY TCP4 10.0.0.01 10.0.0.2 1 2\r\n", "an address or port that is none"},
    {"three parts", "PROXY TCP4 10.0.1 10.0.0.2 1 2\r\n", "an address or port that is none"},
    {"256", "PROXY TCP4 10.0.0.256 10.0.0.2 1 2\r\n", "an address or port that is none"},
    {"a zone", "PROXY TCP6 fe80::1%lo ::1 1 2\r\n", "an address or port that is none"},
    {"brackets", "PROXY TCP6 [::1] ::1 1 2\r\n", "an address or port that is none"},
    {"two gaps", "PROXY TCP6 1::2::3 ::1 1 2\r\n", "an address or port that is none"},
    {"a null byte", "PROXY TCP4 10.0.0.1\0 10.0.0.2 1 2\r\n"s, "an address or port that is none"},
    {"a leading zero in a port", "PROXY TCP4 10.0.0.1 10.0.0.2 01 2\r\n", "an address or port that is none"},
    {"zeros for a port", "PROXY TCP4 10.0.0.1 10.0.0.2 00 2\r\n", "an address or port that is none"},
    {"a sign", "PROXY TCP4 10.0.0.1 10.0.0.2 +1 2\r\n", "an address or port that is none"},
    {"65536", "PROXY TCP4 10.0.0.1 10.0.0.2 1 65536\r\n", "an address or port that is none"},
    {"version 1 in the form of 2", v2(0x11, 0x11, kIpv4), "a version that is not 2"},
    {"version 3", v2(0x31, 0x11, kIpv4), "a version that is not 2"},
    {"another command", v2(0x22, 0x11, kIpv4), "neither LOCAL nor PROXY"},
    {"another family", v2(0x21, 0x41, kIpv4), "a family or transport that does not exist"},
    {"another transport", v2(0x21, 0x13, kIpv4), "a family or transport that does not exist"},
    {"IPv4 cut", v2(0x21, 0x11, kIpv4.substr(1)), "addresses that go past the end"},
    {"IPv6 cut", v2(0x21, 0x21, kIpv6.substr(1)), "addresses that go past the end"},
    {"Unix sockets cut", v2(0x21, 0x31, std::string(215, 'x')), "addresses that go past the end"},
    {"none", v2(0x21, 0x11, ""), "addresses that go past the end"},
    {"a byte too many for 4 KiB", v2(0x21, 0x11, kIpv4 + vector(0x04, std::string(4096 - 16 - 12 - 2, '\0'))),
     "a header of more than 4096 bytes"},
    {"64 KiB", kSignature + "\x21\x11\xFF\xFF", "a header of more than 4096 bytes"},
    {"half a vector", v2(0x21, 0x11, kIpv4 + "\x02"s), "a vector that goes past the end"},
    {"a vector past the end",
     v2(0x21, 0x11,
        kIpv4 + "\x02\x00\x05"
                "abcd"s),
     "a vector that goes past the end"},
    {"the second past the end", v2(0x21, 0x11, kIpv4 + vector(0x04, "") + "\xEE\x01\x00"s),
     "a vector that goes past the end"},
    {"TLS cut", v2(0x21, 0x11, kIpv4 + vector(0x20, "\x01\0\0\0"s)), "a vector that goes past the end"},
    {"a vector past the end of another", v2(0x21, 0x11, kIpv4 + vector(0x20, "\x01\0\0\0\0\x21\0\x07TLSv1."s) + "3"),
     "a vector that goes past the end"},
    {"unique id too long", v2(0x21, 0x11, kIpv4 + vector(0x05, std::string(129, 'i'))),
     "a unique id of more than 128 bytes"},
    {"a wrong checksum", with_checksum("", "", 1), "a wrong checksum"},
    {"a checksum of zeros", v2(0x21, 0x11, kIpv4 + vector(0x03, std::string(4, '\0'))), "a wrong checksum"},
    {"a checksum of three bytes", v2(0x21, 0x11, kIpv4 + vector(0x03, "abc")), "a checksum that is none"},
    {"two checksums", with_checksum("", vector(0x03, "abcd")), "a checksum that is none"},
};

BOOST_AUTO_TEST_CASE(good_headers) {
  for (const Row& row : kGood) {
    BOOST_TEST_CONTEXT(row.name) {
      for (const std::string& behind : {""s, "GET / HTTP/1.1\r\n"s, "\x16\x03\x01"s}) {
        const ProxyParse parsed = parse_proxy_header(row.bytes + behind);
        BOOST_TEST(text_of(parsed) == row.want);
        BOOST_TEST(parsed.header.consumed == row.bytes.size());
      }
      for (std::size_t n = 0; n < row.bytes.size(); ++n) {
        BOOST_TEST(text_of(parse_proxy_header(std::string_view(row.bytes).substr(0, n))) == "incomplete", n);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(bad_headers) {
  for (const Row& row : kBad) {
    BOOST_TEST_CONTEXT(row.name) {
      const std::string want = "malformed: " + row.want;
      BOOST_TEST(text_of(parse_proxy_header(row.bytes)) == want);
      BOOST_TEST(text_of(parse_proxy_header(row.bytes + "GET / HTTP/1.1\r\n")) == want);
      // Once it is found out, more bytes change nothing.
      bool was_bad = false;
      for (std::size_t n = 0; n <= row.bytes.size(); ++n) {
        const std::string got = text_of(parse_proxy_header(std::string_view(row.bytes).substr(0, n)));
        BOOST_TEST(got == (was_bad || got == want ? want : "incomplete"), n);
        was_bad = got == want;
      }
      BOOST_TEST(was_bad);
    }
  }
}

BOOST_AUTO_TEST_CASE(something_else) {
  for (const std::string& bytes :
       {"GET / HTTP/1.1\r\n"s, "PROXYS / HTTP/1.1\r\n"s, "PRI * HTTP/2.0\r\n"s, "proxy TCP4"s, "\r\n\r\nGET /"s,
        "\x16\x03\x01\x02\x00"s, "\r\n\r\n\0\r\nQUIT\r"s, " PROXY TCP4"s}) {
    BOOST_TEST(text_of(parse_proxy_header(bytes)) == "absent", bytes);
  }
  BOOST_TEST(text_of(parse_proxy_header("PROXY")) == "incomplete");
  BOOST_TEST(text_of(parse_proxy_header("\r\n\r\n")) == "incomplete");
}

BOOST_AUTO_TEST_CASE(written_headers) {
  const auto address = [](const char* text) { return *Address::parse(text); };
  const Address v4 = address("192.0.2.1:56324");
  const Address to_v4 = address("198.51.100.7:443");
  const Address v6 = address("[2001:db8::1]:56324");
  const Address to_v6 = address("[2001:db8::2]:443");
  const Address mapped = address("[::ffff:192.0.2.1]:56324");
  using enum ProxyVersion;
  BOOST_TEST(proxy_header(kV1, v4, to_v4) == "PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n");
  BOOST_TEST(proxy_header(kV1, v6, to_v6) == "PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n");
  BOOST_TEST(proxy_header(kV1, mapped, to_v4) == "PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n");
  BOOST_TEST(proxy_header(kV1, v4, to_v6) == "PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 56324 443\r\n");
  BOOST_TEST(proxy_header(kV1, Address(), to_v4) == "PROXY UNKNOWN\r\n");
  BOOST_TEST((proxy_header(kV2, v4, to_v4) == v2(0x21, 0x11, kIpv4)));
  BOOST_TEST((proxy_header(kV2, mapped, to_v4) == v2(0x21, 0x11, kIpv4)));
  BOOST_TEST((proxy_header(kV2, v6, to_v6) == v2(0x21, 0x21, kIpv6)));
  BOOST_TEST((proxy_header(kV2, v4, Address()) == v2(0x21, 0x00, "")));
  BOOST_TEST(proxy_header(kOff, v4, to_v4) == "");
  BOOST_TEST(local_proxy_header(kV1) == "PROXY UNKNOWN\r\n");
  BOOST_TEST((local_proxy_header(kV2) == v2(0x20, 0x00, "")));
  BOOST_TEST(local_proxy_header(kOff) == "");
  // What is written is read.
  for (const auto& [source, destination] : {std::pair{v4, to_v4}, {v6, to_v6}, {v4, to_v6}, {v6, to_v4}}) {
    for (const ProxyVersion version : {kV1, kV2}) {
      const ProxyParse parsed = parse_proxy_header(proxy_header(version, source, destination));
      BOOST_TEST(text_of(parsed.header.source) == source.to_string());
      BOOST_TEST(text_of(parsed.header.destination) == destination.to_string());
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::net
