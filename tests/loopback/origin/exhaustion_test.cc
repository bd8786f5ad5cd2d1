// What our own side is out of, descriptors and ports, is not held against an origin, and is told once for each call.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstddef>
#include <future>

#include "client_fixture.h"
#include "support/no_descriptors.h"

namespace seawall::test {
namespace {

// For good, in this thread alone: every connect(2) fails so.
void fail_connects(int error) {
  sock_filter steps[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_connect, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(error)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{.len = std::size(steps), .filter = steps};
  BOOST_REQUIRE(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  BOOST_REQUIRE(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0);
}

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

BOOST_AUTO_TEST_CASE(connects_that_fail_on_our_side) {
  struct Row {
    int error;
    ErrorCode want;
    Side side = Side::kLocal;
    std::uint64_t tries = 1;
  };
  constexpr Row kRows[] = {
      {.error = EADDRNOTAVAIL, .want = ErrorCode::kNoLocalPort, .tries = 2},  // the other server may have some
      {.error = ENOBUFS, .want = ErrorCode::kNoDescriptors},
      {.error = ENOMEM, .want = ErrorCode::kNoDescriptors},
      {.error = EMFILE, .want = ErrorCode::kNoDescriptors},
      {.error = ENETUNREACH, .want = ErrorCode::kConnectFailed, .side = Side::kOrigin, .tries = 2},
  };
  for (const Row& row : kRows) {
    BOOST_TEST_CONTEXT("errno " << row.error) {
      std::async(std::launch::async, [&row] {
        fail_connects(row.error);
        ClientFixture f;
        const auto call = f.get();
        f.check_error(*call, row.want, row.side);
        BOOST_TEST(f.snapshot().requests == row.tries);
        if (row.side == Side::kLocal) {
          BOOST_TEST(f.observer.take() == std::vector<std::string>{"failure  " + std::string(to_string(row.want))},
                     boost::test_tools::per_element());
          check_nothing_is_held(f);
        }
        f.check_free();
      }).get();
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::test
