// What is held back, and when; and that it settles beside an allocator that takes more than it is asked for.
#include "mem/budget_governor.h"

#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

namespace seawall {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

MonoTime at(double seconds) {
  return MonoTime{} + Millis{static_cast<std::int64_t>(seconds * 1000)};
}

BOOST_AUTO_TEST_SUITE(mem_budget_governor)

BOOST_AUTO_TEST_CASE(one_sample) {
  struct Row {
    const char* name;
    std::uint64_t configured;
    std::uint64_t resident;
    bool is_too_much;
    std::uint64_t held_back;  // in MiB, rounded down
  };
  const std::vector<Row> rows = {
      {"nothing cached", kGiB, 0, false, 0},
      {"as configured", kGiB, kGiB, false, 0},
      {"four percent more", 1000 * kMiB, 1040 * kMiB, false, 0},
      {"nine percent more: at first all that is past 3", 1000 * kMiB, 1090 * kMiB, true, 60},
      {"twice as much: a quarter of what is configured", 1000 * kMiB, 2000 * kMiB, true, 250},
      {"a small cache beside the program", 64 * kMiB, 80 * kMiB, true, 14},
      {"one that has little enough", 16 * kMiB, 40 * kMiB, true, 0},
      {"one that has little more", 18 * kMiB, 40 * kMiB, true, 2},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      BudgetGovernor governor(row.configured);
      BOOST_TEST(governor.is_too_much(row.resident) == row.is_too_much);
      governor.update(row.resident, at(0));
      BOOST_TEST(governor.held_back_bytes() / kMiB == row.held_back);
      BOOST_TEST(governor.limit_bytes() + governor.held_back_bytes() == row.configured);
    }
  }
}

// Memory that follows the limit, a fifth more than it: all that is charged is resident, with holes.
BOOST_AUTO_TEST_CASE(settles_within_a_tenth) {
  BudgetGovernor governor(kGiB);
  double resident = 1.2 * static_cast<double>(kGiB);
  for (int second = 0; second < 60; ++second) {
    governor.update(static_cast<std::uint64_t>(resident), at(second));
    resident = 1.2 * static_cast<double>(governor.limit_bytes());
    if (second >= 20) BOOST_TEST(resident < 1.085 * static_cast<double>(kGiB), second);
    BOOST_TEST(resident > 0.99 * static_cast<double>(kGiB), second);
  }
}

BOOST_AUTO_TEST_CASE(a_jump_is_met_within_a_second) {
  BudgetGovernor governor(kGiB);
  governor.update(kGiB, at(0));
  double resident = 1.15 * static_cast<double>(kGiB);
  for (const double second : {0.25, 0.5, 0.75, 1.0}) {
    governor.update(static_cast<std::uint64_t>(resident), at(second));
    resident = 1.15 * static_cast<double>(governor.limit_bytes());
  }
  BOOST_TEST(resident < 1.05 * static_cast<double>(kGiB));
}

BOOST_AUTO_TEST_CASE(gives_again_what_is_not_needed_any_more) {
  BudgetGovernor governor(kGiB);
  for (int second = 0; second < 10; ++second) governor.update(2 * kGiB, at(second));
  BOOST_TEST(governor.limit_bytes() == kGiB / 4 * 3);
  std::uint64_t before = governor.limit_bytes();
  for (int second = 10; second < 40; ++second) {
    governor.update(kGiB / 4 * 3, at(second));
    BOOST_TEST(governor.limit_bytes() >= before);
    BOOST_TEST(governor.limit_bytes() <= before + kGiB / 30);
    before = governor.limit_bytes();
  }
  BOOST_TEST(governor.limit_bytes() == kGiB);
}

BOOST_AUTO_TEST_CASE(goes_by_time_and_not_by_the_number_of_samples) {
  BudgetGovernor rare(kGiB);
  BudgetGovernor frequent(kGiB);
  rare.update(kGiB, at(0));
  frequent.update(kGiB, at(0));
  rare.update(kGiB * 5 / 4, at(0.5));
  for (int i = 1; i <= 5; ++i) frequent.update(kGiB * 5 / 4, at(0.1 * i));
  BOOST_TEST(rare.held_back_bytes() / kMiB == frequent.held_back_bytes() / kMiB);
  // A long silence is not made up for at once, and a clock that stands still changes nothing.
  BudgetGovernor silent(kGiB);
  silent.update(kGiB, at(0));
  silent.update(kGiB * 9 / 8, at(3600));
  const std::uint64_t held_back = silent.held_back_bytes();
  BOOST_TEST(held_back < kGiB / 8);
  silent.update(2 * kGiB, at(3600));
  BOOST_TEST(silent.held_back_bytes() == held_back);
}

BOOST_AUTO_TEST_CASE(a_new_budget_keeps_the_proportion) {
  BudgetGovernor governor(kGiB);
  for (int second = 0; second < 10; ++second) governor.update(2 * kGiB, at(second));
  governor.set_configured(kGiB / 2);
  BOOST_TEST(governor.limit_bytes() == kGiB / 8 * 3);
  governor.set_configured(2 * kGiB);
  BOOST_TEST(governor.limit_bytes() == kGiB / 2 * 3);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall
