#include "proxy/edge_counters.h"

#include <boost/test/unit_test.hpp>

namespace seawall::proxy {
namespace {

BOOST_AUTO_TEST_SUITE(proxy_edge_counters)

BOOST_AUTO_TEST_CASE(failed_accepts_are_all_counted_and_told_once_a_minute) {
  EdgeCounters edge;
  MonoTime now{};
  BOOST_TEST(edge.count_failed_accept(now));
  BOOST_TEST(!edge.count_failed_accept(now));
  now = now + Millis{59'999};
  BOOST_TEST(!edge.count_failed_accept(now));
  now = now + Millis{1};
  BOOST_TEST(edge.count_failed_accept(now));
  BOOST_TEST(!edge.count_failed_accept(now));
  BOOST_TEST(edge.failed_accepts() == 5U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::proxy
