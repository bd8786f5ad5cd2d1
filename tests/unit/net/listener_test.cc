// Binding, sharing and conflicts of addresses; accepting, pausing at exhaustion, stopping.
#include "net/listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <vector>

#include "support/fd_count.h"
#include "support/manual_clock.h"
#include "support/pump.h"

namespace seawall::net {
namespace {

struct Fixture {
  test::FdCount fds;
  test::ManualClock clock;
  Loop loop{0, clock};

  static std::unique_ptr<Listener> bind(const char* text) {
    auto listener = Listener::bind(*Address::parse(text));
    BOOST_REQUIRE(listener.has_value());
    return std::move(*listener);
  }
  static Fd connect(const Address& to) {
    Fd fd(::socket(to.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    BOOST_REQUIRE(fd);
    BOOST_REQUIRE(::connect(fd.get(), to.get(), to.size()) == 0);
    return fd;
  }
};

BOOST_FIXTURE_TEST_SUITE(net_listener, Fixture)

BOOST_AUTO_TEST_CASE(accepts_with_the_peer_and_its_options) {
  auto listener = bind("127.0.0.1:0");
  BOOST_TEST(listener->address().port() != 0);
  std::vector<Fd> accepted;
  listener->start(loop, [&](Fd fd, const Address& peer) {
    BOOST_TEST(peer.ip() == "127.0.0.1");
    accepted.push_back(std::move(fd));
  });
  std::vector<Fd> clients;
  for (int i = 0; i < 100; ++i) clients.push_back(connect(listener->address()));
  test::pump_until(loop, "100 connections", [&] { return accepted.size() == 100; });
  int no_delay = 0;
  socklen_t size = sizeof no_delay;
  BOOST_TEST(::getsockopt(accepted[0].get(), IPPROTO_TCP, TCP_NODELAY, &no_delay, &size) == 0);
  BOOST_TEST(no_delay != 0);
  char byte = 0;
  BOOST_TEST(::read(accepted[0].get(), &byte, 1) == -1);
  BOOST_TEST(errno == EAGAIN);
}

BOOST_AUTO_TEST_CASE(workers_share_an_address_but_a_probe_finds_it_taken) {
  auto first = bind("127.0.0.1:0");
  const Address address = first->address();
  auto second = Listener::bind(address);
  BOOST_REQUIRE(second.has_value());
  const auto probed = Listener::probe(address);
  BOOST_REQUIRE(!probed.has_value());
  BOOST_TEST(probed.error() == address.to_string() + " is in use: stop the other server or choose another --listen");
  first.reset();
  second->reset();
  BOOST_TEST(Listener::probe(address).has_value());
  BOOST_TEST(Listener::probe(*Address::parse("127.0.0.1:0")).has_value());
}

BOOST_AUTO_TEST_CASE(an_address_of_another_host_is_explained) {
  const auto listener = Listener::bind(*Address::parse("192.0.2.1:8080"));
  BOOST_REQUIRE(!listener.has_value());
  BOOST_TEST(listener.error() == "192.0.2.1:8080 is not an address of this host: choose one that is, or *:8080");
}

BOOST_AUTO_TEST_CASE(the_wildcard_takes_ipv4) {
  auto listener = bind("*:0");
  std::vector<std::string> peers;
  listener->start(loop, [&](Fd, const Address& peer) { peers.push_back(peer.ip()); });
  const auto address = Address::parse("127.0.0.1:" + std::to_string(listener->address().port()));
  const Fd client = connect(*address);
  test::pump_until(loop, "a connection", [&] { return !peers.empty(); });
  BOOST_TEST(peers[0] == "127.0.0.1");
}

BOOST_AUTO_TEST_CASE(stops_and_is_destroyed_inside_its_callback) {
  auto listener = bind("127.0.0.1:0");
  int accepted = 0;
  listener->start(loop, [&](Fd, const Address&) {
    ++accepted;
    listener.reset();
  });
  const Address address = listener->address();
  const Fd one = connect(address);
  const Fd two = connect(address);
  test::pump_until(loop, "a connection", [&] { return accepted > 0; });
  test::settle(loop);
  BOOST_TEST(accepted == 1);
  const Fd late(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  BOOST_TEST(::connect(late.get(), address.get(), address.size()) == -1);
  BOOST_TEST(errno == ECONNREFUSED);
}

BOOST_AUTO_TEST_CASE(pauses_without_descriptors_and_then_goes_on) {
  auto listener = bind("127.0.0.1:0");
  std::vector<Fd> accepted;
  std::vector<int> reports;
  listener->set_on_exhausted([&](int error) { reports.push_back(error); });
  listener->start(loop, [&](Fd fd, const Address&) { accepted.push_back(std::move(fd)); });
  const Fd client = connect(listener->address());

  rlimit before{};
  BOOST_REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const Fd next(::dup(client.get()));  // the lowest number that is free, and so the limit that leaves none
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(next.get()) + 1;
  BOOST_REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  test::settle(loop);
  BOOST_REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  BOOST_REQUIRE(reports.size() == 1U);  // it rests: thirty turns, one report
  BOOST_TEST(reports[0] == EMFILE);
  BOOST_TEST(accepted.empty());

  test::settle(loop);
  BOOST_TEST(accepted.empty());
  clock.advance(Millis(110));
  test::settle(loop);
  BOOST_TEST(accepted.size() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::net
