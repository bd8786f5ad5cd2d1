// Gathered, partial and refused writes over a socket pair.
#include "net/out_queue.h"

#include <sys/socket.h>

#include <boost/test/unit_test.hpp>
#include <string>

#include "base/fd.h"
#include "base/rng.h"
#include "mem/budget.h"

namespace seawall::net {
namespace {

struct SocketPair {
  Fd near;
  Fd far;

  SocketPair() {
    int fds[2];
    BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    near = Fd(fds[0]);
    far = Fd(fds[1]);
    const int small = 4096;
    ::setsockopt(near.get(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
  }
  std::string read_all() {
    std::string all;
    char buffer[8192];
    for (ssize_t n = 0; (n = ::recv(far.get(), buffer, sizeof buffer, 0)) > 0;) {
      all.append(buffer, static_cast<std::size_t>(n));
    }
    return all;
  }
};

BOOST_AUTO_TEST_SUITE(net_out_queue)

BOOST_AUTO_TEST_CASE(an_empty_queue_is_done) {
  OutQueue queue;
  std::uint64_t sent = 0;
  BOOST_CHECK(queue.flush(-1, sent) == SendStatus::kDone);
  queue.push(std::string_view());
  queue.push(Slice());
  BOOST_TEST(queue.empty());
  BOOST_CHECK(queue.flush(-1, sent) == SendStatus::kDone);
}

BOOST_AUTO_TEST_CASE(keeps_the_order_of_strings_and_slices) {
  SocketPair pair;
  OutQueue queue;
  queue.push("head ");
  queue.push("more ");
  queue.push(Slice::of_static("slice "));
  queue.push("tail");
  BOOST_TEST(queue.size_bytes() == 20U);
  std::uint64_t sent = 100;
  BOOST_CHECK(queue.flush(pair.near.get(), sent) == SendStatus::kDone);
  BOOST_TEST(sent == 120U);
  BOOST_TEST(queue.empty());
  BOOST_TEST(pair.read_all() == "head more slice tail");
}

BOOST_AUTO_TEST_CASE(resumes_after_partial_writes) {
  MemoryBudget budget(1 << 30);
  Rng rng(7);
  SocketPair pair;
  OutQueue queue;
  std::string want;
  std::string got;
  std::uint64_t sent = 0;
  bool was_blocked = false;
  for (int round = 0; round < 400; ++round) {
    std::string piece(rng.below(3000), static_cast<char>('a' + round % 26));
    want += piece;
    if (rng.below(2) == 0) {
      queue.push(piece);
    } else if (!piece.empty()) {
      queue.push(Slice::copy_of(&budget, piece));
    }
    if (queue.flush(pair.near.get(), sent) == SendStatus::kBlocked) {
      was_blocked = true;
      BOOST_REQUIRE(!queue.empty());
      if (rng.below(3) == 0) got += pair.read_all();
    }
  }
  while (queue.flush(pair.near.get(), sent) == SendStatus::kBlocked) got += pair.read_all();
  got += pair.read_all();
  BOOST_TEST(was_blocked);
  BOOST_TEST((got == want));
  BOOST_TEST(sent == want.size());
  BOOST_TEST(queue.empty());
  BOOST_TEST(budget.used_bytes() == 0U);  // what was sent is not kept
}

BOOST_AUTO_TEST_CASE(more_items_than_one_call_takes) {
  SocketPair pair;
  OutQueue queue;
  std::string want;
  for (int i = 0; i < 200; ++i) {
    queue.push(Slice::of_static("x"));
    queue.push("y");
    want += "xy";
  }
  std::uint64_t sent = 0;
  BOOST_CHECK(queue.flush(pair.near.get(), sent) == SendStatus::kDone);
  BOOST_TEST(pair.read_all() == want);
}

BOOST_AUTO_TEST_CASE(a_closed_peer_is_no_signal) {
  SocketPair pair;
  pair.far.close();
  OutQueue queue;
  queue.push("lost");
  std::uint64_t sent = 0;
  BOOST_CHECK(queue.flush(pair.near.get(), sent) == SendStatus::kClosed);
  BOOST_TEST(sent == 0U);
  queue.clear();
  BOOST_TEST(queue.empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::net
