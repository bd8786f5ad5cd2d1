// What our own side is out of, descriptors, is not held against an origin, and is told once for each call.
#include "client_fixture.h"
#include "support/no_descriptors.h"

namespace seawall::test {
namespace {

void check_nothing_is_held(const ClientFixture& f) {
  const auto now = f.snapshot();
  BOOST_TEST(now.window.calls == 0U);
  for (const auto& server : now.servers) BOOST_TEST(server.failures == 0U, server.name);
}

BOOST_AUTO_TEST_SUITE(origin_exhaustion)

BOOST_FIXTURE_TEST_CASE(no_descriptor_for_a_socket, ClientFixture) {
  {
    const NoDescriptors none;
    const auto call = get();
    check_error(*call, ErrorCode::kNoDescriptors, Side::kLocal);
  }
  BOOST_TEST(observer.take() == std::vector<std::string>{"failure  no-descriptors"}, boost::test_tools::per_element());
  check_nothing_is_held(*this);
  check_free();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::test
