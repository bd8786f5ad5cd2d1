// The client's side of a transaction: gone at any moment, slow, upgraded; and what the worker does to it: reload and
// end.
#include <sys/socket.h>

#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "loopback/proxy/harness.h"
#include "support/null_stream.h"

namespace seawall::test {
namespace {

const Lines kFresh = {{"Cache-Control", "max-age=60"}};

BOOST_AUTO_TEST_SUITE(loopback_client)

// The moments at which nothing happens but what others do.
enum class Moment { kWaiting, kWaitingWithHead, kHead, kBody, kFull, kEnd };

BOOST_AUTO_TEST_CASE(a_client_may_leave_at_any_moment) {
  for (const Moment moment :
       {Moment::kWaiting, Moment::kWaitingWithHead, Moment::kHead, Moment::kBody, Moment::kFull, Moment::kEnd}) {
    for (const bool is_starter : {true, false}) {
      for (const bool is_destroyed : {true, false}) {
        BOOST_TEST_CONTEXT("moment " << static_cast<int>(moment) << (is_starter ? ", starter" : ", joiner")
                                     << (is_destroyed ? ", destroyed" : "")) {
          Harness h;
          Client& first = h.ask();
          Client& second = h.ask({.worker = 1});
          Client& leaver = is_starter ? first : second;
          Client& stays = is_starter ? second : first;
          auto& call = h.upstream.last();
          const std::string body(600'000, 'b');
          const auto leave = [&] {
            if (is_destroyed) {
              h.forget(leaver);
            } else {
              leaver.leave();
              BOOST_TEST(leaver.finished == 1);
              BOOST_TEST(!leaver.is_active());
            }
            h.settle();
          };
          if (moment == Moment::kWaiting) leave();
          call.head(200, kFresh);
          if (moment == Moment::kWaitingWithHead) leave();
          h.settle();
          if (moment == Moment::kHead) leave();
          if (moment == Moment::kFull) leaver.writer.stop_reading();
          call.body(std::string_view(body).substr(0, 400'000));
          if (moment == Moment::kBody) leave();
          h.settle();
          if (moment == Moment::kFull) {
            BOOST_TEST(leaver.writer.unsent_bytes() >= proxy::ResponseWriter::kHighWater);
            leave();
          }
          call.body(std::string_view(body).substr(400'000));
          call.complete();
          if (moment == Moment::kEnd) leave();
          h.settle();
          BOOST_TEST(stays.writer.is_answer(200, body));
          BOOST_TEST(h.is_stored());
        }
      }
    }
  }
}

// A session finds out in the middle of a write. Whatever the call was, it is the last but for what belongs to it.
BOOST_AUTO_TEST_CASE(a_client_may_be_found_gone_in_any_call) {
  struct Row {
    const char* name;
    const char* call;
    Ask ask;
  };
  const std::vector<Row> rows = {
      {"1xx", "informational", {}},
      {"head", "head", {}},
      {"body", "body", {}},
      {"flush in the body", "flush", {}},
      {"end", "end", {}},
      {"stored", "stored", {.path = "/stored"}},
      {"error", "head", {.method = "TRACE"}},
      {"error's body", "body", {.method = "TRACE"}},
      {"range", "head", {.path = "/stored", .headers = {{"Range", "bytes=0-1"}}}},
      {"not modified", "head", {.path = "/stored", .headers = {{"If-None-Match", "*"}}}},
      {"abort", "abort", {}},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      Harness h;
      h.store_object({{"Cache-Control", "max-age=60"}, {"ETag", "\"1\""}}, "stored", {.path = "/stored"});
      Client& client = h.client();
      int seen = 0;
      client.writer.hook = [&](std::string_view call) {
        if (call != row.call || ++seen > 1) return;
        client.leave();
      };
      h.repeat(client, row.ask);
      const bool fails = std::string_view(row.call) == "abort";
      auto& call = h.upstream.last();
      const std::vector<std::function<void()>> steps = {[&] { call.informational(103); },
                                                        [&] { call.head(200, kFresh); }, [&] { call.body("body"); },
                                                        [&] { fails ? call.fail() : call.complete(); }};
      for (const auto& step : steps) {
        BOOST_TEST(client.finished == (seen > 0 ? 1 : 0));  // at once, not with the end of the fetch
        if (h.upstream.calls() < 2 || !call.is_open()) continue;
        step();
        h.settle();
      }
      BOOST_TEST(seen >= 1);
      BOOST_TEST(client.finished == 1);
      BOOST_TEST(!client.is_active());
      // The transaction is as new.
      client.writer.hook = [](std::string_view) {};
      h.repeat(client, {.path = "/stored"});
      BOOST_TEST(client.writer.is_answer(200, "stored"));
      BOOST_TEST(client.finished == 2);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_connection_asks_again_from_within_the_end_of_its_answer) {
  Harness h;
  h.store_object(kFresh, "stored");
  Client& client = h.client();
  int left = 1000;
  client.on_finished = [&] {
    BOOST_TEST(client.writer.is_answer(200, "stored"));
    if (--left > 0) {
      h.executor().post([&] { client.ask({}); });
    }
  };
  h.repeat(client, {});
  BOOST_TEST(left == 0);
}

BOOST_AUTO_TEST_CASE(interim_responses_reach_the_one_who_asked) {
  Harness h;
  Client& starter = h.ask();
  Client& joiner = h.ask({.worker = 1});
  Client& old = h.ask({.path = "/old", .version = http::Version::kHttp10});
  for (std::size_t i = 0; i < 2; ++i) {
    h.upstream.call(i).informational(103, {{"Link", "</x>"}});
    h.settle();
    h.upstream.call(i).informational(102);
    h.upstream.call(i).respond(200, kFresh, "x");
  }
  h.settle();
  BOOST_TEST((starter.writer.informational == std::vector<std::uint16_t>{103, 102}));
  BOOST_TEST(joiner.writer.informational.empty());
  BOOST_TEST(old.writer.informational.empty());
  for (const Client* client : {&starter, &joiner, &old}) BOOST_TEST(client->writer.is_answer(200, "x"));
}

BOOST_AUTO_TEST_CASE(interim_responses_are_bounded) {
  Harness h;
  Client& client = h.ask();
  for (int i = 0; i < 1000; ++i) h.upstream.last().informational(103);
  h.upstream.last().respond(200, kFresh, "x");
  h.settle();
  BOOST_TEST(client.writer.informational.size() <= 16U);
  BOOST_TEST(client.writer.is_answer(200, "x"));
}

struct Sockets {
  Sockets() {
    int ends[2];
    BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    origin = Fd(ends[0]);
    ours = Fd(ends[1]);
  }
  Fd origin;
  Fd ours;
};

BOOST_AUTO_TEST_CASE(an_upgraded_connection_is_handed_over) {
  const FdCount fds;
  Harness h;
  Sockets sockets;
  Client& client = h.ask({.headers = {{"Connection", "upgrade"}, {"Upgrade", "chat"}}, .wants_upgrade = true});
  BOOST_TEST(h.upstream.last().request().upgrade == "chat");
  auto stream = std::make_unique<NullStream>(std::move(sockets.ours));
  const ByteStream* handed_over = stream.get();
  h.upstream.last().upgrade(std::move(stream), "early");
  h.settle();
  BOOST_TEST(client.writer.status == 101);
  BOOST_TEST(client.writer.upgraded.get() == handed_over);
  BOOST_TEST(client.writer.early_bytes == "early");
  BOOST_TEST(client.finished == 1);
}

BOOST_AUTO_TEST_CASE(an_upgraded_connection_that_nobody_takes_is_closed) {
  const FdCount fds;
  Harness h;
  Sockets sockets;
  Client& client = h.ask({.headers = {{"Connection", "upgrade"}, {"Upgrade", "chat"}}, .wants_upgrade = true});
  h.upstream.last().upgrade(std::make_unique<NullStream>(std::move(sockets.ours)), "");
  client.leave();
  h.settle();
  char byte;
  BOOST_TEST(::recv(sockets.origin.get(), &byte, 1, MSG_DONTWAIT) == 0);
}

BOOST_AUTO_TEST_CASE(a_refused_upgrade_is_an_answer_like_any) {
  Harness h;
  Client& client = h.ask({.headers = {{"Connection", "upgrade"}, {"Upgrade", "chat"}}, .wants_upgrade = true});
  h.upstream.last().respond(200, kFresh, "no");
  h.settle();
  BOOST_TEST(client.writer.is_answer(200, "no"));
  BOOST_TEST(!h.is_stored());
}

BOOST_AUTO_TEST_CASE(a_request_body_goes_along_and_ends_with_its_client) {
  Harness h;
  auto body = make_ref<http::BodyPipe>(h.executor(), 1024U);
  body->write("request");
  Client& client = h.ask({.method = "POST"}, body);
  BOOST_REQUIRE(h.upstream.last().request().body.get() == body.get());
  BOOST_TEST(body->peek() == "request");
  client.leave();
  h.settle();
  BOOST_TEST(h.upstream.last().is_cancelled());
  BOOST_TEST(body->peek() == "");
  BOOST_TEST(body->write(std::string(5000, 'x')) == 5000U);  // taken and dropped
}

BOOST_AUTO_TEST_CASE(the_end_of_a_worker_ends_its_fetches) {
  Harness h;
  h.store_object(kFresh, "stored", {.path = "/stale"});
  h.advance(Seconds{61});
  Client& waits = h.ask();
  Client& joins = h.ask({.worker = 1});
  Client& streams = h.ask({.path = "/b", .worker = 1});
  Client& others = h.ask({.path = "/c"});
  Client& stale = h.ask({.path = "/stale"});
  h.upstream.call(2).head(200, kFresh);
  h.upstream.call(2).body("half");
  h.settle();
  h.running(0).cancel_all();
  h.settle();
  BOOST_TEST(waits.writer.status == 503);
  BOOST_TEST(joins.writer.status == 503);
  BOOST_TEST(others.writer.status == 503);
  BOOST_TEST(stale.writer.is_answer(200, "stored"));
  BOOST_TEST(!streams.writer.has_ended());
  h.running(1).cancel_all();
  h.settle();
  BOOST_TEST(streams.writer.is_aborted);
  BOOST_TEST(h.upstream.open_calls() == 0U);
}

BOOST_AUTO_TEST_CASE(a_request_that_waited_through_a_reload_goes_by_the_new_configuration) {
  Harness h;
  FakeUpstream next(h.clock);
  for (std::uint32_t w = 0; w < h.workers(); ++w) {
    h.context(w).router = h.guards.make_router({"zero", "one"}, 1);
    h.context(w).upstreams = {&next, &h.upstream};
  }
  h.ask();
  Client& joiner = h.ask();
  Client& late_joiner = h.ask();
  // One origin less: the old index means nothing any more.
  for (std::uint32_t w = 0; w < h.workers(); ++w) {
    h.context(w).router = h.guards.make_router({"two"}, 0);
    h.context(w).upstreams = {&next};
  }
  h.upstream.last().respond(200, {{"Cache-Control", "no-store"}}, "old");
  h.settle();
  BOOST_TEST(h.upstream.calls() == 1U);
  BOOST_REQUIRE(next.calls() == 2U);
  for (std::size_t i = 0; i < 2; ++i) next.call(i).respond(200, {{"Cache-Control", "no-store"}}, "new");
  h.settle();
  BOOST_TEST(joiner.writer.is_answer(200, "new"));
  BOOST_TEST(late_joiner.writer.is_answer(200, "new"));
}

struct Refusal {
  const char* name;
  Ask ask;
  std::uint16_t status;
};

BOOST_AUTO_TEST_CASE(what_is_not_served_is_refused_without_the_origin) {
  const std::vector<Refusal> rows = {
      {"TRACE", {.method = "TRACE"}, 405},
      {"CONNECT", {.method = "CONNECT"}, 405},
      {"an unknown expectation", {.headers = {{"Expect", "magic"}}}, 417},
      {"OPTIONS with no hop left", {.headers = {{"Max-Forwards", "0"}}, .method = "OPTIONS"}, 200},
      {"OPTIONS *", {.path = "*", .method = "OPTIONS"}, 200},
  };
  for (const Refusal& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      Harness h;
      Client& client = h.ask(row.ask);
      BOOST_TEST(client.writer.status == row.status);
      BOOST_TEST(client.writer.is_ended);
      BOOST_TEST(h.upstream.calls() == 0U);
      if (row.status == 405) BOOST_TEST(client.writer.fields.contains("Allow"));
      BOOST_TEST(client.writer.field("Cache-Status").find("none") == std::string_view::npos);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_request_that_never_became_one_is_answered) {
  Harness h;
  Client& client = h.client();
  client.refuse({ErrorCode::kMalformedStartLine, Side::kClient});
  BOOST_TEST(client.writer.status == 400);
  BOOST_TEST(client.finished == 1);
}

BOOST_AUTO_TEST_CASE(a_pass_route_neither_looks_nor_stores) {
  Harness h({.guards = {.miss = {.policy = proxy::MissPolicy::kPass}}});
  Client& one = h.ask({.headers = {{"If-None-Match", "\"1\""}}});
  Client& two = h.ask();
  BOOST_REQUIRE(h.upstream.calls() == 2U);
  BOOST_TEST(h.upstream.call(0).field("If-None-Match").value_or("") == "\"1\"");
  h.upstream.call(0).respond(304, {{"ETag", "\"1\""}});
  h.upstream.call(1).respond(200, kFresh, "x");
  h.settle();
  BOOST_TEST(one.writer.is_answer(304, ""));
  BOOST_TEST(two.writer.is_answer(200, "x"));
  BOOST_TEST(!h.is_stored());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::test
