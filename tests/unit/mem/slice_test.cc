// Slices: views that keep their bytes alive.
#include "mem/slice.h"

#include <boost/test/unit_test.hpp>
#include <string>

namespace seawall {
namespace {

BOOST_AUTO_TEST_SUITE(mem_slice)

BOOST_AUTO_TEST_CASE(an_empty_slice) {
  const Slice slice;
  BOOST_TEST(slice.empty());
  BOOST_TEST(slice.size() == 0U);
  BOOST_TEST(slice.view() == "");
}

BOOST_AUTO_TEST_CASE(a_copy_owns_its_bytes_and_is_charged) {
  MemoryBudget budget(1 << 20);
  std::string source = "body bytes";
  Slice slice = Slice::copy_of(&budget, source);
  source.assign("overwritten");
  BOOST_TEST(slice.view() == "body bytes");
  BOOST_TEST(budget.used_bytes() >= 10U);
  slice = Slice();
  BOOST_TEST(budget.used_bytes() == 0U);
}

BOOST_AUTO_TEST_CASE(copying_nothing_gives_an_empty_slice) {
  BOOST_TEST(Slice::copy_of(nullptr, "").empty());
}

BOOST_AUTO_TEST_CASE(static_bytes_need_no_segment) {
  const Slice slice = Slice::of_static("literal");
  BOOST_TEST(slice.view() == "literal");
  BOOST_TEST(!slice.segment());
}

BOOST_AUTO_TEST_CASE(a_part_keeps_the_whole_segment) {
  MemoryBudget budget(1 << 20);
  Slice part;
  {
    const Slice whole = Slice::copy_of(&budget, "0123456789");
    part = whole.subslice(3, 4);
    BOOST_TEST(whole.segment()->ref_count() == 2U);
  }
  BOOST_TEST(part.view() == "3456");
  BOOST_TEST(budget.used_bytes() == part.segment()->charged_bytes());
  part.remove_prefix(1);
  BOOST_TEST(part.view() == "456");
  part.remove_prefix(3);
  BOOST_TEST(part.empty());
}

BOOST_AUTO_TEST_CASE(a_chain_adds_up) {
  SliceChain chain;
  BOOST_TEST(total_size(chain) == 0U);
  chain.push_back(Slice::of_static("abc"));
  chain.push_back(Slice());
  chain.push_back(Slice::copy_of(nullptr, "defgh"));
  BOOST_TEST(total_size(chain) == 8U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall
