#include "proxy/answer_body.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <string>
#include <utility>

namespace {

using namespace seawall;
using proxy::AnswerBody;
using Outcome = AnswerBody::Outcome;

// Gives a string three bytes at a time; each time that it is told to wait, nothing once; fails at `fails_at`.
class StringSource final : public cache::BodySource {
 public:
  explicit StringSource(std::string body, std::uint64_t fails_at = 1000)
      : body_(std::move(body)), fails_at_(fails_at) {}

  void select(http::ByteRange range) override { at_ = range.first, end_ = range.last + 1; }
  Outcome read(std::size_t most, SliceChain& out) override {
    if (at_ == end_) return Outcome::kEnd;
    if (at_ >= fails_at_) return Outcome::kFailed;
    if (std::exchange(waits_, !waits_)) return Outcome::kNothingYet;
    const std::size_t n = std::min({most, std::size_t{3}, static_cast<std::size_t>(end_ - at_)});
    out.push_back(Slice::copy_of(nullptr, std::string_view(body_).substr(at_, n)));
    at_ += n;
    return Outcome::kBytes;
  }

 private:
  std::string body_;
  std::uint64_t fails_at_;
  std::uint64_t at_ = 0;
  std::uint64_t end_ = 0;
  bool waits_ = true;
};

struct ReadAll {
  std::string text;
  int waits = 0;
  Outcome last = Outcome::kEnd;
};

ReadAll read_all(AnswerBody& body, std::size_t most) {
  ReadAll all;
  for (int turn = 0; turn < 1000; ++turn) {
    SliceChain out;
    all.last = body.read(most, out);
    if (all.last == Outcome::kBytes) BOOST_TEST(total_size(out) > 0U);
    BOOST_TEST(total_size(out) <= most);
    for (const Slice& slice : out) all.text += slice.view();
    if (all.last == Outcome::kNothingYet) ++all.waits;
    if (all.last == Outcome::kEnd || all.last == Outcome::kFailed) break;
  }
  return all;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(proxy_answer_body)

BOOST_AUTO_TEST_CASE(texts_and_ranges_come_in_the_order_of_their_adding) {
  for (const std::size_t most : {1U, 2U, 4U, 100U}) {
    AnswerBody body(std::make_unique<StringSource>("0123456789"));
    body.add_text("[first]");
    body.add_range({5, 9});
    body.add_text("");
    body.add_text("[second]");
    body.add_range({0, 3});
    body.add_text("[end]");
    BOOST_TEST(body.size() == 29U);
    const ReadAll all = read_all(body, most);
    BOOST_TEST(all.text == "[first]56789[second]0123[end]");
    BOOST_TEST(all.waits > 0);
    BOOST_TEST((all.last == Outcome::kEnd));
  }
}

BOOST_AUTO_TEST_CASE(nothing_is_read_of_an_empty_body) {
  AnswerBody empty(std::make_unique<StringSource>(""));
  empty.add_range({1, 0});
  SliceChain out;
  BOOST_TEST((empty.read(10, out) == Outcome::kEnd));
  BOOST_TEST(empty.size() == 0U);
}

BOOST_AUTO_TEST_CASE(a_failure_is_told_and_lasts) {
  AnswerBody body(std::make_unique<StringSource>("0123456789", 6));
  body.add_range({0, 9});
  const ReadAll all = read_all(body, 100);
  BOOST_TEST(all.text == "012345");
  BOOST_TEST((all.last == Outcome::kFailed));
  SliceChain out;
  BOOST_TEST((body.read(100, out) == Outcome::kFailed));
}

BOOST_AUTO_TEST_SUITE_END()
