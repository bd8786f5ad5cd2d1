#include "proxy/acme_challenge.h"

#include <sys/stat.h>

#include <boost/test/unit_test.hpp>

#include "support/temporary_directory.h"

namespace seawall::proxy {
namespace {

BOOST_AUTO_TEST_SUITE(proxy_acme_challenge)

BOOST_AUTO_TEST_CASE(a_token_is_base64url_and_nothing_else) {
  struct Row {
    std::string path;
    std::optional<std::string_view> want = std::nullopt;
  };
  const std::string base = "/.well-known/acme-challenge/";
  const Row rows[] = {
      {.path = base + "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr_oA",
       .want = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr_oA"},
      {.path = base + "a", .want = "a"},
      {.path = base},
      {.path = base + "../../etc/passwd"},
      {.path = base + "..%2Fpasswd"},
      {.path = base + ".hidden"},
      {.path = base + "a/b"},
      {.path = base + "a?b"},
      {.path = base + std::string(257, 'a')},
      {.path = "/.well-known/acme-challengex/a"},
      {.path = "/"},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.path) {
      BOOST_TEST((acme_token(row.path) == row.want));
    }
  }
}

BOOST_AUTO_TEST_CASE(only_small_regular_files_are_read) {
  const test::TemporaryDirectory directory;
  directory.write("token", "token.thumbprint");
  directory.write("empty", "");
  directory.write("most", std::string(16 * 1024, 'm'));
  directory.write("large", std::string(16 * 1024 + 1, 'l'));
  BOOST_REQUIRE(::mkdir((directory.path() + "/folder").c_str(), 0700) == 0);
  BOOST_REQUIRE(::mkfifo((directory.path() + "/fifo").c_str(), 0600) == 0);
  BOOST_TEST(read_acme_challenge(directory.path(), "token").value_or("") == "token.thumbprint");
  BOOST_TEST(read_acme_challenge(directory.path(), "empty").value_or("?") == "");
  BOOST_TEST(read_acme_challenge(directory.path(), "most").value_or("").size() == 16U * 1024U);
  for (const char* name : {"large", "folder", "fifo", "none"}) {
    BOOST_TEST(!read_acme_challenge(directory.path(), name).has_value(), name);
  }
  BOOST_TEST(!read_acme_challenge(directory.path() + "/none", "token").has_value());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::proxy
