// What a transaction cannot bring about by itself: the narrow places between looking into the table, registering as a
// reader and the fill's next step, and the table's own bounds.
#include "fill/fill.h"

#include <boost/test/unit_test.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "loopback/proxy/harness.h"

namespace seawall::test {
namespace {

using fill::Fill;
using fill::FillReader;
using fill::FillTable;
using Outcome = FillReader::Outcome;

constexpr std::size_t kMemory = std::size_t{4} << 20;
const Lines kFresh = {{"Cache-Control", "max-age=60"}};

struct FillHarness : Harness {
  FillHarness() : Harness({.memory_bytes = kMemory}) {}

  Ref<Fill> make(const Ask& ask = {}) {
    remember(ask.path);
    fill::FillRequest wanted;
    wanted.head = request_head(ask);
    wanted.outgoing.method = wanted.head.method;
    wanted.outgoing.target = ask.path;
    policy::append_key(wanted.key, "http", "example.com", ask.path);
    wanted.hash = policy::hash_key(wanted.key);
    if (ask.method != "GET") wanted.kind = fill::FillKind::kPass;
    if (ask.method != "GET") wanted.sharing = fill::Sharing::kExclusive;
    return make_ref<Fill>(fills, store, executor(), 2U, std::move(wanted));
  }
  Ref<Fill> start(const Ask& ask = {}) {
    Ref<Fill> fill = make(ask);
    if (ask.method == "GET") BOOST_REQUIRE((fills.join_or_start(fill, nullptr).outcome == FillTable::Join::kStarted));
    fill->start(upstream, running());
    return fill;
  }
  std::string read_all(FillReader& reader, Outcome expected) {
    std::string bytes;
    for (;;) {
      SliceChain slices;
      const Outcome outcome = reader.read(1000, slices);
      for (const Slice& slice : slices) bytes.append(slice.view());
      if (outcome == Outcome::kBytes) continue;
      BOOST_TEST((outcome == expected));
      return bytes;
    }
  }
};

BOOST_FIXTURE_TEST_SUITE(loopback_fill, FillHarness)

BOOST_AUTO_TEST_CASE(a_reader_that_registers_after_the_window_slid_on_is_told) {
  const Ref<Fill> fill = start();
  FillReader first(fill, executor(), [] {});
  upstream.last().head(200, kFresh);
  // Found joinable here ...
  const FillTable::Joined joined = fills.join_or_start(make(), nullptr);
  BOOST_REQUIRE((joined.outcome == FillTable::Join::kJoined));
  std::string piece(64 * 1024, 'x');
  for (int i = 0; i < 10; ++i) {
    upstream.last().body(piece);  // ... and by now too large
    read_all(first, Outcome::kNothingYet);
    settle();
  }
  BOOST_TEST(!fill->is_joinable());
  FillReader late(joined.fill, executor(1), [] {});
  BOOST_TEST(late.has_missed_bytes());
  BOOST_TEST(!first.has_missed_bytes());
  SliceChain slices;
  BOOST_TEST((late.read(1000, slices) == Outcome::kFailed));
  BOOST_TEST(slices.empty());
}

BOOST_AUTO_TEST_CASE(readers_are_woken_once_for_many_events) {
  const Ref<Fill> fill = start();
  int wakes = 0;
  FillReader reader(fill, executor(1), [&] { ++wakes; });
  upstream.last().head(200, kFresh);
  for (int i = 0; i < 100; ++i) upstream.last().body("x");
  settle();
  BOOST_TEST(wakes == 1);
  upstream.last().body("x");
  settle();
  BOOST_TEST(wakes == 2);
  BOOST_TEST(read_all(reader, Outcome::kNothingYet).size() == 101U);
  upstream.last().complete();
  settle();
  BOOST_TEST(wakes == 3);
  BOOST_TEST(read_all(reader, Outcome::kEnd).empty());
}

BOOST_AUTO_TEST_CASE(readers_come_and_go_while_they_are_woken) {
  const Ref<Fill> fill = start();
  std::vector<std::unique_ptr<FillReader>> readers(6);
  int wakes = 0;
  std::unique_ptr<FillReader> newcomer;
  for (std::size_t i = 0; i < readers.size(); ++i) {
    readers[i] = std::make_unique<FillReader>(fill, executor(), [&, i] {
      ++wakes;
      if (i == 1) readers[1].reset();  // itself
      if (i == 2) readers[0].reset();  // one before
      if (i == 3) readers[5].reset();  // one after
      if (i == 4) newcomer = std::make_unique<FillReader>(fill, executor(), [&] { ++wakes; });
    });
  }
  upstream.last().head(200, kFresh);
  settle();
  BOOST_TEST(wakes == 5);
  upstream.last().body("x");
  readers[4].reset();
  settle();
  BOOST_TEST(wakes == 8);  // 2, 3 and the newcomer
  readers.clear();
  newcomer.reset();
  upstream.last().complete();
  settle();
  BOOST_TEST(wakes == 8);
}

BOOST_AUTO_TEST_CASE(the_store_is_asked_again_after_an_invalidation_in_between) {
  // The fetch has no reader, is not in the table, and its key is invalidated at the worst time: before it is inserted.
  const Ref<Fill> fill = make({.path = "/a"});
  fill->start(upstream, running());
  upstream.last().head(200, kFresh);
  upstream.last().body("old");
  fills.detach_all(fill->request().key, fill->request().hash);
  upstream.last().complete();
  settle();
  BOOST_TEST(!is_stored());
}

BOOST_AUTO_TEST_CASE(fetches_of_one_key_are_bounded) {
  std::vector<Ref<Fill>> started;
  FillTable::Join outcome = FillTable::Join::kStarted;
  for (int i = 0; i < 1000 && outcome == FillTable::Join::kStarted; ++i) {
    fill::FillRequest wanted = make()->request();
    wanted.head.headers.add("Range", "bytes=" + std::to_string(i) + "-");
    wanted.kind = fill::FillKind::kRange;
    const auto fresh = make_ref<Fill>(fills, store, executor(), 2U, std::move(wanted));
    outcome = fills.join_or_start(fresh, nullptr).outcome;
    if (outcome == FillTable::Join::kStarted) started.push_back(fresh);
  }
  BOOST_TEST((outcome == FillTable::Join::kTooMany));
  BOOST_TEST(started.size() == 64U);
  BOOST_TEST(fills.fills_in_flight() == 64U);
  for (const Ref<Fill>& fill : started) fills.remove(*fill);
  fills.remove(*started.front());  // again does no harm
}

BOOST_AUTO_TEST_CASE(detaching_leaves_other_keys_alone) {
  const Ref<Fill> a = start({.path = "/a"});
  const Ref<Fill> b = start({.path = "/b"});
  fills.detach_all(a->request().key, a->request().hash);
  BOOST_TEST(!a->is_joinable());
  BOOST_TEST(b->is_joinable());
  BOOST_TEST(fills.fills_in_flight() == 1U);
  BOOST_TEST((fills.join_or_start(make({.path = "/b"}), nullptr).outcome == FillTable::Join::kJoined));
  running().cancel_all();
}

BOOST_AUTO_TEST_CASE(marks_are_bounded) {
  cache::Store small({.memory_bytes = kMemory});
  FillTable table({.hit_for_miss = Seconds{10}, .hit_for_miss_keys = 64 * 4}, small);
  const MonoTime now = clock.mono_now();
  // One shard: its bits of the hash are equal.
  for (std::uint64_t i = 0; i < 100; ++i) table.mark_uncacheable(i, now);
  std::size_t marked = 0;
  for (std::uint64_t i = 0; i < 100; ++i) marked += table.is_marked_uncacheable(i, now) ? 1U : 0U;
  BOOST_TEST(marked == 4U);
  BOOST_TEST(table.is_marked_uncacheable(99, now));
  BOOST_TEST(!table.is_marked_uncacheable(99, now + Seconds{10}));
  table.mark_cacheable(99);
  BOOST_TEST(!table.is_marked_uncacheable(99, now));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::test
