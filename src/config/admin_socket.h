// Where a server listens for its own command line when nothing else is said, and where the command line looks for it.
#pragma once

#include <sys/types.h>

#include <string>

#include "config/load.h"

namespace seawall::config {

// Of the user whose process this is: "/run/seawall/admin.sock" for root, else "$XDG_RUNTIME_DIR/seawall/admin.sock", or
// "/tmp/seawall-UID/admin.sock" without that variable.
std::string default_admin_socket();
std::string default_admin_socket(uid_t user, const Environment& environment);

}  // namespace seawall::config
