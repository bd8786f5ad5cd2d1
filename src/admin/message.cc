#include "admin/message.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace seawall::admin {

std::optional<std::string_view> AdminRequest::parameter(std::string_view name) const {
  const auto at = std::ranges::find(query, name, &std::pair<std::string, std::string>::first);
  if (at == query.end()) return std::nullopt;
  return at->second;
}

AdminReply problem(std::uint16_t status, std::string_view title, std::string_view detail) {
  const nlohmann::ordered_json document{{"title", title}, {"status", status}, {"detail", detail}};
  // What a client sent need not be UTF-8.
  return {.status = status,
          .content_type = "application/problem+json",
          .body = document.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + '\n'};
}

}  // namespace seawall::admin
