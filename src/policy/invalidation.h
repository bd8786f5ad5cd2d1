// RFC 9111 section 4.4.
#pragma once

#include <string>
#include <vector>

#include "http/message.h"

namespace seawall::policy {

// The keys (see key.h) to invalidate after this exchange: the target, and Location and Content-Location when they are
// of the same host. Empty unless the method is unsafe (unknown ones are) and the status is 2xx or 3xx.
std::vector<std::string> keys_to_invalidate(const http::RequestHead& request, const http::ResponseHead& response);

}  // namespace seawall::policy
