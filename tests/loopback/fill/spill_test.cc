// A fill whose body goes to disk, over a simulated disk that hangs and falls behind.
#include <boost/test/unit_test.hpp>
#include <memory>
#include <string>

#include "cache/disk_tier.h"
#include "cache/store.h"
#include "fill/fill.h"
#include "fill/fill_table.h"
#include "policy/key.h"
#include "support/fake_upstream.h"
#include "support/simulated_disk.h"
#include "support/waiting_executor.h"

namespace seawall::test {
namespace {

using fill::Fill;
using fill::FillReader;
using fill::FillTable;
using Outcome = FillReader::Outcome;

constexpr std::size_t kMemory = std::size_t{4} << 20;
constexpr std::size_t kPiece = 64 << 10;

struct Fixture {
  Fixture() {
    disk.make_directory("/d");
    disk::TierOptions options;
    options.volumes = {{.path = "/d", .capacity_bytes = disk::kMinVolumeBytes}};
    options.segment_bytes = 1 << 20;
    options.max_body_bytes = 6 << 20;
    options.clock = &clock;
    options.file_system = &disk;
    auto opened = cache::DiskTier::open(std::move(options), store);
    BOOST_REQUIRE(opened);
    tier = std::move(*opened);
    store.attach(*tier);
    executor.run_until([&] { return tier->is_loaded(); });
  }
  ~Fixture() {
    disk.release();
    running.cancel_all();
    executor.run_ready();
    tier->close();
    executor.run_ready();
  }

  fill::FillRequest request() {
    fill::FillRequest wanted;
    wanted.head.method = http::Method::kGet;
    wanted.head.method_name = "GET";
    wanted.head.scheme = "http";
    wanted.head.authority = "a.test";
    wanted.head.path = "/large";
    wanted.outgoing.method = wanted.head.method;
    wanted.outgoing.target = "/large";
    policy::append_key(wanted.key, "http", "a.test", "/large");
    wanted.hash = policy::hash_key(wanted.key);
    return wanted;
  }
  Ref<Fill> make() { return make_ref<Fill>(fills, store, executor, 1U, request()); }
  Ref<Fill> start() {
    Ref<Fill> fill = make();
    BOOST_REQUIRE((fills.join_or_start(fill, nullptr).outcome == FillTable::Join::kStarted));
    fill->start(upstream, running);
    upstream.last().head(200, {{"Cache-Control", "max-age=60"}});
    return fill;
  }
  // What is posted, and what is due.
  template <typename Condition>
  void step_until(Condition condition) {
    for (int tries = 0; !condition(); ++tries) {
      BOOST_TEST_REQUIRE(tries < 5000);
      clock.advance(Millis{50});
      executor.timers().advance(clock.mono_now());
      executor.run_some();
    }
  }
  // So much of the body, as fast as it is wanted.
  void send(std::size_t bytes, FillReader* along = nullptr) {
    for (std::size_t sent = 0; sent < bytes; sent += kPiece) {
      step_until([&] {
        if (along) take(*along);
        return !upstream.last().is_paused();
      });
      upstream.last().body(std::string(kPiece, static_cast<char>('a' + sent / kPiece % 26)));
    }
  }
  Outcome take(FillReader& reader) {
    Outcome outcome = Outcome::kBytes;
    while (outcome == Outcome::kBytes) {
      SliceChain slices;
      outcome = reader.read(kPiece, slices);
    }
    return outcome;
  }
  bool is_in_service() const { return tier->stats().volumes[0].state == disk::VolumeState::kInService; }

  SharedClock clock;
  SimulatedDisk disk{1};
  WaitingExecutor executor{clock};
  cache::Store store{{.memory_bytes = kMemory, .max_object_share = 0.1}};
  std::unique_ptr<cache::DiskTier> tier;
  FillTable fills{{}, store};
  FakeUpstream upstream{clock};
  fill::RunningFills running;
};

BOOST_FIXTURE_TEST_SUITE(loopback_spill, Fixture)

BOOST_AUTO_TEST_CASE(nobody_joins_what_the_disk_does_not_finish) {
  const Ref<Fill> fill = start();
  FillReader reader(fill, executor, [] {});
  send(1 << 20, &reader);
  disk.hang("/d/segment-", SimulatedDisk::Hang::kChanges);
  upstream.last().complete();
  step_until([&] { return disk.hanging() > 0; });
  BOOST_TEST((take(reader) == Outcome::kEnd));
  BOOST_TEST(fill->is_joinable());
  step_until([&] { return !is_in_service(); });
  step_until([&] { return !fill->is_joinable(); });
  BOOST_TEST((fills.join_or_start(make(), nullptr).outcome == FillTable::Join::kStarted));
}

BOOST_AUTO_TEST_CASE(a_part_that_is_all_of_it_is_stored) {
  fill::FillRequest wanted = request();
  wanted.kind = fill::FillKind::kRange;
  wanted.head.headers.add("Range", "bytes=0-");
  const auto fill = make_ref<Fill>(fills, store, executor, 1U, std::move(wanted));
  BOOST_REQUIRE((fills.join_or_start(fill, nullptr).outcome == FillTable::Join::kStarted));
  fill->start(upstream, running);
  upstream.last().head(206, {{"Cache-Control", "max-age=60"},
                             {"ETag", "\"1\""},
                             {"Content-Length", "1048576"},
                             {"Content-Range", "bytes 0-1048575/1048576"}});
  FillReader reader(fill, executor, [] {});
  send(1 << 20, &reader);
  upstream.last().complete();
  step_until([&] { return !fill->is_joinable(); });
  const auto stored = store.peek_all(fill->request().key, fill->request().hash);
  BOOST_TEST_REQUIRE(stored.size() == 1U);
  BOOST_TEST(stored.front()->status() == 200);
  BOOST_TEST(stored.front()->complete_length() == 1U << 20);
  BOOST_TEST(stored.front()->is_complete());
}

BOOST_AUTO_TEST_CASE(who_comes_too_late_for_what_the_disk_has_not_got_is_told) {
  const Ref<Fill> fill = start();
  FillReader first(fill, executor, [] {});
  send(1 << 20, &first);
  const FillTable::Joined joined = fills.join_or_start(make(), nullptr);
  BOOST_REQUIRE((joined.outcome == FillTable::Join::kJoined));
  disk.hang("/d/segment-", SimulatedDisk::Hang::kChanges);
  step_until([&] { return disk.hanging() > 0; });
  // Past the disk's bound it is a window, behind which nothing is to be had.
  for (int i = 0; i < 96 && fill->is_joinable(); ++i) {
    upstream.last().body(std::string(kPiece, 'x'));
    take(first);
    executor.run_ready();
  }
  BOOST_TEST_REQUIRE(!fill->is_joinable());
  upstream.last().body(std::string(kPiece, 'x'));
  take(first);
  executor.run_ready();
  BOOST_TEST(!first.has_missed_bytes());
  FillReader late(joined.fill, executor, [] {});
  BOOST_TEST(late.has_missed_bytes());
  BOOST_TEST((take(late) == Outcome::kFailed));
}

BOOST_AUTO_TEST_CASE(a_reader_that_has_caught_up_from_the_disk_lets_the_origin_go_on) {
  const Ref<Fill> fill = start();
  FillReader first(fill, executor, [] {});
  FillReader slow(fill, executor, [] {});
  while (fill->is_joinable()) send(kPiece, &first);  // past the disk's bound: no faster than the slowest from here on
  take(first);
  upstream.last().body(std::string(4 * kPiece, 'x'));
  take(first);
  executor.run_ready();
  BOOST_TEST(upstream.last().is_paused());
  step_until([&] {
    take(slow);
    return slow.offset() == first.offset();
  });
  step_until([&] { return !upstream.last().is_paused(); });
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::test
