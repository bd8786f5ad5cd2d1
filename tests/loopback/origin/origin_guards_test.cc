// What stands between calls and an origin: places and their queue, breakers, back-off, sick, draining and changing
// servers; and that whatever happens gives back what was held.
#include <algorithm>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <thread>

#include "client_fixture.h"

namespace seawall::test {
namespace {

BOOST_FIXTURE_TEST_SUITE(origin_guards, ClientFixture)

BOOST_AUTO_TEST_CASE(those_that_find_no_place_wait_for_one) {
  options.limit.in_flight = 1;
  options.limit.queue = 1;
  open_one();
  const auto first = get();
  const auto second = get();
  const auto third = get();
  check_error(*third, ErrorCode::kQueueFull, Side::kLocal);
  answer(a, 0, kHead);
  BOOST_TEST(snapshot().queued == 1U);  // the body is part of it
  BOOST_TEST(a.connections() == 1U);
  a.peer(0).send("0123456789");
  check_complete(*first);
  answer(a, 0, kOk);
  check_complete(*second);

  const auto fourth = get();
  a.await(0, "\r\n\r\n");
  const auto fifth = get();
  advance(Millis(950));
  BOOST_TEST(!fifth->is_ended());
  advance(Millis(70));
  check_error(*fifth, ErrorCode::kQueueTimeout, Side::kLocal);
  BOOST_TEST(!fourth->is_ended());
  answer(a, 0, kOk);
  check_complete(*fourth);
  BOOST_TEST(snapshot().errors[static_cast<std::size_t>(ErrorCode::kQueueTimeout)] == 1U);
  BOOST_TEST(snapshot().errors[static_cast<std::size_t>(ErrorCode::kQueueFull)] == 1U);
  BOOST_TEST(snapshot().window.calls == 3U);  // refusals of our own say nothing of the origin
  check_free();
}

BOOST_AUTO_TEST_CASE(a_wider_limit_lets_the_waiting_in) {
  options.limit.in_flight = 1;
  open_one();
  const auto first = get();
  const auto second = get();
  options.limit.in_flight = 2;
  state->set_options(options, clock.mono_now());
  answer(a, 0, kOk);
  answer(a, 1, kOk);
  check_complete(*first);
  check_complete(*second);
  check_free();
}

BOOST_AUTO_TEST_CASE(a_place_freed_by_one_worker_goes_to_another) {
  options.limit.in_flight = 1;
  open_one();
  net::Loop other{1, clock};
  origin::OriginClient elsewhere(other, state, options);
  const auto first = get();
  RecordingSink second;
  second.exchange = elsewhere.start(request("GET"), second);
  settle(other);
  answer(a, 0, kOk);
  check_complete(*first);
  BOOST_TEST(a.connections() == 1U);
  settle(other);
  settle(loop);
  answer(a, 1, kOk);
  pump_until(other, "the end of a call", [&] { return second.is_ended(); });
  BOOST_TEST(second.is_complete);
  elsewhere.close_idle();
  check_free();
}

BOOST_AUTO_TEST_CASE(a_cancelled_call_gives_back_what_it_held) {
  struct Row {
    const char* name;
    bool is_queued = false;
    bool is_asked = true;
    std::string_view response{};
  };
  constexpr Row kRows[] = {
      {.name = "queued", .is_queued = true, .is_asked = false},
      {.name = "dialling", .is_asked = false},
      {.name = "waiting for the head"},
      {.name = "in the head", .response = "HTTP/1.1 200 OK\r\nCont"},
      {.name = "after 1xx", .response = "HTTP/1.1 103 Early Hints\r\n\r\n"},
      {.name = "after the head", .response = kHead},
      {.name = "in the body", .response = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234"},
  };
  for (const Row& row : kRows) {
    BOOST_TEST_CONTEXT(row.name) {
      ClientFixture f;
      f.options.limit.in_flight = 1;
      f.open_one();
      std::unique_ptr<RecordingSink> holder;
      if (row.is_queued) holder = f.get();
      const auto sink = f.get();
      if (row.is_asked) f.a.await(0, "\r\n\r\n").send(row.response);
      if (row.is_asked) settle(f.loop);
      BOOST_TEST(f.snapshot().in_flight == 1U);
      sink->exchange.reset();
      BOOST_TEST(f.snapshot().in_flight == (row.is_queued ? 1U : 0U));
      BOOST_TEST(f.snapshot().queued == 0U);
      settle(f.loop);
      BOOST_TEST(!sink->is_ended());
      if (row.is_asked) BOOST_TEST(f.a.peer(0).saw_end());
      holder.reset();
      // Those who leave say nothing of the origin.
      BOOST_TEST(f.snapshot().window.failures == 0);
      BOOST_TEST(f.observer.take().empty());
      f.check_free();
    }
  }
}

BOOST_AUTO_TEST_CASE(cancelled_while_its_place_is_on_the_way) {
  options.limit.in_flight = 1;
  open_one();
  const auto first = get();
  const auto second = get();
  first->hook = [&](std::string_view call) {
    if (call != "complete") return;
    BOOST_TEST(snapshot().in_flight == 1U);  // the second's already
    second->exchange.reset();
  };
  answer(a, 0, kOk);
  check_complete(*first);
  BOOST_TEST(!second->is_ended());
  check_free();
}

BOOST_AUTO_TEST_CASE(the_breaker_opens_probes_and_closes) {
  options.breaker.connect_failures = 3;
  options.breaker.probes = 1;
  options.breaker.close_after = 2;
  open({endpoint(refusing_address())});
  for (std::uint64_t i = 0; i < 3; ++i) {
    BOOST_TEST(!state->is_breaker_open());
    check_error(*get(), ErrorCode::kConnectRefused, Side::kOrigin);
  }
  BOOST_TEST(observer.take().back() == "breaker [origin] open");
  BOOST_TEST(state->is_breaker_open());
  BOOST_TEST(state->is_ailing());

  state->set_endpoints({endpoint(a.address())}, clock.mono_now());
  check_error(*get(), ErrorCode::kBreakerOpen, Side::kLocal);
  BOOST_TEST(!has_request(a));
  BOOST_TEST(state->retry_after(clock.mono_now()).count() >= 1);

  advance(Millis(1300));
  const auto probe = get();
  check_error(*get(), ErrorCode::kBreakerOpen, Side::kLocal);  // one at a time
  answer(a, 0, kOk);
  check_complete(*probe);
  BOOST_TEST(observer.take().empty());
  const auto second_probe = get();
  answer(a, 0, kOk);
  check_complete(*second_probe);
  BOOST_TEST(observer.take() == std::vector<std::string>{"breaker [origin] closed"}, boost::test_tools::per_element());
  BOOST_TEST(!state->is_ailing());
  check_free();
}

BOOST_AUTO_TEST_CASE(a_probe_that_is_cancelled_makes_room_for_another) {
  options.breaker.connect_failures = 1;
  options.breaker.probes = 1;
  open({endpoint(refusing_address())});
  check_error(*get(), ErrorCode::kConnectRefused, Side::kOrigin);
  state->set_endpoints({endpoint(a.address())}, clock.mono_now());
  advance(Millis(1300));
  auto probe = get();
  a.await(0, "\r\n\r\n");
  probe.reset();
  const auto next = get();
  answer(a, 1, kOk);
  check_complete(*next);
}

BOOST_AUTO_TEST_CASE(a_server_that_refuses_is_left_out) {
  options.breaker.connect_failures = 2;
  const auto refusing = endpoint(refusing_address());
  open({refusing, endpoint(a.address())});
  std::size_t failures = 0;
  for (std::uint64_t i = 0; i < 8; ++i) {
    const auto sink = get(i);
    answer_next(kOk);
    check_complete(*sink);
    for (const auto& told : observer.take()) failures += told.starts_with("failure");
  }
  BOOST_TEST(failures == 2U);
  BOOST_TEST(!snapshot().servers[0].is_usable);
  BOOST_CHECK(snapshot().servers[0].breaker == origin::Breaker::State::kOpen);
  BOOST_CHECK(snapshot().breaker == origin::Breaker::State::kClosed);
}

BOOST_AUTO_TEST_CASE(slow_answers_count_as_failures_where_set) {
  options.breaker.slow = Millis(500);
  options.breaker.min_requests = 2;
  options.breaker.failure_ratio = 1;
  open_one();
  for (const Millis after : {Millis(100), Millis(600), Millis(600), Millis(600)}) {
    BOOST_TEST(!state->is_breaker_open());
    const auto sink = get(static_cast<std::uint64_t>(clock.mono_now().us));
    a.await(0, "\r\n\r\n");
    advance(after);
    answer(a, 0, kOk);
    check_complete(*sink);
  }
  BOOST_TEST(!state->is_breaker_open());  // one of the four was quick
  advance(Millis(11'000));
  for (std::uint64_t i = 0; i < 3; ++i) {
    const auto sink = get(i);
    a.await(0, "\r\n\r\n");
    advance(Millis(600));
    answer(a, 0, kOk);
    check_complete(*sink);
  }
  BOOST_TEST(state->is_breaker_open());
}

BOOST_AUTO_TEST_CASE(a_body_that_breaks_off_counts_as_a_failure) {
  options.breaker.min_requests = 6;
  open_one();
  for (std::uint64_t i = 0; i < 3; ++i) {
    BOOST_TEST(!state->is_breaker_open());
    const auto sink = get(i);
    auto& peer = a.await(i, "\r\n\r\n");
    peer.send(kHead);
    settle(loop);
    peer.send("01234");
    settle(loop);
    peer.close();
    check_error(*sink, ErrorCode::kIncompleteBody, Side::kOrigin);
    BOOST_TEST(sink->body == "01234");
    BOOST_TEST(observer.take().front() == "failure " + name_of(a) + " incomplete-body");
  }
  BOOST_TEST(snapshot().servers[0].failures == 3U);
  BOOST_TEST(state->is_breaker_open());
  check_free();
}

BOOST_AUTO_TEST_CASE(an_origin_is_left_alone_when_it_asks_a_shared_fetch_for_it) {
  constexpr std::string_view kTooMany = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n";
  open_one();
  const auto of_one_client = get();
  answer(a, 0, kTooMany);
  check_complete(*of_one_client, 429);
  BOOST_TEST(observer.take().empty());
  auto r = request("GET");
  r.is_shared = true;
  const auto shared = start(std::move(r));
  answer(a, 0, kTooMany);
  check_complete(*shared, 429);
  BOOST_TEST(observer.take() == std::vector<std::string>{"back-off 5000"}, boost::test_tools::per_element());
  BOOST_TEST(state->is_ailing());
  BOOST_TEST(state->retry_after(clock.mono_now()).count() == 5);
  check_error(*get(), ErrorCode::kBackingOff, Side::kLocal);
  advance(Millis(4900));
  check_error(*get(), ErrorCode::kBackingOff, Side::kLocal);
  advance(Millis(200));
  const auto after = get();
  BOOST_TEST(!state->is_ailing());
  answer(a, 0, kOk);
  check_complete(*after);
  BOOST_TEST(snapshot().window.failures == 0);
}

BOOST_AUTO_TEST_CASE(those_who_wait_are_not_sent_to_an_origin_that_asked_for_silence) {
  options.limit.in_flight = 1;
  open_one();
  auto r = request("GET");
  r.is_shared = true;
  const auto first = start(std::move(r));
  const auto second = get();
  answer(a, 0, "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n");
  check_complete(*first, 429);
  check_error(*second, ErrorCode::kBackingOff, Side::kLocal);
  BOOST_TEST(snapshot().requests == 1U);
  check_free();
}

BOOST_AUTO_TEST_CASE(a_pause_that_an_origin_asks_for_has_a_bound) {
  struct Row {
    std::string_view value;
    std::int64_t want;  // ms; 0: none
  };
  constexpr Row kRows[] = {{"1", 1000},
                           {"301", 300'000},
                           {"99999999999999999999", 300'000},
                           {"0", 0},
                           {"-1", 0},
                           {"soon", 0},
                           {"Tue, 14 Nov 2023 22:13:27 GMT", 7000},  // the clock begins at 22:13:20
                           {"Tue, 14 Nov 2023 22:13:13 GMT", 0}};
  for (const Row& row : kRows) {
    BOOST_TEST_CONTEXT(row.value) {
      ClientFixture f;
      auto r = request("GET");
      r.is_shared = true;
      const auto sink = f.start(std::move(r));
      f.answer(f.a, 0, "HTTP/1.1 429 No\r\nContent-Length: 0\r\nRetry-After: " + std::string(row.value) + "\r\n\r\n");
      f.check_complete(*sink, 429);
      BOOST_TEST(f.snapshot().back_off.count() == row.want);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_server_that_drains_gets_nothing_new_and_keeps_its_count) {
  const auto old = get();
  answer(a, 0, kHead);
  auto draining = endpoint(a.address());
  draining.is_drain = true;
  state->set_endpoints({draining, endpoint(b.address())}, clock.mono_now());
  for (int i = 0; i < 3; ++i) {
    const auto sink = get();
    answer(b, 0, kOk);
    check_complete(*sink);
  }
  BOOST_TEST(snapshot().servers[0].in_flight == 1U);
  BOOST_TEST(!snapshot().servers[0].is_usable);
  a.peer(0).send("0123456789");
  check_complete(*old);
  BOOST_TEST(snapshot().servers[0].in_flight == 0U);
  BOOST_TEST(snapshot().servers[0].requests == 1U);

  state->set_endpoints({endpoint(a.address())}, clock.mono_now());
  const auto back = get();
  answer(a, 0, kOk);
  check_complete(*back);
  BOOST_TEST(a.connections() == 1U);  // the same client goes on
  check_free();
}

BOOST_AUTO_TEST_CASE(a_server_that_left_and_came_back_begins_anew) {
  const auto old = get();
  answer(a, 0, kHead);
  state->set_endpoints({endpoint(b.address())}, clock.mono_now());
  state->set_endpoints({endpoint(a.address())}, clock.mono_now());
  const auto fresh = get();
  answer(a, 1, kHead);
  a.peer(0).send("0123456789");
  check_complete(*old);
  BOOST_TEST(snapshot().servers[0].in_flight == 1U);
  a.peer(1).send("0123456789");
  check_complete(*fresh);
  check_free();
}

struct SickFixture : ClientFixture {
  SickFixture() {
    options.health = {.path = "/", .rise = 1, .fall = 1};
    open_both();
  }
  void check(std::size_t server, bool ok) {
    state->record_health(state->servers().at(server), ok, "status 500", clock.mono_now());
  }
};

BOOST_FIXTURE_TEST_CASE(a_sick_server_gets_nothing, SickFixture) {
  check(0, false);
  BOOST_TEST(observer.take() == std::vector{"health " + name_of(a) + " sick: status 500"},
             boost::test_tools::per_element());
  BOOST_TEST(!state->is_ailing());
  for (int i = 0; i < 3; ++i) {
    const auto sink = get();
    answer(b, 0, kOk);
    check_complete(*sink);
  }
  const auto busy = get();
  answer(b, 0, kBusy);
  check_complete(*busy, 503);  // nobody to retry with
  BOOST_TEST(a.connections() == 0U);
}

BOOST_FIXTURE_TEST_CASE(with_all_sick_one_call_a_second_goes_through, SickFixture) {
  check(0, false);
  check(1, false);
  BOOST_TEST(state->is_ailing());
  const auto first = get();
  const auto [server, i] = await_request();
  check_error(*get(), ErrorCode::kNoServer, Side::kLocal);
  advance(Millis(1100));
  check_error(*get(), ErrorCode::kNoServer, Side::kLocal);  // the first is still out
  answer(*server, i, kOk);
  check_complete(*first);
  const auto second = get();
  answer_next(kOk);
  check_complete(*second);
  check_error(*get(), ErrorCode::kNoServer, Side::kLocal);
  advance(Millis(1100));
  const auto third = get();
  answer_next(kBusy);
  check_complete(*third, 503);
  check(1, true);
  BOOST_TEST(!state->is_ailing());
  for (int k = 0; k < 3; ++k) {
    const auto sink = get();
    answer(b, 0, kOk);
    check_complete(*sink);
  }
  check_free();
}

BOOST_FIXTURE_TEST_CASE(a_cancelled_trickle_makes_room_for_the_next, SickFixture) {
  check(0, false);
  check(1, false);
  auto first = get();
  await_request();
  first.reset();
  settle(loop);
  check_error(*get(), ErrorCode::kNoServer, Side::kLocal);
  advance(Millis(1100));
  const auto second = get();
  BOOST_TEST(snapshot().in_flight == 1U);
}

BOOST_FIXTURE_TEST_CASE(one_sick_server_does_not_keep_the_breaker_open, SickFixture) {
  options.breaker.connect_failures = 1;
  options.retry.tries = 1;
  open({endpoint(refusing_address()), endpoint(a.address())});
  check_error(*get(), ErrorCode::kConnectRefused, Side::kOrigin);
  BOOST_TEST(state->is_breaker_open());
  advance(Millis(1300));
  for (int i = 0; i < 3; ++i) {
    check(0, false);
    BOOST_TEST(state->is_breaker_open());
    check(1, true);
  }
  BOOST_TEST(!state->is_breaker_open());
}

BOOST_FIXTURE_TEST_CASE(without_checks_nobody_stays_sick, SickFixture) {
  check(0, false);
  check(1, false);
  options.health = {};
  state->set_options(options, clock.mono_now());
  BOOST_TEST(!state->is_ailing());
  BOOST_TEST(snapshot().servers[0].is_healthy);
  const auto one = get();
  const auto two = get();
  answer_next(kOk);
  answer_next(kOk);
  check_complete(*one);
  check_complete(*two);
}

BOOST_AUTO_TEST_CASE(an_unresolved_origin_says_why) {
  client.reset();
  state = std::make_shared<origin::OriginState>(options, observer, 1);
  client.emplace(loop, state, options);
  BOOST_TEST(state->is_ailing());
  check_error(*get(), ErrorCode::kResolveFailed, Side::kOrigin);
  state->on_unresolved(ErrorCode::kDnsTimeout);
  check_error(*get(), ErrorCode::kDnsTimeout, Side::kOrigin);
  BOOST_TEST(snapshot().errors[static_cast<std::size_t>(ErrorCode::kDnsTimeout)] == 1U);
  check_free();
}

BOOST_AUTO_TEST_CASE(background_calls_leave_room_for_clients) {
  options.limit.in_flight = 4;
  open_one();
  const auto in_background = [&] {
    auto r = request("GET");
    r.traffic = http::Traffic::kBackground;
    return start(std::move(r));
  };
  const auto first = in_background();
  const auto second = in_background();
  const auto of_client = get();
  BOOST_TEST(snapshot().background == 1U);
  BOOST_TEST(snapshot().queued == 1U);
  answer(a, 0, kOk);
  check_complete(*first);
  answer(a, 1, kOk);
  check_complete(*of_client);
  BOOST_TEST(snapshot().background == 1U);
  answer_next(kOk);
  check_complete(*second);
  check_free();
}

// Workers on threads of their own that share an origin with fewer places than they have calls.
BOOST_AUTO_TEST_CASE(workers_share_an_origin) {
  constexpr std::size_t kWorkers = 3;
  constexpr std::size_t kCallsAtOnce = 4;
  constexpr int kCalls = 300;
  struct Worker {
    explicit Worker(const Clock& clock) : loop(0, clock), server(loop) {}

    net::Loop loop;
    ScriptedOrigin server;
    std::optional<origin::OriginClient> client;
    int answered = 0;

    void answer_all() {
      for (std::size_t i = 0; i < server.connections(); ++i) {
        auto& peer = server.peer(i);
        if (!peer.received().contains("\r\n\r\n")) continue;
        peer.take_received();
        peer.send(kOk);
      }
    }
    void run(std::atomic<std::size_t>& busy) {
      std::vector<std::unique_ptr<RecordingSink>> calls(kCallsAtOnce);
      for (int begun = 0; busy.load() > 0;) {
        for (auto& call : calls) {
          if (call && !call->is_ended()) continue;
          if (call) answered += call->is_complete;
          call.reset();
          if (begun == kCalls) continue;
          call = std::make_unique<RecordingSink>();
          call->exchange = client->start(request("GET"), *call);
          if (++begun == kCalls) last_begun = true;
        }
        const auto is_over = [](const auto& call) { return !call; };
        if (last_begun && std::ranges::all_of(calls, is_over)) {
          last_begun = false;
          busy.fetch_sub(1);
        }
        loop.turn(net::Loop::Wait::kPoll);
        answer_all();
      }
    }
    bool last_begun = false;
  };
  options.limit = {.in_flight = 5};
  std::vector<std::unique_ptr<Worker>> workers;
  std::vector<origin::Endpoint> endpoints;
  for (std::size_t i = 0; i < kWorkers; ++i) {
    workers.push_back(std::make_unique<Worker>(clock));
    endpoints.push_back(endpoint(workers.back()->server.address()));
  }
  open(endpoints);
  for (const auto& worker : workers) worker->client.emplace(worker->loop, state, options);
  std::atomic<std::size_t> busy{kWorkers};
  std::vector<std::thread> threads;
  for (const auto& worker : workers) threads.emplace_back([&] { worker->run(busy); });
  while (busy.load() > 0) {
    std::ranges::rotate(endpoints, endpoints.begin() + 1);
    state->set_endpoints(endpoints, clock.mono_now());
    state->set_options(options, clock.mono_now());
    state->record_health(state->servers().front(), true, "", clock.mono_now());
    std::this_thread::yield();
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& worker : workers) {
    BOOST_TEST(worker->answered == kCalls);
    worker->client->close_idle();
  }
  BOOST_TEST(snapshot().requests == kWorkers * kCalls);
  check_free();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::test
