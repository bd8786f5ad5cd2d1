// A SessionH2 at one end of a socket pair, a scripted client at the other, transactions behind it with a store and an
// origin in memory, on a loop whose clock the test moves. Its end checks that nothing is left behind.
#pragma once

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "cache/store.h"
#include "fill/fill_table.h"
#include "net/loop.h"
#include "net/transport.h"
#include "policy/key.h"
#include "proxy/context.h"
#include "proxy/session_h2.h"
#include "proxy/transaction.h"
#include "support/fake_upstream.h"
#include "support/fd_count.h"
#include "support/guards.h"
#include "support/h2_client.h"
#include "support/manual_clock.h"

namespace seawall::test {

struct H2FixtureOptions {
  proxy::SessionOptions session = {};
  H2ClientOptions client = {};
};

class H2Fixture {
 public:
  explicit H2Fixture(const H2FixtureOptions& options = {})
      : loop(0, clock),
        store({.memory_bytes = std::size_t{64} << 20, .max_object_share = 0.5}),
        fills({}, store),
        guards({}, 1, clock.mono_now()),
        upstream(clock),
        log_(nullptr, obs::AccessFormat::kCombined),
        rng_(1),
        context_{.executor = loop,
                 .store = store,
                 .fills = fills,
                 .miss_events = miss_events_,
                 .access_log = log_,
                 .rng = rng_,
                 .router = guards.make_router({"one"}, 0),
                 .upstreams = {&upstream},
                 .running = running_,
                 .connections = connections_,
                 .edge = edge_},
        make_handler_(
            [this](proxy::ResponseWriter& writer, const proxy::ClientInfo& client, std::function<void()> on_finished) {
              ++handlers;
              return std::make_unique<proxy::Transaction>(context_, writer, client, std::move(on_finished));
            }) {
    guards.queue->start(loop, false);
    std::array<int, 2> ends{};
    BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()) == 0);
    client_ = std::make_unique<H2Client>(Fd(ends[0]), options.client);
    auto transport = std::make_unique<net::Transport>(loop, Fd(ends[1]));
    session_ = new proxy::SessionH2(
        loop, std::make_shared<proxy::SessionOptions>(options.session), std::move(transport), {.ip = "192.0.2.1"},
        make_handler_,
        [this](proxy::Session&) {
          loop.defer_delete(std::unique_ptr<proxy::SessionH2>(session_));
          session_ = nullptr;
        },
        counters);
    session_->start();
    settle();
  }
  ~H2Fixture() {
    client_->close();
    settle();
    guards.queue->stop();
    running_.cancel_all();
    settle();
    BOOST_CHECK_MESSAGE(!session_, "the session outlives its client and its fetches");
    BOOST_CHECK_EQUAL(fills.waiting(), 0U);
    BOOST_CHECK_EQUAL(fills.fills_in_flight(), 0U);
    BOOST_CHECK_EQUAL(upstream.open_calls(), 0U);
  }

 private:
  FdCount fd_count_;

 public:
  ManualClock clock;
  net::Loop loop;
  cache::Store store;
  fill::FillTable fills;
  Guards guards;
  FakeUpstream upstream;
  proxy::H2Counters counters;
  int handlers = 0;

  H2Client& client() { return *client_; }
  proxy::SessionH2& session() { return *session_; }
  bool is_serving() const { return session_ != nullptr; }
  proxy::Context& context() { return context_; }
  std::uint64_t abuse(proxy::H2Abuse kind) const { return counters.abuse[static_cast<std::size_t>(kind)].load(); }

  // Until neither side has anything to do.
  void settle() {
    for (int quiet = 0; quiet < 4;) {
      for (int i = 0; i < 4; ++i) loop.turn(net::Loop::Wait::kPoll);
      quiet = client_->pump() ? 0 : quiet + 1;
    }
  }
  void advance(Millis by) {
    clock.advance(by);
    settle();
  }
  std::int32_t get(std::string_view path, const Lines& more = {}) {
    const std::int32_t stream = client_->get(path, more);
    settle();
    return stream;
  }
  void store_object(std::string_view path, std::string_view body, const Lines& more = {}) {
    const std::int32_t stream = get(path);
    Lines fields = {{"Cache-Control", "max-age=600"}};
    fields.insert(fields.end(), more.begin(), more.end());
    upstream.last().respond(200, fields, body);
    settle();
    BOOST_REQUIRE(client_->answer(stream).has_ended);
  }

 private:
  proxy::ConnectionLimits connections_;
  proxy::EdgeCounters edge_;
  fill::MissEvents miss_events_{{}};
  obs::AccessLog log_;
  Rng rng_;
  fill::RunningFills running_;
  proxy::Context context_;
  proxy::HandlerFactory make_handler_;
  std::unique_ptr<H2Client> client_;
  proxy::SessionH2* session_ = nullptr;
};

}  // namespace seawall::test
