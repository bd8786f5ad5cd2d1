// Calls to an origin of two servers: where they go, when they are tried again or hedged, and how they end.
#include "origin/origin_client.h"

#include <boost/test/unit_test.hpp>
#include <utility>
#include <variant>

#include "client_fixture.h"

namespace seawall::test {
namespace {

BOOST_FIXTURE_TEST_SUITE(origin_client, ClientFixture)

BOOST_AUTO_TEST_CASE(servers_take_turns_and_connections_are_kept) {
  for (int i = 0; i < 4; ++i) {
    const auto sink = get();
    answer_next(kOk);
    check_complete(*sink);
    BOOST_TEST(sink->body == "ok");
  }
  BOOST_TEST(a.connections() == 1U);
  BOOST_TEST(b.connections() == 1U);
  BOOST_TEST(snapshot().requests == 4U);
  BOOST_TEST(snapshot().statuses[2] == 4U);
  check_free();
}

BOOST_AUTO_TEST_CASE(a_refused_connection_is_retried_at_the_other_server) {
  const auto refusing = endpoint(refusing_address());
  for (const std::string_view method : {"GET", "PUT", "POST"}) {
    BOOST_TEST_CONTEXT(method) {
      open({refusing, endpoint(a.address())});
      const auto sink = start(request(method));
      answer_next(kOk);
      check_complete(*sink);
      BOOST_TEST(snapshot().retries == 1U);
      BOOST_TEST(observer.take() == std::vector{"failure " + refusing.name + " connect-refused"},
                 boost::test_tools::per_element());
      check_free();
    }
  }
}

BOOST_AUTO_TEST_CASE(what_is_tried_again_after_it_was_sent) {
  enum class First { kClose, kReset, kSilence, kDrip };
  struct Row {
    const char* method;
    std::variant<std::string_view, First> first;
    bool is_retried;
    bool has_key = false;
  };
  constexpr std::string_view kGarbage = "what?\r\n\r\n";
  const std::vector<Row> rows = {
      {"GET", "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", true},
      {"GET", kBusy, true},
      {"GET", "HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 0\r\n\r\n", true},
      {"PUT", kBusy, true},
      {"GET", "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n", false},
      {"GET", "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n", false},
      {"GET", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", false},
      {"POST", kBusy, false},
      {"POST", kBusy, true, true},
      {"GET", First::kClose, true},
      {"GET", First::kReset, true},
      {"GET", First::kSilence, true},
      {"GET", First::kDrip, true},
      {"GET", kGarbage, false},
      {"POST", First::kClose, false},
      {"POST", First::kReset, false},
      {"POST", First::kSilence, false},
      {"POST", First::kClose, true, true},
      {"POST", First::kSilence, true, true},
  };
  options.retry.idempotency_key = true;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Row& row = rows[i];
    BOOST_TEST_CONTEXT("row " << i << ": " << row.method) {
      ClientFixture f;
      f.options = options;
      f.open_both();
      auto r = request(row.method);
      if (row.has_key) r.headers.add("Idempotency-Key", "1");
      const auto sink = f.start(std::move(r));
      auto& peer = f.a.await(0, "\r\n\r\n");
      if (const auto* response = std::get_if<std::string_view>(&row.first)) {
        peer.send(*response);
      } else {
        switch (std::get<First>(row.first)) {
          case First::kClose: peer.close(); break;
          case First::kReset: peer.reset(); break;
          case First::kSilence: f.advance(Millis(10'100)); break;
          case First::kDrip:
            peer.send("HTTP/1.1 200 OK\r\n");
            settle(f.loop);
            f.advance(Millis(10'100));
            break;
        }
      }
      settle(f.loop);
      BOOST_TEST(f.snapshot().retries == (row.is_retried ? 1U : 0U));
      BOOST_TEST(f.has_request(f.b) == row.is_retried);
      if (row.is_retried) {
        f.answer(f.b, 0, kOk);
        f.check_complete(*sink);
        BOOST_TEST(sink->body == "ok");
      }
      f.await_end(*sink);
      f.check_free();
    }
  }
}

BOOST_AUTO_TEST_CASE(a_bad_answer_is_delivered_when_nobody_else_can_be_asked) {
  open_one();
  const auto alone = get();
  answer(a, 0, kBusy);
  check_complete(*alone, 503);
  BOOST_TEST(alone->body == "busy");
  BOOST_TEST(snapshot().retries == 0U);

  auto draining = endpoint(b.address());
  draining.is_drain = true;
  open({endpoint(a.address()), draining});
  const auto without = get();
  answer(a, 1, kBusy);
  check_complete(*without, 503);
  BOOST_TEST(b.connections() == 0U);

  options.retry.tries = 1;
  open_both();
  const auto once = get();
  answer(a, 2, kBusy);
  check_complete(*once, 503);
  BOOST_TEST(b.connections() == 0U);
  check_free();
}

BOOST_AUTO_TEST_CASE(the_last_failure_is_the_one_told) {
  const auto refusing = endpoint(refusing_address());
  open({refusing, endpoint(a.address())});
  const auto sink = get();
  answer(a, 0, kBusy);
  check_complete(*sink, 503);

  open({endpoint(a.address()), refusing});
  const auto other = get();
  answer(a, 1, kBusy);
  check_error(*other, ErrorCode::kConnectRefused, Side::kOrigin);
  check_free();
}

BOOST_AUTO_TEST_CASE(a_body_goes_with_the_retry_while_it_is_whole) {
  const auto upload = [&] {
    auto r = request("PUT");
    r.body = make_ref<http::BodyPipe>(loop, 1024U);
    r.body_length = 4;
    return r;
  };
  open({endpoint(refusing_address()), endpoint(a.address())});
  auto unread = upload();
  const auto pipe = unread.body;
  const auto first = start(std::move(unread));
  a.await(0, "\r\n\r\n");
  BOOST_TEST(pipe->write("body") == 4U);
  a.await(0, "\r\n\r\nbody").send(kOk);
  check_complete(*first);

  open_both();
  auto read = upload();
  read.body->write("body");
  const auto second = start(std::move(read));
  a.await(1, "\r\n\r\nbody").close();
  check_error(*second, ErrorCode::kPeerClosed, Side::kOrigin);
  BOOST_TEST(!has_request(b));
  check_free();
}

BOOST_AUTO_TEST_CASE(a_client_that_fails_its_upload_is_not_the_servers_fault) {
  auto r = request("PUT");
  r.body = make_ref<http::BodyPipe>(loop, 1024U);
  r.body_length = 4;
  const auto pipe = r.body;
  const auto sink = start(std::move(r));
  a.await(0, "\r\n\r\n");
  pipe->fail({ErrorCode::kAborted, Side::kClient});
  check_error(*sink, ErrorCode::kAborted, Side::kClient);
  BOOST_TEST(observer.take().empty());
  BOOST_TEST(snapshot().window.calls == 0U);
  BOOST_TEST(!has_request(b));
  check_free();
}

BOOST_AUTO_TEST_CASE(retries_have_a_budget) {
  options.retry.budget_min = 1;
  options.retry.budget_percent = 0;
  open_both();
  const auto first = get(1);
  answer_next(kBusy);
  answer_next(kOk);
  check_complete(*first);
  const auto second = get(2);
  answer_next(kBusy);
  check_complete(*second, 503);
  advance(Millis(11'000));
  const auto third = get(3);
  answer_next(kBusy);
  answer_next(kOk);
  check_complete(*third);
  BOOST_TEST(snapshot().retries == 2U);
}

BOOST_AUTO_TEST_CASE(within_a_call_only_the_first_bad_status_counts) {
  const auto sink = get();
  answer(a, 0, kBusy);
  answer(b, 0, kBusy);
  check_complete(*sink, 503);
  const auto now = snapshot();
  BOOST_TEST(now.servers[0].failures == 1U);
  BOOST_TEST(now.servers[1].failures == 0U);
  BOOST_TEST(now.window.calls == 1U);
  BOOST_TEST(now.window.failures == 1);
}

BOOST_AUTO_TEST_CASE(the_sink_may_drop_the_call_in_any_of_its_calls) {
  constexpr std::string_view kAll =
      "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
  for (const std::string_view when : {"informational", "head", "body", "complete"}) {
    BOOST_TEST_CONTEXT(when) {
      ClientFixture f;
      const auto sink = f.get();
      sink->hook = [&](std::string_view call) {
        if (call == when) sink->exchange.reset();
      };
      f.answer(f.a, 0, kAll);
      BOOST_TEST(!sink->exchange);
      BOOST_TEST(sink->is_complete == (when == "complete"));
      f.check_free();
    }
  }
  open({endpoint(refusing_address())});
  const auto failing = get();
  failing->hook = [&](std::string_view) { failing->exchange.reset(); };
  await_end(*failing);
  check_free();
}

BOOST_AUTO_TEST_CASE(cancelled_with_a_refusal_on_its_way) {
  open({});
  const auto refused = get();
  refused->exchange.reset();
  settle(loop);
  BOOST_TEST(!refused->is_ended());
  check_free();
}

BOOST_AUTO_TEST_CASE(the_total_counts_the_queue_too) {
  options.limit.in_flight = 1;
  options.limit.queue_wait = Millis(60'000);
  options.total = Millis(1000);
  open_one();
  const auto first = get();
  answer(a, 0, kHead);
  const auto second = get();
  advance(Millis(600));
  a.peer(0).send("0123456789");
  check_complete(*first);
  a.await(0, "\r\n\r\n");
  advance(Millis(350));
  BOOST_TEST(!second->is_ended());
  advance(Millis(70));
  check_error(*second, ErrorCode::kTotalTimeout, Side::kOrigin);
  BOOST_TEST(observer.take() == std::vector{"failure " + name_of(a) + " total-timeout"},
             boost::test_tools::per_element());

  const auto third = get();
  answer(a, 1, kHead);
  const auto fourth = get();
  advance(Millis(1020));
  check_error(*fourth, ErrorCode::kTotalTimeout, Side::kLocal);  // never asked
  BOOST_TEST(!third->is_ended());                                // the head is there
  a.peer(1).send("0123456789");
  check_complete(*third);
  check_free();
}

struct HedgeFixture : ClientFixture {
  HedgeFixture() {
    options.retry.hedge_after = Millis(100);
    open_both();
  }
  // The first server has the request and is silent; the second has been asked too.
  std::unique_ptr<RecordingSink> hedged() {
    auto sink = get();
    a.await(0, "\r\n\r\n");
    advance(Millis(80));
    BOOST_TEST(b.connections() == 0U);
    advance(Millis(40));
    b.await(0, "\r\n\r\n");
    return sink;
  }
};

BOOST_FIXTURE_TEST_CASE(a_hedge_that_answers_first_wins, HedgeFixture) {
  const auto sink = hedged();
  BOOST_TEST(snapshot().in_flight == 2U);
  answer(b, 0, kHead);
  BOOST_TEST(snapshot().in_flight == 1U);
  BOOST_TEST(a.peer(0).saw_end());
  b.peer(0).send("0123456789");
  check_complete(*sink);
  BOOST_TEST(sink->body == "0123456789");
  BOOST_TEST(snapshot().hedges == 1U);
  BOOST_TEST(snapshot().retries == 0U);
  BOOST_TEST(snapshot().window.calls == 1U);
  BOOST_TEST(snapshot().servers[0].failures == 0U);
  check_free();
}

BOOST_FIXTURE_TEST_CASE(a_hedge_that_answers_last_is_dropped, HedgeFixture) {
  const auto sink = hedged();
  answer(a, 0, kOk);
  check_complete(*sink);
  BOOST_TEST(b.peer(0).saw_end());
  check_free();
}

BOOST_FIXTURE_TEST_CASE(of_two_tries_the_other_may_do_better, HedgeFixture) {
  const auto answered = hedged();
  answer(a, 0, kBusy);
  BOOST_TEST(!answered->head.has_value());
  answer(b, 0, kOk);
  check_complete(*answered);

  open_both();
  const auto closed = get();
  a.await(1, "\r\n\r\n");
  advance(Millis(120));
  b.await(1, "\r\n\r\n");
  a.peer(1).close();
  settle(loop);
  BOOST_TEST(!closed->is_ended());
  b.peer(1).close();
  check_error(*closed, ErrorCode::kPeerClosed, Side::kOrigin);
  check_free();
}

BOOST_FIXTURE_TEST_CASE(cancelled_with_both_tries_out, HedgeFixture) {
  const auto sink = hedged();
  sink->exchange.reset();
  settle(loop);
  BOOST_TEST(a.peer(0).saw_end());
  BOOST_TEST(b.peer(0).saw_end());
  check_free();
}

BOOST_FIXTURE_TEST_CASE(the_total_ends_both_tries, HedgeFixture) {
  options.total = Millis(1000);
  options.timeouts.first_byte = Millis(10'000);
  open_both();
  const auto sink = hedged();
  advance(Millis(900));
  check_error(*sink, ErrorCode::kTotalTimeout, Side::kOrigin);
  check_free();
}

BOOST_FIXTURE_TEST_CASE(hedges_have_the_retries_budget_and_do_not_wait, HedgeFixture) {
  options.retry.budget_min = 1;
  options.retry.budget_percent = 0;
  open_both();
  const auto first = hedged();
  answer(b, 0, kOk);
  check_complete(*first);
  const auto second = get();
  const auto [asked, i] = await_request();
  advance(Millis(1000));
  BOOST_TEST(a.connections() + b.connections() <= 3U);
  BOOST_TEST(snapshot().in_flight == 1U);
  answer(*asked, i, kOk);
  check_complete(*second);
  BOOST_TEST(snapshot().hedges == 1U);

  options.retry = {.hedge_after = Millis(100)};
  options.limit.in_flight = 1;
  open_both();
  const auto alone = get();
  const auto [server, k] = await_request();
  advance(Millis(1000));
  BOOST_TEST(snapshot().queued == 0U);
  BOOST_TEST(snapshot().hedges == 0U);
  answer(*server, k, kOk);
  check_complete(*alone);
  check_free();
}

BOOST_FIXTURE_TEST_CASE(only_what_is_safe_is_hedged, HedgeFixture) {
  for (const std::string_view method : {"POST", "PUT", "DELETE"}) {
    BOOST_TEST_CONTEXT(method) {
      open_both();
      const auto sink = start(request(method));
      const auto [server, i] = await_request();
      advance(Millis(1000));
      BOOST_TEST(snapshot().hedges == 0U);
      answer(*server, i, kOk);
      check_complete(*sink);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_removed_server_finishes_what_it_has) {
  const auto old = get();
  answer(a, 0, kHead);
  state->set_endpoints({endpoint(b.address())}, clock.mono_now());
  for (int i = 0; i < 2; ++i) {
    const auto sink = get();
    answer(b, 0, kOk);
    check_complete(*sink);
  }
  a.peer(0).send("0123456789");
  check_complete(*old);
  BOOST_TEST(a.peer(0).saw_end());  // nobody will use it
  check_free();
}

BOOST_AUTO_TEST_CASE(an_idle_connection_to_a_removed_server_is_closed) {
  const auto first = get();
  answer(a, 0, kOk);
  check_complete(*first);
  state->set_endpoints({endpoint(b.address())}, clock.mono_now());
  const auto second = get();
  answer(b, 0, kOk);
  check_complete(*second);
  BOOST_TEST(a.peer(0).saw_end());
}

BOOST_AUTO_TEST_CASE(other_timeouts_hold_for_later_calls) {
  const auto first = get();
  a.await(0, "\r\n\r\n");
  options.timeouts.first_byte = Millis(500);
  client->set_options(options);
  state->set_endpoints({endpoint(a.address())}, clock.mono_now());
  const auto second = get();
  a.await(1, "\r\n\r\n");
  advance(Millis(600));
  check_error(*second, ErrorCode::kFirstByteTimeout, Side::kOrigin);
  answer(a, 0, kOk);
  check_complete(*first);
  BOOST_TEST(a.peer(0).saw_end());  // its client was the old one
  check_free();
}

BOOST_AUTO_TEST_CASE(an_upgrade_gives_the_place_back) {
  auto r = request("GET");
  r.upgrade = "websocket";
  const auto sink = start(std::move(r));
  answer(a, 0, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nearly");
  await_end(*sink);
  BOOST_TEST(static_cast<bool>(sink->upgraded));
  BOOST_TEST(sink->early_bytes == "early");
  BOOST_TEST(snapshot().window.calls == 1U);
  check_free();
}

BOOST_AUTO_TEST_CASE(a_pause_holds_the_body_back_whenever_it_comes) {
  for (const bool is_early : {true, false}) {
    BOOST_TEST_CONTEXT((is_early ? "before the head" : "in the head")) {
      ClientFixture f;
      const auto sink = f.get();
      if (is_early) {
        sink->exchange->pause();
      } else {
        sink->hook = [&](std::string_view call) {
          if (call == "head") sink->exchange->pause();
        };
      }
      f.answer(f.a, 0, kHead);
      BOOST_REQUIRE(sink->head.has_value());
      f.a.peer(0).send("0123456789");
      f.advance(Millis(60'000));
      BOOST_TEST(sink->body.empty());
      sink->exchange->resume();
      f.check_complete(*sink);
      BOOST_TEST(sink->body == "0123456789");
      // Of no effect once it is over.
      sink->exchange->pause();
      sink->exchange->resume();
      f.check_free();
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::test
