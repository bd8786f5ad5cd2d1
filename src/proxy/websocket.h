// The handshake of WebSockets (RFC 6455 section 4) on behalf of a client that speaks HTTP/2 and has none (RFC 8441
// section 5). Thread: any.
#pragma once

#include <string>
#include <string_view>

#include "base/rng.h"

namespace seawall::proxy {

// A Sec-WebSocket-Key.
std::string make_websocket_key(Rng& rng);
// The Sec-WebSocket-Accept that answers it.
std::string websocket_accept(std::string_view key);

}  // namespace seawall::proxy
