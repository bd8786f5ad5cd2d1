// The request that goes to the origin, written anew from what the client sent.
#pragma once

#include "http/exchange.h"
#include "http/message.h"
#include "proxy/forwarded.h"
#include "proxy/router.h"

namespace seawall::proxy {

// For a fetch that others may share, or whose answer is to be stored: the client's own conditions go, so that the
// answer is whole.
enum class Conditions { kKeep, kRemove };

http::OutgoingRequest make_outgoing(const http::RequestHead& request, const Origin& origin, const Hop& hop,
                                    Conditions conditions);

}  // namespace seawall::proxy
