// The tier as its user sees it, over a simulated disk and over real files.
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <csignal>

#include "loopback/disk/disk_bench.h"
#include "support/temporary_directory.h"

namespace {

using namespace seawall;
using namespace seawall::test;

// There is no room, or none for this user.
const auto kFull = boost::unit_test::data::make({ENOSPC, EDQUOT});

std::string noise(std::size_t size, std::uint64_t seed = 1) {
  Rng rng(seed);
  std::string out(size, '\0');
  for (char& c : out) c = static_cast<char>(rng.next());
  return out;
}

struct Fixture : DiskBench {
  Fixture() : DiskBench(1) {}

  // Through a BodyReader, in steps.
  std::string stream(disk::BodyReader& reader, std::uint64_t offset, std::size_t step) {
    std::string out;
    while (offset + out.size() < reader.body_bytes()) {
      std::optional<disk::ReadStatus> status;
      reader.read(offset + out.size(), step, [&](disk::ReadStatus s, SliceChain chain) {
        status = s;
        BOOST_TEST(total_size(chain) <= step);
        out += text_of(chain);
      });
      executor.run_until([&] { return status.has_value(); });
      if (*status != disk::ReadStatus::kOk) return std::string(to_string(*status));
    }
    return out;
  }
  std::unique_ptr<disk::BodyReader> open_body(const disk::Candidate& c,
                                              std::optional<std::uint64_t> first_wanted = std::nullopt) {
    std::optional<disk::ReadStatus> status;
    std::unique_ptr<disk::BodyReader> reader;
    auto pending = tier->open_body(c, first_wanted, nullptr, executor,
                                   [&](disk::ReadStatus s, disk::StoredHead, std::unique_ptr<disk::BodyReader> r) {
                                     status = s;
                                     reader = std::move(r);
                                   });
    executor.run_until([&] { return status.has_value(); });
    return reader;
  }
  void put_streamed(std::uint64_t hash, std::string_view body) {
    auto writer = tier->begin_stream(meta(hash));
    BOOST_TEST_REQUIRE(writer != nullptr);
    BOOST_TEST(writer->append(chain_of(body, 70'001)));
    std::optional<disk::PutResult> result;
    writer->finish("head", 1'800'000'000, &executor, [&](disk::PutResult r) { result = r; });
    flush([&] { return result.has_value(); });
    BOOST_TEST((result->status == disk::PutStatus::kStored));
  }
  // Until everything written so far has been evicted.
  void overflow() {
    for (std::uint64_t i = 0; i < 300; ++i) {
      tier->put(meta(50'000 + i), {}, chain_of(filler, 250'000));
      if (i % 50 == 49) sync();
    }
  }
  const std::string filler = noise(250'000, 99);
};

struct RealFixture {
  TemporaryDirectory directory;
  SystemClock clock;
  disk::TierOptions options() {
    disk::TierOptions o;
    o.volumes = {{.path = directory.path(), .capacity_bytes = disk::kMinVolumeBytes}};
    o.clock = &clock;
    o.read_backend = read_backend_of_this_run();
    o.readers = 1;
    o.flush_interval = Millis(1);
    return o;
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(disk_tier)

BOOST_FIXTURE_TEST_CASE(what_was_put_is_returned_and_is_there_after_a_restart, Fixture) {
  BOOST_TEST_REQUIRE(open() == "");
  auto m = meta(1);
  m.purge_epoch = 5;
  const auto result = put(m, "head", "body");
  BOOST_TEST((result.status == disk::PutStatus::kStored));
  BOOST_TEST(result.durable);
  for (int life = 0; life < 2; ++life) {
    const auto found = find(1);
    BOOST_TEST_REQUIRE(found.has_value());
    const ReadResult r = read(*found);
    BOOST_TEST(r.body == "body");
    BOOST_TEST(r.head.key == "key 1");
    BOOST_TEST(r.head.head.view() == "head");
    BOOST_TEST(r.head.purge_epoch == 5U);
    close();
    disk.restart();
    BOOST_TEST_REQUIRE(open() == "");
  }
}

BOOST_FIXTURE_TEST_CASE(a_restart_needs_neither_the_aside_nor_the_footers, Fixture) {
  BOOST_TEST_REQUIRE(open() == "");
  for (std::uint64_t i = 1; i <= 40; ++i) put(meta(i), {}, noise(100'000, i));
  close();
  disk.restart();
  disk.remove("/d0/index");
  for (const std::string& path : disk.files("/d0/segment-")) {
    std::string bytes = disk.content(path);
    bytes[bytes.size() - 3] ^= 1;
    disk.set_content(path, bytes);
  }
  BOOST_TEST_REQUIRE(open() == "");
  for (std::uint64_t i = 1; i <= 40; ++i) BOOST_TEST((get(i) == noise(100'000, i)));
}

BOOST_FIXTURE_TEST_CASE(a_skipped_put_has_erased, Fixture) {
  options.write_bytes_per_second = 1;
  BOOST_TEST_REQUIRE(open() == "");
  auto m = meta(1);
  m.wanted = true;
  put(m, {}, noise(200'000));
  BOOST_TEST(get(1) != "miss");
  BOOST_TEST((put(meta(2), {}, "one-hit wonder").status == disk::PutStatus::kNotAdmitted));
  BOOST_TEST((put(meta(2), {}, "seen twice").status == disk::PutStatus::kStored));
  BOOST_TEST((put(m, {}, std::string(20 << 20, 'x')).status == disk::PutStatus::kTooLarge));
  BOOST_TEST(get(1) == "miss");
}

BOOST_FIXTURE_TEST_CASE(what_expires_is_not_found, Fixture) {
  BOOST_TEST_REQUIRE(open() == "");
  auto m = meta(1);
  m.usable_until = 1'700'000'010;
  put(m, {}, "x");
  BOOST_TEST(get(1) == "x");
  clock.advance(Seconds(11));
  BOOST_TEST(get(1) == "miss");
}

BOOST_FIXTURE_TEST_CASE(a_stream_is_there_when_it_is_finished, Fixture) {
  BOOST_TEST_REQUIRE(open() == "");
  const std::string body = noise(3'000'000) + std::string(1'000'000, 'a');
  for (const bool aborts : {true, false}) {
    auto writer = tier->begin_stream(meta(1));
    BOOST_TEST_REQUIRE(writer != nullptr);
    for (SliceChain piece : {chain_of(body, 70'001)}) BOOST_TEST(writer->append(std::move(piece)));
    BOOST_TEST(!find(1).has_value());
    if (aborts) continue;
    std::optional<disk::PutResult> result;
    writer->finish("head", 1'800'000'000, &executor, [&](disk::PutResult r) { result = r; });
    flush([&] { return result.has_value(); });
    BOOST_TEST((result->status == disk::PutStatus::kStored));
  }
  for (int life = 0; life < 2; ++life) {
    BOOST_TEST((get(1) == body));
    const auto reader = open_body(*find(1));
    BOOST_TEST_REQUIRE(reader != nullptr);
    BOOST_TEST((stream(*reader, 0, 100'000) == body));
    BOOST_TEST((stream(*reader, 2'999'990, 7'777) == body.substr(2'999'990)));
    BOOST_TEST((stream(*reader, 131'071, 1 << 20) == body.substr(131'071)));
    close();
    disk.restart();
    BOOST_TEST_REQUIRE(open() == "");
  }
}

BOOST_FIXTURE_TEST_CASE(what_is_written_of_a_stream_is_read_back, Fixture) {
  BOOST_TEST_REQUIRE(open() == "");
  const std::string body = noise(30'000'000 / 8) + std::string(1'000'000, 'a');
  auto writer = tier->begin_stream(meta(1));
  BOOST_TEST_REQUIRE(writer != nullptr);
  std::atomic<int> told{0};
  writer->on_written([&] { ++told; });
  const auto read_back = [&](std::uint64_t from) {
    std::string text;
    while (from + text.size() < writer->written_bytes()) {
      const auto reader = writer->read_back(from + text.size(), nullptr, executor);
      BOOST_TEST_REQUIRE(reader->body_bytes() > from + text.size());
      text += stream(*reader, from + text.size(), 100'000);
    }
    return text;
  };
  BOOST_TEST(writer->append(chain_of(body.substr(0, 3'000'000), 70'001)));
  executor.run_until([&] { return writer->written_bytes() >= 2'000'000; });
  BOOST_TEST(told > 0);
  BOOST_TEST(writer->written_bytes() <= 3'000'000U);
  BOOST_TEST(body.starts_with(read_back(0)));
  const std::string later = read_back(1'234'567);
  BOOST_TEST(later.size() >= 2'000'000U - 1'234'567U);
  BOOST_TEST((later == body.substr(1'234'567, later.size())));

  BOOST_TEST(writer->append(chain_of(body.substr(3'000'000), 70'001)));
  std::optional<disk::PutResult> result;
  writer->finish("head", 1'800'000'000, &executor, [&](disk::PutResult r) { result = r; });
  flush([&] { return result.has_value(); });
  BOOST_TEST(writer->written_bytes() == body.size());
  writer->on_written({});
  const int before = told;
  // What replaces it does not take it from those who are reading, nor does its eviction.
  put(meta(1), {}, "newer");
  BOOST_TEST((read_back(0) == body));
  const auto reader = writer->read_back(0, nullptr, executor);
  overflow();
  BOOST_TEST((stream(*reader, 0, 1 << 20) == body.substr(0, reader->body_bytes())));
  BOOST_TEST(told == before);
}

BOOST_FIXTURE_TEST_CASE(a_stream_says_whether_it_takes_more, Fixture) {
  using Room = disk::StreamWriter::Room;
  options.backlog_bytes = 3 << 20;
  BOOST_TEST_REQUIRE(open() == "");
  put(meta(9), {}, "so that a segment is open");
  auto writer = tier->begin_stream(meta(1));
  auto other = tier->begin_stream(meta(2));
  BOOST_TEST_REQUIRE((writer && other));
  BOOST_TEST((writer->room() == Room::kNow));
  disk.hang("/d0/segment-", SimulatedDisk::Hang::kChanges);
  while (writer->room() == Room::kNow) BOOST_TEST_REQUIRE(writer->append(chain_of(noise(64 << 10), 70'001)));
  BOOST_TEST((writer->room() == Room::kLater));
  BOOST_TEST((other->room() == Room::kNone));
  const std::uint64_t written = writer->written_bytes();
  disk.release();
  executor.run_until([&] { return writer->room() == Room::kNow; });
  BOOST_TEST(writer->written_bytes() > written);
  BOOST_TEST((other->room() == Room::kNow));
}

BOOST_FIXTURE_TEST_CASE(what_is_given_up_of_a_stream_can_be_read_to_its_end, Fixture) {
  BOOST_TEST_REQUIRE(open() == "");
  const std::string body = noise(3'000'000);
  auto writer = tier->begin_stream(meta(1));
  BOOST_TEST_REQUIRE(writer != nullptr);
  BOOST_TEST(writer->append(chain_of(body, 70'001)));
  executor.run_until([&] { return writer->written_bytes() >= 2'000'000; });
  writer->abandon();
  BOOST_TEST(!writer->append(chain_of(body, 70'001)));
  const auto reader = writer->read_back(0, nullptr, executor);
  BOOST_TEST((stream(*reader, 0, 100'000) == body.substr(0, reader->body_bytes())));
  writer.reset();
  BOOST_TEST(tier->stats().puts[static_cast<std::size_t>(disk::PutStatus::kAborted)] == 1U);
  BOOST_TEST(!find(1).has_value());
}

BOOST_FIXTURE_TEST_CASE(nothing_is_streamed_while_it_loads_and_a_load_that_hangs_has_an_end, Fixture) {
  BOOST_TEST_REQUIRE(open() == "");
  put(meta(1), {}, "before");
  close();
  disk.hang("/d0/segment-", SimulatedDisk::Hang::kReads);
  auto opened = disk::Tier::open(options);
  BOOST_TEST_REQUIRE(opened.has_value());
  tier = std::move(*opened);
  executor.run_until([&] { return disk.hanging() > 0; });
  BOOST_TEST(tier->begin_stream(meta(2)) == nullptr);
  BOOST_TEST(!tier->is_loaded());
  BOOST_TEST(!tier->await_loaded(std::chrono::milliseconds(1)));
  clock.advance(Millis{10'200});
  executor.run_until([&] { return tier->stats().volumes[0].state == disk::VolumeState::kOutOfService; });
  disk.release();
  BOOST_TEST(tier->await_loaded(std::chrono::seconds(10)));
}

BOOST_FIXTURE_TEST_CASE(a_read_that_was_given_up_disturbs_no_later_one, Fixture) {
  // A ring goes on with the next read only where the kernel reads.
  options.read_backend = disk::ReadBackend::kThreads;
  options.readers = 2;
  BOOST_TEST_REQUIRE(open() == "");
  const std::string body = noise(1'000'000);
  put_streamed(1, body);
  const auto reader = open_body(*find(1));
  BOOST_TEST_REQUIRE(reader != nullptr);
  disk.hang("/d0/segment-", SimulatedDisk::Hang::kReads);
  std::optional<disk::ReadStatus> status;
  reader->read(400'000, 100'000, [&](disk::ReadStatus s, SliceChain) { status = s; });
  executor.run_until([&] { return disk.hanging() == 1; });
  clock.advance(Millis{1001});
  executor.run_until([&] { return status.has_value(); });
  BOOST_TEST((*status == disk::ReadStatus::kTimeout));
  // In another chunk, while the first is still at its own.
  std::optional<std::string> text;
  reader->read(700'000, 10'000, [&](disk::ReadStatus, SliceChain chain) { text = text_of(chain); });
  executor.run_until([&] { return disk.hanging() == 2; });
  disk.release();
  executor.run_until([&] { return text.has_value(); });
  BOOST_TEST((*text == body.substr(700'000, 10'000)));
  BOOST_TEST((stream(*reader, 0, 100'000) == body));
}

BOOST_FIXTURE_TEST_CASE(what_is_wanted_first_has_been_read_when_a_body_is_open, Fixture) {
  BOOST_TEST_REQUIRE(open() == "");
  const std::string body = noise(1'000'000);
  put_streamed(1, body);
  const auto segments = disk.files("/d0/segment-");
  const auto damaged = std::ranges::find_if(
      segments, [&](const auto& path) { return disk.content(path).contains(body.substr(500'000, 100)); });
  BOOST_TEST_REQUIRE((damaged != segments.end()));
  for (const std::uint64_t first : {0U, 123'456U, 999'999U}) {
    const auto reader = open_body(*find(1), first);
    BOOST_TEST_REQUIRE(reader != nullptr);
    BOOST_TEST((stream(*reader, first, 100'000) == body.substr(first)));
  }
  std::string bytes = disk.content(*damaged);
  bytes[bytes.find(body.substr(500'000, 100))] ^= 1;
  close();
  disk.restart();
  disk.set_content(*damaged, bytes);
  BOOST_TEST_REQUIRE(open() == "");
  BOOST_TEST(open_body(*find(1), 900'000) != nullptr);
  BOOST_TEST(open_body(*find(1), 490'000) == nullptr);
  BOOST_TEST(!find(1).has_value());
}

BOOST_FIXTURE_TEST_CASE(a_streamed_body_that_cannot_be_read_is_not_found_again, Fixture) {
  BOOST_TEST_REQUIRE(open() == "");
  put_streamed(1, noise(1'000'000));
  const auto reader = open_body(*find(1));
  BOOST_TEST_REQUIRE(reader != nullptr);
  BOOST_TEST(sync());  // the writer has nothing more to do
  disk.fail("/d0/segment-", EIO);
  BOOST_TEST(stream(*reader, 0, 100'000) == to_string(disk::ReadStatus::kFailed));
  disk.fail("/d0/segment-", 0);
  BOOST_TEST(!find(1).has_value());
  BOOST_TEST((tier->stats().volumes[0].state == disk::VolumeState::kInService));
}

BOOST_FIXTURE_TEST_CASE(bodies_have_a_bound_of_the_users, Fixture) {
  options.max_body_bytes = 2'000'000;
  BOOST_TEST_REQUIRE(open() == "");
  BOOST_TEST(tier->max_body_bytes() == 2'000'000U);
  BOOST_TEST((put(meta(1), {}, noise(2'000'000)).status == disk::PutStatus::kStored));
  BOOST_TEST((put(meta(1), {}, noise(2'000'001)).status == disk::PutStatus::kTooLarge));
  auto writer = tier->begin_stream(meta(2));
  BOOST_TEST_REQUIRE(writer != nullptr);
  BOOST_TEST(writer->append(chain_of(noise(1'500'000), 70'001)));
  BOOST_TEST(!writer->append(chain_of(noise(500'001), 70'001)));
}

BOOST_FIXTURE_TEST_CASE(eviction_does_not_disturb_who_is_reading, Fixture) {
  BOOST_TEST_REQUIRE(open() == "");
  const std::string body = noise(2'000'000);
  put(meta(1), {}, body);
  put(meta(2), {}, "used");
  put(meta(3), {}, "not used");
  tier->mark_used(*find(2));
  const auto reader = open_body(*find(1));
  BOOST_TEST_REQUIRE(reader != nullptr);
  overflow();
  BOOST_TEST(!find(3).has_value());
  BOOST_TEST(get(2) == "used");
  const auto stats = tier->stats();
  BOOST_TEST(stats.volumes[0].pinned_bytes > 0U);
  BOOST_TEST(stats.volumes[0].used_bytes <= stats.volumes[0].capacity_bytes);
  BOOST_TEST(stats.reinserted == 1U);
  BOOST_TEST((stream(*reader, 0, 100'000) == body));
}

BOOST_FIXTURE_TEST_CASE(what_readers_hold_is_not_made_up_for_by_letting_go_of_all_else, Fixture) {
  BOOST_TEST_REQUIRE(open() == "");
  std::vector<std::unique_ptr<disk::BodyReader>> readers;
  for (std::uint64_t i = 1; i <= 25; ++i) {
    put(meta(i), {}, noise(900'000, i));
    readers.push_back(open_body(*find(i)));
    BOOST_TEST_REQUIRE(readers.back() != nullptr);
  }
  overflow();
  auto stats = tier->stats();
  BOOST_TEST(stats.volumes[0].pinned_bytes > stats.volumes[0].capacity_bytes / 4);
  BOOST_TEST(stats.volumes[0].pinned_bytes < stats.volumes[0].capacity_bytes / 3);
  BOOST_TEST(stats.volumes[0].objects > 100U);
  BOOST_TEST((stats.volumes[0].state == disk::VolumeState::kInService));
  readers.clear();
  BOOST_TEST((put(meta(1), {}, "room again").status == disk::PutStatus::kStored));
}

BOOST_FIXTURE_TEST_CASE(damage_is_a_miss_and_is_counted, Fixture) {
  BOOST_TEST_REQUIRE(open() == "");
  put(meta(1), {}, noise(50'000));
  const std::string path = disk.files("/d0/segment-").front();
  std::string bytes = disk.content(path);
  bytes[20'000] ^= 1;
  close();
  disk.restart();
  disk.set_content(path, bytes);
  BOOST_TEST_REQUIRE(open() == "");
  BOOST_TEST_REQUIRE(find(1).has_value());
  BOOST_TEST((read(*find(1)).status == disk::ReadStatus::kCorrupt));
  BOOST_TEST(tier->stats().reads_corrupt == 1U);
  BOOST_TEST(!find(1).has_value());
}

BOOST_FIXTURE_TEST_CASE(a_failing_disk_leaves_service_and_comes_back_empty, Fixture) {
  BOOST_TEST_REQUIRE(open() == "");
  const std::size_t said_at_start = log.size();
  put(meta(1), {}, "before");
  disk.fail("/d0/", EIO);
  BOOST_TEST((put(meta(2), {}, "lost").status != disk::PutStatus::kStored));
  BOOST_TEST(get(1) == "miss");
  BOOST_TEST((put(meta(3), {}, "lost").status == disk::PutStatus::kOutOfService));
  BOOST_TEST(!erase(1));  // nothing says so to the next start
  BOOST_TEST((tier->stats().volumes[0].state == disk::VolumeState::kOutOfService));
  disk.fail("/d0/", 0);
  clock.advance(options.retry_interval);
  executor.run_until([&] { return tier->stats().volumes[0].state == disk::VolumeState::kInService; });
  BOOST_TEST(get(1) == "miss");
  BOOST_TEST((put(meta(3), {}, "after").status == disk::PutStatus::kStored));
  BOOST_TEST(get(3) == "after");
  const std::scoped_lock lock(log_mutex);
  BOOST_TEST(log.size() == said_at_start + 3);
}

BOOST_FIXTURE_TEST_CASE(who_waits_for_what_is_being_written_hears_when_the_volume_leaves_service, Fixture) {
  options.journal_deadline = Millis{3'600'000};
  BOOST_TEST_REQUIRE(open() == "");
  put(meta(1), "head", "body");
  disk.hang("/d0/journal", SimulatedDisk::Hang::kChanges);
  std::optional<bool> is_durable;
  tier->erase(1, &executor, [&](bool durable) { is_durable = durable; });
  executor.run_until([&] { return disk.hanging() > 0; });
  BOOST_TEST(!is_durable.has_value());
  clock.advance(Millis{10'001});
  executor.run_until([&] { return is_durable.has_value(); });
  BOOST_TEST(!*is_durable);
  disk.release();
}

// The disk, and all that its threads use, outlives them: they are left behind.
BOOST_AUTO_TEST_CASE(a_disk_that_hangs_does_not_hold_up_the_end) {
  static Fixture* const f = new Fixture;
  BOOST_TEST_REQUIRE(f->open() == "");
  f->put(f->meta(1), "head", "body");
  f->disk.hang("/d0", SimulatedDisk::Hang::kAll);
  f->tier->put(f->meta(2), "head", chain_of("body"));
  const auto began = std::chrono::steady_clock::now();
  f->close();
  BOOST_TEST((std::chrono::steady_clock::now() - began < std::chrono::seconds(8)));
  f->disk.release();
}

// What was replaced is known to be before anything is synced: a process that is killed leaves what was written.
BOOST_FIXTURE_TEST_CASE(what_is_replaced_is_written_down_at_once, Fixture) {
  BOOST_TEST_REQUIRE(open() == "");
  put(meta(1), {}, "older");
  put(meta(2), {}, "older");
  disk.hang("/d0/journal", SimulatedDisk::Hang::kSyncs);
  disk.hang("/d0/segment", SimulatedDisk::Hang::kChanges);
  for (const std::uint64_t hash : {1U, 2U}) {
    const std::uint64_t before = tier->stats().journal_entries;
    tier->put(meta(hash), {}, chain_of("newer"));
    if (hash == 1) executor.run_until([&] { return tier->stats().journal_entries > before; });
  }
  disk.stop_after(0);
  disk.release();
  close();
  disk.restart();
  BOOST_TEST_REQUIRE(open() == "");
  BOOST_TEST(get(1) == "miss");
}

// A block is written again with more until it is synced.
BOOST_FIXTURE_TEST_CASE(many_tombstones_share_a_block, Fixture) {
  options.journal_bytes = 16 << 10;
  BOOST_TEST_REQUIRE(open() == "");
  const std::string journal = disk.files("/d0/journal-").back();
  for (std::uint64_t i = 1; i <= 200; ++i) put(meta(i), {}, "older");
  const std::uint64_t before = tier->stats().journal_entries;
  for (std::uint64_t i = 1; i <= 200; ++i) tier->put(meta(i), {}, chain_of("newer"));
  executor.run_until([&] { return tier->stats().journal_entries >= before + 200; });
  BOOST_TEST(erase(1));
  close();
  disk.lose_power();
  BOOST_TEST_REQUIRE(open() == "");
  BOOST_TEST(get(1) == "miss");
  for (std::uint64_t i = 2; i <= 200; ++i) BOOST_TEST(get(i) != "older");
}

BOOST_FIXTURE_TEST_CASE(a_full_disk_has_room_for_the_next_journal, Fixture) {
  options.journal_bytes = 8192;
  BOOST_TEST_REQUIRE(open() == "");
  put(meta(1), {}, "kept");
  disk.fail("/d0/journal", ENOSPC, true);
  const std::string first = disk.files("/d0/journal-").back();
  for (std::uint64_t i = 0; i < 100; ++i) BOOST_TEST(erase(2));
  for (std::uint64_t i = 0; i < 100; ++i) {
    put(meta(3), {}, "x");
    BOOST_TEST(erase(3));
  }
  BOOST_TEST(disk.files("/d0/journal-").back() != first);
  close();
  disk.restart();
  BOOST_TEST_REQUIRE(open() == "");
  BOOST_TEST((tier->stats().volumes[0].state == disk::VolumeState::kInService));
  BOOST_TEST(get(1) == "kept");
  BOOST_TEST(get(3) == "miss");
}

// Where room is not reserved, what is to be written again may find none, and some a moment later.
BOOST_FIXTURE_TEST_CASE(what_found_no_room_to_be_written_again_does_not_come_back, Fixture) {
  BOOST_TEST_REQUIRE(open() == "");
  put(meta(1), {}, noise(200'000));
  for (std::uint64_t i = 2; tier->stats().volumes[0].used_bytes + (2 << 20) < disk::kMinVolumeBytes; ++i) {
    put(meta(i), {}, noise(200'000, i));
  }
  for (const std::uint64_t hash : {1U, 2U}) {
    BOOST_TEST_REQUIRE(find(hash).has_value());
    tier->mark_used(*find(hash));
  }
  for (std::uint64_t i = 10'000; tier->stats().evicted == 0 && i < 10'100; ++i) {
    std::uint64_t used = 0;
    for (const std::string& path : disk.files("/d0/segment-")) used += disk.content(path).size();
    disk.limit_room("/d0/segment-", used + 200'000);
    put(meta(i), {}, noise(30'000, i));
  }
  BOOST_TEST(disk.refused() == 1U);
  disk.limit_room("/d0/segment-", ~std::uint64_t{0});
  BOOST_TEST_REQUIRE((tier->stats().volumes[0].state == disk::VolumeState::kInService));
  BOOST_TEST(sync());
  BOOST_TEST(erase(1));
  BOOST_TEST(get(1) == "miss");
  disk.stop_after(0);  // without an index that was written aside
  close();
  disk.restart();
  BOOST_TEST_REQUIRE(open() == "");
  BOOST_TEST(get(1) == "miss");
}

BOOST_FIXTURE_TEST_CASE(a_full_disk_is_used_as_far_as_it_goes, Fixture) {
  BOOST_TEST_REQUIRE(open() == "");
  for (std::uint64_t i = 1; i <= 40; ++i) put(meta(i), {}, noise(100'000, i));
  disk.fail("/d0/", ENOSPC, true);
  for (std::uint64_t i = 41; i <= 80; ++i) put(meta(i), {}, noise(100'000, i));
  BOOST_TEST((tier->stats().volumes[0].state == disk::VolumeState::kOutOfService));
  BOOST_TEST(get(1) == "miss");
}

BOOST_DATA_TEST_CASE_F(Fixture, where_others_fill_the_disk_the_oldest_goes_and_that_is_said, kFull, full) {
  BOOST_TEST_REQUIRE(open() == "");
  for (std::uint64_t i = 1; i <= 4; ++i) put(meta(i), {}, noise(900'000, i));
  const std::string youngest = disk.files("/d0/segment-").back();
  BOOST_TEST_REQUIRE(youngest.back() < '8');
  std::string next = youngest;
  ++next.back();
  disk.fail(next, full, true);
  for (std::uint64_t i = 5; i <= 6; ++i) put(meta(i), {}, noise(900'000, i));
  BOOST_TEST((tier->stats().volumes[0].state == disk::VolumeState::kInService));
  BOOST_TEST(get(1) == "miss");
  BOOST_TEST((get(6) == noise(900'000, 6)));
  const std::scoped_lock lock(log_mutex);
  BOOST_TEST(std::ranges::count_if(log, [](const auto& line) { return line.contains("file system is full"); }) == 1);
}

// It only saves time.
BOOST_FIXTURE_TEST_CASE(where_there_is_no_room_for_the_index_aside_it_stays_away, Fixture) {
  BOOST_TEST_REQUIRE(open() == "");
  put(meta(1), {}, "one");
  disk.limit_room("/d0/index", 0);
  for (int i = 0; i < 3; ++i) {
    const std::uint64_t tried = disk.refused();
    clock.advance(Seconds{61});
    executor.run_until([&] { return disk.refused() > tried && !disk.exists("/d0/index.new"); });
    put(meta(2), {}, "two");
  }
  BOOST_TEST((tier->stats().volumes[0].state == disk::VolumeState::kInService));
  BOOST_TEST(!disk.exists("/d0/index.new"));
  BOOST_TEST(get(1) == "one");
  close();
  BOOST_TEST_REQUIRE(open() == "");
  BOOST_TEST(get(1) == "one");
}

BOOST_FIXTURE_TEST_CASE(a_volume_that_was_made_smaller_lets_its_oldest_go, Fixture) {
  options.volumes[0].capacity_bytes = 2 * disk::kMinVolumeBytes;
  BOOST_TEST_REQUIRE(open() == "");
  for (std::uint64_t i = 1; i <= 100; ++i) put(meta(i), {}, noise(900'000, i));
  BOOST_TEST_REQUIRE(tier->stats().volumes[0].used_bytes > disk::kMinVolumeBytes);
  close();
  options.volumes[0].capacity_bytes = disk::kMinVolumeBytes;
  BOOST_TEST_REQUIRE(open() == "");
  executor.run_until([&] { return tier->stats().volumes[0].used_bytes <= disk::kMinVolumeBytes; });
  BOOST_TEST(tier->stats().objects > 50U);
  BOOST_TEST(!find(1).has_value());
  BOOST_TEST((get(100) == noise(900'000, 100)));
}

BOOST_FIXTURE_TEST_CASE(notes_are_replayed_and_forgotten_when_nothing_older_is_left, Fixture) {
  options.journal_bytes = 4096;
  options.recheck = [](const disk::Revisit& r) { return std::optional(r.purge_epoch); };
  BOOST_TEST_REQUIRE(open() == "");
  put(meta(1), {}, "older");
  BOOST_TEST(note(2, 1, "http://a.example/"));
  close();
  disk.restart();
  BOOST_TEST_REQUIRE(open() == "");
  BOOST_TEST_REQUIRE(notes.size() == 1U);
  BOOST_TEST(notes[0].payload == "http://a.example/");
  BOOST_TEST(tier->epoch() == 1U);
  auto younger = meta(2);
  younger.purge_epoch = 100;
  erase(1);
  for (std::uint64_t i = 0; i < 300; ++i) {
    auto m = younger;
    m.hash = 50'000 + i;
    tier->put(m, {}, chain_of(filler, 250'000));
    if (i % 50 == 49) sync();
  }
  for (std::uint64_t epoch = 2; epoch < 30; ++epoch) note(2, epoch, "http://a.example/");
  close();
  disk.restart();
  BOOST_TEST_REQUIRE(open() == "");
  BOOST_TEST(notes.size() < 25U);
  BOOST_TEST(tier->epoch() == 29U);
  // What has been on its way since before what was forgotten comes too late.
  auto late = meta(3);
  late.purge_epoch = 1;
  BOOST_TEST((put(late, {}, "x").status == disk::PutStatus::kReplaced));
}

BOOST_FIXTURE_TEST_CASE(what_is_not_ours_is_refused_and_left_alone, Fixture) {
  const auto refused = [&](const std::string& words) {
    const std::string error = open();
    BOOST_TEST(error.find(words) != std::string::npos, error);
    BOOST_TEST(error.find("/d0") != std::string::npos);
    BOOST_TEST(!disk.exists("/d0/LOCK"));
  };
  // What is seen without opening it.
  const auto refused_on_sight = [&](const std::string& words) {
    refused(words);
    BOOST_TEST(disk::check_directory("/d0", true, &disk).value_or("") == open());
  };
  disk.set_content("/d0/holiday.jpg", "x");
  refused_on_sight("other files, such as holiday.jpg");
  disk.remove("/d0/holiday.jpg");
  disk.set_content("/d0/volume", disk::encode(disk::VolumeFile{.version = 2, .members = {}}));
  refused_on_sight("newer version");
  disk.set_content("/d0/volume", "the volume of a sphere");
  refused_on_sight("other files");
  BOOST_TEST(disk.content("/d0/volume") == "the volume of a sphere");
  disk.remove("/d0/volume");
  BOOST_TEST(!disk::check_directory("/d0", true, &disk).has_value());
  options.volumes[0].capacity_bytes = 1000;
  refused("at least 64 MB");
  options.volumes[0].capacity_bytes = disk::kMinVolumeBytes;
  options.volumes.push_back({.path = "/d0/inner", .capacity_bytes = disk::kMinVolumeBytes});
  refused("overlaps");
  options.volumes.pop_back();
  options.volumes[0].path = "/d0x";
  BOOST_TEST(open().find("does not exist") != std::string::npos);
  BOOST_TEST(disk::check_directory("/d0x", true, &disk).value_or("") == open());
}

BOOST_FIXTURE_TEST_CASE(a_directory_has_one_server, RealFixture) {
  auto first = disk::Tier::open(options());
  BOOST_TEST_REQUIRE(first.has_value());
  auto second = disk::Tier::open(options());
  BOOST_TEST_REQUIRE(!second.has_value());
  BOOST_TEST(second.error().find("another server is using it") != std::string::npos);
  first->reset();
  second = disk::Tier::open(options());
  BOOST_TEST(second.has_value());
}

// Killed at any moment, over and over, with real files: a child puts and says what it was promised.
BOOST_FIXTURE_TEST_CASE(a_killed_server_keeps_its_promises, RealFixture) {
  struct Promise {
    std::uint64_t key;
    std::uint64_t version;
    bool is_kept;  // else: it was begun, and what was there is gone whether or not it gets there itself
  };
  const auto body_of = [](std::uint64_t version) { return noise(1 + version % 7 * 9'000, version); };
  std::map<std::uint64_t, std::uint64_t> promised;
  std::map<std::uint64_t, std::uint64_t> begun;
  const auto take = [&](const Promise& p) {
    auto& known = (p.is_kept ? promised : begun)[p.key];
    known = std::max(known, p.version);
  };
  std::uint64_t next = 1;
  std::size_t found = 0;
  for (int life = 0; life < 100; ++life) {
    int pipe[2];
    BOOST_TEST_REQUIRE(::pipe(pipe) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
      auto tier = disk::Tier::open(options());
      WaitingExecutor executor(clock);
      std::size_t under_way = 0;
      for (std::uint64_t version = next;; ++version) {
        DiskBench naming(1);
        const Promise promise{1 + version % 13, version, true};
        const Promise beginning{promise.key, version, false};
        (void)!::write(pipe[1], &beginning, sizeof beginning);
        ++under_way;
        (*tier)->put(naming.meta(promise.key), std::to_string(version), chain_of(body_of(version)), &executor,
                     [&, promise](disk::PutResult r) {
                       --under_way;
                       if (r.status == disk::PutStatus::kStored && r.durable) {
                         (void)!::write(pipe[1], &promise, sizeof promise);
                       }
                     });
        executor.run_until([&] { return under_way < 8; });
      }
    }
    ::close(pipe[1]);
    Promise promise{};
    const int wanted = 10 + life * 7 % 60;
    for (int i = 0; i < wanted && ::read(pipe[0], &promise, sizeof promise) == sizeof promise; ++i) {
      take(promise);
    }
    ::kill(child, SIGKILL);
    while (::read(pipe[0], &promise, sizeof promise) == sizeof promise) {
      take(promise);
    }
    ::close(pipe[0]);
    ::waitpid(child, nullptr, 0);

    auto tier = disk::Tier::open(options());
    BOOST_TEST_REQUIRE(tier.has_value());
    WaitingExecutor executor(clock);
    executor.run_until([&] { return (*tier)->is_loaded(); });
    for (const auto& [key, version] : promised) {
      const auto candidates = (*tier)->find(key);
      if (candidates.empty()) {
        BOOST_TEST_REQUIRE(begun[key] > version);
        continue;
      }
      bool done = false;
      auto pending = (*tier)->read(candidates[0], ~std::uint64_t{0}, nullptr, executor,
                                   [&](disk::ReadStatus status, disk::StoredHead head, SliceChain body) {
                                     done = true;
                                     BOOST_TEST_REQUIRE((status == disk::ReadStatus::kOk));
                                     const std::uint64_t read = std::stoull(std::string(head.head.view()));
                                     BOOST_TEST_REQUIRE(read >= version);
                                     BOOST_TEST_REQUIRE((text_of(body) == body_of(read)));
                                     next = std::max(next, read + 1);
                                     ++found;
                                   });
      executor.run_until([&] { return done; });
    }
  }
  BOOST_TEST(found > 200U);
}

BOOST_AUTO_TEST_SUITE_END()
