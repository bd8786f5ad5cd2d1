// Which addresses belong to a network.
#include "net/network.h"

#include <boost/test/unit_test.hpp>
#include <string_view>
#include <vector>

namespace seawall::net {
namespace {

BOOST_AUTO_TEST_SUITE(net_network)

BOOST_AUTO_TEST_CASE(contains) {
  struct Row {
    std::string_view network;
    std::string_view ip;
    bool want;
  };
  const std::vector<Row> rows = {
      {"127.0.0.1", "127.0.0.1", true},
      {"127.0.0.1", "127.0.0.2", false},
      {"10.0.0.0/8", "10.255.1.2", true},
      {"10.0.0.0/8", "11.0.0.0", false},
      {"10.0.0.0/9", "10.127.0.1", true},
      {"10.0.0.0/9", "10.128.0.1", false},
      {"192.0.2.128/25", "192.0.2.200", true},
      {"192.0.2.128/25", "192.0.2.100", false},
      {"0.0.0.0/0", "203.0.113.7", true},
      {"0.0.0.0/0", "::1", false},
      {"::1", "::1", true},
      {"::1", "::2", false},
      {"fd00::/8", "fdff::1", true},
      {"fd00::/8", "fe00::1", false},
      {"2001:db8::/33", "2001:db8:7fff::1", true},
      {"2001:db8::/33", "2001:db8:8000::1", false},
      {"::/0", "2001:db8::1", true},
      {"::/0", "127.0.0.1", false},
      {"127.0.0.1", "unix", false},
      {"127.0.0.1", "", false},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.network << " and " << row.ip) {
      const auto network = Network::parse(row.network);
      BOOST_REQUIRE(network);
      BOOST_TEST(network->contains(row.ip) == row.want);
    }
  }
}

BOOST_AUTO_TEST_CASE(malformed) {
  for (const std::string_view text : {"", "/8", "10.0.0.0/", "10.0.0.0/33", "::1/129", "10.0.0/8", "10.0.0.0/-1",
                                      "10.0.0.0/8 ", "10.0.0.0/8x", "localhost", "[::1]"}) {
    BOOST_TEST_CONTEXT(text) {
      BOOST_TEST(!Network::parse(text));
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::net
