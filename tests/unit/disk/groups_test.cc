#include "disk/groups.h"

#include <boost/test/unit_test.hpp>
#include <set>

namespace {

using namespace seawall;
using namespace seawall::disk;

constexpr std::uint32_t kLabel = 1234;
constexpr auto kNumbers = static_cast<std::uint32_t>(Groups::kNumbers);

std::vector<VolumeOptions> volumes(std::initializer_list<std::uint64_t> capacities) {
  std::vector<VolumeOptions> all;
  for (const std::uint64_t capacity : capacities) all.push_back({.path = {}, .capacity_bytes = capacity});
  return all;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(disk_groups)

BOOST_AUTO_TEST_CASE(each_label_has_a_number_of_its_own) {
  Groups groups(volumes({100}));
  BOOST_TEST(groups.number_of(0) == 0U);
  std::set<std::uint16_t> numbers;
  // Labels that begin at one place, the first of which is none.
  for (std::uint32_t i = 1; i <= 100; ++i) numbers.insert(groups.number_of(i * kNumbers));
  BOOST_TEST(numbers.size() == 100U);
  BOOST_TEST(!numbers.contains(0));
  for (std::uint32_t i = 1; i <= 100; ++i) {
    const std::uint32_t label = i * kNumbers;
    BOOST_TEST_REQUIRE(groups.label_of(groups.number_of(label)) == label);
  }
}

BOOST_AUTO_TEST_CASE(a_full_table_has_no_number_for_a_new_label) {
  Groups groups(volumes({100}));
  std::size_t taken = 0;
  for (std::uint32_t label = 1; label <= 2 * kNumbers; ++label) taken += groups.number_of(label) != 0 ? 1U : 0U;
  BOOST_TEST(taken == kNumbers - 1);
  groups.set_bounds(2 * kNumbers, {.max_bytes = 1});
  BOOST_TEST(groups.max_bytes(0, 0) == 0U);
  groups.add(0, 0, 50);
  BOOST_TEST(groups.used_bytes(0, 0) == 0U);
  BOOST_TEST(groups.number_of(1) != 0U);
}

BOOST_AUTO_TEST_CASE(each_volume_has_its_part_of_the_bounds) {
  Groups groups(volumes({100, 300}));
  const std::uint16_t group = groups.number_of(kLabel);
  groups.set_bounds(kLabel, {.guaranteed_bytes = 40, .max_bytes = 80});
  BOOST_TEST(groups.max_bytes(0, group) == 20U);
  BOOST_TEST(groups.max_bytes(1, group) == 60U);
  groups.add(0, group, 15);
  groups.add(1, group, 60);
  BOOST_TEST(groups.use(kLabel).used_bytes == 75U);
  BOOST_TEST(groups.use(kLabel).bounds.guaranteed_bytes == 40U);
  BOOST_TEST(groups.use(kLabel).bounds.max_bytes == 80U);
  BOOST_TEST(!groups.is_over_max(0, group));
  BOOST_TEST(!groups.exceeds(0, group, 20));
  BOOST_TEST(groups.exceeds(0, group, 21));
  groups.add(0, group, 6);
  BOOST_TEST(groups.is_over_max(0, group));
  groups.remove(0, group, 21);
  BOOST_TEST(groups.use(kLabel).used_bytes == 60U);
}

BOOST_AUTO_TEST_CASE(a_record_is_spared_that_its_group_would_be_short_of) {
  struct Case {
    std::uint64_t guaranteed, used, bytes;
    bool is_spared;
  };
  constexpr Case kCases[] = {
      {.guaranteed = 0, .used = 10, .bytes = 10, .is_spared = false},
      {.guaranteed = 50, .used = 10, .bytes = 10, .is_spared = true},
      {.guaranteed = 50, .used = 50, .bytes = 10, .is_spared = true},
      {.guaranteed = 50, .used = 59, .bytes = 10, .is_spared = true},
      {.guaranteed = 50, .used = 60, .bytes = 10, .is_spared = false},
      {.guaranteed = 50, .used = 100, .bytes = 10, .is_spared = false},
  };
  for (const Case& c : kCases) {
    Groups groups(volumes({100}));
    const std::uint16_t group = groups.number_of(kLabel);
    groups.set_bounds(kLabel, {.guaranteed_bytes = c.guaranteed});
    groups.add(0, group, c.used);
    BOOST_TEST(groups.spares(0, group, c.bytes) == c.is_spared, "used " << c.used << " of " << c.guaranteed);
  }
}

BOOST_AUTO_TEST_CASE(without_a_maximum_nothing_is_too_much) {
  Groups groups(volumes({100}));
  const std::uint16_t group = groups.number_of(kLabel);
  groups.add(0, group, 1000);
  BOOST_TEST(!groups.is_over_max(0, group));
  groups.set_bounds(kLabel, {.max_bytes = 10});
  BOOST_TEST(groups.is_over_max(0, group));
  groups.set_bounds(kLabel, {});
  BOOST_TEST(!groups.is_over_max(0, group));
}

BOOST_AUTO_TEST_SUITE_END()
