// A request to the admin listener with its whole body, and the answer to it, as the services see them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/message.h"

namespace seawall::admin {

struct AdminRequest {
  const http::RequestHead& head;
  std::string path;                                        // decoded, without the query
  std::vector<std::pair<std::string, std::string>> query;  // decoded
  std::string body;

  std::optional<std::string_view> parameter(std::string_view name) const;
};

struct AdminReply {
  std::uint16_t status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers = {};
};

// A problem document (RFC 9457): what is wrong and what to do, in `detail`.
AdminReply problem(std::uint16_t status, std::string_view title, std::string_view detail);

}  // namespace seawall::admin
