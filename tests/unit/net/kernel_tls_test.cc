// What is said of the kernel's TLS.
#include "net/kernel_tls.h"

#include <boost/test/unit_test.hpp>

#include "support/fd_count.h"

namespace seawall::net {
namespace {

BOOST_AUTO_TEST_SUITE(net_kernel_tls)

BOOST_AUTO_TEST_CASE(either_it_is_offered_or_there_is_a_reason) {
  const test::FdCount fds;
  const KernelTls& answer = kernel_offers_tls();
  BOOST_TEST(answer.is_offered == answer.reason.empty());
  BOOST_TEST(&kernel_offers_tls() == &answer);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::net
