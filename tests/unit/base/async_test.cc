// Coroutines that wait, or do not: who runs when, and that what they are given is destroyed once.
#include "base/async.h"

#include <boost/test/unit_test.hpp>
#include <memory>
#include <string>
#include <vector>

namespace seawall {
namespace {

// What a coroutine waits for: the test opens it.
struct Gate {
  std::coroutine_handle<> waiting;
  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> h) { waiting = h; }
  void await_resume() const {}
  void open() { std::exchange(waiting, nullptr).resume(); }
};

// An aggregate, which is what g++ 12 is bad at.
struct Counted {
  struct Count {
    explicit Count(int& n) : alive(&n) { ++*alive; }
    Count(const Count& o) : alive(o.alive) { ++*alive; }
    Count& operator=(const Count&) = delete;
    ~Count() { --*alive; }
    int* alive;
  };
  Count count;
  int value = 0;
};

Async<int> value_of(Counted counted) {
  co_return counted.value;
}

Async<int> value_after(Gate& gate, Counted counted) {
  co_await gate;
  co_return counted.value;
}

Async<int> sum_of(Gate& first, Gate& second, int& alive) {
  auto a = value_after(first, Counted{.count = Counted::Count(alive), .value = 1});
  const int one = co_await a;
  auto b = value_of(Counted{.count = Counted::Count(alive), .value = 10});
  const int ten = co_await b;
  auto c = value_after(second, Counted{.count = Counted::Count(alive), .value = 100});
  const int hundred = co_await c;
  co_return one + ten + hundred;
}

Async<void> append(Gate& gate, std::vector<std::string>& words) {
  words.emplace_back("begins");
  co_await gate;
  words.emplace_back("ends");
}

Async<std::unique_ptr<std::string>> make_word(std::string word) {
  co_return std::make_unique<std::string>(std::move(word));
}

Async<int> count_down(int from) {
  int steps = 0;
  for (int i = from; i > 0; --i) {
    auto word = make_word("x");
    const auto x = co_await word;
    steps += static_cast<int>(x->size());
  }
  co_return steps;
}

BOOST_AUTO_TEST_SUITE(base_async)

BOOST_AUTO_TEST_CASE(what_does_not_wait_is_done_when_it_is_called) {
  int alive = 0;
  auto value = value_of(Counted{.count = Counted::Count(alive), .value = 7});
  BOOST_TEST(value.is_done());
  BOOST_TEST(value.take() == 7);
}

BOOST_AUTO_TEST_CASE(what_waits_goes_on_where_it_stopped) {
  Gate gate;
  std::vector<std::string> words;
  auto appending = append(gate, words);
  BOOST_TEST(!appending.is_done());
  BOOST_TEST(words == std::vector<std::string>{"begins"}, boost::test_tools::per_element());
  gate.open();
  BOOST_TEST(appending.is_done());
  BOOST_TEST(words.back() == "ends");
  appending.take();
}

BOOST_AUTO_TEST_CASE(who_awaits_goes_on_when_the_other_is_done) {
  int alive = 0;
  {
    Gate first;
    Gate second;
    auto sum = sum_of(first, second, alive);
    BOOST_TEST(!sum.is_done());
    BOOST_TEST(alive == 1);
    first.open();
    BOOST_TEST(!sum.is_done());
    second.open();
    BOOST_TEST(sum.take() == 111);
  }
  BOOST_TEST(alive == 0);
}

BOOST_AUTO_TEST_CASE(results_are_moved) {
  auto word = make_word("a word that is too long to be kept in a string itself");
  auto moved = std::move(word);
  BOOST_TEST(*moved.take() == "a word that is too long to be kept in a string itself");
}

// Neither does the stack grow, whatever the compiler makes of tail calls.
BOOST_AUTO_TEST_CASE(a_million_steps_that_do_not_wait) {
  BOOST_TEST(count_down(1'000'000).take() == 1'000'000);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall
