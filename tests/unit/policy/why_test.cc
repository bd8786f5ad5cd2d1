// The names of reasons are an interface: distinct, lower case, stable.
#include "policy/why.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <set>
#include <string>

namespace seawall::policy {
namespace {

BOOST_AUTO_TEST_SUITE(policy_why)

BOOST_AUTO_TEST_CASE(names_are_distinct_and_plain) {
  std::set<std::string_view> seen;
  for (int i = 0; i <= static_cast<int>(Why::kOverloaded); ++i) {
    const auto name = to_string(static_cast<Why>(i));
    BOOST_TEST_CONTEXT(i << " " << name) {
      BOOST_TEST(seen.insert(name).second);
      BOOST_TEST(!name.empty());
      BOOST_TEST(std::all_of(name.begin(), name.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == '-'; }));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_few_by_heart) {
  BOOST_TEST(to_string(Why::kFresh) == "fresh");
  BOOST_TEST(to_string(Why::kUriMiss) == "uri-miss");
  BOOST_TEST(to_string(Why::kStaleWhileRevalidate) == "stale-while-revalidate");
  BOOST_TEST(to_string(Why::kResponseSetCookie) == "response-set-cookie");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::policy
