#include "proxy/router.h"

#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

namespace seawall::proxy {
namespace {

struct Row {
  const char* authority;
  const char* path;
  const char* route;  // empty: none
};

BOOST_AUTO_TEST_SUITE(proxy_router)

BOOST_AUTO_TEST_CASE(the_first_route_that_matches_in_file_order) {
  const Router router({{.name = "a"}, {.name = "b"}, {.name = "c"}},
                      {
                          {.name = "exact", .host = "shop.example.com", .path = "/exact"},
                          {.name = "api", .host = "shop.example.com", .path = "/api/*", .read_from = 1, .write_to = 2},
                          {.name = "sub", .host = "*.example.com", .path = "/*"},
                          {.name = "six", .host = "[::1]", .path = "*"},
                          {.name = "static", .host = "*", .path = "/static/*"},
                      },
                      {});
  const std::vector<Row> rows = {
      {"shop.example.com", "/exact", "exact"},
      {"shop.example.com", "/exact?q=1", "exact"},
      {"shop.example.com:8080", "/exact", "exact"},
      {"shop.example.com", "/exact/more", "sub"},
      {"shop.example.com", "/api/x", "api"},
      {"shop.example.com", "/api/", "api"},
      {"shop.example.com", "/api", "sub"},
      {"shop.example.com", "/x?/api/", "sub"},
      {"a.b.example.com", "/", "sub"},
      {"example.com", "/", ""},
      {"badexample.com", "/", ""},
      {"example.com", "/static/x", "static"},
      {"example.com.evil.test", "/", ""},
      {"[::1]", "/", "six"},
      {"[::1]:8080", "/", "six"},
      {"[::2]:8080", "/", ""},
      {"", "/static/", "static"},
      {"", "/", ""},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.authority << row.path) {
      const Route* route = router.find(row.authority, row.path);
      BOOST_TEST((route ? route->name : std::string()) == row.route);
    }
  }
  const Route* api = router.find("shop.example.com", "/api/x");
  BOOST_REQUIRE(api);
  for (const http::Method method : {http::Method::kGet, http::Method::kHead}) BOOST_TEST(api->origin_for(method) == 1U);
  for (const http::Method method : {http::Method::kPost, http::Method::kOptions, http::Method::kOther}) {
    BOOST_TEST(api->origin_for(method) == 2U);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::proxy
