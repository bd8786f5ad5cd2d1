// Reference counts: who holds how many, and that the last one out frees, once, on any thread.
#include "base/ref.h"

#include <array>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <thread>
#include <type_traits>
#include <utility>

namespace seawall {
namespace {

class Counted : public RefCounted<Counted> {
 public:
  explicit Counted(std::atomic<int>& destroyed) : destroyed_(destroyed) {}
  virtual ~Counted() { ++destroyed_; }

 private:
  std::atomic<int>& destroyed_;
};

class Derived final : public Counted {
 public:
  using Counted::Counted;
};

class Pooled final : public RefCounted<Pooled> {
 public:
  static void destroy(const Pooled* p) { p->returned = true; }
  mutable bool returned = false;
};

static_assert(!std::is_convertible_v<Ref<Counted>, Ref<Derived>>);
static_assert(std::is_nothrow_move_constructible_v<Ref<Counted>>);

BOOST_AUTO_TEST_SUITE(base_ref)

BOOST_AUTO_TEST_CASE(copies_count_and_moves_do_not) {
  std::atomic<int> destroyed{0};
  {
    Ref<Counted> a = make_ref<Counted>(destroyed);
    BOOST_TEST(a->ref_count() == 1U);
    Ref<Counted> b = a;
    BOOST_TEST(a->ref_count() == 2U);
    const Ref<Counted> c = std::move(b);
    BOOST_TEST(a->ref_count() == 2U);
    BOOST_TEST(!b);
    BOOST_TEST((a == c));
    a = nullptr;
    BOOST_TEST(c->ref_count() == 1U);
    BOOST_TEST(destroyed == 0);
  }
  BOOST_TEST(destroyed == 1);
}

BOOST_AUTO_TEST_CASE(assigning_to_itself_keeps_the_object) {
  std::atomic<int> destroyed{0};
  Ref<Counted> a = make_ref<Counted>(destroyed);
  const Ref<Counted>& same = a;
  a = same;
  BOOST_TEST(destroyed == 0);
  BOOST_TEST(a->ref_count() == 1U);
}

BOOST_AUTO_TEST_CASE(assigning_releases_what_was_held) {
  std::atomic<int> destroyed{0};
  Ref<Counted> a = make_ref<Counted>(destroyed);
  a = make_ref<Counted>(destroyed);
  BOOST_TEST(destroyed == 1);
}

BOOST_AUTO_TEST_CASE(converts_to_the_base) {
  std::atomic<int> destroyed{0};
  {
    Ref<Derived> derived = make_ref<Derived>(destroyed);
    const Ref<Counted> copied = derived;
    BOOST_TEST(copied->ref_count() == 2U);
    const Ref<Counted> moved = std::move(derived);
    BOOST_TEST(moved->ref_count() == 2U);
    BOOST_TEST(!derived);
  }
  BOOST_TEST(destroyed == 1);
}

BOOST_AUTO_TEST_CASE(a_detached_reference_is_adopted_without_counting) {
  std::atomic<int> destroyed{0};
  Ref<Counted> a = make_ref<Counted>(destroyed);
  Counted* raw = a.detach();
  BOOST_TEST(!a);
  BOOST_TEST(raw->ref_count() == 1U);
  Ref<Counted>::adopt(raw);
  BOOST_TEST(destroyed == 1);
}

BOOST_AUTO_TEST_CASE(a_class_may_free_in_its_own_way) {
  Pooled pooled;
  {
    const Ref<Pooled> a(&pooled);
    const Ref<Pooled> b = a;
    BOOST_TEST(!pooled.returned);
  }
  BOOST_TEST(pooled.returned);
}

BOOST_AUTO_TEST_CASE(the_last_of_many_threads_frees_once) {
  std::atomic<int> destroyed{0};
  Ref<Counted> shared = make_ref<Counted>(destroyed);
  {
    std::array<std::jthread, 4> threads;
    for (std::jthread& t : threads) {
      t = std::jthread([mine = shared] {
        for (int i = 0; i < 10'000; ++i) {
          const Ref<Counted> copy = mine;
          if (!copy) return;
        }
      });
    }
    shared = nullptr;
  }
  BOOST_TEST(destroyed == 1);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall
