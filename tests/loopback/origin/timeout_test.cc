// Every timeout, on a clock that the test moves; and cancelling in every state.
#include <boost/test/unit_test.hpp>

#include "fixture.h"

namespace seawall::test {
namespace {

struct TimeoutFixture : OriginFixture {
  static constexpr origin::ServerTimeouts kTimeouts{
      .connect = Millis(1000), .first_byte = Millis(2000), .between_bytes = Millis(3000), .send = Millis(4000)};

  TimeoutFixture() { make_client({.timeouts = kTimeouts}); }

  // Not yet shortly before `after`; with `code` shortly after it.
  void check_expires(const RecordingSink& sink, Millis after, ErrorCode code, Retry retry = Retry::kNo) {
    advance(after - Millis(20));
    BOOST_TEST(!sink.is_ended());
    advance(Millis(40));
    BOOST_REQUIRE(sink.error.has_value());
    BOOST_TEST(to_string(sink.error->code) == to_string(code));
    BOOST_CHECK(sink.error->side == Side::kOrigin);
    BOOST_CHECK(sink.error->retry == retry);
    BOOST_TEST(client->stats().idle == 0U);
  }
};

// A listener whose accept queue is full: connecting to it neither succeeds nor fails.
struct SilentAddress {
  std::vector<Fd> fds;
  net::Address address;

  SilentAddress() {
    Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto any = *net::Address::parse("127.0.0.1:0");
    BOOST_REQUIRE(::bind(listener.get(), any.get(), any.size()) == 0);
    BOOST_REQUIRE(::listen(listener.get(), 0) == 0);
    sockaddr_storage bound;
    socklen_t size = sizeof bound;
    BOOST_REQUIRE(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&bound), &size) == 0);
    address = net::Address(reinterpret_cast<const sockaddr*>(&bound), size);
    fds.push_back(std::move(listener));
    for (int i = 0; i < 3; ++i) {
      Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      ::connect(fd.get(), address.get(), address.size());
      fds.push_back(std::move(fd));
    }
  }
};

BOOST_FIXTURE_TEST_SUITE(origin_timeout, TimeoutFixture)

BOOST_AUTO_TEST_CASE(connect) {
  const SilentAddress silent;
  make_client({.addresses = {silent.address}, .timeouts = kTimeouts});
  const auto sink = start(request("GET"));
  check_expires(*sink, Millis(1000), ErrorCode::kConnectTimeout, Retry::kYes);
}

BOOST_AUTO_TEST_CASE(connect_is_over_all_addresses) {
  const SilentAddress silent;
  make_client({.addresses = {silent.address, silent.address, silent.address}, .timeouts = kTimeouts});
  const auto sink = start(request("GET"));
  advance(Millis(400));
  advance(Millis(400));
  BOOST_TEST(!sink->is_ended());
  advance(Millis(250));
  BOOST_REQUIRE(sink->error.has_value());
  BOOST_CHECK(sink->error->code == ErrorCode::kConnectTimeout);
}

BOOST_AUTO_TEST_CASE(a_silent_address_leaves_time_for_the_next) {
  const SilentAddress silent;
  make_client({.addresses = {silent.address, origin.address()}, .timeouts = kTimeouts});
  const auto sink = start(request("GET"));
  advance(Millis(520));
  origin.await(0, "\r\n\r\n").send(kOk);
  await_end(*sink);
  BOOST_TEST(sink->is_complete);
}

BOOST_AUTO_TEST_CASE(first_byte) {
  const auto sink = start(request("GET"));
  origin.await(0, "\r\n\r\n");
  check_expires(*sink, Millis(2000), ErrorCode::kFirstByteTimeout);
}

BOOST_AUTO_TEST_CASE(first_byte_on_a_reused_connection_is_not_sent_again) {
  get(0, kOk);
  advance(Millis(1500));
  const auto sink = start(request("GET"));
  origin.await(0, "\r\n\r\n");
  check_expires(*sink, Millis(2000), ErrorCode::kFirstByteTimeout);
  BOOST_TEST(client->stats().resent == 0U);
}

BOOST_AUTO_TEST_CASE(a_head_that_drips_is_cut_off) {
  const auto sink = start(request("GET"));
  auto& peer = origin.await(0, "\r\n\r\n");
  peer.send("HTTP/1.1 200 OK\r\n");
  settle(loop);
  for (int i = 0; i < 2; ++i) {
    advance(Millis(1000));
    peer.send("X: y\r\n");
    settle(loop);
  }
  check_expires(*sink, Millis(1000), ErrorCode::kBetweenBytesTimeout);
}

BOOST_AUTO_TEST_CASE(between_bytes_starts_anew_with_each) {
  const auto sink = start(request("GET"));
  auto& peer = origin.await(0, "\r\n\r\n");
  peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
  settle(loop);
  for (int i = 0; i < 5; ++i) {
    advance(Millis(2900));
    peer.send("x");
    settle(loop);
  }
  check_expires(*sink, Millis(3000), ErrorCode::kBetweenBytesTimeout);
  BOOST_TEST(sink->body == "xxxxx");
}

BOOST_AUTO_TEST_CASE(between_bytes_rests_while_paused) {
  const auto sink = start(request("GET"));
  auto& peer = origin.await(0, "\r\n\r\n");
  peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
  pump_until(loop, "a head", [&] { return sink->head.has_value(); });
  sink->exchange->pause();
  advance(Millis(100'000));
  BOOST_TEST(!sink->is_ended());
  sink->exchange->resume();
  check_expires(*sink, Millis(3000), ErrorCode::kBetweenBytesTimeout);
}

BOOST_AUTO_TEST_CASE(send) {
  auto r = request("POST");
  r.body = make_ref<http::BodyPipe>(loop, std::size_t{64 * 1024});
  r.body_length = 64 << 20;
  const auto pipe = r.body;
  const auto sink = start(std::move(r));
  origin.await(0, "\r\n\r\n").set_reading(false);
  for (int i = 0; i < 3000; ++i) {
    pipe->write(std::string(16 * 1024, 'b'));
    loop.turn(net::Loop::Wait::kPoll);
  }
  BOOST_REQUIRE(pipe->room() == 0U);
  check_expires(*sink, Millis(4000), ErrorCode::kSendTimeout);
  BOOST_TEST(pipe->write("dropped") == 7U);
}

BOOST_AUTO_TEST_CASE(a_slow_client_is_not_the_origins_fault) {
  auto r = request("POST");
  r.body = make_ref<http::BodyPipe>(loop, std::size_t{64 * 1024});
  r.body_length = 2;
  const auto pipe = r.body;
  const auto sink = start(std::move(r));
  origin.await(0, "\r\n\r\n");
  advance(Millis(60'000));
  BOOST_TEST(pipe->write("a") == 1U);
  settle(loop);
  advance(Millis(60'000));
  BOOST_TEST(!sink->is_ended());
  BOOST_TEST(pipe->write("b") == 1U);
  origin.await(0, "ab");
  check_expires(*sink, Millis(2000), ErrorCode::kFirstByteTimeout);
}

BOOST_AUTO_TEST_CASE(no_timer_outlives_its_exchange) {
  get(0, kOk);
  client->close_idle();
  settle(loop);
  BOOST_TEST(!loop.timers().next_deadline().has_value());
}

BOOST_AUTO_TEST_CASE(cancel_in_every_state) {
  const SilentAddress silent;
  struct Row {
    std::string_view name;
    std::string_view response;
    bool connects = true;
  };
  constexpr Row kRows[] = {
      {.name = "dialling", .response = "", .connects = false},
      {.name = "waiting for the head", .response = ""},
      {.name = "in the head", .response = "HTTP/1.1 200 OK\r\nCont"},
      {.name = "after 1xx", .response = "HTTP/1.1 103 Early Hints\r\n\r\n"},
      {.name = "after the head", .response = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"},
      {.name = "in the body", .response = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"},
      {.name = "in a chunk", .response = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"},
  };
  for (const Row& row : kRows) {
    for (const bool reused : {false, true}) {
      if (!row.connects && reused) continue;
      BOOST_TEST_CONTEXT(row.name << (reused ? ", reused" : ", fresh")) {
        OriginFixture f;
        if (!row.connects) f.make_client({.addresses = {silent.address}});
        if (reused) f.get(0, kOk);
        const auto sink = f.start(request("GET"));
        if (row.connects) f.origin.await(0, "\r\n\r\n").send(row.response);
        settle(f.loop);
        sink->exchange.reset();
        settle(f.loop);
        BOOST_TEST(!sink->is_ended());
        BOOST_TEST(f.client->stats().idle == 0U);
        if (row.connects) BOOST_TEST(f.origin.peer(0).saw_end());
        BOOST_TEST(!f.loop.timers().next_deadline().has_value());
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(cancel_at_once_and_with_a_failure_on_its_way) {
  // TCP to the broadcast address fails inside connect(), and so inside start().
  make_client({.addresses = {*net::Address::parse("255.255.255.255:9")}});
  auto failing = start(request("GET"));
  failing->exchange.reset();
  settle(loop);
  BOOST_TEST(!failing->is_ended());
  const auto failed = start(request("GET"));
  await_end(*failed);
  BOOST_REQUIRE(failed->error.has_value());
  BOOST_CHECK(failed->error->code == ErrorCode::kConnectFailed);

  make_client({});
  const auto sink = start(request("GET"));
  sink->exchange.reset();
  settle(loop);
  BOOST_TEST(!sink->is_ended());
}

BOOST_AUTO_TEST_CASE(cancel_after_completion_keeps_the_connection) {
  auto sink = get(0, kOk);
  sink->exchange.reset();
  settle(loop);
  BOOST_TEST(client->stats().idle == 1U);
  BOOST_TEST(!origin.peer(0).saw_end());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::test
