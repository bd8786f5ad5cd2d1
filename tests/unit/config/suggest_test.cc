#include "config/suggest.h"

#include <boost/test/unit_test.hpp>
#include <string>

namespace seawall::config {
namespace {

BOOST_AUTO_TEST_SUITE(config_suggest)

BOOST_AUTO_TEST_CASE(distances) {
  struct Row {
    std::string_view a;
    std::string_view b;
    std::size_t distance;
  };
  const Row rows[] = {{"", "", 0},         {"", "abc", 3},         {"abc", "abc", 0},         {"ABC", "abc", 0},
                      {"abc", "abd", 1},   {"abc", "ab", 1},       {"ab", "abc", 1},          {"ab", "ba", 1},
                      {"abcd", "acbd", 1}, {"orign", "origin", 1}, {"wrokers", "workers", 1}, {"kitten", "sitting", 3},
                      {"abc", "xyz", 3}};
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.a << " " << row.b) {
      BOOST_TEST(edit_distance(row.a, row.b) == row.distance);
      BOOST_TEST(edit_distance(row.b, row.a) == row.distance);
    }
  }
}

BOOST_AUTO_TEST_CASE(the_nearest_word) {
  const std::string_view words[] = {"listen", "workers", "memory", "level", "warning", "wait"};
  struct Row {
    std::string_view word;
    std::string_view nearest;
  };
  const Row rows[] = {{"lisen", "listen"},
                      {"wrokers", "workers"},
                      {"worker", "workers"},
                      {"MEMORY", "memory"},
                      {"memroy", "memory"},
                      {"warn", "warning"},
                      {"lvl", ""},
                      {"levle", "level"},
                      {"xyz", ""},
                      {"", ""},
                      {"disk", ""},
                      {"wai", "wait"},
                      {"li", ""}};
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.word) {
      BOOST_TEST(nearest(row.word, words) == row.nearest);
    }
  }
  BOOST_TEST(nearest(std::string(1 << 20, 'a'), words) == "");
  BOOST_TEST(nearest("a", {}) == "");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::config
