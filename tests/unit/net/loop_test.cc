// Order of posting, wake-ups from other threads, timers, deferred deletion, readiness.
#include "net/loop.h"

#include <sys/socket.h>

#include <boost/test/unit_test.hpp>
#include <functional>
#include <thread>
#include <vector>

#include "support/fd_count.h"
#include "support/manual_clock.h"
#include "support/pump.h"

namespace seawall::net {
namespace {

using test::ManualClock;

struct Fixture {
  test::FdCount fds;
  ManualClock clock;
  SystemClock real;
};

// Runs a function when its descriptor is ready.
struct Handler final : FdHandler {
  std::function<void(bool, bool)> callback;
  void on_fd_ready(bool readable, bool writable) override { callback(readable, writable); }
};

struct Pair {
  Fd a;
  Fd b;
  Pair() {
    int fds[2];
    BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    a = Fd(fds[0]);
    b = Fd(fds[1]);
  }
};

BOOST_FIXTURE_TEST_SUITE(net_loop, Fixture)

BOOST_AUTO_TEST_CASE(tasks_run_in_order_also_those_posted_by_tasks) {
  Loop loop(3, clock);
  BOOST_TEST(loop.worker_id() == 3U);
  std::vector<int> order;
  loop.post([&] {
    order.push_back(1);
    loop.post([&] {
      order.push_back(3);
      loop.stop();
    });
    BOOST_TEST(order.size() == 1U);  // in a later turn
  });
  loop.post([&] { order.push_back(2); });
  loop.run();
  BOOST_TEST(order == (std::vector{1, 2, 3}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_task_that_posts_itself_does_not_starve_sockets) {
  Loop loop(0, clock);
  Pair pair;
  Handler handler;
  bool readable = false;
  handler.callback = [&](bool, bool) {
    readable = true;
    loop.stop();
  };
  FdWatcher watcher(loop, pair.a.get(), handler);
  watcher.watch(true, false);
  int rounds = 0;
  std::function<void()> again = [&] {
    if (++rounds == 3) BOOST_TEST(::write(pair.b.get(), "x", 1) == 1);
    loop.post([&] { again(); });
  };
  loop.post([&] { again(); });
  loop.run();
  BOOST_TEST(readable);
  BOOST_TEST(rounds < 10);
}

BOOST_AUTO_TEST_CASE(posts_of_other_threads_keep_their_order) {
  constexpr int kThreads = 4;
  constexpr int kPosts = 2000;
  Loop loop(0, real);
  std::vector<std::vector<int>> seen(kThreads);
  int total = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kPosts; ++i) {
        loop.post([&, t, i] {
          seen[static_cast<std::size_t>(t)].push_back(i);
          if (++total == kThreads * kPosts) loop.stop();
        });
      }
    });
  }
  loop.run();
  for (auto& thread : threads) thread.join();
  for (const auto& list : seen) {
    BOOST_REQUIRE(list.size() == static_cast<std::size_t>(kPosts));
    for (int i = 0; i < kPosts; ++i) BOOST_REQUIRE(list[static_cast<std::size_t>(i)] == i);
  }
}

BOOST_AUTO_TEST_CASE(stop_from_another_thread_ends_an_idle_loop) {
  Loop loop(0, real);
  std::thread thread([&] { loop.run(); });
  loop.stop();
  thread.join();
  // And it can run again.
  bool ran = false;
  loop.post([&] {
    ran = true;
    loop.stop();
  });
  loop.run();
  BOOST_TEST(ran);
}

BOOST_AUTO_TEST_CASE(tasks_never_run_are_destroyed) {
  auto token = std::make_shared<int>(0);
  {
    Loop loop(0, clock);
    loop.post([token] {});
    BOOST_TEST(token.use_count() == 2);
  }
  BOOST_TEST(token.use_count() == 1);
}

BOOST_AUTO_TEST_CASE(deferred_deletion_waits_for_the_stack_to_unwind) {
  struct Doomed {
    std::vector<int>& log;
    explicit Doomed(std::vector<int>& l) : log(l) {}
    ~Doomed() { log.push_back(9); }
  };
  std::vector<int> log;
  Loop loop(0, clock);
  loop.post([&] {
    loop.defer_delete(std::make_unique<Doomed>(log));
    log.push_back(1);
  });
  loop.post([&] { log.push_back(2); });
  loop.turn(Loop::Wait::kPoll);
  BOOST_TEST(log == (std::vector{1, 2, 9}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(deletion_and_destructor_may_defer_and_post_more) {
  struct Chain {
    Loop& loop;
    int left;
    int& deaths;
    Chain(Loop& l, int n, int& d) : loop(l), left(n), deaths(d) {}
    ~Chain() {
      ++deaths;
      if (left == 0) return;
      auto next = std::make_unique<Chain>(loop, left - 1, deaths);
      if (left % 2 == 0) {
        loop.defer_delete(std::move(next));
      } else {
        loop.post([n = std::move(next)] {});
      }
    }
  };
  int deaths = 0;
  {
    Loop loop(0, clock);
    loop.defer_delete(std::make_unique<Chain>(loop, 5, deaths));
  }
  BOOST_TEST(deaths == 6);
}

BOOST_AUTO_TEST_CASE(time_is_sampled_once_per_turn) {
  Loop loop(0, clock);
  const MonoTime before = loop.mono_now();
  std::vector<MonoTime> seen;
  loop.post([&] {
    seen.push_back(loop.mono_now());
    clock.advance(Millis(50));
    seen.push_back(loop.mono_now());
  });
  loop.turn(Loop::Wait::kPoll);
  BOOST_TEST((seen[0] == before && seen[1] == before));
  BOOST_TEST((loop.mono_now() == before + Millis(50)));
  BOOST_TEST((loop.wall_now() == clock.wall_now()));
}

BOOST_AUTO_TEST_CASE(timers_follow_the_manual_clock) {
  Loop loop(0, clock);
  int fired = 0;
  Timer timer([&] { ++fired; });
  loop.timers().arm(timer, loop.mono_now() + Millis(1000));
  clock.advance(Millis(990));
  loop.turn(Loop::Wait::kPoll);
  BOOST_TEST(fired == 0);
  clock.advance(Millis(20));
  loop.turn(Loop::Wait::kPoll);
  BOOST_TEST(fired == 1);
}

BOOST_AUTO_TEST_CASE(timers_wake_a_blocked_loop_never_early) {
  Loop loop(0, real);
  struct Wake {
    std::unique_ptr<Timer> timer;
    MonoTime due;
  };
  std::vector<Wake> wakes(3);
  std::size_t fired = 0;
  // The later ones first: an earlier deadline must move the wake-up forward.
  for (std::size_t i = 0; i < wakes.size(); ++i) {
    Wake& wake = wakes[i];
    wake.due = loop.mono_now() + Millis(60 - 20 * static_cast<int>(i));
    wake.timer = std::make_unique<Timer>([&] {
      BOOST_TEST((real.mono_now() >= wake.due));
      if (++fired == wakes.size()) loop.stop();
    });
    loop.post([&] { loop.timers().arm(*wake.timer, wake.due); });
  }
  loop.run();
  BOOST_TEST(fired == 3U);
}

BOOST_AUTO_TEST_CASE(a_watcher_may_be_destroyed_in_its_callback) {
  Loop loop(0, clock);
  Pair pair;
  auto handler = std::make_unique<Handler>();
  std::optional<FdWatcher> watcher;
  watcher.emplace(loop, pair.a.get(), *handler);
  int calls = 0;
  handler->callback = [&](bool, bool) {
    ++calls;
    watcher.reset();
    pair.a.close();
    loop.defer_delete(std::move(handler));
  };
  watcher->watch(true, true);  // both are ready; only one may be told
  BOOST_TEST(::write(pair.b.get(), "x", 1) == 1);
  test::settle(loop);
  BOOST_TEST(calls == 1);
}

BOOST_AUTO_TEST_CASE(a_watcher_destroyed_by_another_in_the_same_turn_is_never_called) {
  Loop loop(0, clock);
  Pair first;
  Pair second;
  Handler handlers[2];
  std::optional<FdWatcher> watchers[2];
  int calls = 0;
  for (std::size_t i = 0; i < 2; ++i) {
    handlers[i].callback = [&, i](bool, bool) {
      ++calls;
      watchers[i].reset();
      watchers[1 - i].reset();
    };
    watchers[i].emplace(loop, i == 0 ? first.a.get() : second.a.get(), handlers[i]);
    watchers[i]->watch(true, false);
  }
  BOOST_TEST(::write(first.b.get(), "x", 1) == 1);
  BOOST_TEST(::write(second.b.get(), "x", 1) == 1);
  test::settle(loop);
  BOOST_TEST(calls == 1);
}

BOOST_AUTO_TEST_CASE(interest_comes_and_goes) {
  Loop loop(0, clock);
  Pair pair;
  Handler handler;
  int reads = 0;
  int writes = 0;
  handler.callback = [&](bool readable, bool writable) {
    reads += readable;
    writes += writable;
  };
  FdWatcher watcher(loop, pair.a.get(), handler);
  BOOST_TEST(::write(pair.b.get(), "x", 1) == 1);
  loop.turn(Loop::Wait::kPoll);
  BOOST_TEST((reads == 0 && writes == 0));
  watcher.watch(true, false);
  BOOST_TEST((watcher.watches_read() && !watcher.watches_write()));
  loop.turn(Loop::Wait::kPoll);
  loop.turn(Loop::Wait::kPoll);  // level-triggered
  BOOST_TEST((reads == 2 && writes == 0));
  watcher.watch(false, true);
  loop.turn(Loop::Wait::kPoll);
  BOOST_TEST((reads == 2 && writes == 1));
  watcher.watch(false, false);
  loop.turn(Loop::Wait::kPoll);
  BOOST_TEST((reads == 2 && writes == 1));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::net
