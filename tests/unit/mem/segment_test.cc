// Segments: appending within the capacity, stable addresses, and a charge for as long as anyone refers to them.
#include "mem/segment.h"

#include <boost/test/unit_test.hpp>
#include <cstring>
#include <string>
#include <string_view>

namespace seawall {
namespace {

std::string_view committed(const Segment& s) {
  return {s.data(), s.size()};
}

BOOST_AUTO_TEST_SUITE(mem_segment)

BOOST_AUTO_TEST_CASE(appends_what_fits) {
  const Ref<Segment> segment = Segment::create(nullptr, 8);
  BOOST_TEST(segment->capacity() == 8U);
  BOOST_TEST(segment->size() == 0U);
  BOOST_TEST(segment->append("hello") == 5U);
  BOOST_TEST(segment->append(" world") == 3U);
  BOOST_TEST(segment->append("!") == 0U);
  BOOST_TEST(segment->append("") == 0U);
  BOOST_TEST(committed(*segment) == "hello wo");
}

BOOST_AUTO_TEST_CASE(what_is_written_counts_once_committed) {
  const Ref<Segment> segment = Segment::create(nullptr, 16);
  BOOST_REQUIRE_EQUAL(segment->writable().size(), 16U);
  std::memcpy(segment->writable().data(), "abcdef", 6);
  BOOST_TEST(segment->size() == 0U);
  segment->commit(4);
  BOOST_TEST(committed(*segment) == "abcd");
  BOOST_TEST(segment->writable().size() == 12U);
  BOOST_TEST(segment->append("X") == 1U);
  BOOST_TEST(committed(*segment) == "abcdX");
}

BOOST_AUTO_TEST_CASE(committed_bytes_do_not_move) {
  const Ref<Segment> segment = Segment::create(nullptr, 1000);
  segment->append("first");
  const char* const before = segment->data();
  segment->append(std::string(900, 'x'));
  BOOST_TEST(static_cast<const void*>(segment->data()) == static_cast<const void*>(before));
  BOOST_TEST(committed(*segment).substr(0, 5) == "first");
}

BOOST_AUTO_TEST_CASE(a_segment_without_room_is_valid) {
  const Ref<Segment> segment = Segment::create(nullptr, 0);
  BOOST_REQUIRE(segment);
  BOOST_TEST(segment->append("x") == 0U);
  BOOST_TEST(segment->writable().empty());
}

BOOST_AUTO_TEST_CASE(charges_its_whole_allocation_until_the_last_reference_goes) {
  MemoryBudget budget(1 << 20);
  Ref<Segment> segment = Segment::create(&budget, 1000);
  BOOST_TEST(budget.used_bytes() == segment->charged_bytes());
  BOOST_TEST(segment->charged_bytes() >= 1000 + sizeof(Segment));
  Ref<Segment> reader = segment;
  segment = nullptr;
  BOOST_TEST(budget.used_bytes() == reader->charged_bytes());
  reader = nullptr;
  BOOST_TEST(budget.used_bytes() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall
