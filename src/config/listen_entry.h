// One entry of `server.listen`: "ADDR:PORT [tls] [plain] [proxy] [redirect]" or "unix:PATH [...] [mode=OCTAL]". Pure.
// Thread: any.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "config/directives.h"
#include "net/listen_options.h"

namespace seawall::config {

std::expected<net::ListenOptions, Problem> parse_listen(std::string_view entry);
// The entry that parses to the same.
std::string format_listen(const net::ListenOptions& listen);

// "unix:PATH", or the address as written.
std::string listen_place(const net::ListenOptions& listen);

}  // namespace seawall::config
