#include "http/header_map.h"

#include <boost/test/unit_test.hpp>

#include "unit/http/feed.h"

namespace seawall::http {
namespace {

HeaderMap sample() {
  HeaderMap h;
  h.add("Host", "a");
  h.add("X-One", "1");
  h.add(Field::kVary, "Accept");
  h.add("x-one", "2");
  h.add("vary", "Cookie");
  return h;
}

BOOST_AUTO_TEST_SUITE(header_map)

BOOST_AUTO_TEST_CASE(case_of_ascii_only) {
  BOOST_TEST(iequals("Content-MD5", "cONTENT-md5"));
  BOOST_TEST(iequals("", ""));
  BOOST_TEST(!iequals("a", "ab"));
  BOOST_TEST(!iequals("@", "`"));
  BOOST_TEST(!iequals("\xc4", "\xe4"));
}

BOOST_AUTO_TEST_CASE(keeps_order_and_case) {
  BOOST_TEST(describe(sample()) == "Host=[a] X-One=[1]~ Vary=[Accept] x-one=[2]~ vary=[Cookie] ");
}

BOOST_AUTO_TEST_CASE(lookup) {
  const HeaderMap h = sample();
  BOOST_TEST(h.size() == 5U);
  BOOST_TEST(h.find(Field::kHost).value_or("") == "a");
  BOOST_TEST(h.find("HOST").value_or("") == "a");
  BOOST_TEST(h.find("X-ONE").value_or("") == "1");
  BOOST_TEST(!h.find("X-Two"));
  BOOST_TEST(!h.find(Field::kAge));
  BOOST_TEST(h.contains(Field::kVary));
  BOOST_TEST(h.contains("x-One"));
  BOOST_TEST(!h.contains("Age"));
  BOOST_TEST(h.count(Field::kVary) == 2U);
  BOOST_TEST(h.count(Field::kAge) == 0U);
  BOOST_TEST(h.combined(Field::kVary).value_or("") == "Accept, Cookie");
  BOOST_TEST(h.combined("X-one").value_or("") == "1, 2");
  BOOST_TEST(!h.combined("Age"));
}

BOOST_AUTO_TEST_CASE(set_replaces_all_lines_at_the_first) {
  HeaderMap h = sample();
  h.set("X-ONE", "3");
  BOOST_TEST(describe(h) == "Host=[a] X-ONE=[3]~ Vary=[Accept] vary=[Cookie] ");
  h.set(Field::kVary, "");
  BOOST_TEST(describe(h) == "Host=[a] X-ONE=[3]~ Vary=[] ");
  h.set(Field::kAge, "7");
  BOOST_TEST(describe(h) == "Host=[a] X-ONE=[3]~ Vary=[] Age=[7] ");
}

BOOST_AUTO_TEST_CASE(setting_what_is_shorter_takes_its_place) {
  HeaderMap h;
  h.add("Accept-Encoding", "gzip, deflate, br");
  h.add("Host", "a");
  const std::size_t before = h.heap_bytes();
  for (int i = 0; i < 100; ++i) h.set(Field::kAcceptEncoding, "gzip, br");
  BOOST_TEST(describe(h) == "Accept-Encoding=[gzip, br] Host=[a] ");
  BOOST_TEST(h.heap_bytes() == before);
  h.set(Field::kAcceptEncoding, h.at(0).value.substr(6));
  BOOST_TEST(describe(h) == "Accept-Encoding=[br] Host=[a] ");
  // Written otherwise, or longer: as it is set.
  h.set(Field::kAcceptEncoding, std::string_view{});
  BOOST_TEST(describe(h) == "Accept-Encoding=[] Host=[a] ");
  h.set("ACCEPT-ENCODING", "b");
  BOOST_TEST(describe(h) == "ACCEPT-ENCODING=[b] Host=[a] ");
  h.set("ACCEPT-ENCODING", "gzip");
  BOOST_TEST(describe(h) == "ACCEPT-ENCODING=[gzip] Host=[a] ");
}

BOOST_AUTO_TEST_CASE(remove_takes_all_lines) {
  HeaderMap h = sample();
  h.remove("X-one");
  BOOST_TEST(describe(h) == "Host=[a] Vary=[Accept] vary=[Cookie] ");
  h.remove(Field::kVary);
  BOOST_TEST(describe(h) == "Host=[a] ");
  h.remove(Field::kAge);
  h.remove("host");
  BOOST_TEST(h.empty());
}

// Arguments may be views of the map itself, also when it grows.
BOOST_AUTO_TEST_CASE(arguments_from_the_map_itself) {
  HeaderMap h;
  h.add("X-First", "0123456789");
  for (int i = 0; i < 10; ++i) h.add(h.at(0).name, h.at(h.size() - 1).value);
  h.set(h.at(3).name, h.at(5).value);
  BOOST_TEST(describe(h) == "X-First=[0123456789]~ ");
}

BOOST_AUTO_TEST_CASE(refilling_does_not_allocate) {
  HeaderMap h = sample();
  const std::size_t before = h.heap_bytes();
  for (int i = 0; i < 100; ++i) {
    h.clear();
    BOOST_TEST(h.empty());
    h.add("Host", "b");
    h.add("X-One", "1");
  }
  BOOST_TEST(h.heap_bytes() == before);
}

BOOST_AUTO_TEST_CASE(setting_again_and_again_does_not_grow) {
  HeaderMap h = sample();
  for (int i = 0; i < 10'000; ++i) h.set(Field::kAge, std::to_string(i));
  BOOST_TEST(h.find(Field::kAge).value_or("") == "9999");
  BOOST_TEST(h.heap_bytes() < 8192U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::http
