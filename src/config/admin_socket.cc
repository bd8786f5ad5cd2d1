#include "config/admin_socket.h"

#include <fmt/format.h>
#include <unistd.h>

namespace seawall::config {

std::string default_admin_socket() {
  return default_admin_socket(::geteuid(), process_environment());
}

std::string default_admin_socket(uid_t user, const Environment& environment) {
  if (user == 0) return "/run/seawall/admin.sock";
  // The XDG base directory specification has relative paths ignored.
  const auto runtime = environment("XDG_RUNTIME_DIR");
  if (runtime && runtime->starts_with('/')) return *runtime + "/seawall/admin.sock";
  return fmt::format("/tmp/seawall-{}/admin.sock", user);
}

}  // namespace seawall::config
