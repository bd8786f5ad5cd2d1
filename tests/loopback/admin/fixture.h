// The services of the admin API beside clients, fills and a store, on a manual clock; the origin is in memory.
#pragma once

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "admin/message.h"
#include "loopback/proxy/harness.h"

namespace seawall::test {

using Json = nlohmann::json;
using admin::AdminReply;

// A request to the admin listener with its body, for the services alone.
class AdminAsk {
 public:
  AdminAsk(std::string_view method, std::string_view body, std::vector<std::pair<std::string, std::string>> query = {},
           const Lines& headers = {})
      : head_(make_head(method, body, headers)),
        request{.head = head_, .path = "/", .query = std::move(query), .body = std::string(body)} {}
  AdminAsk(const AdminAsk&) = delete;
  AdminAsk& operator=(const AdminAsk&) = delete;

 private:
  static http::RequestHead make_head(std::string_view method, std::string_view body, const Lines& headers) {
    http::RequestHead head;
    head.method = http::method_from_name(method);
    head.method_name = method;
    head.scheme = "http";
    head.authority = "localhost:9180";
    head.path = "/";
    head.headers = header_map(headers);
    head.headers.add(http::Field::kHost, head.authority);
    head.headers.add(http::Field::kContentLength, std::to_string(body.size()));
    head.framing = http::BodyFraming::kLength;
    head.content_length = body.size();
    return head;
  }

  http::RequestHead head_;

 public:
  admin::AdminRequest request;
};

inline Json json_of(const AdminReply& reply) {
  BOOST_TEST(reply.content_type == "application/json");
  Json json = Json::parse(reply.body, nullptr, false);
  BOOST_REQUIRE_MESSAGE(json.is_object(), reply.body);
  return json;
}

// Checks that it is a problem with this status, and that its detail speaks of `words`.
inline void check_problem(const AdminReply& reply, std::uint16_t status, std::string_view words) {
  BOOST_TEST(reply.status == status, reply.status << " " << reply.body);
  BOOST_TEST(reply.content_type == "application/problem+json");
  const Json json = Json::parse(reply.body, nullptr, false);
  BOOST_REQUIRE_MESSAGE(json.is_object() && json.contains("detail"), reply.body);
  const std::string detail = json["detail"];
  BOOST_TEST(detail.find(words) != std::string::npos, detail);
}

// The home worker's router, with other routes; the origins stay.
template <typename Change>
void change_routes(Harness& h, Change change) {
  proxy::Context& context = h.context();
  std::vector<proxy::Route> routes = context.router->routes();
  change(routes);
  context.router =
      make_ref<const proxy::Router>(context.router->origins(), std::move(routes), context.router->session());
}

inline constexpr std::string_view kSite = "http://example.com";

}  // namespace seawall::test
