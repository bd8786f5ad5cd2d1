#include "server/admin_client.h"

#include <boost/test/unit_test.hpp>

namespace seawall::server {
namespace {

BOOST_AUTO_TEST_SUITE(server_admin_client)

BOOST_AUTO_TEST_CASE(addresses) {
  struct Row {
    std::string text;
    std::string want;
  };
  const Row rows[] = {
      {"127.0.0.1:9180", "127.0.0.1:9180"}, {"[::1]:9180", "[::1]:9180"},
      {"localhost:1", "localhost:1"},       {":65535", "127.0.0.1:65535"},
      {"*:9180", "127.0.0.1:9180"},         {"unix:/run/a b:c.sock", "unix:/run/a b:c.sock"},
      {"unix:relative", "unix:relative"},   {"unix:" + std::string(107, 'a'), "unix:" + std::string(107, 'a')},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.text) {
      const auto address = AdminAddress::parse(row.text);
      BOOST_REQUIRE(address);
      BOOST_TEST(address->to_string() == row.want);
      BOOST_TEST(address->host.empty() == row.text.starts_with("unix:"));
    }
  }
}

BOOST_AUTO_TEST_CASE(what_is_no_address) {
  struct Row {
    std::string text;
    std::string hint = {};
  };
  using namespace std::string_literals;
  const Row rows[] = {
      {""},
      {"9180"},
      {"localhost"},
      {"localhost:"},
      {"localhost:0"},
      {"localhost:65536"},
      {"localhost:+1"},
      {"localhost:80x"},
      {"::1:9180"},
      {"[::1:9180"},
      {"http://localhost:9180"},
      {"[a/b]:1"},
      {"unix:"},
      {"unix:a\0b"s},
      {"unix:" + std::string(108, 'a'), "\nhint: the path of a Unix socket has at most 107 bytes"},
      {"/run/seawall/admin.sock", "\nhint: did you mean \"unix:/run/seawall/admin.sock\"?"},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.text) {
      const auto address = AdminAddress::parse(row.text);
      BOOST_REQUIRE(!address);
      BOOST_TEST(address.error().starts_with(
                     "--admin must be \"ADDR:PORT\" such as \"127.0.0.1:9180\", or \"unix:PATH\", not \""),
                 address.error());
      const std::size_t hint = std::min(address.error().find('\n'), address.error().size());
      BOOST_TEST(address.error().substr(hint) == row.hint);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::server
