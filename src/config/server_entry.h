// One entry of an origin's `servers`: "URL [weight=N] [backup] [drain]". Pure. Thread: any.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "config/directives.h"
#include "origin/origin_options.h"

namespace seawall::config {

// URL is "http://host[:port]" or "https://host[:port]", or "srv+http://_service._proto.name" and
// "srv+https://_service._proto.name" for what SRV records name. With these the authority is the name without its labels
// of service and protocol.
std::expected<origin::ServerConfig, Problem> parse_server(std::string_view entry);
// The entry that parses to the same.
std::string format_server(const origin::ServerConfig& server);

}  // namespace seawall::config
