// The intrusive list: order, unlinking from every place, membership in several lists.
#include "base/list.h"

#include <boost/test/unit_test.hpp>
#include <memory>
#include <string>
#include <vector>

namespace seawall {
namespace {

struct Item {
  explicit Item(int v) : value(v) {}
  // In front of the node, so that node and item have different addresses.
  std::string padding = "padding";
  int value;
  ListNode link;
  ListNode other_link;
};
using Items = List<Item, &Item::link>;
using OtherItems = List<Item, &Item::other_link>;

std::vector<int> values(const Items& list) {
  std::vector<int> all;
  for (const Item* i = list.front(); i != nullptr; i = list.next(*i)) all.push_back(i->value);
  return all;
}

BOOST_AUTO_TEST_SUITE(base_list)

BOOST_AUTO_TEST_CASE(an_empty_list) {
  Items list;
  BOOST_TEST(list.empty());
  BOOST_TEST(list.front() == nullptr);
  BOOST_TEST(list.back() == nullptr);
  BOOST_TEST(list.pop_front() == nullptr);
}

BOOST_AUTO_TEST_CASE(keeps_the_order_of_both_ends) {
  Item a{1}, b{2}, c{3};
  Items list;
  list.push_back(b);
  list.push_back(c);
  list.push_front(a);
  BOOST_TEST(values(list) == (std::vector{1, 2, 3}), boost::test_tools::per_element());
  BOOST_TEST(list.front() == &a);
  BOOST_TEST(list.back() == &c);
  BOOST_TEST(list.pop_front() == &a);
  BOOST_TEST(!a.link.is_linked());
  BOOST_TEST(values(list) == (std::vector{2, 3}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(unlinks_at_every_place) {
  struct Row {
    const char* name;
    std::size_t gone;
    std::vector<int> want;
  };
  const Row rows[] = {
      {.name = "first", .gone = 0, .want = {1, 2}},
      {.name = "middle", .gone = 1, .want = {0, 2}},
      {.name = "last", .gone = 2, .want = {0, 1}},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      std::vector<std::unique_ptr<Item>> items;
      Items list;
      for (int i = 0; i < 3; ++i) list.push_back(*items.emplace_back(std::make_unique<Item>(i)));
      items[row.gone]->link.unlink();
      items[row.gone]->link.unlink();  // twice does no harm
      BOOST_TEST(values(list) == row.want, boost::test_tools::per_element());
    }
  }
}

BOOST_AUTO_TEST_CASE(a_destroyed_item_leaves_its_list) {
  Item a{1};
  Items list;
  list.push_back(a);
  {
    Item b{2};
    list.push_back(b);
    BOOST_TEST(list.back() == &b);
  }
  BOOST_TEST(values(list) == (std::vector{1}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_destroyed_list_lets_its_items_go) {
  Item a{1}, b{2};
  {
    Items list;
    list.push_back(a);
    list.push_back(b);
  }
  BOOST_TEST(!a.link.is_linked());
  BOOST_TEST(!b.link.is_linked());
}

BOOST_AUTO_TEST_CASE(pushing_again_moves) {
  Item a{1}, b{2};
  Items list, second;
  list.push_back(a);
  list.push_back(b);
  list.push_back(a);
  BOOST_TEST(values(list) == (std::vector{2, 1}), boost::test_tools::per_element());
  second.push_back(b);
  BOOST_TEST(values(list) == (std::vector{1}), boost::test_tools::per_element());
  BOOST_TEST(values(second) == (std::vector{2}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(an_item_is_in_as_many_lists_as_it_has_nodes) {
  Item a{1};
  Items list;
  OtherItems other;
  list.push_back(a);
  other.push_back(a);
  BOOST_TEST(list.pop_front() == &a);
  BOOST_TEST(other.front() == &a);
  BOOST_TEST(a.other_link.is_linked());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall
