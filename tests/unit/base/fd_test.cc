// A descriptor is closed once, by its last owner.
#include "base/fd.h"

#include <fcntl.h>

#include <boost/test/unit_test.hpp>
#include <utility>

namespace seawall {
namespace {

Fd open_null() {
  return Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}
bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) != -1;
}

BOOST_AUTO_TEST_SUITE(base_fd)

BOOST_AUTO_TEST_CASE(an_empty_one_is_false) {
  const Fd fd;
  BOOST_TEST(!fd);
  BOOST_TEST(fd.get() == -1);
}

BOOST_AUTO_TEST_CASE(closes_at_its_end) {
  int raw = -1;
  {
    const Fd fd = open_null();
    BOOST_REQUIRE(fd);
    raw = fd.get();
    BOOST_TEST(is_open(raw));
  }
  BOOST_TEST(!is_open(raw));
}

BOOST_AUTO_TEST_CASE(a_moved_one_has_one_owner) {
  Fd first = open_null();
  const int raw = first.get();
  Fd second(std::move(first));
  BOOST_TEST(!first);
  BOOST_TEST(second.get() == raw);
  Fd third = open_null();
  const int replaced = third.get();
  third = std::move(second);
  BOOST_TEST(third.get() == raw);
  BOOST_TEST(!is_open(replaced));
  Fd& same = third;
  third = std::move(same);
  BOOST_TEST(is_open(raw));
  third.close();
  BOOST_TEST(!third);
  BOOST_TEST(!is_open(raw));
  third.close();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall
