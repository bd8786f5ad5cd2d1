// Addresses as people write them, and names.
#include "net/address.h"

#include <boost/test/unit_test.hpp>

namespace seawall::net {
namespace {

struct Row {
  std::string_view text;
  bool ok = true;
  int family = AF_INET;
  std::string_view ip = "";
  std::uint16_t port = 0;
  bool any_family = false;
  std::string_view printed = "";  // if not as written
};

constexpr Row kRows[] = {
    {.text = "127.0.0.1:8080", .ip = "127.0.0.1", .port = 8080},
    {.text = "0.0.0.0:0", .ip = "0.0.0.0", .port = 0},
    {.text = "10.1.2.3:65535", .ip = "10.1.2.3", .port = 65535},
    {.text = "[::1]:8080", .family = AF_INET6, .ip = "::1", .port = 8080},
    {.text = "[::]:80", .family = AF_INET6, .ip = "::", .port = 80},
    {.text = "[2001:db8::A]:443", .family = AF_INET6, .ip = "2001:db8::a", .port = 443, .printed = "[2001:db8::a]:443"},
    {.text = "[::ffff:10.0.0.1]:80", .family = AF_INET6, .ip = "10.0.0.1", .port = 80, .printed = "10.0.0.1:80"},
    {.text = ":8080", .family = AF_INET6, .ip = "::", .port = 8080, .any_family = true, .printed = "*:8080"},
    {.text = "*:8080", .family = AF_INET6, .ip = "::", .port = 8080, .any_family = true},
    {.text = "", .ok = false},
    {.text = ":", .ok = false},
    {.text = "8080", .ok = false},
    {.text = "127.0.0.1", .ok = false},
    {.text = "127.0.0.1:", .ok = false},
    {.text = "127.0.0.1:65536", .ok = false},
    {.text = "127.0.0.1:100000", .ok = false},
    {.text = "127.0.0.1:+80", .ok = false},
    {.text = "127.0.0.1:-1", .ok = false},
    {.text = "127.0.0.1: 80", .ok = false},
    {.text = "127.0.0.1:80 ", .ok = false},
    {.text = "127.0.0.1:0x50", .ok = false},
    {.text = "127.0.0.256:80", .ok = false},
    {.text = "127.1:80", .ok = false},
    {.text = "::1:80", .ok = false},
    {.text = "[]:80", .ok = false},
    {.text = "[::1:80", .ok = false},
    {.text = "::1]:80", .ok = false},
    {.text = "[::1]", .ok = false},
    {.text = "[::1]80", .ok = false},
    {.text = "[127.0.0.1]:80", .ok = false},
    {.text = "localhost:80", .ok = false},
    {.text = std::string_view("127.0.0.1\0:80", 13), .ok = false},
};

BOOST_AUTO_TEST_SUITE(net_address)

BOOST_AUTO_TEST_CASE(parses_addresses) {
  for (const Row& row : kRows) {
    BOOST_TEST_CONTEXT(row.text) {
      const auto address = Address::parse(row.text);
      BOOST_TEST(address.has_value() == row.ok);
      if (!address || !row.ok) continue;
      BOOST_TEST(address->family() == row.family);
      BOOST_TEST(address->ip() == row.ip);
      BOOST_TEST(address->port() == row.port);
      BOOST_TEST(address->is_any_family() == row.any_family);
      BOOST_TEST(address->to_string() == (row.printed.empty() ? row.text : row.printed));
    }
  }
}

BOOST_AUTO_TEST_CASE(resolves_names_and_addresses) {
  for (const char* host : {"127.0.0.1", "::1", "[::1]"}) {
    BOOST_TEST_CONTEXT(host) {
      const auto found = resolve(host, 81);
      BOOST_REQUIRE(found.has_value());
      BOOST_REQUIRE(found->size() == 1U);
      BOOST_TEST((*found)[0].port() == 81);
      BOOST_TEST((*found)[0].ip() == (host[0] == '1' ? "127.0.0.1" : "::1"));
    }
  }
  const auto local = resolve("localhost", 82);
  BOOST_REQUIRE(local.has_value());
  for (const Address& address : *local) BOOST_TEST(address.port() == 82);
}

BOOST_AUTO_TEST_CASE(an_unknown_name_is_explained) {
  const auto found = resolve("no such host", 80);
  BOOST_REQUIRE(!found.has_value());
  BOOST_TEST(found.error().find("\"no such host\"") != std::string::npos);
  BOOST_TEST(found.error().find("check the name") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::net
