// Names of errors go into logs, metrics and Cache-Status details, so each is one stable token.
#include "base/result.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <set>
#include <string>

namespace seawall {
namespace {

constexpr auto kLast = ErrorCode::kNotCached;

BOOST_AUTO_TEST_SUITE(base_result)

BOOST_AUTO_TEST_CASE(every_error_has_a_name_of_its_own) {
  std::set<std::string> names;
  for (int i = 0; i <= static_cast<int>(kLast); ++i) {
    const std::string name{to_string(static_cast<ErrorCode>(i))};
    BOOST_TEST_CONTEXT("code " << i << " " << name) {
      BOOST_TEST(name != "unknown");
      BOOST_TEST(names.insert(name).second);
      BOOST_TEST(std::ranges::all_of(
          name, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; }));
    }
  }
}

BOOST_AUTO_TEST_CASE(what_lies_outside_is_unknown) {
  BOOST_TEST(to_string(static_cast<ErrorCode>(static_cast<int>(kLast) + 1)) == "unknown");
}

BOOST_AUTO_TEST_CASE(an_error_is_the_local_sides_and_final_unless_said_otherwise) {
  const Error error{ErrorCode::kAborted};
  BOOST_TEST((error == Error{ErrorCode::kAborted, Side::kLocal, Retry::kNo}));
  BOOST_TEST(!(error == Error{ErrorCode::kAborted, Side::kOrigin, Retry::kNo}));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall
