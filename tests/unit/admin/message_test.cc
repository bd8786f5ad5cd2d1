#include "admin/message.h"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

namespace seawall::admin {
namespace {

BOOST_AUTO_TEST_SUITE(admin_message)

BOOST_AUTO_TEST_CASE(the_first_parameter_of_a_name_counts) {
  const http::RequestHead head;
  const AdminRequest request{
      .head = head, .path = "/", .query = {{"job", "1"}, {"empty", ""}, {"job", "2"}, {"Job", "3"}}, .body = {}};
  BOOST_TEST((request.parameter("job") == "1"));
  BOOST_TEST((request.parameter("Job") == "3"));
  BOOST_TEST((request.parameter("empty") == ""));
  BOOST_TEST(!request.parameter("jobs").has_value());
}

BOOST_AUTO_TEST_CASE(a_problem_is_a_document) {
  const AdminReply reply = problem(404, "Not Found", "no \"x\"\n");
  BOOST_TEST(reply.status == 404);
  BOOST_TEST(reply.content_type == "application/problem+json");
  const nlohmann::json want{{"status", 404}, {"title", "Not Found"}, {"detail", "no \"x\"\n"}};
  BOOST_TEST(nlohmann::json::parse(reply.body) == want);
  BOOST_TEST(reply.body.ends_with("}\n"));
}

BOOST_AUTO_TEST_CASE(a_problem_with_bytes_that_are_no_text) {
  const AdminReply reply = problem(400, "Bad Request", "no \xFF");
  BOOST_TEST(nlohmann::json::parse(reply.body)["detail"] == "no \xEF\xBF\xBD");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::admin
