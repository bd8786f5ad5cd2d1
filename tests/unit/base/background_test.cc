#include "base/background.h"

#include <boost/test/unit_test.hpp>
#include <latch>
#include <thread>
#include <vector>

using namespace seawall;

BOOST_AUTO_TEST_SUITE(base_background)

BOOST_AUTO_TEST_CASE(tasks_run_in_their_order_on_another_thread) {
  BackgroundPool pool({});
  std::vector<int> order;
  std::latch done(1);
  BOOST_TEST(pool.submit(1, [&] { order.push_back(1); }));
  BOOST_TEST(pool.submit(1, [&] { order.push_back(2); }));
  const auto here = std::this_thread::get_id();
  std::thread::id there;
  BOOST_TEST(pool.submit(1, [&] {
    there = std::this_thread::get_id();
    done.count_down();
  }));
  done.wait();
  BOOST_TEST(order == (std::vector<int>{1, 2}), boost::test_tools::per_element());
  BOOST_TEST((there != here));
}

BOOST_AUTO_TEST_CASE(a_full_queue_refuses_until_something_leaves_it) {
  BackgroundPool pool({.threads = 1, .max_tasks = 2, .max_bytes = 100});
  std::latch begun(1);
  std::latch go(1);
  std::latch done(1);
  BOOST_TEST(pool.submit(1000, [&] {  // alone it may be of any size
    begun.count_down();
    go.wait();
  }));
  begun.wait();
  BOOST_TEST(pool.submit(60, [] {}));
  BOOST_TEST(!pool.is_full());
  BOOST_TEST(!pool.submit(60, [] {}));
  BOOST_TEST(pool.is_full());
  BOOST_TEST(pool.submit(40, [&] { done.count_down(); }));
  BOOST_TEST(!pool.submit(0, [] {}));
  BOOST_TEST(pool.waiting() == 2U);
  go.count_down();
  done.wait();
  BOOST_TEST(!pool.is_full());
  BOOST_TEST(pool.submit(60, [] {}));
}

BOOST_AUTO_TEST_CASE(what_waits_at_the_end_never_runs) {
  BackgroundPool pool({});
  std::latch begun(1);
  bool has_run = false;
  BOOST_TEST(pool.submit(1, [&] {
    begun.count_down();
    while (!pool.is_stopped()) std::this_thread::yield();
  }));
  begun.wait();
  BOOST_TEST(pool.submit(1, [&] { has_run = true; }));
  pool.stop();
  BOOST_TEST(!has_run);
  BOOST_TEST(!pool.submit(1, [] {}));
}

BOOST_AUTO_TEST_SUITE_END()
