// The budget's arithmetic, and that a charge ends exactly once with whoever owns it last.
#include "mem/budget.h"

#include <array>
#include <boost/test/unit_test.hpp>
#include <thread>
#include <type_traits>
#include <utility>

namespace seawall {
namespace {

static_assert(!std::is_copy_constructible_v<BudgetCharge>);

BOOST_AUTO_TEST_SUITE(mem_budget)

BOOST_AUTO_TEST_CASE(counts_what_is_charged) {
  MemoryBudget budget(1000);
  BOOST_TEST(budget.limit_bytes() == 1000U);
  BOOST_TEST(budget.used_bytes() == 0U);
  budget.charge(600);
  budget.charge(600);
  // Over the limit is the caller's decision; the budget tells the truth.
  BOOST_TEST(budget.used_bytes() == 1200U);
  budget.discharge(600);
  BOOST_TEST(budget.used_bytes() == 600U);
  budget.set_limit_bytes(10);
  BOOST_TEST(budget.limit_bytes() == 10U);
  BOOST_TEST(budget.used_bytes() == 600U);
}

BOOST_AUTO_TEST_CASE(a_charge_ends_with_its_owner) {
  MemoryBudget budget(1000);
  {
    const BudgetCharge charge(budget, 70);
    BOOST_TEST(charge.bytes() == 70U);
    BOOST_TEST(budget.used_bytes() == 70U);
  }
  BOOST_TEST(budget.used_bytes() == 0U);
}

BOOST_AUTO_TEST_CASE(a_moved_charge_is_discharged_once) {
  MemoryBudget budget(1000);
  {
    BudgetCharge first(budget, 70);
    BudgetCharge second(std::move(first));
    BOOST_TEST(first.bytes() == 0U);
    BOOST_TEST(budget.used_bytes() == 70U);
    BudgetCharge third(budget, 5);
    third = std::move(second);
    BOOST_TEST(third.bytes() == 70U);
    BOOST_TEST(budget.used_bytes() == 70U);
    BudgetCharge& same = third;
    third = std::move(same);
    BOOST_TEST(budget.used_bytes() == 70U);
  }
  BOOST_TEST(budget.used_bytes() == 0U);
}

BOOST_AUTO_TEST_CASE(charges_on_many_threads_add_up) {
  MemoryBudget budget(1000);
  budget.charge(3);
  {
    std::array<std::jthread, 4> threads;
    for (std::jthread& t : threads) {
      t = std::jthread([&budget] {
        for (int i = 0; i < 10'000; ++i) BudgetCharge(budget, 17);
      });
    }
  }
  BOOST_TEST(budget.used_bytes() == 3U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall
