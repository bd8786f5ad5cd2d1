#include "config/admin_socket.h"

#include <unistd.h>

#include <boost/test/unit_test.hpp>

namespace seawall::config {
namespace {

BOOST_AUTO_TEST_SUITE(config_admin_socket)

BOOST_AUTO_TEST_CASE(by_user_and_environment) {
  struct Row {
    const char* name;
    uid_t user;
    std::optional<std::string> runtime;
    std::string want;
  };
  const Row rows[] = {
      {"root", 0, std::nullopt, "/run/seawall/admin.sock"},
      {"root of a session", 0, "/run/user/0", "/run/seawall/admin.sock"},
      {"a session", 1000, "/run/user/1000", "/run/user/1000/seawall/admin.sock"},
      {"no session", 1000, std::nullopt, "/tmp/seawall-1000/admin.sock"},
      {"empty is not set", 1000, "", "/tmp/seawall-1000/admin.sock"},
      {"relative is not valid", 1000, "run", "/tmp/seawall-1000/admin.sock"},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const Environment environment = [&](const std::string& name) {
        return name == "XDG_RUNTIME_DIR" ? row.runtime : std::nullopt;
      };
      BOOST_TEST(default_admin_socket(row.user, environment) == row.want);
    }
  }
  BOOST_TEST(default_admin_socket() == default_admin_socket(::geteuid(), process_environment()));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::config
